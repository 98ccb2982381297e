"""Indices and labels out of bounds: at once on the CPU; on a GPU at no wait, and an error at the next one."""

from __future__ import annotations

from contextlib import contextmanager

import numpy
import pytest

import gpugrad as gg
from gpugrad import backend, nn
from gpugrad.backend import bounds
from gpugrad.kernels import all_sources
from gpugrad.kernels import bounds as kernel
from gpugrad.ops.softmax import checked_labels, cross_entropy
from gpugrad.testing import cuda_simulator

INTEGERS = ("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64")


@contextmanager
def simulated(devices=1):
    if cuda_simulator.is_installed():
        pytest.skip("installs its own simulator")
    with cuda_simulator.installed(devices=devices) as cupy, gg.default_device("cuda"):
        yield cupy


@pytest.fixture
def gpu(device):
    if not device.is_host:
        pytest.skip("installs its own simulator")
    with simulated() as cupy:
        yield cupy


def at(*index):
    return gg.tensor(numpy.array(index))


READS = [
    (lambda x, i: x[i], "gather: index 7 is out of bounds for axis 0 with size 3"),
    (lambda x, i: x[:, i], "gather: index 7 is out of bounds for axis 1 with size 4"),
    (lambda x, i: x[..., i], "gather: index 7 is out of bounds for axis 1 with size 4"),
    (lambda x, i: x[None, i], "gather: index 7 is out of bounds for axis 0 with size 3"),
    (lambda x, i: x[gg.zeros_like(i), i], "gather: index 7 is out of bounds for axis 1 with size 4"),
    (lambda x, i: x[1, i], "gather: index 7 is out of bounds for axis 1 with size 4"),
    (lambda x, i: x[i[::2]], "gather: index 7 is out of bounds for axis 0 with size 3"),
    (lambda x, i: x[-i], "gather: index -7 is out of bounds for axis 0 with size 3"),
    (lambda x, i: x[i[0]], "gather: index 7 is out of bounds for axis 0 with size 3"),
    (lambda x, i: gg.set_at(x, i, 1.0), "set_at: index 7 is out of bounds for axis 0 with size 3"),
    (lambda x, i: gg.set_at(x, (slice(None), i), 1.0), "set_at: index 7 is out of bounds for axis 1 with size 4"),
]


@pytest.mark.parametrize(("use", "text"), READS, ids=[str(k) for k in range(len(READS))])
def test_an_array_out_of_bounds(use, text, gpu):
    with gg.default_device("cpu"), pytest.raises(IndexError) as on_cpu:
        use(gg.ones((3, 4)), at(7, 1, 2))
    assert str(on_cpu.value).startswith(f"{text} [operands: ")

    x, i = gg.ones((3, 4)), at(7, 1, 2)
    with cuda_simulator.count() as seen:
        y = use(x, i)
    assert (seen.synchronizations, seen.device_to_host, seen.host_to_device) == (0, 0, 0)
    with pytest.raises(IndexError) as on_gpu:
        y.numpy()
    assert str(on_gpu.value) == f"{text} [found when the host next waited for cuda:0; gg.debug() names the line]"
    y.numpy()  # said once
    x[at(0, -3)].numpy()


@pytest.mark.parametrize("dtype", INTEGERS)
def test_every_dtype_of_an_index(dtype, gpu):
    x = gg.arange(100)
    assert x[gg.asarray(numpy.array([99, 0, 5], dtype), device="cuda")].tolist() == [99, 0, 5]
    x[gg.asarray(numpy.array([99, 100], dtype), device="cuda")]
    with pytest.raises(IndexError, match="index 100 is out of bounds for axis 0 with size 100"):
        gg.synchronize()
    if dtype.startswith("int"):
        assert x[gg.asarray(numpy.array([-100], dtype), device="cuda")].item() == 0
        x[gg.asarray(numpy.array([-101], dtype), device="cuda")]
        with pytest.raises(IndexError, match="index -101 is out of bounds for axis 0 with size 100"):
            gg.synchronize()


LOOKS = {
    "item": lambda y: y.item(), "numpy": lambda y: y.numpy(), "tolist": lambda y: y.tolist(), "repr": repr,
    "bool": bool, "float": float, "format": lambda y: f"{y:.3f}", "to the CPU": lambda y: y.to("cpu"),
    "int": lambda y: int(y),
    "synchronize": lambda y: gg.synchronize(), "synchronize it": lambda y: gg.synchronize("cuda:0"),
}  # fmt: skip


@pytest.mark.parametrize("look", LOOKS)
def test_whatever_asks_for_a_value_raises(look, gpu):
    other = gg.tensor(1.0)
    gg.ones(3)[at(3)]
    with pytest.raises(IndexError, match="gather: index 3 is out of bounds"):
        LOOKS[look](other)
    LOOKS[look](other)


