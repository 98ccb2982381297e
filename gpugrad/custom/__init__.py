"""A user's own kernels as differentiable operations that prove themselves on first use.

:func:`elementwise_kernel` takes the CUDA statement for one element, its twin on ``xp`` and its gradient;
:func:`raw_kernel` a whole CUDA source with its own launch.
"""

from .check import KernelMismatchError, kernel_checks
from .elementwise import elementwise_kernel
from .raw import Launch, raw_kernel

__all__ = ["KernelMismatchError", "Launch", "elementwise_kernel", "kernel_checks", "raw_kernel"]
