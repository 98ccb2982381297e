"""Losses against PyTorch: values and gradients, every reduction, and what is refused."""

from functools import partial

import numpy
import pytest

import gpugrad as gg
from gpugrad import nn
from gpugrad.nn import functional as F

TOLERANCE = {"float64": 1e-9, "float32": 1e-5}
reductions = pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
dtypes = pytest.mark.parametrize("dtype", TOLERANCE)

# name, shape of the input, options; arrays among the options are made in the dtype of the input
LABELLED = [
    ("cross_entropy", (5, 4), {}),
    ("cross_entropy", (4,), {}),
    ("cross_entropy", (2, 3, 2, 2), {}),
    ("cross_entropy", (5, 4), {"weight": [0.5, 1.0, 0.0, 2.0]}),
    ("cross_entropy", (5, 4), {"ignore_index": 1}),
    ("cross_entropy", (5, 4), {"label_smoothing": 0.2}),
    ("cross_entropy", (5, 4), {"label_smoothing": 1.0}),
    ("cross_entropy", (2, 3, 2), {"label_smoothing": 0.2, "weight": [0.5, 1.0, 2.0], "ignore_index": 0}),
    ("nll_loss", (5, 4), {}),
    ("nll_loss", (4,), {}),
    ("nll_loss", (2, 3, 2, 2), {"ignore_index": 2}),
    ("nll_loss", (5, 4), {"weight": [0.5, 1.0, 0.0, 2.0]}),
    ("multi_margin_loss", (5, 4), {}),
    ("multi_margin_loss", (4,), {}),
    ("multi_margin_loss", (5, 4), {"p": 2, "margin": 0.5}),
    ("multi_margin_loss", (5, 4), {"weight": [0.5, 1.0, 0.0, 2.0]}),
]
FLOATING = [
    ("cross_entropy", (5, 4), {}),
    ("cross_entropy", (4,), {"label_smoothing": 0.2}),
    ("cross_entropy", (2, 3, 2), {"weight": [0.5, 1.0, 2.0]}),
    ("mse_loss", (5, 4), {}),
    ("mse_loss", (), {}),
]
MODULES = {
    "cross_entropy": "CrossEntropyLoss", "nll_loss": "NLLLoss", "mse_loss": "MSELoss",
    "multi_margin_loss": "MultiMarginLoss",
}  # fmt: skip


def compare(name, input, target, options, dtype):
    torch = pytest.importorskip("torch", reason="PyTorch is the oracle of this test")
    ours = {k: gg.tensor(numpy.array(v, dtype)) if isinstance(v, list) else v for k, v in options.items()}
    theirs = {k: torch.tensor(v, dtype=getattr(torch, dtype)) if isinstance(v, list) else v for k, v in options.items()}
    floating = target.dtype.kind == "f"
    x, t = gg.tensor(input, requires_grad=True), gg.tensor(target, requires_grad=floating)
    x_, t_ = torch.tensor(input, requires_grad=True), torch.tensor(target, requires_grad=floating)
    y = getattr(F, name)(x, t, **ours)
    y_ = getattr(torch.nn.functional, name)(x_, t_, **theirs)
    assert y.shape == tuple(y_.shape)
    assert y.dtype == dtype
    tolerance = TOLERANCE[dtype]
    numpy.testing.assert_allclose(y.numpy(), y_.detach().numpy(), rtol=tolerance, atol=tolerance)
    y.sum().backward()
    y_.sum().backward()
    numpy.testing.assert_allclose(x.grad.numpy(), x_.grad.numpy(), rtol=tolerance, atol=tolerance)
    if floating:
        numpy.testing.assert_allclose(t.grad.numpy(), t_.grad.numpy(), rtol=tolerance, atol=tolerance)
    module = getattr(nn, MODULES[name])(**ours)
    assert (module(x, t) == y).all()


@dtypes
@reductions
@pytest.mark.parametrize("scale", [1.0, 1e4])
@pytest.mark.parametrize(("name", "shape", "options"), LABELLED)
def test_class_labels_against_pytorch(name, shape, options, scale, reduction, dtype, rng):
    axis = 1 if len(shape) > 1 else 0
    input = (rng.standard_normal(shape) * scale).astype(dtype)
    target = numpy.asarray(rng.integers(0, shape[axis], shape[:axis] + shape[axis + 1 :]))
    compare(name, input, target, {**options, "reduction": reduction}, dtype)


