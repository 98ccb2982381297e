"""Checkpoints: everything that a run needs to go on as if it had never stopped, and nothing that could execute."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from os import PathLike
from types import TracebackType
from typing import Any, Protocol

import numpy

from .. import backend
from ..backend import logger
from ..nn import Module
from ..optim import Optimizer
from ..random import default_generator
from . import safetensors
from .code import code_version
from .stores import MANIFEST, NAME, Pieces, Store, order, store
from .tree import Gathered, assembled

FORMAT = "gpugrad checkpoint 1"
STATE, TENSORS = "state.json", "tensors.safetensors"
LARGEST_MANIFEST = 1 << 24
HostArray = numpy.ndarray[Any, Any]


class CheckpointError(RuntimeError):
    """A checkpoint could not be written or read; the message says which, where, and what helps.

    >>> try:
    ...     Checkpointer("/dev/null/runs").save(1, wait=True)
    ... except CheckpointError as error:
    ...     print(str(error)[:59])
    the checkpoint of step 1 could not be written to /dev/null/
    """


class DamagedError(CheckpointError):
    """A checkpoint is not what was written; the message names the file, and what is wrong with it."""


class Stateful(Protocol):
    """What a checkpoint can hold: modules, optimizers, schedules, loaders, and whatever else has these two."""

    def state_dict(self) -> Any: ...

    def load_state_dict(self, state_dict: Any, /) -> Any: ...


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


class Checkpointer:
    """Save the parts of a run together, and set them to the newest checkpoint that is whole.

    Args:
        place: a folder, or a URL that fsspec knows: ``gs://bucket/run``, ``s3://...``.
        parts: what to save, by name: everything with ``state_dict()`` and ``load_state_dict()``. The state of
            ``gg.random`` is saved with them.
        keep_last: how many of the newest to keep; None for all.
        keep_best: the name of a metric; the checkpoint in which it was best is kept as well.
        mode: whether the smallest ("min") or the largest ("max") is best.
        asynchronous: :meth:`save` returns when everything has been copied; hashing and writing go on in a thread, and
            on a GPU the copies too, on a stream of their own. One save at a time: the next one waits for it.

    A checkpoint is a folder with ``tensors.safetensors``, ``state.json`` and ``manifest.json``, which has the sizes and
    SHA-256 checksums of the two and one of itself. It gets its name when all of it is on the disk; on an object store
    its manifest comes last. Nothing is used before it is verified, and nothing in it can execute.

    An error of the thread is raised by the next :meth:`save`, :meth:`wait` or :meth:`close`. What had been saved
    before is still there: nothing is removed until the new one is complete.

    Raises:
        ImportError: the URL needs a package that is not installed.
        ValueError: ``mode`` or ``keep_last`` is none.

    >>> import tempfile
    >>> import gpugrad as gg
    >>> model, other = gg.nn.Linear(2, 1), gg.nn.Linear(2, 1)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     with Checkpointer(folder, {"model": model}) as checkpointer:
    ...         checkpointer.save(step=100)
    ...     Checkpointer(folder, {"model": other}).restore().step
    100
    >>> bool((other.weight == model.weight).all())
    True
    """

    def __init__(
        self,
        place: str | PathLike[str],
        parts: Mapping[str, Stateful] | None = None,
        *,
        keep_last: int | None = 3,
        keep_best: str | None = None,
        mode: str = "min",
        asynchronous: bool = True,
    ) -> None:
        if mode not in ("min", "max") or (keep_last is not None and keep_last < 1):
            raise ValueError(
                f"Checkpointer: expected mode 'min' or 'max' and keep_last of at least 1 or None, got mode={mode!r}, "
                f"keep_last={keep_last}"
            )
        self.store: Store = store(place)
        self.parts = dict(parts or {})
        self.keep_last = keep_last
        self.keep_best = keep_best
        self.mode = mode
        self.asynchronous = asynchronous
        self.damaged: dict[str, str] = {}
        """The checkpoints that did not verify, with the reason."""
        self._metrics: dict[str, dict[str, float]] = {}
        self._thread: threading.Thread | None = None
        self._failure: BaseException | None = None

    @property
    def place(self) -> str:
        """Where the checkpoints lie."""
        return self.store.place

    # ---------------------------------------------------------------- saving

    def save(
        self, step: int, *, extra: Any = None, metrics: Mapping[str, Any] | None = None, wait: bool = False
    ) -> None:
        """Save all parts as they are now.

        Args:
            step: of the training.
            extra: anything else to keep, of the types that a state may have.
            metrics: numbers by name.
            wait: until the checkpoint is complete, also when asynchronous.

        Raises:
            CheckpointError: this checkpoint, or the one under way, could not be written.
            TypeError: a state holds something else than numbers, strings, Tensors, arrays, and nested ones.
        """
        self.wait()
        state = Gathered({"extra": extra, "parts": {name: part.state_dict() for name, part in self.parts.items()}})
        fetched = [self._fetch(state.arrays)]
        about = {
            "format": FORMAT,
            "step": int(step),
            "metrics": Gathered({name: float(value) for name, value in (metrics or {}).items()}).tree,
            "random": list(default_generator.state),
            "saved": datetime.now(UTC).isoformat(timespec="seconds"),
            "code": code_version(),
        }

        def work() -> None:
            try:
                self._write(about, state.tree, dict(zip(state.arrays, fetched.pop()(), strict=True)))
            except BaseException as error:  # noqa: BLE001  raised where the user waits
                self._failure = error

        self._thread = threading.Thread(target=work, name="gpugrad-checkpoint")
        self._thread.start()
        if wait or not self.asynchronous:
            self.wait()

    def _fetch(self, arrays: dict[str, Any]) -> Callable[[], list[HostArray]]:
        """Begin to copy the arrays to the host; modules and optimizers have given copies already."""
        copied = {f"parts/{name}/" for name, part in self.parts.items() if isinstance(part, Module | Optimizer)}
        for key, array in arrays.items():
            if not any(key.startswith(part) for part in copied):
                arrays[key] = backend.duplicate(array)
        return backend.fetch(list(arrays.values()))

    def _write(self, about: dict[str, Any], tree: Any, arrays: Mapping[str, HostArray]) -> None:
        step = about["step"]
        try:
            name = self._new_name(step)
            self.store.begin(name)
            try:
                text = json.dumps(tree, allow_nan=False).encode()
                files = {TENSORS: safetensors.pieces(arrays), STATE: iter([text])}
                about["files"] = {file: self._put(name, file, pieces) for file, pieces in files.items()}
                self.store.put(name, MANIFEST, [sealed(about)])
                self.store.commit(name)
            except BaseException:
                self.store.abandon(name)
                raise
        except (OSError, ValueError, RuntimeError) as error:
            raise CheckpointError(
                f"the checkpoint of step {step} could not be written to {self.place}: {error}; what was saved before "
                "is still there"
            ) from error
        self._metrics[name] = assembled(about["metrics"], {})
        try:
            self._prune(name)
        except OSError as error:
            logger.warning("old checkpoints in %s could not be removed: %s", self.place, error)

    def _new_name(self, step: int) -> str:
        names = self.store.names()
        return f"{order(names[-1])[0] + 1 if names else 1:06d}-step-{step}"

    def _put(self, name: str, file: str, pieces: Pieces) -> dict[str, Any]:
        """Write a file, and say what the manifest has to say about it."""
        size, checksum = 0, hashlib.sha256()

        def watched() -> Pieces:
            nonlocal size
            for piece in pieces:
                checksum.update(piece)
                size += len(piece)
                yield piece

        self.store.put(name, file, watched())
        return {"size": size, "sha256": checksum.hexdigest()}

    def _prune(self, newest: str) -> None:
        """Remove what is neither among the last ones nor the best."""
        self.store.clear_leftovers(newest)
        if self.keep_last is None:
            return
        names = self.store.names()
        last = [name for name in names if name not in self.damaged][-self.keep_last :]
        kept = {*last, self.best()}
        for name in names:
            if name not in kept and order(name) < order(last[0]):
                self.store.remove(name)
                self._metrics.pop(name, None)

    def wait(self) -> None:
        """Wait for the save under way.

        Raises:
            CheckpointError: it failed.
        """
        if self._thread is not None:
            self._thread.join()
            self._thread = None
        failure, self._failure = self._failure, None
        if failure is not None:
            raise failure

    def close(self) -> None:
        """Wait for the save under way; the same as :meth:`wait`."""
        self.wait()

    def __enter__(self) -> Checkpointer:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        try:
            self.wait()
        except CheckpointError as failure:
            if error is None:
                raise
            logger.error("%s", failure)

    # ---------------------------------------------------------------- reading

    def names(self) -> list[str]:
        """The checkpoints that are there, the oldest first, damaged ones among them."""
        return self.store.names()

    def best(self) -> str | None:
        """The name of the checkpoint in which the metric ``keep_best`` is best; None if there is none."""
        if self.keep_best is None:
            return None
        sign = 1 if self.mode == "min" else -1
        found = [
            (sign * value, name)
            for name in self.names()
            if (value := self._metrics_of(name).get(self.keep_best)) is not None and value == value  # not NaN
        ]
        return min(found, key=lambda entry: entry[0])[1] if found else None

    def _metrics_of(self, name: str) -> dict[str, float]:
        if name in self.damaged:
            return {}
        if name not in self._metrics:
            try:
                self._metrics[name] = assembled(self._manifest(name)["metrics"], {})
            except DamagedError as error:
                self._report(name, error)
                return {}
        return self._metrics[name]

    def load(self, name: str) -> Checkpoint:
        """Read one checkpoint and verify it; the parts stay as they are.

        Raises:
            DamagedError: it is not what was written.
            CheckpointError: it cannot be read now (a permission, the network).
        """
        about = self._manifest(name)
        try:
            tree = json.loads(bytes(self._verified(name, about, STATE)))
            arrays = safetensors.arrays_in(self._verified(name, about, TENSORS))
            state = assembled(tree, arrays)
            return Checkpoint(
                name, about["step"], dict(state["parts"]), state["extra"], assembled(about["metrics"], {}),
                tuple(about["random"]), about["saved"], about["code"],
            )  # fmt: skip
        except (KeyError, TypeError, ValueError, RecursionError) as error:
            raise DamagedError(f"{self.place}/{name}: no state of a run: {error!r}") from error

    def restore(self, name: str | None = None) -> Checkpoint | None:
        """Set all parts, and ``gg.random``, to a checkpoint.

        Args:
            name: which one; None for the newest that is whole. Damaged ones are reported on the logger ``gpugrad`` and
                passed over.

        Returns:
            What was restored; None if there is no checkpoint.

        Raises:
            CheckpointError: there are checkpoints, and all are damaged; the one asked for is; or it lacks a part.
        """
        self.wait()
        checkpoint = self.load(name) if name is not None else self._newest()
        if checkpoint is None:
            return None
        missing = [part for part in self.parts if part not in checkpoint.parts]
        if missing:
            raise CheckpointError(
                f"{self.place}/{checkpoint.name} lacks {', '.join(missing)}: it has {', '.join(checkpoint.parts)}"
            )
        for part, thing in self.parts.items():
            try:
                thing.load_state_dict(checkpoint.parts[part])
            except (KeyError, RuntimeError, TypeError, ValueError) as error:
                raise CheckpointError(f"{self.place}/{checkpoint.name} does not fit {part}: {error}") from error
        default_generator.state = checkpoint.random
        tell_of_other_code(checkpoint)
        return checkpoint

    def _newest(self) -> Checkpoint | None:
        names = self.names()
        for name in reversed(names):
            try:
                return self.load(name)
            except DamagedError as error:
                self._report(name, error)
        if names:
            raise CheckpointError(
                f"none of the {len(names)} checkpoints in {self.place} is whole: {'; '.join(self.damaged.values())}. "
                "Move them away to begin anew"
            )
        return None

    def _report(self, name: str, error: DamagedError) -> None:
        if name not in self.damaged:
            self.damaged[name] = str(error)
            logger.warning("damaged checkpoint, the one before is used: %s", error)

    def _manifest(self, name: str) -> dict[str, Any]:
        if not NAME.fullmatch(name):
            raise ValueError(f"expected the name of a checkpoint such as 000001-step-100, got {name!r}")
        try:
            return unsealed(bytes(self._content(name, MANIFEST, LARGEST_MANIFEST)))
        except ValueError as error:
            raise DamagedError(f"{self.place}/{name}/{MANIFEST}: {error}") from error

    def _verified(self, name: str, about: dict[str, Any], file: str) -> memoryview:
        """The bytes of a file, which are those that were written."""
        expected = about["files"][file]
        content = self._content(name, file, expected["size"], exact=True)
        got = hashlib.sha256(content).hexdigest()
        if got != expected["sha256"]:
            raise DamagedError(
                f"{self.place}/{name}/{file}: its {len(content)} bytes are not those that were written: SHA-256 "
                f"{got[:12]}... instead of {str(expected['sha256'])[:12]}..."
            )
        return content

    def _content(self, name: str, file: str, limit: int, exact: bool = False) -> memoryview:
        """A file's bytes; its real size is looked at before memory is taken."""
        try:
            size = self.store.size(name, file)
            if size > limit or (exact and size != limit):
                raise DamagedError(
                    f"{self.place}/{name}/{file}: expected {'' if exact else 'at most '}{limit} bytes, got {size}"
                )
            return self.store.get(name, file, size)
        except (FileNotFoundError, IsADirectoryError, NotADirectoryError) as error:
            raise DamagedError(f"{self.place}/{name}/{file}: is not there ({error})") from error
        except OSError as error:
            raise CheckpointError(f"{self.place}/{name}/{file} cannot be read: {error}") from error


def tell_of_other_code(checkpoint: Checkpoint) -> None:
    """Log where another version goes on with a run: it need not be bitwise the same then."""
    here = code_version()
    other = [f"{k} {v}, here {here.get(k)}" for k, v in checkpoint.code.items() if v != here.get(k)]
    if other:
        logger.info("%s was saved by other code: %s", checkpoint.name, "; ".join(other))


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
        about = json.loads(content)
    except (ValueError, RecursionError) as error:
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
