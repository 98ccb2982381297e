"""The graph as data: values, gradients and edges, against the engine and against the lectures' numbers."""

from __future__ import annotations

import gc
import json
import weakref
from functools import partial

import numpy
import pytest
from cases import ROWS, outputs, tensors
from cases.checks import together

import gpugrad as gg
from gpugrad import nn
from gpugrad.testing import cuda_simulator


def variable(value, dtype=None):
    return gg.tensor(value, dtype=dtype, requires_grad=True)


def by_name(drawing):
    return {node.name: node for node in drawing.picture.nodes if node.name}


def numbers(drawing, label):
    return [(n.value.number, n.gradient.number) for n in drawing.picture.nodes if n.label == label]


def neuron(w0, x0, w1, x1, w2):
    return 1 / (1 + gg.exp(-(w0 * x0 + w1 * x1 + w2)))


# -------------------------------------------------------------------- the lectures


def test_the_first_example_of_the_lecture():
    x, y, z = variable(-2.0), variable(5.0), variable(-4.0)
    q = x + y
    f = q * z
    drawing = gg.draw(f)
    seen = {name: (n.value.number, n.gradient.number) for name, n in by_name(drawing).items()}
    assert seen == {"x": (-2, -4), "y": (5, -4), "z": (-4, 3), "q": (3, -4), "f": (-12, 1)}
    picture = drawing.picture
    names = [node.name for node in picture.nodes]
    edges = {(names[e.source], names[e.target], e.position): e for e in picture.edges}
    assert {key: (e.local.number, e.contribution.number) for key, e in edges.items()} == {
        ("x", "q", 0): (1, -4), ("y", "q", 1): (1, -4), ("q", "f", 0): (-4, -4), ("z", "f", 1): (3, 3),
    }  # fmt: skip
    assert names[picture.output] == "f"
    assert [(n.label, n.gate, n.op) for n in picture.nodes if n.kind == "operation"] == [
        ("+", "distributor", "add"), ("×", "switcher", "multiply")
    ]  # fmt: skip


def test_the_sigmoid_neuron_of_the_lecture():
    drawing = gg.draw(neuron, 2.0, -1.0, -3.0, -2.0, -3.0)
    shown = [(n.name or n.label, n.value.text, n.gradient.text) for n in drawing.picture.nodes]
    assert shown == [
        ("w0", "2.00", "-0.20"), ("x0", "-1.00", "0.39"), ("w1", "-3.00", "-0.39"), ("x1", "-2.00", "-0.59"),
        ("w2", "-3.00", "0.20"), ("×", "-2.00", "0.20"), ("×", "6.00", "0.20"), ("+", "4.00", "0.20"),
        ("+", "1.00", "0.20"), ("×−1", "-1.00", "-0.20"), ("exp", "0.37", "-0.53"), ("+1", "1.37", "-0.53"),
        ("1/x", "0.73", "1.00"),
    ]  # fmt: skip


def test_without_observing_the_neuron_is_the_same():
    w0, x0, w1, x1, w2 = (variable(v) for v in (2.0, -1.0, -3.0, -2.0, -3.0))
    f = neuron(w0, x0, w1, x1, w2)
    one, other = gg.draw(f).picture, gg.draw(neuron, 2.0, -1.0, -3.0, -2.0, -3.0).picture
    plain = [(n.label, n.value, n.gradient, n.constants) for n in one.nodes if n.kind == "operation"]
    assert plain == [(n.label, n.value, n.gradient, n.constants) for n in other.nodes if n.kind == "operation"]
    assert one.edges == other.edges


def test_branches_add_up():
    x = variable(3.0)
    y = x * x + x
    drawing = gg.draw(y)
    edges = [e.contribution.number for e in drawing.picture.edges if e.source == by_name(drawing)["x"].id]
    assert sorted(edges) == [1, 3, 3]
    assert by_name(drawing)["x"].gradient.number == 7


# -------------------------------------------------------------------- against the engine


