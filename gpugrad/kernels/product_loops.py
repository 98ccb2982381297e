"""Products of a convolution in LLVM IR: a tile of results stays in registers until all terms have been added.

One function computes, for images, channels ``o`` and positions ``p`` of an array in rows and columns,

    y[image, o, p] = start[o] + sum_r w[r, o] x[image, p + table[r]]

The channels of a *panel* are the elements of one or two vectors. ``w`` holds them side by side, term by term, which the
other function (:func:`packed`) brings about. An element of ``x`` is read where it is and multiplied with the whole
panel, so nothing is copied into columns. Each element of ``y`` is summed in the order of the terms.

Sources: Goto and van de Geijn 2008, "Anatomy of high-performance matrix multiplication"; Zhang, Franchetti and Low
2018, "High performance zero-memory overhead direct convolutions".
"""

from __future__ import annotations

from ..expressions.llvm_code import ELEMENTS, Module, Value
from .loops import finished, size
from .window_loops import Masked, Rows

TILE_WORDS = ("y", "x", "w", "table", "start", "images", "terms", "channels", "wide", "narrow", "high", "low",
              "x_image", "x_row", "y_image", "y_channel", "y_row", "w_panel")  # fmt: skip
"""The words of :func:`tiles`: addresses; images, terms and channels; how many tiles of N and of N - 1 columns and rows
there are; bytes from one image, row, channel and panel to the next. ``table`` has, for each term, the bytes to its
element."""

PACK_WORDS = ("source", "target", "images", "rows", "columns", "source_image", "source_row", "target_image",
              "target_panel")  # fmt: skip
"""The words of :func:`packed`: addresses, sizes, and bytes from one image, row and panel to the next."""


def _begun(dtype: str, lanes: int, names: tuple[str, ...], pointers: int) -> tuple[Rows, dict[str, str]]:
    """The writer of a function and its words, the first of which are pointers."""
    loop = Rows(lanes, Module())
    word = {name: loop.word(i) for i, name in enumerate(names)}
    for name in names[:pointers]:
        word[name] = loop.raw(f"inttoptr i64 {word[name]} to ptr")
    return loop, word


def _turned(loop: Rows, vectors: list[str], dtype: str) -> list[str]:
    """As many vectors as each has elements, as the columns of what they are the rows of."""
    lanes, type_ = loop.lanes, loop.type(dtype)
    found, step = list(vectors), lanes // 2
    while step:
        for i in range(lanes):
            if i & step:
                continue
            first, second = found[i], found[i + step]
            low = [k if not k & step else lanes + k - step for k in range(lanes)]
            high = [k + step if not k & step else lanes + k for k in range(lanes)]
            found[i], found[i + step] = (
                loop.raw(
                    f"shufflevector {type_} {first}, {type_} {second}, <{lanes} x i32> "
                    f"<{', '.join(f'i32 {k}' for k in order)}>"
                )
                for order in (low, high)
            )
        step //= 2
    return found


def packed(dtype: str, lanes: int, vectors: int) -> tuple[str, str]:
    """The name and the text of a function that lays the rows of matrices side by side, in panels; a unit is one matrix
    and one panel. Rows that are missing in the last panel are zeros.

    Args:
        dtype: float32 or float64.
        lanes: elements of a vector.
        vectors: vectors in a panel.
    """
    loop, word = _begun(dtype, lanes, PACK_WORDS, 2)
    own, width = size(dtype), lanes * vectors
    with loop.counted("%begin", "%end") as unit:
        panel, image = loop.divided(unit, word["images"])
        source = loop.offset(word["source"], loop.sum((image, word["source_image"])))
        target = loop.offset(word["target"], loop.sum((panel, word["target_panel"]), (image, word["target_image"])))
        first = loop.raw(f"mul i64 {panel}, {width}")
        with loop.counted("0", word["columns"], lanes) as j:
            left = loop.raw(f"sub i64 {word['columns']}, {j}")
            for v in range(vectors):
                rows = []
                for i in range(lanes):
                    row = loop.raw(f"add i64 {first}, {v * lanes + i}")
                    there = loop.raw(f"icmp slt i64 {row}, {word['rows']}")
                    count = loop.raw(f"select i1 {there}, i64 {left}, i64 0")
                    place = loop.sum((row, word["source_row"]), (j, str(own)))
                    rows.append(Masked(loop, count).load(loop.offset(source, place), dtype).name)
                for t, column in enumerate(_turned(loop, rows, dtype)):
                    with loop.branch(loop.raw(f"icmp slt i64 {t}, {left}")):
                        at = loop.raw(f"add i64 {j}, {t}")
                        place = loop.offset(target, loop.raw(f"mul i64 {at}, {width * own}"))
                        loop.store(Value(loop, column, dtype), loop.offset(place, str(v * lanes * own)))
    loop.line("ret void")
    loop.lines[:0] = loop.kept
    return finished(loop)


