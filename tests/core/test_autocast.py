"""Mixed precision: which operation runs in what, the scale of the loss, and trainings that reach float32's figure."""

from __future__ import annotations

import numpy
import pytest

import gpugrad as gg
from gpugrad import nn

F = nn.functional
SHORT = ["float16", "bfloat16"]
short = pytest.mark.parametrize("dtype", SHORT)


@pytest.fixture(autouse=True)
def dtypes():
    pytest.importorskip("ml_dtypes", reason="ml_dtypes is not installed: bfloat16 is its dtype")


# PyTorch's list for CUDA. What a call gives for float32 operands x (2, 3, 4) and w (4, 5), and for short ones.
LOWER = {
    "matmul": lambda x, w: x @ w,
    "linear": lambda x, w: F.linear(x, w.T, gg.ones(5)),
    "einsum": lambda x, w: gg.einsum("bij,jk->bik", x, w),
    "conv1d": lambda x, w: F.conv1d(x, gg.ones((2, 3, 2)), gg.ones(2)),
    "conv_transpose1d": lambda x, w: F.conv_transpose1d(x, gg.ones((3, 2, 2))),
    "attention": lambda x, w: F.scaled_dot_product_attention(x, x, x),
    "dropped attention": lambda x, w: F.scaled_dot_product_attention(x, x, x, dropout_p=0.5),
    "LSTM": lambda x, w: nn.LSTM(4, 3)(x)[0],
    "GRU": lambda x, w: nn.GRU(4, 3, num_layers=2)(x)[0],
    "RNN": lambda x, w: nn.RNN(4, 3)(x)[0],
    "a cell": lambda x, w: nn.LSTMCell(4, 3)(x[0])[0],
}
FULL = {
    **{name: lambda x, w, name=name: getattr(gg, name)(x) for name in
       ("exp", "expm1", "log", "log1p", "log2", "log10", "reciprocal", "acos", "asin", "cosh", "sinh", "tan", "sum",
        "prod")},
    "cumsum": lambda x, w: gg.cumsum(x, 1),
    "cumprod": lambda x, w: gg.cumprod(x, 1),
    "power": lambda x, w: x**2.5,
    "norm": lambda x, w: gg.linalg.norm(x, axis=-1),
    "softmax": lambda x, w: F.softmax(x),
    "log_softmax": lambda x, w: F.log_softmax(x),
    "layer_norm": lambda x, w: F.layer_norm(x, (4,)),
    "LayerNorm": lambda x, w: nn.LayerNorm(4)(x),
    "group_norm": lambda x, w: F.group_norm(x, 3),
    "mse_loss": lambda x, w: F.mse_loss(x, gg.zeros(x.shape)),
    "mse_loss, short target": lambda x, w: F.mse_loss(x, gg.zeros_like(x)),
    "l1_loss": lambda x, w: F.l1_loss(x, gg.zeros_like(x)),
    "smooth_l1_loss": lambda x, w: F.smooth_l1_loss(x, gg.zeros_like(x)),
    "kl_div": lambda x, w: F.kl_div(x, gg.zeros_like(x)),
    "cross_entropy": lambda x, w: F.cross_entropy(x[0], gg.tensor([0, 1, 2])),
    "nll_loss": lambda x, w: F.nll_loss(x[0], gg.tensor([0, 1, 2])),
    "with logits": lambda x, w: F.binary_cross_entropy_with_logits(x, gg.zeros_like(x)),
    "cosine_similarity": lambda x, w: F.cosine_similarity(x, x),
    "cdist": lambda x, w: F.cdist(x, x),
}  # fmt: skip
SAME = {
    "relu": lambda x, w: F.relu(x), "gelu": lambda x, w: F.gelu(x), "sum of two": lambda x, w: x + x,
    "product": lambda x, w: x * 2, "tanh": lambda x, w: gg.tanh(x), "max_pool1d": lambda x, w: F.max_pool1d(x, 2),
    "reshape": lambda x, w: x.reshape(-1), "mean": lambda x, w: x.mean(), "dropout": lambda x, w: F.dropout(x),
    "concat": lambda x, w: gg.concat([x, x]),
}  # fmt: skip


@short
@pytest.mark.parametrize("kind", ["lower", "float32", "same"])
def test_what_runs_in_what(dtype, kind):
    table = {"lower": LOWER, "float32": FULL, "same": SAME}[kind]
    for name, call in table.items():
        for given in ("float32", dtype):
            x = gg.full((2, 3, 4), 0.5, dtype=given).requires_grad_()
            with gg.autocast(dtype):
                y = call(x, gg.ones((4, 5), dtype=given))
            wanted = {"lower": dtype, "float32": "float32", "same": given}[kind]
            assert y.dtype.name == wanted, (name, given)
            y.sum().backward()
            assert x.grad.dtype.name == given, name
    x = gg.full((2, 3, 4), 0.5, dtype="float64")
    with gg.autocast(dtype):
        assert (x @ gg.ones((4, 5), dtype="float64")).dtype == gg.float64
        assert (gg.ones(2, dtype=dtype) + gg.ones(2)).dtype == gg.float32
        assert gg.concat([gg.ones(2, dtype=dtype), gg.ones(2)]).dtype == gg.float32


