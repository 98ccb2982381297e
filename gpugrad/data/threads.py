"""Worker threads: for data sets whose work is done outside of Python (files, NumPy, decoders), or cannot be sent."""

from __future__ import annotations

import contextvars
import threading
import time
from collections.abc import Callable
from queue import Empty, SimpleQueue
from typing import Any

from .fetch import Fetcher, Task
from .stream import Turns

NAME = "gpugrad-data"
POLL = 0.1
"""Seconds between two looks at whether anybody still waits."""
GRACE = 0.5
"""Seconds that threads have to end; one that is busy ends by itself when it is done."""


class ThreadPool:
    """Threads that make batches; batch ``n`` is made by thread ``n`` modulo their number."""

    def __init__(self, fetcher: Fetcher, count: int) -> None:
        self.outstanding: dict[int, Task] = {}
        self._tasks: list[SimpleQueue[Task | None]] = [SimpleQueue() for _ in range(count)]
        self._results: list[SimpleQueue[tuple[Any, BaseException | None]]] = [SimpleQueue() for _ in range(count)]
        self._fetchers = [fetcher.another() for _ in range(count)]
        self._turns: Turns | None = None
        queues = zip(self._fetchers, self._tasks, self._results, strict=True)
        self._threads = [
            threading.Thread(  # in the caller's context, so that its grad mode and default dtype hold
                target=contextvars.copy_context().run, args=(_work, own, number, count, tasks, results),
                name=NAME, daemon=True,
            )
            for number, (own, tasks, results) in enumerate(queues)
        ]  # fmt: skip
        for thread in self._threads:
            thread.start()

    def start(self, epoch: int, first: int) -> None:
        """Begin an epoch of a stream with this batch: all threads read from one, unless it shards itself."""
        for number, fetcher in enumerate(self._fetchers):
            fetcher.worker(number, len(self._fetchers))
        records = self._fetchers[0].started(epoch)
        if not records.sharded:
            self._turns = Turns(first)
        for fetcher in self._fetchers[1:] if records.sharded else self._fetchers:
            if self._turns is None:
                fetcher.started(epoch)
            else:
                fetcher.share(records, self._turns)

    def submit(self, task: Task) -> None:
        """Let a batch be made."""
        self.outstanding[task.number] = task
        self._tasks[task.number % len(self._tasks)].put(task)

    def result(self, number: int, waiting: Callable[[], bool]) -> tuple[Any, Callable[[], None]] | None:
        """As :meth:`gpugrad.data.processes.ProcessPool.result`."""
        results = self._results[number % len(self._results)]
        while waiting():
            try:
                columns, error = results.get(timeout=POLL)
            except Empty:
                continue
            self.outstanding.pop(number, None)
            if error is not None:
                raise error
            return None if columns is None else (columns, _nothing)
        return None

    def close(self) -> None:
        """Let the threads end; what they are busy with is not waited for longer than a moment."""
        if self._turns is not None:
            self._turns.close()
        for tasks in self._tasks:
            while not tasks.empty():  # what nobody will ask for
                try:
                    tasks.get_nowait()
                except Empty:
                    break
            tasks.put(None)
        end = time.monotonic() + GRACE
        for thread in self._threads:
            thread.join(max(0.0, end - time.monotonic()))


def _work(
    fetcher: Fetcher, number: int, count: int, tasks: SimpleQueue[Task | None],
    results: SimpleQueue[tuple[Any, BaseException | None]],
) -> None:  # fmt: skip
    failed: BaseException | None = None
    try:
        fetcher.enter(number, count)
    except BaseException as error:  # noqa: BLE001  told when a batch is asked for
        failed = error
    while (task := tasks.get()) is not None:
        try:
            if failed is not None:
                raise failed
            results.put((fetcher(task), None))
        except BaseException as error:  # noqa: BLE001  whatever it is, the loop raises it
            results.put((None, error))


def _nothing() -> None:
    """What there is to do when the columns of a thread were copied."""
