"""Calling a module with other parameters than its own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from ...core import Tensor
from ...ops.creation import asarray
from ..module import Module


def functional_call(
    module: Module, parameter_and_buffer_dicts: Mapping[str, Any] | Sequence[Mapping[str, Any]], args: Any = None,
    kwargs: Mapping[str, Any] | None = None, *, tie_weights: bool = True, strict: bool = False,
) -> Any:  # fmt: skip
    """``module(*args, **kwargs)`` with Tensors in the place of parameters and buffers, by their dotted names.

    The module is as it was afterwards. Gradients reach the Tensors that were given.

    Args:
        module: what to call.
        parameter_and_buffer_dicts: Tensors by name, or several such dictionaries.
        args: one argument, or a tuple of them.
        kwargs: arguments by name.
        tie_weights: a Tensor for one of several names of a shared parameter stands for all of them.
        strict: the names must be exactly those of the module.

    Raises:
        KeyError: a name is not there, or with ``strict`` one is missing.

    Source: ``torch.func.functional_call``.

    >>> import gpugrad as gg
    >>> from gpugrad import nn
    >>> layer = nn.Linear(2, 1, bias=False)
    >>> w = gg.tensor([[1.0, 2.0]], requires_grad=True)
    >>> nn.utils.functional_call(layer, {"weight": w}, gg.ones((1, 2))).sum().backward()
    >>> w.grad
    tensor([[1., 1.]])
    """
    dicts = (
        [parameter_and_buffer_dicts] if isinstance(parameter_and_buffer_dicts, Mapping) else parameter_and_buffer_dicts
    )
    given = {name: value for one in dicts for name, value in one.items()}
    given_args = () if args is None else args if isinstance(args, tuple) else (args,)
    with _replaced(module, given, tie_weights, strict):
        return module(*given_args, **(kwargs or {}))


@contextmanager
def _replaced(module: Module, given: dict[str, Any], tie: bool, strict: bool) -> Iterator[None]:
    own = {
        name: value
        for named in (module.named_parameters(remove_duplicate=False), module.named_buffers(remove_duplicate=False))
        for name, value in named
    }
    unknown = given.keys() - own.keys()
    missing = own.keys() - given.keys() if strict else set()
    if unknown or missing:
        raise KeyError(
            f"functional_call: {type(module).__name__} has no {sorted(unknown)}"
            if unknown
            else f"functional_call: expected a Tensor for {sorted(missing)} too (strict=True)"
        )
    instead = dict(given)
    if tie:
        tied = {id(own[name]): value for name, value in given.items()}
        instead |= {name: tied[id(value)] for name, value in own.items() if id(value) in tied and name not in given}
    before: list[tuple[dict[str, Any], str, Any]] = []
    try:
        for name, value in instead.items():
            place, _, attribute = name.rpartition(".")
            held = vars(module.get_submodule(place) if place else module)
            before.append((held, attribute, held[attribute]))
            held[attribute] = value if isinstance(value, Tensor) else asarray(value)
        yield
    finally:
        for held, attribute, value in reversed(before):
            held[attribute] = value
