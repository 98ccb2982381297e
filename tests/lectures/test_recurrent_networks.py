"""Recurrent networks: steps that share weights, by hand; what they learn of letters; gradients far back in time."""

from __future__ import annotations

import importlib.util
import math
import re
import sys
from pathlib import Path

import numpy
import pytest

import gpugrad as gg
from gpugrad import nn

SHAKESPEARE = Path(__file__).parents[3] / "shared" / "data" / "tinyshakespeare" / "input.txt"


@pytest.fixture
def network(lecture):
    gg.random.seed(0)
    return lecture("recurrent_network")


@pytest.fixture
def back(lecture):
    gg.random.seed(0)
    return lecture("recurrent_gradients")


@pytest.mark.parametrize("steps", [1, 2, 4, 9])
def test_the_parts_of_the_steps_add_up(network, steps):
    rng = numpy.random.default_rng(steps)
    letters = rng.integers(0, 5, steps + 1).tolist()
    p = network.weights(5, 6, 5, seed=steps)
    found = network.compare(p, network.one_hot(letters[:-1], 5), letters[1:])
    assert found.loss < 1e-12
    assert max(found.copies.values()) < 1e-10
    assert max(found.shared.values()) < 1e-10


def test_the_sum_is_written_out(network):
    """Three steps of one unit: every term of the gradient of its recurrent weight."""
    p = {name: numpy.full_like(value, 0.5) for name, value in network.weights(1, 1, 2).items()}
    p["W_s"] = numpy.array([[1.0], [0.0]])
    xs, targets = numpy.ones((3, 1)), [0, 1, 0]
    h1 = math.tanh(0.5 + 0.5)
    h2 = math.tanh(0.5 + 0.5 * h1 + 0.5)
    h3 = math.tanh(0.5 + 0.5 * h2 + 0.5)
    g1, g2, g3 = (((1 / (1 + math.exp(-h))) - (t == 0)) / 3 for h, t in zip((h1, h2, h3), targets, strict=True))
    d3 = g3 * (1 - h3**2)
    d2 = (g2 + 0.5 * d3) * (1 - h2**2)
    d1 = (g1 + 0.5 * d2) * (1 - h1**2)
    expected = d1 * 0.0 + d2 * h1 + d3 * h2
    weights = network.leaves(p)
    network.unrolled([weights] * 3, gg.tensor(xs), targets).backward()
    assert weights["W_h"].grad.item() == pytest.approx(expected, rel=1e-12)
    assert weights["b"].grad.item() == pytest.approx(d1 + d2 + d3, rel=1e-12)
    _, parts = network.through_time(p, xs, targets)
    assert [part["W_h"].item() for part in parts] == pytest.approx([0, d2 * h1, d3 * h2])


def test_the_library_s_layer_is_the_loop(network):
    """The model of letters and the network that is unrolled by hand are one formula."""
    with gg.default_dtype(gg.float64):
        model = network.Letters(5, 4)
        letters = [3, 0, 4, 1, 2]
        scores, _ = model(gg.tensor([letters[:-1]]))
        loss = network.cross_entropy(scores, gg.tensor([letters[1:]]))
        loss.backward()
    v = {name: value.numpy() for name, value in model.state_dict().items()}
    p = {
        "W_x": v["states.weight_ih_l0"] @ v["vectors.weight"].T, "W_h": v["states.weight_hh_l0"],
        "b": v["states.bias_ih_l0"] + v["states.bias_hh_l0"],
        "W_s": numpy.column_stack([v["scores.weight"], v["scores.bias"]]),
    }  # fmt: skip
    xs, h, total = network.one_hot(letters[:-1], 5), numpy.zeros(4), 0.0
    for x, target in zip(xs, letters[1:], strict=True):
        h = numpy.tanh(p["W_x"] @ x + p["W_h"] @ h + p["b"])
        s = p["W_s"] @ [*h, 1.0]
        total += (numpy.log(numpy.exp(s).sum()) - s[target]) / 4
    assert loss.item() == pytest.approx(total, rel=1e-12)


