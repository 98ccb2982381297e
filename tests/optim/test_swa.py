"""Averages of weights against PyTorch's, and the model that has them for a while."""

from __future__ import annotations

import copy
import pickle

import numpy
import pytest

import gpugrad as gg
from gpugrad import nn, optim
from gpugrad.optim import swa_utils as ours


@pytest.fixture
def torch():
    return pytest.importorskip("torch", reason="PyTorch is not installed: averages are compared with its own")


def model():
    return nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Linear(4, 2, bias=False))


def torch_model(torch):
    return torch.nn.Sequential(
        torch.nn.Linear(3, 4), torch.nn.BatchNorm1d(4), torch.nn.Linear(4, 2, bias=False)
    ).requires_grad_(False)


def numbers(state):
    return {name: numpy.array(value.numpy()) for name, value in state.items()}


RULES = {
    "mean": lambda S: {},
    "swa": lambda S: {"multi_avg_fn": S.get_swa_multi_avg_fn()},
    "ema": lambda S: {"multi_avg_fn": S.get_ema_multi_avg_fn(0.9)},
    "ema, quick": lambda S: {"multi_avg_fn": S.get_ema_multi_avg_fn(0.2)},
    "own": lambda S: {"avg_fn": lambda average, value, n: 0.25 * average + 0.75 * value},
}


@pytest.mark.parametrize(
    ("rule", "use_buffers"),
    # PyTorch 2.13 cannot take the mean of the integer among the buffers by its rule for "swa".
    [(rule, use_buffers) for rule in RULES for use_buffers in (False, True) if (rule, use_buffers) != ("swa", True)],
)
def test_averages_are_pytorchs(torch, rng, device, rule, use_buffers):
    mine, theirs = model(), torch_model(torch)
    a = ours.AveragedModel(mine, **RULES[rule](ours), use_buffers=use_buffers)
    b = torch.optim.swa_utils.AveragedModel(
        theirs, **RULES[rule](torch.optim.swa_utils), use_buffers=use_buffers
    ).requires_grad_(False)
    assert list(a.state_dict()) == list(b.state_dict())
    for step in range(5):
        values = {
            name: numpy.array(step, dtype="i8") if "num" in name else rng.standard_normal(v.shape).astype("f4")
            for name, v in theirs.state_dict().items()
        }
        mine.load_state_dict(values)
        theirs.load_state_dict({name: torch.tensor(value) for name, value in values.items()})
        a.update_parameters(mine)
        b.update_parameters(theirs)
        expected = b.state_dict()
        for name, value in a.state_dict().items():
            if "num_batches" in name and use_buffers:
                continue  # PyTorch makes a mean of this integer; here the last one counts
            numpy.testing.assert_allclose(value.numpy(), expected[name].numpy(), rtol=2e-6, atol=1e-6, err_msg=name)
    b.load_state_dict({name: torch.tensor(value) for name, value in numbers(a.state_dict()).items()})
    a.load_state_dict(numbers(b.state_dict()))


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("options", [{}, {"anneal_strategy": "linear"}, {"anneal_epochs": 0}, {"anneal_epochs": 1}])
@pytest.mark.parametrize("rate", [0.05, [0.3, 0.01]])
def test_the_rates_before_averaging_are_pytorchs(torch, options, rate):
    made = []
    for library, one, schedules in ((optim, gg.ones, ours), (torch.optim, torch.ones, torch.optim.swa_utils)):
        groups = [{"params": [one(1).requires_grad_()]}, {"params": [one(1).requires_grad_()], "lr": 0.02}]
        made.append(schedules.SWALR(library.SGD(groups, lr=0.1), rate, **options))
    assert set(made[0].state_dict()) == set(made[1].state_dict())
    for _ in range(14):
        numpy.testing.assert_allclose(*(s.get_last_lr() for s in made), rtol=1e-13)
        numpy.testing.assert_allclose(*([g["lr"] for g in s.optimizer.param_groups] for s in made), rtol=1e-13)
        for schedule in made:
            schedule.step()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"anneal_strategy": "x"}, "'cos' or 'linear', got 'x'"),
        ({"anneal_epochs": -1}, "an integer from 0 on, got -1"),
        ({"swa_lr": [0.1, 0.2]}, "expected 1 values for swa_lr"),
    ],
)
def test_wrong_rates_before_averaging_are_said(options, message):
    with pytest.raises(ValueError, match=message):
        ours.SWALR(optim.SGD([gg.ones(1).requires_grad_()], lr=0.1), **{"swa_lr": 0.1, **options})


