"""Choosing by conditions, and questions about values.

Source: NumPy.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .. import backend
from ..backend import Array, Namespace
from ..backend.dtypes import bool_, int8
from ..core import Tensor, dispatch, primitive
from ..core.modes import careful
from ..core.operation import extend
from . import reduction
from .arithmetic import where
from .axes import ravel
from .beside import beside
from .comparison import equal, isnan, logical_and, logical_or, not_equal
from .creation import asarray, astype, ones_like, zeros_like
from .indexing import getitem, set_at
from .inspection import broadcast_shapes
from .nested import together
from .rounding import imag
from .selection import in_range, nonzero, take, take_along_axis
from .shaping import broadcast_to, expand_dims, reshape, stack


def _tensor(value: Any, other: Any = None) -> Tensor:
    return beside(value, other) if isinstance(other, Tensor) else asarray(value)


# -------------------------------------------------------------------- choosing


def _positions(condition: Array, *others: Any) -> tuple[Array, ...]:
    """``where`` of a condition alone: :func:`nonzero`."""
    if others:
        raise TypeError(f"where: expected a condition alone or with two choices, got {1 + len(others)} arguments")
    return nonzero(asarray(condition))


extend(where, _positions)


def select(conditions: Sequence[Array], choices: Sequence[Array], default: Array = 0) -> Array:
    """For each element, the choice of the first condition that holds, or the default; the others get gradient 0.

    Args:
        conditions: booleans; they and the choices broadcast.
        choices: one a condition.
        default: a number or a tensor.

    Raises:
        ValueError: not one choice for each condition, or none.

    >>> import gpugrad as gg
    >>> x = gg.tensor([-1.0, 0.5, 2.0])
    >>> gg.select([x < 0, x < 1], [-x, x * 10], 7.0)
    tensor([1., 5., 7.])
    """
    if len(conditions) != len(choices) or not conditions:
        raise ValueError(f"select: expected a choice for each condition, got {len(conditions)} and {len(choices)}")
    y = default
    for condition, choice in reversed([*zip(conditions, choices, strict=True)]):
        y = where(condition, choice, y)
    return y


def piecewise(
    x: Array, conditions: Sequence[Array] | Array, functions: Sequence[Any], *args: Any, **kwargs: Any
) -> Array:
    """For each element, the function of the last condition that holds; each sees those elements alone.

    So ``sqrt`` of a negative number is not taken, and its gradient not either. The GPU is waited for; :func:`select`
    does not wait, and computes everything everywhere.

    Under :func:`vmap`, where the number of these elements differs between samples, functions must be elementwise.

    Args:
        x: shape ``(...)``.
        conditions: booleans of that shape.
        functions: one a condition, and perhaps one more for where none holds (0 if not): functions of a vector, or
            numbers.
        args: more arguments of the functions.
        kwargs: the same by name.

    Raises:
        ValueError: not as many functions.
        TypeError: under :func:`vmap`, a function calls an operation that is not elementwise.

    >>> import gpugrad as gg
    >>> x = gg.tensor([-4.0, 4.0], requires_grad=True)
    >>> y = gg.piecewise(x, [x > 0], [gg.sqrt, -1.0])
    >>> y.sum().backward()
    >>> y, x.grad
    (tensor([-1.,  2.], op=set_at), tensor([0.  , 0.25]))
    """
    t = asarray(x)
    listed = [conditions] if hasattr(conditions, "shape") else conditions
    masks = [c if isinstance(c, Tensor) else asarray(c, device=t.device) for c in listed]
    if len(functions) not in (len(masks), len(masks) + 1):
        raise ValueError(f"piecewise: expected {len(masks)} or {len(masks) + 1} functions, got {len(functions)}")
    y: Tensor = zeros_like(t)
    pieces = [*zip(masks, functions, strict=False)]
    if len(functions) > len(masks):
        anywhere = masks[0]
        for mask in masks[1:]:
            anywhere = logical_or(anywhere, mask)
        pieces.insert(0, (equal(anywhere, False), functions[-1]))
    mapped = dispatch.mapped(t) or any(map(dispatch.mapped, masks))
    for mask, function in pieces:
        if mapped:
            y = _piece_of_each(t, mask, function, args, kwargs, y)
        else:
            y = set_at(y, mask, function(getitem(t, mask), *args, **kwargs) if callable(function) else function)
    return y


def _piece_of_each(t: Tensor, mask: Tensor, function: Any, args: Any, kwargs: Any, y: Tensor) -> Tensor:
    """``y`` with the function where the mask holds, for many samples whose masks differ.

    The function is called for all elements. Those that it must not see are replaced by one that it may, and ``where``
    lets no gradient through there. That is the same as long as the function is elementwise.
    """
    value = function
    if callable(function):
        flat, held = reshape(t, (-1,)), reshape(mask, (-1,))
        some = where(reduction.any(held), getitem(flat, reduction.argmax(astype(held, int8))), 1).detach()
        with careful.elementwise_only("piecewise"):
            value = function(where(held, flat, some), *args, **kwargs)
        value = beside(value, t)
        value = reshape(value, t.shape) if value.shape == flat.shape else value
    return where(mask, set_at(zeros_like(t), ..., value), y)


def choose(index: Array, choices: Sequence[Array] | Array, mode: str = "raise") -> Array:
    """For each element the choice that ``index`` names there: ``choices[index[i]][i]``.

    Args:
        index: integers; they and the choices broadcast.
        choices: tensors, or one whose first axis they are.
        mode: for numbers of no choice: "raise", "wrap" around, or "clip" to the nearest.

    Raises:
        IndexError: out of bounds.
        ValueError: another mode.

    >>> import gpugrad as gg
    >>> gg.choose(gg.tensor([0, 1]), [gg.tensor([1.0, 2.0]), gg.tensor([3.0, 4.0])])
    tensor([1., 4.])
    """
    listed = [_tensor(c) for c in together("choose", *choices)]
    number = _tensor(index, listed[0] if listed else None)
    shape = broadcast_shapes(number.shape, *(c.shape for c in listed))
    table = stack([c if c.shape == shape else broadcast_to(c, shape) for c in listed])
    number = number if number.shape == shape else broadcast_to(number, shape)
    number = in_range("choose", number, len(listed), mode)
    return take_along_axis(table, expand_dims(number, 0), axis=0)[0]


def compress(condition: Array, x: Array, axis: int | None = None) -> Tensor:
    """The slices of ``x`` along ``axis`` (None: the elements) for which the condition, shape ``(N,)``, holds.

    Raises:
        ValueError: the condition has not one axis.

    >>> import gpugrad as gg
    >>> gg.compress([True, False], gg.tensor([[1.0, 2.0], [3.0, 4.0]]), axis=0)
    tensor([[1., 2.]])
    """
    t = x if isinstance(x, Tensor) else asarray(x)
    mask = _tensor(condition, t)
    if mask.ndim != 1:
        raise ValueError(f"compress: expected a condition of shape (N,), got shape {mask.shape}")
    return take(t, nonzero(mask)[0], axis=axis)  # far faster in NumPy than a random mask as an index


def extract(condition: Array, x: Array) -> Array:
    """The elements of ``x`` where the condition of the same shape holds, along one axis.

    >>> import gpugrad as gg
    >>> x = gg.tensor([[1.0, 2.0], [3.0, 4.0]])
    >>> gg.extract(x > 1.5, x)
    tensor([2., 3., 4.])
    """
    t = asarray(x)
    return take(t, nonzero(ravel(_tensor(condition, t)))[0])


# -------------------------------------------------------------------- questions


@primitive(batch="elementwise")
def isclose(
    xp: Namespace, x1: Array, x2: Array, /, rtol: float = 1e-05, atol: float = 1e-08, equal_nan: bool = False
) -> Array:
    """Whether ``|x1 - x2| <= atol + rtol |x2|``, element by element; equal infinities are close.

    >>> import gpugrad as gg
    >>> gg.isclose(gg.tensor([1.0, 2.0]), gg.tensor([1.000001, 2.1]))
    tensor([ True, False])
    """
    return xp.isclose(x1, x2, rtol=rtol, atol=atol, equal_nan=equal_nan)


isclose.nondifferentiable()


def allclose(x1: Array, x2: Array, /, rtol: float = 1e-05, atol: float = 1e-08, equal_nan: bool = False) -> bool:
    """Whether all elements are close (see :func:`isclose`): True or False, for which the GPU is waited for.

    >>> import gpugrad as gg
    >>> gg.allclose(gg.tensor([1.0, 2.0]), 1.0)
    False
    """
    return bool(reduction.all(isclose(x1, x2, rtol=rtol, atol=atol, equal_nan=equal_nan)))


def array_equal(x1: Array, x2: Array, /, equal_nan: bool = False) -> bool:
    """Whether shapes and elements are the same: True or False, for which the GPU is waited for.

    >>> import gpugrad as gg
    >>> gg.array_equal(gg.tensor([1.0, 2.0]), gg.tensor([1.0, 2.0]))
    True
    """
    a = _tensor(x1, x2)
    b = _tensor(x2, a)
    if a.shape != b.shape:
        return False
    same = equal(a, b)
    return bool(reduction.all(logical_or(same, logical_and(isnan(a), isnan(b))) if equal_nan else same))


def array_equiv(x1: Array, x2: Array, /) -> bool:
    """Whether the elements are the same once one is broadcast to the shape of the other; as :func:`array_equal`.

    >>> import gpugrad as gg
    >>> gg.array_equiv(gg.tensor([1.0, 1.0]), gg.tensor([1.0]))
    True
    """
    a = _tensor(x1, x2)
    b = _tensor(x2, a)
    try:
        broadcast_shapes(a.shape, b.shape)
    except ValueError:
        return False
    return bool(reduction.all(equal(a, b)))


def isneginf(x: Array, /) -> Array:
    """Whether it is minus infinity, element by element.

    >>> import gpugrad as gg
    >>> gg.isneginf(gg.tensor([1.0, -gg.inf, gg.inf]))
    tensor([False,  True, False])
    """
    return equal(x, -float("inf"))


def isposinf(x: Array, /) -> Array:
    """Whether it is plus infinity, element by element.

    >>> import gpugrad as gg
    >>> gg.isposinf(gg.tensor([1.0, -gg.inf, gg.inf]))
    tensor([False, False,  True])
    """
    return equal(x, float("inf"))


def isreal(x: Array, /) -> Array:
    """Whether the imaginary part is 0, element by element.

    >>> import gpugrad as gg
    >>> gg.isreal(gg.tensor([1 + 2j, 3 + 0j]))
    tensor([False,  True])
    """
    t = asarray(x)
    return equal(imag(t), 0) if t.dtype.kind == "c" else ones_like(t, dtype=bool_)


def iscomplex(x: Array, /) -> Array:
    """Whether the imaginary part is not 0, element by element.

    >>> import gpugrad as gg
    >>> gg.iscomplex(gg.tensor([1 + 2j, 3 + 0j]))
    tensor([ True, False])
    """
    t = asarray(x)
    return not_equal(imag(t), 0) if t.dtype.kind == "c" else zeros_like(t, dtype=bool_)


def isscalar(value: Any, /) -> bool:
    """Whether it is a number, of Python or NumPy; a tensor is none, whatever its shape.

    >>> import gpugrad as gg
    >>> gg.isscalar(3.0), gg.isscalar(gg.tensor(3.0))
    (True, False)
    """
    return isinstance(value, bool | int | float | complex) or (
        hasattr(value, "dtype") and getattr(value, "shape", None) == () and not backend.is_array(value)
        and not isinstance(value, Tensor)
    )  # fmt: skip


def flatnonzero(x: Array, /) -> Array:
    """The positions, in the flattened tensor, of the elements that are not 0. The GPU is waited for.

    >>> import gpugrad as gg
    >>> gg.flatnonzero(gg.tensor([[0.0, 3.0], [5.0, 0.0]]))
    tensor([1, 2])
    """
    return nonzero(ravel(asarray(x)))[0]


def argwhere(x: Array, /) -> Array:
    """The positions of the elements that are not 0: shape ``(K, ndim)``, a row for each. The GPU is waited for.

    >>> import gpugrad as gg
    >>> gg.argwhere(gg.tensor([[0.0, 3.0], [5.0, 0.0]]))
    tensor([[0, 1],
            [1, 0]])
    """
    t = asarray(x)
    return stack(nonzero(t), axis=1) if t.ndim else flatnonzero(t)[:, None][:, :0]
