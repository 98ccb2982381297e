"""Every row of ``tests/cases/``: against finite differences to second order, against NumPy and against PyTorch."""

from __future__ import annotations

from pathlib import Path

import numpy
import pytest
from cases import ROWS, identifier, instances, outputs, tensors

import gpugrad as gg
from gpugrad.core import OPERATIONS, Tensor, modes
from gpugrad.core.calls import general

ALL = list(instances())
LARGE = list(instances(large=True))
SMOOTH = [case for case in ALL if not case[0].constant]
PYTORCH = [case for case in SMOOTH if case[0].torch is not None and not case[0].flat]

each = pytest.mark.parametrize(("row", "shapes", "static"), ALL, ids=identifier)
each_smooth = pytest.mark.parametrize(("row", "shapes", "static"), SMOOTH, ids=identifier)
each_with_pytorch = pytest.mark.parametrize(("row", "shapes", "static"), PYTORCH, ids=identifier)

WITH_THEIR_LAYERS = {
    "gpugrad.ops.margins.margins": "nn/test_losses.py",
    "gpugrad.ops.softmax.cross_entropy": "nn/test_softmax.py",
    "gpugrad.ops.softmax.of_label": "nn/test_losses.py",
    "gpugrad.ops.softmax.soft_cross_entropy": "nn/test_softmax.py",
}
"""Operations whose rows would be the tests of the layers that use them."""


@pytest.fixture(autouse=True)
def quiet():
    """Infinities at the edge of a domain are part of some rows; NumPy's warnings about them are not what is tested."""
    with numpy.errstate(all="ignore"):
        yield


def close(a, b, tolerance):
    numpy.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance)


def upstream(ys, rng):
    return [gg.tensor(rng.standard_normal(y.shape) * (1 + 1j if y.dtype.kind == "c" else 1), dtype=y.dtype) for y in ys]


def loss(ys, gs):
    """The real number whose gradients by ``ys`` are ``gs``."""
    total = None
    for y, g in zip(ys, gs, strict=True):
        part = (gg.real(y * gg.conj(g)) if y.dtype.kind == "c" else y * g).sum()
        total = part if total is None else total + part
    return total


def backward(ys, gs):
    loss(ys, gs).backward()


def test_every_operation_has_a_row():
    known = {f"gpugrad.{row.operation}" for row in ROWS} | WITH_THEIR_LAYERS.keys()
    declared = {name for name in OPERATIONS if name.startswith("gpugrad.") and "<locals>" not in name}
    assert declared - known == set(), "add a row to tests/cases/"
    assert known - declared == set(), "a row for an operation that is not there"


@pytest.mark.parametrize("name", WITH_THEIR_LAYERS)
def test_operations_without_a_row_are_tested_elsewhere(name):
    path = Path(__file__).parent.parent / WITH_THEIR_LAYERS[name]
    assert name.rpartition(".")[2] in path.read_text()


@pytest.mark.parametrize("row", [row for row in ROWS if not row.constant], ids=str)
def test_row_records_the_operation_it_names(row, rng):
    shapes, static = row.shapes[0], row.variants[0]
    ys = outputs(row.call(*tensors(row.inputs(rng, shapes)), **static))
    names, waiting = set(), [y.node for y in ys]
    while waiting:
        node = waiting.pop()
        if node.plan is None:
            continue
        if hasattr(node.plan, "op"):
            names.add(f"{node.plan.op.forward.__module__}.{node.plan.op.forward.__qualname__}")
        waiting += [parent for parent, _, _ in node.edges]
    assert f"gpugrad.{row.operation}" in names


@each_smooth
def test_gradient_against_differences(row, shapes, static, rng):
    assert gg.gradcheck(lambda *xs: row.call(*xs, **static), tensors(row.inputs(rng, shapes), requires_grad=False))


@each_smooth
def test_second_derivative_against_differences(row, shapes, static, rng, device):
    """On a GPU along one direction: each element is looked at on the CPU, and the rules are the same."""
    inputs = tensors(row.inputs(rng, shapes), requires_grad=False)
    assert gg.gradgradcheck(lambda *xs: row.call(*xs, **static), inputs, fast_mode=not device.is_host)


