"""Boxes: calls of modules, what is repeated, and pieces of what is long all the same."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field

from .observe import Call
from .picture import PictureGroup

ROUNDS, LEAST = 3, 9
"""What is repeated so often, and has so many operations in all, becomes a box."""
PERIODS = 64
"""So many lengths of a round are tried."""


@dataclass
class Item:
    """An operation to be put into boxes: its id, what makes it look like another, and the calls around it."""

    id: int
    signature: Hashable
    calls: tuple[Call, ...]


@dataclass
class Box:
    """What lies in it, in the order in which it was computed."""

    label: str
    kind: str
    items: list[Item | Box]
    signature: Hashable
    count: int = 1
    open: bool = False
    extra: int = field(default=0)
    """Leaves and constants that lie in it."""

    def weight(self) -> int:
        """How many operations are in it."""
        return sum(item.weight() if isinstance(item, Box) else 1 for item in self.items)


def fold(items: Sequence[Item], limit: int | None) -> Box:
    """The whole, boxes in boxes; the outermost one is no box of the picture.

    Args:
        items: from the oldest to the newest.
        limit: as for :func:`draw`; boxes with more than half as many items in them are cut into parts.
    """
    whole = Box("", "whole", _by_calls(items, 0), ())
    _repeats(whole)
    if limit is not None:
        _cut(whole, limit)
    return whole


# -------------------------------------------------------------------- modules


def _by_calls(items: Sequence[Item], depth: int) -> list[Item | Box]:
    """Operations of one call next to each other become a box; calls of a single operation do not."""
    made: list[Item | Box] = []
    start = 0
    while start < len(items):
        call = items[start].calls[depth] if len(items[start].calls) > depth else None
        end = start + 1
        if call is None:
            made.append(items[start])
        else:
            while end < len(items) and len(items[end].calls) > depth and items[end].calls[depth] == call:
                end += 1
            inside = _by_calls(items[start:end], depth + 1)
            if len(inside) == 1:
                made += inside
            else:
                made.append(Box(call.label, "module", inside, ("module", call.kind, _signature(inside))))
        start = end
    return made


def _signature(items: Sequence[Item | Box]) -> Hashable:
    return tuple(item.signature for item in items)


# -------------------------------------------------------------------- what is repeated


def _repeats(box: Box) -> None:
    """Make boxes of repeated runs, the longest first, also inside of other boxes."""
    numbers: dict[Hashable, int] = {}
    coded = [numbers.setdefault(item.signature, len(numbers)) for item in box.items]
    weights = [item.weight() if isinstance(item, Box) else 1 for item in box.items]
    made: list[Item | Box] = []
    pieces = [(0, len(coded))]
    while pieces:
        start, end = pieces.pop()
        run = _longest(coded, weights, start, end)
        if run is None:
            made += box.items[start:end]
            continue
        first, period, rounds = run
        after = first + period * rounds
        if first > start:
            # what comes before is looked at first, so that the order stays
            pieces += [(after, end), (first, after), (start, first)]
            continue
        made.append(_repeated(box.items[first:after], period, rounds))
        pieces.append((after, end))
    box.items = made
    for item in box.items:
        if isinstance(item, Box) and item.kind != "repeat":
            _repeats(item)


def _repeated(items: Sequence[Item | Box], period: int, rounds: int) -> Box:
    inside: list[Item | Box] = []
    for i in range(rounds):
        part = list(items[i * period : (i + 1) * period])
        if len(part) > 1:
            body = Box(f"{i + 1} of {rounds}", "repeat", part, ("round", _signature(part)))
            _repeats(body)
            inside.append(body)
        else:
            for box in part:
                if isinstance(box, Box):
                    _repeats(box)
            inside += part
    only = items[0] if period == 1 else None
    what = f" {only.label.rpartition(': ')[2]}" if isinstance(only, Box) else ""
    label = f"{rounds} ×{what}" if what else f"{rounds} times"
    return Box(label, "repeat", inside, ("repeat", rounds, inside[0].signature), rounds)


def _longest(coded: list[int], weights: list[int], start: int, end: int) -> tuple[int, int, int] | None:
    """``(first, period, rounds)`` of the run that covers most, the shortest period where several do."""
    best, covered = None, 0
    if end - start < ROUNDS:
        return None
    for period in _periods(coded, start, end):
        i = start
        while i + period < end:
            if coded[i] != coded[i + period]:
                i += 1
                continue
            j = i
            while j + period < end and coded[j] == coded[j + period]:
                j += 1
            rounds = (j - i) // period + 1
            size = sum(weights[i : i + period * rounds]) if rounds >= ROUNDS else 0
            if size >= LEAST and size > covered:
                best, covered = (i, period, rounds), size
            i = j + 1
    return best


def _periods(coded: list[int], start: int, end: int) -> list[int]:
    """Lengths at which the same comes again, shortest first."""
    seen: dict[int, list[int]] = {}
    counts: Counter[int] = Counter()
    for i in range(start, end):
        before = seen.setdefault(coded[i], [])
        counts.update(i - j for j in before[-8:])
        before.append(i)
    return sorted(p for p, n in counts.most_common(PERIODS) if n >= ROUNDS - 1)


# -------------------------------------------------------------------- what is long all the same


def _cut(box: Box, limit: int) -> None:
    """Cut what has more than half of ``limit`` items into a third of as many parts, and these again."""
    parts, stack = max(limit // 3, 2), [box]
    while stack:
        box = stack.pop()
        total = len(box.items)
        if total > max(limit // 2, 3):
            size = -(-total // parts)
            cuts = [(i, box.items[i : i + size]) for i in range(0, total, size)]
            box.items = [
                Box(f"{i + 1} to {i + len(part)} of {total}", "part", part, ("part", _signature(part)))
                if len(part) > 1 else part[0]
                for i, part in cuts
            ]  # fmt: skip
        stack += [item for item in box.items if isinstance(item, Box)]


# -------------------------------------------------------------------- the boxes of a picture


def unfold(whole: Box, limit: int | None) -> None:
    """Open boxes from the outside in, those that are alike together, while no more than ``limit`` things are seen."""
    level, shown = [whole], len(whole.items) + whole.extra
    while level:
        inner = [item for box in level for item in box.items if isinstance(item, Box)]
        alike: dict[Hashable, list[Box]] = {}
        for box in inner:
            alike.setdefault(box.signature, []).append(box)
        level = []
        for boxes in alike.values():
            more = sum(len(box.items) + box.extra - 1 for box in boxes)
            if limit is None or shown + more <= limit:
                shown += more
                level += boxes
                for box in boxes:
                    box.open = True


def numbered(whole: Box) -> tuple[list[PictureGroup], list[Box], dict[int, int]]:
    """The boxes as a picture has them, the same as boxes, and the innermost box of each operation that is in one."""
    groups: list[PictureGroup] = []
    boxes: list[Box] = []
    inside: dict[int, int] = {}
    stack: list[tuple[Box, int | None]] = [(whole, None)]
    while stack:
        box, parent = stack.pop()
        number = parent
        if box is not whole:
            number = len(groups)
            groups.append(PictureGroup(number, box.label, parent, box.kind, box.count, box.open))
            boxes.append(box)
        for item in reversed(box.items):
            if isinstance(item, Box):
                stack.append((item, number))
            elif number is not None:
                inside[item.id] = number
    return groups, boxes, inside
