"""Schedules against PyTorch's, step by step, and their states both ways."""

from __future__ import annotations

import functools
import inspect
import json
import math
from collections import Counter

import numpy
import pytest

import gpugrad as gg
from gpugrad import optim
from gpugrad.optim import lr_scheduler as ours

STEPS = 25


@pytest.fixture
def torch():
    return pytest.importorskip("torch", reason="PyTorch is not installed: the trajectories are compared with its own")


class Halving:
    """A callable object, whose attributes are part of the state."""

    def __init__(self, factor=0.5):
        self.factor = factor

    def __call__(self, epoch):
        return self.factor**epoch


# name: the schedule, from the module of either library and an optimizer
ROWS = {
    "lambda": lambda L, o: L.LambdaLR(o, lambda e: 1 / (1 + e)),
    "lambda, one a group": lambda L, o: L.LambdaLR(o, [lambda e: 0.9**e, lambda e: 1 - e / 100]),
    "lambda, object": lambda L, o: L.LambdaLR(o, [Halving(0.9), Halving(0.8)]),
    "multiplicative": lambda L, o: L.MultiplicativeLR(o, lambda e: 0.95 if e % 2 else 1.01),
    "step": lambda L, o: L.StepLR(o, 4),
    "step 1": lambda L, o: L.StepLR(o, step_size=1, gamma=0.7),
    "multistep": lambda L, o: L.MultiStepLR(o, [3, 8, 9]),
    "multistep, twice": lambda L, o: L.MultiStepLR(o, [9, 3, 3], gamma=0.5),
    "constant": lambda L, o: L.ConstantLR(o),
    "constant 0.1": lambda L, o: L.ConstantLR(o, factor=0.1, total_iters=7),
    "constant, at once over": lambda L, o: L.ConstantLR(o, factor=0.1, total_iters=0),
    "linear": lambda L, o: L.LinearLR(o),
    "linear warm-up": lambda L, o: L.LinearLR(o, start_factor=0.01, total_iters=10),
    "linear down": lambda L, o: L.LinearLR(o, start_factor=1.0, end_factor=0.1, total_iters=12),
    "exponential": lambda L, o: L.ExponentialLR(o, 0.93),
    "cosine": lambda L, o: L.CosineAnnealingLR(o, 25),
    "cosine up again": lambda L, o: L.CosineAnnealingLR(o, 7, eta_min=0.01),
    "cosine of 1": lambda L, o: L.CosineAnnealingLR(o, 1),
    "restarts": lambda L, o: L.CosineAnnealingWarmRestarts(o, 5),
    "restarts, longer": lambda L, o: L.CosineAnnealingWarmRestarts(o, 3, T_mult=2, eta_min=0.001),
    "one cycle": lambda L, o: L.OneCycleLR(o, 1.0, total_steps=26),
    "one cycle, epochs": lambda L, o: L.OneCycleLR(o, 0.5, epochs=13, steps_per_epoch=2, pct_start=0.5),
    "one cycle, linear": lambda L, o: L.OneCycleLR(o, 1.0, total_steps=30, anneal_strategy="linear", div_factor=10),
    "one cycle, three": lambda L, o: L.OneCycleLR(o, 1.0, total_steps=27, three_phase=True, final_div_factor=100),
    "one cycle, groups": lambda L, o: L.OneCycleLR(o, [1.0, 0.1], 26, base_momentum=[0.7, 0.8], max_momentum=0.9),
    "one cycle, rate only": lambda L, o: L.OneCycleLR(o, 1.0, total_steps=40, cycle_momentum=False),
    "cyclic": lambda L, o: L.CyclicLR(o, 0.01, 0.1, step_size_up=4),
    "cyclic, uneven": lambda L, o: L.CyclicLR(o, 0.01, 0.1, step_size_up=3, step_size_down=5, cycle_momentum=False),
    "cyclic 2": lambda L, o: L.CyclicLR(o, [0.01, 0.02], [0.1, 0.3], step_size_up=3, mode="triangular2"),
    "cyclic exp": lambda L, o: L.CyclicLR(o, 0.01, 0.1, step_size_up=5, mode="exp_range", gamma=0.97),
    "cyclic own": lambda L, o: L.CyclicLR(o, 0.01, 0.1, step_size_up=5, scale_fn=lambda x: 1 / x),
    "cyclic own steps": lambda L, o: L.CyclicLR(
        o, 0.01, 0.1, step_size_up=5, scale_fn=lambda x: 0.9**x, scale_mode="iterations"
    ),
    "polynomial": lambda L, o: L.PolynomialLR(o, 20),
    "polynomial 2": lambda L, o: L.PolynomialLR(o, 9, power=2.0),
    "sequential": lambda L, o: L.SequentialLR(
        o, [L.LinearLR(o, 0.1, total_iters=5), L.CosineAnnealingLR(o, 20)], milestones=[5]
    ),
    "sequential of three": lambda L, o: L.SequentialLR(
        o, [L.ConstantLR(o, 0.1, 3), L.ExponentialLR(o, 0.9), L.StepLR(o, 3, 0.5)], milestones=[3, 11]
    ),
    "sequential, restarts": lambda L, o: L.SequentialLR(
        o, [L.LinearLR(o, total_iters=4), L.CosineAnnealingWarmRestarts(o, 5)], milestones=[4]
    ),
    "sequential, lambda": lambda L, o: L.SequentialLR(
        o, [L.LambdaLR(o, lambda e: (e + 1) / 5), L.PolynomialLR(o, 15), L.MultiStepLR(o, [2])], milestones=[5, 18]
    ),
    "sequential of a sequence": lambda L, o: L.SequentialLR(
        o, [L.SequentialLR(o, [L.LinearLR(o, 0.2, total_iters=3), L.ExponentialLR(o, 0.9)], [3]), L.StepLR(o, 3)], [7]
    ),
    "chained of a sequence": lambda L, o: L.ChainedScheduler(
        [L.SequentialLR(o, [L.LinearLR(o, 0.2, total_iters=3), L.ExponentialLR(o, 0.9)], [3]), L.StepLR(o, 5, 0.7)]
    ),
    "chained": lambda L, o: L.ChainedScheduler([L.ConstantLR(o, 0.1, 4), L.ExponentialLR(o, 0.9)]),
    "chained, warm-up": lambda L, o: L.ChainedScheduler(
        [L.LinearLR(o, 0.1, total_iters=5), L.MultiStepLR(o, [8, 12], 0.5)], optimizer=o
    ),
}
PLATEAUS = {
    "default": {},
    "patience": {"patience": 2},
    "max": {"mode": "max", "patience": 1, "factor": 0.5},
    "absolute": {"threshold_mode": "abs", "threshold": 0.05, "patience": 1},
    "absolute max": {"mode": "max", "threshold_mode": "abs", "threshold": 0.05, "patience": 0},
    "relative max": {"mode": "max", "threshold": 0.1, "patience": 1},
    "cooldown": {"patience": 1, "cooldown": 3},
    "lowest": {"patience": 0, "min_lr": 0.02},
    "lowest a group": {"patience": 0, "min_lr": [0.02, 0.001]},
    "eps": {"patience": 0, "eps": 0.03},
}


