"""Situations for the playbook, drawn by hand: a long signal in every step, but for what a test changes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from bus_schemas.settings.strategy import StrategySettings
from bus_schemas.timeframes import HOUR
from strategy.aggregate import Bar
from strategy.case import Case
from strategy.frame import Frame
from strategy.rules import bias_rules, decision_rules
from strategy.smc import Parameters, SmcEngine, kinds
from strategy.smc.rules import names
from strategy.smc.state import Kill, Zone
from strategy.story import Push, Shift, Story, Sweep
from strategy.view import View
from tests.unit.strategy.make import START

NOW = START + 100 * HOUR
LEG, BREAK = 20, 30
"""Ids of the displacement and of the break."""


def zone(top: float = 1005.0, bottom: float = 1000.0, **change: Any) -> Zone:
    """An order block of the leg, untouched; `hours` is how long before now its candle opened."""
    hours, side = change.pop("hours", 9), change.pop("side", 1)
    usual = {"id": 31, "kind": kinds.BLOCK, "at": NOW - hours * HOUR, "since": NOW - 4 * HOUR}
    return Zone(side=side, top=top, bottom=bottom, **(usual | change))


def gap(top: float, bottom: float, **change: Any) -> Zone:
    return zone(top, bottom, **({"id": 25, "kind": kinds.FVG, "hours": 5} | change))


def sweep(**change: Any) -> Sweep:
    at = NOW - 10 * HOUR
    usual = {"id": 10, "scope": "pool", "level": 999.0, "extreme": 998.0, "at": at, "known_at": at}
    usual |= change
    return Sweep(**({"reach": usual["extreme"]} | usual))


def push(**change: Any) -> Push:
    return Push(**({"id": LEG, "at": NOW - 5 * HOUR, "body": 20.0, "volume": 2.0} | change))


def shift(hours: int = 3, side: int = 1, **change: Any) -> Shift:
    """A break whose candle closed so many hours ago."""
    usual: dict[str, Any] = {
        "id": BREAK,
        "kind": "mss",
        "side": side,
        "at": NOW - (hours + 1) * HOUR,
        "level": 1010.0,
        "start": 998.0,
        "start_at": NOW - 9 * HOUR,
        "body": 2.0,
        "sweep": sweep(),
        "push": push(),
    }
    return Shift(**(usual | change))


def trend(hours: int = 12, side: int = 1, **change: Any) -> Shift:
    """A break of the bias timeframe whose candle closed so many hours ago."""
    return shift(side=side, **({"id": 7, "kind": "bos", "at": NOW - (hours + 4) * HOUR} | change))


def story(*shifts: Shift | None, scope: str = "internal", **change: Any) -> Story:
    told = Story(**change)
    for one in shifts:
        if one is not None:
            setattr(told, f"{scope}_{'up' if one.side > 0 else 'down'}", one)
    return told


def frame(rules: Parameters, told: Story, candles: int, **change: Any) -> Frame:
    """An engine's state with what the playbook asks for, and nothing else."""
    state = SmcEngine(rules).state
    state.averages.bars, state.averages.atr = candles, change.get("atr", 10.0)
    state.window.resumed = change.get("resumed", 0)
    state.range.id, state.range.known = 5, change.get("known", 3)
    state.range.top, state.range.bottom = change.get("range", (1040.0, 990.0))
    impulse = state.internal_trend
    impulse.id, impulse.impulse, impulse.armed = BREAK, change.get("impulse", 1), change.get("armed", 1)
    impulse.start, impulse.end, impulse.start_at = 998.0, change.get("end", 1022.0), NOW - 9 * HOUR
    for one in change.get("zones", ()):
        flip = one.kind in (kinds.BREAKER, kinds.MITIGATION_BLOCK, kinds.FVG_INVERTED)
        book = "flips" if flip else "gaps" if one.kind == kinds.FVG else "blocks"
        getattr(state, f"{book}_{'up' if one.side > 0 else 'down'}").append(one)
    for number, level in enumerate(change.get("levels", ()), 50):
        state.highs.append(Zone(id=number, side=1, top=level, bottom=level, next=level))
    if change.get("session"):
        state.kills[rules_sessions(rules).index(change["session"])] = Kill(id=3, start=NOW - HOUR)
    return Frame(state, told)


def rules_sessions(rules: Parameters) -> Sequence[str]:
    return names(rules)


def case(settings: StrategySettings | None = None, **change: Any) -> Case:
    """A long signal, but for what a test changes."""
    settings = StrategySettings() if settings is None else settings
    rules = decision_rules(settings)
    told = change.get("story") or story(change.get("shift", shift()), push_up=change.get("push", push()))
    if "push" in change and told.internal_up is not None:
        told.internal_up.push = change["push"]
    if "sweep_up" in change:
        told.sweep_up = change["sweep_up"]
    decision = frame(rules, told, change.get("bars", 100), **({"zones": (zone(),)} | change))
    bias_told = story(change.get("trend", trend()))
    bias = frame(
        bias_rules(settings),
        bias_told,
        change.get("bias_bars", 100),
        levels=change.get("far_levels", ()),
    )
    close = change.get("close", 1018.0)
    bar = Bar(NOW - HOUR, NOW, close, close + 2, close - 2, close, 1.0, 4, change.get("gap", False))
    ote = (settings.ote_from, settings.ote_to)
    return Case(
        time=NOW,
        bar=bar,
        expected=4,
        decision=View(decision, HOUR, ote, names(rules)),
        bias=View(bias, 4 * HOUR, ote),
        settings=settings,
    )
