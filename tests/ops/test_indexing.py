"""Every kind of NumPy index, read and written, with repeats, tensors, out of bounds."""

from __future__ import annotations

import numpy
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import gpugrad as gg

CUBE = numpy.arange(24.0).reshape(2, 3, 4)
INDICES = {
    "integer": 1,
    "negative integer": -1,
    "numpy integer": numpy.int64(1),
    "slice": slice(0, 1),
    "slice of nothing": slice(5, 9),
    "slice of numpy integers": slice(numpy.int32(0), numpy.int64(2)),
    "negative step": slice(None, None, -1),
    "negative steps": (slice(None, None, -1), slice(2, 0, -1), slice(None, None, -2)),
    "new axis": None,
    "new axes": (None, slice(None), None, 0),
    "ellipsis": ...,
    "ellipsis first": (..., 0),
    "ellipsis between": (0, ..., slice(1, 3)),
    "nothing": (),
    "all integers": (1, 2, 3),
    "list": [1, 0, 1],
    "empty list": [],
    "list of booleans": [True, False],
    "list in a tuple": (slice(None), [0, 2]),
    "nested list": [[0, 1], [1, 1]],
    "array": numpy.array([1, 1, 0]),
    "0-d array": numpy.array(1),
    "negative array": numpy.array([-1, -2]),
    "small dtype": numpy.array([1, 0], dtype=numpy.int8),
    "unsigned": numpy.array([1, 0], dtype=numpy.uint8),
    "two arrays": (numpy.array([0, 1]), numpy.array([2, 0])),
    "two arrays that broadcast": (numpy.array([[0], [1]]), numpy.array([2, 0])),
    "arrays apart": (numpy.array([0, 1, 0]), slice(None), numpy.array([3, 0, 3])),
    "array and integer": (numpy.array([0, 1]), 2),
    "integer and array": (1, slice(None), numpy.array([0, 0])),
    "array and new axis": (None, numpy.array([0, 1]), ..., None),
    "array and negative step": (slice(None, None, -1), numpy.array([0, 2])),
    "mask": CUBE % 2 == 0,
    "mask of leading axes": CUBE[:, :, 0] > 4,
    "mask of the first axis": numpy.array([False, True]),
    "mask of the last axis": (..., numpy.array([True, False, True, True])),
    "mask of nothing": numpy.zeros((2, 3, 4), bool),
    "mask and integer": (numpy.array([True, True]), 1),
    "mask and slice": (slice(None), numpy.array([True, False, True]), slice(0, 2)),
    "true": True,
    "false": False,
    "0-d mask": numpy.array(True),
}  # fmt: skip


def variable(values):
    return gg.tensor(values, dtype=gg.float64, requires_grad=True)


def on_device(index):
    if isinstance(index, tuple):
        return tuple(map(on_device, index))
    return gg.tensor(index) if isinstance(index, numpy.ndarray) else index


each = pytest.mark.parametrize("index", INDICES.values(), ids=list(INDICES))


@each
def test_read(index):
    x = variable(CUBE)
    y = x[on_device(index)]
    expected = CUBE[index]
    assert (y.shape, y.dtype) == (expected.shape, gg.float64)
    assert y.tolist() == expected.tolist()
    weights = numpy.arange(1.0, expected.size + 1).reshape(expected.shape)
    (y * gg.tensor(weights)).sum().backward()
    gradient = numpy.zeros_like(CUBE)
    numpy.add.at(gradient, index, weights)
    assert x.grad.tolist() == gradient.tolist()


