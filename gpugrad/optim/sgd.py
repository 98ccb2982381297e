"""Stochastic gradient descent, with momentum."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Unpack

from ..kernels import Kernel
from ..kernels.optim import sgd_momentum_update, sgd_update
from .optimizer import Common, Group, Optimizer, Params, common


class SGD(Optimizer):
    """``b = momentum b + (1 - dampening) g`` (``b = g`` in the first step), ``p -= lr b``.

    Args:
        params: parameters or groups of them.
        lr: the learning rate.
        momentum: how much of the last step is kept; 0 remembers nothing.
        dampening: how much of the gradient is left out.
        weight_decay: times ``p`` is added to the gradient.
        nesterov: step along ``g + momentum b`` instead of ``b``.
        maximize: follow the gradient up.
        options: see :class:`~gpugrad.optim.optimizer.Common`.

    Raises:
        ValueError: a negative option, or ``nesterov`` without momentum or with dampening.

    State: ``momentum_buffer``. Source: Sutskever et al. 2013; ``torch.optim.SGD``.

    >>> import gpugrad as gg
    >>> w = gg.tensor([1.0], requires_grad=True)
    >>> optimizer = SGD([w], lr=0.1, momentum=0.9)
    >>> for _ in range(2):
    ...     optimizer.zero_grad()
    ...     w.sum().backward()
    ...     optimizer.step()
    >>> w
    tensor([0.71], requires_grad=True)
    """

    nonnegative = ("lr", "momentum", "weight_decay")

    def __init__(
        self, params: Params, lr: float = 1e-3, momentum: float = 0, dampening: float = 0, weight_decay: float = 0,
        nesterov: bool = False, *, maximize: bool = False, **options: Unpack[Common],
    ) -> None:  # fmt: skip
        super().__init__(params, {
            "lr": lr, "momentum": momentum, "dampening": dampening, "weight_decay": weight_decay, "nesterov": nesterov,
            "maximize": maximize,
        }, options)  # fmt: skip

    def check(self, group: Group) -> None:
        super().check(group)
        if group["nesterov"] and (group["momentum"] <= 0 or group["dampening"] != 0):
            raise ValueError("nesterov=True looks ahead along the momentum: it needs momentum > 0 and dampening=0")

    def moments(self, group: Group) -> tuple[str, ...]:
        return ("momentum_buffer",) if group["momentum"] else ()

    # The rule depends on one thing: whether there is a momentum buffer yet. Steps count up to 1.

    def advanced(self, group: Group, steps: int) -> int:
        return 1 if group["momentum"] else steps

    def entry(self, steps: int, moments: dict[str, Any]) -> dict[str, Any]:
        return moments if steps else {}

    def loaded_steps(self, entry: Mapping[str, Any]) -> int:
        return int(entry.get("momentum_buffer") is not None)

    def rule(self, group: Group) -> Kernel:
        return sgd_momentum_update if group["momentum"] else sgd_update

    def scalars(self, group: Group, step: int) -> tuple[float, ...]:
        if not group["momentum"]:
            return (group["lr"], *common(group))
        return (
            group["lr"], *common(group), group["momentum"], 1 - group["dampening"], group["nesterov"], step == 1,
        )  # fmt: skip
