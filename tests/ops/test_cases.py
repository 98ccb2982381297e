"""Every row of ``tests/cases/``: against finite differences to second order, against NumPy and against PyTorch.

The checks of an instance (a row with shapes and static arguments) share its inputs and its results, so they run in one
test, which reports each check that fails.
"""

from __future__ import annotations

from functools import cached_property, partial
from pathlib import Path

import numpy
import pytest
from cases import ROWS, identifier, instances, outputs, tensors
from cases.checks import together

import gpugrad as gg
from gpugrad.core import OPERATIONS, Tensor, modes
from gpugrad.core.dispatch import general

ALL = list(instances())
LARGE = list(instances(large=True))
PYTORCH = [
    case for case in ALL if case[0].torch is not None and not case[0].constant and (case[0].complex or not case[0].flat)
]

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


def equal(a, b):
    numpy.testing.assert_array_equal(a, b)


def upstream(ys, rng):
    """Upstream gradients of ``ys``, as arrays of NumPy."""
    return [
        numpy.asarray(rng.standard_normal(y.shape) * (1 + 1j if y.dtype.kind == "c" else 1)).astype(y.dtype) for y in ys
    ]


def loss(ys, gs):
    """The real number whose gradients by ``ys`` are ``gs``."""
    total = None
    for y, g in zip(ys, gs, strict=True):
        part = (gg.real(y * gg.conj(g)) if y.dtype.kind == "c" else y * g).sum()
        total = part if total is None else total + part
    return total


def backward(ys, gs):
    loss(ys, gs).backward()


class Run:
    """A call of an instance, with its gradients where it has any."""

    def __init__(self, row, static, xs, gs=None):
        self.xs = xs
        self.ys = outputs(row.call(*xs, **static))
        self.g_arrays = upstream(self.ys, numpy.random.default_rng(1)) if gs is None else gs
        self.gs = [gg.tensor(g) for g in self.g_arrays]
        if not row.constant:
            backward(self.ys, self.gs)


class Instance:
    """A row with shapes and static arguments, and what its checks share: inputs, and results in each precision."""

    def __init__(self, row, shapes, static, device):
        self.row, self.shapes, self.static, self.device = row, shapes, static, device
        self.name = f"{row} on {identifier(shapes)}" + (f" with {identifier(static)}" if static else "")

    @cached_property
    def arrays(self):
        return self.row.inputs(numpy.random.default_rng(0), self.shapes)

    @cached_property
    def complex_arrays(self):
        return self.row.complex(numpy.random.default_rng(0), self.shapes)

    def cast(self, dtype):
        return [a.astype(dtype) if a.dtype.kind == "f" else a for a in self.arrays]

    def call(self, *xs):
        return self.row.call(*xs, **self.static)

    def numpys(self, arrays):
        return outputs(self.row.numpy(*arrays, **self.static))

    def run(self, xs, gs=None):
        return Run(self.row, self.static, xs, gs)

    @cached_property
    def double(self):
        return self.run(tensors(self.arrays))

    @cached_property
    def single(self):
        return self.run(tensors(self.cast("float32")))

    @property
    def precisions(self):
        """Arrays, result and tolerance in float64 and in float32."""
        yield self.arrays, self.double, 1e-12
        yield self.cast("float32"), self.single, self.row.single

    def check(self, checks):
        together(self.name, {check.__name__.replace("_", " "): partial(check, self) for check in checks})


def first_derivatives_against_differences(case):
    if not case.row.constant:
        assert gg.gradcheck(case.call, tensors(case.arrays, requires_grad=False))


def second_derivatives_against_differences(case):
    if not case.row.constant:
        second(case, tensors(case.arrays, requires_grad=False))


def second(case, inputs):
    """Along a random direction; where that differs, each element, to name the one that is wrong."""
    if not gg.gradgradcheck(case.call, inputs, fast_mode=True, raise_exception=False):
        if case.device.is_host:
            gg.gradgradcheck(case.call, inputs)
        gg.gradgradcheck(case.call, inputs, fast_mode=True)


