"""How long to leave a venue alone after a rate limit: what its headers ask for, and Binance's own rule.

Sources: RFC 9110 for `Retry-After`, Kraken Futures' rate limits of its history, Binance's general notes on
429, 418 and the weight of an address in a minute.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from email.utils import parsedate_to_datetime

from bus_schemas.events import Millis

LIMITED_S, BANNED_S, CROWDED_S = 60.0, 120.0, 1.0
"""How long to keep away from Binance where it does not say: to the end of the minute that its weight is
counted in; its shortest ban, which a request prolongs; and where another window than the minute is full."""
LONGEST_S, LONGEST_BAN_S = 3600.0, 3 * 24 * 3600.0
"""A header is believed up to here; only Binance bans for longer, three days at most."""
_SLACK_S = 0.5
_BAN_END = re.compile(r"banned until (\d{13})\b")


def retry_after(headers: Mapping[str, str] | None, most_s: float = LONGEST_S) -> float:
    """Seconds that the venue asks us to wait; 0 where it does not say, or not in a way that we read.

    `Rate-Limit-Reset` is Kraken Futures' name for it.
    """
    given = {name.lower(): value for name, value in (headers or {}).items()}
    value = given.get("retry-after", given.get("rate-limit-reset", "")).strip()
    try:
        wait_s = float(value)
    except ValueError:
        wait_s = _until(value, given.get("date", ""))
    return min(max(0.0, wait_s), most_s)


def _until(moment: str, date: str) -> float:
    """Seconds between two dates of HTTP; 0 where one of them is none."""
    try:
        return (parsedate_to_datetime(moment) - parsedate_to_datetime(date)).total_seconds()
    except (ValueError, TypeError, OverflowError):
        return 0.0


def binance_rest_s(
    headers: Mapping[str, str] | None, words: str, now: Millis, rate: float, *, banned: bool
) -> float:
    """Our seconds to keep away from Binance. The header is not promised; a ban's end stands in the words.

    Args:
        words: of the refusal.
        now: the venue's time.
        rate: its seconds in one of ours.
        banned: HTTP 418.
    """
    told = retry_after(headers, LONGEST_BAN_S)
    end = _BAN_END.search(words)
    if end is not None:
        told = max(told, min((int(end[1]) - now) / 1000, LONGEST_BAN_S) / rate + _SLACK_S)
    if told > 0:
        return told
    if banned:
        return BANNED_S / rate
    if any(name.lower() == "retry-after" for name in headers or ()):
        return CROWDED_S
    return (LIMITED_S - now / 1000 % LIMITED_S) / rate + _SLACK_S  # no longer than a stop has to wait
