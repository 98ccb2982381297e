"""The awkward places of single operations, each by name, and that they are where PyTorch has them."""

from __future__ import annotations

import numpy
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import gpugrad as gg

nan, inf = numpy.nan, numpy.inf


@pytest.fixture(autouse=True)
def quiet():
    with numpy.errstate(all="ignore"):
        yield


def variable(values, dtype=gg.float64):
    return gg.tensor(values, dtype=dtype, requires_grad=True)


def gradient(f, *values, wrt=0):
    xs = [variable(v) for v in values]
    f(*xs).sum().backward()
    return xs[wrt].grad.tolist()


def pytorch_gradient(f, *values, wrt=0):
    torch = pytest.importorskip("torch")
    xs = [torch.tensor(v, dtype=torch.float64, requires_grad=True) for v in values]
    f(torch, *xs).sum().backward()
    return xs[wrt].grad.tolist()


def same(a, b):
    numpy.testing.assert_allclose(a, b, rtol=1e-12, atol=0)


# ---------------------------------------------------------------- broadcasting


@pytest.mark.parametrize(
    ("left", "right"),
    [((2, 1, 3), (4, 1)), ((), (2, 3)), ((1,), (0,)), ((1, 1), (3,)), ((2, 1), (2, 0)), ((3,), (1,)), ((1, 0), (4, 1))],
)
def test_broadcasting_both_ways(left, right):
    a, b = gg.ones(left).requires_grad_(), gg.ones(right).requires_grad_()
    y = a * 2 + b * 3
    y.sum().backward()
    size = int(numpy.prod(numpy.broadcast_shapes(left, right)))
    same(a.grad.numpy(), numpy.full(left, 2 * size / max(a.size, 1)))
    same(b.grad.numpy(), numpy.full(right, 3 * size / max(b.size, 1)))


@settings(deadline=None, derandomize=True, max_examples=60)
@given(data=st.data())
def test_broadcasting_of_any_shapes(data):
    outer = data.draw(st.lists(st.integers(0, 3), max_size=4))
    shapes = []
    for _ in range(2):
        skip = data.draw(st.integers(0, len(outer)))
        shapes.append(tuple(1 if data.draw(st.booleans()) else n for n in outer[skip:]))
    a, b = (gg.ones(s, dtype=gg.float64).requires_grad_() for s in shapes)
    y = gg.subtract(a, b)
    expected = numpy.broadcast_shapes(*shapes)
    assert y.shape == expected
    y.sum().backward()
    size = int(numpy.prod(expected))
    assert a.grad.shape == shapes[0]
    assert b.grad.shape == shapes[1]
    assert a.grad.sum().item() == size
    assert b.grad.sum().item() == -size
    if a.size and size:
        assert len(set(a.grad.reshape((-1,)).tolist())) == 1


# ---------------------------------------------------------------- arithmetic


def test_power_at_zero():
    f = lambda p: lambda x: x**p
    for p in (0, 1, 2, 3, 0.5, -1, 1.0, 2.0, 0.0):
        for x in (0.0, 2.0):
            same(gradient(f(p), [x]), pytorch_gradient(lambda torch, x, p=p: x**p, [x]))
    assert gradient(f(0), [0.0, nan, inf]) == [0.0, 0.0, 0.0]
    assert gradient(f(1), [0.0]) == [1.0]


def test_power_of_tensors_at_zero():
    x, p = [0.0, 0.0, 0.0, 0.0, 2.0, 2.0], [0.0, 1.0, 2.0, -1.0, 0.0, 3.0]
    for wrt in (0, 1):
        ours = gradient(gg.pow, x, p, wrt=wrt)
        theirs = pytorch_gradient(lambda torch, x, p: torch.pow(x, p), x, p, wrt=wrt)
        same(ours, theirs)
    same(gradient(lambda p: 0.0**p, [0.0, 1.0, 2.0]), pytorch_gradient(lambda torch, p: 0.0**p, [0.0, 1.0, 2.0]))


def test_power_of_negative_numbers():
    same(gradient(lambda x: x**3, [-2.0]), [12.0])
    same(gradient(gg.pow, [-2.0], [3.0]), [12.0])
    assert numpy.isnan(gradient(gg.pow, [-2.0], [3.0], wrt=1)).all()  # as PyTorch


