"""Convolutions against PyTorch: functions and layers, values and gradients, sizes, and what is refused."""

import numpy
import pytest

import gpugrad as gg
from gpugrad import nn
from gpugrad.kernels import convolution as kernels
from gpugrad.nn import functional as F

TOLERANCE = {"float64": 1e-9, "float32": 1e-5}
dtypes = pytest.mark.parametrize("dtype", TOLERANCE)

# name, shapes of input and weight, options
FUNCTIONS = [
    ("conv1d", (2, 3, 7), (4, 3, 3), {}),
    ("conv1d", (3, 7), (4, 3, 2), {"stride": 2, "padding": 1}),
    ("conv1d", (2, 3, 9), (4, 3, 4), {"dilation": 2, "padding": "same"}),
    ("conv1d", (2, 3, 9), (4, 3, 4), {"padding": "valid", "stride": 3}),
    ("conv2d", (2, 3, 5, 6), (4, 3, 3, 3), {"padding": 1}),
    ("conv2d", (2, 3, 5, 6), (4, 3, 3, 2), {"stride": (2, 1), "padding": (0, 2), "dilation": (1, 2)}),
    ("conv2d", (3, 5, 6), (2, 3, 1, 1), {}),
    ("conv2d", (2, 3, 5, 6), (2, 3, 1, 1), {"stride": 2}),
    ("conv2d", (2, 3, 5, 6), (2, 3, 1, 1), {"padding": 1}),
    ("conv2d", (2, 4, 5, 5), (4, 1, 3, 3), {"groups": 4, "padding": 1}),
    ("conv2d", (2, 4, 5, 5), (8, 1, 2, 2), {"groups": 4, "stride": 2}),
    ("conv2d", (2, 4, 5, 5), (6, 2, 3, 3), {"groups": 2, "padding": "same"}),
    ("conv2d", (1, 2, 3, 3), (2, 2, 3, 3), {"padding": 5}),
    ("conv2d", (0, 2, 3, 3), (2, 2, 3, 3), {"padding": 1}),
    ("conv2d", (2, 1, 8, 7), (1, 1, 8, 7), {}),
    ("conv3d", (2, 2, 4, 3, 5), (3, 2, 2, 3, 2), {"padding": (1, 0, 1), "stride": (1, 2, 2)}),
    ("conv3d", (2, 3, 4, 3), (4, 1, 3, 3, 3), {"padding": "same", "groups": 2}),
    ("conv_transpose1d", (2, 3, 5), (3, 4, 3), {}),
    ("conv_transpose1d", (3, 5), (3, 2, 4), {"stride": 3, "padding": 1, "output_padding": 2, "groups": 3}),
    ("conv_transpose2d", (2, 3, 4, 5), (3, 2, 3, 3), {"stride": 2, "padding": 1, "output_padding": 1}),
    ("conv_transpose2d", (2, 4, 4, 3), (4, 3, 2, 3), {"stride": (1, 2), "dilation": (2, 1), "groups": 2}),
    ("conv_transpose2d", (2, 4, 3, 3), (4, 1, 3, 3), {"padding": 1}),
    ("conv_transpose2d", (1, 2, 3, 3), (2, 6, 3, 3), {"padding": 2}),
    ("conv_transpose3d", (2, 2, 2, 3, 2), (2, 3, 2, 1, 3), {"stride": (2, 1, 2), "padding": (1, 0, 1)}),
]
functions = pytest.mark.parametrize(("name", "shape", "weight", "options"), FUNCTIONS)


def operands(rng, name, shape, weight, options, dtype="float64"):
    outputs = weight[1] * options.get("groups", 1) if "transpose" in name else weight[0]
    return [rng.standard_normal(s).astype(dtype) for s in (shape, weight, (outputs,))]


def against_pytorch(torch, ours, theirs, arrays, rng, tolerance):
    """Values, and the gradients of all operands for a random one of the result."""
    xs = [gg.tensor(a, requires_grad=True) for a in arrays]
    ts = [torch.tensor(a, requires_grad=True) for a in arrays]
    y, t = ours(*xs), theirs(*ts)
    g = rng.standard_normal(y.shape).astype(y.dtype)
    y.backward(gg.tensor(g))
    t.backward(torch.tensor(g))
    assert y.shape == tuple(t.shape)
    assert y.dtype == arrays[0].dtype
    numpy.testing.assert_allclose(y.numpy(), t.detach().numpy(), rtol=tolerance, atol=tolerance)
    for x, a, b in zip(xs, ts, arrays, strict=True):
        numpy.testing.assert_allclose(x.grad.numpy(), a.grad.numpy(), rtol=tolerance, atol=tolerance)
        numpy.testing.assert_array_equal(x.detach().numpy(), b)


