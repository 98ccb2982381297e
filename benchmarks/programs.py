"""Seven NumPy programs as they are, jitted by gpugrad, against NumPy itself, Numba and JAX; and their gradients.

Each program is a function of NumPy's module and arrays; for JAX the module is ``jax.numpy``. gpugrad runs
``gg.jit(program)`` on NumPy's arrays. A gradient is that of one number that the program gives, by ``gg.grad`` inside of
``gg.jit``; beside it stands gpugrad's own gradient without ``jit``, because NumPy has none. A ratio is the median of
the quotients of neighbours, times are those of the processor. Numba and JAX run in a process of their own for each
program, if a Python that has them is named.

    python benchmarks/programs.py --peers /path/to/python --json benchmarks/results/programs.json
"""

from __future__ import annotations

import argparse
import inspect
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy

ROOT = Path(__file__).parent.parent
RNG = numpy.random.default_rng(0)

LONGEST = 45
"""Seconds for a peer to compile and run a program; what takes longer is None."""

Program = Callable[..., Any]


def normal_cdf(np: Any, x: Any) -> Any:
    """Abramowitz and Stegun 26.2.17."""
    k = 1 / (1 + 0.2316419 * np.abs(x))
    poly = k * (0.319381530 + k * (-0.356563782 + k * (1.781477937 + k * (-1.821255978 + k * 1.330274429))))
    tail = 0.3989422804014327 * np.exp(-0.5 * x * x) * poly
    return np.where(x > 0, 1 - tail, tail)


def black_scholes(np: Any, price: Any, strike: Any, years: Any) -> Any:
    """The sum of the values of European calls and puts."""
    rate, volatility = 0.02, 0.3
    root = volatility * np.sqrt(years)
    d1 = (np.log(price / strike) + (rate + 0.5 * volatility**2) * years) / root
    d2 = d1 - root
    discounted = strike * np.exp(-rate * years)
    call = price * normal_cdf(np, d1) - discounted * normal_cdf(np, d2)
    put = discounted * normal_cdf(np, -d2) - price * normal_cdf(np, -d1)
    return call + put


def stencil(np: Any, u: Any) -> Any:
    """Ten steps of the heat equation, with edges that do not conduct."""
    for _ in range(10):
        wide = np.pad(u, 1, mode="edge")
        u = u + 0.2 * (wide[:-2, 1:-1] + wide[2:, 1:-1] + wide[1:-1, :-2] + wide[1:-1, 2:] - 4 * u)
    return u


def n_body(np: Any, x: Any, mass: Any) -> Any:
    """The accelerations of bodies that attract each other."""
    d = x[None, :, :] - x[:, None, :]
    square = np.sum(d * d, axis=-1) + 1e-3
    pull = mass[None, :] / (square * np.sqrt(square))
    return np.sum(d * pull[:, :, None], axis=1)


def mandelbrot(np: Any, cr: Any, ci: Any) -> Any:
    """For each point, how many of 30 rounds stay near 0; as a smooth number, so that it has a gradient."""
    zr, zi = cr, ci
    count = np.zeros(cr.shape)
    for _ in range(30):
        square = zr * zr + zi * zi
        inside = square < 4
        count = count + np.where(inside, 1 / (1 + square), 0)
        zr, zi = np.where(inside, zr * zr - zi * zi + cr, zr), np.where(inside, 2 * zr * zi + ci, zi)
    return count


def k_means(np: Any, points: Any, centres: Any) -> Any:
    """The next centres: the mean of the points nearest to each."""
    square = np.sum((points[:, None, :] - centres[None, :, :]) ** 2, axis=-1)
    nearest = np.argmin(square, axis=1)
    weights = np.where(nearest[:, None] == np.arange(centres.shape[0])[None, :], 1.0, 0.0)
    return weights.T @ points / np.maximum(np.sum(weights, axis=0), 1)[:, None]


def softmax_regression(np: Any, w: Any, x: Any, target: Any) -> Any:
    """The mean cross-entropy of a linear model."""
    scores = x @ w
    shifted = scores - np.max(scores, axis=1, keepdims=True)
    log_total = np.log(np.sum(np.exp(shifted), axis=1, keepdims=True))
    return np.mean(np.sum(target * (log_total - shifted), axis=1))


