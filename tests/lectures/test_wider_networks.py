"""Over-parameterization: width against loss; starts that train side by side do not feel each other."""

from __future__ import annotations

import numpy
import pytest

import gpugrad as gg

pytestmark = pytest.mark.any_device


@pytest.fixture
def wider(lecture):
    with gg.default_device("cpu"):
        yield lecture("wider_networks")


def test_a_wider_network_fits_more_easily(wider):
    train, test = wider.points(48, 0.1, seed=0), wider.points(100, 0.1, seed=1)
    narrow, wide = (wider.fit(width, train, test, starts=6, steps=500) for width in (2, 64))
    assert (narrow.parameters, wide.parameters) == (7, 193)
    assert wide.train.max() < 0.05 < narrow.train.min()  # from every start
    assert numpy.median(wide.test) < numpy.median(narrow.test) / 4


def test_starts_train_side_by_side(wider):
    """The gradient of one start in the batch is the one that it has alone."""
    x, y = wider.points(10, 0.1, seed=0)
    together = wider.networks(3, starts=4)
    ((together(x) - y) ** 2).mean(axis=(1, 2)).sum().backward()
    alone = wider.Networks(*(gg.tensor(w.detach().numpy()[2:3], requires_grad=True) for w in together))
    ((alone(x) - y) ** 2).mean().backward()
    for all_of_them, one in zip(together, alone, strict=True):
        numpy.testing.assert_allclose(all_of_them.grad.numpy()[2:3], one.grad.numpy(), rtol=1e-12)


def test_outputs_begin_equally_large(wider):
    x, _ = wider.points(48, 0.1, seed=0)
    with gg.no_grad():
        spreads = [wider.networks(width, starts=200)(x).numpy().std() for width in (1, 16, 256)]
    assert max(spreads) < 1.3 * min(spreads)


def test_the_program(program, tmp_path):
    pytest.importorskip("matplotlib", reason="the picture is drawn by matplotlib")
    out = program("wider_networks", "--steps", 5)
    assert len(out.splitlines()) == 12
    assert (tmp_path / "wider_networks.png").read_bytes().startswith(b"\x89PNG")
