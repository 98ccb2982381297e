"""Learning rates that change while a model is trained, with PyTorch's names, arguments and trajectories.

A schedule is made for an optimizer, sets ``group["lr"]`` at once, and again at each ``step()``, which comes after the
optimizer's. Its state has PyTorch's keys, and either library takes the other's.

To add one:

1. write a subclass of ``Scaled`` in the file of its family. Its ``__init__`` sets the options and then calls that of
   ``Scaled``, which sets the first rates; ``_factor(epoch)`` is the rate as a multiple of ``initial_lr``, a float.
   Where there is no such number, subclass :class:`LRScheduler` and write ``get_lr``;
2. export it below;
3. add a row to ``ROWS`` of ``tests/optim/test_lr_scheduler.py``, or, if PyTorch does not have it, a test to
   ``tests/optim/test_beyond_pytorch.py``.
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
