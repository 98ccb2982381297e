"""``grad``, ``value_and_grad`` and ``vjp``: what goes in and comes out, nesting, closures."""

from __future__ import annotations

import functools

import numpy
import pytest
from cases import host

import gpugrad as gg


def same(a, b):
    numpy.testing.assert_allclose(host(a), b, rtol=1e-12)


def array(values):
    """A plain array on the device of the run."""
    return gg.tensor(values, dtype=gg.float64).data


# ---------------------------------------------------------------- in and out


def test_arrays_give_arrays_and_tensors_tensors():
    f = lambda x: (x * x).sum()
    x = array([1.0, 2.0])
    value, gradient = gg.value_and_grad(f)(x)
    assert type(value) is type(gradient) is type(x)
    assert (value.shape, gradient.dtype) == ((), gg.float64)
    value, gradient = gg.value_and_grad(f)(gg.tensor(x))
    assert type(value) is type(gradient) is gg.Tensor
    same(value, 5.0)
    same(gradient, [2.0, 4.0])
    assert not gradient.requires_grad
    y, pullback = gg.vjp(gg.sin, x)
    assert type(y) is type(x)
    assert type(pullback(array([1.0, 1.0]))[0]) is type(x)


def test_python_floats_are_float64():
    g = gg.grad(lambda x: x**3)(2.0)
    assert (g.dtype, g.shape, float(g)) == (gg.float64, (), 12.0)
    value, slopes = gg.value_and_grad(lambda p: p["a"] * p["b"][0] ** 2)({"a": 1e30, "b": [1e20]})
    assert (float(value), float(slopes["a"]), float(slopes["b"][0])) == pytest.approx((1e70, 1e40, 2e50), rel=1e-15)
    assert float(gg.hessian(lambda x: x**4)(0.1)) == pytest.approx(0.12, rel=1e-15)
    assert [*map(float, gg.jvp(lambda x: 3 * x, (0.1,), (0.7,)))] == pytest.approx([0.3, 2.1], rel=1e-15)
    assert float(gg.hvp(lambda x: x**3, (0.1,), (0.7,))) == pytest.approx(0.42, rel=1e-15)
    y, pullback = gg.vjp(lambda z: z * z, 0.1 + 0.2j)
    assert y.dtype == pullback(1.0)[0].dtype == gg.complex128


@pytest.mark.parametrize(
    ("other", "dtype"),
    [
        (numpy.ones(2), gg.float64), (numpy.ones(2, numpy.float32), gg.float32), (gg.tensor([1.0, 1.0]), gg.float32),
        (gg.tensor([1.0, 1.0], dtype=gg.float64, device="cpu"), gg.float64),
        (numpy.ones(2, numpy.complex128), gg.float64),
    ],
)  # fmt: skip
def test_python_floats_beside_arrays(other, dtype):
    f = lambda x, y: gg.real((x * y).sum())
    g, _ = gg.grad(f, argnums=(0, 1))(0.1, other)
    assert (g.dtype, float(g)) == (dtype, 2.0)


def test_plain_results_belong_to_the_caller():
    x, g = array([1.0, 2.0]), array([1.0, 1.0])
    a, b = gg.grad(lambda x, y: (x + y).sum(), argnums=(0, 1))(x, x)
    a *= 10
    same(b, [1.0, 1.0])
    y, pullback = gg.vjp(lambda x: x.reshape((2,)), x)
    y += 1
    (h,) = pullback(g)
    h += 1
    same(x, [1.0, 2.0])
    same(g, [1.0, 1.0])


def test_inputs_are_left_alone():
    x = gg.tensor([1.0, 2.0], requires_grad=True)
    gg.grad(lambda x: (x * x).sum())(x)
    assert x.grad is None
    c = gg.tensor([1.0])
    gg.grad(lambda x: x.sum())(c)
    assert not c.requires_grad


@pytest.mark.parametrize(
    ("argnums", "expected"),
    [
        (0, 6.0),
        (1, 3.0),
        (-1, 18.0),
        (-3, 6.0),
        ((0,), (6.0,)),
        ((0, 2), (6.0, 18.0)),
        ((-1, 0), (18.0, 6.0)),
        ([1], (3.0,)),
    ],
    ids=str,
)
def test_argnums(argnums, expected):
    f = lambda a, b, c: a * b + c**3 / 1.5
    value, g = gg.value_and_grad(f, argnums)(*map(numpy.float64, (3.0, 6.0, 3.0)))
    assert float(value) == 36.0
    if isinstance(expected, tuple):
        assert isinstance(g, tuple)
        assert tuple(map(float, g)) == expected
    else:
        assert float(g) == expected


