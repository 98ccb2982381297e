"""Products and recurrences along an axis, by doubling."""

from __future__ import annotations

from ..backend import Array, Namespace


def exclusive_product(xp: Namespace, x: Array) -> Array:
    """For each element of the last axis, the product of all the others, without a division.

    ``left_i right_i``, the products of what is before and behind, each by doubling (Hillis and Steele 1986): after
    round k every place holds the product of 2^k neighbours, so n elements take log2(n) rounds of multiplications, and
    zeros, or derivatives of any order, need no special case.

    >>> import numpy
    >>> exclusive_product(numpy, numpy.array([2.0, 0.0, 3.0])).tolist()
    [0.0, 6.0, 0.0]
    """
    n = x.shape[-1]
    if n == 0:
        return x
    ones = xp.ones_like(x)
    left = xp.concat([ones[..., :1], x[..., :-1]], axis=-1)
    right = xp.concat([x[..., 1:], ones[..., :1]], axis=-1)
    step = 1
    while step < n:
        left = left * xp.concat([ones[..., :step], left[..., :-step]], axis=-1)
        right = right * xp.concat([right[..., step:], ones[..., :step]], axis=-1)
        step *= 2
    return left * right


def weighted_tails(xp: Namespace, a: Array, b: Array, axis: int) -> Array:
    """``y_i = b_i + a_i y_{i+1}`` along an axis of n elements, of which ``a`` has n - 1.

    The composed maps of 2^k neighbours by doubling, as above: after round k, ``b_i`` is the value that the recurrence
    gives from the next 2^k elements alone, and ``a_i`` what it multiplies that behind them with.

    >>> import numpy
    >>> weighted_tails(numpy, numpy.array([2.0, 3.0]), numpy.array([1.0, 1.0, 1.0]), 0).tolist()
    [9.0, 4.0, 1.0]
    """
    before = (slice(None),) * (axis % len(b.shape))
    n = b.shape[axis]
    step = 1
    while step < n:
        head = b[(*before, slice(n - step))] + a * b[(*before, slice(step, None))]
        b = xp.concat([head, b[(*before, slice(n - step, None))]], axis=axis)
        left = max(n - 2 * step, 0)
        a = a[(*before, slice(left))] * a[(*before, slice(n - step - left, None))]
        step *= 2
    return b