def test_second_derivative_of_powers_at_zero():
    second = lambda p: gg.grad(gg.grad(lambda x: x**p))(numpy.float64(0.0)).item()
    assert [second(p) for p in (0, 1, 2, 3)] == [0.0, 0.0, 2.0, 0.0]


def test_absolute_value_at_zero():
    assert gradient(gg.abs, [0.0, -0.0, -2.0, 3.0]) == [0.0, 0.0, -1.0, 1.0]


def test_root_at_zero_is_infinitely_steep():
    assert gradient(gg.sqrt, [0.0, 4.0]) == [inf, 0.25] == pytorch_gradient(lambda torch, x: torch.sqrt(x), [0.0, 4.0])


def test_relu_at_zero_and_nan():
    assert gradient(gg.relu, [0.0, -0.0, -1.0, 2.0, inf, -inf]) == [0.0, 0.0, 0.0, 1.0, 1.0, 0.0]
    assert numpy.isnan(gg.relu(gg.tensor(nan)).item())


def test_sigmoid_and_tanh_far_out():
    for dtype, far in ((gg.float16, 200.0), (gg.float32, 1e4), (gg.float64, 1e6)):
        x = variable([-far, far, 0.0], dtype=dtype)
        y = gg.sigmoid(x)
        assert y.tolist() == [0.0, 1.0, 0.5]
        y.sum().backward()
        assert x.grad.tolist() == [0.0, 0.0, 0.25]
        assert gg.tanh(x).tolist() == [-1.0, 1.0, 0.0]


def test_ties_of_maximum_and_minimum_share_evenly():
    for name in ("maximum", "minimum"):
        f = getattr(gg, name)
        assert gradient(f, [1.0, 2.0], [1.0, 2.0]) == [0.5, 0.5]
        assert gradient(f, [1.0, 2.0], [1.0, 2.0], wrt=1) == [0.5, 0.5]
        x = variable([3.0])
        f(x, x).sum().backward()
        assert x.grad.tolist() == [1.0]
        for wrt in (0, 1):
            values = [1.0, 5.0, 2.0, inf, -inf], [1.0, 2.0, 5.0, inf, 0.0]
            theirs = pytorch_gradient(lambda torch, a, b, n=name: getattr(torch, n)(a, b), *values, wrt=wrt)
            assert gradient(f, *values, wrt=wrt) == theirs


def test_nan_in_maximum_wins():
    a, b = [nan, 1.0], [1.0, nan]
    assert numpy.isnan(gg.maximum(gg.tensor(a), gg.tensor(b)).numpy()).all()
    for wrt in (0, 1):
        ours = gradient(gg.maximum, a, b, wrt=wrt)
        assert ours == pytorch_gradient(lambda torch, a, b: torch.maximum(a, b), a, b, wrt=wrt)


def test_maximum_with_a_number():
    assert gradient(lambda x: gg.maximum(x, 0), [-1.0, 0.0, 2.0]) == [0.0, 0.5, 1.0]


def test_clip_at_its_bounds():
    assert gradient(lambda x: gg.clip(x, -1, 1), [-2.0, -1.0, 0.0, 1.0, 2.0]) == [0.0, 1.0, 1.0, 1.0, 0.0]
    assert gradient(lambda x: gg.clip(x, min=0), [-1.0, 0.0, 1.0]) == [0.0, 1.0, 1.0]
    assert gradient(lambda x: gg.clip(x, max=0), [-1.0, 0.0, 1.0]) == [1.0, 1.0, 0.0]
    assert gradient(lambda x: gg.clip(x), [-1.0]) == [1.0]


def test_clip_with_bounds_that_cross_and_bounds_that_are_met():
    values = (
        [-1.0, 0.0, 0.5, 1.0, 2.0, 3.0, 0.7],
        [0.0, 0.0, 0.0, 2.0, 2.0, 2.0, 0.7],
        [1.0, 0.0, 1.0, 1.0, 1.0, 1.0, 0.7],
    )
    y = gg.clip(*map(gg.tensor, values))
    assert y.tolist() == pytest.approx(numpy.clip(*values).tolist())
    for wrt in range(3):
        theirs = pytorch_gradient(lambda torch, x, a, b: torch.clamp(x, a, b), *values, wrt=wrt)
        assert gradient(gg.clip, *values, wrt=wrt) == theirs


