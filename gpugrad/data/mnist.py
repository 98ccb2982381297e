"""MNIST: 70,000 handwritten digits of 28x28 pixels, from files in a folder or from the well-known mirrors."""

from __future__ import annotations

import gzip
import hashlib
import logging
import math
import os
import sys
import zlib
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy

from .dataset import ArrayDataset
from .digits import split

logger = logging.getLogger("gpugrad")

MIRRORS = ("https://ossci-datasets.s3.amazonaws.com/mnist/", "https://storage.googleapis.com/cvdf-datasets/mnist/")

CHECKSUMS = {
    "train-images-idx3-ubyte.gz": "f68b3c2dcbeaaa9fbdd348bbdeb94873",
    "train-labels-idx1-ubyte.gz": "d53e105ee54ea40749a09fcbcd1e9432",
    "t10k-images-idx3-ubyte.gz": "9fb629c4189551a2d022fa330f9573f3",
    "t10k-labels-idx1-ubyte.gz": "ec29112dd5afa0611ce80d1b7f02629c",
}
"""The files and their MD5 checksums, as their authors published them."""

IDX_TYPES = {0x08: "u1", 0x09: "i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
LARGEST_NDIM = 32
FREE, TIMES = 1 << 22, 10
"""A gzip file may unpack to this many bytes plus this many times its size."""
CHUNK = 1 << 20
TIMEOUT = 30  # seconds


def mnist(folder: str | os.PathLike[str] | None = None, *, seed: int = 0) -> tuple[ArrayDataset, ArrayDataset]:
    """MNIST as training and test data: images float32 ``(N, 1, 28, 28)`` in [0, 1], labels int64 ``(N,)``.

    Args:
        folder: has the IDX files ``train-images-idx3-ubyte``, ``train-labels-idx1-ubyte``, ``t10k-images-idx3-ubyte``
            and ``t10k-labels-idx1-ubyte``, each plain or as ``.gz``. With the 10,000 ``t10k`` images alone, 80 % of
            them become the training data. An empty folder is filled by a download; None is the folder
            ``gpugrad/mnist`` of the user's cache (``XDG_CACHE_HOME``).
        seed: chooses the split of the ``t10k`` images, where there is one.

    Returns:
        ``(train, test)`` of 60,000 and 10,000 examples, or 8,000 and 2,000.

    Raises:
        FileNotFoundError: there is no such folder, or it lacks a file.
        ValueError: a file is truncated or corrupt or no IDX file, a download has the wrong checksum, or the numbers of
            images and labels differ.
        ConnectionError: no mirror could be reached; the message says which files to put where.

    Nothing half-written is left behind: a file gets its name when it is complete and its checksum right.

    Source: Y. LeCun, C. Cortes, C. J. C. Burges, "The MNIST database of handwritten digits".
    """
    place = Path(folder) if folder else _cache()
    if folder and not place.is_dir():
        raise FileNotFoundError(f"mnist: there is no folder {place}; {_what_to_put(place)}")
    if not any(_find(place, name) for name in CHECKSUMS):
        for name, checksum in CHECKSUMS.items():
            _download(name, checksum, place)
    elif not folder:
        for name, checksum in CHECKSUMS.items():  # a download that was broken off is taken up again
            if _find(place, name) is None:
                _download(name, checksum, place)
    test = _pair(place, "t10k")
    if any(_find(place, name) for name in CHECKSUMS if name.startswith("train")):
        return ArrayDataset(*_pair(place, "train")), ArrayDataset(*test)
    return split(*test, [0.8, 0.2], seed)


def read_idx(path: str | os.PathLike[str]) -> numpy.ndarray[Any, Any]:
    """The array in an IDX file, plain or gzip.

    Four bytes come first: 0, 0, a code for the dtype, the number of axes; then the size of each axis as a big-endian
    32-bit integer; then the elements.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is no IDX file, or truncated, or corrupt, or a gzip file that unpacks to more than ten times its
            size (and 4 MiB); the message names it, and what was expected.
    """
    place = Path(path)
    size = place.stat().st_size
    with place.open("rb") as raw:
        packed = raw.read(2) == b"\x1f\x8b"
        raw.seek(0)
        try:
            with gzip.open(raw) if packed else nullcontext(raw) as file:
                return _read_idx(place, file, size if packed else None)
        except (EOFError, gzip.BadGzipFile, zlib.error) as error:
            raise ValueError(f"{path}: truncated or corrupt gzip file ({error})") from error


def _read_idx(path: Path, file: Any, packed: int | None) -> numpy.ndarray[Any, Any]:
    """The array, whose size is looked at before memory is taken.

    Args:
        path: for messages.
        file: at its beginning.
        packed: the size of the gzip file; None: it is none.
    """
    magic = file.read(4)
    if len(magic) < 4 or magic[:2] != b"\0\0" or magic[2] not in IDX_TYPES or not 0 < magic[3] <= LARGEST_NDIM:
        raise ValueError(
            f"{path}: expected an IDX file, whose first bytes are as 00 00 08 03, got {magic.hex(' ') or 'nothing'}"
        )
    dtype, ndim = numpy.dtype(IDX_TYPES[magic[2]]), magic[3]
    sizes = file.read(4 * ndim)
    start = 4 + len(sizes)
    if len(sizes) < 4 * ndim:
        raise ValueError(f"{path}: truncated: expected the sizes of {ndim} axes, got {start} bytes")
    shape = tuple(int.from_bytes(sizes[i : i + 4], "big") for i in range(0, 4 * ndim, 4))
    expected = start + dtype.itemsize * math.prod(shape)
    if math.prod(n or 1 for n in shape) >= 2**59:
        raise ValueError(f"{path}: expected an array that fits into memory, got shape {shape}")
    if packed is not None and expected > FREE + TIMES * packed:
        raise ValueError(
            f"{path}: {packed} bytes say that they unpack to {expected}, for shape {shape}: if that is right, unpack "
            "the file with gunzip first"
        )
    if packed is None and expected > path.stat().st_size:
        raise ValueError(f"{path}: truncated: expected {expected} bytes for shape {shape}, got {path.stat().st_size}")
    content = bytearray(expected - start)
    got = 0
    while got < len(content) and (more := file.readinto(memoryview(content)[got : got + CHUNK])):
        got += more
    rest = len(file.read(1)) if packed is not None else path.stat().st_size - expected
    if got < len(content) or rest:
        fault, count = ("too long", expected + rest) if rest else ("truncated", start + got)
        raise ValueError(f"{path}: {fault}: expected {expected} bytes for shape {shape}, got {count}")
    array = numpy.frombuffer(content, dtype).reshape(shape)
    if dtype.byteorder == ">" and sys.byteorder == "little":
        return array.byteswap(inplace=True).view(dtype.newbyteorder("="))
    return array


def _pair(folder: Path, part: str) -> tuple[numpy.ndarray[Any, Any], numpy.ndarray[Any, Any]]:
    """Images and labels of ``train`` or ``t10k``."""
    arrays = []
    for kind, ndim in (("images", 3), ("labels", 1)):
        name = f"{part}-{kind}-idx{ndim}-ubyte"
        path = _find(folder, name)
        if path is None:
            raise FileNotFoundError(f"mnist: {folder} lacks {name}; {_what_to_put(folder)}")
        array = read_idx(path)
        if array.dtype != numpy.uint8 or array.ndim != ndim:
            raise ValueError(f"{path}: expected {kind} as uint8 with {ndim} axes, got {array.dtype} {array.shape}")
        if kind == "labels" and array.size and array.max() > 9:
            raise ValueError(f"{path}: expected labels from 0 to 9, got {array.max()}")
        arrays.append(array)
    images, labels = arrays
    if len(images) != len(labels):
        raise ValueError(f"mnist: {folder} has {len(images)} {part} images but {len(labels)} labels")
    return images[:, None].astype(numpy.float32) / 255, labels.astype(numpy.int64)


def _find(folder: Path, name: str) -> Path | None:
    """The file of this name, with or without ``.gz``; some distributions write ``images.idx3`` for ``images-idx3``."""
    plain = name.removesuffix(".gz")
    for stem in (plain, plain.replace("-idx", ".idx")):
        for path in (folder / f"{stem}.gz", folder / stem):
            if path.is_file():
                return path
    return None


def _cache() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "gpugrad" / "mnist"


def _what_to_put(folder: Path) -> str:
    return f"put {', '.join(CHECKSUMS)} into it, or the two t10k files alone, from {' or '.join(MIRRORS)}"


def _download(name: str, checksum: str, folder: Path) -> None:
    """Fetch one file, look at its checksum, and only then give it its name."""
    from http.client import HTTPException  # these take a while to import
    from urllib.request import urlopen

    failures: list[str] = []
    content, corrupt = b"", False
    for mirror in MIRRORS:
        logger.info("mnist: downloading %s%s", mirror, name)
        try:
            with urlopen(mirror + name, timeout=TIMEOUT) as response:
                content = response.read()
        except (OSError, HTTPException) as error:
            failures.append(f"{mirror}{name}: {error}")
            continue
        got = hashlib.md5(content, usedforsecurity=False).hexdigest()
        if got == checksum:
            break
        corrupt = True
        failures.append(f"{mirror}{name}: expected MD5 checksum {checksum}, got {got} ({len(content)} bytes)")
    else:
        message = f"mnist: cannot download {name}: {'; '.join(failures)}. For {folder}: {_what_to_put(folder)}"
        raise ValueError(message) if corrupt else ConnectionError(message)
    folder.mkdir(parents=True, exist_ok=True)
    partial = folder / f"{name}.{os.getpid()}.part"
    try:
        partial.write_bytes(content)
        partial.replace(folder / name)
    finally:
        partial.unlink(missing_ok=True)
