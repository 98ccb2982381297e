"""Pooling, folding and shuffling against PyTorch: values, indices, gradients, ties, sizes, and what is refused."""

import numpy
import pytest

import gpugrad as gg
from gpugrad import nn
from gpugrad.kernels import pooling as kernels
from gpugrad.nn import functional as F

inf, nan = numpy.inf, numpy.nan
TOLERANCE = {"float64": 1e-9, "float32": 1e-5}

# name, shape, arguments after the input
FUNCTIONS = [
    ("max_pool1d", (2, 3, 7), {"kernel_size": 2}),
    ("max_pool1d", (3, 7), {"kernel_size": 3, "stride": 2, "padding": 1, "return_indices": True}),
    ("max_pool2d", (2, 3, 4, 6), {"kernel_size": 2, "return_indices": True}),
    ("max_pool2d", (2, 3, 5, 7), {"kernel_size": 3, "stride": 2, "padding": 1, "return_indices": True}),
    ("max_pool2d", (3, 5, 7), {"kernel_size": (2, 3), "stride": (3, 1), "dilation": (1, 2), "return_indices": True}),
    ("max_pool2d", (1, 1, 5, 4), {"kernel_size": 2, "stride": 3, "ceil_mode": True, "return_indices": True}),
    ("max_pool2d", (1, 2, 17, 17), {"kernel_size": 16, "padding": 8, "return_indices": True}),
    ("max_pool2d", (0, 2, 4, 4), {"kernel_size": 2}),
    ("max_pool3d", (2, 1, 4, 3, 5), {"kernel_size": 2, "stride": 1, "padding": 1, "return_indices": True}),
    ("max_pool3d", (2, 4, 4, 4), {"kernel_size": (1, 2, 3), "ceil_mode": True}),
    ("avg_pool1d", (2, 3, 7), {"kernel_size": 2}),
    ("avg_pool1d", (3, 7), {"kernel_size": 3, "stride": 2, "padding": 1, "count_include_pad": False}),
    ("avg_pool2d", (2, 3, 4, 6), {"kernel_size": 2}),
    ("avg_pool2d", (2, 3, 5, 7), {"kernel_size": 3, "stride": 2, "padding": 1}),
    ("avg_pool2d", (3, 5, 7), {"kernel_size": (3, 2), "stride": 1, "padding": (1, 0), "count_include_pad": False}),
    ("avg_pool2d", (2, 1, 5, 5), {"kernel_size": 2, "padding": 1, "ceil_mode": True}),
    ("avg_pool2d", (2, 1, 5, 5), {"kernel_size": 4, "stride": 3, "ceil_mode": True, "count_include_pad": False}),
    ("avg_pool2d", (2, 1, 5, 5), {"kernel_size": 2, "divisor_override": 3}),
    ("avg_pool3d", (1, 2, 4, 3, 5), {"kernel_size": 2, "stride": 1, "padding": 1, "ceil_mode": True}),
    ("avg_pool3d", (2, 4, 4, 4), {"kernel_size": (1, 2, 3), "divisor_override": -2}),
    ("lp_pool1d", (2, 3, 7), {"norm_type": 2, "kernel_size": 3, "stride": 2}),
    ("lp_pool2d", (2, 3, 4, 5), {"norm_type": 1.5, "kernel_size": 2, "ceil_mode": True}),
    ("lp_pool2d", (3, 4, 5), {"norm_type": 1, "kernel_size": (1, 3)}),
    ("lp_pool3d", (1, 2, 4, 4, 4), {"norm_type": 3, "kernel_size": 2}),
    ("adaptive_avg_pool1d", (2, 3, 7), {"output_size": 3}),
    ("adaptive_avg_pool2d", (2, 3, 5, 7), {"output_size": (3, None)}),
    ("adaptive_avg_pool2d", (2, 3, 6, 4), {"output_size": (3, 2)}),
    ("adaptive_avg_pool2d", (3, 2, 3), {"output_size": (5, 3)}),
    ("adaptive_avg_pool2d", (2, 3, 5, 4), {"output_size": 1}),
    ("adaptive_avg_pool3d", (1, 2, 3, 4, 5), {"output_size": (2, 4, 3)}),
    ("adaptive_max_pool1d", (2, 3, 7), {"output_size": 3, "return_indices": True}),
    ("adaptive_max_pool2d", (2, 3, 5, 7), {"output_size": (3, None), "return_indices": True}),
    ("adaptive_max_pool2d", (2, 3, 6, 4), {"output_size": (3, 2), "return_indices": True}),
    ("adaptive_max_pool2d", (0, 3, 5, 4), {"output_size": 2}),
    ("adaptive_max_pool3d", (2, 3, 4, 5), {"output_size": (2, 5, 3), "return_indices": True}),
    ("unfold", (2, 3, 4, 5), {"kernel_size": (2, 3)}),
    ("unfold", (3, 6, 5), {"kernel_size": 2, "dilation": 2, "padding": (1, 0), "stride": (2, 1)}),
    ("fold", (2, 18, 4), {"output_size": (3, 4), "kernel_size": (2, 3)}),
    ("fold", (8, 3), {"output_size": (5, 3), "kernel_size": 2, "dilation": (2, 1), "padding": (1, 0), "stride": 2}),
    ("pixel_shuffle", (2, 8, 3, 2), {"upscale_factor": 2}),
    ("pixel_shuffle", (9, 1, 2), {"upscale_factor": 3}),
    ("pixel_unshuffle", (2, 1, 2, 4, 6), {"downscale_factor": 2}),
]  # fmt: skip
functions = pytest.mark.parametrize(("name", "shape", "options"), FUNCTIONS)


