"""Losses of numbers, probabilities, pairs and triples, and distances, against PyTorch; and what they refuse."""

import inspect
import warnings

import numpy
import pytest

import gpugrad as gg
from gpugrad import nn
from gpugrad.nn import functional as F

TOLERANCE = {"float64": 1e-9, "float32": 1e-5}
REDUCTIONS = ("mean", "sum", "none")


def numbers(*shapes):
    return lambda rng: [rng.standard_normal(s) for s in shapes]


def unit(*shapes):
    return lambda rng: [rng.random(s) for s in shapes]


def signs(*shapes):
    """Numbers, and at last labels of 1 and -1."""
    return lambda rng: [*(rng.standard_normal(s) for s in shapes[:-1]), numpy.sign(rng.standard_normal(shapes[-1]))]


def flags(shape):
    return lambda rng: [rng.standard_normal(shape), (rng.random(shape) > 0.5).astype(float)]


def counts(shape):
    return lambda rng: [rng.random(shape) + 0.1, rng.integers(0, 6, shape).astype(float)]


def variances(shape, var):
    return lambda rng: [*(rng.standard_normal(shape) for _ in range(2)), rng.random(var) + 0.2]


def distributions(shape, log):
    def made(rng):
        x, t = (a - numpy.log(numpy.exp(a).sum(-1, keepdims=True)) for a in rng.standard_normal((2, *shape)))
        return [x, t if log else numpy.exp(t)]

    return made


