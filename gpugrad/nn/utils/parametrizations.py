"""Weights with a length of their own, and weights of largest singular value 1 (see :mod:`.parametrize`).

These are PyTorch's recommended ones, with the keys ``parametrizations.weight.original0`` and so on in the state; its
older ``weight_g`` and ``weight_v`` are not made.
"""

from __future__ import annotations

import math
from typing import Any

from ... import random
from ...core import Tensor
from ...core.modes import no_grad
from ...ops.arithmetic import divide, maximum, multiply
from ...ops.linear import matmul
from ...ops.norms import bounded_norm, vector_norm
from ...ops.reduction import sum as total
from ...ops.shaping import reshape
from ...ops.stacking import moveaxis
from ..convolution import ConvTranspose1d, ConvTranspose2d, ConvTranspose3d
from ..module import Module
from .parametrize import register_parametrization


class _WeightNorm(Module):
    def __init__(self, dim: int | None) -> None:
        super().__init__()
        self.dim = dim

    def _length(self, v: Tensor) -> Tensor:
        if self.dim is None:
            return vector_norm(v)
        axes = tuple(i for i in range(v.ndim) if i != self.dim % v.ndim)
        return vector_norm(v, axis=axes, keepdims=True)

    def forward(self, weight_g: Tensor, weight_v: Tensor) -> Tensor:
        return weight_v * (weight_g / self._length(weight_v))

    def right_inverse(self, weight: Tensor) -> tuple[Tensor, Tensor]:
        """The lengths, and the directions."""
        return self._length(weight), weight


def weight_norm(module: Module, name: str = "weight", dim: int | None = 0) -> Module:
    """Learn the length and the direction of weights apart: ``w = g v / |v|``.

    Args:
        module: with the parameter, changed in place.
        name: of the parameter.
        dim: the norm is over all axes but this one, so that each output has a length; None for one length in all.

    Returns:
        The module. ``original0`` is g, ``original1`` is v.

    Raises:
        AttributeError: there is no such parameter.
        IndexError: it has no such axis.

    Source: Salimans and Kingma 2016, "Weight normalization"; ``torch.nn.utils.parametrizations.weight_norm``.

    >>> import gpugrad as gg
    >>> layer = weight_norm(gg.nn.Linear(2, 3))
    >>> {key: value.shape for key, value in layer.state_dict().items()}
    {'bias': (3,), 'parametrizations.weight.original0': (3, 1), 'parametrizations.weight.original1': (3, 2)}
    """
    ndim = module.get_parameter(name).ndim if _unparametrized(module, name) else getattr(module, name).ndim
    if dim is not None and not -ndim <= dim < ndim:
        raise IndexError(f"weight_norm: there is no axis {dim} in {name!r}, which has {ndim}")
    return register_parametrization(module, name, _WeightNorm(dim))


def _unparametrized(module: Module, name: str) -> bool:
    return "parametrizations" not in module.__dict__ or name in module._registered


class _SpectralNorm(Module):
    _u: Tensor
    _v: Tensor

    def __init__(self, weight: Tensor, n_power_iterations: int, dim: int, eps: float) -> None:
        super().__init__()
        self.n_power_iterations, self.dim, self.eps = n_power_iterations, dim, eps
        if weight.ndim > 1:
            matrix = self._matrix(Tensor(weight.data))
            draw = random.default_generator.standard_normal
            for key, n in zip(("_u", "_v"), matrix.shape, strict=True):
                self.register_buffer(key, self._unit(draw((n,), matrix.dtype, matrix.device)))
            self._iterate(matrix, 15)

    def _matrix(self, weight: Tensor) -> Tensor:
        rows = moveaxis(weight, self.dim, 0)
        return reshape(rows, (rows.shape[0], math.prod(rows.shape[1:])))

    def _unit(self, x: Tensor) -> Tensor:
        return divide(x, maximum(reshape(bounded_norm(x, None), ()), self.eps))

    def _iterate(self, matrix: Tensor, times: int) -> None:
        with no_grad():
            for _ in range(times):
                self._u = self._unit(matmul(matrix, self._v))
                self._v = self._unit(matmul(self._u, matrix))

    def forward(self, weight: Tensor) -> Tensor:
        if weight.ndim == 1:
            return self._unit(weight)
        matrix = self._matrix(weight)
        if self.training:
            self._iterate(Tensor(matrix.data), self.n_power_iterations)
        sigma = total(multiply(Tensor(self._u.data), matmul(matrix, Tensor(self._v.data))))
        return weight / sigma

    def right_inverse(self, value: Tensor) -> Tensor:
        """The weight as it is: it will be divided by its norm again."""
        return value


def spectral_norm(
    module: Module, name: str = "weight", n_power_iterations: int = 1, eps: float = 1e-12, dim: int | None = None
) -> Module:
    """Divide a weight by its largest singular value: ``w / s`` with ``s = max |w x| / |x|``.

    The singular vectors are followed by power iteration, a step or a few each time the weight is read in training
    mode; they count as constants in the gradient.

    Args:
        module: with the parameter, changed in place.
        name: of the parameter.
        n_power_iterations: steps for each reading.
        eps: the least length that a vector is divided by.
        dim: the axis of the outputs, the others together are the inputs; None for 0, in transposed convolutions 1.

    Returns:
        The module. The singular vectors are the buffers ``_u`` and ``_v`` of the parametrization.

    Raises:
        AttributeError: there is no such parameter.
        IndexError: it has no such axis.
        ValueError: ``n_power_iterations`` is less than 1.

    Source: Miyato et al. 2018, "Spectral normalization for generative adversarial networks";
    ``torch.nn.utils.parametrizations.spectral_norm``.

    >>> import gpugrad as gg
    >>> layer = spectral_norm(gg.nn.Linear(2, 3))
    >>> list(layer.state_dict())[1:]
    ['parametrizations.weight.original', 'parametrizations.weight.0._u', 'parametrizations.weight.0._v']
    """
    if n_power_iterations < 1:
        raise ValueError(f"spectral_norm: expected n_power_iterations of at least 1, got {n_power_iterations}")
    weight: Any = module.get_parameter(name) if _unparametrized(module, name) else getattr(module, name)
    if dim is None:
        dim = 1 if isinstance(module, ConvTranspose1d | ConvTranspose2d | ConvTranspose3d) else 0
    if not -weight.ndim <= dim < weight.ndim:
        raise IndexError(f"spectral_norm: there is no axis {dim} in {name!r}, which has {weight.ndim}")
    return register_parametrization(module, name, _SpectralNorm(weight, n_power_iterations, dim, eps))
