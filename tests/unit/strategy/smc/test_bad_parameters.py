"""Parameters that make no sense are refused, by name."""

from __future__ import annotations

from contextlib import suppress
from math import inf, nan
from typing import Any

import msgspec
import pytest

from bus_schemas.errors import EXIT_USAGE, ConfigurationError
from strategy.smc import Parameters, Session, SmcEngine
from strategy.smc.batch import scan
from strategy.smc.params import MOST_SESSIONS, BlockCandle, BlockZone, Breaks, By
from strategy.smc.rules import rules
from tests.support.candles import columns, sample

WHOLE = {
    "internal_length": (1, 1022), "swing_length": (2, 1022), "atr_period": (1, 10_000),
    "adx_period": (1, 10_000), "ema_fast": (1, 10_000), "ema_slow": (2, 10_000),
    "volume_period": (1, 10_000), "sweep_bars": (1, 100), "zones_kept": (1, 256), "levels_kept": (1, 256),
}  # fmt: skip
SHARES = {
    "displacement_atr": (0, 100), "adx_trending": (0, 100), "fvg_min_atr": (0, 100), "pool_atr": (0, 100),
    "ote_from": (0, 1), "ote_to": (0, 1), "equilibrium_width": (0, 1), "period_coverage": (0, 1),
}  # fmt: skip


@pytest.mark.parametrize("name", WHOLE)
def test_whole_numbers(name: str) -> None:
    least, most = WHOLE[name]
    for bad in (least - 1, most + 1, -1, 0.5, float(least + 1), nan, inf, "3", None, True):
        words = f"{name} must be a whole number between {least} and {most}, not {bad!r}"
        with pytest.raises(ConfigurationError) as caught:
            Parameters(**{name: bad})
        assert words in str(caught.value).split("; ")


@pytest.mark.parametrize("name", SHARES)
def test_numbers(name: str) -> None:
    least, most = SHARES[name]
    for bad in (least - 1e-9, most + 1e-9, nan, inf, -inf, "0.5", None, False):
        with pytest.raises(ConfigurationError) as caught:
            Parameters(**{name: bad})
        words = f"{name} must be a number between {least} and {most}, not {bad!r}"
        assert words in str(caught.value).split("; ")


def test_every_number_has_its_limits_tested() -> None:
    numbers = {
        name for name, value in msgspec.structs.asdict(Parameters()).items() if type(value) in (int, float)
    }
    assert numbers == WHOLE.keys() | SHARES.keys()


