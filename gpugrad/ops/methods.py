"""Binding the operations to the Tensor: each operator runs its operation directly, with no call in between."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from sys import getrefcount
from typing import Any

from .. import backend
from ..core import Leaf, Tensor, dispatch, modes
from ..core.temporary import CALLED, check_target
from . import (
    activation,
    arithmetic,
    axes,
    comparison,
    conditions,
    creation,
    diagonals,
    dims,
    exchange,
    functions,
    indexing,
    inplace,
    keywords,
    linear,
    products,
    protocols,
    pytorch,
    pytorch_shapes,
    quantiles,
    reduction,
    rounding,
    scans,
    selection,
    shaping,
    stacking,
    trigonometry,
    ufuncs,
)

BINARY: dict[str, Any] = {
    "add": arithmetic.add,
    "sub": arithmetic.subtract,
    "mul": arithmetic.multiply,
    "truediv": arithmetic.divide,
    "floordiv": arithmetic.floor_divide,
    "mod": arithmetic.remainder,
    "pow": arithmetic.pow,
    "matmul": linear.matmul,
}
LOGICAL: dict[str, Any] = {
    "and": comparison.bitwise_and, "or": comparison.bitwise_or, "xor": comparison.bitwise_xor,
    "lshift": comparison.bitwise_left_shift, "rshift": comparison.bitwise_right_shift,
}  # fmt: skip
COMPARISON: dict[str, Any] = {
    "eq": comparison.equal, "ne": comparison.not_equal, "lt": comparison.less, "le": comparison.less_equal,
    "gt": comparison.greater, "ge": comparison.greater_equal,
}  # fmt: skip
UNARY: dict[str, Any] = {
    "neg": arithmetic.negative, "pos": arithmetic.positive, "abs": arithmetic.abs, "invert": comparison.bitwise_invert,
}  # fmt: skip
METHODS: list[Any] = [
    functions.exp, functions.log, functions.sqrt, functions.square,
    trigonometry.sin, trigonometry.cos, trigonometry.tanh,
    arithmetic.abs, rounding.round, rounding.conj, activation.relu, activation.sigmoid,
    reduction.sum, reduction.mean, reduction.max,
    reduction.min, reduction.prod, reduction.var, reduction.std, reduction.all, reduction.any, reduction.argmax,
    reduction.argmin, shaping.squeeze, shaping.swapaxes, selection.argsort, selection.nonzero,
    quantiles.argpartition, axes.ravel, stacking.repeat, diagonals.diagonal, creation.astype,
    creation.to, inplace.fill, inplace.partition, inplace.put, inplace.resize, inplace.sort,
]  # fmt: skip
COMPOSED: list[Any] = [
    arithmetic.clip, conditions.choose, scans.cumsum, scans.cumprod, selection.searchsorted, selection.take,
    diagonals.trace, products.dot,
]  # fmt: skip
"""Functions composed of operations, of which NumPy's have more parameters."""


def reflected(op: Callable[..., Tensor]) -> Callable[[Tensor, Any], Tensor]:
    """The operator with its operands exchanged, for a number or an array on the left."""
    return lambda self, other: op(other, self)


def in_place(op: Callable[..., Any]) -> Callable[[Tensor, Any], Any]:
    """``x += v``: the Tensor takes the new value, in its own dtype and shape; a scalar gives a new Tensor."""

    def update(self: Tensor, other: Any) -> Any:
        if getrefcount(self) <= CALLED:  # a[0].__iadd__(v); the operator itself holds a reference more
            check_target(self, "a[0].__iadd__(v)")
        value = op(self, other)
        if value is NotImplemented:
            return NotImplemented
        data, new = self.data, value.data
        shape = data.shape
        if not shape and _is_scalar(self, value):
            return value
        if new.shape == shape and new.dtype == data.dtype:
            self.become(value)
        else:
            inplace.take(self, value)
        return self

    return update


def _is_scalar(x: Tensor, value: Tensor) -> bool:
    """Whether ``x``, of shape ``()``, stands for a number of NumPy or Python, so that ``x += v`` means ``x = x + v``.

    Leaves are variables, and constants outside of transforms are arrays without axes: these change in place.
    """
    if x.node is None:
        return value.node is not None or modes.inside() is not None
    return not isinstance(x.node, Leaf) and (value.node is not None or modes.recording())


def _reshape(self: Tensor, *shape: Any, order: str = "C", copy: bool | None = None) -> Tensor:
    """:func:`gpugrad.reshape`; the sizes come as a tuple or one by one."""
    if order != "C" or copy is not None:
        return shaping.reshape_in_order(self, shape[0] if len(shape) == 1 else shape, order=order, copy=copy)
    return shaping.reshape(self, shape[0] if len(shape) == 1 else shape)


