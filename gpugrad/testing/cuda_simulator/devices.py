"""Devices, streams and events, and the calls of the CUDA runtime that programs make.

A simulated stream is always done: work runs when it is queued. What can be tested is that a program names devices
and streams as CuPy wants it to, and how often it waits.
"""

from __future__ import annotations

import itertools
import threading
import time
from typing import Any

from . import memory
from .state import counters, machine

RUNTIME_VERSION = 13000
COMPUTE_CAPABILITY = "90"


class CUDARuntimeError(RuntimeError):
    """An error code of the CUDA runtime."""

    def __init__(self, status: int, name: str, text: str) -> None:
        self.status = status
        super().__init__(f"{name}: {text}")


def check_ordinal(device: int) -> int:
    """``device``, if the machine has it."""
    if not 0 <= device < machine.devices:
        raise CUDARuntimeError(101, "cudaErrorInvalidDevice", "invalid device ordinal")
    return device


# The runtime -------------------------------------------------------------------------------------------------------


def getDeviceCount() -> int:  # noqa: N802  these are CUDA's names
    """How many GPUs the machine has."""
    return machine.devices


def getDevice() -> int:  # noqa: N802
    """The current device of this thread."""
    return machine.current


def setDevice(device: int) -> None:  # noqa: N802
    """Make ``device`` the current one of this thread."""
    machine.current = check_ordinal(int(device))


def deviceSynchronize() -> None:  # noqa: N802
    """Wait until all work on the current device is done."""
    counters.synchronizations += 1


def memGetInfo() -> tuple[int, int]:  # noqa: N802
    """Free and total bytes of the current device."""
    return machine.memory - memory.get_default_memory_pool().total_bytes(), machine.memory


def runtimeGetVersion() -> int:  # noqa: N802
    """Of the CUDA runtime, as 1000 major + 10 minor."""
    return RUNTIME_VERSION


def driverGetVersion() -> int:  # noqa: N802
    """Of the driver, as 1000 major + 10 minor."""
    return RUNTIME_VERSION


def deviceCanAccessPeer(device: int, peer: int) -> int:  # noqa: N802
    """No device can: what lies on another one must be copied."""
    check_ordinal(device), check_ordinal(peer)
    return 0


def getDeviceProperties(device: int) -> dict[str, Any]:  # noqa: N802
    """What kernels ask for when they choose a launch; the numbers are those of an H100."""
    check_ordinal(device)
    return {
        "name": b"CUDA simulator", "major": 9, "minor": 0, "warpSize": 32, "multiProcessorCount": 132,
        "maxThreadsPerBlock": 1024, "maxThreadsPerMultiProcessor": 2048, "sharedMemPerBlock": 48 * 1024,
        "sharedMemPerBlockOptin": 227 * 1024, "sharedMemPerMultiprocessor": 228 * 1024, "regsPerBlock": 65536,
        "totalGlobalMem": machine.memory, "totalConstMem": 65536, "maxThreadsDim": (1024, 1024, 64),
        "maxGridSize": (2**31 - 1, 65535, 65535), "l2CacheSize": 50 * 2**20, "concurrentKernels": 1,
        "unifiedAddressing": 1, "pciBusID": device, "pciDeviceID": 0, "pciDomainID": 0,
    }  # fmt: skip


ATTRIBUTES = {
    "MaxThreadsPerBlock": 1024, "WarpSize": 32, "MultiProcessorCount": 132, "ComputeCapabilityMajor": 9,
    "ComputeCapabilityMinor": 0, "MaxSharedMemoryPerBlock": 48 * 1024, "MaxSharedMemoryPerBlockOptin": 227 * 1024,
    "MaxThreadsPerMultiProcessor": 2048, "MaxGridDimX": 2**31 - 1, "MaxGridDimY": 65535, "MaxGridDimZ": 65535,
}  # fmt: skip


