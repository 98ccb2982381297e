"""The loader: batches, order, devices, and the background thread."""

from __future__ import annotations

import threading
import time
import traceback

import numpy
import pytest

import gpugrad as gg
from gpugrad.data import ArrayDataset, DataLoader, Subset


@pytest.fixture
def dataset():
    return ArrayDataset(numpy.arange(20, dtype=numpy.float32).reshape(10, 2), numpy.arange(10))


@pytest.fixture(autouse=True)
def no_thread_is_left():
    yield
    deadline = time.monotonic() + 5
    while workers() and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not workers()


def workers():
    return [thread for thread in threading.enumerate() if thread.name == "gpugrad-data"]


def order(loader):
    return [label for _, labels in loader for label in labels.tolist()]


@pytest.mark.parametrize("prefetch", [0, 1, 2, 50])
@pytest.mark.parametrize(("drop_last", "sizes"), [(False, [4, 4, 2]), (True, [4, 4])])
def test_batches_are_tuples_of_tensors(dataset, device, prefetch, drop_last, sizes):
    loader = DataLoader(dataset, batch_size=4, drop_last=drop_last, prefetch=prefetch)
    batches = list(loader)
    assert len(loader) == len(batches) == len(sizes)
    assert [len(x) for x, _ in batches] == sizes
    x, y = batches[0]
    assert isinstance(x, gg.Tensor)
    assert (x.dtype, y.dtype, x.device, y.device) == (gg.float32, gg.int64, device, device)
    assert x.tolist() == [[0.0, 1.0], [2.0, 3.0], [4.0, 5.0], [6.0, 7.0]]


def test_a_batch_is_a_copy(dataset):
    (x, _), *_ = DataLoader(dataset, batch_size=10, device="cpu")
    x.data[:] = 7
    assert dataset.arrays[0][0].tolist() == [0.0, 1.0]


@pytest.mark.parametrize("prefetch", [0, 2])
def test_order_follows_from_seed_and_epoch(dataset, prefetch):
    loader = DataLoader(dataset, batch_size=3, shuffle=True, seed=5, prefetch=prefetch)
    epochs = [order(loader) for _ in range(3)]
    assert all(sorted(epoch) == list(range(10)) for epoch in epochs)
    assert epochs[0] != epochs[1] != epochs[2]
    again = DataLoader(dataset, batch_size=4, shuffle=True, seed=5)
    again.set_epoch(1)
    assert [order(again), order(again)] == epochs[1:], "resumed in the middle of a run"
    assert order(DataLoader(dataset, batch_size=3, shuffle=True, seed=6)) != epochs[0]


def test_order_is_this_one_on_every_machine(dataset):
    loader = DataLoader(dataset, batch_size=10, shuffle=True, seed=0)
    assert [order(loader), order(loader)] == [[0, 7, 6, 9, 3, 5, 4, 8, 1, 2], [7, 0, 4, 8, 2, 9, 1, 5, 6, 3]]


def test_two_iterations_at_once_are_two_epochs(dataset):
    loader = DataLoader(dataset, batch_size=5, shuffle=True)
    alone = DataLoader(dataset, batch_size=5, shuffle=True)
    expected = [order(alone), order(alone)]
    first, second = iter(loader), iter(loader)
    pairs = list(zip(first, second, strict=True))
    assert [[i for batch in pairs for i in batch[n][1].tolist()] for n in (0, 1)] == expected


def test_default_device_is_that_at_the_start_of_the_epoch(dataset):
    with gg.default_device("cpu"):
        batches = iter(DataLoader(dataset))
    assert next(batches)[0].device == "cpu"


def test_plain_datasets_are_stacked_and_may_be_no_tuples():
    class Squares:
        def __len__(self):
            return 5

        def __getitem__(self, index):
            return float(index**2)

    assert [x.tolist() for (x,) in DataLoader(Squares(), batch_size=3)] == [[0.0, 1.0, 4.0], [9.0, 16.0]]
    assert [x.tolist() for (x,) in DataLoader(Subset(Squares(), [4, 2]), batch_size=2)] == [[16.0, 4.0]]


def test_collate_sees_the_examples(dataset):
    def longest(examples):
        return numpy.stack([x for x, _ in examples]), numpy.array([max(y for _, y in examples)])

    assert [y.tolist() for _, y in DataLoader(dataset, batch_size=4, collate=longest)] == [[3], [7], [9]]


def test_empty_dataset_has_no_batches():
    loader = DataLoader(ArrayDataset(numpy.zeros((0, 3))), batch_size=4, shuffle=True)
    assert len(loader) == 0
    assert list(loader) == []


@pytest.mark.parametrize("options", [{"batch_size": 0}, {"prefetch": -1}])
def test_sizes_are_checked(dataset, options):
    with pytest.raises(ValueError, match="expected batch_size >= 1, prefetch >= 0 and num_workers >= 0, got"):
        DataLoader(dataset, **options)


def test_epoch_is_checked(dataset):
    with pytest.raises(ValueError, match="expected a number from 0 on, got -1"):
        DataLoader(dataset).set_epoch(-1)


class Broken:
    def __len__(self):
        return 10

    def __getitem__(self, index):
        if index == 5:
            raise KeyError("page 5 is torn")
        return index


@pytest.mark.parametrize("prefetch", [0, 2])
def test_an_error_reaches_the_loop_with_its_line(prefetch):
    seen = []
    with pytest.raises(KeyError, match="page 5 is torn") as raised:
        for (x,) in DataLoader(Broken(), batch_size=2, prefetch=prefetch):
            seen.extend(x.tolist())
    assert seen == [0, 1, 2, 3]
    assert any("page 5 is torn" in (frame.line or "") for frame in traceback.extract_tb(raised.value.__traceback__))


def test_ragged_examples_are_an_error():
    ragged = ArrayDataset(numpy.arange(4), transform=lambda n: (numpy.zeros(n),))
    with pytest.raises(ValueError, match="same shape"):
        list(DataLoader(ragged, batch_size=2))


def test_the_thread_is_ahead_by_no_more_than_asked():
    asked = []

    class Counted:
        def __len__(self):
            return 100

        def __getitem__(self, index):
            asked.append(index)
            return index

    batches = iter(DataLoader(Counted(), prefetch=3))
    for used in range(1, 5):
        next(batches)
        deadline = time.monotonic() + 5
        while len(asked) < used + 3 and time.monotonic() < deadline:
            time.sleep(0.005)
        time.sleep(0.02)
        assert len(asked) == used + 3
    batches.close()


def test_leaving_early_ends_the_thread(dataset):
    for _ in DataLoader(dataset, prefetch=2):
        assert len(workers()) == 1
        break
    assert not workers()


def test_a_forgotten_iterator_that_never_started_has_no_thread(dataset):
    iter(DataLoader(dataset, prefetch=2))
    assert not workers()


def test_the_thread_has_the_callers_modes():
    seen = []

    def note(x):
        seen.append((gg.get_default_dtype(), gg.is_grad_enabled()))
        return (x,)

    with gg.default_dtype(gg.float64), gg.no_grad():
        list(DataLoader(ArrayDataset(numpy.arange(2), transform=note)))
    assert seen == [(gg.float64, False)] * 2
