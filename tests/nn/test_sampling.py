"""Images of other sizes and at other places, against PyTorch, and what is refused."""

import inspect

import numpy
import pytest

import gpugrad as gg
from gpugrad import nn
from gpugrad.nn import functional as F

TOLERANCE = {"float64": 1e-9, "float32": 1e-5}
dtypes = pytest.mark.parametrize("dtype", TOLERANCE)

SHAPES = {"nearest": [(2, 1, 7), (2, 1, 5, 6), (1, 1, 3, 4, 5)], "nearest-exact": [(2, 1, 7), (1, 2, 5, 6)],
          "area": [(2, 1, 7), (1, 2, 5, 6)], "linear": [(2, 1, 7)], "bilinear": [(1, 2, 5, 6)],
          "trilinear": [(1, 1, 3, 4, 5)], "bicubic": [(1, 2, 5, 6)]}  # fmt: skip
HOW = [{"size": (4, 9, 3)}, {"size": 1}, {"scale_factor": 2}, {"scale_factor": (0.6, 2.3, 1.5)},
       {"scale_factor": 1.7, "recompute_scale_factor": True}]  # fmt: skip


def sizes():
    for mode, shapes in SHAPES.items():
        for shape in shapes:
            for how in HOW:
                options = {k: v[: len(shape) - 2] if isinstance(v, tuple) else v for k, v in how.items()}
                corners = [None] if mode in ("nearest", "nearest-exact", "area") else [False, True]
                for align_corners in corners:
                    yield shape, {**options, "mode": mode, "align_corners": align_corners}
                    if mode in ("bilinear", "bicubic"):
                        yield shape, {**options, "mode": mode, "align_corners": align_corners, "antialias": True}


def compare(ours, theirs, data, dtype, rng):
    """Value, gradients, and second derivatives where PyTorch has them."""
    torch = pytest.importorskip("torch", reason="PyTorch is the oracle of this test")
    data = [numpy.asarray(a, dtype) for a in data]
    xs, ts = [gg.tensor(a, requires_grad=True) for a in data], [torch.tensor(a, requires_grad=True) for a in data]
    y, e = ours(*xs), theirs(*ts)
    tolerance = TOLERANCE[dtype]

    def close(a, b, scale=1):
        numpy.testing.assert_allclose(a.numpy(), b.numpy(force=True), rtol=scale * tolerance, atol=scale * tolerance)

    assert y.shape == tuple(e.shape)
    assert y.dtype == dtype
    close(y, e)
    g = numpy.asarray(rng.standard_normal(e.shape), dtype)
    y.backward(gg.tensor(g))
    first = torch.autograd.grad(e, ts, torch.tensor(g), allow_unused=True, materialize_grads=True)
    for x, b in zip(xs, first, strict=True):
        close(gg.zeros_like(x) if x.grad is None else x.grad, b, 3)


@pytest.mark.parametrize(
    ("shape", "options", "dtype"), [*((*c, "float64") for c in sizes()), *((*c, "float32") for c in [*sizes()][::5])],
    ids=str,
)  # fmt: skip
def test_sizes_against_pytorch(shape, options, dtype, rng):
    torch = pytest.importorskip("torch", reason="PyTorch is the oracle of this test")
    theirs = torch.nn.functional.interpolate
    compare(lambda x: F.interpolate(x, **options), lambda t: theirs(t, **options), [rng.standard_normal(shape)],
            dtype, rng)  # fmt: skip


@pytest.mark.parametrize("options", [
    {"scale_factor": 2}, {"size": (4, 9), "mode": "bilinear"}, {"size": (3, 9), "mode": "bicubic", "antialias": True},
    {"size": (3, 2), "mode": "area"},
])  # fmt: skip
def test_sizes_by_differences(options, rng):
    x = gg.tensor(rng.standard_normal((1, 2, 5, 6)))
    assert gg.gradcheck(lambda x: F.interpolate(x, **options), x)
    assert gg.gradgradcheck(lambda x: F.interpolate(x * x, **options), x)


@pytest.mark.parametrize(("name", "options"), [
    ("Upsample", {"size": (3, 4)}), ("Upsample", {"scale_factor": 2, "mode": "bicubic", "align_corners": True}),
    ("Upsample", {"scale_factor": (2, 1.5), "recompute_scale_factor": True}), ("UpsamplingNearest2d", {"size": 7}),
    ("UpsamplingBilinear2d", {"scale_factor": 3}), ("ChannelShuffle", {"groups": 3}), ("ChannelShuffle", {"groups": 2}),
])  # fmt: skip
def test_modules_against_pytorch(name, options, rng):
    torch = pytest.importorskip("torch", reason="PyTorch is the oracle of this test")
    ours, theirs = getattr(nn, name)(**options), getattr(torch.nn, name)(**options)
    assert repr(ours) == repr(theirs)
    compare(ours, theirs, [rng.standard_normal((2, 6, 3, 4))], "float64", rng)


