"""Modules: functions with parameters.

What a module holds (parameters, buffers and modules among its attributes), the ways through all of them, its state as a
dictionary, and what changes it. Hooks of calls and of their gradients are in :mod:`.hooks`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple, Self

from .. import backend
from ..backend import Device
from ..backend.dtypes import float16, float32, float64
from ..core import Hook, Tensor, check_unconnected
from ..ops.creation import asarray, detached, to, zeros_like
from .hooks import Hooked
from .parameter import Buffer, Parameter, Saved, Uninitialized

PARAMETER, BUFFER, UNSAVED, MODULE = "parameter", "buffer", "unsaved buffer", "module"
"""What a Module knows of an attribute. An unsaved buffer is not in the ``state_dict``."""


class IncompatibleKeys(NamedTuple):
    """What :meth:`Module.load_state_dict` did not find, and what it found beyond."""

    missing_keys: list[str]
    unexpected_keys: list[str]


class Module(Hooked):
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
        kind = PARAMETER if isinstance(value, Parameter) else MODULE if isinstance(value, Module) else None
        if kind is None and isinstance(value, Buffer):
            kind = BUFFER if value.persistent else UNSAVED
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
        if not isinstance(module, Module):
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
        module: Module = self
        for name in target.split(".") if target else []:
            module = module._get(name, MODULE)
        return module

    def get_parameter(self, target: str) -> Parameter:
        """The parameter at this dotted name.

        Raises:
            AttributeError: there is none.

        >>> from gpugrad import nn
        >>> nn.Sequential(nn.Linear(2, 3)).get_parameter("0.weight").shape
        (3, 2)
        """
        place, _, name = target.rpartition(".")
        found: Parameter = self.get_submodule(place)._get(name, PARAMETER)
        return found

    def get_buffer(self, target: str) -> Tensor:
        """The buffer at this dotted name.

        Raises:
            AttributeError: there is none.

        >>> from gpugrad import nn
        >>> nn.Sequential(nn.BatchNorm1d(2)).get_buffer("0.running_var")
        tensor([1., 1.])
        """
        place, _, name = target.rpartition(".")
        found: Tensor = self.get_submodule(place)._get(name, BUFFER, UNSAVED)
        return found

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
        yield prefix, self
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

    # ---------------------------------------------------------------- its state

    def _state(self, prefix: str = "") -> Iterator[tuple[str, Tensor]]:
        for place, module in self.named_modules(prefix, remove_duplicate=False):
            for kind in (PARAMETER, BUFFER):
                for name, value in module._own(kind):
                    yield dotted(place, name), value

    def state_dict(self, prefix: str = "", *, copy: bool = True, keep_vars: bool = False) -> dict[str, Tensor]:
        """Copies of all parameters and saved buffers by their dotted names, outside the graph.

        The names, their order and the shapes are PyTorch's, except that a later change to the module changes nothing
        here. Parameters whose shape is not known yet are there as they are.

        Args:
            prefix: begins each name.
            copy: False shares the memory of the module, so that no second copy of it is needed: as long as nothing
                changes the module.
            keep_vars: the parameters and buffers themselves, not copies.
        """
        hooked = [(dotted(prefix, place), module) for place, module in self.named_modules() if module._state_hooks]
        for place, module in hooked:
            for hook in module._state_hooks_of("save before"):
                hook(module, place and place + ".", keep_vars)
        state = {
            key: value
            if keep_vars or isinstance(value, Uninitialized)
            else Saved(backend.duplicate(value.data) if copy else value.data)
            for key, value in self._state(prefix)
        }
        for place, module in reversed(hooked):
            for hook in module._state_hooks_of("save after"):
                hook(module, state, place and place + ".", {})
        return state

    def load_state_dict(
        self, state_dict: Mapping[str, Any], strict: bool = True, assign: bool = False
    ) -> IncompatibleKeys:
        """Write a state into the memory that the parameters and buffers have.

        Everything is checked before anything is written. Parameters whose shape is not known yet take that of the
        state.

        Args:
            state_dict: Tensors, arrays or anything that becomes an array, by dotted name; they are converted to the
                dtype and the device of what they replace.
            strict: whether the names must be exactly those of :meth:`state_dict`. Counts of batches
                (``num_batches_tracked``) may be absent, as in old files and those made by other programs; they stay.
                So may all but one of the names of a parameter that has several.
            assign: make new Parameters and buffers of the values, with their dtypes and devices and, for Tensors and
                arrays, their memory, instead of writing into those there are. Make an optimizer afterwards.

        Returns:
            ``(missing_keys, unexpected_keys)``.

        Raises:
            RuntimeError: names are missing or unexpected, or a shape differs; the message lists all of them.

        >>> from gpugrad import nn
        >>> a, b = nn.Linear(2, 3), nn.Linear(2, 3)
        >>> b.load_state_dict(a.state_dict())
        IncompatibleKeys(missing_keys=[], unexpected_keys=[])
        """
        hooked = [(place and place + ".", module) for place, module in self.named_modules() if module._state_hooks]
        missing: list[str] = []
        unexpected: list[str] = []
        problems: list[str] = []
        if hooked:
            state_dict = dict(state_dict)  # the hooks may change it
        for place, module in hooked:
            for hook in module._state_hooks_of("load before"):
                hook(module, state_dict, place, {}, strict, missing, unexpected, problems)
        wanted = dict(self._state())
        optional = {
            dotted(place, name)
            for place, module in self.named_modules(remove_duplicate=False)
            for name in module._may_be_absent
        }
        given = {id(old) for key, old in wanted.items() if key in state_dict}  # one name of a shared one is enough
        missing += [
            key for key, old in wanted.items()
            if key not in state_dict and key not in optional and id(old) not in given
        ]  # fmt: skip
        unexpected += [key for key in state_dict if key not in wanted]
        values: dict[str, Tensor] = {}
        if strict and missing:
            problems.append(f"missing keys: {', '.join(missing)}")
        if strict and unexpected:
            problems.append(f"unexpected keys: {', '.join(unexpected)}")
        for key, old in wanted.items():
            if key in state_dict and not (
                isinstance(old, Uninitialized) and isinstance(state_dict[key], Uninitialized)
            ):
                try:
                    values[key] = _like(state_dict[key], old, assign)
                except (TypeError, ValueError) as error:
                    problems.append(f"{key}: {error}")
        if problems:
            raise RuntimeError(f"the state does not fit {type(self).__name__}:\n  " + "\n  ".join(problems))
        if assign:
            self._assign(wanted, values)
        for key, value in () if assign else values.items():
            old = wanted[key]
            if isinstance(old, Uninitialized):
                old.materialize(value.shape)
            if isinstance(old, Parameter):
                with backend.backend_of(old.data).using(old.device):
                    backend.overwrite(old.data, value.data)
                old.mark_changed()
            else:  # a buffer is a Tensor like any other: whoever has its memory keeps the old value
                old.become(Tensor(backend.duplicate(value.data)))
        found = IncompatibleKeys(missing, unexpected)
        for _, module in reversed(hooked):
            for hook in module._state_hooks_of("load after"):
                hook(module, found)
        return found

    def _assign(self, wanted: dict[str, Tensor], values: dict[str, Tensor]) -> None:
        """Put new Parameters and buffers in the place of those there are; what is shared stays so."""
        made: dict[int, Tensor] = {}
        for key, value in values.items():
            place, _, name = key.rpartition(".")
            held, old = vars(self.get_submodule(place) if place else self), wanted[key]
            if id(old) not in made:
                parameter = isinstance(old, Parameter)
                made[id(old)] = Parameter(value, old.requires_grad) if parameter else Tensor(value.data)
            held[name] = made[id(old)]

    _may_be_absent: tuple[str, ...] = ()
    """Names that a state need not have."""

    # ---------------------------------------------------------------- hooks of the state

    _state_hooks: dict[str, dict[int, Any]] | None = None

    def _state_hooks_of(self, moment: str) -> list[Callable[..., Any]]:
        return list((self._state_hooks or {}).get(moment, {}).values())

    def _at(self, moment: str, hook: Callable[..., Any]) -> Hook:
        if self._state_hooks is None:
            self._state_hooks = {}
        return Hook(self._state_hooks.setdefault(moment, {}), hook)

    def register_state_dict_pre_hook(self, hook: Callable[..., Any]) -> Hook:
        """Call ``hook(module, prefix, keep_vars)`` before a state is made; ``prefix`` ends in a dot or is empty."""
        return self._at("save before", hook)

    def register_state_dict_post_hook(self, hook: Callable[..., Any]) -> Hook:
        """Call ``hook(module, state_dict, prefix, local_metadata)`` when a state was made, which it may change."""
        return self._at("save after", hook)

    def register_load_state_dict_pre_hook(self, hook: Callable[..., Any]) -> Hook:
        """Call a hook before a state is loaded; it may change the copy of the dictionary that it gets.

        It is called with ``(module, state_dict, prefix, local_metadata, strict, missing_keys, unexpected_keys,
        error_msgs)`` and may add to the three lists.
        """
        return self._at("load before", hook)

    def register_load_state_dict_post_hook(self, hook: Callable[..., Any]) -> Hook:
        """Call ``hook(module, incompatible_keys)`` when a state was loaded."""
        return self._at("load after", hook)

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
            if set_to_none:
                parameter.grad = None
            elif parameter.grad is not None:
                parameter.grad = zeros_like(parameter)

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

    def to(
        self, *args: Any, device: Device | str | None = None, dtype: Any = None, non_blocking: bool = False,
        memory_format: Any = None,
    ) -> Self:  # fmt: skip
        """Move parameters and buffers to a device, or change the dtype of those that are floating-point.

        The Parameters stay the same objects and leaves, their gradients move along; their memory is new, so make an
        optimizer afterwards. Arguments in any order, or by name; a Tensor stands for its device and dtype.
        ``non_blocking`` and ``memory_format`` are accepted and change nothing.

        Raises:
            RuntimeError: the device is not there.
            TypeError: the dtype is none, or not floating-point.

        >>> import gpugrad as gg
        >>> from gpugrad import nn
        >>> nn.Linear(2, 3).to(gg.float64).weight.dtype
        dtype('float64')
        """
        for wanted in args:
            if isinstance(wanted, Tensor):
                device, dtype = wanted.device, wanted.dtype
                continue
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

    def bfloat16(self) -> Self:
        """Parameters and buffers that are floating-point become ``bfloat16``, which needs ``ml_dtypes``."""
        return self.to(dtype="bfloat16")

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


def _moving(kind: str) -> Callable[..., Any]:
    def method(self: Module, device: Any = None) -> Module:
        return self.to(device=backend.placed(kind, device))

    method.__name__ = method.__qualname__ = kind
    method.__doc__ = f"Move parameters and buffers there: ``module.to({kind!r})``, or to the device that is given."
    return method


for _kind in backend.KINDS:
    setattr(Module, _kind, _moving(_kind))


def _like(value: Any, old: Tensor, assign: bool = False) -> Tensor:
    """``value`` in the dtype and on the device of ``old``; with ``assign`` in its own, but of the shape of ``old``."""
    check_unconnected("load_state_dict", value)
    data = Tensor(value.data) if isinstance(value, Tensor) else detached(value)
    if isinstance(old, Uninitialized):
        return asarray(data, dtype=old.hidden.dtype, device=backend.device_of(old.hidden))
    converted = asarray(data) if assign else asarray(data, dtype=old.dtype, device=old.device)
    if converted.shape != old.shape:
        raise ValueError(f"expected shape {old.shape}, got {converted.shape}")
    return converted
