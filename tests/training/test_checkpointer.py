"""Checkpoints: what they hold, what is kept, and that nothing but whole ones is used."""

from __future__ import annotations

import json
import logging
import os
import threading

import numpy
import pytest

import gpugrad as gg
from gpugrad import nn, optim
from gpugrad.training import Checkpointer, CheckpointError
from gpugrad.training.checkpoints.provenance import code_version
from gpugrad.training.checkpoints.safetensors import arrays_in, pieces
from gpugrad.training.checkpoints.state_json import Gathered, assembled
from gpugrad.training.checkpoints.stores import Folder

DTYPES = ("bool", "uint8", "int8", "uint16", "int16", "uint32", "int32", "uint64", "int64", "float16", "float32",
          "float64", "complex64", "complex128")  # fmt: skip


@pytest.fixture(autouse=True)
def random_numbers_stay():
    before = gg.random.default_generator.state
    yield
    gg.random.default_generator.state = before


class Part:
    """Something with a state of its own."""

    def __init__(self, state):
        self.state = state

    def state_dict(self):
        return self.state

    def load_state_dict(self, state):
        self.state = state


def network():
    gg.random.seed(0)
    model = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Linear(4, 2))
    optimizer = optim.Adam(model.parameters(), lr=0.01)
    return model, optimizer


def train(model, optimizer, steps):
    for _ in range(steps):
        optimizer.zero_grad()
        (model(gg.random.standard_normal((8, 3))) ** 2).sum().backward()
        optimizer.step()


def same(a, b):
    """Whether two states are the same, bit by bit, with the same types."""
    left, right = Gathered(a), Gathered(b)
    assert left.tree == right.tree
    assert list(left.arrays) == list(right.arrays)
    for key, array in left.arrays.items():
        x, y = gg.backend.to_host(array), gg.backend.to_host(right.arrays[key])
        assert (x.dtype, x.shape, x.tobytes()) == (y.dtype, y.shape, y.tobytes()), key
    return True


# ------------------------------------------------------------------------------------------- states

STATES = {
    "nothing": None,
    "numbers": {"a": 1, "b": -2.5, "c": True, "d": None, "e": "text ü", "f": 2**80, "g": 5e-324, "h": -0.0},
    "not finite": [float("inf"), -float("inf")],
    "tuples": {"betas": (0.9, (0.99,), []), "empty": ()},
    "keys": {0: "zero", (1, "x"): 2, None: 3, 1.5: 4, "$": 5},
    "named like places": {"a/b": numpy.zeros(1), "a": {"b": numpy.ones(1)}, "$": {"$": "tensor", "key": "a"}},
    "arrays": {name: numpy.arange(6).reshape(2, 3).astype(name) for name in DTYPES},
    "0-d and empty": [numpy.array(3.0), numpy.zeros((0, 4)), numpy.zeros((2, 0), "complex128"), numpy.array(1j)],
    "scalars": [numpy.float32(0.1), numpy.int8(-3), numpy.bool_(True), numpy.complex64(1j)],
    "not contiguous": [numpy.arange(12.0).reshape(3, 4).T, numpy.arange(10)[::-2], numpy.arange(6)[::2].astype("c16")],
}


@pytest.mark.parametrize("name", STATES)
def test_a_state_comes_back_as_it_was(name, tmp_path):
    part = Part(STATES[name])
    Checkpointer(tmp_path, {"part": part}).save(3, extra=STATES[name], wait=True)
    other = Part("nothing yet")
    found = Checkpointer(tmp_path, {"part": other}).restore()
    assert same(other.state, STATES[name])
    assert same(found.extra, STATES[name])


def test_names_that_would_be_the_same_are_not(tmp_path):
    Checkpointer(tmp_path).save(1, extra={"a/b": numpy.zeros(1), "a": {"b": numpy.ones(1)}, "a/b'": 2}, wait=True)
    found = Checkpointer(tmp_path).restore().extra
    assert (found["a/b"].tolist(), found["a"]["b"].tolist()) == ([0.0], [1.0])


def test_nan_and_tensors(tmp_path, device):
    state = {"nan": float("nan"), "x": gg.tensor([1.0, float("nan")]), "y": gg.asarray([[1, 2]])}
    Checkpointer(tmp_path).save(1, extra=state, wait=True)
    found = Checkpointer(tmp_path).restore().extra
    assert numpy.isnan(found["nan"])
    assert isinstance(found["x"], gg.Tensor)
    numpy.testing.assert_array_equal(found["x"].numpy(), [1.0, numpy.nan])
    assert found["y"].tolist() == [[1, 2]]


