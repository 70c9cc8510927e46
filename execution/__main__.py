"""`python -m execution`."""

from __future__ import annotations

from bus_schemas.runtime.process import decider_work, main
from execution.service import deciders

if __name__ == "__main__":
    WORK = decider_work("execution", deciders)
    raise SystemExit(main("execution", "Keeps orders and positions, and the paper venue.", WORK))
