"""The C library's allocator: keep freed memory for the next arrays.

A training step frees large arrays and allocates arrays of the same sizes again. By default glibc returns such memory to
the system, and the kernel fills every page with zeros when it is used again: 15 to 25 % of a step. PyTorch processes
rarely see this, since their heap is rarely free at its end.
"""

from __future__ import annotations

import ctypes
import os
import sys

VARIABLE = "GPUGRAD_KEEP_MEMORY"

OF_GLIBC = ("MALLOC_MMAP_THRESHOLD_", "MALLOC_TRIM_THRESHOLD_", "MALLOC_TOP_PAD_", "GLIBC_TUNABLES")
"""Variables by which users set the allocator themselves."""

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3
"""Parameters of ``mallopt``, from ``malloc.h``."""

LARGEST = 32 * 2**20
"""Larger arrays are still returned at once. It is the limit up to which glibc raises this threshold by itself."""

KEPT = 2**30
"""Bytes that are kept at most."""


def keep_memory() -> bool:
    """Let glibc keep up to ``KEPT`` bytes of freed memory, and return whether it does.

    Nothing happens with another C library, with ``GPUGRAD_KEEP_MEMORY=0``, or if the user sets the allocator.
    """
    if not sys.platform.startswith("linux") or os.environ.get(VARIABLE) == "0" or any(map(os.environ.get, OF_GLIBC)):
        return False
    library = ctypes.CDLL(None)
    if not hasattr(library, "gnu_get_libc_version"):
        return False
    mallopt = library.mallopt
    return bool(mallopt(M_MMAP_THRESHOLD, LARGEST) and mallopt(M_TRIM_THRESHOLD, KEPT))
