"""Loops around expressions in LLVM IR: elementwise functions over arrays with any strides.

A function is ``f(arguments, begin, end)``. ``arguments`` points to 8-byte words, and ``begin`` and ``end`` say which
elements (or rows) to compute, so that threads can share them out. Its results do not depend on how they do that.

The innermost loop takes as many elements at a time as a vector has. What is left at its end is copied into vectors on
the stack and goes through the same instructions.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from ..expressions import BITS, Expression
from ..expressions.llvm import lower
from ..expressions.llvm_code import ELEMENTS, Code, Module, Value
from ..expressions.node import walk

MEMORY = {**ELEMENTS, "bool": "i8"}
"""The type of an element in memory."""


HEAVY = frozenset({"exp", "exp2", "expm1", "log", "log1p", "log2", "log10", "sinh", "cosh", "tanh", "sin", "cos",
                   "erf", "erfc", "power"})  # fmt: skip
"""The functions that take longer than memory."""


def lanes_for(*roots: Expression) -> int:
    """The number of elements in a vector: 64 bytes of the numbers that are computed with."""
    return 8 if any(node.dtype == "float64" for node in walk(*roots)) else 16


class Loop(Code):
    """The instructions of one function, with scalars and memory beside the vectors."""

    def raw(self, text: str) -> str:
        """Write an instruction and give the name of its result."""
        name = self.fresh()
        self.lines.append(f"  {name} = {text}")
        return name

    def line(self, text: str) -> None:
        """Write an instruction without a result, or a label."""
        self.lines.append(text if text.endswith(":") else f"  {text}")

    def word(self, position: int, type_: str = "i64") -> str:
        """One of the function's arguments."""
        pointer = self.raw(f"getelementptr i64, ptr %arguments, i64 {position}")
        return self.raw(f"load {type_}, ptr {pointer}, align 8")

    def splat(self, scalar: str, dtype: str, type_: str | None = None) -> Value:
        """A number in a register, in each element of a vector."""
        element = type_ or ELEMENTS[dtype]
        vector = f"<{self.lanes} x {element}>"
        first = self.raw(f"insertelement {vector} poison, {element} {scalar}, i32 0")
        name = self.raw(f"shufflevector {vector} {first}, {vector} poison, <{self.lanes} x i32> zeroinitializer")
        return Value(self, name, dtype)

    def scalar(self, position: int, dtype: str) -> Value:
        """A number among the arguments, which is given in float64."""
        number = self.word(position, "double")
        if dtype == "float32":
            number = self.raw(f"fptrunc double {number} to float")
        return self.splat(number, dtype)

    def offset(self, pointer: str, bytes_: str) -> str:
        return self.raw(f"getelementptr i8, ptr {pointer}, i64 {bytes_}")

    def load_one(self, pointer: str, dtype: str) -> Value:
        """The element at a place, in each element of a vector."""
        element = MEMORY[dtype]
        number = self.raw(f"load {element}, ptr {pointer}, align {size(dtype)}")
        if dtype == "bool":
            number = self.raw(f"icmp ne i8 {number}, 0")
        return self.splat(number, dtype)

    def load(self, pointer: str, dtype: str, stride: str | None = None) -> Value:
        """The elements from a place on, side by side or with a stride in bytes."""
        element = MEMORY[dtype]
        vector = f"<{self.lanes} x {element}>"
        if stride is None:
            name = self.raw(f"load {vector}, ptr {pointer}, align {size(dtype)}")
        else:
            name = "poison"
            for lane in range(self.lanes):
                number = self.raw(f"load {element}, ptr {pointer}, align {size(dtype)}")
                name = self.raw(f"insertelement {vector} {name}, {element} {number}, i32 {lane}")
                if lane < self.lanes - 1:
                    pointer = self.offset(pointer, stride)
        if dtype == "bool":
            return self.emit(f"icmp ne {vector} {name}, zeroinitializer", "bool")
        return Value(self, name, dtype)

    def store(self, value: Value, pointer: str, stride: str | None = None) -> None:
        """Write the elements from a place on, side by side or with a stride in bytes."""
        element = MEMORY[value.dtype]
        vector = f"<{self.lanes} x {element}>"
        name = value.name if value.dtype != "bool" else self.raw(f"zext {value.typed} to {vector}")
        if stride is None:
            self.line(f"store {vector} {name}, ptr {pointer}, align {size(value.dtype)}")
            return
        for lane in range(self.lanes):
            number = self.raw(f"extractelement {vector} {name}, i32 {lane}")
            self.line(f"store {element} {number}, ptr {pointer}, align {size(value.dtype)}")
            if lane < self.lanes - 1:
                pointer = self.offset(pointer, stride)

    def copy(self, dtype: str, source: str, from_stride: str, target: str, to_stride: str, k: str) -> None:
        """Copy the element at place ``k`` of one row of elements to that of another."""
        element = MEMORY[dtype]
        there = self.offset(source, self.raw(f"mul i64 {k}, {from_stride}"))
        here = self.offset(target, self.raw(f"mul i64 {k}, {to_stride}"))
        number = self.raw(f"load {element}, ptr {there}, align {size(dtype)}")
        self.line(f"store {element} {number}, ptr {here}, align {size(dtype)}")


