"""What a Tensor becomes: a number, an array, a copy; and what its operators leave to other types."""

import contextlib
import copy
import math
import pickle

import numpy
import pytest

import gpugrad as gg
from gpugrad.core.errors import library_function

CONVERSIONS = {
    "float": float,
    "int": int,
    "complex": complex,
    "math": math.exp,
    "float64": numpy.float64,
    "setitem": lambda x: numpy.zeros(2).__setitem__(0, x),
    "fill": lambda x: numpy.zeros(2).fill(x),
    "fromiter": lambda x: numpy.fromiter([x], float),
}


def variables():
    """A leaf, a result, and the argument of a transform, each of one element."""
    leaf = gg.tensor(2.0, requires_grad=True)
    yield leaf
    yield leaf * 1
    seen = []
    gg.grad(lambda x: seen.append(x) or x * x)(leaf.detach())
    yield seen[0]


@pytest.mark.parametrize("name", CONVERSIONS)
def test_a_variable_does_not_become_a_number(name):
    convert = CONVERSIONS[name]
    for x in variables():
        with pytest.raises((gg.GradientError, ValueError)) as caught:
            convert(x)
        error = caught.value if isinstance(caught.value, gg.GradientError) else caught.value.__cause__
        for part in ("gradient would be lost", "test_conversions.py:", "x.item()" if name != "float64" else "detach()",
                     "gg.stack", "gg.zeros", "import gpugrad.numpy as np"):  # fmt: skip
            assert part in str(error)
        with gg.no_grad():
            convert(x) if name != "float64" else None
        convert(x.detach())


def test_what_is_explicit_or_asks_for_no_number_stays(device):
    for x in variables():
        assert (x.item(), x.tolist(), f"{x:.1f}", bool(x), x > 1, x == 2) == (2.0, 2.0, "2.0", True, True, True)
        assert "2." in repr(x)
        assert f"{x}"
        assert ("%.3f|%d" % (x, x), b"%.1f" % x, "{:.1f}".format(x)) == ("2.000|2", b"2.0", "2.0")  # noqa: UP031, UP032
        text = "%.2f"
        text %= x
        assert text == "2.00"
        assert (5.0 % x).requires_grad
        for convert in (lambda x: 5.0 % float(x), lambda x: math.fmod(5.0, x), lambda x: "%.3f" % float(x)):  # noqa: UP031
            with pytest.raises(gg.GradientError, match="a Python float"):
                convert(x)
    assert (float(gg.tensor(1.5)), int(gg.tensor(2)), complex(gg.tensor(1.0)), [1, 2][gg.tensor(1)]) == (1.5, 2, 1, 2)


@pytest.mark.parametrize(
    "fill",
    [
        lambda a, x: a.__setitem__(0, x),
        lambda a, x: a.flat.__setitem__(0, x),
        lambda a, x: a.fill(x),
        lambda a, x: numpy.array([x], dtype=object).astype(float),
    ],
)
def test_a_transform_names_the_reason_that_numpy_hides(fill, device):
    def f(x):
        a = numpy.zeros(2)
        fill(a, x)
        return x * a.sum()

    for transform in (gg.grad, gg.value_and_grad, gg.jacobian):
        with pytest.raises(gg.GradientError, match=r"gradient would be lost.*test_conversions.*gpugrad\.numpy"):
            transform(f)(gg.tensor(2.0))


def test_a_transform_leaves_other_errors_alone():
    def f(x):
        with contextlib.suppress(gg.GradientError):
            float(x)
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        gg.grad(f)(2.0)


def test_the_library_that_asked():
    special = pytest.importorskip("scipy.special")
    assert library_function() == ""
    with pytest.raises(gg.GradientError, match=r"in scipy\.special\.logsumexp \[.*SCIPY_ARRAY_API=1"):
        special.logsumexp(gg.tensor([1.0, 2.0], requires_grad=True))
    with pytest.raises(gg.GradientError, match=r"in numpy\.mean \[") as caught:
        numpy.mean([gg.tensor(1.0, requires_grad=True)])
    assert "SCIPY_ARRAY_API" not in str(caught.value)
    pyplot = pytest.importorskip("matplotlib.pyplot")
    with pytest.raises(gg.GradientError, match=r"in matplotlib\.pyplot\.plot \[.*use x\.detach\(\)"):
        pyplot.plot(gg.tensor([1.0, 2.0], requires_grad=True))


