"""Which examples come in which order, where it is not just all of them."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from typing import Any

import numpy

from ..backend.cpu import CPU
from ..core import Tensor
from ..random import Generator


class WeightedRandomSampler:
    """Numbers of examples drawn with given weights, for a loader's ``sampler=``: rare classes more often, say.

    Args:
        weights: one for each example, not negative; they need not add up to 1.
        num_samples: how many are drawn in an epoch.
        replacement: whether an example may come more than once.
        seed: chooses the draws, together with the epoch's number.

    Raises:
        ValueError: weights that are negative, not finite or all 0, or fewer examples with a weight than are to be drawn
            without replacement.

    Source: ``torch.utils.data.WeightedRandomSampler``; without replacement: Efraimidis and Spirakis 2006.

    >>> sampler = WeightedRandomSampler([0.0, 1.0, 0.0], num_samples=4)
    >>> list(sampler)
    [1, 1, 1, 1]
    """

    def __init__(
        self, weights: Sequence[float] | Any, num_samples: int, replacement: bool = True, seed: int = 0
    ) -> None:
        self.weights = numpy.asarray(weights.numpy() if isinstance(weights, Tensor) else weights, dtype=numpy.float64)
        self.num_samples = num_samples
        self.replacement = replacement
        self.seed = seed
        self.epoch = 0
        if self.weights.ndim != 1 or not numpy.isfinite(self.weights).all() or (self.weights < 0).any():
            raise ValueError("WeightedRandomSampler: expected finite weights of at least 0, shape (N,)")
        positive = int((self.weights > 0).sum())
        if num_samples < 0 or (num_samples > 0 and positive == 0):
            raise ValueError(f"WeightedRandomSampler: cannot draw {num_samples} of {positive} examples with a weight")
        if not replacement and num_samples > positive:
            raise ValueError(f"WeightedRandomSampler: cannot draw {num_samples} of {positive} examples with a weight "
                             "without replacement")  # fmt: skip

    def __len__(self) -> int:
        return self.num_samples

    def set_epoch(self, epoch: int) -> None:
        """Draw for this epoch from now on; the loader calls it."""
        self.epoch = epoch

    def __iter__(self) -> Iterator[int]:
        random = Generator(self.seed).fork(self.epoch)
        if self.replacement:
            ends = numpy.cumsum(self.weights)
            drawn = random.random(self.num_samples, dtype=numpy.float64, device=CPU).numpy() * ends[-1]
            places = numpy.searchsorted(ends, drawn, side="right")
            # Rounding may put a draw at the very end, behind the last example that has a weight.
            chosen = numpy.minimum(places, numpy.flatnonzero(self.weights)[-1])
        else:
            drawn = random.random(len(self.weights), dtype=numpy.float64, device=CPU).numpy()
            with numpy.errstate(divide="ignore"):
                keys = numpy.log1p(-drawn) / self.weights  # the largest are as if drawn one after the other
            chosen = numpy.argsort(-keys, kind="stable")[: self.num_samples]
        return iter(chosen.tolist())


def batched(indices: Any, size: int, drop_last: bool, start: int = 0) -> Iterator[numpy.ndarray]:
    """Numbers in batches, from batch ``start`` on.

    >>> [batch.tolist() for batch in batched(range(5), 2, drop_last=False, start=1)]
    [[2, 3], [4]]
    """
    rest = itertools.islice(iter(indices), start * size, None)
    while chosen := list(itertools.islice(rest, size)):
        if drop_last and len(chosen) < size:
            return
        yield numpy.asarray(chosen, dtype=numpy.int64)
