"""One plan of the simulated venue for each kind of fault, aimed at the requests of commands.

A fault that hits every try would only show that nothing works, so those of requests hit the first, the
third, the fifth try of an operation, and so on: each command meets it, and its retry does not.
"""

from __future__ import annotations

from typing import Any

from execution.simulator.faults import Plan, parse_plan

Rules = list[dict[str, Any]]

COMMANDS = ("place", "amend", "cancel")
_TRIES = range(1, 16, 2)
_QUERIES = (1, 4)
"""A question is many requests, each of which may be hit: were all of them, an entry would be given up."""


def _tries(kind: str, *operations: str, **more: Any) -> Rules:
    return [
        {"kind": kind, "operation": operation, "nth": nth, **more}
        for operation in operations or COMMANDS
        for nth in (_TRIES if operation in COMMANDS else _QUERIES)
    ]


def _limited(**more: Any) -> Rules:
    return [
        {"kind": "rate_limit", "operation": operation, "nth": nth, **more}
        for operation in COMMANDS
        for nth in (1, 4)
    ]


FAULTS: dict[str, Rules] = {
    "none": [],
    "lost_reply": _tries("lost_reply", *COMMANDS, "look_up"),
    "lost_request": _tries("lost_request", *COMMANDS, "look_up"),
    "status_before": _tries("status", *COMMANDS, "look_up", status=503),
    "status_after": _tries("status", status=504, executed=True),
    "rate_limit": _limited(),
    "retry_after": _limited(retry_after_s=1),
    "slow": [
        {"kind": "slow", "operation": each, "delay_s": 0.15} for each in (*COMMANDS, "look_up", "fills")
    ],
    "too_late": _tries("slow", delay_s=0.8),
    "slow_reply": _tries("slow", delay_s=0.5, executed=True),
    "no_reply": _tries("slow", "place", "cancel", delay_s=2.0, executed=True),
    "ws_drop": [{"kind": "ws_drop", "every": 2}],
    "ws_duplicate": [{"kind": "ws_duplicate"}],
    "ws_reorder": [{"kind": "ws_reorder", "every": 2}],
    "ws_cut": [{"kind": "ws_cut", "every": 4}],
    "silent_socket": [{"kind": "silent_socket", "nth": 1}],
    "partial_fills": [{"kind": "partial_fills", "pieces": 5}],
    "fill_before_ack": [{"kind": "fill_before_ack", "nth": 1, "delay_s": 0.2}],
    "filled_at_once": [
        {"kind": "fill_before_ack", "nth": 1, "delay_s": 0.2},
        {"kind": "partial_fills", "nth": 1, "pieces": 1},
    ],
    "not_found": [{"kind": "not_found", "for_ms": 80}],
    "maintenance": _tries("maintenance", *COMMANDS, "look_up", "open_orders", "positions", "fills"),
    "clock_skew": [{"kind": "clock_skew", "from_s": 1.0, "until_s": 2.5, "skew_ms": 700}],
    "thin_market": [{"kind": "thin_market", "share": "0.5", "times": 2}],
}
"""By the name in the matrix."""


def plan(fault: str, seed: int = 1) -> Plan:
    """The plan of a fault.

    Raises:
        KeyError: there is none of this name.
    """
    return parse_plan({"seed": seed, "fault": FAULTS[fault]})
