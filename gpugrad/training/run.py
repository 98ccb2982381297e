"""A run: where it is in its data, what of it is saved and when, its log; how it begins, and how it goes on."""

from __future__ import annotations

import math
import shlex
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, NamedTuple

from ..backend import logger
from ..core import Tensor
from ..nn import Module
from ..random import default_generator
from .checkpoints.checkpointer import Checkpointer, Stateful
from .checkpoints.reading import Checkpoint, CheckpointError, OtherRunError
from .checkpoints.stores import masked
from .data_position import TrackedData
from .metrics import Mean
from .options import Options
from .preemption import Interrupted, Preemption
from .program import Description, compared
from .reporting.log import Log
from .reporting.progress import Progress
from .reporting.report import write_report
from .run_folder import RunFolder

if TYPE_CHECKING:
    from .gang import Gang

TRAIN, EVALUATE = "train", "evaluate"


EARLY = 0.9
"""Of the interval between saves: when the next one begins. The rest is for writing it, beside the training."""

MOST = 8
"""Differences of two programs that a message tells."""


opening: ContextVar[Callable[[str], None] | None] = ContextVar("gpugrad_opening_run", default=None)
"""Called with the folder of a run when all is checked and the folder is known to be this run's."""

resuming: ContextVar[str | None] = ContextVar("gpugrad_resume_command", default=None)
"""The command that resumes the run; None: the command line of this process."""


class Moment(NamedTuple):
    """A place in a run, and the time on the clock there."""

    step: int
    epoch: int
    phase: str
    time: float


