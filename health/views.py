"""The fleet as JSON values for the API. Money is text, as everywhere on the wire."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import msgspec

from bus_schemas.topology import READER_SPECS
from health.checks import Reason, unready, warnings
from health.fleet import STOPPING, Fleet, Replica
from health.rows import Columns
from health.trading import Position, Trading
from health.venue import VenueView

Json = dict[str, Any]


def plain(columns: Columns) -> Json:
    """A ledger row as JSON."""
    return {name: _text(value) for name, value in columns.items()}


def reasons(found: list[Reason]) -> list[Json]:
    """Findings as JSON."""
    return [msgspec.to_builtins(reason) for reason in found]


def verdict(found: list[Reason], known: list[Reason]) -> Json:
    """Body of `/health` and `/ready`."""
    return {"status": "unhealthy" if found else "ok", "reasons": reasons(found), "warnings": reasons(known)}


def services(fleet: Fleet, now: float) -> Json:
    """Body of `/api/services`."""
    rows = [_replica(fleet, replica, now) for _, replica in sorted(fleet.replicas.items())]
    seen = {row["service"] for row in rows}
    missing = [name for name in fleet.settings.expect if name not in seen]
    return {"now": round(now * 1000), "services": rows, "missing": missing, "units": _units(fleet, now)}


def metrics(fleet: Fleet, namespace: str, now: float) -> Json:
    """Body of `/api/metrics`: what the page shows, services aside."""
    trading = fleet.trading
    return {
        "now": round(now * 1000),
        "namespace": namespace,
        "uptime_s": round(now - fleet.started, 1),
        **verdict(unready(fleet, now), warnings(fleet, now)),
        "event_time": trading.clock or None,
        "event_age_s": round(max(0.0, now - trading.clock_moved), 1) if trading.clock else None,
        "prices": _prices(fleet, now),
        "account": _account(trading),
        "curve": [[time, str(equity)] for time, equity in trading.curve.points()],
        "positions": [_position(p, trading, now) for _, p in sorted(trading.positions.items())],
        "trades": _trades(trading),
        "decisions": [
            {"stage": stage, "outcome": outcome, "reason": reason, "count": number}
            for (stage, outcome, reason), number in sorted(trading.decisions.items())
        ],
        "latest": _newest(trading.latest),
        "assessments": [
            plain(row) | {"evidence": None} for _, row in sorted(trading.last_assessments.items())
        ],
        "halts": [plain(halt) for halt in trading.active_halts()],
        "notices": _newest(trading.notices),
        "kill_switch": plain(trading.kill_switch) if trading.kill_switch else None,
        "reduce_only": trading.reduce_only,
        "venue": _venue(trading.venue, now),
        "ledger": {
            "behind": fleet.ledger_behind(),
            "missed": fleet.ledger.missed,
            "fault": fleet.ledger.fault,
            "positions": {str(place): n for place, n in sorted(fleet.ledger.positions.items())},
        },
    }


def _prices(fleet: Fleet, now: float) -> Json | None:
    """How old a venue's market data is; None where it comes from files, which have no age."""
    told = [replica.beat.gauges for replica in fleet.live("market_data", now)]
    told = [gauges for gauges in told if gauges.get("symbols")]
    if not told:
        return None
    return {
        "symbols": round(sum(gauges["symbols"] for gauges in told)),
        "silent": round(sum(gauges.get("silent_symbols", 0.0) for gauges in told)),
        "age_s": max(gauges.get("mark_age_s", 0.0) for gauges in told),
    }


def _text(value: Any) -> Any:
    return format(value, "f") if isinstance(value, Decimal) else value


def _newest(rows: Any) -> list[Json]:
    ordered = sorted(rows, key=lambda row: row["time"], reverse=True)
    return [plain(row) | ({"evidence": None} if "evidence" in row else {}) for row in ordered[:25]]


def _account(trading: Trading) -> Json | None:
    account = trading.account
    if account is None:
        return None
    return {
        "time": account.time,
        "cash": _text(account.cash),
        "equity": _text(account.equity),
        "peak": _text(account.peak),
        "drawdown_pct": round(float(account.drawdown) * 100, 4),
        "max_drawdown_pct": round(float(account.max_drawdown) * 100, 4),
    }


def _trades(trading: Trading) -> Json:
    trades = trading.trades
    factor = trades.profit_factor
    return {
        "count": trades.count,
        "fills": trading.fills,
        "win_rate": round(trades.wins / trades.count, 4) if trades.count else None,
        "profit_factor": round(float(factor), 4) if factor is not None else None,
        "net": _text(trades.won - trades.lost),
        "fees": _text(trades.fees),
        "funding": _text(trades.funding),
    }


def _position(position: Position, trading: Trading, now: float) -> Json:
    row = {name: _text(value) for name, value in msgspec.structs.asdict(position).items()}
    mark = trading.account.marks.get(position.symbol) if trading.account else None
    profit = (mark - position.entry_price) * position.quantity if mark is not None else None
    since = row.pop("bare_since")
    unprotected_s = round(now - since, 1) if since is not None else None
    return row | {"mark": _text(mark), "profit": _text(profit), "unprotected_s": unprotected_s}


def _venue(venue: VenueView, now: float) -> Json:
    stops = venue.stops
    return {
        "alerts": dict(sorted(venue.alerts.items())),
        "latest_alerts": _newest(venue.latest),
        "refusals": dict(sorted(venue.refusals.items())),
        "unknown_orders": [
            {
                "client_id": order.client_id,
                "symbol": order.symbol,
                "leg": order.leg,
                "time": order.time,
                "unknown_s": round(now - order.since, 1),
            }
            for _, order in sorted(venue.unknown.items())
        ],
        "time_to_stop": {
            "count": stops.count,
            "p50_s": stops.quantile(0.5),
            "p99_s": stops.quantile(0.99),
            "worst_s": stops.worst_s if stops.count else None,
            "never": stops.never,
        },
    }


def _replica(fleet: Fleet, replica: Replica, now: float) -> Json:
    beat, age = replica.beat, replica.age(now)
    up = age <= fleet.settings.silent_after_s and beat.status != STOPPING
    return {
        "service": beat.service,
        "slot": beat.slot,
        "host": beat.host,
        "pid": beat.pid,
        "status": beat.status if up or beat.status == STOPPING else "silent",
        "up": up,
        "age_s": round(age, 1),
        "units": list(beat.units),
        "lag": sum(beat.lag.values()),
        "lags": beat.lag,
        "counters": beat.counters,
        "gauges": beat.gauges,
        "memory_bytes": beat.gauges.get("memory_bytes"),
        "http": beat.http,
    }


def _units(fleet: Fleet, now: float) -> list[Json]:
    if fleet.look is None:
        return []
    rows = []
    for unit in sorted(fleet.look.dead):
        owner = fleet.owner(unit, now)
        rows.append(
            {
                "unit": str(unit),
                "reader": unit.reader,
                "part": unit.part,
                "service": READER_SPECS[unit.reader].service,
                "slot": owner.slot if owner else None,
                "lag": fleet.lag(unit) if unit in fleet.look.positions else None,
                "lag_growing": fleet.lag_grows(unit),
                "dead_letters": fleet.look.dead[unit],
                "dead_letters_open": fleet.dead_letters(unit),
            }
        )
    return rows
