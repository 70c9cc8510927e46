"""What the comparison must find: concept, L, rows of theirs, of ours, equal ones, and causes of the others.

Row for row the same as the reference library, or different for a cause that was shown for that row. All of
the long histories stand in `python -m tests.parity`: the library's own time grows with their square.
"""

from __future__ import annotations

from tests.parity.causes import (
    BOOKEND,
    EARLY,
    EQUAL,
    EXPIRED,
    FLOAT32,
    FOLLOWS,
    FROM_BOOKEND,
    LATE,
    MOVED,
    NAMED,
    NO_PATTERN,
    OUTSIDE,
    REPLACED,
    SMALL,
    WINDOW,
)

Expected = tuple[str, int, int, int, int, dict[str, int]]

EXPECTED: dict[str, list[Expected]] = {
    "BTC 15m, sample": [
        ("pivots", 5, 823, 821, 821, {BOOKEND: 2}),
        ("pivots", 50, 76, 74, 74, {BOOKEND: 2}),
        ("fair value gaps", 0, 1583, 1583, 1583, {}),
        ("fair value gaps, joined", 0, 1175, 1175, 1175, {}),
        ("BOS and CHoCH by close", 5, 318, 318, 318, {}),
        ("BOS and CHoCH by close", 50, 33, 33, 33, {}),
        ("BOS and CHoCH by wick", 5, 366, 366, 365, {FLOAT32: 1}),
        ("BOS and CHoCH by wick", 50, 34, 34, 34, {}),
        ("previous day", 0, 7120, 7121, 7046, {LATE: 75}),
        ("fair value gaps, 32 kept a side", 0, 1583, 1583, 1578, {EXPIRED: 5}),
        ("fair value gaps from 0.25 ATR", 0, 1583, 801, 801, {SMALL: 782}),
        (
            "pivots, our window",
            5,
            823,
            748,
            743,
            {WINDOW: 41, FOLLOWS: 38, BOOKEND: 2, OUTSIDE: 2, EARLY: 1, EQUAL: 1},
        ),
        ("pivots, our window", 50, 76, 75, 74, {BOOKEND: 2, EARLY: 1}),
        ("BOS and CHoCH, our breaks", 5, 318, 339, 209, {NAMED: 87, MOVED: 42, REPLACED: 22, NO_PATTERN: 1}),
        ("BOS and CHoCH, our breaks", 50, 33, 40, 26, {MOVED: 7, NAMED: 6, NO_PATTERN: 1, REPLACED: 1}),
    ],
    "BTC 15m, 135 days": [
        ("pivots", 5, 1503, 1501, 1501, {BOOKEND: 2}),
        ("pivots", 50, 139, 137, 137, {BOOKEND: 2}),
        ("fair value gaps", 0, 2885, 2885, 2885, {}),
        ("fair value gaps, joined", 0, 2144, 2144, 2144, {}),
        ("BOS and CHoCH by close", 5, 589, 589, 589, {}),
        ("BOS and CHoCH by close", 50, 63, 62, 62, {FROM_BOOKEND: 1}),
    ],
    "BTC 1h": [
        ("pivots", 5, 1524, 1522, 1522, {BOOKEND: 2}),
        ("pivots", 50, 142, 140, 140, {BOOKEND: 2}),
        ("fair value gaps", 0, 2306, 2306, 2306, {}),
        ("fair value gaps, joined", 0, 1862, 1862, 1862, {}),
        ("BOS and CHoCH by close", 5, 563, 561, 561, {FROM_BOOKEND: 2}),
        ("BOS and CHoCH by close", 50, 62, 61, 61, {FROM_BOOKEND: 1}),
        ("BOS and CHoCH by wick", 5, 690, 688, 688, {FROM_BOOKEND: 2}),
        ("BOS and CHoCH by wick", 50, 65, 64, 64, {FROM_BOOKEND: 1}),
        ("previous day", 0, 12987, 12988, 12446, {LATE: 542}),
        ("fair value gaps, 32 kept a side", 0, 2306, 2306, 2305, {EXPIRED: 1}),
        ("fair value gaps from 0.25 ATR", 0, 2306, 1102, 1102, {SMALL: 1204}),
        ("pivots, our window", 5, 1524, 1370, 1344, {WINDOW: 98, FOLLOWS: 91, OUTSIDE: 12, BOOKEND: 2}),
        ("pivots, our window", 50, 142, 130, 128, {WINDOW: 6, FOLLOWS: 6, BOOKEND: 2, EARLY: 2}),
        ("BOS and CHoCH, our breaks", 5, 561, 598, 317, {NAMED: 187, MOVED: 89, REPLACED: 57, NO_PATTERN: 5}),
        ("BOS and CHoCH, our breaks", 50, 61, 75, 39, {MOVED: 18, NAMED: 16, REPLACED: 6, NO_PATTERN: 2}),
    ],
    "BTC 1h, 2021-2023": [
        ("pivots", 5, 1522, 1520, 1520, {BOOKEND: 2}),
        ("pivots", 50, 156, 154, 154, {BOOKEND: 2}),
        ("fair value gaps", 0, 2056, 2056, 2056, {}),
        ("fair value gaps, joined", 0, 1641, 1641, 1641, {}),
        ("BOS and CHoCH by close", 5, 570, 570, 570, {}),
        ("BOS and CHoCH by close", 50, 57, 57, 57, {}),
    ],
}