S = (4, 3)
LABELLED = ("hinge", "margin", "cosine_emb", "soft", "poisson")
"""Their last input is a constant: labels, or counts."""
V = {"weight": [0.5, 1.0, 2.0]}
W = {"weight": numpy.linspace(0.5, 2, 12).reshape(S).tolist()}
# function, module, inputs, options of both
CASES = [
    ("mse_loss", "MSELoss", numbers(S, S), {}),
    ("mse_loss", None, numbers(S, S), W),
    ("l1_loss", "L1Loss", numbers(S, S), {}),
    ("l1_loss", None, numbers(S, S), W),
    ("smooth_l1_loss", "SmoothL1Loss", numbers(S, S), {}),
    ("smooth_l1_loss", "SmoothL1Loss", numbers(S, S), {"beta": 0.3}),
    ("smooth_l1_loss", "SmoothL1Loss", numbers(S, S), {"beta": 0.0}),
    ("huber_loss", "HuberLoss", numbers(S, S), {"delta": 0.7}),
    ("huber_loss", None, numbers(S, S), W),
    ("poisson_nll_loss", "PoissonNLLLoss", counts(S), {}),
    ("poisson_nll_loss", "PoissonNLLLoss", counts(S), {"log_input": False, "full": True, "eps": 1e-3}),
    ("gaussian_nll_loss", "GaussianNLLLoss", variances(S, S), {}),
    ("gaussian_nll_loss", "GaussianNLLLoss", variances(S, (4,)), {"full": True}),
    ("gaussian_nll_loss", "GaussianNLLLoss", variances(S, (4, 1)), {"eps": 0.7}),
    ("binary_cross_entropy", "BCELoss", unit(S, S), {}),
    ("binary_cross_entropy", "BCELoss", unit(S, S), V),
    ("binary_cross_entropy_with_logits", "BCEWithLogitsLoss", flags(S), {}),
    ("binary_cross_entropy_with_logits", "BCEWithLogitsLoss", flags(S), {**V, "pos_weight": [0.5, 3.0, 2.0]}),
    ("kl_div", "KLDivLoss", distributions(S, False), {}),
    ("kl_div", "KLDivLoss", distributions(S, True), {"log_target": True}),
    ("soft_margin_loss", "SoftMarginLoss", signs(S, S), {}),
    ("multilabel_soft_margin_loss", "MultiLabelSoftMarginLoss", flags(S), {}),
    ("multilabel_soft_margin_loss", "MultiLabelSoftMarginLoss", flags(S), V),
    ("hinge_embedding_loss", "HingeEmbeddingLoss", signs(S, S), {}),
    ("hinge_embedding_loss", "HingeEmbeddingLoss", signs(S, (3,)), {"margin": 0.5}),
    ("margin_ranking_loss", "MarginRankingLoss", signs((5,), (5,), (5,)), {}),
    ("margin_ranking_loss", "MarginRankingLoss", signs(S, S, (1, 3)), {"margin": 0.5}),
    ("cosine_embedding_loss", "CosineEmbeddingLoss", signs(S, S, (4,)), {}),
    ("cosine_embedding_loss", "CosineEmbeddingLoss", signs((3,), (3,), ()), {"margin": -0.5}),
    ("triplet_margin_loss", "TripletMarginLoss", numbers(S, S, S), {}),
    ("triplet_margin_loss", "TripletMarginLoss", numbers(S, S, S), {"margin": 3.0, "p": 1, "swap": True}),
    ("triplet_margin_loss", "TripletMarginLoss", numbers((3,), (3,), (3,)), {"p": 3.0, "eps": 0.1}),
    ("triplet_margin_with_distance_loss", "TripletMarginWithDistanceLoss", numbers(S, S, S), {"margin": 2.0}),
    ("triplet_margin_with_distance_loss", "TripletMarginWithDistanceLoss", numbers(S, S, S), {"swap": True}),
]
DISTANCES = [
    ("cosine_similarity", "CosineSimilarity", numbers(S, S), {}),
    ("cosine_similarity", "CosineSimilarity", numbers((2, 4, 3), (4, 1)), {"dim": 1}),
    ("cosine_similarity", "CosineSimilarity", numbers(S, (3,)), {"dim": 0, "eps": 0.1}),
    ("cosine_similarity", "CosineSimilarity", numbers(S, S), {"dim": -1, "eps": 100.0}),
    ("pairwise_distance", "PairwiseDistance", numbers(S, S), {}),
    ("pairwise_distance", "PairwiseDistance", numbers(S, (3,)), {"p": 1.0, "keepdim": True}),
    ("pairwise_distance", "PairwiseDistance", numbers((3,), (3,)), {"p": 3.5, "eps": 0.1}),
    ("normalize", None, numbers(S), {}),
    ("normalize", None, numbers((2, 4, 3)), {"p": 1.0, "dim": 2}),
    ("normalize", None, numbers(S), {"p": 3.0, "eps": 100.0}),
    ("cdist", None, numbers(S, (5, 3)), {}),
    ("cdist", None, numbers((2, 1, 4, 3), (3, 5, 3)), {"p": 1.0}),
    ("cdist", None, numbers(S, (5, 3)), {"p": 3.0}),
    ("cdist", None, numbers(S, (5, 3)), {"p": float("inf")}),
    ("cdist", None, numbers(S, (5, 3)), {"compute_mode": "use_mm_for_euclid_dist"}),
    ("cdist", None, numbers((30, 3), (5, 3)), {}),
    ("cdist", None, numbers((0, 3), (5, 3)), {}),
]
ALL = [(*c, r) for c in CASES for r in (*REDUCTIONS, *(["batchmean"] if c[0] == "kl_div" else []))]
ALL += [(*c, None) for c in DISTANCES]
ONCE = [(*c, "none") for c in CASES] + [(*c, None) for c in DISTANCES]


def arrays(options, make):
    return {k: make(v) if isinstance(v, list) else v for k, v in options.items()}


