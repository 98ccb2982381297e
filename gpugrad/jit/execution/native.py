"""A list of calls of machine code that runs without Python: compiled kernels, and BLAS by its function pointers.

A record is ``(function, words, begin, end)``: a function as in :mod:`gpugrad.kernels.loops`, where in one array of
words its arguments are, and its range. One function, compiled once, runs the records of a range in order. Addresses and
numbers that change from call to call are copied into the words by records too.
"""

from __future__ import annotations

import ctypes
import hashlib
import importlib.util
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy

from ...backend import llvm
from ..places import Place

RUN = """
define void @NAME(ptr %segment) {
entry:
  %header = load ptr, ptr %segment
  %s1 = getelementptr i64, ptr %segment, i64 1
  %begin = load i64, ptr %s1
  %s2 = getelementptr i64, ptr %segment, i64 2
  %end = load i64, ptr %s2
  %records.at = load ptr, ptr %header
  %second = getelementptr i64, ptr %header, i64 1
  %words = load ptr, ptr %second
  %some = icmp ult i64 %begin, %end
  br i1 %some, label %loop, label %exit
loop:
  %i = phi i64 [%begin, %entry], [%next, %loop]
  %place = mul i64 %i, 4
  %record = getelementptr i64, ptr %records.at, i64 %place
  %function = load ptr, ptr %record
  %p1 = getelementptr i64, ptr %record, i64 1
  %word = load i64, ptr %p1
  %arguments = getelementptr i64, ptr %words, i64 %word
  %p2 = getelementptr i64, ptr %record, i64 2
  %from = load i64, ptr %p2
  %p3 = getelementptr i64, ptr %record, i64 3
  %to = load i64, ptr %p3
  call void %function(ptr %arguments, i64 %from, i64 %to)
  %next = add i64 %i, 1
  %more = icmp ult i64 %next, %end
  br i1 %more, label %loop, label %exit
exit:
  ret void
}
"""
"""Runs the records of a segment, ``(header, begin, end)``; the header has the addresses of records and words."""

MOVE = """
define void @NAME(ptr %header, i64 %begin, i64 %end) {
entry:
  %second = getelementptr i64, ptr %header, i64 1
  %words = load ptr, ptr %second
  %third = getelementptr i64, ptr %header, i64 2
  %table = load ptr, ptr %third
  %fourth = getelementptr i64, ptr %header, i64 3
  %moves = load ptr, ptr %fourth
  %some = icmp ult i64 %begin, %end
  br i1 %some, label %loop, label %exit
loop:
  %i = phi i64 [%begin, %entry], [%next, %loop]
  %place = mul i64 %i, 3
  %move = getelementptr i64, ptr %moves, i64 %place
  %word = load i64, ptr %move
  %p1 = getelementptr i64, ptr %move, i64 1
  %slot = load i64, ptr %p1
  %p2 = getelementptr i64, ptr %move, i64 2
  %offset = load i64, ptr %p2
  %source = getelementptr i64, ptr %table, i64 %slot
  %value = load i64, ptr %source
  %moved = add i64 %value, %offset
  %target = getelementptr i64, ptr %words, i64 %word
  store i64 %moved, ptr %target
  %next = add i64 %i, 1
  %more = icmp ult i64 %next, %end
  br i1 %more, label %loop, label %exit
exit:
  ret void
}
"""
"""Copies what changes from call to call into the words: ``word = slot of the table + offset``."""

PRODUCT = """
define void @NAME(ptr %a, i64 %begin, i64 %end) {{
  %p0 = getelementptr i64, ptr %a, i64 0
  %function = load ptr, ptr %p0
  %p1 = getelementptr i64, ptr %a, i64 1
  %ta = load i32, ptr %p1
  %p2 = getelementptr i64, ptr %a, i64 2
  %tb = load i32, ptr %p2
  %p3 = getelementptr i64, ptr %a, i64 3
  %m = load {int}, ptr %p3
  %p4 = getelementptr i64, ptr %a, i64 4
  %n = load {int}, ptr %p4
  %p5 = getelementptr i64, ptr %a, i64 5
  %k = load {int}, ptr %p5
  %p6 = getelementptr i64, ptr %a, i64 6
  %x = load ptr, ptr %p6
  %p7 = getelementptr i64, ptr %a, i64 7
  %lda = load {int}, ptr %p7
  %p8 = getelementptr i64, ptr %a, i64 8
  %y = load ptr, ptr %p8
  %p9 = getelementptr i64, ptr %a, i64 9
  %ldb = load {int}, ptr %p9
  %p10 = getelementptr i64, ptr %a, i64 10
  %z = load ptr, ptr %p10
  %p11 = getelementptr i64, ptr %a, i64 11
  %ldc = load {int}, ptr %p11
  call void %function(i32 101, i32 %ta, i32 %tb, {int} %m, {int} %n, {int} %k,
                      {float} 1.0, ptr %x, {int} %lda, ptr %y, {int} %ldb, {float} 0.0, ptr %z, {int} %ldc)
  ret void
}}
"""
"""Calls a function of CBLAS for a product of matrices that are stored by rows."""

