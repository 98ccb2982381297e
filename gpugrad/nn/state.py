"""The state of a module as a dictionary, and back."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

from .. import backend
from ..core import Hook, Tensor, check_unconnected
from ..ops.creation import asarray
from .attributes import BUFFER, PARAMETER, Attributes, dotted
from .parameter import Parameter, Uninitialized


class IncompatibleKeys(NamedTuple):
    """What :meth:`Module.load_state_dict` did not find, and what it found beyond."""

    missing_keys: list[str]
    unexpected_keys: list[str]


class State(Attributes):
    """The part of :class:`gpugrad.nn.Module` that saves and loads."""

    def _state(self, prefix: str = "") -> Iterator[tuple[str, Tensor]]:
        for place, module in self.named_modules(prefix, remove_duplicate=False):
            for kind in (PARAMETER, BUFFER):
                for name, value in module._own(kind):
                    yield dotted(place, name), value

    def state_dict(self, prefix: str = "", *, copy: bool = True) -> dict[str, Tensor]:
        """Copies of all parameters and saved buffers by their dotted names, outside the graph.

        The names, their order and the shapes are PyTorch's, except that a later change to the module changes nothing
        here. Parameters whose shape is not known yet are there as they are.

        Args:
            prefix: begins each name.
            copy: False shares the memory of the module, so that no second copy of it is needed: as long as nothing
                changes the module.
        """
        hooked = [(dotted(prefix, place), module) for place, module in self.named_modules() if module._state_hooks]
        for place, module in hooked:
            for hook in module._state_hooks_of("save before"):
                hook(module, place and place + ".", False)
        state = {
            key: value
            if isinstance(value, Uninitialized)
            else Tensor(backend.duplicate(value.data) if copy else value.data)
            for key, value in self._state(prefix)
        }
        for place, module in reversed(hooked):
            for hook in module._state_hooks_of("save after"):
                hook(module, state, place and place + ".", {})
        return state

    def load_state_dict(self, state_dict: Mapping[str, Any], strict: bool = True) -> IncompatibleKeys:
        """Write a state into the memory that the parameters and buffers have.

        Everything is checked before anything is written. Parameters whose shape is not known yet take that of the
        state.

        Args:
            state_dict: Tensors, arrays or anything that becomes an array, by dotted name; they are converted to the
                dtype and the device of what they replace.
            strict: whether the names must be exactly those of :meth:`state_dict`. Counts of batches
                (``num_batches_tracked``) may be absent, as in old files and those made by other programs; they stay.

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
        missing += [key for key in wanted if key not in state_dict and key not in optional]
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
                    values[key] = _like(state_dict[key], old)
                except (TypeError, ValueError) as error:
                    problems.append(f"{key}: {error}")
        if problems:
            raise RuntimeError(f"the state does not fit {type(self).__name__}:\n  " + "\n  ".join(problems))
        for key, value in values.items():
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

    _may_be_absent: tuple[str, ...] = ()
    """Names that a state need not have."""

    # ---------------------------------------------------------------- hooks

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


def _like(value: Any, old: Tensor) -> Tensor:
    """``value`` in the dtype and on the device of ``old``."""
    check_unconnected("load_state_dict", value)
    data = Tensor(value.data) if isinstance(value, Tensor) else _detached(value)
    if isinstance(old, Uninitialized):
        return asarray(data, dtype=old.hidden.dtype, device=backend.device_of(old.hidden))
    converted = asarray(data, dtype=old.dtype, device=old.device)
    if converted.shape != old.shape:
        raise ValueError(f"expected shape {old.shape}, got {converted.shape}")
    return converted


def _detached(value: Any) -> Any:
    """A tensor of PyTorch as one that NumPy reads: outside its graph, and float32 instead of bfloat16."""
    if hasattr(value, "detach") and hasattr(value, "dtype"):
        value = value.detach()
        if str(value.dtype).endswith(".bfloat16"):
            value = value.float()
    return value
