"""The simulated functions: what each computes is NumPy's, and its name and signature are the real CuPy's."""

from __future__ import annotations

import importlib.metadata
import inspect
import json
import subprocess
import sys

import numpy
import pytest

from gpugrad.testing.cuda_simulator import functions, table

FLOATS = numpy.array([[0.5, -1.5, 2.0], [3.0, 0.25, -4.0]], numpy.float32)
POSITIVE = numpy.abs(FLOATS) + 0.25
INTS = numpy.array([[4, 1, 3], [2, 7, 5]])
MASK = numpy.array([[True, False, True], [False, True, True]])
SQUARE = numpy.array([[4.0, 1.0, 0.5], [1.0, 3.0, 0.25], [0.5, 0.25, 2.0]])
LINE = numpy.array([3.0, 1.0, 2.0, 1.0])
PLACES = numpy.array([2, 0, 1])

CALLS = {
    "append": (LINE, LINE), "arange": (2, 7), "array_split": (LINE, 3), "average": (FLOATS, 1), "bincount": (PLACES,),
    "blackman": (5,), "broadcast_arrays": (FLOATS, FLOATS[0]), "broadcast_shapes": ((2, 1), (3,)),
    "broadcast_to": (FLOATS, (2, 2, 3)), "can_cast": ("f4", "f8"), "choose": (PLACES, SQUARE),
    "clip": (FLOATS, -1, 1), "column_stack": ((LINE, LINE),), "compress": (numpy.array([True, False]), FLOATS, 0),
    "concat": ((FLOATS, INTS), 1), "concatenate": ((FLOATS, FLOATS),), "convolve": (LINE, LINE),
    "correlate": (LINE, LINE), "cross": (FLOATS, FLOATS[::-1]), "diag_indices": (3,),
    "digitize": (LINE, numpy.sort(LINE)),
    "cumulative_prod": (LINE,), "cumulative_sum": (LINE,), "diff": (LINE,), "dot": (SQUARE, SQUARE),
    "dsplit": (numpy.ones((2, 2, 4)), 2), "dstack": ((LINE, LINE),), "einsum": ("ij,kj->ik", FLOATS, FLOATS),
    "empty": ((0, 3),), "empty_like": (FLOATS[:0],), "expand_dims": (FLOATS, 1), "extract": (MASK, FLOATS),
    "eye": (3, 4, 1), "full": ((2, 3), 7.5), "full_like": (FLOATS, 3), "hamming": (5,), "hanning": (5,),
    "histogram": (LINE, 3), "hsplit": (FLOATS, 3), "hstack": ((FLOATS, FLOATS),), "identity": (3,),
    "indices": ((2, 3),),
    "inner": (LINE, LINE), "interp": (LINE, numpy.arange(4.0), LINE), "intersect1d": (LINE, LINE[:2]),
    "isclose": (FLOATS, FLOATS), "isdtype": (numpy.dtype("f4"), "real floating"), "isin": (INTS, PLACES),
    "issubdtype": (numpy.float32, numpy.floating), "ix_": (PLACES, PLACES), "kron": (SQUARE, SQUARE),
    "lexsort": (numpy.stack([LINE, LINE]),), "linspace": (0, 1, 5), "logspace": (0, 1, 5), "matmul": (SQUARE, SQUARE),
    "may_share_memory": (FLOATS, LINE), "meshgrid": (LINE, PLACES), "min_scalar_type": (3,), "moveaxis": (FLOATS, 0, 1),
    "ones": ((2, 3),), "outer": (LINE, LINE), "packbits": (MASK,), "pad": (FLOATS, 1), "percentile": (LINE, 30),
    "permute_dims": (FLOATS, (1, 0)), "polyadd": (LINE, LINE), "polymul": (LINE, LINE), "polysub": (LINE, LINE),
    "polyval": (LINE, LINE), "promote_types": ("i4", "f4"), "quantile": (LINE, 0.3),
    "ravel_multi_index": ((PLACES, PLACES), (3, 3)), "repeat": (FLOATS, 2, 1), "reshape": (FLOATS, (3, 2)),
    "result_type": (FLOATS, 1.0), "roll": (FLOATS, 1), "searchsorted": (numpy.sort(LINE), LINE),
    "setdiff1d": (LINE, LINE[:1]), "setxor1d": (LINE, LINE[:1]), "shares_memory": (FLOATS, LINE), "split": (LINE, 2),
    "stack": ((LINE, LINE), 1), "swapaxes": (FLOATS, 0, 1), "take": (FLOATS, PLACES, 1),
    "take_along_axis": (FLOATS, INTS % 3, 1), "tensordot": (SQUARE, SQUARE), "tile": (FLOATS, 2), "tri": (3,),
    "tril_indices": (3,), "triu_indices": (3,), "union1d": (LINE, PLACES), "unpackbits": (INTS.astype("u1"),),
    "unravel_index": (PLACES, (2, 2)), "unwrap": (LINE,), "vander": (LINE,), "vdot": (LINE, LINE),
    "vsplit": (FLOATS, 2), "vstack": ((LINE, LINE),), "where": (MASK, FLOATS, 0), "zeros": (3,),
    "argpartition": (LINE, 2),
    "allclose": (LINE, LINE), "array_equal": (LINE, LINE), "array_equiv": (LINE, LINE), "astype": (FLOATS, "i4"),
    "isscalar": (3.0,), "partition": (LINE, 2), "bartlett": (5,), "diag": (SQUARE,), "diag_indices_from": (SQUARE,),
    "tril_indices_from": (SQUARE,), "triu_indices_from": (SQUARE,), "trapezoid": (LINE,), "cov": (SQUARE,),
    "corrcoef": (SQUARE,), "unique": (LINE,), "unique_all": (LINE,), "unique_counts": (LINE,),
    "unique_inverse": (LINE,), "unique_values": (LINE,), "isneginf": (FLOATS,), "isposinf": (FLOATS,),
}  # fmt: skip
IN_PLACE = {"copyto": (LINE,), "fill_diagonal": (1.5,), "put": (PLACES, LINE),
            "put_along_axis": (PLACES[:, None], 2.0, 1), "putmask": (SQUARE > 1, LINE)}  # fmt: skip
