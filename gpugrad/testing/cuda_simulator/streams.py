"""Streams and events. Work runs when it is queued, or late (:mod:`.queues`)."""

from __future__ import annotations

import itertools
import threading
import time
from typing import Any

from . import queues
from .state import CUDARuntimeError, counters, machine

PER_THREAD = 2
"""The handle of the default stream of which each thread has its own."""

_numbers = itertools.count(1)
_streams = threading.local()


class Event:
    """A mark in a stream."""

    def __init__(self, block: bool = False, disable_timing: bool = False, interprocess: bool = False) -> None:
        if interprocess and not disable_timing:
            raise ValueError("Timing must be disabled for interprocess events")
        self.ptr = next(_numbers)
        self._device = machine.current
        self._timed = not disable_timing
        self._time: float | None = None
        self._mark: queues.Mark | None = None
        self._destroyed = False

    def __del__(self) -> None:
        self._destroyed = True  # CuPy's too is a finalizer, after which others of the same cycle may still run

    def _check(self, right: bool = True) -> None:
        if self._destroyed or not right:
            raise CUDARuntimeError(400, "cudaErrorInvalidResourceHandle", "invalid resource handle")

    @property
    def done(self) -> bool:
        self._check()
        return queues.passed(self._mark)

    def record(self, stream: Stream | None = None) -> None:
        """Mark what the stream (by default the current one) has queued so far."""
        stream = get_current_stream() if stream is None else stream
        self._check(stream.device_id in (-1, self._device))
        self._time = time.perf_counter()
        self._mark = queues.end(stream._key())

    def synchronize(self) -> None:
        self._check()
        counters.synchronizations += 1
        queues.wait(self._mark)


def get_elapsed_time(start_event: Event, end_event: Event) -> float:
    """Milliseconds between two recorded events.

    Raises:
        CUDARuntimeError: one was not recorded, or was made without timing.
    """
    if start_event._time is None or end_event._time is None or not (start_event._timed and end_event._timed):
        raise CUDARuntimeError(400, "cudaErrorInvalidResourceHandle", "invalid resource handle")
    return (end_event._time - start_event._time) * 1e3


class Stream:
    """A queue of work on one device."""

    null: Stream
    ptds: Stream

    def __init__(
        self, null: bool = False, non_blocking: bool = False, ptds: bool = False, priority: int | None = None
    ) -> None:
        self.ptr = 0 if null else 2 if ptds else next(_numbers) * 256
        self.device_id = -1 if null or ptds else machine.current
        self.is_non_blocking = non_blocking and not null and not ptds
        self.priority = priority or 0
        self._before: list[tuple[int, Stream]] = []

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Stream) and other.ptr == self.ptr

    def __hash__(self) -> int:
        return self.ptr

    def __repr__(self) -> str:
        return f"<Stream {self.ptr} (device {self.device_id})>"

    def __cuda_stream__(self) -> tuple[int, int]:
        return 0, self.ptr

    def _check(self) -> int:
        current = machine.current
        if self.device_id not in (-1, current):
            raise RuntimeError(
                f"The device that the stream is created on ({self.device_id}) does not match with the current "
                f"device ({current})"
            )
        return current

    def __enter__(self) -> Stream:
        device = self._check()
        self._before.append((device, get_current_stream(device)))
        _current_streams()[device] = self
        return self

    def __exit__(self, *error: object) -> None:
        device, before = self._before.pop()
        _current_streams()[device] = before

    def use(self) -> Stream:
        _current_streams()[self._check()] = self
        return self

    def _key(self) -> queues.Key:
        """What tells the queue of this stream from others."""
        device = machine.current if self.device_id < 0 else self.device_id
        return device, (self.ptr, threading.get_ident()) if self.ptr == PER_THREAD else self.ptr

    @property
    def done(self) -> bool:
        return queues.passed(queues.end(self._key()))

    def synchronize(self) -> None:
        counters.synchronizations += 1
        queues.wait(queues.end(self._key()))

    def record(self, event: Event | None = None) -> Event:
        event = Event() if event is None else event
        event.record(self)
        return event

    def wait_event(self, event: Event) -> None:
        """Later work in this stream comes after the event."""
        event._check()
        if event._mark is not None and machine.lag:
            queues.push(self._key(), not self.is_non_blocking, None, event._mark)

    def is_capturing(self) -> bool:
        return False

    def launch_host_func(self, callback: Any, arg: Any) -> None:
        queues.wait(queues.end(self._key()))
        callback(arg)


class ExternalStream(Stream):
    """A stream that another library made."""

    def __init__(self, ptr: int, device_id: int = -1) -> None:
        super().__init__()
        self.ptr, self.device_id = ptr, device_id


Stream.null = Stream(null=True)
Stream.ptds = Stream(ptds=True)


def _current_streams() -> dict[int, Stream]:
    if not hasattr(_streams, "current"):
        _streams.current = {}
    streams: dict[int, Stream] = _streams.current
    return streams


def get_current_stream(device_id: int = -1) -> Stream:
    """The stream that work on a device (by default the current one) goes to, in this thread."""
    return _current_streams().get(machine.current if device_id < 0 else device_id, Stream.null)


def reset() -> None:
    """Back to the null streams."""
    _current_streams().clear()


def late(work: queues.Work, stream: Stream | None = None, *after: queues.Mark) -> None:
    """Queue work on a stream, by default the current one."""
    stream = get_current_stream() if stream is None else stream
    queues.push(stream._key(), not stream.is_non_blocking, work, *after)


def settle(stream: Stream | None = None) -> None:
    """Do the work that a stream, by default the current one, has queued so far: what it does next runs at once."""
    mark = queues.end((get_current_stream() if stream is None else stream)._key())
    if mark is not None:
        queues.advance(mark)
