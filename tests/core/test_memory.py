"""What the graph keeps alive, and that it lets go at once, without the garbage collector."""

from __future__ import annotations

import gc
import tracemalloc
import weakref

import numpy
import pytest

import gpugrad as gg
from gpugrad.core import Node


def result(values, dtype=gg.float64):
    """A Tensor in the graph that is no leaf, so that nothing but the graph keeps its array."""
    return gg.tensor(values, dtype=dtype, requires_grad=True) + 1


def constant(values):
    return gg.tensor(values, dtype=gg.float64)


@pytest.fixture(scope="module", autouse=True)
def nothing_older():
    """What the tests before have left is set aside: the collector would go through all of it each time."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


@pytest.fixture
def no_collector(device):
    gc.collect()
    gc.disable()
    yield
    gc.enable()


A = [[1.0, 2.0], [3.0, 4.0]]
BOTH, FIRST, SECOND = (True, True), (True, False), (False, True)
KEPT = [
    # operation, which inputs need a gradient, which of (inputs..., output) the graph keeps
    ("multiply", BOTH, (True, True, False)),
    ("multiply", FIRST, (False, True, False)),
    ("multiply", SECOND, (True, False, False)),
    ("add", BOTH, (False, False, False)),
    ("subtract", BOTH, (False, False, False)),
    ("divide", FIRST, (False, True, False)),
    ("divide", SECOND, (False, True, True)),
    ("divide", BOTH, (False, True, True)),
    ("matmul", BOTH, (True, True, False)),
    ("matmul", FIRST, (False, True, False)),
    ("matmul", SECOND, (True, False, False)),
    ("exp", (True,), (False, True)),
    ("relu", (True,), (False, True)),
    ("tanh", (True,), (True, False)),
    ("sqrt", (True,), (False, True)),
    ("sin", (True,), (True, False)),
    ("log", (True,), (True, False)),
    ("sum", (True,), (False, False)),
    ("mean", (True,), (False, False)),
    ("max", (True,), (True, True)),
    ("negative", (True,), (False, False)),
    ("sign", (True,), (False, False)),
    ("matrix_transpose", (True,), (False, False)),
    ("exp", (False,), (False, False)),
    ("multiply", (False, False), (False, False, False)),
]


def saved_arrays(node):
    found = []
    for _, _, kept in node.edges:
        for value in kept if isinstance(kept, tuple) else (kept,):
            if gg.backend.is_array(value):
                found.append(value)
    return found


@pytest.mark.parametrize(("name", "needed", "kept"), KEPT)
def test_the_graph_keeps_exactly_what_the_rules_named(name, needed, kept, no_collector):
    inputs = [result(A) if n else constant(A) for n in needed]
    y = getattr(gg, name)(*inputs)
    arrays = [*(x.data for x in inputs), y.data]
    refs = [weakref.ref(a) for a in arrays]
    node = y.node
    if node is None:
        assert not any(needed)
    else:
        assert len(node.edges) == sum(needed)
        identities = {id(a) for a in saved_arrays(node)}
        assert tuple(id(a) in identities for a in arrays) == kept
        assert len(identities) == sum(kept)
    del inputs, arrays, y
    assert tuple(r() is not None for r in refs) == kept
    del node
    assert not any(r() is not None for r in refs)


def test_the_same_on_any_device():
    x, c = result(A), constant(A)
    assert [id(a) for a in saved_arrays((x * c).node)] == [id(c.data)]
    y = gg.exp(x)
    assert [id(a) for a in saved_arrays(y.node)] == [id(y.data)]
    assert saved_arrays((x + c).node) == []


def test_an_input_that_needs_no_gradient_costs_no_rule():
    calls = []

    @gg.primitive
    def spied(xp, a, b, /):
        return xp.multiply(a, b)

    def a_rule(xp, g, b):
        calls.append("a")
        return g * b

    def b_rule(xp, g, a):
        calls.append("b")
        return g * a

    spied.vjp(a=a_rule, b=b_rule)
    c = constant(A)
    spied(result(A), c).sum().backward()
    assert calls == ["a"]
    calls.clear()
    spied(c, result(A)).sum().backward()
    assert calls == ["b"]
    calls.clear()
    spied(c, c)
    with gg.no_grad():
        assert spied(result(A), result(A)).node is None
    assert calls == []


def test_nothing_is_recorded_inside_no_grad(no_collector):
    x = result(A)
    with gg.no_grad():
        y = gg.exp(x * x)
    ref = weakref.ref(x.data)
    del x
    assert ref() is None
    assert y.node is None


def test_a_walk_frees_what_was_saved_as_it_goes(no_collector):
    x = gg.tensor(A, dtype=gg.float64, requires_grad=True)
    alive = []

    @gg.primitive
    def watcher(xp, x, /):
        return xp.positive(x)

    watcher.vjp(x=lambda xp, g: (alive.append([r() is not None for r in refs]), g)[1])
    first = watcher(x)
    second = gg.exp(first)
    third = gg.exp(second)
    refs = [weakref.ref(second.data), weakref.ref(third.data)]
    loss = third.sum()
    del first, second, third
    loss.backward()
    assert alive == [[False, False]]
    assert loss.node.edges is None
    del watcher


def test_tensors_and_arrays_die_with_their_last_user(no_collector):
    x = result(A)
    y = gg.exp(x * x).sum()
    refs = [weakref.ref(x), weakref.ref(y), weakref.ref(x.data), weakref.ref(y.data)]
    y.backward()
    del x, y
    assert not any(r() is not None for r in refs)


def nodes_alive():
    return sum(issubclass(type(o), Node) for o in gc.get_objects())


def step(parameters, x, t):
    w1, b1, w2, b2 = parameters
    hidden = gg.relu(x @ w1 + b1)
    loss = gg.mean((hidden @ w2 + b2 - t) ** 2)
    loss.backward()
    with gg.no_grad():
        for p in parameters:
            p -= 0.01 * p.grad
            p.grad = None
    return loss.item()


def network(rng):
    shapes = [(4, 16), (16,), (16, 1), (1,)]
    parameters = [gg.tensor(rng.standard_normal(s) * 0.3, requires_grad=True) for s in shapes]
    x = gg.tensor(rng.standard_normal((8, 4)))
    return parameters, x, gg.sum(x, axis=1, keepdims=True)


PROGRAMS = {
    "a training step": lambda rng: step(*network(rng)),
    "several outputs": lambda rng: sum(p.sum() for p in gg.split(result(A), 2)).backward(),
    "indexing": lambda rng: result(A)[[0, 0], 1].sum().backward(),
    "an operator in place": lambda rng: (lambda x: x.__imul__(x).sum().backward())(result(A)),
    "a write": lambda rng: (lambda x: (x.__setitem__(0, x[1]), x.sum().backward()))(result(A)),
    "hooks": lambda rng: (lambda x: (x.register_hook(lambda g: g * 2), x.sum().backward()))(result(A)),
    "retain_grad": lambda rng: (lambda x: (x.retain_grad(), x.sum().backward()))(result(A)),
    "no walk": lambda rng: gg.exp(result(A)) * 2,
    "a retained walk": lambda rng: (result(A) ** 2).sum().backward(retain_graph=True),
    "grad": lambda rng: gg.grad(lambda x: (x**3).sum())(numpy.ones(3)),
    "grad of grad": lambda rng: gg.grad(lambda x: gg.grad(lambda y: (y**3).sum())(x).sum())(numpy.ones(3)),
    "vjp": lambda rng: gg.vjp(gg.sin, result(A))[1](gg.ones((2, 2), dtype=gg.float64)),
}


@pytest.mark.parametrize("name", PROGRAMS)
def test_no_reference_cycles(name, rng, no_collector):
    PROGRAMS[name](rng)  # whatever is made once has been made
    gc.collect()
    before = nodes_alive()
    PROGRAMS[name](rng)
    assert nodes_alive() == before, "nodes outlived their last user"
    assert gc.collect() == 0, "garbage that only the collector could free"


def test_thousands_of_training_steps_take_no_memory(rng, no_collector, device):
    if not device.is_host:
        pytest.skip("the memory of a device is looked at in tests/backend; the host's is the same on any device")
    parameters, x, t = network(rng)
    tracemalloc.start()
    losses = [step(parameters, x, t) for _ in range(1000)]  # Python's and NumPy's stocks of small objects fill
    gc.collect()
    before, _ = tracemalloc.get_traced_memory()
    steps = 2000
    for _ in range(steps):
        loss = step(parameters, x, t)
    assert gc.collect() == 0  # finds nothing, but empties Python's stock of unused tuples
    after, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert loss < losses[0] / 2
    # up to 16 kB come and go with Python's stocks, whatever the number of steps; 40 bytes a step would be 80 kB
    assert after - before < 16 * steps


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("walked", [True, False], ids=["walked", "dropped"])
def test_a_long_chain_of_nodes(walked, device):
    n = 200_000 if device.is_host else 20_000
    gc.collect()
    gc.disable()  # its passes over a growing graph take most of the time, and nothing here is for it
    try:
        x = gg.tensor(1.0, dtype=gg.float64, requires_grad=True)
        y = x
        for _ in range(n):
            y = y + x
        assert y.item() == n + 1
        if walked:
            y.backward()
            assert x.grad.item() == n + 1
        del y  # freed without recursion
        assert nodes_alive() <= 10
    finally:
        gc.enable()


def test_a_deep_graph_of_views_and_outputs_is_freed():
    x = gg.tensor([1.0, 2.0], requires_grad=True)
    y = x
    for _ in range(10_000):
        a, b = gg.split(y, 2)
        y = gg.concat([b, a])[::-1].reshape((2,))
    y.sum().backward()
    assert x.grad.tolist() == [1.0, 1.0]
    del y, a, b
