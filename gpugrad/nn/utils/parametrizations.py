"""Weights with a length of their own, of largest singular value 1, and orthogonal ones (see :mod:`.parametrize`).

These are PyTorch's recommended ones, with the keys ``parametrizations.weight.original0`` and so on in the state; its
older ``weight_g`` and ``weight_v`` are not made.
"""

from __future__ import annotations

import math
from typing import Any

from ... import random
from ...backend.dtypes import int64
from ...core import Tensor
from ...core.modes import no_grad
from ...ops.arithmetic import abs, divide, maximum, multiply, sign
from ...ops.axes import moveaxis
from ...ops.creation import astype, eye, zeros
from ...ops.decompositions import qr
from ...ops.diagonals import diagonal, tril
from ...ops.inspection import finfo
from ...ops.linear import matmul
from ...ops.matrix_functions import expm
from ...ops.norms import bounded_norm, vector_norm
from ...ops.reduction import sum as total
from ...ops.shaping import broadcast_to, concat, expand_dims, matrix_transpose, reshape
from ...ops.solving import solve
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


class _Orthogonal(Module):
    """An orthogonal matrix of a matrix, times the one that the parameter began as."""

    base: Tensor | None

    def __init__(self, kind: str) -> None:
        super().__init__()
        self.kind = kind
        self.register_buffer("base", None)

    def forward(self, x: Tensor) -> Tensor:
        turned = x.shape[-2] < x.shape[-1]
        x = matrix_transpose(x) if turned else x
        n, k = x.shape[-2:]
        if self.kind == "householder":
            q = _reflected(x)
        else:
            lower = tril(x)
            if n > k:
                lower = concat([lower, zeros((*x.shape[:-1], n - k), dtype=x.dtype, device=x.device)], axis=-1)
            skew, one = lower - matrix_transpose(lower), eye(n, dtype=x.dtype, device=x.device)
            q = expm(skew) if self.kind == "matrix_exp" else solve(one - 0.5 * skew, one + 0.5 * skew)
            q = q[..., :k]
        q = q if self.base is None else matmul(self.base, q)
        return matrix_transpose(q) if turned else q

    def right_inverse(self, weight: Tensor) -> Tensor:
        """Minus the identity, with the orthogonal matrix next to the weight as the base."""
        q = matrix_transpose(weight) if weight.shape[-2] < weight.shape[-1] else weight
        n, k = q.shape[-2:]
        if n > k:
            more = random.standard_normal((*q.shape[:-1], n - k), dtype=q.dtype, device=q.device)
            q = concat([q, more], axis=-1)
        if n > k or not _is_orthogonal(q):
            q, r = qr(q)
            q = q * expand_dims(sign(diagonal(r, 0, -2, -1)), -2)
        self.register_buffer("base", q.copy())
        return broadcast_to(-eye(*weight.shape[-2:], dtype=q.dtype, device=q.device), weight.shape)


def _reflected(x: Tensor) -> Tensor:
    """The first columns of a product of Householder reflections, below the diagonal of ``x``, with its signs."""
    n, k = x.shape[-2:]
    one = eye(n, k, dtype=x.dtype, device=x.device)
    vectors = tril(x, k=-1) + one
    scales = 2 / total(vectors * vectors, axis=-2)
    q = broadcast_to(one, x.shape)
    for i in reversed(range(k)):
        v = vectors[..., i : i + 1]
        q = q - scales[..., i, None, None] * matmul(v, matmul(matrix_transpose(v), q))
    signs = astype(astype(diagonal(x, 0, -2, -1), int64), x.dtype)
    return q * expand_dims(signs, -2)


def _is_orthogonal(q: Tensor) -> bool:
    n = q.shape[-1]
    tolerance = 10 * n * float(finfo(q.dtype).eps)
    product = matmul(matrix_transpose(q), q)
    return bool((abs(product - eye(n, dtype=q.dtype, device=q.device)) <= tolerance).all())


def orthogonal(
    module: Module, name: str = "weight", orthogonal_map: str | None = None, *, use_trivialization: bool = True
) -> Module:
    """Keep a matrix orthogonal, or its columns or rows orthonormal where it is not square.

    Args:
        module: with the parameter, changed in place.
        name: of the parameter, of shape ``(..., M, N)``.
        orthogonal_map: ``"matrix_exp"``, ``"cayley"`` or ``"householder"``; None for the first one for square matrices,
            the last one for others.
        use_trivialization: the map is times an orthogonal matrix next to the first value, the buffer ``base``.

    Returns:
        The module. ``original`` is any matrix.

    Raises:
        ValueError: the parameter has fewer than two axes, or there is no such map.
        NotImplementedError: ``use_trivialization=False``.

    Source: Lezcano-Casado 2019, "Trivializations for gradient-based optimization on manifolds";
    ``torch.nn.utils.parametrizations.orthogonal``.

    >>> import gpugrad as gg
    >>> w = orthogonal(gg.nn.Linear(3, 3)).weight
    >>> gg.allclose(w @ w.T, gg.eye(3), atol=1e-5)
    True
    """
    weight = module.get_parameter(name)
    if weight.ndim < 2:
        raise ValueError(f"orthogonal: expected a parameter of at least two axes, got shape {weight.shape}")
    kind = orthogonal_map or ("matrix_exp" if weight.shape[-2] == weight.shape[-1] else "householder")
    if kind not in ("matrix_exp", "cayley", "householder"):
        raise ValueError(f"orthogonal: expected 'matrix_exp', 'cayley' or 'householder', got {orthogonal_map!r}")
    if not use_trivialization:
        raise NotImplementedError("orthogonal: use_trivialization=False is not there: leave it out")
    return register_parametrization(module, name, _Orthogonal(kind))
