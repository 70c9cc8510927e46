"""`python -m strategy`."""

from __future__ import annotations

from bus_schemas.runtime.process import decider_work, main
from strategy.service import deciders

if __name__ == "__main__":
    WORK = decider_work("strategy", deciders)
    raise SystemExit(main("strategy", "Judges candles: one assessment per decision candle.", WORK))
