"""Operations that users declare: what rules can name, fused ones with a reference, joint rules, errors."""

from __future__ import annotations

import numpy
import pytest

import gpugrad as gg
from gpugrad.core import OPERATIONS


def variable(values, dtype=gg.float64):
    return gg.tensor(values, dtype=dtype, requires_grad=True)


def same(tensor, expected):
    numpy.testing.assert_allclose(tensor.numpy(), expected, rtol=1e-12)


def test_a_rule_names_inputs_output_statics_shapes_and_devices():
    seen = {}

    @gg.primitive
    def scaled(xp, x, w, /, factor, axis=None):
        return xp.multiply(xp.multiply(x, w), factor)

    def rule(xp, g, y, w, factor, axis, x_shape, w_shape, x_device):
        seen.update(y=y, factor=factor, axis=axis, shapes=(x_shape, w_shape), device=x_device, xp=xp)
        return g * w * factor

    scaled.vjp(x=rule, w=lambda xp, g, x, factor: g * x * factor)
    x, w = variable([[1.0, 2.0]]), variable([3.0, 4.0])
    y = scaled(x, w, 10.0)
    y.sum().backward()
    assert seen["y"] is y.data
    assert (seen["factor"], seen["axis"], seen["shapes"]) == (10.0, None, ((1, 2), (2,)))
    assert seen["device"] == x.device
    assert seen["xp"] is gg.backend.NAMESPACES[type(x.data)]
    same(x.grad, [[30.0, 40.0]])
    same(w.grad, [10.0, 20.0])
    assert gg.gradcheck(lambda x, w: scaled(x, w, factor=2.0), (x, w))
    assert gg.gradgradcheck(lambda x, w: scaled(x, w, factor=2.0), (x, w))


def test_a_recorded_walk_runs_the_same_rule_on_tensors():
    spaces = []

    @gg.primitive
    def cube(xp, x, /):
        return x * x * x

    cube.vjp(x=lambda xp, g, x: (spaces.append(xp), 3 * g * x * x)[1])
    x = variable(2.0)
    cube(x).backward(create_graph=True)
    assert spaces == [gg]
    same(x.grad, 12.0)
    x.grad = None


def test_optional_arrays():
    @gg.primitive
    def affine(xp, x, b=None, /):
        return x if b is None else x + b

    affine.vjp(x=lambda xp, g: g, b=lambda xp, g: g)
    x, b = variable([1.0, 2.0]), variable(3.0)
    affine(x, b).sum().backward()
    same(b.grad, 2.0)
    affine(x).sum().backward()
    same(x.grad, [2.0, 2.0])


def test_signature_and_registry():
    @gg.primitive
    def documented(xp, x, /, axis=None):
        """A line."""
        return x

    import inspect

    assert str(inspect.signature(documented)) == "(x, /, axis=None)"
    assert documented.__doc__ == "A line."
    assert OPERATIONS[f"{__name__}.{documented.__qualname__}"] is documented


# ---------------------------------------------------------------- fused operations


def _softplus(xp, x, beta):
    return xp.log1p(xp.exp(x * beta)) / beta


@gg.primitive(residuals=("e",), reference=_softplus)
def fused_softplus(xp, x, /, beta=1.0):
    e = xp.exp(x * beta)
    return xp.log1p(e) / beta, e


RULE_CALLS = []


def _softplus_rule(xp, g, x, e, beta):
    RULE_CALLS.append(xp)
    return g * e / (1 + e)


fused_softplus.vjp(x=_softplus_rule)


def test_residuals_are_given_to_the_rule_and_not_to_the_caller():
    x = variable([0.3, -1.0])
    y = fused_softplus(x, beta=2.0)
    assert isinstance(y, gg.Tensor)
    RULE_CALLS.clear()
    y.sum().backward()
    assert len(RULE_CALLS) == 1
    same(x.grad, 1 / (1 + numpy.exp(-2 * x.numpy())))


def test_a_fused_operation_is_differentiated_twice_through_its_reference():
    x = variable([0.3, -1.0])
    RULE_CALLS.clear()
    y = fused_softplus(x)
    y.sum().backward(create_graph=True)
    assert RULE_CALLS == [], "residuals are no constants"
    g, x.grad = x.grad, None
    s = 1 / (1 + numpy.exp(-x.numpy()))
    same(g, s)
    g.sum().backward()
    numpy.testing.assert_allclose(x.grad.numpy(), s * (1 - s), rtol=1e-10)
    assert gg.gradcheck(fused_softplus, x)
    assert gg.gradgradcheck(fused_softplus, x)


