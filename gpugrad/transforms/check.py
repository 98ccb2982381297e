"""Gradients against central differences: the oracle of the tests, and a tool for users' own operations."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy

from .. import backend
from ..core import GradientError, Tensor
from ..core.modes import no_grad
from ..ops.creation import tensor
from ..ops.rounding import real
from .gradient import vjp
from .tree import is_leaf


def gradcheck(
    f: Callable[..., Any],
    inputs: Tensor | float | Sequence[Any],
    *,
    eps: float = 1e-6,
    atol: float = 1e-5,
    rtol: float = 1e-3,
    raise_exception: bool = True,
    fast_mode: bool = False,
) -> bool:
    """Compare the gradients of ``f`` with central differences ``(f(x + eps) - f(x - eps)) / (2 eps)``.

    Every element of the Jacobian is compared, for every input of float64 or complex128; the others are held fixed. A
    complex number counts as two real ones.

    Args:
        f: a function of Tensors that returns a Tensor or a tuple of Tensors.
        inputs: its arguments.
        eps: the step.
        atol: an element agrees if ``|a - n| <= atol + rtol |n|``.
        rtol: see ``atol``.
        raise_exception: raise where they differ; otherwise return False.
        fast_mode: compare one random combination of all elements, along one random direction, in the place of each: a
            fixed number of calls whatever the sizes.

    Returns:
        Whether all agree. Source: ``torch.autograd.gradcheck``.

    Raises:
        GradientError: they differ; names the worst element and both values.
        TypeError: no input is float64 or complex128: smaller dtypes are too coarse for differences.

    >>> import gpugrad as gg
    >>> gg.gradcheck(gg.sin, gg.tensor([0.5, 1.0], dtype=gg.float64))
    True
    """
    f, arguments = _on_copies(f), _constants(inputs)
    checked = _differentiable(arguments)
    if not checked:
        raise TypeError("gradcheck needs at least one float64 input: differences in smaller dtypes are too coarse")
    for number, y in enumerate(_tuple(f(*arguments))):
        if not backend.is_floating(y.dtype):
            continue  # integers are constants
        compare = _along_a_direction if fast_mode else _worst
        worst = compare(lambda *xs, n=number: _tuple(f(*xs))[n], arguments, checked, eps, atol, rtol)
        if worst is not None:
            if raise_exception:
                raise GradientError(f"output {number}: {worst}")
            return False
    return True


def gradgradcheck(
    f: Callable[..., Any],
    inputs: Tensor | float | Sequence[Any],
    *,
    eps: float = 1e-6,
    atol: float = 1e-5,
    rtol: float = 1e-3,
    raise_exception: bool = True,
    fast_mode: bool = False,
) -> bool:
    """:func:`gradcheck` of the gradients of ``f``: second derivatives against differences of first ones.

    The gradients are taken with a fixed random upstream gradient, by which they are differentiated too. Arguments,
    results and errors are those of :func:`gradcheck`. Source: ``torch.autograd.gradgradcheck``.

    >>> import gpugrad as gg
    >>> gg.gradgradcheck(gg.sin, gg.tensor([0.5, 1.0], dtype=gg.float64))
    True
    """
    f, arguments = _on_copies(f), _constants(inputs)
    places = _differentiable(arguments)
    outputs = _tuple(f(*arguments))
    rng = numpy.random.default_rng(0)
    upstream = [_beside(_normal(rng, y), y) for y in outputs if backend.is_floating(y.dtype)]

    def first(*xs: Any) -> tuple[Any, ...]:
        at, gs = list(xs[: len(arguments)]), xs[len(arguments) :]

        def f_of(*chosen: Any) -> Any:
            for i, x in zip(places, chosen, strict=True):
                at[i] = x
            ys = [y for y in _tuple(f(*at)) if backend.is_floating(y.dtype)]
            return sum((real((y * g).sum()) for y, g in zip(ys, gs, strict=True)), start=0.0)

        value, pullback = vjp(f_of, *(at[i] for i in places))
        return pullback(_beside(numpy.ones(()), value))

    options = {"eps": eps, "atol": atol, "rtol": rtol}
    return gradcheck(first, [*arguments, *upstream], raise_exception=raise_exception, fast_mode=fast_mode, **options)


def _constants(inputs: Any) -> list[Any]:
    """The inputs in a list, Tensors outside the graph; Python's numbers in their own precision, beside the Tensors."""
    given = [x.detach() if isinstance(x, Tensor) else x for x in ([inputs] if is_leaf(inputs) else inputs)]
    arrays = [x.data if isinstance(x, Tensor) else x for x in given if isinstance(x, Tensor) or backend.is_array(x)]
    beside = backend.device_of(arrays[0]) if arrays else None
    return [tensor(numpy.asarray(x), device=beside) if type(x) in (float, complex) else x for x in given]


def _on_copies(f: Callable[..., Any]) -> Callable[..., Any]:
    """``f``, which may write to its arguments, on Tensors of its own."""
    return lambda *xs: f(*(Tensor(x.data, x.node) if isinstance(x, Tensor) else x for x in xs))


