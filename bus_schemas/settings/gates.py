"""Settings of the gates before live orders."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

from pydantic import Field

from bus_schemas.settings.section import Section


class GateSettings(Section):
    """What a paper run must have shown of a configuration before it may trade live.

    Its drawdown must in any case have stayed below `risk.drawdown_pct`.
    """

    records: Path = Field(
        Path("var/records"), description="Folder in which `run.py paper` leaves its records."
    )
    days: Decimal = Field(Decimal(30), ge=0, description="Least days traded in one run.")
    trades: int = Field(30, ge=0, description="Least closed trades in it.")
    profit_factor: Decimal = Field(
        Decimal(1), ge=0, description="Least gross profit over gross loss; 1 is neither profit nor loss."
    )
