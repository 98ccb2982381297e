"""Neural networks: modules, functions and ``state_dict`` keys named and shaped as PyTorch's.

    >>> import gpugrad as gg
    >>> from gpugrad import nn
    >>> model = nn.Sequential(nn.Linear(4, 16), nn.ReLU(), nn.Linear(16, 3))
    >>> loss = nn.CrossEntropyLoss()(model(gg.ones((2, 4))), gg.tensor([0, 2]))
    >>> loss.backward()
    >>> model[0].weight.grad.shape
    (16, 4)

To add a layer:

1. the function in :mod:`gpugrad.nn.functional`, composed of gpugrad's operations; a new operation, with its gradient,
   goes to :mod:`gpugrad.ops`;
2. one class in the file of its family: parameters in ``__init__``, ``forward`` calls the function, ``extra_repr`` says
   the sizes; a docstring with formula, shapes, source and example;
3. export it below, and add a row to the tables in ``tests/nn``, which compare it with PyTorch.

Nothing here names a device or an array library.
"""

from . import functional, init
from .activation import LogSoftmax, ReLU, Sigmoid, Softmax, Tanh
from .container import ModuleDict, ModuleList, Sequential
from .dropout import Dropout
from .linear import Flatten, Identity, Linear
from .loss import CrossEntropyLoss, MSELoss, MultiMarginLoss, NLLLoss
from .module import Module
from .parameter import Parameter

__all__ = [
    "CrossEntropyLoss", "Dropout", "Flatten", "Identity", "Linear", "LogSoftmax", "MSELoss", "Module", "ModuleDict",
    "ModuleList", "MultiMarginLoss", "NLLLoss", "Parameter", "ReLU", "Sequential", "Sigmoid", "Softmax", "Tanh",
    "functional", "init",
]  # fmt: skip
