from __future__ import annotations

import re

from bus_schemas.events import Side
from bus_schemas.settings.strategy import ZoneKind
from strategy.signal_ids import signal_id


def test_an_id_says_what_it_names() -> None:
    found = signal_id("smc", "BTCUSDT", 1724544000000, ZoneKind.ORDER_BLOCK, Side.LONG)
    assert found == "smc-BTCUSDT-1724544000000-ob-long"


def test_ids_are_short_plain_and_differ_with_their_content() -> None:
    ids = {
        signal_id(name, symbol, time, kind, side)
        for name in ("smc", "smc_b", "a_very_long_name")
        for symbol in ("BTCUSDT", "1000000MOGUSDT", "B-C")
        for time in (1724544000000, 1724544000001)
        for kind in ZoneKind
        for side in Side
    }
    assert len(ids) == 3 * 3 * 2 * 6 * 2
    assert all(re.fullmatch(r"[A-Za-z0-9-]{1,48}", i) for i in ids)
