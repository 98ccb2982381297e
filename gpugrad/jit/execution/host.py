"""Run a program on arrays of NumPy: one generated function that calls machine code, and NumPy for all else.

Values that are made and used inside lie in one arena, whose offsets are planned. Calls that have records
(:mod:`.lowering`) are run by one call of machine code as long as no other one comes between. Calls of NumPy's functions
write to where their result is to be, if they can. What neither is possible for, a function of NumPy or a kernel makes.
"""

from __future__ import annotations

import builtins
import ctypes
from collections.abc import Callable, Sequence
from struct import Struct
from types import CodeType, FunctionType
from typing import Any

import numpy

from ... import backend
from ...backend import as_dtype, llvm, threads
from ...kernels.compiled import FLAT, address
from ...tracing.program import Call, Program, Scalar, Value, leaves, resolved
from ..passes.effects import read
from ..passes.formulas import OPERATORS
from ..places import Place, Places
from ..planning import Block, Plan, planned
from .lowering import lowered
from .native import Laid, Record, Tape, Word, runner
from .records import Lying, copy_record

Array = numpy.ndarray[Any, Any]

REDUCING = frozenset({"sum", "prod", "max", "min", "amax", "amin", "mean", "any", "all"})
"""Functions beside ufuncs that take ``out``."""


class UnplannedError(Exception):
    """The arrays of a call are not as the plan has them: not contiguous, or overlapping."""


