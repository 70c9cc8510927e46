"""The structure event: what streaming returns one by one and a batch as an array."""

from __future__ import annotations

import msgspec

from bus_schemas.timeframes import iso


class StructureEvent(msgspec.Struct, frozen=True, gc=False):
    """Something that became known at the close of a candle. Final: what follows is another event.

    Attributes:
        id: unique within a symbol and timeframe and rising; a function of the bar at which the event was
            known and of its place among that bar's events, so that it does not depend on how the engine
            was restarted. 0 is no event.
        kind: a word of `strategy.smc.kinds.KINDS`.
        scope: `internal` or `swing` for what comes from pivots, `pool`, `day`, `week`, `month` or a
            session's name for liquidity, empty where there is but one.
        direction: +1 up, -1 down, 0 neither. Of a zone, break or sweep the side of a trade from it; of a
            pivot, pool, or previous high or low where it rests: +1 above the price.
        at: open time of the bar where it lies, milliseconds UTC.
        known_at: open time of the bar at whose close it was known; never before `at`.
        level: the price that matters most: of a pivot or break its level, of a zone its middle.
        top, bottom: the range; both equal `level` where there is none.
        value: a measure whose meaning depends on the kind, see strategy/smc/README.md.
        on: ids of the events it stands on, the most immediate first.
    """

    id: int
    kind: str
    scope: str
    direction: int
    at: int
    known_at: int
    level: float
    top: float
    bottom: float
    value: float
    on: tuple[int, ...]


def plain(event: StructureEvent) -> dict[str, object]:
    """The event as JSON wants it: times in ISO 8601 UTC."""
    return {
        "id": event.id,
        "kind": event.kind,
        "scope": event.scope,
        "direction": event.direction,
        "at": iso(event.at),
        "known_at": iso(event.known_at),
        "level": event.level,
        "top": event.top,
        "bottom": event.bottom,
        "value": event.value,
        "on": list(event.on),
    }
