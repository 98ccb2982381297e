"""Damaged and foreign checkpoints, full disks, closed folders, failing stores: clear errors, and the last good one."""

from __future__ import annotations

import builtins
import errno
import json
import os
import pickle
import random
import resource
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy
import pytest

import gpugrad as gg
from gpugrad import nn
from gpugrad.training import Checkpointer, CheckpointError, DamagedError, Trainer
from gpugrad.training.checkpoints.reading import FORMAT, sealed
from gpugrad.training.checkpoints.stores import MANIFEST, Folder

FILES = ("manifest.json", "state.json", "tensors.safetensors")


@pytest.fixture(autouse=True)
def random_numbers_stay():
    before = gg.random.default_generator.state
    yield
    gg.random.default_generator.state = before


def saved(folder, steps=(1, 2), **options):
    """Checkpoints of some steps; the state tells the step."""
    checkpointer = Checkpointer(folder, **options)
    for step in steps:
        extra = {"step": step, "x": numpy.full((40, 5), float(step)), "note": "ä" * 50, "t": (1, 2.5, None)}
        checkpointer.save(step, extra=extra, wait=True)
    return checkpointer


def whole(found, step):
    return found.step == step == found.extra["step"] and (found.extra["x"] == step).all()


# ------------------------------------------------------------------------------------------- damaged files


def truncated(content, chance):
    return content[: chance.randrange(len(content))]


def flipped(content, chance):
    changed = bytearray(content)
    changed[chance.randrange(len(changed))] ^= 1 << chance.randrange(8)
    return bytes(changed)


def zeroed(content, chance):
    start = chance.randrange(len(content))
    end = min(len(content), start + chance.randrange(1, 200))
    return content[:start] + bytes(end - start) + content[end:]


def longer(content, chance):
    return content + chance.randbytes(chance.randrange(1, 100))


def foreign(content, chance):
    return chance.choice(
        [b"", b"\x80\x04K\x01.", b"PK\x03\x04", b"{}", b"[]", b"null", b"<html>", chance.randbytes(300)]
    )


def shuffled(content, chance):
    middle = chance.randrange(1, len(content))
    return content[middle:] + content[:middle]


DAMAGES = (truncated, flipped, zeroed, longer, foreign, shuffled)


class Bomb:
    """What executes when it is unpickled."""

    def __reduce__(self):
        return exec, ("raise SystemExit('it was executed')",)


@pytest.fixture
def nothing_executes(monkeypatch):
    """Whatever would run code from a file ends the test."""

    def forbidden(*args, **kwargs):
        raise SystemExit("something was executed")

    for module, name in ((pickle, "load"), (pickle, "loads"), (pickle, "Unpickler"), (os, "system"),
                         (subprocess, "Popen"), (builtins, "eval")):  # fmt: skip
        monkeypatch.setattr(module, name, forbidden)


def test_two_hundred_damaged_files(tmp_path, caplog, nothing_executes, record_property):
    saved(tmp_path)
    chance = random.Random(3)
    newest = tmp_path / "000002-step-2"
    counts = dict.fromkeys([damage.__name__ for damage in DAMAGES], 0)
    while sum(counts.values()) < 200:
        file, damage = newest / chance.choice(FILES), chance.choice(DAMAGES)
        content = file.read_bytes()
        changed = damage(content, chance)
        if changed == content:
            continue
        file.write_bytes(changed)
        checkpointer = Checkpointer(tmp_path)
        with pytest.raises(DamagedError) as caught:
            checkpointer.load("000002-step-2")
        assert str(newest) in str(caught.value)
        caplog.clear()
        assert whole(checkpointer.restore(), 1)
        assert "damaged checkpoint, the one before is used" in caplog.text
        assert str(newest) in caplog.text
        file.write_bytes(content)
        counts[damage.__name__] += 1
    assert whole(Checkpointer(tmp_path).restore(), 2), "the damages are undone"
    record_property("damages", str(counts))


