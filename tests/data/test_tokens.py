"""Tokens in files: written, mapped, cut into windows."""

from __future__ import annotations

import pickle

import numpy
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import gpugrad as gg
from gpugrad.data import DataLoader, TokenFile, Vocabulary, tokenize, tokens, write_tokens


@pytest.fixture
def path(tmp_path):
    return tmp_path / "text.npy"


@pytest.mark.parametrize(
    ("pieces", "dtype"),
    [([1, 2, 65535], "<u2"), ([65536], "<u4"), ([[1, 2], [], [3]], "<u2"), ([numpy.array([7, 2**32 - 1])], "<u4"),
     ([], "<u2")],
)  # fmt: skip
def test_tokens_are_read_as_they_were_written(path, pieces, dtype):
    assert write_tokens(path, pieces) == path
    flat = [int(t) for piece in pieces for t in numpy.atleast_1d(piece)]
    assert numpy.load(path).tolist() == flat, "NumPy itself reads it"
    assert numpy.load(path).dtype == dtype
    if flat:
        found = tokens(path)
        assert isinstance(found, numpy.memmap)
        assert found.tolist() == flat
        with pytest.raises(ValueError, match="read-only"):
            found[0] = 1


def test_more_than_memory_holds_can_be_written(path):
    def pieces():
        for i in range(50):
            yield numpy.full(1000, i)

    write_tokens(path, pieces(), size=50)
    assert len(tokens(path)) == 50_000
    assert tokens(path)[[0, 999, 1000, 49_999]].tolist() == [0, 0, 1, 49]


@pytest.mark.parametrize(
    ("pieces", "size", "message"),
    [([5], 5, "expected tokens from 0 to 4, got 5"), ([[-1, 0]], None, "got -1"), ([2**32], None, "below 2")],
)
def test_tokens_out_of_range_are_refused_and_leave_no_file(path, pieces, size, message):
    with pytest.raises(ValueError, match=message):
        write_tokens(path, pieces, size)
    assert list(path.parent.iterdir()) == []


def test_a_file_stays_when_writing_another_fails(path):
    write_tokens(path, [1, 2])
    with pytest.raises(ValueError, match="got 9"):
        write_tokens(path, [1, 9], size=3)
    assert tokens(path).tolist() == [1, 2]


@pytest.mark.parametrize(("length", "stride"), [(1, None), (4, None), (4, 1), (4, 2), (3, 7), (19, None)])
def test_windows_are_those_and_what_comes_next(path, length, stride):
    write_tokens(path, range(20))
    text = TokenFile(path, length, stride)
    step = stride or length
    expected = [list(range(i, i + length)) for i in range(0, 20 - length, step)]
    assert len(text) == len(expected)
    assert [text[i][0].tolist() for i in range(len(text))] == expected
    assert all((y == x + 1).all() for x, y in (text[i] for i in range(len(text))))
    x, y = text.gather(numpy.arange(len(text)))
    assert (x.dtype, y.dtype) == (numpy.int64, numpy.int64)
    assert x.tolist() == expected
    assert text[-1][0].tolist() == expected[-1]
    for index in (len(text), -len(text) - 1):
        with pytest.raises(IndexError, match=f"no window {index} among {len(text)}"):
            text[index]


def test_files_of_numbers_alone(tmp_path):
    numpy.arange(100, dtype="<u2").tofile(tmp_path / "train.bin")
    assert TokenFile(tmp_path / "train.bin", 10, dtype="uint16")[3][0].tolist() == list(range(30, 40))
    with pytest.raises(ValueError, match="200 bytes are no row of"):
        tokens(tmp_path / "train.bin", "V3")
    with pytest.raises(ValueError, match=r"expected a file of NumPy's \(.npy\), or dtype="):
        tokens(tmp_path / "train.bin")


@pytest.mark.parametrize(
    "array", [numpy.zeros(3), numpy.zeros((2, 2), "u2"), numpy.zeros(3, "i8")], ids=["f", "2d", "i"]
)
def test_other_arrays_are_no_tokens(path, array):
    numpy.save(path, array)
    with pytest.raises(ValueError, match="expected one row of unsigned integers, got"):
        tokens(path)


