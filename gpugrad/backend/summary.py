"""What is in the memory of a device: a summary for the user."""

from __future__ import annotations

from .. import formats
from .device import Device
from .memory import largest
from .selection import backend_for, default_device


def memory_summary(device: Device | str | None = None) -> str:
    """What is in the memory of a device: bytes used by arrays, kept by CuPy's pool, free, and of the whole device.

    Tensors made in debug mode (``gg.debug()``) are listed, the largest first, with shape, dtype, bytes and the line
    that made them. On the CPU, "in use" is the memory of the process.

    Args:
        device: None for the default device.

    Returns:
        Lines of text; sizes in binary units (1 KiB = 1024 B).

    Raises:
        RuntimeError: there is no such device.

    Source: ``torch.cuda.memory_summary``.

    >>> import gpugrad as gg
    >>> print(gg.memory_summary("cpu"))  # doctest: +ELLIPSIS
    cpu
      in use      ...
      free        ...
      total       ...
    """
    place = default_device() if device is None else Device(device)
    usage = backend_for(place).memory(place)
    rows = [("in use", usage.used), ("free", usage.free), ("total", usage.total)]
    if usage.held is not None:
        rows.insert(1, ("held by the pool", usage.held))
    lines = [str(place), *(f"  {name:<18}{formats.size(size):>12}" for name, size in rows)]
    listed = largest(place)
    return "\n".join([*lines, "  largest tensors made in debug mode", *listed] if listed else lines)
