"""Adam that begins as gradient descent with momentum, until its running square is known well enough."""

from __future__ import annotations

from typing import Unpack

from ..kernels import Kernel
from ..kernels.optim import radam_update
from .optimizer import Common, Group, Optimizer, Params, check_betas, common, decay_of


class RAdam(Optimizer):
    """As :class:`Adam`, its step times ``r``; as long as ``n <= 5``, the step is ``lr m'``.

    ``n = N - 2 t beta2^t / (1 - beta2^t)`` with ``N = 2 / (1 - beta2) - 1``, and
    ``r = sqrt((n - 4) (n - 2) N / ((N - 4) (N - 2) n))``.

    Args:
        params: parameters or groups of them.
        lr: the learning rate.
        betas: how much of the running mean, and of the running square, is kept.
        eps: keeps the quotient finite.
        weight_decay: times ``p`` is added to the gradient, or with ``decoupled_weight_decay`` times ``lr p`` is
            subtracted from ``p``.
        decoupled_weight_decay: the weight decay of :class:`AdamW`.
        maximize: follow the gradient up.
        options: see :class:`~gpugrad.optim.optimizer.Common`.

    Raises:
        ValueError: a negative option, or betas outside [0, 1).

    State: ``step``, ``exp_avg``, ``exp_avg_sq``. Source: Liu et al. 2020; ``torch.optim.RAdam``.

    >>> import gpugrad as gg
    >>> w = gg.tensor([1.0], requires_grad=True)
    >>> (3 * w).sum().backward()
    >>> RAdam([w], lr=0.1).step()
    >>> w
    tensor([0.7], requires_grad=True)
    """

    nonnegative = ("lr", "eps", "weight_decay")

    def __init__(
        self, params: Params, lr: float = 1e-3, betas: tuple[float, float] = (0.9, 0.999), eps: float = 1e-8,
        weight_decay: float = 0, decoupled_weight_decay: bool = False, *, maximize: bool = False,
        **options: Unpack[Common],
    ) -> None:  # fmt: skip
        super().__init__(params, {
            "lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay, "maximize": maximize,
            "decoupled_weight_decay": decoupled_weight_decay,
        }, options)  # fmt: skip

    def check(self, group: Group) -> None:
        super().check(group)
        check_betas(group)

    def moments(self, group: Group) -> tuple[str, ...]:
        return ("exp_avg", "exp_avg_sq")

    def rule(self, group: Group) -> Kernel:
        return radam_update

    def scalars(self, group: Group, step: int) -> tuple[float, ...]:
        beta1, beta2 = group["betas"]
        kept = beta2**step
        rate = group["lr"] / (1 - beta1**step)
        most = 2 / (1 - beta2) - 1
        seen = most - 2 * step * kept / (1 - kept)
        adapted = seen > 5
        if adapted:
            rectified = (seen - 4) * (seen - 2) * most / ((most - 4) * (most - 2) * seen)
            rate *= (rectified * (1 - kept)) ** 0.5
        (sign, _), (weight_decay, shrink) = common(group), decay_of(group)
        return (rate, sign, weight_decay, shrink, 1 - beta1, beta2, 1 - beta2, group["eps"], float(adapted))
