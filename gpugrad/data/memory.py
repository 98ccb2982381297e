"""Memory that two processes share, without a name: nothing is left of it when the last of them ends, however it ends.

A block is a file in memory (``memfd``) whose descriptor is sent to the other process. It does not come out of
``/dev/shm``, which containers often have little of. Where there are no such files, a file on the disk that was deleted
right after it was opened serves; on Windows batches go through the pipe.
"""

from __future__ import annotations

import mmap
import os
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy

SHARED = sys.platform != "win32"
ALIGNMENT = 64
Layout = list[tuple[Any, tuple[int, ...], int]]
"""For each array: dtype, shape, and the place of its first byte."""


def layout_of(arrays: Sequence[numpy.ndarray]) -> tuple[Layout, int]:
    """Where arrays lie one behind the other, and how many bytes that takes.

    >>> layout_of([numpy.zeros(3), numpy.zeros((2, 2), "u1")])
    ([(dtype('float64'), (3,), 0), (dtype('uint8'), (2, 2), 64)], 68)
    """
    layout: Layout = []
    end = 0
    for array in arrays:
        start = -(-end // ALIGNMENT) * ALIGNMENT
        layout.append((array.dtype, array.shape, start))
        end = start + array.nbytes
    return layout, end


@dataclass
class Block:
    """Shared bytes, mapped into this process; ``fd`` is there until it was sent."""

    memory: mmap.mmap
    size: int
    fd: int = -1

    @classmethod
    def create(cls, size: int) -> Block:
        """A new one, with its memory taken at once.

        Raises:
            OSError: there is not that much memory.
        """
        fd = _file()
        try:
            if hasattr(os, "posix_fallocate"):
                os.posix_fallocate(fd, 0, size)  # or the first write to a page that is not there is a signal
            else:
                os.ftruncate(fd, size)
            return cls(mmap.mmap(fd, size), size, fd)
        except BaseException:
            os.close(fd)
            raise

    @classmethod
    def attach(cls, fd: int, size: int, private: bool = False) -> Block:
        """One that another process made; ``private``: what is written to it stays in this process."""
        try:
            return cls(mmap.mmap(fd, size, access=mmap.ACCESS_COPY if private else mmap.ACCESS_WRITE), size)
        finally:
            os.close(fd)

    def close_file(self) -> None:
        """Give the descriptor back; the memory stays as long as it is mapped."""
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1

    def arrays(self, layout: Layout) -> tuple[numpy.ndarray, ...]:
        """The arrays that lie in it, without a copy."""
        return tuple(numpy.ndarray(shape, dtype, self.memory, start) for dtype, shape, start in layout)

    def write(self, arrays: Sequence[numpy.ndarray], layout: Layout) -> None:
        """Copy arrays to where they lie."""
        for array, place in zip(arrays, self.arrays(layout), strict=True):
            place[...] = array


def _file() -> int:
    if hasattr(os, "memfd_create"):
        return os.memfd_create("gpugrad", os.MFD_CLOEXEC)
    fd, path = tempfile.mkstemp(prefix="gpugrad")
    os.unlink(path)
    return fd
