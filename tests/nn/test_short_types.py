"""Layers and losses in float16 and bfloat16 against float64: one rounding at the end, and none on the way.

Inputs, parameters and upstream gradients are numbers of the short dtype, so both computations begin with the same. What
is given may differ by two units in the last place, and is infinite where the true result is too large.
"""

import numpy
import pytest

import gpugrad as gg
from gpugrad import nn
from gpugrad.nn import functional as F

SCALES = (1e-4, 1.0, 1e3)
LARGEST = {"float16": 65504.0, "bfloat16": 3.3895314e38}
PLACES = {"float16": 11, "bfloat16": 8}
LEAST = {"float16": 2.0**-24, "bfloat16": 2.0**-133}


def short_dtype(name):
    if name == "float16":
        return numpy.dtype(name)
    ml_dtypes = pytest.importorskip("ml_dtypes", reason="the dtype bfloat16 comes from ml_dtypes")
    return numpy.dtype(ml_dtypes.bfloat16)


def units(name, want):
    """The distance of numbers of the short dtype at these values."""
    _, exponent = numpy.frexp(want)
    return numpy.maximum(numpy.ldexp(1.0, exponent - PLACES[name]), LEAST[name])


ROUGH = {"LSTM", "LSTMCell", "TransformerDecoderLayer"}
"""Some numbers on their way are 1e5 times as large as some gradients, whose units float32 does not reach."""


OF_PRODUCTS = {
    "Conv1d", "Conv2d", "ConvTranspose2d", "MultiheadAttention", "TransformerEncoderLayer", "TransformerDecoderLayer",
    "attention", "Linear", "matmul",
}  # fmt: skip
"""On a GPU these leave it to its units for products to sum in float32."""


def complain(name, what, got, want, rough):
    got, want = got.astype("float64"), numpy.asarray(want, "float64")
    if got.shape != want.shape:
        return f"{what}: shape {got.shape} for {want.shape}"
    slack = (
        2 * units(name, numpy.where(numpy.isfinite(want), want, 0))
        + (1e-7 if rough else 0)
        + 2e-6 * abs(want).max(initial=0)
    )
    too_large = abs(want) > LARGEST[name] * (1 - 2.0 ** -PLACES[name])
    with numpy.errstate(invalid="ignore"):
        right = (abs(got - want) <= slack) | (too_large & (numpy.sign(got) == numpy.sign(want)) & (
            numpy.isinf(got) | (abs(got) >= LARGEST[name] * 0.99)))  # fmt: skip
    right |= numpy.isnan(got) & numpy.isnan(want)
    if right.all():
        return None
    at = tuple(numpy.argwhere(~right)[0])
    return f"{what}: {numpy.count_nonzero(~right)} of {right.size} wrong, {got[at]} for {want[at]}"


def normal(*shapes):
    return lambda rng, scale: [rng.standard_normal(s) * scale for s in shapes]


def with_labels(shape, classes):
    return lambda rng, scale: [rng.standard_normal(shape) * scale, rng.integers(0, classes, shape[0])]


def of_two(shape):
    """Numbers, and labels of 1 and -1."""
    return lambda rng, scale: [rng.standard_normal(shape) * scale, numpy.sign(rng.standard_normal(shape))]


def unit(rng, scale):
    return [rng.random((6, 5)), rng.random((6, 5))]


def variances(rng, scale):
    return [*(rng.standard_normal((2, 6, 5)) * scale), (rng.random((6, 5)) + 0.5) * scale]


def distributions(rng, scale):
    return [numpy.log(rng.random((6, 5)) + 0.01), rng.random((6, 5))]


def counts(rng, scale):
    return [rng.standard_normal((6, 5)) * min(scale, 1), rng.integers(0, 9, (6, 5)).astype(float)]


ROW = normal((6, 40))
IMAGE = normal((3, 4, 6, 6))
LINE = normal((3, 4, 12))
PAIR = normal((6, 5), (6, 5))


def steps(*shapes):
    """At most 10: where a gate is 1 to rounding, a recurrent layer knows no more of it."""
    return lambda rng, scale: normal(*shapes)(rng, min(scale, 10.0))


ACTIVATIONS = [
    "ReLU", "LeakyReLU", "ELU", "SELU", "CELU", "GELU", "SiLU", "Mish", "Softplus", "LogSigmoid", "Sigmoid", "Tanh",
    "Hardtanh", "Hardsigmoid", "Hardswish", "Softshrink", "Hardshrink", "Tanhshrink", "Softsign", "ReLU6", "GLU",
    "PReLU",
]  # fmt: skip

