"""`python -m health`."""

from __future__ import annotations

from bus_schemas.runtime.entry import main
from health.service import build

if __name__ == "__main__":
    raise SystemExit(main("health", "HTTP, metrics, alerts and the SQL ledger.", build))
