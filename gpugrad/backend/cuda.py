"""CuPy arrays, on CUDA GPUs. Imported only when a GPU is asked for.

Only this module, :mod:`.transfers` and :mod:`.cupy_functions` import CuPy.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from types import TracebackType
from typing import Any

import cupy
import numpy

from . import bounds, compiler, cupy_functions
from .device import Device
from .dtypes import name_of, struct_of
from .memory import out_of_memory
from .registry import MATRIX_FUNCTIONS, SPECIAL, Array, Backend, Upload, register_array_type
from .transfers import Downloads, Handover, InFlight, Slots, Uploads, event, native, stream_key
from .usage import Usage

NO_STREAM = -1
"""DLPack's stream of a consumer that does the waiting itself."""


class CUDABackend(Backend):
    """CuPy: one memory for each GPU; kernels are launched on CuPy's current stream."""

    name = "cuda"
    xp = cupy_functions.namespace()
    compiles = True
    racing = True

    def __init__(self) -> None:
        self.count = device_count()
        self.used = set(range(min(self.count, 1)))
        """The devices that were worked on: touching another one would cost it memory. The first one is current in every
        thread, so that nothing has to be said about devices as long as no other is used (see :meth:`notice`).
        """
        self._places = [Device(f"cuda:{index}") for index in range(self.count)]
        self.bounds = bounds.Bounds(self)
        self._functions: dict[Any, Any] = {}
        self._launches: dict[Any, Callable[..., None]] = {}
        self._downloads: dict[int, Downloads] = {}
        self._slots: dict[int, Slots] = {}
        self._held = InFlight()

    def device(self, array: Array) -> Device:
        return self._places[self.device_id(array)]

    def from_host(self, array: numpy.ndarray, device: Device) -> Array:
        with self.using(device):
            return cupy.asarray(native(array))

    def to_host(self, array: Array) -> numpy.ndarray:
        host: numpy.ndarray = cupy.asnumpy(array)
        self.look(array)
        return host

    def move(self, array: Array, device: Device) -> Array:
        with self.using(device):
            return cupy.array(array)

    def fetch(self, arrays: Sequence[Array]) -> Callable[[], list[numpy.ndarray]]:
        """Queued on the current stream of each device, into pinned memory: the host waits for nothing."""
        if self.count == 1:
            return self._downloads.setdefault(0, Downloads())(arrays)
        devices = [self.device_id(array) for array in arrays]
        parts = {}
        for device in dict.fromkeys(devices):
            downloads = self._downloads.setdefault(device, Downloads())
            mine = [array for array, place in zip(arrays, devices, strict=True) if place == device]
            with self._beside(mine[0]):
                parts[device] = downloads(mine)

        def wait() -> list[numpy.ndarray]:
            copies = {device: iter(part()) for device, part in parts.items()}
            return [next(copies[device]) for device in devices]

        return wait

    def handover(self, arrays: Sequence[Array]) -> Callable[[], list[Array]]:
        return Handover(arrays, self._held)

    def notice(self, device: int) -> None:
        """Note that a device is used."""
        self.used.add(device)
        if device and not self.several_devices:
            self.use_several(True)

    def look_around(self) -> bool:
        if self.count > 1 and not self.several_devices:
            self.notice(cupy.cuda.runtime.getDevice())
        return self.several_devices

    def use_several(self, several: bool) -> None:
        super().use_several(several)
        for table in (self._functions, self._launches) if several else ():
            for source in [key for key in table if isinstance(key, str)]:
                table[source, 0] = table.pop(source)

    def export(
        self, array: Array, stream: Any = None, max_version: tuple[int, int] | None = None,
        dl_device: tuple[int, int] | None = None, copy: bool | None = None,
    ) -> Any:  # fmt: skip
        if not copy or dl_device not in (None, array.__dlpack_device__()):
            return super().export(array, stream, max_version, dl_device, copy)
        # CuPy copies to the CPU alone. The copy is made on the stream that will use it, in memory of that stream.
        with self._beside(array):
            ours = cupy.cuda.get_current_stream()
            theirs = ours if stream == NO_STREAM else _stream(stream)
            theirs.wait_event(ours.record(event()))
            with theirs:
                made = array.copy()
            self._held.hold(theirs.record(event()), array)
            return made.__dlpack__(stream=NO_STREAM, max_version=max_version)

    def using(self, device: Device) -> AbstractContextManager[Any]:
        self.look_around()
        self.notice(device.index)
        return Working(self, device)

    def run(
        self, source: str, name: str, grid: tuple[int, ...], block: tuple[int, ...], arguments: tuple[Any, ...],
        shared: int = 0,
    ) -> None:  # fmt: skip
        self._function(source, name)(grid, block, arguments, shared_mem=shared)

    def launch(self, source: str, name: str, threads: int, arguments: tuple[Any, ...], block: int = 256) -> None:
        if threads:
            key = (source, self.current_index) if self.several_devices else source
            start = self._launches.get(key)
            if start is None:
                start = self._launches[key] = self.launcher(source, name)
            start(-(-threads // block) * block, arguments, 0, block)

    def launcher(self, source: str, name: str) -> Callable[[int, tuple[Any, ...], int, int], None]:
        """Without RawKernel's own call, which takes longer than the launch."""
        start: Callable[[int, tuple[Any, ...], int, int], None] = self._function(source, name).linear_launch
        return start

    @property
    def current_index(self) -> int:
        return int(cupy.cuda.runtime.getDevice())

    def struct(self, numbers: tuple[int, ...], wide: bool) -> Any:
        """In the form into which CuPy would turn the array at each launch, where it has one."""
        made = getattr(getattr(cupy.cuda, "function", None), "CNumpyArray", numpy.asarray)
        return made(struct_of(numbers, wide))

    def _function(self, source: str, name: str) -> Any:
        key = (source, self.current_index) if self.several_devices else source
        function = self._functions.get(key)
        if function is None:
            if self.look_around() and key is source:
                return self._function(source, name)
            function = self._functions[key] = self._load(source, name)
        return function

    def _load(self, source: str, name: str) -> Any:
        """A kernel's function: from machine code that is kept on disk, or from the source where there is no NVRTC."""
        if not hasattr(cupy.cuda, "nvrtc"):
            return cupy.RawModule(code=source).get_function(name).kernel
        device = cupy.cuda.Device()
        integrated = bool(cupy.cuda.runtime.getDeviceProperties(device.id)["integrated"])
        code = compiler.cached(source, name, f"sm_{device.compute_capability}", integrated)
        module = cupy.cuda.function.Module()  # RawModule takes a path, which Windows opens in its own encoding
        module.load(code if isinstance(code, bytes) else code.read_bytes())
        return module.get_function(name)

    def empty_beside(self, array: Array, dtype: Any) -> Array:
        strides = array.strides
        if dtype.itemsize != array.itemsize:
            strides = tuple([s // array.itemsize * dtype.itemsize for s in strides])
        return cupy.ndarray(array.shape, dtype, cupy.cuda.alloc(array.size * dtype.itemsize), strides)

    def add_at(self, array: Array, index: Any, values: Array) -> None:
        for part, given in ((array, values),) if array.dtype.kind != "c" else (
            (array.real, values.real), (array.imag, values.imag)):  # fmt: skip
            cupy.add.at(part, index, given)

    def last_at(self, index: Any, shape: tuple[int, ...]) -> Array:
        size = math.prod(shape)
        with self._beside(next(entry for entry in index if hasattr(entry, "dtype")) if type(index) is tuple else index):
            places = cupy.arange(size).reshape(shape)[index]
            last = cupy.full(size, -1)
            cupy.maximum.at(last, places.reshape(-1), cupy.arange(places.size))
            return last[places]

    def wider(self, operands: Sequence[Any]) -> list[Any] | None:
        large = [type(value) is int and not -(2**63) <= value < 2**63 for value in operands]
        floating = any(value.dtype.kind in "fc" for value in operands if hasattr(value, "dtype"))
        if not floating or not any(large):
            return None
        return [float(value) if wide else value for value, wide in zip(operands, large, strict=True)]

    # ---------------------------------------------------------------- indices, see bounds.py

    def check_index(self, index: Any, shape: tuple[int, ...], name: str = "index") -> None:
        self.bounds.check_index(index, shape, name)

    def check_labels(self, labels: Array, classes: int, ignored: int | None = None, name: str = "labels") -> None:
        self.bounds.check_labels(labels, classes, ignored, name)

    def check_values(self, x: Array, low: float, high: float, text: str) -> None:
        if x.size:
            with self._beside(x):
                self.bounds.check_values(((x < low) | (x > high)).astype("uint8"), text)

    def look(self, array: Array, line: str | None = None) -> None:
        if self.bounds.pending:
            self._raise_found(self.device_id(array), line)

    def synchronize(self, device: Device | None = None) -> None:
        indices = sorted(self.used) if device is None else [device.index]
        for index in indices:
            cupy.cuda.Device(index).synchronize()
        for index in indices:
            self._raise_found(index, everything=True)

    def _raise_found(self, device: int, line: str | None = None, everything: bool = False) -> None:
        wrong = self.bounds.found(device, everything)
        if wrong is not None:
            error, text = wrong
            found = f"made at {line}" if line else f"found when the host next waited for cuda:{device}"
            raise error(f"{text} [{found}{'' if line else '; gg.debug() names the line'}]")

    def device_id(self, array: Array) -> int:
        """The number of the device that holds ``array``."""
        if self.count == 1:
            return 0
        number = int(array.data.device_id)
        if number and not self.several_devices:
            self.notice(number)
        return number

    def stream_id(self, device: int) -> Any:
        """What tells apart the current stream of a device."""
        return stream_key(device)

    def new_report(self, device: int) -> Array:
        """Four integers on a device, for a kernel to report in."""
        with cupy.cuda.Device(device):
            return cupy.zeros(4, dtype=cupy.int64)

    def report(self, index: Array, number: int, low: int, high: int, ignored: int | None, into: Array) -> None:
        """Launch the kernel of :mod:`.bounds` where ``index`` is."""
        with self._beside(index):
            if not index.flags.c_contiguous:
                index = cupy.ascontiguousarray(index)
            numbers = (low, high, int(ignored is not None), ignored or 0, number)
            arguments = (index, index.size, *numbers, into)
            self.launch(bounds.source(name_of(index.dtype)), bounds.NAME, index.size, arguments)

    def take(self, report: Array) -> list[int]:
        """What is in a report; it is empty afterwards."""
        found: list[int] = cupy.asnumpy(report).tolist()
        if found[0]:
            with self._beside(report):
                report.fill(0)
                cupy.cuda.get_current_stream().synchronize()  # before the stream it belongs to checks again
        return found

    def _beside(self, array: Array) -> AbstractContextManager[Any]:
        device = self.device_id(array)
        if self.several_devices and cupy.cuda.runtime.getDevice() != device:
            context: AbstractContextManager[Any] = cupy.cuda.Device(device)
            return context
        return nullcontext()

    # ---------------------------------------------------------------- memory

    def uploader(self, device: Device, depth: int) -> Upload:
        slots = self._slots.get(device.index) or self._slots.setdefault(device.index, Slots(device))
        return Uploads(lambda: self.using(device), slots, depth)

    def describe(self, device: Device) -> str:
        name = cupy.cuda.runtime.getDeviceProperties(device.index)["name"]
        return name.decode() if isinstance(name, bytes) else str(name)

    def memory(self, device: Device) -> Usage:
        with cupy.cuda.Device(device.index):
            pool = cupy.get_default_memory_pool()
            free, total = cupy.cuda.runtime.memGetInfo()
            return Usage(int(pool.used_bytes()), int(pool.total_bytes()), int(free), int(total))


class Foreign:
    """A stream that another library made, by its handle."""

    def __init__(self, handle: int) -> None:
        self.handle = handle

    def __cuda_stream__(self) -> tuple[int, int]:
        return 0, self.handle  # the version of the protocol


def _stream(number: int | None) -> Any:
    """The stream that DLPack's ``stream`` names; None and 1 are the legacy default stream."""
    return cupy.cuda.Stream.null if number in (None, 0, 1) else cupy.cuda.Stream.from_external(Foreign(number))


class Working:
    """A device as the current one; CuPy's out-of-memory error is told in terms of what is in memory."""

    __slots__ = ("_context", "device", "owner")

    def __init__(self, owner: CUDABackend, device: Device) -> None:
        self.owner = owner
        self.device = device
        self._context = cupy.cuda.Device(device.index)

    def __enter__(self) -> None:
        self._context.__enter__()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._context.__exit__(kind, error, traceback)
        if error is not None and isinstance(error, cupy.cuda.memory.OutOfMemoryError):
            raise MemoryError(out_of_memory(error, self.device, self.owner.memory(self.device))) from error


def device_count() -> int:
    """How many GPUs the driver shows; 0 where there is no driver."""
    try:
        return int(cupy.cuda.runtime.getDeviceCount())
    except cupy.cuda.runtime.CUDARuntimeError:
        return 0


def device_status() -> str:
    """Why the driver shows no GPU, in its own words; empty if it gives no error."""
    try:
        cupy.cuda.runtime.getDeviceCount()
    except cupy.cuda.runtime.CUDARuntimeError as error:
        return str(error)
    return ""


def register() -> CUDABackend:
    """Make CuPy's arrays known."""
    backend = CUDABackend()
    register_array_type(cupy.ndarray, backend.xp, backend)
    SPECIAL[backend.xp] = cupy_functions.Special()
    MATRIX_FUNCTIONS[backend.xp] = "cupyx.scipy.linalg"
    return backend
