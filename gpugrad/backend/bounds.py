"""Indices out of bounds on a GPU: a kernel looks at them there, and the host at what it found, when it waits anyway.

Each stream has a report of four 64-bit integers: whether there is one, the number of the check, the value that is out
of bounds, the size. A check is a launch that nobody waits for. When the host has waited for the stream for another
reason, and something was checked there since the last time, it reads the report, empties it, and raises. A report is
made, written and read in the order of its stream, so it is never read half-written.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import TYPE_CHECKING, Any, Protocol

import numpy

if TYPE_CHECKING:
    from .registry import Array

NAME = "out_of_bounds"

TYPES = {
    "int8": "signed char", "int16": "short", "int32": "int", "int64": "long long",
    "uint8": "unsigned char", "uint16": "unsigned short", "uint32": "unsigned int", "uint64": "unsigned long long",
}  # fmt: skip
"""What an index can be made of."""


@cache
def source(dtype: str) -> str:
    """The CUDA source that reports the first integer outside [low, high) that it meets; one thread an integer."""
    return f"""
typedef {TYPES[dtype]} I;

extern "C" __global__ void {NAME}(const I* __restrict__ index, long long n, long long low, long long high,
    long long skip, long long ignored, long long check, unsigned long long* report) {{
    const long long i = blockIdx.x * (long long)blockDim.x + threadIdx.x;
    if (i >= n) return;
    const long long value = (long long)index[i];
    if ((value >= low && value < high) || (skip && value == ignored)) return;
    if (atomicCAS(report, 0ull, 1ull)) return;  // there is a report
    report[1] = (unsigned long long)check;
    report[2] = (unsigned long long)value;
    report[3] = (unsigned long long)high;
}}
"""


class Machine(Protocol):
    """What :class:`Bounds` asks of the backend whose devices it checks for."""

    def device_id(self, array: Array) -> int: ...
    def stream_id(self, device: int) -> Any: ...
    def new_report(self, device: int) -> Array: ...
    def report(self, index: Array, number: int, low: int, high: int, ignored: int | None, into: Array) -> None: ...
    def take(self, report: Array) -> list[int]: ...


class Bounds:
    """The checks of one backend's devices, and which of them nobody has looked at yet."""

    def __init__(self, owner: Machine) -> None:
        self.owner = owner
        self.pending: dict[int, set[Any]] = {}
        """For each device with checks since the last look, the streams they were launched on. Empty: nothing to do."""
        self.reports: dict[tuple[int, Any], Array] = {}
        """The report of each device and stream."""
        self._texts: list[tuple[type[Exception], str]] = []
        self._numbers: dict[Any, int] = {}

    def check_index(self, index: Any, shape: tuple[int, ...], name: str) -> None:
        """Look at the integer arrays of an index, without waiting for what is found; at numbers at once.

        Raises:
            IndexError: a number is out of bounds, or an array cannot but be; arrays do not broadcast.
        """
        shapes: list[tuple[int, ...]] = []
        for entry, axis, size in indexed_axes(index, shape):
            if type(entry) is int:
                if not -size <= entry < size:
                    raise IndexError(f"index {entry} is out of bounds for axis {axis} with size {size}")
            elif entry.dtype.kind in "iu" and entry.size:
                if not size:
                    raise IndexError(f"an index is out of bounds for axis {axis} with size 0")
                number = self._numbers.get((name, axis))
                if number is None:
                    text = f"{name}: index {{value}} is out of bounds for axis {axis} with size {{size}}"
                    number = self._number((name, axis), text)
                self.launch(entry, number, -size, size)
                shapes.append(entry.shape)
        if len(shapes) > 1 and len(set(shapes)) > 1:
            try:
                numpy.broadcast_shapes(*shapes)
            except ValueError:
                raise IndexError(
                    f"shape mismatch: indexing arrays could not be broadcast together with shapes {shapes}"
                ) from None

    def check_labels(self, labels: Array, classes: int, ignored: int | None, name: str) -> None:
        """Look at class labels, without waiting for what is found."""
        if labels.size:
            number = self._numbers.get(name)
            if number is None:
                number = self._number(name, f"{name}: label {{value}} is out of range for {{size}} classes")
            self.launch(labels, number, 0, classes, ignored)

    def check_values(self, wrong: Array, text: str) -> None:
        """Look at bytes, which are 1 where a value cannot be, without waiting for what is found."""
        if wrong.size:
            number = self._numbers.get(text)
            if number is None:
                number = self._number(text, text.replace("{", "{{").replace("}", "}}"), ValueError)
            self.launch(wrong, number, 0, 1)

    def _number(self, key: Any, text: str, error: type[Exception] = IndexError) -> int:
        self._texts.append((error, text))
        number = self._numbers[key] = len(self._texts) - 1
        return number

    def launch(self, index: Array, number: int, low: int, high: int, ignored: int | None = None) -> None:
        """Start one check on the current stream of the device of ``index``."""
        device = self.owner.device_id(index)
        key = device, self.owner.stream_id(device)
        report = self.reports.get(key)
        if report is None:
            report = self.reports[key] = self.owner.new_report(device)
        self.owner.report(index, number, low, high, ignored, report)
        waiting = self.pending.get(device)
        if waiting is None:
            self.pending[device] = {key[1]}
        else:
            waiting.add(key[1])

    def found(self, device: int, everything: bool = False) -> tuple[type[Exception], str] | None:
        """What was found on a device, now that the host has waited for its current stream; None if nothing.

        Args:
            device: its number.
            everything: the host has waited for all streams.

        Returns:
            The kind of error, and what to say.
        """
        waiting = self.pending.get(device)
        if not waiting:
            return None
        stream = self.owner.stream_id(device)
        look = [*waiting] if everything else [stream] if stream in waiting else []
        waiting.difference_update(look)
        if not waiting:
            del self.pending[device]
        first = None
        for one in look:
            there, number, value, size = self.owner.take(self.reports[device, one])
            if there and first is None:
                error, text = self._texts[number]
                first = error, text.format(value=value, size=size)
        return first


def indexed_axes(index: Any, shape: tuple[int, ...]) -> Iterator[tuple[Any, int, int]]:
    """The integers and arrays of an index, each with its axis and the size of that; those beyond the last are left out.

    >>> list(indexed_axes((1, slice(None), 5, ..., -1), (2, 3, 4, 5, 6)))
    [(1, 0, 2), (5, 2, 4), (-1, 4, 6)]
    """
    entries = index if isinstance(index, tuple) else (index,)
    axis = 0
    for place, entry in enumerate(entries):
        if entry is Ellipsis:
            axis = len(shape) - sum(axes_taken(e) for e in entries[place:])
        elif entry is not None:
            if not isinstance(entry, slice) and axis < len(shape):
                yield entry, axis, shape[axis]
            axis += axes_taken(entry)


def axes_taken(entry: Any) -> int:
    """How many axes an entry of an index applies to."""
    if entry is None or entry is Ellipsis:
        return 0
    mask = getattr(getattr(entry, "dtype", None), "kind", "") == "b"
    return int(entry.ndim) if mask else 1