@dtypes
@reductions
@pytest.mark.parametrize(("name", "shape", "options"), FLOATING)
def test_floating_targets_against_pytorch(name, shape, options, reduction, dtype, rng):
    input = numpy.asarray(rng.standard_normal(shape), dtype)
    compare(name, input, numpy.asarray(rng.random(shape), dtype), {**options, "reduction": reduction}, dtype)


@pytest.mark.parametrize(("name", "shape", "options"), LABELLED)
def test_labelled_by_differences(name, shape, options, rng):
    axis = 1 if len(shape) > 1 else 0
    x = gg.tensor(rng.standard_normal(shape))
    target = gg.tensor(numpy.asarray(rng.integers(0, shape[axis], shape[:axis] + shape[axis + 1 :])))
    options = {k: gg.tensor(numpy.array(v)) if isinstance(v, list) else v for k, v in options.items()}
    assert gg.gradcheck(lambda x: getattr(F, name)(x, target, **options), x)
    assert gg.gradgradcheck(lambda x: getattr(F, name)(x, target, **options), x)


@pytest.mark.parametrize(("name", "shape", "options"), FLOATING)
def test_floating_by_differences(name, shape, options, rng):
    x, t = gg.tensor(rng.standard_normal(shape)), gg.tensor(rng.random(shape))
    options = {k: gg.tensor(numpy.array(v)) if isinstance(v, list) else v for k, v in options.items()}
    assert gg.gradcheck(lambda x, t: getattr(F, name)(x, t, **options), [x, t])
    assert gg.gradgradcheck(lambda x, t: getattr(F, name)(x, t, **options), [x, t])


@pytest.mark.parametrize("f", [F.cross_entropy, F.nll_loss, F.multi_margin_loss])
def test_the_mean_of_nothing_is_nan_and_its_gradient_nothing(f):
    x = gg.zeros((0, 3)).requires_grad_()
    loss = f(x, gg.zeros(0, dtype=gg.int64))
    loss.backward()
    assert numpy.isnan(loss.item())
    assert x.grad.shape == (0, 3)
    assert f(x, gg.zeros(0, dtype=gg.int64), reduction="sum").item() == 0
    assert numpy.isnan(F.mse_loss(x, x).item())


@pytest.mark.parametrize("f", [F.cross_entropy, F.nll_loss])
def test_all_ignored(f):
    loss = f(gg.zeros((2, 3)), gg.tensor([-100, -100]))
    assert numpy.isnan(loss.item())
    assert f(gg.zeros((2, 3)), gg.tensor([-100, -100]), reduction="sum").item() == 0


def test_labels_and_targets_may_be_numpy_arrays(rng, device):
    if not device.is_host:
        pytest.skip("on a GPU, arrays of NumPy are on another device")
    x, labels = gg.tensor(rng.standard_normal((3, 4))), rng.integers(0, 4, 3)
    for f in (F.cross_entropy, F.nll_loss, F.multi_margin_loss):
        assert f(x, labels).item() == f(x, gg.tensor(labels)).item()
    assert F.mse_loss(gg.tensor([1.0, 3.0]), 1.0).item() == 2


def test_a_weight_of_another_dtype_takes_that_of_the_input():
    weight = gg.tensor([1.0, 2.0], dtype=gg.float64)
    for f in (F.cross_entropy, F.nll_loss, F.multi_margin_loss):
        assert f(gg.zeros((2, 2)), gg.tensor([0, 1]), weight=weight).dtype == gg.float32
    assert F.cross_entropy(gg.zeros((2, 2)), gg.ones((2, 2), dtype=gg.float64)).dtype == gg.float32


