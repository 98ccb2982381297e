"""Every optimizer takes the same 50 steps as PyTorch's."""

import numpy
import pytest

import gpugrad as gg
from gpugrad import optim

torch = pytest.importorskip("torch")

ROWS = [
    ("SGD", {}),
    ("SGD", {"lr": 0.05, "weight_decay": 0.1}),
    ("SGD", {"lr": 0.05, "momentum": 0.9}),
    ("SGD", {"lr": 0.05, "momentum": 0.9, "dampening": 0.3, "weight_decay": 0.01}),
    ("SGD", {"lr": 0.05, "momentum": 0.8, "nesterov": True, "weight_decay": 0.01}),
    ("SGD", {"lr": 0.001, "momentum": 0.8, "maximize": True}),
    ("Adagrad", {}),
    ("Adagrad", {"lr": 0.1, "lr_decay": 0.1, "weight_decay": 0.1, "initial_accumulator_value": 0.5}),
    ("Adagrad", {"maximize": True}),
    ("RMSprop", {}),
    ("RMSprop", {"alpha": 0.9, "momentum": 0.8, "weight_decay": 0.1}),
    ("RMSprop", {"centered": True, "eps": 1e-3}),
    ("RMSprop", {"centered": True, "momentum": 0.5, "maximize": True, "eps": 1e-3}),
    ("Adam", {}),
    ("Adam", {"lr": 0.1, "betas": (0.8, 0.95), "weight_decay": 0.1}),
    ("Adam", {"lr": 0.1, "amsgrad": True}),
    ("Adam", {"betas": (0.4, 0.9), "maximize": True}),
    ("Adam", {"betas": (0.0, 0.0), "eps": 0.1}),
    ("Adam", {"lr": 0.1, "decoupled_weight_decay": True, "weight_decay": 0.2}),
    ("AdamW", {}),
    ("AdamW", {"lr": 0.1, "weight_decay": 0.3, "amsgrad": True}),
    ("NAdam", {}),
    ("NAdam", {"lr": 0.05, "betas": (0.8, 0.95), "weight_decay": 0.1, "momentum_decay": 0.1}),
    ("NAdam", {"lr": 0.05, "weight_decay": 0.2, "decoupled_weight_decay": True, "maximize": True}),
    ("RAdam", {}),
    ("RAdam", {"lr": 0.05, "betas": (0.8, 0.95), "weight_decay": 0.1}),
    ("RAdam", {"betas": (0.9, 0.5), "weight_decay": 0.2, "decoupled_weight_decay": True, "maximize": True}),
    ("Adamax", {}),
    ("Adamax", {"lr": 0.05, "betas": (0.8, 0.7), "weight_decay": 0.1}),
    ("Adamax", {"maximize": True, "eps": 0.1}),
    ("Adadelta", {}),
    ("Adadelta", {"lr": 3.0, "rho": 0.5, "eps": 1e-3, "weight_decay": 0.1}),
    ("Adadelta", {"maximize": True}),
    ("Rprop", {}),
    ("Rprop", {"lr": 0.2, "etas": (0.3, 1.7), "step_sizes": (1e-3, 0.25)}),
    ("Rprop", {"lr": 0.0001, "maximize": True}),
    ("ASGD", {}),
    ("ASGD", {"lr": 0.05, "lambd": 0.1, "alpha": 0.5, "t0": 7, "weight_decay": 0.1}),
    ("ASGD", {"lr": 0.001, "t0": 0, "maximize": True}),
    ("Adafactor", {}),
    ("Adafactor", {"lr": 0.02, "beta2_decay": -0.5, "eps": (1e-3, 0.1), "d": 1.5, "weight_decay": 0.1}),
    ("Adafactor", {"lr": 1e-3, "maximize": True}),
    ("Muon", {"lr": 0.05}),
    ("Muon", {"lr": 0.05, "nesterov": False, "momentum": 0.7, "weight_decay": 0.0, "ns_steps": 3}),
    ("Muon", {"adjust_lr_fn": "match_rms_adamw", "ns_coefficients": (2.0, -1.5, 0.5), "eps": 0.1}),
]
MATRICES = {"Muon"}
"""Optimizers that take matrices alone."""
REAL = {"Adafactor", "Muon"}
"""Those that take no complex parameters."""
rows = pytest.mark.parametrize(("name", "options"), ROWS)