def test_damage_under_right_checksums(tmp_path, nothing_executes):
    """Somebody who can write the manifest too: whatever comes, it is a state of plain values or an error."""
    saved(tmp_path, [1])
    folder = tmp_path / "000001-step-1"
    chance = random.Random(5)
    refused = 0
    originals = {name: (folder / name).read_bytes() for name in FILES[1:]}
    for _ in range(150):
        name, damage = chance.choice(FILES[1:]), chance.choice(DAMAGES)
        content = dict(originals, **{name: damage(originals[name], chance)})
        put(folder, content)
        try:
            found = Checkpointer(tmp_path).load(folder.name)
        except DamagedError:
            refused += 1
        else:
            assert type(found.parts) is dict
    assert refused > 50


def put(folder, content, **about):
    """Files under a manifest that fits them."""
    import hashlib

    for name, data in content.items():
        (folder / name).write_bytes(data)
    manifest = json.loads((folder / MANIFEST).read_bytes())
    manifest.pop("sha256", None)
    manifest["files"] = {
        name: {"size": len(data), "sha256": hashlib.sha256(data).hexdigest()} for name, data in content.items()
    }
    (folder / MANIFEST).write_bytes(sealed({**manifest, **about}))


def resealed(folder, name, value):
    """The manifest with another entry, under a checksum that fits it."""
    manifest = json.loads((folder / MANIFEST).read_bytes())
    del manifest["sha256"]
    (folder / MANIFEST).write_bytes(sealed({**manifest, name: value}))


def test_pickles_are_not_opened(tmp_path, nothing_executes):
    saved(tmp_path, [1])
    folder = tmp_path / "000001-step-1"
    bomb = pickle.dumps(Bomb())
    for name in FILES[1:]:
        content = {other: (folder / other).read_bytes() for other in FILES[1:]}
        put(folder, {**content, name: bomb})
        with pytest.raises(DamagedError):
            Checkpointer(tmp_path).load(folder.name)


@pytest.mark.parametrize(
    ("do", "message"),
    [
        (lambda folder: (folder / "state.json").unlink(), "state.json: is not there"),
        (lambda folder: (folder / "tensors.safetensors").unlink(), "tensors.safetensors: is not there"),
        (lambda folder: (folder / MANIFEST).unlink(), "manifest.json: is not there"),
        (lambda folder: [shutil.rmtree(folder), folder.touch()], "manifest.json: is not there"),
        (lambda folder: [(folder / "state.json").unlink(), (folder / "state.json").mkdir()], "state.json: "),
        (lambda folder: (folder / MANIFEST).write_bytes(b" " * (2**24 + 1)), "expected at most 16777216 bytes"),
        (lambda folder: os.truncate(folder / "state.json", 1000), "bytes, got 1000"),
        (lambda folder: (folder / MANIFEST).write_bytes(sealed({"format": "another"})), "expected the format"),
        (lambda folder: (folder / MANIFEST).write_bytes(sealed({"format": FORMAT})), "no manifest of a checkpoint"),
        (lambda folder: resealed(folder, "files", {name: {"size": 10**15, "sha256": ""} for name in FILES}),
         "expected 1000000000000000 bytes, got"),
        (lambda folder: resealed(folder, "files", []), "no manifest of a checkpoint"),
        (lambda folder: resealed(folder, "code", 1), "no manifest of a checkpoint"),
        (lambda folder: resealed(folder, "random", [-1, 0]), "no manifest of a checkpoint"),
        (lambda folder: resealed(folder, "random", 7), "no manifest of a checkpoint"),
        (lambda folder: resealed(folder, "saved", None), "no manifest of a checkpoint"),
        (lambda folder: resealed(folder, "step", "2"), "no manifest of a checkpoint"),
        (lambda folder: resealed(folder, "metrics", {"loss": []}), "no manifest of a checkpoint"),
    ],
)  # fmt: skip
def test_what_is_missing_or_wrong_is_named(do, message, tmp_path, caplog):
    saved(tmp_path)
    do(tmp_path / "000002-step-2")
    checkpointer = Checkpointer(tmp_path)
    assert whole(checkpointer.restore(), 1)
    assert message in caplog.text
    assert message in checkpointer.damaged["000002-step-2"]


