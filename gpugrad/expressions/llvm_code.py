"""LLVM IR as text: values with Python's operators, which write one instruction each.

All values of a function are vectors of the same number of elements (``lanes``), so that a loop is vectorized as it is
written. LLVM splits vectors that are longer than the machine's registers.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Callable
from typing import Any

from .node import BITS, DTYPES

ELEMENTS = {
    "bool": "i1", "int8": "i8", "int16": "i16", "int32": "i32", "int64": "i64", "uint8": "i8", "uint16": "i16",
    "uint32": "i32", "uint64": "i64", "float16": "half", "bfloat16": "i16", "float32": "float", "float64": "double",
}  # fmt: skip
"""The type of an element in a register. bfloat16 is converted by its bits (:func:`widened`, :func:`narrowed`)."""

COMPARISONS = {"eq": ("oeq", "eq", "eq"), "ne": ("une", "ne", "ne"), "lt": ("olt", "slt", "ult"),
               "le": ("ole", "sle", "ule"), "gt": ("ogt", "sgt", "ugt"), "ge": ("oge", "sge", "uge")}  # fmt: skip


class Value:
    """A vector in a register of a function."""

    __slots__ = ("code", "dtype", "name")

    def __init__(self, code: Code, name: str, dtype: str) -> None:
        self.code = code
        self.name = name
        self.dtype = dtype

    @property
    def kind(self) -> str:
        """Of the dtype: ``f``, ``i``, ``u`` or ``b``."""
        return DTYPES[self.dtype]

    @property
    def typed(self) -> str:
        """The value with its type, as an operand."""
        return f"{self.code.type(self.dtype)} {self.name}"

    def _operator(self, floating: str, integer: str, other: Any, swapped: bool = False) -> Value:
        left, right = self, self.code.like(other, self)
        if swapped:
            left, right = right, left
        return self.code.emit(f"{floating if self.kind == 'f' else integer} {left.typed}, {right.name}", self.dtype)

    def __add__(self, other: Any) -> Value:
        return self._operator("fadd", "add", other)

    def __radd__(self, other: Any) -> Value:
        return self._operator("fadd", "add", other, swapped=True)

    def __sub__(self, other: Any) -> Value:
        return self._operator("fsub", "sub", other)

    def __rsub__(self, other: Any) -> Value:
        return self._operator("fsub", "sub", other, swapped=True)

    def __mul__(self, other: Any) -> Value:
        return self._operator("fmul", "mul", other)

    def __rmul__(self, other: Any) -> Value:
        return self._operator("fmul", "mul", other, swapped=True)

    def __truediv__(self, other: Any) -> Value:
        return self._operator("fdiv", "sdiv", other)

    def __rtruediv__(self, other: Any) -> Value:
        return self._operator("fdiv", "sdiv", other, swapped=True)

    def __and__(self, other: Any) -> Value:
        return self._operator("", "and", other)

    def __or__(self, other: Any) -> Value:
        return self._operator("", "or", other)

    def __xor__(self, other: Any) -> Value:
        return self._operator("", "xor", other)

    def __lshift__(self, other: Any) -> Value:
        return self._operator("", "shl", other)

    def __rshift__(self, other: Any) -> Value:
        return self._operator("", "ashr" if self.kind == "i" else "lshr", other)

    def __invert__(self) -> Value:
        return self._operator("", "xor", True if self.dtype == "bool" else -1)

    def __neg__(self) -> Value:
        return self.code.emit(f"fneg {self.typed}", self.dtype) if self.kind == "f" else 0 - self

    def compare(self, how: str, other: Any) -> Value:
        """A vector of bool; comparisons with NaN are false, except ``ne``."""
        floating, signed, unsigned = COMPARISONS[how]
        right = self.code.like(other, self)
        word = f"fcmp {floating}" if self.kind == "f" else f"icmp {signed if self.kind == 'i' else unsigned}"
        return self.code.emit(f"{word} {self.typed}, {right.name}", "bool")

    def __lt__(self, other: Any) -> Value:
        return self.compare("lt", other)

    def __le__(self, other: Any) -> Value:
        return self.compare("le", other)

    def __gt__(self, other: Any) -> Value:
        return self.compare("gt", other)

    def __ge__(self, other: Any) -> Value:
        return self.compare("ge", other)

    def equals(self, other: Any) -> Value:
        return self.compare("eq", other)

    def bits(self) -> Value:
        """The same bits as an integer; those of an integer as a number."""
        other = {"float32": "int32", "float64": "int64", "int32": "float32", "int64": "float64"}[self.dtype]
        return self.code.view(self, other)


class Code:
    """The instructions of one function, and the other functions that they call.

    Args:
        lanes: the number of elements of all vectors.
        module: where the functions are kept that this one calls.
    """

    def __init__(self, lanes: int, module: Module) -> None:
        self.lanes = lanes
        self.module = module
        self.lines: list[str] = []
        self.count = 0

    def type(self, dtype: str) -> str:
        """The type of a vector."""
        return f"<{self.lanes} x {ELEMENTS[dtype]}>"

    def fresh(self) -> str:
        """A new name."""
        self.count += 1
        return f"%v{self.count}"

    def emit(self, instruction: str, dtype: str) -> Value:
        """Write an instruction and give its result."""
        name = self.fresh()
        self.lines.append(f"  {name} = {instruction}")
        return Value(self, name, dtype)

    def constant(self, value: float, dtype: str) -> Value:
        """The same number in each element."""
        element = ELEMENTS[dtype]
        return Value(self, f"splat ({element} {literal(value, dtype)})", dtype)

    def like(self, value: Any, other: Value) -> Value:
        """A Python number as a vector of the dtype of another; a vector as it is."""
        return value if isinstance(value, Value) else self.constant(value, other.dtype)

    def where(self, mask: Value, a: Any, b: Any) -> Value:
        """``a`` where the mask is true, else ``b``."""
        first = a if isinstance(a, Value) else b if isinstance(b, Value) else mask
        a, b = self.like(a, first), self.like(b, first)
        return self.emit(f"select {mask.typed}, {a.typed}, {b.typed}", a.dtype)

    def view(self, x: Value, dtype: str) -> Value:
        """The bits of ``x`` as another dtype of the same size."""
        if ELEMENTS[x.dtype] == ELEMENTS[dtype]:
            return Value(self, x.name, dtype)
        return self.emit(f"bitcast {x.typed} to {self.type(dtype)}", dtype)

    def intrinsic(self, name: str, *arguments: Value) -> Value:
        """A function that LLVM knows, of vectors of one dtype, such as ``sqrt``."""
        first = arguments[0]
        vector = self.type(first.dtype)
        short = {"float": "f32", "double": "f64"}.get(ELEMENTS[first.dtype], ELEMENTS[first.dtype])
        full = f"@llvm.{name}.v{self.lanes}{short}"
        self.module.declare(f"declare {vector} {full}({', '.join([vector] * len(arguments))})")
        return self.emit(f"call {vector} {full}({', '.join(a.typed for a in arguments)})", first.dtype)

    def fma(self, a: Any, b: Any, c: Any) -> Value:
        """``a b + c``, rounded once where the machine can."""
        first = next(v for v in (a, b, c) if isinstance(v, Value))
        return self.intrinsic("fmuladd", *(self.like(v, first) for v in (a, b, c)))

    def polynomial(self, x: Value, coefficients: tuple[float, ...]) -> Value:
        """Horner's scheme, highest power first."""
        result: Any = coefficients[0]
        for c in coefficients[1:]:
            result = self.fma(result, x, c)
        return result  # type: ignore[no-any-return]

    def abs(self, x: Value) -> Value:
        return self.intrinsic("fabs", x)

    def copysign(self, x: Value, sign: Value) -> Value:
        return self.intrinsic("copysign", x, sign)

    def rarely(self, mask: Value, usual: Value, compute: Callable[[], Value]) -> Value:
        """``usual``, and where an element of the mask is true, the whole vector that ``compute`` writes.

        This ends a block of instructions, and stands in functions of their own (:meth:`call`) at the end.
        """
        vector = self.type("bool")
        self.module.declare(f"declare i1 @llvm.vector.reduce.or.v{self.lanes}i1({vector})")
        some = self.emit(f"call i1 @llvm.vector.reduce.or.v{self.lanes}i1({mask.typed})", "bool")
        self.lines += [f"  br i1 {some.name}, label %rare, label %done", "rare:"]
        other = compute()
        self.lines += ["  br label %done", "done:"]
        return self.emit(f"phi {self.type(usual.dtype)} [{usual.name}, %entry], [{other.name}, %rare]", usual.dtype)

    def call(self, function: Callable[..., Value], *arguments: Value) -> Value:
        """Call a function ``f(code, *values)``, which is written once for these dtypes."""
        return self.module.call(self, function, arguments)

    def convert(self, x: Value, dtype: str) -> Value:
        """Convert between dtypes as NumPy does; to bool: whether it is not 0.

        Numbers that an integer dtype cannot hold become some integer.
        """
        if x.dtype == dtype:
            return x
        if x.dtype == "bfloat16":
            return self.convert(widened(self, x), dtype)
        if dtype == "bfloat16":
            return narrowed(self, self.convert(x, "float32"))
        if dtype == "bool":
            return x.compare("ne", 0)
        target, floating = self.type(dtype), DTYPES[dtype] == "f"
        if x.kind == "f" and floating:
            word = "fpext" if BITS[x.dtype] < BITS[dtype] else "fptrunc"
        elif x.kind == "f":
            signed = self.type("int64" if DTYPES[dtype] == "i" else dtype)
            word = "fptosi" if DTYPES[dtype] == "i" else "fptoui"
            wide = "int64" if DTYPES[dtype] == "i" and BITS[dtype] < 64 else dtype
            y = self.emit(f"{word} {x.typed} to {signed if wide == 'int64' else target}", wide)
            return self.convert(self.emit(f"freeze {y.typed}", wide), dtype)
        elif floating:
            word = "sitofp" if x.kind == "i" else "uitofp"
        elif BITS[dtype] == BITS[x.dtype] and x.dtype != "bool":
            return self.view(x, dtype)
        elif BITS[dtype] < BITS[x.dtype]:
            word = "trunc"
        else:
            word = "sext" if x.kind == "i" else "zext"
        return self.emit(f"{word} {x.typed} to {target}", dtype)


