"""What a fault plan may say, and when its faults happen."""

from __future__ import annotations

import re
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from bus_schemas.errors import ConfigurationError
from bus_schemas.events import OrderKind, Side
from execution.simulator.faults import FaultKind, Plan, parse_plan, read_plan
from execution.simulator.faults_at_work import Faults
from execution.simulator.orders import Code, SimOrder
from execution.simulator.protocol import Operation

PLACE, CANCEL = Operation.PLACE, Operation.CANCEL


def plan(*rules: dict[str, Any], seed: int = 0) -> Plan:
    return parse_plan({"seed": seed, "fault": list(rules)})


def fired(faults: Faults, count: int, operation: Operation = PLACE, protocol: str = "p") -> list[int]:
    """Numbers of the requests, from 1, that something happened to."""
    hits = [bool(faults.request(protocol, "POST", "/v1/order", operation)) for _ in range(count)]
    return [number for number, hit in enumerate(hits, 1) if hit]


WRONG: list[tuple[Any, str]] = [
    ([], "Expected `object`"),
    ({"faults": []}, "unknown field `faults`"),
    ({"fault": "slow"}, "Expected `array`"),
    ({"fault": ["slow"]}, "Expected `object`, got `str` - at `fault 1`"),
    (
        {"fault": [{"kind": "slow"}, {"kind": "earthquake"}]},
        f"fault 2: there is no kind 'earthquake'; there are {', '.join(FaultKind)}",
    ),
    ({"fault": [{"kind": ["slow"]}]}, "fault 1: there is no kind ['slow']; there are lost_reply, "),
    ({"fault": [{}]}, "fault 1: it has no kind; there are lost_reply, lost_request, "),
    ({"fault": [{"kind": "slow", "colour": 1}]}, "it has no colour; it may have delay_s, every, executed, "),
    ({"fault": [{"kind": "slow", "nth": "two"}]}, "Expected `int | null`, got `str` - at `fault 1.nth`"),
    ({"fault": [{"kind": "slow"}, {"kind": "slow", "pieces": 2}]}, "fault 2 (slow): it has no pieces"),
    ({"fault": [{"kind": "ws_drop", "operation": "place"}]}, "(ws_drop): it has no operation"),
    ({"fault": [{"kind": "lost_reply", "topic": "fill"}]}, "it has no topic"),
    ({"fault": [{"kind": "clock_skew", "nth": 1}]}, "it has no nth"),
    ({"fault": [{"kind": "slow", "nth": 1, "every": 2}]}, "only one of nth, every and probability"),
    ({"fault": [{"kind": "slow", "nth": 0}]}, "nth must be at least 1"),
    ({"fault": [{"kind": "slow", "probability": 1.5}]}, "probability must be from 0 to 1"),
    ({"fault": [{"kind": "slow", "delay_s": -1}]}, "delay_s must not be below 0"),
    ({"fault": [{"kind": "thin_market", "share": "1.5"}]}, "share must be from 0 to 1"),
    ({"fault": [{"kind": "thin_market", "share": "NaN"}]}, "share must be from 0 to 1"),
    ({"fault": [{"kind": "thin_market", "operation": "place"}]}, "(thin_market): it has no operation"),
    (
        {"fault": [{"kind": "thin_market", "order": "limit"}]},
        "fault 1 (thin_market): there is no order 'limit'; there are market, stop",
    ),
    ({"fault": [{"kind": "status", "status": 200}]}, "status must be from 400 to 599"),
    (
        {"fault": [{"kind": "refuse", "code": "mood"}]},
        f"fault 1 (refuse): there is no code 'mood'; there are {', '.join(Code)}",
    ),
    (
        {"fault": [{"kind": "slow", "operation": "plaice"}]},
        f"fault 1 (slow): there is no operation 'plaice'; there are {', '.join(Operation)}",
    ),
    (
        {"fault": [{"kind": "ws_drop", "topic": "fil"}]},
        "fault 1 (ws_drop): there is no topic 'fil'; there are order, fill, balance, ticker, candle, trade",
    ),
    (
        {"fault": [{"kind": "ws_drop", "protocol": "bianceusdm"}]},
        "fault 1 (ws_drop): there is no protocol 'bianceusdm'; there are krakenfutures, binanceusdm",
    ),
]


@pytest.mark.parametrize(("data", "words"), WRONG)
def test_what_no_plan_can_say(data: Any, words: str) -> None:
    with pytest.raises(ConfigurationError, match=re.escape(words)):
        parse_plan(data, ("krakenfutures", "binanceusdm"))


def test_words_with_a_pattern_in_them_are_right_where_one_is_meant() -> None:
    given = [
        {"kind": "slow", "protocol": "binance*", "operation": "*order*"},
        {"kind": "ws_drop", "topic": "[bf]*"},
        {"kind": "ws_cut", "topic": ""},
    ]
    assert len(parse_plan({"fault": given}, ("krakenfutures", "binanceusdm")).fault) == 3