class Host:
    """What is known of a program before it is run: where its values lie, and the text of its function.

    Attributes:
        plan: of the arena.
        records: how many calls of machine code there are.
        others: what is called of NumPy and of kernels, in order.
    """

    def __init__(self, program: Program) -> None:
        self.program = program
        self.places = Places(program)
        self.of = Lying(self.places.of)
        self.inputs = {one.value.number: i for i, one in enumerate(program.inputs)}
        self.written = sorted({self.inputs[r] for c in program.calls for v in c.changes
                               if (r := self.of[v.number].root) in self.inputs})  # fmt: skip
        self._refuse_moved()
        self.steps: list[tuple[Call, list[Record] | None]] = []
        self.beside: dict[int, int] = {}
        """The memories that the records of one call need, and of which."""
        for call in program.calls:
            if len(call.results) == 1 and self.of[call.results[0].number].root != call.results[0].number:
                continue
            self.steps.append((call, lowered(call, program, self.of)))
            self.beside |= dict.fromkeys(self.of.added, len(self.steps) - 1)
            self.of.added.clear()
        self._kinds()
        self._lifetimes()
        self._write()

    def _refuse_moved(self) -> None:
        """See that nothing is written through what is a view in the program and a copy here, or the other way round."""
        changed = {self.of[v.number].root for call in self.program.calls for v in call.changes}
        for number in self.places.moved:
            if self.of[number].root in changed:
                raise UnplannedError(f"%{number} is a view in one layout and a copy in another, and is written to")

    # ---------------------------------------------------------------- where memories lie

    def _kinds(self) -> None:
        """Which memories are results that are returned, and which are made by functions of NumPy."""
        self.made: set[int] = set()
        for call, records in self.steps:
            if records is None and not self._writes_out(call):
                self.made |= {value.number for value in call.results}
        self.kept: dict[int, None] = {}
        self.copies: list[tuple[int, Place]] = []
        """Outputs that are copied at the end: which, and from where."""
        taken: set[int] = set()
        for i, value in enumerate(self.program.outputs):
            place = self.of[value.number]
            root = place.root
            small = 2 * place.nbytes < self.of[root].nbytes
            if root in self.inputs or root in taken or small:
                self.copies.append((i, place))
                continue
            taken.add(root)
            if root not in self.made:
                self.kept[root] = None

    def _writes_out(self, call: Call) -> bool:
        """Whether a function of NumPy can be told where to put its result."""
        if len(call.results) != 1 or call.changes or call.op.startswith(("kernel.", "random.")):
            return False
        function = ufunc(call.op)
        if function is None:
            return call.op in REDUCING and not ({*call.kwargs} - {"axis", "keepdims", "dtype"})
        return function.nout == 1 and not call.kwargs

    def _lifetimes(self) -> None:
        """Plan the arena."""
        first: dict[int, int] = {}
        last: dict[int, int] = {}
        for step, (call, _) in enumerate(self.steps):
            for value in (*call.results, *read(call), *call.changes):
                root = self.of[value.number].root
                first.setdefault(root, step)
                last[root] = step
        for root, step in self.beside.items():
            first[root] = last[root] = step
        for _, place in self.copies:
            last[place.root] = len(self.steps)
        self.last = last
        inside = [r for r in first if r not in self.inputs and r not in self.kept and r not in self.made]
        joined = self._joined(first, last, {*inside})
        owner = {root: joined.get(root, root) for root in inside}
        for root in inside:  # chains of results in the place of operands
            while owner[root] in joined:
                owner[root] = joined[owner[root]]
        blocks: dict[int, Block] = {}
        for root in inside:
            own = owner[root]
            known = blocks.get(own)
            span = (first[root], last[root]) if known is None else (
                min(known.first, first[root]), max(known.last, last[root]))  # fmt: skip
            blocks[own] = Block(self.of[root].nbytes, *span)
        self.plan: Plan = planned([*blocks.values()])
        at = dict(zip(blocks, self.plan.offsets, strict=True))
        self.arena = {root: at[owner[root]] for root in inside}

    def _joined(self, first: dict[int, int], last: dict[int, int], inside: set[int]) -> dict[int, int]:
        """Results that lie where an operand lay, of calls that read and write element by element."""
        joined: dict[int, int] = {}
        for step, (call, records) in enumerate(self.steps):
            if records is None or len(records) != 1 or not records[0].elementwise or call.changes:
                continue
            words = [w for w in records[0].words if isinstance(w, Place)]
            results = [v.number for v in call.results if v.number in inside]
            free: dict[int, list[Place]] = {}
            for place in words:
                if place.root in inside and last[place.root] == step and place.root not in results:
                    free.setdefault(place.root, []).append(place)
            for number in results:
                whole = self.of[number]
                for root, seen in free.items():
                    alike = all(p == whole._replace(root=root) for p in seen)
                    if alike and first[root] < step and self.of[root].nbytes == whole.nbytes:
                        joined[number] = root
                        del free[root]
                        break
        return joined

    # ---------------------------------------------------------------- the function

    def slot(self, word: Any) -> tuple[int | None, int]:
        """See :meth:`Tape.add`."""
        if isinstance(word, Word):
            return self._slots.setdefault(("scalar", word.scalar), len(self._slots)), 0
        if word.root in self.arena:
            return None, self.arena[word.root] + word.offset
        return self._slots.setdefault(("memory", word.root), len(self._slots)), word.offset

    def _write(self) -> None:
        self._slots: dict[tuple[str, int], int] = {}
        self.tape = Tape()
        self.constants: dict[str, Any] = {"numpy": numpy, "empty": numpy.empty, "own": own, "threads": threads,
                                          "address": address, "UnplannedError": UnplannedError}  # fmt: skip
        self.arena_values: dict[tuple[int, Place], str] = {}
        self.input_values: dict[int, dict[Place, str]] = {}
        self.others: list[str] = []
        self.segments: dict[str, tuple[int, int]] = {}
        body: list[Any] = []
        segment: list[Record] = []
        compiles = llvm.machine() is not None
        copies = [(i, p, copy_record(p, self._fresh(i)) if compiles else None) for i, p in self.copies]
        self._after: dict[int, list[int]] = {}
        for root, step in self.last.items():
            if root in self.made:
                self._after.setdefault(step, []).append(root)
        outputs = {self.of[v.number].root for v in self.program.outputs}
        for step, (call, records) in enumerate(self.steps):
            if records is not None:
                segment += records
            else:
                self._end_segment(segment, body)
                body += self._python(call)
            gone = [r for r in self._after.get(step, ()) if r not in outputs]
            if gone:
                self._end_segment(segment, body)
                body += [f"m{r} = None" for r in gone]
        for i, _, made in copies:
            if made is not None:
                segment += [r._replace(words=tuple(w._replace(root=~i) if w == self._fresh(i) else w for w in r.words))
                            for r in made]  # fmt: skip
        self._end_segment(segment, body)
        for i, place, made in copies:
            if made is None:
                body.append(f"numpy.copyto(c{i}, {self._array_at(place)})")
        self._assemble(body)

    def _fresh(self, i: int) -> Place:
        """The place of an output that is a copy: in a memory of its own, whose number is negative."""
        place = self.of[self.program.outputs[i].number]
        size = as_dtype(place.dtype).itemsize
        step = size
        strides: list[int] = []
        for n in reversed(place.shape):
            strides.insert(0, step)
            step *= n
        return Place(~i, 0, place.shape, tuple(strides), place.dtype)

    def _end_segment(self, segment: list[Record], body: list[Any]) -> None:
        if not segment:
            return
        tape = self.tape
        begin = len(tape.records)
        moves = len(tape.moves)
        tape.records.append((-1, 0, 0, 0))
        tape.steps.append(1)
        for record in segment:
            tape.add(record, self.slot)
        tape.records[begin] = (-1, 0, moves, len(tape.moves))
        end = len(tape.records)
        large = any(r.end >= 2 * r.step for r in segment)
        name = f"g{len(self.segments)}"
        self.segments[name] = begin, end
        call = f"native({name})"
        body.append(f"{call} if threads._threads == 1 else shared({begin}, {end})" if large else call)
        segment.clear()

    def _python(self, call: Call) -> list[Any]:
        """The lines of a call of NumPy or of a kernel."""
        self.others.append(call.op)
        function = ufunc(call.op)
        out = self._writes_out(call)
        if function is None:
            function = self.program._function(call.op, backend.BACKENDS[numpy.ndarray])
        name = f"f{len(self.constants)}"
        self.constants[name] = function
        given = [self._text(a) for a in call.args]
        given += [f"{k}={self._text(v)}" for k, v in call.kwargs.items()]
        if out:
            return [f"{name}({', '.join([*given, f'out={self._array_at(self.of[call.results[0].number])}'])})"]
        text = f"{name}({', '.join(given)})"
        if not call.results:
            return [text]
        names = [f"m{v.number}" for v in call.results]
        copy = ", True" if call.view else ""
        lines: list[Any] = [f"{names[0]} = own({text}, low, high{copy})"]
        if len(names) > 1:
            self.constants["flattened"] = flattened
            lines = [f"{', '.join(names)}, = flattened({text}, {len(names)}, low, high{copy})"]
        for value, variable in zip(call.results, names, strict=True):
            lines.append(("slot", value.number, variable))
        return lines

    def _text(self, value: Any) -> str:
        """An argument in the text of the function."""
        if type(value) is Value:
            return self._array_at(self.of[value.number])
        if type(value) is Scalar:
            return f"scalars[{value.number}]"
        if isinstance(value, tuple | list) and not hasattr(value, "_fields"):
            inner = ", ".join(map(self._text, value)) + "," * (isinstance(value, tuple) and len(value) == 1)
            return f"({inner})" if isinstance(value, tuple) else f"[{inner}]"
        if isinstance(value, dict):
            return "{" + ", ".join(f"{k!r}: {self._text(v)}" for k, v in value.items()) + "}"
        if isinstance(value, slice):
            return f"slice({', '.join(map(self._text, (value.start, value.stop, value.step)))})"
        if value is None or type(value) in (bool, int, str):
            return repr(value)
        name = f"k{len(self.constants)}"
        self.constants[name] = value
        return name

    def _array_at(self, place: Place) -> str:
        """An array in the text of the function: what lies in the arena is there already, all else is made."""
        root = place.root
        key = (root, place)
        if root in self.arena:
            name = self.arena_values.setdefault(key, f"a{len(self.arena_values)}")
            return name
        base = f"m{root}"
        if place == self.of[root]:
            return base
        if root in self.inputs:
            views = self.input_values.setdefault(root, {})
            return views.setdefault(place, f"w{root}_{len(views)}")
        name = f"k{len(self.constants)}"
        self.constants[name] = place.on
        return f"{name}({base})"

    def _assemble(self, body: list[Any]) -> None:
        """The text of the function, and its code."""
        program = self.program
        lines = ["def run(arrays, scalars):"]
        captured = [i for i, one in enumerate(program.inputs) if one.name in ("captured", "constant")]
        slots = self._sorted_slots({program.inputs[i].value.number for i in captured})
        kept = [(key[1], at) for key, at in slots.items() if key[0] == "memory" and key[1] not in self.made]
        numbers = [(key[1], at) for key, at in slots.items() if key[0] == "scalar"]
        names = [f"m{one.value.number}" for one in program.inputs]
        if names:
            lines.append(f"    {', '.join(names)}, = arrays")
        found: set[int] = set()
        """The inputs whose addresses are in the table already."""
        for i, one in enumerate(program.inputs):
            number = one.value.number
            spec = program.specs[number]
            views = self.input_values.get(number, {})
            self.constants[f"s{number}"], self.constants[f"d{number}"] = spec.shape, as_dtype(spec.dtype)
            name = f"m{number}"
            same = f"{name}.shape == s{number} and {name}.dtype == d{number} and {name}.flags.num & {FLAT} == {FLAT}"
            inner = [f"if not ({same}): raise UnplannedError"]
            for part, view in views.items():
                self.constants[f"on_{view}"] = part.on
                inner.append(f"{view} = on_{view}(m{number})")
            if i in captured:
                lines.insert(1, f"    global {', '.join([f'p{number}', f'i{number}', *views.values()])}")
                self.constants[f"p{number}"] = None
                inner += [f"i{number} = address(m{number})", f"p{number} = m{number}"]
                if ("memory", number) in slots:
                    inner.append(f"table_words[{slots['memory', number]}] = i{number}")
                    found.add(number)
                lines += [f"    if m{number} is not p{number}:", *(f"        {line}" for line in inner)]
            else:
                lines += [f"    {line}" for line in inner]
                lines.append(f"    i{number} = address(m{number})")
        if self.written and len(program.inputs) > 1:
            lines.insert(1, "    global places")
            self.constants["places"] = None
            self.constants["apart"] = self.apart
            given = ", ".join(f"i{one.value.number}" for one in program.inputs)
            lines += [f"    now = ({given},)", "    if now != places:", "        apart(now)", "        places = now"]
        for root in self.kept:
            self.constants[f"s{root}"], self.constants[f"d{root}"] = self.of[root].shape, as_dtype(self.of[root].dtype)
            lines.append(f"    m{root} = empty(s{root}, d{root})")
        for i, place in self.copies:
            self.constants[f"sc{i}"], self.constants[f"dc{i}"] = place.shape, as_dtype(place.dtype)
            lines.append(f"    c{i} = empty(sc{i}, dc{i})")
        words, values = [], []
        for root, at in kept:
            if root in found:
                continue
            words.append((at, "Q"))
            made = f"address(c{~root})" if root < 0 else f"address(m{root})"
            values.append(f"i{root}" if root in self.inputs else made)
        for number, at in numbers:
            words.append((at, "d"))
            values.append(f"scalars[{number}]")
        if words:
            pairs = sorted(zip(words, values, strict=True), key=lambda pair: pair[0][0])
            assert [at for (at, _), _ in pairs] == [*range(len(pairs))]
            self.constants["pack"] = Struct("<" + "".join(letter for (_, letter), _ in pairs)).pack_into
            lines.append(f"    pack(table, 0, {', '.join(value for _, value in pairs)})")
        for line in body:
            if isinstance(line, tuple):
                _, number, variable = line
                if ("memory", number) in slots:
                    lines.append(f"    table_words[{slots['memory', number]}] = address({variable})")
            else:
                lines.append(f"    {line}")
        copied = {i for i, _ in self.copies}
        results = [f"c{i}" if i in copied else self._array_at(self.of[v.number]) for i, v in enumerate(program.outputs)]
        lines.append(f"    return [{', '.join(results)}]")
        self.text = "\n".join(lines)
        module = compile(self.text, "<program>", "exec")
        self.code: CodeType = next(c for c in module.co_consts if isinstance(c, CodeType))

    def _sorted_slots(self, captured: set[int]) -> dict[tuple[str, int], int]:
        """The slots, those first that are written at each call, side by side."""
        rare = {key for key in self._slots if key[0] == "memory" and (key[1] in captured or key[1] in self.made)}
        order = sorted(self._slots, key=lambda key: (key in rare, self._slots[key]))
        moved = {self._slots[key]: at for at, key in enumerate(order)}
        self.tape.moves = [(word, moved[slot], offset) for word, slot, offset in self.tape.moves]
        return {key: at for at, key in enumerate(order)}

    def apart(self, now: Sequence[int]) -> None:
        """See that no input that is written to overlaps another one.

        Raises:
            UnplannedError: one does.
        """
        sizes = [self.of[one.value.number].nbytes for one in self.program.inputs]
        for i in self.written:
            for k, (start, size) in enumerate(zip(now, sizes, strict=True)):
                if k != i and size and sizes[i] and start < now[i] + sizes[i] and now[i] < start + size:
                    raise UnplannedError("inputs overlap, and are written to")

    def frame(self) -> Callable[[Sequence[Array], Sequence[Any]], list[Array]]:
        """The function with an arena of its own, which one thread at a time may call."""
        nbytes = self.plan.nbytes
        whole = numpy.empty(nbytes + 64, "u1")
        start = -address(whole) % 64
        arena = whole[start : start + nbytes]
        low = address(whole) + start
        names: dict[str, Any] = dict(self.constants, low=low, high=low + nbytes, arena=arena, __builtins__=builtins)
        for (root, place), name in self.arena_values.items():
            moved = place._replace(offset=place.offset + self.arena[root])
            names[name] = moved.on(arena) if place.size else numpy.empty(place.shape, as_dtype(place.dtype))
        if self.tape.records:
            laid = Laid(self.tape, low, len(self._slots))
            names |= {"native": runner(), "laid": laid, "shared": shared(laid, self.tape)}
            names |= {name: laid.segment(*ends) for name, ends in self.segments.items()}
            names["table"] = memoryview(laid.table.data).cast("B")
            names["table_words"] = laid.table
        return FunctionType(self.code, names)


