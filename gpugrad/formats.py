"""Numbers, sizes and times as people read them."""

from __future__ import annotations

import math
from typing import Any


def number(value: float) -> str:
    """A number with four digits, as short as it goes.

    >>> [number(v) for v in (0.5, 1234.5678, 12345.6, 1e-7, 0.0)]
    ['0.5', '1235', '12,346', '1e-07', '0']
    """
    return f"{value:.4g}" if abs(value) < 1e4 else f"{value:,.0f}" if abs(value) < 1e7 else f"{value:.3g}"


def short(value: float | None) -> str:
    """A number with three digits; nothing for None.

    >>> short(0.012345), short(None)
    ('0.0123', '')
    """
    return "" if value is None else f"{value:.3g}"


def measured(name: str, value: Any) -> str:
    """A metric with four digits after the point; a share whose name says accuracy, in percent; others as they are.

    >>> measured("loss", 0.25), measured("loss", 1e-7), measured("val accuracy", 0.987)
    ('0.2500', '1e-07', '98.70 %')
    """
    value = value.item() if hasattr(value, "item") else value
    if not isinstance(value, float):
        return str(value)
    if "accuracy" in name and 0 <= value <= 1:
        return percent(value)
    return f"{value:.4f}" if 1e-3 <= abs(value) < 1e4 or not value else short(value)


def percent(share: float) -> str:
    """A share of 1, or a number where it is not finite.

    >>> percent(0.9876), percent(math.nan)
    ('98.76 %', 'nan')
    """
    return f"{100 * share:.2f} %" if math.isfinite(share) else number(share)


def rate(value: float) -> str:
    """How many in a second.

    >>> rate(1234.5), rate(1.25)
    ('1,234', '1.2')
    """
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}"


def size(count: float | None, digits: int = 2) -> str:
    """A number of bytes.

    >>> size(512), size(3 * 2**20), size(2048, digits=1), size(None)
    ('512 B', '3.00 MiB', '2.0 KiB', 'unknown')
    """
    if count is None:
        return "unknown"
    units = ["B", "KiB", "MiB", "GiB", "TiB"]
    value = float(count)
    while value >= 1024 and len(units) > 1:
        value /= 1024
        units.pop(0)
    return f"{count} B" if units[0] == "B" else f"{value:.{digits}f} {units[0]}"


def duration(seconds: float) -> str:
    """A time in its two largest units.

    >>> [duration(s) for s in (3.25, 75, 7500, 400_000)]
    ['3.2 s', '1 min 15 s', '2 h 5 min', '4 d 15 h']
    """
    hours, rest = divmod(round(seconds), 3600)
    minutes, left = divmod(rest, 60)
    if hours >= 100:
        return f"{hours // 24} d {hours % 24} h"
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {left} s" if minutes else f"{seconds:.1f} s"


def clock(seconds: float) -> str:
    """A time as on a clock.

    >>> clock(3725)
    '1:02:05'
    """
    hours, rest = divmod(round(seconds), 3600)
    return f"{hours}:{rest // 60:02d}:{rest % 60:02d}"
