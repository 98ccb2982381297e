"""The update rules of the optimizers: each reads and writes every array once, in one launch.

Arrays are flat: the parameters ``p`` of a group side by side, their gradients ``g``, and what the rule remembers of
earlier gradients. All but ``g`` are changed in place. Scalars that depend on the step (bias corrections) come computed
in double precision. ``sign`` is -1 to maximize; ``weight_decay`` adds the gradient of ``weight_decay |p|^2 / 2``.

Bytes moved, for n elements of s bytes: (2 + 2 k) n s with k remembered arrays, and n s for the gradient.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from inspect import signature
from typing import Any

from ..backend import Array, Namespace
from ..expressions import either, may_differ
from .elementwise import elementwise

BLOCK = 1 << 15
"""Elements updated at a time by the references: what a block takes then stays in a core's cache."""


def _in_blocks(update: Callable[..., None]) -> Callable[..., None]:
    """Run an in-place update on one block of its flat arrays after the other, 16-bit numbers as float32.

    In 16 bits a typical ``eps`` is 0, and most of a step is rounded away.
    """
    names = [p.name for p in signature(update).parameters.values() if p.kind is p.POSITIONAL_ONLY][1:]
    count = len(names)

    @wraps(update)
    def run(xp: Namespace, *arguments: Any) -> None:
        arrays, scalars = arguments[:count], arguments[count:]
        for begin in range(0, arrays[0].size, BLOCK):
            block = [a[begin : begin + BLOCK] for a in arrays]
            wide = [b.astype(xp.float32) for b in block] if block[0].dtype.itemsize == 2 else block
            update(xp, *wide, *scalars)
            if wide is not block:
                for name, old, new in zip(names, block, wide, strict=True):
                    if name != "g":
                        old[...] = new

    return run


def _gradient(p: Array, g: Array, sign: float, weight_decay: float) -> Array:
    """``sign g + weight_decay p``; ``g`` itself where that is all."""
    if may_differ(sign, 1):
        g = g * sign
    return either(weight_decay != 0, lambda: g + p * weight_decay, lambda: g)


@elementwise(changes=("p",))
@_in_blocks
def sgd_update(xp: Namespace, p: Array, g: Array, /, rate: float, sign: float, weight_decay: float) -> None:
    """``p -= rate g``. Source: Robbins and Monro 1951; ``torch.optim.SGD``."""
    p -= _gradient(p, g, sign, weight_decay) * rate


@elementwise(changes=("p", "b"))
@_in_blocks
def sgd_momentum_update(
    xp: Namespace, p: Array, g: Array, b: Array, /, rate: float, sign: float, weight_decay: float,
    momentum: float, fresh: float, nesterov: float, first: float,
) -> None:  # fmt: skip
    """``b = momentum b + fresh g`` (``g`` the first time); ``p -= rate b``, with ``nesterov`` of ``g + momentum b``.

    Source: Sutskever et al. 2013 in the form of ``torch.optim.SGD``, where ``fresh = 1 - dampening``.
    """
    g = _gradient(p, g, sign, weight_decay)
    b[...] = either(first != 0, lambda: g, lambda: b * momentum + g * fresh)
    p -= either(nesterov != 0, lambda: g + b * momentum, lambda: b) * rate


@elementwise(changes=("p", "s"))
@_in_blocks
def adagrad_update(
    xp: Namespace, p: Array, g: Array, s: Array, /, rate: float, sign: float, weight_decay: float, eps: float
) -> None:
    """``s += g^2; p -= rate g / (sqrt(s) + eps)``. Source: Duchi, Hazan and Singer 2011."""
    g = _gradient(p, g, sign, weight_decay)
    d = g * g
    s += d
    xp.sqrt(s, out=d)
    d += eps
    xp.divide(g, d, out=d)
    d *= rate
    p -= d


