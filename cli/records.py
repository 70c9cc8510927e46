"""Paper records: what a finished paper run showed of its configuration, for the gate before live orders.

A record is a small JSON file in `gates.records` (default `var/records`), one for each outcome. It names its
configuration by a fingerprint of the settings of strategy and risk, so that a changed limit needs a new run.
Nothing protects a record from its owner: the gate is there for slips, and `--force` for decisions.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import msgspec

from bus_schemas.settings import Settings
from bus_schemas.timeframes import DAY, iso
from cli.fingerprint import configuration
from cli.report import Report
from market_data.plan import Plan


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """One finished paper run.

    Attributes:
        configuration: fingerprint of what was traded, and how much of it.
        start, end: of trading, milliseconds UTC of the candles.
        profit_factor: gross profit over gross loss; None without a loss.
        written: wall clock, milliseconds UTC.
    """

    configuration: str
    start: int
    end: int
    symbols: tuple[str, ...]
    trades: int
    profit_factor: float | None
    max_drawdown_pct: float
    return_pct: float
    digest: str
    written: int

    @property
    def days(self) -> Decimal:
        """Length of trading."""
        return Decimal(self.end - self.start) / DAY

    def __str__(self) -> str:
        factor = "no loss" if self.profit_factor is None else f"profit factor {self.profit_factor:.2f}"
        return (
            f"{self.trades} trades in {self.days:.0f} days from {iso(self.start)}, {factor}, "
            f"most drawdown {self.max_drawdown_pct:.2f} %, {', '.join(self.symbols)}"
        )


def record_of(settings: Settings, plan: Plan, report: Report) -> Record:
    """The record of a run that came to its end."""
    gained = report.equity_end - report.equity_start
    return Record(
        configuration=configuration(settings),
        start=plan.trade_from,
        end=plan.last,
        symbols=tuple(symbol.symbol for symbol in plan.symbols),
        trades=report.trades,
        profit_factor=report.profit_factor,
        max_drawdown_pct=report.max_drawdown_pct,
        return_pct=round(float(100 * gained / report.equity_start), 4) if report.equity_start else 0.0,
        digest=report.digest,
        written=time.time_ns() // 1_000_000,
    )


def write(folder: Path, record: Record) -> Path:
    """Leave a record in the folder; the same outcome again replaces itself.

    Raises:
        OSError: the folder cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{record.configuration[:16]}-{record.digest[:16]}.json"
    half = path.with_suffix(".half")
    half.write_bytes(msgspec.json.format(msgspec.json.encode(record)) + b"\n")
    half.replace(path)
    return path


def longest(folder: Path, settings: Settings) -> Record | None:
    """The record of this configuration that traded longest: not the one that looks best."""
    wanted = configuration(settings)
    found = [record for record in _all(folder) if record.configuration == wanted]
    return max(found, key=lambda record: (record.days, record.trades, record.written), default=None)


def _all(folder: Path) -> Iterator[Record]:
    for path in sorted(folder.glob("*.json")):
        try:
            yield msgspec.json.decode(path.read_bytes(), type=Record)
        except (OSError, msgspec.MsgspecError):
            continue  # of another release, or not ours
