"""PyTorch's keywords ``dim``, ``dims`` and ``keepdim``, and the names by which PyTorch means something else."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")

KEYWORDS = {"dim": "axis", "dim1": "axis1", "dim2": "axis2", "dims": "axis", "keepdim": "keepdims"}
"""PyTorch's keywords, and gpugrad's."""

MEANINGS: dict[str, str] = {
    "equal": "in PyTorch one bool for the whole tensors, in gpugrad elements: write gg.array_equal(x, y), or x == y",
    "max": "with an axis, PyTorch gives values and indices, gpugrad values: write x.amax(dim) and x.argmax(dim)",
    "median": "PyTorch takes the lower of two middle elements, gpugrad their mean: write gg.median(x, axis=dim), or "
              "x.ravel().argsort() to choose",
    "min": "with an axis, PyTorch gives values and indices, gpugrad values: write x.amin(dim) and x.argmin(dim)",
    "nonzero": "PyTorch gives one array of indices, gpugrad a tuple: write gg.argwhere(x), or nonzero(as_tuple=True)",
    "sort": "PyTorch gives values and indices, gpugrad values, and the method sorts in place: write "
            "x.argsort(dim=...) with x.gather(dim, indices), or gg.sort(x, axis=...)",
    "split": "PyTorch takes the size of the pieces, NumPy their number: write x.chunk(pieces, dim), or "
             "gg.split(x, pieces, axis=dim)",
    "std": "PyTorch divides by n - 1, NumPy by n: say which, with correction=1 or correction=0",
    "var": "PyTorch divides by n - 1, NumPy by n: say which, with correction=1 or correction=0",
}  # fmt: skip
"""Where a name means something else: what to write so that it says which is meant."""


def respelled(kwargs: dict[str, Any]) -> dict[str, Any]:
    """Keywords with gpugrad's names for PyTorch's.

    >>> respelled({"dim": 1, "k": 2})
    {'axis': 1, 'k': 2}
    """
    return {KEYWORDS.get(name, name): value for name, value in kwargs.items()}


def takes_dim(function: Callable[P, R]) -> Callable[P, R]:
    """Let a function take PyTorch's keywords too."""

    @wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        if kwargs and not KEYWORDS.keys().isdisjoint(kwargs):
            kwargs = respelled(kwargs)
        return function(*args, **kwargs)

    return call
