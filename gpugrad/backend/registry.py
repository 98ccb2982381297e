"""Which array library a value belongs to: one dictionary lookup on its type.

``NAMESPACES`` maps an array type to the module of functions that computes on it (``xp``), ``BACKENDS`` to the
object that knows the memory behind it. A new kind of array (a tracer, a simulator) registers itself here, and
nothing else in the library changes.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext
from contextvars import ContextVar
from importlib import import_module
from threading import Lock
from typing import Any

import numpy

from .device import Device
from .dtypes import struct_of
from .sizes import Size
from .usage import Usage

Array = Any
"""An array of whatever library is behind ``xp``; the libraries share no base class that could be named here."""

Namespace = Any
"""A module of array functions: ``numpy``, ``cupy``, ``gpugrad`` itself, or a stand-in with the same names."""

Upload = Callable[[Sequence[numpy.ndarray]], Callable[[], list[Array]]]
"""Begins to copy arrays from the host; what it returns gives them on the device."""


class Backend:
    """What the library asks of a kind of array beyond computing with it: where it lives, and how to move it."""

    name: str
    xp: Namespace
    count = 1
    """Number of devices of the machine."""
    several_devices = False
    """Whether more than one of them is used. A second one is noticed when something is made or moved there, or when an
    array of the user's is there.
    """
    compiles = False
    """Whether it runs CUDA sources (:meth:`launch`)."""
    routines = False
    """Whether it runs hand-written NumPy routines."""
    racing = False
    """Whether any of several values that are written to one place may stay, so that :meth:`last_at` is needed."""
    stands_in = False
    """Whether its arrays stand for others (many samples, or those of a recording), and compute beside them."""
    whole: Any = None
    """``whole(op, arrays, params)`` in the place of ``op.forward(xp, *arrays, **params)``, for arrays of this kind."""

    def device(self, array: Array) -> Device:
        """The device whose memory holds ``array``."""
        raise NotImplementedError

    def from_host(self, array: numpy.ndarray, device: Device) -> Array:
        """Copy a NumPy array into the memory of ``device``."""
        raise NotImplementedError

    def to_host(self, array: Array) -> numpy.ndarray:
        """Copy ``array`` into a NumPy array."""
        raise NotImplementedError

    def move(self, array: Array, device: Device) -> Array:
        """Copy ``array`` to another device of this same backend."""
        raise NotImplementedError

    def fetch(self, arrays: Sequence[Array]) -> Callable[[], list[numpy.ndarray]]:
        """Begin to copy arrays to the host as they are now; what is returned waits for the copies.

        The arrays may be written to at once, on the stream that is current.
        """
        copies = [self.to_host(array) for array in arrays]
        return lambda: copies

    def handover(self, arrays: Sequence[Array]) -> Callable[[], list[Array]]:
        """Hand arrays that this thread has made to another thread, which calls what is returned to get them."""
        return lambda: list(arrays)

    def uploader(self, device: Device, depth: int) -> Upload | None:
        """What copies batches to ``device`` beside its work; None where there is nothing to be gained by that.

        It is called with NumPy arrays, which may be changed as soon as it returns. What it returns gives the arrays on
        the device, for use on the stream that is current then; so many of these (``depth``) may be outstanding at once.
        """
        return None

    def export(
        self, array: Array, stream: Any = None, max_version: tuple[int, int] | None = None,
        dl_device: tuple[int, int] | None = None, copy: bool | None = None,
    ) -> Any:  # fmt: skip
        """DLPack's capsule of ``array``, for another library.

        Raises:
            BufferError: there is no memory that another library could read.
        """
        options = {"stream": stream, "max_version": max_version, "dl_device": dl_device, "copy": copy}
        return array.__dlpack__(**options)

    def look_around(self) -> bool:
        """Whether more than one device is used, the current one of the array library among them."""
        return self.several_devices

    def use_several(self, several: bool) -> None:
        """Note that more than one device is used, or that this backend is forgotten, and tell who wants to know."""
        with _noting:
            if several != self.several_devices:
                self.several_devices = several
                for notify in _when_several:
                    notify(several)

    def using(self, device: Device) -> AbstractContextManager[Any]:
        """Make ``device`` the one that new arrays are made on, inside a ``with`` block."""
        return nullcontext()

    def empty_beside(self, array: Array, dtype: Any) -> Array:
        """A new array with the shape of ``array``, whose elements leave no gaps in memory, and the same order."""
        raise NotImplementedError

    def add_at(self, array: Array, index: Any, values: Array) -> None:
        """Add ``values`` to ``array[index]`` in place, each element that the index names in turn."""
        self.xp.add.at(array, index, values)

    def last_at(self, index: Any, shape: tuple[int, ...]) -> Array:
        """For each element of ``x[index]``, the position in it of the last one that is at the same place in ``x``.

        Args:
            index: with integer arrays of this library.
            shape: of ``x``.
        """
        raise NotImplementedError

    def wider(self, operands: Sequence[Any]) -> list[Any] | None:
        """The operands to try again with, when a Python integer does not fit; None if that is an error."""
        return None

    def run(
        self, source: str, name: str, grid: tuple[int, ...], block: tuple[int, ...], arguments: tuple[Any, ...],
        shared: int = 0,
    ) -> None:  # fmt: skip
        """Run kernel ``name`` of a CUDA source on the current device and stream, compiling it if it is new."""
        raise NotImplementedError

    def struct(self, numbers: tuple[int, ...], wide: bool) -> Any:
        """Integers as one argument of a kernel, a struct of ``int``, or of ``long long`` where ``wide``."""
        return struct_of(numbers, wide)

    def launch(self, source: str, name: str, threads: int, arguments: tuple[Any, ...], block: int = 256) -> None:
        """:meth:`run` with at least so many threads along one axis; with none, nothing is done."""
        if threads:
            self.run(source, name, (-(-threads // block),), (block,), arguments)

    def launcher(self, source: str, name: str) -> Callable[[int, tuple[Any, ...], int, int], None]:
        """Kernel ``name`` of a CUDA source on the current device, as a function to be kept and called often.

        Returns:
            ``start(threads, arguments, shared, block)``, with ``threads`` a positive multiple of ``block``, and
            ``shared`` bytes of shared memory. It launches on the current stream.
        """
        raise NotImplementedError

    @property
    def current_index(self) -> int:
        """The number of the device that is current."""
        return 0

    def text(self, array: Array) -> str | None:
        """What to print for an array that shows no values of its own."""
        return None

    def check_index(self, index: Any, shape: tuple[int, ...], name: str = "index") -> None:
        """See that the integers in ``index`` point inside ``shape``: now, or on a device without waiting for it.

        For a library that checks by itself, nothing is to be done.

        Args:
            index: an entry or a tuple of them, arrays being of this library.
            shape: of the array it is used on.
            name: of the operation, for the error.

        Raises:
            IndexError: an integer is out of bounds; :meth:`look` raises it for what was found on the device.
        """

    def check_labels(self, labels: Array, classes: int, ignored: int | None = None, name: str = "labels") -> None:
        """See that class labels lie in [0, ``classes``) or are ``ignored``: now, or on a device without waiting.

        Raises:
            IndexError: a label is out of range; :meth:`look` raises it for what was found on the device.
        """
        wrong = (labels < 0) | (labels >= classes)
        if ignored is not None:
            wrong = wrong & (labels != ignored)
        if wrong.any():
            raise IndexError(f"label {int(labels[wrong][0])} is out of range for {classes} classes")

    def check_values(self, x: Array, low: float, high: float, text: str) -> None:
        """See that numbers lie in [``low``, ``high``] or are NaN: now, or on a device without waiting.

        Args:
            x: any shape.
            low: the smallest that can be.
            high: the largest.
            text: what was expected, for the error.

        Raises:
            ValueError: a number is outside; :meth:`look` raises it for what was found on the device.
        """
        wrong = (x < low) | (x > high)
        if wrong.any():
            raise ValueError(f"{text}, got {x[wrong].reshape(-1)[0]}")

    def constant(self, array: Array) -> Array:
        """``array`` outside of every graph; itself, but for arrays that hold Tensors."""
        return array

    def look(self, array: Array, line: str | None = None) -> None:
        """Raise what checks have found on the device of ``array``, which the host has waited for.

        Where there is nothing to look at, that costs nothing.

        Args:
            array: any on the device.
            line: the user's line that made it, if it must have been that.

        Raises:
            IndexError: an index or a label is out of bounds; names the operation, the value and the size.
            ValueError: a value that cannot be, as a probability below 0; names the operation.
        """

    def synchronize(self, device: Device | None = None) -> None:
        """Wait until the work of a device (None: of all) is done, then raise what checks have found.

        Raises:
            IndexError: as :meth:`look`.
        """

    def describe(self, device: Device) -> str:
        """The name of a device, asked without starting work on it."""
        raise NotImplementedError

    def memory(self, device: Device) -> Usage:
        """How much memory of a device there is, and who has it."""
        raise NotImplementedError


NAMESPACES: dict[type, Namespace] = {}
BACKENDS: dict[type, Backend] = {}
LOADERS: dict[str, Callable[[], Backend]] = {}
"""What makes the arrays of a library known, by the library's name, when the first of them arrives."""
EAGER: dict[type, Namespace] = {}
"""``NAMESPACES`` without the kinds that record: values whose operations simply happen."""

