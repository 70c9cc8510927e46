"""One trade of a live run at a simulated venue, from a signal to its stop, by what the terminal tells."""

from __future__ import annotations

import re

from bus_schemas.bus.redis_link import Link
from bus_schemas.bus.redis_observer import RedisObserver
from bus_schemas.events import Assessment, Side, Signal
from bus_schemas.timeframes import HOUR
from bus_schemas.topology import Place, Stream, Topology
from cli.folder import Note
from tests.support.shell import Running, eventually
from tests.support.venue import SimControl

SYMBOL = "BTCUSDT"
TOLD = (
    "BTCUSDT signal taken: long # at #, stop #, targets # and #, # at risk",
    "BTCUSDT long signal refused (duplicate signal): it has been answered before",
    "BTCUSDT entry filled: bought # at #, maker, fee #, now long #",
    "BTCUSDT stop is live at the venue: sell # at a mark of #",
    "BTCUSDT stop filled: sold # at #, taker, fee #, profit -#, now flat",
    "BTCUSDT target # cancelled: sell # at #",
)


def tells_a_trade(run: Running, control: SimControl, note: Note) -> None:
    """Give the signal, as strategy would, and the prices that fill its entry and its stop; each step is told.

    Args:
        run: ready, without a position; its marks come often.
        control: of its venue, where Bitcoin is at 60,000.
    """
    _await(run, "no positions")
    now = control.clock()
    signal = Signal(
        id="drill", side=Side.LONG, entry=59_900, stop=59_000, targets=(61_000, 62_000), setup="order_block",
        score=1, expires=now + HOUR,
    )  # fmt: skip
    assessment = Assessment(time=now, symbol=SYMBOL, timeframe="1h", signal=signal)
    observer = RedisObserver(Link(note.url, 5), note.namespace, Topology())
    marks = Place(Stream.MARKS, observer.topology.partition(SYMBOL))
    eventually(lambda: observer.tip(marks), what="a mark, without which risk refuses")
    for _ in range(2):  # the second is refused
        observer.post(Stream.SIGNALS, SYMBOL, assessment)
    observer.close()
    _await(run, f"{SYMBOL} entry acknowledged: buy")
    control.price(SYMBOL, 59_890)
    _await(run, f"{SYMBOL} target 2 acknowledged: sell")
    control.price(SYMBOL, 58_900)
    _await(run, f"{SYMBOL} trade closed by stop: net -")
    told = [line[9:] for line in run.stderr.splitlines() if line[9:].startswith(f"{SYMBOL} ")]
    assert len(told) == len(set(told)), told
    plain = [re.sub(r"[0-9][0-9.,]*[0-9]|[0-9]", "#", line) for line in told]
    assert not [words for words in TOLD if words not in plain], told


def _await(run: Running, words: str) -> None:
    eventually(lambda: words in run.stderr or run.process.poll() is not None, 40, words)
    assert run.process.poll() is None, run.said
