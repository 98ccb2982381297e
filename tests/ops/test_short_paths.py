"""Operations of one array and static parameters, or of any number of arrays: the short paths do as ``general``."""

import numpy
import pytest
from cases import ROWS, tensors
from cases.checks import on_each_instance

import gpugrad as gg
from gpugrad.core import dispatch, modes
from gpugrad.core.dispatch import general
from gpugrad.core.node import Leaf, Node, View
from gpugrad.ops import linear, shaping

STATIC = [
    row
    for row in ROWS
    if hasattr(row.call, "op") and row.call.op.params and len(row.call.op.inputs) == 1
    and not (row.call.op.variadic or row.call.op.outputs or row.call.op.residuals)
]  # fmt: skip


def kind(node):
    return next((k for k in (Leaf, View, Node) if isinstance(node, k)), None)


@pytest.mark.parametrize("variable", [False, True], ids=["constant", "variable"])
@pytest.mark.parametrize("row", STATIC, ids=str)
def test_agrees_with_the_general_one(row, variable, monkeypatch):
    on_each_instance(row, agrees_with_the_general_one, variable, monkeypatch)


def agrees_with_the_general_one(row, shapes, static, variable, monkeypatch):
    (array,) = row.inputs(numpy.random.default_rng(0), shapes)
    results = []
    for path in ("short", "general", "careful"):
        x = tensors([array], requires_grad=variable)[0]
        with monkeypatch.context() as patch, numpy.errstate(all="ignore"):
            patch.setattr(modes.careful, "on", path == "careful")
            y = general(row.call.op, (x,), static) if path == "general" else row.call(x, **static)
            if y.node is not None:
                y.backward(gg.tensor(numpy.cos(numpy.arange(y.size)).reshape(y.shape), dtype=y.dtype))
        results.append((x, y))
    x, y = results[0]
    for u, z in results[1:]:
        assert (z.shape, z.dtype, type(z.data), kind(z.node)) == (y.shape, y.dtype, type(y.data), kind(y.node))
        numpy.testing.assert_array_equal(z.numpy(), y.numpy())
        assert (u.grad is None) == (x.grad is None)
        if x.grad is not None:
            numpy.testing.assert_array_equal(u.grad.numpy(), x.grad.numpy())


def test_static_parameters_by_position_and_by_name():
    x = gg.tensor([[1.0, 2.0], [3.0, 4.0]], requires_grad=True)
    weights = gg.tensor([10.0, 1.0])
    gg.sum(x, 0).backward(weights)
    assert x.grad.tolist() == [[10.0, 1.0], [10.0, 1.0]]
    x.grad = None
    gg.sum(x, 1, keepdims=True).backward(gg.reshape(weights, (2, 1)))
    assert x.grad.tolist() == [[10.0, 10.0], [1.0, 1.0]]


@pytest.mark.parametrize(
    ("args", "kwargs", "error", "text"),
    [
        ((), {}, TypeError, "sum takes x, axis, dtype, keepdims; got 0 positional arguments"),
        ((1, None, False, 5), {}, TypeError, "sum takes x, axis"),
        ((), {"dimension": 0}, TypeError, "missing or unknown: \\['dimension'\\]"),
        ((3,), {}, ValueError, r"sum: axis 3 is out of bounds.*\[operands: float32 \(2,\) on"),
    ],
)
def test_errors_are_those_of_the_general_one(args, kwargs, error, text):
    x = [] if "got 0" in text else [gg.tensor([1.0, 2.0], requires_grad=True)]
    with pytest.raises(error, match=text):
        gg.sum(*x, *args, **kwargs)


def test_views_know_their_leaf():
    leaf = gg.tensor([1.0, 2.0], requires_grad=True)
    view = gg.reshape(leaf, (2, 1))
    assert isinstance(leaf.node, Leaf)
    assert isinstance(view.node, View)
    assert gg.flip(view).node.leaf is leaf.node
    assert not isinstance(gg.reshape(leaf * 1, (2, 1)).node, View)


def test_integers_and_switched_off_recording_are_constants():
    x = gg.tensor([1.0, 2.0], requires_grad=True)
    assert not gg.astype(x, gg.int64).requires_grad
    with gg.no_grad():
        assert not gg.sum(x).requires_grad


@pytest.mark.parametrize(
    ("op", "static"),
    [
        (shaping._concat, {"axis": 0}),
        (shaping._stack, {"axis": -1}),
        (linear._einsum, {"terms": ("i", "i", "j"), "result": "ij"}),
    ],
    ids=["concat", "stack", "einsum"],
)
@pytest.mark.parametrize("mask", range(8))
def test_any_number_of_arrays(op, static, mask, rng, monkeypatch):
    arrays = rng.standard_normal((3, 4))
    g, results = None, []
    for path in ("short", "general", "careful"):
        xs = [gg.tensor(a, requires_grad=bool(mask >> i & 1)) for i, a in enumerate(arrays)]
        with monkeypatch.context() as patch:
            patch.setattr(modes.careful, "on", path == "careful")
            y = general(op.op, tuple(xs), static) if path == "general" else op(*xs, **static)
            g = gg.tensor(rng.standard_normal(y.shape)) if g is None else g
            if y.node is not None:
                y.backward(g)
        results.append((xs, y))
    xs, y = results[0]
    assert y.requires_grad is bool(mask)
    for us, z in results[1:]:
        assert (z.shape, z.dtype, type(z.data), kind(z.node)) == (y.shape, y.dtype, type(y.data), kind(y.node))
        numpy.testing.assert_array_equal(z.numpy(), y.numpy())
        for u, x in zip(us, xs, strict=True):
            assert (u.grad is None) == (x.grad is None)
            if x.grad is not None:
                numpy.testing.assert_array_equal(u.grad.numpy(), x.grad.numpy())


def test_numbers_and_arrays_among_the_tensors():
    x = gg.tensor([1.0, 2.0], requires_grad=True)
    y = gg.concat([x, gg.tensor([3.0]).data])
    assert (y.tolist(), y.requires_grad) == ([1.0, 2.0, 3.0], True)
    with pytest.raises(ValueError, match=r"concat: .*\[operands: float32 \(2,\) on"):
        gg.concat([x, gg.zeros((1, 1))])
    assert gg.concat([x, [3.0]]).tolist() == [1.0, 2.0, 3.0]
    with pytest.raises(TypeError, match="expected a tensor, an array or a number, got set"):
        gg.concat([x, {3.0}])
    with gg.no_grad():
        assert not gg.stack([x, x]).requires_grad


def test_a_forward_that_only_calls_a_function_is_that_function():
    @gg.primitive
    def exchanged(xp, x1, x2, /):
        return xp.subtract(x2, x1)

    @gg.primitive
    def doubled(xp, x, /):
        return xp.add(x, x)

    @gg.primitive
    def renamed(xp, left, right, /):
        """The names of its arrays make no difference."""
        return xp.subtract(left, right)

    def found(operation):
        return dispatch.Bound(operation.op)[numpy.ndarray]

    assert [found(f) for f in (gg.sin, gg.multiply, renamed)] == [numpy.sin, numpy.multiply, numpy.subtract]
    x, y = numpy.array([5.0, 1.0]), numpy.array([2.0, 3.0])
    assert found(exchanged)(x, y).tolist() == [-3.0, 2.0]
    assert found(doubled)(x).tolist() == [10.0, 2.0]
    assert found(gg.matmul)(x, y) == 13.0
    assert exchanged(gg.asarray(x), y).tolist() == [-3.0, 2.0]
