"""The neural Turing machine: its addresses against numbers worked out by hand, its gradients, and that it learns."""

from __future__ import annotations

import importlib.util

import numpy
import pytest

import gpugrad as gg

LN2 = 0.6931471805599453


@pytest.fixture
def turing(lecture):
    return lecture("turing")


@pytest.fixture
def task(lecture):
    return lecture("neural_turing_machine")


def heads(*values):
    """Numbers for one sequence and one head, in float64."""
    return gg.tensor([[values]], dtype=gg.float64)


def close(found, *expected, rtol=1e-9):
    numpy.testing.assert_allclose(found.numpy()[0, 0], expected, rtol=rtol, atol=1e-11)


@pytest.fixture
def memory():
    return gg.tensor([[[1.0, 0.0], [0.0, 2.0], [3.0, 3.0], [-1.0, 0.0]]], dtype=gg.float64)


@pytest.fixture
def key():
    """Its cosines with the rows of the memory are 1, 0, 1/sqrt(2), -1."""
    return heads(2.0, 0.0)


@pytest.fixture
def on_the_host(device):
    if not device.is_host:
        pytest.skip("hundreds of steps take minutes on the simulator; single ones are tested there too")


@pytest.mark.parametrize("strength", [0.0, 1.0, 5.0])
def test_content_addressing(turing, memory, key, strength):
    powers = numpy.exp(strength * numpy.array([1.0, 0.0, 0.5**0.5, -1.0]))
    close(turing.content_addressing(memory, key, heads(strength)), *(powers / powers.sum()))


def test_content_addressing_by_hand(turing, memory, key):
    """With strength ln 2 the powers are 2, 1, 2^0.7071 = 1.6325, 1/2, and add up to 5.1325."""
    close(turing.content_addressing(memory, key, heads(LN2)), 0.38967, 0.19483, 0.31808, 0.09742, rtol=3e-5)


def test_the_length_of_rows_and_key_does_not_matter(turing, memory, key):
    one = turing.content_addressing(memory, key, heads(2.0)).numpy()
    other = turing.content_addressing(100 * memory, key / 10, heads(2.0)).numpy()
    numpy.testing.assert_allclose(one, other, rtol=1e-6)


def test_a_row_of_zeros_has_a_cosine_of_zero_and_a_gradient(turing, key):
    memory = gg.zeros((1, 2, 2), dtype=gg.float64).requires_grad_()
    weights = turing.content_addressing(memory, key, heads(1.0))
    close(weights, 0.5, 0.5)
    weights[0, 0, 0].backward()
    assert numpy.isfinite(memory.grad.numpy()).all()


def test_interpolation(turing):
    close(turing.interpolate(heads(1.0, 0.0, 0.0), heads(0.0, 0.5, 0.5), heads(0.25)), 0.25, 0.375, 0.375)


@pytest.mark.parametrize(
    ("shift", "expected"),
    [
        ((1.0, 0.0, 0.0), (0.1, 0.2, 0.0, 0.7)),  # back by one row, the first goes to the end
        ((0.0, 1.0, 0.0), (0.7, 0.1, 0.2, 0.0)),
        ((0.0, 0.0, 1.0), (0.0, 0.7, 0.1, 0.2)),  # on by one row
        ((0.1, 0.6, 0.3), (0.43, 0.29, 0.15, 0.13)),  # the sum of all three, each times its part
    ],
)
def test_rotation(turing, shift, expected):
    close(turing.rotate(heads(0.7, 0.1, 0.2, 0.0), heads(*shift)), *expected)


def test_sharpening(turing):
    """Squares of 0.1, 0.3, 0.6 are 0.01, 0.09, 0.36, together 0.46."""
    close(turing.sharpen(heads(0.1, 0.3, 0.6), heads(1.0)), 0.1, 0.3, 0.6)
    close(turing.sharpen(heads(0.1, 0.3, 0.6), heads(2.0)), 1 / 46, 9 / 46, 36 / 46)


def test_writing_and_reading(turing, memory):
    """A head that looks at the first two rows, half and half, erases the second number and adds (1, 4)."""
    weights, erase, add = heads(0.5, 0.5, 0.0, 0.0), heads(0.0, 1.0), heads(1.0, 4.0)
    memory = turing.write(memory, weights, erase, add)
    numpy.testing.assert_allclose(memory.numpy()[0], [[1.5, 2.0], [0.5, 3.0], [3.0, 3.0], [-1.0, 0.0]], rtol=1e-12)
    close(turing.read(memory, heads(0.0, 0.5, 0.0, 0.5)), -0.25, 1.5)


def test_two_heads_write_one_after_the_other_erases_both(turing):
    weights = gg.tensor([[[1.0, 0.0], [0.5, 0.5]]], dtype=gg.float64)
    erase = gg.tensor([[[1.0], [1.0]]], dtype=gg.float64)
    add = gg.tensor([[[3.0], [8.0]]], dtype=gg.float64)
    memory = turing.write(gg.tensor([[[4.0], [4.0]]], dtype=gg.float64), weights, erase, add)
    numpy.testing.assert_allclose(memory.numpy()[0, :, 0], [0 + 3 + 4, 2 + 0 + 4])


def machine(turing, **options):
    gg.random.seed(3)
    with gg.default_dtype(gg.float64):
        return turing.NeuralTuringMachine(4, 2, rows=5, width=3, hidden=4, **options)


