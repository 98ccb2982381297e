"""Formulas, written down by the operations themselves, give what the engine gives."""

from __future__ import annotations

import math

import numpy
import pytest
from cases import ROWS

import gpugrad as gg
from gpugrad.core import OPERATIONS, Tensor, modes
from gpugrad.drawing.formulas import LONGEST, XP, Recipe, Ref, agrees, evaluate, formula, formulas, symbol
from gpugrad.expressions import NotTracedError, Symbol
from gpugrad.expressions.javascript import JAVASCRIPT, nested
from gpugrad.expressions.tracing import ALIASES

WRITTEN = {
    "abs", "acos", "acosh", "add", "asin", "asinh", "atan", "atan2", "atanh", "binary_cross_entropy", "cbrt",
    "ceil", "clip", "copysign", "cos", "cosh", "divide", "elu", "exp", "exp2", "expm1", "floor", "floor_divide",
    "gelu_tanh", "hardshrink", "hardsigmoid", "hardswish", "hardtanh", "hypot", "leaky", "log", "log10",
    "log1p", "log2", "log_expit", "logaddexp", "maximum", "mean", "minimum", "mish", "multiply", "negative",
    "positive", "pow", "reciprocal", "relu", "remainder", "round", "sigmoid", "sign", "silu", "sin", "sinc",
    "sinh", "softplus", "softshrink", "softsign", "sqrt", "square", "subtract", "sum", "tan", "tanh",
    "threshold", "trunc", "where",
}  # fmt: skip
"""Operations that must be among those that can be written down."""


class Seen(list):
    """Every operation that runs: ``(op, operands, params, y)``."""

    def note(self, op, operands, params, made):
        self.append((op, operands, params, made))


@pytest.fixture
def calls_seen():
    seen = Seen()
    token = modes.observing.set(seen)
    yield seen
    modes.observing.reset(token)


def scalar_cases(rows, seen, seed):
    """What each row does to single numbers: ``(op, operands, params, y)``, all of them real."""
    for row in rows:
        for static in row.variants:
            rng = numpy.random.default_rng(seed)
            seen.clear()
            try:
                inputs = row.inputs(rng, ((),) * len(row.shapes[0]))
                with gg.debug():
                    row.call(*(gg.tensor(x, requires_grad=x.dtype.kind == "f") for x in inputs), **static)
            except Exception:  # asks for an axis, or for several numbers
                continue
            for op, operands, params, y in list(seen):
                if op.outputs or y.node is None or y.shape != ():
                    continue
                if all(getattr(x, "shape", ()) == () and real(x) for x in (*operands, y)):
                    yield op, operands, params, y


def real(x):
    return not isinstance(x, complex) and getattr(x, "dtype", numpy.dtype(float)).kind != "c"


@pytest.mark.parametrize("seed", [1, 2])
def test_every_formula_gives_the_values_and_gradients_of_the_engine(seed, calls_seen, device):
    """All rows of ``tests/cases``, run on single numbers: what is written down is right, and much is."""
    if not device.is_host:
        pytest.skip("the formulas are of no device")
    right = set()
    with numpy.errstate(all="ignore"):
        cases = list(scalar_cases(ROWS, calls_seen, seed))
        for op, operands, params, y in cases:
            recipe = Recipe(op, tuple(Ref(i) if isinstance(x, Tensor) else x for i, x in enumerate(operands)), params)
            try:
                found = formula(recipe)
            except Exception:  # what cannot be written down is looked at below, by name
                continue
            values = [x.item() if isinstance(x, Tensor) else x for x in operands]
            assert close(evaluate(found["value"], values, None, numpy), y.item()), (op.name, found["value"], values)
            for i, expression in enumerate(found["local"]):
                if expression is None:
                    continue
                wanted = slope(op, operands, params, i)
                assert close(evaluate(expression, values, y.item(), numpy), wanted), (op.name, expression, values)
            right.add(op.name)
    assert right >= WRITTEN, sorted(WRITTEN - right)


def slope(op, operands, params, position):
    """The engine's derivative by one operand."""
    call = next(c for c in OPERATIONS.values() if c.op is op)
    fresh = [Tensor(x.data) if isinstance(x, Tensor) else x for x in operands]
    fresh[position].requires_grad_()
    call(*fresh, **params).backward()
    return fresh[position].grad.item()


def close(a, b):
    return numpy.allclose(a, b, rtol=1e-9, atol=1e-12, equal_nan=True)