ROWS = [
    *((name, lambda name=name: getattr(nn, name)(), ROW) for name in ACTIVATIONS),
    ("GELU tanh", lambda: nn.GELU(approximate="tanh"), ROW),
    ("Softmax", lambda: nn.Softmax(-1), ROW),
    ("Softmin", lambda: nn.Softmin(-1), ROW),
    ("LogSoftmax", lambda: nn.LogSoftmax(-1), ROW),
    ("Linear", lambda: nn.Linear(40, 8), ROW),
    ("Bilinear", lambda: nn.Bilinear(5, 5, 3), PAIR),
    ("LayerNorm", lambda: nn.LayerNorm(40), ROW),
    ("RMSNorm", lambda: nn.RMSNorm(40, eps=1e-5), ROW),
    ("GroupNorm", lambda: nn.GroupNorm(2, 4), IMAGE),
    ("BatchNorm2d", lambda: nn.BatchNorm2d(4), IMAGE),
    ("BatchNorm1d", lambda: nn.BatchNorm1d(40), ROW),
    ("BatchNorm, evaluation", lambda: nn.BatchNorm2d(4).eval(), IMAGE),
    ("InstanceNorm2d", lambda: nn.InstanceNorm2d(4, affine=True), IMAGE),
    ("LocalResponseNorm", lambda: nn.LocalResponseNorm(3), IMAGE),
    ("Conv1d", lambda: nn.Conv1d(4, 3, 3, padding=1), LINE),
    ("Conv2d", lambda: nn.Conv2d(4, 3, 3), IMAGE),
    ("ConvTranspose2d", lambda: nn.ConvTranspose2d(4, 3, 3, stride=2), IMAGE),
    ("AvgPool2d", lambda: nn.AvgPool2d(3, 2), IMAGE),
    ("AdaptiveAvgPool2d", lambda: nn.AdaptiveAvgPool2d(4), IMAGE),
    ("MaxPool2d", lambda: nn.MaxPool2d(3, 2), IMAGE),
    ("LPPool2d", lambda: nn.LPPool2d(2, 3), IMAGE),
    ("Upsample", lambda: nn.Upsample(scale_factor=1.7, mode="bilinear"), IMAGE),
    ("Upsample bicubic", lambda: nn.Upsample(scale_factor=2, mode="bicubic"), IMAGE),
    ("Fold", lambda: nn.Fold((4, 4), 3), normal((2, 18, 4))),
    ("RNN", lambda: nn.RNN(4, 5, num_layers=2), steps((5, 3, 4))),
    ("LSTM", lambda: nn.LSTM(4, 5, bidirectional=True), steps((5, 3, 4))),
    ("GRU", lambda: nn.GRU(4, 5), steps((5, 3, 4))),
    ("LSTMCell", lambda: nn.LSTMCell(4, 5), steps((3, 4))),
    ("MultiheadAttention", lambda: _attention(nn.MultiheadAttention(8, 2)), normal((5, 3, 8))),
    ("TransformerEncoderLayer", lambda: nn.TransformerEncoderLayer(8, 2, 16, dropout=0.0), normal((5, 3, 8))),
    ("TransformerDecoderLayer", lambda: nn.TransformerDecoderLayer(8, 2, 16, dropout=0.0),
     normal((5, 3, 8), (4, 3, 8))),
    ("attention", lambda: F.scaled_dot_product_attention, normal((2, 5, 4), (2, 6, 4), (2, 6, 4))),
    ("EmbeddingBag", lambda: _bag(nn.EmbeddingBag(7, 9)), lambda rng, scale: [rng.integers(0, 7, (4, 6))]),
    ("Embedding", lambda: nn.Embedding(7, 9), lambda rng, scale: [rng.integers(0, 7, (30, 6))]),
    ("CosineSimilarity", lambda: nn.CosineSimilarity(), PAIR),
    ("PairwiseDistance", lambda: nn.PairwiseDistance(), PAIR),
    ("cdist", lambda: F.cdist, normal((3, 5, 4), (3, 6, 4))),
    ("normalize", lambda: F.normalize, normal((6, 5))),
    ("grid_sample", lambda: F.grid_sample, lambda rng, scale: [rng.standard_normal((2, 3, 4, 5)) * scale,
                                                             rng.random((2, 3, 4, 2)) * 1.8 - 0.9]),
    ("MSELoss", lambda: nn.MSELoss(), PAIR),
    ("MSELoss sum", lambda: nn.MSELoss(reduction="sum"), PAIR),
    ("L1Loss", lambda: nn.L1Loss(), PAIR),
    ("HuberLoss", lambda: nn.HuberLoss(), PAIR),
    ("SmoothL1Loss", lambda: nn.SmoothL1Loss(beta=0.5), PAIR),
    ("CrossEntropyLoss", lambda: nn.CrossEntropyLoss(), with_labels((6, 5), 5)),
    ("CrossEntropyLoss smooth", lambda: nn.CrossEntropyLoss(label_smoothing=0.1), with_labels((6, 5), 5)),
    ("CrossEntropyLoss probabilities", lambda: nn.CrossEntropyLoss(),
     lambda rng, scale: [rng.standard_normal((6, 5)) * scale, rng.random((6, 5))]),
    ("NLLLoss", lambda: nn.NLLLoss(), with_labels((6, 5), 5)),
    ("MultiMarginLoss", lambda: nn.MultiMarginLoss(), with_labels((6, 5), 5)),
    ("MultiMarginLoss square", lambda: nn.MultiMarginLoss(p=2), with_labels((6, 5), 5)),
    ("MultiLabelMarginLoss", lambda: nn.MultiLabelMarginLoss(),
     lambda rng, scale: [rng.standard_normal((6, 5)) * scale, numpy.array([[0, 3, -1, 0, 0]] * 6)]),
    ("MultiLabelSoftMarginLoss", lambda: nn.MultiLabelSoftMarginLoss(),
     lambda rng, scale: [rng.standard_normal((6, 5)) * scale, (rng.random((6, 5)) > 0.5).astype(float)]),
    ("SoftMarginLoss", lambda: nn.SoftMarginLoss(), of_two((6, 5))),
    ("HingeEmbeddingLoss", lambda: nn.HingeEmbeddingLoss(), of_two((6, 5)), 1),
    ("MarginRankingLoss", lambda: nn.MarginRankingLoss(0.5),
     lambda rng, scale: [*normal((6,), (6,))(rng, scale), numpy.sign(rng.standard_normal(6))], 2),
    ("CosineEmbeddingLoss", lambda: nn.CosineEmbeddingLoss(),
     lambda rng, scale: [*normal((6, 5), (6, 5))(rng, scale), numpy.sign(rng.standard_normal(6))], 2),
    ("TripletMarginLoss", lambda: nn.TripletMarginLoss(), normal((6, 5), (6, 5), (6, 5))),
    ("BCELoss", lambda: nn.BCELoss(), unit),
    ("BCEWithLogitsLoss", lambda: nn.BCEWithLogitsLoss(),
     lambda rng, scale: [rng.standard_normal((6, 5)) * scale, rng.random((6, 5))]),
    ("KLDivLoss", lambda: nn.KLDivLoss(reduction="batchmean"), distributions),
    ("PoissonNLLLoss", lambda: nn.PoissonNLLLoss(full=True), counts, 1),
    ("GaussianNLLLoss", lambda: nn.GaussianNLLLoss(), variances),
    ("CTCLoss", lambda: _ctc, lambda rng, scale: [numpy.log(rng.random((5, 2, 4)) + 0.01)]),
    ("sum", lambda: gg.sum, normal((300, 30))),
    ("mean", lambda: gg.mean, normal((300, 30))),
    ("var", lambda: gg.var, normal((300, 30))),
    ("std", lambda: gg.std, normal((300, 30))),
    ("norm", lambda: gg.linalg.norm, normal((300, 30))),
    ("logsumexp", lambda: gg.logsumexp, ROW),
    ("cumulative_sum", lambda: lambda x: gg.cumulative_sum(x, axis=0), normal((300, 3))),
    ("matmul", lambda: gg.matmul, normal((5, 90), (90, 4))),
    ("einsum", lambda: lambda x, y: gg.einsum("ij,ij->i", x, y), normal((5, 90), (5, 90))),
    ("a bias added to many rows", lambda: lambda x, b: x + b, normal((3000, 2), (2,))),
]  # fmt: skip