def gg_optimizer(kind="SGD", **options):
    options = {"SGD": {"momentum": 0.9}, "Adam": {}}[kind] | options
    w, b = (gg.ones(2, device="cpu").requires_grad_() for _ in range(2))
    return getattr(optim, kind)([{"params": [w]}, {"params": [b], "lr": 0.04}], lr=0.1, **options)


def torch_optimizer(torch, kind="SGD"):
    options = {"SGD": {"momentum": 0.9}, "Adam": {}}[kind]
    w, b = (torch.ones(2, requires_grad=True) for _ in range(2))
    made = getattr(torch.optim, kind)([{"params": [w]}, {"params": [b], "lr": 0.04}], lr=0.1, **options)
    made.step()  # or PyTorch warns of the order
    return made


def shown(optimizer):
    return [
        [float(value) for value in (group["lr"], *group.get("betas", (group.get("momentum", 0.0),)))]
        for group in optimizer.param_groups
    ]


def close(ours, theirs):
    numpy.testing.assert_allclose(ours, theirs, rtol=1e-13, atol=1e-300)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("kind", ["SGD", "Adam"])
@pytest.mark.parametrize("row", ROWS)
def test_every_step_is_pytorchs(torch, row, kind):
    mine, theirs = gg_optimizer(kind), torch_optimizer(torch, kind)
    a, b = ROWS[row](ours, mine), ROWS[row](torch.optim.lr_scheduler, theirs)
    for _ in range(STEPS):
        close(shown(mine), shown(theirs))
        close(a.get_last_lr(), [float(rate) for rate in b.get_last_lr()])
        a.step()
        b.step()


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("row", ROWS)
@pytest.mark.parametrize("to_torch", [False, True], ids=["from PyTorch", "to PyTorch"])
def test_states_go_both_ways(torch, row, to_torch):
    """A run of 9 steps in one library is gone on with in the other."""
    theirs = torch.optim.lr_scheduler
    first = (gg_optimizer(), ours) if to_torch else (torch_optimizer(torch), theirs)
    second = (torch_optimizer(torch), theirs) if to_torch else (gg_optimizer(), ours)
    a, b = ROWS[row](first[1], first[0]), ROWS[row](second[1], second[0])
    for _ in range(9):
        a.step()
    assert set(a.state_dict()) == set(b.state_dict())
    b.load_state_dict(a.state_dict())
    for old, new in zip(first[0].param_groups, second[0].param_groups, strict=True):
        new.update({name: value for name, value in old.items() if name != "params"})
    for _ in range(STEPS - 9):
        close(shown(first[0]), shown(second[0]))
        a.step()
        b.step()
    close(shown(first[0]), shown(second[0]))


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("row", PLATEAUS)
def test_plateau_is_pytorchs(torch, rng, row):
    mine, theirs = gg_optimizer(), torch_optimizer(torch)
    a = ours.ReduceLROnPlateau(mine, **PLATEAUS[row])
    b = torch.optim.lr_scheduler.ReduceLROnPlateau(theirs, **PLATEAUS[row])
    assert set(a.state_dict()) == set(b.state_dict())
    values = numpy.abs(numpy.round(numpy.sin(numpy.arange(60) / 5) + rng.standard_normal(60) / 10, 2)) + 0.1
    for i, value in enumerate([*values, math.nan, math.inf]):
        a.step(gg.tensor(float(value), dtype=gg.float64))
        b.step(float(value))
        close(shown(mine), shown(theirs))
        mine_state, their_state = a.state_dict(), b.state_dict()
        assert {k: mine_state[k] for k in ("best", "num_bad_epochs", "cooldown_counter", "last_epoch")} == {
            k: their_state[k] for k in ("best", "num_bad_epochs", "cooldown_counter", "last_epoch")
        }
        if i == 30:
            a, other = ours.ReduceLROnPlateau(mine), a
            a.load_state_dict(their_state)
            b.load_state_dict(other.state_dict())


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    "row", [row for row in ROWS if row.split(",")[0].split()[0] not in ("sequential", "chained", "multiplicative")]
)
@pytest.mark.parametrize("epoch", [0, 4, 11])
def test_jumps_are_pytorchs(torch, row, epoch):
    mine, theirs = gg_optimizer(), torch_optimizer(torch)
    a, b = ROWS[row](ours, mine), ROWS[row](torch.optim.lr_scheduler, theirs)
    for to in (None, None, epoch, None):
        a.step() if to is None else a.step(to)
        b.step() if to is None else b.step(to)
        close(shown(mine), shown(theirs))


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("epoch", [0.0, 0.3, 2.5, 4.99, 5.0, 12.75, 23.1])
@pytest.mark.parametrize("times", [1, 2])
def test_fractions_of_an_epoch_are_pytorchs(torch, epoch, times):
    mine, theirs = gg_optimizer(), torch_optimizer(torch)
    a = ours.CosineAnnealingWarmRestarts(mine, 5, times)
    b = torch.optim.lr_scheduler.CosineAnnealingWarmRestarts(theirs, 5, times)
    for to in (epoch, epoch + 0.5):
        a.step(to)
        b.step(to)
        close(shown(mine), shown(theirs))


