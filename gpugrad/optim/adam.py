"""Adam: running mean over running size of the gradient."""

from __future__ import annotations

from typing import Unpack

from ..kernels import Kernel
from ..kernels.optim import adam_update, amsgrad_update
from .optimizer import Common, Group, Optimizer, Params, check_betas, common, decay_of


class Adam(Optimizer):
    """``m += (1 - beta1) (g - m)``, ``v += (1 - beta2) (g^2 - v)``, ``p -= lr m' / (sqrt(v') + eps)``.

    ``m' = m / (1 - beta1^t)`` and ``v' = v / (1 - beta2^t)`` correct for both having begun at 0.

    Args:
        params: parameters or groups of them.
        lr: the learning rate.
        betas: how much of the running mean, and of the running square, is kept.
        eps: keeps the quotient finite.
        weight_decay: times ``p`` is added to the gradient, or with ``decoupled_weight_decay`` times ``lr p`` is
            subtracted from ``p``.
        amsgrad: divide by the largest ``v`` so far.
        maximize: follow the gradient up.
        options: see :class:`~gpugrad.optim.optimizer.Common`.
        decoupled_weight_decay: the weight decay of :class:`AdamW`.

    Raises:
        ValueError: a negative option, or betas outside [0, 1).

    State: ``step``, ``exp_avg``, ``exp_avg_sq``, ``max_exp_avg_sq`` with amsgrad.
    Source: Kingma and Ba 2015; Reddi, Kale and Kumar 2018; ``torch.optim.Adam``.

    >>> import gpugrad as gg
    >>> w = gg.tensor([1.0], requires_grad=True)
    >>> (3 * w).sum().backward()
    >>> Adam([w], lr=0.1).step()
    >>> w
    tensor([0.9], requires_grad=True)
    """

    nonnegative = ("lr", "eps", "weight_decay")

    def __init__(
        self, params: Params, lr: float = 1e-3, betas: tuple[float, float] = (0.9, 0.999), eps: float = 1e-8,
        weight_decay: float = 0, amsgrad: bool = False, *, maximize: bool = False,
        decoupled_weight_decay: bool = False, **options: Unpack[Common],
    ) -> None:  # fmt: skip
        super().__init__(params, {
            "lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay, "amsgrad": amsgrad,
            "maximize": maximize, "decoupled_weight_decay": decoupled_weight_decay,
        }, options)  # fmt: skip

    def check(self, group: Group) -> None:
        super().check(group)
        check_betas(group)

    def moments(self, group: Group) -> tuple[str, ...]:
        return ("exp_avg", "exp_avg_sq", *(["max_exp_avg_sq"] if group["amsgrad"] else []))

    def rule(self, group: Group) -> Kernel:
        return amsgrad_update if group["amsgrad"] else adam_update

    def scalars(self, group: Group, step: int) -> tuple[float, ...]:
        (beta1, beta2), lr = group["betas"], group["lr"]
        (sign, _), (weight_decay, shrink) = common(group), decay_of(group)
        return (
            lr / (1 - beta1**step), sign, weight_decay, shrink, 1 - beta1, beta2, 1 - beta2,
            (1 - beta2**step) ** 0.5, group["eps"],
        )  # fmt: skip
