"""Softmax, log-softmax, log-sum-exp and the fused cross-entropy: values, gradients, corners, what is kept."""

import numpy
import pytest

import gpugrad as gg
from gpugrad.nn import functional as F
from gpugrad.ops import softmax as ops

TOLERANCE = {"float64": 1e-9, "float32": 1e-5}
inf, nan = numpy.inf, numpy.nan

FUNCTIONS = {
    "softmax": (ops.softmax, lambda t, x, axis: t.softmax(x, axis)),
    "log_softmax": (ops.log_softmax, lambda t, x, axis: t.log_softmax(x, axis)),
    "logsumexp": (ops.logsumexp, lambda t, x, axis: t.logsumexp(x, axis)),
}
functions = pytest.mark.parametrize("name", FUNCTIONS)


@functions
@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("scale", [1.0, 1e4])
@pytest.mark.parametrize(
    ("shape", "axis"), [((5,), 0), ((4, 3), 1), ((4, 3), 0), ((2, 3, 4), -2), ((0, 3), 1), ((3, 1), 1)]
)
def test_against_pytorch(name, dtype, scale, shape, axis, rng):
    torch = pytest.importorskip("torch", reason="PyTorch is the oracle of this test")
    ours, theirs = FUNCTIONS[name]
    data = (rng.standard_normal(shape) * scale).astype(dtype)
    before = data.copy()
    x, x_ = gg.tensor(data, requires_grad=True), torch.tensor(data, requires_grad=True)
    y, y_ = ours(x, axis=axis), theirs(torch, x_, axis)
    g = rng.standard_normal(y.shape).astype(dtype)
    y.backward(gg.tensor(g))
    y_.backward(torch.tensor(g))
    tolerance = TOLERANCE[dtype]
    assert y.dtype == dtype
    numpy.testing.assert_allclose(y.numpy(), y_.detach().numpy(), rtol=tolerance, atol=tolerance)
    numpy.testing.assert_allclose(x.grad.numpy(), x_.grad.numpy(), rtol=tolerance, atol=tolerance)
    assert (data == before).all()


@functions
@pytest.mark.parametrize(
    "row", [[inf, 0], [inf, 1e4], [inf, inf], [-inf, -inf], [-inf, 0], [nan, 1], [-3e38, -1e38], [1e4, 1e4]]
)
def test_values_at_infinity_are_those_of_pytorch(name, row):
    torch = pytest.importorskip("torch", reason="PyTorch is the oracle of this test")
    ours, theirs = FUNCTIONS[name]
    x = gg.tensor(row, dtype=gg.float32, requires_grad=True)
    y = ours(x, axis=-1)
    y.backward(gg.ones_like(y))
    expected = theirs(torch, torch.tensor(row, dtype=torch.float32), -1)
    numpy.testing.assert_allclose(y.numpy(), expected.numpy(), rtol=1e-6)


@pytest.mark.parametrize("axis", [None, 0, (0, 2), -1])
@pytest.mark.parametrize("keepdims", [False, True])
def test_logsumexp_axes_as_scipy(axis, keepdims, rng):
    special = pytest.importorskip("scipy.special")
    data = rng.standard_normal((2, 3, 4))
    y = ops.logsumexp(gg.tensor(data), axis=axis, keepdims=keepdims)
    expected = special.logsumexp(data, axis=axis, keepdims=keepdims)
    assert y.shape == expected.shape
    numpy.testing.assert_allclose(y.numpy(), expected, rtol=1e-12)
    x = gg.tensor(data)
    assert gg.gradcheck(lambda x: ops.logsumexp(x, axis=axis, keepdims=keepdims), x)
    assert gg.gradgradcheck(lambda x: ops.logsumexp(x, axis=axis, keepdims=keepdims), x)


def test_nothing_to_sum():
    assert ops.logsumexp(gg.zeros((2, 0)), axis=1).tolist() == [-inf, -inf]
    assert ops.softmax(gg.zeros((2, 0))).shape == ops.log_softmax(gg.zeros((2, 0))).shape == (2, 0)


