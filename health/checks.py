"""What makes the system unhealthy, and what is only worth a warning: pure functions of the fleet.

The kill switch and risk's halts are warnings, not reasons: they are the system doing its work, and the
page that shows them must not be taken away by a load balancer while a person needs it.
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum

import msgspec

from bus_schemas.timeframes import iso
from health.fleet import STOPPING, Fleet

UNKNOWN_S = 60.0
"""An order of unknown fate for longer is worth a word: look-ups usually settle it within seconds."""


class Code(StrEnum):
    """Closed list of reasons and warnings."""

    BUS_UNREACHABLE = "bus_unreachable"
    SERVICE_SILENT = "service_silent"
    LAG_HIGH = "lag_high"
    LAG_GROWING = "lag_growing"
    DEAD_LETTER = "dead_letter"
    POSITION_UNPROTECTED = "position_unprotected"
    LEDGER_FAULT = "ledger_fault"
    LEDGER_BEHIND = "ledger_behind"
    STARTING = "starting"
    KILL_SWITCH = "kill_switch"
    HALTED = "halted"
    REDUCE_ONLY = "reduce_only"
    LEDGER_MISSED = "ledger_missed"
    ORDER_UNKNOWN = "order_unknown"
    VENUE_UNREACHABLE = "venue_unreachable"
    DATA_SILENT = "data_silent"


class Reason(msgspec.Struct, frozen=True):
    """One finding.

    Attributes:
        code: what kind.
        subject: the service, unit or symbol that it is about; empty for the whole system.
        detail: in words, with the figures.
    """

    code: Code
    subject: str
    detail: str


def unhealthy(fleet: Fleet, now: float) -> list[Reason]:
    """Why the trading system is not healthy; empty if it is. In order of the checks, then by subject."""
    checks = (_bus, _services, _lags, _dead_letters, _positions, _venue, _data, _ledger)
    return [reason for check in checks for reason in check(fleet, now)]


def unready(fleet: Fleet, now: float) -> list[Reason]:
    """`unhealthy`, and before the first full look at bus and streams that health is starting."""
    reasons = unhealthy(fleet, now)
    if fleet.look is None:
        reasons.append(Reason(Code.STARTING, "health", "the bus has not been looked at yet"))
    elif not fleet.ledger.caught_up:
        detail = f"the ledger reads what was written before: {fleet.ledger_behind()} events to go"
        reasons.append(Reason(Code.STARTING, "health", detail))
    return reasons


def warnings(fleet: Fleet, now: float) -> list[Reason]:
    """What a person should know although the system works as meant."""
    found: list[Reason] = []
    trading = fleet.trading
    if trading.kill_switch is not None:
        by, why = trading.kill_switch["by"], trading.kill_switch["detail"]
        found.append(Reason(Code.KILL_SWITCH, "*", f"latched by {by}: {why}. Acknowledge it to trade again"))
    for halt in trading.active_halts():
        until = f"until {iso(halt['until'])}" if halt["until"] else "until a person acknowledges"
        detail = f"{halt['reason']}, {until}: {halt['detail']}"
        found.append(Reason(Code.HALTED, halt["symbol"], detail))
    if trading.reduce_only:
        found.append(Reason(Code.REDUCE_ONLY, "*", "positions may shrink, none may open"))
    found += _stale(fleet, now)
    for client_id, order in sorted(trading.venue.unknown.items()):
        age = now - order.since
        if age > UNKNOWN_S:
            detail = f"the fate of {order.leg} order {client_id} is unknown since {age:.0f} s"
            found.append(Reason(Code.ORDER_UNKNOWN, order.symbol, detail))
    if fleet.ledger.missed:
        detail = f"{fleet.ledger.missed} events were trimmed from the bus before the ledger read them"
        found.append(Reason(Code.LEDGER_MISSED, "ledger", detail))
    return found


def _stale(fleet: Fleet, now: float) -> Iterator[Reason]:
    for replica in fleet.live("market_data", now):
        gauges = replica.beat.gauges
        silent, all_ = gauges.get("silent_symbols", 0.0), gauges.get("symbols", 0.0)
        if 0 < silent < all_:
            detail = f"{silent:.0f} of {all_:.0f} symbols have no fresh data; their entries wait"
            yield Reason(Code.DATA_SILENT, f"market_data/{replica.slot}", detail)


def _bus(fleet: Fleet, now: float) -> Iterator[Reason]:
    silence = now - fleet.looked
    if fleet.bus_fault:
        yield Reason(Code.BUS_UNREACHABLE, "bus", f"{fleet.bus_fault}; last seen {silence:.0f} s ago")
    elif silence > fleet.settings.silent_after_s + fleet.settings.sample_s:
        yield Reason(Code.BUS_UNREACHABLE, "bus", f"no answer for {silence:.0f} s")


def _services(fleet: Fleet, now: float) -> Iterator[Reason]:
    if fleet.bus_fault:
        return  # heartbeats come over the bus: whether a service lives cannot be told
    limit = fleet.settings.silent_after_s
    expected = dict.fromkeys(fleet.settings.expect)
    for service in sorted(expected | dict.fromkeys(name for name, _ in fleet.replicas)):
        replicas = [r for _, r in sorted(fleet.replicas.items()) if r.service == service]
        if not replicas and now - fleet.started > limit:
            yield Reason(
                Code.SERVICE_SILENT, service, f"no heartbeat since health started; limit {limit:g} s"
            )
        for replica in replicas:
            name = f"{service}/{replica.slot}"
            if replica.beat.status == STOPPING:
                if not fleet.live(service, now) and service in expected:
                    yield Reason(Code.SERVICE_SILENT, name, "it has stopped, and no other replica lives")
            elif replica.age(now) > limit:
                detail = f"no heartbeat for {replica.age(now):.0f} s; limit {limit:g} s"
                yield Reason(Code.SERVICE_SILENT, name, detail)


def _lags(fleet: Fleet, now: float) -> Iterator[Reason]:  # noqa: ARG001
    for unit in sorted(fleet.look.positions if fleet.look else ()):
        lag, limit = fleet.lag(unit), fleet.settings.lag_events
        if lag > limit:
            yield Reason(Code.LAG_HIGH, str(unit), f"{lag} unread events; limit {limit}")
        elif fleet.lag_grows(unit):
            looks = fleet.settings.lag_growing
            yield Reason(Code.LAG_GROWING, str(unit), f"{lag} unread events, more at each of {looks} looks")


def _dead_letters(fleet: Fleet, now: float) -> Iterator[Reason]:  # noqa: ARG001
    for unit in sorted(fleet.look.dead if fleet.look else ()):
        letters = fleet.dead_letters(unit)
        if letters:
            detail = f"{letters} events could not be handled; look at them, then acknowledge"
            yield Reason(Code.DEAD_LETTER, str(unit), detail)


def _positions(fleet: Fleet, now: float) -> Iterator[Reason]:
    limit = fleet.settings.unprotected_s
    for symbol, position in sorted(fleet.trading.positions.items()):
        bare = now - position.bare_since if position.bare_since is not None else None
        if bare is not None and bare > limit:
            yield Reason(
                Code.POSITION_UNPROTECTED,
                symbol,
                f"{position.side} {abs(position.quantity)} has no stop for all of it since {bare:.0f} s; "
                f"limit {limit:g} s",
            )


def _venue(fleet: Fleet, now: float) -> Iterator[Reason]:
    limit = fleet.settings.venue_silent_s
    for replica in fleet.live("execution", now):
        silent = replica.beat.gauges.get("venue_silent_s", 0.0)
        if silent > limit:
            detail = f"the account was not seen for {silent:.0f} s; limit {limit:g} s. Its stops rest there"
            yield Reason(Code.VENUE_UNREACHABLE, f"execution/{replica.slot}", detail)


def _data(fleet: Fleet, now: float) -> Iterator[Reason]:
    for replica in fleet.live("market_data", now):
        gauges = replica.beat.gauges
        silent, all_ = gauges.get("silent_symbols", 0.0), gauges.get("symbols", 0.0)
        if silent and silent >= all_:
            detail = f"no data of any of {all_:.0f} symbols is fresh; their entries wait"
            yield Reason(Code.DATA_SILENT, f"market_data/{replica.slot}", detail)


def _ledger(fleet: Fleet, now: float) -> Iterator[Reason]:  # noqa: ARG001
    if fleet.ledger.fault:
        yield Reason(Code.LEDGER_FAULT, "ledger", fleet.ledger.fault)
    behind, limit = fleet.ledger_behind(), fleet.settings.ledger_behind
    if behind > limit:
        yield Reason(Code.LEDGER_BEHIND, "ledger", f"{behind} events are not in it yet; limit {limit}")
