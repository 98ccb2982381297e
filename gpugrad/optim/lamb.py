"""LAMB: Adam's direction, as long as the parameter it changes."""

from __future__ import annotations

from typing import Unpack

from ..kernels import Kernel
from ..kernels.optim_whole import lamb_update
from .optimizer import Common, Group, Optimizer, Params, check_betas, common


class LAMB(Optimizer):
    """``u = m' / (sqrt(v') + eps) + weight_decay p`` with :class:`Adam`'s ``m'`` and ``v'``, ``p -= lr |p| / |u| u``.

    Norms are those of a whole parameter; where one of them is 0, the step is ``lr u``. For large batches.

    Args:
        params: parameters or groups of them.
        lr: the learning rate.
        betas: how much of the running mean, and of the running square, is kept.
        eps: keeps the quotient finite.
        weight_decay: times ``p`` is part of the direction.
        maximize: follow the gradient up.
        options: see :class:`~gpugrad.optim.optimizer.Common`.

    Raises:
        ValueError: a negative option, or betas outside [0, 1).

    State: ``step``, ``exp_avg``, ``exp_avg_sq``. Source: You et al. 2020; PyTorch does not have it.

    >>> import gpugrad as gg
    >>> w = gg.tensor([3.0, 4.0], requires_grad=True)
    >>> (3 * w).sum().backward()
    >>> LAMB([w], lr=0.1, weight_decay=0).step()
    >>> w.numpy().round(4).tolist()
    [2.6464, 3.6464]
    """

    nonnegative = ("lr", "eps", "weight_decay")
    apart = True

    def __init__(
        self, params: Params, lr: float = 1e-3, betas: tuple[float, float] = (0.9, 0.999), eps: float = 1e-6,
        weight_decay: float = 1e-2, *, maximize: bool = False, **options: Unpack[Common],
    ) -> None:  # fmt: skip
        super().__init__(params, {
            "lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay, "maximize": maximize,
        }, options)  # fmt: skip

    def check(self, group: Group) -> None:
        super().check(group)
        check_betas(group)

    def moments(self, group: Group) -> tuple[str, ...]:
        return ("exp_avg", "exp_avg_sq")

    def rule(self, group: Group) -> Kernel:
        return lamb_update

    def scalars(self, group: Group, step: int) -> tuple[float, ...]:
        beta1, beta2 = group["betas"]
        return (
            group["lr"], *common(group), 1 - beta1, beta2, 1 - beta2, 1 / (1 - beta1**step), (1 - beta2**step) ** 0.5,
            group["eps"],
        )  # fmt: skip
