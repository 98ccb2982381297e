"""Choosing a device, mixing devices, moving between them: with stand-ins where there is no GPU."""

from __future__ import annotations

import logging
import os
import re
import subprocess
import sys

import numpy
import pytest

import gpugrad as gg
from gpugrad import backend
from gpugrad.backend import registry, selection
from gpugrad.core import modes


@pytest.mark.parametrize("name", ["cpu", "cuda", "cuda:0", "cuda:1", "cpu:0"])
def test_names(name):
    d = gg.device(name)
    assert d == name
    assert gg.device(d) == d
    assert hash(d) == hash(gg.device(name))
    assert (d.type, d.index) == (name.partition(":")[0], int(name.partition(":")[2] or 0))
    assert d.is_host is (d.type == "cpu")


def test_text():
    assert (str(gg.device("cuda")), str(gg.device("cpu")), repr(gg.device("cuda:1"))) == (
        "cuda:0",
        "cpu",
        "device('cuda:1')",
    )
    assert gg.device("cuda") != gg.device("cuda:1")
    assert gg.device("cpu") != 3


@pytest.mark.parametrize("name", ["gpu", "", "cuda:", "cuda:x", "cuda:-1", "cpu:1", "cuda:1:2", "CPU", None, 0])
def test_bad_names(name):
    with pytest.raises(ValueError, match="expected a device such as 'cpu', 'cuda' or 'cuda:1', got"):
        gg.device(name)


def test_bad_names_where_devices_are_given():
    for use in (
        lambda: gg.zeros(2, device="gpu"),
        lambda: gg.set_default_device("gpu"),
        lambda: gg.default_device("gpu"),
    ):
        with pytest.raises(ValueError, match="expected a device such as"):
            use()


# ---------------------------------------------------------------- choosing


def python(code, **environment):
    """Run a program of its own, where nothing has been chosen yet."""
    env = {k: v for k, v in os.environ.items() if k != "GPUGRAD_DEVICE"} | environment
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=env, check=False, timeout=60
    )


@pytest.fixture
def no_gpu(device):
    if not device.is_host:
        pytest.skip("about a machine without a GPU")
    try:
        backend.load_cuda()
    except RuntimeError:
        return
    pytest.skip("this machine has a GPU")


@pytest.mark.parametrize("version", [None, 12080])
def test_without_a_gpu_the_cpu_is_taken_and_said_once_where_there_is_a_driver(version, no_gpu):
    played = f"from gpugrad.backend import driver; driver.version = lambda: {version}; "
    done = python(played + "import gpugrad as gg; gg.zeros(2); gg.tensor([1.0]); print(gg.get_default_device())")
    assert done.stdout == "cpu\n", done.stderr
    assert done.stderr.count("gpugrad computes on the CPU: ") == (version is not None)
    assert ("GPUGRAD_DEVICE=cpu chooses it without this note" in done.stderr) == (version is not None)


@pytest.mark.parametrize(
    ("version", "status", "words"),
    [
        (None, "cudaErrorInsufficientDriver", "no NVIDIA driver was found"),
        (12080, "cudaErrorInsufficientDriver: x", "runs CUDA 12.8 and before.*gpugrad.cuda12.'"),
        (13000, "cudaErrorNoDevice: no device", "shows no device .cudaErrorNoDevice: no device"),
        (13000, "", "the NVIDIA driver shows no device$"),
    ],
)
def test_why_there_is_no_gpu(monkeypatch, version, status, words):
    monkeypatch.setattr(selection.driver, "version", lambda: version)
    assert re.search(words, selection._reason(status))


def test_the_cpu_by_choice_is_not_said(no_gpu):
    done = python("import gpugrad as gg; print(gg.zeros(2).device)", GPUGRAD_DEVICE="cpu")
    assert (done.stdout, done.stderr) == ("cpu\n", "")


@pytest.mark.parametrize(
    ("wanted", "error"),
    [("cuda", "RuntimeError: (no CUDA GPU|CuPy cannot be imported)"), ("gpu", "ValueError: expected a device such as")],
)
def test_a_wanted_device_that_is_not_there_is_an_error(wanted, error, no_gpu):
    done = python("import gpugrad as gg; gg.zeros(2)", GPUGRAD_DEVICE=wanted)
    assert done.returncode != 0
    assert done.stderr.splitlines()[-1].startswith(error.partition(":")[0])
    assert re.search(error, done.stderr)
    assert "computes on the CPU" not in done.stderr


def test_importing_does_not_look_for_a_gpu(no_gpu):
    done = python("import sys, gpugrad; print('cupy' in sys.modules)")
    assert (done.stdout, done.stderr) == ("False\n", "")


