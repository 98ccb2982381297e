"""The one seam: operations and rules know arrays only through ``xp`` and operators, and never look at values.

Every row of ``tests/cases/`` runs forward and backward on a namespace that only writes calls down. What it wrote is
then replayed on NumPy with other inputs, and must give what gpugrad gives for those: so nothing depended on the values
that were there when it was written.
"""

from __future__ import annotations

import ast
import operator
from pathlib import Path
from types import ModuleType

import numpy
import pytest
import scipy.linalg
import scipy.special
from cases import ROWS, outputs, tensors
from cases.checks import on_each_instance

import gpugrad as gg
from gpugrad import backend
from gpugrad.backend import registry
from gpugrad.core import Tensor

SOURCE = Path(gg.__file__).parent


class Program:
    """A list of calls: ``(function, arguments, keywords, results)``, with ``Written`` arrays for values."""

    def __init__(self):
        self.calls = []
        self.names = []

    def write(self, name, function, args, kwargs):
        result = function(*unpacked(args), **unpacked(kwargs))
        wrapped = self.wrap(result)
        self.calls.append((function, args, kwargs, wrapped))
        self.names.append(name)
        return wrapped

    def wrap(self, result):
        if isinstance(result, tuple | list):
            made = getattr(type(result), "_make", type(result))  # NumPy names the parts of some tuples
            return made(self.wrap(r) for r in result)
        if isinstance(result, numpy.ndarray | numpy.generic):
            return Written(self, numpy.asarray(result))
        return result

    def replay(self, values):
        """Run the calls with other arrays for the inputs: ``values`` maps ``Written`` arrays to NumPy's."""
        known = {id(w): a for w, a in values}

        def look_up(value):
            if isinstance(value, Written):
                return known[id(value)]
            if isinstance(value, tuple | list):
                return type(value)(map(look_up, value))
            if isinstance(value, dict):
                return {k: look_up(v) for k, v in value.items()}
            if isinstance(value, slice):
                return slice(look_up(value.start), look_up(value.stop), look_up(value.step))
            return value

        def remember(wrapped, result):
            if isinstance(wrapped, Written):
                known[id(wrapped)] = result
            elif isinstance(wrapped, tuple | list):
                for w, r in zip(wrapped, result, strict=True):
                    remember(w, r)

        for function, args, kwargs, wrapped in self.calls:
            remember(wrapped, function(*look_up(args), **look_up(kwargs)))
        return known


def unpacked(value):
    if isinstance(value, Written):
        return value.example
    if isinstance(value, tuple | list):
        return type(value)(map(unpacked, value))
    if isinstance(value, dict):
        return {k: unpacked(v) for k, v in value.items()}
    return value


class LookedAtError(Exception):
    """Something asked a ``Written`` array for its values."""


def _refused(name):
    def method(self, *args, **kwargs):
        raise LookedAtError(f"{name} of a written array")

    return method


class Written:
    """An array that is not there: it knows its shape and dtype, and writes down what is done to it."""

    __array_ufunc__ = None
    __hash__ = object.__hash__

    def __init__(self, program, example):
        self.program, self.example = program, example

    shape = property(lambda self: self.example.shape)
    dtype = property(lambda self: self.example.dtype)
    ndim = property(lambda self: self.example.ndim)
    size = property(lambda self: self.example.size)

    def __getitem__(self, index):
        return self.program.write("getitem", operator.getitem, (self, index), {})

    def copy(self):
        return self.program.write("copy", numpy.copy, (self,), {})


REFUSED = """__bool__ __array__ __iter__ __setitem__ __float__ __int__ __index__ __complex__ __len__ __contains__
__iadd__ __isub__ __imul__ __itruediv__ __ifloordiv__ __imod__ __ipow__ __imatmul__ __iand__ __ior__ __ixor__
item tolist fill sort put any all max min sum astype tobytes"""
for _name in REFUSED.split():
    setattr(Written, _name, _refused(_name))

