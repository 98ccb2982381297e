"""Checkpoints: everything that a run needs to go on as if it had never stopped, and nothing that could execute."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from os import PathLike
from types import TracebackType
from typing import Any, Protocol

import numpy

from ... import backend
from ...backend import logger
from ...nn import Module
from ...optim import Optimizer
from ...plain import padded
from ...random import default_generator
from . import safetensors
from .lease import Lease, OwnedError
from .provenance import code_version
from .reading import (
    FORMAT,
    STATE,
    TENSORS,
    Checkpoint,
    CheckpointError,
    DamagedError,
    OtherRunError,
    read,
    read_manifest,
    sealed,
)
from .state_json import Gathered, assembled
from .stores import MANIFEST, Pieces, Store, masked, order, store

HostArray = numpy.ndarray[Any, Any]


class Stateful(Protocol):
    """What a checkpoint can hold: modules, optimizers, schedules, loaders, and whatever else has these two."""

    def state_dict(self) -> Any: ...

    def load_state_dict(self, state_dict: Any, /) -> Any: ...


class Checkpointer:
    """Save the parts of a run together, and set them to the newest checkpoint that is whole.

    Args:
        place: a folder, or a URL that fsspec knows: ``gs://bucket/run``, ``s3://...``.
        parts: what to save, by name: everything with ``state_dict()`` and ``load_state_dict()``. The state of
            ``gg.random`` is saved with them.
        keep_last: how many of the newest to keep; None for all.
        keep_best: the name of a metric; the checkpoint in which it was best is kept as well.
        mode: whether the smallest ("min") or the largest ("max") is best.
        asynchronous: :meth:`save` returns when all copies are made (on the CPU) or queued (on a GPU); waiting for them,
            hashing and writing happen in a thread. One save at a time: the next one waits for it.
        beside: called before a checkpoint gets its name, in the thread that writes: for what must be there with it.
        takeover: take the folder from a process that still writes to it; that one then writes nothing more.

    The first :meth:`save` makes this object the owner of the folder, until :meth:`close` or the end of the process: the
    file ``owner.json`` says so, and is renewed. Another process that saves there is refused. An owner that has ended,
    or has not renewed the file for a minute, is replaced.

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
        beside: Callable[[], Any] | None = None,
        takeover: bool = False,
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
        self.beside = beside
        self.takeover = takeover
        self._lease: Lease | None = None
        self._number: int | None = None
        self.damaged: dict[str, str] = {}
        """The checkpoints that did not verify, with the reason."""
        self.outdated: set[str] = set()
        """The checkpoints of an earlier run, see :meth:`begin_anew`."""
        self._metrics: dict[str, dict[str, float]] = {}
        self._thread: threading.Thread | None = None
        self._failure: BaseException | None = None

    @property
    def place(self) -> str:
        """Where the checkpoints lie."""
        return self.store.place

    # ---------------------------------------------------------------- the owner

    def own(self, quick: bool = False) -> None:
        """Become the owner of the folder, or see that this is still the owner.

        Args:
            quick: ask nothing of a store that is far away, and rely on the last renewal.

        Raises:
            OwnedError: another process is the owner; the message names it.
            CheckpointError: the folder cannot be written to.
        """
        try:
            self._claim(quick)
        except CheckpointError:
            raise
        except Exception as error:  # storage libraries have classes of their own
            raise CheckpointError(f"nothing can be written to {self.place}: {error}") from error

    def _claim(self, quick: bool = False) -> None:
        if self._lease is None:
            self._lease = Lease(self.store, self.takeover)
        else:
            self._lease.check(quick)

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
        try:
            self._claim()
        except CheckpointError:
            raise
        except Exception as error:
            raise self._unwritten(step, error) from error
        state = Gathered({"extra": extra, "parts": {name: _state(part) for name, part in self.parts.items()}})
        fetched = [backend.fetch(list(state.arrays.values()))]
        about = {
            "format": FORMAT,
            "step": int(step),
            "metrics": Gathered({name: _number(value) for name, value in (metrics or {}).items()}).tree,
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

    def _write(self, about: dict[str, Any], tree: Any, arrays: Mapping[str, HostArray]) -> None:
        step = about["step"]
        try:
            name = self._new_name(step)
            self.store.begin(name)
            try:
                text = padded(json.dumps(tree, allow_nan=False).encode())
                files = {TENSORS: safetensors.pieces(arrays), STATE: iter([text])}
                about["files"] = {file: self._put(name, file, pieces) for file, pieces in files.items()}
                self._claim()
                if self.beside is not None:
                    self.beside()
                    self._claim()
                self.store.put(name, MANIFEST, [sealed(about)])
                self.store.commit(name)
            except BaseException:
                self.store.abandon(name)
                raise
        except OwnedError:
            raise
        except Exception as error:
            if (
                self._lease is not None and self._lease.taken()
            ):  # whoever has it now may have removed what is half-written
                self._claim()
            raise self._unwritten(step, error) from error
        self._metrics[name] = assembled(about["metrics"], {})
        try:
            self._prune(name)
        except OwnedError:
            raise
        except Exception as error:  # noqa: BLE001  the new checkpoint is there, whatever the store says
            logger.warning("old checkpoints in %s could not be removed: %s", self.place, masked(str(error)))

    def _unwritten(self, step: int, error: Exception) -> CheckpointError:
        return CheckpointError(
            f"the checkpoint of step {step} could not be written to {self.place}: {error}; what was saved before is "
            "still there"
        )

    def _new_name(self, step: int) -> str:
        names = self.store.names()
        number = order(names[-1])[0] if names else 0
        if self._number is None and self._lease is not None and self._lease.forced:
            number += 1  # the owner before may still be about to commit the next one
        self._number = max(number, self._number or 0) + 1
        return f"{self._number:06d}-step-{step}"

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
        self._claim()
        self.store.clear_leftovers(newest)
        whole = [name for name in self.names() if name not in self.damaged]
        last = whole if self.keep_last is None else whole[-self.keep_last :]
        kept = {*last, self.best()}
        for name in self.store.names():
            if name not in kept and order(name) < order(last[0]):
                self._claim()
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
            try:
                raise failure
            finally:
                del failure  # its traceback has this frame: no cycle

    def close(self) -> None:
        """Wait for the save under way, and let others write to the folder.

        Raises:
            CheckpointError: the save failed.
        """
        try:
            self.wait()
        finally:
            lease, self._lease, self._number = self._lease, None, None
            if lease is not None:
                lease.release()

    def __enter__(self) -> Checkpointer:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        try:
            self.close()
        except CheckpointError as failure:
            if error is None:
                raise
            logger.error("%s", failure)

    # ---------------------------------------------------------------- reading

    def names(self) -> list[str]:
        """The checkpoints that are there, the oldest first, damaged ones among them."""
        try:
            return [name for name in self.store.names() if name not in self.outdated]
        except Exception as error:  # storage libraries have classes of their own
            raise CheckpointError(f"the checkpoints in {self.place} cannot be looked at: {error}") from error

    def begin_anew(self) -> None:
        """Take no notice of the checkpoints that are there now; they are removed after the next save."""
        self.wait()
        self.outdated.update(self.names())

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
                self._metrics[name] = read_manifest(self.store, name)["metrics"]
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
        return read(self.store, name)

    def restore(self, name: str | None = None, check: Callable[[Checkpoint], None] | None = None) -> Checkpoint | None:
        """Set all parts, and ``gg.random``, to a checkpoint.

        Args:
            name: which one; None for the newest that is whole. Damaged ones are reported on the logger ``gpugrad`` and
                passed over.
            check: called with the checkpoint before anything is set; what it raises leaves all parts as they are.

        Returns:
            What was restored; None if there is no checkpoint.

        Raises:
            CheckpointError: there are checkpoints, and all are damaged; the one asked for is; or it lacks a part.
            OtherRunError: it is that of a run with other settings.
        """
        self.wait()
        checkpoint = self.load(name) if name is not None else self.newest()
        if checkpoint is None:
            return None
        if check is not None:
            check(checkpoint)
        missing = [part for part in self.parts if part not in checkpoint.parts]
        if missing:
            raise CheckpointError(
                f"{self.place}/{checkpoint.name} lacks {', '.join(missing)}: it has {', '.join(checkpoint.parts)}"
            )
        for part, thing in self.parts.items():
            try:
                thing.load_state_dict(checkpoint.parts[part])
            except Exception as error:  # whatever the part makes of a state that it has not written
                kind = OtherRunError if isinstance(error, OtherRunError) else CheckpointError
                raise kind(f"{self.place}/{checkpoint.name} does not fit {part}: {error}") from error
        default_generator.state = checkpoint.random
        tell_of_other_code(checkpoint)
        return checkpoint

    def newest(self) -> Checkpoint | None:
        """Read the newest checkpoint that is whole; the parts stay as they are. None: there is no checkpoint.

        Raises:
            CheckpointError: all that are there are damaged, or cannot be read now.
        """
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


def _state(part: Stateful) -> Any:
    """The state of a part; of modules and optimizers in their own memory, since all is copied to the host at once."""
    if isinstance(part, Module | Optimizer) and type(part).state_dict in (Module.state_dict, Optimizer.state_dict):
        return part.state_dict(copy=False)
    return part.state_dict()


def _number(value: Any) -> float:
    return float(value.item() if hasattr(value, "item") else value)


def tell_of_other_code(checkpoint: Checkpoint) -> None:
    """Log where another version goes on with a run: it need not be bitwise the same then."""
    here = code_version()
    other = [f"{k} {v}, here {here.get(k)}" for k, v in checkpoint.code.items() if v != here.get(k)]
    if other:
        logger.info("%s was saved by other code: %s", checkpoint.name, "; ".join(other))