def _rms(xp: Namespace, g: Array, s: Array, a: Array | None, alpha: float, fresh: float, eps: float) -> Array:
    """``g / (sqrt(s) + eps)`` after ``s = alpha s + fresh g^2``; of the variance around the mean ``a``, if given."""
    d = g * g
    d *= fresh
    s *= alpha
    s += d
    if a is None:
        xp.sqrt(s, out=d)
    else:
        xp.subtract(g, a, out=d)
        d *= fresh
        a += d
        xp.multiply(a, a, out=d)
        xp.subtract(s, d, out=d)
        xp.maximum(d, 0, out=d)  # where all gradients were equal, rounding can leave it just below 0
        xp.sqrt(d, out=d)
    d += eps
    return xp.divide(g, d, out=d)


@elementwise(changes=("p", "s"))
@_in_blocks
def rmsprop_update(
    xp: Namespace, p: Array, g: Array, s: Array, /, rate: float, sign: float, weight_decay: float,
    alpha: float, fresh: float, eps: float,
) -> None:  # fmt: skip
    """``s = alpha s + fresh g^2; p -= rate g / (sqrt(s) + eps)``, with ``fresh = 1 - alpha``.

    Source: Tieleman and Hinton 2012, lecture 6.5; ``torch.optim.RMSprop``.
    """
    d = _rms(xp, _gradient(p, g, sign, weight_decay), s, None, alpha, fresh, eps)
    d *= rate
    p -= d


@elementwise(changes=("p", "s", "b"))
@_in_blocks
def rmsprop_momentum_update(
    xp: Namespace, p: Array, g: Array, s: Array, b: Array, /, rate: float, sign: float, weight_decay: float,
    alpha: float, fresh: float, eps: float, momentum: float,
) -> None:  # fmt: skip
    """As :func:`rmsprop_update`, the step being ``b = momentum b + g / (sqrt(s) + eps)``."""
    b *= momentum
    b += _rms(xp, _gradient(p, g, sign, weight_decay), s, None, alpha, fresh, eps)
    p -= b * rate


@elementwise(changes=("p", "s", "a"))
@_in_blocks
def rmsprop_centered_update(
    xp: Namespace, p: Array, g: Array, s: Array, a: Array, /, rate: float, sign: float, weight_decay: float,
    alpha: float, fresh: float, eps: float,
) -> None:  # fmt: skip
    """As :func:`rmsprop_update` with the variance ``s - a^2`` for ``s``, ``a`` the running mean of ``g``.

    Source: Graves 2013, "Generating sequences with recurrent neural networks".
    """
    d = _rms(xp, _gradient(p, g, sign, weight_decay), s, a, alpha, fresh, eps)
    d *= rate
    p -= d


@elementwise(changes=("p", "s", "a", "b"))
@_in_blocks
def rmsprop_centered_momentum_update(
    xp: Namespace, p: Array, g: Array, s: Array, a: Array, b: Array, /, rate: float, sign: float, weight_decay: float,
    alpha: float, fresh: float, eps: float, momentum: float,
) -> None:  # fmt: skip
    """Both."""
    b *= momentum
    b += _rms(xp, _gradient(p, g, sign, weight_decay), s, a, alpha, fresh, eps)
    p -= b * rate


def _adam(
    xp: Namespace, p: Array, g: Array, m: Array, v: Array, w: Array | None, rate: float, shrink: float,
    fresh1: float, beta2: float, fresh2: float, root: float, eps: float,
) -> None:  # fmt: skip
    d = g - m
    d *= fresh1
    m += d
    xp.multiply(g, g, out=d)
    d *= fresh2
    v *= beta2
    v += d
    if w is not None:
        v = xp.maximum(v, w, out=w)
    xp.sqrt(v, out=d)
    d /= root
    d += eps
    xp.divide(m, d, out=d)
    d *= rate
    if may_differ(shrink, 1):
        p *= shrink
    p -= d


@elementwise(changes=("p", "m", "v"))
@_in_blocks
def adam_update(
    xp: Namespace, p: Array, g: Array, m: Array, v: Array, /, rate: float, sign: float, weight_decay: float,
    shrink: float, fresh1: float, beta2: float, fresh2: float, root: float, eps: float,
) -> None:  # fmt: skip
    """``m += fresh1 (g - m); v = beta2 v + fresh2 g^2; p = shrink p - rate m / (sqrt(v) / root + eps)``.

    With ``fresh = 1 - beta``, ``rate = lr / (1 - beta1^t)``, ``root = sqrt(1 - beta2^t)``; ``shrink = 1 - lr lambda``
    is the decoupled weight decay. Source: Kingma and Ba 2015; Loshchilov and Hutter 2019 (AdamW).
    """
    g = _gradient(p, g, sign, weight_decay)
    _adam(xp, p, g, m, v, None, rate, shrink, fresh1, beta2, fresh2, root, eps)


