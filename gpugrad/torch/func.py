"""``torch.func``: transforms of functions, which are gpugrad's."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..nn.utils.functional_call import functional_call
from ..transforms import grad, hessian, jacobian, jvp, vjp, vmap

jacrev = jacfwd = jacobian


def grad_and_value(function: Callable[..., Any], argnums: Any = 0) -> Callable[..., tuple[Any, Any]]:
    """The gradient and the value, in this order.

    >>> import gpugrad as gg
    >>> [part.item() for part in grad_and_value(lambda x: x * x)(gg.tensor(3.0))]
    [6.0, 9.0]
    """
    from ..transforms import value_and_grad

    both = value_and_grad(function, argnums)

    def call(*args: Any, **kwargs: Any) -> tuple[Any, Any]:
        value, gradient = both(*args, **kwargs)
        return gradient, value

    return call


__all__ = ["functional_call", "grad", "grad_and_value", "hessian", "jacfwd", "jacrev", "jvp", "vjp", "vmap"]
