"""Functions that have no CUDA source of their own: they are compiled for the CPU, or have a NumPy routine there."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from ..backend import BACKENDS, Array, Backend, Namespace, llvm, special
from ..expressions import Formula, trace
from . import activation
from .column_sums import columns
from .compiled import SMALL, Compiled, with_arrays
from .indexing import _atomic as atomic
from .kernel import Kernel, named
from .rows import rows
from .shapes import Shape, length
from .wide import wider


class Composed(Kernel):
    """A kernel whose reference is what every other array library runs, a GPU's too."""

    def __init__(self, reference: Callable[..., Any], name: str | None = None) -> None:
        super().__init__(reference, name)
        named(self.name, self)

    def launch(self, xp: Namespace, owner: Backend, arguments: tuple[Any, ...]) -> Any:
        return NotImplemented

    def sources(self) -> Iterator[tuple[str, str]]:
        return iter(())


class Chosen(Composed):
    """An elementwise function that is compiled for the CPU."""

    changes = ()
    if llvm.wanted():
        least = SMALL

    def __init__(self, reference: Callable[..., Any]) -> None:
        super().__init__(reference)
        self._compiled = Compiled(self)

    def traced(self, types: tuple[str, ...]) -> Formula:
        """The reference as expressions, for arrays of these dtypes."""
        return trace(self.reference, dict(zip(self.arrays, types, strict=True)), self.scalars)

    def compiled(self, arguments: tuple[Any, ...]) -> Any:
        """See :meth:`Kernel.compiled`."""
        return self._compiled(with_arrays(arguments, len(self.arrays)))


@Chosen
def kept(xp: Namespace, mask: Array, g: Array, /) -> Array:
    """``g`` where the mask is true, else exactly 0."""
    return xp.where(mask, g, 0)


@Chosen
def dropped(xp: Namespace, mask: Array, g: Array, /) -> Array:
    """``g`` where the mask is false, else exactly 0."""
    return xp.where(mask, 0, g)


@Chosen
def chosen(xp: Namespace, mask: Array, x1: Array, x2: Array, /) -> Array:
    """``x1`` where the mask is true, else ``x2``."""
    return xp.where(mask, x1, x2)


@Chosen
def thinned(xp: Namespace, x: Array, mask: Array, /, scale: float) -> Array:
    """``x`` times the scale where the mask is true, else exactly 0."""
    return xp.where(mask, x * scale, 0)


@Chosen
def log_sigmoid(xp: Namespace, x: Array, /) -> Array:
    """``log(1 / (1 + e^-x))`` without overflow."""
    return special(xp).log_expit(x)


@Chosen
def log_sigmoid_back(xp: Namespace, g: Array, x: Array, /) -> Array:
    """``g / (1 + e^x)``."""
    return g * activation.sigmoid_forward(xp, -x)


@Composed
def moments(xp: Namespace, x: Array, /, axes: tuple[int, ...]) -> tuple[Array, Array]:
    """Mean and variance over ``axes``, which stay with size 1."""
    mean = xp.mean(x, axis=axes, keepdims=True)
    centred = x - mean
    return mean, xp.mean(centred * centred, axis=axes, keepdims=True)


moments.rounds = 0  # they go into the normalization, and into running statistics


@rows(
    axes={"weight": "c", "bias": "c", "mean": "r", "var": "r"},
    types={"mean": "wide", "var": "wide"},
    scalars=("eps",),
    variants=(
        {"mean": None, "var": None, "centred": True},
        {"mean": None, "var": None, "bias": None, "centred": False},
    ),
)
def standardized(
    xp: Namespace, x: Array, weight: Array | None, bias: Array | None, mean: Array | None, var: Array | None, /,
    axes: tuple[int, ...], eps: float, centred: bool,
) -> tuple[Array, Array, Array]:  # fmt: skip
    """``w (x - mean) r + b`` with ``r = 1 / sqrt(var + eps)``, and what of it the gradient needs: the mean, and r."""
    if centred:
        mean = xp.mean(x, axis=axes, keepdims=True) if mean is None else mean
        c = x - mean
    else:
        c = x
    var = xp.mean(c * c, axis=axes, keepdims=True) if var is None else var
    rstd = 1 / xp.sqrt(var + eps)
    if not centred:
        mean = xp.zeros_like(rstd)
    y = c * (rstd if weight is None else rstd * weight)
    return y if bias is None else y + bias, mean, rstd