def kalman(np: Any, seen: Any, step: Any, noise: Any) -> Any:
    """A filter of 200 steps for position and speed in the plane: the sum of the squared innovations."""
    look = np.eye(2, 4)
    x, p = np.zeros(4), np.eye(4)
    total = 0.0
    for i in range(seen.shape[0]):
        x = step @ x
        p = step @ p @ step.T + noise
        s = look @ p @ look.T + 0.1 * np.eye(2)
        gain = p @ look.T @ np.linalg.inv(s)
        wrong = seen[i] - look @ x
        x = x + gain @ wrong
        p = p - gain @ look @ p
        total = total + np.sum(wrong * wrong)
    return total


def arrays() -> dict[str, tuple[Program, tuple[Any, ...]]]:
    """Each program, and what it is called with."""
    grid = numpy.meshgrid(numpy.linspace(-2, 0.5, 256), numpy.linspace(-1.2, 1.2, 256))
    step = numpy.eye(4) + 0.1 * numpy.eye(4, k=2)
    return {
        "Black-Scholes": (black_scholes, tuple(RNG.uniform(*ends, 100_000) for ends in ((5, 30), (5, 30), (0.2, 3)))),
        "stencil": (stencil, (RNG.standard_normal((512, 512)),)),
        "n-body": (n_body, (RNG.standard_normal((300, 3)), RNG.uniform(0.1, 1, 300))),
        "Mandelbrot": (mandelbrot, tuple(grid)),
        "k-means": (k_means, (RNG.standard_normal((4096, 8)), RNG.standard_normal((16, 8)))),
        "softmax regression": (softmax_regression, (RNG.standard_normal((64, 10)), RNG.standard_normal((1024, 64)),
                                                    numpy.eye(10)[RNG.integers(0, 10, 1024)])),
        "Kalman filter": (kalman, (RNG.standard_normal((200, 2)), step, 0.01 * numpy.eye(4))),
    }  # fmt: skip


def number(program: Program, np: Any, *given: Any) -> Any:
    """The one number whose gradient is taken."""
    made = program(np, *given)
    return np.sum(made * made)


def seconds(call: Callable[[], Any]) -> float:
    """Of the processor, which other programs on the machine take nothing of."""
    start = time.process_time()
    call()
    return time.process_time() - start


def in_turn(calls: dict[str, Callable[[], Any]], least: float) -> dict[str, list[float]]:
    """The seconds of each call, one after the other, again and again."""
    for call in calls.values():
        call()
    repeats = max(7, min(400, int(least / max(sum(seconds(c) for c in calls.values()), 1e-6))))
    times: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(repeats):
        for name, call in calls.items():
            times[name].append(seconds(call))
    return times


def measured(program: Program, given: tuple[Any, ...], least: float) -> dict[str, Any]:
    """A program and its gradient, in NumPy and gpugrad."""
    import gpugrad as gg

    plain = partial(program, numpy)
    jitted = gg.jit(plain)
    eager_gradient = gg.grad(partial(number, program, numpy))
    gradient = gg.jit(eager_gradient)
    start = time.perf_counter()
    made = jitted(*given)
    first = time.perf_counter() - start
    numpy.testing.assert_allclose(numpy.asarray(made), plain(*given), rtol=1e-7, atol=1e-8)
    start = time.perf_counter()
    made = gradient(*given)
    first_gradient = time.perf_counter() - start
    numpy.testing.assert_allclose(numpy.asarray(made), numpy.asarray(eager_gradient(*given)), rtol=1e-7, atol=1e-7)
    times = in_turn({"NumPy": lambda: plain(*given), "jitted": lambda: jitted(*given)}, least)
    others = in_turn({"eager": lambda: eager_gradient(*given), "jitted": lambda: gradient(*given)}, least)
    return {
        "numpy_ms": milliseconds(times["NumPy"]), "jitted_ms": milliseconds(times["jitted"]),
        "times_as_fast": quotient(times["NumPy"], times["jitted"]), "first_s": round(first, 3),
        "gradient_eager_ms": milliseconds(others["eager"]), "gradient_jitted_ms": milliseconds(others["jitted"]),
        "gradient_times_as_fast": quotient(others["eager"], others["jitted"]),
        "gradient_first_s": round(first_gradient, 3),
    }  # fmt: skip


