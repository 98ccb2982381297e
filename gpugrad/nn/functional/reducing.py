"""What every loss does: look at its arguments, and reduce the losses of all elements to one number, or not."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from math import inf, nan
from typing import Any

from ... import backend
from ...core import Tensor
from ...ops.arithmetic import maximum, where
from ...ops.beside import beside
from ...ops.creation import asarray, astype
from ...ops.inspection import broadcast_shapes

Note = tuple[Tensor, Any]
"""A reduced loss, and what its mean is over: a number, or a Tensor without a shape; None for a sum."""

_notes: ContextVar[list[Note] | None] = ContextVar("gpugrad_reductions", default=None)


@contextmanager
def noting() -> Iterator[list[Note]]:
    """The reductions of losses inside a ``with`` block, in their order.

    >>> import gpugrad as gg
    >>> with noting() as notes:
    ...     _ = gg.nn.functional.mse_loss(gg.ones((2, 3)), gg.zeros((2, 3)))
    >>> notes
    [(tensor(1.), 6)]
    """
    notes: list[Note] = []
    token = _notes.set(notes)
    try:
        yield notes
    finally:
        _notes.reset(token)


def noted(loss: Tensor, count: Any) -> Tensor:
    """A loss that was reduced, noted for who listens."""
    notes = _notes.get()
    if notes is not None:
        notes.append((loss, count))
    return loss


def weighted_mean(total: Tensor, weights: Tensor) -> Tensor:
    """A sum divided by the sum of the weights; where that is 0, NaN with a gradient of 0."""
    none = weights == 0
    return noted(where(none, nan, total / where(none, 1, weights)), weights)


def known_reduction(reduction: str) -> str:
    """``reduction``, if there is one of this name.

    Raises:
        ValueError: there is none.

    >>> known_reduction("sum")
    'sum'
    """
    if reduction not in ("mean", "sum", "none"):
        raise ValueError(f"expected the reduction 'mean', 'sum' or 'none', got {reduction!r}")
    return reduction


def reduced(loss: Tensor, reduction: str, count: int) -> Tensor:
    """The losses reduced; the mean is over ``count``."""
    if reduction == "none":
        return loss
    total = loss.sum()
    if reduction == "sum":
        return noted(total, None)
    return noted(total * (1 / count if count else nan), count)


def fitting(name: str, input: Tensor, target: Any, what: str = "a target") -> Any:
    """``target``, a number or of the shape of the input: shapes are not broadcast, as ``(N,)`` with ``(N, 1)`` would.

    Raises:
        ValueError: it has another shape.
    """
    shape = getattr(target, "shape", input.shape)
    if shape != input.shape:
        raise ValueError(f"{name}: expected {what} of the shape of the input, {input.shape}, got {shape}")
    return target


def broadcasting(name: str, input: Tensor, target: Any) -> Any:
    """``target``, a number or of a shape that broadcasts to that of the input, or the other way round.

    Not both at once: ``(N,)`` with ``(N, 1)`` would be ``(N, N)``, and is a mistake nearly always.

    Raises:
        ValueError: neither of the two has the common shape, or there is none.
    """
    shape = getattr(target, "shape", ())
    try:
        common = broadcast_shapes(input.shape, shape)
    except ValueError:
        common = None
    if common not in (input.shape, shape):
        raise ValueError(f"{name}: expected a target that broadcasts to the shape of the input, {input.shape}, or the "
                         f"other way round, got {shape}")  # fmt: skip
    return target


def possible(name: str, what: str, x: Any, low: float, high: float = inf) -> None:
    """Check that numbers lie in [``low``, ``high``]; NaN passes. On a GPU the error comes when the host next waits.

    Raises:
        ValueError: one is outside.

    >>> import gpugrad as gg
    >>> possible("binary_cross_entropy", "probabilities", gg.tensor([0.5, 1.0]), 0, 1)
    """
    expected = f"from {low:g} to {high:g}" if high < inf else f"of at least {low:g}"
    text = f"{name}: expected {what} {expected}"
    if isinstance(x, int | float):
        if x < low or x > high:
            raise ValueError(f"{text}, got {x}")
        return
    array = asarray(x).data
    backend.backend_of(array).check_values(array, low, high, text)


def as_weight(input: Tensor, weight: Any) -> Tensor:
    """Weights, or a number, in the dtype of the input."""
    if isinstance(weight, int | float):
        return beside(weight, input, input.dtype)
    given: Tensor = asarray(weight)
    return given if given.dtype == input.dtype else astype(given, input.dtype)


def at_least(x: Tensor, least: float) -> Tensor:
    """The larger of the two; the gradient passes as if there were no bound, so that one below it can recover."""
    value = x.detach()
    return x + (maximum(value, least) - value)
