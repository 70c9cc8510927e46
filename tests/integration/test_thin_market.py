"""Exits in a market that does not take them whole. At both venues an order at the market, and a stop that has
triggered, never rest: Kraken cancels what finds nobody to trade with, Binance lets it expire. Entries are
limit orders, so that it meets exits alone."""

from __future__ import annotations

from decimal import Decimal
from itertools import pairwise
from typing import Any

from bus_schemas.events import (
    AccountReport,
    ExitReason,
    Fill,
    KillSwitch,
    Mismatch,
    OrderCancelled,
    PlaceOrder,
    StrayOrder,
    SymbolHalted,
    TradeClosed,
    VenueAlert,
)
from tests.support.trading import QUICK, Trading

D = Decimal
CASH = 10_000
KILL = KillSwitch(time=1, reason="drill", by="test", flatten=True)
BOUND = 3
"""Closing orders that are tried at once."""


def thin(share: str = "0.4", times: int | None = 1, order: str = "*") -> dict[str, Any]:
    rule = {"kind": "thin_market", "share": share, "order": order}
    return rule if times is None else rule | {"times": times}


def flat(world: Trading) -> bool:
    return bool(world.all(TradeClosed)) and not world.alive() and not world.held()


def ended(world: Trading, name: str) -> dict[str, Any]:
    """An order of ours that the venue took, or what it became when it triggered."""
    (order,) = world.taken()[name]
    became = [each for each in world.account()["orders"] if each["order_id"] == order["successor"]]
    return became[0] if became else order


def closes(world: Trading) -> list[dict[str, Any]]:
    """Closing orders that the venue took, in the order of time."""
    return sorted(
        (order for name, (order,) in world.taken().items() if name.startswith("c")),
        key=lambda order: (order["created"], len(order["client_id"]), order["client_id"]),
    )


def settled(world: Trading, *told: str) -> TradeClosed:
    """The account is flat, our books are the venue's, and a person was told this, each once."""
    world.until(lambda: flat(world), "flat")
    fills = world.account()["fills"]
    world.until(lambda: len(world.all(Fill)) >= len(fills), "every fill is told")
    ours = [(fill.fill_id, fill.quantity, fill.price, fill.fee) for fill in world.all(Fill)]
    truth = [(f["fill_id"], D(f["quantity"]), D(f["price"]), D(f["fee"])) for f in fills]
    assert sorted(ours) == sorted(truth)
    assert [*world.all(SymbolHalted), *world.all(StrayOrder), *world.all(VenueAlert)] == []
    words = [mismatch.detail for mismatch in world.all(Mismatch)]
    assert len(words) == len(told), words
    assert all(part in detail for part, detail in zip(told, words, strict=True)), words
    assert all(len(orders) == 1 for orders in world.taken().values()), world.picture()
    ends = [body.client_id for body in world.all(OrderCancelled)]
    assert len(ends) == len(set(ends))
    (trade,) = world.all(TradeClosed)
    assert trade.quantity == D("0.012")
    assert trade.net == D(world.account()["account"]["cash"]) - CASH
    return trade


def paced(world: Trading) -> None:
    """Closing orders beyond the first few are about a second apart or more, and none is late."""
    gaps = [b["created"] - a["created"] for a, b in pairwise(closes(world))]
    assert all(900 <= gap < int(QUICK["stop_deadline_ms"]) for gap in gaps[BOUND - 1 :]), gaps


# A stop ------------------------------------------------------------------------------------------------


def test_the_rest_of_a_stop_that_filled_in_part_is_closed_in_time(world: Trading) -> None:
    world.open()
    world.faults(thin(order="stop"))
    world.price("58900")
    assert settled(world).reason is ExitReason.STOP
    stop, close = ended(world, "s1"), ended(world, "c1")
    assert (stop["status"], stop["reason"]) == (UNFILLED[world.protocol], "ioc")
    assert D(stop["filled"]) == PART[world.protocol]
    assert D(close["quantity"]) == D(close["filled"]) == D("0.012") - PART[world.protocol]
    assert close["created"] - stop["updated"] < int(QUICK["stop_deadline_ms"])
    assert "s2" not in world.names(PlaceOrder)  # it would trigger at once, or be refused


