"""The commands behind `run.py`."""

from __future__ import annotations

from functools import wraps
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer
from rich.console import Console

from bus_schemas.errors import EXIT_FAILED, ConfigurationError
from bus_schemas.settings import Settings, load
from bus_schemas.settings.venue import PAPER
from cli import commands_live, control, doctor, lookahead, records, smc
from cli.env_file import env_file
from cli.options import (
    EXIT_CODES,
    Config,
    From,
    Json,
    Namespace,
    Pid,
    Redis,
    Symbols,
    Timeframes,
    To,
    filled,
    given,
    guarded,
    say_aside,
)
from cli.paper import PaperRun, run_inline
from cli.planted import Plant
from cli.progress import progress_on, table
from cli.report import Report
from market_data.feed import FileFeed

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    help="Causeway trades crypto perpetuals with Smart Money Concepts; every decision can be explained, "
    "replayed and reproduced.",
    epilog=EXIT_CODES,
)


@app.command(epilog=EXIT_CODES)
def paper(
    data: Annotated[
        Path | None,
        typer.Option(
            "--data", help="Folder of `<SYMBOL>-<timeframe>.csv.gz`, .csv or .parquet; default the sample."
        ),
    ] = None,
    symbols: Symbols = None,
    timeframes: Timeframes = None,
    start: From = None,
    trade_from: Annotated[
        str | None,
        typer.Option(
            "--trade-from",
            help="What comes before only fills the engine; default 30 days from the end.",
            callback=filled,
        ),
    ] = None,
    end: To = None,
    pace: Annotated[
        str | None,
        typer.Option(
            help="lockstep, realtime, or x60 for sixty times that; beyond some x1000 a moment of ours "
            "is minutes of the market.",
            callback=filled,
        ),
    ] = None,
    namespace: Namespace = None,
    redis: Redis = None,
    config: Config = None,
    keep: Annotated[bool, typer.Option("--keep", help="Leave data, logs and ledger behind.")] = False,
    replicas: Annotated[int, typer.Option(min=1, max=16, help="Strategy processes.")] = 1,
    in_process: Annotated[
        bool,
        typer.Option(
            "--in-process", help="All services in this process, no server: fastest, nothing survives a crash."
        ),
    ] = False,
    json: Json = False,
) -> None:
    """Paper-trade candle files: five processes over an embedded server, or over yours.

    In lockstep (the default) the same data gives the same events, byte for byte, whatever crashes.

    **Examples**

    - `run.py paper`: the bundled candles of BTC, ETH and SOL
    - `run.py paper --data ~/candles --symbols BTCUSDT --trade-from 2024-08-01 --json`
    - `run.py paper --pace x600 --redis redis://localhost:6379/0 --namespace trial`
    - `run.py paper --in-process --timeframes 15m,4h,1d`
    """

    def run() -> None:
        market = {"data": data, "start": start, "trade_from": trade_from, "end": end, "pace": pace}
        overrides = {
            "market_data": given(market | {"symbols": symbols}),
            "strategy": _timeframes(timeframes),
            "bus": given({"namespace": namespace}),
            "venue": {"name": PAPER},  # whatever the file names: no order of a paper run may leave
        }
        overrides["market_data"] |= {"source": "files", "universe_top": 0}
        settings = load(config, overrides)
        lockstep = settings.market_data.pace == "lockstep"
        settings = settings.model_copy(update={"bus": settings.bus.model_copy(update={"lockstep": lockstep})})
        if in_process:
            _alone(settings, {"--redis": redis, "--keep": keep, "--replicas": replicas > 1})
        report = _paper(settings, redis, replicas, keep, in_process, json)
        if json:
            print(msgspec.json.encode(report, enc_hook=str).decode())

    guarded(run)


def _paper(
    settings: Settings, redis: str | None, replicas: int, keep: bool, in_process: bool, json: bool
) -> Report:
    console = Console(stderr=json, soft_wrap=True)
    show = progress_on(console)
    try:
        if in_process:
            report, halts = run_inline(settings, show)
        else:
            run = PaperRun(settings, show, redis, replicas, keep)
            report, halts = run.run(), run.halts
    finally:
        show.end()
    console.print(table(report, halts))
    _keep_record(settings, report, console)
    return report


def _keep_record(settings: Settings, report: Report, console: Console) -> None:
    plan = FileFeed(settings.market_data, settings.strategy.entry_timeframe).plan()
    try:
        path = records.write(settings.gates.records, records.record_of(settings, plan, report))
    except OSError as error:
        said = f"no record was left for run.py live: {error.filename}: {error.strerror}"
    else:
        said = f"record for run.py live: {path}"
    console.print(said, style="dim", highlight=False, markup=False)


@app.command(epilog=EXIT_CODES)
def status(
    redis: Redis = None,
    namespace: Namespace = None,
    pid: Pid = None,
    config: Config = None,
    json: Json = False,
) -> None:
    """Show services, lag, equity, positions, halts and dead letters of a run.

    **Examples**

    - `run.py status`: the run that goes on on this machine
    - `run.py status --redis redis://localhost:6379/0 --namespace paper --json`
    """
    guarded(lambda: control.status(control.find(redis, namespace, pid, config), json))


