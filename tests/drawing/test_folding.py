"""Boxes: what is repeated, and what is long."""

from __future__ import annotations

import pytest

import gpugrad as gg
from gpugrad import nn
from gpugrad.drawing.folding import Box, Item, fold, numbered, unfold


def folded(word, limit=None):
    """The boxes of operations that are called by letters, as text."""
    whole = fold([Item(i, letter, ()) for i, letter in enumerate(word)], limit)
    return written(whole, word)


def written(box, word):
    inside = "".join(written(item, word) if isinstance(item, Box) else word[item.id] for item in box.items)
    return inside if box.kind == "whole" else f"({inside})" if box.count == 1 else f"{box.count}[{inside}]"


@pytest.mark.parametrize(
    ("word", "boxes"),
    [
        ("abcdefgh", "abcdefgh"),
        ("", ""),
        ("abcabcabc", "3[(abc)(abc)(abc)]"),
        ("xabcabcabcyz", "x3[(abc)(abc)(abc)]yz"),
        ("abab", "abab"),
        ("ababab", "ababab"),
        ("abcdefghabcdefgh", "abcdefghabcdefgh"),
        ("aaaaaaaa", "aaaaaaaa"),
        ("aaaaaaaaa", "9[aaaaaaaaa]"),
        ("aabaabaabz", "3[(aab)(aab)(aab)]z"),
        ("aabbaabbaabb", "3[(aabb)(aabb)(aabb)]"),
        ("abcabcabcXdefdefdef", "3[(abc)(abc)(abc)]X3[(def)(def)(def)]"),
        ("xyzabcabcabcabcxyz", "xyz4[(abc)(abc)(abc)(abc)]xyz"),
    ],
)
def test_what_is_repeated(word, boxes):
    assert folded(word) == boxes


def test_repeats_inside_of_repeats():
    inner = "abc" * 5
    assert folded((inner + "xy") * 3).count("5[") == 3
    assert folded((inner + "xy") * 3).startswith("3[(5[(abc)")


@pytest.mark.parametrize("n", [1, 16, 17, 40, 300, 5000])
def test_long_ones_are_cut_until_no_box_has_many_things(n):
    word = [chr(i + 200) for i in range(n)]
    whole = fold([Item(i, letter, ()) for i, letter in enumerate(word)], 32)
    stack, found = [whole], []
    while stack:
        box = stack.pop()
        assert len(box.items) <= 16
        found += [item.id for item in box.items if isinstance(item, Item)]
        stack += [item for item in box.items if isinstance(item, Box)]
    assert sorted(found) == list(range(n))
    assert whole.weight() == n


def test_boxes_open_until_enough_is_seen():
    def opened(limit):
        whole = fold([Item(i, "abc"[i % 3], ()) for i in range(30)], 1000)
        unfold(whole, limit)
        groups, boxes, inside = numbered(whole)
        assert len(groups) == len(boxes) == 11
        assert inside[4] == 2
        return [box.open for box in boxes]

    assert opened(None) == [True] * 11
    assert opened(1000) == [True] * 11
    assert opened(12) == [True] + [False] * 10, "alike boxes open together or not at all"
    assert opened(3) == [False] * 11


def unrolled(steps, seen_inputs=True):
    w, u = gg.tensor(0.5, requires_grad=True), gg.tensor(0.25, requires_grad=True)
    xs = [gg.tensor(float(i)) for i in range(steps)]

    def f(xs):
        h = gg.zeros(())
        for x in xs:
            h = gg.tanh(w * h + u * x)
        return h * h

    return gg.draw(f, xs) if seen_inputs else gg.draw(f(xs))


@pytest.mark.parametrize("observed", [True, False])
def test_a_loop_unrolled_in_time(observed):
    picture = unrolled(6, observed).picture
    repeat, *rounds = picture.groups
    assert (repeat.label, repeat.kind, repeat.count, repeat.open) == ("6 times", "repeat", 6, True)
    assert [g.label for g in rounds] == [f"{i + 1} of 6" for i in range(6)]
    assert all(g.parent == 0 and g.count == 1 for g in rounds)
    inside = [[n.op for n in picture.nodes if n.group == g.id and n.kind == "operation"] for g in rounds]
    assert all(sorted(ops) == ["add", "multiply", "multiply", "tanh"] for ops in inside)
    weights = [n for n in picture.nodes if n.kind == "leaf"]
    assert len(weights) == 2
    assert all(n.group == 0 for n in weights), "shared by the rounds, so beside them"


def test_the_inputs_of_few_rounds_are_drawn_outside_of_them():
    picture = unrolled(6).picture
    assert {n.group for n in picture.nodes if n.kind == "constant"} == {0}
    picture = unrolled(20).picture
    rounds = {g.id for g in picture.groups if g.label.endswith("of 20") and g.kind == "repeat"}
    assert {n.group for n in picture.nodes if n.kind == "constant"} <= rounds


def test_equal_layers():
    model = nn.Sequential(nn.Linear(3, 3), *[nn.Sequential(nn.Linear(3, 3), nn.GELU()) for _ in range(5)])
    x = gg.tensor([[1.0, 2.0, 3.0]], requires_grad=True)
    picture = gg.draw(model, x, limit=12).picture
    labels = [g.label for g in picture.groups]
    assert "5 × Sequential" in labels
    repeat = labels.index("5 × Sequential")
    assert [g.label for g in picture.groups if g.parent == repeat] == [f"{i}: Sequential" for i in range(1, 6)]
    assert not any(g.open for g in picture.groups if g.parent == repeat)


def test_two_thousand_nodes_are_few_at_first():
    picture = unrolled(500).picture
    assert len(picture.nodes) > 2000
    closed = {g.id for g in picture.groups if not g.open}
    seen = [n for n in picture.nodes if not around(picture, n.group) & closed]
    boxes = [g for g in picture.groups if not g.open and not around(picture, g.parent) & closed]
    assert 3 < len(seen) + len(boxes) <= 40


def around(picture, group):
    found = set()
    while group is not None:
        found.add(group)
        group = picture.groups[group].parent
    return found


def test_parents_of_boxes_come_first_and_so_do_sources():
    picture = unrolled(40).picture
    assert all(g.parent is None or g.parent < g.id for g in picture.groups)
    assert [g.id for g in picture.groups] == list(range(len(picture.groups)))
    assert all(e.source < e.target for e in picture.edges)
    assert [n.id for n in picture.nodes] == list(range(len(picture.nodes)))