def _flatten(self: Tensor, order: str | int = "C", end_dim: int = -1, *, start_dim: int = 0) -> Tensor:
    """All elements along one axis, in row-major order, or for ``order="F"`` in column-major order.

    With numbers, the axes ``start_dim`` to ``end_dim`` as one: ``x.flatten(1)`` is what it is in PyTorch.
    """
    if isinstance(order, str) and not start_dim and end_dim == -1:
        return _reshape(self, -1, order=order)
    return pytorch_shapes.flatten(self, start_dim if isinstance(order, str) else order, end_dim)


def _transpose(self: Tensor, *axes: Any, dim0: int | None = None, dim1: int | None = None) -> Tensor:
    """:func:`gpugrad.permute_dims`; the axes come as a tuple or one by one, and without any they are reversed.

    Two numbers for a Tensor that has not two axes exchange these, as in PyTorch; of a matrix they are NumPy's order.
    """
    if dim0 is not None and dim1 is not None:
        return pytorch_shapes.transposed(self, dim0, dim1)
    if len(axes) == 2 and len(self.data.shape) != 2:
        return pytorch_shapes.transposed(self, *axes)
    order = axes[0] if len(axes) == 1 and not isinstance(axes[0], int) else axes
    return shaping.permute_dims(self, tuple(order) or tuple(reversed(range(self.ndim))))


def _compress(self: Tensor, condition: Any, axis: int | None = None, out: Tensor | None = None) -> Tensor:
    """:func:`gpugrad.compress`: the elements, or slices, for which the condition holds."""
    if out is not None:
        return keywords.called(conditions.compress, condition, self, axis, out=out)  # type: ignore[no-any-return]
    return conditions.compress(condition, self, axis)


def _numpys(function: Callable[..., Any]) -> Callable[..., Any]:
    """A method that takes what NumPy's function of this name takes: ``dtype``, ``out=None`` and others.

    An operation does so by itself (:func:`keywords.respelled`); a function composed of operations needs this.
    """

    def method(self: Tensor, *args: Any, **kwargs: Any) -> Any:
        known = keywords.signature(function)
        if kwargs and not dims.KEYWORDS.keys().isdisjoint(kwargs):
            kwargs = dims.respelled(kwargs)
        if len(args) >= keywords.count(function) or (kwargs and not kwargs.keys() <= known.keys()):
            return keywords.called(function, self, *args, **kwargs)
        return function(self, *args, **kwargs)

    return wraps(function)(method)


def _divmod(self: Tensor, other: Any) -> Any:
    """``divmod(x, y)``: :func:`gpugrad.divmod`."""
    return ufuncs.divmod(self, other) if dispatch.is_operand(other) else NotImplemented


def _rdivmod(self: Tensor, other: Any) -> Any:
    return ufuncs.divmod(other, self) if dispatch.is_operand(other) else NotImplemented


def _round(self: Tensor, ndigits: int | None = None) -> Tensor:
    """``round(x)`` and ``round(x, n)``: :func:`gpugrad.round`, a tensor in both cases."""
    return rounding.round(self, 0 if ndigits is None else ndigits)


def _copy(self: Tensor, order: str = "C") -> Tensor:
    """The same value in memory of its own; gradients pass. ``order`` is NumPy's, and changes nothing that is seen."""
    return arithmetic.positive(self) if self.node is not None else Tensor(backend.duplicate(self.data))


def bind() -> None:
    """Give the Tensor class its operators and methods."""
    for name, function in {**BINARY, **LOGICAL}.items():
        op = dispatch.operator(function.op)
        setattr(Tensor, f"__{name}__", op)
        setattr(Tensor, f"__r{name}__", reflected(op))
        setattr(Tensor, f"__i{name}__", in_place(op))
    for name, function in COMPARISON.items():
        setattr(Tensor, f"__{name}__", dispatch.operator(function.op))
    for name, op in UNARY.items():
        setattr(Tensor, f"__{name}__", op)
    for method in METHODS:
        setattr(Tensor, method.__name__, method)
    for method in COMPOSED:
        setattr(Tensor, method.__name__, _numpys(method))
    others: dict[str, Any] = {
        "conjugate": rounding.conj, "__divmod__": _divmod, "__rdivmod__": _rdivmod,
        "__round__": _round,
        "__getitem__": indexing.getitem, "__setitem__": indexing.setitem, "reshape": _reshape,
        "transpose": _transpose, "flatten": _flatten, "copy": _copy, "compress": _compress,
        "real": property(rounding.real, inplace.set_real, doc="The real part."),
        "imag": property(rounding.imag, inplace.set_imag, doc="The imaginary part."),
        "flat": property(inplace.Flat, inplace.set_flat, doc="The elements in row-major order, to read and write."),
        "T": property(_transpose, doc="The axes in reverse order."), "mT": property(shaping.matrix_transpose),
    }  # fmt: skip
    for name, value in others.items():
        setattr(Tensor, name, value)
    keywords.bind()
    pytorch.bind()
    protocols.bind()
    exchange.bind()
