"""Streams that run late: what CUDA orders is in order, and what it does not order shows."""

from __future__ import annotations

import numpy
import pytest

from gpugrad.testing import cuda_simulator

pytestmark = pytest.mark.any_device
SCALE = """extern "C" __global__ void scale(float* x, float factor) { x[threadIdx.x] *= factor; }"""


@pytest.fixture
def late(device):
    """The simulated CuPy, as late as possible."""
    with cuda_simulator.installed(devices=2, lag=1) as cupy:
        yield cupy


def side(cp):
    return cp.cuda.Stream(non_blocking=True)


def pinned(cp, values):
    memory = numpy.frombuffer(cp.cuda.alloc_pinned_memory(values.nbytes), values.dtype)
    memory[:] = values
    return memory


def test_a_stream_is_in_order(late):
    x = late.zeros(4, "float32")
    for k in range(1500):  # more than a queue holds
        x += 1
        if k % 500 == 0:
            x[late.array([0, -1])] *= 2
            late.RawKernel(SCALE, "scale")((1,), (4,), (x, numpy.float32(0.5)))
            x = late.concatenate([x[:2], x[2:].copy()])
            x.sort()
    expected = numpy.zeros(4)
    for k in range(1500):
        expected += 1
        if k % 500 == 0:
            expected[[0, -1]] *= 2
            expected = numpy.sort(expected * 0.5)
    numpy.testing.assert_allclose(x.get(), expected)


def by_event(cp, made, taken):
    taken.wait_event(made.record())


def by_host(cp, made, taken):
    made.synchronize()


def by_device(cp, made, taken):
    cp.cuda.runtime.deviceSynchronize()


def by_asking(cp, made, taken):
    event = made.record()
    while not event.done:
        pass


def by_nothing(cp, made, taken):
    pass


NULL, BLOCKING, OTHER, THREAD = "null", "blocking", "non-blocking", "per thread"
STREAMS = {
    NULL: lambda cp: cp.cuda.Stream.null, BLOCKING: lambda cp: cp.cuda.Stream(), OTHER: side,
    THREAD: lambda cp: cp.cuda.Stream.ptds,
}  # fmt: skip


@pytest.mark.parametrize(("first", "second", "order", "seen"), [
    (OTHER, OTHER, by_event, True), (OTHER, NULL, by_host, True), (NULL, OTHER, by_device, True),
    (OTHER, BLOCKING, by_asking, True), (OTHER, OTHER, by_nothing, False), (OTHER, NULL, by_nothing, False),
    (NULL, OTHER, by_nothing, False), (BLOCKING, BLOCKING, by_nothing, False), (THREAD, OTHER, by_nothing, False),
    # the legacy default stream and all blocking streams wait for each other
    (NULL, BLOCKING, by_nothing, True), (BLOCKING, NULL, by_nothing, True), (THREAD, NULL, by_nothing, True),
    (NULL, THREAD, by_nothing, True),
])  # fmt: skip
def test_order_between_streams(late, first, second, order, seen):
    made, taken = STREAMS[first](late), STREAMS[second](late)
    x = late.zeros(3)
    late.cuda.runtime.deviceSynchronize()
    with made:
        x += 1
    order(late, made, taken)
    with taken:
        y = x * 2
        assert y.get().tolist() == [2.0 * seen] * 3


def test_an_event_is_a_place_in_its_stream(late):
    stream, x = side(late), late.zeros(2)
    late.cuda.Stream.null.synchronize()
    with stream:
        x += 1
        event = stream.record()
        x += 1
    late.cuda.Stream.null.wait_event(event)
    assert x.get().tolist() == [1, 1]
    assert not stream.done
    stream.synchronize()
    assert stream.done
    assert event.done
    assert x.get().tolist() == [2, 2]


def test_copies_from_the_host(late):
    x, y = late.empty(3), late.empty(3)
    ordinary, memory = numpy.ones(3), pinned(late, numpy.ones(3))
    x.set(ordinary)
    y.set(memory)
    z = late.asarray(ordinary)
    ordinary[:], memory[:] = 7, 7
    assert x.get().tolist() == z.get().tolist() == [1, 1, 1], "staged"
    assert y.get().tolist() == [7, 7, 7], "read when its turn came"


def test_copies_to_the_host(late):
    x, memory, ordinary = late.ones(3), pinned(late, numpy.zeros(3)), numpy.zeros(3)
    x.get(out=memory, blocking=False)
    assert memory.tolist() == [0, 0, 0]
    x += 1
    x.get(out=ordinary, blocking=False)
    assert (ordinary.tolist(), memory.tolist()) == ([2, 2, 2], [1, 1, 1])
    x.T[::2].get(out=memory[:2], stream=side(late))