def value_dtype_and_shape_are_numpys(case):
    row = case.row
    if row.numpy is None:
        return
    for arrays, run, tolerance in case.precisions:
        expected = case.numpys(arrays)
        assert len(run.ys) == len(expected)
        for y, e in zip(run.ys, expected, strict=True):
            assert type(y) is Tensor
            assert gg.backend.is_array(y.data), "a 0-d result holds an array, not a scalar"
            assert (y.shape, y.dtype) == (e.shape, e.dtype)
            assert y.requires_grad is not row.constant
            close(y.numpy(), e, tolerance)


def gradient_has_shape_dtype_and_device_of_its_variable(case):
    if case.row.constant:
        return
    for _, run, _ in case.precisions:
        for x in run.xs:
            if x.requires_grad:
                assert gg.backend.is_array(x.grad.data)
                assert (x.grad.shape, x.grad.dtype, x.grad.device) == (x.shape, x.dtype, x.device)


def inputs_and_upstream_gradients_are_left_as_they_were(case):
    for x, a in zip(case.double.xs, case.row.inputs(numpy.random.default_rng(0), case.shapes), strict=True):
        equal(x.numpy(), a)
    for g, a in zip(case.double.gs, case.double.g_arrays, strict=True):
        equal(g.numpy(), a)


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


def layout_in_memory_does_not_matter(case):
    plain = case.double
    fresh = tensors(case.arrays, requires_grad=False)
    for others in zip(*(tuple(layouts(x)) for x in fresh), strict=True):
        same(case, [o.requires_grad_(x.requires_grad) for o, x in zip(others, plain.xs, strict=True)], plain)


def same(case, xs, expected):
    """A run with ``xs`` has the results and gradients of run ``expected``."""
    found = case.run(xs, expected.g_arrays)
    for z, y in zip(found.ys, expected.ys, strict=True):
        close(z.numpy(), y.numpy(), 1e-12)
    if not case.row.constant:
        for x, e in zip(xs, expected.xs, strict=True):
            if e.requires_grad:
                close(x.grad.numpy(), e.grad.numpy(), 1e-12)


def broadcast_memory_does_not_matter(case):
    """As input, and as upstream gradient."""
    if case.row.constant:
        return
    arrays = [numpy.full_like(a, a.flat[0]) if a.size else a for a in case.arrays]
    small = [Tensor(gg.tensor(a.reshape(-1)[:1].reshape((1,) * a.ndim)).data) if a.size else None for a in arrays]
    spread = [
        gg.tensor(a) if s is None else Tensor(gg.broadcast_to(s, a.shape).data)
        for a, s in zip(arrays, small, strict=True)
    ]
    full = tensors(arrays)
    spread = [s.requires_grad_(f.requires_grad) for s, f in zip(spread, full, strict=True)]
    results = []
    for xs in (full, spread):
        ys = outputs(case.call(*xs))
        backward(ys, [gg.ones_like(y) for y in ys])
        results.append(ys)
    for y, z in zip(*results, strict=True):
        close(z.numpy(), y.numpy(), 1e-12)
    for f, s in zip(full, spread, strict=True):
        if f.requires_grad:
            close(s.grad.numpy(), f.grad.numpy(), 1e-12)


def float16_stays_float16(case):
    arrays = case.cast("float16")
    if case.row.numpy is None or not case.row.half or not any(a.dtype.kind == "f" for a in arrays):
        return  # no floating input, or NumPy takes none in float16
    run = case.run(tensors(arrays))
    for y, e in zip(run.ys, case.numpys(arrays), strict=True):
        assert y.dtype == e.dtype
    if not case.row.constant:
        assert all(x.grad.dtype == gg.float16 for x in run.xs if x.requires_grad)


def short_paths_agree_with_the_general_one(case):
    """A call of one or two arrays is what ``general`` makes of it, whichever operands need a gradient."""
    row, arrays = case.row, case.arrays
    if not hasattr(row.call, "op") or case.static or len(case.shapes) > 2 or row.call.op.params:
        return
    for mask in range(2 ** len(arrays)):
        results = []
        for path in ("short", "general", "careful"):
            xs = [
                t.requires_grad_() if mask >> i & 1 and gg.backend.is_floating(t.dtype) else t
                for i, t in enumerate(tensors(arrays, requires_grad=False))
            ]
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(modes.careful, "on", path == "careful")
                y = general(row.call.op, tuple(xs), {}) if path == "general" else row.call(*xs)
            if y.node is not None:
                y.backward(case.double.gs[0])
            results.append((xs, y))
        first, y = results[0]
        for xs, z in results[1:]:
            assert (z.shape, z.dtype, type(z.data), z.node is None) == (y.shape, y.dtype, type(y.data), y.node is None)
            equal(z.numpy(), y.numpy())
            for a, b in zip(first, xs, strict=True):
                assert (a.grad is None) == (b.grad is None)
                if a.grad is not None:
                    equal(a.grad.numpy(), b.grad.numpy())


