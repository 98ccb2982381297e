"""The walk back: order, adding up, what is kept and freed, hooks, recorded walks."""

from __future__ import annotations

import numpy
import pytest

import gpugrad as gg


def variable(values, dtype=gg.float64):
    return gg.tensor(values, dtype=dtype, requires_grad=True)


def same(tensor, expected):
    numpy.testing.assert_allclose(tensor.numpy(), expected, rtol=1e-12)


# ---------------------------------------------------------------- adding up


def test_branches_add_up():
    x = variable(3.0)
    a, b = x * x, x * 2
    (a * b + a).backward()  # 2 x^3 + x^2
    same(x.grad, 6 * 9 + 2 * 3)


def test_an_operand_used_twice_in_one_operation():
    x = variable([1.0, 2.0])
    (x * x + x + x).sum().backward()
    same(x.grad, [4.0, 6.0])


def test_every_node_is_walked_once_and_only_when_its_gradient_is_complete():
    calls = []

    @gg.primitive
    def counted(xp, x, /):
        return xp.multiply(x, 2)

    def rule(xp, g):
        calls.append(float(g.sum()))
        return 2 * g

    counted.vjp(x=rule)
    x = variable(1.0)
    y = counted(x)
    deep = y
    for _ in range(5):
        deep = deep + y  # y is reached by six paths
    deep.backward()
    assert calls == [6.0]
    same(x.grad, 12.0)


def test_gradients_of_random_graphs_are_the_numbers_of_paths():
    """Nodes of one to three parents, some of them the same, in any order of age: integers, so exactly."""
    walked = []

    @gg.primitive
    def total(xp, *xs):
        return sum(xs)

    @total.joint_vjp
    def _(xp, g, wanted, xs):
        return [g for _ in wanted]

    @gg.primitive
    def noted(xp, x, /):
        return xp.positive(x)

    noted.vjp(x=lambda xp, g: (walked.append(1), g)[1])
    for seed in range(60):
        random = numpy.random.default_rng(seed)
        x, w = variable(1.0), variable(1.0)
        values, paths = [x, w], [numpy.array([1, 0]), numpy.array([0, 1])]
        walked.clear()
        for _ in range(random.integers(1, 25)):
            i, j, k = random.integers(len(values), size=3)
            kind = random.integers(4)
            if kind == 0:
                values.append(noted(values[i]))
                paths.append(paths[i])
            elif kind == 1:
                values.append(values[i] - values[j] * 2)
                paths.append(paths[i] - paths[j] * 2)
            elif kind == 2:
                values.append(values[i] + values[j])
                paths.append(paths[i] + paths[j])
            else:
                values.append(total(values[i], values[j], values[k]))
                paths.append(paths[i] + paths[j] + paths[k])
        values[-1].backward()
        counted = len(walked)
        grads = [0 if v.grad is None else v.grad.item() for v in (x, w)]
        assert grads == paths[-1].tolist(), seed
        assert counted <= sum(v.node is not None and v.node.name == "noted" for v in values), seed


def test_gradients_of_two_walks_add_up():
    x = variable(2.0)
    (x * x).backward()
    (x * 3).backward()
    same(x.grad, 7.0)
    x.grad = None
    (x * 3).backward()
    same(x.grad, 3.0)


def test_backward_from_a_leaf_is_its_own_gradient():
    x = variable(2.0)
    x.backward()
    same(x.grad, 1.0)


def test_backward_with_a_gradient():
    x = variable([[1.0, 2.0], [3.0, 4.0]])
    y = x * x
    y.backward(gg.tensor([[1.0, 0.0], [0.0, 10.0]], dtype=gg.float64))
    same(x.grad, [[2.0, 0.0], [0.0, 80.0]])


def test_a_gradient_array_given_to_backward_may_be_reused_by_the_caller():
    x = variable([1.0, 2.0])
    g = gg.ones(2, dtype=gg.float64).data
    (x + 0.0).backward(g)
    g[...] = 7
    same(x.grad, [1.0, 1.0])


def test_one_element_of_any_shape_needs_no_gradient():
    x = variable([[2.0]])
    (x * x).backward()
    same(x.grad, [[4.0]])