BINARY_INTS = {"gcd", "lcm", "left_shift", "right_shift", "ldexp"}
LINALG = {"solve": (SQUARE, SQUARE), "lstsq": (SQUARE, LINE[:3], None), "matrix_power": (SQUARE, 3),
          "cross": (FLOATS, FLOATS[::-1]), "tensorsolve": (numpy.eye(4).reshape(2, 2, 4), numpy.ones((2, 2))),
          "tensorinv": (numpy.eye(4).reshape(2, 2, 4),), "matmul": (SQUARE, SQUARE), "norm": (FLOATS,)}  # fmt: skip


def names(text):
    return [functions.signature(line)[0] for line in text.strip().splitlines()]


def give(cp, value):
    """NumPy arrays in arguments, as arrays of the device."""
    if isinstance(value, numpy.ndarray):
        return cp.asarray(value)
    return tuple(give(cp, v) for v in value) if isinstance(value, tuple) else value


def fetch(cp, value):
    if isinstance(value, tuple | list):
        return [fetch(cp, v) for v in value]
    if isinstance(value, cp.ndarray):
        return value.get()
    assert not isinstance(value, numpy.ndarray | numpy.floating), "a result must not be on the host"
    return value


OTHERWISE = {"convolve", "correlate", "i0", "sinc"}
"""What CuPy computes in another way than NumPy: by an FFT, or by another formula."""


def same(ours, theirs, exact=True):
    if isinstance(theirs, tuple | list):
        assert len(ours) == len(theirs)
        for a, b in zip(ours, theirs, strict=True):
            same(a, b, exact)
    elif isinstance(theirs, numpy.ndarray | numpy.generic):
        assert ours.dtype == theirs.dtype
        assert ours.shape == theirs.shape
        if exact:
            numpy.testing.assert_array_equal(ours, theirs)
        else:
            numpy.testing.assert_allclose(ours, theirs, rtol=2e-6)
    else:
        assert ours == theirs


