"""Notices that a run is to end: signals, and the cloud's word that the machine is taken back.

A signal handler does next to nothing: it notes the signal, and where the loop waits for something
(:meth:`Preemption.waiting`) it raises :class:`Interrupted`, so that the wait ends. Everything else happens in the
loop, at a place where saving makes sense. A thread watches the time: when the loop has not left after ``grace``
seconds, the process ends without another save.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from queue import Empty, SimpleQueue
from types import FrameType, TracebackType
from typing import Any

from ..backend import logger
from .cloud_notice import Metadata

GOING = 75
"""The exit status of a run that was told to go and can be taken up again: ``EX_TEMPFAIL`` of ``sysexits.h``, "try again
later". No shell, signal or Python uses it for something else, so that a supervisor can restart on it alone."""

BY_HAND = 130
"""The exit status after Ctrl-C, as shells have it: 128 + SIGINT."""


HANGUP = getattr(signal, "SIGHUP", None)
"""The terminal is closed, or the connection to it is lost; Windows has no such signal."""

HANDLED = tuple(number for number in (signal.SIGTERM, signal.SIGINT, HANGUP) if number is not None)


class Interrupted(SystemExit):
    """The run ends here, in good order; uncaught, it ends the process with the status ``code``.

    Attributes:
        reason: "SIGTERM", "SIGINT", "SIGHUP" or "preempted".
        code: 75, or 130 after SIGINT.

    >>> Interrupted("SIGTERM").code, Interrupted("SIGINT").code
    (75, 130)
    """

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(BY_HAND if reason == "SIGINT" else GOING)


