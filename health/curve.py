"""The equity curve in bounded memory."""

from __future__ import annotations

from decimal import Decimal

MOST = 600


class Curve:
    """Points of (time, equity). Beyond `most` every second point is dropped, and from then on only
    every second one is taken, and so on: the whole history in even steps. The newest is always there.
    """

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._stride = 1
        self._seen = 0
        self._points: list[tuple[int, Decimal]] = []
        self._newest: tuple[int, Decimal] | None = None

    def add(self, time: int, equity: Decimal) -> None:
        """Take the next point."""
        self._newest = (time, equity)
        if self._seen % self._stride == 0:
            self._points.append(self._newest)
            if len(self._points) > self._most:
                del self._points[1::2]
                self._stride *= 2
        self._seen += 1

    def points(self) -> list[tuple[int, Decimal]]:
        """Oldest first."""
        if self._newest is not None and self._points[-1] != self._newest:
            return [*self._points, self._newest]
        return list(self._points)
