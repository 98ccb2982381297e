"""MNIST from a folder and from mirrors (here, folders), and everything that can be wrong with its files."""

from __future__ import annotations

import gzip
import hashlib
import tracemalloc
from importlib import import_module
from pathlib import Path

import numpy
import pytest

from gpugrad.data import mnist, read_idx

module = import_module("gpugrad.data.mnist")
REAL = Path(__file__).parents[3] / "shared" / "data" / "mnist10k"
NAMES = {"train": ("train-images-idx3-ubyte", "train-labels-idx1-ubyte")}
NAMES["t10k"] = ("t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte")


def idx(array):
    codes = {"uint8": 8, "int8": 9, "int16": 11, "int32": 12, "float32": 13, "float64": 14}
    head = bytes([0, 0, codes[array.dtype.name], array.ndim]) + numpy.array(array.shape, ">u4").tobytes()
    return head + array.astype(array.dtype.newbyteorder(">")).tobytes()


def write(folder, part, count, packed=True, images=None):
    rng = numpy.random.default_rng(count)
    images = rng.integers(0, 256, (images or count, 28, 28), dtype=numpy.uint8)
    labels = rng.integers(0, 10, count, dtype=numpy.uint8)
    for name, array in zip(NAMES[part], (images, labels), strict=True):
        content = idx(array)
        (folder / (name + ".gz" * packed)).write_bytes(gzip.compress(content) if packed else content)
    return images, labels


def test_real_images():
    if not REAL.is_dir():
        pytest.skip("MNIST's test images are not there: ../shared/data/mnist10k")
    train, test = mnist(REAL)
    assert (len(train), len(test)) == (8000, 2000)
    assert train.arrays[0].shape == (8000, 1, 28, 28)
    counts = numpy.bincount(numpy.concatenate([train.arrays[1], test.arrays[1]]))
    assert counts.tolist() == [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]


@pytest.mark.parametrize("packed", [True, False])
def test_both_parts(tmp_path, packed):
    images, labels = write(tmp_path, "train", 12, packed)
    write(tmp_path, "t10k", 5, packed)
    train, test = mnist(tmp_path)
    assert (len(train), len(test)) == (12, 5)
    x, y = train.arrays
    assert (x.shape, x.dtype, y.dtype) == ((12, 1, 28, 28), numpy.float32, numpy.int64)
    assert numpy.array_equal(x[:, 0], images.astype(numpy.float32) / 255)
    assert numpy.array_equal(y, labels)


def test_test_images_alone_are_split_by_the_seed(tmp_path):
    _, labels = write(tmp_path, "t10k", 100)
    splits = [mnist(str(tmp_path), seed=seed) for seed in (0, 0, 1)]
    assert [[len(part) for part in split] for split in splits] == [[80, 20]] * 3
    held_out = [split[1].arrays[1].tolist() for split in splits]
    assert held_out[0] == held_out[1] != held_out[2]
    assert sorted(y for part in splits[0] for y in part.arrays[1].tolist()) == sorted(labels.tolist())


def test_other_spelling_of_the_names(tmp_path):
    write(tmp_path, "t10k", 10, packed=False)
    for name in NAMES["t10k"]:
        (tmp_path / name).rename(tmp_path / name.replace("-idx", ".idx"))
    assert len(mnist(tmp_path)[0]) == 8


# ---------------------------------------------------------------- files that are wrong


@pytest.mark.parametrize("dtype", ["uint8", "int8", "int16", "int32", "float32", "float64"])
@pytest.mark.parametrize("shape", [(3,), (2, 3), (2, 0, 3)])
def test_read_idx(tmp_path, dtype, shape):
    array = numpy.arange(numpy.prod(shape)).reshape(shape).astype(dtype)
    (tmp_path / "a").write_bytes(idx(array))
    got = read_idx(tmp_path / "a")
    assert (got.dtype, got.shape, got.tolist()) == (array.dtype, array.shape, array.tolist())


