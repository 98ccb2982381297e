"""PyTorch's names of operations, for Tensors and for :mod:`gpugrad.torch`: one table, no second implementation.

Where the meaning is the same, a name stands beside an operation of gpugrad, called as PyTorch calls it. Where NumPy has
the name with another meaning, or nothing corresponds, it stands beside a sentence that says what to write instead.

To add a name: a row in ``BOTH`` (a function and a method), ``METHODS`` or ``SENTENCES``, and one in
``tests/pytorch/spellings.py``. :mod:`gpugrad.torch.names` has what is a function only.

Source: the documentation of ``torch`` and ``torch.Tensor``.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable
from importlib import import_module
from sys import getrefcount
from typing import Any

from .. import backend
from ..backend import dtypes
from ..core import Leaf, Tensor
from ..core.errors import user_line
from ..core.temporary import CALLED, check_called, is_part
from . import (
    activation,
    aliases,
    arithmetic,
    axes,
    comparison,
    conditions,
    counting,
    covariance,
    creation,
    determinants,
    diagonals,
    editing,
    functions,
    inplace,
    linear,
    norms,
    powers,
    products,
    quantiles,
    reduction,
    rounding,
    scans,
    selection,
    sets,
    shaping,
    shorthand,
    softmax,
    solving,
    special,
    stacking,
    statistics,
    trigonometry,
    ufuncs,
)
from .decompositions import cholesky
from .dims import KEYWORDS, MEANINGS
from .dims import respelled as renamed
from .matrix_functions import expm
from .pytorch_shapes import (
    chunk,
    diag_embed,
    expand,
    flatten,
    gather,
    index_add,
    index_copy,
    index_fill,
    index_put,
    index_select,
    masked_fill,
    masked_select,
    narrow,
    scatter,
    scatter_add,
    select,
    sizes,
    tensor_split,
    unflatten,
    unfold,
    view,
)

FAMILIES = (
    activation, aliases, arithmetic, axes, comparison, conditions, counting, covariance, determinants, diagonals,
    editing, functions, linear, powers, products, reduction, rounding, scans, selection, shaping, shorthand, softmax,
    special, stacking, statistics, trigonometry, ufuncs,
)  # fmt: skip

SAME = [
    "abs", "absolute", "acos", "acosh", "all", "allclose", "angle", "any", "arccos", "arccosh", "arcsin", "arcsinh",
    "arctan", "arctan2", "arctanh", "argmax", "argmin", "argwhere", "asin", "asinh", "atan", "atan2", "atanh",
    "bincount", "bitwise_and", "bitwise_or", "bitwise_xor", "ceil", "conj", "copysign", "corrcoef", "cos", "cosh",
    "count_nonzero", "cov", "cumprod", "cumsum", "deg2rad", "diff", "digamma", "dot", "erf", "erfc", "erfinv", "exp",
    "exp2", "expm1", "fix", "fliplr", "flipud", "float_power", "floor", "floor_divide", "fmax", "fmin", "fmod",
    "greater", "greater_equal", "heaviside", "hypot", "imag", "inner", "isclose", "isfinite", "isin", "isinf", "isnan",
    "isneginf", "isposinf", "isreal", "kron", "ldexp", "less", "less_equal", "log", "log10", "log1p", "log2",
    "logaddexp", "logaddexp2", "logical_and", "logical_not", "logical_or", "logical_xor", "logsumexp", "matmul",
    "matrix_power", "maximum", "mean", "minimum", "moveaxis", "multiply", "nan_to_num", "nanmean", "nansum", "negative",
    "nextafter", "not_equal", "outer", "positive", "prod", "rad2deg", "real", "reciprocal", "relu", "remainder",
    "round", "sigmoid", "sign", "signbit", "sin", "sinc", "sinh", "slogdet", "sqrt", "square", "squeeze", "sum", "take",
    "tan", "tanh", "trace", "true_divide", "trunc", "vdot", "xlogy",
]  # fmt: skip
"""What gpugrad has under the same name with the same meaning."""


def named(name: str) -> Callable[..., Any]:
    """gpugrad's operation of a name in ``SAME``.

    >>> named("absolute").__name__
    'abs'
    """
    return next(found for family in FAMILIES if callable(found := vars(family).get(name)))  # type: ignore[no-any-return]


def _moments(function: Callable[..., Any]) -> Callable[..., Any]:
    """``var`` and ``std``, where the call says what the sum of squares is divided by."""
    name = function.__name__

    def call(
        input: Tensor, dim: Any = None, unbiased: bool | None = None, keepdim: bool = False, *, correction: Any = None
    ) -> Tensor:
        if isinstance(dim, bool):  # x.std(False)
            dim, unbiased = None, dim
        if correction is None and unbiased is None:
            raise TypeError(f"{name}: {MEANINGS[name]}")
        return function(input, axis=dim, correction=unbiased if correction is None else correction, keepdims=keepdim)  # type: ignore[no-any-return]

    return call


def _listed(function: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """A function of axes that come one by one, as one sequence, or by the name ``dims``."""

    def call(input: Tensor, *given: Any, dims: Any = None) -> Tensor:
        return function(input, sizes(given if dims is None else (dims,)))

    return call


def _norm(input: Tensor, p: Any = 2, dim: Any = None, keepdim: bool = False, *, dtype: Any = None) -> Tensor:
    if p == "nuc":
        raise TypeError("norm: write gg.linalg.norm(x, 'nuc')")
    given = input if dtype is None else creation.astype(input, dtype)
    return norms.vector_norm(given, axis=dim, keepdims=keepdim, ord=2 if p in (None, "fro") else p)


def _div(input: Any, other: Any, *, rounding_mode: str | None = None) -> Tensor:
    if rounding_mode not in (None, "floor", "trunc"):
        raise ValueError(f"div: expected the rounding mode None, 'floor' or 'trunc', got {rounding_mode!r}")
    if rounding_mode == "floor":
        return arithmetic.floor_divide(input, other)
    quotient = arithmetic.divide(input, other)
    if rounding_mode is None:
        return quotient
    kinds = [getattr(v, "dtype", None) for v in (input, other)]
    whole = all(
        isinstance(v, int) if kind is None else kind.kind in "biu"
        for v, kind in zip((input, other), kinds, strict=True)
    )
    return creation.astype(rounding.trunc(quotient), dtypes.int64) if whole else rounding.trunc(quotient)


def _clamp(input: Tensor, min: Any = None, max: Any = None) -> Tensor:
    if min is None and max is None:
        raise ValueError("clamp: expected min, max or both")
    return arithmetic.clip(input, min, max)


def _weighted(input: Tensor, product: Tensor, beta: Any, alpha: Any) -> Tensor:
    """``beta * input + alpha * product``; with ``beta=0`` the input is ignored, NaN or not."""
    product = product if alpha == 1 else product * alpha
    return product if beta == 0 else (input if beta == 1 else input * beta) + product


def _cross(input: Tensor, other: Any, dim: int | None = None) -> Tensor:
    if dim is None:
        dim = input.shape.index(3) if 3 in input.shape else -1
    return products.cross(input, other, axis=dim)  # type: ignore[no-any-return]


def _sgn(input: Tensor) -> Tensor:
    return arithmetic.sign(input)  # type: ignore[no-any-return]


def _unique(
    input: Tensor,
    sorted: bool = True,
    return_inverse: bool = False,
    return_counts: bool = False,
    dim: int | None = None,
) -> Any:
    return sets.unique(input, return_inverse=return_inverse, return_counts=return_counts, axis=dim)


def _aminmax(input: Tensor, *, dim: int | None = None, keepdim: bool = False) -> tuple[Tensor, Tensor]:
    return reduction.min(input, axis=dim, keepdims=keepdim), reduction.max(input, axis=dim, keepdims=keepdim)


def _logcumsumexp(input: Tensor, dim: int) -> Tensor:
    top = reduction.max(input, axis=dim, keepdims=True).detach()
    return functions.log(scans.cumsum(functions.exp(input - top), dim)) + top


BOTH: dict[str, Callable[..., Any]] = {
    # shapes
    "amax": lambda input, dim=None, keepdim=False: reduction.max(input, axis=dim, keepdims=keepdim),
    "amin": lambda input, dim=None, keepdim=False: reduction.min(input, axis=dim, keepdims=keepdim),
    "broadcast_to": lambda input, *size: shaping.broadcast_to(input, sizes(size)),
    "chunk": chunk,
    "diag": lambda input, diagonal=0: diagonals.diag(input, diagonal),
    "diag_embed": diag_embed,
    "diagonal": lambda input, offset=0, dim1=0, dim2=1: diagonals.diagonal(input, offset, dim1, dim2),
    "flatten": flatten,
    "flip": _listed(lambda input, dims: shaping.flip(input, dims)),
    "gather": gather,
    "index_add": index_add,
    "index_copy": index_copy,
    "index_fill": index_fill,
    "index_put": index_put,
    "index_select": index_select,
    "masked_fill": masked_fill,
    "masked_select": masked_select,
    "movedim": lambda input, source, destination: axes.moveaxis(input, source, destination),
    "narrow": narrow,
    "permute": _listed(lambda input, dims: shaping.permute_dims(input, dims)),
    "ravel": lambda input: shaping.reshape(input, (-1,)),
    "repeat_interleave": lambda input, repeats, dim=None: stacking.repeat(input, repeats, dim),
    "roll": lambda input, shifts, dims=None: axes.roll(input, shifts, dims),
    "rot90": lambda input, k=1, dims=(0, 1): axes.rot90(input, k, tuple(dims)),
    "scatter": scatter,
    "scatter_add": scatter_add,
    "select": select,
    "swapaxes": lambda input, axis0, axis1: shaping.swapaxes(input, axis0, axis1),
    "swapdims": lambda input, dim0, dim1: shaping.swapaxes(input, dim0, dim1),
    "t": lambda input: shaping.swapaxes(input, 0, -1) if len(input.shape) < 3 else _not_a_matrix(input),
    "take_along_dim": lambda input, indices, dim=None: selection.take_along_axis(input, indices, dim),
    "tensor_split": tensor_split,
    "tile": _listed(lambda input, dims: stacking.tile(input, dims)),
    "tril": lambda input, diagonal=0: diagonals.tril(input, k=diagonal),
    "triu": lambda input, diagonal=0: diagonals.triu(input, k=diagonal),
    "unbind": lambda input, dim=0: shaping.unstack(input, axis=dim),
    "unflatten": unflatten,
    "unfold": unfold,
    "unsqueeze": lambda input, dim: shaping.expand_dims(input, dim),
    # elements
    "add": lambda input, other, *, alpha=1: arithmetic.add(input, other if alpha == 1 else other * alpha),
    "addcdiv": lambda input, tensor1, tensor2, *, value=1: input + value * (tensor1 / tensor2),
    "addcmul": lambda input, tensor1, tensor2, *, value=1: input + value * (tensor1 * tensor2),
    "bitwise_not": lambda input: comparison.bitwise_invert(input),
    "clamp": _clamp,
    "clamp_max": lambda input, max: arithmetic.clip(input, None, max),
    "clamp_min": lambda input, min: arithmetic.clip(input, min, None),
    "clip": _clamp,
    "div": _div,
    "divide": _div,
    "eq": lambda input, other: comparison.equal(input, other),
    "frac": lambda input: input - rounding.trunc(input),
    "ge": lambda input, other: comparison.greater_equal(input, other),
    "gt": lambda input, other: comparison.greater(input, other),
    "isreal": lambda input: conditions.isreal(input),
    "le": lambda input, other: comparison.less_equal(input, other),
    "lerp": lambda input, end, weight: input + weight * (end - input),
    "lgamma": lambda input: special.gammaln(input),
    "logit": lambda input, eps=None: special.logit(input if eps is None else arithmetic.clip(input, eps, 1 - eps)),
    "lt": lambda input, other: comparison.less(input, other),
    "mul": lambda input, other: arithmetic.multiply(input, other),
    "ne": lambda input, other: comparison.not_equal(input, other),
    "neg": lambda input: arithmetic.negative(input),
    "pow": lambda input, exponent: arithmetic.pow(input, exponent),
    "rsqrt": lambda input: 1 / functions.sqrt(input),
    "sgn": _sgn,
    "sub": lambda input, other, *, alpha=1: arithmetic.subtract(input, other if alpha == 1 else other * alpha),
    "subtract": lambda input, other, *, alpha=1: arithmetic.subtract(input, other if alpha == 1 else other * alpha),
    # reductions and scans
    "aminmax": _aminmax,
    "argsort": lambda input, dim=-1, descending=False, stable=False: selection.argsort(
        input, axis=dim, descending=descending
    ),
    "dist": lambda input, other, p=2: _norm(input - other, p),
    "log_softmax": lambda input, dim, dtype=None: softmax.log_softmax(_in(input, dtype), axis=dim),
    "logcumsumexp": _logcumsumexp,
    "msort": lambda input: selection.sort(input, axis=0),
    "nanquantile": lambda input, q, dim=None, keepdim=False, *, interpolation="linear": quantiles.nanquantile(
        input, q, axis=dim, keepdims=keepdim, method=interpolation
    ),
    "norm": _norm,
    "quantile": lambda input, q, dim=None, keepdim=False, *, interpolation="linear": quantiles.quantile(
        input, q, axis=dim, keepdims=keepdim, method=interpolation
    ),
    "softmax": lambda input, dim, dtype=None: softmax.softmax(_in(input, dtype), axis=dim),
    "std": _moments(reduction.std),
    "topk": lambda input, k, dim=-1, largest=True, sorted=True: selection.topk(input, k, axis=dim, largest=largest),
    "unique": _unique,
    "var": _moments(reduction.var),
    # matrices
    "addmm": lambda input, mat1, mat2, *, beta=1, alpha=1: _weighted(input, mat1 @ mat2, beta, alpha),
    "addmv": lambda input, mat, vec, *, beta=1, alpha=1: _weighted(input, mat @ vec, beta, alpha),
    "addr": lambda input, vec1, vec2, *, beta=1, alpha=1: _weighted(input, products.outer(vec1, vec2), beta, alpha),
    "baddbmm": lambda input, batch1, batch2, *, beta=1, alpha=1: _weighted(input, batch1 @ batch2, beta, alpha),
    "bmm": lambda input, mat2: linear.matmul(input, mat2),
    "cross": _cross,
    "det": lambda input: determinants.det(input),
    "inverse": lambda input: solving.inv(input),
    "addbmm": lambda input, batch1, batch2, *, beta=1, alpha=1: _weighted(
        input, reduction.sum(batch1 @ batch2, axis=0), beta, alpha
    ),
    "cholesky": lambda input, upper=False: (
        shaping.matrix_transpose(cholesky(input)) if upper else cholesky(input)
    ),
    "logdet": lambda input: determinants.slogdet(input).logabsdet + functions.log(determinants.slogdet(input).sign),
    "matrix_exp": lambda input: expm(input),
    "mm": lambda input, mat2: linear.matmul(input, mat2),
    "pinverse": lambda input, rcond=1e-15: solving.pinv(input, rtol=rcond),
    "mv": lambda input, vec: linear.matmul(input, vec),
}  # fmt: skip
"""What is a method of Tensors and a function of :mod:`gpugrad.torch`, with PyTorch's parameters."""


