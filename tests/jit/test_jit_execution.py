"""A compiled program gives what its calls give one by one, on whatever arrays it is called with."""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy
import pytest

import gpugrad as gg
from gpugrad import backend
from gpugrad.backend import llvm
from gpugrad.jit.execution import compile
from gpugrad.tracing import record

sys.path.append(str(Path(__file__).parent.parent.parent / "benchmarks"))
from networks import SMALL


@pytest.fixture(params=["compiled", "on NumPy"])
def way(request, monkeypatch):
    """With machine code, where there is a compiler, and without."""
    if request.param == "on NumPy":
        monkeypatch.setattr(llvm, "machine", lambda: None)
    return request.param


def arrays(*values):
    return [gg.tensor(v).data for v in values]


def host(found):
    return [backend.to_host(a) for a in found]


def step_of(network):
    gg.random.seed(1)
    model = network.build(gg, 0.2)
    if network.kind == "gpt":  # the gradient of a bias of the keys is 0 but for rounding, and Adam makes steps of it
        optimizer = gg.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    else:
        optimizer = gg.optim.Adam(model.parameters(), lr=0.01)
    x, y = (gg.tensor(a) for a in network.data())

    def step(x, y):
        optimizer.zero_grad()
        loss = network.loss(gg, model, x, y)
        loss.backward()
        gg.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        return loss, *(p.grad for p in model.parameters())

    step(x, y)
    return record(step, (x, y), copies=True)


@pytest.mark.parametrize("network", SMALL, ids=lambda n: n.name)
def test_training_steps(network, way, device):
    made = step_of(network)
    step = compile(made.program)
    eager, jitted = ([backend.duplicate(a) for a in made.recorder.before] for _ in range(2))
    for _ in range(3):
        wanted = made.program.replay(eager, made.recorder.numbers)
        found = step(jitted, made.recorder.numbers)
    for a, b in zip(host([*found, *jitted]), host([*wanted, *eager]), strict=True):
        numpy.testing.assert_allclose(a, b, rtol=1e-4, atol=2e-6)
    assert str(step).startswith("program of")
    again = [backend.duplicate(a) for a in made.recorder.before]
    for _ in range(3):
        others = compile(made.program)(again, made.recorder.numbers)
    for a, b in zip(host([*others, *again]), host([*found, *jitted]), strict=True):
        assert a.tobytes() == b.tobytes(), "the same bits from run to run"


