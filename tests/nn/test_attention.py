"""Attention and Transformers: against PyTorch, finite differences, masked rows, positions, errors."""

from __future__ import annotations

import numpy
import pytest

import gpugrad as gg
from gpugrad import nn
from gpugrad.nn import functional as F

TOLERANCE = {"float64": 1e-9, "float32": 1e-5}
pytestmark = pytest.mark.filterwarnings("ignore:enable_nested_tensor is True", "ignore:Support for mismatched")


@pytest.fixture
def torch():
    return pytest.importorskip("torch", reason="PyTorch is the oracle of this test")


def identifier(value):
    return ",".join(value) or "-" if isinstance(value, dict) else str(value)


def compare(torch, calls, parameters, arrays, dtype, rng, second=True):
    """Outputs, and gradients of inputs and parameters, to second order in float64."""
    tolerance = TOLERANCE[dtype]

    def close(a, b):
        numpy.testing.assert_allclose(a.numpy(), b.detach().numpy(), rtol=10 * tolerance, atol=tolerance)

    for p in parameters[0]:
        p.grad = None
    xs = [gg.tensor(a, requires_grad=True) for a in arrays]
    ts = [torch.tensor(a, requires_grad=True) for a in arrays]
    y, e = calls[0](*xs), calls[1](*ts)
    ys, es = (r if isinstance(r, tuple) else (r,) for r in (y, e))
    assert [y is None for y in ys] == [e is None for e in es]
    pairs = [(y, e) for y, e in zip(ys, es, strict=True) if y is not None]
    for y, e in pairs:
        assert y.shape == tuple(e.shape)
        close(y, e)
    gs = [rng.standard_normal(y.shape).astype(dtype) for y, _ in pairs]
    own = sum((y * gg.tensor(g)).sum() for (y, _), g in zip(pairs, gs, strict=True))
    loss = sum((e * torch.tensor(g)).sum() for (_, e), g in zip(pairs, gs, strict=True))
    ours, theirs = [*xs, *parameters[0]], [*ts, *parameters[1]]
    own.backward(create_graph=True)
    twice = second and dtype == "float64"
    first = torch.autograd.grad(loss, theirs, create_graph=twice, allow_unused=True, materialize_grads=True)
    for p, d in zip(ours, first, strict=True):
        close(gg.zeros_like(p) if p.grad is None else p.grad, d)
    if twice:
        h = xs[0].grad
        for p in ours:
            p.grad = None
        (h * h).sum().backward()
        total = (first[0] ** 2).sum()
        for p, d in zip(
            ours, torch.autograd.grad(total, theirs, allow_unused=True, materialize_grads=True), strict=True
        ):
            close(gg.zeros_like(p) if p.grad is None else p.grad, d)


def made(torch, name, arguments, more, dtype, rng):
    """The layer of either library with the same random state, in evaluation mode with gradients."""
    theirs = getattr(torch.nn, name)(*arguments, **more).to(getattr(torch, dtype)).eval()
    ours = getattr(nn, name)(*arguments, **more).to(dtype).eval()
    assert list(ours.state_dict()) == list(theirs.state_dict())
    state = {k: (0.5 * rng.standard_normal(v.shape)).astype(dtype) for k, v in theirs.state_dict().items()}
    ours.load_state_dict(state)
    theirs.load_state_dict({k: torch.tensor(v.numpy()) for k, v in ours.state_dict().items()})
    text = repr(theirs).replace("NonDynamicallyQuantizableLinear", "Linear").replace(", inplace=False", "")
    assert repr(ours) == text.replace(", bias=True)\n", ")\n") or repr(ours).count("\n") == text.count("\n")
    return ours, theirs


# ---------------------------------------------------------------- the function

