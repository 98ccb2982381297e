"""Corners of NumPy's functions beyond the standard: ties, NaN, nothing, numbers at an edge, and what is refused."""

from __future__ import annotations

import warnings

import numpy
import pytest

import gpugrad as gg

NAN, INF = float("nan"), float("inf")


def gradient_of(function, *arrays):
    """The gradients of the sum of a function's values."""
    xs = [gg.tensor(a, dtype=gg.float64, requires_grad=True) for a in arrays]
    y = function(*xs)
    y.backward(gg.ones_like(y))
    found = [x.grad.numpy() for x in xs]
    return found[0] if len(found) == 1 else found


def same(x, expected, **kwargs):
    numpy.testing.assert_allclose(x.numpy() if isinstance(x, gg.Tensor) else x, expected, rtol=1e-6, **kwargs)


# -------------------------------------------------------------------- order


def test_of_equal_elements_one_is_the_median():
    numpy.testing.assert_array_equal(gradient_of(gg.median, [2.0, 1.0, 2.0, 2.0, 3.0]), [0, 0, 1, 0, 0])
    numpy.testing.assert_array_equal(gradient_of(gg.median, [2.0, 2.0]), [0.5, 0.5])
    numpy.testing.assert_array_equal(gradient_of(gg.nanmedian, [2.0, NAN, 2.0]), [0.5, 0, 0.5])


@pytest.mark.parametrize("function", [gg.median, gg.nanmedian, lambda x: gg.quantile(x, 0.4)])
def test_equal_neighbours_share_what_one_would_get(function):
    assert gradient_of(function, [1.0, 1.0, 1.0, 1.0]).sum() == pytest.approx(1)


@pytest.mark.parametrize("q", [0.0, 0.5, 1.0])
def test_an_infinite_neighbour_of_a_quantile_does_no_harm(q):
    x = [-INF, 1.0, INF]
    same(gg.quantile(gg.tensor(x), q), numpy.sort(x)[int(2 * q)])
    same(gg.quantile(gg.tensor(x), gg.tensor(q)), numpy.sort(x)[int(2 * q)])
    numpy.testing.assert_array_equal(gradient_of(lambda x: gg.quantile(x, q), x), numpy.eye(3)[int(2 * q)])


@pytest.mark.parametrize(
    "function", [gg.median, lambda x: gg.quantile(x, 0.1), lambda x: gg.quantile(x, gg.tensor(0.1))]
)
def test_nan_gives_nan(function):
    assert numpy.isnan(function(gg.tensor([1.0, NAN, 2.0, 3.0])).item())


def test_nothing_but_nan_gives_nan_and_no_gradient():
    x = gg.tensor([[NAN, NAN], [1.0, NAN]], requires_grad=True)
    for function in (gg.nanmedian, lambda x, axis: gg.nanquantile(x, 0.3, axis=axis)):
        with warnings.catch_warnings(action="ignore"):
            y = function(x, axis=1)
        numpy.testing.assert_array_equal(y.numpy(), [NAN, 1])
        x.grad = None
        y.backward(gg.ones(2))
        numpy.testing.assert_array_equal(x.grad.numpy(), [[0, 0], [1, 0]])


def test_quantiles_of_integers_and_of_no_rows():
    same(gg.median(gg.tensor([1, 2])), 1.5)
    assert gg.quantile(gg.tensor([3, 1, 2]), 0.5, method="lower").dtype == gg.int64
    assert gg.median(gg.zeros((0, 3)), axis=1).shape == (0,)
    assert gg.quantile(gg.zeros((0, 3)), [0.1, 0.2], axis=1, keepdims=True).shape == (2, 0, 1)


def test_q_of_several_axes_comes_first():
    x = numpy.random.default_rng(0).standard_normal((3, 4))
    y = gg.quantile(gg.tensor(x), [[0.1, 0.2, 0.3], [0.4, 0.5, 0.6]], axis=0)
    assert y.shape == (2, 3, 4)
    same(y[1, 2], numpy.quantile(x, 0.6, axis=0))


