"""Settings: every fault at once, secrets never shown, one order of precedence."""

from __future__ import annotations

import json
import os
import traceback
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr, ValidationError

from bus_schemas.errors import ConfigurationError
from bus_schemas.instruments import DEFAULT_INSTRUMENTS
from bus_schemas.settings import BusSettings, Settings, child_environment, dump, load

SECRET = "hunter2"
URL = f"redis://:{SECRET}@bus:6379/0"


@pytest.fixture(autouse=True)
def _no_settings_around(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.upper().startswith("CAUSEWAY_"):
            monkeypatch.delenv(name)


def config(folder: Path, text: str, name: str = "causeway.toml") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def faults(file: Path | None = None, overrides: Any = None) -> list[str]:
    with pytest.raises(ConfigurationError) as caught:
        load(file, overrides)
    first, *rest = str(caught.value).split("\n  - ")
    assert first == "the configuration is wrong:"
    return rest


def test_defaults_need_nothing() -> None:
    assert load() == Settings()


def test_unknown_keys_in_the_file_are_refused(tmp_path: Path) -> None:
    path = config(tmp_path, "colour = 3\n[buss]\nurl = 'x'\n[bus]\nlease = 4\n")
    assert faults(path) == [
        f"colour: no such setting ({path})",
        f"buss: no such setting ({path})",
        f"bus.lease: no such setting ({path})",
    ]


@pytest.mark.parametrize(
    "name",
    ["CAUSEWAY_BUSS__URL", "CAUSEWAY_BUS__LEASE", "CAUSEWAY_X", "CAUSEWAY_BUS__URL__X", "CAUSEWAY_bus_url"],
)
def test_unknown_variables_are_refused(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv(name, "1")
    assert faults() == [f"{name}: no such setting (environment)"]


def test_variables_of_the_tests_and_the_config_variable_are_not_settings(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("CAUSEWAY_TEST_REDIS", "redis://x")
    monkeypatch.setenv("CAUSEWAY_CONFIG", str(config(tmp_path, "[bus]\nbatch = 7\n")))
    assert load().bus.batch == 7


def test_all_faults_of_all_sources_at_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    path = config(
        tmp_path, "[bus]\nlease_ms = 1\nbatch = 'many'\nextra = 1\n[instruments]\nXUSDT = {tick = 1}\n"
    )
    monkeypatch.setenv("CAUSEWAY_RUNTIME__SLOT", "a b")
    monkeypatch.setenv("CAUSEWAY_RUNTIME__SLOTH", "1")
    found = faults(path, {"market_data": {"start": "soon"}, "nowhere": {"x": 1}})
    expected = [
        "CAUSEWAY_RUNTIME__SLOTH: no such setting (environment)",
        "nowhere: no such setting (option)",
        f"bus.lease_ms: Input should be greater than or equal to 200 ({path})",
        "bus.batch: Input should be a valid integer",
        f"bus.extra: no such setting ({path})",
        "runtime.slot: must be 1 to 64 letters, digits, - and _",
        "market_data.start: 'soon' is not a time",
        "instruments: instrument XUSDT: Object missing required field",
    ]
    assert len(found) == len(expected)
    for start in expected:
        assert any(fault.startswith(start) for fault in found), (start, found)
    assert next(f for f in found if f.startswith("runtime.slot")).endswith("(environment)")
    assert next(f for f in found if f.startswith("market_data")).endswith("(option)")


def test_contradictions_show_beside_a_broken_field_of_their_section() -> None:
    wrong = {
        "risk": {"loss_streak": 0, "extra": 1, "daily_loss_pct": 20, "total_margin_pct": 99},
        "strategy": {"swing_length": "x", "min_stop_atr": 9, "warmup_bars": 1, "bias_timeframe": "7h"},
        "market_data": {"start": "soon", "trade_from": "2024-02-01", "end": "2024-01-01"},
    }
    found = "\n".join(faults(None, wrong))
    for sentence in (
        "risk.loss_streak: ",
        "risk.extra: ",
        "risk: the limits contradict each other: total_margin_halt_pct (95) must be above total_margin_pct",
        "daily_loss_pct (20) must be below drawdown_pct (15)",
        "strategy.swing_length: ",
        "strategy: unknown timeframe 7h",
        "min_stop_atr is above max_stop_atr",
        "market_data.start: ",
        "market_data: trade_from (2024-02-01T00:00:00Z) must come before end",
    ):
        assert found.count(sentence) == 1, (sentence, found)


def test_a_broken_field_contradicts_nothing() -> None:
    """Neither what it says nor the default in its place is compared with anything."""
    found = faults(None, {"risk": {"drawdown_pct": "much", "daily_loss_pct": 20}})
    assert len(found) == 1
    assert found[0].startswith("risk.drawdown_pct: ")
    wrong = faults(None, {"strategy": {"swing_length": 0, "warmup_bars": 1}})
    assert len(wrong) == 1


def test_precedence(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    path = config(tmp_path, "[bus]\nbatch = 1\nlease_ms = 1001\npartitions = 3\n")
    monkeypatch.setenv("CAUSEWAY_BUS__BATCH", "2")
    monkeypatch.setenv("CAUSEWAY_BUS__LEASE_MS", "2002")
    bus = load(path, {"bus": {"batch": 3}}).bus
    assert (bus.batch, bus.lease_ms, bus.partitions, bus.account) == (3, 2002, 3, "MAIN")


def test_one_fault_hides_when_a_later_source_mends_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("CAUSEWAY_BUS__BATCH", "2")
    assert load(config(tmp_path, "[bus]\nbatch = 0\n")).bus.batch == 2


@pytest.mark.parametrize("text", ["BTCUSDT,ETHUSDT", " BTCUSDT , ETHUSDT,", '["BTCUSDT", "ETHUSDT"]'])
def test_lists_in_the_environment(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv("CAUSEWAY_MARKET_DATA__SYMBOLS", text)
    assert load().market_data.symbols == ("BTCUSDT", "ETHUSDT")


def test_values_in_the_environment_are_text(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CAUSEWAY_BUS__LOCKSTEP", "true")
    monkeypatch.setenv("CAUSEWAY_BUS__TIMEOUT_S", "2.5")
    monkeypatch.setenv("CAUSEWAY_MARKET_DATA__START", "2024-08-25")
    monkeypatch.setenv("CAUSEWAY_MARKET_DATA__DATA", "/data")
    monkeypatch.setenv("CAUSEWAY_BUS__ACCOUNT", "")
    settings = load()
    assert (settings.bus.lockstep, settings.bus.timeout_s, settings.bus.account) == (True, 2.5, "MAIN")
    assert (settings.market_data.start, settings.market_data.data) == (1724544000000, Path("/data"))


def test_a_section_as_json_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CAUSEWAY_BUS", '{"batch": 9}')
    monkeypatch.setenv("CAUSEWAY_BUS__LEASE_MS", "900")
    assert (load().bus.batch, load().bus.lease_ms) == (9, 900)
    monkeypatch.setenv("CAUSEWAY_BUS", "{broken")
    assert faults() == ["bus: must be a table of settings (environment)"]


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("x.toml", "[bus", "cannot read {path}: "),
        ("x.json", "{", "cannot read {path}: "),
        ("x.json", "[]", "cannot read {path}: it is not a JSON object"),
        ("x.toml", "bus = 3", "bus: must be a table of settings ({path})"),
    ],
)
def test_broken_files(tmp_path: Path, name: str, text: str, expected: str) -> None:
    path = config(tmp_path, text, name)
    assert faults(path)[0].startswith(expected.format(path=path))


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    assert faults(tmp_path / "none.toml") == [
        f"cannot read {tmp_path / 'none.toml'}: No such file or directory"
    ]
    path = tmp_path / "x.toml"
    path.write_bytes(b"\xff")
    assert faults(path) == [f"cannot read {path}: it is not UTF-8 text"]


def test_a_date_of_toml_is_a_time(tmp_path: Path) -> None:
    data = load(
        config(tmp_path, "[market_data]\nstart = 2024-08-25\nend = 2024-08-26T00:00:00Z\n")
    ).market_data
    assert (data.start, data.end) == (1724544000000, 1724630400000)


def test_secrets_are_never_shown(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("CAUSEWAY_BUS__URL", URL)
    settings = load()
    assert settings.bus.url.get_secret_value() == URL
    for text in (
        repr(settings),
        str(settings),
        repr(settings.bus),
        f"{settings.bus.url}",
        settings.model_dump_json(),
    ):
        assert SECRET not in text
    monkeypatch.setenv("CAUSEWAY_BUS__BATCH", "0")
    monkeypatch.setenv("CAUSEWAY_BUS", json.dumps({"uri": URL, "url": [URL]}))
    path = config(tmp_path, f"[bus]\nurls = '{URL}'\naccount = '{SECRET} {SECRET}'\n")
    with pytest.raises(ConfigurationError) as caught:
        load(path)
    assert SECRET not in "".join(traceback.format_exception(caught.value))
    assert len(str(caught.value).split("\n  - ")) == 5


@pytest.mark.parametrize(
    "bad", [{"url": [URL]}, {"uri": URL}, {"account": f"{SECRET} "}, {"url": 3, "batch": URL}]
)
def test_secrets_are_not_in_a_validation_error(bad: dict[str, Any]) -> None:
    for make in (lambda: BusSettings(**bad), lambda: Settings(bus=bad)):  # type: ignore[arg-type]
        with pytest.raises(ValidationError) as caught:
            make()
        assert SECRET not in str(caught.value) + repr(caught.value)


def test_settings_do_not_change() -> None:
    with pytest.raises(ValidationError):
        load().bus.batch = 3  # type: ignore[misc]


def test_constructing_reads_no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CAUSEWAY_BUS__BATCH", "2")
    assert Settings().bus.batch == BusSettings().batch


INSTRUMENTS = """
[instruments.BTCUSDT]
min_notional = 50
[instruments.DOGEUSDT]
base = "DOGE"
tick = 0.00001
step = "1"
min_quantity = 1
min_notional = 5
max_quantity = "30000000"
"""


def test_instruments(tmp_path: Path) -> None:
    table = load(config(tmp_path, INSTRUMENTS)).instrument_table()
    assert table["BTCUSDT"].min_notional == 50
    assert table["BTCUSDT"].tick == DEFAULT_INSTRUMENTS["BTCUSDT"].tick
    assert (table["DOGEUSDT"].tick, table["DOGEUSDT"].quote) == (Decimal("0.00001"), "USDT")
    assert (table["DOGEUSDT"].max_quantity, table["BTCUSDT"].max_quantity) == (30_000_000, None)
    assert table["ETHUSDT"] == DEFAULT_INSTRUMENTS["ETHUSDT"]
    assert load().instrument_table() == DEFAULT_INSTRUMENTS


@pytest.mark.parametrize(
    ("terms", "expected"),
    [
        ("BTCUSDT = {tick = 0}", "instrument BTCUSDT: tick must be above zero"),
        ("BTCUSDT = {tick = nan}", "instrument BTCUSDT: "),
        ("BTCUSDT = {tack = 1}", "unknown field `tack`"),
        ("BTCUSDT = {symbol = 'ETHUSDT'}", "the symbol is the table's name"),
        ("BTCUSDT = 3", "must be a table"),
        ("BTCUSDT = {min_notional = -1}", "min_notional"),
        ("BTCUSDT = {maintenance_rate = 1}", "maintenance_rate"),
        ("BTCUSDT = {max_quantity = 0}", "max_quantity must be a number of contracts above zero, not 0"),
        ("BTCUSDT = {kind = 'spot'}", "Invalid enum value 'spot'"),
    ],
)
def test_wrong_instruments(tmp_path: Path, terms: str, expected: str) -> None:
    found = faults(config(tmp_path, f"[instruments]\n{terms}\nETHUSDT = {{tick = -1}}\n"))
    assert len(found) == 1
    assert expected in found[0]
    assert "instrument ETHUSDT: tick must be above zero" in found[0]


def test_dump_and_load_come_round(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CAUSEWAY_BUS__URL", URL)
    settings = load(
        config(tmp_path, INSTRUMENTS),
        {"market_data": {"symbols": "BTCUSDT", "start": "2024-08-25", "data": tmp_path}, "bus": {"batch": 3}},
    )
    monkeypatch.delenv("CAUSEWAY_BUS__URL")
    dumped = config(tmp_path, json.dumps(dump(settings)), "dump.json")
    assert load(dumped) == settings
    assert load(dumped).bus.url == SecretStr(URL)
    assert load(dumped).instrument_table() == settings.instrument_table()


def test_a_child_sees_the_dump_and_not_our_variables() -> None:
    environment = {"PATH": "/bin", "CAUSEWAY_BUS__BATCH": "2", "causeway_x": "1", "CAUSEWAY_CONFIG": "a"}
    environment["CAUSEWAY_TEST_REDIS"] = "r"
    assert child_environment(environment) == {"PATH": "/bin", "CAUSEWAY_TEST_REDIS": "r"}


def test_the_topology_of_the_settings() -> None:
    topology = load(None, {"bus": {"partitions": 3, "account": "A1", "lockstep": True}}).topology
    assert (topology.partitions, topology.account, topology.lockstep) == (3, "A1", True)
