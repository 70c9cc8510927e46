"""One stage for all tests of the package, and the loop that it lives in."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterator
from typing import Any, TypeVar

import pytest

from tests.chaos_live.cases import Stage
from tests.chaos_live.matrix import stage

T = TypeVar("T")


class Theatre:
    """A stage, usable from tests that are no coroutines."""

    def __init__(self, loop: asyncio.Runner, where: Stage) -> None:
        self._loop = loop
        self.stage = where

    def run(self, act: Coroutine[Any, Any, T]) -> T:
        """Play it to its end."""
        return self._loop.run(act)


@pytest.fixture(scope="package")
def theatre() -> Iterator[Theatre]:
    with asyncio.Runner() as loop:
        opened = stage()
        where = loop.run(opened.__aenter__())
        try:
            yield Theatre(loop, where)
        finally:
            loop.run(opened.__aexit__(None, None, None))