def test_integers_have_neighbours():
    image = gg.tensor([[[[1, 2], [3, 4]]]], dtype=gg.uint8)
    assert F.interpolate(image, scale_factor=2).dtype == gg.uint8
    assert F.interpolate(image, scale_factor=2)[0, 0, 0].tolist() == [1, 1, 2, 2]


def test_one_bad_pixel_spoils_only_its_neighbours():
    x = gg.tensor([[[1.0, 2.0, 3.0, numpy.nan]]])
    y = F.interpolate(x, size=8, mode="linear").numpy()[0, 0]
    assert numpy.isfinite(y[:5]).all()


# -------------------------------------------------------------------- grids

GRIDS = [((2, 2, 5, 6), (2, 4, 3, 2)), ((1, 2, 1, 1), (1, 3, 3, 2)), ((2, 1, 3, 4, 5), (2, 2, 3, 2, 3))]
corners = pytest.mark.parametrize("align_corners", [False, True])
paddings = pytest.mark.parametrize("padding", ["zeros", "border", "reflection"])


@dtypes
@corners
@paddings
@pytest.mark.parametrize("mode", ["bilinear", "nearest", "bicubic"])
@pytest.mark.parametrize(("shape", "places"), GRIDS)
def test_grids_against_pytorch(shape, places, mode, padding, align_corners, dtype, rng):
    torch = pytest.importorskip("torch", reason="PyTorch is the oracle of this test")
    if mode == "bicubic" and len(shape) == 5:
        pytest.skip("bicubic sampling is of images, not of volumes")
    options = {"mode": mode, "padding_mode": padding, "align_corners": align_corners}
    compare(lambda x, g: F.grid_sample(x, g, **options),
            lambda x, g: torch.nn.functional.grid_sample(x, g, **options),
            [rng.standard_normal(shape), 1.5 * rng.standard_normal(places)], dtype, rng)  # fmt: skip


@corners
@paddings
@pytest.mark.parametrize("mode", ["bilinear", "bicubic"])
def test_grids_by_differences(mode, padding, align_corners, rng):
    x, grid = gg.tensor(rng.standard_normal((1, 1, 3, 4))), gg.tensor(1.3 * rng.standard_normal((1, 2, 2, 2)))
    assert gg.gradcheck(lambda x, g: F.grid_sample(x, g, mode, padding, align_corners), [x, grid])
    assert gg.gradgradcheck(lambda x, g: F.grid_sample(x, g, mode, padding, align_corners), [x, grid])


one_place = pytest.mark.filterwarnings("ignore:Since version 1.3.0")  # of PyTorch, about axes of size 1


@one_place
@corners
@paddings
@pytest.mark.parametrize("size", [(2, 3, 4, 8), (2, 1, 2, 1, 4)])
def test_the_identity_leaves_an_image_alone(size, padding, align_corners, rng):
    """And its gradient at the border is PyTorch's."""
    torch = pytest.importorskip("torch", reason="PyTorch is the oracle of this test")
    d = len(size) - 2
    theta = numpy.stack([numpy.eye(d, d + 1)] * 2)
    options = {"padding_mode": padding, "align_corners": align_corners}
    other = torch.nn.functional
    image = rng.standard_normal(size)
    compare(lambda x, t: F.grid_sample(x, F.affine_grid(t, size, align_corners), **options),
            lambda x, t: other.grid_sample(x, other.affine_grid(t, size, align_corners), **options),
            [image, theta], "float64", rng)  # fmt: skip
    y = F.grid_sample(gg.tensor(image), F.affine_grid(gg.tensor(theta), size, align_corners), **options)
    numpy.testing.assert_allclose(y.numpy(), image, atol=1e-12)


@one_place
@dtypes
@corners
@pytest.mark.parametrize("size", [(2, 3, 4, 5), (2, 1, 2, 1, 3)])
def test_affine_grids_against_pytorch(size, align_corners, dtype, rng):
    torch = pytest.importorskip("torch", reason="PyTorch is the oracle of this test")
    d = len(size) - 2
    compare(lambda t: F.affine_grid(t, size, align_corners),
            lambda t: torch.nn.functional.affine_grid(t, size, align_corners),
            [rng.standard_normal((2, d, d + 1))], dtype, rng)  # fmt: skip


@paddings
@pytest.mark.parametrize("mode", ["bilinear", "nearest", "bicubic"])
def test_places_that_are_none_or_far_away(mode, padding):
    x = gg.tensor([[[[1.0, 2.0], [3.0, 4.0]]]])
    grid = gg.tensor([[[[numpy.nan, -1.0], [1e30, 1e30], [-1e30, 0.0]]]])
    y = F.grid_sample(x, grid, mode, padding, True).numpy()[0, 0, 0]
    assert numpy.isfinite(y).all()
    assert y[0] == 1
    if padding == "zeros":
        assert y[1] == y[2] == 0


