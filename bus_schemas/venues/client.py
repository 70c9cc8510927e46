"""One ccxt client: keys, hosts, clock. No behaviour of ours beyond that."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping
from typing import Any, cast
from urllib.parse import urlsplit

from bus_schemas.errors import ConfigurationError
from bus_schemas.settings import VenueSettings
from bus_schemas.settings.venue import PROVEN, gone_sandbox
from bus_schemas.venues.clock import VenueClock


def make_client(settings: VenueSettings, clock: VenueClock, *, keys: bool, name: str = "") -> Any:
    """A `ccxt.pro` exchange, which speaks REST and websocket.

    Args:
        clock: dates the signatures.
        keys: hand the account's keys over; market data needs none.
        name: another of the venue's ids, such as its spot market; default the venue itself.

    Raises:
        ConfigurationError: ccxt has no such venue, or the venue has no sandbox, or none any more.
    """
    name = name or settings.name
    make = require_known(name)
    options: dict[str, Any] = {
        "enableRateLimit": False,  # ours goes by weight and keeps room for stops
        "timeout": round(settings.timeout_s * 1000),
        "options": {"fetchCurrencies": False, "adjustForTimeDifference": False},
    }
    if keys:
        for field, secret in _KEYS.items():
            value = getattr(settings, secret)
            if value is not None:
                options[field] = value.get_secret_value()
    client = make(options)
    if settings.sandbox:
        if gone := gone_sandbox(name):
            raise ConfigurationError(gone)
        if "test" not in client.urls:
            raise ConfigurationError(f"{name} has no sandbox")
        if client.id.startswith("binance"):  # its test network is gone; demo trading took its place
            client.enable_demo_trading(True)
        else:
            client.set_sandbox_mode(True)
    if settings.rest_url:
        client.urls["api"] = redirected(client.urls["api"], settings.rest_url, settings.ws_url)
        if settings.rest_url.startswith("http:"):
            client.timeout_on_exit = 0  # a quarter of a second for TLS to end, which there is none of
    client.milliseconds = clock.estimate
    return client


def require_known(name: str) -> Callable[[Mapping[str, Any]], Any]:
    """What makes a client of this venue.

    Raises:
        ConfigurationError: ccxt has no such venue; with those of a similar name.
    """
    import ccxt.pro  # takes half a second and 70 MB: only where a live venue is

    make = getattr(ccxt.pro, name, None)
    if name not in ccxt.pro.exchanges or make is None:
        like = difflib.get_close_matches(name, [*PROVEN, *ccxt.pro.exchanges], n=3)
        hint = (
            f": did you mean {' or '.join(dict.fromkeys(like))}?"
            if like
            else "; see ccxt's list of exchanges"
        )
        raise ConfigurationError(f"ccxt knows no venue {name!r} with websockets{hint}")
    return cast(Callable[[Mapping[str, Any]], Any], make)


_KEYS = {"apiKey": "api_key", "secret": "api_secret", "password": "password"}


def redirected(urls: Any, rest: str, ws: str = "") -> Any:
    """The same tree of URLs on another host: paths stay, scheme and host are replaced.

    Args:
        rest: such as `http://127.0.0.1:8900`.
        ws: likewise; default derived from `rest`.
    """
    ws = ws or "ws" + rest.removeprefix("http")
    if isinstance(urls, Mapping):
        return {name: redirected(url, rest, ws) for name, url in urls.items()}
    parts = urlsplit(urls)
    base = ws if parts.scheme in ("ws", "wss") else rest
    return base.rstrip("/") + parts.path