def test_pickled_objects_are_not_read(path):
    numpy.save(path, numpy.array([{}], dtype=object), allow_pickle=True)
    with pytest.raises(ValueError, match="expected a file of NumPy's"):
        tokens(path)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"length": 0}, ValueError, "expected length and stride from 1 on, got 0 and 0"),
        ({"length": 3, "stride": 0}, ValueError, "got 3 and 0"),
        ({"length": 5}, ValueError, "expected at least 6 tokens for a window of 5, .* has 5"),
    ],
)
def test_windows_are_checked(path, arguments, error, message):
    write_tokens(path, range(5))
    with pytest.raises(error, match=message):
        TokenFile(path, **arguments)
    with pytest.raises(FileNotFoundError):
        TokenFile(path.with_name("other.npy"), 2)


def test_workers_map_the_file_themselves(path, device):
    write_tokens(path, range(60000))
    text = TokenFile(path, 8)
    assert len(pickle.dumps(text)) < 1000
    options = {"batch_size": 16, "shuffle": True, "seed": 4}
    expected = [[part.tolist() for part in batch] for batch in DataLoader(text, **options)]
    got = [[part.tolist() for part in batch] for batch in DataLoader(text, **options, num_workers=2)]
    assert got == expected
    x, _ = next(iter(DataLoader(text, **options)))
    assert (x.shape, x.dtype) == ((16, 8), gg.int64)


# ------------------------------------------------------------------------------------------------ texts


@pytest.mark.parametrize("text", ["banana\n", "Grüße, 世界 🙂\r\n\r\nend", "\0\x7f\ufeff", "a" * 3000])
@pytest.mark.parametrize("by", ["character", "byte"])
def test_a_text_comes_back(tmp_path, path, monkeypatch, text, by):
    monkeypatch.setattr("gpugrad.data.texts.BUFFER", 1000)
    source = tmp_path / "text.txt"
    source.write_bytes(text.encode())
    vocabulary = tokenize(source, path, by)
    assert vocabulary.decode(tokens(path)) == text
    assert len(tokens(path)) == (len(text) if by == "character" else len(text.encode()))
    assert len(vocabulary) == (len(set(text)) if by == "character" else 256)
    again = Vocabulary.load(f"{path}.json")
    assert again.encode(text).tolist() == tokens(path).tolist()
    assert again.decode(gg.tensor(tokens(path).astype("i8"))) == text


@settings(max_examples=30, deadline=None)
@given(st.text())
def test_any_text_comes_back(text):
    for vocabulary in (Vocabulary(sorted(set(text))), Vocabulary(sorted(set(text), reverse=True))):
        assert vocabulary.decode(vocabulary.encode(text)) == text


def test_unknown_characters_are_said():
    with pytest.raises(ValueError, match="no token for 'ß', at place 2"):
        Vocabulary(["a", "b"]).encode("abß")
    with pytest.raises(ValueError, match="no token for 'a', at place 0"):
        Vocabulary([]).encode("a")
    assert Vocabulary(None).decode([255, 97]) == "\ufffda"


def test_other_files_are_no_vocabulary(tmp_path):
    for content in ("[]", "{}", "no json", '{"characters": ["ab"]}', '{"characters": 3}'):
        (tmp_path / "v.json").write_text(content)
        with pytest.raises(ValueError, match="expected a"):
            Vocabulary.load(tmp_path / "v.json")


def test_texts_are_told_how_to_be_read(tmp_path, path):
    (tmp_path / "latin").write_bytes("Grüße".encode("latin-1"))
    with pytest.raises(UnicodeDecodeError):
        tokenize(tmp_path / "latin", path)
    assert tokenize(tmp_path / "latin", path, encoding="latin-1").decode(tokens(path)) == "Grüße"
    with pytest.raises(ValueError, match="expected by='character' or 'byte', got 'word'"):
        tokenize(tmp_path / "latin", path, by="word")
