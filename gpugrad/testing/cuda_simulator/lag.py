"""Streams that run late: :func:`lag`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from . import memory, queues
from .state import machine


def set_lag(seed: int) -> None:
    """Do the work of streams late from now on: as late as CUDA's rules allow, or some of it earlier.

    What was queued before is done first.

    Args:
        seed: 0: all work is done when it is queued. 1: as late as possible. Above: a schedule between, drawn from it.

    Raises:
        ValueError: the seed is negative.
        Exception: what went wrong in work that was queued before.
    """
    if seed < 0:
        raise ValueError(f"set_lag: the seed must be 0 or above, got {seed}")
    try:
        queues.finish()
    finally:
        memory.forget_spare()
        machine.lag = int(seed)
        queues.reseed(machine.lag)


@contextmanager
def lag(seed: int) -> Iterator[None]:
    """:func:`set_lag` inside a ``with`` block.

    >>> from gpugrad.testing import cuda_simulator
    >>> with cuda_simulator.installed() as cupy, cuda_simulator.lag(1):
    ...     side, array = cupy.cuda.Stream(non_blocking=True), cupy.zeros(3)
    ...     with side:
    ...         array += 1
    ...     too_early = array.get()
    ...     side.synchronize()
    >>> too_early.tolist(), array.get().tolist()
    ([0.0, 0.0, 0.0], [1.0, 1.0, 1.0])
    """
    before = machine.lag
    set_lag(seed)
    try:
        yield
    finally:
        set_lag(before)
