"""A verdict as tables for a person."""

from __future__ import annotations

from collections.abc import Iterator

from rich.markup import escape
from rich.table import Table

from tests.soak.judge import Verdict

SHOWN = 12
"""Sentences of one check that are shown; the JSON has all."""


def tables(verdict: Verdict) -> Iterator[Table]:
    """What happened, what was found, why there were alarms, memory."""
    yield _happened(verdict)
    yield _checks(verdict)
    if verdict.alarms:
        yield _alarms(verdict)
    yield _memory(verdict)


def _happened(verdict: Verdict) -> Table:
    title = f"Soak on {verdict.protocol}: {verdict.minutes:g} minutes at {verdict.pace}, seed {verdict.seed}"
    shown = Table(title=title, title_justify="left", show_header=False)
    rows = {
        "said": verdict.counts,
        "faults": verdict.faults,
        "kills": verdict.kills,
        "warnings": verdict.logs,
    }
    for name, counts in rows.items():
        shown.add_row(name, ", ".join(f"{count} {what}" for what, count in counts.items()) or "none")
    return shown


def _checks(verdict: Verdict) -> Table:
    shown = Table("check", "", "seen", title_justify="left", show_lines=True)
    for check in verdict.checks:
        words = [check.seen, *check.wrong[:SHOWN]]
        if len(check.wrong) > SHOWN:
            words.append(f"and {len(check.wrong) - SHOWN} more")
        text = escape("\n".join(word for word in words if word))
        shown.add_row(check.name, "[red]WRONG[/]" if check.wrong else "good", text)
    return shown


def _alarms(verdict: Verdict) -> Table:
    shown = Table("second", "alarm", "detail", "because", title="Alarms", title_justify="left")
    for alarm in verdict.alarms:
        because = escape(alarm.because) or "[red]UNEXPLAINED[/]"
        shown.add_row(f"{alarm.at:.0f}", escape(alarm.what), escape(alarm.detail), because)
    return shown


def _memory(verdict: Verdict) -> Table:
    shown = Table("memory", "highest", "growth an hour, second half", title_justify="left")
    for growth in verdict.memory:
        slope = "too short to tell" if growth.slope is None else f"{growth.slope / 1e6:+.1f} MB"
        shown.add_row(growth.name, f"{growth.most / 1e6:.0f} MB", slope)
    return shown
