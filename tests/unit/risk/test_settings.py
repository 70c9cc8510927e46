"""Contradicting limits do not start, and say so all at once."""

from __future__ import annotations

import ast
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from bus_schemas.errors import ConfigurationError
from bus_schemas.settings.risk import RiskSettings
from risk.costs import Costs
from risk.decider import RiskDecider
from tests.unit.risk.desk import COSTS, instrument

CONTRADICTIONS: list[tuple[dict[str, Any], str]] = [
    ({"total_margin_halt_pct": 90}, "using the budget halts"),
    ({"total_margin_halt_pct": 80}, "using the budget halts"),
    ({"position_margin_pct": 30, "total_margin_pct": 29}, "position_margin_pct .30. must not be above"),
    ({"risk_per_trade_pct": 3}, "one stopped trade ends the day"),
    ({"daily_loss_pct": 15}, "the daily limit never acts"),
    ({"risk_per_trade_pct": 2, "position_margin_pct": 1}, "liquidated before its stop"),
    ({"total_notional_pct": 451}, "can never be reached"),
    ({"leverage": 2}, "can never be reached"),
    ({"total_notional_pct": 124}, "a full position is always refused"),
]


@pytest.mark.parametrize(("change", "sentence"), CONTRADICTIONS)
def test_a_contradiction_is_refused(change: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValidationError, match=sentence):
        RiskSettings(**change)


def test_all_contradictions_are_reported_at_once() -> None:
    with pytest.raises(ValidationError) as caught:
        RiskSettings(
            total_margin_halt_pct=20,
            total_margin_pct=20,
            risk_per_trade_pct=26,
            daily_loss_pct=20,
            drawdown_pct=20,
            total_notional_pct=101,
        )
    message = str(caught.value)
    names = [sentence for _, sentence in CONTRADICTIONS if "position_margin" not in sentence]
    assert all(sentence in message for sentence in names)
    assert "position_margin_pct (25) must not be above total_margin_pct" in message


@pytest.mark.parametrize("name", sorted(RiskSettings.model_fields))
@pytest.mark.parametrize("value", [-1, "NaN", "Infinity", "much"])
def test_a_senseless_value_is_refused(name: str, value: Any) -> None:
    with pytest.raises(ValidationError, match=name):
        RiskSettings(**{name: value})


def test_an_unknown_limit_is_refused() -> None:
    with pytest.raises(ValidationError, match="daily_los_pct"):
        RiskSettings(daily_los_pct=3)  # type: ignore[call-arg]


def test_every_limit_is_read_by_something() -> None:
    read = {
        node.attr
        for file in sorted(Path("risk").rglob("*.py"))
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(node, ast.Attribute)
    }
    assert set(RiskSettings.model_fields) <= read


def test_leverage_that_liquidates_at_the_entry_does_not_start() -> None:
    terms = {s: instrument(s, maintenance_rate=Decimal("0.25")) for s in ("AAAUSDT", "BBBUSDT")}
    with pytest.raises(ConfigurationError, match=r"AAAUSDT.*BBBUSDT"):
        RiskDecider(RiskSettings(), COSTS, terms, "MAIN")


def test_costs_that_no_venue_could_mean_do_not_start() -> None:
    with pytest.raises(ConfigurationError, match=r"maker_fee.*taker_fee.*slippage"):
        Costs(maker_fee=Decimal(2), taker_fee=Decimal("NaN"), slippage=Decimal(-1))