def test_fall_back_is_said_once_on_the_logger(monkeypatch, caplog, device):
    if not device.is_host:
        pytest.skip("a machine without a GPU is played on the host")

    def none():
        raise RuntimeError("no CUDA GPU: none at all")

    monkeypatch.setattr(selection, "load_cuda", none)
    monkeypatch.setattr(selection.driver, "version", lambda: 13000)
    monkeypatch.delenv("GPUGRAD_DEVICE", raising=False)
    selection._automatic_device.cache_clear()
    gg.set_default_device(None)
    try:
        with caplog.at_level(logging.WARNING, logger="gpugrad"):
            assert [gg.get_default_device() for _ in range(3)] == ["cpu"] * 3
        assert [r.levelname for r in caplog.records] == ["WARNING"]
        assert "no CUDA GPU: none at all" in caplog.text
        monkeypatch.setenv("GPUGRAD_DEVICE", "cuda:1")
        with pytest.raises(RuntimeError, match="no CUDA GPU"):
            gg.get_default_device()
        for use in (
            lambda: gg.zeros(2, device="cuda"),
            lambda: gg.set_default_device("cuda"),
            lambda: gg.zeros(2, device="cpu").to("cuda"),
        ):
            with pytest.raises(RuntimeError, match="no CUDA GPU"):
                use()
    finally:
        selection._automatic_device.cache_clear()
        monkeypatch.undo()


# ---------------------------------------------------------------- a GPU of NumPy arrays


class Far(numpy.ndarray):
    """An array of the stand-in: NumPy's, but known to live somewhere else."""

    place = 0

    def __array_finalize__(self, other):
        self.place = getattr(other, "place", 0)


class FarNamespace:
    """NumPy's functions with results that live where the arguments do."""

    def __init__(self, owner):
        self.owner = owner

    def __getattr__(self, name):
        function = getattr(numpy, name)
        if isinstance(function, type) or not callable(function):
            return function

        def call(*args, **kwargs):
            y = function(*args, **kwargs)
            places = [a.place for a in args if isinstance(a, Far)]
            make = lambda part: self.owner.at(part, places[0] if places else self.owner.current)
            return [make(p) for p in y] if isinstance(y, list | tuple) else make(y)

        return call


class FarBackend(backend.Backend):
    name = "cuda"
    several_devices = True
    count = 2

    def __init__(self):
        self.current = 0
        self.entered = []
        self.xp = FarNamespace(self)

    def at(self, array, place):
        far = numpy.array(array).view(Far)
        far.place = place
        return far

    def device(self, array):
        return gg.device(f"cuda:{array.place}")

    def from_host(self, array, device):
        return self.at(array, device.index)

    def to_host(self, array):
        return numpy.array(array)

    def move(self, array, device):
        return self.at(array, device.index)

    def using(self, device):
        owner = self

        class Using:
            def __enter__(self):
                self.before, owner.current = owner.current, device.index
                owner.entered.append(str(device))

            def __exit__(self, *_):
                owner.current = self.before

        return Using()


@pytest.fixture
def far(monkeypatch, device):
    """Two GPUs that are none, ``cuda:0`` and ``cuda:1``."""
    if not device.is_host:
        pytest.skip("a stand-in for the GPU of a machine without one")
    owner = FarBackend()
    for table, value in ((registry.NAMESPACES, owner.xp), (registry.EAGER, owner.xp), (registry.BACKENDS, owner)):
        monkeypatch.setitem(table, Far, value)
    monkeypatch.setattr(selection, "load_cuda", lambda: owner)
    monkeypatch.setattr(modes.careful, "on", True)
    return owner


def test_mixing_devices_names_both(far):
    a, b = gg.ones(2, device="cpu"), gg.ones(2, device="cuda")
    text = r"operands on different devices, cpu and cuda:0; nothing is moved silently: use x.to\('cpu'\)"
    for use in (
        lambda: a + b,
        lambda: gg.concat([a, b]),
        lambda: gg.where(a > 0, a, b),
        lambda: gg.einsum("i,i", a, b),
    ):
        with pytest.raises(ValueError, match=text):
            use()
    with pytest.raises(ValueError, match="cuda:0 and cuda:1"):
        b + gg.ones(2, device="cuda:1")
    with pytest.raises(ValueError, match="set_at: operands on different devices"):
        a[0] = b[0]


def test_mixing_devices_is_noticed_on_the_short_paths_too(far, monkeypatch):
    monkeypatch.setattr(modes.careful, "on", False)
    a, b = gg.ones(2, device="cpu").requires_grad_(), gg.ones(2, device="cuda")
    with pytest.raises(ValueError, match="multiply: operands on different devices, cpu and cuda:0"):
        a * b
    with pytest.raises(ValueError, match="different devices"):
        gg.stack([b, a])


def test_an_index_from_another_device(far):
    x, i = gg.ones(3, device="cpu"), gg.tensor([0], device="cuda")
    with pytest.raises(ValueError, match="the index is on cuda:0, the tensor on cpu; nothing is moved silently"):
        x[i]


def test_a_gradient_from_another_device(far):
    x = gg.ones(2, device="cuda").requires_grad_()
    with pytest.raises(ValueError, match=r"float32 \(2,\) on cuda:0, got float32 \(2,\) on cpu"):
        (x * 2).backward(gg.ones(2, device="cpu"))


