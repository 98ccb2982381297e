"""What programs for PyTorch say of data: samplers, data sets, and arguments of the loader."""

from __future__ import annotations

import multiprocessing
import os
import time
from typing import NamedTuple

import numpy
import pytest

import gpugrad as gg
from gpugrad import data, nn, optim, training
from gpugrad.data import DataLoader, structure

N = 11


class Pair(NamedTuple):
    x: float
    y: str


def generator():
    return gg.random.Generator(4)


class Halves(data.Sampler):
    """A sampler of a user, whose order depends on the epoch."""

    def __iter__(self):
        return iter([(i + self.epoch) % N for i in range(0, N, 2)])

    def __len__(self):
        return len(range(0, N, 2))


LOADERS = {
    "random": lambda: {"sampler": data.RandomSampler(range(N), seed=1)},
    "with replacement": lambda: {"sampler": data.RandomSampler(range(N), True, 17, seed=1)},
    "several orders": lambda: {"sampler": data.RandomSampler(range(N), num_samples=25, generator=generator())},
    "subset": lambda: {"sampler": data.SubsetRandomSampler([1, 3, 5, 7, 9], seed=2)},
    "weighted": lambda: {"sampler": data.WeightedRandomSampler(range(N), 9, generator=generator())},
    "sequential": lambda: {"sampler": data.SequentialSampler(range(N))},
    "own": lambda: {"sampler": Halves()},
    "lists": lambda: {
        "batch_sampler": data.BatchSampler(data.RandomSampler(range(N), seed=3), 3, True),
        "batch_size": 1,
    },
    "single": lambda: {"batch_size": None, "shuffle": True},
    "single, lists": lambda: {"batch_size": None, "sampler": data.BatchSampler(data.RandomSampler(range(N)), 4, False)},
    "generator": lambda: {"shuffle": True, "generator": generator()},
}


def loader(name, **more):
    return DataLoader(numpy.arange(N), **{"batch_size": 3, "device": "cpu", **LOADERS[name](), **more})


def numbers(batches):
    return [numpy.atleast_1d(leaf.numpy()).tolist() for batch in batches for leaf in structure.leaves(batch)]


@pytest.mark.parametrize("name", LOADERS)
@pytest.mark.parametrize("more", [{}, {"num_workers": 2, "workers": "thread"}], ids=["alone", "threads"])
def test_each_epoch_has_its_order_and_is_resumed_exactly(name, more):
    whole = loader(name, **more)
    epochs = [numbers(whole) for _ in range(3)]
    assert len(whole) == len(epochs[0])
    assert (epochs[0] == epochs[1]) == (name == "sequential")
    assert [numbers(again) for again in [loader(name)] for _ in range(3)] == epochs, "the same for any workers"
    stopped = loader(name, **more)
    list(stopped)
    batches = iter(stopped)
    first = [next(batches) for _ in range(2)]
    state = stopped.state_dict()
    batches.close()
    resumed = loader(name, **more)
    resumed.load_state_dict(state)
    assert numbers(first) + numbers(resumed) == epochs[1]
    assert numbers(resumed) == epochs[2]


def test_generators_draw_seeds():
    g = generator()
    one, two = (DataLoader(range(N), 3, shuffle=True, generator=g, device="cpu") for _ in range(2))
    assert one.seed == DataLoader(range(N), generator=generator(), device="cpu").seed != two.seed
    parts = data.random_split(range(N), [5, 6], gg.random.Generator(1))
    assert sorted([*parts[0], *parts[1]]) == list(range(N))
    assert [*parts[0]] == [*data.random_split(range(N), [5, 6], generator=gg.random.Generator(1))[0]]


def test_data_sets():
    x, y = gg.ones((4, 2)).requires_grad_(), gg.tensor([1.0, float("nan"), 3.0, 4.0])
    tensors = data.TensorDataset(x, y)
    assert len(tensors) == 4
    assert [part.tolist() for part in tensors[2]] == [[1.0, 1.0], 3.0]
    assert not tensors.tensors[0].requires_grad
    ((a, b), *_) = DataLoader(tensors, 4)
    assert (a.shape, b.shape) == ((4, 2), (4,))
    both = data.ConcatDataset([tensors, data.Subset(tensors, [0, 2])])
    assert len(both) == 6
    assert both[5][1].item() == both[-1][1].item() == 3.0
    assert [len(batch[1]) for batch in DataLoader(both, 4)] == [4, 2]
    for wrong in (6, -7):
        with pytest.raises(IndexError, match=f"no example {wrong} in data sets of 6"):
            both[wrong]
    with pytest.raises(ValueError, match="at least one data set"):
        data.ConcatDataset([])


