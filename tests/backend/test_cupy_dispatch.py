"""Whom CuPy's operators and functions ask where an operand is no array of theirs: the real CuPy, and the simulator.

That takes no GPU: who is asked is decided before a device is. What is decided here is what gpugrad's Tensors rely on
(``gpugrad/ops/protocols.py``), and what the simulator has to do likewise.
"""

from __future__ import annotations

import json
import subprocess
import sys

import numpy
import pytest

import gpugrad as gg
from gpugrad.ops import protocols

PROBE = """
import json, operator, sys
import numpy

if sys.argv[1] == "simulator":
    from gpugrad.testing import cuda_simulator
    cuda_simulator.install()
import cupy
from gpugrad.ops.protocols import ForNumPy

if sys.argv[1] == "simulator":
    a = cupy.zeros(3, "f4")
else:
    memory = cupy.cuda.UnownedMemory(4096, 1024, None, 0)  # nobody looks into it
    a = cupy.ndarray((3,), "f4", cupy.cuda.MemoryPointer(memory, 0))

class Plain:
    "Knows NumPy's protocols."
    def __array_ufunc__(self, ufunc, method, *inputs, **options):
        return f"__array_ufunc__ of {ufunc.__name__}"
    def __array_function__(self, function, types, args, kwargs):
        return f"__array_function__ of {function.__name__}"
    def __eq__(self, other):
        return "__eq__"

def reflected(name):
    return lambda self, other: name

for name in ("__radd__", "__rmatmul__", "__rpow__", "__gt__", "__le__"):
    setattr(Plain, name, reflected(name))

class Overriding(Plain):
    "And CuPy's for elementwise functions."
    def __cupy_override_elementwise_kernel__(self, kernel, *args, **options):
        return f"override of {kernel.name} with {len(args)} and {sorted(options)}"

class Lending(Overriding):
    "And lends its memory."
    __cuda_array_interface__ = {"shape": (3,), "typestr": "<f4", "data": (4096, False), "version": 2}

class Deferring(Lending):
    "And leaves operators to itself, as a Tensor does: to CuPy, which asks the value, its __array_ufunc__ is None."
    __array_ufunc__ = None

class Tensor(Lending):
    __array_ufunc__ = ForNumPy()

calls = {
    "a + t": lambda t: a + t, "a @ t": lambda t: a @ t, "a ** t": lambda t: a**t, "a == t": lambda t: a == t,
    "a < t": lambda t: a < t, "a >= t": lambda t: a >= t, "a += t": lambda t: operator.iadd(a, t),
    "cupy.sin(t)": lambda t: cupy.sin(t), "cupy.add(a, t)": lambda t: cupy.add(a, t, dtype="f8"),
    "cupy.add(a, t, a)": lambda t: cupy.add(a, t, a), "cupy.matmul(a, t)": lambda t: cupy.matmul(a, t),
    "numpy.add(a, t)": lambda t: numpy.add(a, t), "numpy.concatenate": lambda t: numpy.concatenate([a, t]),
}
answers = {}
for kind in (Plain, Overriding, Lending, Deferring, Tensor):
    for name, call in calls.items():
        if kind is Tensor and name.startswith("numpy"):
            continue  # that asks for a Tensor's values
        try:
            answers[f"{kind.__name__}: {name}"] = str(call(kind()))
        except Exception:
            answers[f"{kind.__name__}: {name}"] = "an error"
json.dump(answers, sys.stdout)
"""


def ask(which):
    done = subprocess.run([sys.executable, "-c", PROBE, which], capture_output=True, text=True, timeout=120)
    if "No module named 'cupy'" in done.stderr:
        pytest.skip("the real CuPy is not installed: pip install 'gpugrad[cuda13]' (no GPU is needed)")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_the_simulator_asks_whom_cupy_asks():
    assert ask("simulator") == ask("cupy")


@pytest.mark.parametrize("which", ["simulator", "cupy"])
def test_what_tensors_rely_on(which):
    answers = ask(which)
    expected = {
        "Tensor: a + t": "__radd__",
        "Tensor: a @ t": "__rmatmul__",
        "Tensor: a == t": "__eq__",
        "Tensor: a < t": "__gt__",
        "Tensor: a += t": "override of cupy_add with 3 and []",
        "Tensor: cupy.sin(t)": "override of cupy_sin with 1 and []",
        "Tensor: cupy.add(a, t)": "override of cupy_add with 2 and ['dtype']",
        "Lending: a @ t": "an error",  # why a Tensor's operators are its own
    }
    assert {name: answers[name] for name in expected} == expected


# ---------------------------------------------------------------- Tensors

VECTOR = numpy.array([0.3, 0.7, 0.5])
MATRIX = numpy.array([[0.3, 0.7, 0.5], [0.2, 0.9, 0.4]])


@pytest.fixture
def cupy(device):
    if device.is_host:
        pytest.skip("CuPy's arrays are on a GPU")
    return sys.modules["cupy"]


@pytest.mark.parametrize("requires_grad", [False, True])
def test_functions_of_cupy(cupy, requires_grad):
    x = gg.tensor(VECTOR, requires_grad=requires_grad)
    a = cupy.asarray(MATRIX)
    for found, expected in (
        (cupy.sin(x), numpy.sin(VECTOR)),
        (cupy.add(a, x), MATRIX + VECTOR),
        (cupy.divide(x, a), VECTOR / MATRIX),
        (cupy.power(x, 2.0), VECTOR**2),
        (numpy.add(a, x), MATRIX + VECTOR),
        (numpy.multiply(x, a), MATRIX * VECTOR),
        (numpy.concatenate([a, gg.expand_dims(x, 0)]), numpy.concatenate([MATRIX, [VECTOR]])),
    ):
        assert isinstance(found, gg.Tensor)
        numpy.testing.assert_allclose(found.numpy(), expected, rtol=1e-14)
        assert found.requires_grad == requires_grad


def test_writing_into_an_array_of_cupy_is_refused(cupy):
    for x in (gg.tensor(VECTOR), gg.tensor(VECTOR, requires_grad=True)):
        a = cupy.asarray(VECTOR)
        with pytest.raises(TypeError, match=r"cupy\.add: out= would write into an array"):
            a += x
        with pytest.raises(TypeError, match=r"cupy\.sin: out= would write into an array"):
            cupy.sin(x, out=a)


def test_a_function_of_cupy_that_there_is_not(cupy, monkeypatch):
    monkeypatch.setattr(protocols, "_called_before", {})
    monkeypatch.delattr(gg, "ldexp", raising=False)
    monkeypatch.delattr(gg.Tensor, "ldexp", raising=False)
    with pytest.raises(gg.GradientError, match=r"gpugrad has no cupy\.ldexp(.|\n)*return xp\.ldexp\(x1, x2\)"):
        cupy.ldexp(gg.tensor(VECTOR, requires_grad=True), 2)


def test_devices_do_not_mix_silently(cupy):
    with pytest.raises(ValueError, match="operands on different devices"):
        numpy.add(VECTOR, gg.tensor(VECTOR))
    with pytest.raises(ValueError, match="operands on different devices"):
        VECTOR * gg.tensor(VECTOR)
