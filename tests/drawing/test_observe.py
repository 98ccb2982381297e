"""Watching operations happen."""

from __future__ import annotations

import threading

import pytest

import gpugrad as gg
from gpugrad import nn
from gpugrad.core.modes import careful, observer


def variable(value):
    return gg.tensor(value, requires_grad=True)


def test_it_is_off_outside_of_the_block():
    before = careful.on
    with gg.observe() as seen:
        assert observer() is seen
        assert careful.on
    assert observer() is None
    assert careful.on == before
    with pytest.raises(KeyError), gg.observe():
        raise KeyError
    assert observer() is None
    assert careful.on == before


def test_results_are_those_without():
    x = variable([1.0, -2.0, 3.0])

    def f(x):
        a, b = gg.unstack(gg.stack([x * 2, gg.where(x > 0, x, 0.0)]))
        return (a @ b + gg.concat([a, b]).max() + x[1:].sum()) / 3

    plain = f(x)
    with gg.observe():
        watched = f(x)
    assert plain.item() == watched.item()
    plain.backward()
    expected = x.grad.numpy()
    x.grad = None
    watched.backward()
    assert (x.grad.numpy() == expected).all()


def test_lines_are_the_users():
    x = variable(1.0)
    with gg.observe() as seen:
        y = nn.functional.softplus(x) * 2  # the line
    assert seen
    lines = [n.line for n in gg.draw(y).picture.nodes if n.kind == "operation"]
    assert all(line.startswith(__file__) and line.endswith("# the line") for line in lines)


def test_debugging_knows_lines_too():
    x = variable(1.0)
    with gg.debug():
        y = x * 2  # here
    assert gg.draw(y).picture.nodes[1].line.endswith("y = x * 2  # here")


def test_constants_are_seen_once():
    x, batch = variable(1.0), gg.tensor([1.0, 2.0])
    with gg.observe() as seen:
        y = (x * batch + batch * 2 * x + 3).sum()
    picture = gg.draw(y).picture
    assert seen
    assert [n.name for n in picture.nodes if n.kind == "constant"] == ["batch", None]
    assert [n.value.numbers for n in picture.nodes if n.kind == "constant"] == [(1, 2), (2, 4)]
    assert [(n.label, n.constants) for n in picture.nodes if n.op == "add"] == [("+", {}), ("+3", {1: 3})]


def test_an_array_of_another_library_is_a_constant(device):
    if not device.is_host:
        pytest.skip("NumPy's arrays are on the host")
    import numpy

    x, data = variable([1.0, 2.0]), numpy.array([3.0, 4.0], dtype="float32")
    with gg.observe() as seen:
        y = (x * data).sum()
    assert seen
    assert [(n.name, n.kind) for n in gg.draw(y).picture.nodes][:2] == [("x", "leaf"), ("data", "constant")]


def test_another_thread_is_not_observed():
    x, made = variable(1.0), []
    with gg.observe() as seen:
        thread = threading.Thread(target=lambda: made.append(gg.sin(x)))
        thread.start()
        thread.join()
    assert seen.seen.notes == {}
    assert made[0].node.age not in seen.seen.values


def test_the_inner_of_two_sees():
    x = variable(1.0)
    with gg.observe() as outer:
        a = gg.sin(x)
        with gg.observe() as inner:
            b = gg.cos(a)
        c = gg.exp(b)
    assert a.node.age in outer.seen.notes
    assert c.node.age in outer.seen.notes
    assert list(inner.seen.notes) == [b.node.age]


def test_a_picture_while_it_is_on():
    x = variable(1.0)
    scale = gg.tensor(2.5)
    with gg.observe():
        y = x * scale
        picture = gg.draw(y).picture
        before = gg.observe
        assert [n.name for n in picture.nodes] == ["x", "scale", "y"]
    assert before is gg.observe


def test_it_is_forgotten_with_its_object():
    x = variable(1.0)
    with gg.observe() as seen:
        y = gg.abs(x) + gg.ones(3) * 4
    assert gg.draw(y).picture.nodes[-1].label == "+"
    del seen
    assert gg.draw(y).picture.nodes[-1].label == "+…"


def test_a_leaf_that_changes_on_the_way_shows_no_value():
    x = variable(1.0)
    with gg.observe() as seen:
        a = x + 1
        with gg.no_grad():
            x += 5
        y = a + x
    found = {n.name: n for n in gg.draw(y).picture.nodes}
    assert seen
    assert found["x"].value is None
    assert (found["a"].value.number, found["y"].value.number) == (2, 8)


def test_calls_of_modules_are_boxes():
    model = nn.Sequential(nn.Sequential(nn.Linear(2, 3), nn.GELU()), nn.Linear(3, 1))

    class Loss(nn.Module):
        def forward(self, y):
            return (y * y).sum()

    loss = Loss()
    with gg.observe() as seen:
        value = loss(model(gg.ones((4, 2))))
    picture = gg.draw(value, limit=None).picture
    assert seen
    boxes = {g.id: (g.label, g.parent) for g in picture.groups}
    labels = [label for label, _ in boxes.values()]
    assert labels == ["Sequential", "0: Sequential", "0.0: Linear", "1: Linear", "Loss"]
    assert [boxes[parent][0] if parent is not None else None for _, parent in boxes.values()] == [
        None, "Sequential", "0: Sequential", "Sequential", None
    ]  # fmt: skip
    weight = next(n for n in picture.nodes if n.name == "0.0.weight" or n.name == "model.0.0.weight")
    assert boxes[weight.group][0] == "0.0: Linear"


def test_two_calls_of_one_module_are_two_boxes():
    layer = nn.Linear(2, 2)
    with gg.observe() as seen:
        y = layer(gg.tanh(layer(gg.ones((1, 2)))))
    picture = gg.draw(y, limit=None).picture
    assert seen
    assert [g.label for g in picture.groups] == ["Linear", "Linear"]
    shared = [n.group for n in picture.nodes if n.parameter]
    assert shared == [None, None], "used by both, and so in neither"


def test_static_parameters_are_seen_as_far_as_they_are_plain():
    x = variable([[1.0, 2.0]])
    with gg.observe() as seen:
        y = x.sum(axis=1, keepdims=True)[gg.tensor([0, 0])]
    assert seen
    first, second = [n for n in gg.draw(y).picture.nodes if n.kind == "operation"]
    assert first.static == {"axis": 1, "dtype": None, "keepdims": True}
    assert second.static == {}
    assert [note.static for note in seen.seen.notes.values()][1] == {}
