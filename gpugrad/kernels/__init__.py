"""Fused kernels: each CUDA source beside its reference.

To add one, write the reference on ``xp`` in the file of its family, arrays before the slash, with the formula, the
bytes moved and the source in its docstring, and decorate it:

- with :func:`~gpugrad.kernels.elementwise.elementwise` and the CUDA statement for one element;
- with :func:`~gpugrad.kernels.rows.rows` and the reductions and the element of a row.

``tests/kernels`` then compares it with the reference, in every variant and dtype, and compiles it for every
architecture.
"""

from . import activation, optim, softmax
from .elementwise import elementwise
from .kernel import REGISTRY, Kernel
from .rows import rows

__all__ = ["REGISTRY", "Kernel", "activation", "elementwise", "optim", "rows", "softmax"]