@pytest.mark.parametrize("dtype", [gg.float64, gg.float32], ids=str)
@each
def test_value_dtype_and_shape_are_numpys(row, shapes, static, dtype, rng):
    if row.numpy is None:
        pytest.skip("NumPy has no such function")
    arrays = row.inputs(rng, shapes)
    arrays = [a.astype(dtype) if a.dtype.kind == "f" else a for a in arrays]
    ys = outputs(row.call(*tensors(arrays), **static))
    expected = outputs(row.numpy(*arrays, **static))
    assert len(ys) == len(expected)
    for y, e in zip(ys, expected, strict=True):
        assert type(y) is Tensor
        assert gg.backend.is_array(y.data), "a 0-d result holds an array, not a scalar"
        assert (y.shape, y.dtype) == (e.shape, e.dtype)
        assert y.requires_grad is not row.constant
        close(y.numpy(), e, 1e-12 if dtype == gg.float64 else row.single)


@pytest.mark.parametrize("dtype", [gg.float64, gg.float32], ids=str)
@each_with_pytorch
def test_value_and_gradient_are_pytorchs(row, shapes, static, dtype, rng):
    torch = pytest.importorskip("torch")
    arrays = row.inputs(rng, shapes)
    xs = tensors(arrays, dtype)
    ys = outputs(row.call(*xs, **static))
    gs = upstream(ys, rng)
    backward(ys, gs)
    ts = [torch.tensor(x.numpy(), requires_grad=x.requires_grad) for x in xs]
    expected = outputs(row.torch(torch, *ts, **static))
    torch.autograd.backward(list(expected), [torch.tensor(g.numpy()) for g in gs])
    tolerance = 1e-9 if dtype == gg.float64 else row.single
    for y, e in zip(ys, expected, strict=True):
        assert y.shape == tuple(e.shape)
        close(y.numpy(), e.detach().resolve_conj().numpy(), tolerance)
    for x, t in zip(xs, ts, strict=True):
        if x.requires_grad:
            close(x.grad.numpy(), t.grad.resolve_conj().numpy(), tolerance)


@each_smooth
def test_gradient_has_shape_dtype_and_device_of_its_variable(row, shapes, static, rng):
    for dtype in (gg.float32, gg.float64):
        xs = tensors(row.inputs(rng, shapes), dtype)
        ys = outputs(row.call(*xs, **static))
        backward(ys, upstream(ys, rng))
        for x in xs:
            if x.requires_grad:
                assert gg.backend.is_array(x.grad.data)
                assert (x.grad.shape, x.grad.dtype, x.grad.device) == (x.shape, x.dtype, x.device)


@each
def test_inputs_are_left_as_they_were(row, shapes, static, rng):
    arrays = row.inputs(rng, shapes)
    xs = tensors(arrays)
    ys = outputs(row.call(*xs, **static))
    if not row.constant:
        gs = upstream(ys, rng)
        before = [g.numpy() for g in gs]
        backward(ys, gs)
        for g, b in zip(gs, before, strict=True):
            numpy.testing.assert_array_equal(g.numpy(), b)
    for x, a in zip(xs, arrays, strict=True):
        numpy.testing.assert_array_equal(x.numpy(), a)


def layouts(t):
    """Tensors with the elements of ``t``, laid out in memory in other ways."""
    data = t.data
    if t.ndim == 0:
        yield from (Tensor(data.copy()) for _ in range(3))
        return
    yield Tensor(data[..., ::-1].copy()[..., ::-1])
    wide = gg.concat([t, t], axis=-1).data
    wide[..., ::2] = data
    yield Tensor(wide[..., ::2])
    order = tuple(reversed(range(t.ndim)))
    yield Tensor(data.transpose(order).copy().transpose(order))


@each
def test_layout_in_memory_does_not_matter(row, shapes, static, rng):
    arrays = row.inputs(rng, shapes)
    xs = tensors(arrays)
    plain = [tuple(layouts(x.detach())) for x in xs]
    ys = outputs(row.call(*xs, **static))
    gs = upstream(ys, rng)
    if not row.constant:
        backward(ys, gs)
    for others in zip(*plain, strict=True):
        moved = [o.requires_grad_(x.requires_grad) for o, x in zip(others, xs, strict=True)]
        zs = outputs(row.call(*moved, **static))
        for z, y in zip(zs, ys, strict=True):
            close(z.numpy(), y.numpy(), 1e-12)
        if not row.constant:
            backward(zs, gs)
            for m, x in zip(moved, xs, strict=True):
                if x.requires_grad:
                    close(m.grad.numpy(), x.grad.numpy(), 1e-12)


