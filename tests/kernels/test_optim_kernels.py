"""The optimizers' update rules: each CUDA source against its reference, and compiled for every architecture."""

import host_cuda
import numpy
import pytest

from gpugrad.kernels import optim

RMS = {"rate": 0.1, "sign": -1.0, "weight_decay": 0.1, "alpha": 0.9, "fresh": 0.1, "eps": 1e-3}
ADAM = {"rate": 0.1, "sign": 1.0, "weight_decay": 0.2, "shrink": 0.99, "fresh1": 0.1, "beta2": 0.99, "fresh2": 0.01,
        "root": 0.3, "eps": 1e-3}  # fmt: skip
MOMENTUM = {"rate": 0.1, "sign": 1.0, "weight_decay": 0.1, "momentum": 0.9, "fresh": 0.8, "nesterov": 0.0, "first": 0.0}
RADAM = {"rate": 0.1, "sign": -1.0, "weight_decay": 0.2, "shrink": 0.99, "fresh1": 0.1, "beta2": 0.99, "fresh2": 0.01,
         "eps": 1e-3, "adapted": 1.0}  # fmt: skip
RPROP = {"rate": 0.1, "sign": 1.0, "fewer": 0.5, "more": 1.2, "low": 0.01, "high": 22.0, "first": 0.0}
LION = {"rate": 0.1, "sign": 1.0, "shrink": 0.9, "beta1": 0.9, "fresh1": 0.1, "beta2": 0.99, "fresh2": 0.01}
ROWS = [
    (optim.sgd_update, {"rate": 0.1, "sign": 1.0, "weight_decay": 0.0}),
    (optim.sgd_update, {"rate": 0.1, "sign": -1.0, "weight_decay": 0.1}),
    (optim.sgd_momentum_update, MOMENTUM),
    (optim.sgd_momentum_update, MOMENTUM | {"first": 1.0, "sign": -1.0}),
    (optim.sgd_momentum_update, MOMENTUM | {"nesterov": 1.0, "fresh": 1.0, "weight_decay": 0.0}),
    (optim.adagrad_update, {"rate": 0.1, "sign": 1.0, "weight_decay": 0.1, "eps": 1e-3}),
    (optim.rmsprop_update, RMS),
    (optim.rmsprop_momentum_update, RMS | {"momentum": 0.8}),
    (optim.rmsprop_centered_update, RMS),
    (optim.rmsprop_centered_momentum_update, RMS | {"momentum": 0.8}),
    (optim.adam_update, ADAM),
    (optim.adam_update, ADAM | {"sign": -1.0, "weight_decay": 0.0, "shrink": 1.0}),
    (optim.amsgrad_update, ADAM),
    (optim.nadam_update, ADAM | {"ahead": 0.2}),
    (optim.nadam_update, ADAM | {"ahead": 0.2, "sign": -1.0, "weight_decay": 0.0, "shrink": 1.0}),
    (optim.radam_update, RADAM),
    (optim.radam_update, RADAM | {"adapted": 0.0, "weight_decay": 0.0}),
    (optim.adamax_update, {"rate": 0.1, "sign": -1.0, "weight_decay": 0.1, "fresh1": 0.1, "beta2": 0.9, "eps": 1e-3}),
    (optim.adadelta_update, {"rate": 0.5, "sign": 1.0, "weight_decay": 0.1, "rho": 0.9, "fresh": 0.1, "eps": 1e-3}),
    (optim.rprop_update, RPROP),
    (optim.rprop_update, RPROP | {"first": 1.0, "sign": -1.0}),
    (optim.asgd_update, {"rate": 0.1, "sign": 1.0, "weight_decay": 0.1, "shrink": 0.9, "fresh": 1.0}),
    (optim.asgd_update, {"rate": 0.1, "sign": -1.0, "weight_decay": 0.0, "shrink": 1.0, "fresh": 0.2}),
    (optim.lion_update, LION),
    (optim.lion_update, LION | {"sign": -1.0, "shrink": 1.0}),
    (
        optim.lamb_direction,
        {
            "sign": -1.0,
            "weight_decay": 0.1,
            "fresh1": 0.1,
            "beta2": 0.9,
            "fresh2": 0.1,
            "scale": 1.5,
            "root": 0.3,
            "eps": 1e-3,
        },
    ),
]
KERNELS = list({kernel.name: kernel for kernel, _ in ROWS}.values())
dtypes = pytest.mark.parametrize("dtype", ["float32", "float64"])


def arrays_for(kernel, dtype, size):
    rng = numpy.random.default_rng(0)
    arrays = {name: rng.normal(size=size).astype(dtype) for name in kernel.arrays}
    for name in arrays.keys() & {"s", "v", "w"} | ({"a"} if kernel is optim.adadelta_update else set()):
        arrays[name] = arrays[name] ** 2 + 20  # above the square of the mean, as running squares are
    return arrays


@dtypes
@pytest.mark.parametrize(("kernel", "scalars"), ROWS, ids=lambda v: getattr(v, "name", None))
def test_cuda_source_agrees_with_the_reference(kernel, scalars, dtype, monkeypatch):
    monkeypatch.setattr(optim, "BLOCK", 100)
    expected, got = arrays_for(kernel, dtype, 1003), arrays_for(kernel, dtype, 1003)
    before = arrays_for(kernel, dtype, 1003)
    values = [scalars[name] for name in kernel.scalars]
    assert kernel(numpy, *expected.values(), *values) is None
    numbers = [*map(numpy.float64, values), numpy.int64(1003)]
    host_cuda.launch(kernel.packed(dtype), kernel.name, 1003, (*got.values(), *numbers))
    for name in kernel.arrays:
        numpy.testing.assert_array_equal(got[name], expected[name], err_msg=name)  # the same roundings in both
        changed = not numpy.array_equal(expected[name], before[name])
        assert changed == (name in kernel.changes)


@dtypes
def test_centered_rmsprop_stays_finite_where_all_gradients_are_equal(dtype):
    """The running variance is 0 then; rounded below 0 its root would be no number."""
    p, s, a = (numpy.zeros(1000, dtype) for _ in range(3))
    g = numpy.linspace(0.1, 3, 1000).astype(dtype)
    for _ in range(200):
        optim.rmsprop_centered_update(numpy, p, g, s, a, 0.1, 1.0, 0.0, 0.5, 0.5, 1e-3)
    assert numpy.isfinite(p).all()
    assert (s < a * a).any(), "the case is there"


def test_amsgrad_keeps_the_largest_and_nans():
    kernel, values = optim.amsgrad_update, list(ADAM.values())
    v, w = numpy.array([1.0, 9.0, numpy.nan, 1.0]), numpy.array([4.0, 4.0, 4.0, numpy.nan])
    arrays = [numpy.zeros(4), numpy.zeros(4), numpy.zeros(4), v, w]
    host = [a.copy() for a in arrays]
    kernel(numpy, *arrays, *values)
    host_cuda.launch(kernel.packed("float64"), kernel.name, 4, (*host, *map(numpy.float64, values), numpy.int64(4)))
    for result in (arrays[-1], host[-1]):
        numpy.testing.assert_array_equal(result, [4, 9 * ADAM["beta2"], numpy.nan, numpy.nan])


@dtypes
@pytest.mark.parametrize("architecture", host_cuda.ARCHITECTURES)
@pytest.mark.parametrize("kernel", KERNELS, ids=lambda k: k.name)
def test_cuda_source_compiles(kernel, dtype, architecture):
    assert host_cuda.compile_with_nvrtc(kernel.packed(dtype), architecture)
