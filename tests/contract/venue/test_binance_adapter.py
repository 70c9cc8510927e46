"""Orders through the Binance adapter at the simulated venue: each of its traps is a test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from bus_schemas.events import Liquidity, OrderKind, PlaceOrder, Side, VenueRefusal
from execution.live.faults import NotHeld, Refused
from execution.live.port import Standing, VenueOrder
from tests.contract.venue.binance_stage import BTC, D, Stage, binance_stage, market, order, ref, stop


@pytest.fixture(scope="module")
def running() -> Iterator[Stage]:
    with binance_stage() as stage:
        yield stage


@pytest.fixture
def stage(running: Stage) -> Stage:
    running.reset()
    return running


def test_a_limit_order_rests_and_tells_its_terms(stage: Stage) -> None:
    placed = stage.place(order("rests", reduce_only=False))
    assert (placed.standing, placed.status, placed.kind) == (Standing.LIVE, "NEW", OrderKind.LIMIT)
    assert (placed.quantity, placed.filled, placed.price) == (D("0.01"), D(0), D(59_000))
    assert stage.run(stage.adapter.open_orders()) == [placed]
    assert stage.look_up(order("rests")) == placed
    assert stage.look_up(order("rests"), venue_id=placed.venue_id) == placed


def test_a_market_order_has_filled_when_place_returns(stage: Stage) -> None:
    placed = stage.place(market("now"))
    assert (placed.standing, placed.filled) == (Standing.FILLED, D("0.01"))
    fill = stage.run(stage.adapter.fills(BTC, 0))[-1]
    assert (fill.venue_id, fill.price, fill.quantity) == (placed.venue_id, D("60006"), D("0.01"))
    assert (fill.fee, fill.liquidity, fill.side) == (D("0.30003"), Liquidity.TAKER, Side.LONG)


def test_a_stop_goes_to_the_algo_service_by_mark_price(stage: Stage) -> None:
    stage.place(market("in"))
    placed = stage.place(stop("guard"))
    assert (placed.standing, placed.kind, placed.trigger) == (Standing.LIVE, OrderKind.STOP, D(59_000))
    assert placed.reduce_only
    [truth] = stage.orders("guard")
    assert (truth["conditional"], truth["trigger_by"], truth["reduce_only"]) == (True, "mark", True)
    assert stage.run(stage.adapter.open_orders()) == [placed]
    stage.control.price(BTC, 58_500, mark=59_500)
    assert _standing(stage.look_up(stop("guard"))) is Standing.LIVE


def _standing(found: VenueOrder | None) -> Standing | None:
    return found.standing if found else None


def test_a_triggered_stop_fills_under_a_new_order_id(stage: Stage) -> None:
    stage.place(market("in"))
    placed = stage.place(stop("guard"))
    stage.control.price(BTC, 58_900)
    for known in ({}, {"venue_id": placed.venue_id}):
        ended = stage.look_up(stop("guard"), **known)
        assert ended is not None
        assert (ended.standing, ended.filled, ended.venue_id) == (
            Standing.FILLED,
            D("0.01"),
            placed.venue_id,
        )
        assert ended.status == "FINISHED/FILLED"
        assert ended.successor not in ("", placed.venue_id)
        fill = stage.run(stage.adapter.fills(BTC, 0))[-1]
        assert fill.venue_id == ended.successor
    assert stage.run(stage.adapter.positions()) == []


def test_a_stop_larger_than_the_position_fills_in_part_and_is_over(stage: Stage) -> None:
    stage.place(market("in"))
    stage.place(stop("guard", quantity=D("0.02")))
    stage.control.price(BTC, 58_900)
    ended = stage.look_up(stop("guard", quantity=D("0.02")))
    assert ended is not None
    assert (ended.standing, ended.filled, ended.status) == (
        Standing.CANCELLED,
        D("0.01"),
        "FINISHED/EXPIRED",
    )


def test_a_stop_that_the_query_has_forgotten_is_found_in_the_list(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage.place(market("in"))
    before = stage.adapter.now()
    placed = stage.place(stop("guard"))
    stage.cancel(stop("guard"))

    async def forgotten(params: object) -> object:
        raise NotHeld(f"-2013 Order does not exist. {params}")

    monkeypatch.setattr(stage.adapter._client, "fapiPrivateGetAlgoOrder", forgotten)
    for known in ({"sent": before}, {"venue_id": placed.venue_id}):
        assert _standing(stage.look_up(stop("guard"), **known)) is Standing.CANCELLED
    assert stage.look_up(stop("never"), sent=before) is None


def test_fills_tell_what_a_forgotten_successor_did(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    stage.place(market("in"))
    stage.place(stop("guard"))
    stage.control.price(BTC, 58_900)

    async def forgotten(params: object) -> object:
        raise NotHeld(f"-2013 Order does not exist. {params}")

    monkeypatch.setattr(stage.adapter._client, "fapiPrivateGetOrder", forgotten)
    ended = stage.look_up(stop("guard"))
    assert ended is not None
    assert (ended.standing, ended.filled) == (Standing.FILLED, D("0.01"))


def test_fates_are_told_after_the_end_and_never_held_is_none(stage: Stage) -> None:
    stage.place(order("fills"))
    stage.place(order("goes"))
    stage.cancel(order("goes"))
    stage.control.price(BTC, 58_990)
    filled, gone = stage.look_up(order("fills")), stage.look_up(order("goes"))
    assert filled is not None
    assert gone is not None
    assert (filled.standing, filled.filled) == (Standing.FILLED, D("0.01"))
    assert (gone.standing, gone.filled) == (Standing.CANCELLED, D(0))
    assert stage.look_up(order("never")) is None
    assert stage.look_up(stop("never")) is None


def test_a_duplicate_id_is_refused_only_while_the_first_is_open(stage: Stage) -> None:
    for each in (order("twice"), stop("guard", side=Side.SHORT)):
        stage.place(each)
        with pytest.raises(Refused) as refused:
            stage.place(each)
        assert refused.value.reason is VenueRefusal.DUPLICATE_ID
    stage.control.price(BTC, 58_990)
    stage.place(order("twice", price=D("58000.0")))
    assert [held["status"] for held in stage.orders("twice")] == ["filled", "open"]


REFUSALS: dict[str, tuple[PlaceOrder, VenueRefusal]] = {
    "tick": (order("r", price=D("59000.05")), VenueRefusal.BAD_TICK),
    "digits of a price": (order("r", price=D("59000.123")), VenueRefusal.BAD_TICK),
    "digits of a trigger": (stop("r", trigger="59000.123"), VenueRefusal.BAD_TICK),
    "digits of a quantity": (order("r", quantity=D("0.0105")), VenueRefusal.BAD_STEP),
    "notional": (order("r", quantity=D("0.001")), VenueRefusal.BELOW_MINIMUM),
    "margin": (order("r", quantity=D("50")), VenueRefusal.MARGIN),
    "nothing to reduce": (
        market("r", side=Side.SHORT, reduce_only=True),
        VenueRefusal.REDUCE_ONLY,
    ),
    "would trigger": (stop("r", trigger="60500"), VenueRefusal.WOULD_TRIGGER),
    "symbol": (order("r", symbol="NOPEUSDT"), VenueRefusal.UNKNOWN_SYMBOL),
    "price band": (order("r", price=D("70000")), VenueRefusal.OTHER),
    "client id": (order("a b"), VenueRefusal.OTHER),
}


@pytest.mark.parametrize("case", REFUSALS)
def test_refusals_are_told_apart(stage: Stage, case: str) -> None:
    refusable, reason = REFUSALS[case]
    with pytest.raises(Refused) as refused:
        stage.place(refusable)
    assert refused.value.reason is reason
    assert stage.orders(refusable.client_id) == []


def test_amending_changes_the_whole_quantity_in_place(stage: Stage) -> None:
    placed = stage.place(order("grows"))
    stage.run(stage.adapter.amend(ref(order("grows")), D("0.02")))
    changed = stage.look_up(order("grows"))
    assert changed is not None
    assert (changed.quantity, changed.venue_id) == (D("0.02"), placed.venue_id)
    stage.run(stage.adapter.amend(ref(order("grows")), D("0.02")))  # as it is already
    with pytest.raises(NotHeld):
        stage.run(stage.adapter.amend(ref(order("never")), D("0.02")))
    with pytest.raises(Refused):
        stage.run(stage.adapter.amend(ref(stop("guard")), D("0.02")))


def test_a_target_can_be_amended_below_the_least_notional(stage: Stage) -> None:
    stage.place(market("in"))
    target = order("target", side=Side.SHORT, price=D("61000.0"), reduce_only=True)
    stage.place(target)
    stage.run(stage.adapter.amend(ref(target), D("0.001")))
    changed = stage.look_up(target)
    assert changed is not None
    assert (changed.quantity, changed.reduce_only) == (D("0.001"), True)
    entry = order("entry")
    stage.place(entry)
    with pytest.raises(Refused) as refused:
        stage.run(stage.adapter.amend(ref(entry), D("0.001")))
    assert refused.value.reason is VenueRefusal.BELOW_MINIMUM


def test_a_stop_that_the_algo_service_has_forgotten_is_found_by_what_it_became(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage.place(market("in"))
    placed = stage.place(stop("guard"))
    stage.control.price(BTC, 58_900)

    async def nothing(_: object) -> object:
        return []

    monkeypatch.setattr(stage.adapter._client, "fapiPrivateGetAllAlgoOrders", nothing)
    ended = stage.look_up(stop("guard"), venue_id=placed.venue_id)
    assert ended is not None
    assert (ended.standing, ended.filled, ended.quantity) == (Standing.FILLED, D("0.01"), D("0.01"))
    assert (ended.kind, ended.trigger, ended.venue_id) == (OrderKind.STOP, D(59_000), placed.venue_id)
    assert stage.run(stage.adapter.fills(BTC, 0))[-1].venue_id == ended.successor
    known = stage.look_up(stop("guard"), successor=ended.successor)
    assert known is not None
    assert known.filled == D("0.01")
    assert stage.look_up(stop("never")) is None


def test_cancelling_what_is_not_open_is_not_held(stage: Stage) -> None:
    stage.place(market("in"))
    placed = stage.place(stop("guard"))
    stage.cancel(stop("guard"), venue_id=placed.venue_id)
    for each in (stop("guard"), market("in"), order("never"), stop("never")):
        with pytest.raises(NotHeld):
            stage.cancel(each)
    stage.place(order("rests"))
    stage.cancel(order("rests"))
    assert stage.run(stage.adapter.open_orders()) == []
