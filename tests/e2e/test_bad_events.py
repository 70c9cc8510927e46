"""A corrupted entry in any stream: to the dead letters, its symbol halted, and the rest goes on."""

from __future__ import annotations

from pathlib import Path

import pytest

from bus_schemas.bus.port import Entry, Observer
from bus_schemas.events import (
    HaltReason,
    OrderApproved,
    OrderRefused,
    Refusal,
)
from bus_schemas.settings import load
from bus_schemas.topology import Stream
from cli.inline import InlineRun
from cli.report import Follower, Report
from market_data.feed import Step
from tests.support.shell import QUICK, TRADED, short_data
from tests.support.spoil import BROKEN, LOOSE, dead, decisions, halts, place_for

STREAMS = (
    Stream.CANDLES,
    Stream.MARKS,
    Stream.SIGNALS,
    Stream.ORDERS,
    Stream.COMMANDS,
    Stream.REPORTS,
    Stream.EXECUTIONS,
)


def report(observer: Observer) -> Report:
    return Follower(observer).catch_up().report(0, "")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return short_data(tmp_path_factory.mktemp("data"))


class Spoiled(InlineRun):
    """A run into whose stream broken entries are put once trading has begun, one after each bar.

    As on the real bus, whoever writes the stream finds its number taken, and loads again.
    """

    def __init__(self, data: Path, stream: Stream, entries: list[dict[bytes, bytes]], symbol: str) -> None:
        market = {"data": data, "trade_from": TRADED}
        super().__init__(
            load(None, QUICK | {"market_data": market, "risk": LOOSE, "runtime": {"dead_in_row": 9}})
        )
        self._place = place_for(self.topology, stream, symbol)
        self._left = list(entries)
        self.decided_before = 0

    def spoil(self, step: Step) -> None:
        if step.phase != "candle" or not self._left:
            return
        self.decided_before = self.decided_before or len(decisions(self.bus))
        place = self._place
        self.bus.memory.stream(place).append(Entry(place, self.bus.tip(place) + 1, self._left.pop()))
        for writer in (*self._runners, *self._writers.values()):
            if place in writer.tips and writer.lease:
                writer.load(writer.lease)
        self._settle(set(self._readers[place]))


@pytest.mark.parametrize("stream", STREAMS)
def test_every_kind_of_broken_entry_halts_its_symbol_alone(data: Path, stream: Stream) -> None:
    kinds = [fields | {b"key": b"ETHUSDT"} for fields in BROKEN.values()]
    run = Spoiled(data, stream, kinds, "ETHUSDT")
    run.run(run.spoil)
    readers = 2 if stream is Stream.MARKS else 1
    assert sum(dead(run.bus).values()) == readers * len(BROKEN)
    assert ("ETHUSDT", HaltReason.DEAD_LETTER) in halts(run.bus)
    assert {symbol for symbol, reason in halts(run.bus) if reason is HaltReason.DEAD_LETTER} == {"ETHUSDT"}
    later = decisions(run.bus)[run.decided_before :]
    assert not [b for b in later if isinstance(b, OrderApproved) and b.symbol == "ETHUSDT"]
    refused = {b.reason for b in later if isinstance(b, OrderRefused) and b.symbol == "ETHUSDT"}
    assert Refusal.SYMBOL_HALTED in refused
    assert {b.symbol for b in later if isinstance(b, OrderApproved)} == {"BTCUSDT", "SOLUSDT"}
    found = report(run.bus)
    assert (found.candles, found.assessments, found.duplicates) == (864, 576, 0)
    assert found.trades > 3
    assert run.quiet()


@pytest.mark.parametrize("key", [None, b"MAIN", b"\xff", b"a symbol with spaces"])
def test_where_the_symbol_cannot_be_told_everything_is_halted(data: Path, key: bytes | None) -> None:
    fields = BROKEN["no JSON"] | ({} if key is None else {b"key": key})
    run = Spoiled(data, Stream.REPORTS, [fields], "ETHUSDT")
    run.run(run.spoil)
    assert ("*", HaltReason.DEAD_LETTER) in halts(run.bus)
    later = decisions(run.bus)[run.decided_before :]
    assert not [body for body in later if isinstance(body, OrderApproved)]
    assert {b.reason for b in later if isinstance(b, OrderRefused)} == {Refusal.HALTED}
    assert report(run.bus).assessments == 576


@pytest.mark.parametrize("name", sorted(BROKEN))
def test_what_lies_in_the_dead_letters_is_what_was_found(data: Path, name: str) -> None:
    fields = BROKEN[name] | {b"key": b"ETHUSDT"}
    run = Spoiled(data, Stream.COMMANDS, [fields], "ETHUSDT")
    for step in run._feed.steps({}):
        run.spoil(step)
        if step.phase == "candle":
            break
    (unit,) = (unit for unit in run.topology.turn_order if run.bus.dead_count(unit))
    (letter,) = run.bus.dead_letters(unit)
    assert letter.fields == fields
    assert str(letter.place) == "commands.MAIN"
    assert letter.error
    assert letter.error.isprintable()
