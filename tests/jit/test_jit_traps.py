"""What goes wrong without a word where functions are recorded elsewhere: here it is right, or an error."""

from __future__ import annotations

import copy
import functools
import gc
import itertools
import pickle
import random
import threading
import weakref

import numpy
import pytest

import gpugrad as gg
from gpugrad import nn, optim
from gpugrad.tracing import RecordingError

SCALE = 2.0


def tensors(*rows):
    return [gg.tensor(row) for row in rows]


def programs(function):
    return (function._programs if hasattr(function, "_programs") else function).count


# ---------------------------------------------------------------- arguments and results


def test_results_are_not_overwritten_by_the_next_call(device):
    f = gg.jit(lambda x: (x * 2, x + 1, x[:1], x))
    xs = tensors([1.0, 2.0], [3.0, 4.0], [5.0, 6.0])
    found = [f(x) for x in xs]
    assert [[y.tolist() for y in ys] for ys in found] == [
        [[2 * a, 2 * b], [a + 1, b + 1], [a], [a, b]] for a, b in [(1.0, 2.0), (3.0, 4.0), (5.0, 6.0)]
    ]
    assert all(ys[3] is x for ys, x in zip(found, xs, strict=True)), "an argument is handed back as itself"


def test_the_same_array_twice_and_an_output_fed_back(device):
    f = gg.jit(lambda a, b: a * b + a)
    x, y = tensors([1.0, 2.0], [3.0, 4.0])
    assert f(x, x).tolist() == [2.0, 6.0]
    assert f(x, y).tolist() == [4.0, 10.0]
    assert f(y, y).tolist() == [12.0, 20.0]
    for _ in range(3):
        x = f(x, y)
    assert x.tolist() == [64.0, 250.0]

    @gg.jit
    def swapped(a, b):
        a += b
        return b, a

    a, b = tensors([1.0], [2.0])
    for _ in range(4):
        a, b = swapped(a, b)
    assert (a.tolist(), b.tolist()) == ([8.0], [13.0])


def test_views_with_other_offsets_and_strides(device):
    f = gg.jit(lambda x: gg.sum(x * x, axis=0) + x[0])
    whole = gg.tensor(numpy.arange(40.0).reshape(8, 5))
    for view in (whole, whole[2:6, 1:4], whole[3:7, 2:5], whole[::2], whole.T, whole.T[1:, 2:], whole[::-1]):
        assert f(view).tolist() == (gg.sum(view * view, axis=0) + view[0]).tolist()


def test_an_argument_that_is_changed_in_place(device):
    @gg.jit
    def normalized(x, scale=1.0):
        x -= x.sum() / 3
        x *= scale
        return (x * x).sum()

    for values in ([1.0, 2.0, 6.0], [0.0, 0.0, 3.0]):
        x, y = gg.tensor(values), gg.tensor(values)
        held = y.detach()
        assert normalized(x).item() == normalized.__wrapped__(y).item()
        assert x.tolist() == y.tolist()
        assert held.tolist() == values
        assert normalized(x, scale=2.0).item() == normalized.__wrapped__(y, 2.0).item()
        assert x.tolist() == y.tolist()
    if not device.is_host:
        return
    array = numpy.array([1.0, 2.0, 6.0])
    for factor in (1.0, 2.0, 3.0):
        array[:] = [factor, 2 * factor, 6 * factor]
        expected = array.copy()
        value, wanted = normalized(array), normalized.__wrapped__(expected)
        assert type(value) is numpy.ndarray
        assert value == wanted
        assert array.tolist() == expected.tolist(), "the caller's array, as without jit"


def test_keywords_places_and_static_arguments(device):
    @gg.jit(static=("mode", "table"))
    def f(x, power=2, *, mode="sum", table=None):
        y = x**power if table is None else x * gg.asarray(table, dtype=x.dtype, device=x.device)
        return getattr(gg, mode)(y)

    x = gg.tensor([1.0, 2.0, 3.0])
    for _ in range(2):
        assert f(x).item() == f(x=x).item() == f(x, 2).item() == f(power=2, x=x).item() == 14.0
        assert f(x, 3).item() == f(x, power=3).item() == 36.0
        assert f(x, mode="max").item() == 9.0
        assert f(x, table=[1.0, 0.0, 1.0]).item() == 4.0
        assert f(x, table=numpy.array([1.0, 1.0, 0.0])).item() == 3.0
    with pytest.raises(TypeError, match="unexpected keyword"):
        f(x, wrong=1)
    with pytest.raises(TypeError, match="no parameter 'rate' to be static"):
        gg.jit(f.__wrapped__, static="rate")


