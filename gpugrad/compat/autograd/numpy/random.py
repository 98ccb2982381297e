"""``numpy.random``, differentiable: :mod:`gpugrad.numpy.random`."""

from typing import Any as _Any

from ....numpy import random as _namespace

__all__ = [*_namespace.__all__]


def __getattr__(name: str) -> _Any:
    return getattr(_namespace, name)


def __dir__() -> list[str]:
    return dir(_namespace)
