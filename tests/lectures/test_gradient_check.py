"""Numerical gradients: how their error falls and rises with the step, and how many evaluations they take."""

from __future__ import annotations

import numpy
import pytest

import gpugrad as gg


@pytest.fixture
def check(lecture):
    return lecture("gradient_check")


def test_the_error_falls_with_the_step(check):
    """Tenfold for forward differences, a hundredfold for central ones, where h is tenfold smaller."""
    for way, factor in (("forward", 10), ("central", 100)):
        large, small = (check.error(way, gg.float64, h) for h in (1e-2, 1e-3))
        assert large / small == pytest.approx(factor, rel=0.1), way


def test_the_error_rises_again(check):
    """Where the step is so small that the subtraction leaves rounding."""
    for dtype, best, tiny in ((gg.float64, 1e-6, 1e-13), (gg.float32, 1e-3, 1e-7)):
        for way in check.WAYS:
            assert check.error(way, dtype, tiny) > 100 * check.error(way, dtype, best), (way, dtype)


def test_central_differences_are_the_more_exact(check):
    assert check.error("central", gg.float64, 1e-5) < 1e-8
    assert check.error("forward", gg.float64, 1e-5) > 1e-6


def test_what_they_cost(check):
    cost = check.cost(100)
    assert (cost.parameters, cost.evaluations) == (100, 200)
    assert cost.error < 1e-8


def test_differences_of_the_lecture(check):
    """f = (x + y) z: the differences agree with the gradients -4, -4, 3."""
    point = gg.tensor([-2.0, 5.0, -4.0], dtype=gg.float64)
    for difference in check.WAYS.values():
        found = difference(lambda v: (v[0] + v[1]) * v[2], point, 1e-5).numpy()
        numpy.testing.assert_allclose(found, [-4, -4, 3], rtol=1e-9)


def test_the_program(program, tmp_path):
    pytest.importorskip("matplotlib", reason="the picture is drawn by matplotlib")
    out = program("gradient_check", "--most", 100)
    assert len(out.split("\n\n")[0].splitlines()) == 17
    assert "evaluations" in out
    assert (tmp_path / "gradient_check.png").read_bytes().startswith(b"\x89PNG")
