"""Embeddings, bags of them, and the bilinear layer, against PyTorch, and what they refuse."""

import inspect

import numpy
import pytest

import gpugrad as gg
from gpugrad import nn
from gpugrad.nn import functional as F

TOLERANCE = {"float64": 1e-9, "float32": 1e-5}
dtypes = pytest.mark.parametrize("dtype", TOLERANCE)

INDICES = [[1, 2, 2], [4, 0, 2]]
# options, indices
TABLES = [
    ({}, INDICES),
    ({}, 3),
    ({}, numpy.zeros((0, 2), int).tolist()),
    ({"padding_idx": 2}, INDICES),
    ({"padding_idx": -1, "scale_grad_by_freq": True}, INDICES),
    ({"scale_grad_by_freq": True}, INDICES),
    ({"max_norm": 1.0}, INDICES),
    ({"max_norm": 0.5, "norm_type": 1.0, "padding_idx": 2}, INDICES),
]
FLAT = [1, 2, 2, 4, 0, 2, 1]
# options, indices, offsets, whether there are weights
BAGS = [
    (options, indices, offsets, False)
    for options in [{"mode": "sum"}, {"mode": "mean"}, {"mode": "max"}, {"mode": "sum", "padding_idx": 2},
                    {"mode": "mean", "padding_idx": 2}, {"mode": "max", "padding_idx": -3}]
    for indices, offsets in [(INDICES, None), (FLAT, [0, 2, 2, 6])]
]  # fmt: skip
BAGS += [
    ({"mode": "sum"}, INDICES, None, True),
    ({"mode": "sum", "padding_idx": 2}, FLAT, [0, 2, 2, 6], True),
    ({"mode": "mean", "include_last_offset": True}, FLAT, [0, 2, 5, 7], False),
    ({"mode": "mean", "max_norm": 1.0}, FLAT, [0, 2, 5], False),
    ({"mode": "max"}, [], [0, 0], False),
]


def close(a, b, dtype, scale=1):
    tolerance = scale * TOLERANCE[dtype]
    numpy.testing.assert_allclose(a.numpy(), b.numpy(force=True), rtol=tolerance, atol=tolerance)


def modules(torch, name, options, data, dtype):
    """Both libraries' module with the same table."""
    ours = getattr(nn, name)(*data.shape, **options).to(dtype)
    theirs = getattr(torch.nn, name)(*data.shape, **options).to(getattr(torch, dtype))
    assert list(ours.state_dict()) == list(theirs.state_dict())
    assert repr(ours) == repr(theirs)
    ours.load_state_dict({"weight": data})
    theirs.load_state_dict({"weight": torch.tensor(data)})
    return ours, theirs


def compare(torch, ours, theirs, inputs, dtype, rng, leaves=((), ())):
    """Value, gradient and second derivative."""
    y, e = ours(*(None if i is None else gg.asarray(i) for i in inputs[0])), theirs(*inputs[1])
    assert y.shape == tuple(e.shape)
    assert y.dtype == dtype
    close(y, e, dtype)
    close(ours.weight, theirs.weight, dtype)
    g = numpy.asarray(rng.standard_normal(e.shape), dtype)
    y.backward(gg.tensor(g))
    e.backward(torch.tensor(g))
    for a, b in zip((ours.weight, *leaves[0]), (theirs.weight, *leaves[1]), strict=True):
        close(a.grad, b.grad, dtype)


@dtypes
@pytest.mark.parametrize(("options", "indices"), TABLES)
def test_tables_against_pytorch(options, indices, dtype, rng):
    torch = pytest.importorskip("torch", reason="PyTorch is the oracle of this test")
    ours, theirs = modules(torch, "Embedding", options, rng.standard_normal((5, 4)).astype(dtype), dtype)
    compare(torch, ours, theirs, ([gg.tensor(indices, dtype=gg.int64)], [torch.tensor(indices, dtype=torch.int64)]),
            dtype, rng)  # fmt: skip


@dtypes
@pytest.mark.parametrize(("options", "indices", "offsets", "weighted"), BAGS)
def test_bags_against_pytorch(options, indices, offsets, weighted, dtype, rng):
    torch = pytest.importorskip("torch", reason="PyTorch is the oracle of this test")
    ours, theirs = modules(torch, "EmbeddingBag", options, rng.standard_normal((5, 4)).astype(dtype), dtype)
    data = numpy.asarray(rng.standard_normal(numpy.shape(indices)), dtype)
    w, v = gg.tensor(data, requires_grad=True), torch.tensor(data, requires_grad=True)
    compare(
        torch, ours, theirs,
        ([gg.tensor(indices, dtype=gg.int64), None if offsets is None else gg.tensor(offsets), w if weighted else None],
         [torch.tensor(indices, dtype=torch.int64), None if offsets is None else torch.tensor(offsets),
          v if weighted else None]),
        dtype, rng, ([w], [v]) if weighted else ((), ()),
    )  # fmt: skip


