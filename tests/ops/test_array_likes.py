"""Lists, numbers, ranges and pandas' tables beside tensors: values, dtypes, devices and gradients."""

import numpy
import pytest

import gpugrad as gg

F32, F64 = gg.float32, gg.float64


@pytest.mark.parametrize(
    ("dtype", "listed", "expected"),
    [
        (F32, [1.0, 0.1], F32), (F64, [1.0, 0.1], F64), (gg.float16, [1.0, 0.1], gg.float16),
        (F32, [1j, 0.1], gg.complex64), (F64, (1j, 0.1), gg.complex128), (gg.int32, [1.0, 0.1], F64),
        (gg.uint8, [1, 300], gg.int64), (gg.int64, range(2), gg.int64), (F64, [True, False], F64),
        (gg.complex64, [1.0, 0.1], gg.complex64),
    ],
)  # fmt: skip
def test_the_dtype_of_a_list_beside_a_tensor(dtype, listed, expected):
    """It is weak as its numbers are; integers are what NumPy makes of them."""
    x = gg.ones(2, dtype=dtype)
    for y in (x * listed, listed * x, gg.multiply(listed, x)):
        assert y.dtype == expected
        assert y.device == x.device
        assert y.tolist() == (numpy.ones(2, expected) * numpy.asarray(listed, expected)).tolist()


def test_lists_keep_the_precision_of_what_is_beside_them():
    x = gg.tensor([0.3, 0.7], dtype=F64)
    for y in (
        gg.append([0.1], x)[0], gg.concat([[0.1], x])[0], gg.block([0.1, x])[0], gg.stack([[0.1, 0.1], x])[0, 0],
        gg.convolve([0.1], [1.0, 2.0] * x / x)[0], gg.where([True, True], [0.1, 0.1], x)[0],
        gg.average(gg.tensor([1.0, 0.0], dtype=F64), weights=[0.1, 0.9]), gg.dot([0.1, 0.0], gg.ones(2, dtype=F64)),
        gg.polyval([0.1], x)[0], gg.insert(x, 0, 0.1)[0], gg.interp(0.0, [0.0, 1.0], [0.1, 1.0] + x * 0)[()],
        gg.asarray([x[0] * 0 + 0.1, 1.0])[0], gg.linalg.multi_dot([[0.1, 0.0], x[:, None] * 0 + 1])[0],
    ):  # fmt: skip
        assert (y.dtype, abs(y.item() - 0.1) < 1e-15) == (F64, True)


def test_a_list_with_tensors_is_stacked():
    c, s = (gg.tensor(v, dtype=F64, requires_grad=True) for v in (0.6, 0.8))
    y = gg.asarray([[c, -s], [s, 1]])
    assert (y.shape, y.dtype) == ((2, 2), F64)
    (y * [[1.0, 10.0], [100.0, 1000.0]]).sum().backward()
    assert (c.grad.item(), s.grad.item()) == (1.0, 90.0)
    v = gg.tensor([1.0, 2.0], requires_grad=True)
    assert gg.asarray([v, [3.0, 4.0], v]).tolist() == [[1.0, 2.0], [3.0, 4.0], [1.0, 2.0]]
    assert gg.asarray([[v, v], [v, v]]).shape == (2, 2, 2)
    assert gg.asarray([v, v], dtype=F64).dtype == F64
    assert gg.sum([v, v]).item() == 6.0
    assert gg.vmap(lambda t: gg.asarray([t, 2.0, -t]))(numpy.array([1.0, 3.0])).tolist() == [[1, 2, -1], [3, 2, -3]]
    for wrong in ([v, 1.0], [[v], [v, v]], [v, [1.0]]):
        with pytest.raises(ValueError):
            gg.asarray(wrong)
    with pytest.raises(ValueError, match="cannot be shared"):
        gg.asarray([v, v], copy=False)
    with pytest.raises(TypeError, match="asarray: expected a tensor, an array or a number, got str"):
        gg.asarray([v, "text"])


def test_tables_of_pandas(device):
    pandas = pytest.importorskip("pandas")
    series = pandas.Series([1.0, 2.0, 0.1], index=["a", "b", "c"])
    x = gg.tensor([3.0, 4.0, 5.0], dtype=F64, requires_grad=True)
    for y in (series * x, x * series, numpy.multiply(series, x), numpy.multiply(x, series)):
        assert isinstance(y, gg.Tensor)
        assert (y.tolist(), y.requires_grad) == ([3.0, 8.0, 0.5], True)
    assert (series - x).tolist() == [-2.0, -2.0, -4.9]
    assert numpy.dot(series, x).item() == gg.dot(x, series).item() == 11.5
    assert (pandas.DataFrame([[1.0, 2.0, 3.0]]) + x).tolist() == [[4.0, 6.0, 8.0]]
    for index in (pandas.Series([2, 0]), pandas.Index([2, 0]), pandas.RangeIndex(2, -1, -2)):
        assert x[index].tolist() == [5.0, 3.0]
    assert x[series > 0.5].tolist() == [3.0, 4.0]
    with pytest.raises(TypeError, match="expected numbers, got Series of"):
        x * pandas.Series(["a", "b", "c"])


