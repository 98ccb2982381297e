"""Rprop: a step size for each number, from the signs of its gradients alone."""

from __future__ import annotations

from typing import Any, Unpack

from ..kernels import Kernel
from ..kernels.optim import rprop_update
from .optimizer import Common, Group, Optimizer, Params


class Rprop(Optimizer):
    """``p -= sign(g) s``; ``s`` grows while the sign of ``g`` stays. Where it changed, ``s`` shrinks and ``p`` waits.

    Made for gradients of all data; those of batches change their signs at random.

    Args:
        params: parameters or groups of them.
        lr: the first step size.
        etas: the factors of ``s`` where the sign changed, and where it stayed.
        step_sizes: the least and the largest ``s``.
        maximize: follow the gradient up.
        options: see :class:`~gpugrad.optim.optimizer.Common`.

    Raises:
        ValueError: a negative ``lr``, or etas that are not ``0 < fewer < 1 < more``.

    State: ``step``, ``prev``, ``step_size``. Source: Riedmiller and Braun 1993; ``torch.optim.Rprop``.

    >>> import gpugrad as gg
    >>> w = gg.tensor([1.0], requires_grad=True)
    >>> (3 * w).sum().backward()
    >>> Rprop([w], lr=0.1).step()
    >>> w
    tensor([0.9], requires_grad=True)
    """

    nonnegative = ("lr",)

    def __init__(
        self, params: Params, lr: float = 1e-2, etas: tuple[float, float] = (0.5, 1.2),
        step_sizes: tuple[float, float] = (1e-6, 50), *, maximize: bool = False, **options: Unpack[Common],
    ) -> None:  # fmt: skip
        super().__init__(params, {"lr": lr, "etas": etas, "step_sizes": step_sizes, "maximize": maximize}, options)

    def check(self, group: Group) -> None:
        super().check(group)
        fewer, more = group["etas"]
        if not 0 < fewer < 1 < more:
            raise ValueError(f"expected etas with 0 < etas[0] < 1 < etas[1], got {fewer} and {more}")

    def moments(self, group: Group) -> tuple[str, ...]:
        return ("prev", "step_size")

    def step_key(self, group: Group, steps: int) -> Any:
        return steps == 0

    def rule(self, group: Group) -> Kernel:
        return rprop_update

    def scalars(self, group: Group, step: int) -> tuple[float, ...]:
        sign = -1.0 if group["maximize"] else 1.0
        return (group["lr"], sign, *group["etas"], *group["step_sizes"], float(step == 1))
