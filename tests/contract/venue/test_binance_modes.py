"""An account at the simulated Binance in a mode that we do not plan with: nothing new is opened, and what is
open already is looked after."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from bus_schemas.events import VenueRefusal
from execution.live import binance_modes
from execution.live.binance import BinanceFutures
from execution.live.faults import Denied, NotSent, Refused, Unclear
from tests.contract.venue.binance_stage import BTC, Stage, binance_stage, market, order, ref, stop

ETH = "ETHUSDT"
Patch = pytest.MonkeyPatch
CREDITS = {"assets": [{"asset": "BNFCR", "walletBalance": "100", "marginBalance": "100"}]}
CHECKS = ("fapiPrivateGetMultiAssetsMargin", "fapiPrivateGetSymbolConfig", "fapiPrivateV3GetAccount")


@pytest.fixture
def stage() -> Iterator[Stage]:
    """A venue for each test: what is asked here weighs much."""
    with binance_stage() as stage:
        yield stage


@contextmanager
def multi_assets(stage: Stage, _: BinanceFutures) -> Iterator[None]:
    change = stage.adapter._client.fapiPrivatePostMultiAssetsMargin
    stage.run(change({"multiAssetsMargin": "true"}))
    try:
        yield
    finally:
        stage.run(change({"multiAssetsMargin": "false"}))


@contextmanager
def isolated(stage: Stage, _: BinanceFutures) -> Iterator[None]:
    change = stage.adapter._client.fapiPrivatePostMarginType
    stage.run(change({"symbol": ETH, "marginType": "ISOLATED"}))
    try:
        yield
    finally:
        stage.run(change({"symbol": ETH, "marginType": "CROSSED"}))


@contextmanager
def in_credits(_: Stage, adapter: BinanceFutures) -> Iterator[None]:
    """Which the simulated venue does not have."""
    with Patch.context() as patch:
        patch.setattr(adapter._client, "fapiPrivateV3GetAccount", answering(CREDITS))
        yield


Mode = Callable[[Stage, BinanceFutures], Any]
MODES = pytest.mark.parametrize(
    ("mode", "words"),
    [
        (multi_assets, "multi-assets mode"),
        (isolated, "ETHUSDT: on isolated margin.* margin mode to cross"),
        (in_credits, "BNFCR"),
    ],
)


def answering(answer: object) -> Callable[..., Any]:
    async def answered(*_: object) -> object:
        return answer

    return answered


def failing(fault: Exception) -> Callable[..., Any]:
    async def failed(*_: object) -> object:
        raise fault

    return failed


@contextmanager
def begun(stage: Stage, *symbols: str) -> Iterator[BinanceFutures]:
    """An adapter that is not open."""
    adapter = stage.another(symbols or (BTC, ETH))
    try:
        yield adapter
    finally:
        stage.run(adapter.close())


@MODES
def test_it_is_refused_in_words_where_nothing_is_open(stage: Stage, mode: Mode, words: str) -> None:
    with begun(stage) as adapter, mode(stage, adapter), pytest.raises(Denied, match=words):
        stage.run(adapter.open())


@MODES
@pytest.mark.parametrize("there", [market("in"), order("rests"), stop("cw-s1-" + "a" * 26)])
def test_what_is_open_is_looked_after_and_nothing_is_added(
    stage: Stage, mode: Mode, words: str, there: Any
) -> None:
    stage.place(there)
    with begun(stage) as adapter, mode(stage, adapter):
        stage.run(adapter.open())
        assert re.fullmatch(f"nothing new is opened: .*{words}.*", adapter.warning)
        for entry in (market("more"), order("another")):
            with pytest.raises(Refused, match=words) as refused:
                stage.run(adapter.place(entry, 5000))
            assert refused.value.reason is VenueRefusal.OTHER
        stage.run(adapter.place(stop("guard"), 5000))
        assert stage.run(adapter.look_up(ref(stop("guard")))) is not None
        stage.run(adapter.account())


def test_an_order_of_ours_counts_in_a_symbol_that_is_traded_no_more(stage: Stage) -> None:
    with begun(stage, ETH) as adapter, isolated(stage, adapter):
        stage.place(order("of-another-hand"))
        with pytest.raises(Denied):
            stage.run(adapter.open())
        stage.place(order("cw-e1-" + "a" * 26))
        stage.run(adapter.open())


def test_the_margin_of_a_symbol_that_is_not_traded_does_not_matter(stage: Stage) -> None:
    with begun(stage, BTC) as adapter, isolated(stage, adapter):
        stage.run(adapter.open())
        stage.run(adapter.place(order("taken"), 5000))


def test_a_mode_that_was_mended_is_forgotten_when_it_is_opened_again(stage: Stage) -> None:
    stage.place(order("rests"))
    with begun(stage) as adapter:
        with multi_assets(stage, adapter):
            stage.run(adapter.open())
            assert adapter.warning
        stage.run(adapter.open())
        assert not adapter.warning
        stage.run(adapter.place(order("more"), 5000))


@pytest.mark.parametrize("answer", [failing(Unclear("HTTP 404")), failing(NotSent("no")), answering([1])])
def test_a_mode_that_is_never_told_keeps_nothing_from_opening(
    stage: Stage, monkeypatch: Patch, caplog: pytest.LogCaptureFixture, answer: Any
) -> None:
    monkeypatch.setattr(binance_modes, "AGAIN_S", 0.0)
    with begun(stage) as adapter:
        for check in CHECKS:
            monkeypatch.setattr(adapter._client, check, answer)
        stage.run(adapter.open())
        assert caplog.text.count("a mode of the account is not known") == len(CHECKS)
        stage.run(adapter.place(order("taken"), 5000))


def test_a_mode_is_asked_for_again_and_a_rate_limit_is_waited_out(stage: Stage, monkeypatch: Patch) -> None:
    monkeypatch.setattr(binance_modes, "AGAIN_S", 0.0)
    with begun(stage) as adapter, multi_assets(stage, adapter):
        ask, left = adapter._client.fapiPrivateGetMultiAssetsMargin, [Unclear("HTTP 502")]

        async def once(*args: object) -> object:
            if left:
                raise left.pop()
            return await ask(*args)

        monkeypatch.setattr(adapter._client, "fapiPrivateGetMultiAssetsMargin", once)
        with pytest.raises(Denied, match="multi-assets"):
            stage.run(adapter.open())
        limited = failing(NotSent("429", 1.0, limited=True))
        monkeypatch.setattr(adapter._client, "fapiPrivateGetMultiAssetsMargin", limited)
        with pytest.raises(NotSent, match="429"):
            stage.run(adapter.open())
