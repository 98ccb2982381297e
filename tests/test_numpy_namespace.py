"""``gpugrad.numpy``: every name of NumPy; Tensors where NumPy would lose them, and NumPy itself everywhere else."""

from __future__ import annotations

import copy
import importlib
import inspect
import os
import pickle
import subprocess
import sys

import numpy
import pytest

import gpugrad as gg
import gpugrad.numpy as np

MODULES = ["numpy", "numpy.linalg", "numpy.fft", "numpy.random"]
X = numpy.array([0.3, -0.7, 1.1])


def ours(module):
    return importlib.import_module(f"gpugrad.{module}")


# ---------------------------------------------------------------- its names


@pytest.mark.parametrize("module", MODULES)
def test_every_public_name_is_there(module):
    theirs, mine = importlib.import_module(module), ours(module)
    assert mine.__all__ == list(theirs.__all__)
    assert set(theirs.__all__) <= set(dir(mine))
    for name in theirs.__all__:
        value, original = getattr(mine, name), getattr(theirs, name)
        if isinstance(original, type) or not callable(original) or isinstance(original, numpy.ufunc):
            continue
        if value is not original:
            assert (value.__name__, value.__doc__) == (original.__name__, original.__doc__)
            assert getattr(mine, name) is value
            assert value.__wrapped__ is original
            assert pickle.loads(pickle.dumps(value)) is value
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        mine.nothing


def test_constants_and_modules_are_those_of_numpy():
    assert (np.pi, np.e, np.newaxis) == (numpy.pi, numpy.e, None)
    assert np.inf == numpy.inf
    assert np.nan is numpy.nan
    for ufunc in (np.sin, np.abs, np.add, np.matmul):
        original = getattr(numpy, ufunc.__name__)
        assert (ufunc == original, original == ufunc, {original: 1}[ufunc]) == (True, True, 1)
        assert isinstance(ufunc, numpy.ufunc)
        assert (ufunc.nin, ufunc.__doc__, repr(ufunc)) == (original.nin, original.__doc__, repr(original))
        assert pickle.loads(pickle.dumps(ufunc)) is copy.deepcopy(ufunc) is ufunc
    for name in ("testing", "polynomial", "errstate", "dtype", "bool", "integer"):
        assert getattr(np, name) is getattr(numpy, name)
    assert np.linalg.LinAlgError is numpy.linalg.LinAlgError
    from gpugrad.numpy.linalg import norm

    assert norm is np.linalg.norm


def test_a_star_import():
    names: dict = {}
    exec("from gpugrad.numpy import *", names)
    assert names["zeros"] is np.zeros


# ---------------------------------------------------------------- plain arrays, outside of transforms

