"""The Tensor: an array plus a place in the graph."""

from __future__ import annotations

import copy
import sys
from collections.abc import Callable
from types import EllipsisType
from typing import TYPE_CHECKING, Any

import numpy
from numpy.typing import NDArray

from .. import backend
from ..backend import BACKENDS, Array, Device, DType, Size
from . import modes
from .errors import GradientError, formats, library_function, lost, user_line
from .node import Hook, Leaf, Node, View, Watch, age

if TYPE_CHECKING:
    from .methods import TensorMethods
else:
    TensorMethods = object


class Tensor(TensorMethods):
    """An array, and the node of the graph that made it (None for a constant).

    Tensors have value semantics: ``x[i] = v`` and ``x += v`` give this Tensor a new value and leave every other
    Tensor, and whatever the graph has saved, as it was. Only leaves that need a gradient are changed in place, and only
    inside :class:`no_grad`. A scalar (shape ``()``) in a graph or a transform is immutable under ``x += v``, as in
    NumPy: ``x`` names a new Tensor, and other names keep the old one. Make one with :func:`tensor` or :func:`asarray`.
    The operators and methods are those of the functions of the same name, bound by :mod:`gpugrad.ops`; ``backward`` is
    bound by :mod:`gpugrad.core.engine`, iteration by :mod:`gpugrad.core.rows`.

    >>> import gpugrad as gg
    >>> x = gg.tensor([1.0, 2.0, 3.0], requires_grad=True)
    >>> (x * x).sum().backward()
    >>> x.grad
    tensor([2., 4., 6.])
    """

    __slots__ = ("__weakref__", "data", "node")

    data: Array
    node: Node | None

    def __init__(self, data: Array | Tensor, node: Node | EllipsisType | None = ...) -> None:
        if node is ...:
            node = None
            owner = BACKENDS.get(type(data))
            if owner is None:
                data, node = _placed(data)
            elif owner.count > 1:
                owner.device(data)  # which may be a second one that is used
        self.data = data
        self.node = node

    # ---------------------------------------------------------------- what it is

    @property
    def shape(self) -> tuple[int, ...]:
        """The size of each axis."""
        shape: tuple[int, ...] = self.data.shape
        return shape

    @property
    def dtype(self) -> DType:
        """The type of the elements."""
        dtype: DType = self.data.dtype
        return dtype

    @property
    def ndim(self) -> int:
        """The number of axes."""
        return len(self.data.shape)

    @property
    def size(self) -> Size:
        """The number of elements; ``x.size()`` is the shape and ``x.size(0)`` one of its sizes, as in PyTorch."""
        size = Size(self.data.size)
        size.shape = self.data.shape
        return size

    @property
    def nbytes(self) -> int:
        """The number of bytes the elements take."""
        return int(self.data.nbytes)

    @property
    def itemsize(self) -> int:
        """The number of bytes of one element."""
        return int(self.data.dtype.itemsize)

    @property
    def strides(self) -> tuple[int, ...]:
        """There are none: code that walks memory by them would leave the graph.

        Raises:
            AttributeError: always; names the function that asked, and the line.
        """
        function = library_function()
        raise AttributeError(
            f"a tensor has no strides, its memory is not to be walked by them{f' in {function}' if function else ''} "
            f"[{user_line()}]: use indices, such as x[i - j], or x.detach().numpy() if you want a constant"
        )

    @property
    def device(self) -> Device:
        """Where the elements live."""
        return backend.device_of(self.data)

    def __len__(self) -> int:
        if not self.data.shape:
            raise TypeError("len() of a 0-d tensor")
        return int(self.data.shape[0])

    def __repr__(self) -> str:
        text = backend.backend_of(self.data).text(self.data)
        if text is not None:
            return f"tensor({text})"
        body = numpy.array2string(self.numpy(), separator=", ", prefix="tensor(", threshold=1000)
        notes = [] if self.data.size or self.ndim == 1 else [f"shape={self.shape}"]
        if self.dtype not in (modes.get_default_dtype(), backend.dtypes.int64, backend.dtypes.bool_):
            notes.append(f"dtype={self.dtype}")
        if not self.device.is_host:
            notes.append(f"device='{self.device}'")
        if self.node is not None:
            notes.append("requires_grad=True" if isinstance(self.node, Leaf) else f"op={self.node.name}")
        return f"tensor({', '.join([body, *notes])})"

    def __format__(self, spec: str) -> str:
        if not spec or self.data.size != 1:
            return format(repr(self), spec)
        text = backend.backend_of(self.data).text(self.data)
        return format(self.item(), spec) if text is None else repr(self)

    __hash__ = object.__hash__

    # ---------------------------------------------------------------- its value, outside the graph

    def item(self) -> Any:
        """The one element as a Python number, a constant: no gradient comes back through it.

        Raises:
            ValueError: there is not exactly one element.
            IndexError: on a GPU, an index of an operation before was out of bounds (see :func:`gpugrad.synchronize`).
        """
        if self.data.size != 1:
            raise ValueError(f"item() needs exactly one element, got shape {self.shape}")
        value = self.data.item()
        backend.look(self.data)
        return value

    def tolist(self) -> Any:
        """The elements as nested Python lists."""
        values = self.data.tolist()
        backend.look(self.data)
        return values

    def numpy(self) -> NDArray[Any]:
        """A NumPy copy of the elements, from whatever device, outside the graph."""
        return backend.to_host(self.data)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        """Hand the elements to NumPy; refused where a gradient or a transfer would go unnoticed.

        Raises:
            GradientError: the tensor needs a gradient.
            TypeError: it lives on a GPU.
        """
        if self.node is not None:
            raise GradientError(lost("a NumPy array", "x.detach()"))
        if not self.device.is_host:
            raise TypeError(
                f"a tensor on {self.device} is not copied to a NumPy array implicitly: use x.numpy() [{user_line()}]"
            )
        backend.look(self.data)
        return numpy.array(self.data, dtype=dtype, copy=copy is not False)

    def __bool__(self) -> bool:
        if self.data.size != 1:
            raise ValueError(f"the truth value of a tensor of shape {self.shape} is ambiguous: use gg.any or gg.all")
        truth = bool(self.data)
        backend.look(self.data)
        return truth

    def __float__(self) -> float:
        """The one element of a constant, for ``math.exp(x)`` and similar; of any tensor for ``"%.3f" % x``.

        Raises:
            GradientError: the tensor needs a gradient, which would be lost. :meth:`item` drops it explicitly.
        """
        return float(self._number("float"))

    def __int__(self) -> int:
        """The one element of a constant, truncated; raises as :meth:`__float__`."""
        return int(self._number("int"))

    def __complex__(self) -> complex:
        """The one element of a constant; raises as :meth:`__float__`."""
        return complex(self._number("complex number"))

    def _number(self, kind: str) -> Any:
        if self.node is not None and modes.recording() and not formats():
            raise GradientError(lost(f"a Python {kind}", "x.item()"))
        return self.item()

    def __index__(self) -> int:
        if self.dtype.kind not in "iu":
            raise TypeError(f"only an integer tensor can be an index, got {self.dtype}")
        return int(self.item())

    # ---------------------------------------------------------------- its place in the graph

    @property
    def requires_grad(self) -> bool:
        """Whether a gradient with respect to this tensor can be asked for; settable on leaves."""
        return self.node is not None

    @requires_grad.setter
    def requires_grad(self, wanted: bool) -> None:
        if wanted and self.node is None:
            if not backend.is_floating(self.data.dtype):
                raise TypeError(f"only floating-point tensors can need a gradient, got {self.data.dtype}")
            if modes.careful.on and modes.careful.variable is not None:
                self.data = modes.careful.variable(self.data)
            self.node = Leaf(self.data.shape, self.data.dtype)
        elif not wanted and self.node is not None:
            if not isinstance(self.node, Leaf):
                raise GradientError(f"the result of {self.node.name} is no leaf: use x.detach()")
            self.node = None

    def requires_grad_(self, requires_grad: bool = True) -> Tensor:
        """Set :attr:`requires_grad` and return this tensor."""
        self.requires_grad = requires_grad
        return self

    @property
    def is_leaf(self) -> bool:
        """Whether no operation of the graph made it."""
        return self.node is None or isinstance(self.node, Leaf)

    @property
    def grad(self) -> Tensor | None:
        """The gradient that backward passes have added up here; None before the first, and after ``grad = None``."""
        watch = None if self.node is None else self.node.watch
        return None if watch is None else watch.grad

    @grad.setter
    def grad(self, value: Tensor | None) -> None:
        if self.node is None or self.node.watch is None:
            if value is not None:
                raise GradientError("a gradient can be set only on a tensor that keeps one (see requires_grad)")
            return
        if value is not None and (value.shape != self.shape or value.dtype != self.dtype):
            raise ValueError(f"expected a gradient of {self.dtype} {self.shape}, got {value.dtype} {value.shape}")
        self.node.watch.grad = value

    def detach(self) -> Tensor:
        """The same value as a constant, outside the graph.

        The memory is shared, except for a leaf and views of one, whose memory an optimizer may change.
        """
        if isinstance(self.node, Leaf | View):
            return Tensor(backend.duplicate(self.data))
        return Tensor(BACKENDS[type(self.data)].constant(self.data))

    def retain_grad(self) -> None:
        """Keep the gradient of this result too, not only those of the leaves.

        Raises:
            GradientError: the tensor needs no gradient.
        """
        self._watched("retain_grad").keep = True

    def register_hook(self, hook: Callable[[Tensor], Tensor | None]) -> Hook:
        """Call ``hook(gradient)`` when the gradient has arrived here; what it returns, if anything, replaces it.

        Raises:
            GradientError: the tensor needs no gradient.
        """
        return Hook(self._watched("register_hook").hooks, hook)

    def _watched(self, asker: str) -> Watch:
        if self.node is None:
            raise GradientError(f"{asker}: this tensor needs no gradient (see requires_grad)")
        if self.node.watch is None:
            self.node.watch = Watch()
        return self.node.watch

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle the value and whether it needs a gradient.

        Raises:
            GradientError: the tensor is a result that needs a gradient, or an argument inside a transform.
        """
        if connected(self):
            raise GradientError(lost("a pickle", "x.detach()"))
        return _restored, (type(self), self.data, self.requires_grad)

    def __copy__(self) -> Tensor:
        """A leaf or a constant that shares the memory; the copy of a result that needs a gradient is recorded."""
        if connected(self):
            return self.copy()
        restore, parts = self.__reduce__()
        return restore(*parts)  # type: ignore[no-any-return]

    def __deepcopy__(self, memo: dict[int, Any]) -> Tensor:
        """A leaf, with its gradient, or a constant, with its own memory; the copy of a result that needs a gradient is
        recorded.
        """
        if connected(self):
            return self.copy()
        restore, parts = self.__reduce__()
        made: Tensor = restore(*copy.deepcopy(parts, memo))
        if made.node is not None and (grad := self.grad) is not None:
            made.grad = copy.deepcopy(grad.detach(), memo)
        return made

    # ---------------------------------------------------------------- new values

    @property
    def reaches(self) -> bool:
        """Whether a change in place also changes another tensor: true of the rows that an iteration gives."""
        return False

    def become(self, value: Tensor) -> None:
        """Take the value and the place in the graph of another Tensor of the same shape: what ``x += v`` does.

        Raises:
            GradientError: this is a leaf that needs a gradient, while recording; or a result that needs one, while not
                recording.
        """
        if not isinstance(self.node, Leaf):
            if self.node is not None and value.node is None and not modes.recording():
                raise GradientError(
                    "a result that needs a gradient would become a constant: change it outside no_grad, or a copy of "
                    f"it (y = x.detach()) [{user_line()}]"
                )
            self.data, self.node = value.data, value.node
            return
        if modes.recording():
            raise GradientError("a leaf that needs a gradient cannot be changed while recording: use gg.no_grad()")
        backend.overwrite(self.data, value.data)
        self.mark_changed()

    def mark_changed(self) -> None:
        """Note that the memory of this leaf was written to: a backward pass that needs the old value then raises."""
        if isinstance(self.node, Leaf):
            self.node.changed = age()


def _placed(data: Any) -> tuple[Array, Node | None]:
    """A Tensor at its place in the graph, as ``type(x)(x)`` has it, or an array of a library that is not loaded yet.

    Raises:
        TypeError: it is neither.
    """
    if isinstance(data, Tensor):
        return data.data, data.node
    if not backend.is_array(data):
        raise TypeError(
            f"Tensor: expected an array or a tensor, got {type(data).__name__} [{user_line()}]: use gg.tensor(data), "
            "or gg.asarray(data) for a list that holds tensors"
        )
    return data, None


def _restored(kind: type[Tensor], data: Array, requires_grad: bool) -> Tensor:
    """The Tensor that was pickled."""
    made = kind.__new__(kind)
    Tensor.__init__(made, data)
    made.requires_grad = requires_grad
    return made


def connected(x: Tensor) -> bool:
    """Whether a copy of ``x`` must stay in the graph: a result that needs a gradient, or an argument of a transform.

    A copy of any other leaf is a new leaf.
    """
    return x.node is not None and not isinstance(x.node, Leaf)


def check_unconnected(name: str, x: Any) -> None:
    """Refuse values that are copied into leaves, where the gradient of a tensor in the graph would be lost.

    Raises:
        GradientError: ``x`` is a result that needs a gradient, or an argument of a transform, while recording.
    """
    if isinstance(x, Tensor) and connected(x) and modes.recording():
        raise GradientError(
            f"{name}: expected values outside the graph, got a tensor that needs a gradient, which would be lost "
            f"[{user_line()}]: use x.detach()"
        )


backend.register_array_type(Tensor, sys.modules[__name__.partition(".")[0]])
"""gpugrad is the namespace of its own Tensors: what is computed with it is recorded."""
