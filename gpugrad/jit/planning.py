"""From lifetimes to offsets: where in one piece of memory, the arena, the arrays of a program lie."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy

ALIGNMENT = 64
"""Bytes; of a line of the cache and of the longest vectors."""

PAGE, APART = 4096, 3 * ALIGNMENT
"""Arrays of whole pages are put some lines further apart: at the same place in their pages, they would drive each other
out of the cache."""


class Block(NamedTuple):
    """An array that has to lie somewhere.

    Attributes:
        nbytes: its size.
        first: the first step in which it exists.
        last: the last one.
    """

    nbytes: int
    first: int
    last: int


class Plan(NamedTuple):
    """Where blocks lie.

    Attributes:
        offsets: in bytes, of each block.
        nbytes: what the arena takes.
        least: the most that exists at one time, which no plan can do with less than.
    """

    offsets: list[int]
    nbytes: int
    least: int


def planned(blocks: Sequence[Block]) -> Plan:
    """Offsets for blocks, such that no two that exist at the same time overlap.

    The largest block is placed first; each goes into the smallest gap that it fits into.

    >>> planned([Block(64, 0, 1), Block(64, 1, 2), Block(64, 2, 3)])
    Plan(offsets=[0, 64, 0], nbytes=128, least=128)
    """
    sizes = [-(-block.nbytes // ALIGNMENT) * ALIGNMENT for block in blocks]
    sizes = [size + APART if size and size % PAGE == 0 else size for size in sizes]
    order = sorted(range(len(blocks)), key=lambda i: (-sizes[i], blocks[i].first))
    first, last, begin = (numpy.empty(len(blocks), "i8") for _ in range(3))
    offsets = [0] * len(blocks)
    placed: list[int] = []
    nbytes = 0
    for count, i in enumerate(order):
        beside = numpy.flatnonzero((first[:count] <= blocks[i].last) & (last[:count] >= blocks[i].first))
        near = sorted((int(begin[k]), sizes[placed[k]]) for k in beside.tolist())
        best, at, room = -1, 0, -1
        for start, size in near:
            gap = start - at
            if gap >= sizes[i] and (room < 0 or gap < room):
                best, room = at, gap
            at = max(at, start + size)
        offsets[i] = at if best < 0 else best
        nbytes = max(nbytes, offsets[i] + sizes[i])
        placed.append(i)
        first[count], last[count], begin[count] = blocks[i].first, blocks[i].last, offsets[i]
    return Plan(offsets, nbytes, _most(blocks, sizes))


def _most(blocks: Sequence[Block], sizes: Sequence[int]) -> int:
    change: dict[int, int] = {}
    for block, size in zip(blocks, sizes, strict=True):
        change[block.first] = change.get(block.first, 0) + size
        change[block.last + 1] = change.get(block.last + 1, 0) - size
    most = now = 0
    for step in sorted(change):
        now += change[step]
        most = max(most, now)
    return most