@pytest.mark.parametrize("row", [row for row in ROWS if not row.constant], ids=str)
def test_every_operation_is_drawn_with_the_gradients_of_backward(row):
    together(str(row), {
        "all variables": partial(is_drawn_with_the_gradients_of_backward, row, False),
        "one variable": partial(is_drawn_with_the_gradients_of_backward, row, True),
    })  # fmt: skip


def is_drawn_with_the_gradients_of_backward(row, alone):
    shapes = row.shapes[min(2, len(row.shapes) - 1) if alone else 0]  # single numbers, and often a matrix and a vector
    inputs = tensors(row.inputs(numpy.random.default_rng(0), shapes), requires_grad=not alone)
    if alone:
        inputs[next(i for i, x in enumerate(inputs) if x.dtype.kind in "fc")].requires_grad = True
    with numpy.errstate(all="ignore"), gg.observe() as seen:
        ys = [y for y in outputs(row.call(*inputs, **row.variants[0])) if y.node is not None]
        loss = sum(gg.real(y * gg.conj(y)).sum() for y in ys)
    if not ys:
        return  # constant by this input
    observed = gg.draw(loss)
    del seen
    unobserved = gg.draw(loss)
    with numpy.errstate(all="ignore"):
        loss.backward()
    for drawing in (observed, unobserved):
        compare_with_backward(drawing, inputs)
        json.dumps(drawing.to_dict(), allow_nan=False)
    one, other = ([n for n in d.picture.nodes if n.kind == "operation"] for d in (observed, unobserved))
    assert [n.gradient for n in one] == [n.gradient for n in other]
    for known, node in zip(one, other, strict=True):
        assert node.value in (None, known.value), f"{node.op}: nothing, or what is right"
    assert all(n.value is not None for n in one if n.dtype)


def compare_with_backward(drawing, inputs):
    found = by_name(drawing)
    for i, x in enumerate(inputs):
        node = found.get(f"inputs[{i}]")
        if node is None or node.kind == "constant" or node.dtype.startswith("complex"):
            continue
        expected = x.grad.numpy().reshape(-1)[:16]
        numpy.testing.assert_array_equal(numpy.array(node.gradient.numbers, dtype=expected.dtype), expected)
        assert node.gradient.shape == x.shape
    for node in drawing.picture.nodes:
        assert node.value is None or not node.dtype or node.value.shape == node.shape


def small_model():
    return nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2))


def test_a_gradient_is_the_sum_over_the_edges_that_leave():
    xs = [variable(v, gg.float64) for v in (0.3, -0.7, 1.1)]
    a, b, c = xs
    for _ in range(6):
        a, b, c = gg.sin(a * b), gg.maximum(b, c) + a, c - a * c
    y = a + b * c
    picture = gg.draw(y).picture
    sums = dict.fromkeys(range(len(picture.nodes)), 0.0)
    sums[picture.output] = 1.0
    for edge in picture.edges:
        sums[edge.source] += edge.contribution.number
        upstream = picture.nodes[edge.target].gradient.number
        assert edge.contribution.number == pytest.approx(edge.local.number * upstream)
    for node in picture.nodes:
        assert node.gradient.number == pytest.approx(sums[node.id])
    y.backward()
    assert [by_name(gg.draw(x * 1))["x"].name for x in xs] == ["x"] * 3
    assert [n.gradient.number for n in picture.nodes if n.kind == "leaf"] == [x.grad.item() for x in xs]


def test_drawing_changes_nothing():
    def run(drawn):
        model, x = small_model(), gg.ones((5, 3))
        for i, p in enumerate(model.parameters()):
            with gg.no_grad():
                p *= 0
                p += 0.1 * (i + 1)
        loss = (model(x) ** 2).sum()
        if drawn:
            gg.draw(loss)
            gg.draw(model, x)
            assert all(p.grad is None for p in model.parameters())
        loss.backward(retain_graph=True)
        loss.backward()
        return [p.grad.numpy() for p in model.parameters()]

    for with_picture, without in zip(run(True), run(False), strict=True):
        numpy.testing.assert_array_equal(with_picture, without)


