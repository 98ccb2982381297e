"""Loops over rows in LLVM IR: reductions one after the other, then the elements of the results.

Each reduction whose operand needs no other one's result is computed in the same pass. Sums of float32 are added up in
float64. Which lane of a vector an element goes to, and in which order lanes are added, follows from the length of the
row alone.
"""

from __future__ import annotations

from collections.abc import Sequence

from ..expressions import REDUCTIONS, Expression
from ..expressions.llvm import NotCompiledError, lower, maximum, minimum
from ..expressions.llvm_code import ELEMENTS, Value
from ..expressions.llvm_code import Module as Text
from ..expressions.node import DTYPES, walk
from .loops import HEAVY, MEMORY, Loop, finished, lanes_for, size


class Matrix:
    """An array of rows, or a row that belongs to all of them, in the text of a loop."""

    def __init__(self, name: str, expression: Expression, dtype: str, result: bool) -> None:
        self.name, self.expression, self.dtype, self.result = name, expression, dtype, result
        self.shared = "r" not in expression.axes
        self.base = self.row = self.buffer = ""


def depths(roots: Sequence[Expression]) -> dict[Expression, int]:
    """In which pass over a row each reduction is computed, from 0 on.

    Raises:
        NotCompiledError: something else is reduced than the elements of a row.
    """
    level: dict[Expression, int] = {}
    for node in walk(*roots):
        level[node] = max((level[a] for a in node.args), default=0)
        if node.op == "reduce":
            if node.value[1] != "c" or DTYPES[node.dtype] != "f" or node.value[0] == "prod":
                raise NotCompiledError(f"reduce {node.value}")
            level[node] += 1
    return {node: n - 1 for node, n in level.items() if node.op == "reduce"}


class RowLoop(Loop):
    """The text of a function over rows. Variables that change are on the stack; LLVM puts them into registers."""

    def __init__(self, lanes: int, module: Text) -> None:
        super().__init__(lanes, module)
        self.stack: list[str] = []
        self.saved: dict[Expression, tuple[Matrix, int]] = {}

    def variable(self, type_: str, value: str) -> str:
        """A new variable of the function, with a value."""
        name = f"%u{len(self.stack)}"
        self.stack.append(f"  {name} = alloca {type_}, align 64")
        self.line(f"store {type_} {value}, ptr {name}")
        return name

    def get(self, variable: str, type_: str = "i64") -> str:
        """The value of a variable."""
        return self.raw(f"load {type_}, ptr {variable}")

    def set(self, variable: str, value: str, type_: str = "i64") -> None:
        """Give a variable a value."""
        self.line(f"store {type_} {value}, ptr {variable}")

    def branch(self, condition: str, yes: str, no: str) -> None:
        self.line(f"br i1 {condition}, label %{yes}, label %{no}")

    def block(self, name: str) -> None:
        self.line(f"{name}:")

    def iota(self, dtype: str) -> Value:
        """0, 1, 2 and so on."""
        element = ELEMENTS[dtype]
        return Value(self, f"<{', '.join(f'{element} {i}' for i in range(self.lanes))}>", dtype)

    def across(self, how: str, x: Value) -> Value:
        """A reduction of the elements of a vector, in each element of a vector: halves are joined again and again."""
        element, name, width = ELEMENTS[x.dtype], x.name, self.lanes
        while width > 1:
            half = width // 2
            first, second = (
                Value(self, self.raw(
                    f"shufflevector <{width} x {element}> {name}, <{width} x {element}> poison, <{half} x i32> "
                    f"<{', '.join(f'i32 {i}' for i in range(start, start + half))}>"
                ), x.dtype) for start in (0, half)
            )  # fmt: skip
            lanes, self.lanes = self.lanes, half
            name = join(self, how, first, second).name
            self.lanes, width = lanes, half
        return self.splat(self.raw(f"extractelement <1 x {element}> {name}, i32 0"), x.dtype)


def join(loop: Loop, how: str, a: Value, b: Value) -> Value:
    """Two parts of a reduction as one."""
    return a + b if how == "sum" else maximum(loop, a, b) if how == "max" else minimum(loop, a, b)


