"""Adam with the largest gradient in the place of the running square."""

from __future__ import annotations

from typing import Unpack

from ..kernels import Kernel
from ..kernels.optim import adamax_update
from .optimizer import Common, Group, Optimizer, Params, check_betas, common


class Adamax(Optimizer):
    """``m += (1 - beta1) (g - m)``, ``u = max(beta2 u, |g| + eps)``, ``p -= lr / (1 - beta1^t) m / u``.

    Args:
        params: parameters or groups of them.
        lr: the learning rate.
        betas: how much of the running mean, and of the largest gradient, is kept.
        eps: keeps the quotient finite.
        weight_decay: times ``p`` is added to the gradient.
        maximize: follow the gradient up.
        options: see :class:`~gpugrad.optim.optimizer.Common`.

    Raises:
        ValueError: a negative option, or betas outside [0, 1).

    State: ``step``, ``exp_avg``, ``exp_inf``. Source: Kingma and Ba 2015; ``torch.optim.Adamax``.

    >>> import gpugrad as gg
    >>> w = gg.tensor([1.0], requires_grad=True)
    >>> (3 * w).sum().backward()
    >>> Adamax([w], lr=0.1).step()
    >>> w
    tensor([0.9], requires_grad=True)
    """

    nonnegative = ("lr", "eps", "weight_decay")

    def __init__(
        self, params: Params, lr: float = 2e-3, betas: tuple[float, float] = (0.9, 0.999), eps: float = 1e-8,
        weight_decay: float = 0, *, maximize: bool = False, **options: Unpack[Common],
    ) -> None:  # fmt: skip
        super().__init__(params, {
            "lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay, "maximize": maximize,
        }, options)  # fmt: skip

    def check(self, group: Group) -> None:
        super().check(group)
        check_betas(group)

    def moments(self, group: Group) -> tuple[str, ...]:
        return ("exp_avg", "exp_inf")

    def rule(self, group: Group) -> Kernel:
        return adamax_update

    def scalars(self, group: Group, step: int) -> tuple[float, ...]:
        beta1, beta2 = group["betas"]
        return (group["lr"] / (1 - beta1**step), *common(group), 1 - beta1, beta2, group["eps"])
