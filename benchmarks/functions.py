"""Every function that NumPy has too: forward against the bare NumPy call, at 1,000 and at 1,000,000 elements.

Three calls in turn within one repeat: NumPy on arrays, gpugrad on constants, gpugrad on variables (so that it records).
A ratio is the median over the repeats of the quotients of neighbours, which a busy machine disturbs little. The bounds
are for constants: 3 at 1,000 elements, 1.1 at 1,000,000; they are meant for functions that compute something, so calls
that only give NumPy a view, or memory that nobody wrote to, are marked "view". Functions that no entry measures are
listed at the end.

    python benchmarks/functions.py --out benchmarks/results/functions.json
    python benchmarks/functions.py --only take tile --sizes 1000
"""

from __future__ import annotations

import argparse
import gc
import inspect
import json
import math
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path
from typing import Any

import numpy

import gpugrad as gg

BOUNDS = {1_000: 3.0, 1_000_000: 1.1}
NAMESPACES = {"": (gg, numpy), "linalg.": (gg.linalg, numpy.linalg), "fft.": (gg.fft, numpy.fft)}
Arguments = Callable[[int], tuple[Any, ...]]

RNG = numpy.random.default_rng(0)


def real(*shape: int) -> Any:
    """Numbers between 0.1 and 0.9, where nearly everything is defined."""
    return RNG.uniform(0.1, 0.9, shape).astype("f4")


def whole(n: int, below: int = 10) -> Any:
    return RNG.integers(0, below, n)


def square(n: int) -> Any:
    return real(math.isqrt(n), math.isqrt(n))


