"""A chart of structure as one page that needs no network."""

from __future__ import annotations

import os
from collections.abc import Set
from html import escape
from pathlib import Path
from typing import Any

import msgspec

from bus_schemas.errors import ConfigurationError
from cli import smc_marks, smc_zones
from cli.smc_candles import shown
from cli.smc_page import PAGE
from cli.smc_view import DOWN, UP, Layer, Trace, View

LOOKED_AT = 300
"""Bars at the right of a chart that are in view when it opens."""


def plotly_source() -> str:
    """Plotly's JavaScript.

    Raises:
        ConfigurationError: plotly is not installed.
    """
    try:
        from plotly.offline import get_plotlyjs
    except ImportError:
        raise ConfigurationError(
            "--chart needs plotly; install it with: pip install 'causeway[chart]'"
        ) from None
    return str(get_plotlyjs())


def layers(view: View) -> list[Layer]:
    """Every layer, in the order in which they are painted."""
    return [
        *smc_zones.zones(view),
        *smc_zones.levels(view),
        smc_marks.candles(view),
        *(layer for scope in ("swing", "internal") for layer in _structure(view, scope)),
        smc_marks.sweeps(view),
        smc_marks.holes(view),
    ]


def _structure(view: View, scope: str) -> list[Layer]:
    return [
        smc_marks.breaks(view, scope, "bos", "BOS"),
        smc_marks.breaks(view, scope, "choch", "CHoCH"),
        smc_marks.shifts(view, scope),
        smc_marks.pivots(view, scope),
    ]


def figure(view: View, only: Set[str]) -> dict[str, Any]:
    """Plotly's figure, less the colours that depend on light and dark.

    Args:
        only: kinds of events to draw; layers that show none of them are left out. Empty means all.
    """
    traces: list[Trace] = []
    for kinds, found in layers(view):
        if not only or not kinds or kinds & only:
            traces += found
    first = view.candles[-LOOKED_AT:][0].time
    return {
        "data": traces,
        "layout": {
            "xaxis": {"type": "date", "range": [first, view.edge], "rangeslider": {"visible": False}},
            "yaxis": {"side": "right", "tickformat": ",", "fixedrange": False},
            "hovermode": "closest",
            "hoverdistance": 24,
            "dragmode": "pan",
            "margin": {"l": 8, "r": 76, "t": 8, "b": 44},
            "legend": {"groupclick": "togglegroup", "tracegroupgap": 2},
            **_last_price(view),
        },
    }


def _last_price(view: View) -> dict[str, Any]:
    """A line at the last close, and what it is at the axis."""
    last = view.candles[-1]
    colour = UP if last.close >= last.open else DOWN
    where = {"xref": "paper", "yref": "y", "layer": "below"}
    ends = {"x0": 0, "x1": 1, "y0": last.close, "y1": last.close}
    return {
        "shapes": [{"type": "line", "line": {"color": colour, "width": 1, "dash": "dot"}, **ends, **where}],
        "annotations": [
            {
                "xref": "paper", "yref": "y", "x": 1, "y": last.close, "xanchor": "left", "showarrow": False,
                "text": view.price(last.close), "bgcolor": colour, "font": {"color": "#ffffff", "size": 12},
                "borderpad": 2,
            }
        ],
    }  # fmt: skip


def write(out: Path, title: str, subtitle: str, view: View, only: Set[str], source: str) -> None:
    """Write the page, in place of what was there.

    Args:
        source: Plotly's JavaScript.

    Raises:
        ConfigurationError: the file cannot be written.
    """
    data = msgspec.json.encode(figure(view, only)).decode().replace("</", "<\\/")
    bars = [len(view.candles), view.length]
    page = PAGE.replace("{{title}}", escape(title)).replace("{{subtitle}}", escape(subtitle))
    page = page.replace("{{bars}}", str(bars))
    before, _, rest = page.partition("{{plotly}}")
    middle, _, after = rest.partition("{{figure}}")
    part = out.with_name(out.name + ".part")
    try:
        part.write_text("".join((before, source, middle, data, after)), encoding="utf-8")
        os.replace(part, out)
    except OSError as error:
        raise ConfigurationError(f"cannot write {shown(out)}: {error.strerror or error}") from None
