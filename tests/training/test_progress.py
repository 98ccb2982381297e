"""The progress display: plain lines, rich's lines on a terminal, speed, time left, money."""

from __future__ import annotations

import io
import os
import select
import sys

import pytest

import gpugrad as gg
from gpugrad.testing import cuda_simulator
from gpugrad.training.reporting.progress import Progress


class Clock:
    def __init__(self):
        self.now = 100.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def out():
    return io.StringIO()


def lines(out):
    return out.getvalue().splitlines()


def test_lines_tell_everything(clock, out, device):
    progress = Progress(10, title="digits", price_per_hour=36.0, every=0, file=out, clock=clock)
    progress.start()
    clock.now += 50
    progress.metrics({"loss": gg.tensor(0.5), "accuracy": 0.25, "learning rate": 1e-5, "validation/loss": 2.0})
    progress.advance(samples=100, steps=5)
    (line,) = lines(out)
    for part in ("digits  step 5/10  50 %", "loss 0.5000", "accuracy 25.00 %", "learning rate 1e-05", "val loss 2.0000",
                 "2.0 samples/s", "0:00:50 left", "$0.5000"):  # fmt: skip
        assert f"  {part}  " in f"  {line}  "
    assert ("memory" if device.is_host else "GPU") in line


class Gone(io.StringIO):
    def write(self, text):
        raise BrokenPipeError(32, "Broken pipe")

    def isatty(self):
        return True


@pytest.mark.parametrize("plain", [True, False])
def test_a_display_that_nobody_can_see_ends_nothing(clock, caplog, plain):
    before = sys.stdout
    with Progress(4, every=0, file=Gone(), clock=clock, device="cpu", plain=plain) as progress:
        for _ in range(4):
            progress.advance(1)
    assert progress.done == 4
    assert sys.stdout is before
    assert caplog.text.count("the progress is not shown any more, it cannot be written: ") == 1


def test_lines_come_every_so_often_and_when_asked_for(clock, out):
    progress = Progress(100, every=10, file=out, clock=clock, device="cpu")
    progress.start()
    for _ in range(35):
        clock.now += 1
        progress.advance(1)
    assert [line.partition("  ")[0] for line in lines(out)] == ["step 10/100", "step 20/100", "step 30/100"]
    progress.line()
    progress.line("saved")
    assert lines(out)[-2].startswith("step 35/100")
    assert lines(out)[-1] == "saved"


@pytest.mark.parametrize(("epochs", "shown"), [(10, "epoch 3/10  step 5/100"), (None, "epoch 3  step 5/100")])
def test_the_epoch_is_shown(clock, out, epochs, shown):
    progress = Progress(100, file=out, clock=clock, device="cpu")
    progress.start(done=5)
    progress.at_epoch(3, epochs)
    progress.line()
    assert lines(out)[-1].startswith(shown)
    console = pytest.importorskip("rich.console", reason="rich draws the bar").Console(file=out, width=100)
    console.print(progress._render())
    assert lines(out)[1].startswith(shown)


def test_an_epoch_has_a_short_line_where_there_is_a_display(clock):
    pytest.importorskip("rich", reason="rich draws the display")
    found = {}
    for plain in (True, False):
        out = io.StringIO()
        with Progress(20, plain=plain, every=1e9, file=out, clock=clock, device="cpu") as progress:
            progress.at_epoch(1, 2)
            progress.metrics({"validation/loss": 3.0, "learning rate": 0.1})
            clock.now += 1
            progress.advance(5, steps=10)
            progress.epoch_line({"accuracy": 0.5, "validation/loss": 2.0, "loss": 1.0})
        found[plain] = lines(out)
    values = "loss 1.0000  accuracy 50.00 %  val loss 2.0000  0:00:01 left"
    assert f"epoch 1/2  {values}" in "\n".join(found[False])
    assert found[True][0].startswith("epoch 1/2  step 10/20  50 %  loss 1.0000  learning rate 0.1000  accuracy 50.00 %")


def test_values_are_fetched_when_shown_and_not_before(clock, out):
    with cuda_simulator.installed(), gg.default_device("cuda"):
        progress = Progress(100, every=10, file=out, clock=clock)
        progress.start()
        loss = gg.tensor(0.25)
        with cuda_simulator.count() as counted:
            for _ in range(9):
                clock.now += 1
                progress.metrics({"loss": loss})
                progress.advance(1)
        assert counted.device_to_host == counted.synchronizations == 0
        clock.now += 1
        progress.advance(1)
        assert "loss 0.2500" in out.getvalue()
        assert "GPU " in out.getvalue()


def test_the_speed_is_that_of_lately(clock):
    progress = Progress(1000, clock=clock, plain=True, every=1e9)
    progress.start()
    for samples in [10] * 60 + [1000] * 60:
        clock.now += 1
        progress.advance(samples)
    assert progress.rate == pytest.approx(1000)
    assert progress.left == pytest.approx(880)


def test_validation_costs_money_and_is_no_speed(clock):
    progress = Progress(20, price_per_hour=3600.0, clock=clock, plain=True, every=1e9)
    progress.start()
    for _ in range(5):
        clock.now += 1
        progress.advance(8)
    with progress.paused("validation"):
        assert "validation" in progress.text()
        clock.now += 100
    clock.now += 1
    progress.advance(8)
    assert "validation" not in progress.text()
    assert progress.rate == pytest.approx(8)
    assert progress.left == pytest.approx(14)
    assert progress.seconds == pytest.approx(106)
    assert progress.cost == pytest.approx(106)


