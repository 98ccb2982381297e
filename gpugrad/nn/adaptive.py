"""A softmax over very many classes, of which few are frequent."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any, NamedTuple

from ..backend import Device
from ..core import Tensor
from ..ops.arithmetic import where
from ..ops.creation import zeros
from ..ops.indexing import set_at
from ..ops.reduction import argmax
from ..ops.selection import nonzero
from ..ops.shaping import concat, expand_dims
from . import functional
from .container import ModuleList, Sequential
from .linear import Linear
from .module import Module


class AdaptiveOutput(NamedTuple):
    """What :class:`AdaptiveLogSoftmaxWithLoss` returns: log-probabilities of the labels, and their mean, negative."""

    output: Tensor
    loss: Tensor


class AdaptiveLogSoftmaxWithLoss(Module):
    """Classes in order of their frequency: the frequent ones at once, the others in clusters of their own.

    The head decides between the classes below the first cutoff and the clusters, of which each has a smaller space,
    so that little is computed for what is rare.

    Args:
        in_features: D, the size of an example.
        n_classes: C, how many classes there are.
        cutoffs: where clusters begin, rising, from 1 to C - 1.
        div_value: the size of the space of cluster i is ``D / div_value^(i + 1)``.
        head_bias: whether the head has a bias.
        device, dtype: of the parameters; None for the defaults.

    Shapes: examples ``(N, D)`` with labels ``(N,)``, or ``(D,)`` with ``()``, to ``output`` of shape ``(N,)`` or
    ``()``, and the loss ``()``. Which examples are in which cluster is looked at by the host.

    Raises:
        ValueError: cutoffs that are no such numbers, or (when called) shapes that do not fit.
        IndexError: (when called) a label is out of range.

    Source: Grave et al. 2017, "Efficient softmax approximation for GPUs"; ``torch.nn.AdaptiveLogSoftmaxWithLoss``.

    >>> import gpugrad as gg
    >>> from gpugrad import nn
    >>> layer = nn.AdaptiveLogSoftmaxWithLoss(8, 100, cutoffs=[10, 50])
    >>> layer(gg.ones((2, 8)), gg.tensor([3, 70])).output.shape
    (2,)
    """

    def __init__(
        self, in_features: int, n_classes: int, cutoffs: Sequence[int], div_value: float = 4.0,
        head_bias: bool = False, device: Device | str | None = None, dtype: Any = None,
    ) -> None:  # fmt: skip
        super().__init__()
        places = [int(c) for c in cutoffs]
        if not places or places != list(cutoffs) or not all(a < b for a, b in pairwise([0, *places, n_classes])):
            raise ValueError(
                f"AdaptiveLogSoftmaxWithLoss: expected cutoffs that rise from at least 1 to at most {n_classes - 1}, "
                f"got {cutoffs}"
            )
        self.in_features, self.n_classes, self.div_value, self.head_bias = in_features, n_classes, div_value, head_bias
        self.cutoffs = [*places, n_classes]
        self.shortlist_size, self.n_clusters = places[0], len(places)
        self.head_size = self.shortlist_size + self.n_clusters
        self.head = Linear(in_features, self.head_size, bias=head_bias, device=device, dtype=dtype)
        self.tail = ModuleList()
        for i, (start, stop) in enumerate(pairwise(self.cutoffs)):
            inner = int(in_features // div_value ** (i + 1))
            sizes = ((in_features, inner), (inner, stop - start))
            self.tail.append(Sequential(*(Linear(*s, bias=False, device=device, dtype=dtype) for s in sizes)))

    def reset_parameters(self) -> None:
        """Draw the parameters anew."""
        for module in self.modules():
            if isinstance(module, Linear):
                module.reset_parameters()

    def forward(self, input: Tensor, target: Tensor) -> AdaptiveOutput:
        if target.ndim > 1 or input.ndim != target.ndim + 1 or input.shape[:-1] != target.shape:
            raise ValueError(
                f"AdaptiveLogSoftmaxWithLoss: expected shapes (N, D) and (N,), or (D,) and (), got {input.shape} and "
                f"{target.shape}"
            )
        x, label = (input, target) if target.ndim else (expand_dims(input, axis=0), expand_dims(target, axis=0))
        wrong = nonzero((label < 0) | (label >= self.n_classes))[0]
        if wrong.size:
            raise IndexError(
                f"AdaptiveLogSoftmaxWithLoss: label {label[wrong[0]].item()} is out of range for {self.n_classes} "
                f"classes"
            )
        first, output = label, zeros(label.shape, dtype=x.dtype, device=x.device)
        for i, (start, stop) in enumerate(pairwise(self.cutoffs)):
            inside = (label >= start) & (label < stop)
            rows = nonzero(inside)[0]
            if rows.size:
                lost = functional.cross_entropy(self.tail[i](x[rows]), label[rows] - start, reduction="none")
                output = set_at(output, rows, -lost)
                first = where(inside, self.shortlist_size + i, first)
        output = output - functional.cross_entropy(self.head(x), first, reduction="none")
        loss = -output.mean()
        return AdaptiveOutput(output if target.ndim else output[0], loss)

    def log_prob(self, input: Tensor) -> Tensor:
        """The log-probabilities of all classes, ``(N, D)`` to ``(N, C)``."""
        head = functional.log_softmax(self.head(input), dim=1)
        parts = [head[:, : self.shortlist_size]]
        for i, tail in enumerate(self.tail):
            at = self.shortlist_size + i
            parts.append(functional.log_softmax(tail(input), dim=1) + head[:, at : at + 1])
        return concat(parts, axis=1)

    def predict(self, input: Tensor) -> Tensor:
        """The most probable class of each example, ``(N, D)`` to ``(N,)``."""
        return argmax(self.log_prob(input), axis=1)