def size(dtype: str) -> int:
    """Bytes of an element in memory."""
    return BITS[dtype] // 8


class Operand:
    """An array of an elementwise function, as the writer of the loop sees it.

    Attributes:
        variable: None for results.
        dtype: of its elements.
        kind: along the innermost axis: ``c`` contiguous, ``s`` always the same element, ``g`` with a stride.
        result: position among the results; None for an array that is only read.
    """

    def __init__(self, variable: Expression | None, dtype: str, kind: str, result: int | None) -> None:
        self.variable, self.dtype, self.kind, self.result = variable, dtype, kind, result
        self.pointer = self.stride = self.buffer = self.place = self.step = ""


def elementwise(
    inputs: Sequence[Expression], outputs: Sequence[Expression], kinds: str, axes: int, changes: Sequence[str] = ()
) -> tuple[str, str]:
    """The name and the text of an elementwise function.

    Its words are: the addresses of the arrays, then those of the results that are no arrays of the inputs; the scalars;
    the sizes of all axes; for each array the strides in bytes. With a single axis there is no size, and it has a stride
    only if its kind is ``g``.

    Args:
        inputs: the variables, arrays before scalars.
        outputs: the results.
        kinds: of the arrays and the results, see :class:`Operand`.
        axes: number of axes.
        changes: names of the arrays that are written to, in the order of ``outputs``; then there are no other results.
    """
    arrays = [v for v in inputs if v.axes]
    scalars = [v for v in inputs if not v.axes]
    lanes = lanes_for(*outputs, *inputs)
    loop = Loop(lanes, Module())
    order = list(changes)
    operands = [
        Operand(v, v.dtype, kind, order.index(v.value) if v.value in order else None)
        for v, kind in zip(arrays, kinds, strict=False)
    ]
    if not changes:
        more = zip(outputs, kinds[len(arrays) :], strict=True)
        operands += [Operand(None, y.dtype, kind, i) for i, (y, kind) in enumerate(more)]
    known = _arguments(loop, operands, scalars, axes)
    _rows(loop, operands, axes, known)
    _row(loop, operands, outputs, known)
    if axes > 1:
        loop.line("%other = icmp ult i64 %after, %end")
        loop.line("br i1 %other, label %row, label %exit")
        loop.line("exit:")
    loop.line("ret void")
    return finished(loop)


def finished(loop: Loop) -> tuple[str, str]:
    """The name and the text of the module of a loop; the name is a hash of the text."""
    body = "\n".join(loop.lines)
    text = f"define void @NAME(ptr %arguments, i64 %begin, i64 %end) #0 {{\nentry:\n{body}\n}}"
    loop.module.add(text)
    whole = loop.module.text()
    name = f"gg_{hashlib.sha256(whole.encode()).hexdigest()[:24]}"
    return name, whole.replace("@NAME", f"@{name}")


def _arguments(loop: Loop, operands: list[Operand], scalars: list[Expression], axes: int) -> dict[Expression, Value]:
    """Read the words that are the same for all elements."""
    for position, operand in enumerate(operands):
        operand.pointer = loop.word(position)
        operand.pointer = loop.raw(f"inttoptr i64 {operand.pointer} to ptr")
    at = len(operands)
    known = {v: loop.scalar(at + i, v.dtype) for i, v in enumerate(scalars)}
    at += len(scalars) + (axes if axes > 1 else 0)
    for operand in operands:
        if axes > 1 or operand.kind == "g":
            at += axes
            operand.stride = loop.word(at - 1)
        if operand.kind != "s":
            vector = f"<{loop.lanes} x {MEMORY[operand.dtype]}>"
            operand.buffer = loop.raw(f"alloca {vector}, align 64")
            loop.line(f"store {vector} zeroinitializer, ptr {operand.buffer}, align 64")
    return known