@pytest.mark.any_device
def test_counting(network):
    one, two = network.simple("ab" * 5000, "ab" * 500, "ab")
    assert one == pytest.approx(1, abs=1e-3)
    assert two == pytest.approx(0, abs=1e-3)
    assert network.bits(math.log(8)) == pytest.approx(3)


def test_the_held_out_text_is_read_in_one_go(network):
    """In pieces, and with the state handed on, it is the mean over the letters of each line from its beginning."""
    model = network.Letters(3, 4)
    text = numpy.random.default_rng(0).integers(0, 3, 2 * 450 + 1)
    whole = []
    for line in (0, 1):
        letters = text[line * 450 : line * 450 + 451]
        with gg.no_grad():
            scores, _ = model(gg.tensor(letters[None, :-1]))
            whole.append(network.cross_entropy(scores, gg.tensor(letters[None, 1:])).item())
    assert network.held_out(model, text, width=2) == pytest.approx(network.bits(numpy.mean(whole)), rel=1e-5)


@pytest.mark.any_device
def test_it_learns_to_count(network):
    text = network.made_up(700)
    assert re.fullmatch(r"((up|down):( \w+){2,6}\n)+", text + "\n")
    alphabet = "".join(sorted(set(text)))
    numbers = numpy.array([alphabet.index(c) for c in text])
    with gg.default_device("cpu"):
        model = network.Letters(len(alphabet), 48)
        losses = network.train(model, numbers, 150)
        _, two = network.simple(text, text, alphabet)
        assert network.held_out(model, numbers, 20) < two - 0.2
        assert numpy.mean(losses[-10:]) < 0.5 * losses[0]
        written = network.write(model, alphabet, "up:", 30)
    assert len(written) == 33
    assert set(written) <= set(alphabet)


def test_the_network_script_runs(program, tmp_path):
    (tmp_path / "text").write_text("round and round it goes, and where it stops nobody knows; " * 400)
    out = program("recurrent_network", "--text", tmp_path / "text", "--steps", 40, "--hidden", 16)
    assert "'hello' in 4 steps" in out
    (line,) = [line for line in out.splitlines() if line.startswith("bits a letter:")]
    reached, counted, pairs, alike = map(float, re.findall(r"\d\.\d{3}", line))
    assert reached < counted
    assert pairs < counted < alike
    if importlib.util.find_spec("matplotlib") is not None:
        assert {"parts.png", "learning.png"} <= {file.name for file in tmp_path.iterdir()}
    assert "unrolled in time" in (tmp_path / "unrolled.html").read_text(encoding="utf-8")


@pytest.mark.any_device
@pytest.mark.parametrize(("content", "message"), [(None, "No such file"), (b"short", "at least 10,000 letters"),
                                                  (b"\xff" * 20_000, "decode")])  # fmt: skip
def test_a_text_that_cannot_be_read(network, tmp_path, content, message):
    if content is not None:
        (tmp_path / "text").write_bytes(content)
    with pytest.raises(SystemExit, match=message):
        network.read(tmp_path / "text")


@pytest.mark.any_device
@pytest.mark.skipif(not SHAKESPEARE.is_file(), reason="Tiny Shakespeare is not in shared/data beside the repository")
def test_shakespeare_is_read(network):
    text = network.read(network.TEXT)
    assert (len(text), len(set(text))) == (1_115_394, 65)
    cut = len(text) * 9 // 10
    one, two = network.simple(text[:cut], text[cut:], "".join(sorted(set(text))))
    assert (one, two) == pytest.approx((4.829, 3.581), abs=1e-3)


def test_the_graph_shows_the_part_of_each_step(network):
    """On the edges that leave the shared weights: what each step hands back; beside them, the sum."""
    p, xs, targets = network.weights(4, 3, 4), network.one_hot([1, 0, 2, 2], 4), [0, 2, 2, 3]
    picture = network.graph(p, xs, targets).picture
    _, parts = network.through_time(p, xs, targets)
    nodes = {node.name: node for node in picture.nodes if node.name is not None}
    for name in ("W_h", "W_x", "W_s", "b"):
        leaf = nodes[name]
        shown = [edge.contribution.numbers for edge in picture.edges if edge.source == leaf.id]
        numpy.testing.assert_allclose(shown, [part[name].ravel() for part in parts], rtol=1e-12, atol=1e-15)
        numpy.testing.assert_allclose(leaf.gradient.numbers, sum(part[name] for part in parts).ravel(), rtol=1e-12)
    assert {"h_0", "x_1", "h_4", "s_4", "loss_4"} <= set(nodes)
    assert sum(group.kind == "repeat" for group in picture.groups) == 5  # four steps, and the box around them