@dtypes
@functions
def test_functions_against_pytorch(name, shape, weight, options, dtype, rng):
    torch = pytest.importorskip("torch", reason="PyTorch is the oracle of this test")
    ours, theirs = getattr(F, name), getattr(torch.nn.functional, name)
    arrays = operands(rng, name, shape, weight, options, dtype)
    tolerance = TOLERANCE[dtype] * (5 if dtype == "float32" else 1)  # sums of up to 100 products, in another order
    for operand in (arrays, arrays[:2]):
        against_pytorch(
            torch, lambda *xs: ours(*xs, **options), lambda *xs: theirs(*xs, **options), operand, rng, tolerance
        )


SMALL = [
    ("conv1d", (2, 5), (2, 2, 2), {"stride": 2, "padding": 1}),
    ("conv2d", (1, 2, 3, 4), (2, 1, 2, 3), {"stride": (2, 1), "padding": (0, 2), "dilation": (1, 2), "groups": 2}),
    ("conv3d", (1, 2, 3, 2), (2, 1, 2, 2, 2), {"padding": "same"}),
    ("conv_transpose1d", (2, 3), (2, 1, 4), {"stride": 3, "padding": 1, "output_padding": 2, "groups": 2}),
    ("conv_transpose2d", (1, 2, 2, 3), (2, 1, 3, 2), {"padding": 1}),
    ("conv_transpose3d", (1, 1, 2, 2, 1), (1, 2, 2, 1, 2), {"stride": (2, 1, 2)}),
]


@pytest.mark.parametrize(("name", "shape", "weight", "options"), SMALL)
def test_differences(name, shape, weight, options, rng):
    xs = [gg.tensor(a) for a in operands(rng, name, shape, weight, options)]
    assert gg.gradcheck(lambda *xs: getattr(F, name)(*xs, **options), xs)
    assert gg.gradgradcheck(lambda *xs: getattr(F, name)(*xs, **options), xs)


@functions
def test_a_transpose_is_a_transpose(name, shape, weight, options, rng):
    """``<conv(x, w), y> = <x, conv_transpose(y, w)>`` is what backward of either computes."""
    x, w, _ = (gg.tensor(a, requires_grad=True) for a in operands(rng, name, shape, weight, options))
    y = getattr(F, name)(x, w, **options)
    g = gg.tensor(rng.standard_normal(y.shape))
    y.backward(g)
    assert (x.grad * x).sum().item() == pytest.approx((y * g).sum().item(), abs=1e-9)
    assert (w.grad * w).sum().item() == pytest.approx((y * g).sum().item(), abs=1e-9)


@pytest.mark.parametrize("limit", [1, 5000, 20000, 10**9])
def test_any_size_of_the_buffer_gives_the_same(limit, rng, monkeypatch):
    """One row of an image at a time, some rows, some images, all at once."""
    monkeypatch.setattr(kernels, "HOST_BYTES", limit)
    monkeypatch.setattr(kernels, "DEVICE_BYTES", limit)
    torch = pytest.importorskip("torch", reason="PyTorch is the oracle of this test")
    for name, shape, weight, options in FUNCTIONS:
        if len(shape) == len(weight):
            x, w, b = operands(rng, name, (5, *shape[1:]), weight, options)
            ours, theirs = getattr(F, name), getattr(torch.nn.functional, name)
            against_pytorch(
                torch, lambda *xs, f=ours, o=options: f(*xs, **o), lambda *xs, f=theirs, o=options: f(*xs, **o),
                [x, w, b], rng, 1e-9,
            )  # fmt: skip


