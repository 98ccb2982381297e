"""How far a run is: a display on a terminal, plain lines elsewhere.

Works alone: nothing here knows the Trainer. Values are only fetched from the device when they are shown, so that
telling of every step makes no step wait.
"""

from __future__ import annotations

import math
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from types import TracebackType
from typing import Any, Self, TextIO

from ... import backend, formats
from ...backend import Device, logger
from ...backend.usage import Usage

REFRESH = 0.2
"""Seconds between two pictures on a terminal."""
WINDOW = 30.0
"""Seconds over which the speed is a mean."""
WORDS = {"validation": "val"}
"""How the display shortens parts of names."""


class Progress:
    """Loss, metrics, samples per second, time left, memory and money spent so far.

    On a terminal, with rich installed, three lines that are kept up to date; elsewhere a line every ``every`` seconds.

    Args:
        total: how many steps there will be; None where nobody knows: then there is no time left either.
        title: what is being trained.
        price_per_hour: of the machine, in ``currency``; None shows no money.
        currency: put before the amount.
        device: whose memory is shown; None is the default device.
        seconds: of training that went before, in earlier sessions of the same run, so that its money counts.
        plain: True for lines, False for the display; None decides by ``file``.
        every: seconds between two lines.
        file: where to; None is the standard output.
        clock: seconds from anywhere on, for tests.

    Raises:
        ImportError: ``plain=False`` without rich.
        ValueError: a negative total or price.

    >>> progress = Progress(total=4, price_per_hour=3600.0, plain=True, every=0.0, clock=iter(range(99)).__next__)
    >>> with progress:  # doctest: +ELLIPSIS
    ...     for step in range(2):
    ...         progress.metrics({"loss": 1 / (step + 1)})
    ...         progress.advance(samples=32)
    step 1/4  25 %  loss 1.0000  32.0 samples/s  0:00:03 left  ...  $2.00
    step 2/4  50 %  loss 0.5000  16.0 samples/s  0:00:04 left  ...  $5.00
    """

    def __init__(
        self, total: int | None = None, title: str = "", price_per_hour: float | None = None, currency: str = "$",
        device: Device | str | None = None, seconds: float = 0.0, plain: bool | None = None, every: float = 10.0,
        file: TextIO | None = None, clock: Callable[[], float] = time.monotonic,
    ) -> None:  # fmt: skip
        if (total is not None and total < 0) or (price_per_hour is not None and not price_per_hour >= 0):
            raise ValueError(f"Progress: expected nothing negative, got total={total}, price_per_hour={price_per_hour}")
        self.total = total
        self.title = title
        self.price_per_hour = price_per_hour
        self.currency = currency
        self.device = None if device is None else Device(device)
        self.every = every
        self.file = file
        self.done = 0
        self.phase = ""
        self.epoch: tuple[int, int | None] | None = None
        self.values: dict[str, Any] = {}
        self._before = float(seconds)
        self._clock = clock
        self._plain = plain
        self._started: float | None = None
        self._paused = 0.0
        self._marks: deque[tuple[float, int, int]] = deque()
        self._samples = 0
        self._shown = -math.inf
        self._live: Any = None
        self._blind = False

    # ---------------------------------------------------------------- telling

    def start(self, done: int = 0) -> None:
        """Begin, with ``done`` steps made in earlier sessions."""
        self.done = done
        self._started = self._shown = self._clock()
        self._marks.clear()
        self._marks.append((self._started, self._samples, self.done))
        self._draw(self._begin)

    def _begin(self) -> None:
        self._live = _display(self.file, self._plain, self._render)

    def advance(self, samples: int, steps: int = 1) -> None:
        """So many steps were made, with so many samples in them."""
        self.done += steps
        self._samples += samples
        now = self._clock()
        time_of_work = now - self._paused
        self._marks.append((time_of_work, self._samples, self.done))
        while time_of_work - self._marks[0][0] > WINDOW and len(self._marks) > 2:
            self._marks.popleft()
        if now - self._shown >= (self.every if self._live is None else REFRESH):
            self._show(now)

    def metrics(self, values: Mapping[str, Any]) -> None:
        """The values to show from now on, by name: numbers, or tensors of one element."""
        self.values.update(values)

    def at_epoch(self, epoch: int, epochs: int | None = None) -> None:
        """The epoch to show from now on, counted from 1, and how many there will be."""
        self.epoch = epoch, epochs

    def line(self, text: str | None = None) -> None:
        """Say something now: ``text``, or how far the run is; it stays on a terminal, above the display."""
        text = self.text() if text is None else text
        live = self._live
        if live is None:
            self._draw(lambda: print(text, file=self.file or sys.stdout, flush=True))
        else:
            self._draw(lambda: live.console.print(text, highlight=False, markup=False))
        self._shown = self._clock()

    def epoch_line(self, results: Mapping[str, Any]) -> None:
        """Say what an epoch has given: in short above a display, which has the rest; elsewhere with all there is."""
        self.metrics(results)
        if self._live is None:
            self.line()
            return
        ordered = {name: self.values[name] for name in self._order() if name in results}
        shown = [f"{_short(name)} {formats.measured(name, value)}" for name, value in ordered.items()]
        self.line("  ".join(part for part in (self._position()[0], *shown, self._time(self.left)) if part))

    @contextmanager
    def paused(self, phase: str) -> Iterator[None]:
        """While something else than training happens, such as "validation": it costs money, but is no speed."""
        before, begun = self.phase, self._clock()
        self.phase = phase
        self._refresh()
        try:
            yield
        finally:
            self.phase = before
            self._paused += self._clock() - begun
            self._refresh()

    def finish(self) -> None:
        """Show the last state, and leave the terminal as it was; finishing twice is allowed."""
        if self._live is not None:
            self._refresh()
            with suppress(OSError):
                self._live.stop()  # it gives back the streams that it has taken, also where nothing can be written
            self._live = None
        if self._started is not None:
            self._before = self.seconds
            self._started = None

    def __enter__(self) -> Self:
        if self._started is None:
            self.start(self.done)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.finish()

    # ---------------------------------------------------------------- what is known

    @property
    def seconds(self) -> float:
        """Of this run so far, earlier sessions included."""
        return self._before + (0.0 if self._started is None else self._clock() - self._started)

    @property
    def cost(self) -> float | None:
        """Money spent so far, or None without a price."""
        return None if self.price_per_hour is None else self.seconds / 3600 * self.price_per_hour

    @property
    def rate(self) -> float | None:
        """Samples per second, lately; None before the first step."""
        return self._per_second(1)

    @property
    def left(self) -> float | None:
        """Seconds until the end at the present speed, or None where that is not known."""
        speed = self._per_second(2)
        return None if self.total is None or not speed else max(self.total - self.done, 0) / speed

    def _per_second(self, column: int) -> float | None:
        if len(self._marks) < 2:
            return None
        first, last = self._marks[0], self._marks[-1]
        return (last[column] - first[column]) / max(last[0] - first[0], 1e-9)

    def state_dict(self) -> dict[str, Any]:
        """Steps and seconds, to be shown on when the run goes on."""
        return {"done": self.done, "seconds": self.seconds}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from what :meth:`state_dict` gave; before :meth:`start`, which is then told ``progress.done``."""
        self.done, self._before = int(state["done"]), float(state["seconds"])

    # ---------------------------------------------------------------- showing

    def text(self) -> str:
        """All in one line."""
        return "  ".join(part for part in (self.title, *self._position(), *self._shown_values(), *self._rest()) if part)

    def _position(self) -> list[str]:
        """The epoch, the step, how much that is of all, and what is done beside training; "" for what is not known."""
        epoch, epochs = self.epoch or (None, None)
        shown = "" if epoch is None else f"epoch {epoch:,}" + ("" if epochs is None else f"/{epochs:,}")
        if self.total is None:
            return [shown, f"step {self.done:,}", "", self.phase]
        return [shown, f"step {self.done:,}/{self.total:,}", f"{100 * self._fraction():.0f} %", self.phase]

    def _fraction(self) -> float:
        return min(self.done / self.total, 1.0) if self.total else 1.0 if self.total == 0 else 0.0

    def _shown_values(self) -> list[str]:
        return [f"{_short(name)} {formats.measured(name, self.values[name])}" for name in self._order()]

    def _order(self) -> list[str]:
        """The names of the values: the loss, what else there is of the training, then the validation."""
        return sorted(self.values, key=lambda name: (name.startswith("validation/"), name != "loss"))

    def _rest(self) -> list[str]:
        rate, left = self.rate, self.left
        cost = self.cost
        return [
            "" if rate is None else f"{formats.rate(rate)} samples/s",
            self._time(left),
            self._memory(),
            "" if cost is None else f"{self.currency}{cost:,.{2 if cost >= 1 else 4}f}",
        ]

    def _time(self, left: float | None) -> str:
        """Until the end; at the end, how long it took."""
        if self.total is not None and self.done >= self.total:
            return f"{formats.clock(self.seconds)} in all"
        return "" if left is None else f"{formats.clock(left)} left"

    def _memory(self) -> str:
        place = self.device or backend.default_device()
        usage: Usage = backend.backend_for(place).memory(place)
        used = usage.used if usage.held is None else usage.held
        if used is None:
            return ""
        if place.is_host:
            return f"memory {formats.size(used)}"
        return f"GPU {formats.size(used)} of {formats.size(usage.total)}"

    def _show(self, now: float) -> None:
        if self._live is None:
            self.line()
        else:
            self._refresh()
        self._shown = now

    def _refresh(self) -> None:
        live = self._live
        if live is not None:
            self._draw(lambda: live.update(self._render(), refresh=True))

    def _draw(self, draw: Callable[[], object]) -> None:
        """Write; where that fails (a terminal or pipe that is gone, a full disk), show nothing any more.

        Training is not to end because nobody watches.
        """
        stream = self.file or sys.stdout
        if self._blind or stream is None or getattr(stream, "closed", False):
            return
        try:
            draw()
        except OSError as error:
            self._blind = True
            logger.warning("the progress is not shown any more, it cannot be written: %s", error.strerror or error)

    def _render(self) -> Any:
        """For rich: the bar, the values, and what the machine does."""
        from rich.console import Group
        from rich.progress_bar import ProgressBar
        from rich.table import Table
        from rich.text import Text

        grid = Table.grid(padding=(0, 1), expand=True)
        for ratio in (None, 1, None):
            grid.add_column(ratio=ratio, no_wrap=True)
        epoch, step, *more = self._position()
        place = "  ".join(part for part in (epoch, step) if part)
        head = Text.assemble((f"{self.title}  " if self.title else "", "bold"), place)
        rate, left, memory, cost = self._rest()
        pulse = self.total is None
        bar = ProgressBar(
            total=None if pulse else 1.0, completed=self._fraction(), pulse=pulse, width=None, complete_style="cyan"
        )
        grid.add_row(head, bar, Text("  ".join(part for part in (*more, left) if part)))
        values = [
            Text.assemble(
                (_bound(f"{_short(name)} "), "dim"), (_bound(formats.measured(name, self.values[name])), "cyan")
            )
            for name in self._order()
        ]
        facts = [Text(_bound(part)) for part in (rate, memory) if part]
        facts += [Text(cost, style="green")] if cost else []
        return Group(grid, *(Text("  ").join(row) for row in (values, facts) if row))


def _display(file: TextIO | None, plain: bool | None, render: Callable[[], Any]) -> Any:
    """rich's live display, or None for plain lines."""
    stream = file or sys.stdout
    if plain or (plain is None and not stream.isatty()):
        return None
    try:
        from rich.console import Console
        from rich.live import Live
    except ImportError as error:
        if plain is None:
            logger.warning("plain lines in place of the progress display: pip install 'gpugrad[train]' brings rich")
            return None
        raise ImportError("the progress display is drawn by rich: pip install 'gpugrad[train]'") from error
    console = Console(file=stream, force_terminal=True if plain is False else None)
    console.on_broken_pipe = _nobody_reads  # its own ends the process
    live = Live(render(), console=console, auto_refresh=False)
    live.start(refresh=True)
    return live


def _nobody_reads() -> None:
    raise BrokenPipeError("nobody reads it")


def _short(name: str) -> str:
    return " ".join(WORDS.get(part, part) for part in name.replace("_", " ").split("/"))


def _bound(text: str) -> str:
    """Text that no line is broken in."""
    return text.replace(" ", "\N{NO-BREAK SPACE}")
