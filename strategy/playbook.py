"""The playbook: what must be the case, in which order, for a decision candle to give a signal.

    data → warmup → bias → sweep → shift → displacement → volume → kill_zone            of the market
    → zone → repeat → entry → discount → ote → inducement → stop → targets → score      of each zone

Each of bias, sweep, shift, displacement, volume, kill_zone, zone, discount, ote and inducement is required,
scored or off. A required step that is not fulfilled ends the assessment with its reason; a scored one only
earns no points. Every step that is not off leaves evidence.

Pure: looks at two timeframes through `View` and at the candle, changes nothing.
"""

from __future__ import annotations

from strategy import context, entries
from strategy.case import Case
from strategy.plan import Plan
from strategy.trace import Trace, Verdict


def assess(case: Case) -> Verdict:
    """Judge a decision candle. Exactly one of plan and reason is set in what is returned.

    Of several zones that would do the one with the highest score is taken, the nearest of equals. If none
    would, the one that came farthest is told.
    """
    trace = Trace(case.time)
    setup = context.judge(case, trace)
    if setup is None:
        return trace.verdict()
    areas = entries.find(case, setup, trace)
    chosen: Plan | None = None
    told, depth = trace, 0
    for area in areas:
        attempt = trace.fork() if len(areas) > 1 else trace
        plan = entries.plan(case, setup, area, areas, attempt)
        if plan is None:
            if chosen is None and attempt.depth > depth:
                told, depth = attempt, attempt.depth
        elif chosen is None or plan.score > chosen.score:
            chosen, told = plan, attempt
    return told.verdict(chosen)
