"""Softmax and its relatives: log-sum-exp, log-softmax, and cross-entropy as one operation with its own gradient.

Every exponential is taken of ``x - m`` with ``m`` the largest element, so nothing overflows, however large the
logits. Elements of ``-inf`` have probability 0. Where there is no finite largest element (``+inf`` in a row, or
nothing but ``-inf``) the result is NaN, as PyTorch has it, and no floating-point warning is given.

Source: CS231n, linear classification notes, "Practical issues: numeric stability"; Blanchard, Higham and Higham 2021.
"""

from __future__ import annotations

from math import inf

from .. import backend
from ..backend import NAMESPACES, Array, Namespace
from ..core import Tensor, primitive
from ..kernels import labels as of_labels
from ..kernels import softmax as kernels
from ..kernels.kernel import named, seen_whole
from ..kernels.labels import along as _along
from ..kernels.labels import class_axis, class_index, without_ignored
from ..kernels.shapes import Axis, kept
from ..kernels.softmax import shift_of, top, total_of
from .indexing import _scatter_add


@primitive(batch="all_axes", cast="float32")
def softmax(xp: Namespace, x: Array, /, axis: Axis = -1) -> Array:
    """``exp(x) / sum(exp(x))`` over ``axis``; the gradient is ``y (g - sum(g y))``.

    Shape and dtype are those of ``x``. Source: Bridle 1990; ``jax.nn.softmax``.

    >>> import gpugrad as gg
    >>> from gpugrad.ops.softmax import softmax
    >>> softmax(gg.tensor([0.0, 10000.0, 10000.0]))
    tensor([0. , 0.5, 0.5])
    """
    return kernels.softmax_forward(xp, x, axis)


softmax.vjp(x=lambda xp, g, y, axis: kernels.softmax_backward(xp, g, y, axis))


@primitive(batch="all_axes", cast="float32")
def log_softmax(xp: Namespace, x: Array, /, axis: Axis = -1) -> Array:
    """``x - log(sum(exp(x)))`` over ``axis``, the logarithm of :func:`softmax`; the gradient is ``g - e^y sum(g)``.

    Shape and dtype are those of ``x``. Source: ``jax.nn.log_softmax``.

    >>> import gpugrad as gg
    >>> from gpugrad.ops.softmax import log_softmax
    >>> log_softmax(gg.tensor([0.0, 10000.0, 10000.0]))
    tensor([-1.0000693e+04, -6.9314718e-01, -6.9314718e-01])
    """
    return kernels.log_softmax_forward(xp, x, axis)


log_softmax.vjp(x=lambda xp, g, y, axis: kernels.log_softmax_backward(xp, g, y, axis))


@primitive(batch="reduction", wide=True, cast="float32")
def logsumexp(xp: Namespace, x: Array, /, axis: Axis = None, keepdims: bool = False) -> Array:
    """``log(sum(exp(x)))`` over ``axis`` (None: all), a smooth maximum; the gradient is ``g softmax(x)``.

    It is ``+inf`` where an element is, ``-inf`` where all are and for no elements. Source: ``scipy.special.logsumexp``.

    >>> import gpugrad as gg
    >>> from gpugrad.ops.softmax import logsumexp
    >>> logsumexp(gg.tensor([10000.0, 10000.0]))
    tensor(10000.693)
    """
    largest = top(xp, x, axis)
    shift = shift_of(xp, largest)
    y = shift + xp.log(total_of(xp, xp.exp(x - shift), axis))
    y = xp.where(xp.isfinite(largest), y, largest)
    return y if keepdims else xp.squeeze(y, axis=axis)


logsumexp.vjp(
    x=lambda xp, g, x, x_shape, axis: xp.reshape(g, kept(x_shape, axis)) * softmax.on(xp, x, axis=axis)
)  # not exp(x - y): where y is large it is rounded, by far more than the softmax


# -------------------------------------------------------------------- class labels