@pytest.mark.parametrize("rule", RULES)
def test_an_averaged_model_can_be_copied(rule):
    averaged = ours.AveragedModel(trained := nn.Linear(1, 1), **RULES[rule](ours))
    averaged.update_parameters(trained)
    copied = copy.deepcopy(averaged) if rule == "own" else pickle.loads(pickle.dumps(averaged))
    nn.init.constant_(trained.weight, 2.0)
    for one in (averaged, copied):
        one.update_parameters(trained)
    assert averaged.module.weight.tolist() == copied.module.weight.tolist()


def test_an_averaged_model_computes_and_is_a_copy(device):
    trained = nn.Linear(2, 1)
    averaged = ours.AveragedModel(trained)
    x = gg.ones((3, 2))
    before = averaged(x).numpy()
    nn.init.constant_(trained.weight, 9.0)
    assert (averaged(x).numpy() == before).all()
    averaged.update_parameters(trained)
    numpy.testing.assert_array_equal(averaged(x).numpy(), trained(x).detach().numpy())


@pytest.mark.parametrize("decay", [-0.1, 1.1])
def test_the_decay_is_checked(decay):
    with pytest.raises(ValueError, match="expected a decay from 0 to 1, got"):
        ours.ExponentialMovingAverage(nn.Linear(1, 1), decay)


def test_one_rule_is_enough():
    with pytest.raises(ValueError, match="expected avg_fn or multi_avg_fn, got both"):
        ours.AveragedModel(nn.Linear(1, 1), avg_fn=lambda a, v, n: a, multi_avg_fn=ours.get_swa_multi_avg_fn())


# ------------------------------------------------------------------------------------------------ EMA


def train(steps, ema_of=None, start=0):
    gg.random.seed(7)
    net = model()
    optimizer = optim.Adam(net.parameters(), lr=0.05)
    ema = ema_of(net)
    for step in range(start, steps):
        go(net, optimizer, ema, step)
    return net, optimizer, ema


def go(net, optimizer, ema, step):
    x = gg.random.Generator(step).standard_normal((8, 3))
    optimizer.zero_grad()
    ((net(x) - 1) ** 2).mean().backward()
    optimizer.step()
    ema.update()


def test_ema_follows_the_optimizer(device):
    decay, expected = 0.8, None
    net = model()
    optimizer = optim.SGD(net.parameters(), lr=0.1)
    ema = ours.ExponentialMovingAverage(net, decay)
    expected = [p.numpy() for p in net.parameters()]
    for step in range(4):
        go(net, optimizer, ema, step)
        expected = [
            decay * e + (1 - decay) * p.detach().numpy() for e, p in zip(expected, net.parameters(), strict=True)
        ]
    with ema.swapped():
        for p, e in zip(net.parameters(), expected, strict=True):
            numpy.testing.assert_allclose(p.detach().numpy(), e, rtol=1e-5, atol=1e-6)


def test_swapping_changes_nothing_afterwards(device):
    """With evaluations in between, training is bitwise what it is without them."""
    plain, _, ema_plain = train(6, lambda net: ours.ExponentialMovingAverage(net, 0.9))
    gg.random.seed(7)
    net = model()
    optimizer = optim.Adam(net.parameters(), lr=0.05)
    ema = ours.ExponentialMovingAverage(net, 0.9)
    for step in range(6):
        go(net, optimizer, ema, step)
        with ema.swapped() as averaged:
            assert averaged is net
            net.eval()
            net(gg.ones((2, 3)))
            net.train()
    for name, value in numbers(plain.state_dict()).items():
        numpy.testing.assert_array_equal(numbers(net.state_dict())[name], value, err_msg=name)
    for a, b in zip(ema.averages, ema_plain.averages, strict=True):
        numpy.testing.assert_array_equal(a.numpy(), b.numpy())


