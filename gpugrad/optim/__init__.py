"""Optimizers, named and behaving as PyTorch's, with one kernel launch for a whole group of parameters.

To add one: a subclass of :class:`Optimizer` in a file of its own, with the names of what it remembers for each
parameter (``moments``), the kernel that updates a flat run of parameters in place (``rule``) and the numbers that this
takes in each step (``scalars``); the kernel is in :mod:`gpugrad.kernels.optim`; a row in
``tests/optim/test_against_torch.py``.
"""

from . import lr_scheduler, swa_utils
from .adagrad import Adagrad
from .adam import Adam
from .adamw import AdamW
from .optimizer import Optimizer
from .rmsprop import RMSprop
from .sgd import SGD

__all__ = ["SGD", "Adagrad", "Adam", "AdamW", "Optimizer", "RMSprop", "lr_scheduler", "swa_utils"]
