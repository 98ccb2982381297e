"""What layers compute."""

from __future__ import annotations

from math import prod
from typing import Any

from ... import backend
from ...backend import NAMESPACES, logger
from ...core import Operation, Tensor
from ...core.modes import autocasting, careful
from ...ops import softmax as ops
from ...ops.creation import asarray, astype
from ...ops.inplace import take
from ...ops.linear import einsum
from ...ops.shaping import reshape
from ...ops.wide import computed_wide, full_in_autocast, lower_in_autocast


def written(input: Tensor, result: Tensor) -> Tensor:
    """The input, with a result as its new value, as after ``x += v``: what ``inplace=True`` does. It saves no memory.

    Raises:
        GradientError: the input is a leaf that needs a gradient, while recording.

    >>> import gpugrad as gg
    >>> x = gg.tensor([-1.0, 2.0])
    >>> gg.nn.functional.relu(x, inplace=True) is x, x
    (True, tensor([0., 2.]))
    """
    take(input, result)
    return input


_told: list[str] = []


def tell_widened(input: Tensor, weight: Tensor) -> None:
    """Say once that data makes a network compute in float64 whose parameters are not: twice the memory and time."""
    wide, narrow = input.dtype, weight.dtype
    if _told or narrow.name not in ("float16", "bfloat16", "float32") or wide.itemsize < 8 or wide.kind not in "iuf":
        return
    _told.append("float64")
    logger.warning(
        "data in %s and parameters in %s: everything from here on is computed in float64; use x = x.astype(%r) (said "
        "once)", wide, narrow, narrow.name,
    )  # fmt: skip


@lower_in_autocast
def linear(input: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """``input weight^T + bias``.

    Args:
        input: shape ``(..., in)``.
        weight: shape ``(out, in)``.
        bias: shape ``(out,)``.

    Returns:
        Shape ``(..., out)``.

    Raises:
        ValueError: the sizes do not fit.

    Source: ``torch.nn.functional.linear``.

    >>> import gpugrad as gg
    >>> from gpugrad import nn
    >>> nn.functional.linear(gg.tensor([1.0, 2.0]), gg.tensor([[3.0, 4.0]]), gg.tensor([0.5]))
    tensor([11.5])
    """
    if not input.shape or input.shape[-1] != weight.shape[-1]:
        raise ValueError(f"linear: expected an input of shape (..., {weight.shape[-1]}), got {input.shape}")
    if input.data.dtype is not weight.data.dtype:
        tell_widened(input, weight)
    y = input @ weight.T
    if careful.on and bias is not None and autocasting() is not None and y.dtype != bias.dtype:
        bias = astype(bias, y.dtype)
    return y if bias is None else y + bias


@computed_wide
def bilinear(input1: Tensor, input2: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """``y_k = x1^T A_k x2 + b_k``.

    Args:
        input1: x1, shape ``(..., I)``.
        input2: x2, shape ``(..., J)``, with the same axes before.
        weight: A, shape ``(K, I, J)``.
        bias: b, shape ``(K,)``.

    Returns:
        Shape ``(..., K)``.

    Raises:
        ValueError: the shapes do not fit.

    Source: ``torch.nn.functional.bilinear``.

    >>> import gpugrad as gg
    >>> from gpugrad import nn
    >>> nn.functional.bilinear(gg.tensor([[1.0, 2.0]]), gg.tensor([[3.0]]), gg.tensor([[[1.0], [1.0]]]))
    tensor([[9.]])
    """
    before = input1.shape[:-1]
    sizes = (*input1.shape[-1:], *input2.shape[-1:])
    if weight.ndim != 3 or weight.shape[1:] != sizes or input2.shape[:-1] != before:
        raise ValueError(
            f"bilinear: expected shapes (..., I), (..., J) and (K, I, J), got {input1.shape}, {input2.shape} and "
            f"{weight.shape}"
        )
    x1, x2 = (reshape(x, (prod(before), n)) for x, n in zip((input1, input2), sizes, strict=True))
    y: Tensor = reshape(einsum("ni,kij,nj->nk", x1, weight, x2), (*before, weight.shape[0]))
    return y if bias is None else y + bias


def _along_axis(operation: Any, input: Tensor, dim: int | None, dtype: Any) -> Tensor:
    """An operation along one axis: for None that which PyTorch takes. A number counts as a vector of one element."""
    return _along(input if dtype is None else astype(input, dtype), operation, dim)


@full_in_autocast
def _along(x: Tensor, operation: Operation[Any], dim: int | None) -> Tensor:
    if dim is None:
        dim = 0 if x.ndim in (0, 1, 3) else 1
    if x.ndim:
        return operation(x, axis=dim)
    if dim not in (0, -1):
        raise ValueError(f"{operation.op.name}: expected dim 0 or -1 for an input without axes, got {dim}")
    return reshape(operation(reshape(x, (1,)), axis=0), ())


def softmax(input: Tensor, dim: int | None = -1, dtype: Any = None) -> Tensor:
    """``exp(x) / sum(exp(x))`` along the axis ``dim``, for logits of any size; see :func:`gpugrad.ops.softmax.softmax`.

    Args:
        input: shape ``(...)``.
        dim: the axis; None for 0 where there are none, one or three, and for 1 otherwise, as in PyTorch.
        dtype: convert to it first.

    Raises:
        ValueError: there is no such axis.

    >>> import gpugrad as gg
    >>> from gpugrad import nn
    >>> nn.functional.softmax(gg.tensor([1.0, 1.0, 1.0, 1.0]))
    tensor([0.25, 0.25, 0.25, 0.25])
    """
    return _along_axis(ops.softmax, input, dim, dtype)


def log_softmax(input: Tensor, dim: int | None = -1, dtype: Any = None) -> Tensor:
    """``x - log(sum(exp(x)))`` along the axis ``dim``; arguments and errors as for :func:`softmax`.

    >>> import gpugrad as gg
    >>> from gpugrad import nn
    >>> nn.functional.log_softmax(gg.tensor([1.0, 1.0]))
    tensor([-0.6931472, -0.6931472])
    """
    return _along_axis(ops.log_softmax, input, dim, dtype)


def one_hot(tensor: Any, num_classes: int = -1) -> Tensor:
    """For each label a vector with 1 in its place and 0 elsewhere, as integers.

    Args:
        tensor: integer labels of shape ``(...)``.
        num_classes: C; -1 for the largest label plus 1.

    Returns:
        Shape ``(..., C)``, ``int64``.

    Raises:
        IndexError: a label is outside [0, C).
        TypeError: the labels are no integers.
        ValueError: C is not positive, or left open with no labels.

    Source: ``torch.nn.functional.one_hot``.

    >>> import gpugrad as gg
    >>> from gpugrad import nn
    >>> nn.functional.one_hot(gg.tensor([0, 2]))
    tensor([[1, 0, 0],
            [0, 0, 1]])
    """
    labels = asarray(tensor).data
    if labels.dtype.kind not in "iu":
        raise TypeError(f"one_hot: expected integer labels, got {labels.dtype}")
    xp = NAMESPACES[type(labels)]
    if num_classes == -1 and labels.size:
        num_classes = max(int(labels.max()), 0) + 1
    if num_classes < 1:
        raise ValueError(f"one_hot: expected a positive number of classes, got {num_classes} for {labels.size} labels")
    try:
        ops.checked_labels(xp, labels, num_classes, name="one_hot")
    except IndexError as error:
        raise IndexError(f"one_hot: {error}") from None
    with backend.beside(labels):
        return Tensor(xp.astype(xp.expand_dims(labels, axis=-1) == xp.arange(num_classes), xp.int64))
