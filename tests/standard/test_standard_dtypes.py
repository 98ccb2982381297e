"""What dtype a result has in the array API standard: promotion, numbers beside arrays, defaults, accumulation."""

from __future__ import annotations

import itertools
import math
import operator

import pytest

import gpugrad as gg

SIGNED = ("int8", "int16", "int32", "int64")
UNSIGNED = ("uint8", "uint16", "uint32", "uint64")
FLOATING = ("float32", "float64")
COMPLEX = ("complex64", "complex128")
INTEGERS = SIGNED + UNSIGNED
ALL = ("bool", *INTEGERS, *FLOATING, *COMPLEX)

PROMOTIONS = {
    **{(a, b): max(a, b, key=family.index) for family in (("bool",), SIGNED, UNSIGNED, FLOATING, COMPLEX)
       for a, b in itertools.product(family, repeat=2)},
    # a signed type that holds both; there is none for uint64
    **{(s, u): SIGNED[max(i, j + 1)] for i, s in enumerate(SIGNED) for j, u in enumerate(UNSIGNED[:3])},
    ("float32", "complex64"): "complex64", ("float32", "complex128"): "complex128",
    ("float64", "complex64"): "complex128", ("float64", "complex128"): "complex128",
}  # fmt: skip
PROMOTIONS |= {(b, a): result for (a, b), result in PROMOTIONS.items()}
KINDS = {
    "bool": ("bool",), "signed integer": SIGNED, "unsigned integer": UNSIGNED, "integral": INTEGERS,
    "real floating": FLOATING, "complex floating": COMPLEX, "numeric": INTEGERS + FLOATING + COMPLEX,
}  # fmt: skip


def dtype(name):
    return getattr(gg, name)


def ones(name, shape=(2,)):
    return gg.ones(shape, dtype=dtype(name))


each_pair = pytest.mark.parametrize(("pair", "expected"), PROMOTIONS.items(), ids=lambda v: "-".join(v) if v else "")


@each_pair
def test_result_type(pair, expected):
    a, b = pair
    assert gg.result_type(dtype(a), dtype(b)) == dtype(expected)
    assert gg.result_type(ones(a), dtype(b)) == gg.result_type(ones(a), ones(b)) == dtype(expected)
    assert gg.result_type(ones(a), dtype(a), ones(b)) == dtype(expected)
    assert gg.can_cast(dtype(a), dtype(expected))
    assert gg.can_cast(ones(b), dtype(expected))


@each_pair
def test_operations_promote(pair, expected):
    a, b = map(ones, pair)
    kind = dtype(expected).kind
    operations = {
        "b": (gg.bitwise_and, gg.bitwise_or, gg.bitwise_xor, gg.logical_and),
        "i": (operator.add, operator.sub, operator.mul, operator.floordiv, operator.mod, operator.pow, operator.and_,
              operator.lshift, gg.maximum, gg.bitwise_right_shift),
        "f": (operator.add, operator.mul, operator.truediv, operator.pow, operator.floordiv, gg.atan2, gg.hypot,
              gg.logaddexp, gg.minimum, gg.copysign, gg.nextafter),
        "c": (operator.add, operator.sub, operator.mul, operator.truediv, operator.pow),
    }[kind.replace("u", "i")]  # fmt: skip
    for operation in operations:
        assert operation(a, b).dtype == dtype(expected)
    for comparison in (gg.equal, gg.not_equal, *(() if kind in "cb" else (gg.less, gg.greater_equal))):
        assert comparison(a, b).dtype == gg.bool
    assert gg.where(gg.asarray([True, False]), a, b).dtype == dtype(expected)
    assert gg.concat([a, b]).dtype == gg.stack([a, b]).dtype == dtype(expected)
    if kind in "iufc":
        assert gg.matmul(a, b).dtype == gg.vecdot(a, b).dtype == gg.tensordot(a, b, axes=1).dtype == dtype(expected)


