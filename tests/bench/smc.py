"""The engine beside the reference library and the fastest peer, and whether its cost grows with anything.

`smartmoneyconcepts` has no incremental form: a live user of it computes a window anew for each candle.
Candles are drawn from the bundled sample (`tests.bench.walk`), so that there are as many as it takes. All
of it is computation in this one process: its processor time is taken, which others disturb less.
"""

from __future__ import annotations

import gc
import os
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from statistics import mean, median

import pandas as pd
import pyvsmc

from strategy.smc import Candle, Parameters, SmcEngine
from strategy.smc.batch import scan, scan_on
from strategy.smc.compiled_engine import CompiledEngine
from tests.bench.figures import Figure, beside, in_turn
from tests.bench.memory import resident_mb
from tests.bench.walk import Walk, bootstrap, zigzag

os.environ.setdefault("SMC_CREDIT", "0")  # else the library prints a request at import

from smartmoneyconcepts import smc as library

EVERYTHING = Parameters(timeframe="15m")
"""The defaults: every concept is on."""
LONG, SHORT = Parameters(timeframe="15m", swing_length=50), Parameters(timeframe="15m", swing_length=6)
WINDOW = 500
LENGTH = 5
"""Of the libraries' pivots. Ours has 5 and 50 at once."""
TEN_THOUSAND = 10_000
ITS = "swings, FVG, BOS, OB"
Engine = SmcEngine | CompiledEngine
ENGINES: dict[str, Callable[[bytes], Engine]] = {
    "interpreted": lambda saved: SmcEngine.restore(EVERYTHING, saved),
    "compiled": lambda saved: CompiledEngine(EVERYTHING, saved),
}


def run(quick: bool, _fsyncs: Sequence[str]) -> list[Figure]:
    """All figures of this benchmark."""
    walk = bootstrap(200_000 if quick else 1_000_000)
    scan(*walk.part(0, 1_000), EVERYTHING)  # compiles, at the first time on a machine
    gc.collect()
    gc.freeze()  # else each collection before a measurement looks at every library
    try:
        memory = _memory(
            walk, 50_000 if quick else 1_000_000
        )  # first: nothing else has left room in the heap
        speed = (_streaming, _batch, _history, _pivot_length)
        return memory + [figure for one in speed for figure in one(walk, quick)]
    finally:
        gc.unfreeze()


def _timed(work: Callable[[], object]) -> float:
    gc.collect()
    began = time.process_time()
    work()
    return time.process_time() - began


def _stream(engine: Engine, candles: Sequence[Candle]) -> None:
    update = engine.update
    for candle in candles:
        update(candle)


def _saved(walk: Walk) -> bytes:
    """The state after ten thousand candles."""
    return SmcEngine(EVERYTHING, scan_on(None, *walk.part(0, TEN_THOUSAND), EVERYTHING)[1]).save()


def _frame(walk: Walk) -> pd.DataFrame:
    names = ("open", "high", "low", "close", "volume")
    return pd.DataFrame(dict(zip(names, walk[:5], strict=True)))


def _library(frame: pd.DataFrame, more: bool = False) -> None:
    swings = library.swing_highs_lows(frame, swing_length=LENGTH)
    library.fvg(frame)
    library.bos_choch(frame, swings)
    library.ob(frame, swings)
    if more:
        library.liquidity(frame, swings)
        library.retracements(frame, swings)


def _pyvsmc(walk: Walk, follow: bool) -> None:
    first, high, low, close, _, _ = walk
    pyvsmc.detect_swings(high, low, window_size=LENGTH)
    pyvsmc.detect_fvg(high, low, compute_mitigation=True)
    pyvsmc.detect_structure(high, low, close, window_size=LENGTH)
    pyvsmc.detect_order_blocks(first, high, low, close, window_size=LENGTH, compute_mitigation=follow)


