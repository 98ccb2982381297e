"""Lion: the sign of a momentum."""

from __future__ import annotations

from typing import Any, Unpack

from ..kernels import Kernel
from ..kernels.optim import lion_update
from .optimizer import Common, Group, Optimizer, Params, check_betas


class Lion(Optimizer):
    """``p = (1 - lr weight_decay) p - lr sign(beta1 m + (1 - beta1) g)``, then ``m = beta2 m + (1 - beta2) g``.

    Every number moves by ``lr``, so that rates are 3 to 10 times smaller, and decays larger, than Adam's.

    Args:
        params: parameters or groups of them.
        lr: the learning rate.
        betas: the weight of the momentum in the step, and how much of it is kept.
        weight_decay: times ``lr p`` is subtracted from ``p``.
        maximize: follow the gradient up.
        options: see :class:`~gpugrad.optim.optimizer.Common`.

    Raises:
        ValueError: a negative option, or betas outside [0, 1).

    State: ``step``, ``exp_avg``. Source: Chen et al. 2023; PyTorch does not have it.

    >>> import gpugrad as gg
    >>> w = gg.tensor([1.0], requires_grad=True)
    >>> (3 * w).sum().backward()
    >>> Lion([w], lr=0.1).step()
    >>> w
    tensor([0.9], requires_grad=True)
    """

    def __init__(
        self, params: Params, lr: float = 1e-4, betas: tuple[float, float] = (0.9, 0.99), weight_decay: float = 0, *,
        maximize: bool = False, **options: Unpack[Common],
    ) -> None:  # fmt: skip
        super().__init__(
            params, {"lr": lr, "betas": betas, "weight_decay": weight_decay, "maximize": maximize}, options
        )  # fmt: skip

    def check(self, group: Group) -> None:
        super().check(group)
        check_betas(group)

    def moments(self, group: Group) -> tuple[str, ...]:
        return ("exp_avg",)

    def step_key(self, group: Group, steps: int) -> Any:
        return None

    def rule(self, group: Group) -> Kernel:
        return lion_update

    def scalars(self, group: Group, step: int) -> tuple[float, ...]:
        (beta1, beta2), sign = group["betas"], -1.0 if group["maximize"] else 1.0
        return (group["lr"], sign, 1 - group["lr"] * group["weight_decay"], beta1, 1 - beta1, beta2, 1 - beta2)
