"""Memory that is used again, as CuPy's pools do it; only with :func:`~.lag.lag`.

A pool gives freed device memory to the next allocation of the same stream at once, although work that is queued there,
or on other streams, may still read it. What is freed is overwritten in the order of its stream, and pinned memory at
once, as its next owner might.
"""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from . import queues, streams

GUARD = 256
"""Bytes of canary on either side of an allocation; also its alignment."""
CANARY = 0xA5
POISON = 0xFF
"""What fresh memory holds: NaN in every floating dtype."""
BLOCK = 512
"""CuPy's pools hand out multiples of it."""


class Chunk:
    """The bytes of an allocation, with room for a canary at both ends; its stream, whose allocations may have it."""

    __slots__ = ("blocking", "key", "raw", "room", "size")

    def __init__(self, raw: Any, room: int, size: int) -> None:
        stream = streams.get_current_stream()
        self.raw, self.room, self.size = raw, room, size
        self.key, self.blocking = stream._key(), not stream.is_non_blocking

    def free(self, spare: Spare) -> None:
        """Go back to a pool, overwritten in the order of the stream."""
        content = self.raw[GUARD : GUARD + self.size]
        queues.freed.append((self.key, self.blocking, lambda: content.fill(POISON), lambda: spare.keep(self)))

    def resize(self, size: int) -> None:
        """Hold ``size`` bytes from now on, in the order of the stream."""
        if size != self.size:
            self.size = size
            queues.push(self.key, self.blocking, lambda: self._mark(size))

    def _mark(self, size: int) -> None:
        self.raw[GUARD : GUARD + size] = POISON
        self.raw[GUARD + size :] = CANARY


class Spare:
    """The chunks that a pool keeps for the next allocations, by stream and room."""

    def __init__(self) -> None:
        self._chunks: dict[queues.Key, dict[int, list[Chunk]]] = defaultdict(lambda: defaultdict(list))

    def take(self, size: int) -> Chunk | None:
        """The chunk for an allocation on the current stream: as large, or at most twice as large."""
        room = rounded(size)
        with queues.lock:
            queues.collect()
            here = self._chunks[streams.get_current_stream()._key()]
            fitting = sorted(n for n, chunks in here.items() if room <= n <= 2 * room and chunks)
            if not fitting:
                return None
            chunk = here[fitting[0]].pop()
            chunk.resize(size)
        return chunk

    def keep(self, chunk: Chunk) -> None:
        self._chunks[chunk.key][chunk.room].append(chunk)

    def clear(self) -> None:
        self._chunks.clear()


def rounded(size: int) -> int:
    """The bytes that a pool takes for an allocation."""
    return -(-size // BLOCK) * BLOCK
