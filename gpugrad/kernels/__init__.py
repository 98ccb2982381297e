"""Fused kernels: each CUDA source beside its reference.

To add an elementwise kernel: write the reference on ``xp`` in the file of its family, arrays before the slash, and
decorate it with :func:`~gpugrad.kernels.kernel.elementwise` and the CUDA statement for one element. It is then
compared with the reference and compiled for every architecture by ``tests/kernels``.
"""

from .kernel import REGISTRY, Kernel, elementwise

__all__ = ["REGISTRY", "Kernel", "elementwise"]
