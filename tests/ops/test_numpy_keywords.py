"""Every keyword of NumPy's functions on variables: right, with its gradient, or refused with a sentence.

The first table is by names: what no function of gpugrad takes, and why. The second is by values: each line is run with
NumPy's arrays and with variables, and the gradients are compared with differences of the same line.
"""

import inspect
import warnings

import numpy
import pytest

import gpugrad as gg
from gpugrad.ops import keywords, protocols
from gpugrad.ops.protocols import counterpart

rng = numpy.random.default_rng(7)
X = rng.permutation(numpy.linspace(-1.7, 2.3, 12)).reshape(3, 4)
V = numpy.array([0.7, -1.2, 0.4, 2.1])
S = X[:, :3] @ X[:, :3].T + 3 * numpy.eye(3)
MASK = numpy.array([[True, False, True, True], [False, True, True, False], [True, True, False, True]])
NAMES = {
    "m": MASK, "row": MASK[0], "w": numpy.array([1.0, 2.0, 0.5, 3.0]),
    "k": numpy.array([[1, 3], [0, 0], [2, 1]]), "j": numpy.array([11, 0, 5]), "nan": float("nan"),
}  # fmt: skip

# ---------------------------------------------------------------- by names

EVERYWHERE = {
    "out": "no gradient comes back through an array; a Tensor is written to",
    "dtype": "arrays are cast before, where gpugrad's function computes in the dtype of its input",
    "casting": "a rule for dtype=",
    "copy": "memory is never written to, so a copy cannot be told from the array; copy=False of nan_to_num is refused",
    "subok": "there are no subclasses to hand on",
    "kind": "the algorithm of a sort",
    "overwrite_input": "memory that may be destroyed",
    "assume_unique": "a promise that saves time",
    "kwargs": "options of the ufunc behind it",
    "kw": "handed on to the user's function",
}
OLDER = {"corrcoef.bias", "corrcoef.ddof", "reshape.newshape"} | {
    f"{name}.interpolation" for name in ("quantile", "percentile", "nanquantile", "nanpercentile")
}
"""What NumPy deprecated before 2.1, and took away since."""
REFUSED = {
    "quantile percentile nanquantile nanpercentile": {"weights": "only for the method inverted_cdf in NumPy"},
    "sort argsort partition argpartition": {"order": "fields of structured arrays, which hold no tensors"},
    "logspace geomspace": {"axis": "moveaxis does it"},
}


def functions():
    for module in (numpy, numpy.linalg, numpy.fft):
        for name, function in sorted(vars(module).items()):
            if hasattr(function, "_implementation") and not name.startswith("_"):
                ours = counterpart(function.__module__, function.__name__)
                if ours is not None and name not in protocols.inplace.FUNCTIONS:
                    yield pytest.param(function, ours, id=f"{module.__name__}.{name}")


def goes_nowhere(function, ours):
    """The parameters of NumPy's function that no parameter of gpugrad's stands for."""
    parameters = keywords.signature(function)
    needed = [n for n, p in parameters.items() if p.default is p.empty and p.kind in keywords.PLACED]
    for name, p in parameters.items():
        if p.kind is p.KEYWORD_ONLY or (p.default is not p.empty and p.kind is p.POSITIONAL_OR_KEYWORD):
            places = keywords._places(function, ours, len(needed), (name,))
            layout = name == "order" and function.__name__ not in keywords.ORDER_COUNTS
            if not places[-1][1] and not layout and name not in EVERYWHERE \
                    and f"{function.__name__}.{name}" not in OLDER:  # fmt: skip
                yield name


def test_every_keyword_goes_somewhere_or_is_refused():
    refused = {name: set(why) for names, why in REFUSED.items() for name in names.split()}
    found = {p.values[0].__name__: set(goes_nowhere(*p.values)) for p in functions()}
    assert {name: keys for name, keys in found.items() if keys} == refused


def test_defaults_are_numpys():
    """What is at NumPy's default is left to gpugrad's function, whose default must say the same."""
    different = set()
    for function, ours in (p.values for p in functions()):
        theirs, mine = keywords.signature(function), keywords.signature(ours)
        for name, p in theirs.items():
            q = mine.get(name)
            if q is None or inspect.Parameter.empty in (p.default, q.default) or name in ("initial", "dtype"):
                continue
            if p.default is not numpy._NoValue and repr(p.default) != repr(q.default):
                different.add(name if name == "norm" else f"{function.__name__}.{name}")
    assert different == {
        "norm",  # of Fourier transforms: None is "backward"
        "argsort.stable", "sort.stable", "einsum.optimize",  # how, not what
        "copy.order",  # the layout in memory
        "cross.axis", "histogram.density",  # None stands for the value that gpugrad has
    }  # fmt: skip


