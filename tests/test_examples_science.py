"""The scientific examples: their mathematics against references, and each as a program, small."""

from __future__ import annotations

import importlib
import sys
from contextlib import nullcontext
from pathlib import Path

import numpy
import pytest
from scipy.integrate import solve_ivp
from scipy.optimize import minimize

import gpugrad as gg
from gpugrad.testing import cuda_simulator

FOLDER = Path(__file__).parent.parent / "examples"


@pytest.fixture
def example(monkeypatch):
    """Import an example by its name, as if run in its folder; it leaves no module and no random number behind."""
    monkeypatch.syspath_prepend(FOLDER)
    before, state = set(sys.modules), gg.random.default_generator.state
    yield importlib.import_module
    gg.random.default_generator.state = state
    for name in {file.stem for file in FOLDER.glob("*.py")} & (set(sys.modules) - before):
        del sys.modules[name]


@pytest.fixture(params=["cpu", "cuda"])
def where(request):
    chosen = request.config.getoption("--device")
    own = request.param == "cuda" and chosen != "cuda" and not cuda_simulator.is_installed()
    with cuda_simulator.installed() if own else nullcontext(), gg.default_device(request.param):
        yield request.param


@pytest.fixture
def program(example, monkeypatch, capsys, tmp_path):
    """Run an example's ``main`` with options: what it printed. Its picture is looked for."""

    def run(name, *options, device="cpu"):
        module = example(name)
        monkeypatch.setattr(sys, "argv", [name, "--device", device, "--out", str(tmp_path), *map(str, options)])
        before = gg.get_default_device()
        module.main()
        gg.set_default_device(before)
        if importlib.util.find_spec("matplotlib") is not None:
            assert (tmp_path / f"{name}.png").read_bytes().startswith(b"\x89PNG")
        return capsys.readouterr().out

    return run


def number_after(words, text):
    """The number that follows some words."""
    return float(text.split(words, 1)[1].split()[0].rstrip("%,;").replace(",", ""))


def test_logistic_regression_agrees_with_scikit_learn(example, where):
    linear_model = pytest.importorskip("sklearn.linear_model")
    module = example("logistic_regression")
    train, test, names = module.read()
    assert (train.x.shape, test.x.shape, len(names)) == ((379, 30), (190, 30), 30)
    values = []
    found = module.fit(train, 1.0)
    module.for_scipy(module.loss, values)(found.x, gg.tensor(train.x), gg.tensor(train.y), 1.0)
    assert values == pytest.approx([24.628255790], rel=1e-9)
    assert type(module.loss(found.x, *train, 1.0)) is numpy.float64  # the same lines are NumPy's, for arrays
    assert module.loss(found.x, *train, 1.0) == pytest.approx(values[0], rel=1e-12)
    assert found.nfev < 100
    if where == "cpu":  # as examples/README.md says
        same = minimize(gg.value_and_grad(module.loss), numpy.zeros(31), (*train, 1.0), "L-BFGS-B", jac=True)
        assert same.fun == pytest.approx(found.fun, rel=1e-6)
    peer = linear_model.LogisticRegression(C=1.0, tol=1e-10, max_iter=10_000).fit(train.x, train.y)
    numpy.testing.assert_allclose(found.x[1:], peer.coef_[0], atol=1e-5)
    numpy.testing.assert_allclose(found.x[:1], peer.intercept_, atol=1e-5)
    assert (numpy.sign(found.x[0] + test.x @ found.x[1:]) == test.y).mean() > 0.97


def test_logistic_regression_runs(program):
    pytest.importorskip("sklearn")
    out = program("logistic_regression")
    assert number_after("differ by at most", out) < 1e-5
    assert number_after("held out:", out) > 97


def test_rosenbrock_by_every_method(example, where):
    module = example("rosenbrock")
    methods = [method for method, given in module.METHODS.items() if where == "cpu" or given or method == "BFGS"]
    runs = {method: module.search(method, numpy.array([-1.2, 1.0])) for method in methods}
    for run in runs.values():
        numpy.testing.assert_allclose(run.x, 1.0, atol=1e-4)
        assert len(run.trace) == run.values + run.gradients + run.products
        assert run.trace[-1] < 1e-9
    assert runs["BFGS"].gradients == runs["BFGS, jac"].products == 0
    assert runs["BFGS, jac"].values < runs["BFGS"].values / 2
    assert runs["trust-ncg, jac, hess"].products > 0
    hessian = gg.hessian(module.rosenbrock)(gg.ones(2, dtype=gg.float64))
    assert hessian.tolist() == [[802.0, -400.0], [-400.0, 200.0]]


def test_rosenbrock_runs(program):
    lines = program("rosenbrock", "--variables", 4).splitlines()
    assert len(lines) == 12
    jac = next(line.split() for line in lines[7:] if line.startswith("BFGS, jac"))
    assert float(jac[-1]) < 1e-6