def test_all_are_damaged(tmp_path):
    saved(tmp_path)
    for name in ("000001-step-1", "000002-step-2"):
        (tmp_path / name / "state.json").write_bytes(b"")
    with pytest.raises(
        CheckpointError, match=r"none of the 2 checkpoints in .* is whole: .*state.json.*Move them away"
    ):
        Checkpointer(tmp_path).restore()


def test_other_things_in_the_folder_are_left_alone(tmp_path):
    for name in ("notes.txt", "000001-step-", "step-5", ".git"):
        (tmp_path / name).mkdir()
    checkpointer = saved(tmp_path, range(1, 6), keep_last=1)
    assert checkpointer.names() == ["000005-step-5"]
    checkpointer.close()
    assert len(list(tmp_path.iterdir())) == 5


def test_a_damaged_one_is_not_counted_among_the_last(tmp_path):
    saved(tmp_path, [1, 2, 3], keep_last=2)
    (tmp_path / "000003-step-3" / "state.json").write_bytes(b"")
    checkpointer = Checkpointer(tmp_path, keep_last=2)
    assert checkpointer.restore().step == 2
    checkpointer.save(4, wait=True)
    assert checkpointer.names() == ["000002-step-2", "000003-step-3", "000004-step-4"]
    checkpointer.save(5, wait=True)
    assert checkpointer.names() == ["000004-step-4", "000005-step-5"]


def test_a_name_that_leads_elsewhere(tmp_path):
    with pytest.raises(ValueError, match=r"expected the name of a checkpoint such as 000001-step-100, got '\.\./x'"):
        Checkpointer(tmp_path).load("../x")


# ------------------------------------------------------------------------------------------- full disks


def intact(folder, step):
    """The last good checkpoint is there and newest, and nothing half-written is left."""
    checkpointer = Checkpointer(folder)
    assert whole(checkpointer.restore(), step)
    assert checkpointer.damaged == {}
    assert not list(folder.glob(".*"))


def test_a_limit_on_the_size_of_files(tmp_path):
    checkpointer = saved(tmp_path)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, before[1]))
    try:  # Python ignores SIGXFSZ: the write fails instead
        checkpointer.save(3, extra=numpy.zeros(100_000))
        with pytest.raises(CheckpointError, match=r"of step 3 could not be written to .*File too large"):
            checkpointer.wait()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    intact(tmp_path, 2)
    checkpointer.close()
    saved(tmp_path, [3])
    intact(tmp_path, 3)


def test_a_full_disk(tmp_path):
    disk = tmp_path / "disk"
    disk.mkdir()
    if (
        os.geteuid()
        or subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", disk], capture_output=True, check=False
        ).returncode
    ):
        pytest.skip("only root can make a small disk")
    try:
        checkpointer = saved(disk)
        checkpointer.save(3, extra=numpy.zeros(100_000))
        with pytest.raises(CheckpointError, match=r"of step 3 could not be written to .*No space left on device"):
            checkpointer.wait()
        intact(disk, 2)
        checkpointer.save(4, extra={"step": 4, "x": numpy.full(3, 4.0)}, wait=True)
        intact(disk, 4)
    finally:
        subprocess.run(["umount", disk], check=True)


def fails(checkpointer, step, message):
    """Whether a save fails, and then with this message."""
    try:
        checkpointer.save(step, wait=True)
    except CheckpointError as caught:
        error = str(caught)
    else:
        return False
    assert message in error
    return True