def _attention(module):
    return _Through(module, lambda module, x: module(x, x, x)[0])


def _bag(module):
    return _Through(module, lambda module, x: module(x))


def _ctc(x):
    return F.ctc_loss(x, gg.tensor([[1, 2], [3, 1]]), [5, 4], [2, 2], reduction="sum")


class _Through(nn.Module):
    def __init__(self, inner, call):
        super().__init__()
        self.inner, self.call = inner, call

    def forward(self, x):
        return self.call(self.inner, x)


def computed(make, arrays, variables, parameters, upstream, dtype):
    """Outputs and gradients of a function or a module, with all floating-point numbers in one dtype."""
    function = make()
    if isinstance(function, nn.Module):
        function = function.to(dtype)
        for p, value in zip(function.parameters(), parameters, strict=True):
            with gg.no_grad():
                p.data = gg.tensor(value, dtype=dtype).data
    given = [gg.tensor(a, dtype=dtype if a.dtype.kind == "f" else None) for a in arrays]
    leaves = [x.requires_grad_() for x in given[:variables] if x.dtype.kind not in "iu"]
    y = function(*given)
    y = y[0] if isinstance(y, tuple) else y
    g = upstream(y)
    y.backward(gg.tensor(g, dtype=dtype))
    own = list(function.parameters()) if isinstance(function, nn.Module) else []
    return y, [(f"gradient {i}", x.grad) for i, x in enumerate([*leaves, *own])]