@each_smooth
def test_broadcast_memory_as_input_and_as_upstream_gradient(row, shapes, static, rng):
    arrays = [numpy.full_like(a, a.flat[0]) if a.size else a for a in row.inputs(rng, shapes)]
    small = [Tensor(gg.tensor(a.reshape(-1)[:1].reshape((1,) * a.ndim)).data) if a.size else None for a in arrays]
    spread = [
        gg.tensor(a) if s is None else Tensor(gg.broadcast_to(s, a.shape).data)
        for a, s in zip(arrays, small, strict=True)
    ]
    full = tensors(arrays)
    spread = [s.requires_grad_(f.requires_grad) for s, f in zip(spread, full, strict=True)]
    for xs in (full, spread):
        ys = outputs(row.call(*xs, **static))
        backward(ys, [gg.ones_like(y) for y in ys])
    for f, s in zip(full, spread, strict=True):
        if f.requires_grad:
            close(s.grad.numpy(), f.grad.numpy(), 1e-12)


@pytest.mark.parametrize(("row", "shapes", "static"), LARGE, ids=identifier)
def test_large(row, shapes, static, rng):
    """Sizes at which NumPy, BLAS and CUDA work in blocks: value and gradient against PyTorch, value against NumPy."""
    arrays = row.inputs(rng, shapes)
    xs = tensors(arrays)
    ys = outputs(row.call(*xs, **static))
    if row.numpy is not None:
        for y, e in zip(ys, outputs(row.numpy(*arrays, **static)), strict=True):
            close(y.numpy(), e, 1e-10)
    if row.torch is None or row.constant or row.flat:
        return
    torch = pytest.importorskip("torch")
    gs = upstream(ys, rng)
    backward(ys, gs)
    ts = [torch.tensor(a, requires_grad=x.requires_grad) for a, x in zip(arrays, xs, strict=True)]
    torch.autograd.backward(list(outputs(row.torch(torch, *ts, **static))), [torch.tensor(g.numpy()) for g in gs])
    for x, t in zip(xs, ts, strict=True):
        if x.requires_grad:
            close(x.grad.numpy(), t.grad.resolve_conj().numpy(), 1e-9)


@each
def test_float16_stays_float16(row, shapes, static, rng):
    arrays = [a.astype("float16") if a.dtype.kind == "f" else a for a in row.inputs(rng, shapes)]
    if row.numpy is None or not row.half or not any(a.dtype.kind == "f" for a in arrays):
        pytest.skip("no floating input, or NumPy takes none in float16")
    xs = tensors(arrays)
    ys = outputs(row.call(*xs, **static))
    for y, e in zip(ys, outputs(row.numpy(*arrays, **static)), strict=True):
        assert y.dtype == e.dtype
    if not row.constant:
        backward(ys, upstream(ys, rng))
        assert all(x.grad.dtype == gg.float16 for x in xs if x.requires_grad)


SHORT = [
    (row, shapes)
    for row, shapes, static in ALL
    if hasattr(row.call, "op") and not static and len(shapes) <= 2 and not row.call.op.params
]


@pytest.mark.parametrize(("row", "shapes"), SHORT, ids=identifier)
def test_short_paths_agree_with_the_general_one(row, shapes, rng, monkeypatch):
    """A call of one or two arrays is what ``general`` makes of it, whichever operands need a gradient."""
    arrays = row.inputs(rng, shapes)
    g = None
    for mask in range(2 ** len(arrays)):

        def variables(mask=mask):
            return [
                t.requires_grad_() if mask >> i & 1 and gg.backend.is_floating(t.dtype) else t
                for i, t in enumerate(tensors(arrays, requires_grad=False))
            ]

        results = []
        short, long, careful = variables(), variables(), variables()
        results.append((short, row.call(*short)))
        results.append((long, general(row.call.op, tuple(long), {})))
        with monkeypatch.context() as patch:
            patch.setattr(modes.careful, "on", True)
            results.append((careful, row.call(*careful)))
        if g is None:
            g = upstream([results[0][1]], rng)[0]
        for _, y in results:
            if y.node is not None:
                y.backward(g)
        first, y = results[0]
        for xs, z in results[1:]:
            assert (z.shape, z.dtype, type(z.data), z.node is None) == (y.shape, y.dtype, type(y.data), y.node is None)
            numpy.testing.assert_array_equal(z.numpy(), y.numpy())
            for a, b in zip(first, xs, strict=True):
                assert (a.grad is None) == (b.grad is None)
                if a.grad is not None:
                    numpy.testing.assert_array_equal(a.grad.numpy(), b.grad.numpy())


