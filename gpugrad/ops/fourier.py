"""Discrete Fourier transforms: of complex numbers, of real ones, and of spectra of real ones.

With ``w = e^(-2 pi i / n)``, the transform of n elements is ``y_k = sum_j w^(jk) x_j``, its inverse
``x_j = 1/n sum_k w^(-jk) y_k``. ``norm`` says where the factors go: "backward" is these definitions, "forward" puts
``1/n`` on the transform instead, "ortho" ``1/sqrt(n)`` on both. Shorter and longer ``n`` cut ``x`` and fill it up with
zeros. float32 becomes complex64. Source: Python array API standard 2024.12; ``fft2`` and its like are NumPy's.

The matrix ``w^(jk)`` is its own transpose, so a transform is its own gradient rule. Transforms of real numbers keep
half of the spectrum; the other half is its mirror image, and that is all the difference.
"""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import Any

from .. import backend
from ..backend import Array, Device, Namespace
from ..core import Tensor, modes, primitive
from ..kernels.shapes import several
from .arithmetic import divide
from .axes import roll
from .creation import arange, asarray, astype
from .rounding import conj

Shape = tuple[int, ...]
Axes = Sequence[int] | None

SWAPPED = {"backward": "forward", "forward": "backward", "ortho": "ortho"}
"""The norm with which the inverse transform has the factor of the transform."""


def _resized(xp: Namespace, h: Array, shape: Shape) -> Array:
    """``h`` cut, or filled up with zeros, to a shape: what becomes of a gradient where the input was filled or cut."""
    if any(n > m for n, m in zip(h.shape, shape, strict=True)):
        h = h[tuple(slice(m) for m in shape)]
    if h.shape != shape:
        h = xp.pad(h, tuple((0, m - n) for n, m in zip(h.shape, shape, strict=True)))
    return h


@primitive(batch=("any_axes", "axis", "axes"))
def _c2c(xp: Namespace, x: Array, /, s: Shape, axes: Shape, norm: str, inverse: bool) -> Array:
    if len(axes) > 1 and 0 not in x.shape:
        return (xp.fft.ifftn if inverse else xp.fft.fftn)(x, s, axes, norm)
    for n, axis in zip(s, axes, strict=True):  # CuPy takes no several axes of nothing
        x = (xp.fft.ifft if inverse else xp.fft.fft)(x, n, axis, norm)
    return x


def _c2c_x(xp: Namespace, g: Array, x_shape: Shape, s: Shape, axes: Shape, norm: str, inverse: bool) -> Array:
    return _resized(xp, _c2c.on(xp, g, s=s, axes=axes, norm=norm, inverse=inverse), x_shape)


_c2c.vjp(x=_c2c_x)


@primitive(batch=("any_axes", "axis", "axes"))
def _r2c(xp: Namespace, x: Array, /, s: Shape, axes: Shape, norm: str) -> Array:
    if len(axes) > 1 and 0 not in x.shape:
        return xp.fft.rfftn(x, s, axes, norm)
    y = xp.fft.rfft(x, s[-1], axes[-1], norm)
    return _c2c.on(xp, y, s=s[:-1], axes=axes[:-1], norm=norm, inverse=False) if len(axes) > 1 else y


@primitive(batch=("any_axes", "axis", "axes"))
def _c2r(xp: Namespace, x: Array, /, s: Shape, axes: Shape, norm: str) -> Array:
    if len(axes) > 1:  # irfftn of CuPy takes the mirror image on trust, which x need not have over the other axes
        x = _c2c.on(xp, x, s=s[:-1], axes=axes[:-1], norm=norm, inverse=True)
    if x.shape[axes[-1]] == 0:  # NumPy would read an element all the same
        x = _resized(xp, x, (*x.shape[: axes[-1]], 1, *x.shape[axes[-1] :][1:]))
    return xp.fft.irfft(x, s[-1], axes[-1], norm)


