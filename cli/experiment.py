"""`run.py experiment`: a configuration on a venue's candles as they come, in this one process.

The deciders are those of every run, the bus is this process's memory, execution is the paper venue: nothing
that could send an order is even imported. Nothing survives the end.
"""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import Callable

import msgspec
from rich.console import Console

from bus_schemas.errors import CausewayError, ConfigurationError
from bus_schemas.events import Candle
from bus_schemas.settings import Settings, VenueSettings
from bus_schemas.timeframes import HOUR, iso
from bus_schemas.venues.consent import production
from cli.candle_poll import CandlePoll
from cli.inline import Inline
from cli.progress import LINE_EVERY_S, figures, table
from cli.report import Follower, Report, digest, holding
from cli.story_reader import StoryReader
from cli.terms import over_theirs


class NotInProduction(CausewayError):
    """An experiment was started where `ENVIRONMENT=prod`. A person starts `run.py live` instead."""


class Experiment:
    """One trial.

    Args:
        settings: of everything; the venue is only asked for candles.
        console: where progress goes.
    """

    def __init__(self, settings: Settings, console: Console) -> None:
        self._settings = settings
        self._console = console
        self._poll = CandlePoll(settings, self._say)
        self._began = time.monotonic()
        self._line = 0.0
        self.run: Inline | None = None
        self._follower: Follower | None = None

    async def work(self, hours: float | None) -> None:
        """Poll and decide until the task is cancelled, or for so many hours of the venue's time."""
        poll = self._poll
        try:
            await poll.open()
            end = None if hours is None else poll.now() + hours * HOUR
            self.run = Inline(on_paper(self._settings, poll))
            self._follower = Follower(self.run.bus)
            self._say(f"{', '.join(poll.symbols)}: history first, then candles as they close; Ctrl-C ends it")
            async with asyncio.timeout(self._seconds(end)):
                await self._steps(self.run)
        except TimeoutError:
            return
        finally:
            await poll.close()

    def _seconds(self, end: float | None) -> float | None:
        rate = self._settings.venue.clock_rate
        return None if end is None else max(0.0, (end - self._poll.now()) / 1000 / rate)

    async def _steps(self, run: Inline) -> None:
        hydrating, story = True, StoryReader(run.bus, self._say)
        story.look()
        async for step in self._poll.steps():
            run.publish(step.symbol, step.outputs)
            if hydrating and not step.hydration:
                hydrating = False
                self._say(f"history is in, trading on paper from {iso(step.time)}")
            story.look()
            self._show(step.time, "history" if step.hydration else "on paper")
            await asyncio.sleep(0)  # so that a signal is heard during a long history

    def _show(self, moment: int, what: str) -> None:
        now = time.monotonic()
        if self._follower is None or (now - self._line < LINE_EVERY_S and self._line):
            return
        self._line = now
        tally = self._follower.catch_up()
        self._say(f"{iso(moment)} {what} · {tally.counts[Candle]:,} candles · {figures(tally)}")

    def report(self) -> Report | None:
        """What it did; None where it did not come so far."""
        if self.run is None or self._follower is None:
            return None
        elapsed = time.monotonic() - self._began
        return self._follower.catch_up().report(elapsed, digest(self.run.bus))

    def _say(self, sentence: str) -> None:
        self._console.print(sentence, highlight=False, markup=False, emoji=False, soft_wrap=True)


def on_paper(settings: Settings, poll: CandlePoll) -> Settings:
    """The settings of the deciders: the paper venue, with the contract terms that the venue tells.

    Terms of the configuration win.
    """
    return over_theirs(settings, poll.instruments).model_copy(update={"venue": VenueSettings()})


def run_experiment(load: Callable[[], Settings], hours: float | None, json: bool) -> None:
    """Run it until Ctrl-C, or for so many hours of the venue's time; print its report.

    Raises:
        NotInProduction: `ENVIRONMENT=prod`.
        ConfigurationError: no venue is named, or it has not what is asked for.
    """
    if production(os.environ):
        raise NotInProduction(
            "experiment is for trials on a desk and this is ENVIRONMENT=prod; run.py live trades"
        )
    settings = load()
    if not (settings.venue.live or settings.market_data.venue):
        raise ConfigurationError("name the venue whose candles are polled: --venue binanceusdm")
    console = Console(stderr=json, soft_wrap=True)
    trial = Experiment(settings, console)
    asyncio.run(_until_told(trial, hours))
    report = trial.report()
    if report is None or trial.run is None:
        return
    console.print(table(report, holding(trial.run.bus)))
    if json:
        print(msgspec.json.encode(report, enc_hook=str).decode())


async def _until_told(trial: Experiment, hours: float | None) -> None:
    work = asyncio.create_task(trial.work(hours))
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, work.cancel)
    await asyncio.wait([work])
    if not work.cancelled():
        await work  # raises what ended it
