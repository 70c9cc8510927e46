"""The concepts' own functions, compiled.

The interpreter runs them over structs and lists; here numba runs the very same functions over records. What
differs is memory, so only `strategy.smc.memory` has a second form. Nothing of a concept is written twice.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from types import FunctionType
from typing import Any

import numba
import numpy as np
from numba.extending import overload, register_jitable

from strategy.smc import (
    advance,
    books,
    dealing_range,
    fair_value_gaps,
    flips,
    four_swings,
    impulse,
    indicators,
    inducement,
    liquidity,
    memory,
    order_blocks,
    periods,
    pivots,
    sessions,
    structure,
    window,
)
from strategy.smc.candle import Candle
from strategy.smc.records import RULES, STATE, dtype_of
from strategy.smc.rules import Rules

EVENT = np.dtype(
    [
        ("id", "i8"),
        ("kind", "i4"),
        ("scope", "i2"),
        ("direction", "i2"),
        ("at", "i8"),
        ("known_at", "i8"),
        ("level", "f8"),
        ("top", "f8"),
        ("bottom", "f8"),
        ("value", "f8"),
        ("on", "i8", (3,)),
    ]
)
"""A structure event; numbers of kinds and scopes stand in `strategy.smc.kinds`."""

ROWS = 16_384
OUT = np.dtype([("count", "i8"), ("time", "i8"), ("next", "i8"), ("rows", EVENT, (ROWS,))])
BAR = dtype_of(Candle)


def room(rules: Rules) -> int:
    """More events than one bar can make: each zone passes at most through all its states, each concept may
    lose one for each that comes."""
    return 32 * rules.zones_kept + 8 * rules.levels_kept + 256


@overload(memory.emit, strict=False)
def _emit(
    out: Any, kind: Any, scope: Any, direction: Any, at: Any, level: Any, top: Any, bottom: Any, value: Any,
    on1: Any, on2: Any, on3: Any,
) -> Callable[..., int]:  # fmt: skip
    def put(out, kind, scope, direction, at, level, top, bottom, value, on1, on2, on3):  # type: ignore[no-untyped-def]
        row = out.rows[out.count]
        name = out.next
        row.id = name
        row.kind = kind
        row.scope = scope
        row.direction = direction
        row.at = at
        row.known_at = out.time
        row.level = level
        row.top = top
        row.bottom = bottom
        row.value = value
        row.on[0] = on1
        row.on[1] = on2
        row.on[2] = on3
        out.next = name + 1
        out.count += 1
        return name

    return put


@overload(memory.add, strict=False)
def _add(zones: Any, book: Any) -> Callable[..., Any]:
    def put(zones, book):  # type: ignore[no-untyped-def]
        zone = zones[book.count]
        zone.id = zone.kind = zone.scope = zone.side = zone.at = zone.since = 0
        zone.top = zone.bottom = zone.next = zone.mark = 0.0
        zone.stage = zone.changed = zone.marked = zone.on = zone.used = 0
        book.count += 1
        return zone

    return put


@register_jitable(forceinline=True)
def _copy(to: Any, source: Any) -> None:
    """Field by field: a record assigned as a whole is copied byte by byte."""
    to.id = source.id
    to.kind = source.kind
    to.scope = source.scope
    to.side = source.side
    to.at = source.at
    to.since = source.since
    to.top = source.top
    to.bottom = source.bottom
    to.next = source.next
    to.stage = source.stage
    to.changed = source.changed
    to.mark = source.mark
    to.marked = source.marked
    to.on = source.on
    to.used = source.used


@overload(memory.move, strict=False)
def _move(zones: Any, to: Any, source: Any) -> Callable[..., None]:
    def put(zones, to, source):  # type: ignore[no-untyped-def]
        _copy(zones[to], zones[source])

    return put


@overload(memory.drop, strict=False)
def _drop(zones: Any, book: Any, index: Any) -> Callable[..., None]:
    def take(zones, book, index):  # type: ignore[no-untyped-def]
        for later in range(index + 1, book.count):
            _copy(zones[later - 1], zones[later])
        book.count -= 1

    return take


@overload(memory.sink, strict=False)
def _sink(zones: Any, at: Any, side: Any) -> Callable[..., None]:
    def put(zones, at, side):  # type: ignore[no-untyped-def]
        following = zones[at].next
        spare = zones.shape[0] - 1
        _copy(zones[spare], zones[at])
        while at > 0 and (zones[at - 1].next - following) * side > 0:
            _copy(zones[at], zones[at - 1])
            at -= 1
        _copy(zones[at], zones[spare])

    return put


@overload(memory.cut, strict=False)
def _cut(zones: Any, book: Any, count: Any) -> Callable[..., None]:
    def take(zones, book, count):  # type: ignore[no-untyped-def]
        book.count = count

    return take


_MODULES = (
    books, window, indicators, pivots, structure, impulse, four_swings, fair_value_gaps, flips,
    order_blocks, inducement, liquidity, dealing_range, periods, sessions, advance,
)  # fmt: skip

for _module in _MODULES:
    for _function in list(vars(_module).values()):
        if isinstance(_function, FunctionType) and _function.__module__ == _module.__name__:
            register_jitable(_function)


def _fingerprint() -> str:
    """Of everything that the kernel is made of: a cache of other sources must not be found."""
    digest = hashlib.blake2b(f"{numba.__version__} {np.__version__}".encode(), digest_size=8)
    for path in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def _cached() -> Callable[..., Any]:
    """The kernel, compiled at its first call and kept on disk under the fingerprint of its sources.

    In `NUMBA_CACHE_DIR` where that is set, else in the user's cache. Where neither can be written, each
    process compiles anew.
    """
    before = numba.config.CACHE_DIR  # type: ignore[attr-defined]
    folder = Path(before or Path.home() / ".cache" / "causeway") / _fingerprint()
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        return numba.njit(_run)  # type: ignore[no-any-return]
    numba.config.CACHE_DIR = str(folder)  # type: ignore[attr-defined]
    try:
        return numba.njit(_run, cache=True)  # type: ignore[no-any-return]
    finally:
        numba.config.CACHE_DIR = before  # type: ignore[attr-defined]


_advance = advance.advance
_bits = memory.ORDINAL_BITS


def _run(memory, numbers, sink, time, opening, high, low, close, volume, begin, room):  # type: ignore[no-untyped-def]
    """Bars from `begin` on, until all are taken or the room may not be enough for one more.

    State, rules and sink come as plain bytes: numba looks at the type of every argument at each call, and
    that of a large record takes it longer than a thousand bars.
    """
    state, rules, out = memory.view(STATE)[0], numbers.view(RULES)[0], sink.view(OUT)[0]
    bar = np.zeros(1, BAR)[0]
    out.count = 0
    index = begin
    while index < time.size and out.count + room <= ROWS:
        bar.time = time[index]
        bar.open = opening[index]
        bar.high = high[index]
        bar.low = low[index]
        bar.close = close[index]
        bar.volume = volume[index]
        out.time = bar.time
        out.next = (bar.time << _bits) + 1
        _advance(state, bar, rules, out)
        index += 1
    return index


kernel = _cached()
