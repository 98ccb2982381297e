"""The training loop: small enough to read, and safe to be stopped at any moment."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, nullcontext
from copy import deepcopy
from itertools import islice
from math import nan
from os import PathLike
from typing import Any

from ..core import Tensor, modes
from ..nn import Module
from ..nn.preserving import mode
from ..optim import Optimizer
from .callbacks import Callback
from .checkpoints.reading import CheckpointError
from .data_position import TrackedData
from .metrics import Mean, Metric
from .options import Options
from .preemption import Interrupted
from .program import Description, described
from .run import EVALUATE, TRAIN, Run
from .steps import Outcome, Step, of_pairs

Batch = Any


class Trainer(Run):
    """Fit a model to data; go on exactly where an earlier process was stopped.

    Args:
        model: any module.
        loss: ``loss(outputs, targets)``; a batch is ``(*inputs, targets)``. For anything else a subclass overrides
            :meth:`compute`. What a loss of :mod:`gpugrad.nn` was averaged over is known, also inside a function of your
            own. Other losses count as means over the examples, unless they have a method (or a function has an
            attribute) ``averaged_over(outputs, targets)`` that says otherwise.
        optimizer: of the model's parameters.
        folder: where checkpoints, log and report go: a path, or a URL such as ``gs://bucket/run``. None: nothing is
            written.
        scheduler: of the learning rate, see ``schedule``.
        schedule: when the scheduler is stepped: after each "step" or each "epoch". One that wants a metric is stepped
            after each epoch with that of ``monitor``.
        ema: averaged weights, updated after each step and used for evaluation.
        accumulate: how many batches make one step, as if they were one: each weighs what its loss was averaged over.
        clip_grad_norm: the largest norm of all gradients together.
        metrics: by name, such as ``{"accuracy": Accuracy()}``; over each epoch of training and each evaluation.
        callbacks: see :class:`Callback`; :class:`EarlyStopping` is one.
        save_every: the most steps that can be lost; None: by time alone. A save begins when nine tenths of them have
            been made, and when all have, the loop waits for it.
        save_seconds: the most seconds that can be lost, in the same way; None: by steps alone.
        keep_last: how many checkpoints are kept.
        keep_best: save after each epoch too, and keep the checkpoint with the best ``monitor``.
        monitor: the name of a metric; None: "validation/loss", or "loss" without validation data.
        mode: whether the smallest ("min") or the largest ("max") value of ``monitor`` is best.
        resume: whether to go on from the newest checkpoint in ``folder`` that is whole; False starts a new run.
        settings: what the run is made with, for the report; going on with others is an error.
        log_every: the log has a row for so many steps, with their mean loss.
        price_per_hour: of the machine; the progress then tells the money spent.
        progress: whether to show it.
        grace: the seconds from a notice that the machine goes away to the end of the process, see :class:`Preemption`.
        metadata: the address that tells of preemption, see :class:`Preemption`.
        takeover: take the folder from a process that still trains there.
        jit: record each kind of step once and replay it, see :func:`gpugrad.jit`.
        distributed: train with all processes that were started together (:func:`gpugrad.distributed.init`); data come
            from a DataLoader, whose ``batch_size`` is that of all together. Rank 0 writes and shows everything.

    Attributes:
        step: how many steps were made, ``epoch`` how many epochs.
        results: the metrics of the last epoch, those of the validation data as "validation/loss" and so on.
        checkpointer: None without a folder.

    A checkpoint is the state between two steps. SIGTERM, SIGINT and the cloud's notice end the run there: the step
    under way is completed, a wait for data or an evaluation is broken off (and done again later), everything is saved,
    and :class:`Interrupted` is raised, which ends the process with status 75, or 130 after Ctrl-C.

    >>> import gpugrad as gg
    >>> gg.random.seed(0)
    >>> x = gg.linspace(-1, 1, 64).reshape(64, 1)
    >>> model = gg.nn.Linear(1, 1)
    >>> trainer = Trainer(model, gg.nn.MSELoss(), gg.optim.SGD(model.parameters(), lr=0.3), progress=False)
    >>> results = trainer.fit([(x, 3 * x + 1)], epochs=200)
    >>> [round(p.item(), 4) for p in model.parameters()], trainer.step
    ([3.0, 1.0], 200)
    """

    def __init__(
        self, model: Module, loss: Callable[[Any, Any], Tensor], optimizer: Optimizer, *,
        folder: str | PathLike[str] | None = None, scheduler: Any = None, schedule: str = "step", ema: Any = None,
        accumulate: int = 1, clip_grad_norm: float | None = None, metrics: Mapping[str, Metric] | None = None,
        callbacks: Sequence[Callback] = (), save_every: int | None = None, save_seconds: float | None = 300.0,
        keep_last: int = 3, keep_best: bool = False, monitor: str | None = None, mode: str = "min", resume: bool = True,
        settings: Mapping[str, Any] | None = None, log_every: int = 10, price_per_hour: float | None = None,
        progress: bool = True, grace: float = 20.0, metadata: str | bool | None = None, takeover: bool = False,
        jit: bool = False, distributed: bool = False,
    ) -> None:  # fmt: skip
        options = Options(
            folder=folder, schedule=schedule, accumulate=accumulate, clip_grad_norm=clip_grad_norm,
            metrics=dict(metrics or {}), callbacks=list(callbacks), save_every=save_every, save_seconds=save_seconds,
            keep_last=keep_last, keep_best=keep_best, mode=mode, resume=resume, settings=dict(settings or {}),
            log_every=log_every, price_per_hour=price_per_hour, progress=progress, grace=grace, metadata=metadata,
            takeover=takeover, jit=jit, distributed=distributed,
        )  # fmt: skip
        if distributed:
            from .gang import Gang  # and MPI, which training on one process does without

            self.gang = Gang(model)
        parts = {"model": model, "optimizer": optimizer, "scheduler": scheduler, "ema": ema}
        super().__init__({name: part for name, part in parts.items() if part is not None}, options)
        self.model, self.loss, self.optimizer = model, loss, optimizer
        self.scheduler, self.ema = scheduler, ema
        self.monitor = monitor
        self.stopped = False
        self._most: int | None = None
        self._epochs = 0
        self._wants_metric = scheduler is not None and "metrics" in inspect.signature(scheduler.step).parameters
        self._take: Callable[[Sequence[Batch]], tuple[list[Outcome], Tensor | None]] = self._whole_step()

    # ---------------------------------------------------------------- what users call

    def fit(
        self, train: Iterable[Batch], validation: Iterable[Batch] | None = None, epochs: int = 1,
        steps: int | None = None,
    ) -> dict[str, float]:  # fmt: skip
        """Train until ``epochs`` epochs are done, those of earlier processes included.

        Args:
            train: a :class:`gpugrad.data.DataLoader`, or anything that gives the same batches each time.
            validation: evaluated after each epoch.
            epochs: in all.
            steps: the most steps in all; an epoch that they break off is not evaluated.

        Returns:
            the metrics of the last epoch.

        Raises:
            Interrupted: a signal or the cloud has asked to end; everything is saved. It is a ``SystemExit``.
            FloatingPointError: the loss is not finite; nothing was saved since.
            OwnedError: another process trains in this folder; the message names it.
            CheckpointError: a checkpoint cannot be written, or all that are there are damaged, or of another run.
            ValueError: an epoch without batches.
        """
        self._sources = {TRAIN: TrackedData(train)} | (
            {} if validation is None else {"validation": TrackedData(validation)}
        )
        if self.monitor is None:
            self.monitor = "loss" if validation is None else "validation/loss"
        if self.checkpointer is not None and self.options.keep_best:
            self.checkpointer.keep_best = self.monitor
        self.stopped, self._most, self._epochs = False, steps, epochs
        self._take = self._whole_step()
        if self.options.jit:
            from ..jit import Jitted  # which training without it does not need

            self._take = Jitted(self._take)
        with ExitStack() as stack:
            self._open(stack, self.model, self._total(epochs))
            if self.epoch >= epochs or self._over():
                self._say(f"complete: {self.epoch} of {epochs} epochs, {self.step} steps are done; nothing to train")
            try:
                for callback in self.options.callbacks:
                    callback.on_start(self)
                while self.epoch < epochs and not self._over():
                    self._one_epoch()
                self._finish()
                for callback in self.options.callbacks:
                    callback.on_end(self)
            except Interrupted as interrupted:
                self._leave(interrupted)
                raise
            except CheckpointError:
                raise
            except Exception as error:
                self._fail(error)
                raise
        return self.results

    @modes.no_grad()
    def evaluate(self, batches: Iterable[Batch]) -> dict[str, float]:
        """The loss and the metrics of all batches as of one, with the averaged weights where there are some.

        The model is in evaluation mode meanwhile. Afterwards, also after an error or an interruption, each of its
        modules is in the mode that it had.
        """
        mean, metrics, sums = Mean(), deepcopy(self.options.metrics), 0
        for metric in metrics.values():
            metric.reset()
        with mode(self.model, training=False), nullcontext() if self.ema is None else self.ema.swapped():
            computed = self._whole_step().computed
            for batch in self._waited(batches):
                loss, outputs, targets, over = computed(batch)
                sums += over.count is None
                mean.update(loss, 1 if over.count is None else over.count)
                for metric in metrics.values():
                    metric.update(outputs, targets)
        loss = self._whole(mean).compute() * (sums or 1)
        return {"loss": loss, **{name: self._whole(metric).compute() for name, metric in metrics.items()}}

    def compute(self, batch: Batch) -> tuple[Any, ...]:
        """The loss of a batch, the outputs and the targets; for subclasses.

        A subclass may return a fourth value: what the loss was averaged over, a number, or a Tensor without a shape,
        which is waited for; 0 if there is nothing in the batch, None if the loss is a sum.

        Raises:
            TypeError: the batch is not a tuple or a list.
        """
        return of_pairs(self.model, self.loss, batch)

    def _whole_step(self) -> Step:
        """What a step computes."""
        each = self.scheduler if self.options.schedule == "step" and not self._wants_metric else None
        own = None if type(self).compute is Trainer.compute else self.compute
        return Step(
            self.model, self.loss, self.optimizer, each, self.ema, self.options.clip_grad_norm, own,
            bool(self.options.metrics), self.gang,
        )  # fmt: skip

    def stop(self) -> None:
        """End the run after this step or epoch; for callbacks."""
        self.stopped = True

    # ---------------------------------------------------------------- the loop

    def _one_epoch(self) -> None:
        """What is left of an epoch: of its training, and its evaluation."""
        if self._bar is not None:
            self._bar.at_epoch(self.epoch + 1, self._epochs)
        if self._phase == TRAIN:
            self._train()
        if self._phase == EVALUATE:
            self._ending = True
            self._end_epoch(self._evaluated())
            self._ending, self._ended = False, True

    def _describe(self) -> Description:
        return described(
            model=self.model, loss=self.loss, optimizer=self.optimizer, scheduler=self.scheduler, ema=self.ema,
            data=self._sources[TRAIN].batches, metrics=self.options.metrics, callbacks=len(self.options.callbacks),
            settings=self.options.settings,
            options={name: getattr(self.options, name) for name in ("accumulate", "clip_grad_norm", "schedule")},
        )  # fmt: skip

    def _total(self, epochs: int) -> int | None:
        """How many steps the run will have made, where that is known."""
        count = self._sources[TRAIN].count
        known = [] if count is None else [-(-count // self.options.accumulate) * epochs]
        return min(known + ([] if self._most is None else [self._most]), default=None)

    def _over(self) -> bool:
        return self.stopped or (self._most is not None and self.step >= self._most)

    def _train(self) -> None:
        """The steps that are left; behind the last batch the phase is another."""
        self.model.train()
        batches = self._waited(self._sources[TRAIN])
        while self._phase == TRAIN:
            group = tuple(islice(batches, self.options.accumulate))
            if len(group) < self.options.accumulate:
                self._phase = EVALUATE
            if group:
                self._step(group)
            self._mark()
            if group and self.options.callbacks:
                for callback in self.options.callbacks:
                    callback.on_step(self)
                self._mark()
            self._keep_up()
            if self._over() and self._positions[TRAIN]["batch"] != self._sources[TRAIN].count:
                return

    def _step(self, group: Sequence[Batch]) -> None:
        """One step, of several batches as of one."""
        outcomes, norm = self._take(group)
        added = None
        for one in outcomes:
            if one.count is None:
                added = one.loss if added is None else added + one.loss
            else:
                self._window.update(one.loss, one.count)
            with modes.no_grad():
                for metric in self.options.metrics.values():
                    metric.update(one.outputs, one.targets)
        if added is not None:
            self._window.update(added)
        if norm is not None:
            self._norm = norm
        self.step += 1
        if self._bar is not None:
            self._bar.advance(sum(one.examples for one in outcomes))
        if self.step % self.options.log_every == 0:
            self._note()

    def _note(self) -> None:
        """Write a row with the loss since the last one."""
        window = self._whole(self._window)
        loss, count = window.compute(), float(window.state_dict().get("count", 0.0))
        if not count:
            return
        self._finite(loss)
        self._sums[0] += loss * count
        self._sums[1] += count
        self._window.reset()
        values = {"loss": loss, "learning rate": float(self.optimizer.param_groups[0]["lr"])}
        if self._norm is not None:
            values["gradient norm"] = self._norm.item()
        self._write(values, self.epoch + 1)

    def _evaluated(self) -> dict[str, float]:
        """The results of the epoch whose training is done."""
        self._note()
        if not self._sums[1] and not self._window.state_dict():
            raise ValueError(f"Trainer.fit: there are no batches in epoch {self.epoch + 1}")
        results = {"loss": self._sums[0] / self._sums[1] if self._sums[1] else nan}
        results |= {name: self._whole(metric).compute() for name, metric in self.options.metrics.items()}
        if "validation" in self._sources:
            with nullcontext() if self._bar is None else self._bar.paused("validation"):
                found = self.evaluate(self._sources["validation"])
            results |= {f"validation/{name}": value for name, value in found.items()}
        return results

    def _end_epoch(self, results: dict[str, float]) -> None:
        self.results = results
        if self.options.keep_best:
            self._monitored()
        self.epoch, self._phase, self._sums = self.epoch + 1, TRAIN, [0.0, 0.0]
        for metric in self.options.metrics.values():
            metric.reset()
        if self.scheduler is not None and self._wants_metric:
            self.scheduler.step(self._monitored())
        elif self.scheduler is not None and self.options.schedule == "epoch":
            self.scheduler.step()
        self._write({name: value for name, value in results.items() if name != "loss"}, self.epoch)
        if self._bar is not None:
            self._bar.epoch_line(results)
        self._mark()
        for callback in self.options.callbacks:
            callback.on_epoch(self, results)
        self._mark()
        self._keep_up(results, always=self.options.keep_best)

    def _waited(self, source: Any) -> Iterator[Batch]:
        """Yield batches. If the run has been asked to stop, it stops here, even while waiting for data."""
        if self.gang is not None:
            return self.gang.batches(source, self._going)
        return iter(source) if self._going is None else self._going.batches(source)

    def _whole(self, metric: Any) -> Any:
        """A metric over the examples of all processes."""
        return metric if self.gang is None else self.gang.merged(metric)

    def _monitored(self) -> float:
        if self.monitor not in self.results:
            raise KeyError(f"Trainer: there is no metric {self.monitor!r}, only {', '.join(self.results)}")
        return self.results[self.monitor]
