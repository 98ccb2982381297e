"""The processes that train together: who this one is, and how it ends with the others."""

from __future__ import annotations

import atexit
import os
import sys
import time
from collections.abc import Mapping
from types import TracebackType
from typing import Any

from .. import backend
from ..backend import Device, logger
from ..backend.cpu import CPU
from .channel import Channel

SIZES = ("WORLD_SIZE", "OMPI_COMM_WORLD_SIZE", "PMI_SIZE", "MPI_LOCALNRANKS", "SLURM_NTASKS")
RANKS = ("RANK", "OMPI_COMM_WORLD_RANK", "PMI_RANK", "SLURM_PROCID")
LOCAL_RANKS = ("LOCAL_RANK", "OMPI_COMM_WORLD_LOCAL_RANK", "MPI_LOCALRANKID", "SLURM_LOCALID")

EXTRA = (
    "pip install 'gpugrad[distributed]' brings mpi4py; where the machine has no MPI library, pip install mpich brings "
    "one, with mpiexec"
)

DRAIN = 1.0
"""Seconds in which ``mpiexec`` passes on what the ranks have printed, before all are ended."""

GRACE = 10.0
"""Seconds in which all ranks end, after one did with an error."""


class World:
    """The processes, and this one among them.

    Attributes:
        rank: the number of this process.
        size: how many there are.
        local_rank: the number among the processes of this machine.
        timeout: seconds after which a rank that does not come to a call is missing.
        channel: for calls of the main thread; None with a single process and without MPI.
    """

    def __init__(self, communicator: Any, timeout: float, environment: Mapping[str, str]) -> None:
        self.timeout = timeout
        self.communicator = communicator
        self.rank: int = 0 if communicator is None else communicator.Get_rank()
        self.size: int = 1 if communicator is None else communicator.Get_size()
        self.local_rank = self._local(environment)
        self.left = False
        self.channels: list[Channel] = []
        self.channel = self.new_channel()

    def _local(self, environment: Mapping[str, str]) -> int:
        told = _number(environment, LOCAL_RANKS)
        if told is not None or self.communicator is None:
            return told or 0
        from mpi4py import MPI

        machine = self.communicator.Split_type(MPI.COMM_TYPE_SHARED, key=self.rank)
        number: int = machine.Get_rank()
        machine.Free()
        return number

    def new_channel(self) -> Channel:
        """Another way of talking to the other ranks, for another thread; all ranks ask for it together."""
        made = Channel(_Alone() if self.communicator is None else self.communicator, self.timeout)
        self.channels.append(made)
        return made

    @property
    def device(self) -> Device:
        """The device of this process: the GPU with the number of its local rank, where there are GPUs."""
        default = backend.default_device()
        if default.type == "cpu":
            return CPU
        return Device(f"{default.type}:{self.local_rank % backend.backend_for(default).count}")

    def leave(self, error: BaseException) -> None:
        """End together with all others, after an error: they are told, and whoever does not end in time is ended."""
        self.left = True
        why = str(error).partition("\n")[0]
        text = f"{type(error).__name__}: {why}"
        for channel in self.channels:
            channel.leave(text)
        end = time.monotonic() + min(GRACE, self.timeout)
        request = self.communicator.Ibarrier()
        while not request.Test() and time.monotonic() < end:
            time.sleep(0.01)
        sys.stdout.flush()
        sys.stderr.flush()
        time.sleep(DRAIN)
        self.communicator.Abort(1)


class _Alone:
    """In the place of a communicator, for one process."""

    def Dup(self) -> _Alone:  # noqa: N802  mpi4py's names
        return self

    def Get_rank(self) -> int:  # noqa: N802
        return 0

    def Get_size(self) -> int:  # noqa: N802
        return 1


_world: list[World] = []


def init(timeout: float = 600.0) -> World:
    """Join the processes that were started together; a second call gives the same world.

    ``mpiexec -n 4 python train.py``, Slurm's ``srun`` and what else starts MPI programs start the processes. A program
    that is started alone is a world of one, which needs no MPI.

    Args:
        timeout: seconds after which a rank that does not come to a call is missing, and all end.

    Returns:
        the world: its ``rank``, ``size``, ``local_rank`` and ``device``. From now on an error that ends this process
        ends all of them.

    Raises:
        ImportError: several processes were started, and mpi4py is not installed.

    >>> world = init()
    >>> world.rank, world.size
    (0, 1)
    """
    if not _world:
        _world.append(World(_communicator(os.environ), timeout, os.environ))
        if _world[0].size > 1:
            _end_together(_world[0])
    return _world[0]


def _communicator(environment: Mapping[str, str]) -> Any:
    """MPI's communicator of all processes; None where there is one alone and no MPI."""
    count = started(environment)
    if count == 1:
        return None
    try:
        from mpi4py import MPI
    except (ImportError, RuntimeError) as error:
        raise ImportError(f"{count} processes were started together, and they talk over MPI: {EXTRA}") from error
    if MPI.COMM_WORLD.Get_size() == 1:
        raise RuntimeError(
            f"{count} processes were started together, but MPI knows of one: start them with the mpiexec of the MPI "
            f"library that mpi4py uses ({MPI.Get_library_version().partition(chr(10))[0]}), or with srun"
        )
    return MPI.COMM_WORLD


def started(environment: Mapping[str, str]) -> int:
    """How many processes were started together, by what MPI, Slurm or ``torchrun`` leaves in the environment."""
    return _number(environment, SIZES) or 1


def _number(environment: Mapping[str, str], names: tuple[str, ...]) -> int | None:
    for name in names:
        if environment.get(name, "").isdigit():
            return int(environment[name])
    return None


def _end_together(world: World) -> None:
    """Let an uncaught error of this process end all."""
    before = sys.excepthook

    def ended(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        before(kind, error, trace)
        if not isinstance(error, SystemExit):
            world.leave(error)

    sys.excepthook = ended
    atexit.register(_wait_for_others, world)


def _wait_for_others(world: World) -> None:
    """At the end of the process: it waits for the others, not for ever. Whoever still waits for it is told."""
    if world.left:
        return
    for channel in world.channels:
        channel.leave("")
    request = world.communicator.Ibarrier()
    end = time.monotonic() + world.timeout + GRACE
    while not request.Test():
        if time.monotonic() > end:
            logger.error("rank %d has ended, and others did not within %g s", world.rank, world.timeout)
            world.communicator.Abort(1)
        time.sleep(0.001)


def is_initialized() -> bool:
    """Whether :func:`init` was called."""
    return bool(_world)