def _streaming(walk: Walk, quick: bool) -> list[Figure]:
    """A new candle: the engine's update, and the library over the newest 500."""
    rounds, windows, chunk = (5, 2, 1_000) if quick else (11, 2, 2_000)
    saved = _saved(walk)
    frames = iter([_frame(walk.part(n * 100, n * 100 + WINDOW)) for n in range(rounds * windows * 2)])
    parts = [
        walk.part(first, first + chunk).candles()
        for first in range(TEN_THOUSAND, TEN_THOUSAND + rounds * chunk, chunk)
    ]

    def ours(engine: Engine, coming: Iterator[list[Candle]]) -> float:
        part = next(coming)
        return chunk / _timed(lambda: _stream(engine, part))

    def theirs(more: bool) -> float:
        return windows / sum(_timed(lambda: _library(next(frames), more)) for _ in range(windows))

    takes = [partial(ours, make(saved), iter(parts)) for make in ENGINES.values()]
    *found, small, large = in_turn(rounds, *takes, lambda: theirs(False), lambda: theirs(True))
    again = f"library over {WINDOW} candles anew"
    more = f"{again}, liquidity and retracements too"
    figures = []
    for name, rates in zip(ENGINES, found, strict=True):
        what = f"streaming, {name}, a new candle"
        figures += [
            beside("smc", what, "candles/s", rates, f"{again}: {ITS}", small, least=2_000),
            beside("smc", what, "candles/s", rates, more, large, least=2_000),
            _absolute(what, "µs a candle", [1e6 / rate for rate in rates], 5.0),
        ]
    return figures


def _batch(walk: Walk, quick: bool) -> list[Figure]:
    """A history at once: the kernel, the library (whose cost grows with its square), the fastest peer."""
    count = 20_000 if quick else 100_000
    part = walk.part(0, count)
    frame = _frame(part)
    _pyvsmc(walk.part(0, 1_000), True)  # compiles

    def ours() -> float:
        return count / median(_timed(lambda: scan(*part, EVERYTHING)) for _ in range(5))

    def peer(follow: bool) -> float:
        return count / _timed(lambda: _pyvsmc(part, follow))

    found, plain = in_turn(3, ours, lambda: peer(False))
    before, followed = in_turn(1, ours, lambda: peer(True))
    after, slow = in_turn(1, ours, lambda: count / _timed(lambda: _library(frame)))
    what = f"batch, {count:,} candles"
    more, most = (None, None) if quick else (30, 500)  # the aims are for 100,000
    return [
        beside("smc", what, "candles/s", after, f"library: {ITS}", slow, least=most),
        beside("smc", what, "candles/s", found, f"pyvsmc: {ITS}", plain, least=more),
        beside("smc", what, "candles/s", before, f"pyvsmc: {ITS} with mitigation", followed, least=more),
        _absolute(what, "ns a candle", [1e9 / rate for rate in found], 100.0),
    ]


def _history(walk: Walk, quick: bool) -> list[Figure]:
    """The same candles after a long history and after a short one; a long history whole and in pieces."""
    chunk, rounds = (1_000, 5) if quick else (2_000, 5)
    count = walk.time.size
    begin = count - TEN_THOUSAND
    later = walk.part(begin, begin + chunk * rounds).candles()
    engines = [
        SmcEngine(EVERYTHING, scan_on(None, *walk.part(first, begin), EVERYTHING)[1])
        for first in (0, begin - TEN_THOUSAND)
    ]
    turns = [iter(range(rounds)), iter(range(rounds))]

    def streamed(which: int) -> float:
        turn = next(turns[which])
        part = later[turn * chunk : (turn + 1) * chunk]
        return _timed(lambda: _stream(engines[which], part)) / chunk * 1e6

    long, short = in_turn(rounds, lambda: streamed(0), lambda: streamed(1))

    def scanned(size: int) -> float:
        pieces = [walk.part(n, n + size) for n in range(0, count, size)][:20]
        return _timed(lambda: [scan(*piece, EVERYTHING) for piece in pieces]) / (len(pieces) * size) * 1e9

    tenth = count // 10
    takes = (count, tenth, TEN_THOUSAND)
    at_once, tenths, small = in_turn(5 if quick else 3, *(partial(scanned, size) for size in takes))
    after, batch = f"streaming, after {begin:,} candles", f"batch, {count:,} candles"
    return [
        beside("smc", after, "µs a candle", long, "the same candles after 10,000", short, most=1.2),
        beside("smc", batch, "ns a candle", at_once, "20 × 10,000 of them", small, most=1.2),
        beside("smc", batch, "ns a candle", at_once, f"10 × {tenth:,}", tenths, most=1.2),
    ]


