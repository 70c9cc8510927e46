"""A paced run trades what lockstep trades, at any pace and with a service that freezes."""

from __future__ import annotations

import os
import signal
import time

from rich.console import Console

from bus_schemas.settings import load
from cli.inline import InlineRun
from cli.paper import PaperRun
from cli.progress import PlainProgress
from cli.report import Follower, digest

MARKET = {"start": "2024-08-20", "trade_from": "2024-09-20"}
FREEZE_S = 0.4
EVERY_S = 1.5


class FrozenNowAndThen(PaperRun):
    """A run whose execution stops for a while again and again, within its lease."""

    _last = 0.0
    freezes = 0

    def _revive(self) -> None:
        super()._revive()
        now = time.monotonic()
        slots = self.supervisor.slots if self.supervisor else []
        process = next((slot.process for slot in slots if slot.service == "execution"), None)
        if process is None or now - self._last < EVERY_S or process.poll() is not None:
            return
        os.kill(process.pid, signal.SIGSTOP)
        time.sleep(FREEZE_S)
        os.kill(process.pid, signal.SIGCONT)
        self._last = time.monotonic()
        self.freezes += 1


def test_a_very_fast_pace_with_a_freezing_execution() -> None:
    inline = InlineRun(load(None, {"market_data": MARKET}))
    inline.run()
    expected = Follower(inline.bus).catch_up().report(0, digest(inline.bus))

    settings = load(None, {"market_data": MARKET | {"pace": "x90000"}})
    show = PlainProgress(Console(quiet=True))
    run = FrozenNowAndThen(settings, show, services=("market_data", "strategy", "risk", "execution"))
    report = run.run()

    assert run.freezes > 1
    assert report.trades > 2
    same = ("signals", "orders", "refusals", "fills", "trades", "equity_end", "fees", "funding")
    assert {name: getattr(report, name) for name in same} == {n: getattr(expected, n) for n in same}