EXAMPLES = {
    "array": (lambda i: numpy.float32(i), lambda b: b.tolist() == [0.0, 1.0]),
    "dict": (
        lambda i: {"x": numpy.full(2, i), "name": f"s{i}", "none": None},
        lambda b: b["x"].shape == (2, 2) and b["name"] == ["s0", "s1"] and b["none"] == [None, None],
    ),
    "named": (lambda i: Pair(float(i), f"s{i}"), lambda b: isinstance(b, Pair) and b.y == ["s0", "s1"]),
    "nested": (lambda i: ((i, [float(i), 2.0]), f"s{i}"), lambda b: b[0][1].shape == (2, 2) and b[1] == ["s0", "s1"]),
}


@pytest.mark.parametrize("kind", EXAMPLES)
def test_default_collate_and_convert(kind):
    example, right = EXAMPLES[kind]
    pair = [example(0), example(1)]
    assert right(data.default_collate(pair))
    assert right(next(iter(DataLoader(pair, 2, collate_fn=data.default_collate))))
    single = next(iter(DataLoader(pair, batch_size=None, device="cpu")))
    assert repr(single) == repr(data.default_convert(pair[0]))
    assert next(iter(DataLoader(pair, None, collate_fn=lambda one: [one, 1])))[1] == 1


@pytest.mark.parametrize("kind", ["dict", "named", "nested"])
def test_batches_pass_through_the_trainer(kind):
    """As they are: a subclass says what is in them."""
    seen = []

    class Own(training.Trainer):
        def compute(self, batch):
            seen.append(type(batch))
            x = gg.stack(list(structure.leaves(batch))[:1])[0].astype(gg.float32)
            outputs = self.model(x.reshape(x.shape[0], -1)[:, :1])
            return nn.functional.mse_loss(outputs, gg.zeros_like(outputs)), outputs, batch

    class Names:
        """A metric that looks at the batch that compute handed on."""

        def __init__(self):
            self.reset()

        def reset(self):
            self.count = 0

        def update(self, outputs, targets):
            self.count += sum(text.startswith("s") for text in names(targets))

        def compute(self):
            return float(self.count)

    example, _ = EXAMPLES[kind]
    model = nn.Linear(1, 1)
    batches = DataLoader([example(i) for i in range(4)], 2)
    trainer = Own(model, None, optim.SGD(model.parameters(), lr=0.1), metrics={"names": Names()}, progress=False)
    found = trainer.fit(batches, batches)
    assert found["validation/names"] == 4.0
    assert set(seen) == {{"dict": dict, "named": Pair, "nested": tuple}[kind]}


def names(batch):
    return batch["name"] if isinstance(batch, dict) else batch[1]


def start_of_worker(number):
    os.environ["GPUGRAD_TEST_WORKER"] = str(number)
    Where.number = number


class Where:
    number = -1

    def __len__(self):
        return 4

    def __getitem__(self, i):
        return self.number


class Slow:
    def __len__(self):
        return 4

    def __getitem__(self, i):
        time.sleep(0.0 if i < 2 else 3)
        return i


def failing(number):
    raise ValueError(f"no worker {number}")


@pytest.mark.any_device
def test_worker_init_fn():
    before = Where.number
    found = DataLoader(Where(), 1, num_workers=2, worker_init_fn=start_of_worker, device="cpu", pin_memory=True)
    assert [x.item() for (x,) in found] == [0, 1, 0, 1]
    assert Where.number == before, "called in the workers"
    context = multiprocessing.get_context("spawn")
    assert DataLoader(Where(), multiprocessing_context=context).start_method == "spawn"
    assert DataLoader(Where(), multiprocessing_context="spawn").start_method == "spawn"
    for workers in ("thread", "process"):
        with pytest.raises(ValueError, match="no worker 0"):
            list(DataLoader(Where(), num_workers=1, workers=workers, worker_init_fn=failing))


@pytest.mark.any_device
def test_timeout():
    slow = DataLoader(Slow(), 2, num_workers=1, workers="thread", timeout=0.3, device="cpu")
    batches = iter(slow)
    assert next(batches)[0].tolist() == [0, 1]
    with pytest.raises(RuntimeError, match=r"batch 1 did not come in timeout=0.3 s"):
        next(batches)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"collate": list, "collate_fn": list}, "collate= and collate_fn= are two names"),
        ({"seed": 1, "generator": gg.random.Generator(0)}, "seed= and generator= exclude each other"),
        ({"timeout": -1}, "timeout >= 0"),
        ({"batch_size": None, "drop_last": True}, "batch_size=None"),
        ({"prefetch_factor": -1}, "prefetch >= 0"),
        ({"multiprocessing_context": "thread"}, "start_method among"),
    ],
    ids=str,
)
def test_arguments_that_exclude_each_other(options, words):
    with pytest.raises(ValueError, match=words):
        DataLoader([1, 2], **options)


def test_samplers_refuse():
    for make, words in (
        (lambda: data.BatchSampler(range(3), 0, False), "batch_size of at least 1"),
        (lambda: data.RandomSampler(range(3), num_samples=0), "num_samples of at least 1"),
    ):
        with pytest.raises(ValueError, match=words):
            make()
    with pytest.raises(NotImplementedError, match="defines no __iter__"):
        iter(data.Sampler())