PRODUCT_FORTRAN = """
define void @NAME(ptr %a, i64 %begin, i64 %end) {{
  %p0 = getelementptr i64, ptr %a, i64 0
  %function = load ptr, ptr %p0
  %ta = getelementptr i64, ptr %a, i64 1
  %tb = getelementptr i64, ptr %a, i64 2
  %m = getelementptr i64, ptr %a, i64 3
  %n = getelementptr i64, ptr %a, i64 4
  %k = getelementptr i64, ptr %a, i64 5
  %p6 = getelementptr i64, ptr %a, i64 6
  %x = load ptr, ptr %p6
  %lda = getelementptr i64, ptr %a, i64 7
  %p8 = getelementptr i64, ptr %a, i64 8
  %y = load ptr, ptr %p8
  %ldb = getelementptr i64, ptr %a, i64 9
  %p10 = getelementptr i64, ptr %a, i64 10
  %z = load ptr, ptr %p10
  %ldc = getelementptr i64, ptr %a, i64 11
  %one = alloca {float}
  store {float} 1.0, ptr %one
  %zero = alloca {float}
  store {float} 0.0, ptr %zero
  call void %function(ptr %tb, ptr %ta, ptr %n, ptr %m, ptr %k,
                      ptr %one, ptr %y, ptr %ldb, ptr %x, ptr %lda, ptr %zero, ptr %z, ptr %ldc)
  ret void
}}
"""
"""Calls a function of BLAS, which takes pointers to everything and matrices that are stored by columns."""


class Word(NamedTuple):
    """An argument that changes from call to call: a number that is an input of the program."""

    scalar: int


class Record(NamedTuple):
    """A call of machine code.

    Attributes:
        function: its address.
        words: integers, floats, the places of arrays, and numbers that are inputs.
        end: its range is from 0 to here.
        step: the least part of it that is worth a thread.
        elementwise: whether it reads of an element what it needs before it writes it, and nothing later.
    """

    function: int
    words: tuple[Any, ...]
    end: int
    step: int
    elementwise: bool = False


@cache
def function(source: str) -> int:
    """The address of a compiled function, called ``@NAME`` in its source."""
    machine = llvm.machine()
    assert machine is not None
    name = f"gg_{hashlib.sha256(source.encode()).hexdigest()[:24]}"
    return machine.load(source.replace("@NAME", f"@{name}"), name)


@cache
def loaded(name: str, source: str) -> int:
    """The address of a compiled function whose source has its name."""
    machine = llvm.machine()
    assert machine is not None
    return machine.load(source, name)


@cache
def runner() -> Any:
    """The function that runs a segment of records, given its address."""
    return ctypes.CFUNCTYPE(None, ctypes.c_void_p)(function(RUN))


class Blas(NamedTuple):
    """Products of matrices by function pointers.

    Attributes:
        where: the library.
        products: by dtype, the functions that records call, and those that they are to call in turn.
        transposed: the words for a matrix that is not transposed, and one that is.
    """

    where: str
    products: dict[str, tuple[int, int]]
    transposed: tuple[int, int]


@cache
def blas() -> Blas | None:
    """NumPy's own BLAS if it can be found, else SciPy's; None where there is neither."""
    found = _of_numpy() or _of_scipy()
    if found is not None:
        ordinary = numpy.arange(6.0).reshape(2, 3)
        made = numpy.empty((2, 2))
        words = product_words(found, ordinary, ordinary.T, made)
        if words is None:
            return None
        packed = numpy.array([w if isinstance(w, int) else w.__array_interface__["data"][0] for w in words], "u8")
        shim = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_int64, ctypes.c_int64)(found.products["float64"][0])
        shim(packed.__array_interface__["data"][0], 0, 1)
        if not numpy.array_equal(made, ordinary @ ordinary.T):
            return None
    return found


def _of_numpy() -> Blas | None:
    folder = Path(numpy.__file__).parent
    for path in [*folder.parent.glob("numpy.libs/*openblas*"), *folder.glob(".dylibs/*openblas*")]:
        try:
            library = ctypes.CDLL(str(path))
        except OSError:
            continue
        for pattern, integer in (("scipy_cblas_{}gemm64_", "i64"), ("cblas_{}gemm", "i32")):
            names = {"float32": pattern.format("s"), "float64": pattern.format("d")}
            if all(hasattr(library, name) for name in names.values()):
                products = {
                    dtype: (
                        function(PRODUCT.format(int=integer, float="float" if dtype == "float32" else "double")),
                        _pointer(getattr(library, name)),
                    )
                    for dtype, name in names.items()
                }
                return Blas(f"NumPy's ({path.name})", products, (111, 112))
    return None


def _pointer(found: Any) -> int:
    address = ctypes.cast(found, ctypes.c_void_p).value
    assert address is not None
    return address


