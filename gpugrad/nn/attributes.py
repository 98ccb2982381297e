"""What a module holds: parameters, buffers and modules among its attributes, and the ways through all of them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, cast

from ..core import Tensor
from .parameter import Parameter

if TYPE_CHECKING:
    from .module import Module

PARAMETER, BUFFER, UNSAVED, MODULE = "parameter", "buffer", "unsaved buffer", "module"
"""What a Module knows of an attribute. An unsaved buffer is not in the ``state_dict``."""


class Attributes:
    """The part of :class:`gpugrad.nn.Module` that registers attributes and looks through them."""

    # ---------------------------------------------------------------- attributes

    @property
    def _registered(self) -> dict[str, str]:
        try:
            kinds: dict[str, str] = self.__dict__["_kinds"]
        except KeyError:
            name = type(self).__name__
            raise RuntimeError(
                f"{name}.__init__ must call super().__init__() before it assigns parameters or modules"
            ) from None
        return kinds

    def __setattr__(self, name: str, value: Any) -> None:
        kind = PARAMETER if isinstance(value, Parameter) else MODULE if isinstance(value, Attributes) else None
        known = (self._registered if kind else self.__dict__.get("_kinds", {})).get(name)
        if kind is not None and kind != known:
            self._registered.pop(name, None)
            self._registered[name] = kind
        elif kind is None and known is not None and value is not None:
            wanted = {PARAMETER: "a Parameter", MODULE: "a Module"}.get(known, "a Tensor")
            if wanted != "a Tensor" or not isinstance(value, Tensor):
                raise TypeError(f"{name!r} is a {known}: expected {wanted} or None, got {type(value).__name__}")
        object.__setattr__(self, name, value)

    def __delattr__(self, name: str) -> None:
        object.__delattr__(self, name)
        self._registered.pop(name, None)

    def _register(self, name: str, value: Any, kind: str) -> None:
        kinds = self._registered
        if not isinstance(name, str) or not name or "." in name:
            raise ValueError(f"expected the name of a {kind}, without dots, got {name!r}")
        if name not in kinds and hasattr(self, name):
            raise ValueError(f"{type(self).__name__} has an attribute {name!r} already, which is no {kind}")
        if kinds.get(name) != kind:
            kinds.pop(name, None)
            kinds[name] = kind
        object.__setattr__(self, name, value)

    def register_parameter(self, name: str, param: Parameter | None) -> None:
        """As ``self.name = param``; None keeps the place of a parameter that is left out, such as a bias.

        Raises:
            TypeError: it is no Parameter.
            ValueError: the name has a dot in it or is that of another attribute.
        """
        if param is not None and not isinstance(param, Parameter):
            raise TypeError(f"parameter {name!r}: expected a Parameter or None, got {type(param).__name__}")
        self._register(name, param, PARAMETER)

    def register_buffer(self, name: str, tensor: Tensor | None, persistent: bool = True) -> None:
        """Make a Tensor part of the state without learning it, such as a running mean.

        Args:
            name: of the attribute.
            tensor: None keeps its place.
            persistent: whether it is in the ``state_dict``.

        Raises:
            TypeError: it is no Tensor.
            ValueError: the name has a dot in it or is that of another attribute.
        """
        if tensor is not None and not isinstance(tensor, Tensor):
            raise TypeError(f"buffer {name!r}: expected a Tensor or None, got {type(tensor).__name__}")
        self._register(name, tensor, BUFFER if persistent else UNSAVED)

    def register_module(self, name: str, module: Module) -> None:
        """As ``self.name = module``, for names that are computed.

        Raises:
            TypeError: it is no Module; often a class that was not called.
            ValueError: the name has a dot in it or is that of another attribute.
        """
        if not isinstance(module, Attributes):
            if isinstance(module, type):
                raise TypeError(f"module {name!r}: expected a Module, got the class {module.__name__} itself: call it")
            raise TypeError(f"module {name!r}: expected a Module, got {type(module).__name__}")
        self._register(name, module, MODULE)

    add_module = register_module

    def _own(self, *kinds: str) -> Iterator[tuple[str, Any]]:
        """The attributes of these kinds that are not None."""
        for name, kind in list(self._registered.items()):
            value = self.__dict__[name]
            if kind in kinds and value is not None:
                yield name, value

    # ---------------------------------------------------------------- one by its name

    def get_submodule(self, target: str) -> Module:
        """The module inside at this dotted name; itself for ``""``.

        Raises:
            AttributeError: there is none.

        >>> from gpugrad import nn
        >>> nn.Sequential(nn.Linear(2, 3), nn.ReLU()).get_submodule("1")
        ReLU()
        """
        module: Any = self
        for name in target.split(".") if target else []:
            module = module._get(name, MODULE)
        return cast("Module", module)

    def get_parameter(self, target: str) -> Parameter:
        """The parameter at this dotted name.

        Raises:
            AttributeError: there is none.

        >>> from gpugrad import nn
        >>> nn.Sequential(nn.Linear(2, 3)).get_parameter("0.weight").shape
        (3, 2)
        """
        place, _, name = target.rpartition(".")
        return cast("Parameter", self.get_submodule(place)._get(name, PARAMETER))

    def get_buffer(self, target: str) -> Tensor:
        """The buffer at this dotted name.

        Raises:
            AttributeError: there is none.

        >>> from gpugrad import nn
        >>> nn.Sequential(nn.BatchNorm1d(2)).get_buffer("0.running_var")
        tensor([1., 1.])
        """
        place, _, name = target.rpartition(".")
        return cast("Tensor", self.get_submodule(place)._get(name, BUFFER, UNSAVED))

    def _get(self, name: str, *kinds: str) -> Any:
        if self._registered.get(name) not in kinds or self.__dict__[name] is None:
            raise AttributeError(f"{type(self).__name__} has no {kinds[0]} {name!r}")
        return self.__dict__[name]

    # ---------------------------------------------------------------- looking through it

    def named_modules(self, prefix: str = "", remove_duplicate: bool = True) -> Iterator[tuple[str, Module]]:
        """The module itself and all inside it, each before its children, with dotted names; shared ones once."""
        return self._named_modules(prefix, set() if remove_duplicate else None)

    def _named_modules(self, prefix: str, seen: set[int] | None) -> Iterator[tuple[str, Module]]:
        if seen is not None:
            if id(self) in seen:
                return
            seen.add(id(self))
        yield prefix, cast("Module", self)
        for name, child in self._own(MODULE):
            yield from child._named_modules(dotted(prefix, name), seen)

    def modules(self) -> Iterator[Module]:
        """The module itself and all inside it."""
        return (module for _, module in self.named_modules())

    def named_children(self) -> Iterator[tuple[str, Module]]:
        """The modules directly inside this one; shared ones once."""
        return unique(self._own(MODULE))

    def children(self) -> Iterator[Module]:
        """The modules directly inside this one."""
        return (child for _, child in self.named_children())

    def _named(self, kinds: tuple[str, ...], prefix: str, recurse: bool) -> Iterator[tuple[str, Any]]:
        modules = self.named_modules(prefix) if recurse else [(prefix, self)]
        for place, module in modules:
            for name, value in module._own(*kinds):
                yield dotted(place, name), value

    def named_parameters(
        self, prefix: str = "", recurse: bool = True, remove_duplicate: bool = True
    ) -> Iterator[tuple[str, Parameter]]:
        """The parameters with their dotted names; one that is shared comes once, under its first name.

        >>> from gpugrad import nn
        >>> [(name, p.shape) for name, p in nn.Sequential(nn.Linear(2, 3)).named_parameters()]
        [('0.weight', (3, 2)), ('0.bias', (3,))]
        """
        found = self._named((PARAMETER,), prefix, recurse)
        return unique(found) if remove_duplicate else found

    def parameters(self, recurse: bool = True) -> Iterator[Parameter]:
        """The parameters, of the modules inside too (unless ``recurse=False``); shared ones once."""
        return (parameter for _, parameter in self.named_parameters(recurse=recurse))

    def named_buffers(
        self, prefix: str = "", recurse: bool = True, remove_duplicate: bool = True
    ) -> Iterator[tuple[str, Tensor]]:
        """The buffers with their dotted names; shared ones once."""
        found = self._named((BUFFER, UNSAVED), prefix, recurse)
        return unique(found) if remove_duplicate else found

    def buffers(self, recurse: bool = True) -> Iterator[Tensor]:
        """The buffers, of the modules inside too (unless ``recurse=False``); shared ones once."""
        return (buffer for _, buffer in self.named_buffers(recurse=recurse))


def dotted(prefix: str, name: str) -> str:
    """A name below a prefix, which may be empty."""
    return f"{prefix}.{name}" if prefix else name


def unique(named: Iterator[tuple[str, Any]]) -> Iterator[tuple[str, Any]]:
    """Each value once. By identity: ``==`` of Tensors compares elements."""
    seen: set[int] = set()
    for name, value in named:
        if id(value) not in seen:
            seen.add(id(value))
            yield name, value
