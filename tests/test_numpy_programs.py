"""Programs as people write them for NumPy, with ``import gpugrad.numpy as np``: NumPy's value, differences' gradient.

Each is a function of one array. It must give the same value with ``np`` being NumPy.
"""

from __future__ import annotations

import numpy
import pytest

import gpugrad as gg
import gpugrad.numpy

PROGRAMS = {}


def program(*start):
    def note(f):
        PROGRAMS[f.__name__] = (f, numpy.array(start))
        return f

    return note


@program(0.11, 0.08, 0.27)
def anti_reflection_coating(np, d):
    """Thin films: characteristic matrices of the layers, in a table of wavelengths."""
    index, wavelengths = np.array([1.38, 2.1, 1.7]), np.linspace(0.4, 0.7, 4)
    reflected = np.empty(len(wavelengths))
    for i, w in enumerate(wavelengths):
        total = np.eye(2, dtype=complex)
        for n, thickness in zip(index, d, strict=False):
            k = 2 * np.pi * n * thickness / w
            total = total @ np.array([[np.cos(k), 1j * np.sin(k) / n], [1j * n * np.sin(k), np.cos(k)]])
        b, c = total @ np.array([1.0, 1.52])
        reflected[i] = np.abs((b - c) / (b + c)) ** 2
    return np.mean(reflected) + np.max(reflected)


@program(0.9, -0.7, -1.1)
def kalman_filter(np, p):
    dt = 0.5
    F = np.array([[1.0, dt], [0.0, p[0]]])
    Q = np.exp(p[1]) * np.array([[dt**3 / 3, dt**2 / 2], [dt**2 / 2, dt]])
    H, R = np.array([[1.0, 0.0]]), np.array([[np.exp(p[2])]])
    x, P, loss = np.zeros(2), np.eye(2), 0.0
    for y in (0.3, 0.9, 1.1, 2.0):
        x, P = F @ x, F @ P @ F.T + Q
        innovation, S = y - H @ x, H @ P @ H.T + R
        K = P @ H.T @ np.linalg.inv(S)
        loss += 0.5 * (np.log(np.linalg.det(S)) + (innovation @ np.linalg.solve(S, innovation)))
        x, P = x + K @ innovation, (np.eye(2) - K @ H) @ P
    return loss


@program(-0.4, 0.8)
def huckel_ring(np, p):
    """Energy of the occupied orbitals of a ring of six atoms with one that differs."""
    H = np.zeros((6, 6))
    for i in range(6):
        H[i, (i + 1) % 6] = H[(i + 1) % 6, i] = -p[1]
    H[0, 0] = p[0]
    energies = np.linalg.eigvalsh(H)
    return 2 * energies[:3].sum()


@program(0.1, 0.15, 0.7)
def garch_likelihood(np, p):
    returns = np.array([0.2, -0.5, 0.9, -1.2, 0.1, 0.4])
    h = np.zeros_like(returns)
    h[0] = np.var(returns)
    for t in range(1, len(h)):
        h[t] = p[0] + p[1] * returns[t - 1] ** 2 + p[2] * h[t - 1]
    return 0.5 * np.sum(np.log(2 * np.pi * h) + returns**2 / h)


@program(0.2, 0.9, -0.3, 0.5)
def dynamic_time_warping(np, x):
    y = np.array([0.0, 0.7, 0.1])
    D = np.full((len(x) + 1, len(y) + 1), np.inf)
    D[0, 0] = 0
    for i in range(len(x)):
        for j in range(len(y)):
            cost = np.abs(x[i] - y[j])
            D[i + 1, j + 1] = cost + np.min([D[i, j + 1], D[i + 1, j], D[i, j]])
    return D[-1, -1]


@program(0.8, 0.2, -0.4, 0.3)
def quaternion_product(np, q):
    def product(a, b):
        return np.array([
            a[0] * b[0] - np.dot(a[1:], b[1:]),
            *(a[0] * b[1:] + b[0] * a[1:] + np.cross(a[1:], b[1:])),
        ])  # fmt: skip

    q = q / np.linalg.norm(q)
    conjugate = np.concatenate([[q[0]], -q[1:]])
    turned = product(product(q, np.array([0.0, 1.0, 2.0, 3.0])), conjugate)
    return turned @ np.array([0.0, 1.0, -1.0, 0.5])


