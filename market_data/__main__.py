"""`python -m market_data`."""

from __future__ import annotations

from bus_schemas.runtime.entry import main
from market_data.service import build

if __name__ == "__main__":
    raise SystemExit(main("market_data", "Publishes candles and marks of a venue, or from files.", build))
