"""Real candles: the outages of the exchange, and the bundled sample."""

from __future__ import annotations

import gzip
import hashlib
import re
from decimal import Decimal
from pathlib import Path

import pytest

from bus_schemas.settings import MarketDataSettings
from bus_schemas.timeframes import iso
from market_data.feed import FileFeed
from market_data.files import SAMPLE
from tests.unit.market_data.build import feed, gaps, marks

EXTRACT = Path(__file__).parents[2] / "data" / "BTCUSDT-1h-gaps.csv.gz"

OUTAGES = """\
2018-01-04T04:00:00Z 2018-01-04T05:00:00Z 1
2018-02-08T01:00:00Z 2018-02-09T10:00:00Z 33
2018-06-26T02:00:00Z 2018-06-26T12:00:00Z 10
2018-06-27T13:00:00Z 2018-06-27T14:00:00Z 1
2018-07-04T01:00:00Z 2018-07-04T08:00:00Z 7
2018-10-19T06:00:00Z 2018-10-19T09:00:00Z 3
2018-11-14T02:00:00Z 2018-11-14T09:00:00Z 7
2019-03-12T02:00:00Z 2019-03-12T08:00:00Z 6
2019-05-15T03:00:00Z 2019-05-15T13:00:00Z 10
2019-08-15T02:00:00Z 2019-08-15T10:00:00Z 8
2019-11-13T02:00:00Z 2019-11-13T04:00:00Z 2
2019-11-25T02:00:00Z 2019-11-25T04:00:00Z 2
2020-02-09T02:00:00Z 2020-02-09T03:00:00Z 1
2020-02-19T12:00:00Z 2020-02-19T17:00:00Z 5
2020-03-04T10:00:00Z 2020-03-04T11:00:00Z 1
2020-04-25T02:00:00Z 2020-04-25T04:00:00Z 2
2020-06-28T02:00:00Z 2020-06-28T05:00:00Z 3
2020-11-30T06:00:00Z 2020-11-30T07:00:00Z 1
2020-12-21T14:00:00Z 2020-12-21T18:00:00Z 4
2020-12-25T02:00:00Z 2020-12-25T03:00:00Z 1
2021-02-11T04:00:00Z 2021-02-11T05:00:00Z 1
2021-03-06T02:00:00Z 2021-03-06T03:00:00Z 1
2021-04-20T02:00:00Z 2021-04-20T04:00:00Z 2
2021-04-25T05:00:00Z 2021-04-25T08:00:00Z 3
2021-08-13T02:00:00Z 2021-08-13T06:00:00Z 4
2021-09-29T07:00:00Z 2021-09-29T09:00:00Z 2
2023-03-24T13:00:00Z 2023-03-24T14:00:00Z 1
"""


@pytest.mark.parametrize("trade_from", ["2018-01-01", "2023-03-25"], ids=["traded", "history"])
def test_the_27_outages_of_the_exchange_come_out_as_gaps(tmp_path: Path, trade_from: str) -> None:
    header, _, rows = gzip.decompress(EXTRACT.read_bytes()).decode().partition("\n")
    found = []
    for block in rows.split("\n\n"):
        (tmp_path / "BTCUSDT-1h-2018-2023.csv").write_text(f"{header}\n{block}\n")
        last = f"{header}\n{block}".rstrip().rpartition("\n")[2][:10]
        run = feed(tmp_path, "1h", trade_from=min(trade_from, last))
        run.check()
        found += gaps(run.steps({}))
    assert "".join(f"{iso(gap.start)} {iso(gap.end)} {gap.missing}\n" for gap in found) == OUTAGES
    assert len(found) == 27
    assert all(gap.time == gap.end for gap in found)


def test_the_sample_is_what_its_page_says() -> None:
    page = (SAMPLE / "README.md").read_text()
    sums = dict(re.findall(r"^\| `([\w-]+)` \| `([0-9a-f]{64})` \|$", page, re.MULTILINE))
    files = {path.name.removesuffix(".csv.gz"): path for path in SAMPLE.glob("*.csv.gz")}
    assert sorted(sums) == sorted(files)
    for name, path in files.items():
        assert hashlib.sha256(gzip.decompress(path.read_bytes())).hexdigest() == sums[name]
    assert sum(path.stat().st_size for path in SAMPLE.iterdir()) < 600_000


def test_the_sample_is_the_default_and_sound() -> None:
    sample = FileFeed(MarketDataSettings(), "15m")
    sample.check()
    plan = sample.plan()
    assert sample.symbols == ("BTCUSDT", "ETHUSDT", "SOLUSDT")
    assert (iso(plan.first), iso(plan.trade_from), iso(plan.last)) == (
        "2024-07-11T00:00:00Z",
        "2024-08-25T04:15:00Z",
        "2024-09-24T04:15:00Z",
    )
    for symbol in plan.symbols:
        assert (symbol.hydrate, symbol.trade) == (4337, 2880)
        assert (symbol.gaps, symbol.duplicates, symbol.displaced) == (0, 0, 0)
        assert symbol.mark is symbol.funding is (symbol.symbol != "SOLUSDT")


def test_marks_of_the_sample_stay_near_spot_and_meet_the_file_on_the_hour() -> None:
    sample = FileFeed(MarketDataSettings(trade_from=1726963200000, symbols=("BTCUSDT", "SOLUSDT")), "15m")
    made = marks(sample.steps({}))
    file = gzip.decompress((SAMPLE / "BTCUSDT-1h-mark.csv.gz").read_bytes()).decode()
    hourly = {line[:13]: Decimal(line.rpartition(",")[2]) for line in file.splitlines()[1:]}
    met = 0
    for mark in made:
        if mark.symbol == "SOLUSDT":
            assert mark.mark == mark.spot
            continue
        assert abs(mark.mark / mark.spot - 1) < Decimal("0.003")
        if mark.time % 3_600_000 == 0:
            met += 1
            assert mark.mark == round(hourly[iso(mark.time - 3_600_000)[:13]], 8)
    assert met > 40
    assert [iso(m.time) for m in made if m.funding is not None] == [
        f"2024-09-{day}T{hour}:00:00Z"
        for day, hour in (("22", "08"), ("22", "16"), ("23", "00"), ("23", "08"), ("23", "16"), ("24", "00"))
    ]
