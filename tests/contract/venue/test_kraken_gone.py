"""The Kraken Futures adapter's look-up: what it asks, and when an order of which no end is told is gone."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from bus_schemas.events import PlaceOrder, VenueRefusal
from execution.live.faults import Refused, Unclear
from execution.live.port import Standing
from tests.contract.venue import kraken_stage as staging
from tests.contract.venue.kraken_stage import NAME, Stage, long_ago

D = Decimal


def changed(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, method: str, change: Callable[[Any], Any]
) -> list[Any]:
    """Change the answers of an endpoint; returns what it is asked."""
    ask, asked = getattr(stage.adapter._client, method), []

    async def other(params: Any = None) -> Any:
        asked.append(params)
        return change(await ask(params or {}))

    monkeypatch.setattr(stage.adapter._client, method, other)
    return asked


def unrecorded(answer: Any) -> Any:
    """Without the events that end an order."""
    answer["elements"] = [one for one in answer["elements"] if not one["event"].keys() & {"OrderCancelled"}]
    return answer


def unlisted(answer: Any) -> Any:
    return answer | {"orders": []}


def standing(stage: Stage, wanted: PlaceOrder) -> Standing:
    told = stage.look_up(wanted)
    assert told is not None
    return told.standing


def lose(stage: Stage, wanted: PlaceOrder) -> None:
    """The venue takes it out, and what it says a few seconds later knows nothing of it."""
    stage.control.cancel(NAME, stage.control.orders(NAME)[wanted.client_id][0]["order_id"])
    long_ago(stage)


def test_an_order_that_is_nowhere_open_is_not_live_for_ever(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    changed(stage, monkeypatch, "historyGetOrders", unrecorded)
    whole, part = staging.order(), staging.order(quantity="0.02", price="59000")
    stage.place(whole)
    stage.control.faults({"kind": "partial_fills", "pieces": 2})
    stage.place(part)
    stage.control.faults()
    stage.control.price("BTCUSDT", 58_900)
    for wanted, filled in ((whole, D(0)), (part, D("0.01"))):
        lose(stage, wanted)
        told = stage.look_up(wanted)
        assert told is not None
        assert (told.standing, told.filled) == (Standing.LIVE, filled)
    stage.control.clock(advance_ms=61_000)
    for wanted in (whole, part):
        assert standing(stage, wanted) is Standing.LIVE, "an end may be on its way to the history"
    stage.control.clock(advance_ms=15_000)
    for wanted, filled in ((whole, D(0)), (part, D("0.01"))):
        told = stage.look_up(wanted, stage.control.orders(NAME)[wanted.client_id][0]["order_id"])
        assert told is not None
        assert (told.standing, told.filled) == (Standing.CANCELLED, filled)
        assert "not open" in told.status


@pytest.mark.parametrize(
    "change", [unlisted, lambda answer: {"orders": [_null(row) for row in answer["orders"]]}]
)
def test_an_order_that_is_anywhere_open_is_live(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, change: Callable[[Any], Any]
) -> None:
    changed(stage, monkeypatch, "privateGetOrdersStatus", change)
    wanted = staging.order()
    stage.place(wanted)
    for _ in range(3):
        stage.control.clock(advance_ms=100_000)
        assert standing(stage, wanted) is Standing.LIVE


def _null(row: Any) -> Any:
    row["order"]["quantity"] = None
    return row


def test_a_status_without_a_list_ends_nothing(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    changed(stage, monkeypatch, "historyGetOrders", unrecorded)
    changed(stage, monkeypatch, "privateGetOrdersStatus", lambda _: {"result": "success"})
    wanted = staging.order()
    stage.place(wanted)
    lose(stage, wanted)
    for _ in range(3):
        stage.control.clock(advance_ms=100_000)
        assert standing(stage, wanted) is Standing.LIVE


def test_age_is_of_the_venue_s_time(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """A clock of ours that is far ahead makes no order old."""
    changed(stage, monkeypatch, "historyGetOrders", unrecorded)
    wanted = staging.order()
    stage.place(wanted)
    lose(stage, wanted)
    monkeypatch.setattr(stage.adapter, "now", lambda: stage.control.clock() + 3_600_000)
    for _ in range(2):
        stage.control.clock(advance_ms=20_000)
        assert standing(stage, wanted) is Standing.LIVE


def test_an_absence_begins_anew_when_the_order_was_seen(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    changed(stage, monkeypatch, "historyGetOrders", unrecorded)
    wanted = staging.order()
    stage.place(wanted)
    stage.control.clock(advance_ms=100_000)
    absent = stage.adapter._absent
    assert absent.lasts(wanted.client_id, stage.control.clock() - 50_000) == 0
    assert stage.look_up(wanted) is not None
    lose(stage, wanted)
    assert standing(stage, wanted) is Standing.LIVE


def test_an_absence_ends_when_the_list_of_what_is_open_shows_the_order(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two glitches an hour apart are no absence of an hour."""
    changed(stage, monkeypatch, "privateGetOrdersStatus", unlisted)
    wanted = staging.order()
    stage.place(wanted)
    stage.control.clock(advance_ms=100_000)
    glitch = True
    changed(
        stage,
        monkeypatch,
        "privateGetOpenorders",
        lambda answer: answer | {"openOrders": []} if glitch else answer,
    )

    assert standing(stage, wanted) is Standing.LIVE
    stage.control.clock(advance_ms=3_600_000)
    glitch = False
    (shown,) = stage.run(stage.adapter.open_orders())
    assert shown.client_id == wanted.client_id
    glitch = True
    assert standing(stage, wanted) is Standing.LIVE
    stage.control.clock(advance_ms=15_000)
    assert standing(stage, wanted) is Standing.CANCELLED


