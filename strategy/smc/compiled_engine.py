"""The engine over the compiled kernel, one candle at a time: for breadth, hundreds of symbols on one core.

The same events as `SmcEngine`, and saved states of either are read by the other. It needs the extra
`batch`, and half a second more to start; `SmcEngine` needs neither, and its state can be looked at while it
runs.
"""

from __future__ import annotations

import struct

import numpy as np

from strategy.smc.candle import BadCandle, Candle, fault, plain, sound
from strategy.smc.compiled import EVENT, OUT, kernel, room
from strategy.smc.engine import SmcEngine
from strategy.smc.events import StructureEvent
from strategy.smc.kinds import KINDS, scopes
from strategy.smc.params import Parameters
from strategy.smc.records import from_record, rules_record, to_record
from strategy.smc.rules import names, rules

_ROW = struct.Struct("<qihhqqddddqqq")


class CompiledEngine:
    """Incremental Smart Money Concepts by the compiled kernel.

    Args:
        params: as of `SmcEngine`.
        saved: what `save` of either engine returned, with the same parameters.

    Raises:
        ConfigurationError: unknown timeframe or time zone.
        msgspec.DecodeError: it is no saved state.
    """

    def __init__(self, params: Parameters | None = None, saved: bytes | None = None) -> None:
        self.params = Parameters() if params is None else params
        self._rules = rules(self.params)
        start = SmcEngine(self.params) if saved is None else SmcEngine.restore(self.params, saved)
        self._last = start.state.window.time
        self._scopes = scopes(names(self.params))
        self._state = to_record(start.state)
        self._out = np.zeros(1, OUT)
        self._time, self._columns = np.zeros(1, np.int64), [np.zeros(1) for _ in range(5)]
        self._arguments = (
            *(array.view(np.uint8) for array in (self._state, rules_record(self._rules), self._out)),
            self._time,
            *self._columns,
            0,
            room(self._rules),
        )
        self._count = self._out["count"]
        self._rows = memoryview(self._out["rows"][0].view(np.uint8))

    def update(self, candle: Candle) -> list[StructureEvent]:
        """Take the next closed candle; return what became known at its close, in order.

        Raises:
            BadCandle: it cannot be, or is not after the last one. The engine is as it was before.
        """
        candle = plain(candle)
        if not sound(candle, self._rules.length, self._last):
            raise BadCandle(fault(candle, self._rules.length, self._last))
        self._last = self._time[0] = candle.time
        opening, high, low, close, volume = self._columns
        opening[0], high[0], low[0], close[0] = candle.open, candle.high, candle.low, candle.close
        volume[0] = candle.volume
        kernel(*self._arguments)
        count = int(self._count[0])
        if not count:
            return []
        words = self._scopes
        return [
            StructureEvent(
                name, KINDS[kind], words[scope], direction, at, known_at, level, top, bottom, value,
                (one, two, three) if three else (one, two) if two else (one,) if one else (),
            )
            for name, kind, scope, direction, at, known_at, level, top, bottom, value, one, two, three
            in _ROW.iter_unpack(self._rows[: count * EVENT.itemsize])
        ]  # fmt: skip

    def save(self) -> bytes:
        """The state as JSON, the same as `SmcEngine` would have saved."""
        return SmcEngine(self.params, from_record(self._state, self._rules)).save()