FUNCTIONS = {
    "products": lambda x, y: (x @ y.T, x[0] @ y.T, x @ y[0], x[1] @ y[2], x.T @ x),
    "batches": lambda x, y: gg.stack([x, 2 * x]) @ gg.stack([y.T, y.T]),
    "a batch and a matrix": lambda x, y: gg.stack([x, 2 * x]) @ y.T,
    "sums": lambda x, y: (gg.sum(x), gg.sum(x, axis=0), gg.sum(x, axis=1), gg.mean(y, axis=(0, 1)), gg.max(x, axis=-1),
                          gg.sum(x * 2, axis=0, keepdims=True), gg.sum(x[:, ::2], axis=0), gg.min(x.T, axis=1)),
    "sums of many rows": lambda x, y: gg.sum(gg.broadcast_to(x[:, None] * y[None, 0], (2, 50, 5)) * 1.5, axis=(0, 1)),
    "sums in the middle": lambda x, y: gg.sum(x[:, :, None] * y.T[None], axis=1),
    "softmax": lambda x, y: gg.nn.functional.softmax(x * 3, dim=1),
    "norms": lambda x, y: gg.nn.functional.layer_norm(x, (5,), y[0], y[1]),
    "parts": lambda x, y: (x[:, 1:4], x[1], x[:, ::-2] * 2, gg.concat([x, y[:, :5]], axis=0), gg.stack([x, x], axis=1)),
    "no calls at all": lambda x, y: (x, y.T, x),
    "a view of a result": lambda x, y: (gg.exp(x).T, gg.exp(y)[0]),
    "the same twice": lambda x, y: (gg.exp(x), gg.exp(x)),
    "copies": lambda x, y: (x.T.reshape(-1), gg.sin(x.T).reshape(2, 5)),
    "numbers": lambda x, y: (gg.sum(x) * 2, gg.sum(x) * x, gg.zeros(3), gg.arange(4)),
    "indices": lambda x, y: (x[gg.tensor([1, 0, 1])], gg.argmax(x, axis=1), gg.sort(x, axis=1)),
    "linear algebra": lambda x, y: gg.linalg.solve(y[:, :3] @ y[:, :3].T + gg.eye(3), y),
    "nothing in it": lambda x, y: (x[:0] * 2, gg.sum(x[:0], axis=0), x[:, :0] @ y.T[:0]),
    "bools": lambda x, y: (x > 0, gg.any(x > 1), (x > 0) & (x < 1), gg.astype(x, "int32")),
    "gradients of parts": lambda x, y: gg.grad(lambda x: gg.sum(x[:1] ** 2) + gg.sum(gg.exp(x[:, :]) * x[0]))(x),
    "gradients of rows": lambda x, y: gg.grad(lambda x: gg.sum(x[0] * x[1, ::-1]) + gg.sum(x[1] ** 3))(x),
    "borders": lambda x, y: gg.grad(lambda x: gg.sum(gg.pad(x, 2, mode="edge") ** 2 + gg.pad(x, 2) ** 3))(x),
    "a gradient": lambda x, y: gg.grad(lambda x: gg.sum(gg.tanh(x @ y.T) ** 2))(x),
}  # fmt: skip


@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_functions(name, dtype, way, device):
    rng = numpy.random.default_rng(5)
    x, y = (rng.standard_normal(shape).astype(dtype) for shape in ((2, 5), (3, 5)))
    made = record(FUNCTIONS[name], (gg.tensor(x), gg.tensor(y)))
    program, constants = made.program, made.recorder.captured[2:]
    step = compile(program)
    x, y = 1.5 * x, y - 0.25
    wanted = host(program.replay([*arrays(x, y), *constants]))
    given = [*arrays(x, y), *constants]
    found = step(given)
    x1, y1 = gg.tensor(numpy.stack([x, x], axis=2)).data[:, :, 1], gg.tensor(numpy.flip(y).copy()).data[::-1, ::-1]
    layouts = [[gg.tensor(numpy.asfortranarray(x)).data, *given[1:]], [x1, y1, *constants]]
    for one in (found, step(given), *map(step, layouts)):
        assert len(one) == len(wanted)
        for a, b in zip(host(one), wanted, strict=True):
            assert (a.dtype, a.shape) == (b.dtype, b.shape)
            numpy.testing.assert_allclose(a, b, rtol=2e-6 if dtype == "float32" else 1e-13, atol=1e-6)
    for a, b in zip(host(given[:2]), (x, y), strict=True):
        assert a.tolist() == b.tolist(), "the inputs are as they were"
    if device.is_host:
        second = step(given)
        for i, a in enumerate(found):
            others = [*given, *found[:i], *found[i + 1 :], *second]
            assert not any(numpy.shares_memory(a, b) for b in others), "outputs are fresh arrays"


def changing(model_of=lambda: gg.nn.Linear(3, 2)):
    gg.random.seed(2)
    model = model_of()
    optimizer = gg.optim.SGD(model.parameters(), lr=0.5)

    def step(x):
        optimizer.zero_grad()
        loss = gg.sum(model(x) ** 2)
        loss.backward()
        optimizer.step()
        return loss

    return record(step, (gg.ones((4, 3)),), copies=True)