def checked_labels(
    xp: Namespace, labels: Array, classes: int, ignore_index: int | None = None, name: str = "class labels"
) -> Array:
    """``labels`` as they are, each to be checked: it must be in [0, classes), or ``ignore_index``.

    On the CPU that happens now. A GPU looks at them when it comes to it; what it finds raises when the host next waits
    for a value. A namespace that only writes calls down sees the function whole.

    Raises:
        IndexError: a label is out of range; on a GPU it names the operation ``name``.
    """
    whole = seen_whole(xp)
    if whole is not None:
        return whole(checked_labels, (labels, classes, ignore_index, name))
    labels = xp.asarray(labels)
    backend.backend_of(labels).check_labels(labels, classes, ignore_index, name)
    return labels


named(checked_labels.__name__, checked_labels)


@primitive(batch="classified", cast="float32")
def of_label(xp: Namespace, x: Array, labels: Array, /, ignore_index: int = -100) -> Array:
    """``-x_t`` of each row of x with label t; exactly 0 for labels to be ignored. Labels are checked before.

    >>> import gpugrad as gg
    >>> from gpugrad.ops.softmax import of_label
    >>> of_label(gg.tensor([[1.0, 2.0], [3.0, 4.0]]), gg.tensor([1, -100]))
    tensor([-2.,  0.])
    """
    return of_labels.picked(xp, x, labels, ignore_index)


def _at_label(xp: Namespace, g: Array, labels: Array, x_shape: tuple[int, ...], ignore_index: int) -> Array:
    """The transpose of ``of_label``."""
    raw = labels.data if isinstance(labels, Tensor) else labels
    library = NAMESPACES[type(raw)]
    label, valid = without_ignored(library, raw, ignore_index)
    index = class_index(library, label, x_shape, class_axis(x_shape))
    return _scatter_add.on(xp, xp.where(valid, -g, 0), index=index, shape=x_shape)


of_label.vjp(x=_at_label)


# -------------------------------------------------------------------- cross-entropy


def _cross_entropy_reference(
    xp: Namespace, logits: Array, labels: Array, weight: Array | None = None, /, ignore_index: int = -100,
    label_smoothing: float = 0.0,
) -> Array:  # fmt: skip
    axis = class_axis(logits.shape)
    raw = labels.data if isinstance(labels, Tensor) else labels
    library = NAMESPACES[type(raw)]
    label, valid = without_ignored(library, raw, ignore_index)
    logp = log_softmax.on(xp, logits, axis=axis)
    loss = -logp[class_index(library, label, logits.shape, axis)]
    if weight is not None:
        loss = loss * weight[label]
    if label_smoothing:
        if weight is None:
            rest = -xp.mean(logp, axis=axis)
        else:
            w = _along(xp, weight, logits.shape, axis)
            rest = -xp.sum(xp.where(w == 0, 0, logp) * w, axis=axis) / logits.shape[axis]
        loss = (1 - label_smoothing) * loss + label_smoothing * rest
    return xp.where(valid, loss, 0)


@primitive(batch="classified", residuals=("shift", "total"), reference=_cross_entropy_reference, cast="float32")
def cross_entropy(
    xp: Namespace, logits: Array, labels: Array, weight: Array | None = None, /, ignore_index: int = -100,
    label_smoothing: float = 0.0,
) -> tuple[Array, ...]:  # fmt: skip
    """``lse - x_t`` for each row of logits x with label t, where ``lse = log(sum(exp(x)))``: no probability is stored.

    The gradient is ``g (softmax(x) - onehot(t))``. With smoothing e, the target is ``(1 - e) onehot(t) + e / C``; a
    weight multiplies its class's part of the target. The graph keeps the logits, the labels and, for each row, the
    log-sum-exp in its two parts (largest logit, sum of exponentials): added up, they would be rounded, and with large
    logits the gradient with them.

    Inputs:
        logits: shape ``(N, C)``, ``(N, C, d1, ...)`` or ``(C,)``.
        labels: integers of shape ``(N,)``, ``(N, d1, ...)`` or ``()``.
        weight: shape ``(C,)``; a constant.
        ignore_index: rows with this label have loss and gradient exactly 0.
        label_smoothing: e, in [0, 1].

    Returns:
        The loss of each row, in the shape of the labels.

    Raises:
        IndexError: a label is out of range.

    Source: CS231n, linear classification notes, softmax classifier; Szegedy et al. 2016 for the smoothing; names and
    weights as in ``torch.nn.functional.cross_entropy``.

    >>> import gpugrad as gg
    >>> from gpugrad.ops.softmax import cross_entropy
    >>> cross_entropy(gg.tensor([[0.0, 0.0], [0.0, 10000.0]]), gg.tensor([1, 0]))
    tensor([6.931472e-01, 1.000000e+04])
    """
    checked_labels(xp, labels, logits.shape[class_axis(logits.shape)], ignore_index, "cross_entropy")
    loss, shift, total = of_labels.surprise(xp, logits, labels, weight, ignore_index, label_smoothing)
    return loss, shift, total