def lotka_volterra(p):
    """The reference: SciPy's integration with a small tolerance."""
    birth, death, lost, gained, hares, lynxes = numpy.exp(p)
    solution = solve_ivp(
        lambda t, u: (u[0] * (birth - lost * u[1]), u[1] * (-death + gained * u[0])),
        (0, 20), (hares, lynxes), t_eval=range(21), rtol=1e-10, atol=1e-10,
    )  # fmt: skip
    return solution.y.T


def test_the_trajectory_is_that_of_scipy(example, where):
    module = example("fit_ode")
    found = module.trajectory(gg.tensor(module.TRUTH), 21)
    assert found.device.type == where
    numpy.testing.assert_allclose(found.numpy(), lotka_volterra(module.TRUTH), rtol=2e-5)
    arrays = module.trajectory(module.TRUTH, 21)
    assert type(arrays) is numpy.ndarray
    numpy.testing.assert_allclose(arrays, found.numpy(), rtol=1e-12)


def test_gradients_through_the_trajectory(example, where):
    module = example("fit_ode")
    observed = gg.tensor(lotka_volterra(module.TRUTH)[:3])
    guess = gg.tensor(module.GUESS)
    plain = gg.grad(module.loss)(guess, observed)
    numpy.testing.assert_allclose(
        gg.grad(lambda p: module.loss(p, observed, gg.checkpoint(module.advance)))(guess).numpy(), plain.numpy(), 1e-12
    )
    for number, step in enumerate(1e-5 * numpy.eye(6)[:: 1 if where == "cpu" else 5]):
        ends = [module.loss(gg.tensor(module.GUESS + sign * step), observed).item() for sign in (1, -1)]
        place = int(numpy.argmax(step))
        assert plain[place].item() == pytest.approx((ends[0] - ends[1]) / 2e-5, rel=1e-6), number


def test_the_parameters_are_found(example):
    module = example("fit_ode")
    with gg.default_device("cpu"):
        found, errors, losses = module.fit(module.observations(years=11, noise=0.0), module.GUESS)
    numpy.testing.assert_allclose(found, module.TRUTH, atol=1e-4)
    assert losses[-1] < 1e-8 < 1 < losses[0]
    assert (errors < 1e-3).all()


def test_fit_ode_runs(program, tmp_path):
    out = program("fit_ode")
    assert number_after("all steps kept:", out) > 5 * number_after("one year kept:", out)
    for line in out.splitlines():
        if "in truth" in line:
            name, found, _, error, _, _, true = line.rsplit(maxsplit=6)
            assert abs(float(found) / float(true) - 1) < 2 * float(error.rstrip("%,")) / 100, name
    own = numpy.column_stack([range(1900, 1909), lotka_volterra(numpy.log([0.5, 0.8, 0.02, 0.03, 30.0, 5.0]))[:9]])
    numpy.savetxt(tmp_path / "own.csv", own, delimiter=",", header="year,prey,predators")
    out = program("fit_ode", "--data", tmp_path / "own.csv")
    assert number_after("hares' births", out) == pytest.approx(0.5, rel=1e-3)


def in_float64(world):
    def wider(x):
        return gg.astype(x, gg.float64)

    return world._replace(glass=wider(world.glass), source=wider(world.source), damping=wider(world.damping),
                          targets=[wider(target) for target in world.targets], steps=24)  # fmt: skip


def test_gradients_through_waves(example, where):
    module = example("wave_lens")
    world = in_float64(module.scene(0.2))
    rng = numpy.random.default_rng(0)
    p, direction = rng.standard_normal((2, world.glass.size))
    numpy.testing.assert_allclose(module.laplacian(gg.ones((4, 5))).numpy(), 0)

    def early(p, burst=module.burst):
        brightness, frames = module.simulate(gg.reshape(p, world.glass.shape), world, burst, length=10)
        assert len(frames) == 3
        return (brightness * world.glass).sum()

    gradient = gg.grad(early)(gg.tensor(p)).numpy()
    ends = [early(gg.tensor(p + sign * 1e-6 * direction)).item() for sign in (1, -1)]
    assert gradient @ direction == pytest.approx((ends[0] - ends[1]) / 2e-6, rel=1e-5)
    again = gg.grad(lambda p: early(p, gg.checkpoint(module.burst)))(gg.tensor(p)).numpy()
    numpy.testing.assert_allclose(again, gradient, rtol=1e-9, atol=1e-15)


def test_a_program_runs_on_a_gpu(program, where):
    out = program("wave_lens", "--scale", 0.25, "--evaluations", 2, device=where)
    assert out.startswith(f"30 x 45 points, 120 steps, on {where}")


def test_without_matplotlib(example, monkeypatch, capsys, tmp_path):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    runs = [example("rosenbrock").search("BFGS, jac", numpy.array([-1.2, 1.0]))]
    example("rosenbrock").draw(tmp_path / "none.png", runs, runs)
    assert "matplotlib is not installed (pip install 'gpugrad[examples]')" in capsys.readouterr().out
    assert not list(tmp_path.iterdir())


