"""Choosing the device: what is there, what the user asked for, and the fall-back to the CPU."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from contextvars import ContextVar
from functools import cache
from typing import Any

import numpy

from . import cpu, cupy_cache, driver
from .device import Device
from .registry import BACKENDS, EAGER, LOADERS, NAMESPACES, Array, Backend, backend_of, device_of, recorder

logger = logging.getLogger("gpugrad")

_chosen: ContextVar[Device | None] = ContextVar("gpugrad_default_device", default=None)


@cache
def load_cuda() -> Backend:
    """CuPy's backend, loaded when first asked for.

    Raises:
        RuntimeError: there is no driver, no CuPy or no GPU; the message says which and what helps.
    """
    cupy_cache.make_usable()
    try:
        from . import cuda
    except ImportError as error:
        found = driver.version()
        if found is None:
            raise RuntimeError(f"no CUDA GPU: {NO_DRIVER}, and CuPy cannot be imported ({error})") from error
        raise RuntimeError(
            f"CuPy cannot be imported ({error}); pip install 'gpugrad[{driver.extra(found)}]' brings it"
        ) from error
    backend = cuda.register()
    if not backend.count:
        raise RuntimeError(f"no CUDA GPU: {_reason(cuda.device_status())}")
    return backend


LOADERS["cupy"] = lambda: load_cuda()

NO_DRIVER = "no NVIDIA driver was found"


def _reason(status: str) -> str:
    """Why the driver shows no device."""
    found = driver.version()
    if found is None:
        return NO_DRIVER
    if "InsufficientDriver" in status:
        return (
            f"the NVIDIA driver runs CUDA {driver.dotted(found)} and before, CuPy is built for a later one: install a "
            f"newer driver, or pip install 'gpugrad[{driver.extra(found)}]' instead of the installed CuPy"
        )
    return f"CuPy is installed, but the NVIDIA driver shows no device{status and f' ({status})'}"


def forget_cuda() -> None:
    """Forget which CUDA backend there is, so that the next use looks again: another library stands behind the name.

    Arrays of the old library are unknown afterwards.
    """
    load_cuda.cache_clear()
    _automatic_device.cache_clear()
    package = __name__.rpartition(".")[0]
    for name in ("cuda", "transfers", "cupy_functions"):
        if sys.modules.pop(f"{package}.{name}", None) is not None:
            delattr(sys.modules[package], name)
    for kind, owner in [(kind, owner) for kind, owner in BACKENDS.items() if owner.name == "cuda"]:
        owner.use_several(False)
        for table in (BACKENDS, NAMESPACES, EAGER):
            table.pop(kind, None)


def backend_for(device: Device, recorded: bool = True) -> Backend:
    """The backend that owns ``device``; while a function is recorded, the recorder's, which makes arrays there.

    Args:
        device: where arrays are to be made.
        recorded: False for the real one in any case.

    Raises:
        RuntimeError: there is no such device.
    """
    if recorded:
        writer = recorder()
        if writer is not None:
            return writer.owner  # type: ignore[no-any-return]
    if device.type == "cpu":
        return cpu.backend
    backend = load_cuda()
    if device.index >= backend.count:
        raise RuntimeError(f"no device {device}: this machine has {backend.count} CUDA GPU(s)")
    return backend


@cache
def _automatic_device() -> Device:
    try:
        load_cuda()
    except RuntimeError as error:
        if driver.version() is None:  # nobody expects a GPU here
            return cpu.CPU
        logger.warning("gpugrad computes on the CPU: %s. GPUGRAD_DEVICE=cpu chooses it without this note.", error)
        return cpu.CPU
    return Device("cuda")


def default_device() -> Device:
    """The device on which new tensors are made.

    In this order: what :func:`set_default_device` chose in this context, the environment variable
    ``GPUGRAD_DEVICE``, the first GPU, the CPU (with an NVIDIA driver, this is said once on the logger ``gpugrad``).

    Raises:
        RuntimeError: ``GPUGRAD_DEVICE`` names a device that is not there.
    """
    chosen = _chosen.get()
    if chosen is None:
        wanted = os.environ.get("GPUGRAD_DEVICE")
        chosen = Device(wanted) if wanted else _automatic_device()
        backend_for(chosen)
    return chosen


def choose(device: Device | str | None) -> Any:
    """Set this context's default device (None: decide again); returns a token for :func:`restore`."""
    if device is None:
        return _chosen.set(None)
    wanted = Device(device)
    backend_for(wanted)
    return _chosen.set(wanted)


