"""Rows of the list of incidents that concern more than one service, or none that trades.

The table of all rows stands in `tests/unit/execution/test_incidents_live.py`.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from itertools import permutations
from pathlib import Path

import pytest
from pydantic import BaseModel

from bus_schemas.bus.memory_bus import MemoryBus
from bus_schemas.codec import decode
from bus_schemas.errors import ConfigurationError
from bus_schemas.events import AlertCode, Candle, Gap, VenueAlert
from bus_schemas.settings import HealthSettings, Settings, load
from bus_schemas.topology import Topology
from health.board import Board
from health.fleet import Fleet
from health.metrics import exposition
from health.rows import record
from market_data.live.ages import Age, Ages
from market_data.live.bars import Row, page_of
from market_data.live.track import Rules, Track
from tests.unit.execution.desk import Desk
from tests.unit.health.writer import Writer

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("bus_schemas", "market_data", "strategy", "risk", "execution", "health", "cli")
SPAN = 900_000
RULES = Rules(timeframe="15m", span=SPAN, settle_ms=2000, gap_ms=60_000, gap_tries=2, fresh_ms=2 * SPAN)


def sources() -> Iterator[Path]:
    return (path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))


# A live SMC system's incidents -------------------------------------------------------------------------


@pytest.mark.parametrize("spelling", ["BTC/USDT:USDT", "btcusdt", "BTC-USDT"])
def test_live_system_06_settings_take_one_spelling(spelling: str) -> None:
    with pytest.raises(ConfigurationError):
        load(None, {"market_data": {"symbols": [spelling]}})


def pages() -> list[list[Row]]:
    """History in two overlapping pages, and what the websocket's first look gave before them."""
    rows = [Row(n * SPAN, 1.0, 2.0, 0.5, 1.0 + n / 1000, 3.0) for n in range(100, 120)]
    return [rows[:12], rows[8:], rows[15:18]]


@pytest.mark.parametrize("order", list(permutations(range(3))), ids=str)
def test_live_system_13_candles_that_came_before_hydration_are_not_lost(order: tuple[int, ...]) -> None:
    track, told = Track("BTCUSDT", RULES), []
    track.resume(None, 100 * SPAN)
    for n in order:
        rows = pages()[n]
        track.take(page_of("BTCUSDT", rows[0].time, 100, SPAN, 200 * SPAN, rows))
        told += _publish(track)
    closes = [body.close for body in told if isinstance(body, Candle)]
    assert closes == [1.0 + n / 1000 for n in range(100, 119)]  # the last has no later one yet
    assert not [body for body in told if isinstance(body, Gap)]


def _publish(track: Track) -> list[Candle | Gap]:
    ready = track.ready(200 * SPAN, 1000)
    if ready is None:
        return []
    track.advance(ready)
    return list(ready.bodies)


def test_live_system_also_no_error_is_swallowed() -> None:
    """`except: pass` hid three errors. Whoever catches everything does something with it."""
    broad = {None, "Exception", "BaseException"}
    found = []
    for path in sources():
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ExceptHandler):
                kind = ast.unparse(node.type) if node.type else None
                idle = all(isinstance(line, ast.Pass | ast.Continue) for line in node.body)
                if kind is None or (kind in broad and idle):
                    found.append(f"{path.relative_to(ROOT)}:{node.lineno}")
    assert found == []


# Defects read in its code ------------------------------------------------------------------------------


@pytest.mark.parametrize("code", list(AlertCode))
def test_defect_08_every_kind_of_alert_reaches_the_ledger_and_the_metrics(code: AlertCode) -> None:
    desk = Desk()
    desk.report(VenueAlert(time=desk.time, symbol="*", code=code, detail="in words"))
    bus = MemoryBus(Topology(partitions=2))
    fleet = Fleet(HealthSettings(), 0.0)
    for output in desk.log:
        place = Writer(bus).write(output.stream, output.key, output.body)
        (entry,) = bus.range(place, 0, 9)
        assert decode(place, 1, entry.fields).body == output.body
        row = record(entry).row
        assert row is not None
        fleet.trading.apply(row, 0.0)
    text = exposition(Board(fleet, lambda: 0.0)).decode()
    assert f'causeway_venue_alerts_total{{code="{code.value}"}} 1.0' in text
    assert [row["detail"] for row in fleet.trading.venue.latest] == ["in words"]


def _fields(model: type[BaseModel], prefix: str = "") -> Iterator[str]:
    for name, field in model.model_fields.items():
        kind = field.annotation
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            yield from _fields(kind, f"{prefix}{name}.")
        else:
            yield prefix + name


def test_defect_10_every_setting_is_read_by_something() -> None:
    text = "\n".join(path.read_text() for path in sources())
    read = set(re.findall(r"\.([a-z_0-9]+)\b", text))
    assert [path for path in _fields(Settings) if path.rpartition(".")[2] not in read] == []


@pytest.mark.parametrize("section", ["", "execution", "risk", "venue", "market_data"])
def test_defect_10_a_setting_that_does_not_exist_is_refused(section: str) -> None:
    with pytest.raises(ConfigurationError, match="no_such_thing"):
        load(None, {section: {"no_such_thing": 1}} if section else {"no_such_thing": 1})


# Issues of other systems -------------------------------------------------------------------------------


def test_nt_4255_a_feed_lives_by_the_age_of_each_symbols_data() -> None:
    """A subscription was acknowledged and silent while pongs came: no socket is asked here."""
    ages = Ages(stale_s=60)
    fresh, old = Age(mark=1, candle=0), Age(mark=61, candle=0)
    assert ages.look({"A": fresh, "B": fresh}) == []
    (gone,) = ages.look({"A": fresh, "B": old})
    assert (gone.symbol, gone.silent) == ("B", True)
    assert ages.look({"A": fresh, "B": old}) == []  # told once
    assert ages.gauges()["silent_symbols"] == 1
    (back,) = ages.look({"A": fresh, "B": fresh})
    assert (back.symbol, back.silent) == ("B", False)
    (late,) = ages.look({"A": Age(mark=1, candle=61), "B": fresh})
    assert late.symbol == "A"  # marks come, candles do not


def test_nt_4594_a_missing_candle_is_a_gap_and_never_invented() -> None:
    rows = [Row(n * SPAN, 1.0, 2.0, 0.5, 1.5, 3.0) for n in (100, 101, 105, 106)]
    track = Track("BTCUSDT", RULES)
    track.resume(None, 100 * SPAN)
    told: list[Candle | Gap] = []
    for asked in range(3):
        track.take(page_of("BTCUSDT", 100 * SPAN, 100, SPAN, 200 * SPAN + asked, rows))
        told += _publish(track)
    assert [body.open_time // SPAN for body in told if isinstance(body, Candle)] == [100, 101, 105]
    (gap,) = [body for body in told if isinstance(body, Gap)]
    assert (gap.start // SPAN, gap.end // SPAN, gap.missing) == (102, 105, 3)
    assert [type(body) for body in told] == [Candle, Candle, Gap, Candle]  # in its place, before what follows