def test_the_gradient_of_q():
    q = gg.tensor([0.3, 0.9], dtype=gg.float64, requires_grad=True)
    gg.quantile(gg.tensor([0.0, 1.0, 5.0], dtype=gg.float64), q).sum().backward()
    same(q.grad, [2 * 1, 2 * 4])


@pytest.mark.parametrize(
    ("call", "error", "text"),
    [
        (lambda: gg.quantile(gg.zeros(3), 1.5), ValueError, "quantile: expected q from 0 to 1, got 1.5"),
        (lambda: gg.percentile(gg.zeros(3), [5, 101]), ValueError, "percentile: expected q from 0 to 100"),
        (lambda: gg.quantile(gg.zeros(3), NAN), ValueError, "expected q from 0 to 1, got nan"),
        (lambda: gg.quantile(gg.zeros(3), 0.5, method="best"), ValueError, "expected method 'linear', .* got 'best'"),
        (lambda: gg.median(gg.zeros(0)), ValueError, r"median: expected at least one element, got shape \(0,\)"),
        (lambda: gg.median(gg.zeros(3), axis=1), ValueError, r"axis 1 is out of bounds for shape \(3,\)"),
        (lambda: gg.median(gg.tensor([1j])), TypeError, "median: expected numbers that have an order, got complex"),
        (lambda: gg.partition(gg.zeros(3), 5), ValueError, "partition: .*kth.*out of bounds"),
    ],
)
def test_quantiles_refuse(call, error, text):
    with pytest.raises(error, match=text):
        call()


def test_partition_gives_the_gradient_to_the_elements_themselves():
    x = gg.tensor([3.0, 1.0, 1.0, 2.0], dtype=gg.float64, requires_grad=True)
    y = gg.partition(x, 2)
    (y * y).sum().backward()
    numpy.testing.assert_array_equal(x.grad.numpy(), 2 * x.numpy())


# -------------------------------------------------------------------- elements


def test_a_tie_is_shared_and_nan_passed_over():
    for function in (gg.fmax, gg.fmin):
        one, two = gradient_of(function, [1.0, NAN, 3.0, NAN], [1.0, 2.0, NAN, NAN])
        numpy.testing.assert_array_equal(one[:3], [0.5, 0, 1])
        numpy.testing.assert_array_equal(two[:3], [0.5, 1, 0])


def test_numbers_at_an_edge():
    numpy.testing.assert_array_equal(gradient_of(gg.heaviside, [-1.0, 0.0, 1.0], [0.5, 0.5, 0.5])[1], [0, 1, 0])
    with numpy.errstate(divide="ignore"):
        numpy.testing.assert_array_equal(gradient_of(gg.cbrt, [0.0, 8.0]), [INF, 1 / 12])
    numpy.testing.assert_array_equal(gradient_of(gg.fabs, [0.0, -2.0]), [0, -1])
    fraction, integer = gg.modf(gg.tensor([INF, -2.5]))
    numpy.testing.assert_array_equal(fraction.numpy(), [0, -0.5])
    numpy.testing.assert_array_equal(integer.numpy(), [INF, -2])
    one, two = gradient_of(gg.logaddexp2, [INF, -INF, 3.0], [INF, -INF, -INF])
    numpy.testing.assert_array_equal(one, [0.5, 0.5, 1])
    numpy.testing.assert_array_equal(two, [0.5, 0.5, 0])


def test_integers_become_floating_point():
    assert gg.fabs(gg.tensor([-1, 2])).dtype == gg.float64
    assert gg.modf(gg.tensor([1, 2]))[0].dtype == gg.float64
    assert gg.float_power(gg.tensor([2, 4]), 2).dtype == gg.float64
    assert gg.float_power(2, 3).item() == 8


# -------------------------------------------------------------------- what passes over NaN


def test_variance_of_a_single_number_and_of_nothing():
    x = gg.tensor([[1.0, NAN], [2.0, 4.0]], dtype=gg.float64, requires_grad=True)
    y = gg.nanstd(x, axis=1)
    same(y, [0, 1])
    y.sum().backward()
    same(x.grad, [[0, 0], [-0.5, 0.5]])