def data(rng, name, shape, dtype="float64"):
    """Numbers, positive for norms; for maxima many equal ones."""
    if "max" in name:
        return rng.integers(0, 3, shape).astype(dtype)
    return (rng.uniform(0.5, 2, shape) if "lp" in name else rng.standard_normal(shape)).astype(dtype)


def against_pytorch(torch, ours, theirs, array, rng, tolerance):
    """The value, the indices if there are any, and the gradient, for a random one of the result."""
    x, t = gg.tensor(array, requires_grad=True), torch.tensor(array, requires_grad=True)
    y, e = ours(x), theirs(t)
    if isinstance(e, tuple):
        numpy.testing.assert_array_equal(y[1].numpy(), e[1].numpy())
        assert (y[1].dtype, y[1].requires_grad) == (gg.int64, False)
        y, e = y[0], e[0]
    g = rng.standard_normal(y.shape).astype(y.dtype)
    y.backward(gg.tensor(g))
    e.backward(torch.tensor(g))
    assert (y.shape, y.dtype) == (tuple(e.shape), array.dtype)
    numpy.testing.assert_allclose(y.numpy(), e.detach().numpy(), rtol=tolerance, atol=tolerance)
    numpy.testing.assert_allclose(x.grad.numpy(), t.grad.numpy(), rtol=tolerance, atol=tolerance)
    numpy.testing.assert_array_equal(x.detach().numpy(), array)


@pytest.mark.parametrize("dtype", TOLERANCE)
@functions
def test_functions_against_pytorch(name, shape, options, dtype, rng):
    torch = pytest.importorskip("torch", reason="PyTorch is the oracle of this test")
    ours, theirs = getattr(F, name), getattr(torch.nn.functional, name)
    array = data(rng, name, shape, dtype)
    against_pytorch(torch, lambda x: ours(x, **options), lambda x: theirs(x, **options), array, rng, TOLERANCE[dtype])


SMALL = [case for case in FUNCTIONS if 0 < numpy.prod(case[1]) <= 90]


@pytest.mark.parametrize(("name", "shape", "options"), SMALL)
def test_differences(name, shape, options, rng):
    values = rng.permutation(int(numpy.prod(shape))) * 0.1 + 0.5  # no ties
    options = {key: value for key, value in options.items() if key != "return_indices"}
    assert gg.gradcheck(lambda x: getattr(F, name)(x, **options), gg.tensor(values.reshape(shape)))
    assert gg.gradgradcheck(lambda x: getattr(F, name)(x, **options) ** 2, gg.tensor(values.reshape(shape)))


@pytest.mark.parametrize("name", ["max_pool2d", "avg_pool2d"])
def test_parts_of_an_array_give_the_same(name, rng, monkeypatch):
    x = gg.tensor(rng.standard_normal((3, 5, 6, 7)), requires_grad=True)
    results = []
    for size in (2**19, 6 * 7 * 8 * 4, 1):
        monkeypatch.setattr(kernels, "HOST_BYTES", size)
        y = getattr(F, name)(x, 3, 2, 1)
        x.grad = None
        (y * y).sum().backward()
        results.append((y.numpy(), x.grad.numpy()))
    for y, g in results[1:]:
        numpy.testing.assert_array_equal(y, results[0][0])
        numpy.testing.assert_array_equal(g, results[0][1])


