"""Settings of execution and the paper venue."""

from __future__ import annotations

from decimal import Decimal

from pydantic import Field

from bus_schemas.settings.section import Section


class ExecutionSettings(Section):
    """How orders are kept. Times are event time, measured by the venue's ticks."""

    answer_ms: int = Field(
        10_000, gt=0, description="Silence about a command after which the order's fate is unknown."
    )
    look_up_attempts: int = Field(5, ge=1, description="Unanswered look-ups before a mismatch is reported.")
    not_found_grace_ms: int = Field(
        10_000,
        ge=0,
        description="How old an order must be before the venue's 'never held it' is believed. An entry that "
        "it has held must be unknown to it for as long.",
    )
    stop_deadline_ms: int = Field(
        15_000, gt=0, description="Longest time without an acknowledged stop; then the position is closed."
    )
    stop_attempts: int = Field(3, ge=1, description="Refused stops in a row before the position is closed.")
    close_attempts: int = Field(3, ge=1, description="Refused closing orders before we ask ever more slowly.")
    target_attempts: int = Field(3, ge=1, description="Refused orders of one target before it is dropped.")
    mismatch_grace_ms: int = Field(
        10_000, ge=0, description="How long the venue's position may differ from ours before it is reported."
    )
    break_even_bps: Decimal = Field(
        Decimal(7),
        ge=0,
        lt=1000,
        description="Break-even stop beyond the entry: pays the fees of both sides.",
    )
    adopted_stop_pct: Decimal = Field(
        Decimal(2), gt=0, lt=100, description="Distance from the mark of an adopted position's stop."
    )


class PaperSettings(Section):
    """Assumptions of the paper venue; its package docstring says what each does."""

    starting_cash: Decimal = Field(Decimal(10_000), gt=0, description="In settle currency.")
    maker_fee: Decimal = Field(Decimal("0.0002"), gt=-1, lt=1, description="Fraction of notional.")
    taker_fee: Decimal = Field(Decimal("0.0005"), gt=-1, lt=1, description="Fraction of notional.")
    slippage_bps: Decimal = Field(
        Decimal(2), ge=0, lt=10_000, description="Taken from market orders and triggered stops."
    )
    touch_share: Decimal = Field(
        Decimal("0.5"),
        ge=0,
        le=1,
        description="Share of a limit order that a bar fills by touching its price.",
    )
    leverage: Decimal = Field(
        Decimal(10), ge=1, description="Notional that the venue lends on one unit of equity."
    )
