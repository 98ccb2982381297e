"""JSON from files that anybody may have written, read with a bound on the memory that it takes.

A file of three bytes for each empty list becomes 24 times as large in memory. What is read here is looked at first:
the values in it may take some ten times the size of the file, and a few megabytes in any case.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

FREE = 1 << 22
"""Bytes that any file's values may take."""

TIMES = 6
"""How many times a file's size its values may take."""

LIST, DICT, VALUE, STRING = 72, 216, 36, 28
"""Bytes for each ``[``, ``{``, ``,`` and ``"``, at most: a list, a dictionary, a number, half a string."""


def memory(content: bytes | memoryview) -> int:
    """About how much memory the values in a JSON text take, at most."""
    text = bytes(content)
    return (
        LIST * text.count(b"[") + DICT * text.count(b"{") + VALUE * text.count(b",") + STRING * text.count(b'"')
        + len(text) * (1 if text.isascii() else 4)
    )  # fmt: skip


def plain(
    content: bytes | memoryview, size: int | None = None, hook: Callable[[dict[str, Any]], Any] | None = None
) -> Any:
    """The value of a JSON text.

    Args:
        content: the text, in UTF-8.
        size: of the file that it is a part of; None: it is the whole.
        hook: makes of each dictionary what it stands for.

    Raises:
        ValueError: it is no JSON, is nested too deeply, or would take too much memory; or from ``hook``.

    >>> plain(b'{"lr": 0.1}')
    {'lr': 0.1}
    >>> plain(b"[" + b"[]," * 170_000 + b"[]]")
    Traceback (most recent call last):
        ...
    ValueError: 510004 bytes of JSON that would take 17 MB of memory
    """
    needed = memory(content)
    if needed > FREE + TIMES * (len(content) if size is None else size):
        raise ValueError(f"{len(content)} bytes of JSON that would take {needed >> 20} MB of memory")
    try:
        return json.loads(str(content, "utf-8"), object_hook=hook)
    except RecursionError:
        raise ValueError("JSON that is nested too deeply") from None


def padded(content: bytes) -> bytes:
    """A text with so many spaces at its end that :func:`plain` reads it.

    >>> text = padded(b"[" + b"[]," * 100_000 + b"[]]")
    >>> len(plain(text))
    100001
    """
    lacking = memory(content) - FREE - TIMES * len(content)
    return content if lacking <= 0 else content + b" " * (lacking // (TIMES - 1) + 1)