@pytest.mark.parametrize(
    ("name", "module", "inputs", "options", "reduction", "dtype"),
    [*((*c, "float64") for c in ALL), *((*c, "float32") for c in ONCE)],
)
def test_against_pytorch(name, module, inputs, options, reduction, dtype, rng):
    """Value, gradients and second derivatives; the module computes the same."""
    torch = pytest.importorskip("torch", reason="PyTorch is the oracle of this test")
    given = [numpy.asarray(a, dtype) for a in inputs(rng)]
    options = {**options, **({"reduction": reduction} if reduction else {})}
    labelled = name.startswith(LABELLED)
    wanted = [True] * (len(given) - labelled) + [False] * labelled
    xs = [gg.tensor(a, requires_grad=w) for a, w in zip(given, wanted, strict=True)]
    ts = [torch.tensor(a, requires_grad=w) for a, w in zip(given, wanted, strict=True)]
    ours = arrays(options, lambda v: gg.tensor(numpy.asarray(v, dtype)))
    theirs = arrays(options, lambda v: torch.tensor(v, dtype=getattr(torch, dtype)))
    function = getattr(torch.nn.functional, name, None) or getattr(torch, name)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        e = function(*ts, **theirs)
    y = getattr(F, name)(*xs, **ours)
    assert y.shape == tuple(e.shape)
    assert y.dtype == dtype

    def close(a, b, scale=1):
        tolerance = scale * TOLERANCE[dtype]
        numpy.testing.assert_allclose(a.numpy(), b.numpy(force=True), rtol=tolerance, atol=tolerance)

    close(y, e)
    if module:
        made = getattr(nn, module)(**ours)
        close(made(*xs), e)
        assert set(made.state_dict()) == {k for k in ours if k.endswith("weight")}
    g = numpy.asarray(rng.standard_normal(e.shape), dtype)
    xs, ts = ([v for v in vs if v.requires_grad] for vs in (xs, ts))
    first = torch.autograd.grad(e, ts, torch.tensor(g), create_graph=True, allow_unused=True, materialize_grads=True)
    y.backward(gg.tensor(g), create_graph=True)
    mine = [gg.zeros_like(x) if x.grad is None else x.grad for x in xs]
    for a, b in zip(mine, first, strict=True):
        close(a, b)
    if (name == "cdist" and "compute_mode" not in options) or not any(b.requires_grad for b in first):
        return  # PyTorch has no second derivative, or it is 0
    penalty = sum((b * b).sum() for b in first)
    second = torch.autograd.grad(penalty, ts, allow_unused=True, materialize_grads=True)
    squares = sum((a * a).sum() for a in mine)
    for x in xs:
        x.grad = None
    if squares.requires_grad:
        squares.backward()
    for x, b in zip(xs, second, strict=True):
        close(gg.zeros_like(x) if x.grad is None else x.grad, b, scale=30)


@pytest.mark.parametrize(("name", "module", "inputs", "options", "reduction"), ONCE)
def test_by_differences(name, module, inputs, options, reduction, rng):
    if options.get("eps") in (0.7, 100.0):
        pytest.skip("below eps the gradient passes as if there were none")
    xs = [gg.tensor(numpy.asarray(a)) for a in inputs(rng)]
    ours = arrays({**options, **({"reduction": reduction} if reduction else {})}, lambda v: gg.tensor(numpy.asarray(v)))
    labels = xs.pop() if name.startswith(LABELLED) else None

    def f(*xs):
        return getattr(F, name)(*xs, *([] if labels is None else [labels]), **ours)

    if not xs[0].size:
        return
    assert gg.gradcheck(f, xs)
    assert gg.gradgradcheck(f, xs)


@pytest.mark.parametrize("name", sorted({c[0] for c in CASES + DISTANCES if c[0] != "cosine_similarity"}))
def test_arguments_are_pytorchs(name):
    torch = pytest.importorskip("torch", reason="PyTorch is the oracle of this test")
    try:
        theirs = inspect.signature(getattr(torch.nn.functional, name, None) or getattr(torch, name)).parameters
    except ValueError:
        pytest.skip("PyTorch says nothing of its arguments")
    ours = inspect.signature(getattr(F, name)).parameters
    kept = [n for n in theirs if n not in ("size_average", "reduce", "out")]
    assert list(ours) == kept
    for n in kept:
        assert ours[n].default == theirs[n].default


@pytest.mark.parametrize("name", sorted({c[1] for c in CASES + DISTANCES if c[1]}))
def test_arguments_of_modules_are_pytorchs(name):
    torch = pytest.importorskip("torch", reason="PyTorch is the oracle of this test")
    theirs = inspect.signature(getattr(torch.nn, name)).parameters
    ours = inspect.signature(getattr(nn, name)).parameters
    kept = [n for n in theirs if n not in ("size_average", "reduce")]
    assert list(ours) == kept
    assert all(ours[n].default == theirs[n].default for n in kept)