def test_weightings_stay_on_the_simplex(turing, task):
    gg.random.seed(0)
    made = turing.NeuralTuringMachine(6, 4, rows=8, width=5, hidden=12, reads=2, writes=2)
    for p in made.parameters():
        p.data[...] *= 6  # far from where training begins: strengths and powers are large
    sequence, _ = task.copy_task(20, 3, 4)
    logits, states = made.run(sequence, 20)
    assert logits.shape == (20, 3, 4)
    assert len(states) == 42
    for state in states:
        weights = state.weights.numpy()
        assert weights.shape == (3, 4, 8)
        assert weights.min() >= 0
        numpy.testing.assert_allclose(weights.sum(axis=-1), 1, rtol=1e-5)
        assert numpy.isfinite(state.memory.numpy()).all()
    assert numpy.ptp(states[-1].weights.numpy()) > 0.5


@pytest.mark.parametrize("options", [{}, {"controller": "feedforward"}, {"reads": 2, "writes": 2}], ids=str)
def test_gradients_through_time_are_those_of_differences(turing, task, options):
    made = machine(turing, **options)
    with gg.default_dtype(gg.float64):
        sequence, vectors = task.copy_task(2, 3, 2)

    def loss():
        logits, states = made.run(sequence, 2)
        return task.F.binary_cross_entropy_with_logits(logits, vectors) + (states[-1].memory ** 2).sum()

    loss().backward()
    rng = numpy.random.default_rng(0)
    for name, p in made.named_parameters():
        assert p.dtype == gg.float64
        direction = gg.tensor(rng.standard_normal(p.shape))
        ends = []
        for sign in (1, -1):
            with gg.no_grad():
                p += sign * 1e-6 * direction
                ends.append(loss().item())
                p -= sign * 1e-6 * direction
        expected = (ends[0] - ends[1]) / 2e-6
        assert (p.grad * direction).sum().item() == pytest.approx(expected, rel=1e-5, abs=1e-8), name
        assert numpy.abs(p.grad.numpy()).max() > 1e-6, f"{name} has no part in it"


def test_the_task(task):
    sequence, vectors = task.copy_task(3, 5, 8)
    given = sequence.numpy()
    assert given.shape == (8, 5, 10)
    numpy.testing.assert_array_equal(given[1:4, :, :8], vectors.numpy())
    assert set(vectors.numpy().ravel()) == {0.0, 1.0}
    assert given[[0, *range(4, 8)], :, :8].max() == 0
    for channel, step in ((8, 0), (9, 4)):
        numpy.testing.assert_array_equal(given[:, :, channel], (numpy.arange(8) == step)[:, None] * numpy.ones(5))


class Knowing:
    """Tells what it is told to tell."""

    def __init__(self, logits):
        self.logits = logits

    def run(self, sequence, answers, rows):
        vectors = sequence.numpy()[1 : answers + 1, :, :-2]
        return gg.tensor(self.logits * (2 * vectors - 1), dtype=gg.float32), []


def test_the_score(task):
    """Who knows nothing pays a bit a bit; who is sure pays nothing when right, and is counted when wrong."""
    gg.random.seed(0)
    blind, sure, mistaken = (task.score(Knowing(logits), 4, 10, 8) for logits in (0.0, 50.0, -50.0))
    assert (blind.length, blind.bits) == (4, pytest.approx(32))
    assert (sure.bits, sure.wrong) == (pytest.approx(0, abs=1e-6), 0)
    assert (mistaken.bits, mistaken.wrong) == (pytest.approx(32 * 50 / LN2), 1)


@pytest.mark.parametrize("controller", ["lstm", "feedforward"])
@pytest.mark.usefixtures("on_the_host")
def test_it_learns_to_copy_short_sequences(task, turing, controller, monkeypatch):
    monkeypatch.setattr(task, "LONGEST", 2)
    gg.random.seed(1)
    made = turing.NeuralTuringMachine(5, 3, rows=6, width=6, hidden=24, controller=controller)
    before = task.score(made, 2, 50, 3).bits
    costs = task.train(made, 120, 3, batch=16, lr=3e-2)
    assert len(costs) == 120
    assert before == pytest.approx(6, abs=1)  # a bit a bit
    assert task.score(made, 2, 50, 3).bits < before / 2
    assert (
        task.score(made, 2, 50, 3, memory=9).bits < before * 2 / 3
    )  # no parameter depends on the length of the memory


@pytest.mark.usefixtures("on_the_host")
def test_learning_is_reproducible(task, turing):
    def costs(seed):
        gg.random.seed(seed)
        return task.train(turing.NeuralTuringMachine(5, 3, rows=6, width=4, hidden=6), 5, 3)

    assert costs(1) == costs(1)
    assert costs(1) != costs(2)


@pytest.mark.usefixtures("on_the_host")
def test_the_script_runs(program, task, tmp_path, monkeypatch):
    monkeypatch.setattr(task, "LONGEST", 5)
    out = program("neural_turing_machine", "--quick", "--bits", 3, "--rows", 8, "--hidden", 8)
    assert out.startswith("lstm controller, ")
    assert "60 steps of 32 sequences" in out
    assert [line.split()[0] for line in out.splitlines() if line[:1].isdigit()] == [
        *map(str, range(1, 6)),
        "10",
        "15",
        "25",
    ]
    pictures = {"cost.png", "copy.png"} if importlib.util.find_spec("matplotlib") else set()
    assert {file.name for file in tmp_path.iterdir()} == {"graph.html", *pictures}


def test_the_unrolled_graph_is_folded_by_steps(task, turing):
    gg.random.seed(0)
    made = turing.NeuralTuringMachine(5, 3, rows=4, width=3, hidden=4)
    picture = task.unrolled(made, 2, 3).picture
    steps = [group for group in picture.groups if group.label.endswith("NeuralTuringMachine")]
    rounds = sum(group.count for group in steps if group.parent is None)
    assert rounds >= 6  # a mark, two vectors, a mark, two answers
    assert not any(group.open for group in steps if group.kind == "module")  # equal steps may be seen side by side
