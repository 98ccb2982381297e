"""Recurrent layers: against PyTorch, finite differences and their own single steps; packed sequences; errors."""

from __future__ import annotations

import numpy
import pytest

import gpugrad as gg
from gpugrad import nn
from gpugrad.nn.utils import rnn

TOLERANCE = {"float64": 1e-9, "float32": 1e-5}
OPTIONS = [
    {}, {"bias": False}, {"batch_first": True}, {"bidirectional": True}, {"num_layers": 2, "dropout": 0.5},
    {"num_layers": 2, "bidirectional": True, "batch_first": True},
]  # fmt: skip
LAYERS = [
    *[(name, more) for name in ("RNN", "LSTM", "GRU") for more in OPTIONS],
    ("RNN", {"nonlinearity": "relu"}), ("RNN", {"nonlinearity": "relu", "bidirectional": True}),
    ("LSTM", {"proj_size": 2}), ("LSTM", {"proj_size": 3, "num_layers": 2, "bidirectional": True, "bias": False}),
]  # fmt: skip
CELLS = [(name, more) for name in ("RNNCell", "LSTMCell", "GRUCell") for more in ({}, {"bias": False})]
CELLS += [("RNNCell", {"nonlinearity": "relu"})]
pytestmark = pytest.mark.filterwarnings("ignore:LSTM with projections is not supported with oneDNN")
layers = pytest.mark.parametrize(("name", "more"), LAYERS, ids=str)


def made(name, more, dtype):
    """The layer of either library with the same state, in evaluation mode."""
    torch = pytest.importorskip("torch", reason="PyTorch is the oracle of this test")
    theirs = getattr(torch.nn, name)(4, 5, **more).to(getattr(torch, dtype)).eval()
    ours = getattr(nn, name)(4, 5, **more).to(dtype).eval()
    assert list(ours.state_dict()) == list(theirs.state_dict())
    ours.load_state_dict({key: value.numpy() for key, value in theirs.state_dict().items()})
    theirs.load_state_dict({key: torch.tensor(value.numpy()) for key, value in ours.state_dict().items()})
    assert repr(ours) == repr(theirs)
    return torch, ours, theirs


def flat(result):
    """The Tensors of an output, in order."""
    if isinstance(result, tuple | list) and not hasattr(result, "data"):
        return [part for whole in result for part in flat(whole)]
    return [result.data if hasattr(result, "batch_sizes") else result]


def states(layer, batch, rng, dtype):
    """Random hidden states of the right shapes."""
    count = layer.num_layers * (1 + layer.bidirectional)
    sizes = [layer.proj_size or 5, 5][: 2 if isinstance(layer, nn.LSTM) else 1]
    return [rng.standard_normal((count, *batch, n)).astype(dtype) for n in sizes]


def compare(torch, ours, theirs, calls, arrays, dtype, rng):
    """Outputs, gradients of inputs and parameters, and a second derivative of the first input."""
    tolerance = TOLERANCE[dtype]

    def close(a, b):
        numpy.testing.assert_allclose(a.numpy(), b.detach().numpy(), rtol=10 * tolerance, atol=tolerance)

    for p in ours.parameters():
        p.grad = None
    xs = [gg.tensor(a, requires_grad=True) for a in arrays]
    ts = [torch.tensor(a, requires_grad=True) for a in arrays]
    ys, es = flat(calls[0](*xs)), flat(calls[1](*ts))
    assert len(ys) == len(es)
    for y, e in zip(ys, es, strict=True):
        assert y.shape == tuple(e.shape)
        close(y, e)
    gs = [rng.standard_normal(y.shape).astype(dtype) for y in ys]
    own = sum((y * gg.tensor(g)).sum() for y, g in zip(ys, gs, strict=True))
    own.backward(retain_graph=True)
    loss = sum((e * torch.tensor(g)).sum() for e, g in zip(es, gs, strict=True))
    first = torch.autograd.grad(loss, [*ts, *theirs.parameters()], create_graph=True)
    for p, d in zip([*xs, *ours.parameters()], first, strict=True):
        close(p.grad, d)
    if dtype == "float64":
        for p in [*xs, *ours.parameters()]:
            p.grad = None
        own.backward(create_graph=True)
        h, k = xs[0].grad, next(ours.parameters()).grad
        for p in [*xs, *ours.parameters()]:
            p.grad = None
        ((h * h).sum() + (k * k).sum()).backward()
        total = (first[0] ** 2).sum() + (first[len(ts)] ** 2).sum()
        second = torch.autograd.grad(total, [*ts, *theirs.parameters()], allow_unused=True, materialize_grads=True)
        for p, d in zip([*xs, *ours.parameters()], second, strict=True):
            if p.grad is not None or d.abs().max() > 0:
                close(p.grad, d)


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("given", [False, True], ids=["zeros", "hx"])
@layers
def test_against_pytorch(name, more, given, dtype, rng):
    torch, ours, theirs = made(name, more, dtype)
    shape = (2, 3, 4) if more.get("batch_first") else (3, 2, 4)
    arrays = [rng.standard_normal(shape).astype(dtype), *(states(ours, (2,), rng, dtype) if given else [])]

    def call(layer):
        return lambda x, *hx: layer(x, None if not hx else hx[0] if len(hx) == 1 else hx)

    compare(torch, ours, theirs, (call(ours), call(theirs)), arrays, dtype, rng)


