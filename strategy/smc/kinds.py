"""What can happen: kinds of events and their scopes, as numbers for the kernel and as words.

The numbers are part of stored state and of arrays on disk: they are only ever added to.
"""

from __future__ import annotations

from typing import Final

DATA_GAP: Final = 0
PIVOT: Final = 1
PIVOT_EXTENDED: Final = 2
PIVOT_CONFIRMED: Final = 3
DISPLACEMENT: Final = 4
BOS: Final = 5
CHOCH: Final = 6
MSS: Final = 7
FVG: Final = 8
FVG_JOINED: Final = 9
FVG_TOUCHED: Final = 10
FVG_HALF_FILLED: Final = 11
FVG_FILLED: Final = 12
FVG_INVERTED: Final = 13
BLOCK: Final = 14
BLOCK_MITIGATED: Final = 15
BLOCK_BROKEN: Final = 16
BREAKER: Final = 17
MITIGATION_BLOCK: Final = 18
FLIP_RETESTED: Final = 19
FLIP_FAILED: Final = 20
POOL: Final = 21
POOL_GROWN: Final = 22
SWEPT: Final = 23
RUN: Final = 24
INDUCEMENT: Final = 25
INDUCEMENT_TAKEN: Final = 26
DEALING_RANGE: Final = 27
PREMIUM: Final = 28
DISCOUNT: Final = 29
EQUILIBRIUM: Final = 30
OTE: Final = 31
PREVIOUS: Final = 32
SESSION_OPENED: Final = 33
SESSION_CLOSED: Final = 34
EMA_CROSS: Final = 35
TRENDING: Final = 36
RANGING: Final = 37
EXPIRED: Final = 38

KINDS: Final = (
    "data_gap",
    "pivot",
    "pivot_extended",
    "pivot_confirmed",
    "displacement",
    "bos",
    "choch",
    "mss",
    "fvg",
    "fvg_joined",
    "fvg_touched",
    "fvg_half_filled",
    "fvg_filled",
    "fvg_inverted",
    "block",
    "block_mitigated",
    "block_broken",
    "breaker",
    "mitigation_block",
    "flip_retested",
    "flip_failed",
    "pool",
    "pool_grown",
    "swept",
    "run",
    "inducement",
    "inducement_taken",
    "dealing_range",
    "premium",
    "discount",
    "equilibrium",
    "ote",
    "previous",
    "session_opened",
    "session_closed",
    "ema_cross",
    "trending",
    "ranging",
    "expired",
)
"""Words for kinds, by number. strategy/smc/README.md says what each means."""

NONE: Final = 0
INTERNAL: Final = 1
SWING: Final = 2
EQUALS: Final = 3
DAY: Final = 4
WEEK: Final = 5
MONTH: Final = 6
SESSIONS_FROM: Final = 8

SCOPES: Final = ("", "internal", "swing", "pool", "day", "week", "month", "")
"""Words for scopes below `SESSIONS_FROM`; from there on they are the sessions of the parameters."""


def scopes(sessions: tuple[str, ...]) -> tuple[str, ...]:
    """Words for all scopes, by number, given the names of the sessions."""
    return SCOPES + sessions