def test_a_lens_is_found(program):
    out = program("wave_lens", "--scale", 0.5, "--evaluations", 6)
    assert out.startswith("60 x 90 points, 240 steps, on cpu")
    assert number_after("the targets are", out) > 1.5
    assert number_after("all steps kept:", out) > 3 * number_after("checkpoints of 20 steps:", out)


@pytest.fixture
def patients(example):
    """A few patients, and hyper-parameters to try them with."""
    pytest.importorskip("sklearn")
    module = example("gaussian_process")
    train, test = module.read()
    assert (train.x.shape, test.x.shape) == ((300, 10), (142, 10))
    return module, module.Patients(train.x[:40], train.y[:40]), 0.3 * numpy.random.default_rng(0).standard_normal(12)


def test_the_marginal_likelihood_is_that_of_scikit_learn(patients, where):
    module, few, p = patients
    value, gradient = gg.value_and_grad(module.loss)(gg.tensor(p), gg.tensor(few.x), gg.tensor(few.y))
    assert value.device.type == where
    theirs = module.peer(p, search=False).fit(few.x, few.y)
    value_there, gradient_there = theirs.log_marginal_likelihood(theirs.kernel_.theta, eval_gradient=True)
    assert value.item() == pytest.approx(-value_there, rel=1e-12)
    mine = gradient.numpy()
    numpy.testing.assert_allclose([mine[0], *mine[2:], mine[1]], -gradient_there, rtol=1e-8)
    mean, deviation = (a.numpy() for a in module.predict(*map(gg.tensor, (p, few.x, few.y, few.x))))
    for array, same in zip((mean, deviation), module.predict(p, few.x, few.y, few.x), strict=True):
        assert type(same) is numpy.ndarray
        numpy.testing.assert_allclose(array, same, rtol=1e-9)
    mean_there, deviation_there = theirs.predict(few.x, return_std=True)
    numpy.testing.assert_allclose(mean, mean_there, rtol=1e-9)
    numpy.testing.assert_allclose(deviation, deviation_there, rtol=1e-9)


def test_gaussian_process_runs(program):
    pytest.importorskip("sklearn")
    out = program("gaussian_process")
    assert number_after("log likelihood", out) == pytest.approx(-433.6299, abs=1e-3)
    assert number_after("to", out) == pytest.approx(-319.9285, abs=2e-3)
    assert number_after("own search:", out) == pytest.approx(-319.9285, abs=2e-2)
    assert number_after("differs by", out) < 1e-9
    assert number_after("gradient by at most", out) < 1e-7


def test_per_sample_gradients_are_those_of_a_loop(example, where):
    module = example("per_sample_gradients")
    gg.random.seed(0)
    p = module.start(6, 4)
    rng = numpy.random.default_rng(0)
    images, labels = gg.tensor(rng.random((7, 6), dtype=numpy.float32)), gg.tensor(rng.integers(0, 10, 7))
    together = module.per_sample(p, images, labels)
    loop = [gg.grad(module.loss)(p, image, label) for image, label in zip(images, labels, strict=True)]
    for name, g in together.items():
        assert g.shape == (7, *p[name].shape)
        numpy.testing.assert_allclose(g.numpy(), [one[name].numpy() for one in loop], rtol=1e-5, atol=1e-7)
    size = module.lengths(together).numpy()
    expected = [sum((g.numpy() ** 2).sum() for g in one.values()) ** 0.5 for one in loop]
    numpy.testing.assert_allclose(size, expected, rtol=1e-5)

    mean = module.clipped_and_noisy(together, limit=1e6, noise=0.0)
    clipped = module.clipped_and_noisy(together, limit=0.1, noise=0.0)
    for name, g in together.items():
        numpy.testing.assert_allclose(mean[name].numpy(), g.numpy().mean(axis=0), rtol=1e-5, atol=1e-7)
        shorter = numpy.minimum(0.1 / size, 1).reshape(-1, *[1] * (g.ndim - 1)) * g.numpy()
        numpy.testing.assert_allclose(clipped[name].numpy(), shorter.mean(axis=0), rtol=1e-5, atol=1e-8)
    noisy = module.clipped_and_noisy(together, limit=0.1, noise=1e4)
    assert all(abs(g.numpy()).max() > 10 for g in noisy.values())


def test_per_sample_gradients_run(program):
    pytest.importorskip("sklearn")
    out = program("per_sample_gradients", "--epochs", 4)
    assert number_after("test accuracy", out) > 88
    assert number_after("differ by at most", out) < 1e-4
    private = [float(line.rsplit(maxsplit=1)[1].rstrip("%")) for line in out.splitlines() if line.startswith("clipped")]
    assert len(private) == 5
    assert private[0] > 80
    assert private[0] > private[-1]
