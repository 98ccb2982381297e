"""Programs written for HIPS autograd, on gpugrad's interface of its names."""

from __future__ import annotations

import subprocess
import sys

import numpy
import pytest
import scipy.integrate
import scipy.signal
import scipy.stats

import gpugrad as gg
import gpugrad.compat.autograd as autograd
import gpugrad.compat.autograd.numpy as np
from gpugrad.compat.autograd import scipy as ascipy
from gpugrad.compat.autograd.core import vspace
from gpugrad.compat.autograd.extend import (
    defjvp,
    defvjp,
    defvjp_argnum,
    defvjp_argnums,
    notrace_primitive,
    primitive,
)
from gpugrad.compat.autograd.misc.fixed_points import fixed_point
from gpugrad.compat.autograd.misc.flatten import flatten, flatten_func
from gpugrad.compat.autograd.misc.optimizers import adam, rmsprop, sgd
from gpugrad.compat.autograd.numpy.numpy_vjps import unbroadcast_f
from gpugrad.compat.autograd.test_util import check_grads, combo_check
from gpugrad.compat.autograd.tracer import getval, isbox

pytestmark = pytest.mark.any_device
rng = numpy.random.default_rng(5)
X, Y, M = rng.normal(size=4), rng.normal(size=4), rng.normal(size=(4, 4))
Z = rng.normal(size=3) + 1j * rng.normal(size=3)


@pytest.fixture(autouse=True)
def seeded():
    """Programs for autograd know the host alone; what becomes of a Python number depends on the default device."""
    state = numpy.random.get_state()
    numpy.random.seed(3)
    with gg.default_device("cpu"):
        yield
    numpy.random.set_state(state)


# ---------------------------------------------------------------- derivatives


def quartic(x, scale=1.0):
    return scale * np.sum(np.sin(x) * x**3)


SLOPE = numpy.cos(X) * X**3 + 3 * numpy.sin(X) * X**2

