"""Each limit that candles can trip, tripped by candles: the whole pipeline on the memory bus.

`tests/unit/risk/test_limits.py` trips every code by events of its own; here nothing is made up but the
settings and one person's word.

Candles from a file cannot trip `stale_data`: market_data publishes each mark with its candle, in one
order of time for all symbols, and leaves a signal no time to age. Live, a feed that falls silent does.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from functools import cache, partial
from itertools import takewhile
from pathlib import Path
from typing import Any

import pytest

from bus_schemas.codec import decode
from bus_schemas.events import (
    Body,
    HaltReason,
    KillSwitch,
    OrderApproved,
    OrderRefused,
    ReduceOnly,
    Refusal,
    TradeClosed,
    TradingHalted,
)
from bus_schemas.settings import load
from bus_schemas.timeframes import HOUR
from bus_schemas.topology import Stream
from cli.inline import InlineRun
from cli.report import Follower, Tally
from market_data.files import SAMPLE

OFTEN: dict[str, Any] = {
    "decision_timeframe": "15m",
    "bias_timeframe": "1h",
    "sweep_step": "scored",
    "min_score": 0.4,
}
"""Settings of strategy with which some days have trades enough to trip everything."""

PERIOD = {"start": "2024-08-26", "trade_from": "2024-09-05", "end": "2024-09-13"}

CASES: dict[Refusal, dict[str, dict[str, Any]]] = {
    Refusal.POSITION_OPEN: {},
    Refusal.MAX_POSITIONS: {"risk": {"max_positions": 1}},
    Refusal.LOSS_STREAK: {"risk": {"loss_streak": 1, "loss_pause_h": 24}},
    Refusal.DAILY_LOSS: {"risk": {"daily_loss_pct": "0.6"}},
    Refusal.DRAWDOWN: {"risk": {"drawdown_pct": "0.8", "daily_loss_pct": "0.7"}},
    Refusal.BASIS: {"risk": {"basis_pct": "0.01"}},
    Refusal.REWARD_TO_RISK: {"risk": {"reward_to_risk": 3}},
    Refusal.LIQUIDATION: {"risk": {"liquidation_ratio": 100}},
    Refusal.BELOW_MINIMUM: {"paper": {"starting_cash": 50}},
    Refusal.POSITION_MARGIN: {
        "risk": {"position_margin_pct": 1, "risk_per_trade_pct": "0.9"},
        "paper": {"starting_cash": 1000},
    },
    Refusal.LEVERAGE: {
        "risk": {"leverage": 1, "total_notional_pct": 50, "risk_per_trade_pct": "2.9"},
        "paper": {"starting_cash": 90},
    },
    Refusal.TOTAL_NOTIONAL: {"risk": {"position_margin_pct": 5, "total_notional_pct": 25}},
    Refusal.TOTAL_MARGIN: {
        "risk": {
            "leverage": 1,
            "position_margin_pct": 25,
            "total_margin_pct": 25,
            "total_margin_halt_pct": 40,
            "total_notional_pct": 25,
        }
    },
}


MARGIN: dict[str, dict[str, Any]] = {
    "risk": {
        "leverage": 1,
        "position_margin_pct": 90,
        "total_margin_pct": 90,
        "total_margin_halt_pct": "90.5",
        "total_notional_pct": 90,
        "risk_per_trade_pct": "2.9",
    }
}


def inline_run(
    overrides: dict[str, dict[str, Any]], controls: Sequence[Body] = (), **market: Any
) -> InlineRun:
    inline = InlineRun(load(None, {"strategy": OFTEN, "market_data": PERIOD | market} | overrides))
    for control in controls:
        inline.bus.post(Stream.CONTROLS, "MAIN", control)
    inline.run()
    assert inline.quiet()
    assert inline.counters.dead_letters == 0
    return inline


@cache
def run_of(reason: Refusal) -> InlineRun:
    """The run of a case, which several tests look at."""
    return inline_run(CASES[reason])


def run(overrides: dict[str, dict[str, Any]], *controls: Body, **market: Any) -> Tally:
    return tally_of(inline_run(overrides, controls, **market))


def tally_of(inline: InlineRun) -> Tally:
    tally = Follower(inline.bus).catch_up()
    assert tally.signals == tally.counts[OrderApproved] + sum(tally.refusals.values())
    return tally


def orders(inline: InlineRun, kind: type[Body]) -> list[Any]:
    """Bodies of this type that risk wrote, oldest first."""
    places = inline.bus.topology.places(Stream.ORDERS)
    entries = [entry for place in places for entry in inline.bus.range(place, 0, 10_000)]
    bodies = [decode(entry.place, entry.seq, entry.fields).body for entry in entries]
    return sorted((b for b in bodies if isinstance(b, kind)), key=lambda b: b.time)


@pytest.mark.parametrize("reason", list(CASES), ids=str)
def test_limit(reason: Refusal) -> None:
    tally = tally_of(run_of(reason))
    assert tally.refusals[reason.value] > 0, dict(tally.refusals)


@pytest.mark.parametrize(
    ("reason", "control"),
    [
        (Refusal.KILL_SWITCH, KillSwitch(time=1, reason="drill", by="ann")),
        (Refusal.REDUCE_ONLY, ReduceOnly(time=1, on=True, by="ann")),
    ],
    ids=str,
)
def test_word_of_a_person(reason: Refusal, control: Body) -> None:
    tally = run({}, control)
    assert tally.refusals[reason.value] == tally.signals > 0
    assert tally.counts[OrderApproved] == 0


def test_symbol_without_contract_terms(tmp_path: Path) -> None:
    shutil.copy(SAMPLE / "SOLUSDT-15m.csv.gz", tmp_path / "XYZUSDT-15m.csv.gz")
    tally = run({}, data=tmp_path)
    assert tally.refusals[Refusal.UNKNOWN_INSTRUMENT.value] == tally.signals > 0


@pytest.mark.parametrize(
    ("reason", "runner", "words"),
    [
        (HaltReason.DRAWDOWN, partial(run_of, Refusal.DRAWDOWN), "the limit is 0.80 %"),
        (HaltReason.TOTAL_MARGIN, partial(inline_run, MARGIN, end="2024-09-19"), "the limit is 90.50 %"),
    ],
    ids=str,
)
def test_the_account_halts_until_a_person_acknowledges(
    reason: HaltReason, runner: Callable[[], InlineRun], words: str
) -> None:
    inline = runner()
    halted = [h for h in orders(inline, TradingHalted) if h.reason is reason]
    assert [(h.symbol, h.until) for h in halted] == [("*", None)]
    assert words in halted[0].detail
    approved = orders(inline, OrderApproved)
    assert approved
    assert approved[-1].time <= halted[0].time
    assert orders(inline, OrderRefused)[-1].time > halted[0].time


def test_three_losses_in_a_row_pause_their_symbol_for_four_hours() -> None:
    inline = run_of(Refusal.POSITION_OPEN)  # risk's defaults
    halted = orders(inline, TradingHalted)
    assert halted
    for halt in halted:
        assert halt.reason is HaltReason.LOSS_STREAK
        assert halt.until - halt.time == 4 * HOUR
        assert _losses_before(inline, halt) >= 3
        approved = [a.time for a in orders(inline, OrderApproved) if a.symbol == halt.symbol]
        assert not [time for time in approved if halt.time < time < halt.until]
    refused = [r for r in orders(inline, OrderRefused) if r.reason is Refusal.LOSS_STREAK]
    assert refused
    for refusal in refused:
        assert any(h.symbol == refusal.symbol and h.time <= refusal.time < h.until for h in halted)


def _losses_before(inline: InlineRun, halt: TradingHalted) -> int:
    """Trades of the symbol that were lost in a row when it halted."""
    places = inline.bus.topology.places(Stream.EXECUTIONS)
    entries = [entry for place in places for entry in inline.bus.range(place, 0, 100_000)]
    bodies = [decode(entry.place, entry.seq, entry.fields).body for entry in entries]
    trades = [b for b in bodies if isinstance(b, TradeClosed) and b.symbol == halt.symbol]
    before = [b.net for b in trades if b.time <= halt.time]
    return len(list(takewhile(lambda net: net < 0, reversed(before))))