def test_operands_may_lie_in_memory_in_any_way(rng):
    x, w = rng.standard_normal((2, 3, 6, 5)), rng.standard_normal((4, 3, 3, 2))
    expected = F.conv2d(gg.tensor(x), gg.tensor(w), padding=1).numpy()
    channels_last = gg.permute_dims(gg.tensor(x.transpose(0, 2, 3, 1).copy()), (0, 3, 1, 2))
    reverse = gg.flip(gg.tensor(x[:, ::-1].copy()), axis=1)
    turned = gg.permute_dims(gg.tensor(w.transpose(3, 2, 1, 0).copy()), (3, 2, 1, 0))
    spread = gg.broadcast_to(gg.tensor(x[:1]), x.shape)
    x, w = gg.tensor(x), gg.tensor(w)
    for a, b in ((channels_last, w), (reverse, w), (x, turned)):
        numpy.testing.assert_allclose(F.conv2d(a, b, padding=1).numpy(), expected, rtol=1e-12)
    numpy.testing.assert_allclose(F.conv2d(spread, w, padding=1).numpy()[1], expected[0], rtol=1e-12)


def test_dtypes_of_different_operands():
    x, w = gg.ones((1, 1, 3), dtype=gg.float32), gg.ones((1, 1, 2), dtype=gg.float64).requires_grad_()
    y = F.conv1d(x.requires_grad_(), w, gg.ones(1, dtype=gg.float16))
    y.sum().backward()
    assert (y.dtype, w.grad.dtype, x.grad.dtype) == (gg.float64, gg.float64, gg.float32)
    z = F.conv1d(gg.ones((2, 1, 3), dtype=gg.float32), gg.ones((1, 1, 2)), gg.ones(1, dtype=gg.float64))
    assert z.dtype == gg.float64
    assert z.tolist() == [[[3, 3]]] * 2
    assert F.conv1d(gg.ones((1, 1, 3), dtype=gg.int64), gg.ones((1, 1, 2))).tolist() == [[[2, 2]]]


