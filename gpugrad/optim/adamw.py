"""Adam with the weight decay taken out of the gradient."""

from __future__ import annotations

from typing import Unpack

from .adam import Adam
from .optimizer import Common, Params


class AdamW(Adam):
    """:class:`Adam` after ``p *= 1 - lr weight_decay``, so that the decay is not divided by the gradient's size.

    Args: as for :class:`Adam`; ``weight_decay`` is 0.01 unless given.

    Raises: as :class:`Adam`.

    Source: Loshchilov and Hutter 2019; ``torch.optim.AdamW``.

    >>> import gpugrad as gg
    >>> w = gg.tensor([1.0], requires_grad=True)
    >>> (3 * w).sum().backward()
    >>> AdamW([w], lr=0.1, weight_decay=0.5).step()
    >>> w
    tensor([0.85], requires_grad=True)
    """

    def __init__(
        self, params: Params, lr: float = 1e-3, betas: tuple[float, float] = (0.9, 0.999), eps: float = 1e-8,
        weight_decay: float = 1e-2, amsgrad: bool = False, *, maximize: bool = False, **options: Unpack[Common],
    ) -> None:  # fmt: skip
        super().__init__(
            params, lr, betas, eps, weight_decay, amsgrad, maximize=maximize, decoupled_weight_decay=True, **options
        )  # fmt: skip
