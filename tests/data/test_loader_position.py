"""Where a loader is: saved, gone on from, whatever prepares the batches; interrupted; and other orders."""

from __future__ import annotations

import itertools
import threading
import time
from typing import ClassVar

import numpy
import pytest

import gpugrad as gg
from gpugrad.data import (
    ArrayDataset,
    DataLoader,
    IterableDataset,
    LoaderInterrupted,
    Shuffled,
    WeightedRandomSampler,
    generator,
    random_split,
)
from gpugrad.testing import cuda_simulator


class Stream(IterableDataset):
    """The numbers from the epoch's first on, each noted when it is read."""

    def __init__(self, count=23):
        self.count = count
        self.transformed = []

    def __iter__(self):
        return iter(range(100 * self.epoch, 100 * self.epoch + self.count))

    def transform(self, record):
        self.transformed.append(record)
        return record, numpy.float32(generator().random(device="cpu").item())


class Jumping(Stream):
    """A stream whose iterator can pass over records."""

    jumps: ClassVar = []

    def __iter__(self):
        return Jumper(self.count)


class Jumper:
    def __init__(self, count):
        self.place, self.count = 0, count

    def __iter__(self):
        return self

    def __next__(self):
        if self.place >= self.count:
            raise StopIteration
        self.place += 1
        return self.place - 1

    def skip(self, count):
        Jumping.jumps.append(count)
        self.place += count


def noisy(x):
    return x, numpy.float32(generator().random(device="cpu").item())


DATA = {
    "array": lambda: ArrayDataset(numpy.arange(23), transform=noisy),
    "stream": Stream,
    "jumping stream": Jumping,
    "shuffled stream": lambda: Shuffled(Stream(), buffer=7, seed=3),
}
WAYS = {  # how batches are prepared
    "alone": {"prefetch": 0},
    "ahead": {"prefetch": 3},
    "1 thread": {"num_workers": 1, "workers": "thread"},
    "3 threads": {"num_workers": 3, "workers": "thread", "prefetch": 1},
    "3 threads, not ahead": {"num_workers": 3, "workers": "thread", "prefetch": 0},
}


def make(data, way, **options):
    shuffle = {"shuffle": True} if data == "array" else {}
    return DataLoader(DATA[data](), batch_size=4, seed=5, **shuffle, **WAYS[way], **options)


def plain(batch):
    return [column.tolist() for column in batch]


# ------------------------------------------------------------------------------------------------ going on


@pytest.mark.parametrize("data", DATA)
@pytest.mark.parametrize("way", WAYS)
def test_going_on_is_the_rest(device, data, way):
    """Stopped behind each batch of two epochs, prepared in one way and gone on with in the others."""
    expected = [plain(batch) for loader in [make(data, "alone")] for _ in range(2) for batch in loader]
    assert len(expected) == 12
    for stop in (0, 1, 5, 6, 9):
        first = make(data, way)
        epochs = itertools.chain(first, first)
        got = [plain(batch) for batch in itertools.islice(epochs, stop)]
        state = first.state_dict()
        del epochs
        assert (
            state == {"epoch": 0, "batch": stop, "seed": 5} if stop <= 6 else {"epoch": 1, "batch": stop - 6, "seed": 5}
        )
        second = make(data, "3 threads" if way == "alone" else "alone")
        second.load_state_dict(state)
        while second.state_dict() != {"epoch": 2, "batch": 0, "seed": 5}:
            got += [plain(batch) for batch in second]
        assert got == expected


@pytest.mark.parametrize("way", WAYS)
def test_the_position_is_what_the_loop_has_received(device, way):
    loader = make("array", way)
    assert loader.state_dict() == {"epoch": 0, "batch": 0, "seed": 5}
    batches = iter(loader)
    assert loader.state_dict() == {"epoch": 0, "batch": 0, "seed": 5}
    for received in range(1, 7):
        next(batches)
        time.sleep(0.01)  # whatever is prepared meanwhile
        assert loader.state_dict()["batch"] == received
    assert next(batches, None) is None
    assert loader.state_dict() == {"epoch": 1, "batch": 0, "seed": 5}


def test_behind_the_last_batch_the_rest_is_empty_and_the_next_epoch_follows(device):
    loader = make("array", "ahead")
    first = [plain(batch) for batch in loader]
    batches = [plain(batch) for batch in loader]
    loader.load_state_dict({"epoch": 0, "batch": 6, "seed": 5})
    assert list(loader) == []
    assert [plain(batch) for batch in loader] == batches
    loader.load_state_dict({"epoch": 0, "batch": 0, "seed": 5})
    assert [plain(batch) for batch in loader] == first