PLAIN = {
    "array": lambda np: np.array([[1, 2.0], [3, 4]]),
    "array of an array": lambda np: np.array(X, dtype="float32", ndmin=2),
    "array of numbers": lambda np: np.array([1, 2], dtype=np.int8),
    "array of text": lambda np: np.array(["a", "b"]),
    "asarray": lambda np: np.asarray(X),
    "asarray, order": lambda np: np.asfortranarray(numpy.ones((2, 3))),
    "require": lambda np: np.require(X, requirements=["C"]),
    "zeros": lambda np: np.zeros((2, 3), dtype=np.complex64),
    "full": lambda np: np.full(3, 2),
    "full_like": lambda np: np.full_like(X, 2),
    "arange": lambda np: np.arange(2, 8, 3),
    "linspace": lambda np: np.linspace(0, 1, 4, retstep=True),
    "eye": lambda np: np.eye(3, k=1),
    "fromiter": lambda np: np.fromiter((i * i for i in range(4)), dtype=float, count=3),
    "fromiter of nothing": lambda np: np.fromiter(iter(()), dtype=int),
    "fromfunction": lambda np: np.fromfunction(lambda i, j: i + j, (2, 2)),
    "indices": lambda np: np.indices((2, 2)),
    "mgrid": lambda np: np.mgrid[0:2, 0:1:3j],
    "r_": lambda np: np.r_[X, 0, 1:3],
    "r_ with text": lambda np: np.r_["0,2", X, X],
    "c_": lambda np: np.c_[X, [1, 2, 3]],
    "concatenate": lambda np: np.concatenate([X, [1.0]], axis=0),
    "stack": lambda np: np.stack([X, X], axis=1),
    "mean of a list": lambda np: np.mean([1, 2, 4]),
    "where": lambda np: np.where(X > 0),
    "sort": lambda np: np.sort(X, kind="stable"),
    "unique": lambda np: np.unique([3, 1, 3], return_counts=True),
    "meshgrid": lambda np: np.meshgrid([1, 2], X),
    "ix_": lambda np: np.ix_([0, 1], [2]),
    "vectorize": lambda np: np.vectorize(lambda a, b=2: a + b)(X, 3),
    "ndenumerate": lambda np: [v for _, v in np.ndenumerate(X)],
    "piecewise": lambda np: np.piecewise(X, [X > 0], [lambda t: t, 0.0]),
    "apply_along_axis": lambda np: np.apply_along_axis(sum, 0, numpy.ones((2, 3))),
    "solve": lambda np: np.linalg.solve(numpy.eye(3), X),
    "rfft": lambda np: np.fft.rfft(X),
    "fftfreq": lambda np: np.fft.fftfreq(4),
    "seeded": lambda np: (np.random.seed(0), np.random.normal(size=3), np.random.permutation(4))[1:],
    "generator": lambda np: np.random.default_rng(0).normal(size=2),
    "float64": lambda np: np.float64(1.5),
    "float64 of a list": lambda np: np.float64([1, 2]),
    "int64": lambda np: np.int64(3),
    "ndarray": lambda np: np.ndarray(0),
    "poly1d": lambda np: np.poly1d([1.0, 2.0])(3.0),
    "isscalar": lambda np: np.array([np.isscalar(1.0), np.isscalar(X)]),
    "dtype": lambda np: X.astype(np.float32),
    "view": lambda np: X.view(np.int64),
    "add.at": lambda np: (lambda a: (np.add.at(a, [0, 0], 1.0), a)[1])(np.zeros(2)),
}  # fmt: skip


def alike(found, expected):
    assert type(found) is type(expected)
    if isinstance(expected, tuple | list):
        assert len(found) == len(expected)
        for f, e in zip(found, expected, strict=True):
            alike(f, e)
        return
    assert numpy.asarray(found).dtype == numpy.asarray(expected).dtype
    numpy.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("name", PLAIN)
def test_outside_of_transforms_it_is_numpy(name):
    alike(PLAIN[name](np), PLAIN[name](numpy))


def test_classes_that_stand_for_those_of_numpy():
    assert isinstance(numpy.zeros(2), np.ndarray)
    assert isinstance(gg.zeros(2), np.ndarray)
    assert not isinstance([0.0], np.ndarray)
    assert issubclass(gg.Tensor, np.ndarray)
    assert issubclass(numpy.ndarray, np.ndarray)
    assert type(X) == np.ndarray  # noqa: E721
    assert X.dtype == np.float64
    assert numpy.dtype(np.float64) is numpy.dtype("float64")
    assert np.issubdtype(np.float32, np.floating)
    assert np.issubdtype(X.dtype, np.float64)
    assert isinstance(np.float64(1), np.float64)
    assert isinstance(numpy.float64(1), np.float64)
    assert isinstance(numpy.float64(1), float)
    assert not isinstance(1.0, np.float32)
    assert np.finfo(np.float32).eps == numpy.finfo("float32").eps
    assert {np.float64: 1}[numpy.float64] == 1
    assert np.double is np.float64
    assert pickle.loads(pickle.dumps(np.float64)) is np.float64

    class Named(np.ndarray):
        pass

    assert Named.__mro__[1] is numpy.ndarray
    assert isinstance(numpy.zeros(2).view(Named), Named)
    assert gg.sum(X.view(np.ndarray)).item() == X.sum()
    match X:
        case np.ndarray():
            pass
        case _:
            pytest.fail("no match")


# ---------------------------------------------------------------- Tensors