@pytest.mark.parametrize("name", ["float16", "bfloat16"])
@pytest.mark.filterwarnings("ignore:overflow encountered")
@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0])
def test_one_rounding(row, name, device):
    dtype = short_dtype(name)
    if not device.is_host and (name == "bfloat16" or row[0] in OF_PRODUCTS):
        pytest.skip("CuPy has no bfloat16, and products are those of the GPU")
    _, make, inputs, *count = row
    problems = []
    for scale in SCALES:
        rng = numpy.random.default_rng(7)

        def short(a):
            return a.astype(dtype).astype("float64") if a.dtype.kind == "f" else a

        arrays = [short(numpy.asarray(a)) for a in inputs(rng, scale)]
        module = make()
        shapes = [p.shape for p in module.parameters()] if isinstance(module, nn.Module) else []
        parameters = [short(rng.standard_normal(s) * 0.4) for s in shapes]
        variables = count[0] if count else len(arrays)
        rest = (variables, parameters, lambda y: short(numpy.random.default_rng(1).standard_normal(y.shape) + 1.5))
        want = computed(make, arrays, *rest, gg.float64)
        got = computed(make, arrays, *rest, dtype)
        if got[0].dtype != dtype:
            problems.append(f"a result of {got[0].dtype}")
        pairs = [("value", got[0], want[0]), *((n, g, w) for (n, g), (_, w) in zip(got[1], want[1], strict=True))]
        problems += [
            f"scale {scale}: {problem}"
            for what, g, w in pairs
            if (problem := complain(name, what, g.numpy(), w.numpy(), row[0] in ROUGH))
        ]
    assert not problems, "\n".join(problems)


def test_norms_of_gradients_do_not_overflow():
    p = gg.zeros(10_000, dtype="float16").requires_grad_()
    p.grad = gg.full(10_000, 3.0, dtype="float16")
    norm = nn.utils.clip_grad_norm_(p, 1.0)
    assert norm.item() == pytest.approx(300, rel=1e-6)
    assert p.grad.dtype == "float16"
    assert p.grad[0].item() == pytest.approx(0.01, rel=1e-3)
    p.grad = gg.full(10_000, 3e4, dtype="float16")
    assert nn.utils.get_total_norm([p.grad]).item() == pytest.approx(3e6, rel=1e-6)


def test_running_variances_beyond_float16():
    layer = nn.BatchNorm1d(1)
    layer(gg.tensor(numpy.array([[-600.0], [600.0]], "float16")))
    assert layer.running_var.item() == pytest.approx(0.9 + 0.1 * 720_000, rel=1e-6)


def test_second_derivatives():
    """A recorded walk goes through references, which compute in float32 too."""
    x = numpy.linspace(-30, 40, 12).astype("float16").reshape(2, 6)
    for f in (lambda x: F.layer_norm(x, (6,)), F.softmax, F.softplus, F.gelu, F.sigmoid):

        def double(x, f=f):
            g = gg.grad(lambda v: f(v).sum())
            return gg.grad(lambda v: g(v)[0, :3].sum())(x)

        got, want = (numpy.asarray(double(x.astype(dtype)), "float64") for dtype in ("float16", "float64"))
        assert numpy.isfinite(got).all()
        assert abs(got - want).max() <= 4e-3 * max(1e-3, abs(want).max())


def test_mixed_with_a_wider_dtype_the_result_is_wide():
    x = gg.ones((2, 3), dtype="float16")
    assert F.linear(x, gg.ones((4, 3))).dtype == gg.float32
    assert F.mse_loss(x, gg.zeros((2, 3))).dtype == gg.float32
    assert F.mse_loss(x, gg.zeros_like(x)).dtype == gg.float16
    assert gg.sum(x, dtype="float32").dtype == gg.cumulative_sum(x, axis=0, dtype="float32").dtype == gg.float32


@pytest.mark.parametrize("dtype", [gg.float16, gg.float32], ids=str)
@pytest.mark.parametrize("name", ["mean", "nanmean", "var", "std", "nanvar", "nanstd"])
def test_of_more_elements_than_float16_can_count(name, dtype, device, rng):
    f = getattr(gg, name)
    values = rng.uniform(0, 4, 70_000).astype("f2")
    x, exact = (gg.tensor(values, dtype=kind, device=device, requires_grad=True) for kind in (dtype, gg.float64))
    for t in (x, exact):
        (f(t) * 64).backward()
    y, expected = f(x), f(exact)
    assert (y.dtype, x.grad.dtype) == (dtype, dtype)
    numpy.testing.assert_allclose(float(y.numpy()), float(expected.numpy()), rtol=1e-3)
    numpy.testing.assert_allclose(x.grad.numpy(), exact.grad.numpy(), rtol=4e-3, atol=1e-6)
