"""The functions that gradient rules find on ``xp`` for a batched array: those of gpugrad itself."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import Any

from ... import backend
from ...core import Tensor, dispatch
from ...core.modes import careful

ESCAPED = "vmap: a tensor was kept from inside a mapped function and used after it had ended"


class BatchedNamespace:
    """``xp`` of batched arrays: each function of gpugrad, with arrays for Tensors."""

    def __init__(self, functions: Any, raw: Callable[[Any], Any]) -> None:
        self._functions, self._raw = functions, raw

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._functions, name)
        if isinstance(found, ModuleType):
            made: Any = BatchedNamespace(found, self._raw)
        elif callable(found) and not isinstance(found, type):

            def made(*args: Any, **kwargs: Any) -> Any:
                if not careful.on:  # no mapped function is running
                    raise RuntimeError(ESCAPED)
                return self._raw(found(*tensors(args), **{k: tensors(v) for k, v in kwargs.items()}))

        else:
            return found
        setattr(self, name, made)
        return made

    def __operation__(self, op: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """An operation that a rule calls, as one operation."""
        return self._raw(dispatch.general(op, tensors(args), kwargs))

    def __kernel__(self, kernel: Any, arguments: tuple[Any, ...]) -> Any:
        """A fused function through its reference; writing at an index through the operation that does it."""
        if hasattr(kernel, "reference"):
            return kernel.reference(self, *arguments)
        if kernel.__name__ == "checked_labels":  # which labels belong to which sample makes no difference
            inside = arguments[0].data.data
            kernel(backend.NAMESPACES[type(inside)], inside, *arguments[1:])
            return arguments[0]
        from ...ops import indexing

        writing: dict[str, Any] = {
            "set_at": indexing._set_at, "place_at": indexing._place, "add_at": indexing._scatter_add,
        }  # fmt: skip
        op = writing[kernel.__name__]
        arrays, static = tensors(arguments[: len(op.op.inputs)]), arguments[len(op.op.inputs) :]
        return self._raw(op(*arrays, **dict(zip(op.op.params, static, strict=True))))


def tensors(value: Any) -> Any:
    """Arrays as Tensors, in lists and tuples too."""
    if backend.is_array(value):
        return Tensor(value)
    if isinstance(value, tuple | list) and not hasattr(value, "_fields"):
        return type(value)(map(tensors, value))
    return value
