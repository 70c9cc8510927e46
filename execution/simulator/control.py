"""The control API of a simulated venue: the truth, and every lever. JSON in, JSON out, no keys.

| request | body | what it does |
|---|---|---|
| `GET /simulator` | | URLs, demo keys, clock rate, symbols |
| `GET /simulator/state` | query: `protocol`? | accounts: orders, fills, positions, cash; clock, faults |
| `POST /simulator/price` | `symbol`, `last`, `mark`?, `index`? | moves the price; the files' prices wait |
| `POST /simulator/release` | `symbol` | lets the files' prices go on |
| `POST /simulator/funding` | `symbol`, `rate` | settles funding now |
| `GET`, `POST`, `DELETE /simulator/faults` | a fault plan | shows counts, replaces the plan, clears it |
| `POST /simulator/clock` | `skew_ms`?, `advance_ms`? | makes the clock wrong; lets time pass at once |
| `POST /simulator/cash` | `protocol`, `cash` | a deposit or a withdrawal |
| `POST /simulator/order` | `protocol`, an `OrderRequest` | an order of another hand in the same account |
| `POST /simulator/cancel` | `protocol`, `order_id`, `conditional`? | a cancellation by another hand |
| `POST /simulator/cut` | | cuts every websocket |
| `POST /simulator/reset` | `cash`? | accounts begin again; no faults, no skew |

A body that is wrong is answered with 400 and `error`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from decimal import Decimal
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec
from aiohttp import web

from bus_schemas.errors import ConfigurationError
from execution.simulator.exchange import Exchange
from execution.simulator.faults import Plan, parse_plan
from execution.simulator.orders import OrderRequest, SimRefusal

if TYPE_CHECKING:
    from execution.simulator.server import Simulator

T = TypeVar("T")


class _Body(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a request says."""


class _Symbol(_Body, frozen=True, kw_only=True):
    symbol: str


class _Price(_Symbol, frozen=True, kw_only=True):
    last: Decimal
    mark: Decimal | None = None
    index: Decimal | None = None


class _Funding(_Symbol, frozen=True, kw_only=True):
    rate: Decimal


class _Clock(_Body, frozen=True, kw_only=True):
    skew_ms: int | None = None
    advance_ms: int = 0


class _Cash(_Body, frozen=True, kw_only=True):
    protocol: str
    cash: Decimal


class _Order(_Body, frozen=True, kw_only=True):
    protocol: str
    order: OrderRequest


class _Cancel(_Body, frozen=True, kw_only=True):
    protocol: str
    order_id: str
    conditional: bool = False


class _Reset(_Body, frozen=True, kw_only=True):
    cash: Decimal | None = None