def test_integers_have_no_nan():
    x = numpy.array([1, 2, 4])
    for name in ("nanprod", "nanvar", "nanstd", "nancumsum", "nancumprod", "nanargmax"):
        same(getattr(gg, name)(gg.tensor(x)), getattr(numpy, name)(x))


def test_nothing_but_nan_has_no_largest_element(device):
    if device.is_host:
        with pytest.raises(ValueError, match="nanargmax: All-NaN slice"):
            gg.nanargmax(gg.tensor([NAN, NAN]))


# -------------------------------------------------------------------- functions known at points


def test_at_a_point_the_slope_is_that_to_its_right():
    slope = gradient_of(lambda x: gg.interp(x, [0.0, 1.0, 2.0], [0.0, 1.0, 5.0]), [-1.0, 0.0, 1.0, 1.5, 2.0, 3.0])
    numpy.testing.assert_array_equal(slope, [0, 1, 4, 4, 0, 0])


def test_what_is_outside_belongs_to_the_ends():
    values = gradient_of(lambda f: gg.interp([-1.0, 0.5, 7.0, 8.0], [0.0, 1.0], f), [3.0, 4.0])
    numpy.testing.assert_array_equal(values, [1.5, 2.5])
    values = gradient_of(lambda f: gg.interp([-1.0, 0.5, 7.0, 8.0], [0.0, 1.0], f, left=0.0, right=0.0), [3.0, 4.0])
    numpy.testing.assert_array_equal(values, [0.5, 0.5])


def test_one_point_and_equal_points():
    points, values = gradient_of(lambda p, f: gg.interp([0.0, 5.0], p, f), [2.0], [3.0])
    assert (points, values) == ([0], [2])
    same(gg.interp(gg.tensor([1.0, 2.0]), gg.tensor([0.0, 1.0, 1.0, 2.0]), gg.tensor([0.0, 1.0, 5.0, 6.0])), [5, 6])


def test_the_dtype_of_interp_is_that_of_its_arguments():
    assert gg.interp(gg.tensor([0.5]), [0, 1], [2, 3]).dtype == gg.float32
    assert gg.interp([0], [0, 1], [2, 3]).dtype == gg.float64


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda: gg.interp(gg.zeros(2), gg.zeros(3), gg.zeros(2)), r"interp: expected points .* got \(3,\) and \(2,\)"),
        (lambda: gg.interp(gg.zeros(2), gg.zeros(0), gg.zeros(0)), "interp: expected points"),
        (lambda: gg.interp(gg.zeros(2), gg.zeros(3), gg.zeros(3), period=0), "a period other than 0, got 0"),
        (lambda: gg.convolve(gg.zeros(0), gg.zeros(2)), r"convolve: expected a sequence .* got shape \(0,\)"),
        (lambda: gg.correlate(gg.zeros((2, 2)), gg.zeros(2)), "correlate: expected a sequence"),
        (lambda: gg.convolve(gg.zeros(2), gg.zeros(2), mode="all"), "expected mode 'full', 'same', 'valid', got 'all'"),
        (lambda: gg.gradient(gg.zeros(1)), "at least 2 elements along axis 0"),
        (lambda: gg.gradient(gg.zeros(2), edge_order=2), "at least 3 elements along axis 0"),
        (lambda: gg.gradient(gg.zeros(4), edge_order=3), "expected edge_order 1 or 2, got 3"),
        (lambda: gg.gradient(gg.zeros((2, 2)), 1.0, 2.0, 3.0), "expected a spacing for each of 2 axes, got 3"),
        (lambda: gg.gradient(gg.zeros(4), gg.zeros(3)), r"expected a number or 4 coordinates for axis 0, got .*\(3,\)"),
        (lambda: gg.gradient(gg.zeros(4), axis=1), "axis 1 is out of bounds"),
        (lambda: gg.trapezoid(gg.zeros(4), axis=1), "axis 1 is out of bounds"),
        (lambda: gg.cov(gg.zeros((2, 2, 2))), r"expected variables of shape \(N,\) or two axes"),
        (lambda: gg.cov(gg.zeros((2, 3)), aweights=[1.0]), "expected a weight for each of 3 observations"),
    ],
)
def test_sequences_refuse(call, text):
    with pytest.raises(ValueError, match=text):
        call()