SPECIAL: dict[Namespace, Any] = {}
"""The special functions beside an array library: an object with them, or a module's name, imported when first used."""

MATRIX_FUNCTIONS: dict[Namespace, str] = {}
"""The module of further linear algebra beside an array library, by name."""

WEAK = frozenset({bool, int, float, complex})
"""Python's own numbers: their dtype gives way to that of the array beside them (NEP 50)."""
NUMBERS = WEAK | {Size}
"""What is taken for such a number; CuPy takes exactly those of ``WEAK``."""


_recorder: ContextVar[Any] = ContextVar("gpugrad_recorder", default=None)
recorder = _recorder.get
"""Who writes down what happens to arrays in this context, or None. See :mod:`gpugrad.tracing`."""


def start_recording(recorder: Any) -> Any:
    """Let a recorder write down what happens in this context; returns a token for :func:`stop_recording`."""
    return _recorder.set(recorder)


def stop_recording(token: Any) -> None:
    """Undo one :func:`start_recording`."""
    _recorder.reset(token)


_when_several: list[Callable[[bool], None]] = []
_noting = Lock()


def on_several_devices(notify: Callable[[bool], None]) -> None:
    """Call ``notify(True)`` when a second device of a backend is used, ``notify(False)`` when that is forgotten."""
    _when_several.append(notify)


