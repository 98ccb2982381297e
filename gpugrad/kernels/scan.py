"""Products along the last axis."""

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
