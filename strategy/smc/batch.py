"""Whole histories at once: the same events as streaming, in the same order, as one array."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

try:
    import numba  # noqa: F401
    import numpy as np
except ModuleNotFoundError as missing:
    raise ModuleNotFoundError(
        f"{missing.name} is missing: this needs the extra, pip install 'causeway[batch]'", name=missing.name
    ) from None
from numpy.typing import ArrayLike, NDArray

from strategy.smc.candle import LATEST, MOST, BadCandle, Candle, fault
from strategy.smc.compiled import EVENT, OUT, ROWS, kernel, room
from strategy.smc.engine import belonging, started
from strategy.smc.events import StructureEvent
from strategy.smc.kinds import KINDS, scopes
from strategy.smc.params import Parameters
from strategy.smc.records import from_record, rules_record, to_record
from strategy.smc.rules import Rules, names, rules
from strategy.smc.state import State

Floats = NDArray[np.float64]


def scan(
    open: ArrayLike,
    high: ArrayLike,
    low: ArrayLike,
    close: ArrayLike,
    volume: ArrayLike,
    time: ArrayLike,
    params: Parameters | None = None,
) -> NDArray[Any]:
    """Every event of a history.

    Args:
        open, high, low, close, volume: of closed candles, oldest first; one dimension, equal lengths.
        time: their open times, milliseconds UTC or datetime64.
        params: the defaults if not given.

    Returns:
        One record of `strategy.smc.compiled.EVENT` for each event.

    Raises:
        BadCandle: the columns differ in length, or a candle is one that streaming refuses; it names the
            first.
        ConfigurationError: unknown timeframe or time zone.
    """
    limits, columns, times = _checked(-1, open, high, low, close, volume, time, params)
    return _found(to_record(started(limits)), limits, columns, times)


def scan_on(
    state: State | None,
    open: ArrayLike,
    high: ArrayLike,
    low: ArrayLike,
    close: ArrayLike,
    volume: ArrayLike,
    time: ArrayLike,
    params: Parameters | None = None,
) -> tuple[NDArray[Any], State]:
    """As `scan`, but from a state on, and with the state after it: streaming and batch hand over to each
    other.

    The state that is given is left as it is.
    """
    last = -1 if state is None else state.window.time
    limits, columns, times = _checked(last, open, high, low, close, volume, time, params)
    record = to_record(started(limits) if state is None else belonging(state, limits))
    found = _found(record, limits, columns, times)
    return found, from_record(record, limits)


def _checked(
    last: int,
    open: ArrayLike,
    high: ArrayLike,
    low: ArrayLike,
    close: ArrayLike,
    volume: ArrayLike,
    time: ArrayLike,
    params: Parameters | None,
) -> tuple[Rules, list[Floats], NDArray[np.int64]]:
    limits = rules(Parameters() if params is None else params)
    columns = [_column(column) for column in (open, high, low, close, volume)]
    times = _milliseconds(time)
    if any(column.shape != times.shape or column.ndim != 1 for column in columns):
        shapes = ", ".join(str(column.shape) for column in [*columns, times])
        raise BadCandle(f"the columns must have one dimension and equal lengths, not {shapes}")
    _check(columns, times, limits.length, last)
    return limits, columns, times


def _found(state: Any, limits: Rules, columns: list[Floats], times: NDArray[np.int64]) -> NDArray[Any]:
    """Run the kernel until all is taken. Events are moved as bytes, which NumPy does many times faster."""
    out, spare = np.zeros(1, OUT), room(limits)
    arguments = [array.view(np.uint8) for array in (state, rules_record(limits), out)]
    rows, width = out["rows"][0].view(np.uint8), EVENT.itemsize
    found, filled, done = np.empty((3 * times.size + ROWS) * width, np.uint8), 0, 0
    while True:
        done = kernel(*arguments, times, *columns, done, spare)
        size = int(out["count"][0]) * width
        if filled + size > found.size:
            found = np.concatenate([found[:filled], np.empty(found.size, np.uint8)])
        found[filled : filled + size] = rows[:size]
        filled += size
        if done >= times.size:
            return found[:filled].view(EVENT)


def _column(values: ArrayLike) -> Floats:
    """Plain and writable: numba compiles anew for memory that is not."""
    if isinstance(values, np.ma.MaskedArray):
        raise BadCandle("a masked array may lack values; fill or leave out what is masked")
    return np.require(values, np.float64, ["C", "W"])


def _milliseconds(time: ArrayLike) -> NDArray[np.int64]:
    times = np.asarray(time)
    if not times.size:
        return np.zeros(times.shape, np.int64)
    if times.dtype.kind == "M":
        whole = times.astype("datetime64[ms]")
        if ((whole != times) & ~np.isnat(times)).any():
            raise BadCandle("time has parts of a millisecond")
        times = whole.astype(np.int64)
    elif times.dtype.kind not in "iu":
        hint = "; leave out the time zone" if times.dtype.kind == "O" else ""
        raise BadCandle(f"time must be whole milliseconds UTC or datetime64, not {times.dtype}{hint}")
    return np.require(times, np.int64, ["C", "W"])


def _check(columns: list[Floats], times: NDArray[np.int64], length: int, last: int) -> None:
    """Find what streaming would refuse; the comparisons are written so that NaN fails them.

    Raises:
        BadCandle: naming the first.
    """
    first, high, low, close, volume = columns
    sound = (low <= first) & (first <= high) & (low <= close) & (close <= high)
    sound &= (volume >= 0.0) & (volume <= MOST) & (low >= -MOST) & (high <= MOST)
    sound &= (times % length == 0) & (times >= 0) & (times <= LATEST)
    if times.size:
        sound[0] &= times[0] > last
        sound[1:] &= times[1:] > times[:-1]
    if sound.all():
        return
    bad = int(np.argmin(sound))
    candle = Candle(int(times[bad]), *(float(column[bad]) for column in columns))
    before = int(times[bad - 1]) if bad else last
    raise BadCandle(f"row {bad}: {fault(candle, length, before)}")


def structure_events(found: NDArray[Any], params: Parameters | None = None) -> Iterator[StructureEvent]:
    """The events of an array as streaming would have returned them.

    Args:
        params: those of the scan: they have the sessions' names.
    """
    words = scopes(names(Parameters() if params is None else params))
    stands = found["on"].tolist()
    plain = found[[name for name in EVENT.names or () if name != "on"]].tolist()
    for (name, kind, scope, direction, at, known_at, level, top, bottom, value), on in zip(
        plain, stands, strict=True
    ):
        yield StructureEvent(
            name, KINDS[kind], words[scope], direction, at, known_at, level, top, bottom, value,
            tuple(one for one in on if one),
        )  # fmt: skip
