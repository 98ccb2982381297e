"""What values are called in a picture."""

from __future__ import annotations

import gc
import weakref

import numpy
import pytest

import gpugrad as gg
from gpugrad import nn
from gpugrad.drawing import names as module

GLOBAL = None
"""A variable of the module, on the device of the run."""


@pytest.fixture(autouse=True)
def _global(device, monkeypatch):
    monkeypatch.setitem(globals(), "GLOBAL", variable(2.0))


def variable(value):
    return gg.tensor(value, requires_grad=True)


def names(drawing):
    return [node.name for node in drawing.picture.nodes]


def test_names_that_are_given():
    x = gg.name(variable(3.0), "input")
    y = gg.name(x * x, "square") + gg.name(x * 2, "double")
    assert names(gg.draw(y)) == ["input", "square", "double", "y"], "the name lives with the node, not the Tensor"
    assert y.node.watch is None
    y.backward()
    assert x.grad.item() == 8


def test_a_given_name_goes_before_a_variables():
    x = variable(3.0)
    gg.name(x, "w0")
    assert names(gg.draw(x * x))[0] == "w0"
    gg.name(x, "w1")
    assert names(gg.draw(x * x))[0] == "w1"


def test_constants_have_names():
    x = variable([1.0, 2.0])
    y = x * gg.name(gg.tensor([3.0, 4.0]), "scale")
    assert "scale" not in names(gg.draw(y)), "the constant Tensor is gone, and the name with it"
    kept = gg.name(gg.tensor([3.0, 4.0]), "scale")
    y = x * kept
    assert "scale" in names(gg.draw(y))
    with gg.observe() as seen:
        y = x * gg.name(gg.tensor([3.0, 4.0]), "scale")
    assert "scale" in names(gg.draw(y))
    assert seen


def test_a_constant_keeps_its_name_in_a_layer():
    """A convolution puts the array into a Tensor of its own."""
    layer = gg.nn.Conv2d(1, 1, 1)

    def drawn(y):
        return names(gg.draw(lambda: layer(y).sum()))

    assert "image" in drawn(gg.name(gg.tensor([[[[1.0, 2.0]]]]), "image"))
    assert "image" not in drawn(gg.tensor([[[[1.0, 2.0]]]]))


def test_a_number_with_a_name_is_a_node_and_one_without_stands_in_the_gate():
    x, target = variable(3.0), gg.tensor(2.0)
    with gg.observe() as seen:
        y = (x - target) * gg.tensor(5.0)
    picture = gg.draw(y).picture
    assert seen
    assert [(n.name, n.kind, n.label) for n in picture.nodes] == [
        ("x", "leaf", "x"), ("target", "constant", "target"), (None, "operation", "−"), ("y", "operation", "×5"),
    ]  # fmt: skip


def test_names_go_with_their_values():
    before = len(module._beside)
    x = gg.name(gg.tensor([1.0]), "constant")
    assert len(module._beside) == before + 1
    del x
    assert len(module._beside) == before
    x = gg.name(variable(1.0), "leaf")
    ref = weakref.ref(x)
    gc.disable()
    try:
        del x
        assert ref() is None
    finally:
        gc.enable()


def test_a_constant_that_becomes_a_variable_keeps_its_name():
    x = gg.name(gg.tensor(3.0), "w").requires_grad_()
    assert names(gg.draw(x * x))[0] == "w"


def test_an_update_in_place_is_another_value():
    x = variable(3.0)
    h = gg.name(x * 2, "before")
    h += x
    assert names(gg.draw(h)) == ["x", "before", "h"]


def test_errors():
    with pytest.raises(TypeError, match="name: expected a Tensor, got ndarray"):
        gg.name(numpy.ones(3), "x")
    with pytest.raises(TypeError, match="name: expected the name as a string, got int"):
        gg.name(variable(1.0), 3)


