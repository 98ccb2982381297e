"""Functions of functions: gradients of plain code on arrays or Tensors. Signatures are JAX's."""

from .check import gradcheck, gradgradcheck
from .gradient import grad, value_and_grad, vjp

__all__ = ["grad", "gradcheck", "gradgradcheck", "value_and_grad", "vjp"]
