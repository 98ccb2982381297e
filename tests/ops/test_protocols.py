"""NumPy's and CuPy's own functions on Tensors: ``numpy.sin(t)`` is recorded, or an error; never a constant."""

import inspect
import operator
import warnings

import numpy
import pytest
from cases import ROWS, outputs, tensors
from cases.checks import on_each_instance

import gpugrad as gg
from gpugrad.ops import inplace, keywords, protocols
from gpugrad.ops.protocols import counterpart

VECTOR = numpy.array([0.3, 0.7, 0.5])
MATRIX = numpy.array([[0.3, 0.7, 0.5], [0.2, 0.9, 0.4]])
UFUNCS = sorted(
    {
        f.__name__
        for f in vars(numpy).values()
        if isinstance(f, numpy.ufunc) and counterpart("numpy", f.__name__) is not None
    }
)


def variable(array):
    return gg.tensor(array, requires_grad=True)


def same(found, expected):
    if isinstance(expected, tuple | list):
        assert len(found) == len(expected)
        for f, e in zip(found, expected, strict=True):
            same(f, e)
        return
    assert isinstance(found, gg.Tensor)
    assert (found.shape, found.dtype) == (numpy.shape(expected), expected.dtype)
    tolerance = 1e-6 if expected.dtype == numpy.float32 else 1e-14
    numpy.testing.assert_allclose(found.numpy(), expected, rtol=tolerance, atol=tolerance)


# ---------------------------------------------------------------- ufuncs


def operands(ufunc):
    kinds = next(
        k for k in (*(t for t in ufunc.types if "d" in t), *ufunc.types) if not set(k[: ufunc.nin]) & set("?O")
    )
    scale = 10 if kinds[0] in "bhilqBHILQ" else 1
    cores = ufunc.signature.partition("->")[0].split("),(") if ufunc.signature else ["n"] * ufunc.nin
    values = [VECTOR + i / 10 if core.count(",") == 0 else VECTOR[:, None] * VECTOR for i, core in enumerate(cores)]
    return [(scale * v).astype(kind) for v, kind in zip(values, kinds, strict=False)]


@pytest.mark.parametrize("name", UFUNCS)
def test_every_ufunc_that_gpugrad_has_is_called(name):
    ufunc = getattr(numpy, name)
    arrays = operands(ufunc)
    with numpy.errstate(all="ignore"):  # arccosh
        same(ufunc(*map(gg.tensor, arrays)), ufunc(*arrays))


def test_most_ufuncs_are_there():
    assert len(UFUNCS) > 60
    assert {"absolute", "power", "invert", "conjugate", "matmul", "vecdot", "logaddexp"} <= set(UFUNCS)


def test_a_ufunc_is_recorded():
    x = variable(VECTOR)
    numpy.sum(numpy.multiply(numpy.sin(x), 2)).backward()
    numpy.testing.assert_allclose(x.grad.numpy(), 2 * numpy.cos(VECTOR))


@pytest.mark.parametrize("ufunc", [numpy.add, numpy.multiply, numpy.maximum, numpy.minimum, numpy.subtract,
                                   numpy.logaddexp, numpy.divide, numpy.logical_and, numpy.logical_or,
                                   numpy.logical_xor], ids=lambda u: u.__name__)  # fmt: skip
def test_methods_of_ufuncs(ufunc):
    x, v = gg.tensor(MATRIX), gg.tensor(VECTOR)
    same(ufunc.reduce(x), ufunc.reduce(MATRIX))
    same(ufunc.reduce(x, axis=1, keepdims=True), ufunc.reduce(MATRIX, axis=1, keepdims=True))
    same(ufunc.reduce(v, axis=None), ufunc.reduce(VECTOR, axis=0))
    same(ufunc.accumulate(x), ufunc.accumulate(MATRIX))
    same(ufunc.accumulate(x, axis=-1), ufunc.accumulate(MATRIX, axis=-1))
    same(ufunc.outer(x, v), ufunc.outer(MATRIX, VECTOR))
    same(ufunc.outer(v, 2.0), ufunc.outer(VECTOR, 2.0))