def test_variables_and_what_they_hold():
    ws = [variable(1.0), variable(2.0)]
    ps = {"scale": variable(3.0), 7: variable(4.0)}
    _hidden = variable(5.0)
    y = (ws[0] * ws[1] + ps["scale"]) * ps[7] + _hidden * GLOBAL
    found = set(names(gg.draw(y)))
    assert {"ws[0]", "ws[1]", "ps['scale']", "ps[7]", "GLOBAL", "y"} <= found
    assert "_hidden" not in found


def test_a_local_variable_goes_before_a_global_one():
    mine = GLOBAL
    y = mine * 1.5
    assert names(gg.draw(y)) == ["mine", "y"]

    def shadowed():
        GLOBAL = variable(3.0)
        y = GLOBAL * 1.5
        return gg.draw(y)

    assert names(shadowed()) == ["GLOBAL", "y"]


def test_the_first_of_several_variables():
    first = variable(1.0)
    second = first
    assert names(gg.draw(second * 1.5))[0] == "first"


def test_parameters_are_called_by_their_path():
    model = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 1))
    x = gg.ones((1, 2))
    y = model(x)
    drawing = gg.draw(y)
    assert {"0.weight", "0.bias", "1.weight", "1.bias", "y"} <= set(names(drawing))
    assert [n.name for n in drawing.picture.nodes if n.parameter] == ["0.weight", "0.bias", "1.weight", "1.bias"]


def test_of_two_modules_the_paths_say_which():
    encoder, decoder = nn.Linear(2, 2), nn.Linear(2, 1)
    layers = encoder  # the same one again
    y = decoder(encoder(gg.ones((1, 2))))
    assert {"encoder.weight", "decoder.bias"} <= {n.replace("layers", "encoder") for n in names(gg.draw(y)) if n}
    assert layers


def test_functions_call_their_arguments_and_their_callers_know_better():
    def layer(x, w, b):
        z = x * w
        return gg.tanh(z + b)

    def network(x, w1, b1, w2, b2):
        h = layer(x, w1, b1)
        return layer(h, w2, b2)

    found = names(gg.draw(network, 1.0, 2.0, 3.0, 4.0, 5.0))
    assert found == ["x", "w1", "b1", "w2", "b2", "z", None, "h", "z", None, None]

    def twice(x):
        out = gg.sin(x)
        gg.cos(out)
        return out

    def outer(x):
        h = twice(x)
        return h * h

    assert names(gg.draw(outer, 1.0)) == ["x", "h", None]
    data = variable(1.0)
    assert "data" in names(gg.draw(network, data, 2.0, 3.0, 4.0, 5.0))


def test_what_a_loop_calls_its_values():
    def f(x):
        for _ in range(3):
            h = gg.sin(x)
            x = h * x
        return x

    assert names(gg.draw(f, 1.0)) == ["x", "h", "x", "h", "x", "h", "x"]


def test_a_module_of_ones_own_with_local_variables():
    class Mine(nn.Module):
        def __init__(self):
            super().__init__()
            self.weight = nn.Parameter(gg.ones(3))

        def forward(self, data):
            w = self.weight
            scaled = data * w
            return scaled.sum()

    found = {n.name: n for n in gg.draw(Mine(), gg.ones(3)).picture.nodes}
    assert {"weight", "data", "scaled"} <= found.keys()
    assert found["weight"].parameter


def test_variables_of_a_frame_are_left_as_they_are():
    def f():
        x = variable(2.0)
        mine = locals()
        y = x * x
        gg.draw(y)
        return mine, x, y

    mine, x, y = f()
    assert mine["x"] is x
    assert y.item() == 4


@pytest.mark.parametrize("impossible", ["a\0b", "\ud800", "\x1b", "\uffff"])
def test_names_that_no_picture_can_show(impossible):
    with pytest.raises(ValueError, match="expected a name without control characters and lone surrogates"):
        gg.name(variable(1.0), impossible)

    class Model(nn.Module):
        def __init__(self):
            super().__init__()
            setattr(self, impossible, nn.Linear(1, 1))

        def forward(self, x):
            return getattr(self, impossible)(x)

    drawing = gg.draw(Model(), gg.ones((1, 1)))
    for text in (drawing.html(), str(drawing.picture.to_dict())):
        assert impossible not in text
        text.encode()