def test_moving_carries_the_gradient_back(far):
    x = gg.tensor([1.0, 2.0], device="cpu", requires_grad=True)
    y = x.to("cuda:1")
    assert (x.device, y.device, y.requires_grad) == ("cpu", "cuda:1", True)
    z = (y * y).to("cuda:0")
    assert z.device == "cuda:0"
    z.to("cpu").sum().backward()
    assert (x.grad.device, x.grad.tolist()) == ("cpu", [2.0, 4.0])


def test_moving_a_single_number(far):
    """NumPy's rules give scalars where others give 0-d arrays; they must move all the same."""
    x = gg.tensor(3.0, device="cuda:1", requires_grad=True)
    (x.to("cpu") * 2.0).backward()
    assert (x.grad.device, x.grad.item()) == ("cuda:1", 2.0)
    w = gg.tensor(3.0, device="cpu", requires_grad=True)
    (w.to("cuda") * 2.0).backward()
    assert (w.grad.device, w.grad.item()) == ("cpu", 2.0)
    g = gg.grad(gg.grad(lambda x: (x.to("cuda") ** 3).to("cpu")))(gg.tensor(2.0, device="cpu"))
    assert (g.device, g.item()) == ("cpu", 12.0)


def test_new_tensors_are_made_beside_the_old(far):
    x = gg.tensor([1.0, 2.0], device="cuda:1")
    for made in (
        gg.zeros_like(x),
        gg.asarray(x),
        x + 1,
        2**x,
        x[[0, 1]],
        x.copy(),
        gg.astype(x, gg.float64),
    ):
        assert made.device == "cuda:1"
    assert gg.tensor(x, device="cpu").device == "cpu"
    assert gg.tensor(x.numpy(), device="cuda").device == "cuda:0"


def test_operations_run_with_the_device_of_their_operands(far):
    x = gg.tensor([1.0, 2.0], device="cuda:1", requires_grad=True)
    far.entered.clear()
    y = gg.exp(x).sum()
    assert set(far.entered) == {"cuda:1"}
    far.entered.clear()
    y.backward()
    assert set(far.entered) == {"cuda:1"}
    assert x.grad.device == "cuda:1"
    assert far.current == 0


def test_default_device(far):
    with gg.default_device("cuda:1"):
        for made in (
            gg.zeros(2),
            gg.tensor([1.0]),
            gg.tensor(numpy.ones(2)),
            gg.arange(3),
            gg.eye(2),
            gg.add(1.0, 2.0),
        ):
            assert made.device == "cuda:1"
        assert gg.asarray(numpy.ones(2)).device == "cpu"

        @gg.default_device("cpu")
        def inner():
            return gg.zeros(2).device

        assert inner() == "cpu"
        assert gg.get_default_device() == "cuda:1"
    assert gg.get_default_device() == "cpu"
    with pytest.raises(RuntimeError, match=r"no device cuda:2: this machine has 2 CUDA GPU\(s\)"):
        gg.zeros(2, device="cuda:2")


def test_what_is_not_on_the_host_becomes_no_numpy_array_by_itself(far):
    x = gg.tensor([1.0, 2.0], device="cuda")
    with pytest.raises(TypeError, match=r"tensor on cuda:0 is not copied to a NumPy array implicitly: use x.numpy\(\)"):
        numpy.asarray(x)
    assert type(x.numpy()) is numpy.ndarray
    assert "device='cuda:0'" in repr(x)


def test_asarray_without_a_copy_does_not_move(far):
    x = gg.ones(2, device="cpu")
    with pytest.raises(ValueError, match=r"float32 on cpu to float32 on cuda:0 needs a copy"):
        gg.asarray(x, device="cuda", copy=False)


# ---------------------------------------------------------------- kinds of array


def test_what_is_an_array():
    assert backend.is_array(numpy.zeros(2))
    for other in ([1.0], 1.0, numpy.float64(1.0), None, "text", gg.zeros(2)):
        assert not backend.is_array(other)
    with pytest.raises(TypeError, match="expected an array of NumPy or CuPy, got list"):
        backend.backend_of([1.0])


def test_dtypes():
    assert [
        d for d in (gg.float16, gg.float32, gg.float64, gg.complex64, gg.complex128) if not backend.is_floating(d)
    ] == []
    assert not any(map(backend.is_floating, (gg.int8, gg.uint64, gg.bool)))
    assert (gg.int8, gg.float32, gg.bool) == ("int8", "float32", "bool")
    assert backend.as_dtype(float) == gg.float64


def test_a_backend_says_what_it_lacks():
    bare = backend.Backend()
    for use in (
        lambda: bare.device(None), lambda: bare.from_host(None, None), lambda: bare.to_host(None),
        lambda: bare.move(None, None),
    ):  # fmt: skip
        with pytest.raises(NotImplementedError):
            use()
    bare.check_index(0, (1,))
    with bare.using(gg.device("cpu")):
        pass
