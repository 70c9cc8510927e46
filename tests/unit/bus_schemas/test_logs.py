"""Logs: one JSON object a line, every source the same way, no secret in any of them."""

from __future__ import annotations

import io
import json
import logging
import warnings
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import structlog
from pydantic import SecretStr

from bus_schemas import logs
from bus_schemas.envelope import Event
from bus_schemas.events import ClockTick
from bus_schemas.settings import HealthSettings, RuntimeSettings
from bus_schemas.topology import Place, Stream
from health.service import open_ledger

SECRET = "hunter2"
EVENT = Event(Place(Stream.REPORTS, "MAIN"), 7, "BTCUSDT", ClockTick(time=1), trace="ab" * 16)


@pytest.fixture
def out() -> Iterator[io.StringIO]:
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield io.StringIO()
    root.handlers[:] = handlers
    root.setLevel(level)
    logging.captureWarnings(False)
    structlog.reset_defaults()


def configure(out: io.StringIO, **more: Any) -> None:
    logs.configure(RuntimeSettings(slot="s1", **more), "risk", out)


def lines(out: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in out.getvalue().splitlines()]


def test_a_line_of_the_standard_library(out: io.StringIO) -> None:
    configure(out)
    logging.getLogger("causeway.test").warning("lost %d of %s", 3, "p1", extra=logs.fields(EVENT) | {"n": 1})
    (line,) = lines(out)
    assert list(line)[:6] == ["time", "level", "service", "slot", "logger", "message"]
    assert line.pop("time").endswith("Z")
    assert line == {
        "level": "warning",
        "service": "risk",
        "slot": "s1",
        "logger": "causeway.test",
        "message": "lost 3 of p1",
        "trace": "ab" * 16,
        "event_id": "reports.MAIN.7",
        "event_type": "ClockTick",
        "symbol": "BTCUSDT",
        "n": 1,
    }


def test_a_line_of_structlog(out: io.StringIO) -> None:
    configure(out)
    with logs.about(EVENT):
        structlog.get_logger("causeway.test").info("hello", price=Decimal("1.5"), parts=("a", {"b": None}))
        logging.getLogger("redis").error("gone")
    logging.getLogger("uvicorn.error").info("up")
    ours, theirs, after = lines(out)
    assert (ours["price"], ours["parts"], ours["event_id"]) == ("1.5", ["a", {"b": None}], "reports.MAIN.7")
    assert (theirs["logger"], theirs["trace"], theirs["level"]) == ("redis", "ab" * 16, "error")
    assert (after["logger"], "trace" in after) == ("uvicorn.error", False)


def test_levels(out: io.StringIO) -> None:
    configure(out, log_level="WARNING")
    logging.getLogger("a").info("no")
    structlog.get_logger("b").info("no")
    logging.getLogger("uvicorn.access").info("no")
    structlog.get_logger("b").warning("yes")
    assert [line["message"] for line in lines(out)] == ["yes"]


def test_access_lines_are_for_debugging(out: io.StringIO, monkeypatch: pytest.MonkeyPatch) -> None:
    # a uvicorn server without an access log, in another test of this process, switches it off
    monkeypatch.setattr(logging.getLogger("uvicorn.access"), "propagate", True)
    configure(out)
    logging.getLogger("uvicorn.access").info("GET /")
    assert lines(out) == []
    configure(out, log_level="DEBUG")
    logging.getLogger("uvicorn.access").info("GET /")
    assert len(lines(out)) == 1


@pytest.mark.parametrize("log_format", ["json", "console"])
def test_uvicorn_s_copy_with_colours_is_left_out(out: io.StringIO, log_format: str) -> None:
    configure(out, log_format=log_format)
    more = {"color_message": "Finished server process [\x1b[36m%d\x1b[0m]"}
    logging.getLogger("uvicorn.error").info("Finished server process [%d]", 7, extra=more)
    assert "Finished server process [7]" in out.getvalue()
    assert "color_message" not in out.getvalue()
    assert "36m" not in out.getvalue()


