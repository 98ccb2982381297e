"""vmap: what its arguments mean, how it nests, what it refuses. Every operation under it: test_vmap_cases.py."""

from __future__ import annotations

import dataclasses

import numpy
import pytest

import gpugrad as gg
from gpugrad import nn
from gpugrad.core import Tensor
from gpugrad.core.modes import careful
from gpugrad.core.operation import OPERATIONS
from gpugrad.transforms.batching.declared import rule_of


@pytest.fixture
def w(rng):
    return gg.tensor(rng.standard_normal((3, 2)))


@pytest.fixture
def x(rng):
    return gg.tensor(rng.standard_normal((5, 3)))


def close(a, b):
    numpy.testing.assert_allclose(host(a), host(b), rtol=1e-10, atol=1e-12)


def host(a):
    return a.numpy() if isinstance(a, Tensor) else numpy.asarray([host(b) for b in a] if isinstance(a, list) else a)


def energy(w, x):
    return gg.tanh(x @ w).sum()


# ---------------------------------------------------------------- arguments and results


def test_gradients_of_each_sample(w, x):
    close(gg.vmap(gg.grad(energy), (None, 0))(w, x), [gg.grad(energy)(w, a) for a in x])


def test_what_is_detached_is_a_constant_of_all(device):
    x = gg.tensor([1.0, 2.0])
    f = gg.vmap(lambda v: v * v.detach() + gg.vmap(lambda u: u.detach() * u)(gg.stack([v, v])).sum())
    assert gg.grad(lambda x: gg.sum(f(x)))(x).tolist() == [3.0, 6.0]


def test_plain_arrays_give_plain_arrays(w, x):
    a, b = w.data, x.data
    y = gg.vmap(energy, (None, 0))(a, b)
    assert type(y) is type(a)
    close(Tensor(y), [energy(w, c) for c in x])


def test_any_axis_in_and_out(x):
    close(gg.vmap(lambda a: 2 * a, in_axes=1, out_axes=1)(x), 2 * x)
    close(gg.vmap(lambda a: 2 * a, in_axes=-1, out_axes=-1)(x), 2 * x)
    close(gg.vmap(lambda a: 2 * a, in_axes=1)(x), 2 * x.T)


def test_results_with_axes_of_their_own(x):
    sums, doubles = gg.vmap(lambda a: (a.sum(), 2 * a), out_axes=(0, 1))(x)
    close(sums, x.sum(axis=1))
    close(doubles, 2 * x.T)


def test_nested_arguments_and_results(x):
    @dataclasses.dataclass
    class Pair:
        left: object
        right: object

    out = gg.vmap(lambda p, d: {"sum": p.left + d["b"][0], "same": p.right})(
        Pair(x, x), {"b": [x]}
    )  # fmt: skip
    close(out["sum"], 2 * x)
    close(out["same"], x)
    out = gg.vmap(lambda pair: pair[0] * pair[1], in_axes=((0, None),))((x, x[0]))
    close(out, x * x[0])
    out = gg.vmap(lambda d: d["a"] + d["b"], in_axes=({"a": 0, "b": None},))({"a": x, "b": x[0]})
    close(out, x + x[0])


def test_keyword_arguments_are_mapped(x):
    close(gg.vmap(lambda a, b: a * b)(x, b=x), x * x)


def test_what_is_the_same_for_all_is_repeated(x):
    constant, number, outer = gg.vmap(lambda a: (gg.ones(2), 3.0, x[0]))(x)
    assert constant.shape == (5, 2)
    close(number, [3.0] * 5)
    close(outer, gg.stack([x[0]] * 5))


def test_no_samples_at_all():
    y = gg.vmap(lambda a: gg.sin(a) @ gg.ones((3, 2), dtype=gg.float64))(gg.zeros((0, 3), dtype=gg.float64))
    assert y.shape == (0, 2)
    g = gg.vmap(gg.grad(lambda a: (a * a).sum()))(gg.zeros((0, 3)))
    assert g.shape == (0, 3)


