"""Settings of market_data."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Annotated

from pydantic import Field, field_validator

from bus_schemas.errors import ConfigurationError
from bus_schemas.settings.section import Contradiction, Section, spelled
from bus_schemas.timeframes import iso, parse_time

Symbol = Annotated[str, spelled(r"[A-Z0-9]{2,32}", "capital letters and digits, such as BTCUSDT")]

Pace = Annotated[
    str,
    spelled(
        r"lockstep|realtime|x(0*[1-9][0-9]*(\.[0-9]+)?|0+\.0*[1-9][0-9]*)",
        "lockstep, realtime, or x60 for sixty times that",
    ),
]

Moment = Annotated[int, Field(ge=0, lt=parse_time("2100-01-01"))]


class MarketDataSettings(Section):
    """What is published, and from where."""

    data: Path | None = Field(
        None, description="Folder of <SYMBOL>-<timeframe>.csv.gz, .csv or .parquet; default the sample."
    )
    symbols: tuple[Symbol, ...] = Field((), description="Empty takes every symbol that the folder has.")
    start: Moment | None = Field(
        None, description="First candle: ISO time or milliseconds; default the oldest."
    )
    trade_from: Moment | None = Field(
        None, description="Candles before it are hydration; default 30 days from the end."
    )
    end: Moment | None = Field(None, description="Candles that close after it are left out.")
    pace: Pace = Field(
        "lockstep",
        description="lockstep: as fast as the readers, one bar at a time; realtime; x60: sixty times that.",
    )

    @field_validator("start", "trade_from", "end", mode="before")
    @classmethod
    def _time(cls, value: object) -> object:
        try:
            return parse_time(value) if isinstance(value, str) else value
        except ConfigurationError as error:
            raise ValueError(str(error)) from None

    @field_validator("symbols")
    @classmethod
    def _once(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(sorted(set(value)))

    def contradictions(self) -> Iterator[Contradiction]:
        """Of the moments, which follow each other."""
        moments = [(name, getattr(self, name)) for name in ("start", "trade_from", "end")]
        given = [(name, time) for name, time in moments if time is not None]
        for (before, early), (after, late) in pairwise(given):
            if early > late or (early == late and after == "end"):
                yield Contradiction(
                    (before, after), f"{before} ({iso(early)}) must come before {after} ({iso(late)})"
                )