class Device:
    """A simulated GPU; as a context manager, the current one inside the block."""

    __slots__ = ("_before", "id")

    def __init__(self, device: int | Device | None = None) -> None:
        self.id = machine.current if device is None else int(device)
        if self.id < 0:
            raise ValueError(f"Device ID must be a non-negative integer: {device}")
        self._before: list[int] = []

    def __int__(self) -> int:
        return self.id

    def __index__(self) -> int:
        return self.id

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Device) and other.id == self.id

    def __hash__(self) -> int:
        return self.id

    def __lt__(self, other: Device) -> bool:
        return self.id < other.id

    def __repr__(self) -> str:
        return f"<CUDA Device {self.id}>"

    def __enter__(self) -> Device:
        before = machine.current
        setDevice(self.id)
        self._before.append(before)
        return self

    def __exit__(self, *error: object) -> None:
        machine.current = self._before.pop()

    def use(self) -> None:
        setDevice(self.id)

    def synchronize(self) -> None:
        """Wait until all work on this device is done."""
        check_ordinal(self.id)
        deviceSynchronize()

    @property
    def compute_capability(self) -> str:
        return COMPUTE_CAPABILITY

    @property
    def attributes(self) -> dict[str, int]:
        return dict(ATTRIBUTES)

    @property
    def mem_info(self) -> tuple[int, int]:
        with self:
            return memGetInfo()

    @property
    def pci_bus_id(self) -> str:
        return f"0000:{self.id:02X}:00.0"


memory.Memory.device = property(lambda self: Device(self.device_id))


# Streams and events ------------------------------------------------------------------------------------------------

_numbers = itertools.count(1)
_streams = threading.local()


class Event:
    """A mark in a stream."""

    def __init__(self, block: bool = False, disable_timing: bool = False, interprocess: bool = False) -> None:
        if interprocess and not disable_timing:
            raise ValueError("Timing must be disabled for interprocess events")
        self.ptr = next(_numbers)
        self._timed = not disable_timing
        self._time: float | None = None

    @property
    def done(self) -> bool:
        return True

    def record(self, stream: Stream | None = None) -> None:
        self._time = time.perf_counter()

    def synchronize(self) -> None:
        counters.synchronizations += 1


def get_elapsed_time(start_event: Event, end_event: Event) -> float:
    """Milliseconds between two recorded events.

    Raises:
        CUDARuntimeError: one was not recorded, or was made without timing.
    """
    if start_event._time is None or end_event._time is None or not (start_event._timed and end_event._timed):
        raise CUDARuntimeError(400, "cudaErrorInvalidResourceHandle", "invalid resource handle")
    return (end_event._time - start_event._time) * 1e3


class Stream:
    """A queue of work on one device, which is always done with it."""

    null: Stream
    ptds: Stream

    def __init__(
        self, null: bool = False, non_blocking: bool = False, ptds: bool = False, priority: int | None = None
    ) -> None:
        self.ptr = 0 if null else 2 if ptds else next(_numbers) * 256
        self.device_id = -1 if null or ptds else machine.current
        self.is_non_blocking = non_blocking and not null and not ptds
        self.priority = priority or 0
        self._before: list[tuple[int, Stream]] = []

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Stream) and other.ptr == self.ptr

    def __hash__(self) -> int:
        return self.ptr

    def __repr__(self) -> str:
        return f"<Stream {self.ptr} (device {self.device_id})>"

    def __cuda_stream__(self) -> tuple[int, int]:
        return 0, self.ptr

    def _check(self) -> int:
        current = machine.current
        if self.device_id not in (-1, current):
            raise RuntimeError(
                f"The device that the stream is created on ({self.device_id}) does not match with the current "
                f"device ({current})"
            )
        return current

    def __enter__(self) -> Stream:
        device = self._check()
        self._before.append((device, get_current_stream(device)))
        _current_streams()[device] = self
        return self

    def __exit__(self, *error: object) -> None:
        device, before = self._before.pop()
        _current_streams()[device] = before

    def use(self) -> Stream:
        _current_streams()[self._check()] = self
        return self

    @property
    def done(self) -> bool:
        return True

    def synchronize(self) -> None:
        counters.synchronizations += 1

    def record(self, event: Event | None = None) -> Event:
        event = Event() if event is None else event
        event.record(self)
        return event

    def wait_event(self, event: Event) -> None:
        """Later work in this stream comes after the event."""

    def is_capturing(self) -> bool:
        return False

    def launch_host_func(self, callback: Any, arg: Any) -> None:
        callback(arg)


class ExternalStream(Stream):
    """A stream that another library made."""

    def __init__(self, ptr: int, device_id: int = -1) -> None:
        super().__init__()
        self.ptr, self.device_id = ptr, device_id


Stream.null = Stream(null=True)
Stream.ptds = Stream(ptds=True)


def _current_streams() -> dict[int, Stream]:
    if not hasattr(_streams, "current"):
        _streams.current = {}
    streams: dict[int, Stream] = _streams.current
    return streams


def get_current_stream(device_id: int = -1) -> Stream:
    """The stream that work on a device (by default the current one) goes to, in this thread."""
    return _current_streams().get(machine.current if device_id < 0 else device_id, Stream.null)


def reset() -> None:
    """Back to the null streams."""
    _current_streams().clear()