def widened(code: Code, x: Value) -> Value:
    """A bfloat16 in float32: its bits are the upper half."""
    wide = code.emit(f"zext {x.typed} to {code.type('int32')}", "int32")
    return (wide << 16).bits()


def narrowed(code: Code, x: Value) -> Value:
    """A float32 rounded to the nearest bfloat16, ties to even; a NaN stays one.

    The machine's instruction is not used because it flushes subnormal numbers to 0.
    """
    bits = code.view(x, "uint32")
    rounded = (bits + 0x7FFF + ((bits >> 16) & 1)) >> 16
    result = code.where(x.equals(x), rounded, (bits >> 16) | 0x40)
    return code.emit(f"trunc {result.typed} to {code.type('bfloat16')}", "bfloat16")


def literal(value: float, dtype: str) -> str:
    """A number in LLVM's text.

    >>> literal(1, "int32"), literal(0.1, "float32"), literal(True, "bool")
    ('1', '0x3FB99999A0000000', 'true')
    """
    if dtype == "bool":
        return "true" if value else "false"
    if DTYPES[dtype] != "f":
        return str(int(value))
    if math.isnan(value):
        return "0x7FF8000000000000"
    number = float(value)
    if dtype == "float32":
        try:
            number = struct.unpack("f", struct.pack("f", number))[0]
        except OverflowError:
            number = math.copysign(math.inf, number)
    return f"0x{struct.unpack('Q', struct.pack('d', number))[0]:016X}"