def _in(input: Tensor, dtype: Any) -> Tensor:
    return input if dtype is None else creation.astype(input, dtype)


def _not_a_matrix(input: Tensor) -> Any:
    raise ValueError(f"t: expected at most two axes, got shape {tuple(input.shape)}: write x.mT, or x.swapaxes(i, j)")


def _type(input: Tensor, dtype: Any = None) -> Tensor:
    if dtype is None or (isinstance(dtype, str) and "." in dtype):
        raise TypeError("type: expected a dtype, as in x.type(gg.float32); x.dtype says which it is")
    return creation.astype(input, dtype)


def _new(function: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """``x.new_zeros(2, 3)``: of the dtype and on the device of ``x``."""

    def method(
        input: Tensor, *size: Any, dtype: Any = None, device: Any = None, requires_grad: bool = False, **layout: Any
    ) -> Tensor:
        made = function(sizes(size), dtype=dtype or input.dtype, device=device or input.device)
        return made.requires_grad_() if requires_grad else made

    return method


def _new_full(
    input: Tensor, size: Any, fill_value: Any, *, dtype: Any = None, device: Any = None, requires_grad: bool = False
) -> Tensor:
    made = creation.full(size, fill_value, dtype=dtype or input.dtype, device=device or input.device)
    return made.requires_grad_() if requires_grad else made


def _new_tensor(
    input: Tensor, data: Any, *, dtype: Any = None, device: Any = None, requires_grad: bool = False
) -> Tensor:
    return creation.tensor(data, dtype or input.dtype, device or input.device, requires_grad)


def _cast(dtype: Any) -> Callable[[Tensor], Tensor]:
    return lambda input: creation.astype(input, dtype, copy=False)


def _moved(kind: str) -> Callable[..., Tensor]:
    def method(input: Tensor, device: Any = None, non_blocking: bool = False, memory_format: Any = None) -> Tensor:
        return creation.to(input, device=backend.placed(kind, device))

    return method


def _later(name: str) -> Callable[..., Any]:
    """A function of :mod:`gpugrad.torch` that draws random numbers; imported when it is first asked for."""
    return getattr(import_module("gpugrad.torch.names"), name)  # type: ignore[no-any-return]


def _copied(input: Tensor, memory_format: Any = None) -> Tensor:
    return input.copy()


METHODS: dict[str, Callable[..., Any]] = {
    "bernoulli": lambda input, *, generator=None: _later("bernoulli")(input, generator=generator),
    "clone": _copied,
    "contiguous": lambda input, memory_format=None: input,
    "dim": lambda input: len(input.shape),
    "element_size": lambda input: input.itemsize,
    "expand": expand,
    "expand_as": lambda input, other: shaping.broadcast_to(input, other.shape),
    "is_complex": lambda input: input.dtype.kind == "c",
    "is_contiguous": lambda input, memory_format=None: True,
    "is_floating_point": lambda input: backend.is_floating(input.dtype) and input.dtype.kind != "c",
    "multinomial": lambda input, num_samples, replacement=False, *, generator=None: _later("multinomial")(
        input, num_samples, replacement, generator=generator
    ),
    "ndimension": lambda input: len(input.shape),
    "nelement": lambda input: math.prod(input.shape),
    "new_empty": _new(creation.empty),
    "new_full": _new_full,
    "new_ones": _new(creation.ones),
    "new_tensor": _new_tensor,
    "new_zeros": _new(creation.zeros),
    "numel": lambda input: math.prod(input.shape),
    "pin_memory": lambda input: input,
    "reshape_as": lambda input, other: shaping.reshape(input, other.shape),
    "type": _type,
    "type_as": lambda input, other: creation.to(input, other.device, other.dtype),
    "view": view,
    "view_as": lambda input, other: shaping.reshape(input, other.shape),
    "where": lambda input, condition, other: arithmetic.where(condition, input, other),
    **{name: _cast(getattr(dtypes, dtype)) for name, dtype in {
        "bool": "bool_", "byte": "uint8", "char": "int8", "double": "float64", "float": "float32", "half": "float16",
        "int": "int32", "long": "int64", "short": "int16",
    }.items()},
    "bfloat16": lambda input: creation.astype(input, "bfloat16", copy=False),
    **{kind: _moved(kind) for kind in backend.KINDS},
}  # fmt: skip
"""What is a method only."""

# ---------------------------------------------------------------- in place

IN_PLACE = [
    "abs", "add", "addcdiv", "addcmul", "addmm", "ceil", "clamp", "clamp_max", "clamp_min", "clip", "cos", "div",
    "erfinv", "exp", "floor", "floor_divide", "index_add", "index_copy", "index_fill", "index_put", "lerp", "log",
    "logit", "masked_fill", "mul", "multiply", "nan_to_num", "neg", "negative", "pow", "reciprocal", "relu",
    "remainder", "round", "rsqrt", "scatter", "scatter_add", "sigmoid", "sin", "sqrt", "square", "sub", "subtract",
    "tanh", "tril", "triu", "trunc",
]  # fmt: skip
"""Names with an underscore at the end: the Tensor takes the result as its value, as after ``x += v``."""


def _written(name: str, function: Callable[..., Any]) -> Callable[..., Tensor]:
    """The method ``name`` that gives a Tensor the value of ``function(x, ...)``, and returns it.

    Raises:
        TypeError: the Tensor is a part of another one and has no name, as in ``a[0].add_(1)``: the value would be lost.
    """

    def method(self: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        refuse = getattr(type(self), "refuse", None)
        if refuse is not None:
            refuse(name)
        if getrefcount(self) <= CALLED and is_part(self.data):
            check_called(getrefcount(self), self, name)
        inplace.take(self, function(self, *args, **kwargs))
        return self

    method.__name__ = method.__qualname__ = name
    method.__doc__ = f"What ``torch.Tensor.{name}`` is: the Tensor takes the result as its value, and is returned."
    return method


def _filled(input: Tensor, value: Any) -> Tensor:
    return creation.full_like(input.detach(), value)


def _other(input: Tensor, src: Any, non_blocking: bool = False) -> Tensor:
    given = creation.to(creation.asarray(src), device=input.device, dtype=input.dtype)
    return given if given.shape == input.shape else shaping.broadcast_to(given, input.shape)


WRITES: dict[str, Callable[..., Any]] = {
    "copy_": _other,
    "fill_": _filled,
    "zero_": lambda input: creation.zeros_like(input.detach()),
    "uniform_": lambda input, from_=0.0, to=1.0, *, generator=None, **bounds: drawn(
        input, "uniform", bounds.get("from", from_), to, generator=generator
    ),
    "normal_": lambda input, mean=0.0, std=1.0, *, generator=None: drawn(
        input, "normal", mean, std, generator=generator
    ),
    "bernoulli_": lambda input, p=0.5, *, generator=None: drawn(input, "bernoulli", p, generator=generator),
    "exponential_": lambda input, lambd=1.0, *, generator=None: (
        -functions.log1p(-drawn(input, "random", generator=generator)) / lambd
    ),
}  # fmt: skip
"""What gives a Tensor a value that does not depend on the one it has, or that comes from a generator."""


def drawn(like: Tensor, method: str, *parameters: Any, generator: Any = None) -> Tensor:
    """Random numbers of a shape, dtype and device. The module is imported when it is first asked for."""
    source = generator or import_module("gpugrad.random").default_generator
    return getattr(source, method)(*parameters, size=like.shape, dtype=like.dtype, device=like.device)  # type: ignore[no-any-return]


def _detach_in_place(self: Tensor) -> Tensor:
    """Leave the graph: the value stays, as a constant."""
    self.node = None
    return self


# ---------------------------------------------------------------- sentences

SHAPE = "a Tensor keeps its shape when it changes in place: write x = x.{0}(...)"
POINTER = "a Tensor has no address that others may use: x.detach().numpy() is a copy, and gg.from_dlpack shares memory"

SENTENCES: dict[str, str] = {
    **{name: MEANINGS[name] for name in ("median", "split")},
    **{f"{name}_": SHAPE.format(name) for name in ("squeeze", "swapaxes", "t", "transpose", "unsqueeze")},
    **dict.fromkeys(("data_ptr", "storage", "untyped_storage", "storage_offset"), POINTER),
    "apply_": "it calls a Python function for each element: write it with operations, or use gg.vmap",
    "as_strided": "a Tensor has no strides: write x.unfold(dim, size, step), or gg.sliding_window_view(x, size)",
    **dict.fromkeys(("cummax", "cummin"), "write gg.max or gg.min of slices, or of windows, x.unfold(dim, size, step)"),
    "fill_diagonal_": "write x[i, i] = value with i = gg.arange(n), or gg.where(gg.eye(n, dtype=gg.bool), value, x)",
    "scatter_reduce": "write x.scatter_add(dim, index, src), or gather, reduce and scatter",
    "svd": "write gg.linalg.svd(x, full_matrices=False), which returns u, s, vh",
    "unique_consecutive": "write x[gg.concat([gg.ones(1, dtype=gg.bool), x[1:] != x[:-1]])]",
    "histc": "write gg.histogram(x, bins, range=(low, high))[0]",
    "kthvalue": "write x.ravel()[x.ravel().argsort()[k - 1]], or gg.partition(x, k - 1)",
    "map_": "it calls a Python function for each element: write it with operations, or use gg.vmap",
    "mode": "write values, counts = gg.unique(x, return_counts=True); values[counts.argmax()]",
    "record_stream": "memory is given back in the order of the device's work: leave it out",
    "resize_": SHAPE.format("reshape"),
    "set_": "a Tensor does not take the memory of another: write x.copy_(y), or x = y",
    "share_memory_": "data.DataLoader(num_workers=...) shares the arrays of a data set by itself: leave it out",
    "split_with_sizes": MEANINGS["split"],
    "stride": "a Tensor has no strides: use indices, reshape and transpose",
    "to_sparse": "there are no sparse tensors: use indices, x.scatter_add(...) or nn.EmbeddingBag",
}
"""Names of PyTorch's methods that a Tensor does not have, and what to write instead."""


class Absent:
    """An attribute that is not there: asking for it raises AttributeError with a sentence."""

    def __init__(self, name: str, sentence: str) -> None:
        self.name = name
        self.sentence = sentence

    def __get__(self, instance: Any, owner: Any = None) -> Any:
        raise AttributeError(f"a Tensor has no {self.name}: {self.sentence} [{user_line()}]")

    def __set__(self, instance: Any, value: Any) -> None:
        raise AttributeError(f"a Tensor takes no attribute {self.name} [{user_line()}]")


def respelled(name: str, ours: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """A call with PyTorch's keywords (``dim=``, ``keepdim=``, ``unbiased=``), or ``sum(x, 1, True)``.

    Returns NotImplemented if it has none of them.

    Raises:
        TypeError: PyTorch means something else by the name.
    """
    flag = len(args) > 2 and isinstance(args[2], bool) and name in ("sum", "prod")
    if not flag and kwargs.keys().isdisjoint((*KEYWORDS, "unbiased")):
        return NotImplemented
    if name in MEANINGS and not (name in ("std", "var") and kwargs.keys() & {"correction", "unbiased"}):
        raise TypeError(f"{name}: {MEANINGS[name]} [{user_line()}]")
    ours_too = renamed(kwargs)
    if "unbiased" in ours_too:
        ours_too["correction"] = int(ours_too.pop("unbiased"))
    return ours(*args[:2], keepdims=args[2], **ours_too) if flag else ours(*args, **ours_too)


def bind() -> None:
    """Give the Tensor class PyTorch's names."""
    others: tuple[Any, ...] = (aliases.amax, aliases.amin)
    for other in others:
        other.__signature__ = inspect.signature(other.__wrapped__)  # with what was added to the operation since
    both = {name: named(name) for name in SAME} | BOTH
    methods = {name: function for name, function in (both | METHODS).items() if name not in vars(Tensor)}
    writes = {f"{name}_": both[name] for name in IN_PLACE} | WRITES
    methods |= {name: _written(name, function) for name, function in writes.items()} | {"detach_": _detach_in_place}
    for name, function in methods.items():
        if not function.__doc__:
            function.__name__, function.__qualname__ = name, f"Tensor.{name}"
            function.__doc__ = f"What ``torch.Tensor.{name}`` is; the Tensor comes first where it is a function."
        setattr(Tensor, name, function)
    for name, sentence in SENTENCES.items():
        setattr(Tensor, name, Absent(name, sentence))
    for name, get in PROPERTIES.items():
        setattr(Tensor, name, property(get))


def _grad_fn(x: Tensor) -> Any:
    """The node of a result that needs a gradient; None for leaves and constants."""
    return None if x.node is None or isinstance(x.node, Leaf) else x.node


def _is_cuda(x: Tensor) -> bool:
    """Whether it is on a GPU."""
    return not x.device.is_host


PROPERTIES: dict[str, Callable[[Tensor], Any]] = {"grad_fn": _grad_fn, "is_cuda": _is_cuda}
