"""Words for variants of market structure: settings are written in them, and the engine reads them."""

from __future__ import annotations

from enum import StrEnum


class By(StrEnum):
    """Which price must pass a level."""

    CLOSE = "close"
    WICK = "wick"


class BlockCandle(StrEnum):
    """Which candle of the leg is the order block."""

    LAST_OPPOSITE = "last_opposite"
    """The last candle against the break at or before the leg's extreme: the choice of most teaching."""
    EXTREME = "extreme"
    """The candle with the leg's extreme since the pivot: the choice of most indicators."""


class BlockZone(StrEnum):
    """Which part of that candle is the zone."""

    WICK = "wick"
    BODY = "body"
