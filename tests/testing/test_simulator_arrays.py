"""The simulated arrays: what CuPy refuses, where it differs from NumPy, and what things cost."""

from __future__ import annotations

import copy
import importlib.util
import operator
import pickle
import sys
import threading

import numpy
import pytest

import gpugrad as gg
from gpugrad import backend
from gpugrad.testing import cuda_simulator

# What is refused -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("convert", [numpy.asarray, numpy.array, lambda x: numpy.asarray(x, "f4"), memoryview,
                                     lambda x: numpy.array([x]), lambda x: numpy.zeros(3).__iadd__(x)])  # fmt: skip
def test_no_implicit_conversion(cp, convert):
    with pytest.raises(TypeError, match=r"Implicit conversion|bytes-like|Unsupported type"):
        convert(cp.zeros(3))
    with pytest.raises(TypeError, match=r"Implicit conversion to a NumPy array is not allowed. Please use `.get\(\)`"):
        numpy.asarray(cp.zeros(3))


@pytest.mark.parametrize(
    "op", [operator.add, operator.sub, operator.mul, operator.truediv, operator.matmul, operator.lt, operator.pow]
)
def test_no_mixing_with_numpy(cp, op):
    x, y = cp.ones((2, 2)), numpy.ones((2, 2))
    for a, b in ((x, y), (y, x)):
        with pytest.raises(TypeError):
            op(a, b)


@pytest.mark.parametrize("call", [
    lambda cp, x: cp.add(x, [1.0]), lambda cp, x: cp.concatenate([x, numpy.ones(3)]), lambda cp, x: cp.sum([1.0, 2.0]),
    lambda cp, x: cp.where(x > 0, x, numpy.ones(3)), lambda cp, x: cp.maximum(x, numpy.ones(3)),
    lambda cp, x: cp.zeros(3, device="cuda"), lambda cp, x: cp.var(x, correction=1),
    lambda cp, x: range(cp.arange(1)[0]),
    lambda cp, x: cp.reshape(2.0, (1,)), lambda cp, x: x == "no number", lambda cp, x: hash(x),
    lambda cp, x: x + gg.ones(3).numpy(),
])  # fmt: skip
def test_what_cupy_refuses_is_refused(cp, call):
    with pytest.raises(TypeError):
        call(cp, cp.ones(3))


def test_writing_a_host_array_into_a_slice_is_refused(cp):
    x = cp.zeros((2, 3))
    with pytest.raises(ValueError, match="non-scalar"):
        x[0] = numpy.ones(3)
    with pytest.raises(ValueError, match="non-scalar"):
        x.fill(numpy.ones(3))
    with pytest.raises(ValueError, match="Unsupported dtype"):
        cp.array(["text"])
    with pytest.raises(BufferError):
        x.__dlpack__()


@pytest.mark.parametrize("name", ["vecdot", "unstack", "matvec", "isnat", "geomspace"])
def test_a_function_that_cupy_lacks_is_missing(cp, name):
    with pytest.raises(AttributeError, match="CuPy does not have it, NumPy does"):
        getattr(cp, name)


@pytest.mark.parametrize("name", ["ElementwiseKernel", "ReductionKernel", "fuse", "random"])
def test_what_the_simulator_lacks_says_so(cp, name):
    with pytest.raises(AttributeError, match="the CUDA simulator does not have it"):
        getattr(cp, name)


def test_a_jit_of_cupyx_is_not_there(cp):
    import cupyx

    with pytest.raises(AttributeError, match="the CUDA simulator lacks it"):
        cupyx.jit


# What is different from NumPy ----------------------------------------------------------------------------------------


def test_results_without_axes_stay_arrays(cp):
    x = cp.arange(6.0).reshape(2, 3)
    for y in (x.sum(), x[1, 2], cp.max(x), x @ x.T @ cp.ones(2) @ cp.ones(2), cp.sin(0.5), x.mean(), cp.allclose(x, x)):
        assert type(y) is cp.ndarray
        assert y.shape == ()
    assert float(x[1, 2]) == 5
    assert int(x.argmax()) == 5
    assert bool(x.any()) is True
    assert x.sum().item() == 15
    assert f"{x[0, 1]:.1f}" == "1.0"


def test_promotion(cp):
    x = cp.ones(2, cp.float32)
    assert (x * 2.0).dtype == cp.float32
    assert (2 * x).dtype == cp.float32
    assert (x * numpy.float64(2)).dtype == cp.float64
    assert (numpy.float64(2) * x).dtype == cp.float64
    assert (x + cp.ones(2, cp.int32)).dtype == cp.float64
    assert cp.sum(cp.ones(2, bool)).dtype == cp.int64
    assert cp.mean(cp.ones(2, cp.int32)).dtype == cp.float64


