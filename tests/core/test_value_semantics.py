"""``x[i] = v`` and ``x += v``: a new value for one Tensor, none for any other; leaves, and the guard on them."""

from __future__ import annotations

import numpy
import pytest

import gpugrad as gg


def variable(values):
    return gg.tensor(values, dtype=gg.float64, requires_grad=True)


def same(tensor, expected):
    numpy.testing.assert_allclose(tensor.numpy(), expected, rtol=1e-12)


IN_PLACE = {
    "+=": lambda x, v: x.__iadd__(v),
    "-=": lambda x, v: x.__isub__(v),
    "*=": lambda x, v: x.__imul__(v),
    "/=": lambda x, v: x.__itruediv__(v),
    "**=": lambda x, v: x.__ipow__(v),
    "//=": lambda x, v: x.__ifloordiv__(v),
    "%=": lambda x, v: x.__imod__(v),
}


@pytest.mark.parametrize("name", IN_PLACE)
def test_in_place_operators_give_one_tensor_a_new_value(name):
    x = gg.tensor([1.0, 2.0, 5.0])
    alias, other, array = gg.asarray(x), x[:2], x.data
    before = x.numpy()
    y = IN_PLACE[name](x, 2)
    assert y is x
    expected = before.copy()
    exec(f"expected {name} 2", {"expected": expected})
    same(x, expected)
    for t in (alias, other):
        same(t, before[: t.shape[0]])
    assert array is not x.data


def test_in_place_operators_are_differentiated():
    x = variable([1.0, 2.0])
    y = x * 1
    y += x
    y *= x  # 2 x^2
    y.sum().backward()
    same(x.grad, [4.0, 8.0])


def test_values_the_graph_saved_stay():
    x = variable([1.0, 2.0])
    y = gg.exp(x)  # saves its output
    z = y * y
    y += 100
    y[0] = -1
    z.sum().backward()
    same(x.grad, 2 * numpy.exp([2.0, 4.0]))


def test_a_constant_saved_by_the_graph_stays():
    x, c = variable([1.0, 2.0]), gg.tensor([3.0, 4.0], dtype=gg.float64)
    y = x * c
    c += 10
    c[0] = 0
    y.sum().backward()
    same(x.grad, [3.0, 4.0])


def test_write_is_differentiated_in_both_operands():
    x, v = variable([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]), variable([10.0, 20.0])
    y = x * 2
    kept = y
    alias = gg.asarray(y)
    y[:, 1] = v * v
    assert kept is y
    same(y, [[2.0, 100.0, 6.0], [8.0, 400.0, 12.0]])
    same(alias, [[2.0, 4.0, 6.0], [8.0, 10.0, 12.0]])
    y.sum().backward()
    same(x.grad, [[2.0, 0.0, 2.0]] * 2)
    same(v.grad, [20.0, 40.0])


def test_write_into_a_constant_makes_it_a_result():
    v = variable(3.0)
    x = gg.zeros(3, dtype=gg.float64)
    x[1] = v
    assert x.requires_grad
    (x * x).sum().backward()
    same(v.grad, 6.0)


def test_overwritten_values_get_no_gradient():
    v, w = variable(3.0), variable(4.0)
    x = gg.zeros(2, dtype=gg.float64)
    x[0] = v
    x[0] = w
    x.sum().backward()
    same(v.grad, 0.0)
    same(w.grad, 1.0)


def test_write_of_a_value_with_leading_axes_of_one():
    v = variable([[[1.0, 2.0]]])
    x = gg.zeros((3, 2), dtype=gg.float64)
    x[1] = v
    (x * x).sum().backward()
    same(v.grad, [[[2.0, 4.0]]])


def test_write_broadcasts_and_takes_the_dtype_of_the_tensor():
    v = gg.tensor([2.0], dtype=gg.float64, requires_grad=True)
    x = gg.zeros((2, 3), dtype=gg.float32)
    x[...] = v
    assert x.dtype == gg.float32
    x.sum().backward()
    same(v.grad, [6.0])
    assert v.grad.dtype == gg.float64


def test_write_of_lists_and_numbers():
    x = gg.zeros(3, dtype=gg.float64)
    x[:2] = [0.1, 0.2]
    x[2] = 1
    same(x, [0.1, 0.2, 1.0])
    i = gg.zeros(3, dtype=gg.int64)
    i[1:] = [4, 5]
    assert i.tolist() == [0, 4, 5]


