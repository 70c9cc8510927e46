"""Our contract terms beside the venue's: an order in wrong steps is refused, or worse, is not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from bus_schemas.errors import ConfigurationError
from bus_schemas.instruments import Instrument

_STEPS = ("tick", "step", "contract_size")
_LEAST = ("min_quantity", "min_notional")


def check_terms(
    ours: Mapping[str, Instrument], theirs: Mapping[str, Instrument], symbols: Sequence[str]
) -> None:
    """Compare the terms of every symbol that is traded.

    Ticks and steps must be whole multiples of the venue's, minimums at least the venue's.

    Raises:
        ConfigurationError: with every difference, and what to write.
    """
    faults = [fault for symbol in symbols for fault in _faults(symbol, ours.get(symbol), theirs.get(symbol))]
    if faults:
        raise ConfigurationError("the contract terms are not the venue's:\n  - " + "\n  - ".join(faults))


def _faults(symbol: str, ours: Instrument | None, theirs: Instrument | None) -> list[str]:
    if theirs is None:
        return [f"{symbol}: the venue lists no such linear perpetual"]
    if ours is None:
        return [f"{symbol}: there are no terms of ours; give them in [instruments.{symbol}]"]
    faults = []
    for name in _STEPS:
        mine, its = getattr(ours, name), getattr(theirs, name)
        if mine % its if name != "contract_size" else mine != its:
            faults.append(f"{symbol}: {name} is {mine}, the venue's is {its}")
    for name in _LEAST:
        mine, its = getattr(ours, name), getattr(theirs, name)
        if mine < its:
            faults.append(f"{symbol}: {name} is {mine}, below the venue's {its}")
    return faults
