"""What all adapters on ccxt have in common: the client, the clock, the markets, the meaning of errors.

ccxt signs and transports. Adapters call its endpoint methods and read the venue's own words, because its
unified orders lose facts that an order's fate hangs on.
"""

from __future__ import annotations

import contextlib
import logging
from abc import abstractmethod
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from decimal import Decimal, InvalidOperation
from functools import wraps
from typing import Any, ParamSpec, TypeVar

from bus_schemas.events import Millis, VenueRefusal
from bus_schemas.instruments import Instrument
from bus_schemas.settings import VenueSettings
from bus_schemas.venues.client import make_client
from bus_schemas.venues.clock import VenueClock
from bus_schemas.venues.markets import Market, perpetuals
from execution.live.faults import Refused, Unclear, VenueFault
from execution.live.port import Venue
from execution.live.transport import CURRENT, Reply, fault

_TRUSTED_TRIP_S = 0.25
_SYNC_ASKS = 3

P = ParamSpec("P")
T = TypeVar("T")


def number(value: object) -> Decimal:
    """A number of the venue's, exactly as it is written.

    Raises:
        Unclear: it is none.
    """
    try:
        found = Decimal(str(value))
    except InvalidOperation:
        raise Unclear(f"the venue sent {value!r} where a number belongs") from None
    if not found.is_finite():
        raise Unclear(f"the venue sent {value!r} where a number belongs")
    return found


def readable(method: Callable[P, Coroutine[Any, Any, T]]) -> Callable[P, Coroutine[Any, Any, T]]:
    """For methods that read answers: one that is not as documented is no evidence, thus `Unclear`."""

    @wraps(method)
    async def read(*args: P.args, **named: P.kwargs) -> T:
        try:
            return await method(*args, **named)
        except (LookupError, ValueError, ArithmeticError, TypeError, AttributeError) as error:
            raise Unclear(f"the venue's answer cannot be read: {type(error).__name__}: {error}") from None

    return read