OPERATORS = "add sub mul truediv floordiv mod pow matmul and or xor".split()  # noqa: SIM905
for _name in OPERATORS:
    _function = getattr(operator, _name + "_" if _name in ("and", "or") else _name)

    def _forward(self, other, _name=_name, _function=_function):
        return self.program.write(_name, _function, (self, other), {})

    def _reflected(self, other, _name=_name, _function=_function):
        return self.program.write(_name, _function, (other, self), {})

    setattr(Written, f"__{_name}__", _forward)
    setattr(Written, f"__r{_name}__", _reflected)
for _name in ("eq", "ne", "lt", "le", "gt", "ge"):
    _function = getattr(operator, _name)

    def _compare(self, other, _name=_name, _function=_function):
        return self.program.write(_name, _function, (self, other), {})

    setattr(Written, f"__{_name}__", _compare)
for _name in ("neg", "pos", "abs", "invert"):
    _function = getattr(operator, _name)

    def _unary(self, _name=_name, _function=_function):
        return self.program.write(_name, _function, (self,), {})

    setattr(Written, f"__{_name}__", _unary)


class Pen:
    """The namespace: NumPy's functions, or a part of them, written down. What NumPy does not have, it has not."""

    def __init__(self, program, module=numpy):
        self.program, self.module = program, module

    @property
    def special(self):
        return Pen(self.program, scipy.special)

    @property
    def matrix_functions(self):
        return Pen(self.program, scipy.linalg)

    def __getattr__(self, name):
        function = getattr(self.module, name)
        if isinstance(function, ModuleType):
            return Pen(self.program, function)
        if not callable(function) or isinstance(function, type):
            return function

        def call(*args, **kwargs):
            if "out" in kwargs:
                raise LookedAtError(f"{name} with out=")
            return self.program.write(name, function, args, kwargs)

        return call

    def __kernel__(self, kernel, arguments):
        return self.program.write(
            f"kernel {getattr(kernel, 'name', getattr(kernel, '__name__', '?'))}",
            lambda *args: kernel(numpy, *args), arguments, {},
        )  # fmt: skip


class Paper(backend.Backend):
    name = "written"

    def __init__(self, pen):
        self.xp = pen

    def device(self, array):
        return gg.device("cpu")

    def from_host(self, array, device):
        return array

    def to_host(self, array):
        raise LookedAtError("to_host of a written array")

    def move(self, array, device):
        raise LookedAtError("move of a written array")


@pytest.fixture
def program(device):
    if not device.is_host:
        pytest.skip("written with NumPy's functions")
    made = Program()
    pen = Pen(made)
    backend.register_array_type(Written, pen, Paper(pen))
    yield made
    for table in (registry.NAMESPACES, registry.BACKENDS, registry.PLAIN):
        table.pop(Written, None)


def backward(ys, gs):
    """One walk from several outputs, with the gradient of each."""
    from gpugrad.core import walk

    walk([(y.node, g) for y, g in zip(ys, gs, strict=True)], retain_graph=False)


@pytest.mark.parametrize("row", ROWS, ids=str)
def test_what_was_written_down_holds_for_other_values(row, program):
    on_each_instance(row, holds_for_other_values, program)


def holds_for_other_values(row, shapes, static, program):
    program.calls.clear()
    program.names.clear()
    first, second = (row.inputs(numpy.random.default_rng(seed), shapes) for seed in (1, 2))
    written = [Written(program, a) for a in first]
    xs = [Tensor(w).requires_grad_() if w.dtype.kind == "f" else Tensor(w) for w in written]
    with numpy.errstate(all="ignore"):
        ys = outputs(row.call(*xs, **static))
        assert all(isinstance(y.data, Written) for y in ys)
        gs = []
        if not row.constant:
            rng = numpy.random.default_rng(3)
            upstream = [[rng.standard_normal(y.shape) for y in ys] for _ in range(2)]
            gs = [Written(program, g) for g in upstream[0]]
            backward(ys, gs)

        variables = tensors(second)
        expected = outputs(row.call(*variables, **static))
        values = list(zip(written, second, strict=True))
        if not row.constant:
            values += zip(gs, upstream[1], strict=True)
            backward(expected, upstream[1])
        known = program.replay(values)
    for y, e in zip(ys, expected, strict=True):
        numpy.testing.assert_array_equal(known[id(y.data)], e.numpy())
    for x, v in zip(xs, variables, strict=True):
        if not row.constant and x.requires_grad:
            numpy.testing.assert_array_equal(known[id(x.grad.data)], v.grad.numpy())
    if not any(n.startswith("kernel") for n in program.names) and not row.operation.endswith(
        ("_to_device", "identity")
    ):
        assert program.names, "nothing was written down"


