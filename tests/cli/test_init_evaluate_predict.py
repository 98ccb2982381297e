"""``gpugrad init``, ``evaluate`` and ``predict``: from nothing to a trained model that says what it sees."""

from __future__ import annotations

import inspect
import re
import subprocess
import sys
import tomllib

import numpy
import pytest

import gpugrad as gg
from gpugrad import cli, data, optim, training
from gpugrad.cli.init import BY_OTHERS, UNSET

pytestmark = pytest.mark.any_device
pytest.importorskip("safetensors", reason="checkpoints need safetensors: pip install 'gpugrad[train]'")
pytest.importorskip("sklearn", reason="the digits are scikit-learn's")
Image = pytest.importorskip("PIL.Image", reason="images are read by Pillow: pip install 'gpugrad[images]'")

OWN = """\
import numpy
from gpugrad import data, nn


def table():
    x = numpy.random.default_rng(0).uniform(-1, 1, (20, 2)).astype(numpy.float32)
    return data.ArrayDataset(x, x @ numpy.float32([[1], [2]])), data.ArrayDataset(x, x @ numpy.float32([[1], [2]]))


def pairs():
    x = table()[0].arrays[0]
    return data.ArrayDataset(x, x, x[:, :1])


def few():
    return data.ArrayDataset(*(a[:4] for a in table()[0].arrays))


def signs():
    x = table()[0].arrays[0]
    return data.ArrayDataset(x, (x[:, :1] > 0).astype(numpy.float32))


def line():
    return nn.Linear(2, 1)
"""

