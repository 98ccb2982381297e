"""What is in memory: a summary for the user, and what to say when there is no more."""

from __future__ import annotations

import re
from typing import Any
from weakref import ref

from .device import Device
from .registry import BACKENDS, device_of
from .selection import backend_for, default_device
from .usage import size_text

LARGEST = 10
"""How many tensors are listed."""


class Live:
    """The arrays that were made in debug mode and are still there, with the line that made each."""

    def __init__(self) -> None:
        self._arrays: dict[int, tuple[ref[Any], str]] = {}

    def note(self, array: Any, line: str) -> None:
        """Remember an array that has memory of its own."""
        if getattr(array, "base", None) is not None or not array.size:
            return
        key = id(array)
        known = self._arrays.get(key)
        if known is None or known[0]() is not array:
            self._arrays[key] = ref(array, lambda gone: self._forget(key, gone)), line

    def _forget(self, key: int, gone: ref[Any]) -> None:
        known = self._arrays.get(key)
        if known is not None and known[0] is gone:
            del self._arrays[key]

    def arrays(self) -> list[tuple[Any, str]]:
        """The arrays that are left, the largest first."""
        found = [(array, line) for array, line in ((r(), line) for r, line in list(self._arrays.values()))
                 if array is not None]  # fmt: skip
        return sorted(found, key=lambda pair: -pair[0].nbytes)


live = Live()


def largest(device: Device, most: int = LARGEST) -> list[str]:
    """A line for each of the largest arrays on ``device`` that debug mode has seen being made."""
    here = [(array, line) for array, line in live.arrays() if type(array) in BACKENDS and device_of(array) == device]
    return [f"{size_text(a.nbytes):>12}  {a.dtype} {a.shape}, made at {line}" for a, line in here[:most]]


def memory_summary(device: Device | str | None = None) -> str:
    """What is in the memory of a device: bytes used by arrays, kept by CuPy's pool, free, and of the whole device.

    Tensors made in debug mode (``gg.debug()``) are listed, the largest first, with shape, dtype, bytes and the line
    that made them. On the CPU, "in use" is the memory of the process.

    Args:
        device: None for the default device.

    Returns:
        Lines of text; sizes in binary units (1 KiB = 1024 B).

    Raises:
        RuntimeError: there is no such device.

    Source: ``torch.cuda.memory_summary``.

    >>> import gpugrad as gg
    >>> print(gg.memory_summary("cpu"))  # doctest: +ELLIPSIS
    cpu
      in use      ...
      free        ...
      total       ...
    """
    place = default_device() if device is None else Device(device)
    usage = backend_for(place).memory(place)
    rows = [("in use", usage.used), ("free", usage.free), ("total", usage.total)]
    if usage.held is not None:
        rows.insert(1, ("held by the pool", usage.held))
    lines = [str(place), *(f"  {name:<18}{size_text(size):>12}" for name, size in rows)]
    listed = largest(place)
    return "\n".join([*lines, "  largest tensors made in debug mode", *listed] if listed else lines)


def out_of_memory(error: BaseException, device: Device) -> str:
    """An array library's error, told with what was asked for, what is in use, and the largest tensors."""
    usage = backend_for(device).memory(device)
    asked = re.search(r"allocating ([\d,]+) bytes", str(error))
    wanted = f"{size_text(int(asked[1].replace(',', '')))} asked for" if asked else str(error)
    parts = [f"{size_text(usage.used)} in use"]
    if usage.held is not None:
        parts.append(f"{size_text(usage.held)} held by the pool")
    parts.append(f"{size_text(usage.free)} of {size_text(usage.total)} free")
    limit = re.search(r"limit set to: ([\d,]+) bytes", str(error))
    if limit:
        parts.append(f"the pool's limit is {size_text(int(limit[1].replace(',', '')))}")
    listed = largest(device)
    more = "".join("\n" + line for line in ["the largest tensors:", *listed]) if listed else \
        "; gg.debug() shows the largest tensors and the lines that made them"  # fmt: skip
    return f"out of memory on {device}: {wanted}, {', '.join(parts)}{more}"