@program(0.1, 0.9, 1.2, 0.2, 0.7, 1.4, -0.3, 0.4)
def procrustes_distance(np, x):
    X, Y = x.reshape(4, 2), np.array([[0.0, 0.0], [1.0, 0.0], [1.0, 1.0], [0.0, 2.0]])
    X, Y = X - np.mean(X, axis=0), Y - np.mean(Y, axis=0)
    U, s, Vt = np.linalg.svd(X.T @ Y)
    R = U @ np.diag([1.0, np.sign(np.linalg.det(U @ Vt))]) @ Vt
    return np.sum((X @ R - Y) ** 2) + s.sum() / np.linalg.norm(X)


@program(1.0, 0.0, 0.1, 0.9)
def kepler_verlet(np, state):
    r, v = np.array(state[:2]), np.array(state[2:])
    path = np.empty((8, 2))
    a = -r / np.linalg.norm(r) ** 3
    for i in range(8):
        r = r + v * 0.1 + 0.5 * a * 0.1**2
        new = -r / np.linalg.norm(r) ** 3
        v, a = v + 0.5 * (a + new) * 0.1, new
        path[i] = r
    return np.std(path[:, 0]) + np.ptp(path[:, 1])


@program(1.0, 2.0, 0.5, 1.5)
def finite_elements(np, stiffness):
    """A bar of linear elements, assembled and solved."""
    n = len(stiffness)
    K, f = np.zeros((n + 1, n + 1)), np.zeros(n + 1)
    for e, k in enumerate(stiffness):
        K[e : e + 2, e : e + 2] += k * np.array([[1.0, -1.0], [-1.0, 1.0]])
    f[-1] = 1.0
    u = np.zeros(n + 1)
    u[1:] = np.linalg.solve(K[1:, 1:], f[1:])
    return np.dot(f, u) + u[2] ** 2


@program(0.4, -0.2, 0.7, 0.1, 0.9, -0.6)
def fft_filter(np, x):
    spectrum, f = np.fft.rfft(x), np.fft.rfftfreq(len(x))
    gain = np.zeros(len(f))
    gain[f < 0.4] = 1.0
    smooth = np.fft.irfft(spectrum * gain, len(x))
    return np.sum((smooth - np.roll(x, 1)) ** 2) + np.abs(spectrum[1])


@program(0.0, 1.0, 0.5, -0.5, 0.3)
def natural_spline(np, y):
    """Second derivatives from a tridiagonal system, evaluated between the knots."""
    n, x = len(y), np.arange(5.0)
    A, b = np.eye(n), np.zeros(n)
    for i in range(1, n - 1):
        A[i, i - 1 : i + 2] = [1.0, 4.0, 1.0]
        b[i] = 6 * (y[i - 1] - 2 * y[i] + y[i + 1])
    m = np.linalg.solve(A, b)
    t, total = 0.3, 0.0
    for i in range(n - 1):
        h = x[i + 1] - x[i]
        total += ((1 - t) * y[i] + t * y[i + 1]) * h
        total += (((1 - t) ** 3 - (1 - t)) * m[i] + (t**3 - t) * m[i + 1]) / 6
    return total**2


@program(0.2, 0.5, -0.3, 0.8, 0.1, 0.4)
def markov_chain(np, logits):
    P = np.zeros((3, 3))
    P[0, 1], P[0, 2], P[1, 0], P[1, 2], P[2, 0], P[2, 1] = np.exp(logits)
    np.fill_diagonal(P, 1.0)
    P /= P.sum(axis=1, keepdims=True)
    A = np.vstack([P.T - np.eye(3), np.ones((1, 3))])
    pi = np.linalg.lstsq(A, np.array([0.0, 0.0, 0.0, 1.0]), rcond=None)[0]
    return -(pi * np.log(pi)).sum() + np.linalg.matrix_power(P, 3)[0, 2]


