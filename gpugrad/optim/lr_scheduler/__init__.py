"""Learning rates that change while a model is trained, with PyTorch's names, arguments and trajectories.

A schedule is made for an optimizer, sets ``group["lr"]`` at once, and again at each ``step()``, which comes after the
optimizer's. Its state has PyTorch's keys, and either library takes the other's.

To add one: a subclass of ``Scaled`` in the file of its family with ``_factor``, the rate at an epoch as a multiple of
the first one (or of :class:`LRScheduler` with ``get_lr`` where there is no such number); a row in
``tests/optim/test_lr_scheduler.py``; then export it below.
"""

from .base import LRScheduler
from .composed import ChainedScheduler, SequentialLR
from .cosine import CosineAnnealingLR, CosineAnnealingWarmRestarts
from .cycle import CyclicLR, OneCycleLR
from .decay import ConstantLR, ExponentialLR, LinearLR, MultiStepLR, PolynomialLR, StepLR
from .functions import LambdaLR, MultiplicativeLR
from .plateau import ReduceLROnPlateau

__all__ = [
    "ChainedScheduler", "ConstantLR", "CosineAnnealingLR", "CosineAnnealingWarmRestarts", "CyclicLR", "ExponentialLR",
    "LRScheduler", "LambdaLR", "LinearLR", "MultiStepLR", "MultiplicativeLR", "OneCycleLR", "PolynomialLR",
    "ReduceLROnPlateau", "SequentialLR", "StepLR",
]  # fmt: skip
