"""What market_data keeps beside its streams: how far each symbol is, and that the files are at an end."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from market_data.feed import Progress

PREFIX = "feed:"
DONE = "feed_done"


def stored(progress: Progress, symbol: str) -> dict[str, bytes | None]:
    """The state change that goes with a step."""
    return {PREFIX + symbol: msgspec.json.encode(progress)}


def restored(state: Mapping[str, bytes]) -> dict[str, Progress]:
    """Progress by symbol from a unit's state."""
    decode = msgspec.json.Decoder(Progress).decode
    return {key[len(PREFIX) :]: decode(value) for key, value in state.items() if key.startswith(PREFIX)}
