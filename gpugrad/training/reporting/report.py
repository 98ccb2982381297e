"""A run on one page: ``report.html`` with the curves, the settings, the time and the money, complete in itself.

The page asks the network for nothing, runs nothing, and follows the reader's choice of light or dark. It is made from
what a :class:`~gpugrad.training.reporting.log.Log` left in a folder, so it can be made of any such folder, at any time,
also while the run goes on.
"""

from __future__ import annotations

import math
import os
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from html import escape
from itertools import groupby
from pathlib import Path
from typing import Any

from ...formats import duration, number, percent
from .charts import Chart, Curve, left_margin, smoothed, svg
from .log import ROWS, Row, merged, read_events, read_rows, read_settings, replaced, writable

REPORT = "report.html"
BESIDE = {"seconds", "epoch", "samples", "cost", "time"}
"""Columns of the log that say when, and are no curves."""
LESS_IS_BETTER = ("loss", "perplexity", "error", "surprise")
UNJUDGED = ("rate", "norm", "speed", "per second", "memory")
"""Parts of names for which neither less nor more is better."""
NOISY = 150
"""From so many points on, a curve is drawn faintly, and its means over it."""

Series = list[tuple[int, float]]


def write_report(folder: str | os.PathLike[str]) -> Path:
    """Write ``report.html`` into a folder that has a log.

    Values by names such as ``loss`` and ``validation/loss`` share a chart. ``price_per_hour`` and ``currency`` among
    the settings give the money; where the run was resumed, the charts have a mark. Events are listed.

    Args:
        folder: with ``log.jsonl``, and ``settings.json`` if there are any.

    Returns:
        the path of the page.

    Raises:
        FileNotFoundError: the folder has no log.

    >>> import tempfile
    >>> from gpugrad.training.reporting.log import Log
    >>> folder = tempfile.mkdtemp()
    >>> with Log(folder, tensorboard=False) as log:
    ...     for step in range(1, 20):
    ...         log.write(step, {"loss": 1 / step})
    >>> write_report(folder).name
    'report.html'
    """
    place = Path(folder)
    if not (place / ROWS).is_file():
        raise FileNotFoundError(f"write_report: expected a folder with a log, there is no {place / ROWS}")
    rows, events, settings = list(read_rows(place)), list(read_events(place)), read_settings(place)
    with replaced(place / REPORT) as file:
        file.write(page(rows, events, settings, writable(str(settings.get("title") or place.resolve().name))))
    return place / REPORT


def page(rows: list[Row], events: list[Row], settings: dict[str, Any], title: str) -> str:
    """The page as text."""
    curves = {name: series for name, series in merged(rows).items() if name not in BESIDE}
    steps = [row["step"] for row in rows]
    span = (float(min(steps)), float(max(steps))) if steps else (0.0, 0.0)
    made = [_chart(name, series, events, span) for name, series in _grouped(curves).items()]
    left = max((left_margin(chart) for chart, _ in made), default=0.0)
    charts = "".join(_figure(chart, legend, left) for chart, legend in made)
    nothing = "" if charts else '<p class="nothing">There are no rows yet.</p>'
    parts = [
        f"<h1>{escape(title)}</h1>",
        _facts(rows, events, settings),
        f'<main class="charts">{charts}{nothing}</main>',
        _metrics_table(curves),
        _table("What happened", ("step", "event", "when", ""), _event_rows(events)),
        _table("Settings", ("", ""), [(name, _shown(value)) for name, value in settings.items()]),
        f"<footer>Made by gpugrad on {datetime.now(UTC):%Y-%m-%d %H:%M} UTC from log.jsonl.</footer>",
    ]
    # The policy lets the page load nothing and run nothing, whatever a name in the log may contain.
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">"
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta name="color-scheme" content="light dark">'
        f"<title>{escape(title)}</title><style>{STYLE}</style></head>\n<body>\n"
        + "\n".join(parts)
        + "\n</body></html>\n"
    )


# ------------------------------------------------------------------------------------------------ the parts


def _grouped(curves: dict[str, Series]) -> dict[str, dict[str, Series]]:
    """Curves by the last part of their names, the loss first."""
    groups: dict[str, dict[str, Series]] = {}
    for name, series in curves.items():
        groups.setdefault(name.rpartition("/")[2], {})[name] = series
    groups = {name: dict(sorted(group.items(), key=lambda c: "/" in c[0])) for name, group in groups.items()}
    return dict(sorted(groups.items(), key=lambda group: (group[0] != "loss", _kind(group[0]) is None)))