def test_saturated_probabilities_give_finite_losses_and_gradients():
    p = gg.tensor([0.0, 1.0, 0.0, 1.0], requires_grad=True)
    loss = F.binary_cross_entropy(p, gg.tensor([0.0, 1.0, 1.0, 0.0]), reduction="none")
    assert loss.tolist() == [0.0, 0.0, 100.0, 100.0]
    loss.sum().backward()
    numpy.testing.assert_allclose(p.grad.numpy(), [0.0, 0.0, -1e12, 1e12])


def test_logits_of_any_size():
    x = gg.tensor([1e4, -1e4, 1e4, -1e4], requires_grad=True)
    loss = F.binary_cross_entropy_with_logits(x, gg.tensor([1.0, 0.0, 0.0, 1.0]), reduction="none")
    assert loss.tolist() == [0.0, 0.0, 1e4, 1e4]
    loss.sum().backward()
    assert x.grad.tolist() == [0.0, 0.0, 1.0, -1.0]
    assert F.soft_margin_loss(gg.tensor([1e4]), gg.tensor([-1.0])).item() == 1e4


def test_gradients_at_kinks_are_pytorchs():
    x = gg.tensor([0.0, 1.0, 2.0], requires_grad=True)
    for f, expected in [
        (lambda: F.l1_loss(x, 1.0, reduction="sum"), [-1.0, 0.0, 1.0]),
        (lambda: F.huber_loss(x, gg.tensor([0.0, 0.0, 0.0]), reduction="sum"), [0.0, 1.0, 1.0]),
        (lambda: F.hinge_embedding_loss(x, gg.tensor([-1, -1, -1]), reduction="sum"), [-1.0, -1.0, 0.0]),
        (lambda: F.margin_ranking_loss(x, gg.zeros(3), gg.tensor([1, 1, 1]), reduction="sum"), [-1.0, 0.0, 0.0]),
    ]:
        x.grad = None
        f().backward()
        assert x.grad.tolist() == expected


def test_vectors_of_zeros_and_equal_vectors():
    x = gg.zeros((2, 3)).requires_grad_()
    for y in (F.normalize(x), F.cosine_similarity(x, x), F.cdist(x, x), F.pairwise_distance(x, x),
              F.cdist(x, x, compute_mode="use_mm_for_euclid_dist")):  # fmt: skip
        x.grad = None
        y.sum().backward()
        assert numpy.isfinite(x.grad.numpy()).all()
    assert F.cosine_similarity(gg.full((1, 2), 1e15), gg.full((1, 2), 1e15)).item() == pytest.approx(1)


def test_means_of_nothing_are_nan():
    x = gg.zeros((0, 3))
    for f in (F.l1_loss, F.huber_loss, F.binary_cross_entropy, F.kl_div, F.soft_margin_loss, F.poisson_nll_loss):
        assert numpy.isnan(f(x, x).item())
        assert f(x, x, reduction="sum").item() == 0


PAIR = ["mse_loss", "l1_loss", "huber_loss", "smooth_l1_loss", "poisson_nll_loss", "binary_cross_entropy",
        "binary_cross_entropy_with_logits", "kl_div", "soft_margin_loss", "multilabel_soft_margin_loss"]  # fmt: skip


@pytest.mark.parametrize("name", PAIR)
def test_half_precision_stays(name):
    x = gg.full((2, 3), 0.5, dtype=gg.float16).requires_grad_()
    loss = getattr(F, name)(x, gg.full((2, 3), 0.25, dtype=gg.float16))
    loss.backward()
    assert loss.dtype == x.grad.dtype == gg.float16
    assert numpy.isfinite(loss.item())


