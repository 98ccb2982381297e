"""Functions that must be elementwise, because they see more elements than they were written for."""

from __future__ import annotations

from contextlib import AbstractContextManager
from contextvars import Token
from types import TracebackType
from typing import Any

from ...core import Tensor
from ...core.errors import user_line
from ...core.modes import observer, observing
from .array import Batched, current


class ElementwiseOnly(AbstractContextManager[None]):
    """A context in which the innermost :func:`~gpugrad.vmap` refuses operations that are not elementwise.

    It sits in the place of the observer of operations, and hands on what it sees to the one that was there.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self._before, self._level = observer(), current.get()
        self._tokens: list[Token[Any]] = []

    def note(self, op: Any, operands: Any, params: dict[str, Any], made: Any) -> None:
        arrays = (x.data if isinstance(x, Tensor) else x for x in operands)
        if any(type(a) is Batched and a.level is self._level for a in arrays) and op.batch != "elementwise":
            raise TypeError(
                f"vmap: {self.name} calls its functions with all elements, so they must be elementwise; {op.name} is "
                f"not: use gg.where instead of {self.name} [{user_line()}]"
            )
        if self._before is not None:
            self._before.note(op, operands, params, made)

    def __enter__(self) -> None:
        self._tokens.append(observing.set(self))

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        observing.reset(self._tokens.pop())
