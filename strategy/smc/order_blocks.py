"""Order blocks: the candle from which the move came that broke structure.

It is known at the close of the bar that breaks. *Mitigated* when price comes back to its near edge, *broken*
by a close (or, as a variant, a wick) beyond its far edge. A broken block changes sides: it is a breaker if
liquidity ahead of it was swept while it lived, else a mitigation block.
"""

from __future__ import annotations

from typing import Final

from strategy.smc import books, flips
from strategy.smc.candle import Candle
from strategy.smc.kinds import (
    BLOCK,
    BLOCK_BROKEN,
    BLOCK_MITIGATED,
    BREAKER,
    INDUCEMENT_TAKEN,
    MITIGATION_BLOCK,
)
from strategy.smc.memory import Out, add, emit
from strategy.smc.rules import Rules
from strategy.smc.state import Book, Leg, Zone

FRESH: Final = 0
MITIGATED: Final = 1


def found(
    zones: list[Zone],
    book: Book,
    side: int,
    scope: int,
    leg: Leg,
    broken: int,
    displaced: int,
    bar: Candle,
    rules: Rules,
    out: Out,
) -> None:
    """Add the block of a break. A candle that is a living block of this scope already, or that the bar
    closed beyond, is not.

    Args:
        broken: the break that it stands on.
        displaced: the displacement of the breaking bar, 0 if it is none.
    """
    if rules.block_extreme or leg.block_at == 0:
        at, first, last, top, bottom = leg.far_at, leg.far_open, leg.far_close, leg.far_high, leg.far_low
    else:
        at, first, last = leg.block_at, leg.block_open, leg.block_close
        top, bottom = leg.block_high, leg.block_low
    if rules.block_body:
        top, bottom = max(first, last), min(first, last)
    near, far = (top, bottom) if side > 0 else (bottom, top)
    if at == 0 or (bar.close - far) * side < 0:
        return
    used = 0
    for index in range(book.count):
        if zones[index].at == at:
            if zones[index].scope == scope:
                return
            used = zones[index].used
    books.make_room(zones, book, rules.zones_kept, out)
    name = emit(
        out, BLOCK, scope, side, at, (top + bottom) / 2, top, bottom, top - bottom, broken, displaced, 0
    )
    zone = add(zones, book)
    zone.id = name
    zone.kind = BLOCK
    zone.scope = scope
    zone.side = side
    zone.at = at
    zone.since = bar.time
    zone.top = top
    zone.bottom = bottom
    zone.next = near
    zone.used = used
    if (bar.close - near) * side <= 0:
        _mitigate(zone, side, bar.close, bar, out)
    books.placed(zones, book, side)


def meet(
    zones: list[Zone],
    book: Book,
    side: int,
    other: list[Zone],
    other_book: Book,
    swept: int,
    bar: Candle,
    rules: Rules,
    out: Out,
) -> None:
    """Let the bar meet the blocks of a side. Broken ones go to `other`, the flips of the other side.

    Args:
        swept: the newest sweep of liquidity ahead of these blocks: of highs for bullish ones.
    """
    reach = bar.low if side > 0 else bar.high
    beyond = reach if rules.block_broken_by_wick else bar.close
    start = books.reached(zones, book, reach, side)
    for index in range(book.count - 1, start - 1, -1):
        zone = zones[index]
        far = zone.bottom if side > 0 else zone.top
        _come_back(zone, side, reach, bar, out)
        if zone.stage != MITIGATED or (beyond - far) * side >= 0:
            continue
        end = emit(
            out, BLOCK_BROKEN, zone.scope, side, bar.time, far, zone.top, zone.bottom, beyond, zone.id, 0, 0
        )
        after = swept if swept > zone.id else 0
        kind = BREAKER if after != 0 else MITIGATION_BLOCK
        flips.put(other, other_book, -side, kind, zone, bar, end, after, rules, out)
        zone.stage = books.GONE
    books.settle(zones, book, start, side)


def _come_back(zone: Zone, side: int, reach: float, bar: Candle, out: Out) -> None:
    near = zone.top if side > 0 else zone.bottom
    if zone.marked != 0 and zone.on == 0 and (reach - zone.mark) * side < 0:
        zone.on = emit(
            out, INDUCEMENT_TAKEN, zone.scope, side, bar.time, zone.mark, zone.mark, zone.mark, reach,
            zone.marked, zone.id, 0,
        )  # fmt: skip
        zone.next = near
    if zone.stage == FRESH and (reach - near) * side <= 0:
        _mitigate(zone, side, reach, bar, out)


def _mitigate(zone: Zone, side: int, reach: float, bar: Candle, out: Out) -> None:
    emit(
        out, BLOCK_MITIGATED, zone.scope, side, bar.time, (zone.top + zone.bottom) / 2, zone.top,
        zone.bottom, reach, zone.id, 0, 0,
    )  # fmt: skip
    zone.stage = MITIGATED
    zone.next = zone.bottom if side > 0 else zone.top
