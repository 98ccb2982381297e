"""gpugrad: automatic differentiation for NumPy and CuPy.

    >>> import gpugrad as gg
    >>> w = gg.tensor([1.0, 2.0], requires_grad=True)
    >>> loss = ((w * 3 - 1) ** 2).sum()
    >>> loss.backward()
    >>> w.grad
    tensor([12., 30.])

The same code runs on a CUDA GPU (``pip install 'gpugrad[cuda13]'``) and on the CPU.
"""

import math as _math
import sys as _sys
from importlib import import_module as _import_module
from typing import TYPE_CHECKING as _TYPE_CHECKING
from typing import Any as _Any

from . import starting as _starting  # noqa: F401  first: what follows takes a moment

# isort: split
from .backend import Device as device  # noqa: N813  a function to its users, as in PyTorch
from .backend import memory_summary, synchronize
from .backend.dtypes import (
    bool_ as bool,
)
from .backend.dtypes import (
    complex64,
    complex128,
    float16,
    float32,
    float64,
    int8,
    int16,
    int32,
    int64,
    uint8,
    uint16,
    uint32,
    uint64,
)
from .backend.threads import get_num_threads, set_num_threads
from .core import GradientError, Tensor, primitive
from .core.modes import (
    autocast,
    debug,
    default_device,
    default_dtype,
    enable_grad,
    get_default_device,
    get_default_dtype,
    is_autocast_enabled,
    is_grad_enabled,
    no_grad,
    set_default_device,
    set_default_dtype,
    set_grad_enabled,
)
from .ops.activation import relu, sigmoid
from .ops.aliases import (
    absolute,
    amax,
    amin,
    around,
    bitwise_not,
    conjugate,
    fix,
    invert,
    left_shift,
    mod,
    power,
    right_shift,
    rint,
    true_divide,
)
from .ops.arithmetic import (
    abs,
    add,
    clip,
    divide,
    floor_divide,
    maximum,
    minimum,
    multiply,
    negative,
    positive,
    pow,
    remainder,
    sign,
    subtract,
    where,
)
from .ops.axes import fliplr, flipud, moveaxis, ravel, roll, rollaxis, rot90, transpose
from .ops.comparison import (
    bitwise_and,
    bitwise_invert,
    bitwise_left_shift,
    bitwise_or,
    bitwise_right_shift,
    bitwise_xor,
    equal,
    greater,
    greater_equal,
    isfinite,
    isinf,
    isnan,
    less,
    less_equal,
    logical_and,
    logical_not,
    logical_or,
    logical_xor,
    not_equal,
)
from .ops.conditions import (
    allclose,
    argwhere,
    array_equal,
    array_equiv,
    choose,
    compress,
    extract,
    flatnonzero,
    isclose,
    iscomplex,
    isneginf,
    isposinf,
    isreal,
    isscalar,
    piecewise,
    select,
)
from .ops.counting import bincount, digitize, histogram
from .ops.covariance import corrcoef, cov
from .ops.creation import (
    arange,
    asarray,
    astype,
    empty,
    empty_like,
    eye,
    full,
    full_like,
    linspace,
    ones,
    ones_like,
    tensor,
    zeros,
    zeros_like,
)
from .ops.diagonals import diag, diagonal, tril, triu
from .ops.editing import (
    append,
    apply_along_axis,
    apply_over_axes,
    block,
    delete,
    insert,
    resize,
    trim_zeros,
)
from .ops.exchange import VERSION as _VERSION
from .ops.exchange import array_namespace_info as _array_namespace_info
from .ops.exchange import from_dlpack
from .ops.functions import (
    exp,
    exp2,
    expm1,
    log,
    log1p,
    log2,
    log10,
    logaddexp,
    reciprocal,
    sqrt,
    square,
)
from .ops.indexing import set_at
from .ops.inspection import broadcast_shapes, can_cast, finfo, iinfo, isdtype, result_type
from .ops.interpolation import gradient, interp, trapezoid, unwrap
from .ops.linear import einsum, matmul
from .ops.padding import pad
from .ops.polynomials import poly, polyadd, polyder, polydiv, polyfit, polyint, polymul, polysub, polyval, roots
from .ops.products import cross, dot, inner, kron, outer, tensordot, vecdot
from .ops.quantiles import argpartition, median, nanmedian, nanpercentile, nanquantile, partition, percentile, quantile
from .ops.reduction import (
    all,
    any,
    argmax,
    argmin,
    max,
    mean,
    min,
    prod,
    std,
    sum,
    var,
)
from .ops.rounding import (
    angle,
    ceil,
    conj,
    copysign,
    floor,
    imag,
    nan_to_num,
    nextafter,
    real,
    round,
    signbit,
    trunc,
)
from .ops.scans import cumprod, cumsum, cumulative_prod, cumulative_sum, diff
from .ops.selection import (
    argsort,
    isin,
    lexsort,
    nonzero,
    put_along_axis,
    searchsorted,
    sliding_window_view,
    sort,
    sort_complex,
    take,
    take_along_axis,
    topk,
    unravel_index,
)
from .ops.sets import (
    intersect1d,
    setdiff1d,
    setxor1d,
    union1d,
    unique,
    unique_all,
    unique_counts,
    unique_inverse,
    unique_values,
)
from .ops.shaping import (
    broadcast_to,
    concat,
    concatenate,
    expand_dims,
    flip,
    matrix_transpose,
    permute_dims,
    reshape,
    split,
    squeeze,
    stack,
    swapaxes,
    unstack,
)
from .ops.shorthand import diagflat, ediff1d, geomspace, logspace, matvec, ptp, tri, vander, vdot, vecmat
from .ops.signal import convolve, correlate
from .ops.softmax import logsumexp
from .ops.stacking import (
    array_split,
    atleast_1d,
    atleast_2d,
    atleast_3d,
    broadcast_arrays,
    column_stack,
    dsplit,
    dstack,
    hsplit,
    hstack,
    meshgrid,
    repeat,
    tile,
    vsplit,
    vstack,
)
from .ops.statistics import (
    average,
    count_nonzero,
    nanargmax,
    nanargmin,
    nancumprod,
    nancumsum,
    nanmax,
    nanmean,
    nanmin,
    nanprod,
    nanstd,
    nansum,
    nanvar,
)
from .ops.trigonometry import (
    acos,
    acosh,
    arccos,
    arccosh,
    arcsin,
    arcsinh,
    arctan,
    arctan2,
    arctanh,
    asin,
    asinh,
    atan,
    atan2,
    atanh,
    cos,
    cosh,
    hypot,
    sin,
    sinc,
    sinh,
    tan,
    tanh,
)
from .ops.ufuncs import (
    cbrt,
    deg2rad,
    degrees,
    divmod,
    fabs,
    float_power,
    fmax,
    fmin,
    fmod,
    heaviside,
    ldexp,
    logaddexp2,
    modf,
    rad2deg,
    radians,
)
from .transforms import (
    checkpoint,
    cond,
    elementwise_grad,
    grad,
    gradcheck,
    gradgradcheck,
    hessian,
    hvp,
    jacobian,
    jvp,
    value_and_grad,
    vjp,
    vmap,
)
from .version import __version__

