"""The blocks of Philox as machine code for the CPU: eight counters at a time through all rounds."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy

from ..backend import llvm, threads
from ..expressions.llvm_code import Module, Value
from .compiled import FLAT, LIGHT_STEP, Array, Code, address, load
from .loops import Loop, finished
from .window_loops import Rows, Single

LANES = 8
LEAST = 64
"""Fewer counters are left to NumPy."""
LOW = 0xFFFFFFFF


def blocks(multipliers: tuple[int, int], rounds: int) -> tuple[str, str]:
    """The name and the text of the function.

    Its words are the addresses of the counters and of the words of the blocks, the attempt, the tag, and the keys of
    all rounds in pairs.
    """
    loop = Rows(LANES, Module())
    counters, out = (loop.raw(f"inttoptr i64 {loop.word(i)} to ptr") for i in range(2))
    numbers = [loop.word(i) for i in range(2, 4 + 2 * rounds)]
    count = loop.raw("sub i64 %end, %begin")
    vectors = loop.raw(f"add i64 %begin, {loop.raw(f'and i64 {count}, {-LANES}')}")

    def words(part: Loop, i: str) -> list[Value]:
        first = part.load(loop.offset(counters, loop.sum((i, "8"))), "uint64")
        attempt, tag, *keys = [part.splat(number, "uint64") for number in numbers]
        c = [first & LOW, first >> 32, attempt, tag]
        for k in range(rounds):
            p, q = c[0] * multipliers[0], c[2] * multipliers[1]
            c = [(q >> 32) ^ c[1] ^ keys[2 * k], q & LOW, (p >> 32) ^ c[3] ^ keys[2 * k + 1], p & LOW]
        return [part.convert(word, "uint32") for word in c]

    with loop.counted("%begin", vectors, LANES) as i:
        a, b, c, d = words(loop, i)
        pairs = [_joined(loop, *pair) for pair in ((a, b), (c, d))]
        places = [part * 2 * LANES + half * LANES + k for k in range(LANES) for part in (0, 1) for half in (0, 1)]
        order = ", ".join(f"i32 {place}" for place in places)
        wide = f"<{2 * LANES} x i32>"
        all_ = loop.raw(f"shufflevector {wide} {pairs[0]}, {wide} {pairs[1]}, <{4 * LANES} x i32> <{order}>")
        loop.line(f"store <{4 * LANES} x i32> {all_}, ptr {loop.offset(out, loop.sum((i, '16')))}, align 4")
    with loop.counted(vectors, "%end") as i:
        single = Single(loop)
        for lane, word in enumerate(words(single, i)):
            single.store(word, loop.offset(loop.offset(out, loop.sum((i, "16"))), str(4 * lane)))
    loop.line("ret void")
    loop.lines[:0] = loop.kept
    return finished(loop)


def _joined(loop: Loop, a: Value, b: Value) -> str:
    order = ", ".join(f"i32 {k}" for k in range(2 * LANES))
    return loop.raw(f"shufflevector {a.typed}, {b.typed}, <{2 * LANES} x i32> <{order}>")


@cache
def code(multipliers: tuple[int, int], rounds: int) -> Code:
    """The machine code of the function."""
    name, source = blocks(multipliers, rounds)
    return Code(load(name, source), f"2Q{2 + 2 * rounds}Q", (), LIGHT_STEP // 16)


def philox(multipliers: tuple[int, int], keys: Any, counter: Any, attempt: int, tag: int) -> Any:
    """The words ``(N, 4)`` of the blocks of counters ``(N,)``; NotImplemented where there is no machine code."""
    if type(counter) is not numpy.ndarray or counter.size < LEAST or not llvm.wanted():
        return NotImplemented
    if counter.flags.num & FLAT != FLAT or counter.dtype != numpy.uint64:
        return NotImplemented
    words: Array = numpy.empty((counter.size, 4), numpy.uint32)
    made = code(multipliers, len(keys))
    pairs = [k for pair in keys for (k,) in pair]
    packed = made.pack(address(counter), address(words), attempt, tag, *pairs)
    threads.share_out(made.function, packed, len(words), made.step)
    return words
