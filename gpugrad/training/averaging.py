"""What the loss of a batch was averaged over, so that several batches count as one.

The reductions of :mod:`gpugrad.nn.functional` note what they divide by: the sum of the weights of labels that are not
ignored, the number of elements, the number of rows. A Trainer listens while it computes a loss. So a loss needs nothing
for this, not even one that is a function of the user that calls ``cross_entropy``.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from ..backend import recorder
from ..core import Tensor, modes
from ..nn.functional.reducing import Note
from ..ops.arithmetic import where
from ..ops.creation import astype, full, to

Count = Any
"""What a mean is over: a number, a Tensor without a shape, or None for a sum."""

ADDING = ("add", "subtract", "astype", "positive")
"""Operations after which a sum is still a sum."""

REMEDY = (
    "return what the loss is averaged over as a fourth value of compute (None: it is a sum), or give the loss a method "
    "averaged_over(outputs, targets)"
)


class Averaged:
    """The counts of one batch: of each average in its loss.

    Args:
        counts: at least one.
        examples: in the batch.
        unclear: what is wrong where the counts do not say what the batch weighs; such batches can be logged, weighed by
            their examples, but not be put together to one step.
    """

    def __init__(self, counts: Sequence[Count], examples: int, unclear: str = "") -> None:
        self.counts = [_number(count) for count in counts]
        self.examples = examples
        self.unclear = unclear

    @property
    def count(self) -> Count:
        """What the loss weighs among others in a log; None: it is a sum."""
        first = self.counts[0]
        if self.unclear or any(isinstance(c, Tensor) or c != first for c in self.counts[1:]):
            return self.examples
        return first


def told(count: Count, examples: int) -> Averaged:
    """What the user says. A Tensor is waited for: the gradients of a batch that counts for nothing may be NaN."""
    return Averaged([count.item() if isinstance(count, Tensor) else count], examples)


def told_by(loss: Any) -> Any:
    """The ``averaged_over`` of a loss, looked for through :func:`functools.partial`; None if it has none."""
    while isinstance(loss, partial):
        loss = loss.func
    return getattr(loss, "averaged_over", None)


def averaged(loss: Tensor, notes: Sequence[Note], examples: int) -> Averaged:
    """What a loss was averaged over, by the notes that were taken while it was computed."""
    for value, count in notes:
        if value is loss:
            return Averaged([count], examples)
    if loss.node is not None:  # what has no gradient was not for the loss
        notes = [note for note in notes if note[0].node is not None]
    if not notes:
        return Averaged([examples], examples)
    sums = [value for value, count in notes if count is None]
    if not sums:
        return Averaged([count for _, count in notes], examples)
    if len(sums) == len(notes) and _added(loss, sums):
        return Averaged([None], examples)
    return Averaged([examples], examples, "it contains a sum (reduction='sum') that was changed afterwards")


def _added(loss: Tensor, sums: Sequence[Tensor]) -> bool:
    """Whether all these sums come to the loss by nothing but additions."""
    wanted = {id(value.node) for value in sums}
    rest, seen = [loss.node], set()
    while rest:
        node = rest.pop()
        if node is None or id(node) in seen:
            continue
        seen.add(id(node))
        if id(node) not in wanted and node.plan is not None and node.name in ADDING and node.parents is not None:
            rest += [node.parents] if node.plan.one else list(node.parents)
    return wanted <= seen and loss.node is not None


class Together:
    """Weights with which batches make one step.

    The gradient of all is ``sum(count_i * gradient_i) / sum(count_i)``. Here each batch is weighed by
    ``count_i / count_0 / batches``, which short floats can hold, and ``factor`` mends the rest, once the counts of all
    are known.

    With a gang, the gradients are means over all ranks, each weighed so, and ``factor`` is of all their counts.

    >>> together = Together(2)
    >>> [together.weight(Averaged([count], 1)) for count in (3, 1)], together.factor
    ([0.5, 0.16666666666666666], 1.5)
    """

    def __init__(self, batches: int, gang: Any = None) -> None:
        self.batches = batches
        self.gang = gang
        self._unit: float | None = None
        self._first: Averaged | None = None
        self._total: Any = 0.0

    def weight(self, batch: Averaged) -> Any:
        """The weight of the next batch.

        Raises:
            ValueError: it is not known what the batches weigh.
        """
        first = self._first = self._first or batch
        if batch.unclear:
            raise _unclear(batch.unclear)
        self._check(first, batch)
        count, unit = batch.counts[0], first.counts[0]
        if count is None:
            return 1.0
        with modes.no_grad():
            unit = where(unit == 0, 1, unit) if isinstance(unit, Tensor) else unit or 1.0
            if self.gang is not None:
                unit = self._unit = self._unit or self.gang.unit(float(unit))
            relative = count / unit
            self._total = self._total + relative
            return relative / self.batches

    def _check(self, first: Averaged, batch: Averaged) -> None:
        mine, its = first.counts, batch.counts
        same = len(mine) == len(its) and (mine[0] is None) == (its[0] is None)
        if same and len(mine) > 1:  # looks at the counts, which waits for a GPU
            same = all(float(a) * float(its[0]) == float(b) * float(mine[0]) for a, b in zip(mine, its, strict=True))
        if not same:
            raise _unclear(f"it has averages over {_text(mine)} in one batch and over {_text(its)} in another")

    @property
    def factor(self) -> Any:
        """What the gradients are multiplied by at the end; 1.0 where nothing is to be done."""
        if self._first is None or self._first.counts[0] is None:
            return 1.0 if self.gang is None or self._first is None else float(self.gang.world.size)
        if self.gang is not None:
            total = self.gang.total(self._total)
            return self.batches * self.gang.world.size / total if total else 1.0
        if isinstance(self._total, Tensor):
            with modes.no_grad():
                return self.batches / where(self._total == 0, self.batches, self._total)
        return self.batches / self._total if self._total else 1.0


def nothing(count: Count) -> bool:
    """Whether the host knows that a batch counts for nothing, so that its gradients are not needed."""
    return isinstance(count, int | float) and count == 0


def seed(weight: Any, loss: Tensor) -> Tensor:
    """A weight as the gradient from which the walk back starts."""
    if isinstance(weight, Tensor):
        return to(astype(weight, loss.dtype), device=loss.device).reshape(loss.shape)
    return full(loss.shape, weight, dtype=loss.dtype, device=loss.device)  # not by way of the default dtype


def _number(count: Count) -> Count:
    """A count as a number where the host has it; 0 for the NaN of a mean of nothing."""
    if count is None:
        return None
    if not isinstance(count, Tensor):
        return float(count)
    count = count.detach()
    if count.device.is_host and recorder() is None:
        value = float(count)
        return value if value == value else 0.0
    return astype(where(count == count, count, 0), "float32")


def _unclear(why: str) -> ValueError:
    return ValueError(
        f"Trainer: it is not clear what the loss of a batch weighs among those of a step: {why}; {REMEDY}"
    )


def _text(counts: Sequence[Count]) -> str:
    return " and ".join("a sum" if count is None else f"{float(count):g}" for count in counts)
