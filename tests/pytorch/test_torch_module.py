"""What ``gpugrad.torch`` adds to the spellings: gradients of results, Functions, distributions, draws."""

import numpy
import pytest

import gpugrad as gg
import gpugrad.torch as torch


class Scaled(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, factor, w):
        y = x.exp() * w
        ctx.save_for_backward(x, w, y)
        ctx.factor = factor
        return y * factor, (x > 0).sum()

    @staticmethod
    def backward(ctx, g, unused):
        x, _, y = ctx.saved_tensors
        assert ctx.needs_input_grad == (True, False, True)
        return g * y * ctx.factor, None, g * x.exp() * ctx.factor


def scaled(x, w):
    return Scaled.apply(x, 3.0, w)[0]


def test_functions_to_second_order(rng):
    x, w = (gg.tensor(rng.normal(size=3), requires_grad=True) for _ in range(2))
    y, count = Scaled.apply(x, 3.0, w)
    assert not count.requires_grad
    numpy.testing.assert_allclose(y.detach().numpy(), 3 * numpy.exp(x.numpy()) * w.numpy(), rtol=1e-12)
    assert gg.gradcheck(scaled, (x, w))
    (g,) = torch.autograd.grad(scaled(x, w).sum(), w, create_graph=True)
    (second,) = torch.autograd.grad(g.sum(), x)
    numpy.testing.assert_allclose(second.numpy(), 3 * numpy.exp(x.numpy()), rtol=1e-12)
    with torch.no_grad():
        assert not scaled(x, w).requires_grad


def test_functions_say_what_they_cannot():
    with pytest.raises(TypeError, match=r"declare it with gg\.primitive"):
        gg.vmap(lambda x: scaled(x, x))(gg.ones((2, 3)))
    with pytest.raises(TypeError, match="expected a Tensor among the arguments"):
        Scaled.apply(1.0, 2.0, 3.0)

    class Split(torch.autograd.Function):
        @staticmethod
        def forward(x):
            return x * 2

        @staticmethod
        def setup_context(ctx, inputs, output):
            ctx.save_for_backward(*inputs)

        @staticmethod
        def backward(ctx, g):
            return 2 * g + 0 * ctx.saved_tensors[0]

    v = gg.ones(2).requires_grad_()
    Split.apply(v).sum().backward()
    assert v.grad.tolist() == [2.0, 2.0]


def test_grad():
    x, y, unused = (gg.tensor([1.0, 2.0]).requires_grad_() for _ in range(3))
    z = x * y
    one, _ = torch.autograd.grad([z.sum(), (2 * z).sum()], [x, y], retain_graph=True)
    assert one.tolist() == [3.0, 6.0]
    assert x.grad is None
    assert torch.autograd.grad(z, x, gg.tensor([1.0, 0.0]), retain_graph=True)[0].tolist() == [1.0, 0.0]
    assert torch.autograd.grad(z.sum(), (x, unused), allow_unused=True, retain_graph=True)[1] is None
    found = torch.autograd.grad(z.sum(), (x, unused), materialize_grads=True, retain_graph=True)
    assert found[1].tolist() == [0.0, 0.0]
    for inputs, words in ((unused, "do not depend on input 0"), (gg.ones(2), "needs no gradient")):
        with pytest.raises(gg.GradientError, match=words):
            torch.autograd.grad(z.sum(), inputs, retain_graph=True)
    (between,) = torch.autograd.grad((z * z).sum(), z)
    assert between.tolist() == [2.0, 8.0]


def test_draws(device):
    state = gg.random.default_generator.state
    try:
        torch.manual_seed(5)
        one = torch.randn(2, 3)
        torch.manual_seed(5)
        assert torch.randn((2, 3)).tolist() == one.tolist()
        assert one.device == device
        g = torch.Generator().manual_seed(1)
        saved = g.get_state()
        first = torch.rand(4, generator=g)
        g.set_state(saved)
        assert torch.rand(4, generator=g).tolist() == first.tolist()
        weights = gg.tensor([0.0, 1.0, 3.0, 0.0])
        drawn = torch.multinomial(weights, 4000, replacement=True).numpy()
        assert set(drawn) == {1, 2}
        assert 0.7 < (drawn == 2).mean() < 0.8
        assert sorted(torch.multinomial(weights, 2).tolist()) == [1, 2]
        assert torch.multinomial(gg.stack([weights, weights]), 3, True).shape == (2, 3)
        for wrong in (gg.tensor([-1.0, 2.0]), gg.zeros(3), gg.tensor([float("nan"), 1.0])):
            with pytest.raises(ValueError, match="multinomial"):
                torch.multinomial(wrong, 1)
        with pytest.raises(ValueError, match="cannot draw 3"):
            torch.multinomial(weights, 3)
        policy = torch.distributions.Categorical(logits=gg.zeros((2, 3)))
        assert policy.sample((5,)).shape == (5, 2)
        normal = torch.distributions.Normal(gg.zeros(2).requires_grad_(), 1.0)
        assert normal.rsample((3,)).requires_grad
        assert not normal.sample().requires_grad
        x = torch.empty(1000).uniform_(2, 3)
        assert 2 <= x.min().item() < x.max().item() <= 3
        assert abs(torch.empty(4000).exponential_(2.0).mean().item() - 0.5) < 0.05
    finally:
        gg.random.default_generator.state = state


def test_changes_in_place_reach_leaves_and_nobody_else():
    w = gg.ones(3).requires_grad_()
    other = w.detach()
    with pytest.raises(gg.GradientError, match="cannot be changed while recording"):
        w.mul_(2)
    memory = w.data
    with torch.no_grad():
        w.mul_(2).add_(1, alpha=3).clamp_(max=4)
    assert w.tolist() == [4.0] * 3
    assert w.data is memory
    assert other.tolist() == [1.0] * 3
    x = (w * 2).add_(1)
    x.masked_fill_(gg.tensor([True, False, False]), 0.0)
    x.sum().backward()
    assert w.grad.tolist() == [0.0, 2.0, 2.0]
    a = gg.zeros((2, 2))
    b = a[0]
    b.add_(1)
    assert a.tolist() == [[0.0, 0.0]] * 2
    for call in (lambda: a[0].add_(1), lambda: a[0].add_(1, alpha=2), lambda: a.T.zero_(), lambda: a.view(-1).fill_(1)):
        with pytest.raises(TypeError, match="temporary"):
            call()
    with pytest.raises(ValueError, match="does not fit"):
        b.add_(gg.ones((2, 2)))


def test_the_number_of_elements_can_be_called():
    x = gg.zeros((2, 3))
    assert x.size == 6
    assert x.size() == (2, 3)
    assert x.size(-1) == x.size(dim=1) == 3
    assert (gg.ones(2) * x.size).dtype == gg.float32, "a weak number"
    assert gg.ones(x.size(0)).shape == (2,)
    with pytest.raises(IndexError, match="axis 2 is out of bounds"):
        x.size(2)


def test_two_tensors_for_max_say_what_to_write():
    for name in ("max", "min"):
        with pytest.raises(TypeError, match=rf"gg\.{name}imum\(x, y\)"):
            getattr(gg, name)(gg.ones(2), gg.ones(2))
