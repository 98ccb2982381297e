"""Optimizers, named and behaving as PyTorch's, with one kernel launch for a whole group of parameters.

To add one:

1. write the kernel that updates a flat run of parameters in place, in :mod:`gpugrad.kernels.optim`;
2. write a subclass of :class:`Optimizer` in a file of its own, with the names of the arrays it keeps for each parameter
   (``moments``), the kernel (``rule``) and the kernel's scalars in each step (``scalars``). If these do not depend on
   the number of the step, ``step_key`` returns None, and parameters of different age share a launch; export it below;
3. add a row to ``ROWS`` of ``tests/optim/test_against_torch.py`` (or, if PyTorch does not have it, a test to
   ``tests/optim/test_beyond_pytorch.py``), to ``MAKERS`` of ``tests/optim/test_optimizer.py`` and to ``OPTIMIZERS`` of
   ``tests/tracing/test_steps.py``.
"""

from . import lr_scheduler, swa_utils
from .adadelta import Adadelta
from .adafactor import Adafactor
from .adagrad import Adagrad
from .adam import Adam
from .adamax import Adamax
from .adamw import AdamW
from .asgd import ASGD
from .grad_scaler import GradScaler
from .lamb import LAMB
from .lbfgs import LBFGS
from .lion import Lion
from .muon import Muon
from .nadam import NAdam
from .optimizer import Optimizer
from .radam import RAdam
from .rmsprop import RMSprop
from .rprop import Rprop
from .sgd import SGD

__all__ = [
    "ASGD", "LAMB", "LBFGS", "SGD", "Adadelta", "Adafactor", "Adagrad", "Adam", "AdamW", "Adamax", "GradScaler", "Lion",
    "Muon", "NAdam", "Optimizer", "RAdam", "RMSprop", "Rprop", "lr_scheduler", "swa_utils",
]  # fmt: skip
