"""Every metric that health serves: its name, kind, labels and meaning. Nothing else makes a metric.

Names begin with `causeway_service_` where the figure is a service's own, taken from its heartbeat: the
service serves the same figure itself, and a sum over both must not count it twice.
"""

from __future__ import annotations

from typing import Literal, NamedTuple


class MetricDef(NamedTuple):
    """One metric. A counter's name has no `_total`; the exposition adds it."""

    name: str
    kind: Literal["gauge", "counter", "histogram"]
    help: str
    labels: tuple[str, ...] = ()


_SLOT = ("service", "slot")
_UNIT = ("service", "slot", "unit")

UP = MetricDef("causeway_up", "gauge", "1 while heartbeats of this replica come in time.", _SLOT)
READY = MetricDef("causeway_service_ready", "gauge", "1 while the replica says that it is ready.", _SLOT)
LAST_SEEN = MetricDef(
    "causeway_service_last_seen_seconds", "gauge", "Seconds since the replica's last heartbeat.", _SLOT
)
MEMORY = MetricDef("causeway_service_memory_bytes", "gauge", "Resident memory of the replica.", _SLOT)
LOOP_SILENCE = MetricDef(
    "causeway_service_loop_silence_seconds", "gauge", "Seconds since its main loop came round.", _SLOT
)
UNITS = MetricDef("causeway_service_units", "gauge", "Partitions and accounts that it owns.", _SLOT)
EVENTS = MetricDef("causeway_service_events", "counter", "Inputs handled since its start.", _SLOT)
OUTPUTS = MetricDef("causeway_service_outputs", "counter", "Events written since its start.", _SLOT)
COMMITS = MetricDef("causeway_service_commits", "counter", "Batches applied since its start.", _SLOT)
RELOADS = MetricDef("causeway_service_reloads", "counter", "Times that it loaded its memory anew.", _SLOT)
FENCED = MetricDef("causeway_service_fenced", "counter", "Commits refused: another is the owner.", _SLOT)
DEAD = MetricDef("causeway_service_dead_letters", "counter", "Events it moved to the dead letters.", _SLOT)
RETRIES = MetricDef("causeway_service_retries", "counter", "Times that a batch was repeated.", _SLOT)

LAG = MetricDef("causeway_lag_events", "gauge", "Unread events of a unit, by its owner if one lives.", _UNIT)
DEAD_OPEN = MetricDef(
    "causeway_dead_letters_unacknowledged",
    "gauge",
    "Dead letters of a unit that nobody has acknowledged.",
    ("service", "unit"),
)
STREAM_TIP = MetricDef(
    "causeway_stream_events", "gauge", "Events written to a stream so far.", ("stream", "part")
)

BUS_UP = MetricDef("causeway_bus_up", "gauge", "1 while health can look at the bus.")
UNHEALTHY = MetricDef(
    "causeway_unhealthy_reasons", "gauge", "Reasons why it is unhealthy, by kind.", ("code",)
)
LEDGER_UP = MetricDef("causeway_ledger_up", "gauge", "1 while the ledger can be written.")
LEDGER_BEHIND = MetricDef("causeway_ledger_behind_events", "gauge", "Events that the ledger lacks.")
LEDGER_MISSED = MetricDef(
    "causeway_ledger_missed_events", "gauge", "Events that were trimmed before the ledger read them."
)

EQUITY = MetricDef("causeway_equity", "gauge", "Cash plus open profit, in settle currency.")
CASH = MetricDef("causeway_cash", "gauge", "Balance without open profit, in settle currency.")
DRAWDOWN = MetricDef("causeway_drawdown_ratio", "gauge", "Fall from the highest equity, as a fraction of it.")
MAX_DRAWDOWN = MetricDef("causeway_max_drawdown_ratio", "gauge", "Deepest such fall so far.")
POSITIONS = MetricDef("causeway_open_positions", "gauge", "Positions with contracts.")
UNPROTECTED = MetricDef("causeway_unprotected_positions", "gauge", "Open positions without a full stop.")
POSITION = MetricDef("causeway_position_contracts", "gauge", "Signed contracts of a position.", ("symbol",))
DECISIONS = MetricDef(
    "causeway_decisions",
    "counter",
    "Decisions in the ledger. Stage strategy: signal or none; stage risk: approved or refused.",
    ("stage", "outcome", "reason"),
)
FILLS = MetricDef("causeway_fills", "counter", "Fills in the ledger.")
TRADES = MetricDef("causeway_trades", "counter", "Closed trades in the ledger, by result.", ("result",))
FEES = MetricDef("causeway_trade_fees", "gauge", "Fees of closed trades, in settle currency.")
NET = MetricDef("causeway_trade_net", "gauge", "Net result of closed trades, in settle currency.")
HALTED = MetricDef("causeway_halted", "gauge", "1 while risk halts a symbol; * is the account.", ("symbol",))
KILL_SWITCH = MetricDef("causeway_kill_switch", "gauge", "1 while the kill switch is latched.")

