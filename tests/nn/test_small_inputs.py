"""Functions of ``nn.functional`` with inputs without axes and without elements, and targets that broadcast."""

from __future__ import annotations

import numpy
import pytest

import gpugrad as gg

F = gg.nn.functional


def row(name, *shapes, kinds=None, **options):
    return name, shapes, kinds or "f" * len(shapes), options


ROWS = [
    *[row(name, (), dim=dim) for name in ("softmax", "log_softmax", "softmin", "normalize") for dim in (0, -1)],
    *[row(name, shape, dim=None) for name in ("softmax", "log_softmax", "softmin")
      for shape in ((), (3,), (2, 3), (2, 3, 2), (2, 3, 1, 2))],
    *[row(name, (2, 3), dim=1, dtype="float64") for name in ("softmax", "log_softmax", "softmin")],
    *[row(name, (2, 3), dim=1, dtype="float64", kinds="i") for name in ("softmax", "log_softmax", "softmin")],
    row("cosine_similarity", (), (), dim=0), row("cosine_similarity", (0, 3), (0, 3)),
    row("pairwise_distance", (), ()), row("pairwise_distance", (), (), keepdim=True),
    *[row("triplet_margin_loss", shape, shape, shape, reduction=r) for shape in ((), (0, 3)) for r in ("mean", "none")],
    *[row("multi_margin_loss", *shapes, kinds="fz", reduction=r)
      for shapes in (((), ()), ((3,), ()), ((3,), (1,)), ((1,), (1,))) for r in ("mean", "none")],
    row("multilabel_margin_loss", (), (), kinds="fz"), row("multilabel_margin_loss", (3,), (3,), kinds="fz"),
    *[row("multilabel_soft_margin_loss", shape, shape, kinds="fp", reduction=r)
      for shape in ((0,), (3, 0), (0, 3)) for r in ("mean", "sum", "none")],
    *[row("cross_entropy", (2, 0), (2, 0), kinds="fp", reduction=r) for r in ("mean", "sum", "none")],
    *[row(name, *shapes, kinds=kinds, reduction=r)
      for name, kinds in (("poisson_nll_loss", "fp"), ("kl_div", "fp"), ("soft_margin_loss", "fz"))
      for shapes in (((2, 3), (3,)), ((3,), (2, 3)), ((2, 3), ()), ((2, 3), (2, 1)), ((0, 3), (3,)))
      if name != "soft_margin_loss" or shapes[0] != (3,)  # PyTorch broadcasts its target only
      for r in ("mean", "none")],
    *[row("gaussian_nll_loss", *shapes, kinds="fpp", reduction="mean", full=True)
      for shapes in (((2, 3), (3,), (2, 3)), ((2, 3), (2, 1), (2,)), ((2, 3), (), (2, 1)), ((2, 1), (2, 3), (2, 1)))],
    *[row("batch_norm", (0, 3, *rest), (3,), (3,), kinds="fcc", training=t)
      for rest in ((), (4,)) for t in (True, False)],
    *[row("batch_norm", shape, None, None, kinds="f--") for shape in ((0, 3), (2, 0, 4), (0,))],
    *[row("pad", (0, 3, 4), pad=(1, 2), mode=mode) for mode in ("constant", "reflect", "replicate", "circular")],
    *[row("pad", (2, 0, 4, 4), pad=(1, 1, 0, 1), mode=mode) for mode in ("constant", "circular")],
    *[row(f"adaptive_{kind}_pool{d}d", (0, *(4,) * d), output_size=2) for kind in ("avg", "max") for d in (1, 2, 3)],
    row("scaled_dot_product_attention", (2, 3, 0), (2, 3, 0), (2, 3, 4)),
]  # fmt: skip

REFUSED = [
    row("softmax", (), dim=1), row("normalize", (), dim=1), row("cosine_similarity", (), (), dim=1),
    row("batch_norm", (2, 3), None, None, kinds="f--"), row("instance_norm", (0, 3, 4), use_input_stats=False),
    row("pad", (2, 3, 0), pad=(1, 1), mode="replicate"), row("pad", (2, 0, 4), pad=(1, 1), mode="reflect"),
    row("adaptive_avg_pool1d", (2, 3, 0), output_size=2),
]  # fmt: skip


def operands(rng, shapes, kinds):
    made = {
        "f": lambda s: rng.standard_normal(s), "p": lambda s: rng.uniform(0.1, 0.9, s),
        "c": lambda s: rng.uniform(0.5, 1.0, s), "z": lambda s: numpy.zeros(s, int) if s is not None else None,
        "i": lambda s: rng.integers(0, 5, s), "-": lambda s: None,
    }  # fmt: skip
    return [made[kind](shape) for shape, kind in zip(shapes, kinds, strict=True)]


def of_torch(torch, name, arrays, kinds, options):
    ts = [
        None if a is None else torch.tensor(a).requires_grad_(kind in "fp")
        for a, kind in zip(arrays, kinds, strict=True)
    ]
    options = {k: getattr(torch, v) if k == "dtype" else v for k, v in options.items()}
    return ts, getattr(torch.nn.functional, name)(*ts, **options)


@pytest.mark.parametrize(("name", "shapes", "kinds", "options"), ROWS)
@pytest.mark.filterwarnings("ignore:Implicit dimension choice", "ignore:reduction. 'mean'")
def test_value_and_gradient_are_pytorchs(name, shapes, kinds, options, rng):
    torch = pytest.importorskip("torch")
    arrays = operands(rng, shapes, kinds)
    ts, expected = of_torch(torch, name, arrays, kinds, options)
    xs = [
        None if a is None else gg.tensor(a, requires_grad=kind in "fp") for a, kind in zip(arrays, kinds, strict=True)
    ]
    y = getattr(F, name)(*xs, **options)
    assert y.shape == tuple(expected.shape)
    assert str(y.dtype) == str(expected.dtype).removeprefix("torch.")
    numpy.testing.assert_allclose(y.numpy(), expected.detach().numpy(), rtol=1e-9, atol=1e-12)
    if y.requires_grad and kinds[0] == "f":
        y.sum().backward()
        expected.sum().backward()
        for x, t, kind in zip(xs, ts, kinds, strict=True):
            if kind in "fp":
                numpy.testing.assert_allclose(x.grad.numpy(), t.grad.numpy(), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize(("name", "shapes", "kinds", "options"), REFUSED)
def test_what_pytorch_refuses_is_refused(name, shapes, kinds, options, rng):
    arrays = operands(rng, shapes, kinds)
    with pytest.raises((ValueError, IndexError), match=r"axis|axes|running_mean|left of|expected"):
        getattr(F, name)(*[None if a is None else gg.tensor(a) for a in arrays], **options)
    torch = pytest.importorskip("torch")
    with pytest.raises((ValueError, IndexError, RuntimeError)):
        of_torch(torch, name, arrays, kinds, options)


@pytest.mark.parametrize("name", ["gaussian_nll_loss", "poisson_nll_loss", "kl_div", "soft_margin_loss"])
def test_two_shapes_that_both_grow_are_a_mistake(name):
    more = [gg.ones((3, 1))] if name == "gaussian_nll_loss" else []
    with pytest.raises(ValueError, match=rf"{name}: expected a target that broadcasts .* \(3, 1\), .* got \(3,\)"):
        getattr(F, name)(gg.ones((3, 1)), gg.ones(3), *more)