# -------------------------------------------------------------------- corners


def test_the_first_of_equal_maxima_gets_the_whole_gradient():
    x = gg.ones((1, 1, 4, 4)).requires_grad_()
    F.max_pool2d(x, 2).sum().backward()
    assert x.grad[0, 0].tolist() == [[1, 0, 1, 0], [0, 0, 0, 0], [1, 0, 1, 0], [0, 0, 0, 0]]
    x = gg.ones((1, 1, 3)).requires_grad_()
    F.max_pool1d(x, 2, stride=1).sum().backward()
    assert x.grad.tolist() == [[[1, 1, 0]]]
    x = gg.ones((1, 1, 3)).requires_grad_()
    F.adaptive_max_pool1d(x, 2).sum().backward()
    assert x.grad.tolist() == [[[1, 1, 0]]]


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_infinities_and_nan_stay_in_their_window(dtype):
    x = gg.tensor([[[-inf, -inf, 1.0, inf, 0.0, nan, 2.0, 3.0]]], dtype=dtype).requires_grad_()
    y = F.max_pool1d(x, 2)
    numpy.testing.assert_array_equal(y.numpy(), [[[-inf, inf, nan, 3]]])
    y.backward(gg.tensor([[[1.0, inf, 5.0, nan]]], dtype=dtype))
    numpy.testing.assert_array_equal(x.grad.numpy(), [[[1, 0, 0, inf, 5, 0, 0, nan]]])


def test_integers_have_maxima_but_no_averages():
    x = gg.tensor([[[-5, -7, -2, -9]]])
    y, where = F.max_pool1d(x, 3, 2, 1, return_indices=True)
    assert (y.tolist(), where.tolist(), y.dtype) == ([[[-5, -2]]], [[[0, 2]]], gg.int64)
    for call in (lambda: F.avg_pool1d(x, 2), lambda: F.lp_pool1d(x, 2, 2), lambda: F.adaptive_avg_pool1d(x, 2)):
        with pytest.raises(TypeError, match="pool1d: expected a floating-point input, got int64"):
            call()


def test_a_norm_of_nothing_but_zeros_has_no_slope():
    x = gg.zeros((1, 1, 4)).requires_grad_()
    F.lp_pool1d(x, 2, 2).sum().backward()
    assert x.grad.tolist() == [[[0, 0, 0, 0]]]


def test_a_large_window_over_many_offsets(rng):
    """More than 255 offsets: their numbers need more than a byte."""
    torch = pytest.importorskip("torch", reason="PyTorch is the oracle of this test")
    x = rng.standard_normal((1, 2, 40, 20))
    for kernel in ((15, 17), (16, 16), (17, 16)):
        against_pytorch(
            torch, lambda x, k=kernel: F.max_pool2d(x, k, 7, return_indices=True),
            lambda x, k=kernel: torch.nn.functional.max_pool2d(x, k, 7, return_indices=True), x, rng, 1e-9,
        )  # fmt: skip


UNPOOLED = [
    ("1d", (2, 3, 6), {"kernel_size": 2}, None),
    ("1d", (3, 7), {"kernel_size": 2}, (7,)),
    ("2d", (2, 3, 5, 6), {"kernel_size": (2, 3), "stride": (2, 3)}, (2, 3, 5, 6)),
    ("2d", (1, 2, 5, 5), {"kernel_size": 2, "stride": 2, "padding": 1}, (5, 5)),
    ("3d", (2, 4, 4, 2), {"kernel_size": 2}, None),
]


@pytest.mark.parametrize(("axes", "shape", "options", "size"), UNPOOLED)
def test_maxima_back_in_their_places(axes, shape, options, size, rng):
    torch = pytest.importorskip("torch", reason="PyTorch is the oracle of this test")
    x = torch.tensor(rng.permutation(int(numpy.prod(shape))).reshape(shape) + 0.5)
    y, at = getattr(torch.nn.functional, f"max_pool{axes}")(x, **options, return_indices=True)
    where = gg.tensor(at.numpy())
    for ours, theirs in (
        (getattr(F, f"max_unpool{axes}"), getattr(torch.nn.functional, f"max_unpool{axes}")),
        (getattr(nn, f"MaxUnpool{axes}")(**options), getattr(torch.nn, f"MaxUnpool{axes}")(**options)),
    ):
        more = {} if isinstance(ours, nn.Module) else options
        against_pytorch(
            torch, lambda v, f=ours, m=more: f(v, where, **m, output_size=size),
            lambda v, f=theirs, m=more: f(v, at, **m, output_size=size), y.numpy(), rng, 1e-9,
        )  # fmt: skip
    assert repr(ours) == repr(theirs)
    assert gg.gradgradcheck(lambda v: F.__dict__[f"max_unpool{axes}"](v, where, **options, output_size=size) ** 2,
                            gg.tensor(y.numpy()))  # fmt: skip


