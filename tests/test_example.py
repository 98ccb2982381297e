"""The main example as a user runs it: accuracy, determinism, Ctrl-C, what is saved, what is refused."""

from __future__ import annotations

import importlib.util
import os
import re
import runpy
import signal
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import numpy
import pytest

from gpugrad import random
from gpugrad.training.reporting.log import merged, read_events, read_rows

pytest.importorskip("sklearn", reason="the example reads scikit-learn's digits")

ROOT = Path(__file__).parents[1]
SCRIPT = ROOT / "examples" / "train_digits.py"
MNIST = ROOT.parent / "shared" / "data" / "mnist10k"
HAS_MATPLOTLIB = importlib.util.find_spec("matplotlib") is not None


class Done(NamedTuple):
    returncode: int
    stdout: str
    stderr: str


@pytest.fixture
def example(tmp_path, device, monkeypatch, capsys):
    """Run the example in an empty folder, within this process: status and output."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(SCRIPT.parent)
    before = random.default_generator.state

    def run(*args):
        monkeypatch.setattr(sys, "argv", command(device, *args)[1:])
        capsys.readouterr()
        status, message = 0, ""
        try:
            runpy.run_path(str(SCRIPT), run_name="__main__")
        except SystemExit as ended:
            status, message = (ended.code, "") if isinstance(ended.code, int) else (1, str(ended.code))
        out, err = capsys.readouterr()
        return Done(status, out, err + message)

    yield run
    random.default_generator.state = before
    sys.modules.pop("reporting", None)


def command(device, *args):
    return [sys.executable, str(SCRIPT), "--device", device.type, *map(str, args)]


def in_a_process_of_its_own(request):
    if request.config.getoption("--device") == "simulator":
        pytest.skip("the simulated CuPy is in this process only")


def variables(**more):
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    own = {"PYTHONPATH": path, "PYTHONUNBUFFERED": "1", "PYTHONWARNINGS": "error"}
    return {**os.environ, **own, **more}


def accuracy(done):
    assert done.returncode == 0, done.stderr
    (line,) = [line for line in done.stdout.splitlines() if line.startswith("test accuracy: ")]
    return float(line.removeprefix("test accuracy: ").rstrip("%"))


def weights(path):
    with numpy.load(path) as saved:
        return dict(saved)


def test_digits_are_learned_and_saved(example, tmp_path):
    done = example()
    assert accuracy(done) >= 97
    assert "1438 images to train on, 359 to test, on c" in done.stdout
    assert done.stdout.count("epoch ") == 30
    out = tmp_path / "runs" / "train_digits"
    expected = {"checkpoints", "log.csv", "log.jsonl", "model.npz", "report.html", "settings.json"}
    found = {path.name for path in out.iterdir()} - {"tensorboard"}
    assert found == (expected | {"misclassified.png"} if HAS_MATPLOTLIB else expected)
    for picture in out.glob("*.png"):
        assert picture.read_bytes().startswith(b"\x89PNG")
    shapes = {name: value.shape for name, value in weights(out / "model.npz").items()}
    assert shapes == {"1.weight": (256, 64), "1.bias": (256,), "3.weight": (10, 256), "3.bias": (10,)}


def test_same_seed_same_weights(example, tmp_path):
    for out, seed in (("a", 1), ("b", 1), ("c", 2)):
        assert example("--epochs", 2, "--seed", seed, "--out", out).returncode == 0
    a, b, c = (weights(tmp_path / out / "model.npz") for out in "abc")
    assert all(numpy.array_equal(a[name], b[name]) for name in a)
    assert not any(numpy.array_equal(a[name], c[name]) for name in a)


@pytest.mark.parametrize("optimizer", ["sgd", "adagrad", "rmsprop", "adam", "adamw"])
def test_every_optimizer_learns(example, optimizer):
    assert accuracy(example("--epochs", 8, "--optimizer", optimizer)) >= 90


def test_a_saved_model_is_loaded(example, tmp_path):
    first = accuracy(example("--epochs", 6, "--out", "a"))
    again = accuracy(example("--epochs", 0, "--load", "a/model.npz", "--out", "b"))
    assert again == first
    assert (tmp_path / "a/model.npz").exists()


def test_mnist(example):
    if not MNIST.is_dir():
        pytest.skip("MNIST's test images are not there: ../shared/data/mnist10k")
    done = example("--data", "mnist", "--data-dir", MNIST, "--epochs", 2)
    assert accuracy(done) >= 90
    assert "8000 images to train on, 2000 to test" in done.stdout


def test_a_missing_folder_is_named(example):
    done = example("--data", "mnist", "--data-dir", "nowhere")
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith("mnist: there is no folder nowhere; put train-images-idx3-ubyte.gz")


@pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX signals")
def test_ctrl_c_and_going_on_are_one_run(tmp_path, device, example, request):
    in_a_process_of_its_own(request)
    process = subprocess.Popen(
        command(device, "--epochs", 8), cwd=tmp_path, env=variables(), stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    with process:
        for line in process.stdout:
            if line.startswith("epoch") and " 3/" in line:
                process.send_signal(signal.SIGINT)
                break
        out, err = process.communicate(timeout=120)
    assert process.returncode == 130, err
    assert err == "SIGINT: saving and leaving; once more quits at once\n"
    behind = re.search(r"SIGINT: saved behind step (\d+), where the next run goes on", out)
    assert 3 * 45 <= int(behind[1]) < 8 * 45
    assert "test accuracy" not in out

    done = example("--epochs", 8)
    assert f"resuming from step {behind[1]}, epoch" in done.stdout
    uninterrupted = example("--epochs", 8, "--out", "b")
    assert accuracy(done) == accuracy(uninterrupted)
    first, second = weights(tmp_path / "runs/train_digits/model.npz"), weights(tmp_path / "b/model.npz")
    assert all(numpy.array_equal(first[name], second[name]) for name in first)
    curves = [merged(read_rows(tmp_path / out)) for out in ("runs/train_digits", "b")]
    for curve in curves:
        del curve["seconds"]
    assert curves[0] == curves[1], "one continuous curve"
    assert [step for step, _ in curves[0]["loss"]] == sorted({*range(10, 361, 10), *range(45, 361, 45)})
    assert [event["event"] for event in read_events(tmp_path / "runs/train_digits")] == ["SIGINT", "resume", "finished"]
    assert "</html>" in (tmp_path / "runs/train_digits/report.html").read_text()


def test_other_settings_are_another_run(example):
    example("--epochs", 1)
    done = example("--epochs", 2, "--hidden", 100)
    assert done.returncode == 1
    assert "000001-step-45: hidden is 100, the run was started with 256" in done.stderr


@pytest.mark.filterwarnings("ignore:overflow", "ignore:invalid value")  # NumPy warns first
def test_a_loss_that_is_not_a_number_ends_the_run(example, tmp_path):
    done = example("--optimizer", "sgd", "--lr", "1e30", "--epochs", 3)
    assert done.returncode == 1
    assert "in step" in done.stderr.splitlines()[-1]
    assert "nothing was saved since: try a smaller lr" in done.stderr
    assert not (tmp_path / "runs/train_digits/model.npz").exists()


def test_without_pictures_and_bar(example, tmp_path, monkeypatch):
    for name in ("matplotlib", "matplotlib.figure", "rich", "rich.console", "rich.live"):
        monkeypatch.setitem(sys.modules, name, None)
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    done = example("--epochs", 1)
    assert accuracy(done) > 50
    assert "epoch 1/1" in done.stdout
    assert "matplotlib is not installed (pip install 'gpugrad[examples]')" in done.stdout
    assert (tmp_path / "runs/train_digits/model.npz").exists()
    assert not (tmp_path / "runs/train_digits/misclassified.png").exists()


@pytest.mark.skipif(sys.platform == "win32", reason="needs a pseudo-terminal")
def test_a_terminal_gets_a_progress_bar(tmp_path, device, request):
    in_a_process_of_its_own(request)
    pytest.importorskip("rich", reason="rich draws the bar")
    import pty

    ours, theirs = pty.openpty()
    environment = variables(TERM="xterm", COLUMNS="140")
    with subprocess.Popen(
        command(device, "--epochs", 2), cwd=tmp_path, env=environment, stdout=theirs, stderr=theirs
    ) as process:
        os.close(theirs)
        shown = b""
        try:
            while part := os.read(ours, 65536):
                shown += part
        except OSError:  # Linux: the other end was closed
            pass
    os.close(ours)
    text = shown.decode()
    assert process.returncode == 0, text
    assert "━" in text
    assert "epoch 2/2" in text
    assert "test accuracy" in text