def test_the_seed_is_that_of_the_state(device):
    loader, other = make("array", "alone"), make("array", "alone")
    other.seed = 99
    other.load_state_dict(loader.state_dict())
    assert [plain(b) for b in other] == [plain(b) for b in loader]


def test_leaving_an_epoch_early_goes_on_with_the_next(device):
    loader = make("array", "ahead")
    for _ in loader:
        break
    assert loader.state_dict()["batch"] == 1
    whole = make("array", "alone")
    whole.set_epoch(1)
    assert [plain(b) for b in loader] == [plain(b) for b in whole]


def test_processes_go_on_too(device):
    data = ArrayDataset(numpy.arange(23), numpy.arange(23) * 2)
    whole = [plain(b) for b in DataLoader(data, batch_size=4, shuffle=True, prefetch=0)]
    loader = DataLoader(data, batch_size=4, shuffle=True, num_workers=2)
    loader.load_state_dict({"epoch": 0, "batch": 3, "seed": 0})
    assert [plain(b) for b in loader] == whole[3:]


@pytest.mark.parametrize("state", [{"epoch": -1, "batch": 0, "seed": 0}, {"epoch": 0, "batch": -2, "seed": 0}])
def test_positions_are_checked(state):
    with pytest.raises(ValueError, match="expected numbers from 0 on, got"):
        DataLoader([1]).load_state_dict(state)


# ------------------------------------------------------------------------------------------------ interruptions


class Slow:
    def __init__(self):
        self.go = threading.Event()

    def __len__(self):
        return 8

    def __getitem__(self, index):
        if index == 3:
            self.go.wait(20)
        return index


@pytest.mark.parametrize("way", ["ahead", "1 thread", "3 threads", "3 threads, not ahead"])
def test_a_wait_can_be_interrupted(device, way):
    data = Slow()
    loader = DataLoader(data, **WAYS[way])
    batches = iter(loader)
    for _ in range(3):
        next(batches)
    timer = threading.Timer(0.1, loader.interrupt)
    timer.start()
    start = time.monotonic()
    with pytest.raises(LoaderInterrupted, match="before batch 3 of epoch 0"):
        next(batches)
    assert time.monotonic() - start < 10
    timer.join()
    data.go.set()
    loader.load_state_dict(loader.state_dict())
    assert [x.item() for (x,) in loader] == [3, 4, 5, 6, 7]


def test_an_interruption_is_raised_once(device):
    loader = DataLoader([1, 2, 3])
    batches = iter(loader)
    next(batches)
    loader.interrupt()
    with pytest.raises(LoaderInterrupted):
        next(batches)
    assert loader.state_dict()["batch"] == 1
    loader.load_state_dict(loader.state_dict())
    assert len(list(loader)) == 2


# ------------------------------------------------------------------------------------------------ streams


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(("drop_last", "sizes"), [(False, [4] * 5 + [3]), (True, [4] * 5)])
def test_streams_have_batches(device, way, drop_last, sizes):
    loader = DataLoader(Stream(), batch_size=4, drop_last=drop_last, **WAYS[way])
    for epoch in range(2):
        batches = list(loader)
        assert [len(x) for x, _ in batches] == sizes
        assert [i for x, _ in batches for i in x.tolist()] == list(range(100 * epoch, 100 * epoch + sum(sizes)))