def test_unpooling_refuses():
    y, at = gg.ones((1, 2)), gg.tensor([[0, 3]])
    with pytest.raises(
        ValueError, match=r"max_unpool1d: expected indices of the shape of the input, \(1, 2\), got \(2,\)"
    ):
        F.max_unpool1d(y, at[0], 2)
    with pytest.raises(
        ValueError, match=r"expected an output_size less than the stride \(2,\) from \(4,\), got \(7,\)"
    ):
        F.max_unpool1d(y, at, 2, output_size=(7,))
    with pytest.raises(IndexError, match="index 4 is out of bounds"):
        F.max_unpool1d(y, at + 1, 2)
        gg.synchronize()


def test_shuffling_there_and_back(rng):
    x = gg.tensor(rng.standard_normal((2, 12, 3, 4)))
    assert (F.pixel_unshuffle(F.pixel_shuffle(x, 2), 2) == x).all()


def test_folding_counts_how_often_a_place_is_seen(rng):
    x = gg.tensor(rng.standard_normal((2, 3, 5, 6)))
    options = {"kernel_size": 3, "padding": 1, "stride": 2}
    seen = F.fold(F.unfold(gg.ones_like(x), **options), (5, 6), **options)
    back = F.fold(F.unfold(x, **options), (5, 6), **options)
    numpy.testing.assert_allclose(back.numpy(), (x * seen).numpy(), rtol=1e-12)


WRONG = [
    (lambda: F.max_pool2d(gg.ones((4, 4)), 2),
     r"max_pool2d: expected an input of shape \(N, C, H, W\) or \(C, H, W\), got \(4, 4\)"),
    (lambda: F.max_pool1d(gg.ones((1, 4)), 0), "expected kernel_size as an integer of at least 1, got 0"),
    (lambda: F.max_pool1d(gg.ones((1, 4)), 2, stride=0), "max_pool1d: expected stride as an integer of at least 1"),
    (lambda: F.max_pool2d(gg.ones((1, 4, 4)), 2, dilation=(1, 2, 3)), "max_pool2d: expected dilation as one or 2"),
    (lambda: F.max_pool2d(gg.ones((1, 4, 4)), 3, padding=2),
     r"max_pool2d: expected padding of at most half the window \(3, 3\), got \(2, 2\)"),
    (lambda: F.avg_pool2d(gg.ones((1, 4, 4)), 5),
     r"avg_pool2d: expected an input of at least the size of the window \(5, 5\), got \(4, 4\), padded \(4, 4\)"),
    (lambda: F.avg_pool2d(gg.ones((1, 4, 4)), 2, divisor_override=0),
     "avg_pool2d: expected a divisor_override other than 0, got 0"),
    (lambda: F.lp_pool2d(gg.ones((1, 4, 4)), 0, 2), "lp_pool2d: expected a norm_type other than 0, got 0"),
    (lambda: F.adaptive_avg_pool2d(gg.ones((1, 4, 4)), (1, 2, 3)),
     r"adaptive_avg_pool2d: expected output_size as one or 2 integers or None, got \(1, 2, 3\)"),
    (lambda: F.adaptive_max_pool2d(gg.ones((1, 4, 4)), 0), "adaptive_max_pool2d: expected output_size as one or 2"),
    (lambda: F.adaptive_max_pool2d(gg.ones((1, 4, 0)), 2),
     r"adaptive_max_pool2d: expected an input with elements in each channel, got shape \(1, 1, 4, 0\)"),
    (lambda: F.unfold(gg.ones((1, 4, 4)), 5), r"unfold: expected an input of at least the size of the window \(5, 5\)"),
    (lambda: F.unfold(gg.ones((4, 4)), 2), r"unfold: expected an input of shape \(N, C, H, W\) or \(C, H, W\)"),
    (lambda: F.fold(gg.ones((1, 5, 9)), (4, 4), 2),
     r"fold: expected an input of shape \(N, C \* 4, 9\) for this output_size, got \(1, 5, 9\)"),
    (lambda: F.fold(gg.ones(4), (4, 4), 2), r"fold: expected an input of shape \(N, C kH kW, L\) or \(C kH kW, L\)"),
    (lambda: F.pixel_shuffle(gg.ones((6, 2, 2)), 2),
     r"pixel_shuffle: expected shape \(..., C 2\^2, H, W\) for upscale_factor=2, got \(6, 2, 2\)"),
    (lambda: F.pixel_unshuffle(gg.ones((1, 4, 5)), 2),
     r"pixel_unshuffle: expected shape \(..., C, H 2, W 2\) for downscale_factor=2, got \(1, 4, 5\)"),
]  # fmt: skip