MASK = numpy.array([[1, 0, 1, 1], [0, 0, 0, 0], [1, 1, 1, 1]], bool)
SHAPES = ((2, 2, 3, 5), (2, 2, 4, 5), (2, 2, 4, 6))
CALLS = [
    (SHAPES, {}), (SHAPES, {"is_causal": True}), (SHAPES, {"scale": 0.3}), (((3, 5), (4, 5), (4, 6)), {}),
    (((2, 6, 3, 5), (2, 2, 4, 5), (2, 2, 4, 6)), {"enable_gqa": True}),
    (((2, 5, 4), (2, 3, 4), (2, 3, 4)), {"is_causal": True}),
    (SHAPES, {"attn_mask": MASK}), (SHAPES, {"attn_mask": numpy.where(MASK, 0.5, -numpy.inf)}),
    (SHAPES, {"attn_mask": numpy.stack([MASK, ~MASK])[:, None]}),
]  # fmt: skip


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize(("shapes", "more"), CALLS, ids=identifier)
def test_function_against_pytorch(shapes, more, dtype, torch, rng):
    arrays = [rng.standard_normal(s).astype(dtype) for s in shapes]
    mask = more.get("attn_mask")
    mine, other = dict(more), dict(more)
    if mask is not None:
        mask = mask if mask.dtype == bool else mask.astype(dtype)
        mine["attn_mask"], other["attn_mask"] = gg.tensor(mask), torch.tensor(mask)
    with torch.nn.attention.sdpa_kernel(torch.nn.attention.SDPBackend.MATH):  # the only one differentiable twice
        calls = (lambda *xs: F.scaled_dot_product_attention(*xs, **mine),
                 lambda *ts: torch.nn.functional.scaled_dot_product_attention(*ts, **other))  # fmt: skip
        compare(torch, calls, ([], []), arrays, dtype, rng)


def test_a_query_that_sees_nothing_gets_nothing(rng):
    q, k, v = (gg.tensor(rng.standard_normal(s), requires_grad=True) for s in SHAPES)
    y = F.scaled_dot_product_attention(q, k, v, gg.tensor(MASK))
    y.sum().backward()
    assert (y.numpy()[..., 1, :] == 0).all()
    assert all(numpy.isfinite(x.grad.numpy()).all() for x in (q, k, v))


def test_function_against_differences(rng):
    inputs = [gg.tensor(rng.standard_normal(s[1:])) for s in SHAPES]
    for more in ({}, {"is_causal": True}, {"attn_mask": gg.tensor(MASK)}):
        assert gg.gradcheck(lambda *xs, more=more: F.scaled_dot_product_attention(*xs, **more), inputs)
    assert gg.gradgradcheck(lambda *xs: F.scaled_dot_product_attention(*xs, gg.tensor(MASK)), inputs)


def test_a_learned_bias_gets_its_gradient(rng):
    q, k, v = (gg.tensor(rng.standard_normal(s[2:])) for s in SHAPES)
    bias = gg.tensor(rng.standard_normal((3, 4)))
    assert gg.gradcheck(lambda b: F.scaled_dot_product_attention(q, k, v, b), bias)


def test_dropout_of_weights():
    one = gg.ones((1, 2000, 4))
    y = F.scaled_dot_product_attention(one, one, one, dropout_p=0.5, generator=gg.random.Generator(0))
    assert 0.9 < y.mean().item() < 1.1
    assert y.numpy().std() > 0
    layer = nn.MultiheadAttention(4, 2, dropout=1.0)
    x = gg.ones((3, 1, 4))
    assert layer(x, x, x)[1].sum().item() == 0
    assert layer.eval()(x, x, x)[1].sum().item() == pytest.approx(3)


# ---------------------------------------------------------------- the layer

LAYERS = [
    {}, {"bias": False}, {"batch_first": True}, {"add_bias_kv": True, "batch_first": True}, {"add_zero_attn": True},
    {"kdim": 3, "vdim": 5}, {"kdim": 3, "add_bias_kv": True, "add_zero_attn": True, "bias": False},
]  # fmt: skip
PADDING = numpy.array([[0, 0, 0, 1], [0, 1, 0, 0]], bool)
CAUSAL = ~numpy.tri(3, 4, dtype=bool)
MASKS = [
    {}, {"key_padding_mask": PADDING}, {"attn_mask": CAUSAL}, {"attn_mask": numpy.where(CAUSAL, -numpy.inf, 0.25)},
    {"attn_mask": CAUSAL, "key_padding_mask": numpy.where(PADDING, -numpy.inf, 0.5)},
    {"attn_mask": numpy.repeat(CAUSAL[None], 4, 0)}, {"attn_mask": CAUSAL, "is_causal": True},
]  # fmt: skip


