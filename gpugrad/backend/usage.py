"""How many bytes of a device there are, and who has them."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Usage:
    """Bytes of a device; None where they are not known.

    Attributes:
        used: taken by arrays; on the CPU, by the process.
        held: taken from the device, ``used`` and what the pool keeps for later.
        free: left on the device, for this and other processes.
        total: of the device.
    """

    used: int | None = None
    held: int | None = None
    free: int | None = None
    total: int | None = None


def process_memory() -> Usage:
    """Memory of this process and of the machine, as far as the system says without further packages."""
    used = free = total = None
    try:
        page = os.sysconf("SC_PAGE_SIZE")
        total = page * os.sysconf("SC_PHYS_PAGES")
        free = page * os.sysconf("SC_AVPHYS_PAGES")
        used = page * int(Path("/proc/self/statm").read_text().split()[1])
    except (AttributeError, OSError, ValueError):  # not Linux: the largest it ever was
        if sys.platform != "win32":
            import resource

            used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    return Usage(used=used, free=free, total=total)