def test_argnums_beyond_the_arguments():
    for argnums in (1, -2, (0, 1)):
        with pytest.raises(TypeError, match="asks for more than the 1 positional arguments given"):
            gg.grad(lambda x: x, argnums)(1.0)


def test_other_arguments_pass_through():
    def f(x, power, *, scale, name="n"):
        assert (type(power), type(scale), name) == (int, float, "m")
        return scale * (x**power).sum()

    same(gg.grad(f)(array([2.0]), 3, scale=0.5, name="m"), [6.0])


def test_has_aux():
    f = lambda x: ((x * x).sum(), {"double": x * 2})
    (value, aux), g = gg.value_and_grad(f, has_aux=True)(array([1.0, 2.0]))
    same(value, 5.0)
    same(aux["double"], [2.0, 4.0])
    same(g, [2.0, 4.0])
    g, aux = gg.grad(f, has_aux=True)(array([1.0, 2.0]))
    same(g, [2.0, 4.0])
    assert set(aux) == {"double"}


def test_aux_is_handed_back_as_the_value_is():
    """No graph is kept alive by it: arrays for arrays, and what is no Tensor as it is."""
    f = lambda x: (x.sum(), {"twice": [2 * x, "name", None, (x, 3)], "kept": constant})
    constant, x = object(), array([1.0, 2.0])
    for given, kind in ((x, type(x)), (gg.tensor(x), gg.Tensor)):
        _, aux = gg.grad(f, has_aux=True)(given)
        twice, name, none, (same_as_x, three) = aux["twice"]
        assert (name, none, three, aux["kept"]) == ("name", None, 3, constant)
        assert type(twice) is type(same_as_x) is kind
        assert kind is not gg.Tensor or not (twice.requires_grad or same_as_x.requires_grad)
        same(twice, [2.0, 4.0])
    through = gg.grad(lambda u: gg.grad(lambda v: ((v * v).sum(), u * v), has_aux=True)(u)[1].sum())
    same(through(x), [2.0, 4.0])  # inside another transform it stays in the graph


def test_names_and_docs_are_those_of_the_function():
    def f(x):
        """Square."""
        return x * x

    for g in (gg.grad(f), gg.value_and_grad(f)):
        assert (g.__name__, g.__doc__) == ("f", "Square.")
    assert float(gg.grad(functools.partial(lambda a, x: a * x, 3.0))(1.0)) == 3.0


def test_gradients_that_are_not_reached_are_zero():
    a, b = gg.grad(lambda x, y: (x * x).sum(), argnums=(0, 1))(array([1.0]), array([[1.0, 2.0]]))
    same(a, [2.0])
    same(b, [[0.0, 0.0]])
    same(gg.grad(lambda x: gg.tensor(1.0))(array([1.0])), [0.0])
    same(gg.grad(lambda x: x)(array(2.0)), 1.0)
    same(gg.grad(lambda x: x.detach().sum())(array([2.0])), [0.0])


def test_the_same_argument_twice():
    x = gg.tensor(3.0, dtype=gg.float64)
    a, b = gg.grad(lambda x, y: x * x * y, argnums=(0, 1))(x, x)
    assert (a.item(), b.item()) == (18.0, 9.0)


def test_integers_are_refused():
    for x, instead in ((3, "write 3.0"), (numpy.array([1, 2]), "astype"), (gg.tensor([1]), "astype"), (True, "astype")):
        with pytest.raises(TypeError, match=rf"needs a floating-point argument, got .*{instead}.*gradient.py"):
            gg.grad(lambda x: x * 1.0)(x)


def test_values_that_are_no_scalar_tensors():
    with pytest.raises(ValueError, match=r"to return a scalar, got shape \(2,\): sum it, or use vjp"):
        gg.grad(lambda x: x * x)(array([1.0, 2.0]))
    with pytest.raises(ValueError, match=r"to return a real scalar, got complex"):
        gg.grad(lambda x: 1j)(array([1.0]))
    for f in (lambda x: None, lambda x: (x, x), lambda x: True):
        with pytest.raises(TypeError, match="expected the function to return a Tensor or a number, got"):
            gg.grad(f)(array(1.0))
    for f in (numpy.argmax, lambda x: array([1.0]).astype(int)):
        with pytest.raises(TypeError, match="to return floating-point numbers, got int64"):
            gg.grad(f)(array([1.0, 2.0]))