WRITTEN = {
    "zeros": lambda: np.zeros(3), "ones": lambda: np.ones(3), "empty": lambda: np.empty(3),
    "full": lambda: np.full(3, 0.5), "arange": lambda: np.arange(3.0), "linspace": lambda: np.linspace(0, 1, 3),
    "logspace": lambda: np.logspace(0, 1, 3), "eye": lambda: np.eye(3)[0], "array": lambda: np.array([1.0, 2.0, 3.0]),
    "array of an array": lambda: np.array(X), "copy": lambda: np.copy(X), "zeros_like": lambda: np.zeros_like(X),
    "ones_like": lambda: np.ones_like(X), "empty_like": lambda: np.empty_like(X),
    "full_like": lambda: np.full_like(X, 2.0), "outer": lambda: np.outer(X, X)[0],
    "asarray of a list": lambda: np.asarray([1.0, 2.0, 3.0]), "hanning": lambda: np.hanning(3),
    "diag": lambda: np.diag([1.0, 2.0, 3.0])[1], "tile": lambda: np.tile([1.0], 3), "mgrid": lambda: np.mgrid[0:1:3j],
    "concatenate": lambda: np.concatenate([X[:1], X[1:]]), "r_": lambda: np.r_[0.5, X[:2]],
    "fftfreq": lambda: np.fft.fftfreq(3), "random": lambda: np.random.random(3), "randn": lambda: np.random.randn(3),
    "identity": lambda: np.identity(3)[0], "meshgrid": lambda: np.meshgrid(X, X)[0][0],
    "float64 of a list": lambda: np.float64([1.0, 2.0, 3.0]),
}  # fmt: skip


@pytest.mark.parametrize("name", WRITTEN)
def test_what_is_made_inside_a_transform_can_be_written_to(name):
    def f(x):
        a = WRITTEN[name]()
        a[:] = x
        a[1] = x[0] * 2
        return (a * a).sum()

    numpy.testing.assert_allclose(gg.grad(f)(X), [10 * X[0], 0.0, 2 * X[2]])
    assert gg.vmap(lambda x: f(x))(numpy.stack([X, X])).shape == (2,)
    assert type(WRITTEN[name]()) is numpy.ndarray


def test_integers_and_booleans_stay_arrays():
    def f(x):
        for made in (np.zeros(3, int), np.arange(3), np.array([1, 2]), np.ones(2, bool), *np.triu_indices(2)):
            assert type(made) is numpy.ndarray
        assert type(np.array(["a"])) is numpy.ndarray
        assert type(np.asarray(X)) is numpy.ndarray  # no copy: writing would change it
        return x[np.arange(2)].sum()

    assert gg.grad(f)(X).tolist() == [1.0, 1.0, 0.0]


