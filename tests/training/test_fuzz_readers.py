"""Every reader of files on files that are damaged or hostile: a clear error or a result, in little memory and time.

A file's text is cut, flipped, repeated and spliced; what is JSON is also changed as a value: entries are dropped,
exchanged and replaced by what does not belong there. ``GPUGRAD_FUZZ=2000`` makes so many files.
"""

from __future__ import annotations

import copy
import gzip
import hashlib
import io
import json
import os
import random
import shutil
import time
import tracemalloc
from pathlib import Path

import numpy
import pytest

import gpugrad as gg
from gpugrad import data, nn, optim
from gpugrad.cli import build
from gpugrad.cli.config import Config, ConfigError
from gpugrad.cli.run import Run
from gpugrad.data.texts import TokenFile, Vocabulary, write_tokens
from gpugrad.training import Checkpointer, CheckpointError, Log, OwnedError, Trainer, write_report
from gpugrad.training.checkpoints import safetensors
from gpugrad.training.checkpoints.lease import Lease
from gpugrad.training.checkpoints.reading import sealed
from gpugrad.training.checkpoints.stores import store
from gpugrad.training.reporting.log import read_settings

COUNT = int(os.environ.get("GPUGRAD_FUZZ", "132"))
SECONDS = 5
TIMES, FREE = 10, 1 << 23
"""The memory that a reader may take: so many times the size of its files, and bytes for what it always needs."""

HOSTILE = [
    None, True, -1, 0, 0.5, 2**70, -(2**63), 1e308, float("nan"), float("inf"), "", "\0", "\ud800", "x" * 50, "1e9", [],
    [[]], {}, [None], [1, 2, 3], {"a": {"b": []}}, {"$": "tensor", "key": "no"}, {"$": "dict", "items": 3},
    {"$": "dict", "items": [[[], 1]]}, {"$": "tuple"}, {"$": []},
]  # fmt: skip


def damaged(content: bytes, chance: random.Random) -> bytes:
    """The bytes, changed somewhere."""
    kind, place = chance.randrange(9), chance.randrange(len(content) + 1)
    if kind == 0:
        return content[:place]
    if kind == 1:
        return content[:place] + chance.randbytes(chance.randrange(1, 9)) + content[place:]
    if kind == 2:
        changed = bytearray(content)
        for _ in range(chance.randrange(1, 20)):
            if changed:
                changed[chance.randrange(len(changed))] ^= 1 << chance.randrange(8)
        return bytes(changed)
    if kind == 3:
        return content[:place] + content
    if kind == 4:
        end = min(len(content), place + chance.randrange(1, 64))
        return content[:place] + content[end:]
    if kind == 5:
        opening = chance.choice([b"[", b"{", b'{"a":', b"[[],"])
        return content[:place] + opening * chance.choice([10, 1000, 100_000]) + content[place:]
    if kind == 6:
        return chance.choice([b"[]", b"{}", b"0", b"null", b'""', b"\xff\xfe", b"\0" * 100, b"\x1f\x8b", b""])
    if kind == 7:
        filling = chance.choice([b"[]", b'{"a":1}', b"1", b'"ab"', b"[1,2]", b"0.5", b'"\xf0\x9f\x98\x80"'])
        return b"[" + (filling + b",") * chance.choice([10, 300_000]) + filling + b"]"
    number = chance.choice([b"9" * 5000, b"-1", b"1e999", b"NaN", b"\\ud800", b"\\u0000"])
    return content[:place] + number + content[place:]


def changed(value, chance: random.Random):
    """The value, with some entries dropped, exchanged or replaced."""
    value = copy.deepcopy(value)
    for _ in range(chance.randrange(1, 4)):
        places = list(_places(value))
        if not places:
            return chance.choice(HOSTILE)
        holder, key = chance.choice(places)
        kind = chance.randrange(4)
        if kind == 0 and isinstance(holder, dict):
            del holder[key]
        elif kind == 1:
            other, name = chance.choice(places)
            try:
                holder[key] = copy.deepcopy(other[name])
            except (KeyError, IndexError):
                continue
        else:
            holder[key] = copy.deepcopy(chance.choice(HOSTILE))
    return value


