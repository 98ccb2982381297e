"""How good a model is: accuracy, top-k, F1, perplexity, means; added up on the device, fetched once.

``update`` queues work and waits for nothing; ``compute`` is the only transfer. What is added up is a handful of numbers
(``state_dict``), so a metric can be saved in the middle of an epoch. Each equals scikit-learn's of the same name on all
examples at once.

To add one: a subclass of :class:`Metric` with ``update``, which calls ``_add`` with what is to be added up, and
``_value``, which makes a number of the sums.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, ClassVar

import numpy

from .. import backend
from ..backend import dtypes
from ..core import Tensor, modes
from ..nn.functional.loss import cross_entropy
from ..ops.arithmetic import where
from ..ops.comparison import equal, greater
from ..ops.creation import arange, asarray, astype, to, zeros_like
from ..ops.reduction import argmax
from ..ops.reduction import sum as total
from ..ops.selection import take_along_axis
from ..ops.shaping import expand_dims

Sums = dict[str, numpy.ndarray]


class Metric:
    """Base class: named sums on the device, and a number made of them at the end.

    >>> metric = Mean()
    >>> metric.update(2.0)
    >>> metric.update(4.0, count=3)
    >>> metric.compute()
    3.5
    """

    names: ClassVar[tuple[str, ...]] = ()
    """What is added up."""

    def __init__(self) -> None:
        self._sums: dict[str, Tensor] = {}

    def update(self, outputs: Any, targets: Any) -> None:
        """Take in one batch: what the model said, and what is true."""
        raise NotImplementedError

    def compute(self) -> float:
        """The metric over everything since :meth:`reset`; NaN where there was nothing."""
        if not self._sums:
            return math.nan
        with numpy.errstate(divide="ignore", invalid="ignore"):
            return float(self._value({name: value.numpy() for name, value in self._sums.items()}))

    def reset(self) -> None:
        """Forget everything."""
        self._sums = {}

    def state_dict(self) -> dict[str, Any]:
        """What was added up so far."""
        return {name: Tensor(backend.duplicate(value.data)) for name, value in self._sums.items()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from what :meth:`state_dict` gave.

        Raises:
            ValueError: the state is that of another metric.
        """
        if state and set(state) != set(self.names):
            raise ValueError(f"{type(self).__name__}: expected the sums {list(self.names)}, got {sorted(state)}")
        self._sums = {name: asarray(state[name], copy=True) for name in self.names if name in state}

    def _value(self, sums: Sums) -> Any:
        raise NotImplementedError

    def _add(self, *values: Any) -> None:
        for name, value in zip(self.names, values, strict=True):
            before = self._sums.get(name)
            if before is None:
                self._sums[name] = value if isinstance(value, Tensor) else asarray(value)
            else:  # a batch on another device than the last moves the sums there
                if isinstance(value, Tensor) and value.device != before.device:
                    before = before.to(value.device)
                self._sums[name] = before + value


class Mean(Metric):
    """``sum(count * value) / sum(count)``: of a loss, say.

    >>> import gpugrad as gg
    >>> mean = Mean()
    >>> for loss, samples in ((gg.tensor(1.0), 32), (gg.tensor(4.0), 16)):
    ...     mean.update(loss, samples)
    >>> mean.compute()
    2.0
    """

    names = ("weighted", "count")

    def update(self, value: Any, count: Any = 1) -> None:
        """Take in one value, which stands for ``count`` samples, a number or a Tensor; of 0 samples it is nothing."""
        with modes.no_grad():
            wide = astype(_detached(value), dtypes.float64)
            if isinstance(count, Tensor):
                count = to(astype(count.detach(), dtypes.float64), device=wide.device)
                self._add(where(count == 0, 0, wide * count), count)
            else:
                self._add(wide * count if count else zeros_like(wide), float(count))

    def _value(self, sums: Sums) -> Any:
        return sums["weighted"] / sums["count"]


