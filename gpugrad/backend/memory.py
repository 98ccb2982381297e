"""Out-of-memory messages: the usage, and the largest live arrays that debug mode has recorded."""

from __future__ import annotations

import re
from typing import Any
from weakref import ref

from .. import formats
from .device import Device
from .registry import BACKENDS, device_of
from .usage import Usage

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
    return [f"{formats.size(a.nbytes):>12}  {a.dtype} {a.shape}, made at {line}" for a, line in here[:most]]


def out_of_memory(error: BaseException, device: Device, usage: Usage) -> str:
    """An array library's error, told with what was asked for, what is in use, and the largest tensors."""
    asked = re.search(r"allocating ([\d,]+) bytes", str(error))
    wanted = f"{formats.size(int(asked[1].replace(',', '')))} asked for" if asked else str(error)
    parts = [f"{formats.size(usage.used)} in use"]
    if usage.held is not None:
        parts.append(f"{formats.size(usage.held)} held by the pool")
    parts.append(f"{formats.size(usage.free)} of {formats.size(usage.total)} free")
    limit = re.search(r"limit set to: ([\d,]+) bytes", str(error))
    if limit:
        parts.append(f"the pool's limit is {formats.size(int(limit[1].replace(',', '')))}")
    listed = largest(device)
    more = "".join("\n" + line for line in ["the largest tensors:", *listed]) if listed else \
        "; gg.debug() shows the largest tensors and the lines that made them"  # fmt: skip
    return f"out of memory on {device}: {wanted}, {', '.join(parts)}{more}"
