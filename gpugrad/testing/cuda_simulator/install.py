"""Putting the stand-in where ``import cupy`` finds it, and taking it away again."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any

from ... import backend
from . import modules, queues
from .lag import set_lag
from .memory import fresh_pool, pool_state
from .state import DEVICE_MEMORY, counters, machine
from .streams import reset as reset_streams

_replaced: list[tuple[dict[str, ModuleType], dict[str, Any], Any]] = []
"""For each installation, what it took the place of: modules, the machine's settings, the memory pool."""


def is_installed() -> bool:
    """Whether ``import cupy`` gives the stand-in now."""
    return bool(_replaced)


def install(devices: int = 1, memory: int = DEVICE_MEMORY, lag: int = 0) -> ModuleType:
    """Make ``import cupy`` give the stand-in, until :func:`uninstall`.

    Installed again, there is another machine until the second is uninstalled.

    Args:
        devices: how many GPUs the machine has.
        memory: bytes of each.
        lag: the seed of streams that run late, as for :func:`~.lag.set_lag`; 0: work is done when it is queued.

    Returns:
        the stand-in for ``cupy``.
    """
    if not _replaced:
        counters.reset()
    before = machine.settings()
    set_lag(0)
    _replaced.append((_remove(), before, pool_state()))
    machine.set({"devices": devices, "memory": memory, "thread_order": 0, "guarded": False, "current": 0})
    fresh_pool()
    reset_streams()
    made = modules.build()
    sys.modules.update(made)
    backend.forget_cuda()
    set_lag(lag)
    return made["cupy"]


def uninstall() -> None:
    """Give ``import cupy`` back what it gave before."""
    if not _replaced:
        return
    before, settings, pool = _replaced.pop()
    try:
        set_lag(0)
    finally:
        _remove()
        sys.modules.update(before)
        backend.forget_cuda()
        machine.set(settings)
        queues.reseed(machine.lag)
        fresh_pool(pool)
        reset_streams()


@contextmanager
def installed(devices: int = 1, memory: int = DEVICE_MEMORY, lag: int = 0) -> Iterator[ModuleType]:
    """:func:`install` inside a ``with`` block."""
    cupy = install(devices, memory, lag)
    try:
        yield cupy
    finally:
        uninstall()


def _remove() -> dict[str, Any]:
    names = [name for name in sys.modules if name.partition(".")[0] in ("cupy", "cupyx", "cupy_backends")]
    return {name: sys.modules.pop(name) for name in names}