@pytest.mark.parametrize("row", ROWS)
def test_going_on_is_bitwise_the_same(row):
    """Optimizer's and schedule's states, saved after 9 steps, through JSON where JSON can."""
    optimizer = gg_optimizer()
    scheduler = ROWS[row](ours, optimizer)
    wanted = []
    for step in range(STEPS):
        if step == 9:
            saved, state = optimizer.state_dict(), scheduler.state_dict()
            if "multistep" not in row and "lambda" not in row.split()[-1]:
                state = json.loads(json.dumps(state), object_hook=as_integers)
        wanted.append(shown(optimizer))
        scheduler.step()
    again = gg_optimizer()
    scheduler = ROWS[row](ours, again)
    again.load_state_dict(saved)
    scheduler.load_state_dict(state)
    for step in range(9, STEPS):
        assert shown(again) == wanted[step], step
        scheduler.step()


def as_integers(entry):
    return {int(k) if k.isdigit() else k: v for k, v in entry.items()}


def test_a_state_is_a_copy():
    scheduler = ours.SequentialLR(o := gg_optimizer(), [ours.StepLR(o, 2), ours.MultiStepLR(o, [3])], [4])
    state = scheduler.state_dict()
    before = json.dumps(state, default=dict)
    for _ in range(9):
        scheduler.step()
    assert json.dumps(state, default=dict) == before
    scheduler.load_state_dict(state)
    scheduler.step()
    assert json.dumps(state, default=dict) == before


