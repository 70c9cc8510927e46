"""Every metric that health serves: its name, kind, labels and meaning. Nothing else makes a metric.

Names begin with `causeway_service_` where the figure is a service's own, taken from its heartbeat: the
service serves the same figure itself, and a sum over both must not count it twice.
"""

from __future__ import annotations

from typing import Literal, NamedTuple


class MetricDef(NamedTuple):
    """One metric. A counter's name has no `_total`; the exposition adds it."""

    name: str
    kind: Literal["gauge", "counter"]
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

GAUGES = {"memory_bytes": MEMORY, "loop_silence_s": LOOP_SILENCE}
"""By the name in a heartbeat's gauges."""

METRICS: tuple[MetricDef, ...] = tuple(value for value in globals().values() if isinstance(value, MetricDef))
"""All of them, in the order of this page."""
