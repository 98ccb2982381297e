"""``gg.raw_kernel``: a whole kernel with its own launch, shared memory included."""

from __future__ import annotations

from contextlib import nullcontext

import numpy
import pytest

import gpugrad as gg
from gpugrad.testing import cuda_simulator

SOURCE = """
extern "C" __global__ void running_sum(const T* x, T* y, int n) {  // one block a row, Hillis and Steele
    extern __shared__ char memory[];
    T* part = (T*)memory;
    const int i = threadIdx.x;
    part[i] = i < n ? x[blockIdx.x * n + i] : T(0);
    __syncthreads();
    for (int far = 1; far < blockDim.x; far *= 2) {
        const T before = i >= far ? part[i - far] : T(0);
        __syncthreads();
        part[i] += before;
        __syncthreads();
    }
    if (i < n) y[blockIdx.x * n + i] = part[i];
}
"""


def launch(xp, x):
    y = xp.empty_like(x)
    rows, n = x.shape
    return gg.Launch(y, (x, y, xp.int32(n)), grid=(rows,), block=(64,), shared=64 * x.dtype.itemsize)


def triangle(xp, x):
    i = xp.arange(x.shape[1])
    return (i[:, None] >= i).astype(x.dtype)


def running_sum(**changes):
    return gg.raw_kernel(**{
        "name": "running_sum", "inputs": "x", "source": SOURCE, "launch": launch,
        "reference": lambda xp, x: x @ triangle(xp, x).T,
        "gradient": {"x": lambda xp, g: g @ triangle(xp, g)},
        "sample": lambda rng: {"x": rng.standard_normal((2, 5))},
    } | changes)  # fmt: skip


def launches():
    return cuda_simulator.count() if cuda_simulator.is_installed() else nullcontext()


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_values_and_gradient(where, dtype):
    f = running_sum()
    values = numpy.random.default_rng(0).normal(size=(3, 50)).astype(dtype)
    x = gg.tensor(values, requires_grad=True)
    f(x)
    with launches() as seen:
        y = f(x)
    if where == "cuda" and seen is not None:
        assert seen.kernels["running_sum"] == (dtype != "float16"), "float16 is left to the twin"
    y.sum().backward()
    tolerance = {"float16": 2e-2, "float32": 1e-5, "float64": 1e-13}[dtype]
    numpy.testing.assert_allclose(y.tolist(), numpy.cumsum(values.astype("f8"), axis=1), rtol=tolerance, atol=tolerance)
    numpy.testing.assert_allclose(x.grad.tolist(), numpy.tile(numpy.arange(50, 0, -1.0), (3, 1)))


def test_second_derivatives_and_views(where):
    f = running_sum()
    x = gg.tensor(numpy.random.default_rng(0).normal(size=(3, 4)), requires_grad=True)
    assert gg.gradcheck(f, (x,))
    assert gg.gradgradcheck(lambda t: f(t * t), (x,))
    numpy.testing.assert_allclose(f(x.T).tolist(), numpy.cumsum(x.detach().numpy().T, axis=1))
    assert f(gg.zeros((0, 4))).shape == (0, 4)


def test_any_order_of_threads_gives_the_same(where):
    if where == "cpu" or not cuda_simulator.is_installed():
        pytest.skip("the simulator orders threads")
    x = gg.tensor(numpy.random.default_rng(0).normal(size=(3, 50)))
    f = running_sum()
    results = []
    for seed in (0, 1, 2):
        with cuda_simulator.thread_order(seed):
            results.append(f(x).tolist())
    assert results[0] == results[1] == results[2]


HALF = """
extern "C" __global__ void halved(const S* x, S* y, int n) {
    const int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < n) store(y[i], T(0.5) * load(x[i]));
}
"""


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_16_bits_where_the_source_can(where, dtype):
    f = gg.raw_kernel(
        "halved", "x", HALF,
        lambda xp, x: gg.Launch(y := xp.empty_like(x), (x, y, xp.int32(x.size)), (-(-x.size // 32),), (32,)),
        reference=lambda xp, x: x * 0.5,
        gradient={"x": lambda xp, g: g * 0.5},
        sample=lambda rng: {"x": rng.standard_normal(5)},
        dtypes=("float16", "float32", "float64"),
    )  # fmt: skip
    x = gg.tensor(numpy.arange(70.0), dtype=dtype)
    f(x)
    with launches() as seen:
        y = f(x)
    assert seen is None or where == "cpu" or dict(seen.kernels) == {"halved": 1}
    assert y.tolist() == [i / 2 for i in range(70)]


def test_two_inputs_of_which_one_is_broadcast(where):
    """Gradients are summed over broadcast axes, by the engine and in the check; numbers go to the twin."""
    source = """
    extern "C" __global__ void scaled(const T* x, const T* w, T* y, int n, int m) {
        const int i = blockIdx.x * blockDim.x + threadIdx.x;
        if (i < n) y[i] = x[i] * w[i % m];
    }"""

    def launch(xp, x, w):
        y = xp.empty_like(x)
        return gg.Launch(y, (x, w, y, xp.int32(x.size), xp.int32(w.size)), (-(-x.size // 32),), (32,))

    f = gg.raw_kernel(
        "scaled", "x w", source, launch,
        reference=lambda xp, x, w: x * w,
        gradient={"x": lambda xp, g, w: g * w, "w": lambda xp, g, x: g * x},
        sample=lambda rng: {"x": rng.standard_normal((3, 4)), "w": rng.standard_normal(4)},
    )  # fmt: skip
    x, w = (gg.tensor(numpy.random.default_rng(0).normal(size=s), requires_grad=True) for s in ((5, 4), (4,)))
    assert gg.gradcheck(f, (x, w))
    assert gg.gradgradcheck(f, (x, w))
    assert f(x, 2.0).shape == (5, 4)


def test_wrong_parts(where):
    x = gg.ones((2, 5))
    with pytest.raises(gg.KernelMismatchError, match=r"the gradient by x differs.*worst at element"):
        running_sum(gradient={"x": lambda xp, g: g})(x)
    with pytest.raises(gg.KernelMismatchError, match="has shape"):
        running_sum(gradient={"x": lambda xp, g: g[0, :2]})(x)
    wrong = SOURCE.replace("part[i] += before", "part[i] += before * T(1.01)")
    if where == "cuda":
        with pytest.raises(gg.KernelMismatchError, match=r"the kernel differs from its reference.*x=.*expected"):
            running_sum(source=wrong)(x)
        with pytest.raises(gg.KernelMismatchError, match="the kernel has shape"):
            running_sum(launch=lambda xp, x: gg.Launch(xp.zeros((3,), x.dtype), (), (0,), (1,)))(x)
    running_sum(gradient={"x": lambda xp, g: g}, check=False)(x)
    with gg.kernel_checks(False):
        running_sum(gradient={"x": lambda xp, g: g})(x)


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"gradient": {"z": lambda xp, g: g}}, "expected gradients for"),
        ({"inputs": "y"}, "meaning of its own"),
        ({"inputs": ""}, "expected inputs"),
        ({"name": "another"}, "no kernel of that name"),
        ({"dtypes": ("int32",)}, "dtypes among"),
    ],
)
def test_wrong_declarations(changes, match):
    with pytest.raises(ValueError, match=match):
        running_sum(**changes)


def test_samples_are_for_the_inputs(where):
    with pytest.raises(ValueError, match=r"samples of \('x',\), got \['z'\]"):
        running_sum(sample=lambda rng: {"z": rng.normal(size=3)})(gg.ones((2, 5)))
