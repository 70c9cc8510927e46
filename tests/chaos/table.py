"""The outcome of a disturbed run, as a table for a person."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

from rich.table import Table

from cli.report import Report
from tests.chaos.agent import Hit
from tests.chaos.runs import Outcome
from tests.chaos.schedule import Kind

_WORDS = {
    Kind.KILL: "services killed (SIGKILL)",
    Kind.FREEZE: "services frozen past their lease",
    Kind.SERVER: "server killed (SIGKILL)",
    Kind.CUT: "server killed and its log cut",
}


def outcome_table(outcome: Outcome, seed: int, processes: Report | None) -> Table:
    """Rows of names and figures."""
    shown = Table(title=f"Chaos: {len(outcome.hits)} disturbances, seed {seed}", show_header=False)
    shown.title_justify = "left"
    shown.add_column(style="bold")
    shown.add_column()
    for row in (*_done(outcome), *_effects(outcome), *_verdict(outcome, processes)):
        shown.add_row(*row)
    return shown


def _done(outcome: Outcome) -> Iterable[tuple[str, str]]:
    yield "candles", f"{outcome.total:,}"
    for kind, words in _WORDS.items():
        hits = [hit for hit in outcome.hits if hit.what.kind is kind]
        by = Counter(hit.what.victim for hit in hits)
        detail = "" if kind in (Kind.SERVER, Kind.CUT) else f"  ({_counts(by)})"
        if kind is Kind.CUT and hits:
            cuts = [hit.cut for hit in hits]
            detail = f"  ({min(cuts)} to {max(cuts):,} bytes)"
        yield words, f"{len(hits)}{detail}"
    yield "while the feed was under way", f"{outcome.in_the_middle} of {len(outcome.hits) + outcome.left}"


def _effects(outcome: Outcome) -> Iterable[tuple[str, str]]:
    yield "takeovers by another replica", _total(outcome.takeovers)
    yield "reloads", _total(outcome.reloads)
    yield "fenced", _total(outcome.fenced)
    for kind, words in (
        (Kind.KILL, "kill to next commit of its units"),
        (Kind.FREEZE, "freeze to next commit of its units"),
        (Kind.SERVER, "server kill to next commit"),
        (Kind.CUT, "server kill and cut to next commit"),
    ):
        yield words, _recovery([hit for hit in outcome.hits if hit.what.kind is kind])
    slow = sorted((hit for hit in outcome.hits if hit.recovery_s), key=lambda hit: -(hit.recovery_s or 0))[:5]
    yield "slowest", "\n".join(_told(hit) for hit in slow) or "–"


def _told(hit: Hit) -> str:
    meanwhile = "" if hit.alone else ", another fault meanwhile"
    return f"{hit.recovery_s:.2f} s: {hit.what.kind} {hit.what.victim} at candle {hit.candles:,}{meanwhile}"


def _recovery(hits: list[Hit]) -> str:
    single = sorted(hit.recovery_s for hit in hits if hit.recovery_s is not None and hit.alone)
    every = [hit.recovery_s for hit in hits if hit.recovery_s is not None]
    if not every:
        return "–"
    told = f"median {single[len(single) // 2]:.2f} s, longest {single[-1]:.2f} s; " if single else ""
    return f"{told}longest with another fault meanwhile {max(every):.2f} s"


def _verdict(outcome: Outcome, processes: Report | None) -> Iterable[tuple[str, str]]:
    report, calm = outcome.report, outcome.undisturbed
    yield (
        "signals, orders, fills, trades",
        f"{report.signals}, {report.orders}, {report.fills}, {report.trades}",
    )
    yield "digest in memory", calm.digest
    if processes:
        yield "digest over processes", processes.digest
    yield "digest of this run", report.digest
    yield "digest equal", _yes(report.digest == calm.digest)
    yield "duplicates", str(report.duplicates)
    yield "events missing or changed", str(outcome.difference.missing)
    yield "events too many", str(outcome.difference.surplus)
    yield "streams, journals, states, ledger", "equal" if not outcome.difference.faults else "DIFFERENT"
    calmly = f", over processes {processes.elapsed_s:.0f} s" if processes else ""
    yield "elapsed", f"{report.elapsed_s:.0f} s (undisturbed: in memory {calm.elapsed_s:.0f} s{calmly})"


def _yes(truth: bool) -> str:
    return "yes" if truth else "NO"


def _total(by: Mapping[str, int]) -> str:
    return f"{sum(by.values())}  ({_counts(by)})" if any(by.values()) else "0"


def _counts(by: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {by[name]}" for name in sorted(by) if by[name])
