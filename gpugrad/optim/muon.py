"""Muon: momentum with its singular values made equal."""

from __future__ import annotations

from typing import Any, Unpack

from ..kernels import Kernel
from ..kernels.optim_whole import muon_update
from .adafactor import refuse_complex
from .optimizer import Common, Group, Optimizer, Params

SCALES = (None, "original", "match_rms_adamw")
"""What ``adjust_lr_fn`` may be."""


class Muon(Optimizer):
    """``m += (1 - momentum) (g - m)``, ``p = (1 - lr weight_decay) p - s lr O(m)`` for matrices of shape ``(R, C)``.

    ``O`` takes all singular values close to 1, by iterations of Newton and Schulz in bfloat16; ``s`` is
    ``sqrt(max(1, R / C))``. For the weights of hidden layers: give biases, embeddings and the last layer to another
    optimizer, such as :class:`AdamW`.

    Args:
        params: parameters or groups of them, with two axes.
        lr: the learning rate.
        weight_decay: times ``lr p`` is subtracted from ``p``.
        momentum: how much of the running mean is kept.
        nesterov: make ``(1 - momentum) g + momentum m`` orthogonal instead of ``m``.
        ns_coefficients: ``(a, b, c)`` of an iteration ``x = a x + (b s + c s s) x`` with ``s = x x'``.
        eps: the least norm that a matrix is divided by.
        ns_steps: number of iterations.
        adjust_lr_fn: "original", or "match_rms_adamw" for ``s = 0.2 sqrt(max(R, C))``, with which rates and decays of
            :class:`AdamW` fit.
        options: see :class:`~gpugrad.optim.optimizer.Common`.

    Raises:
        ValueError: a parameter without two axes, or an option out of range.
        TypeError: a complex parameter.

    State: ``momentum_buffer``. Source: Jordan et al. 2024; Liu et al. 2025; ``torch.optim.Muon``.

    >>> import gpugrad as gg
    >>> w = gg.zeros((2, 2)).requires_grad_()
    >>> (w * gg.tensor([[3.0, 0.0], [0.0, 1.0]])).sum().backward()
    >>> Muon([w], lr=0.1).step()
    >>> (w.numpy() * 100).round().tolist()
    [[-8.0, 0.0], [0.0, -11.0]]
    """

    nonnegative = ("lr", "weight_decay", "momentum")
    apart = True

    def __init__(
        self, params: Params, lr: float = 1e-3, weight_decay: float = 0.1, momentum: float = 0.95,
        nesterov: bool = True, ns_coefficients: tuple[float, float, float] = (3.4445, -4.775, 2.0315),
        eps: float = 1e-7, ns_steps: int = 5, adjust_lr_fn: str | None = None, **options: Unpack[Common],
    ) -> None:  # fmt: skip
        super().__init__(params, {
            "lr": lr, "weight_decay": weight_decay, "momentum": momentum, "nesterov": nesterov,
            "ns_coefficients": ns_coefficients, "eps": eps, "ns_steps": ns_steps, "adjust_lr_fn": adjust_lr_fn,
        }, options)  # fmt: skip

    def check(self, group: Group) -> None:
        super().check(group)
        refuse_complex("Muon", group)
        for p in group["params"]:
            if p.ndim != 2:
                raise ValueError(
                    f"Muon: expected parameters with two axes, got the shape {p.shape}: give biases, embeddings and "
                    "the like to another optimizer, such as AdamW"
                )
        if group["adjust_lr_fn"] not in SCALES:
            raise ValueError(
                f"adjust_lr_fn: expected 'original' or 'match_rms_adamw', got {group['adjust_lr_fn']!r}"
            )  # fmt: skip
        if len(group["ns_coefficients"]) != 3:
            raise ValueError(f"ns_coefficients: expected three numbers, got {group['ns_coefficients']}")
        if not 0 <= group["ns_steps"] < 100:
            raise ValueError(f"ns_steps: expected 0 to 99, got {group['ns_steps']}")

    def moments(self, group: Group) -> tuple[str, ...]:
        return ("momentum_buffer",)

    def step_key(self, group: Group, steps: int) -> Any:
        return None

    def entry(self, steps: int, moments: dict[str, Any]) -> dict[str, Any]:
        return moments if steps else {}

    def advanced(self, group: Group, steps: Any) -> Any:
        return 1

    def loaded_steps(self, entry: Any) -> int:
        return int(entry.get("momentum_buffer") is not None)

    def rule(self, group: Group) -> Kernel:
        return muon_update

    def scalars(self, group: Group, step: int) -> tuple[float, ...]:
        lr = group["lr"]
        return (
            lr, 1 - lr * group["weight_decay"], 1 - group["momentum"], float(group["nesterov"]),
            *group["ns_coefficients"], group["ns_steps"], group["eps"],
            float(group["adjust_lr_fn"] == "match_rms_adamw"),
        )  # fmt: skip
