"""The Kraken Futures adapter against the simulated venue: what it says of itself, and orders."""

from __future__ import annotations

import logging

import pytest
from pydantic import SecretStr

from bus_schemas.errors import ConfigurationError
from bus_schemas.events import Liquidity, OrderKind, PlaceOrder, PositionState, Side, VenueRefusal
from bus_schemas.settings import VenueSettings
from execution.live.faults import Denied, NotHeld, NotSent, Refused, VenueFault
from execution.live.kraken import KrakenFutures
from execution.live.port import KeyRights, Standing
from execution.live.venues import make_venue
from tests.contract.venue.kraken_stage import (
    NAME,
    SYMBOL,
    D,
    Stage,
    market,
    order,
    ref,
    settings,
    stop,
)

# What it says of itself ---------------------------------------------------------------------------


def test_instruments_are_canonical(stage: Stage) -> None:
    terms = stage.adapter.instruments()[SYMBOL]
    assert (terms.tick, terms.step, terms.settle) == (D(1), D("0.0001"), "USD")
    assert terms.max_quantity == 1000, "the largest position"


def test_rights(stage: Stage) -> None:
    assert stage.run(stage.adapter.rights()) == KeyRights(trade=True, withdraw=False)


def test_a_wrong_secret_is_denied_without_a_word_of_it(stage: Stage) -> None:
    wrong = KrakenFutures(settings(stage.venue, api_secret=SecretStr("d3Jvbmc=")), [SYMBOL])

    async def ask() -> list[VenueFault]:
        await wrong.open()
        found = []
        for answer in (wrong.rights(), wrong.account(), wrong.place(order(), 5000)):
            with pytest.raises(VenueFault) as failed:
                await answer
            found.append(failed.value)
        await wrong.close()
        return found

    for failed in stage.run(ask()):
        assert isinstance(failed, Denied)
        assert "d3Jvbmc" not in repr(failed)
        assert stage.venue.keys(NAME)[0] not in repr(failed)
        assert failed.__context__ is None
    assert stage.control.orders(NAME) == {}