def masks(given, make, dtype):
    out = {}
    for key, value in given.items():
        is_array = isinstance(value, numpy.ndarray)
        out[key] = make(value if value.dtype == bool else value.astype(dtype)) if is_array else value
    return out


@pytest.mark.filterwarnings("ignore:Converting mask", "ignore:Support for mismatched")
@pytest.mark.parametrize("need", [{}, {"average_attn_weights": False}, {"need_weights": False}], ids=str)
@pytest.mark.parametrize("given", MASKS, ids=identifier)
@pytest.mark.parametrize("more", LAYERS, ids=str)
def test_layer_against_pytorch(more, given, need, torch, rng):
    if "is_causal" in given and "need_weights" in need and more.keys() & {"add_bias_kv", "add_zero_attn"}:
        given = {"attn_mask": CAUSAL}  # with the promise, PyTorch hides what was added; here it changes nothing
    for dtype in TOLERANCE if not given else ["float64"]:
        ours, theirs = made(torch, "MultiheadAttention", (4, 2), more, dtype, rng)
        sizes = (4, more.get("kdim", 4), more.get("vdim", 4))
        steps = (3, 4, 4)
        arrays = [
            rng.standard_normal((2, n, s) if more.get("batch_first") else (n, 2, s)).astype(dtype)
            for n, s in zip(steps, sizes, strict=True)
        ]
        calls = (lambda *xs, f=ours, d=dtype: f(*xs, **masks(given, gg.tensor, d), **need),
                 lambda *ts, f=theirs, d=dtype: f(*ts, **masks(given, torch.tensor, d), **need))  # fmt: skip
        with torch.nn.attention.sdpa_kernel(torch.nn.attention.SDPBackend.MATH):
            compare(torch, calls, (list(ours.parameters()), list(theirs.parameters())), arrays, dtype, rng)


@pytest.mark.parametrize("same", [1, 2, 3])
@pytest.mark.parametrize("batched", [True, False])
@pytest.mark.parametrize("more", LAYERS[:5], ids=str)
def test_self_attention_and_shared_keys(more, batched, same, torch, rng):
    """The projections of what is the same are one product; the result is the same."""
    ours, theirs = made(torch, "MultiheadAttention", (4, 2), more, "float64", rng)
    arrays = [rng.standard_normal((3, 3, 4) if batched else (3, 4)) for _ in range(4 - same)]
    need = {"average_attn_weights": bool(same % 2)}

    def call(f):
        return lambda *xs: f(*((xs * 3)[:3] if same != 2 else (xs[0], xs[1], xs[1])), **need)

    compare(
        torch, (call(ours), call(theirs)), (list(ours.parameters()), list(theirs.parameters())), arrays, "float64", rng
    )


@pytest.mark.parametrize("need", [True, False])
def test_fully_masked_rows_are_as_in_pytorch(need, torch, rng):
    ours, theirs = made(torch, "MultiheadAttention", (4, 2), {"batch_first": True}, "float64", rng)
    a, padding = rng.standard_normal((2, 3, 4)), numpy.array([[False, False, True], [True] * 3])
    x, t = gg.tensor(a), torch.tensor(a, requires_grad=True)
    y, _ = ours(x, x, x, gg.tensor(padding), need_weights=need)
    e, _ = theirs(t, t, t, torch.tensor(padding), need_weights=need)
    numpy.testing.assert_allclose(y.numpy(), e.detach().numpy(), rtol=1e-9, atol=1e-12)
    assert numpy.isnan(y.numpy()).any() == need