def the_operation_named_is_recorded(case):
    row = case.row
    if row.constant or (case.shapes, case.static) != (row.shapes[0], row.variants[0]):
        return
    names, waiting = set(), [y.node for y in outputs(case.call(*tensors(case.arrays)))]
    while waiting:
        node = waiting.pop()
        if node.plan is None:
            continue
        if hasattr(node.plan, "op"):
            names.add(f"{node.plan.op.forward.__module__}.{node.plan.op.forward.__qualname__}")
        waiting += [parent for parent, _, _ in node.edges]
    assert f"gpugrad.{row.operation}" in names


def first_complex_derivatives_against_differences(case):
    if case.row.complex is not None:
        inputs = tensors(case.complex_arrays, requires_grad=False)
        assert gg.gradcheck(case.call, inputs, fast_mode=not case.device.is_host)


def second_complex_derivatives_against_differences(case):
    if case.row.complex is not None:
        second(case, tensors(case.complex_arrays, requires_grad=False))


def complex_precisions(case):
    """Arrays and tolerance in complex128 and in complex64."""
    yield case.complex_arrays, 1e-9
    single = {"complex128": "complex64", "float64": "float32"}
    yield [a.astype(single.get(a.dtype.name, a.dtype)) for a in case.complex_arrays], case.row.single


def complex_gradients(case, arrays):
    """Inputs with their gradients, results, and the upstream gradients."""
    xs = tensors(arrays)
    ys = outputs(case.call(*xs))
    gs = upstream(ys, numpy.random.default_rng(1))
    if not case.row.constant:
        for k, (y, g) in enumerate(zip(ys, gs, strict=True)):
            y.backward(gg.tensor(g), retain_graph=k < len(ys) - 1)
    return xs, ys, gs


def complex_values_are_numpys(case):
    if case.row.complex is None:
        return
    for arrays, tolerance in complex_precisions(case):
        xs, ys, _ = complex_gradients(case, arrays)
        for x in xs:
            if x.requires_grad and not case.row.constant:
                assert (x.grad.shape, x.grad.dtype) == (x.shape, x.dtype)
        if case.row.numpy is not None:
            for y, e in zip(ys, case.numpys(arrays), strict=True):
                assert (y.shape, y.dtype) == (e.shape, e.dtype)
                close(y.numpy(), e, tolerance)


CHECKS = [
    the_operation_named_is_recorded,
    value_dtype_and_shape_are_numpys,
    first_derivatives_against_differences,
    second_derivatives_against_differences,
    gradient_has_shape_dtype_and_device_of_its_variable,
    inputs_and_upstream_gradients_are_left_as_they_were,
    layout_in_memory_does_not_matter,
    broadcast_memory_does_not_matter,
    float16_stays_float16,
    short_paths_agree_with_the_general_one,
    complex_values_are_numpys,
    first_complex_derivatives_against_differences,
    second_complex_derivatives_against_differences,
]


@pytest.mark.parametrize(("row", "shapes", "static"), ALL, ids=identifier)
def test_instance(row, shapes, static, device):
    Instance(row, shapes, static, device).check(CHECKS)


def of_pytorch(case, torch, arrays, run, gs, tolerance):
    """Values and gradients of ``run`` are PyTorch's."""
    ts = [torch.tensor(a, requires_grad=x.requires_grad) for a, x in zip(arrays, run[0], strict=True)]
    expected = outputs(case.row.torch(torch, *ts, **case.static))
    torch.autograd.backward(list(expected), [torch.tensor(g) for g in gs])
    for y, e in zip(run[1], expected, strict=True):
        assert y.shape == tuple(e.shape)
        close(y.numpy(), e.detach().resolve_conj().numpy(), tolerance)
    for x, t in zip(run[0], ts, strict=True):
        if x.requires_grad:
            close(x.grad.numpy(), t.grad.resolve_conj().numpy(), tolerance)


