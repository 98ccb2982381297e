"""Arrays in a file of the safetensors format, written without a second copy in memory and read without trust.

Eight bytes with the length of the header, the header as JSON, the numbers of all arrays, one after the other. The
package of that name reads what is written here, and the other way round; it is not needed. What it has not: the
checksum is made while writing, the numbers are never copied together, and complex128 is kept, as pairs of float64 and
a note in the header.

Source: the format's description, https://huggingface.co/docs/safetensors.
"""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Iterator, Mapping
from typing import Any

import numpy

from ...plain import plain
from .state_json import named_dtype

HostArray = numpy.ndarray[Any, Any]

LARGEST_HEADER = 100_000_000
"""Bytes; the package's own limit."""

CODES = {
    "bool": "BOOL", "uint8": "U8", "int8": "I8", "uint16": "U16", "int16": "I16", "uint32": "U32", "int32": "I32",
    "uint64": "U64", "int64": "I64", "float16": "F16", "bfloat16": "BF16", "float32": "F32", "float64": "F64",
    "float8_e4m3fn": "F8_E4M3", "float8_e5m2": "F8_E5M2", "complex64": "C64",
}  # fmt: skip
NAMES = {code: name for name, code in CODES.items()}
PAIRS = "complex128"


def pieces(arrays: Mapping[str, HostArray], notes: Mapping[str, str] | None = None) -> Iterator[memoryview | bytes]:
    r"""The bytes of a safetensors file, in pieces: the header, then the memory of each array.

    Args:
        arrays: by their names.
        notes: texts for the metadata.

    Raises:
        TypeError: an array's dtype is none of the format's.

    >>> b"".join(pieces({"x": numpy.array([1, 2], dtype="uint8")}))[8:].decode()
    '{"x":{"dtype":"U8","shape":[2],"data_offsets":[0,2]}}   \x01\x02'
    """
    if sys.byteorder != "little":
        raise NotImplementedError("safetensors files are little-endian, and so must be the machine that writes them")
    header: dict[str, Any] = {}
    pairs = sorted(key for key, array in arrays.items() if array.dtype.name == PAIRS)
    if pairs or notes:
        header["__metadata__"] = {**(notes or {}), **({PAIRS: json.dumps(pairs)} if pairs else {})}
    end, laid = 0, list[HostArray]()
    for key, array in arrays.items():
        whole = numpy.ascontiguousarray(array).reshape(array.shape)  # a 0-d array stays one
        if key in pairs:
            whole = whole.view("float64").reshape(*array.shape, 2) if array.ndim else whole[None].view("float64")
        code = CODES.get(whole.dtype.name)
        if code is None:
            raise TypeError(f"expected an array of one of {', '.join(CODES)}, {PAIRS}; {key} is {array.dtype}")
        header[key] = {"dtype": code, "shape": list(whole.shape), "data_offsets": [end, end + whole.nbytes]}
        end += whole.nbytes
        laid.append(whole)
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    yield len(text).to_bytes(8, "little") + text
    for whole in laid:
        if whole.nbytes:
            yield whole.reshape(-1).view("uint8").data


def arrays_in(content: memoryview) -> dict[str, HostArray]:
    """The arrays in the bytes of a safetensors file, as views of its memory.

    Raises:
        ValueError: it is no such file, or its header does not describe exactly the bytes that follow.

    >>> file = b"".join(pieces({"x": numpy.array([[1.0, 2.0]])}))
    >>> arrays_in(memoryview(file))
    {'x': array([[1., 2.]])}
    """
    if len(content) < 8:
        raise ValueError(f"expected a safetensors file, got {len(content)} bytes")
    length = int.from_bytes(content[:8], "little")
    if length > min(LARGEST_HEADER, len(content) - 8):
        raise ValueError(f"expected a header of at most {len(content) - 8} bytes, got a length of {length}")
    try:
        header = plain(content[8 : 8 + length], size=len(content))
    except ValueError as error:
        raise ValueError(f"the header is no JSON: {error}") from error
    if not isinstance(header, dict):
        raise ValueError(f"expected a header that maps names to arrays, got a {type(header).__name__}")  # noqa: TRY004
    notes = header.pop("__metadata__", {})
    found, end = {}, 0
    for key, entry in sorted(header.items(), key=_start):
        found[key] = _array(key, entry, content[8 + length :], end)
        end += found[key].nbytes
    if end != len(content) - 8 - length:
        raise ValueError(f"the header tells of {end} bytes, {len(content) - 8 - length} follow")
    for key in _pairs(notes):
        if key not in found or found[key].dtype != numpy.float64 or found[key].shape[-1:] != (2,):
            raise ValueError(f"expected pairs of float64 for the {PAIRS} {key!r}")
        found[key] = found[key].view(PAIRS)[..., 0]
    return found


def _start(item: tuple[str, Any]) -> tuple[int, int]:
    """Where an array begins, and where it ends: an empty one lies before what begins in the same place."""
    offsets = item[1].get("data_offsets") if isinstance(item[1], dict) else None
    if not (isinstance(offsets, list) and len(offsets) == 2 and all(type(n) is int for n in offsets)):
        raise ValueError(f"{item[0]!r}: expected two data_offsets, got {offsets!r}")
    return offsets[0], offsets[1]


def _array(key: str, entry: Any, content: memoryview, end: int) -> HostArray:
    code, shape = entry.get("dtype"), entry.get("shape")
    if not isinstance(code, str) or code not in NAMES:
        raise ValueError(f"{key!r}: expected a dtype of {', '.join(NAMES)}, got {code!r}")
    if not (isinstance(shape, list) and len(shape) <= 64 and all(type(n) is int and n >= 0 for n in shape)):
        raise ValueError(f"{key!r}: expected a shape, got {shape!r}")
    dtype = named_dtype(NAMES[code])
    start, stop = entry["data_offsets"]
    if start != end or stop - start != math.prod(shape) * dtype.itemsize or stop > len(content):
        raise ValueError(f"{key!r}: {code} {shape} does not lie at {start} to {stop} of {len(content)} bytes")
    found: HostArray = numpy.frombuffer(content[start:stop], dtype).reshape(shape)
    return numpy.require(found, requirements="A")


def _pairs(notes: Any) -> list[str]:
    text = notes.get(PAIRS, "[]") if isinstance(notes, dict) else None
    try:
        found = plain(text.encode()) if isinstance(text, str) else None
    except ValueError:
        found = None
    if not isinstance(found, list) or not all(isinstance(key, str) for key in found):
        raise ValueError(f"expected notes that name arrays, got {notes!r}")
    return found
