"""The matrix for a person: commands down, faults across, one table for each protocol."""

from __future__ import annotations

from collections.abc import Iterator

from rich.table import Table

from tests.chaos_live.cases import Result
from tests.chaos_live.matrix import Outcome
from tests.chaos_live.words import row


def tables(outcome: Outcome) -> Iterator[Table]:
    """One for each protocol.

    A cell counts deaths after which nothing was wrong; `+n` moments did not come by again in any try.
    """
    results = [*outcome.calm, *outcome.cases]
    for protocol in dict.fromkeys(result.case.protocol for result in results):
        of = [result for result in results if result.case.protocol == protocol]
        yield _table(protocol, of)


def _table(protocol: str, results: list[Result]) -> Table:
    faults = list(dict.fromkeys(result.case.fault for result in results))
    shown = Table(title=f"{protocol}: deaths survived at the moments of each command, by fault")
    shown.title_justify = "left"
    shown.add_column("command", no_wrap=True)
    for fault in faults:
        shown.add_column(fault.replace("_", " "), justify="right")
    cells: dict[tuple[str, str], list[Result]] = {}
    for result in results:
        name = row(result.case.label) if result.case.label else "(nobody dies)"
        cells.setdefault((name, result.case.fault), []).append(result)
    for name in dict.fromkeys(name for name, _ in cells):
        shown.add_row(name, *(_cell(cells.get((name, fault), [])) for fault in faults))
    return shown


def _cell(results: list[Result]) -> str:
    if not results:
        return "[dim]·[/dim]"
    wrong = sum(bool(result.faults) for result in results)
    if wrong:
        return f"[bold red]{wrong} of {len(results)} WRONG[/bold red]"
    if results[0].case.label is None:
        return f"[green]{len(results)}[/green]"
    missed = sum(not result.killed for result in results)
    return f"[green]{len(results) - missed}[/green]" + (f"[dim]+{missed}[/dim]" if missed else "")


def summary(outcome: Outcome) -> Iterator[str]:
    """Figures, and how to run what went wrong alone."""
    every = [*outcome.calm, *outcome.cases]
    slowest = max((result.bare_s for result in every), default=0.0)
    yield (
        f"{len(outcome.cases):,} cases, {outcome.killed:,} deaths under way, {len(outcome.calm)} stories "
        f"without one, {outcome.seconds:.0f} s with {outcome.jobs} at a time"
    )
    yield f"longest time that a position was not covered by a stop: {slowest:.2f} s"
    for result in outcome.wrong:
        yield f"WRONG {result.case.command}"
        yield from (f"    {fault}" for fault in result.faults)
        yield f"    see {result.folder}"
    yield "everything held" if not outcome.wrong else f"{len(outcome.wrong)} CASES WENT WRONG"
