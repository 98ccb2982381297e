"""One step of a training: what it computes, and nothing of what the host keeps account of, so that it can be jitted."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

from ..core import Tensor, modes
from ..data.structure import examples_of
from ..nn import Module
from ..nn.functional.reducing import noting
from ..nn.utils import clip_grad_norm_
from ..ops.creation import astype, to
from ..optim import Optimizer
from .averaging import Averaged, Together, averaged, nothing, seed, told, told_by

Batch = Any


@dataclass
class Outcome:
    """What came of a batch.

    Attributes:
        loss: outside of the graph.
        examples: how many there are.
        count: what it was averaged over; None for a sum.
        outputs: of the model, where a metric wants them.
        targets: beside them.
    """

    loss: Tensor
    examples: int
    count: Any
    outputs: Any
    targets: Any


class Step:
    """A function of the batches of one step, which are taken as one.

    Args:
        model: what is trained.
        loss: of its outputs and the targets.
        optimizer: of its parameters.
        scheduler: stepped after the optimizer, or None.
        ema: updated after that, or None.
        clip: the largest norm of the gradients, or None.
        compute: the loss, the outputs and the targets of a batch, by the user; None: as :func:`of_pairs`.
        measured: whether outputs and targets are handed back.
        gang: the processes that take the step together, or None.
    """

    def __init__(
        self, model: Module, loss: Callable[[Any, Any], Tensor], optimizer: Optimizer, scheduler: Any, ema: Any,
        clip: float | None, compute: Callable[[Batch], tuple[Any, ...]] | None, measured: bool, gang: Any = None,
    ) -> None:  # fmt: skip
        self.model, self.loss, self.optimizer, self.scheduler, self.ema = model, loss, optimizer, scheduler, ema
        self.clip, self.compute, self.measured, self.gang = clip, compute, measured, gang

    def __call__(self, group: Sequence[Batch]) -> tuple[list[Outcome], Tensor | None]:
        """Take the step; what came of each batch, and the norm of the gradients before they were clipped."""
        self.optimizer.zero_grad()
        together, outcomes, norm = Together(len(group), self.gang), [], None
        for number, batch in enumerate(group):
            loss, outputs, targets, over = self.computed(batch)
            if self.gang is not None:
                self._back(loss, together.weight(over), last=number == len(group) - 1)
            elif len(group) > 1:
                weight = together.weight(over)
                if not nothing(weight):
                    loss.backward(seed(weight, loss))
            elif not nothing(over.count):
                loss.backward()
            kept = (outputs, targets) if self.measured else (None, None)
            outcomes.append(Outcome(loss.detach(), over.examples, over.count, *kept))
        self._mend(together.factor)
        if self.clip is not None:
            norm = clip_grad_norm_(self.model.parameters(), self.clip)
        self.optimizer.step()
        if self.scheduler is not None:
            self.scheduler.step()
        if self.ema is not None:
            self.ema.update()
        return outcomes, norm

    def _back(self, loss: Tensor, weight: Any, last: bool) -> None:
        """The way back on one of several ranks; gradients are averaged over them behind the last batch of a step."""
        gradients = self.gang.gradients
        if nothing(weight):
            if last:
                gradients.take_part()
            return
        with nullcontext() if last else gradients.off():
            loss.backward(seed(weight, loss))

    def computed(self, batch: Batch) -> tuple[Tensor, Any, Any, Averaged]:
        """The loss of a batch, the outputs, the targets, and what the loss was averaged over."""
        with noting() as notes:
            found = of_pairs(self.model, self.loss, batch) if self.compute is None else self.compute(batch)
        loss, outputs, targets, *more = found
        examples = examples_of(targets, examples_of(batch))
        if more:
            return loss, outputs, targets, told(more[0], examples)
        own = told_by(self.loss) if self.compute is None else None
        if own is not None:
            return loss, outputs, targets, told(own(outputs, targets), examples)
        return loss, outputs, targets, averaged(loss, notes, examples)

    def _mend(self, factor: Any) -> None:
        """Multiply all gradients by a number."""
        if not isinstance(factor, Tensor) and factor == 1.0:
            return
        with modes.no_grad():
            for p in (p for group in self.optimizer.param_groups for p in group["params"] if p.grad is not None):
                by = to(factor, device=p.device) if isinstance(factor, Tensor) else factor
                p.grad = astype(p.grad * by, p.dtype, copy=False)


def of_pairs(model: Module, loss: Callable[[Any, Any], Tensor], batch: Batch) -> tuple[Any, ...]:
    """The loss of a batch ``(*inputs, targets)``, the outputs and the targets.

    Raises:
        TypeError: the batch is not a tuple or a list.
    """
    if not isinstance(batch, tuple | list):
        raise TypeError(
            f"Trainer: expected batches (*inputs, targets), got {type(batch).__name__}: override compute(batch)"
        )
    *inputs, targets = batch
    outputs = model(*inputs)
    return loss(outputs, targets), outputs, targets
