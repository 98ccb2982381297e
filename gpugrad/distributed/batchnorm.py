"""Batch normalization over the batches of all ranks."""

from __future__ import annotations

from typing import Any

from ..core import Tensor
from ..core.modes import no_grad
from ..nn import Module
from ..nn.normalization import _BatchNorm
from ..ops.creation import full
from ..ops.functions import sqrt
from ..ops.reduction import sum as total
from ..ops.shaping import concatenate, reshape
from .collectives import all_reduce
from .world import init


class SyncBatchNorm(_BatchNorm):
    """Batch normalization of inputs ``(N, C, ...)`` by mean and variance over all ranks.

    Arguments are those of :class:`~gpugrad.nn.BatchNorm2d`. In evaluation mode, and with one rank, it is batch
    normalization as it is there.

    Raises (when called):
        ValueError: the input has fewer than two axes, or another number of channels.

    Source: ``torch.nn.SyncBatchNorm``.

    >>> import gpugrad as gg
    >>> SyncBatchNorm(2)(gg.tensor([[1.0, 0.0], [3.0, 4.0]])).shape
    (2, 2)
    """

    axes = tuple(range(2, 8))

    def forward(self, input: Tensor) -> Tensor:
        """Normalize."""
        own = self.training or self.running_mean is None
        if init().size == 1 or not own:
            return super().forward(input)
        self._checked(input)
        over = tuple(i for i in range(input.ndim) if i != 1)
        wide = (1, self.num_features, *[1] * (input.ndim - 2))
        here = input.size // self.num_features
        x = input.astype("float32") if input.dtype.itemsize == 2 else input
        sums = concatenate([total(x, axis=over), full((1,), here, dtype=x.dtype, device=x.device)])
        sums = all_reduce(sums)
        count = sums[-1]
        mean = sums[:-1] / count
        apart = x - reshape(mean, wide)
        var = all_reduce(total(apart * apart, axis=over)) / count
        self._follow(mean, var, count)
        y = apart / reshape(sqrt(var + self.eps), wide)
        if self.weight is not None:
            y = y * reshape(self.weight, wide)
        if self.bias is not None:
            y = y + reshape(self.bias, wide)
        return y.astype(input.dtype, copy=False)

    def _follow(self, mean: Tensor, var: Tensor, count: Tensor) -> None:
        """Let the running statistics follow."""
        rate = self._rate()
        if self.running_mean is None or self.running_var is None or not self.training or not rate:
            return
        with no_grad():
            unbiased = var.detach() * (count.detach() / (count.detach() - 1))
            for buffer, value in ((self.running_mean, mean.detach()), (self.running_var, unbiased)):
                buffer.become((1 - rate) * buffer + rate * value.astype(buffer.dtype, copy=False))

    @classmethod
    def convert_sync_batchnorm(cls, module: Module) -> Any:
        """``module`` with :class:`SyncBatchNorm` in the place of each batch normalization, weights and statistics kept.

        >>> import gpugrad as gg
        >>> SyncBatchNorm.convert_sync_batchnorm(gg.nn.Sequential(gg.nn.Linear(2, 2), gg.nn.BatchNorm1d(2)))
        Sequential(
          (0): Linear(in_features=2, out_features=2, bias=True)
          (1): SyncBatchNorm(2, eps=1e-05, momentum=0.1, affine=True, bias=True, track_running_stats=True)
        )
        """
        if isinstance(module, _BatchNorm) and not isinstance(module, cls):
            made = cls(
                module.num_features, module.eps, module.momentum, module.affine, module.track_running_stats,
                bias=module.bias is not None,
            )  # fmt: skip
            for name, value in (*module.named_parameters(recurse=False), *module.named_buffers(recurse=False)):
                setattr(made, name, value)
            made.train(module.training)
            return made
        for name, child in list(module.named_children()):
            setattr(module, name, cls.convert_sync_batchnorm(child))
        return module