def test_hooks_are_not_called():
    model, calls = small_model(), []
    model.register_full_backward_hook(lambda *_: calls.append("module"))
    model.register_full_backward_pre_hook(lambda *_: calls.append("module"))
    x = variable([[1.0, 2.0, 3.0]])
    x.register_hook(lambda g: calls.append("tensor"))
    h = model(x)
    h.register_hook(lambda g: g * 100)
    loss = h.sum()
    drawing = gg.draw(loss)
    assert calls == []
    assert by_name(drawing)["h"].gradient.numbers == (1, 1)
    hooks = [n for n in drawing.picture.nodes if n.op == "backward hooks"]
    assert len(hooks) == 2
    plain = small_model()
    plain.load_state_dict(model.state_dict())
    plain(x).sum().backward()
    numpy.testing.assert_allclose(by_name(drawing)["x"].gradient.numbers, x.grad.numpy()[0], rtol=1e-6)
    assert calls == ["tensor"]


def test_drawing_keeps_nothing_alive():
    class Held(gg.Tensor):
        __slots__ = ()

    gc.collect()
    gc.disable()
    try:

        def run():
            model, x = small_model(), gg.ones((5, 3))
            h = model(x)
            where = gg.tensor([0, 2])
            loss = (h * h)[where].sum()
            array = h.data
            drawings = [gg.draw(loss), gg.draw(model, x), gg.draw(lambda x: (model(x) * 2).sum(), x)]
            with gg.observe() as seen:
                again = (model(x) ** 2)[where].sum()
            drawings += [gg.draw(again)]
            drawings += [drawings[0].picture.nodes]
            refs = [weakref.ref(t) for t in (model, x, h, loss, again, array, where, where.data, *model.parameters())]
            return refs, drawings, seen

        refs, drawings, seen = run()
        assert [ref() for ref in refs if ref() is not None] == []
        assert drawings
        assert seen.seen.notes
    finally:
        gc.enable()


def test_variables_that_are_deleted_after_a_drawing_are_gone():
    """Before Python 3.13 a frame keeps the dictionary of its variables once somebody has looked at it."""
    gc.disable()
    try:
        x = variable([1.0, 2.0])
        y = (x * x).sum()
        gg.draw(y)
        gg.draw(lambda x: (x * x).sum(), x)
        ref = weakref.ref(x)
        del x, y
        assert ref() is None
    finally:
        gc.enable()


def test_a_long_chain_does_not_recurse():
    x = variable(1.0)
    y = x
    for _ in range(3000):
        y = y + x
    picture = gg.draw(y).picture
    assert len(picture.nodes) == 3001
    assert picture.nodes[0].gradient.number == 3001
    assert sum(group.open for group in picture.groups) > 0


def test_too_long_a_chain_is_an_error(monkeypatch):
    from gpugrad.drawing import gradients

    monkeypatch.setattr(gradients, "MOST", 100)
    y = variable(1.0)
    for _ in range(200):
        y = gg.sin(y)
    with pytest.raises(ValueError, match="draw: expected a graph of at most 100 nodes, got more"):
        gg.draw(y)


# -------------------------------------------------------------------- what is known, and what is not


def test_an_unknown_value_is_not_shown():
    def made():
        noise = gg.ones(3) * 7
        return noise

    x = variable([1.0, 2.0, 3.0])
    y = ((gg.abs(x + made()) + 0) + made()).sum()
    picture = gg.draw(y).picture
    add, absolute = [n for n in picture.nodes if n.op in ("add", "abs")][:2]
    assert add.label == "+…"
    assert add.value.numbers == (8, 9, 10), "kept by the rule of abs"
    assert absolute.value.numbers == (8, 9, 10), "computed again"
    values = [n.value and n.value.numbers for n in picture.nodes if n.op == "add"]
    assert values == [(8, 9, 10), (8, 9, 10), None]


