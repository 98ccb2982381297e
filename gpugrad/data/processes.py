"""Worker processes, seen from the parent: they get tasks, and are noticed when they die.

They are started by a server process that was started before (``forkserver``): forking this process instead would copy
locks that other threads hold at that moment, and a CUDA context that does not work in the copy. Starting a new
interpreter for each (``spawn``) is as safe, and takes a second more for each; where there is no fork server, that is
done.
"""

from __future__ import annotations

import atexit
import io
import multiprocessing
import multiprocessing.util  # its own clean-up at exit is registered now, so that ours comes before
import os
import pickle
import signal
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from multiprocessing.connection import Connection, wait
from types import FunctionType
from typing import Any
from weakref import WeakSet

import numpy

from ..backend.registry import BACKENDS
from ..core import modes
from . import worker
from .fetch import Fetcher, Task
from .memory import Block, layout_of
from .structure import Parts, formed

GRACE = 0.5
"""Seconds that a worker has to end by itself."""
POLL = 0.1
"""Seconds between two looks at whether anybody still waits."""

START_METHODS = ("forkserver", "spawn", "fork")


class Member:
    """One worker process, with the memory it shares."""

    def __init__(self, process: Any, connection: Connection, number: int) -> None:
        self.process = process
        self.connection = connection
        self.number = number
        self.blocks: dict[int, Block] = {}
        self.freed: list[int] = []
        self.ready = False

    def died(self) -> RuntimeError:
        """What to raise: which one, and of what."""
        self.process.join(GRACE)
        code = self.process.exitcode
        name = f"worker {self.number} of the DataLoader (process {self.process.pid})"
        if code is not None and code < 0:
            why = " (often because there was no memory left)" if -code == signal.SIGKILL else ""
            return RuntimeError(f"{name} was ended by signal {-code}, {signal.Signals(-code).name}{why}")
        if not self.ready:
            return RuntimeError(
                f"{name} ended with status {code} before it was ready: see what it wrote above. A program that uses "
                "worker processes must do its work under: if __name__ == '__main__':"
            )
        return RuntimeError(f"{name} ended with status {code}")


class ProcessPool:
    """Workers that make batches; batch ``n`` is made by worker ``n`` modulo their number."""

    def __init__(self, fetcher: Fetcher, count: int, start_method: str | None = None) -> None:
        self.pid = os.getpid()
        self.outstanding: dict[int, Task] = {}
        self.fetcher = fetcher
        self.members: list[Member] = []
        method = start_method or ("forkserver" if "forkserver" in multiprocessing.get_all_start_methods() else "spawn")
        context = multiprocessing.get_context(method)
        text, buffers = (b"", []) if method == "fork" else _packed(fetcher)
        if method == "fork":
            _check_fork()
        if method == "forkserver":
            context.set_forkserver_preload([worker.__name__])
        _pools.add(self)
        layout, size = layout_of(buffers)
        block = Block.create(size) if buffers else None  # the arrays of the data set, once for all workers
        try:
            if block is not None:
                block.write(buffers, layout)
            for number in range(count):
                self._start(context, number, fetcher if method == "fork" else None)
            for member in self.members:
                setup = {"number": member.number, "count": count, "dtype": modes.get_default_dtype(),
                         "grad": modes.is_grad_enabled(), "object": text, "layout": layout, "size": size}  # fmt: skip
                _set_up(member, setup, block)
        except BaseException:
            self.close()
            raise
        finally:
            if block is not None:
                block.close_file()

    def _start(self, context: Any, number: int, fetcher: Fetcher | None) -> None:
        ours, theirs = context.Pipe(duplex=True)
        process = context.Process(target=worker.run, args=(theirs, fetcher), name=f"gpugrad-data-{number}", daemon=True)
        try:
            process.start()
        except BaseException:
            ours.close()
            raise
        finally:
            theirs.close()
        self.members.append(Member(process, ours, number))

    # ---------------------------------------------------------------- batches

    def start(self, epoch: int, first: int) -> None:
        """Begin an epoch of a stream with this batch; each process starts the stream for itself."""

    def submit(self, task: Task) -> None:
        """Let a batch be made."""
        member = self.members[task.number % len(self.members)]
        freed, member.freed = member.freed, []
        self.outstanding[task.number] = task
        try:
            member.connection.send((task, freed))
        except (BrokenPipeError, ConnectionResetError) as error:
            raise member.died() from error

    def result(self, number: int, waiting: Callable[[], bool]) -> tuple[Parts, Callable[[], None]] | None:
        """The arrays of a batch, and what to call when they were copied; None behind the end of a stream.

        Args:
            number: of the batch; of each worker's, in their order.
            waiting: is asked now and then; when it says False, nobody waits any more, and None comes back.

        Raises:
            RuntimeError: a worker died.
            Exception: what was raised in the worker.
        """
        member = self.members[number % len(self.members)]
        while waiting():
            ready = wait([member.connection, *(m.process.sentinel for m in self.members)], POLL)
            if member.connection in ready:
                try:
                    kind, came, value = member.connection.recv()
                except (EOFError, ConnectionResetError) as error:
                    raise member.died() from error
                if kind == "ready":
                    member.ready = True
                    continue
                self.outstanding.pop(came, None)
                return self._taken(member, kind, value)
            for other in self.members:
                if other.process.sentinel in ready:
                    raise other.died()
        return None

    def _taken(self, member: Member, kind: str, value: Any) -> tuple[Parts, Callable[[], None]] | None:
        if kind == "failed":
            raise _failure(member, *value)
        if kind == "end":
            return None
        if kind == "batch":
            arrays, form = value
            return formed(arrays, *form), _nothing
        number, size, layout, form = value
        if size is not None:
            member.blocks[number] = worker.receive_block(member.connection, size)
        return formed(member.blocks[number].arrays(layout), *form), lambda: member.freed.append(number)

    # ---------------------------------------------------------------- the end

    def usable(self, fetcher: Fetcher) -> bool:
        """Whether another epoch can be made here: nothing is owed, all are alive, and would do as ``fetcher`` does."""
        alive = all(member.process.exitcode is None for member in self.members)
        return bool(self.members) and alive and not self.outstanding and self.fetcher.same_as(fetcher)

    def close(self) -> None:
        """End the workers: those that are idle by themselves, those that are busy by force, after a moment."""
        _pools.discard(self)
        if os.getpid() != self.pid:
            return  # a copy in a forked process: the workers are not its own
        members, self.members = self.members, []
        for member in members:
            member.connection.close()
        end = time.monotonic() + GRACE
        for member in members:
            member.process.join(max(0.0, end - time.monotonic()))
        for member in members:
            if member.process.exitcode is None:
                member.process.kill()
            member.process.join()
            member.process.close()

    def __del__(self) -> None:
        if getattr(self, "members", None):
            self.close()