def test_a_whole_network_is_written_down(program):
    rng = numpy.random.default_rng(0)
    shapes = [(4, 3), (3, 5), (5,), (5, 2), (4, 2)]

    def loss(x, w1, b1, w2, t):
        hidden = gg.relu(x @ w1 + b1)
        hidden[:, 0] = 1.0
        hidden *= gg.sigmoid(hidden)
        a, b = gg.split(hidden @ w2, 2, axis=1)
        y = gg.concat([gg.tanh(a), gg.where(b > 0, b, gg.exp(b) - 1)], axis=1)
        return gg.mean((y - t) ** 2) + gg.max(y) * gg.std(y) + gg.prod(y[[0, 0, 1]], axis=0).sum()

    first, second = ([rng.standard_normal(s) for s in shapes] for _ in range(2))
    written = [Written(program, a) for a in first]
    xs = [Tensor(w).requires_grad_() for w in written]
    y = loss(*xs)
    y.backward()
    known = program.replay(list(zip(written, second, strict=True)))
    value, gradients = gg.value_and_grad(loss, argnums=range(5))(*second)
    numpy.testing.assert_array_equal(known[id(y.data)], value)
    for x, g in zip(xs, gradients, strict=True):
        numpy.testing.assert_array_equal(known[id(x.grad.data)], g)
    assert {"kernel relu_forward", "kernel relu_backward", "kernel sigmoid_forward"} <= set(program.names)


def test_a_rule_that_looks_at_values_is_caught(program):
    @gg.primitive
    def peeking(xp, x, /):
        return xp.multiply(x, 2)

    peeking.vjp(x=lambda xp, g, x: g * 2 if x.sum() > 0 else g)
    x = Tensor(Written(program, numpy.ones(3))).requires_grad_()
    with pytest.raises(gg.GradientError, match="rule of peeking failed: LookedAtError: sum of a written array"):
        peeking(x).backward(Written(program, numpy.ones(3)))

    peeking.vjp(x=lambda xp, g, x: g * 2 if xp.all(x > 0) else g)
    with pytest.raises(gg.GradientError, match="LookedAtError: __bool__ of a written array"):
        peeking(x).backward(Written(program, numpy.ones(3)))


@pytest.mark.parametrize("look", [bool, float, int, list, numpy.asarray, len, lambda w: w.item(), lambda w: w.tolist()])
def test_a_written_array_shows_nothing(look, program):
    with pytest.raises(LookedAtError):
        look(Written(program, numpy.ones(1)))
    with pytest.raises(LookedAtError):
        w = Written(program, numpy.ones(1))
        w += 1
    with pytest.raises(LookedAtError):
        Written(program, numpy.ones(1))[0] = 1.0


# ---------------------------------------------------------------- the source

LIBRARIES = {"numpy", "cupy", "scipy", "cupyx", "torch", "jax"}
KNOWN = {
    "core/calls.py": {"numpy"},  # scalars of NumPy among operands
    "core/tensor.py": {"numpy"},  # text, and the way out
    "ops/creation.py": {"numpy"},  # nested lists and numbers become arrays
    "ops/inplace.py": {"numpy"},  # which of NumPy's functions write
    "ops/keywords.py": {"numpy"},  # what NumPy's functions are called with
    "ops/nested.py": {"numpy"},  # nested lists beside tensors
    "ops/protocols.py": {"numpy"},  # which functions are NumPy's own
    "transforms/check.py": {"numpy"},  # differences are taken on the host
}
"""The only files of these packages that import an array library."""


