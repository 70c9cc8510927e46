"""Long and short are mirrors: negated prices give the negated decisions, to the last bit."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from bus_schemas.events import Assessment, Candle, Gap
from bus_schemas.settings.strategy import BlockCandle, EntryAt, Step, StopBeyond, StrategySettings
from strategy.decider import StrategyDecider
from tests.unit.strategy.make import DENSE, from_bytes, real, run


def negated(feed: Sequence[Candle | Gap]) -> list[Candle | Gap]:
    return [
        msgspec.structs.replace(b, open=-b.open, high=-b.low, low=-b.high, close=-b.close)
        if isinstance(b, Candle)
        else b
        for b in feed
    ]


def outcome(a: Assessment, sign: int) -> tuple[object, ...]:
    """What was decided, with prices and side as they look when multiplied by `sign`."""
    steps = [(e.step, e.passed, e.known_at, e.at) for e in a.evidence]
    if a.signal is None:
        return a.time, a.reason, steps
    s = a.signal
    levels = [sign * level for level in (s.entry, s.stop, *s.targets)]
    return a.time, s.side.sign * sign, s.setup, levels, s.score, s.expires, steps


def assert_mirrored(feed: Sequence[Candle | Gap], options: StrategySettings) -> int:
    one, other = run(feed, StrategyDecider(options)), run(negated(feed), StrategyDecider(options))
    assert [outcome(a, 1) for a in one] == [outcome(a, -1) for a in other]
    return sum(a.signal is not None for a in one)


@settings(max_examples=40, deadline=None)
@given(
    st.binary(min_size=200, max_size=500),
    st.sampled_from(BlockCandle),
    st.sampled_from(StopBeyond),
    st.sampled_from(EntryAt),
    st.lists(st.sampled_from(Step), min_size=8, max_size=8),
)
def test_negated_candles_give_negated_signals(
    drawn: bytes, which: BlockCandle, stop: StopBeyond, entry: EntryAt, modes: list[Step]
) -> None:
    """Whatever step is required, scored or off."""
    names = ("sweep", "displacement", "volume", "zone", "discount", "ote", "inducement", "kill_zone")
    steps = {f"{name}_step": mode for name, mode in zip(names, modes, strict=True)}
    options = DENSE.model_copy(update={"block_candle": which, "stop_beyond": stop, "entry_at": entry} | steps)
    assert_mirrored(from_bytes(drawn, holes=True), options)


def test_negated_real_candles_give_negated_signals() -> None:
    assert assert_mirrored(real(), StrategySettings()) > 8
    assert assert_mirrored(real(), StrategySettings(sweep_step=Step.SCORED)) > 15