def rows(inputs: Sequence[Expression], outputs: Sequence[Expression]) -> tuple[str, str]:
    """The name and the text of a function over rows, which lie side by side in memory.

    Its words are: the addresses of the arrays and of the results, the scalars, the length of a row.

    Args:
        inputs: arrays, which vary along ``r`` and ``c``, ``r`` or ``c``; then scalars.
        outputs: results, of the same kinds but the last.

    Raises:
        NotCompiledError: these expressions have no such form.
    """
    passes = depths(outputs)
    loop = RowLoop(lanes_for(*outputs, *inputs), Text())
    arrays = [v for v in inputs if v.axes]
    operands = [Matrix(f"a{i}", v, v.dtype, False) for i, v in enumerate(arrays)]
    operands += [Matrix(f"y{i}", y, y.dtype, True) for i, y in enumerate(outputs)]
    for i, o in enumerate(operands):
        o.base = loop.raw(f"inttoptr i64 {loop.word(i)} to ptr")
    scalars = [v for v in inputs if not v.axes]
    known = {v: loop.scalar(len(operands) + i, v.dtype) for i, v in enumerate(scalars)}
    length = loop.word(len(operands) + len(scalars))
    whole = loop.raw(f"and i64 {length}, {-loop.lanes}")
    rest = loop.raw(f"sub i64 {length}, {whole}")
    for node in walk(*outputs):
        if node.op == "length" and node.value == "c":
            known[node] = loop.splat(length, "int64")
    long = [o for o in operands if "c" in o.expression.axes]
    for o in long:
        vector = f"<{loop.lanes} x {MEMORY[o.dtype]}>"
        o.buffer = loop.variable(vector, "zeroinitializer")
    counter = loop.variable("i64", "0")
    row = loop.variable("i64", "%begin")
    loop.line("br label %row")
    loop.block("row")
    at = loop.get(row)
    loop.branch(loop.raw(f"icmp ult i64 {at}, %end"), "inside", "exit")
    loop.block("inside")
    start = loop.raw(f"mul i64 {at}, {length}")
    for o in operands:
        first = "0" if o.shared else start if o in long else at
        o.row = loop.offset(o.base, loop.raw(f"mul i64 {first}, {size(o.dtype)}"))
        if o not in long and not o.result:
            known[o.expression] = loop.load_one(o.row, o.dtype)
    for node in walk(*outputs):
        if node.op == "index" and node.value == "r":
            known[node] = loop.splat(at, "int64")
    _copy_rests(loop, [o for o in long if not o.result], counter, whole, rest, "in", into=True)
    last = max(passes.values(), default=-1) + 1
    written = [o for o in long if o.result]
    loop.saved = _saved(passes, written)
    for number in range(last):
        _reductions(loop, number, [n for n, p in passes.items() if p == number], long, known, whole, rest)
    elements = [o for o in operands if o.result]
    of_row = [o for o in elements if o not in long]
    for o, value in zip(of_row, lower(loop, [o.expression for o in of_row], known), strict=True):
        _store_one(loop, value, o)
    if written:
        _prepare(loop, [o.expression for o in written], known)

        def write(values: list[Value], places: dict[Matrix, str], mask: Value) -> None:
            for o, value in zip(written, values, strict=True):
                loop.store(value, places[o])

        _pass(loop, last, [o.expression for o in written], long, known, whole, rest, write)
        _copy_rests(loop, written, counter, whole, rest, "out", into=False)
    loop.set(row, loop.raw(f"add i64 {at}, 1"))
    loop.line("br label %row")
    loop.block("exit")
    loop.line("ret void")
    loop.lines = [*loop.stack, *loop.lines]
    return finished(loop)


def _saved(passes: dict[Expression, int], written: list[Matrix]) -> dict[Expression, tuple[Matrix, int]]:
    """Values of a reduction pass that a result needs again: they are kept in the memory of that result.

    Only functions that take longer than reading their result.
    """
    saved: dict[Expression, tuple[Matrix, int]] = {}
    for o in written:
        for node in reversed([*walk(o.expression)]):
            when = [p for r, p in passes.items() if node in {*walk(*r.args)}]
            if when and node.op in HEAVY and "c" in node.axes and node.dtype == o.dtype:
                saved.setdefault(node, (o, min(when)))
                break
    return saved


def _store_one(loop: Loop, value: Value, o: Matrix) -> None:
    vector = f"<{loop.lanes} x {MEMORY[o.dtype]}>"
    name = value.name if o.dtype != "bool" else loop.raw(f"zext {value.typed} to {vector}")
    number = loop.raw(f"extractelement {vector} {name}, i32 0")
    loop.line(f"store {MEMORY[o.dtype]} {number}, ptr {o.row}, align {size(o.dtype)}")


def _copy_rests(
    loop: RowLoop, operands: list[Matrix], counter: str, whole: str, rest: str, name: str, into: bool
) -> None:
    """Copy what is left behind the whole vectors of a row into vectors on the stack, or back."""
    loop.set(counter, "0")
    loop.line(f"br label %copy_{name}")
    loop.block(f"copy_{name}")
    k = loop.get(counter)
    loop.branch(loop.raw(f"icmp ult i64 {k}, {rest}"), f"copying_{name}", f"copied_{name}")
    loop.block(f"copying_{name}")
    for o in operands:
        step = str(size(o.dtype))
        behind = loop.offset(o.row, loop.raw(f"mul i64 {whole}, {step}"))
        source, target = (behind, o.buffer) if into else (o.buffer, behind)
        loop.copy(o.dtype, source, step, target, step, k)
    loop.set(counter, loop.raw(f"add i64 {k}, 1"))
    loop.line(f"br label %copy_{name}")
    loop.block(f"copied_{name}")