@primitive(batch=("any_axes", "axis", "axes"))
def _mirrored(xp: Namespace, x: Array, /, n: int, axis: int, factor: float) -> Array:
    """Half a spectrum of n elements, times ``factor`` all that have a mirror image: not those at 0 and n / 2."""
    ends, like = (n + 1) // 2, xp.real(x).dtype
    parts = [xp.ones(1, dtype=like), xp.full(ends - 1, factor, dtype=like), xp.ones(n // 2 + 1 - ends, dtype=like)]
    return x * xp.reshape(xp.concat(parts), (-1, *(1,) * (-1 - axis)))


_mirrored.vjp(x=lambda xp, g, n, axis, factor: _mirrored.on(xp, g, n=n, axis=axis, factor=factor))


def _r2c_x(xp: Namespace, g: Array, x_shape: Shape, s: Shape, axes: Shape, norm: str) -> Array:
    half = _mirrored.on(xp, xp.conj(g), n=s[-1], axis=axes[-1], factor=0.5)
    return _resized(xp, _c2r.on(xp, half, s=s, axes=axes, norm=SWAPPED[norm]), x_shape)


def _c2r_x(xp: Namespace, g: Array, x_shape: Shape, s: Shape, axes: Shape, norm: str) -> Array:
    half = xp.conj(_r2c.on(xp, g, s=s, axes=axes, norm=SWAPPED[norm]))
    return _resized(xp, _mirrored.on(xp, half, n=s[-1], axis=axes[-1], factor=2.0), x_shape)


_r2c.vjp(x=_r2c_x)
_c2r.vjp(x=_c2r_x)


# ---------------------------------------------------------------- what a call asks for


def _asked(name: str, x: Array, s: Axes, axes: Axes, norm: str | None, half: bool = False) -> dict[str, Any]:
    """The sizes and axes of a transform, checked; the axes count from the end. ``half``: ``x`` is half a spectrum."""
    norm = norm or "backward"
    if norm not in SWAPPED:
        raise ValueError(f"{name}: expected norm 'backward', 'ortho' or 'forward', got {norm!r}")
    ndim = len(x.shape)
    chosen = range(-(ndim if s is None else len(s)), 0) if axes is None else axes
    along = tuple(a - ndim if a >= 0 else a for a in map(operator.index, chosen))
    if not along or len(set(along)) < len(along) or not all(-ndim <= a < 0 for a in along):
        raise ValueError(f"{name}: expected different axes of a tensor of shape {x.shape}, got {tuple(chosen)}")
    if s is None:
        sizes = [x.shape[a] for a in along]
        if half:
            sizes[-1] = 2 * (sizes[-1] - 1)
    else:
        sizes = [operator.index(n) for n in s]
        if len(sizes) != len(along):
            raise ValueError(f"{name}: expected a size for each of the axes {along}, got {tuple(sizes)}")
        sizes = [x.shape[a] if n == -1 else n for n, a in zip(sizes, along, strict=True)]
    if min(sizes) < 1:
        raise ValueError(f"{name}: expected at least one element to transform along each axis, got {tuple(sizes)}")
    return {"s": tuple(sizes), "axes": along, "norm": norm}


def _one(n: int | None) -> tuple[int] | None:
    return None if n is None else (n,)


def _real(name: str, x: Array) -> Array:
    if x.dtype.kind == "c":
        raise TypeError(f"{name}: expected real numbers, got {x.dtype}")
    return x


# ---------------------------------------------------------------- one axis


def fft(x: Array, /, n: int | None = None, axis: int = -1, norm: str | None = "backward") -> Array:
    """The Fourier transform along an axis.

    Args:
        x: real or complex, shape ``(..., M, ...)``.
        n: how many elements to transform: the first n, filled up with zeros; None for M.
        axis: along which.
        norm: "backward", "ortho" or "forward".

    Raises:
        ValueError: nothing to transform, no such axis, another norm.

    >>> import gpugrad as gg
    >>> gg.fft.fft(gg.tensor([1.0, 2.0, 3.0, 4.0]))
    tensor([10.+0.j, -2.+2.j, -2.+0.j, -2.-2.j], dtype=complex64)
    """
    x = x if isinstance(x, Tensor) else asarray(x)
    return _c2c(x, **_asked("fft", x, _one(n), (axis,), norm), inverse=False)


def ifft(x: Array, /, n: int | None = None, axis: int = -1, norm: str | None = "backward") -> Array:
    """The inverse of :func:`fft`.

    >>> import gpugrad as gg
    >>> gg.fft.ifft(gg.tensor([4.0, 0.0, 0.0, 0.0]))
    tensor([1.+0.j, 1.+0.j, 1.+0.j, 1.+0.j], dtype=complex64)
    """
    x = x if isinstance(x, Tensor) else asarray(x)
    return _c2c(x, **_asked("ifft", x, _one(n), (axis,), norm), inverse=True)


def rfft(x: Array, /, n: int | None = None, axis: int = -1, norm: str | None = "backward") -> Array:
    """The first ``n // 2 + 1`` elements of the transform of real numbers: the others mirror them, conjugated.

    Arguments are those of :func:`fft`.

    Raises:
        TypeError: ``x`` is complex.
        ValueError: as for :func:`fft`.

    >>> import gpugrad as gg
    >>> gg.fft.rfft(gg.tensor([1.0, 2.0, 3.0, 4.0]))
    tensor([10.+0.j, -2.+2.j, -2.+0.j], dtype=complex64)
    """
    x = x if isinstance(x, Tensor) else asarray(x)
    return _r2c(_real("rfft", x), **_asked("rfft", x, _one(n), (axis,), norm))


def irfft(x: Array, /, n: int | None = None, axis: int = -1, norm: str | None = "backward") -> Array:
    """The inverse of :func:`rfft`: n real numbers from half of their spectrum.

    Imaginary parts at 0 and, for even n, at ``n / 2`` do not count, and get no gradient.

    Args:
        x: shape ``(..., M, ...)``, of which ``n // 2 + 1`` elements are used.
        n: how many real numbers; None for ``2 (M - 1)``, which is even: for an odd number it has to be said.
        axis: along which.
        norm: "backward", "ortho" or "forward".

    Raises:
        ValueError: as for :func:`fft`.

    >>> import gpugrad as gg
    >>> gg.fft.irfft(gg.fft.rfft(gg.tensor([1.0, 2.0, 3.0])), n=3)
    tensor([1., 2., 3.])
    """
    x = x if isinstance(x, Tensor) else asarray(x)
    return _c2r(x, **_asked("irfft", x, _one(n), (axis,), norm, half=True))


def hfft(x: Array, /, n: int | None = None, axis: int = -1, norm: str | None = "backward") -> Array:
    """The transform, n real numbers, of what mirrors itself conjugated, given by its first half.

    Arguments and errors are those of :func:`irfft`.

    >>> import gpugrad as gg
    >>> gg.fft.hfft(gg.tensor([1.0, 2.0, 3.0]))
    tensor([ 8., -2.,  0., -2.])
    """
    x = x if isinstance(x, Tensor) else asarray(x)
    asked = _asked("hfft", x, _one(n), (axis,), norm, half=True)
    return _c2r(conj(x) if x.dtype.kind == "c" else x, **asked | {"norm": SWAPPED[asked["norm"]]})


def ihfft(x: Array, /, n: int | None = None, axis: int = -1, norm: str | None = "backward") -> Array:
    """The inverse of :func:`hfft`: the first ``n // 2 + 1`` elements of what has the real numbers for its transform.

    Arguments and errors are those of :func:`rfft`.

    >>> import gpugrad as gg
    >>> gg.fft.ihfft(gg.tensor([8.0, -2.0, 0.0, -2.0]))
    tensor([1.-0.j, 2.-0.j, 3.-0.j], dtype=complex64)
    """
    x = x if isinstance(x, Tensor) else asarray(x)
    asked = _asked("ihfft", x, _one(n), (axis,), norm)
    return conj(_r2c(_real("ihfft", x), **asked | {"norm": SWAPPED[asked["norm"]]}))


# ---------------------------------------------------------------- several axes

LAST_TWO = (-2, -1)


def fftn(x: Array, /, s: Axes = None, axes: Axes = None, norm: str | None = "backward") -> Array:
    """The Fourier transform along several axes, one after the other.

    Args:
        x: real or complex.
        s: for each axis how many elements to transform, as n of :func:`fft`; -1 for all of them, None for all of all.
        axes: along which; None for all, or as many of the last as ``s`` has.
        norm: "backward", "ortho" or "forward".

    Raises:
        ValueError: nothing to transform, no such axis or one twice, another number of sizes, another norm.

    >>> import gpugrad as gg
    >>> gg.fft.fftn(gg.tensor([[1.0, 2.0], [3.0, 4.0]]))
    tensor([[10.+0.j, -2.+0.j],
            [-4.+0.j,  0.+0.j]], dtype=complex64)
    """
    x = x if isinstance(x, Tensor) else asarray(x)
    return _c2c(x, **_asked("fftn", x, s, axes, norm), inverse=False)


def ifftn(x: Array, /, s: Axes = None, axes: Axes = None, norm: str | None = "backward") -> Array:
    """The inverse of :func:`fftn`.

    >>> import gpugrad as gg
    >>> gg.fft.ifftn(gg.tensor([[10.0, -2.0], [-4.0, 0.0]]))
    tensor([[1.+0.j, 2.+0.j],
            [3.+0.j, 4.+0.j]], dtype=complex64)
    """
    x = x if isinstance(x, Tensor) else asarray(x)
    return _c2c(x, **_asked("ifftn", x, s, axes, norm), inverse=True)


def rfftn(x: Array, /, s: Axes = None, axes: Axes = None, norm: str | None = "backward") -> Array:
    """:func:`rfft` along the last of several axes, then :func:`fft` along the others; arguments as for :func:`fftn`.

    Raises:
        TypeError: ``x`` is complex.
        ValueError: as for :func:`fftn`.

    >>> import gpugrad as gg
    >>> gg.fft.rfftn(gg.zeros((4, 6))).shape
    (4, 4)
    """
    x = x if isinstance(x, Tensor) else asarray(x)
    return _r2c(_real("rfftn", x), **_asked("rfftn", x, s, axes, norm))


def irfftn(x: Array, /, s: Axes = None, axes: Axes = None, norm: str | None = "backward") -> Array:
    """The inverse of :func:`rfftn`: :func:`ifft` along all but the last of the axes, then :func:`irfft` along that.

    Arguments are those of :func:`fftn`; ``s`` has the sizes of the result, an odd last one has to be said.

    >>> import gpugrad as gg
    >>> gg.fft.irfftn(gg.zeros((4, 4))).shape
    (4, 6)
    """
    x = x if isinstance(x, Tensor) else asarray(x)
    return _c2r(x, **_asked("irfftn", x, s, axes, norm, half=True))


def fft2(x: Array, /, s: Axes = None, axes: Axes = LAST_TWO, norm: str | None = "backward") -> Array:
    """:func:`fftn` along two axes.

    >>> import gpugrad as gg
    >>> gg.fft.fft2(gg.zeros((5, 4, 6))).shape
    (5, 4, 6)
    """
    x = x if isinstance(x, Tensor) else asarray(x)
    return fftn(x, s, axes, norm)


def ifft2(x: Array, /, s: Axes = None, axes: Axes = LAST_TWO, norm: str | None = "backward") -> Array:
    """The inverse of :func:`fft2`.

    >>> import gpugrad as gg
    >>> gg.fft.ifft2(gg.zeros((5, 4, 6))).shape
    (5, 4, 6)
    """
    x = x if isinstance(x, Tensor) else asarray(x)
    return ifftn(x, s, axes, norm)


def rfft2(x: Array, /, s: Axes = None, axes: Axes = LAST_TWO, norm: str | None = "backward") -> Array:
    """:func:`rfftn` along two axes.

    >>> import gpugrad as gg
    >>> gg.fft.rfft2(gg.zeros((5, 4, 6))).shape
    (5, 4, 4)
    """
    x = x if isinstance(x, Tensor) else asarray(x)
    return rfftn(x, s, axes, norm)


def irfft2(x: Array, /, s: Axes = None, axes: Axes = LAST_TWO, norm: str | None = "backward") -> Array:
    """The inverse of :func:`rfft2`.

    >>> import gpugrad as gg
    >>> gg.fft.irfft2(gg.zeros((5, 4, 4))).shape
    (5, 4, 6)
    """
    x = x if isinstance(x, Tensor) else asarray(x)
    return irfftn(x, s, axes, norm)


# ---------------------------------------------------------------- frequencies


def fftfreq(n: int, /, d: float = 1.0, *, dtype: Any = None, device: Device | str | None = None) -> Tensor:
    """The frequencies of :func:`fft`: ``0, 1, ...`` and then ``..., -2, -1``, over ``n d``; d is the time of a step.

    Raises:
        ValueError: n is less than 1.

    >>> import gpugrad as gg
    >>> gg.fft.fftfreq(5, 0.2)
    tensor([ 0.,  1.,  2., -2., -1.])
    """
    whole = arange(-(_positive("fftfreq", n) // 2), (n + 1) // 2, device=device)
    return _over("fftfreq", roll(whole, -(n // 2)), n * d, dtype)


def rfftfreq(n: int, /, d: float = 1.0, *, dtype: Any = None, device: Device | str | None = None) -> Tensor:
    """The frequencies of :func:`rfft`: ``0, 1, ..., n // 2``, over ``n d``; d is the time of a step.

    Raises:
        ValueError: n is less than 1.

    >>> import gpugrad as gg
    >>> gg.fft.rfftfreq(4, 0.25)
    tensor([0., 1., 2.])
    """
    return _over("rfftfreq", arange(_positive("rfftfreq", n) // 2 + 1, device=device), n * d, dtype)


def _positive(name: str, n: int) -> int:
    if operator.index(n) < 1:
        raise ValueError(f"{name}: expected at least one element, got {n}")
    return n


def _over(name: str, whole: Tensor, divisor: float, dtype: Any) -> Tensor:
    wanted = modes.get_default_dtype() if dtype is None else backend.as_dtype(dtype)
    if not backend.is_floating(wanted):
        raise TypeError(f"{name}: expected a floating-point dtype, got {wanted}")
    return divide(astype(whole, wanted), divisor)


def fftshift(x: Array, /, axes: int | Axes = None) -> Array:
    """The frequency 0 from the front to the centre of the axes (None: of all).

    >>> import gpugrad as gg
    >>> gg.fft.fftshift(gg.tensor([0.0, 1.0, 2.0, -2.0, -1.0]))
    tensor([-2., -1.,  0.,  1.,  2.])
    """
    x = x if isinstance(x, Tensor) else asarray(x)
    return _shifted(x, axes, 1)


def ifftshift(x: Array, /, axes: int | Axes = None) -> Array:
    """The inverse of :func:`fftshift`.

    >>> import gpugrad as gg
    >>> gg.fft.ifftshift(gg.tensor([-2.0, -1.0, 0.0, 1.0, 2.0]))
    tensor([ 0.,  1.,  2., -2., -1.])
    """
    x = x if isinstance(x, Tensor) else asarray(x)
    return _shifted(x, axes, -1)


def _shifted(x: Array, axes: int | Axes, sign: int) -> Array:
    along = tuple(range(-len(x.shape), 0)) if axes is None else several(axes)
    return roll(x, tuple(sign * (x.shape[a] // 2) for a in along), along) if along else asarray(x)