COMPLEX = [(row, shapes, static) for row, shapes, static in ALL if row.complex is not None]
each_complex = pytest.mark.parametrize(("row", "shapes", "static"), COMPLEX, ids=identifier)


@each_complex
def test_complex_derivatives_against_differences(row, shapes, static, rng, device):
    inputs = tensors(row.complex(rng, shapes), requires_grad=False)
    for check in (gg.gradcheck, gg.gradgradcheck):
        assert check(lambda *xs: row.call(*xs, **static), inputs, fast_mode=not device.is_host)


@pytest.mark.parametrize("dtype", ["complex128", "complex64"])
@each_complex
def test_complex_values_are_numpys_and_gradients_pytorchs(row, shapes, static, dtype, rng):
    arrays = row.complex(rng, shapes)
    single = {"complex128": "complex64", "float64": "float32"} if dtype == "complex64" else {}
    arrays = [a.astype(single.get(a.dtype.name, a.dtype)) for a in arrays]
    tolerance = row.single if single else 1e-9
    xs = tensors(arrays)
    ys = outputs(row.call(*xs, **static))
    if row.numpy is not None:
        for y, e in zip(ys, outputs(row.numpy(*arrays, **static)), strict=True):
            assert (y.shape, y.dtype) == (e.shape, e.dtype)
            close(y.numpy(), e, tolerance)
    if row.constant:
        return
    gs = upstream(ys, rng)
    for k, (y, g) in enumerate(zip(ys, gs, strict=True)):
        y.backward(g, retain_graph=k < len(ys) - 1)
    for x in xs:
        if x.requires_grad:
            assert (x.grad.shape, x.grad.dtype) == (x.shape, x.dtype)
    if row.torch is None:
        return
    torch = pytest.importorskip("torch")
    ts = [torch.tensor(a, requires_grad=x.requires_grad) for a, x in zip(arrays, xs, strict=True)]
    torch.autograd.backward(list(outputs(row.torch(torch, *ts, **static))), [torch.tensor(g.numpy()) for g in gs])
    for x, t in zip(xs, ts, strict=True):
        if x.requires_grad:
            close(x.grad.numpy(), t.grad.resolve_conj().numpy(), tolerance)


BINARY = [row for row in ROWS if hasattr(row.call, "op") and len(row.call.op.inputs) == 2 and not row.call.op.params]


@pytest.mark.parametrize("row", BINARY, ids=str)
@pytest.mark.parametrize("other", ["python", "scalar", "array"])
@pytest.mark.parametrize("side", [0, 1])
def test_numbers_scalars_and_arrays_beside_a_tensor(row, other, side, rng):
    """The short path of two operands against ``general``, with a Tensor on one side only."""
    x, y = row.inputs(rng, ((2, 3), (2, 3)))
    number = (x if side == 0 else y).flat[0]
    foreign = {"python": number.item(), "scalar": number, "array": gg.tensor(numpy.asarray(number)).data}[other]
    if row.operation.endswith("matmul"):
        x, y = x.T.copy(), y
        foreign = gg.tensor(x if side == 0 else y).data
    results = []
    for call in (row.call, lambda *operands: general(row.call.op, operands, {})):
        t = tensors([y if side == 0 else x])[0]
        z = call(foreign, t) if side == 0 else call(t, foreign)
        if z.node is not None:
            z.sum().backward()
        results.append((t, z))
    (a, y1), (b, y2) = results
    assert (y1.dtype, y1.shape) == (y2.dtype, y2.shape)
    numpy.testing.assert_array_equal(y1.numpy(), y2.numpy())
    assert (a.grad is None) == (b.grad is None)
    if a.grad is not None:
        numpy.testing.assert_array_equal(a.grad.numpy(), b.grad.numpy())