BUILT = {
    "array": lambda np, x: np.array([[np.cos(x[0]), -x[1]], [0, 1.0]]).sum(axis=0),
    "array of rows": lambda np, x: np.array([x[:2], [1.0, x[2]]]),
    "array of complex": lambda np, x: np.abs(np.array([x[0], 1j * x[1]])),
    "array, dtype": lambda np, x: np.array([x[0], x[1]], dtype=np.complex128).real,
    "array, ndmin": lambda np, x: np.array(x, ndmin=3),
    "asarray": lambda np, x: np.asarray((x[0], 2)) * np.asarray(x)[:2],
    "full": lambda np, x: np.full((2, 3), x),
    "full of one": lambda np, x: np.full(3, x[0], dtype=np.float64),
    "full_like": lambda np, x: np.full_like(numpy.zeros(2), x[0]),
    "arange": lambda np, x: np.arange(x[2], 4.0),
    "arange, step": lambda np, x: np.arange(0.0, 3.0, x[2]),
    "float64": lambda np, x: np.float64(x[0]) * x[1],
    "float64 of a list": lambda np, x: np.float64([x[0], x[1]]),
    "fromiter": lambda np, x: np.fromiter((v * v for v in x), float),
    "fromiter, count": lambda np, x: np.fromiter((v * v for v in x), float, 2),
    "vectorize": lambda np, x: np.vectorize(lambda a: a**2 if a > 0 else -a)(x),
    "vectorize, a number first": lambda np, x: np.vectorize(lambda a: 0.0 if 0 < a < 0.5 else a**2)(x),
    "vectorize, otypes": lambda np, x: np.vectorize(lambda a: 0 if a < 0.5 else a**2, otypes=[float])(x),
    "vectorize, integers": lambda np, x: np.vectorize(lambda a: (int(a > 0), a * a))(x)[1],
    "vectorize, closure": lambda np, x: np.vectorize(lambda a, b: a * b + x[0])(x, numpy.arange(3.0)),
    "vectorize of an array": lambda np, x: np.vectorize(lambda a: a * x[0])(numpy.arange(4)),
    "vectorize, two results": lambda np, x: np.vectorize(lambda a: (a, a * a))(x)[1],
    "vectorize, signature": lambda np, x: np.vectorize(lambda a: a * a.sum(), signature="(n)->(n)")(np.stack([x, -x])),
    "vectorize, excluded": lambda np, x: np.vectorize(lambda a, n: a**n, excluded={1}, otypes=[float])(x, 2),
    "r_": lambda np, x: np.r_[x, 0, x[0], [1.0, x[2]], 0:1:3j],
    "c_": lambda np, x: np.c_[x, numpy.ones(3), x * x],
    "ndenumerate": lambda np, x: sum(v * (i[0] + 1) for i, v in np.ndenumerate(x)),
    "mean of a list": lambda np, x: np.mean([v * v for v in x]) + np.std([x[0], 2.0]) + np.max([x[0], x[1]]),
    "norm of a list": lambda np, x: np.linalg.norm([x[0], x[1]]) + np.linalg.det([[x[0], 1.0], [2.0, x[1]]]),
    "ufuncs of lists": lambda np, x: np.sqrt([x[0] ** 2 + 1, x[1] ** 2]) * np.maximum((x[0], x[1]), 0.5),
    "methods of ufuncs": lambda np, x: np.add.reduce([x[0], x[1] ** 2]) * np.multiply.outer([x[0], 1], x),
    "ufuncs, nested lists": lambda np, x: np.matmul([[x[0], 1.0], [2, x[1]]], [x[2], 3]),
    "accumulate": lambda np, x: np.add.accumulate([1.0, x[0], x[1]]),
    "fft of a list": lambda np, x: np.abs(np.fft.fft([x[0], x[1], 1.0])),
    "concatenate lists": lambda np, x: np.concatenate([[x[0]], [x[1], 2.0], x]),
    "where, lists": lambda np, x: np.where(numpy.array([True, False]), [x[0], x[1]], 0.0),
    "diag of a list": lambda np, x: np.diag([x[0], x[1]]),
    "outer of lists": lambda np, x: np.outer([x[0], 1.0], x),
    "polyval": lambda np, x: np.polyval([x[0], x[1], 1.0], 2.0),
    "interp": lambda np, x: np.interp(0.5, [0.0, 1.0], [x[0], x[1]]),
    "apply_along_axis": lambda np, x: np.apply_along_axis(lambda r: r * x, 1, numpy.arange(6.0).reshape(2, 3)),
    "piecewise": lambda np, x: np.piecewise(
        numpy.array([-1.0, 2.0]), [numpy.array([True, False])], [lambda t: t * x[0], lambda t: t * x[1]]
    ),
    "polyfit of constants": lambda np, x: np.polyfit(np.linspace(0, 1, 5), np.linspace(0, 1, 5) ** 2, 1)[0] * x,
    "isscalar": lambda np, x: x[0] * 2 if np.isscalar(x[0]) else x[1],
    "isinstance": lambda np, x: x * 2 if isinstance(x, np.ndarray) else x,
    "normal": lambda np, x: (np.random.seed(0), np.random.normal(x[0], 2.0, 4) + np.random.normal(x[0]))[1],
    "uniform": lambda np, x: (np.random.seed(0), np.random.uniform(x[0], high=x[2], size=3))[1],
    "exponential": lambda np, x: (np.random.seed(0), np.random.exponential(x[2], 2))[1],
    "lognormal": lambda np, x: (np.random.seed(0), np.random.lognormal(x[0], 0.5, 3))[1],
    "gumbel": lambda np, x: (np.random.seed(0), np.random.gumbel(x, x[2]))[1],
}  # fmt: skip


