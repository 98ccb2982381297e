"""``gpugrad train``, ``resume`` and ``report``: from a configuration and from a script."""

from __future__ import annotations

import json
import shlex
import signal
import subprocess
import sys
import time

import numpy
import pytest

import gpugrad as gg
from gpugrad import cli
from gpugrad.cli.run import Run
from gpugrad.cli.train import again

pytestmark = pytest.mark.any_device
pytest.importorskip("safetensors", reason="checkpoints need safetensors: pip install 'gpugrad[train]'")

OWN = """\
import numpy

import gpugrad as gg
from gpugrad import data, nn, optim, training


def points(count=40):
    x = numpy.linspace(-1, 1, count, dtype=numpy.float32).reshape(-1, 1)
    return data.ArrayDataset(x, 3 * x + 1), data.ArrayDataset(x, 3 * x + 1)


def alone():
    return points()[0]


def split():
    return [*data.random_split(alone(), [0.75, 0.25])]


def rows():
    return [(x, y) for x, y in zip(*(array[:2] for array in alone().arrays))]


def line(bias=True):
    return nn.Linear(1, 1, bias=bias)


class Late(optim.lr_scheduler.LRScheduler):
    def __init__(self, optimizer, step_size, gamma):
        super().__init__(optimizer)

    def get_lr(self):
        return [0.1 if self.last_epoch < 1 else "a" - 1 for _ in self.optimizer.param_groups]


class Odd(training.Metric):
    def update(self, outputs, targets):
        pass

    def compute(self):
        raise AttributeError("'Odd' object has no value")


def train(out, epochs=2, lr=0.1):
    seed, _ = gg.random.default_generator.state
    print(f"training in {out} for {epochs} at {lr} on {gg.get_default_device()}, seed {seed}")
    return 3 if epochs == 0 else None
"""

