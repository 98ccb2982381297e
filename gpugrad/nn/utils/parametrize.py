"""Parameters as functions of other parameters: the attribute is computed from its *originals* whenever it is read.

A parametrization is a module whose ``forward`` maps the originals to the value, and whose ``right_inverse``, if it has
one, maps a value to originals. A parametrized module gets a class of its own, in which the name is computed. In the
state, ``weight`` is then ``parametrizations.weight.original`` (or ``original0``, ``original1``, ... for several), as in
``torch.nn.utils.parametrize``. A module so changed can be copied, but not pickled: save its state.
"""

from __future__ import annotations

from typing import Any

from ...core import Tensor
from ...core.modes import no_grad
from .. import init
from ..container import ModuleDict, ModuleList
from ..module import Module
from ..parameter import Parameter


class ParametrizationList(ModuleList):
    """The originals of one parameter, and the parametrizations that make it of them, one after the other.

    Args:
        modules: the first parametrization.
        original: the Parameter as it was.

    >>> import gpugrad as gg
    >>> layer = gg.nn.utils.parametrizations.weight_norm(gg.nn.Linear(2, 3))
    >>> [name for name, _ in layer.parametrizations.weight.named_parameters()]
    ['original0', 'original1']
    """

    def __init__(self, modules: list[Module], original: Parameter) -> None:
        super().__init__(modules)
        values = self._inverted(original)
        self.several = isinstance(values, tuple)
        if not isinstance(values, tuple):
            self.names: tuple[str, ...] = ("original",)
            self.original = original
            init._write("parametrization", original, values)
            return
        self.names = tuple(f"original{i}" for i in range(len(values)))
        for name, value in zip(self.names, values, strict=True):
            self.register_parameter(name, Parameter(value.detach().copy(), original.requires_grad))

    def _inverted(self, value: Tensor) -> Any:
        with no_grad():
            made: Any = value
            for module in reversed(list(self)):
                inverse = getattr(module, "right_inverse", None)
                made = made if inverse is None else inverse(made)
        return made

    def forward(self) -> Tensor:
        """The value of the parameter."""
        first, *others = self
        value: Tensor = first(*(getattr(self, name) for name in self.names))
        for module in others:
            value = module(value)
        return value

    def assign(self, value: Tensor) -> None:
        """Set the originals so that this is the value, as far as the inverses go."""
        values = self._inverted(value)
        for name, new in zip(self.names, values if self.several else (values,), strict=True):
            init._write("parametrization", getattr(self, name), new)


def register_parametrization(module: Module, tensor_name: str, parametrization: Module) -> Module:
    """Compute a parameter of a module by another module from now on; several follow one another.

    Args:
        module: whose class is changed in place.
        tensor_name: of the parameter.
        parametrization: its ``forward`` gives the value, of the same shape; its ``right_inverse``, if there is one, the
            originals to begin with.

    Returns:
        The module.

    Raises:
        AttributeError: the module has no parameter of this name.
        ValueError: the value has another shape or dtype; the module then stays as it was.

    Source: ``torch.nn.utils.parametrize.register_parametrization``.

    >>> import gpugrad as gg
    >>> class Symmetric(gg.nn.Module):
    ...     def forward(self, x):
    ...         return x + x.T
    >>> layer = register_parametrization(gg.nn.Linear(2, 2), "weight", Symmetric())
    >>> (layer.weight == layer.weight.T).all()
    tensor(True)
    >>> list(layer.state_dict())
    ['bias', 'parametrizations.weight.original']
    """
    if is_parametrized(module, tensor_name):
        held = _held(module)[tensor_name]
        _fits(tensor_name, parametrization, getattr(module, tensor_name))
        held.append(parametrization)
        return module
    original = module.get_parameter(tensor_name)
    before = Tensor(original.data).copy()
    held = ParametrizationList([parametrization], original)
    with no_grad():
        value = held()
    if value.shape != before.shape or value.dtype != before.dtype:
        init._write("parametrization", original, before)
        raise _misfit(tensor_name, before, value)
    delattr(module, tensor_name)
    if not is_parametrized(module):
        module.__class__ = _parametrized(type(module))
        module.parametrizations = ModuleDict()
    _held(module)[tensor_name] = held
    return module


def _held(module: Module) -> Any:
    """All parametrizations of a module, by name."""
    return module.__dict__["parametrizations"]


def _fits(name: str, parametrization: Module, old: Tensor) -> None:
    with no_grad():
        value = parametrization(old)
    if value.shape != old.shape or value.dtype != old.dtype:
        raise _misfit(name, old, value)


def _misfit(name: str, old: Tensor, new: Tensor) -> ValueError:
    return ValueError(f"{name}: expected a value of {old.dtype} {old.shape}, got {new.dtype} {new.shape}")


def _parametrized(kind: type[Module]) -> type[Module]:
    """A class like ``kind`` that looks for names among the parametrizations first."""

    def getattribute(self: Module, name: str) -> Any:
        held = object.__getattribute__(self, "__dict__").get("parametrizations")
        if held is None or name not in held.__dict__["_kinds"]:
            raise AttributeError(f"{kind.__name__} has no attribute {name!r}")
        return held[name]()

    def setattribute(self: Module, name: str, value: Any) -> None:
        if is_parametrized(self, name):
            _held(self)[name].assign(value)
        else:
            kind.__setattr__(self, name, value)

    return type(f"Parametrized{kind.__name__}", (kind,), {"__getattr__": getattribute, "__setattr__": setattribute})


def is_parametrized(module: Module, tensor_name: str | None = None) -> bool:
    """Whether a module has parametrizations, or one for this name.

    >>> import gpugrad as gg
    >>> is_parametrized(gg.nn.Linear(1, 1))
    False
    """
    held = module.__dict__.get("parametrizations")
    return isinstance(held, ModuleDict) and (tensor_name is None or tensor_name in held)


def remove_parametrizations(module: Module, tensor_name: str, leave_parametrized: bool = True) -> Module:
    """Make a parameter of its own of a parametrized one again.

    Args:
        module: whose class is the former again, once nothing in it is parametrized.
        tensor_name: of the parameter.
        leave_parametrized: keep the value it has; False gives back the original.

    Returns:
        The module.

    Raises:
        ValueError: it is not parametrized, or ``leave_parametrized`` is False and there are several originals.

    Source: ``torch.nn.utils.parametrize.remove_parametrizations``.

    >>> import gpugrad as gg
    >>> layer = gg.nn.utils.parametrizations.weight_norm(gg.nn.Linear(2, 3))
    >>> remove_parametrizations(layer, "weight")
    Linear(in_features=2, out_features=3, bias=True)
    """
    if not is_parametrized(module, tensor_name):
        raise ValueError(f"remove_parametrizations: {tensor_name!r} of {type(module).__name__} is not parametrized")
    everything = _held(module)
    held = everything[tensor_name]
    if held.several and not leave_parametrized:
        raise ValueError(f"remove_parametrizations: {tensor_name!r} has several originals: none is its value")
    with no_grad():
        value = held()
    first = getattr(held, held.names[0])
    parameter = Parameter(value.detach().copy(), first.requires_grad) if held.several else first
    if not held.several and leave_parametrized:
        init._write("remove_parametrizations", parameter, value)
    del everything[tensor_name]
    if not len(everything):
        delattr(module, "parametrizations")
        module.__class__ = type(module).__bases__[0]
    module.register_parameter(tensor_name, parameter)
    return module