def test_a_constant_variable_has_no_correlation():
    with numpy.errstate(all="ignore"):
        assert numpy.isnan(gg.corrcoef(gg.tensor([[1.0, 1.0], [1.0, 2.0]])).numpy()[0, 1])
    assert numpy.isnan(gg.cov(gg.tensor([[1.0]])).item())


def test_numpys_cov_keeps_the_name_of_ddof():
    x = numpy.array([1.0, 2.0, 5.0])
    same(numpy.cov(gg.tensor(x), ddof=0), numpy.cov(x, ddof=0))


def test_trapezoid_of_one_point_and_of_integers():
    assert gg.trapezoid(gg.tensor([3.0])).item() == 0
    same(gg.trapezoid(gg.tensor([1, 2, 4])), 4.5)


# -------------------------------------------------------------------- counting


def test_counts_are_constants_and_sums_of_weights_are_not():
    w = gg.tensor([1.0, 2.0, 3.0], requires_grad=True)
    y = gg.bincount(gg.tensor([0, 2, 2]), w, minlength=4)
    y.backward(gg.tensor([1.0, 2.0, 3.0, 4.0]))
    numpy.testing.assert_array_equal(w.grad.numpy(), [1, 3, 3])
    assert not gg.histogram(gg.tensor([1.0, 2.0], requires_grad=True), 2)[0].requires_grad


def test_the_last_bin_has_both_its_edges():
    x = numpy.array([0.0, 1.0, 2.0, 2.0, -0.1, 2.1, NAN])
    edges = numpy.array([0.0, 1.0, 2.0])
    same(gg.histogram(gg.tensor(x), edges)[0], [1, 3])
    same(gg.histogram(gg.tensor(x), edges, weights=numpy.arange(7.0))[0], [0, 6])


def test_histograms_are_numpys(rng):
    x, w = rng.standard_normal((2, 50))
    for options in (
        {},
        {"bins": 3},
        {"range": (-1, 1)},
        {"density": True},
        {"weights": w},
        {"density": True, "weights": w},
    ):
        given = {k: gg.tensor(v) if k == "weights" else v for k, v in options.items()}
        for ours, theirs in zip(gg.histogram(gg.tensor(x), **given), numpy.histogram(x, **options), strict=True):
            same(ours, theirs)
            assert ours.dtype == theirs.dtype


@pytest.mark.parametrize(
    ("call", "error", "text"),
    [
        (lambda: gg.bincount(gg.tensor([1.0])), TypeError, "bincount: expected integers, got float32"),
        (lambda: gg.bincount(gg.tensor([[1]])), ValueError, "bincount: expected integers of shape"),
        (lambda: gg.bincount(gg.tensor([-1])), ValueError, "bincount: .*negative"),
        (lambda: gg.bincount(gg.tensor([1]), [1.0, 2.0]), ValueError, r"expected weights of shape \(1,\), got \(2,\)"),
        (lambda: gg.histogram(gg.zeros(2), weights=[1.0]), ValueError, r"expected weights of shape \(2,\), got \(1,\)"),
    ],
)
def test_counting_refuses(call, error, text):
    with pytest.raises(error, match=text):
        call()


# -------------------------------------------------------------------- conditions


def test_what_is_not_chosen_gets_no_gradient():
    x = gg.tensor([-4.0, 4.0], requires_grad=True)
    gg.piecewise(x, [x > 0], [gg.sqrt, 0.0]).sum().backward()
    numpy.testing.assert_array_equal(x.grad.numpy(), [0, 0.25])
    assert gradient_of(lambda x: gg.select([x > 0], [x], 0.0), [-1.0, 2.0]).tolist() == [0, 1]


