"""Every alarm beside the fault or the kill that explains it. What nothing explains is wrong.

An explanation is a cause that can lead to such an alarm and lies close before it. The lists are short on
purpose: a status that nobody knows, an order or a fill of somebody else, a key that is refused or a clock
that is off have no cause here, whatever else went wrong in the same minute.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from bus_schemas.events import (
    AlertCode,
    HaltReason,
    Mismatch,
    SymbolHalted,
    TradingHalted,
    VenueAlert,
)
from bus_schemas.topology import Stream
from tests.soak.plan import every_kind
from tests.soak.record import Record
from tests.soak.verdict import Alarm

KILL = "kill"
NO_ANSWER = ("maintenance", "lost_reply", "lost_request", "status_before", "status_after", "slow")
LIMITED = ("rate_limit", "rate_limit_retry")
DEAF = ("ws_drop", "ws_reorder", "silent_socket", "ws_cut")
LATE = 3.0
"""A firing is noted, and an event stamped, by clocks that look at each other twice a second."""


class Cause(msgspec.Struct, frozen=True):
    """What may lead to an alarm, and for how many seconds after it ends."""

    names: tuple[str, ...]
    within_s: float


ALERTS: dict[AlertCode, Cause] = {
    AlertCode.UNREACHABLE: Cause(NO_ANSWER, 30),
    AlertCode.RATE_LIMITED: Cause(LIMITED, 15),
    AlertCode.SILENT_SOCKET: Cause(DEAF, 60),
}
MISMATCH = Cause((*NO_ANSWER, *LIMITED, "not_found", KILL), 60)
UNPROTECTED = Cause((*NO_ANSWER, *LIMITED, KILL), 90)
REASONS: dict[str, Cause] = {
    "position_unprotected": Cause((*NO_ANSWER, *LIMITED, KILL), 60),
    "lag_growing": Cause((KILL, *NO_ANSWER, *LIMITED), 30),
    "bus_unreachable": Cause((), 0),
}


def alarms(record: Record) -> list[Alarm]:
    """All of them, in order of time."""
    found = [*_alerts(record), *_mismatches(record), *_halts(record), *_reasons(record)]
    return sorted(found, key=lambda alarm: alarm.at)


def _alerts(record: Record) -> Iterator[Alarm]:
    for event, body in record.said(VenueAlert, Stream.EXECUTIONS):
        at = event.sent / 1e6
        because = _because(record, ALERTS.get(body.code), at)
        yield _alarm(record, f"alert {body.code.value} {body.symbol}", body.detail, at, because)
    for event, halted in record.said(SymbolHalted, Stream.EXECUTIONS):
        yield _alarm(record, f"symbol halted {halted.symbol}", halted.detail, event.sent / 1e6, "")


def _mismatches(record: Record) -> Iterator[Alarm]:
    for event, body in record.said(Mismatch, Stream.EXECUTIONS):
        at = event.sent / 1e6
        yield _alarm(record, f"mismatch {body.symbol}", body.detail, at, _because(record, MISMATCH, at))


def _halts(record: Record) -> Iterator[Alarm]:
    causes = {event.id: event.sent / 1e6 for event, _ in record.said(Mismatch, Stream.EXECUTIONS)}
    for event, body in record.said(TradingHalted, Stream.ORDERS):
        at, because = event.sent / 1e6, ""
        if body.reason is HaltReason.MISMATCH and event.cause in causes:
            because = _because(record, MISMATCH, causes[event.cause])
            because = because and f"mismatch: {because}"
        elif body.reason is HaltReason.UNPROTECTED:
            because = _because(record, UNPROTECTED, at)
        elif body.reason is HaltReason.OPERATOR:
            because = "we ended the soak" if "end of the soak" in body.detail else ""
        yield _alarm(record, f"halt {body.symbol} {body.reason.value}", body.detail, at, because)


def _reasons(record: Record) -> Iterator[Alarm]:
    for spell in record.spells:
        because = ""
        if spell.code == "service_silent":
            service = spell.subject.partition("/")[0]
            because = next(
                (
                    f"kill of {kill.service} at {kill.at - record.began:.0f} s"
                    for kill in record.kills
                    if kill.service == service and kill.at - LATE <= spell.begin <= kill.at + 20
                ),
                "",
            )
        else:
            because = _because(record, REASONS.get(spell.code), spell.begin)
        lasted = f"{spell.detail} (for {spell.end - spell.begin:.0f} s)"
        yield _alarm(record, f"health {spell.code} {spell.subject}", lasted, spell.begin, because)


def _alarm(record: Record, what: str, detail: str, at: float, because: str) -> Alarm:
    return Alarm(what=what, detail=detail, at=at - record.began, because=because)


def _because(record: Record, cause: Cause | None, at: float) -> str:
    """The nearest cause in time, in words; empty for none."""
    if cause is None:
        return ""
    found = [
        (max(0.0, at - firing.until), f"{firing.name} of {firing.operation}", firing.at)
        for firing in record.firings
        if firing.name in cause.names and firing.at - LATE <= at <= firing.until + cause.within_s
    ]
    if KILL in cause.names:
        found += [
            (at - kill.at, f"kill of {kill.service}", kill.at)
            for kill in record.kills
            if kill.at - LATE <= at <= kill.at + cause.within_s
        ]
    if not found:
        return ""
    _, name, began = min(found)
    return f"{name} at {began - record.began:.0f} s"


def never_fired(record: Record) -> list[str]:
    """Kinds of faults that were planned for nothing."""
    return sorted(set(every_kind()) - {firing.name for firing in record.firings})
