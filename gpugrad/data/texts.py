"""Texts as numbers in a file that is mapped into memory: of any size, read where needed, shared by all workers.

The file is NumPy's own format (``.npy``), of uint16 or uint32, so anything that reads it can read it; beside it, a JSON
file says which character or byte each number stands for.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, cast

import numpy

from ..plain import plain

HostArray = numpy.ndarray[Any, Any]

BUFFER = 2**20
"""Bytes or characters that are read at once."""


class TokenFile:
    """Windows of ``length`` tokens from a file, each with the same window one token further: what comes next.

    Example ``i`` is ``(x, y)``, int64, shape ``(length,)``: ``x = tokens[i s : i s + length]`` with ``s = stride``, and
    ``y`` one further. The last tokens that fill no window are left out.

    Args:
        path: as :func:`write_tokens` or :func:`tokenize` made it; or numbers alone, with ``dtype``.
        length: T, of a window.
        stride: tokens from one window to the next; None: ``length``, so that no token is predicted twice. 1 gives every
            window there is.
        dtype: of a file that has no header of NumPy's, such as other programs write.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file is no row of unsigned integers, or too short for one window; ``length`` or ``stride`` below
        1.

    >>> import tempfile
    >>> path = write_tokens(tempfile.mkdtemp() + "/text.npy", range(10))
    >>> text = TokenFile(path, length=4)
    >>> len(text), [part.tolist() for part in text[1]]
    (2, [[4, 5, 6, 7], [5, 6, 7, 8]])
    """

    def __init__(self, path: str | os.PathLike[str], length: int, stride: int | None = None, dtype: Any = None) -> None:
        stride = length if stride is None else stride
        if length < 1 or stride < 1:
            raise ValueError(f"TokenFile: expected length and stride from 1 on, got {length} and {stride}")
        self.path = Path(path)
        self.length = length
        self.stride = stride
        self.dtype = None if dtype is None else numpy.dtype(dtype)
        self.tokens = tokens(self.path, self.dtype)
        self._windows = (len(self.tokens) - 1 - length) // stride + 1
        if self._windows < 1:
            raise ValueError(f"TokenFile: expected at least {length + 1} tokens for a window of {length}, "
                             f"{self.path} has {len(self.tokens)}")  # fmt: skip

    def __len__(self) -> int:
        return self._windows

    def __getitem__(self, index: int) -> tuple[HostArray, HostArray]:
        if not -len(self) <= index < len(self):
            raise IndexError(f"TokenFile: no window {index} among {len(self)}")
        x, y = self.gather(numpy.asarray([index % len(self)]))
        return x[0], y[0]

    def gather(self, indices: HostArray) -> tuple[HostArray, HostArray]:
        """The windows of these numbers as one batch, ``(B, length)`` twice."""
        places = numpy.asarray(indices)[:, None] * self.stride + numpy.arange(self.length + 1)
        wide = self.tokens[places].astype(numpy.int64)
        return wide[:, :-1], wide[:, 1:]

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if name != "tokens"}  # a worker maps the file itself

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        self.tokens = tokens(self.path, self.dtype)


def tokens(path: str | os.PathLike[str], dtype: Any = None) -> HostArray:
    """The tokens in a file as an array that is read from the disk where it is looked at, read-only.

    Args:
        path: of a ``.npy`` file, or of numbers alone.
        dtype: of numbers alone; None reads NumPy's header.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is no row of unsigned integers.

    >>> import tempfile
    >>> tokens(write_tokens(tempfile.mkdtemp() + "/text.npy", [3, 1, 2])).tolist()
    [3, 1, 2]
    """
    place = Path(path)
    if dtype is not None:
        wanted = numpy.dtype(dtype)
        if place.stat().st_size % wanted.itemsize or not place.stat().st_size:
            raise ValueError(f"{place}: {place.stat().st_size} bytes are no row of {wanted}")
        found: HostArray = numpy.memmap(place, wanted, "r")
    else:
        try:
            found = cast(HostArray, numpy.lib.format.open_memmap(place, mode="r"))
        except OSError:
            raise
        except Exception as error:  # NumPy reads the header with Python's own parser, whose errors are many
            raise ValueError(
                f"{place}: expected a file of NumPy's (.npy), or dtype= for numbers alone: {error}"
            ) from error
    if found.ndim != 1 or found.dtype.kind != "u":
        raise ValueError(f"{place}: expected one row of unsigned integers, got {found.dtype} of shape {found.shape}")
    return found


def write_tokens(
    path: str | os.PathLike[str], pieces: Iterable[int] | Iterable[Sequence[int] | HostArray], size: int | None = None
) -> Path:
    """Write tokens to a ``.npy`` file, as uint16 where that holds them, else as uint32. The file is there whole or not.

    Args:
        path: of the file.
        pieces: the tokens, or rows of them, one behind the other: more than fits into memory, if need be.
        size: how many different tokens there are, 0 to ``size - 1``; None looks through ``pieces``, which must then fit
            into memory.

    Returns:
        the path.

    Raises:
        ValueError: a token is outside of ``[0, size)``, or of what uint32 holds.

    >>> import tempfile
    >>> tokens(write_tokens(tempfile.mkdtemp() + "/text.npy", [[1, 2], [70000]])).dtype
    dtype('uint32')
    """
    place = Path(path)
    if size is None:
        rows = [numpy.atleast_1d(numpy.asarray(piece)) for piece in pieces]
        pieces, size = rows, max((int(row.max()) for row in rows if row.size), default=0) + 1
    if size > 2**32:
        raise ValueError(f"write_tokens: uint32 holds tokens below 2^32, got {size - 1}")
    dtype = numpy.dtype("<u2" if size <= 2**16 else "<u4")
    partial = place.with_name(f".{place.name}.part")
    try:
        with partial.open("wb") as file:
            _header(file, dtype, 0)
            count = 0
            for piece in pieces:
                row = numpy.atleast_1d(numpy.asarray(piece))
                if row.size and (row.min() < 0 or row.max() >= size):
                    raise ValueError(
                        f"write_tokens: expected tokens from 0 to {size - 1}, got {row.min()} to {row.max()}"
                    )
                file.write(row.astype(dtype).tobytes())
                count += row.size
            file.seek(0)
            _header(file, dtype, count)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(place)
    finally:
        partial.unlink(missing_ok=True)
    return place


def tokenize(
    source: str | os.PathLike[str], target: str | os.PathLike[str], by: str = "character", encoding: str = "utf-8"
) -> Vocabulary:
    """Write a text file as tokens, a piece at a time, and which token is what beside it (``target`` + ".json").

    Args:
        source: the text.
        target: the file of tokens.
        by: "character": the characters that occur, in their order; "byte": 0 to 255, whatever the text is.
        encoding: of the text, for characters.

    Raises:
        ValueError: another ``by``.
        UnicodeDecodeError: the text has another encoding.

    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> _ = (folder / "text.txt").write_text("banana")
    >>> vocabulary = tokenize(folder / "text.txt", folder / "text.npy")
    >>> tokens(folder / "text.npy").tolist(), vocabulary.decode([1, 0, 2])
    ([1, 0, 2, 0, 2, 0], 'ban')
    """
    if by not in ("character", "byte"):
        raise ValueError(f"tokenize: expected by='character' or 'byte', got {by!r}")
    if by == "byte":
        vocabulary = Vocabulary(None)
    else:
        seen: set[str] = set()
        for piece in _read(source, encoding):
            seen.update(piece)
        vocabulary = Vocabulary(sorted(seen))
    pieces = _read(source, None if by == "byte" else encoding)
    write_tokens(target, (vocabulary.encode(piece) for piece in pieces), size=len(vocabulary))
    vocabulary.save(f"{os.fspath(target)}.json")
    return vocabulary


class Vocabulary:
    """Which token stands for what: characters, or bytes.

    Args:
        characters: token ``i`` is the i-th; None: tokens are the bytes of a text in UTF-8.

    >>> vocabulary = Vocabulary(["a", "b"])
    >>> vocabulary.encode("abba").tolist(), vocabulary.decode([1, 1, 0])
    ([0, 1, 1, 0], 'bba')
    """

    def __init__(self, characters: Sequence[str] | None) -> None:
        self.characters = None if characters is None else list(characters)
        if self.characters is not None:
            points = numpy.array([ord(character) for character in self.characters], dtype=numpy.int64)
            self._order = numpy.argsort(points)
            self._points = points[self._order]

    def __len__(self) -> int:
        return 256 if self.characters is None else len(self.characters)

    def encode(self, text: str | bytes) -> HostArray:
        """The tokens of a text.

        Raises:
            ValueError: it has a character that is none of the vocabulary's.
        """
        if self.characters is None:
            raw = text if isinstance(text, bytes) else text.encode()
            return numpy.frombuffer(raw, numpy.uint8)
        words = text.decode() if isinstance(text, bytes) else text
        # Surrogates may stand alone in Python's strings, and are characters as any other.
        points = numpy.frombuffer(words.encode("utf-32-le", "surrogatepass"), numpy.dtype("<u4")).astype(numpy.int64)
        if not len(points):
            return numpy.zeros(0, numpy.int64)
        places = numpy.searchsorted(self._points, points)
        places[places == len(self._points)] = 0
        wrong = numpy.flatnonzero(self._points[places] != points) if len(self._points) else numpy.arange(1)
        if len(wrong):
            raise ValueError(f"Vocabulary: no token for {words[int(wrong[0])]!r}, at place {wrong[0]}")
        return cast(HostArray, self._order[places])

    def decode(self, tokens: Any) -> str:
        """The text of tokens: numbers, an array or a Tensor of one axis. Bytes that are no UTF-8 become U+FFFD."""
        numbers = [int(token) for token in (tokens.tolist() if hasattr(tokens, "tolist") else tokens)]
        if self.characters is None:
            return bytes(numbers).decode(errors="replace")
        return "".join(self.characters[number] for number in numbers)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write it to a JSON file."""
        Path(path).write_text(json.dumps({"characters": self.characters}, ensure_ascii=True), encoding="ascii")

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Vocabulary:
        """Read what :meth:`save` wrote.

        Raises:
            ValueError: the file is something else.
        """
        try:
            found = plain(Path(path).read_bytes())["characters"]
        except (ValueError, TypeError, KeyError) as error:
            raise ValueError(f"{os.fspath(path)}: expected a vocabulary: {error!r}") from error
        if found is not None and not (
            isinstance(found, list) and all(isinstance(c, str) and len(c) == 1 for c in found)
        ):
            raise ValueError(f"{os.fspath(path)}: expected a list of single characters, or null")
        return cls(found)


def _read(source: str | os.PathLike[str], encoding: str | None) -> Iterable[Any]:
    """A file in pieces of text, or of bytes where there is no encoding; line ends as they are."""
    options: dict[str, Any] = {"mode": "rb"} if encoding is None else {"encoding": encoding, "newline": ""}
    with open(source, **options) as file:
        while piece := file.read(BUFFER):
            yield piece


def _header(file: Any, dtype: numpy.dtype[Any], count: int) -> None:
    """NumPy's header, of the same length whatever the count: it is written again when that is known."""
    fields = f"{{'descr': '{dtype.str}', 'fortran_order': False, 'shape': ({count},), }}"
    text = fields.ljust(128 - 10 - 1) + "\n"
    file.write(b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text.encode("ascii"))
