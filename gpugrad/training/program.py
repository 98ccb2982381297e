"""The program of a run, described: classes and settings of its parts, and its data.

A checkpoint keeps the description. A program that resumes the run is compared with it: what would make the state
meaningless is refused, every other difference is told.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from pathlib import PurePath
from typing import Any

from ..nn import Module

Description = dict[str, Any]

FIXED = ("callbacks", "data.batch_size", "data.classes", "data.drop_last", "data.length", "data.shuffle", "ema",
         "metrics", "optimizer", "scheduler", "settings.")  # fmt: skip
"""What a run keeps to its end; a name with a dot at its end stands for all that begin so."""

SAVED = ("optimizer.", "scheduler.", "ema.", "data.seed")
"""What the checkpoint restores, so that the program's own value does not count."""

SAMPLED = 64
"""Number of examples whose bytes stand for those of all."""


def described(
    *, model: Any, loss: Any, optimizer: Any, scheduler: Any, ema: Any, data: Any, options: Mapping[str, Any],
    metrics: Iterable[str], callbacks: int, settings: Mapping[str, Any],
) -> Description:  # fmt: skip
    """The description of a program before its first step, by dotted names."""
    found: Description = {"model": repr(model), "loss": _called(loss)}
    for name, part in (("optimizer", optimizer), ("scheduler", scheduler), ("ema", ema)):
        found[name] = None if part is None else type(part).__name__
        groups = [] if part is None else getattr(part, "param_groups", [vars(part)])
        for i, values in enumerate(groups):
            where = name if i == 0 else f"{name}.group {i}"
            found |= {
                f"{where}.{key}": value for key, value in values.items() if _recordable(value) and key != "initial_lr"
            }
    found |= {f"data.{key}": value for key, value in _data(data).items()}
    found |= {key: value for key, value in options.items() if _recordable(value)}
    found |= {f"settings.{key}": value if _recordable(value) else str(value) for key, value in settings.items()}
    return found | {"metrics": sorted(metrics), "callbacks": callbacks}


def compared(mine: Description, saved: Description) -> tuple[list[str], list[str]]:
    """What differs between a program and the saved description: what is refused, and what is told.

    >>> compared({"optimizer": "SGD", "optimizer.lr": 0.5}, {"optimizer": "SGD", "optimizer.lr": 0.1})
    ([], ['optimizer.lr is 0.5, the run was started with 0.1, which is used'])
    >>> compared({"data.length": 40}, {"data.length": 64})
    (['data.length is 40, the run was started with 64'], [])
    """
    refused: list[str] = []
    told: list[str] = []
    twice = _said(mine, saved)
    for name in sorted({*mine, *saved} - twice):
        here, there = mine.get(name), saved.get(name)
        if here == there:
            continue
        if name == "model" and isinstance(here, str) and isinstance(there, str):
            here, there = _first_difference(here, there)
        text = f"{name.removeprefix('settings.')} is {'not set' if here is None else here}, the run was started "
        text += "without" if there is None else f"with {there}"
        if any(name.startswith(fixed) if fixed.endswith(".") else name == fixed for fixed in FIXED):
            refused.append(text)
        elif not any(other.startswith(name.partition(".")[0]) for other in refused):  # settings of another class
            told.append(text + ", which is used" * name.startswith(SAVED))
    return refused, told


def _said(mine: Description, saved: Description) -> set[str]:
    """Settings of a configuration that repeat a refused difference: ``optimizer.use``, ``loader.batch_size``."""
    differ = [name for name in FIXED if mine.get(name) != saved.get(name)]
    return {f"settings.{again}" for name in differ for again in (f"{name}.use", name.replace("data.", "loader."))}


def _recordable(value: Any) -> bool:
    if isinstance(value, list | tuple):
        return len(value) <= 16 and all(map(_recordable, value))
    return value is None or isinstance(value, str | bool | int | float)


def _called(function: Callable[..., Any] | None) -> str:
    if isinstance(function, partial):
        return f"{_called(function.func)} with {function.keywords}"
    return (
        repr(function) if isinstance(function, Module) else getattr(function, "__qualname__", type(function).__name__)
    )


def _data(data: Any) -> Description:
    """What is known of a loader, or of anything else that gives batches."""
    found = {name: getattr(data, name, None) for name in ("batch_size", "shuffle", "drop_last", "seed")}
    dataset = getattr(data, "dataset", data)
    try:
        found["length"] = len(dataset)
    except TypeError:
        found["length"] = None
    found["classes"] = classes_of(dataset)
    arrays = getattr(dataset, "arrays", None)
    if isinstance(arrays, tuple) and found["length"]:
        checksum = hashlib.sha256()
        for array in arrays:
            rows = array[:: max(1, len(array) // SAMPLED)][:SAMPLED]
            checksum.update(f"{array.dtype}{array.shape}".encode() + rows.tobytes())
        found["content"] = checksum.hexdigest()[:12]
    paths = getattr(dataset, "paths", None)
    if isinstance(paths, list) and paths and all(isinstance(path, PurePath) for path in paths):
        names = "\0".join("/".join(path.parts[-2:]) for path in paths)  # the class and the file, wherever the folder is
        found["files"] = hashlib.sha256(names.encode(errors="surrogateescape")).hexdigest()[:12]
    return {name: value for name, value in found.items() if _recordable(value)}


def classes_of(dataset: Any) -> str | None:
    """The names of a data set's classes in their order, where it has some; of many, their number and a checksum."""
    classes = getattr(dataset, "classes", None)
    if not isinstance(classes, list | tuple):
        return None
    names = ", ".join(map(str, classes))
    digest = hashlib.sha256(names.encode(errors="surrogatepass")).hexdigest()[:12]
    return names if len(names) <= 200 else f"{len(classes)} classes ({digest})"


def _first_difference(here: str, there: str) -> tuple[str, str]:
    """The first lines in which two texts differ."""
    mine, its = here.splitlines(), there.splitlines()
    number = next((i for i, (a, b) in enumerate(zip(mine, its, strict=False)) if a != b), min(len(mine), len(its)))
    return tuple(lines[number].strip() if number < len(lines) else "shorter" for lines in (mine, its))  # type: ignore[return-value]
