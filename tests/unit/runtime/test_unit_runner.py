"""A unit at work: one commit a batch, bounded attempts, and nothing acted on that does not follow."""

from __future__ import annotations

import pytest

from bus_schemas import journal
from bus_schemas.codec import decode
from bus_schemas.envelope import trace_of
from bus_schemas.errors import CounterMismatch, Fenced, NumberMismatch, SequenceGap
from tests.support.hands import owner
from tests.unit.runtime.toy import CANDLES, EXECUTIONS, MARKS, ORDERS, RISK, SIGNALS, STRATEGY, Bench


def test_a_batch_is_decided_and_committed() -> None:
    bench = Bench()
    bench.put(CANDLES, "A", "B", "A")
    assert bench.work() == 3
    assert bench.wrote() == [("A", "echo"), ("B", "echo"), ("A", "echo")]
    assert bench.bus.state(STRATEGY) == {"A": b"2", "B": b"1"}
    assert bench.bus.positions(STRATEGY) == {CANDLES: 3}
    assert (bench.counters.events, bench.counters.outputs, bench.counters.commits) == (3, 3, 1)


def test_an_output_names_its_cause_and_takes_on_its_trace() -> None:
    bench = Bench()
    bench.put(CANDLES, "A")
    bench.raw(CANDLES, {**bench.bus.range(CANDLES, 0, 1)[0].fields, b"trace": b"f" * 32})
    bench.work()
    first, second = (decode(*entry) for entry in bench.bus.range(SIGNALS, 0, 2))
    assert (first.cause, first.trace) == ("candles.p0.1", trace_of("candles.p0.1"))
    assert (second.cause, second.trace) == ("candles.p0.2", "f" * 32)


def test_positions_move_also_where_nothing_follows() -> None:
    bench = Bench()
    bench.put(CANDLES, "QUIET")
    bench.work()
    assert bench.wrote() == []
    assert bench.bus.positions(STRATEGY) == {CANDLES: 1}


def test_any_batch_size_gives_the_same() -> None:
    stored = []
    for limit in (1, 2, 100):
        bench = Bench()
        bench.put(CANDLES, *"ABCABCA")
        while bench.work(limit):
            pass
        stored.append((bench.wrote(), bench.bus.state(STRATEGY)))
    assert stored[0] == stored[1] == stored[2]


def test_a_failure_repeats_the_whole_batch_from_the_stored_state() -> None:
    bench = Bench()
    bench.put(CANDLES, "A", "FAIL2", "B")
    bench.work()
    assert bench.toy.seen == ["A", "FAIL2", "A", "FAIL2", "A", "FAIL2", "B"]
    assert bench.wrote() == [("A", "echo"), ("FAIL2", "echo"), ("B", "echo")]
    assert bench.bus.state(STRATEGY) == {"A": b"1", "FAIL2": b"1", "B": b"1"}
    assert (bench.counters.retries, bench.counters.dead_letters) == (2, 0)


@pytest.mark.parametrize("attempts", [1, 3])
def test_what_never_works_goes_to_the_dead_letters_in_the_same_commit(attempts: int) -> None:
    bench = Bench(attempts=attempts)
    bench.put(CANDLES, "A", "FAIL", "B")
    bench.work()
    assert bench.toy.seen.count("FAIL") == attempts
    (letter,) = bench.bus.dead_letters(STRATEGY)
    assert (letter.place, letter.seq, letter.attempts) == (CANDLES, 2, attempts)
    assert letter.error == "ValueError: cannot take FAIL nor anything like it \\udc80"
    assert bench.wrote() == [("A", "echo"), ("FAIL", f"candles.p0.2 {letter.error}"), ("B", "echo")]
    assert bench.bus.state(STRATEGY) == {"A": b"1", "B": b"1"}
    assert bench.bus.positions(STRATEGY) == {CANDLES: 3}
    assert bench.counters.commits == 1


def test_a_dead_letter_can_be_put_back_as_it_was() -> None:
    bench = Bench()
    bench.put(CANDLES, "FAIL")
    fields = bench.bus.range(CANDLES, 0, 1)[0].fields
    bench.work()
    assert bench.bus.dead_letters(STRATEGY)[0].fields == fields