def test_constants_get_no_gradient():
    x, c = variable(2.0), gg.tensor(3.0, dtype=gg.float64)
    (x * c).backward()
    assert c.grad is None
    assert not c.requires_grad


def test_unused_outputs_count_as_zero():
    x = variable([1.0, 2.0, 3.0, 4.0])
    first, _, third = gg.split(x, [1, 3])
    (first.sum() * 5 + (third * third).sum()).backward()
    same(x.grad, [5.0, 0.0, 0.0, 8.0])


def test_an_output_used_several_times():
    x = variable([1.0, 2.0])
    a, b = gg.unstack(x)
    (a * a * b + a).backward()
    same(x.grad, [2 * 1 * 2 + 1, 1.0])


def test_outputs_differentiated_twice():
    x = variable([1.0, 2.0, 3.0])
    a, b = gg.split(x, [1])
    (g,) = gg.vjp(lambda x: gg.concat([p**3 for p in gg.split(x, [1])]).sum(), x)[1](gg.ones((), dtype=gg.float64))
    g.sum().backward()
    same(x.grad, 6 * numpy.array([1.0, 2.0, 3.0]))
    assert (a.requires_grad, b.requires_grad) == (True, True)


# ---------------------------------------------------------------- once, or again


def test_a_second_walk_is_refused():
    x = variable(2.0)
    y = x * x
    y.backward()
    with pytest.raises(gg.GradientError, match=r"graph behind this multiply was walked before.*retain_graph=True"):
        y.backward()
    same(x.grad, 4.0)


def test_a_second_walk_through_a_shared_part_is_refused():
    x = variable(2.0)
    shared = gg.exp(x)
    a, b = shared * 2, shared * 3
    a.backward()
    with pytest.raises(gg.GradientError, match="behind this exp was walked before"):
        b.backward()


def test_retain_graph_allows_another():
    x = variable(2.0)
    y = x * x
    y.backward(retain_graph=True)
    y.backward()
    same(x.grad, 8.0)
    with pytest.raises(gg.GradientError, match="walked before"):
        y.backward()


def test_create_graph_retains_and_records():
    x = variable(2.0)
    y = x**3
    y.backward(create_graph=True)
    first = x.grad
    same(first, 12.0)
    x.grad = None
    first.backward()
    same(x.grad, 12.0)
    x.grad = None
    y.backward()
    same(x.grad, 12.0)


def test_create_graph_records_inside_no_grad():
    x = variable(2.0)
    y = x**3
    with gg.no_grad():
        y.backward(create_graph=True)
    assert x.grad.requires_grad
    g, x.grad = x.grad, None
    g.backward()
    same(x.grad, 12.0)


def test_third_derivative_by_walks():
    x = variable(2.0)
    y = gg.exp(x) * x
    for _ in range(3):
        x.grad = None
        y.backward(create_graph=True)
        y = x.grad
    same(y, numpy.exp(2.0) * (2 + 3))
    x.grad = None  # the graph and the variable hold each other


def test_without_create_graph_gradients_are_constants():
    x = variable(2.0)
    (x**3).backward()
    assert not x.grad.requires_grad


def test_the_gradient_of_the_gradient_given():
    x, g = variable([1.0, 2.0]), variable([3.0, 4.0])
    (x * x).backward(g, create_graph=True)
    first, x.grad = x.grad, None
    first.sum().backward()
    same(g.grad, [2.0, 4.0])
    same(x.grad, [6.0, 8.0])


# ---------------------------------------------------------------- watching


def test_retain_grad_keeps_the_gradient_of_a_result():
    x = variable(3.0)
    y = x * x
    assert y.grad is None
    y.retain_grad()
    (y * 5).backward()
    same(y.grad, 5.0)
    same(x.grad, 30.0)


def test_without_retain_grad_a_result_keeps_none():
    x = variable(3.0)
    y = x * x
    (y * 5).backward()
    assert y.grad is None


def test_retain_grad_of_the_root_and_of_one_of_several_outputs():
    x = variable([1.0, 2.0])
    a, _ = gg.split(x, 2)
    a.retain_grad()
    y = (a * 3).sum()
    y.retain_grad()
    y.backward()
    same(y.grad, 1.0)
    same(a.grad, [3.0])


