"""Nobody reads what a command says: the pipe is closed, the disk is full, there is no standard output at all."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

pytest.importorskip("safetensors", reason="checkpoints need safetensors: pip install 'gpugrad[train]'")

CONFIG = """\
epochs = 4
[data]
use = "model.py:images"
[loader]
batch_size = 15
[model]
use = "model.py:network"
[loss]
use = "cross_entropy"
[optimizer]
use = "SGD"
lr = 0.1
"""
MODEL = """\
import numpy
from gpugrad import data, nn


def images():
    x = numpy.random.default_rng(0).random((60, 1, 8, 8), dtype=numpy.float32)
    return [data.ArrayDataset(x[i::2], numpy.arange(30) % 10) for i in range(2)]


def network():
    return nn.Sequential(nn.Flatten(), nn.Linear(64, 10))
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("config")
    (path / "train.toml").write_text(CONFIG)
    (path / "model.py").write_text(MODEL)
    return path


def ended(folder, *words, close=False, full=False):
    """The exit status, and what was said on standard error, of a command whose standard output cannot be written."""
    reader, writer = os.pipe()
    os.close(reader)
    sink = os.open("/dev/full", os.O_WRONLY) if full else writer
    shell = ["sh", "-c", '"$@" >&-', "sh"] if close else []
    command = [*shell, sys.executable, "-m", "gpugrad", *words]
    done = subprocess.run(command, stdout=sink, stderr=subprocess.PIPE, text=True, cwd=folder, check=False, timeout=120)
    for fd in {sink, writer}:
        os.close(fd)
    assert "Traceback" not in done.stderr, done.stderr
    return done.returncode, done.stderr


FULL = pytest.param("full", marks=pytest.mark.skipif(not os.path.exists("/dev/full"), reason="there is no /dev/full"))


@pytest.mark.parametrize("how", ["pipe", FULL])
def test_training_goes_on_to_its_end(folder, how):
    status, said = ended(folder, "train", "train.toml", "--out", how, **({} if how == "pipe" else {how: True}))
    assert status == 0, said
    assert "the progress is not shown any more" in said
    assert (folder / how / "report.html").is_file()
    assert len(os.listdir(folder / how / "checkpoints")) >= 1


def test_other_commands_do_their_work_and_say_when_it_is_lost(folder):
    import numpy

    numpy.save(folder / "x.npy", numpy.zeros((30, 1, 8, 8), "f"))
    assert ended(folder, "train", "train.toml", "--out", "run", close=True) == (0, "")
    assert ended(folder, "predict", "run", "x.npy", "--save", "y.npy") == (0, "")
    assert numpy.load(folder / "y.npy").shape == (30, 10)
    if os.path.exists("/dev/full"):
        lost = "gpugrad: the standard output cannot be written: No space left on device\n"
        assert ended(folder, "evaluate", "run", full=True) == (1, lost)
