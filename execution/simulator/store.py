"""The orders of one id space: those that live, and those that ended, up to a number."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from uuid import NAMESPACE_OID, uuid5

from bus_schemas.events import Millis
from execution.simulator.orders import SimFill, SimOrder

KEPT = 20_000
"""Ended orders, and fills, that are remembered. The oldest are forgotten first; a live one never is.
Client ids of forgotten orders are free again."""

Clock = Callable[[], Millis]


class Ids:
    """Ids that are never given twice, and the same in every run.

    Args:
        name: tells id spaces apart.
        uuids: whether they are UUIDs; else numbers above `base`.
    """

    def __init__(self, name: str, uuids: bool, base: int = 0) -> None:
        self._name = name
        self._uuids = uuids
        self._count = base

    def next(self) -> str:
        """The next id."""
        self._count += 1
        if self._uuids:
            return str(uuid5(NAMESPACE_OID, f"{self._name}-{self._count}"))
        return str(self._count)


class OrderStore:
    """Orders of one id space, in order of placing.

    Args:
        kept: how many ended ones are remembered.
    """

    def __init__(self, kept: int = KEPT) -> None:
        self._kept = kept
        self._all: dict[str, SimOrder] = {}
        self._alive: dict[str, SimOrder] = {}
        self._by_client: dict[str, str] = {}

    def add(self, order: SimOrder) -> None:
        """Take a new order in."""
        self._all[order.order_id] = order
        self._alive[order.order_id] = order
        if order.client_id:
            self._by_client[order.client_id] = order.order_id
        self._forget()

    def ended(self, order: SimOrder) -> None:
        """The order lives no longer."""
        self._alive.pop(order.order_id, None)

    def get(self, order_id: str) -> SimOrder | None:
        """The order of this id."""
        return self._all.get(order_id)

    def by_client_id(self, client_id: str) -> SimOrder | None:
        """The last order that had this client id."""
        return self._all.get(self._by_client.get(client_id, ""))

    def alive(self, symbol: str | None = None) -> list[SimOrder]:
        """Living orders, oldest first."""
        return [order for order in self._alive.values() if symbol in (None, order.symbol)]

    def count(self, symbol: str) -> int:
        """Living orders of a symbol."""
        return sum(order.symbol == symbol for order in self._alive.values())

    def __iter__(self) -> Iterator[SimOrder]:
        return iter(self._all.values())

    def __len__(self) -> int:
        return len(self._all)

    def _forget(self) -> None:
        if len(self._all) - len(self._alive) <= self._kept:
            return
        oldest = next((order for order in self._all.values() if not order.alive), None)
        if oldest is not None:
            del self._all[oldest.order_id]
            if self._by_client.get(oldest.client_id) == oldest.order_id:
                del self._by_client[oldest.client_id]


class FillStore:
    """Fills in order of time."""

    def __init__(self, kept: int = KEPT) -> None:
        self._kept = kept
        self._all: dict[str, SimFill] = {}

    def add(self, fill: SimFill) -> None:
        """Take a fill in."""
        self._all[fill.fill_id] = fill
        if len(self._all) > self._kept:
            del self._all[next(iter(self._all))]

    def __iter__(self) -> Iterator[SimFill]:
        return iter(self._all.values())

    def __len__(self) -> int:
        return len(self._all)
