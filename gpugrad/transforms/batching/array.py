"""The array that stands for those of all samples, and how it meets other arrays."""

from __future__ import annotations

import math
from contextvars import ContextVar
from typing import Any

from ... import backend
from ...backend import BACKENDS, Array, Backend, Device, DType
from ...core import Tensor
from ...core.errors import user_line
from ...ops.creation import to
from .namespace import ESCAPED, BatchedNamespace


class Level:
    """One running :func:`~gpugrad.vmap`: how many samples it has, and how deep inside others it is."""

    __slots__ = ("depth", "open", "size")

    def __init__(self, size: int) -> None:
        outer = current.get()
        self.size, self.open = size, True
        self.depth: int = 0 if outer is None else outer.depth + 1


current: ContextVar[Level | None] = ContextVar("gpugrad_vmap_level", default=None)


class Batched:
    """The array of one sample to look at; ``data``, a Tensor, holds those of all along its first axis.

    Attributes:
        data: the values: of all samples, or one for all where ``each`` is False.
        level: the vmap that it belongs to.
        each: whether ``data`` has the axis of the samples.
    """

    __slots__ = ("data", "each", "level")

    __array_ufunc__ = None  # an operator between a NumPy array and this is this one's business
    __array_priority__ = 1000
    __hash__ = object.__hash__

    def __init__(self, data: Tensor, level: Level, each: bool) -> None:
        self.data, self.level, self.each = data, level, each

    @property
    def shape(self) -> tuple[int, ...]:
        return self.data.shape[1:] if self.each else self.data.shape

    @property
    def ndim(self) -> int:
        return len(self.shape)

    @property
    def size(self) -> int:
        return math.prod(self.shape)

    @property
    def nbytes(self) -> int:
        return self.size * self.data.itemsize

    @property
    def dtype(self) -> DType:
        return self.data.dtype

    @property
    def base(self) -> Any:
        return getattr(self.data.data, "base", None)

    def __len__(self) -> int:
        return self.shape[0]

    def copy(self, memo: Any = None) -> Batched:
        return Batched(self.data.copy(), self.level, self.each)

    __copy__ = __deepcopy__ = copy

    def __getitem__(self, index: Any) -> Batched:
        part: Batched = raw(Tensor(self)[index])
        return part

    def _refused(self, *_: Any, **__: Any) -> Any:
        raise TypeError(
            "vmap: this tensor's value differs from sample to sample; bool, float, int, item and numpy need "
            f"one: use gg.where in the place of if, or take it out of the mapped function ({user_line()})"
        )

    __bool__ = __float__ = __int__ = __index__ = __complex__ = __iter__ = item = tolist = __array__ = __reduce__ = (
        _refused
    )


def raw(value: Any) -> Any:
    """The array of a Tensor, as a :class:`Batched` of the innermost vmap; anything else as it is."""
    if isinstance(value, Tensor):
        if type(value.data) is Batched:
            return value.data
        level = current.get()
        return value.data if level is None else Batched(Tensor(value.data), level, False)
    if isinstance(value, tuple | list) and not hasattr(value, "_fields"):
        return type(value)(map(raw, value))
    return value


def _operator(name: str) -> tuple[Any, Any]:
    def forward(self: Batched, other: Any) -> Any:
        return raw(getattr(Tensor, name)(Tensor(self), Tensor(other) if backend.is_array(other) else other))

    def reflected(self: Batched, other: Any) -> Any:
        return raw(getattr(Tensor, name)(Tensor(other) if backend.is_array(other) else other, Tensor(self)))

    return forward, reflected


for _name in ("add", "sub", "mul", "truediv", "floordiv", "mod", "pow", "matmul", "and", "or", "xor"):
    _forward, _reflected = _operator(f"__{_name}__")
    setattr(Batched, f"__{_name}__", _forward)
    setattr(Batched, f"__r{_name}__", _reflected)
for _name in ("eq", "ne", "lt", "le", "gt", "ge"):
    setattr(Batched, f"__{_name}__", _operator(f"__{_name}__")[0])
for _name in ("neg", "pos", "abs", "invert"):
    setattr(Batched, f"__{_name}__", lambda self, name=f"__{_name}__": raw(getattr(Tensor, name)(Tensor(self))))


def lift(operands: tuple[Any, ...], params: dict[str, Any]) -> tuple[Any, ...]:
    """The operands of an operation, all of the innermost vmap among them; as they are, where none is inside one."""
    level = innermost([*operands, *inside_of(params)])
    if level is None:
        return operands
    if not level.open:
        raise RuntimeError(ESCAPED)
    return tuple(_raised(operand, level) for operand in operands)


def innermost(operands: list[Any]) -> Level | None:
    """The innermost vmap that one of the operands belongs to; None where none is inside one."""
    level = None
    for operand in operands:
        array = operand.data if isinstance(operand, Tensor) else operand
        if type(array) is Batched and (level is None or array.level.depth > level.depth):
            level = array.level
    return level


def inside_of(params: dict[str, Any]) -> list[Any]:
    """The arrays that hide in static parameters: those of an index."""
    index = params.get("index")
    entries = index if isinstance(index, tuple) else (index,)
    return [entry for entry in entries if type(entry) is Batched]


def raised_index(index: Any, level: Level) -> Any:
    """An index whose arrays, where they belong to a vmap, all belong to this one."""
    if isinstance(index, tuple):
        return tuple(raised_index(entry, level) for entry in index)
    return _raised(index, level) if type(index) is Batched else index


def _raised(operand: Any, level: Level) -> Any:
    """An operand as one of this vmap: the same for all samples. Its place in the graph, if any, is outside of it."""
    if not isinstance(operand, Tensor):
        if type(operand) is Batched and operand.level is level:
            return operand
        return Batched(Tensor(operand), level, False) if backend.is_array(operand) else operand
    array = operand.data
    if type(array) is Batched and array.level is level:
        return operand
    return Tensor(Batched(operand, level, False))


def variable(data: Array) -> Array:
    """The array of a new variable, of the innermost vmap: so its gradient is that of each sample."""
    level = current.get()
    return data if level is None else _raised(data, level)


class BatchedBackend(Backend):
    """Memory is that of the arrays inside."""

    name = "batched"
    stands_in = True

    def device(self, array: Batched) -> Device:
        return array.data.device

    def from_host(self, array: Any, device: Device) -> Array:
        return backend.backend_for(device).from_host(array, device)

    def to_host(self, array: Batched) -> Any:
        return array._refused()

    def constant(self, array: Batched) -> Batched:
        samples = array.data  # a Tensor
        return Batched(samples.detach(), array.level, array.each)

    def text(self, array: Batched) -> str:
        return f"of {f'each of {array.level.size}' if array.each else 'all'} samples: {array.data!r}"

    def move(self, array: Batched, device: Device) -> Batched:
        return Batched(to(array.data, device=device), array.level, array.each)

    def check_labels(self, labels: Array, classes: int, ignored: int | None = None, name: str = "labels") -> None:
        inner = labels.data.data
        BACKENDS[type(inner)].check_labels(inner, classes, ignored, name)

    def check_values(self, x: Array, low: float, high: float, text: str) -> None:
        inner = x.data.data
        BACKENDS[type(inner)].check_values(inner, low, high, text)


namespace = BatchedNamespace(backend.NAMESPACES[Tensor], raw)
backend.register_array_type(Batched, namespace, BatchedBackend())