@pytest.mark.parametrize("ufunc", [numpy.add, numpy.multiply, numpy.maximum], ids=lambda u: u.__name__)
def test_where_initial_and_dtype_of_a_reduction(ufunc):
    x, mask = gg.tensor(MATRIX), MATRIX > 0.3
    same(ufunc.reduce(x, initial=0.6), ufunc.reduce(MATRIX, initial=0.6))
    on_device = gg.tensor(mask)
    same(ufunc.reduce(x, axis=1, where=on_device, initial=0.1), ufunc.reduce(MATRIX, axis=1, where=mask, initial=0.1))
    same(ufunc.reduce(x, dtype=numpy.float32), ufunc.reduce(MATRIX, dtype=numpy.float32))
    for axis in (0, None, (0, 1)):
        for keepdims in (False, True):
            options = {"axis": axis, "initial": 2.0, "keepdims": keepdims}
            same(
                ufunc.reduce(gg.zeros((0, 3), dtype=gg.float64), **options),
                ufunc.reduce(numpy.zeros((0, 3)), **options),
            )


def test_what_a_ufunc_has_no_identity_for():
    with pytest.raises(ValueError, match="where= needs an initial="):
        numpy.maximum.reduce(gg.tensor(VECTOR), where=gg.tensor(VECTOR > 0.4))
    with pytest.raises(ValueError, match="where= needs an initial="):
        numpy.subtract.reduce(gg.tensor(VECTOR), where=gg.tensor(VECTOR > 0.4), initial=1.0)
    with pytest.raises(ValueError, match="nothing to combine along axis 0"):
        numpy.subtract.reduce(gg.zeros((0, 2)))
    with pytest.raises(TypeError, match="expected one axis, got None"):
        numpy.subtract.reduce(gg.zeros((2, 2)), axis=None)
    assert numpy.subtract.accumulate(gg.zeros((0, 2))).shape == (0, 2)


def test_methods_have_gradients():
    for function in (
        lambda x: numpy.maximum.accumulate(numpy.add.reduce(x, axis=0, where=gg.tensor(MATRIX > 0.3))),
        lambda x: numpy.multiply.outer(numpy.multiply.reduce(x), numpy.multiply.accumulate(x, axis=1)),
        lambda x: numpy.subtract.reduce(x, axis=1),
    ):
        assert gg.gradcheck(function, variable(MATRIX))


@pytest.mark.parametrize("method", ["at", "reduceat"])
def test_methods_that_there_are_not(method):
    with pytest.raises(TypeError, match=rf"numpy\.add\.{method} (would write|is not known)"):
        if method == "at":
            numpy.add.at(VECTOR.copy(), [0, 1, 2], variable(VECTOR))
        else:
            numpy.add.reduceat(variable(VECTOR), [0])


@pytest.mark.parametrize("options", [{"where": VECTOR > 0.4}, {"casting": "unsafe"}, {"signature": "dd->d"}], ids=repr)
def test_options_that_there_are_not(options):
    with pytest.raises(TypeError, match=rf"numpy\.add: {next(iter(options))}=.*is not known to gpugrad"):
        numpy.add(variable(VECTOR), 1.0, **options)


def test_options_at_their_defaults_change_nothing():
    same(numpy.add(gg.tensor(VECTOR), 1.0, where=True, casting="same_kind", order="K", dtype=None), VECTOR + 1)


@pytest.mark.parametrize("requires_grad", [False, True])
def test_writing_into_an_array_is_refused(requires_grad):
    x, a = gg.tensor(VECTOR, requires_grad=requires_grad), VECTOR.copy()
    with pytest.raises(TypeError, match=r"numpy\.add: out= would write into an array.*write a = a \+ t.*a \+= x"):
        a += x
    with pytest.raises(TypeError, match="out= would write into an array"):
        numpy.add(x, x, out=a)
    with pytest.raises(TypeError, match="out= would write into an array"):
        numpy.add.reduce(x, out=numpy.zeros(()))
    with pytest.raises(TypeError, match=r"numpy\.sum: out= would write into an array"):
        numpy.sum(x, out=numpy.zeros(()))
    with pytest.raises(TypeError, match=r"numpy\.copyto would write into an array"):
        numpy.copyto(a, x)
    assert (a == VECTOR).all()


OPERATORS = [operator.add, operator.sub, operator.mul, operator.truediv, operator.floordiv, operator.mod, operator.pow,
             operator.matmul, operator.eq, operator.ne, operator.lt, operator.le, operator.gt, operator.ge]  # fmt: skip


@pytest.mark.parametrize("op", OPERATORS, ids=lambda op: op.__name__)
def test_operators_with_an_array_on_the_left(op, device):
    left = gg.tensor(2 * VECTOR).data  # an array of the device's library
    for x in (gg.tensor(VECTOR), variable(VECTOR)):
        found = op(left, x)
        same(found, op(2 * VECTOR, VECTOR))
        assert found.requires_grad == (x.requires_grad and found.dtype.kind == "f")
        if op is not operator.matmul:
            same(op(numpy.float64(2), x), op(numpy.float64(2), VECTOR))
            same(op(gg.tensor(2.0, dtype=gg.float64).data, x), op(numpy.array(2.0), VECTOR))