def test_milestones_from_json_are_numbers_again():
    scheduler = ours.MultiStepLR(gg_optimizer(), [1, 1])
    scheduler.load_state_dict(json.loads(json.dumps(scheduler.state_dict())))
    assert scheduler.milestones == Counter({1: 2})
    scheduler.step()
    assert scheduler.get_last_lr() == pytest.approx([0.001, 0.0004])


GOING_ON = [row for row in ROWS if row.split(",")[0].split()[0] not in ("sequential", "chained", "one", "cyclic")]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("last_epoch", [2, 3, 7])
def test_going_on_by_number_is_pytorchs(torch, monkeypatch, last_epoch):
    for row in GOING_ON:
        if (row, last_epoch) == ("restarts, longer", 7):
            continue  # PyTorch loses count where more than one descent lies before: see the test below
        mine, theirs = gg_optimizer(), torch_optimizer(torch)
        made = []
        for optimizer, module in ((mine, ours), (theirs, torch.optim.lr_scheduler)):
            for group in optimizer.param_groups:
                group["initial_lr"] = 0.3
            with monkeypatch.context() as patch:  # the rows leave last_epoch at -1
                for name in module.__all__:
                    kind = getattr(module, name)
                    if "last_epoch" in inspect.signature(kind).parameters:
                        patch.setattr(module, name, functools.partial(kind, last_epoch=last_epoch))
                made.append(ROWS[row](module, optimizer))
        for _ in range(6):
            close(shown(mine), shown(theirs))
            for schedule in made:
                schedule.step()


