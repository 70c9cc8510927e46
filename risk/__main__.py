"""`python -m risk`."""

from __future__ import annotations

from bus_schemas.runtime.process import decider_work, main
from risk.service import deciders

if __name__ == "__main__":
    WORK = decider_work("risk", deciders)
    raise SystemExit(main("risk", "Decides on every signal; the only writer of orders.", WORK))
