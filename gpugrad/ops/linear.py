"""Matrix products and Einstein summation."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Sequence
from functools import lru_cache
from string import ascii_letters
from typing import Any

from ..backend import Array, Namespace
from ..backend.dtypes import COMMON
from ..core import Tensor, primitive
from ..kernels.indexing import place_at
from ..kernels.wide import common, lies_on_host, rounded, short, wider
from .creation import asarray, astype
from .nested import together
from .shaping import permute_dims

Shape = tuple[int, ...]


@primitive(batch="matmul", cast="lower")
def matmul(xp: Namespace, x1: Array, x2: Array, /) -> Array:
    """The matrix product ``x1 @ x2`` of shapes ``(..., M, K)`` and ``(..., K, N)``, batch axes broadcast.

    A vector ``(K,)`` counts as a row on the left, as a column on the right. Gradients: ``g x2^T`` and ``x1^T g``.
    Source: Python array API standard 2024.12; CS224n, gradient notes.

    Raises:
        ValueError: the inner sizes differ, or an operand is 0-d.

    >>> import gpugrad as gg
    >>> gg.matmul(gg.tensor([[1.0, 2.0]]), gg.tensor([[3.0], [4.0]]))
    tensor([[11.]])
    """
    try:
        unusual = x1.dtype.num > COMMON or (len(x1.shape) > 2 and len(x2.shape) < 3)
    except AttributeError:  # a number, which has no product
        unusual = False
    return _product(xp, x1, x2) if unusual else xp.matmul(x1, x2)


def _product(xp: Namespace, x1: Array, x2: Array) -> Array:
    """The product of rare dtypes, and of many matrices with one: as rows, since array libraries multiply one by one."""
    many = len(x2.shape) > 2
    a, b = _for_product(xp, x1, many), _for_product(xp, x2, many)
    if many or len(a.shape) < 3 or not b.shape:
        y = xp.matmul(a, b)
    else:
        y = xp.reshape(xp.matmul(_rows(xp, a), b), (*a.shape[:-1], *b.shape[1:]))
    return y if a is x1 and b is x2 else rounded(xp, y, common((x1, x2)))


def _for_product(xp: Namespace, x: Array, many: bool) -> Array:
    """A factor in a dtype that can be multiplied: BLAS knows no short floats, cuBLAS no batches of bfloat16 in CuPy."""
    if not short(x):
        return x
    on_host = lies_on_host(x.data if isinstance(x, Tensor) else x)
    return wider(xp, x) if on_host or (many and x.dtype.name == "bfloat16") else x


def _T(xp: Namespace, x: Array) -> Array:  # noqa: N802
    return xp.permute_dims(x, (*range(len(x.shape) - 2), len(x.shape) - 1, len(x.shape) - 2))


def _rows(xp: Namespace, x: Array) -> Array:
    """All axes but the last as one; -1 would not do where a size is 0."""
    return xp.reshape(x, (math.prod(x.shape[:-1]), x.shape[-1]))


def _matrices(xp: Namespace, g: Array, x1_shape: Shape, x2_shape: Shape) -> Array:
    """``g`` with the axes that a vector operand left out; products with a wide g are computed as wide."""
    g = _for_product(xp, g, len(x2_shape) > 2)
    if len(x1_shape) == 1:
        g = xp.expand_dims(g, axis=-1 if len(x2_shape) == 1 else -2)
    return xp.expand_dims(g, axis=-1) if len(x2_shape) == 1 else g


def _matmul_x1(xp: Namespace, g: Array, x2: Array, x1_shape: Shape, x2_shape: Shape) -> Array:
    g = _matrices(xp, g, x1_shape, x2_shape)
    if len(x2_shape) == 1:
        d = g * x2
    elif len(x2_shape) == 2 and len(g.shape) > 2:  # one large product instead of many small ones
        d = xp.reshape(_rows(xp, g) @ _T(xp, x2), (*g.shape[:-1], x2_shape[0]))
    else:
        d = g @ _T(xp, x2)
    return xp.squeeze(d, axis=-2) if len(x1_shape) == 1 else d


def _matmul_x2(
    xp: Namespace, g: Array, x1: Array, x1_shape: Shape, x2_shape: Shape, x2_turned: bool
) -> Array:  # fmt: skip
    g = _matrices(xp, g, x1_shape, x2_shape)
    if len(x1_shape) == 1:
        d = xp.expand_dims(x1, axis=-1) * g
    else:
        if len(x2_shape) <= 2 and len(x1_shape) > 2:
            x1, g = _rows(xp, x1), _rows(xp, g)
        # a parameter that is turned gets a gradient that, turned back, lies in memory as the parameter does
        d = _T(xp, _T(xp, g) @ x1) if x2_turned else _T(xp, x1) @ g
    return xp.squeeze(d, axis=-1) if len(x2_shape) == 1 else d


matmul.vjp(x1=_matmul_x1, x2=_matmul_x2)


@primitive(batch="einsum", wide=True, cast="lower")
def _einsum(xp: Namespace, *operands: Array, terms: tuple[str, ...], result: str) -> Array:
    return xp.einsum(f"{','.join(terms)}->{result}", *operands, optimize=_worth_planning(operands))


def _worth_planning(operands: Sequence[Array]) -> bool:
    """Whether finding a good order of contraction, and BLAS for it, pays for the search."""
    return len(operands) > 2 or any(math.prod(x.shape) > 4096 for x in operands)


@_einsum.joint_vjp
def _einsum_operands(
    xp: Namespace,
    g: Array,
    wanted: tuple[int, ...],
    operands: tuple[Array, ...],
    operands_shape: tuple[Shape, ...],
    terms: tuple[str, ...],
    result: str,
) -> list[Array]:
    gradients = []
    for i in wanted:
        others = [k for k in range(len(terms)) if k != i]
        found = set(result).union(*(terms[k] for k in others))
        target = "".join(label for label in terms[i] if label in found)
        equation = f"{','.join([result, *(terms[k] for k in others)])}->{target}"
        factors = [g, *(operands[k] for k in others)]
        d = xp.einsum(equation, *factors, optimize=_worth_planning(factors))
        shape, known = operands_shape[i], iter(d.shape)
        full = tuple(next(known) if label in found else 1 for label in terms[i])
        whole = tuple(m if n == 1 else n for n, m in zip(full, shape, strict=True))
        gradients.append(xp.broadcast_to(xp.reshape(d, full), whole))
    return gradients


def _lettered(operands: Sequence[Any]) -> tuple[str, list[Any]]:
    """``x, [0, 1], y, [1], [0]`` as ``"AB,B->A"`` and the operands: NumPy's other way to write the same."""
    arrays, lists = list(operands[0 : len(operands) // 2 * 2 : 2]), list(operands[1::2])
    numbers = {label for labels in (*lists, *operands[len(arrays) * 2 :]) for label in labels if label is not Ellipsis}
    if not all(isinstance(label, int) for label in numbers) or len(numbers) > len(ascii_letters):
        raise ValueError(f"einsum: expected lists of at most {len(ascii_letters)} different integers, got {lists}")
    letters = dict(zip(sorted(numbers), sorted(ascii_letters), strict=False))

    def term(labels: Sequence[Any]) -> str:
        return "".join("..." if label is Ellipsis else letters[label] for label in labels)

    result = f"->{term(operands[-1])}" if len(operands) % 2 else ""
    return ",".join(map(term, lists)) + result, arrays


def einsum(subscripts: Any, *operands: Any, optimize: Any = True, dtype: Any = None) -> Array:
    """Einstein summation: products summed over the labels that the result does not name.

    Args:
        subscripts: as for ``numpy.einsum``, ``"ij,jk->ik"``; a label may repeat within an operand (its diagonal),
            ``...`` stands for axes that broadcast, and without ``->`` the result has the labels that occur once. Or
            operands, each followed by the list of its labels, as integers, and perhaps the list of the result.
        operands: one a term.
        optimize: accepted for NumPy's sake; more than two operands are always contracted in a good order.
        dtype: of the computation; None for that of the operands.

    Raises:
        ValueError: the subscripts do not fit the operands.

    >>> import gpugrad as gg
    >>> gg.einsum("ij,j->i", gg.tensor([[1.0, 2.0], [3.0, 4.0]]), gg.tensor([1.0, 1.0]))
    tensor([3., 7.])
    """
    if not isinstance(subscripts, str):
        if len(operands) < 1 or not isinstance(operands[0], list | tuple):
            raise ValueError(f"einsum: expected subscripts such as 'ij,jk->ik', got {subscripts!r}")
        subscripts, operands = _lettered((subscripts, *operands))  # type: ignore[assignment]
    operands = together("einsum", *operands)
    if dtype is not None:
        operands = tuple(astype(asarray(x), dtype) for x in operands)
    parsed, result = _parsed(subscripts, tuple([len(x.shape) for x in operands]))
    arrays, terms = list(operands), list(parsed)
    for k, term in enumerate(parsed):
        for label in sorted(set(term)) if len(set(term)) < len(term) else ():
            while term.count(label) > 1:
                first = term.index(label)
                second = term.index(label, first + 1)
                if arrays[k].shape[first] != arrays[k].shape[second]:
                    raise ValueError(f"einsum: {label!r} names axes of different size in operand {k} {arrays[k].shape}")
                arrays[k] = _diagonal(arrays[k], first, second)
                term = "".join(c for i, c in enumerate(term) if i not in (first, second)) + label
        terms[k] = term
    if len(terms) == 1 and len(terms[0]) == len(result):  # NumPy would give a view
        return permute_dims(arrays[0], tuple(map(terms[0].index, result)))
    return _einsum(*arrays, terms=tuple(terms), result=result)


@lru_cache(1024)
def _parsed(subscripts: str, ndims: tuple[int, ...]) -> tuple[tuple[str, ...], str]:
    """The labels of each operand and of the result, ``...`` written out in unused letters."""

    def wrong(why: str) -> ValueError:
        return ValueError(f"einsum: {subscripts!r} does not fit {len(ndims)} operands with {ndims} axes: {why}")

    if not re.fullmatch(r"[a-zA-Z.,\s]*(->[a-zA-Z.\s]*)?", subscripts):
        raise ValueError(f"einsum: expected subscripts such as 'ij,jk->ik', got {subscripts!r}")
    inputs, arrow, result = subscripts.replace(" ", "").partition("->")
    terms = inputs.split(",")
    if len(terms) != len(ndims):
        raise wrong(f"{len(terms)} terms")
    free = [c for c in ascii_letters if c not in subscripts]
    dots = 0
    for term, ndim in zip(terms, ndims, strict=True):
        named = len(term.replace("...", ""))
        if named > ndim or ("..." not in term and named != ndim):
            raise wrong(f"{term!r} names {named} axes")
        if "..." in term:
            dots = max(dots, ndim - named)
    extra = "".join(free[:dots])
    written = []
    for term, ndim in zip(terms, ndims, strict=True):
        missing = ndim - len(term.replace("...", ""))
        written.append(term.replace("...", extra[dots - missing :]))
    if not arrow:
        once = sorted(c for c, n in Counter("".join(terms).replace(".", "")).items() if n == 1)
        result = "..." + "".join(once)
    result = result.replace("...", extra)
    unknown = set(result) - set("".join(written))
    if unknown or len(set(result)) != len(result):
        raise wrong(f"the result {result!r} names an axis twice or one that no term has")
    return tuple(written), result


@primitive(batch=("any_axes", "axis1", "axis2"), view=True)
def _diagonal(xp: Namespace, x: Array, /, axis1: int, axis2: int) -> Array:
    return xp.diagonal(x, 0, axis1, axis2)


@primitive(batch="on_diagonal")
def _on_diagonal(xp: Namespace, d: Array, /, axis1: int, axis2: int, shape: Shape) -> Array:
    """Zeros of ``shape`` with ``d`` on the diagonal of two axes."""
    if len(shape) == 2 and shape[0] == shape[1]:
        return xp.diag(d)
    order = (*(i for i in range(len(shape)) if i not in (axis1, axis2)), axis1, axis2)
    along = xp.arange(shape[axis1])
    moved = place_at(xp, d, (..., along, along), tuple(shape[i] for i in order))
    return xp.permute_dims(moved, tuple(sorted(range(len(order)), key=order.__getitem__)))


_diagonal.vjp(x=lambda xp, g, axis1, axis2, x_shape: _on_diagonal.on(xp, g, axis1=axis1, axis2=axis2, shape=x_shape))
_on_diagonal.vjp(d=lambda xp, g, axis1, axis2: _diagonal.on(xp, g, axis1, axis2))
