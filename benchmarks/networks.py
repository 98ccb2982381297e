"""The networks of ``steps.py``, written once for gpugrad and PyTorch: ``lib`` is one of the two modules.

``NETWORKS`` has six in the sizes that are measured, ``SMALL`` the same in sizes for tests. JAX's are in
``networks_jax.py``. ``PUBLIC_NETWORKS`` are well-known networks for images (``public_networks.py``).
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy
from public_networks import PUBLIC

CLASSES = 10
HEADS = 4

Arrays = tuple[numpy.ndarray[Any, Any], numpy.ndarray[Any, Any]]


@dataclass(frozen=True)
class Network:
    """A kind of network in one size.

    Attributes:
        name: as it is printed.
        kind: ``mlp``, ``cnn``, ``lstm`` or ``gpt``, or the name of a public network.
        batch: samples in a step.
        sizes: what the kind needs to know.
    """

    name: str
    kind: str
    batch: int
    sizes: dict[str, Any] = field(default_factory=dict)

    def build(self, lib: Any, dropout: float = 0.0) -> Any:
        """The model, a module of ``lib``; with dropout behind its hidden layers if asked for."""
        if self.kind in PUBLIC:
            return PUBLIC[self.kind](lib)
        return BUILDERS[self.kind](lib, dropout, **self.sizes)

    def data(self, seed: int = 0) -> Arrays:
        """Inputs and labels of one batch."""
        rng, sizes = numpy.random.default_rng(seed), self.sizes
        if self.kind == "gpt":
            tokens = rng.integers(0, sizes["vocabulary"], (self.batch, sizes["length"] + 1))
            return tokens[:, :-1].copy(), tokens[:, 1:].copy()
        shapes = {
            "mlp": lambda: (sizes["widths"][0],),
            "cnn": lambda: (1, sizes["side"], sizes["side"]),
            "lstm": lambda: (sizes["length"], sizes["width"]),
        }
        shape = shapes.get(self.kind, lambda: (3, 32, 32))()
        x = rng.standard_normal((self.batch, *shape)).astype("f4")
        return x, rng.integers(0, CLASSES, self.batch)

    def loss(self, lib: Any, model: Any, x: Any, y: Any) -> Any:
        """The mean cross-entropy, a tensor of ``lib``."""
        scores = model(x)
        return lib.nn.functional.cross_entropy(scores.reshape((-1, scores.shape[-1])), y.reshape(-1))


def _dropped(lib: Any, dropout: float) -> list[Any]:
    return [lib.nn.Dropout(dropout)] if dropout else []


def mlp(lib: Any, dropout: float, widths: tuple[int, ...]) -> Any:
    """Linear layers with ReLU between them."""
    layers: list[Any] = []
    for width, following in itertools.pairwise(widths[:-1]):
        layers += [lib.nn.Linear(width, following), lib.nn.ReLU(), *_dropped(lib, dropout)]
    return lib.nn.Sequential(*layers, lib.nn.Linear(widths[-2], widths[-1]))


def cnn(lib: Any, dropout: float, side: int, channels: tuple[int, int]) -> Any:
    """Two 5x5 convolutions with ReLU and pooling, and a linear layer."""
    nn, (first, second) = lib.nn, channels
    return nn.Sequential(
        nn.Conv2d(1, first, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(first, second, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), *_dropped(lib, dropout), nn.Linear(second * (side // 4) ** 2, CLASSES),
    )  # fmt: skip


def lstm(lib: Any, dropout: float, width: int, length: int) -> Any:
    """An LSTM, and a linear layer on its last state."""
    nn = lib.nn

    class Reader(nn.Module):  # type: ignore[misc, name-defined]
        def __init__(self) -> None:
            super().__init__()
            self.lstm = nn.LSTM(width, width, batch_first=True)
            self.dropped = nn.Sequential(*_dropped(lib, dropout))
            self.linear = nn.Linear(width, CLASSES)

        def forward(self, x: Any) -> Any:
            return self.linear(self.dropped(self.lstm(x)[0][:, -1]))

    return Reader()


def gpt(lib: Any, dropout: float, layers: int, width: int, length: int, vocabulary: int) -> Any:
    """A decoder as in GPT-2: blocks of causal attention and a perceptron, each behind a layer norm."""
    nn, functional = lib.nn, lib.nn.functional

    class Block(nn.Module):  # type: ignore[misc, name-defined]
        def __init__(self) -> None:
            super().__init__()
            self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
            self.mix, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
            self.dropped = nn.Sequential(*_dropped(lib, dropout))
            self.perceptron = nn.Sequential(nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width),
                                            *_dropped(lib, dropout))  # fmt: skip

        def attention(self, x: Any) -> Any:
            n, t, _ = x.shape
            mixed = self.mix(x).reshape(n, t, 3, HEADS, -1).swapaxes(1, 3)
            q, k, v = (mixed[:, :, i] for i in range(3))
            y = functional.scaled_dot_product_attention(q, k, v, is_causal=True)
            return self.dropped(self.out(y.swapaxes(1, 2).reshape(n, t, width)))

        def forward(self, x: Any) -> Any:
            x = x + self.attention(self.norm1(x))
            return x + self.perceptron(self.norm2(x))

    class Decoder(nn.Module):  # type: ignore[misc, name-defined]
        def __init__(self) -> None:
            super().__init__()
            self.tokens = nn.Embedding(vocabulary, width)
            self.places = nn.Parameter(lib.zeros((length, width)))
            self.blocks = nn.Sequential(*(Block() for _ in range(layers)))
            self.norm, self.scores = nn.LayerNorm(width), nn.Linear(width, vocabulary)

        def forward(self, x: Any) -> Any:
            return self.scores(self.norm(self.blocks(self.tokens(x) + self.places)))

    return Decoder()


BUILDERS: dict[str, Callable[..., Any]] = {"mlp": mlp, "cnn": cnn, "lstm": lstm, "gpt": gpt}

NETWORKS = [
    Network("MLP 784-64-64-10", "mlp", 32, {"widths": (784, 64, 64, 10)}),
    Network("MLP 784-512-512-10", "mlp", 128, {"widths": (784, 512, 512, 10)}),
    Network("MLP 784-2048-2048-10", "mlp", 256, {"widths": (784, 2048, 2048, 10)}),
    Network("CNN 5x5", "cnn", 64, {"side": 28, "channels": (16, 32)}),
    Network("LSTM 256", "lstm", 32, {"width": 256, "length": 64}),
    Network("GPT 4x128", "gpt", 16, {"layers": 4, "width": 128, "length": 128, "vocabulary": 65}),
]

SMALL = [
    Network("MLP 12-8-8-10", "mlp", 4, {"widths": (12, 8, 8, 10)}),
    Network("MLP 12-16-16-10", "mlp", 5, {"widths": (12, 16, 16, 10)}),
    Network("MLP 12-24-24-10", "mlp", 6, {"widths": (12, 24, 24, 10)}),
    Network("CNN 5x5, small", "cnn", 3, {"side": 8, "channels": (2, 3)}),
    Network("LSTM 6", "lstm", 3, {"width": 6, "length": 4}),
    Network("GPT 2x8", "gpt", 2, {"layers": 2, "width": 8, "length": 5, "vocabulary": 11}),
]

PUBLIC_NETWORKS = [Network(name, name, 32) for name in PUBLIC]
