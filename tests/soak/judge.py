"""The verdict: by the venue's own books, by what was told, by the machine."""

from __future__ import annotations

from collections import Counter

import msgspec

from bus_schemas.events import Candle, Gap
from bus_schemas.timeframes import length
from bus_schemas.topology import Stream
from tests.soak import books as of
from tests.soak.alarms import alarms, never_fired
from tests.soak.memory import Growth, growths
from tests.soak.protection import protection
from tests.soak.record import Record
from tests.soak.run import Options, Truth
from tests.soak.verdict import Alarm, Check

LONG_S = 1800.0
"""In a soak of this length every kind of fault must have happened."""
SLOPE_MB = 12.0
"""Most growth of one process in an hour, megabytes, over the second half."""
BUS_SLOPE_MB = 24.0
"""Of the bus: streams are kept for a number of entries, journals and acknowledged ids likewise."""


class Verdict(msgspec.Struct, kw_only=True):
    """Everything that a soak has shown.

    Attributes:
        counts: what happened, by name.
        faults: how often each kind fired.
        logs: how often each warning was logged, by logger and message.
    """

    protocol: str
    seed: int
    minutes: float
    pace: str
    good: bool
    checks: list[Check]
    alarms: list[Alarm]
    memory: list[Growth]
    faults: dict[str, int]
    kills: dict[str, int]
    counts: dict[str, int]
    logs: dict[str, int]


def judge(options: Options, record: Record, truth: Truth) -> Verdict:
    """Look at everything."""
    books = of.Books(truth)
    found = alarms(record)
    grown = growths(record.samples, record.began, record.began + options.length_s)
    checks = [
        of.orders(record, books),
        of.fills(record, books),
        of.money(record, books),
        of.flat(record, books, truth),
        protection(record, books.fills, books.every, options.rate, truth.loaded),
        _alarms(found),
        _candles(record),
        of.ledger(record, truth),
        _processes(record, truth),
        _letters(record, truth),
        _memory(grown),
        _plan(options, record),
    ]
    fired: Counter[str] = Counter()
    for firing in record.firings:
        fired[firing.name] += firing.times
    return Verdict(
        protocol=options.protocol,
        seed=options.seed,
        minutes=options.minutes,
        pace=options.pace,
        good=not any(check.wrong for check in checks),
        checks=checks,
        alarms=found,
        memory=grown,
        faults=dict(sorted(fired.items())),
        kills=dict(Counter(kill.service for kill in record.kills)),
        counts=_counts(record),
        logs=_warnings(truth.said),
    )


def _warnings(said: str) -> dict[str, int]:
    found: Counter[str] = Counter()
    for line in said.splitlines():
        if '"level":"warning"' not in line:
            continue
        try:
            raw = msgspec.json.decode(line, type=dict[str, object])
        except msgspec.MsgspecError:
            continue  # a line that a killed process did not finish
        found[f"{raw.get('logger')}: {raw.get('message')}"] += 1
    return dict(found.most_common())


def _counts(record: Record) -> dict[str, int]:
    said: Counter[str] = Counter()
    for stream in (Stream.ORDERS, Stream.COMMANDS, Stream.EXECUTIONS):
        for event in record.events[stream]:
            said[event.type] += 1
    return dict(sorted(said.items()))


def _alarms(found: list[Alarm]) -> Check:
    check = Check(name="alarms: every one explained", seen=f"{len(found)} alarms")
    for alarm in found:
        if not alarm.because:
            check.wrong.append(f"[{alarm.at:.0f} s] {alarm.what}: {alarm.detail}")
    return check


def _candles(record: Record) -> Check:
    """Each candle once, in order, none missing."""
    last: dict[tuple[str, str], int] = {}
    check = Check(name="candles: each once, none missing")
    number = 0
    for event in record.events[Stream.CANDLES]:
        body = event.body
        if isinstance(body, Gap):
            check.wrong.append(f"{body.symbol} {body.timeframe}: a gap of {body.missing}")
        elif isinstance(body, Candle):
            number += 1
            key, span = (body.symbol, body.timeframe), length(body.timeframe)
            due = last.get(key, body.open_time - span) + span
            if body.open_time != due:
                check.wrong.append(f"{body.symbol} {body.timeframe}: {body.open_time} follows {due - span}")
            last[key] = body.open_time
    check.seen = f"{number} of {len(last)} symbols"
    if not number:
        check.wrong.append("no candle came")
    return check


def _processes(record: Record, truth: Truth) -> Check:
    """Nobody died but by our hand, and the run ended in order."""
    killed = {kill.pid for kill in record.kills}
    check = Check(name="processes: none died but by our hand", seen=f"{len(killed)} killed")
    for service, pids in record.pids.items():
        for pid in pids[:-1]:
            if pid not in killed:
                check.wrong.append(f"{service} (process {pid}) ended by itself")
    if truth.code != 0:
        check.wrong.append(f"the run left with {truth.code}")
    for word in ("Traceback (most recent call last)", '"level":"error"', '"level":"critical"'):
        lines = [line for line in truth.said.splitlines() if word in line]
        if lines:
            check.wrong.append(f"{len(lines)} lines of the logs have {word}, the first: {lines[0][:600]}")
    return check


def _letters(record: Record, truth: Truth) -> Check:
    check = Check(name="dead letters: none; the bus was read without holes")
    check.wrong += [f"{count} dead letters of {unit}" for unit, count in truth.dead.items()]
    check.wrong += record.holes
    return check


def _memory(grown: list[Growth]) -> Check:
    check = Check(name="memory: levels off in the second half")
    told = [g for g in grown if g.slope is not None]
    check.seen = ", ".join(f"{g.name} {(g.slope or 0) / 1e6:+.1f} MB/h" for g in told) or "too short to tell"
    for growth in told:
        limit = BUS_SLOPE_MB if growth.name.startswith("bus") else SLOPE_MB
        slope = (growth.slope or 0) / 1e6
        # a short watch tells little: what it saw must be a megabyte or more
        if slope > limit and slope * growth.spanned_s / 3600 > 1:
            check.wrong.append(f"{growth.name} grows by {slope:.1f} MB an hour; {limit:g} are allowed")
    return check


def _plan(options: Options, record: Record) -> Check:
    idle = never_fired(record)
    check = Check(name="faults: every kind happened", seen=f"{sum(f.times for f in record.firings)} in all")
    if idle and options.length_s >= LONG_S:
        check.wrong.append(f"never: {', '.join(idle)}")
    elif idle:
        check.seen += f"; in so short a time not: {', '.join(idle)}"
    return check