def test_what_is_changed_may_lie_anywhere(way, device):
    """Not contiguous: changed all the same. In the memory of another input: as the calls one by one have it."""
    made = changing()
    step = compile(made.program)
    numbers = made.recorder.numbers
    before = host(made.recorder.before)
    eager = arrays(*before)
    wanted = host(made.program.replay(eager, numbers)), host(eager)
    wide = arrays(*(numpy.stack([a, a], axis=-1) for a in before))
    found = host(step([a[..., 0] for a in wide], numbers)), host([a[..., 0] for a in wide])
    for a, b in zip([*found[0], *found[1]], [*wanted[0], *wanted[1]], strict=True):
        numpy.testing.assert_allclose(a, b, rtol=1e-6)
    for a, b in zip(wide, before, strict=True):
        numpy.testing.assert_array_equal(host([a[..., 1]])[0], b)
    flat = next(i for i, a in enumerate(before) if a.ndim == 1 and a.size >= 12)
    results = []
    for run in (made.program.replay, step):
        together = arrays(*before)
        together[0] = together[flat][:12].reshape(4, 3)
        results.append(host([*run(together, numbers), *together]))
    for a, b in zip(*results, strict=True):
        numpy.testing.assert_allclose(a, b, rtol=1e-6)


def test_other_arrays_than_the_program_has(way, device):
    step = compile(gg.trace(lambda x: gg.exp(x) * 2)(gg.ones(3)))
    for wrong in (numpy.ones(4, "f4"), numpy.ones(3, "f8")):
        with pytest.raises(ValueError, match=r"expected float32 \(3,\) for argument 0, got float"):
            step(arrays(wrong))
    assert host(step(arrays(numpy.zeros(3, "f4"))))[0].tolist() == [2.0, 2.0, 2.0]


def test_an_error_in_the_middle_leaves_it_usable(way, device):
    if not device.is_host:
        pytest.skip("singular matrices raise nothing on a GPU")
    step = compile(gg.trace(lambda x: gg.linalg.inv(x * 2) + 1)(gg.eye(2)))
    with pytest.raises(numpy.linalg.LinAlgError):
        step(arrays(numpy.zeros((2, 2), "f4")))
    assert step(arrays(numpy.eye(2, dtype="f4")))[0].tolist() == [[1.5, 1.0], [1.0, 1.5]]


def test_several_threads_at_once(way, device):
    if not device.is_host:
        pytest.skip("the simulated device has one thread")
    program = gg.trace(lambda x: gg.sum(gg.tanh(x @ x.T) * 2, axis=0))(gg.ones((40, 40)))
    step = compile(program)
    rng = numpy.random.default_rng(0)
    given = [rng.standard_normal((40, 40)).astype("f4") for _ in range(8)]
    wanted = [step([x])[0] for x in given]
    with ThreadPoolExecutor(4) as pool:
        for x, found in zip(given * 20, pool.map(lambda x: step([x])[0], given * 20), strict=True):
            assert found.tobytes() == wanted[next(i for i, y in enumerate(given) if y is x)].tobytes()


def test_the_same_bits_with_any_number_of_threads(device):
    if not device.is_host:
        pytest.skip("threads of the host")
    made = gg.trace(lambda x, y: (gg.exp(x * y) + 1, gg.nn.functional.softmax(x, dim=1), gg.sum(x * y, axis=0)))(
        gg.ones((400, 1001)), gg.ones((1001,))
    )
    rng = numpy.random.default_rng(1)
    given = [rng.standard_normal(shape).astype("f4") for shape in ((400, 1001), (1001,))]
    before, found = gg.get_num_threads(), []
    try:
        for n in (1, 2, 4):
            gg.set_num_threads(n)
            found.append([a.tobytes() for a in compile(made)(given)])
    finally:
        gg.set_num_threads(before)
    assert found[0] == found[1] == found[2]


def test_functions_that_import_modules_can_be_called(device):
    """C code that imports something looks for it in what calls it; CuPy does so when it makes a kernel."""
    step = compile(record(lambda x: gg.sum(gg.exp(x)), (gg.ones(3),)).program)
    step(arrays(numpy.ones(3, "f4")))
    made = step.host or step.device
    assert made is None or "__builtins__" in made.frame().__globals__