def test_going_on_by_number_in_the_third_descent():
    whole, part = gg_optimizer(), gg_optimizer()
    schedule = ours.CosineAnnealingWarmRestarts(whole, 3, T_mult=2)
    for _ in range(12):
        schedule.step()
    for group, lr in zip(part.param_groups, (0.1, 0.04), strict=True):
        group["initial_lr"] = lr
    again = ours.CosineAnnealingWarmRestarts(part, 3, T_mult=2, last_epoch=11)
    for _ in range(12):
        assert again.get_last_lr() == schedule.get_last_lr()
        again.step()
        schedule.step()


def test_going_on_by_number_needs_the_first_rate():
    with pytest.raises(KeyError, match="group 0 has no 'initial_lr'"):
        ours.StepLR(gg_optimizer(), 3, last_epoch=4)
    optimizer = gg_optimizer()
    for group in optimizer.param_groups:
        group["initial_lr"] = group["lr"]
    scheduler = ours.CosineAnnealingLR(optimizer, 10, last_epoch=4)
    assert scheduler.last_epoch == 5


ANY = gg_optimizer
ERRORS = {
    "no optimizer": (lambda o: ours.StepLR([1], 3), TypeError, "needs an optimizer, such as .*, got list"),
    "constant": (lambda o: ours.ConstantLR(o, 1.5), ValueError, "expected a factor from 0 to 1, got 1.5"),
    "start": (lambda o: ours.LinearLR(o, 0.0), ValueError, r"expected a start_factor in \(0, 1\], got 0.0"),
    "end": (lambda o: ours.LinearLR(o, 1.0, -1.0), ValueError, "expected an end_factor from 0 to 1, got -1.0"),
    "T_0": (lambda o: ours.CosineAnnealingWarmRestarts(o, 0), ValueError, "expected an integer T_0 >= 1, got 0"),
    "T_mult": (lambda o: ours.CosineAnnealingWarmRestarts(o, 1, 0.5), ValueError, "integer T_mult >= 1, got 0.5"),
    "eta_min": (lambda o: ours.CosineAnnealingWarmRestarts(o, 1, 1, "0"), ValueError, "number for eta_min, got '0'"),
    "epoch": (lambda o: ours.CosineAnnealingWarmRestarts(o, 1).step(-1), ValueError, "from 0 on, got -1"),
    "functions": (lambda o: ours.LambdaLR(o, [abs]), ValueError, "expected 2 values for lr_lambda, one for each group"),
    "function": (
        lambda o: ours.MultiplicativeLR(o, 0.5),
        TypeError,
        "expected a function of the epoch as lr_lambda, got float",
    ),
    "steps": (lambda o: ours.OneCycleLR(o, 1.0), ValueError, "expected total_steps, or epochs and steps_per_epoch"),
    "total": (lambda o: ours.OneCycleLR(o, 1.0, 0), ValueError, "positive integer total_steps, got 0"),
    "epochs": (lambda o: ours.OneCycleLR(o, 1.0, epochs=1.5, steps_per_epoch=2), ValueError, "epochs, got 1.5"),
    "pct": (lambda o: ours.OneCycleLR(o, 1.0, 9, pct_start=2.0), ValueError, "float from 0 to 1, got 2.0"),
    "strategy": (lambda o: ours.OneCycleLR(o, 1.0, 9, anneal_strategy="x"), ValueError, "'cos' or 'linear', got 'x'"),
    "mode": (lambda o: ours.CyclicLR(o, 0.1, 1.0, mode="x"), ValueError, "'exp_range', got 'x'"),
    "factor": (lambda o: ours.ReduceLROnPlateau(o, factor=1.0), ValueError, "expected a factor below 1, got 1.0"),
    "plateau": (lambda o: ours.ReduceLROnPlateau(o, mode="x"), ValueError, "'min' or 'max', got 'x'"),
    "threshold": (lambda o: ours.ReduceLROnPlateau(o, threshold_mode="x"), ValueError, "'rel' or 'abs', got 'x'"),
    "min_lr": (lambda o: ours.ReduceLROnPlateau(o, min_lr=[0.1]), ValueError, "expected 2 values for min_lr"),
    "none": (lambda o: ours.SequentialLR(o, [], []), ValueError, "expected at least one schedule, got none"),
    "milestones": (lambda o: ours.SequentialLR(o, [ours.StepLR(o, 1)], [1]), ValueError, "expected 0 milestones for 1"),
    "other": (lambda o: ours.SequentialLR(o, [ours.StepLR(ANY(), 1)], []), ValueError, "belongs to another optimizer"),
    "metric": (lambda o: ours.ChainedScheduler([ours.ReduceLROnPlateau(o)]), ValueError, "needs a metric"),
    "no schedule": (lambda o: ours.ChainedScheduler([3]), TypeError, "expected schedules, got int at index 0"),
}


