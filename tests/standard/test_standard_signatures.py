"""Signatures of the Python array API standard, 2024.12, written out from its text, against what gpugrad has.

What may differ: a parameter that the standard has by keyword only may also be given by position here, as in NumPy;
there may be more parameters, if they have defaults; and a required parameter may have a default.
"""

from __future__ import annotations

import inspect
from inspect import Parameter

import pytest

import gpugrad as gg

LIKE = "x, /, *, dtype=None, device=None"
NEW = "shape, *, dtype=None, device=None"
REDUCTION = "x, /, *, axis=None, keepdims=False"

FUNCTIONS = {
    "arange": "start, /, stop=None, step=1, *, dtype=None, device=None",
    "asarray": "obj, /, *, dtype=None, device=None, copy=None",
    "from_dlpack": "x, /, *, device=None, copy=None",
    "eye": "n_rows, n_cols=None, /, *, k=0, dtype=None, device=None",
    "full": "shape, fill_value, *, dtype=None, device=None",
    "full_like": "x, /, fill_value, *, dtype=None, device=None",
    "linspace": "start, stop, /, num, *, dtype=None, device=None, endpoint=True",
    "meshgrid": "*arrays, indexing='xy'",
    "tril": "x, /, *, k=0",
    "triu": "x, /, *, k=0",
    "astype": "x, dtype, /, *, copy=True, device=None",
    "can_cast": "from_, to, /",
    "finfo": "type, /",
    "iinfo": "type, /",
    "isdtype": "dtype, kind",
    "result_type": "*arrays_and_dtypes",
    "clip": "x, /, min=None, max=None",
    "take": "x, indices, /, *, axis=None",
    "take_along_axis": "x, indices, /, *, axis=-1",
    "matmul": "x1, x2, /",
    "matrix_transpose": "x, /",
    "tensordot": "x1, x2, /, *, axes=2",
    "vecdot": "x1, x2, /, *, axis=-1",
    "broadcast_arrays": "*arrays",
    "broadcast_to": "x, /, shape",
    "concat": "arrays, /, *, axis=0",
    "expand_dims": "x, /, axis",
    "flip": "x, /, *, axis=None",
    "moveaxis": "x, source, destination, /",
    "permute_dims": "x, /, axes",
    "repeat": "x, repeats, /, *, axis=None",
    "reshape": "x, /, shape, *, copy=None",
    "roll": "x, /, shift, *, axis=None",
    "squeeze": "x, /, axis",
    "stack": "arrays, /, *, axis=0",
    "tile": "x, repetitions, /",
    "unstack": "x, /, *, axis=0",
    "argmax": REDUCTION,
    "argmin": REDUCTION,
    "count_nonzero": REDUCTION,
    "nonzero": "x, /",
    "searchsorted": "x1, x2, /, *, side='left', sorter=None",
    "where": "condition, x1, x2, /",
    "argsort": "x, /, *, axis=-1, descending=False, stable=True",
    "sort": "x, /, *, axis=-1, descending=False, stable=True",
    "cumulative_prod": "x, /, *, axis=None, dtype=None, include_initial=False",
    "cumulative_sum": "x, /, *, axis=None, dtype=None, include_initial=False",
    "std": "x, /, *, axis=None, correction=0.0, keepdims=False",
    "var": "x, /, *, axis=None, correction=0.0, keepdims=False",
    "prod": "x, /, *, axis=None, dtype=None, keepdims=False",
    "sum": "x, /, *, axis=None, dtype=None, keepdims=False",
    "diff": "x, /, *, axis=-1, n=1, prepend=None, append=None",
    "__array_namespace_info__": "",
    # of the edition after it
    "isin": "x1, x2, /, *, invert=False",
    "broadcast_shapes": "*shapes",
}  # fmt: skip
for text, names in {
    NEW: "empty ones zeros",
    LIKE: "empty_like ones_like zeros_like",
    REDUCTION: "all any max mean min",
    "x, /": (
        "abs acos acosh asin asinh atan atanh bitwise_invert ceil conj cos cosh exp expm1 floor imag isfinite isinf "
        "isnan log log1p log2 log10 logical_not negative positive real reciprocal round sign signbit sin sinh square "
        "sqrt tan tanh trunc unique_all unique_counts unique_inverse unique_values"
    ),
    "x1, x2, /": (
        "add atan2 bitwise_and bitwise_left_shift bitwise_or bitwise_right_shift bitwise_xor copysign divide equal "
        "floor_divide greater greater_equal hypot less less_equal logaddexp logical_and logical_or logical_xor maximum "
        "minimum multiply nextafter not_equal pow remainder subtract"
    ),
}.items():
    FUNCTIONS |= dict.fromkeys(names.split(), text)

