"""A machine with two GPUs: operations take the careful path once the second one is used, and not before."""

import numpy
import pytest

import gpugrad as gg
from gpugrad import backend
from gpugrad.core.modes import careful
from gpugrad.testing import cuda_simulator


@pytest.fixture
def cupy(device):
    if cuda_simulator.is_installed() or not device.is_host:
        pytest.skip("installs a simulated machine of its own")
    with cuda_simulator.installed(devices=2) as module, gg.default_device("cuda"):
        yield module
    assert not careful.on


def step(place="cuda"):
    """A forward and a backward pass with operations of every short path, a gather and a kernel."""
    w = gg.tensor(numpy.linspace(-1, 1, 6).reshape(2, 3), device=place, requires_grad=True)
    x = gg.tensor([[1.0, 2.0, 3.0]], dtype=gg.float64, device=place)
    y = gg.concat([gg.tanh(w * x), w[gg.tensor([1], device=place)] - 1])
    y = y @ gg.ones((3, 2), dtype=gg.float64, device=place)
    gg.nn.functional.cross_entropy(y, gg.tensor([0, 1, 0], device=place)).backward()
    return w


def test_a_program_that_uses_one_of_two_gpus_pays_for_one(cupy):
    w = step()
    w.grad.numpy(), gg.synchronize(), gg.memory_summary("cuda:1")
    assert gg.asarray(cupy.ones(3)).device == gg.device("cuda:0")
    assert not careful.on
    assert not backend.load_cuda().several_devices
    assert backend.load_cuda().used == {0}
    with cuda_simulator.count() as two:
        step()
    with cuda_simulator.installed(devices=1), gg.default_device("cuda"):
        step()
        with cuda_simulator.count() as one:
            step()
    assert (two.launches, two.synchronizations) == (one.launches, one.synchronizations)


def theirs(cupy, values=(1.0, 2.0)):
    """An array of the user's own on the second device."""
    with cupy.cuda.Device(1):
        return cupy.asarray(numpy.array(values, dtype="f4"))


MEET = {
    "made": lambda cupy, a: a + gg.ones(2, device="cuda:1"),
    "moved": lambda cupy, a: a * a.to("cuda:1"),
    "default": lambda cupy, a: a + within(gg.default_device("cuda:1"), lambda: gg.ones(2)),
    "an array": lambda cupy, a: a * theirs(cupy),
    "an array, reflected": lambda cupy, a: gg.multiply(theirs(cupy), a),
    "a tensor of an array": lambda cupy, a: a * gg.Tensor(theirs(cupy)),
    "asarray": lambda cupy, a: a - gg.asarray(theirs(cupy)),
    "matmul": lambda cupy, a: a @ theirs(cupy),
    "concat": lambda cupy, a: gg.concat([a, theirs(cupy)]),
    "where": lambda cupy, a: gg.where(a > 0, a, theirs(cupy)),
    "written": lambda cupy, a: gg.set_at(a, slice(None), theirs(cupy)),
    "numpy": lambda cupy, a: numpy.add(a, theirs(cupy)),
}  # fmt: skip


def within(context, make):
    with context:
        return make()


@pytest.mark.parametrize("name", MEET)
def test_mixing_is_refused_for_arrays_made_before(cupy, name):
    a = gg.tensor([3.0, 4.0], requires_grad=True) * 1
    b = gg.exp(a)
    assert not careful.on
    for x in (a, b):
        with pytest.raises(ValueError, match=r"cuda:(0 and cuda:1|1 and cuda:0)"):
            MEET[name](cupy, x)
    assert careful.on
    assert backend.load_cuda().used == {0, 1}
    b.sum().backward()


def test_an_index_and_a_gradient_on_the_other_device(cupy):
    x = gg.tensor([1.0, 2.0, 3.0], requires_grad=True)
    y = x * 2
    with cupy.cuda.Device(1):
        index, g = cupy.asarray([0, 1]), cupy.ones(3, dtype="f4")
    with pytest.raises(ValueError, match="the index is on cuda:1, the tensor on cuda:0"):
        x[index]
    with pytest.raises(ValueError, match=r"expected a gradient like the tensor.*on cuda:1"):
        y.backward(g)


def test_both_devices_are_used(cupy):
    first = step("cuda:0")
    assert not careful.on
    second = step("cuda:1")
    assert careful.on
    again = step("cuda:0")
    expected = first.grad.numpy()
    for w, place in ((second, "cuda:1"), (again, "cuda:0")):
        assert w.grad.device == gg.device(place)
        numpy.testing.assert_array_equal(w.grad.numpy(), expected)
    loaded = backend.load_cuda()._functions
    on_first, on_second = ({source for source, place in loaded if place == device} for device in (0, 1))
    assert on_second
    assert on_second <= on_first, "each device has machine code of its own"
    with pytest.raises(ValueError, match="different devices"):
        again + second
    with pytest.raises(IndexError, match="out of bounds"):
        second[gg.tensor([7], device="cuda:1")].numpy()


@pytest.mark.parametrize("way", ["forward", "backward", "made"])
def test_another_current_device(cupy, way):
    """The user makes the second GPU CuPy's current one, and computes with tensors of the first."""
    x = gg.tensor([1.0, 2.0, 3.0], requires_grad=True)
    y = gg.sin(x) * x
    assert not careful.on
    with cupy.cuda.Device(1):
        if way == "forward":
            y = gg.sin(x) * x
        if way == "made":
            assert gg.ones(3).device == gg.device("cuda:0")
        if way == "backward":
            y.backward(gg.Tensor(x.data))
        else:
            y.sum().backward()
    assert careful.on
    assert y.device == x.grad.device == gg.device("cuda:0")


def test_forgetting_the_machine_forgets_its_second_device(cupy):
    gg.ones(2, device="cuda:1")
    assert careful.on
    with cuda_simulator.installed(devices=2):
        assert not careful.on
        gg.ones(2, device="cuda:1")
        assert careful.on
    assert not careful.on
