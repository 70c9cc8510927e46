"""Settings of market_data."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field, field_validator

from bus_schemas.errors import ConfigurationError
from bus_schemas.settings.section import Section
from bus_schemas.timeframes import parse_time


class MarketDataSettings(Section):
    """What is published, and from where."""

    data: Path | None = Field(None, description="Folder of <SYMBOL>-<timeframe>.csv.gz, .csv or .parquet.")
    symbols: tuple[str, ...] = Field((), description="Empty takes every symbol that the folder has.")
    start: int | None = Field(None, description="First candle: ISO time or milliseconds; default the oldest.")
    trade_from: int | None = Field(
        None, description="Candles before it are hydration; default 30 days from the end."
    )
    end: int | None = Field(None, description="Candles that close after it are left out.")
    pace: str = Field("lockstep", pattern=r"^(lockstep|realtime|x[1-9][0-9]*(\.[0-9]+)?)$")

    @field_validator("start", "trade_from", "end", mode="before")
    @classmethod
    def _time(cls, value: object) -> object:
        try:
            return parse_time(value) if isinstance(value, str) else value
        except ConfigurationError as error:
            raise ValueError(str(error)) from None