def test_initial_parameters():
    layer = nn.MultiheadAttention(32, 4, add_bias_kv=True)
    assert abs(layer.in_proj_weight.numpy()).max() <= (6 / 128) ** 0.5
    assert layer.in_proj_bias.numpy().any() == layer.out_proj.bias.numpy().any() == False  # noqa: E712
    assert layer.bias_k.numpy().std() == pytest.approx((2 / 64) ** 0.5, rel=0.5)


def test_vmap(rng):
    layer = nn.MultiheadAttention(4, 2)
    x = gg.tensor(rng.standard_normal((5, 6, 4)), dtype=gg.float32)
    together = gg.vmap(lambda x: layer(x, x, x, need_weights=False, is_causal=True, attn_mask=gg.zeros((6, 6)))[0])(x)
    x = gg.moveaxis(x, 0, 1)
    mask = nn.Transformer.generate_square_subsequent_mask(6)
    numpy.testing.assert_allclose(
        gg.moveaxis(layer(x, x, x, attn_mask=mask)[0], 0, 1).numpy(), together.numpy(), rtol=1e-4, atol=1e-6
    )


# ---------------------------------------------------------------- Transformers

OPTIONS = [
    {}, {"norm_first": True, "bias": False}, {"batch_first": True, "activation": "gelu"}, {"layer_norm_eps": 1e-2},
]  # fmt: skip


def square(n):
    return numpy.where(numpy.tri(n, dtype=bool), 0.0, -numpy.inf)


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("more", OPTIONS, ids=str)
@pytest.mark.parametrize("name", ["TransformerEncoderLayer", "TransformerDecoderLayer"])
def test_transformer_layers_against_pytorch(name, more, dtype, torch, rng):
    ours, theirs = made(torch, name, (4, 2, 6), more, dtype, rng)
    first = more.get("batch_first", False)
    arrays = [rng.standard_normal((2, n, 4) if first else (n, 2, 4)).astype(dtype) for n in (3, 4)]
    arrays = arrays if "Decoder" in name else arrays[:1]
    prefix, padding = ("tgt", PADDING[:, 1:]) if "Decoder" in name else ("src", PADDING[:, 1:])
    parameters = list(ours.parameters()), list(theirs.parameters())
    variants = [{}, {f"{prefix}_mask": square(3)}, {f"{prefix}_mask": square(3), f"{prefix}_key_padding_mask": padding}]
    if "Decoder" in name:
        variants.append({"tgt_mask": square(3), "tgt_is_causal": True, "memory_key_padding_mask": PADDING})
    with torch.nn.attention.sdpa_kernel(torch.nn.attention.SDPBackend.MATH):
        for k, given in enumerate(variants):
            given = masks(given, lambda a: a if a.dtype != bool else numpy.where(a, -numpy.inf, 0.0), dtype)
            calls = (lambda *xs, g=given: ours(*xs, **masks(g, gg.tensor, dtype)),
                     lambda *ts, g=given: theirs(*ts, **masks(g, torch.tensor, dtype)))  # fmt: skip
            compare(torch, calls, parameters, arrays, dtype, rng, second=k == 1)


@pytest.mark.parametrize("more", OPTIONS, ids=str)
def test_whole_transformer_against_pytorch(more, torch, rng):
    arguments = (4, 2, 2, 2, 6)
    ours, theirs = made(torch, "Transformer", arguments, more, "float64", rng)
    arrays = [rng.standard_normal((2, n, 4) if more.get("batch_first") else (n, 2, 4)) for n in (4, 3)]
    given = {"tgt_mask": square(3), "src_key_padding_mask": numpy.where(PADDING, -numpy.inf, 0.0)}
    calls = (lambda *xs: ours(*xs, **masks(given, gg.tensor, "float64")),
             lambda *ts: theirs(*ts, **masks(given, torch.tensor, "float64")))  # fmt: skip
    with torch.nn.attention.sdpa_kernel(torch.nn.attention.SDPBackend.MATH):
        compare(torch, calls, (list(ours.parameters()), list(theirs.parameters())), arrays, "float64", rng)
    mine = nn.Transformer.generate_square_subsequent_mask(3).numpy()
    numpy.testing.assert_array_equal(mine, torch.nn.Transformer.generate_square_subsequent_mask(3).numpy())