@functions
def test_differences(name, rng):
    x = gg.tensor(rng.standard_normal((3, 4)))
    assert gg.gradcheck(lambda x: FUNCTIONS[name][0](x, axis=1), x)
    assert gg.gradgradcheck(lambda x: FUNCTIONS[name][0](x, axis=1), x)


@functions
def test_there_is_no_such_axis(name):
    with pytest.raises(ValueError, match=f"{name}: axis 2 is out of bounds"):
        FUNCTIONS[name][0](gg.zeros((2, 2)), axis=2)


def test_softmax_sums_to_one_at_any_size(rng):
    y = ops.softmax(gg.tensor(rng.standard_normal((100, 10)) * 1e4, dtype=gg.float32))
    numpy.testing.assert_allclose(y.numpy().sum(axis=1), 1, rtol=1e-6)


def test_dtype_of_the_module_functions():
    assert F.softmax(gg.zeros(3), dtype=gg.float64).dtype == F.log_softmax(gg.zeros(3), dtype=gg.float64).dtype == "f8"


# -------------------------------------------------------------------- the fused operations

SHAPES = [(5, 4), (4,), (2, 3, 2, 2), (0, 3), (3, 1)]


def case(rng, shape, weighted=False, dtype="float64"):
    axis = ops.class_axis(shape)
    logits = rng.standard_normal(shape).astype(dtype)
    labels = rng.integers(0, shape[axis], shape[:axis] + shape[axis + 1 :])
    weight = gg.tensor(rng.random(shape[axis]).astype(dtype)) if weighted else None
    return gg.tensor(logits), gg.tensor(numpy.asarray(labels)), weight


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("smoothing", [0.0, 0.3])
def test_fused_against_reference_to_second_order(shape, weighted, smoothing, rng):
    logits, labels, weight = case(rng, shape, weighted)
    if labels.size > 1:
        labels[(0,) * labels.ndim] = -100

    def fused(x):
        return ops.cross_entropy(x, labels, weight, label_smoothing=smoothing)

    def reference(x):
        return ops.cross_entropy.op.reference(gg, x, labels, weight, label_smoothing=smoothing)

    for f in (lambda f: f, gg.grad, lambda f: gg.grad(lambda x: (gg.grad(f)(x) ** 2).sum())):
        one, other = (f(lambda x, h=h: h(x).sum())(logits) for h in (fused, reference))
        numpy.testing.assert_allclose(one.numpy(), other.numpy(), rtol=1e-10, atol=1e-12)
    if logits.size:
        assert gg.gradcheck(fused, logits)
        assert gg.gradgradcheck(fused, logits)


@pytest.mark.parametrize("shape", SHAPES)
def test_soft_targets_to_second_order(shape, rng):
    logits, target = gg.tensor(rng.standard_normal(shape)), gg.tensor(rng.random(shape))
    y = ops.soft_cross_entropy(logits, target)
    reference = ops.soft_cross_entropy.op.reference(gg, logits, target)
    numpy.testing.assert_allclose(y.numpy(), reference.numpy(), rtol=1e-10, atol=1e-12)
    if logits.size:
        assert gg.gradcheck(ops.soft_cross_entropy, [logits, target])
        assert gg.gradgradcheck(ops.soft_cross_entropy, [logits, target])


def arrays_kept(y):
    (edge,) = y.node.edges
    return [value for value in edge[2] if hasattr(value, "shape")]


def test_cross_entropy_keeps_logits_labels_and_two_numbers_a_row(rng):
    logits, labels, _ = case(rng, (50, 40))
    logits.requires_grad_()
    kept = arrays_kept(ops.cross_entropy(logits, labels))
    assert [a is b for a, b in zip(kept, [logits.data, labels.data], strict=False)] == [True, True]
    assert [a.shape for a in kept[2:]] == [(50, 1), (50, 1)]
    shift, total = (a.reshape(-1) for a in kept[2:])
    lse = ops.logsumexp(logits.detach(), axis=1)
    numpy.testing.assert_allclose(gg.Tensor(shift).numpy() + numpy.log(gg.Tensor(total).numpy()), lse.numpy())


