"""CuPy's cache of the kernels that it compiles itself: ``CUPY_CACHE_DIR``, else ``~/.cupy/kernel_cache``.

CuPy makes the folder when it is imported, and writes each kernel that it compiles. It fails where it cannot, as in a
container with a read-only file system; the image may then have a folder that was filled before.
"""

from __future__ import annotations

import atexit
import logging
import os
import shutil
import sys
import tempfile
from pathlib import Path

from .codecache import make_folder

logger = logging.getLogger("gpugrad")

SUFFIX = ".cubin"


def folder() -> Path:
    """The folder that CuPy uses."""
    return Path(os.environ.get("CUPY_CACHE_DIR") or os.path.expanduser("~/.cupy/kernel_cache"))


def kernels(path: Path) -> int:
    """The number of kernels in a folder."""
    return sum(1 for _ in path.glob(f"*{SUFFIX}")) if path.is_dir() else 0


def writable(path: Path) -> bool:
    """Whether CuPy can write to a folder, which is made if it is not there."""
    if path.parts[:1] == ("~",):  # no home
        return False
    try:
        make_folder(path)
        with tempfile.TemporaryFile(dir=path):
            return True
    except OSError:
        return False


def make_usable() -> None:
    """Before CuPy is imported: give it a temporary folder, with the kernels of its own, where that is not writable."""
    if "cupy" in sys.modules:
        return
    path = folder()
    if writable(path):
        return
    temporary = Path(tempfile.mkdtemp(prefix="gpugrad-cupy-"))
    atexit.register(shutil.rmtree, temporary, ignore_errors=True)
    if path.is_dir():
        for kernel in path.glob(f"*{SUFFIX}"):
            shutil.copyfile(kernel, temporary / kernel.name)
    os.environ["CUPY_CACHE_DIR"] = str(temporary)
    logger.info("CuPy's kernels are kept for this process only: %s cannot be written", path)
