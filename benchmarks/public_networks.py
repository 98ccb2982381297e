"""Well-known networks for images of 32x32 pixels, for gpugrad and PyTorch: ``lib`` is one of the two modules.

ResNet18 (He et al. 2015), EfficientNet-B0 (Tan and Le 2019), MobileNetV2 (Sandler et al. 2018), DenseNet (Huang et al.
2017, 58 blocks of growth 12), a vision transformer (Dosovitskiy et al. 2020) and DCGAN (Radford et al. 2015). As usual
for small images, the first convolution has stride 1. ``steps.py --public`` measures them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

CLASSES = 10

EFFICIENT = [
    (1, 16, 1, 3, 1), (6, 24, 2, 3, 2), (6, 40, 2, 5, 2), (6, 80, 3, 3, 2), (6, 112, 3, 5, 1), (6, 192, 4, 5, 2),
    (6, 320, 1, 3, 1),
]  # fmt: skip
"""Stages of EfficientNet-B0: expansion, channels, blocks, size of the filters, stride."""

MOBILE = [
    (1, 16, 1, 3, 1), (6, 24, 2, 3, 1), (6, 32, 3, 3, 2), (6, 64, 4, 3, 2), (6, 96, 3, 3, 1), (6, 160, 3, 3, 2),
    (6, 320, 1, 3, 1),
]  # fmt: skip
"""Stages of MobileNetV2, in the same form."""


def _normalized(nn: Any, inputs: int, outputs: int, size: int, activation: Any = None, **options: Any) -> Any:
    """A convolution without bias, batch normalization and an activation."""
    layers = [nn.Conv2d(inputs, outputs, size, bias=False, **options), nn.BatchNorm2d(outputs)]
    return nn.Sequential(*layers, *([] if activation is None else [activation]))


def _head(nn: Any, channels: int) -> list[Any]:
    return [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, CLASSES)]


def resnet18(lib: Any) -> Any:
    """Four stages of two residual blocks, of two 3x3 convolutions each."""
    nn = lib.nn

    class Residual(nn.Module):  # type: ignore[misc, name-defined]
        def __init__(self, inputs: int, outputs: int, stride: int) -> None:
            super().__init__()
            self.inner = nn.Sequential(
                _normalized(nn, inputs, outputs, 3, nn.ReLU(), padding=1, stride=stride),
                _normalized(nn, outputs, outputs, 3, padding=1),
            )
            same = stride == 1 and inputs == outputs
            self.beside = nn.Identity() if same else _normalized(nn, inputs, outputs, 1, stride=stride)

        def forward(self, x: Any) -> Any:
            return nn.functional.relu(self.inner(x) + self.beside(x))

    blocks, inputs = [], 64
    for outputs, stride in ((64, 1), (128, 2), (256, 2), (512, 2)):
        blocks += [Residual(inputs, outputs, stride), Residual(outputs, outputs, 1)]
        inputs = outputs
    return nn.Sequential(_normalized(nn, 3, 64, 3, nn.ReLU(), padding=1), *blocks, *_head(nn, 512))


def _inverted(lib: Any, stages: list[Any], squeeze: bool, activation: Callable[[], Any], last: int) -> Any:
    """Inverted residuals: expand the channels, filter each one, and project to few channels again."""
    nn = lib.nn

    class Squeeze(nn.Module):  # type: ignore[misc, name-defined]
        def __init__(self, channels: int, inner: int) -> None:
            super().__init__()
            self.weights = nn.Sequential(
                nn.AdaptiveAvgPool2d(1), nn.Conv2d(channels, inner, 1), activation(), nn.Conv2d(inner, channels, 1),
                nn.Sigmoid(),
            )  # fmt: skip

        def forward(self, x: Any) -> Any:
            return x * self.weights(x)

    class Inverted(nn.Module):  # type: ignore[misc, name-defined]
        def __init__(self, inputs: int, outputs: int, expansion: int, size: int, stride: int) -> None:
            super().__init__()
            middle = inputs * expansion
            self.same = stride == 1 and inputs == outputs
            self.inner = nn.Sequential(
                *([_normalized(nn, inputs, middle, 1, activation())] if expansion > 1 else []),
                _normalized(nn, middle, middle, size, activation(), padding=size // 2, stride=stride, groups=middle),
                *([Squeeze(middle, inputs // 4)] if squeeze else []),
                _normalized(nn, middle, outputs, 1),
            )

        def forward(self, x: Any) -> Any:
            return x + self.inner(x) if self.same else self.inner(x)

    blocks, inputs = [], 32
    for expansion, outputs, count, size, stride in stages:
        for i in range(count):
            blocks.append(Inverted(inputs, outputs, expansion, size, stride if i == 0 else 1))
            inputs = outputs
    return nn.Sequential(
        _normalized(nn, 3, 32, 3, activation(), padding=1), *blocks, _normalized(nn, inputs, last, 1, activation()),
        *_head(nn, last),
    )  # fmt: skip


def efficientnet(lib: Any) -> Any:
    """Inverted residuals with squeeze-and-excitation and SiLU."""
    return _inverted(lib, EFFICIENT, True, lib.nn.SiLU, 1280)


def mobilenet(lib: Any) -> Any:
    """Inverted residuals with ReLU6."""
    return _inverted(lib, MOBILE, False, lib.nn.ReLU6, 1280)


def densenet(lib: Any, growth: int = 12) -> Any:
    """Blocks whose layers see the results of all layers before them."""
    nn = lib.nn

    class Dense(nn.Module):  # type: ignore[misc, name-defined]
        def __init__(self, inputs: int) -> None:
            super().__init__()
            self.inner = nn.Sequential(
                nn.BatchNorm2d(inputs), nn.ReLU(), nn.Conv2d(inputs, 4 * growth, 1, bias=False),
                nn.BatchNorm2d(4 * growth), nn.ReLU(), nn.Conv2d(4 * growth, growth, 3, padding=1, bias=False),
            )  # fmt: skip

        def forward(self, x: Any) -> Any:
            return lib.concat([self.inner(x), x], 1)

    channels = 2 * growth
    layers = [nn.Conv2d(3, channels, 3, padding=1, bias=False)]
    for number, count in enumerate((6, 12, 24, 16)):
        for _ in range(count):
            layers.append(Dense(channels))
            channels += growth
        layers += [nn.BatchNorm2d(channels), nn.ReLU()]
        if number < 3:
            layers += [nn.Conv2d(channels, channels // 2, 1, bias=False), nn.AvgPool2d(2)]
            channels //= 2
    return nn.Sequential(*layers, *_head(nn, channels))


def vit(lib: Any, width: int = 192, layers: int = 6, heads: int = 3, patch: int = 4, side: int = 32) -> Any:
    """Patches as tokens, and blocks of attention and a perceptron."""
    nn, functional = lib.nn, lib.nn.functional

    class Block(nn.Module):  # type: ignore[misc, name-defined]
        def __init__(self) -> None:
            super().__init__()
            self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
            self.mix, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
            self.perceptron = nn.Sequential(nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width))

        def attention(self, x: Any) -> Any:
            n, t, _ = x.shape
            mixed = self.mix(x).reshape(n, t, 3, heads, -1).swapaxes(1, 3)
            y = functional.scaled_dot_product_attention(*(mixed[:, :, i] for i in range(3)))
            return self.out(y.swapaxes(1, 2).reshape(n, t, width))

        def forward(self, x: Any) -> Any:
            x = x + self.attention(self.norm1(x))
            return x + self.perceptron(self.norm2(x))

    class Transformer(nn.Module):  # type: ignore[misc, name-defined]
        def __init__(self) -> None:
            super().__init__()
            self.patches = nn.Conv2d(3, width, patch, stride=patch)
            self.first = nn.Parameter(lib.zeros((1, 1, width)))
            self.places = nn.Parameter(lib.zeros((1, (side // patch) ** 2 + 1, width)))
            self.blocks = nn.Sequential(*(Block() for _ in range(layers)))
            self.norm, self.scores = nn.LayerNorm(width), nn.Linear(width, CLASSES)

        def forward(self, x: Any) -> Any:
            tokens = self.patches(x).reshape(x.shape[0], width, -1).swapaxes(1, 2)
            first = lib.broadcast_to(self.first, (x.shape[0], 1, width))
            y = self.blocks(lib.concat([first, tokens], 1) + self.places)
            return self.scores(self.norm(y[:, 0]))

    return Transformer()


def dcgan(lib: Any, width: int = 64) -> Any:
    """A discriminator on the images, and on images that a generator makes of some of their pixels."""
    nn = lib.nn

    def upwards(inputs: int, outputs: int, **options: Any) -> list[Any]:
        convolution = nn.ConvTranspose2d(inputs, outputs, 4, bias=False, **options)
        return [convolution, nn.BatchNorm2d(outputs), nn.ReLU()]

    class Adversaries(nn.Module):  # type: ignore[misc, name-defined]
        def __init__(self) -> None:
            super().__init__()
            self.generator = nn.Sequential(
                *upwards(100, 4 * width), *upwards(4 * width, 2 * width, stride=2, padding=1),
                *upwards(2 * width, width, stride=2, padding=1),
                nn.ConvTranspose2d(width, 3, 4, stride=2, padding=1, bias=False), nn.Tanh(),
            )  # fmt: skip
            self.discriminator = nn.Sequential(
                nn.Conv2d(3, width, 4, stride=2, padding=1, bias=False), nn.LeakyReLU(0.2),
                _normalized(nn, width, 2 * width, 4, nn.LeakyReLU(0.2), stride=2, padding=1),
                _normalized(nn, 2 * width, 4 * width, 4, nn.LeakyReLU(0.2), stride=2, padding=1),
                nn.Conv2d(4 * width, CLASSES, 4, bias=False), nn.Flatten(),
            )  # fmt: skip

        def forward(self, x: Any) -> Any:
            made = self.generator(x[:, 0, :10, :10].reshape(-1, 100, 1, 1))
            return self.discriminator(x) - self.discriminator(made)

    return Adversaries()


PUBLIC: dict[str, Callable[[Any], Any]] = {
    "ResNet18": resnet18, "EfficientNet-B0": efficientnet, "MobileNetV2": mobilenet, "DenseNet": densenet, "ViT": vit,
    "DCGAN": dcgan,
}  # fmt: skip