def _prepare(loop: RowLoop, roots: list[Expression], known: dict[Expression, Value]) -> None:
    """Compute what is the same for a whole row once."""
    for node in walk(*roots):
        if "c" not in node.axes and node not in known and all(a in known for a in node.args):
            lower(loop, [node], known)


def _reductions(
    loop: RowLoop, number: int, nodes: list[Expression], long: list[Matrix], known: dict[Expression, Value],
    whole: str, rest: str,
) -> None:  # fmt: skip
    """One pass that computes reductions."""
    operands = [node.args[0] for node in nodes]
    _prepare(loop, operands, known)
    wide = ["float64" if node.value[0] == "sum" else node.dtype for node in nodes]
    starts = [loop.constant(REDUCTIONS[n.value[0]], d) for n, d in zip(nodes, wide, strict=True)]
    totals = [loop.variable(loop.type(d), start.name) for d, start in zip(wide, starts, strict=True)]

    def add(values: list[Value], places: dict[Matrix, str], mask: Value) -> None:
        for node, value, dtype, start, total in zip(nodes, values, wide, starts, totals, strict=True):
            part = loop.where(mask, loop.convert(value, dtype), start)
            before = Value(loop, loop.get(total, loop.type(dtype)), dtype)
            loop.set(total, join(loop, node.value[0], before, part).name, loop.type(dtype))

    _pass(loop, number, operands, long, known, whole, rest, add)
    for node, dtype, total in zip(nodes, wide, totals, strict=True):
        value = Value(loop, loop.get(total, loop.type(dtype)), dtype)
        known[node] = loop.convert(loop.across(node.value[0], value), node.dtype)


def _pass(
    loop: RowLoop, number: int, roots: list[Expression], long: list[Matrix], known: dict[Expression, Value],
    whole: str, rest: str, use: object,
) -> None:  # fmt: skip
    """Compute expressions for the vectors of a row, then for the vectors on the stack that hold the rest."""
    segment, place = loop.variable("i64", "0"), loop.variable("i64", "0")
    loop.set(segment, "0")
    p = f"p{number}"
    loop.line(f"br label %{p}_segment")
    loop.block(f"{p}_segment")
    first = loop.raw(f"icmp eq i64 {loop.get(segment)}, 0")
    some = loop.raw(f"icmp ne i64 {rest}, 0")
    more = loop.raw(f"select i1 {some}, i64 {loop.lanes}, i64 0")
    count = loop.raw(f"select i1 {first}, i64 {whole}, i64 {more}")
    limit = loop.raw(f"select i1 {first}, i64 {loop.lanes}, i64 {rest}")
    mask = loop.iota("int32") < loop.splat(loop.raw(f"trunc i64 {limit} to i32"), "int32")
    starts = {o: loop.raw(f"select i1 {first}, ptr {o.row}, ptr {o.buffer}") for o in long}
    offset = loop.raw(f"select i1 {first}, i64 0, i64 {whole}")
    loop.set(place, "0")
    loop.line(f"br label %{p}_next")
    loop.block(f"{p}_next")
    i = loop.get(place)
    loop.branch(loop.raw(f"icmp ult i64 {i}, {count}"), f"{p}_body", f"{p}_end")
    loop.block(f"{p}_body")
    inner = dict(known)
    needed = {*walk(*roots)}
    places = {o: loop.offset(starts[o], loop.raw(f"mul i64 {i}, {size(o.dtype)}")) for o in long}
    for o in long:
        if not o.result and o.expression in needed:
            inner[o.expression] = loop.load(places[o], o.dtype)
    for node, (o, when) in loop.saved.items():
        if when < number and node in needed:
            inner[node] = loop.load(places[o], o.dtype)
    for node in needed:
        if node.op == "index" and node.value == "c":
            inner[node] = loop.splat(loop.raw(f"add i64 {i}, {offset}"), "int64") + loop.iota("int64")
    values = lower(loop, roots, inner)
    for node, (o, when) in loop.saved.items():
        if when == number:
            loop.store(inner[node], places[o])
    use(values, places, mask)  # type: ignore[operator]
    loop.set(place, loop.raw(f"add i64 {i}, {loop.lanes}"))
    loop.line(f"br label %{p}_next")
    loop.block(f"{p}_end")
    loop.set(segment, loop.raw(f"add i64 {loop.get(segment)}, 1"))
    loop.branch(loop.raw(f"icmp ult i64 {loop.get(segment)}, 2"), f"{p}_segment", f"{p}_done")
    loop.block(f"{p}_done")