def test_clip_with_nan():
    assert numpy.isnan(gg.clip(gg.tensor(nan), 0, 1).item())


def test_where_passes_exactly_zero_to_the_branch_not_taken():
    x = variable([-1.0, 4.0])
    y = gg.where(x > 0, gg.sqrt(gg.where(x > 0, x, 1.0)), 0.0)
    y.sum().backward()
    assert x.grad.tolist() == [0.0, 0.25]
    a, b = variable([nan, 2.0]), variable([3.0, inf])
    z = gg.where(gg.tensor([False, True]), a, b)
    (z * z).sum().backward()
    assert (a.grad.tolist(), b.grad.tolist()) == ([0.0, 4.0], [6.0, 0.0])


def test_where_with_an_upstream_gradient_that_is_not_finite():
    a, b = variable([1.0, 2.0]), variable([3.0, 4.0])
    gg.where(gg.tensor([True, False]), a, b).backward(gg.tensor([nan, inf], dtype=gg.float64))
    assert a.grad.tolist()[1] == 0.0
    assert b.grad.tolist()[0] == 0.0


def test_where_needs_a_condition_without_gradient():
    c = variable([1.0, 0.0])
    with pytest.raises(
        gg.GradientError, match=r"where has no gradient rule for its input 'condition'.*condition.detach\(\)"
    ):
        gg.where(c, c, 0.0)


def test_division_by_zero_as_ieee():
    assert gradient(lambda x: 1 / x, [0.0]) == [-inf]
    assert (gg.tensor([1.0, -1.0, 0.0]) / 0).tolist()[:2] == [inf, -inf]


def test_remainder_has_the_sign_of_the_divisor():
    a, b = gg.tensor([7.0, -7.0, 7.0, -7.0]), gg.tensor([4.0, 4.0, -4.0, -4.0])
    assert (a % b).tolist() == [3.0, 1.0, -1.0, -3.0]


def test_huge_and_tiny_values():
    x = variable([1e300, -1e300, 1e-300])
    gg.tanh(x).sum().backward()
    assert x.grad.tolist() == [0.0, 0.0, 1.0]
    assert gradient(lambda x: gg.log1p(x), [1e-300]) == [1.0]
    assert gradient(lambda x: gg.expm1(x), [1e-300]) == [1.0]
    assert gg.expm1(gg.tensor([1e-300], dtype=gg.float64)).tolist() == [1e-300]


# ---------------------------------------------------------------- reductions


def test_ties_of_max_and_min_share_evenly():
    for f, values in ((gg.max, [1.0, 3.0, 3.0, 3.0]), (gg.min, [9.0, 3.0, 3.0, 3.0])):
        assert gradient(f, values) == [0.0, 1 / 3, 1 / 3, 1 / 3]
        theirs = pytorch_gradient(lambda torch, x, f=f: getattr(torch, "a" + f.__name__)(x), values)
        same(gradient(f, values), theirs)
    table = [[1.0, 2.0], [1.0, 5.0]]
    assert gradient(lambda x: gg.max(x, axis=0), table) == [[0.5, 0.0], [0.5, 1.0]]
    assert gradient(lambda x: gg.max(x, axis=(0, 1), keepdims=True), [[2.0, 2.0], [2.0, 2.0]]) == [[0.25, 0.25]] * 2


def test_nan_wins_in_max_and_gets_the_gradient():
    values = [1.0, nan, 3.0]
    assert numpy.isnan(gg.max(gg.tensor(values)).item())
    assert gradient(gg.max, values) == [0.0, 1.0, 0.0]
    assert gradient(gg.min, values) == [0.0, 1.0, 0.0]
    assert gradient(gg.max, [inf, 1.0, inf]) == [0.5, 0.0, 0.5]


