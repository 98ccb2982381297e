"""Paths of optimizers: the surfaces' known minima, first steps by hand, who arrives."""

from __future__ import annotations

import numpy
import pytest

import gpugrad as gg


@pytest.fixture
def paths(lecture):
    return lecture("optimizer_paths")


@pytest.mark.parametrize(("name", "depth"), [("a saddle", -1), ("six hollows", -1.0316)])
def test_the_minima(paths, name, depth):
    surface = paths.SURFACES[name]
    for minimum in surface.minima:
        place = gg.tensor(minimum, dtype=gg.float64)
        value, slope = gg.value_and_grad(lambda p, f=surface.f: f(*p))(place)
        assert value.item() == pytest.approx(depth, abs=1e-4)
        numpy.testing.assert_allclose(slope.numpy(), 0, atol=1e-3)  # the camel's are known to four digits
        assert numpy.linalg.eigvalsh(gg.hessian(lambda p, f=surface.f: f(*p))(place).numpy()).min() > 0


def test_the_saddle_is_not_convex(paths):
    hessian = gg.hessian(lambda p: paths.saddle(*p))(gg.zeros(2, dtype=gg.float64))
    assert hessian.tolist() == [[8, 0], [0, -2]]


def test_first_steps_by_hand(paths):
    surface = paths.SURFACES["a saddle"]
    a, b = start = numpy.array(surface.start)
    slope = numpy.array([8 * a, -2 * b + b**3])
    steps = {name: paths.walk(surface, make, 1).places for name, (make, _) in paths.OPTIMIZERS.items()}
    assert all((there[0] == start).all() for there in steps.values())
    moved = {name: there[1] - there[0] for name, there in steps.items()}
    numpy.testing.assert_allclose(moved["SGD"], -0.02 * slope, rtol=1e-12)
    numpy.testing.assert_allclose(moved["momentum"], -0.02 * slope, rtol=1e-12)
    numpy.testing.assert_allclose(moved["AdaGrad"], -0.2 * numpy.sign(slope), rtol=1e-6)  # whatever the slope's size
    numpy.testing.assert_allclose(moved["Adam"], -0.05 * numpy.sign(slope), rtol=1e-4)


def test_who_arrives_on_the_saddle(paths):
    surface = paths.SURFACES["a saddle"]
    arrived = {name: paths.walk(surface, make, 120).arrival(surface) for name, (make, _) in paths.OPTIMIZERS.items()}
    assert arrived["SGD"] is None  # no slope, no step
    assert arrived["AdaGrad"] < arrived["Adam"] < arrived["momentum"] < 120


def test_none_is_the_best_everywhere(paths):
    """Of six hollows, only momentum finds the deepest from there."""
    surface = paths.SURFACES["six hollows"]
    values = {name: paths.walk(surface, make, 120).values[-1] for name, (make, _) in paths.OPTIMIZERS.items()}
    assert values["momentum"] == pytest.approx(-1.0316, abs=0.01)
    assert min(values["SGD"], values["AdaGrad"], values["Adam"]) > -0.3


def test_the_program(program, tmp_path):
    pytest.importorskip("matplotlib", reason="the picture is drawn by matplotlib")
    out = program("optimizer_paths", "--steps", 30)
    assert out.count("momentum") == 2
    assert (tmp_path / "optimizer_paths.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.any_device
def test_the_animation(paths, tmp_path):
    pytest.importorskip("matplotlib", reason="the animation is drawn by matplotlib")
    surface = paths.SURFACES["a saddle"]
    with gg.default_device("cpu"):
        ways = {name: paths.walk(surface, paths.OPTIMIZERS[name][0], 5) for name in ("SGD", "Adam")}
    paths.animate(tmp_path / "moving.gif", "a saddle", ways, frames=2)
    assert (tmp_path / "moving.gif").read_bytes().startswith(b"GIF8")
    assert [file.name for file in tmp_path.iterdir()] == ["moving.gif"]
