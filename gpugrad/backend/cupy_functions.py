"""The namespace ``xp`` of CuPy's arrays: CuPy's functions, and NumPy's behavior where CuPy's is another one.

CuPy computes ``x % y`` as ``x - floor(x / y) * y``, convolves by an FFT, ignores NaN bounds of ``clip``, and so on.
Each function here mends one of these; it calls CuPy as it is wherever both agree. ``docs/architecture.md`` lists them.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import wraps
from types import ModuleType
from typing import Any

import cupy
import numpy
from numpy.exceptions import AxisError
from numpy.lib.array_utils import normalize_axis_tuple

from .registry import Array

CHUNK = 2**22
"""Products that a convolution holds in memory at once."""

Axis = int | tuple[int, ...] | None

# -------------------------------------------------------------------- arithmetic


def _is_floating(*values: Any) -> bool:
    return bool(cupy.result_type(*values).kind == "f")


def remainder(x1: Any, x2: Any, /) -> Array:
    """``x1 - floor(x1 / x2) x2``, with the sign of ``x2``, exact also for large quotients and infinite divisors."""
    if not _is_floating(x1, x2):
        return cupy.remainder(x1, x2)
    rest = cupy.fmod(x1, x2)
    y = cupy.where((rest < 0) != (x2 < 0), rest + x2, rest)
    return cupy.where(rest == 0, cupy.copysign(rest, x2), y)


def floor_divide(x1: Any, x2: Any, /) -> Array:
    """``floor(x1 / x2)``, from the exact remainder."""
    if not _is_floating(x1, x2):
        return cupy.floor_divide(x1, x2)
    rest = cupy.fmod(x1, x2)
    ratio = cupy.divide(x1, x2)
    lower = (rest != 0) & ((rest < 0) != (x2 < 0))
    quotient = cupy.rint(cupy.divide(x1 - rest, x2) - lower)
    quotient = cupy.where(quotient == 0, cupy.copysign(quotient, ratio), quotient)
    return cupy.where(cupy.equal(x2, 0), ratio, quotient)


def divmod(x1: Any, x2: Any, /) -> tuple[Array, Array]:
    """:func:`floor_divide` and :func:`remainder`."""
    return floor_divide(x1, x2), remainder(x1, x2)


def power(x1: Any, x2: Any, /, **options: Any) -> Array:
    """``x1 ** x2``; an integer to a negative integer power raises ValueError, after a wait if that is an array."""
    kind = getattr(x2, "dtype", None)
    if kind is None:
        negative = type(x2) is int and x2 < 0 and x1.dtype.kind in "bi"
    else:
        negative = kind.kind == "i" and cupy.result_type(x1, x2).kind == "i" and bool((x2 < 0).any())
    if negative:
        raise ValueError("Integers to negative integer powers are not allowed.")
    return cupy.power(x1, x2, **options)


def log2(x: Any, /, **options: Any) -> Array:
    """The logarithm to base 2; of complex numbers, each part is scaled alone, so 0 gives ``-inf``."""
    if x.dtype.kind != "c":
        return cupy.log2(x, **options)
    y = cupy.log(x)
    parts = cupy.ascontiguousarray(y).reshape((*y.shape, 1)).view(y.real.dtype) * (1 / math.log(2))
    return parts.view(y.dtype).reshape(y.shape)


def clip(a: Any, a_min: Any = None, a_max: Any = None, out: Any = None) -> Array:
    """``min(max(a, a_min), a_max)``, with NaN for NaN in a bound. A bound outside the range of an integer is none."""
    kind = a.dtype.kind if hasattr(a, "dtype") else ""
    if kind in ("i", "u"):
        limits = numpy.iinfo(a.dtype)
        a_min = None if type(a_min) is int and a_min <= limits.min else a_min
        a_max = None if type(a_max) is int and a_max >= limits.max else a_max
    if kind in ("f", "i", "u") and _orders(a_min) and _orders(a_max):
        return cupy.clip(a, a_min, a_max, out)
    y = cupy.asarray(a)
    y = y if a_min is None else cupy.maximum(y, a_min)
    y = y if a_max is None else cupy.minimum(y, a_max)
    return (y.copy() if y is a else y) if out is None else cupy.add(y, 0, out)


def _orders(bound: Any) -> bool:
    """Whether a bound is a real number or there is none: nothing that a comparison passes over."""
    return bound is None or (isinstance(bound, int | float) and bound == bound)


def angle(z: Any, deg: bool = False) -> Array:
    """The angle of complex numbers; of real ones that of ``z + 0i``, NaN for NaN."""
    if z.dtype.kind == "c":
        return cupy.angle(z, deg)
    y = cupy.arctan2(cupy.zeros_like(z), z)
    return cupy.rad2deg(y) if deg else y


def sinc(x: Any, /) -> Array:
    """``sin(pi x) / (pi x)``, NaN for NaN; of integers float64."""
    if x.dtype.kind not in "fc":
        x = x.astype(cupy.float64)
    return cupy.where(cupy.isnan(x), x, cupy.sinc(x))


# -------------------------------------------------------------------- choosing


def where(condition: Any, *values: Any) -> Any:
    """Elements of one of two arrays; a Python number that does not fit is converted as NumPy does."""
    try:
        return cupy.where(condition, *values)
    except (AttributeError, OverflowError):
        kind = cupy.result_type(*values)
        return cupy.where(cupy.asarray(condition), *(_converted(value, kind) for value in values))


def _converted(value: Any, kind: Any) -> Any:
    if not isinstance(value, int):
        return value
    number = float(value) if kind.kind in "fc" else value
    return cupy.asarray(numpy.asarray(number).astype(kind))


def isin(element: Any, test_elements: Any, assume_unique: bool = False, invert: bool = False) -> Array:
    """Whether each element is one of others, which may be a number or a list."""
    element = cupy.asarray(element)
    return cupy.isin(element, cupy.asarray(test_elements), assume_unique=assume_unique, invert=invert)


def digitize(x: Any, bins: Any, right: bool = False) -> Array:
    """The bins of elements; waits for the device, to see that the edges are in order."""
    if bins.size > 1:
        up, down = (bins[1:] >= bins[:-1]).all(), (bins[1:] <= bins[:-1]).all()
        if not bool(up | down):
            raise ValueError("bins must be monotonically increasing or decreasing")
    return cupy.digitize(x, bins, right)


# -------------------------------------------------------------------- reductions


def _over_axes(name: str) -> Callable[..., Any]:
    function = getattr(cupy, name)

    @wraps(function)
    def reduced(a: Any, *args: Any, axis: Any = None, **options: Any) -> Array:
        """A 0-d array has an axis 0."""
        if args:
            axis, args = args[0], args[1:]
        try:
            return function(a, axis, *args, **options)
        except AxisError:
            if a.ndim or axis not in (0, -1):
                raise
            return function(a, None, *args, **options)

    return reduced


def _index_over_axis(name: str) -> Callable[..., Any]:
    function = _over_axes(name)

    @wraps(function)
    def found(a: Any, axis: Any = None, **options: Any) -> Array:
        """One axis or all."""
        if isinstance(axis, tuple):
            raise TypeError(f"{name}: expected axis as an integer or None, got {axis}")
        return function(a, axis, **options)

    return found


def _count(a: Array, axis: Axis) -> int:
    """How many elements are reduced to one."""
    if axis is None:
        return int(a.size)
    return math.prod(a.shape[i] for i in normalize_axis_tuple(axis, a.ndim))


def var(
    a: Any, axis: Axis = None, dtype: Any = None, out: Any = None, ddof: float = 0, keepdims: bool = False
) -> Array:
    """The variance; infinite where ``ddof`` leaves nothing to divide by."""
    if _count(a, axis) - ddof > 0:
        return cupy.var(a, axis, dtype, out, ddof, keepdims)
    y = cupy.var(a, axis, dtype, None, 0, keepdims)
    return cupy.divide(y, cupy.zeros_like(y), out)


def std(
    a: Any, axis: Axis = None, dtype: Any = None, out: Any = None, ddof: float = 0, keepdims: bool = False
) -> Array:
    """The root of :func:`var`."""
    if _count(a, axis) - ddof > 0:
        return cupy.std(a, axis, dtype, out, ddof, keepdims)
    return cupy.sqrt(var(a, axis, dtype, None, ddof, keepdims), out)


def nansum(a: Any, axis: Axis = None, keepdims: bool = False, **options: Any) -> Array:
    """The sum of what is not NaN; of complex numbers, a NaN part leaves out the whole number."""
    if a.dtype.kind == "c":
        a = cupy.where(cupy.isnan(a), 0, a)
    return _over_axes("nansum")(a, axis, keepdims=keepdims, **options)


def _not_nan(name: str) -> Callable[..., Any]:
    function, usual = getattr(cupy, name), {"nanvar": var, "nanstd": std}[name]

    @wraps(function)
    def spread(
        a: Any, axis: Axis = None, dtype: Any = None, out: Any = None, ddof: float = 0, keepdims: bool = False
    ) -> Array:
        """NaN where ``ddof`` leaves nothing to divide by."""
        if a.dtype.kind not in "fc":
            return usual(a, axis, dtype, out, ddof, keepdims)
        axis = None if not a.ndim and axis in (0, -1) else axis
        _count(a, axis)
        count = cupy.sum(~cupy.isnan(a), axis=axis, keepdims=True)
        if a.dtype.kind == "c":
            centred = cupy.where(cupy.isnan(a), 0, a - nansum(a, axis, keepdims=True) / count)
            y = cupy.sum(cupy.abs(centred) ** 2, axis=axis, keepdims=True) / (count - ddof)
            y = cupy.sqrt(y) if name == "nanstd" else y
            y, count = (part if keepdims else cupy.squeeze(part, axis) for part in (y.astype(a.real.dtype), count))
        else:
            y = function(a, axis, dtype, out, ddof, keepdims)
            count = count if keepdims else cupy.squeeze(count, axis)
        free = count - ddof
        return cupy.where(free > 0, y, cupy.nan)

    return spread


def median(a: Any, axis: Axis = None, keepdims: bool = False, **options: Any) -> Array:
    """NaN of nothing."""
    return cupy.median(a, axis, keepdims=keepdims, **options) if a.size else nanmedian(a, axis, keepdims)


def nanmedian(a: Any, axis: Axis = None, keepdims: bool = False) -> Array:
    """The median of what is not NaN, infinities included."""
    reduced = tuple(range(a.ndim)) if axis is None else normalize_axis_tuple(axis, a.ndim)
    kept = tuple(i for i in range(a.ndim) if i not in reduced)
    shape = tuple(1 if i in reduced else n for i, n in enumerate(a.shape) if keepdims or i in kept)
    kind = a.dtype if a.dtype.kind in "fc" else cupy.float64
    if not a.size:
        return cupy.full(shape, cupy.nan, kind)
    rows = a.transpose(kept + reduced).reshape((*(a.shape[i] for i in kept), -1)).astype(kind, copy=False)
    count = cupy.sum(~cupy.isnan(rows), axis=-1, keepdims=True)
    middle = cupy.concatenate([cupy.maximum(count - 1, 0) // 2, count // 2], axis=-1)
    found = cupy.take_along_axis(cupy.sort(rows, axis=-1), middle, axis=-1)
    low, high = found[..., 0], found[..., 1]
    return cupy.where(low == high, low, low / 2 + high / 2).reshape(shape)


# -------------------------------------------------------------------- sequences


def convolve(a: Array, v: Array, mode: str = "full") -> Array:
    """The convolution of sequences, by products and sums: what overlaps and nothing else."""
    kind = cupy.result_type(a, v)
    if kind.kind not in "fc":
        return cupy.convolve(a, v, mode)
    long, short = (a, v) if a.size >= v.size else (v, a)
    wide = cupy.float32 if kind.itemsize == 2 else kind
    long, short = long.astype(wide), short.astype(wide)
    n, m = long.size, short.size
    y = cupy.zeros(n + m - 1, wide)
    rows = min(m, max(1, CHUNK // n))
    for start in range(0, m, rows):  # each row is one place further to the right than the one above
        part = short[start : start + rows]
        k = part.size
        moved = cupy.zeros((k, n + k), wide)
        moved[:, :n] = part[:, None] * long
        width = n + k - 1
        y[start : start + width] += moved.ravel()[: k * width].reshape(k, width).sum(axis=0)
    first = {"full": 0, "same": (m - 1) // 2, "valid": m - 1}[mode]
    size = {"full": n + m - 1, "same": n, "valid": n - m + 1}[mode]
    return y[first : first + size].astype(kind, copy=False)


def concat(arrays: Any, *args: Any, **options: Any) -> Array:
    """Arrays side by side; 0-d ones have no axis for that, which is a ValueError."""
    try:
        return cupy.concatenate(arrays, *args, **options)
    except TypeError as error:
        if all(array.ndim for array in arrays):
            raise
        raise ValueError(str(error)) from None


def isclose(a: Any, b: Any, *args: Any, **options: Any) -> Array:
    """Whether elements are close; a Python integer may be of any size."""
    return cupy.isclose(a, float(b) if type(b) is int else b, *args, **options)


def linspace(start: Any, stop: Any, *args: Any, **options: Any) -> Any:
    """Evenly spaced numbers, complex ones too."""
    if isinstance(start, complex) or isinstance(stop, complex):
        start = cupy.asarray(start)
    return cupy.linspace(start, stop, *args, **options)


def logspace(start: Any, stop: Any, num: int = 50, endpoint: bool = True, base: Any = 10.0, dtype: Any = None) -> Array:
    """Powers of ``base``, complex ones too."""
    y = cupy.power(base, linspace(start, stop, num, endpoint=endpoint))
    return y if dtype is None else y.astype(dtype)


def full(shape: Any, fill_value: Any, *args: Any, **options: Any) -> Array:
    """One number everywhere; it may be of a subclass of int, as the size of a Tensor is."""
    return cupy.full(shape, _plain(fill_value), *args, **options)


def full_like(a: Array, fill_value: Any, *args: Any, **options: Any) -> Array:
    """As :func:`full`."""
    return cupy.full_like(a, _plain(fill_value), *args, **options)


def _plain(value: Any) -> Any:
    return int(value) if isinstance(value, int) and type(value) is not bool else value


AXES = """
all amax amin any count_nonzero max min nanmax nanmin nanprod prod ptp sum
"""


def histogram(x: Array, bins: Any = 10, range: tuple[float, float] | None = None) -> tuple[Array, Array]:
    """Counts without NaN, which CuPy counts in the first bin: here its weight is 0."""
    if x.dtype.kind != "f":
        return cupy.histogram(x, bins, range)  # type: ignore[no-any-return]
    counts, edges = cupy.histogram(x, bins, range, weights=cupy.equal(x, x).astype(numpy.float64))
    return counts.astype(numpy.int64), edges


OWN = (
    angle, clip, concat, convolve, digitize, divmod, floor_divide, full, full_like, histogram, isclose, isin, linspace,
    log2, logspace, median, nanmedian, nansum, power, remainder, sinc, std, var, where,
)  # fmt: skip
MENDED: dict[str, Callable[..., Any]] = (
    {function.__name__: function for function in OWN}
    | {"concatenate": concat, "mod": remainder, "pow": power}
    | {name: _over_axes(name) for name in AXES.split()}
    | {name: _index_over_axis(name) for name in ("argmax", "argmin", "nanargmax", "nanargmin")}
    | {name: _not_nan(name) for name in ("nanstd", "nanvar")}
)
"""What takes the place of CuPy's function of that name."""


