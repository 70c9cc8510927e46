"""What a run is, in one value: two runs with one fingerprint publish and decide the same."""

from __future__ import annotations

import hashlib

import msgspec

from bus_schemas.settings import Settings, dump
from market_data.files import SAMPLE, Folder
from market_data.plan import Plan

SECTIONS = ("strategy", "risk", "execution", "paper", "instruments")
"""Settings that decide; all others say only where and how fast."""


def fingerprint(settings: Settings, plan: Plan) -> str:
    """SHA-256 over the plan, the bytes of every file of the run, and every setting that decides.

    The folder's path is left out: the same files elsewhere are the same run.
    """
    market, told = settings.market_data, dump(settings)
    told_of = {name: told[name] for name in SECTIONS}
    files = Folder(market.data or SAMPLE).select(plan.timeframe, market.symbols)
    sums = []
    for file in (file for symbol in files.values() for file in symbol.all()):
        with file.path.open("rb") as content:
            sums.append((file.path.name, hashlib.file_digest(content, "sha256").hexdigest()))
    whole = (plan, sums, told_of, market.pace == "lockstep")
    return hashlib.sha256(msgspec.json.encode(whole, order="sorted")).hexdigest()