BLOCK = 64
"""The rows that are added up before anything else is."""


def columns(inputs: Sequence[Expression], outputs: Sequence[Expression]) -> tuple[str, str]:
    """The name and the text of a function that sums over rows, in blocks of :data:`BLOCK`.

    Its range is one of blocks. Its words are: the addresses of the arrays, and of one array of float64 for each result,
    with a row for each block; the scalars, the number of rows, the length of a row, which is at least that of a vector.

    Args:
        inputs: as for :func:`rows`.
        outputs: what is added up.
    """
    loop = RowLoop(lanes_for(*outputs, *inputs), Text())
    arrays = [v for v in inputs if v.axes]
    operands = [Matrix(f"a{i}", v, v.dtype, False) for i, v in enumerate(arrays)]
    for i, o in enumerate(operands):
        o.base = loop.raw(f"inttoptr i64 {loop.word(i)} to ptr")
    results = [loop.raw(f"inttoptr i64 {loop.word(len(operands) + i)} to ptr") for i in range(len(outputs))]
    at = len(operands) + len(results)
    scalars = [v for v in inputs if not v.axes]
    known = {v: loop.scalar(at + i, v.dtype) for i, v in enumerate(scalars)}
    count, length = loop.word(at + len(scalars)), loop.word(at + len(scalars) + 1)
    most = loop.raw(f"sub i64 {length}, {loop.lanes}")
    block, column, row = (loop.variable("i64", value) for value in ("%begin", "0", "0"))
    totals = [loop.variable(loop.type("float64"), "zeroinitializer") for _ in outputs]
    loop.line("br label %block")
    loop.block("block")
    b = loop.get(block)
    loop.set(column, "0")
    loop.branch(loop.raw(f"icmp ult i64 {b}, %end"), "columns", "exit")
    loop.block("columns")
    # the last vector begins where it ends with the row: some columns are added up twice, to the same result
    j = loop.raw(f"call i64 @llvm.umin.i64(i64 {loop.get(column)}, i64 {most})")
    loop.module.declare("declare i64 @llvm.umin.i64(i64, i64)")
    first = loop.raw(f"mul i64 {b}, {BLOCK}")
    after = loop.raw(f"add i64 {first}, {BLOCK}")
    last = loop.raw(f"call i64 @llvm.umin.i64(i64 {after}, i64 {count})")
    loop.set(row, first)
    for total in totals:
        loop.set(total, "zeroinitializer", loop.type("float64"))
    inner = dict(known)
    for o in operands:
        if o.shared:
            inner[o.expression] = loop.load(loop.offset(o.base, loop.raw(f"mul i64 {j}, {size(o.dtype)}")), o.dtype)
    loop.line("br label %rows")
    loop.block("rows")
    r = loop.get(row)
    loop.branch(loop.raw(f"icmp ult i64 {r}, {last}"), "element", "sums")
    loop.block("element")
    line = loop.raw(f"mul i64 {r}, {length}")
    start = loop.raw(f"add i64 {line}, {j}")
    for o in operands:
        if not o.shared:
            whole = "c" in o.expression.axes
            place = loop.offset(o.base, loop.raw(f"mul i64 {start if whole else r}, {size(o.dtype)}"))
            inner[o.expression] = loop.load(place, o.dtype) if whole else loop.load_one(place, o.dtype)
    for value, total in zip(lower(loop, outputs, inner), totals, strict=True):
        before = Value(loop, loop.get(total, loop.type("float64")), "float64")
        loop.set(total, (before + loop.convert(value, "float64")).name, loop.type("float64"))
    loop.set(row, loop.raw(f"add i64 {r}, 1"))
    loop.line("br label %rows")
    loop.block("sums")
    line = loop.raw(f"mul i64 {b}, {length}")
    place = loop.raw(f"mul i64 {loop.raw(f'add i64 {line}, {j}')}, 8")
    for base, total in zip(results, totals, strict=True):
        loop.store(Value(loop, loop.get(total, loop.type("float64")), "float64"), loop.offset(base, place))
    loop.set(column, loop.raw(f"add i64 {loop.get(column)}, {loop.lanes}"))
    loop.branch(loop.raw(f"icmp ult i64 {loop.get(column)}, {length}"), "columns", "others")
    loop.block("others")
    loop.set(block, loop.raw(f"add i64 {b}, 1"))
    loop.line("br label %block")
    loop.block("exit")
    loop.line("ret void")
    loop.lines = [*loop.stack, *loop.lines]
    return finished(loop)
