"""An exit that the venue refuses: tried again at a bounded rate, never given up, always told."""

from __future__ import annotations

from itertools import pairwise

import pytest

from bus_schemas.events import Acknowledge, ExitReason, FlattenApproved, KillSwitch, Mismatch, TradeClosed
from tests.unit.execution.desk import D, Desk
from tests.unit.execution.world import SYMBOL


def refused_exit() -> Desk:
    """A position whose stop was refused, and then its closing order as often as it may be at once."""
    desk = Desk().approve().ack("e1").fill("e1", "2").reject("s1", "would_trigger")
    for name in ("c1", "c2", "c3"):
        desk.reject(name)
    return desk


def refuse_for(desk: Desk, minutes: int) -> list[tuple[int, str]]:
    """Refuse every further stop and closing order; the minute at which each was placed."""
    seen, made = set(desk.placed), []
    for minute in range(1, minutes + 1):
        desk.tick(60)
        for name in desk.placed:
            if name not in seen:
                seen.add(name)
                made.append((minute, name))
                desk.reject(name, "would_trigger" if name[0] == "s" else "other")
    return made


def test_a_refused_close_is_bounded_and_told() -> None:
    desk = refused_exit()
    assert desk.placed[-1] == "c3"
    assert "2 stay open" in desk.bodies(Mismatch)[-1].detail
    told = len(desk.bodies(Mismatch))
    made = refuse_for(desk, 300)
    closes = [minute for minute, name in made if name[0] == "c"]
    assert closes == [1, 3, 7, 15, 31, 63, 123, 183, 243]  # ever slower, at least once an hour
    assert [minute for minute, name in made if name[0] == "s"] == closes
    assert len(desk.bodies(Mismatch)) == told + len(closes)
    assert sum(map(len, desk.stored["manager"].values())) < 10_000


def test_a_refused_close_goes_on_until_the_stop_or_the_close_is_taken() -> None:
    desk = refused_exit().tick(59)
    assert desk.placed[-1] == "c3"
    desk.tick(1)
    assert desk.placed[-2:] == ["s2", "c4"]
    desk.ack("s2").reject("c4")
    assert desk.position.protected
    desk.tick(120)
    assert desk.placed[-1] == "c5"
    desk.fill("c5", "2").cancelled("s2")
    assert desk.position.phase.value == "closed"


@pytest.mark.parametrize(
    "word",
    [
        Acknowledge(time=9, by="me"),
        Acknowledge(time=9, by="me", symbol=SYMBOL),
        FlattenApproved(time=9, symbol=SYMBOL, request_id="r"),
        KillSwitch(time=9, reason="x", by="me", flatten=True),
    ],
    ids=["acknowledge", "acknowledge_symbol", "flatten", "kill"],
)
def test_a_persons_word_tries_a_refused_exit_at_once(
    word: Acknowledge | FlattenApproved | KillSwitch,
) -> None:
    desk = refused_exit()
    desk.order(word) if isinstance(word, FlattenApproved) else desk.control(word)
    assert desk.placed[-2:] == ["s2", "c4"]
    desk.reject("c4").reject("c5")
    assert desk.placed[-1] == "c6"  # counted anew


def test_a_word_about_another_symbol_tries_nothing() -> None:
    assert refused_exit().control(Acknowledge(time=9, by="me", symbol="YUSDT")).placed[-1] == "c3"


def flattening() -> Desk:
    desk = Desk().open()
    desk.report(FlattenApproved(time=desk.time, symbol="*", request_id="r"))
    return desk.cancelled("t11").cancelled("t21")


def test_a_close_that_fills_in_parts_is_asked_for_again_at_once_and_then_every_second() -> None:
    desk = flattening()
    for number in range(1, 4):
        desk.fill(f"c{number}", "0.3").cancelled(f"c{number}", "0.3")
        assert desk.placed[-1] == (f"c{number + 1}" if number < 3 else "c3")
    for number in range(4, 7):
        desk.tick(1)
        assert desk.placed[-1] == f"c{number}"
        desk.cancelled(f"c{number}", "0.1").fill(f"c{number}", "0.1")  # told in either order
        assert desk.placed[-1] == f"c{number}"
    assert desk.bodies(Mismatch) == []
    desk.tick(1).fill("c7", "0.8").cancelled("s1")
    assert desk.position.phase.value == "closed"


