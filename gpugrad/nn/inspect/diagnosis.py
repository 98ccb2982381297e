"""The judgement over what :func:`gpugrad.diagnose` measured: limits, words, and the picture."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from ...formats import short

DEAD = 0.25
"""Share of the units of a ReLU layer that no sample activates, from which it is said."""
SATURATED = 0.5
"""Share of the values of a sigmoid or tanh beyond 95 % of its range."""
GAIN = 10.0
"""The factor by which one layer may change the scale of values."""
RANGE = 1e3
"""The factor by which values or gradients may differ between the first and the last layer with weights."""
RATIO, AROUND = 1e-3, 30.0
"""The step beside the weights, and the factor by which it may differ from that."""
INPUT = 30.0
"""The scale of inputs from which it is said."""
FEW = 8
"""Of fewer samples, dead units are chance."""


@dataclass
class Layer:
    """What one call of an innermost module gave.

    Attributes:
        name: dotted.
        kind: the name of its class.
        mean: of the values.
        scale: the root of their mean square.
        gain: the scale over that of the input, for layers with weights.
        gradient: the norm of the loss's gradient with respect to the values; None if none came.
        dead: for ReLUs, the share of units that are 0 for all samples.
        saturated: for sigmoids and tanhs, the share of values in the flat parts.
    """

    name: str
    kind: str
    mean: float
    scale: float
    gain: float | None
    gradient: float | None
    dead: float | None
    saturated: float | None


@dataclass
class Weight:
    """A parameter.

    Attributes:
        name: dotted.
        shape: its shape.
        scale: the root of the mean square.
        constant: whether it is a matrix of equal elements.
        learned: whether it needs a gradient.
        finite: whether it and its gradient are.
        gradient: the norm of its gradient; None if none came.
        ratio: ``|step| / |w|``; None without an optimizer or learning rate.
    """

    name: str
    shape: tuple[int, ...]
    scale: float
    constant: bool
    learned: bool
    finite: bool
    gradient: float | None
    ratio: float | None


@dataclass
class Finding:
    """Something that looks wrong.

    Attributes:
        kind: in two words.
        where: the name of the layer or the parameter; ``""`` for the whole.
        text: what was seen, what it means and what helps.
    """

    kind: str
    where: str
    text: str


@dataclass
class Diagnosis:
    """What :func:`gpugrad.diagnose` returns; printed, a report.

    Attributes:
        loss: on the batch.
        input: the scale of the inputs.
        samples: how many there were.
        layers: in the order of their calls.
        weights: the parameters.
        findings: what looks wrong, none if all is well.
    """

    loss: float
    input: float
    samples: int
    layers: list[Layer]
    weights: list[Weight]
    findings: list[Finding]

    def __str__(self) -> str:
        layers: list[tuple[str, ...]] = [("layer", "mean", "scale", "gradient", "")]
        for row in self.layers:
            notes = [f"{row.dead:.0%} dead"] if row.dead is not None else []
            notes += [f"{row.saturated:.0%} saturated"] if row.saturated is not None else []
            label = f"{row.name}: {row.kind}" if row.name else row.kind
            layers.append((label, short(row.mean), short(row.scale), short(row.gradient), *notes, *[""][len(notes) :]))
        weights: list[tuple[str, ...]] = [("parameter", "scale", "gradient", "step / weight")]
        weights += [(w.name, short(w.scale), short(w.gradient), short(w.ratio)) for w in self.weights]
        found = [
            f"{i}. {f.kind}{f' in {f.where}' if f.where else ''}: {f.text}" for i, f in enumerate(self.findings, 1)
        ]
        head = f"loss {self.loss:.4g} on {self.samples} samples, inputs of scale {self.input:.3g}"
        return "\n".join([head, "", *table(layers), "", *table(weights), "", *(found or ["Nothing looks wrong."])])

    __repr__ = __str__

    def say(self, kind: str, where: str, text: str) -> None:
        """Add a finding."""
        self.findings.append(Finding(kind, where, text))

    def plot(self, path: Any = None) -> Any:
        """Draw the numbers: values and gradients layer by layer, idle units, steps beside weights.

        Args:
            path: write the picture there.

        Returns:
            The matplotlib Figure.

        Raises:
            ImportError: matplotlib is not installed.
        """
        try:
            from matplotlib.figure import Figure
        except ImportError as error:
            raise ImportError("plot draws with matplotlib: pip install 'gpugrad[examples]'") from error
        names = [f"{row.name} {row.kind}".strip() for row in self.layers]
        panels: list[Any] = [
            ("scale of values", names, [row.scale for row in self.layers], None),
            ("norm of the gradient", names, [row.gradient for row in self.layers], None),
            ("dead or saturated", names, [_idle(row) for row in self.layers], None),
            ("step / weight", [w.name for w in self.weights], [w.ratio for w in self.weights], RATIO),
        ]
        panels = [panel for panel in panels if any(v is not None for v in panel[2])]
        rows = max([len(panel[1]) for panel in panels], default=1)
        figure = Figure(figsize=(3.4 * max(len(panels), 1), 1.4 + 0.28 * rows), layout="constrained")
        for i, (title, labels, values, line) in enumerate(panels):
            axes = figure.add_subplot(1, len(panels), i + 1)
            drawn = [v if v is not None and math.isfinite(v) else 0.0 for v in values]
            axes.barh(range(len(labels)), drawn, color="#4477aa")
            axes.set_title(title, fontsize=10)
            axes.tick_params(labelsize=8)
            axes.invert_yaxis()
            shown = i == 0 or line is not None  # the panels of layers share their names
            axes.set_yticks(range(len(labels)), labels if shown else [""] * len(labels))
            if title == "dead or saturated":
                axes.set_xlim(0, 1)
            elif any(drawn):
                axes.set_xscale("log")
                positive = [v for v in drawn if v > 0] + ([line] if line else [])
                axes.set_xlim(min(positive) / 3, max(positive) * 3)
            if line:
                axes.axvline(line, color="#cc3311", linewidth=1, linestyle="--")
        if path is not None:
            figure.savefig(path, dpi=120)
        return figure


def _idle(row: Layer) -> float | None:
    return row.dead if row.dead is not None else row.saturated


def judge(found: Diagnosis) -> Diagnosis:
    """Add the findings."""
    say = found.say
    if not math.isfinite(found.loss) or not all(w.finite for w in found.weights):
        where = next((w.name for w in found.weights if not w.finite), "")
        say("not finite", where, "NaN or infinity; gg.debug() finds the operation it came from.")
    if found.input > INPUT:
        say(
            "large inputs", "",
            f"their scale is {found.input:.3g}; subtract the mean of the training data and divide by its standard "
            "deviation, so that weights of usual size fit.",
        )  # fmt: skip
    for w in found.weights:
        if w.constant:
            say(
                "constant weights", w.name,
                "all elements are equal, so all its units compute the same, get the same gradient and stay the same; "
                "begin with small random numbers.",
            )  # fmt: skip
        if w.learned and not w.gradient and w.finite:
            why = "no gradient reached it: the loss does not use it" if w.gradient is None else "its gradient is zero"
            say("no gradient", w.name, f"{why}; it will not learn from this batch.")
    for row in found.layers:
        _layer(found, row)
    _through(found)
    for w in found.weights:
        if not w.ratio or len(w.shape) < 2:
            continue
        beside = f"a step is {w.ratio:.1e} of the weights, where about 1e-3 is good; the learning rate is probably too"
        if w.ratio > RATIO * AROUND:
            say("large updates", w.name, f"{beside} high.")
        if w.ratio < RATIO / AROUND:
            say("small updates", w.name, f"{beside} low, or the gradient vanishes.")
    return found


def _layer(found: Diagnosis, row: Layer) -> None:
    """What is wrong with one layer."""
    if row.gain is not None and row.gain > GAIN:
        found.say(
            "large weights", row.name,
            f"it makes values {row.gain:.3g} times as large; begin with variance 1 / fan_in (2 / fan_in before ReLU), "
            "or normalize after it.",
        )  # fmt: skip
    if row.gain is not None and 0 < row.gain < 1 / GAIN:
        found.say(
            "small weights", row.name,
            f"it makes values {1 / row.gain:.3g} times smaller, and gradients with them; begin with variance "
            "1 / fan_in.",
        )  # fmt: skip
    if row.dead is not None and row.dead >= DEAD and found.samples >= FEW:
        found.say(
            "dead ReLUs", row.name,
            f"{row.dead:.0%} of its units are 0 for every sample and get no gradient; lower the learning rate, look at "
            "the biases, or use a leaky one.",
        )  # fmt: skip
    if row.saturated is not None and row.saturated >= SATURATED:
        found.say(
            "saturated units", row.name,
            f"{row.saturated:.0%} of its values are in the flat parts, where the derivative is nearly 0; make the "
            "weights before it smaller.",
        )  # fmt: skip


def _through(found: Diagnosis) -> None:
    """What happens to values and gradients between the first layer with weights and the last."""
    chain = [row for row in found.layers if row.gain is not None]
    if len(chain) < 2:
        return
    first, last = chain[0], chain[-1]
    if first.scale > 0 and last.scale > 0:
        factor = last.scale / first.scale
        for kind, seen in (("exploding values", factor), ("vanishing values", 1 / factor)):
            if seen > RANGE:
                text = (
                    f"from {first.name} on, their scale changes by a factor of {factor:.1e}; begin with other weights."
                )
                found.say(kind, last.name, text)
    if first.gradient and last.gradient:
        factor = first.gradient / last.gradient
        back = f"on the way back from {last.name} they"
        if factor < 1 / RANGE:
            found.say(
                "vanishing gradients", first.name,
                f"{back} shrink to {factor:.1e}: the first layers hardly learn; use ReLU in place of sigmoids, He or "
                "Glorot weights, normalization, or shortcuts.",
            )  # fmt: skip
        if factor > RANGE:
            found.say(
                "exploding gradients", first.name,
                f"{back} grow {factor:.1e} times; use smaller weights, normalization, or clip them "
                "(gg.nn.utils.clip_grad_norm_).",
            )  # fmt: skip


def table(rows: list[tuple[str, ...]]) -> list[str]:
    """Lines with columns, the first one to the left."""
    wide = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join([row[0].ljust(wide[0]), *(c.rjust(w) for c, w in zip(row[1:], wide[1:], strict=True))]).rstrip()
        for row in rows
    ]
