"""The gates before a live order. Each looks at what is known and says whether it is open, and why not.

They are asked in this order, and all that are closed are told at once; the exit code is the first one's.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal

from bus_schemas.errors import (
    EXIT_ACCOUNT_TAKEN,
    EXIT_CLOCK,
    EXIT_MAY_WITHDRAW,
    EXIT_NO_CONSENT,
    EXIT_NO_KEYS,
    EXIT_NO_RECORD,
    EXIT_NOT_DURABLE,
    EXIT_SCHEMA,
    GateClosed,
)
from bus_schemas.events import Millis
from bus_schemas.settings import Settings, VenueSettings
from bus_schemas.settings.purpose import practice, simulated
from bus_schemas.timeframes import DAY
from bus_schemas.venues.consent import missing_consent, missing_keys
from bus_schemas.venues.ending import Ending
from cli.account_lease import EXPIRY_S, Holder
from cli.findings import Finding, Gate
from cli.records import Record
from execution.live.port import KeyRights

ACCEPT_RECORD = "or accept it as it is with --force"
LAST_DAYS = 28
"""From so many days before a venue's announced end on, the sentence about it is a louder one."""


def keys(venue: VenueSettings) -> Gate:
    """There is an API key with its secret."""
    sentence = missing_keys(venue)
    if sentence:
        return Gate("wrong", sentence, "make a key that may trade and may not withdraw", EXIT_NO_KEYS)
    return Gate("ok", f"there is an API key for {venue.name}")


def rights(venue: VenueSettings, told: KeyRights) -> Gate:
    """The key may trade, and may not move money out."""
    if told.withdraw:
        return Gate(
            "wrong",
            f"the API key may withdraw from {venue.name}: whoever steals it takes the money",
            "make a key without that right, and delete this one",
            EXIT_MAY_WITHDRAW,
        )
    if told.trade is False:
        return Gate(
            "wrong",
            f"the API key may not trade on {venue.name}",
            "make a key that may trade and may not withdraw",
            EXIT_NO_KEYS,
        )
    if told.withdraw is None:
        return Gate(
            "note",
            f"{venue.name} does not tell whether the key may withdraw",
            "look at the key's rights on the venue's pages",
        )
    return Gate("ok", "the API key may not withdraw")


def denied(venue: VenueSettings, words: str) -> Gate:
    """The venue does not take the key, or the account is in a mode that we do not plan with."""
    return Gate(
        "wrong",
        f"no trading with this key and account at {venue.name}: {words}",
        "where it is the key: see that key, secret and network (sandbox or not) belong together",
        EXIT_NO_KEYS,
    )


def consent(venue: VenueSettings, environment: Mapping[str, str], terminal: bool) -> Gate:
    """Somebody has agreed to orders for real money.

    Args:
        terminal: whether a person can be asked later.
    """
    if practice(venue):
        where = "the venue's sandbox" if venue.sandbox else "a simulated venue on this machine"
        return Gate("ok", f"practice: {where}, no money is at stake, so nobody is asked")
    sentence = missing_consent(venue, environment)
    if not sentence:
        return Gate("ok", f"orders to {venue.name} for real money are agreed to by the environment")
    if terminal:
        return Gate("note", f"orders to {venue.name} are for real money; you will be asked")
    return Gate("wrong", sentence, "or start it on a terminal, where it asks", EXIT_NO_CONSENT)


def record(settings: Settings, found: Record | None, force: bool) -> Gate:
    """This configuration has shown on paper what is asked of it."""
    lacking = _lacking(settings, found)
    if not lacking:
        return Gate("ok", f"on paper this configuration made {found}")
    sentence = f"the paper record of this configuration is not good enough: {'; '.join(lacking)}"
    if force:
        return Gate("note", f"{sentence}. Accepted with --force")
    mend = "paper-trade more of it with run.py paper" if found else "run it with run.py paper"
    return Gate("wrong", sentence, f"{mend}, {ACCEPT_RECORD}", EXIT_NO_RECORD)


def _lacking(settings: Settings, found: Record | None) -> list[str]:
    asked = settings.gates
    if found is None:
        return [f"there is none in {asked.records} (each change to strategy or risk needs a new one)"]
    lacking = []
    if found.trades < asked.trades:
        lacking.append(f"{found.trades} trades, {asked.trades} are asked for")
    if found.days < asked.days:
        lacking.append(f"{found.days:.1f} days, {asked.days} are asked for")
    if found.profit_factor is not None and Decimal(str(found.profit_factor)) < asked.profit_factor:
        lacking.append(f"a profit factor of {found.profit_factor:.2f}, {asked.profit_factor} is asked for")
    if Decimal(str(found.max_drawdown_pct)) >= settings.risk.drawdown_pct:
        lacking.append(
            f"a drawdown of {found.max_drawdown_pct:.2f} %, which would have halted it at "
            f"{settings.risk.drawdown_pct} %"
        )
    return lacking