def test_numbers_of_python_are_not_frozen(device):
    f = gg.jit(lambda x, s: x * s if s > 0 else x - s)
    x = gg.tensor([1.0, 2.0])
    for s in (2, 2.0, -2.0, 0.0, -0.0, True, 3.0, float("nan"), float("nan")):
        numpy.testing.assert_array_equal(f(x, s).numpy(), f.__wrapped__(x, s).numpy())
        assert f(x, s).dtype == f.__wrapped__(x, s).dtype
    count = programs(f)
    f(x, float("nan"))
    assert programs(f) == count
    g = gg.jit(lambda x, s: x * s)
    with pytest.warns(RuntimeWarning, match=r"recorded 10 times(.|\n)*test_jit_traps\.py:\d+(.|\n)*as tensors"):
        found = [g(x, float(i)).tolist() for i in range(12)]
    assert found == [[i, 2.0 * i] for i in range(12)]


# ---------------------------------------------------------------- what is found beside the arguments


class Config:
    """A user's own object."""

    power = 1
    shift = 0.0

    def __init__(self):
        self.factors = [1.0, 2.0]
        self.unused = 0

    def shifted(self, x):
        return x + self.shift


def test_numbers_around_a_function_are_not_frozen(device):
    global SCALE
    config, offset, table = Config(), 1.0, {"a": 1.0}

    @gg.jit
    def f(x):
        y = config.shifted(x * SCALE * config.factors[1] ** config.power + offset) * table["a"]
        return -y if config.power > 2 else y

    def check():
        assert f(x).tolist() == f.__wrapped__(x).tolist()

    x = gg.tensor([1.0, 2.0])
    check()
    SCALE = 3.0
    check()
    config.power = 3
    check()
    config.shift = 5.0
    check()
    config.factors[1] = -1.0
    check()
    config.factors.append(3.0)
    config.factors = [2.0, 0.5]
    check()
    Config.power = 4
    del config.power
    check()
    table["a"] = 2.0
    check()
    offset = 2.0
    check()
    count = programs(f)
    config.unused, offset = 5, 4.0 - 2.0
    check()
    assert programs(f) == count, "what the function does not name is not looked at, nor another object of that value"
    SCALE, Config.power = 2.0, 1


def test_arrays_around_a_function_are_read_anew(device):
    w, held = gg.tensor([1.0, 2.0]), {"b": gg.tensor([1.0, 1.0])}
    table = numpy.array([1.0, 2.0], "f4")

    @gg.jit
    def f(x):
        more = gg.tensor(table * 2.0)
        return x * w + held["b"] + (gg.tensor(table) + more if device.is_host else more)

    def check():
        assert f(x).tolist() == f.__wrapped__(x).tolist()

    x = gg.tensor([3.0, 4.0])
    check()
    w += 1.0
    check()
    w[0] = 7.0
    held["b"] += 2.0
    check()
    count = programs(f)
    w = gg.tensor([5.0, 6.0])
    held["b"] = gg.tensor([0.0, 9.0])
    check()
    assert programs(f) == count == 1, "another tensor in the place of one that was read"
    table[0] = 9.0
    check()
    table = numpy.array([0.0, 1.0], "f4")
    check()
    w = held["b"]
    check()
    w += 1.0
    check()
    w = gg.tensor([5.0, 6.0], dtype=gg.float64)
    check()
    w = gg.tensor([5.0, 6.0], requires_grad=True)
    f(x).sum().backward()
    assert w.grad.tolist() == [3.0, 4.0]


def test_an_argument_that_is_also_found(device):
    w = gg.tensor([1.0, 2.0], requires_grad=True)
    f = gg.jit(lambda x: x * w)
    x = gg.tensor([3.0, 4.0])
    for given in (x, w, x, w, w):
        assert f(given).tolist() == f.__wrapped__(given).tolist()
        w.grad = None
        f(given).sum().backward()
        assert w.grad.tolist() == ([3.0, 4.0] if given is x else [2.0, 4.0])