def test_several_failures_of_one_batch_each_have_their_attempts() -> None:
    bench = Bench(attempts=2, dead_in_row=9)
    bench.put(CANDLES, "FAIL1", "FAIL", "A", "FAIL99")
    bench.work()
    assert [letter.seq for letter in bench.bus.dead_letters(STRATEGY)] == [2, 4]
    assert [key for key, _ in bench.wrote()] == ["FAIL1", "FAIL", "A", "FAIL99"]


def test_entries_must_follow_the_position() -> None:
    bench = Bench()
    bench.put(CANDLES, "A", "B", "C", "D")
    first, second, third, fourth = bench.bus.range(CANDLES, 0, 9)
    assert bench.runner.follows([first, second])
    assert not bench.runner.follows([second])
    assert not bench.runner.follows([first, third])
    assert not bench.runner.follows([entry._replace(place=MARKS) for entry in (first,)])
    with pytest.raises(SequenceGap):
        bench.runner.process([first, third], 100)
    assert bench.toy.seen == []
    bench.runner.process([first, second], 100)
    with pytest.raises(SequenceGap):
        bench.runner.process([second, third], 100)
    bench.runner.process([third, fourth], 100)
    assert [key for key, _ in bench.wrote()] == list("ABCD")


def test_several_streams_must_each_follow() -> None:
    bench = Bench(RISK)
    bench.put(MARKS, "A", "B")
    bench.put(EXECUTIONS, "C")
    marks, others = bench.bus.range(MARKS, 0, 9), bench.bus.range(EXECUTIONS, 0, 9)
    assert bench.runner.follows([*others, *marks])
    assert not bench.runner.follows([*others, marks[1]])


def test_only_a_reader_of_several_streams_keeps_a_journal() -> None:
    single, several = Bench(STRATEGY), Bench(RISK)
    single.put(CANDLES, "A")
    single.work()
    assert single.bus.journal(STRATEGY, 0, 9) == []
    several.put(MARKS, "A", "B", time=5)
    several.put(EXECUTIONS, "C", time=5)
    several.put(SIGNALS, "D", time=4)
    several.work()
    several.put(MARKS, "E")
    several.work()
    rows = several.bus.journal(RISK, 0, 9)
    assert [number for number, _ in rows] == [1, 2]
    taken = [f"{place}.{seq}" for place, seq in journal.flattened(text for _, text in rows)]
    assert taken == ["signals.p0.1", "executions.MAIN.1", "marks.p0.1", "marks.p0.2", "marks.p0.3"]
    assert [key for key, _ in several.wrote(ORDERS)] == list("DCABE")


def test_after_a_reload_it_goes_on_where_the_store_is() -> None:
    bench = Bench()
    bench.put(CANDLES, "A")
    bench.work()
    successor = Bench(memory=bench.memory)
    bench.put(CANDLES, "A")
    successor.work()
    assert successor.bus.state(STRATEGY) == {"A": b"2"}
    with pytest.raises(Fenced):
        bench.work()
    assert len(bench.wrote()) == 2


def test_nothing_is_committed_where_the_store_has_moved_on() -> None:
    for what, error in (("counter", CounterMismatch), ("tip", NumberMismatch)):
        bench = Bench()
        bench.put(CANDLES, "A")
        if what == "counter":
            bench.memory.unit(STRATEGY).counter += 2
        else:
            bench.put(SIGNALS, "foreign")
        before = len(bench.wrote())
        with pytest.raises(error):
            bench.work()
        assert len(bench.wrote()) == before
        assert bench.bus.positions(STRATEGY) == {CANDLES: 0}
        bench.reload()
        bench.work()
        assert bench.bus.state(STRATEGY) == {"A": b"1"}


def test_a_lease_that_somebody_else_took_stops_the_first_commit() -> None:
    bench = Bench()
    bench.put(CANDLES, "A")
    bench.memory.unit(STRATEGY).lease = None
    assert bench.bus.acquire(STRATEGY, owner("other"))
    with pytest.raises(Fenced):
        bench.work()
    assert bench.wrote() == []