class Preemption:
    """Notice SIGTERM, SIGINT, SIGHUP, and that Google Compute Engine takes the machine back, inside a ``with`` block.

    Args:
        grace: the seconds from a notice to the end of the process, come what may; 20 of the 30 that clouds give. After
            SIGINT there is no limit: whoever pressed Ctrl-C can do so again.
        metadata: the address that tells of preemption. None: that of the environment variable
            ``GPUGRAD_METADATA_URL``, or Google's on Google's machines, and nothing elsewhere. False: none.

    Handlers are installed in the main thread only, and those before are back after the block. A signal that was ignored
    (a program in the background) stays ignored. After the first signal, the next one of either kind ends the process at
    once, as if there were no handler; a notice of the cloud, which a signal follows as a rule, does not count, nor does
    SIGHUP, which a terminal that is closed sends more than once.

    >>> with Preemption(grace=10) as going:
    ...     for batch in going.batches([1, 2]):  # a wait for a batch ends when a notice comes
    ...         if going.noticed:  # this is where to save
    ...             going.leave()
    ...     going.reason is None
    True
    """

    def __init__(self, grace: float = 20.0, metadata: str | bool | None = None) -> None:
        if not grace > 0:
            raise ValueError(f"Preemption: expected grace in seconds, more than 0, got {grace}")
        self.grace = grace
        self.reason: str | None = None
        """Why the run is to end; None while nothing was noticed."""
        self.metadata = Metadata.at(metadata)
        self._before: dict[int, Any] = {}
        self._main = False
        self._open = False
        self._nudged = self._cut = False
        self._nudging = threading.Lock()
        self._interrupt: Callable[[], Any] | None = None
        self._told: SimpleQueue[str | None] = SimpleQueue()  # its put may happen anywhere, in a signal handler too
        self._watch: threading.Thread | None = None

    def __enter__(self) -> Preemption:
        self.reason, self._nudged, self._cut, self._told = None, False, False, SimpleQueue()
        self._watch = threading.Thread(target=self._watched, args=(self._told,), name="gpugrad-grace", daemon=True)
        self._watch.start()
        self._main = threading.current_thread() is threading.main_thread()
        if self._main:
            for number in HANDLED:
                before = signal.getsignal(number)
                if before not in (signal.SIG_IGN, None):
                    self._before[number] = before
                    signal.signal(number, self._handle)
        if self.metadata is not None:
            self.metadata.start(self._taken_back)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._open = False
        if self.metadata is not None:
            self.metadata.stop()
        with self._nudging:
            while self._before:
                signal.signal(*self._before.popitem())
        self._told.put(None)

    # ---------------------------------------------------------------- for the loop

    @property
    def noticed(self) -> bool:
        """Whether the run is to end."""
        return self.reason is not None

    def leave(self) -> None:
        """End the run, if that was asked for; call it when everything is saved.

        Raises:
            Interrupted: always, if :attr:`noticed`.
        """
        if self.reason is not None:
            raise Interrupted(self.reason)

    @contextmanager
    def waiting(self, interrupt: Callable[[], Any] | None = None) -> Iterator[None]:
        """Around what may take long and can be given up at any line: a notice raises :class:`Interrupted` in it.

        Args:
            interrupt: for a loop that does not run in the main thread, where no signal reaches it: called to end the
            wait.
        """
        self._interrupt, self._open = interrupt, True
        try:
            self.leave()
            yield
        except Exception as error:
            if self._cut:
                raise Interrupted(self.reason or "") from error
            raise
        finally:
            self._open = False
            self._interrupt = None

    def batches(self, source: Iterable[Any]) -> Iterator[Any]:
        """What a loader gives, every wait for it interruptible.

        >>> with Preemption() as going:
        ...     list(going.batches("abc"))
        ['a', 'b', 'c']
        """
        interrupt = getattr(source, "interrupt", None)
        with self.waiting(interrupt):
            batches = iter(source)
        while True:
            with self.waiting(interrupt):
                try:
                    batch = next(batches)
                except StopIteration:
                    return
            yield batch

    # ---------------------------------------------------------------- notices

    def _handle(self, number: int, frame: FrameType | None) -> None:
        name = signal.Signals(number).name
        if self._nudged:
            self._nudged = False  # it came from the thread below, to end a wait
        else:
            self._last_warning(number)
        if self.reason is None:
            self._notice(name)
        if self._open:
            self._open = False
            raise Interrupted(self.reason or name)

    def _last_warning(self, number: int) -> None:
        """The next signal ends the process, whatever it is doing, in C as well; SIGHUP does nothing more."""
        if HANGUP in self._before:
            signal.signal(HANGUP, signal.SIG_IGN)
        if number == HANGUP:
            return
        for other in self._before.keys() - {HANGUP}:
            if os.getpid() == 1:  # which ignores signals that it does not handle
                signal.signal(other, lambda number, frame: os._exit(128 + number))
            else:
                signal.signal(other, signal.SIG_DFL)

    def _notice(self, reason: str) -> None:
        self.reason = reason
        self._told.put(reason)

    def _taken_back(self) -> None:
        """Called in the thread that asks the cloud."""
        if self.reason is not None:
            return
        self._notice("preempted")
        interrupt = self._interrupt
        with self._nudging:  # the handler is there, or it is not
            if signal.SIGTERM in self._before:
                self._nudged = True
                signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGTERM)
            elif self._open and interrupt is not None:
                self._cut = True
                interrupt()

    def _watched(self, told: SimpleQueue[str | None]) -> None:
        """End the process when its time is over."""
        reason = told.get()
        if reason is None:
            return
        limit = f" within {self.grace:g} s" if reason != "SIGINT" else "; once more quits at once"
        logger.warning("%s: saving and leaving%s", reason, limit)
        deadline = time.monotonic() + self.grace
        try:
            while told.get(timeout=None if reason == "SIGINT" else max(deadline - time.monotonic(), 0)) is not None:
                pass
        except Empty:
            logger.error("%s: not done after %g s, leaving without another save", reason, self.grace)
            for stream in (sys.stdout, sys.stderr):
                with suppress(OSError, ValueError):
                    stream.flush()
            os._exit(GOING)