WRONG = [
    (lambda: F.conv2d(gg.ones((3, 4)), gg.ones((2, 3, 1, 1))),
     r"conv2d: expected an input of shape \(N, C, H, W\) or \(C, H, W\), got \(3, 4\)"),
    (lambda: F.conv2d(gg.ones((1, 3, 4, 4)), gg.ones((2, 3, 1))),
     r"conv2d: expected a weight of shape \(out, in / groups, kH, kW\), got \(2, 3, 1\)"),
    (lambda: F.conv_transpose1d(gg.ones((1, 3, 4)), gg.ones((3, 2))),
     r"conv_transpose1d: expected a weight of shape \(in, out / groups, kL\), got \(3, 2\)"),
    (lambda: F.conv2d(gg.ones((1, 3, 4, 4)), gg.ones((2, 2, 1, 1))),
     r"expected an input of 2 channels for a weight of shape \(2, 2, 1, 1\) and groups=1, got .*\(1, 3, 4, 4\)"),
    (lambda: F.conv_transpose2d(gg.ones((1, 3, 4, 4)), gg.ones((2, 2, 1, 1))),
     r"conv_transpose2d: expected an input of 2 channels for a weight of shape \(2, 2, 1, 1\), got .*\(1, 3, 4, 4\)"),
    (lambda: F.conv2d(gg.ones((1, 3, 4, 4)), gg.ones((2, 1, 1, 1)), groups=3),
     "conv2d: expected groups that divide the 2 output channels, got groups=3"),
    (lambda: F.conv_transpose1d(gg.ones((1, 3, 4)), gg.ones((3, 1, 1)), groups=2),
     "conv_transpose1d: expected groups that divide the 3 input channels, got groups=2"),
    (lambda: F.conv1d(gg.ones((1, 1, 4)), gg.ones((2, 1, 1)), gg.ones(3)),
     r"conv1d: expected a bias of shape \(2,\), got \(3,\)"),
    (lambda: F.conv_transpose1d(gg.ones((1, 2, 4)), gg.ones((2, 2, 1)), gg.ones(3), groups=2),
     r"conv_transpose1d: expected a bias of shape \(4,\), got \(3,\)"),
    (lambda: F.conv1d(gg.ones((1, 1, 4)), gg.ones((2, 1, 3)), dilation=2),
     r"conv1d: expected an input of at least the size of the window \(5,\), got \(4,\), padded \(4,\)"),
    (lambda: F.conv2d(gg.ones((1, 1, 4, 4)), gg.ones((2, 1, 3, 3)), stride=(1, 2, 3)),
     r"conv2d: expected stride as one or 2 integers of at least 1, got \(1, 2, 3\)"),
    (lambda: F.conv2d(gg.ones((1, 1, 4, 4)), gg.ones((2, 1, 3, 3)), stride=0),
     "conv2d: expected stride as one or 2 integers of at least 1, got 0"),
    (lambda: F.conv2d(gg.ones((1, 1, 4, 4)), gg.ones((2, 1, 3, 3)), dilation=0), "expected dilation as one or 2"),
    (lambda: F.conv2d(gg.ones((1, 1, 4, 4)), gg.ones((2, 1, 3, 3)), padding=(1, -1)),
     r"conv2d: expected padding as one or 2 integers of at least 0, got \(1, -1\)"),
    (lambda: F.conv2d(gg.ones((1, 1, 4, 4)), gg.ones((2, 1, 3, 3)), padding="full"),
     "conv2d: expected padding as integers, 'valid' or 'same', got 'full'"),
    (lambda: F.conv2d(gg.ones((1, 1, 4, 4)), gg.ones((2, 1, 3, 3)), padding="same", stride=2),
     r"conv2d: expected a stride of 1 with padding='same', got \(2, 2\)"),
    (lambda: F.conv_transpose1d(gg.ones((1, 1, 4)), gg.ones((1, 1, 3)), stride=2, output_padding=2),
     r"expected output_padding smaller than the stride \(2,\) or the dilation \(1,\), got \(2,\)"),
    (lambda: F.conv_transpose1d(gg.ones((1, 1, 1)), gg.ones((1, 1, 1)), padding=1),
     r"expected an output of at least one element an axis, got \(-1,\) for input \(1, 1, 1\)"),
    (lambda: nn.Conv2d(3, 4, 3, groups=2), "Conv2d: expected in_channels that groups=2 divides, got 3"),
    (lambda: nn.ConvTranspose2d(4, 3, 3, groups=2), "ConvTranspose2d: expected out_channels that groups=2 divides"),
    (lambda: nn.Conv2d(3, 4, 0), "Conv2d: expected kernel_size as one or 2 integers of at least 1, got 0"),
    (lambda: nn.Conv2d(3, 4, 3, padding_mode="mirror"),
     "Conv2d: expected padding_mode 'zeros', 'reflect', 'replicate', 'circular', got 'mirror'"),
    (lambda: nn.ConvTranspose2d(3, 4, 3, padding_mode="reflect"),
     "ConvTranspose2d: expected padding_mode 'zeros', got 'reflect'"),
    (lambda: nn.Conv2d(3, 4, 3, padding="same", stride=2), "Conv2d: expected a stride of 1 with padding='same'"),
    (lambda: nn.Conv1d(1, 1, 3, padding=1, padding_mode="circular")(gg.ones((2, 2))[0]),
     r"Conv1d: expected an input of shape \(N, C, L\) or \(C, L\), got \(2,\)"),
    (lambda: nn.ConvTranspose1d(1, 1, 3, stride=2)(gg.ones((1, 1, 4)), output_size=[11]),
     r"ConvTranspose1d: expected an output_size from \(9,\) to \(10,\) for an input of shape \(1, 1, 4\), got \(11,\)"),
]  # fmt: skip


@pytest.mark.parametrize(("call", "message"), WRONG)
def test_wrong_arguments_are_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_sizes_are_integers():
    with pytest.raises(TypeError, match=r"conv2d: expected stride as an integer or one for each axis, got 1.5"):
        F.conv2d(gg.ones((1, 1, 4, 4)), gg.ones((2, 1, 3, 3)), stride=1.5)
    with pytest.raises(TypeError, match=r"ConvTranspose1d: expected padding as an integer .* got 'same'"):
        nn.ConvTranspose1d(1, 1, 3, padding="same")


# -------------------------------------------------------------------- layers