def test_methods_of_two_instances(device):
    class Model(nn.Module):
        def __init__(self, factor):
            super().__init__()
            self.w = nn.Parameter(gg.tensor([factor, 1.0]))
            self.factor = factor

        @gg.jit
        def forward(self, x, power=1):
            return (x * self.w) ** power * self.factor

    models = [Model(2.0), Model(3.0)]
    x = gg.tensor([1.0, 2.0])
    for _ in range(2):
        assert [m(x).tolist() for m in models] == [[4.0, 4.0], [9.0, 6.0]]
        assert models[1](x, power=2).tolist() == models[1](x, 2).tolist() == [27.0, 12.0]
    models[0].factor = 1.0
    assert [m(x).tolist() for m in models] == [[2.0, 2.0], [9.0, 6.0]]
    for one in (copy.deepcopy(models[0]), copy.copy(models[0])):
        one.w.data[...] = 5.0
        assert one(x).tolist() == [5.0, 10.0]
    assert Model.forward(models[1], x).tolist() == [9.0, 6.0]


def test_modes_are_part_of_the_call(device):
    model = nn.Sequential(nn.Linear(2, 2), nn.Dropout(0.5), nn.BatchNorm1d(2))
    f = gg.jit(lambda x: model(x))
    x = gg.tensor([[1.0, 2.0], [3.0, 5.0], [4.0, 4.0]])
    eager = copy.deepcopy(model)
    for training in (True, False, True, False):
        model.train(training)
        eager.train(training)
        gg.random.seed(3)
        found = f(x)
        gg.random.seed(3)
        wanted = eager(x)
        numpy.testing.assert_allclose(found.detach().numpy(), wanted.detach().numpy(), 1e-5, 1e-6)
        assert found.requires_grad
        numpy.testing.assert_allclose(model[2].running_var.numpy(), eager[2].running_var.numpy(), 1e-6)
    with gg.no_grad():
        assert not f(x).requires_grad
    made = gg.jit(lambda: gg.zeros(2))
    assert made().dtype == gg.float32
    with gg.default_dtype(gg.float64):
        assert made().dtype == gg.float64
    with (
        gg.debug(),
        numpy.errstate(divide="ignore"),
        pytest.raises(FloatingPointError, match=r"log.*(.|\n)*test_jit_traps\.py"),
    ):
        gg.jit(lambda x: gg.log(x))(gg.tensor([0.0]))
    model.requires_grad_(False)
    assert not f(x).requires_grad


# ---------------------------------------------------------------- random numbers, hooks, threads, errors


def test_random_numbers_go_on(device):
    own = gg.random.Generator(5)

    def drawn(x):
        y = x + gg.random.random(2) + own.normal(size=2)
        return y + gg.checkpoint(lambda v: nn.functional.dropout(v, 0.5))(y)

    f = gg.jit(drawn)
    found = []
    for function in (f, drawn):
        gg.random.seed(1)
        own.seed(2)
        found.append([function(gg.ones(2)).tolist() for _ in range(3)] + [gg.random.default_generator.state, own.state])
    assert found[0] == found[1]
    assert len({str(y) for y in found[0]}) == 5
    w = gg.ones(64).requires_grad_()
    block = gg.checkpoint(lambda v: nn.functional.dropout(v, 0.5) * v)
    g = gg.jit(lambda x: block(x * w) + gg.random.random(64))
    gradients = []
    for function in (g, g.__wrapped__):
        gg.random.seed(4)
        w.grad = None
        ys = [function(gg.full(64, float(i))) for i in (1, 2, 3)]
        for y in ys[::-1]:
            y.sum().backward()
        gradients.append((w.grad.tolist(), [y.tolist() for y in ys], gg.random.default_generator.state))
    assert gradients[0] == gradients[1]