def _pivot_length(walk: Walk, quick: bool) -> list[Figure]:
    """Swing length 50 beside 6, the least above the internal 5.

    On real candles 6 has more to tell; on straight legs both tell the same pivots, so nothing but the length
    differs.
    """
    few, many, rounds = (1_500, 30_000, 7) if quick else (4_000, 100_000, 9)
    figures = []
    for name, candles in (("real", walk), ("straight legs", zigzag(many))):
        short, long = candles.part(0, few).candles(), candles.part(0, many)

        def streamed(params: Parameters, part: Sequence[Candle] = short) -> float:
            return _timed(lambda: _stream(SmcEngine(params), part)) / few * 1e6

        def scanned(params: Parameters, part: Walk = long) -> float:
            return _timed(lambda: scan(*part, params)) / many * 1e9

        for what, unit, take in (("streaming", "µs a candle", streamed), ("batch", "ns a candle", scanned)):
            at_50, at_6 = in_turn(rounds, lambda: take(LONG), lambda: take(SHORT))  # noqa: B023
            title = f"{what}, swing length 50, {name}"
            figures.append(beside("smc", title, unit, at_50, "swing length 6", at_6, most=1.2))
    return figures


def _memory(walk: Walk, count: int) -> list[Figure]:
    """Streams so many candles: the state, and what the process grows by."""
    engine, sizes, resident = SmcEngine(EVERYTHING), [], []
    for begin in range(0, count, 1_000):
        _stream(engine, walk.part(begin, begin + 1_000).candles())
        sizes.append(len(engine.save()) / 1_000)
        if begin + 1_000 in (TEN_THOUSAND, count):
            gc.collect()
            resident.append(resident_mb("self"))
    first, last = [mean(sizes[5:10])], [mean(sizes[-5:])]
    grown = resident[1] - resident[0]
    what = f"resident growth from 10,000 to {count:,} candles"
    return [
        beside("smc", f"saved state after {count:,} candles", "kB", last, "after 10,000", first, most=1.5),
        beside("smc", f"saved state, most within {count:,}", "kB", [max(sizes)], "after 10,000", first),
        Figure(bench="smc", what=what, value=grown, unit="MB", aim="≤ 2 MB", met=grown <= 2.0),
        *(_a_symbol(walk, name) for name in ENGINES),
    ]


def _a_symbol(walk: Walk, name: str) -> Figure:
    """What one symbol more takes, of a hundred that were fed."""
    saved, candles = _saved(walk), walk.part(TEN_THOUSAND, TEN_THOUSAND + 200).candles()
    _stream(ENGINES[name](saved), candles)
    before, engines = resident_mb("self"), []
    for _ in range(100):
        engines.append(ENGINES[name](saved))
        _stream(engines[-1], candles)
    value = (resident_mb("self") - before) * 1_024 / len(engines)
    return Figure(bench="smc", what=f"resident for each symbol, {name}", value=value, unit="kB")


def _absolute(what: str, unit: str, found: Sequence[float], most: float) -> Figure:
    value, aim = median(found), f"≤ {most:.0f} {unit.split()[0]}"
    return Figure(bench="smc", what=what, value=value, unit=unit, aim=aim, met=value <= most)