def _differentiable(arguments: Sequence[Any]) -> list[int]:
    """Which arguments are precise enough for differences."""
    return [i for i, a in enumerate(arguments) if getattr(a, "dtype", None) in (numpy.float64, numpy.complex128)]


def _normal(rng: numpy.random.Generator, y: Tensor) -> numpy.ndarray[Any, Any]:
    values = rng.standard_normal(y.shape)
    return values + 1j * rng.standard_normal(y.shape) if y.dtype.kind == "c" else values


def _numbers(values: numpy.ndarray[Any, Any]) -> numpy.ndarray[Any, Any]:
    """The elements in a row, a complex one as its two parts."""
    flat = numpy.ascontiguousarray(values).reshape(-1)
    return flat.view(flat.real.dtype)


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
    rows = _numbers(numpy.zeros(y.size, y.dtype)).size
    analytic = [numpy.zeros((rows, _numbers(p.numpy()).size)) for p in points]
    for row in range(rows):
        unit = numpy.zeros(y.size, numpy.result_type(y.dtype, numpy.float64))
        _numbers(unit)[row] = 1
        for table, g in zip(analytic, pullback(_beside(unit.reshape(y.shape), y)), strict=True):
            table[row] = _numbers(g.numpy())
    worst: tuple[float, str] | None = None
    for k, point in enumerate(points):
        numeric = _differences(of_checked, points, k, eps, rows)
        excess = abs(analytic[k] - numeric) - (atol + rtol * abs(numeric))
        excess[numpy.isnan(excess)] = numpy.inf
        if excess.size and excess.max() > 0:
            row, column = (int(v) for v in numpy.unravel_index(excess.argmax(), excess.shape))
            place, target = _place(column, point), _place(row, y)
            text = (
                f"the gradient of y{target} with respect to element {place} of argument {checked[k]} is "
                f"{analytic[k][row, column]:.9g}, by differences {numeric[row, column]:.9g}"
            )
            if worst is None or excess.max() > worst[0]:
                worst = (float(excess.max()), text)
    return None if worst is None else worst[1]


def _along_a_direction(
    f: Callable[..., Tensor], arguments: list[Any], checked: list[int], eps: float, atol: float, rtol: float
) -> str | None:
    """The same for one combination of the elements of ``y``, along one direction of all arguments together."""
    rng = numpy.random.default_rng(0)
    points = [tensor(arguments[i]) if not isinstance(arguments[i], Tensor) else arguments[i].detach() for i in checked]

    def at(step: float) -> Tensor:
        moved = list(arguments)
        for i, point, direction in zip(checked, points, directions, strict=True):
            moved[i] = _beside(point.numpy() + step * direction, point)
        return f(*moved)

    directions = [numpy.asarray(_normal(rng, point)) for point in points]
    with no_grad():
        ends = [at(step).numpy() for step in (eps, -eps)]

    def of_checked(*xs: Any) -> Tensor:
        given = list(arguments)
        for i, x in zip(checked, xs, strict=True):
            given[i] = x
        return f(*given)

    y, pullback = vjp(of_checked, *points)
    weight = numpy.asarray(_normal(rng, y))
    numeric = float(_numbers(weight) @ _numbers(numpy.asarray(ends[0] - ends[1], weight.dtype)) / (2 * eps))
    gradients = pullback(_beside(weight, y))
    analytic = sum(
        float(_numbers(numpy.asarray(g.numpy(), d.dtype)) @ _numbers(d))
        for g, d in zip(gradients, directions, strict=True)
    )
    size = max(1.0, float(numpy.sqrt(y.size * sum(p.size for p in points))))
    if abs(analytic - numeric) <= atol * size + rtol * abs(numeric):
        return None
    return f"the derivative along a random direction is {analytic:.9g}, by differences {numeric:.9g}"


def _place(number: int, x: Tensor) -> str:
    """The index of an element of ``x``, by its number among :func:`_numbers`."""
    part = ""
    if x.dtype.kind == "c":
        number, imaginary = divmod(number, 2)
        part = " (imaginary part)" if imaginary else " (real part)"
    return f"{[int(v) for v in numpy.unravel_index(number, x.shape)]}{part}"


def _differences(
    f: Callable[..., Tensor], points: list[Tensor], k: int, eps: float, size: int
) -> numpy.ndarray[Any, Any]:
    """The Jacobian of ``f`` by ``points[k]``, column by column."""
    base = points[k].numpy()
    columns = numpy.zeros((size, _numbers(base).size))
    for column in range(columns.shape[1]):
        ends = []
        for step in (eps, -eps):
            moved = base.copy(order="C")
            _numbers(moved)[column] += step
            at = [*points[:k], _beside(moved, points[k]), *points[k + 1 :]]
            with no_grad():
                ends.append(_numbers(f(*at).numpy()))
        columns[:, column] = (ends[0] - ends[1]) / (2 * eps)
    return columns