LAYERS = [  # what makes the layer in either library, shape of the input
    (lambda nn, **o: nn.Conv1d(4, 6, 3, padding="same", **o), (2, 4, 5)),
    (lambda nn, **o: nn.Conv1d(4, 6, 4, padding="same", padding_mode="circular", **o), (2, 4, 5)),
    (lambda nn, **o: nn.Conv2d(4, 6, 3, **o), (4, 5, 5)),
    (lambda nn, **o: nn.Conv2d(4, 6, (3, 2), stride=2, padding=(1, 0), dilation=2, groups=2, bias=False, **o),
     (2, 4, 6, 6)),
    (lambda nn, **o: nn.Conv2d(2, 3, 3, padding=2, padding_mode="reflect", **o), (2, 2, 4, 5)),
    (lambda nn, **o: nn.Conv2d(2, 3, 3, padding=(1, 2), padding_mode="replicate", **o), (2, 4, 5)),
    (lambda nn, **o: nn.Conv3d(2, 4, (1, 2, 3), padding=1, padding_mode="circular", **o), (1, 2, 3, 3, 3)),
    (lambda nn, **o: nn.ConvTranspose1d(4, 6, 3, dilation=2, groups=2, bias=False, **o), (2, 4, 5)),
    (lambda nn, **o: nn.ConvTranspose2d(4, 3, 3, stride=2, padding=1, output_padding=1, **o), (2, 4, 3, 3)),
    (lambda nn, **o: nn.ConvTranspose3d(2, 3, 2, stride=2, **o), (2, 2, 2, 3)),
]  # fmt: skip


@pytest.mark.parametrize(("make", "shape"), LAYERS)
def test_layers_against_pytorch(make, shape, rng):
    torch = pytest.importorskip("torch", reason="PyTorch is the oracle of this test")
    theirs, ours = make(torch.nn, dtype=torch.float64), make(nn, dtype=gg.float64)
    assert repr(ours) == repr(theirs)
    state = {key: value.numpy() for key, value in theirs.state_dict().items()}
    assert list(ours.state_dict()) == list(state)
    ours.load_state_dict(state)
    against_pytorch(torch, ours, theirs, [rng.standard_normal(shape)], rng, 1e-9)
    for p, q in zip(ours.parameters(), theirs.parameters(), strict=True):
        numpy.testing.assert_allclose(p.grad.numpy(), q.grad.numpy(), rtol=1e-9, atol=1e-9)


def test_parameters_begin_as_in_pytorch():
    layer = nn.Conv2d(16, 64, 5, groups=2)
    bound = 1 / numpy.sqrt(8 * 25)
    for p in (layer.weight, layer.bias):
        values = p.numpy()
        assert 0.9 * bound < abs(values).max() <= bound
        assert values.std() == pytest.approx(bound / numpy.sqrt(3), rel=0.2)
    assert layer.weight.shape == (64, 8, 5, 5)
    assert nn.ConvTranspose2d(16, 64, 5, groups=2).weight.shape == (16, 32, 5, 5)
    assert nn.Conv2d(1, 1, 1, dtype=gg.float64).bias.dtype == gg.float64
    assert nn.Conv2d(1, 1, 1, bias=False).bias is None


def test_the_size_of_a_transpose_may_be_chosen(rng):
    torch = pytest.importorskip("torch", reason="PyTorch is the oracle of this test")
    theirs, ours = torch.nn.ConvTranspose2d(2, 3, 3, stride=3).double(), nn.ConvTranspose2d(2, 3, 3, stride=3)
    ours.to(gg.float64).load_state_dict({key: value.numpy() for key, value in theirs.state_dict().items()})
    x = rng.standard_normal((1, 2, 2, 2))
    for size in ((6, 8), (1, 3, 7, 6)):
        expected = theirs(torch.tensor(x), output_size=list(size)).detach().numpy()
        numpy.testing.assert_allclose(ours(gg.tensor(x), output_size=size).numpy(), expected, rtol=1e-9)


def test_a_convolutional_network_learns(rng):
    """A few steps down the gradient, on images that differ by where their bright spot is."""
    state = gg.random.default_generator.state
    try:
        gg.random.seed(0)
        model = nn.Sequential(
            nn.Conv2d(1, 4, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(4, 8, 3, padding=1), nn.ReLU(),
            nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(32, 4),
        )  # fmt: skip
    finally:
        gg.random.default_generator.state = state
    labels = rng.integers(0, 4, 32)
    images = rng.standard_normal((32, 1, 8, 8)) * 0.1
    for image, label in zip(images, labels, strict=True):
        image[0, 4 * (label // 2) + 1, 4 * (label % 2) + 2] += 3
    x, target = gg.tensor(images, dtype=gg.float32), gg.tensor(labels)
    optimizer = gg.optim.Adam(model.parameters(), lr=0.01)
    losses = []
    for _ in range(60):
        optimizer.zero_grad()
        loss = F.cross_entropy(model(x), target)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.2 * losses[0]