# ---------------------------------------------------------------- by values

LINES = """
x.sum(0, None, None, True)
x.mean(1, None, None, True)
x.std(1, None, None, 1, True)
x.max(0, None, True, 0.5)
x.prod(0, None, None, True)
x.argsort(-1, 'stable', None)
x.cumsum(0, None, None)
x.clip(-1, 1, None)
x.take([0, 1], 1, None, 'wrap')
x.compress([True, False, True], 0, None)
v.searchsorted([.2], 'left', None)
np.pad(x, {0: (1, 2)}, 'edge')
np.pad(x, {-1: 2, 0: (0, 1)}, 'constant', constant_values=3)
np.apply_along_axis(np.diff, 1, x, n=2)
np.i0(x)
np.sum(x, axis=0, dtype=np.float64, keepdims=True, initial=2.0, where=m)
np.sum(x, where=row)
np.sum(x, initial=v[0])
np.prod(x, axis=1, initial=0.5, where=m)
np.prod(x, initial=v[1], keepdims=True)
np.max(x, axis=1, initial=-5.0, where=m)
np.max(x, initial=9.0)
np.min(x, axis=0, initial=v[3] + 9, where=m)
np.amax(x, axis=-1, keepdims=True, initial=0.1, where=row)
np.amin(x, axis=(0, 1), initial=0.1)
np.mean(x, axis=1, where=m)
np.mean(x, dtype=np.float64, keepdims=True)
np.var(x, axis=1, ddof=1, where=m)
np.var(x, axis=0, mean=np.mean(x, axis=0, keepdims=True))
np.var(x, axis=0, mean=v)
np.std(x, axis=1, correction=1, keepdims=True, where=m)
np.std(x, ddof=0.5, dtype=np.float64)
np.nansum(x, axis=0, initial=1.0, where=m)
np.nanprod(x, axis=0, initial=2.0, where=m)
np.nanmax(x, axis=0, initial=-9.0, where=m)
np.nanmin(x, axis=1, initial=9.0, where=m)
np.nanmean(x, axis=1, where=m, dtype=np.float64)
np.nanvar(x, axis=1, where=m, ddof=1)
np.nanstd(x, axis=1, where=m, mean=np.nanmean(x, axis=1, keepdims=True, where=m))
np.all(x > 0, axis=1, where=m)
np.any(x > 2, axis=1, where=m, keepdims=True)
np.add.reduce(x, axis=1, where=m, initial=v[0])
np.multiply.reduce(x, axis=None, where=m)
np.maximum.reduce(x, axis=1, where=m, initial=-3.0)
np.logaddexp.reduce(x, axis=1, initial=v[2])
np.add(x, v, dtype=np.float64, order="F")
np.average(x, axis=0, weights=[1, 2, 0.1])
np.average(x, axis=1, weights=w, returned=True)
np.average(x, returned=True, keepdims=True)
np.ptp(x, axis=1, keepdims=True)
np.median(x, axis=0, overwrite_input=True, keepdims=True)
np.cumsum(x)
np.cumsum(x, axis=1, dtype=np.float64)
np.cumprod(x, axis=None)
np.nancumsum(x, axis=0)
np.cumulative_sum(x, axis=1, include_initial=True)
np.sort(x, axis=None)
np.sort(x, axis=0, kind="stable")
np.sort(x, axis=1, stable=True)
np.argsort(x, axis=None)
np.partition(x, 5, axis=None)[5]
np.partition(x, (1, 2), axis=0, kind="introselect")[1]
np.argpartition(x, 3, axis=None)[3]
np.take_along_axis(x, j, axis=None)
np.take_along_axis(x, k, axis=1)
np.take(x, [5, -1, 13], mode="wrap")
np.take(x, [[9, -4]], axis=1, mode="clip")
np.repeat(x, 2, axis=None)
np.repeat(v, [1, 0, 2, 3])
np.append(x, v, axis=None)
np.append(x, [[0.1, 0.2, 0.3, 0.4]], axis=0)
np.delete(x, [1, -1], axis=None)
np.insert(x, [1, 3], [0.1, 0.7], axis=None)
np.insert(x, 1, v, axis=0)
np.flip(x, axis=None)
np.roll(x, 5, axis=None)
np.roll(x, (1, 2), axis=(0, 1))
np.squeeze(x[None], axis=None)
np.reshape(x, (4, 3), order="F")
np.reshape(x, -1, order="F", copy=True)
np.ravel(x, order="F")
np.copy(x, order="F", subok=True)
np.concatenate([x, x], axis=None)
np.concatenate([[0.1], v], dtype=np.float64, casting="safe")
np.stack([v, [0.1, 0.2, 0.3, 0.4]], axis=1)
np.hstack([0.1, v], dtype=np.float64)
np.vstack([v, [1, 2, 3, 4]])
np.dstack([v, 2.0 * v])
np.column_stack([v, [1, 2, 3, 4]])
np.block([[x], [v]])
np.broadcast_arrays(x, 0.1)[1]
np.atleast_2d(v, x)
np.meshgrid(v, [1.0, 2.0], sparse=True, copy=False, indexing="ij")
np.dsplit(np.reshape(x, (1, 3, 4)), 2)[1]
np.array_split(x, 3, axis=1)[0]
np.where(m, x, 0.1)
np.where([True, False, True, False], v, [0.1, 0.2, 0.3, 0.4])
np.where(x > 0)
v[np.where(v > 0)]
np.select([x > 1, x > 0], [x, 2 * x], default=0.1)
np.choose([0, 1, 0, 5], [v, 2 * v], mode="clip")
np.clip(x, -0.51, None)
np.clip(x, a_min=[0.11, -0.5, 0.3, 1.1], a_max=None)
np.clip(x, max=v)
np.linspace(v[0], 5.0, 4, endpoint=False)
np.linspace(v, [5.0, 6, 7, 8], 3, axis=1, retstep=True)
np.full_like(x, v[0], shape=(2,))
np.zeros_like(x, order="F", shape=(2, 2), subok=False)
np.diff(x, n=2, axis=0, prepend=0.1)
np.ediff1d(v, to_begin=[0.1], to_end=0.3)
np.gradient(x, 0.5, axis=1, edge_order=2)
np.trapezoid(x, [0.0, 1.0, 2.5, 3.0], axis=1)
np.interp([0.5, 1.5], [0.0, 1.0, 2.0, 3.0], v, left=0.1, period=None)
np.unwrap(3 * v, period=4.0)
np.pad(x, ((1, 0), (2, 1)), constant_values=0.1)
np.pad(v, 2, mode="reflect", reflect_type="odd")
np.trace(x, offset=1, axis1=1, axis2=0, dtype=np.float64)
np.diagonal(x, offset=-1, axis1=1, axis2=0)
np.einsum(x, [0, 1], v, [1], [0])
np.einsum(x, [0, ...], x, [0, ...])
np.einsum("ij,j", x, v, optimize=True, dtype=np.float64, order="K")
np.dot([1.0, 2.0, 0.1], x)
np.inner(v, [1.0, 2.0, 3.0, 0.1])
np.outer([1.0, 0.1], v)
np.vdot([1.0, 2.0, 3.0, 0.1], v)
np.kron([1.0, 0.1], v)
np.tensordot(x, [1.0, 2.0, 3.0, 0.1], axes=1)
np.cross(x[:, :3], x[:, 1:], axisa=0, axisb=1, axisc=0)
np.cross(x[:, :3], x[:, 1:], axisa=0, axisb=1, axisc=0, axis=-1)
np.cross(x[:, :3].T, x[:, 1:].T, axisc=1, axis=0)
np.cross([1.0, 0.1, 2.0], v[:3], axis=0)
np.convolve(v, [0.1, 0.2], mode="same")
np.correlate([0.1, 0.2, 0.3], v, "full")
np.cov(x, rowvar=False, ddof=0, fweights=[1, 2, 1], aweights=[0.1, 0.2, 0.3])
np.corrcoef(x, rowvar=False)[:2]
np.quantile(x, 0.3, axis=1, method="hazen", keepdims=True)
np.quantile(x, [0.2, 0.7], method="weibull")
np.percentile(x, 37, axis=0, method="median_unbiased")
np.percentile(x, 37, axis=0, method="normal_unbiased")
np.quantile(x, 0.37, method="interpolated_inverted_cdf")
np.quantile(x, [0.25, 0.6], axis=1, method="averaged_inverted_cdf")
np.quantile(x, 0.6, axis=1, method="inverted_cdf")
np.nanquantile(x, 0.3, axis=1, method="hazen", overwrite_input=True)
np.histogram(v, bins=3, range=(-2.0, 3.0), weights=w)[0]
np.bincount([0, 1, 1, 2], weights=v, minlength=5)
np.digitize(v, [0.0, 1.0], right=True)
np.searchsorted([0.0, 1.0], v, side="right")
np.searchsorted(v, [0.5], sorter=np.argsort(v))
np.isin(x, [0.1, 2.3], assume_unique=True, invert=True, kind="sort")
np.isclose(x, v, rtol=0.5, atol=0.1, equal_nan=True)
np.count_nonzero(x > 0, axis=0, keepdims=True)
np.nan_to_num(np.where(m, x, nan), copy=True, nan=0.5)
np.around(x, decimals=1)
np.round(v)
np.rint(v)
np.real(x) + np.conjugate(x)
np.apply_along_axis(np.sum, 1, x)
np.tri(3, like=v) @ x
np.array([[v[0], 0.1], [1, v[1]]], like=v)
np.array(v, ndmin=2, like=v)
np.asarray([v, [1, 2, 3, 4]], like=v)
np.full(3, v[0], like=v)
np.polyval([1.0, 0.1], v)
np.polyfit([0.0, 1.0, 2.0, 4.0], v, 2, w=w)
np.polyder(v, m=2)
np.vander(v, N=3, increasing=True)
np.lib.stride_tricks.sliding_window_view(x, (2, 3))
np.lib.stride_tricks.sliding_window_view(x, 2, axis=1)
np.unravel_index(np.argmax(x), (3, 4), order="F")
x[np.tril_indices_from(x)]
np.tile(v, (2, 1))
np.rot90(x, k=3, axes=(1, 0))
np.moveaxis(x, [0], [1])
np.linalg.norm(x, ord=2, axis=(0, 1), keepdims=True)
np.linalg.norm([0.1, 0.2] + x[:2, 0])
np.linalg.svd(x, full_matrices=False, compute_uv=False)
np.linalg.svd(s, hermitian=True, compute_uv=False)
np.abs(np.linalg.svd(s, full_matrices=True, hermitian=True)[0])
np.linalg.pinv(s, hermitian=True, rcond=1e-9)
np.linalg.pinv(x, rtol=1e-9)
np.linalg.matrix_rank(s, tol=1e-6, hermitian=True)
np.linalg.cholesky(s, upper=True)
np.linalg.eigvalsh(s, UPLO="U")
np.linalg.matrix_norm(x, ord="nuc", keepdims=True)
np.linalg.vector_norm(x, axis=1, ord=3)
np.linalg.lstsq(x.T, w, rcond=1e-10)[0]
np.linalg.solve(s, [1.0, 2.0, 0.1])
np.linalg.multi_dot([x, [[1.0], [2], [0.1], [3]], [[2.0, 0.1]]])
np.linalg.trace(s, offset=1, dtype=np.float64)
np.linalg.vecdot(x, [1.0, 2.0, 3.0, 0.1], axis=-1)
np.abs(np.fft.fft(v, n=6, norm="ortho"))
np.fft.irfft(np.fft.rfft(x, axis=0, norm="forward"), n=3, axis=0)
np.abs(np.fft.fftn(x, s=(2, 4), axes=(0, 1), norm="backward"))
np.fft.fftshift(x, axes=1)
x.sum(axis=1, where=m, initial=0.5)
x.max(axis=0, where=m, initial=-9.0, out=None)
x.std(axis=1, ddof=1)
x.var(0, ddof=1, keepdims=True)
x.mean(axis=0, dtype=np.float64, out=None)
x.clip(min=-0.51, out=None)
x.cumsum(out=None)
x.take([5, 13], mode="wrap")
x.reshape((4, 3), order="F")
x.ravel("F")
x.flatten(order="F")
x.copy(order="C")
x.trace(offset=1, out=None)
x.argsort(axis=None, kind="stable")
x.round(decimals=1, out=None)
x.conjugate()
x.dot([1.0, 2.0, 3.0, 0.1])
np.sum(x, axis=np.int64(1), where=m)
np.mean(x, axis=np.int64(0))
np.std(x, axis=np.int64(1), keepdims=True)
np.max(x, axis=np.int64(1))
np.prod(x, axis=(np.int64(1), 0))
np.quantile(x, 0.5, axis=np.int64(0))
np.average(x, axis=np.int64(1), weights=w)
np.moveaxis(x, np.int64(0), np.int64(1))
np.tile(v, np.int64(2))
np.repeat(v, np.int64(2))
np.roll(v, np.int64(1))
np.insert(v, [np.int64(1)], 0.1)
np.delete(v, [np.int64(1)])
np.tensordot(x, v, axes=np.int64(1))
np.trapezoid(x, axis=np.int64(0))
np.gradient(x, axis=np.int64(0))
np.linalg.norm(x, axis=np.int64(1))
np.abs(np.fft.fft(x, n=np.int64(4), axis=np.int64(0)))
np.fft.fftshift(x, axes=np.int64(0))
np.lib.stride_tricks.sliding_window_view(v, np.int64(2))
np.histogram(v, bins=np.int64(3), range=(-2.0, 3.0))[0]
x.sum(axis=np.int64(0))
x.reshape(np.int64(4), np.int64(3))
np.reshape(x, np.int64(12), order="F")
divmod(x, 0.7)[1]
divmod(5.0, v)[1]
round(v[0], 1)
x[:, (0, 2)]
x[range(2)]
x[[True, False, True]]
x[(0, 1), [1, 2]]
x[..., None, [0]]
x * [1.0, 2.0, 3.0, 0.1]
[1.0, 2.0, 3.0, 0.1] / v
(1.0, 2.0, 3.0, 0.1) - v
v ** [1, 2, 3, 2]
x @ [1.0, 2.0, 3.0, 0.1]
""".strip().splitlines()


