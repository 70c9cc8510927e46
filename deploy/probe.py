"""Whether the service in this container lives: exit code 0 if its `/healthz` answers 200.

A service answers on `CAUSEWAY_RUNTIME__HTTP_PORT`; health has no such endpoint and answers on
`CAUSEWAY_HEALTH__PORT`. One container runs one of them, so the first that answers tells.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from http.client import HTTPConnection, HTTPException

TIMEOUT_S = 2.0
PORTS = ("CAUSEWAY_RUNTIME__HTTP_PORT", "CAUSEWAY_HEALTH__PORT")


def status(port: int) -> int | None:
    """What `/healthz` answers on this port; None where nobody listens."""
    connection = HTTPConnection("127.0.0.1", port, timeout=TIMEOUT_S)
    try:
        connection.request("GET", "/healthz")
        return connection.getresponse().status
    except ConnectionRefusedError:
        return None
    finally:
        connection.close()


def say(text: str) -> None:
    """Docker keeps a probe's words beside its result."""
    sys.stdout.write(text + "\n")


def main(environment: Mapping[str, str]) -> int:
    """Ask; returns the exit code that Docker understands: 0 healthy, 1 not."""
    for name in PORTS:
        port = environment.get(name, "")
        if not port.isdigit():
            continue
        try:
            found = status(int(port))
        except (OSError, HTTPException) as error:
            say(f"port {port}: {error}")
            return 1
        if found is not None:
            say(f"port {port}: {found}")
            return 0 if found == 200 else 1
    say("nobody listens on " + " or ".join(PORTS))
    return 1


if __name__ == "__main__":
    sys.exit(main(os.environ))
