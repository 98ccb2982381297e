"""Gradients kept from growing too large: all of them scaled by one number, or each element cut off.

Both give ``p.grad`` a new value for each parameter; nothing waits for the device, unless errors are asked for.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ...backend import is_short
from ...core import Tensor
from ...core.modes import no_grad
from ...ops.arithmetic import clip, divide, minimum
from ...ops.comparison import isfinite
from ...ops.creation import astype, to, zeros
from ...ops.norms import vector_norm
from ...ops.shaping import stack

Params = Tensor | Iterable[Tensor]


def _with_gradient(name: str, parameters: Any) -> list[Tensor]:
    given = [parameters] if isinstance(parameters, Tensor) else list(parameters)
    for p in given:
        if not isinstance(p, Tensor):
            raise TypeError(f"{name}: expected parameters as Tensors, got {type(p).__name__}")
    return [p for p in given if p.grad is not None]


def get_total_norm(tensors: Params, norm_type: float = 2.0, error_if_nonfinite: bool = False) -> Tensor:
    """The norm of all elements of all Tensors as one vector: ``(sum |x|^p)^(1/p)``; 0 of none.

    For float16 and bfloat16 it is computed, and given, in float32: it may be larger than they can hold.

    Args:
        tensors: of any shapes and devices; the result is on the device of the first.
        norm_type: p; ``inf`` for the largest absolute value.
        error_if_nonfinite: look at the result.

    Raises:
        RuntimeError: it is NaN or infinite, and this was asked for.

    Source: ``torch.nn.utils.get_total_norm``.

    >>> import gpugrad as gg
    >>> gg.nn.utils.get_total_norm([gg.tensor([3.0]), gg.tensor([[4.0]])])
    tensor(5.)
    """
    given = [tensors] if isinstance(tensors, Tensor) else list(tensors)
    if not given:
        return Tensor(zeros(()).data)
    norms = [vector_norm(astype(x, "float32") if is_short(x.dtype) else x, ord=norm_type) for x in given]
    first = norms[0]
    norms = [to(norm, device=first.device) for norm in norms]
    norm: Tensor = vector_norm(stack(norms), ord=norm_type)
    if error_if_nonfinite and not isfinite(norm):
        raise RuntimeError(f"the total norm of order {norm_type} is {norm.item()}: gradients are not finite")
    return norm


def clip_grad_norm_(
    parameters: Params, max_norm: float, norm_type: float = 2.0, error_if_nonfinite: bool = False
) -> Tensor:
    """Scale all gradients by ``min(1, max_norm / norm)``, with the norm of all of them as one vector.

    The direction of the step stays what it is: a remedy for gradients that explode once in a while.

    Args:
        parameters: those without a gradient are left out.
        max_norm: what the norm will be at most.
        norm_type: of the norm, ``inf`` for the largest absolute value.
        error_if_nonfinite: raise where the norm is NaN or infinite, before anything is scaled.

    Returns:
        The norm before.

    Raises:
        TypeError: something is no Tensor.
        ValueError: ``max_norm`` is negative.
        RuntimeError: the norm is not finite, and this was asked for.

    Source: Pascanu et al. 2013, "On the difficulty of training recurrent neural networks";
    ``torch.nn.utils.clip_grad_norm_``, with its 1e-6 beside the norm.

    >>> import gpugrad as gg
    >>> x = gg.tensor([3.0, 4.0], requires_grad=True)
    >>> (x * x / 2).sum().backward()
    >>> gg.nn.utils.clip_grad_norm_(x, 1.0)
    tensor(5.)
    >>> x.grad
    tensor([0.5999999 , 0.79999983])
    """
    if not max_norm >= 0:
        raise ValueError(f"clip_grad_norm_: expected max_norm of at least 0, got {max_norm}")
    reached = _with_gradient("clip_grad_norm_", parameters)
    with no_grad():
        norm = get_total_norm([p.grad for p in reached if p.grad is not None], norm_type, error_if_nonfinite)
        scale = minimum(divide(max_norm, norm + 1e-6), 1.0)
        for p in reached:
            g: Any = p.grad
            p.grad = astype(g * to(scale, device=g.device), g.dtype, copy=False)
    return norm


def clip_grad_value_(parameters: Params, clip_value: float) -> None:
    """Cut every element of the gradients off at ``-clip_value`` and ``clip_value``.

    Args:
        parameters: those without a gradient are left out.
        clip_value: the largest absolute value.

    Raises:
        TypeError: something is no Tensor.
        ValueError: ``clip_value`` is negative.

    Source: ``torch.nn.utils.clip_grad_value_``.

    >>> import gpugrad as gg
    >>> x = gg.tensor([3.0, 0.5], requires_grad=True)
    >>> (x * x / 2).sum().backward()
    >>> gg.nn.utils.clip_grad_value_(x, 1.0)
    >>> x.grad
    tensor([1. , 0.5])
    """
    if not clip_value >= 0:
        raise ValueError(f"clip_grad_value_: expected clip_value of at least 0, got {clip_value}")
    with no_grad():
        for p in _with_gradient("clip_grad_value_", parameters):
            g: Any = p.grad
            p.grad = clip(g, -clip_value, clip_value)
