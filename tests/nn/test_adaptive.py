"""The adaptive softmax against PyTorch, and what it refuses."""

import numpy
import pytest

import gpugrad as gg
from gpugrad import nn


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("labels", [[0, 3, 7, 11, 12, 19], [0, 1, 2, 0, 1, 2], 15])
def test_against_pytorch(labels, bias, rng):
    torch = pytest.importorskip("torch", reason="PyTorch is the oracle of this test")
    arguments = (16, 20, [4, 12], 2.0, bias)
    ours = nn.AdaptiveLogSoftmaxWithLoss(*arguments, dtype=gg.float64)
    theirs = torch.nn.AdaptiveLogSoftmaxWithLoss(*arguments, dtype=torch.float64)
    assert list(ours.state_dict()) == list(theirs.state_dict())
    theirs.load_state_dict({k: torch.tensor(v.numpy()) for k, v in ours.state_dict().items()})
    data = rng.standard_normal((*numpy.shape(labels), 16))
    x, t = gg.tensor(data, requires_grad=True), torch.tensor(data, requires_grad=True)
    y, e = ours(x, gg.tensor(labels)), theirs(t, torch.tensor(labels))
    for a, b in zip(y, e, strict=True):
        assert a.shape == tuple(b.shape)
        numpy.testing.assert_allclose(a.numpy(), b.detach().numpy(), rtol=1e-9)
    y.loss.backward()
    e.loss.backward()
    for a, b in zip([x, *ours.parameters()], [t, *theirs.parameters()], strict=True):
        given = numpy.zeros(a.shape) if b.grad is None else b.grad.numpy()
        found = numpy.zeros(a.shape) if a.grad is None else a.grad.numpy()
        numpy.testing.assert_allclose(found, given, rtol=1e-9, atol=1e-12)
    if x.ndim == 2:
        numpy.testing.assert_allclose(ours.log_prob(x).numpy(), theirs.log_prob(t).detach().numpy(), rtol=1e-9)
        assert (ours.predict(x).numpy() == theirs.predict(t).numpy()).all()
        assert gg.gradcheck(lambda x: ours(x, gg.tensor(labels)).loss, x.detach())
        assert gg.gradgradcheck(lambda x: ours(x, gg.tensor(labels)).loss, x.detach())


@pytest.mark.parametrize("cutoffs", [[], [3, 2], [0, 2], [5], [2, 2], [1.5]])
def test_wrong_cutoffs(cutoffs):
    with pytest.raises(ValueError, match="expected cutoffs that rise from at least 1 to at most 4, got "):
        nn.AdaptiveLogSoftmaxWithLoss(4, 5, cutoffs)


def test_wrong_inputs():
    layer = nn.AdaptiveLogSoftmaxWithLoss(4, 5, [2])
    with pytest.raises(ValueError, match=r"expected shapes \(N, D\) and \(N,\), .* got \(3, 4\) and \(2,\)"):
        layer(gg.ones((3, 4)), gg.tensor([1, 2]))
    with pytest.raises(IndexError, match="AdaptiveLogSoftmaxWithLoss: label 5 is out of range for 5 classes"):
        layer(gg.ones((1, 4)), gg.tensor([5]))