@program(1.5, 0.7, 0.3)
def ode_stepper(np, p):
    """Predator and prey with an embedded step size control."""

    def rhs(s):
        return np.array([p[0] * s[0] - s[0] * s[1], p[1] * s[0] * s[1] - p[2] * s[1]])

    s, t, h, steps = np.array([1.0, 0.5]), 0.0, 0.2, []
    while t < 1.0:
        k1 = rhs(s)
        k2 = rhs(s + h * k1)
        error = np.max(np.abs(h / 2 * (k2 - k1)))
        if error > 0.05:
            h /= 2
            continue
        s, t = s + h / 2 * (k1 + k2), t + h
        steps.append(s)
    return np.sum(np.stack(steps)[:, 0]) / len(steps) + s[1]


@program(0.5, 1.2, -0.3, 0.8, 0.1, -0.9, 1.1, 0.4)
def principal_components(np, x):
    X = x.reshape(4, 2)
    X = X - X.mean(axis=0)
    values, vectors = np.linalg.eigh(X.T @ X / (len(X) - 1))
    order = np.argsort(values)[::-1]
    scores = X @ vectors[:, order[:1]]
    return values[order[0]] / values.sum() + np.sum((X - scores @ vectors[:, order[:1]].T) ** 2)


@program(0.3, -0.8, 1.4, 0.6, 0.2)
def bootstrap_spread(np, x):
    rng, n = np.random.default_rng(3), len(x)
    means = np.zeros(6)
    for b in range(6):
        chosen = np.array(rng.integers(0, n, n))
        means[b] = x[chosen].mean()
    return np.std(means, ddof=1) + np.median(means)


@program(0.7, 0.4)
def crank_nicolson(np, p):
    n, u = 6, np.sin(np.pi * np.linspace(0, 1, 6)) * p[0]
    L = np.diag(-2 * np.ones(n)) + np.diag(np.ones(n - 1), 1) + np.diag(np.ones(n - 1), -1)
    left, right = np.eye(n) - p[1] / 2 * L, np.eye(n) + p[1] / 2 * L
    history = [u]
    for _ in range(3):
        history.append(np.linalg.solve(left, right @ history[-1]))
    return np.sum(np.array(history)[-1] ** 2) + np.max(history[1])


@program(0.3, 0.6, 1.0)
def gaussian_process_prediction(np, p):
    x, y = np.array([-1.0, 0.0, 0.7, 1.5]), np.array([0.2, 0.9, 0.4, -0.3])
    length, scale, noise = np.exp(p)

    def kernel(a, b):
        K = np.empty((len(a), len(b)))
        for i in range(len(a)):
            for j in range(len(b)):
                K[i, j] = scale * np.exp(-((a[i] - b[j]) ** 2) / (2 * length**2))
        return K

    L = np.linalg.cholesky(kernel(x, x) + noise * np.identity(len(x)))
    alpha = np.linalg.solve(L.T, np.linalg.solve(L, y))
    return (kernel(np.array([0.3]), x) @ alpha)[0] + np.log(np.diagonal(L)).sum()


@program(0.4, 0.9, -0.2)
def pinhole_camera(np, angles):
    def rotation(axis, a):
        c, s = np.cos(a), np.sin(a)
        if axis == "x":
            return np.array([[1, 0, 0], [0, c, -s], [0, s, c]])
        if axis == "y":
            return np.array([[c, 0, s], [0, 1, 0], [-s, 0, c]])
        return np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]])

    R = rotation("x", angles[0]) @ rotation("y", angles[1]) @ rotation("z", angles[2])
    pose = np.block([[R, np.array([[0.1], [0.2], [4.0]])], [np.zeros((1, 3)), np.ones((1, 1))]])
    points = np.c_[np.array([[0.0, 0.0, 0.0], [1.0, 0.0, 0.0], [0.0, 1.0, 0.5]]), np.ones(3)]
    seen = (pose @ points.T)[:3]
    return ((seen[:2] / seen[2] - 0.1) ** 2).sum()


