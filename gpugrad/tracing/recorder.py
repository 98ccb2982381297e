"""The kind of array that writes down what is done to it, and the namespace and the backend that come with it.

A recording runs the function on real arrays, once, and notes each call on ``xp`` as it happens. So shapes and dtypes
are those of the array library, and what the function changes is changed; but the values are for nobody to see.
"""

from __future__ import annotations

import gc
import math
import operator
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from types import ModuleType
from typing import Any
from weakref import WeakValueDictionary

import numpy

from .. import backend
from ..backend import BACKENDS, NAMESPACES, Array, Backend, Device
from ..core import Tensor, modes
from ..core.errors import user_line
from ..kernels import REGISTRY
from ..kernels.kernel import WHOLE
from ..kernels.philox import Sampler
from .program import Call, Input, Program, Scalar, Spec, Value, leaves, mapped, resolved

BY_VALUES = frozenset({
    "nonzero", "flatnonzero", "argwhere", "unique", "unique_all", "unique_counts", "unique_inverse", "unique_values",
    "compress", "extract", "trim_zeros", "array_equal", "allclose",
})  # fmt: skip
"""Functions whose result has a shape that depends on values, or is a Python number."""


class RecordingError(RuntimeError):
    """A function asked for a value while it was recorded, or used an array of a recording that has ended.

    >>> import gpugrad as gg
    >>> gg.trace(lambda x: x if x > 0 else -x)(gg.tensor(1.0))  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    gpugrad.tracing.recorder.RecordingError: bool: the value of a tensor was asked for while recording [...]...
    """


def refuse(what: str) -> RecordingError:
    """The error of ``what``, which needs a value."""
    return RecordingError(
        f"{what}: the value of a tensor was asked for while recording [{user_line()}], and would be frozen in the "
        "program: use gg.where(condition, a, b) in the place of a branch or a mask, or gg.cond; pass what does not "
        "change as a Python number, or by a name in static; and look at values after the function has returned"
    )