class Run:
    """What :class:`Trainer` does beside training.

    The state that is saved is that between two steps, as :meth:`_mark` has noted it: where the loaders were, and the
    random numbers. What was begun since then (a wait, an evaluation) is done again by whoever goes on.

    >>> run = Run({}, Options())
    >>> run.step, run.epoch
    (0, 0)
    """

    def __init__(self, parts: Mapping[str, Stateful], options: Options) -> None:
        self.options = options
        self.gang: Gang | None = getattr(self, "gang", None)
        """The processes that train together; None for one alone."""
        self.step = self.epoch = 0
        self.first = 0
        """The step at which this process began."""
        self.results: dict[str, float] = {}
        self._phase = TRAIN
        self._window = Mean()  # of the loss, since the last row of the log
        self._sums = [0.0, 0.0]  # of the loss and of the samples in the rows of this epoch
        self._norm: Tensor | None = None  # of the gradients of the last step
        self._sources: dict[str, TrackedData] = {}
        self._positions: dict[str, Any] = {}
        self._random = default_generator.state
        self._going: Preemption | None = None
        self._program: Description = {}
        self._log: Log | None = None
        self._ranks: list[list[int]] | None = None  # the random numbers of all processes, when the state was saved
        self._rows: int | None = 0  # of the log, when the state was saved that was restored
        self._bar: Progress | None = None
        self._saved = self._safe = Moment(0, 0, "", 0.0)
        self._began = self._spent = 0.0
        self._reported = False
        self._unsaved = False
        """Whether there was no checkpoint to go on from; where there is a log nevertheless, its steps are lost."""
        self._ending = self._ended = False
        """Whether an epoch is being ended (evaluation, schedule, callbacks), and whether this process has done so."""

        self._place = None if options.folder is None else RunFolder(options.folder)
        self.checkpointer: Checkpointer | None = None
        if self._place is not None:
            self.checkpointer = Checkpointer(
                self._place.checkpoints, {**parts, "trainer": self}, keep_last=options.keep_last,
                mode=options.mode, beside=self._place.push, takeover=options.takeover,
            )  # fmt: skip

    @property
    def seconds(self) -> float:
        """Of training so far, in earlier processes too."""
        return self._spent + (time.monotonic() - self._began if self._began else 0.0)

    @property
    def untried(self) -> bool:
        """Whether what is done now is done for the first time in this process: the first step, or the end of an epoch.

        What fails then fails again in another process.
        """
        return self.step == self.first or (self._ending and not self._ended)

    def save(self, metrics: Mapping[str, float] | None = None, wait: bool = False) -> None:
        """Save everything, unless that was done since the last step.

        Args:
            metrics: of the state as it is now.
            wait: until it is complete.

        Raises:
            CheckpointError: this checkpoint, or the one before, cannot be written.
            FloatingPointError: the loss is not finite.
        """
        if self.checkpointer is None:
            return
        if self.gang is not None:
            self._ranks = self.gang.states(self._random)
            if not self.gang.leads:  # what all make together for a state
                for part in self.checkpointer.parts.values():
                    if part is not self:
                        part.state_dict()
                self._safe = self._saved = self._now()
                return
        now = self._now()
        if now[:3] != self._saved[:3]:
            self._finite(self._window.compute())
            self.checkpointer.save(self.step, metrics=metrics)
            self._safe, self._saved = self._saved, now  # the save before is complete
        if wait:
            self.checkpointer.wait()
            self._safe = self._saved

    def close(self) -> None:
        """Remove the local folder beside a store; for a trainer that only evaluates."""
        if self._place is not None:
            self._place.close()

    def _finite(self, loss: float) -> None:
        if not math.isfinite(loss) and float(self._window.state_dict().get("count", 0.0)):
            raise FloatingPointError(
                f"the loss is {loss} in step {self.step}, or shortly before; nothing was saved since: try a smaller lr"
            )

    def _write(self, values: dict[str, float], epoch: int) -> None:
        """To the log and the display."""
        if self._bar is not None:
            self._bar.metrics(values)
        if self._log is not None and values:
            if self.checkpointer is not None:
                self.checkpointer.own(quick=True)
            self._log.write(self.step, values, epoch=epoch, seconds=round(self.seconds, 3))

    @property
    def _leads(self) -> bool:
        """Whether this process writes, for all that train together."""
        return self.gang is None or self.gang.leads

    # ---------------------------------------------------------------- state

    def _mark(self) -> None:
        """A moment that can be saved: where the data is, and the random numbers."""
        self._positions = {name: source.state_dict() for name, source in self._sources.items()}
        self._random = default_generator.state

    def _now(self) -> Moment:
        return Moment(self.step, self.epoch, self._phase, time.monotonic())

    def _keep_up(self, results: Mapping[str, float] | None = None, always: bool = False) -> None:
        """Save so early that it can be complete within the interval, and where it is not, wait for it."""
        due, late = always or self._since(self._saved) >= EARLY, self._since(self._safe) >= 1
        if self.gang is not None and self.checkpointer is not None:
            due, late = self.gang.decided(due, late)
        if due:
            self.save(results)
            late = self._since(self._safe) >= 1
        if self.checkpointer is not None and late:
            self.checkpointer.wait()
            self._safe = self._saved

    def _since(self, moment: Moment) -> float:
        """How much of the interval between saves has passed."""
        every, seconds = self.options.save_every, self.options.save_seconds
        steps = 0.0 if every is None else (self.step - moment.step) / every
        return steps if seconds is None else max(steps, (time.monotonic() - moment.time) / seconds)

    def state_dict(self) -> dict[str, Any]:
        """Where the run is, as of the last step."""
        return {
            "step": self.step,
            "epoch": self.epoch,
            "phase": self._phase,
            "positions": self._positions,
            "results": self.results,
            "sums": list(self._sums),
            "window": self._window.state_dict(),
            "norm": self._norm,
            "metrics": {name: metric.state_dict() for name, metric in self.options.metrics.items()},
            "callbacks": [callback.state_dict() for callback in self.options.callbacks],
            "seconds": self.seconds,
            "program": self._program,
            "rows": 0 if self._log is None else self._log.rows,
            "ranks": self._ranks,
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue from there; loaders that :meth:`fit` has been given are set to their places."""
        self.step, self.epoch, self._phase = state["step"], state["epoch"], state["phase"]
        self.results, self._sums, self._spent = dict(state["results"]), list(state["sums"]), state["seconds"]
        self._window.load_state_dict(state["window"])
        self._norm = state["norm"]
        self._rows = state.get("rows")
        self._ranks = state.get("ranks")
        for name, metric in self.options.metrics.items():
            metric.load_state_dict(state["metrics"][name])
        for callback, own in zip(self.options.callbacks, state["callbacks"], strict=True):
            callback.load_state_dict(own)
        for name, source in self._sources.items():
            if name in state["positions"]:
                source.load_state_dict(state["positions"][name])

    # ---------------------------------------------------------------- beginning and end

    def _open(self, stack: ExitStack, model: Module, total: int | None) -> None:
        """Everything that is there during a run of so many steps, and the state of the one before."""
        fresh = self.step == 0
        if fresh:
            self._program = self._describe()
        if self.checkpointer is not None:
            stack.enter_context(self.checkpointer)  # an error ends the run, but not before the save under way
            if self._leads:
                self.checkpointer.own()
            if self.gang is not None:
                self.gang.meet("the beginning of a run")
            if fresh:
                self._restore(self.checkpointer)
        if self.gang is not None:
            self.gang.meet(f"training from step {self.step}, epoch {self.epoch + 1}")
            self.gang.draw(self._ranks if self.step else None)
        if self._place is not None and self._leads:
            tell = opening.get()
            if tell is not None:
                tell(self._place.name)
            self._log = stack.enter_context(self._opened_log(self._place, fresh))
        self._mark()
        self.first = self.step
        self._began = time.monotonic()
        self._saved = self._safe = self._now() if self.step else self._now()._replace(phase="")
        stack.callback(self._close)
        if self.options.progress and self._leads:
            device = next((p.device for p in model.parameters()), None)
            self._bar = Progress(total, price_per_hour=self.options.price_per_hour, device=device, seconds=self._spent)
            self._bar.start(done=self.step)
            stack.callback(self._bar.finish)
            self._greet(total)
        self._going = stack.enter_context(Preemption(self.options.grace, self.options.metadata))

    def _greet(self, total: int | None) -> None:
        """Say where the run goes on, unless it is complete, or that what was done before is lost."""
        if self.step and (total is None or self.step < total or self._phase == EVALUATE):
            self._say(f"resuming from step {self.step}, epoch {self.epoch + 1}")
        elif self._unsaved and self._spent:
            self._say("starting again from step 0: the run that was here ended before it had saved")

    def _restore(self, checkpointer: Checkpointer) -> None:
        if not self.options.resume:
            if self._leads:
                checkpointer.begin_anew()
        elif checkpointer.restore(check=self._compare) is None:
            self._unsaved = True
        else:
            logger.info("resuming from step %d, epoch %d", self.step, self.epoch + 1)

    def _compare(self, checkpoint: Checkpoint) -> None:
        """See that a checkpoint is of this program.

        Raises:
            OtherRunError: it is not; the message says what differs, and what to do.
        """
        trainer = checkpoint.parts.get("trainer")
        saved = trainer.get("program") if isinstance(trainer, dict) else None
        saved = saved if isinstance(saved, dict) else {}
        refused, told = compared(self._program, saved)
        if refused:
            more = f"; and {len(refused) - MOST} more" if len(refused) > MOST else ""
            raise OtherRunError(
                f"{checkpoint.name}: {'; '.join(refused[:MOST])}{more}. Choose another folder, or start again with "
                "resume=False (gpugrad train --fresh)"
            )
        if told:
            logger.warning("the program is not the one that has saved %s: %s", checkpoint.name, "; ".join(told))

    def _describe(self) -> Description:
        """The program, for :mod:`.program`."""
        return {}

    def _opened_log(self, place: RunFolder, fresh: bool) -> Log:
        if fresh and self.options.resume:
            place.fetch()
        log = Log(place.local)
        if fresh and not self.options.resume:
            log.drop_after(-1)
        elif fresh and log.seconds:
            self._spent = log.resume(self.step, self._rows)
        price = {} if self.options.price_per_hour is None else {"price_per_hour": self.options.price_per_hour}
        log.settings({**self.options.settings, **price})
        return log

    def _close(self) -> None:
        self._spent, self._began = self.seconds, 0.0
        self._going = self._log = self._bar = None

    def _finish(self) -> None:
        self.save(self.results if self._phase == TRAIN else None, wait=True)
        self._tell("finished")
        self._part()

    def _leave(self, interrupted: Interrupted) -> None:
        """Save the state behind the last step: what came after it is done again."""
        default_generator.state = self._random
        if self.checkpointer is None:
            self._part(f"{interrupted.reason}: stopped after step {self.step}; without a folder nothing is saved")
            return
        end = f"saved behind step {self.step}, where the next run goes on"
        try:
            self.save(wait=True)
        except Exception as error:  # noqa: BLE001  the run was asked to stop and must end with that status
            logger.error("the extra save failed, the last one is still there: %s", masked(str(error)))
            end = f"stopped after step {self.step}, which is not saved"
        self._tell(interrupted.reason)
        self._part(f"{interrupted.reason}: {end}", f"resume: {masked(resuming.get() or this_command())}")

    def _fail(self, error: Exception) -> None:
        """Write the report of a run that ends with an error, and say where it is."""
        if self._log is None or self.step == self.first:
            return
        try:
            if self.checkpointer is not None:
                self.checkpointer.own(quick=True)
        except CheckpointError:
            return  # it is another's run now
        self._tell(f"failed: {type(error).__name__}")
        self._part()

    def _part(self, first: str = "", last: str = "") -> None:
        """The last lines of a run: how it ended, where its report is, and the command that resumes it."""
        if self._bar is not None:
            self._bar.finish()  # they stay below its last picture
        report = f"report: {masked(self._place.name)}/report.html" if self._place is not None and self._reported else ""
        for line in filter(None, (first, report, last) if self._leads else ()):
            if self._bar is None and resuming.get() is not None:  # whoever typed a command is told without a bar too
                Progress(plain=True).line(line)
            else:
                self._say(line)

    def _say(self, text: str) -> None:
        """A line for whoever watches."""
        if self._bar is not None:
            self._bar.line(text)
        else:
            logger.info("%s", text)

    def _tell(self, event: str) -> None:
        """The last words of the log, and the report."""
        if self._log is None or self._place is None:
            return
        self._log.event(event, self.step, seconds=round(self.seconds, 3))
        self._reported = False
        try:
            write_report(self._place.local)
            self._reported = True
        except Exception as error:  # noqa: BLE001  the run is complete without it
            logger.warning("no report: %s", error)
        self._place.push()


def this_command() -> str:
    """The command line of this process; in a notebook or an interactive session, what to do there."""
    main = sys.modules.get("__main__")
    typed = getattr(sys, "orig_argv", [])
    if not getattr(main, "__file__", None) or not typed:
        return "make the same Trainer again, and call fit"
    return shlex.join(typed)
