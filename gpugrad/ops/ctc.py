"""Connectionist temporal classification: the probability of a sequence, whichever way it lies along the frames.

A labelling of length L is spread out to S = 2 L + 1 places, with the blank between, before and behind its labels. A
path goes one place on, or stays, with each frame, or leaves a blank out between different labels. Sums over all paths
go forward (alpha) and backward (beta) over the frames, for all sequences and places at once, in logarithms. Source:
Graves et al. 2006, "Connectionist temporal classification".
"""

from __future__ import annotations

from math import inf

from ..backend import Array, Namespace
from ..core import primitive


def _shifted(xp: Namespace, a: Array, places: int, empty: float) -> Array:
    """Each row moved to the right, or for negative numbers to the left."""
    width = a.shape[1]
    count = min(abs(places), width)
    fill = xp.full_like(a[:, :count], empty)
    return xp.concat([fill, a[:, : width - count]] if places > 0 else [a[:, count:], fill], axis=1)


def _entered(xp: Namespace, alpha: Array, skip: Array, empty: float) -> Array:
    """The sum over the places from which one is entered."""
    beside = xp.logaddexp(alpha, _shifted(xp, alpha, 1, empty))
    return xp.logaddexp(beside, xp.where(skip, _shifted(xp, alpha, 2, empty), empty))


def _left(xp: Namespace, beta: Array, skip: Array) -> Array:
    """The sum over the places to which one leads."""
    beside = xp.logaddexp(beta, _shifted(xp, beta, -1, -inf))
    return xp.logaddexp(beside, _shifted(xp, xp.where(skip, beta, -inf), -2, -inf))


def _total(xp: Namespace, alpha: Array, ends: Array, empty: float) -> Array:
    """The logarithm of the sum over the places where a path may end."""
    last = xp.where(ends, alpha, empty)
    shift = xp.max(last, axis=1, keepdims=True)
    shift = xp.where(shift == -inf, 0, shift)
    total = xp.sum(xp.exp(last - shift), axis=1)
    nothing = total == 0
    return xp.where(nothing, -inf, xp.log(xp.where(nothing, 1, total)) + shift[:, 0])


def _alphas(xp: Namespace, log_probs: Array, skip: Array, ends: Array, frames: Array, empty: float) -> list[Array]:
    """``alpha[t, n, s]``, paths that have come to place s with frame t; what is behind the last frame repeats it."""
    here = xp.zeros_like(log_probs[0])
    alpha = xp.concat([here[:, :1], xp.full_like(here[:, 1:], empty)], axis=1)
    alphas = [alpha]
    for t in range(log_probs.shape[0]):
        alpha = xp.where(frames > t, _entered(xp, alpha, skip, empty) + log_probs[t], alpha)
        alphas.append(alpha)
    return alphas


def _reference(xp: Namespace, log_probs: Array, skip: Array, ends: Array, frames: Array, /) -> Array:
    """Composed; with a large number for infinity, whose differences are numbers."""
    empty = -1e30
    possible = xp.where(log_probs > empty, log_probs, empty)
    alphas = _alphas(xp, possible, skip, ends, frames, empty)
    loss = -_total(xp, alphas[-1], ends, empty)
    return xp.where(loss > 1e29, inf, loss)


@primitive(residuals=("alphas",), reference=_reference, wide=True, cast="float32")
def ctc(xp: Namespace, log_probs: Array, skip: Array, ends: Array, frames: Array, /) -> tuple[Array, Array]:
    """The negative logarithm of the probability of each sequence.

    The gradient is minus the probability that a path of the sequence is at a place with a frame; 0 where there is no
    path, and the loss infinite.

    Inputs:
        log_probs: of the label of each place, shape ``(T, N, S)``.
        skip: whether a place can be entered from the last but one, shape ``(N, S)``.
        ends: whether a path may end there, shape ``(N, S)``.
        frames: how many there are, shape ``(N, 1)``.

    Returns:
        Shape ``(N,)``.
    """
    alphas = _alphas(xp, log_probs, skip, ends, frames, -inf)
    return -_total(xp, alphas[-1], ends, -inf), xp.stack(alphas)


def _ctc_log_probs(
    xp: Namespace, g: Array, log_probs: Array, skip: Array, ends: Array, frames: Array, alphas: Array
) -> Array:
    total = _total(xp, alphas[-1], ends, -inf)[:, None]
    nothing = total == -inf
    total = xp.where(nothing, 0, total)
    factor = xp.where(nothing, 0, -g[:, None])
    beta = xp.where(ends, 0, xp.full_like(alphas[0], -inf))
    gradients = []
    for t in reversed(range(log_probs.shape[0])):
        inside = frames > t
        gradients.append(xp.where(inside, xp.exp(alphas[t + 1] + beta - total) * factor, 0))
        beta = xp.where(inside, _left(xp, beta + log_probs[t], skip), beta)
    return xp.stack(gradients[::-1]) if gradients else xp.zeros_like(log_probs)


ctc.vjp(log_probs=_ctc_log_probs)