@program(0.5, 0.2, 0.8, 0.4)
def hidden_markov_forward(np, p):
    A = np.array([[1 - p[0], p[0]], [p[1], 1 - p[1]]])
    B = np.array([[p[2], 1 - p[2]], [1 - p[3], p[3]]])
    observed, alpha = [0, 1, 1, 0], np.full(2, 0.5)
    total = 0.0
    for o in observed:
        alpha = (alpha @ A) * B[:, o]
        total += np.log(np.sum(alpha))
        alpha /= np.sum(alpha)
    return total


@program(0.3, 1.2, 0.8)
def option_tree(np, p):
    """American put on a binomial tree, filled backwards in place."""
    sigma, spot, steps = p[0], p[1], 5
    u = np.exp(sigma * np.sqrt(1 / steps))
    q = (np.exp(0.02 / steps) - 1 / u) / (u - 1 / u)
    S = np.array([spot * u ** (steps - 2 * i) for i in range(steps + 1)])
    V = np.maximum(p[2] - S, 0.0)
    for n in range(steps, 0, -1):
        for i in range(n):
            V[i] = np.exp(-0.02 / steps) * (q * V[i] + (1 - q) * V[i + 1])
            V[i] = max(V[i], p[2] - spot * u ** (n - 1 - 2 * i))
    return V[0]


@program(0.6, -0.4, 0.9)
def piecewise_dose(np, p):
    response = np.vectorize(lambda dose: p[0] * dose if dose < 1 else p[0] + np.log(dose) * p[1] ** 2)
    doses = np.r_[0.2, 0.5, np.linspace(1.0, 3.0, 3)]
    weights = np.fromiter((1 / (1 + p[2] * d) for d in doses), dtype=float)
    return np.average(response(doses), weights=weights)


@program(0.2, 0.7, 0.4, 0.1)
def histogram_of_angles(np, x):
    """Soft votes added up at the neighbouring bins."""
    if not isinstance(x, np.ndarray):
        return 0.0
    bins, place = np.zeros(5), x * 4
    low = np.floor(place).astype(int)
    np.add.at(bins, low, 1 - (place - low))
    np.add.at(bins, low + 1, place - low)
    entropy = np.zeros(5)
    np.log(bins, out=entropy, where=bins > 0)
    return (bins * entropy).sum() + np.float64(bins[0]) ** 2


@program(0.4, 0.5, 0.6)
def rows_standardized(np, p):
    table = np.outer(p, np.array([1.0, 2.0, 4.0])) ** 2 + np.tri(3)
    for row in table:
        row -= row.mean()
        row /= np.sqrt((row**2).mean() + 0.1)
    return (table * np.arange(9.0).reshape(3, 3)).sum()


def value_of(y):
    return y.numpy() if isinstance(y, gg.Tensor) else numpy.asarray(y)


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_program_is_that_of_numpy(name):
    f, x = PROGRAMS[name]
    value, gradient = gg.value_and_grad(lambda x: f(gpugrad.numpy, x))(x)
    numpy.testing.assert_allclose(value, f(numpy, x), rtol=1e-12)
    numpy.testing.assert_allclose(f(gpugrad.numpy, x), f(numpy, x), rtol=1e-12)
    assert not isinstance(f(gpugrad.numpy, x), gg.Tensor)
    step, differences = 1e-6, []
    for d in numpy.eye(len(x)) * step:
        differences.append((f(numpy, x + d) - f(numpy, x - d)) / (2 * step))
    numpy.testing.assert_allclose(gradient, differences, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("name", PROGRAMS)
def test_new_arrays_are_on_the_device_of_the_arguments(name, device):
    f, x = PROGRAMS[name]
    if device.is_host:
        pytest.skip("the arguments are on the CPU")
    expected, expected_gradient = gg.value_and_grad(lambda x: f(gpugrad.numpy, x))(x)
    value, gradient = gg.value_and_grad(lambda x: f(gpugrad.numpy, x))(gg.tensor(x, device=device))
    assert value.device == gradient.device == device
    numpy.testing.assert_allclose(value.numpy(), expected, rtol=1e-12)
    numpy.testing.assert_allclose(gradient.numpy(), expected_gradient, rtol=1e-9, atol=1e-12)
