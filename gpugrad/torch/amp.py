"""``torch.amp`` and ``torch.cuda.amp``: :class:`gpugrad.autocast` and :class:`gpugrad.optim.GradScaler`."""

from ..core.modes import autocast
from ..optim.grad_scaler import GradScaler

__all__ = ["GradScaler", "autocast"]
