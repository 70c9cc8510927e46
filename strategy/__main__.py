"""`python -m strategy`."""

from __future__ import annotations

from bus_schemas.runtime.entry import main
from strategy.service import build

if __name__ == "__main__":
    raise SystemExit(main("strategy", "Judges candles: one assessment per decision candle.", build))
