"""A block that signal handlers, such as that of Ctrl-C, do not cut in the middle."""

from __future__ import annotations

import signal
import threading
from importlib import import_module
from types import FrameType, TracebackType
from typing import Any

# The functions in C, a tenth of the time of those in Python, which make enumerations of numbers.
_c = import_module("_signal")
_get, _set = _c.getsignal, _c.signal

NAMES = ("SIGINT", "SIGTERM", "SIGALRM", "SIGHUP", "SIGUSR1", "SIGUSR2", "SIGVTALRM", "SIGPROF")
NUMBERS = tuple(int(getattr(signal, name)) for name in NAMES if hasattr(signal, name))


class Uninterrupted:
    """Call the handlers of signals that come inside when the block is done.

    A second signal of the same kind is handled at once, so that a block that hangs can be ended. Handlers run in the
    main thread alone; in others there is nothing to do.

    >>> import os
    >>> done = []
    >>> try:
    ...     with Uninterrupted():
    ...         os.kill(os.getpid(), signal.SIGINT)
    ...         done += ["first", "second"]
    ... except KeyboardInterrupt:
    ...     print(done)
    ['first', 'second']
    """

    __slots__ = ("_before", "_came")

    def __enter__(self) -> None:
        self._before: list[tuple[int, Any]] = []
        self._came: list[tuple[Any, int, FrameType | None]] = []
        if threading.current_thread() is not threading.main_thread():
            return
        try:
            for number in NUMBERS:
                handler = _get(number)
                if callable(handler):
                    self._before.append((number, handler))
                    _set(number, self._later)
        except BaseException:  # a handler, of a signal that came here
            self._restore()
            raise

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._restore()
        while self._came:
            handler, number, frame = self._came.pop(0)
            handler(number, frame)

    def _later(self, number: int, frame: FrameType | None) -> None:
        handler = next(handler for other, handler in self._before if other == number)
        if any(number == other for _, other, _ in self._came):
            handler(number, frame)
        else:
            self._came.append((handler, number, frame))

    def _restore(self) -> None:
        try:
            for number, handler in self._before:
                _set(number, handler)
        except BaseException:  # a handler that is in place again
            self._restore()
            raise