WHOLE = idx(numpy.zeros((5, 4), numpy.uint8))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (WHOLE[:-3], r"truncated: expected 32 bytes for shape \(5, 4\), got 29"),
        (WHOLE[:9], r"truncated: expected .* got 9"),
        (WHOLE + b"x", r"too long: expected 32 bytes for shape \(5, 4\), got 33"),
        (b"", "expected an IDX file, .* got nothing"),
        (b"<html>404</html>", "expected an IDX file, whose first bytes are as 00 00 08 03, got 3c 68 74 6d"),
        (b"\0\0\x42\x01" + WHOLE[4:], "expected an IDX file, .* got 00 00 42 01"),
        (gzip.compress(WHOLE, mtime=0)[:-9], "truncated or corrupt gzip file"),
        (
            gzip.compress(WHOLE, mtime=0)[:12] + b"\xff\xff" + gzip.compress(WHOLE, mtime=0)[14:],
            "truncated or corrupt gzip file",
        ),
        (
            gzip.compress(WHOLE, mtime=0)[:-8] + b"\0\0\0\0" + gzip.compress(WHOLE, mtime=0)[-4:],
            "truncated or corrupt gzip file",
        ),
    ],
    ids=[
        "truncated",
        "no header",
        "too long",
        "empty",
        "HTML",
        "no dtype",
        "gzip truncated",
        "gzip corrupt",
        "gzip CRC",
    ],
)
def test_bad_files_are_named(tmp_path, content, message):
    (tmp_path / "images").write_bytes(content)
    with pytest.raises(ValueError, match=f"images: {message}"):
        read_idx(tmp_path / "images")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            gzip.compress(idx(numpy.zeros((64, 1024, 1024), "uint8")), mtime=0),
            "unpack to 67108880, for shape (64, 1024, 1024)",
        ),
        (
            gzip.compress(idx(numpy.zeros(3, "uint8")) + bytes(2**26), mtime=0),
            "too long: expected 11 bytes for shape (3,)",
        ),
        (gzip.compress(b"\0\0\x08\x01\0\x3f\xff\xff", mtime=0), "truncated: expected 4194311 bytes for shape"),
        (b"\0\0\x0e\x04" + b"\xff" * 16, "expected an array that fits into memory"),
        (b"\0\0\x0e\x03" + b"\x7f" * 4 + b"\0" * 3 + b"\2" + b"\0" * 3 + b"\2", "truncated: expected"),
        (b"\0\0\x08\xff" + b"\0" * 1020, "expected an IDX file"),
        (b"\0\0\x08\x03\0\0", "expected the sizes of 3 axes"),
    ],
)
def test_sizes_are_looked_at_before_memory_is_taken(tmp_path, content, message):
    path = tmp_path / "file"
    path.write_bytes(content)
    tracemalloc.start()
    try:
        with pytest.raises(ValueError) as caught:
            read_idx(path)
        assert tracemalloc.get_traced_memory()[1] < 2**23
    finally:
        tracemalloc.stop()
    assert message in str(caught.value)
    assert str(path) in str(caught.value)


def test_labels_are_digits(tmp_path):
    write(tmp_path, "t10k", 5)
    (tmp_path / (NAMES["t10k"][1] + ".gz")).write_bytes(gzip.compress(idx(numpy.array([1, 2, 3, 4, 10], "uint8"))))
    with pytest.raises(ValueError, match="expected labels from 0 to 9, got 10"):
        mnist(tmp_path)


def test_images_in_place_of_labels(tmp_path):
    write(tmp_path, "t10k", 5)
    (tmp_path / "t10k-images-idx3-ubyte.gz").replace(tmp_path / "t10k-labels-idx1-ubyte")
    (tmp_path / "t10k-labels-idx1-ubyte.gz").replace(tmp_path / "t10k-images-idx3-ubyte")
    with pytest.raises(
        ValueError, match=r"t10k-images-idx3-ubyte: expected images as uint8 with 3 axes, got uint8 \(5,\)"
    ):
        mnist(tmp_path)


