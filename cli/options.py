"""What several commands share: options, exit codes, and how an error becomes one of them."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from bus_schemas.errors import EXIT_INTERRUPTED, GATE_EXIT_CODES, CausewayError
from cli.lifecycle import Interrupted

EXIT_CODES = (
    "Exit codes: 0 done · 1 failed · 2 wrong option or configuration · 3 bad data · 4 too many dead "
    "letters · 5 a service keeps dying · 6 server unreachable · 130 interrupted."
)

DOWNLOAD_EXIT_CODES = (
    "Exit codes: 0 done · 1 failed · 2 wrong option or configuration · 3 a file there holds something else · "
    "6 venue unreachable · 130 interrupted; what was fetched until then is kept."
)

EXPERIMENT_EXIT_CODES = (
    "Exit codes: 0 ended by --hours, Ctrl-C or SIGTERM · 1 failed, or ENVIRONMENT=prod · 2 wrong option or "
    "configuration · 130 interrupted before the start."
)

SIMULATE_EXIT_CODES = (
    "Exit codes: 0 ended by Ctrl-C or SIGTERM · 1 failed · 2 wrong option, fault plan or folder · 3 bad data."
)

LIVE_EXIT_CODES = (
    "Exit codes: 0 stopped in order · 1 failed · 2 wrong option or configuration · 5 a service keeps dying · "
    "6 server or venue unreachable · 130 interrupted before the start. Closed gates, of several the first: "
    + " · ".join(f"{code} {words}" for code, words in GATE_EXIT_CODES.items())
    + "."
)


def filled(value: str | None) -> str | None:
    """The value. A blank one is a slip, such as an unset shell variable: it must not pass for none at all."""
    if value is not None and not value.strip():
        raise typer.BadParameter("must not be blank")
    return value


Config = Annotated[
    Path | None, typer.Option("--config", help="Settings, TOML or JSON; also $CAUSEWAY_CONFIG.")
]
Json = Annotated[bool, typer.Option("--json", help="Machine-readable output on standard output.")]
Redis = Annotated[
    str | None,
    typer.Option(
        "--redis", help="URL of a Redis or Valkey server: redis://, rediss://, unix://.", callback=filled
    ),
]
Namespace = Annotated[
    str | None, typer.Option("--namespace", help="Namespace on the server.", callback=filled)
]
Symbols = Annotated[
    str | None, typer.Option(help="Comma-separated; default all in the folder.", callback=filled)
]
Timeframes = Annotated[
    str | None,
    typer.Option(help="ENTRY,DECISION,BIAS; default 15m,1h,4h.", metavar="E,D,B", callback=filled),
]
From = Annotated[
    str | None, typer.Option("--from", help="First candle; default the oldest.", callback=filled)
]
To = Annotated[
    str | None, typer.Option("--to", help="Last candle's close; default the newest.", callback=filled)
]
Pid = Annotated[int | None, typer.Option("--pid", help="Which run of this machine, where several go on.")]


def given(options: dict[str, Any]) -> dict[str, Any]:
    """Options that were given."""
    return {name: value for name, value in options.items() if value is not None}


def guarded(run: Callable[[], None]) -> None:
    """Run a command; an error of ours becomes its sentence and exit code, never a traceback."""
    try:
        run()
    except CausewayError as error:
        print(f"{error}" if isinstance(error, Interrupted) else f"error: {error}", file=sys.stderr)
        raise typer.Exit(error.exit_code) from None
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        raise typer.Exit(EXIT_INTERRUPTED) from None


def say_aside(sentence: str) -> None:
    """A sentence beside the output proper."""
    print(sentence, file=sys.stderr)