FROZEN = {
    "numpy.random": lambda x, held: x + gg.tensor(numpy.random.random(2)),
    "random": lambda x, held: x * random.random(),
    "a generator of NumPy's": lambda x, held: x + gg.tensor(held["rng"].random(2)),
    "an iterator": lambda x, held: x + next(held["batches"]),
    "a generator": lambda x, held: x + next(held["made"]),
    "a counter": lambda x, held: x * held.counted(),
    "a list": lambda x, held: held["losses"].append(x) or x,
    "the state of random numbers": lambda x, held: x * gg.random.default_generator.state[1],
    "a batch": lambda x, held: next(x + b for b in held["loader"]),
}


class Held(dict):
    """Things around a function that give another value each time."""

    def __init__(self):
        super().__init__()
        self.count = 0
        batches = tensors([1.0, 2.0], [3.0, 4.0], [5.0, 6.0])
        self["rng"], self["batches"] = numpy.random.default_rng(0), itertools.cycle(batches)
        self["made"], self["losses"] = (b for b in batches), []
        self["loader"] = gg.data.DataLoader(gg.data.ArrayDataset(numpy.zeros((4, 2), "f4")), 2)

    def counted(self):
        self.count += 1
        return self.count


@pytest.mark.parametrize("name", FROZEN)
def test_what_changes_by_itself_is_refused(name, device):
    held = Held()
    f = gg.jit(lambda x: FROZEN[name](x, held))
    with pytest.raises(RecordingError):
        for _ in range(2):
            f(gg.ones(2))


ASKED = {
    "float": lambda x: x * float(x.sum()),
    "a branch": lambda x: x if x.sum() > 0 else -x,
    "item": lambda x: x * x[0].item(),
    "a copy": lambda x: x * x.numpy(),
    "a boolean mask": lambda x: x[x > 0],
    "nonzero": lambda x: gg.nonzero(x)[0],
    "range": lambda x: sum(range(int(x[0]))),
}


@pytest.mark.parametrize("name", ASKED)
def test_a_value_that_is_asked_for_is_refused_with_the_line(name, device):
    f = gg.jit(ASKED[name])
    x = gg.tensor([1.0, 2.0])
    for _ in range(2):
        with pytest.raises(
            RecordingError, match=r"test_jit_traps\.py:\d+: (.|\n)*gg\.where(.|\n)*gg\.cond(.|\n)*static"
        ):
            f(x)
    assert x.tolist() == [1.0, 2.0]
    assert type(x.data) is type(gg.ones(2).data)


def test_a_branch_that_depends_on_a_value(device):
    def f(x, y):
        return gg.cond(gg.sum(x) > 0, lambda x, y: {"a": gg.log(x) * y[0]}, lambda x, y: {"a": x * 2 - y[0]}, x, [y])

    xs = tensors([1.0, 2.0], [-1.0, -2.0], [3.0, -1.0])
    y = gg.tensor([3.0, 4.0])
    jitted = gg.jit(f)
    with numpy.errstate(all="ignore"):
        for x in xs:
            numpy.testing.assert_allclose(jitted(x, y)["a"].numpy(), f(x, y)["a"].numpy(), 1e-6)
            for g in (jitted, f, lambda x, y: gg.vmap(f)(gg.stack([x, x]), gg.stack([y, y]))):
                found = gg.grad(lambda x, y, g=g: gg.nansum(g(x, y)["a"]), (0, 1))(x, y)
                wanted = gg.grad(lambda x, y: gg.nansum(f(x, y)["a"]), (0, 1))(x, y)
                for a, b in zip(found, wanted, strict=True):
                    numpy.testing.assert_allclose(a.numpy() / (1 if g in (jitted, f) else 2), b.numpy(), 1e-6)
        with pytest.raises(
            ValueError, match=r"same shape and dtype from both functions, got float32 \(2,\) and float32 \(\)"
        ):
            gg.jit(lambda x: gg.cond(x[0] > 0, gg.sin, gg.sum, x))(xs[0])
        with pytest.raises(ValueError, match=r"one element, got shape \(2,\): use gg.where"):
            gg.jit(lambda x: gg.cond(x > 0, gg.sin, gg.cos, x))(xs[0])
    assert gg.cond(gg.tensor(True), lambda: 1, lambda: 2) == 1


