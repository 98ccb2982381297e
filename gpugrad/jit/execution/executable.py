"""A program that is ready to run."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy

from ...backend import BACKENDS, Array, llvm
from ...kernels.compiled import FLAT
from ...tracing.program import Program
from ..passes import canonical, common, dead, optimized
from .device import Device
from .host import Host, UnplannedError


class Executable:
    """A program that is called as ``executable(arrays, scalars)``, and gives the outputs as fresh arrays.

    Arrays that the program writes to are changed. It may be called by several threads at once. What it needs for
    arrays of NumPy is made at the first call with them.

    Attributes:
        program: what it was made of.
        host: what runs it on arrays of NumPy; None before the first call, and where nothing could be planned.
        device: what runs it on a GPU; None before the first call, and elsewhere.
    """

    def __init__(self, program: Program) -> None:
        self.program = program
        self.host: Host | None = None
        self.device: Device | None = None
        self._known = False
        self._frames: list[Callable[..., list[Array]]] = []

    def __call__(self, arrays: Sequence[Array], scalars: Sequence[Any] = ()) -> list[Array]:
        """Run the program.

        Raises:
            ValueError: the number, the shapes or the dtypes of the inputs are not those of the program.
        """
        if not self._known:
            self._prepare(arrays)
        made = self.host or self.device
        if made is None:
            return self._replayed(arrays, scalars)
        try:
            run = self._frames.pop()
        except IndexError:
            run = made.frame()
        try:
            return run(arrays, scalars)
        except UnplannedError:
            pass
        finally:
            self._frames.append(run)
        return self._unusual(arrays, scalars)

    def _prepare(self, arrays: Sequence[Array]) -> None:
        if all(type(a) is numpy.ndarray for a in arrays):
            passes = (canonical, common, dead)
            program = optimized(self.program) if llvm.machine() is not None else optimized(self.program, passes)
            try:
                self.host = Host(program)
            except UnplannedError:
                self.host = None
        elif arrays and BACKENDS[type(arrays[0])].compiles and len({type(a) for a in arrays}) == 1:
            self.device = Device(optimized(self.program), BACKENDS[type(arrays[0])])
        self._known = True

    def _replayed(self, arrays: Sequence[Array], scalars: Sequence[Any]) -> list[Array]:
        """The calls as they were recorded, with outputs that are no views of inputs."""
        outputs = self.program.replay(arrays, scalars)
        given = {id(a) for a in arrays} | {id(a.base) for a in arrays if a.base is not None}
        return [a.copy() if id(a) in given or id(a.base) in given else a for a in outputs]

    def _unusual(self, arrays: Sequence[Array], scalars: Sequence[Any]) -> list[Array]:
        """Inputs that are not contiguous, or that overlap."""
        self.program.check(arrays)
        host = self.host
        if host is None or any(
            numpy.may_share_memory(arrays[i], a) for i in host.written for k, a in enumerate(arrays) if k != i
        ):
            return self._replayed(arrays, scalars)
        flat = [a if a.flags.num & FLAT == FLAT else a.copy(order="C") for a in arrays]
        outputs = host.frame()(flat, scalars)
        for i in host.written:
            if flat[i] is not arrays[i]:
                arrays[i][...] = flat[i]
        return outputs

    def __str__(self) -> str:
        if self.device is not None:
            return f"{self.device.program}\n{len(self.device.calls)} calls: {', '.join(self.device.calls)}"
        if self.host is None:
            return f"{self.program}\nnot planned: its calls are made as they were recorded"
        host = self.host
        return (
            f"{host.program}\n{len(host.tape.records)} calls of machine code, {len(host.others)} of NumPy and kernels: "
            f"{', '.join(host.others) or 'none'}\narena: {host.plan.nbytes} bytes, at least {host.plan.least}"
        )


def compile(program: Program) -> Executable:
    """A function that does what a program does.

    Args:
        program: as :func:`gpugrad.trace` gives it.

    Returns:
        A function of the arrays in the place of the program's inputs, and of the numbers in the place of its scalars,
        that gives a list of the outputs.

    >>> import numpy
    >>> import gpugrad as gg
    >>> from gpugrad.jit.execution import compile
    >>> step = compile(gg.trace(lambda x: gg.exp(x) * 2 + 1)(gg.zeros(3)))
    >>> step([numpy.zeros(3, "float32")])
    [array([3., 3., 3.], dtype=float32)]
    """
    return Executable(program)