def test_the_axis_of_the_samples_is_not_there(x):
    seen = []
    gg.vmap(lambda a: seen.append((a.shape, a.ndim, a.size, len(a), a.dtype, a.device)) or a)(x)
    assert seen == [((3,), 1, 3, 3, x.dtype, x.device)]


# ---------------------------------------------------------------- nesting


def test_vmap_of_vmap(x):
    close(gg.vmap(lambda a: gg.vmap(lambda b: a @ b)(x))(x), x @ x.T)
    outer = gg.vmap(gg.vmap(gg.multiply, (0, None)), (None, 0))
    close(outer(x[:, 0], x[:3, 1]), x[:3, 1][:, None] * x[:, 0])


def test_second_derivatives_of_each_sample(w, x):
    close(gg.vmap(gg.hessian(energy, 1), (None, 0))(w, x), [gg.hessian(energy, 1)(w, a) for a in x])
    close(
        gg.vmap(lambda a, t: gg.jvp(lambda b: gg.sin(b) * b, (a,), (t,))[1])(x, x),
        gg.jvp(lambda b: gg.sin(b) * b, (x,), (x,))[1],
    )


@pytest.mark.parametrize("given", ["argument", "closure"])
def test_gradients_pass_through_vmap(w, x, given):
    """To arguments, and to what the function reaches from outside."""

    def total(w):
        if given == "argument":
            return gg.vmap(energy, (None, 0))(w, x).sum()
        return gg.vmap(lambda a: energy(w, a))(x).sum()

    close(gg.grad(total)(w), gg.grad(lambda w: energy(w, x))(w))
    leaf = gg.tensor(w.numpy(), requires_grad=True)
    total(leaf).backward()
    close(leaf.grad, gg.grad(total)(w))


@pytest.mark.parametrize("given", ["argument", "closure"])
def test_gradients_pass_through_the_gradients_of_each_sample(w, x, given):
    def penalty(w):
        if given == "argument":
            g = gg.vmap(gg.grad(energy), (None, 0))(w, x)
        else:
            g = gg.vmap(gg.grad(lambda a: energy(w, a)))(x)
        return (g * g).sum()

    def expected(w):
        argnum = 0 if given == "argument" else 1
        parts = [gg.grad(energy, argnum)(w, a) for a in x]
        return sum((g * g).sum() for g in parts)

    close(gg.grad(penalty)(w), gg.grad(expected)(w))
    leaf = gg.tensor(w.numpy(), requires_grad=True)
    penalty(leaf).backward()
    close(leaf.grad, gg.grad(expected)(w))


def test_arrays_mapped_beside_a_variable_give_tensors(x):
    """A gradient passes to what the function reaches from outside, so the results cannot be plain arrays."""
    w, arrays = gg.tensor(2.0, dtype=gg.float64, requires_grad=True), x.data
    (gg.vmap(lambda a: (w * a).sum())(arrays) * w).sum().backward()
    close(w.grad, 4 * x.sum())
    close(gg.grad(lambda w: (gg.vmap(lambda a: w * a)(arrays) * w).sum())(w.detach()), 4 * x.sum())
    inner = gg.vmap(lambda a: numpy.sum(gg.vmap(lambda b: a @ b)(arrays)))(arrays)  # the results are of each a
    close(Tensor(inner), (x @ x.T).sum(axis=1))
    close(gg.vmap(lambda a: numpy.sum(gg.grad(lambda b: (b * b * a).sum())(arrays[0])))(x), 2 * (x @ x[0]))


def test_variables_made_inside(x):
    def f(a):
        v = a.detach().requires_grad_()
        (v * v * a).sum().backward()
        return v.grad

    close(gg.vmap(f)(x), 2 * x * x)