@elementwise(changes=("p", "m", "v", "w"))
@_in_blocks
def amsgrad_update(
    xp: Namespace, p: Array, g: Array, m: Array, v: Array, w: Array, /, rate: float, sign: float, weight_decay: float,
    shrink: float, fresh1: float, beta2: float, fresh2: float, root: float, eps: float,
) -> None:  # fmt: skip
    """As :func:`adam_update` with ``w = max(w, v)`` in place of ``v``. Source: Reddi, Kale and Kumar 2018."""
    g = _gradient(p, g, sign, weight_decay)
    _adam(xp, p, g, m, v, w, rate, shrink, fresh1, beta2, fresh2, root, eps)


def _mean_and_square(
    xp: Namespace, g: Array, m: Array, v: Array, fresh1: float, beta2: float, fresh2: float
) -> None:  # fmt: skip
    """``m += fresh1 (g - m); v = beta2 v + fresh2 g^2``, the running means of many rules."""
    m += (g - m) * fresh1
    v *= beta2
    v += g * g * fresh2


@elementwise(changes=("p", "m", "v"))
@_in_blocks
def nadam_update(
    xp: Namespace, p: Array, g: Array, m: Array, v: Array, /, rate: float, sign: float, weight_decay: float,
    shrink: float, fresh1: float, beta2: float, fresh2: float, root: float, eps: float, ahead: float,
) -> None:  # fmt: skip
    """As :func:`adam_update` with the step ``(rate g + ahead m) / (sqrt(v) / root + eps)``.

    Source: Dozat 2016, "Incorporating Nesterov momentum into Adam"; ``torch.optim.NAdam``.
    """
    g = _gradient(p, g, sign, weight_decay)
    _mean_and_square(xp, g, m, v, fresh1, beta2, fresh2)
    d = xp.sqrt(v) / root + eps
    if may_differ(shrink, 1):
        p *= shrink
    p -= (g * rate + m * ahead) / d


@elementwise(changes=("p", "m", "v"))
@_in_blocks
def radam_update(
    xp: Namespace, p: Array, g: Array, m: Array, v: Array, /, rate: float, sign: float, weight_decay: float,
    shrink: float, fresh1: float, beta2: float, fresh2: float, eps: float, adapted: float,
) -> None:  # fmt: skip
    """As :func:`adam_update` with the step ``rate m / (sqrt(v) + eps)``, or ``rate m`` while ``adapted`` is 0.

    Source: Liu et al. 2020, "On the variance of the adaptive learning rate and beyond"; ``torch.optim.RAdam``.
    """
    g = _gradient(p, g, sign, weight_decay)
    _mean_and_square(xp, g, m, v, fresh1, beta2, fresh2)
    if may_differ(shrink, 1):
        p *= shrink
    p -= either(adapted != 0, lambda: m / (xp.sqrt(v) + eps), lambda: m) * rate


@elementwise(changes=("p", "m", "u"))
@_in_blocks
def adamax_update(
    xp: Namespace, p: Array, g: Array, m: Array, u: Array, /, rate: float, sign: float, weight_decay: float,
    fresh1: float, beta2: float, eps: float,
) -> None:  # fmt: skip
    """``m += fresh1 (g - m); u = max(beta2 u, |g| + eps); p -= rate m / u``, with ``rate = lr / (1 - beta1^t)``.

    Source: Kingma and Ba 2015, section 7.1; ``torch.optim.Adamax``.
    """
    g = _gradient(p, g, sign, weight_decay)
    m += (g - m) * fresh1
    u[...] = xp.maximum(u * beta2, xp.abs(g) + eps)
    p -= m / u * rate