@pytest.mark.parametrize("name", BUILT)
def test_what_is_built_from_tensors_is_a_tensor(name, device):
    f = BUILT[name]
    expected = f(numpy, X)
    weights = numpy.cos(numpy.arange(numpy.size(expected)) + 1.0).reshape(numpy.shape(expected))
    value = gg.vjp(lambda x: f(np, x), X)[0]
    assert value.dtype == expected.dtype
    numpy.testing.assert_allclose(value, expected, rtol=1e-12)
    if "complex" not in name and "of an array" not in name and name not in ("apply_along_axis", "piecewise"):
        place = "cpu" if name == "where, lists" else device  # its mask is an array of NumPy
        outside = f(
            np, gg.tensor(X, requires_grad=True, device=place)
        )  # with tensors of the user's, outside of any transform
        assert outside.requires_grad
        numpy.testing.assert_allclose(outside.detach().numpy(), expected, rtol=1e-12)
    found, differences = gg.grad(lambda x: (f(np, x) * weights).sum())(X), []
    for d in numpy.eye(3) * 1e-6:
        differences.append(((f(numpy, X + d) - f(numpy, X - d)) * weights).sum() / 2e-6)
    numpy.testing.assert_allclose(found, differences, rtol=1e-5, atol=1e-7)


def test_arrays_of_float32_stay_float32():
    def f(x):
        made = np.array([[x[0], -x[1]], [x[1], x[0]]])
        assert made.dtype == np.zeros_like(x).dtype == np.float32
        return (made @ x[:2]).sum()

    assert gg.grad(f)(X.astype("float32")).dtype == np.float32


def test_a_copy_is_one_and_no_copy_is_none():
    x = gg.tensor(X, requires_grad=True)
    assert np.asarray(x) is x
    assert np.array(x, copy=None) is not x
    made = np.array(x)
    made[0] = 5.0
    assert x.tolist()[0] == X[0]
    assert np.asarray(x, dtype=np.float32).dtype == np.float32
    for wrong in (lambda: np.asarray(x, dtype=np.float32, copy=False), lambda: np.array([x[0], x[1]], copy=False)):
        with pytest.raises(ValueError, match="needs a copy"):
            wrong()


def test_what_cannot_be_an_array():
    t = gg.tensor(X, requires_grad=True)
    for wrong in ([[t[0], t[1]], [t[2]]], [t, t[:2]], [[1.0], t]):
        with pytest.raises(ValueError, match="nested lists of equal length"):
            np.array(wrong)
    with pytest.raises(TypeError, match="expected numbers and tensors, got str"):
        np.array([t[0], "a"])
    with pytest.raises(gg.GradientError, match=r"import gpugrad\.numpy as np"):
        numpy.array([t[0], t[1]])
    with pytest.raises(TypeError, match=r"np\.nditer: a write would not reach the tensor"):
        np.nditer(gg.tensor(X), op_flags=["readwrite"])
    assert [float(v) for v in np.nditer(X)] == X.tolist()
    with pytest.raises(gg.GradientError, match=r"gpugrad has no numpy\.busday_count"):
        np.busday_count(t, 2)


def test_an_integer_before_tensors_in_vectorize():
    with pytest.raises(TypeError, match=r"first result is an integer.*otypes=.*test_numpy_namespace"):
        gg.grad(lambda x: np.vectorize(lambda a: 0 if a < 0.5 else a**2)(x).sum())(X)


def test_transforms_in_transforms():
    def inner(x):
        out = np.zeros(2)
        out[0] = x[0] ** 3
        return out.sum()

    numpy.testing.assert_allclose(gg.grad(lambda x: gg.grad(inner)(x)[0])(X), [6 * X[0], 0, 0])
    numpy.testing.assert_allclose(gg.hessian(inner)(X)[0], [6 * X[0], 0, 0])
    assert type(np.zeros(2)) is numpy.ndarray
    with pytest.raises(ZeroDivisionError):
        gg.grad(lambda x: 1 / 0)(X)
    assert type(np.zeros(2)) is numpy.ndarray


