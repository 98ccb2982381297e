"""Modules: functions with parameters."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Self

from .. import backend
from ..backend import Device
from ..backend.dtypes import float16, float32, float64
from ..core import Tensor
from ..ops.creation import to, zeros_like
from .attributes import MODULE
from .hooks import Hooked
from .parameter import Uninitialized
from .state import State


class Module(Hooked, State):
    """A function with parameters. Subclass it, assign parameters and modules to attributes, and define ``forward``.

    Attributes stay what they are; the Module only notes, by their type, which of them are parameters, buffers
    (Tensors that belong to the state but are not learned) and modules.

    Attributes:
        training: whether it is in training mode (see :meth:`train`); dropout asks for it.

    Source: ``torch.nn.Module``, whose names and ``state_dict`` keys these are.

    >>> import gpugrad as gg
    >>> from gpugrad import nn
    >>> class Affine(nn.Module):
    ...     def __init__(self):
    ...         super().__init__()
    ...         self.scale = nn.Parameter(gg.ones(3))
    ...         self.register_buffer("offset", gg.full(3, 2.0))
    ...
    ...     def forward(self, x):
    ...         return x * self.scale + self.offset
    >>> model = Affine()
    >>> model(gg.zeros(3))
    tensor([2., 2., 2.], op=add)
    >>> list(model.state_dict())
    ['scale', 'offset']
    """

    training: bool

    def __init__(self) -> None:
        object.__setattr__(self, "_kinds", {})
        self.training = True

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if self._hooks is not None:
            return self._hooks.call(self, args, kwargs)
        return self.forward(*args, **kwargs)

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """What calling the module computes.

        Raises:
            NotImplementedError: the subclass defines none.
        """
        raise NotImplementedError(f"{type(self).__name__} defines no forward(self, ...)")

    # ---------------------------------------------------------------- changing it

    def train(self, mode: bool = True) -> Self:
        """Put this module and all inside it into training mode, or evaluation mode for False."""
        if not isinstance(mode, bool):
            raise TypeError(f"train: expected True or False, got {mode!r}")
        for module in self.modules():
            module.training = mode
        return self

    def eval(self) -> Self:
        """Put this module and all inside it into evaluation mode: dropout lets everything pass."""
        return self.train(False)

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget the gradients of the parameters; with ``set_to_none=False`` fill those there are with zeros."""
        for parameter in self.parameters():
            if parameter.grad is not None:
                parameter.grad = None if set_to_none else zeros_like(parameter)

    def requires_grad_(self, requires_grad: bool = True) -> Self:
        """Say of all parameters whether they are to be learned; False freezes them."""
        for parameter in self.parameters():
            parameter.requires_grad = requires_grad
        return self

    def apply(self, function: Callable[[Module], Any]) -> Self:
        """Call a function on every module, those inside first and this one last; for initialization."""
        for child in self.children():
            child.apply(function)
        function(self)
        return self

    def to(self, *args: Any, device: Device | str | None = None, dtype: Any = None) -> Self:
        """Move parameters and buffers to a device, or change the dtype of those that are floating-point.

        The Parameters stay the same objects and leaves, their gradients move along; their memory is new, so make an
        optimizer afterwards. Arguments in any order, or by name.

        Raises:
            RuntimeError: the device is not there.
            TypeError: the dtype is none, or not floating-point.

        >>> import gpugrad as gg
        >>> from gpugrad import nn
        >>> nn.Linear(2, 3).to(gg.float64).weight.dtype
        dtype('float64')
        """
        for wanted in args:
            try:
                device = Device(wanted)
            except ValueError:
                dtype = wanted
        if dtype is not None:
            dtype = backend.as_dtype(dtype)
            if not backend.is_floating(dtype):
                raise TypeError(f"to: expected a floating-point dtype for parameters, got {dtype}")

        def moved(value: Tensor) -> Tensor:
            floating = backend.is_floating(value.dtype)
            return to(Tensor(value.data), device=device, dtype=dtype if floating else None)

        for parameter in self.parameters():
            if isinstance(parameter, Uninitialized):
                parameter.move(device, dtype)
                continue
            grad, new = parameter.grad, moved(parameter)
            if new.data is not parameter.data:
                parameter.grad = None
                parameter.replace(new.data)
                parameter.mark_changed()
                if parameter.node is not None:
                    parameter.node.dtype = new.dtype
                parameter.grad = None if grad is None else moved(grad)
        for buffer in self.buffers():
            if isinstance(buffer, Uninitialized):
                buffer.move(device, dtype)
            else:
                buffer.become(moved(buffer))
        return self

    def type(self, dst_type: Any) -> Self:
        """As :meth:`to` with a dtype.

        Raises:
            TypeError: it is no floating-point dtype.
        """
        return self.to(dtype=dst_type)

    def float(self) -> Self:
        """Parameters and buffers that are floating-point become ``float32``."""
        return self.to(dtype=float32)

    def double(self) -> Self:
        """Parameters and buffers that are floating-point become ``float64``.

        >>> from gpugrad import nn
        >>> nn.Linear(2, 3).double().weight.dtype
        dtype('float64')
        """
        return self.to(dtype=float64)

    def half(self) -> Self:
        """Parameters and buffers that are floating-point become ``float16``."""
        return self.to(dtype=float16)

    # ---------------------------------------------------------------- saying what it is

    def extra_repr(self) -> str:
        """What stands between the parentheses of the module's representation; for subclasses."""
        return ""

    def _child_reprs(self) -> list[tuple[str, str]]:
        return [(name, repr(child)) for name, child in self._own(MODULE)]

    def __repr__(self) -> str:
        extra = self.extra_repr()
        children = [f"({name}): {text}" for name, text in self._child_reprs()]
        if not children and "\n" not in extra:
            return f"{type(self).__name__}({extra})"
        lines = [*extra.split("\n")] if extra else []
        body = "\n".join([*lines, *children]).replace("\n", "\n  ")
        return f"{type(self).__name__}(\n  {body}\n)"