def test_nothing_secret_is_logged_at_debug(stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
    key, secret = stage.venue.keys(NAME)
    with caplog.at_level(logging.DEBUG):
        stage.place(order())
        stage.fails(stage.adapter.place(order(price="50000.5"), 5000))
    assert key not in caplog.text
    assert secret not in caplog.text
    assert "Authent" not in caplog.text


def test_missing_keys_are_denied(stage: Stage) -> None:
    bare = KrakenFutures(settings(stage.venue, api_key=None, api_secret=None), [SYMBOL])

    async def ask() -> None:
        await bare.open()
        with pytest.raises(Denied):
            await bare.account()
        await bare.close()

    stage.run(ask())


def test_make_venue_chooses_the_adapter(stage: Stage) -> None:
    made = make_venue(settings(stage.venue), [SYMBOL])
    assert type(made) is KrakenFutures
    stage.run(made.close())
    with pytest.raises(ConfigurationError):
        make_venue(VenueSettings(name="paper"), [SYMBOL])


# Orders -------------------------------------------------------------------------------------------


def test_a_limit_order_from_placing_to_cancelling(stage: Stage) -> None:
    wanted = order()
    placed = stage.place(wanted)
    assert (placed.standing, placed.filled) == (Standing.LIVE, D(0))
    (resting,) = stage.run(stage.adapter.open_orders())
    for told in (resting, stage.look_up(wanted), stage.look_up(wanted, placed.venue_id)):
        assert told is not None
        assert (told.client_id, told.venue_id) == (wanted.client_id, placed.venue_id)
        assert (told.symbol, told.side, told.kind) == (SYMBOL, Side.LONG, OrderKind.LIMIT)
        assert (told.price, told.quantity, told.standing) == (D(50_000), D("0.01"), Standing.LIVE)
    stage.run(stage.adapter.cancel(ref(wanted)))
    assert stage.run(stage.adapter.open_orders()) == []
    told = stage.look_up(wanted)
    assert told is not None
    assert (told.standing, told.filled) == (Standing.CANCELLED, D(0))


def test_incident_4_not_found_on_cancel_is_told_apart(stage: Stage) -> None:
    wanted = order()
    assert isinstance(stage.fails(stage.adapter.cancel(ref(wanted))), NotHeld)
    placed = stage.place(wanted)
    stage.run(stage.adapter.cancel(ref(wanted, placed.venue_id)))
    assert isinstance(stage.fails(stage.adapter.cancel(ref(wanted, placed.venue_id))), NotHeld)
    filled = market()
    stage.place(filled)
    assert isinstance(stage.fails(stage.adapter.cancel(ref(filled))), NotHeld)


def test_a_market_order_and_everything_that_follows(stage: Stage) -> None:
    wanted = market()
    placed = stage.place(wanted)
    assert (placed.standing, placed.filled) == (Standing.FILLED, D("0.01"))
    (fill,) = stage.run(stage.adapter.fills(SYMBOL, 0))
    assert (fill.client_id, fill.venue_id, fill.quantity) == (wanted.client_id, placed.venue_id, D("0.01"))
    assert (fill.liquidity, fill.fee) == (Liquidity.TAKER, fill.price * D("0.01") * D("0.0005"))
    (position,) = stage.run(stage.adapter.positions())
    assert position == PositionState(
        symbol=SYMBOL, quantity=D("0.01"), entry_price=fill.price, mark=D(60_000)
    )
    account = stage.run(stage.adapter.account())
    assert account.cash == 10_000 - fill.fee
    assert account.equity == account.cash + (60_000 - fill.price) * D("0.01")


def test_a_maker_pays_the_maker_s_fee(stage: Stage) -> None:
    stage.place(order(price="59000"))
    stage.control.price("BTCUSDT", 58_900)
    (fill,) = stage.run(stage.adapter.fills(SYMBOL, 0))
    assert (fill.liquidity, fill.price, fill.fee) == (Liquidity.MAKER, 59_000, D(59_000) * D("0.000002"))


def test_a_short_position_is_negative(stage: Stage) -> None:
    stage.place(market(Side.SHORT))
    (position,) = stage.run(stage.adapter.positions())
    assert position.quantity == D("-0.01")


def test_a_stop_rests_on_mark_price_and_fires_under_its_own_id(stage: Stage) -> None:
    stage.place(market())
    wanted = stop()
    placed = stage.place(wanted)
    (resting,) = stage.run(stage.adapter.open_orders())
    assert (resting.kind, resting.trigger, resting.reduce_only) == (OrderKind.STOP, 55_000, True)
    (held,) = [o for o in stage.control.account(NAME)["orders"] if o["client_id"] == wanted.client_id]
    assert held["trigger_by"] == "mark"
    stage.control.price("BTCUSDT", 54_000)
    told = stage.look_up(wanted)
    assert told is not None
    assert (told.standing, told.filled, told.venue_id) == (Standing.FILLED, D("0.01"), placed.venue_id)
    assert stage.run(stage.adapter.positions()) == []
    assert stage.run(stage.adapter.fills(SYMBOL, 0))[-1].venue_id == placed.venue_id


@pytest.mark.parametrize(
    ("wanted", "reason"),
    [
        (order(price="50000.5"), VenueRefusal.BAD_TICK),
        (order(quantity="0.00015"), VenueRefusal.BAD_STEP),
        (order(quantity="0.00001"), VenueRefusal.BELOW_MINIMUM),
        (order(quantity="100", price="59000"), VenueRefusal.MARGIN),
        (order(side=Side.SHORT, price="70000", reduce_only=True), VenueRefusal.REDUCE_ONLY),
        (order(price="80000"), VenueRefusal.OTHER),
        (order(symbol="DOGEUSD"), VenueRefusal.UNKNOWN_SYMBOL),
    ],
)
def test_refusals(stage: Stage, wanted: PlaceOrder, reason: VenueRefusal) -> None:
    failed = stage.fails(stage.adapter.place(wanted, 5000))
    assert isinstance(failed, Refused)
    assert failed.reason is reason
    assert stage.control.orders(NAME) == {}


def test_a_client_id_counts_once_for_ever(stage: Stage) -> None:
    wanted = order()
    placed = stage.place(wanted)
    while_open = stage.fails(stage.adapter.place(wanted, 5000))
    stage.control.cancel(NAME, placed.venue_id)
    afterwards = stage.fails(stage.adapter.place(wanted, 5000))
    for failed in (while_open, afterwards):
        assert isinstance(failed, Refused)
        assert failed.reason is VenueRefusal.DUPLICATE_ID


def test_a_request_that_is_too_old_is_not_sent(stage: Stage) -> None:
    failed = stage.fails(stage.adapter.place(order(), -1000))
    assert type(failed) is NotSent
    assert stage.control.orders(NAME) == {}


def test_amending_sets_the_whole_quantity(stage: Stage) -> None:
    wanted = order(quantity="0.02", price="59000")
    stage.control.faults({"kind": "partial_fills", "pieces": 2})
    placed = stage.place(wanted)
    stage.control.price("BTCUSDT", 58_900)
    stage.control.price("BTCUSDT", 60_000)
    stage.run(stage.adapter.amend(ref(wanted), D("0.015")))
    told = stage.look_up(wanted, placed.venue_id)
    assert told is not None
    assert (told.quantity, told.filled) == (D("0.015"), D("0.01"))
    failed = stage.fails(stage.adapter.amend(ref(wanted), D("0.01501234")))
    assert isinstance(failed, Refused)
    stage.run(stage.adapter.cancel(ref(wanted)))
    assert isinstance(stage.fails(stage.adapter.amend(ref(wanted), D("0.015"))), NotHeld)
