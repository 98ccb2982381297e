"""Devices, and the calls of the CUDA runtime that programs make."""

from __future__ import annotations

from typing import Any

from . import memory, queues
from .state import CUDARuntimeError, counters, machine

RUNTIME_VERSION = 13000
COMPUTE_CAPABILITY = "90"


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
    if queues.waiting:
        queues.finish(machine.current)


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
        "name": b"CUDA simulator", "major": 9, "minor": 0, "integrated": 0, "warpSize": 32, "multiProcessorCount": 132,
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