def _cross_entropy_logits(
    xp: Namespace, g: Array, logits: Array, labels: Array, weight: Array | None, shift: Array, total: Array,
    ignore_index: int, label_smoothing: float,
) -> Array:  # fmt: skip
    return of_labels.surprise_back(xp, g, logits, labels, weight, shift, total, ignore_index, label_smoothing)


cross_entropy.vjp(logits=_cross_entropy_logits)


def _possible(xp: Namespace, z: Array, target: Array) -> Array:
    """``z`` with 0 where it is ``-inf`` and the target 0: what cannot be and is not costs nothing."""
    return xp.where((z == -inf) & (target == 0), 0, z)


def _soft_cross_entropy_reference(xp: Namespace, logits: Array, target: Array, /) -> Array:
    axis = class_axis(logits.shape)
    logp = log_softmax.on(xp, logits, axis=axis)
    return -xp.sum(_possible(xp, logp, target) * target, axis=axis)


@primitive(
    batch="classified", residuals=("shift", "total"), reference=_soft_cross_entropy_reference, wide=True, cast="float32"
)
def soft_cross_entropy(xp: Namespace, logits: Array, target: Array, /) -> tuple[Array, ...]:
    """``sum_c t_c (lse - x_c)`` for each row of logits x with target t; see :func:`cross_entropy`.

    The gradients are ``g (sum(t) softmax(x) - t)`` and ``g (lse - x)``.

    Inputs:
        logits: shape ``(N, C)``, ``(N, C, d1, ...)`` or ``(C,)``.
        target: of the same shape: probabilities, or any weights of the classes.

    Returns:
        The loss of each row. A class with logit ``-inf`` and target 0 adds nothing (in PyTorch: NaN).

    >>> import gpugrad as gg
    >>> from gpugrad.ops.softmax import soft_cross_entropy
    >>> soft_cross_entropy(gg.tensor([[0.0, 0.0]]), gg.tensor([[0.5, 0.5]]))
    tensor([0.6931472])
    """
    axis = class_axis(logits.shape)
    shift = shift_of(xp, top(xp, logits, axis))
    z = logits - shift
    total = total_of(xp, xp.exp(z), axis)
    log_total = xp.squeeze(xp.log(total), axis=axis)
    loss = log_total * xp.sum(target, axis=axis) - xp.sum(_possible(xp, z, target) * target, axis=axis)
    return loss, shift, total


def _soft_logits(xp: Namespace, g: Array, logits: Array, target: Array, shift: Array, total: Array) -> Array:
    axis = class_axis(logits.shape)
    g = xp.expand_dims(g, axis=axis)
    mass = xp.sum(target, axis=axis, keepdims=True)
    return xp.exp(logits - shift) * (g * mass / total) - g * target


def _soft_target(xp: Namespace, g: Array, logits: Array, target: Array, shift: Array, total: Array) -> Array:
    axis = class_axis(logits.shape)
    logp = (logits - shift) - xp.log(total)
    return -xp.expand_dims(g, axis=axis) * _possible(xp, logp, target)


soft_cross_entropy.vjp(logits=_soft_logits, target=_soft_target)
