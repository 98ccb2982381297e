"""Every kernel of the library against its reference, on CuPy or its stand-in: dtypes, layouts, sizes, thread orders."""

from __future__ import annotations

import os
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from itertools import cycle

import numpy
import pytest

from gpugrad import backend
from gpugrad.kernels import REGISTRY
from gpugrad.kernels.column_sums import Columns
from gpugrad.kernels.elementwise import Elementwise
from gpugrad.kernels.rows import WARP_ROW, Rows
from gpugrad.testing import cuda_simulator

try:
    from ml_dtypes import bfloat16
except ImportError:
    bfloat16 = None

DTYPES = {"float16": numpy.float16, "bfloat16": bfloat16, "float32": numpy.float32, "float64": numpy.float64}
every_dtype = pytest.mark.parametrize("dtype", [
    pytest.param(name, marks=pytest.mark.skipif(kind is None, reason="ml_dtypes is not installed"))
    for name, kind in DTYPES.items()
])  # fmt: skip
TOLERANCE = {
    "float16": 1e-3,
    "bfloat16": 8e-3,
    "float32": 4e-6,
    "float64": 2e-13,
}  # 16 bits: one unit in the last place

SCALARS = {
    "rate": 0.1, "sign": -1.0, "weight_decay": 0.2, "momentum": 0.9, "fresh": 0.3, "nesterov": 1.0, "first": 0.0,
    "eps": 0.01, "alpha": 0.7, "shrink": 0.9, "fresh1": 0.1, "beta2": 0.9, "fresh2": 0.1, "root": 0.5,
    "slope": 0.25, "scale": 1.1, "low": -0.5, "beta": 1.3, "limit": 2.0, "high": 0.6, "width": 0.4,
    "value": 0.3, "ahead": 0.2, "adapted": 1.0, "rho": 0.8, "fewer": 0.5, "more": 1.2, "beta1": 0.7,
}  # fmt: skip
"""A value for each scalar parameter that a kernel of the library has."""

PURE = [k for k in REGISTRY.values() if isinstance(k, Elementwise) and not k.changes]
CHANGING = [k for k in REGISTRY.values() if isinstance(k, Elementwise) and k.changes]
ROWS = [k for k in REGISTRY.values() if isinstance(k, Rows) and k.parameters == ("axis",)]
MATRICES = [k for k in REGISTRY.values() if isinstance(k, Rows) and k not in ROWS]
"""These are compared in ``test_row_kernels.py``."""
COLUMNS = [k for k in REGISTRY.values() if isinstance(k, Columns)]
"""And these in ``test_column_kernels.py``."""
LENGTHS = (1, 31, 32, 33, 1000, 1024, 1025, 5000)
ORDERS = (0, 1, 2)


def test_every_kernel_is_of_a_kind_that_is_tested_here():
    assert {*PURE, *CHANGING, *ROWS, *MATRICES, *COLUMNS} == {*REGISTRY.values()}
    scalars = {name for kernel in (*PURE, *CHANGING) for name in kernel.scalars}
    assert scalars - SCALARS.keys() == set(), "give each new scalar a value in SCALARS"


@pytest.fixture(scope="module")
def cupy(request):
    """CuPy where the run is on a GPU, else its stand-in; with every source of this file compiled, on all cores."""
    if request.config.getoption("--device") == "cuda":
        import cupy

        yield cupy
        return
    with cuda_simulator.installed() if not cuda_simulator.is_installed() else nullcontext():
        import cupy

        backend.load_cuda()
        sources = [k.packed(d) for k in (*PURE, *CHANGING) for d in DTYPES]
        sources += [k.strided(d, n) for k in PURE for d in DTYPES for n in (1, 2)]
        sources += [k.strided(d, 1) for k in CHANGING for d in DTYPES]
        sources += [k.source(d, short) for k in ROWS for d in DTYPES for short in (True, False)]
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            list(pool.map(lambda source: cupy.RawModule(code=source).compile(), sources))
        yield cupy


