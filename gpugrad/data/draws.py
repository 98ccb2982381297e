"""Random numbers for the code of a data set: each batch and each stream has its own."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from contextvars import ContextVar
from threading import RLock
from typing import Any

import numpy

from ..random import Generator, replaced_default

own: ContextVar[tuple[Generator, ...]] = ContextVar("gpugrad_batch_random", default=())
"""What :func:`gpugrad.data.generator` gives: nothing, or one."""

_global = RLock()
"""Held while NumPy's and Python's random numbers are exchanged."""


class Draws:
    """The random numbers of a stream, in the state that they have reached.

    gpugrad's are exchanged in the current context. NumPy's and Python's belong to the whole process. They are exchanged
    where nobody else draws (``everywhere``): in a worker process, and while a loop waits for the first batch.
    A stream that draws from them there has them to itself from then on.
    """

    def __init__(self, seed: int, counter: int) -> None:
        self.seed = seed
        self.generators = Generator(seed, counter), Generator(seed, counter)
        self._states: Any = None
        self.wanted = False

    @contextmanager
    def used(self, everywhere: bool) -> Iterator[None]:
        """Draw from these inside a ``with`` block."""
        mine, default = self.generators
        token = own.set((mine,))
        try:
            with ExitStack() as stack:
                stack.enter_context(replaced_default(default))
                if everywhere or self.wanted:
                    stack.enter_context(self._everywhere())
                yield
        finally:
            own.reset(token)

    @contextmanager
    def _everywhere(self) -> Iterator[None]:
        with _global:
            kept = _states()
            if self._states is None:
                numpy.random.seed(self.seed % 2**32)  # noqa: NPY002
                random.seed(self.seed)
            else:
                _set(self._states)
            before = _states()
            try:
                yield
            finally:
                self._states = _states()
                self.wanted = self.wanted or str(self._states) != str(before)
                _set(kept)


def _states() -> Any:
    return numpy.random.get_state(legacy=False), random.getstate()  # noqa: NPY002


def _set(states: Any) -> None:
    numpy.random.set_state(states[0])  # noqa: NPY002
    random.setstate(states[1])
