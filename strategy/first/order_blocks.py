"""Order blocks: the candle from which the move came that broke structure."""

from __future__ import annotations

from bus_schemas.events import Side
from bus_schemas.settings.strategy import BlockCandle
from strategy.aggregate import Bar
from strategy.first.structure import Break, Leg
from strategy.first.zones import Zone, ZoneKind, ZoneState


def order_block(broken: Break, leg: Leg, bar: Bar, which: BlockCandle) -> Zone | None:
    """The order block of a break, known at the close of the breaking bar.

    It spans that candle's whole range. `EXTREME` takes the candle with the leg's extreme, whatever
    its colour; `LAST_OPPOSITE` the last one that closed against the break, and finds nothing in a
    leg without one. The candle lies between the pivot and the breaking bar, both excluded.

    A block that the breaking bar closes inside of is touched from the start.
    """
    source = leg.extreme if which is BlockCandle.EXTREME else leg.opposite
    if source is None:
        return None
    zone = Zone(
        kind=ZoneKind.ORDER_BLOCK,
        side=broken.side,
        top=source.high,
        bottom=source.low,
        at=source.at,
        known_at=broken.known_at,
    )
    inside = bar.close <= zone.top if zone.side is Side.LONG else bar.close >= zone.bottom
    if inside:
        zone.state, zone.changed_at = ZoneState.TOUCHED, bar.known_at
    return zone
