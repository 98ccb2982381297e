"""Outcomes of small calls of CuPy, as a line of text each: what ``cupy_outcomes.txt`` holds, and how to write it again.

A line of the table is a call, a tab, and its outcome:

    xp.sum(i, axis=0)     int64[3] 4 3 7
    xp.tan(s)             float32[] ?                the value depends on the device
    xp.sum(f, axis=5)     !AxisError                 what is raised
    xp.add.at(l, 0, 1)    None | l int64[2,3] ...    an input that the call has changed

``xp`` is ``cupy``, ``special`` is ``cupyx.scipy.special``, and the letters are the arrays of ``INPUTS``. To write the
table again, with the calls that it has, run this file where CuPy and a GPU are:

    python tests/testing/outcomes.py

What is ``?`` stays so. To add calls, append lines with an empty outcome first.
"""

from __future__ import annotations

import cmath
import math
import sys
import warnings
from pathlib import Path

import numpy

TABLE = Path(__file__).with_name("cupy_outcomes.txt")
_SIGNED = numpy.array([[1.5, -2.0, 0.0], [3.25, -0.5, 7.0]])
_WHOLE = numpy.array([[1, -2, 0], [3, 5, 7]])
_COMPLEX = numpy.array([[1.5 + 1j, -2 - 2j, 0], [3.25 + 3j, -0.5 + 5j, 7 + 7j]])
INPUTS = {
    "f": _SIGNED.astype("f4"),
    "d": _SIGNED,
    "h": _SIGNED.astype("f2"),
    "n": numpy.array([[numpy.nan, -2.0, numpy.inf], [3.25, -0.0, -numpy.inf]], "f4"),
    "i": _WHOLE.astype("i4"),
    "l": _WHOLE.astype("i8"),
    "u": numpy.array([[1, 2, 0], [3, 200, 7]], "u1"),
    "b": numpy.array([[True, False, True], [False, False, True]]),
    "c": _COMPLEX.astype("c8"),
    "z": _COMPLEX,
    "e": numpy.zeros((0, 3), "f4"),
    "s": numpy.array(2.5, "f4"),
    "v": numpy.array([3.0, 1.0, 2.0], "f4"),
    "k": numpy.array([2, 0, 1]),
    "w": numpy.arange(24, dtype="f4").reshape(2, 3, 4),
}
CHANGES = ("__", ".at(", "out=", "copyto", "fill", "sort()", "argsort(0)", "put_", "resize", "partition")
"""Calls with one of these may change an input."""


def table() -> dict[str, str]:
    """The calls and their outcomes."""
    lines = TABLE.read_text(encoding="utf-8").splitlines()
    return dict(line.split("\t") for line in lines)


def number(value) -> str:
    """Six digits, and no more characters than it takes."""
    if isinstance(value, bool):
        return str(int(value))
    if isinstance(value, complex):
        return f"{value.real:.6g}{value.imag:+.6g}j"
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def array(values: numpy.ndarray) -> str:
    """Dtype, shape and values."""
    shape = ",".join(map(str, values.shape))
    return " ".join([f"{values.dtype}[{shape}]", *map(number, values.ravel().tolist())])


def text(result, xp) -> str:
    """A result as the table writes it."""
    if isinstance(result, xp.ndarray):
        return array(xp.asnumpy(result))
    if isinstance(result, numpy.ndarray):
        return f"numpy {array(result)}"
    if isinstance(result, tuple | list):
        return f"{type(result).__name__}({'; '.join(text(entry, xp) for entry in result)})"
    if isinstance(result, numpy.generic):
        return f"{type(result).__name__} {number(result.item())}"
    if isinstance(result, numpy.dtype):
        return f"dtype {type(result).__name__}"
    if isinstance(result, bool | int | float | complex | str | bytes) or result is None:
        shown = number(result) if isinstance(result, int | float | complex) else repr(result)
        return f"{type(result).__name__} {shown}"
    return "callable" if callable(result) else type(result).__name__


class Calls:
    """Runs the calls of the table on the CuPy that is installed, or stands for it."""

    def __init__(self) -> None:
        import cupy
        import cupyx.scipy.special

        self.xp = cupy
        self.names = {"xp": cupy, "np": numpy, "special": cupyx.scipy.special}

    def outcome(self, call: str) -> str:
        """What a call gives, or raises."""
        given = {name: self.xp.asarray(values) for name, values in INPUTS.items() if name in call}
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                shown = text(eval(call, self.names | given), self.xp)
        except Exception as error:
            return f"!{type(error).__name__}"
        if any(part in call for part in CHANGES):
            for name, values in given.items():
                after = array(self.xp.asnumpy(values))
                if after != array(INPUTS[name]):
                    shown += f" | {name} {after}"
        return shown


def agree(outcome: str, expected: str) -> bool:
    """Whether an outcome is the expected one: to 1e-4, the signs of zeros too."""
    ours, theirs = outcome.split(" "), expected.split(" ")
    return len(ours) == len(theirs) and all(a == b or _close(a, b) for a, b in zip(ours, theirs, strict=True))


def _close(ours: str, theirs: str) -> bool:
    if theirs.rstrip(");") == "?":
        return True
    try:
        x, y = complex(ours.rstrip(");")), complex(theirs.rstrip(");"))
    except ValueError:
        return False
    if abs(x - y) <= 1e-4 * max(1, abs(y)):
        return x != 0 or y != 0 or math.copysign(1, x.real) == math.copysign(1, y.real)
    parts = ((x.real, y.real), (x.imag, y.imag))
    return not (cmath.isfinite(x) or cmath.isfinite(y)) and all(
        a == b or (a != a and b != b) or abs(a - b) <= 1e-4 * abs(b) for a, b in parts
    )


def main() -> None:
    """Write the table again."""
    calls, lines = Calls(), []
    for call, expected in table().items():
        outcome = calls.outcome(call)
        if expected and agree(outcome, expected):
            outcome = expected
        elif expected:
            print(f"{call}: {expected} is now {outcome}", file=sys.stderr)
        lines.append(f"{call}\t{outcome}\n")
    TABLE.write_text("".join(lines), encoding="utf-8")


if __name__ == "__main__":
    main()
