"""A look at a module that leaves no trace: what a forward and a backward pass change is put back."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from .. import backend, random
from ..core import Tensor
from .module import Module
from .parameter import Uninitialized


@contextmanager
def mode(model: Module, training: bool) -> Iterator[None]:
    """Put a model into training or evaluation mode; in the end, also after an error, each module has its own again."""
    modes = [(module, module.training) for module in model.modules()]
    try:
        model.train(training)
        yield
    finally:
        for module, own in modes:
            module.training = own


@contextmanager
def preserved(model: Module) -> Iterator[None]:
    """Put modes, gradients, buffers and the default generator's state back in the end, also after an error.

    Buffers have value semantics, so that remembering their memory is enough.
    """
    modes = [(module, module.training) for module in model.modules()]
    gradients = [(p, p.grad) for p in model.parameters() if not isinstance(p, Uninitialized)]
    buffers = [
        (module, name, value, None if isinstance(value, Uninitialized) else value.data)
        for module in model.modules()
        for name, value in module.named_buffers(recurse=False)
    ]
    state = random.default_generator.state
    for parameter, _ in gradients:
        parameter.grad = None
    try:
        for _, _, value, data in buffers:
            if data is not None:
                value.become(Tensor(backend.duplicate(data)))  # whatever is written in place goes into a copy
        yield
    finally:
        random.default_generator.state = state
        for module, mode in modes:
            module.training = mode
        for parameter, gradient in gradients:
            parameter.grad = gradient
        for module, name, value, data in buffers:
            if data is not None:
                value.become(Tensor(data))
                setattr(module, name, value)