@pytest.mark.parametrize(
    "values",
    [
        [2.0, 0.0, 3.0],
        [0.0, 0.0, 3.0],
        [0.0, 0.0, 0.0],
        [0.0],
        [-0.0, 2.0],
        [1e-300, 1e300, 2.0],
        [2.0, 3.0, 4.0, 5.0, 0.0],
    ],
)
def test_prod_with_zeros(values):
    n = len(values)
    others = [numpy.prod([v for j, v in enumerate(values) if j != i]) for i in range(n)]
    same(gradient(gg.prod, values), others)
    hessian = [gg.grad(lambda x, i=i: gg.grad(gg.prod)(x)[i])(numpy.array(values)) for i in range(n)]
    expected = [
        [numpy.prod([v for k, v in enumerate(values) if k not in (i, j)]) if i != j else 0.0 for j in range(n)]
        for i in range(n)
    ]
    same(hessian, expected)


def test_third_derivative_of_prod_with_zeros():
    f = lambda x: gg.grad(lambda x: gg.grad(gg.prod)(x)[0])(x)[1]
    assert gg.grad(f)(numpy.array([0.0, 0.0, 0.0])).tolist() == [0.0, 0.0, 1.0]


def test_prod_along_axes_with_zeros():
    x = [[0.0, 2.0, 3.0], [4.0, 0.0, 6.0]]
    assert gradient(lambda x: gg.prod(x, axis=1), x) == [[6.0, 0.0, 0.0], [0.0, 24.0, 0.0]]
    assert gradient(lambda x: gg.prod(x, axis=0, keepdims=True), x) == [[4.0, 0.0, 6.0], [0.0, 2.0, 3.0]]
    assert gg.gradcheck(lambda x: gg.prod(x, axis=(0, 2)), gg.tensor(numpy.arange(12.0).reshape(2, 3, 2)))


def test_long_products():
    x = numpy.linspace(0.9, 1.1, 100)
    same(gradient(gg.prod, x), [numpy.prod(numpy.delete(x, i)) for i in range(100)])


def test_reductions_of_nothing():
    x = gg.zeros((2, 0), dtype=gg.float64).requires_grad_()
    assert (gg.sum(x).item(), gg.prod(x).item()) == (0.0, 1.0)
    for f in (gg.sum, gg.prod):
        for axis, shape in ((None, ()), (0, (0,)), (1, (2,)), ((0, 1), ())):
            x.grad = None
            y = f(x, axis=axis)
            assert y.shape == shape
            y.sum().backward()
            assert x.grad.shape == (2, 0)
    assert gg.max(x, axis=0).shape == (0,)
    assert gg.all(x).item()
    assert not gg.any(x).item()


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_mean_of_nothing_is_nan():
    x = gg.zeros((0,), dtype=gg.float64).requires_grad_()
    y = gg.mean(x)
    assert numpy.isnan(y.item())
    y.backward()
    assert x.grad.shape == (0,)


def test_std_of_constant_rows_has_gradient_zero():
    x = [[2.0, 2.0, 2.0], [1.0, 2.0, 3.0]]
    ours = gradient(lambda x: gg.std(x, axis=1), x)
    assert ours[0] == [0.0, 0.0, 0.0]
    same(ours, pytorch_gradient(lambda torch, x: torch.std(x, dim=1, correction=0), x))
    second = gg.grad(lambda x: gg.grad(lambda x: gg.std(x, axis=1).sum())(x).sum())(numpy.array(x))
    assert numpy.isnan(second[0]).all()  # the variance, its square, has one that is not 0
    assert numpy.isfinite(second[1]).all()


def test_var_of_constant_rows():
    assert gradient(gg.var, [2.0, 2.0]) == [0.0, 0.0]
    assert gradient(gg.var, [2.0]) == [0.0]


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_var_without_freedom_is_nan_as_in_pytorch():
    assert numpy.isnan(gradient(lambda x: gg.var(x, correction=1), [2.0])).all()


def test_sums_of_integers_and_booleans():
    assert gg.sum(gg.tensor([True, True])).item() == 2
    assert gg.sum(gg.tensor([1, 2], dtype=gg.int8)).dtype == numpy.sum(numpy.zeros(1, "int8")).dtype
    assert gg.mean(gg.tensor([1, 2])).item() == 1.5


def test_sum_with_another_dtype():
    x = variable([1.0, 2.0], dtype=gg.float16)
    y = gg.sum(x, dtype=gg.float64)
    assert y.dtype == gg.float64
    y.backward()
    assert x.grad.dtype == gg.float16


# ---------------------------------------------------------------- shapes and products