def test_freed_device_memory_is_the_next_of_its_stream(late):
    stream, x = side(late), late.full(100, 3.0)
    late.cuda.Stream.null.synchronize()
    with stream:
        y = x * 2  # still to come, but nothing holds x
    place = x.data.ptr
    del x
    with stream:
        other = late.empty(100)
    again = late.empty(90)
    assert (other.data.ptr != place, again.data.ptr) == (True, place)
    late.cuda.Stream.null.synchronize()
    with stream:
        assert numpy.isnan(y.get()[:90]).all(), "freed on its own stream, whatever another one still reads"
    pool = late.get_default_memory_pool()
    del again
    pool.free_all_blocks()
    assert pool.used_bytes() == 1024 * 2


def test_freed_pinned_memory_is_poisoned_and_the_next(late):
    memory, x = pinned(late, numpy.ones(100)), late.empty(100)
    place = memory.ctypes.data
    x.set(memory)
    view = memory[3:].reshape(-1, 1)
    del memory
    assert (view == 1).all(), "a view holds it"
    del view
    assert numpy.isnan(x.get()).all()
    assert pinned(late, numpy.zeros(70)).ctypes.data == place


def test_errors_come_at_once_and_those_of_kernels_where_the_host_waits(late):
    x = late.ones(4, "float32")
    with pytest.raises(ValueError, match="broadcast"):
        x + late.ones(3)
    with pytest.raises(ValueError, match="broadcast"):
        x[:2] = late.ones(3)
    with pytest.raises(TypeError, match="takes 2 arguments"):
        late.RawKernel(SCALE, "scale")((1,), (4,), (x,))
    late.RawKernel(SCALE, "scale")((1,), (5,), (x, numpy.float32(2)))
    late.RawKernel(SCALE, "scale")((1,), (4,), (x, numpy.float32(2)))
    with pytest.raises(cuda_simulator.KernelError, match=r"out of bounds of argument 0 \(shape \(4,\), float32\)"):
        x.get()
    assert x.get().tolist() == [4, 4, 4, 4]


def test_results_whose_size_depends_on_values(late):
    x = late.arange(6.0) % 3
    found = [late.nonzero(x)[0], x[x > 1], late.unique(x), late.bincount(x.astype(int)), late.where(x == 0)[0]]
    assert [array.tolist() for array in found] == [[1, 2, 4, 5], [2, 2], [0, 1, 2], [2, 2, 2], [0, 3]]
    x[x > 1] = 5
    assert late.linalg.inv(late.diag(x[1:3])).tolist() == [[1, 0], [0, 0.2]]


def test_devices_have_queues_of_their_own(late):
    x = late.ones(3)
    with late.cuda.Device(1):
        y = late.array(x)  # a copy between devices waits
        y += 1
        late.cuda.runtime.deviceSynchronize()
    assert (y.device.id, y._values.tolist()) == (1, [2, 2, 2])
    x += 1
    with late.cuda.Device(1):
        late.cuda.runtime.deviceSynchronize()
        event = late.cuda.Event()
    assert x._values.tolist() == [1, 1, 1]
    with pytest.raises(RuntimeError, match="invalid resource handle"):
        event.record(side(late))


def schedule(seed):
    """What a host sees of the work that it does not wait for."""
    with cuda_simulator.lag(seed):
        cp = __import__("cupy")
        one, two, x = side(cp), side(cp), cp.zeros(1)
        cp.cuda.Stream.null.synchronize()
        seen = []
        for _ in range(60):
            with one:
                x += 1
            with two:
                cp.ones(1)
            seen.append(x._values.item())
        return seen


def test_the_seed_chooses_the_schedule(late):
    first = schedule(1)
    assert first == [0] * 60
    assert schedule(0) == list(range(1, 61))
    others = [schedule(seed) for seed in range(2, 8)]
    assert others == [schedule(seed) for seed in range(2, 8)]
    assert len({tuple(seen) for seen in others}) > 3
    with pytest.raises(ValueError, match="0 or above, got -1"):
        cuda_simulator.set_lag(-1)


def test_copies_to_an_address_of_the_host(late):
    """Into pinned memory when the stream gets there, into other memory before the call returns."""
    x = late.arange(6, dtype="float32")[2:]
    slow, fast = pinned(late, numpy.zeros(4, "f4")), numpy.zeros(4, "f4")
    for room in (slow, fast):
        x.data.copy_to_host_async(room.ctypes.data, x.nbytes, late.cuda.Stream.null)
        assert room.tolist() == ([0.0] * 4 if room is slow else [2.0, 3.0, 4.0, 5.0])
        x += 1
        if room is slow:
            late.cuda.Stream.null.synchronize()
            assert room.tolist() == [2.0, 3.0, 4.0, 5.0], "as it was when the copy was queued"
            x -= 1