@pytest.mark.parametrize("name", names(table.FUNCTIONS))
def test_every_function_computes_what_numpys_does(cp, name):
    if name in IN_PLACE:
        ours, theirs = cp.asarray(SQUARE), SQUARE.copy()
        arguments = IN_PLACE[name] if name != "copyto" else (SQUARE * 2,)
        assert getattr(cp, name)(ours, *give(cp, arguments)) is None
        getattr(numpy, name)(theirs, *arguments)
        same(ours.get(), theirs)
        return
    arguments = CALLS.get(name, (FLOATS,))
    with numpy.errstate(all="ignore"):
        expected = getattr(numpy, name)(*arguments)
    given = arguments if name in ("promote_types", "can_cast") else give(cp, arguments)
    ours = fetch(cp, getattr(cp, name)(*given))
    same(ours, list(expected) if name == "broadcast_arrays" else expected, name not in OTHERWISE)


@pytest.mark.parametrize("name", table.UFUNCS.split())
def test_every_ufunc_computes_what_numpys_does(cp, name):
    reference, ours = getattr(numpy, name), getattr(cp, name)
    values = INTS if "bitwise" in name or "shift" in name or name in BINARY_INTS | {"invert"} else POSITIVE
    arguments = (values, values[::-1])[: ours.nin]
    if name in ("arcsin", "arccos", "arctanh", "asin", "acos", "atanh"):
        arguments = (values / 8,)
    with numpy.errstate(all="ignore"):
        expected = reference(*arguments)
    same(fetch(cp, ours(*give(cp, arguments))), expected, name not in OTHERWISE)


@pytest.mark.parametrize("name", names(table.LINALG))
def test_every_linalg_function_computes_what_numpys_does(cp, name):
    arguments = LINALG.get(name, (SQUARE,))
    expected = getattr(numpy.linalg, name)(*arguments)
    if name in ("eig", "eigvals"):  # CuPy's are always complex
        expected = [part + 0j for part in expected] if name == "eig" else expected + 0j
    same(fetch(cp, getattr(cp.linalg, name)(*give(cp, arguments))), tuple(expected) if isinstance(expected, tuple)
         else expected)  # fmt: skip


@pytest.mark.parametrize("name", names(table.FFT))
def test_every_fft_computes_what_numpys_does(cp, name):
    arguments = (4,) if "freq" in name else (SQUARE,)
    same(fetch(cp, getattr(cp.fft, name)(*give(cp, arguments))), getattr(numpy.fft, name)(*arguments))


def test_transforms_of_several_axes_refuse_batches_of_nothing(cp):
    with pytest.raises(ValueError, match="Invalid number of FFT data points"):
        cp.fft.fftn(cp.zeros((0, 2, 3)), axes=(1, 2))
    assert cp.fft.fft(cp.zeros((0, 3))).shape == (0, 3)


def test_special_functions(cp):
    import cupyx.scipy.special as ours
    import scipy.special as theirs

    for name in ("erf", "expit", "gammaln", "logsumexp", "softmax", "log_ndtr"):
        same(fetch(cp, getattr(ours, name)(cp.asarray(SQUARE))), getattr(theirs, name)(SQUARE))


# What the real CuPy has ----------------------------------------------------------------------------------------------

LOOK = """
import inspect, json, cupy, cupy.linalg, cupy.fft, cupyx.scipy.special
def look(module):
    found = {}
    for name in dir(module):
        try: found[name] = [[p.name, int(p.kind)] for p in inspect.signature(getattr(module, name)).parameters.values()]
        except (TypeError, ValueError): found[name] = None
    return found
print(json.dumps({m.__name__: look(m) for m in (cupy, cupy.linalg, cupy.fft, cupyx.scipy.special, cupy.cuda,
                                                cupy.cuda.runtime, cupy.ndarray)}))
"""


