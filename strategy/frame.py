"""A timeframe of every symbol: engines that take closed bars, and what is stored of them."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from strategy.aggregate import Bar
from strategy.smc import Candle, Parameters, SmcEngine
from strategy.smc.candle import MOST
from strategy.smc.state import State
from strategy.story import Story, follow, remember


class Frame(msgspec.Struct):
    """State of one symbol and timeframe: the engine's, and what the playbook remembers beside it."""

    state: State
    story: Story = msgspec.field(default_factory=Story)


class Frames:
    """One timeframe.

    Frames are written with every candle of theirs and hold some eight hundred numbers: as MessagePack, which
    takes less than half of the time that JSON takes.

    Args:
        prefix: of the stored keys.
        rules: of every engine.

    Attributes:
        changed: symbols to write.
    """

    def __init__(self, prefix: str, rules: Parameters) -> None:
        self._rules = rules
        self._prefix = prefix + ":"
        self._frames: dict[str, Frame] = {}
        self._engines: dict[str, SmcEngine] = {}
        self.changed: set[str] = set()

    def load(self, state: Mapping[str, bytes]) -> None:
        """Replace all memory."""
        cut = len(self._prefix)
        stored = {key[cut:]: value for key, value in state.items() if key.startswith(self._prefix)}
        self._frames = {symbol: _decoder.decode(value) for symbol, value in stored.items()}
        self._engines.clear()
        self.changed.clear()

    def drain(self) -> dict[str, bytes | None]:
        """What changed since the last call, encoded."""
        changed = sorted(self.changed)
        self.changed.clear()
        return {self._prefix + symbol: _encoder.encode(self._frames[symbol]) for symbol in changed}

    def get(self, symbol: str) -> Frame:
        """What is known of a symbol, to look at."""
        return self._frames.get(symbol) or Frame(SmcEngine(self._rules).state)

    def take(self, symbol: str, bar: Bar) -> Frame:
        """Let the symbol's engine take a closed bar.

        A bar that lacks base candles is left out: its high and low may be others than the market's, and
        pivots, gaps and blocks would be made of them. To the engine it is missing, which the engine says by
        an event of its own and answers by starting anew whatever compares neighbours.
        """
        frame = self._frames.get(symbol)
        if frame is None:
            frame = self._frames[symbol] = self.get(symbol)
        self.changed.add(symbol)
        if bar.gap:
            return frame
        engine = self._engines.get(symbol)
        if engine is None:
            engine = self._engines[symbol] = SmcEngine(self._rules, frame.state)
        volume = min(bar.volume, MOST)  # a sum of volumes that are each allowed
        events = engine.update(Candle(bar.at, bar.open, bar.high, bar.low, bar.close, volume))
        follow(frame.story, bar.high, bar.low)
        if events:
            remember(frame.story, frame.state, events)
        return frame


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(Frame)
