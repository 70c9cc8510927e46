"""Names of signals: a function of what they are, never of a counter."""

from __future__ import annotations

import hashlib

from bus_schemas.events import Millis, Side
from bus_schemas.settings.strategy import ZoneKind

MOST = 48

SHORT_NAMES: dict[ZoneKind, str] = {
    ZoneKind.ORDER_BLOCK: "ob",
    ZoneKind.FAIR_VALUE_GAP: "fvg",
    ZoneKind.BREAKER: "bb",
    ZoneKind.MITIGATION_BLOCK: "mb",
    ZoneKind.INVERTED_GAP: "ifvg",
    ZoneKind.OPTIMAL_TRADE_ENTRY: "ote",
}


def signal_id(strategy: str, symbol: str, time: Millis, kind: ZoneKind, side: Side) -> str:
    """Such as `smc-BTCUSDT-1724544000000-ob-long`: letters, digits and `-`, at most 48 of them.

    A name that would be longer, or has other characters, ends in a digest of the whole instead.
    """
    plain = f"{strategy}-{symbol}-{time}-{SHORT_NAMES[kind]}-{side.value}"
    fit = "".join(c for c in plain if c == "-" or (c.isascii() and c.isalnum()))
    if fit == plain and len(plain) <= MOST:
        return plain
    digest = hashlib.blake2b(plain.encode(), digest_size=8).hexdigest()
    return f"{fit[: MOST - 17]}-{digest}"