def _rows(loop: Loop, operands: list[Operand], axes: int, known: dict[Expression, Value]) -> None:
    """Find the elements of one row after the other: ``%count`` from ``place`` of each operand on."""
    if axes == 1:
        for operand in operands:
            step = {"c": str(size(operand.dtype)), "s": "0", "g": operand.stride}[operand.kind]
            operand.place = loop.offset(operand.pointer, loop.raw(f"mul i64 %begin, {step}"))
        loop.line("%count = sub i64 %end, %begin")
        loop.line("br label %row")
        loop.line("row:")
    else:
        scalars = len(known)
        sizes = [loop.word(len(operands) + scalars + k) for k in range(axes)]
        first = len(operands) + scalars + axes
        strides = [[loop.word(first + i * axes + k) for k in range(axes)] for i in range(len(operands))]
        loop.line("br label %row")
        loop.line("row:")
        loop.line("%at = phi i64 [%begin, %entry], [%after, %next]")
        rest = loop.raw(f"udiv i64 %at, {sizes[-1]}")
        column = loop.raw(f"urem i64 %at, {sizes[-1]}")
        left, here = loop.raw("sub i64 %end, %at"), loop.raw(f"sub i64 {sizes[-1]}, {column}")
        loop.line(f"%count = call i64 @llvm.umin.i64(i64 {left}, i64 {here})")
        loop.module.declare("declare i64 @llvm.umin.i64(i64, i64)")
        loop.line("%after = add i64 %at, %count")
        indices = {axes - 1: column}
        for k in reversed(range(axes - 1)):
            indices[k] = rest if k == 0 else loop.raw(f"urem i64 {rest}, {sizes[k]}")
            if k:
                rest = loop.raw(f"udiv i64 {rest}, {sizes[k]}")
        for operand, steps in zip(operands, strides, strict=True):
            operand.place = operand.pointer
            for k in range(axes):
                operand.place = loop.offset(operand.place, loop.raw(f"mul i64 {indices[k]}, {steps[k]}"))
    for operand in operands:
        if operand.kind == "s" and operand.variable is not None:
            known[operand.variable] = loop.load_one(operand.place, operand.dtype)
    loop.line(f"%whole = and i64 %count, {-loop.lanes}")
    loop.line("%some = icmp ne i64 %whole, 0")
    loop.line("%rest = sub i64 %count, %whole")
    loop.line("%more = icmp ne i64 %rest, 0")
    loop.line("br i1 %some, label %pieces, label %left")


def _row(loop: Loop, operands: list[Operand], outputs: Sequence[Expression], known: dict[Expression, Value]) -> None:
    """Compute the elements of a row: whole vectors, then once more the vectors on the stack that hold the rest."""
    moving = [o for o in operands if o.kind != "s"]
    loop.line("pieces:")
    loop.line("%limit = phi i64 [%whole, %row], [1, %filled]")
    loop.line("%last = phi i1 [false, %row], [true, %filled]")
    starts, steps = {}, {}
    for i, o in enumerate(moving):
        starts[o] = f"%start{i}"
        loop.line(f"%start{i} = phi ptr [{o.place}, %row], [{o.buffer}, %filled]")
        if o.kind == "g":
            steps[o] = f"%step{i}"
            loop.line(f"%step{i} = phi i64 [{o.stride}, %row], [{size(o.dtype)}, %filled]")
    loop.line("br label %piece")
    loop.line("piece:")
    loop.line("%i = phi i64 [0, %pieces], [%j, %piece]")
    places = {}
    for o in moving:
        step = steps[o] if o.kind == "g" else str(size(o.dtype))
        places[o] = loop.offset(starts[o], loop.raw(f"mul i64 %i, {step}"))
        if o.variable is not None:
            known[o.variable] = loop.load(places[o], o.dtype, steps.get(o))
    values = lower(loop, outputs, known)
    for o in moving:
        if o.result is not None:
            loop.store(values[o.result], places[o], steps.get(o))
    loop.line(f"%j = add nuw i64 %i, {loop.lanes}")
    loop.line("%again = icmp ult i64 %j, %limit")
    loop.line("br i1 %again, label %piece, label %done")
    loop.line("done:")
    loop.line("br i1 %last, label %empty, label %left")
    # the rest of the row, into the vectors on the stack
    loop.line("left:")
    loop.line("br i1 %more, label %fill, label %next")
    loop.line("fill:")
    loop.line("%k = phi i64 [0, %left], [%l, %fill]")
    loop.line("%from = add i64 %whole, %k")
    for o in moving:
        if o.variable is not None:
            _copy_rest(loop, o, "%k", into=True)
    loop.line("%l = add nuw i64 %k, 1")
    loop.line("%filling = icmp ult i64 %l, %rest")
    loop.line("br i1 %filling, label %fill, label %filled")
    loop.line("filled:")
    loop.line("br label %pieces")
    # and back
    loop.line("empty:")
    loop.line("%m = phi i64 [0, %done], [%o, %empty]")
    for o in moving:
        if o.result is not None:
            _copy_rest(loop, o, "%m", into=False)
    loop.line("%o = add nuw i64 %m, 1")
    loop.line("%emptying = icmp ult i64 %o, %rest")
    loop.line("br i1 %emptying, label %empty, label %next")
    loop.line("next:")


def _copy_rest(loop: Loop, o: Operand, k: str, into: bool) -> None:
    stride = o.stride if o.kind == "g" else str(size(o.dtype))
    start = loop.offset(o.place, loop.raw(f"mul i64 %whole, {stride}"))
    if into:
        loop.copy(o.dtype, start, stride, o.buffer, str(size(o.dtype)), k)
    else:
        loop.copy(o.dtype, o.buffer, str(size(o.dtype)), start, stride, k)