def test_a_numpy_scalar_on_the_left_has_its_dtype():
    x = gg.ones(2, dtype=gg.float32)
    assert (numpy.float64(2) * x).dtype == (numpy.float64(2) * numpy.ones(2, "f4")).dtype == numpy.float64
    assert (numpy.float32(2) * x).dtype == (2.0 * x).dtype == numpy.float32


def test_a_ufunc_of_another_library_is_no_namesake():
    doubled = numpy.frompyfunc(lambda x: 2 * x, 1, 1)
    with pytest.raises(gg.GradientError, match=r"gpugrad has no <ufunc (.|\n)*def my_function\(xp, x, /\)") as caught:
        doubled(variable(VECTOR))
    assert "return ..." in str(caught.value)


class Stranger:
    """An array of a library that gpugrad does not know, and that knows what to do with a Tensor."""

    def __array_ufunc__(self, ufunc, method, *inputs, **options):
        return "the stranger's"

    def __array_function__(self, function, types, args, kwargs):
        return "the stranger's"


def test_another_library_may_answer():
    assert numpy.add(gg.tensor(VECTOR), Stranger()) == "the stranger's"
    assert numpy.concatenate([gg.tensor(VECTOR), Stranger()]) == "the stranger's"


# ---------------------------------------------------------------- functions

CALLS = {
    "concatenate": lambda np, x, v: np.concatenate([x, x], axis=1),
    "stack": lambda np, x, v: np.stack([v, v], -1),
    "vstack": lambda np, x, v: np.vstack([x, v]),
    "split": lambda np, x, v: np.split(x, [1], axis=1),
    "transpose": lambda np, x, v: np.transpose(x),
    "transpose with axes": lambda np, x, v: np.transpose(x, (1, 0)),
    "reshape": lambda np, x, v: np.reshape(x, (3, -1)),
    "copy": lambda np, x, v: np.copy(v),
    "amax": lambda np, x, v: np.amax(x, 1, keepdims=True),
    "sum of an axis": lambda np, x, v: np.sum(x, 0, np.float32),
    "mean": lambda np, x, v: np.mean(x, axis=(0, 1)),
    "mean with dtype": lambda np, x, v: np.mean(x, axis=1, dtype=np.float32),
    "concatenate with dtype": lambda np, x, v: np.concatenate([v, v], dtype=np.float32),
    "var with ddof": lambda np, x, v: np.var(x, axis=0, ddof=1),
    "std with correction": lambda np, x, v: np.std(x, correction=1),
    "clip": lambda np, x, v: np.clip(x, 0.3, 0.6),
    "clip by name": lambda np, x, v: np.clip(x, a_min=None, a_max=0.6),
    "clip with min": lambda np, x, v: np.clip(x, min=0.4),
    "where": lambda np, x, v: np.where(x > 0.4, x, v),
    "sort": lambda np, x, v: np.sort(x, kind="stable"),
    "argsort": lambda np, x, v: np.argsort(x, 0),
    "searchsorted": lambda np, x, v: np.searchsorted(np.sort(v), v, side="right"),
    "take": lambda np, x, v: np.take(x, np.argmax(v), axis=1),
    "diff": lambda np, x, v: np.diff(x, n=2),
    "einsum": lambda np, x, v: np.einsum("ij,j->i", x, v),
    "tensordot": lambda np, x, v: np.tensordot(x, v, axes=1),
    "dot": lambda np, x, v: np.dot(x, v),
    "cross": lambda np, x, v: np.cross(x, v),
    "outer": lambda np, x, v: np.outer(x, v),
    "tile": lambda np, x, v: np.tile(v, (2, 1)),
    "repeat": lambda np, x, v: np.repeat(x, 2, axis=0),
    "roll": lambda np, x, v: np.roll(x, 1, axis=1),
    "pad": lambda np, x, v: np.pad(v, 1, constant_values=2.0),
    "meshgrid": lambda np, x, v: np.meshgrid(v, v, indexing="ij"),
    "broadcast_to": lambda np, x, v: np.broadcast_to(v, (2, 3)),
    "moveaxis": lambda np, x, v: np.moveaxis(x, 0, 1),
    "cumsum": lambda np, x, v: np.cumsum(x),
    "average": lambda np, x, v: np.average(x, axis=1, weights=v),
    "trace": lambda np, x, v: np.trace(x, 1),
    "tril": lambda np, x, v: np.tril(x, -1),
    "nan_to_num": lambda np, x, v: np.nan_to_num(x),
    "real": lambda np, x, v: np.real(x),
    "zeros_like": lambda np, x, v: np.zeros_like(x),
    "full_like": lambda np, x, v: np.full_like(v, 3.0),
    "result_type": lambda np, x, v: np.zeros(1, np.result_type(x, np.float32)),
    "astype": lambda np, x, v: np.astype(x, np.float32),
    "unstack": lambda np, x, v: np.unstack(x),
}
SUBMODULES = {
    "linalg.norm": lambda np, x, v: np.linalg.norm(x),
    "linalg.norm of rows": lambda np, x, v: np.linalg.norm(x, ord=1, axis=1, keepdims=True),
    "linalg.det": lambda np, x, v: np.linalg.det(x @ np.transpose(x)),
    "linalg.solve": lambda np, x, v: np.linalg.solve(x @ np.transpose(x), x @ v),
    "fft.fft": lambda np, x, v: np.fft.fft(x, norm="ortho"),
    "fft.rfft": lambda np, x, v: np.fft.rfft(x, 4, axis=0),
}


