"""A kernel against its twin and against finite differences, on random inputs, when a dtype is first used."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from typing import Any

import numpy

from .. import backend
from ..backend import Array, Namespace
from ..core.modes import Switch

_checking: ContextVar[bool] = ContextVar("gpugrad_kernel_checks", default=True)

TOLERANCE = {"float16": 2e-2, "bfloat16": 1e-1, "float32": 1e-3, "float64": 1e-5}
"""How far a kernel may be from its twin, and a gradient from differences, relative to 1 + the value."""

SIZE = 67  # odd, so that a packed kernel has a remainder, and more than a warp


class KernelMismatchError(RuntimeError):
    """A user's kernel and its reference, or its gradient and finite differences, disagree."""


class kernel_checks(Switch):  # noqa: N801  a mode, as no_grad is
    """Whether users' kernels are checked when first used with a dtype; on unless switched off.

    >>> import gpugrad as gg
    >>> with gg.kernel_checks(False):
    ...     pass
    """

    variable = _checking

    def __init__(self, enabled: bool) -> None:
        super().__init__()
        self.value = bool(enabled)


def checking() -> bool:
    """Whether kernels are to be checked here."""
    return _checking.get()


def prove(
    name: str,
    inputs: tuple[str, ...],
    xp: Namespace,
    like: Array,
    forward: Callable[..., tuple[Array, ...]],
    reference: Callable[..., tuple[Any, ...]],
    pullback: Callable[..., Mapping[str, Array]],
    samples: Mapping[str, numpy.ndarray[Any, Any]],
) -> None:
    """Compare ``forward`` with ``reference``, and ``pullback`` with central differences of ``reference`` in float64.

    Args:
        name: of the kernel, for the message.
        inputs: the inputs' names.
        xp: where the kernel runs.
        like: an array of the dtype and on the device to check.
        forward: the kernel; takes arrays.
        reference: the twin; takes arrays of any dtype.
        pullback: takes the upstream gradients, the inputs and gives gradients by input.
        samples: float64 values of the inputs, on the host.

    Raises:
        KernelMismatchError: they disagree; names the worst element, its inputs and both values.
    """
    dtype = like.dtype
    device = backend.device_of(like)
    owner = backend.backend_of(like)

    def there(values: numpy.ndarray[Any, Any]) -> Array:
        return owner.from_host(values.astype(dtype), device)

    arrays = {n: there(samples[n]) for n in inputs}
    exact = {n: backend.to_host(arrays[n]).astype("f8") for n in inputs}  # as rounded to the dtype
    tolerance = TOLERANCE.get(dtype.name, 1e-3)
    got = [backend.to_host(y).astype("f8") for y in forward(xp, *arrays.values())]
    expected = [numpy.asarray(y, "f8") for y in reference(numpy, *exact.values())]
    for y, twin in zip(got, expected, strict=True):
        _compare(f"{name} ({dtype}) on {device}: the kernel", "its reference", y, twin, exact, tolerance)

    rng = numpy.random.default_rng(1)
    upstream = [rng.uniform(0.5, 1.5, y.shape) for y in expected]
    gradients = pullback(xp, [there(g) for g in upstream], arrays)
    rounded = [backend.to_host(there(g)).astype("f8") for g in upstream]
    for n, gradient in gradients.items():
        step = 1e-6 * (1 + abs(exact[n]))
        difference = numpy.zeros_like(exact[n])
        for place in numpy.ndindex(*exact[n].shape):
            ends = []
            for sign in (1, -1):
                moved = dict(exact)
                moved[n] = exact[n].copy()
                moved[n][place] += sign * step[place]
                ys = [numpy.asarray(y, "f8") for y in reference(numpy, *moved.values())]
                ends.append(math.fsum(float((g * y).sum()) for g, y in zip(rounded, ys, strict=True)))
            difference[place] = (ends[0] - ends[1]) / (2 * step[place])
        found = backend.to_host(gradient).astype("f8")
        if found.shape != difference.shape:
            raise KernelMismatchError(
                f"{name} ({dtype}): the gradient by {n} has shape {found.shape}, the input {difference.shape}"
            )
        what = f"{name} ({dtype}) on {device}: the gradient by {n}"
        _compare(what, "finite differences", found, difference, exact, max(tolerance, 1e-4))


def _compare(
    what: str,
    against: str,
    got: numpy.ndarray[Any, Any],
    expected: numpy.ndarray[Any, Any],
    inputs: Mapping[str, numpy.ndarray[Any, Any]],
    tolerance: float,
) -> None:
    if got.shape != expected.shape:
        raise KernelMismatchError(f"{what} gives shape {got.shape}, {against} {expected.shape}")
    both = numpy.isnan(got) & numpy.isnan(expected)
    with numpy.errstate(invalid="ignore"):
        error = numpy.where(both | (got == expected), 0, abs(got - expected) / (1 + abs(expected)))
    error[numpy.isnan(error)] = numpy.inf
    if error.size and error.max() > tolerance:
        place = tuple(int(i) for i in numpy.unravel_index(error.argmax(), error.shape))
        at = ", ".join(
            f"{n}={values[place]:.9g}" if values.shape == error.shape else f"{n} of shape {values.shape}"
            for n, values in inputs.items()
        )
        raise KernelMismatchError(
            f"{what} differs from {against} by more than {tolerance:g}; worst at element {place}, {at}: "
            f"{got[place]:.9g}, expected {expected[place]:.9g}"
        )
