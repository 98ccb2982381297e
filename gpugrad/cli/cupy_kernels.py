"""Programs that make CuPy compile its own kernels: functions of elements, reductions, indexing, networks, optimizers.

CuPy compiles a kernel when it is first used, for the dtypes and the number of axes that it meets: about 0.1 s each, and
some 2 s for a reduction through CUB. A run in a fresh container compiles those of its first steps again, unless they
are in CuPy's cache.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

DTYPES = ("float32", "float16", "float64", "int64")

Program = tuple[str, Callable[[], object]]


def programs() -> Iterator[Program]:
    """All programs, with their names; they compute on the default device."""
    from .. import optim

    for dtype in DTYPES:
        yield f"elements, {dtype}", partial(elements, dtype)
        yield f"reductions, {dtype}", partial(reductions, dtype)
        yield f"indexing, {dtype}", partial(indexing, dtype)
    for name, network in NETWORKS.items():
        yield f"{name}, forward and backward", partial(network, optim.SGD)
    for name in optim.__all__:
        kind = getattr(optim, name)
        if isinstance(kind, type) and issubclass(kind, optim.Optimizer) and name not in BY_ITSELF:
            for options in OPTIONS.get(name, ({},)):
                said = "".join(f", {key}" for key in options)
                yield f"optimizer {name}{said}", partial(perceptron, kind, **options)


BY_ITSELF = {"Optimizer", "LBFGS", "Muon"}
"""The base class, and optimizers that take a closure, or matrices alone."""

OPTIONS: dict[str, tuple[dict[str, Any], ...]] = {
    "SGD": ({}, {"momentum": 0.9}),
    "Adam": ({}, {"amsgrad": True}),
    "RMSprop": ({}, {"momentum": 0.9}, {"centered": True}),
}
"""Options that choose another kernel."""


def elements(dtype: str) -> None:
    """Operators and functions of elements, of arrays with one to four axes, transposed, and broadcast."""
    import gpugrad as gg

    floating = dtype.startswith("float")
    for shape in ((6,), (2, 3), (2, 3, 4), (2, 3, 2, 2)):
        x = gg.arange(1, 1 + gg.zeros(shape).size).reshape(shape).astype(dtype)
        others = [x, x[..., :1], 2]
        if x.ndim > 1:
            others.append(gg.ones(shape[::-1], dtype=dtype).transpose())
        for y in others:
            for result in (x + y, x - y, y - x, x * y, x == y, x != y, x < y, x <= y, x > y, x >= y):
                gg.where(result.astype("bool"), x, y), gg.where(result.astype("bool"), 0.0 if floating else 0, x)
            gg.maximum(x, y), gg.minimum(x, y)
            if floating:
                x / y, y / x
        for to in (*DTYPES, "bool"):
            x.astype(to)
        -x, abs(x), x.copy(), x**2, gg.sign(x), gg.zeros_like(x), gg.ones_like(x), gg.full_like(x, 2)
        if floating:
            for function in (gg.exp, gg.log, gg.log1p, gg.sqrt, gg.sin, gg.cos, gg.tanh, gg.isnan, gg.isfinite):
                function(x)
        gg.clip(x, 1, 3)
        gg.full(shape, 0.5 if floating else 2, dtype=dtype)
    for ndim in (2, 3, 4, 5):
        cube = gg.ones((3,) * ndim, dtype=dtype)
        swapped, part = gg.swapaxes(cube, 0, -1), cube[..., :2]
        swapped.copy(), part.copy(), part + part, part * part, part - part, swapped + part[..., :1]


def reductions(dtype: str) -> None:
    """Over all elements, rows and columns; short and long ones, which CuPy reduces in different ways."""
    import gpugrad as gg

    floating = dtype.startswith("float")
    functions: list[Callable[..., Any]] = [gg.sum, gg.prod, gg.max, gg.min, gg.argmax, gg.argmin, gg.any, gg.all]
    functions += [gg.mean, gg.var, gg.std] if floating else []
    for shape in ((64,), (100_000,), (8, 10), (64, 1024), (4, 100_000)):
        x = gg.ones(shape, dtype=dtype)
        for function in functions:
            for axis in (None, 0, -1)[: len(shape) + 1]:
                function(x, axis=axis)
                function(x, axis=axis, keepdims=True)
    for sizes, axes in (((2, 3, 4, 5), (0, 2, 3)), ((2, 3, 4), (0, 1))):
        gg.sum(gg.ones(sizes, dtype=dtype), axis=axes)


def indexing(dtype: str) -> None:
    """Slices, gathers and their gradients, joining, ordering."""
    import gpugrad as gg

    x = gg.arange(24).reshape(4, 6).astype(dtype)
    rows = gg.tensor([0, 2, 2])
    x[1:, ::2].copy(), x[rows], x[:, rows], x[x > 3], gg.take_along_axis(x, gg.argsort(x, axis=1), axis=1)
    gg.concatenate([x, x]), gg.concatenate([x, x], axis=1), gg.stack([x, x])
    gg.sort(x), gg.cumsum(x, axis=1), gg.tril(x), gg.eye(4, dtype=dtype), gg.flip(x, axis=0)
    if dtype.startswith("float"):
        leaf = x.copy().requires_grad_()
        (leaf[rows].sum() + leaf[1:, ::2].sum() + gg.concatenate([leaf, leaf]).sum()).backward()


def trained(model: Any, loss: Callable[[], Any], kind: Any, **options: Any) -> None:
    """Three steps, the last one after clipping; and what is counted beside them."""
    from .. import nn

    optimizer = kind(model.parameters(), lr=0.01, **options)
    for step in range(3):
        optimizer.zero_grad()
        value = loss()
        value.backward()
        if step == 2:
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
    value.item()


def perceptron(kind: Any, **options: Any) -> None:
    """Linear layers, normalization and dropout, with labels and with numbers to meet."""
    import gpugrad as gg
    from gpugrad import nn

    model = nn.Sequential(nn.Linear(20, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Dropout(0.1), nn.Linear(16, 10))
    x, labels = gg.random.standard_normal((32, 20)), gg.arange(32) % 10
    trained(model, lambda: nn.functional.cross_entropy(model(x), labels), kind, **options)
    trained(model, lambda: nn.functional.mse_loss(model(x), gg.zeros((32, 10))), kind, **options)
    (gg.argmax(model(x), axis=1) == labels).mean(dtype="float32").item()


def convolutions(kind: Any) -> None:
    """Convolution, batch normalization, pooling."""
    import gpugrad as gg
    from gpugrad import nn

    model = nn.Sequential(
        nn.Conv2d(1, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(4, 8, 3, stride=2), nn.GELU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 10),
    )  # fmt: skip
    x, labels = gg.random.standard_normal((4, 1, 16, 16)), gg.arange(4)
    trained(model, lambda: nn.functional.cross_entropy(model(x), labels), kind)


def recurrent(kind: Any) -> None:
    """An LSTM and a GRU."""
    import gpugrad as gg
    from gpugrad import nn

    x = gg.random.standard_normal((4, 6, 8))
    for layer in (nn.LSTM(8, 8, batch_first=True), nn.GRU(8, 8, batch_first=True)):
        trained(layer, partial(last_of, layer, x), kind)


def last_of(layer: Any, x: Any) -> Any:
    """A loss of the last outputs."""
    return (layer(x)[0][:, -1] ** 2).mean()


def transformer(kind: Any) -> None:
    """Embedding, attention, layer normalization."""
    import gpugrad as gg
    from gpugrad import nn

    tokens = gg.arange(24).reshape(3, 8) % 11
    embedding, layer, scores = nn.Embedding(11, 16), nn.TransformerEncoderLayer(16, 2, 32), nn.Linear(16, 11)
    model = nn.ModuleList([embedding, layer, scores])
    trained(
        model,
        lambda: nn.functional.cross_entropy(scores(layer(embedding(tokens))).reshape(24, 11), tokens.reshape(24)),
        kind,
    )


NETWORKS: dict[str, Callable[[Any], None]] = {
    "perceptron": perceptron, "convolutions": convolutions, "recurrent layers": recurrent, "transformer": transformer,
}  # fmt: skip
