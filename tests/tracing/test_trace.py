"""What a program says, what stops a recording, and what is left when it has ended."""

from __future__ import annotations

import threading

import numpy
import pytest

import gpugrad as gg
from gpugrad import nn
from gpugrad.tracing import Program, RecordingError, record

ASKED = {
    "float": lambda x, w: x * float(x.sum()),
    "a branch": lambda x, w: x if x.sum() > 0 else -x,
    "item": lambda x, w: x * x[0].item(),
    "tolist": lambda x, w: gg.tensor(x.tolist()),
    "a copy": lambda x, w: x * x.numpy(),
    "asarray": lambda x, w: numpy.asarray(x) * x,
    "a boolean mask": lambda x, w: x[x > 0],
    "where it is": lambda x, w: gg.nonzero(x)[0],
    "float, what it found": lambda x, w: x * float(w[0].detach()),
    "item, what it found": lambda x, w: x * w.sum().item(),
    "a branch, what it found": lambda x, w: x if w.detach()[0] > 0 else -x,
    "a copy, what it found": lambda x, w: x * w.detach().numpy(),
    "an argument": lambda x, w: x * float(gg.max(w * x).detach()),
    "a gradient": lambda x, w: x * gg.grad(lambda v: (v * v).sum())(x).tolist()[0],
    "mapped": lambda x, w: gg.vmap(lambda v: v * float(w.sum().detach()))(x),
    "a norm that is looked at": lambda x, w: clipped(x, w),
}


def clipped(x, w):
    (w * x).sum().backward()
    return nn.utils.clip_grad_norm_(w, 1.0, error_if_nonfinite=True)


@pytest.mark.parametrize("name", ASKED)
def test_a_value_that_is_asked_for_is_refused_with_the_line(name, device):
    if name == "asarray" and not device.is_host:
        pytest.skip("refused on a GPU in any case")
    w = gg.tensor([1.0, 2.0], requires_grad=True)
    with pytest.raises((RecordingError, gg.GradientError), match=r"test_trace\.py:\d+: (.|\n)*gg\.where"):
        gg.trace(ASKED[name])(gg.tensor([3.0, 4.0]), w)
    assert gg.sum(w).item() == 3.0, "and nothing is left behind"
    assert type(w.data) is type(gg.zeros(2).data)


def test_what_python_knows_is_no_value(device):
    def f(x, n):
        return gg.quantile(x * n, [0.25, 0.5]) + len(x)

    made = record(f, (gg.tensor([1.0, -2.0, 3.0]), 2))
    assert "multiply(%0, 2)" in str(made.program)
    (y,) = made.again(gg.tensor([4.0, 5.0, 6.0]))
    assert gg.Tensor(y).tolist() == [12.0, 13.0]


def test_arguments_are_not_computed_with_beside_the_recording(device):
    x = gg.tensor([1.0, 2.0])
    shown = []

    def f(x):
        shown.append(f"{x} {x.data!r}")
        return gg.Tensor(x.data * 2 + x.data[0])

    made = record(f, (x,))
    assert shown == ["tensor(%0: float32 (2,), recorded) %0: float32 (2,), recorded"]
    assert gg.Tensor(made.again(gg.tensor([3.0, 4.0]))[0]).tolist() == [9.0, 11.0]
    assert x.tolist() == [1.0, 2.0]
    with pytest.raises(TypeError):
        gg.trace(lambda x: gg.Tensor(numpy.sin(x.data)))(x)
    assert x.tolist() == [1.0, 2.0]


def test_the_same_array_given_twice(device):
    x, y = gg.tensor([1.0, 2.0]), gg.tensor([3.0, 4.0])
    twice = record(lambda a, b: a * b, (x, x))
    assert gg.Tensor(twice.again(y, y)[0]).tolist() == [9.0, 16.0]
    with pytest.raises(ValueError, match="arguments 0 and 1 were one array when they were recorded, and are two now"):
        twice.again(x, y)
    apart = record(lambda a, b: a * b, (x, y))
    assert gg.Tensor(apart.again(y, y)[0]).tolist() == [9.0, 16.0]
    with pytest.raises(ValueError, match="expected 2 arrays, as was recorded, got 1"):
        apart.again(y)
    moved = gg.random.default_generator.state
    drawn = record(lambda a: a * gg.random.random(2), (x,))
    before = gg.random.default_generator.state
    with pytest.raises(ValueError, match=r"expected float32 \(2,\) for argument 0, got float32 \(3,\)"):
        drawn.again(gg.ones(3))
    assert gg.random.default_generator.state == before != moved, "nothing has moved on"


def test_a_matrix_has_a_trace_still(device):
    assert gg.trace(gg.tensor([[1.0, 2.0], [3.0, 4.0]])).item() == 5.0
    assert numpy.trace(gg.tensor([[1.0, 2.0], [3.0, 4.0]]), offset=1).item() == 2.0
    assert gg.trace([[1.0, 2.0], [3.0, 4.0]], 0, axis1=1, axis2=0).item() == 5.0


