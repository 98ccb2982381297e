"""The NVIDIA driver, asked without CuPy."""

from __future__ import annotations

import ctypes
import sys


def version() -> int | None:
    """The newest CUDA that the machine's NVIDIA driver can run, 13020 for 13.2; None if there is no driver."""
    library = "nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1"
    found = ctypes.c_int()
    try:
        status = ctypes.CDLL(library).cuDriverGetVersion(ctypes.byref(found))
    except (OSError, AttributeError):
        return None
    return found.value if status == 0 and found.value else None


def extra(driver: int | None) -> str:
    """The extra of gpugrad that brings the CuPy for a driver.

    >>> extra(12080), extra(13020), extra(None)
    ('cuda12', 'cuda13', 'cuda13')
    """
    return "cuda12" if driver is not None and driver < 13000 else "cuda13"


def dotted(number: int) -> str:
    """CUDA's 13020 is version 13.2.

    >>> dotted(13020)
    '13.2'
    """
    return f"{number // 1000}.{number % 1000 // 10}"