@pytest.mark.parametrize("name", ["interpolate", "grid_sample", "affine_grid", "pad"])
def test_arguments_are_pytorchs(name):
    torch = pytest.importorskip("torch", reason="PyTorch is the oracle of this test")
    theirs = inspect.signature(getattr(torch.nn.functional, name)).parameters
    ours = inspect.signature(getattr(F, name)).parameters
    assert list(ours) == list(theirs)
    assert all(ours[n].default == theirs[n].default for n in ours)


REFUSED = [
    (lambda x: F.interpolate(x, size=2, mode="cubic"), "expected mode 'nearest', .* got 'cubic'"),
    (lambda x: F.interpolate(x, size=2, mode="linear"), r"mode 'linear' is for \(1,\) inner axes, got shape \(1, 1, 2"),
    (lambda x: F.interpolate(x), "either size or scale_factor, got None and None"),
    (lambda x: F.interpolate(x, size=2, scale_factor=2), "either size or scale_factor, got 2 and 2"),
    (lambda x: F.interpolate(x, size=(2, 3, 4)), r"a size for each of 2 axes, got \(2, 3, 4\)"),
    (lambda x: F.interpolate(x, scale_factor=(2.0,)), r"a scale_factor for each of 2 axes, got \(2.0,\)"),
    (lambda x: F.interpolate(x, scale_factor=0.1), r"sizes of at least 1, got \(2, 3\) to \(0, 0\)"),
    (lambda x: F.interpolate(x, size=2, align_corners=True), "align_corners is for linear and cubic modes, got"),
    (
        lambda x: F.interpolate(x, size=2, antialias=True),
        "antialias is for mode .bilinear. or .bicubic., got",
    ),
    (lambda x: F.interpolate(x, size=2, recompute_scale_factor=True), "recompute_scale_factor is for a scale_factor"),
    (lambda x: F.grid_sample(x, gg.zeros((1, 1, 1, 3))), r"grid_sample: expected an input .* and \(1, 1, 1, 3\)"),
    (lambda x: F.grid_sample(x, gg.zeros((1, 1, 1, 2)), "linear"), "expected mode 'bilinear', .* got 'linear'"),
    (lambda x: F.grid_sample(x, gg.zeros((1, 1, 1, 2)), padding_mode="wrap"), "expected padding_mode .* got 'wrap'"),
    (lambda x: F.grid_sample(gg.ones((1, 1, 2, 2, 2)), gg.zeros((1, 1, 1, 1, 3)), "bicubic"), "is for images"),
    (lambda x: F.grid_sample(gg.ones((1, 1, 0, 2)), gg.zeros((1, 1, 1, 2))), r"with elements, got shape \(1, 1, 0, 2"),
    (lambda x: F.affine_grid(gg.ones((1, 2, 2)), (1, 1, 2, 2)), r"expected theta \(N, 2, 3\) .* got \(1, 2, 2\)"),
    (lambda x: F.channel_shuffle(x, 2), r"channel_shuffle: expected shape \(N, C, ...\) with C divided by 2, got"),
]


@pytest.mark.parametrize(("call", "message"), REFUSED)
def test_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call(gg.ones((1, 1, 2, 3)))


def test_wrong_dtypes():
    with pytest.raises(TypeError, match="interpolate: expected a floating-point input for mode 'area', got int64"):
        F.interpolate(gg.ones((1, 1, 2), dtype=gg.int64), size=3, mode="area")
    with pytest.raises(TypeError, match="grid_sample: expected input and grid of the same dtype, got float32 and fl"):
        F.grid_sample(gg.ones((1, 1, 2, 2)), gg.ones((1, 1, 2, 2), dtype=gg.float64))


def test_nearest_places_are_exact():
    """Every pair of sizes up to 40 by integers, and as PyTorch's; a factor likewise."""
    with gg.default_dtype("float64"):
        for n in range(1, 41):
            x = gg.arange(n, dtype="float64").reshape((1, 1, n))
            for m in range(1, 41):
                places = numpy.arange(m)
                assert (F.interpolate(x, size=m).numpy() == places * n // m).all(), (n, m)
                exact = F.interpolate(x, size=m, mode="nearest-exact").numpy()
                assert (exact == (2 * places + 1) * n // (2 * m)).all(), (n, m)
        assert F.interpolate(gg.tensor([[[0.0, 1.0]]]), size=98)[0, 0, 49] == 1
        assert F.interpolate(gg.tensor([[[0.0, 1.0]]]), scale_factor=49)[0, 0, 49] == 1