REFUSED = [
    (lambda x, t: F.cross_entropy(x, t([0, 3])), IndexError, "cross_entropy: label 3 is out of range for 3 classes"),
    (lambda x, t: F.cross_entropy(x, t([-1, 0])), IndexError, "cross_entropy: label -1 is out of range for 3 classes"),
    (lambda x, t: F.nll_loss(x, t([0, 7])), IndexError, "nll_loss: label 7 is out of range for 3 classes"),
    (lambda x, t: F.multi_margin_loss(x, t([0, -100])), IndexError, "multi_margin_loss: label -100 is out of range"),
    (lambda x, t: F.cross_entropy(x, t([0.0, 1.0])), TypeError, "cross_entropy: expected integer class labels, got fl"),
    (lambda x, t: F.nll_loss(x, t([0.0, 1.0])), TypeError, "nll_loss: expected integer class labels, got float32"),
    (lambda x, t: F.cross_entropy(x, t([0, 1, 2])), ValueError,
     r"cross_entropy: for an input of shape \(2, 3\) expected class labels of shape \(2,\), or probabilities of shape "
     r"\(2, 3\); got int64 of shape \(3,\)"),
    (lambda x, t: F.cross_entropy(x, t([[0, 1, 0], [0, 0, 1]])), ValueError, r"got int64 of shape \(2, 3\)"),
    (lambda x, t: F.nll_loss(x, x), ValueError, r"expected class labels of shape \(2,\); got float32"),
    (lambda x, t: F.cross_entropy(t(1.0), t(0)), ValueError, r"expected an input of shape \(N, C\).*got \(\)"),
    (lambda x, t: F.cross_entropy(x, t([0, 1]), t([1.0])), ValueError, "one weight for each of 3 classes, got shape"),
    (lambda x, t: F.cross_entropy(x, t([0, 1]), label_smoothing=1.5), ValueError, r"label_smoothing in \[0, 1\]"),
    (lambda x, t: F.cross_entropy(x, t([0, 1]), reduction="avg"), ValueError, "'mean', 'sum' or 'none', got 'avg'"),
    (lambda x, t: F.cross_entropy(x, x, ignore_index=1), ValueError, "ignore_index is for class labels"),
    (lambda x, t: F.mse_loss(x, t([1.0, 2.0])), ValueError, r"mse_loss: expected .* \(2, 3\), got \(2,\)"),
    (lambda x, t: F.mse_loss(x, x, reduction=None), ValueError, "expected the reduction"),
    (lambda x, t: F.multi_margin_loss(x, t([0, 1]), p=3), ValueError, "p = 1 or 2, got 3"),
    (lambda x, t: F.multi_margin_loss(gg.zeros((1, 2, 3)), t([[0]])), ValueError, r"\(N, C\) or \(C,\), got \(1"),
    (lambda x, t: nn.CrossEntropyLoss(reduction="max"), ValueError, "expected the reduction"),
    (lambda x, t: F.one_hot(t([0, 5]), 3), IndexError, "one_hot: label 5 is out of range for 3 classes"),
    (lambda x, t: F.one_hot(t([-2, 1])), IndexError, "one_hot: label -2 is out of range for 2 classes"),
    (lambda x, t: F.one_hot(t([0.5])), TypeError, "one_hot: expected integer labels, got float32"),
    (lambda x, t: F.one_hot(gg.zeros(0, dtype=gg.int64)), ValueError, "positive number of classes, got -1 for 0"),
]  # fmt: skip


@pytest.mark.parametrize(("call", "error", "message"), REFUSED)
def test_refused(call, error, message):
    with pytest.raises(error, match=message):
        call(gg.zeros((2, 3)), gg.tensor)
        gg.synchronize()  # on a GPU, labels are looked at then


@pytest.mark.parametrize("shape", [(4,), (2, 3), (), (0, 2)])
def test_one_hot_against_pytorch(shape, rng):
    torch = pytest.importorskip("torch", reason="PyTorch is the oracle of this test")
    labels = numpy.asarray(rng.integers(0, 5, shape))
    y, expected = F.one_hot(gg.tensor(labels), 5), torch.nn.functional.one_hot(torch.tensor(labels), 5)
    assert y.shape == tuple(expected.shape)
    assert y.dtype == gg.int64
    assert (y.numpy() == expected.numpy()).all()


def test_the_weight_of_a_loss_is_a_buffer():
    loss = nn.CrossEntropyLoss(gg.ones(3))
    assert list(loss.state_dict()) == ["weight"]
    assert list(nn.CrossEntropyLoss().state_dict()) == []
    assert loss.to(gg.float64).weight.dtype == gg.float64


@pytest.mark.parametrize("f", [F.nll_loss, F.multi_margin_loss, partial(F.multi_margin_loss, p=2), F.cross_entropy])
def test_losses_of_labels_to_second_order_and_of_many_samples(f, rng):
    """``of_label`` and ``margins``: their gradients, the gradients of these, and both under vmap."""
    x, t = gg.tensor(rng.standard_normal((3, 5, 4))), gg.tensor(rng.integers(0, 4, (3, 5)))
    assert gg.gradcheck(lambda v: f(v * v, t[0]), x[0])
    assert gg.gradgradcheck(lambda v: f(v * v, t[0]), x[0])
    for scores, labels in ((x, t), (x[:, 0], t[:, 0])):
        found = gg.vmap(gg.grad(f))(scores, labels).numpy()
        for one, score, label in zip(found, scores, labels, strict=True):
            numpy.testing.assert_allclose(one, gg.grad(f)(score, label).numpy(), atol=1e-12)
