"""`run.py paper` to its end, as a user has it: report, progress, what is kept, and the ledger."""

from __future__ import annotations

import sqlite3
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from cli import supervisor
from cli.report import Report
from tests.support.shell import TRADED, World, config, eventually, invoke, short_data

KEYS = {
    *("candles", "gaps", "assessments", "signals", "no_signal", "orders", "refusals", "fills", "trades"),
    *(
        "equity_start",
        "equity_end",
        "fees",
        "funding",
        "max_drawdown_pct",
        "profit_factor",
        "win_rate",
        "positions_open",
    ),
    *("duplicates", "latency_ms", "elapsed_s", "digest"),
}


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    own = World()
    yield own
    own.close()


@pytest.fixture(scope="module")
def arguments(world: World) -> tuple[object, ...]:
    data = short_data(world.path / "data")
    return ("paper", "--config", config(world.path / "run.json"), "--data", data, "--trade-from", TRADED)


@pytest.fixture(scope="module")
def kept(world: World, arguments: tuple[object, ...]) -> subprocess.CompletedProcess[str]:
    """A run with a process for each service, which leaves its folder."""
    return world.run(*arguments, "--json", "--keep")


@pytest.fixture(scope="module")
def report(kept: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    assert kept.returncode == 0, kept.stderr
    found: dict[str, Any] = msgspec.json.decode(kept.stdout.splitlines()[-1])
    return found


@pytest.fixture(scope="module")
def folder(world: World, kept: subprocess.CompletedProcess[str]) -> Path:
    (found,) = world.folders()
    return found


def test_the_last_line_is_one_object_with_the_promised_keys(
    kept: subprocess.CompletedProcess[str], report: dict[str, Any]
) -> None:
    assert set(report) == KEYS
    assert set(report["latency_ms"]) == {"p50", "p99"}
    assert len(kept.stdout.splitlines()) == 1
    assert set(Report.__struct_fields__) == KEYS


def test_the_run_traded(report: dict[str, Any]) -> None:
    assert (report["candles"], report["assessments"], report["duplicates"]) == (864, 576, 0)
    assert report["trades"] > 5
    assert report["orders"] + sum(report["refusals"].values()) == report["signals"]
    assert report["signals"] + sum(report["no_signal"].values()) == report["assessments"]
    assert report["equity_end"] != report["equity_start"]
    assert 0 < report["latency_ms"]["p50"] <= report["latency_ms"]["p99"]


def test_progress_and_report_for_people_go_to_standard_error(kept: subprocess.CompletedProcess[str]) -> None:
    for text in (
        "BTCUSDT, ETHUSDT, SOLUSDT, 15m candles: 288 to hydrate",
        "health is served on http://127.0.0.1:",
        "864/864 candles",
        "signals",
        "equity",
        "ETA 0 s",
        "profit factor",
    ):
        assert text in kept.stderr
    assert "Traceback" not in kept.stderr
    assert " died " not in kept.stderr


def test_one_process_in_memory_says_the_same(
    world: World, arguments: tuple[object, ...], report: dict[str, Any]
) -> None:
    inline = world.run(*arguments, "--json", "--in-process")
    assert inline.returncode == 0
    other = msgspec.json.decode(inline.stdout.splitlines()[-1])
    assert {k: v for k, v in other.items() if k not in ("latency_ms", "elapsed_s")} == {
        k: v for k, v in report.items() if k not in ("latency_ms", "elapsed_s")
    }


def test_what_is_kept_is_said(kept: subprocess.CompletedProcess[str], folder: Path) -> None:
    assert f"logs and data are in {folder}\n" in kept.stderr
    assert f"kept in {folder}: bus/, ledger.db, logs/, settings.json\n" in kept.stderr
    logs = sorted(path.name for path in (folder / "logs").iterdir())
    services = ("execution", "health", "market_data", "risk", "strategy")
    assert logs == sorted([*(f"{service}-0.log" for service in services), "spare.log"])
    assert (folder / "settings.json").stat().st_mode & 0o077 == 0
    assert (folder / "bus" / "appendonlydir").is_dir()


def test_every_service_said_that_it_stopped_in_order(folder: Path) -> None:
    for path in (folder / "logs").glob("*-0.log"):
        text = path.read_text()
        assert "Traceback" not in text
        if not path.name.startswith("health"):
            assert msgspec.json.decode(text.splitlines()[-1])["message"] == "stopped"


def test_the_ledger_holds_all_of_it(folder: Path, report: dict[str, Any]) -> None:
    ledger = sqlite3.connect(folder / "ledger.db")
    try:
        count = {
            table: ledger.execute(f"SELECT COUNT(*) FROM {table}").fetchone()[0]
            for table in ("trades", "fills", "decisions")
        }
    finally:
        ledger.close()
    assert count["trades"] == report["trades"]
    assert count["fills"] == report["fills"]
    assert count["decisions"] == report["assessments"] + report["signals"]


def test_nothing_else_is_left(world: World, kept: subprocess.CompletedProcess[str]) -> None:
    assert world.processes() == {}
    assert world.notes() == []
    assert len(world.folders()) == 1


def test_a_person_sees_a_table_and_nothing_is_left(world: World, arguments: tuple[object, ...]) -> None:
    before = world.folders()
    found = world.run(*arguments, "--in-process")
    assert found.returncode == 0
    assert found.stderr == ""
    assert "Paper run" in found.stdout
    assert "profit factor" in found.stdout
    assert "why no signal" in found.stdout
    assert world.folders() == before


def test_a_report_can_be_piped_into_a_program(world: World, arguments: tuple[object, ...]) -> None:
    found = world.run(*arguments, "--in-process", "--json", "--symbols", "BTCUSDT", "--to", "2024-09-12")
    assert msgspec.json.decode(found.stdout)["candles"] == 192


def test_a_service_that_keeps_dying_ends_the_run_and_leaves_its_logs(
    world: World, arguments: tuple[object, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    own = world.path / "given-up"
    own.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(own))
    monkeypatch.setattr(supervisor, "BACKOFF_S", (0.0,))
    nowhere = "postgresql://causeway:hunter2@127.0.0.1:1/ledger"
    code, out, err = invoke(*arguments, "--json", env={"CAUSEWAY_HEALTH__DATABASE": nowhere})
    assert (code, out) == (5, "")
    assert "health died (exit code 6); restart now" in err
    assert "error: health died 2 times in a row (exit code 6). Its last words: " in err
    (log,) = own.glob("causeway-*/logs/health-0.log")
    assert f"All of them are in {log}\n" in err
    assert f"kept in {log.parent.parent}: " in err
    assert "hunter2" not in err + log.read_text()
    assert "Traceback" not in err + log.read_text()
    assert list(own.glob("causeway-runs-*/*")) == []
    eventually(lambda: not world.processes(), 5, "the end of every process")
