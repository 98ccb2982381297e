"""Stores whose libraries raise classes of their own, and URLs with passwords in them."""

from __future__ import annotations

import json
import os
import signal
import tempfile

import pytest

import gpugrad as gg
from gpugrad import cli, nn, optim
from gpugrad.cli.run import Run
from gpugrad.training import Callback, Checkpointer, CheckpointError, Interrupted, Trainer
from gpugrad.training.checkpoints.stores import lacks_secret, masked
from gpugrad.training.run_folder import RunFolder

SECRET = "hunter2"


class HttpError(Exception):
    """As of a storage library: no OSError."""


@pytest.fixture
def files():
    fsspec = pytest.importorskip("fsspec", reason="URLs are reached through fsspec: pip install 'gpugrad[train]'")
    files = fsspec.filesystem("memory")
    yield files
    if files.exists("/storage"):
        files.rm("/storage", recursive=True)


def broken(*args, **kwargs):
    raise HttpError(f"PUT sftp://anna:{SECRET}@host/storage failed: 503")


class Break(Callback):
    """Lets the store fail, and asks the run to stop, in a step."""

    def __init__(self, patch, files, names, stop):
        self.patch, self.files, self.names, self.stop = patch, files, names, stop

    def on_step(self, trainer):
        if trainer.step == 3:
            for name in self.names:
                self.patch.setattr(self.files, name, broken)
            if self.stop:
                os.kill(os.getpid(), signal.SIGTERM)


def trained(files, patch, names, stop=False, **options):
    model = nn.Linear(1, 1)
    trainer = Trainer(
        model, nn.MSELoss(), optim.SGD(model.parameters(), lr=0.1), folder="memory://storage/run", progress=False,
        callbacks=[Break(patch, files, names, stop)], **options,
    )  # fmt: skip
    trainer.fit([(gg.ones((1, 1)), gg.ones((1, 1)))] * 6)
    return trainer


def test_a_last_save_that_fails_ends_as_told(files, monkeypatch, caplog):
    with monkeypatch.context() as patch, pytest.raises(Interrupted) as ended:
        trained(files, patch, ("pipe_file", "open"), stop=True)
    assert ended.value.code == 75
    assert "the extra save failed" in caplog.text
    assert SECRET not in caplog.text


def test_a_save_that_fails_ends_the_run(files, monkeypatch):
    with monkeypatch.context() as patch, pytest.raises(CheckpointError, match="could not be written to memory://") as e:
        trained(files, patch, ("pipe_file", "open"), save_every=2)
    assert SECRET not in str(e.value)


def test_old_checkpoints_that_cannot_be_removed_end_nothing(files, monkeypatch, caplog):
    with monkeypatch.context() as patch:
        assert trained(files, patch, ("rm", "rm_file"), save_every=1, keep_last=1).step == 6
    assert "old checkpoints in memory://storage/run/checkpoints could not be removed" in caplog.text
    assert SECRET not in caplog.text
    assert Checkpointer("memory://storage/run/checkpoints").restore().step == 6


def test_a_log_that_cannot_be_copied_ends_nothing(files, monkeypatch, caplog):
    place = RunFolder("memory://storage/run")
    (place.local / "log.jsonl").write_text("")
    with monkeypatch.context() as patch:
        patch.setattr(files, "pipe_file", broken)
        place.push()
        assert "the log cannot be kept in memory://storage/run" in caplog.text
        patch.setattr(files, "cat_file", broken)
        with pytest.raises(CheckpointError, match="cannot be read: PUT"):
            place.fetch()
    place.close()
    assert not place.local.exists()


@pytest.mark.parametrize("name", ["ls", "cat_file", "pipe_file"])
def test_commands_on_a_store_that_fails(files, monkeypatch, capsys, tmp_path, name):
    (tmp_path / "train.toml").write_text('[data]\nuse="digits"\n[model]\nuse="Flatten"\n')
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with monkeypatch.context() as patch:
        patch.setattr(files, name, broken)
        for command in (["resume", "memory://storage/run"], ["report", "memory://storage/run"]):
            assert cli.main(command) in (1, 2)
    said = capsys.readouterr().err
    assert "Traceback" not in said
    assert SECRET not in said
    assert not list(tmp_path.glob("gpugrad-*")), "the folder beside the store is removed"


def test_passwords_are_not_kept(files, monkeypatch, capsys):
    out = f"memory://anna:{SECRET}@storage/run"
    text = f'out = "{out}"\n[data]\nurl = "https://h/x?X-Amz-Signature={SECRET}&a=1"\n'
    Run("train.toml", out, (f"out={json.dumps(out)}", "x=1"), text).save()
    kept = next(files.cat_file(path) for path in files.find("/") if path.endswith("run.json"))
    assert SECRET.encode() not in kept
    assert b"anna:***@" in kept
    with pytest.raises(ValueError, match="lacks a password or token, which is not kept: use gpugrad train"):
        Run.load(out)
    Run("train.toml", out, (f"out={json.dumps(out)}", "x=1"), "# *** a heading ***\n").save()
    assert Run.load(out).out == out
    files.rm([path for path in files.find("/") if path.endswith("run.json")])
    assert Checkpointer(out).place == "memory://anna:***@storage/run"
    assert SECRET not in str(CheckpointError(f"cannot write to {out}"))


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("s3://key:se@cr/et", "s3://key:***@cr/et"),
        ("ftp://:x@h and ssh+sftp://u:p:q@h/p", "ftp://:***@h and ssh+sftp://u:***@h/p"),
        ("az://h?sv=1&sig=abc%3D&se=2", "az://h?sv=1&sig=***&se=2"),
        ("gs://bucket/a:b@c http://h:8080/x", "gs://bucket/a:b@c http://h:8080/x"),
    ],
)
def test_masked(text, shown):
    assert masked(text) == shown == masked(shown)
    assert lacks_secret(shown) == (shown != text)