__array_api_version__, __array_namespace_info__ = _VERSION, _array_namespace_info

e, pi, inf, nan = _math.e, _math.pi, _math.inf, _math.nan
newaxis = None

if _TYPE_CHECKING:
    from . import data, fft, linalg, nn, onnx, optim, random, special, training
    from .custom import KernelMismatchError, Launch, elementwise_kernel, kernel_checks, raw_kernel
    from .drawing import draw, name, observe
    from .jit.function import jit
    from .nn.inspect.diagnose import diagnose
    from .tracing import trace
    from .weights import load, save

_LATER = {
    **dict.fromkeys(("custom", "data", "drawing", "fft", "linalg", "nn", "onnx", "optim", "random", "special")),
    "training": None,
    **dict.fromkeys(("elementwise_kernel", "kernel_checks", "KernelMismatchError", "Launch", "raw_kernel"), "custom"),
    **dict.fromkeys(("draw", "name", "observe"), "drawing"),
    "autograd": "torch", "diagnose": "nn.inspect.diagnose", "distributions": "torch", "jit": "jit.function",
    "trace": "tracing", "load": "weights",
    "save": "weights",
}  # fmt: skip
"""What is imported when it is first used, and the module that it is in; None for a module itself."""


if not _TYPE_CHECKING:  # which would take any name for an attribute

    def __getattr__(name: str) -> _Any:
        if name not in _LATER:
            if name.startswith("_"):
                raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
            return _import_module(f"{__name__}.torch.names").offered(name)
        where = _LATER[name]
        if where is None:
            return _import_module(f"{__name__}.{name}")
        value = getattr(_import_module(f"{__name__}.{where}"), name)
        setattr(_sys.modules[__name__], name, value)
        return value

    def __dir__() -> list[str]:
        return sorted({*globals(), *_LATER})


