"""Adagrad: steps that shrink where gradients were large."""

from __future__ import annotations

from typing import Any, Unpack

from ..kernels import Kernel
from ..kernels.optim import adagrad_update
from .optimizer import Common, Group, Optimizer, Params, common


class Adagrad(Optimizer):
    """``s += g^2``, ``p -= lr / (1 + (t - 1) lr_decay) g / (sqrt(s) + eps)``.

    Args:
        params: parameters or groups of them.
        lr: the learning rate.
        lr_decay: how fast it falls with the step t.
        weight_decay: times ``p`` is added to the gradient.
        initial_accumulator_value: what ``s`` begins with.
        eps: keeps the quotient finite.
        maximize: follow the gradient up.
        options: see :class:`~gpugrad.optim.optimizer.Common`.

    Raises:
        ValueError: a negative option.

    State: ``step``, ``sum``. Source: Duchi, Hazan and Singer 2011; ``torch.optim.Adagrad``.

    >>> import gpugrad as gg
    >>> w = gg.tensor([1.0], requires_grad=True)
    >>> (3 * w).sum().backward()
    >>> Adagrad([w], lr=0.1).step()
    >>> w
    tensor([0.9], requires_grad=True)
    """

    nonnegative = ("lr", "lr_decay", "weight_decay", "initial_accumulator_value", "eps")

    def __init__(
        self, params: Params, lr: float = 1e-2, lr_decay: float = 0, weight_decay: float = 0,
        initial_accumulator_value: float = 0, eps: float = 1e-10, *, maximize: bool = False, **options: Unpack[Common],
    ) -> None:  # fmt: skip
        super().__init__(params, {
            "lr": lr, "lr_decay": lr_decay, "eps": eps, "weight_decay": weight_decay,
            "initial_accumulator_value": initial_accumulator_value, "maximize": maximize,
        }, options)  # fmt: skip

    def moments(self, group: Group) -> tuple[str, ...]:
        return ("sum",)

    def initial(self, group: Group) -> float:
        return float(group["initial_accumulator_value"])

    def entry(self, steps: int, moments: dict[str, Any]) -> dict[str, Any]:
        return {"step": steps, **moments}  # PyTorch's begins before the first step

    def step_key(self, group: Group, steps: int) -> Any:
        return steps if group["lr_decay"] else None

    def rule(self, group: Group) -> Kernel:
        return adagrad_update

    def scalars(self, group: Group, step: int) -> tuple[float, ...]:
        rate = group["lr"] / (1 + (step - 1) * group["lr_decay"])
        return (rate, *common(group), group["eps"])
