"""Parameters: leaves that modules find."""

from __future__ import annotations

from typing import Any

from ..core import Tensor
from ..ops.creation import tensor


class Parameter(Tensor):
    """A leaf of the graph that a :class:`gpugrad.nn.Module` finds by itself: what an optimizer changes.

    Args:
        data: a Tensor, whose memory is shared, or what :func:`gpugrad.tensor` copies into one.
        requires_grad: whether it is to be learned; settable later.

    Raises:
        TypeError: the data are no numbers, or integers are to be learned.

    Source: ``torch.nn.Parameter``.

    >>> from gpugrad import nn
    >>> nn.Parameter([1.0, 2.0])
    Parameter containing:
    tensor([1., 2.], requires_grad=True)
    """

    __slots__ = ()

    def __init__(self, data: Any, requires_grad: bool = True) -> None:
        super().__init__((data if isinstance(data, Tensor) else tensor(data)).data)
        self.requires_grad = requires_grad

    def __repr__(self) -> str:
        return f"Parameter containing:\n{super().__repr__()}"