# ---------------------------------------------------------------- copies


@pytest.mark.parametrize(
    "make",
    [copy.copy, copy.deepcopy, gg.tensor, lambda x: copy.deepcopy([x, x])[1], gg.asarray, gg.Tensor,
     lambda x: type(x)(x)],
)  # fmt: skip
def test_a_copy_of_a_variable_is_connected(make, device):
    x = gg.tensor([1.0, 2.0])
    assert gg.grad(lambda v: (make(v) ** 2).sum())(x).tolist() == [2.0, 4.0]
    assert gg.grad(lambda v: (make(v * v) * v).sum())(x).tolist() == [3.0, 12.0]
    assert gg.vmap(gg.grad(lambda v: make(v) ** 2))(x).tolist() == [2.0, 4.0]
    assert gg.vmap(lambda v: make(v) + 1)(x).tolist() == [2.0, 3.0]
    with gg.no_grad():
        assert not make(x * 1).requires_grad


def test_the_class_of_a_row_and_what_is_no_array(device):
    x = gg.ones((2, 2), device=device)
    assert gg.grad(lambda v: sum(type(r)(r)[0] for r in v))(x).tolist() == [[1, 0], [1, 0]]
    assert gg.grad(lambda v: sum(map(type(v[0]), v[0])))(x).tolist() == [[1, 1], [0, 0]]
    for data in ([1.0, x], (2.0,), 3.0, "text", None):
        with pytest.raises(
            TypeError, match=r"Tensor: expected an array or a tensor, got .*test_conversions.*gg\.tensor"
        ):
            x.__class__(data)


def test_a_copy_of_a_leaf_is_a_leaf():
    w = gg.tensor([1.0, 2.0], requires_grad=True)
    for made in (copy.copy(w), copy.deepcopy(w), pickle.loads(pickle.dumps(w)), gg.tensor(w, requires_grad=True)):
        assert made.is_leaf
        assert made.requires_grad
    assert copy.deepcopy(w).data is not w.data
    assert copy.copy(w).data is w.data
    model = gg.nn.Linear(2, 1)
    twin = copy.deepcopy(model)
    assert all(isinstance(p, gg.nn.Parameter) and p.is_leaf for p in twin.parameters())
    both = copy.deepcopy([model.weight, model.weight])
    assert both[0] is both[1]
    gg.tensor(w).sum().backward()
    assert w.grad.tolist() == [1.0, 1.0]


def test_what_pandas_and_scipy_cannot_do_is_named():
    pandas, linalg = pytest.importorskip("pandas"), pytest.importorskip("scipy.linalg")

    def added(x):
        table = pandas.Series([1.0, 2.0])
        table += x
        return table.sum()

    x = numpy.array([0.5, 1.5])
    with pytest.raises(TypeError, match=r"test_conversions.*write s = s \+ t"):
        gg.grad(added)(x)
    assert gg.grad(lambda t: (pandas.Series([1.0, 2.0]) * t).sum())(x).tolist() == [1, 2]
    with pytest.raises(AttributeError, match=r"no strides.*test_conversions.*use indices"):
        gg.tensor(x).strides
    assert not hasattr(gg.tensor(x), "strides")
    with pytest.raises((AttributeError, gg.GradientError), match="test_conversions"):
        gg.grad(lambda t: linalg.toeplitz(t).sum())(x)


