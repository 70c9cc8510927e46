"""From settings to the engine's parameters."""

from __future__ import annotations

from bus_schemas.settings.strategy import SESSION, StrategySettings
from strategy.smc import Parameters, Session
from strategy.smc.rules import rules

ZONES_KEPT = 8
"""Per concept and side: a decision looks at those of the newest leg, and each is written at every candle."""

LEVELS_KEPT = 16
"""Per side."""


def decision_rules(settings: StrategySettings) -> Parameters:
    """Parameters of the decision timeframe."""
    return _rules(settings, settings.decision_timeframe, settings.internal_length, settings.swing_length)


def bias_rules(settings: StrategySettings) -> Parameters:
    """Parameters of the bias timeframe."""
    return _rules(
        settings, settings.bias_timeframe, settings.bias_internal_length, settings.bias_swing_length
    )


def digest(params: Parameters) -> str:
    """The engine's own number of these parameters: a state goes on only with those it was made for."""
    return f"{rules(params).made_for:012x}"


def _rules(settings: StrategySettings, timeframe: str, internal: int, swing: int) -> Parameters:
    return Parameters(
        timeframe=timeframe,
        internal_length=internal,
        swing_length=swing,
        break_by=settings.break_by,
        displacement_atr=settings.displacement_atr,
        atr_period=settings.atr_period,
        block_candle=settings.block_candle,
        block_zone=settings.block_zone,
        block_broken_by=settings.block_broken_by,
        fvg_min_atr=settings.fvg_min_atr,
        pool_atr=settings.pool_atr,
        sweep_bars=settings.sweep_bars,
        ote_from=settings.ote_from,
        ote_to=settings.ote_to,
        session_zone=settings.session_zone,
        sessions=_sessions(settings),
        zones_kept=ZONES_KEPT,
        levels_kept=LEVELS_KEPT,
    )


def _sessions(settings: StrategySettings) -> tuple[Session, ...]:
    matches = (SESSION.fullmatch(text) for text in settings.sessions)
    return tuple(Session(match["name"], match["start"], match["end"]) for match in matches if match)
