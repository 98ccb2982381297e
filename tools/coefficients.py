"""Compute the polynomials of ``gpugrad/expressions/coefficients.py`` and write that file.

Each polynomial is the Chebyshev interpolation, in 60 digits, of a function without the terms that the code adds
exactly. Its degree is chosen so that the error of the whole function stays below a fraction of a unit in the last
place. Run ``python tools/coefficients.py``; it prints the relative error of each.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

from mpmath import mp, mpf

mp.dps = 60
TARGET = Path(__file__).parent.parent / "gpugrad" / "expressions" / "coefficients.py"


def taylor_safe(function: Callable[[Any], Any], at_zero: Any) -> Callable[[Any], Any]:
    """The function, and its limit near 0, where it is a quotient of small numbers."""
    return lambda x: mpf(at_zero) if abs(x) < mpf(10) ** -25 else function(x)


def fit(function: Callable[[Any], Any], low: Any, high: Any, count: int) -> tuple[list[Any], Any]:
    """``count`` coefficients, the highest power first, and the largest error on the interval."""
    coefficients, error = mp.chebyfit(function, [mpf(low), mpf(high)], count, error=True)
    return coefficients, error


def odd(function: Callable[[Any], Any], first: Any, power: int) -> Callable[[Any], Any]:
    """``(function(x) / x - first) / x^power`` as a function of ``z = x^2``."""

    def quotient(z: Any) -> Any:
        x = mp.sqrt(z)
        return (function(x) / x - first) / x**power

    return quotient


def scaled_erfc(t: Any) -> Any:
    """``erfc(x) e^(x^2) / u`` with ``u = 1 / (1 + x / 4) = 1 / 2 + t``."""
    u = t + 0.5
    x = (1 / u - 1) * 4
    return mp.erfc(x) * mp.exp(x * x) / u


def scaled(x: Any) -> Any:
    """``t`` of :func:`scaled_erfc`."""
    return 1 / (1 + mpf(x) / 4) - 0.5


HALF_LOG = mp.log(2) / 2 * mpf("1.0001")
ROOT = mp.sqrt(2)
QUARTER = mp.pi / 4 * mpf("1.0001")
SMALL = mpf(10) ** -12  # where a quotient would cancel; the polynomial is as good there

# name: function, and by size: an interval and the number of coefficients
POLYNOMIALS: dict[str, tuple[Callable[[Any], Any], dict[int, tuple[Any, Any, int]]]] = {
    "EXP": (
        taylor_safe(lambda r: (mp.expm1(r) - r) / r**2, 0.5),
        {32: (-HALF_LOG, HALF_LOG, 5), 64: (-HALF_LOG, HALF_LOG, 10)},
    ),
    "LOG": (
        taylor_safe(lambda f: (mp.log1p(f) - f + f * f / 2) / f**3, mpf(1) / 3), {32: (1 / ROOT - 1, ROOT - 1, 9)}
    ),
    "LOG1P": (taylor_safe(lambda t: (mp.log1p(t) - t) / t**2, mpf(-1) / 2), {32: (SMALL, mpf("1.0001"), 11)}),
    "ATANH": (odd(lambda s: 2 * mp.atanh(s), 2, 2), {64: (SMALL, mpf("0.0295"), 8)}),
    "TANH": (odd(mp.tanh, 1, 2), {32: (SMALL, mpf("0.317"), 5), 64: (SMALL, mpf("0.317"), 12)}),
    "ERF": (odd(mp.erf, 1, 0), {32: (SMALL, mpf("1.001"), 7), 64: (SMALL, mpf("1.001"), 13)}),
    "ERFC": (scaled_erfc, {32: (scaled("10.5"), scaled("0.74"), 10), 64: (scaled(28), scaled("0.74"), 22)}),
    "SIN": (odd(mp.sin, 1, 2), {32: (SMALL, QUARTER**2, 4), 64: (SMALL, QUARTER**2, 7)}),
    "COS": (
        lambda z: (mp.cos(mp.sqrt(z)) - 1 + z / 2) / z**2, {32: (SMALL, QUARTER**2, 4), 64: (SMALL, QUARTER**2, 7)}
    ),
}  # fmt: skip

HEAD = '''"""Coefficients of the polynomials in ``llvm_math.py``, highest power first, for float32 and float64.

Written by ``tools/coefficients.py``, which states what they approximate.
"""

'''


def main() -> None:
    text = HEAD
    for name, (function, fits) in POLYNOMIALS.items():
        for bits, (low, high, count) in fits.items():
            found, error = fit(function, low, high, count)
            middle = function((low + high) / 2)
            print(f"{name}_{bits}: {count} coefficients, error {mp.nstr(error / abs(middle), 3)} of the middle")
            if name == "ERFC":  # the last two in two parts
                high = [float(c) for c in found[-2:]]
                if bits == 32:
                    high = [struct.unpack("f", struct.pack("f", c))[0] for c in high]
                found = [*found[:-2], *high, *(c - mpf(h) for c, h in zip(found[-2:], high, strict=True))]
            text += f"{name}_{bits} = (\n" + "".join(f"    {float(c)!r},\n" for c in found) + ")\n"
    TARGET.write_text(text)


if __name__ == "__main__":
    main()