def test_where_nothing_was_gathered_looking_is_free(gpu):
    x = gg.ones(3)
    x[at(0)].numpy()
    with cuda_simulator.count() as seen:
        x.numpy()
        x.sum().item()
    assert (seen.device_to_host, seen.synchronizations) == (2, 2)
    y = x[at(0)]
    with cuda_simulator.count() as seen:
        y.numpy()
    assert seen.device_to_host == 2, "the value and the report"
    with cuda_simulator.count() as seen:
        y.numpy()
    assert seen.device_to_host == 1


def test_the_first_report_stays(gpu):
    x = gg.ones((3, 50))
    x[at(4)]
    gg.set_at(x, at(5), 0.0)
    x[:, at(60)]
    with pytest.raises(IndexError, match=r"^gather: index 4 is out of bounds for axis 0 with size 3"):
        gg.synchronize()
    gg.synchronize()


def test_a_training_step_does_not_wait(gpu):
    table = gg.ones((10, 4)).requires_grad_()
    w = gg.ones((4, 3)).requires_grad_()
    words, labels = at(1, 2, 2), at(0, 1, 2)

    def step():
        loss = nn.functional.cross_entropy(table[words] @ w, labels)
        loss.backward()
        return loss

    step()
    with cuda_simulator.count() as seen:
        loss = step()
    assert (seen.synchronizations, seen.device_to_host, seen.host_to_device) == (0, 0, 0)
    assert loss.item() == pytest.approx(numpy.log(3), rel=1e-6)


@pytest.mark.parametrize("label", [3, -1, -101, 2**40])
def test_labels_out_of_range(label, gpu):
    text = f"cross_entropy: label {label} is out of range for 3 classes"
    with gg.default_device("cpu"), pytest.raises(IndexError, match=f"^{text}"):
        nn.functional.cross_entropy(gg.zeros((3, 3)), at(0, label, 2))
    loss = nn.functional.cross_entropy(gg.zeros((3, 3)), at(0, label, 2))
    with pytest.raises(IndexError, match=f"^{text}"):
        loss.item()


def test_labels_to_be_ignored_are_in_range(gpu):
    loss = nn.functional.cross_entropy(gg.zeros((3, 3)), at(0, -100, 2))
    assert loss.item() == pytest.approx(numpy.log(3), rel=1e-6)
    loss = nn.functional.cross_entropy(gg.zeros((3, 3)), at(0, 7, 2), ignore_index=7)
    assert loss.item() == pytest.approx(numpy.log(3), rel=1e-6)


def test_labels_of_a_named_operation(gpu):
    checked_labels(gpu, gpu.asarray([0, 5]), 5, name="nll_loss")
    with pytest.raises(IndexError, match=r"^nll_loss: label 5 is out of range for 5 classes"):
        gg.synchronize()
    checked_labels(gpu, gpu.asarray(numpy.zeros(0, "i8")), 5)
    gg.synchronize()
    with pytest.raises(IndexError, match=r"^label 5 is out of range for 5 classes"):
        checked_labels(numpy, numpy.array([0, 5]), 5)


def test_what_the_host_knows_raises_at_once(gpu):
    x = gg.ones((3, 4))
    with pytest.raises(IndexError, match="gather: index 9 is out of bounds for axis 1 with size 4"):
        x[at(0), 9]
    with pytest.raises(IndexError, match="gather: an index is out of bounds for axis 0 with size 0"):
        gg.ones((0, 4))[at(0)]
    with pytest.raises(IndexError, match="too many indices"):
        x[at(0), at(0), at(0)]
    assert gg.ones((0, 4))[gg.zeros(0, dtype=gg.int64)].shape == (0, 4)
    gg.synchronize()


def test_masks_are_no_indices(gpu):
    x = gg.arange(6).reshape((2, 3))
    assert x[gg.tensor([[True, False, True], [False] * 3]), ...].tolist() == [0, 2]
    assert x[gg.tensor([False, True]), at(2)].tolist() == [5]
    gg.synchronize()


def test_debug_mode_names_the_line(gpu):
    x, i = gg.ones(3), at(3)
    with gg.debug(), pytest.raises(IndexError) as raised:
        x[i]  # this one
    assert "gather: index 3 is out of bounds for axis 0 with size 3 [made at " in str(raised.value)
    assert str(raised.value).endswith("x[i]  # this one]")


def test_debug_mode_takes_no_blame_for_what_was_before(gpu):
    gg.ones(3)[at(3)]
    with pytest.raises(IndexError, match="found when the host next waited"), gg.debug():
        pytest.fail("must not come to that")
    with gg.debug():
        gg.ones(3) + 1


