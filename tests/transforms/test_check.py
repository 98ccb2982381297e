"""``gradcheck`` and ``gradgradcheck``: a wrong rule does not get through, and is described."""

from __future__ import annotations

import numpy
import pytest

import gpugrad as gg


def operation(forward, rule):
    def f(xp, x, /):
        return forward(xp, x)

    f = gg.primitive(f)
    f.vjp(x=rule)
    return f


CUBE = lambda xp, x: x * x * x
X = [0.5, -1.0, 2.0]


def x64(values=X):
    return gg.tensor(values, dtype=gg.float64)


@pytest.mark.parametrize(
    "rule",
    [
        lambda xp, g, x: -3 * g * x * x,
        lambda xp, g, x: 3 * g * x,
        lambda xp, g, x: 3 * x * x,
        lambda xp, g: g * 0,
        lambda xp, g, x: 3.01 * g * x * x,
        lambda xp, g, x: xp.where(x == 2.0, 0, 3 * g * x * x),
    ],
    ids=["sign", "factor", "no upstream", "zero", "one percent", "one element"],
)
def test_a_wrong_rule_fails(rule):
    f = operation(CUBE, rule)
    assert not gg.gradcheck(f, x64(), raise_exception=False)
    with pytest.raises(gg.GradientError, match="output 0: the gradient of y"):
        gg.gradcheck(f, x64())


def test_the_worst_element_is_named():
    f = operation(CUBE, lambda xp, g, x: g * (3 * x * x + xp.where(x == 2.0, 5.0, 0) + xp.where(x == 0.5, 1.0, 0)))
    text = r"^output 0: the gradient of y\[1, 0\] with respect to element \[1, 0\] of argument 0 is 17, by diff"
    with pytest.raises(gg.GradientError, match=text):
        gg.gradcheck(lambda x: gg.reshape(f(gg.reshape(x, (4,))), (2, 2)) * 1.0, x64([[0.5, -1.0], [2.0, 1.0]]))


def test_the_argument_and_the_output_are_named():
    f = operation(CUBE, lambda xp, g, x: g)
    good = x64()
    with pytest.raises(gg.GradientError, match=r"^output 1: .* of argument 2 is"):
        gg.gradcheck(lambda a, n, b: (a * 2, f(b)), (good, 3, good))


@pytest.mark.parametrize("bad", [numpy.nan, numpy.inf])
def test_gradients_that_are_not_finite_fail(bad):
    f = operation(CUBE, lambda xp, g, x: xp.where(x == 2.0, bad, 3 * g * x * x))
    with pytest.raises(gg.GradientError, match=rf"element \[2\] of argument 0 is {bad}, by differences"):
        gg.gradcheck(f, x64())


def test_a_wrong_second_derivative_fails():
    f = operation(CUBE, lambda xp, g, x: 3 * g * (x * x if not isinstance(x, gg.Tensor) else x * x.detach()))
    assert gg.gradcheck(f, x64())
    assert not gg.gradgradcheck(f, x64(), raise_exception=False)
    with pytest.raises(gg.GradientError, match="output 0: the gradient of y"):
        gg.gradgradcheck(f, x64())


def test_the_derivative_by_the_upstream_gradient_is_checked_too():
    f = operation(CUBE, lambda xp, g, x: 3 * (g.detach() if isinstance(g, gg.Tensor) else g) * x * x)
    assert gg.gradcheck(f, x64())
    assert not gg.gradgradcheck(f, x64(), raise_exception=False)


def test_tolerances():
    f = operation(CUBE, lambda xp, g, x: 3.001 * g * x * x)
    assert gg.gradcheck(f, x64(), rtol=1e-2)
    assert not gg.gradcheck(f, x64(), rtol=1e-5, raise_exception=False)


def test_small_dtypes_are_refused_and_others_held_fixed():
    for inputs in (gg.tensor([1.0], dtype=gg.float32), [gg.tensor([1])], []):
        with pytest.raises(TypeError, match="at least one float64 input: differences in smaller dtypes are too coarse"):
            gg.gradcheck(lambda *xs: xs[0] * 2.0, inputs)
    assert gg.gradcheck(lambda x, i, k: x[i] * k, (x64(), gg.tensor([0, 0]), 2.0))
    assert gg.gradgradcheck(lambda x, s: x * s, (x64(), gg.tensor([2.0], dtype=gg.float32)))


def test_inputs_of_every_kind():
    assert gg.gradcheck(gg.sin, x64().data)
    assert gg.gradcheck(gg.multiply, [x64(), x64().data])
    x = x64().requires_grad_()
    assert gg.gradcheck(gg.sin, x)
    assert gg.gradgradcheck(gg.sin, [x])
    assert x.grad is None
    assert gg.gradcheck(lambda x: gg.argmax(x), x64())
    assert gg.gradcheck(lambda x: (x * 2, x > 0), x64())
    assert gg.gradcheck(lambda x: gg.tensor(1.0, dtype=gg.float64), x64())
    assert gg.gradcheck(gg.exp, gg.zeros((0, 2), dtype=gg.float64))
    assert gg.gradcheck(gg.exp, x64(0.5))


def test_inputs_are_left_alone():
    x = x64()
    before = x.numpy()
    gg.gradcheck(gg.sin, x)
    gg.gradgradcheck(gg.sin, x)
    assert x.numpy().tolist() == before.tolist()


@pytest.mark.parametrize("check", [gg.gradcheck, gg.gradgradcheck])
def test_fast_mode_takes_as_many_calls_for_any_size(check):
    calls = []

    def f(x, y):
        calls.append(1)
        return gg.sin(x) * y

    counts = []
    for n in (3, 300):
        calls.clear()
        x = gg.linspace(0.1, 2.0, n, dtype=gg.float64)
        assert check(f, [x, x * 2], fast_mode=True)
        counts.append(len(calls))
    assert counts[0] == counts[1] <= 10


def test_fast_mode_finds_a_wrong_rule():
    @gg.primitive
    def wrong(xp, x, /):
        return xp.multiply(x, x)

    wrong.vjp(x=lambda xp, g, x: 2.01 * g * x)
    x = gg.tensor([0.5, 1.0], dtype=gg.float64)
    with pytest.raises(gg.GradientError, match=r"output 0: the derivative along a random direction is .*, by diff"):
        gg.gradcheck(wrong, x, fast_mode=True)
    assert not gg.gradcheck(wrong, x, fast_mode=True, raise_exception=False)
    assert gg.gradcheck(lambda x: gg.real(gg.exp(x * (1 + 2j)) * x), gg.tensor([0.5 + 1j, 1j]).to(gg.complex128),
                        fast_mode=True)  # fmt: skip
