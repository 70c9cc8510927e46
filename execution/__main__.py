"""`python -m execution`."""

from __future__ import annotations

from bus_schemas.runtime.entry import main
from execution.service import build

if __name__ == "__main__":
    raise SystemExit(main("execution", "Keeps orders and positions, and the paper venue.", build))
