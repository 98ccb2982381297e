"""Losses of labels that are sequences or sets: CTC and the hinge loss of several labels, against PyTorch."""

import numpy
import pytest

import gpugrad as gg
from gpugrad import nn
from gpugrad.nn import functional as F

ROWS = [[1, 1, 2, 3], [2, 3, 4, 1], [1, 2, 2, 2], [4, 4, 4, 4]]
# targets, input lengths, target lengths; frames are (12, 4, 5)
SEQUENCES = {
    "rows": (ROWS, [12, 9, 10, 9], [4, 1, 3, 4]),
    "one after the other": ([1, 1, 2, 3, 2, 1, 2, 2], [12, 9, 10, 9], [4, 1, 0, 3]),
    "some that do not fit": (ROWS, [12, 9, 4, 5], [4, 0, 4, 4]),
    "some without frames": (ROWS, [12, 0, 10, 0], [4, 0, 3, 1]),
}


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("zero_infinity", [False, True])
@pytest.mark.parametrize("reduction", ["none", "mean", "sum"])
@pytest.mark.parametrize("case", SEQUENCES)
def test_sequences_against_pytorch(case, reduction, zero_infinity, dtype, rng):
    torch = pytest.importorskip("torch", reason="PyTorch is the oracle of this test")
    targets, *lengths = SEQUENCES[case]
    tolerance = 1e-9 if dtype == "float64" else 1e-5
    data = rng.standard_normal((12, 4, 5)).astype(dtype)
    x, t = gg.tensor(data, requires_grad=True), torch.tensor(data, requires_grad=True)
    y = F.ctc_loss(F.log_softmax(x), gg.tensor(targets), *map(gg.tensor, lengths), 0, reduction, zero_infinity)
    logs = torch.nn.functional.log_softmax(t, -1)
    e = torch.nn.functional.ctc_loss(logs, torch.tensor(targets), *map(torch.tensor, lengths), 0, reduction,
                                     zero_infinity)  # fmt: skip
    assert y.dtype == dtype
    numpy.testing.assert_allclose(y.numpy(), e.detach().numpy(), rtol=tolerance)
    y.sum().backward()
    e.sum().backward()
    expected = numpy.nan_to_num(t.grad.numpy())  # PyTorch's of a sequence that does not fit is NaN
    numpy.testing.assert_allclose(x.grad.numpy(), expected, atol=tolerance)
    module = nn.CTCLoss(reduction=reduction, zero_infinity=zero_infinity)
    numpy.testing.assert_array_equal(module(F.log_softmax(x), gg.tensor(targets), *lengths).numpy(), y.numpy())


@pytest.mark.parametrize("case", ["rows", "one after the other"])
def test_sequences_by_differences(case, rng):
    targets, *lengths = SEQUENCES[case]
    x = gg.tensor(rng.standard_normal((12, 4, 5)))  # of any numbers, not only logarithms of probabilities
    assert gg.gradcheck(lambda x: F.ctc_loss(x, gg.tensor(targets), *lengths), x)
    assert gg.gradgradcheck(lambda x: F.ctc_loss(x, gg.tensor(targets), *lengths), x, fast_mode=True)


def test_one_sequence_another_blank_and_impossible_classes(rng):
    torch = pytest.importorskip("torch", reason="PyTorch is the oracle of this test")
    data = rng.standard_normal((6, 4))
    data[:, 0] = -1e4
    t = torch.tensor(data, requires_grad=True)
    data[:, 0] = -numpy.inf  # with which PyTorch's gradient is NaN
    x = gg.tensor(data, requires_grad=True)
    y = F.ctc_loss(F.log_softmax(x), gg.tensor([1, 2]), gg.tensor(6), gg.tensor(2), blank=3)
    lengths = torch.tensor(6), torch.tensor(2)
    e = torch.nn.functional.ctc_loss(torch.nn.functional.log_softmax(t, -1), torch.tensor([1, 2]), *lengths, blank=3)
    y.backward()
    e.backward()
    assert y.shape == ()
    assert y.item() == pytest.approx(e.item(), rel=1e-12)
    numpy.testing.assert_allclose(x.grad.numpy(), t.grad.numpy(), atol=1e-12)