def test_stacks_hold_copies_with_the_values_of_the_layer(torch, rng):
    layer = nn.TransformerEncoderLayer(4, 2, 6, dropout=0.0)
    stack = nn.TransformerEncoder(layer, 2, nn.LayerNorm(4))
    one, two = stack.layers
    assert one.linear1.weight is not two.linear1.weight is not layer.linear1.weight
    x = gg.tensor(rng.standard_normal((3, 2, 4)), dtype=gg.float32)
    numpy.testing.assert_array_equal(stack(x).numpy(), stack.norm(layer(layer(x))).numpy())
    theirs = torch.nn.TransformerEncoder(torch.nn.TransformerEncoderLayer(4, 2, 6), 2, torch.nn.LayerNorm(4))
    assert list(stack.state_dict()) == list(theirs.state_dict())
    layer = nn.TransformerDecoderLayer(4, 2, 6, dropout=0.0)
    stack = nn.TransformerDecoder(layer, 2, nn.LayerNorm(4))
    numpy.testing.assert_array_equal(stack(x, x * 2).numpy(), stack.norm(layer(layer(x, x * 2), x * 2)).numpy())
    theirs = torch.nn.TransformerDecoder(torch.nn.TransformerDecoderLayer(4, 2, 6), 2, torch.nn.LayerNorm(4))
    assert list(stack.state_dict()) == list(theirs.state_dict())


def test_activation_may_be_a_module():
    layer = nn.TransformerEncoderLayer(4, 2, 6, activation=nn.SiLU())
    assert "SiLU" in repr(layer)
    assert layer(gg.ones((3, 2, 4))).shape == (3, 2, 4)


def test_dropout_follows_the_mode():
    layer = nn.TransformerDecoderLayer(4, 2, 6, dropout=1.0)
    x, memory = gg.tensor([[[1.0, 2.0, 4.0, 8.0]]]), gg.ones((2, 1, 4))
    assert layer(x, memory).numpy() == pytest.approx(layer.norm3(layer.norm2(layer.norm1(x))).numpy())
    assert layer.eval()(x, memory).numpy() != pytest.approx(layer.norm1(x).numpy())


# ---------------------------------------------------------------- positions


def test_rotary_positions(rng):
    layer = nn.RotaryPositionalEmbeddings(6, max_seq_len=20)
    q, k = (gg.tensor(rng.standard_normal((2, 5, 3, 6))) for _ in range(2))
    y = layer(q).numpy()
    a = q.numpy()
    angle = numpy.arange(5)[:, None] * 10_000.0 ** (-numpy.arange(0, 6, 2) / 6)
    turned = (a[..., 0::2] + 1j * a[..., 1::2]) * numpy.exp(1j * angle)[:, None]
    numpy.testing.assert_allclose(y[..., 0::2] + 1j * y[..., 1::2], turned, rtol=1e-5, atol=1e-6)
    at = gg.tensor([[0, 1, 2, 3, 4], [7, 8, 9, 10, 11]])
    near, far = ((layer(q, input_pos=p) * layer(k, input_pos=p + 2)).sum(axis=-1).numpy() for p in (at, at + 3))
    numpy.testing.assert_allclose(near, far, rtol=1e-4, atol=1e-5)  # distances alone count
    numpy.testing.assert_allclose(layer(q, input_pos=at[0]).numpy(), y)
    assert gg.gradcheck(layer, q)
    assert layer.state_dict() == {}
    assert repr(layer) == "RotaryPositionalEmbeddings(dim=6, max_seq_len=20, base=10000)"


def test_sinusoidal_positions():
    layer = nn.SinusoidalPositionalEncoding(4, max_seq_len=300)
    p, i = numpy.arange(300)[:, None], numpy.arange(2)
    angle = p / 10_000 ** (2 * i / 4)
    table = numpy.stack([numpy.sin(angle), numpy.cos(angle)], -1).reshape(300, 4)
    numpy.testing.assert_allclose(layer(gg.zeros((2, 300, 4))).numpy(), [table] * 2, atol=1e-6)
    assert layer.state_dict() == {}
    assert repr(layer) == "SinusoidalPositionalEncoding(4, max_seq_len=300)"