def test_values_of_users_operations_are_not_computed_again():
    state = [0.0]

    @gg.primitive
    def unsteady(xp, x, /):
        state[0] += 1
        return x + state[0]

    unsteady.vjp(x=lambda xp, g: g)
    x = variable(1.0)
    y = unsteady(x) + 0.0
    picture = gg.draw(y).picture
    assert [n.value for n in picture.nodes if n.op == "unsteady"] == [None]
    with gg.observe() as seen:
        y = unsteady(x) + 0.0
    assert [n.value.number for n in gg.draw(y).picture.nodes if n.op == "unsteady"] == [y.item()]
    assert seen


def test_a_leaf_that_was_changed_shows_no_value():
    x, y = variable(2.0), variable(3.0)
    f = x + y
    with gg.no_grad():
        x += 10.0
    drawing = gg.draw(f)
    assert by_name(drawing)["x"].value is None
    assert by_name(drawing)["y"].value.number == 3
    assert by_name(drawing)["f"].value.number == 5


def test_a_leaf_that_a_rule_needs_and_that_was_changed_is_an_error():
    x, y = variable(2.0), variable(3.0)
    f = x * y
    with gg.no_grad():
        x += 10.0
    with pytest.raises(gg.GradientError, match="changed in place"):
        gg.draw(f)


@pytest.mark.parametrize("start", [0.7, 1e8, [0.5, 2.0]], ids=str)
@pytest.mark.parametrize("constant", [1.0, -3, 1 / 3, 1e-3, True])
@pytest.mark.parametrize(
    "f",
    [
        lambda x, c: x + c, lambda x, c: c + x, lambda x, c: c - x, lambda x, c: x * c, lambda x, c: x - c,
        lambda x, c: x / c, lambda x, c: c / x, lambda x, c: gg.add(c, x),
    ],
)  # fmt: skip
def test_a_number_that_no_rule_needs_is_known_too(f, constant, start):
    """Also where rounding hides it: it is not recovered from the values."""
    y = f(variable(start), constant)
    with gg.debug():  # recorded on the general path
        z = f(variable(start), constant)
    for node in (gg.draw(y).picture.nodes[-1], gg.draw(z).picture.nodes[-1]):
        assert list(node.constants.values()) == [constant]
        assert "…" not in node.label


def test_an_array_that_the_graph_does_not_hold_is_not_guessed():
    x = variable(2.0)
    y = x + gg.tensor(1.0)
    assert gg.draw(y).picture.nodes[-1].label == "+…"


def test_views_of_a_changed_leaf_show_no_value():
    x = variable([1.0, 2.0, 3.0])
    part = x[:2]
    y = part.sum()
    with gg.no_grad():
        x += 1.0
    found = by_name(gg.draw(y))
    assert found["part"].value is None
    assert found["y"].value.number == 3
    assert by_name(gg.draw(part))["part"].value is None, "nothing has read it yet, and it shares the leaf's memory"


def test_a_static_parameter_that_is_not_kept_makes_a_value_unknown():
    x = variable([1.234, 5.678])
    y = (gg.round(x, 1) + 0).sum()
    assert [n.value for n in gg.draw(y).picture.nodes if n.op == "round"] == [None]
    y = (gg.sin(x).reshape(2, 1) + x.reshape(2, 1)).sum(axis=0, keepdims=True) + x
    values = [(n.op, n.value and n.value.shape) for n in gg.draw(y).picture.nodes if n.kind == "operation"]
    assert values == [
        ("sin", (2,)), ("reshape", (2, 1)), ("reshape", (2, 1)), ("add", (2, 1)), ("sum", (1, 1)), ("add", (1, 2))
    ], "where the node knows what they do to the shape, all are"  # fmt: skip


def test_the_value_of_what_a_function_returns_is_known():
    node = gg.draw(gg.checkpoint(lambda x: gg.sin(x) * 2), 1.0).picture.nodes[-1]
    assert node.op == "output"
    assert node.value.number == pytest.approx(2 * numpy.sin(1))


def test_what_a_picture_computes_is_not_observed():
    x = variable(1.0)
    with gg.observe() as seen:
        y = gg.checkpoint(gg.sin)(x) * 2
        before = len(seen.seen.notes)
        gg.draw(y)
        assert len(seen.seen.notes) == before


