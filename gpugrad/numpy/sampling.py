"""Random numbers of ``numpy.random``: Tensors inside a transform, and differentiable in where and how wide they are."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy

from ..core import Tensor
from ..core.temporary import check_target
from ..ops import creation, functions
from .arrays import inside, made

LOCATED = {
    "normal": ("loc", "scale", 0.0), "laplace": ("loc", "scale", 0.0), "logistic": ("loc", "scale", 0.0),
    "gumbel": ("loc", "scale", 0.0), "lognormal": ("mean", "sigma", 0.0), "uniform": ("low", "high", 0.0),
    "exponential": ("", "scale", 0.0), "rayleigh": ("", "scale", 0.0),
}  # fmt: skip
"""Distributions that are a fixed one, moved and stretched: both parameters, and the default of the first."""

SAMPLERS = {name for name in numpy.random.__all__ if callable(getattr(numpy.random, name))} - {
    "BitGenerator", "Generator", "MT19937", "PCG64", "PCG64DXSM", "Philox", "RandomState", "SFC64", "SeedSequence",
    "bytes", "default_rng", "get_state", "seed", "set_state", "shuffle",
}  # fmt: skip


def sampler(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    """A function of ``numpy.random`` for Tensors as parameters, where the distribution allows a gradient."""

    def sample(*args: Any, **kwargs: Any) -> Any:
        if inside() is None and not any(isinstance(v, Tensor) for v in args) and not kwargs:
            return function(*args)
        if name in LOCATED and any(isinstance(v, Tensor) and v.requires_grad for v in (*args, *kwargs.values())):
            return _located(name, function, *args, **kwargs)
        return made(function(*args, **kwargs))

    return sample


def shuffle(x: Any) -> None:
    """``numpy.random.shuffle``; a part of a Tensor that nothing refers to is refused, as everywhere."""
    if isinstance(x, Tensor):
        check_target(x, "np.random.shuffle(a[1:])")
    numpy.random.shuffle(x)  # noqa: NPY002  NumPy's own name


def _located(name: str, function: Callable[..., Any], *args: Any, size: Any = None, **kwargs: Any) -> Any:
    first, second, default = LOCATED[name]
    names = [n for n in (first, second) if n]
    given = dict(zip((*names, "size"), args, strict=False)) | kwargs
    size = given.pop("size", size)
    low, high = given.get(first, default), given.get(second, 1.0)
    if size is None:
        size = numpy.broadcast_shapes(*(getattr(v, "shape", ()) for v in (low, high)))
    standard = function(0.0, 1.0, size) if first else function(1.0, size)
    if name == "lognormal":
        standard = numpy.log(standard)
    standard = creation.asarray(standard, device=next(v.device for v in (low, high) if isinstance(v, Tensor)))
    width = high - low if name == "uniform" else high
    y = low + width * standard
    return functions.exp(y) if name == "lognormal" else y
