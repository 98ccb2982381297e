"""One axis made several: the way back from :class:`gpugrad.nn.Flatten`."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

from ..core import Tensor
from .module import Module


class Unflatten(Module):
    """The axis ``dim`` made several of these sizes: ``(N, C H W)`` to ``(N, C, H, W)``.

    Args:
        dim: the number of the axis.
        unflattened_size: the sizes; one of them may be -1, for what is left.

    Raises:
        TypeError: ``dim`` or a size is no integer.
        IndexError (when called): the input has no such axis.
        ValueError (when called): the sizes do not multiply to that of the axis.

    Source: ``torch.nn.Unflatten``, without names of axes.

    >>> import gpugrad as gg
    >>> gg.nn.Unflatten(1, (2, -1))(gg.zeros((5, 12))).shape
    (5, 2, 6)
    """

    def __init__(self, dim: int, unflattened_size: Iterable[int]) -> None:
        super().__init__()
        if not isinstance(dim, int) or isinstance(dim, bool):
            raise TypeError(f"Unflatten: expected dim as an integer, got {type(dim).__name__}")
        given: Any = tuple(unflattened_size) if isinstance(unflattened_size, Iterable) else None
        if given is None or not all(isinstance(n, int) for n in given):
            raise TypeError(f"Unflatten: expected unflattened_size as integers, got {unflattened_size!r}")
        if sum(n == -1 for n in given) > 1 or any(n < -1 for n in given):
            raise ValueError(f"Unflatten: expected unflattened_size with at most one -1, got {given}")
        self.dim, self.unflattened_size = dim, given

    def forward(self, input: Tensor) -> Tensor:
        shape, sizes = input.shape, self.unflattened_size
        if not -len(shape) <= self.dim < len(shape):
            raise IndexError(f"Unflatten: there is no axis {self.dim} in an input of shape {shape}")
        dim = self.dim % len(shape)
        known = math.prod(n for n in sizes if n != -1)
        left = shape[dim] // known if known else 0
        sizes = tuple(left if n == -1 else n for n in sizes)
        if math.prod(sizes) != shape[dim]:
            raise ValueError(
                f"Unflatten: expected axis {self.dim} to have the size of {self.unflattened_size} multiplied, "
                f"got an input of shape {shape}"
            )
        return input.reshape((*shape[:dim], *sizes, *shape[dim + 1 :]))

    def extra_repr(self) -> str:
        """The axis and the sizes."""
        return f"dim={self.dim}, unflattened_size={self.unflattened_size}"
