"""Random numbers: reproducible, of the right distribution, refused with a reason."""

import pickle
import threading

import numpy
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import gpugrad as gg
from gpugrad import random
from gpugrad.random import Generator

DRAWS = {
    "random": lambda g, size: g.random(size),
    "random64": lambda g, size: g.random(size, dtype=gg.float64),
    "uniform": lambda g, size: g.uniform(-2.0, 3.0, size),
    "standard_normal": lambda g, size: g.standard_normal(size),
    "normal": lambda g, size: g.normal(1.0, 2.0, size, dtype=gg.float64),
    "integers": lambda g, size: g.integers(-3, 4, size),
    "wide integers": lambda g, size: g.integers(-(2**40), 2**62, size),
    "bernoulli": lambda g, size: g.bernoulli(0.3, size),
}
draws = pytest.mark.parametrize("draw", DRAWS.values(), ids=DRAWS)


@pytest.fixture(autouse=True)
def default_generator_unchanged():
    before = random.default_generator.state
    yield
    random.default_generator.state = before


@draws
@pytest.mark.parametrize(("size", "shape"), [(None, ()), ((), ()), (0, (0,)), (3, (3,)), ((2, 0), (2, 0)),
                                             ([2, 3], (2, 3)), (numpy.int64(2), (2,))])  # fmt: skip
def test_shape_and_kind(draw, size, shape, device):
    x = draw(Generator(1), size)
    assert isinstance(x, gg.Tensor)
    assert (x.shape, x.device, x.requires_grad) == (shape, device, False)
    assert hasattr(x.data, "strides"), "an array, also where it is 0-d"


@draws
def test_state_says_all(draw):
    g = Generator(11)
    draw(g, 5)
    saved = g.state
    first = draw(g, 100).numpy()
    assert g.state[1] > saved[1]
    for again in (Generator(*saved), pickle.loads(pickle.dumps(Generator(*saved)))):
        numpy.testing.assert_array_equal(draw(again, 100).numpy(), first)
    g.state = saved
    numpy.testing.assert_array_equal(draw(g, 100).numpy(), first)
    assert not numpy.array_equal(draw(Generator(12), 100).numpy(), first)