class CcxtVenue(Venue):
    """A venue through ccxt. Subclasses speak of orders.

    Args:
        symbols: canonical symbols that are traded.
    """

    def __init__(self, settings: VenueSettings, symbols: Sequence[str]) -> None:
        self.name = settings.name
        self.symbols = tuple(symbols)
        self._settings = settings
        self._clock = VenueClock(settings.clock_rate)
        self._client = make_client(settings, self._clock, keys=True)
        self._client.on_rest_response = self._on_response
        logging.getLogger("ccxt").setLevel(logging.INFO)  # at DEBUG it writes keys and signatures
        self._secrets = [
            value.get_secret_value()
            for value in (settings.api_key, settings.api_secret, settings.password)
            if value is not None
        ]
        self._markets: dict[str, Market] = {}
        self._symbols: dict[str, str] = {}

    # What subclasses say -------------------------------------------------------------------------

    @abstractmethod
    async def server_time(self) -> Millis:
        """Ask the venue's time by the cheapest request there is."""

    def word(self, reply: Reply) -> VenueFault | None:  # noqa: ARG002
        """What the venue's own words in a failed reply mean, where they say more than ccxt's class of
        error and the status of HTTP; asked before those."""
        return None

    def weigh(self, headers: Mapping[str, str]) -> None:
        """Take down what the venue counts as used, in `used_weight`, where it says so."""

    def told_time(self, answer: Any) -> Millis | None:  # noqa: ARG002
        """The venue's time, where an answer tells it."""
        return None

    # Port ----------------------------------------------------------------------------------------

    async def open(self) -> None:
        await self.ask(self._client.load_markets)
        self._markets = perpetuals(self._client.markets)
        self._symbols = {market.id.upper(): symbol for symbol, market in self._markets.items()}
        await self.sync_clock()

    async def close(self) -> None:
        with contextlib.suppress(Exception):
            await self._client.close()

    def now(self) -> Millis:
        return self._clock.now()

    async def sync_clock(self) -> int:
        """Half of a round trip is the error, so the quickest of a few is taken."""
        best: tuple[float, float, Millis] | None = None
        for _ in range(_SYNC_ASKS):
            asked = self._clock.mark()
            told = await self.server_time()
            answered = self._clock.mark()
            if best is None or answered - asked < best[1] - best[0]:
                best = (asked, answered, told)
            if answered - asked <= _TRUSTED_TRIP_S:
                break
        assert best is not None
        return self._clock.set(best[2], best[0], best[1])

    def instruments(self) -> Mapping[str, Instrument]:
        return {symbol: market.instrument for symbol, market in self._markets.items()}

    # Requests ------------------------------------------------------------------------------------

    async def ask(self, function: Callable[..., Awaitable[Any]], *args: Any) -> Any:
        """A request without effect.

        Raises:
            NotHeld: the venue's word that there is no such order.
            NotSent, Unclear, Denied: there is no answer. A refusal to answer is `Unclear` too.
        """
        try:
            return await self.act(function, *args)
        except Refused as refused:
            detail = str(refused)
        raise Unclear(f"the venue does not answer: {detail}")

    async def act(self, function: Callable[..., Awaitable[Any]], *args: Any) -> Any:
        """A request with an effect.

        Raises:
            Refused, NotHeld, NotSent, Unclear, Denied: see `execution.live.faults`. The text that ccxt
                gives an error holds the signed URL, so none of it is kept.
        """
        reply = Reply(self._clock.mark())
        token = CURRENT.set(reply)
        failed: VenueFault | None = None
        answer: Any = None
        try:
            answer = await function(*args)
        except VenueFault:
            raise
        except Exception as error:
            failed = (self.word(reply) if reply.status else None) or fault(error, reply)
        finally:
            CURRENT.reset(token)
        if failed is None and not isinstance(answer, dict | list):
            failed = Unclear(f"HTTP {reply.status}: not JSON: {reply.words}")
        if failed is not None:  # outside the handler, so that ccxt's error is not its context
            raise self._clean(failed)
        self._heard(answer, reply)
        return answer

    def _on_response(self, *told: Any) -> str:
        """ccxt's hook: the answer before it is judged. Status, reason, URL, method, headers, body, and
        the request's headers and body."""
        status, _, _, _, headers, body, *_ = told
        reply = CURRENT.get()
        if reply is not None:
            reply.take(status, headers, body, self._clock.mark())
            self.weigh(reply.headers)
        return str(body).strip()

    def _heard(self, answer: Any, reply: Reply) -> None:
        """Mend the clock where an answer proves it wrong: the venue wrote its time between the moment
        we asked and the moment it answered."""
        told = self.told_time(answer)
        if told is None or not reply.status:
            return
        at, rate = self._clock.mark(), 1000 * self._settings.clock_rate
        least, most = told + (at - reply.answered) * rate, told + 1 + (at - reply.asked) * rate
        if not least - 1 <= self._clock.now() <= most + 1:
            self._clock.set(min(max(self._clock.now(), least), most), at, at)

    def _clean(self, failed: VenueFault) -> VenueFault:
        """Without key and secret, should a venue have repeated them."""
        for secret in self._secrets:
            failed.args = tuple(str(arg).replace(secret, "…") for arg in failed.args)
            if isinstance(failed, Refused):
                failed.detail = failed.detail.replace(secret, "…")
        return failed

    # Names ---------------------------------------------------------------------------------------

    def market(self, symbol: str) -> Market:
        """The venue's market of a canonical symbol.

        Raises:
            Refused: the venue lists none.
        """
        market = self._markets.get(symbol)
        if market is None:
            raise Refused(VenueRefusal.UNKNOWN_SYMBOL, f"{self.name} lists no perpetual {symbol}")
        return market

    def canonical(self, venue_symbol: str) -> str:
        """Of the venue's own spelling; an instrument that is no linear perpetual keeps the venue's."""
        return self._symbols.get(venue_symbol.upper(), venue_symbol)