def test_one_element_is_a_scalar():
    value, g = gg.value_and_grad(lambda x: (x * x).sum(keepdims=True))(array([[1.0, 2.0]]))
    assert value.shape == (1, 1)
    same(g, [[2.0, 4.0]])


@pytest.mark.parametrize("constant", [3, 3.0, numpy.float32(3), numpy.array(3.0), numpy.array([3.0])])
def test_a_result_that_does_not_depend_on_the_argument(constant):
    """Such as max(0.0, x) below 0, or the sum of an empty list."""
    x = array([1.0, 2.0])
    value, g = gg.value_and_grad(lambda x: constant)(x)
    assert value is constant
    assert type(g) is type(x)
    same(g, [0.0, 0.0])
    y, pullback = gg.vjp(lambda x: (x, constant), x)
    same(y[1], constant)
    same(pullback((array([1.0, 1.0]), gg.ones_like(y[1]).data))[0], [1.0, 1.0])
    assert gg.jvp(lambda x: constant, (x,), (x,))[1].item() == 0
    same(gg.jacobian(lambda x: constant)(x), numpy.zeros((*numpy.shape(constant), 2)))


# ---------------------------------------------------------------- vjp


def test_vjp_is_the_transposed_jacobian():
    a = gg.tensor([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]], dtype=gg.float64)
    y, pullback = gg.vjp(lambda x: a @ x, array([1.0, 1.0]))
    same(y, [3.0, 7.0, 11.0])
    for g in ([1.0, 0.0, 0.0], [0.0, 1.0, 2.0]):  # more than once
        same(pullback(array(g))[0], numpy.array(g) @ a.numpy())


def test_vjp_of_several_arguments():
    _, pullback = gg.vjp(lambda x, y: x * y, array([1.0, 2.0]), array(3.0))
    a, b = pullback(gg.tensor([1.0, 10.0], dtype=gg.float64))
    same(a, [3.0, 30.0])
    same(b, 21.0)


def test_pullback_checks_its_gradient():
    _, pullback = gg.vjp(gg.sin, array([1.0, 2.0]))
    with pytest.raises(
        ValueError, match=r"expected a gradient like the tensor, float64 \(2,\) on .*, got float64 \(3,\)"
    ):
        pullback(array([1.0, 1.0, 1.0]))
    with pytest.raises(ValueError, match="got float32"):
        pullback(gg.ones(2))
    with pytest.raises(TypeError, match="got list"):
        pullback([1.0, 1.0])


def test_vjp_records_where_an_argument_needs_a_gradient():
    x = gg.tensor([1.0, 2.0], dtype=gg.float64, requires_grad=True)
    y, pullback = gg.vjp(lambda x: x**3, x)
    (g,) = pullback(gg.ones(2, dtype=gg.float64))
    g.sum().backward(retain_graph=True)
    same(x.grad, [6.0, 12.0])
    y.sum().backward()
    same(x.grad, [9.0, 24.0])


# ---------------------------------------------------------------- nesting


def test_derivatives_of_higher_order():
    f = lambda x: gg.sin(x) * x**3
    x, fs = array(0.7), [f]
    for _ in range(4):
        fs.append(gg.grad(fs[-1]))
    s, c, v = numpy.sin(0.7), numpy.cos(0.7), 0.7
    expected = [
        s * v**3,
        c * v**3 + 3 * s * v**2,
        -s * v**3 + 6 * c * v**2 + 6 * s * v,
        -c * v**3 - 9 * s * v**2 + 18 * c * v + 6 * s,
        s * v**3 - 12 * c * v**2 - 36 * s * v + 24 * c,
    ]
    for order in range(1, 5):
        numpy.testing.assert_allclose(gg.tensor(fs[order](x)).item(), expected[order], rtol=1e-10)