@pytest.mark.parametrize("count", [0, 1, 4, 8])
@pytest.mark.parametrize("way", ["alone", "3 threads"])
def test_streams_end(device, way, count):
    loader = DataLoader(Stream(count), batch_size=4, **WAYS[way])
    assert [len(x) for x, _ in loader] == [4] * (count // 4) + [count % 4] * (count % 4 > 0)
    assert loader.state_dict()["epoch"] == 1


def test_a_record_is_transformed_by_one_worker_only(device):
    data = Stream()
    list(DataLoader(data, batch_size=4, workers="thread", num_workers=3))
    assert sorted(data.transformed) == list(range(23))


def test_records_before_the_position_are_passed_over(device):
    Jumping.jumps.clear()
    loader = DataLoader(Jumping(), batch_size=4, prefetch=0)
    loader.load_state_dict({"epoch": 0, "batch": 4, "seed": 0})
    assert [x.tolist() for x, _ in loader] == [[16, 17, 18, 19], [20, 21, 22]]
    assert Jumping.jumps == [16]
    data = Stream()
    loader = DataLoader(data, batch_size=4, prefetch=0)
    loader.load_state_dict({"epoch": 0, "batch": 4, "seed": 0})
    list(loader)
    assert data.transformed == list(range(16, 23)), "what is read over is not transformed"


def test_a_position_behind_the_end_of_a_stream_is_the_end(device):
    loader = DataLoader(Stream(5), batch_size=4, prefetch=0)
    loader.load_state_dict({"epoch": 0, "batch": 9, "seed": 0})
    assert list(loader) == []


@pytest.mark.parametrize("buffer", [1, 5, 100])
def test_shuffled_streams_have_all_records_in_an_order_of_the_epoch(buffer):
    stream = Shuffled(Stream(50), buffer, seed=1)
    first = list(stream)
    assert sorted(first) == list(range(50))
    assert (first == list(range(50))) == (buffer == 1)
    assert list(stream) == first
    stream.epoch = 1
    assert sorted(stream) == list(range(100, 150))
    assert [x - 100 for x in stream] != first or buffer == 1


def test_shuffling_reaches_no_further_than_the_buffer():
    order = list(Shuffled(Stream(100), 10))
    assert all(record - place < 10 for place, record in enumerate(order))


def test_a_stream_has_a_length_if_it_says_so(device):
    class Known(Stream):
        def __len__(self):
            return self.count

    assert len(DataLoader(Known(), batch_size=4)) == 6
    with pytest.raises(TypeError):
        len(DataLoader(Stream(), batch_size=4))


def test_a_stream_without_iter_says_so(device):
    with pytest.raises(NotImplementedError, match="IterableDataset defines no __iter__"):
        next(iter(DataLoader(IterableDataset())))


# ------------------------------------------------------------------------------------------------ other orders


def order(loader):
    return [x.tolist() for (x,) in loader]


@pytest.mark.parametrize("way", ["alone", "ahead", "3 threads"])
def test_a_sampler_chooses(device, way):
    data = ArrayDataset(numpy.arange(10) * 10)
    loader = DataLoader(data, batch_size=2, sampler=[7, 1, 1, 4, 9], **WAYS[way])
    assert len(loader) == 3
    assert order(loader) == [[70, 10], [10, 40], [90]]
    loader.load_state_dict({"epoch": 0, "batch": 1, "seed": 0})
    assert order(loader) == [[10, 40], [90]]
    assert order(DataLoader(data, batch_size=2, drop_last=True, sampler=[7, 1, 4], **WAYS[way])) == [[70, 10]]


@pytest.mark.parametrize("way", ["alone", "3 threads"])
def test_a_batch_sampler_chooses_batches(device, way):
    data = ArrayDataset(numpy.arange(10) * 10)
    loader = DataLoader(data, batch_sampler=[[1, 2, 3], [0], (5, 5)], **WAYS[way])
    assert len(loader) == 3
    assert order(loader) == [[10, 20, 30], [0], [50, 50]]
    loader.load_state_dict({"epoch": 0, "batch": 2, "seed": 0})
    assert order(loader) == [[50, 50]]


def test_a_sampler_is_told_the_epoch(device):
    told = []

    class Told(list):
        def set_epoch(self, epoch):
            told.append(epoch)

    loader = DataLoader(ArrayDataset(numpy.arange(3)), sampler=Told([0]), prefetch=0)
    list(loader), list(loader)
    assert told == [0, 1]


@pytest.mark.parametrize("replacement", [True, False])
def test_weights_are_kept_to(replacement):
    weights = [0.0, 1.0, 3.0, 0.0, 6.0, 0.0]
    counts = numpy.zeros(6)
    draws = 20_000
    if replacement:
        for index in WeightedRandomSampler(weights, draws, seed=2):
            counts[index] += 1
    else:
        sampler = WeightedRandomSampler(weights, 1, replacement=False)
        for epoch in range(2000):
            sampler.set_epoch(epoch)
            (index,) = sampler
            counts[index] += 10
    expected = numpy.array(weights) / 10 * draws
    assert (counts[expected == 0] == 0).all()
    spread = numpy.sqrt(expected * (1 - expected / draws) * (1 if replacement else 10))
    assert (abs(counts - expected) <= 4 * spread + 1e-9).all()


def test_without_replacement_nothing_comes_twice():
    sampler = WeightedRandomSampler(gg.tensor([1.0, 5.0, 0.0, 2.0]), 3, replacement=False)
    first = list(sampler)
    assert sorted(first) == [0, 1, 3]
    assert list(sampler) == first
    orders = set()
    for epoch in range(20):
        sampler.set_epoch(epoch)
        orders.add(tuple(sampler))
    assert len(orders) > 2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([1.0, -1.0], 2), "finite weights of at least 0"),
        (([[1.0]], 2), r"shape \(N,\)"),
        (([float("nan")], 2), "finite weights"),
        (([0.0, 0.0], 1), "cannot draw 1 of 0 examples"),
        (([1.0, 0.0], 2, False), "cannot draw 2 of 1 examples with a weight without replacement"),
    ],
)
def test_weights_are_checked(arguments, message):
    with pytest.raises(ValueError, match=message):
        WeightedRandomSampler(*arguments)


