"""Adadelta: steps in the unit of the parameters, from the size of earlier steps."""

from __future__ import annotations

from typing import Any, Unpack

from ..kernels import Kernel
from ..kernels.optim import adadelta_update
from .optimizer import Common, Group, Optimizer, Params, common


class Adadelta(Optimizer):
    """``s = rho s + (1 - rho) g^2``, ``d = sqrt((a + eps) / (s + eps)) g``, ``a`` like ``s`` of ``d``, ``p -= lr d``.

    Args:
        params: parameters or groups of them.
        lr: times the step.
        rho: how much of the running squares is kept.
        eps: keeps the quotient finite, and the first steps from being 0.
        weight_decay: times ``p`` is added to the gradient.
        maximize: follow the gradient up.
        options: see :class:`~gpugrad.optim.optimizer.Common`.

    Raises:
        ValueError: a negative option, or ``rho`` above 1.

    State: ``step``, ``square_avg``, ``acc_delta``. Source: Zeiler 2012; ``torch.optim.Adadelta``.

    >>> import gpugrad as gg
    >>> w = gg.tensor([1.0], dtype=gg.float64, requires_grad=True)
    >>> (3 * w).sum().backward()
    >>> Adadelta([w]).step()
    >>> w.numpy().round(5).tolist()
    [0.99684]
    """

    nonnegative = ("lr", "rho", "eps", "weight_decay")

    def __init__(
        self, params: Params, lr: float = 1.0, rho: float = 0.9, eps: float = 1e-6, weight_decay: float = 0, *,
        maximize: bool = False, **options: Unpack[Common],
    ) -> None:  # fmt: skip
        super().__init__(params, {
            "lr": lr, "rho": rho, "eps": eps, "weight_decay": weight_decay, "maximize": maximize,
        }, options)  # fmt: skip

    def check(self, group: Group) -> None:
        super().check(group)
        if group["rho"] > 1:
            raise ValueError(f"expected rho from 0 to 1, got {group['rho']}")

    def moments(self, group: Group) -> tuple[str, ...]:
        return ("square_avg", "acc_delta")

    def step_key(self, group: Group, steps: int) -> Any:
        return None

    def rule(self, group: Group) -> Kernel:
        return adadelta_update

    def scalars(self, group: Group, step: int) -> tuple[float, ...]:
        return (group["lr"], *common(group), group["rho"], 1 - group["rho"], group["eps"])
