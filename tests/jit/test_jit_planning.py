"""Offsets in the arena: nothing overlaps that exists at the same time, and little is wasted."""

from __future__ import annotations

import random

from gpugrad.jit.planning import ALIGNMENT, Block, planned


def test_blocks_that_exist_together_do_not_overlap():
    draw = random.Random(3)
    for count in (0, 1, 2, 40, 200):
        blocks = []
        for _ in range(count):
            first = draw.randrange(60)
            blocks.append(Block(draw.choice([0, 1, 64, 100, 4096]), first, first + draw.randrange(9)))
        plan = planned(blocks)
        for i, (a, x) in enumerate(zip(blocks, plan.offsets, strict=True)):
            assert x % ALIGNMENT == 0
            assert x + a.nbytes <= plan.nbytes
            for b, y in list(zip(blocks, plan.offsets, strict=True))[:i]:
                if a.first <= b.last and b.first <= a.last:
                    assert x + a.nbytes <= y or y + b.nbytes <= x
        assert plan.least <= plan.nbytes <= 1.3 * plan.least


def test_a_chain_takes_two_buffers():
    plan = planned([Block(1000, i, i + 1) for i in range(30)])
    assert plan.nbytes == plan.least == 2 * 1024