@pytest.fixture(autouse=True)
def double():
    """PyTorch keeps some of the numbers that it counts in its default dtype; here they are of double precision."""
    threads = torch.get_num_threads()
    torch.set_default_dtype(torch.float64)
    torch.set_num_threads(1)  # small products in bfloat16 take it ten times as long with several
    yield
    torch.set_default_dtype(torch.float32)
    torch.set_num_threads(threads)


START = [numpy.array([[1.0, -2.0, 0.5], [0.3, 0.1, -0.7]]), numpy.array(0.4), numpy.array([0.2, -0.9]), numpy.zeros(0)]
TARGET = numpy.array([[1.0, 2.0], [3.0, -1.0], [0.5, 0.5], [2.0, 2.0]])
INPUT = numpy.linspace(-1, 1, 12).reshape(4, 3)


def loss_of(params, x, target, use):
    """A least-squares fit; which parameters take part is the caller's choice."""
    w, scale, b, _ = params
    y = x @ w.T
    if "scale" in use:
        y = y * scale
    if "b" in use:
        y = y + b
    return ((y - target) ** 2).mean()


def used(step):
    """The scale has no gradient on every third step, the bias none on the first four."""
    return {name for name, there in (("scale", step % 3), ("b", step >= 4)) if there}


def groups(params, many):
    w, scale, b, empty = params
    return [{"params": [w, empty]}, {"params": [b, scale], "lr": 0.02}] if many else list(params)


def made(name, library, params, many=False, **options):
    """An optimizer of either library for those of the parameters that it takes."""
    options |= {"foreach": False} if library is torch.optim and name != "Muon" else {}
    given = groups(params, many)
    if name in MATRICES:
        given = [{"params": params[:1]}] if many else params[:1]
    return getattr(library, name)(given, **options)


def train(name, options, dtype, many=False, steps=50, use=used):
    """The parameters and the optimizer's state after some steps, here and with PyTorch."""
    ours = [gg.tensor(a, dtype=dtype, requires_grad=True) for a in START]
    theirs = [torch.tensor(a, dtype=getattr(torch, dtype), requires_grad=True) for a in START]
    optimizers = made(name, optim, ours, many, **options), made(name, torch.optim, theirs, many, **options)
    real = getattr(torch, dtype)
    data = (
        [gg.tensor(INPUT, dtype=dtype), gg.tensor(TARGET, dtype=dtype)],
        [torch.tensor(INPUT, dtype=real), torch.tensor(TARGET, dtype=real)],
    )
    for step in range(steps):
        for params, optimizer, (x, target) in zip((ours, theirs), optimizers, data, strict=True):
            if step == 30:
                optimizer.param_groups[-1]["lr"] *= 0.5
            for p in params:
                p.grad = None
            loss_of(params, x, target, use(step)).backward()
            optimizer.step()
    return ours, theirs, *optimizers


def give_cosines(ours, theirs):
    """Gradients, but for the parameter without elements, by whose size PyTorch's Adafactor divides."""
    for p, q in zip(ours[:-1], theirs[:-1], strict=True):
        q.grad = torch.cos(q.detach())
        p.grad = gg.cos(p.detach())


def assert_close(a, b, dtype, what=None):
    a = a.numpy() if isinstance(a, gg.Tensor) else a
    b = b.detach().numpy() if isinstance(b, torch.Tensor) else b
    tolerance = 1e-5 if dtype == "float32" else 1e-12
    numpy.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance, err_msg=what)


@rows
@pytest.mark.parametrize(
    ("dtype", "many"), [("float32", True), ("float64", False), ("float64", True)],
    ids=["float32, two groups", "one group", "two groups"],
)  # fmt: skip
def test_fifty_steps(name, options, dtype, many):
    ours, theirs, mine, other = train(name, options, dtype, many)
    for p, q in zip(ours, theirs, strict=True):
        assert_close(p, q, dtype)
    states = mine.state_dict()["state"], other.state_dict()["state"]
    assert states[0].keys() == states[1].keys()
    for i, entry in states[0].items():
        expected = {k: v for k, v in states[1][i].items() if v is not None}
        assert entry.keys() == expected.keys()
        for key, value in entry.items():
            assert_close(value, expected[key], dtype, key)