@pytest.mark.parametrize(
    "value", [1.5, [1.5, 2.5], gg.tensor([1.5, 2.5], device="cpu")], ids=["number", "list", "tensor"]
)
def test_floats_cannot_be_written_into_integers(value):
    x = gg.tensor([1, 2])
    with pytest.raises(TypeError, match="cannot write floating-point values into a tensor of int64"):
        x[:] = value


def test_in_place_results_must_fit():
    with pytest.raises(ValueError, match=r"in-place: the result of shape \(2, 2\) does not fit the tensor's \(2,\)"):
        x = gg.zeros(2)
        x += gg.zeros((2, 2))
    with pytest.raises(TypeError, match="in-place: the result of float64 does not fit the tensor's int64"):
        i = gg.tensor([1, 2])
        i /= 2
    single = gg.zeros(2, dtype=gg.float32)
    single += gg.ones(2, dtype=gg.float64)
    assert single.dtype == gg.float32


# ---------------------------------------------------------------- leaves


def test_a_leaf_is_changed_in_place_inside_no_grad_and_stays_a_leaf():
    w = variable([1.0, 2.0])
    memory, node = w.data, w.node
    with gg.no_grad():
        w -= 0.5
        w[0] = 7
        w *= 2
    assert (w.data is memory, w.node is node, w.is_leaf) == (True, True, True)
    same(w, [14.0, 3.0])


@pytest.mark.parametrize(
    "change",
    [lambda w: w.__iadd__(1), lambda w: w.__setitem__(0, 1.0), lambda w: w.__imul__(gg.tensor(2.0))],
    ids=["+=", "[]=", "*="],
)
def test_changing_a_leaf_while_recording_raises(change):
    w = variable([1.0, 2.0])
    with pytest.raises(gg.GradientError, match=r"a leaf that needs a gradient cannot be changed while recording"):
        change(w)
    same(w, [1.0, 2.0])


def test_a_constant_leaf_is_rebound():
    c = gg.tensor([1.0, 2.0])
    memory = c.data
    c += 1
    assert c.data is not memory


VIEWS = {
    "itself": lambda w: w,
    "reshape": lambda w: gg.reshape(w, (4,)),
    "slice": lambda w: w[:1],
    "element": lambda w: w[0, 1],
    "new axis": lambda w: w[None],
    "transpose": lambda w: w.T,
    "mT": lambda w: w.mT,
    "swapaxes": lambda w: gg.swapaxes(w, 0, 1),
    "broadcast_to": lambda w: gg.broadcast_to(w, (3, 2, 2)),
    "expand_dims": lambda w: gg.expand_dims(w, axis=0),
    "squeeze": lambda w: gg.squeeze(w[:1]),
    "flip": lambda w: gg.flip(w, axis=0),
    "split": lambda w: gg.split(w, 2)[1],
    "unstack": lambda w: gg.unstack(w)[1],
    "diagonal": lambda w: gg.einsum("ii->i", w),
    "einsum": lambda w: gg.einsum("ij->ji", w),
    "identity": lambda w: gg.core.identity(w),
    "view of a view": lambda w: gg.split(w.T, 2)[0].reshape((-1,))[::-1],
}
SAVING = {
    "multiply": lambda v: v * v,
    "by a constant": lambda v: v * gg.ones((), dtype=gg.float64) + gg.sin(v),
    "log": gg.log,
    "matmul": lambda v: gg.reshape(v, (1, -1)) @ gg.reshape(v, (-1, 1)),
    "max": gg.max,
    "prod": gg.prod,
    "concat": lambda v: gg.concat([v.reshape((-1,)), v.reshape((-1,)) * v.reshape((-1,))]),
    "einsum": lambda v: gg.einsum("...,...->...", v, v),
}


@pytest.mark.parametrize("use", SAVING)
@pytest.mark.parametrize("view", VIEWS)
def test_a_leaf_changed_between_forward_and_backward_is_noticed(view, use):
    w = variable([[1.0, 2.0], [3.0, 4.0]])
    loss = SAVING[use](VIEWS[view](w)).sum()
    with gg.no_grad():
        w += 1
    with pytest.raises(gg.GradientError, match="as it was in the forward pass, but the leaf behind it was changed"):
        loss.backward()


