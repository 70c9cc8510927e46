"""The Kraken Futures adapter against the simulated venue: fates, fills, clock, faults, hints."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from decimal import Decimal
from itertools import count
from typing import Any

import pytest
from pydantic import SecretStr

from bus_schemas.errors import ConfigurationError
from bus_schemas.events import Leg, Liquidity, OrderKind, PlaceOrder, PositionState, Side, VenueRefusal
from bus_schemas.settings import VenueSettings
from execution.live import kraken_words as words
from execution.live.faults import Denied, NotHeld, NotSent, Refused, Unclear, VenueFault
from execution.live.kraken import KrakenFutures
from execution.live.port import Hint, KeyRights, OrderRef, Standing, VenueOrder
from execution.live.venues import make_venue
from tests.support.venue import RunningVenue, simulated_here

NAME, SYMBOL = "krakenfutures", "BTCUSD"
D = Decimal
_ids = count(1)


class Stage:
    """An adapter that is open, the venue behind it, and a loop to run in."""

    def __init__(self, venue: RunningVenue, **more: Any) -> None:
        self.venue = venue
        self.control = venue.control
        self._runner = asyncio.Runner()
        self.adapter = KrakenFutures(settings(venue, **more), [SYMBOL])
        self.run(self.adapter.open())

    def run(self, answer: Awaitable[Any]) -> Any:
        async def wait() -> Any:
            async with asyncio.timeout(20):
                return await answer

        return self._runner.run(wait())

    def fails(self, answer: Awaitable[Any]) -> VenueFault:
        with pytest.raises(VenueFault) as failed:
            self.run(answer)
        return failed.value

    def place(self, order: PlaceOrder) -> VenueOrder:
        placed: VenueOrder = self.run(self.adapter.place(order, 5000))
        return placed

    def look_up(self, order: PlaceOrder, venue_id: str = "") -> VenueOrder | None:
        found: VenueOrder | None = self.run(self.adapter.look_up(ref(order, venue_id)))
        return found

    def close(self) -> None:
        self.run(self.adapter.close())
        self._runner.close()


def settings(venue: RunningVenue, **more: Any) -> VenueSettings:
    key, secret = venue.keys(NAME)
    given = {
        "name": NAME,
        "rest_url": venue.rest_url,
        "api_key": SecretStr(key),
        "api_secret": SecretStr(secret),
    }
    return VenueSettings(**(given | more))


@pytest.fixture(scope="module")
def opened() -> Iterator[Stage]:
    with simulated_here() as venue:
        stage = Stage(venue)
        yield stage
        stage.close()


@pytest.fixture
def stage(opened: Stage) -> Stage:
    """With an empty account, no faults, and bitcoin at 60,000."""
    opened.control.reset()
    opened.control.price("BTCUSDT", 60_000)
    return opened


def order(
    kind: OrderKind = OrderKind.LIMIT,
    side: Side = Side.LONG,
    quantity: str = "0.01",
    price: str | None = "50000",
    trigger: str | None = None,
    reduce_only: bool = False,
    symbol: str = SYMBOL,
) -> PlaceOrder:
    return PlaceOrder(
        time=0,
        client_id=f"cw-{next(_ids)}",
        signal_id="s",
        symbol=symbol,
        side=side,
        leg=Leg.ENTRY,
        kind=kind,
        quantity=D(quantity),
        price=D(price) if price and kind is OrderKind.LIMIT else None,
        trigger=D(trigger) if trigger else None,
        reduce_only=reduce_only,
    )


def market(side: Side = Side.LONG, **more: Any) -> PlaceOrder:
    return order(OrderKind.MARKET, side, **more)


def stop(trigger: str = "55000") -> PlaceOrder:
    return order(OrderKind.STOP, Side.SHORT, trigger=trigger, reduce_only=True)


def ref(order: PlaceOrder, venue_id: str = "") -> OrderRef:
    return OrderRef(
        client_id=order.client_id,
        symbol=order.symbol,
        side=order.side,
        kind=order.kind,
        quantity=order.quantity,
        price=order.price,
        trigger=order.trigger,
        reduce_only=order.reduce_only,
        venue_id=venue_id,
    )


def long_ago(stage: Stage) -> None:
    """Beyond the seconds for which orders/status remembers."""
    stage.control.clock(advance_ms=6000)


# What it says of itself ---------------------------------------------------------------------------


def test_instruments_are_canonical(stage: Stage) -> None:
    terms = stage.adapter.instruments()[SYMBOL]
    assert (terms.tick, terms.step, terms.settle) == (D(1), D("0.0001"), "USD")


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


# Fates --------------------------------------------------------------------------------------------


def test_issue_6_long_ended_orders_are_still_found(stage: Stage) -> None:
    cancelled, filled, part = order(), market(), order(quantity="0.02", price="59000")
    fired, taken_out = stop(), stop("40000")
    for wanted in (cancelled, filled, taken_out):
        stage.place(wanted)
    stage.control.faults({"kind": "partial_fills", "pieces": 2})
    stage.place(part)
    stage.control.faults()
    stage.control.price("BTCUSDT", 58_900)
    for wanted in (cancelled, part, taken_out):
        stage.run(stage.adapter.cancel(ref(wanted)))
    stage.place(fired)
    stage.control.price("BTCUSDT", 54_000)
    long_ago(stage)
    expected = {
        cancelled: (Standing.CANCELLED, "0"),
        filled: (Standing.FILLED, "0.01"),
        part: (Standing.CANCELLED, "0.01"),
        taken_out: (Standing.CANCELLED, "0"),
        fired: (Standing.FILLED, "0.01"),
    }
    for wanted, (standing, done) in expected.items():
        venue_id = stage.control.orders(NAME)[wanted.client_id][0]["order_id"]
        for told in (stage.look_up(wanted), stage.look_up(wanted, venue_id)):
            assert told is not None
            assert (told.standing, told.filled, told.venue_id) == (standing, D(done), venue_id)


def test_an_order_that_never_was_is_none(stage: Stage) -> None:
    stage.place(order())
    long_ago(stage)
    assert stage.look_up(order()) is None
    assert stage.look_up(order(), "00000000-0000-0000-0000-000000000000") is None
    assert stage.look_up(stop()) is None


def test_history_is_read_to_its_end(stage: Stage) -> None:
    first = order()
    stage.place(first)
    for number in range(160):
        stage.control.order(
            NAME,
            symbol=SYMBOL,
            side="long",
            kind="market",
            quantity="0.0001",
            client_id=f"x-{next(_ids)}-{number}",
        )
    stage.run(stage.adapter.cancel(ref(first)))
    long_ago(stage)
    told = stage.look_up(first)
    assert told is not None
    assert told.standing is Standing.CANCELLED
    fills = stage.run(stage.adapter.fills(SYMBOL, 0))
    assert len({fill.fill_id for fill in fills}) == 160
    assert fills == sorted(fills, key=lambda fill: fill.time)
    later = fills[-1].time
    assert all(fill.time >= later for fill in stage.run(stage.adapter.fills(SYMBOL, later)))


def test_funding_is_told_with_its_sign(stage: Stage) -> None:
    stage.place(market())
    stage.control.funding("BTCUSDT", "0.0001")
    (fee,) = stage.run(stage.adapter.funding(SYMBOL, 0))
    (truth,) = stage.control.account(NAME)["funding"]
    assert (fee.symbol, fee.amount, fee.rate) == (SYMBOL, D(str(truth["amount"])), D("0.0001"))
    assert fee.amount > 0
    assert stage.run(stage.adapter.funding(SYMBOL, fee.time + 1)) == []


# Faults -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fault", "kind", "held"),
    [
        ({"kind": "lost_reply"}, Unclear, True),
        ({"kind": "lost_request"}, Unclear, False),
        ({"kind": "status", "status": 500, "executed": True}, Unclear, True),
        ({"kind": "status", "status": 502}, Unclear, False),
        ({"kind": "status", "status": 504, "executed": True}, Unclear, True),
        ({"kind": "maintenance"}, Unclear, False),
        ({"kind": "rate_limit"}, NotSent, False),
        ({"kind": "rate_limit", "retry_after_s": 7}, NotSent, False),
    ],
)
def test_issue_1_a_fault_says_what_the_venue_may_have_done(
    stage: Stage, fault: dict[str, Any], kind: type[VenueFault], held: bool
) -> None:
    wanted = order()
    stage.control.faults({**fault, "operation": "place", "times": 1})
    failed = stage.fails(stage.adapter.place(wanted, 5000))
    assert type(failed) is kind
    assert (wanted.client_id in stage.control.orders(NAME)) is held
    assert (stage.look_up(wanted) is not None) is held
    if isinstance(failed, NotSent):
        assert (failed.limited, failed.retry_s) == (True, fault.get("retry_after_s", 0))


@pytest.mark.parametrize("operation", ["cancel", "amend"])
def test_a_lost_reply_of_a_change_is_unclear(stage: Stage, operation: str) -> None:
    wanted = order()
    stage.place(wanted)
    stage.control.faults({"kind": "lost_reply", "operation": operation, "times": 1})
    change = (
        stage.adapter.cancel(ref(wanted))
        if operation == "cancel"
        else stage.adapter.amend(ref(wanted), D("0.02"))
    )
    assert type(stage.fails(change)) is Unclear


@pytest.mark.parametrize("operation", ["look_up", "orders", "fills"])
def test_issue_3_a_look_up_that_fails_never_says_not_found(stage: Stage, operation: str) -> None:
    stage.control.faults({"kind": "status", "status": 503, "operation": operation, "times": 1})
    assert type(stage.fails(stage.adapter.look_up(ref(order())))) is Unclear


def test_issue_4_a_fresh_order_may_be_unknown_for_a_moment(stage: Stage) -> None:
    wanted = order()
    stage.control.faults({"kind": "not_found", "for_ms": 3000, "times": 1})
    stage.place(wanted)
    assert stage.look_up(wanted) is None
    stage.control.clock(advance_ms=3000)
    assert stage.look_up(wanted) is not None


def test_nobody_at_home_is_not_sent() -> None:
    nowhere = VenueSettings(
        name=NAME, rest_url="http://127.0.0.1:1", api_key=SecretStr("k"), api_secret=SecretStr("c2VjcmV0")
    )

    async def ask() -> None:
        adapter = KrakenFutures(nowhere, [SYMBOL])
        with pytest.raises(NotSent):
            await adapter.open()
        await adapter.close()

    asyncio.run(ask())


def test_a_null_in_the_status_is_no_number_and_the_history_decides(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = order(quantity="0.02", price="59000")
    stage.control.faults({"kind": "partial_fills", "pieces": 2})
    stage.place(wanted)
    stage.control.price("BTCUSDT", 58_900)
    stage.run(stage.adapter.cancel(ref(wanted)))
    client = stage.adapter._client
    ask = client.privateGetOrdersStatus

    async def without(params: dict[str, Any]) -> Any:
        answer = await ask(params)
        answer["orders"][0]["order"]["filled"] = None
        return answer

    monkeypatch.setattr(client, "privateGetOrdersStatus", without)
    told = stage.look_up(wanted)
    assert told is not None
    assert (told.standing, told.filled) == (Standing.CANCELLED, D("0.01"))


@pytest.mark.parametrize("answer", [{}, {"accounts": {}}, {"accounts": {"flex": {"balanceValue": "much"}}}])
def test_an_answer_that_is_not_as_documented_is_unclear(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, answer: dict[str, Any]
) -> None:
    async def answered() -> dict[str, Any]:
        return answer

    monkeypatch.setattr(stage.adapter._client, "privateGetAccounts", answered)
    assert type(stage.fails(stage.adapter.account())) is Unclear


@pytest.mark.parametrize("moments", [[0, 1, 1, 2], [0, 0, 0], [0, 1, 2, 3, 4, 5], [0], []])
def test_no_fill_is_lost_between_two_pages(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, moments: list[int]
) -> None:
    """Three to a page, newest first, several of one moment."""
    time = stage.adapter.now()
    rows = [_fill_row(number, time + moment) for number, moment in enumerate(moments)][::-1]

    async def page(params: dict[str, str]) -> dict[str, Any]:
        before = words.millis(params["lastFillTime"]) if params else time + 100
        return {"fills": [row for row in rows if words.millis(row["fillTime"]) < before][:3]}

    monkeypatch.setattr(stage.adapter._client, "privateGetFills", page)
    found = stage.run(stage.adapter.fills(SYMBOL, time - 10))
    assert [fill.time - time for fill in found] == moments


def _fill_row(number: int, time: int) -> dict[str, Any]:
    row = {
        "fill_id": f"f{number}",
        "order_id": "o",
        "symbol": "PF_XBTUSD",
        "side": "buy",
        "fillType": "maker",
    }
    return row | {"size": 0.01, "price": 60_000, "fillTime": words.iso(time)}


def test_a_venue_that_repeats_the_key_does_not_put_it_into_errors(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    key, secret = stage.venue.keys(NAME)
    for failed in (Refused(VenueRefusal.OTHER, f"{key} {secret}"), Denied(f"for {key}")):
        monkeypatch.setattr(stage.adapter, "word", lambda _, failed=failed: failed)
        found = stage.fails(stage.adapter.place(order(quantity="0.01", price="1"), -1000))
        assert isinstance(found, NotSent)  # the answer was a success of HTTP, so nobody was asked
        stage.control.faults({"kind": "status", "status": 500, "times": 1})
        found = stage.fails(stage.adapter.place(order(), 5000))
        assert found is failed
        assert key not in repr(found) + str(vars(found))
        assert secret not in repr(found) + str(vars(found))


def test_an_account_at_sixty_times_the_speed() -> None:
    """What a request may take counts in our time; the five seconds of a status in the venue's."""
    with simulated_here(rate=60.0) as venue:
        fast = Stage(venue, clock_rate=60.0)
        try:
            resting, bought = order(), market()
            fast.place(resting)
            fast.place(bought)
            fast.run(fast.adapter.cancel(ref(resting)))
            long_ago(fast)
            for wanted, standing in ((resting, Standing.CANCELLED), (bought, Standing.FILLED)):
                told = fast.look_up(wanted)
                assert told is not None
                assert told.standing is standing
            before = fast.adapter.now()
            fast.run(asyncio.sleep(0.05))
            assert fast.adapter.now() - before >= 3000
        finally:
            fast.close()


