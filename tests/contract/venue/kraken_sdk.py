"""Orders by python-kraken-sdk, a client that knows nothing of ours."""

from __future__ import annotations

from itertools import count
from typing import Any

from kraken.futures import Trade

NAME = "krakenfutures"
SYMBOL = "PF_XBTUSD"
_ids = count(1)


def fresh(prefix: str = "id") -> str:
    """Kraken takes a client order id once for ever."""
    return f"{prefix}-{next(_ids)}"


def buy(trade: Trade, **order: Any) -> dict[str, Any]:
    told: dict[str, Any] = {
        "orderType": "lmt",
        "size": 0.01,
        "symbol": SYMBOL,
        "side": "buy",
        "limitPrice": 50_000,
    }
    sent: dict[str, Any] = trade.create_order(**(told | order))["sendStatus"]
    return sent