def milliseconds(times: list[float]) -> float:
    return round(statistics.median(times) * 1e3, 4)


def quotient(slow: list[float], fast: list[float]) -> float:
    return round(statistics.median(a / b for a, b in zip(slow, fast, strict=True)), 2)


def for_numba(program: Program) -> Any:
    """A program as a function of arrays alone, with NumPy as a global name, and compiled by Numba."""
    import numba

    names: dict[str, Any] = {"np": numpy, "Any": Any}
    for function in (normal_cdf, program):
        source = inspect.getsource(function).replace("np: Any, ", "").replace("(np, ", "(")
        exec(source, names)  # noqa: S102  this file's own functions
        names[function.__name__] = numba.njit(names[function.__name__])
    return names[program.__name__]


def peer(name: str, title: str, least: float) -> dict[str, Any]:
    """A program in Numba or JAX; what one of them cannot compile is None."""
    program, given = arrays()[title]
    row: dict[str, Any] = {f"{name}_ms": None, f"{name}_gradient_ms": None}
    try:
        if name == "numba":
            compiled = for_numba(program)
            row["numba_ms"] = milliseconds(in_turn({"": lambda: compiled(*given)}, least)[""])
            return row
        import jax

        jax.config.update("jax_enable_x64", True)
        held = tuple(jax.device_put(a) for a in given)
        forward = jax.jit(partial(program, jax.numpy))
        row["jax_ms"] = milliseconds(in_turn({"": lambda: jax.block_until_ready(forward(*held))}, least)[""])
        print(json.dumps(row), flush=True)
        backward = jax.jit(jax.grad(partial(number, program, jax.numpy)))
        row["jax_gradient_ms"] = milliseconds(in_turn({"": lambda: jax.block_until_ready(backward(*held))}, least)[""])
    except Exception as error:  # noqa: BLE001  whatever a compiler says
        print(f"{name}: {title}: {type(error).__name__}", file=sys.stderr)
    return row


def asked(python: str, name: str, title: str, options: argparse.Namespace) -> dict[str, Any]:
    """What a peer says in a process of its own, within :data:`LONGEST` seconds."""
    command = [python, __file__, "--worker", name, title, "--seconds", str(options.seconds)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        try:
            said = process.communicate(timeout=LONGEST)[0]
        except subprocess.TimeoutExpired:
            process.kill()
            said = process.communicate()[0]
    lines = said.splitlines()
    return json.loads(lines[-1]) if lines else {f"{name}_ms": None, f"{name}_gradient_ms": None}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--peers", help="a Python that has Numba and JAX")
    parser.add_argument("--only", nargs="*", help="programs")
    parser.add_argument("--seconds", type=float, default=1.0, help="for each measurement")
    parser.add_argument("--json", type=Path, help="where to write the figures")
    parser.add_argument("--worker", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        print(json.dumps(peer(*options.worker, options.seconds)), flush=True)
        return
    rows: dict[str, dict[str, Any]] = {}
    for title, (program, given) in arrays().items():
        if options.only and title not in options.only:
            continue
        rows[title] = measured(program, given, options.seconds)
        for name in ("numba", "jax") if options.peers else ():
            rows[title] |= asked(options.peers, name, title, options)
        print(f"{title:<20}" + "  ".join(f"{k} {v}" for k, v in rows[title].items()), flush=True)
    for key in ("times_as_fast", "gradient_times_as_fast"):
        print(f"{key}: median {statistics.median(row[key] for row in rows.values())}")
    if options.json:
        from layers import machine

        options.json.write_text(json.dumps({"machine": machine(1), "programs": rows}, indent=1) + "\n")


if __name__ == "__main__":
    main()