def test_the_sandbox_is_another_host() -> None:
    sandbox = KrakenFutures(VenueSettings(name=NAME, sandbox=True), [SYMBOL])
    urls = sandbox._client.urls["api"]
    assert {url.split("/")[2] for url in urls.values() if "/" in url} == {"demo-futures.kraken.com"}
    asyncio.run(sandbox.close())


# Clock and hints ----------------------------------------------------------------------------------


def test_the_clock_follows_the_venue(stage: Stage) -> None:
    before = stage.adapter.now()
    stage.control.clock(advance_ms=500_000)
    stage.run(stage.adapter.open_orders())  # any answer tells the time
    assert 500_000 <= stage.adapter.now() - before < 510_000
    stage.control.clock(advance_ms=100_000)
    assert stage.run(stage.adapter.sync_clock()) >= 600_000
    assert abs(stage.adapter.now() - stage.control.clock()) < 2000


def test_hints_tell_of_orders_and_fills_and_end_with_the_connection(stage: Stage) -> None:
    wanted = order(price="59000")

    async def listen() -> None:
        hints = stage.adapter.hints()
        await _hear(hints, lambda hint: hint.symbol == "*")
        await _hear(hints, lambda hint: hint.symbol == "*")  # both subscriptions stand
        resting = order(price="40000")
        await stage.adapter.place(resting, 5000)
        await _hear(hints, lambda hint: hint == Hint(symbol=SYMBOL, client_id=resting.client_id))
        await stage.adapter.cancel(ref(resting))
        await _hear(hints, lambda hint: hint == Hint(symbol=SYMBOL, client_id=resting.client_id))
        await stage.adapter.place(wanted, 5000)
        await _hear(hints, lambda hint: hint.client_id == wanted.client_id)
        await asyncio.to_thread(stage.control.price, "BTCUSDT", 58_000)
        await _hear(hints, lambda hint: hint.client_id == wanted.client_id)
        await asyncio.to_thread(stage.control.cut)
        with pytest.raises(Unclear):
            await _hear(hints, lambda _: False)

    stage.run(listen())


