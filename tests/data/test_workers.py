"""Workers: the same batches whatever their number, errors with their place, deaths noticed, nothing left behind."""

from __future__ import annotations

import multiprocessing
import os
import random
import signal
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path

import numpy
import pytest

import gpugrad as gg
from gpugrad.data import ArrayDataset, DataLoader, generator, get_worker_info
from gpugrad.data.processes import _check_fork

pytestmark = pytest.mark.skipif(not hasattr(os, "memfd_create"), reason="needs Linux: looks at processes and signals")

KINDS = [("process", 2), ("thread", 1), ("thread", 3)]


@pytest.fixture(autouse=True)
def no_worker_is_left():
    yield
    until(lambda: not children() and not threads())
    assert not children()
    assert not threads()


def children():
    return [child for child in multiprocessing.active_children() if child.name.startswith("gpugrad-data")]


def threads():
    return [thread for thread in threading.enumerate() if thread.name == "gpugrad-data"]


def until(condition, seconds=10):
    deadline = time.monotonic() + seconds
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.02)
    return condition()


def running(pid):
    try:
        return "State:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except FileNotFoundError:
        return False


# What the workers are sent is defined at the top of the module: they import it.


class Noisy:
    """Random numbers of every kind, as data sets draw them."""

    def __len__(self):
        return 23

    def __getitem__(self, index):
        own = generator().random(dtype=gg.float32, device="cpu").item()
        return index, numpy.float32(own)


class Everywhere(Noisy):
    def __getitem__(self, index):
        return index, numpy.random.random(), random.random(), gg.random.random(device="cpu").item()


class Awkward:
    """Columns of many kinds: large, empty, 0-d, not contiguous, Python's numbers, tensors."""

    def __len__(self):
        return 6

    def __getitem__(self, index):
        large = numpy.full((100, 70), index, numpy.float32).T
        return (
            large,
            numpy.zeros((0, 3)),
            index % 2 == 0,
            index / 2,
            gg.tensor([index], device="cpu"),
            numpy.int8(index),
        )


class Growing:
    def __len__(self):
        return 12

    def __getitem__(self, index):
        return numpy.full(10 ** (index % 6), index)


class Broken:
    def __len__(self):
        return 20

    def __getitem__(self, index):
        if index == 9:
            raise KeyError("page 9 is torn")
        return index


class Unsendable(Exception):
    def __init__(self, a, b):
        super().__init__(a)


class OddlyBroken(Broken):
    def __getitem__(self, index):
        raise Unsendable("x", "y")


class Dying(Broken):
    def __getitem__(self, index):
        if index == 9:
            os.kill(os.getpid(), signal.SIGKILL)
        return index


class Leaving(Broken):
    def __getitem__(self, index):
        os._exit(3)


class Hanging(Broken):
    def __getitem__(self, index):
        if index >= 4:
            time.sleep(60)
        return index


class Objects(Broken):
    def __getitem__(self, index):
        return object()


class Where(Broken):
    def __getitem__(self, index):
        info = get_worker_info()
        return os.getpid(), info.id, info.num_workers, info.seed, gg.get_default_dtype() == gg.float64


class Unreadable:
    def __len__(self):
        return 3

    def __getitem__(self, index):
        return index

    def __setstate__(self, state):
        raise ValueError("the index file is missing")

    def __getstate__(self):
        return {"x": 1}


def double(examples):
    return [float(2 * x) for x in examples], list(examples)


def batches_of(loader):
    return [[column.tolist() for column in batch] for batch in loader]


# ------------------------------------------------------------------------------------------------ the same batches


@pytest.mark.parametrize(("kind", "count"), KINDS)
def test_batches_are_those_without_workers(device, kind, count):
    options = {"batch_size": 4, "shuffle": True, "seed": 3}
    plain = DataLoader(Noisy(), **options, prefetch=0)
    expected = [batches_of(plain) for _ in range(2)]
    for prefetch in (0, 1, 3):
        loader = DataLoader(Noisy(), **options, prefetch=prefetch, num_workers=count, workers=kind)
        assert (
            [batches_of(loader), batches_of(loader)] == expected if prefetch == 1 else batches_of(loader) == expected[0]
        )