def test_weights_are_put_back_after_an_error(device):
    net, _, ema = train(3, ours.ExponentialMovingAverage)
    before = numbers(net.state_dict())
    with pytest.raises(KeyboardInterrupt), ema.swapped():
        assert any((numbers(net.state_dict())[name] != value).any() for name, value in before.items())
        raise KeyboardInterrupt
    for name, value in before.items():
        numpy.testing.assert_array_equal(numbers(net.state_dict())[name], value)


def test_an_interruption_in_the_midst_of_swapping_does_no_harm(device, monkeypatch):
    net, _, ema = train(3, ours.ExponentialMovingAverage)
    weights, averages = numbers(net.state_dict()), [a.numpy() for a in ema.averages]
    real, calls = ours._write, []

    def interrupted(target, value):
        calls.append(1)
        if len(calls) == 3:
            raise KeyboardInterrupt
        real(target, value)

    monkeypatch.setattr(ours, "_write", interrupted)
    with pytest.raises(KeyboardInterrupt), ema.swapped():
        pass
    for name, value in weights.items():
        numpy.testing.assert_array_equal(numbers(net.state_dict())[name], value)
    for a, b in zip(ema.averages, averages, strict=True):
        numpy.testing.assert_array_equal(a.numpy(), b)
    with ema.swapped():
        pass


def test_the_state_goes_on(device):
    net, optimizer, ema = train(3, lambda net: ours.ExponentialMovingAverage(net, 0.7))
    with ema.swapped():
        state = ema.state_dict()
    other = ours.ExponentialMovingAverage(net, 0.5)
    other.load_state_dict({**state, "averages": [a.numpy() for a in state["averages"]]})
    go(net, optimizer, ema, 3)
    other.update()
    assert (other.decay, other.updates) == (0.7, 4)
    for a, b in zip(ema.averages, other.averages, strict=True):
        numpy.testing.assert_array_equal(a.numpy(), b.numpy())


@pytest.mark.parametrize("cut", [slice(0, 2), slice(0, 0), slice(None, None, -1)], ids=str)
def test_the_state_of_another_model_is_refused(cut):
    ema = ours.ExponentialMovingAverage(nn.Linear(2, 3))
    state = ours.ExponentialMovingAverage(model()).state_dict()
    with pytest.raises(ValueError, match="expected averages of shapes"):
        ema.load_state_dict({**state, "averages": state["averages"][cut]})
    assert ema.updates == 0


def test_what_makes_no_sense_while_swapped_is_refused():
    ema = ours.ExponentialMovingAverage(nn.Linear(1, 1))
    with ema.swapped():
        for call in (ema.update, lambda: ema.load_state_dict(ema.state_dict()), lambda: ema.swapped().__enter__()):
            with pytest.raises(RuntimeError, match="swapped"):
                call()
    ema.update()


def test_buffers_may_be_averaged():
    net = model()
    ema = ours.ExponentialMovingAverage(net, 0.5, use_buffers=True)
    norm = net[1]
    norm.running_mean.data[:] = 4.0
    norm.num_batches_tracked.data[...] = 7
    ema.update()
    with ema.swapped():
        assert norm.running_mean.tolist() == [2.0] * 4
        assert norm.num_batches_tracked.item() == 7
    assert norm.running_mean.tolist() == [4.0] * 4


def test_statistics_are_made_anew(torch, rng):
    mine, theirs = model(), torch_model(torch)
    theirs.load_state_dict({name: torch.tensor(value) for name, value in numbers(mine.state_dict()).items()})
    mine.eval()
    batches = [rng.standard_normal((6, 3)).astype("f4") for _ in range(4)]
    ours.update_bn([(gg.tensor(b), None) for b in batches], mine)
    torch.optim.swa_utils.update_bn([torch.tensor(b) for b in batches], theirs)
    assert not mine.training
    assert mine[1].momentum == 0.1
    for name, value in numbers(mine.state_dict()).items():
        numpy.testing.assert_allclose(value, theirs.state_dict()[name].numpy(), rtol=1e-5, atol=1e-6, err_msg=name)


def test_a_model_without_statistics_is_left_alone():
    ours.update_bn(iter(lambda: 1 / 0, None), nn.Linear(1, 1))