def matrices(n: int) -> Any:
    """A stack of 10 x 10 matrices, symmetric and far from singular."""
    a = real(n // 100, 10, 10)
    return a + a.swapaxes(1, 2) + 10 * numpy.eye(10, dtype="f4")


def rows(n: int) -> Any:
    return real(n // 10, 10)


def names(text: str, make: Arguments) -> dict[str, Arguments]:
    return dict.fromkeys(text.split(), make)


CASES: dict[str, Arguments] = {
    **names(
        "abs absolute acos all amax amin angle any arccos arcsin arcsinh arctan arctanh argmax argmin argsort argwhere "
        "around asarray asin asinh atan atanh atleast_1d atleast_2d atleast_3d average cbrt ceil conj conjugate cos "
        "cosh count_nonzero cumprod cumsum cumulative_prod cumulative_sum deg2rad degrees diff ediff1d empty_like exp "
        "exp2 expm1 fabs fix flatnonzero flip floor gradient histogram imag iscomplex isfinite isinf isnan isneginf "
        "isposinf isreal isscalar linalg.norm linalg.vector_norm log log10 log1p log2 max mean median min modf "
        "nan_to_num nanargmax nanargmin nancumprod nancumsum nanmax nanmean nanmedian nanmin nanprod nanstd nansum "
        "nanvar negative nonzero ones_like positive prod ptp rad2deg radians ravel real reciprocal round sign signbit "
        "sin sinc sinh sort sqrt square squeeze std sum tan tanh transpose trapezoid trunc unique_all unique_counts "
        "unique_inverse unique_values unwrap var zeros_like fft.fft fft.fftshift fft.hfft fft.ifft fft.ifftshift "
        "fft.ihfft fft.irfft fft.rfft",
        lambda n: (real(n),),
    ),
    **names("acosh arccosh", lambda n: (1 + real(n),)),
    **names(
        "add allclose arctan2 array_equal array_equiv atan2 copysign divide divmod dot equal float_power floor_divide "
        "fmax fmin fmod greater greater_equal heaviside hypot inner isclose less less_equal logaddexp logaddexp2 "
        "logical_and logical_or logical_xor maximum minimum mod multiply nextafter not_equal pow power remainder "
        "subtract true_divide vdot vecdot append broadcast_arrays linalg.vecdot",
        lambda n: (real(n), real(n)),
    ),
    **names("bitwise_and bitwise_or bitwise_xor", lambda n: (whole(n), whole(n))),
    **names("bitwise_left_shift bitwise_right_shift left_shift right_shift", lambda n: (whole(n), whole(n))),
    **names("bitwise_invert bitwise_not invert", lambda n: (whole(n),)),
    **names("array_split split hsplit", lambda n: (real(n), 4)),
    "vsplit": lambda n: (real(4, n // 4), 4),
    "apply_along_axis": lambda n: (lambda row: row * 2, 1, real(4, n // 4)),
    **names("corrcoef cov", lambda n: (real(10, n // 10),)),
    **names("diag diagflat", lambda n: (real(math.isqrt(n)),)),
    **names(
        "diagonal fliplr flipud matrix_transpose rot90 trace tril triu unstack fft.fft2 fft.fftn fft.ifft2 fft.ifftn "
        "fft.irfft2 fft.irfftn fft.rfft2 fft.rfftn linalg.diagonal linalg.trace linalg.matrix_transpose "
        "linalg.matrix_norm",
        lambda n: (square(n),),
    ),
    **names("column_stack concat concatenate dstack hstack stack vstack block", lambda n: ([real(n), real(n)],)),
    **names("matmul tensordot linalg.matmul linalg.tensordot", lambda n: (square(n), square(n))),
    **names("matvec", lambda n: (square(n), real(math.isqrt(n)))),
    **names("vecmat", lambda n: (real(math.isqrt(n)), square(n))),
    **names("outer linalg.outer", lambda n: (real(math.isqrt(n)), real(math.isqrt(n)))),
    **names("cross linalg.cross", lambda n: (real(n // 3, 3), real(n // 3, 3))),
    **names("moveaxis swapaxes", lambda n: (square(n), 0, 1)),
    **names("partition argpartition", lambda n: (real(n), n // 2)),
    **names("percentile nanpercentile", lambda n: (real(n), 30)),
    **names("quantile nanquantile", lambda n: (real(n), 0.3)),
    **names("ones zeros empty", lambda n: (n,)),
    **names("convolve correlate", lambda n: (real(n), real(16))),
    **names("compress extract", lambda n: (real(n) > 0.5, real(n))),
    **names("delete", lambda n: (real(n), 5)),
    **names("roll repeat tile pad", lambda n: (real(n), 2)),
    **names("linspace", lambda n: (0.0, 1.0, n)),
    **names("logspace geomspace", lambda n: (1.0, 2.0, n)),
    **names("eye tri", lambda n: (math.isqrt(n),)),
    **names("fft.fftfreq fft.rfftfreq", lambda n: (n,)),
    **names(
        "linalg.cholesky linalg.cond linalg.det linalg.eig linalg.eigh linalg.eigvals linalg.eigvalsh linalg.inv "
        "linalg.matrix_rank linalg.pinv linalg.qr linalg.slogdet linalg.svd linalg.svdvals",
        lambda n: (matrices(n),),
    ),
    "linalg.solve": lambda n: (matrices(n), matrices(n)),
    "linalg.lstsq": lambda n: (rows(n), real(n // 10)),
    "linalg.matrix_power": lambda n: (matrices(n), 3),
    "linalg.multi_dot": lambda n: ([square(n), square(n), real(math.isqrt(n))],),
    "linalg.tensorinv": lambda n: (matrices(n)[0].reshape(10, 2, 5), 1),
    "linalg.tensorsolve": lambda n: (matrices(n)[0].reshape(2, 5, 10), real(2, 5)),
    "arange": lambda n: (n,),
    "astype": lambda n: (real(n), numpy.dtype("f8")),
    "bincount": lambda n: (whole(n),),
    "broadcast_to": lambda n: (real(n), (2, n)),
    "choose": lambda n: (whole(n, 2), [real(n), real(n)]),
    "clip": lambda n: (real(n), 0.3, 0.6),
    "digitize": lambda n: (real(n), numpy.linspace(0, 1, 9, dtype="f4")),
    "einsum": lambda n: ("ij,j->i", square(n), real(math.isqrt(n))),
    "expand_dims": lambda n: (real(n), 0),
    "full": lambda n: (n, 2.0),
    "full_like": lambda n: (real(n), 2.0),
    "insert": lambda n: (real(n), 5, 1.0),
    "interp": lambda n: (real(n), numpy.linspace(0, 1, 100, dtype="f4"), real(100)),
    "isin": lambda n: (whole(n), whole(5)),
    "kron": lambda n: (real(n // 10), real(10)),
    "ldexp": lambda n: (real(n), whole(n)),
    "logical_not": lambda n: (real(n) > 0.5,),
    "meshgrid": lambda n: (real(math.isqrt(n)), real(math.isqrt(n))),
    "permute_dims": lambda n: (square(n), (1, 0)),
    "piecewise": lambda n: (real(n), [real(n) > 0.5], [lambda x: x + 1, lambda x: x - 1]),
    "polyval": lambda n: (real(5), real(n)),
    "reshape": lambda n: (real(n), (10, n // 10)),
    "resize": lambda n: (real(n), (2, n)),
    "rollaxis": lambda n: (square(n), 1),
    "searchsorted": lambda n: (numpy.sort(real(n)), real(n)),
    "select": lambda n: ([real(n) > 0.5], [real(n)], 0.0),
    "dsplit": lambda n: (real(1, 1, n), 4),
    "take": lambda n: (real(n), whole(n, n)),
    "take_along_axis": lambda n: (real(n), whole(n, n)),
    "vander": lambda n: (real(n // 10), 10),
    "where": lambda n: (real(n) > 0.5, real(n), real(n)),
}

KEYWORDS: dict[str, dict[str, Any]] = {"take_along_axis": {"axis": 0}}
NUMPYS_KEYWORDS = {"argsort": {"kind": "stable"}}
"""What NumPy needs to be told in order to do the same."""
UNWRITTEN = {"empty", "empty_like", "zeros", "zeros_like", "iscomplex"}
"""Functions whose result the system fills with zeros when it is first read."""

NOT_MEASURED = {
    "put_along_axis": "NumPy's works in place",
    **dict.fromkeys(
        ["broadcast_shapes", "can_cast", "finfo", "from_dlpack", "iinfo", "isdtype", "result_type"],
        "computes on no elements",
    ),
}


def counterparts() -> Iterator[str]:
    """The public functions that NumPy has under the same name."""
    for prefix, (ours, theirs) in NAMESPACES.items():
        for name in sorted(n for n in getattr(ours, "__all__", dir(ours)) if not n.startswith("_")):
            value = getattr(ours, name)
            if callable(value) and not inspect.isclass(value) and callable(getattr(theirs, name, None)):
                yield prefix + name


def converted(value: Any, **options: Any) -> Any:
    """Arguments for gpugrad: arrays as tensors, in lists too."""
    if isinstance(value, numpy.ndarray):
        return gg.tensor(value, **(options if value.dtype.kind == "f" else {}))
    return [converted(v, **options) for v in value] if isinstance(value, list) else value


def seconds(run: Callable[[], Any], times: int) -> float:
    """The time of one call, of so many in a row."""
    start = time.perf_counter()
    for _ in range(times):
        run()
    return (time.perf_counter() - start) / times


def measure(name: str, size: int, budget: float) -> dict[str, Any]:
    """NumPy, gpugrad on constants and gpugrad on variables in turn."""
    prefix, _, short = name.rpartition(".")
    ours, theirs = (getattr(module, short) for module in NAMESPACES[prefix and prefix + "."])
    given, options = CASES[name](size), KEYWORDS.get(name, {})
    constants = [converted(v) for v in given]
    variables = [converted(v, requires_grad=True) for v in given]
    runs = (
        lambda: theirs(*given, **options, **NUMPYS_KEYWORDS.get(name, {})),
        lambda: ours(*constants, **options),
        lambda: ours(*variables, **options),
    )
    y, *_ = [run() for run in runs]
    parts = [part for part in (y if isinstance(y, tuple | list) else [y]) if isinstance(part, numpy.ndarray)]
    arrays = [v for v in given if isinstance(v, numpy.ndarray)]
    view = name in UNWRITTEN or any(numpy.may_share_memory(part, a) for part in parts for a in arrays)
    one = seconds(runs[0], 3)
    times = max(1, min(50, int(1e-4 / one)))
    repeats = max(9, min(100, int(budget / (times * one * 3))))
    gc.collect()
    gc.disable()
    found = [tuple(seconds(run, times) for run in runs) for _ in range(repeats)]
    gc.enable()
    return {
        "function": name,
        "elements": size,
        "view": view,
        "numpy_us": round(statistics.median(t[0] for t in found) * 1e6, 2),
        "ratio": round(statistics.median(t[1] / t[0] for t in found), 2),
        "ratio_recorded": round(statistics.median(t[2] / t[0] for t in found), 2),
    }


def machine() -> dict[str, Any]:
    """What it ran on."""
    info = Path("/proc/cpuinfo")
    cpu = platform.processor() or platform.machine()
    if info.exists():
        cpu = next((line.split(":")[1].strip() for line in info.read_text().splitlines() if "model name" in line), cpu)
    root = Path(__file__).parent.parent
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, cwd=root)
    return {
        "date": date.today().isoformat(), "cpu": cpu, "cores": os.cpu_count(), "python": platform.python_version(),
        "numpy": numpy.__version__, "gpugrad": gg.__version__, "commit": commit.stdout.strip(),
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=int, nargs="+", default=list(BOUNDS))
    parser.add_argument("--only", nargs="+", help="these functions")
    parser.add_argument("--budget", type=float, default=0.3, help="seconds for each function and size")
    parser.add_argument("--out", type=Path, help="write the figures here as JSON")
    options = parser.parse_args()
    gg.set_default_device("cpu")
    numpy.seterr(all="ignore")
    known = list(counterparts())
    missing = sorted(set(known) - CASES.keys() - NOT_MEASURED.keys())
    table: list[dict[str, Any]] = []
    failed: dict[str, str] = {}
    for name in options.only or [name for name in known if name in CASES]:
        for size in options.sizes:
            try:
                table.append(measure(name, size, options.budget))
            except Exception as error:  # noqa: BLE001  the others are to be measured all the same
                failed[name] = f"{type(error).__name__}: {error}"
    for size in options.sizes:
        bound = BOUNDS.get(size, math.inf)
        print(f"{size} elements, bound {bound}" + "\n" + f"{'':24}{'numpy us':>12}{'ratio':>8}{'recorded':>10}")
        for entry in sorted((e for e in table if e["elements"] == size), key=lambda e: -e["ratio"]):
            mark = " view" if entry["view"] else " *" if entry["ratio"] > bound else ""
            print(
                f"{entry['function']:24}{entry['numpy_us']:12.2f}{entry['ratio']:8.2f}{entry['ratio_recorded']:10.2f}{mark}"
            )
    if failed:
        print("failed:", *(f"  {name}: {why}" for name, why in failed.items()), sep="\n")
    if missing:
        print("not measured, add an entry to CASES:", *missing)
    if options.out:
        result = {"machine": machine(), "bounds": BOUNDS, "not_measured": missing, "failed": failed, "functions": table}
        options.out.write_text(json.dumps(result, indent=2) + "\n")
    if failed or missing:
        sys.exit(1)


if __name__ == "__main__":
    main()