def test_a_variable_that_is_the_same_for_all_has_a_gradient_of_each_sample(x):
    def f(a):
        v = gg.ones(3, dtype=gg.float64).requires_grad_()
        (v * a).sum().backward()
        return v.grad

    close(gg.vmap(f)(x), x)
    close(gg.vmap(lambda a: gg.grad(lambda v: (v * v * a).sum())(x[0]))(x), 2 * x * x[0])


def test_what_is_computed_inside_from_outside_keeps_its_place_in_the_graph(w, x):
    leaf = gg.tensor(w.numpy(), requires_grad=True)
    gg.vmap(lambda a: gg.tanh(leaf.T @ a).sum())(x).sum().backward()
    close(leaf.grad, gg.grad(lambda w: energy(w, x))(w))


def test_checkpoint_inside(w, x):
    block = gg.checkpoint(lambda w, a: gg.tanh(a @ w))
    close(
        gg.vmap(gg.grad(lambda w, a: block(w, a).sum()), (None, 0))(w, x),
        [gg.grad(energy)(w, a) for a in x],
    )


def test_a_network_and_its_loss(x):
    net = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2))
    labels = gg.tensor([0, 1, 1, 0, 1])
    inputs = x.astype(gg.float32)
    loss = nn.CrossEntropyLoss()
    each = gg.vmap(lambda a, t: loss(net(a), t))(inputs, labels)
    each.sum().backward()
    together = [p.grad.numpy() for p in net.parameters()]
    for p in net.parameters():
        p.grad = None
    alone = [loss(net(inputs[i]), labels[i]) for i in range(5)]
    numpy.testing.assert_allclose(each.numpy(), [y.item() for y in alone], rtol=1e-5)
    sum(alone[1:], start=alone[0]).backward()
    for g, p in zip(together, net.parameters(), strict=True):
        numpy.testing.assert_allclose(g, p.grad.numpy(), rtol=1e-4, atol=1e-6)


def test_complex_numbers(rng):
    z = rng.standard_normal((4, 3)) + 1j * rng.standard_normal((4, 3))
    f = gg.grad(lambda a: gg.real(a * gg.conj(a) * a).sum())
    close(gg.vmap(f)(z), [f(a) for a in z])


def test_a_kernel_of_ones_own(x):
    squared = gg.elementwise_kernel("vmap_square", "x", "y", "y = x * x;", "x * x", {"x": "2 * x * g"})
    close(gg.vmap(gg.grad(lambda a: squared(a).sum()))(x), 2 * x)
    assert squared.op.batch == "elementwise"
    close(gg.vmap(lambda a, b: squared(a * b), (0, None))(x, x[0]), (x * x[0]) ** 2)


def test_an_operation_declares_its_rule(x):
    @gg.primitive(batch="nothing")
    def lost(xp, a, /):
        return a

    with pytest.raises(ValueError, match="lost: batch='nothing' is no rule of vmap: expected one of 'elementwise', "):
        gg.vmap(lost)(x)
    for operation in [call for name, call in OPERATIONS.items() if name.startswith("gpugrad.")]:
        assert callable(rule_of(operation.op))


@pytest.mark.parametrize(
    "f",
    [
        lambda a, b: gg.interp(a, b, b * b),
        lambda a, b: gg.searchsorted(b, a),
        lambda a, b: gg.digitize(a, b),
        lambda a, b: gg.isin(a, b),
    ],
)
def test_a_table_for_all_samples_or_for_each(f, x):
    tables = gg.sort(x + 1, axis=1)
    close(gg.vmap(f, (0, None))(x, tables[0]), [f(a, tables[0]) for a in x])
    close(gg.vmap(f, (None, 0))(x[0], tables), [f(x[0], b) for b in tables])
    close(gg.vmap(f)(x, tables), [f(a, b) for a, b in zip(x, tables, strict=True)])


def test_weights_of_classes_for_each_sample(x):
    def f(a, w):
        return gg.nn.functional.cross_entropy(a, gg.tensor(1), weight=w, reduction="sum")

    close(gg.vmap(f)(x, x * x), [f(a, a * a) for a in x])


