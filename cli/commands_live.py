"""The commands that have to do with a real venue, or with one that stands in for it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer
from rich.console import Console

from bus_schemas.errors import ConfigurationError
from bus_schemas.settings import load
from bus_schemas.timeframes import parse_time
from cli.env_file import env_file
from cli.options import (
    DOWNLOAD_EXIT_CODES,
    EXPERIMENT_EXIT_CODES,
    LIVE_EXIT_CODES,
    SIMULATE_EXIT_CODES,
    Config,
    Json,
    Namespace,
    Redis,
    filled,
    given,
    guarded,
    say_aside,
)

Venue = Annotated[
    str | None,
    typer.Option(
        "--venue",
        help="krakenfutures, binanceusdm, or another id of ccxt; default the setting venue.name.",
        callback=filled,
    ),
]
VenueSymbols = Annotated[
    str | None,
    typer.Option(
        "--symbols",
        help="Comma-separated perpetuals, such as BTCUSDT, or BTCUSD at krakenfutures; default the setting "
        "market_data.symbols or universe_top, else Bitcoin, Ether and Solana.",
        callback=filled,
    ),
]
Sandbox = Annotated[
    bool,
    typer.Option(
        "--sandbox",
        help="The venue's own test network: Binance's demo trading. Kraken Futures has none any more: see "
        "simulate-venue.",
    ),
]


def add(app: typer.Typer) -> None:
    """Give the application these commands."""
    app.command(epilog=LIVE_EXIT_CODES)(live)
    app.command("simulate-venue", epilog=SIMULATE_EXIT_CODES)(simulate_venue)
    app.command(epilog=DOWNLOAD_EXIT_CODES)(download)
    app.command(epilog=EXPERIMENT_EXIT_CODES)(experiment)


def live(
    venue: Venue = None,
    sandbox: Sandbox = False,
    force: Annotated[
        bool, typer.Option("--force", help="Accept the paper record as it is. Opens no other gate.")
    ] = False,
    with_health: Annotated[
        bool,
        typer.Option(
            "--with-health",
            help="Also serve /, /health and /api/metrics: to everybody on $PORT where a platform sets it, "
            "else to this machine on 8080.",
        ),
    ] = False,
    symbols: VenueSymbols = None,
    config: Config = None,
    redis: Redis = None,
    namespace: Namespace = None,
) -> None:
    """Trade a real venue: all services, restarted when they die, until SIGTERM or Ctrl-C.

    Before anything starts, gates are asked: keys, their rights, consent, paper record, clock, the server's
    durability, the ledger's schema, no other worker on the account. All that are closed are told at once.
    Consent is `ENVIRONMENT=prod` with `CONFIRM_LIVE=YES`, or the venue's name typed at the terminal; a
    sandbox, or a simulated venue on this machine, needs none. `--force` opens the gate of the paper record
    alone. At its end orders and stops stay at the venue.

    Keys come from `CAUSEWAY_VENUE__API_KEY` and `CAUSEWAY_VENUE__API_SECRET`. The bus is `--redis`, the
    setting bus.url or `$REDIS_URL`, else an embedded server whose data stay in var/bus. The ledger is
    `$DATABASE_URL`, else var/causeway.db. Outside of `ENVIRONMENT=prod` settings are also read from .env.

    **Examples**

    - `python migrate_schema.py && python run.py live --force --with-health`: the line for a platform
    - `run.py live --venue binanceusdm --sandbox`
    - For practice, `run.py simulate-venue` prints the whole line, with keys, that trades there
    """

    def run() -> None:
        from cli.live import run_live  # loads the ledger and the adapters
        from cli.live_settings import live_settings

        with env_file(say_aside):
            options = {
                "venue": given({"name": venue, "sandbox": sandbox or None}),
                "bus": given({"url": redis, "namespace": namespace}),
                "market_data": given({"source": "venue", "symbols": symbols}),
            }
            settings = live_settings(config, options, with_health, os.environ)
            run_live(settings, force, with_health)

    guarded(run)


def simulate_venue(
    data: Annotated[
        Path | None,
        typer.Option(
            "--data",
            help="Folder of candle files, as for `paper`; default none: prices and funding are set by "
            "hand, with POST /simulator/price and /simulator/funding.",
        ),
    ] = None,
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 takes a free one.")] = 8900,
    pace: Annotated[
        str,
        typer.Option(help="realtime, or x60: the venue's time runs sixty times as fast.", callback=filled),
    ] = "realtime",
    faults: Annotated[
        Path | None,
        typer.Option(
            "--faults",
            help="Fault plan, TOML or JSON; execution/simulator/faults.py tells how one is written.",
            exists=True,
            dir_okay=False,
        ),
    ] = None,
    symbols: Annotated[
        str | None,
        typer.Option(help="Comma-separated; default all that --data has.", callback=filled),
    ] = None,
    start: Annotated[
        str | None,
        typer.Option(
            "--from",
            help="When in the data the venue's clock begins; default 30 days from the end.",
            callback=filled,
        ),
    ] = None,
    at_end: Annotated[
        str, typer.Option("--at-end", help="stop or loop: what prices do at the end of the data.")
    ] = "stop",
    cash: Annotated[
        str, typer.Option(help="What each demo account begins with, in USD or USDT.", callback=filled)
    ] = "10000",
    host: Annotated[
        str,
        typer.Option(
            help="Address to listen on; 0.0.0.0 for every one, and whoever reaches it may do anything there.",
            callback=filled,
        ),
    ] = "127.0.0.1",
    json: Json = False,
) -> None:
    """Serve a venue on this machine that speaks Kraken Futures' and Binance USDⓈ-M's protocols.

    For practice and drills: no money, no network. It checks signatures and the venues' rules, matches orders
    against candle files, and does what a fault plan says. With `--json` the first line of standard output
    gives each protocol's URLs and demo keys.

    **Examples**

    - `run.py simulate-venue --data market_data/sample --json`
    - `run.py simulate-venue --data ~/candles --pace x60 --faults drill.toml`
    """

    def run() -> None:
        from cli.simulate import simulate

        simulate(data, port, pace, faults, json, symbols, start, at_end, cash, host)

    guarded(run)


def download(
    symbols: Annotated[
        str,
        typer.Option(
            help="Comma-separated perpetuals, such as BTCUSDT,ETHUSDT, or BTCUSD at krakenfutures.",
            callback=filled,
        ),
    ],
    since: Annotated[
        str,
        typer.Option(
            "--since",
            help="First candle: ISO time, UTC where it names no zone, or milliseconds.",
            callback=filled,
        ),
    ],
    venue: Venue = None,
    timeframes: Annotated[
        str,
        typer.Option(
            help="Comma-separated; the entry timeframe is enough: paper makes longer candles of it.",
            callback=filled,
        ),
    ] = "15m",
    until: Annotated[
        str | None,
        typer.Option("--until", help="Last candle's close, likewise; default now.", callback=filled),
    ] = None,
    folder: Annotated[Path, typer.Option("--data", help="Folder for the files.")] = Path("var/candles"),
    mark: Annotated[bool, typer.Option("--mark", help="Also hourly candles of the mark price.")] = False,
    funding: Annotated[bool, typer.Option("--funding", help="Also the funding that was settled.")] = False,
    config: Config = None,
    json: Json = False,
) -> None:
    """Fetch candles of a venue into the files that paper, smc and lookahead read.

    Needs no key. Interrupt it at any time: the next run goes on where it was. What the venue lacks stays
    missing and is told.

    **Examples**

    - `run.py download --venue binanceusdm --symbols BTCUSDT,ETHUSDT --since 2024-01-01`
    - `run.py download --venue krakenfutures --symbols BTCUSD --since 2024-06-01 --mark --funding`
    """

    def run() -> None:
        from cli.download import download as fetch
        from cli.download import told

        console = Console(stderr=True, soft_wrap=True)
        with env_file(say_aside):
            settings = load(config, {"venue": given({"name": venue})})
            found = fetch(
                settings.venue,
                _listed(symbols),
                _listed(timeframes),
                parse_time(since),
                None if until is None else parse_time(until),
                folder,
                candles_from=settings.market_data.candles_from,
                spot=settings.market_data.spot,
                mark=mark,
                funding=funding,
                console=console,
            )
        if json:
            print(msgspec.json.encode(found).decode())
        else:
            for sentence in told(found):
                print(sentence)

    guarded(run)


def experiment(
    venue: Venue = None,
    sandbox: Sandbox = False,
    symbols: VenueSymbols = None,
    hours: Annotated[
        float | None,
        typer.Option(min=0.0, help="End after so many hours of the venue's time; default at Ctrl-C."),
    ] = None,
    config: Config = None,
    json: Json = False,
) -> None:
    """Try a configuration on a venue's candles as they come: trades on paper, no orders leave.

    Needs no key and no server. The venue is asked for history first, which warms the strategy up, then for
    each candle as it closes; fills are made up here. It all runs in one process and is forgotten at its end.
    For trials on a desk: it exits with 1 where `ENVIRONMENT=prod`.

    **Examples**

    - `run.py experiment --venue binanceusdm --symbols BTCUSDT`
    - `run.py experiment --venue krakenfutures --symbols BTCUSD,ETHUSD --hours 8 --config my.toml`
    """

    def run() -> None:
        from cli.experiment import run_experiment

        with env_file(say_aside):
            market = {"source": "venue", "symbols": symbols}
            options: dict[str, dict[str, Any]] = {
                "venue": given({"name": venue, "sandbox": sandbox or None}),
                "market_data": given(market),
            }
            run_experiment(lambda: load(config, options), hours, json)

    guarded(run)


def _listed(text: str) -> list[str]:
    names = [name.strip() for name in text.split(",") if name.strip()]
    if not names:
        raise ConfigurationError(f"{text!r} names nothing")
    return names
