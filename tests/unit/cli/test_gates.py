"""Each gate before a live order: when it is open, when it is closed, and what it says then."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest

from bus_schemas.errors import (
    EXIT_ACCOUNT_TAKEN,
    EXIT_CLOCK,
    EXIT_MAY_WITHDRAW,
    EXIT_NO_CONSENT,
    EXIT_NO_KEYS,
    EXIT_NO_RECORD,
    EXIT_NOT_DURABLE,
    EXIT_SCHEMA,
    FINAL_EXIT_CODES,
    GATE_EXIT_CODES,
    GateClosed,
)
from bus_schemas.settings import Settings, VenueSettings, load
from bus_schemas.timeframes import DAY, parse_time
from bus_schemas.venues import consent as agreed
from bus_schemas.venues.ending import ending
from cli import gates, records
from cli.account_lease import Holder
from cli.findings import Finding, Gate
from cli.options import LIVE_EXIT_CODES
from cli.records import Record
from execution.live.port import KeyRights

KEY, SECRET = "k-0123456789", "s-9876543210"
KEYS = {"api_key": KEY, "api_secret": SECRET}


def venue(**more: Any) -> VenueSettings:
    return VenueSettings(**({"name": "krakenfutures"} | KEYS | more))


def settings(**sections: Mapping[str, Any]) -> Settings:
    return load(None, {name: dict(section) for name, section in sections.items()})


def made(**more: Any) -> Record:
    told: dict[str, Any] = {
        "configuration": "c",
        "start": 0,
        "end": 40 * DAY,
        "symbols": ("BTCUSDT",),
        "trades": 40,
        "profit_factor": 1.2,
        "max_drawdown_pct": 5.0,
        "return_pct": 2.0,
        "digest": "d",
        "written": 1,
    }
    return Record(**(told | more))


@pytest.mark.parametrize(
    ("more", "lacking"),
    [
        ({}, ""),
        ({"api_key": None, "api_secret": None}, "CAUSEWAY_VENUE__API_KEY and CAUSEWAY_VENUE__API_SECRET"),
        ({"api_key": " "}, "set CAUSEWAY_VENUE__API_KEY"),
        ({"api_secret": ""}, "set CAUSEWAY_VENUE__API_SECRET"),
    ],
)
def test_keys(more: dict[str, Any], lacking: str) -> None:
    look = gates.keys(venue(**more))
    assert look.code == (EXIT_NO_KEYS if lacking else 0)
    assert lacking in look.what


@pytest.mark.parametrize(
    ("trade", "withdraw", "level", "code"),
    [
        (True, False, "ok", 0),
        (None, False, "ok", 0),
        (True, None, "note", 0),
        (None, None, "note", 0),
        (True, True, "wrong", EXIT_MAY_WITHDRAW),
        (False, True, "wrong", EXIT_MAY_WITHDRAW),
        (False, False, "wrong", EXIT_NO_KEYS),
        (False, None, "wrong", EXIT_NO_KEYS),
    ],
)
def test_rights(trade: bool | None, withdraw: bool | None, level: str, code: int) -> None:
    look = gates.rights(venue(), KeyRights(trade=trade, withdraw=withdraw))
    assert (look.level, look.code) == (level, code)


PROD = {"ENVIRONMENT": "prod", "CONFIRM_LIVE": "YES"}


@pytest.mark.parametrize(
    ("environment", "terminal", "level", "said"),
    [
        (PROD, False, "ok", "agreed to"),
        (PROD, True, "ok", "agreed to"),
        ({}, False, "wrong", "ENVIRONMENT=prod and CONFIRM_LIVE=YES"),
        ({}, True, "note", "you will be asked"),
        ({"ENVIRONMENT": "prod"}, False, "wrong", "set CONFIRM_LIVE=YES"),
        ({"CONFIRM_LIVE": "YES"}, False, "wrong", "set ENVIRONMENT=prod"),
        (PROD | {"CONFIRM_LIVE": "yes"}, False, "wrong", "set CONFIRM_LIVE=YES"),
        (PROD | {"ENVIRONMENT": "production"}, False, "wrong", "set ENVIRONMENT=prod"),
        (PROD | {"ENVIRONMENT": "staging"}, False, "wrong", "set ENVIRONMENT=prod"),
    ],
)
def test_consent(environment: dict[str, str], terminal: bool, level: str, said: str) -> None:
    look = gates.consent(venue(), environment, terminal)
    assert (look.level, look.code) == (level, EXIT_NO_CONSENT if level == "wrong" else 0)
    assert said in look.what


@pytest.mark.parametrize(
    ("more", "asked"),
    [
        ({"name": "binanceusdm", "sandbox": True}, False),
        ({"rest_url": "http://127.0.0.1:8900"}, False),
        ({"rest_url": "http://127.9.9.9"}, False),
        ({"rest_url": "http://[::1]:8900"}, False),
        ({"rest_url": "http://localhost:8900"}, False),
        ({}, True),
        ({"rest_url": "https://futures.kraken.com"}, True),
        ({"rest_url": "http://127.0.0.1.example.com"}, True),
        ({"rest_url": "http://10.0.0.1"}, True),
        ({"rest_url": "http://localhost.example.com"}, True),
        ({"rest_url": "http://0.0.0.0:1"}, True),
    ],
)
def test_practice_asks_nobody(more: dict[str, Any], asked: bool) -> None:
    look = gates.consent(venue(**more), {}, terminal=False)
    assert (look.code == EXIT_NO_CONSENT) is asked
    assert ("no money is at stake" in look.what) is not asked


@pytest.mark.parametrize(
    ("more", "environment", "code"),
    [
        ({"name": "paper", "api_key": None, "api_secret": None}, {}, None),
        ({}, PROD, None),
        ({}, {}, EXIT_NO_CONSENT),
        ({}, agreed.given(), None),
        ({"api_key": None, "api_secret": None}, PROD, EXIT_NO_KEYS),
        ({"name": "binanceusdm", "sandbox": True}, {}, None),
        ({"name": "binanceusdm", "sandbox": True, "api_key": None, "api_secret": None}, {}, EXIT_NO_KEYS),
    ],
)
def test_execution_asks_again(more: dict[str, Any], environment: dict[str, str], code: int | None) -> None:
    if code is None:
        agreed.require(venue(**more), environment)
        return
    with pytest.raises(GateClosed) as refusal:
        agreed.require(venue(**more), environment)
    assert refusal.value.exit_code == code
    assert code in FINAL_EXIT_CODES, "a restart would meet the same"


@pytest.mark.parametrize(
    ("more", "told"),
    [({}, True), ({"rest_url": "http://127.0.0.1:1"}, False), ({"name": "binanceusdm"}, False)],
)
def test_execution_logs_that_the_venue_ends(
    more: dict[str, Any], told: bool, caplog: pytest.LogCaptureFixture
) -> None:
    agreed.require(venue(**more), PROD)
    said = "krakenfutures switches off the Derivatives REST API and websocket on 2027-03-01: nothing can be"
    assert [record.message.startswith(said) for record in caplog.records] == [True] * told


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({}, ""),
        ({"profit_factor": None}, ""),
        ({"profit_factor": 1.0, "trades": 30, "end": 30 * DAY}, ""),
        ({"trades": 29}, "29 trades, 30 are asked for"),
        ({"end": 29 * DAY}, "29.0 days, 30 are asked for"),
        ({"profit_factor": 0.99}, "a profit factor of 0.99, 1 is asked for"),
        ({"max_drawdown_pct": 15.0}, "a drawdown of 15.00 %"),
        ({"trades": 1, "profit_factor": 0.5}, "1 trades, 30 are asked for; a profit factor of 0.50"),
    ],
)
def test_paper_record(more: dict[str, Any], said: str) -> None:
    own = settings()
    look = gates.record(own, made(**more), force=False)
    assert look.code == (EXIT_NO_RECORD if said else 0)
    assert said in look.what
    forced = gates.record(own, made(**more), force=True)
    assert (forced.level, forced.code) == ("note" if said else "ok", 0)


def test_what_a_record_must_show_is_a_setting() -> None:
    own = settings(gates={"trades": 50, "profit_factor": "1.3", "days": 45}, risk={"drawdown_pct": 5})
    look = gates.record(own, made(), force=False)
    for said in ("50 are asked for", "1.3 is asked for", "45 are asked for", "halted it at 5 %"):
        assert said in look.what


def test_no_record_at_all() -> None:
    look = gates.record(settings(), None, force=False)
    assert (look.code, "there is none in var/records" in look.what) == (EXIT_NO_RECORD, True)
    assert "run.py paper" in look.mend


@pytest.mark.parametrize(
    ("offset", "more", "level"),
    [
        (0, {}, "ok"),
        (1000, {}, "ok"),
        (-1000, {}, "ok"),
        (1001, {}, "wrong"),
        (-1001, {}, "wrong"),
        (-5000, {"clock_offset_ms": 5000}, "ok"),
        (-3 * DAY, {}, "wrong"),
        (-3 * DAY, {"name": "binanceusdm", "sandbox": True}, "wrong"),
        (30_000, {"rest_url": "http://127.0.0.1:1"}, "wrong"),
        (-3 * DAY, {"rest_url": "http://127.0.0.1:1"}, "note"),
        (30_000, {"rest_url": "http://127.0.0.1:1", "clock_rate": 60}, "note"),
        (-3 * DAY, {"rest_url": "http://venue.example"}, "wrong"),
    ],
)
def test_clock(offset: int, more: dict[str, Any], level: str) -> None:
    look = gates.clock(venue(**more), offset)
    assert (look.level, look.code) == (level, EXIT_CLOCK if level == "wrong" else 0)


@pytest.mark.parametrize(
    ("moment", "said", "mend"),
    [
        (
            "2026-11-22",
            "switches off the Derivatives REST API and websocket on 2027-03-01: ",
            "",
        ),
        ("2026-11-22T12:00", "98 days are left", "close or move positions"),
        ("2027-01-31", "; 28 days are left", "choose another venue"),
        ("2027-02-01T00:01", "27 DAYS LEFT: krakenfutures switches off", "open nothing new (run.py kill)"),
        ("2027-02-28T23:59", "0 DAYS LEFT: ", "before that day"),
        ("2027-03-01", "LOOK AFTER YOUR POSITIONS: krakenfutures was to", "on the venue's own pages"),
        ("2028-01-01", "may not arrive", "https://docs.kraken.com/exchange/api-reference/futures-rest"),
    ],
)
def test_a_venue_that_ends_is_told_louder_and_louder_and_never_refused(
    moment: str, said: str, mend: str
) -> None:
    end = ending(venue())
    assert end is not None
    look = gates.ending(venue(), end, parse_time(moment))
    assert (look.level, look.code) == ("note", 0), "positions must be seen to while any order still arrives"
    assert said in look.what
    assert mend in look.mend
    assert end.link in look.mend


@pytest.mark.parametrize(
    ("more", "ends"),
    [
        ({}, True),
        ({"rest_url": "https://proxy.example"}, True),
        ({"rest_url": "http://127.0.0.1:8900"}, False),
        ({"name": "binanceusdm"}, False),
    ],
)
def test_only_the_real_venue_ends(more: dict[str, Any], ends: bool) -> None:
    assert (ending(venue(**more)) is not None) is ends


def test_durability_schema_and_account() -> None:
    found = [Finding("ok", "noeviction"), Finding("note", "everysec"), Finding("wrong", "off", "turn it on")]
    assert [look.code for look in gates.durable(found)] == [0, 0, EXIT_NOT_DURABLE]
    assert [gates.schema("l", found, "0002").code for found in ("0002", "0001", None)] == [
        0,
        EXIT_SCHEMA,
        EXIT_SCHEMA,
    ]
    assert gates.account(venue(), None).code == 0
    held = gates.account(venue(), Holder("there", 77, "", "n", 1))
    assert (held.code, "process 77 on there" in held.what) == (EXIT_ACCOUNT_TAKEN, True)


def test_all_closed_gates_are_told_at_once_and_the_first_gives_the_code() -> None:
    looks = [
        Gate("ok", "open"),
        Gate("wrong", "second", "mend it", EXIT_NO_CONSENT),
        Gate("note", "by the way"),
        Gate("wrong", "third", "mend that", EXIT_SCHEMA),
    ]
    refusal = gates.closed(looks)
    assert refusal is not None
    assert refusal.exit_code == EXIT_NO_CONSENT
    assert all(text in str(refusal) for text in ("second", "mend it", "third", "mend that"))
    assert "by the way" not in str(refusal)
    assert gates.closed(looks[:1]) is None


def test_every_gates_code_is_its_own_and_in_the_help() -> None:
    for code, words in GATE_EXIT_CODES.items():
        assert f"{code} {words}" in LIVE_EXIT_CODES
    assert not set(GATE_EXIT_CODES) & {0, 1, 2, 3, 4, 5, 6, 130}


def test_no_gate_says_a_secret() -> None:
    own = settings(venue={"name": "krakenfutures"} | KEYS)
    looks = [
        gates.keys(own.venue),
        gates.rights(own.venue, KeyRights(withdraw=True)),
        gates.consent(own.venue, {}, False),
        gates.record(own, None, False),
        gates.clock(own.venue, 5000),
        gates.account(own.venue, None),
    ]
    said = msgspec.json.encode(looks).decode()
    assert KEY not in said
    assert SECRET not in said


def test_the_longest_record_of_this_configuration_counts(tmp_path: Path) -> None:
    own = settings()
    mine = records.configuration(own)
    for number, (configuration, days, factor) in enumerate(
        [(mine, 10, 9.0), (mine, 60, 1.1), ("another", 90, 3.0)]
    ):
        records.write(
            tmp_path,
            made(configuration=configuration, end=days * DAY, profit_factor=factor, digest=f"{number}"),
        )
    (tmp_path / "broken.json").write_text("{")
    found = records.longest(tmp_path, own)
    assert found is not None
    assert (found.days, found.profit_factor) == (Decimal(60), 1.1)
    bolder = settings(risk={"risk_per_trade_pct": "0.4"})
    assert records.longest(tmp_path, bolder) is None
    assert records.longest(tmp_path / "nowhere", own) is None
    elsewhere = settings(bus={"batch": 7}, gates={"trades": 1}, venue={"name": "binanceusdm"})
    assert records.longest(tmp_path, elsewhere) is not None, "where it trades is not what it trades"
