"""The engine of one symbol and timeframe: a closed candle in, what became known out."""

from __future__ import annotations

from functools import lru_cache

import msgspec

from bus_schemas.errors import ConfigurationError
from strategy.smc.advance import advance
from strategy.smc.candle import BadCandle, Candle, fault, plain, sound
from strategy.smc.events import StructureEvent
from strategy.smc.kinds import scopes
from strategy.smc.memory import Out
from strategy.smc.params import Parameters
from strategy.smc.rules import Rules, names, rules
from strategy.smc.state import State, fresh

_compiled = lru_cache(maxsize=64)(rules)
_json = msgspec.json.Decoder(State)


def started(limits: Rules) -> State:
    """The state before the first candle."""
    return fresh(limits.made_for, limits.mask, limits.sessions)


def belonging(state: State, limits: Rules) -> State:
    """The state, if these parameters made it.

    Raises:
        ConfigurationError: others did.
    """
    if state.window.made_for != limits.made_for:
        raise ConfigurationError("the state was made with other parameters of the engine")
    return state


class SmcEngine:
    """Incremental Smart Money Concepts: constant work and memory for each candle, nothing ever repainted.

    Args:
        params: what to look for and how; the defaults if not given.
        state: a state of the same parameters, to go on from; it is not copied.

    Raises:
        ConfigurationError: unknown timeframe or time zone, or a state of other parameters.
    """

    __slots__ = ("_out", "_rules", "params", "state")

    def __init__(self, params: Parameters | None = None, state: State | None = None) -> None:
        self.params = Parameters() if params is None else params
        self._rules: Rules = _compiled(self.params)
        limits = self._rules
        self.state = started(limits) if state is None else belonging(state, limits)
        self._out = Out(scopes(names(self.params)))

    def update(self, candle: Candle) -> list[StructureEvent]:
        """Take the next closed candle; return what became known at its close, in order.

        Raises:
            BadCandle: it cannot be, or is not after the last one. The engine is as it was before.
        """
        state, limits, out = self.state, self._rules, self._out
        candle = plain(candle)
        if not sound(candle, limits.length, state.window.time):
            raise BadCandle(fault(candle, limits.length, state.window.time))
        out.begin(candle.time)
        advance(state, candle, limits, out)
        return out.events

    def save(self) -> bytes:
        """The state as JSON, from which `restore` goes on to the same future."""
        return msgspec.json.encode(self.state)

    @classmethod
    def restore(cls, params: Parameters, saved: bytes) -> SmcEngine:
        """An engine as it was when it was saved with these parameters.

        Raises:
            ConfigurationError: unknown timeframe or time zone.
            msgspec.DecodeError: it is no saved state.
        """
        return cls(params, _json.decode(saved))
