"""Logs of every process: one JSON object a line on standard error, without secrets.

Code logs through the standard library (`logging.getLogger("causeway.…")`, details in `extra=`) or through
structlog; both, and what redis and uvicorn say, take the same way through `configure`'s handler. uvicorn
must be started with `log_config=None`, or it installs handlers of its own.

A line has `time`, `level`, `service`, `slot`, `logger` and `message`; then what was given, such as
`trace` and `event_id`. Masked are values whose name speaks of a secret, and passwords inside URLs and
`password=…` in any text, also in tracebacks.
"""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import Any, TextIO

import msgspec
import structlog
from structlog.typing import EventDict, Processor

from bus_schemas.envelope import Event
from bus_schemas.settings.bus import RuntimeSettings

MASK = "***"

_SECRET_NAME = re.compile(
    r"password|passwd|secret|token|api[_-]?key|private[_-]?key|credential|authorization", re.IGNORECASE
)
_STORE_URL = re.compile(
    r"\b((?:rediss?|valkeys?|unix|postgres(?:ql)?(?:\+\w+)?)://[^\s/:@]*):\S+@", re.IGNORECASE
)
"""Up to the last `@`: a password that should have been escaped may hold `/` and `@`."""

_ANY_URL = re.compile(r"\b([a-z][a-z0-9+.-]*://[^\s/:@]*):[^\s/@]+@", re.IGNORECASE)
_PAIR = re.compile(
    rf"(\w*(?:{_SECRET_NAME.pattern})\w*['\"]?\s*[=:]\s*)(?:bearer\s+)?(\"[^\"]*\"|'[^']*'|[^\s,;&]+)",
    re.IGNORECASE,
)

_CHATTY = ("uvicorn.access", "alembic")
"""What these say at INFO is for debugging: every request, and at every start how migrations would be run."""

_DROPPED = ("color_message",)
"""uvicorn's second copy of a message, with a terminal's colours in it."""


class _Handler(logging.StreamHandler[TextIO]):
    """Ours, so that a second `configure` replaces it and leaves other handlers alone."""


def configure(runtime: RuntimeSettings, service: str, stream: TextIO | None = None) -> None:
    """Send every log of this process through one handler. May be called again.

    Args:
        runtime: level, format (`json` or `console`) and the slot that every line names.
        service: named in every line.
        stream: standard error where it is None.
    """
    handler = _Handler(stream or sys.stderr)
    handler.setFormatter(_formatter(runtime, service, handler.stream.isatty()))
    root = logging.getLogger()
    for old in [h for h in root.handlers if isinstance(h, _Handler)]:
        root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel(runtime.log_level)
    logging.captureWarnings(True)
    for chatty in _CHATTY:
        logging.getLogger(chatty).setLevel(logging.DEBUG if runtime.log_level == "DEBUG" else logging.WARNING)
    structlog.configure(
        processors=[structlog.stdlib.filter_by_level, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
    )


def fields(event: Event) -> dict[str, str]:
    """What a line about an event names: for `extra=`, or as keywords of a structlog logger."""
    return {"trace": event.trace, "event_id": event.id, "event_type": event.type, "symbol": event.key}


def about(event: Event) -> AbstractContextManager[None]:
    """Within it, every line of this thread names the event."""
    return structlog.contextvars.bound_contextvars(**fields(event))


def redact(value: Any) -> Any:
    """The value with secrets masked, as what JSON can hold. Unknown objects become their text."""
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, Mapping):
        return {str(key): _masked(str(key), item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [redact(item) for item in value]
    text = value if type(value) is str else str(value)
    text = _STORE_URL.sub(rf"\1:{MASK}@", text)
    text = _ANY_URL.sub(rf"\1:{MASK}@", text)
    text = _PAIR.sub(rf"\1{MASK}", text)
    return text if text.isascii() else text.encode("utf-8", "backslashreplace").decode()


def _masked(name: str, value: Any) -> Any:
    return MASK if value is not None and _SECRET_NAME.search(name) else redact(value)


def _formatter(runtime: RuntimeSettings, service: str, colors: bool) -> structlog.stdlib.ProcessorFormatter:
    renderer: Processor
    if runtime.log_format == "json":
        renderer = structlog.processors.JSONRenderer(serializer=_json)
    else:
        # the plain traceback, because the rich one prints local variables, and secrets among them
        renderer = structlog.dev.ConsoleRenderer(
            colors=colors,
            event_key="message",
            timestamp_key="time",
            exception_formatter=structlog.dev.plain_traceback,
        )

    def arrange(_logger: Any, _method: str, line: EventDict) -> EventDict:
        first = {
            "time": line.pop("time"),
            "level": line.pop("level"),
            "service": service,
            "slot": runtime.slot,
            "logger": line.pop("logger"),
            "message": redact(line.pop("event")),
        }
        rest = {key: value for key, value in line.items() if key not in first and key not in _DROPPED}
        return first | {key: _masked(key, value) for key, value in rest.items()}

    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=[structlog.stdlib.ExtraAdder()],
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.stdlib.add_log_level,
            structlog.stdlib.add_logger_name,
            structlog.processors.TimeStamper(fmt="iso", utc=True, key="time"),
            structlog.processors.StackInfoRenderer(),
            structlog.processors.format_exc_info,
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            arrange,
            renderer,
        ],
    )


def _json(line: EventDict, **_unused: Any) -> str:
    return msgspec.json.encode(line).decode()
