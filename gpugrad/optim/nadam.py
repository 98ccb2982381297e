"""Adam that looks ahead along its momentum."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple, Unpack

from ..kernels import Kernel
from ..kernels.optim import nadam_update
from .optimizer import Common, Group, Optimizer, Params, check_betas, common, decay_of


class Progress(NamedTuple):
    """What is counted for a parameter: its steps, and the product of the momenta in them."""

    step: int
    product: float


class NAdam(Optimizer):
    """As :class:`Adam`, with the step ``lr (m' + g') / (sqrt(v') + eps)`` of the momentum after the next one.

    ``m' = mu[t + 1] m / (1 - mu[1] ... mu[t + 1])``, ``g' = (1 - mu[t]) g / (1 - mu[1] ... mu[t])``, with
    ``mu[t] = beta1 (1 - 0.96^(t momentum_decay) / 2)``.

    Args:
        params: parameters or groups of them.
        lr: the learning rate.
        betas: how much of the running mean, and of the running square, is kept.
        eps: keeps the quotient finite.
        weight_decay: times ``p`` is added to the gradient, or with ``decoupled_weight_decay`` times ``lr p`` is
            subtracted from ``p``.
        momentum_decay: how fast ``mu`` grows to ``beta1``.
        decoupled_weight_decay: the weight decay of :class:`AdamW`.
        maximize: follow the gradient up.
        options: see :class:`~gpugrad.optim.optimizer.Common`.

    Raises:
        ValueError: a negative option, or betas outside [0, 1).

    State: ``step``, ``mu_product``, ``exp_avg``, ``exp_avg_sq``. The product is a float of double precision; PyTorch
    keeps it in its default dtype. Source: Dozat 2016; ``torch.optim.NAdam``.

    >>> import gpugrad as gg
    >>> w = gg.tensor([1.0], dtype=gg.float64, requires_grad=True)
    >>> (3 * w).sum().backward()
    >>> NAdam([w], lr=0.1).step()
    >>> w.numpy().round(4).tolist()
    [0.8944]
    """

    nonnegative = ("lr", "eps", "weight_decay", "momentum_decay")

    def __init__(
        self, params: Params, lr: float = 2e-3, betas: tuple[float, float] = (0.9, 0.999), eps: float = 1e-8,
        weight_decay: float = 0, momentum_decay: float = 4e-3, decoupled_weight_decay: bool = False, *,
        maximize: bool = False, **options: Unpack[Common],
    ) -> None:  # fmt: skip
        super().__init__(params, {
            "lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay, "momentum_decay": momentum_decay,
            "maximize": maximize, "decoupled_weight_decay": decoupled_weight_decay,
        }, options)  # fmt: skip

    def check(self, group: Group) -> None:
        super().check(group)
        check_betas(group)

    def moments(self, group: Group) -> tuple[str, ...]:
        return ("exp_avg", "exp_avg_sq")

    def rule(self, group: Group) -> Kernel:
        return nadam_update

    def advanced(self, group: Group, steps: Any) -> Any:
        step, product = steps or (0, 1.0)
        return Progress(step + 1, product * _momentum(group, step + 1))

    def numbers(self, group: Group, steps: Any) -> tuple[float, ...]:
        step, product = self.advanced(group, steps)
        (_, beta2), lr = group["betas"], group["lr"]
        now, later = _momentum(group, step), _momentum(group, step + 1)
        (sign, _), (weight_decay, shrink) = common(group), decay_of(group)
        return (
            lr * (1 - now) / (1 - product), sign, weight_decay, shrink, 1 - group["betas"][0], beta2, 1 - beta2,
            (1 - beta2**step) ** 0.5, group["eps"], lr * later / (1 - product * later),
        )  # fmt: skip

    def entry(self, steps: Any, moments: dict[str, Any]) -> dict[str, Any]:
        return {"step": steps.step, "mu_product": steps.product, **moments} if steps else {}

    def loaded_steps(self, entry: Mapping[str, Any]) -> Any:
        step = super().loaded_steps(entry)
        return Progress(step, float(entry["mu_product"])) if step else 0


def _momentum(group: Group, step: int) -> float:
    return float(group["betas"][0] * (1 - 0.5 * 0.96 ** (step * group["momentum_decay"])))
