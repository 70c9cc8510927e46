"""What a decider said, and the first word in which two runs of it differ."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import zip_longest
from typing import Any, NamedTuple

import msgspec

from bus_schemas.codec import encode_body
from bus_schemas.decider import Decider
from bus_schemas.envelope import Event
from bus_schemas.events import Body
from bus_schemas.timeframes import iso

_TIMES = ("time", "at", "known_at", "expires")
_OUTCOME = ("passed", "known_at", "at")
_RESULT = 1_000

Words = dict[tuple[int, str, str], str]
"""Place of a step, its name, name of a value: the value."""


class Said(NamedTuple):
    """An event that a decider emitted."""

    time: int
    body: Body
    encoded: bytes


class Difference(msgspec.Struct, frozen=True):
    """An assessment that depends on what came after it.

    Attributes:
        time: of the assessment, milliseconds UTC.
        cut: time of the last event that both runs have.
        future: what came after it in the truncated run.
        step: of the evidence, or `signal`, or `assessment`; the first in which the two differ.
        name: what of the step.
        whole, truncated: what each run says; `–` for nothing.
    """

    time: int
    cut: int
    future: str
    step: str
    name: str
    whole: str
    truncated: str


def said_at(decider: Decider, event: Event) -> list[Said]:
    """Let it handle an event; what follows is encoded at once, so nothing can change it later."""
    return [Said(out.body.time, out.body, encode_body(out.body)) for out in decider.handle(event)]


def pairs(whole: Sequence[Said], other: Sequence[Said]) -> Iterator[tuple[Said | None, Said | None]]:
    """What two runs said of each time, in order of time; None where one of them said less."""
    by_time: dict[int, tuple[list[Said], list[Said]]] = {}
    for run, said in enumerate((whole, other)):
        for one in said:
            by_time.setdefault(one.time, ([], []))[run].append(one)
    for _, both in sorted(by_time.items()):
        yield from zip_longest(*both)


def difference(whole: Said | None, truncated: Said | None, cut: int, future: str) -> Difference:
    """Where the two, of which at most one is None, differ first: in the reasoning, then in its result."""
    if whole is None or truncated is None:
        said = ("yes", "no") if truncated is None else ("no", "yes")
        time = max(one.time for one in (whole, truncated) if one is not None)
        return Difference(time, cut, future, "assessment", "said", *said)
    ours, others = _words(whole.body), _words(truncated.body)
    # within a step the numbers first: they say why one passed and the other did not
    for key in sorted(ours | others, key=lambda key: (key[0], key[2] in _OUTCOME)):
        one, other = ours.get(key, "–"), others.get(key, "–")
        if one != other:
            return Difference(whole.time, cut, future, key[1], key[2], one, other)
    return Difference(whole.time, cut, future, "assessment", "bytes", "–", "–")


def _words(body: Body) -> Words:
    plain: dict[str, Any] = msgspec.to_builtins(body)
    steps = [(place, step.pop("step"), step) for place, step in enumerate(plain.pop("evidence", ()))]
    signal = plain.pop("signal", {})
    words: Words = {}
    for place, step, values in (*steps, (_RESULT, "signal", signal), (_RESULT, "assessment", plain)):
        numbers, text = values.pop("numbers", {}), values.pop("text", {})
        for name, value in (numbers | text | values).items():
            moment = name in _TIMES and isinstance(value, int)
            words[place, step, name] = iso(value) if moment else str(value)
    return words
