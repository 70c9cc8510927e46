"""Our contract terms beside the venue's: an order in wrong steps is refused, or worse, is not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from bus_schemas.errors import ConfigurationError
from bus_schemas.events import PlaceOrder
from bus_schemas.instruments import Instrument

_STEPS = ("tick", "step", "contract_size")
_LEAST = ("min_quantity", "min_notional")

Terms = Mapping[str, Instrument]


def check_terms(ours: Terms, theirs: Terms, symbols: Sequence[str]) -> None:
    """Compare the terms of every symbol that is traded, before a run.

    Ticks and steps must be whole multiples of the venue's, minimums at least the venue's, the largest order
    at most the venue's.

    Raises:
        ConfigurationError: with every difference, and what to write.
    """
    check_steps(ours, theirs, symbols, oversized(ours, theirs, symbols))


def check_steps(ours: Terms, theirs: Terms, symbols: Sequence[str], also: Sequence[str] = ()) -> None:
    """The same without the largest order, of which a venue changes its mind while positions are open: who
    manages them must not stay away for that. `too_large` stands before entries.

    Args:
        also: differences that were found elsewhere.

    Raises:
        ConfigurationError: with every difference, and what to write.
    """
    faults = [fault for symbol in symbols for fault in _faults(symbol, ours.get(symbol), theirs.get(symbol))]
    if faults := [*faults, *also]:
        raise ConfigurationError("the contract terms are not the venue's:\n  - " + "\n  - ".join(faults))


def oversized(ours: Terms, theirs: Terms, symbols: Sequence[str]) -> list[str]:
    """A sentence for each symbol whose orders may be larger, by our terms, than the venue takes."""
    told = []
    for symbol in symbols:
        if symbol not in ours or symbol not in theirs:
            continue
        mine, its = ours[symbol].max_quantity, theirs[symbol].max_quantity
        if its is not None and mine is None:
            told.append(f"{symbol}: max_quantity is not set, the venue's is {its}")
        elif its is not None and mine is not None and mine > its:
            told.append(f"{symbol}: max_quantity is {mine}, above the venue's {its}")
    return told


def too_large(order: PlaceOrder, theirs: Terms) -> str:
    """Why an entry must not be sent although the venue may take it: its stop or its close, which are as
    large and go out as market orders, would be refused. Empty where it may."""
    terms = theirs.get(order.symbol)
    if order.reduce_only or terms is None or terms.max_quantity is None:
        return ""
    if order.quantity <= terms.max_quantity:
        return ""
    return (
        f"{order.quantity} contracts are more than one stop or close at this venue may have: "
        f"{terms.max_quantity}"
    )


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
