"""What may come after a cut instead of what truly came."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import msgspec

from bus_schemas.envelope import Event
from bus_schemas.events import Candle

Future = Callable[[float, Sequence[Event]], Sequence[Event]]
"""What comes after a cut, given the last price before it and what truly came."""

_LEAST, _MOST = 1e-12, 1e12
_STEEP = 3


def nothing(_close: float, _rest: Sequence[Event]) -> Sequence[Event]:
    """The data end."""
    return ()


def the_same(_close: float, rest: Sequence[Event]) -> Sequence[Event]:
    """What truly came."""
    return rest


def mirrored(close: float, rest: Sequence[Event]) -> Sequence[Event]:
    """The other way, and three times as far: a rise of 1 % becomes a fall of 3 %."""

    def turned(price: float) -> float:
        return min(max(close * (close / price) ** _STEEP, _LEAST), _MOST)

    def event(given: Event) -> Event:
        candle = given.body
        if not isinstance(candle, Candle):
            return given
        body = msgspec.structs.replace(
            candle,
            open=turned(candle.open),
            high=turned(candle.low),
            low=turned(candle.high),
            close=turned(candle.close),
        )
        return msgspec.structs.replace(given, body=body)

    return [event(given) for given in rest]


FUTURES: Mapping[str, Future] = {"mirrored": mirrored, "nothing": nothing, "the same": the_same}
