"""Settings of market_data."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, field_validator

from bus_schemas.errors import ConfigurationError
from bus_schemas.settings.section import Contradiction, Section, spelled
from bus_schemas.settings.venue import VenueName
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

CandleSource = Literal["auto", "spot", "index", "perpetual"]
"""Which market's candles are analysed. `auto`: Binance's spot market for `binanceusdm`; the index where the
venue has index candles and no spot market with a long history, as `krakenfutures` (Kraken's spot REST serves
the last 720 candles only); else the perpetual itself."""


class MarketDataSettings(Section):
    """What is published, and from where.

    `data`, `start`, `trade_from`, `end` and `pace` belong to files; everything from `universe_top` on to a
    venue. Times are wall-clock seconds; where a name ends in `_ms`, they are the venue's own time.
    """

    source: Literal["files", "venue"] = Field("files", description="files of the folder `data`, or a venue.")
    venue: VenueName | None = Field(
        None, description="Whose data, where it is not the venue that is traded: for paper on live candles."
    )
    data: Path | None = Field(
        None, description="Folder of <SYMBOL>-<timeframe>.csv.gz, .csv or .parquet; default the sample."
    )
    symbols: tuple[Symbol, ...] = Field(
        (), description="Empty takes every symbol that the folder has; at a venue, the universe's."
    )
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

    universe_top: int = Field(
        0, ge=0, le=200, description="With no symbols named: so many perpetuals, by volume of the last day."
    )
    universe_spread_pct: Decimal = Field(
        Decimal("0.1"), gt=0, le=100, description="Only those whose bid and ask are no farther apart."
    )
    universe_s: float = Field(3600.0, ge=1, description="Time between two looks at volume and spread.")
    candles_from: CandleSource = Field(
        "auto",
        description="spot, index or perpetual; auto: spot for binanceusdm, index for krakenfutures, whose "
        "spot market serves 720 candles only.",
    )
    spot: dict[Symbol, str] = Field(
        {},
        description="Spot market of a perpetual where it is not that of the same name: BTCUSDT = 'BTC/USDC'.",
    )
    hydrate: int = Field(
        0, ge=0, le=50_000, description="Candles of history at a first start; 0: what strategy needs."
    )
    mark_s: float = Field(5.0, gt=0, le=600, description="Time between two marks of a symbol.")
    stale_s: float = Field(30.0, gt=0, description="Age of a symbol's data at which it counts as silent.")
    silent_s: float = Field(
        15.0, gt=0, description="A websocket that says nothing of a symbol for so long is opened anew."
    )
    settle_ms: int = Field(
        1000, ge=0, description="How long after its close a candle is asked for, so that it is final."
    )
    gap_ms: int = Field(
        60_000, ge=0, description="How long after its close a missing candle may still appear;"
    )
    gap_tries: int = Field(3, ge=1, le=100, description="answers without it after that make it a gap.")
    retry_s: float = Field(2.0, gt=0, description="Time until a missing candle is asked for again; doubled.")

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
        """Of the moments, which follow each other; a venue with no symbols."""
        if self.source == "venue":
            if not self.symbols and not self.universe_top:
                yield Contradiction(
                    ("source", "symbols", "universe_top"),
                    "source is venue, and no venue is named: --venue, or CAUSEWAY_VENUE__NAME",
                )
            if self.symbols and self.universe_top:
                yield Contradiction(
                    ("symbols", "universe_top"), "symbols and universe_top both say what is traded"
                )
        elif self.universe_top:
            yield Contradiction(("source", "universe_top"), "universe_top needs source = venue")
        moments = [(name, getattr(self, name)) for name in ("start", "trade_from", "end")]
        given = [(name, time) for name, time in moments if time is not None]
        for (before, early), (after, late) in pairwise(given):
            if early > late or (early == late and after == "end"):
                yield Contradiction(
                    (before, after), f"{before} ({iso(early)}) must come before {after} ({iso(late)})"
                )