def test_a_plan_is_read_from_toml_and_json(tmp_path: Path) -> None:
    toml, json = tmp_path / "plan.toml", tmp_path / "plan.json"
    toml.write_text('seed = 7\n[[fault]]\nkind = "lost_reply"\noperation = "place"\nnth = 2\n')
    json.write_text('{"seed": 7, "fault": [{"kind": "lost_reply", "operation": "place", "nth": 2}]}')
    assert (
        read_plan(toml)
        == read_plan(json)
        == plan({"kind": "lost_reply", "operation": "place", "nth": 2}, seed=7)
    )


@pytest.mark.parametrize("text", ["seed = ", 'fault = "x"', "\x00"])
def test_a_file_that_is_no_plan_is_named(tmp_path: Path, text: str) -> None:
    path = tmp_path / "plan.toml"
    path.write_text(text)
    with pytest.raises(ConfigurationError, match=r"plan\.toml"):
        read_plan(path)
    with pytest.raises(ConfigurationError, match="No such file"):
        read_plan(tmp_path / "none.toml")


WHEN: list[tuple[dict[str, Any], list[int]]] = [
    ({}, [1, 2, 3, 4, 5, 6]),
    ({"nth": 3}, [3]),
    ({"nth": 3, "times": 2}, [3, 4]),
    ({"every": 2}, [2, 4, 6]),
    ({"every": 2, "times": 1}, [2]),
    ({"times": 2}, [1, 2]),
    ({"probability": 0}, []),
    ({"protocol": "q"}, []),
    ({"operation": "cancel"}, []),
    ({"operation": "pl*", "path": "/v1/*", "method": "POST"}, [1, 2, 3, 4, 5, 6]),
    ({"method": "GET"}, []),
]


@pytest.mark.parametrize(("keys", "numbers"), WHEN)
def test_when_a_fault_happens(keys: dict[str, Any], numbers: list[int]) -> None:
    assert fired(Faults(plan({"kind": "lost_request", **keys})), 6) == numbers


def test_chance_is_seeded() -> None:
    def run(seed: int) -> list[int]:
        return fired(Faults(plan({"kind": "slow", "probability": 0.3}, seed=seed)), 200)

    assert run(1) == run(1) != run(2)
    assert 30 < len(run(1)) < 90


def test_a_window_counts_from_the_loading_of_the_plan() -> None:
    moments = iter([100.0, 200.0, 205.0, 210.0, 219.9, 220.0])
    faults = Faults(monotonic=lambda: next(moments))
    faults.load(plan({"kind": "slow", "from_s": 10, "until_s": 20}))
    assert [len(fired(faults, 1)) for _ in range(4)] == [0, 1, 1, 0]


def test_what_is_done_to_orders_happens_to_placing_alone() -> None:
    for kind in ("refuse", "partial_fills", "not_found", "fill_before_ack"):
        faults = Faults(plan({"kind": kind}))
        assert fired(faults, 2, CANCEL) == []
        assert fired(faults, 2, PLACE) == [1, 2]


def test_a_thin_market_counts_orders_as_they_meet_the_price() -> None:
    def order(kind: OrderKind, origin: str = "") -> SimOrder:
        return SimOrder(
            order_id="1",
            client_id="c",
            symbol="S",
            side=Side.LONG,
            kind=kind,
            quantity=Decimal(1),
            origin=origin,
        )

    market, stop = order(OrderKind.MARKET), order(OrderKind.STOP)
    became = order(OrderKind.MARKET, "algo")  # what a stop became where they are kept apart
    faults = Faults(plan({"kind": "thin_market", "order": "stop", "share": 0.4, "nth": 2, "times": 2}))
    assert fired(faults, 5) == []
    takes = [faults.liquidity("p", each) for each in (market, stop, became, market, stop, stop)]
    assert takes == [1, 1, Decimal("0.4"), 1, Decimal("0.4"), 1]
    faults = Faults(plan({"kind": "thin_market", "order": "market", "share": "0", "protocol": "q"}))
    assert [faults.liquidity(p, each) for p in "pq" for each in (market, became)] == [1, 1, 0, 1]


def test_a_protocol_s_own_talk_is_cut_or_silenced_but_never_lost() -> None:
    kinds = ("ws_drop", "ws_duplicate", "ws_reorder", "ws_cut", "silent_socket")
    faults = Faults(plan(*({"kind": kind} for kind in kinds)))
    assert [r.kind for r in faults.message("p", "")] == [FaultKind.WS_CUT, FaultKind.SILENT_SOCKET]
    assert len(faults.message("p", "fill")) == 5
    assert faults.request("p", "GET", "/", Operation.TIME) == []


def test_skew_holds_in_its_window() -> None:
    now = 0.0
    faults = Faults(plan({"kind": "clock_skew", "skew_ms": 500, "until_s": 5}), lambda: now)
    assert faults.skew() == 500
    now = 5.0
    assert faults.skew() == 0


def test_the_report_counts() -> None:
    faults = Faults(plan({"kind": "slow", "nth": 2}))
    fired(faults, 3)
    assert faults.report() == [{"kind": "slow", "nth": 2, "matched": 3, "fired": 1}]