def real_value_and_gradient(case, torch):
    if not case.row.flat:
        for (arrays, run, _), tolerance in zip(case.precisions, (1e-9, case.row.single), strict=True):
            of_pytorch(case, torch, arrays, (run.xs, run.ys), run.g_arrays, tolerance)


def complex_value_and_gradient(case, torch):
    if case.row.complex is not None:
        for arrays, tolerance in complex_precisions(case):
            xs, ys, gs = complex_gradients(case, arrays)
            of_pytorch(case, torch, arrays, (xs, ys), gs, tolerance)


@pytest.mark.parametrize(("row", "shapes", "static"), PYTORCH, ids=identifier)
def test_value_and_gradient_are_pytorchs(row, shapes, static, device):
    torch = pytest.importorskip("torch")
    case = Instance(row, shapes, static, device)
    together(case.name, {
        "value and gradient against PyTorch": partial(real_value_and_gradient, case, torch),
        "value and gradient of complex numbers against PyTorch": partial(complex_value_and_gradient, case, torch),
    })  # fmt: skip


def test_every_operation_has_a_row():
    known = {f"gpugrad.{row.operation}" for row in ROWS} | WITH_THEIR_LAYERS.keys()
    declared = {name for name in OPERATIONS if name.startswith("gpugrad.") and "<locals>" not in name}
    declared = {name for name in declared if not name.startswith("gpugrad.torch.")}  # an operation of the user's
    assert declared - known == set(), "add a row to tests/cases/"
    assert known - declared == set(), "a row for an operation that is not there"


@pytest.mark.parametrize("name", WITH_THEIR_LAYERS)
def test_operations_without_a_row_are_tested_elsewhere(name):
    path = Path(__file__).parent.parent / WITH_THEIR_LAYERS[name]
    assert name.rpartition(".")[2] in path.read_text()


@pytest.mark.parametrize(("row", "shapes", "static"), LARGE, ids=identifier)
def test_large(row, shapes, static, device):
    """Sizes at which NumPy, BLAS and CUDA work in blocks: value and gradient against PyTorch, value against NumPy."""
    case = Instance(row, shapes, static, device)
    if row.numpy is not None:
        for y, e in zip(case.double.ys, case.numpys(case.arrays), strict=True):
            largest = numpy.max(numpy.abs(e), initial=0, where=numpy.isfinite(e))  # a small sum is left of large ones
            numpy.testing.assert_allclose(y.numpy(), e, rtol=1e-10, atol=max(1e-10, 1e-13 * largest))
    if row.torch is not None and not row.constant and not row.flat:
        torch = pytest.importorskip("torch")
        of_pytorch(case, torch, case.arrays, (case.double.xs, case.double.ys), case.double.g_arrays, 1e-9)


BINARY = [row for row in ROWS if hasattr(row.call, "op") and len(row.call.op.inputs) == 2 and not row.call.op.params]


@pytest.mark.parametrize("row", BINARY, ids=str)
def test_numbers_scalars_and_arrays_beside_a_tensor(row):
    """The short path of two operands against ``general``, with a Tensor on one side only."""
    together(str(row), {
        f"{other} on the {('left', 'right')[side]}": partial(beside_a_tensor, row, other, side)
        for other in ("number of Python", "scalar", "array") for side in (0, 1)
    })  # fmt: skip


def beside_a_tensor(row, other, side):
    x, y = row.inputs(numpy.random.default_rng(0), ((2, 3), (2, 3)))
    number = (x if side == 0 else y).flat[0]
    foreign = number.item() if other == "number of Python" else number
    if other == "array":
        foreign = gg.tensor(numpy.asarray(number)).data
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
    equal(y1.numpy(), y2.numpy())
    assert (a.grad is None) == (b.grad is None)
    if a.grad is not None:
        equal(a.grad.numpy(), b.grad.numpy())


def test_each_check_that_fails_is_named():
    def wrong():
        raise ValueError("twice as large")

    with pytest.raises(AssertionError, match=r"^sin on \(\(3,\),\): sign: ValueError: twice as large$"):
        together("sin on ((3,),)", {"sign": wrong, "shape": int})
    with pytest.raises(ExceptionGroup, match=r"^sin: sign; axis$"):
        together("sin", {"sign": wrong, "shape": int, "axis": wrong})