# -------------------------------------------------------------------- kinds of graphs


def test_several_outputs():
    x = variable([3.0, 1.0, 2.0])
    with gg.observe() as seen:
        values, where = gg.unstack(gg.stack([x, x * 2]))
        y = (values * 3).sum() + where.sum()
    picture = gg.draw(y).picture
    assert seen
    taken = [n for n in picture.nodes if n.op == "output"]
    assert [n.label for n in taken] == ["[0]", "[1]"]
    assert [n.name for n in taken] == ["values", "where"]
    assert [n.gradient.numbers for n in taken] == [(3, 3, 3), (1, 1, 1)]
    assert by_name(gg.draw(y))["x"].gradient.numbers == (5, 5, 5)


def test_checkpointed_parts_are_one_node():
    w = variable(0.5)
    x = variable(2.0)
    f = gg.checkpoint(lambda x: gg.sin(x * w))
    y = f(x) * 3
    drawing = gg.draw(y)
    y.backward()
    found = by_name(drawing)
    assert found["w"].gradient.number == w.grad.item()
    assert found["x"].gradient.number == x.grad.item()
    assert [n.op for n in drawing.picture.nodes if n.kind == "operation"] == ["checkpoint", "output", "multiply"]


def test_recorded_gradients_are_graphs_too():
    x = variable(3.0)
    y = x * x * x
    y.backward(create_graph=True)
    slope = x.grad
    drawing = gg.draw(slope)
    assert by_name(drawing)["x"].gradient.number == 18
    assert by_name(drawing)["slope"].value.number == 27


def test_several_elements_start_from_ones_or_from_what_is_given():
    x = variable([1.0, 2.0])
    y = x * x
    assert by_name(gg.draw(y))["x"].gradient.numbers == (2, 4)
    assert by_name(gg.draw(y, gradient=gg.tensor([10.0, 0.0])))["x"].gradient.numbers == (20, 0)
    with pytest.raises(ValueError, match="expected a gradient like the tensor"):
        gg.draw(y, gradient=gg.ones(3))


def test_complex_numbers():
    z = gg.tensor([1 + 2j, 3 - 1j], requires_grad=True)
    y = gg.abs(z * z).sum()
    drawing = gg.draw(y)
    y.backward()
    found = by_name(drawing)["z"]
    assert found.dtype == "complex64"
    assert found.value.number is None
    assert drawing.picture.formulas is None
    scalar = gg.tensor(1 + 2j, requires_grad=True)
    w = gg.real(scalar * scalar)
    assert by_name(gg.draw(w))["scalar"].gradient.text == "2.00-4.00i"


def test_numbers_that_json_has_not():
    x = variable(0.0)
    with numpy.errstate(all="ignore"):
        y = gg.log(x) * 0
    picture = gg.draw(y).picture
    assert picture.nodes[1].value.number == "-inf"
    assert picture.nodes[2].value.number == "nan"
    assert '"-inf"' in json.dumps(gg.draw(y).to_dict(), allow_nan=False)


def test_shapes_dtypes_and_previews():
    x = variable(numpy.arange(40.0).reshape(4, 10))
    y = (x * 2).sum()
    node = by_name(gg.draw(y))["x"]
    assert (node.shape, node.dtype) == ((4, 10), "float64")
    assert node.value.numbers == tuple(range(16))
    assert (node.value.low, node.value.high, node.value.text) == (0, 39, "0.00 … 39.00")
    assert (node.gradient.low, node.gradient.high) == (2, 2)


def test_local_derivatives_are_described():
    x = variable(numpy.linspace(-1, 1, 4096))
    zero = gg.tensor(numpy.zeros(4096))
    y = gg.maximum(x, zero)
    loss = y.sum()
    edges = {(e.target, e.position): e.local for e in gg.draw(loss).picture.edges if e.local}
    diagonal, ones = edges.values()
    assert diagonal.text == "diagonal of ones and zeros, 4096 entries"
    assert diagonal.shape == (4096, 4096)
    assert (diagonal.low, diagonal.high) == (0, 1)
    assert ones.text == "a one for every element"
    assert ones.shape == (4096,)
    w, v = variable(numpy.ones((2, 3))), variable(numpy.ones(3))
    bias = variable(numpy.ones(()))
    y = w @ v + bias
    texts = [e.local.text for e in gg.draw(y).picture.edges]
    assert texts == [
        "the right operand, transposed", "the left operand, transposed", "identity, 2 entries",
        "identity, summed over the axes of the broadcast",
    ]  # fmt: skip


