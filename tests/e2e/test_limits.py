"""Each limit that candles can trip, tripped by candles: the whole pipeline on the memory bus.

`tests/unit/risk/test_limits.py` trips every code by events of its own; here nothing is made up but the
settings and one person's word.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from bus_schemas.events import Body, KillSwitch, OrderApproved, ReduceOnly, Refusal
from bus_schemas.settings import load
from bus_schemas.topology import Stream
from cli.inline import InlineRun
from cli.report import Follower, Tally
from market_data.files import SAMPLE

PERIOD = {"start": "2024-08-26", "trade_from": "2024-09-05", "end": "2024-09-20"}

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


def run(overrides: dict[str, dict[str, Any]], *controls: Body, **market: Any) -> Tally:
    inline = InlineRun(load(None, {"market_data": PERIOD | market} | overrides))
    for control in controls:
        inline.bus.post(Stream.CONTROLS, "MAIN", control)
    inline.run()
    assert inline.quiet()
    assert inline.counters.dead_letters == 0
    tally = Follower(inline.bus).catch_up()
    assert tally.signals == tally.counts[OrderApproved] + sum(tally.refusals.values())
    return tally


@pytest.mark.parametrize("reason", list(CASES), ids=str)
def test_limit(reason: Refusal) -> None:
    tally = run(CASES[reason])
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