def shared(laid: Laid, tape: Tape) -> Callable[[int, int], None]:
    """Run records with several threads: the large ones are shared out, those between run as they are."""
    native = runner()
    prototype = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_int64, ctypes.c_int64)
    words = address(laid.words)
    large = {
        i: (prototype(function), words + 8 * at, end, step)
        for i, ((function, at, _, end), step) in enumerate(zip(tape.records, tape.steps, strict=True))
        if function != -1 and end >= 2 * step
    }

    between: dict[tuple[int, int], int] = {}

    def some(begin: int, end: int) -> None:
        if begin < end:
            if (begin, end) not in between:
                between[begin, end] = laid.segment(begin, end)
            native(between[begin, end])

    def run(begin: int, end: int) -> None:
        for i in range(begin, end):
            if i in large:
                some(begin, i)
                threads.share_out(*large[i])
                begin = i + 1
        some(begin, end)

    return run


def ufunc(op: str) -> Any:
    """NumPy's ufunc of a call; None if it is another function."""
    if op.startswith("kernel."):
        return None
    kind, _, name = op.partition(".")
    try:
        found = resolved(OPERATORS.get(name, name) if kind == "operator" else op, numpy)
    except AttributeError:
        return None
    return found if isinstance(found, numpy.ufunc) else None


def own(result: Any, low: int, high: int, copy: bool = False) -> Array:
    """A result as a contiguous array that is no part of the arena."""
    array = result if type(result) is numpy.ndarray else numpy.asarray(result)
    if copy or array.flags.num & FLAT != FLAT or low <= address(array) < high:
        return array.copy()
    return array


def flattened(results: Any, count: int, low: int, high: int, copy: bool = False) -> list[Any]:
    """Several results, as :func:`own`; None for what is not there."""
    found = [None if r is None else own(r, low, high, copy) for r in leaves(results)]
    return [*found, *[None] * (count - len(found))][:count]