@rows(
    axes={"shift": "r", "rstd": "r", "weight": "c"},
    types={"shift": "wide", "rstd": "wide"},
    variants=({"centred": True, "by_x": True}, {"centred": False, "by_x": True}),
)
def standardized_back(
    xp: Namespace, g: Array, x: Array, shift: Array, rstd: Array, weight: Array | None, /, axes: tuple[int, ...],
    centred: bool, by_x: bool,
) -> tuple[Array | None, Array, Array]:  # fmt: skip
    """The gradients by x (None where it is not wanted), the weight and the bias; the last two before they are summed.

    With ``z = (x - mean) r`` and means over the axes: ``r (h - mean(h) - z mean(h z))`` with ``h = g w``, ``g z``, g.
    """
    z = (x - shift) * rstd if centred else x * rstd
    gz = g * z
    if not by_x:
        return None, gz, g
    n = length(x.shape, axes) or 1
    ahead = len(x.shape)
    if weight is None or all(weight.shape[a - ahead] == 1 for a in axes if a >= ahead - len(weight.shape)):
        # one weight for what is normalized together: the sums are those of the weight and the bias
        s, total = (xp.sum(v, axis=axes, keepdims=True) for v in (gz, g))
        d = g - z * (s / n)
        d = d - total / n if centred else d
        return d * (rstd if weight is None else rstd * weight), s, total
    h = g * weight
    d = h - z * (xp.sum(gz * weight, axis=axes, keepdims=True) / n)
    d = d - xp.sum(h, axis=axes, keepdims=True) / n if centred else d
    return d * rstd, gz, g


@rows(
    axes={"shift": "r", "rstd": "r", "weight": "c"},
    types={"shift": "wide", "rstd": "wide"},
    variants=({"centred": True}, {"centred": False}),
)
def normalized_back(
    xp: Namespace, g: Array, x: Array, shift: Array, rstd: Array, weight: Array, /, axes: tuple[int, ...], centred: bool
) -> Array:
    """The gradient by x of :func:`standardized_back`."""
    d, _, _ = standardized_back.reference(xp, g, x, shift, rstd, weight, axes, centred, True)
    return d


@columns(
    axes={"shift": "r", "rstd": "r"},
    types={"shift": "wide", "rstd": "wide"},
    variants=({"centred": True}, {"centred": False}),
)
def normalized_sums(
    xp: Namespace, g: Array, x: Array, shift: Array, rstd: Array, /, axes: tuple[int, ...], centred: bool
) -> tuple[Array, Array]:
    """The gradients by the weight and the bias of :func:`standardized_back`: the sums of ``g z`` and of ``g``."""
    _, gz, total = standardized_back.reference(xp, g, x, shift, rstd, None, axes, centred, False)
    return gz, total


@atomic
def standardized_gradients(
    xp: Namespace, g: Array, x: Array, shift: Array, rstd: Array, weight: Array | None, axes: tuple[int, ...],
    centred: bool, by_x: bool,
) -> tuple[Array | None, Array, Array]:  # fmt: skip
    """:func:`standardized_back` with the gradients of weight and bias in the shape of the weight, if there is one."""
    if weight is None:
        return standardized_back(xp, g, x, shift, rstd, weight, axes, centred, by_x)  # type: ignore[no-any-return]
    owner = BACKENDS.get(type(x))
    if by_x and owner is not None and owner.compiles and type(g) is type(x):
        g = g if g.flags.c_contiguous else xp.ascontiguousarray(g)
        d = normalized_back.launch(xp, owner, (g, x, shift, rstd, weight, axes, centred))
        sums = d if d is NotImplemented else normalized_sums.launch(xp, owner, (g, x, shift, rstd, axes, centred))
        if sums is not NotImplemented:
            return d, *(xp.reshape(s, weight.shape) for s in sums)
    d, *parts = standardized_back(xp, g, x, shift, rstd, weight, axes, centred, by_x)
    return d, *(_summed(xp, part, weight.shape) for part in parts)


def _summed(xp: Namespace, h: Array, shape: Shape) -> Array:
    """``h`` summed to a shape that broadcasts to its own."""
    if h.shape == shape:
        return h
    ahead = h.ndim - len(shape)
    summed = tuple(i for i, n in enumerate(h.shape) if i < ahead or (shape[i - ahead] == 1 and n != 1))
    return xp.reshape(xp.sum(wider(xp, h), axis=summed) if summed else h, shape)
