"""Client order ids: a function of (signal, leg, attempt), never of a counter or a clock.

So an intent that is decided again after a crash carries the id it had before, and the venue can be
asked about it. The form keeps to what Binance USDⓈ-M takes: at most 36 of `[A-Za-z0-9-]`.
"""

from __future__ import annotations

import base64
import hashlib
import re

from bus_schemas.events import Leg

MAX_LENGTH = 36

_OURS = re.compile(r"cw-(?:e|s|t1|t2|c)[0-9]{1,3}-[a-z2-7]{26}").fullmatch

_CODES = {Leg.ENTRY: "e", Leg.STOP: "s", Leg.TARGET_1: "t1", Leg.TARGET_2: "t2", Leg.CLOSE: "c"}


def client_id(signal_id: str, leg: Leg, attempt: int) -> str:
    """The id, such as `cw-s2-<26 letters of a 128-bit hash>`.

    Leg and attempt stand in front for people; the hash alone tells orders apart.
    """
    text = f"{signal_id}\0{leg.value}\0{attempt}"
    digest = hashlib.blake2b(text.encode(), digest_size=16, person=b"causeway-order").digest()
    letters = base64.b32encode(digest).decode().rstrip("=").lower()
    return f"cw-{_CODES[leg]}{min(attempt, 999)}-{letters}"


def is_ours(text: str) -> bool:
    """Whether an id at the venue has the form of ours; other orders of the account are left alone."""
    return _OURS(text) is not None
