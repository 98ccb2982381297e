"""Weights in files: safetensors, written and read without pickle, and what other programs wrote.

A file holds the tensors of a model, or a checkpoint: nested dicts, lists and tuples of tensors, numbers and strings,
whose structure is JSON in the file's metadata. Reading makes nothing but these types and runs no code. Files that are
damaged or made to do harm are a :class:`WeightsError` that names the file.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

from . import backend
from .backend import Array, Device
from .core import Tensor
from .nn.module import Module
from .ops.creation import asarray
from .plain import plain
from .training.checkpoints.safetensors import LARGEST_HEADER, arrays_in, pieces
from .training.checkpoints.state_json import Gathered, assembled

__all__ = ["LoadReport", "WeightsError", "load", "save"]

STRUCTURE = "gpugrad"
"""The entry of the metadata with the structure of what is no plain dictionary of tensors."""

INDEX, SINGLE = "model.safetensors.index.json", "model.safetensors"
PREFIXES = ("module.", "_orig_mod.")
"""What wrappers of PyTorch put before each name."""

CONVERSION = """convert it once, where it comes from and where PyTorch is:
    from safetensors.torch import save_file
    save_file(torch.load({name!r}, weights_only=True, map_location="cpu"), {new!r})"""


class WeightsError(ValueError):
    """A file of weights that is damaged, of another kind, or does not fit; the message names it."""


@dataclass
class LoadReport:
    """How the names and shapes in a file and in a model differ.

    Attributes:
        missing: names of the model that are not in the file.
        unexpected: names in the file that the model has not.
        misshapen: for each name whose shapes differ, those in the model and in the file.
        prefix: what was taken off each name in the file.

    >>> print(LoadReport(missing=["bias"], misshapen={"weight": ((2, 3), (3, 2))}))
    missing: bias
    misshapen: weight: expected (2, 3), got (3, 2)
    """

    missing: list[str] = field(default_factory=list)
    unexpected: list[str] = field(default_factory=list)
    misshapen: dict[str, tuple[tuple[int, ...], tuple[int, ...]]] = field(default_factory=dict)
    prefix: str = ""

    @property
    def fits(self) -> bool:
        """Whether all names and shapes are the same."""
        return not (self.missing or self.unexpected or self.misshapen)

    def __str__(self) -> str:
        lines = [f"{kind}: {_listed(names)}" for kind, names in (
            ("missing", self.missing), ("unexpected", self.unexpected),
            ("misshapen", [f"{name}: expected {a}, got {b}" for name, (a, b) in self.misshapen.items()]),
        ) if names]  # fmt: skip
        return "\n".join(lines) or "all names and shapes are the same"


def save(obj: Module | Mapping[str, Any] | Any, f: str | os.PathLike[str] | BinaryIO) -> None:
    """Write a model, its state, or a checkpoint into a safetensors file.

    Every program that knows the format reads the tensors. A file is written beside its place and then moved there, so
    that an interruption leaves the old one.

    Args:
        obj: a Module (its ``state_dict`` is written), a dictionary of tensors, or nested dicts, lists and tuples of
            tensors, arrays, numbers, strings, booleans and None, such as states of optimizers.
        f: the path, or a binary file to write to.

    Raises:
        TypeError: something else is in there, such as an object of a class; or a dtype that the format has not.

    >>> import gpugrad as gg, io
    >>> file = io.BytesIO()
    >>> gg.save({"weight": gg.ones(2), "epoch": 3}, file)
    >>> gg.load(io.BytesIO(file.getvalue()))
    {'weight': tensor([1., 1.]), 'epoch': 3}
    """
    state = obj.state_dict(copy=False) if isinstance(obj, Module) else obj
    notes: dict[str, str] = {}
    if isinstance(state, Mapping) and all(
        isinstance(key, str) and isinstance(value, Tensor) for key, value in state.items()
    ):
        arrays = {key: value.data for key, value in state.items()}
    else:
        parts = Gathered(state)
        arrays = parts.arrays
        notes[STRUCTURE] = json.dumps(parts.tree)
    content = pieces({key: backend.to_host(a) for key, a in arrays.items()}, notes)
    if hasattr(f, "write"):
        for piece in content:
            f.write(piece)
        return
    _replace(Path(f), content)


def _replace(path: Path, content: Iterable[memoryview | bytes]) -> None:
    handle, beside = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            for piece in content:
                file.write(piece)
        if path.exists():
            os.chmod(beside, path.stat().st_mode & 0o777)
        else:
            mask = os.umask(0)
            os.umask(mask)
            os.chmod(beside, 0o666 & ~mask)
        os.replace(beside, path)
    except BaseException:
        Path(beside).unlink(missing_ok=True)
        raise


def load(
    f: str | os.PathLike[str] | BinaryIO, map_location: Device | str | None = None, *, model: Module | None = None,
    strict: bool = True, weights_only: bool = True,
) -> Any:  # fmt: skip
    """Read what :func:`save` wrote, or weights that other programs wrote in the safetensors format.

    Args:
        f: a file; an index of several (``model.safetensors.index.json``); a folder that has one of them; or a binary
            file to read from.
        map_location: the device of the tensors; None for the default one. Of a model, its own.
        model: the Module that the weights are for. Names may begin with ``module.`` or ``_orig_mod.``, as those of
            PyTorch's wrappers do; counts of batches may be missing, and all but one of the names of a tensor that has
            several. Values get the dtypes of the model.
        strict: whether names and shapes must be the same; if not, what fits is loaded.
        weights_only: must be True: there is nothing else in such files.

    Returns:
        What was saved; for a model, a :class:`LoadReport`.

    Raises:
        WeightsError: a file that is damaged, or of another kind: pickles of ``torch.save`` are refused, as reading one
            runs the code in it; or names and shapes differ (``strict``), all of which are listed.
        OSError: the file cannot be read.

    >>> import gpugrad as gg, io
    >>> from gpugrad import nn
    >>> file = io.BytesIO()
    >>> gg.save({"module.weight": gg.ones((1, 2)), "module.scale": gg.ones(1)}, file)
    >>> print(gg.load(io.BytesIO(file.getvalue()), model=nn.Linear(2, 1), strict=False))
    missing: bias
    unexpected: scale
    """
    if not weights_only:
        raise ValueError("load: expected weights_only=True: the files read here hold nothing but weights")
    if hasattr(f, "read"):
        name, (arrays, tree) = getattr(f, "name", "the file"), (None, None)
        arrays, tree = _content(str(name), f.read())
    else:
        path = _found(Path(f))
        name = str(path)
        arrays, tree = _of_index(path) if path.suffix == ".json" else _content(name, path.read_bytes())
    if model is not None:
        return _into(model, name, arrays, strict)
    made = {key: asarray(array, device=map_location or backend.default_device(), copy=True).data
            for key, array in arrays.items()}  # fmt: skip
    if tree is None:
        return {key: Tensor(array) for key, array in made.items()}
    try:
        return assembled(tree, made)
    except (ValueError, TypeError, RecursionError) as error:
        raise WeightsError(f"{name}: {error}") from error


def _found(path: Path) -> Path:
    """The file to read: of a folder, the index or the only file in it."""
    if not path.is_dir():
        return path
    for name in (INDEX, SINGLE):
        if (path / name).exists():
            return path / name
    raise FileNotFoundError(f"expected {INDEX} or {SINGLE} in the folder {path}")


def _content(name: str, content: bytes) -> tuple[dict[str, Any], Any]:
    """The arrays of a file, as views of its bytes, and the structure that was saved with them."""
    if content[:2] == b"PK" or (content[:1] == b"\x80" and content[1:2] in (b"\x02", b"\x03", b"\x04", b"\x05")):
        new = str(Path(name).with_suffix(".safetensors"))
        raise WeightsError(
            f"{name}: a pickle, such as torch.save writes: reading one runs the code in it, so it is not read; "
            + CONVERSION.format(name=name, new=new)
        )
    try:
        arrays = arrays_in(memoryview(content))
        tree = _structure(content)
    except (ValueError, ImportError, TypeError, OverflowError, RecursionError) as error:
        raise WeightsError(f"{name}: {error}") from error
    return arrays, tree


def _structure(content: bytes) -> Any:
    """The structure in the metadata; None where there is none. The header has been checked."""
    length = int.from_bytes(content[:8], "little")
    if STRUCTURE.encode() not in content[8 : 8 + min(length, LARGEST_HEADER)]:
        return None
    notes = plain(content[8 : 8 + length], size=len(content)).get("__metadata__")
    text = notes.get(STRUCTURE) if isinstance(notes, dict) else None
    if text is None:
        return None
    if not isinstance(text, str):
        raise ValueError(f"expected the structure as a text, got {type(text).__name__}")  # noqa: TRY004
    return plain(text.encode("utf-8", "surrogatepass"), size=len(content))


def _of_index(path: Path) -> tuple[dict[str, Any], None]:
    """The arrays of the files that an index lists, all in its folder."""
    try:
        index = plain(path.read_bytes())
    except ValueError as error:
        raise WeightsError(f"{path}: expected an index of safetensors files: {error}") from error
    places = index.get("weight_map") if isinstance(index, dict) else None
    if not isinstance(places, dict) or not all(isinstance(file, str) for file in places.values()):
        raise WeightsError(f"{path}: expected an index with a weight_map from names to files")
    found: dict[str, Any] = {}
    for file in dict.fromkeys(places.values()):
        if file in ("", ".", "..") or "\0" in file or {"/", "\\"} & {*file} or Path(file).name != file:
            raise WeightsError(f"{path}: expected names of files in the same folder, got {file!r}")
        part = path.parent / file
        if not part.is_file():
            raise WeightsError(f"{path}: lists {file}, which is not there")
        arrays, _ = _content(str(part), part.read_bytes())
        wanted = [name for name, place in places.items() if place == file]
        lacking = [name for name in wanted if name not in arrays]
        if lacking:
            raise WeightsError(f"{part}: expected {_listed(lacking)}, which {path.name} says is there")
        found |= {name: arrays[name] for name in wanted}
    return found, None


# ---------------------------------------------------------------- into a model


def _into(model: Module, name: str, arrays: Mapping[str, Array], strict: bool) -> LoadReport:
    wanted = model.state_dict(keep_vars=True)
    prefix = _prefix(arrays, wanted)
    given = {key.removeprefix(prefix): array for key, array in arrays.items()}
    report = LoadReport(prefix=prefix)
    report.missing = model.load_state_dict({}, strict=False).missing_keys
    tied = {id(value) for key, value in wanted.items() if key in given}
    report.missing = [key for key in report.missing if key not in given and id(wanted[key]) not in tied]
    report.unexpected = [key for key in given if key not in wanted]
    for key in given.keys() & wanted.keys():
        shape = _shape(wanted[key])
        if shape is not None and shape != given[key].shape:
            report.misshapen[key] = shape, given[key].shape
    if strict and not report.fits:
        raise WeightsError(f"{name} does not fit {type(model).__name__}:\n{report}")
    fitting = {key: array for key, array in given.items() if key in wanted and key not in report.misshapen}
    model.load_state_dict(fitting, strict=False)
    return report


def _shape(value: Tensor) -> tuple[int, ...] | None:
    """The shape of a parameter; None where it is not known yet."""
    try:
        return value.shape
    except (RuntimeError, AttributeError, ValueError):
        return None


def _prefix(given: Iterable[str], wanted: Mapping[str, Any]) -> str:
    """What all names in a file begin with that a wrapper has put there."""
    names, prefix = list(given), ""
    while names and not any(name in wanted for name in names):
        more = next((p for p in PREFIXES if all(name.startswith(p) for name in names)), None)
        if more is None:
            break
        prefix, names = prefix + more, [name.removeprefix(more) for name in names]
    return prefix


def _listed(names: list[str], most: int = 30) -> str:
    rest = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + rest
