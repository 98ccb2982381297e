"""float16 and bfloat16 are storage: what is computed from them is computed in float32 and rounded once.

Otherwise squares overflow from 256 on, sums lose their small terms, and each step of a formula adds a rounding error of
1/2048 or 1/256. This is declared once for a function, by one of

- the kernels, which all do so (:class:`~gpugrad.kernels.kernel.Kernel`);
- ``primitive(wide=True)``, for the forward and the gradient rules of an operation that is several steps on ``xp``;
- :func:`gpugrad.ops.wide.computed_wide`, for a function that is composed of operations.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ..backend import Array, DType, Namespace, device_of, is_array, is_floating, is_short
from ..backend.dtypes import COMMON, float32


def short(x: Any) -> bool:
    """Whether ``x`` is an array of a short dtype; quick to say no."""
    dtype = getattr(x, "dtype", None)
    return dtype is not None and dtype.num > COMMON and is_short(dtype)


def lies_on_host(x: Any) -> bool:
    """Whether an array, or the scalar that NumPy alone gives for a 0-d one, is in the host's memory."""
    return not is_array(x) or device_of(x).is_host


def wider(xp: Namespace, x: Any) -> Any:
    """An array of a short dtype in float32; anything else as it is, numbers and None too.

    >>> import numpy
    >>> wider(numpy, numpy.ones(2, "float16")).dtype
    dtype('float32')
    """
    return xp.astype(xp.asarray(x), float32) if short(x) else x


def rounded(xp: Namespace, y: Array, dtype: DType | None) -> Array:
    """A float32 result in a short dtype, if there is one to round to."""
    if dtype is None or getattr(y, "dtype", None) != float32:
        return y
    return xp.astype(xp.asarray(y), dtype)


def common(values: Iterable[Any]) -> DType | None:
    """The dtype of floating-point arrays that all have the same short one; None if some are wider."""
    found = {v.dtype for v in values if hasattr(v, "dtype") and is_floating(v.dtype)}
    return found.pop() if len(found) == 1 and is_short(next(iter(found))) else None
