"""Examples by their number: arrays in host memory, parts of them, and random splits."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Sequence
from itertools import accumulate
from typing import Any, Protocol

import numpy

from .. import backend
from ..core import Tensor
from ..ops.creation import asarray
from ..random import Generator
from .sampling import drawn_seed
from .structure import stacked

HostArray = numpy.ndarray[Any, Any]
Sample = tuple[Any, ...]


class Dataset(Protocol):
    """What :class:`DataLoader` asks of a data set: a length, and the example of a number.

    A data set that also has ``gather(indices)``, returning a whole batch, is asked for batches rather than for one
    example after the other.
    """

    def __len__(self) -> int: ...

    def __getitem__(self, index: int, /) -> Any: ...


class ArrayDataset:
    """Arrays whose first axis counts the examples; example ``i`` is the tuple of their rows ``i``.

    The arrays stay on the host and are shared, not copied; :class:`DataLoader` moves each batch to its device.

    Args:
        arrays: arrays or nested lists of one first size ``N``; a Tensor is copied to the host.
        transform: called with the rows of one example, returns the tuple to use in their place.
        check_finite: look for NaN and infinity in floating-point arrays, once, here.

    Raises:
        ValueError: no arrays, first sizes that differ, or a value that is not finite.

    >>> import numpy
    >>> data = ArrayDataset(numpy.array([[0.0, 1.0], [2.0, 3.0]]), numpy.array([7, 8]))
    >>> len(data), data[1]
    (2, (array([2., 3.]), np.int64(8)))
    """

    def __init__(self, *arrays: Any, transform: Callable[..., Sample] | None = None, check_finite: bool = True) -> None:
        self.arrays = tuple(a.numpy() if isinstance(a, Tensor) else numpy.asarray(a) for a in arrays)
        self.transform = transform
        if not arrays or any(a.ndim == 0 for a in self.arrays):
            raise ValueError(f"ArrayDataset: expected arrays with a first axis, got {[a.shape for a in self.arrays]}")
        sizes = [len(a) for a in self.arrays]
        if len(set(sizes)) > 1:
            raise ValueError(f"ArrayDataset: expected arrays of one first size, got {sizes}")
        if check_finite:
            for number, array in enumerate(self.arrays):
                _check_finite(number, array)

    def __len__(self) -> int:
        return len(self.arrays[0])

    def __getitem__(self, index: int) -> Sample:
        row = tuple(array[index] for array in self.arrays)
        return row if self.transform is None else self.transform(*row)

    def gather(self, indices: HostArray) -> Any:
        """The examples of these numbers as one batch: each array with a new first axis."""
        if self.transform is None:
            return tuple(array[indices] for array in self.arrays)
        return stacked([self[i] for i in indices])


class TensorDataset(ArrayDataset):
    """Tensors whose first axis counts the examples; example ``i`` is the tuple of their slices ``i``, Tensors too.

    An :class:`ArrayDataset` in the memory of the host: a Tensor on a GPU is copied there, once.

    Raises:
        ValueError: no tensors, or first sizes that differ.

    Source: ``torch.utils.data.TensorDataset``.

    >>> import gpugrad as gg
    >>> data = TensorDataset(gg.tensor([[1.0], [2.0]]), gg.tensor([3, 4]))
    >>> data[1]
    (tensor([2.]), tensor(4))
    """

    def __init__(self, *tensors: Any) -> None:
        super().__init__(*(t.detach() if isinstance(t, Tensor) else t for t in tensors), check_finite=False)

    @property
    def tensors(self) -> tuple[Tensor, ...]:
        """The whole tensors, on the host."""
        return tuple(asarray(array) for array in self.arrays)

    def __getitem__(self, index: Any) -> Sample:
        return tuple(asarray(array[index]) for array in self.arrays)


class ConcatDataset:
    """Several data sets, one after the other.

    Raises:
        ValueError: there is none.

    Source: ``torch.utils.data.ConcatDataset``.

    >>> data = ConcatDataset([[10, 11], [20]])
    >>> len(data), data[2], data[-3]
    (3, 20, 10)
    """

    def __init__(self, datasets: Iterable[Any]) -> None:
        self.datasets = list(datasets)
        if not self.datasets:
            raise ValueError("ConcatDataset: expected at least one data set, got none")
        self.cumulative_sizes: list[int] = list(accumulate(map(len, self.datasets)))

    def __len__(self) -> int:
        return self.cumulative_sizes[-1]

    def __getitem__(self, index: int) -> Any:
        if not -len(self) <= index < len(self):
            raise IndexError(f"ConcatDataset: no example {index} in data sets of {len(self)}")
        place = int(index) % len(self)
        number = bisect_right(self.cumulative_sizes, place)
        return self.datasets[number][place - (self.cumulative_sizes[number - 1] if number else 0)]


class Subset:
    """The examples of another data set that have the given numbers, in that order.

    Raises:
        IndexError: a number that the data set does not have.

    >>> import numpy
    >>> odd = Subset(ArrayDataset(numpy.arange(6)), [1, 3, 5])
    >>> len(odd), odd[2]
    (3, (np.int64(5),))
    """

    def __init__(self, dataset: Dataset, indices: Sequence[int] | HostArray) -> None:
        self.dataset = dataset
        self.indices = numpy.asarray(indices, dtype=numpy.int64)
        outside = (self.indices < 0) | (self.indices >= len(dataset))
        if outside.any():
            raise IndexError(f"Subset: no example {self.indices[outside][0]} in a data set of {len(dataset)}")

    def __len__(self) -> int:
        return len(self.indices)

    def __getitem__(self, index: int) -> Any:
        return self.dataset[int(self.indices[index])]

    def gather(self, indices: HostArray) -> Any:
        """The examples of these numbers as one batch."""
        return gather(self.dataset, self.indices[indices])


def random_split(
    dataset: Dataset, lengths: Sequence[int] | Sequence[float], seed: int | Generator = 0,
    generator: Generator | None = None,
) -> list[Subset]:  # fmt: skip
    """Deal the examples out at random; the same seed deals the same way, on every machine.

    Args:
        dataset: what to split.
        lengths: sizes that add up to ``len(dataset)``, or fractions that add up to 1; what rounding down leaves over
            goes to the first parts, one each.
        seed: chooses the order; or a generator, as in PyTorch.
        generator: draws the seed.

    Raises:
        ValueError: the lengths do not add up, or one is negative.

    Source: ``torch.utils.data.random_split``.

    >>> import numpy
    >>> train, test = random_split(ArrayDataset(numpy.arange(10)), [0.8, 0.2], seed=0)
    >>> len(train), len(test)
    (8, 2)
    """
    if isinstance(seed, Generator):
        return random_split(dataset, lengths, generator=seed)
    seed = seed if generator is None else drawn_seed(generator)
    total = len(dataset)
    sizes = [int(n) for n in lengths]
    if any(isinstance(n, float) for n in lengths) and abs(sum(lengths) - 1) < 1e-9:
        sizes = [int(total * n) for n in lengths]
        for part in range(total - sum(sizes)):
            sizes[part % len(sizes)] += 1
    if sum(sizes) != total or min(lengths, default=0) < 0:
        raise ValueError(f"random_split: expected lengths that add up to {total}, or to 1.0, got {list(lengths)}")
    ends = numpy.cumsum(sizes)
    order = Generator(seed).permutation(total, device="cpu").data
    return [Subset(dataset, order[end - size : end]) for size, end in zip(sizes, ends, strict=True)]


def gather(dataset: Dataset, indices: HostArray) -> Any:
    """One batch: through the data set's own ``gather`` where it has one, else example by example."""
    own = getattr(dataset, "gather", None)
    return own(indices) if own is not None else stacked([dataset[int(i)] for i in indices])


def _check_finite(number: int, array: HostArray) -> None:
    if not backend.is_floating(array.dtype):
        return
    finite = numpy.isfinite(array)
    if not finite.all():
        index = tuple(int(i) for i in numpy.argwhere(~finite)[0])
        raise ValueError(
            f"ArrayDataset: expected finite numbers, array {number} has {array[index]} at index {index} "
            "(check_finite=False allows it)"
        )
