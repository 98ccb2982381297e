"""A kernel against its twin and against finite differences, on random inputs, when a dtype is first used."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from contextvars import ContextVar
from typing import Any

import numpy

from .. import backend
from ..backend import Array, Namespace
from ..core.modes import Switch

_checking: ContextVar[bool] = ContextVar("gpugrad_kernel_checks", default=True)

TOLERANCE = {"float16": 2e-2, "bfloat16": 1e-1, "float32": 1e-4, "float64": 1e-9}
"""How far a kernel may be from its twin, relative to 1 + the value; a gradient from differences, ten times as far."""

SIZE = 67  # odd, so that a packed kernel has a remainder, and more than a warp

Host = numpy.ndarray[Any, Any]


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


class Proof:
    """What is compared for one kernel, and for which dtypes and kinds of device it has been.

    Args:
        name: of the kernel, for the message.
        inputs: the inputs' names.
        forward: the kernel, ``f(xp, *arrays)``.
        reference: the twin; takes arrays of any dtype.
        rules: for each differentiable input a rule ``f(xp, g, *values)`` and the names of the values.
        samples: gives float64 values of the inputs, on the host.
        outputs: the names of the outputs.
    """

    def __init__(
        self,
        name: str,
        inputs: tuple[str, ...],
        forward: Callable[..., Any],
        reference: Callable[..., Any],
        rules: Mapping[str, tuple[Callable[..., Any], tuple[str, ...]]],
        samples: Callable[[], Mapping[str, Any]],
        outputs: tuple[str, ...],
    ) -> None:
        self.name, self.inputs, self.outputs, self.rules, self.samples = name, inputs, outputs, rules, samples
        self.forward, self.reference = forward, reference
        self._done: set[tuple[type, Any]] = set()

    def demand(self, xp: Namespace, operands: Sequence[Any]) -> None:
        """Prove the kernel for the dtype and kind of device of the first array, unless that was done.

        Raises:
            KernelMismatchError: kernel and twin, or gradient and differences, disagree; names the worst element, its
                inputs and both values. Raised again at each use, until the kernel is right.
        """
        like = next((a for a in operands if hasattr(a, "dtype")), None)
        if like is None or (type(like), like.dtype) in self._done or not _checking.get():
            return
        if type(like) not in backend.BACKENDS or like.dtype.name not in TOLERANCE:
            return
        key = (type(like), like.dtype)
        self._done.add(key)
        try:
            self._prove(xp, like)
        except BaseException:
            self._done.discard(key)
            raise

    def _prove(self, xp: Namespace, like: Array) -> None:
        device, owner, dtype = backend.device_of(like), backend.backend_of(like), like.dtype
        what = f"{self.name} ({dtype.name}) on {device}"
        tolerance = TOLERANCE[dtype.name]

        def there(values: Host) -> Array:
            return owner.from_host(values.astype(dtype), device)

        def back(array: Array) -> Host:
            if not backend.is_array(array):
                array = xp.asarray(array)
            host: Host = backend.to_host(array).astype("f8")
            return host

        samples = {n: numpy.asarray(values, "f8") for n, values in self.samples().items()}
        if samples.keys() != set(self.inputs):
            raise ValueError(f"{self.name}: expected samples of {self.inputs}, got {sorted(samples)}")
        arrays = {n: there(samples[n]) for n in self.inputs}
        exact = {n: back(a) for n, a in arrays.items()}  # as rounded to the dtype
        outputs = self._tuple(self.forward(xp, *(arrays[n] for n in self.inputs)))
        expected = self._exactly(exact)
        for y, twin, of in zip(outputs, expected, self.outputs, strict=True):
            which = f" of {of}" if len(self.outputs) > 1 else ""
            _compare(f"{what}: the kernel{which}", "its reference", back(y), twin, exact, tolerance)

        rng = numpy.random.default_rng(1)
        upstream = tuple(there(numpy.asarray(rng.uniform(0.5, 1.5, y.shape))) for y in expected)
        rounded = [back(g) for g in upstream]
        known = {"y": outputs if len(outputs) > 1 else outputs[0], **arrays}
        known |= dict(zip(self.outputs, outputs, strict=True))
        known |= {f"{n}_shape": a.shape for n, a in arrays.items()} | {f"{n}_device": device for n in arrays}
        for n, (rule, needs) in self.rules.items():
            g = upstream if len(self.outputs) > 1 else upstream[0]
            found = back(rule(xp, g, *(known[k] for k in needs)))
            difference = self._differences(exact, n, rounded)
            text = f"{what}: the gradient by {n}"
            _compare(text, "finite differences", _summed(found, difference.shape), difference, exact, 10 * tolerance)

    def _tuple(self, result: Any) -> tuple[Any, ...]:
        return tuple(result) if len(self.outputs) > 1 else (result,)

    def _exactly(self, values: Mapping[str, Host]) -> list[Host]:
        """The twin's outputs in float64 on the host."""
        with numpy.errstate(all="ignore"):
            results = self._tuple(self.reference(numpy, *(values[n] for n in self.inputs)))
        return [numpy.asarray(y, "f8") for y in results]

    def _differences(self, values: Mapping[str, Host], by: str, upstream: list[Host]) -> Host:
        """Central differences of ``sum(g y)`` by each element of one input."""
        steps = 1e-6 * (1 + abs(values[by]))
        difference = numpy.zeros_like(values[by])
        for place in numpy.ndindex(*difference.shape):
            ends = []
            for sign in (1, -1):
                moved = {**values, by: values[by].copy()}
                moved[by][place] += sign * steps[place]
                pairs = zip(upstream, self._exactly(moved), strict=True)
                ends.append([g * y for g, y in pairs])
            total = math.fsum(float((a - b).sum()) for a, b in zip(*ends, strict=True))
            difference[place] = total / (2 * steps[place])
        return difference


def _summed(gradient: Host, shape: tuple[int, ...]) -> Host:
    """A gradient summed over the axes along which its input was broadcast, as the engine does."""
    extra = gradient.ndim - len(shape)
    if extra < 0 or any(n not in (1, m) for n, m in zip(shape, gradient.shape[extra:], strict=True)):
        return gradient  # its shape is wrong, and the comparison says so
    axes = tuple(i for i, n in enumerate(gradient.shape) if i < extra or shape[i - extra] != n)
    summed: Host = gradient.sum(axis=axes).reshape(shape)
    return summed


def _compare(what: str, against: str, got: Host, expected: Host, inputs: Mapping[str, Host], tolerance: float) -> None:
    if got.shape != expected.shape:
        raise KernelMismatchError(f"{what} has shape {got.shape}, {against} {expected.shape}")
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
        where = f"element {place[0] if len(place) == 1 else place}"
        raise KernelMismatchError(
            f"{what} differs from {against} by more than {tolerance:g}; worst at {where}, {at}: "
            f"{got[place]:.9g}, expected {expected[place]:.9g}"
        )
