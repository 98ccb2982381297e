"""A few threads that share out the work of compiled kernels.

A kernel is a function of a range, and releases the lock of Python while it runs. Every range is taken from one counter,
by the threads and by the caller, so a thread that comes late has nothing left to do, and nobody waits for it to begin.
OpenMP is not used: two of its runtimes in one process can block each other.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from itertools import count
from queue import SimpleQueue
from threading import Condition, Lock, Thread
from typing import Any

Function = Callable[[Any, int, int], object]


def available() -> int:
    """The number of CPUs that this process may use; ``OMP_NUM_THREADS`` where that is less."""
    found = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    wanted = os.environ.get("OMP_NUM_THREADS", "").split(",")[0].strip()
    return min(found, max(1, int(wanted))) if wanted.isdecimal() else found


class Job:
    """One call of a kernel: its ranges, and how many threads are computing some of them."""

    __slots__ = ("_active", "_arguments", "_changed", "_closed", "_error", "_function", "_next", "_parts", "_size",
                 "_step")  # fmt: skip

    def __init__(self, function: Function, arguments: Any, size: int, step: int) -> None:
        self._function, self._arguments, self._size, self._step = function, arguments, size, step
        self._parts = -(-size // step)
        self._next = count()
        self._changed = Condition()
        self._active = 0
        self._closed = False
        self._error: BaseException | None = None

    def _work(self) -> None:
        while not self._closed and (i := next(self._next)) < self._parts:
            begin = i * self._step
            self._function(self._arguments, begin, min(begin + self._step, self._size))

    def help(self) -> None:
        """Compute ranges in a thread of the pool until none is left."""
        with self._changed:
            if self._closed:
                return
            self._active += 1
        try:
            self._work()
        except BaseException as error:  # noqa: BLE001  the caller raises it
            self._error, self._closed = error, True
        finally:
            with self._changed:
                self._active -= 1
                self._changed.notify_all()

    def run(self) -> None:
        """Compute ranges in the calling thread, and return when nobody uses its memory any more."""
        try:
            self._work()
        finally:
            self._closed = True
            interrupt: KeyboardInterrupt | None = None
            while True:
                try:
                    with self._changed:
                        self._changed.wait_for(lambda: not self._active)
                    break
                except KeyboardInterrupt as error:
                    interrupt = error
            if interrupt is not None:
                raise interrupt
        if self._error is not None:
            raise self._error


class Pool:
    """Threads that wait for jobs. They are started when the first job comes."""

    def __init__(self) -> None:
        self._jobs: SimpleQueue[Job] = SimpleQueue()
        self._lock = Lock()
        self._running = 0

    def run(self, job: Job, helpers: int) -> None:
        """Run a job in this thread and in up to N others."""
        if self._running < helpers:
            self._start(helpers)
        for _ in range(helpers):
            self._jobs.put(job)
        job.run()

    def _start(self, wanted: int) -> None:
        with self._lock:
            while self._running < wanted:
                thread = Thread(target=self._serve, args=(self._jobs,), name="gpugrad kernels", daemon=True)
                try:
                    thread.start()
                except RuntimeError:  # no more threads, or the interpreter is ending: the caller computes alone
                    return
                self._running += 1

    @staticmethod
    def _serve(jobs: SimpleQueue[Job]) -> None:
        while True:
            jobs.get().help()


_pool = Pool()
_threads = available()


def _after_fork() -> None:
    """The threads of the parent do not exist in the child, and its locks may be held."""
    global _pool
    _pool = Pool()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


def set_num_threads(n: int) -> None:
    """Set the number of threads that a compiled kernel uses on the CPU.

    Results do not depend on it. The BLAS library has threads of its own, see its environment variables, such as
    ``OPENBLAS_NUM_THREADS``.

    Raises:
        TypeError: ``n`` is not an integer.
        ValueError: ``n`` is less than 1.

    >>> import gpugrad as gg
    >>> before = gg.get_num_threads()
    >>> gg.set_num_threads(1)
    >>> gg.get_num_threads()
    1
    >>> gg.set_num_threads(before)
    """
    global _threads
    if isinstance(n, bool) or not hasattr(n, "__index__"):
        raise TypeError(f"set_num_threads: expected an integer, got {type(n).__name__}")
    if n < 1:
        raise ValueError(f"set_num_threads: expected at least 1, got {n}")
    _threads = int(n)


def get_num_threads() -> int:
    """The number of threads that a compiled kernel uses on the CPU.

    At first it is the number of CPUs that this process may use, or ``OMP_NUM_THREADS`` where that is less.

    >>> import gpugrad as gg
    >>> gg.get_num_threads() >= 1
    True
    """
    return _threads


def share_out(function: Function, arguments: Any, size: int, step: int) -> None:
    """Run a kernel over ``size`` elements or rows, in ranges that are multiples of ``step``.

    Args:
        function: called as ``function(arguments, begin, end)``.
        arguments: what it gets.
        size: where the last range ends.
        step: the fewest elements that are worth a thread.
    """
    threads = _threads
    if threads == 1 or size < 2 * step:
        function(arguments, 0, size)
        return
    parts = min(4 * threads, size // step)
    part = -(-size // parts)
    _pool.run(Job(function, arguments, size, -(-part // step) * step if part > step else step), min(threads, parts) - 1)