def test_a_fused_operation_of_several_inputs_with_a_joint_rule():
    def reference(xp, x, w):
        return xp.sin(x) * w

    @gg.primitive(residuals=("s",), reference=reference)
    def fused(xp, x, w, /):
        s = xp.sin(x)
        return s * w, s

    asked = []

    @fused.joint_vjp
    def both(xp, g, wanted, x, w, s):
        asked.append(wanted)
        return [{"x": g * w * xp.cos(x), "w": g * s}[name] for name in wanted]

    x, w, c = variable([0.5, 1.0]), variable([2.0, 3.0]), gg.tensor([2.0, 3.0], dtype=gg.float64)
    fused(x, w).sum().backward()
    same(x.grad, numpy.cos([0.5, 1.0]) * [2.0, 3.0])
    same(w.grad, numpy.sin([0.5, 1.0]))
    fused(x, c).sum().backward()
    fused(c, w).sum().backward()
    assert asked == [("x", "w"), ("x",), ("w",)]
    for inputs in ((x, w), (x, c), (c, w)):
        assert gg.gradcheck(fused, inputs)
        assert gg.gradgradcheck(fused, inputs)


def test_a_fused_operation_in_a_graph_and_third_order():
    f = gg.grad(gg.grad(gg.grad(lambda x: (fused_softplus(x) ** 2).sum() if x.ndim else fused_softplus(x) ** 2)))
    h = gg.grad(gg.grad(gg.grad(lambda x: gg.log1p(gg.exp(x)) ** 2)))
    x = gg.tensor(0.4, dtype=gg.float64)
    numpy.testing.assert_allclose(f(x).numpy(), h(x).numpy(), rtol=1e-9)


def test_several_outputs_with_residuals():
    def reference(xp, x):
        return xp.sin(x), xp.cos(x)

    @gg.primitive(outputs=True)
    def both(xp, x, /):
        return xp.sin(x), xp.cos(x)

    both.vjp(x=lambda xp, g, y: g[0] * y[1] - g[1] * y[0])
    x = variable([0.5, 1.0])
    assert gg.gradcheck(both, x)
    assert gg.gradgradcheck(both, x)
    s, c = both(x)
    assert (s.requires_grad, c.requires_grad) == (True, True)
    s.sum().backward()
    same(x.grad, numpy.cos([0.5, 1.0]))


# ---------------------------------------------------------------- errors


def test_a_rule_for_no_input():
    @gg.primitive
    def f(xp, x, /):
        return x

    with pytest.raises(TypeError, match=r"f has inputs \('x',\), a gradient rule came for 'w'"):
        f.vjp(w=lambda xp, g: g)


def test_a_rule_that_asks_how_a_matrix_lies_in_memory():
    @gg.primitive
    def f(xp, x, /, axis=None):
        return x * 1

    @gg.primitive
    def several(xp, *x):
        return x[0] * x[1]

    seen = []
    f.vjp(x=lambda xp, g, x_turned: seen.append(x_turned) or g)
    several.joint_vjp(lambda xp, g, wanted, x, x_turned: seen.append(x_turned) or [g for _ in wanted])
    x = gg.tensor([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]], requires_grad=True)
    for y in (f(x), f(x.T), f(x, axis=0), f(x.T, axis=0), f(x[0]), several(x.T, gg.ones((3, 2)))):
        y.sum().backward()
    assert seen == [False, True, False, True, False, (True, False)]


def test_a_rule_that_names_an_unknown_value():
    @gg.primitive
    def f(xp, x, /, axis=None):
        return x

    there = r"\['axis', 'x', 'x_device', 'x_shape', 'x_turned', 'y'\]"
    with pytest.raises(TypeError, match=rf"a gradient rule of f needs 'z'; there is {there}"):
        f.vjp(x=lambda xp, g, z: g)
    with pytest.raises(TypeError, match="needs 'nothing'"):
        f.joint_vjp(lambda xp, g, wanted, nothing: [g])


def test_a_forward_without_arrays():
    with pytest.raises(TypeError, match=r"f: expected its arrays before a '/', as in def f\(xp, x, /, axis=None\)"):

        @gg.primitive
        def f(xp, x):
            return x


def test_names_that_rules_would_take_for_something_else():
    with pytest.raises(TypeError, match="times: in gradient rules 'y' is the output; give it another name here"):

        @gg.primitive
        def times(xp, x, y, /):
            return x * y

    with pytest.raises(TypeError, match="f: in gradient rules 'y' is the output"):

        @gg.primitive
        def f(xp, x, /, y):
            return x * y

    with pytest.raises(TypeError, match="g: in gradient rules 'x_shape' is something else already"):

        @gg.primitive
        def g(xp, x, /, x_shape):
            return x

    with pytest.raises(TypeError, match="h: in gradient rules 'scale' is something else already"):

        @gg.primitive(residuals=("scale",))
        def h(xp, x, /, scale):
            return x, scale


def test_a_missing_rule_is_said_when_it_is_needed():
    @gg.primitive
    def f(xp, x, w, /):
        return x * w

    f.vjp(x=lambda xp, g, w: g * w)
    x, c = variable(2.0), gg.tensor(3.0)
    f(x, c).backward()
    with pytest.raises(gg.GradientError, match=r"f has no gradient rule for its input 'w'.*f.vjp\(w=.*w.detach\(\)"):
        f(c, x)
    with gg.no_grad():
        f(c, x)


def test_a_gradient_of_the_wrong_shape_names_the_operation():
    @gg.primitive
    def wrong(xp, x, /):
        return x * 2

    wrong.vjp(x=lambda xp, g: xp.concatenate([g, g]))
    with pytest.raises(gg.GradientError, match=r"rule of wrong gave shape \(4,\) for an input of shape \(2,\)"):
        wrong(variable([1.0, 2.0])).sum().backward()