def test_the_limits_themselves_are_taken() -> None:
    least = {name: limits[0] for name, limits in (WHOLE | SHARES).items()}
    most = {name: limits[1] for name, limits in (WHOLE | SHARES).items()}
    candles = columns(sample("BTCUSDT-15m")[:1500])
    for params in (
        Parameters(timeframe="15m", **(least | {"ote_to": 1})),
        Parameters(timeframe="15m", **(most | {"internal_length": 1021, "ote_from": 0, "ema_fast": 9_999})),
    ):
        assert scan(*candles, params).size


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"internal_length": 50}, "internal_length 50 must be below swing_length 50"),
        ({"swing_length": 4}, "internal_length 5 must be below swing_length 4"),
        ({"ote_from": 0.8}, "ote_from 0.8 must be below ote_to 0.79"),
        ({"ote_to": 0.62}, "ote_from 0.62 must be below ote_to 0.62"),
        ({"ema_fast": 200}, "ema_fast 200 must be below ema_slow 200"),
    ],
)
def test_pairs(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        Parameters(**changes)
    assert str(caught.value) == words


@pytest.mark.parametrize(
    "bad",
    [
        "",
        ":",
        "7",
        "7:5",
        "07:60",
        "24:00",
        "-1:00",
        "07.00",
        "07:00:00",
        "0x:10",
        "٠٧:00",
        " 7:00",
        "007:00",
    ],
)
def test_times_of_day(bad: str) -> None:
    for session in (Session("mine", bad, "05:00"), Session("mine", "05:00", bad)):
        with pytest.raises(ConfigurationError) as caught:
            Parameters(sessions=(session,))
        assert str(caught.value) == f"session 'mine': {bad!r} is not a time of day such as 07:00"


def test_sessions() -> None:
    one = Session("mine", "07:00", "08:00")
    for sessions, words in (
        ((one, one), "session 'mine' is there twice"),
        ((Session("", "07:00", "08:00"),), "a session needs a name"),
        ((Session("mine", "07:00", "07:00"),), "session 'mine' is empty: it starts and ends at 07:00"),
        ((Session("mine", "7:00", "07:00"),), "session 'mine' is empty: it starts and ends at 7:00"),
        (
            tuple(Session(f"s{n}", "07:00", "08:00") for n in range(MOST_SESSIONS + 1)),
            "there may be 16 sessions, not 17",
        ),
    ):
        with pytest.raises(ConfigurationError) as caught:
            Parameters(sessions=sessions)
        assert str(caught.value) == words


def test_as_many_sessions_as_there_may_be() -> None:
    sessions = tuple(Session(f"s{n}", f"{n:02}:30", f"{n + 2:02}:00") for n in range(MOST_SESSIONS))
    params = Parameters(timeframe="15m", sessions=sessions)
    found = scan(*columns(sample("BTCUSDT-15m")[:300]), params)
    assert set(found["scope"][found["scope"] >= 8]) == set(range(8, 24))


@pytest.mark.parametrize("zone", ["", "Nowhere/Land", "../etc/passwd", "/etc/localtime", "New York", "\0"])
def test_unknown_zone(zone: str) -> None:
    params = Parameters(session_zone=zone)
    for call in (lambda: SmcEngine(params), lambda: scan(*columns([]), params)):
        with pytest.raises(ConfigurationError, match=r"unknown time zone .*an IANA name such as"):
            call()


@pytest.mark.parametrize("timeframe", ["", "1H", "60", "7m", "1w"])
def test_unknown_timeframe(timeframe: str) -> None:
    params = Parameters(timeframe=timeframe)
    for call in (lambda: SmcEngine(params), lambda: scan(*columns([]), params)):
        with pytest.raises(ConfigurationError, match=f"unknown timeframe '{timeframe}'; known are 1m, "):
            call()


WORDS = {
    "breaks": Breaks.FOUR_SWINGS, "break_by": By.WICK, "block_candle": BlockCandle.EXTREME,
    "block_zone": BlockZone.BODY, "block_broken_by": By.WICK,
}  # fmt: skip


@pytest.mark.parametrize("name", WORDS)
def test_words(name: str) -> None:
    for bad in ("", "nonsense", 1, None):
        with pytest.raises(ConfigurationError, match=name):
            Parameters(**{name: bad})
    with pytest.raises(msgspec.ValidationError, match="Invalid enum value 'nonsense'"):
        msgspec.convert({name: "nonsense"}, Parameters)
    assert msgspec.convert({name: WORDS[name].value}, Parameters) == Parameters(**{name: WORDS[name]})


@pytest.mark.parametrize("name", WORDS)
def test_a_word_means_what_it_says_or_is_refused(name: str) -> None:
    with suppress(ConfigurationError):
        assert rules(Parameters(**{name: WORDS[name].value})) == rules(Parameters(**{name: WORDS[name]}))


@pytest.mark.parametrize(
    ("name", "bad"),
    [
        ("reference_pivots", "yes"),
        ("fvg_joined", 3),
        ("timeframe", None),
        ("timeframe", 60),
        ("session_zone", None),
        ("session_zone", 5),
        ("sessions", None),
        ("sessions", ("asia",)),
        ("sessions", (Session("x", 7, 8),)),  # type: ignore[arg-type]
        ("sessions", [Session("x", "07:00", 8)]),  # type: ignore[arg-type]
    ],
)
def test_wrong_types(name: str, bad: object) -> None:
    with pytest.raises(ConfigurationError, match=name.rstrip("s").split("_")[0]):
        SmcEngine(Parameters(**{name: bad}))


def test_all_faults_come_in_one_message_and_are_the_users() -> None:
    with pytest.raises(ConfigurationError) as caught:
        Parameters(swing_length=0, pool_atr=-1.0, sessions=(Session("mine", "x", "y"),))
    assert [word in str(caught.value) for word in ("swing_length", "pool_atr", "'mine'")] == [True] * 3
    assert caught.value.exit_code == EXIT_USAGE
    with pytest.raises(TypeError, match="swing"):
        Parameters(swing=3)  # type: ignore[call-arg]
    with pytest.raises(msgspec.ValidationError, match="swing"):
        msgspec.convert({"swing": 3}, Parameters)


def test_a_state_that_is_none_is_refused() -> None:
    for saved in (b"", b"{", b"[]", b'{"window": 3}'):
        with pytest.raises(msgspec.DecodeError):
            SmcEngine.restore(Parameters(), saved)