_pools: WeakSet[ProcessPool] = WeakSet()


@atexit.register
def _close_all() -> None:
    for pool in list(_pools):
        pool.close()


def _set_up(member: Member, setup: dict[str, Any], block: Block | None) -> None:
    try:
        member.connection.send(setup)
        if block is not None:
            worker.send_file(member.connection, Block(block.memory, block.size, os.dup(block.fd)))
    except (BrokenPipeError, ConnectionResetError) as error:
        raise member.died() from error


def _nothing() -> None:
    """What there is to do for a batch that came through the pipe."""


def defined_in_session(value: Any) -> str | None:
    """The name of a class or function in ``value`` that was defined in a notebook or an interactive session.

    None if there is none. Other processes cannot import it: they know its name alone, and no file that has it.
    """
    main = sys.modules["__main__"]
    file = getattr(main, "__file__", None)
    if getattr(main, "__spec__", None) is not None or (file is not None and os.path.exists(file)):
        return None
    if file is not None:
        return f"the program, {file},"  # such as <stdin>: a worker would look for that file
    finder = _Finder(io.BytesIO(), protocol=5, buffer_callback=lambda buffer: None)
    with suppress(Exception):  # what cannot be pickled at all is told by who sends it
        finder.dump(value)
    return finder.found


class _Finder(pickle.Pickler):
    """Looks for a class or function of ``__main__``."""

    found: str | None = None

    def reducer_override(self, value: Any) -> Any:
        if isinstance(value, type | FunctionType) and value.__module__ == "__main__":
            self.found = self.found or value.__qualname__
        return NotImplemented


def _packed(fetcher: Fetcher) -> tuple[bytes, list[numpy.ndarray]]:
    try:
        return worker.packed(fetcher)
    except Exception as error:
        raise TypeError(
            f"DataLoader: the data set or its collate function cannot be sent to worker processes ({error}): define "
            "what it is made of at the top of a module, or use workers='thread'"
        ) from error


def _check_fork() -> None:
    """Forking is only safe where nothing runs beside, and no GPU was used.

    Raises:
        RuntimeError: there are other threads, or CUDA was initialized.
    """
    if any(owner.name == "cuda" for owner in BACKENDS.values()):
        raise RuntimeError("DataLoader: start_method='fork' after the GPU was used: a CUDA context does not survive "
                           "it; leave start_method out")  # fmt: skip
    others = [t.name for t in threading.enumerate() if t is not threading.current_thread()]
    if others:
        raise RuntimeError(f"DataLoader: start_method='fork' while other threads run ({', '.join(others)}): locks that "
                           "they hold would stay locked in the workers; leave start_method out")  # fmt: skip


def _failure(member: Member, sent: bytes | None, name: str, text: str) -> BaseException:
    """The worker's exception, with its traceback as a note; one that cannot be sent is told in words."""
    place = f"raised in worker {member.number} of the DataLoader (process {member.process.pid}):\n\n{text}"
    error: Any = None
    if sent is not None:
        try:
            error = pickle.loads(sent)
        except Exception:  # noqa: BLE001
            error = None
    if not isinstance(error, BaseException):
        return RuntimeError(f"{name} {place}")
    error.add_note(place)
    return error


if sys.platform == "win32":
    START_METHODS = ("spawn",)