@pytest.mark.parametrize("name", [*CALLS, *SUBMODULES])
def test_functions_of_numpy(name, device):
    call = {**CALLS, **SUBMODULES}[name]
    if name == "result_type" and not device.is_host:
        pytest.skip("NumPy makes arrays of its own of the arguments, and a GPU's refuse")
    found, expected = call(numpy, gg.tensor(MATRIX), gg.tensor(VECTOR)), call(numpy, MATRIX, VECTOR)
    if name == "result_type":
        assert found.dtype == expected.dtype
    else:
        same(found, expected)


NAMESAKES = [row for row in ROWS if isinstance(row.numpy, numpy.ufunc) or hasattr(row.numpy, "_implementation")]


@pytest.mark.parametrize("row", NAMESAKES, ids=str)
def test_the_function_that_a_row_is_compared_with_takes_tensors(row):
    on_each_instance(row, takes_tensors)


def takes_tensors(row, shapes, static):
    arrays = row.inputs(numpy.random.default_rng(0), shapes)
    with numpy.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        try:
            expected = outputs(row.numpy(*arrays, **static))
        except ValueError:
            return  # NumPy refuses this
        found = outputs(row.numpy(*tensors(arrays), **static))
    assert len(found) == len(expected)
    for f, e in zip(found, expected, strict=True):
        assert isinstance(f, gg.Tensor)
        assert f.requires_grad or row.constant
        numpy.testing.assert_allclose(f.numpy(), e, rtol=1e-7, atol=1e-9)


def shared():
    """Every function of NumPy that gpugrad has."""
    for module in (numpy, numpy.linalg, numpy.fft):
        for name in sorted(vars(module)):
            function = getattr(module, name)
            if hasattr(function, "_implementation") and not name.startswith("_"):
                ours = counterpart(function.__module__, function.__name__)
                if ours is not None and name not in inplace.FUNCTIONS:
                    yield pytest.param(function, ours, id=f"{module.__name__}.{name}")


@pytest.mark.parametrize(("function", "ours"), list(shared()))
def test_what_a_function_of_numpy_must_have_is_known(function, ours):
    parameters = keywords.signature(function).values()
    needed = sum(p.default is p.empty and p.kind in keywords.PLACED for p in parameters)
    assert all(place for _, place, _ in keywords._places(function, ours, needed, ()))


def test_signatures_of_functions_in_c():
    """NumPy has them from 2.4 on; the table serves earlier versions, and says the same."""
    for name, written in keywords.SIGNATURES.items():
        try:
            theirs = inspect.signature(getattr(numpy, name))
        except ValueError:
            continue
        assert str(theirs) == str(inspect.signature(written)), name
    for function in (f.values[0] for f in shared()):
        assert inspect.isfunction(function._implementation) or function.__name__ in keywords.SIGNATURES


def test_functions_are_recorded():
    assert gg.gradcheck(
        lambda x, v: numpy.concatenate([numpy.sort(x), numpy.vstack([v, v])]), (variable(MATRIX), variable(VECTOR))
    )
    assert gg.gradcheck(lambda x: numpy.transpose(numpy.clip(x, 0.25, 0.6)), variable(MATRIX))


def test_questions_that_need_no_values():
    x = variable(MATRIX)
    assert (numpy.shape(x), numpy.ndim(x), numpy.size(x)) == ((2, 3), 2, 6)
    assert numpy.isrealobj(x)
    assert not numpy.iscomplexobj(x)
    assert numpy.common_type(x) is numpy.float64
    assert numpy.can_cast(x.dtype, numpy.float32) is False


