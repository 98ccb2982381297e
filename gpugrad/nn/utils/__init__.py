"""Helpers around networks.

- gradients cut off and scaled: :func:`clip_grad_norm_`, :func:`clip_grad_value_`
- all parameters as one vector: :func:`parameters_to_vector`, :func:`vector_to_parameters`
- a module called with other parameters: :func:`functional_call`
- parameters as functions of others: :mod:`~gpugrad.nn.utils.parametrize`, :mod:`~gpugrad.nn.utils.parametrizations`
- sequences of different length: :mod:`gpugrad.nn.utils.rnn`
"""

from . import parametrizations, parametrize, rnn
from .clipping import clip_grad_norm_, clip_grad_value_, get_total_norm
from .conversion import parameters_to_vector, vector_to_parameters
from .functional_call import functional_call

__all__ = [
    "clip_grad_norm_", "clip_grad_value_", "functional_call", "get_total_norm", "parameters_to_vector",
    "parametrizations", "parametrize", "rnn", "vector_to_parameters",
]  # fmt: skip