@pytest.mark.parametrize(("kind", "count"), KINDS)
def test_columns_arrive_as_they_do_without_workers(device, kind, count):
    with gg.default_dtype(gg.float64):
        expected = list(DataLoader(Awkward(), batch_size=4, prefetch=0))
        for got, want in zip(
            DataLoader(Awkward(), batch_size=4, num_workers=count, workers=kind), expected, strict=True
        ):
            for a, b in zip(got, want, strict=True):
                assert (a.dtype, a.shape, a.device) == (b.dtype, b.shape, b.device)
                assert a.tolist() == b.tolist()


def test_a_function_of_the_user_makes_batches(device):
    data = list(range(5))
    expected = [[c.tolist() for c in batch] for batch in DataLoader(data, batch_size=2, collate=double)]
    got = DataLoader(data, batch_size=2, collate=double, num_workers=2)
    assert batches_of(got) == expected == [[[0.0, 2.0], [0, 1]], [[4.0, 6.0], [2, 3]], [[8.0], [4]]]


def test_batches_are_kept_when_their_memory_is_used_again(device):
    loader = DataLoader(Growing(), batch_size=1, num_workers=2, prefetch=1)
    kept = [x for (x,) in loader]
    assert [x.shape[1] for x in kept] == [10 ** (i % 6) for i in range(12)]
    assert all((x.numpy() == i).all() for i, x in enumerate(kept))


@pytest.mark.parametrize("prefetch", [1, 4])
def test_batches_that_wait_have_memory_of_their_own(device, prefetch):
    """Workers are ahead of a loop that takes its time."""
    got = []
    for (x,) in DataLoader(Large(), num_workers=2, prefetch=prefetch):
        time.sleep(0.05)
        got.append(x.numpy())
    assert all((x == i).all() for i, x in enumerate(got))


class Large(Broken):
    def __getitem__(self, index):
        return numpy.full(20_000, index)


def test_random_numbers_of_every_kind_are_fixed_in_processes(device):
    runs = [
        batches_of(DataLoader(Everywhere(), batch_size=5, seed=1, num_workers=count, prefetch=p))
        for count, p in ((1, 1), (3, 2))
    ]
    assert runs[0] == runs[1]
    numbers = numpy.array([value for batch in runs[0] for column in batch[1:] for value in column])
    assert len(set(numbers.tolist())) == numbers.size, "and differ from batch to batch"


def test_workers_know_themselves_and_the_parents_modes(device):
    with gg.default_dtype(gg.float64), gg.no_grad():
        found = [[column.tolist()[0] for column in batch] for batch in DataLoader(Where(), num_workers=2, seed=7)]
    assert [row[1] for row in found] == [i % 2 for i in range(20)]
    assert {tuple(row[2:]) for row in found} == {(2, 7, True)}
    assert len({row[0] for row in found} - {os.getpid()}) == 2


def test_arrays_of_the_data_set_are_shared_and_not_copied(device):
    data = ArrayDataset(numpy.arange(4_000_000.0), check_finite=False)
    loader = DataLoader(data, batch_size=1000, num_workers=2)
    batches = iter(loader)
    first = next(batches)[0]
    assert first.tolist() == list(range(1000))
    for child in children():
        private = [line for line in Path(f"/proc/{child.pid}/smaps_rollup").read_text().splitlines()
                   if line.startswith("Private")]  # fmt: skip
        assert sum(int(line.split()[1]) for line in private) < 30_000, "KiB, without the 31,250 of the array"
    batches.close()


def test_persistent_workers_stay_for_the_next_epoch(device):
    loader = DataLoader(Where(), num_workers=2, persistent_workers=True)
    pids = [{batch[0].item() for batch in loader} for _ in range(2)]
    assert pids[0] == pids[1]
    for _ in loader:
        break  # what they owe nobody wants: they end
    assert not children()
    assert {batch[0].item() for batch in loader} != pids[0]
    del loader


@pytest.mark.parametrize("method", ["spawn", "fork"])
def test_other_ways_to_start(device, method):
    if method == "fork":
        try:
            _check_fork()
        except RuntimeError as error:
            pytest.skip(f"forking is refused in this process: {error}")
    loader = DataLoader(Noisy(), batch_size=5, start_method=method, num_workers=1)
    assert batches_of(loader) == batches_of(DataLoader(Noisy(), batch_size=5))


def test_forking_beside_threads_is_refused(device):
    stop = threading.Event()
    thread = threading.Thread(target=stop.wait, name="somebody")
    thread.start()
    try:
        with pytest.raises(RuntimeError, match=r"start_method='fork' (while other threads run|after the GPU was used)"):
            next(iter(DataLoader(Noisy(), start_method="fork", num_workers=1)))
    finally:
        stop.set()
        thread.join()