def test_a_close_that_finds_no_market_is_asked_for_again_within_half_a_minute() -> None:
    desk = flattening()
    for name in ("c1", "c2", "c3"):
        desk.cancelled(name)
    asked, passed = [], 0
    while passed < 600:
        before = len(desk.placed)
        desk.tick(1)
        passed += 1
        if len(desk.placed) > before:
            asked.append(passed)
            desk.cancelled(desk.placed[-1])
    assert asked[:7] == [1, 3, 7, 15, 31, 61, 91]
    assert {b - a for a, b in pairwise(asked[5:])} == {30}
    told = [body.detail for body in desk.bodies(Mismatch)]
    assert [detail.split()[5] for detail in told] == ["3", "6", "12", "24"]
    assert "2 stay open" in told[0]
    desk.report(FlattenApproved(time=desk.time, symbol="*", request_id="r2"))
    assert desk.placed[-1] == f"c{4 + len(asked)}"  # a person's word does not wait


def test_a_close_in_a_thin_market_that_gets_on_waits_a_second_again() -> None:
    desk = flattening()
    for name in ("c1", "c2", "c3"):
        desk.cancelled(name)
    for name, seconds in (("c4", 1), ("c5", 2), ("c6", 4)):
        assert desk.tick(seconds).placed[-1] == name
        desk.cancelled(name)
    desk.tick(8).fill("c7", "0.1").cancelled("c7", "0.1")
    assert desk.tick(1).placed[-1] == "c8"


def test_a_close_that_is_refused_for_want_of_a_market_is_asked_again_as_soon() -> None:
    desk = flattening()
    for name in ("c1", "c2", "c3"):
        desk.reject(name, "no_liquidity")
    for name, seconds in (("c4", 1), ("c5", 2), ("c6", 4)):
        assert desk.tick(seconds).placed[-1] == name
        desk.reject(name, "no_liquidity")


@pytest.mark.parametrize("early", [False, True], ids=["fill_first", "end_first"])
def test_what_is_left_of_a_stop_that_the_market_took_in_part_is_closed_at_once(early: bool) -> None:
    desk = Desk().open()
    if early:
        desk.cancelled("s1", "0.8").fill("s1", "0.8")
    else:
        desk.fill("s1", "0.8").cancelled("s1", "0.8")
    assert desk.placed[-1] == "c1"
    assert "s2" not in desk.placed
    assert desk.command_of("c1").quantity == D("2" if early else "1.2")
    desk.cancelled("t11").cancelled("t21").fill("c1", "1.2")
    if early:
        desk.cancelled("c1", "1.2")  # nothing is left to reduce
    (trade,) = desk.bodies(TradeClosed)
    assert (trade.reason, trade.quantity) == (ExitReason.STOP, 2)
    assert desk.bodies(Mismatch) == []


def test_what_the_market_took_in_part_counts_also_where_the_order_was_in_doubt() -> None:
    desk = Desk().open().not_found("s1").cancelled("s1", "0.8").fill("s1", "0.8")
    assert desk.placed[-1] == "c1"
    for name in ("c1", "c2", "c3"):
        desk.ack(name).not_found(name).cancelled(name)
    assert desk.placed[-1] == "c3"
    assert desk.tick(1).placed[-1] == "c4"


def test_an_adopted_position_whose_stop_the_market_took_in_part_is_closed_too() -> None:
    desk = Desk().account("2").tick(11).account("2").ack("s1")
    desk.fill("s1", "0.8").cancelled("s1", "0.8")
    assert desk.command_of("c1").quantity == D("1.2")


def test_a_stop_that_was_cancelled_without_a_fill_is_placed_again() -> None:
    desk = Desk().open().cancelled("s1")
    assert desk.placed[-1] == "s2"
    assert "c1" not in desk.placed


def test_an_adopted_position_whose_stop_is_refused_is_told_and_never_closed() -> None:
    desk = Desk().account("2").tick(11).account("2")
    for number in range(1, 4):
        desk.reject(f"s{number}")
    desk.tick(120, step=5)
    assert not [name for name in desk.placed if name.startswith("c")]
    told = [body.detail for body in desk.bodies(Mismatch) if "refused" in body.detail]
    assert len(told) == 1
    assert len([name for name in desk.placed if name.startswith("s")]) > 3  # it is asked for again
