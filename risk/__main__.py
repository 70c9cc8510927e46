"""`python -m risk`."""

from __future__ import annotations

from bus_schemas.runtime.entry import main
from risk.service import build

if __name__ == "__main__":
    raise SystemExit(main("risk", "Decides on every signal; the only writer of orders.", build))
