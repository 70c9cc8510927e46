"""Live candles: whatever order answers come in, every candle once, in order, and never a forming one."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from bus_schemas.events import Candle, Gap
from bus_schemas.timeframes import MINUTE
from market_data.live.bars import Book, Page, Row, merge, page_of, sightings
from market_data.live.track import Rules, Track

SPAN = MINUTE
START = 1_700_000_040_000 - 1_700_000_040_000 % MINUTE
RULES = Rules(timeframe="1m", span=SPAN, settle_ms=1000, gap_ms=5000, gap_tries=2, fresh_ms=10 * MINUTE)
CANDLES = 30


def truth(index: int, elapsed: float = 1.0) -> Row:
    """A candle of the venue when this share of it has gone by: it forms until its end."""
    close = 100.0 + index + elapsed
    return Row(START + index * SPAN, 100.0 + index, close, 100.0 + index, close, 10 * elapsed)


def answer(since: int, limit: int, asked: int, lacking: frozenset[int]) -> Page:
    """What a venue with these candles missing says at this time; the last candle is forming."""
    first, rows = max(0, (since - START) // SPAN), []
    for index in range(first, CANDLES):
        opened = START + index * SPAN
        if opened < asked and index not in lacking and len(rows) < limit:
            rows.append(truth(index, min(1.0, (asked - opened) / SPAN)))
    return page_of("BTCUSDT", since, limit, SPAN, asked, rows)


moments = st.integers(START, START + (CANDLES + 2) * SPAN)
pages = st.builds(
    answer,
    st.integers(0, CANDLES).map(lambda index: START + index * SPAN),
    st.integers(1, CANDLES),
    moments,
    st.just(frozenset[int]()),
)


@given(st.lists(pages, max_size=12), st.randoms())
def test_incident_13_the_order_of_sources_does_not_matter(found: list[Page], random: object) -> None:
    books = [sightings(page, SPAN, 1000) for page in found]
    shuffled = list(books)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert merge(books) == merge(shuffled) == merge([merge(books[:3]), merge(shuffled), *books])


@given(st.lists(pages, max_size=12))
def test_what_is_final_is_the_whole_candle(found: list[Page]) -> None:
    book: Book = merge(sightings(page, SPAN, 1000) for page in found)
    for time, seen in book.items():
        if seen.final:
            assert seen.row == truth((time - START) // SPAN)
            assert seen.asked >= time + SPAN + 1000


def play(track: Track, said: Sequence[Page], now: int, chunk: int = 3) -> list[Candle | Gap]:
    """Give the pages; publish after each, as the feed does."""
    out: list[Candle | Gap] = []
    for page in said:
        track.take(page)
        while (ready := track.ready(now, chunk)) is not None:
            out += ready.bodies
            track.advance(ready)
    return out


@given(
    st.lists(pages, max_size=15),
    st.frozensets(st.integers(2, CANDLES - 3), max_size=8),
    st.lists(st.integers(1, CANDLES), max_size=6),
    st.integers(0, 12),
)
def test_each_candle_once_in_order_with_the_gaps_that_the_venue_has(
    early: list[Page], lacking: frozenset[int], limits: list[int], restart_after: int
) -> None:
    """Pages from any moment in any order, a restart in between; then the questions of a patient feed."""
    held = [answer(page.since, len(page.rows) or 1, page.asked, lacking) for page in early]
    track = Track("BTCUSDT", RULES)
    track.resume(None, START)
    now = START + (CANDLES + 5) * SPAN
    out = play(track, held[:restart_after], now)
    if restart_after % 2:
        closed, track = track.closed, Track("BTCUSDT", RULES)
        track.resume(closed, START)
    out += play(track, held[restart_after:], now)
    for round_ in range(4 * CANDLES):
        limit = limits[round_ % len(limits)] + 1 if limits else CANDLES
        out += play(track, [answer(track.wanted, limit, now, lacking)], now)
    candles = [body for body in out if isinstance(body, Candle)]
    there = [index for index in range(CANDLES - 1) if index not in lacking]
    assert [(c.open_time, c.close, c.volume) for c in candles] == [
        (truth(i).time, truth(i).close, truth(i).volume) for i in there
    ]
    missing = [t for body in out if isinstance(body, Gap) for t in range(body.start, body.end, SPAN)]
    assert missing == [truth(i).time for i in sorted(lacking) if i < CANDLES - 1]
    for before, after in pairwise(out):
        if isinstance(after, Gap):
            assert isinstance(before, Candle)
            assert before.time == after.start
