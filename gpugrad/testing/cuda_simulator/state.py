"""What the simulated machine has and has done: its devices, the current one, the settings, the counters."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from math import prod
from typing import Any

DEVICE_MEMORY = 16 * 2**30
PRODUCTS = frozenset({"matmul", "dot"})


class CUDARuntimeError(RuntimeError):
    """An error code of the CUDA runtime."""

    def __init__(self, status: int, name: str, text: str) -> None:
        self.status = status
        super().__init__(f"{name}: {text}")


@dataclass
class Counters:
    """How often the program did what costs time on a GPU."""

    launches: int = 0
    """Kernels started: each function call on arrays that is no view counts one, whatever CuPy needs for it."""
    host_to_device: int = 0
    device_to_host: int = 0
    synchronizations: int = 0
    """How often the host waited for the device."""
    allocations: int = 0
    side_copies: int = 0
    """How many of the copies between host and device were queued on a stream of their own."""
    kernels: Counter[str] = field(default_factory=Counter)
    """Launches by name: of the function, or of the raw kernel."""
    moved: Counter[str] = field(default_factory=Counter)
    """Bytes that the launches of that name read and wrote, at least: those of each array that a launch was given, and
    of each that it made. What a raw kernel changes in place counts once, since it does not say so."""
    multiplied: int = 0
    """Multiplications and additions in products of matrices."""

    def launch(self, name: str, *touched: Any) -> None:
        """Count one launch that reads or writes these arrays, given as NumPy's."""
        self.launches += 1
        self.kernels[name] += 1
        self.moved[name] += sum(map(_extent, touched))
        if name in PRODUCTS and len(touched) == 3:
            first, _, result = touched
            self.multiplied += 2 * result.size * first.shape[-1] if first.ndim else 0

    def fetch(self, aside: bool = False, blocking: bool = True) -> None:
        """Count one copy to the host, which waits for the device unless it was told not to."""
        self.device_to_host += 1
        self.side_copies += aside
        self.synchronizations += blocking

    def reset(self) -> None:
        """Back to zero."""
        self._set(Counters())

    def copy(self) -> Counters:
        return Counters(self.launches, self.host_to_device, self.device_to_host, self.synchronizations,
                        self.allocations, self.side_copies, Counter(self.kernels), Counter(self.moved),
                        self.multiplied)  # fmt: skip

    def _set(self, other: Counters) -> None:
        self.__dict__.update(other.__dict__)

    def __sub__(self, other: Counters) -> Counters:
        return Counters(
            self.launches - other.launches,
            self.host_to_device - other.host_to_device,
            self.device_to_host - other.device_to_host,
            self.synchronizations - other.synchronizations,
            self.allocations - other.allocations,
            self.side_copies - other.side_copies,
            self.kernels - other.kernels,
            self.moved - other.moved,
            self.multiplied - other.multiplied,
        )


def _extent(values: Any) -> int:
    """The bytes of an array, broadcast axes once."""
    if not values.size:
        return 0
    steps = zip(values.shape, values.strides, strict=True)
    return int(values.itemsize * prod(n for n, step in steps if step))


class Machine:
    """The simulated machine."""

    def __init__(self) -> None:
        self.devices = 1
        self.memory = DEVICE_MEMORY
        self.thread_order = 0
        self.guarded = False
        self.lag = 0
        """The seed of :func:`~.lag.lag`; 0: work is done when it is queued."""
        self._local = threading.local()

    @property
    def current(self) -> int:
        """The current device of this thread."""
        return getattr(self._local, "device", 0)

    @current.setter
    def current(self, device: int) -> None:
        self._local.device = device

    def settings(self) -> dict[str, Any]:
        """What :meth:`set` restores."""
        names = ("devices", "memory", "thread_order", "guarded", "lag", "current")
        return {name: getattr(self, name) for name in names}

    def set(self, settings: dict[str, Any]) -> None:
        for name, value in settings.items():
            setattr(self, name, value)


machine = Machine()
counters = Counters()


@contextmanager
def count() -> Iterator[Counters]:
    """Count what happens inside a ``with`` block; the counters are filled in at its end."""
    before = counters.copy()
    seen = Counters()
    try:
        yield seen
    finally:
        seen._set(counters - before)


def set_thread_order(seed: int) -> None:
    """Run the threads of a block, and the blocks, in an order drawn anew from ``seed`` between barriers.

    Args:
        seed: 0 is the natural order. A kernel whose result depends on the seed has a race.
    """
    machine.thread_order = int(seed)


@contextmanager
def thread_order(seed: int) -> Iterator[None]:
    """:func:`set_thread_order` inside a ``with`` block."""
    before = machine.thread_order
    set_thread_order(seed)
    try:
        yield
    finally:
        machine.thread_order = before


@contextmanager
def guarded() -> Iterator[None]:
    """Place what is allocated inside a ``with`` block against memory that nobody may touch.

    Without it, a write within 256 bytes of an array is found, and a far one if it hits nothing; with it, the first
    access past the end of an array stops the kernel, reads included. Each allocation then costs three pages.
    """
    before = machine.guarded
    machine.guarded = True
    try:
        yield
    finally:
        machine.guarded = before
