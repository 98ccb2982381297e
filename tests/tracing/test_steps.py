"""A whole training step is recorded, and replaying the record gives what the step gives, bit for bit."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy
import pytest

import gpugrad as gg
from gpugrad import backend, nn, optim
from gpugrad.testing import cuda_simulator
from gpugrad.tracing import Program, record

sys.path.append(str(Path(__file__).parent.parent.parent / "benchmarks"))
from networks import SMALL


def matrices(params):
    """Those with two axes; the others are frozen."""
    for p in params:
        p.requires_grad_(p.ndim == 2)
    return [p for p in params if p.ndim == 2]


OPTIMIZERS = {
    "SGD": lambda p: optim.SGD(p, lr=0.1, weight_decay=0.01),
    "SGD, momentum": lambda p: optim.SGD(p, lr=0.1, momentum=0.9, nesterov=True),
    "Adam": lambda p: optim.Adam(p, lr=0.01),
    "Adam, amsgrad": lambda p: optim.Adam(p, lr=0.01, amsgrad=True),
    "AdamW": lambda p: optim.AdamW(p, lr=0.01),
    "Adagrad": lambda p: optim.Adagrad(p, lr=0.1, lr_decay=0.1),
    "RMSprop": lambda p: optim.RMSprop(p, lr=0.01),
    "RMSprop, momentum": lambda p: optim.RMSprop(p, lr=0.01, momentum=0.9),
    "RMSprop, centered": lambda p: optim.RMSprop(p, lr=0.01, centered=True),
    "RMSprop, both": lambda p: optim.RMSprop(p, lr=0.01, centered=True, momentum=0.9),
    "NAdam": lambda p: optim.NAdam(p, lr=0.01),
    "RAdam": lambda p: optim.RAdam(p, lr=0.01, betas=(0.9, 0.5)),
    "Adamax": lambda p: optim.Adamax(p, lr=0.01),
    "Adadelta": lambda p: optim.Adadelta(p),
    "Rprop": lambda p: optim.Rprop(p),
    "ASGD": lambda p: optim.ASGD(p, t0=1),
    "Lion": lambda p: optim.Lion(p),
    "LAMB": lambda p: optim.LAMB(p),
    "Adafactor": lambda p: optim.Adafactor(p),
    "Muon": lambda p: optim.Muon(matrices(list(p))),
}
CLIPS = {
    "no": lambda p: None,
    "norm": lambda p: nn.utils.clip_grad_norm_(p, 0.5),
    "largest": lambda p: nn.utils.clip_grad_norm_(p, 0.01, norm_type=float("inf")),
    "value": lambda p: nn.utils.clip_grad_value_(p, 0.01),
}
STEPS = [
    *[(network, "Adam", "norm") for network in SMALL],
    *[(SMALL[0], name, "no") for name in OPTIMIZERS],
    *[(SMALL[0], "SGD", clip) for clip in CLIPS],
]


class Training:
    """A network with dropout, an optimizer and random numbers of its own."""

    def __init__(self, network, optimizer, clip, dropout=0.3):
        gg.random.seed(7)
        self.network, self.model = network, network.build(gg, dropout)
        self.optimizer = OPTIMIZERS[optimizer](self.model.parameters())
        self.clip = CLIPS[clip]

    def data(self, seed):
        return tuple(gg.tensor(a) for a in self.network.data(seed))

    def step(self, x, y):
        self.optimizer.zero_grad()
        loss = self.network.loss(gg, self.model, x, y)
        loss.backward()
        self.clip(list(self.model.parameters()))
        self.optimizer.step()
        return loss

    def state(self):
        """Everything that a step changes, on the host."""
        moments = [m for entry in self.optimizer.state.values() for m in entry.values()]
        grads = [p.grad for p in self.model.parameters()]
        found = [*self.model.state_dict().values(), *moments, *grads]
        return [t.numpy() if isinstance(t, gg.Tensor) else t for t in found], gg.random.default_generator.state


def assert_same(found, expected):
    (arrays, random), (wanted, other) = found, expected
    assert random == other
    for a, b in zip(arrays, wanted, strict=True):
        numpy.testing.assert_array_equal(a, b)


def recorded_and_eager(which, seed=0):
    """A recorded step and the same one done as usual: the record, both losses, both states."""
    steps = []
    for recorded in (True, False):
        training = Training(*which)
        training.step(*training.data(seed + 1))
        if recorded:
            made = record(training.step, training.data(seed), copies=True)
            steps.append((training, made, made.result.detach().numpy(), training.state()))
        else:
            steps.append((training, None, training.step(*training.data(seed)).detach().numpy(), training.state()))
    return steps


@pytest.mark.parametrize("which", STEPS, ids=lambda w: f"{w[0].name}-{w[1]}-{w[2]}")
def test_a_replay_is_the_step(which, device):
    (_, made, loss, state), (_, _, wanted, expected) = recorded_and_eager(which)
    numpy.testing.assert_array_equal(loss, wanted)
    assert_same(state, expected)
    program = made.program
    stored = Program.from_json(program.to_json())
    assert stored == program
    assert str(stored) == str(program)
    for one in (program, stored):
        arrays = [backend.duplicate(a) for a in made.recorder.before]
        (found,) = one.replay(arrays, made.recorder.numbers)
        numpy.testing.assert_array_equal(backend.to_host(found), wanted)
        for a, after in zip(arrays, made.recorder.captured, strict=True):
            numpy.testing.assert_array_equal(backend.to_host(a), backend.to_host(after))


@pytest.mark.parametrize("which", STEPS, ids=lambda w: f"{w[0].name}-{w[1]}-{w[2]}")
def test_nothing_that_changes_is_frozen(which, device):
    """Steps go on from the record, with other data, a falling learning rate and new random numbers."""
    gg.random.seed(7)
    states = []
    for recorded in (True, False):
        training = Training(*which)
        made = None
        for i in range(4):
            data = training.data(i)
            training.optimizer.param_groups[0]["lr"] = 0.1 / (i + 1)
            if made is not None:
                made.again(*data)
            elif recorded and i == 1:
                made = record(training.step, data)
            else:
                training.step(*data)
        states.append(training.state())
    assert_same(*states)


@pytest.mark.parametrize("network", SMALL, ids=lambda n: n.name)
def test_what_was_recorded_on_the_cpu_is_a_step_on_a_gpu(network, device):
    """The record knows no device: replayed on the simulated GPU it gives what a step gives there."""
    if not device.is_host:
        pytest.skip("goes to the GPU by itself")
    training = Training(network, "Adam", "norm")
    begun = {name: t.numpy() for name, t in training.model.state_dict().items()}, gg.random.default_generator.state
    made = record(training.step, training.data(0), copies=True)
    before = [backend.to_host(a) for a in made.recorder.before]
    with cuda_simulator.installed() as cupy, gg.default_device("cuda"):
        other = Training(network, "Adam", "norm")
        other.model.load_state_dict({name: gg.tensor(a) for name, a in begun[0].items()})
        gg.random.default_generator.state = begun[1]
        wanted = other.step(*other.data(0)).numpy()
        arrays = [cupy.asarray(a) for a in before]
        (loss,) = made.program.replay(arrays, made.recorder.numbers)
        numpy.testing.assert_array_equal(cupy.asnumpy(loss), wanted)
        ((flat,),) = other.optimizer._flats
        changed = {v.number for call in made.program.calls if call.op == "kernel.adam_update" for v in call.changes}
        assert len(changed) == 3
        for array in (flat.data, *flat.moments.values()):
            host = cupy.asnumpy(array)
            assert any(a.shape == host.shape and numpy.array_equal(cupy.asnumpy(a), host) for a in arrays)


def test_lbfgs_says_that_it_cannot_be_recorded(device):
    w = gg.ones(2).requires_grad_()
    optimizer = optim.LBFGS([w])
    with pytest.raises(RuntimeError, match="LBFGS: what a step does depends on values of the loss, and cannot be"):
        record(lambda x: optimizer.step(lambda: (w * x).sum()), (gg.ones(2),))