@each
@pytest.mark.parametrize("what", ["array", "number", "broadcast"])
def test_write(index, what):
    part = CUBE[index]
    count = numpy.zeros(CUBE.shape)
    numpy.add.at(count, index, 1)
    if (count > 1).any() and what == "array" and gg.get_default_device() != "cpu":
        pytest.skip("on a GPU nothing says which of two values written to one place stays")
    rng = numpy.random.default_rng(0)
    values = {
        "array": rng.standard_normal(part.shape),
        "number": numpy.array(7.0),
        "broadcast": rng.standard_normal((1,) * part.ndim),
    }
    v, x = variable(values[what]), variable(CUBE)
    y = x * 1
    y[on_device(index)] = v
    expected = CUBE.copy()
    expected[index] = values[what]
    assert y.tolist() == expected.tolist()
    if what == "array" or part.size:
        assert gg.gradcheck(lambda x, v: gg.set_at(x, on_device(index), v), (x, v))
    weights = numpy.arange(1.0, 25).reshape(CUBE.shape)
    (y * gg.tensor(weights)).sum().backward()
    assert x.grad.tolist() == numpy.where(count > 0, 0, weights).tolist()
    numpy.testing.assert_allclose(v.grad.numpy().sum(), weights[count > 0].sum())


def test_tensors_as_indices_are_their_arrays():
    x = variable(CUBE)
    i, j = gg.tensor([0, 1, 1]), gg.tensor([2, 2, 0])
    assert x[i, j].tolist() == CUBE[[0, 1, 1], [2, 2, 0]].tolist()
    assert x[gg.tensor(1)].tolist() == CUBE[1].tolist()
    assert x[x > 20].tolist() == [21.0, 22.0, 23.0]
    assert x[:, gg.tensor(1) : gg.tensor(3)].tolist() == CUBE[:, 1:3].tolist()


def test_repeated_indices_add_up_in_a_gather():
    x = variable([1.0, 2.0, 3.0])
    (x[[0, 0, 2, 0, 2]] * gg.tensor([1.0, 2.0, 3.0, 4.0, 5.0])).sum().backward()
    assert x.grad.tolist() == [7.0, 0.0, 8.0]
    table = variable(numpy.zeros((4, 2)))
    table[gg.tensor([[1, 1], [3, 1]])].sum().backward()
    assert table.grad.tolist() == [[0, 0], [3, 3], [0, 0], [1, 1]]


def test_repeated_indices_in_a_write_the_last_one_counts(device):
    if not device.is_host:
        pytest.skip("on a GPU nothing says which of two values written to one place stays")
    x, v = variable([0.0, 0.0, 0.0]), variable([1.0, 2.0, 3.0, 4.0])
    y = gg.set_at(x, [0, 1, 0, 1], v)
    assert y.tolist() == [3.0, 4.0, 0.0]
    (y * gg.tensor([10.0, 20.0, 30.0])).sum().backward()
    assert v.grad.tolist() == [0.0, 0.0, 10.0, 20.0]
    assert x.grad.tolist() == [0.0, 0.0, 30.0]
    assert gg.gradcheck(lambda x, v: gg.set_at(x, [0, 1, 0, 1], v), (x, v))
    assert gg.gradcheck(lambda x, v: gg.set_at(x, [0, -3, 0], v), (x, variable([1.0, 2.0, 3.0])))
    assert gg.gradgradcheck(lambda x, v: gg.set_at(x, [0, 1, 0, 1], v) ** 3, (x, v))


def test_a_number_written_at_repeated_indices():
    v = variable(5.0)
    y = gg.set_at(gg.zeros(3, dtype=gg.float64), [0, 0, 1], v)
    assert y.tolist() == [5.0, 5.0, 0.0]
    y.sum().backward()
    assert v.grad.item() == 2.0


def test_a_read_of_a_slice_is_a_view_and_a_gather_is_not(device):
    x = gg.tensor(CUBE)
    assert numpy.shares_memory(x[0].data, x.data) if device.is_host else x[0].data.base is not None
    assert not numpy.shares_memory(x[[0]].data, x.data) if device.is_host else True


@pytest.mark.parametrize("index", [2, -3, (0, 3), (0, 0, 4), (..., -5)])
def test_integers_out_of_bounds(index):
    for use in (lambda x: x[index], lambda x: x.__setitem__(index, 1.0)):
        with pytest.raises(IndexError, match=r"(slice|set_at): .*out of bounds"):
            use(gg.zeros((2, 3, 4)))


