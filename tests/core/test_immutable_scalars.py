"""``x += v`` on a scalar in a graph or a transform: a new Tensor, as for NumPy's scalars and Python's floats."""

from __future__ import annotations

import functools
import itertools
import operator

import numpy
import pytest

import gpugrad as gg


def kept_sum(x):
    s = x.sum()
    old = s
    s += 2
    return s * old


def running_sums(x):
    total, out = 0.0, []
    for t in x:
        total += t * t
        out.append(total)
    return sum(a * b for a, b in itertools.pairwise(out))


def running_products(x):
    p, out = x[0], []
    for i in (1, 2):
        out.append(p)
        p *= x[i]
    return out[0] + 2 * out[1] + p


def three_names(x):
    a = b = c = x[1]
    a += x[0]
    b -= 1
    c *= b
    return a * b + c


def moved_from_start(x):
    position, speed = x[0], x[1]
    start = position
    for _ in range(3):
        speed -= 0.2 * position
        position += 0.2 * speed
    return (position - start) ** 2


def list_of_elements(x):
    elements = list(x)
    for t in elements:
        t *= 3
    return elements[0] * elements[1] - elements[2]


def elements_of_the_vector(x):
    y = x * x
    for t in y:
        t += 1
    return (y * y).sum()


def argument_of_a_function(x):
    def raised(t):
        t **= 2
        return t + 1

    a = x[2]
    return raised(a) * a + raised(a)


def default_of_a_function(x):
    def added(v, to=x[0]):
        to += v
        return to

    return added(x[1]) * added(2.0)


def values_of_a_dict(x):
    d = {"a": x[0], "b": x[1]}
    for v in d.values():
        v /= 4
    d["a"] += d["b"]
    return d["a"] * d["b"]


def attribute(x):
    class Holder:
        pass

    h = Holder()
    h.v = h.first = numpy.max(x)
    h.v -= x[0]
    return h.v * h.first


def reduced(x):
    return functools.reduce(operator.iadd, list(x)) * x[0]


def accumulated(x):
    return sum(t**3 for t in itertools.accumulate(x, operator.imul))


def products(x):
    d = n = numpy.dot(x, x)
    n /= 3
    m = w = numpy.linalg.norm(x)
    w -= d
    return n * d + m * w


def rounded_down(x):
    t = u = 3 * x[1]
    t //= 2
    v = w = x[0] + 5.5
    v %= 2
    return u * t + v * w


def grown_to_a_vector(x):
    s = t = x[0]
    s += x
    return (s * s).sum() + t


def complex_part(x):
    z = w = x[0] + x[1]
    z += 1j * x[2]
    z *= z
    return numpy.real(z * w)


def newton(x):
    guess, change = x[1] + 2, 0.0
    for _ in range(4):
        before = guess
        guess -= (guess**2 - 5 - x[0]) / (2 * guess)
        change += (guess - before) ** 2
    return guess + 10 * change


def swapped(x):
    a, b = x[0], x[1]
    for _ in range(3):
        a, b = b, a
        b += a
    return a * b


def of_matrices(x):
    m = numpy.outer(x, x)
    for row in m:
        row += x  # a row is an array, and part of the matrix
        for t in row:
            t *= 100  # an element is a number
    corner = low = m[0, 1]
    corner += m[2, 2]
    m[0, 1] += corner
    return m[0, 1] * low + m.sum()


PROGRAMS = (
    kept_sum, running_sums, running_products, three_names, moved_from_start, list_of_elements, elements_of_the_vector,
    argument_of_a_function, default_of_a_function, values_of_a_dict, attribute, reduced, accumulated, products,
    rounded_down, grown_to_a_vector, complex_part, newton, swapped, of_matrices,
)  # fmt: skip


def differences(f, x, h=1e-6):
    return numpy.array([(f(x + d) - f(x - d)) / (2 * h) for d in h * numpy.eye(x.size)])


@pytest.mark.parametrize("f", PROGRAMS, ids=lambda f: f.__name__)
def test_programs_agree_with_numpy(f):
    points = numpy.array([[0.3, 1.2, -0.7], [0.8, 1.9, 0.4]])
    values = [f(p.copy()) for p in points]
    slopes = [differences(f, p) for p in points]
    for p, value, slope in zip(points, values, slopes, strict=True):
        got, gradient = gg.value_and_grad(f)(p.copy())
        numpy.testing.assert_allclose(got, value, rtol=1e-12)
        numpy.testing.assert_allclose(gradient, slope, rtol=1e-6, atol=1e-6)
    _, along = gg.jvp(f, (gg.tensor(points[0]),), (gg.tensor([1.0, -2.0, 0.5], dtype=gg.float64),))
    numpy.testing.assert_allclose(along.numpy(), slopes[0] @ [1.0, -2.0, 0.5], rtol=1e-6, atol=1e-6)
    numpy.testing.assert_allclose(gg.vmap(f)(points), values, rtol=1e-12)
    numpy.testing.assert_allclose(gg.vmap(gg.grad(f))(points), slopes, rtol=1e-6, atol=1e-6)
    leaf = gg.tensor(points[0], requires_grad=True)
    y = f(leaf)
    y.backward()
    numpy.testing.assert_allclose(y.numpy(), values[0], rtol=1e-12)
    numpy.testing.assert_allclose(leaf.grad.numpy(), slopes[0], rtol=1e-6, atol=1e-6)
    assert leaf.numpy().tolist() == points[0].tolist()


@pytest.mark.parametrize(
    "x", [2.0, numpy.float64(2.0), numpy.array(2.0), gg.tensor(2.0)], ids=lambda x: type(x).__name__
)
def test_arguments_without_axes(x):
    def f(x):
        y = x
        y += 1
        return x * y

    value, gradient = gg.value_and_grad(f)(x)
    assert (float(value), float(gradient)) == (6.0, 5.0)
    assert float(x) == 2.0
    assert gg.vmap(f)(numpy.array([2.0, 3.0])).tolist() == [6.0, 12.0]


def test_variables_and_constants_outside_of_transforms_change_in_place():
    w = alias = gg.tensor(2.0, requires_grad=True)
    with gg.no_grad():
        w += 1
    assert w is alias
    assert w.item() == 3.0
    with pytest.raises(gg.GradientError, match="a leaf that needs a gradient cannot be changed while recording"):
        w += 1
    y = w * 1
    with gg.no_grad(), pytest.raises(gg.GradientError, match="would become a constant"):
        y += 1
    c = alias = gg.tensor(1.0)
    c += 1
    assert c is alias
    c += w  # from here on it is a result
    assert (alias.item(), c.item()) == (2.0, 5.0)


def test_all_names_of_a_scalar_see_a_write_at_an_index():
    def f(x):
        a = b = x.sum()
        a[...] = b * b
        return a + b

    assert gg.grad(f)(numpy.array([1.0, 2.0])).tolist() == [12.0, 12.0]


def test_batches_are_counted_inside_a_transform():
    norm = gg.nn.BatchNorm1d(2)
    x = gg.tensor([[1.0, 2.0], [3.0, 5.0]])
    gg.grad(lambda x: norm(x).sum())(x)
    assert norm.num_batches_tracked.item() == 1
