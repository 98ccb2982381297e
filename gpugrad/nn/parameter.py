"""Parameters: leaves that modules find; and those whose shape is not known yet."""

from __future__ import annotations

from typing import Any

from .. import backend
from ..backend import Array, Device
from ..core import Tensor, check_unconnected
from ..core.errors import user_line
from ..ops.creation import empty, tensor, to


class Parameter(Tensor):
    """A leaf of the graph that a :class:`gpugrad.nn.Module` finds by itself: what an optimizer changes.

    ``parameter.data = x`` takes an array of the same shape, dtype and device; a Tensor is copied.

    Args:
        data: a Tensor, whose memory is shared, or what :func:`gpugrad.tensor` copies into one.
        requires_grad: whether it is to be learned; settable later.

    Raises:
        GradientError: the data are a result that needs a gradient, or an argument of a transform.
        TypeError: the data are no numbers, or integers are to be learned.

    Source: ``torch.nn.Parameter``.

    >>> from gpugrad import nn
    >>> nn.Parameter([1.0, 2.0])
    Parameter containing:
    tensor([1., 2.], requires_grad=True)
    """

    __slots__ = ()

    def __init__(self, data: Any, requires_grad: bool = True) -> None:
        made = data if isinstance(data, Tensor) else tensor(data)
        check_unconnected("Parameter", made)
        super().__init__(made.data)
        self.requires_grad = requires_grad

    def __setattr__(self, name: str, value: Any) -> None:
        object.__setattr__(self, name, self._checked(value) if name == "data" else value)

    def _checked(self, value: Any) -> Any:
        """An array that may become the value: of the same shape, dtype and device.

        Raises:
            TypeError: it is not an array, or has another dtype.
            ValueError: it has another shape, or is on another device.
        """
        array = backend.duplicate(value.data) if isinstance(value, Tensor) else value
        try:
            old = _place.__get__(self)
        except AttributeError:  # it is being made
            return array
        if not backend.is_array(array):
            raise TypeError(f"Parameter.data: expected an array or a Tensor, got {type(value).__name__}")
        given, own = backend.device_of(array), backend.device_of(old)
        if array.shape != old.shape:
            raise ValueError(
                f"Parameter.data: expected the shape {old.shape}, got {array.shape}; for another shape make a new one, "
                "module.name = nn.Parameter(x)"
            )
        if array.dtype != old.dtype:
            raise TypeError(
                f"Parameter.data: expected {old.dtype}, got {array.dtype}: use x.astype({str(old.dtype)!r}), or "
                "module.to(dtype) for all parameters"
            )
        if given != own:
            raise ValueError(f"Parameter.data: expected an array on {own}, got one on {given}: use module.to(device)")
        return array

    def replace(self, array: Array) -> None:
        """Take an array of any shape, dtype and device; for :mod:`gpugrad.nn` itself."""
        _place.__set__(self, array)

    def __repr__(self) -> str:
        return f"Parameter containing:\n{super().__repr__()}"


class Buffer(Tensor):
    """A Tensor that becomes a buffer of the :class:`gpugrad.nn.Module` whose attribute it is.

    Args:
        data: a Tensor, whose memory is shared, or what :func:`gpugrad.tensor` copies into one.
        persistent: whether it is in the ``state_dict``.

    Raises:
        GradientError: the data are a result that needs a gradient, or an argument of a transform.

    Source: ``torch.nn.Buffer``.

    >>> from gpugrad import nn
    >>> layer = nn.Module()
    >>> layer.steps = nn.Buffer([0.0])
    >>> list(layer.state_dict())
    ['steps']
    """

    __slots__ = ("persistent",)

    def __init__(self, data: Any, *, persistent: bool = True) -> None:
        made = data if isinstance(data, Tensor) else tensor(data)
        check_unconnected("Buffer", made)
        super().__init__(made.data)
        self.persistent = persistent

    def __reduce__(self) -> tuple[Any, ...]:
        return _buffer, (Tensor(self.data), self.persistent)


def _buffer(data: Tensor, persistent: bool) -> Buffer:
    return Buffer(data, persistent=persistent)