def test_gradients_of_concat_and_stack_of_mixed_dtypes():
    a, b = variable([1.0], dtype=gg.float32), variable([2.0, 3.0], dtype=gg.float64)
    y = gg.concat([a, b])
    assert y.dtype == gg.float64
    (y * y).sum().backward()
    assert (a.grad.dtype, a.grad.tolist(), b.grad.tolist()) == (gg.float32, [2.0], [4.0, 6.0])


def test_concat_of_the_same_tensor():
    x = variable([1.0, 2.0])
    (gg.concat([x, x, x]) * gg.tensor([1.0, 2.0, 3.0, 4.0, 5.0, 6.0])).sum().backward()
    assert x.grad.tolist() == [9.0, 12.0]


@pytest.mark.parametrize(
    "cut", [2, numpy.int64(2), [2], (2,), numpy.array([2]), gg.tensor([2], device="cpu")], ids=repr
)
def test_split_at_integers_of_every_kind(cut):
    assert [part.tolist() for part in gg.split(gg.arange(4), cut)] == [[0, 1], [2, 3]]


def test_split_and_unstack_errors():
    with pytest.raises(ValueError, match="split"):
        gg.split(gg.zeros(5), 2)
    with pytest.raises(ValueError, match=r"matrix_transpose: expected at least two axes, got shape \(3,\)"):
        gg.matrix_transpose(gg.zeros(3))
    assert gg.unstack(gg.zeros((0, 2))) == ()


def test_squeeze_of_a_larger_axis():
    with pytest.raises(ValueError, match="squeeze"):
        gg.squeeze(gg.zeros((2, 3)), axis=0)


@pytest.mark.parametrize(("a", "b"), [((), (3,)), ((3,), ()), ((2, 3), (2, 3)), ((3,), (2,)), ((2, 2, 3), (3, 3, 2))])
def test_matmul_of_shapes_that_do_not_fit(a, b):
    with pytest.raises(ValueError, match="matmul: "):
        gg.ones(a) @ gg.ones(b)


@pytest.mark.parametrize(
    ("subscripts", "shapes", "text"),
    [
        ("ij,jk->ik", [(2, 3)], "does not fit 1 operands"),
        ("ij->i", [(2,)], "'ij' names 2 axes"),
        ("ij->iji", [(2, 3)], "names an axis twice"),
        ("ij->k", [(2, 3)], "one that no term has"),
        ("i;j", [(2,)], "expected subscripts such as"),
        ("ii->i", [(2, 3)], "'i' names axes of different size in operand 0"),
        ("ij,jk->ik", [(2, 3), (4, 2)], "einsum"),
    ],
)
def test_einsum_errors(subscripts, shapes, text):
    with pytest.raises(ValueError, match=text):
        gg.einsum(subscripts, *map(gg.ones, shapes))


@pytest.mark.parametrize(("subscripts", "a", "b"), [("i,i->", 3, 1), ("i,i->i", 1, 3), ("i,i", 1, 1)])
def test_einsum_broadcasts_sizes_of_one(subscripts, a, b):
    x, y = variable(numpy.arange(1.0, a + 1)), variable(numpy.arange(2.0, b + 2))
    z = gg.einsum(subscripts, x, y)
    same(z.numpy(), numpy.einsum(subscripts, x.numpy(), y.numpy()))
    assert gg.gradcheck(lambda x, y: gg.einsum(subscripts, x, y), (x, y))


def test_einsum_of_one_tensor_with_itself():
    x = variable([[1.0, 2.0], [3.0, 4.0]])
    gg.einsum("ij,kj->ik", x, x).sum().backward()
    assert x.grad.tolist() == [[8.0, 12.0], [8.0, 12.0]]


def test_diagonals_of_three():
    x = gg.tensor(numpy.arange(27.0).reshape(3, 3, 3))
    assert gg.einsum("iii", x).item() == numpy.einsum("iii", x.numpy())
    assert gg.gradcheck(lambda x: gg.einsum("iii->i", x), x)


def test_integer_operands_take_part_without_gradient():
    x, i = variable([1.0, 2.0]), gg.tensor([3, 4])
    (x * i).sum().backward()
    assert x.grad.tolist() == [3.0, 4.0]
    assert gg.matmul(gg.tensor([[1, 2]]), gg.tensor([[3], [4]])).tolist() == [[11]]


