"""A command on its way to the venue and its answer on the way back.

At least once, with a look-up before every resend. The client order id is a function of the signal, so a
command that may have been sent is asked after, never guessed about. Nothing here decides: what the venue
says is told to the order manager, and what it does not say is asked again.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence
from decimal import Decimal
from functools import partial
from typing import TypeVar

from bus_schemas.events import (
    AmendOrder,
    Body,
    CancelOrder,
    CancelRejected,
    Millis,
    OrderRejected,
    PlaceOrder,
    VenueRefusal,
)
from bus_schemas.settings import VenueSettings
from execution.live.faults import Denied, NotHeld, NotSent, Refused, Unclear, VenueFault
from execution.live.port import OrderRef, Standing, Venue, VenueFill, VenueOrder
from execution.live.records import Command, Held
from execution.live.register import Register

T = TypeVar("T")

FIRST_S, MOST_S, DENIED_S = 0.05, 5.0, 30.0
VETO_MS = 1000
"""How old a look at the positions may be when an entry goes out."""
ASK_S = 0.5
"""Time between two look-ups of an order that the venue may list any moment, in the venue's time."""
DUPLICATES = 5
"""Refusals as a duplicate without a trace of the first, until that is told."""


class Delivery:
    """Hands commands to the venue.

    Args:
        venue: where.
        register: what is known of the account's orders.
        settings: patience.
        fence: raises where the account may be another's by now; called right before each act.
        tell: commits reports that must not wait for the end of the command.
        troubled: told of every fault that is waited out, with the symbol.

    Attributes:
        waiting: symbols with fills that are left for the next reading.

    Between a change of the register and the commit of the reports that go with it nothing is awaited:
    another task's commit would store the one without the other.
    """

    def __init__(
        self,
        venue: Venue,
        register: Register,
        settings: VenueSettings,
        fence: Callable[[], None],
        tell: Callable[[Sequence[Body]], None],
        troubled: Callable[[str, VenueFault], None],
    ) -> None:
        self._venue = venue
        self._register = register
        self._settings = settings
        self._fence = fence
        self._tell = tell
        self._troubled = troubled
        self._rate = settings.clock_rate
        self.waiting: set[str] = set()

    async def answer(self, command: Command, doubt_until: Millis) -> list[Body]:
        """Carry a command out; returns what the venue said to it.

        Args:
            doubt_until: until this moment an earlier request for the same command may still reach the
                venue; 0 where there can be none.

        Raises:
            Reload: the account is no longer ours.
        """
        if isinstance(command, PlaceOrder):
            return await self._place(command, doubt_until)
        held = self._register.find(command.client_id)
        if held is None:
            return [self._register.not_found(command.client_id, command.symbol, self._venue.now())]
        if isinstance(command, CancelOrder):
            return await self._cancel(held)
        if isinstance(command, AmendOrder):
            return await self._amend(held, command.quantity)
        return await self._look_up(held)

    def doubt_ms(self, order: PlaceOrder) -> Millis:
        """How long after an attempt "never heard of it" may be followed by "here it is".

        What is reduce-only does not wait until an earlier request cannot arrive any more: the venue
        refuses the second of two open orders with one id, and a position that is gone cannot shrink.
        """
        travel = 0 if order.reduce_only else self._settings.valid_ms * self._rate
        return round(travel) + self._settings.lag_ms

    def impossible(self, command: Command, fault: VenueFault) -> list[Body]:
        """The answer where the venue cannot even be asked, such as about a market that it does not list."""
        if isinstance(command, PlaceOrder):
            held = self._register.find(command.client_id) or Held.of(command)
            return [self._refused(held, VenueRefusal.OTHER, str(fault))]
        if isinstance(command, CancelOrder):
            return [self._not_open(command)]
        if isinstance(command, AmendOrder):
            return [self._not_amended(command, VenueRefusal.OTHER, str(fault))]
        return []

    async def told(self, held: Held, order: VenueOrder, again: bool = False) -> list[Body]:
        """Everything that follows from an order as the venue tells it, its fills first."""
        bodies: list[Body] = []
        if order.filled > held.filled or (again and order.filled):
            self._register.learn_names(held.client_id, order)
            since = max(0, held.ref.sent - self._settings.lag_ms)
            fills = await self.fills(held.symbol, since)
            bodies += self._register.traded(fills, self._venue.now(), held.client_id if again else "")
        return bodies + self._register.learn(held.client_id, order, self._venue.now(), again)

    async def fills(self, symbol: str, since: Millis) -> list[VenueFill]:
        """The symbol's fills, with every name known by which they may tell their order.

        A fill can come before the venue has told under which id its order trades: a stop that has
        triggered, or an order whose acknowledgement is still on its way. While there is such an order, a
        fill without an owner is left for the next reading. A resting stop looks like one that has triggered
        and is not told as such yet, so that a fill on its side is left for no longer than the venue's lag.

        Raises:
            VenueFault: the venue does not answer.
        """
        fills = await self._venue.fills(symbol, since)
        if not self._register.ownerless(fills):
            return fills
        hidden = False
        for held in self._register.nameless(symbol):
            try:
                order = await self._venue.look_up(held.ref)
            except NotSent as fault:
                if not fault.apart:
                    raise
                order = None  # a closed history keeps back this order's name, and no look at the account
            if order is None:
                hidden = True
            else:
                self._register.learn_names(held.client_id, order)
        nameless = self._register.nameless(symbol)
        hidden |= any(not held.venue_id for held in nameless)
        sides, young = {held.side for held in nameless}, self._venue.now() - self._settings.lag_ms
        early = [fill for fill in fills if hidden or (fill.side in sides and fill.time >= young)]
        left = [fill for fill in early if self._register.ownerless([fill])]
        if left:
            self.waiting.add(symbol)
        return [fill for fill in fills if fill not in left]

    async def _place(self, order: PlaceOrder, doubt_until: Millis) -> list[Body]:
        doubt = bool(doubt_until)
        duplicates = 0
        patience = _Patience(self._rate)
        while True:
            held = self._register.find(order.client_id) or Held.of(order)
            if held.told and not doubt:
                return self._register.accepted(order.client_id, self._venue.now(), again=True)
            sent = doubt
            try:
                if doubt:
                    found = await self._sought(held, duplicates)
                    if found is not None:
                        return await self.told(held, found, again=held.told)
                    if (left_ms := doubt_until - self._venue.now()) > 0:
                        patience = _Patience(self._rate)  # the venue answers
                        await asyncio.sleep(min(ASK_S, left_ms / 1000) / self._rate)
                        continue
                    if duplicates >= DUPLICATES:
                        return [self._refused(held, VenueRefusal.DUPLICATE_ID, "the venue says so")]
                while True:
                    if veto := await self._veto(order):
                        return [self._refused(held, VenueRefusal.OTHER, veto)]
                    looked = self._venue.now()
                    await self._venue.room("place", order.reduce_only)
                    if order.reduce_only or self._venue.now() - looked <= VETO_MS * self._rate:
                        break
                # from here on nothing is awaited until the request leaves
                if self._too_late(order):
                    return [self._register.not_found(order.client_id, order.symbol, self._venue.now())]
                self._fence()
                self._register.sending(order.client_id, self._venue.now())
                doubt_until = self._venue.now() + self.doubt_ms(order)
                doubt = True
                found = await self._venue.place(order, self._settings.valid_ms)
                return await self._placed(held, found)
            except Refused as refusal:
                if refusal.reason is not VenueRefusal.DUPLICATE_ID:
                    return [self._refused(held, refusal.reason, refusal.detail)]
                duplicates += 1
            except NotSent as fault:
                doubt = sent
                await self._wait_out(order.symbol, fault, patience)
            except (Unclear, Denied) as fault:
                await self._wait_out(order.symbol, fault, patience)

    async def _sought(self, held: Held, duplicates: int) -> VenueOrder | None:
        """The order, if the venue has it. An exit does not wait for lists that are closed to us for a while:
        the venue refuses a second one under its id, and only then they are needed."""
        try:
            return await self._venue.look_up(held.ref)
        except NotSent as fault:
            if fault.apart and held.reduce_only and not duplicates:
                return None
            raise

    async def _placed(self, held: Held, order: VenueOrder) -> list[Body]:
        """The venue took it. That is told even where its fills cannot be read right now."""
        try:
            return await self.told(held, order)
        except VenueFault as fault:
            self._troubled(held.symbol, fault)
            return self._register.learn(held.client_id, order, self._venue.now())

    def _too_late(self, order: PlaceOrder) -> bool:
        """Whether it must not be sent any more. What makes a position smaller is never too late."""
        if order.reduce_only:
            return False
        late = self._venue.now() - order.time > self._settings.entry_patience_ms
        return late or self._register.withdrawn(order.client_id)

    async def _veto(self, order: PlaceOrder) -> str:
        """Why an entry must not go out although it was decided; empty where it may: a position that the
        venue has at this moment is one that whoever decided on the entry did not know of.
        """
        if order.reduce_only:
            return ""
        held = [state for state in await self._venue.positions() if state.symbol == order.symbol]
        return f"the venue holds a position of {held[0].quantity} already" if held else ""

    async def _cancel(self, held: Held) -> list[Body]:
        patience = _Patience(self._rate)
        while True:
            try:
                await self._venue.room("cancel", protects=True)
                self._fence()
                await self._venue.cancel(held.ref)
            except (NotHeld, Refused):
                pass  # it may be gone already: the look-up after this tells
            except (NotSent, Unclear, Denied) as fault:
                await self._wait_out(held.symbol, fault, patience)
                continue
            bodies = await self._after_cancel(held, patience)
            if bodies is not None:
                return bodies

    async def _after_cancel(self, held: Held, patience: _Patience) -> list[Body] | None:
        """What became of an order that was cancelled; None where it is still alive after the venue's lag."""
        until = self._venue.now() + self._settings.lag_ms
        while True:
            order = await self._asked(held)
            if order is None:
                return [self._not_open(held)]
            bodies = await self._insist(held.symbol, partial(self.told, held, order))
            if order.standing in (Standing.CANCELLED, Standing.REJECTED) and held.ended:
                return bodies
            if order.standing is Standing.FILLED:
                return [*bodies, self._not_open(held)]
            self._tell(bodies)
            if self._venue.now() >= until:
                return None
            await patience.pause()

    async def _amend(self, held: Held, quantity: Decimal) -> list[Body]:
        patience = _Patience(self._rate)
        while True:
            try:
                await self._venue.room("amend", protects=True)
                self._fence()
                await self._venue.amend(held.ref, quantity)
            except Refused as refusal:
                return [self._not_amended(held, refusal.reason, refusal.detail)]
            except NotHeld as fault:
                order = await self._asked(held)
                bodies = await self._insist(held.symbol, partial(self.told, held, order)) if order else []
                return [*bodies, self._not_amended(held, VenueRefusal.OTHER, str(fault))]
            except Unclear as fault:
                await self._wait_out(held.symbol, fault, patience)
                order = await self._asked(held)
                if order is None or order.quantity != quantity:
                    continue
            except (NotSent, Denied) as fault:
                await self._wait_out(held.symbol, fault, patience)
                continue
            self._register.resized(held.client_id, quantity)
            return self._register.accepted(held.client_id, self._venue.now(), again=True)

    async def _look_up(self, held: Held) -> list[Body]:
        until = min(held.sent, self._venue.now()) + self._settings.lag_ms
        while (order := await self._asked(held)) is None:
            if self._venue.now() > until:
                return [self._register.not_found(held.client_id, held.symbol, self._venue.now())]
            await asyncio.sleep(ASK_S / self._rate)
        found = order
        return await self._insist(held.symbol, lambda: self.told(held, found, again=True))

    async def _asked(self, held: Held) -> VenueOrder | None:
        """The venue's word about the order, however long it takes: silence is no evidence."""
        return await self._insist(held.symbol, lambda: self._venue.look_up(self._ref(held)))

    def _ref(self, held: Held) -> OrderRef:
        known = self._register.find(held.client_id)
        return (known or held).ref

    async def _insist(self, symbol: str, ask: Callable[[], Awaitable[T]]) -> T:
        patience = _Patience(self._rate)
        while True:
            try:
                return await ask()
            except (NotSent, Unclear, Denied) as fault:
                await self._wait_out(symbol, fault, patience)

    async def _wait_out(self, symbol: str, fault: VenueFault, patience: _Patience) -> None:
        self._troubled(symbol, fault)
        await patience.pause(fault.retry_s if isinstance(fault, NotSent) else 0, isinstance(fault, Denied))

    def _refused(self, held: Held, reason: VenueRefusal, detail: str) -> Body:
        return self._register.refused(held.client_id, held.symbol, reason, detail, self._venue.now())

    def _not_amended(self, order: Held | Command, reason: VenueRefusal, detail: str) -> Body:
        return OrderRejected(
            time=self._venue.now(),
            client_id=order.client_id,
            symbol=order.symbol,
            reason=reason,
            detail=detail,
        )

    def _not_open(self, order: Held | Command) -> Body:
        return CancelRejected(time=self._venue.now(), client_id=order.client_id, symbol=order.symbol)


class _Patience:
    """Waits that double up to a bound, with some chance in them so that many do not ask at once."""

    def __init__(self, rate: float) -> None:
        self._next = FIRST_S / min(rate, 10)

    async def pause(self, least_s: float = 0.0, denied: bool = False) -> None:
        """Wait for the next try."""
        wait = max(self._next, least_s) if not denied else DENIED_S
        self._next = min(self._next * 2, MOST_S)
        await asyncio.sleep(wait * random.uniform(0.8, 1.2))  # edge: backoff