def test_what_is_called_diagonal_is(rng, device):
    """Of every operation whose result has its input's shape: the whole Jacobian, by the transform."""
    seen = set()
    for row in ROWS:
        inputs = tensors(row.inputs(rng, row.shapes[min(2, len(row.shapes) - 1)]), requires_grad=False)
        place = next((i for i, x in enumerate(inputs) if x.dtype.kind == "f" and 1 < x.size <= 16), None)
        if row.constant or place is None or (row.host_only and not device.is_host):
            continue

        def f(x, row=row, inputs=inputs, place=place):
            return row.call(*[x if i == place else v for i, v in enumerate(inputs)], **row.variants[0])

        x = gg.tensor(inputs[place].data, requires_grad=True)
        with numpy.errstate(all="ignore"):
            y = f(x)
        if not isinstance(y, gg.Tensor) or y.node is None or y.dtype.kind == "c" or y.shape != x.shape:
            continue
        edges = [e for e in gg.draw(y).picture.edges if e.local]
        if len(edges) != 1 or not edges[0].local.text.startswith(("diagonal", "identity", "minus the identity")):
            continue
        with numpy.errstate(all="ignore"):
            jacobian = gg.jacobian(f)(x.detach()).numpy().reshape(x.size, x.size)
        diagonal = numpy.array([float(v) for v in edges[0].local.numbers])
        numpy.testing.assert_allclose(jacobian, numpy.diag(diagonal), rtol=1e-12, atol=1e-12, err_msg=row.name)
        seen.add(row.operation)
    assert len(seen) > 60


def test_formulas_are_there_for_single_numbers_alone():
    assert gg.draw(neuron, 2.0, -1.0, -3.0, -2.0, -3.0).picture.formulas["missing"] == []
    x = variable([1.0])
    assert gg.draw((x * 2).sum()).picture.formulas is None


# -------------------------------------------------------------------- functions and modules


def test_a_module_and_a_batch():
    model, batch = small_model(), gg.ones((5, 3))
    drawing = gg.draw(model, batch)
    found = by_name(drawing)
    assert {"0.weight", "0.bias", "2.weight", "2.bias", "batch"} <= found.keys()
    assert found["0.weight"].parameter
    assert not found["batch"].parameter
    assert found["batch"].kind == "constant"
    assert found["batch"].value.numbers == (1,) * 15
    assert [(g.label, g.kind) for g in drawing.picture.groups] == [
        ("Sequential", "module"), ("0: Linear", "module"), ("2: Linear", "module")
    ]  # fmt: skip
    assert all(n.line and "linear" not in n.line for n in drawing.picture.nodes if n.kind == "operation")


def test_a_leaf_is_a_graph_of_one_node():
    x = variable(2.0)
    picture = gg.draw(x).picture
    assert [(n.name, n.value.number, n.gradient.number) for n in picture.nodes] == [("x", 2, 1)]
    assert picture.edges == ()


def test_empty_arrays():
    x = variable(numpy.zeros((0, 3)))
    y = (x * 2).sum()
    node = by_name(gg.draw(y))["x"]
    assert (node.value.text, node.value.low, node.gradient.numbers) == ("empty", None, ())


def test_a_new_array_has_not_the_name_of_one_that_is_gone():
    """What a variable holds may be replaced meanwhile, as running means are, and the next array gets its address."""
    running = gg.tensor([5.0, 6.0])

    def f(x):
        running.become(gg.tensor([7.0, 8.0]))
        _made = [gg.zeros(2) for _ in range(200)]
        for constant in _made:
            x = x + constant
            del constant
        return x

    constants = [n.name for n in gg.draw(f, variable([1.0, 2.0])).picture.nodes if n.kind == "constant"]
    assert "running" not in constants