def test_bfloat16(tmp_path):
    ml_dtypes = pytest.importorskip("ml_dtypes", reason="bfloat16 comes from ml_dtypes")
    array = numpy.array([1.5, -2.0], dtype=ml_dtypes.bfloat16)
    Checkpointer(tmp_path).save(1, extra=array, wait=True)
    assert same(Checkpointer(tmp_path).restore().extra, array)


@pytest.mark.parametrize(
    ("state", "message"),
    [
        ({"a": [{1, 2}]}, "got set at extra/a/0"),
        ({"a": {"b": object()}}, "got object at extra/a/b"),
        ({"f": print}, "got builtin_function_or_method at extra/f"),
        (b"bytes", "got bytes at extra"),
        (numpy.array(["text"]), "expected an array of one of bool"),
        (numpy.array([None]), "expected an array of one of bool"),
    ],
)
def test_what_a_state_cannot_hold(state, message, tmp_path):
    with pytest.raises((TypeError, CheckpointError), match=message):
        Checkpointer(tmp_path).save(1, extra=state, wait=True)
    assert Checkpointer(tmp_path).names() == []


TREES = [
    {"$": "code"}, {"$": "tuple"}, {"$": "array", "key": "x"}, {"$": "dict", "items": [1]}, {"$": None},
    {"$": "float", "text": "__import__('os')"}, {"$": "tuple", "items": 3},
    {"$": "dict", "items": [[{"$": "dict", "items": []}, 1]]},
]  # fmt: skip


@pytest.mark.parametrize("tree", TREES, ids=str)
def test_trees_that_are_none(tree):
    with pytest.raises(ValueError, match="expected a state, got"):
        assembled(tree, {})


# ------------------------------------------------------------------------------------------- the file format


@pytest.mark.parametrize("dtype", [name for name in DTYPES if name != "complex128"])
def test_the_package_reads_what_is_written_and_the_other_way_round(dtype, tmp_path):
    package = pytest.importorskip("safetensors.numpy", reason="compared with the package safetensors")
    arrays = {"a": numpy.arange(6).reshape(2, 3).astype(dtype), "b": numpy.array(1).astype(dtype),
              "c": numpy.zeros((0, 2), dtype)}  # fmt: skip
    (tmp_path / "ours").write_bytes(b"".join(pieces(arrays)))
    theirs = package.load_file(tmp_path / "ours")
    ours = arrays_in(memoryview(bytearray(package.save(arrays))))
    for found in (theirs, ours):
        assert {k: (v.dtype, v.shape, v.tolist()) for k, v in found.items()} == {
            k: (v.dtype, v.shape, v.tolist()) for k, v in arrays.items()
        }


def file(header, data=b"", length=None):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return (len(text) if length is None else length).to_bytes(8, "little") + text + data


