"""Convolutions under vmap: whatever differs from sample to sample, values and gradients are those of a loop."""

import numpy
import pytest

import gpugrad as gg
from gpugrad.nn import functional as F

SHAPES = {"x": (3, 2, 4, 5, 4), "w": (3, 6, 2, 3, 2), "b": (3, 6)}
BACK = {"x": (3, 2, 6, 3, 2), "w": (3, 6, 2, 3, 2), "b": (3, 4)}


def forward(x, w, b):
    return F.conv2d(x, w, b, groups=2, stride=2, padding=1)


def transposed(x, w, b):
    return F.conv_transpose2d(x, w, b, groups=2, stride=(1, 2), dilation=2)


@pytest.mark.parametrize(
    "axes", [(0, 0, 0), (0, 0, None), (None, 0, 0), (0, None, 0), (0, None, None), (None, None, 0)]
)
@pytest.mark.parametrize(("function", "shapes"), [(forward, SHAPES), (transposed, BACK)])
def test_values_and_gradients_are_those_of_a_loop(function, shapes, axes, rng):
    whole = [gg.tensor(rng.standard_normal(shape)) for shape in shapes.values()]
    arrays = [a if axis == 0 else a[0] for a, axis in zip(whole, axes, strict=True)]
    samples = [[a[i] if axis == 0 else a for a, axis in zip(arrays, axes, strict=True)] for i in range(3)]

    def loss(*xs):
        return (function(*xs) ** 2).sum()

    y = gg.vmap(function, in_axes=axes)(*arrays)
    numpy.testing.assert_allclose(y.numpy(), numpy.stack([function(*xs).numpy() for xs in samples]), rtol=1e-10)
    gradient = gg.grad(loss, argnums=(0, 1, 2))
    found = gg.vmap(gradient, in_axes=axes)(*arrays)
    expected = [gradient(*xs) for xs in samples]
    for k, g in enumerate(found):
        numpy.testing.assert_allclose(g.numpy(), numpy.stack([e[k].numpy() for e in expected]), rtol=1e-9, atol=1e-12)
