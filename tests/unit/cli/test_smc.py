"""Parameters, candle files and the story that a chart is drawn from."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import msgspec
import pytest

from bus_schemas.errors import ConfigurationError, DataError
from bus_schemas.timeframes import HOUR, MINUTE
from cli import smc_params
from cli.smc_candles import CandleFile, Resampled, named, shown, usual_distance
from cli.smc_story import (
    BLOCK,
    BREAKER,
    ENTRY,
    GAP,
    INDUCEMENT,
    INVERTED,
    PERIOD,
    POOL,
    RANGE,
    SESSION,
    Story,
)
from cli.smc_view import price, safe
from market_data.files import SAMPLE
from strategy.smc import Candle, Parameters, SmcEngine
from strategy.smc.params import By

BTC = SAMPLE / "BTCUSDT-15m.csv.gz"
HOLES = Path(__file__).parents[2] / "data" / "BTCUSDT-1h-gaps.csv.gz"

# --- parameters


def test_parameters_inline_in_files_and_repeated(tmp_path: Path) -> None:
    toml, json = tmp_path / "a=b.toml", tmp_path / "c.json"
    toml.write_text(
        'swing_length = 30\nfvg_min_atr = 1\n[[sessions]]\nname = "x"\nstart = "1:00"\nend = "2:00"\n'
    )
    json.write_text('{"break_by": "wick", "fvg_joined": false}')
    found = smc_params.read([str(toml), str(json), "swing_length = 20, ote_from=0.5"], "15m")
    assert (found.swing_length, found.fvg_min_atr, found.ote_from) == (20, 1.0, 0.5)
    assert (found.break_by, found.fvg_joined, found.timeframe) == (By.WICK, False, "15m")
    assert [session.name for session in found.sessions] == ["x"]
    assert smc_params.read([], "1h") == Parameters(timeframe="1h")
    listed = smc_params.read(['sessions=[{name="a, b",start="1:00",end="2:00"}],swing_length=9'], "1h")
    assert (listed.sessions[0].name, listed.swing_length) == ("a, b", 9)
    assert smc_params.read(["sessions=[]"], "1h").sessions == ()


@pytest.mark.parametrize(
    ("text", "sentence"),
    {
        "swing_lenght=20": "swing_lenght is no parameter (perhaps swing_length?); there are timeframe,",
        "swing_length=many": "swing_length must be a whole number, not 'many'",
        "swing_length=2.5": "swing_length must be a whole number, not '2.5'",
        "fvg_min_atr=big": "fvg_min_atr must be a number, not 'big'",
        "fvg_min_atr=nan": "fvg_min_atr must be a number between 0 and 100, not nan",
        "fvg_joined=perhaps": "fvg_joined must be true or false, not 'perhaps'",
        "break_by=body": "break_by must be close or wick, not 'body'",
        "sessions=asia": "sessions must be a list such as",
        "sessions=[{name=1}]": "sessions must be a list such as",
        "sessions=[{": "sessions is no TOML list",
        "swing_length=5,swing_length=6": "swing_length is there twice",
        "swing_length=5,,": "'' is not name=value",
        "=5": "'=5' is not name=value",
        "swing_length=3": "internal_length 5 must be below swing_length 3",
        "timeframe=4h": "timeframe 4h contradicts the candles, which are 15m",
        "nowhere.toml": "is neither a file nor name=value",
        "": "is neither a file nor name=value",
        "x=" + "y" * 5_000: "x is no parameter",
    }.items(),
)
def test_parameters_that_cannot_be(text: str, sentence: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        smc_params.read([text], "15m")
    assert sentence in str(caught.value)
    assert str(caught.value).startswith("--params")


def test_a_file_of_parameters_names_itself(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    for text, sentence in {
        "swing_length = '20'": "mine.toml: swing_length must be a whole number, not '20'",
        "swing_length = ": "mine.toml",
        "[smc]\nswing_length = 20": "mine.toml: smc is no parameter",
    }.items():
        path.write_text(text)
        with pytest.raises(ConfigurationError, match=sentence):
            smc_params.read([str(path)], "15m")


# --- candle files


@pytest.mark.parametrize(
    ("name", "timeframe"),
    [("BTCUSDT-15m.csv.gz", "15m"), ("BTCUSDT-1h-2018-2023.csv.gz", "1h"), ("4h candles.csv", "4h"),
     ("btc_1d.parquet", "1d"), ("BTC.csv", None), ("BTC-7m.csv", None), ("BTC-1M.csv", None),
     ("BTC-1h-from-15m.csv", None), ("BTC15m.csv", None), ("15m", "15m")],
)  # fmt: skip
def test_the_timeframe_in_a_name(name: str, timeframe: str | None) -> None:
    assert named(name) == timeframe


def test_the_usual_distance_is_the_most_common_one() -> None:
    assert usual_distance([0, 5, 10, 100, 105, 90, 90]) == 5
    assert usual_distance([0, 5, 15]) == 5
    assert usual_distance([7]) is None


def rows(path: Path, *lines: str) -> Path:
    path.write_text("\n".join(("time,open,high,low,close,volume", *lines)) + "\n")
    return path


def hours(count: int, step: int = 1) -> list[str]:
    return [f"2024-01-{1 + n // 24:02}T{n % 24:02}:00:00Z,10,12,9,11,{n}" for n in range(0, count, step)]


def test_a_file_whose_name_tells_nothing_tells_by_its_times(tmp_path: Path) -> None:
    said: list[str] = []
    found = CandleFile(rows(tmp_path / "x", *hours(5)), None, said.append)
    assert (found.timeframe, len(list(found))) == ("1h", 5)
    assert said == ["taking the candles for 1h ones: that is how far apart most of them are"]
    for lines, sentence in ((hours(1), "does not tell its timeframe"), (hours(20, 5), "300 minutes apart")):
        with pytest.raises(ConfigurationError, match=sentence):
            CandleFile(rows(tmp_path / "y.csv", *lines), None, said.append)


def test_a_name_that_contradicts_the_times_is_doubted(tmp_path: Path) -> None:
    said: list[str] = []
    CandleFile(rows(tmp_path / "x-15m.csv", *hours(5)), None, said.append)
    assert "60 minutes apart, although they should be 15m ones" in said[0]


@pytest.mark.parametrize(
    ("line", "sentence"),
    [("2024-01-01T02:00:00Z,1,2,1,NaN,1", ":3: close is 'NaN', not a finite number"),
     ("2024-01-01T02:00:00Z,1,1,2,1,1", ":3: high 1 is below low 2"),
     ("2024-01-01T00:00:00Z,1,1,1,1,1", ":3: 2024-01-01T00:00:00Z is there twice"),
     ("2023-12-31T00:00:00Z,1,1,1,1,1", ":3: 2023-12-31T00:00:00Z stands after 2024-01-01T00:00:00Z; sort"),
     ("2024-01-01T02:10:00Z,1,1,1,1,1", ":3: 2024-01-01T02:10:00Z is not the open time of a 60-minute")],
)  # fmt: skip
def test_a_bad_candle_is_told_with_its_line(tmp_path: Path, line: str, sentence: str) -> None:
    path = rows(tmp_path / "x-1h.csv", hours(1)[0], line)
    with pytest.raises(DataError) as caught:
        list(CandleFile(path, None, lambda _: None))
    assert str(caught.value).startswith(str(path) + sentence)


def test_only_closed_and_complete_candles_are_built(tmp_path: Path) -> None:
    lines = hours(24)
    del lines[9]
    source = CandleFile(rows(tmp_path / "x-1h.csv", *lines[:-2]), None, lambda _: None)
    built = Resampled(source, "1h", "4h")
    found = list(built)
    # 08:00 lacks an hour, 20:00 has not closed
    assert [candle.time % (24 * HOUR) // HOUR for candle in found] == [0, 4, 12, 16]
    assert [candle.volume for candle in found] == [0 + 1 + 2 + 3, 4 + 5 + 6 + 7, 54, 70]
    assert built.incomplete == 1
    for other in ("30m", "90m", "1m"):
        with pytest.raises(ConfigurationError):
            Resampled(source, "1h", other)


def test_names_and_prices_as_they_are_shown() -> None:
    assert shown(Path("a\nb\udcff\x1b")) == r"a\nb\udcff\x1b"
    assert [price(x, x) for x in (63_074.0, 142.25, 1.5, 0.00001234)] == [
        "63,074.00", "142.250", "1.50000", "0.0000123400",
    ]  # fmt: skip
    assert price(-3.0, 0.0) == "-3.00"
    assert safe("<b>\x1b[31m\n") == r"&lt;b&gt;\x1b[31m\n"
    assert (safe("y" * 40), safe("y" * 41)) == ("y" * 40, "y" * 39 + "…")


# --- the story


def sample(path: Path, count: int) -> Iterator[Candle]:
    return islice(CandleFile(path, None, lambda _: None), count)


def living(engine: SmcEngine) -> dict[str, set[tuple[int, float, float]]]:
    """Zones and levels as the engine has them, but for filled gaps, which no longer are any."""
    state = engine.state
    levels = [*state.highs, *state.lows]
    blocks = [*state.blocks_up, *state.blocks_down]
    return {
        GAP: {(z.id, z.top, z.bottom) for z in (*state.gaps_up, *state.gaps_down) if z.stage != 3},
        BLOCK: {(z.id, z.top, z.bottom) for z in blocks},
        BREAKER: {(z.id, z.top, z.bottom) for z in (*state.flips_up, *state.flips_down)},
        POOL: {(z.id, z.top, z.bottom) for z in levels if z.scope == 3},
        PERIOD: {(z.id, z.top, z.bottom) for z in levels if z.scope > 3},
        INDUCEMENT: {(z.marked, z.mark, z.mark) for z in blocks if z.marked and not z.on},
    }


def told(story: Story) -> dict[str, set[tuple[int, float, float]]]:
    found: dict[str, set[tuple[int, float, float]]] = {
        sort: set() for sort in (GAP, BLOCK, BREAKER, POOL, PERIOD, INDUCEMENT)
    }
    for span in story.live:
        if span.sort in (RANGE, ENTRY):
            continue
        sort = {INVERTED: BREAKER, SESSION: PERIOD}.get(span.sort, span.sort)
        found[sort].add((span.id, span.top, span.bottom))
    return found


@pytest.mark.parametrize(
    ("path", "options"),
    [(BTC, {"timeframe": "15m"}),
     (BTC, {"timeframe": "15m", "pool_atr": 1.0, "sweep_bars": 3}),
     (BTC, {"timeframe": "15m", "breaks": "four_swings", "block_candle": "extreme", "break_by": "wick",
            "block_broken_by": "wick", "zones_kept": 4, "levels_kept": 4}),
     (HOLES, {"timeframe": "1h", "swing_length": 8, "internal_length": 2})],
)  # fmt: skip
def test_the_story_knows_at_every_bar_what_the_engine_knows(path: Path, options: dict[str, object]) -> None:
    params = msgspec.convert(options, Parameters)
    engine, story = SmcEngine(params), Story(params)
    seen = set()
    for candle in sample(path, 2_500):
        story.see(candle)
        for event in engine.update(candle):
            story.add(event)
        assert told(story) == living(engine), candle.time
        seen |= {span.sort for span in story.live}
        ranges = [span for span in story.live if span.sort == RANGE]
        assert len(ranges) == (engine.state.range.known == 3)
        assert all(span.id >= engine.state.range.id for span in ranges)
        entries = [span.scope for span in story.live if span.sort == ENTRY]
        assert len(entries) == len(set(entries)) <= 2
    assert seen >= {GAP, BLOCK, BREAKER, INVERTED, ENTRY}
    assert (RANGE in seen) == (path == BTC), "too many holes for a swing in the other file"


def test_what_the_story_drew_never_changes() -> None:
    """A span known at some bar is the same in every longer story, but for its end."""
    params = Parameters(timeframe="15m")
    engine, story = SmcEngine(params), Story(params)
    drawn: dict[int, tuple[object, ...]] = {}
    for candle in sample(BTC, 1_500):
        story.see(candle)
        for event in engine.update(candle):
            story.add(event)
        for number, span in enumerate(story.spans):
            now = (span.id, span.kind, span.known_at, span.top, span.bottom, span.level)
            assert drawn.setdefault(number, now) == now
            assert span.at <= span.known_at <= candle.time
            assert span.ended_at == 0 or span.known_at <= span.ended_at <= candle.time
    assert len(drawn) > 300


def test_forgetting_keeps_what_can_still_be_seen() -> None:
    params = Parameters(timeframe="15m")
    engine, whole, short = SmcEngine(params), Story(params), Story(params)
    for candle in sample(BTC, 3_000):
        whole.see(candle)
        short.see(candle)
        for event in engine.update(candle):
            whole.add(event)
            short.add(event)
        short.forget(candle.time - 500 * 15 * MINUTE)
    since = engine.state.window.time - 500 * 15 * MINUTE
    visible = [span for span in whole.spans if not span.ended_at or span.ended_at >= since]
    assert [span for span in short.spans if not span.ended_at or span.ended_at >= since] == visible
    assert len(short.spans) < len(whole.spans)
