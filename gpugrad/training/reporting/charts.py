"""Curves as SVG, drawn by hand: small, sharp at any size, with the colours of the page they stand in.

Colours are CSS variables (``--curve-0`` ..., ``--ink``, ``--faint``), so that a page is light or dark without a second
picture.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from html import escape
from itertools import pairwise

from ...formats import number

Points = Sequence[tuple[float, float]]

WIDTH, HEIGHT = 640.0, 300.0
LEFT, RIGHT, TOP, BOTTOM = 44.0, 12.0, 12.0, 36.0
"""The least margins; labels that need more get it."""
CHARACTER = 11.0
"""Width of a digit in the size that labels have on a phone, where they are largest beside the picture."""
LARGEST = 1e300
"""Larger values are left out, as infinities are: their differences would not be finite."""
CONSTANT = 1e-10
"""Values whose spread is smaller than this, relative to the largest, are one value: the rest is rounding."""
NEAR = 8.0
"""Marks that are closer to each other are drawn as one."""
MOST = 600
"""Points of a curve that are drawn; of more, the smallest and the largest of each stretch."""


@dataclass
class Curve:
    """One line: its name, the points ``(x, y)`` by growing x, and whether it stands back behind the others."""

    name: str
    points: Points
    colour: int = 0
    faint: bool = False
    dots: bool = False


@dataclass
class Chart:
    """Curves over one axis, with marks at moments of x."""

    title: str
    curves: list[Curve]
    marks: list[tuple[float, str]] = field(default_factory=list)
    logarithmic: bool = False
    xlabel: str = "step"
    span: tuple[float, float] | None = None
    """The least stretch of x that is shown, so that charts beside each other have one scale."""
    share: bool = False
    """Whether the values are parts of 1, which are shown in percent."""


def svg(chart: Chart, left: float = LEFT) -> str:
    """The chart as one ``<svg>`` element.

    Args:
        chart: what to draw.
        left: the least left margin, so that charts beside each other have one scale.

    >>> picture = svg(Chart("loss", [Curve("loss", [(0, 1.0), (10, 0.5)])]))
    >>> picture.startswith("<svg"), picture.count("<path")
    (True, 1)
    """
    drawn = _drawn(chart)
    if not any(c.points for c in drawn):
        return f'<p class="nothing">{escape(chart.title)}: no finite value</p>'
    x, y = _axes(chart, drawn)
    x.start, x.end = max(left, y.room()), WIDTH - x.beyond()
    parts = [*_grid(chart, x, y), *_marks(chart, x)]
    parts += [part for c in drawn for part in _line(c, x, y, chart.logarithmic)]
    label = f"{chart.title}: " + ", ".join(_summary(c) for c in drawn if c.points and not c.faint)
    return (f'<svg viewBox="0 0 {WIDTH:.0f} {HEIGHT:.0f}" role="img" aria-label="{escape(label, quote=True)}">'
            + "".join(parts) + "</svg>")  # fmt: skip


def left_margin(chart: Chart) -> float:
    """The left margin that the labels of a chart need."""
    drawn = _drawn(chart)
    return _axes(chart, drawn)[1].room() if any(c.points for c in drawn) else LEFT


def smoothed(points: Points, most: int = 60) -> list[tuple[float, float]]:
    """Means over stretches of equal length, for a noisy curve to be read by.

    >>> smoothed([(0, 1.0), (1, 3.0), (2, 5.0), (3, 7.0)], most=2)
    [(0.5, 2.0), (2.5, 6.0)]
    """
    size = max(1, math.ceil(len(points) / most))
    parts = [points[i : i + size] for i in range(0, len(points), size)]
    return [(sum(x for x, _ in p) / len(p), sum(y for _, y in p) / len(p)) for p in parts]


def ticks(low: float, high: float, most: int = 6, least: float = 0.0) -> list[float]:
    """Round numbers between two others, as many as there can be up to ``most``, at least ``least`` apart.

    >>> ticks(0.0, 1.0), ticks(1.0, 3.0, least=1.0)
    ([0.0, 0.2, 0.4, 0.6, 0.8, 1.0], [1.0, 2.0, 3.0])
    """
    span = high - low
    if not span > 0:
        return [low]
    power = math.floor(math.log10(span)) - 1
    for step in (m * 10.0**p for p in (power, power + 1, power + 2) for m in (1, 2, 5)):
        first = math.ceil(low / step - 1e-9)
        last = math.floor(high / step + 1e-9)
        if last - first < most and step >= least:
            return [float(f"{i * step:.14g}") for i in range(first, last + 1)] or [low]
    return [low]


def labels(values: Sequence[float], share: bool = False) -> list[str]:
    """Ticks as text, all with the digits that tell them apart.

    >>> labels([0.0, 0.5, 1.0]), labels([12345.0, 12345.5]), labels([0.98, 1.0], share=True)
    (['0.0', '0.5', '1.0'], ['12,345.0', '12,345.5'], ['98 %', '100 %'])
    >>> labels([3.1e9, 3.2e9]), labels([0.6931471805])
    (['3.1e9', '3.2e9'], ['0.693147'])
    """
    unit = " %" if share else ""
    shown = [100 * value for value in values] if share else list(values)
    largest = max(abs(value) for value in shown)
    if len(shown) == 1:
        text = f"{shown[0]:,.6g}" if 1e-4 <= largest < 1e7 or not largest else _short(f"{shown[0]:.5e}")
        return [text + unit]
    step = min(b - a for a, b in pairwise(shown))
    if 1e-4 <= largest < 1e7:
        decimals = max(0, -math.floor(math.log10(step) + 1e-6))
        return [f"{value:,.{decimals}f}{unit}" for value in shown]
    digits = max(0, math.floor(math.log10(largest) + 1e-6) - math.floor(math.log10(step) + 1e-6))
    return [("0" if not value else _short(f"{value:.{digits}e}", keep=digits)) + unit for value in shown]


def _short(text: str, keep: int = 0) -> str:
    """Scientific notation without zeros that say nothing.

    >>> _short("1.500000e-07"), _short("3.20e+09", keep=2)
    ('1.5e-7', '3.20e9')
    """
    digits, _, exponent = text.partition("e")
    return f"{digits if keep or '.' not in digits else digits.rstrip('0').rstrip('.')}e{int(exponent)}"


@dataclass
class _Axis:
    """From values to places."""

    low: float
    high: float
    start: float
    end: float
    ticks: list[tuple[float, str]]

    def __call__(self, value: float) -> float:
        return self.start + (value - self.low) / (self.high - self.low) * (self.end - self.start)

    def room(self) -> float:
        """The margin that its labels need beside it."""
        return max(LEFT, CHARACTER * max(len(text) for _, text in self.ticks) + 10)

    def beyond(self) -> float:
        """The margin that the last label needs behind the end."""
        value, text = self.ticks[-1]
        left = (self.high - value) / (self.high - self.low) * (WIDTH - LEFT - RIGHT)
        return max(RIGHT, CHARACTER * len(text) / 2 - left + 2)


def _drawn(chart: Chart) -> list[Curve]:
    return [Curve(c.name, _finite(c.points, chart.logarithmic), c.colour, c.faint, c.dots) for c in chart.curves]


def _axes(chart: Chart, drawn: list[Curve]) -> tuple[_Axis, _Axis]:
    xs = [x for c in drawn for x, _ in c.points] + [x for x, _ in chart.marks] + list(chart.span or ())
    ys = [y for c in drawn for _, y in c.points]
    low, high = min(xs), max(xs)
    at = [low]
    for most in range(7, 1, -1):
        at = ticks(low, high, most, least=1.0)
        if (len(at) - 1) * CHARACTER * max(len(f" {text} ") for text in labels(at)) <= WIDTH - LEFT - RIGHT:
            break
    around = (low - 1, high + 1) if low == high else (low, high)
    x = _Axis(*around, LEFT, WIDTH - RIGHT, list(zip(at, labels(at), strict=True)))
    low, high = min(ys), max(ys)
    if high - low <= CONSTANT * max(abs(low), abs(high)):
        middle = low / 2 + high / 2
        low, high = (math.log10(low) - 1, math.log10(high) + 1) if chart.logarithmic else _beside(middle)
        return x, _Axis(low, high, HEIGHT - BOTTOM, TOP, [(middle, labels([middle], chart.share)[0])])
    if chart.logarithmic:
        low, high = _wider(math.log10(low), math.log10(high))
        shown = _logarithmic_ticks(low, high)
    else:
        low, high = _wider(low, high)
        at = ticks(low, high)
        shown = list(zip(at, labels(at, chart.share), strict=True))
    return x, _Axis(low, high, HEIGHT - BOTTOM, TOP, shown)


def _beside(value: float) -> tuple[float, float]:
    """An axis around one value."""
    space = abs(value) / 10 or 1.0
    return value - space, value + space


def _wider(low: float, high: float) -> tuple[float, float]:
    margin = 0.06 * high - 0.06 * low
    return low - margin, high + margin


def _finite(points: Points, logarithmic: bool) -> Points:
    kept = [(x, y) for x, y in points if abs(y) <= LARGEST and (y > 0 or not logarithmic)]
    if len(kept) <= MOST:
        return kept
    size = math.ceil(len(kept) / (MOST // 2))
    thin: list[tuple[float, float]] = []
    for i in range(0, len(kept), size):
        part = kept[i : i + size]
        ends = {min(part, key=lambda p: p[1]), max(part, key=lambda p: p[1])}
        thin += sorted(ends)
    if thin[-1] != kept[-1]:
        thin.append(kept[-1])
    return thin


def _grid(chart: Chart, x: _Axis, y: _Axis) -> list[str]:
    bottom = HEIGHT - BOTTOM
    parts = [f'<line class="grid" x1="{x.start:.0f}" x2="{x.end:.0f}" y1="{bottom:.1f}" y2="{bottom:.1f}"/>']
    for value, text in y.ticks:
        place = y(math.log10(value)) if chart.logarithmic else y(value)
        parts.append(f'<line class="grid" x1="{x.start:.0f}" x2="{x.end:.0f}" y1="{place:.1f}" y2="{place:.1f}"/>'
                     f'<text class="y" x="{x.start - 6:.0f}" y="{place + 4:.1f}">{text}</text>')  # fmt: skip
    parts += [f'<text class="x" x="{x(value):.1f}" y="{bottom + 18:.0f}">{text}</text>'
              for value, text in x.ticks]  # fmt: skip
    parts.append(f'<text class="x label" x="{(x.start + x.end) / 2:.0f}" y="{HEIGHT - 2:.0f}">'
                 f"{escape(chart.xlabel)}</text>")  # fmt: skip
    return parts


def _marks(chart: Chart, x: _Axis) -> list[str]:
    """A line for each mark; one for several that stand at one place."""
    together: list[list[tuple[float, str]]] = []
    for at, text in sorted(chart.marks):
        if together and x(at) - x(together[-1][-1][0]) < NEAR:
            together[-1].append((at, text))
        else:
            together.append([(at, text)])
    parts = []
    for group in together:
        place = x(group[0][0])
        texts = [text for _, text in group]
        more = f"; and {len(texts) - 4} more" if len(texts) > 4 else ""
        parts.append(f'<line class="mark" x1="{place:.1f}" x2="{place:.1f}" y1="{TOP:.0f}" y2="{HEIGHT - BOTTOM:.0f}">'
                     f"<title>{escape('; '.join(texts[:4]) + more)}</title></line>")  # fmt: skip
    return parts


def _logarithmic_ticks(low: float, high: float) -> list[tuple[float, str]]:
    decades = range(max(math.floor(low), -307), min(math.ceil(high), 307) + 1)  # what float64 can hold
    every = max(1, round(len(decades) / 6))
    within = (1, 2, 5) if len(decades) <= 4 else (1,)
    values = [m * 10.0**d for d in decades[::every] for m in within]
    found = [(v, number(v)) for v in values if low <= math.log10(v) <= high]
    if len(found) > 1:
        return found
    # Where the curve stays between two of them, the round numbers of an ordinary axis.
    at = [v for v in ticks(10**low, 10**high) if v > 0] or [10**low]
    return list(zip(at, labels(at), strict=True))


def _line(curve: Curve, x: _Axis, y: _Axis, logarithmic: bool) -> list[str]:
    places = [(x(a), y(math.log10(b) if logarithmic else b)) for a, b in curve.points]
    if not places:
        return []
    kind = f"curve c{curve.colour}" + (" faint" if curve.faint else "")
    path = "M" + "L".join(f"{a:.1f} {b:.1f}" for a, b in places)
    parts = [f'<path class="{kind}" d="{path}"/>']
    if len(places) == 1 or (curve.dots and len(places) <= 60):
        parts += [
            f'<circle class="{kind}" cx="{a:.1f}" cy="{b:.1f}" r="3"><title>{escape(curve.name)} {number(v)} '
            f"at {at:,.10g}</title></circle>"
            for (a, b), (at, v) in zip(places, curve.points, strict=True)
        ]
    return parts


def _summary(curve: Curve) -> str:
    (_, first), (_, last) = curve.points[0], curve.points[-1]
    return f"{curve.name} from {number(first)} to {number(last)}"