def test_what_would_cut_a_variable_off_is_refused():
    nn, layer = gg.nn, gg.nn.Linear(1, 1)
    makers = (
        pickle.dumps,
        lambda v: gg.tensor(v, requires_grad=True),
        lambda v: gg.tensor([v[0], v[1]], requires_grad=True),
        nn.Parameter,
        lambda v: nn.Parameter([v[0], 1.0]),
        lambda v: nn.utils.vector_to_parameters(v, layer.parameters()),
        lambda v: layer.load_state_dict({"weight": v[:1].reshape(1, 1)}, strict=False),
        lambda v: nn.init.constant_(layer.weight, v[0]),
        lambda v: nn.init.uniform_(layer.weight, v[0], 3.0),
        lambda v: nn.Embedding.from_pretrained(v.reshape(1, 2)),
    )
    before = [p.tolist() for p in layer.parameters()]
    for make in makers:
        with pytest.raises(gg.GradientError, match=r"x\.detach\(\)"):
            gg.grad(lambda v, make=make: make(v) or v.sum())(gg.ones(2))
        with pytest.raises(gg.GradientError, match=r"x\.detach\(\)"):
            make(gg.tensor([1.0, 2.0], requires_grad=True) * 2)
    assert [p.tolist() for p in layer.parameters()] == before


# ---------------------------------------------------------------- operators


class Other:
    """A type with operators of its own, all of which give its name."""


NAMES = (
    "add",
    "sub",
    "mul",
    "truediv",
    "floordiv",
    "mod",
    "pow",
    "matmul",
    "and",
    "or",
    "xor",
    "lshift",
    "rshift",
    "divmod",
)
for _name in (*(f"__r{name}__" for name in NAMES), "__lt__", "__le__", "__gt__", "__ge__", "__eq__", "__ne__"):
    setattr(Other, _name, lambda self, other, name=_name: name)


def test_operators_leave_other_types_to_these(device):
    x, other = gg.tensor([1.0, 2.0]), Other()
    scope = {"x": x, "other": other}
    symbols = ["+", "-", "*", "/", "//", "%", "**", "@", "&", "|", "^", "<<", ">>"]
    for symbol, name in zip(symbols, NAMES, strict=False):
        assert eval(f"x {symbol} other", scope) == f"__r{name}__"
        changed = dict(scope)
        exec(f"x {symbol}= other", changed)
        assert changed["x"] == f"__r{name}__"
        with pytest.raises(TypeError, match="unsupported operand type"):
            eval(f"other {symbol} x" if symbol != "**" else "object() ** x", scope)
    assert divmod(x, other) == "__rdivmod__"
    found = [x < other, x <= other, x > other, x >= other, x == other, x != other]
    assert found == ["__gt__", "__ge__", "__lt__", "__le__", "__eq__", "__ne__"]


def test_comparison_with_something_else_is_false(device):
    x = gg.tensor([1.0, 2.0])
    for other in ("auto", None, object(), {}):
        assert (x == other, x != other, other == x) == (False, True, False)
    with pytest.raises(TypeError, match="not supported between"):
        x < "a"  # noqa: B015
    with pytest.raises(TypeError, match="unsupported operand"):
        x + None
    assert (x == [1.0, 3.0]).tolist() == [True, False]


# ---------------------------------------------------------------- static parameters


@pytest.mark.parametrize(
    ("f", "name"),
    [
        (lambda x, t: gg.nn.functional.leaky_relu(x, t), "slope"),
        (lambda x, t: gg.nan_to_num(x, nan=t), "nan"),
        (lambda x, t: gg.round(x, t), "decimals"),
        (lambda x, t: gg.sum(x, axis=t), "axis"),
        (lambda x, t: gg.nn.functional.layer_norm(x, (2,), eps=t), "eps"),
    ],
)
def test_a_static_parameter_is_not_a_variable(f, name, device):
    x = gg.tensor([1.0, -2.0])
    with pytest.raises(gg.GradientError, match=rf"{name} is not differentiable: expected a constant.*test_conversions"):
        f(x, gg.tensor(0.5, requires_grad=True))
    with pytest.raises(gg.GradientError, match=f"{name} is not differentiable"):
        gg.grad(lambda t: f(x, t).sum())(0.5)
