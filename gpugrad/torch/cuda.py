"""``torch.cuda``: what programs ask of the GPU. A program has one stream, and gives no memory back by hand."""

from __future__ import annotations

from typing import Any

from .. import backend, random
from ..backend import memory_summary, synchronize
from ..core import modes

KIND = backend.KINDS[1]

amp: Any = None
"""Set by :mod:`gpugrad.torch`."""


def is_available() -> bool:
    """Whether there is a GPU to compute on.

    >>> is_available() in (True, False)
    True
    """
    try:
        backend.backend_for(backend.Device(KIND))
    except RuntimeError:
        return False
    return True


def device_count() -> int:
    """How many GPUs there are."""
    count = 0
    while is_available():
        try:
            backend.backend_for(backend.placed(KIND, count))
        except RuntimeError:
            break
        count += 1
    return count


def current_device() -> int:
    """The number of the default device, if it is a GPU."""
    return modes.get_default_device().index


def manual_seed(seed: int) -> None:
    """The generator is one for all devices: as ``torch.manual_seed``."""
    random.default_generator.seed(int(seed) % 2**64)


manual_seed_all = manual_seed


def empty_cache() -> None:
    """Do nothing: memory that is not in use is used again by itself."""


def get_device_name(device: Any = None) -> str:
    """The name of a GPU."""
    wanted = backend.placed(KIND, device)
    return backend.backend_for(wanted).describe(wanted)


def max_memory_allocated(device: Any = None) -> int:
    """The bytes that the program has taken from a GPU: what its arrays had at most, up to now."""
    wanted = backend.placed(KIND, device)
    return int(backend.backend_for(wanted).memory(wanted).held or 0)


__all__ = [
    "amp", "current_device", "device_count", "empty_cache", "get_device_name", "is_available", "manual_seed",
    "manual_seed_all", "max_memory_allocated", "memory_summary", "synchronize",
]  # fmt: skip