@pytest.fixture(scope="module")
def real():
    """Names and parameters of the installed CuPy, seen by a process of its own: here it may be simulated."""
    installed = {str(d.metadata["Name"]) for d in importlib.metadata.distributions()}
    if not any(name.startswith("cupy") for name in installed):
        pytest.skip("no CuPy is installed to compare the table with")
    seen = subprocess.run([sys.executable, "-W", "ignore", "-c", LOOK], capture_output=True, text=True, check=True)
    return json.loads(seen.stdout)


@pytest.mark.parametrize(
    ("module", "text"),
    [
        ("cupy", table.FUNCTIONS),
        ("cupy.linalg", table.LINALG),
        ("cupy.fft", table.FFT),
        ("cupyx.scipy.special", table.SPECIAL),
    ],
)
def test_every_function_and_keyword_is_in_the_real_cupy(real, module, text):
    for line in text.strip().splitlines():
        name, shape = functions.signature(line)
        assert name in real[module], f"CuPy has no {module}.{name}"
        parameters = real[module][name]
        if parameters is None:
            continue
        kinds = {kind for _, kind in parameters}
        for parameter in shape.parameters.values():
            free = int(inspect.Parameter.VAR_KEYWORD) in kinds
            assert [parameter.name, int(parameter.kind)] in parameters or free, f"{module}.{line}: {parameter}"


def test_what_the_simulator_has_the_real_cupy_has(real, cp):
    own = {"cupy", "cupyx"}
    for name, module in (("cupy", cp), ("cupy.linalg", cp.linalg), ("cupy.fft", cp.fft), ("cupy.cuda", cp.cuda)):
        extra = {n for n in vars(module) if not n.startswith("_")} - set(real[name]) - own
        assert not extra, f"CuPy has no {name}.{extra}"
    methods = {n for n in dir(cp.ndarray) if not n.startswith("_")} - set(real["ndarray"])
    assert not methods


def test_what_is_left_out_is_known(real, cp):
    lacking = {n for n in real["cupy"] if not n.startswith("_")} - set(vars(cp)) - set(table.LEFT_OUT.split())
    assert not lacking, "CuPy has more: add it, or name it in table.LEFT_OUT"


def test_linalg_says_nothing_of_singular_matrices(cp):
    both = cp.asarray(numpy.stack([numpy.ones((2, 2)), 2 * numpy.eye(2)]))
    assert numpy.isnan(cp.linalg.inv(both).get()[0]).all()
    assert cp.linalg.inv(both).get()[1].tolist() == [[0.5, 0], [0, 0.5]]
    assert numpy.isnan(cp.linalg.cholesky(-both[1]).get()).all()
    solved = cp.linalg.solve(both, cp.ones((2, 2, 1))).get()
    assert numpy.isnan(solved[0]).all()
    assert solved[1].tolist() == [[0.5], [0.5]]
    assert cp.linalg.solve(both[1], cp.ones(2)).get().tolist() == [0.5, 0.5]


def test_solve_broadcasts_no_batches(cp):
    with pytest.raises(ValueError, match="expected 3 rows in b"):
        cp.linalg.solve(cp.asarray(numpy.stack([SQUARE, SQUARE])), cp.asarray(SQUARE))
    with pytest.raises(ValueError, match="expected 3 rows in b"):
        cp.linalg.solve(cp.asarray(SQUARE), cp.ones(2))
    with pytest.raises(numpy.linalg.LinAlgError, match="square"):
        cp.linalg.solve(cp.ones((2, 3)), cp.ones(2))
    with pytest.raises(numpy.linalg.LinAlgError, match="square"):
        cp.linalg.inv(cp.ones((2, 3)))
    with pytest.raises(ZeroDivisionError):  # its array of pointers has steps of 0
        cp.linalg.solve(cp.asarray(numpy.stack([SQUARE, SQUARE])), cp.ones((2, 3, 0)))
