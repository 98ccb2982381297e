"""Functions of functions: gradients of plain code on arrays or Tensors. Signatures are JAX's.

To add one: take the function's arguments into a :class:`~gpugrad.transforms.gradient.Call`, run the function, walk.
"""

from .check import gradcheck, gradgradcheck
from .checkpoint import checkpoint
from .conditional import cond
from .forward import jvp
from .gradient import grad, value_and_grad, vjp
from .matrix import elementwise_grad, hessian, hvp, jacobian
from .vmap import vmap

__all__ = [
    "checkpoint", "cond", "elementwise_grad", "grad", "gradcheck", "gradgradcheck", "hessian", "hvp", "jacobian", "jvp",
    "value_and_grad", "vjp", "vmap",
]  # fmt: skip
