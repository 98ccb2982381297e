"""Batches keep the structure of the examples, and of what ``collate`` returns, whoever makes them."""

from __future__ import annotations

from collections import OrderedDict, namedtuple

import numpy
import pytest

import gpugrad as gg
from gpugrad.data import DataLoader

WAYS = {
    "alone": {"prefetch": 0},
    "ahead": {},
    "threads": {"num_workers": 2, "workers": "thread"},
    "processes": {"num_workers": 2},
}

Pair = namedtuple("Pair", "x y")  # noqa: PYI024


class Made:
    """Examples made by a function of this module."""

    def __init__(self, make, count=4):
        self.make, self.count = make, count

    def __len__(self):
        return self.count

    def __getitem__(self, index):
        return self.make(index)


def a_dict(i):
    return {"x": numpy.full(3, i, numpy.float32), "label": i, "name": f"n{i}", "box": None if i else (1, 2),
            "more": {"row": [i, i + 1], "words": ["a"] * i}}  # fmt: skip


def nested(i):
    return (numpy.full(2, i, numpy.float32), (i, gg.tensor(i + 0.5, device="cpu"))), i


def a_named(i):
    return Pair(numpy.full(2, i, numpy.int8), f"n{i}")


def with_text(i):
    return numpy.float32(i), f"n{i}"


def a_list(i):
    return [numpy.zeros(2, numpy.float32), numpy.ones((1, 2), numpy.float32) * i]


def ordered(i):
    return OrderedDict(b=i, a=numpy.zeros(40_000, numpy.uint8) + i)  # through shared memory


def one_array(examples):
    return numpy.stack([numpy.arange(3.0)] * 5) * len(examples)


def own_dict(examples):
    return {"x": numpy.array(examples), "kept": [None, "text", 3], "why": {"now": object}}


def own_list(examples):
    return [numpy.array(examples), ("a", numpy.float64(2.0)), ([1.0, 2.0],), [1, 2]]


def plain(value):
    """Tensors as lists, beside their dtype."""
    if isinstance(value, gg.Tensor):
        return str(value.dtype), value.tolist()
    if isinstance(value, dict):
        return type(value), {k: plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return type(value), [plain(v) for v in value]
    return value


CASES = {
    "dict": (a_dict, None, (dict, {
        "x": ("float32", [[0.0] * 3, [1.0] * 3]), "label": ("int64", [0, 1]), "name": (list, ["n0", "n1"]),
        "box": (list, [(tuple, [1, 2]), None]),
        "more": (dict, {"row": ("int64", [[0, 1], [1, 2]]), "words": (list, [(list, []), (list, ["a"])])}),
    })),
    "nested": (nested, None, (tuple, [
        (tuple, [("float32", [[0.0, 0.0], [1.0, 1.0]]), (tuple, [("int64", [0, 1]), ("float32", [0.5, 1.5])])]),
        ("int64", [0, 1]),
    ])),
    "named": (a_named, None, (Pair, [("int8", [[0, 0], [1, 1]]), (list, ["n0", "n1"])])),
    "text": (with_text, None, (tuple, [("float32", [0.0, 1.0]), (list, ["n0", "n1"])])),
    "list": (a_list, None, (list, [("float32", [[0.0, 0.0]] * 2), ("float32", [[[0.0, 0.0]], [[1.0, 1.0]]])])),
    "ordered": (ordered, None, (OrderedDict, {"b": ("int64", [0, 1]), "a": ("uint8", [[0] * 40_000, [1] * 40_000])})),
    "numbers": (abs, None, (tuple, [("int64", [0, 1])])),
    "collate, array": (abs, one_array, ("float64", [[0.0, 2.0, 4.0]] * 5)),
    "collate, dict": (abs, own_dict, (dict, {
        "x": ("int64", [0, 1]), "kept": (list, [None, "text", 3]), "why": (dict, {"now": object}),
    })),
    "collate, list": (abs, own_list, (list, [("int64", [0, 1]), (tuple, ["a", ("float64", 2.0)]),
                                           (tuple, [("float32", [1.0, 2.0])]), (list, [1, 2])])),
}  # fmt: skip


@pytest.mark.parametrize("way", ["alone", "ahead", "threads"])
@pytest.mark.parametrize("case", CASES)
def test_structure_is_kept(device, case, way):
    make, collate, expected = CASES[case]
    batches = list(DataLoader(Made(make), 2, collate=collate, **WAYS[way]))
    assert len(batches) == 2
    assert plain(batches[0]) == expected


class Any:
    """All kinds of examples in turn, so that one pool of processes makes them all."""

    def __len__(self):
        return 2 * len(CASES)

    def __getitem__(self, index):
        return list(CASES)[index // 2], index % 2


def as_case(examples):
    make, collate, _ = CASES[examples[0][0]]
    made = [make(number) for _, number in examples]
    return {"batch": next(iter(DataLoader(made, 2, collate=collate, prefetch=0))), "case": examples[0][0]}


def test_structure_is_kept_by_processes(device):
    for batch in DataLoader(Any(), 2, collate=as_case, **WAYS["processes"]):
        assert plain(batch["batch"]) == CASES[batch["case"]][2]


REFUSED = {
    "text": (["a", "b"], TypeError, "numbers or arrays in example, got str"),
    "None": ([(1, None)], TypeError, r"in example\[1\], got NoneType; give examples as dicts"),
    "objects": ([numpy.array([None])], TypeError, "got Python objects"),
    "dates": ([(numpy.datetime64("2020-01-01"),)], TypeError, "got dates"),
    "large": ([2**70], TypeError, "got Python objects"),
    "ragged": ([{"x": [1, 2]}, {"x": [3]}], ValueError, r"same shape of example\['x'\] .* padding them"),
    "uneven lists": ([[[1, 2], [3]]], ValueError, "lists of the same length"),
    "keys": ([{"x": 1}, {"y": 1}], ValueError, "same keys"),
    "lengths": ([(1, 2), (1,)], ValueError, "same length"),
    "kinds": ([(1, 2), 3], TypeError, "numbers or arrays in example, got tuple"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_makes_no_batch(device, case):
    examples, kind, text = REFUSED[case]
    with pytest.raises(kind, match=text):
        next(iter(DataLoader(examples, 2)))


def test_what_collate_must_not_return(device):
    for made, text in ((None, "got None"), ((numpy.array(["a"]),), r"in the batch\[0\], got text; .* in a dict")):
        with pytest.raises(TypeError, match=text):
            next(iter(DataLoader([1], collate=lambda examples, made=made: made)))
    kept = next(iter(DataLoader([1], collate=lambda examples: {"names": numpy.array(["a"])})))
    assert kept["names"].tolist() == ["a"]


@pytest.mark.parametrize(
    ("array", "remedy"),
    [
        (numpy.array([1, None], object), "astype"),
        (numpy.array(["a"]), "Vocabulary"),
        (numpy.array([b"a"]), "Vocabulary"),
        (numpy.array(["2020-01-01"], "M8[D]"), "timedelta64"),
        (numpy.array([1], "m8[s]"), "timedelta64"),
        (numpy.zeros(1, [("a", "f4")]), "fields"),
    ],
)
def test_tensors_are_numbers(array, remedy):
    for make in (gg.tensor, gg.asarray):
        with pytest.raises(TypeError, match=f"expected an array of numbers, got .*{remedy}"):
            make(array)