class Recorder:
    """One recording.

    Args:
        effects: whether calls may write in place, declared as ``changes``; gradient rules may not.
        copies: keep the inputs as they were, in ``before``.
        undo: keep what is written over, for :meth:`restore`.

    Attributes:
        program: what has been written down so far.
        captured: the arrays of the inputs.
        before: copies of them.
        made: the arrays that are still used, by number.
        numbers: the values of the scalars.
        events: what the host has to do at each run, in order: compute scalars, ``(number of the first, function)``, or
            ``(None, function)``.
        actors: the objects that these functions change.
        conditions: functions whose value the program depends on: with another one, another program would be recorded.
        notes: what the host has noted, anew at each run.
    """

    owner: Backend
    """The backend of the arrays of all recordings."""

    noted: type[Noted]
    """The type of what :meth:`note` gives."""

    def __init__(self, effects: bool = True, copies: bool = False, undo: bool = False) -> None:
        self.program = Program()
        self.effects, self.copies = effects, copies
        self.captured: list[Array] = []
        self.before: list[Array] = []
        self.sources: list[Tensor | None] = []
        self.numbers: list[Any] = []
        self.events: list[tuple[int | None, Callable[[], Any]]] = []
        self.actors: list[Any] = []
        self.conditions: list[tuple[Callable[[], tuple[Any, ...]], tuple[Any, ...]]] = []
        self.notes: list[Noted] = []
        self._undo: dict[Any, tuple[Array, Array]] | None = {} if undo else None
        self.open = True
        self.made: WeakValueDictionary[int, Recorded] = WeakValueDictionary()
        self._known: dict[int, tuple[Array, Recorded]] = {}
        self._leaves: dict[int, Tensor] = {}
        self._acting = False

    # ---------------------------------------------------------------- what comes from outside

    def input(self, array: Array, name: str = "captured", source: Tensor | None = None) -> Recorded:
        """An array as an input of the program."""
        if id(array) in self._known:
            return self._known[id(array)][1]
        made = self._made(array)
        self.program.inputs.append(Input(made.value, name))
        self.captured.append(array)
        self.sources.append(source)
        if self.copies:
            self.before.append(array.copy())
        self._known[id(array)] = array, made
        return made

    def lift(self, array: Array) -> Recorded:
        """An array that came from elsewhere: an input, or a part of one whose memory it shares."""
        if type(array) is Recorded:
            return array
        if id(array) in self._known:
            return self._known[id(array)][1]
        base = array.base
        place = _place(base, array) if type(base) is type(array) else None
        if place is None:
            return self.input(array)
        made = self.write("part", (self.lift(base), *place), {}, result=array)
        self._known[id(array)] = array, made
        return made  # type: ignore[no-any-return]

    def operands(self, operands: tuple[Any, ...]) -> tuple[Any, ...]:
        """The operands of an operation, all of them of this recording."""
        return tuple(map(self._operand, operands))

    def _operand(self, operand: Any) -> Any:
        if isinstance(operand, Tensor):
            array, node = operand.data, operand.node
            if type(array) is Recorded or BACKENDS[type(array)].whole is not None:
                return operand
            if node is None:
                return Tensor(self.input(array, source=operand))
            self._leaves[id(operand)] = operand
            return Tensor(self.lift(array), node)
        return self.lift(operand) if type(operand) in BACKENDS and BACKENDS[type(operand)].whole is None else operand

    def scalars(self, names: Sequence[str], compute: Callable[[], Sequence[Any]]) -> list[Number]:
        """Numbers that are inputs of the program, recomputed at each run."""
        first = len(self.numbers)
        self.events.append((first, compute))
        self.numbers += compute()
        self.program.scalars += names
        return [Number(Scalar(first + i), value) for i, value in enumerate(self.numbers[first:])]

    def effect(self, act: Callable[[], Any]) -> None:
        """Do something on the host, now and at each run."""
        bound = getattr(getattr(act, "func", act), "__self__", None)
        self.actors.append(next(iter(getattr(act, "args", ())), None) if bound is None else bound)
        if self._acting:  # a part of one that is noted
            act()
            return
        self.events.append((None, act))
        self._acting = True
        try:
            act()
        finally:
            self._acting = False

    def note(self, read: Callable[[], Any]) -> Noted:
        """Something of the host that is another one at each run: noted then, to be handed back, and not to be read."""
        made = Noted()
        self.notes.append(made)
        self.effect(partial(made.take, read))
        return made

    def depends(self, value: Callable[[], tuple[Any, ...]]) -> None:
        """Note that what is recorded holds only while ``value()`` gives the objects that it gives now."""
        self.conditions.append((value, value()))

    # ---------------------------------------------------------------- calls

    def write(
        self, op: str, args: Sequence[Any], kwargs: dict[str, Any], changes: Sequence[Array] = (),
        function: Callable[..., Any] | None = None, result: Any = None,
    ) -> Any:  # fmt: skip
        """Make a call, and write it down."""
        if not self.open:
            raise RecordingError(f"{op}: an array of a recording that has ended [{user_line()}]")
        args = mapped(tuple(args), self._argument)
        kwargs = mapped(kwargs, self._argument)
        if result is None:
            function = function or resolved(op, self._inner(args, kwargs).xp)
            if changes and self._undo is not None:
                self._keep(changes)
            result = function(*mapped(args, example), **mapped(kwargs, example))
        made: list[Value] = []
        if changes:
            wrapped: Any = kwargs.get("out") if op.partition(".")[0] != "kernel" and op != "copyto" else None
        else:
            wrapped = self._wrapped(result, made)
        touched: list[Recorded] = []
        mapped((args, kwargs), lambda v: touched.append(v) if type(v) is Recorded else None)
        if made or touched:
            shared = not changes and any(
                _shares(r, t.example) for r in leaves(result) if r is not None for t in touched
            )
            self.program.calls.append(Call(
                op, mapped(args, _value), mapped(kwargs, _value), tuple(made),
                tuple(self.lift(array).value for array in changes), shared,
            ))  # fmt: skip
        return wrapped

    def _keep(self, changes: Sequence[Array]) -> None:
        """Keep what is written over next."""
        assert self._undo is not None
        for array in map(example, changes):
            place = _address(array), array.shape, array.strides
            if place not in self._undo:
                with backend.beside(array):
                    self._undo[place] = array, array.copy()

    def restore(self) -> None:
        """Give arrays that were written to what was in them before the recording."""
        for array, copy in reversed((self._undo or {}).values()):
            with backend.beside(array):
                array[...] = copy
        self._undo = None

    def _argument(self, value: Any) -> Any:
        if type(value) in BACKENDS and type(value) is not Recorded:
            return self.lift(value)
        return value

    def _inner(self, *arguments: Any) -> Backend:
        """The backend of the arrays behind the arguments; without any, of the default device."""
        found: list[Backend] = []
        mapped(arguments, lambda v: found.append(BACKENDS[type(v.example)]) if type(v) is Recorded else None)
        return found[0] if found else backend.backend_for(backend.default_device(), recorded=False)

    def _wrapped(self, result: Any, made: list[Value]) -> Any:
        if isinstance(result, tuple | list):
            parts = [self._wrapped(part, made) for part in result]
            return type(result)(*parts) if hasattr(result, "_fields") else type(result)(parts)
        if type(result) not in NAMESPACES or type(result) is Recorded:
            return result
        array = result if backend.is_array(result) else NAMESPACES[type(result)].asarray(result)
        one = self._made(array)
        made.append(one.value)
        return one

    def _made(self, array: Array) -> Recorded:
        value = Value(len(self.program.specs))
        self.program.specs.append(Spec(array.dtype.name, tuple(array.shape)))
        one = self.made[value.number] = Recorded(self, value, array)
        return one

    def kernel(self, kernel: Any, arguments: Sequence[Any]) -> Any:
        """A kernel, seen whole."""
        name: str = getattr(kernel, "name", None) or kernel.__name__
        if REGISTRY.get(name) is not kernel and WHOLE.get(name) is not kernel:
            self.program.custom.setdefault(name, kernel)
        changed = getattr(kernel, "changes", ())
        written = [arguments[kernel.arrays.index(array)] for array in changed]
        inner = self._inner(tuple(arguments)).xp
        return self.write(f"kernel.{name}", arguments, {}, written, function=lambda *args: kernel(inner, *args))

    def draw(self, sampler: Sampler, shape: tuple[int, ...], device: Device, state: Callable[[], Sequence[int]],
             scalars: Sequence[int]) -> Any:  # fmt: skip
        """Random numbers: the state of the generator is an input, and moves on at each run."""
        owner = backend.backend_for(device, recorded=False)

        def fill(*args: Any) -> Array:
            with owner.using(device):
                return sampler.fill(owner, *args)

        numbers = self.scalars([f"{sampler.name} seed", f"{sampler.name} counter"], state)
        return self.write(f"random.{sampler.name}", (shape, *numbers, *scalars), {}, function=fill)

    def look_at(self, array: Array, what: str) -> None:
        """Something asks for the values of an array.

        Raises:
            RecordingError: they are not those of a constant that the function has made of Python's numbers.
        """
        if type(array) is not Recorded or not array.constant:
            raise refuse(what)

    def outside(self, what: str) -> None:
        """Register a value that comes from outside and changes with each run.

        Raises:
            RecordingError: always.
        """
        raise RecordingError(
            f"{what} inside a recorded function would be frozen in the program [{user_line()}]: give them to the "
            "function as arguments"
        )

    def overwrite(self, array: Array, values: Array) -> None:
        """Write over all of an array, as a call.

        Raises:
            RecordingError: with values that were computed beside the recording, and would be frozen in the program.
        """
        if type(values) in BACKENDS and type(values) is not Recorded and id(values) not in self._known:
            raise RecordingError(
                f"an array is overwritten with one that was computed beside the recording [{user_line()}], and would "
                "be frozen in the program: compute it from tensors"
            )
        self.write("copyto", (self.lift(array), values), {}, [array])

    # ---------------------------------------------------------------- the end

    def finish(self, result: Any) -> list[tuple[Tensor, str, Value]]:
        """Give every Tensor that was made its array; which known ones have another value or gradient than before.

        Returns:
            Tensor, ``data`` or ``grad``, and the value that it got.
        """
        self.program.outputs = [self.lift(array).value for array in _outputs(result)]
        self.open = False
        known = {id(t): t for t in self.sources if t is not None}
        made = [one for one in gc.get_objects() if issubclass(type(one), Tensor) and type(one.data) is Recorded]
        mine = [one for one in made if one.data.recorder is self]
        values = {id(one): one.data.value for one in mine}
        given = {one.value for one in self.program.inputs}
        states = [(one, "data", values[id(one)]) for one in mine if id(one) in known and values[id(one)] not in given]
        states += [
            (one, "grad", values[id(one.grad)])
            for one in {**known, **self._leaves}.values() if one.is_leaf and id(one.grad) in values
        ]  # fmt: skip
        for one in mine:
            one.data = one.data.example
        self._known.clear()
        self._leaves.clear()
        return states


