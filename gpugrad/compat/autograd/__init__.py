"""HIPS autograd's interface over gpugrad: programs that were written for it run here, on CuPy's arrays too.

    >>> import gpugrad.compat.autograd.numpy as np
    >>> from gpugrad.compat.autograd import grad
    >>> grad(lambda x: np.sum(np.tanh(x) ** 2))(np.array([0.0, 1.0]))
    array([0.        , 0.63970001])

A program that cannot be changed, or a package that imports autograd, gets it by :func:`install`.

What is a box there is a :class:`gpugrad.Tensor` here. Everything else is as in autograd: functions of arrays, gradients
of nested lists, tuples and dicts, :mod:`extend <gpugrad.compat.autograd.extend>` for functions with rules of one's own.
At a complex number ``a + ib`` gradients are ``dL/da - i dL/db``, autograd's convention; gpugrad's own transforms give
the conjugate.
"""

from .builtins import dict, isinstance, list, tuple, type
from .differential_operators import (
    checkpoint,
    deriv,
    elementwise_grad,
    grad,
    grad_and_aux,
    grad_named,
    hessian,
    hessian_tensor_product,
    hessian_vector_product,
    holomorphic_grad,
    jacobian,
    make_ggnvp,
    make_hvp,
    make_jvp,
    make_jvp_reversemode,
    make_vjp,
    multigrad_dict,
    tensor_jacobian_product,
    value_and_grad,
    vector_jacobian_product,
)
from .installing import install
from .rules import primitive

__all__ = [
    "checkpoint", "deriv", "dict", "elementwise_grad", "grad", "grad_and_aux", "grad_named", "hessian",
    "hessian_tensor_product", "hessian_vector_product", "holomorphic_grad", "install", "isinstance", "jacobian", "list",
    "make_ggnvp", "make_hvp", "make_jvp", "make_jvp_reversemode", "make_vjp", "multigrad_dict", "primitive",
    "tensor_jacobian_product", "tuple", "type", "value_and_grad", "vector_jacobian_product",
]  # fmt: skip