def imports(path):
    """The top-level packages that a file imports when it runs, not those for the type checker alone."""
    found = set()

    def visit(node):
        if isinstance(node, ast.If) and getattr(node.test, "id", "") == "TYPE_CHECKING":
            node = ast.Module(node.orelse, [])
        if isinstance(node, ast.Import):
            found.update(alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            found.add((node.module or "").partition(".")[0])
        for child in ast.iter_child_nodes(node):
            visit(child)

    visit(ast.parse(path.read_text()))
    return found


def sources(*packages):
    for package in packages:
        for path in sorted((SOURCE / package).rglob("*.py")):
            yield path.relative_to(SOURCE).as_posix(), path


def test_only_the_backends_know_an_array_library():
    found = {}
    for name, path in sources("core", "ops", "transforms", "nn", "optim"):
        libraries = imports(path) & LIBRARIES
        if libraries:
            found[name] = libraries
    assert found == KNOWN


def test_cupy_is_imported_by_its_backend_only():
    cupy = {name for name, path in sources("") if imports(path) & {"cupy", "cupyx"}}
    assert "backend/cuda.py" in cupy
    assert [name for name in cupy if not name.startswith(("backend/", "testing/"))] == []


ORDER = ["backend", "kernels", "core", "ops", "transforms"]


@pytest.mark.parametrize("package", ORDER)
def test_imports_point_one_way(package):
    above = {*ORDER[ORDER.index(package) + 1 :], "nn", "optim", "data", "training", "jit", "draw"}
    for name, path in sources(package):
        depth = name.count("/")
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom) and node.level == depth + 1:
                targets = [node.module.partition(".")[0]] if node.module else [a.name for a in node.names]
                assert not set(targets) & above, f"{name} imports {targets}"


def rules(tree):
    """The functions given to ``.vjp(...)`` or decorated with ``.joint_vjp``, the forwards, and what they call."""
    functions = {n.name: n for n in tree.body if isinstance(n, ast.FunctionDef)}
    waiting = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and getattr(node.func, "attr", "") in ("vjp", "joint_vjp"):
            waiting += [k.value for k in node.keywords] + node.args
        if isinstance(node, ast.FunctionDef):
            for decorator in node.decorator_list:
                call = decorator.func if isinstance(decorator, ast.Call) else decorator
                if getattr(call, "attr", "") == "joint_vjp" or getattr(call, "id", "") in ("primitive", "elementwise"):
                    waiting.append(node)
    seen = []
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Name):
            node = functions.get(node.id)
        if node is None or node in seen:
            continue
        seen.append(node)
        waiting += [n for n in ast.walk(node) if isinstance(n, ast.Name) and n.id in functions]
    return seen


@pytest.mark.parametrize(("package", "least"), [("ops", 100), ("nn", 0), ("kernels", 4)])
def test_rules_never_write_in_place(package, least):
    """No augmented assignment, no assignment to an element, no ``out=``, in a rule, a forward, or what they call."""
    looked_at = 0
    for name, path in sources(package):
        if name == "kernels/optim.py":
            continue  # updates in place are what these are for
        for function in rules(ast.parse(path.read_text())):
            looked_at += 1
            for node in ast.walk(function):
                place = f"{name}:{getattr(node, 'lineno', 0)}"
                assert not isinstance(node, ast.AugAssign), place
                if isinstance(node, ast.Assign):
                    assert not any(isinstance(t, ast.Subscript) for t in node.targets), f"{place} writes to an element"
                if isinstance(node, ast.Call):
                    assert not any(k.arg == "out" for k in node.keywords), f"{place} writes with out="
    assert looked_at >= least