def _outputs(result: Any) -> Iterator[Array]:
    if isinstance(result, Tensor):
        yield result.data
    elif isinstance(result, dict):
        for part in result.values():
            yield from _outputs(part)
    elif isinstance(result, tuple | list):
        for part in result:
            yield from _outputs(part)
    elif type(result) in BACKENDS:
        yield result


def example(value: Any) -> Any:
    """The real array or number behind what was recorded."""
    return value.example if type(value) is Recorded else value.number if type(value) is Number else value


def _value(value: Any) -> Any:
    return value.value if type(value) in (Recorded, Number) else value


def _address(array: Array) -> int:
    return int(array.ctypes.data if isinstance(array, numpy.ndarray) else array.data.ptr)


def _shares(result: Array, given: Array) -> bool:
    """Whether a result is a view of an argument."""
    if result is given:
        return True
    owners = [a if a.base is None else a.base for a in (result, given)]
    return owners[0] is owners[1]


def _place(base: Array, array: Array) -> tuple[int, tuple[int, ...], tuple[int, ...]] | None:
    """Where in ``base`` the block lies that an array shows: offset, shape, and its axes; None if it is no block."""
    size = array.dtype.itemsize
    offset, steps = _address(array) - _address(base), array.strides
    if base.dtype != array.dtype or not base.flags.c_contiguous or not array.size or offset % size:
        return None
    order = sorted(range(array.ndim), key=lambda axis: (-steps[axis], axis))
    shape = tuple(array.shape[axis] for axis in order)
    whole = [size * math.prod(shape[i + 1 :]) for i in range(len(shape))]
    if any(array.shape[axis] > 1 and steps[axis] != step for axis, step in zip(order, whole, strict=True)):
        return None
    return offset // size, shape, tuple(order.index(axis) for axis in range(array.ndim))