@pytest.mark.parametrize(
    "change",
    [
        lambda w: w.__isub__(0.5),
        lambda w: w.__setitem__((0, 0), 9.0),
        lambda w: w.become(gg.zeros((2, 2), dtype=gg.float64)),
        lambda w: w.mark_changed(),
    ],
    ids=["-=", "[]=", "become", "mark_changed"],
)
def test_every_way_of_changing_is_noticed(change):
    w = variable([[1.0, 2.0], [3.0, 4.0]])
    loss = (w * w).sum()
    with gg.no_grad():
        change(w)
    with pytest.raises(
        gg.GradientError, match=r"backward needs input 'x1' of multiply as it was.*gg.debug\(\) names the"
    ):
        loss.backward()


UNHARMED = {
    "a numerator": lambda w: (w / 2.0, 0.5),
    "a sum": lambda w: (w + 1, 1.0),
    "a leaf read by its output only": lambda w: (gg.exp(w) * 1, numpy.exp([1.0, 2.0])),
    "relu": lambda w: (gg.relu(w), 1.0),
    "a factor of a constant": lambda w: (w * gg.tensor([2.0, 3.0], dtype=gg.float64), [2.0, 3.0]),
    "a reduction": lambda w: (gg.mean(w), 0.5),
    "a view": lambda w: (w[::-1].reshape((1, 2)), 1.0),
    "a gather": lambda w: (w[[0, 1, 1]], [1.0, 2.0]),
    "a concat": lambda w: (gg.concat([w, w]), 2.0),
    "a split": lambda w: (gg.split(w, 2)[0], [1.0, 0.0]),
    "a matrix beside it": lambda w: (gg.ones((2, 2), dtype=gg.float64) @ w, 2.0),
    "a copy that is read": lambda w: (w.copy() * w.copy(), [2.0, 4.0]),
}


@pytest.mark.parametrize("name", UNHARMED)
def test_a_changed_leaf_whose_value_no_rule_needs_is_no_error(name):
    w = variable([1.0, 2.0])
    y, expected = UNHARMED[name](w)
    with gg.no_grad():
        w += 100
    y.sum().backward()
    same(w.grad, numpy.broadcast_to(expected, 2))


def test_dividing_by_a_changed_leaf_is_an_error_and_a_changed_numerator_is_none():
    a, b = variable([1.0, 2.0]), variable([4.0, 8.0])
    y = (a / b).sum()
    with gg.no_grad():
        a += 1
    y.backward(retain_graph=True)  # the output is saved, not the numerator
    same(a.grad, [0.25, 0.125])
    same(b.grad, [-1 / 16, -2 / 64])
    with gg.no_grad():
        b += 1
    with pytest.raises(gg.GradientError, match="needs input 'x2' of divide"):
        y.backward()


def test_a_leaf_changed_before_the_forward_is_no_error():
    w = variable([1.0, 2.0])
    with gg.no_grad():
        w += 1
    (w * w).sum().backward()
    same(w.grad, [4.0, 6.0])
    with gg.no_grad():
        w -= w.grad
    w.grad = None
    (w * w).sum().backward()
    same(w.grad, [-4.0, -6.0])


def test_a_leaf_that_needs_no_gradient_any_more_is_not_in_the_way():
    w, v = variable([1.0, 2.0]), variable([3.0, 4.0])
    y = w.copy() * v
    with gg.no_grad():
        w += 1
    y.sum().backward()
    same(v.grad, [1.0, 2.0])


def test_the_error_comes_before_anything_is_added():
    w = variable([1.0, 2.0])
    y = (w * w).sum()
    with gg.no_grad():
        w += 1
    with pytest.raises(gg.GradientError):
        y.backward()
    assert w.grad is None


def test_second_order_walks_are_guarded_too():
    w = variable([1.0, 2.0])
    (w**3).sum().backward(create_graph=True)
    g, w.grad = w.grad, None
    with gg.no_grad():
        w += 1
    with pytest.raises(gg.GradientError, match="changed in place"):
        g.sum().backward()


def test_gradients_of_two_variables_do_not_share_a_life():
    a, b = variable([1.0, 2.0]), variable([3.0, 4.0])
    (a + b).sum().backward()
    a.grad += 5
    same(b.grad, [1.0, 1.0])
    a.grad[0] = 100
    same(a.grad, [100.0, 6.0])
    same(b.grad, [1.0, 1.0])