class Saved(Tensor):
    """A copy in a ``state_dict``: methods that change it in place, which would not reach the module, are refused."""

    __slots__ = ()

    @staticmethod
    def refuse(name: str) -> None:
        """Refuse a method.

        Raises:
            TypeError: always.
        """
        raise TypeError(
            f"{name}: a state_dict() has copies, and the module would stay as it is: write state[name] = value and "
            f"module.load_state_dict(state), or module.get_parameter(name).{name}(...) inside gg.no_grad() "
            f"[{user_line()}]"
        )

    def __reduce__(self) -> tuple[Any, ...]:
        return Tensor, (self.data,)


_place: Any = Tensor.__dict__["data"]
"""Where a Tensor has its array, which one without a shape hides: an empty one that has its dtype and device."""


class Uninitialized(Tensor):
    """A Tensor with a dtype and a device but no shape and no value yet: everything that asks for them is an error."""

    __slots__ = ()

    becomes: type[Tensor] = Tensor

    @property
    def data(self) -> Array:
        raise ValueError(
            f"an {type(self).__name__} has no shape and no value yet: call the module once, or load a state into it"
        )

    @data.setter
    def data(self, value: Array) -> None:
        _place.__set__(self, value)

    @property
    def hidden(self) -> Array:
        """An empty array with the dtype and on the device that it will have."""
        return _place.__get__(self)

    def materialize(self, shape: tuple[int, ...], device: Device | str | None = None, dtype: Any = None) -> None:
        """Become an ordinary one, of this shape; the values are still to be written.

        Args:
            shape: to have.
            device: None for the one given before.
            dtype: None for the one given before.
        """
        kept, wanted = self.hidden, self.requires_grad
        made = empty(shape, dtype=dtype or kept.dtype, device=device or backend.device_of(kept))
        self.requires_grad = False
        self.__class__ = self.becomes  # type: ignore[assignment]
        _place.__set__(self, made.data)
        self.requires_grad = wanted

    def move(self, device: Device | str | None, dtype: Any) -> None:
        """Take another device or dtype before there are values."""
        kept, wanted = self.hidden, self.requires_grad
        self.requires_grad = False
        _place.__set__(self, to(Tensor(kept), device=device, dtype=dtype).data)
        self.requires_grad = wanted

    @property
    def requires_grad(self) -> bool:
        """Whether it is to be learned, once it is there."""
        return self.node is not None

    @requires_grad.setter
    def requires_grad(self, wanted: bool) -> None:
        hidden = Tensor(self.hidden, self.node)
        hidden.requires_grad = wanted
        self.node = hidden.node

    def __repr__(self) -> str:
        return f"<{type(self).__name__}>"

    def __reduce__(self) -> tuple[Any, ...]:
        return _remade, (type(self), self.hidden, self.requires_grad)


def _remade(kind: Any, data: Array, requires_grad: bool) -> Uninitialized:
    made: Uninitialized = kind.__new__(kind)
    Tensor.__init__(made, data)
    made.requires_grad = requires_grad
    return made


class UninitializedParameter(Uninitialized, Parameter):
    """A Parameter whose shape is not known yet (see :class:`LazyLinear`).

    Args:
        requires_grad: whether it is to be learned.
        device, dtype: None for the defaults.

    Raises:
        ValueError: its shape or value is asked for.

    Source: ``torch.nn.parameter.UninitializedParameter``.

    >>> import gpugrad as gg
    >>> weight = gg.nn.UninitializedParameter()
    >>> weight
    <UninitializedParameter>
    >>> weight.materialize((2, 3))
    >>> type(weight).__name__, weight.shape
    ('Parameter', (2, 3))
    """

    __slots__ = ()

    becomes = Parameter

    def __init__(self, requires_grad: bool = True, device: Device | str | None = None, dtype: Any = None) -> None:
        Tensor.__init__(self, empty((0,), dtype=dtype, device=device).data)
        self.requires_grad = requires_grad


class UninitializedBuffer(Uninitialized):
    """A buffer whose shape is not known yet (see :class:`LazyBatchNorm1d`).

    Args:
        requires_grad: False; buffers are not learned.
        device, dtype: None for the defaults.

    Raises:
        ValueError: its shape or value is asked for.

    Source: ``torch.nn.parameter.UninitializedBuffer``.

    >>> import gpugrad as gg
    >>> mean = gg.nn.UninitializedBuffer()
    >>> mean.materialize((2,))
    >>> mean.shape
    (2,)
    """

    __slots__ = ()

    def __init__(self, requires_grad: bool = False, device: Device | str | None = None, dtype: Any = None) -> None:
        Tensor.__init__(self, empty((0,), dtype=dtype, device=device).data)
        self.requires_grad = requires_grad