UNFILLED = {"krakenfutures": "cancelled", "binanceusdm": "expired"}
PART = {"krakenfutures": D("0.0048"), "binanceusdm": D("0.004")}
"""Four tenths of the position, on the venue's step."""


def test_a_stop_and_every_close_after_it_fill_in_part(world: Trading) -> None:
    world.open()
    world.faults(thin(times=1 + BOUND))
    world.price("58900")
    assert settled(world).reason is ExitReason.STOP
    assert len(closes(world)) == BOUND + 1
    paced(world)


def test_a_stop_that_filled_in_part_while_we_were_away(world: Trading) -> None:
    world.open()
    world.stop()
    world.faults(thin(order="stop"))
    world.price("58900")
    assert world.held() == D("0.012") - PART[world.protocol]
    world.start()
    assert settled(world).reason is ExitReason.STOP
    assert len(closes(world)) == 1


def test_a_stop_that_filled_nothing_is_tried_again_or_the_position_is_closed(world: Trading) -> None:
    """Kraken takes another stop behind the price, and triggers it at once; Binance refuses it."""
    world.open()
    world.faults(thin("0", order="stop"))
    world.price("58900")
    trade = settled(world)
    assert D(ended(world, "s1")["filled"]) == 0
    if world.protocol == "krakenfutures":
        assert (trade.reason, D(ended(world, "s2")["filled"])) == (ExitReason.STOP, D("0.012"))
    else:
        assert (trade.reason, D(ended(world, "c1")["filled"])) == (ExitReason.EMERGENCY, D("0.012"))


def test_a_stop_that_filled_nothing_rests_again_where_the_price_came_back(world: Trading) -> None:
    world.open()
    world.faults(thin("0", order="stop"))
    world.price("58900")
    world.price("59500")
    world.until(lambda: world.rest("s2", "t11", "t21"), "another stop")
    assert world.protected()
    world.price("58900")
    assert settled(world).reason is ExitReason.STOP
    assert D(ended(world, "s2")["filled"]) == D("0.012")


def test_a_market_that_takes_nothing_is_told_and_asked_until_it_takes(world: Trading) -> None:
    world.open()
    world.faults(thin("0", None))
    world.price("58900")
    world.until(lambda: len(closes(world)) > BOUND, "asked beyond the bound")
    world.faults()
    told = ("stop at 59000 was refused 3 times",) if world.protocol == "krakenfutures" else ()
    settled(world, *told, "the market took nothing of 3 closing orders; 0.012 stay open")
    assert len(closes(world)) <= BOUND + 3
    paced(world)


# A close -----------------------------------------------------------------------------------------------


def test_a_close_that_fills_in_part_is_asked_for_until_flat(world: Trading) -> None:
    world.open()
    world.faults(thin(times=BOUND))
    world.control(KILL)
    assert settled(world).reason is ExitReason.FLATTEN
    assert len(closes(world)) == BOUND + 1
    paced(world)
    whole, kept = closes(world)[-1], world.taken()["s1"][0]
    assert D(whole["filled"]) == D(whole["quantity"])
    assert kept["updated"] >= whole["created"], "the stop was kept until the last"


def test_an_emergency_close_that_fills_in_part_is_asked_for_again(world: Trading) -> None:
    world.approve()
    world.until(lambda: world.alive() == ["e1"], "the entry rests")
    world.faults(
        {"kind": "refuse", "code": "price_band", "nth": 1, "times": 3}, thin(order="market", times=2)
    )
    world.price("59890")
    assert settled(world, "stop at 59000 was refused 3 times").reason is ExitReason.EMERGENCY
    assert [D(order["filled"]) > 0 for order in closes(world)] == [True] * 3


def test_a_close_that_fills_nothing_is_asked_for_again_and_the_stop_kept(world: Trading) -> None:
    world.open()
    world.faults(thin("0", 2, order="market"))
    world.control(KILL)
    world.until(lambda: "c3" in world.taken(), "asked for again")
    assert settled(world).reason is ExitReason.FLATTEN
    assert [D(order["filled"]) for order in closes(world)] == [0, 0, D("0.012")]
    reports = len(world.all(AccountReport))
    world.until(lambda: len(world.all(AccountReport)) > reports + 1, "looks after it")
    settled(world)
