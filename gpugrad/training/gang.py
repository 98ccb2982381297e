"""The processes that a :class:`Trainer` trains with: what they do together, and what one does for all.

Rank 0 writes checkpoints, log and report, and says when a checkpoint is due. All make the same steps: before each batch
they agree whether the run is to end, so that a signal to one of them ends all behind the same step.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from copy import deepcopy
from typing import TYPE_CHECKING, Any

import numpy

from ..core import Tensor
from ..nn import Module
from ..nn.normalization import _BatchNorm
from ..random import default_generator
from .metrics import Metric
from .preemption import Interrupted, Preemption

if TYPE_CHECKING:
    from ..distributed import World

REASONS = ("", "SIGTERM", "SIGINT", "SIGHUP", "preempted")
"""Why a run is to end, by number, the weightiest last."""


class Gang:
    """All processes of a run, one of them this.

    Args:
        model: the same on all ranks; its gradients become the mean over them.

    Raises:
        ValueError: the model has batch normalization that each rank would do for itself.
    """

    def __init__(self, model: Module) -> None:
        from ..distributed import SyncBatchNorm, init
        from ..distributed.gradients import Gradients

        self.world: World = init()
        for name, part in model.named_modules():
            if isinstance(part, _BatchNorm) and not isinstance(part, SyncBatchNorm) and self.world.size > 1:
                raise ValueError(
                    f"Trainer: {name} normalizes the batches of each rank by itself: use "
                    "distributed.SyncBatchNorm.convert_sync_batchnorm(model) before the optimizer is made"
                )
        self.gradients = Gradients(model, self.world)
        self.channel = self.world.new_channel()

    @property
    def leads(self) -> bool:
        """Whether this rank writes for all."""
        return self.world.rank == 0

    def meet(self, where: str) -> None:
        """See that all ranks are at the same place.

        Raises:
            MismatchError: they are not.
        """
        self.channel.meet(where)

    def batches(self, source: Any, going: Preemption | None) -> Iterator[Any]:
        """Batches, as long as no rank is to end.

        Raises:
            Interrupted: one is.
        """
        batches: Iterable[Any] = source.batches if hasattr(source, "batches") else source
        if hasattr(batches, "world") and batches.world is None:
            batches.world = self.world
        elif not hasattr(batches, "world"):
            raise TypeError(
                "Trainer: distributed=True takes a DataLoader, which gives each rank its part of a batch, got "
                f"{type(batches).__name__}"
            )
        for batch in source:
            reason = REASONS.index(going.reason or "") if going is not None else 0
            reason = int(self.channel.reduce(numpy.array([reason]), "max", "the look for signals")[0])
            if reason:
                raise Interrupted(REASONS[reason])
            yield batch

    def decided(self, *flags: bool) -> list[bool]:
        """What rank 0 has decided."""
        return [bool(flag) for flag in self.channel.broadcast(numpy.array(flags), 0, "a decision of rank 0")]

    def unit(self, count: float) -> float:
        """The count of the first batch of rank 0: what all counts are measured by."""
        return float(self.channel.broadcast(numpy.array([count]), 0, "the size of a batch")[0]) or 1.0

    def total(self, value: Any) -> float:
        """The sum of a number over all ranks."""
        return float(self.channel.reduce(numpy.array([float(value)]))[0])

    def merged(self, metric: Metric) -> Metric:
        """A copy of a metric, over the examples of all ranks."""
        merged = deepcopy(metric)
        state = {
            name: self.channel.reduce(value.numpy(), call=f"{type(metric).__name__}.{name}")
            for name, value in metric.state_dict().items()
        }
        merged.load_state_dict({name: Tensor(numpy.asarray(value)) for name, value in state.items()})
        return merged

    def states(self, own: tuple[int, int]) -> list[list[int]]:
        """The random numbers of all ranks."""
        return [json.loads(text) for text in self.channel.texts(json.dumps(list(own)), "the random numbers")]

    def draw(self, states: Sequence[Sequence[int]] | None) -> None:
        """Draw other random numbers than the other ranks: those behind a state that was saved with as many ranks."""
        if states is not None and len(states) == self.world.size:
            seed, counter = states[self.world.rank]
            default_generator.state = (seed, counter)
        elif not self.leads:
            default_generator.state = default_generator.fork(self.world.rank).state
