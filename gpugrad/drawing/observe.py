"""Watching operations happen, for complete pictures: what each was given, where, and what came of it."""

from __future__ import annotations

import linecache
import sys
from collections.abc import Mapping
from contextvars import Token
from dataclasses import dataclass, field
from types import FrameType, TracebackType
from typing import Any, NamedTuple, get_origin
from weakref import WeakSet

from .. import backend
from ..core import Leaf, Node, Tensor
from ..core.errors import _PACKAGE
from ..core.modes import careful, observing
from ..nn import Module, Parameter
from .names import given, paths, values_in, variables
from .preview import Number, Preview, preview

CALL = Module.__call__.__code__
DTYPE: type = get_origin(backend.DType) or backend.DType


class Constant(NamedTuple):
    """An operand that needs no gradient.

    Attributes:
        key: the same for the same array used twice; None for plain numbers.
        number: of a single number: without a name, it is written into the gate.
        value: None where it is not known.
        shape, dtype: of it.
        parameter: whether it is a module's, and frozen.
    """

    key: int | None
    number: Number | None
    value: Preview | None
    shape: tuple[int, ...]
    dtype: str
    parameter: bool = False


def showable_static(params: dict[str, Any]) -> dict[str, Any]:
    """Those static parameters that are no arrays and hold none."""
    return {key: value for key, value in params.items() if _is_showable(value)}


def _is_showable(value: Any) -> bool:
    if isinstance(value, tuple | list):
        return all(map(_is_showable, value))
    return value is None or value is Ellipsis or isinstance(value, bool | int | float | str | slice | DTYPE)


def constant(key: int | None, value: Any, parameter: bool = False) -> Constant:
    """A number or an array as an operand."""
    shown = preview(value)
    number = None if shown.shape else shown.text if shown.number is None else shown.number
    dtype = str(value.dtype) if hasattr(value, "dtype") else type(value).__name__
    return Constant(key, number, shown, shown.shape, dtype, parameter)


class Call(NamedTuple):
    """One call of a module."""

    serial: int
    label: str
    kind: str


@dataclass
class Note:
    """An operation that was seen.

    Attributes:
        operands: for each either the age of its node, or a constant; None where an optional one was left out.
        static: the static parameters.
        line: the user's.
        calls: of modules around it, the outermost first.
    """

    operands: tuple[int | Constant | None, ...]
    static: dict[str, Any]
    line: str | None
    calls: tuple[Call, ...]


@dataclass
class Seen:
    """What observing has found out, by the ages of nodes, which no two nodes share. Plain values only."""

    notes: dict[int, Note] = field(default_factory=dict)
    values: dict[int, Preview | None] = field(default_factory=dict)
    names: dict[int, tuple[int, str]] = field(default_factory=dict)
    constants: dict[int, tuple[int, str]] = field(default_factory=dict)
    paths: dict[int, str] = field(default_factory=dict)
    parameters: set[int] = field(default_factory=set)


LIVE: WeakSet[observe] = WeakSet()
"""Those in which :func:`draw` looks."""


