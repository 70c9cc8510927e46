"""The soak's judge can fail: a clean story is good, and each thing that must not be is found when planted."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest

from bus_schemas.envelope import Event
from bus_schemas.events import (
    AlertCode,
    Body,
    Candle,
    ExitReason,
    Fill,
    HaltReason,
    Leg,
    Liquidity,
    Mismatch,
    OrderChanged,
    OrderKind,
    OrderState,
    PlaceOrder,
    PositionChanged,
    PositionPhase,
    Side,
    TradeClosed,
    TradingHalted,
    VenueAlert,
)
from bus_schemas.topology import Place, Stream
from execution.simulator.faults import parse_plan
from execution.simulator.orders import SimFill, SimOrder, SimStatus
from tests.soak import books as of
from tests.soak.alarms import alarms
from tests.soak.judge import _alarms, _candles, _memory, _processes
from tests.soak.memory import growths
from tests.soak.plan import every_kind, fault_rules, kill_times, maintenance_windows, name_of
from tests.soak.protection import bare_intervals, protection, without
from tests.soak.record import Firing, Kill, Record, Sample
from tests.soak.run import Truth
from tests.soak.verdict import Check

D = Decimal
FEE, MINUTE = D("0.05"), 60_000


class Story:
    """One position: bought, protected, sold with a profit of ten."""

    def __init__(self) -> None:
        self.record = Record()
        self.record.began = 1000.0
        self.orders: list[dict[str, Any]] = []
        self.fills: list[dict[str, Any]] = []
        self.cash = D(1000)
        self.positions: list[dict[str, Any]] = []
        self.code = 0
        self._number = 0
        self.order("entry", Leg.ENTRY, Side.LONG, OrderKind.LIMIT, 1000)
        self.fill("entry", Leg.ENTRY, Side.LONG, D(0), D(1), 2000)
        self.order("stop", Leg.STOP, Side.SHORT, OrderKind.STOP, 3000, SimStatus.CANCELLED)
        self.order("close", Leg.CLOSE, Side.SHORT, OrderKind.MARKET, 9000)
        self.fill("close", Leg.CLOSE, Side.SHORT, D(10), D(0), 9000)
        self.say(self._position(PositionPhase.CLOSED, D(0)), Stream.EXECUTIONS)
        self.say(self._trade(), Stream.EXECUTIONS)

    def say(self, body: Body, stream: Stream, at: float = 1010.0, cause: str = "") -> Event:
        self._number += 1
        place = Place(stream, "MAIN")
        event = Event(place, self._number, "BTCUSDT", body, cause, "", round(at * 1e6))
        self.record.events[stream].append(event)
        return event

    def order(
        self,
        name: str,
        leg: Leg,
        side: Side,
        kind: OrderKind,
        time: int,
        status: SimStatus = SimStatus.FILLED,
    ) -> None:
        own: dict[str, Any] = {
            "client_id": name,
            "signal_id": "s",
            "symbol": "BTCUSDT",
            "side": side,
            "leg": leg,
            "kind": kind,
        }
        self.say(PlaceOrder(time=time, quantity=D(1), **own), Stream.COMMANDS)
        filled = D(1) if status is SimStatus.FILLED else D(0)
        state = OrderState.FILLED if filled else OrderState.CANCELLED
        changed = OrderChanged(time=time, state=state, quantity=D(1), filled=filled, **own)
        self.say(changed, Stream.EXECUTIONS)
        real = SimOrder(
            order_id=f"id-{name}",
            client_id=name,
            symbol="BTCUSDT",
            side=side,
            kind=kind,
            quantity=D(1),
            filled=filled,
            status=status,
            created=time,
            updated=9000,
        )
        self.orders.append(_plain(real))

    def fill(self, name: str, leg: Leg, side: Side, profit: Decimal, after: Decimal, time: int) -> None:
        own: dict[str, Any] = {
            "fill_id": f"fill-{name}",
            "client_id": name,
            "symbol": "BTCUSDT",
            "side": side,
            "price": D(100),
            "quantity": D(1),
            "fee": FEE,
            "liquidity": Liquidity.MAKER,
            "profit": profit,
            "position": after,
            "time": time,
        }
        self.fills.append(_plain(SimFill(order_id=f"id-{name}", **own)))
        self.say(Fill(signal_id="s", leg=leg, **own), Stream.EXECUTIONS)
        self.cash += profit - FEE

    def _position(self, phase: PositionPhase, quantity: Decimal) -> PositionChanged:
        return PositionChanged(
            time=9000, signal_id="s", symbol="BTCUSDT", side=Side.LONG, phase=phase, quantity=quantity,
            entry_price=D(0), reserved=D(0), stop=None, protected=True,
        )  # fmt: skip

    def _trade(self) -> TradeClosed:
        return TradeClosed(
            time=9000, signal_id="s", symbol="BTCUSDT", side=Side.LONG, quantity=D(1), entry_price=D(100),
            exit_price=D(110), profit=D(10), fees=2 * FEE, funding=D(0), net=10 - 2 * FEE,
            reason=ExitReason.FLATTEN, opened=2000,
        )  # fmt: skip

    @property
    def truth(self) -> Truth:
        state = {
            "orders": self.orders,
            "fills": self.fills,
            "funding": [],
            "account": {"cash": str(self.cash)},
            "positions": self.positions,
        }
        return Truth(
            state=state, start_cash="1000", loaded=0, said="", code=self.code, flat=True, dead={},
            namespace="n", database=Path(), rules=[],
        )  # fmt: skip

    def checks(self) -> dict[str, Check]:
        books = of.Books(self.truth)
        return {
            "orders": of.orders(self.record, books),
            "fills": of.fills(self.record, books),
            "money": of.money(self.record, books),
            "flat": of.flat(self.record, books, self.truth),
            "protection": protection(self.record, books.fills, books.every, 1.0, 0),
            "alarms": _alarms(alarms(self.record)),
            "processes": _processes(self.record, self.truth),
        }


def _plain(value: msgspec.Struct) -> dict[str, Any]:
    raw: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(value))
    return raw


def _twice_at_the_venue(story: Story) -> None:
    story.orders.append({**story.orders[0], "order_id": "another"})


def _of_nobody(story: Story) -> None:
    story.orders.append({**story.orders[0], "client_id": "who", "order_id": "another"})


def _decided_twice(story: Story) -> None:
    commands = story.record.events[Stream.COMMANDS]
    commands.append(commands[0])


def _alive_for_us(story: Story) -> None:
    changed = [e for e in story.record.events[Stream.EXECUTIONS] if isinstance(e.body, OrderChanged)]
    story.say(msgspec.structs.replace(changed[0].body, state=OrderState.UNKNOWN), Stream.EXECUTIONS)


def _a_fill_never_told(story: Story) -> None:
    said = story.record.events[Stream.EXECUTIONS]
    said.remove(next(event for event in said if isinstance(event.body, Fill)))


def _a_fill_told_twice(story: Story) -> None:
    said = story.record.events[Stream.EXECUTIONS]
    said.append(next(event for event in said if isinstance(event.body, Fill)))


def _a_fill_of_another_size(story: Story) -> None:
    story.fills[0]["quantity"] = "2"


def _money_gone(story: Story) -> None:
    story.cash -= D("0.00001")


def _a_position_left(story: Story) -> None:
    story.positions.append({"symbol": "BTCUSDT", "quantity": "1"})


def _an_order_left(story: Story) -> None:
    story.orders[1]["status"] = "waiting"


def _no_stop(story: Story) -> None:
    del story.orders[1]
    for fill in story.fills[1:]:
        fill["time"] = 2000 + 26_000


def _an_alarm_of_nothing(story: Story) -> None:
    alert = VenueAlert(time=1, symbol="*", code=AlertCode.FOREIGN_ORDER, detail="somebody")
    story.say(alert, Stream.EXECUTIONS)


def _a_death_of_its_own(story: Story) -> None:
    story.record.process("risk", 7)
    story.record.process("risk", 8)


def _a_bad_end(story: Story) -> None:
    story.code = 5


def test_a_clean_story_is_good() -> None:
    assert {name: check.wrong for name, check in Story().checks().items() if check.wrong} == {}


@pytest.mark.parametrize(
    ("plant", "found_by"),
    [
        (_twice_at_the_venue, "orders"),
        (_of_nobody, "orders"),
        (_decided_twice, "orders"),
        (_alive_for_us, "orders"),
        (_a_fill_never_told, "fills"),
        (_a_fill_told_twice, "fills"),
        (_a_fill_of_another_size, "fills"),
        (_money_gone, "money"),
        (_a_position_left, "flat"),
        (_an_order_left, "flat"),
        (_no_stop, "protection"),
        (_an_alarm_of_nothing, "alarms"),
        (_a_death_of_its_own, "processes"),
        (_a_bad_end, "processes"),
    ],
)
def test_what_must_not_be_is_found(plant: Callable[[Story], None], found_by: str) -> None:
    story = Story()
    plant(story)
    assert story.checks()[found_by].wrong


@pytest.mark.parametrize(
    ("code", "cause", "explained"),
    [
        (AlertCode.UNREACHABLE, "status_before", True),
        (AlertCode.UNREACHABLE, "ws_drop", False),
        (AlertCode.RATE_LIMITED, "rate_limit", True),
        (AlertCode.RATE_LIMITED, "maintenance", False),
        (AlertCode.SILENT_SOCKET, "silent_socket", True),
        (AlertCode.FOREIGN_FILL, "lost_reply", False),
        (AlertCode.CLOCK, "clock_skew", False),
        (AlertCode.DENIED, "status_before", False),
    ],
)
def test_an_alert_needs_a_cause_of_its_kind(code: AlertCode, cause: str, explained: bool) -> None:
    story = Story()
    story.say(VenueAlert(time=1, symbol="*", code=code, detail=""), Stream.EXECUTIONS, at=1100)
    for began in (1095, 1400, 900):  # near, later, long before
        story.record.firings = [Firing(cause, "*", began, began + 1)]
        assert bool(alarms(story.record)[0].because) == (explained and began == 1095)


def test_a_halt_is_explained_by_what_explains_its_mismatch() -> None:
    story = Story()
    mismatch = story.say(Mismatch(time=1, symbol="BTCUSDT", detail="d"), Stream.EXECUTIONS, at=1100)
    halt = TradingHalted(time=1, symbol="BTCUSDT", reason=HaltReason.MISMATCH, detail="d")
    story.say(halt, Stream.ORDERS, at=1101, cause=mismatch.id)
    assert [alarm.because for alarm in alarms(story.record)] == ["", ""]
    story.record.kills = [Kill("execution", 1, 1090)]
    assert all("kill of execution" in alarm.because for alarm in alarms(story.record))


def test_health_may_miss_a_service_that_was_killed_and_no_other() -> None:
    record = Story().record
    record.kills = [Kill("strategy", 1, 1000)]
    record.health([{"code": "service_silent", "subject": "strategy/0", "detail": ""}])
    record.health([{"code": "service_silent", "subject": "risk/0", "detail": ""}])
    for spell in record.spells:
        spell.begin = 1006
    assert {alarm.what: bool(alarm.because) for alarm in alarms(record)} == {
        "health service_silent strategy/0": True,
        "health service_silent risk/0": False,
    }


def test_a_missing_and_a_doubled_candle() -> None:
    def told(*numbers: int) -> list[str]:
        record = Record()
        for n in numbers:
            body = Candle(
                time=(n + 1) * MINUTE, symbol="BTCUSDT", timeframe="1m", open_time=n * MINUTE,
                open=1, high=1, low=1, close=1, volume=1,
            )  # fmt: skip
            record.events[Stream.CANDLES].append(Event(Place(Stream.CANDLES, "p0"), n, "BTCUSDT", body))
        return _candles(record).wrong

    assert told(1, 2, 3) == []
    assert told(1, 3)
    assert told(1, 2, 2)
    assert told()


def test_a_leak_is_seen_across_restarts_and_a_restart_is_no_leak() -> None:
    def wrong(per_hour: float) -> list[str]:
        samples = []
        for at in range(0, 3600, 10):
            pid = at // 900  # killed each quarter of an hour, and each process begins small
            age = at % 900
            samples.append(Sample("risk", pid, at, round(50e6 + min(age, 60) * 1e5 + per_hour * age / 3600)))
        return _memory(growths(samples, 0, 3600)).wrong

    assert wrong(0) == []
    assert wrong(40e6)


def test_time_without_a_stop() -> None:
    story = Story()
    fills = [msgspec.convert(raw, SimFill) for raw in story.fills]
    orders = [msgspec.convert(raw, SimOrder) for raw in story.orders]
    assert bare_intervals(fills, orders) == [(2000, 3000)]
    assert bare_intervals(fills, []) == [(2000, 9000)]
    assert without((0, 10), [(2, 4), (3, 5), (8, 20)]) == [(0, 2), (5, 8)]


def test_a_plan_is_a_function_of_its_seed_and_has_everything() -> None:
    rules = fault_rules(3600, 5)
    assert rules == fault_rules(3600, 5) != fault_rules(3600, 6)
    parse_plan({"seed": 5, "fault": [dict(rule) for rule in rules]})
    assert {name_of(rule) for rule in rules} == set(every_kind())
    assert [end - begin for begin, end in maintenance_windows(3600, 5)] == [pytest.approx(20)] * 6
    assert len(kill_times(3600, 20, 5)) == 20
    assert kill_times(3600, 20, 5) == sorted(kill_times(3600, 20, 5))
