"""Loops in LLVM IR of what slides over an array: a function reads and writes rows of a window's positions.

A window has up to three axes; missing ones have size 1. For one offset of the kernel (a *tap*) and one row of
positions, the elements on the *inner* side (the array that the window slides over) and those on the *outer* side (the
positions) are two runs of elements, and a function is what is done with these:

==========  ================================================================  ============
``copy``    ``outer = inner``                                                 im2col
``add``     ``inner += outer``                                                col2im, the gradient of an average
``sum``     ``outer += inner``                                                averages
``max``     ``outer = max(outer, inner)``                                     the largest element
``win``     ``which = min(which, inner < outer ? last : tap)``                the first tap that has the largest element
``back``    ``inner += which == tap ? outer : 0``                             the gradient of the largest element
``scale``   ``outer += w inner``                                              depthwise convolution
``turn``    ``inner += w outer``                                              its gradient by the input
``dot``     ``w = sum inner outer``                                           its gradient by the filters
==========  ================================================================  ============

The range of a function counts *units*, which write to different memory: channels and images; for ``copy`` also taps,
for ``dot`` channels alone. Elements are added up in an order that does not depend on who computes them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from ..expressions.llvm import maximum
from ..expressions.llvm_code import ELEMENTS, Module, Value
from .loops import MEMORY, Loop, finished, size

AXES = 3
WORDS = ("outer", "inner", "third", "table", "images", "k0", "k1", "k2", "o0", "o1", "o2", "step0", "step1", "step2",
         "m0", "m1", "m2", "inner_channel", "inner_tap", "inner_image", "outer_channel", "outer_tap", "outer_image",
         "third_channel", "third_tap")  # fmt: skip
"""The words of a function: the addresses of the outer and the inner array and of the third (``which``, or the weights),
and of the table of taps; sizes; bytes on the inner side from one position to the next and from one element to the next;
bytes on the inner side, and elements on the others, from one channel, image or tap to the next. The table has for each
offset along each axis the first position that is inside, the one behind the last, and where the window begins."""

LAST = {"uint8": 255, "int32": 2**31 - 1}
"""What ``which`` holds where no element has been found."""


class Rows(Loop):
    """The writer of such a function, with counted loops."""

    def __init__(self, lanes: int, module: Module) -> None:
        super().__init__(lanes, module)
        self.kept: list[str] = []

    def variable(self, type_: str = "i64") -> str:
        """A place on the stack, which LLVM turns into a register."""
        name = self.fresh()
        self.kept.append(f"  {name} = alloca {type_}")
        return name

    @contextmanager
    def counted(self, begin: str, end: str, step: int = 1) -> Iterator[str]:
        """A loop; gives the counter."""
        place, label = self.variable(), self.fresh()[1:]
        self.line(f"store i64 {begin}, ptr {place}")
        self.line(f"br label %{label}.head")
        self.line(f"{label}.head:")
        i = self.raw(f"load i64, ptr {place}")
        inside = self.raw(f"icmp slt i64 {i}, {end}")
        self.line(f"br i1 {inside}, label %{label}.body, label %{label}.done")
        self.line(f"{label}.body:")
        yield i
        self.line(f"store i64 {self.raw(f'add i64 {i}, {step}')}, ptr {place}")
        self.line(f"br label %{label}.head")
        self.line(f"{label}.done:")

    @contextmanager
    def branch(self, condition: str, wanted: bool = True) -> Iterator[None]:
        """Instructions for when a condition is true, or false."""
        label = self.fresh()[1:]
        labels = f"label %{label}.then, label %{label}.done"
        if not wanted:
            labels = f"label %{label}.done, label %{label}.then"
        self.line(f"br i1 {condition}, {labels}")
        self.line(f"{label}.then:")
        yield
        self.line(f"br label %{label}.done")
        self.line(f"{label}.done:")

    def sum(self, *terms: tuple[str, str]) -> str:
        """The sum of products."""
        total = "0"
        for a, b in terms:
            total = self.raw(f"add i64 {total}, {self.raw(f'mul i64 {a}, {b}')}")
        return total

    def entry(self, table: str, k: str) -> list[str]:
        """The three numbers in the table of an axis for an offset."""
        place = self.offset(table, self.sum((k, "24")))
        return [self.raw(f"load i64, ptr {self.offset(place, str(8 * i))}, align 8") for i in range(3)]

    @contextmanager
    def inside(self, table: str, count: str, at: str) -> Iterator[tuple[str, str]]:
        """A loop over the offsets of an axis that are inside at a position: each one, and where the window begins."""
        with self.counted("0", count) as k:
            first, stop, start = self.entry(table, k)
            low, high = self.raw(f"icmp sge i64 {at}, {first}"), self.raw(f"icmp slt i64 {at}, {stop}")
            with self.branch(self.raw(f"and i1 {low}, {high}")):
                yield k, start

    def divided(self, a: str, b: str) -> tuple[str, str]:
        """Quotient and remainder."""
        return self.raw(f"udiv i64 {a}, {b}"), self.raw(f"urem i64 {a}, {b}")


class Single(Loop):
    """Vectors of one element, written among the instructions of another writer."""

    def __init__(self, whole: Rows) -> None:
        super().__init__(1, whole.module)
        self.lines = whole.lines
        self.fresh = whole.fresh  # type: ignore[method-assign]


class Masked(Loop):
    """Vectors of which only the elements from ``first`` to before ``stop`` are read and written."""

    def __init__(self, whole: Rows, stop: str, first: str = "0") -> None:
        super().__init__(whole.lanes, whole.module)
        self.lines = whole.lines
        self.fresh = whole.fresh  # type: ignore[method-assign]
        self.mask = self._compared("slt", stop)
        if first != "0":
            behind = self._compared("sge", first)
            self.mask = self.raw(f"and <{self.lanes} x i1> {self.mask}, {behind}")

    def _compared(self, how: str, number: str) -> str:
        numbers = ", ".join(f"i32 {i}" for i in range(self.lanes))
        limit = self.splat(self.raw(f"trunc i64 {number} to i32"), "int32")
        return self.raw(f"icmp {how} {self.type('int32')} <{numbers}>, {limit.name}")

    def _intrinsic(self, what: str, dtype: str) -> tuple[str, str]:
        element = MEMORY[dtype]
        short = {"float": "f32", "double": "f64"}.get(element, element)
        return f"<{self.lanes} x {element}>", f"@llvm.masked.{what}.v{self.lanes}{short}.p0"

    def load(self, pointer: str, dtype: str, stride: str | None = None) -> Value:
        vector, name = self._intrinsic("load", dtype)
        mask = f"<{self.lanes} x i1>"
        self.module.declare(f"declare {vector} {name}(ptr, i32 immarg, {mask}, {vector})")
        call = f"call {vector} {name}(ptr {pointer}, i32 {size(dtype)}, {mask} {self.mask}, {vector} zeroinitializer)"
        return Value(self, self.raw(call), dtype)

    def store(self, value: Value, pointer: str, stride: str | None = None) -> None:
        vector, name = self._intrinsic("store", value.dtype)
        mask = f"<{self.lanes} x i1>"
        self.module.declare(f"declare void {name}({vector}, ptr, i32 immarg, {mask})")
        where = f"ptr {pointer}, i32 {size(value.dtype)}, {mask} {self.mask}"
        self.line(f"call void {name}({vector} {value.name}, {where})")


def _begun(dtype: str) -> tuple[Rows, dict[str, str], dict[str, str], list[str]]:
    """The writer of a function, its words, the pointers among them, and the tables of the axes."""
    loop = Rows(64 // size(dtype), Module())
    word = {name: loop.word(i) for i, name in enumerate(WORDS)}
    base = {name: loop.raw(f"inttoptr i64 {word[name]} to ptr") for name in ("outer", "inner", "third", "table")}
    table = [base["table"]]
    for a in range(AXES - 1):
        table.append(loop.offset(table[a], loop.sum((word[f"k{a}"], "24"))))
    return loop, word, base, table


def positions(mode: str, dtype: str, stride: int, numbers: str = "uint8") -> tuple[str, str]:
    """The name and the text of a function for ``sum``, ``max``, ``scale`` or ``win``, a vector of positions at a time.

    It stays in a register until all taps have been added, so nothing is written twice.

    Args:
        mode: what is done, see above.
        dtype: of the arrays, float32 or float64.
        stride: between what neighbours see, in elements: 1 or 2.
        numbers: the dtype of ``which``.
    """
    loop, word, base, table = _begun(dtype)
    own, kind = str(size(dtype)), "int32" if mode == "win" else dtype
    vector = loop.type(kind)
    kept = loop.variable(vector)
    with loop.counted("%begin", "%end") as unit:
        c, n = loop.divided(unit, word["images"])
        inside = loop.offset(base["inner"], loop.sum((c, word["inner_channel"]), (n, word["inner_image"])))
        outside = loop.sum((c, word["outer_channel"]), (n, word["outer_image"]))
        weights = loop.offset(base["third"], loop.sum((loop.sum((c, word["third_channel"])), own)))
        with (
            loop.counted("0", word["o0"]) as p, loop.counted("0", word["o1"]) as q,
            loop.counted("0", word["o2"], loop.lanes) as j,
        ):  # fmt: skip
            at = loop.sum((loop.sum((p, word["o1"]), (q, "1")), word["o2"]), (j, "1"), (outside, "1"))
            outer = loop.offset(base["outer"], loop.sum((at, own)))
            row = Masked(loop, loop.raw(f"sub i64 {word['o2']}, {j}"))
            there = row.load(outer, dtype)
            begun = loop.constant(LAST[numbers], "int32") if mode == "win" else there
            loop.line(f"store {begun.typed}, ptr {kept}")
            with loop.inside(table[0], word["k0"], p) as (a, start):
                plane = loop.offset(inside, loop.sum((p, word["step0"]), (start, word["m0"])))
                with loop.inside(table[1], word["k1"], q) as (b, start):
                    line = loop.offset(plane, loop.sum((q, word["step1"]), (start, word["m1"])))
                    number = loop.sum((loop.sum((a, word["k1"]), (b, "1")), word["k2"]))
                    with loop.counted("0", word["k2"]) as k:
                        tap = loop.raw(f"add i64 {number}, {k}")
                        first, stop, start = loop.entry(table[2], k)
                        places = (loop.sum((j, str(stride)), (start, "1")), own), (tap, word["inner_tap"])
                        ends = [loop.raw(f"sub i64 {end}, {j}") for end in (stop, first)]
                        part = Masked(loop, *ends)
                        x = _seen(loop, part, loop.offset(line, loop.sum(*places)), dtype, stride, ends)
                        sofar = Value(loop, loop.raw(f"load {vector}, ptr {kept}"), kind)
                        if mode == "sum":
                            y = sofar + x
                        elif mode == "max":
                            y = maximum(loop, sofar, x)
                        elif mode == "scale":
                            place = loop.sum((loop.raw(f"mul i64 {tap}, {word['third_tap']}"), own))
                            y = loop.fma(loop.load_one(loop.offset(weights, place), dtype), x, sofar)
                        else:
                            found = loop.splat(loop.raw(f"trunc i64 {tap} to i32"), "int32")
                            y = loop.where((x < there) | (found > sofar), sofar, found)
                        y = loop.where(Value(loop, part.mask, "bool"), y, sofar)
                        loop.line(f"store {y.typed}, ptr {kept}")
            result = Value(loop, loop.raw(f"load {vector}, ptr {kept}"), kind)
            if mode == "win":
                which = loop.offset(base["third"], loop.sum((at, str(size(numbers)))))
                row.store(loop.convert(result, numbers), which)
            else:
                row.store(result, outer)
    loop.line("ret void")
    loop.lines[:0] = loop.kept
    return finished(loop)


def _seen(loop: Rows, part: Loop, pointer: str, dtype: str, stride: int, ends: list[str]) -> Value:
    """What a vector of positions sees: neighbours, or of twice as many elements every second one."""
    if stride == 1:
        return part.load(pointer, dtype)
    lanes, vector = loop.lanes, loop.type(dtype)
    stop, first = [loop.raw(f"mul i64 {end}, 2") for end in ends]
    stop = loop.raw(f"sub i64 {stop}, 1")  # the last element that is seen is the last one that is read
    low = Masked(loop, stop, first).load(pointer, dtype)
    stop, first = [loop.raw(f"sub i64 {end}, {lanes}") for end in (stop, first)]
    high = Masked(loop, stop, first).load(loop.offset(pointer, str(lanes * size(dtype))), dtype)
    numbers = ", ".join(f"i32 {2 * i}" for i in range(lanes))
    return loop.emit(f"shufflevector {low.typed}, {vector} {high.name}, <{lanes} x i32> <{numbers}>", dtype)


def scattered(dtype: str, numbers: str) -> tuple[str, str]:
    """The name and the text of a function for ``back``, one position at a time.

    The table has for each tap where its element is, in bytes from that of the first one.
    """
    loop, word, base, _ = _begun(dtype)
    single = Single(loop)
    last = loop.raw(f"mul i64 {word['k1']}, {word['k2']}")
    last = loop.raw(f"mul i64 {word['k0']}, {last}")
    element = MEMORY[numbers]
    with loop.counted("%begin", "%end") as c:
        inside, outside = loop.sum((c, word["inner_channel"])), loop.sum((c, word["outer_channel"]))
        with (
            loop.counted("0", word["o0"]) as p, loop.counted("0", word["o1"]) as q, loop.counted("0", word["o2"]) as j
        ):  # fmt: skip
            at = loop.sum((loop.sum((p, word["o1"]), (q, "1")), word["o2"]), (j, "1"), (outside, "1"))
            which = loop.offset(base["third"], loop.sum((at, str(size(numbers)))))
            number = loop.raw(f"load {element}, ptr {which}, align {size(numbers)}")
            number = loop.raw(f"zext {element} {number} to i64")
            with loop.branch(loop.raw(f"icmp ult i64 {number}, {last}")):
                entry = loop.offset(base["table"], loop.sum((number, "8")))
                shift = loop.raw(f"load i64, ptr {entry}, align 8")
                steps = (p, word["step0"]), (q, word["step1"]), (j, word["step2"])
                inner = loop.offset(base["inner"], loop.sum(*steps, (inside, "1"), (shift, "1")))
                g = single.load(loop.offset(base["outer"], loop.sum((at, str(size(dtype))))), dtype)
                single.store(single.load(inner, dtype) + g, inner)
    loop.line("ret void")
    loop.lines[:0] = loop.kept
    return finished(loop)


def windows(mode: str, dtype: str, stride: int, numbers: str = "uint8") -> tuple[str, str]:
    """The name and the text of a function.

    Args:
        mode: what is done, see above.
        dtype: of the arrays, float32 or float64.
        stride: between what neighbours see, in elements, where vectors are used: 1, or for ``copy`` and ``dot`` 2.
        numbers: the dtype of ``which``.
    """
    loop, word, base, table = _begun(dtype)
    vector = f"<{loop.lanes} x {ELEMENTS[dtype]}>"
    sums = (loop.variable(vector), loop.variable(f"<1 x {ELEMENTS[dtype]}>")) if mode == "dot" else ("", "")
    together = loop.raw(f"icmp eq i64 {word['step2']}, {stride * size(dtype)}")
    kernel = [word[f"k{a}"] for a in range(AXES)]
    taps = loop.sum((loop.raw(f"mul i64 {kernel[0]}, {kernel[1]}"), kernel[2]))

    def tap(k: list[str], number: str, c: str, n: str) -> None:
        """All rows of one tap, channel and image."""
        first, stop, start = zip(*(loop.entry(table[a], k[a]) for a in range(AXES)), strict=True)
        inside = loop.sum((c, word["inner_channel"]), (number, word["inner_tap"]), (n, word["inner_image"]),
                          *((start[a], word[f"m{a}"]) for a in range(AXES)))  # fmt: skip
        outside = loop.sum((c, word["outer_channel"]), (number, word["outer_tap"]), (n, word["outer_image"]))
        count = loop.raw(f"sub i64 {stop[2]}, {first[2]}")
        weight = loop.offset(
            base["third"],
            loop.sum((loop.sum((c, word["third_channel"]), (number, word["third_tap"])), str(size(dtype)))),
        )
        with loop.counted(first[0], stop[0]) as p, loop.counted(first[1], stop[1]) as q:
            row = loop.sum((loop.sum((p, word["o1"]), (q, "1")), word["o2"]))
            at = loop.sum((outside, "1"), (row, "1"), (first[2], "1"))
            outer = loop.offset(base["outer"], loop.sum((at, str(size(dtype)))))
            which = loop.offset(base["third"], loop.sum((at, str(size(numbers)))))
            steps = loop.sum(*zip((p, q, first[2]), (word[f"step{a}"] for a in range(AXES)), strict=True))
            inner = loop.offset(loop.offset(base["inner"], inside), steps)
            pointers = outer, inner, which, weight
            _runs(loop, mode, dtype, stride, numbers, count, word["step2"], together, pointers, number, sums)

    with loop.counted("%begin", "%end") as unit:
        if mode == "copy":
            rest, n = loop.divided(unit, word["images"])
            c, number = loop.divided(rest, taps)
            rest, last = loop.divided(number, kernel[2])
            tap([*loop.divided(rest, kernel[1]), last], number, c, n)
        elif mode == "dot":
            with _each(loop, kernel) as (k, number):
                loop.line(f"store {vector} zeroinitializer, ptr {sums[0]}")
                loop.line(f"store <1 x {ELEMENTS[dtype]}> zeroinitializer, ptr {sums[1]}")
                with loop.counted("0", word["images"]) as n:
                    tap(k, number, unit, n)
                _total(loop, dtype, sums, base["third"],
                       loop.sum((unit, word["third_channel"]), (number, word["third_tap"])))  # fmt: skip
        else:
            c, n = loop.divided(unit, word["images"])
            with _each(loop, kernel) as (k, number):
                tap(k, number, c, n)
    loop.line("ret void")
    loop.lines[:0] = loop.kept
    return finished(loop)


@contextmanager
def _each(loop: Rows, kernel: list[str]) -> Iterator[tuple[list[str], str]]:
    """A loop over all taps: the offsets along the axes, and the number."""
    with loop.counted("0", kernel[0]) as a, loop.counted("0", kernel[1]) as b, loop.counted("0", kernel[2]) as c:
        yield [a, b, c], loop.sum((loop.sum((a, kernel[1]), (b, "1")), kernel[2]), (c, "1"))


def _total(loop: Rows, dtype: str, sums: tuple[str, str], third: str, place: str) -> None:
    """Add up what the elements of vectors have summed, in order, and store it."""
    element = ELEMENTS[dtype]
    short = {"float": "f32", "double": "f64"}[element]
    vector = f"<{loop.lanes} x {element}>"
    name = f"@llvm.vector.reduce.fadd.v{loop.lanes}{short}"
    loop.module.declare(f"declare {element} {name}({element}, {vector})")
    whole = loop.raw(f"load {vector}, ptr {sums[0]}")
    single = loop.raw(f"load {element}, ptr {sums[1]}")
    total = loop.raw(f"call {element} {name}({element} {single}, {vector} {whole})")
    result = loop.offset(third, loop.sum((place, str(size(dtype)))))
    loop.line(f"store {element} {total}, ptr {result}, align {size(dtype)}")


Pointers = tuple[str, str, str, str]


def _runs(
    loop: Rows, mode: str, dtype: str, stride: int, numbers: str, count: str, step: str, together: str,
    pointers: Pointers, number: str, sums: tuple[str, str],
) -> None:  # fmt: skip
    """Do something with two runs of elements: with vectors where those of the inner side lie so far apart."""

    def at(j: str, stride: str) -> Pointers:
        outer, inner, which, weight = pointers
        places = ((outer, str(size(dtype))), (inner, stride), (which, str(size(numbers))))
        moved = [loop.offset(pointer, loop.sum((j, by))) for pointer, by in places]
        return moved[0], moved[1], moved[2], weight

    with loop.branch(together):
        own = str(stride * size(dtype))

        def seen(part: Loop, at: str, stop: str) -> Value:
            return part.load(at, dtype) if stride == 1 else _seen(loop, part, at, dtype, stride, [stop, "0"])

        whole = loop.raw(f"and i64 {count}, {-loop.lanes}")
        with loop.counted("0", whole, loop.lanes) as j:
            places = at(j, own)
            _element(
                loop, mode, dtype, numbers, places, number, sums[0], lambda: seen(loop, places[1], str(loop.lanes))
            )
        rest = loop.raw(f"sub i64 {count}, {whole}")
        with loop.branch(loop.raw(f"icmp sgt i64 {rest}, 0")):
            part, places = Masked(loop, rest), at(whole, own)
            _element(part, mode, dtype, numbers, places, number, sums[0], lambda: seen(part, places[1], rest))
    with loop.branch(together, wanted=False), loop.counted("0", count) as j:
        single, places = Single(loop), at(j, step)
        _element(single, mode, dtype, numbers, places, number, sums[1], lambda: single.load(places[1], dtype))


def _element(
    loop: Loop, mode: str, dtype: str, numbers: str, pointers: Pointers, number: str, total: str,
    seen: Callable[[], Value],
) -> None:  # fmt: skip
    """Do it with one vector of each; ``seen`` reads that of the inner side."""
    outer, inner, which, weight = pointers
    if mode == "copy":
        loop.store(seen(), outer)
    elif mode == "add":
        loop.store(loop.load(inner, dtype) + loop.load(outer, dtype), inner)
    elif mode == "sum":
        loop.store(loop.load(outer, dtype) + loop.load(inner, dtype), outer)
    elif mode == "max":
        loop.store(maximum(loop, loop.load(outer, dtype), loop.load(inner, dtype)), outer)
    elif mode == "win":
        tap = loop.splat(loop.raw(f"trunc i64 {number} to {ELEMENTS[numbers]}"), numbers)
        missed = loop.load(inner, dtype) < loop.load(outer, dtype)
        known, found = loop.load(which, numbers), loop.where(missed, loop.constant(LAST[numbers], numbers), tap)
        loop.store(loop.where(found < known, found, known), which)
    elif mode == "dot":
        vector = loop.type(dtype)
        sofar = Value(loop, loop.raw(f"load {vector}, ptr {total}"), dtype)
        more = loop.fma(seen(), loop.load(outer, dtype), sofar)
        loop.line(f"store {more.typed}, ptr {total}")
    else:
        w = loop.load_one(weight, dtype)
        source, target = (inner, outer) if mode == "scale" else (outer, inner)
        loop.store(loop.fma(w, loop.load(source, dtype), loop.load(target, dtype)), target)