def test_an_operation_without_a_rule_is_run_sample_by_sample(x):
    calls = []

    @gg.primitive
    def cumulated(xp, a, /):
        calls.append(a.shape)
        return xp.cumulative_sum(a, axis=-1)

    cumulated.vjp(a=lambda xp, g: xp.flip(xp.cumulative_sum(xp.flip(g, axis=-1), axis=-1), axis=-1))
    y = gg.vmap(gg.grad(lambda a: (cumulated(a) ** 2).sum()))(x)
    assert calls == [(3,)] * 5
    close(y, [gg.grad(lambda a: (gg.cumsum(a) ** 2).sum())(b) for b in x])


# ---------------------------------------------------------------- indices


@pytest.mark.parametrize(
    "index",
    [
        lambda i, j: i, lambda i, j: (i, j), lambda i, j: (slice(None), i), lambda i, j: (i, slice(None, None, -1), j),
        lambda i, j: (None, i, 1), lambda i, j: (..., j), lambda i, j: (i, None, j),
        lambda i, j: (slice(0, 2), slice(1, None), i), lambda i, j: (gg.stack([i, j]), 0, slice(1)),
    ],
    ids=range(9),
)  # fmt: skip
@pytest.mark.parametrize("own", [(0, 0), (0, None), (None, 0)], ids=["both", "the array", "the index"])
def test_an_index_of_ones_own(index, own, rng):
    a = gg.tensor(rng.standard_normal((4, 3, 2, 3) if own[0] == 0 else (3, 2, 3)))
    rows = [(gg.tensor(i), gg.tensor(j)) for i, j in rng.integers(0, 2, (4, 2))]
    i, j = (gg.stack([r[k] for r in rows]) if own[1] == 0 else rows[0][k] for k in (0, 1))

    def read(a, i, j):
        return a[index(i, j)]

    def write(a, i, j):
        return gg.set_at(a, index(i, j), gg.exp(a[index(i, j)]))

    def gradient(a, i, j):
        return gg.grad(lambda a: (a[index(i, j)] ** 2).sum())(a)

    for f in (read, write, gradient):
        expected = [
            f(a[k] if own[0] == 0 else a, *(rows[k] if own[1] == 0 else rows[0])) for k in range(4)
        ]  # fmt: skip
        close(gg.vmap(f, (own[0], own[1], own[1]))(a, i, j), expected)


def test_writing_what_differs_into_what_does_not(x):
    zeros = gg.zeros(4, dtype=gg.float64)
    y = gg.vmap(lambda a: gg.set_at(zeros, slice(1, None), a))(x)
    close(y[:, 1:], x)


def test_piecewise_where_the_pieces_differ(x):
    """The functions see all elements, and must be elementwise; what they must not see does not harm a gradient."""

    def f(a, w=1.0):
        return gg.piecewise(a, [a > 0, a <= -1], [lambda t: w * gg.sqrt(t), 2.0, lambda t: -gg.log(-t)])

    xs = gg.tensor(numpy.vstack([x.numpy(), [[1, 2, 3], [-0.5, -0.1, -0.2]]]))
    with numpy.errstate(invalid="ignore"):  # of samples that have no element in a piece
        for g in (f, gg.grad(lambda a: f(a).sum()), gg.hessian(lambda a: (f(a) ** 2).sum())):
            close(gg.vmap(g)(xs), [g(a) for a in xs])
        of_w = gg.grad(lambda w: gg.vmap(lambda a: f(a, w))(xs).sum())
        close(of_w(gg.tensor(2.0, dtype=gg.float64)), gg.stack([gg.sqrt(a[a > 0]).sum() for a in xs]).sum())
    nested = gg.vmap(lambda c: gg.vmap(lambda a: gg.piecewise(a, [a > c], [gg.exp, c]))(xs))
    bounds = gg.tensor([-0.3, 0.2], dtype=gg.float64)
    close(nested(bounds), [gg.where(xs > c, gg.exp(xs), c) for c in bounds])
    for other in (lambda t: t - t.mean(), lambda t: t[0], gg.sort):
        with pytest.raises(TypeError, match=r"piecewise calls its functions with all elements.*test_vmap.py"):
            gg.vmap(lambda a, g=other: gg.piecewise(a, [a > 0], [g]))(xs)