def test_piecewise_like_numpys():
    x = numpy.array([-2.0, -0.5, 0.5, 2.0])
    for conditions, functions in (
        (lambda x: [x < 0, x > 1], [lambda t: -t, lambda t: t * t]),
        (lambda x: [x < 0, x > -1], [1.0, 2.0]),
        (lambda x: [x < 0], [lambda t: t + 1, lambda t: t - 1]),
        (lambda x: x < 0, [3.0, 4.0]),
    ):
        same(
            gg.piecewise(gg.tensor(x), conditions(gg.tensor(x)), functions),
            numpy.piecewise(x, conditions(x), functions),
        )
    same(gg.piecewise(gg.tensor(x), [gg.tensor(x) > 0], [lambda t, a, b: a * t + b], 2, b=1), [0, 0, 2, 5])


def test_choose_out_of_bounds():
    choices = [gg.tensor([1.0, 2.0, 3.0]), gg.tensor([4.0, 5.0, 6.0])]
    for mode in ("wrap", "clip"):
        same(gg.choose(gg.tensor([-1, 1, 5]), choices, mode=mode),
             numpy.choose([-1, 1, 5], [[1, 2, 3], [4, 5, 6]], mode=mode))  # fmt: skip
    with pytest.raises(IndexError):
        gg.choose(gg.tensor([0, 0, 2]), choices)
        gg.synchronize()


def test_questions_about_values():
    a = gg.tensor([1.0, NAN])
    assert gg.array_equal(a, a) is False
    assert gg.array_equal(a, a, equal_nan=True) is True
    assert gg.array_equal([1, 2], gg.tensor([1, 2])) is True
    assert gg.array_equal(gg.zeros(2), gg.zeros(3)) is False
    assert gg.array_equiv(gg.zeros((2, 3)), gg.zeros(3)) is True
    assert gg.array_equiv(gg.zeros((2, 3)), gg.zeros(2)) is False
    assert gg.allclose(a, a) is False
    assert gg.allclose(a, a, equal_nan=True) is True
    assert gg.isclose(gg.tensor([INF, -INF]), INF).tolist() == [True, False]
    assert gg.isneginf(gg.tensor([1, 2])).tolist() == [False, False]
    assert gg.isreal(gg.tensor([1, 2])).tolist() == [True, True]
    assert gg.isscalar(numpy.float32(1)) is True
    assert gg.isscalar(numpy.ones(1)) is False
    assert gg.argwhere(gg.tensor(3.0)).shape == (1, 0)
    assert gg.flatnonzero(gg.zeros(3)).shape == (0,)


@pytest.mark.parametrize(
    ("call", "error", "text"),
    [
        (lambda: gg.select([], []), ValueError, "select: expected a choice for each condition, got 0 and 0"),
        (lambda: gg.select([gg.zeros(2) > 0], []), ValueError, "got 1 and 0"),
        (lambda: gg.piecewise(gg.zeros(2), [gg.zeros(2) > 0], []), ValueError, "expected 1 or 2 functions, got 0"),
        (lambda: gg.choose(gg.tensor([0]), [gg.zeros(1)], mode="skip"), ValueError, "expected mode .* got 'skip'"),
        (lambda: gg.compress(gg.zeros((1, 1)), gg.zeros(1)), ValueError, "compress: expected a condition of shape"),
    ],
)
def test_conditions_refuse(call, error, text):
    with pytest.raises(error, match=text):
        call()


# -------------------------------------------------------------------- put together of others


def test_inserting_at_several_places_keeps_their_order():
    x = numpy.arange(6.0)
    mask = numpy.array([True, False, True, False, False, False])
    for index, count in (([5, 1, 1], 3), ([-1, 0], 2), ([6], 1), (mask, 2)):
        values = numpy.arange(10.0, 10.0 + count)
        places = numpy.flatnonzero(index) if index is mask else index  # before 2.4 NumPy takes a mask for 0 and 1
        same(gg.insert(gg.tensor(x), index, values), numpy.insert(x, places, values))


def test_an_index_may_be_a_tensor():
    same(gg.delete(gg.tensor([1.0, 2.0, 3.0]), gg.tensor([0, 2])), [2])
    same(gg.insert(gg.tensor([1.0, 2.0]), gg.tensor(1), 5.0), [1, 5, 2])


