"""Names of devices."""

from __future__ import annotations

from dataclasses import dataclass

KINDS = ("cpu", "cuda")
"""The kinds of devices; Tensors and modules have a method of each name, which moves them there."""


@dataclass(frozen=True, slots=True)
class Device:
    """Where an array lives: ``cpu``, or ``cuda`` with the number of the GPU.

    >>> Device("cuda:1").index
    1
    >>> Device("cpu") == "cpu"
    True
    """

    type: str
    index: int

    def __init__(self, name: str | Device = "cpu") -> None:
        text = str(name)
        kind, colon, number = text.partition(":")
        if kind not in KINDS or (colon and not number.isdecimal()) or (kind == "cpu" and int(number or 0)):
            raise ValueError(f"expected a device such as 'cpu', 'cuda' or 'cuda:1', got {text!r}")
        object.__setattr__(self, "type", kind)
        object.__setattr__(self, "index", int(number or 0))

    @property
    def is_host(self) -> bool:
        """Whether it is the CPU, whose memory Python itself reads and writes."""
        return self.type == "cpu"

    def __str__(self) -> str:
        return self.type if self.type == "cpu" else f"{self.type}:{self.index}"

    def __repr__(self) -> str:
        return f"device({str(self)!r})"

    def __eq__(self, other: object) -> bool:
        if other is self:
            return True
        if isinstance(other, str):
            other = Device(other)
        return isinstance(other, Device) and (self.type, self.index) == (other.type, other.index)

    def __hash__(self) -> int:
        return hash((self.type, self.index))


def placed(kind: str, device: Device | str | int | None = None) -> Device:
    """The device that ``x.cuda()``, ``x.cuda(1)`` and ``x.cuda("cuda:1")`` name.

    >>> placed("cuda", 1)
    device('cuda:1')
    """
    return Device(kind if device is None else f"{kind}:{device}" if isinstance(device, int) else device)