# ---------------------------------------------------------------- errors


@pytest.mark.parametrize(
    "look", [bool, float, int, lambda a: a.item(), lambda a: a.numpy(), lambda a: 1 if a > 0 else 2]
)
def test_a_value_that_differs_cannot_be_looked_at(look, x):
    with pytest.raises(TypeError, match=r"vmap: this tensor's value differs from sample to sample.*test_vmap.py"):
        gg.vmap(lambda a: look(a[0]))(x)


def test_printing_shows_all_samples(x):
    seen = []
    gg.vmap(lambda a: seen.append(repr(a[:1])) or a)(x[:2])
    assert seen == [f"tensor(of each of 2 samples: {x[:2, :1]!r})"]


def test_shapes_that_depend_on_values(x):
    with pytest.raises(ValueError, match="the shape of nonzero's result depends on values"):
        gg.vmap(lambda a: gg.nonzero(a > 0)[0])(x)
    with pytest.raises(ValueError, match="the shape of unique's result depends on values"):
        gg.vmap(gg.unique_values)(gg.tensor([[1, 1], [1, 2]]))
    with pytest.raises(ValueError, match="the shape of gather's result depends on values"):
        gg.vmap(lambda a: a[a > 0])(x)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda x: gg.vmap(gg.add)(x, x[:2]), "one number of samples in all arguments, got 2 and 5"),
        (lambda x: gg.vmap(gg.sin, None)(x), "got none: every in_axes is None"),
        (lambda x: gg.vmap(gg.sin, 2)(x), r"an array with an axis 2 to map over, got shape \(5, 3\)"),
        (lambda x: gg.vmap(gg.sin)(1.0), r"got shape \(\)"),
        (lambda x: gg.vmap(gg.add, (0,))(x, x), "in_axes for 2 arguments, got 1"),
        (lambda x: gg.vmap(gg.add, ("a", 0))(x, x), "in_axes as an integer, None, or nested .*, got 'a'"),
        (lambda x: gg.vmap(gg.sin, out_axes=(0, 1))(x), r"out_axes as an integer, or one for each of 1 results"),
    ],
)  # fmt: skip
def test_arguments_that_do_not_fit(call, message, x):
    with pytest.raises(ValueError, match=f"vmap: expected .*{message}"):
        call(x)


def test_what_escapes_is_of_no_use(x):
    kept = []
    gg.vmap(lambda a: kept.append(a) or a)(x)
    with pytest.raises(RuntimeError, match="kept from inside a mapped function"):
        kept[0] + 1


def test_nothing_is_left_behind(x):
    before = careful.on
    with pytest.raises(ZeroDivisionError):
        gg.vmap(lambda a: 1 / 0)(x)
    assert careful.on == before
    close(gg.sin(x), numpy.sin(x.numpy()))


def test_errors_of_operations_are_those_of_one_sample(x):
    with pytest.raises(ValueError, match="matmul"):
        gg.vmap(lambda a: a @ gg.ones((4, 2), dtype=gg.float64))(x)


def test_formatting_and_memory_inside():
    seen = []

    def f(x):
        seen.extend([f"{x:.3f}", f"{x}", str(x), x.nbytes, (x * x).nbytes, gg.ones(2).nbytes])
        return x

    gg.vmap(f)(numpy.ones(5))
    assert seen[0] == seen[1] == seen[2]
    assert "each of 5 samples" in seen[0]
    assert seen[3:] == [8, 8, 8]