def test_counts_must_agree(tmp_path):
    write(tmp_path, "t10k", 5, images=6)
    with pytest.raises(ValueError, match="has 6 t10k images but 5 labels"):
        mnist(tmp_path)


def test_a_missing_file_is_named(tmp_path):
    write(tmp_path, "t10k", 5)
    (tmp_path / "t10k-labels-idx1-ubyte.gz").unlink()
    with pytest.raises(FileNotFoundError, match=r"lacks t10k-labels-idx1-ubyte; put train-images.* into it"):
        mnist(tmp_path)
    assert len(list(tmp_path.iterdir())) == 1, "a folder that is not empty is not filled"


def test_a_missing_folder_is_an_error(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"there is no folder .*/nowhere; put train-images"):
        mnist(tmp_path / "nowhere")


# ---------------------------------------------------------------- downloads


@pytest.fixture
def mirror(tmp_path, monkeypatch):
    """A folder in place of the mirrors, and an empty cache."""
    folder = tmp_path / "mirror"
    folder.mkdir()
    write(folder, "train", 12)
    write(folder, "t10k", 5)
    monkeypatch.setattr(module, "MIRRORS", ("file:///nowhere/", f"{folder.as_uri()}/"))
    checksums = {name: hashlib.md5((folder / name).read_bytes()).hexdigest() for name in module.CHECKSUMS}
    monkeypatch.setattr(module, "CHECKSUMS", checksums)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return folder


def cached(tmp_path):
    return sorted(path.name for path in (tmp_path / "cache").rglob("*") if path.is_file())


def test_download_goes_to_the_cache_once(tmp_path, mirror):
    train, test = mnist()
    assert (len(train), len(test)) == (12, 5)
    assert cached(tmp_path) == sorted(module.CHECKSUMS)
    for path in mirror.iterdir():
        path.unlink()
    assert len(mnist()[0]) == 12


def test_a_download_that_was_broken_off_is_completed(tmp_path, mirror):
    mnist()
    (tmp_path / "cache/gpugrad/mnist/train-labels-idx1-ubyte.gz").unlink()
    assert len(mnist()[0]) == 12


def test_an_empty_folder_is_filled(tmp_path, mirror):
    folder = tmp_path / "mine"
    folder.mkdir()
    assert len(mnist(folder)[0]) == 12
    assert sorted(path.name for path in folder.iterdir()) == sorted(module.CHECKSUMS)
    assert cached(tmp_path) == []


def test_a_wrong_checksum_leaves_nothing(tmp_path, mirror):
    name = "train-images-idx3-ubyte.gz"
    right = module.CHECKSUMS[name]
    (mirror / name).write_bytes(b"something else")
    wrong = hashlib.md5(b"something else").hexdigest()
    with pytest.raises(ValueError, match=f"{name}: expected MD5 checksum {right}, got {wrong}"):
        mnist()
    assert cached(tmp_path) == []


def test_no_network_says_what_to_put_where(tmp_path, mirror, monkeypatch):
    monkeypatch.setattr(module, "MIRRORS", ("file:///nowhere/",))
    with pytest.raises(
        ConnectionError, match=r"cannot download train-images.*gpugrad/mnist: put train-images"
    ) as raised:
        mnist()
    assert all(name in str(raised.value) for name in module.CHECKSUMS)
    assert cached(tmp_path) == []


def test_a_disk_that_fails_leaves_nothing(tmp_path, mirror, monkeypatch):
    def full(path, content):
        with path.open("wb") as file:
            file.write(content[:10])
        raise OSError("no space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(OSError, match="no space left"):
        mnist()
    assert cached(tmp_path) == []


def test_checksums_are_the_published_ones():
    if not REAL.is_dir():
        pytest.skip("MNIST's test images are not there: ../shared/data/mnist10k")
    for path in REAL.glob("*.gz"):
        assert hashlib.md5(path.read_bytes()).hexdigest() == module.CHECKSUMS[path.name]