def test_gradient_is_exact_for_large_logits():
    logits = gg.tensor([[10000.0, 10000.0, 0.0]], requires_grad=True)  # rounded, lse is off by 2e-4 here
    loss = ops.cross_entropy(logits, gg.tensor([0]))
    loss.sum().backward()
    numpy.testing.assert_allclose(loss.numpy(), numpy.log(2), rtol=1e-6)
    numpy.testing.assert_allclose(logits.grad.numpy(), [[-0.5, 0.5, 0]], rtol=1e-6)


def test_impossible_classes():
    logits = gg.tensor([[-inf, 0.0, 0.0], [-inf, 0.0, 0.0]], requires_grad=True)
    loss = ops.cross_entropy(logits, gg.tensor([1, 0]))
    loss.sum().backward()
    numpy.testing.assert_allclose(loss.numpy(), [numpy.log(2), inf], rtol=1e-6)
    numpy.testing.assert_allclose(logits.grad.numpy(), [[0, -0.5, 0.5], [-1, 0.5, 0.5]], rtol=1e-6)
    target = gg.tensor([[0.0, 0.5, 0.5]], requires_grad=True)
    row = gg.tensor([[-inf, 0.0, 0.0]], requires_grad=True)
    loss = ops.soft_cross_entropy(row, target)
    loss.sum().backward()
    numpy.testing.assert_allclose(loss.numpy(), [numpy.log(2)], rtol=1e-6)
    numpy.testing.assert_allclose(row.grad.numpy(), [[0, 0, 0]], atol=1e-6)
    numpy.testing.assert_allclose(target.grad.numpy(), [[0, numpy.log(2), numpy.log(2)]], rtol=1e-6)


def test_an_ignored_row_counts_for_exactly_nothing():
    logits = gg.tensor([[nan, inf], [-inf, -inf], [0.0, 0.0]], requires_grad=True)
    loss = ops.cross_entropy(logits, gg.tensor([7, 7, 0]), ignore_index=7)
    loss.sum().backward()
    assert loss.tolist()[:2] == [0, 0]
    assert logits.grad.tolist() == [[0, 0], [0, 0], [-0.5, 0.5]]


def test_rows_without_a_finite_maximum_are_nan():
    logits = gg.tensor([[inf, 0.0], [-inf, -inf]], requires_grad=True)
    loss = ops.cross_entropy(logits, gg.tensor([0, 0]))
    loss.sum().backward()
    assert numpy.isnan(loss.numpy()).all()
    assert numpy.isnan(logits.grad.numpy()).all()


@pytest.mark.parametrize("dtype", ["uint8", "int8", "int32", "uint64"])
def test_labels_of_any_integer_dtype(dtype, rng):
    logits, labels, _ = case(rng, (5, 4))
    expected = ops.cross_entropy(logits, labels)
    assert (ops.cross_entropy(logits, gg.astype(labels, dtype)) == expected).all()


@pytest.mark.parametrize("label", [-1, 4, 100])
def test_label_out_of_range(label):
    with pytest.raises(IndexError, match=f"cross_entropy: label {label} is out of range for 4 classes"):
        ops.cross_entropy(gg.zeros((2, 4)), gg.tensor([0, label]))
        gg.synchronize()  # on a GPU, labels are looked at then


def test_the_weight_is_a_constant():
    weight = gg.ones(4).requires_grad_()
    with pytest.raises(gg.GradientError, match="cross_entropy has no gradient rule for its input 'weight'"):
        ops.cross_entropy(gg.zeros((1, 4)).requires_grad_(), gg.tensor([0]), weight)


def test_a_leaf_changed_between_forward_and_backward_is_noticed():
    logits = gg.zeros((1, 4)).requires_grad_()
    loss = ops.cross_entropy(logits, gg.tensor([0])).sum()
    with gg.no_grad():
        logits += 1
    with pytest.raises(gg.GradientError, match="input 'logits' of cross_entropy"):
        loss.backward()