def clock(venue: VenueSettings, offset_ms: int) -> Gate:
    """This machine's clock agrees with the venue's.

    Args:
        offset_ms: venue minus ours.
    """
    limit = venue.clock_offset_ms
    if abs(offset_ms) <= limit:
        return Gate("ok", f"this clock and that of {venue.name} are {abs(offset_ms)} ms apart")
    side = "behind" if offset_ms > 0 else "ahead of"
    told = f"this clock is {_span(abs(offset_ms))} {side} that of {venue.name}"
    if simulated(venue) and (venue.clock_rate != 1 or abs(offset_ms) > DAY):
        return Gate("note", f"{told}: a simulated venue that plays the past has a clock of its own")
    return Gate("wrong", f"{told}, {limit:,} ms are allowed", "run NTP on this machine", EXIT_CLOCK)


def _span(milliseconds: int) -> str:
    if milliseconds > DAY:
        return f"{milliseconds / DAY:,.0f} days"
    return f"{milliseconds / 1000:,.1f} s"


def ending(venue: VenueSettings, end: Ending, now: Millis) -> Gate:
    """The venue switches off what orders go through. It never closes: positions must be seen to while any
    order still arrives, and a venue may put the day off.

    Args:
        now: the venue's time.
    """
    left = end.days_left(now)
    if left < 0:
        return Gate(
            "note",
            f"LOOK AFTER YOUR POSITIONS: {venue.name} was to switch off {end.what} on {end.day}, and "
            "Causeway has no other way there. Orders, stops that are to be moved and closes may not arrive",
            f"close what is open on the venue's own pages, and choose another venue; {end.link}",
        )
    what = (
        f"{venue.name} switches off {end.what} on {end.day}: from that day on Causeway can place, move or "
        "cancel nothing there"
    )
    if left < LAST_DAYS:
        return Gate(
            "note",
            f"{left} DAYS LEFT: {what}",
            "open nothing new (run.py kill), close or move what is open before that day, and choose another "
            f"venue; {end.link}",
        )
    return Gate(
        "note",
        f"{what}; {left} days are left",
        f"close or move positions before that day, and choose another venue; {end.link}",
    )


def durable(findings: Iterable[Finding]) -> list[Gate]:
    """The server keeps what it was told: no eviction, and an append-only file.

    Args:
        findings: of `cli.doctor.durability`.
    """
    return [
        Gate(f.level, f"bus: {f.what}", f.mend, EXIT_NOT_DURABLE if f.level == "wrong" else 0)
        for f in findings
    ]


def schema(ledger: str, found: str | None, newest: str) -> Gate:
    """The ledger's schema is this release's.

    Args:
        ledger: its URL without a password.
        found: its revision; None where it was never migrated.
    """
    if found == newest:
        return Gate("ok", f"the ledger {ledger} has the newest schema, {newest}")
    return Gate(
        "wrong",
        f"the ledger {ledger} is {f'at schema {found}' if found else 'empty'}, this release needs {newest}",
        "python migrate_schema.py",
        EXIT_SCHEMA,
    )


def account(venue: VenueSettings, holder: Holder | None) -> Gate:
    """No other worker has the account."""
    if holder is None:
        return Gate("ok", f"no other worker has this account of {venue.name}")
    return Gate(
        "wrong",
        f"this account of {venue.name} is held by {holder}",
        f"stop that one first; where it was killed, its hold ends within {EXPIRY_S:g} s",
        EXIT_ACCOUNT_TAKEN,
    )


def closed(looks: Sequence[Gate]) -> GateClosed | None:
    """The refusal of all closed gates together; None where all are open."""
    found = [look for look in looks if look.level == "wrong"]
    if not found:
        return None
    sentences = [f"{look.what}\n      → {look.mend}" if look.mend else look.what for look in found]
    if len(found) == 1:
        return GateClosed(f"no live orders: {sentences[0]}", found[0].code)
    return GateClosed("no live orders:\n  - " + "\n  - ".join(sentences), found[0].code)