class Control:
    """The control API of one simulator."""

    def __init__(self, simulator: Simulator) -> None:
        self._simulator = simulator

    def routes(self) -> list[web.RouteDef]:
        """Where it is served."""
        here = "/simulator"
        return [
            web.get(here, _guarded(self._greet)),
            web.get(f"{here}/state", _guarded(self._state)),
            web.post(f"{here}/price", _guarded(self._price)),
            web.post(f"{here}/release", _guarded(self._release)),
            web.post(f"{here}/funding", _guarded(self._funding)),
            web.get(f"{here}/faults", _guarded(self._faults)),
            web.post(f"{here}/faults", _guarded(self._set_faults)),
            web.delete(f"{here}/faults", _guarded(self._clear_faults)),
            web.post(f"{here}/clock", _guarded(self._clock)),
            web.post(f"{here}/cash", _guarded(self._cash)),
            web.post(f"{here}/order", _guarded(self._order)),
            web.post(f"{here}/cancel", _guarded(self._cancel)),
            web.post(f"{here}/cut", _guarded(self._cut)),
            web.post(f"{here}/reset", _guarded(self._reset)),
        ]

    async def _greet(self, _request: web.Request) -> Any:
        return self._simulator.greeting()

    async def _state(self, request: web.Request) -> Any:
        simulator = self._simulator
        only = request.query.get("protocol")
        shown = simulator.exchanges if only is None else {only: self._exchange(only)}
        clock = simulator.clock
        return {
            "time": clock.now(),
            "clock": {"true": clock.true(), "rate": clock.rate, "skew_ms": clock.now() - clock.true()},
            "protocols": {name: account_state(each) for name, each in shown.items()},
            "sockets": sum(len(gate.open) for gate in simulator.gates),
            "faults": simulator.faults.report(),
        }

    async def _price(self, request: web.Request) -> Any:
        body = await _read(request, _Price)
        for price in (body.last, body.mark, body.index):
            if price is not None and not (price.is_finite() and price > 0):
                raise ConfigurationError(f"{price} is not a price")
        market = self._simulator.market
        market.set_price(market.source_of(body.symbol), body.last, body.mark, body.index)
        return {}

    async def _release(self, request: web.Request) -> Any:
        market = self._simulator.market
        market.release(market.source_of((await _read(request, _Symbol)).symbol))
        return {}

    async def _funding(self, request: web.Request) -> Any:
        body = await _read(request, _Funding)
        market = self._simulator.market
        market.settle(market.source_of(body.symbol), body.rate)
        return {}

    async def _faults(self, _request: web.Request) -> Any:
        return self._simulator.faults.report()

    async def _set_faults(self, request: web.Request) -> Any:
        try:
            data = msgspec.json.decode(await request.read())
        except msgspec.DecodeError as error:
            raise ConfigurationError(f"fault plan: {error}") from None
        self._simulator.faults.load(parse_plan(data, tuple(self._simulator.exchanges)))
        return self._simulator.faults.report()

    async def _clear_faults(self, _request: web.Request) -> Any:
        self._simulator.faults.load(Plan())
        return []

    async def _clock(self, request: web.Request) -> Any:
        body = await _read(request, _Clock)
        simulator = self._simulator
        if body.skew_ms is not None:
            simulator.clock.skew_ms = body.skew_ms
        if body.advance_ms < 0:
            raise ConfigurationError("advance_ms must not be below 0: the market's time does not go back")
        if body.advance_ms:
            simulator.clock.advance(body.advance_ms)
            simulator.market.advance(simulator.clock.true())
            simulator.market.wake()
        return {"time": simulator.clock.now()}

    async def _cash(self, request: web.Request) -> Any:
        body = await _read(request, _Cash)
        self._exchange(body.protocol).set_cash(body.cash)
        return {}

    async def _order(self, request: web.Request) -> Any:
        body = await _read(request, _Order)
        return self._exchange(body.protocol).place(body.order)

    async def _cancel(self, request: web.Request) -> Any:
        body = await _read(request, _Cancel)
        return self._exchange(body.protocol).cancel(body.order_id, body.conditional)

    async def _cut(self, _request: web.Request) -> Any:
        for gate in self._simulator.gates:
            for socket in tuple(gate.open):
                socket.abort()
        return {}

    async def _reset(self, request: web.Request) -> Any:
        body = await _read(request, _Reset)
        simulator = self._simulator
        simulator.faults.load(Plan())
        simulator.clock.skew_ms = 0
        for exchange in simulator.exchanges.values():
            exchange.reset(simulator.cash if body.cash is None else body.cash)
        return {}

    def _exchange(self, name: str) -> Exchange:
        try:
            return self._simulator.exchanges[name]
        except KeyError:
            known = ", ".join(self._simulator.exchanges)
            raise ConfigurationError(f"there is no protocol {name!r}; there are {known}") from None


def account_state(exchange: Exchange) -> dict[str, Any]:
    """The truth of one account: hidden orders and fills too."""
    orders = [*exchange.store(False)]
    if exchange.rules.conditional_apart:
        orders += [*exchange.store(True)]
    return {
        "orders": sorted(orders, key=lambda order: order.created),
        "fills": [*exchange.trades],
        "positions": exchange.positions(),
        "account": exchange.account(),
        "funding": exchange.funding(),
        "prices": dict(exchange.books.quotes),
    }


async def _read(request: web.Request, body: type[T]) -> T:
    try:
        return msgspec.json.decode(await request.read() or b"{}", type=body)
    except msgspec.DecodeError as error:
        raise ConfigurationError(str(error)) from None


def _guarded(
    handler: Callable[[web.Request], Awaitable[Any]],
) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    """Answer with JSON, and with a sentence where the request was wrong."""

    async def answered(request: web.Request) -> web.StreamResponse:
        try:
            answer, status = await handler(request), 200
        except (ConfigurationError, SimRefusal) as error:
            answer, status = {"error": str(error)}, 400
        return web.Response(body=msgspec.json.encode(answer), status=status, content_type="application/json")

    return answered