def test_going_on_counts_what_went_before(clock):
    first = Progress(10, price_per_hour=3600.0, clock=clock, plain=True, every=1e9)
    first.start()
    clock.now += 5
    first.advance(1, steps=4)
    state = first.state_dict()
    clock.now += 1000  # the machine was away, and cost nothing
    second = Progress(10, price_per_hour=3600.0, clock=clock, plain=True, every=1e9)
    second.load_state_dict(state)
    second.start(second.done)
    clock.now += 2
    second.advance(1, steps=1)
    assert (second.done, second.cost) == (5, pytest.approx(7))
    assert second.left == pytest.approx(10), "steps of earlier sessions are no speed of this one"
    second.finish()
    clock.now += 100
    assert second.seconds == pytest.approx(7)
    assert Progress(seconds=3.0, clock=clock).seconds == 3.0


def test_without_a_total_or_a_price_nothing_is_made_up(clock, out):
    progress = Progress(file=out, clock=clock, every=0, device="cpu")
    with progress:
        assert (progress.rate, progress.left, progress.cost) == (None, None, None)
        clock.now += 1
        progress.advance(3)
    (line,) = lines(out)
    assert line.startswith("step 1  3.0 samples/s")
    assert "left" not in line
    assert "$" not in line


@pytest.mark.parametrize("options", [{"total": -1}, {"price_per_hour": -1.0}, {"price_per_hour": float("nan")}])
def test_arguments_are_checked(options):
    with pytest.raises(ValueError, match="expected nothing negative, got total="):
        Progress(**options)


def test_an_empty_run_is_done(clock, out):
    with Progress(0, file=out, clock=clock) as progress:
        progress.line()
    assert "step 0/0  100 %" in out.getvalue()


# ------------------------------------------------------------------------------------------------ on a terminal


@pytest.fixture
def rich(monkeypatch):
    monkeypatch.setenv("TERM", "xterm-256color")
    return pytest.importorskip("rich", reason="rich is not installed: pip install 'gpugrad[train]'")


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_a_terminal_shows_lines_that_are_kept_up_to_date(clock, rich, monkeypatch):
    monkeypatch.setenv("COLUMNS", "120")
    out = Terminal()
    progress = Progress(10, title="digits", price_per_hour=36.0, file=out, clock=clock)
    with progress:
        for _ in range(10):
            clock.now += 1
            progress.metrics({"loss": 0.5, "accuracy": 0.75})
            progress.advance(32)
        progress.line("a checkpoint was written")
    text = out.getvalue()
    assert "\x1b[" in text, "the cursor moves"
    text = text.replace("\N{NO-BREAK SPACE}", " ")
    for part in ("digits", "step 10/10", "0.5000", "75.00 %", "32.0 samples/s", "$0.1000", "0:00:10 in all", "━"):
        assert part in text
    assert "a checkpoint was written\n" in text
    progress.finish()


def test_the_display_is_drawn_no_more_often_than_eyes_see(clock, rich):
    out = Terminal()
    with Progress(1000, file=out, clock=clock) as progress:
        drawn = len(out.getvalue())
        for _ in range(100):
            clock.now += 0.001
            progress.advance(1)
        assert len(out.getvalue()) == drawn


def test_an_error_leaves_the_terminal_as_it_was(clock, rich):
    out = Terminal()
    with pytest.raises(RuntimeError, match="the run"), Progress(10, file=out, clock=clock):
        raise RuntimeError("the run")
    hidden, shown = out.getvalue().rfind("\x1b[?25l"), out.getvalue().rfind("\x1b[?25h")
    assert 0 <= hidden < shown, "the cursor is back"


def test_without_rich_there_are_lines_and_a_word_about_it(clock, monkeypatch, caplog):
    monkeypatch.setitem(sys.modules, "rich.console", None)
    out = Terminal()
    with Progress(2, file=out, clock=clock, every=0) as progress:
        clock.now += 1
        progress.advance(1)
    assert "pip install 'gpugrad[train]'" in caplog.text
    assert out.getvalue().startswith("step 1/2")
    with pytest.raises(ImportError, match=r"pip install 'gpugrad\[train\]'"):
        Progress(2, file=out, plain=False).start()


def test_a_pipe_gets_lines(clock, capsys):
    with Progress(2, clock=clock, every=0, device="cpu") as progress:
        clock.now += 1
        progress.advance(1)
    assert capsys.readouterr().out.startswith("step 1/2  50 %")


@pytest.mark.skipif(not hasattr(os, "openpty"), reason="the system has no pseudo-terminals")
def test_a_real_terminal_is_noticed(clock, rich):
    leader, follower = os.openpty()
    shown = b""
    with os.fdopen(follower, "w") as file, os.fdopen(leader, "rb"):
        with Progress(2, file=file, clock=clock, device="cpu") as progress:
            clock.now += 1
            progress.advance(1)
        while "━".encode() not in shown or b"step 1/2" not in shown:  # it may come in pieces
            assert select.select([leader], [], [], 10)[0], shown
            shown += os.read(leader, 65536)
