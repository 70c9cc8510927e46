"""`python -m market_data`."""

from __future__ import annotations

from bus_schemas.runtime.process import main
from market_data.service import make_work

if __name__ == "__main__":
    raise SystemExit(main("market_data", "Publishes candles and marks from files.", make_work))
