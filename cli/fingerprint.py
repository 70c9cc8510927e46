"""What a run is, in one value: two runs over files with one fingerprint publish and decide the same."""

from __future__ import annotations

import hashlib

import msgspec

from bus_schemas.settings import Settings, dump
from market_data.files import SAMPLE, Folder
from market_data.plan import Plan

SECTIONS = ("strategy", "risk", "execution", "paper", "instruments")
"""Settings that decide; all others say only where and how fast."""

RECORDED = ("strategy", "risk")
"""Settings that say what is traded, and how much of it: a paper record speaks for these."""

LIVE = "live "
"""What begins the word by which a live run holds its namespace; a run over files holds it by a hash."""


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


def configuration(settings: Settings) -> str:
    """SHA-256 over what is traded and how much of it, on paper and live alike."""
    told = dump(settings)
    return hashlib.sha256(
        msgspec.json.encode({name: told[name] for name in RECORDED}, order="sorted")
    ).hexdigest()
