"""A module that trains on several processes, each with a part of every batch."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

from ..core import Tensor
from ..nn import Module
from .collectives import all_reduce
from .gradients import Gradients
from .world import init


class DataParallel(Module):
    """``module`` on every rank, with gradients that are the mean over all ranks after each ``backward``.

    Args:
        module: the same on all ranks; parameters and buffers become those of rank 0.
        bucket_bytes: how much is summed at a time, while the backward pass goes on.

    The mean of the losses of all ranks is what is trained. Where ranks have different numbers of samples, scale each
    loss by :func:`share`. A parameter that no rank used keeps ``grad`` None; one that some used gets the mean over all.
    Buffers are each rank's own; :class:`SyncBatchNorm` has the same on all.

    Raises:
        MismatchError: the modules of the ranks differ.

    Source: ``torch.nn.parallel.DistributedDataParallel``.

    >>> import gpugrad as gg
    >>> model = DataParallel(gg.nn.Linear(2, 1))
    >>> model(gg.ones((3, 2))).sum().backward()
    >>> model.module.weight.grad
    tensor([[3., 3.]])
    """

    def __init__(self, module: Module, bucket_bytes: int = 1 << 22) -> None:
        super().__init__()
        self.module = module
        self._gradients = Gradients(module, init(), bucket_bytes)

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """Call the module."""
        return self.module(*args, **kwargs)

    @contextmanager
    def no_sync(self) -> Generator[None, None, None]:
        """Add gradients up on this rank alone, for several batches that make one step.

        >>> import gpugrad as gg
        >>> model = DataParallel(gg.nn.Linear(2, 1))
        >>> with model.no_sync():
        ...     model(gg.ones((1, 2))).sum().backward()
        >>> model(gg.ones((1, 2))).sum().backward()
        >>> model.module.bias.grad
        tensor([2.])
        """
        with self._gradients.off():
            yield


def share(count: Any) -> Tensor:
    """The factor of a rank's mean loss over ``count`` samples with which the mean over ranks is that of all samples.

    ``count * size / (sum of the counts of all ranks)``; 0 where no rank has any.

    >>> share(32).item()
    1.0
    """
    from .. import float64, tensor, where

    mine = tensor(float(count), dtype=float64, device="cpu")
    total = all_reduce(mine)
    return where(total == 0, 0.0, mine * init().size / where(total == 0, 1.0, total))