class Number:
    """A number that is an input of the program: it can be handed to a kernel, and nothing else."""

    __slots__ = ("number", "value")

    def __init__(self, value: Scalar, number: Any) -> None:
        self.value, self.number = value, number

    def _refused(self, *others: Any) -> Any:
        raise refuse("a number that changes from step to step")

    __bool__ = __float__ = __int__ = __index__ = __add__ = __radd__ = __mul__ = __rmul__ = __sub__ = __rsub__ = _refused
    __lt__ = __gt__ = __truediv__ = __rtruediv__ = __neg__ = __pow__ = _refused


class Noted:
    """What the host noted, such as the state of random numbers: it can be handed back, and nothing else."""

    __slots__ = ("value",)

    def take(self, read: Callable[[], Any]) -> None:
        """Note it."""
        self.value = read()

    def _refused(self, *others: Any) -> Any:
        raise RecordingError(
            f"the state of random numbers was read while recording [{user_line()}], and would be frozen in the "
            "program: set it again as it is, or read it outside of the function"
        )

    __iter__ = __getitem__ = __len__ = __int__ = __eq__ = __lt__ = __add__ = _refused
    __hash__ = object.__hash__


class Recorded:
    """An array of a recording: it knows its shape and dtype, and writes down what is done to it."""

    __array_ufunc__ = None
    __hash__ = object.__hash__
    __slots__ = ("__weakref__", "constant", "example", "recorder", "value")

    def __init__(self, recorder: Recorder, value: Value, example: Array) -> None:
        self.recorder, self.value, self.example = recorder, value, example
        self.constant = False
        """Whether the function made it of Python's numbers: then its values are known."""

    shape = property(lambda self: self.example.shape)
    dtype = property(lambda self: self.example.dtype)
    ndim = property(lambda self: self.example.ndim)
    size = property(lambda self: self.example.size)
    strides = property(lambda self: self.example.strides)
    base = property(lambda self: None)

    def __repr__(self) -> str:
        return f"{self.value!r}: {self.dtype} {self.shape}, recorded"

    def __getitem__(self, index: Any) -> Any:
        if self.recorder.effects:
            for entry in index if isinstance(index, tuple) else (index,):
                if type(entry) is Recorded and entry.dtype.kind == "b":
                    raise refuse("a boolean mask as an index")
        return self.recorder.write("getitem", (self, index), {})

    def copy(self) -> Any:
        """A copy, as a call."""
        return self.recorder.write("copy", (self,), {})

    def reshape(self, *shape: Any) -> Any:
        """Another shape, as a call."""
        return self.recorder.write("reshape", (self, shape[0] if len(shape) == 1 else shape), {})

    def view(self, dtype: Any) -> Any:
        """The same bytes as another dtype, as a call."""
        return self.recorder.write("cast_view", (self, numpy.dtype(dtype)), {})


