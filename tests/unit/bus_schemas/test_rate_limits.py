"""How long a venue is left alone: its header, its words, and the rule where it says neither."""

from __future__ import annotations

import pytest

from bus_schemas.venues.rate_limits import binance_rest_s, retry_after

NOW = 1_700_000_010_000
"""30 s into a minute."""
DATE = "Wed, 21 Oct 2026 07:28:00 GMT"
DAY_S = 24 * 3600


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        (None, 0),
        ({}, 0),
        ({"Retry-After": "7"}, 7),
        ({"retry-after": "1.3"}, 1.3),
        ({"retry-after": "soon"}, 0),
        ({"retry-after": "nan"}, 0),
        ({"Retry-After": "-7"}, 0),
        ({"Retry-After": "99999"}, 3600),
        ({"retry-after": "inf"}, 3600),
        ({"Rate-Limit-Reset": "12"}, 12),  # Kraken's history
        ({"Retry-After": "Wed, 21 Oct 2026 07:28:30 GMT", "Date": DATE}, 30),
        ({"Retry-After": "Wed, 21 Oct 2026 07:27:30 GMT", "Date": DATE}, 0),
        ({"Retry-After": "Wed, 21 Oct 2028 07:28:30 GMT", "Date": DATE}, 3600),
        ({"Retry-After": "Wed, 21 Oct 2026 07:28:30 GMT"}, 0),
        ({"Retry-After": "Wed, 21 Oct 99999999999 07:28:30 GMT", "Date": DATE}, 0),
    ],
)
def test_the_header(headers: dict[str, str] | None, seconds: float) -> None:
    assert retry_after(headers) == seconds


@pytest.mark.parametrize(
    ("headers", "words", "banned", "seconds"),
    [
        ({"Retry-After": "7"}, "Too many requests", False, 7),
        ({"Retry-After": "99999"}, "Way too many requests", True, 99_999),
        ({"Retry-After": str(9 * DAY_S)}, "Way too many requests", True, 3 * DAY_S),
        ({"Retry-After": "0"}, "Too many requests", False, 1),
        ({"Retry-After": "soon"}, "Way too many requests", True, 120),
        (None, f"IP banned until {NOW + 300_000}. Please", True, 300.5),
        ({"Retry-After": "7"}, f"IP banned until {NOW + 300_000}. Please", True, 300.5),
        ({"Retry-After": "400"}, f"IP banned until {NOW + 300_000}. Please", True, 400),
        (None, "IP banned until 9999999999999. Please", True, 3 * DAY_S + 0.5),
        (None, f"IP banned until {NOW - 300_000}. Please", True, 120),
        (None, "Way too many requests", True, 120),
        (None, "Too many requests", False, 30.5),
    ],
)
def test_binance(headers: dict[str, str] | None, words: str, banned: bool, seconds: float) -> None:
    assert binance_rest_s(headers, words, NOW, 1.0, banned=banned) == pytest.approx(seconds)


@pytest.mark.parametrize(
    ("words", "banned", "seconds"),
    [
        (f"IP banned until {NOW + 300_000}. Please", True, 5.5),
        ("Way too many requests", True, 2),
        ("Too many requests", False, 1),
    ],
)
def test_a_quick_clock_shortens_our_wait(words: str, banned: bool, seconds: float) -> None:
    assert binance_rest_s({}, words, NOW, 60.0, banned=banned) == pytest.approx(seconds)
