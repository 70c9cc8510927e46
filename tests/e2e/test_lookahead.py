"""`run.py lookahead`: passes, fails with a planted fault, and never passes for want of a comparison."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.support.shell import config, invoke, short_data


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three days of three symbols, and settings for so few."""
    folder = short_data(tmp_path_factory.mktemp("data"))
    config(folder / "run.json")
    return folder


def lookahead(data: Path, *more: object) -> tuple[int, str, str]:
    return invoke("lookahead", "--data", data, "--config", data / "run.json", *more, env={"COLUMNS": "160"})


def as_json(data: Path, *more: object) -> tuple[int, dict[str, Any]]:
    code, out, _ = lookahead(data, "--json", *more)
    found: dict[str, Any] = json.loads(out)
    return code, found


def test_the_sample_passes_with_the_default_settings() -> None:
    code, out, err = invoke("lookahead", "--cuts", "8", "--json", "--symbols", "ETHUSDT,SOLUSDT")
    assert code == 0, err
    found = json.loads(out)
    assert found["passed"] is True
    assert found["timeframes"] == ["15m", "1h", "4h"]
    assert [one["symbol"] for one in found["symbols"]] == ["ETHUSDT", "SOLUSDT"]
    for one in found["symbols"]:
        assert (one["candles"], one["cuts"], one["runs"]) == (7217, 16, 48)
        assert one["after_signal"] == 8 < one["signals"]
        assert one["assessments"] == 1804
        assert one["judged"] > 1000
        assert one["scratch"] >= 4
        assert (one["differing"], one["early"], one["misdated"]) == (0, 0, 0)
        assert one["first"] is one["first_early"] is one["first_misdated"] is None
    assert "No look-ahead" in err


def test_the_sample_fails_with_a_forming_candle() -> None:
    arguments = ("lookahead", "--cuts", "40", "--symbols", "BTCUSDT", "--from", "2024-08-28")
    code, out, err = invoke(*arguments, "--plant", "forming-candle", env={"COLUMNS": "160"})
    assert (code, err) == (1, "")
    assert "First difference" in out
    assert "LOOK-AHEAD: " in out
    assert "The planted fault, forming-candle, was found." in out
    assert "BTCUSDT: the assessment of 2024-0" in out
    assert "knew too early: its step bias rests on what was known only at" in out


def test_a_person_reads_a_table(data: Path) -> None:
    code, out, err = lookahead(data, "--cuts", "6")
    assert (code, err) == (0, "")
    for symbol in ("BTCUSDT", "ETHUSDT", "SOLUSDT"):
        assert symbol in out
    assert "First difference" not in out
    assert "No look-ahead: " in out
    assert "none differs, none knew too early." in out


def test_a_difference_says_symbol_time_step_and_both_numbers(data: Path) -> None:
    code, found = as_json(data, "--plant", "forming-candle", "--cuts", "24", "--symbols", "ETHUSDT")
    assert code == 1
    assert found["passed"] is False
    assert found["plant"] == "forming-candle"
    differing = [one for one in found["symbols"] if one["differing"]]
    assert differing
    for one in differing:
        first = one["first"]
        assert first["time"] <= first["cut"]
        assert first["time"].endswith("Z")
        assert first["step"]
        assert first["whole"] != first["truncated"]
        assert first["future"] in ("nothing", "mirrored", "the same")


def test_the_chosen_time_is_kept_to(data: Path) -> None:
    code, found = as_json(
        data, "--from", "2024-09-11", "--to", "2024-09-12T12:00:00Z", "--symbols", "SOLUSDT"
    )
    assert code == 0
    assert [one["candles"] for one in found["symbols"]] == [144]


def test_nothing_to_compare_is_a_failure(data: Path) -> None:
    few = ("--from", "2024-09-10", "--to", "2024-09-10T02:00:00Z")
    code, out, _ = lookahead(data, *few)
    assert code == 1
    assert "BTCUSDT: nothing to compare: 8 candles give 8 assessments, and of the " in out
    assert "NOTHING SHOWN: too few candles to compare any assessment of BTCUSDT, ETHUSDT, SOLUSDT." in out
    code, found = as_json(data, *few)
    assert (code, found["passed"]) == (1, False)
    assert found["verdict"].startswith("NOTHING SHOWN")


def test_one_symbol_with_too_little_fails_the_whole(data: Path, tmp_path: Path) -> None:
    for file in data.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    short = tmp_path / "SOLUSDT-15m.csv"
    short.write_text("".join(short.read_text().splitlines(keepends=True)[:6]))
    code, out, _ = lookahead(tmp_path, "--cuts", "4")
    assert code == 1
    assert "SOLUSDT: nothing to compare: 5 candles give 5 assessments" in out
    assert "NOTHING SHOWN: too few candles to compare any assessment of SOLUSDT." in out


WRONG: dict[str, tuple[tuple[str, ...], int, str]] = {
    "unknown symbol": (("--symbols", "XYZUSDT"), 2, "has no 15m candles of XYZUSDT; it has BTCUSDT 15m,"),
    "no such timeframe": (("--timeframes", "1h,4h,1d"), 2, "has no 1h candles; it has BTCUSDT 15m,"),
    "two timeframes": (("--timeframes", "15m,1h"), 2, "--timeframes takes ENTRY,DECISION,BIAS"),
    "another time": (("--from", "2023-01-01", "--to", "2023-02-01"), 2, "has no candles in the chosen time"),
    "no higher candle": (
        ("--timeframes", "15m,1h,1h", "--plant", "forming-candle"),
        2,
        "--plant forming-candle needs a bias timeframe above the decision timeframe; both are 1h",
    ),
}


@pytest.mark.parametrize(("options", "code", "sentence"), WRONG.values(), ids=WRONG)
def test_a_wrong_option(data: Path, options: tuple[str, ...], code: int, sentence: str) -> None:
    found, out, err = lookahead(data, *options)
    assert (found, out) == (code, "")
    assert err.startswith("error: ")
    assert sentence in err


@pytest.mark.parametrize("options", [("--plant", "nothing"), ("--cuts", "0"), ("--cuts", "many")])
def test_what_no_option_takes(data: Path, options: tuple[str, ...]) -> None:
    code, _, err = lookahead(data, *options)
    assert code == 2
    assert options[0] in err


def test_an_empty_folder(tmp_path: Path) -> None:
    code, _, err = invoke("lookahead", "--data", tmp_path)
    assert code == 2
    assert err.startswith(f"error: the data folder {tmp_path} holds no candles")


def test_a_broken_row(data: Path, tmp_path: Path) -> None:
    file = tmp_path / "BTCUSDT-15m.csv"
    lines = (data / "BTCUSDT-15m.csv").read_text().splitlines(keepends=True)
    lines[20] = lines[20].replace(",", ",x", 1)
    file.write_text("".join(lines))
    code, _, err = invoke("lookahead", "--data", tmp_path)
    assert code == 3
    assert err.startswith(f"error: {file}:21: open is 'x")
