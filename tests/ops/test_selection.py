"""Corners of choosing by order and by value: ties, NaN, empty tensors, errors; and of repeats and grids."""

from __future__ import annotations

from math import inf, nan

import numpy
import pytest

import gpugrad as gg


def test_sort_with_equal_values_sends_each_gradient_to_one_place():
    x = gg.tensor([2.0, 1.0, 2.0, 1.0], requires_grad=True)
    numpy.sort(x).backward(gg.tensor([1.0, 2.0, 3.0, 4.0]))
    assert x.grad.numpy().tolist() == [3.0, 1.0, 4.0, 2.0]
    x.grad = None
    gg.sort(x, descending=True).backward(gg.tensor([1.0, 2.0, 3.0, 4.0]))
    assert x.grad.numpy().tolist() == [1.0, 3.0, 2.0, 4.0]


def test_nan_counts_as_the_largest():
    x = gg.tensor([nan, 1.0, inf], requires_grad=True)
    numpy.testing.assert_array_equal(gg.sort(x).numpy(), [1.0, inf, nan])
    numpy.testing.assert_array_equal(gg.topk(x, 1).values.numpy(), [nan])
    gg.sort(x).backward(gg.tensor([1.0, 2.0, 3.0]))
    assert x.grad.numpy().tolist() == [3.0, 1.0, 2.0]


def test_topk_of_equal_values_takes_the_first_and_none_is_allowed():
    values, indices = gg.topk(gg.tensor([5.0, 7.0, 7.0, 5.0]), 3)
    assert (values.numpy().tolist(), indices.numpy().tolist()) == ([7.0, 7.0, 5.0], [1, 2, 0])
    assert gg.topk(gg.zeros(3), 0).values.shape == (0,)
    with pytest.raises(ValueError, match="expected 0 <= k <= 3, the size of axis -1, got 4"):
        gg.topk(gg.zeros(3), 4)


def test_take_out_of_bounds_and_with_lists(device):
    assert gg.tensor([1.0, 2.0]).take([-1, 0]).numpy().tolist() == [2.0, 1.0]
    with pytest.raises(IndexError):
        gg.take(gg.zeros(3), gg.tensor([3])).numpy()


def test_take_along_axis_refuses_other_numbers_of_axes():
    with pytest.raises(ValueError, match=r"indices with 2 axes, as the tensor has, got shape \(1,\)"):
        gg.take_along_axis(gg.zeros((2, 3)), gg.tensor([0]))


def test_put_along_axis_leaves_its_input_alone():
    x = gg.zeros((2, 2))
    assert gg.put_along_axis(x, gg.tensor([[1], [0]]), 5.0, axis=1).numpy().tolist() == [[0.0, 5.0], [5.0, 0.0]]
    assert x.numpy().tolist() == [[0.0, 0.0], [0.0, 0.0]]


def test_searchsorted_with_a_sorter_and_a_number():
    x = gg.tensor([3.0, 1.0, 2.0])
    assert int(gg.searchsorted(x, 2.5, sorter=gg.argsort(x))) == 2


def test_moveaxis_meshgrid_repeat_and_array_split_say_what_is_wrong():
    with pytest.raises(ValueError, match="a place for each axis"):
        gg.moveaxis(gg.zeros((2, 3)), (0, 1), (0,))
    with pytest.raises(ValueError, match="expected indexing 'xy' or 'ij', got 'yx'"):
        gg.meshgrid(gg.zeros(2), indexing="yx")
    with pytest.raises(ValueError, match="expected 3 numbers for axis 0, got 2"):
        gg.repeat(gg.zeros(3), [1, 2])
    with pytest.raises(ValueError, match="at least one section, got 0"):
        gg.array_split(gg.zeros(3), 0)
    assert gg.meshgrid() == ()


def test_dtypes_and_shapes_are_told_without_looking_at_values():
    x = gg.zeros((2, 3))
    assert gg.result_type(x, 1.5) == gg.float32
    assert gg.result_type(gg.int8, gg.zeros(1, dtype=gg.int16), 3) == gg.int16
    assert gg.can_cast(x, gg.float64)
    assert not gg.can_cast(x, gg.int64)
    assert (gg.finfo(x).bits, gg.iinfo(gg.uint8).max) == (32, 255)
    assert gg.isdtype(gg.int32, ("bool", "integral"))
    assert gg.broadcast_shapes((2, 1), (3,), ()) == (2, 3)
    with pytest.raises(ValueError):
        gg.broadcast_shapes((2,), (3,))


@pytest.mark.parametrize(
    "ends", [{"prepend": 0}, {"append": 2.5}, {"prepend": 1.0, "append": 3}, {"append": [[4.0] * 3]}]
)
def test_diff_takes_numbers_at_its_ends(ends):
    x = numpy.arange(6.0, dtype="float32").reshape(2, 3) ** 2
    y = gg.diff(gg.tensor(x), axis=0, **ends)
    numpy.testing.assert_array_equal(y.numpy(), numpy.diff(x, axis=0, **ends))
    assert y.dtype == gg.float32