def _chart(
    title: str, group: dict[str, Series], events: list[Row], span: tuple[float, float]
) -> tuple[Chart, list[str]]:
    """A chart and the entries of its legend."""
    drawn, legend = [], []
    for colour, (name, series) in enumerate(group.items()):
        points: list[tuple[float, float]] = [(float(x), y) for x, y in series]
        noisy = len(points) >= NOISY and _kind(name) is not None
        if noisy:
            drawn.append(Curve(name, points, colour % 4, faint=True))
            points = smoothed([p for p in points if math.isfinite(p[1])])
        drawn.append(Curve(name, points, colour % 4, dots="/" in name))
        key = f'<span class="key c{colour % 4}"></span>{escape(name)}'
        legend.append(key + (" (faint: every row)" if noisy else ""))
    marks = [(float(step), text) for step, text in _resumed(events)]
    if marks:
        legend.append('<span class="key mark"></span>resumed')
    values = [y for series in group.values() for _, y in series if math.isfinite(y)]
    falls = _kind(title) is min  # a loss falls by the same part again and again: a logarithmic axis shows it as a line
    spread = falls and bool(values) and min(values) > 0 and max(values) / min(values) > 20
    share = all(_is_share(name, series) for name, series in group.items())
    return Chart(title, drawn, marks, logarithmic=spread, span=span, share=share), legend


def _resumed(events: list[Row]) -> list[tuple[int, str]]:
    """The steps after which the run was resumed, each once, with what is said of it."""
    counts = Counter(int(e["step"]) for e in events if e["event"] == "resume")
    return [
        (step, (f"resumed after step {step:,}" if step else "started again") + _times(count))
        for step, count in sorted(counts.items())
    ]


def _times(count: int) -> str:
    return f", {count} times" if count > 1 else ""


def _figure(chart: Chart, legend: list[str], left: float) -> str:
    return (f"<figure><figcaption><strong>{escape(chart.title)}</strong>"
            f"<span>{'</span><span>'.join(legend)}</span></figcaption>{svg(chart, left)}</figure>")  # fmt: skip


def _facts(rows: list[Row], events: list[Row], settings: dict[str, Any]) -> str:
    seconds = max((_float(r.get("seconds")) for r in [*rows, *events]), default=0.0)
    resumes = [e for e in events if e["event"] == "resume"]
    facts = [("steps", f"{max((r['step'] for r in rows), default=0):,}")]
    epochs = [r["epoch"] for r in rows if isinstance(r.get("epoch"), int)]
    if epochs:
        facts.append(("epochs", f"{max(epochs):,}"))
    if seconds:
        facts.append(("time", duration(seconds)))
    price = settings.get("price_per_hour")
    if isinstance(price, int | float) and not isinstance(price, bool) and seconds:
        facts.append(("money", f"{settings.get('currency', '$')}{seconds / 3600 * price:,.2f}"))
    if resumes:
        facts.append(("resumed", f"{len(resumes)} time{'s' if len(resumes) > 1 else ''}"))
        facts.append(("steps done twice", f"{sum(int(_float(e.get('lost_steps'))) for e in resumes):,}"))
    for name, series in merged(rows).items():
        if name.rpartition("/")[2] in ("loss", "accuracy") and name not in BESIDE:
            facts.append((f"last {name.replace('/', ' ')}", _value(series[-1][1], _is_share(name, series))))
    cards = "".join(f"<div><dt>{escape(name)}</dt><dd>{escape(value)}</dd></div>" for name, value in facts)
    return f'<dl class="facts">{cards}</dl>'


def _metrics_table(curves: dict[str, Series]) -> str:
    lines = []
    for name, series in curves.items():
        finite = [(step, value) for step, value in series if math.isfinite(value)]
        kind, share = _kind(name), _is_share(name, series)
        best = ""
        if finite and kind is not None:
            step, value = kind(finite, key=lambda p: p[1])
            best = f"{_value(value, share)} at step {step:,}"
        lines.append((name, _value(series[0][1], share), _value(series[-1][1], share), best))
    return _table("Values", ("", "first", "last", "best"), lines)


def _event_rows(events: list[Row]) -> list[tuple[str, ...]]:
    """Events in their order; one row for those that are repeated at a step, with the steps that were lost in all."""
    lines: list[tuple[str, ...]] = []
    for _, same in groupby(events, lambda event: (event["event"], event["step"])):
        repeated = list(same)
        event = dict(repeated[-1])
        if "lost_steps" in event:
            event["lost_steps"] = sum(int(_float(e.get("lost_steps"))) for e in repeated)
        when = event.get("time")
        text = f"{datetime.fromtimestamp(when, UTC):%Y-%m-%d %H:%M:%S} UTC" if isinstance(when, int | float) else ""
        rest = {k: v for k, v in event.items() if k not in ("event", "step", "time", "lost_rows")}
        lines.append((f"{event['step']:,}", f"{event['event']}{_times(len(repeated))}", text,
                      ", ".join(f"{k.replace('_', ' ')} {_shown(v)}" for k, v in rest.items())))  # fmt: skip
    return lines


def _table(title: str, heads: Iterable[str], lines: Sequence[tuple[str, ...]]) -> str:
    if not lines:
        return ""
    head = "".join(f"<th>{escape(text)}</th>" for text in heads)
    body = "".join("<tr>" + "".join(f"<td>{escape(str(cell))}</td>" for cell in line) + "</tr>" for line in lines)
    return (f'<section><h2>{escape(title)}</h2><div class="wide"><table><thead><tr>{head}</tr></thead>'
            f"<tbody>{body}</tbody></table></div></section>")  # fmt: skip