def several_used(arrays: Iterable[Any]) -> bool:
    """Whether more than one device is used: by these arrays, or as the current one of their library."""
    found = False
    for array in arrays:
        if is_array(array):
            owner = backend_of(array)
            owner.device(array)  # which notices where it is
            found = owner.look_around() or found
    return found


def register_array_type(kind: type, xp: Namespace, backend: Backend | None = None) -> None:
    """Make arrays of type ``kind`` known: ``xp`` computes on them, ``backend`` owns their memory."""
    NAMESPACES[kind] = xp
    if backend is not None:
        BACKENDS[kind] = backend
        EAGER[kind] = xp


def register_scalar_type(kind: type, xp: Namespace) -> None:
    """Make known that ``xp`` gives scalars of type ``kind`` where others give 0-d arrays."""
    NAMESPACES[kind] = EAGER[kind] = xp


def special(namespace: Namespace) -> Namespace:
    """The special functions beside ``xp``, with SciPy's names; those of gpugrad are in it.

    >>> special(numpy).__name__
    'scipy.special'
    """
    found = SPECIAL.get(namespace)
    if found is None:
        return namespace.special
    return sys.modules.get(found) or import_module(found) if type(found) is str else found


def matrix_functions(namespace: Namespace) -> Namespace:
    """The linear algebra beside ``xp`` that is SciPy's: ``expm``, ``lu_factor``; CuPy has a part of it.

    >>> matrix_functions(numpy).__name__
    'scipy.linalg'
    """
    name = MATRIX_FUNCTIONS.get(namespace)
    return namespace.matrix_functions if name is None else sys.modules.get(name) or import_module(name)


def is_array(value: object) -> bool:
    """Whether ``value`` is an array of a known library, or of one that is loaded when its first array arrives.

    >>> is_array(numpy.zeros(3)), is_array([0.0]), is_array(2.0)
    (True, False, False)
    """
    kind = type(value)
    if kind in BACKENDS:
        return True
    library = kind.__module__.partition(".")[0]
    if library in LOADERS and library in sys.modules:
        LOADERS[library]()
    return kind in BACKENDS


def backend_of(array: Array) -> Backend:
    """The backend that owns ``array``'s memory.

    Raises:
        TypeError: the value is no array of a known library.
    """
    if not is_array(array):
        raise TypeError(f"expected an array of NumPy or CuPy, got {type(array).__name__}")
    return BACKENDS[type(array)]


def device_of(array: Array) -> Device:
    """The device that holds ``array``.

    >>> device_of(numpy.zeros(3))
    device('cpu')
    """
    owner = BACKENDS.get(type(array))
    return (backend_of(array) if owner is None else owner).device(array)
