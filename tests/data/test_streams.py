"""Streams that draw random numbers or shard themselves: every sample once, for any number of workers, and resumed."""

from __future__ import annotations

import random
from itertools import chain

import numpy
import pytest

import gpugrad as gg
from gpugrad import data
from gpugrad.data import DataLoader

WAYS = {
    "alone": {"prefetch": 0},
    "ahead": {},
    "threads": {"num_workers": 3, "workers": "thread"},
    "processes": {"num_workers": 2},
}
COUNT = 26

SHUFFLES = {
    "generator": lambda: data.generator().permutation(COUNT, device="cpu").tolist(),
    "gg.random": lambda: gg.random.permutation(COUNT, device="cpu").tolist(),
    "numpy": lambda: numpy.random.permutation(COUNT).tolist(),
    "random": lambda: random.sample(range(COUNT), COUNT),
}


class Shuffling(data.IterableDataset):
    """Draws an order when it starts, by a name; the transform draws too."""

    def __init__(self, how):
        self.how = how

    def __iter__(self):
        yield from SHUFFLES[self.how]()

    def transform(self, record):
        return record, data.generator().random(device="cpu").item()


class Drawing(data.IterableDataset):
    """Draws before each record."""

    def __iter__(self):
        rest = list(range(COUNT))
        while rest:
            yield rest.pop(data.generator().integers(len(rest), device="cpu").item())


class Sharded(data.IterableDataset):
    def __init__(self, count=COUNT):
        self.count = count

    def __iter__(self):
        info = data.get_worker_info()
        return iter(range(self.count) if info is None else range(info.id, self.count, info.num_workers))


class Late(data.IterableDataset):
    """Draws from the program's random numbers, from a record on."""

    def __init__(self, start):
        self.start = start

    def __iter__(self):
        for i in range(COUNT):
            yield (i, numpy.random.random(), random.random()) if i >= self.start else (i, 0.0, 0.0)


def batches(loader):
    return [[x.tolist() for x in batch] for batch in loader]


@pytest.mark.parametrize("how", [*SHUFFLES, "each"])
def test_a_stream_that_draws_gives_every_sample_once(device, how):
    stream = Drawing() if how == "each" else Shuffling(how)
    numpy.random.seed(5)
    random.seed(5)
    expected = None
    for way, options in WAYS.items():
        if way == "processes" and how in ("generator", "random"):
            continue  # as the others; processes take a while to start
        loader = DataLoader(stream, 4, **options)
        first = batches(loader)
        expected = expected or first
        assert sorted(chain.from_iterable(batch[0] for batch in first)) == list(range(COUNT)), way
        assert first == expected, way
        if way != "processes":
            assert batches(loader) != first, way  # the next epoch
            resumed = DataLoader(stream, 4, **options)
            resumed.load_state_dict({"epoch": 0, "batch": 3, "seed": 0})
            assert batches(resumed) == first[3:], way
    numbers = numpy.random.random(), random.random()
    numpy.random.seed(5)
    random.seed(5)
    assert numbers == (numpy.random.random(), random.random()), "the numbers of the program went on as they were"


@pytest.mark.parametrize(("way", "start"), [("alone", 2), ("alone", 9), ("ahead", 2), ("threads", 2)])
def test_numbers_that_are_drawn_late_are_repeated(device, way, start):
    def loader():
        return DataLoader(Late(start), 4, **WAYS[way])

    whole = batches(loader())
    numpy.random.seed(8)
    numbers = numpy.random.random(), random.random()
    numpy.random.seed(8)
    resumed = loader()
    resumed.load_state_dict({"epoch": 0, "batch": 3, "seed": 0})
    assert batches(resumed) == whole[3:]
    assert numbers[0] == numpy.random.random()


def test_another_seed_is_another_order(device):
    assert batches(DataLoader(Shuffling("numpy"), 4)) != batches(DataLoader(Shuffling("numpy"), 4, seed=1))


@pytest.mark.parametrize("count", [26, 2, 0])
@pytest.mark.parametrize("way", ["alone", "threads"])
def test_a_stream_that_shards_itself_gives_every_sample_once(device, way, count):
    loader = DataLoader(Sharded(count), 2, **WAYS[way])
    for _ in range(2):
        assert sorted(chain.from_iterable(x.tolist() for (x,) in loader)) == list(range(count))


def test_shards_are_resumed_by_as_many_workers(device):
    def made(workers=3):
        return DataLoader(Sharded(), 2, num_workers=workers, workers="thread")

    loader, got = made(), []
    expected = batches(made())
    states = []
    for batch in loader:
        got.append([x.tolist() for x in batch])
        states.append(loader.state_dict())
    assert got == expected
    for place, state in enumerate(states):
        resumed = made()
        resumed.load_state_dict(state)
        assert resumed.state_dict() == state
        assert batches(resumed) == expected[place + 1 :]
    with pytest.raises(ValueError, match="was read by 3 workers: expected num_workers=3, got 2"):
        made(2).load_state_dict(states[0])


def test_shards_of_processes(device):
    assert batches(DataLoader(Sharded(5), 2, num_workers=2)) == [[[0, 2]], [[1, 3]], [[4]]]