def test_blocks_of_different_depth_and_rank():
    same(gg.block(gg.tensor([1.0])), [1])
    same(gg.block([gg.tensor(1.0), gg.tensor([2.0])]), [1, 2])
    same(gg.block([[gg.ones((1, 2))], [gg.zeros(2)]]), [[1, 1], [0, 0]])


def test_a_power_of_zero():
    numpy.testing.assert_array_equal(gradient_of(lambda x: gg.vander(x, 3), [0.0, 2.0]), [1, 5])
    same(gg.polyval([2, 0, 1], 3.0), 19)
    assert gg.polyval(gg.zeros(0), gg.ones(3)).tolist() == [0, 0, 0]
    assert gg.vander(gg.tensor([1, 2, 3])).dtype == gg.int64


def test_grids_of_powers_are_numpys():
    for arguments in ((0, 3, 4), (1.0, 2.0, 5, False), (0, 3, 4, True, 2.0)):
        same(gg.logspace(*arguments), numpy.logspace(*arguments))
    for arguments in ((1, 1000, 4), (-1000.0, -1.0, 7, False), (5.0, 5.0, 3), (8, 1, 4)):
        same(gg.geomspace(*arguments), numpy.geomspace(*arguments))
    same(gg.tri(3, 4, 1), numpy.tri(3, 4, 1))


@pytest.mark.parametrize(
    ("call", "error", "text"),
    [
        (lambda: gg.insert(gg.zeros(3), 4, 0.0), IndexError, "insert: index 4 is out of bounds for an axis of size 3"),
        (lambda: gg.delete(gg.zeros(3), 3), IndexError, "delete: index 3 is out of bounds for an axis of size 3"),
        (lambda: gg.delete(gg.zeros(3), [True]), IndexError, "delete: expected 3 booleans, got 1"),
        (lambda: gg.delete(gg.zeros(3), 0, axis=1), ValueError, "delete: axis 1 is out of bounds"),
        (lambda: gg.block([[gg.zeros(1)], gg.zeros(1)]), ValueError, "block: expected lists of tensors that are all"),
        (lambda: gg.apply_along_axis(gg.sum, 0, gg.zeros((2, 0))), ValueError, "expected at least one vector"),
        (lambda: gg.apply_along_axis(gg.sum, 1, gg.zeros(2)), ValueError, "apply_along_axis: axis 1 is out of bounds"),
        (lambda: gg.block([]), ValueError, "block: expected"),
        (lambda: gg.fliplr(gg.zeros(3)), ValueError, "fliplr: expected at least two axes"),
        (lambda: gg.flipud(gg.zeros(())), ValueError, "flipud: expected at least one axis"),
        (lambda: gg.rollaxis(gg.zeros((2, 2)), 0, 3), ValueError, "rollaxis: start 3 is out of bounds for 2 axes"),
        (lambda: gg.vander(gg.zeros((2, 2))), ValueError, "vander: expected shape"),
        (lambda: gg.polyval(gg.zeros((2, 2)), 1.0), ValueError, "polyval: expected coefficients of shape"),
        (lambda: gg.geomspace(-1, 1), ValueError, "geomspace: expected two numbers of one sign and not 0"),
    ],
)
def test_editing_refuses(call, error, text):
    with pytest.raises(error, match=text):
        call()


# -------------------------------------------------------------------- borders


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"mode": "maximum", "stat_length": 0}, "expected a stat_length of at least 1, got 0"),
        ({"mode": "reflect", "reflect_type": "strange"}, "expected reflect_type 'even' or 'odd', got 'strange'"),
        ({"mode": "strange"}, "expected mode 'constant', .* got 'strange'"),
    ],
)
def test_borders_refuse(options, text):
    with pytest.raises(ValueError, match=text):
        gg.pad(gg.zeros(3), 1, **options)


@pytest.mark.parametrize("mode", ["linear_ramp", "mean", "median", "maximum"])
def test_borders_of_integers_are_integers(mode):
    x = numpy.array([[1, 4], [6, 7]])
    y = gg.pad(gg.tensor(x), 3, mode=mode)
    assert y.dtype == gg.int64
    numpy.testing.assert_array_equal(y.numpy(), numpy.pad(x, 3, mode=mode))


