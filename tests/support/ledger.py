"""A ledger driven by hand, and what is in it."""

from __future__ import annotations

from typing import Any

import pytest
import sqlalchemy as sa

from bus_schemas.bus.port import Observer
from bus_schemas.settings import HealthSettings
from health.board import Board
from health.fleet import Fleet
from health.follower import Follower
from health.ledger import Ledger
from health.queries import Queries
from health.schema import FACTS
from health.trading import Trading

NS = "test"


class Followed:
    """A follower driven by hand."""

    def __init__(self, engine: sa.Engine, batch: int = 7) -> None:
        self.board = Board(Fleet(HealthSettings(), 0.0), lambda: 100.0)
        self.queries = Queries(engine, NS)
        self.ledger = Ledger(engine, NS)
        self.follower = Follower(
            lambda: pytest.fail("it is driven by hand"), self.ledger, self.queries, self.board, batch, 0.01
        )

    def catch_up(self, observer: Observer, begin: bool = True) -> Trading:
        if begin:
            self.follower.begin(observer)
        while self.follower.step(observer):
            pass
        with self.board.fleet() as (fleet, _):
            return fleet.trading


def contents(engine: sa.Engine) -> dict[str, list[tuple[Any, ...]]]:
    """Every fact of the ledger."""
    with engine.begin() as connection:
        return {
            name: [tuple(row) for row in connection.execute(sa.select(t).order_by(t.c.place, t.c.seq))]
            for name, t in FACTS.items()
        }


def state(trading: Trading) -> dict[str, Any]:
    """What must not depend on how the state came to be."""
    return {
        "positions": trading.positions,
        "account": trading.account,
        "trades": trading.trades,
        "fills": trading.fills,
        "decisions": dict(trading.decisions),
        "assessments": trading.last_assessments,
        "halts": trading.active_halts(),
        "kill_switch": trading.kill_switch,
        "reduce_only": trading.reduce_only,
        "curve": trading.curve.points(),
        "latest": sorted(trading.latest, key=repr),
        "clock": trading.clock,
        "venue": trading.venue,
    }