LINALG = {
    "cholesky": "x, /, *, upper=False",
    "cross": "x1, x2, /, *, axis=-1",
    "det": "x, /",
    "diagonal": "x, /, *, offset=0",
    "eigh": "x, /",
    "eigvalsh": "x, /",
    "inv": "x, /",
    "matmul": "x1, x2, /",
    "matrix_norm": "x, /, *, keepdims=False, ord='fro'",
    "matrix_power": "x, n, /",
    "matrix_rank": "x, /, *, rtol=None",
    "matrix_transpose": "x, /",
    "outer": "x1, x2, /",
    "pinv": "x, /, *, rtol=None",
    "qr": "x, /, *, mode='reduced'",
    "slogdet": "x, /",
    "solve": "x1, x2, /",
    "svd": "x, /, *, full_matrices=True",
    "svdvals": "x, /",
    "tensordot": "x1, x2, /, *, axes=2",
    "trace": "x, /, *, offset=0, dtype=None",
    "vecdot": "x1, x2, /, *, axis=-1",
    "vector_norm": "x, /, *, axis=None, keepdims=False, ord=2",
}
FFT = {
    **dict.fromkeys(("fft", "ifft", "rfft", "irfft", "hfft", "ihfft"), "x, /, *, n=None, axis=-1, norm='backward'"),
    **dict.fromkeys(("fftn", "ifftn", "rfftn", "irfftn"), "x, /, *, s=None, axes=None, norm='backward'"),
    **dict.fromkeys(("fftfreq", "rfftfreq"), "n, /, *, d=1.0, dtype=None, device=None"),
    **dict.fromkeys(("fftshift", "ifftshift"), "x, /, *, axes=None"),
}
REFLECTED = "add sub mul truediv floordiv pow mod matmul and or xor lshift rshift"
COMPARISONS = "eq ne lt le gt ge"
OF_ITSELF = "abs bool complex dlpack_device float index int invert neg pos"
OPERATORS = {
    **dict.fromkeys(f"{REFLECTED} {COMPARISONS}".split(), "other, /"),
    **dict.fromkeys(OF_ITSELF.split(), ""),
    "array_namespace": "*, api_version=None",
    "dlpack": "*, stream=None, max_version=None, dl_device=None, copy=None",
    "getitem": "key, /",
    "setitem": "key, value, /",
}
INFO = {
    "capabilities": "",
    "default_device": "",
    "default_dtypes": "*, device=None",
    "devices": "",
    "dtypes": "*, device=None, kind=None",
}
DTYPES = "bool int8 int16 int32 int64 uint8 uint16 uint32 uint64 float32 float64 complex64 complex128"


def parameters(text):
    space: dict = {}
    exec(f"def f({text}): ...", space)
    return inspect.signature(space["f"]).parameters.values()


def differences(function, text):
    """How a function's signature fails to be one of the standard's."""
    have = inspect.signature(function).parameters
    order = list(have.values())
    wanted = list(parameters(text))
    for i, want in enumerate(wanted):
        if want.kind is Parameter.KEYWORD_ONLY:
            got = have.get(want.name)
            if got is None or got.kind not in (Parameter.KEYWORD_ONLY, Parameter.POSITIONAL_OR_KEYWORD):
                yield f"takes no keyword {want.name}"
                continue
        else:
            if i >= len(order):
                yield f"takes no {want.name}"
                continue
            got = order[i]
            named = want.kind is Parameter.POSITIONAL_OR_KEYWORD
            if got.kind is not want.kind or (named and got.name != want.name):
                yield f"{got.name} is {got.kind.description}, not {want.name}, {want.kind.description}"
        if want.default is not Parameter.empty and got.default != want.default:
            yield f"{want.name} defaults to {got.default}, not {want.default}"
    asked = {p.name for p in wanted}
    for extra in order[sum(p.kind is not Parameter.KEYWORD_ONLY for p in wanted) :]:
        if extra.name not in asked and extra.default is Parameter.empty and extra.kind is not Parameter.VAR_POSITIONAL:
            yield f"asks for {extra.name}, which the standard has not"


def table(space, names):
    return [pytest.param(getattr(space, name, None), text, id=name) for name, text in names.items()]


@pytest.mark.parametrize(
    ("function", "text"),
    [
        *table(gg, FUNCTIONS),
        *table(getattr(gg, "linalg", None), LINALG),
        *table(getattr(gg, "fft", None), FFT),
        *table(gg.__array_namespace_info__(), INFO),
    ],
)
def test_signature(function, text):
    assert function is not None, "missing"
    assert not list(differences(function, text))


@pytest.mark.parametrize(("name", "text"), OPERATORS.items())
def test_signature_of_a_method(name, text):
    method = getattr(gg.ones((2, 2)), f"__{name}__")
    assert not list(differences(method, text))


def test_moving_to_a_device():
    assert not list(differences(gg.ones(2).to_device, "device, /, *, stream=None"))


@pytest.mark.parametrize("name", REFLECTED.split())
def test_reflected_and_in_place_operators_are_there(name):
    x = gg.asarray([1, 2])
    assert callable(getattr(x, f"__r{name}__"))
    assert callable(getattr(x, f"__i{name}__"))


def test_attributes():
    x = gg.zeros((2, 3), dtype=gg.float64)
    assert (x.shape, x.ndim, x.size, x.dtype) == ((2, 3), 2, 6, gg.float64)
    assert x.device == gg.get_default_device()
    assert x.T.shape == x.mT.shape == (3, 2)
    assert gg.zeros((2, 3, 4)).mT.shape == (2, 4, 3)
    with pytest.raises(ValueError, match="at least two axes"):
        gg.zeros(3).mT


def test_constants_and_dtypes():
    assert (gg.e, gg.pi, gg.inf) == (2.718281828459045, 3.141592653589793, float("inf"))
    assert gg.nan != gg.nan
    assert gg.newaxis is None
    names = DTYPES.split()
    assert len({getattr(gg, name) for name in names}) == len(names)
    assert all(getattr(gg, name) == gg.zeros(1, dtype=getattr(gg, name)).dtype for name in names)
    assert gg.__array_api_version__ == "2024.12"
    assert gg.zeros(1).__array_namespace__(api_version="2024.12") is gg