# ------------------------------------------------------------------------------------------------ errors


@pytest.mark.parametrize(("kind", "count"), KINDS)
@pytest.mark.parametrize("prefetch", [0, 2])
def test_an_error_reaches_the_loop_with_its_place(device, kind, count, prefetch):
    seen = []
    with pytest.raises(KeyError, match="page 9 is torn") as raised:
        for (x,) in DataLoader(Broken(), batch_size=2, num_workers=count, workers=kind, prefetch=prefetch):
            seen.extend(x.tolist())
    assert seen == list(range(8))
    text = "".join(__import__("traceback").format_exception(raised.value))
    assert 'raise KeyError("page 9 is torn")' in text
    assert (f"worker {4 % count} of the DataLoader" in text) == (kind == "process")


def test_an_error_that_cannot_be_sent_is_told(device):
    with pytest.raises(RuntimeError, match="Unsendable raised in worker 0") as raised:
        list(DataLoader(OddlyBroken(), num_workers=1))
    assert 'raise Unsendable("x", "y")' in str(raised.value)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (Dying, r"worker 1 of the DataLoader \(process \d+\) was ended by signal 9, SIGKILL \(often because"),
        (Leaving, r"worker \d of the DataLoader \(process \d+\) ended with status 3"),
    ],
)
@pytest.mark.parametrize("prefetch", [0, 2])
def test_a_dead_worker_is_an_error(device, data, message, prefetch):
    start = time.monotonic()
    with pytest.raises(RuntimeError, match=message):
        list(DataLoader(data(), num_workers=2, prefetch=prefetch))
    assert time.monotonic() - start < 20


@pytest.mark.parametrize("number", [0, 1])
@pytest.mark.parametrize("prefetch", [0, 1])
def test_a_worker_killed_from_outside_is_an_error(device, number, prefetch):
    """The one whose batch is waited for, or the other."""
    batches = iter(DataLoader(Hanging(), num_workers=2, prefetch=prefetch))
    for _ in range(4):
        next(batches)
    (victim,) = [child for child in children() if child.name == f"gpugrad-data-{number}"]
    os.kill(victim.pid, signal.SIGKILL)
    start = time.monotonic()
    with pytest.raises(RuntimeError, match=rf"worker {number} .*process {victim.pid}.* was ended by signal 9, SIGKILL"):
        next(batches)
    assert time.monotonic() - start < 20


def test_python_objects_are_no_batch(device):
    with pytest.raises(TypeError):
        list(DataLoader(Objects(), num_workers=1))


def test_what_cannot_be_sent_says_what_helps(device):
    data = ArrayDataset(numpy.arange(3), transform=lambda x: (x,))
    with pytest.raises(TypeError, match=r"cannot be sent to worker processes .* or use workers='thread'"):
        next(iter(DataLoader(data, num_workers=2)))
    assert batches_of(DataLoader(data, num_workers=2, workers="thread")) == [[[0]], [[1]], [[2]]]


def test_what_cannot_be_read_in_the_worker_is_an_error(device):
    with pytest.raises(ValueError, match="the index file is missing") as raised:
        next(iter(DataLoader(Unreadable(), num_workers=1)))
    assert "worker 0 of the DataLoader" in "".join(raised.value.__notes__)


# ------------------------------------------------------------------------------------------------ the end


@pytest.mark.parametrize(("kind", "count"), KINDS)
@pytest.mark.parametrize("prefetch", [0, 2])
def test_leaving_early_ends_the_workers(device, kind, count, prefetch):
    for _ in DataLoader(Noisy(), num_workers=count, workers=kind, prefetch=prefetch):
        break
    assert until(lambda: not children() and not threads())


def test_a_forgotten_iterator_ends_its_workers(device):
    batches = iter(DataLoader(Noisy(), num_workers=2))
    next(batches)
    assert len(children()) == 2
    del batches
    assert not children()


@pytest.mark.parametrize("kind", ["process", "thread"])
def test_a_busy_worker_is_not_waited_for(device, kind):
    data = Hanging() if kind == "process" else Blocked()
    batches = iter(DataLoader(data, num_workers=2, workers=kind, prefetch=2))
    next(batches)
    time.sleep(0.2)
    start = time.monotonic()
    batches.close()
    waited = time.monotonic() - start
    Blocked.go.set()
    assert waited < 30


class Blocked(Broken):
    go = threading.Event()

    def __getitem__(self, index):
        if index >= 4:
            self.go.wait(60)
        return index