def test_hooks_run_in_order_and_each_sees_what_the_one_before_made():
    x = variable(3.0)
    y = x * 2
    seen = []
    y.register_hook(lambda g: seen.append(("first", g.item())))
    y.register_hook(lambda g: g * 10)
    y.register_hook(lambda g: seen.append(("third", g.item())))
    y.backward()
    assert seen == [("first", 1.0), ("third", 10.0)]
    same(x.grad, 20.0)


def test_a_hook_of_a_leaf_replaces_what_is_added_to_its_grad():
    x = variable([1.0, 2.0])
    x.register_hook(lambda g: g * 2)
    (x * 3).sum().backward()
    same(x.grad, [6.0, 6.0])


def test_a_hook_sees_the_whole_gradient_once():
    x = variable(3.0)
    seen = []
    x.register_hook(lambda g: seen.append(g.item()))
    (x * 2 + x * 3).backward()
    assert seen == [5.0]


def test_a_removed_hook_does_not_run():
    x = variable(3.0)
    first, second = x.register_hook(lambda g: g * 2), x.register_hook(lambda g: g * 3)
    first.remove()
    first.remove()
    (x * 1).backward()
    same(x.grad, 3.0)
    second.remove()
    (x * 1).backward()
    same(x.grad, 4.0)


def test_a_hook_may_remove_itself():
    x = variable(3.0)
    handle = x.register_hook(lambda g: handle.remove())
    (x * 1).backward()
    (x * 1).backward()
    same(x.grad, 2.0)


@pytest.mark.parametrize("bad", [1.0, "no", gg.tensor([1.0, 2.0]), gg.tensor(1.0, dtype=gg.float32)], ids=repr)
def test_a_hook_must_return_a_gradient_like_the_one_it_got(bad):
    x = variable(3.0)
    x.register_hook(lambda g: bad)
    with pytest.raises(ValueError, match=r"expected from a gradient hook a tensor of float64 \(\)"):
        (x * 2).backward()


def test_a_hook_in_a_recorded_walk_is_differentiated():
    x = variable(3.0)
    y = x * x
    y.register_hook(lambda g: g * x)
    y.backward(create_graph=True)
    g, x.grad = x.grad, None
    same(g, 18.0)  # x * 2 x
    g.backward()
    same(x.grad, 12.0)


def test_grad_can_be_set_and_must_fit():
    x = variable([1.0, 2.0])
    x.grad = gg.tensor([5.0, 5.0], dtype=gg.float64)
    x.sum().backward()
    same(x.grad, [6.0, 6.0])
    with pytest.raises(ValueError, match=r"expected a gradient of float64 \(2,\), got float64 \(3,\)"):
        x.grad = gg.zeros(3, dtype=gg.float64)
    with pytest.raises(ValueError, match=r"expected a gradient of float64 \(2,\), got float32 \(2,\)"):
        x.grad = gg.zeros(2)
    with pytest.raises(gg.GradientError, match="requires_grad"):
        gg.zeros(2).grad = gg.zeros(2)
    constant = gg.zeros(2)
    constant.grad = None
    assert constant.grad is None


def test_gradients_in_mixed_dtypes_come_back_in_the_variables_dtype():
    half, single, double = (variable([1.0, 2.0], dtype=d) for d in (gg.float16, gg.float32, gg.float64))
    y = half * single * double
    assert y.dtype == gg.float64
    y.sum().backward()
    for x in (half, single, double):
        assert x.grad.dtype == x.dtype
        same(x.grad, [1.0, 4.0])


def test_a_float32_scalar_among_float64_keeps_its_dtype():
    x = variable(3.0, dtype=gg.float32)
    (x * gg.tensor(2.0, dtype=gg.float64)).backward()
    assert (x.grad.dtype, x.grad.shape) == (gg.float32, ())


# ---------------------------------------------------------------- what is wrong is said


def test_backward_without_a_graph():
    for y in (gg.tensor(1.0), variable(1.0).detach(), gg.tensor([1.0]) * 2):
        with pytest.raises(gg.GradientError, match=r"not connected to any that needs a gradient.*no_grad.*detach"):
            y.backward()


def test_backward_from_several_elements():
    x = variable([1.0, 2.0])
    with pytest.raises(ValueError, match=r"shape \(2,\) needs the gradient with respect to it"):
        (x * 2).backward()