@draws
def test_requests_split_at_whole_blocks(draw):
    whole = draw(Generator(5), 48).numpy()
    g = Generator(5)
    parts = [draw(g, size).numpy().reshape(-1) for size in (4, (3, 4), 0, 32)]
    numpy.testing.assert_array_equal(numpy.concatenate(parts), whole)


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 2**64 - 1), st.integers(0, 2**64 - 1), st.integers(0, 60))
def test_any_seed_and_counter(seed, counter, size):
    g = Generator(seed, counter)
    x = g.random(size).numpy()
    assert ((x >= 0) & (x < 1)).all()
    assert g.state == (seed, (counter + -(-size // 4)) % 2**64)


def test_module_functions_draw_from_the_default_generator():
    random.seed(3)
    first = [random.random(2), random.normal(size=2), random.integers(9, size=3), random.permutation(4)]
    assert random.default_generator.state == (3, 5)
    g = Generator(3)
    expected = [g.random(2), g.normal(size=2), g.integers(9, size=3), g.permutation(4)]
    for a, b in zip(first, expected, strict=True):
        numpy.testing.assert_array_equal(a.numpy(), b.numpy())
    random.manual_seed(4)
    assert random.default_generator.state == (4, 0)


def test_repr():
    assert repr(Generator(1, 2)) == "Generator(seed=1, counter=2)"


def test_default_dtype_and_explicit_ones():
    g = Generator(0)
    with gg.default_dtype(gg.float64):
        assert g.random(2).dtype == g.normal(size=2).dtype == gg.float64
    for dtype in (gg.float16, gg.float32, gg.float64):
        for x in (g.random(2, dtype=dtype), g.uniform(0, 5, 2, dtype=dtype), g.normal(1, 2, 2, dtype=dtype)):
            assert x.dtype == dtype
    assert g.integers(5, size=2).dtype == g.permutation(3).dtype == gg.int64
    assert g.bernoulli(size=2).dtype == gg.bool
    assert g.bernoulli(size=2, dtype=gg.float32).dtype == gg.float32


def test_threads_share_no_numbers():
    g, found = Generator(0), []
    threads = [
        threading.Thread(target=lambda: found.extend(g.random(4, device="cpu").tolist() for _ in range(200)))
        for _ in range(8)
    ]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert g.state == (0, 1600)
    assert sorted(found) == sorted(Generator(0).random((1600, 4), device="cpu").tolist())


def test_forks_differ_and_do_not_depend_on_what_was_drawn():
    g = Generator(1)
    before = [g.fork(n).state for n in range(100)]
    g.random(10)
    assert [g.fork(n).state for n in range(100)] == before
    assert len({seed for seed, _ in before} | {g.fork(0).fork(0).state[0], g.state[0]}) == 102
    x, y = g.random(20000).numpy(), g.fork(0).random(20000).numpy()
    assert abs(numpy.corrcoef(x, y)[0, 1]) < 5 / 20000**0.5


# ---------------------------------------------------------------- distributions (fixed seeds: no test is random)

N = 200_000


@pytest.mark.parametrize("dtype", [gg.float16, gg.float32, gg.float64])
def test_random_is_uniform(dtype):
    u = Generator(2).random(N, dtype=dtype).numpy().astype(float)
    assert u.min() >= 0
    assert u.max() < 1
    assert abs(u.mean() - 0.5) < 5 * (1 / 12 / N) ** 0.5 + (2**-11 if dtype == gg.float16 else 0)
    assert abs(u.var() - 1 / 12) < 5 * (1 / 180 / N) ** 0.5
    assert chi_square(numpy.bincount((u * 64).astype(int), minlength=64)) < 63 + 5 * 126**0.5


@pytest.mark.parametrize(("dtype", "bits"), [(gg.float32, 24), (gg.float64, 53)])
def test_random_is_a_multiple_of_its_last_bit(dtype, bits):
    u = Generator(2).random(1000, dtype=dtype).numpy().astype(float) * 2.0**bits
    assert (u == numpy.floor(u)).all()
    assert (u % 2 == 1).any()


def test_every_bit_is_fair_and_neighbours_are_independent():
    words = Generator(9).integers(2**32, size=N // 4, dtype=gg.uint32).numpy()
    bits = (words[:, None] >> numpy.arange(32, dtype=numpy.uint32)) & 1
    ones = bits.sum(0)
    assert (abs(ones - len(words) / 2) < 5 * (len(words) / 4) ** 0.5).all()
    pairs = numpy.bincount((words[1:] >> 28) * 16 + (words[:-1] >> 28), minlength=256)
    assert chi_square(pairs) < 255 + 5 * 510**0.5


@pytest.mark.parametrize("dtype", [gg.float32, gg.float64])
def test_normal(dtype):
    z = Generator(3).standard_normal(N, dtype=dtype).numpy().astype(float)
    for k, (moment, variance) in enumerate([(0, 1), (1, 2), (0, 15), (3, 96)], start=1):
        assert abs((z**k).mean() - moment) < 5 * (variance / N) ** 0.5
    special = pytest.importorskip("scipy.special")
    assert chi_square(numpy.bincount((special.ndtr(z) * 64).astype(int), minlength=64)) < 63 + 5 * 126**0.5
    assert abs((z[::2] * z[1::2]).mean()) < 5 / (N / 2) ** 0.5
    x = Generator(3).normal(5.0, 3.0, N, dtype=dtype).numpy()
    numpy.testing.assert_allclose(x, 5 + 3 * z, rtol=1e-5, atol=1e-5)


def test_uniform():
    u, x = Generator(4).random(N), Generator(4).uniform(-2.0, 3.0, N)
    numpy.testing.assert_allclose(x.numpy(), 5 * u.numpy() - 2, atol=1e-6)
    assert (Generator(4).uniform(1.5, 1.5, 10).numpy() == 1.5).all()


@pytest.mark.parametrize(("low", "high"), [(0, 7), (-3, 3), (5, 6), (0, 1000)])
def test_integers_are_equally_likely(low, high):
    x = Generator(5).integers(low, high, N).numpy()
    assert x.min() == low
    assert x.max() == high - 1
    counts = numpy.bincount(x - low, minlength=high - low)
    if high - low > 1:
        assert chi_square(counts) < (high - low - 1) + 5 * (2 * (high - low - 1)) ** 0.5


@pytest.mark.parametrize(
    ("low", "high", "dtype"),
    [(-128, 128, "int8"), (0, 256, "uint8"), (-(2**63), 2**63, "int64"), (0, 2**64, "uint64"),
     (-(2**63), 5, "int64"), (2**63, 2**64, "uint64"), (-(2**31), 2**31, "int32"), (2**64 - 1, 2**64, "uint64")],
)  # fmt: skip
def test_integers_reach_the_ends_of_a_dtype(low, high, dtype):
    x = Generator(6).integers(low, high, 4000, dtype=dtype)
    assert x.dtype == dtype
    values = x.tolist()
    assert all(low <= v < high for v in values)
    quarter = (high - low) / 4
    if quarter > 1:
        assert {int((v - low) / quarter) for v in values} == {0, 1, 2, 3}


def test_permutation():
    assert sorted(Generator(0).permutation(1000).tolist()) == list(range(1000))
    assert Generator(0).permutation(0).shape == (0,)
    g = Generator(1)
    firsts = numpy.bincount([g.permutation(4)[0].item() for _ in range(4000)], minlength=4)
    assert chi_square(firsts) < 3 + 5 * 6**0.5


@pytest.mark.parametrize("p", [0, 1, 0.0, 1.0, 0.25, 0.9])
def test_bernoulli(p):
    x = Generator(7).bernoulli(p, N).numpy()
    assert abs(x.mean() - p) <= 5 * (p * (1 - p) / N) ** 0.5


def chi_square(counts):
    expected = counts.sum() / counts.size
    return ((counts - expected) ** 2 / expected).sum()


# ---------------------------------------------------------------- errors

BAD = [
    (lambda g: g.random(-1), ValueError, "expected a size without negative numbers, got -1"),
    (lambda g: g.normal(size=(2, -3)), ValueError, "without negative numbers"),
    (lambda g: g.random(2.5), TypeError, "integer"),
    (lambda g: g.random(2, dtype=gg.int64), TypeError, "random: expected a real floating-point dtype, got int64"),
    (lambda g: g.normal(size=2, dtype=gg.complex64), TypeError, "expected a real floating-point dtype"),
    (lambda g: g.uniform(1, 0), ValueError, "uniform: expected finite bounds low <= high, got 1.0 and 0.0"),
    (lambda g: g.uniform(0, numpy.inf), ValueError, "finite bounds"),
    (lambda g: g.normal(0, -1), ValueError, "normal: expected a standard deviation scale >= 0, got -1"),
    (lambda g: g.normal(0, numpy.nan), ValueError, "scale >= 0"),
    (lambda g: g.integers(5, 5), ValueError, "integers: expected low < high, got 5 and 5"),
    (lambda g: g.integers(0), ValueError, "integers: expected low < high, got 0 and 0"),
    (lambda g: g.integers(0, 300, dtype=gg.uint8), ValueError, r"uint8 does not hold all of \[0, 300\)"),
    (lambda g: g.integers(5, dtype=gg.float32), TypeError, "integers: expected an integer dtype, got float32"),
    (lambda g: g.bernoulli(1.5), ValueError, r"bernoulli: expected a probability in \[0, 1\], got 1.5"),
    (lambda g: g.bernoulli(numpy.nan), ValueError, "probability"),
    (lambda g: g.permutation(-1), ValueError, "negative"),
    (lambda g: g.seed(-1), ValueError, "expected seed from 0 to"),
    (lambda g: g.seed(2**64), ValueError, "expected seed from 0 to"),
    (lambda g: g.fork(-1), ValueError, "expected n from 0"),
    (lambda g: Generator(0, 2**64), ValueError, "expected counter from 0 to"),
]


@pytest.mark.parametrize(("call", "error", "message"), BAD)
def test_errors_leave_the_state(call, error, message):
    g = Generator(1, 2)
    with pytest.raises(error, match=message):
        call(g)
    assert g.state == (1, 2)


def test_tensors_as_parameters_get_their_gradients(device):
    low, high = gg.tensor(1.0, requires_grad=True), gg.tensor([2.0, 3.0], requires_grad=True)
    y = Generator(5).uniform(low, high)
    u = Generator(5).random(2)
    assert y.shape == (2,)
    assert numpy.allclose(y.tolist(), (1 + (high.detach() - 1) * u).tolist())
    y.sum().backward()
    assert numpy.allclose([low.grad.item(), *high.grad.tolist()], [(1 - u).sum().item(), *u.tolist()])
    loc, scale = gg.tensor(1.0, requires_grad=True), gg.tensor(2.0, requires_grad=True)
    z = Generator(5).standard_normal((2, 3))
    y = Generator(5).normal(loc, scale, (2, 3))
    assert numpy.allclose(y.tolist(), (1 + 2 * z).tolist())
    y.sum().backward()
    assert numpy.allclose([loc.grad.item(), scale.grad.item()], [6.0, z.sum().item()], atol=1e-5)
    with pytest.raises(gg.GradientError, match="gradient would be lost"):
        Generator(5).bernoulli(gg.tensor(0.5, requires_grad=True))
