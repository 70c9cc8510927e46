"""A dead letter on the way of an order: after a person's word its symbol trades again.

The whole pipeline on the memory bus, with one message that the manager or the venue cannot handle.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from bus_schemas.codec import decode
from bus_schemas.events import (
    Acknowledge,
    Body,
    OrderApproved,
    OrderChanged,
    PositionChanged,
    SymbolHalted,
    TradingHalted,
    TradingResumed,
)
from bus_schemas.settings import load
from bus_schemas.topology import Stream
from cli.inline import InlineRun
from execution import manager
from execution.paper.venue import PaperVenue
from market_data.feed import Step

PERIOD = {"start": "2024-08-26", "trade_from": "2024-09-05", "end": "2024-09-20"}


def poison(monkeypatch: pytest.MonkeyPatch, owner: Any, name: str, id_of: Callable[[Any], str]) -> list[str]:
    """Make this method fail for the first message that it is given, however often; its id, once seen."""
    whole, bad = getattr(owner, name), []  # type: ignore[var-annotated]

    def broken(*args: Any) -> Any:
        if not bad or id_of(args[-1]) in bad:
            bad.append(id_of(args[-1]))
            raise RuntimeError("injected")
        return whole(*args)

    monkeypatch.setattr(owner, name, broken)
    return bad


def run(bad: list[str]) -> dict[Stream, list[Body]]:
    """All of a run in which a person acknowledges the first dead letter at once; bodies by stream."""
    inline = InlineRun(load(None, {"market_data": PERIOD}))
    said: list[str] = []

    def look(_: Step) -> None:
        if bad and not said:
            said.append("acknowledged")
            inline.bus.post(Stream.CONTROLS, "MAIN", Acknowledge(time=1, by="me"))

    inline.run(look)
    assert said
    return {
        stream: [
            decode(*entry).body
            for place in inline.topology.places(stream)
            for entry in inline.bus.range(place, 0, 10**6)
        ]
        for stream in (Stream.ORDERS, Stream.EXECUTIONS)
    }


def approved_later(bodies: dict[Stream, list[Body]], lost: OrderApproved) -> list[Body]:
    return [
        b
        for b in bodies[Stream.ORDERS]
        if isinstance(b, OrderApproved) and b.symbol == lost.symbol and b.time > lost.time
    ]


def order(bodies: dict[Stream, list[Body]], signal_id: str) -> OrderApproved:
    return next(b for b in bodies[Stream.ORDERS] if isinstance(b, OrderApproved) and b.signal_id == signal_id)


def test_an_order_that_the_manager_could_not_take_is_dropped_by_an_acknowledgement(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    bad = poison(monkeypatch, manager.OrderManager, "_approved", lambda body: body.signal_id)
    bodies = run(bad)
    lost = order(bodies, bad[0])
    assert any(isinstance(b, SymbolHalted) for b in bodies[Stream.EXECUTIONS])
    resumed = next(b for b in bodies[Stream.ORDERS] if isinstance(b, TradingResumed))
    assert (resumed.symbol, resumed.by) == (lost.symbol, "me")
    assert resumed.detail == f"order of signal {lost.signal_id} dropped: execution never spoke of it"
    assert approved_later(bodies, lost)


def test_an_entry_that_the_venue_never_took_is_looked_up_and_given_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    bad = poison(monkeypatch, PaperVenue, "_place", lambda body: f"{body.signal_id} {body.client_id}")
    bodies = run(bad)
    signal_id, client_id = bad[0].split()
    lost = order(bodies, signal_id)
    assert any(isinstance(b, TradingHalted) and b.symbol == lost.symbol for b in bodies[Stream.ORDERS])
    states = [
        b.state.value
        for b in bodies[Stream.EXECUTIONS]
        if isinstance(b, OrderChanged) and b.client_id == client_id
    ]
    assert states == ["pending", "cancelling", "unknown", "rejected"]
    end = [
        b for b in bodies[Stream.EXECUTIONS] if isinstance(b, PositionChanged) and b.signal_id == signal_id
    ]
    assert end[-1].phase.value == "abandoned"
    assert end[-1].time - lost.time <= 3 * 3_600_000
    assert approved_later(bodies, lost)