@pytest.mark.parametrize(
    ("data", "options", "message"),
    [
        ([1], {"sampler": [0], "shuffle": True}, "sampler= and shuffle=True exclude each other"),
        ([1], {"batch_sampler": [[0]], "batch_size": 2}, "batch_sampler= takes the place"),
        ([1], {"batch_sampler": [[0]], "sampler": [0]}, "batch_sampler= takes the place"),
        (Stream(), {"shuffle": True}, r"data.Shuffled\(stream, buffer\) shuffles it"),
        (Stream(), {"sampler": [0]}, "has its own order"),
    ],
)
def test_what_excludes_each_other_is_an_error(data, options, message):
    with pytest.raises(ValueError, match=message):
        DataLoader(data, **options)
    with pytest.raises(ValueError, match="at least 1 record, got 0"):
        Shuffled(Stream(), 0)


# ------------------------------------------------------------------------------------------------ to the device


def test_transfers_go_beside_the_work_in_one_copy_a_batch():
    data = ArrayDataset(numpy.arange(200.0, dtype="f4").reshape(20, 10), numpy.arange(20), numpy.zeros((20, 0)))
    with cuda_simulator.installed(), gg.default_device("cuda"):
        loader = DataLoader(data, batch_size=4, prefetch=2)
        with cuda_simulator.count() as counted:
            batches = list(loader)
        assert counted.host_to_device == counted.side_copies == 5
        assert counted.device_to_host == 0
        assert [y.tolist() for _, y, _ in batches] == [list(range(i, i + 4)) for i in range(0, 20, 4)]
        assert all(x.dtype == gg.float32 and z.shape == (4, 0) for x, _, z in batches)
        numpy.testing.assert_array_equal(numpy.concatenate([x.numpy() for x, _, _ in batches]), data.arrays[0])
        with cuda_simulator.count() as counted:
            list(DataLoader(data, batch_size=4, prefetch=0))
        assert counted.side_copies == 0


def test_batches_of_growing_size_go_beside_the_work_too():
    with cuda_simulator.installed(), gg.default_device("cuda"):
        sizes = [1, 300, 2, 5000, 7, 9000]
        data = ArrayDataset(numpy.arange(sum(sizes)))
        ends = numpy.cumsum([0, *sizes])
        lists = [list(range(a, b)) for a, b in itertools.pairwise(ends)]
        kept = [x for (x,) in DataLoader(data, batch_sampler=lists, prefetch=2)]
        assert [x.tolist() for x in kept] == lists, "and batches that were kept are as they were"


def test_the_second_gpu_gets_its_batches():
    with cuda_simulator.installed(devices=2):
        loader = DataLoader(ArrayDataset(numpy.arange(10)), batch_size=5, device="cuda:1")
        batches = [x for (x,) in loader]
        assert [str(x.device) for x in batches] == ["cuda:1"] * 2
        assert [x.tolist() for x in batches] == [[0, 1, 2, 3, 4], [5, 6, 7, 8, 9]]


def test_a_split_can_be_loaded(device):
    train, test = random_split(ArrayDataset(numpy.arange(10)), [0.7, 0.3])
    loaded = [
        i for part in (train, test) for (x,) in DataLoader(part, 3, num_workers=2, workers="thread") for i in x.tolist()
    ]
    assert sorted(loaded) == list(range(10))
