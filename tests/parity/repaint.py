"""Labels that vanish after they were seen: the library's in a sliding window, and ours as a history grows."""

from __future__ import annotations

from typing import NamedTuple

from strategy.smc.kinds import BOS, CHOCH, INTERNAL
from tests.parity import reference
from tests.parity.candles import History
from tests.parity.compare import THEIRS, changed, scanned

WINDOW = 500
CLEAR = 150
"""Rows from the window's left edge within which a label may go because what it rests on left the window."""
LENGTH = 5


class Repainting(NamedTuple):
    """How many different labels appeared, and how many of them were missing at some later candle.

    Those of the first window do not count: they had their time to vanish before.
    """

    seen: int
    vanished: int


def of_library(history: History, begin: int, candles: int) -> Repainting:
    """BOS and CHoCH labels of the library, recomputed over the newest 500 candles at each of so many."""
    seen: set[tuple[int, int, int]] = set()
    vanished: set[tuple[int, int, int]] = set()
    first: set[tuple[int, int, int]] = set()
    for end in range(begin, begin + candles):
        left = end - WINDOW
        frame = history.frame[left:end].reset_index(drop=True)
        found = reference.breaks(frame, reference.swings(frame, LENGTH))
        labels = {(left + row, bos, choch) for row, (bos, choch, _, _) in found.items() if row >= CLEAR}
        first = labels if end == begin else first
        vanished |= {label for label in seen - labels if label[0] >= left + CLEAR}
        seen |= labels
    return Repainting(len(seen - first), len(vanished - first))


def of_ours(history: History, begin: int, candles: int) -> Repainting:
    """Our BOS and CHoCH events of the same candles, the whole computed anew at each of them."""
    params = changed(THEIRS, timeframe=history.timeframe)
    left = begin - WINDOW
    seen: set[str] = set()
    vanished: set[str] = set()
    first: set[str] = set()
    for end in range(begin, begin + candles):
        found = scanned(history.frame[left:end], history.times[left:end], params)
        breaks = found[((found["kind"] == BOS) | (found["kind"] == CHOCH)) & (found["scope"] == INTERNAL)]
        labels = {str(row) for row in breaks.tolist()}
        first = labels if end == begin else first
        vanished |= seen - labels
        seen |= labels
    return Repainting(len(seen - first), len(vanished - first))


def told(history: History, begin: int, candles: int) -> str:
    """Both in words."""
    theirs, ours = of_library(history, begin, candles), of_ours(history, begin, candles)
    return (
        f"BOS and CHoCH labels that vanish after they were seen, {history.name}, L={LENGTH}, "
        f"over {candles} candles: "
        f"theirs {theirs.vanished} of {theirs.seen} ({theirs.vanished / theirs.seen:.0%}), "
        f"ours {ours.vanished} of {ours.seen}"
    )