REFUSED = {
    "__iter__": "iteration", "__len__": "len", "__contains__": "in",
    **{name: f"{name}()" for name in "fill sort put any all max min sum astype".split()},  # noqa: SIM905
    "__setitem__": "a write in place",
    **{f"__i{name}__": "a write in place" for name in
       "add sub mul truediv floordiv mod pow matmul and or xor".split()},  # noqa: SIM905
}  # fmt: skip
"""What reads or writes without saying so."""

LOOKS = {
    "__bool__": "bool", "__array__": "numpy.asarray", "__float__": "float", "__int__": "int", "__index__": "an index",
    "__complex__": "complex", "item": "item()", "tolist": "tolist()", "tobytes": "tobytes()",
}  # fmt: skip
"""What asks for values."""


def _define() -> None:
    def refused(what: str) -> Callable[..., Any]:
        def method(self: Recorded, *args: Any, **kwargs: Any) -> Any:
            raise refuse(what)

        return method

    def written(op: str, swapped: bool = False) -> Callable[..., Any]:
        def method(self: Recorded, *other: Any) -> Any:
            for x in other:
                if not isinstance(x, Recorded) and getattr(x, "__array_ufunc__", True) is None:
                    return NotImplemented  # it asks arrays to leave operators to it
            return self.recorder.write(f"operator.{op}", (*other, self) if swapped else (self, *other), {})

        return method

    def looked(name: str, what: str) -> Callable[..., Any]:
        def method(self: Recorded, *args: Any, **kwargs: Any) -> Any:
            self.recorder.look_at(self, what)
            return getattr(self.example, name)(*args, **kwargs)

        return method

    for name, what in REFUSED.items():
        setattr(Recorded, name, refused(what))
    for name, what in LOOKS.items():
        setattr(Recorded, name, looked(name, what))
    for name in "add sub mul truediv floordiv mod pow matmul and or xor".split():  # noqa: SIM905
        op = getattr(operator, name + "_" if name in ("and", "or") else name).__name__
        op = name + "_" if name in ("and", "or") else op
        setattr(Recorded, f"__{name}__", written(op))
        setattr(Recorded, f"__r{name}__", written(op, swapped=True))
    for name in "eq ne lt le gt ge neg pos abs invert".split():  # noqa: SIM905
        setattr(Recorded, f"__{name}__", written(name))