def test_indices_out_of_bounds_wrap(cp):
    x = cp.arange(3)
    assert x[cp.array([1, 3, -4])].tolist() == [1, 0, 2]
    assert x[[1, 5]].tolist() == [1, 2]
    assert cp.take(x, cp.array([4])).tolist() == [1]
    x[cp.array([1, 3])] = 10
    assert x.tolist() == [10, 10, 2]
    cp.add.at(x, cp.array([5, 5]), 1)
    assert x.tolist() == [10, 10, 4]
    assert x[1:99].tolist() == [10, 4]
    with pytest.raises(IndexError):
        x[3]
    with pytest.raises(IndexError):
        x[0, 0]


def test_of_equal_indices_any_may_win(cp):
    def last(seed):
        with cuda_simulator.thread_order(seed):
            x = cp.zeros(1)
            x[cp.zeros(50, int)] = cp.arange(50.0)
            return float(x[0])

    assert last(0) == 49
    assert len({last(seed) for seed in range(4)}) > 1


def test_fresh_memory_holds_nothing_useful(cp):
    assert cp.isnan(cp.empty(5)).all()
    assert cp.isnan(cp.empty_like(cp.ones((2, 3)).T)).all()


def test_no_warning_from_a_device(cp):
    x = cp.zeros(2)
    assert cp.isnan(x / x).all()
    assert cp.isinf(cp.log(x)).all()
    assert cp.isnan(cp.mean(cp.ones(0)))
    cp.array([numpy.nan]).astype(cp.int32)


def test_views_share_memory_and_copies_do_not(cp):
    x = cp.arange(6.0).reshape(2, 3)
    for view in (x.T, x[1:], x.reshape(-1), x.ravel(), cp.expand_dims(x, 0), cp.broadcast_to(x, (2, 2, 3)), x.view()):
        assert cp.may_share_memory(view, x)
        assert view.base is not None
    assert x[:0].base is x.base
    diagonal = cp.diagonal(x)
    diagonal[...] = 7  # NumPy's may not be written to
    assert x[0, 0] == x[1, 1] == 7
    for fresh in (x.copy(), x[[0]], x + 0, x.flatten(), copy.deepcopy(x), pickle.loads(pickle.dumps(x))):
        assert fresh.base is None
        assert not cp.may_share_memory(fresh, x)
    assert x.T.flags.f_contiguous
    assert not x.T.flags["C_CONTIGUOUS"]
    assert cp.empty_like(x.T).strides == x.T.strides
    assert x[1].data.ptr == x.data.ptr + 24
    assert x.__cuda_array_interface__["data"] == (x.data.ptr, False)


def test_numpy_functions_on_arrays_are_cupys(cp):
    x = cp.ones(3)
    assert type(numpy.sin(x)) is cp.ndarray
    assert type(numpy.concatenate([x, x])) is cp.ndarray
    with pytest.raises(TypeError):
        numpy.vecdot(x, x)


def test_out_and_in_place(cp):
    x, y = cp.ones(3), cp.zeros(3)
    assert cp.add(x, 1, out=y) is y
    assert cp.sum(cp.ones((2, 3)), axis=0, out=y) is y
    y += x
    y[1:] *= 2
    assert y.tolist() == [3, 6, 6]
    with pytest.raises(TypeError):
        cp.add(x, 1, out=numpy.zeros(3))


def test_ufunc_methods(cp):
    import cupyx

    x = cp.zeros(3)
    cp.add.at(x, cp.array([0, 0, 2]), cp.ones(3))
    cupyx.scatter_max(x, cp.array([1]), 5)
    assert x.tolist() == [2, 5, 1]
    assert cp.add.reduce(x).item() == 8
    assert cp.multiply.outer(x, x).shape == (3, 3)
    with pytest.raises(NotImplementedError, match=r"cupy_sin\.at"):
        cp.sin.at(x, 0)


# Devices, streams, memory --------------------------------------------------------------------------------------------


def test_a_function_on_an_array_of_another_device_is_refused(cp):
    with cp.cuda.Device(1):
        x = cp.ones(3)
    assert x.device.id == 1
    for call in (lambda: x + 1, lambda: cp.sin(x), lambda: x.sum(), lambda: cp.ones(3)[x > 0], lambda: x.fill(0)):
        with pytest.raises(ValueError, match="array device = 1 while current = 0"):
            call()
    assert x.get().tolist() == [1, 1, 1]
    assert cp.array(x).device.id == 0
    with cp.cuda.Device(1):
        assert (x + 1).device == cp.cuda.Device(1)
    with pytest.raises(cp.cuda.runtime.CUDARuntimeError, match="invalid device ordinal"):
        cp.cuda.Device(2).use()
    seen = []
    cp.cuda.runtime.setDevice(1)
    thread = threading.Thread(target=lambda: seen.append(cp.cuda.runtime.getDevice()))
    thread.start()
    thread.join()
    assert (seen, cp.cuda.runtime.getDevice(), cp.cuda.Device().id) == ([0], 1, 1)


def test_gpugrad_refuses_two_devices_at_once(cp):
    a, b = gg.ones(2, device="cuda:0"), gg.ones(2, device="cuda:1")
    assert type(a.data) is cp.ndarray
    with pytest.raises(ValueError, match="cuda:0 and cuda:1"):
        a + b
    assert (a + b.to("cuda:0")).tolist() == [2, 2]