@layers
def test_unbatched(name, more, rng):
    torch, ours, theirs = made(name, more, "float64")
    arrays = [rng.standard_normal((3, 4)), *states(ours, (), rng, "float64")]

    def call(layer):
        return lambda x, *hx: layer(x, hx[0] if len(hx) == 1 else hx)

    compare(torch, ours, theirs, (call(ours), call(theirs)), arrays, "float64", rng)


@pytest.mark.parametrize("lengths", [[4, 2, 1], [1, 4, 2], [3, 3, 3]], ids=str)
@layers
def test_packed(name, more, lengths, rng):
    torch, ours, theirs = made(name, more, "float64")
    arrays = [rng.standard_normal((max(lengths), 3, 4)), *states(ours, (3,), rng, "float64")]

    def call(layer, module):
        def run(x, *hx):
            packed = module.pack_padded_sequence(x, lengths, enforce_sorted=False)
            y, last = layer(packed, hx[0] if len(hx) == 1 else hx)
            return module.pad_packed_sequence(y)[0], last

        return run

    compare(torch, ours, theirs, (call(ours, rnn), call(theirs, torch.nn.utils.rnn)), arrays, "float64", rng)


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("batch", [(2,), ()], ids=str)
@pytest.mark.parametrize(("name", "more"), CELLS, ids=str)
def test_cells_against_pytorch(name, more, batch, dtype, rng):
    torch, ours, theirs = made(name, more, dtype)
    count = 2 if name == "LSTMCell" else 1
    arrays = [rng.standard_normal((*batch, n)).astype(dtype) for n in (4, *(5,) * count)]

    def call(layer):
        return lambda x, *hx: layer(x, hx[0] if count == 1 else hx)

    compare(torch, ours, theirs, (call(ours), call(theirs)), arrays, dtype, rng)
    compare(torch, ours, theirs, (ours, theirs), arrays[:1], dtype, rng) if "64" not in dtype else None


