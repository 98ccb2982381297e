"""The table of a network, against numbers counted by hand."""

import numpy
import pytest

import gpugrad as gg
from gpugrad import nn


def rows(found):
    return {row.name: row for row in found.rows}


def test_a_convolutional_network():
    model = nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1, groups=1), nn.BatchNorm2d(8), nn.ReLU(),
        nn.Sequential(nn.Conv2d(8, 4, 3, stride=2, groups=2, bias=False), nn.Flatten()), nn.Linear(36, 10),
    )  # fmt: skip
    found = nn.summary(model, gg.ones((2, 3, 8, 8)))
    table = rows(found)
    assert table["0"].parameters == 8 * 3 * 9 + 8
    assert table["0"].multiply_adds == 2 * 8 * 8 * 8 * 27
    assert table["0"].output_shapes == [(2, 8, 8, 8)]
    assert table["3.0"].parameters == 4 * 4 * 9
    assert table["3.0"].multiply_adds == 2 * 4 * 3 * 3 * 4 * 9
    assert table["4"].multiply_adds == 2 * 10 * 36
    assert table["3"].multiply_adds == table["3"].activation_bytes == 0
    assert found.parameters == 224 + 16 + 144 + 370 == sum(row.parameters for row in found.rows)
    assert found.parameter_bytes == 4 * found.parameters
    assert found.buffer_bytes == 2 * 8 * 4 + 8
    assert found.input_bytes == 4 * 2 * 3 * 64
    assert found.activation_bytes == 4 * (3 * 1024 + 72 + 72 + 20)
    assert "3.0" not in str(found)
    assert "    0: Conv2d" in str(found)
    assert "buffers 72 B" in str(found)


def test_shared_modules_and_parameters_are_counted_once():
    layer = nn.Linear(4, 4)
    other = nn.Linear(4, 4, bias=False)
    other.weight = layer.weight
    found = nn.summary(nn.Sequential(layer, layer, other, nn.Identity()), gg.ones((3, 4)))
    table = rows(found)
    assert list(table) == ["", "0", "2", "3"]
    assert table["0"].calls == 2
    assert (table["0"].parameters, table["2"].parameters, found.parameters) == (20, 0, 20)
    assert (table["0"].multiply_adds, found.multiply_adds) == (96, 144)
    assert table["3"].activation_bytes == 0
    assert "called 2 times" in str(found)


class Two(nn.Module):
    def __init__(self):
        super().__init__()
        self.left, self.right, self.unused = nn.Linear(2, 3), nn.Linear(4, 3), nn.Linear(1, 1)
        self.unused.requires_grad_(False)
        self.both = nn.Bilinear(3, 3, 5)

    def forward(self, a, b):
        return self.both(self.left(a), self.right(b)), {"more": a}


@pytest.mark.parametrize("pack", [lambda a, b: (a, b), lambda a, b: [a, b], lambda a, b: {"b": b, "a": a}])
def test_several_inputs(pack):
    found = nn.summary(Two(), pack(gg.ones((7, 2)), gg.ones((7, 4))))
    table = rows(found)
    assert table[""].output_shapes == [(7, 5), (7, 2)]
    assert table["both"].multiply_adds == 7 * 5 * 9
    assert table["unused"].calls == 0
    assert "not called" in str(found)
    assert found.parameters - found.trainable == 2
    assert found.input_bytes == 4 * 7 * 6


def test_transposed_recurrent_and_attention():
    found = nn.summary(nn.ConvTranspose2d(4, 6, 3, stride=2, groups=2), gg.ones((2, 4, 5, 5)))
    assert found.multiply_adds == 2 * 4 * 25 * 3 * 9
    found = nn.summary(nn.LSTM(3, 5, num_layers=2), gg.ones((7, 2, 3)))
    assert found.multiply_adds == 14 * 20 * (3 + 5 + 5 + 5)
    found = nn.summary(nn.GRUCell(3, 5), gg.ones((2, 3)))
    assert found.multiply_adds == 2 * 15 * (3 + 5)
    x, y = gg.ones((2, 7, 8)), gg.ones((2, 5, 8))
    found = nn.summary(nn.MultiheadAttention(8, 2, batch_first=True), (x, y, y))
    projections = 2 * 7 * 64 + 2 * (2 * 5 * 64)
    products = 2 * (2 * 2 * 7 * 5 * 4)  # scores and weighted sums: batch, heads, queries, keys, width of a head
    assert found.multiply_adds == projections + products + 2 * 7 * 64


def test_a_module_that_says_its_work():
    class Gram(nn.Module):
        def multiply_adds(self, inputs, output):
            return output.size * inputs[0].shape[1]

        def forward(self, x):
            return x @ x.T

    assert nn.summary(Gram(), gg.ones((3, 5))).multiply_adds == 45


def test_it_leaves_no_trace():
    model = nn.Sequential(nn.BatchNorm1d(3), nn.Dropout(0.5), nn.Linear(3, 1))
    model[1].eval()
    model(gg.ones((4, 3))).sum().backward()
    state = {key: value.numpy() for key, value in model.state_dict().items()}
    grad, random = model[2].weight.grad, gg.random.default_generator.state
    nn.summary(model, gg.ones((4, 3)))
    assert [m.training for m in model] == [True, False, True]
    assert model[2].weight.grad is grad
    assert gg.random.default_generator.state == random
    for key, value in model.state_dict().items():
        numpy.testing.assert_array_equal(value.numpy(), state[key])
    assert all(not m._hooks.after for m in model.modules())
    with pytest.raises(ValueError, match="expected"):
        nn.summary(model, gg.ones((4, 5)))
    assert all(not m._hooks.after for m in model.modules())
    assert [m.training for m in model] == [True, False, True]


def test_lazy_layers_have_their_shapes_afterwards():
    model = nn.Sequential(nn.LazyLinear(2))
    found = nn.summary(model, gg.ones((1, 3)))
    assert found.parameters == 8
    assert found.rows[1].kind == "Linear"


def test_refused():
    with pytest.raises(TypeError, match="summary: expected model as a Module, got int"):
        nn.summary(3, gg.ones(1))
