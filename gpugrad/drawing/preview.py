"""What a picture tells of a number or an array: a few numbers, the smallest and the largest, a short text."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from .. import backend
from ..backend import NAMESPACES

SHOWN = 16
"""So many elements of an array are noted."""

Number = float | str
"""A number as JSON can hold it: ``nan`` and infinities are words."""


@dataclass(frozen=True)
class Preview:
    """What is shown of a value. It keeps no array.

    Attributes:
        text: in few letters, ``-2.00``.
        number: of a single element; None for complex ones and for arrays.
        shape: of the value.
        numbers: the first elements, row by row.
        low, high: the smallest and the largest element; None where there is none, or no order.
    """

    text: str
    number: Number | None
    shape: tuple[int, ...]
    numbers: tuple[Number, ...]
    low: Number | None
    high: Number | None

    def to_dict(self) -> dict[str, Any]:
        """As JSON has it."""
        return {
            "text": self.text, "number": self.number, "shape": list(self.shape), "numbers": list(self.numbers),
            "low": self.low, "high": self.high,
        }  # fmt: skip


def short(x: Number) -> str:
    """A number in few letters, two digits after the point where that tells it.

    >>> short(-2.0), short(0.0123), short(123456.0), short(-0.0), short("nan")
    ('-2.00', '0.012', '1.23e+05', '0.00', 'nan')
    """
    if isinstance(x, str):
        return x
    size = abs(x)
    if size == 0:
        return "0.00"
    if size < 0.1:
        return f"{x:.2g}"
    return f"{x:.2f}" if size < 1e4 else f"{x:.3g}"


def to_number(x: Any) -> Number:
    """A real number as JSON can hold it.

    >>> to_number(1), to_number(float("-inf"))
    (1.0, '-inf')
    """
    value = float(x)
    return value if math.isfinite(value) else str(value)


def preview(value: Any) -> Preview:
    """What to show of an array of any device, or of a Python number.

    >>> preview(-2.0).text
    '-2.00'
    >>> import numpy
    >>> preview(numpy.arange(3.0)).text, preview(numpy.zeros((2, 50))).text
    ('[0.00, 1.00, 2.00]', '0.00 … 0.00')
    """
    if not backend.is_array(value):
        return _of_number(value.item() if hasattr(value, "item") else value, ())
    shape = tuple(value.shape)
    size = math.prod(shape)
    if size == 0:
        return Preview("empty", None, shape, (), None, None)
    if size == 1:
        return _of_number(backend.to_host(value).item(), shape)
    with backend.beside(value):
        xp = NAMESPACES[type(value)]
        first = backend.to_host(xp.reshape(value, (-1,))[:SHOWN]).tolist()
        if value.dtype.kind == "c":
            return Preview(f"{size} complex numbers", None, shape, (), None, None)
        ends = [first]
        if size > SHOWN:
            ends = [[backend.to_host(xp.asarray(end(value))).item()] for end in (xp.min, xp.max)]
    numbers = tuple(to_number(x) for x in first)
    found = [to_number(x) for end in ends for x in end]
    words = [x for x in found if isinstance(x, str)]
    low: Number = "nan" if "nan" in words else "-inf" if "-inf" in words else to_number(_end(found, min))
    high: Number = "nan" if "nan" in words else "inf" if "inf" in words else to_number(_end(found, max))
    whole = value.dtype.kind in "biu"
    text = f"[{', '.join(_word(x, whole) for x in numbers)}]" if len(shape) == 1 and size <= 3 else (
        f"{_word(low, whole)} … {_word(high, whole)}"
    )  # fmt: skip
    return Preview(text, None, shape, numbers, low, high)


def _end(found: list[Number], choose: Any) -> float:
    return float(choose(float(x) for x in found))


def _word(x: Number, whole: bool) -> str:
    return str(int(x)) if whole and not isinstance(x, str) else short(x)


def _of_number(x: Any, shape: tuple[int, ...]) -> Preview:
    if isinstance(x, complex):
        text = f"{short(to_number(x.real))}{'' if x.imag < 0 else '+'}{short(to_number(x.imag))}i"
        return Preview(text, None, shape, (), None, None)
    number = to_number(x)
    text = str(x) if isinstance(x, bool | int) else short(number)
    return Preview(text, number, shape, (number,), number, number)