@pytest.mark.parametrize("name", ["RNN", "LSTM", "GRU"])
def test_a_layer_is_its_cell_step_by_step(name, rng):
    layer, cell = getattr(nn, name)(4, 5), getattr(nn, name + "Cell")(4, 5)
    cell.load_state_dict({key.removesuffix("_l0"): value for key, value in layer.state_dict().items()})
    x = gg.tensor(rng.standard_normal((6, 2, 4)), dtype=gg.float32)
    y, last = layer(x)
    state = None
    for t in range(6):
        state = cell(x[t], state)
        h = state[0] if name == "LSTM" else state
        numpy.testing.assert_allclose(h.numpy(), y[t].numpy(), rtol=1e-5, atol=1e-6)
    for a, b in zip(flat(last), flat(state), strict=True):
        numpy.testing.assert_allclose(a[0].numpy(), b.numpy(), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", ["RNN", "LSTM", "GRU"])
def test_derivatives_against_differences(name, rng):
    layer = getattr(nn, name)(3, 2, bidirectional=True).to(gg.float64)
    x = gg.tensor(rng.standard_normal((2, 2, 3)))
    assert gg.gradcheck(lambda x: flat(layer(x))[0], x)
    assert gg.gradgradcheck(lambda x: flat(layer(x))[0], x)


@pytest.mark.parametrize("name", ["RNN", "LSTM", "GRU"])
def test_large_gates_saturate(name, rng):
    layer = getattr(nn, name)(3, 4)
    x = gg.tensor(1e4 * rng.standard_normal((5, 2, 3)), dtype=gg.float32, requires_grad=True)
    y, _ = layer(x)
    y.sum().backward()
    assert numpy.isfinite(y.numpy()).all()
    assert numpy.isfinite(x.grad.numpy()).all()


@pytest.mark.parametrize("name", ["RNN", "LSTM", "GRU"])
def test_vmap(name, rng):
    layer = getattr(nn, name)(3, 4, bidirectional=True)
    x = gg.tensor(rng.standard_normal((5, 6, 3)), dtype=gg.float32)
    together = gg.vmap(lambda x: layer(x)[0])(x)
    numpy.testing.assert_allclose(
        together.numpy(), layer(gg.moveaxis(x, 0, 1))[0].numpy().swapaxes(0, 1), rtol=1e-5, atol=1e-6
    )
    each = gg.vmap(gg.grad(lambda x: (layer(x)[0] ** 2).sum()))(x)
    apart = [gg.grad(lambda x: (layer(x)[0] ** 2).sum())(x[i]) for i in range(5)]
    numpy.testing.assert_allclose(each.numpy(), numpy.stack([a.numpy() for a in apart]), rtol=1e-4, atol=1e-6)


def test_dropout_is_between_layers_only():
    one, two = (nn.GRU(3, 4, num_layers=n, dropout=1.0) for n in (1, 2))
    x = gg.ones((5, 2, 3))
    numpy.testing.assert_array_equal(one(x)[0].numpy(), one.eval()(x)[0].numpy())
    dropped, (y, _) = two(x)[0], two.eval()(x)
    assert not numpy.allclose(dropped.numpy(), y.numpy())
    with gg.no_grad():
        two.weight_ih_l1[...] = 0.0
    numpy.testing.assert_allclose(dropped.numpy(), two(x)[0].numpy(), rtol=1e-6)


def test_empty_batches():
    for name in ("RNN", "LSTM", "GRU"):
        layer = getattr(nn, name)(3, 4)
        y, _ = layer(gg.zeros((5, 0, 3)))
        y.sum().backward()
        assert y.shape == (5, 0, 4)
        assert all((p.grad.numpy() == 0).all() for p in layer.parameters())


def test_initial_parameters():
    layer = nn.LSTM(3, 16, num_layers=2)
    values = numpy.concatenate([p.numpy().ravel() for p in layer.parameters()])
    assert abs(values).max() <= 0.25
    assert values.std() == pytest.approx(0.25 / 3**0.5, rel=0.1)


# ---------------------------------------------------------------- packing


@pytest.mark.parametrize("lengths", [[5, 3, 1], [2, 5, 5, 1], [1], [2, 2]], ids=str)
@pytest.mark.parametrize("batch_first", [False, True])
@pytest.mark.parametrize("shape", [(), (2,)], ids=str)
def test_packing_is_pytorchs(lengths, batch_first, shape, rng):
    torch = pytest.importorskip("torch", reason="PyTorch is the oracle of this test")
    theirs = torch.nn.utils.rnn
    size = (len(lengths), 6) if batch_first else (6, len(lengths))
    a = rng.standard_normal((*size, *shape))
    x, t = gg.tensor(a, requires_grad=True), torch.tensor(a, requires_grad=True)
    p = rnn.pack_padded_sequence(x, gg.tensor(lengths), batch_first, enforce_sorted=False)
    q = theirs.pack_padded_sequence(t, torch.tensor(lengths), batch_first, enforce_sorted=False)
    numpy.testing.assert_array_equal(p.data.numpy(), q.data.detach().numpy())
    assert list(p.batch_sizes) == q.batch_sizes.tolist()
    for name in ("sorted_indices", "unsorted_indices"):
        assert getattr(p, name).tolist() == getattr(q, name).tolist()
    (y, n), (e, m) = (f.pad_packed_sequence(s, batch_first, -1.0, 7) for f, s in ((rnn, p), (theirs, q)))
    numpy.testing.assert_array_equal(y.numpy(), e.detach().numpy())
    assert n.tolist() == m.tolist() == lengths
    (y * y).sum().backward()
    (e * e).sum().backward()
    numpy.testing.assert_allclose(x.grad.numpy(), t.grad.numpy(), rtol=1e-12)


@pytest.mark.parametrize("batch_first", [False, True])
@pytest.mark.parametrize("side", ["right", "left"])
def test_padding_is_pytorchs(batch_first, side, rng):
    torch = pytest.importorskip("torch", reason="PyTorch is the oracle of this test")
    arrays = [rng.standard_normal((n, 2)) for n in (3, 1, 4)]
    y = rnn.pad_sequence(map(gg.tensor, arrays), batch_first, 0.5, side)
    e = torch.nn.utils.rnn.pad_sequence([torch.tensor(a) for a in arrays], batch_first, 0.5, side)
    numpy.testing.assert_array_equal(y.numpy(), e.numpy())
    if side == "right":
        for a, b in zip(rnn.unpad_sequence(y, [3, 1, 4], batch_first), arrays, strict=True):
            numpy.testing.assert_array_equal(a.numpy(), b)
    packed = rnn.pack_sequence([gg.tensor(a) for a in arrays], enforce_sorted=False)
    for a, b in zip(rnn.unpack_sequence(packed), arrays, strict=True):
        numpy.testing.assert_array_equal(a.numpy(), b)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: nn.RNN(3, 4, nonlinearity="sigmoid"), "RNN: expected nonlinearity 'tanh' or 'relu', got 'sigmoid'"),
        (lambda: nn.RNNCell(3, 4, nonlinearity=""), "RNNCell: expected nonlinearity 'tanh' or 'relu', got ''"),
        (lambda: nn.GRU(0, 4), "GRU: expected input_size of at least 1, got 0"),
        (lambda: nn.GRU(3, 4, num_layers=0), "GRU: expected num_layers of at least 1, got 0"),
        (lambda: nn.LSTMCell(3, 2.5), "LSTMCell: expected hidden_size of at least 1, got 2.5"),
        (lambda: nn.LSTM(3, 4, proj_size=4), "LSTM: expected proj_size from 0 to hidden_size - 1, got 4"),
        (lambda: nn.LSTM(3, 4, dropout=1.5), r"a probability in \[0, 1\], got 1.5"),
        (lambda: nn.GRU(3, 4)(gg.ones(3)), r"GRU: expected an input with 2 axes \(unbatched\) or 3, got shape \(3,\)"),
        (lambda: nn.GRU(3, 4)(gg.ones((5, 2, 4))), r"GRU: expected an input of shape \(..., 3\), got \(5, 2, 4\)"),
        (lambda: nn.GRU(3, 4)(gg.ones((0, 2, 3))), r"GRU: expected an input of at least 1 step, got shape \(0, 2, 3\)"),
        (lambda: nn.GRU(3, 4)(gg.ones((5, 2, 3)), gg.ones((2, 4))),
         r"GRU: expected hx of shape \(1, 2, 4\), got \(2, 4\)"),
        (lambda: nn.LSTM(3, 4)(gg.ones((5, 2, 3)), gg.ones((1, 2, 4))),
         r"LSTM: expected hx as \(h_0, c_0\) of shapes \(1, 2, 4\), \(1, 2, 4\), got \(1, 2, 4\)"),
        (lambda: nn.LSTMCell(3, 4)(gg.ones((2, 3)), (gg.ones((2, 4)), gg.ones((1, 4)))),
         r"LSTMCell: expected hx as \(h, c\), both of shape \(2, 4\), got \(2, 4\), \(1, 4\)"),
        (lambda: nn.GRUCell(3, 4)(gg.ones((2, 4))),
         r"GRUCell: expected an input of shape \(N, 3\) or \(3,\), got \(2, 4\)"),
        (lambda: rnn.pack_padded_sequence(gg.ones((5, 2)), [3]), "expected lengths of 2 sequences, got 1"),
        (lambda: rnn.pack_padded_sequence(gg.ones((5, 2)), [6, 1]), "expected lengths of at most 5 steps, got 6"),
        (lambda: rnn.pack_padded_sequence(gg.ones((5, 2)), [3, 0]),
         r"expected a length of at least 1 .*, got \[3, 0\]"),
        (lambda: rnn.pack_padded_sequence(gg.ones((5, 2)), [2, 3]),
         r"expected the longest sequence first, got lengths \[2, 3\]"),
        (lambda: rnn.pack_padded_sequence(gg.ones(5), [2]), r"expected an input \(T, B, ...\), got shape \(5,\)"),
        (lambda: rnn.pad_packed_sequence(rnn.pack_sequence([gg.ones(3)]), total_length=2),
         "a total_length of at least 3, got 2"),
        (lambda: rnn.pad_sequence([]), r"pad_sequence: expected at least one sequence, .* got \[\]"),
        (lambda: rnn.pack_sequence([gg.ones((1, 2)), gg.ones((1, 3))]), "pack_sequence: expected .* the same"),
        (lambda: rnn.pad_sequence([gg.ones(3)], padding_side="up"),
         "expected padding_side 'right' or 'left', got 'up'"),
        (lambda: rnn.unpad_sequence(gg.ones((3, 2)), [1]), "unpad_sequence: expected lengths of 2 sequences, got 1"),
    ],
)  # fmt: skip
def test_wrong_arguments(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_lengths_are_whole_numbers():
    x = gg.ones((5, 2))
    assert rnn.pack_padded_sequence(x, [numpy.int64(3), 1]).batch_sizes == (2, 1, 1)
    with pytest.raises(TypeError, match="expected the lengths of the sequences, got 3"):
        rnn.pack_padded_sequence(x, 3)
    with pytest.raises(TypeError, match="float"):
        rnn.pack_padded_sequence(x, [3.0, 1.0])
