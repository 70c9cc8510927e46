"""The venue edge of one account: commands out, reports in. It judges nothing.

Six tasks on one loop: read commands, look at the account, hear hints, follow them, tick and renew the
lease, keep the venue's time. Every command runs in a lane of its client order id, so that a slow answer
about one order keeps no other waiting, and two commands about one order stay in their order.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections import Counter
from collections.abc import Collection, Sequence

from bus_schemas.bus.port import Bus, Lease
from bus_schemas.events import (
    AccountReport,
    AlertCode,
    Body,
    ClockTick,
    FundingPaid,
    Millis,
    PlaceOrder,
    PositionState,
)
from bus_schemas.runtime.pulse import Vitals
from bus_schemas.settings import VenueSettings
from bus_schemas.settings.purpose import simulated
from bus_schemas.timeframes import HOUR
from bus_schemas.topology import Stream
from execution.live.delivery import Delivery
from execution.live.desk import READ_LIMIT, Desk
from execution.live.faults import Denied, NotHeld, NotSent, Refused, VenueFault
from execution.live.guarded import Guarded
from execution.live.hearing import ALL, Hearing
from execution.live.port import VenueAccount
from execution.live.records import Command, Pending
from execution.live.reports import alert

log = logging.getLogger("causeway.edge")

READ_WAIT_S = 0.25
SETTLE_S = 0.02
AGAIN_S = 0.5
LOG_S = 10.0
TROUBLE_S = 5.0
"""How long the venue must be out of reach before a person is told."""
FUNDING_S = 10.0
"""How soon after a position closed its last funding is asked for. Else it is once an hour: that is when
venues settle, and their histories may be asked seldom."""
SYNC_S = 300.0
WARN_S = 3600.0
IDLE_TICKS = 5
"""How many ticks one stands for while nothing is open or under way."""
IDLE_REPORT_S = 60.0
"""Time between two reports of an account in which nothing is open and nothing changes."""
SETTLED_S = 60.0
"""So long an account stays as it is before that is said more seldom: who compares it looks several times."""


class Edge:
    """Runs while the lease lasts.

    Args:
        reader: a bus of its own for blocking reads: they happen in another thread.
        desk: commits.
        lease: of the account.
        venue: open already.
        settings: of the venue.
        vitals: gauges of the process.

    Attributes:
        ready: set once the account was looked at after the start.
    """

    def __init__(
        self, reader: Bus, desk: Desk, lease: Lease, venue: Guarded, settings: VenueSettings, vitals: Vitals
    ) -> None:
        self.ready = asyncio.Event()
        self._reader = reader
        self._desk = desk
        self._lease = lease
        self._venue = venue
        self._settings = settings
        self._vitals = vitals
        self._delivery = Delivery(venue, desk.register, settings, desk.fence, desk.tell, self._troubled)
        self._hearing = Hearing(venue, desk, self._delivery, settings, self._troubled)
        self._lanes: dict[str, asyncio.Lock] = {}
        self._queued: Counter[str] = Counter()
        self._group: asyncio.TaskGroup | None = None
        self._trouble: float | None = None
        self._alerts: dict[AlertCode, float] = {}
        self._logged: dict[str, float] = {}
        self._unlogged = 0
        self._loaded_at: Millis = 0
        self._doubt_until = 0.0
        self._off_clock = asyncio.Event()
        self._said: tuple[VenueAccount, tuple[PositionState, ...]] | None = None
        self._reported = self._changed = 0.0

    async def run(self) -> None:
        """Work until cancelled, or until the lease or the connection is gone.

        Raises:
            Reload: load again.
        """
        self._desk.load(self._lease)
        self._loaded_at = self._venue.now()
        self._doubt_until = _moment() + self._settings.doubt_s
        async with asyncio.TaskGroup() as group:
            self._group = group
            for seq, pending in self._desk.register.pending():
                self._start(seq, pending, sent=True)
            for name, task in (
                ("read", self._read()),
                ("account", self._watch()),
                ("hints", self._hearing.listen()),
                ("follow", self._hearing.follow()),
                ("clock", self._tick()),
                ("time", self._keep_time()),
                ("warning", self._warn()),
            ):
                group.create_task(task, name=name)

    async def settle(self, seconds: float) -> None:
        """Wait, at most so long, until every command that was begun is answered."""
        until = _moment() + seconds
        while self._desk.register.pending() and _moment() < until:
            await asyncio.sleep(SETTLE_S)

    # Commands -----------------------------------------------------------------------------------

    async def _read(self) -> None:
        while True:
            after = self._desk.after(Stream.COMMANDS)
            entries = await asyncio.to_thread(self._reader.read, after, READ_LIMIT, READ_WAIT_S)
            if not entries:
                continue
            fresh = set(self._desk.take(entries))
            for seq, pending in self._desk.register.pending():
                if seq in fresh:
                    self._start(seq, pending, sent=False)

    def _start(self, seq: int, pending: Pending, sent: bool) -> None:
        if self._group is not None:
            self._group.create_task(self._lane(seq, pending, sent), name=f"lane {seq}")

    async def _lane(self, seq: int, pending: Pending, sent: bool) -> None:
        """Carry out one command, after those about the same order that came before it.

        Args:
            sent: it may have been sent in an earlier life.
        """
        command = pending.command()
        key = command.client_id
        self._queued[key] += 1
        try:
            async with self._lanes.setdefault(key, asyncio.Lock()):
                if isinstance(command, PlaceOrder) and not command.reduce_only:
                    await self.ready.wait()  # no new exposure before the old one is known
                bodies = await self._answer(command, sent)
                self._desk.answer(seq, pending, bodies)
        finally:
            self._queued[key] -= 1
            if not self._queued[key]:
                del self._queued[key], self._lanes[key]
        self._recovered()
        if isinstance(command, PlaceOrder):
            self._hearing.poke(command.symbol)

    async def _answer(self, command: Command, sent: bool) -> list[Body]:
        """The venue's answer. Where its reading fails after the act, the whole is asked again, in doubt."""
        while True:
            try:
                return await self._delivery.answer(command, self._doubted(command, sent))
            except (Refused, NotHeld) as fault:
                return self._delivery.impossible(command, fault)
            except VenueFault as fault:
                self._troubled(command.symbol, fault)
                sent = True
                await asyncio.sleep(AGAIN_S)

    def _doubted(self, command: object, sent: bool) -> Millis:
        """Until when an earlier request for the command may still arrive. A bus that lost its last moments
        has commands decided again that the venue has already."""
        if not isinstance(command, PlaceOrder) or not (sent or _moment() < self._doubt_until):
            return 0
        if command.reduce_only and not sent:
            return self._loaded_at
        return self._loaded_at + self._delivery.doubt_ms(command)

    # The account --------------------------------------------------------------------------------

    async def _watch(self) -> None:
        unfunded = self._desk.register.symbols()
        asked_at = hour = -1.0
        while True:
            try:
                positions = await self._hearing.look()
                await self._report(positions)
                unfunded |= {state.symbol for state in positions}
                if not self.ready.is_set():
                    self.ready.set()
                    log.info("account", extra={"positions": len(positions)})
                held = {state.symbol for state in positions}
                now = self._venue.now() // HOUR
                if now != hour or (unfunded - held and _moment() - asked_at > FUNDING_S):
                    await self._funding(unfunded & self._venue.instruments().keys())
                    unfunded, hour, asked_at = held, now, _moment()
                self._recovered()
            except VenueFault as fault:
                self._troubled(ALL, fault)
                await asyncio.sleep(min(1.0, self._settings.poll_s))
                continue
            await self._hearing.pause(self._settings.poll_s)

    async def _report(self, positions: Sequence[PositionState]) -> None:
        account = await self._venue.account()
        said, now = (account, tuple(positions)), _moment()
        if said != self._said:
            self._said, self._changed = said, now
        idle = not positions and not self._desk.register.live() and now - self._changed > SETTLED_S
        if idle and now - self._reported < IDLE_REPORT_S:
            return
        self._reported = now
        report = AccountReport(
            time=self._venue.now(), cash=account.cash, equity=account.equity, positions=tuple(positions)
        )
        self._desk.tell([report])

    async def _funding(self, symbols: Collection[str]) -> None:
        """Tell what was settled on positions that are open, or were since the last time that we asked."""
        register = self._desk.register
        for symbol in sorted(symbols):
            since = register.funding_from(symbol, self._loaded_at)
            fees = await self._venue.funding(symbol, since)
            self._desk.tell(
                [
                    FundingPaid(time=fee.time, symbol=fee.symbol, amount=fee.amount, rate=fee.rate)
                    for fee in register.lists.charged(fees)
                ]
            )

    # The clock ----------------------------------------------------------------------------------

    async def _tick(self) -> None:
        """The order manager's clock, which waits for nothing of the venue's; also keeps the lease."""
        while True:
            now = self._venue.now()
            self._desk.fence()
            self._desk.skip(Stream.MARKS)
            self._desk.register.prune(now)
            self._desk.tell([ClockTick(time=now)])
            self._measure()
            await asyncio.sleep(self._settings.tick_s * (IDLE_TICKS if self._idle else 1))

    @property
    def _idle(self) -> bool:
        """Whether nobody waits for time to pass."""
        register = self._desk.register
        return not (register.live() or register.pending() or register.lists.exposed)

    async def _keep_time(self) -> None:
        """Set the venue's clock now and then, and at once when a request was refused for its date."""
        while True:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._off_clock.wait(), SYNC_S)
            self._off_clock.clear()
            await self._sync()
            await asyncio.sleep(AGAIN_S)

    async def _sync(self) -> None:
        try:
            offset = await self._venue.sync_clock()
        except VenueFault as fault:
            self._troubled(ALL, fault)
            return
        self._vitals.gauges["venue_clock_offset_ms"] = float(offset)
        if abs(offset) > self._settings.clock_offset_ms and not simulated(self._settings):
            self._alert(AlertCode.CLOCK, f"our clock is {offset} ms from the venue's; the venue's is used")

    def _measure(self) -> None:
        gauges = self._vitals.gauges
        gauges |= self._venue.gauges
        gauges["venue_pending_commands"] = float(len(self._desk.register.pending()))
        gauges["venue_silent_s"] = round(self._hearing.unanswered_s, 1)
        gauges["venue_hints_silent_s"] = round(self._hearing.silent_s, 1)

    # Trouble ------------------------------------------------------------------------------------

    def _troubled(self, symbol: str, fault: VenueFault) -> None:
        """A call failed and is tried again. A person is told once of each spell of it."""
        self._log(symbol, fault)
        if isinstance(fault, Denied):
            self._alert(AlertCode.DENIED, str(fault))
            return
        if isinstance(fault, NotSent) and fault.stale:
            self._off_clock.set()
        if isinstance(fault, NotSent) and fault.limited:
            self._alert(AlertCode.RATE_LIMITED, str(fault))
            return
        if isinstance(fault, NotSent) and fault.apart:
            return  # it was told when that was closed; the venue answers everything else
        self._trouble = _moment() if self._trouble is None else self._trouble
        if _moment() - self._trouble > TROUBLE_S:
            self._alert(AlertCode.UNREACHABLE, f"no answer for {_moment() - self._trouble:.0f} s: {fault}")

    def _log(self, symbol: str, fault: VenueFault) -> None:
        """The first of each kind, and then one in ten seconds: an outage must not fill the disk."""
        kind = type(fault).__name__
        now, last = _moment(), self._logged.get(kind)
        if last is not None and now - last < LOG_S:
            self._unlogged += 1
            return
        self._logged[kind] = now
        extra = {"symbol": symbol, "fault": kind, "reason": str(fault), "not_shown": self._unlogged}
        self._unlogged = 0
        log.warning("venue", extra=extra)

    def _recovered(self) -> None:
        self._trouble = None

    async def _warn(self) -> None:
        """Tell what was found when the venue was opened, and each hour again while it is so: an alert that is
        given once may come before anybody counts. To load again is no reason to repeat it."""
        while words := self._venue.warning:
            await asyncio.sleep(max(0.0, self._venue.warn_at - _moment()))
            log.warning("account", extra={"reason": words})
            self._desk.tell([alert(self._venue.now(), ALL, AlertCode.DENIED, words)])
            self._venue.warn_at = _moment() + WARN_S

    def _alert(self, code: AlertCode, detail: str) -> None:
        """Tell it, and not again within a minute."""
        last = self._alerts.get(code)
        if last is None or _moment() - last > 60:
            self._alerts[code] = _moment()
            self._desk.tell([alert(self._venue.now(), ALL, code, detail)])


def _moment() -> float:
    return time.monotonic()  # edge: patience is in our seconds