@pytest.mark.parametrize("dtype", [gg.float16, gg.float32])
def test_small_dtypes_do_not_become_wide_on_the_way(dtype):
    seen = []
    x = variable([[0.5, 1.0], [1.5, 2.0]], dtype=dtype)
    values = [x]
    for f in (
        gg.exp, gg.tanh, gg.sigmoid, gg.relu, lambda x: x**2, lambda x: x**0.5, lambda x: gg.pow(x, x), lambda x: 2**x,
        lambda x: x / x.sum(axis=1, keepdims=True), lambda x: gg.std(x, axis=0) + x, lambda x: x * gg.prod(x, axis=1),
        lambda x: x + gg.max(x), lambda x: x @ x, lambda x: gg.einsum("ij,jk->ik", x, x), lambda x: x[[0, 1]],
        lambda x: x % 3,
        lambda x: gg.clip(x, 0, 100), lambda x: gg.where(x > 0, x, 0.0), lambda x: gg.maximum(x, 0.1),
        lambda x: x - x.var(),
        lambda x: gg.sqrt(x) + gg.log1p(x) + gg.abs(x) / x.mean(),
    ):  # fmt: skip
        y = f(values[-1] * 0.5)
        assert y.dtype == dtype
        y.register_hook(lambda g: seen.append(g.dtype))
        values.append(y / (gg.abs(y).max() + 1))
    values[-1].sum().backward()
    assert set(seen) == {dtype}
    assert x.grad.dtype == dtype


def test_ranges_between_tensors_are_those_between_numbers(device):
    for dtype in (gg.float32, gg.float64):
        a, b = gg.tensor(0.3, dtype=dtype), gg.tensor(2.1, dtype=dtype)
        for found, expected in (
            (gg.linspace(a, b, 7), gg.linspace(0.3, 2.1, 7, dtype=dtype)),
            (gg.linspace(a, 2.1, 7, endpoint=False), gg.linspace(0.3, 2.1, 7, endpoint=False, dtype=dtype)),
            (gg.linspace(0, b, 1), gg.linspace(0, 2.1, 1, dtype=dtype)),
            (gg.linspace(a, b, 0), gg.linspace(0, 1, 0, dtype=dtype)),
            (gg.logspace(a, b, 5), gg.logspace(0.3, 2.1, 5, dtype=dtype)),
            (gg.geomspace(a, b, 5), gg.geomspace(0.3, 2.1, 5, dtype=dtype)),
            (gg.arange(a, b, 0.5), gg.arange(0.3, 2.1, 0.5, dtype=dtype)),
            (gg.arange(b), gg.arange(2.1, dtype=dtype)),
            (gg.arange(b, a, -a), gg.arange(2.1, 0.3, -0.3, dtype=dtype)),
        ):
            assert (found.dtype, found.shape, found.device) == (dtype, expected.shape, a.device)
            assert numpy.allclose(found.numpy(), expected.numpy(), rtol=4 * gg.finfo(dtype).eps)
    assert gg.linspace(gg.tensor([0.0, 1.0]), 3.0, 4).shape == (4, 2)
    assert gg.linspace(gg.tensor(0.3), gg.tensor(0.7), 11)[-1] == gg.tensor(0.7)
    assert gg.arange(gg.tensor(3)).dtype == gg.arange(gg.tensor(0), 3).dtype
    assert gg.linspace(0.0, gg.tensor(1.0), 3, dtype=gg.float64).dtype == gg.float64


def test_the_edges_of_a_histogram_follow_the_ends_of_their_range(device):
    x = gg.tensor([1.0, 4.0, 2.0], requires_grad=True)
    counts, edges = gg.histogram(x, 3)
    assert (counts.tolist(), edges.tolist()) == ([1, 1, 1], [1.0, 2.0, 3.0, 4.0])
    edges[1].backward()
    assert numpy.allclose(x.grad.tolist(), [2 / 3, 1 / 3, 0.0])
    end = gg.tensor(4.0, requires_grad=True)
    gg.histogram(x.detach(), 2, range=(0.0, end))[1].sum().backward()
    assert end.grad.item() == 1.5