@pytest.mark.parametrize(
    "index", [[0, 2], [-3], ([0], [3]), (slice(None), [0, 5]), (..., [4]), ([0, 1], 0, [9, 0])], ids=str
)
def test_arrays_out_of_bounds_on_every_device(index):
    """A GPU says it when the host next waits for it, which reading the result does."""
    for use in (lambda x: x[index], lambda x: gg.set_at(x, index, 1.0)):
        with pytest.raises(IndexError, match=r"out of bounds"):
            use(gg.zeros((2, 3, 4))).numpy()


def test_masks_of_another_size():
    for mask in ([True, False, True], numpy.ones((2, 4), bool).tolist()):
        with pytest.raises(IndexError):
            gg.zeros((2, 3))[mask]


@pytest.mark.parametrize("index", [(0, 0, 0), (..., 0, 0, 0), (0, [0], 0), (slice(None),) * 3])
def test_too_many_indices(index):
    with pytest.raises(IndexError, match="too many indices"):
        gg.zeros((2, 3))[index]


@pytest.mark.parametrize(
    ("index", "text"),
    [
        (1.0, "got float"), ("a", "got str"), ({}, "got dict"), (numpy.float64(1.0), "got float64"),
        ([0.5], "got an array of float32"), (numpy.array([1.0]), "got an array of float64"), ((0, 1.5), "got float"),
    ],
    ids=str,
)  # fmt: skip
def test_other_things_are_no_index(index, text):
    with pytest.raises(IndexError, match=f"expected integers.* as an index, {text}"):
        gg.zeros((2, 3))[on_device(index) if not isinstance(index, numpy.float64) else index]


def test_float_slices_are_refused():
    with pytest.raises(TypeError):
        gg.zeros(3)[0.0:2.0]


def test_values_that_do_not_fit():
    with pytest.raises(ValueError, match=r"set_at: .*\[operands: float32 \(2, 3\) on .*, float32 \(4,\)"):
        gg.set_at(gg.zeros((2, 3)), 0, gg.zeros(4))


def test_an_index_is_read_once():
    """Changing the list afterwards changes nothing."""
    x, index = variable([1.0, 2.0, 3.0]), [0, 0]
    y = x[index]
    index[0] = 2
    y.sum().backward()
    assert x.grad.tolist() == [2.0, 0.0, 0.0]


@settings(deadline=None, derandomize=True, max_examples=80)
@given(data=st.data())
def test_any_basic_index(data):
    shape = data.draw(hnp.array_shapes(min_dims=1, max_dims=3, min_side=0, max_side=4))
    index = data.draw(hnp.basic_indices(shape, allow_newaxis=True, allow_ellipsis=True))
    check(shape, index)


@settings(deadline=None, derandomize=True, max_examples=60)
@given(data=st.data())
def test_any_array_index(data):
    shape = data.draw(hnp.array_shapes(min_dims=1, max_dims=3, min_side=1, max_side=4))
    parts = hnp.array_shapes(min_dims=1, max_dims=2, max_side=3)
    index = data.draw(hnp.integer_array_indices(shape, result_shape=parts))
    mixed = [data.draw(st.sampled_from([i, slice(None), int(numpy.ravel(i)[0])])) for i in index]
    check(shape, tuple(mixed))


@settings(deadline=None, derandomize=True, max_examples=30)
@given(mask=hnp.arrays(bool, hnp.array_shapes(min_dims=1, max_dims=3, min_side=0, max_side=4)))
def test_any_mask(mask):
    check((*mask.shape, 2), mask)


def check(shape, index):
    values = numpy.arange(float(numpy.prod(shape))).reshape(shape)
    x = variable(values)
    y = x[on_device(index)]
    expected = values[index]
    assert y.tolist() == expected.tolist()
    (y * y).sum().backward()
    gradient = numpy.zeros(shape)
    numpy.add.at(gradient, index, 2 * expected)
    assert x.grad.tolist() == gradient.tolist()
    z = gg.set_at(x, on_device(index), -1.0)
    values[index] = -1
    assert z.tolist() == values.tolist()
