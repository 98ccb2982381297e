"""All parameters as one vector, and back: for optimizers and tests that think in vectors."""

from __future__ import annotations

from collections.abc import Iterable

from ... import backend
from ...core import Tensor, check_unconnected
from ...ops.shaping import concat, reshape


def parameters_to_vector(parameters: Iterable[Tensor]) -> Tensor:
    """The elements of all parameters one after the other, shape ``(n,)``; recorded like any operation.

    Args:
        parameters: on one device.

    Raises:
        ValueError: there are none.

    Source: ``torch.nn.utils.parameters_to_vector``.

    >>> import gpugrad as gg
    >>> gg.nn.utils.parameters_to_vector([gg.ones((2, 1)), gg.zeros(3)])
    tensor([1., 1., 0., 0., 0.])
    """
    pieces = [reshape(p, (-1,)) for p in parameters]
    if not pieces:
        raise ValueError("parameters_to_vector: expected at least one parameter, got none")
    return concat(pieces)


def vector_to_parameters(vec: Tensor, parameters: Iterable[Tensor]) -> None:
    """Write the elements of a vector into the memory of the parameters, in their order.

    Args:
        vec: shape ``(n,)``.
        parameters: with n elements in all.

    Raises:
        GradientError: ``vec`` is a result that needs a gradient, or an argument of a transform.
        TypeError: ``vec`` is no Tensor.
        ValueError: it has another number of elements; nothing was written.

    Source: ``torch.nn.utils.vector_to_parameters``.

    >>> import gpugrad as gg
    >>> layer = gg.nn.Linear(1, 2)
    >>> gg.nn.utils.vector_to_parameters(gg.tensor([1.0, 2.0, 3.0, 4.0]), layer.parameters())
    >>> layer.weight.tolist(), layer.bias.tolist()
    ([[1.0], [2.0]], [3.0, 4.0])
    """
    if not isinstance(vec, Tensor):
        raise TypeError(f"vector_to_parameters: expected vec as a Tensor, got {type(vec).__name__}")
    check_unconnected("vector_to_parameters", vec)
    given = list(parameters)
    n = sum(p.size for p in given)
    if vec.shape != (n,):
        raise ValueError(f"vector_to_parameters: expected vec of shape ({n},), got {vec.shape}")
    values, start = vec.detach(), 0
    for p in given:
        piece = reshape(values[start : start + p.size], p.shape).to(device=p.device, dtype=p.dtype)
        backend.overwrite(p.data, piece.data)
        p.mark_changed()
        start += p.size