@rows
def test_defaults_are_pytorchs(name, options):
    p, q = gg.zeros((1, 1)).requires_grad_(), torch.zeros(1, 1, requires_grad=True)
    mine, other = getattr(optim, name)([p]).param_groups[0], getattr(torch.optim, name)([q]).param_groups[0]
    extra = {"foreach", "fused", "capturable", "differentiable"}
    assert {k: v for k, v in mine.items() if k != "params"} == {
        k: v for k, v in other.items() if k not in extra | {"params"}
    }


@rows
def test_state_of_pytorch_as_arrays_can_be_loaded(name, options):
    _, theirs, _, other = train(name, options, "float64", many=True, steps=20)
    saved = other.state_dict()
    saved["state"] = {
        i: {k: v.numpy() if isinstance(v, torch.Tensor) else v for k, v in entry.items()}
        for i, entry in saved["state"].items()
    }
    ours = [gg.tensor(q.detach().numpy(), requires_grad=True) for q in theirs]
    mine = made(name, optim, ours, True)
    mine.load_state_dict(saved)
    for _ in range(10):
        give_cosines(ours, theirs)
        mine.step()
        other.step()
    for p, q in zip(ours, theirs, strict=True):
        assert_close(p, q, "float64")


@rows
def test_pytorch_can_load_the_state(name, options):
    ours, _, mine, _ = train(name, options, "float64", steps=5)
    saved = mine.state_dict()
    saved["state"] = {
        i: {k: torch.tensor(v.numpy()) if isinstance(v, gg.Tensor) else v for k, v in entry.items()}
        for i, entry in saved["state"].items()
    }
    theirs = [torch.tensor(p.numpy(), requires_grad=True) for p in ours]
    other = made(name, torch.optim, theirs)
    other.load_state_dict(saved)
    give_cosines(ours, theirs)
    mine.step()
    other.step()
    for p, q in zip(ours, theirs, strict=True):
        assert_close(p, q, "float64")


@rows
def test_complex_parameters(name, options):
    if name in REAL:
        with pytest.raises(TypeError, match=f"{name}: expected real parameters, got complex128"):
            getattr(optim, name)([gg.ones((2, 2), dtype="complex128").requires_grad_()])
        return
    start = numpy.array([1 + 2j, -0.5j, 3 - 1j])
    p, q = gg.tensor(start, requires_grad=True), torch.tensor(start, requires_grad=True)
    mine = getattr(optim, name)([p], **options)
    other = getattr(torch.optim, name)([q], foreach=False, **options)
    for step in range(10):
        g = start * numpy.exp(1j * step) + 0.1
        p.grad, q.grad = gg.tensor(g), torch.tensor(g)
        mine.step()
        other.step()
    assert_close(p, q, "float64")


# ---------------------------------------------------------------- a hundred steps, with all that can happen in them

