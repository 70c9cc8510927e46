"""`run.py simulate-venue`: a venue on this machine, with no money and no network."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from bus_schemas.errors import ConfigurationError
from bus_schemas.timeframes import DAY, iso, length, parse_time
from execution.simulator.orders import SimBar
from market_data.files import Folder
from market_data.pace import speed_of
from market_data.reader import read_bars, read_funding

if TYPE_CHECKING:
    from execution.simulator.server import Simulator
    from execution.simulator.tape import Feed

PLAYED = 30 * DAY
"""What is played where no start is given, milliseconds from the end of the data; the rest is history."""

_ENDS = ("stop", "loop")


def simulate(
    data: Path | None,
    port: int = 0,
    pace: str = "realtime",
    faults: Path | None = None,
    json: bool = False,
    symbols: str | None = None,
    start: str | None = None,
    at_end: str = "stop",
    cash: str = "10000",
    host: str = "127.0.0.1",
) -> None:
    """Serve the simulated venue until Ctrl-C or SIGTERM.

    Args:
        data: folder of candle files; None for prices by hand through the control API.
        port: 0 takes a free one.
        pace: `realtime` or `x60`: the venue's time runs as fast.
        faults: fault plan, TOML or JSON; see `execution.simulator.faults`.
        json: the first line of standard output is one JSON object with URLs, keys, symbols, pace.
        symbols: with commas; default all in the folder.
        start: moment of the data at which the venue begins; default thirty days from the end.
        at_end: `stop` or `loop`: prices stand still at the end of the data, or begin again.
        cash: what each demo account begins with, in its settle currency.
        host: address to listen on.

    Raises:
        ConfigurationError: an option, the folder or the fault plan is wrong.
        DataError: a candle file is.
    """
    from execution.simulator.faults import read_plan
    from execution.simulator.market import beginning
    from execution.simulator.protocols import PROTOCOLS
    from execution.simulator.server import Simulator

    rate = speed_of(pace)
    if rate is None:
        raise ConfigurationError("a venue's clock cannot wait: --pace is realtime or x60, not lockstep")
    if at_end not in _ENDS:
        raise ConfigurationError(f"--at-end is {' or '.join(_ENDS)}, not {at_end!r}")
    if data is None and (symbols or start):
        raise ConfigurationError("--symbols and --from choose among candles: give --data as well")
    plan = read_plan(faults, [protocol.name for protocol in PROTOCOLS]) if faults else None
    feeds = None if data is None else feeds_of(data, symbols)
    first = 0 if feeds is None else beginning(feeds, None if start is None else parse_time(start), PLAYED)

    def make() -> Simulator:
        return Simulator(
            feeds,
            start=first,
            rate=rate,
            loop=at_end == "loop",
            plan=plan,
            cash=_money(cash),
            host=host,
            port=port,
        )

    asyncio.run(_serve(make, pace, json))


def feeds_of(data: Path, symbols: str | None = None) -> dict[str, Feed]:
    """The finest candles of each symbol of a folder, and its funding rates.

    Raises:
        ConfigurationError: the folder has none of them, or not of all the symbols.
        DataError: a row is wrong.
    """
    from execution.simulator.tape import Feed

    folder = Folder(data)
    found = {}
    for symbol, timeframe in sorted(_finest(folder, symbols).items()):
        files = folder.select(timeframe, [symbol])[symbol]
        bars = [
            SimBar(b.time, b.open, b.high, b.low, b.close, Decimal(repr(b.volume)))
            for b in read_bars(files.candles)
        ]
        if not bars:
            raise ConfigurationError(f"{files.candles.path} has no candles")
        funding = [(s.time, s.rate) for s in read_funding(files.funding)] if files.funding else []
        found[symbol] = Feed(timeframe=timeframe, bars=bars, funding=funding)
    return found


def _finest(folder: Folder, symbols: str | None) -> dict[str, str]:
    """The shortest timeframe of each wanted symbol."""
    found: dict[str, str] = {}
    for file in folder.files:
        if file.kind.value == "candles" and (
            file.symbol not in found or length(file.timeframe) < length(found[file.symbol])
        ):
            found[file.symbol] = file.timeframe
    if symbols is None:
        return found
    wanted = [name.strip() for name in symbols.split(",") if name.strip()]
    missing = [name for name in wanted if name not in found]
    if missing or not wanted:
        raise ConfigurationError(
            f"{folder.path} has no candles of {', '.join(missing) or 'no symbol'}; it has {', '.join(found)}"
        )
    return {name: found[name] for name in wanted}


def _money(text: str) -> Decimal:
    try:
        amount = Decimal(text)
    except InvalidOperation:
        amount = Decimal(0)
    if not amount.is_finite() or amount <= 0:
        raise ConfigurationError(f"--cash must be an amount above zero, not {text!r}")
    return amount


async def _serve(make: Any, pace: str, json: bool) -> None:
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    for name in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(name, ended.set)
    simulator: Simulator = make()
    async with simulator:
        greeting = simulator.greeting() | {"pace": pace}
        print(msgspec.json.encode(greeting).decode() if json else friendly(greeting), flush=True)
        await simulator.serve(ended)
    print("the venue is closed", file=sys.stderr)


def friendly(greeting: Mapping[str, Any]) -> str:
    """The greeting for people, with a command line for each protocol that can be pasted."""
    rate = greeting["clock_rate"]
    speed = "in real time" if rate == 1 else f"{rate:g} times as fast as real time"
    lines = [
        f"Simulated venue at {greeting['url']}, {speed}; its clock stands at {iso(greeting['time'])}.",
        "No money, no network: the keys below are public and open nothing but this.",
    ]
    for name, protocol in greeting["protocols"].items():
        variables = {
            "REST_URL": protocol["rest_url"],
            "API_KEY": protocol["api_key"],
            "API_SECRET": protocol["api_secret"],
            "CLOCK_RATE": f"{rate:g}",
        }
        settings = " \\\n  ".join(f"CAUSEWAY_VENUE__{key}='{value}'" for key, value in variables.items())
        lines += [
            "",
            f"{name} lists {', '.join(protocol['symbols'])}. To trade there:",
            "",
            f"  python migrate_schema.py && {settings} \\\n"
            f"  python run.py live --venue {name} --force --with-health \\\n"
            f"  --symbols {','.join(protocol['symbols'])}",
        ]
    lines += ["", f"Prices, faults and the truth: {greeting['url']}/simulator/state. Ctrl-C ends it."]
    return "\n".join(lines)