@pytest.mark.parametrize(("word", "known"), [("notFound", True), ("invalidArgument", False)])
def test_not_found_of_the_whole_question_is_an_answer(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, word: str, known: bool
) -> None:
    wanted = staging.order()
    stage.place(wanted)
    stage.run(stage.adapter.cancel(staging.ref(wanted)))

    async def refuse(_: Any) -> Any:
        raise Refused(VenueRefusal.OTHER, word)

    monkeypatch.setattr(stage.adapter._client, "privateGetOrdersStatus", refuse)
    if known:
        assert standing(stage, wanted) is Standing.CANCELLED
        assert stage.look_up(staging.order()) is None
    else:
        assert type(stage.fails(stage.adapter.look_up(staging.ref(wanted)))) is Unclear


def test_a_waiting_stop_is_told_by_its_status_alone(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    stage.place(staging.market())
    wanted = staging.stop()
    placed = stage.place(wanted)
    history = changed(stage, monkeypatch, "historyGetTriggers", lambda answer: answer)
    asked = changed(stage, monkeypatch, "privateGetOrdersStatus", lambda answer: answer)
    told = stage.look_up(wanted, placed.venue_id)
    assert told is not None
    assert (told.standing, told.filled, told.trigger) == (Standing.LIVE, D(0), D(55_000))
    stage.run(stage.adapter.cancel(staging.ref(wanted, placed.venue_id)))
    told = stage.look_up(wanted, placed.venue_id)
    assert told is not None
    assert told.standing is Standing.CANCELLED
    by_venue, by_client = {"orderIds": [placed.venue_id]}, {"cliOrdIds": wanted.client_id}
    assert asked == [by_venue, by_venue, by_client], "what was removed may live on under our id"
    assert history == []


def test_what_a_stop_became_is_found_by_our_id(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """Under its own id the venue says of the stop that it is cancelled, or nothing at all."""
    stage.place(staging.market())
    wanted = staging.stop()
    placed = stage.place(wanted)
    told = stage.look_up(wanted, "another")
    assert told is not None
    assert (told.standing, told.venue_id, told.successor) == (Standing.LIVE, "another", placed.venue_id)
    ask = stage.adapter._client.privateGetOrdersStatus

    async def removed(params: Any) -> Any:
        answer = await ask({"orderIds": [placed.venue_id]})
        (row,) = answer["orders"]
        if "orderIds" in params:
            row["order"]["orderId"], row["status"] = "another", "CANCELLED"
        return answer

    monkeypatch.setattr(stage.adapter._client, "privateGetOrdersStatus", removed)
    told = stage.look_up(wanted, "another")
    assert told is not None
    assert (told.standing, told.venue_id, told.successor) == (Standing.LIVE, "another", placed.venue_id)


def test_a_status_by_both_ids_in_one_request_is_refused(stage: Stage) -> None:
    wanted = staging.order()
    placed = stage.place(wanted)
    both = {"orderIds": [placed.venue_id], "cliOrdIds": wanted.client_id}
    failed = stage.fails(stage.adapter.act(stage.adapter._client.privateGetOrdersStatus, both))
    assert isinstance(failed, Refused)
    assert "invalidArgument" in failed.detail


def test_an_order_that_is_listed_without_numbers_is_not_unknown(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Until the history has it, nothing tells what became of it."""
    changed(
        stage,
        monkeypatch,
        "privateGetOrdersStatus",
        lambda answer: answer | {"orders": [_null(row) for row in answer["orders"]]},
    )
    changed(stage, monkeypatch, "historyGetOrders", lambda answer: answer | {"elements": []})
    wanted = staging.order()
    stage.place(wanted)
    failed = stage.fails(stage.adapter.look_up(staging.ref(wanted)))
    assert type(failed) is Unclear
    assert "tells too little" in str(failed)
    assert stage.look_up(staging.order()) is None


def test_fills_of_what_a_stop_became_are_the_stop_s(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    def other(answer: Any) -> Any:
        return answer | {"fills": [row | {"order_id": "v"} for row in answer["fills"]]}

    stage.place(staging.market())
    wanted = staging.stop()
    placed = stage.place(wanted)
    stage.control.price("BTCUSDT", 54_000)
    long_ago(stage)
    changed(stage, monkeypatch, "privateGetFills", other)
    told = stage.look_up(wanted, placed.venue_id)
    assert told is not None
    assert (told.standing, told.filled) == (Standing.FILLED, D("0.01"))
    assert (told.venue_id, told.successor) == (placed.venue_id, "v")


def test_what_a_stop_became_is_cancelled_under_its_own_id(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage.place(staging.market())
    wanted = staging.stop()
    placed = stage.place(wanted)
    asked = changed(stage, monkeypatch, "privatePostCancelorder", lambda answer: answer)
    known = msgspec.structs.replace(staging.ref(wanted, "before"), successor=placed.venue_id)
    stage.run(stage.adapter.cancel(known))
    assert asked == [{"order_id": placed.venue_id}]


def test_a_full_fill_is_an_update_in_the_history(stage: Stage) -> None:
    stage.place(staging.market())
    answer = stage.run(stage.adapter._events("historyGetOrders", staging.ref(staging.market()), 0))
    assert [next(iter(one["event"])) for one in answer] == ["OrderPlaced", "OrderUpdated"]
    update = answer[1]["event"]["OrderUpdated"]
    assert (update["reason"], update["newOrder"]["quantity"], update["newOrder"]["filled"]) == (
        "full_fill",
        "0.00",
        "0.01",
    )