def place(cupy, values, how):
    """A device array with these values: laid out as ``how`` says."""
    if how == "packed":
        return cupy.asarray(values)
    if how in ("4 bytes", "8 bytes"):  # an array that begins so far behind a 16-byte boundary
        skip = max(1, int(how[0]) // values.itemsize)
        whole = cupy.asarray(numpy.concatenate([numpy.zeros(skip, values.dtype), values.ravel()]))
        view = whole[skip:].reshape(values.shape)
        assert view.data.ptr % 16 == skip * values.itemsize
        return view
    if how == "every second":
        return cupy.asarray(numpy.repeat(values, 2, axis=-1))[..., ::2]
    if how == "backwards":
        return cupy.asarray(values[..., ::-1].copy())[..., ::-1]
    if how == "transposed":
        return cupy.asarray(numpy.ascontiguousarray(values.T)).T
    raise AssertionError(how)


def sample(names, shape, dtype, seed=0):
    rng = numpy.random.default_rng(seed)
    made = {}
    for name in names:
        values = rng.normal(size=shape)
        if name in ("s", "v", "w"):  # running squares: above the squares of the means
            values = values**2 + 20
        made[name] = numpy.asarray(values > 0 if name == "mask" else values).astype(bool if name == "mask" else dtype)
    return made


def reference(kernel, arrays, more=()):
    """What the reference gives on the CPU, 16-bit numbers computed in float32 and rounded once."""
    dtype = arrays[0].dtype
    wide = [numpy.array(a, dtype="f4") if dtype.itemsize == 2 else numpy.array(a) for a in arrays]
    with numpy.errstate(all="ignore"):
        result = kernel(numpy, *wide, *more)
        return [numpy.asarray(a).astype(dtype) for a in (wide if result is None else [result])]


def assert_close(cupy, got, expected, dtype, scale=1.0):
    """Equal up to roundings, the same NaNs and infinities."""
    tolerance = scale * TOLERANCE[dtype]
    assert got.dtype == expected.dtype
    assert got.shape == expected.shape
    got, expected = (numpy.asarray(a, "f8") for a in (cupy.asnumpy(got), expected))
    numpy.testing.assert_allclose(got, expected, rtol=tolerance, atol=tolerance)


def counted(cupy):
    """What is launched inside, where that is known."""
    return cuda_simulator.count() if cuda_simulator.is_installed() else nullcontext()


def run_pure(cupy, kernel, arrays, dtype, launches=1):
    scalars = [SCALARS[name] for name in kernel.scalars]
    with counted(cupy) as seen:
        got = kernel(cupy, *arrays, *scalars)
    if seen is not None:
        assert seen.kernels[kernel.name] == launches, "the kernel ran, not the reference"
        assert seen.device_to_host == seen.host_to_device == seen.synchronizations == 0
    expected = reference(kernel, [cupy.asnumpy(a) for a in arrays], scalars)[0]
    assert_close(cupy, got, expected, dtype)


LAYOUTS = [
    ("packed", (0,), 0), ("packed", (3, 0), 0), ("packed", (1,), 1), ("packed", (), 1), ("packed", (7,), 1),
    ("packed", (16,), 1), ("packed", (3, 5, 7), 1), ("packed", (2571,), 1), ("4 bytes", (5,), 1),
    ("4 bytes", (1003,), 1),
    ("8 bytes", (33, 8), 1), ("every second", (301,), 1), ("every second", (13, 40), 1), ("backwards", (70,), 1),
    ("transposed", (13, 40), 1),
]  # fmt: skip


@every_dtype
@pytest.mark.parametrize("kernel", PURE, ids=lambda k: k.name)
def test_elementwise_layouts(cupy, kernel, dtype):
    for order in ORDERS:
        with cuda_simulator.thread_order(order):
            for how, shape, launches in LAYOUTS:
                values = sample(kernel.arrays, shape, DTYPES[dtype], order).values()
                run_pure(cupy, kernel, [place(cupy, v, how) for v in values], dtype, launches)


@every_dtype
@pytest.mark.parametrize("kernel", PURE, ids=lambda k: k.name)
def test_elementwise_mixed_and_broadcast(cupy, kernel, dtype):
    full = sample(kernel.arrays, (13, 40), DTYPES[dtype])
    first, *others = full.values()
    layouts = cycle(("packed", "8 bytes", "transposed"))
    run_pure(cupy, kernel, [place(cupy, v, how) for v, how in zip(full.values(), layouts, strict=False)], dtype)
    for shape in ((13, 1), (1, 40), (40,), (1, 1), (), (1,)):
        small = sample("x", shape, DTYPES[dtype])["x"]
        run_pure(cupy, kernel, [cupy.broadcast_to(cupy.asarray(small), (13, 40)), *map(cupy.asarray, others)], dtype)
        if others:
            last = cupy.asarray(small.astype(others[-1].dtype))
            run_pure(cupy, kernel, [*map(cupy.asarray, (first, *others[:-1])), last], dtype)
    if others:
        run_pure(cupy, kernel, [cupy.asarray(first[:, :1]), *(cupy.asarray(o[:1]) for o in others)], dtype)


SPECIAL = [0.0, -0.0, numpy.inf, -numpy.inf, numpy.nan, 1e-7, -1e-7, 1e4, -1e4, 88.0, -104.0, 1.0, -1.0]


@every_dtype
@pytest.mark.parametrize("kernel", PURE, ids=lambda k: k.name)
def test_elementwise_special_values(cupy, kernel, dtype):
    grids = numpy.meshgrid(*[SPECIAL] * len(kernel.arrays))
    types = [bool if name == "mask" else DTYPES[dtype] for name in kernel.arrays]
    arrays = [cupy.asarray(g.astype(t)) for g, t in zip(grids, types, strict=True)]
    run_pure(cupy, kernel, arrays, dtype)


def test_sigmoid_saturates_and_relu_keeps_nan(cupy):
    x = cupy.asarray(numpy.array([-numpy.inf, -1e30, 1e30, numpy.inf, numpy.nan], "f4"))
    for xp, values in ((cupy, x), (numpy, cupy.asnumpy(x))):
        got = REGISTRY["sigmoid_forward"](xp, values).tolist()
        assert got[:4] == [0, 0, 1, 1]
        assert numpy.isnan(got[4])
        assert numpy.isnan(REGISTRY["relu_forward"](xp, values).tolist()[4])
        for name in ("sigmoid_backward", "tanh_backward"):
            got = REGISTRY[name](xp, xp.ones_like(values), values).tolist()
            assert got[:4] == [0, 0, 0, 0], name
            assert numpy.isnan(got[4])


@pytest.mark.parametrize("name", ["sigmoid_forward", "sigmoid_backward", "tanh_backward"])
@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_routines_for_few_elements_are_exact_in_the_tails(name, dtype):
    """A routine of few calls up to a limit, the reference beyond: both to a few units in the last place."""
    for x in (numpy.linspace(-9, 9, 60), numpy.array([-42.0, 1.0]), numpy.array([41.0, -1e-9]), numpy.array(-3.0),
              numpy.array([-60.0, 60.0])):  # fmt: skip
        given = [numpy.asarray(x, dtype)] if name.endswith("forward") else [numpy.full(x.shape, 2.0, dtype)]
        given += [] if name.endswith("forward") else [numpy.asarray(x, dtype)]
        exact = REGISTRY[name].reference(numpy, *(g.astype("f8") for g in given))
        got = REGISTRY[name](numpy, *given)
        assert got.dtype == dtype
        info = numpy.finfo(dtype)
        numpy.testing.assert_allclose(got, exact, rtol=30 * info.eps, atol=info.tiny)


@pytest.mark.parametrize("wide", [False, True], ids=["32-bit", "64-bit"])
@pytest.mark.parametrize("kernel", [REGISTRY["relu_backward"], REGISTRY["sigmoid_backward"]], ids=lambda k: k.name)
def test_elementwise_many_axes(cupy, kernel, wide, monkeypatch):
    if wide:
        monkeypatch.setattr(sys.modules[Elementwise.__module__], "MOST_NARROW", 1)
    mixed = ("backwards", "transposed")
    for shape, launches in [((3, 2, 3, 2, 3, 2), 1), ((2, 3, 2, 3, 2, 3, 2), 0)]:
        values = sample(kernel.arrays, shape, "f4").values()
        run_pure(cupy, kernel, [place(cupy, v, how) for v, how in zip(values, mixed, strict=True)], "float32", launches)
    run_pure(cupy, kernel, [place(cupy, v, "packed") for v in sample(kernel.arrays, (2571,), "f4").values()], "float32")
    run_pure(cupy, kernel, [place(cupy, v, "4 bytes") for v in sample(kernel.arrays, (1,), "f4").values()], "float32")


@every_dtype
@pytest.mark.parametrize("kernel", CHANGING, ids=lambda k: k.name)
def test_elementwise_in_place(cupy, kernel, dtype):
    scalars = [SCALARS[name] for name in kernel.scalars]
    layouts = [("packed", 0), ("packed", 1), ("packed", 7), ("packed", 2571), ("4 bytes", 1003), ("8 bytes", 65),
               ("every second", 300), ("backwards", 31)]  # fmt: skip
    for order in ORDERS:
        for how, size in layouts:
            values = sample(kernel.arrays, (size,), DTYPES[dtype], order)
            arrays = {n: place(cupy, v, how) for n, v in values.items()}
            around = {n: cupy.asnumpy(a.base) for n, a in arrays.items() if a.base is not None}
            with cuda_simulator.thread_order(order), counted(cupy) as seen:
                assert kernel(cupy, *arrays.values(), *scalars) is None
            if seen is not None:
                assert seen.kernels[kernel.name] == (size > 0)
            expected = dict(zip(values, reference(kernel, [*values.values()], scalars), strict=True))
            for n, a in arrays.items():
                assert_close(cupy, a, expected[n], dtype)
                if n not in kernel.changes:
                    numpy.testing.assert_array_equal(cupy.asnumpy(a), values[n])
                if a.base is not None:  # what lies around a view is left alone
                    changed = (cupy.asnumpy(a.base) != around[n]).sum()
                    assert changed <= size
    if kernel is CHANGING[0]:
        with pytest.raises(ValueError, match="full shape"):
            kernel(cupy, cupy.zeros(1, "f4"), *(cupy.zeros(3, "f4") for _ in kernel.arrays[1:]), *scalars)


def rows_close(cupy, kernel, values, dtype, axis=-1):
    arrays = [cupy.asarray(v) for v in values]
    with counted(cupy) as seen:
        got = kernel(cupy, *arrays, axis)
    if seen is not None:
        assert seen.kernels[kernel.name] == 1
    assert_close(cupy, got, reference(kernel, values, (axis,))[0], dtype, scale=8)


@every_dtype
@pytest.mark.parametrize("kernel", ROWS, ids=lambda k: k.name)
def test_rows(cupy, kernel, dtype):
    for order, length in enumerate(LENGTHS):
        shape = (2, 3, length) if length < 1000 else (3, length)
        with cuda_simulator.thread_order(order % len(ORDERS)):
            rows_close(cupy, kernel, [*sample(kernel.arrays, shape, DTYPES[dtype]).values()], dtype)


@every_dtype
@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("kernel", ROWS, ids=lambda k: k.name)
def test_rows_thread_orders(cupy, kernel, order, dtype):
    with cuda_simulator.thread_order(order):
        for shape in [(1,), (9, 33), (1030,)]:
            rows_close(cupy, kernel, [*sample(kernel.arrays, shape, DTYPES[dtype]).values()], dtype)


@pytest.mark.parametrize("length", [2, 40, 1100])
@pytest.mark.parametrize("kernel", ROWS, ids=lambda k: k.name)
def test_rows_special_values(cupy, kernel, length):
    """Each in the first, the last and all places of a row of its own; rows beside them are as ever."""
    x, *others = sample(kernel.arrays, (14, length), "f4").values()
    for k, value in enumerate((numpy.nan, numpy.inf, -numpy.inf, 3e38)):
        x[3 * k, 0] = x[3 * k + 1, -1] = value
        x[3 * k + 2] = value
    rows_close(cupy, kernel, [x, *others], "float32")


@pytest.mark.parametrize("kernel", ROWS, ids=lambda k: k.name)
def test_rows_of_other_axes_go_to_the_reference_and_other_layouts_are_copied(cupy, kernel):
    values = [*sample(kernel.arrays, (6, 8), "f4").values()]
    for how, axis, launches in [("packed", 0, 0), ("transposed", -1, 1), ("transposed", (0, 1), 1)]:
        with counted(cupy) as seen:
            got = kernel(cupy, *(place(cupy, v, how) for v in values), axis)
        assert seen is None or seen.kernels[kernel.name] == launches
        assert_close(cupy, got, reference(kernel, values, (axis,))[0], "float32")
    rows_close(cupy, kernel, values, "float32", (0, 1))  # all axes are one row
    for shape in [(0,), (0, 4), (3, 0)]:
        empty = [cupy.zeros(shape, "f4") for _ in kernel.arrays]
        assert kernel(cupy, *empty, -1).shape == shape


def test_other_dtypes_go_to_the_reference(cupy):
    got = REGISTRY["relu_forward"](cupy, cupy.arange(-3, 3))
    assert got.dtype == numpy.int64
    assert got.tolist() == [0, 0, 0, 0, 1, 2]
    mixed = REGISTRY["sigmoid_backward"](cupy, cupy.ones(3, "f4"), cupy.ones(3, "f8"))
    assert mixed.dtype == numpy.float64


@pytest.mark.skipif("config.getoption('--device') == 'cuda'", reason="guard pages are the simulator's")
def test_nothing_is_read_or_written_out_of_bounds(cupy):
    """Every array ends at memory that may not be touched."""
    with cuda_simulator.guarded():
        for size in (1, 3, 4, 5, 1003, 1024):
            for kernel in PURE:
                for how in ("packed", "4 bytes"):
                    values = sample(kernel.arrays, (size,), "f4").values()
                    run_pure(cupy, kernel, [place(cupy, v, how) for v in values], "float32")
            for kernel in ROWS:
                rows_close(cupy, kernel, [*sample(kernel.arrays, (5, size), "f4").values()], "float32")


def test_lengths_of_rows_are_on_both_sides_of_the_border():
    assert {WARP_ROW, WARP_ROW + 1} <= {*LENGTHS}