@pytest.mark.parametrize("pair", [p for p, r in PROMOTIONS.items() if r == p[0] and "bool" not in p], ids="-".join)
def test_in_place_operators_keep_the_dtype(pair):
    for name in ("__iadd__", "__isub__", "__imul__"):
        x = ones(pair[0])
        assert getattr(x, name)(ones(pair[1])).dtype == dtype(pair[0])


@pytest.mark.parametrize("name", ALL)
def test_numbers_take_the_dtype_of_the_array_beside_them(name):
    x = ones(name)
    numbers = {"b": (True,), "i": (1,), "u": (1,), "f": (1, 1.5), "c": (1, 1.5, 1j)}[x.dtype.kind]
    for number in numbers:
        assert gg.result_type(x, number) == gg.result_type(number, x.dtype) == x.dtype
        operations = (gg.bitwise_and,) if name == "bool" else (gg.add, gg.multiply, operator.sub)
        for operation in operations:
            assert operation(x, number).dtype == operation(number, x).dtype == x.dtype
        assert gg.where(x == x, x, number).dtype == gg.where(x == x, number, x).dtype == x.dtype
        assert gg.equal(x, number).dtype == gg.equal(number, x).dtype == gg.bool
        if x.dtype.kind in "iuf":
            assert gg.clip(x, number).dtype == gg.clip(x, max=number).dtype == gg.maximum(number, x).dtype == x.dtype
            assert gg.less(number, x).dtype == gg.bool


@pytest.mark.parametrize("real", FLOATING)
def test_default_dtypes(real):
    wide = {"float32": gg.complex64, "float64": gg.complex128}[real]
    with gg.default_dtype(dtype(real)):
        expected = {gg.bool: (True,), gg.int64: (3, -1), dtype(real): (1.5, math.inf), wide: (1j, 1 + 2j)}
        for wanted, numbers in expected.items():
            for number in numbers:
                assert gg.asarray(number).dtype == gg.full(2, number).dtype == gg.asarray([[number]]).dtype == wanted
        assert gg.asarray([True, 1]).dtype == gg.arange(3).dtype == gg.arange(0, 6, 2).dtype == gg.int64
        assert gg.asarray([1, 2.5]).dtype == gg.arange(3.0).dtype == gg.arange(0, 1, 0.5).dtype == dtype(real)
        assert gg.asarray([1.5, 1j]).dtype == gg.linspace(0, 1j, 3).dtype == wide
        for made in (gg.zeros(2), gg.ones(2), gg.empty(2), gg.eye(2), gg.linspace(0, 1, 3), gg.fft.fftfreq(4)):
            assert made.dtype == dtype(real)
        info = gg.__array_namespace_info__().default_dtypes()
        assert (info["real floating"], info["complex floating"]) == (dtype(real), wide)
        assert info["integral"] == info["indexing"] == gg.int64
        for mean in (gg.mean, gg.var, gg.std):
            assert mean(gg.asarray([1, 2], dtype=gg.int16)).dtype == dtype(real)


@pytest.mark.parametrize("name", ALL[1:])
def test_accumulation(name):
    wide = {"i": gg.int64, "u": gg.uint64}.get(dtype(name).kind, dtype(name))
    for operation in (gg.sum, gg.prod, gg.cumulative_sum, gg.cumulative_prod):
        assert operation(ones(name)).dtype == wide
        assert operation(ones(name), dtype=dtype(name)).dtype == dtype(name)
    for operation in (gg.max, gg.min) if dtype(name).kind != "c" else ():
        assert operation(ones(name)).dtype == dtype(name)
    if dtype(name).kind == "f":
        for operation in (gg.mean, gg.std, gg.var):
            assert operation(ones(name)).dtype == dtype(name)


@pytest.mark.parametrize("name", ALL)
def test_indices_have_the_default_dtype_for_indices(name):
    x = ones(name)
    found = [*gg.nonzero(x), gg.count_nonzero(x), *gg.unique_all(x)[1:]]
    found += [gg.unique_inverse(x).inverse_indices, gg.unique_counts(x).counts]
    if dtype(name).kind in "iuf":
        found += [gg.argmax(x), gg.argmin(x), gg.argsort(x), gg.searchsorted(x, x)]
    assert {index.dtype for index in found} == {gg.int64}