def test_every_mode_of_numpys_on_wide_borders(rng):
    x = rng.standard_normal((3, 1, 4))
    for mode in ("edge", "reflect", "symmetric", "wrap", "linear_ramp", "maximum", "mean", "median", "minimum"):
        for kind in ("even", "odd") if mode in ("reflect", "symmetric") else ("",):
            options = {"reflect_type": kind} if kind else {}
            widths = ((13, 8), (2, 3), (0, 17))
            same(
                gg.pad(gg.tensor(x), widths, mode=mode, **options),
                numpy.pad(x, widths, mode=mode, **options),
                atol=1e-12,
            )


# -------------------------------------------------------------------- precision


PRECISE = {
    "geomspace": lambda s, t: numpy.geomspace(s, 9.1, 4),
    "geomspace, the other bound": lambda s, t: numpy.geomspace(0.3, s, 7, endpoint=False),
    "geomspace, both bounds": lambda s, t: numpy.geomspace(s, 5 * s, 6),
    "logspace": lambda s, t: numpy.logspace(0.1, s, 4),
    "logspace, the base": lambda s, t: numpy.logspace(0.1, 0.7, 4, base=s),
    "linspace": lambda s, t: numpy.linspace(0.1, s, 4),
    "linspace beside a list": lambda s, t: numpy.linspace([0.1, 0.3], s, 3),
    "choose": lambda s, t: numpy.choose([0, 1, 0], [t, 0.1]),
    "vander": lambda s, t: numpy.vander(t, 4),
    "interp": lambda s, t: numpy.interp(t, [0.1, 0.7, 1.3], [0.3, 0.9, 0.1], left=0.1),
    "average": lambda s, t: numpy.average([0.1, 0.2, 0.3], weights=t),
}


@pytest.mark.parametrize("name", PRECISE)
def test_numbers_beside_a_tensor_are_as_precise_as_it(name):
    scalar, vector = numpy.float64(1.37), numpy.array([0.4, 1.1, 2.3])
    expected = PRECISE[name](scalar, vector)
    y = PRECISE[name](gg.tensor(scalar), gg.tensor(vector))
    assert y.dtype == expected.dtype
    numpy.testing.assert_allclose(y.numpy(), expected, rtol=2e-15)
    y = PRECISE[name](gg.tensor(1.37), gg.tensor(vector, dtype=gg.float32))
    assert y.dtype == gg.float32


def test_spaced_powers_in_a_dtype():
    whole = gg.geomspace(1, 256, 9, dtype=gg.int64)
    assert (whole.dtype, whole.tolist()) == (gg.int64, [1, 2, 4, 8, 16, 32, 64, 128, 256])
    numpy.testing.assert_allclose(
        gg.logspace(0.1, 0.7, 3, dtype=gg.float64).numpy(), numpy.logspace(0.1, 0.7, 3), rtol=2e-15
    )


# -------------------------------------------------------------------- names


@pytest.mark.parametrize(
    ("name", "of"),
    [
        ("absolute", "abs"), ("power", "pow"), ("true_divide", "divide"), ("mod", "remainder"),
        ("invert", "bitwise_invert"), ("left_shift", "bitwise_left_shift"), ("conjugate", "conj"), ("around", "round"),
        ("concatenate", "concat"), ("radians", "deg2rad"), ("degrees", "rad2deg"), ("fix", "trunc"),
    ],
)  # fmt: skip
def test_numpys_other_names(name, of):
    assert getattr(gg, name) is getattr(gg, of)


def test_amax_and_amin_give_values_alone():
    """``max`` and ``min`` take PyTorch's ``dim`` as well, and give indices then."""
    x = gg.tensor([[1.0, 3.0], [4.0, 2.0]])
    assert (gg.amax(x, axis=1).tolist(), gg.amin(x, axis=1).tolist()) == ([3, 4], [1, 2])
    assert (gg.max(x, axis=1).tolist(), gg.min(x, axis=1).tolist()) == ([3, 4], [1, 2])