def test_issue_18_a_silent_socket_is_left_for_a_new_one(stage: Stage) -> None:
    async def listen() -> None:
        silent = stage.adapter.hints()
        await _hear(silent, lambda hint: hint.symbol == "*")
        await _hear(silent, lambda hint: hint.symbol == "*")
        await asyncio.to_thread(stage.control.faults, {"kind": "silent_socket", "times": 1})
        ear = asyncio.create_task(_hear(silent, lambda _: True))
        await stage.adapter.place(order(price="40000"), 5000)
        await asyncio.wait([ear], timeout=0.3)
        assert not ear.done()
        ear.cancel()
        again = stage.adapter.hints()
        await _hear(again, lambda hint: hint.symbol == "*")
        wanted = order(price="40000")
        await stage.adapter.place(wanted, 5000)
        await _hear(again, lambda hint: hint.client_id == wanted.client_id)
        with pytest.raises(StopAsyncIteration):
            await anext(silent)

    stage.run(listen())


def test_hints_with_a_wrong_secret_fail_without_a_word_of_it(stage: Stage) -> None:
    async def listen() -> None:
        wrong = KrakenFutures(settings(stage.venue, api_secret=SecretStr("d3Jvbmc=")), [SYMBOL])
        await wrong.open()
        with pytest.raises(Unclear, match="let us listen") as failed:
            await _hear(wrong.hints(), lambda _: False)
        assert "d3Jvbmc" not in repr(failed.value)
        await wrong.close()

    stage.run(listen())


async def _hear(hints: AsyncIterator[Hint], wanted: Callable[[Hint], bool]) -> Hint:
    async for hint in hints:
        if wanted(hint):
            return hint
    raise AssertionError("the hints ended")
