"""Settings of the venue that is traded: which, with what keys, and how patiently."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Annotated, ClassVar

from pydantic import Field, SecretStr

from bus_schemas.settings.section import Contradiction, Section, spelled

PAPER = "paper"
PROVEN = ("krakenfutures", "binanceusdm")
"""Venues whose adapters pass the conformance suite. Any other perpetual venue of ccxt can be named."""

_GONE_SANDBOXES = {"krakenfutures": "Kraken closed its Futures demo on 14 July 2026"}
"""ccxt still has the host of each, which is a page of advertisement now."""

VenueName = Annotated[
    str, spelled(r"[a-z0-9_]{2,32}", "paper, krakenfutures, binanceusdm or another id of ccxt")
]
Url = Annotated[str, spelled(r"|(https?|wss?)://\S+", "a URL such as http://127.0.0.1:8900")]


class VenueSettings(Section):
    """Where orders go. Keys come from the environment and are never printed.

    Times are wall-clock seconds unless a name ends in `_ms`, which is the venue's own time.
    """

    name: VenueName = Field(PAPER, description="paper, krakenfutures, binanceusdm, or another id of ccxt.")
    sandbox: bool = Field(
        False,
        description="The venue's own test network: Binance's demo trading. Kraken Futures has none any more.",
    )
    api_key: SecretStr | None = Field(None, description="With trading rights and without withdrawal.")
    api_secret: SecretStr | None = Field(None, description="Its secret.")
    password: SecretStr | None = Field(None, description="Pass phrase, where the venue has one.")
    rest_url: Url = Field("", description="Replaces the venue's REST hosts: a simulated venue, a proxy.")
    ws_url: Url = Field("", description="Replaces its websocket hosts; default derived from rest_url.")
    clock_rate: float = Field(
        1.0,
        gt=0,
        le=10_000,
        description="The venue's seconds in one of ours; above 1 only where it is simulated.",
    )
    timeout_s: float = Field(10.0, gt=0, description="Longest wait for one answer of the venue.")
    valid_ms: int = Field(
        5000, ge=50, description="How long a signed request may travel; the venue refuses an older one."
    )
    lag_ms: int = Field(
        2000, ge=0, description="How long after placing the venue may still say that it knows no such order."
    )
    doubt_s: float = Field(
        60.0, ge=0, description="After a start, every order is looked up before it is sent, for so long."
    )
    entry_patience_ms: int = Field(
        15_000, gt=0, description="An entry that could not be delivered for so long is not sent any more."
    )
    poll_s: float = Field(5.0, gt=0, description="Time between two looks at orders, fills and positions.")
    tick_s: float = Field(1.0, gt=0, description="Time between two ticks of the venue's clock.")
    clock_offset_ms: int = Field(
        1000, gt=0, description="Most distance of our clock to the venue's at a start."
    )
    weight_per_min: int = Field(
        0, ge=0, description="Request weight that may be used in a minute; 0 takes what the venue allows."
    )
    reserve_pct: Decimal = Field(
        Decimal(30), ge=0, lt=100, description="Share of it that is kept for stops, closes and cancels."
    )
    breaker_failures: int = Field(
        5, ge=1, description="Failures in a row that open an endpoint group's breaker."
    )
    breaker_s: float = Field(10.0, gt=0, description="How long it stays open before one request tries again.")

    heading: ClassVar[str] = "the venue cannot be used like this: "

    @property
    def live(self) -> bool:
        """Whether orders leave this machine."""
        return self.name != PAPER

    @property
    def proven(self) -> bool:
        """Whether the adapter passes the conformance suite."""
        return self.name in PROVEN

    def contradictions(self) -> Iterator[Contradiction]:
        """A key without its secret, or the reverse; a sandbox at a URL of one's own, or one that is gone."""
        if (self.api_key is None) != (self.api_secret is None):
            yield Contradiction(
                ("api_key", "api_secret"), "api_key and api_secret go together; one is missing"
            )
        if self.sandbox and self.rest_url:
            yield Contradiction(("sandbox", "rest_url"), "sandbox and rest_url both say where the venue is")
        if self.sandbox and (gone := gone_sandbox(self.name)):
            yield Contradiction(("name", "sandbox"), gone)
        if self.clock_rate != 1.0 and not self.rest_url:
            yield Contradiction(
                ("clock_rate", "rest_url"), "only a simulated venue has another clock_rate: give its rest_url"
            )


def gone_sandbox(name: str) -> str:
    """That the venue's sandbox is no more, in a sentence; empty where nobody said so."""
    why = _GONE_SANDBOXES.get(name)
    return f"{name} has no sandbox any more: {why}. Practise with run.py simulate-venue" if why else ""
