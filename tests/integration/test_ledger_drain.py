"""A ledger that is stopped after the others holds everything that they have written."""

from __future__ import annotations

from pathlib import Path

import sqlalchemy as sa

from bus_schemas.bus.memory_bus import MemoryBus
from bus_schemas.settings import HealthSettings
from bus_schemas.topology import Topology
from health.database import database_url, make_engine
from health.ledger import Ledger
from health.rows import sources
from health.schema import FACTS
from tests.support.health import NS, Running, settings_for, until
from tests.unit.health import writer as w


def test_what_is_there_at_the_end_is_still_taken(tmp_path: Path) -> None:
    settings = settings_for(tmp_path, health={"poll_s": 60.0, "batch": 3})
    bus = MemoryBus(Topology(2))
    bus.declare()
    writer = w.Writer(bus)
    w.a_day(writer, 4)
    engine = make_engine(database_url(HealthSettings(database=settings.health.database)))
    ledger = Ledger(engine, NS)
    running = Running(settings, lambda: bus)
    assert running.url
    first = {str(place): bus.tip(place) for place in sources(bus.topology)}
    until(lambda: ledger.positions() == {name: tip for name, tip in first.items() if tip})
    w.a_day(writer, 8)  # nobody looks for a minute
    running.end()
    assert running.error is None
    tips = {str(place): bus.tip(place) for place in sources(bus.topology) if bus.tip(place)}
    assert ledger.positions() == tips
    assert tips != {name: tip for name, tip in first.items() if tip}
    with engine.begin() as connection:
        trades = connection.execute(sa.select(sa.func.count()).select_from(FACTS["trades"])).scalar_one()
    assert trades > 0
    engine.dispose()
