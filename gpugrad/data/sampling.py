"""Which examples come in which order, where it is not just all of them."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from typing import Any

import numpy

from ..backend.cpu import CPU
from ..core import Tensor
from ..random import Generator


def drawn_seed(generator: Generator) -> int:
    """A seed that a generator draws; the generator goes on behind it.

    >>> drawn_seed(Generator(0)) == drawn_seed(Generator(0))
    True
    """
    return int(generator.integers(2**62, size=(), device=CPU).item())


def _seed(seed: int, generator: Generator | None) -> int:
    return seed if generator is None else drawn_seed(generator)


class Sampler:
    """An order of examples, for a loader's ``sampler=``: a subclass defines ``__iter__``, which gives numbers.

    The loader calls :meth:`set_epoch` before each epoch. A sampler whose order depends on the epoch's number alone
    lets a run go on exactly where it was.

    Source: ``torch.utils.data.Sampler``.

    >>> class Backwards(Sampler):
    ...     def __iter__(self):
    ...         return iter([2, 1, 0])
    >>> list(Backwards())
    [2, 1, 0]
    """

    epoch = 0

    def __init__(self, data_source: Any = None) -> None:
        self.data_source = data_source

    def set_epoch(self, epoch: int) -> None:
        """Give the order of this epoch from now on; the loader calls it."""
        self.epoch = epoch

    def __iter__(self) -> Iterator[Any]:
        raise NotImplementedError(f"{type(self).__name__} defines no __iter__: expected an iterator over numbers")


class SequentialSampler(Sampler):
    """0, 1, 2, ...

    >>> list(SequentialSampler("abc"))
    [0, 1, 2]
    """

    def __len__(self) -> int:
        return len(self.data_source)

    def __iter__(self) -> Iterator[int]:
        return iter(range(len(self.data_source)))


class RandomSampler(Sampler):
    """A new random order each epoch.

    Args:
        data_source: what has a length.
        replacement: draw each number among all, so that some come more than once and others not at all.
        num_samples: how many; None for as many as there are. Without replacement, more than that are further orders.
        generator: draws the seed, once, here.
        seed: chooses the orders, together with the epoch's number.

    Raises:
        ValueError: a number below 1.

    Source: ``torch.utils.data.RandomSampler``.

    >>> sorted(RandomSampler("abcd"))
    [0, 1, 2, 3]
    """

    def __init__(
        self, data_source: Any, replacement: bool = False, num_samples: int | None = None,
        generator: Generator | None = None, seed: int = 0,
    ) -> None:  # fmt: skip
        super().__init__(data_source)
        if num_samples is not None and num_samples < 1:
            raise ValueError(f"RandomSampler: expected num_samples of at least 1, got {num_samples}")
        self.replacement = replacement
        self._num_samples = num_samples
        self.seed = _seed(seed, generator)

    @property
    def num_samples(self) -> int:
        """How many numbers there are in an epoch."""
        return len(self.data_source) if self._num_samples is None else self._num_samples

    def __len__(self) -> int:
        return self.num_samples

    def __iter__(self) -> Iterator[int]:
        random, count, wanted = Generator(self.seed).fork(self.epoch), len(self.data_source), self.num_samples
        if self.replacement:
            yield from random.integers(count, size=wanted, device=CPU).tolist()
            return
        for start in range(0, wanted, max(count, 1)):
            yield from random.permutation(count, device=CPU).tolist()[: wanted - start]


class SubsetRandomSampler(Sampler):
    """Given numbers in a new random order each epoch.

    Args:
        indices: the numbers.
        generator: draws the seed, once, here.
        seed: chooses the orders, together with the epoch's number.

    Source: ``torch.utils.data.SubsetRandomSampler``.

    >>> sorted(SubsetRandomSampler([3, 5, 7]))
    [3, 5, 7]
    """

    def __init__(self, indices: Sequence[int], generator: Generator | None = None, seed: int = 0) -> None:
        super().__init__(indices)
        self.indices = indices
        self.seed = _seed(seed, generator)

    def __len__(self) -> int:
        return len(self.indices)

    def __iter__(self) -> Iterator[int]:
        order = Generator(self.seed).fork(self.epoch).permutation(len(self.indices), device=CPU).tolist()
        return (int(self.indices[i]) for i in order)


class BatchSampler(Sampler):
    """Lists of the numbers of another sampler, for a loader's ``batch_sampler=``.

    Args:
        sampler: the numbers.
        batch_size: how many in a list; the last one may be shorter.
        drop_last: leave out a last list that is shorter.

    Raises:
        ValueError: a size below 1.

    Source: ``torch.utils.data.BatchSampler``.

    >>> list(BatchSampler(range(5), batch_size=2, drop_last=False))
    [[0, 1], [2, 3], [4]]
    """

    def __init__(self, sampler: Any, batch_size: int, drop_last: bool) -> None:
        super().__init__(sampler)
        if batch_size < 1:
            raise ValueError(f"BatchSampler: expected batch_size of at least 1, got {batch_size}")
        self.sampler = sampler
        self.batch_size = batch_size
        self.drop_last = drop_last

    def set_epoch(self, epoch: int) -> None:
        """Give the lists of this epoch from now on, the sampler's numbers too."""
        super().set_epoch(epoch)
        inner = getattr(self.sampler, "set_epoch", None)
        if inner is not None:
            inner(epoch)

    def __len__(self) -> int:
        whole, rest = divmod(len(self.sampler), self.batch_size)
        return whole + bool(rest and not self.drop_last)

    def __iter__(self) -> Iterator[list[int]]:
        return (batch.tolist() for batch in batched(self.sampler, self.batch_size, self.drop_last))


class WeightedRandomSampler(Sampler):
    """Numbers of examples drawn with given weights, for a loader's ``sampler=``: rare classes more often, say.

    Args:
        weights: one for each example, not negative; they need not add up to 1.
        num_samples: how many are drawn in an epoch.
        replacement: whether an example may come more than once.
        generator: draws the seed, once, here.
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
        self, weights: Sequence[float] | Any, num_samples: int, replacement: bool = True, seed: int | Generator = 0,
        generator: Generator | None = None,
    ) -> None:  # fmt: skip
        super().__init__()
        self.weights = numpy.asarray(weights.numpy() if isinstance(weights, Tensor) else weights, dtype=numpy.float64)
        self.num_samples = num_samples
        self.replacement = replacement
        self.seed = drawn_seed(seed) if isinstance(seed, Generator) else _seed(seed, generator)  # PyTorch has it there
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


def part_of(batch: Any, rank: int, ranks: int) -> Any:
    """The part of a batch that one of several processes gets: parts differ by one example at most.

    Raises:
        ValueError: there are fewer examples than processes.

    >>> [part_of([10, 11, 12, 13, 14], rank, 2) for rank in range(2)]
    [[10, 11], [12, 13, 14]]
    """
    count = len(batch)
    if 0 < count < ranks:
        raise ValueError(
            f"DataLoader: a batch of {count} examples has nothing for some of {ranks} ranks: use drop_last=True, or "
            "another batch_size"
        )
    return batch[count * rank // ranks : count * (rank + 1) // ranks]


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