def restore(token: Any) -> None:
    """Undo one :func:`choose`."""
    _chosen.reset(token)


def transfer(array: Array, device: Device) -> Array:
    """``array`` on ``device``: itself if it is there already, a copy otherwise."""
    source = device_of(array)
    if source == device:
        return array
    owner, target = backend_of(array), backend_for(device)
    if owner is target:
        return owner.move(array, device)
    return target.from_host(owner.to_host(array), device)


def beside(array: Array) -> AbstractContextManager[Any]:
    """Compute on the device of ``array``, whichever is the current one, inside a ``with`` block."""
    owner = BACKENDS.get(type(array))
    return owner.using(owner.device(array)) if owner is not None and owner.several_devices else nullcontext()


def lifted(array: Array) -> Array:
    """``array`` for code that computes with it directly: while a function is recorded, that of the recorder."""
    writer = recorder()
    return array if writer is None else writer.lift(array)


def duplicate(array: Array) -> Array:
    """A copy of ``array`` on its own device."""
    array = lifted(array)
    owner = BACKENDS.get(type(array))
    if owner is None or not owner.several_devices:
        return array.copy()
    with beside(array):
        return array.copy()


def overflowing() -> AbstractContextManager[Any]:
    """A context for computations that may overflow: NumPy does not warn of infinities and NaN there.

    >>> with overflowing():
    ...     numpy.float32(1e38) * numpy.float32(10)
    np.float32(inf)
    """
    return numpy.errstate(over="ignore", invalid="ignore")


def overwrite(array: Array, values: Array) -> None:
    """Write ``values`` over all of ``array``, on its own device."""
    writer = recorder()
    if writer is not None:
        writer.overwrite(array, values)
        return
    with beside(array):
        array[...] = values


def to_host(array: Array) -> numpy.ndarray:
    """A NumPy copy of ``array``, from whatever device."""
    writer = recorder()
    if writer is not None:
        writer.look_at(array, "a copy on the host")
    return backend_of(array).to_host(array)


def fetch(arrays: Sequence[Array]) -> Callable[[], list[numpy.ndarray]]:
    """Begin to copy arrays to the host as they are now; the function returned waits for the copies.

    The arrays may be written to at once.

    >>> fetch([numpy.arange(3)])()
    [array([0, 1, 2])]
    """
    writer = recorder()
    if writer is not None:
        for array in arrays:
            writer.look_at(array, "a copy on the host")
    if len(set(map(type, arrays))) == 1:  # a loop is held here while a checkpoint begins: hundreds of arrays
        return backend_of(arrays[0]).fetch(arrays)
    owners = [backend_of(array) for array in arrays]
    parts = {
        owner: owner.fetch([a for a, o in zip(arrays, owners, strict=True) if o is owner])
        for owner in dict.fromkeys(owners)
    }

    def wait() -> list[numpy.ndarray]:
        copies = {owner: iter(part()) for owner, part in parts.items()}
        return [next(copies[owner]) for owner in owners]

    return wait


def look(array: Array) -> None:
    """Raise what the checks of indices have found on the device of ``array``, which the host has just waited for.

    Raises:
        IndexError: an index or a class label was out of range.
    """
    writer = recorder()
    if writer is not None:
        writer.look_at(array, "item, tolist or bool")
    BACKENDS[type(array)].look(array)


def synchronize(device: Device | str | None = None) -> None:
    """Wait until a device has done all its work, and raise what it found wrong with indices and class labels.

    On a GPU, operations are queued and their indices checked there: one that is out of bounds raises when the host next
    waits for a value (``item``, ``numpy``, ``tolist``, printing), or here. On the CPU there is nothing to wait for.

    Args:
        device: None for all.

    Raises:
        IndexError: an index or a label was out of range; names the operation, the value and the size.
        RuntimeError: there is no such device.

    Source: ``torch.cuda.synchronize``.

    >>> import gpugrad as gg
    >>> gg.synchronize()
    """
    if device is None:
        for owner in set(BACKENDS.values()):
            owner.synchronize()
    else:
        place = Device(device)
        backend_for(place).synchronize(place)
