"""Gradients against central differences: the oracle of the tests, and a tool for users' own operations."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy

from .. import backend
from ..core import GradientError, Tensor
from ..core.modes import no_grad
from ..ops.creation import tensor
from .gradient import vjp


def gradcheck(
    f: Callable[..., Any],
    inputs: Tensor | Sequence[Any],
    *,
    eps: float = 1e-6,
    atol: float = 1e-5,
    rtol: float = 1e-3,
    raise_exception: bool = True,
) -> bool:
    """Compare the gradients of ``f`` with central differences ``(f(x + eps) - f(x - eps)) / (2 eps)``.

    Every element of the Jacobian is compared, for every input of float64; the others are held fixed.

    Args:
        f: a function of Tensors that returns a Tensor or a tuple of Tensors.
        inputs: its arguments.
        eps: the step.
        atol: an element agrees if ``|a - n| <= atol + rtol |n|``.
        rtol: see ``atol``.
        raise_exception: raise where they differ; otherwise return False.

    Returns:
        Whether all agree. Source: ``torch.autograd.gradcheck``.

    Raises:
        GradientError: they differ; names the worst element and both values.
        TypeError: no input is float64: smaller dtypes are too coarse for differences.

    >>> import gpugrad as gg
    >>> gg.gradcheck(gg.sin, gg.tensor([0.5, 1.0], dtype=gg.float64))
    True
    """
    arguments = [inputs] if isinstance(inputs, Tensor) or backend.is_array(inputs) else list(inputs)
    checked = [i for i, a in enumerate(arguments) if getattr(a, "dtype", None) == numpy.float64]
    if not checked:
        raise TypeError("gradcheck needs at least one float64 input: differences in smaller dtypes are too coarse")
    outputs = len(_tuple(f(*arguments)))
    for number in range(outputs):
        worst = _worst(lambda *xs, n=number: _tuple(f(*xs))[n], arguments, checked, eps, atol, rtol)
        if worst is not None:
            if raise_exception:
                raise GradientError(f"output {number}: {worst}")
            return False
    return True


def gradgradcheck(
    f: Callable[..., Any],
    inputs: Tensor | Sequence[Any],
    *,
    eps: float = 1e-6,
    atol: float = 1e-5,
    rtol: float = 1e-3,
    raise_exception: bool = True,
) -> bool:
    """:func:`gradcheck` of the gradients of ``f``: second derivatives against differences of first ones.

    The gradients are taken with a fixed random upstream gradient, by which they are differentiated too. Arguments,
    results and errors are those of :func:`gradcheck`. Source: ``torch.autograd.gradgradcheck``.

    >>> import gpugrad as gg
    >>> gg.gradgradcheck(gg.sin, gg.tensor([0.5, 1.0], dtype=gg.float64))
    True
    """
    arguments = [inputs] if isinstance(inputs, Tensor) or backend.is_array(inputs) else list(inputs)
    places = [i for i, a in enumerate(arguments) if getattr(a, "dtype", None) == numpy.float64]
    outputs = _tuple(f(*arguments))
    rng = numpy.random.default_rng(0)
    upstream = [_beside(rng.standard_normal(y.shape), y) for y in outputs if backend.is_floating(y.dtype)]

    def first(*xs: Any) -> tuple[Any, ...]:
        at, gs = list(xs[: len(arguments)]), xs[len(arguments) :]

        def f_of(*chosen: Any) -> Any:
            for i, x in zip(places, chosen, strict=True):
                at[i] = x
            ys = [y for y in _tuple(f(*at)) if backend.is_floating(y.dtype)]
            total = (ys[0] * gs[0]).sum()
            for y, g in zip(ys[1:], gs[1:], strict=True):
                total = total + (y * g).sum()
            return total

        _, pullback = vjp(f_of, *(at[i] for i in places))
        return pullback(_beside(numpy.ones(()), outputs[0]))

    options = {"eps": eps, "atol": atol, "rtol": rtol}
    return gradcheck(first, [*arguments, *upstream], raise_exception=raise_exception, **options)


def _tuple(y: Any) -> tuple[Any, ...]:
    return tuple(y) if isinstance(y, tuple | list) else (y,)


def _beside(values: numpy.ndarray[Any, Any], y: Tensor) -> Tensor:
    return tensor(values, dtype=y.dtype, device=y.device)


def _worst(
    f: Callable[..., Tensor], arguments: list[Any], checked: list[int], eps: float, atol: float, rtol: float
) -> str | None:
    """A description of the element that differs most, or None where all agree."""

    def of_checked(*xs: Any) -> Tensor:
        at = list(arguments)
        for i, x in zip(checked, xs, strict=True):
            at[i] = x
        return f(*at)

    points = [tensor(arguments[i]) if not isinstance(arguments[i], Tensor) else arguments[i].detach() for i in checked]
    y, pullback = vjp(of_checked, *points)
    if not backend.is_floating(y.dtype):
        return None
    analytic = [numpy.zeros((y.size, p.size)) for p in points]
    for row in range(y.size):
        unit = numpy.zeros(y.size)
        unit[row] = 1
        for table, g in zip(analytic, pullback(_beside(unit.reshape(y.shape), y)), strict=True):
            table[row] = g.numpy().reshape(-1)
    worst: tuple[float, str] | None = None
    for k, point in enumerate(points):
        numeric = _differences(of_checked, points, k, eps, y.size)
        excess = abs(analytic[k] - numeric) - (atol + rtol * abs(numeric))
        excess[numpy.isnan(excess)] = numpy.inf
        if excess.size and excess.max() > 0:
            row, column = (int(v) for v in numpy.unravel_index(excess.argmax(), excess.shape))
            place = tuple(int(v) for v in numpy.unravel_index(column, point.shape))
            target = tuple(int(v) for v in numpy.unravel_index(row, y.shape))
            text = (
                f"the gradient of y{list(target)} with respect to element {list(place)} of argument {checked[k]} is "
                f"{analytic[k][row, column]:.9g}, by differences {numeric[row, column]:.9g}"
            )
            if worst is None or excess.max() > worst[0]:
                worst = (float(excess.max()), text)
    return None if worst is None else worst[1]


def _differences(
    f: Callable[..., Tensor], points: list[Tensor], k: int, eps: float, size: int
) -> numpy.ndarray[Any, Any]:
    """The Jacobian of ``f`` by ``points[k]``, column by column."""
    base = points[k].numpy()
    columns = numpy.zeros((size, base.size))
    for column in range(base.size):
        ends = []
        for step in (eps, -eps):
            moved = base.copy()
            moved.reshape(-1)[column] += step
            at = [*points[:k], _beside(moved, points[k]), *points[k + 1 :]]
            with no_grad():
                ends.append(f(*at).numpy().reshape(-1))
        columns[:, column] = (ends[0] - ends[1]) / (2 * eps)
    return columns