def test_derivatives_by_differences(rng):
    table, factors = gg.tensor(rng.standard_normal((5, 2))), gg.tensor(rng.standard_normal(7))
    index, offsets = gg.tensor(FLAT), gg.tensor([0, 2, 2, 6])
    for check in (gg.gradcheck, gg.gradgradcheck):
        assert check(lambda w: F.embedding(gg.tensor(INDICES), w), table)
        for mode in ("sum", "mean", "max"):
            assert check(lambda w, mode=mode: F.embedding_bag(index, w, offsets, mode=mode, padding_idx=1), table)
        assert check(lambda w, f: F.embedding_bag(index, w, offsets, mode="sum", per_sample_weights=f),
                     [table, factors])  # fmt: skip


def test_gradients_of_bags_divided_by_frequency():
    """PyTorch divides by the frequencies of other rows."""
    grads = []
    for by_frequency in (False, True):
        table = gg.ones((5, 2)).requires_grad_()
        y = F.embedding_bag(gg.tensor(FLAT), table, gg.tensor([0, 2, 5]), scale_grad_by_freq=by_frequency)
        (y * gg.tensor([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])).sum().backward()
        grads.append(table.grad.numpy())
    numpy.testing.assert_allclose(grads[1], grads[0] / [[1], [2], [3], [1], [1]], rtol=1e-6)


def test_labels_of_each_sample_under_vmap(rng):
    table, index = gg.tensor(rng.standard_normal((5, 2))), gg.tensor(INDICES)
    rows = gg.vmap(lambda i: F.embedding(i, table, padding_idx=1))(index)
    numpy.testing.assert_array_equal(rows.numpy(), table.numpy()[INDICES])
    gradients = gg.vmap(gg.grad(lambda w, i: F.embedding(i, w).sum()), in_axes=(None, 0))(table, index)
    counts = [[i.count(row) for row in range(5)] for i in INDICES]
    numpy.testing.assert_array_equal(gradients.numpy()[:, :, 0], counts)
    x, t = gg.tensor(rng.standard_normal((3, 5, 4))), gg.tensor(rng.integers(0, 4, (3, 5)))
    for loss in (F.nll_loss, F.multi_margin_loss, F.cross_entropy):
        each = [loss(x[i], t[i]).item() for i in range(3)]
        numpy.testing.assert_allclose(gg.vmap(loss)(x, t).numpy(), each, rtol=1e-12)
    with pytest.raises(IndexError, match="label 5 is out of range"):
        gg.vmap(lambda i: F.embedding(i, table))(index + 1)
        gg.synchronize()


def test_padding_begins_as_zeros_and_stays():
    layer = nn.Embedding(4, 3, padding_idx=-2)
    assert layer.padding_idx == 2
    assert layer.weight[2].tolist() == [0.0, 0.0, 0.0]
    optimizer = gg.optim.SGD(layer.parameters(), lr=0.1)
    layer(gg.tensor([1, 2])).sum().backward()
    optimizer.step()
    assert layer.weight[2].tolist() == [0.0, 0.0, 0.0]


def test_from_pretrained():
    table = gg.tensor([[1.0, 2.0], [3.0, 4.0]], dtype=gg.float64)
    layer = nn.Embedding.from_pretrained(table, padding_idx=0)
    assert not layer.weight.requires_grad
    assert layer.padding_idx == 0
    assert layer.weight.dtype == gg.float64
    assert layer(gg.tensor([0])).tolist() == [[1.0, 2.0]]
    bag = nn.EmbeddingBag.from_pretrained(table, freeze=False, mode="sum")
    assert bag.weight.requires_grad
    assert bag(gg.tensor([[0, 1]])).tolist() == [[4.0, 6.0]]
    with pytest.raises(ValueError, match=r"Embedding.from_pretrained: expected shape \(V, D\), got \(2,\)"):
        nn.Embedding.from_pretrained(gg.ones(2))


@dtypes
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("before", [(), (4,), (2, 3), (0,)])
def test_bilinear_against_pytorch(before, bias, dtype, rng):
    torch = pytest.importorskip("torch", reason="PyTorch is the oracle of this test")
    ours, theirs = nn.Bilinear(3, 4, 2, bias).to(dtype), torch.nn.Bilinear(3, 4, 2, bias).to(getattr(torch, dtype))
    assert repr(ours) == repr(theirs)
    assert list(ours.state_dict()) == list(theirs.state_dict())
    theirs.load_state_dict({k: torch.tensor(v.numpy()) for k, v in ours.state_dict().items()})
    data = [numpy.asarray(rng.standard_normal((*before, n)), dtype) for n in (3, 4)]
    xs, ts = [gg.tensor(a, requires_grad=True) for a in data], [torch.tensor(a, requires_grad=True) for a in data]
    y, e = ours(*xs), theirs(*ts)
    close(y, e, dtype)
    xs, ts = [*xs, *ours.parameters()], [*ts, *theirs.parameters()]
    g = numpy.asarray(rng.standard_normal(e.shape), dtype)
    y.backward(gg.tensor(g), create_graph=True)
    first = torch.autograd.grad(e, ts, torch.tensor(g), create_graph=True)
    mine = [x.grad for x in xs]
    for a, b in zip(mine, first, strict=True):
        close(a, b, dtype)
        assert a.shape == tuple(b.shape)
    for x in xs:
        x.grad = None
    sum((a * a).sum() for a in mine).backward()
    second = torch.autograd.grad(sum((b * b).sum() for b in first), ts, allow_unused=True, materialize_grads=True)
    for x, b in zip(xs, second, strict=True):
        close(gg.zeros_like(x) if x.grad is None else x.grad, b, dtype, 10)


