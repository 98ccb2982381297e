"""The number of elements of a Tensor."""

from __future__ import annotations

from typing import Any


class Size(int):
    """A number of elements that can be called, for programs written for PyTorch.

    >>> import gpugrad as gg
    >>> x = gg.zeros((2, 3))
    >>> x.size, x.size(), x.size(-1)
    (6, (2, 3), 3)
    """

    shape: tuple[int, ...]

    def __call__(self, dim: int | None = None) -> Any:
        if dim is None:
            return self.shape
        if not -len(self.shape) <= dim < len(self.shape):
            raise IndexError(f"size: axis {dim} is out of bounds for a tensor of shape {self.shape}")
        return self.shape[dim]

    def __reduce__(self) -> tuple[Any, ...]:
        return int, (int(self),)