ATTRIBUTES = 'attributes #{} = {{ nounwind {} "prefer-vector-width"="512" "min-legal-vector-width"="512" }}'


class Module:
    """The text of a module: functions that others call, and declarations."""

    def __init__(self) -> None:
        self._declared: dict[str, None] = {}
        self._functions: dict[Any, tuple[str, Any]] = {}
        self._text: list[str] = []

    def declare(self, line: str) -> None:
        """Add a declaration, once."""
        self._declared[line] = None

    def add(self, text: str) -> None:
        """Add a function; its attributes are ``#0``."""
        self._text.append(text)

    def call(self, code: Code, function: Callable[..., Value], arguments: tuple[Value, ...]) -> Value:
        """See :meth:`Code.call`."""
        dtypes = tuple(a.dtype for a in arguments)
        key = function, dtypes, code.lanes
        found = self._functions.get(key)
        if found is None:
            found = self._functions[key] = self._write(function, dtypes, code.lanes)
        name, dtype = found
        return code.emit(f"call {code.type(dtype)} {name}({', '.join(a.typed for a in arguments)})", dtype)

    def _write(self, function: Callable[..., Any], dtypes: tuple[str, ...], lanes: int) -> tuple[str, str]:
        inner = Code(lanes, self)
        arguments = [Value(inner, f"%a{i}", dtype) for i, dtype in enumerate(dtypes)]
        result = function(inner, *arguments)
        name = f"@{function.__name__}.{'.'.join(dtypes)}.{lanes}"
        head = f"define internal {inner.type(result.dtype)} {name}({', '.join(a.typed for a in arguments)}) #1 {{"
        self._text.append("\n".join([head, "entry:", *inner.lines, f"  ret {result.typed}", "}"]))
        return name, result.dtype

    def text(self) -> str:
        """The whole module."""
        attributes = [ATTRIBUTES.format(0, ""), ATTRIBUTES.format(1, "alwaysinline")]
        return "\n".join([*self._declared, *self._text, *attributes]) + "\n"
