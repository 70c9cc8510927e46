"""What Binance's statuses and error codes mean for an order. Tables, and the rule for what no table has.

Sources: the venue's published error codes for USDⓈ-M futures, its general notes on HTTP 503, and the
migration of conditional orders to its Algo service.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

from bus_schemas.events import Millis, VenueRefusal
from bus_schemas.venues.rate_limits import CROWDED_S, binance_rest_s, retry_after
from execution.live.faults import Denied, NotHeld, NotSent, Refused, Unclear, VenueFault
from execution.live.port import Standing
from execution.live.transport import Reply

ORDERS: Mapping[str, Standing] = {
    "NEW": Standing.LIVE,
    "PARTIALLY_FILLED": Standing.LIVE,
    "NEW_INSURANCE": Standing.LIVE,  # a liquidation that the insurance fund takes part in
    "NEW_ADL": Standing.LIVE,  # a liquidation against other traders
    "FILLED": Standing.FILLED,
    "CANCELED": Standing.CANCELLED,
    "EXPIRED": Standing.CANCELLED,
    "EXPIRED_IN_MATCH": Standing.CANCELLED,  # would have traded with another order of ours
    "REJECTED": Standing.REJECTED,
}
"""Statuses of orders in the matching engine."""

TRIGGERED, FINISHED = "TRIGGERED", "FINISHED"

ALGO_ORDERS: Mapping[str, Standing] = {
    "NEW": Standing.LIVE,
    "TRIGGERING": Standing.LIVE,
    TRIGGERED: Standing.LIVE,
    FINISHED: Standing.FILLED,  # or cancelled: the successor tells
    "CANCELED": Standing.CANCELLED,
    "EXPIRED": Standing.CANCELLED,
    "REJECTED": Standing.REJECTED,
}
"""Statuses of conditional orders in the Algo service."""

REFUSALS: Mapping[int, VenueRefusal] = {
    -1111: VenueRefusal.BAD_STEP,  # more digits than the instrument has; which number, it does not say
    -1121: VenueRefusal.UNKNOWN_SYMBOL,
    -2018: VenueRefusal.MARGIN,
    -2019: VenueRefusal.MARGIN,
    -2021: VenueRefusal.WOULD_TRIGGER,
    -2022: VenueRefusal.REDUCE_ONLY,
    -2024: VenueRefusal.REDUCE_ONLY,
    -2027: VenueRefusal.MARGIN,
    -2028: VenueRefusal.MARGIN,
    -4003: VenueRefusal.BELOW_MINIMUM,
    -4004: VenueRefusal.BELOW_MINIMUM,
    -4014: VenueRefusal.BAD_TICK,
    -4023: VenueRefusal.BAD_STEP,
    -4050: VenueRefusal.MARGIN,
    -4051: VenueRefusal.MARGIN,
    -4115: VenueRefusal.DUPLICATE_ID,
    -4116: VenueRefusal.DUPLICATE_ID,
    -4118: VenueRefusal.REDUCE_ONLY,
    -4131: VenueRefusal.NO_LIQUIDITY,  # the best price is outside of the band
    -4141: VenueRefusal.UNKNOWN_SYMBOL,
    -4142: VenueRefusal.WOULD_TRIGGER,
    -4144: VenueRefusal.UNKNOWN_SYMBOL,
    -4164: VenueRefusal.BELOW_MINIMUM,
    -5029: VenueRefusal.BELOW_MINIMUM,
}
"""Refusals that the order manager tells apart. Every other code of a refusal is `other`."""

_UNKNOWN_FATE = {-1000, -1001, -1006, -1007, -1010}
_LIMITED, _TOO_MANY_ORDERS = -1003, -1015
_OFF_CLOCK = -1021
_NOT_TAKEN = {-1004, -1008, -1016, -1021, -5028}
_DENIED = {-1002, -1011, -1022, -2014, -2015, -2017, -4056, -4057, -4109}
_NOT_OPEN = {-2011, -2013, -4117}
NO_SUCH_ORDER = -2013
UNCHANGED = -5027
"""An amendment that would change nothing: the order is as we want it."""

_WORDS = (
    ("PRICE_FILTER", VenueRefusal.BAD_TICK),
    ("LOT_SIZE", VenueRefusal.BAD_STEP),
    ("NOTIONAL", VenueRefusal.BELOW_MINIMUM),
)


def code_of(reply: Reply) -> tuple[int, str] | None:
    """The code and words of an error; None where the answer is no such thing."""
    try:
        said = json.loads(reply.body)
    except ValueError:
        return None
    if not isinstance(said, dict):
        return None
    try:
        return int(said["code"]), str(said.get("msg", ""))
    except (KeyError, TypeError, ValueError):
        return None


def meaning(reply: Reply, now: Millis = 0, rate: float = 1.0) -> VenueFault | None:
    """What a failed reply means; None where its status alone must tell.

    Args:
        now: the venue's time.
        rate: its seconds in one of ours.
    """
    found = code_of(reply)
    if found is None and reply.status not in (418, 429):
        return None
    code, words = found or (0, f"HTTP {reply.status}: {reply.words}")
    said = f"{code} {words}"
    if reply.status == 503 and words.lower().startswith("service unavailable"):
        return NotSent(said, retry_after(reply.headers))  # by the venue's word a failure; of hosts, no word
    if code in (_LIMITED, _TOO_MANY_ORDERS) or reply.status in (418, 429):
        # all that the account asks counts in one budget, and to go on asking leads to a ban
        return NotSent(said, _rest_s(reply, code, words, now, rate), limited=True, banned=True)
    if code in _NOT_TAKEN:
        return NotSent(said, retry_after(reply.headers), stale=code == _OFF_CLOCK)
    if code in _UNKNOWN_FATE or reply.status >= 500 or reply.status == 408:
        return Unclear(said)
    if code in _DENIED or reply.status == 401:
        return Denied(said)
    if code in _NOT_OPEN:
        return NotHeld(said)
    return Refused(_refusal(code, words), said)


def _rest_s(reply: Reply, code: int, words: str, now: Millis, rate: float) -> float:
    if code == _TOO_MANY_ORDERS:
        return retry_after(reply.headers) or CROWDED_S
    return binance_rest_s(reply.headers, words, now, rate, banned=reply.status == 418)


def _refusal(code: int, words: str) -> VenueRefusal:
    """-1013 and its like name the filter in words."""
    if code in REFUSALS:
        return REFUSALS[code]
    return next((reason for part, reason in _WORDS if part in words.upper()), VenueRefusal.OTHER)