def test_a_frozen_parameter_is_a_constant():
    model = small_model()
    model[0].weight.requires_grad = False
    found = by_name(gg.draw(lambda x: model(x).sum(), gg.ones((5, 3))))
    assert "0.bias" in found
    assert "0.weight" not in found


def test_floats_become_variables_and_arrays_stay_constants():
    drawing = gg.draw(lambda a, b, n: (a * b * n).sum(), 2.0, gg.tensor([1.0, 2.0]).data, 3)
    found = by_name(drawing)
    assert found["a"].kind == "leaf"
    assert found["b"].kind == "constant"
    assert "×3" in [n.label for n in drawing.picture.nodes]


def test_it_records_inside_no_grad():
    with gg.no_grad():
        assert by_name(gg.draw(lambda x: x * x, 3.0))["x"].gradient.number == 6
        assert not gg.is_grad_enabled()


def test_variable_arguments_and_builtins_have_names():
    assert set(by_name(gg.draw(lambda *xs: xs[0] * xs[1], 2.0, 3.0))) == {"xs[0]", "xs[1]"}
    assert by_name(gg.draw(gg.multiply, 2.0, 3.0)).keys() == {"x1", "x2"}


def test_the_simulated_gpu(device):
    if cuda_simulator.is_installed():
        pytest.skip("the simulator is the device of this run")
    with cuda_simulator.installed(devices=2):
        x = gg.tensor(numpy.arange(20.0), device="cuda:1", requires_grad=True)
        w = gg.tensor(2.0, device="cuda:1", requires_grad=True)
        with gg.observe() as seen:
            y = (gg.sin(x * w) + 1).sum()
        for _ in range(2):
            found = by_name(gg.draw(y))
            assert found["w"].value.number == 2
            assert found["x"].value.numbers == tuple(range(16))
            y.backward(retain_graph=True)
            assert found["w"].gradient.number == pytest.approx(w.grad.item())
            w.grad = None
            seen = None
        assert seen is None


# -------------------------------------------------------------------- errors


def test_errors():
    with pytest.raises(gg.GradientError, match="draw: this tensor has no graph"):
        gg.draw(gg.ones(3))
    with pytest.raises(gg.GradientError, match="draw: this tensor has no graph"):
        gg.draw(lambda x: x.detach(), 3.0)
    x = variable(3.0)
    y = gg.sin(x * x)
    y.backward()
    with pytest.raises(gg.GradientError, match=r"walked back.*draw before backward\(\), or pass retain_graph=True"):
        gg.draw(y)
    with pytest.raises(TypeError, match="expected a Tensor, a function or a module, got float"):
        gg.draw(3.0)
    with pytest.raises(TypeError, match="expected the function to return a Tensor, got tuple"):
        gg.draw(lambda x: (x, x), 3.0)
    with pytest.raises(TypeError, match="expected a Tensor alone, got 1 more"):
        gg.draw(x * x, 3.0)
    with pytest.raises(ValueError, match="only for a single real element is it 1"):
        gg.draw(gg.tensor(1 + 1j, requires_grad=True) * 2)


def test_a_mapped_tensor_is_an_error():
    def f(x):
        y = x * x
        with pytest.raises(ValueError, match="stands for many samples: draw outside of vmap"):
            gg.draw(y)
        return y

    x = variable([1.0, 2.0])
    with gg.observe() as seen:
        y = gg.vmap(f)(x).sum()
    assert by_name(gg.draw(y))["x"].gradient.numbers == (2, 4)
    assert seen.seen.notes


def test_an_error_inside_the_function_leaves_nothing_on():
    with pytest.raises(ZeroDivisionError):
        gg.draw(lambda x: x * (1 // 0), 3.0)
    from gpugrad.core.modes import careful, observer

    assert observer() is None
    assert not careful.on or cuda_simulator.is_installed()