def _of_scipy() -> Blas | None:
    if importlib.util.find_spec("scipy") is None:
        return None
    from scipy.linalg import cython_blas

    get = ctypes.pythonapi.PyCapsule_GetPointer
    get.restype, get.argtypes = ctypes.c_void_p, [ctypes.py_object, ctypes.c_char_p]
    name = ctypes.pythonapi.PyCapsule_GetName
    name.restype, name.argtypes = ctypes.c_char_p, [ctypes.py_object]
    products = {}
    for dtype, letter, kind in (("float32", "s", "float"), ("float64", "d", "double")):
        capsule = cython_blas.__pyx_capi__[f"{letter}gemm"]
        products[dtype] = (function(PRODUCT_FORTRAN.format(float=kind)), get(capsule, name(capsule)))
    return Blas("SciPy's (scipy.linalg.cython_blas)", products, (ord("N"), ord("T")))


def product_words(found: Blas, a: Any, b: Any, out: Any) -> tuple[Any, ...] | None:
    """The words for ``out = a @ b`` of matrices; None if one of them has no contiguous axis, or too large a step.

    Args:
        found: the library.
        a: what has a shape, strides and a dtype.
        b: the same.
        out: the same, contiguous.
    """
    laid = [_laid(x) for x in (a, b)]
    if None in laid:
        return None
    (ta, lda), (tb, ldb) = laid  # type: ignore[misc]
    (m, k), n = a.shape, b.shape[1]
    if max(m, n, k, lda, ldb) >= 2**31 - 1:
        return None
    flags = found.transposed
    return (found.products[str(a.dtype)][1], flags[ta], flags[tb], m, n, k, a, lda, b, ldb, out, n)


def _laid(matrix: Any) -> tuple[bool, int] | None:
    """Whether a matrix lies in memory as a transposed one, and the step from row to row there."""
    (rows, columns), (down, right) = matrix.shape, matrix.strides
    size = 4 if str(matrix.dtype) == "float32" else 8
    if down % size or right % size:
        return None
    if (right == size or columns == 1) and (down >= columns * size or rows == 1):
        return False, max(down // size, columns, 1) if rows > 1 else max(columns, 1)
    if (down == size or rows == 1) and (right >= rows * size or columns == 1):
        return True, max(right // size, rows, 1) if columns > 1 else max(rows, 1)
    return None


class Tape:
    """Records in order, and what their words are made of."""

    def __init__(self) -> None:
        self.records: list[tuple[int, int, int, int]] = []
        self.steps: list[int] = []
        self.words: list[int] = []
        self.fixed: list[int] = []
        """The words that are places in the arena."""
        self.moves: list[tuple[int, int, int]] = []

    def add(self, record: Record, slots: Any) -> None:
        """Put a record at the end.

        Args:
            record: it.
            slots: a function that gives for a place ``(slot of the table, offset)``, the slot being None for the arena;
                and for a number that is an input its slot.
        """
        at = len(self.words)
        for position, word in enumerate(record.words):
            if isinstance(word, Place | Word):
                slot, offset = slots(word)
                self.words.append(offset if slot is None else 0)
                if slot is None:
                    self.fixed.append(at + position)
                else:
                    self.moves.append((at + position, slot, offset))
            elif isinstance(word, float):
                self.words.append(int(numpy.float64(word).view("u8")))
            else:
                self.words.append(int(word) % 2**64)
        self.records.append((record.function, at, 0, record.end))
        self.steps.append(record.step)

    def add_moves(self, first: int, last: int) -> None:
        """A record that fills in words; it gets the header as its words when the tape is laid out."""
        self.records.append((-1, 0, first, last))
        self.steps.append(last - first + 1)


class Laid:
    """A tape whose words lie in memory."""

    def __init__(self, tape: Tape, arena: int, slots: int) -> None:
        count = len(tape.words)
        self.words = numpy.zeros(count + 4, "u8")
        self.words[:count] = tape.words
        self.words[tape.fixed] += numpy.uint64(arena)
        self.table = numpy.zeros(max(slots, 1), "u8")
        self.records = numpy.zeros((max(len(tape.records), 1), 4), "u8")
        move = function(MOVE)
        for i, (address, at, begin, end) in enumerate(tape.records):
            self.records[i] = (move, count, begin, end) if address == -1 else (address, at, begin, end)
        self.moves = numpy.array(tape.moves or [(0, 0, 0)], "i8")
        header = [a.__array_interface__["data"][0] for a in (self.records, self.words, self.table, self.moves)]
        self.words[count:] = header
        self._header = int(self.words.__array_interface__["data"][0]) + 8 * count
        self._segments: list[Any] = []

    def segment(self, begin: int, end: int) -> int:
        """The address of a segment of records."""
        made = numpy.array([self._header, begin, end], "u8")
        self._segments.append(made)
        return int(made.__array_interface__["data"][0])