TIME_TO_STOP = MetricDef(
    "causeway_time_to_stop_seconds",
    "histogram",
    "Event time from a position's first fill to its first acknowledged stop over all of it.",
)
NEVER_STOPPED = MetricDef(
    "causeway_positions_never_protected", "counter", "Positions that ended without ever having had a stop."
)
VENUE_ALERTS = MetricDef("causeway_venue_alerts", "counter", "What the venue edge warned of.", ("code",))
REFUSED_ORDERS = MetricDef(
    "causeway_order_refusals",
    "counter",
    "Orders that were not taken, by the venue's reason. not_found: it never held it; not_placed: ours.",
    ("reason",),
)
UNKNOWN_ORDERS = MetricDef("causeway_unknown_orders", "gauge", "Orders whose fate is not known now.")
UNKNOWN_AGE = MetricDef(
    "causeway_unknown_order_age_seconds", "gauge", "How long the oldest such order is of unknown fate."
)

VENUE_WEIGHT = MetricDef(
    "causeway_service_venue_weight_used",
    "gauge",
    "Share of the venue's request budget in use, 0 to 1.",
    _SLOT,
)
VENUE_BREAKER = MetricDef(
    "causeway_service_venue_breaker_open", "gauge", "Endpoint groups whose breaker is open.", _SLOT
)
VENUE_CLOCK = MetricDef(
    "causeway_service_venue_clock_offset_ms", "gauge", "The venue's clock minus ours, in milliseconds.", _SLOT
)
VENUE_PENDING = MetricDef(
    "causeway_service_venue_pending_commands", "gauge", "Commands that the venue has not answered yet.", _SLOT
)
VENUE_SILENT = MetricDef(
    "causeway_service_venue_silent_seconds", "gauge", "Seconds since the venue's account was seen.", _SLOT
)
VENUE_HINTS = MetricDef(
    "causeway_service_venue_hints_silent_seconds",
    "gauge",
    "Seconds since the venue's private websocket said anything.",
    _SLOT,
)
STREAMS = MetricDef(
    "causeway_service_stream_reconnects",
    "gauge",
    "Times that a websocket of the live feed began anew.",
    _SLOT,
)
SYMBOLS = MetricDef("causeway_service_symbols", "gauge", "Symbols that the live feed watches.", _SLOT)
SILENT_SYMBOLS = MetricDef(
    "causeway_service_silent_symbols", "gauge", "Symbols whose data is older than its limit.", _SLOT
)
_SYMBOL = ("service", "slot", "symbol")
DATA_AGE = MetricDef("causeway_service_data_age_seconds", "gauge", "Age of a symbol's last mark.", _SYMBOL)
CANDLE_LATE = MetricDef(
    "causeway_service_candle_late_seconds", "gauge", "By how much a symbol's next candle is overdue.", _SYMBOL
)

COUNTERS = {
    "events": EVENTS,
    "outputs": OUTPUTS,
    "commits": COMMITS,
    "reloads": RELOADS,
    "fenced": FENCED,
    "dead_letters": DEAD,
    "retries": RETRIES,
}
"""By the name in a heartbeat's counters."""

GAUGES = {
    "memory_bytes": MEMORY,
    "loop_silence_s": LOOP_SILENCE,
    "venue_weight_used": VENUE_WEIGHT,
    "venue_breaker_open": VENUE_BREAKER,
    "venue_clock_offset_ms": VENUE_CLOCK,
    "venue_pending_commands": VENUE_PENDING,
    "venue_silent_s": VENUE_SILENT,
    "venue_hints_silent_s": VENUE_HINTS,
    "stream_reconnects": STREAMS,
    "symbols": SYMBOLS,
    "silent_symbols": SILENT_SYMBOLS,
}
"""By the name in a heartbeat's gauges."""

SYMBOL_GAUGES = {"data_age_s": DATA_AGE, "mark_age_s": DATA_AGE, "candle_late_s": CANDLE_LATE}
"""By what stands before the dot in such a name: `mark_age_s.BTCUSDT`."""

METRICS: tuple[MetricDef, ...] = tuple(value for value in globals().values() if isinstance(value, MetricDef))
"""All of them, in the order of this page."""