@pytest.mark.parametrize("value", [None, 2.0, "text"])
def test_a_rule_that_returns_no_array_names_the_operation(value):
    @gg.primitive
    def wrong(xp, x, /):
        return x * 2

    wrong.vjp(x=lambda xp, g: value)
    with pytest.raises(gg.GradientError, match="a gradient rule of wrong failed"):
        wrong(variable([1.0, 2.0])).sum().backward()


def test_an_error_in_a_rule_names_the_operation_and_keeps_its_cause():
    @gg.primitive
    def broken(xp, x, /):
        return x * 2

    def rule(xp, g):
        raise KeyError("lost")

    broken.vjp(x=rule)
    with pytest.raises(gg.GradientError, match=r"rule of broken failed: KeyError: 'lost'.*gg.debug\(\)") as caught:
        broken(variable([1.0])).sum().backward()
    assert isinstance(caught.value.__cause__, KeyError)


def test_a_joint_rule_that_returns_too_few():
    @gg.primitive
    def pair(xp, a, b, /):
        return a * b

    pair.joint_vjp(lambda xp, g, wanted, a, b: [g * b])
    with pytest.raises(gg.GradientError, match="rule of pair failed: ValueError: expected 2 gradients, got 1"):
        pair(variable(1.0), variable(2.0)).backward()


def test_residuals_need_a_reference_and_all_names():
    @gg.primitive(residuals=("r",))
    def bare(xp, x, /):
        return x, x

    with pytest.raises(TypeError, match=r"needs a residual.*needs a reference"):
        bare.vjp(x=lambda xp, g, x, r: g)

    @gg.primitive(residuals=("r",), reference=lambda xp, x, beta: x)
    def halved(xp, x, /, beta=1.0):
        return x, x

    with pytest.raises(TypeError, match=r"missing: \['beta'\]"):
        halved.vjp(x=lambda xp, g, x, r: g)


def test_calls_with_wrong_arguments():
    with pytest.raises(TypeError, match=r"sum takes x, axis, dtype, keepdims; missing or unknown: \['along'\]"):
        gg.sum(gg.zeros(2), along=0)
    with pytest.raises(TypeError, match=r"permute_dims takes x, axes; missing or unknown: \['axes'\]"):
        gg.permute_dims(gg.zeros((2, 2)))
    with pytest.raises(TypeError, match="got 5 positional arguments"):
        gg.sum(gg.zeros(2), 0, None, True, 1)
    with pytest.raises(TypeError):
        gg.exp(gg.zeros(2), gg.zeros(2))
    with pytest.raises(TypeError):
        gg.add(gg.zeros(2), gg.zeros(2), out=None)


@pytest.mark.parametrize("bad", ["text", {1}, {"a": 1.0}, object()], ids=lambda v: type(v).__name__)
def test_operands_that_are_no_arrays(bad):
    text = "expected a tensor, an array or a number, got " + type(bad).__name__
    for call in (
        lambda: gg.add(gg.zeros(2), bad),
        lambda: gg.multiply(bad, gg.zeros(2)),
        lambda: gg.exp(bad),
        lambda: gg.sum(bad),
    ):
        with pytest.raises(TypeError, match=text):
            call()
    with pytest.raises(TypeError, match="expected numbers, got list of <U4"):
        gg.zeros(2) + ["text"]  # noqa: RUF005


def test_mismatched_shapes_name_the_operation_and_the_operands():
    with pytest.raises(ValueError, match=r"add: .*\[operands: float32 \(2,\) on .*, float32 \(3,\) on"):
        gg.zeros(2) + gg.zeros(3)
    with pytest.raises(ValueError, match=r"matmul: .*float32 \(2, 3\) on .*, float64 \(2, 3\) on"):
        gg.zeros((2, 3)) @ gg.zeros((2, 3), dtype=gg.float64)
    with pytest.raises(ValueError, match="reshape: "):
        gg.reshape(gg.zeros(4), (3,))
    with pytest.raises(ValueError, match="concat"):
        gg.concat([gg.zeros((2, 2)), gg.zeros((2, 3))])
    with pytest.raises(ValueError, match="stack"):
        gg.stack([gg.zeros(2), gg.zeros(3)])
    with pytest.raises(ValueError, match="split"):
        gg.split(gg.zeros(3), 2)


@pytest.mark.parametrize("axis", [5, -3, (0, 5)])
def test_an_axis_that_is_not_there(axis):
    for name in ("sum", "mean", "max", "prod", "var"):
        with pytest.raises(ValueError, match=f"{name}: "):
            getattr(gg, name)(gg.zeros((2, 2)), axis=axis)


def test_an_empty_choice():
    with pytest.raises(ValueError, match="max: "):
        gg.max(gg.zeros((0,)))
    for name in ("concat", "stack"):
        with pytest.raises(ValueError, match=f"{name}: expected at least one tensor, got none"):
            getattr(gg, name)([])
    with pytest.raises(ValueError, match="concat: expected at least one"):
        gg.concat([], axis=None)