@pytest.mark.parametrize(
    ("gradient", "kind", "text"),
    [
        (gg.ones(3, dtype=gg.float64, device="cpu"), ValueError, r"float64 \(2,\) on .*, got float64 \(3,\)"),
        (gg.ones(2, dtype=gg.float32, device="cpu"), ValueError, r"got float32 \(2,\)"),
        ([1.0, 1.0], TypeError, "expected the gradient as a tensor or an array, got list"),
        (1.0, TypeError, "got float"),
    ],
    ids=["shape", "dtype", "list", "number"],
)
def test_the_gradient_given_must_be_like_the_tensor(gradient, kind, text):
    x = variable([1.0, 2.0])
    with pytest.raises(kind, match=text):
        (x * 2).backward(gradient)


def test_integers_have_no_gradients():
    for dtype in (gg.int64, gg.bool, gg.uint8):
        with pytest.raises(TypeError, match=f"only floating-point tensors can need a gradient, got {dtype}"):
            gg.tensor([1, 0], dtype=dtype, requires_grad=True)
        with pytest.raises(TypeError, match="only floating-point"):
            gg.tensor([1, 0], dtype=dtype).requires_grad = True


def test_integer_results_are_constants():
    x = variable([1.0, 2.0])
    for y in (
        x > 1,
        gg.argmax(x),
        gg.astype(x, gg.int32),
        gg.sum(x, dtype=gg.int64),
        gg.isnan(x),
        gg.prod(x, dtype=int),
    ):
        assert not y.requires_grad


def test_requires_grad_of_a_result_cannot_be_taken_away():
    y = variable(1.0) * 2
    with pytest.raises(gg.GradientError, match=r"the result of multiply is no leaf: use x.detach\(\)"):
        y.requires_grad = False


@pytest.mark.parametrize("ask", ["retain_grad", "register_hook"])
def test_a_constant_has_nothing_to_watch(ask):
    with pytest.raises(gg.GradientError, match=f"{ask}: this tensor needs no gradient"):
        getattr(gg.tensor(1.0), ask)(*([print] if ask == "register_hook" else []))


# ---------------------------------------------------------------- leaves


def test_leaves():
    x = variable(1.0)
    y = x * 2
    assert (x.is_leaf, y.is_leaf, y.detach().is_leaf, gg.tensor(1.0).is_leaf) == (True, False, True, True)
    assert x.requires_grad_(False) is x
    assert not x.requires_grad
    assert x.requires_grad_().requires_grad


def test_requires_grad_twice_keeps_the_gradient():
    x = variable(2.0)
    (x * x).backward()
    x.requires_grad = True
    same(x.grad, 4.0)


def test_detach_of_a_result_shares_and_of_a_leaf_and_its_views_copies():
    w = variable([1.0, 2.0, 3.0])
    result, leaf, view = (w * 1).detach(), w.detach(), w[1:].detach()
    turned, part = w.reshape((3, 1)).T.detach(), gg.split(w, 3)[0].detach()
    with gg.no_grad():
        w += 10
    for constant, expected in (
        (result, [1, 2, 3]),
        (leaf, [1, 2, 3]),
        (view, [2, 3]),
        (turned, [[1, 2, 3]]),
        (part, [1]),
    ):
        assert not constant.requires_grad
        same(constant, expected)


def test_detach_cuts():
    x = variable(3.0)
    (x * x.detach()).backward()
    same(x.grad, 3.0)


def test_copies_do_not_follow_a_leaf():
    w = variable([1.0, 2.0])
    copies = [w.copy(), gg.tensor(w), gg.asarray(w, copy=True), gg.astype(w, gg.float64), +w]
    with gg.no_grad():
        w += 10
        copies += []
    for c in copies:
        same(c, [1.0, 2.0])
    copies[0].sum().backward()
    same(w.grad, [1.0, 1.0])


def test_backward_of_a_vector_says_what_to_write(device):
    x = gg.tensor([1.0, 2.0], requires_grad=True)
    with pytest.raises(ValueError, match=r"test_backward.*use y\.sum\(\)\.backward\(\), or y\.backward\(gradient\)"):
        (x * x).backward()
    with pytest.raises(ValueError, match=r"use gg\.real\(y\)\.sum\(\)\.backward\(\)"):
        (x[0] * 1j).backward()
