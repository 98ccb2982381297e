"""A checkpoint read and verified: nothing of it is used before all of it is known to be what was written."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from functools import partial
from typing import Any

from ...plain import plain
from ...random import Generator
from . import safetensors
from .state_json import assembled, entry
from .stores import MANIFEST, NAME, Store, masked

FORMAT = "gpugrad checkpoint 1"
STATE, TENSORS = "state.json", "tensors.safetensors"
LARGEST_MANIFEST = 1 << 24
"""Bytes."""


class CheckpointError(RuntimeError):
    """A checkpoint could not be written or read; the message says which, where, and what helps.

    Passwords in URLs do not appear in it.

    >>> from gpugrad.training import Checkpointer
    >>> try:
    ...     Checkpointer("/dev/null/runs").save(1, wait=True)
    ... except CheckpointError as error:
    ...     print(str(error)[:59])
    the checkpoint of step 1 could not be written to /dev/null/
    """

    def __init__(self, message: str) -> None:
        super().__init__(masked(message))


class DamagedError(CheckpointError):
    """A checkpoint is not what was written; the message names the file, and what is wrong with it.

    >>> import tempfile
    >>> from pathlib import Path
    >>> from gpugrad.training import Checkpointer
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     Checkpointer(folder).save(1, wait=True)
    ...     _ = Path(folder, "000001-step-1", "state.json").write_bytes(b"")
    ...     try:
    ...         Checkpointer(folder).load("000001-step-1")
    ...     except DamagedError as error:
    ...         print(str(error).removeprefix(folder))
    /000001-step-1/state.json: expected 28 bytes, got 0
    """


class OtherRunError(CheckpointError):
    """The checkpoint is that of a run that was begun otherwise; the message names what differs.

    >>> import tempfile
    >>> import gpugrad as gg
    >>> from gpugrad.training import Trainer
    >>> def fit(folder, **settings):
    ...     model = gg.nn.Linear(1, 1)
    ...     optimizer = gg.optim.SGD(model.parameters(), lr=settings["lr"])
    ...     trainer = Trainer(model, gg.nn.MSELoss(), optimizer, folder=folder, settings=settings, progress=False)
    ...     trainer.fit([(gg.ones((1, 1)), gg.ones((1, 1)))])
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     fit(folder, lr=0.1)
    ...     try:
    ...         fit(folder, lr=0.2)
    ...     except OtherRunError as error:
    ...         print(str(error).partition(". ")[0])
    000001-step-1: lr is 0.2, the run was started with 0.1
    """


@dataclass(frozen=True)
class Checkpoint:
    """One checkpoint as it was read and verified.

    Attributes:
        name: of its folder.
        step: of the training.
        parts: what ``state_dict()`` of each part gave, with arrays on the host.
        extra: what was given to :meth:`Checkpointer.save` besides.
        metrics: by name.
        random: the seed and the counter of ``gg.random.default_generator``.
        saved: when, as ISO 8601.
        code: the versions of gpugrad, NumPy and Python, and the commit of the program, where it had one.

    >>> import tempfile
    >>> from gpugrad.training import Checkpointer
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     Checkpointer(folder).save(7, extra={"note": "first"}, wait=True)
    ...     checkpoint = Checkpointer(folder).restore()
    >>> checkpoint.step, checkpoint.extra
    (7, {'note': 'first'})
    """

    name: str
    step: int
    parts: dict[str, Any]
    extra: Any
    metrics: dict[str, float]
    random: tuple[int, int]
    saved: str
    code: dict[str, str]


def read(store: Store, name: str) -> Checkpoint:
    """The checkpoint of this name.

    Raises:
        DamagedError: it is not what was written.
        CheckpointError: it cannot be read now (a permission, the network).
    """
    about = read_manifest(store, name)
    try:
        arrays = safetensors.arrays_in(_verified(store, name, about, TENSORS))
        state = plain(_verified(store, name, about, STATE), hook=partial(entry, arrays=arrays))
        if not isinstance(state, dict) or not isinstance(state["parts"], dict):
            raise TypeError(f"expected a dictionary with parts, got {type(state).__name__}")
        return Checkpoint(
            name, about["step"], state["parts"], state["extra"], about["metrics"], tuple(about["random"]),
            about["saved"], about["code"],
        )  # fmt: skip
    except (KeyError, TypeError, ValueError) as error:
        raise DamagedError(f"{store.place}/{name}: no state of a run: {error!r}") from error


def read_manifest(store: Store, name: str) -> dict[str, Any]:
    """What a checkpoint says about itself.

    Raises:
        DamagedError: it is not what was written.
        CheckpointError: it cannot be read now.
    """
    if not NAME.fullmatch(name):
        raise ValueError(f"expected the name of a checkpoint such as 000001-step-100, got {name!r}")
    try:
        return checked(unsealed(bytes(_content(store, name, MANIFEST, LARGEST_MANIFEST))))
    except ValueError as error:
        raise DamagedError(f"{store.place}/{name}/{MANIFEST}: {error}") from error


def checked(about: dict[str, Any]) -> dict[str, Any]:
    """A manifest with entries of the types that they must have, its metrics as numbers.

    Raises:
        ValueError: it lacks one, or one is something else: it was not written by :class:`Checkpointer`.
    """
    try:
        seed, counter = about["random"]
        files, code, metrics = about["files"], about["code"], assembled(about["metrics"], {})
        right = (
            type(about["step"]) is int and about["step"] >= 0
            and type(seed) is int and type(counter) is int
            and isinstance(about["saved"], str)
            and isinstance(code, dict) and all(isinstance(word, str) for word in code.values())
            and isinstance(metrics, dict) and all(type(number) in (int, float) for number in metrics.values())
            and all(type(files[file]["size"]) is int and isinstance(files[file]["sha256"], str)
                    for file in (STATE, TENSORS))
        )  # fmt: skip
        Generator(0).state = seed, counter
    except (ArithmeticError, KeyError, TypeError, ValueError) as error:
        raise ValueError(f"no manifest of a checkpoint: {error!r}") from error
    if not right:
        raise ValueError("no manifest of a checkpoint: an entry has another type")
    return {**about, "metrics": metrics}


def _verified(store: Store, name: str, about: dict[str, Any], file: str) -> memoryview:
    """The bytes of a file, which are those that were written."""
    expected = about["files"][file]
    content = _content(store, name, file, expected["size"], exact=True)
    got = hashlib.sha256(content).hexdigest()
    if got != expected["sha256"]:
        raise DamagedError(
            f"{store.place}/{name}/{file}: its {len(content)} bytes are not those that were written: SHA-256 "
            f"{got[:12]}... instead of {str(expected['sha256'])[:12]}..."
        )
    return content


def _content(store: Store, name: str, file: str, limit: int, exact: bool = False) -> memoryview:
    """A file's bytes; its real size is looked at before memory is taken."""
    try:
        size = store.length(name, file)
        if size > limit or (exact and size != limit):
            raise DamagedError(
                f"{store.place}/{name}/{file}: expected {'' if exact else 'at most '}{limit} bytes, got {size}"
            )
        return store.get(name, file, size)
    except (FileNotFoundError, IsADirectoryError, NotADirectoryError) as error:
        raise DamagedError(f"{store.place}/{name}/{file}: is not there ({error})") from error
    except CheckpointError:
        raise
    except Exception as error:  # storage libraries have classes of their own
        raise CheckpointError(f"{store.place}/{name}/{file} cannot be read: {error}") from error


def sealed(about: dict[str, Any]) -> bytes:
    """A manifest as bytes, with a checksum over all the rest of it.

    >>> unsealed(sealed({"format": FORMAT, "step": 3}))
    {'format': 'gpugrad checkpoint 1', 'step': 3}
    """
    checksum = hashlib.sha256(_dumped(about)).hexdigest()
    return _dumped({**about, "sha256": checksum})


def unsealed(content: bytes) -> dict[str, Any]:
    """The manifest in these bytes.

    Raises:
        ValueError: they are not exactly what :func:`sealed` has written, or in the format of another version.
    """
    try:
        about = plain(content)
    except ValueError as error:
        raise ValueError(f"{len(content)} bytes that are no JSON ({error})") from error
    if not isinstance(about, dict) or "sha256" not in about:
        raise ValueError("no manifest of a checkpoint")
    del about["sha256"]
    if sealed(about) != content:
        raise ValueError("not what was written: its checksum is wrong")
    if about.get("format") != FORMAT:
        raise ValueError(f"expected the format {FORMAT!r}, got {about.get('format')!r}")
    return about


def _dumped(about: dict[str, Any]) -> bytes:
    return (json.dumps(about, indent=1, sort_keys=True) + "\n").encode()