def test_signals_for_the_whole_group_are_left_to_the_parent(device):
    batches = iter(DataLoader(Noisy(), num_workers=2, prefetch=1))
    next(batches)
    for child in children():
        os.kill(child.pid, signal.SIGTERM)
        os.kill(child.pid, signal.SIGINT)
    assert len(list(batches)) == 22


PROGRAM = """
    import os, signal, sys, time
    sys.path.insert(0, {folder!r})
    from test_workers import {data}
    from gpugrad.data import DataLoader
    import multiprocessing

    if __name__ == "__main__":
        batches = iter(DataLoader({data}(), num_workers=2, prefetch=1))
        next(batches)
        print(*(child.pid for child in multiprocessing.active_children()), flush=True)
        {then}
"""


def program(tmp_path, data, then):
    path = tmp_path / "program.py"
    path.write_text(textwrap.dedent(PROGRAM).format(folder=str(Path(__file__).parent), data=data, then=then))
    environment = os.environ | {"GPUGRAD_DEVICE": "cpu", "PYTHONPATH": os.pathsep.join(sys.path)}
    return subprocess.Popen(
        [sys.executable, str(path)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment,
        start_new_session=True,
    )  # fmt: skip


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT], ids=lambda n: n.name)
def test_workers_do_not_outlive_the_parent(tmp_path, number):
    """Killed, or interrupted as a terminal does it, with busy workers."""
    with program(tmp_path, "Hanging", "time.sleep(60)") as parent:
        pids = [int(pid) for pid in parent.stdout.readline().split()]
        assert len(pids) == 2
        assert all(map(running, pids))
        time.sleep(0.2)
        if number == signal.SIGINT:
            os.killpg(parent.pid, number)
        else:
            os.kill(parent.pid, number)
        parent.wait(20)
        assert until(lambda: not any(map(running, pids)))
        said = parent.stderr.read()
    if number == signal.SIGINT:
        assert parent.returncode == -signal.SIGINT
        assert said.count("Traceback") == 1, said
        assert "KeyboardInterrupt" in said


@pytest.mark.parametrize("then", ["sys.exit(0)", "os._exit(0)"])
def test_a_program_ends_while_batches_are_being_made(tmp_path, then):
    with program(tmp_path, "Hanging", then) as parent:
        pids = [int(pid) for pid in parent.stdout.readline().split()]
        assert parent.wait(20) == 0
        assert until(lambda: not any(map(running, pids)))
        assert parent.stderr.read() == ""


def test_a_program_that_does_its_work_on_import_is_told(tmp_path):
    path = tmp_path / "unguarded.py"
    path.write_text("from gpugrad.data import DataLoader\nlist(DataLoader([1, 2], num_workers=1, device='cpu'))\n")
    environment = os.environ | {"GPUGRAD_DEVICE": "cpu"}
    ended = subprocess.run([sys.executable, str(path)], capture_output=True, text=True, env=environment, timeout=60)
    assert ended.returncode == 1
    assert "under: if __name__ == '__main__':" in ended.stderr


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"num_workers": -1}, "num_workers=-1"),
        ({"workers": "fibre"}, "expected workers 'process' or 'thread', got 'fibre'"),
        ({"start_method": "magic"}, "expected start_method among .* got 'magic'"),
    ],
)
def test_arguments_are_checked(options, message):
    if "num_workers" in options:
        message = "expected batch_size >= 1, prefetch >= 0 and num_workers >= 0, got"
    with pytest.raises(ValueError, match=message):
        DataLoader([1], **options)


SESSION = """
import numpy
from gpugrad.data import DataLoader, Dataset

class Own(Dataset):
    def __len__(self):
        return 4
    def __getitem__(self, i):
        return (numpy.float32(i),)

loader = DataLoader(Own(), 2, num_workers=2, device="cpu")
print([batch[0].tolist() for _ in range(2) for batch in loader])
"""


@pytest.mark.parametrize("way", ["-c", "-"])
def test_classes_of_a_session_are_loaded_by_threads(way):
    command = [sys.executable, *([way, SESSION] if way == "-c" else [way])]
    ended = subprocess.run(command, input=SESSION, capture_output=True, text=True, timeout=120)
    assert ended.stdout.strip() == str([[0.0, 1.0], [2.0, 3.0]] * 2), ended.stderr
    assert ended.stderr.count("worker processes cannot import it: threads load the data") == 1