SCHEDULES = {
    "cosine": lambda L, o: L.CosineAnnealingLR(o, 100),
    "one cycle": lambda L, o: L.OneCycleLR(o, [0.02, 0.01], 101),
    "warm-up": lambda L, o: L.SequentialLR(o, [L.LinearLR(o, 0.1, total_iters=10), L.ExponentialLR(o, 0.97)], [10]),
}
SCHEDULES_OF_RATES = {"one cycle": lambda L, o: L.OneCycleLR(o, [0.02, 0.01], 101, cycle_momentum=False)}
"""For optimizers without a momentum that could cycle."""
BEST = {name: options for name, options in ROWS if not options.get("maximize")}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize("name", BEST)
def test_a_hundred_steps_with_a_schedule_clipping_frozen_parameters_and_a_resume(name, schedule):
    if name in MATRICES:
        sides = [gg.ones((2, 3), dtype="float64").requires_grad_(), torch.ones(2, 3, requires_grad=True)]
        sides = [[p, p.detach() * 2, p.detach() * 3] for p in sides]
        sides = [[p.requires_grad_() for p in side] for side in sides]
    else:
        sides = (
            [gg.tensor(a, requires_grad=True) for a in START[:3]],
            [torch.tensor(a, requires_grad=True) for a in START[:3]],
        )
    options = BEST[name] | ({} if name in MATRICES else {"foreach": False})
    runs = []
    for params, library, tool in zip(sides, (optim, torch.optim), (gg.nn, torch.nn), strict=True):
        optimizer = getattr(library, name)([{"params": params[:2]}, {"params": params[2:], "lr": 0.02}], **options)
        make = SCHEDULES[schedule]
        if not {"betas", "momentum"} & optimizer.param_groups[0].keys():
            make = SCHEDULES_OF_RATES.get(schedule, make)
        rates = make(library.lr_scheduler, optimizer)
        for step in range(100):
            if step == 40:  # a resume, in objects that are new
                saved, saved_rates = optimizer.state_dict(), rates.state_dict()
                optimizer = getattr(library, name)([{"params": params[:2]}, {"params": params[2:]}], **options)
                rates = make(library.lr_scheduler, optimizer)
                optimizer.load_state_dict(saved)
                rates.load_state_dict(saved_rates)
            if step in (20, 30):  # frozen for a while
                params[1].requires_grad_(step == 30)
            cos = gg.cos if library is optim else torch.cos
            for i, p in enumerate(params):
                p.grad = cos(p.detach() * (i + 1) + step) if p.requires_grad else None
            tool.utils.clip_grad_norm_(params, 1.0)
            optimizer.step()
            rates.step()
        runs.append(params)
    for p, q in zip(*runs, strict=True):
        numpy.testing.assert_allclose(p.detach().numpy(), q.detach().numpy(), rtol=1e-9, atol=1e-9)


# ---------------------------------------------------------------- L-BFGS, which does its own steps

BFGS = [
    {}, {"lr": 0.5, "max_iter": 7}, {"line_search_fn": "strong_wolfe"},
    {"line_search_fn": "strong_wolfe", "history_size": 3, "max_iter": 30, "lr": 3.0},
    {"line_search_fn": "strong_wolfe", "max_eval": 6, "tolerance_change": 1e-5},
]  # fmt: skip


@pytest.mark.parametrize("options", BFGS, ids=str)
@pytest.mark.parametrize("hard", [False, True], ids=["square", "banana"])
def test_lbfgs(options, hard):
    """Values, calls of the closure, and the state; a state that was saved half way goes on in the other library."""
    start = numpy.array([-1.2, 1.0, 0.3, 2.0])
    sides = []
    for library, made in ((optim, gg.tensor), (torch.optim, torch.tensor)):
        x, y = (made(a, requires_grad=True) for a in (start[:3], start[3:].reshape(1, 1)))
        optimizer, losses = library.LBFGS([x, y], **options), []

        def closure(x=x, y=y, losses=losses, optimizer=optimizer):
            optimizer.zero_grad()
            z = y.reshape(1)
            loss = ((x - z) ** 2).sum() + (x[0] - 1) ** 2 * 3
            if hard:
                loss = loss + 2 * (x[1] - x[0] ** 2) ** 2 + (z[0] - x[2] ** 3) ** 2
            loss.backward()
            losses.append(loss.item())
            return loss

        sides.append(((x, y), optimizer, closure, losses))
    if hard and not options.get("line_search_fn"):
        options = {**options, "lr": 0.001}
        for _, optimizer, _, _ in sides:
            optimizer.param_groups[0]["lr"] = 0.001
    (ours, mine, closure, seen), (theirs, other, their_closure, wanted) = sides
    for step in range(4):
        mine.step(closure)
        other.step(their_closure)
        assert len(seen) == len(wanted)
        numpy.testing.assert_allclose(seen, wanted, rtol=1e-9, atol=1e-12)
        for p, q in zip(ours, theirs, strict=True):
            numpy.testing.assert_allclose(p.numpy(), q.detach().numpy(), rtol=1e-8, atol=1e-10)
        if step == 1:
            saved = mine.state_dict()["state"][0]
            expected = other.state_dict()["state"][0]
            assert saved.keys() == expected.keys() - {"al"}
            assert (saved["n_iter"], saved["func_evals"]) == (expected["n_iter"], expected["func_evals"])
            numpy.testing.assert_allclose(saved["d"].numpy(), expected["d"].numpy(), rtol=1e-6, atol=1e-9)
            mine.load_state_dict(other.state_dict())
