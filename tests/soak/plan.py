"""What the venue does wrong during a soak: a pure function of length and seed.

The time is cut into spells. In most of them two or three kinds of faults are at work, in every fifth none.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from typing import Any

Rule = Mapping[str, Any]

SPELL_S = 30.0
QUIET = 0.2
"""Share of the spells without faults."""
MAINTENANCE_S = 20.0
MAINTENANCE_EVERY_S = 600.0

_ACTS = ("place", "cancel", "amend")

KINDS: dict[str, tuple[Rule, ...]] = {
    "lost_reply": (
        *({"kind": "lost_reply", "operation": act, "probability": 0.25} for act in _ACTS),
        {"kind": "lost_reply", "probability": 0.02},
    ),
    "lost_request": (
        *({"kind": "lost_request", "operation": act, "probability": 0.25} for act in _ACTS),
        {"kind": "lost_request", "probability": 0.02},
    ),
    "status_before": (
        *({"kind": "status", "operation": act, "probability": 0.25, "status": 502} for act in _ACTS),
        {"kind": "status", "probability": 0.02, "status": 500},
    ),
    "status_after": tuple(
        {"kind": "status", "operation": act, "probability": 0.25, "executed": True} for act in _ACTS
    ),
    "rate_limit": ({"kind": "rate_limit", "probability": 0.01, "times": 3},),
    "rate_limit_retry": ({"kind": "rate_limit", "probability": 0.01, "times": 2, "retry_after_s": 2},),
    "slow": (
        {"kind": "slow", "operation": "place", "probability": 0.3, "delay_s": 2},
        {"kind": "slow", "operation": "place", "probability": 0.2, "delay_s": 3, "executed": True},
        {"kind": "slow", "probability": 0.03, "delay_s": 1},
    ),
    "not_found": ({"kind": "not_found", "probability": 0.5, "for_ms": 60_000},),
    "partial_fills": ({"kind": "partial_fills", "probability": 0.7, "pieces": 3},),
    "fill_before_ack": ({"kind": "fill_before_ack", "probability": 0.4, "delay_s": 1},),
    "ws_drop": ({"kind": "ws_drop", "probability": 0.2},),
    "ws_duplicate": ({"kind": "ws_duplicate", "probability": 0.3},),
    "ws_reorder": ({"kind": "ws_reorder", "probability": 0.2},),
    "ws_cut": ({"kind": "ws_cut", "probability": 0.01, "times": 3},),
    "silent_socket": ({"kind": "silent_socket", "probability": 0.05, "times": 2, "for_s": 20},),
    "clock_skew": ({"kind": "clock_skew", "skew_ms": 12_000}, {"kind": "clock_skew", "skew_ms": -12_000}),
}
"""Faults by what they are called here; `maintenance` comes by the clock."""


def fault_rules(length_s: float, seed: int) -> list[Rule]:
    """The rules of a plan. Every kind comes up before one comes up again."""
    chance = random.Random(seed)
    rules: list[Rule] = []
    deck: list[str] = []
    begin = 2.0
    while begin < length_s:
        end = begin + SPELL_S * chance.uniform(0.6, 1.4)
        for name in [] if chance.random() < QUIET else _draw(deck, chance):
            picked = [chance.choice(KINDS[name])] if name == "clock_skew" else KINDS[name]
            rules += [{**rule, "from_s": round(begin, 1), "until_s": round(end, 1)} for rule in picked]
        begin = end
    for start, stop in maintenance_windows(length_s, seed):
        rules.append({"kind": "maintenance", "from_s": start, "until_s": stop})
    return rules


def maintenance_windows(length_s: float, seed: int) -> list[tuple[float, float]]:
    """When nothing works at all, seconds from the beginning: about each ten minutes, at least once."""
    chance = random.Random(f"maintenance/{seed}")
    number = max(1, round(length_s / MAINTENANCE_EVERY_S))
    each = length_s / number
    starts = [n * each + chance.uniform(0.3, 0.8) * each for n in range(number)]
    return [(round(start, 1), round(start + MAINTENANCE_S, 1)) for start in starts]


def kill_times(length_s: float, per_hour: float, seed: int) -> list[float]:
    """When a service is killed, seconds from the beginning, in order and some time apart."""
    chance = random.Random(f"kills/{seed}")
    number = round(length_s / 3600 * per_hour) or (1 if per_hour else 0)
    each = length_s / max(1, number)
    return [n * each + chance.uniform(0.2, 0.9) * each for n in range(number)]


def name_of(rule: Rule) -> str:
    """What a rule is called here, with its variants apart."""
    if rule["kind"] == "status":
        return "status_after" if rule.get("executed") else "status_before"
    if rule["kind"] == "rate_limit" and rule.get("retry_after_s") is not None:
        return "rate_limit_retry"
    return str(rule["kind"])


def every_kind() -> Sequence[str]:
    """Names of all faults that a plan may have."""
    return (*KINDS, "maintenance")


def _draw(deck: list[str], chance: random.Random) -> list[str]:
    number = chance.choice((2, 3))
    if len(deck) < number:
        fresh = list(KINDS)
        chance.shuffle(fresh)
        deck[:0] = fresh
    return [deck.pop() for _ in range(number)]