_define()


def current() -> Recorder:
    """The recording that goes on here.

    Raises:
        RecordingError: there is none.
    """
    found = backend.recorder()
    if found is None:
        raise RecordingError(f"an array of a recording that has ended [{user_line()}]")
    return found  # type: ignore[no-any-return]


class Pen:
    """The namespace: the functions of the array library, written down. What that has not, this has not."""

    def __init__(self, path: str = "") -> None:
        self.path = path

    @property
    def special(self) -> Pen:
        return Pen("special.")

    @property
    def matrix_functions(self) -> Pen:
        return Pen("matrix_functions.")

    def __getattr__(self, name: str) -> Any:
        if not hasattr(numpy, name) and backend.recorder() is None:  # a question of Python's, at any time
            raise AttributeError(name)
        recorder, op = current(), self.path + name
        found = resolved(op, recorder._inner().xp)
        if isinstance(found, ModuleType):
            return Pen(op + ".")
        if not callable(found) or isinstance(found, type):
            return found

        def call(*args: Any, **kwargs: Any) -> Any:
            if recorder.effects and (name in BY_VALUES or (name == "where" and len(args) == 1)):
                raise refuse(name)
            out = kwargs.get("out")
            changes = [] if out is None else list(out) if isinstance(out, tuple) else [out]
            if name == "copyto":
                changes = [args[0]]
            if changes and not recorder.effects:
                raise refuse(f"a write in place ({name})")
            return recorder.write(op, args, kwargs, changes)

        return call

    def __kernel__(self, kernel: Any, arguments: Sequence[Any]) -> Any:
        return current().kernel(kernel, arguments)


class Paper(Backend):
    """The backend: arrays are where the real ones behind them are."""

    name = "recorded"
    xp = Pen()
    stands_in = True

    def device(self, array: Array) -> Device:
        return backend.device_of(array.example)

    def from_host(self, array: numpy.ndarray[Any, Any], device: Device) -> Array:
        made = current().input(backend.backend_for(device, recorded=False).from_host(array, device), "constant")
        made.constant = True
        return made

    def to_host(self, array: Array) -> numpy.ndarray[Any, Any]:
        current().look_at(array, "a copy on the host")
        return backend.backend_of(array.example).to_host(array.example)

    def move(self, array: Array, device: Device) -> Array:
        raise RecordingError(f"a copy from {self.device(array)} to {device} is not recorded [{user_line()}]")

    def using(self, device: Device) -> AbstractContextManager[Any]:
        return backend.backend_for(device, recorded=False).using(device)

    def check_labels(self, labels: Array, classes: int, ignored: int | None = None, name: str = "labels") -> None:
        recorder = current()
        check = recorder._inner((labels,)).check_labels
        recorder.write("check_labels", (labels, classes, ignored, name), {}, function=check)

    def check_values(self, x: Array, low: float, high: float, text: str) -> None:
        recorder = current()
        check = recorder._inner((x,)).check_values
        recorder.write("check_values", (x, low, high, text), {}, function=check)

    def text(self, array: Array) -> str:
        return repr(array)

    def add_at(self, array: Array, index: Any, values: Array) -> None:
        raise refuse("a write in place")


backend.register_array_type(Recorded, Paper.xp, Paper())
Recorder.owner = BACKENDS[Recorded]
Recorder.noted = Noted


@contextmanager
def recording(recorder: Recorder) -> Iterator[Recorder]:
    """Write down what happens inside a ``with`` block, in this thread or context."""
    modes.careful.because(True)
    token = backend.start_recording(recorder)
    try:
        yield recorder
    finally:
        backend.stop_recording(token)
        modes.careful.because(False)
