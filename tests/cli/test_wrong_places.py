"""Folders, checkpoints and classes that are not what a command takes them for: status 2, and what to write instead."""

from __future__ import annotations

import builtins
import sys

import numpy
import pytest

import gpugrad as gg
from gpugrad import cli, data
from gpugrad.training.checkpoints import stores
from gpugrad.training.program import compared, described

pytest.importorskip("safetensors", reason="checkpoints need safetensors: pip install 'gpugrad[train]'")

CONFIG = """\
epochs = 1
[data]
use = "ours_places.py:both"
[loader]
batch_size = 10
[model]
use = "ours_places.py:line"
[loss]
use = "mse_loss"
[optimizer]
use = "SGD"
lr = 0.1
[trainer]
save_every = 1
"""
OWN = """\
import numpy

from gpugrad import data, nn


def both():
    x = numpy.linspace(-1, 1, 40, dtype=numpy.float32).reshape(-1, 1)
    return data.ArrayDataset(x, 3 * x + 1), data.ArrayDataset(x, 3 * x + 1)


def line():
        return nn.Linear(1, 1)
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.chdir(tmp_path)
    device, state = gg.get_default_device(), gg.random.default_generator.state
    (tmp_path / "ours_places.py").write_text(OWN)
    (tmp_path / "t.toml").write_text(CONFIG)
    yield tmp_path
    gg.set_default_device(device)
    gg.random.default_generator.state = state
    sys.modules.pop("ours_places", None)


def test_places_that_are_none(folder, capsys, monkeypatch):
    monkeypatch.setenv("HOME", "/somewhere")
    (folder / "file").write_text("kept")
    (folder / "link").symlink_to("nowhere")
    (folder / "one/cats").mkdir(parents=True)
    expected = {
        "train t.toml --out file": "expected a folder for the run, file is a file",
        "train t.toml --out file/run": "expected a folder for the run, file is a file",
        "train t.toml --out link": "expected a folder for the run, link is a broken link",
        "train t.toml --out ~/run": "in which ~ is not replaced: write /somewhere/run",
        "report nowhere": "there is no log.jsonl in nowhere: gpugrad train --out nowhere starts a run there",
        "init file": "nothing can be written to file: File exists",
        "init mine --images one": "expected a folder for each of at least 2 classes in one, found one",
    }
    for words, message in expected.items():
        assert cli.main(words.split()) == 2, words
        assert message in capsys.readouterr().err
    assert (folder / "file").read_text() == "kept"
    assert not (folder / "mine").exists()


def test_a_run_that_ended_before_it_had_saved_says_that_it_begins_again(folder, capsys):
    assert cli.main(["train", "t.toml", "--out", "run"]) == 0
    for path in (folder / "run/checkpoints").iterdir():
        path.rename(folder / path.name)
    capsys.readouterr()
    assert cli.main(["train", "t.toml", "--out", "run"]) == 0
    again = "starting again from step 0: the run that was here ended before it had saved"
    assert again in capsys.readouterr().out
    assert cli.main(["train", "t.toml", "--out", "run", "--fresh"]) == 0
    assert again not in capsys.readouterr().out
    assert cli.main(["evaluate", "run", "--data", "mnits"]) == 2
    assert capsys.readouterr().err.startswith(
        "gpugrad: --data mnits: there is no 'mnits' in gpugrad.data; did you mean"
    )


@pytest.mark.parametrize("where", ["def line():\n", "    def forward(self, x):\n"])
def test_too_little_memory_is_one_sentence(folder, capsys, where):
    model = "\n\nclass Line(nn.Linear):\n    def forward(self, x):\n        return super().forward(x)\n"
    text = OWN.replace("nn.Linear(1, 1)", "Line(1, 1)") + model
    (folder / "ours_places.py").write_text(text.replace(where, f"{where}        raise MemoryError\n"))
    assert cli.main(["train", "t.toml", "--out", "run"]) == 1
    said = capsys.readouterr().err
    assert said.endswith("gpugrad: not enough memory: it is used up; a smaller loader.batch_size or model needs less\n")
    assert "Traceback" not in said


def test_other_files_of_the_same_number_are_told(tmp_path):
    image = pytest.importorskip("PIL.Image", reason="images are read by Pillow: pip install 'gpugrad[images]'")

    def program(name):
        loader = data.DataLoader(data.ImageFolder(tmp_path / name, 4), 2)
        return described(model=None, loss=None, optimizer=None, scheduler=None, ema=None, data=loader, options={},
                         metrics=[], callbacks=0, settings={})  # fmt: skip

    for kind in ("cat", "dog"):
        (tmp_path / "a" / kind).mkdir(parents=True)
        image.new("L", (5, 5)).save(tmp_path / "a" / kind / "0.png")
    before = program("a")
    (tmp_path / "a").rename(tmp_path / "elsewhere")
    assert compared(program("elsewhere"), before) == ([], [])
    (tmp_path / "elsewhere/dog/0.png").rename(tmp_path / "elsewhere/dog/1.png")
    refused, told = compared(program("elsewhere"), before)
    assert (refused, [text.partition(" is ")[0] for text in told]) == ([], ["data.files"])


def test_a_package_for_a_store_is_named(monkeypatch):
    pytest.importorskip("fsspec")
    real = builtins.__import__

    def without(name, *rest, **more):
        if name.partition(".")[0] in ("s3fs", "gcsfs"):
            raise ImportError(f"No module named {name!r}")
        return real(name, *rest, **more)

    monkeypatch.setattr(builtins, "__import__", without)
    for name in ("s3fs", "gcsfs"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    for url, extra in (("s3://bucket/run", "s3"), ("gs://bucket/run", "gcs")):
        with pytest.raises(ImportError, match=rf"pip install 'gpugrad\[{extra}\]'"):
            stores.store(url)


class Named(data.ArrayDataset):
    def __init__(self, *classes):
        super().__init__(numpy.zeros((4, 1), "f"), numpy.arange(4) % 2)
        self.classes = list(classes)


def test_a_difference_is_said_once_and_other_classes_are_refused():
    def program(dataset, batch_size=2, **settings):
        loader = data.DataLoader(dataset, batch_size)
        return described(model=None, loss=None, optimizer=None, scheduler=None, ema=None, data=loader, options={},
                         metrics=[], callbacks=0, settings=settings)  # fmt: skip

    before = program(Named("cat", "dog"), **{"loader.batch_size": 2, "loader.shuffle": None})
    assert compared(program(Named("dog", "cat"), **{"loader.batch_size": 2}), before) == (
        ["data.classes is dog, cat, the run was started with cat, dog"],
        [],
    )
    refused, _ = compared(program(Named("cat", "dog"), 4, **{"loader.batch_size": 4}), before)
    assert refused == ["data.batch_size is 4, the run was started with 2"]
    many = [f"class {i}" for i in range(100)]
    refused, _ = compared(program(Named(*many)), program(Named(*reversed(many))))
    assert "100 classes (" in refused[0]


def test_a_model_does_not_speak_of_classes_that_were_renamed(folder, capsys):
    (folder / "ours_places.py").write_text(
        "import numpy\n\nfrom gpugrad import data, nn\n\n\ndef both():\n    "
        "x = data.ArrayDataset(numpy.eye(4, dtype='f'), numpy.arange(4) % 2)\n    x.classes = ['cat', 'dog']\n    "
        "return x, x\n\n\ndef line():\n    return nn.Linear(4, 2)\n"
    )
    numpy.save(folder / "x.npy", numpy.ones((1, 4), "f"))
    wanted = ["--set", "loss.use=cross_entropy"]
    assert cli.main(["train", "t.toml", "--out", "run", *wanted]) == 0
    assert cli.main(["predict", "run", "x.npy"]) == 0  # on a GPU too
    assert cli.main(["evaluate", "run"]) == 0
    text = (folder / "ours_places.py").read_text()
    (folder / "ours_places.py").write_text(text.replace("['cat', 'dog']", "['dog', 'zebra']"))
    sys.modules.pop("ours_places")
    capsys.readouterr()
    for command in (["predict", "run", "x.npy"], ["evaluate", "run"], ["train", "t.toml", "--out", "run", *wanted]):
        assert cli.main(command) == 2, command
        said = capsys.readouterr().err
        assert "dog, zebra, the run was started with cat, dog" in said