def test_streams_and_events(cp):
    cuda = cp.cuda
    assert cuda.get_current_stream() == cuda.Stream.null
    stream = cuda.Stream(non_blocking=True)
    with stream:
        assert cuda.get_current_stream() is stream
        start, end = cuda.Event(), stream.record()
        start.record()
        end.record(stream)
        stream.wait_event(end)
    assert cuda.get_current_stream() == cuda.Stream.null
    with cuda_simulator.count() as seen:
        stream.synchronize()
        end.synchronize()
        cuda.Device().synchronize()
    assert seen.synchronizations == 3
    assert end.done
    assert cuda.get_elapsed_time(start, end) >= 0
    with pytest.raises(cuda.runtime.CUDARuntimeError):
        cuda.get_elapsed_time(start, cuda.Event())
    with cuda.Device(1), pytest.raises(RuntimeError, match="does not match with the current device"):
        stream.use()


def test_memory_is_counted_and_runs_out(cp):
    pool = cp.get_default_memory_pool()
    start = pool.used_bytes()
    x = cp.zeros(1000, cp.float32)
    assert pool.used_bytes() - start == 4096
    view = x[1:]
    del x
    assert pool.used_bytes() - start == 4096
    del view
    assert pool.used_bytes() == start
    assert pool.total_bytes() >= start + 4096
    pool.free_all_blocks()
    assert pool.total_bytes() == start
    pool.set_limit(size=start + 8192)
    kept = cp.zeros(1000, cp.float32)
    with pytest.raises(cp.cuda.memory.OutOfMemoryError, match="limit set to"):
        cp.zeros(2000, cp.float32)
    assert isinstance(cp.cuda.memory.OutOfMemoryError(1, 0), MemoryError)
    with cp.cuda.Device(1):
        cp.zeros(2000, cp.float32)
    own = cp.cuda.MemoryPool()
    with cp.cuda.using_allocator(own.malloc):
        other = cp.zeros(2000, cp.float32)
    assert own.used_bytes() == 8192
    del kept, other


def test_a_small_machine(device):
    with cuda_simulator.installed(memory=2**20) as cp:
        assert cp.cuda.runtime.memGetInfo() == (2**20, 2**20)
        with pytest.raises(MemoryError, match="Out of memory allocating"):
            cp.zeros(2**20)


def test_counters(cp):
    host = numpy.ones((4, 4))
    with cuda_simulator.count() as seen:
        x = cp.asarray(host)
        y = (x @ x + x.T).reshape(-1)[::2]
        z = y.sum()
    assert (seen.host_to_device, seen.launches, seen.device_to_host, seen.synchronizations) == (1, 3, 0, 0)
    assert seen.kernels == {"matmul": 1, "add": 1, "sum": 1}
    for fetched in (z.get, z.item, lambda: float(z), lambda: bool(z), lambda: cp.asnumpy(y), y.tolist, lambda: repr(y)):
        with cuda_simulator.count() as seen:
            fetched()
        assert (seen.device_to_host, seen.synchronizations, seen.launches) == (1, 1, 0)
    for waits in (lambda: x[x > 0], lambda: cp.nonzero(x), lambda: cp.unique(x), lambda: cp.where(x > 0)):
        with cuda_simulator.count() as seen:
            waits()
        assert (seen.synchronizations, seen.device_to_host) == (1, 0)


# Coming and going ----------------------------------------------------------------------------------------------------


def test_the_real_module_comes_back():
    before = sys.modules.get("cupy")
    marker = sys.modules["cupy"] = before or type(sys)("cupy")
    try:
        with cuda_simulator.installed() as cupy:
            import cupy.cuda.runtime
            import cupy.linalg

            assert sys.modules["cupy"] is cupy is not marker
            assert importlib.util.find_spec("cupy") is not None
            x = gg.ones(3, device="cuda")
            assert backend.is_array(x.data)
        assert sys.modules["cupy"] is marker
        assert type(x.data) not in backend.BACKENDS or before is not None
    finally:
        if before is None:
            del sys.modules["cupy"]


def test_bytes_and_products_are_counted(cp):
    x, w, b = cp.ones((10, 20), "f4"), cp.ones((20, 5), "f4"), cp.ones(5, "f4")
    at = cp.arange(3)
    with cuda_simulator.count() as seen:
        y = x @ w
        y += b
        y[at]
        y[at] = 0.0
        cp.exp(y, out=y)
        cp.broadcast_to(b, (10, 5)) * 2
        y.T.copy()
        y[::2].fill(1)
    assert seen.multiplied == 2 * 10 * 20 * 5
    assert seen.moved == {
        "matmul": 4 * (200 + 100 + 50), "add": 4 * (50 + 5 + 50), "getitem": 8 * 3 + 2 * 4 * 15,
        "setitem": 8 * 3 + 4 * 15, "exp": 4 * 100, "multiply": 4 * (5 + 50), "copy": 4 * 100, "fill": 4 * 25,
    }  # fmt: skip