def test_two_devices_have_separate_reports(device):
    if not device.is_host:
        pytest.skip("installs its own simulator")
    with simulated(devices=2):
        x, y = gg.ones(3, device="cuda:0"), gg.ones(5, device="cuda:1")
        i, j = gg.tensor([4], device="cuda:0"), gg.tensor([6], device="cuda:1")
        y[j]
        x.numpy()  # nothing is wrong there
        x[i]
        with pytest.raises(IndexError, match=r"index 4 is out of bounds for axis 0 with size 3 .*cuda:0"):
            x.numpy()
        x.numpy()
        with pytest.raises(IndexError, match=r"index 6 is out of bounds for axis 0 with size 5 .*cuda:1"):
            y.sum().item()
        y.numpy()
        cross_entropy(gg.zeros((1, 3), device="cuda:1"), gg.tensor([3], device="cuda:1"))
        x[i]
        for name in ("index 4", "label 3"):
            with pytest.raises(IndexError, match=name):
                gg.synchronize()
        gg.synchronize()


def test_another_stream_is_looked_at_until_it_was_waited_for(gpu):
    x, i = gg.ones(3), at(1)
    owner = backend.load_cuda()
    with gpu.cuda.Stream(non_blocking=True):
        x[i]
    x.numpy()
    assert owner.bounds.pending, "the host has not waited for that stream"
    gg.synchronize()
    assert not owner.bounds.pending


def test_on_the_cpu_nothing_is_left_for_later():
    with gg.default_device("cpu"):
        with pytest.raises(IndexError, match="gather: index 3 is out of bounds for axis 0 with size 3"):
            gg.ones(3)[gg.tensor([3])]
        gg.synchronize()
        gg.synchronize("cpu")
    with pytest.raises(RuntimeError, match=r"no device|no CUDA GPU|No module named"):
        gg.synchronize("cuda:7")


# -------------------------------------------------------------------- the kernel


@pytest.mark.parametrize("dtype", INTEGERS)
@pytest.mark.parametrize("size", [1, 3, 255, 1003])
def test_the_kernel_against_its_reference(dtype, size, gpu):
    owner = backend.load_cuda()
    rng = numpy.random.default_rng(size)
    for bad, ignored in ((None, None), (100, None), (100, 100), (120, 100), (None, 0)):
        values = rng.integers(0, 50, size).astype(dtype)
        if bad is not None:
            values[size // 2] = bad
        for seed in range(3):
            report = gpu.zeros(4, dtype=gpu.int64)
            with cuda_simulator.thread_order(seed), cuda_simulator.guarded():
                owner.report(gpu.asarray(values), 3, -50, 50, ignored, report)
            expected = kernel.reference(numpy, values, -50, 50, ignored, 3, numpy.zeros(4, numpy.int64))
            assert report.get().tolist() == expected.tolist()


def test_one_of_several_is_reported_whole(gpu):
    """Whichever thread comes first: number, value and size are of one check."""
    owner = backend.load_cuda()
    values = numpy.arange(1000)
    for seed in range(5):
        report = gpu.zeros(4, dtype=gpu.int64)
        with cuda_simulator.thread_order(seed):
            owner.report(gpu.asarray(values), 3, 0, 500, None, report)
            owner.report(gpu.asarray(-values), 4, 0, 500, None, report)
        there, number, value, high = report.get().tolist()
        assert (there, number, high) == (1, 3, 500)
        assert 500 <= value < 1000
    assert kernel.reference(numpy, -values, 0, 9, None, 4, numpy.array([1, 3, 700, 500])).tolist() == [1, 3, 700, 500]


def test_the_checks_see_the_kernel():
    listed = {(variant, source) for name, variant, source in all_sources() if name == bounds.NAME}
    assert listed == set(kernel.sources())
    assert {variant for variant, _ in listed} == {*INTEGERS} == {*bounds.TYPES}


def test_axes_of_an_index():
    mask = numpy.zeros((2, 3), bool)
    i = numpy.array([0])
    for index, expected in (
        (i, [0]), ((i, i), [0, 1]), ((slice(None), i), [1]), ((..., i), [3]), ((None, i, None, i), [0, 1]),
        ((mask, i), [0, 2]), ((i, ..., 2), [0, 3]), ((..., mask, i), [1, 3]), ((i, i, i, i, i), [0, 1, 2, 3]),
        (5, [0]), ((), []),
    ):  # fmt: skip
        assert [axis for _, axis, _ in bounds.indexed_axes(index, (2, 3, 4, 5))] == expected