def test_perturbations_are_not_confused():
    assert float(gg.grad(lambda x: x * gg.grad(lambda y: x + y)(1.0))(1.0)) == 1.0
    assert float(gg.grad(lambda x: x * gg.grad(lambda y: x * y)(2.0))(3.0)) == 6.0
    # d/dx (x d/dy (y d/dz (x y z))) with x = 2: x * x * 2 y, at y = 3
    inner = lambda x: gg.grad(lambda y: y * gg.grad(lambda z: x * y * z)(1.0))(3.0)
    assert float(gg.grad(lambda x: x * inner(x))(2.0)) == 24.0


def test_nesting_with_arguments_of_every_kind():
    f = lambda x: (x**3).sum()
    for x in (array([2.0]), gg.tensor([2.0]), gg.tensor([2.0], requires_grad=True)):
        hessian_sum = gg.grad(lambda x: gg.grad(f)(x).sum())(x)
        same(hessian_sum, [12.0])


def test_the_gradient_inside_is_by_a_new_variable():
    """An inner gradient by a constant of the outer function is recorded there, through the closure."""
    c = gg.tensor(5.0, dtype=gg.float64)
    same(gg.grad(lambda x: gg.grad(lambda y: y * y * x)(c))(array(3.0)), 10.0)


def test_closures_over_parameters():
    w = gg.tensor([2.0, 3.0], dtype=gg.float64, requires_grad=True)
    g = gg.grad(lambda x: (w * x * x).sum())(gg.tensor([1.0, 1.0], dtype=gg.float64))
    same(g, [4.0, 6.0])
    assert w.grad is None
    outer = lambda x: (gg.grad(lambda v: (w * v**2).sum())(x) ** 2).sum()
    x = gg.tensor([1.0, 2.0], dtype=gg.float64, requires_grad=True)
    outer(x).backward()  # sum (2 w x)^2
    same(w.grad, 8 * w.numpy() * x.numpy() ** 2)
    same(x.grad, 8 * w.numpy() ** 2 * x.numpy())


def test_a_closure_over_a_result_leaves_its_graph_in_place():
    w = gg.tensor(2.0, dtype=gg.float64, requires_grad=True)
    h = w * w
    assert gg.grad(lambda x: x * h)(gg.tensor(3.0, dtype=gg.float64)).item() == 4.0
    h.backward()
    assert w.grad.item() == 4.0


def test_gradients_of_a_result():
    w = gg.tensor(3.0, dtype=gg.float64, requires_grad=True)
    g = gg.grad(lambda h: h**2)(w * w)
    assert g.item() == 18.0
    g.backward()
    assert w.grad.item() == 12.0


def test_inside_no_grad():
    x = gg.tensor([1.0, 2.0], dtype=gg.float64, requires_grad=True)
    with gg.no_grad():
        g = gg.grad(lambda x: (x**3).sum())(x)
        assert not gg.is_grad_enabled()
    same(g, [3.0, 12.0])
    assert not g.requires_grad

    def f(x):
        with gg.no_grad():
            c = x * 2
        return (c * x).sum()

    same(gg.grad(f)(x), [2.0, 4.0])


def test_an_error_inside_leaves_everything_as_it_was():
    def f(x):
        raise KeyError("inside")

    with pytest.raises(KeyError):
        gg.grad(f)(array(1.0))
    assert type(gg.grad(lambda x: x * x)(array(1.0))) is type(array(1.0))


def test_writes_inside_the_function():
    def f(x):
        y = gg.zeros_like(x)
        y[0] = x[1] ** 2
        y += x
        y[1:] *= 3
        return (y * gg.tensor([1.0, 2.0, 4.0])).sum()

    x = array([1.0, 2.0, 3.0])
    same(gg.grad(f)(x), [1.0, 4.0 + 6.0, 12.0])
    assert gg.gradgradcheck(f, gg.tensor(x))


def test_the_argument_may_be_written_to_inside():
    def f(x):
        x *= x
        x[0] = 0.0
        return x.sum()

    x = array([3.0, 4.0])
    same(gg.grad(lambda x: f(x * 1))(x), [0.0, 8.0])
    same(x, [3.0, 4.0])


def test_mixed_dtypes():
    a, b = gg.grad(lambda a, b: (a * b).sum(), argnums=(0, 1))(
        gg.tensor([1.0], dtype=gg.float32), gg.tensor([2.0], dtype=gg.float64)
    )
    assert (a.dtype, b.dtype) == (gg.float32, gg.float64)
