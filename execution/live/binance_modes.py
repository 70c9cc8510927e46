"""Modes of a Binance account that we do not plan with, each in words for a person.

They forbid new positions and nothing else: where there is a position already, somebody must place its stop.
So a mode that the venue does not tell counts as one that we plan with. Hedge mode is not of these: in it
our orders would be wrong.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping
from functools import partial
from typing import Any

from execution.live.adapter import number, readable
from execution.live.binance_parse import Raw, truth
from execution.live.faults import Denied, NotSent, VenueFault

log = logging.getLogger("causeway.edge")

TRIES = 2
AGAIN_S = 0.2
_CREDITS = "BNFCR"


Ask = Callable[..., Awaitable[Any]]


async def unplanned(client: Any, ask: Ask, traded: Mapping[str, str], settle: str) -> str:
    """Words of each mode that forbids new positions; empty for none.

    Args:
        client: ccxt's.
        ask: carries out one of its requests.
        traded: canonical symbols by the venue's.
        settle: the currency of their positions.

    Raises:
        Denied: the venue does not take the key.
        NotSent: a rate limit, which says nothing of the request and ends.
    """
    looks: tuple[tuple[str, Ask, Callable[[Any], str]], ...] = (
        ("assets", client.fapiPrivateGetMultiAssetsMargin, multi_assets),
        ("margin", client.fapiPrivateGetSymbolConfig, partial(isolated, traded=traded)),
        ("unit of the balance", client.fapiPrivateV3GetAccount, partial(in_credits, settle=settle)),
    )
    found = [await _told(mode, partial(ask, function, {}), judge) for mode, function, judge in looks]
    return "; ".join(words for words in found if words)


async def _told(mode: str, ask: Ask, judge: Callable[[Any], str]) -> str:
    """What `judge` says of the answer; empty where there is none."""
    for left in reversed(range(TRIES)):
        try:
            return await _judged(ask, judge)
        except Denied:
            raise
        except VenueFault as fault:
            if isinstance(fault, NotSent) and fault.limited:
                raise
            if not left:
                log.warning("a mode of the account is not known", extra={"mode": mode, "reason": str(fault)})
        await asyncio.sleep(AGAIN_S if left else 0)
    return ""


@readable
async def _judged(ask: Ask, judge: Callable[[Any], str]) -> str:
    return judge(await ask())


def multi_assets(raw: Raw) -> str:
    """Other assets' worth is not in the balance that we plan with."""
    if not truth(raw.get("multiAssetsMargin")):
        return ""
    return (
        "the account is in multi-assets mode; set its asset mode to single-asset in the preferences of "
        "Binance Futures and start again"
    )


def isolated(rows: Iterable[Raw], traded: Mapping[str, str]) -> str:
    """Traded symbols whose position the venue may liquidate by itself."""
    found = sorted(
        traded[row["symbol"]]
        for row in rows
        if row["symbol"] in traded and str(row.get("marginType", "")).upper() == "ISOLATED"
    )
    if not found:
        return ""
    return (
        f"{', '.join(found)}: on isolated margin, where the leverage set at Binance may liquidate before the "
        "stop; set margin mode to cross in Binance Futures and start again"
    )


def in_credits(raw: Raw, settle: str) -> str:
    """The account keeps its balance in another unit, so that every figure of it would be wrong."""
    assets = raw["assets"]
    if any(asset["asset"] == settle for asset in assets):
        return ""
    if not any(asset["asset"] == _CREDITS and number(asset["walletBalance"]) for asset in assets):
        return ""
    return (
        f"the account is in credits trading mode: its balance is in {_CREDITS} and none is in {settle}; "
        f"leave that mode at Binance, or hold {settle}, and start again"
    )