@elementwise(changes=("p", "s", "a"))
@_in_blocks
def adadelta_update(
    xp: Namespace, p: Array, g: Array, s: Array, a: Array, /, rate: float, sign: float, weight_decay: float,
    rho: float, fresh: float, eps: float,
) -> None:  # fmt: skip
    """``s = rho s + fresh g^2; d = sqrt((a + eps) / (s + eps)) g; a = rho a + fresh d^2; p -= rate d``.

    With ``fresh = 1 - rho``. Source: Zeiler 2012, "ADADELTA: an adaptive learning rate method".
    """
    g = _gradient(p, g, sign, weight_decay)
    s *= rho
    s += g * g * fresh
    d = xp.sqrt(a + eps) / xp.sqrt(s + eps) * g
    a *= rho
    a += d * d * fresh
    p -= d * rate


@elementwise(changes=("p", "b", "s"))
@_in_blocks
def rprop_update(
    xp: Namespace, p: Array, g: Array, b: Array, s: Array, /, rate: float, sign: float, fewer: float, more: float,
    low: float, high: float, first: float,
) -> None:  # fmt: skip
    """Steps ``s`` (``rate`` at first) grow by ``more`` while the sign of the gradient stays, and shrink by ``fewer``.

    Where the sign changed since the last gradient ``b``, the parameter waits, and ``b`` becomes 0.
    Source: Riedmiller and Braun 1993, without going back; ``torch.optim.Rprop``.
    """
    if may_differ(sign, 1):
        g = g * sign
    turned = g * b
    d = either(first != 0, lambda: xp.full_like(s, rate), lambda: s)
    d = xp.where(turned > 0, d * more, xp.where(turned < 0, d * fewer, d))
    s[...] = xp.minimum(xp.maximum(d, low), high)
    b[...] = xp.where(turned < 0, 0.0, g)
    p -= xp.sign(b) * s


@elementwise(changes=("p", "a"))
@_in_blocks
def asgd_update(
    xp: Namespace, p: Array, g: Array, a: Array, /, rate: float, sign: float, weight_decay: float, shrink: float,
    fresh: float,
) -> None:  # fmt: skip
    """``p = shrink p - rate g; a += fresh (p - a)``, where ``fresh`` is 1 until averaging begins.

    Source: Polyak and Juditsky 1992; Bottou, "Stochastic gradient tricks"; ``torch.optim.ASGD``.
    """
    g = _gradient(p, g, sign, weight_decay)
    p *= shrink
    p -= g * rate
    a[...] = either(fresh != 1, lambda: a + (p - a) * fresh, lambda: p)


@elementwise(changes=("p", "m"))
@_in_blocks
def lion_update(
    xp: Namespace, p: Array, g: Array, m: Array, /, rate: float, sign: float, shrink: float, beta1: float,
    fresh1: float, beta2: float, fresh2: float,
) -> None:  # fmt: skip
    """``p = shrink p - rate sign(beta1 m + fresh1 g); m = beta2 m + fresh2 g``, with ``fresh = 1 - beta``.

    Source: Chen et al. 2023, "Symbolic discovery of optimization algorithms", algorithm 2.
    """
    if may_differ(sign, 1):
        g = g * sign
    if may_differ(shrink, 1):
        p *= shrink
    p -= xp.sign(m * beta1 + g * fresh1) * rate
    m *= beta2
    m += g * fresh2


@elementwise(changes=("u", "m", "v"))
@_in_blocks
def lamb_direction(
    xp: Namespace, u: Array, p: Array, g: Array, m: Array, v: Array, /, sign: float, weight_decay: float,
    fresh1: float, beta2: float, fresh2: float, scale: float, root: float, eps: float,
) -> None:  # fmt: skip
    """Adam's direction and the decay, ``u = scale m / (sqrt(v) / root + eps) + weight_decay p``.

    With ``scale = 1 / (1 - beta1^t)``. Source: You et al. 2020 (LAMB), whose step is ``u`` times a ratio of norms.
    """
    if may_differ(sign, 1):
        g = g * sign
    _mean_and_square(xp, g, m, v, fresh1, beta2, fresh2)
    u[...] = m / (xp.sqrt(v) / root + eps) * scale + p * weight_decay