def test_programs_are_compared_and_stored(device):
    def f(x, y):
        return (
            nn.functional.softmax(x[:, 1:] @ y.T, dim=-1),
            gg.linalg.inv(y[:2]),
            gg.special.erf(x),
            gg.astype(x, "float64"),
        )

    def arguments():
        return gg.ones((3, 3)), gg.tensor(numpy.eye(5, 2, dtype="f4"))

    program = gg.trace(f)(*arguments())
    assert program == gg.trace(f)(*arguments())
    assert program != gg.trace(f)(gg.ones((4, 3)), arguments()[1])
    assert program != gg.trace(lambda x, y: f(2 * x, y))(*arguments())
    again = Program.from_json(program.to_json())
    assert again == program
    for one, other in zip(again.replay([t.data for t in arguments()]), f(*arguments()), strict=True):
        assert numpy.array_equal(gg.Tensor(one).numpy(), other.numpy())
    with pytest.raises(ValueError, match="expected a program of version 1, got 2"):
        Program.from_json(program.to_json().replace('"version": 1', '"version": 2'))
    with pytest.raises(ValueError, match=r"os\.system, which is none of gpugrad's records"):
        Program.from_json(program.to_json().replace('{"value": 0}', '{"record": ["os", "system", []]}'))
    with pytest.raises(ValueError, match="expected 2 arrays and 0 numbers, got 1 and 0"):
        program.replay([gg.ones((3, 3)).data])
    with pytest.raises(ValueError, match=r"expected float32 \(3, 3\) for argument 0, got float32 \(4, 3\)"):
        program.replay([gg.ones((4, 3)).data, arguments()[1].data])


def test_running_statistics_and_two_steps_in_one_go_on(device):
    """Buffers get new values, parameters change twice, and random numbers move on twice."""

    def trained(recorded):
        gg.random.seed(3)
        model = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Dropout(0.5), nn.Linear(4, 1))
        optimizer = gg.optim.Adam(model.parameters(), lr=0.05)
        schedule = gg.optim.lr_scheduler.SequentialLR(
            optimizer, [gg.optim.lr_scheduler.LinearLR(optimizer, 0.5, total_iters=3),
                        gg.optim.lr_scheduler.ExponentialLR(optimizer, 0.9)], milestones=[3],
        )  # fmt: skip
        averages = gg.optim.swa_utils.ExponentialMovingAverage(model, 0.3)
        ema = [gg.zeros(p.shape) for p in model.parameters()]

        def steps(x):
            for part in (x[:4], x[4:]):
                optimizer.zero_grad()
                loss = gg.mean(model(part) ** 2)
                loss.backward()
                optimizer.step()
                schedule.step()
                averages.update()
                loss = loss + gg.mean(gg.random.Generator(5).random(3))
                with gg.no_grad():
                    for average, p in zip(ema, model.parameters(), strict=True):
                        average *= 0.9
                        average += 0.1 * p
            return loss

        losses, made = [], None
        for i in range(4):
            x = gg.tensor(numpy.random.default_rng(i).standard_normal((8, 3)).astype("f4"))
            if made is not None:
                losses.append(gg.Tensor(made.again(x)[0]).item())
            elif recorded and i == 1:
                made = record(steps, (x,))
                losses.append(made.result.item())
            else:
                losses.append(steps(x).item())
        values = [*model.state_dict().values(), *ema, *averages.averages, *(p.grad for p in model.parameters())]
        state = (gg.random.default_generator.state, schedule.get_last_lr(), averages.updates, optimizer.state_dict())
        return losses, [v.numpy() for v in values], str(state)

    (losses, values, state), (expected, others, other) = trained(True), trained(False)
    assert losses == expected
    assert state == other
    for a, b in zip(values, others, strict=True):
        numpy.testing.assert_array_equal(a, b)


def test_what_would_be_frozen_without_a_word_is_refused(device):
    model = nn.Linear(2, 1)
    with pytest.raises(RecordingError, match=r"computed beside the recording \[.*test_trace\.py:\d+"), gg.no_grad():
        gg.trace(lambda: nn.init.constant_(model.weight, gg.Tensor(model.weight.data * 2)))()
    loader = gg.data.DataLoader(gg.data.ArrayDataset(numpy.zeros((4, 2), "f4")), 2)
    for batches in (loader, iter(loader)):
        with pytest.raises(RecordingError, match=r"the batches of a DataLoader inside a recorded function .*as arg"):
            gg.trace(lambda batches=batches: [gg.sum(batch[0]) for batch in batches])()
    number = record(lambda x: sgd_step(x), (gg.ones(2),)).recorder.numbers[0]
    assert number == 0.5


def sgd_step(x):
    w = gg.ones(2).requires_grad_()
    (w * x).sum().backward()
    gg.optim.SGD([w], lr=0.5).step()
    return w


def test_an_error_or_another_thread_in_the_middle(device):
    w = gg.tensor([1.0, 2.0], requires_grad=True)
    held, seen = [], []

    def f(x):
        held.append(w * x)
        thread = threading.Thread(target=lambda: seen.append((gg.ones(2) * 2).tolist()))
        thread.start()
        thread.join()
        raise KeyError("in the middle")

    with pytest.raises(KeyError, match="in the middle"):
        gg.trace(f)(gg.tensor([3.0, 4.0]))
    assert seen == [[2.0, 2.0]], "which is not recorded"
    assert held[0].tolist() == [3.0, 8.0], "a tensor that is left over has its value"
    with pytest.raises((RecordingError, gg.GradientError), match="a recording that has ended"):
        gg.sum(held[0]).backward()
    with pytest.raises(RecordingError, match="a recording inside of a recording"):
        gg.trace(lambda x: gg.trace(gg.sin)(x))(gg.ones(2))
    (w * 2).sum().backward()
    assert w.grad.tolist() == [2.0, 2.0]
