"""Losses that are operations of their own."""

from __future__ import annotations

import numpy

from gpugrad.ops import ctc as paths
from gpugrad.ops import losses

from .domains import LARGE_PAIR, PAIRS
from .row import Row


def _probabilities(rng, shapes):
    return [0.05 + 0.9 * rng.random(shape) for shape in shapes]


def _frames(rng, shapes):
    """Of two sequences, "aa" (5 places, 4 frames) and "b" (3 places, 3 frames); logarithms of probabilities."""
    skip = numpy.zeros((2, 5), bool)
    ends = numpy.array([[0, 0, 0, 1, 1], [0, 1, 1, 0, 0]], bool)
    return [numpy.log(0.1 + 0.8 * rng.random(shapes[0])), skip, ends, numpy.array([[4], [3]])]


def _all_paths(log_probs, skip, ends, frames):
    """By going along every path."""
    totals = []
    for n in range(len(skip)):
        total, todo = 0.0, [(0, 0, 0.0), (0, 1, 0.0)]
        while todo:
            t, s, before = todo.pop()
            before = before + log_probs[t, n, s]
            if t + 1 == frames[n, 0]:
                total += numpy.exp(before) if ends[n, s] else 0
                continue
            for step in (0, 1, 2):
                if s + step < skip.shape[1] and (step < 2 or skip[n, s + step]):
                    todo.append((t + 1, s + step, before))
        totals.append(-numpy.log(total))
    return numpy.asarray(totals, log_probs.dtype)


ROWS: list[Row] = [
    Row("ops.losses.binary_cross_entropy", losses.binary_cross_entropy, _probabilities, PAIRS, large=LARGE_PAIR,
        numpy=lambda p, t: -t * numpy.log(p) - (1 - t) * numpy.log(1 - p), half=False),
    Row("ops.losses._slope", losses._slope, _probabilities, PAIRS, large=LARGE_PAIR,
        numpy=lambda p, t: (p - t) / (p * (1 - p)), torch=lambda torch, p, t: (1 - t) / (1 - p) - t / p),
    Row("ops.losses.logistic", losses.logistic, shapes=PAIRS, large=LARGE_PAIR,
        numpy=lambda x, t: numpy.log1p(numpy.exp(x)) - t * x, half=False,
        torch=lambda torch, x, t: torch.nn.functional.softplus(x) - t * x),
    Row("ops.losses.huber", losses.huber, variants=[{"delta": 0.5}, {"delta": 2.0}], numpy=lambda x, delta: numpy.where(
            abs(x) <= delta, x * x / 2, delta * (abs(x) - delta / 2)).astype(x.dtype),
        torch=lambda torch, x, delta: torch.nn.functional.huber_loss(
            x, torch.zeros_like(x), reduction="none", delta=delta)),
    Row("ops.ctc.ctc", paths.ctc, _frames, [((4, 2, 5), (2, 5), (2, 5), (2, 1))], numpy=_all_paths, large=None,
        half=False),
]  # fmt: skip
