"""Functions of SciPy and scikit-learn that are written for any array run on Tensors, and are differentiated through.

SciPy decides when it is imported whether it looks at namespaces, so the rows run in a process of their own, once, and
the tests look at what came of each. NumPy's functions among them are recorded (tests/ops/test_protocols.py).
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import warnings

import numpy
import pytest

import gpugrad as gg

RNG = numpy.random.default_rng(0)
X, Y = RNG.uniform(0.2, 0.9, (2, 7))
MATRIX = RNG.uniform(0.2, 0.9, (5, 4))
SIGNAL = RNG.standard_normal(32)
SAMPLES, TARGETS, CLASSES = RNG.standard_normal((12, 4)), RNG.standard_normal(12), numpy.array([0, 1] * 6)

SPECIAL = """
erf erfc expit log_expit logit gammaln gamma digamma ndtr ndtri log_ndtr entr log_softmax softmax logsumexp i0 expm1
log1p sinc
"""
STATS = """
gmean hmean variation skew kurtosis zscore gzscore sem iqr tmean tvar tstd entropy differential_entropy circmean circvar
circstd gstd median_abs_deviation
"""
SCORES = """
mean_squared_error mean_absolute_error r2_score max_error root_mean_squared_error explained_variance_score
mean_squared_log_error mean_gamma_deviance mean_pinball_loss
"""
PAIRS = """
cosine_similarity euclidean_distances linear_kernel rbf_kernel polynomial_kernel chi2_kernel paired_cosine_distances
"""


def scipy_rows():
    """Name: function and inputs; the function takes the namespace, then arrays."""
    from scipy import cluster, differentiate, fft, integrate, optimize, signal, spatial, special, stats
    from scipy.cluster import vq  # noqa: F401  for cluster.vq
    from scipy.optimize import elementwise

    rotation = spatial.transform.Rotation
    rows = {
        **{f"special.{n}": (getattr(special, n), X) for n in SPECIAL.split()},
        "special.xlogy": (special.xlogy, X, Y),
        "special.betaln": (special.betaln, X, Y),
        "special.rel_entr": (special.rel_entr, X, Y),
        **{f"stats.{n}": (getattr(stats, n), X) for n in STATS.split()},
        "stats.pmean": (lambda x: stats.pmean(x, 2.0), X),
        "stats.moment": (lambda x: stats.moment(x, 3), X),
        "stats.lmoment": (lambda x: stats.lmoment(x, order=2), X),
        "stats.trim_mean": (lambda x: stats.trim_mean(x, 0.1), X),
        "stats.quantile": (lambda x: stats.quantile(x, 0.3), X),
        "stats.boxcox_llf": (lambda x: stats.boxcox_llf(0.5, x), X),
        "stats.describe": (lambda x: stats.describe(x).variance, X),
        "stats.kurtosistest": (lambda x: stats.kurtosistest(x).statistic, SIGNAL),
        "integrate.trapezoid": (integrate.trapezoid, X, numpy.sort(Y)),
        "integrate.cumulative_trapezoid": (lambda y: integrate.cumulative_trapezoid(y, dx=0.1), X),
        "integrate.cumulative_simpson": (lambda y: integrate.cumulative_simpson(y, dx=0.1), X),
        "integrate.cubature": (lambda b: integrate.cubature(lambda x: numpy.exp(x[:, 0]), 0 * b, b).estimate, X[:1]),
        "integrate.tanhsinh": (lambda b: integrate.tanhsinh(numpy.exp, 0 * b, b).integral, X),
        "optimize.find_root": (
            lambda c: elementwise.find_root(lambda x, c: x * x - c, (0 * c, 0 * c + 2), args=(c,)).x, X),
        "optimize.find_minimum": (
            lambda c: elementwise.find_minimum(lambda x, c: (x - c) ** 2, (c - 1, c + 0.1, c + 2), args=(c,)).x, X),
        "optimize.rosen": (optimize.rosen, X),
        "differentiate.derivative": (lambda x: differentiate.derivative(numpy.sin, x).df, X),
        "differentiate.jacobian": (lambda x: differentiate.jacobian(lambda z: z * z, x).df, X),
        "signal.hilbert": (lambda x: numpy.imag(signal.hilbert(x)), SIGNAL),
        "signal.envelope": (signal.envelope, SIGNAL),
        "signal.fftconvolve": (signal.fftconvolve, X, Y),
        "signal.oaconvolve": (signal.oaconvolve, X, Y),
        "signal.correlate": (lambda x, y: signal.correlate(x, y, method="fft"), X, Y),
        "signal.resample": (lambda x: signal.resample(x, 10), SIGNAL),
        "signal.freqz": (lambda b: numpy.abs(signal.freqz(b)[1]), X),
        "signal.gausspulse": (lambda t: signal.gausspulse(t, 5.0), X),
        "fft.rfft": (lambda x: numpy.abs(fft.rfft(x)), X),
        "fft.fht": (lambda x: fft.fht(x, 0.1, 0.2), X),
        "cluster.vq.whiten": (cluster.vq.whiten, MATRIX),
        "spatial.transform.from_quat": (lambda q: rotation.from_quat(q).as_matrix(), X[:4]),
        "spatial.transform.from_euler": (lambda a: rotation.from_euler("xyz", a).as_quat(), X[:3]),
        "spatial.transform.magnitude": (lambda r: rotation.from_rotvec(r).magnitude(), X[:3]),
    }  # fmt: skip
    return {f"scipy.{name}": row for name, row in rows.items()}


def sklearn_rows():
    """As above; scores are numbers of Python, which variables are not turned into."""
    import sklearn
    from sklearn import decomposition, discriminant_analysis, kernel_approximation, linear_model, metrics, naive_bayes
    from sklearn import preprocessing as pre
    from sklearn.metrics import pairwise

    sklearn.set_config(array_api_dispatch=True)

    def classes(like):
        return gg.asarray(CLASSES) if isinstance(like, gg.Tensor) else CLASSES

    ridge, lda = linear_model.Ridge, discriminant_analysis.LinearDiscriminantAnalysis
    rows = {
        **{f"metrics.{n}": (getattr(metrics, n), X, Y) for n in SCORES.split()},
        **{f"metrics.pairwise.{n}": (getattr(pairwise, n), MATRIX, MATRIX[::-1] + MATRIX**2) for n in PAIRS.split()},
        "MinMaxScaler": (lambda x: pre.MinMaxScaler().fit_transform(x), SAMPLES),
        "MaxAbsScaler": (lambda x: pre.MaxAbsScaler().fit_transform(x), SAMPLES),
        "Normalizer": (lambda x: pre.Normalizer().fit_transform(x), SAMPLES),
        "StandardScaler": (lambda x: STANDARD.transform(x), SAMPLES),
        "PolynomialFeatures": (lambda x: pre.PolynomialFeatures(2).fit_transform(x), SAMPLES),
        "PCA, singular values": (lambda x: decomposition.PCA(2, svd_solver="full").fit_transform(x), SAMPLES),
        "PCA, eigenvalues": (lambda x: decomposition.PCA(2, svd_solver="covariance_eigh").fit_transform(x), SAMPLES),
        "PCA, variances": (lambda x: decomposition.PCA(2).fit(x).explained_variance_ratio_, SAMPLES),
        "Ridge": (lambda x, y: ridge(solver="svd").fit(x, y).coef_, SAMPLES, TARGETS),
        "Ridge, predictions": (lambda x, y: ridge(solver="svd").fit(x, y).predict(x), SAMPLES, TARGETS),
        "RidgeCV": (lambda x, y: linear_model.RidgeCV().fit(x, y).coef_, SAMPLES, TARGETS),
        "LinearDiscriminantAnalysis": (lambda x: lda().fit(x, classes(x)).decision_function(x), SAMPLES),
        "GaussianNB": (lambda x: naive_bayes.GaussianNB().fit(x, classes(x)).predict_joint_log_proba(x), SAMPLES),
        "Nystroem": (lambda x: kernel_approximation.Nystroem(n_components=3, random_state=0).fit_transform(x), SAMPLES),
    }  # fmt: skip
    STANDARD.fit(gg.tensor(SAMPLES))
    return {f"sklearn.{name}": row for name, row in rows.items()}


class Standard:
    """Scaling that was fitted on one kind of array, for both."""

    def fit(self, x):
        from sklearn.preprocessing import StandardScaler

        self.kinds = {gg.Tensor: StandardScaler().fit(x), numpy.ndarray: StandardScaler().fit(x.numpy())}

    def transform(self, x):
        return self.kinds[type(x)].transform(x)


STANDARD = Standard()


def outcome(function, *arrays):
    """What came of a row: ``ok``, or what is wrong."""
    xs = [gg.tensor(a, requires_grad=True) for a in arrays]
    expected = function(*arrays)
    if type(expected) is float:  # a score: a number of Python, with no way back
        numpy.testing.assert_allclose(function(*map(gg.tensor, arrays)), expected, rtol=1e-6)
        try:
            function(*xs)
        except gg.GradientError:
            return "ok"
        return "the gradient is lost"
    found = function(*xs)
    numpy.testing.assert_allclose(found.numpy(), numpy.asarray(expected), rtol=1e-6, atol=1e-9)
    if not found.requires_grad:
        return "the result is a constant"
    gg.gradcheck(function, tuple(xs), rtol=1e-3, atol=1e-4)
    return "ok"


def main(package):
    """Print what came of every row, as JSON."""
    found = {}
    for name, row in {"scipy": scipy_rows, "sklearn": sklearn_rows}[package]().items():
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("error")
                found[name] = outcome(*row)
        except Exception as error:
            found[name] = f"{type(error).__name__}: {error}"
    print(json.dumps(found))


@pytest.mark.parametrize(("package", "version", "least"), [("scipy", "1.17", 60), ("sklearn", "1.9", 25)])
def test_functions_written_for_any_array(package, version, least, device):
    if not device.is_host:
        pytest.skip("compared with NumPy's results, on the CPU")
    pytest.importorskip(package, minversion=version)
    environment = {**os.environ, "SCIPY_ARRAY_API": "1", "GPUGRAD_DEVICE": "cpu"}
    run = subprocess.run([sys.executable, __file__, package], capture_output=True, text=True, env=environment)
    assert run.returncode == 0, run.stderr
    found = json.loads(run.stdout)
    assert {name: text for name, text in found.items() if text != "ok"} == {}
    assert len(found) >= least


def test_what_is_written_for_numpy_alone_drops_no_gradient():
    """What is compiled wants NumPy's arrays."""
    distance = pytest.importorskip("scipy.spatial.distance")
    with pytest.raises(gg.GradientError, match=r"not converted to a NumPy array implicitly.*use x\.detach\(\)"):
        distance.cdist(gg.tensor(MATRIX, requires_grad=True), MATRIX)


if __name__ == "__main__":
    main(sys.argv[1])
