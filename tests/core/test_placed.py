"""Gradients of parts of one value: put together in one piece, whatever the parts are, and summed where they overlap."""

from __future__ import annotations

import numpy
import pytest

import gpugrad as gg
from gpugrad.kernels import indexing
from gpugrad.testing import cuda_simulator

PARTS = {
    "all of an axis, by number": [(slice(None), 1), (slice(None), 0), (slice(None), -1)],
    "all of an axis, by slices": [(..., slice(2)), (..., slice(2, 3)), (..., slice(3, None))],
    "the first axis": [2, 0, 1, 3],
    "not all": [(slice(None), 1), (slice(None), 0)],
    "twice the same": [1, 1, slice(1, 3)],
    "steps": [slice(None, None, 2), slice(1, None, 2)],
    "backwards": [slice(None, None, -1), (slice(None), slice(None, None, -1))],
    "a new axis": [(None, 0), (0, None), (slice(None), None, 0)],
    "one element": [(0, 0), (3, 2), (slice(None), 0), ()],
    "several axes": [(slice(2), slice(1)), (slice(2, 4), slice(1)), (slice(None), slice(1, 3))],
    "numbers and slices": [0, slice(1, 4)],
    "a single one": [(slice(1, 3), 2)],
    "everything": [slice(None), ...],
}


def gradient(indices, x, also):
    """Of the sum of squares of parts, weighted, and of the whole where ``also``."""
    loss = (x * 3).sum() if also else 0
    for k, index in enumerate(indices):
        loss = loss + (k + 2) * (x[index] ** 2).sum()
    loss.backward()
    return x.grad.numpy()


@pytest.mark.parametrize("also", [False, True])
@pytest.mark.parametrize("indices", PARTS.values(), ids=PARTS)
def test_parts_add_up(indices, also, rng, device):
    a = rng.standard_normal((4, 3))
    expected = numpy.full(a.shape, 3.0 if also else 0.0)
    for k, index in enumerate(indices):
        expected[index] += (k + 2) * 2 * a[index]
    numpy.testing.assert_allclose(gradient(indices, gg.tensor(a, requires_grad=True), also), expected, rtol=1e-12)
    of_argument = gg.grad(lambda v: sum((k + 2) * (v[i] ** 2).sum() for k, i in enumerate(indices)))(gg.tensor(a))
    numpy.testing.assert_allclose(of_argument.numpy(), expected - (3 if also else 0), rtol=1e-12)


def test_of_a_value_that_is_watched_and_of_one_with_hooks(device):
    x = gg.tensor(numpy.ones((2, 3)), requires_grad=True)
    y = x * 2.0
    y.retain_grad()
    seen = []
    y.register_hook(lambda g: seen.append(g.shape))
    a, b, c = (y[:, i] for i in range(3))
    (a + 2 * b + 3 * c).sum().backward()
    assert seen == [(2, 3)]
    assert y.grad.tolist() == [[1, 2, 3]] * 2
    assert x.grad.tolist() == [[2, 4, 6]] * 2


def test_second_derivatives_of_parts(device):
    x = gg.tensor([1.0, 2.0, 3.0])
    hessian = gg.hessian(lambda v: v[0] ** 2 * v[1] + (v[1:] ** 3).sum())(x)
    numpy.testing.assert_allclose(hessian.numpy(), [[4, 2, 0], [2, 12, 0], [0, 0, 18]])


def test_parts_that_fill_an_axis_take_one_launch():
    if not cuda_simulator.is_installed():
        pytest.skip("launches are counted by the simulator")
    x = gg.tensor(numpy.ones((4, 3, 5), "f4"), requires_grad=True)
    y = x * 1.0
    q, k, v = (y[:, i] for i in range(3))
    with cuda_simulator.count() as seen:
        (q + 2 * k + 3 * v).sum().backward()
    assert seen.kernels["zeros"] == seen.kernels["setitem"] == 0
    assert seen.kernels["concatenate"] == 1


def test_where_parts_lie():
    shape = (4, 6)
    found = indexing._side_by_side([(..., slice(3, 6)), (slice(None), slice(0, 3))], shape)
    assert found == (1, [1, 0], True)
    assert indexing._side_by_side([-1, 0, 1, 2], shape) == (0, [1, 2, 3, 0], False)
    for others in ([0, 1, 2], [0, 1, 2, 3, 3], [slice(0, 2), slice(1, 4)], [(0, 1), (0, 2)], [slice(None)] * 2):
        assert indexing._side_by_side(others, shape) is None


def test_parts_keep_their_order_in_memory(rng):
    """As heads do: the gradient of what they were cut from can be reshaped without a copy."""
    parts = [rng.standard_normal((2, 5, 4, 3)).swapaxes(1, 2) for _ in range(2)]  # (N, H, T, E), T before H in memory
    y = indexing.join_at(numpy, tuple(parts), ((slice(None), slice(None), 0), (slice(None), slice(None), 1)),
                         (2, 4, 2, 5, 3), None)  # fmt: skip
    numpy.testing.assert_array_equal(y, numpy.stack(parts, 2))
    assert y.swapaxes(1, 3).flags.c_contiguous
    repeated = numpy.broadcast_to(numpy.ones(3), (2, 3))
    assert indexing.join_at(numpy, (repeated, repeated), (0, 1), (2, 2, 3), None).tolist() == [[[1] * 3] * 2] * 2