@pytest.mark.parametrize(
    ("op", "operands", "value", "local"),
    [
        (gg.add, (Ref(0), Ref(1)), ["add", ["x", 0], ["x", 1]], [1, 1]),
        (gg.subtract, (Ref(0), Ref(1)), ["subtract", ["x", 0], ["x", 1]], [1, -1]),
        (gg.multiply, (Ref(0), 3.0), ["multiply", ["x", 0], 3.0], [3.0, None]),
        (gg.divide, (1, Ref(0)), ["divide", 1, ["x", 1]], [None, ["divide", ["negative", ["y"]], ["x", 1]]]),
        (gg.pow, (Ref(0), 2), ["power", ["x", 0], 2], [["multiply", 2, ["x", 0]], None]),
        (gg.exp, (Ref(0),), ["exp", ["x", 0]], [["y"]]),
        (gg.relu, (Ref(0),), ["maximum", ["x", 0], 0], [["where", ["less_equal", ["y"], 0], 0, 1]]),
        (gg.tan, (Ref(0),), ["tan", ["x", 0]], [["add", 1, ["multiply", ["y"], ["y"]]]]),
    ],
)
def test_the_gates_of_the_lectures_as_people_would_write_them(op, operands, value, local):
    found = formula(Recipe(op.op, operands, op.op.defaults))
    assert (found["value"], found["local"]) == (value, local)
    assert found["inputs"] == [{"node": x.node} if isinstance(x, Ref) else x for x in operands]


def test_the_names_of_operands():
    assert formula(Recipe(gg.multiply.op, (Ref(0), Ref(1)), {}))["names"] == ["x1", "x2"]


def test_numbers_that_json_has_not_are_words():
    assert formula(Recipe(gg.add.op, (Ref(0), math.inf), {}))["inputs"][1] == "inf"
    assert formula(Recipe(gg.add.op, (Ref(0), math.nan), {}))["inputs"][1] == "nan"


@gg.primitive
def peeking(xp, x, /):
    return x if x > 0 else -x


peeking.vjp(x=lambda xp, g, x: g)


@gg.primitive
def looping(xp, x, /):
    for _ in range(LONGEST):
        x = x + xp.sin(x)
    return x


looping.vjp(x=lambda xp, g: g)


@gg.primitive
def rounded(xp, x, /):
    return float(xp.asarray(x)) + 0 * x


rounded.vjp(x=lambda xp, g: g)


@pytest.mark.parametrize(
    ("op", "operands"),
    [
        (peeking, (Ref(0),)), (looping, (Ref(0),)), (rounded, (Ref(0),)), (gg.special.gammaln, (Ref(0),)),
        (gg.add, (Ref(0), 1j)), (gg.add, (Ref(0), numpy.ones(2))),
        (gg.where, (numpy.array(True), Ref(0), Ref(1))),  # which the graph would not choose again
    ],
)  # fmt: skip
def test_what_cannot_be_written_down_is_named(op, operands):
    found = formulas({5: Recipe(op.op, operands, {}), 6: Recipe(gg.exp.op, (Ref(5),), {})})
    assert found["missing"] == [op.op.name]
    assert list(found["nodes"]) == [6]


def test_a_formula_that_says_something_else_is_not_believed():
    @gg.primitive
    def cheating(xp, x, /):
        return x * 2 if isinstance(x, Symbol) else x

    cheating.vjp(x=lambda xp, g: g)
    recipe = Recipe(cheating.op, (Ref(0),), {})
    assert formulas({1: recipe}, {0: 3.0, 1: 3.0})["missing"] == ["cheating"]
    assert formulas({1: recipe}, {0: 3.0, 1: 6.0})["missing"] == []
    assert formulas({1: recipe}, {0: 3.0, 1: 6.0}, {(1, 0): 2.0})["missing"] == ["cheating"]
    assert agrees(formula(recipe), 1, {1: 3.0}, {})  # an unknown operand proves nothing


def test_symbols_refuse_to_be_looked_at():
    x = symbol("x", 0)
    for look in (bool, float, int, list, len):
        with pytest.raises((NotTracedError, TypeError)):
            look(x)
    with pytest.raises(NotTracedError, match="an element of a number"):
        x[0]
    assert x[()] is x
    with pytest.raises(NotTracedError, match="lgamma"):
        XP.lgamma(x)
    with pytest.raises(NotTracedError, match="round to 2 decimals"):
        XP.round(x, 2)
    with pytest.raises(NotTracedError, match="astype"):
        nested(XP.astype(x, gg.int64).expression)
    with pytest.raises(NotTracedError, match=r"an array of shape \(2,\)"):
        XP.broadcast_to(x, (2,))


def test_products_with_one_disappear():
    x = symbol("x", 0)
    assert (1 * x).expression is (x * 1).expression is (x / 1).expression is x.expression
    negated = -x
    assert (-negated).expression is x.expression
    assert nested((-1 * x).expression) == ["negative", ["x", 0]]
    assert nested((XP.asarray(2.0) * 3).expression) == 6.0
    assert nested((XP.asarray(1.0) / 0).expression) == ["divide", 1.0, 0]


def test_every_name_is_one_of_numpy():
    for name in JAVASCRIPT:
        assert callable(getattr(numpy, name)), name
    for alias, name in ALIASES.items():
        assert callable(getattr(numpy, name)), alias