def test_arrays_of_other_classes(tmp_path):
    pandas = pytest.importorskip("pandas")
    numpy.save(tmp_path / "a.npy", numpy.array([0.1, 2.0]))
    in_file = numpy.load(tmp_path / "a.npy", mmap_mode="r")
    x = gg.tensor([1.0, 1.0], dtype=F64)
    for y in (x * in_file, in_file * x, gg.tensor(in_file), gg.asarray(pandas.Series([0.1, 2.0]))):
        assert (y.dtype, y.tolist()) == (F64, [0.1, 2.0])
    assert gg.tensor(pandas.DataFrame([[1.0, 0.1]])).dtype == F64
    with pytest.raises(TypeError, match="masked array, whose mask would be lost"):
        gg.tensor(numpy.ma.array([1.0, 2.0], mask=[True, False]))
    for other in (numpy.recarray(2, [("a", "f8")]), numpy.ma.array([1.0, 2.0])):  # their operators are others
        with pytest.raises(TypeError, match="multiply: expected a tensor, an array or a number"):
            x * other


INDICES = [
    (0, 1), ((0, 1),), (slice(None), (0, 2)), range(2), (range(2), range(1, 3)), [True, False], [[0, 1], [1, 0]], [],
    (slice(None), []), (..., [2]), ([0, 1], None, [1, 2]), numpy.True_, numpy.int64(1), (numpy.array(1), [0]),
    (None, (1,), ...), (numpy.array([True, False]), 1), [numpy.int64(1), 0], (), ([0], slice(None, None, -1)),
]  # fmt: skip


@pytest.mark.parametrize("index", INDICES, ids=repr)
def test_an_index_is_what_numpy_takes(index, device):
    plain = numpy.arange(6.0).reshape(2, 3)
    x = gg.tensor(plain, requires_grad=True)
    moved = (
        tuple(gg.tensor(i) if isinstance(i, numpy.ndarray) else i for i in index) if isinstance(index, tuple) else index
    )
    y = x[moved]
    expected = plain[index]
    assert y.shape == expected.shape
    assert y.tolist() == expected.tolist()
    (y * y).sum().backward()
    counts = numpy.zeros(plain.shape)
    numpy.add.at(counts, index, 1.0)
    assert (numpy.zeros((2, 3)) if x.grad is None else x.grad.numpy()).tolist() == (2 * plain * counts).tolist()
    written = gg.set_at(gg.tensor(plain), moved, 7.0)
    plain[index] = 7.0
    assert written.tolist() == plain.tolist()


def test_where_and_initial_under_vmap_and_twice():
    x, mask = numpy.array([[1.0, -2.0, 3.0], [0.5, 4.0, -1.0]]), numpy.array([True, False, True])
    found = gg.vmap(lambda r: numpy.mean(r, where=mask) + numpy.max(r, where=mask, initial=0.0))(x)
    assert found.tolist() == [5.0, 0.25]
    hessian = gg.hessian(lambda r: numpy.var(r, where=mask))(x[0])
    numpy.testing.assert_allclose(hessian, [[0.5, 0, -0.5], [0, 0, 0], [-0.5, 0, 0.5]], atol=1e-12)
    holes = numpy.array([1.0, numpy.nan, 3.0])
    assert gg.grad(lambda r: numpy.prod(r, where=mask))(holes).tolist() == [3.0, 0.0, 1.0]


def test_what_where_and_initial_refuse():
    x = gg.tensor([1.0, 2.0])
    for call, error, text in (
        (lambda: gg.max(x, where=[True, False]), ValueError, "max: where= needs an initial="),
        (lambda: x.sum(where=[[True, False]]), ValueError, r"where= of shape \(1, 2\) does not broadcast|"),
        (lambda: x.sum(where=[True, False, True]), ValueError, r"where= of shape \(3,\) does not broadcast to the"),
        (lambda: gg.sum(gg.tensor([1, 2]), initial=0.5), TypeError, "initial=0.5 does not fit a result of int64"),
        (lambda: x.sum(nonsense=1), TypeError, "missing or unknown"),
        (lambda: x.sum(out=numpy.zeros(())), TypeError, "out= would write into an array"),
        (lambda: x.take([5], mode="around"), ValueError, "expected mode 'raise', 'wrap', 'clip', got 'around'"),
        (lambda: gg.zeros((0,)).take([0], mode="wrap"), IndexError, "there is nothing to take"),
        (lambda: gg.where([True], x), TypeError, "expected a condition alone or with two choices"),
        (lambda: gg.reshape(x, (2, 1), order="X"), ValueError, "expected order 'C', 'F', 'A' or 'K', got 'X'"),
        (lambda: gg.einsum(x, [0], x), ValueError, "einsum"),
        (lambda: gg.dsplit(gg.zeros((2, 2)), 2), ValueError, "expected at least three axes"),
        (lambda: gg.sliding_window_view(x, (1, 1)), ValueError, "expected a size for each of 1 axes"),
        (lambda: gg.sliding_window_view(x, 3), ValueError, "expected sizes from 0 to 2 for axis 0, got 3"),
        (lambda: gg.linalg.matrix_rank(gg.zeros((2, 2)), tol=1, rtol=1), ValueError, "tol or rtol, got both"),
    ):
        with pytest.raises(error, match=text):
            call()