@pytest.mark.parametrize(
    "name", [name for name in PAIR if name not in ("kl_div", "poisson_nll_loss", "soft_margin_loss")]
)
def test_shapes_that_differ_are_refused(name):
    with pytest.raises(ValueError, match=rf"{name}: expected a target of the shape of the input, \(2, 3\), got \(3,\)"):
        getattr(F, name)(gg.zeros((2, 3)), gg.zeros(3))
    with pytest.raises(ValueError, match="expected the reduction 'mean', 'sum' or 'none', got 'most'"):
        getattr(F, name)(gg.zeros((2, 3)), gg.zeros((2, 3)), reduction="most")


@pytest.mark.parametrize(("call", "message"), [
    (lambda x: F.mse_loss(x, x, weight=gg.ones(3)), r"mse_loss: expected weights of the shape of the input"),
    (lambda x: F.huber_loss(x, x, delta=0), "huber_loss: expected a positive delta, got 0"),
    (lambda x: F.smooth_l1_loss(x, x, beta=-1.0), "smooth_l1_loss: expected a beta of at least 0, got -1.0"),
    (lambda x: F.gaussian_nll_loss(x, x, -1.0), "gaussian_nll_loss: expected variances of at least 0, got -1.0"),
    (lambda x: F.gaussian_nll_loss(x, x, gg.ones(3)), r"expected variances of shape \(2, 3\), \(2,\), .* got \(3,\)"),
    (lambda x: F.binary_cross_entropy(x, x, gg.ones(2)), r"weight that broadcasts to \(2, 3\), got shape \(2,\)"),
    (lambda x: F.binary_cross_entropy_with_logits(x, x, pos_weight=gg.ones((4, 2, 3))), "expected a pos_weight that"),
    (lambda x: F.multilabel_soft_margin_loss(gg.ones(()), gg.ones(())), r"expected an input of shape \(..., C\)"),
    (lambda x: F.hinge_embedding_loss(x, gg.ones(2)), r"hinge_embedding_loss: .* input \(2, 3\), target \(2,\)"),
    (lambda x: F.margin_ranking_loss(x, x, gg.ones(2)), r"margin_ranking_loss: .* target \(2,\)"),
    (lambda x: F.cosine_embedding_loss(x, x, gg.ones(3)), r"expected inputs of shape \(N, D\) with labels \(N,\)"),
    (lambda x: F.triplet_margin_loss(x, x, gg.ones(3)), r"triplet_margin_loss: .* negative \(3,\)"),
    (lambda x: F.triplet_margin_with_distance_loss(x, x, x, margin=0.0), "expected a positive margin, got 0.0"),
    (lambda x: nn.TripletMarginWithDistanceLoss(margin=-1.0), "expected a positive margin, got -1.0"),
    (lambda x: nn.KLDivLoss(reduction="all"), "expected the reduction"),
    (lambda x: F.cosine_similarity(x, x, dim=2), r"cosine_similarity: there is no axis 2 in the shape \(2, 3\)"),
    (lambda x: F.cdist(x, gg.ones((2, 4))), r"cdist: expected shapes \(..., P, D\) and \(..., R, D\), got \(2, 3\)"),
    (lambda x: F.cdist(x, x, p=-1.0), "cdist: expected a p of at least 0, got -1.0"),
    (lambda x: F.cdist(x, x, compute_mode="fast"), "cdist: expected a compute_mode of .* got 'fast'"),
])  # fmt: skip
def test_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call(gg.ones((2, 3)))


@pytest.mark.parametrize("p", [2.0, 1.0, 3.5])
def test_pdist_is_the_upper_triangle_of_cdist(p, rng):
    """PyTorch, which spellings.py compares it with, has no second derivative of it."""
    x = gg.tensor(rng.normal(size=(4, 3)), requires_grad=True)
    whole = F.cdist(x.detach(), x.detach(), p).numpy()
    numpy.testing.assert_allclose(F.pdist(x, p).detach().numpy(), whole[numpy.triu_indices(4, 1)], rtol=1e-9)
    assert gg.gradcheck(lambda x: F.pdist(x, p), x)
    assert gg.gradgradcheck(lambda x: F.pdist(x, p), x)
    with pytest.raises(ValueError, match=r"pdist: expected an input of shape \(N, M\), got \(3,\)"):
        F.pdist(gg.zeros(3))