def test_hooks(device):
    model = nn.Linear(2, 1)
    seen = []
    model.weight.register_hook(lambda g: g * 2)

    @gg.jit
    def step(x):
        model.zero_grad()
        loss = model(x).sum()
        loss.backward()
        return loss

    x = gg.tensor([[1.0, 2.0]])
    for _ in range(3):
        step(x)
        assert model.weight.grad.tolist() == [[2.0, 4.0]]
    hook = model.weight.register_hook(lambda g: g + 1)
    step(x)
    assert model.weight.grad.tolist() == [[3.0, 5.0]]
    hook.remove()
    step(x)
    assert model.weight.grad.tolist() == [[2.0, 4.0]]
    f = gg.jit(lambda x: model(x))
    for _ in range(2):
        model.zero_grad()
        f(x).sum().backward()
        assert model.weight.grad.tolist() == [[2.0, 4.0]], "a hook of a parameter outside runs once"
    handle = model.register_forward_hook(lambda module, args, y: y * 10)
    assert f(x).item() == model(x).item()
    handle.remove()
    assert f(x).item() == model(x).item()
    model.register_forward_hook(lambda module, args, y: seen.append(y))
    with pytest.raises(RecordingError, match=r"seen|changes"):
        for _ in range(2):
            f(x)


def test_an_error_in_the_middle(device):
    model = nn.Linear(2, 3)
    optimizer = optim.Adam(model.parameters(), lr=0.1)
    wanted = copy.deepcopy(model)
    other = optim.Adam(wanted.parameters(), lr=0.1)
    fails = [True]

    def step(model, optimizer, x, y):
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(model(x) + gg.random.random((1, 3)), y)
        if fails[0]:
            raise KeyError("in the middle")
        loss.backward()
        optimizer.step()
        return loss

    jitted = gg.jit(lambda x, y: step(model, optimizer, x, y))
    x, good, bad = gg.tensor([[1.0, 2.0]]), gg.tensor([1]), gg.tensor([7])
    with pytest.raises(KeyError, match="in the middle"):
        jitted(x, good)
    fails[0] = False
    gg.random.seed(5)
    losses = [jitted(x, good).item() for _ in range(2)]
    with pytest.raises(IndexError):
        jitted(x, bad)
        gg.synchronize()
    losses.append(jitted(x, good).item())
    gg.random.seed(5)
    expected = [step(wanted, other, x, good).item() for _ in range(2)]
    with pytest.raises(IndexError):
        step(wanted, other, x, bad)
        gg.synchronize()
    expected.append(step(wanted, other, x, good).item())
    if device.is_host:
        numpy.testing.assert_allclose(losses, expected, 1e-6)


def test_two_threads_at_once(device):
    w = gg.tensor([1.0, 2.0])
    f = gg.jit(lambda x, n: gg.sum(gg.sin(x * w) * n, axis=0) + x)
    inputs = [gg.tensor(numpy.full((3, 2), float(i), "f4")) for i in range(6)]
    expected = [f.__wrapped__(x, n % 3).tolist() for n, x in enumerate(inputs)]
    found, errors = {}, []

    def work(n):
        try:
            for _ in range(20):
                found[n] = f(inputs[n], n % 3).tolist()
                numpy.testing.assert_allclose(found[n], expected[n], 1e-6)
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=work, args=(n,)) for n in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors
    numpy.testing.assert_allclose([found[n] for n in range(6)], expected, 1e-5)


def test_a_program_goes_with_its_function(device):
    class Owner:
        def __init__(self):
            self.w = gg.ones(3).requires_grad_()

        @gg.jit
        def f(self, x):
            return self.w * x

    def scaled(x, w):
        return w * x

    owner, free = Owner(), gg.jit(functools.partial(scaled, w=gg.ones(3)))
    y = owner.f(gg.ones(3))
    owner.f(gg.ones(3))
    free(gg.ones(3))
    gone = [weakref.ref(owner), weakref.ref(owner.w), weakref.ref(free)]
    del owner, free, y
    gc.collect()
    assert [ref() for ref in gone] == [None, None, None]
    jitted = gg.jit(nn.functional.relu)
    assert pickle.loads(pickle.dumps(jitted))(gg.tensor([-1.0, 2.0])).tolist() == [0.0, 2.0]
