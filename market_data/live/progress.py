"""What live market data keeps beside its streams: how far each symbol is, and what is traded."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from bus_schemas.errors import ConfigurationError
from market_data.progress import PREFIX as FILES

PREFIX = "live:"
UNIVERSE = "universe"


class Reached(msgspec.Struct, frozen=True, kw_only=True):
    """One symbol's progress: committed with the events it tells of, and all that a restart needs.

    Attributes:
        timeframe, market: which candles these are; a namespace never goes on with others.
        closed: close time of the last candle published; None before the first.
        marked: time of the last mark.
        settled: time of the last funding settlement that a mark has told.
    """

    timeframe: str
    market: str
    closed: int | None = None
    marked: int | None = None
    settled: int | None = None


def stored(reached: Reached, symbol: str) -> dict[str, bytes | None]:
    """The state change that goes with a symbol's events."""
    return {PREFIX + symbol: msgspec.json.encode(reached)}


def restored(state: Mapping[str, bytes], timeframe: str, market: str) -> dict[str, Reached]:
    """Progress by symbol.

    Raises:
        ConfigurationError: the namespace holds candles of files, of another market or of another timeframe.
    """
    if any(key.startswith(FILES) for key in state):
        raise ConfigurationError("the namespace holds a run over candle files: choose another for a venue")
    decode = msgspec.json.Decoder(Reached).decode
    found = {key[len(PREFIX) :]: decode(value) for key, value in state.items() if key.startswith(PREFIX)}
    for symbol, reached in found.items():
        if (reached.timeframe, reached.market) != (timeframe, market):
            raise ConfigurationError(
                f"the namespace holds {reached.timeframe} candles of {symbol} from {reached.market}, not "
                f"{timeframe} from {market}: choose another namespace"
            )
    return found


def stored_universe(symbols: Sequence[str]) -> dict[str, bytes | None]:
    """The state change that goes with a new universe."""
    return {UNIVERSE: msgspec.json.encode(list(symbols))}


def restored_universe(state: Mapping[str, bytes]) -> tuple[str, ...]:
    """The universe that was traded last; empty where there was none."""
    return msgspec.json.decode(state.get(UNIVERSE, b"[]"), type=tuple[str, ...])