class Accuracy(Metric):
    """The part of all predictions that are right.

    Args:
        threshold: where outputs are one number for each target, those above it mean 1: 0.0 for logits, 0.5 for
            probabilities.
        ignore_index: targets of this value do not count.

    ``update(outputs, targets)`` takes scores ``(N, C)`` or ``(N, C, d1, ...)`` and integer targets ``(N,)`` or
    ``(N, d1, ...)``; or outputs of the targets' shape, which are predictions if they are integers.

    Raises:
        ValueError: shapes that do not belong together.
        IndexError: a target out of range.

    Source: ``sklearn.metrics.accuracy_score``.

    >>> import gpugrad as gg
    >>> accuracy = Accuracy()
    >>> accuracy.update(gg.tensor([[0.1, 0.9], [0.8, 0.2], [0.4, 0.6]]), gg.tensor([1, 0, 0]))
    >>> round(accuracy.compute(), 3)
    0.667
    """

    names = ("right", "count")

    def __init__(self, threshold: float = 0.0, ignore_index: int | None = None) -> None:
        super().__init__()
        self.threshold = threshold
        self.ignore_index = ignore_index

    def update(self, outputs: Any, targets: Any) -> None:
        with modes.no_grad():
            outputs, targets = _detached(outputs), _detached(targets)
            predicted = _predicted(type(self).__name__, outputs, targets, self.threshold, self.ignore_index)
            right = equal(predicted, targets)
            if self.ignore_index is None:
                self._add(total(right), targets.size)
            else:
                counted = targets != self.ignore_index
                self._add(total(right & counted), total(counted))

    def _value(self, sums: Sums) -> Any:
        return sums["right"] / sums["count"]


class TopKAccuracy(Metric):
    """The part of all targets that are among the ``k`` best scored classes.

    Args:
        k: how many.
        ignore_index: targets of this value do not count.

    Of classes that score the same, the last comes first, as in scikit-learn.

    Raises:
        ValueError: ``k`` below 1, or shapes that do not belong together.
        IndexError: a target out of range.

    Source: ``sklearn.metrics.top_k_accuracy_score``.

    >>> import gpugrad as gg
    >>> top2 = TopKAccuracy(k=2)
    >>> top2.update(gg.tensor([[0.1, 0.3, 0.6], [0.7, 0.2, 0.1]]), gg.tensor([1, 2]))
    >>> top2.compute()
    0.5
    """

    names = ("right", "count")

    def __init__(self, k: int = 5, ignore_index: int | None = None) -> None:
        super().__init__()
        if k < 1:
            raise ValueError(f"TopKAccuracy: expected k >= 1, got {k}")
        self.k = k
        self.ignore_index = ignore_index

    def update(self, outputs: Any, targets: Any) -> None:
        with modes.no_grad():
            outputs, targets = _detached(outputs), _detached(targets)
            if outputs.ndim != targets.ndim + 1:
                raise ValueError(f"TopKAccuracy: expected scores (N, C, ...) and targets (N, ...), got shapes "
                                 f"{outputs.shape} and {targets.shape}")  # fmt: skip
            _check("TopKAccuracy", outputs, targets, self.ignore_index)
            # An ignored target may be no class: look at class 0 in its place.
            counted = None if self.ignore_index is None else targets != self.ignore_index
            place = expand_dims(targets if counted is None else targets * counted, axis=1)
            own = take_along_axis(outputs, place, axis=1)
            classes = arange(outputs.shape[1], device=outputs.device).reshape(1, -1, *[1] * (targets.ndim - 1))
            before = greater(outputs, own) | (equal(outputs, own) & (classes > place))
            right = (total(before, axis=1) < self.k) & (own == own)[:, 0]  # NaN is never among the best
            if counted is None:
                self._add(total(right), targets.size)
            else:
                self._add(total(right & counted), total(counted))

    def _value(self, sums: Sums) -> Any:
        return sums["right"] / sums["count"]