@app.command(epilog=EXIT_CODES)
def kill(
    reason: Annotated[str, typer.Option(help="Why, for the record.", callback=filled)],
    flatten: Annotated[bool, typer.Option("--flatten", help="Also close positions at market.")] = False,
    redis: Redis = None,
    namespace: Namespace = None,
    pid: Pid = None,
    config: Config = None,
) -> None:
    """Latch the kill switch: no entries any more, resting entries and targets cancelled, stops left alone.

    It survives restarts and stays until `acknowledge`; then targets are placed again.

    **Examples**

    - `run.py kill --reason "exchange announces maintenance"`
    - `run.py kill --reason "leaving the market" --flatten`
    """
    guarded(lambda: control.kill(control.find(redis, namespace, pid, config), reason, flatten))


@app.command(epilog=EXIT_CODES)
def acknowledge(
    symbol: Annotated[
        str, typer.Option(help="Only this symbol's halt; default everything.", callback=filled)
    ] = "*",
    redis: Redis = None,
    namespace: Namespace = None,
    pid: Pid = None,
    config: Config = None,
) -> None:
    """Say that a person has looked: releases the kill switch and every halt that waits for that.

    **Examples**

    - `run.py acknowledge`
    - `run.py acknowledge --symbol SOLUSDT`
    """
    guarded(lambda: control.acknowledge(control.find(redis, namespace, pid, config), symbol))


@app.command("doctor", epilog=EXIT_CODES)
def doctor_(
    redis: Redis = None, namespace: Namespace = None, config: Config = None, json: Json = False
) -> None:
    """Check the server, the clock and the configuration; say what is wrong and how to mend it.

    Leaves with 1 when something must be mended. Without `--redis` it checks an embedded server. Where the
    configuration names a live venue, it is asked what `run.py live` would ask: key, rights, clock, records.

    **Examples**

    - `run.py doctor`
    - `run.py doctor --redis redis://localhost:6379/0 --config causeway.toml`
    """

    def run() -> None:
        with env_file(say_aside):
            fit = doctor.examine(redis, namespace, config, json)
        if not fit:
            raise typer.Exit(EXIT_FAILED)

    guarded(run)


@app.command("lookahead", epilog=EXIT_CODES)
def lookahead_(
    data: Annotated[
        Path | None,
        typer.Option("--data", help="Folder of candle files, as for `paper`; default the sample."),
    ] = None,
    symbols: Symbols = None,
    timeframes: Timeframes = None,
    start: From = None,
    end: To = None,
    cuts: Annotated[
        int,
        typer.Option(
            min=1,
            max=100_000,
            help="Places where the future is exchanged, spread evenly; as many again lie after signals.",
        ),
    ] = lookahead.CUTS,
    plant: Annotated[
        Plant | None, typer.Option(help="Plant this fault, to see that the check fails as it should.")
    ] = None,
    config: Config = None,
    json: Json = False,
) -> None:
    """Show that no assessment depends on what came after it, over the whole and over truncated data.

    The strategy runs over all candles, then again and again with another future after some moment: none,
    the true one, a mirrored one. Whatever it says of the time before must be the same to the byte. Leaves
    with 1 if anything differs, and if there was nothing to compare.

    **Examples**

    - `run.py lookahead`: the bundled candles
    - `run.py lookahead --data ~/candles --symbols BTCUSDT --cuts 1000 --json`
    - `run.py lookahead --plant forming-candle`: like testing a smoke alarm
    """

    def run() -> None:
        market = given({"data": data, "symbols": symbols, "start": start, "end": end})
        settings = load(config, {"market_data": market, "strategy": _timeframes(timeframes)})
        if not lookahead.examine(settings, cuts, plant, json):
            raise typer.Exit(EXIT_FAILED)

    guarded(run)


@app.command("smc", epilog=EXIT_CODES)
@wraps(smc.command)
def smc_(**options: Any) -> None:  # noqa: D103 - the docstring of the command is taken over
    guarded(lambda: smc.command(**options))


commands_live.add(app)


def _timeframes(text: str | None) -> dict[str, str]:
    if text is None:
        return {}
    names = [name.strip() for name in text.split(",")]
    if len(names) != 3:
        raise ConfigurationError(f"--timeframes takes ENTRY,DECISION,BIAS such as 15m,1h,4h, not {text!r}")
    return dict(zip(("entry_timeframe", "decision_timeframe", "bias_timeframe"), names, strict=True))


def _alone(settings: Settings, others: dict[str, Any]) -> None:
    given = [name for name, value in others.items() if value]
    if given:
        raise ConfigurationError(f"--in-process has no server and no processes; leave {', '.join(given)} out")
    if settings.market_data.pace != "lockstep":
        raise ConfigurationError(f"--in-process runs in lockstep, not at pace {settings.market_data.pace}")