def test_arrays_of_cupy_are_handed_to_cupy(device):
    if device.is_host:
        pytest.skip("needs CuPy or its simulator")
    cupy = importlib.import_module("cupy")
    a = cupy.asarray(X)
    for made in (np.array(a), np.asarray(a), np.ascontiguousarray(a), np.sum(a), np.zeros_like(a), np.linalg.norm(a),
                 np.concatenate([a, a]), np.sin(a), np.array([a[0], a[1]])):  # fmt: skip
        assert isinstance(made, cupy.ndarray)
    on_device = gg.grad(
        lambda x: (lambda out: (out.__setitem__(0, x[0] ** 2), out[np.arange(1)].sum())[1])(np.zeros(2))
    )
    assert isinstance(on_device(a), cupy.ndarray)


def test_functions_of_scipy_for_any_array_take_tensors_inside_a_transform():
    special = pytest.importorskip("scipy.special")

    def f(x):
        assert type(special.logsumexp(X)) is numpy.float64
        return special.logsumexp(2 * x)

    numpy.testing.assert_allclose(gg.grad(f)(X), 2 * special.softmax(2 * X))
    switch = importlib.import_module("scipy._lib._array_api").SCIPY_ARRAY_API
    assert bool(switch) == bool(os.environ.get("SCIPY_ARRAY_API"))


# ---------------------------------------------------------------- types


def test_a_type_checker_sees_the_types_of_numpy(tmp_path):
    pytest.importorskip("mypy")
    program = tmp_path / "program.py"
    program.write_text(
        "import gpugrad.numpy as np\n"
        "from gpugrad.numpy import linalg, zeros\n"
        "import numpy.typing\n"
        "def f(x: numpy.typing.NDArray[np.float64]) -> np.ndarray:\n"
        "    reveal_type(np.zeros(3))\n"
        "    y: np.ndarray = np.sin(x) + zeros(3) * np.pi + np.random.rand(3) + linalg.solve(np.eye(3), x)\n"
        "    return y\n"
        "np.nothing\n"
    )
    command = [
        sys.executable,
        "-m",
        "mypy",
        "--strict",
        "--follow-imports=silent",
        "--cache-dir",
        str(tmp_path),
        program,
    ]
    text = subprocess.run(command, capture_output=True, text=True, check=False).stdout
    assert "numpy.ndarray" in text
    assert text.count("error:") == 1, text
    assert "nothing" in text


def test_docstrings_of_numpy_stay():
    assert inspect.getdoc(np.zeros) == inspect.getdoc(numpy.zeros)
    assert inspect.signature(np.mean) == inspect.signature(numpy.mean)


def test_averages_of_masks_and_integers_are_float64():
    def values(x):
        mask, whole = x > 0.5, (x > 0.5) * np.array([1, 2, 5])
        return [
            np.mean(mask), np.mean(a=whole), np.std(whole, ddof=1), np.var(mask, axis=0), np.nanmean(mask),
            np.average(whole), np.average(mask, weights=[0.1, 0.2, 0.4]), np.mean([mask[0], mask[2], mask[1]]),
            np.mean(whole, where=[True, False, True], keepdims=True),
        ]  # fmt: skip

    def inside(x):
        assert np.mean(x > 0.5, dtype=np.float32).dtype == numpy.float32
        found = values(x)
        assert {y.dtype for y in found} == {numpy.dtype(numpy.float64)}
        return x.sum(), [y * 1 for y in found]

    x = numpy.array([0.2, 0.7, 1.3])
    for dtype in (numpy.float64, numpy.float32):
        _, found = gg.grad(inside, has_aux=True)(x.astype(dtype))
        for y, expected in zip(found, values(x), strict=True):
            numpy.testing.assert_allclose(y, expected, rtol=1e-15)
    rates = gg.vmap(lambda x: np.mean(x > 0.5))(numpy.stack([x, x + 0.4]))
    numpy.testing.assert_allclose(rates, [2 / 3, 1.0], rtol=1e-15)