class F1(Metric):
    """``2 tp / (2 tp + fp + fn)`` of each class, or of all of them: true positives, false positives, false negatives.

    Args:
        average: "binary": that of class 1; "micro": counts of all classes added up; "macro": the mean over the classes
            that occur; "weighted": the same, weighted by how often each class is the target.
        num_classes: how many classes there are; None takes them from the scores' axis (2 for "binary").
        threshold: as of :class:`Accuracy`.
        ignore_index: targets of this value do not count.

    A class that occurs nowhere does not count, and one that was never right counts 0.

    Raises:
        ValueError: another ``average``, or predictions without ``num_classes``.
        IndexError: a target out of range.

    Source: ``sklearn.metrics.f1_score``.

    >>> import gpugrad as gg
    >>> f1 = F1("macro", num_classes=2)
    >>> f1.update(gg.tensor([1, 1, 0, 0]), gg.tensor([1, 0, 0, 0]))
    >>> round(f1.compute(), 4)
    0.7333
    """

    names = ("tp", "predicted", "present")

    def __init__(
        self, average: str = "macro", num_classes: int | None = None, threshold: float = 0.0,
        ignore_index: int | None = None,
    ) -> None:  # fmt: skip
        super().__init__()
        if average not in ("binary", "micro", "macro", "weighted"):
            raise ValueError(f"F1: expected average 'binary', 'micro', 'macro' or 'weighted', got {average!r}")
        self.average = average
        self.num_classes = 2 if average == "binary" else num_classes
        self.threshold = threshold
        self.ignore_index = ignore_index

    def update(self, outputs: Any, targets: Any) -> None:
        with modes.no_grad():
            outputs, targets = _detached(outputs), _detached(targets)
            scored = outputs.ndim == targets.ndim + 1
            count = outputs.shape[1] if scored else self.num_classes
            if count is None:
                raise ValueError("F1: expected num_classes, since predictions do not tell how many classes there are")
            predicted = _predicted("F1", outputs, targets, self.threshold, self.ignore_index)
            backend.backend_of(targets.data).check_labels(targets.data, count, self.ignore_index, "F1")
            classes = arange(count, device=targets.device)
            is_target = equal(expand_dims(targets, axis=-1), classes)
            is_predicted = equal(expand_dims(predicted, axis=-1), classes)
            if self.ignore_index is not None:
                counted = expand_dims(targets != self.ignore_index, axis=-1)
                is_target, is_predicted = is_target & counted, is_predicted & counted
            axes = tuple(range(targets.ndim))
            self._add(*(total(part, axis=axes) for part in (is_target & is_predicted, is_predicted, is_target)))

    def _value(self, sums: Sums) -> Any:
        tp, of = sums["tp"], sums["predicted"] + sums["present"]
        if self.average == "micro":
            return 2 * tp.sum() / of.sum()
        each = numpy.where(of > 0, 2 * tp / numpy.maximum(of, 1), 0.0)
        if self.average == "binary":
            return each[1]
        weights = (of > 0) if self.average == "macro" else sums["present"]
        return (each * weights).sum() / weights.sum()


class Perplexity(Metric):
    """``exp(mean of -log softmax(scores)[target])``: among how many equally likely tokens the model hesitates.

    Args:
        ignore_index: targets of this value do not count.
        class_axis: 1, or -1 for scores ``(N, T, C)`` of texts.

    ``update(scores, targets)`` takes logits ``(N, C)`` or ``(N, C, d1, ...)``.

    Raises:
        IndexError: a target out of range.

    >>> import gpugrad as gg
    >>> perplexity = Perplexity()
    >>> perplexity.update(gg.zeros((3, 8)), gg.tensor([0, 5, 7]))
    >>> round(perplexity.compute(), 5)
    8.0
    """

    names = ("surprise", "count")

    def __init__(self, ignore_index: int = -100, class_axis: int = 1) -> None:
        super().__init__()
        self.ignore_index = ignore_index
        self.class_axis = class_axis

    def update(self, outputs: Any, targets: Any) -> None:
        with modes.no_grad():
            outputs, targets = _detached(outputs), _detached(targets)
            if self.class_axis == -1:
                outputs, targets = outputs.reshape(-1, outputs.shape[-1]), targets.reshape(-1)
            each = cross_entropy(outputs, targets, ignore_index=self.ignore_index, reduction="none")
            self._add(total(astype(each, dtypes.float64)), total(targets != self.ignore_index))

    def _value(self, sums: Sums) -> Any:
        return numpy.exp(sums["surprise"] / sums["count"])


def _detached(value: Any) -> Tensor:
    return value.detach() if isinstance(value, Tensor) and value.requires_grad else asarray(value)


def _check(name: str, outputs: Tensor, targets: Tensor, ignored: int | None) -> None:
    if outputs.shape[:1] + outputs.shape[2:] != targets.shape:
        raise ValueError(f"{name}: expected scores (N, C, ...) and targets (N, ...), got shapes {outputs.shape} and "
                         f"{targets.shape}")  # fmt: skip
    backend.backend_of(targets.data).check_labels(targets.data, outputs.shape[1], ignored, name)


def _predicted(name: str, outputs: Tensor, targets: Tensor, threshold: float, ignored: int | None) -> Tensor:
    """The predicted class of each target."""
    if outputs.ndim == targets.ndim + 1:
        _check(name, outputs, targets, ignored)
        return argmax(outputs, axis=1)
    if outputs.shape != targets.shape:
        raise ValueError(f"{name}: expected scores (N, C, ...) or predictions of the targets' shape, got shapes "
                         f"{outputs.shape} and {targets.shape}")  # fmt: skip
    if backend.is_floating(outputs.dtype):
        return astype(greater(outputs, threshold), targets.dtype if targets.dtype.kind in "iu" else dtypes.int64)
    return outputs