def test_a_disk_that_becomes_full_in_every_write(tmp_path, monkeypatch):
    """The write that fails is the first, the second, ... of all that a save makes."""
    checkpointer = saved(tmp_path)
    calls = {"left": 0}

    def failing(original):
        def call(*args, **kwargs):
            calls["left"] -= 1
            if calls["left"] == 0:
                raise OSError(errno.ENOSPC, "No space left on device")
            return original(*args, **kwargs)

        return call

    failures = 0
    with monkeypatch.context() as patch:
        for module, name in ((os, "fsync"), (os, "open"), (os, "mkdir"), (os, "rename")):
            patch.setattr(module, name, failing(getattr(module, name)))
        for number in range(1, 30):
            calls["left"] = number
            if fails(checkpointer, 9, "No space left"):
                failures += 1
            else:
                break
    assert failures >= 6
    assert checkpointer.names()[-1].endswith("step-9")


# ------------------------------------------------------------------------------------------- closed folders


def as_nobody(work):
    """Run a function as a user who is not root: in a child, whose error comes back as text."""
    read, write = os.pipe()
    process = os.fork()
    if process == 0:
        try:
            if os.geteuid() == 0:
                os.setgid(65534)
                os.setuid(65534)
            text = work()
        except BaseException as error:
            text = f"{type(error).__name__}: {error}"
        os.write(write, str(text).encode())
        os._exit(0)
    os.close(write)
    with os.fdopen(read) as pipe:
        text = pipe.read()
    os.waitpid(process, 0)
    return text


@pytest.fixture
def open_folder():
    """A folder that everybody may look into, as pytest's own are not."""
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        yield Path(folder)


@pytest.mark.skipif(sys.version_info >= (3, 12), reason="forks beside threads warn there")
def test_a_folder_without_permission(open_folder):
    run = open_folder / "run"
    saved(run)
    run.chmod(0o555)
    text = as_nobody(lambda: Checkpointer(run).save(3, wait=True))
    assert text.startswith("CheckpointError: the checkpoint of step 3 could not be written to")
    assert "Permission denied" in text
    assert "what was saved before is still there" in text

    def fit():
        model = nn.Linear(1, 1)
        optimizer = gg.optim.SGD(model.parameters(), lr=0.1)
        trainer = Trainer(model, nn.MSELoss(), optimizer, folder=run / "x", progress=False)
        trainer.fit([(gg.ones((2, 1)), gg.ones((2, 1)))])

    assert as_nobody(fit).startswith("CheckpointError: nothing can be written to"), "before the first step"
    run.chmod(0o755)
    (run / "000002-step-2" / "state.json").chmod(0)
    text = as_nobody(lambda: Checkpointer(run).restore())
    assert text.startswith("CheckpointError: "), "not damaged: it cannot be read now"
    assert "state.json cannot be read: [Errno 13] Permission denied" in text
    (run / "000002-step-2" / "state.json").chmod(0o644)
    run.chmod(0)
    text = as_nobody(lambda: Checkpointer(run).restore())
    assert text.startswith("CheckpointError: the checkpoints in "), "and not: there are none"
    assert "cannot be looked at: [Errno 13] Permission denied" in text
    run.chmod(0o755)
    intact(run, 2)


def test_a_place_that_can_be_no_folder():
    with pytest.raises(CheckpointError, match=r"could not be written to /dev/null/run: .*Not a directory"):
        Checkpointer("/dev/null/run").save(1, wait=True)


def test_somebody_else_has_written_it(tmp_path, monkeypatch):
    checkpointer = saved(tmp_path)
    checkpointer.close()
    monkeypatch.setattr(Folder, "names", lambda self: ["000001-step-1"])  # it was not there when the name was chosen
    with pytest.raises(CheckpointError, match="000002-step-2 is there already"):
        checkpointer.save(2, wait=True)
    monkeypatch.undo()
    intact(tmp_path, 2)


# ------------------------------------------------------------------------------------------- stores that fail


