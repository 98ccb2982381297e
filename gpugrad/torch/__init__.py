"""PyTorch's spellings, for programs that were written for it: ``import gpugrad.torch as torch``.

    >>> import gpugrad.torch as torch
    >>> import gpugrad.torch.nn as nn
    >>> x = torch.randn(2, 3, requires_grad=True)
    >>> loss = nn.Linear(3, 1)(x).view(-1).mean(dim=0)
    >>> loss.backward()
    >>> x.grad.size()
    (2, 3)

A name means here what it means in PyTorch, or asking for it raises an error that says what to write: ``torch.std(x)``
divides by n - 1 in PyTorch and by n in NumPy, and so wants ``correction=``. Nothing is implemented twice: most names
are those of :mod:`gpugrad` with PyTorch's order of arguments (:mod:`gpugrad.torch.names`, :mod:`gpugrad.ops.pytorch`).
``torch.nn``, ``torch.optim`` and ``torch.utils.data`` are :mod:`gpugrad.nn`, :mod:`gpugrad.optim` and
:mod:`gpugrad.data` themselves. The methods of Tensors under PyTorch's names need no import.

To add a name: a row in one of the two tables, and one in ``tests/pytorch/spellings.py``.
"""

import sys as _sys
from importlib import import_module as _import_module
from typing import Any as _Any

from . import amp, autograd, backends, cuda, distributions, func, utils
from . import names as _names

MODULES = {
    "cuda.amp": "torch.amp",
    "fft": "fft",
    "linalg": "linalg",
    "nn": "nn",
    "nn.functional": "nn.functional",
    "nn.init": "nn.init",
    "nn.utils": "nn.utils",
    "nn.utils.parametrizations": "nn.utils.parametrizations",
    "nn.utils.parametrize": "nn.utils.parametrize",
    "nn.utils.rnn": "nn.utils.rnn",
    "onnx": "onnx",
    "optim": "optim",
    "optim.lr_scheduler": "optim.lr_scheduler",
    "optim.swa_utils": "optim.swa_utils",
    "random": "random",
    "special": "special",
    "utils.data": "data",
}
"""The modules of ``torch``, and the modules of gpugrad that they are."""

_HERE = __name__.rpartition(".")[0]


def _adopt() -> None:
    """Let ``import gpugrad.torch.nn.functional as F`` find gpugrad's own module."""
    for name, ours in MODULES.items():
        try:
            _sys.modules[f"{__name__}.{name}"] = _import_module(f"{_HERE}.{ours}")
        except ModuleNotFoundError as error:
            if not str(error.name).startswith(_HERE):
                raise
    cuda.amp = amp
    utils.data = _sys.modules[f"{__name__}.utils.data"]


_adopt()
Generator, Size = _names.Generator, _names.Size


def __getattr__(name: str) -> _Any:
    module = _sys.modules.get(f"{__name__}.{name}")
    return _names.found(name) if module is None else module


def __dir__() -> list[str]:
    return sorted({*globals(), *_names.known(), *(name for name in MODULES if "." not in name)})


__all__ = ["Generator", "MODULES", "Size", "amp", "autograd", "backends", "cuda", "distributions", "func", "utils"]