__all__ = [
    "__version__", "abs", "absolute", "acos", "acosh", "add", "all", "allclose", "amax", "amin", "angle", "any",
    "append", "apply_along_axis", "apply_over_axes", "arange", "arccos", "arccosh", "arcsin",
    "arcsinh", "arctan", "arctan2", "arctanh", "argmax", "argmin", "argpartition", "argsort", "argwhere", "around",
    "array_equal", "array_equiv", "array_split", "asarray", "asin", "asinh",
    "astype", "atan", "atan2", "atanh", "atleast_1d", "atleast_2d", "atleast_3d", "autocast", "average", "bincount",
    "bitwise_and",
    "bitwise_invert", "bitwise_left_shift", "bitwise_not", "bitwise_or", "bitwise_right_shift", "bitwise_xor",
    "block", "bool",
    "broadcast_arrays", "broadcast_shapes", "broadcast_to", "can_cast", "cbrt", "ceil", "checkpoint", "choose",
    "clip", "column_stack",
    "complex128", "complex64", "compress", "concat", "concatenate", "cond", "conj", "conjugate", "convolve", "copysign",
    "corrcoef", "correlate", "cos", "cosh", "count_nonzero", "cov", "cross",
    "cumprod", "cumsum", "cumulative_prod", "cumulative_sum", "data", "debug", "default_device", "default_dtype",
    "deg2rad", "degrees", "delete", "device", "diag", "diagflat", "diagnose", "diagonal", "diff", "digitize", "divide",
    "divmod",
    "dot", "draw", "dsplit", "dstack", "e", "ediff1d", "einsum", "elementwise_grad",
    "elementwise_kernel", "empty", "empty_like", "enable_grad", "equal", "exp", "exp2", "expand_dims", "expm1",
    "extract", "eye",
    "fabs", "fft", "finfo", "fix", "flatnonzero", "flip", "fliplr", "flipud", "float16", "float32", "float64",
    "float_power", "floor", "floor_divide", "fmax", "fmin", "fmod", "from_dlpack", "full",
    "full_like",
    "geomspace", "get_default_device", "get_default_dtype", "get_num_threads", "grad",
    "gradcheck", "gradgradcheck", "gradient",
    "GradientError", "greater",
    "greater_equal", "heaviside", "hessian", "histogram", "hsplit", "hstack", "hvp", "hypot", "iinfo", "imag", "inf",
    "inner", "insert", "int16", "int32", "intersect1d",
    "int64", "int8", "interp", "invert", "is_autocast_enabled",
    "is_grad_enabled", "isclose", "iscomplex", "isdtype", "isfinite", "isin",
    "isinf", "isnan", "isneginf", "isposinf", "isreal", "isscalar", "jacobian", "jit", "jvp",
    "kernel_checks", "KernelMismatchError", "kron", "Launch", "ldexp", "left_shift", "less", "less_equal",
    "lexsort", "linalg", "linspace", "load", "log",
    "log10", "log1p", "log2", "logaddexp", "logaddexp2", "logical_and", "logical_not", "logical_or", "logical_xor",
    "logspace", "logsumexp", "matmul",
    "matrix_transpose", "matvec", "max", "maximum", "mean", "median", "memory_summary", "meshgrid", "min", "minimum",
    "mod", "modf", "moveaxis",
    "multiply", "name", "nan", "nan_to_num", "nanargmax", "nanargmin", "nancumprod", "nancumsum", "nanmax", "nanmean",
    "nanmedian", "nanmin", "nanpercentile", "nanprod", "nanquantile", "nanstd", "nansum", "nanvar", "negative",
    "newaxis", "nextafter",
    "nn", "no_grad", "nonzero", "not_equal", "observe", "ones", "ones_like", "onnx", "optim", "outer", "pad",
    "partition",
    "percentile", "permute_dims", "pi",
    "piecewise", "poly", "polyadd", "polyder", "polydiv", "polyfit", "polyint", "polymul", "polysub", "polyval",
    "positive", "pow", "power", "primitive", "prod", "ptp", "put_along_axis", "quantile",
    "rad2deg", "radians", "random", "ravel", "raw_kernel", "real", "reciprocal",
    "relu", "remainder", "repeat", "reshape", "resize", "result_type", "right_shift", "rint", "roll", "rollaxis",
    "roots", "rot90",
    "round", "save", "searchsorted", "select", "set_at",
    "set_default_device", "set_default_dtype", "set_grad_enabled", "set_num_threads",
    "setdiff1d", "setxor1d", "sigmoid", "sign", "signbit", "sin", "sinc", "sinh", "sliding_window_view",
    "sort", "sort_complex",
    "special", "split", "sqrt", "square", "squeeze", "stack", "std", "subtract", "sum", "swapaxes",
    "synchronize", "take", "take_along_axis", "tan", "tanh", "Tensor", "tensor", "tensordot", "tile", "topk", "trace",
    "training", "transpose", "trapezoid", "tri", "tril", "trim_zeros", "triu", "true_divide", "trunc",
    "uint16", "uint32", "uint64", "uint8",
    "union1d", "unique", "unique_all", "unique_counts", "unique_inverse",
    "unique_values", "unravel_index", "unstack", "unwrap", "value_and_grad", "vander", "var", "vdot", "vecdot",
    "vecmat", "vjp", "vmap", "vsplit", "vstack", "where", "zeros",
    "zeros_like",
]  # fmt: skip