ONE = (3, 1, 4)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: F.scaled_dot_product_attention(gg.ones((3, 4)), gg.ones((5, 3)), gg.ones((5, 3))),
         r"expected \(..., L, E\), .* got \(3, 4\), \(5, 3\), \(5, 3\)"),
        (lambda: F.scaled_dot_product_attention(*[gg.ones((3, 4))] * 3, gg.ones((3, 3)), is_causal=True), "got both"),
        (lambda: F.scaled_dot_product_attention(gg.ones((3, 5, 4)), *[gg.ones((2, 5, 4))] * 2, enable_gqa=True),
         "heads of key and value that divide those of the query, got 2 and 2 for 3"),
        (lambda: nn.MultiheadAttention(5, 2), "expected num_heads that divide embed_dim, got 2 and 5"),
        (lambda: nn.MultiheadAttention(4, 2, dropout=2.0), r"a probability in \[0, 1\], got 2.0"),
        (lambda: nn.MultiheadAttention(4, 2)(*[gg.ones((3, 1, 5))] * 3),
         r"expected query \(L, N, 4\), .* got \(3, 1, 5\), \(3, 1, 5\), \(3, 1, 5\)"),
        (lambda: nn.MultiheadAttention(4, 2)(gg.ones(ONE), gg.ones((3, 2, 4)), gg.ones((3, 2, 4))), "expected query"),
        (lambda: nn.MultiheadAttention(4, 2)(*[gg.ones(ONE)] * 3, is_causal=True),
         "expected the attn_mask that is_causal speaks of, got None"),
        (lambda: nn.MultiheadAttention(4, 2)(*[gg.ones(ONE)] * 3, attn_mask=gg.zeros((3, 2))),
         r"expected attn_mask of shape \(3, 3\) or \(2, 3, 3\), got \(3, 2\)"),
        (lambda: nn.MultiheadAttention(4, 2)(*[gg.ones(ONE)] * 3, gg.zeros((2, 3))),
         r"expected key_padding_mask of shape \(1, 3\), got \(2, 3\)"),
        (lambda: nn.TransformerEncoderLayer(4, 2, activation="tanh"),
         "expected activation 'relu', 'gelu' or a function"),
        (lambda: nn.Transformer(4, 2, 1, 1, 4)(gg.ones(ONE), gg.ones((3, 1, 5))),
         r"expected src and tgt of shape \(..., 4\)"),
        (lambda: nn.RotaryPositionalEmbeddings(3), "expected an even dim, got 3"),
        (lambda: nn.RotaryPositionalEmbeddings(4)(gg.ones((2, 3, 4))), r"expected an input \(B, S, H, 4\), got"),
        (lambda: nn.RotaryPositionalEmbeddings(2, 3)(gg.ones((1, 4, 1, 2))),
         "at most max_seq_len = 3 positions, got 4"),
        (lambda: nn.SinusoidalPositionalEncoding(3), "expected an even embed_dim, got 3"),
        (lambda: nn.SinusoidalPositionalEncoding(2)(gg.ones((2, 3))), r"expected an input \(..., S, 2\), got \(2, 3\)"),
        (lambda: nn.SinusoidalPositionalEncoding(2, 3)(gg.ones((4, 2))), "at most max_seq_len = 3 positions, got 4"),
    ],
)  # fmt: skip
def test_wrong_arguments(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_integer_masks_are_refused():
    x = gg.ones(ONE)
    for given in (
        {"attn_mask": gg.ones((3, 3), dtype=gg.int64)},
        {"key_padding_mask": gg.ones((1, 3), dtype=gg.int64)},
    ):
        with pytest.raises(
            TypeError, match=f"{next(iter(given))}: expected a boolean or floating-point mask, got int64"
        ):
            nn.MultiheadAttention(4, 2)(x, x, x, **given)