class observe:  # noqa: N801  beside no_grad and debug
    """See what operations are given, so that :func:`draw` can show constants, lines, modules and every value.

    A graph alone does not know these things: it keeps what gradients need and no more. What was seen inside the
    ``with`` block is plain numbers and names, no arrays, and is there as long as the object is. Inside of the block
    operations are slower, on a GPU each waits for its result, and constants and the arguments of modules are held.

    >>> import gpugrad as gg
    >>> x = gg.tensor(3.0, requires_grad=True)
    >>> with gg.observe() as seen:
    ...     y = gg.sin(x + 1)
    >>> [node.label for node in gg.draw(y).picture.nodes]
    ['x', '+1', 'sin']
    """

    def __init__(self) -> None:
        self.seen = Seen()
        self._base: FrameType | None = None
        self._frames: dict[FrameType, Call | None] = {}
        self._scanned: dict[FrameType, tuple[int, int]] = {}
        self._constants: dict[int, tuple[Any, Constant]] = {}
        self._stamps: dict[int, int] = {}
        self._roots: dict[int, dict[int, str]] = {}
        self._tokens: list[Token[Any]] = []

    def __enter__(self) -> observe:
        return self.begin(sys._getframe(1))

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.end()

    def begin(self, base: FrameType) -> observe:
        """Observe what is called from this frame."""
        self._base = base
        LIVE.add(self)
        self._tokens.append(observing.set(self))
        careful.because(True)
        return self

    def end(self, names: Mapping[int, str] | None = None) -> None:
        """Stop, and let go of everything but what is plain.

        Args:
            names: further ones of constants, by the ids of their arrays.
        """
        careful.because(False)
        observing.reset(self._tokens.pop())
        self.look()
        for value, made in self._constants.values():
            if names and id(value) in names and made.key is not None:
                _closest(self.seen.constants, made.key, 1, names[id(value)])
        self._base = None
        for held in (self._frames, self._scanned, self._constants, self._roots):
            held.clear()

    def look(self) -> None:
        """Note what the variables are called by now."""
        for frame, (depth, _) in self._scanned.items():
            self._scan(frame, depth)
        if self._base is not None:
            self._scan(self._base, 0)

    # ---------------------------------------------------------------- one operation

    def note(self, op: Any, operands: tuple[Any, ...], params: dict[str, Any], made: Any) -> None:
        """An operation was run."""
        results = made if isinstance(made, tuple) else (made,)
        nodes = [y.node for y in results if isinstance(y, Tensor)]
        node: Node | None = next((n for n in nodes if n is not None), None)
        if node is None or any(backend.BACKENDS[type(y.data)].whole is not None for y in results):
            return  # a constant; or for many samples, and the operation inside will be noted
        line, calls = self._place()
        if isinstance(made, tuple):
            node = node.parents
        assert node is not None
        seen = self.seen
        noted = tuple(self._operand(x) for x in operands)
        seen.notes[node.age] = Note(noted, showable_static(params), line, calls)
        for y in results:
            if y.node is not None:
                seen.values[y.node.age] = preview(y.data)

    def _operand(self, x: Any) -> int | Constant | None:
        if x is None:
            return None
        if isinstance(x, Tensor) and x.node is not None:
            self._leaf(x)
            return x.node.age
        value = x.data if isinstance(x, Tensor) else x
        if not backend.is_array(value):
            return constant(None, value)
        if id(value) not in self._constants:
            self._constants[id(value)] = value, constant(len(self._constants), value, isinstance(x, Parameter))
        made = self._constants[id(value)][1]
        called = given(x) if isinstance(x, Tensor) else None
        if called is not None and made.key is not None:
            self.seen.constants[made.key] = -1, called
        return made

    def _leaf(self, x: Tensor) -> None:
        """The value of a leaf, if all operations see the same one."""
        node, seen = x.node, self.seen
        if not isinstance(node, Leaf):
            if node is not None and node.age not in seen.values:
                seen.values[node.age] = preview(x.data)  # made before, or by what is no ordinary operation
            return
        if isinstance(x, Parameter):
            seen.parameters.add(node.age)
        if node.age not in seen.values:
            self._stamps[node.age] = node.changed
            seen.values[node.age] = preview(x.data)
        elif self._stamps[node.age] != node.changed:
            seen.values[node.age] = None

    # ---------------------------------------------------------------- where it happened

    def _place(self) -> tuple[str | None, tuple[Call, ...]]:
        """The user's line, and the modules' calls around it."""
        frame: FrameType | None = sys._getframe(2)
        calls: list[FrameType] = []
        users: list[FrameType] = []
        while frame is not None:
            if frame.f_code is CALL:
                calls.append(frame)
            elif not frame.f_code.co_filename.startswith(_PACKAGE):
                users.append(frame)
            if frame is self._base:
                break
            frame = frame.f_back
        for depth, user in enumerate(reversed(users)):
            if self._scanned.get(user) != (depth, user.f_lasti):
                self._scanned[user] = (depth, user.f_lasti)
                self._scan(user, depth, deep=False)
        return _line(users[0]) if users else None, self._calls(calls[::-1])

    def _calls(self, frames: list[FrameType]) -> tuple[Call, ...]:
        if not frames:
            return ()
        root = frames[0].f_locals["self"]
        if id(root) not in self._roots:
            self._roots[id(root)] = {id(module): path for path, module in root.named_modules()}
            for path, x in paths(root):
                if x.node is not None:
                    self.seen.paths.setdefault(x.node.age, path)
        known = self._roots[id(root)]
        for frame in frames:
            if self._frames.get(frame) is None:
                module = frame.f_locals["self"]
                path, kind = known.get(id(module), ""), type(module).__name__
                self._frames[frame] = Call(len(self._frames), f"{path}: {kind}" if path else kind, kind)
        return tuple(call for call in map(self._frames.get, frames) if call is not None)

    def _scan(self, frame: FrameType, depth: int, deep: bool = True) -> None:
        """Note what variables are called; names further out are better known."""
        for key, x in values_in(variables(frame), deep):
            node = x.node if isinstance(x, Tensor) else None
            if node is None:
                made = self._constants.get(id(x.data if isinstance(x, Tensor) else x))
                if made is not None and made[1].key is not None:
                    _closest(self.seen.constants, made[1].key, depth, key)
                continue
            _closest(self.seen.names, node.age, depth, key)
            if isinstance(x, Parameter):
                self.seen.parameters.add(node.age)


def _closest(names: dict[int, tuple[int, str]], key: int, depth: int, name: str) -> None:
    if key not in names or names[key][0] > depth:
        names[key] = depth, name


def _line(frame: FrameType) -> str:
    path, number = frame.f_code.co_filename, frame.f_lineno
    return f"{path}:{number}: {linecache.getline(path, number).strip()}"
