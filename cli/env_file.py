"""A `.env` file in the working directory, for trials: never in production, never over the environment."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from dotenv import dotenv_values

from bus_schemas.settings.sources import PREFIX
from bus_schemas.venues.consent import production

NAME = ".env"


def chosen(values: Mapping[str, str | None], environment: Mapping[str, str]) -> dict[str, str]:
    """What counts of a file's variables: our settings that the environment does not have.

    Consent does not: who agrees to live orders does so in the environment or at the terminal.
    """
    told = {name.upper() for name, value in environment.items() if value}
    return {
        name: value
        for name, value in values.items()
        if value and name.upper().startswith(PREFIX) and name.upper() not in told
    }


@contextlib.contextmanager
def env_file(say: Callable[[str], None], folder: Path | None = None) -> Iterator[None]:
    """Let the settings of a `.env` hold for a while, and say so.

    Args:
        folder: where to look; default the working directory.
    """
    path = (folder or Path.cwd()) / NAME
    if not path.is_file():
        yield
        return
    if production(os.environ):
        say(f"{path} is not read: ENVIRONMENT=prod")
        yield
        return
    added = chosen(dotenv_values(path, interpolate=False), os.environ)
    say(f"read from {path}: {', '.join(sorted(added)) or 'nothing that is not in the environment already'}")
    os.environ.update(added)
    try:
        yield
    finally:
        for name in added:
            os.environ.pop(name, None)