X = {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}
BROKEN = {
    "empty": (b"", "got 0 bytes"),
    "short": (b"\0" * 7, "got 7 bytes"),
    "a length beyond the file": (file({}, length=2**63), "got a length of 9223372036854775808"),
    "no JSON": (file(b"{'x': 1}"), "the header is no JSON"),
    "not UTF-8": (file(b"\xff\xfe"), "the header is no JSON"),
    "nested too deep": (file(b"[" * 100_000), "the header is no JSON"),
    "a list": (file([]), "expected a header that maps names"),
    "no entry": (file({"x": 3}), "expected two data_offsets"),
    "no offsets": (file({"x": {"dtype": "F32", "shape": [1]}}), "expected two data_offsets"),
    "offsets of text": (file({"x": {**X, "data_offsets": ["0", "4"]}}, b"1234"), "expected two data_offsets"),
    "an unknown dtype": (file({"x": {**X, "dtype": "OBJECT"}}, b"1234"), "got 'OBJECT'"),
    "a dtype that is none": (file({"x": {**X, "dtype": ["F32"]}}, b"1234"), "expected a dtype"),
    "a negative size": (file({"x": {**X, "shape": [-1]}}, b"1234"), "expected a shape"),
    "true for a size": (file({"x": {**X, "shape": [True]}}, b"1234"), "expected a shape"),
    "too many axes": (file({"x": {**X, "shape": [1] * 65}}, b"1234"), "expected a shape"),
    "an enormous shape": (file({"x": {**X, "shape": [2**40, 2**40]}}, b"1234"), "does not lie at 0 to 4"),
    "too few bytes": (file({"x": X}, b"123"), "does not lie at 0 to 4 of 3 bytes"),
    "too many bytes": (file({"x": X}, b"12345"), "tells of 4 bytes, 5 follow"),
    "overlapping": (file({"x": X, "y": X}, b"1234"), "'y': F32 \\[1\\] does not lie"),
    "a gap": (file({"x": {**X, "data_offsets": [1, 5]}}, b"12345"), "does not lie at 1 to 5"),
    "backwards": (file({"x": {**X, "data_offsets": [4, 0]}}, b"1234"), "does not lie at 4 to 0"),
    "wrong notes": (file({"__metadata__": {"complex128": "[1]"}, "x": X}, b"1234"), "expected notes"),
    "notes that are none": (file({"__metadata__": 3, "x": X}, b"1234"), "expected notes"),
    "pairs of something else": (file({"__metadata__": {"complex128": '["x"]'}, "x": X}, b"1234"), "expected pairs"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_files_that_are_none(name):
    content, message = BROKEN[name]
    with pytest.raises(ValueError, match=message):
        arrays_in(memoryview(content))


# ------------------------------------------------------------------------------------------- saving and going on


@pytest.mark.parametrize("place", ["folder", "file URL", "memory"])
def test_going_on_is_as_never_having_stopped(place, tmp_path, device):
    if place == "memory":
        pytest.importorskip("fsspec", reason="URLs are reached through fsspec")
    where = {"folder": tmp_path, "file URL": f"file://{tmp_path}", "memory": f"memory://{tmp_path.name}"}[place]
    model, optimizer = network()
    train(model, optimizer, 5)
    checkpointer = Checkpointer(where, {"model": model, "optimizer": optimizer})
    checkpointer.save(5, metrics={"loss": 2})
    train(model, optimizer, 5)  # while it is written
    checkpointer.close()
    other, its_optimizer = network()
    found = Checkpointer(where, {"model": other, "optimizer": its_optimizer}).restore()
    assert (found.step, found.metrics, found.code) == (5, {"loss": 2.0}, code_version())
    assert all(p.device == device for p in other.parameters())
    train(other, its_optimizer, 5)
    assert same(other.state_dict(), model.state_dict())
    assert same(its_optimizer.state_dict(), optimizer.state_dict())


def test_a_state_that_is_no_copy_is_copied(tmp_path, device):
    state = {"x": gg.zeros(1000), "a": numpy.zeros(1000)}
    checkpointer = Checkpointer(tmp_path, {"part": Part(state)})
    put, gate = checkpointer.store.put, threading.Event()
    checkpointer.store.put = lambda *args: (gate.wait(30), put(*args))
    checkpointer.save(1)
    state["a"] += 1
    state["x"].data[...] = 1
    gate.set()
    checkpointer.close()
    found = checkpointer.load("000001-step-1").parts["part"]
    assert not found["a"].any()
    assert not found["x"].numpy().any()


def test_names_count_the_saves(tmp_path):
    checkpointer = Checkpointer(tmp_path, keep_last=None)
    for step in (100, 200, 150, 150):
        checkpointer.save(step)
    checkpointer.wait()
    assert checkpointer.names() == ["000001-step-100", "000002-step-200", "000003-step-150", "000004-step-150"]
    assert checkpointer.restore().step == 150, "the newest, not the one with the most steps"


@pytest.mark.parametrize(
    ("options", "kept"),
    [
        ({"keep_last": 1}, [6]),
        ({"keep_last": 2}, [5, 6]),
        ({"keep_last": None}, [1, 2, 3, 4, 5, 6]),
        ({"keep_last": 2, "keep_best": "loss"}, [3, 5, 6]),
        ({"keep_last": 2, "keep_best": "loss", "mode": "max"}, [1, 5, 6]),
        ({"keep_last": 2, "keep_best": "other"}, [5, 6]),
    ],
)
@pytest.mark.parametrize("again", [False, True], ids=["one process", "a process each"])
def test_what_is_kept(options, kept, again, tmp_path):
    checkpointer = Checkpointer(tmp_path, **options)
    for step, loss in enumerate([9.0, float("nan"), 1.0, 3.0, 1.0, 2.0], 1):
        checkpointer.save(step, metrics={"loss": loss}, wait=True)
        if again:
            checkpointer = Checkpointer(tmp_path, **options)
    assert [checkpointer.load(name).step for name in checkpointer.names()] == kept
    if options.get("keep_best") == "loss":
        assert checkpointer.load(checkpointer.best()).step == kept[0]


def test_one_save_at_a_time(tmp_path):
    checkpointer = Checkpointer(tmp_path)
    put, gate = checkpointer.store.put, threading.Event()
    checkpointer.store.put = lambda *args: (gate.wait(30), put(*args))
    checkpointer.save(1)
    assert checkpointer.names() == [], "it is not there before it is complete"
    threading.Timer(0.05, gate.set).start()
    checkpointer.save(2)
    assert checkpointer.names() == ["000001-step-1"]
    checkpointer.close()
    assert len(checkpointer.names()) == 2


def test_everything_is_on_the_disk_before_it_has_its_name(tmp_path, monkeypatch):
    """So that no loss of power is noticed: the files, the list of their names, the rename, the list that it is in."""
    if not os.path.isdir("/proc/self/fd"):
        pytest.skip("needs /proc")
    done = []
    fsync, rename = os.fsync, os.rename
    monkeypatch.setattr(os, "fsync", lambda fd: (done.append(os.readlink(f"/proc/self/fd/{fd}")), fsync(fd)))
    monkeypatch.setattr(os, "rename", lambda a, b, **kw: (done.append(f"{a} -> {b}"), rename(a, b, **kw)))
    Checkpointer(tmp_path).save(5, wait=True)
    partial, final = tmp_path / ".000001-step-5.part", tmp_path / "000001-step-5"
    names = ("manifest.json", "state.json", "tensors.safetensors", "")
    files = [f"{partial / name}" for name in names]
    assert done == [*files, f"{partial} -> {final}", str(tmp_path)]


def test_what_a_killed_process_has_left_is_removed(tmp_path):
    store = Folder(tmp_path)
    store.begin("000001-step-7")
    store.put("000001-step-7", "state.json", [b"half"])
    Checkpointer(tmp_path).save(9, wait=True)
    Checkpointer(tmp_path).save(10, wait=True)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["000001-step-9", "000002-step-10"]


@pytest.mark.parametrize("keep_last", [1, 3, None])
def test_beginning_anew_takes_no_notice_of_an_earlier_run(keep_last, tmp_path):
    first = Checkpointer(tmp_path, keep_best="loss")
    first.save(1, metrics={"loss": 0.0}, wait=True)
    first.close()
    second = Checkpointer(tmp_path, keep_best="loss", keep_last=keep_last)
    second.begin_anew()
    assert (second.names(), second.restore(), second.best()) == ([], None, None)
    assert first.names() == ["000001-step-1"], "still there, until there is something better"
    second.save(5, metrics={"loss": 3.0}, wait=True)
    assert first.names() == ["000002-step-5"]


def test_what_lies_beside_is_called_before_a_checkpoint_has_its_name(tmp_path):
    seen = []
    checkpointer = Checkpointer(tmp_path, beside=lambda: seen.append(checkpointer.names()))
    checkpointer.save(1, wait=True)
    assert seen == [[]]


def test_the_random_numbers_go_on(tmp_path):
    gg.random.seed(4)
    gg.random.random(3)
    Checkpointer(tmp_path).save(1, wait=True)
    expected = gg.random.random(5).tolist()
    gg.random.seed(99)
    Checkpointer(tmp_path).restore()
    assert gg.random.random(5).tolist() == expected


def test_no_checkpoint_is_no_error(tmp_path):
    assert Checkpointer(tmp_path / "new").restore() is None
    assert not (tmp_path / "new").exists()


def test_a_part_that_is_not_there(tmp_path):
    Checkpointer(tmp_path, {"model": Part(1)}).save(1, wait=True)
    with pytest.raises(CheckpointError, match="000001-step-1 lacks optimizer: it has model"):
        Checkpointer(tmp_path, {"model": Part(1), "optimizer": Part(2)}).restore()


def test_a_part_that_does_not_fit(tmp_path):
    Checkpointer(tmp_path, {"model": nn.Linear(2, 3)}).save(1, wait=True)
    with pytest.raises(CheckpointError, match="000001-step-1 does not fit model: the state does not fit Linear"):
        Checkpointer(tmp_path, {"model": nn.Linear(2, 4)}).restore()


def test_other_code_is_told(tmp_path, monkeypatch, caplog):
    monkeypatch.setattr("gpugrad.training.checkpoints.checkpointer.code_version", lambda: {"gpugrad": "0.0.1"})
    Checkpointer(tmp_path).save(1, wait=True)
    monkeypatch.setattr("gpugrad.training.checkpoints.checkpointer.code_version", lambda: {"gpugrad": "9"})
    with caplog.at_level(logging.INFO, "gpugrad"):
        Checkpointer(tmp_path).restore()
    assert "000001-step-1 was saved by other code: gpugrad 0.0.1, here 9" in caplog.text


@pytest.mark.parametrize("options", [{"mode": "best"}, {"keep_last": 0}])
def test_options_out_of_range(options, tmp_path):
    with pytest.raises(ValueError, match="Checkpointer: expected mode 'min' or 'max' and keep_last of at least 1"):
        Checkpointer(tmp_path, **options)


def test_without_fsspec_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "fsspec.core", None)
    with pytest.raises(ImportError, match=r"pip install 'gpugrad\[train\]'"):
        Checkpointer("gs://bucket/run")
