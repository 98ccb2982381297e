"""``gg.debug()``: the first NaN or infinity, and every error in a rule, names the operation and the user's line."""

from __future__ import annotations

import numpy
import pytest

import gpugrad as gg


@pytest.fixture(autouse=True)
def quiet():
    with numpy.errstate(all="ignore"):
        yield


HERE = r"test_debug\.py:\d+: "


def test_the_first_value_that_is_not_finite():
    x = gg.tensor([1.0, 0.0, -1.0], requires_grad=True)
    with gg.debug(), pytest.raises(FloatingPointError) as caught:
        y = gg.log(x)  # here
        gg.exp(y)
    assert caught.match(r"^log: the first value that is not finite is -inf at index \(1,\), made at ")
    assert caught.match(HERE + r"y = gg\.log\(x\)  # here")


def test_operators_and_composed_functions_name_the_users_line():
    x = gg.tensor([[1.0, 0.0]], requires_grad=True)
    with gg.debug(), pytest.raises(FloatingPointError, match=r"^divide: .*" + HERE + r"1 / x"):
        1 / x
    with (
        gg.debug(),
        pytest.raises(FloatingPointError, match=r"concat: .*nan at index \(1,\).*" + HERE + r"gg\.concat\("),
    ):
        gg.concat([gg.tensor([1.0]), gg.tensor([numpy.nan])])


def test_one_of_several_outputs():
    with gg.debug(), pytest.raises(FloatingPointError, match="split: the first value that is not finite is inf"):
        gg.split(gg.tensor([1.0, numpy.inf]), 2)


def test_the_first_gradient_that_is_not_finite_names_the_forward_line():
    x = gg.tensor([4.0, 0.0], requires_grad=True)
    with gg.debug():
        y = gg.sqrt(x)  # the culprit
        z = (y * 2).sum()
        with pytest.raises(
            FloatingPointError, match=r"the gradient of sqrt: .* inf at index \(1,\).*gg\.sqrt\(x\)  # the culprit"
        ):
            z.backward()


def test_the_gradient_of_a_joint_rule():
    x = gg.tensor([1.0], requires_grad=True)
    with gg.debug():
        y = gg.stack([x, x])  # joined
        with pytest.raises(FloatingPointError, match=r"the gradient of stack: .*nan.*# joined"):
            y.backward(gg.tensor([[1.0], [numpy.nan]]))


def test_errors_in_rules_name_the_line():
    @gg.primitive
    def broken(xp, x, /):
        return x * 2

    def rule(xp, g):
        raise KeyError("lost")

    broken.vjp(x=rule)
    x = gg.tensor([1.0], requires_grad=True)
    with gg.debug():
        y = broken(x)  # used here
        with pytest.raises(
            gg.GradientError, match=r"rule of broken failed: KeyError.*forward operation was at .*# used here"
        ):
            y.sum().backward()


def test_a_wrong_shape_names_the_line():
    @gg.primitive
    def wrong(xp, x, /):
        return x * 2

    wrong.vjp(x=lambda xp, g: xp.concatenate([g, g]))
    with gg.debug():
        y = wrong(gg.tensor([1.0, 2.0], requires_grad=True))  # used here
        with pytest.raises(gg.GradientError, match=r"rule of wrong gave shape .*# used here"):
            y.sum().backward()


def test_a_changed_leaf_names_the_line():
    w = gg.tensor([1.0], requires_grad=True)
    with gg.debug():
        loss = (w[0:1] * w.T).sum()  # read here
    with gg.no_grad():
        w += 1
    with pytest.raises(gg.GradientError, match=r"input 'x1' of multiply .*# read here"):
        loss.backward()


def test_debugging_changes_no_result():
    def program(x):
        a, b = gg.split(gg.sin(x) * x, 2)
        return gg.concat([a * b, gg.stack([a[0], b[0]]) @ gg.eye(2, dtype=gg.float64)]).sum() + x[[0, 0]].prod()

    x = gg.tensor([0.3, 0.4, 0.5, 0.6], dtype=gg.float64)
    value, gradient = gg.value_and_grad(program)(x)
    second = gg.grad(lambda x: (gg.grad(program)(x) ** 2).sum())(x)
    with gg.debug():
        v, g = gg.value_and_grad(program)(x)
        s = gg.grad(lambda x: (gg.grad(program)(x) ** 2).sum())(x)
    for a, b in ((v, value), (g, gradient), (s, second)):
        numpy.testing.assert_allclose(a.numpy(), b.numpy(), rtol=1e-12)


def test_outside_the_block_nothing_is_checked():
    x = gg.tensor([0.0], requires_grad=True)
    with gg.debug():
        pass
    gg.sqrt(x).sum().backward()
    assert numpy.isinf(x.grad.numpy()).all()


def test_debug_as_a_decorator():
    @gg.debug()
    def f():
        return gg.log(gg.tensor(0.0))

    with pytest.raises(FloatingPointError, match="log"):
        f()


def test_integers_and_booleans_are_not_checked():
    with gg.debug():
        assert (gg.tensor([1, 2]) * 2).tolist() == [2, 4]
        assert gg.isnan(gg.tensor([1.0])).tolist() == [False]