REFUSED = [
    ({"log_probs": gg.zeros(3, device="cpu")}, ValueError, r"shape \(T, N, C\) or \(T, C\), got \(3,\)"),
    ({"blank": 3}, ValueError, r"expected a blank in \[0, 3\), got 3"),
    ({"targets": [[1, 3], [1, 1]]}, IndexError, "label 3 is out of range for 3 classes, of which 0 is the blank"),
    ({"targets": [[1, 0], [1, 1]]}, IndexError, "label 0 is out of range"),
    ({"targets": [[1.0, 2.0], [1.0, 1.0]]}, TypeError, "expected integer labels, got float32"),
    ({"targets": [[1], [1]]}, ValueError, r"expected targets of shape \(2, S\) .* got shape \(2, 1\)"),
    ({"targets": [1, 2, 1]}, ValueError, "expected 4 targets by their lengths, got 3"),
    ({"input_lengths": [5, 4]}, ValueError, r"an input length of at least 0 and at most 4, got \[5, 4\]"),
    ({"target_lengths": [2]}, ValueError, r"a target length for each of 2 sequences, got shape \(1,\)"),
    ({"reduction": "all"}, ValueError, "expected the reduction"),
]


@pytest.mark.parametrize(("wrong", "error", "message"), REFUSED)
def test_refused(wrong, error, message):
    fine = {"log_probs": gg.zeros((4, 2, 3)), "targets": [[1, 2], [1, 1]], "input_lengths": [4, 4],
            "target_lengths": [2, 2]}  # fmt: skip
    with pytest.raises(error, match=message):
        F.ctc_loss(**{**fine, **wrong})


# -------------------------------------------------------------------- several labels a row


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("reduction", ["none", "mean", "sum"])
@pytest.mark.parametrize("labels", [[[3, 0, -1, 1], [1, 1, 2, -1], [-1, 2, 3, 0], [0, 1, 2, 3]], [2, -1, -1, -1]])
def test_several_labels_against_pytorch(labels, reduction, dtype, rng):
    torch = pytest.importorskip("torch", reason="PyTorch is the oracle of this test")
    tolerance = 1e-9 if dtype == "float64" else 1e-5
    data = rng.standard_normal(numpy.shape(labels)).astype(dtype)
    x, t = gg.tensor(data, requires_grad=True), torch.tensor(data, requires_grad=True)
    y = F.multilabel_margin_loss(x, gg.tensor(labels), reduction=reduction)
    e = torch.nn.functional.multilabel_margin_loss(t, torch.tensor(labels), reduction=reduction)
    assert y.shape == tuple(e.shape)
    numpy.testing.assert_allclose(y.numpy(), e.detach().numpy(), rtol=tolerance)
    y.sum().backward()
    e.sum().backward()
    numpy.testing.assert_allclose(x.grad.numpy(), t.grad.numpy(), atol=tolerance)
    assert (nn.MultiLabelMarginLoss(reduction=reduction)(x, gg.tensor(labels)) == y).all()
    if dtype == "float64":
        assert gg.gradcheck(lambda x: F.multilabel_margin_loss(x, gg.tensor(labels)), gg.tensor(data))
        assert gg.gradgradcheck(lambda x: F.multilabel_margin_loss(x, gg.tensor(labels)), gg.tensor(data))


@pytest.mark.parametrize(
    ("labels", "error", "message"),
    [
        ([[3, 0, -1]], IndexError, "multilabel_margin_loss: label 3 is out of range for 3 classes"),
        ([[-2, 0, -1]], IndexError, "multilabel_margin_loss: label -2 is out of range"),
        ([[0.0, 1.0, 2.0]], TypeError, "multilabel_margin_loss: expected integer class labels, got float32"),
        ([[0, 1]], ValueError, r"expected labels of the shape of the input, \(1, 3\), got \(1, 2\)"),
    ],
)
def test_wrong_labels(labels, error, message):
    with pytest.raises(error, match=message):
        F.multilabel_margin_loss(gg.zeros((1, 3)), gg.tensor(labels))
        gg.synchronize()


def test_a_class_at_the_hinge_gets_no_gradient():
    x = gg.tensor([[1.0, 0.0, -1.0]], requires_grad=True)  # 1 - 1 + 0 is exactly 0
    F.multilabel_margin_loss(x, gg.tensor([[0, -1, -1]])).backward()
    assert x.grad.tolist() == [[0.0, 0.0, 0.0]]