@pytest.mark.parametrize(("call", "message"), WRONG)
def test_wrong_arguments_are_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_sizes_are_integers():
    with pytest.raises(TypeError, match=r"expected kernel_size as an integer or one for each axis, got 2\.5"):
        F.max_pool2d(gg.ones((1, 4, 4)), 2.5)
    with pytest.raises(TypeError, match=r"expected output_size as an integer or one for each axis"):
        F.adaptive_avg_pool2d(gg.ones((1, 4, 4)), 2.5)


# -------------------------------------------------------------------- layers

LAYERS = [  # what makes the layer in either library, shape of the input
    (lambda nn: nn.MaxPool1d(3, 2, 1), (2, 3, 7)),
    (lambda nn: nn.MaxPool2d(2, return_indices=True), (2, 3, 4, 4)),
    (lambda nn: nn.MaxPool2d((2, 3), stride=1, padding=1, dilation=(2, 1), ceil_mode=True), (3, 5, 5)),
    (lambda nn: nn.MaxPool3d(2), (2, 4, 4, 4)),
    (lambda nn: nn.AvgPool1d(2), (2, 3, 5)),
    (lambda nn: nn.AvgPool1d(3, stride=1, padding=1, count_include_pad=False), (2, 3, 5)),
    (lambda nn: nn.AvgPool2d(3, 2, 1, True, False), (2, 3, 6, 5)),
    (lambda nn: nn.AvgPool2d((2, 1), divisor_override=5), (3, 6, 5)),
    (lambda nn: nn.AvgPool3d(2), (2, 3, 4, 4, 4)),
    (lambda nn: nn.LPPool1d(2, 3), (2, 3, 7)),
    (lambda nn: nn.LPPool2d(3, (2, 1), stride=1, ceil_mode=True), (3, 4, 4)),
    (lambda nn: nn.LPPool3d(2, 2), (2, 4, 4, 4)),
    (lambda nn: nn.AdaptiveAvgPool1d(3), (2, 3, 7)),
    (lambda nn: nn.AdaptiveAvgPool2d((2, None)), (2, 3, 5, 4)),
    (lambda nn: nn.AdaptiveAvgPool3d(2), (3, 5, 4, 3)),
    (lambda nn: nn.AdaptiveMaxPool1d(3, return_indices=True), (2, 3, 7)),
    (lambda nn: nn.AdaptiveMaxPool2d((None, 3)), (2, 3, 5, 4)),
    (lambda nn: nn.AdaptiveMaxPool3d(2), (3, 5, 4, 3)),
    (lambda nn: nn.Unfold(3, dilation=1, padding=1, stride=2), (2, 3, 5, 4)),
    (lambda nn: nn.Fold((4, 5), kernel_size=(2, 2)), (2, 8, 12)),
    (lambda nn: nn.PixelShuffle(2), (2, 4, 2, 2)),
    (lambda nn: nn.PixelUnshuffle(2), (2, 1, 4, 4)),
]


@pytest.mark.parametrize(("make", "shape"), LAYERS, ids=lambda v: None if callable(v) else str(v))
def test_layers_against_pytorch(make, shape, rng):
    torch = pytest.importorskip("torch", reason="PyTorch is the oracle of this test")
    theirs, ours = make(torch.nn), make(nn)
    assert repr(ours) == repr(theirs)
    assert not ours.state_dict()
    against_pytorch(torch, ours, theirs, data(rng, type(ours).__name__.lower(), shape), rng, 1e-9)