@pytest.mark.parametrize("name", COMPLEX)
def test_parts_of_complex_numbers(name):
    x = ones(name)
    part = {"complex64": gg.float32, "complex128": gg.float64}[name]
    assert gg.real(x).dtype == gg.imag(x).dtype == gg.abs(x).dtype == part
    assert gg.conj(x).dtype == x.dtype
    assert gg.conj(gg.real(x)).dtype == part
    info = gg.finfo(x)
    assert (info.dtype, info.eps, info.bits) == (part, gg.finfo(part).eps, part.itemsize * 8)


@pytest.mark.parametrize(("name", "kind"), [*itertools.product(ALL, KINDS)])
def test_kinds(name, kind):
    assert gg.isdtype(dtype(name), kind) is (name in KINDS[kind])
    assert gg.isdtype(dtype(name), ("bool", kind)) is (name == "bool" or name in KINDS[kind])
    assert gg.isdtype(dtype(name), dtype(name)) is True
    assert dict(gg.__array_namespace_info__().dtypes(kind=kind)).keys() == set(KINDS[kind])


def test_limits():
    info = gg.finfo(gg.float64)
    assert (info.bits, info.eps, info.max, info.min) == (64, 2.0**-52, 1.7976931348623157e308, -1.7976931348623157e308)
    assert info.smallest_normal == 2.0**-1022
    assert all(type(v) is float for v in (info.eps, info.max, info.min, info.smallest_normal))
    for name, bits in zip(SIGNED, (8, 16, 32, 64), strict=True):
        assert gg.iinfo(ones(name)) == (bits, 2 ** (bits - 1) - 1, -(2 ** (bits - 1)), dtype(name))
        assert gg.iinfo(dtype(f"u{name}")) == (bits, 2**bits - 1, 0, dtype(f"u{name}"))


@pytest.mark.parametrize(("name", "to"), [*itertools.product(ALL, repeat=2)])
def test_astype(name, to):
    x = gg.asarray([0, 1], dtype=dtype(name))
    if name in COMPLEX and to not in (*COMPLEX, "bool"):
        with pytest.raises(TypeError, match="would lose the imaginary part"):
            gg.astype(x, dtype(to))
        with pytest.raises(TypeError, match="would lose the imaginary part"):
            gg.asarray(x, dtype=dtype(to))
        return
    y = gg.astype(x, dtype(to))
    assert y.dtype == dtype(to)
    assert y.tolist() == [0, 1]
    assert gg.astype(x, dtype(to), device=x.device).device == x.device
    assert (gg.astype(x, dtype(to), copy=False) is x) is (name == to)
    assert gg.astype(x, dtype(name)) is not x


def test_complex_numbers_are_written_into_no_real_dtype():
    with pytest.raises(TypeError, match="would lose the imaginary part"):
        gg.asarray([1j], dtype=gg.float32)
    with pytest.raises(TypeError, match="would lose the imaginary part"):
        gg.asarray(gg.asarray([1j]).data, dtype=gg.int8)


@pytest.mark.parametrize("bound", ["float64", "float32"])
def test_clip_keeps_the_dtype_of_its_array(bound):
    low, high = gg.asarray(0.25, dtype=dtype(bound)), gg.asarray([0.5, 2.0], dtype=dtype(bound))
    x = gg.tensor([0.0, 1.0], requires_grad=True)
    y = gg.clip(x, low, high)
    assert (y.dtype, y.tolist()) == (gg.float32, [0.25, 1.0])
    y.sum().backward()
    assert (x.grad.dtype, x.grad.tolist()) == (gg.float32, [0.0, 1.0])
    assert gg.clip(gg.asarray(3.0), None, low).dtype == gg.float32
    small = gg.clip(gg.asarray([1, 200], dtype=gg.uint8), max=gg.asarray([100, 100], dtype=gg.int8))
    assert (small.dtype, small.tolist()) == (gg.uint8, [1, 100])