def test_where_it_is_on():
    x = gg.ones((2, 2))

    @gg.autocast("bfloat16")
    def inside():
        with gg.autocast("bfloat16", enabled=False):
            assert not gg.is_autocast_enabled()
            assert (x @ x).dtype == gg.float32
        return (x @ x).dtype.name

    assert inside() == "bfloat16"
    assert not gg.is_autocast_enabled()
    assert (x @ x).dtype == gg.float32
    for arguments, name in (((), "float16"), (("cuda",), "float16"), (("cpu",), "bfloat16"),
                            (("cpu", gg.float16), "float16"), ((gg.float16,), "float16")):  # fmt: skip
        with gg.autocast(*arguments):
            assert (x @ x).dtype.name == name
    with pytest.raises(ValueError, match="autocast: expected float16 or bfloat16, got float32"):
        gg.autocast("float32")
    with pytest.raises(ValueError, match="expected 'cuda' or 'cpu' before a dtype, got 'tpu'"):
        gg.autocast("tpu", "float16")


def test_jitted_functions_know_where_they_are_called():
    f = gg.jit(lambda x: x @ x)
    x = gg.ones((2, 2))
    for _ in range(2):
        assert f(x).dtype == gg.float32
        with gg.autocast("float16"):
            assert f(x).dtype == gg.float16


# ---------------------------------------------------------------- the scale of the loss


def test_the_scaler_grows_backs_off_and_skips_like_pytorchs():
    torch = pytest.importorskip("torch")
    options = {"init_scale": 8.0, "growth_interval": 3, "growth_factor": 4.0, "backoff_factor": 0.25}
    w, v = gg.ones(3).requires_grad_(), torch.ones(3, requires_grad=True)
    sides = []
    for p, optimizer, scaler in (
        (w, gg.optim.SGD([w], lr=0.1, momentum=0.9), gg.optim.GradScaler("cpu", **options)),
        (v, torch.optim.SGD([v], lr=0.1, momentum=0.9), torch.amp.GradScaler("cpu", **options)),
    ):
        seen = []
        for step in range(100):
            optimizer.zero_grad()
            factor = float("inf") if step in (5, 6, 20) else float("nan") if step == 40 else 0.5
            scaler.scale((p * p).sum() * factor).backward()
            if step % 4 == 0:
                scaler.unscale_(optimizer)
                p.grad.clip(-0.1, 0.1)
            scaler.step(optimizer)
            scaler.update()
            if step == 50:  # a resume
                state = scaler.state_dict()
                scaler = type(scaler)("cpu")
                scaler.load_state_dict(state)
            seen.append((scaler.get_scale(), [float(x) for x in p.detach().numpy()]))
        sides.append((seen, scaler.state_dict()))
    (ours, state), (theirs, expected) = sides
    assert state == expected
    assert [scale for scale, _ in ours] == [scale for scale, _ in theirs]
    numpy.testing.assert_allclose([p for _, p in ours], [p for _, p in theirs], rtol=1e-5, atol=1e-7)


def test_the_order_of_calls_of_the_scaler():
    w = gg.ones(2).requires_grad_()
    optimizer, scaler = gg.optim.SGD([w], lr=1.0), gg.optim.GradScaler(init_scale=4.0)

    def walk():
        w.grad = None
        scaler.scale([(w * 0.5).sum()])[0].backward()

    walk()
    assert w.grad.tolist() == [2.0, 2.0]
    scaler.unscale_(optimizer)
    assert w.grad.tolist() == [0.5, 0.5]
    nn.utils.clip_grad_norm_([w], 0.1)
    with pytest.raises(RuntimeError, match=r"unscaled since the last update\(\)"):
        scaler.unscale_(optimizer)
    scaler.step(optimizer)
    numpy.testing.assert_allclose(w.numpy(), 1 - 0.1 / 2**0.5, rtol=1e-4)
    with pytest.raises(RuntimeError, match=r"stepped since the last update\(\): call update"):
        scaler.step(optimizer)
    scaler.update()
    with pytest.raises(RuntimeError, match="expected a step, or unscale_"):
        scaler.update()
    scaler.update(16.0)
    assert scaler.get_scale() == 16.0
    with pytest.raises(TypeError, match="expected no closure"):
        scaler.step(optimizer, lambda: None)
    with pytest.raises(TypeError, match="expected a Tensor, or a list or tuple of them, got str"):
        scaler.scale("loss")
    half = gg.ones(2, dtype="float16").requires_grad_()
    half.grad = gg.ones(2, dtype="float16")
    with pytest.raises(ValueError, match="expected float32 gradients, got float16"):
        scaler.unscale_(gg.optim.SGD([half]))
    for options, message in (({"growth_factor": 1.0}, "growth_factor above 1"), ({"init_scale": 0}, "positive"),
                             ({"backoff_factor": 1.0}, "between 0 and 1")):  # fmt: skip
        with pytest.raises(ValueError, match=message):
            gg.optim.GradScaler(**options)
    off = gg.optim.GradScaler(enabled=False)
    assert (off.scale(w) is w, off.get_scale(), off.state_dict(), off.is_enabled()) == (True, 1.0, {}, False)
    off.unscale_(optimizer)
    off.step(optimizer)
    off.update()
    with pytest.raises(ValueError, match="the state is empty"):
        scaler.load_state_dict({})