@pytest.fixture
def bucket(tmp_path):
    pytest.importorskip("fsspec", reason="URLs are reached through fsspec")
    return f"memory://{tmp_path.name}/run"


def failing_store(checkpointer, monkeypatch, number):
    """Let the ``number``-th call of the file system fail, in the midst of what it does."""
    files, left = checkpointer.store.files, [number]
    for name in ("open", "pipe_file", "info", "makedirs", "ls", "exists", "rm", "rm_file"):
        monkeypatch.setattr(files, name, failing_call(name, getattr(files, name), left))
    return left


def failing_call(name, original, left):
    def call(*args, **kwargs):
        left[0] -= 1
        if left[0] == 0:
            if name == "open" and "wb" in args:  # half of the bytes arrive
                with original(*args, **kwargs) as out:
                    out.write(b"half")
            raise OSError("the connection was lost")
        return original(*args, **kwargs)

    return call


def test_a_store_that_fails_halfway(bucket, monkeypatch, caplog):
    saved(bucket)
    failures = 0
    for number in range(1, 100):
        checkpointer = Checkpointer(bucket)
        with monkeypatch.context() as patch:
            left = failing_store(checkpointer, patch, number)
            done = not fails(checkpointer, number + 100, "the connection was lost")
        failures += not done
        found = Checkpointer(bucket)
        newest = found.restore()
        assert found.damaged == {}
        assert (newest.step == number + 100) == done
        if left[0] > 0:
            break
    assert failures >= 6
    assert number > failures + 3, "where removing old ones fails, the save is still done"
    assert "old checkpoints in memory://" in caplog.text


def test_an_object_store_shows_a_checkpoint_when_it_is_complete(bucket):
    seen = []
    checkpointer = Checkpointer(bucket)
    put = checkpointer.store.put

    def watched(name, file, content):
        put(name, file, content)
        seen.append((file, Checkpointer(bucket).names()))

    checkpointer.store.put = watched
    checkpointer.save(1, wait=True)
    assert seen == [("tensors.safetensors", []), ("state.json", []), ("manifest.json", ["000001-step-1"])]


def test_a_store_that_loses_bytes(bucket, monkeypatch):
    checkpointer = saved(bucket)
    original = checkpointer.store.files.open

    def losing(path, mode="rb", **options):
        out = original(path, mode, **options)
        if mode == "wb" and path.endswith("state.json"):
            write = out.write
            out.write = lambda data: write(data[:-1])
        return out

    monkeypatch.setattr(checkpointer.store.files, "open", losing)
    with pytest.raises(CheckpointError, match=r"state.json has \d+ bytes, \d+ were written"):
        checkpointer.save(3, wait=True)
    assert whole(Checkpointer(bucket).restore(), 2)


@pytest.mark.parametrize("damage", DAMAGES)
def test_damaged_objects(bucket, damage, caplog):
    checkpointer = saved(bucket)
    chance = random.Random(1)
    path = f"{checkpointer.store.root}/000002-step-2/tensors.safetensors"
    checkpointer.store.files.pipe_file(path, damage(checkpointer.store.files.cat_file(path), chance))
    assert whole(Checkpointer(bucket).restore(), 1)
    assert "000002-step-2/tensors.safetensors" in caplog.text


def test_an_error_of_the_thread_ends_the_run(tmp_path, monkeypatch):
    model = nn.Linear(1, 1)
    trainer = Trainer(
        model, nn.MSELoss(), gg.optim.SGD(model.parameters(), lr=0.1), folder=tmp_path, save_every=1, progress=False
    )

    def full(*args):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(trainer.checkpointer.store, "put", full)
    with pytest.raises(CheckpointError, match=r"the checkpoint of step 1 could not be written .*No space left"):
        trainer.fit([(gg.ones((2, 1)), gg.ones((2, 1)))], epochs=5)
    assert trainer.step == 1
