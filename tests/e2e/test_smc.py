"""`run.py smc` as a user runs it."""

from __future__ import annotations

import csv
import io
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from bus_schemas.timeframes import iso, parse_time
from market_data.files import SAMPLE
from strategy.smc import Candle, Parameters, SmcEngine
from strategy.smc.events import plain
from strategy.smc.kinds import KINDS
from tests.support.shell import ROOT, World, invoke, short_data

BTC = SAMPLE / "BTCUSDT-15m.csv.gz"


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three days of candles."""
    return short_data(tmp_path_factory.mktemp("smc"), {"BTCUSDT": "BTCUSDT"}) / "BTCUSDT-15m.csv"


def candles(path: Path) -> Iterator[Candle]:
    for row in list(csv.reader(path.read_text().splitlines()))[1:]:
        yield Candle(parse_time(row[0]), *map(float, row[1:]))


def lines(*arguments: object) -> list[dict[str, object]]:
    code, out, err = invoke("smc", *arguments, "--json")
    assert (code, err) == (0, ""), err
    return [json.loads(line) for line in out.splitlines()]


def test_json_is_what_the_engine_says(data: Path) -> None:
    engine = SmcEngine(Parameters(timeframe="15m", swing_length=12))
    expected = [plain(event) for candle in candles(data) for event in engine.update(candle)]
    assert lines("--data", data, "--params", "swing_length=12") == expected
    assert len(expected) > 300


def test_csv_says_the_same(data: Path) -> None:
    code, out, _ = invoke("smc", "--data", data, "--csv")
    assert code == 0
    for row, event in zip(csv.DictReader(io.StringIO(out)), lines("--data", data), strict=True):
        assert list(row) == list(event)
        on = " ".join(map(str, event.pop("on")))  # type: ignore[call-overload]
        assert row.pop("on") == on
        assert row == {name: str(value) for name, value in event.items()}


def test_from_and_to_limit_what_is_printed_but_not_what_warms_up(data: Path) -> None:
    whole = lines("--data", data)
    found = lines("--data", data, "--from", "2024-09-11", "--to", "2024-09-12")
    assert found == [e for e in whole if "2024-09-11" <= str(e["known_at"]) < "2024-09-12"]
    assert found


def test_kinds_are_filtered(data: Path) -> None:
    wanted = ("bos", "choch")
    assert lines("--data", data, "--only", "bos, choch") == [
        e for e in lines("--data", data) if e["kind"] in wanted
    ]


def test_higher_candles_are_built(data: Path) -> None:
    engine, bars = SmcEngine(Parameters(timeframe="1h")), list(candles(data))
    expected = []
    for n in range(0, len(bars), 4):
        four = bars[n : n + 4]
        hour = Candle(
            four[0].time, four[0].open, max(c.high for c in four), min(c.low for c in four), four[-1].close,
            sum(c.volume for c in four),
        )  # fmt: skip
        expected += [plain(event) for event in engine.update(hour)]
    assert lines("--data", data, "--resample", "1h") == expected


def test_the_summary_tells_what_counts(data: Path) -> None:
    code, out, err = invoke("smc", "--data", data)
    assert (code, err) == (0, "")
    assert f"{data} · 288 15m candles · 2024-09-10T00:00:00Z to 2024-09-13T00:00:00Z · no holes" in out
    last = list(candles(data))[-1]
    assert f"{last.close:,.2f}" in out
    events = lines("--data", data)
    for kind in ("pivot", "fvg", "swept"):
        count = sum(event["kind"] == kind for event in events)
        assert next(line.split()[:2] for line in out.splitlines() if line.split()[:1] == [kind]) == [
            kind,
            str(count),
        ]
    for word in ("internal trend", "ATR", "EMA", "Nearest to the price", "order block", "bullish", "bearish"):
        assert word in out, word


def test_a_hole_is_an_event_and_no_fault(data: Path, tmp_path: Path) -> None:
    rows = data.read_text().splitlines()
    path = tmp_path / "BTCUSDT-15m.csv"
    path.write_text("\n".join(rows[:100] + rows[104:]) + "\n")
    found = [event for event in lines("--data", path) if event["kind"] == "data_gap"]
    assert [(event["value"], event["at"]) for event in found] == [(4.0, rows[104].split(",")[0])]
    assert "1 hole (4 candles missing)" in invoke("smc", "--data", path)[1]


@pytest.mark.parametrize(
    "name",
    [
        "-x-15m.csv",
        "[bold]15m[red].csv",
        "a b=c,d 15m.csv",
        "größe-15m",
        "15m\n.csv",
        "15m.CSV",
        "%s{x}-15m.csv",
    ],
)
def test_files_with_odd_names(data: Path, tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_text(data.read_text())
    code, out, err = invoke("smc", "--data", path)
    assert (code, err) == (0, "")
    assert name.replace("\n", "\\n") in out.replace("\n\n", "")
    assert lines("--data", path) == lines("--data", data)


def test_parquet(data: Path, tmp_path: Path) -> None:
    pytest.importorskip("pyarrow", reason="Parquet needs pyarrow: pip install 'causeway[parquet]'")
    from pyarrow import csv as arrow_csv
    from pyarrow import parquet

    path = tmp_path / "BTCUSDT-15m.parquet"
    parquet.write_table(arrow_csv.read_csv(data), path)
    assert lines("--data", path) == lines("--data", data)


T = "2024-09-10T00:15:00Z"
BAD_ROWS = {
    "NaN": (f"{T},1,2,1,NaN,1", "{file}:3: close is 'NaN', not a finite number"),
    "high below low": (f"{T},1,1,2,1,1", "{file}:3: high 1 is below low 2"),
    "time going back": ("2024-09-09T00:00:00Z,1,1,1,1,1", "{file}:3: 2024-09-09T00:00:00Z stands after"),
    "twice": ("2024-09-10T00:00:00Z,1,1,1,1,1", "{file}:3: 2024-09-10T00:00:00Z is there twice"),
    "unaligned": ("2024-09-10T00:20:00Z,1,1,1,1,1", "{file}:3: 2024-09-10T00:20:00Z is not the open time"),
    "not a row": ("1,2,3", "{file}:3: 3 columns where there should be 6"),
}


@pytest.mark.parametrize(("row", "sentence"), BAD_ROWS.values(), ids=BAD_ROWS)
def test_a_bad_candle(data: Path, tmp_path: Path, row: str, sentence: str) -> None:
    path = tmp_path / "BTCUSDT-15m.csv"
    rows = data.read_text().splitlines()
    path.write_text("\n".join([*rows[:2], row, *rows[3:]]) + "\n")
    code, out, err = invoke("smc", "--data", path)
    assert (code, out) == (3, "")
    assert err.startswith("error: " + sentence.format(file=path))


OPTIONS = {
    "no such file": (("--data", "nothing.csv"), "the data file nothing.csv does not exist"),
    "a folder": (("--data", SAMPLE), "is a folder; --data takes one candle file"),
    "unknown timeframe": (("--timeframe", "7m"), "unknown timeframe '7m'; known are 1m,"),
    "cannot be built": (("--resample", "5m"), "no 5m candle is made of 15m candles"),
    "unknown parameter": (("--params", "swing=1"), "swing is no parameter"),
    "unknown kind": (("--only", "bos,boss"), "--only: 'boss' is no kind; there are " + ", ".join(KINDS)),
    "two ways": (("--json", "--csv"), "--json and --csv contradict each other"),
    "bars of nothing": (("--bars", "5"), "--bars is for --chart"),
    "no time": (("--from", "yesterday"), "--from: 'yesterday' is not a time"),
    "no order": (("--from", "2024-09-12", "--to", "2024-09-11"), "--from must come before --to"),
    "nothing before": (("--to", "2020-01-01"), "there is no candle before --to"),
    "nothing after": (("--from", "2030-01-01"), "there is no candle from --from on"),
    "no folder": (("--chart", "/nowhere/at/all.html"), "there is no folder /nowhere/at"),
    "chart in place of a folder": (("--chart", "/tmp"), "cannot write /tmp: it is a folder"),
}


@pytest.mark.parametrize(("options", "sentence"), OPTIONS.values(), ids=OPTIONS)
def test_a_broken_option(data: Path, options: tuple[object, ...], sentence: str) -> None:
    code, out, err = invoke("smc", *(() if "--data" in options else ("--data", data)), *options)
    assert (code, out) == (2, "")
    assert f"error: {sentence}" in err or sentence in err
    assert "Traceback" not in err


def test_the_data_is_never_overwritten(data: Path) -> None:
    before = data.read_bytes()
    code, _, err = invoke("smc", "--data", data, "--chart", data)
    assert (code, data.read_bytes()) == (2, before)
    assert "--chart would overwrite the data file" in err


@pytest.mark.parametrize(
    "options",
    [("--bars", 1), ("--to", "2024-09-10T00:15"), ("--to", "2024-09-10T15:00"), ("--to", "2024-09-11T01:00"),
     ("--resample", "1d"), ("--only", "displacement", "--bars", 1)],
)  # fmt: skip
def test_a_chart_of_few_candles(data: Path, tmp_path: Path, options: tuple[object, ...]) -> None:
    pytest.importorskip("plotly", reason="pip install 'causeway[chart]'")
    out = tmp_path / "chart.html"
    code, said, err = invoke("smc", "--data", data, "--chart", out, *options)
    assert (code, err) == (0, "")
    assert said.startswith(f"{out}: the last ")
    assert '"type":"candlestick"' in out.read_text()


def test_a_chart_without_plotly(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "plotly.offline", None)
    code, _, err = invoke("smc", "--data", data, "--chart", tmp_path / "chart.html")
    assert (code, list(tmp_path.iterdir())) == (2, [])
    assert "--chart needs plotly; install it with: pip install 'causeway[chart]'" in err


def test_a_reader_that_has_seen_enough_and_a_full_disk() -> None:
    """Through real processes: a pipe, a closed pipe, a device that takes nothing."""
    world = World()
    command = [sys.executable, str(ROOT / "run.py"), "smc", "--timeframe", "15m", "--json", "--data"]
    try:
        with subprocess.Popen(
            [*command, str(BTC)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=world.environment()
        ) as process:
            assert process.stdout is not None
            assert process.stderr is not None
            first = json.loads(process.stdout.readline())
            process.stdout.close()
            said = process.stderr.read()
            assert (process.wait(30), said) == (0, b"")
        assert first["known_at"] == iso(1_720_656_000_000)
        if os.path.exists("/dev/full"):
            with open("/dev/full", "wb") as full:
                done = subprocess.run(
                    [*command, str(BTC)],
                    stdout=full,
                    stderr=subprocess.PIPE,
                    env=world.environment(),
                    check=False,
                )
            assert done.returncode == 1
            assert done.stderr == b"error: cannot write to standard output: No space left on device\n"
    finally:
        world.close()
