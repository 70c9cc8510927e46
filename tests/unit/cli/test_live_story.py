"""What a live run tells of its orders: a line for each thing that happens, none twice, none too long."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from bus_schemas.events import (
    EVENT_TYPES,
    AccountSnapshot,
    AlertCode,
    Body,
    ClockTick,
    ExitReason,
    Fill,
    FundingCharged,
    Leg,
    Liquidity,
    Mismatch,
    OrderApproved,
    OrderChanged,
    OrderKind,
    OrderRefused,
    OrderState,
    Refusal,
    Side,
    Target,
    TradeClosed,
    VenueAlert,
    VenueRefusal,
)
from bus_schemas.timeframes import HOUR, parse_time
from cli import live_story
from cli.live_story import held, line, sentence
from execution.ids import client_id
from execution.records import Order, Position

D = Decimal
NOW = parse_time("2024-08-25T04:46:45Z")
SYMBOL = "BTCUSDT"
SIGNAL = "smc-BTCUSDT-1724560800000-ob-long"


def approved(**more: Any) -> OrderApproved:
    own: dict[str, Any] = {
        "time": NOW, "signal_id": SIGNAL, "symbol": SYMBOL, "side": Side.LONG, "quantity": D("0.050"),
        "entry": D("59900.0"), "stop": D(59400), "leverage": D(5), "margin": D(600), "risk": D("25.004"),
        "targets": tuple(Target(price=D(price), quantity=D("0.02")) for price in ("60500.0", "61000.5")),
        "expires": NOW + HOUR,
    }  # fmt: skip
    return OrderApproved(**own | more)


def refused(reason: Refusal, detail: str, **numbers: str) -> OrderRefused:
    return OrderRefused(
        time=NOW, signal_id=SIGNAL, symbol=SYMBOL, side=Side.SHORT, reason=reason, detail=detail,
        numbers={name: D(number) for name, number in numbers.items()},
    )  # fmt: skip


def order(leg: Leg, state: OrderState, detail: str = "", **more: Any) -> OrderChanged:
    kinds = {Leg.STOP: OrderKind.STOP, Leg.CLOSE: OrderKind.MARKET}
    own: dict[str, Any] = {
        "time": NOW, "client_id": client_id(SIGNAL, leg, 1), "signal_id": SIGNAL, "symbol": SYMBOL,
        "side": Side.LONG if leg is Leg.ENTRY else Side.SHORT, "leg": leg,
        "kind": kinds.get(leg, OrderKind.LIMIT), "state": state, "quantity": D("0.05"), "filled": D(0),
        "price": None if leg in kinds else D("59900.00"), "trigger": D(59400) if leg is Leg.STOP else None,
        "reduce_only": leg is not Leg.ENTRY, "detail": detail,
    }  # fmt: skip
    return OrderChanged(**own | more)


def fill(leg: Leg, position: str, profit: str = "0", **more: Any) -> Fill:
    own: dict[str, Any] = {
        "time": NOW, "client_id": "c", "signal_id": SIGNAL, "symbol": SYMBOL,
        "side": Side.LONG if leg is Leg.ENTRY else Side.SHORT, "leg": leg, "fill_id": "77",
        "price": D("59900.10"), "quantity": D("0.05"), "fee": D("1.198"), "liquidity": Liquidity.TAKER,
        "profit": D(profit), "position": D(position),
    }  # fmt: skip
    return Fill(**own | more)


def closed(**more: Any) -> TradeClosed:
    own: dict[str, Any] = {
        "time": NOW, "signal_id": SIGNAL, "symbol": SYMBOL, "side": Side.LONG, "quantity": D("0.05"),
        "entry_price": D(59900), "exit_price": D(60720) + D(1) / 3, "profit": D("41.02"), "fees": D("2.4"),
        "funding": D("-0.1"), "net": D("38.72"), "reason": ExitReason.TARGETS, "opened": NOW - HOUR - 65_000,
    }  # fmt: skip
    return TradeClosed(**own | more)


def alert(code: AlertCode, detail: str, symbol: str = "*", time: int = NOW) -> VenueAlert:
    return VenueAlert(time=time, symbol=symbol, code=code, detail=detail)


def funded(amount: str) -> FundingCharged:
    return FundingCharged(time=NOW, signal_id=SIGNAL, symbol=SYMBOL, amount=D(amount), rate=D("0.0001"))


ENTRY_ID = client_id(SIGNAL, Leg.ENTRY, 1)
STOP_ID = client_id(SIGNAL, Leg.STOP, 1)

TOLD: list[tuple[Body, str]] = [
    (
        approved(),
        "BTCUSDT signal taken: long 0.05 at 59900, stop 59400, targets 60500 and 61000.5, 25.00 at risk",
    ),
    (approved(targets=()), "BTCUSDT signal taken: long 0.05 at 59900, stop 59400, 25.00 at risk"),
    (
        refused(Refusal.MAX_POSITIONS, "5 positions and open intents; the limit is 5"),
        "BTCUSDT short signal refused (max positions): 5 positions and open intents; the limit is 5",
    ),
    (
        refused(Refusal.POSITION_OPEN, f"BTCUSDT is taken for {SIGNAL}", position="-0.050", reserved="0"),
        "BTCUSDT short signal refused (position open): the symbol is taken, position -0.05, to fill 0",
    ),
    (
        refused(Refusal.DUPLICATE_SIGNAL, f"signal {SIGNAL} has been answered before"),
        "BTCUSDT short signal refused (duplicate signal): it has been answered before",
    ),
    (order(Leg.ENTRY, OrderState.ACCEPTED), "BTCUSDT entry acknowledged: buy 0.05 at 59900"),
    (order(Leg.STOP, OrderState.ACCEPTED), "BTCUSDT stop is live at the venue: sell 0.05 at a mark of 59400"),
    (order(Leg.TARGET_1, OrderState.ACCEPTED), "BTCUSDT target 1 acknowledged: sell 0.05 at 59900"),
    (order(Leg.CLOSE, OrderState.ACCEPTED), "BTCUSDT closing order acknowledged: sell 0.05 at market"),
    (
        order(Leg.ENTRY, OrderState.UNKNOWN),
        f"BTCUSDT entry, buy 0.05 at 59900: no clear answer, the venue is asked about {ENTRY_ID}",
    ),
    (order(Leg.TARGET_2, OrderState.CANCELLED), "BTCUSDT target 2 cancelled: sell 0.05 at 59900"),
    (
        order(Leg.ENTRY, OrderState.CANCELLED, filled=D("0.020")),
        "BTCUSDT entry cancelled: buy 0.05 at 59900, after 0.02 of it was filled",
    ),
    (
        order(Leg.STOP, OrderState.CANCELLED, "not found"),
        "BTCUSDT stop cancelled: sell 0.05 at a mark of 59400 (the venue no longer has it)",
    ),
    (
        order(Leg.STOP, OrderState.REJECTED, "would_trigger: -2021 Order would immediately trigger."),
        "BTCUSDT stop rejected by the venue (would trigger): sell 0.05 at a mark of 59400, "
        f"{STOP_ID}: -2021 Order would immediately trigger.",
    ),
    (
        order(Leg.ENTRY, OrderState.REJECTED, "not found"),
        f"BTCUSDT entry never reached the venue: buy 0.05 at 59900, {ENTRY_ID}",
    ),
    (
        order(Leg.ENTRY, OrderState.REJECTED, "kill switch"),
        "BTCUSDT entry not sent (kill switch): buy 0.05 at 59900",
    ),
    (
        order(Leg.ENTRY, OrderState.REJECTED, f"position {SIGNAL} is open"),
        "BTCUSDT entry not sent (a position is open): buy 0.05 at 59900",
    ),
    (
        fill(Leg.ENTRY, "0.050", liquidity=Liquidity.MAKER),
        "BTCUSDT entry filled: bought 0.05 at 59900.1, maker, fee 1.20, now long 0.05",
    ),
    (
        fill(Leg.TARGET_1, "-0.03", "18", fee=D("-0.004"), side=Side.LONG),
        "BTCUSDT target 1 hit: bought 0.05 at 59900.1, taker, fee -0.004, profit +18.00, now short 0.03",
    ),
    (
        fill(Leg.STOP, "0", "-1025.5"),
        "BTCUSDT stop filled: sold 0.05 at 59900.1, taker, fee 1.20, profit -1,025.50, now flat",
    ),
    (
        fill(Leg.CLOSE, "0", fee=D(0)),
        "BTCUSDT closed at market: sold 0.05 at 59900.1, taker, fee 0.00, profit 0.00, now flat",
    ),
    (
        closed(),
        "BTCUSDT trade closed by targets: net +38.72 (profit +41.02, fees 2.40, funding -0.10), "
        "long 0.05 from 59900 to 60720.333 in 1 h 1 min",
    ),
    (funded("0.104"), "BTCUSDT funding paid: 0.10"),
    (funded("-12"), "BTCUSDT funding received: 12.00"),
    (
        Mismatch(time=NOW, symbol=SYMBOL, detail=f"no acknowledged stop over 0.05 since {NOW - 15_000}"),
        "BTCUSDT attention: no acknowledged stop over 0.05 since 04:46:30",
    ),
    (
        alert(AlertCode.UNREACHABLE, "no answer for 5 s: 503"),
        "venue unreachable: no answer for 5 s: 503",
    ),
    (alert(AlertCode.STRAY_ORDER, "order x", SYMBOL), "BTCUSDT stray order: order x"),
]

SILENT: list[Body] = [
    *(order(leg, state) for leg in Leg for state in OrderState if state.value in
      ("pending", "partly_filled", "cancelling", "filled")),
    order(Leg.ENTRY, OrderState.ACCEPTED, "duplicate fill 77 ignored"),
    order(Leg.ENTRY, OrderState.CANCELLED, "duplicate fill 77 ignored"),
    funded("0"),
    AccountSnapshot(time=NOW, cash=D(1), equity=D(1)),
    ClockTick(time=NOW),
]  # fmt: skip


@pytest.mark.parametrize(("body", "words"), TOLD, ids=[words[:48] for _, words in TOLD])
def test_a_line_for_each_thing_that_happens(body: Body, words: str) -> None:
    assert sentence(body) == f"04:46:45 {words}"
    assert SIGNAL not in words


@pytest.mark.parametrize("body", SILENT, ids=lambda body: type(body).__name__)
def test_what_a_person_need_not_hear(body: Body) -> None:
    assert sentence(body) is None


def test_every_code_has_words() -> None:
    for leg in Leg:
        assert sentence(fill(leg, "1"))
        for state in OrderState:
            sentence(order(leg, state))
    for refusal in Refusal:
        assert "refused (" in (sentence(refused(refusal, "why")) or "")
    for reason in VenueRefusal:
        told = sentence(order(Leg.ENTRY, OrderState.REJECTED, f"{reason.value}: no"))
        assert told is not None
        assert told.endswith(f"{ENTRY_ID}: no")
    for code in AlertCode:
        assert sentence(alert(code, "d"))
    assert live_story._SENTENCES.keys() <= set(EVENT_TYPES.values())


def test_a_late_fill_has_the_time_of_its_trade() -> None:
    told = sentence(fill(Leg.ENTRY, "0.05", traded=NOW - 45_000))
    assert told is not None
    assert told.startswith("04:46:00 BTCUSDT entry filled")


def test_a_line_is_one_line_of_plain_text_whatever_the_venue_says() -> None:
    wild = sentence(
        alert(AlertCode.DENIED, "no\r\n\x1b[2J\x1b]0;title\x07 entry\tfor\u202eyou " + "x" * 5000)
    )
    assert wild is not None
    assert wild.isprintable()
    assert wild.startswith("04:46:45 venue denied: no [2J ]0;title entry for you xxx")
    assert len(wild) == live_story.LONGEST
    assert line(-1, "X", "y") == "23:59:59 X y", "no time is too odd to be told"


@pytest.mark.parametrize(
    ("span", "words"),
    [(0, "0 s"), (59_999, "59 s"), (60_000, "1 min"), (HOUR - 1, "59 min 59 s"), (49 * HOUR, "2 d 1 h")],
)
def test_how_long_a_trade_took(span: int, words: str) -> None:
    told = sentence(closed(opened=NOW - span))
    assert told is not None
    assert told.endswith(f" in {words}")


def position(symbol: str, quantity: str, side: Side = Side.LONG, stop: str | None = None) -> Position:
    found = Position(signal_id=SIGNAL, symbol=symbol, side=side, planned=D(1), stop=D(1), expires=0)
    found.book.quantity = D(quantity)
    found.orders["e"] = Order(
        client_id="e", leg=Leg.ENTRY, kind=OrderKind.LIMIT, side=side, quantity=D("0.30"), sent=0, asked=0
    )
    if stop is not None:
        found.orders["s"] = Order(
            client_id="s", leg=Leg.STOP, kind=OrderKind.STOP, side=side.opposite, quantity=D("0.5"), sent=0,
            asked=0, trigger=D(stop), state=OrderState.ACCEPTED,
        )  # fmt: skip
    return found


def test_what_is_held_in_one_sentence() -> None:
    assert held([]) == "no positions"
    found = [
        position("SOLUSDT", "0"),
        position("ETHUSDT", "0.6", stop="2700.0"),
        position("BTCUSDT", "0.50", Side.SHORT, "64000.10"),
        position("XRPUSDT", "3"),
    ]
    assert held(found) == (
        "held: BTCUSDT short 0.5, stop at 64000.1; ETHUSDT long 0.6, stop at 2700 for a part of it; "
        "SOLUSDT waits to enter, long 0.3; XRPUSDT long 3 without a stop, which is being placed"
    )
    done = position("BTCUSDT", "0")
    done.orders["e"].state = OrderState.FILLED
    assert held([done]) == "held: BTCUSDT flat, orders end"
    many = held([position(f"S{n:02}", "1", stop="1") for n in range(11)])
    assert many.endswith("S07 long 1, stop at 1 for a part of it; and 3 more")