OPERATORS = {
    "grad": (lambda: autograd.grad(quartic)(X), SLOPE),
    "keywords called f and self": (lambda: autograd.grad(lambda x, f, self: f * x + self)(1.0, f=2.0, self=0.0), 2.0),
    "grad of integers": (lambda: autograd.grad(lambda x: np.sum(x**2))(numpy.array([1, 2])), [2.0, 4.0]),
    "grad of an int": (lambda: autograd.grad(lambda x: x**3)(2), 12.0),
    "grad by the second": (lambda: autograd.grad(lambda a, b: a * b**2, 1)(2.0, 3.0), 12.0),
    "grad by the last": (lambda: autograd.grad(lambda a, b: a * b**2, -1)(2.0, 3.0), 12.0),
    "grad by several": (lambda: autograd.grad(lambda a, b: a * b**2, [1, 0])(2.0, 3.0), [12.0, 9.0]),
    "grad by name": (lambda: autograd.grad_named(lambda a, b: a * b**2, "b")(2.0, 3.0), 12.0),
    "grad of grad": (lambda: autograd.grad(autograd.grad(lambda x: x**4))(2.0), 48.0),
    "value_and_grad": (lambda: autograd.value_and_grad(quartic)(X)[1], SLOPE),
    "grad_and_aux": (lambda: autograd.grad_and_aux(lambda x: (quartic(x), x * 2))(X)[0], SLOPE),
    "elementwise_grad": (lambda: autograd.elementwise_grad(lambda x: np.sin(x) * x**3)(X), SLOPE),
    "deriv": (lambda: autograd.deriv(np.tanh)(0.5), 1 / numpy.cosh(0.5) ** 2),
    "jacobian": (lambda: autograd.jacobian(lambda x: np.dot(M, x) ** 2)(X), 2 * (M @ X)[:, None] * M),
    "jacobian of nothing": (lambda: autograd.jacobian(lambda x: x[:0])(X), numpy.zeros((0, 4))),
    "hessian": (lambda: autograd.hessian(lambda x: np.dot(x, np.dot(M, x)))(X), M + M.T),
    "hessian times": (lambda: autograd.hessian_vector_product(lambda x: np.dot(x, np.dot(M, x)))(X, Y), (M + M.T) @ Y),
    "times jacobian": (lambda: autograd.vector_jacobian_product(lambda x: np.dot(M, x))(X, Y), M.T @ Y),
    "make_hvp": (lambda: autograd.make_hvp(lambda x: np.dot(x, np.dot(M, x)))(X)[0](Y), (M + M.T) @ Y),
    "make_vjp": (lambda: autograd.make_vjp(lambda x: np.dot(M, x))(X)[0](Y), M.T @ Y),
    "make_jvp": (lambda: autograd.make_jvp(lambda x: np.dot(M, x))(X)(Y)[1], M @ Y),
    "make_jvp_reversemode": (lambda: autograd.make_jvp_reversemode(lambda x: np.dot(M, x))(X)(Y), M @ Y),
    "make_ggnvp": (lambda: autograd.make_ggnvp(lambda x: np.dot(M, x))(X)(Y), M.T @ M @ Y),
    "checkpoint": (lambda: autograd.grad(autograd.checkpoint(quartic))(X), SLOPE),
    "holomorphic_grad": (lambda: autograd.holomorphic_grad(lambda z: z**3)(1 + 2j), 3 * (1 + 2j) ** 2),
    "complex convention": (lambda: autograd.grad(lambda z: np.real(np.abs(z) ** 2))(1 + 2j), 2 - 4j),
    "multigrad_dict": (lambda: autograd.multigrad_dict(lambda a, b=3.0: a * b**2)(2.0)["b"], 12.0),
    "a constant": (lambda: autograd.grad(lambda x: 3.0)(X), numpy.zeros(4)),
    "make_diagonal": (lambda: autograd.grad(lambda x: np.sum(M * np.make_diagonal(x)))(X), numpy.diag(M)),
    "where": (lambda: autograd.grad(lambda x: np.sum(np.where(x > 0, x=x**2, y=x)))(X), numpy.where(X > 0, 2 * X, 1)),
    "eigh of a triangle": (
        lambda: autograd.grad(lambda a: np.sum(np.linalg.eigvalsh(a)))(M), numpy.eye(4),
    ),
    "upper triangle": (
        lambda: numpy.tril(autograd.grad(lambda a: np.linalg.eigh(a, "U")[0][0])(M), -1), numpy.zeros((4, 4)),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", OPERATORS)
def test_operators(name):
    run, expected = OPERATORS[name]
    found = run()
    assert not any(map(isbox, found if isinstance(found, tuple) else (found,)))
    numpy.testing.assert_allclose(numpy.asarray(found), expected, rtol=1e-10, atol=1e-12)


def test_containers_keep_their_nesting():
    parameters = {"w": [M, (X,)], "b": 2.0}

    def loss(p, scale):
        return scale * np.sum(np.tanh(np.dot(p["w"][0], p["w"][1][0]) + p["b"]))

    g = autograd.grad(loss)(parameters, 3.0)
    assert isinstance(g["w"], list)
    assert isinstance(g["w"][1], tuple)
    assert isinstance(g["b"], float)
    flat, unflatten = flatten(parameters)
    assert flat.shape == (21,)
    assert flat[0] == 2.0
    assert isinstance(unflatten(flat)["b"], float)
    assert list(unflatten(flat)) == ["w", "b"]
    numpy.testing.assert_allclose(autograd.grad(lambda x: loss(unflatten(x), 3.0))(flat), flatten(g)[0])
    function, _, example = flatten_func(lambda p: {"y": p["b"] * 2}, parameters)
    assert function(example) == [4.0]
    check_grads(loss, order=2)(parameters, 3.0)


@pytest.mark.parametrize("value", [2.0, 1 + 2j, M, Z, [2.0, (Z,)], {"a": X}], ids=repr)
def test_spaces(value):
    space = vspace(value)
    basis = list(space.standard_basis())
    assert len(basis) == space.size
    total = space.zeros()
    for unit in basis:
        assert vspace(unit) == space
        total = space.add(total, unit)
    direction = space.randn()
    numpy.testing.assert_allclose(space.inner_prod(total, direction), space.inner_prod(space.ones(), direction))
    assert space.inner_prod(direction, direction) > 0


# ---------------------------------------------------------------- rules of one's own


@primitive
def cube(x):
    assert not isbox(x)
    return x**3


defvjp(cube, lambda ans, x: lambda g: 3 * x**2 * g)


@primitive
def product(xs, scale, unused=None):
    return [scale * xs[0] * xs[1], xs[0] + scale]


defvjp_argnums(product, lambda argnums, ans, args, kwargs: lambda g: [_product_rule(i, g, *args) for i in argnums])


def _product_rule(i, g, xs, scale):
    if i == 0:
        return [g[0] * scale * xs[1] + g[1], g[0] * scale * xs[0]]
    return np.sum(g[0] * xs[0] * xs[1]) + np.sum(g[1])


@primitive
def forward_only(x):
    return np.exp(x)


defjvp(forward_only, lambda g, ans, x: g * ans)


@primitive
def spread(a, b):
    return a * b


defvjp(spread, lambda ans, a, b: unbroadcast_f(a, lambda g: g * b), None)


@primitive
def each(x, y):
    return x * y


defvjp_argnum(each, lambda argnum, ans, args, kwargs: lambda g: g * args[1 - argnum])


def test_rules():
    check_grads(lambda x: np.sum(cube(x)), order=2)(X)
    assert autograd.grad(autograd.grad(autograd.grad(cube)))(2.0) == 6.0
    check_grads(lambda x, s: product([x, x * 2], s, unused="text")[0] + product([x, x], s)[1], order=2)(X, 3.0)
    numpy.testing.assert_allclose(autograd.grad(lambda x: np.sum(forward_only(x)))(X), numpy.exp(X))
    check_grads(lambda x: spread(x, M), modes=["rev"], order=1)(X)
    check_grads(each, order=2)(X, Y)
    whole = notrace_primitive(numpy.floor)
    assert autograd.grad(lambda x: x * whole(x))(2.5) == 2.0
    assert getval(gg.tensor(2.0)) == 2.0
    assert not isbox(getval(gg.tensor(2.0)))


def test_rules_that_are_missing_or_wrong():
    without = primitive(lambda x: x * 2.0)
    with pytest.raises(NotImplementedError, match="no gradient rule for argument 0"):
        autograd.grad(without)(1.0)
    assert without(2.0) == 4.0
    with pytest.raises(TypeError, match="made by primitive"):
        defvjp(numpy.sin, None)
    wrong = primitive(lambda x: x * 2.0)
    defvjp(wrong, lambda ans, x: lambda g: g * 2.001)
    with pytest.raises(AssertionError, match="differences give"):
        check_grads(wrong, modes=["rev"])(1.0)
    twice = primitive(lambda x: x)
    defvjp(twice, lambda ans, x: lambda g: g * 1.001)
    right_once = primitive(lambda x: x * 2.0)
    defvjp(right_once, lambda ans, x: lambda g: twice(g) * 2)
    check_grads(right_once, modes=["rev"], order=1)(1.0)
    with pytest.raises(AssertionError, match="differences give"):
        check_grads(right_once, modes=["rev"], order=2)(1.0)
    with pytest.raises(gg.GradientError, match="positional"):
        autograd.grad(lambda x: cube(x=x))(1.0)


@pytest.mark.parametrize(
    ("f", "error", "words"),
    [
        (lambda: autograd.grad(lambda x: x * 2)(X), TypeError, "one real number"),
        (lambda: autograd.grad(lambda x: x * 1j)(2.0), TypeError, "one real number"),
        (lambda: autograd.grad(lambda x: np.allclose(x, x))(X), TypeError, "one real number"),
        (lambda: autograd.elementwise_grad(lambda x: x * 1j)(X), TypeError, "real numbers"),
        (lambda: autograd.grad(np.sin, 1)(2.0), TypeError, "argnum 1"),
        (lambda: autograd.grad(np.sin, "x")(2.0), TypeError, "argnum"),
        (lambda: autograd.make_vjp(np.sin)(X)[0]((X, X)), ValueError, "expected 1 gradients"),
        (lambda: autograd.grad(lambda x: ascipy.special.hyp2f1(1, 2, 3, x))(0.5), gg.GradientError, "hyp2f1"),
        (lambda: ascipy.signal.convolve(X, Y, mode="most"), ValueError, "'same'"),
    ],
)
def test_errors(f, error, words):
    with pytest.raises(error, match=words):
        f()


# ---------------------------------------------------------------- SciPy


P = rng.uniform(0.2, 0.8, size=4)
POSITIVE = rng.uniform(1.2, 3.0, size=4)
SPD = M @ M.T + numpy.eye(4)

DENSITIES = {
    "norm": ["pdf", "logpdf", "cdf", "logcdf", "sf", "logsf"],
    "t": ["pdf", "logpdf", "cdf", "logcdf"], "gamma": ["pdf", "logpdf", "cdf", "sf"], "beta": ["pdf", "logpdf", "cdf"],
    "chi2": ["pdf", "logpdf", "cdf"], "poisson": ["pmf", "logpmf", "cdf"], "dirichlet": ["pdf", "logpdf"],
    "multivariate_normal": ["pdf", "logpdf"],
}  # fmt: skip
ARGUMENTS = {
    "norm": (X, Y, POSITIVE), "t": (X, POSITIVE, Y, P), "gamma": (P, POSITIVE, 0.1, POSITIVE),
    "beta": (P, POSITIVE, 1.5), "chi2": (POSITIVE, 3.0), "poisson": (numpy.array([0.0, 1.0, 2.0, 5.0]), POSITIVE),
    "multivariate_normal": (X, Y, SPD), "dirichlet": (P / P.sum(), POSITIVE),
}  # fmt: skip
BY = {"poisson": [1], "dirichlet": [1], "multivariate_normal": [0, 1]}


@pytest.mark.parametrize("name", DENSITIES)
def test_distributions(name):
    ours, theirs, args = getattr(ascipy.stats, name), getattr(scipy.stats, name), ARGUMENTS[name]
    for method in DENSITIES[name]:
        numpy.testing.assert_allclose(getattr(ours, method)(*args), getattr(theirs, method)(*args), rtol=1e-9)
        places = BY.get(name, [0] if method.endswith("cdf") and name in ("t", "beta", "gamma", "chi2") else None)
        check_grads(getattr(ours, method), places, modes=["rev"], order=1)(*args)
    assert ours.rvs is not None


def test_distributions_at_their_edges():
    singular = numpy.diag([1.0, 2.0, 0.0])
    point = numpy.array([0.3, -1.0, 0.0])
    found = ascipy.stats.multivariate_normal.logpdf(point, numpy.zeros(3), singular, allow_singular=True)
    expected = scipy.stats.multivariate_normal.logpdf(point, numpy.zeros(3), singular, allow_singular=True)
    numpy.testing.assert_allclose(found, expected)
    for mean, cov in [(0.0, 2.0), (X, 2.0), (X, POSITIVE)]:
        at = 0.5 if numpy.ndim(mean) == 0 else Y
        numpy.testing.assert_allclose(
            ascipy.stats.multivariate_normal.logpdf(at, mean, cov),
            scipy.stats.multivariate_normal.logpdf(at, mean, cov),
        )
    entropy = ascipy.stats.multivariate_normal.entropy
    numpy.testing.assert_allclose(entropy(X, SPD), scipy.stats.multivariate_normal.entropy(X, SPD))
    assert ascipy.stats.gamma.pdf(0.0, 1.0) == 1.0


def test_special_and_linear_algebra():
    combo_check(ascipy.special.logsumexp, 0, order=1)([M], axis=[None, 0], b=[None, POSITIVE], keepdims=[True, False])
    assert ascipy.special.logsumexp(numpy.array([1000.0, 1.0]), b=numpy.array([0.0, 1.0])) == 1.0
    lower = numpy.tril(M) + 3 * numpy.eye(4)
    for trans in (0, "N", 1, "T", 2, "C"):
        found = ascipy.linalg.solve_triangular(lower, X, trans=trans, lower=True)
        numpy.testing.assert_allclose((lower if trans in (0, "N") else lower.T) @ found, X)
    check_grads(lambda a, b: ascipy.linalg.solve_triangular(a, b, trans="T", lower=True), order=1)(lower, X)
    check_grads(ascipy.linalg.sqrtm, modes=["rev"], order=1)(SPD)
    check_grads(ascipy.linalg.solve_sylvester, modes=["rev"], order=1)(M, SPD, M)


@pytest.mark.parametrize("mode", ["full", "valid", "same"])
def test_convolve(mode):
    convolve, kernel = ascipy.signal.convolve, rng.normal(size=(2, 3))
    numpy.testing.assert_allclose(convolve(M, kernel, mode=mode), scipy.signal.convolve(M, kernel, mode), atol=1e-12)
    if mode == "valid":
        numpy.testing.assert_allclose(
            convolve(kernel, M, mode=mode), scipy.signal.convolve(kernel, M, mode), atol=1e-12
        )
        with pytest.raises(ValueError, match="larger along all axes"):
            convolve(M, rng.normal(size=(5, 2)), mode=mode)
    batch, filters = rng.normal(size=(2, 3, 5)), rng.normal(size=(4, 3, 2))
    found = convolve(batch, filters, axes=([2], [2]), dot_axes=([1], [1]), mode=mode)
    one = sum(scipy.signal.convolve(batch[1, c], filters[2, c], mode) for c in range(3))
    numpy.testing.assert_allclose(found[1, 2], one)
    check_grads(lambda a, b: convolve(a, b, axes=([2], [2]), dot_axes=([1], [1]), mode=mode), order=1)(batch, filters)


def test_odeint():
    def slope(y, t, a, b):
        return -numpy.sqrt(t) - y + a - np.mean((y + b) ** 2)

    times = numpy.linspace(0.1, 0.4, 4)
    args = (X, (Y, 0.3 * X))
    odeint = ascipy.integrate.odeint
    numpy.testing.assert_allclose(
        odeint(slope, args[0], times, args[1]), scipy.integrate.odeint(slope, args[0], times, args[1])
    )
    check_grads(lambda y, t, a: odeint(slope, y, t, a), modes=["rev"], order=1)(args[0], times, args[1])


# ---------------------------------------------------------------- beside them


def test_optimizers_and_fixed_points():
    target = {"a": numpy.array([1.0, -2.0]), "b": 0.5}
    start = {"a": numpy.zeros(2), "b": 0.0}

    def loss(p, i=0):
        return np.sum((p["a"] - target["a"]) ** 2) + (p["b"] - target["b"]) ** 2

    seen = []
    for optimizer, rate in [(sgd, 0.1), (rmsprop, 0.05), (adam, 0.05)]:
        end = optimizer(
            autograd.grad(loss), start, callback=lambda x, i, g: seen.append(i), num_iters=300, step_size=rate
        )
        assert loss(end) < 1e-3
    assert len(seen) == 900

    def newton(a):
        return lambda x: 0.5 * (x + a / x)

    root = lambda a: fixed_point(newton, a, 1.0, lambda x, y: abs(x - y), 1e-12)
    numpy.testing.assert_allclose(autograd.grad(root)(4.0), 0.25, rtol=1e-6)


PROGRAM = """
import gpugrad.compat.autograd
gpugrad.compat.autograd.install()
import autograd.numpy as np
import autograd.scipy.stats.norm as norm
from autograd import grad, jacobian
from autograd.extend import primitive, defvjp
from autograd.misc.optimizers import adam
from autograd.numpy.numpy_boxes import ArrayBox
from autograd.scipy.special import gammaln
assert grad(lambda x: np.sum(norm.logpdf(x)))(np.ones(2)).tolist() == [-1.0, -1.0]
try:
    import autograd.nothing
except ModuleNotFoundError as error:
    assert "gpugrad has no module for autograd.nothing" in str(error)
else:
    raise SystemExit("found")
gpugrad.compat.autograd.install()
print("ok")
"""


def test_install_stands_in_for_the_package():
    ran = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=False)
    assert ran.stdout == "ok\n", ran.stderr


def test_arrays_of_other_devices(device):
    """A program for autograd runs on the arrays that it is given."""
    x = gg.tensor(X, device=device).data

    def loss(x):
        return np.sum(np.tanh(x) ** 2 + np.exp(-(x**2)))

    g = autograd.grad(loss)(x)
    assert type(g) is type(x)
    numpy.testing.assert_allclose(gg.tensor(g).numpy(), autograd.grad(loss)(X), rtol=1e-10)
    check = autograd.make_vjp(lambda v: cube(v) * 2)(x)
    assert type(check[1]) is type(x)
    assert type(check[0](x)) is type(x)