def test_a_start_on_a_ledger_says_nothing_of_alembic_s_ways(out: io.StringIO, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/ledger.db"
    configure(out, log_level="WARNING")
    open_ledger(HealthSettings(database=SecretStr(url))).dispose()  # brings it to the newest schema
    configure(out)
    open_ledger(HealthSettings(database=SecretStr(url))).dispose()
    assert lines(out) == []
    logging.getLogger("alembic.runtime.migration").warning("worth a line")
    configure(out, log_level="DEBUG")
    open_ledger(HealthSettings(database=SecretStr(url))).dispose()
    messages = [line["message"] for line in lines(out)]
    assert messages[0] == "worth a line"
    assert "Context impl SQLiteImpl." in messages


def test_configuring_twice_writes_once_and_leaves_others(out: io.StringIO) -> None:
    other = logging.NullHandler()
    logging.getLogger().addHandler(other)
    configure(io.StringIO())
    configure(out)
    logging.getLogger("a").error("once")
    assert len(lines(out)) == 1
    assert other in logging.getLogger().handlers


SHOWN = [
    f"redis://:{SECRET}@h:1/0",
    f"cannot reach rediss://user:{SECRET}@h:1/0, waiting",
    f"redis://u:{SECRET}/x@y{SECRET}@h/0",
    f"unix://u:{SECRET}@/run/redis.sock",
    f"postgresql+psycopg://u:{SECRET}@db/x?sslmode=require",
    f"HTTPS://u:{SECRET}@api/x",
    f"host=db password={SECRET} user=x",
    f"host=db PASSWORD = '{SECRET} {SECRET}'",
    f"{{'api_key': '{SECRET}', 'n': 1}}",
    f"Authorization: Bearer {SECRET}",
    f"unix:///run/x.sock?password={SECRET}&db=1",
    f"api-key={SECRET}; secret_token: {SECRET}",
    f"redis://:{SECRET}@h,redis://:{SECRET}@i",
]


@pytest.mark.parametrize("text", SHOWN)
@pytest.mark.parametrize("log_format", ["json", "console"])
def test_secrets_in_text_are_masked(out: io.StringIO, text: str, log_format: str) -> None:
    configure(out, log_format=log_format)
    log = logging.getLogger("a")
    log.error("%s", text)
    log.error("x", extra={"detail": {"deep": [text]}})
    structlog.get_logger("b").error(text, reason=ValueError(text))
    try:
        raise ValueError(text)
    except ValueError:
        log.exception("failed")
        structlog.get_logger("b").exception("failed")
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.warn(text, stacklevel=1)
    written = out.getvalue()
    assert "Traceback" in written
    assert written.count(logs.MASK) >= 6
    assert SECRET not in written


@pytest.mark.parametrize(
    "name", ["password", "redis_password", "API_KEY", "apiKey", "auth_token", "clientSecret", "private_key"]
)
def test_values_with_a_secret_name_are_masked(out: io.StringIO, name: str) -> None:
    configure(out)
    structlog.get_logger("b").info("x", **{name: SECRET}, nested={name: [SECRET]}, url=SecretStr(SECRET))
    assert SECRET not in out.getvalue()
    (line,) = lines(out)
    assert line[name] == line["nested"][name] == logs.MASK


@pytest.mark.parametrize(
    "text",
    ["redis://h:6379/0", "unix:///run/redis.sock", "http://127.0.0.1:9102/metrics", "BTCUSDT: 3 @ 64000"],
)
def test_what_is_no_secret_stays(text: str) -> None:
    assert logs.redact(text) == text


def test_numbers_and_none_stay() -> None:
    assert logs.redact({"a": 1, "b": 2.5, "c": None, "password": None, "d": True, 3: "x"}) == {
        "a": 1,
        "b": 2.5,
        "c": None,
        "password": None,
        "d": True,
        "3": "x",
    }


def test_a_lone_surrogate_does_not_stop_a_line(out: io.StringIO) -> None:
    configure(out)
    logging.getLogger("a").error("bad \udc80")
    assert lines(out)[0]["message"] == "bad \\udc80"


def test_console_lines_are_for_people(out: io.StringIO) -> None:
    configure(out, log_format="console")
    logging.getLogger("causeway.test").warning("lost", extra={"n": 3})
    text = out.getvalue()
    assert "lost" in text
    assert "n=3" in text
    assert "\x1b" not in text
