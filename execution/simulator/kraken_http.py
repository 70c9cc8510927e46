"""Requests and answers of Kraken Futures: parameters, signatures, the form of errors."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple
from urllib.parse import parse_qsl

from aiohttp import web

from execution.simulator.clock import SimClock
from execution.simulator.kraken_sign import Signatures
from execution.simulator.kraken_words import ErrorWord, Words, encode, iso
from execution.simulator.protocol import Handler


class Params(NamedTuple):
    """The parameters of one request, from its query and its body.

    Attributes:
        one: the last value of each name.
        many: all values of each name.
    """

    one: Mapping[str, str]
    many: Mapping[str, tuple[str, ...]]

    def required(self, *names: str) -> None:
        """Raises:
        ErrorWord: one is missing.
        """
        if any(not self.one.get(name) for name in names):
            raise ErrorWord("requiredArgumentMissing")

    def whole(self, name: str, default: int) -> int:
        """A whole number.

        Raises:
            ErrorWord: it is none.
        """
        text = self.one.get(name, "")
        if not text:
            return default
        if not text.isdigit():
            raise ErrorWord("invalidArgument")
        return int(text)


class Desk:
    """Makes aiohttp handlers of functions from parameters to answers."""

    def __init__(self, clock: SimClock, signatures: Signatures) -> None:
        self._clock = clock
        self._signatures = signatures

    def public(self, answer: Callable[[Params], Words]) -> Handler:
        """For everybody."""

        async def handle(request: web.Request) -> web.Response:
            return self._answer(answer, _params(_query(request), request))

        return handle

    def private(self, answer: Callable[[Params], Words]) -> Handler:
        """For requests with a right signature."""

        async def handle(request: web.Request) -> web.Response:
            query, body = _query(request), await request.text()
            refusal = self.refusal(request, query + body)
            if refusal:
                return self.error(refusal)
            return self._answer(answer, _params("&".join(filter(None, (query, body))), request))

        return handle

    def refusal(self, request: web.Request, data: str) -> str:
        """What is wrong with the signature; empty for nothing."""
        headers = request.headers
        return self._signatures.refusal(
            headers.get("APIKey", ""),
            headers.get("Authent", ""),
            headers.get("Nonce", ""),
            data,
            request.raw_path.partition("?")[0],
        )

    def success(self, body: Words) -> web.Response:
        """An answer with the venue's time."""
        return reply({"result": "success", **body, "serverTime": iso(self._clock.now())})

    def error(self, word: str, status: int = 200) -> web.Response:
        """A refusal of the whole request."""
        return reply({"result": "error", "error": word, "serverTime": iso(self._clock.now())}, status)

    def _answer(self, answer: Callable[[Params], Words], params: Params) -> web.Response:
        try:
            return self.success(answer(params))
        except ErrorWord as error:
            return self.error(error.word)


def reply(body: object, status: int = 200) -> web.Response:
    """JSON, with exact numbers."""
    return web.Response(status=status, body=encode(body), content_type="application/json")


def _query(request: web.Request) -> str:
    """As it was sent: the signature is of these very characters."""
    return request.raw_path.partition("?")[2]


def _params(data: str, request: web.Request) -> Params:
    many: dict[str, list[str]] = {}
    for name, value in parse_qsl(data, keep_blank_values=True):
        many.setdefault(name, []).append(value)
    one = {name: values[-1] for name, values in many.items()} | dict(request.match_info)
    return Params(one, {name: tuple(values) for name, values in many.items()})
