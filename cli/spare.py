"""A warm spare: a process with everything imported, waiting to become a service that has died.

Importing takes longer than all else in a restart, so the supervisor keeps one spare ready. Its title says
when it is warm. It reads one line of JSON with the module to run, changes its title to that of
`python -m <module>`, and is it.
"""

from __future__ import annotations

import importlib
import os
import runpy
import sys

import msgspec
import setproctitle

from bus_schemas.topology import SERVICES

WARM = tuple(f"{service}.service" for service in SERVICES if service != "health")
"""Imported before anything is asked. Health is left out: it is heavy, and no event waits for it."""


class Orders(msgspec.Struct):
    """What a spare is told.

    Attributes:
        module: to run as `python -m module`.
        environment: variables to set.
        log: file that gets standard output and error.
    """

    module: str
    environment: dict[str, str]
    log: str


def main() -> None:
    """Wait for orders; the end of standard input means that there will be none."""
    for module in WARM:
        importlib.import_module(module)
    setproctitle.setproctitle(f"{sys.executable} -m cli.spare (warm)")
    line = sys.stdin.buffer.readline()
    if not line:
        return
    orders = msgspec.json.decode(line, type=Orders)
    os.environ.update(orders.environment)
    log = os.open(orders.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.dup2(log, 1)
    os.dup2(log, 2)
    setproctitle.setproctitle(f"{sys.executable} -m {orders.module}")
    sys.argv = [orders.module]
    runpy.run_module(orders.module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
