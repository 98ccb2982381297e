"""A function that reads many places at once: looking at them before each call must cost next to nothing."""

from __future__ import annotations

import types
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from .surroundings import ABSENT, Place


def reader(places: Sequence[Place]) -> Callable[[], list[Any]]:
    """A function that lists what is in all places now, and how much; it is written out, as one list display.

    Raises (the function):
        ValueError: a variable of an outer function has no value.
    """
    parts: list[str] = []
    names: dict[str, Any] = {"absent": ABSENT}
    for i, place in enumerate(places):
        holder = place.holder
        if isinstance(holder, types.CellType):
            names[f"h{i}"] = holder
            parts.append(f"h{i}.cell_contents")
        elif place.keys is None:
            names[f"h{i}"] = holder
            values = f"h{i}.values()" if isinstance(holder, Mapping) else f"h{i}"
            parts.append(f"len(h{i}) == {len(place.values)}, *{values}")
        else:
            names[f"h{i}"] = holder.get
            parts += [f"h{i}({key!r}, absent)" for key in place.keys]
    text = f"def read({', '.join(f'{name}={name}' for name in names)}):\n    return [{', '.join(parts)}]"
    exec(text, names)  # noqa: S102  of numbers and of the names that the user's code has
    made: Callable[[], list[Any]] = names.pop("read")
    return made
