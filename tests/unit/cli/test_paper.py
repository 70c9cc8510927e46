"""A paper run before it starts, and what it mends itself."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

import msgspec
import pytest

from bus_schemas.bus.memory_bus import MemoryBus
from bus_schemas.bus.port import Entry
from bus_schemas.errors import ConfigurationError
from bus_schemas.settings import load
from bus_schemas.topology import Place, Stream, Topology
from cli import paper
from cli.paper import PaperRun, check_contracts, finished
from market_data.feed import FileFeed
from market_data.progress import DONE
from tests.support.shell import ROOT, invoke


class Said:
    """A progress that remembers what was said."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def begin(self, plan: object) -> None: ...

    def update(self, shown: object) -> None: ...

    def say(self, sentence: str) -> None:
        self.said.append(sentence)

    def end(self) -> None: ...


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def test_symbols_without_contract_terms_are_named() -> None:
    settings, show = load(), Said()
    plan = FileFeed(settings.market_data, "15m").plan()
    check_contracts(settings, plan, show)
    assert show.said == []
    odd = [msgspec.structs.replace(symbol, symbol="ODDUSDT") for symbol in plan.symbols[:1]]
    check_contracts(settings, msgspec.structs.replace(plan, symbols=(*odd, *plan.symbols[1:])), show)
    assert "no contract terms of ODDUSDT" in show.said[0]
    with pytest.raises(ConfigurationError, match=r"\[instruments.ODDUSDT\]"):
        check_contracts(settings, msgspec.structs.replace(plan, symbols=tuple(odd)), show)


def test_the_end_is_one_look_at_all_readers(monkeypatch: pytest.MonkeyPatch) -> None:
    bus = MemoryBus(Topology(partitions=2))
    bus.declare()
    monkeypatch.setattr(bus, "unread", lambda _: 0)  # what looking one by one sees while an event moves on
    state = bus.memory.unit(bus.topology.units("market_data")[0]).state
    assert not finished(bus)
    state[DONE] = b"1"
    assert finished(bus)
    signals = Place(Stream.SIGNALS, "p1")
    bus.memory.stream(signals).append(Entry(signals, 1, {}))
    assert not finished(bus)


def test_health_moves_when_its_port_is_taken_but_not_for_ever(own: Path) -> None:
    run = PaperRun(load(), Said())
    words = "health.port: cannot listen on 127.0.0.1:1: Address already in use."
    with socket.create_server(("127.0.0.1", 0)) as taken:
        before = run._settings.health.port
        assert run._mend("health", words)
        port = run._settings.health.port
        assert port not in (0, before, taken.getsockname()[1])
    written = msgspec.json.decode((run.folder.path / "settings.json").read_bytes())
    assert written["health"]["port"] == port
    assert not run._mend("risk", words)
    assert not run._mend("health", "the ledger is of another release")
    assert [run._mend("health", words) for _ in range(3)] == [True, True, False]
    run.folder.remove()


def test_an_interrupted_start_leaves_no_folder(own: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: object) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr(paper, "free_port", interrupt)
    with pytest.raises(KeyboardInterrupt):
        PaperRun(load(), Said())
    assert [path for path in own.glob("causeway-*") if "runs" not in path.name] == []


def test_the_end_of_the_terminal_stops_a_run_unless_it_was_told_to_outlive_it(own: Path) -> None:
    for before, caught in ((signal.SIG_DFL, True), (signal.SIG_IGN, False)):
        old = signal.signal(signal.SIGHUP, before)
        try:
            run = PaperRun(load(), Said())
            with run._signals():
                if caught:
                    signal.raise_signal(signal.SIGHUP)
                assert callable(signal.getsignal(signal.SIGHUP)) is caught or before is signal.SIG_IGN
            assert run._stopped == ("SIGHUP" if caught else None)
            assert signal.getsignal(signal.SIGHUP) is before
            run.folder.remove()
        finally:
            signal.signal(signal.SIGHUP, old)


def test_ctrl_c_while_importing_is_no_traceback(tmp_path: Path) -> None:
    (tmp_path / "typer.py").write_text("raise KeyboardInterrupt\n")
    code = f"import sys, runpy; sys.path[:0] = [{str(tmp_path)!r}, {str(ROOT)!r}]; sys.argv = ['run.py']; "
    code += f"runpy.run_path({str(ROOT / 'run.py')!r}, run_name='__main__')"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (found.returncode, found.stderr) == (130, "interrupted\n")


@pytest.mark.parametrize(
    "arguments",
    [
        ("paper", "--redis", ""),
        ("paper", "--symbols", " "),
        ("paper", "--namespace", ""),
        ("paper", "--timeframes", ""),
        ("paper", "--trade-from", ""),
        ("paper", "--pace", ""),
        ("status", "--redis", ""),
        ("kill", "--reason", ""),
        ("acknowledge", "--symbol", ""),
        ("doctor", "--namespace", ""),
    ],
    ids=" ".join,
)
def test_a_blank_value_is_refused(arguments: tuple[str, ...]) -> None:
    code, out, err = invoke(*arguments)
    assert (code, out) == (2, "")
    assert "must not be blank" in err