@pytest.mark.parametrize("case", ERRORS)
def test_what_is_wrong_is_said(case):
    call, error, message = ERRORS[case]
    with pytest.raises(error, match=message):
        call(gg_optimizer())


def test_one_cycle_says_when_it_is_over():
    scheduler = ours.OneCycleLR(gg_optimizer(), 1.0, total_steps=3)
    for _ in range(3):
        scheduler.step()
    with pytest.raises(ValueError, match="this is step 4 of 3"):
        scheduler.step()


def test_momentum_that_is_not_there_cannot_cycle():
    adagrad = optim.Adagrad([gg.ones(1).requires_grad_()])
    with pytest.raises(ValueError, match="Adagrad has neither momentum nor betas"):
        ours.OneCycleLR(adagrad, 1.0, 10)
    ours.OneCycleLR(adagrad, 1.0, 10, cycle_momentum=False)


def test_groups_that_were_added_need_their_lowest_rate():
    optimizer = gg_optimizer()
    free, bound = ours.ReduceLROnPlateau(optimizer, patience=0), ours.ReduceLROnPlateau(optimizer, min_lr=[0.1, 0.1])
    optimizer.add_param_group({"params": gg.ones(1).requires_grad_()})
    free.step(1.0)
    free.step(2.0)
    assert free.get_last_lr() == pytest.approx([0.01, 0.004, 0.01])
    bound.patience = 0
    bound.step(1.0)
    with pytest.raises(RuntimeError, match="there are 3 groups now, and min_lr for 2"):
        bound.step(2.0)


def test_a_sequence_in_a_sequence_can_only_come_first():
    optimizer = gg_optimizer()
    inner = ours.SequentialLR(optimizer, [ours.StepLR(optimizer, 1), ours.StepLR(optimizer, 2)], [3])
    outer = ours.SequentialLR(optimizer, [ours.StepLR(optimizer, 1), inner], [2])
    outer.step()
    with pytest.raises(ValueError, match="cannot jump"):
        outer.step()


def test_training_uses_the_rates():
    w = gg.ones(1, device="cpu").requires_grad_()
    optimizer = optim.SGD([w], lr=1.0)
    scheduler = ours.StepLR(optimizer, 1, 0.5)
    for _ in range(3):
        optimizer.zero_grad()
        w.sum().backward()
        optimizer.step()
        scheduler.step()
    assert w.item() == 1 - 1 - 0.5 - 0.25


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("row", ROWS)
def test_a_group_that_is_added_later_is_followed_where_pytorch_does(torch, row):
    rates = []
    for optimizer, library, ones in (
        (gg_optimizer(), ours, gg.ones),
        (torch_optimizer(torch), torch.optim.lr_scheduler, torch.ones),
    ):
        schedule = ROWS[row](library, optimizer)
        schedule.step()
        optimizer.add_param_group({"params": [ones(1).requires_grad_()], "lr": 0.2})
        try:
            for _ in range(6):
                schedule.step()
            rates.append(shown(optimizer))
        except (KeyError, ValueError) as error:
            rates.append(str(error) if library is ours else None)
    if rates[1] is None:
        assert "groups, the optimizer has 3 now: make the schedule after the last add_param_group" in rates[0]
    else:
        close(*rates)
