"""Calls that all ranks make together, over MPI: checked, and with an end in time.

Before a call each rank tells every other one what it is about to do. So a rank that does something else, comes too late
or has ended is named, where MPI alone would wait for ever, or mix up the data.

Sums are made in the order of the ranks, whatever the algorithms of the MPI library, so they have the same bits on every
rank and in every run: each rank gets its part of all arrays, adds them up, and hands the sum to all.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import reduce
from typing import Any

import numpy

from .errors import LeftError, MismatchError, MissingError

HostArray = numpy.ndarray[Any, Any]

TELL, LEAVE = 1, 2
"""Tags of messages: what a rank is about to do, and that it ends."""

LENGTH = 240
"""Bytes of such a message."""

SMALL = 1 << 12
"""Elements up to which every rank gets all arrays whole: one message instead of two."""

SPINS, NAP, LOOK = 400, 50e-6, 0.02
"""How often to ask MPI at once; in seconds, how long to sleep between later times and between looks for farewells."""

REDUCTIONS: dict[str, Callable[[Any, Any], Any]] = {
    "sum": numpy.add, "max": numpy.maximum, "min": numpy.minimum, "prod": numpy.multiply,
}  # fmt: skip


class Channel:
    """One way of talking to the other ranks, for one thread.

    Args:
        communicator: of mpi4py; it is duplicated, which all ranks do together.
        timeout: seconds after which a rank is missing.
    """

    def __init__(self, communicator: Any, timeout: float) -> None:
        self.data = communicator.Dup()
        self.control = communicator.Dup()
        self.rank: int = communicator.Get_rank()
        self.size: int = communicator.Get_size()
        self.timeout = timeout
        self.calls = 0
        """How many calls all ranks have made together."""

    # ---------------------------------------------------------------- before a call

    def meet(self, call: str) -> None:
        """Wait until every rank is about to make this call.

        Raises:
            MismatchError: a rank is about to make another one.
            MissingError: a rank does not come in time.
            LeftError: a rank has ended.
        """
        self.calls += 1
        if self.size == 1:
            return
        said = f"call {self.calls}: {call}".encode()[:LENGTH].ljust(LENGTH)
        mine = numpy.frombuffer(said, dtype=numpy.uint8)
        others = [r for r in range(self.size) if r != self.rank]
        heard = {r: numpy.empty(LENGTH, dtype=numpy.uint8) for r in others}
        waiting = {r: self.control.Irecv(heard[r], source=r, tag=TELL) for r in others}
        sent = [self.control.Isend(mine, dest=r, tag=TELL) for r in others]

        def done() -> bool:
            for r in [r for r, request in waiting.items() if request.Test()]:
                del waiting[r]
            return not waiting and all(request.Test() for request in sent)

        def missing() -> MissingError:
            absent = ", ".join(map(str, waiting)) or "none"
            several = "s" if len(waiting) > 1 else ""
            for request in waiting.values():
                request.Cancel()
            return MissingError(
                f"rank {self.rank} waits in {call}, and rank{several} {absent} did not come within {self.timeout:g} s "
                f"(call {self.calls})"
            )

        self.wait(done, missing, call)
        for r, text in heard.items():
            other = text.tobytes().rstrip()
            if other != said.rstrip():
                raise MismatchError(
                    f"rank {self.rank} made {said.decode().rstrip()}; rank {r} made {other.decode(errors='replace')}"
                )

    def wait(self, done: Callable[[], bool], late: Callable[[], Exception], call: str) -> None:
        """Ask until it is done.

        Raises:
            LeftError: a rank has ended meanwhile.
            Exception: ``late()`` after the timeout.
        """
        for _ in range(SPINS):
            if done():
                return
        end = time.monotonic() + self.timeout
        look = 0.0
        while not done():
            now = time.monotonic()
            if now >= look:
                self.look(call)
                look = now + LOOK
            if now >= end:
                raise late()
            time.sleep(NAP)

    def look(self, call: str) -> None:
        """See whether a rank has said that it ends, and so does not come to this call.

        Raises:
            LeftError: it has.
        """
        for r in range(self.size):
            if r != self.rank and self.control.Iprobe(source=r, tag=LEAVE):
                text = numpy.empty(LENGTH, dtype=numpy.uint8)
                self.control.Recv(text, source=r, tag=LEAVE)
                why = text.tobytes().rstrip().decode(errors="replace")
                raise LeftError(f"rank {self.rank} waits in {call}, and rank {r} has ended{why and f': {why}'}")

    def leave(self, why: str) -> None:
        """Tell all others that this rank ends."""
        text = numpy.frombuffer(why.encode()[:LENGTH].ljust(LENGTH), dtype=numpy.uint8)
        self._farewells = [
            (text, self.control.Isend(text, dest=r, tag=LEAVE)) for r in range(self.size) if r != self.rank
        ]

    def _complete(self, request: Any, call: str) -> None:
        def late() -> MissingError:
            return MissingError(f"rank {self.rank} waits in {call}, which was not complete within {self.timeout:g} s")

        self.wait(request.Test, late, call)

    # ---------------------------------------------------------------- the calls

    def barrier(self, call: str = "barrier") -> None:
        """Wait for all ranks."""
        self.meet(call)

    def broadcast(self, x: HostArray, root: int, call: str = "broadcast") -> HostArray:
        """The array of rank ``root``; arrays of all ranks have its shape and dtype."""
        self.meet(f"{call} from rank {root} of {described(x)}")
        y = numpy.array(x, order="C")
        if self.size > 1:
            self._complete(self.data.Ibcast(_bytes(y), root=root), call)
        return y

    def gather(self, x: HostArray, call: str = "all_gather", met: bool = False) -> HostArray:
        """The arrays of all ranks, stacked in a first axis."""
        if not met:
            self.meet(f"{call} of {described(x)}")
        x = numpy.ascontiguousarray(x)
        y = numpy.empty((self.size, *x.shape), dtype=x.dtype)
        if self.size == 1:
            y[0] = x
        else:
            self._complete(self.data.Iallgather(_bytes(x), _bytes(y)), call)
        return y

    def reduce(self, x: HostArray, op: str = "sum", call: str = "all_reduce", met: bool = False) -> HostArray:
        """The sum, product, maximum or minimum over all ranks, in their order; a new array."""
        if not met:
            self.meet(f"{call} ({op}) of {described(x)}")
        if self.size == 1:
            return numpy.array(x)
        flat = numpy.ascontiguousarray(x).reshape(-1)
        if flat.size <= SMALL:
            return _folded(self.gather(flat, call, met=True), op).reshape(x.shape)
        part = self._scattered(flat, op, call)
        whole = numpy.empty(part.size * self.size, dtype=part.dtype)
        self._complete(self.data.Iallgather(_bytes(part), _bytes(whole)), call)
        return whole[: flat.size].reshape(x.shape)

    def reduce_part(self, x: HostArray, op: str = "sum", call: str = "reduce_scatter", met: bool = False) -> HostArray:
        """The part of the sum over all ranks that is this rank's: the first axis is divided among them."""
        if not met:
            self.meet(f"{call} ({op}) of {described(x)}")
        if self.size == 1:
            return numpy.array(x)
        part = self._scattered(numpy.ascontiguousarray(x).reshape(-1), op, call)
        return part.reshape(x.shape[0] // self.size, *x.shape[1:])

    def texts(self, text: str, call: str) -> list[str]:
        """The texts of all ranks."""
        mine = numpy.frombuffer(text.encode(), dtype=numpy.uint8)
        sizes = self.gather(numpy.array([mine.size]), call)[:, 0]
        filled = numpy.zeros(int(sizes.max()), dtype=numpy.uint8)
        filled[: mine.size] = mine
        found = self.gather(filled, call)
        return [row[:size].tobytes().decode() for row, size in zip(found, sizes, strict=True)]

    def _scattered(self, flat: HostArray, op: str, call: str) -> HostArray:
        """The part of this rank in the sum of all flat arrays, filled up to equal parts."""
        each = -(-flat.size // self.size)
        if each * self.size != flat.size:
            flat = numpy.concatenate([flat, numpy.zeros(each * self.size - flat.size, dtype=flat.dtype)])
        theirs = numpy.empty((self.size, each), dtype=flat.dtype)
        self._complete(self.data.Ialltoall(_bytes(flat), _bytes(theirs)), call)
        return _folded(theirs, op)


def _folded(parts: HostArray, op: str) -> HostArray:
    """The arrays of all ranks, reduced in the order of the ranks; short floats in float32."""
    short = parts.dtype.itemsize == 2 and parts.dtype.kind not in "iu"
    wide = parts.astype(numpy.float32) if short else parts
    folded = reduce(REDUCTIONS[op], wide)
    return numpy.asarray(folded.astype(parts.dtype) if short else folded)


def _bytes(x: HostArray) -> Any:
    """An array for MPI: its bytes, whatever its dtype."""
    return x.reshape(-1).view(numpy.uint8) if x.size else numpy.empty(0, dtype=numpy.uint8)


def described(x: HostArray) -> str:
    """What has to be the same on all ranks."""
    return f"{x.dtype} {x.shape}"