TOML = """\
epochs = 2
seed = 1

[data]
use = "our_points.py:points"

[loader]
batch_size = 8

[model]
use = "our_points.py:line"

[loss]
use = "mse_loss"

[optimizer]
use = "SGD"
lr = 0.1
momentum = 0.5

[scheduler]
use = "StepLR"
step_size = 1
gamma = 0.5

[trainer]
schedule = "epoch"
save_every = 3
progress = false
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.chdir(tmp_path)
    sys.modules.pop("our_points", None)
    (tmp_path / "our_points.py").write_text(OWN)
    (tmp_path / "train.toml").write_text(TOML)
    device, state = gg.get_default_device(), gg.random.default_generator.state
    yield tmp_path
    gg.set_default_device(device)
    gg.random.default_generator.state = state
    sys.modules.pop("our_points", None)


def newest(out):
    """The parameters of the newest checkpoint."""
    from safetensors.numpy import load_file

    last = max((out / "checkpoints").iterdir())
    return {name: value for file in sorted(last.glob("*.safetensors")) for name, value in load_file(file).items()}


def same(a, b):
    assert a.keys() == b.keys()
    for name in a:
        numpy.testing.assert_array_equal(a[name], b[name])


def test_a_configuration_trains(folder, capsys):
    assert cli.main(["train", "train.toml", "--out", "runs/a"]) == 0, capsys.readouterr().err
    out = folder / "runs" / "a"
    assert {"run.json", "log.jsonl", "report.html", "checkpoints"} <= {path.name for path in out.iterdir()}
    assert capsys.readouterr().out == "report: runs/a/report.html\n"
    losses = [row["loss"] for row in map(json.loads, (out / "log.jsonl").read_text().splitlines()) if "loss" in row]
    assert losses[-1] < losses[0]


def test_the_same_command_goes_on(folder, capsys):
    whole = ["train", "train.toml", "--out", "runs/whole", "--epochs", "3"]
    assert cli.main(whole) == 0
    assert cli.main(["train", "train.toml", "--out", "runs/parts", "--epochs", "1"]) == 0
    assert cli.main(["train", "train.toml", "--out", "runs/parts", "--epochs", "3"]) == 0
    same(newest(folder / "runs" / "whole"), newest(folder / "runs" / "parts"))


def test_resume_needs_the_folder_alone(folder, capsys):
    assert cli.main(["train", "train.toml", "--out", "runs/a", "--set", "optimizer.lr=0.2", "--device", "cpu"]) == 0
    (folder / "train.toml").unlink()  # the folder has a copy
    before = newest(folder / "runs" / "a")
    assert cli.main(["resume", "runs/a"]) == 0
    same(before, newest(folder / "runs" / "a"))  # it was done
    assert json.loads((folder / "runs/a/settings.json").read_text())["optimizer.lr"] == 0.2


def test_told_to_go_it_saves_and_says_how_to_resume(folder):
    command = [sys.executable, "-m", "gpugrad", "train", "train.toml", "--out", "runs/a", "--epochs", "1000000"]
    for number, status in ((signal.SIGTERM, 75), (signal.SIGINT, 130)):
        before = len(list(folder.glob("runs/a/log.jsonl"))) and (folder / "runs/a/log.jsonl").stat().st_size
        run = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        while run.poll() is None and not (
            (log := folder / "runs/a/log.jsonl").is_file() and log.stat().st_size > before + 1000
        ):
            time.sleep(0.02)
        run.send_signal(number)
        assert run.wait(60) == status, run.stderr.read()
        assert list(folder.glob("runs/a/checkpoints/*-step-*/manifest.json"))
        ended, report, again = run.stdout.read().splitlines()
        assert ended.startswith(f"{number.name}: saved behind step ")
        assert (report, again.partition(": ")[0]) == ("report: runs/a/report.html", "resume")
        assert (folder / "runs/a/report.html").is_file()
        command = shlex.split(again.partition(": ")[2])  # the second time it is started as it says itself
        assert command[1:] == ["-m", "gpugrad", "resume", "runs/a"]
        run.stdout.close()
        run.stderr.close()


def test_a_folder_that_cannot_be_written(folder, capsys):
    (folder / "runs").write_text("a file")
    assert cli.main(["train", "train.toml", "--out", "runs/a"]) == 2
    assert capsys.readouterr().err.startswith("gpugrad: ")


@pytest.mark.parametrize(
    ("known", "allow", "command"),
    [
        (Run("/a/train.toml", "runs/my run", (), ""), [], "gpugrad resume 'runs/my run'"),
        (Run("/a/script.py:f", "runs/a", ("lr=1",)), ["x"], "gpugrad resume runs/a --allow x"),
        (Run("/a/script.py:f", "", ("lr=1", "b=2 3")), [], "gpugrad train /a/script.py:f --set lr=1 --set 'b=2 3'"),
        (Run("t.toml", "sftp://a:b@host/x", ("out='sftp://a:b@host/x'",), ""), [], "gpugrad train t.toml --set "
         "'out='\"'\"'sftp://a:***@host/x'\"'\"''"),
    ],
)  # fmt: skip
def test_the_command_that_resumes_a_run(monkeypatch, known, allow, command):
    monkeypatch.setattr(sys, "orig_argv", ["python"])
    assert again(known, allow) == command
    monkeypatch.setattr(sys, "orig_argv", ["python3", "-m", "gpugrad", "train"])
    assert again(known, allow) == command.replace("gpugrad", "python3 -m gpugrad", 1)
    monkeypatch.setattr(sys, "orig_argv", ["python3", "/opt/gpugrad"])
    monkeypatch.setattr(sys, "argv", ["/opt/gpugrad"])
    assert again(known, allow) == command.replace("gpugrad", "/opt/gpugrad", 1)


def test_the_folder_of_another_run(folder, capsys):
    assert cli.main(["train", "train.toml", "--out", "runs/a", "--epochs", "1"]) == 0
    assert cli.main(["train", "train.toml", "--out", "runs/a", "--set", "optimizer.lr=0.3"]) == 2
    assert "optimizer.lr is 0.3, the run was started with 0.1" in capsys.readouterr().err


WRONG = [
    ("train.toml", ["--set", "optimizer.lr=0.3"], "the run was started with 0.1"),
    ("train.toml", ["--set", "optimizer.use=Adm"], "there is no 'Adm'"),
    ("train.toml", ["--seed", "-1"], "expected seed from 0"),
    ("train.toml", ["--epochs", "-1"], "expected epochs from 0 on"),
    ("our_points.py:nosuch", [], "there is no 'nosuch'"),
    ("our_points.py:train", ["--set", "out=3"], "runs/a holds the run of"),
    ("other.toml", [], "there is no file"),
]


@pytest.mark.parametrize(("target", "options", "message"), WRONG)
def test_what_is_refused_leaves_the_folder_as_it_was(folder, capsys, target, options, message):
    assert cli.main(["train", "train.toml", "--out", "runs/a", "--epochs", "1"]) == 0
    before = {path: path.read_bytes() for path in (folder / "runs/a").rglob("*") if path.is_file()}
    command = ["train", target, "--out", "runs/a", *options]
    try:
        status = cli.main(command)
    except SystemExit as stopped:
        status = stopped.code
    assert status == 2
    assert message in capsys.readouterr().err
    assert {path: path.read_bytes() for path in (folder / "runs/a").rglob("*") if path.is_file()} == before
    assert cli.main(["resume", "runs/a"]) == 0


def test_a_foreign_configuration_calls_nothing_but_what_is_allowed(folder, capsys):
    text = TOML.replace('"our_points.py:line"', '"os:system"\ncommand = "touch pwned"').replace(
        'use = "our_points.py:points"', 'use = "digits"'
    )
    (folder / "evil.toml").write_text(text)
    (folder / "stranger").mkdir()
    record = {"target": str(folder / "evil.toml"), "out": "x", "changes": [], "text": text}
    (folder / "stranger" / "run.json").write_text(json.dumps(record))
    for command in (["train", "evil.toml", "--out", "runs/a"], ["resume", "stranger"]):
        assert cli.main(command) == 2
        said = capsys.readouterr().err
        assert "os is neither: --allow os lets it be used" in said
    assert f"resuming stranger runs run.json, with the files in {folder}" in said
    assert not (folder / "pwned").exists()
    assert not (folder / "runs").exists()
    assert cli.main(["train", "evil.toml", "--out", "runs/a", "--allow", "os"]) == 2
    assert "expected a gpugrad.nn.Module, got int" in capsys.readouterr().err
    assert (folder / "pwned").exists(), "it was allowed"


def test_a_run_of_another_process_is_refused_until_it_is_taken_over(folder, capsys):
    command = ["train", "train.toml", "--out", "runs/a", "--epochs", "1"]
    assert cli.main(command) == 0
    with gg.training.Checkpointer("runs/a/checkpoints") as other:
        other.own()
        before = (folder / "runs/a/run.json").read_bytes(), (folder / "runs/a/log.jsonl").read_bytes()
        assert cli.main([*command, "--epochs", "2"]) == 2
        assert "runs/a/checkpoints belongs to another Checkpointer of this process" in capsys.readouterr().err
        assert ((folder / "runs/a/run.json").read_bytes(), (folder / "runs/a/log.jsonl").read_bytes()) == before
        assert cli.main([*command, "--epochs", "2", "--takeover"]) == 0
        with pytest.raises(gg.training.OwnedError):
            other.save(9)


def test_fresh_and_dry_runs(folder, capsys):
    command = ["train", "train.toml", "--out", "runs/a"]
    assert cli.main([*command, "--dry-run"]) == 0
    assert "a Linear of 2 parameters for 2 epochs in runs/a" in capsys.readouterr().out
    assert not (folder / "runs").exists()
    assert cli.main(command) == 0
    first = newest(folder / "runs/a")
    assert cli.main([*command, "--fresh", "--set", "optimizer.lr=0.3"]) == 0
    assert not numpy.array_equal(first["parts/model/weight"], newest(folder / "runs/a")["parts/model/weight"])
    assert cli.main(["resume", "runs/a"]) == 0
    assert cli.main(["train", "our_points.py:train", "--out", "runs/b", "--dry-run"]) == 0
    assert not (folder / "runs/b").exists()


@pytest.mark.parametrize("out", ["", "/", "//", "memory://"])
def test_the_root_of_a_disk_is_no_folder_for_a_run(folder, capsys, out):
    assert cli.main(["train", "train.toml", "--out", out]) == 2
    assert "expected the name of a folder for the run" in capsys.readouterr().err


def test_a_configuration_that_is_no_text(folder, capsys):
    (folder / "bytes.toml").write_bytes(b"epochs = 1 # \xff")
    assert cli.main(["train", "bytes.toml"]) == 2
    assert "cannot be read" in capsys.readouterr().err
    assert cli.main(["train", "a\0.toml"]) == 2


def test_a_loss_that_explodes_is_a_failure(folder, capsys):
    with numpy.errstate(over="ignore", invalid="ignore"):
        assert cli.main(["train", "train.toml", "--out", "runs/a", "--set", "optimizer.lr=1e30"]) == 1
    assert "the loss is " in capsys.readouterr().err


def test_report(folder, capsys):
    assert cli.main(["train", "train.toml", "--out", "runs/a"]) == 0
    page = folder / "runs" / "a" / "report.html"
    page.unlink()
    assert cli.main(["report", "runs/a"]) == 0
    assert "report.html" in capsys.readouterr().out
    assert "<svg" in page.read_text()


def test_data_without_validation_and_with_loaders(folder):
    for number, use in enumerate(("alone", "split", "rows")):
        command = ["train", "train.toml", "--out", f"runs/{number}", "--set", f"data.use=our_points.py:{use}"]
        assert cli.main(command) == 0
    results = json.loads((folder / "runs/1/log.jsonl").read_text().splitlines()[-2])
    assert "validation/loss" in results, "a list of data sets, as random_split gives, is a pair"


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("epochs = 2", "epoch = 2", r"train.toml:1: there is no setting 'epoch'; did you mean epochs?"),
        ("epochs = 2", "epochs = 'two'", r"train.toml:1: expected epochs as int, got 'two'"),
        ("seed = 1", "device = 'gpu'", r"train.toml:2: "),
        ("batch_size = 8", "batch_sise = 8", "train.toml:8: DataLoader takes no 'batch_sise'; did you mean batch"),
        ("batch_size = 8", "batch_size = 0", r"train.toml:7: DataLoader: expected batch_size >= 1"),
        ("line", "lime", r"train.toml:11: there is no 'lime' in our_points; did you mean line"),
        ("mse_loss", "mse", r"train.toml:14: there is no 'mse' in gpugrad.nn.functional or gpugrad.nn"),
        ('"mse_loss"', '"mse_loss"\ninput = 3', r"train.toml:15: mse_loss is given its 'input' by the training"),
        ('"mse_loss"', '"mse_loss"\nreduktion = 3', r"train.toml:15: mse_loss takes no 'reduktion'; did you mean"),
        ("lr = 0.1", "lr = -0.1", r"train.toml:16: SGD: expected lr from 0 on, got -0.1"),
        ("step_size = 1", "", r"train.toml:22: StepLR: missing a required argument: 'step_size'"),
        ("save_every = 3", "save_evry = 3", r"train.toml:28: Trainer takes no 'save_evry'; did you mean save_every"),
        ("save_every = 3", "folder = 'x'", r"train.toml:28: Trainer takes no 'folder'"),
        ('schedule = "epoch"', 'schedule = "day"', r"train.toml:26: Trainer: expected"),
    ],
)  # fmt: skip
def test_errors_point_at_the_line(folder, capsys, old, new, message):
    path = folder / "train.toml"
    path.write_text(path.read_text().replace(old, new))
    assert cli.main(["train", "train.toml", "--out", "runs/a"]) == 2
    said = capsys.readouterr().err
    assert message in said
    assert said.startswith(f"gpugrad: {folder}/train.toml:")


def test_a_script(folder, capsys):
    call = ["train", "our_points.py:train", "--out", "runs/b", "--set", "lr=0.5", "--device", "cpu", "--seed", "7"]
    assert cli.main(call) == 0
    assert capsys.readouterr().out == "training in runs/b for 2 at 0.5 on cpu, seed 7\n"
    assert cli.main(["resume", "runs/b"]) == 0
    assert capsys.readouterr().out == "training in runs/b for 2 at 0.5 on cpu, seed 7\n"
    assert cli.main([*call, "--epochs", "0"]) == 3  # its own exit status


@pytest.mark.parametrize(
    ("command", "message"),
    [
        (["train", "nowhere.toml"], "there is no file nowhere.toml"),
        (["train", "our_points.py"], "expected CONFIG.toml or SCRIPT.py:FUNCTION, got our_points.py"),
        (["train", "nowhere.py:train"], "there is no file nowhere.py"),
        (["train", "our_points.py:trian"], "there is no 'trian' in our_points; did you mean train?"),
        (["train", "our_points.py:train"], "train(out, epochs=2, lr=0.1): missing a required argument: 'out'"),
        (["train", "our_points.py:train", "--out", "a", "--grace", "3"], "got an unexpected keyword argument 'grace'"),
        (["train", "our_points.py:train", "--out", "a", "--set", "a.b=3"], "--set a.b=3: a function takes plain names"),
        (["train", "train.toml", "--set", "epochs"], "--set epochs: expected table.key=value"),
        (["train", "train.toml", "--set", "optimizer.lr=-1"], "SGD: expected lr from 0 on, got -1"),
        (
            ["resume", "runs/none"],
            "there is no run.json in runs/none: gpugrad train --out runs/none starts a run",
        ),
    ],
)
def test_what_cannot_be_run(folder, capsys, command, message):
    assert cli.main(command) == 2
    said = capsys.readouterr().err
    assert said.startswith("gpugrad: ")
    assert message in said


def test_a_record_that_is_damaged(folder, capsys):
    (folder / "runs").mkdir()
    (folder / "runs" / "run.json").write_text("{}")
    assert cli.main(["resume", "runs"]) == 2
    assert "run.json in runs is not a record of a run: 'target'" in capsys.readouterr().err


def test_no_log_no_report(folder, capsys):
    assert cli.main(["report", "runs/none"]) == 2
    assert "there is no" in capsys.readouterr().err


def test_a_bucket(folder, capsys):
    fsspec = pytest.importorskip("fsspec", reason="buckets need fsspec: pip install 'gpugrad[train]'")
    assert cli.main(["train", "train.toml", "--out", "memory://ours/a"]) == 0
    files = fsspec.filesystem("memory")
    try:
        assert {"run.json", "log.jsonl", "report.html"} <= {
            path.rsplit("/", 1)[1] for path in files.ls("/ours/a", detail=False)
        }
        assert cli.main(["resume", "memory://ours/a"]) == 0
        assert cli.main(["report", "memory://ours/a"]) == 0
    finally:
        files.rm("/ours", recursive=True)


@pytest.mark.parametrize(
    "command",
    [
        [],
        ["train"],
        ["resume"],
        ["report"],
        ["info"],
        ["precompile"],
        ["completion"],
        ["init"],
        ["evaluate"],
        ["predict"],
    ],
)
def test_help_says_what_it_does(command, capsys):
    with pytest.raises(SystemExit) as stopped:
        cli.main([*command, "--help"])
    assert stopped.value.code == 0
    assert capsys.readouterr().out.startswith(f"usage: gpugrad {' '.join(command)}".rstrip())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--set", "trainer.grace=nan"], "expected grace in seconds"),
        (["--set", "trainer.clip_grad_norm=-1"], "the first step failed: clip_grad_norm_: expected max_norm"),
        (["--set", "scheduler.step_size=0", "--set", "trainer.schedule=step"], "StepLR: integer"),
        (["--set", "scheduler.gamma=fast"], "StepLR: "),
        (["--set", "scheduler.use=our_points.py:Late"], "the end of an epoch failed: unsupported operand"),
        (["--set", "trainer.keep_best=true", "--set", "trainer.monitor=f1"], "Trainer: there is no metric 'f1'"),
        (["--set", "metrics.f1.use=our_points.py:Odd"], "the end of an epoch failed: 'Odd'"),
        (["--set", "callbacks.early.use=EarlyStopping", "--set", "callbacks.early.monitor=x"], "there is no 'x'"),
        (["--set", "callbacks.early.use=Accuracy"], "expected a gpugrad.training.Callback, got Accuracy"),
        (["--set", "ema.use=ExponentialMovingAverage", "--set", "ema.decay=2"], "ExponentialMovingAverage: "),
        (["--set", "ema.use=AveragedModel"], "expected an ExponentialMovingAverage, got AveragedModel"),
        (["--set", "optimizer.lr=[]"], "SGD: "),
        (["--set", "loader.batch_size=0"], "expected batch_size >= 1"),
        (["--set", "model.use=:"], "expected a name, file.py:name"),
        (["--set", "model.use=broken.py:f"], "broken.py, line 1"),
        (["--set", "model.use=raising.py:f"], "ZeroDivisionError"),
        (["--set", f"seed={'9' * 5000}"], "expected seed as int"),
        (["--set", "x=" + "[" * 3000], "there is no setting 'x'"),
        (["--seed", "-1"], "seed"),
        (["--epochs", "-1"], "expected epochs from 0 on"),
        (["--out", "a\0b"], "expected the name of a folder"),
        (["--out", "nothing://a/b"], "nothing"),
    ],
)
def test_a_wrong_configuration_ends_with_status_2(folder, capsys, options, message):
    (folder / "broken.py").write_text("def (")
    (folder / "raising.py").write_text("def f():\n    return 1 / 0\n")
    assert cli.main(["train", "train.toml", *options]) == 2
    assert message in capsys.readouterr().err