def tiles(
    dtype: str, lanes: int, vectors: int, rows: int, columns: int, step: int, low: bool, narrow: bool,
    across: bool,
) -> tuple[str, str]:  # fmt: skip
    """The name and the text of the function for tiles of some rows and columns; a unit is one panel and one image.

    Args:
        dtype: float32 or float64.
        lanes: elements of a vector.
        vectors: vectors in a panel.
        rows: of the high tiles. Where there are several, a row of ``y`` is as wide as a tile.
        columns: of the wide tiles.
        step: bytes from what one column reads to what the next one reads.
        low: whether there are tiles with one row less.
        narrow: whether there are tiles with one column less.
        across: whether ``y`` has the channels of a column side by side, and ``y_row`` is from one column to the next.
            Otherwise it has the columns of a channel side by side.
    """
    loop, word = _begun(dtype, lanes, TILE_WORDS, 5)
    own = size(dtype)
    with loop.counted("%begin", "%end") as unit:
        panel, image = loop.divided(unit, word["images"])
        channel = loop.raw(f"mul i64 {panel}, {lanes * vectors}")
        x = loop.offset(word["x"], loop.sum((image, word["x_image"])))
        y = loop.offset(word["y"], loop.sum((image, word["y_image"]), (channel, word["y_channel"])))
        w = loop.offset(word["w"], loop.sum((panel, word["w_panel"])))
        start = loop.offset(word["start"], loop.raw(f"mul i64 {channel}, {own}"))
        left = loop.raw(f"sub i64 {word['channels']}, {channel}")
        below = loop.raw(f"mul i64 {word['high']}, {rows}")
        behind = loop.raw(f"mul i64 {word['wide']}, {columns}")
        for n, number, first in ((rows, "high", "0"), (rows - 1, "low", below))[: 1 + low]:
            with loop.counted("0", word[number]) as i:
                row = loop.sum((i, str(n)), (first, "1"))
                for m, count, begin in ((columns, "wide", "0"), (columns - 1, "narrow", behind))[: 1 + narrow]:
                    with loop.counted("0", word[count]) as j:
                        column = loop.sum((j, str(m)), (begin, "1"))
                        source = loop.offset(x, loop.sum((row, word["x_row"]), (column, str(step))))
                        place = loop.sum(
                            *[(column, word["y_row"])] if across else [(row, word["y_row"]), (column, str(own))]
                        )
                        target = loop.offset(y, place)
                        sums = _tile(loop, word, dtype, vectors, n, m, step, source, w, start)
                        if across:
                            _across(loop, dtype, vectors, sums, target, word["y_row"], left)
                        else:
                            _along(loop, dtype, vectors, sums, target, word["y_channel"], left)
    loop.line("ret void")
    loop.lines[:0] = loop.kept
    return finished(loop)