TABLE = """\
epochs = 3
data.use = "ours_init.py:table"
loader.batch_size = 8
model.use = "ours_init.py:line"
loss.use = "mse_loss"
optimizer = { use = "SGD", lr = 0.5 }
trainer.progress = false
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.chdir(tmp_path)
    device, state = gg.get_default_device(), gg.random.default_generator.state
    (tmp_path / "ours_init.py").write_text(OWN)
    (tmp_path / "table.toml").write_text(TABLE)
    yield tmp_path
    gg.set_default_device(device)
    gg.random.default_generator.state = state
    for name in ("model", "ours_init"):
        sys.modules.pop(name, None)


def said(capsys, *command, status=0):
    """What a command writes."""
    try:
        found = cli.main([str(part) for part in command])
    except SystemExit as stopped:
        found = stopped.code
    captured = capsys.readouterr()
    assert found == status, captured.err
    return captured.err if status else captured.out


def colours(folder, counts):
    """Images of which the class can be seen."""
    random = numpy.random.default_rng(0)
    for (name, count), colour in zip(counts.items(), ("red", "blue", "green"), strict=False):
        (folder / name).mkdir(parents=True)
        for number in range(count):
            image = Image.new("RGB", (30, 20), colour)
            image.putpixel((int(random.integers(30)), 3), (0, 0, 0))
            image.save(folder / name / f"{number}.png")


def test_a_new_configuration_runs_as_written(folder, capsys):
    out = said(capsys, "init")
    assert out.splitlines()[0] == "written: train.toml and model.py"
    assert "gpugrad train train.toml --dry-run" in out
    text = (folder / "train.toml").read_text()
    assert max(map(len, text.splitlines())) <= 120
    assert "nothing is wrong" in said(capsys, "train", "train.toml", "--dry-run")
    said(capsys, "train", "train.toml", "--epochs", 2, "--set", "trainer.progress=false")
    lines = said(capsys, "evaluate", "runs/train").splitlines()
    assert lines[0] == "runs/train at step 90, on validation data, 359 examples:"
    assert float(re.fullmatch(r"accuracy  ([\d.]+) %", lines[2])[1]) > 60
    assert "is there already" in said(capsys, "init", status=2)
    assert (folder / "train.toml").read_text() == text
    said(capsys, "init", "--force")
    said(capsys, "init", "deep/er")
    assert 'out = "runs/er"' in (folder / "deep/er/train.toml").read_text()
    assert (folder / "deep/er/model.py").is_file()


def test_every_setting_is_shown_with_its_default(folder, capsys):
    said(capsys, "init")
    text = (folder / "train.toml").read_text()
    whole = re.sub(r"^# (\[|\w+ = )", r"\1", text, flags=re.MULTILINE)
    values = tomllib.loads(whole)
    for function, name, defaults in [
        (data.DataLoader, "loader", {"shuffle": True}), (training.Trainer, "trainer", {}), (data.digits, "data", {}),
        (optim.Adam, "optimizer", {}), (training.EarlyStopping, "callbacks.early", {}),
        (optim.swa_utils.ExponentialMovingAverage, "ema", {}),
    ]:  # fmt: skip
        table = values
        for part in name.split("."):
            table = table[part]
        parameters = inspect.signature(function).parameters
        assert table.keys() - {"use"} == parameters.keys() - BY_OTHERS, name
        for key in table.keys() - {"use"} - UNSET.keys():
            if f"\n# {key} = " in text.partition(f"[{name}]")[2].partition("\n[")[0]:
                default = defaults.get(key, parameters[key].default)
                assert table[key] == (list(default) if isinstance(default, tuple) else default), (name, key)
    unset = "|".join(UNSET)
    everything = re.sub(rf"^(?:{unset}) = .*\n", "", whole, flags=re.MULTILINE)
    (folder / "all.toml").write_text(everything)
    assert "nothing is wrong" in said(capsys, "train", "all.toml", "--dry-run")


def test_images_from_a_folder_to_predictions(folder, capsys):
    colours(folder / "flowers", {"rose": 12, "cornflower": 12})
    said(capsys, "init", "mine", "--images", "flowers")
    settings = ["--set", "trainer.progress=false", "--set", "data.size=16", "--set", "model.size=16", "--epochs", "4"]
    said(capsys, "train", "mine/train.toml", "--out", "runs/f", *settings)
    lines = said(capsys, "predict", "runs/f", "flowers/rose/1.png", "flowers/cornflower", "--save", "out.csv")
    kinds = [re.fullmatch(r"(\S+) +(\w+) \([\d.]+ %\)", line)[2] for line in lines.splitlines()]
    assert kinds == ["rose"] + ["cornflower"] * 12
    table = [line.split(",") for line in (folder / "out.csv").read_text().splitlines()]
    assert table[0] == ["input", "class", "probability", "cornflower", "rose"]
    assert table[1][:2] == ["flowers/rose/1.png", "rose"]
    assert float(table[1][2]) == float(table[1][4]) > 0.5
    colours(folder / "others", {"rose": 3})
    assert "on others, 3 examples:" in said(capsys, "evaluate", "runs/f", "--data", "others")
    colours(folder / "unknown", {"tulip": 3})
    assert "has the class 'tulip'" in said(capsys, "evaluate", "runs/f", "--data", "unknown", status=2)
    assert "expected inputs of shape (3, 16, 16)" in (
        numpy.save("x.npy", numpy.zeros(5)), said(capsys, "predict", "runs/f", "x.npy", status=2)
    )[1]  # fmt: skip
    for wrong, message in [("nowhere", "there is no folder nowhere"), ("flowers/rose", "expected a folder for each")]:
        assert message in said(capsys, "init", "other", "--images", wrong, status=2)
    assert not (folder / "other").exists()


def test_numbers_from_tables_and_arrays(folder, capsys):
    said(capsys, "train", "table.toml", "--out", "runs/t", "--set", "optimizer.lr=0.5", "--epochs", 60)
    (folder / "in.csv").write_text("width,height\n0.5,0.25\n\n-0.25,0\n")
    lines = said(capsys, "predict", "runs/t", "in.csv").splitlines()
    assert [line.split()[0] for line in lines] == ["in.csv:2", "in.csv:4"]
    numpy.testing.assert_allclose([float(line.split()[1]) for line in lines], [1.0, -0.25], atol=0.05)
    numpy.save("many.npy", numpy.array([[0.5, 0.25], [-0.25, 0]]))
    numpy.save("one.npy", numpy.array([0.5, 0.25]))
    again = said(capsys, "predict", "runs/t", "many.npy", "one.npy", "--save", "y.npy").splitlines()
    assert [line.split()[0] for line in again] == ["many.npy[0]", "many.npy[1]", "one.npy"]
    assert [line.split()[1] for line in again[:2]] == [line.split()[1] for line in lines]
    assert numpy.load("y.npy").shape == (3, 1)
    said(capsys, "predict", "runs/t", "in.csv", "--save", "y.csv")
    assert (folder / "y.csv").read_text().splitlines()[0] == "input,output 0"
    assert cli.main(["predict", "runs/t", "one.npy"]) == 0
    numpy.save("far.npy", numpy.array([100.0, 0]))
    assert cli.main(["predict", "runs/t", "far.npy"]) == 0
    assert "far.npy has values from 0 to 100, the data of the run from -0." in capsys.readouterr().err


def test_two_classes_in_one_output(folder, capsys):
    changes = ["--set", "data.use=ours_init.py:signs", "--set", "loss.use=binary_cross_entropy_with_logits"]
    said(capsys, "train", "table.toml", "--out", "runs/s", *changes, "--epochs", 40)
    (folder / "in.csv").write_text("0.9,0.9\n-0.9,-0.9\n")
    lines = said(capsys, "predict", "runs/s", "in.csv", "--top", 2).splitlines()
    assert [re.split(" +", line)[1] for line in lines] == ["1", "0"]
    assert [line.count("%") for line in lines] == [2, 2]
    assert "there is no validation data: use --data train" in said(capsys, "evaluate", "runs/s", status=2)
    assert "train data, 20 examples" in said(capsys, "evaluate", "runs/s", "--data", "train")
    assert ", 4 examples" in said(capsys, "evaluate", "runs/s", "--data", "ours_init.py:few")


def test_checkpoints_are_chosen(folder, capsys):
    said(capsys, "train", "table.toml", "--out", "runs/t", "--set", "trainer.save_every=3")
    assert "at step 9" in said(capsys, "evaluate", "runs/t")
    assert "at step 6" in said(capsys, "evaluate", "runs/t", "--checkpoint", "6")
    (name,) = (path.name for path in (folder / "runs/t/checkpoints").glob("*-step-6"))
    assert "at step 6" in said(capsys, "evaluate", "runs/t", "--checkpoint", name)
    assert "at step 9" in said(capsys, "evaluate", "runs/t", "--checkpoint", "best")
    assert "no '5' among them" in said(capsys, "evaluate", "runs/t", "--checkpoint", "5", status=2)
    before = {path: path.stat().st_mtime_ns for path in (folder / "runs").rglob("*")}
    said(capsys, "evaluate", "runs/t")
    assert {path: path.stat().st_mtime_ns for path in (folder / "runs").rglob("*")} == before, "nothing is written"
    with training.Checkpointer("runs/t/checkpoints") as running:  # also while it trains
        running.own()
        said(capsys, "evaluate", "runs/t")
    (folder / "ours_init.py").write_text(OWN.replace("nn.Linear(2, 1)", "nn.Linear(2, 3)") + "# no old bytecode\n")
    sys.modules.pop("ours_init")
    assert "does not fit model" in said(capsys, "evaluate", "runs/t", status=1)


def test_in_a_bucket(folder, capsys):
    fsspec = pytest.importorskip("fsspec", reason="buckets need fsspec: pip install 'gpugrad[train]'")
    said(capsys, "train", "table.toml", "--out", "memory://ours_init/t")
    try:
        assert "memory://ours_init/t at step 9" in said(capsys, "evaluate", "memory://ours_init/t")
    finally:
        fsspec.filesystem("memory").rm("/ours_init", recursive=True)


def test_a_reader_that_has_enough(folder, capsys):
    said(capsys, "train", "table.toml", "--out", "runs/t")
    numpy.save("many.npy", numpy.zeros((20_000, 2)))
    command = [sys.executable, "-m", "gpugrad", "predict", "runs/t", "many.npy"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline().startswith("many.npy[0]")
        process.stdout.close()
        assert process.stderr.read() == ""
    assert process.returncode == 0


WRONG = [
    (["predict", "runs/t", "nowhere.png"], 2, "there is no file nowhere.png"),
    (["predict", "runs/t", "table.toml"], 2, "table.toml: expected an image (.bmp"),
    (["predict", "runs/t", "no_images"], 2, "has no images"),
    (["predict", "runs/t", "x.png"], 2, "x.png is an image, the model takes inputs of shape (2,)"),
    (["predict", "runs/t", "three.csv"], 2, "three.csv:1: expected 2 numbers, one input, got 3"),
    (["predict", "runs/t", "words.csv"], 2, "words.csv:2: expected numbers, got ['a', 'b']"),
    (["predict", "runs/t", "empty.csv"], 2, "has no rows of numbers"),
    (["predict", "runs/t", "nan.csv"], 2, "expected finite numbers"),
    (["predict", "runs/t", "text.npy"], 2, "expected numbers, got <U1"),
    (["predict", "runs/t", "objects.npy"], 2, "is not an array in NumPy's format"),
    (["predict", "runs/t", "ok.csv", "--top", "0"], 2, "--top: expected a number from 1 on"),
    (["predict", "runs/t", "ok.csv", "--save", "x.txt"], 2, "--save: expected a name that ends in .csv or .npy"),
    (["predict", "runs/t", "ok.csv", "--save", "no/x.csv"], 1, "no/x.csv cannot be written"),
    (["predict", "runs/none", "ok.csv"], 2, "there is no run.json in runs/none"),
    (["evaluate", "runs/t", "--data", "nowhere"], 2, "there is no 'nowhere' in gpugrad.data"),
    (["evaluate", "runs/t", "--data", "runs"], 2, "runs is a folder, and the configuration's data is not"),
    (["evaluate", "runs/t", "--data", "os:getcwd"], 2, "--allow os lets it be used"),
    (["evaluate", "runs/script"], 2, "is the run of the function"),
    (["evaluate", "runs/empty"], 1, "there is no checkpoint in runs/empty/checkpoints yet"),
    (["evaluate", "runs/t", "--device", "gpu"], 2, "gpu"),
]


def test_what_cannot_be_evaluated_or_predicted(folder, capsys):
    said(capsys, "train", "table.toml", "--out", "runs/t")
    for name in ("runs/script", "runs/empty", "no_images"):
        (folder / name).mkdir()
    record = (folder / "runs/t/run.json").read_text()
    (folder / "runs/empty/run.json").write_text(record)
    (folder / "runs/script/run.json").write_text('{"target": "/x.py:f", "changes": [], "text": null, "out": "x"}')
    Image.new("L", (2, 2)).save("x.png")
    for name, text in [("three", "1,2,3"), ("words", "1,2\na,b"), ("empty", "a,b\n"), ("nan", "nan,1"), ("ok", "1,2")]:
        (folder / f"{name}.csv").write_text(text)
    numpy.save("text.npy", numpy.array(["a", "b"]))
    numpy.save("objects.npy", numpy.array([{}, {}]), allow_pickle=True)
    for command, status, message in WRONG:
        found = said(capsys, *command, status=status)
        assert message in found, command
        assert found.startswith("gpugrad: "), command
    said(capsys, "train", "table.toml", "--out", "runs/p", "--dry-run", "--set", "data.use=ours_init.py:pairs")