def parts(found):
    """The results of a line, as a list."""
    return list(found) if isinstance(found, tuple | list) else [found]


def values(code, **arrays):
    return [numpy.asarray(y) for y in parts(eval(code, {"np": numpy, **NAMES, **arrays}))]


@pytest.mark.parametrize("line", LINES)
def test_a_line_of_numpy(line, device):
    newest = ("stable=True", "cumulative_sum", "mean=", "vector_norm", "np.pad(x, {")
    code = compile(line, line, "eval")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        arrays = {"x": X, "v": V, "s": S}
        plain = line.replace(", like=v", "")
        try:
            expected = values(compile(plain, plain, "eval"), **arrays)
        except (TypeError, ValueError, AttributeError) as error:
            if any(word in line for word in newest):
                pytest.skip(f"this NumPy does not know it: {error}")
            raise
        variables = {name: gg.tensor(a, requires_grad=True) for name, a in arrays.items()}
        others = NAMES if device.is_host else {k: gg.tensor(a) if hasattr(a, "shape") else a for k, a in NAMES.items()}
        found = parts(eval(code, {"np": numpy, **others, **variables}))
        assert len(found) == len(expected)
        total = 0.0
        for f, e in zip(found, expected, strict=True):
            assert isinstance(f, gg.Tensor)
            assert f.shape == e.shape
            numpy.testing.assert_allclose(f.numpy(), e, rtol=1e-9, atol=1e-12)
        weights = [numpy.cos(numpy.arange(1.0, e.size + 1)).reshape(e.shape) for e in expected]
        smooth = [k for k, e in enumerate(expected) if e.dtype.kind in "fc"]
        for k in smooth:
            total = total + (gg.real(found[k]) * gg.tensor(weights[k])).sum()
        if getattr(total, "requires_grad", False):
            total.backward()
        for name in arrays if smooth else ():
            if name in code.co_names:
                wanted = differences(compile(plain, plain, "eval"), arrays, name, weights, smooth)
                got = variables[name].grad
                got = numpy.zeros_like(wanted) if got is None else got.numpy()
                if name == "s":  # gradients of symmetric matrices are symmetric
                    wanted, got = (wanted + wanted.T) / 2, (got + got.T) / 2
                numpy.testing.assert_allclose(got, wanted, rtol=1e-5, atol=1e-6)


def differences(code, arrays, name, weights, smooth):
    """The gradient of the weighted sum of what a line gives, by central differences."""
    step, gradient = 1e-6, numpy.zeros_like(arrays[name])
    for index in numpy.ndindex(gradient.shape):
        ends = []
        for sign in (1, -1):
            moved = arrays[name].copy()
            moved[index] += sign * step
            if name == "s" and index[0] != index[1]:
                moved[index[::-1]] += sign * step
            found = values(code, **{**arrays, name: moved})
            ends.append(sum((numpy.real(found[k]) * weights[k]).sum() for k in smooth))
        gradient[index] = (ends[0] - ends[1]) / (2 * step) / (2 if name == "s" and index[0] != index[1] else 1)
    return gradient
