"""The queues of work behind the streams: with :func:`~.lag.lag`, work is done late.

Without it, work is done when it is queued. With it, a piece of work is done when CUDA would have to do it: before the
next piece of its stream, when another stream or the host waits for an event after it, before a synchronous copy. Until
then nothing is promised, and the seed chooses. A program that relies on more than CUDA promises, such as a copy that
has arrived although nobody waited for it, gets wrong numbers.
"""

from __future__ import annotations

import random
import threading
import warnings
from collections import deque
from collections.abc import Callable
from typing import Any

import numpy

from .state import machine

LONGEST = 1000
"""Pieces of work in one queue, at most. One more, and the older half is done."""
PACES = (0.0, 0.0, 0.3, 1.0, 4.0)
"""How many pieces of work a queue does each time that something is queued anywhere; the seed draws one of them."""

Work = Callable[[], object]
Key = tuple[int, Any]
"""A device, and one of its streams."""


class Queue:
    """The work of one stream: what waits, and how much was ever queued and done."""

    __slots__ = ("blocking", "credit", "done", "items", "key", "pace", "queued")

    def __init__(self, key: Key, blocking: bool) -> None:
        self.key, self.blocking = key, blocking
        self.items: deque[tuple[Work | None, tuple[Mark, ...]]] = deque()
        self.queued = self.done = 0
        self.pace, self.credit = _random.choice(PACES), 0.0

    def end(self) -> Mark:
        """All that is queued so far, as something to wait for."""
        return self, self.queued


Mark = tuple[Queue, int]
"""A place in a queue: it has passed when the work before it is done."""

lock = threading.RLock()
waiting: dict[Key, Queue] = {}
"""The queues that have work."""
freed: deque[tuple[Key, bool, Work, Callable[[], object]]] = deque()
"""What was freed since the last look: its stream as for :func:`push`, what is done about it in the order of that
stream, and what is done at once. The garbage collector frees in the midst of anything, and must take no lock."""
_random = random.Random()
_errors: list[Exception] = []


def reseed(seed: int) -> None:
    """Begin the schedule of a seed."""
    _random.seed(seed)


def push(key: Key, blocking: bool, work: Work | None, *after: Mark) -> None:
    """Queue work of one stream.

    Args:
        key: the device and the stream; stream 0 is the legacy default stream.
        blocking: whether the stream and the legacy default stream wait for each other.
        work: what is to be done; None only waits.
        after: what has to be done before.
    """
    with lock:
        collect()
        queue = _append(key, blocking, work, after)
        if len(queue.items) > LONGEST:
            advance((queue, queue.done + LONGEST // 2))
        if machine.lag > 1:
            _do_some()


def _append(key: Key, blocking: bool, work: Work | None, after: tuple[Mark, ...]) -> Queue:
    queue = waiting.get(key)
    if queue is None:
        queue = waiting[key] = Queue(key, blocking)
    device, stream = key
    if stream == 0:
        others = [other for other in waiting.values() if other.blocking and other.key[0] == device]
        after = (*after, *(other.end() for other in others if other is not queue))
    elif blocking and (device, 0) in waiting:
        after = (*after, waiting[device, 0].end())
    queue.items.append((work, after))
    queue.queued += 1
    return queue


def collect() -> None:
    """Give what was freed to its pools."""
    with lock:
        while freed:
            key, blocking, work, at_once = freed.popleft()
            _append(key, blocking, work, ())
            at_once()


def _do_some() -> None:
    """Let each queue do some of its work, as the seed has it. With a lag of 1, none does."""
    for queue in list(waiting.values()):
        if _random.random() < 0.02:
            queue.pace = _random.choice(PACES)
        queue.credit = min(queue.credit + queue.pace, 16.0)
        steps = min(int(queue.credit), len(queue.items))
        queue.credit -= steps
        if steps:
            advance((queue, queue.done + steps))


def advance(mark: Mark) -> None:
    """Do the work before a place in a queue, and what that work waits for."""
    with lock:
        goals = [mark]
        while goals:
            queue, place = goals[-1]
            if queue.done >= place:
                goals.pop()
                continue
            work, after = queue.items[0]
            missing = next((other for other in after if other[0].done < other[1]), None)
            if missing is not None:
                goals.append(missing)
                continue
            try:
                if work is not None:
                    _do(work)
            finally:  # not before: other threads look without the lock
                queue.items.popleft()
                queue.done += 1
                if not queue.items:
                    del waiting[queue.key]


def _do(work: Work) -> None:
    try:
        with numpy.errstate(all="ignore"), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # whoever queued it was warned
            work()
    except Exception as error:  # noqa: BLE001  raised where the host waits next
        _errors.append(error)


def passed(mark: Mark | None) -> bool:
    """Whether the work before a place is done. Asking does a piece of it, so that a loop that asks comes to an end."""
    if mark is None or mark[0].done >= mark[1]:
        return True
    advance((mark[0], mark[0].done + 1))
    return False


def wait(mark: Mark | None) -> None:
    """Let the host wait for a place in a queue.

    Raises:
        Exception: what went wrong in late work since the last time.
    """
    if mark is not None:
        advance(mark)
    if _errors:
        error = _errors[0]
        _errors.clear()
        raise error


def end(key: Key) -> Mark | None:
    """All that a stream has queued so far; None if it has no work."""
    queue = waiting.get(key)
    return None if queue is None else queue.end()


def finish(device: int | None = None) -> None:
    """Let the host wait for one device, or for all."""
    with lock:
        for queue in list(waiting.values()):
            if device is None or queue.key[0] == device:
                advance(queue.end())
    wait(None)