def _tile(
    loop: Rows, word: dict[str, str], dtype: str, vectors: int, rows: int, columns: int, step: int, source: str,
    w: str, start: str,
) -> list[list[str]]:  # fmt: skip
    """Sum the elements of one tile: for each vector of a panel, the places of its sums."""
    own, lanes, vector = size(dtype), loop.lanes, loop.type(dtype)
    places = [(i, j) for i in range(rows) for j in range(columns)]
    sums = {(p, v): loop.variable(vector) for p in places for v in range(vectors)}
    for v in range(vectors):
        begun = loop.load(loop.offset(start, str(v * lanes * own)), dtype)
        for p in places:
            loop.line(f"store {begun.typed}, ptr {sums[p, v]}")
    lines = [source]
    while len(lines) < rows:
        lines.append(loop.offset(lines[-1], word["x_row"]))
    with loop.counted("0", word["terms"]) as r:
        entry = loop.offset(word["table"], loop.raw(f"mul i64 {r}, 8"))
        there = loop.raw(f"load i64, ptr {entry}, align 8")
        weights = loop.offset(w, loop.raw(f"mul i64 {r}, {lanes * vectors * own}"))
        panel = [loop.load(loop.offset(weights, str(v * lanes * own)), dtype) for v in range(vectors)]
        for i, line in enumerate(lines):
            place = loop.offset(line, there)
            for j in range(columns):
                a = loop.load_one(loop.offset(place, str(j * step)), dtype)
                for v in range(vectors):
                    sofar = Value(loop, loop.raw(f"load {vector}, ptr {sums[(i, j), v]}"), dtype)
                    more = loop.fma(a, panel[v], sofar)
                    loop.line(f"store {more.typed}, ptr {sums[(i, j), v]}")
    return [[sums[p, v] for p in places] for v in range(vectors)]


def _along(
    loop: Rows, dtype: str, vectors: int, sums: list[list[str]], target: str, step: str, left: str
) -> None:  # fmt: skip
    """Write the sums of a tile, those of a channel side by side; of so many channels as are left."""
    lanes, vector = loop.lanes, loop.type(dtype)
    for v in range(vectors):
        for first in range(0, len(sums[v]), lanes):
            names = [loop.raw(f"load {vector}, ptr {place}") for place in sums[v][first : first + lanes]]
            turned = _turned(loop, names + ["poison"] * (lanes - len(names)), dtype)
            for k, name in enumerate(turned):
                number = v * lanes + k
                with loop.branch(loop.raw(f"icmp slt i64 {number}, {left}")):
                    place = loop.offset(target, loop.raw(f"mul i64 {step}, {number}"))
                    _store(loop, name, dtype, loop.offset(place, str(first * size(dtype))), len(names))


def _across(
    loop: Rows, dtype: str, vectors: int, sums: list[list[str]], target: str, step: str, left: str
) -> None:  # fmt: skip
    """Write the sums of a tile, those of a column side by side; of so many channels as are left."""
    lanes, vector = loop.lanes, loop.type(dtype)
    whole = loop.raw(f"icmp sge i64 {left}, {vectors * lanes}")
    for wanted in (True, False):
        with loop.branch(whole, wanted):
            for v in range(vectors):
                writer = loop if wanted else Masked(loop, loop.raw(f"sub i64 {left}, {v * lanes}"))
                for k, place in enumerate(sums[v]):
                    value = Value(loop, loop.raw(f"load {vector}, ptr {place}"), dtype)
                    there = loop.offset(target, loop.raw(f"mul i64 {step}, {k}"))
                    writer.store(value, loop.offset(there, str(v * lanes * size(dtype))))


def _store(loop: Rows, name: str, dtype: str, pointer: str, count: int) -> None:
    """Write the first elements of a vector."""
    lanes, vector = loop.lanes, loop.type(dtype)
    if count == lanes:
        loop.store(Value(loop, name, dtype), pointer)
        return
    short = {"float": "f32", "double": "f64"}[ELEMENTS[dtype]]
    function = f"@llvm.masked.store.v{lanes}{short}.p0"
    loop.module.declare(f"declare void {function}({vector}, ptr, i32 immarg, <{lanes} x i1>)")
    mask = ", ".join(f"i1 {str(k < count).lower()}" for k in range(lanes))
    loop.line(f"call void {function}({vector} {name}, ptr {pointer}, i32 {size(dtype)}, <{lanes} x i1> <{mask}>)")
