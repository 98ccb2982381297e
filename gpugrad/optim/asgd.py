"""Gradient descent whose last iterates are averaged."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple, Unpack

from ..kernels import Kernel
from ..kernels.optim import asgd_update
from .optimizer import Common, Group, Optimizer, Params, common


class Progress(NamedTuple):
    """What is counted for a parameter: its steps, and the rate and the weight in the average of the next one."""

    step: int
    eta: float
    mu: float


class ASGD(Optimizer):
    """``p = (1 - lambd eta) p - eta g``, ``a += mu (p - a)``, with a falling ``eta``; the average is in the state.

    After step t, ``eta = lr / (1 + lambd lr t)^alpha`` and ``mu = 1 / max(1, t - t0)``.

    Args:
        params: parameters or groups of them.
        lr: the first learning rate.
        lambd: the decay of the parameters, and of the rate.
        alpha: how fast the rate falls.
        t0: the step from which on iterates are averaged.
        weight_decay: times ``p`` is added to the gradient.
        maximize: follow the gradient up.
        options: see :class:`~gpugrad.optim.optimizer.Common`.

    Raises:
        ValueError: a negative ``lr`` or ``weight_decay``.

    State: ``step``, ``eta``, ``mu``, ``ax``. Both numbers are floats of double precision; PyTorch keeps them in its
    default dtype. Source: Polyak and Juditsky 1992; ``torch.optim.ASGD``.

    >>> import gpugrad as gg
    >>> w = gg.tensor([1.0], requires_grad=True)
    >>> optimizer = ASGD([w], lr=0.25, lambd=0, t0=0)
    >>> for _ in range(3):
    ...     optimizer.zero_grad()
    ...     w.sum().backward()
    ...     optimizer.step()
    >>> w, optimizer.state[w]["ax"]
    (tensor([0.25], requires_grad=True), tensor([0.375]))
    """

    def __init__(
        self, params: Params, lr: float = 1e-2, lambd: float = 1e-4, alpha: float = 0.75, t0: float = 1e6,
        weight_decay: float = 0, *, maximize: bool = False, **options: Unpack[Common],
    ) -> None:  # fmt: skip
        super().__init__(params, {
            "lr": lr, "lambd": lambd, "alpha": alpha, "t0": t0, "weight_decay": weight_decay, "maximize": maximize,
        }, options)  # fmt: skip

    def moments(self, group: Group) -> tuple[str, ...]:
        return ("ax",)

    def rule(self, group: Group) -> Kernel:
        return asgd_update

    def advanced(self, group: Group, steps: Any) -> Any:
        step, lr = (steps.step if steps else 0) + 1, group["lr"]
        eta = lr / (1 + group["lambd"] * lr * step) ** group["alpha"]
        return Progress(step, eta, 1 / max(1, step - group["t0"]))

    def numbers(self, group: Group, steps: Any) -> tuple[float, ...]:
        _, eta, mu = steps or (0, group["lr"], 1.0)
        return (eta, *common(group), 1 - group["lambd"] * eta, mu)

    def entry(self, steps: Any, moments: dict[str, Any]) -> dict[str, Any]:
        return {**steps._asdict(), **moments} if steps else {}

    def loaded_steps(self, entry: Mapping[str, Any]) -> Any:
        step = super().loaded_steps(entry)
        return Progress(step, float(entry["eta"]), float(entry["mu"])) if step else 0