# ------------------------------------------------------------------------------------------------ words


def _kind(name: str) -> Any:
    """``min`` where less is better, ``max`` where more is, None where neither."""
    last = name.rpartition("/")[2].lower().replace("_", " ")
    if any(word in last for word in LESS_IS_BETTER):
        return min
    return None if any(word in last for word in UNJUDGED) else max


def _is_share(name: str, series: Series) -> bool:
    """Whether its values are parts of 1, to be shown in percent, in the tables and in the chart."""
    finite = [value for _, value in series if math.isfinite(value)]
    return "accuracy" in name.lower() and bool(finite) and min(finite) >= 0 and max(finite) <= 1


def _value(value: float, share: bool) -> str:
    return percent(value) if share else number(value)


def _shown(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key} {_shown(entry)}" for key, entry in value.items())
    if isinstance(value, list):
        return ", ".join(map(_shown, value))
    return number(value) if isinstance(value, float) else "" if value is None else str(value)


def _float(value: Any) -> float:
    return float(value) if isinstance(value, int | float) and math.isfinite(value) else 0.0


STYLE = """
:root{--paper:#fff;--card:#f8fafc;--ink:#0f172a;--soft:#64748b;--faint:#e2e8f0;
--curve-0:#2563eb;--curve-1:#d97706;--curve-2:#059669;--curve-3:#9333ea;--mark:#dc2626}
@media (prefers-color-scheme:dark){:root{--paper:#0b1120;--card:#131c31;--ink:#e2e8f0;--soft:#94a3b8;--faint:#26324a;
--curve-0:#60a5fa;--curve-1:#fbbf24;--curve-2:#34d399;--curve-3:#c084fc;--mark:#f87171}}
*{box-sizing:border-box}
body{margin:0 auto;padding:1.5rem 1rem 3rem;max-width:1320px;background:var(--paper);color:var(--ink);
font:15px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,sans-serif}
h1{font-size:1.6rem;margin:0 0 1rem;overflow-wrap:anywhere}h2{font-size:1.1rem;margin:2rem 0 .5rem}
.facts{display:grid;grid-template-columns:repeat(auto-fill,minmax(8.5rem,1fr));gap:.6rem;margin:0 0 1rem}
.facts div{background:var(--card);border:1px solid var(--faint);border-radius:.5rem;padding:.5rem .7rem;
display:flex;flex-direction:column;justify-content:space-between}
dt{color:var(--soft);font-size:.8rem}dd{margin:0;font-size:1.15rem;font-variant-numeric:tabular-nums}
.charts{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,30rem),1fr));gap:1rem}
figure{margin:0;background:var(--card);border:1px solid var(--faint);border-radius:.5rem;padding:.7rem}
figcaption{display:flex;flex-wrap:wrap;gap:.1rem 1rem;font-size:.85rem;color:var(--soft);margin-bottom:.3rem}
figcaption strong{color:var(--ink);font-size:1rem}
.key{display:inline-block;width:1rem;height:.2rem;border-radius:.1rem;margin-right:.35rem;vertical-align:middle}
.key.mark{width:0;height:.9rem;border-left:2px dashed var(--mark)}
.key.c0{background:var(--curve-0)}.key.c1{background:var(--curve-1)}
.key.c2{background:var(--curve-2)}.key.c3{background:var(--curve-3)}
svg{display:block;width:100%;height:auto;overflow:visible}
svg text{fill:var(--soft);font-size:12px;font-variant-numeric:tabular-nums}
svg .y{text-anchor:end}svg .x{text-anchor:middle}
.grid{stroke:var(--faint)}.mark{stroke:var(--mark);stroke-dasharray:4 4;stroke-width:1.5}
path.curve{fill:none;stroke-width:2;stroke-linejoin:round}path.faint{stroke-width:1;opacity:.3}
path.c0{stroke:var(--curve-0)}path.c1{stroke:var(--curve-1)}path.c2{stroke:var(--curve-2)}path.c3{stroke:var(--curve-3)}
circle.c0{fill:var(--curve-0)}circle.c1{fill:var(--curve-1)}circle.c2{fill:var(--curve-2)}circle.c3{fill:var(--curve-3)}
.wide{overflow-x:auto}table{border-collapse:collapse;font-variant-numeric:tabular-nums;min-width:min(100%,30rem)}
th,td{text-align:left;padding:.3rem 1.2rem .3rem 0;border-bottom:1px solid var(--faint);vertical-align:top}
td:last-child{overflow-wrap:anywhere;min-width:9rem}
th{color:var(--soft);font-weight:normal;font-size:.85rem}td:not(:last-child){white-space:nowrap}
.nothing,footer{color:var(--soft)}footer{margin-top:2rem;font-size:.8rem}
@media (max-width:600px){svg text{font-size:19px}svg .label{display:none}
th,td{padding-right:.8rem;font-size:.85rem}}
"""
