"""Asks the world what the gates look at: the venue, the bus server, the ledger, the paper records."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
import time
from collections.abc import Iterator, Mapping

import msgspec
import redis

from bus_schemas.bus.redis_link import Link, translated
from bus_schemas.errors import EXIT_UNREACHABLE, BusError, CausewayError, Disconnected, Unreachable
from bus_schemas.instruments import Instrument
from bus_schemas.settings import HealthSettings, Settings, VenueSettings
from bus_schemas.venues.consent import CONFIRM, CONFIRMED, given
from bus_schemas.venues.ending import ending
from cli import doctor, gates, records
from cli.account_lease import AccountLease, account_key
from cli.findings import Gate
from execution.live.faults import Denied, VenueFault
from execution.live.port import KeyRights, Venue
from execution.live.venues import make_venue
from health.database import database_url, make_engine, shown
from health.migrate import current, newest


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """What a venue said of the key, the clock, and its contracts.

    Attributes:
        terms: of every linear perpetual, by canonical symbol.
        offset_ms: its clock minus ours; None where it did not say.
        denied: its words where it did not accept the key.
        fault: why it could not be asked.
        warning: what it found about the account that a person should know.
    """

    rights: KeyRights = KeyRights()
    offset_ms: int | None = None
    denied: str = ""
    fault: str = ""
    warning: str = ""
    terms: Mapping[str, Instrument] = {}


async def ask(venue: Venue) -> Told:
    """Open the venue, ask, close it. Faults of the venue are answers here."""
    offset: int | None = None
    try:
        await venue.open()
        offset = await venue.sync_clock()
        return Told(
            rights=await venue.rights(),
            offset_ms=offset,
            warning=venue.warning,
            terms=venue.instruments(),
        )
    except Denied as error:
        return Told(denied=str(error), offset_ms=offset)
    except VenueFault as error:
        return Told(fault=str(error), offset_ms=offset)
    finally:
        await venue.close()


def ask_venue(settings: Settings) -> Told | None:
    """What the venue says; None where there are no keys to ask with.

    Raises:
        ConfigurationError: there is no such venue.
    """
    if gates.keys(settings.venue).code:
        return None
    return asyncio.run(ask(make_venue(settings.venue, settings.market_data.symbols)))


def looks(settings: Settings, told: Told | None, force: bool) -> Iterator[Gate]:
    """Every gate but the account's, in their order.

    Args:
        told: from `ask_venue`.
        force: accept the paper record as it is.
    """
    venue = settings.venue
    yield from _of_the_key(venue, told)
    yield gates.consent(venue, os.environ, at_terminal())
    yield gates.record(settings, records.longest(settings.gates.records, settings), force)
    yield from _of_the_venue(venue, told)
    yield from _bus(settings)
    yield from _schema(settings.health)


def told_to_doctor(settings: Settings, url: str | None) -> Iterator[Gate]:
    """What a live run would meet, but for consent, and for the bus, which doctor looks at for itself.

    Args:
        url: of the bus, where one is told: it knows who has the account.

    Raises:
        ConfigurationError: there is no such venue.
    """
    venue = settings.venue
    told = ask_venue(settings)
    yield from _of_the_key(venue, told)
    record = gates.record(settings, records.longest(settings.gates.records, settings), force=False)
    yield Gate("note", record.what, record.mend) if record.code else record
    yield from _of_the_venue(venue, told)
    yield from _schema(settings.health)
    if url and not gates.keys(venue).code:
        with contextlib.suppress(BusError), AccountLease(url, 2.0, account_key(venue)) as lease:
            held = gates.account(venue, lease.holder())
            yield Gate("note", held.what) if held.code else held


def _of_the_key(venue: VenueSettings, told: Told | None) -> Iterator[Gate]:
    yield gates.keys(venue)
    if told is not None and told.denied:
        yield gates.denied(venue, told.denied)
    elif told is not None and not told.fault:
        yield gates.rights(venue, told.rights)


def _of_the_venue(venue: VenueSettings, told: Told | None) -> Iterator[Gate]:
    yield _clock(venue, told)
    if told is not None and told.warning:
        yield Gate("note", told.warning)
    if not venue.proven:
        yield Gate("note", f"{venue.name} is unproven: its adapter never passed the conformance suite")
    if end := ending(venue):
        offset_ms = told.offset_ms if told is not None else None
        yield gates.ending(venue, end, time.time_ns() // 1_000_000 + (offset_ms or 0))


def _clock(venue: VenueSettings, told: Told | None) -> Gate:
    if told is None:
        return Gate("note", "rights of the key and clock are not looked at: that needs a key")
    if told.fault:
        return Gate(
            "wrong",
            f"{venue.name} cannot be asked: {told.fault}",
            "see whether the venue is up and can be reached from here",
            EXIT_UNREACHABLE,
        )
    if told.offset_ms is None:
        return Gate("note", f"{venue.name}'s clock is not looked at: that needs a key it accepts")
    return gates.clock(venue, told.offset_ms)


def _bus(settings: Settings) -> Iterator[Gate]:
    link = Link(settings.bus.url.get_secret_value(), settings.bus.timeout_s)
    try:
        with translated():
            client = link.client()
            client.execute_command("PING")
            yield from gates.durable(doctor.durability(client))
    except (Disconnected, Unreachable, redis.exceptions.RedisError) as error:
        yield Gate(
            "wrong",
            f"the bus cannot be used: {error}",
            "start the server, or correct the URL",
            EXIT_UNREACHABLE,
        )
    finally:
        link.close()


def _schema(health: HealthSettings) -> Iterator[Gate]:
    url = database_url(health)
    try:
        if url.get_backend_name() == "sqlite" and not os.path.exists(url.database or ""):
            yield gates.schema(shown(url), None, newest())
            return
        engine = make_engine(url)
        try:
            yield gates.schema(shown(url), current(engine), newest())
        finally:
            engine.dispose()
    except CausewayError as error:
        yield Gate("wrong", str(error), "see whether the database is up", error.exit_code)


def at_terminal() -> bool:
    """Whether a person can be asked."""
    return sys.stdin.isatty()


def ask_person(venue: VenueSettings) -> dict[str, str]:
    """Ask on the terminal for consent; returns the variables that hand it on, none where it is not given."""
    sys.stderr.write(
        f"Orders to {venue.name} will be for real money. Type the venue's name to go on, "
        f"or anything else to stop ({CONFIRM}={CONFIRMED} with ENVIRONMENT=prod does the same): "
    )
    sys.stderr.flush()
    return given() if sys.stdin.readline().strip() == venue.name else {}