# ---------------------------------------------------------------- whole trainings


def in_precision(dtype):
    return gg.autocast(dtype or "float16", enabled=dtype is not None)


def digits(dtype):
    """The part of held-out digits that a small convolutional network gets right, and the number of skipped steps."""
    train, test = gg.data.digits()
    gg.random.seed(1)
    model = nn.Sequential(
        nn.Conv2d(1, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(128, 10)
    )
    optimizer = gg.optim.Adam(model.parameters(), lr=0.01)
    scaler = gg.optim.GradScaler(init_scale=2.0**40, backoff_factor=2.0**-8, enabled=dtype == "float16")
    skipped = 0
    for _ in range(2):
        for images, labels in gg.data.DataLoader(train, 64, shuffle=True):
            optimizer.zero_grad()
            with in_precision(dtype):
                loss = F.cross_entropy(model(images), labels)
            assert loss.dtype == gg.float32
            scaler.scale(loss).backward()
            scaler.unscale_(optimizer)
            nn.utils.clip_grad_norm_(model.parameters(), 5.0)
            before = scaler.get_scale()
            scaler.step(optimizer)
            scaler.update()
            skipped += scaler.get_scale() < before
    assert {p.dtype for p in model.parameters()} == {gg.float32}
    model.eval()
    right = 0
    with gg.no_grad(), in_precision(dtype):
        for images, labels in gg.data.DataLoader(test, 100):
            right += int((gg.argmax(model(images), axis=1) == labels).sum().item())
    return right / len(test), skipped


class GPT(nn.Module):
    """Two blocks with causal attention over characters."""

    def __init__(self, letters, width=32, length=16):
        super().__init__()
        self.letters, self.places = nn.Embedding(letters, width), nn.Embedding(length, width)
        self.mixing = nn.ModuleList(nn.Linear(width, 3 * width) for _ in range(2))
        self.thinking = nn.ModuleList(
            nn.Sequential(nn.LayerNorm(width), nn.Linear(width, 64), nn.GELU(), nn.Linear(64, width)) for _ in range(2)
        )
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(3))

    def forward(self, x):
        n, t = x.shape
        h = self.letters(x) + self.places(gg.arange(t))
        for norm, mix, think in zip(self.norms, self.mixing, self.thinking, strict=False):
            q, k, v = (
                part.reshape(n, t, 4, -1).transpose(0, 2, 1, 3) for part in gg.split(mix(norm(h)), 3, axis=-1)
            )  # fmt: skip
            y = F.scaled_dot_product_attention(q, k, v, is_causal=True)
            h = h + y.transpose(0, 2, 1, 3).reshape(n, t, -1)
            h = h + think(h)
        return self.norms[2](h) @ self.letters.weight.T


TEXT = "the cat sat on the mat, and the dog sat on the cat, and then the mat was flat. "


def gpt(dtype):
    """The loss of a small GPT on a text that repeats, after 30 steps."""
    gg.random.seed(3)
    letters = sorted(set(TEXT))
    codes = numpy.array([letters.index(c) for c in TEXT * 30])
    model = GPT(len(letters))
    optimizer = gg.optim.AdamW(model.parameters(), lr=1e-2)
    scaler = gg.optim.GradScaler(enabled=dtype == "float16")
    rng, last = numpy.random.default_rng(0), []
    for _ in range(30):
        starts = rng.integers(0, len(codes) - 17, 16)
        batch = numpy.stack([codes[i : i + 17] for i in starts])
        optimizer.zero_grad()
        with in_precision(dtype):
            scores = model(gg.tensor(batch[:, :-1]))
            loss = F.cross_entropy(scores.reshape(-1, len(letters)), gg.tensor(batch[:, 1:].reshape(-1)))
        assert scores.dtype.name == (dtype or "float32")
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()
        last.append(loss.item())
    return float(numpy.mean(last[-10:]))


def test_trainings_reach_the_figure_of_float32(device):
    """An overflow at the start is survived: the first scale of the digits is 2^40."""
    wanted, skipped = digits(None)
    assert wanted > 0.9
    assert skipped == 0
    for dtype in SHORT:
        found, skipped = digits(dtype)
        assert found > wanted - 0.03
        assert (skipped > 0) == (dtype == "float16")
    wanted = gpt(None)
    for dtype in SHORT:
        assert abs(gpt(dtype) - wanted) < 0.1 * wanted + 0.02
