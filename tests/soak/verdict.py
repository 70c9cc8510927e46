"""What a judge hands over: checks, each with what it looked at and what was wrong."""

from __future__ import annotations

import msgspec


class Check(msgspec.Struct, kw_only=True):
    """One question and its answer.

    Attributes:
        seen: what was looked at, in figures.
        wrong: what is wrong, in words; empty is good.
    """

    name: str
    seen: str = ""
    wrong: list[str] = []


class Alarm(msgspec.Struct, kw_only=True):
    """Something that a person was told, and why.

    Attributes:
        at: seconds from the beginning.
        because: the fault or kill that explains it; empty for none.
    """

    what: str
    detail: str
    at: float
    because: str