def _places(value):
    if isinstance(value, dict | list):
        for key in list(value) if isinstance(value, dict) else range(len(value)):
            yield value, key
            yield from _places(value[key])


def text(value) -> bytes:
    return json.dumps(value).encode()


class World:
    """Valid files of every kind, made once, and for each kind: how to change them, and how to read them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.run = folder / "run"
        self.trainer(self.run).fit(self.loader(), epochs=1, steps=5)
        self.parts = self.checkpointed()
        self.checkpoint = self.run / "checkpoints" / "000001-step-5"
        self.files = {path.name: path.read_bytes() for path in self.checkpoint.iterdir()}
        self.about = json.loads(self.files["manifest.json"])
        del self.about["sha256"]
        self.log = (self.run / "log.jsonl").read_bytes()
        write_tokens(folder / "tokens.npy", list(range(300)), size=300)
        Vocabulary(["a", "b", "c"]).save(folder / "vocabulary.json")
        Run("train.toml", str(self.run), ("seed=1",), "epochs = 1\n").save()
        loader = self.loader()
        next(iter(loader))
        self.position = loader.state_dict()

    def loader(self):
        x = numpy.ones((24, 3), "float32")
        return data.DataLoader(data.ArrayDataset(x, x[:, :1]), batch_size=4, shuffle=True, device="cpu")

    def model(self):
        return nn.Sequential(
            nn.Linear(3, 2, device="cpu"), nn.BatchNorm1d(2, device="cpu"), nn.Linear(2, 1, device="cpu")
        )

    def trainer(self, folder):
        model = self.model()
        optimizer = optim.Adam(model.parameters(), lr=0.1)
        schedule = optim.lr_scheduler.StepLR(optimizer, 2)
        return Trainer(model, nn.MSELoss(), optimizer, scheduler=schedule, folder=folder, progress=False)

    def checkpointed(self):
        return self.trainer(None)

    # Each: the bytes that were read, and what reading them may raise.

    def checkpoint_files(self, chance, folder):
        name = chance.choice(sorted(self.files))
        place = folder / "checkpoints"
        shutil.copytree(self.run / "checkpoints", place)
        (place / "000001-step-5" / name).write_bytes(damaged(self.files[name], chance))
        return lambda: Checkpointer(place).restore(), (CheckpointError,)

    def sealed_checkpoint(self, chance, folder):
        """As somebody who knows the format would write it."""
        place = folder / "checkpoints" / "000001-step-5"
        place.mkdir(parents=True)
        contents = {name: self.files[name] for name in ("state.json", "tensors.safetensors")}
        about = self.about
        kind = chance.randrange(4)
        if kind == 0:
            contents["state.json"] = text(changed(json.loads(contents["state.json"]), chance))
        elif kind == 1:
            name = chance.choice(sorted(contents))
            contents[name] = damaged(contents[name], chance)
        elif kind == 2:
            contents["tensors.safetensors"] = self.header_changed(chance)
        about = {**about, "files": {
            name: {"size": len(content), "sha256": hashlib.sha256(content).hexdigest()}
            for name, content in contents.items()
        }}  # fmt: skip
        if kind == 3:
            about = changed(about, chance)
        for name, content in contents.items():
            (place / name).write_bytes(content)
        (place / "manifest.json").write_bytes(sealed(about) if isinstance(about, dict) else text(about))
        trainer = self.trainer(folder)

        def read():
            trainer.checkpointer.restore(check=trainer._compare)

        return read, (CheckpointError,)

    def header_changed(self, chance):
        content = self.files["tensors.safetensors"]
        length = int.from_bytes(content[:8], "little")
        header = text(changed(json.loads(content[8 : 8 + length]), chance))
        return len(header).to_bytes(8, "little") + header + content[8 + length :]

    def tensors(self, chance, folder):
        content = self.files["tensors.safetensors"]
        content = self.header_changed(chance) if chance.random() < 0.5 else damaged(content, chance)
        (folder / "file").write_bytes(content)
        return lambda: safetensors.arrays_in(memoryview((folder / "file").read_bytes())), (ValueError,)

    def idx(self, chance, folder):
        shape = chance.choice([(3,), (2, 3, 4), (2**31, 2**31, 0), (5000, 28, 28)])
        body = bytes(min(numpy.prod(shape, dtype=object), 4_000_000))
        content = (
            bytes([0, 0, chance.choice([8, 9, 11, 12, 13, 14]), len(shape)])
            + numpy.array(shape, ">u4").tobytes()
            + body
        )
        if chance.random() < 0.5:
            content = damaged(content, chance)
        if chance.random() < 0.5:
            content = gzip.compress(content)
            content = damaged(content, chance) if chance.random() < 0.3 else content
        (folder / "file").write_bytes(content)
        return lambda: data.read_idx(folder / "file"), (ValueError,)

    def token_file(self, chance, folder):
        (folder / "file").write_bytes(damaged((self.folder / "tokens.npy").read_bytes(), chance))
        if chance.random() < 0.2:
            out = io.BytesIO()
            numpy.savez(out, x=numpy.zeros(3, "uint16"))
            (folder / "file").write_bytes(out.getvalue())
        return lambda: TokenFile(folder / "file", 4)[0], (ValueError, IndexError)

    def vocabulary(self, chance, folder):
        content = (self.folder / "vocabulary.json").read_bytes()
        content = text(changed(json.loads(content), chance)) if chance.random() < 0.5 else damaged(content, chance)
        (folder / "file").write_bytes(content)
        return lambda: Vocabulary.load(folder / "file"), (ValueError,)

    def logs(self, chance, folder):
        lines = self.log.splitlines()
        for _ in range(3):
            place = chance.randrange(len(lines))
            line = lines[place]
            try:
                row = json.loads(line)
                lines[place] = text(changed(row, chance)) if chance.random() < 0.7 else damaged(line, chance)
            except (RecursionError, ValueError):
                pass
        content = b"\n".join(lines) + b"\n" * chance.randrange(2)
        (folder / "log.jsonl").write_bytes(damaged(content, chance) if chance.random() < 0.3 else content)
        settings = (self.run / "settings.json").read_bytes()
        settings = (
            text(changed({"price_per_hour": 2, "title": "a", "b": {"c": [1]}}, chance))
            if chance.random() < 0.5
            else damaged(settings, chance)
        )
        (folder / "settings.json").write_bytes(settings)

        def read():
            with Log(folder, tensorboard=False) as log:
                log.resume(2)
            try:
                read_settings(folder)
            finally:
                write_report(folder)

        return read, (ValueError,)

    def toml(self, chance, folder):
        content = TOML.encode()
        if chance.random() < 0.5:
            lines = TOML.splitlines()
            for _ in range(chance.randrange(1, 3)):
                place = chance.randrange(len(lines))
                name = lines[place].partition("=")[0]
                lines[place] = (
                    f"{name}= {chance.choice(VALUES)}"
                    if "=" in lines[place]
                    else chance.choice(["", "[a.b]", "[[model]]", "[optimizer.x]"])
                )
            content = "\n".join(lines).encode()
        else:
            content = damaged(content, chance)
        (folder / "train.toml").write_bytes(content)

        def read():
            build.prepared(Config((folder / "train.toml").read_text(encoding="utf-8"), folder / "train.toml"))

        return read, (ConfigError, UnicodeDecodeError)

    def record(self, chance, folder):
        content = (self.run / "run.json").read_bytes()
        content = text(changed(json.loads(content), chance)) if chance.random() < 0.5 else damaged(content, chance)
        (folder / "run.json").write_bytes(content)
        return lambda: Run.load(str(folder)), (ValueError,)

    def positions(self, chance, folder):
        loader = self.loader()
        state = changed(self.position, chance)
        (folder / "file").write_bytes(repr(state).encode("utf-8", "surrogatepass"))

        def read():
            loader.load_state_dict(state)
            next(iter(loader), None)

        return read, (ValueError,)

    def owner(self, chance, folder):
        good = {
            "token": "a",
            "user": "u",
            "host": "h",
            "process": 1,
            "born": "1",
            "since": 1.0,
            "renewed": 2.0,
            "term": 1,
        }
        content = text(changed(good, chance)) if chance.random() < 0.7 else damaged(text(good), chance)
        (folder / "owner.json").write_bytes(content)

        def read():
            Lease(store(folder)).release()

        return read, (OwnedError,)


TOML = """epochs = 1
seed = 1
device = "cpu"
out = "runs/a"
[data]
use = "digits"
[loader]
batch_size = 32
num_workers = 0
[model]
use = "Linear"
in_features = 64
out_features = 10
[loss]
use = "cross_entropy"
label_smoothing = 0.1
[optimizer]
use = "Adam"
lr = 0.004
betas = [0.9, 0.99]
[scheduler]
use = "CosineAnnealingLR"
T_max = 30
[metrics.accuracy]
use = "Accuracy"
[trainer]
clip_grad_norm = 1.0
grace = 20
"""
VALUES = [
    "-1", "0", "0.5", "1e400", "nan", "inf", '""', '"\\u0000"', '"a:b"', '":"', "[]", "{}", "{a=1}", "[[1]]", "true",
    "9223372036854775808", "99999999999999999999999", "1979-05-27", '"../x"', '"gpugrad:x"', '"no.py:f"', '"os:system"',
    '"Linear"', '"gpugrad.nn:Linear"', '"meta"', '"cuda:99"',
]  # fmt: skip
KINDS = [
    name
    for name, value in vars(World).items()
    if callable(value) and "chance" in value.__code__.co_varnames[:3] and name != "header_changed"
]


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    state = gg.random.default_generator.state
    yield World(tmp_path_factory.mktemp("world"))
    gg.random.default_generator.state = state


@pytest.mark.parametrize("kind", KINDS)
def test_readers(world, kind, tmp_path, monkeypatch, record_property):
    monkeypatch.setattr("gpugrad.training.checkpoints.lease.STALE", 0.01)
    monkeypatch.setattr("gpugrad.training.checkpoints.lease.SETTLE", 0.0)
    monkeypatch.setattr("gpugrad.training.checkpoints.lease.TORN", 0.0)
    refused, most = 0, 0.0
    device, state = gg.get_default_device(), gg.random.default_generator.state
    for number in range(-(-COUNT // len(KINDS))):
        chance = random.Random(f"{kind} {number}")
        folder = tmp_path / str(number)
        folder.mkdir()
        read, expected = getattr(world, kind)(chance, folder)
        size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
        began = time.process_time()
        tracemalloc.start()
        try:
            read()
        except Exception as error:
            if not isinstance(error, expected) or isinstance(error, UnicodeEncodeError) or not str(error):
                raise AssertionError(f"{kind} {number}: {error!r}") from error
            refused += 1
        finally:
            taken = tracemalloc.get_traced_memory()[1]
            tracemalloc.stop()
        assert kind == "toml" or taken <= TIMES * size + FREE, (
            f"{kind} {number}: {taken} bytes of memory for a file of {size}"
        )
        assert time.process_time() - began < SECONDS * 10, f"{kind} {number}: {time.process_time() - began:.1f} s"
        most = max(most, (taken - FREE) / max(size, 1))
        shutil.rmtree(folder)
    gg.set_default_device(device)
    gg.random.default_generator.state = state
    record_property("refused", refused)
