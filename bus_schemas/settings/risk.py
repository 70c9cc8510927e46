"""Settings of risk: the limits."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Annotated, ClassVar

from pydantic import Field

from bus_schemas.settings.section import Contradiction, Section

Percent = Annotated[Decimal, Field(gt=0, le=100, allow_inf_nan=False)]


class RiskSettings(Section):
    """Limits. Percentages are of equity unless a description says otherwise.

    A value that lies on its limit is allowed; one beyond it is not.
    """

    max_positions: int = Field(5, ge=1, le=1000, description="Open positions and open intents together.")
    risk_per_trade_pct: Percent = Field(
        Decimal("0.5"), description="Loss at the stop, after fees and slippage, that sizes a position."
    )
    position_margin_pct: Percent = Field(Decimal(25), description="Most margin of one position.")
    total_margin_pct: Percent = Field(Decimal(90), description="Most margin of all, checked before a trade.")
    total_margin_halt_pct: Percent = Field(
        Decimal(95), description="Margin in use that halts the account until a person acknowledges."
    )
    leverage: int = Field(5, ge=1, le=125, description="Most notional over the margin set aside for it.")
    total_notional_pct: Decimal = Field(
        Decimal(200), gt=0, le=12_500, allow_inf_nan=False, description="Most notional of all positions."
    )
    daily_loss_pct: Percent = Field(
        Decimal(3), description="Loss of a UTC day, realised and open, of the equity that the day began with."
    )
    drawdown_pct: Percent = Field(
        Decimal(15), description="Fall from the highest equity that halts until a person acknowledges."
    )
    loss_streak: int = Field(3, ge=1, description="Losing trades in a row that pause their symbol.")
    loss_pause_h: Decimal = Field(
        Decimal(4), gt=0, le=8760, allow_inf_nan=False, description="Length of that pause, in hours."
    )
    reward_to_risk: Decimal = Field(
        Decimal("1.5"), gt=0, allow_inf_nan=False, description="Least, after fees, slippage and funding."
    )
    expected_fundings: int = Field(
        3,
        ge=0,
        description="Funding settlements that a position is expected to live through. Not hours: 3 are a day "
        "at Binance, which settles every 8 h (some contracts oftener), and 3 h at Kraken Futures, which "
        "settles every hour.",
    )
    data_age_s: int = Field(1800, ge=1, description="Most age of the symbol's mark and of the signal.")
    basis_pct: Percent = Field(Decimal("0.75"), description="Most distance of mark to spot, of spot.")
    liquidation_ratio: Decimal = Field(
        Decimal(2),
        ge=1,
        allow_inf_nan=False,
        description="Least distance from entry to liquidation, in distances from entry to stop.",
    )
    first_target_pct: Decimal = Field(
        Decimal(50),
        gt=0,
        lt=100,
        allow_inf_nan=False,
        description="Share of the size for the first target.",
    )
    unprotected_s: int = Field(
        60, ge=1, description="Event time that a position may be without a live stop before its symbol halts."
    )

    heading: ClassVar[str] = "the limits contradict each other: "

    def contradictions(self) -> Iterator[Contradiction]:
        """One for each pair of limits of which one can never hold or never matter."""
        if self.total_margin_halt_pct <= self.total_margin_pct:
            yield Contradiction(
                ("total_margin_halt_pct", "total_margin_pct"),
                f"total_margin_halt_pct ({self.total_margin_halt_pct}) must be above total_margin_pct "
                f"({self.total_margin_pct}), or using the budget halts the account",
            )
        if self.position_margin_pct > self.total_margin_pct:
            yield Contradiction(
                ("position_margin_pct", "total_margin_pct"),
                f"position_margin_pct ({self.position_margin_pct}) must not be above total_margin_pct "
                f"({self.total_margin_pct})",
            )
        yield from self._loss_contradictions()
        yield from self._notional_contradictions()

    def _loss_contradictions(self) -> Iterator[Contradiction]:
        if self.risk_per_trade_pct >= self.daily_loss_pct:
            yield Contradiction(
                ("risk_per_trade_pct", "daily_loss_pct"),
                f"risk_per_trade_pct ({self.risk_per_trade_pct}) must be below daily_loss_pct "
                f"({self.daily_loss_pct}), or one stopped trade ends the day",
            )
        if self.daily_loss_pct >= self.drawdown_pct:
            yield Contradiction(
                ("daily_loss_pct", "drawdown_pct"),
                f"daily_loss_pct ({self.daily_loss_pct}) must be below drawdown_pct ({self.drawdown_pct}), "
                "or the daily limit never acts",
            )
        if self.risk_per_trade_pct > self.position_margin_pct:
            yield Contradiction(
                ("risk_per_trade_pct", "position_margin_pct"),
                f"risk_per_trade_pct ({self.risk_per_trade_pct}) must not be above position_margin_pct "
                f"({self.position_margin_pct}), or a position is liquidated before its stop",
            )

    def _notional_contradictions(self) -> Iterator[Contradiction]:
        reachable = self.total_margin_pct * self.leverage
        if self.total_notional_pct > reachable:
            yield Contradiction(
                ("total_notional_pct", "total_margin_pct", "leverage"),
                f"total_notional_pct ({self.total_notional_pct}) can never be reached: total_margin_pct "
                f"times leverage is {reachable}",
            )
        single = self.position_margin_pct * self.leverage
        if single > self.total_notional_pct:
            yield Contradiction(
                ("position_margin_pct", "leverage", "total_notional_pct"),
                f"position_margin_pct times leverage ({single}) must not be above total_notional_pct "
                f"({self.total_notional_pct}), or a full position is always refused",
            )
