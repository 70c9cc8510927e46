"""The protocols that the simulated venue speaks."""

from __future__ import annotations

from execution.simulator.binance_rest import BinanceUsdm
from execution.simulator.kraken import KrakenFutures
from execution.simulator.protocol import VenueProtocol

PROTOCOLS: tuple[type[VenueProtocol], ...] = (KrakenFutures, BinanceUsdm)
"""All of them, in the order in which they are shown."""
