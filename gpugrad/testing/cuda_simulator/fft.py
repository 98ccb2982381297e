"""``cupy.fft`` where it is not ``numpy.fft``, as functions of NumPy arrays; the others are NumPy's.

CuPy looks neither at axes nor at lengths: an axis is taken modulo the number of axes, a negative length cuts off the
end, and the imaginary part of what should be real is dropped.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy

Values = numpy.ndarray[Any, Any]


def __getattr__(name: str) -> Any:
    return getattr(numpy.fft, name)


def _line(name: str) -> Callable[..., Values]:
    transform = getattr(numpy.fft, name)

    def along(a: Values, n: int | None = None, axis: int = -1, norm: str | None = None) -> Values:
        if not a.ndim:
            raise ZeroDivisionError("integer modulo by zero")
        axis %= a.ndim
        if n is not None and n < 0:
            a, n = a.take(range(a.shape[axis] + n), axis), None
        if name == "rfft" and a.dtype.kind == "c":
            a = a.real
        result: Values = transform(a, n, axis, norm)
        return result

    return along


fft, ifft, rfft, irfft = _line("fft"), _line("ifft"), _line("rfft"), _line("irfft")


def _volume(name: str) -> Callable[..., Values]:
    transform = getattr(numpy.fft, name)

    def over(a: Values, s: Any = None, axes: Any = None, norm: str | None = None) -> Values:
        if axes is not None and any(not -a.ndim <= axis < a.ndim for axis in axes):
            raise ValueError("The specified axes exceed the array dimensions.")
        result: Values = transform(a, s, axes, norm)
        return result

    return over


fftn, ifftn, rfftn, irfftn = _volume("fftn"), _volume("ifftn"), _volume("rfftn"), _volume("irfftn")


def _plane(name: str) -> Callable[..., Values]:
    one, two = getattr(numpy.fft, name), getattr(numpy.fft, name + "2")

    def over(a: Values, s: Any = None, axes: Any = (-2, -1), norm: str | None = None) -> Values:
        if a.ndim == 1 and s is None:
            result: Values = one(one(a, norm=norm), norm=norm)
        else:
            result = two(a, s, axes, norm)
        return result

    return over


fft2, ifft2 = _plane("fft"), _plane("ifft")


def fftfreq(n: int, d: float = 1.0) -> Values:
    """Of no points there are none."""
    return numpy.fft.fftfreq(n, d) if n else numpy.empty(0)