# Gradients far back in time.


def test_products_of_jacobians_by_hand(back):
    rng = numpy.random.default_rng(0)
    w = rng.standard_normal((6, 6)) / 2
    weight, h = gg.tensor(w), gg.tensor(rng.standard_normal(6), requires_grad=True)
    states = [h]
    for x in rng.standard_normal((12, 6)):
        states.append(gg.tanh(weight @ states[-1] + gg.tensor(x)))
        states[-1].retain_grad()
    last = rng.standard_normal(6)
    states[-1].backward(gg.tensor(last))
    hand = back.backwards_by_hand(w, [state.numpy() for state in states], last)
    for mine, state in zip(hand, reversed(states), strict=True):
        numpy.testing.assert_allclose(state.grad.numpy(), mine, rtol=1e-10, atol=1e-14)


def test_how_far_gradients_get(back):
    found = {}
    for way in back.COLORS:
        gg.random.seed(0)
        found[way] = back.lengths(way, 50)
        assert len(found[way]) == 51
        assert found[way][0] == 1
    assert found["small"][50] < 0.55**50
    assert 1e-3 < found["orthogonal"][50] < 1  # tanh takes a little from each
    assert found["large"][50] > 1e4
    assert found["LSTM"][50] < 1e-8  # its forget gate is half closed to begin with
    assert found["LSTM, open"][50] > 0.5
    assert all(numpy.diff(found["orthogonal"]) <= 1e-6)


def test_lengths_do_not_leave_the_range(back):
    assert back.length([numpy.float32([3e30, 0]), numpy.float32([4e30])]) == pytest.approx(5e30)
    assert back.length([numpy.float32([3e-30]), numpy.float32([4e-30])]) == pytest.approx(5e-30)


def test_the_open_gate(back):
    made = back.cell("LSTM, open", 3, 5)
    bias = made.bias_hh.numpy()
    assert bias[5:10].tolist() == [back.OPEN] * 5
    assert abs(numpy.delete(bias, range(5, 10))).max() < 1
    layer = nn.LSTM(3, 5)
    back.open_gates(layer)
    assert layer.bias_hh_l0.numpy()[5:10].tolist() == [back.OPEN] * 5


def test_what_is_shown(back):
    seen = back.shown(50, 4)
    assert seen.x.shape == (50, 4, 2)
    first = seen.x.numpy()[:, :, 0]
    assert (first[:, 0] == 2 * seen.symbol.numpy() - 1).all()
    assert not first[:, 1:].any()
    assert set(seen.symbol.tolist()) == {0, 1}


@pytest.mark.any_device
def test_what_is_remembered(back):
    with gg.default_device("cpu"):
        assert back.remembers("orthogonal", 20, 60, size=16) > 0.95
        assert back.remembers("small", 20, 60, size=16) < 0.65


def test_without_matplotlib(program, monkeypatch, tmp_path):
    for name in ("matplotlib", "matplotlib.figure"):
        monkeypatch.setitem(sys.modules, name, None)
    out = program("recurrent_gradients", "--steps", 10, "--training", 1, "--delays", 2)
    assert out.count("no picture: matplotlib is not installed") == 2
    assert not list(tmp_path.iterdir())


def test_the_gradients_script_runs(program, tmp_path):
    out = program("recurrent_gradients", "--steps", 10, "--training", 5, "--delays", 2, 4)
    assert "10 steps back" in out
    assert out.count("LSTM, open") == 2
    if importlib.util.find_spec("matplotlib") is not None:
        assert {file.name for file in tmp_path.iterdir()} == {"lengths.png", "remembering.png"}
