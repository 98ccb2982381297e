"""Adafactor: the running square of a matrix's gradient, as one row and one column."""

from __future__ import annotations

from typing import Unpack

from ..kernels import Kernel
from ..kernels.optim_whole import adafactor_update, adafactor_vector_update
from ..kernels.shapes import Shape
from .optimizer import Common, Group, Optimizer, Params, common


def factored(name: str, shape: Shape) -> Shape | None:
    """Rows and columns for parameters with two axes or more, ``variance`` for others."""
    if name == "variance":
        return None if len(shape) > 1 else shape
    if len(shape) < 2:
        return None
    return (*shape[:-1], 1) if name == "row_var" else (*shape[:-2], 1, shape[-1])


class Adafactor(Optimizer):
    """``u = g / sqrt(v)``, ``p = (1 - lr weight_decay) p - a u / max(1, rms(u) / d)``, with ``v`` of rank 1.

    ``a = max(eps[1], rms(p)) min(lr, 1 / sqrt(t))``; ``v = r c / mean(r)`` with running means ``r`` and ``c`` of
    ``g^2`` along rows and columns, of which ``1 - t^beta2_decay`` is kept. A matrix of shape ``(R, C)`` needs
    ``R + C`` numbers beside it.

    Args:
        params: parameters or groups of them, real.
        lr: the largest relative step.
        beta2_decay: how the part that is kept of the running means grows with the step; at most 0.
        eps: the least size of ``sqrt(v)`` (None: the distance from 1 to the next number of the dtype), and the least
            size of a parameter for its steps.
        d: the largest root mean square of ``u``.
        weight_decay: times ``lr p`` is subtracted from ``p``.
        maximize: follow the gradient up.
        options: see :class:`~gpugrad.optim.optimizer.Common`.

    Raises:
        ValueError: an option out of range.
        TypeError: a complex parameter.

    State: ``step``, ``row_var`` of shape ``(..., R, 1)`` and ``col_var`` of shape ``(..., 1, C)``, or ``variance``.
    Source: Shazeer and Stern 2018; ``torch.optim.Adafactor``.

    >>> import gpugrad as gg
    >>> w = gg.ones((2, 3)).requires_grad_()
    >>> (3 * w).sum().backward()
    >>> optimizer = Adafactor([w], lr=0.1)
    >>> optimizer.step()
    >>> w[0].numpy().round(4).tolist(), optimizer.state[w]["row_var"].shape
    ([0.9, 0.9, 0.9], (2, 1))
    """

    nonnegative = ("lr", "weight_decay")
    apart = True
    moment_shape = staticmethod(factored)

    def __init__(
        self, params: Params, lr: float = 1e-2, beta2_decay: float = -0.8,
        eps: tuple[float | None, float] = (None, 1e-3), d: float = 1.0, weight_decay: float = 0.0, *,
        maximize: bool = False, **options: Unpack[Common],
    ) -> None:  # fmt: skip
        super().__init__(params, {
            "lr": lr, "beta2_decay": beta2_decay, "eps": eps, "d": d, "weight_decay": weight_decay,
            "maximize": maximize,
        }, options)  # fmt: skip

    def check(self, group: Group) -> None:
        super().check(group)
        refuse_complex("Adafactor", group)
        if not group["beta2_decay"] <= 0:
            raise ValueError(f"expected beta2_decay up to 0, got {group['beta2_decay']}")
        eps1, eps2 = group["eps"]
        if (eps1 is not None and not eps1 >= 0) or not eps2 >= 0:
            raise ValueError(f"expected two numbers from 0 on as eps, or None for the first, got {group['eps']}")
        if not group["d"] >= 1:
            raise ValueError(f"expected d from 1 on, got {group['d']}")

    def moments(self, group: Group) -> tuple[str, ...]:
        return ("row_var", "col_var", "variance")

    def rule_for(self, group: Group, shape: Shape) -> Kernel:
        return adafactor_update if len(shape) > 1 else adafactor_vector_update

    def scalars(self, group: Group, step: int) -> tuple[float, ...]:
        lr, (eps1, eps2) = group["lr"], group["eps"]
        return (
            min(lr, step**-0.5), common(group)[0], float(step ** group["beta2_decay"]),
            1 - lr * group["weight_decay"], -1.0 if eps1 is None else eps1, eps2, group["d"],
        )  # fmt: skip


def refuse_complex(name: str, group: Group) -> None:
    """Raise TypeError where a parameter is complex."""
    for p in group["params"]:
        if p.dtype.kind == "c":
            raise TypeError(f"{name}: expected real parameters, got {p.dtype} of shape {p.shape}")
