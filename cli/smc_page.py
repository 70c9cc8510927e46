"""The page around a chart. Light or dark as the reader's system is; nothing is loaded from anywhere."""

from __future__ import annotations

from typing import Final

PAGE: Final = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta http-equiv="Content-Security-Policy"
  content="default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data: blob:">
<title>{{title}}</title>
<style>
  :root { --paper: #ffffff; --ink: #1b1f24; --quiet: #59636e; --line: #d9dee4; }
  @media (prefers-color-scheme: dark) {
    :root { --paper: #12161c; --ink: #e4e8ee; --quiet: #98a2b0; --line: #2a313b; }
  }
  html, body { height: 100%; margin: 0; }
  body { display: flex; flex-direction: column; background: var(--paper); color: var(--ink);
         font: 14px/1.4 system-ui, sans-serif; }
  header { display: flex; flex-wrap: wrap; gap: 4px 14px; align-items: baseline; padding: 10px 14px 6px; }
  h1 { font-size: 16px; margin: 0; overflow-wrap: anywhere; }
  header p { margin: 0; color: var(--quiet); flex: 1; min-width: 220px; }
  button, label { font: inherit; font-size: 13px; }
  button { color: inherit; background: none; border: 1px solid var(--line); border-radius: 6px;
           padding: 2px 9px; cursor: pointer; }
  button:hover, button:focus-visible { border-color: var(--quiet); }
  #chart { flex: 1; min-height: 420px; }
  #chart, #chart * { touch-action: none; }
</style>
</head>
<body>
<header>
  <h1>{{title}}</h1>
  <p>{{subtitle}}</p>
  <span id="spans"></span>
  <label><input type="checkbox" id="fit" checked> fit prices</label>
</header>
<noscript>This chart is drawn by the script inside this page: allow it to run.</noscript>
<div id="chart"></div>
<script>{{plotly}}</script>
<script type="application/json" id="figure">{{figure}}</script>
<script>
"use strict";
const [count, length] = {{bars}};
const figure = JSON.parse(document.getElementById("figure").textContent);
const chart = document.getElementById("chart"), fit = document.getElementById("fit");
const candles = figure.data.find(trace => trace.type === "candlestick");
const edge = figure.layout.xaxis.range[1];
const dark = matchMedia("(prefers-color-scheme: dark)");
const milliseconds = moment =>
  typeof moment === "number" ? moment : Date.parse(moment.replace(" ", "T") + "Z");

function colours() {
  const of = name => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const axis = { "gridcolor": of("--line"), "linecolor": of("--line"), "zerolinecolor": of("--line") };
  const found = { "paper_bgcolor": of("--paper"), "plot_bgcolor": of("--paper"), "font.color": of("--ink"),
                  "hoverlabel.bgcolor": of("--paper"), "hoverlabel.font.color": of("--ink"),
                  "hoverlabel.align": "left" };
  for (const [name, value] of Object.entries(axis)) {
    found["xaxis." + name] = value;
    found["yaxis." + name] = value;
  }
  return found;
}

function legend() {
  const wide = chart.clientWidth >= 900;
  return wide
    ? { "legend.orientation": "v", "legend.x": 1.06, "legend.y": 0.96, "legend.yanchor": "top" }
    : { "legend.orientation": "h", "legend.x": 0, "legend.y": -0.08, "legend.yanchor": "top" };
}

function prices(from, to) {
  let low = Infinity, high = -Infinity;
  for (let i = 0; i < count; i += 1) {
    if (candles.x[i] >= from && candles.x[i] <= to) {
      low = Math.min(low, candles.low[i]);
      high = Math.max(high, candles.high[i]);
    }
  }
  const room = (high - low) * 0.06 || Math.abs(high) * 0.001;
  return low > high ? null : [low - room, high + room];
}

function fitted(range) {
  const found = fit.checked && prices(...range.map(milliseconds));
  return found ? { "yaxis.range": found } : {};
}

function show(bars) {
  const range = [Math.max(edge - (bars + (edge - candles.x[count - 1]) / length) * length,
                          candles.x[0] - length), edge];
  Plotly.relayout(chart, { "xaxis.range": range, ...fitted(range) });
}

for (const bars of [100, 300, 1000, count].filter((n, i, all) => n <= count && all.indexOf(n) === i)) {
  const button = document.createElement("button");
  button.textContent = bars === count ? "all" : bars + " bars";
  button.onclick = () => show(bars);
  document.getElementById("spans").append(button, " ");
}
function detail(range) {
  const [from, to] = range.map(milliseconds);
  const small = figure.data.flatMap((trace, i) => trace.meta === "detail" ? [i] : []);
  const opacity = (to - from) / length > 600 ? 0 : 1;
  if (small.length && figure.data[small[0]].opacity !== opacity) Plotly.restyle(chart, { opacity }, small);
}

fit.onchange = () => Plotly.relayout(chart, fitted(chart.layout.xaxis.range));

const config = { "responsive": true, "scrollZoom": true, "displaylogo": false, "displayModeBar": "hover",
                 "modeBarButtonsToRemove": ["select2d", "lasso2d", "autoScale2d"] };
Plotly.newPlot(chart, figure.data, figure.layout, config).then(() => {
  Plotly.relayout(chart, { ...colours(), ...legend(), ...fitted(figure.layout.xaxis.range) });
  let settling = false;
  chart.on("plotly_relayout", change => {
    detail(chart.layout.xaxis.range);
    const moved = Object.keys(change).some(name => /^xaxis[.](range|autorange)/.test(name));
    if (moved && !("yaxis.range" in change) && !settling) {
      settling = true;
      Plotly.relayout(chart, fitted(chart.layout.xaxis.range)).then(() => { settling = false; });
    }
  });
  dark.addEventListener("change", () => Plotly.relayout(chart, colours()));
  addEventListener("resize", () => Plotly.relayout(chart, legend()));
  document.body.dataset.drawn = "yes";
});
</script>
</body>
</html>
"""
