"""Models as ONNX files: what onnxruntime computes with them, for several sizes of the batch."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy
import pytest

import gpugrad as gg
from gpugrad import nn
from gpugrad.onnx import ExportError

sys.path.append(str(Path(__file__).parent.parent.parent / "benchmarks"))
from networks import SMALL

F = nn.functional


@pytest.fixture(autouse=True)
def onnxruntime():
    pytest.importorskip("onnx", reason="onnx is not installed: pip install 'gpugrad[onnx]'")
    return pytest.importorskip("onnxruntime", reason="onnxruntime is not installed: pip install 'gpugrad[onnx]'")


def run(onnxruntime, path, *arrays):
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    return session.run(None, {one.name: a for one, a in zip(session.get_inputs(), arrays, strict=True)})


def agrees(onnxruntime, path, model, *shapes, dtype="float32", batches=(1, 2, 7)):
    """The file gives what the model gives, to 1e-5, for batches that it was not exported with."""
    rng = numpy.random.default_rng(0)

    def arrays(n):
        if dtype == "float32":
            return [rng.normal(size=(n, *s)).astype(dtype) for s in shapes]
        return [rng.integers(0, 5, (n, *s)) for s in shapes]

    gg.onnx.export(model, tuple(map(gg.tensor, arrays(3))), path)
    if isinstance(model, nn.Module):
        model.eval()
    for n in batches:
        given = arrays(n)
        with gg.no_grad():
            wanted = model(*map(gg.tensor, given))
        wanted = wanted if isinstance(wanted, tuple | list) else [wanted]
        for a, b in zip(run(onnxruntime, path, *given), wanted, strict=True):
            assert a.shape == b.shape
            numpy.testing.assert_allclose(a, b.numpy(), rtol=1e-5, atol=1e-5)


class Language(nn.Module):
    """A recurrent layer between words and scores of words."""

    def __init__(self, kind, **options):
        super().__init__()
        self.words = nn.Embedding(7, 5)
        self.layer = getattr(nn, kind)(5, 6, batch_first=True, **options)
        self.out = nn.Linear(12 if options.get("bidirectional") else options.get("proj_size", 6), 7)

    def forward(self, x):
        return self.out(self.layer(self.words(x))[0])


class Block(nn.Module):
    """A residual block, as those of ResNet-20."""

    def __init__(self, inside, outside, stride=1):
        super().__init__()
        self.first = nn.Conv2d(inside, outside, 3, stride, 1, bias=False)
        self.second = nn.Conv2d(outside, outside, 3, 1, 1, bias=False)
        self.norms = nn.ModuleList([nn.BatchNorm2d(outside), nn.BatchNorm2d(outside)])
        self.beside = nn.Conv2d(inside, outside, 1, stride, bias=False)

    def forward(self, x):
        y = F.relu(self.norms[0](self.first(x)))
        return F.relu(self.norms[1](self.second(y)) + self.beside(x))


class Autoencoder(nn.Module):
    """The picture that the mean gives, the mean, and the logarithm of the variance."""

    def __init__(self):
        super().__init__()
        self.inward = nn.Sequential(nn.Flatten(), nn.Linear(64, 16), nn.Tanh())
        self.mean, self.spread = nn.Linear(16, 2), nn.Linear(16, 2)
        self.outward = nn.Sequential(nn.Linear(2, 16), nn.SiLU(), nn.Linear(16, 64), nn.Sigmoid())

    def forward(self, x):
        h = self.inward(x)
        mean, log = self.mean(h), self.spread(h)
        return self.outward(mean).reshape(x.shape), mean, log


class Unet(nn.Module):
    """Down, up, and past both; with the number of a step."""

    def __init__(self):
        super().__init__()
        self.down = nn.Conv2d(1, 4, 3, stride=2, padding=1)
        self.up = nn.ConvTranspose2d(4, 4, 4, stride=2, padding=1)
        self.out = nn.Conv2d(5, 1, 3, padding=1)
        self.times = nn.Embedding(5, 4)

    def forward(self, x, t):
        h = F.gelu(self.down(x)) + self.times(gg.clip(gg.abs(t), 0, 4).astype("int64"))[:, :, None, None]
        return self.out(gg.concat([F.interpolate(F.avg_pool2d(self.up(h), 2), scale_factor=2), x], axis=1))


def perceptron(*layers):
    return nn.Sequential(nn.Linear(4, 6), *layers, nn.Linear(6, 3))


MODELS = {
    "logistic regression": (lambda: nn.Linear(4, 1), [(4,)]),
    "perceptron": (lambda: perceptron(nn.ReLU(), nn.Dropout(0.5)), [(4,)]),
    **{name: (lambda name=name: perceptron(getattr(nn, name)()), [(4,)]) for name in (
        "GELU", "SiLU", "Tanh", "Sigmoid", "ELU", "LeakyReLU", "Softplus", "Hardswish", "Hardsigmoid", "Mish", "SELU",
        "ReLU6", "LogSoftmax", "Softmax", "PReLU", "Softsign", "Hardtanh", "LogSigmoid", "CELU", "Hardshrink",
        "Softshrink", "Tanhshrink")},
    "normalization": (lambda: perceptron(
        nn.LayerNorm(6), nn.GroupNorm(2, 6), nn.RMSNorm(6), nn.BatchNorm1d(6)), [(4,)]),
    "convolutions": (lambda: nn.Sequential(
        nn.Conv2d(1, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(4, 4, 3, 2, groups=2),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 3)), [(1, 8, 8)]),
    "residual network": (lambda: nn.Sequential(
        Block(1, 4), Block(4, 8, 2), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 10)), [(1, 8, 8)]),
    "pools": (lambda: nn.Sequential(
        nn.AvgPool2d(3, 2, padding=1), nn.MaxPool2d(3, 2, padding=1, ceil_mode=True),
        nn.AvgPool2d(2, count_include_pad=False, padding=1), nn.InstanceNorm2d(2)), [(2, 13, 12)]),
    "convolutions of lines": (lambda: nn.Sequential(
        nn.Conv1d(2, 4, 3, dilation=2), nn.ReLU(), nn.MaxPool1d(2), nn.ConvTranspose1d(4, 2, 3, 2, 1, 1)), [(2, 16)]),
    "autoencoder": (Autoencoder, [(1, 8, 8)]),
    "U-Net": (Unet, [(1, 8, 8), ()]),
    "LSTM": (lambda: Language("LSTM"), [(4,)], "int64"),
    "LSTM both ways": (lambda: Language("LSTM", bidirectional=True, num_layers=2), [(4,)], "int64"),
    "LSTM, projected": (lambda: Language("LSTM", proj_size=3), [(4,)], "int64"),
    "GRU": (lambda: Language("GRU", num_layers=2), [(3,)], "int64"),
    "RNN": (lambda: Language("RNN", nonlinearity="relu"), [(3,)], "int64"),
    "transformer": (lambda: nn.TransformerEncoderLayer(8, 2, 16, batch_first=True), [(5, 8)]),
    "window classifier": (lambda: nn.Sequential(nn.Embedding(7, 5), nn.Flatten(), nn.Linear(15, 4), nn.Tanh(),
                                                nn.Linear(4, 3)), [(3,)], "int64"),
}  # fmt: skip


@pytest.mark.parametrize("name", MODELS)
def test_models(name, tmp_path, onnxruntime):
    make, shapes, *dtype = MODELS[name]
    gg.random.seed(0)
    agrees(onnxruntime, tmp_path / "m.onnx", make(), *shapes, dtype=dtype[0] if dtype else "float32")


@pytest.mark.parametrize("network", SMALL, ids=lambda n: n.name)
def test_the_networks_of_the_benchmarks(network, tmp_path, onnxruntime):
    gg.random.seed(0)
    model, (x, _) = network.build(gg, 0.3), network.data(0)
    gg.onnx.export(model, gg.tensor(x), tmp_path / "m.onnx")
    assert model.training
    model.eval()
    for n in (1, 2, len(x)):
        with gg.no_grad():
            wanted = model(gg.tensor(x[:n])).numpy()
        (found,) = run(onnxruntime, tmp_path / "m.onnx", x[:n])
        numpy.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-5)


FUNCTIONS = {
    "indices": lambda x: gg.concat([x[:, 1:3], x[:, -1:], x[:, ::2], x[:, 0][:, None], x[..., ::-1]], axis=1),
    "rows": lambda x: x[0:2].sum(axis=0) + x[-1],
    "reductions": lambda x: (x - x.mean(axis=0)) / (x.max(axis=1, keepdims=True) + gg.abs(x).sum() + 1),
    "choice": lambda x: gg.where((x > 0) & ~(x > 1), gg.sqrt(gg.abs(x)), -(x**2)) + gg.clip(x, -0.5, 0.5),
    "scores": lambda x: gg.argmax(x, axis=1).astype("float32")[:, None] + gg.cumsum(x, axis=1),
    "elementary": lambda x: gg.log1p(gg.exp(x)) + gg.expm1(x) * gg.tanh(x) / (1 + gg.square(x)) + gg.floor(x),
    "shapes": lambda x: (
        gg.sum(gg.stack(gg.split(x.reshape(x.shape[0] * 2, 2), 2, axis=1)), axis=0).mT @ gg.ones((x.shape[0] * 2, 3))
    ),
    "made of the size": lambda x: x + gg.arange(x.shape[0])[:, None] + gg.ones((x.shape[0], 1)) * x.shape[0],
    "a triangle": lambda x: F.softmax(
        gg.where(gg.tril(gg.ones((4, 4), dtype="bool")), x[:, :, None] * x[:, None, :], -1e9)
    ),
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_functions(name, tmp_path, onnxruntime):
    batches = (3, 4) if name in ("rows", "reductions") else (1, 2, 7)
    agrees(onnxruntime, tmp_path / "f.onnx", FUNCTIONS[name], (4,), batches=batches)


def test_what_the_file_says(tmp_path, onnxruntime):
    import onnx

    model = nn.Sequential(nn.Linear(4, 3))
    path = tmp_path / "m.onnx"
    gg.onnx.export(model, gg.ones((2, 4)), path, input_names=["x"], output_names=["scores"])
    made = onnx.load(path)
    assert [(one.domain, one.version) for one in made.opset_import] == [("", 18)]
    assert {one.name for one in made.graph.initializer} >= {"0.weight", "0.bias"}
    session = onnxruntime.InferenceSession(str(path))
    assert [(i.name, i.shape, i.type) for i in session.get_inputs()] == [("x", ["batch", 4], "tensor(float)")]
    assert [(i.name, i.shape) for i in session.get_outputs()] == [("scores", ["batch", 3])]
    gg.onnx.export(model, numpy.ones((2, 4), "float32"), path, dynamic_batch=False, opset=20)
    assert onnxruntime.InferenceSession(str(path)).get_inputs()[0].shape == [2, 4]
    assert onnx.load(path).opset_import[0].version == 20


REFUSED = [
    (lambda x: gg.linalg.inv(x[:, :4] @ x[:, :4].T + gg.eye(x.shape[0])), "inv has no counterpart in ONNX"),
    (lambda x: gg.sort(x, axis=1), "sort has no counterpart in ONNX"),
    (lambda x: x + gg.random.standard_normal((4,)), "random|changes from call to call"),
    (lambda x: F.dropout(x, 0.5), "random|changes from call to call"),
    (lambda x: sum(x[i] for i in range(x.shape[0])), "other calls with another size of the batch"),
    (lambda x: gg.atan2(x, x + 1), "atan2 has no counterpart in ONNX"),
]


def test_what_has_no_counterpart_is_named(tmp_path):
    for function, message in REFUSED:
        with pytest.raises(ExportError, match=message):
            gg.onnx.export(function, gg.ones((2, 4)), tmp_path / "m.onnx")
        assert not (tmp_path / "m.onnx").exists()
    with pytest.raises(ExportError, match=r"whose first axis is the batch.*got the shapes \(\)"):
        gg.onnx.export(lambda x: x, gg.ones(()), tmp_path / "m.onnx")
    with pytest.raises(ValueError, match="expected an opset from 18 on, got 11"):
        gg.onnx.export(lambda x: x, gg.ones(2), tmp_path / "m.onnx", opset=11)
    with pytest.raises(ValueError, match="expected 1 different input_names"):
        gg.onnx.export(lambda x: x, gg.ones(2), tmp_path / "m.onnx", input_names=["a", "b"])
    with pytest.raises(RuntimeError, match="the value of a tensor was asked for"):
        gg.onnx.export(lambda x: x if x.sum() > 0 else -x, gg.ones(2), tmp_path / "m.onnx")
