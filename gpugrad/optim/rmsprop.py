"""RMSprop: steps divided by the running size of the gradient."""

from __future__ import annotations

from typing import Any, Unpack

from ..kernels import Kernel
from ..kernels.optim import (
    rmsprop_centered_momentum_update,
    rmsprop_centered_update,
    rmsprop_momentum_update,
    rmsprop_update,
)
from .optimizer import Common, Group, Optimizer, Params, common

RULES = {
    (False, False): rmsprop_update,
    (False, True): rmsprop_momentum_update,
    (True, False): rmsprop_centered_update,
    (True, True): rmsprop_centered_momentum_update,
}
"""By whether it is centered, and whether it has momentum."""


class RMSprop(Optimizer):
    """``s = alpha s + (1 - alpha) g^2``, ``p -= lr g / (sqrt(s) + eps)``.

    Args:
        params: parameters or groups of them.
        lr: the learning rate.
        alpha: how much of the running square is kept.
        eps: keeps the quotient finite.
        weight_decay: times ``p`` is added to the gradient.
        momentum: how much of the last step is kept.
        centered: divide by the standard deviation, ``sqrt(s - a^2)`` with the running mean ``a`` of ``g``.
        maximize: follow the gradient up.
        options: see :class:`~gpugrad.optim.optimizer.Common`.

    Raises:
        ValueError: a negative option.

    State: ``step``, ``square_avg``, ``grad_avg`` if centered, ``momentum_buffer`` with momentum.
    Source: Tieleman and Hinton 2012; Graves 2013; ``torch.optim.RMSprop``.

    >>> import gpugrad as gg
    >>> w = gg.tensor([1.0], requires_grad=True)
    >>> (3 * w).sum().backward()
    >>> RMSprop([w], lr=0.01).step()
    >>> w
    tensor([0.9], requires_grad=True)
    """

    nonnegative = ("lr", "alpha", "eps", "weight_decay", "momentum")

    def __init__(
        self, params: Params, lr: float = 1e-2, alpha: float = 0.99, eps: float = 1e-8, weight_decay: float = 0,
        momentum: float = 0, centered: bool = False, *, maximize: bool = False, **options: Unpack[Common],
    ) -> None:  # fmt: skip
        super().__init__(params, {
            "lr": lr, "momentum": momentum, "alpha": alpha, "eps": eps, "centered": centered,
            "weight_decay": weight_decay, "maximize": maximize,
        }, options)  # fmt: skip

    def moments(self, group: Group) -> tuple[str, ...]:
        names = ["square_avg"]
        names += ["grad_avg"] if group["centered"] else []
        names += ["momentum_buffer"] if group["momentum"] else []
        return tuple(names)

    def step_key(self, group: Group, steps: int) -> Any:
        return None

    def rule(self, group: Group) -> Kernel:
        return RULES[bool(group["centered"]), bool(group["momentum"])]

    def scalars(self, group: Group, step: int) -> tuple[float, ...]:
        alpha, momentum = group["alpha"], group["momentum"]
        return (group["lr"], *common(group), alpha, 1 - alpha, group["eps"], *([momentum] if momentum else []))