def test_text_and_files(tmp_path, device):
    for x in (gg.tensor(VECTOR), variable(VECTOR)):
        assert numpy.array2string(x) == numpy.array2string(VECTOR)
        assert numpy.array_repr(x).startswith("array([0.3, 0.7, 0.5])")
        if device.is_host:
            assert numpy.shares_memory(x, x.data)
            assert not numpy.may_share_memory(x, VECTOR)
            numpy.savez(tmp_path / "saved", x=x)
            with numpy.load(tmp_path / "saved.npz") as saved:
                assert (saved["x"] == VECTOR).all()


def test_arguments_that_gpugrad_has_not():
    with pytest.raises(TypeError, match=r"numpy\.sort: order='a' is not known to gpugrad.sort \[.*test_pr"):
        numpy.sort(gg.tensor(VECTOR), order="a")
    with pytest.raises(TypeError, match=r"numpy\.stack: float64 becomes no int64 by casting='same_kind'; write x"):
        numpy.stack([gg.tensor(VECTOR)], dtype=numpy.int64)
    with pytest.raises(ValueError, match="order='A' depends on how the tensor lies in memory"):
        numpy.reshape(gg.tensor(MATRIX).T, (6,), order="A")
    with pytest.raises(TypeError, match="unexpected keyword argument"):
        numpy.sum(gg.tensor(VECTOR), nonsense=3)


@pytest.fixture
def without(monkeypatch):
    """Take functions away from gpugrad."""

    def take(*names):
        monkeypatch.setattr(protocols, "_called_before", {})
        for name in names:
            monkeypatch.delattr(gg, name, raising=False)
            monkeypatch.delattr(gg.Tensor, name, raising=False)

    return take


def test_a_function_that_there_is_not_says_how_to_add_it(without):
    without("heaviside", "histogram", "select")
    for x, kind, way_out in (
        (variable(VECTOR), gg.GradientError, "x.detach().numpy()"),
        (gg.tensor(VECTOR), TypeError, "x.numpy()"),
    ):
        with pytest.raises(kind) as caught:
            numpy.heaviside(x, 0.5)
        text = str(caught.value)
        assert "gpugrad has no numpy.heaviside, called at" in text
        assert "numpy.heaviside(x, 0.5)\n" in text  # the line above
        assert "test_protocols.py" in text
        assert text.endswith(f"pass {way_out}.")
        namespace = {"gg": gg}
        lines = text.splitlines()[2:-1]
        exec("\n".join(line[4:] for line in lines), namespace)  # what it says can be pasted
        assert namespace["heaviside"](gg.tensor([2.0]), 0.5).tolist() == [1.0]
    with pytest.raises(gg.GradientError, match=r"gpugrad has no numpy\.histogram"):
        numpy.histogram(variable(VECTOR))
    with pytest.raises(gg.GradientError, match=r"gpugrad has no numpy\.select"):
        numpy.select([VECTOR > 0.4], [variable(VECTOR)])


def test_gpugrad_does_not_call_itself():
    """Where gpugrad's function calls NumPy's of the same name with what should have been a number."""
    x = gg.tensor([1.0, 2.0], device="cpu")
    with pytest.raises(TypeError, match="isclose: expected numbers, got a tensor"):
        gg.isclose(x, x, rtol=gg.tensor(0.1, device="cpu"))


def test_scipys_ufuncs_that_gpugrad_has():
    special = pytest.importorskip("scipy.special")
    x = variable(VECTOR)
    same(special.expit(x), special.expit(VECTOR))
    special.expit(x).sum().backward()
    assert x.grad is not None
    with pytest.raises(gg.GradientError, match=r"gpugrad has no scipy\.special\.kolmogorov, called at"):
        special.kolmogorov(x)


def test_names_in_the_lists_are_there():
    for theirs, ours in protocols.RENAMED.items():
        assert hasattr(gg, ours), theirs


def test_full_of_a_tensor():
    """What libraries written for any array fill with is often an array of no axes."""
    x = variable(0.5)
    y = gg.full((2, 3), x, dtype=gg.float64) * gg.full_like(gg.zeros(3, dtype=gg.float64), x)
    same(y, numpy.full((2, 3), 0.25))
    y.sum().backward()
    assert x.grad.item() == 6.0
    assert gg.full(2, gg.tensor(3), dtype=gg.int32).tolist() == [3, 3]
