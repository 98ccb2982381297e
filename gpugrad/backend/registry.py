"""Which array library a value belongs to: one dictionary lookup on its type.

``NAMESPACES`` maps an array type to the module of functions that computes on it (``xp``), ``BACKENDS`` to the
object that knows the memory behind it. A new kind of array (a tracer, a simulator) registers itself here, and
nothing else in the library changes.
"""

from __future__ import annotations

import sys
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import numpy

from .device import Device

Array = Any
"""An array of whatever library is behind ``xp``; the libraries share no base class that could be named here."""

Namespace = Any
"""A module of array functions: ``numpy``, ``cupy``, ``gpugrad`` itself, or a stand-in with the same names."""


class Backend:
    """What the library asks of a kind of array beyond computing with it: where it lives, and how to move it."""

    name: str
    xp: Namespace
    several_devices = False
    compiles = False
    """Whether it runs CUDA sources (:meth:`launch`)."""

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

    def using(self, device: Device) -> AbstractContextManager[Any]:
        """Make ``device`` the one that new arrays are made on, inside a ``with`` block."""
        return nullcontext()

    def run(
        self, source: str, name: str, grid: tuple[int, ...], block: tuple[int, ...], arguments: tuple[Any, ...],
        shared: int = 0,
    ) -> None:  # fmt: skip
        """Run kernel ``name`` of a CUDA source on the current device and stream, compiling it if it is new."""
        raise NotImplementedError

    def launch(self, source: str, name: str, threads: int, arguments: tuple[Any, ...], block: int = 256) -> None:
        """:meth:`run` with at least so many threads along one axis; with none, nothing is done."""
        if threads:
            self.run(source, name, (-(-threads // block),), (block,), arguments)

    def check_index(self, index: Any, shape: tuple[int, ...]) -> None:
        """Raise IndexError where an integer array in ``index`` points outside ``shape``.

        For a library that checks by itself, nothing is to be done.
        """


NAMESPACES: dict[type, Namespace] = {}
BACKENDS: dict[type, Backend] = {}
PLAIN: dict[type, Namespace] = {}
"""``NAMESPACES`` without the kinds that record: values whose operations simply happen."""

WEAK = frozenset({bool, int, float, complex})
"""Python's own numbers: their dtype gives way to that of the array beside them (NEP 50)."""


def register_array_type(kind: type, xp: Namespace, backend: Backend | None = None) -> None:
    """Make arrays of type ``kind`` known: ``xp`` computes on them, ``backend`` owns their memory."""
    NAMESPACES[kind] = xp
    if backend is not None:
        BACKENDS[kind] = backend
        PLAIN[kind] = xp


def register_scalar_type(kind: type, xp: Namespace) -> None:
    """Make known that ``xp`` gives scalars of type ``kind`` where others give 0-d arrays."""
    NAMESPACES[kind] = PLAIN[kind] = xp


def is_array(value: object) -> bool:
    """Whether ``value`` is an array of a known library (loading CuPy's backend if it is one of CuPy's).

    >>> is_array(numpy.zeros(3)), is_array([0.0]), is_array(2.0)
    (True, False, False)
    """
    kind = type(value)
    if kind not in BACKENDS and kind.__module__.partition(".")[0] == "cupy" and "cupy" in sys.modules:
        from . import load_cuda

        load_cuda()
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
    return backend_of(array).device(array)
