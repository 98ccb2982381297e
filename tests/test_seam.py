"""The one seam: operations and rules know arrays only through ``xp`` and operators, and never look at values.

Every row of ``tests/cases/`` runs forward and backward on the namespace of ``gpugrad.tracing``, which writes calls
down. What it wrote is then replayed on NumPy with other inputs, and must give what gpugrad gives for those: so nothing
depended on the values that were there when it was written.
"""

from __future__ import annotations

import ast
from pathlib import Path

import numpy
import pytest
from cases import ROWS, outputs, tensors
from cases.checks import on_each_instance

import gpugrad as gg
from gpugrad import backend
from gpugrad.core import Tensor
from gpugrad.tracing import Pen, Recorded, Recorder, RecordingError

SOURCE = Path(gg.__file__).parent


@pytest.fixture
def program(device):
    """A recording in which nothing may be written to, and operations take the ways that they usually take."""
    if not device.is_host:
        pytest.skip("written with NumPy's functions")
    recorder = Recorder(effects=False)
    token = backend.start_recording(recorder)
    yield recorder
    backend.stop_recording(token)


def replayed(recorder, values):
    """Run the calls with other arrays for the inputs, ``(recorded, array)``; what a recorded array then is."""
    given = {w.value.number: numpy.asarray(a) for w, a in values}
    program = recorder.program
    arrays = [given.get(i.value.number, a) for i, a in zip(program.inputs, recorder.captured, strict=True)]
    known = apart(lambda: program.run(arrays, recorder.numbers, keep=range(len(program.specs))))
    return lambda w: known[w.value.number]


def apart(run):
    """What a function gives that is not recorded."""
    token = backend.start_recording(None)
    try:
        return run()
    finally:
        backend.stop_recording(token)


def backward(ys, gs):
    """One walk from several outputs, with the gradient of each."""
    from gpugrad.core import walk

    walk([(y.node, g) for y, g in zip(ys, gs, strict=True)], retain_graph=False)


@pytest.mark.parametrize("row", ROWS, ids=str)
def test_what_was_written_down_holds_for_other_values(row, program):
    on_each_instance(row, holds_for_other_values, program)


def holds_for_other_values(row, shapes, static, program):
    program.__init__(effects=False)
    first, second = (row.inputs(numpy.random.default_rng(seed), shapes) for seed in (1, 2))
    written = [program.input(numpy.asarray(a)) for a in first]
    xs = [Tensor(w).requires_grad_() if w.dtype.kind == "f" else Tensor(w) for w in written]
    with numpy.errstate(all="ignore"):
        ys = outputs(row.call(*xs, **static))
        assert all(isinstance(y.data, Recorded) for y in ys)
        gs = []
        if not row.constant:
            rng = numpy.random.default_rng(3)
            upstream = [[rng.standard_normal(y.shape) for y in ys] for _ in range(2)]
            gs = [program.input(numpy.asarray(g)) for g in upstream[0]]
            backward(ys, gs)

        def expected():
            variables = tensors(second)
            found = outputs(row.call(*variables, **static))
            if not row.constant:
                backward(found, upstream[1])
            return variables, [y.numpy() for y in found]

        variables, wanted = apart(expected)
        values = list(zip(written, second, strict=True))
        if not row.constant:
            values += zip(gs, upstream[1], strict=True)
        known = replayed(program, values)
    for y, e in zip(ys, wanted, strict=True):
        numpy.testing.assert_array_equal(known(y.data), e)
    for x, v in zip(xs, variables, strict=True):
        if not row.constant and x.requires_grad:
            numpy.testing.assert_array_equal(known(x.grad.data), v.grad.data)
    if not row.operation.endswith(("_to_device", "identity")):
        assert program.program.calls, "nothing was written down"


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
    written = [program.input(a) for a in first]
    xs = [Tensor(w).requires_grad_() for w in written]
    y = loss(*xs)
    y.backward()
    known = replayed(program, list(zip(written, second, strict=True)))
    value, gradients = apart(lambda: gg.value_and_grad(loss, argnums=range(5))(*second))
    numpy.testing.assert_array_equal(known(y.data), value)
    for x, g in zip(xs, gradients, strict=True):
        numpy.testing.assert_array_equal(known(x.grad.data), g)
    assert {"kernel.relu_forward", "kernel.relu_backward", "kernel.sigmoid_forward"} <= set(program.program.names())


def test_a_rule_that_looks_at_values_is_caught(program):
    @gg.primitive
    def peeking(xp, x, /):
        return xp.multiply(x, 2)

    peeking.vjp(x=lambda xp, g, x: g * 2 if x.sum() > 0 else g)
    x = Tensor(program.input(numpy.ones(3))).requires_grad_()
    with pytest.raises(
        gg.GradientError, match=r"rule of peeking failed: RecordingError: sum\(\): the value of a tensor"
    ):
        peeking(x).backward(program.input(numpy.ones(3)))

    peeking.vjp(x=lambda xp, g, x: g * 2 if xp.all(x > 0) else g)
    with pytest.raises(gg.GradientError, match="RecordingError: bool: the value of a tensor"):
        peeking(x).backward(program.input(numpy.ones(3)))


@pytest.mark.parametrize("look", [bool, float, int, list, numpy.asarray, len, lambda w: w.item(), lambda w: w.tolist()])
def test_a_written_array_shows_nothing(look, program):
    with pytest.raises(RecordingError):
        look(program.input(numpy.ones(1)))
    with pytest.raises(RecordingError):
        w = program.input(numpy.ones(1))
        w += 1
    with pytest.raises(RecordingError):
        program.input(numpy.ones(1))[0] = 1.0
    with pytest.raises(RecordingError, match="a write in place"):
        Pen().add(program.input(numpy.ones(1)), 1.0, out=program.input(numpy.ones(1)))


# ---------------------------------------------------------------- the source

LIBRARIES = {"numpy", "cupy", "scipy", "cupyx", "torch", "jax"}
KNOWN = {
    "core/dispatch.py": {"numpy"},  # scalars of NumPy among operands
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
    above = {*ORDER[ORDER.index(package) + 1 :], "nn", "optim", "data", "training", "tracing", "draw"}
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