# -------------------------------------------------------------------- special functions


def polygamma(n: Any, x: Array) -> Array:
    """The derivatives of digamma; CuPy's wants arrays."""
    return _special().polygamma(cupy.asarray(n), cupy.asarray(x))


def xlog1py(x: Any, y: Any) -> Array:
    """``x log(1 + y)``, 0 where ``x`` is 0 and ``y`` is not NaN."""
    return cupy.where(cupy.isnan(y), y, _special().xlog1py(x, y))


TERMS = 7
"""Of the asymptotic series of the modified Bessel functions."""

FAR = {"float32": 60.0, "float64": 400.0}
"""From here on the asymptotic series is exact to the dtype; CuPy's unscaled functions are still finite."""


def _scaled(name: str, order: int, grows: bool) -> Callable[[Array], Array]:
    """A modified Bessel function times ``e^-|x|`` or ``e^x``. CuPy multiplies infinity by 0 where ``x`` is large.

    Source: NIST Digital Library of Mathematical Functions, 10.40.
    """
    step = -8 if grows else 8
    terms = [
        math.prod(4 * order**2 - (2 * j - 1) ** 2 for j in range(1, k + 1)) / (math.factorial(k) * step**k)
        for k in range(TERMS)
    ]

    def function(x: Array) -> Array:
        x = cupy.asarray(x)
        limit = FAR["float32" if x.dtype == numpy.float32 else "float64"]
        near = getattr(_special(), name)(cupy.minimum(cupy.maximum(x, -limit), limit))
        size = cupy.maximum(cupy.abs(x.astype(near.dtype)), limit)
        total = terms[-1] / size
        for term in terms[-2:0:-1]:
            total = (total + term) / size
        far = (1 + total) * cupy.sqrt((0.5 / math.pi if grows else math.pi / 2) / size)
        if grows:
            return cupy.where(cupy.abs(x) > limit, cupy.copysign(far, x) if order else far, near)
        return cupy.where(x > limit, far, near)

    return function


def _special() -> Any:
    import cupyx.scipy.special

    return cupyx.scipy.special


class Special:
    """``cupyx.scipy.special``, imported when it is asked for a function."""

    i0e = staticmethod(_scaled("i0e", 0, grows=True))
    i1e = staticmethod(_scaled("i1e", 1, grows=True))
    k0e = staticmethod(_scaled("k0e", 0, grows=False))
    k1e = staticmethod(_scaled("k1e", 1, grows=False))
    polygamma = staticmethod(polygamma)
    sinc = staticmethod(sinc)
    xlog1py = staticmethod(xlog1py)

    def __getattr__(self, name: str) -> Any:
        value = getattr(_special(), name)
        setattr(self, name, value)
        return value


def namespace() -> ModuleType:
    """CuPy's module with the functions above in the place of its own."""
    made = ModuleType(cupy.__name__, cupy.__doc__)
    made.__dict__.update({**vars(cupy), **MENDED, "__getattr__": lambda name: getattr(cupy, name)})
    return made