@pytest.mark.parametrize("name", ["embedding", "embedding_bag"])
def test_arguments_are_pytorchs(name):
    torch = pytest.importorskip("torch", reason="PyTorch is the oracle of this test")
    theirs = inspect.signature(getattr(torch.nn.functional, name)).parameters
    ours = inspect.signature(getattr(F, name)).parameters
    assert list(ours) == list(theirs)
    assert all(ours[n].default == theirs[n].default for n in ours)


REFUSED = [
    (lambda i, w: F.embedding(gg.tensor([5]), w), IndexError, "embedding: label 5 is out of range for 5"),
    (lambda i, w: F.embedding(gg.tensor([-1]), w), IndexError, "embedding: label -1 is out of range for 5"),
    (lambda i, w: F.embedding(gg.tensor([1.0]), w), TypeError, "embedding: expected integers as input, got float32"),
    (lambda i, w: F.embedding(i, w[0]), ValueError, r"embedding: expected a weight of shape \(rows, columns\), got"),
    (lambda i, w: F.embedding(i, w, padding_idx=5), ValueError, r"a padding_idx in \[-5, 5\), got 5"),
    (lambda i, w: F.embedding(i, w, sparse=True), ValueError, "embedding: expected sparse=False"),
    (lambda i, w: nn.Embedding(5, 2, sparse=True), ValueError, "Embedding: expected sparse=False"),
    (lambda i, w: nn.Embedding(5, 2, padding_idx=-6), ValueError, r"Embedding: expected a padding_idx in \[-5, 5\)"),
    (lambda i, w: nn.EmbeddingBag(5, 2, mode="min"), ValueError, "EmbeddingBag: expected mode 'sum', .* got 'min'"),
    (lambda i, w: F.embedding_bag(i, w, mode="min"), ValueError, "embedding_bag: expected mode 'sum', .* got 'min'"),
    (lambda i, w: F.embedding_bag(i, w), ValueError, r"expected offsets for an input of shape \(3,\), got None"),
    (lambda i, w: F.embedding_bag(gg.tensor(INDICES), w, i), ValueError, r"expected an input of shape \(B, N\), or"),
    (lambda i, w: F.embedding_bag(i, w, gg.tensor([1, 2])), ValueError, "offsets that begin with 0, rise"),
    (lambda i, w: F.embedding_bag(i, w, gg.tensor([0, 2, 1])), ValueError, "offsets that begin with 0, rise"),
    (lambda i, w: F.embedding_bag(i, w, gg.tensor([0, 4])), ValueError, "end within 3 indices"),
    (lambda i, w: F.embedding_bag(i, w, gg.tensor([0.0])), TypeError, "expected integers as offsets, got float32"),
    (lambda i, w: F.embedding_bag(i, w, gg.tensor(0)), ValueError, r"expected offsets of shape \(B,\), got \(\)"),
    (lambda i, w: F.embedding_bag(i, w, gg.tensor([0]), per_sample_weights=gg.ones(3)), ValueError, "with 'mean'"),
    (lambda i, w: F.embedding_bag(i, w, gg.tensor([0]), mode="sum", per_sample_weights=gg.ones(2)), ValueError,
     r"expected per_sample_weights of shape \(3,\) with mode 'sum', got \(2,\)"),
    (lambda i, w: F.embedding_bag(i, w, gg.tensor([0]), mode="max", scale_grad_by_freq=True), ValueError, "got 'max'"),
    (lambda i, w: F.bilinear(w, w, gg.ones((3, 2, 4))), ValueError, r"bilinear: expected shapes \(..., I\)"),
    (lambda i, w: nn.Bilinear(0, 2, 3), ValueError, "Bilinear: expected in1_features of at least 1, got 0"),
]  # fmt: skip


@pytest.mark.parametrize(("call", "error", "message"), REFUSED)
def test_refused(call, error, message):
    with pytest.raises(error, match=message):
        call(gg.tensor([0, 1, 1]), gg.ones((5, 2)))
        gg.synchronize()
