"""Products of many matrices: powers, chains. Composed of ``matmul``, so their gradients are its own.

Source: Python array API standard 2024.12 for ``matrix_power``; ``multi_dot`` is NumPy's.
"""

from __future__ import annotations

import operator
from collections.abc import Sequence
from functools import cache

from ..backend import Array
from .creation import ones_like
from .diagonals import tril, triu
from .linear import matmul
from .matrices import as_tensor, matrices
from .nested import together
from .shaping import expand_dims, squeeze
from .solving import inv


def matrix_power(x: Array, n: int, /) -> Array:
    """``X^n`` of square matrices by squaring, of the inverse if n is negative; ``X^0`` is the identity.

    Args:
        x: shape ``(..., M, M)``.
        n: an integer.

    Raises:
        TypeError: n is no integer.
        ValueError: not square, or singular and n negative.

    >>> import gpugrad as gg
    >>> gg.linalg.matrix_power(gg.tensor([[1.0, 1.0], [0.0, 1.0]]), 3)
    tensor([[1., 3.],
            [0., 1.]])
    """
    t, exponent = matrices("matrix_power", x), operator.index(n)
    if t.shape[-1] != t.shape[-2]:
        raise ValueError(f"matrix_power: expected square matrices, got shape {t.shape}")
    if exponent == 0:
        return tril(triu(ones_like(t)))
    if exponent < 0:
        t, exponent = inv(t), -exponent
    result = None
    while exponent:
        if exponent & 1:
            result = t if result is None else matmul(result, t)
        exponent >>= 1
        if exponent:
            t = matmul(t, t)
    return result


def multi_dot(arrays: Sequence[Array]) -> Array:
    """The product of a chain of matrices, in the order that multiplies the fewest numbers.

    Source: ``numpy.linalg.multi_dot``; Cormen, Leiserson, Rivest, Stein, "Introduction to Algorithms", 15.2.

    Args:
        arrays: at least two matrices that fit together; the first and the last may be vectors.

    Raises:
        ValueError: fewer than two, other numbers of axes, or sizes that do not fit.

    >>> import gpugrad as gg
    >>> gg.linalg.multi_dot([gg.ones((2, 3)), gg.ones((3, 4)), gg.ones(4)])
    tensor([12., 12.])
    """
    chain = [as_tensor(x) for x in together("multi_dot", *arrays)]
    shapes = [x.shape for x in chain]
    inner = all(len(shape) == 2 for shape in shapes[1:-1])
    if len(chain) < 2 or not inner or not all(len(shapes[i]) in (1, 2) for i in (0, -1)):
        raise ValueError(f"multi_dot: expected at least two matrices (vectors at the ends), got shapes {shapes}")
    first, last = chain[0].ndim == 1, chain[-1].ndim == 1
    chain[0] = expand_dims(chain[0], axis=0) if first else chain[0]
    chain[-1] = expand_dims(chain[-1], axis=1) if last else chain[-1]
    sizes = [x.shape[0] for x in chain] + [chain[-1].shape[1]]

    @cache
    def best(i: int, j: int) -> tuple[int, int]:
        """The cost of the product of the matrices from i to j, and behind which one to cut it."""
        if i == j:
            return 0, i
        return min((best(i, k)[0] + best(k + 1, j)[0] + sizes[i] * sizes[k + 1] * sizes[j + 1], k) for k in range(i, j))

    def product(i: int, j: int) -> Array:
        if i == j:
            return chain[i]
        cut = best(i, j)[1]
        return matmul(product(i, cut), product(cut + 1, j))

    y = product(0, len(chain) - 1)
    gone = (*((0,) if first else ()), *((1,) if last else ()))
    return squeeze(y, axis=gone) if gone else y
