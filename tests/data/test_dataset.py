"""Data sets: rows of arrays, parts of them, random splits."""

from __future__ import annotations

import numpy
import pytest

import gpugrad as gg
from gpugrad.data import ArrayDataset, Subset, random_split


def test_examples_are_rows_and_batches_are_gathered():
    x, y = numpy.arange(12.0).reshape(4, 3), numpy.arange(4)
    dataset = ArrayDataset(x, y)
    assert len(dataset) == 4
    row, label = dataset[2]
    assert row.tolist() == [6.0, 7.0, 8.0]
    assert label == 2
    rows, labels = dataset.gather(numpy.array([3, 0]))
    assert rows.tolist() == [[9.0, 10.0, 11.0], [0.0, 1.0, 2.0]]
    assert labels.tolist() == [3, 0]
    assert dataset.arrays[0] is x, "arrays are shared, not copied"


def test_tensors_and_lists_are_taken(device):
    dataset = ArrayDataset(gg.tensor([[1.0], [2.0]], device=device), [5, 6])
    assert dataset[1][0].tolist() == [2.0]
    assert dataset[1][1] == 6


def test_transform_sees_one_example():
    dataset = ArrayDataset(numpy.arange(4.0), numpy.arange(4), transform=lambda x, y: (numpy.full(2, x * 10), y))
    assert dataset[3][0].tolist() == [30.0, 30.0]
    batch, labels = dataset.gather(numpy.array([1, 2]))
    assert batch.tolist() == [[10.0, 10.0], [20.0, 20.0]]
    assert labels.tolist() == [1, 2]


def test_first_sizes_must_agree():
    with pytest.raises(ValueError, match=r"ArrayDataset: expected arrays of one first size, got \[3, 4\]"):
        ArrayDataset(numpy.zeros(3), numpy.zeros(4))


@pytest.mark.parametrize("arrays", [(), (numpy.float32(1.0),)])
def test_a_first_axis_is_needed(arrays):
    with pytest.raises(ValueError, match="expected arrays with a first axis"):
        ArrayDataset(*arrays)


@pytest.mark.parametrize("bad", [numpy.nan, numpy.inf, -numpy.inf])
def test_values_must_be_finite(bad):
    x = numpy.zeros((4, 3), numpy.float32)
    x[2, 1] = bad
    with pytest.raises(ValueError, match=rf"array 1 has {bad} at index \(2, 1\)"):
        ArrayDataset(numpy.arange(4), x)
    assert len(ArrayDataset(x, check_finite=False)) == 4


def test_subset_renumbers():
    part = Subset(ArrayDataset(numpy.arange(10) * 10), [7, 1])
    assert (len(part), part[0][0], part[1][0]) == (2, 70, 10)
    assert part.gather(numpy.array([1, 1, 0]))[0].tolist() == [10, 10, 70]
    nested = Subset(part, [1])
    assert nested.gather(numpy.array([0]))[0].tolist() == [10]


@pytest.mark.parametrize("index", [-1, 3])
def test_subset_outside_is_an_error(index):
    with pytest.raises(IndexError, match=f"no example {index} in a data set of 3"):
        Subset(ArrayDataset(numpy.arange(3)), [0, index])


@pytest.mark.parametrize(
    ("lengths", "sizes"),
    [([7, 3], [7, 3]), ([10, 0], [10, 0]), ([0.7, 0.3], [7, 3]), ([1 / 3, 1 / 3, 1 / 3], [4, 3, 3])],
)
def test_random_split_deals_out_everything_once(lengths, sizes):
    parts = random_split(ArrayDataset(numpy.arange(10)), lengths, seed=3)
    assert [len(part) for part in parts] == sizes
    assert sorted(int(i) for part in parts for i in part.indices) == list(range(10))


def test_random_split_depends_on_the_seed_alone(device):
    dataset = ArrayDataset(numpy.arange(100))
    first, _ = random_split(dataset, [50, 50], seed=1)
    gg.random.integers(10, size=3)
    again, _ = random_split(dataset, [50, 50], seed=1)
    other, _ = random_split(dataset, [50, 50], seed=2)
    assert first.indices.tolist() == again.indices.tolist() != other.indices.tolist()
    assert random_split(ArrayDataset(numpy.arange(5)), [3, 2], seed=0)[0].indices.tolist() == [3, 4, 2]


@pytest.mark.parametrize("lengths", [[5, 4], [0.5, 0.4], [11, -1], []])
def test_random_split_lengths_must_add_up(lengths):
    with pytest.raises(ValueError, match=r"expected lengths that add up to 10, or to 1\.0, got"):
        random_split(ArrayDataset(numpy.arange(10)), lengths)
