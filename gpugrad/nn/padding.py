"""Layers that put a border around signals, images and volumes; see :func:`gpugrad.nn.functional.pad`."""

from __future__ import annotations

from typing import Any, ClassVar

from ..core import Tensor
from . import functional
from .module import Module


class _Pad(Module):
    """A border of the same width everywhere, or with a width before and behind each axis, from the last one on.

    Raises:
        ValueError: another number of widths.
    """

    AXES: ClassVar[int]
    MODE: ClassVar[str]

    def __init__(self, padding: int | tuple[int, ...]) -> None:
        super().__init__()
        widths = (padding,) * (2 * self.AXES) if isinstance(padding, int) else tuple(padding)
        if len(widths) != 2 * self.AXES:
            raise ValueError(f"{type(self).__name__}: expected a width, or {2 * self.AXES} widths, got {padding}")
        self.padding = widths

    def forward(self, input: Tensor) -> Tensor:
        return functional.pad(input, self.padding, self.MODE)

    def extra_repr(self) -> str:
        """The widths."""
        return f"{self.padding}"


class _ConstantPad(_Pad):
    MODE = "constant"

    def __init__(self, padding: int | tuple[int, ...], value: Any) -> None:
        super().__init__(padding)
        self.value = value

    def forward(self, input: Tensor) -> Tensor:
        return functional.pad(input, self.padding, self.MODE, self.value)

    def extra_repr(self) -> str:
        """The widths and the constant."""
        return f"padding={self.padding}, value={self.value}"


class ZeroPad1d(_Pad):
    """Zeros around a signal, ``(N, C, L)``, or without N.

    Source: ``torch.nn.ZeroPad1d``.

    >>> import gpugrad as gg
    >>> gg.nn.ZeroPad1d((1, 2))(gg.tensor([[1.0, 2.0, 3.0]])).tolist()
    [[0.0, 1.0, 2.0, 3.0, 0.0, 0.0]]
    """

    AXES = 1
    MODE = "constant"


class ZeroPad2d(_Pad):
    """Zeros around an image, ``(N, C, H, W)``, or without N.

    Source: ``torch.nn.ZeroPad2d``.

    >>> import gpugrad as gg
    >>> gg.nn.ZeroPad2d((1, 2, 0, 0))(gg.tensor([[[1.0, 2.0, 3.0]]])).tolist()
    [[[0.0, 1.0, 2.0, 3.0, 0.0, 0.0]]]
    """

    AXES = 2
    MODE = "constant"


class ZeroPad3d(_Pad):
    """Zeros around a volume, ``(N, C, D, H, W)``, or without N.

    Source: ``torch.nn.ZeroPad3d``.

    >>> import gpugrad as gg
    >>> gg.nn.ZeroPad3d((1, 2, 0, 0, 0, 0))(gg.tensor([[[[1.0, 2.0, 3.0]]]])).tolist()
    [[[[0.0, 1.0, 2.0, 3.0, 0.0, 0.0]]]]
    """

    AXES = 3
    MODE = "constant"


class ConstantPad1d(_ConstantPad):
    """A constant around a signal, ``(N, C, L)``, or without N.

    Source: ``torch.nn.ConstantPad1d``.

    >>> import gpugrad as gg
    >>> gg.nn.ConstantPad1d((1, 2), 9.0)(gg.tensor([[1.0, 2.0, 3.0]])).tolist()
    [[9.0, 1.0, 2.0, 3.0, 9.0, 9.0]]
    """

    AXES = 1


class ConstantPad2d(_ConstantPad):
    """A constant around an image, ``(N, C, H, W)``, or without N.

    Source: ``torch.nn.ConstantPad2d``.

    >>> import gpugrad as gg
    >>> gg.nn.ConstantPad2d((1, 2, 0, 0), 9.0)(gg.tensor([[[1.0, 2.0, 3.0]]])).tolist()
    [[[9.0, 1.0, 2.0, 3.0, 9.0, 9.0]]]
    """

    AXES = 2


class ConstantPad3d(_ConstantPad):
    """A constant around a volume, ``(N, C, D, H, W)``, or without N.

    Source: ``torch.nn.ConstantPad3d``.

    >>> import gpugrad as gg
    >>> gg.nn.ConstantPad3d((1, 2, 0, 0, 0, 0), 9.0)(gg.tensor([[[[1.0, 2.0, 3.0]]]])).tolist()
    [[[[9.0, 1.0, 2.0, 3.0, 9.0, 9.0]]]]
    """

    AXES = 3


class ReflectionPad1d(_Pad):
    """A mirror on the last element around a signal, ``(N, C, L)``, or without N.

    Source: ``torch.nn.ReflectionPad1d``.

    >>> import gpugrad as gg
    >>> gg.nn.ReflectionPad1d((1, 2))(gg.tensor([[1.0, 2.0, 3.0]])).tolist()
    [[2.0, 1.0, 2.0, 3.0, 2.0, 1.0]]
    """

    AXES = 1
    MODE = "reflect"


class ReflectionPad2d(_Pad):
    """A mirror on the last element around an image, ``(N, C, H, W)``, or without N.

    Source: ``torch.nn.ReflectionPad2d``.

    >>> import gpugrad as gg
    >>> gg.nn.ReflectionPad2d((1, 2, 0, 0))(gg.tensor([[[1.0, 2.0, 3.0]]])).tolist()
    [[[2.0, 1.0, 2.0, 3.0, 2.0, 1.0]]]
    """

    AXES = 2
    MODE = "reflect"


class ReflectionPad3d(_Pad):
    """A mirror on the last element around a volume, ``(N, C, D, H, W)``, or without N.

    Source: ``torch.nn.ReflectionPad3d``.

    >>> import gpugrad as gg
    >>> gg.nn.ReflectionPad3d((1, 2, 0, 0, 0, 0))(gg.tensor([[[[1.0, 2.0, 3.0]]]])).tolist()
    [[[[2.0, 1.0, 2.0, 3.0, 2.0, 1.0]]]]
    """

    AXES = 3
    MODE = "reflect"


class ReplicationPad1d(_Pad):
    """Copies of the last element around a signal, ``(N, C, L)``, or without N.

    Source: ``torch.nn.ReplicationPad1d``.

    >>> import gpugrad as gg
    >>> gg.nn.ReplicationPad1d((1, 2))(gg.tensor([[1.0, 2.0, 3.0]])).tolist()
    [[1.0, 1.0, 2.0, 3.0, 3.0, 3.0]]
    """

    AXES = 1
    MODE = "replicate"


class ReplicationPad2d(_Pad):
    """Copies of the last element around an image, ``(N, C, H, W)``, or without N.

    Source: ``torch.nn.ReplicationPad2d``.

    >>> import gpugrad as gg
    >>> gg.nn.ReplicationPad2d((1, 2, 0, 0))(gg.tensor([[[1.0, 2.0, 3.0]]])).tolist()
    [[[1.0, 1.0, 2.0, 3.0, 3.0, 3.0]]]
    """

    AXES = 2
    MODE = "replicate"


class ReplicationPad3d(_Pad):
    """Copies of the last element around a volume, ``(N, C, D, H, W)``, or without N.

    Source: ``torch.nn.ReplicationPad3d``.

    >>> import gpugrad as gg
    >>> gg.nn.ReplicationPad3d((1, 2, 0, 0, 0, 0))(gg.tensor([[[[1.0, 2.0, 3.0]]]])).tolist()
    [[[[1.0, 1.0, 2.0, 3.0, 3.0, 3.0]]]]
    """

    AXES = 3
    MODE = "replicate"


class CircularPad1d(_Pad):
    """What is at the other end around a signal, ``(N, C, L)``, or without N.

    Source: ``torch.nn.CircularPad1d``.

    >>> import gpugrad as gg
    >>> gg.nn.CircularPad1d((1, 2))(gg.tensor([[1.0, 2.0, 3.0]])).tolist()
    [[3.0, 1.0, 2.0, 3.0, 1.0, 2.0]]
    """

    AXES = 1
    MODE = "circular"


class CircularPad2d(_Pad):
    """What is at the other end around an image, ``(N, C, H, W)``, or without N.

    Source: ``torch.nn.CircularPad2d``.

    >>> import gpugrad as gg
    >>> gg.nn.CircularPad2d((1, 2, 0, 0))(gg.tensor([[[1.0, 2.0, 3.0]]])).tolist()
    [[[3.0, 1.0, 2.0, 3.0, 1.0, 2.0]]]
    """

    AXES = 2
    MODE = "circular"


class CircularPad3d(_Pad):
    """What is at the other end around a volume, ``(N, C, D, H, W)``, or without N.

    Source: ``torch.nn.CircularPad3d``.

    >>> import gpugrad as gg
    >>> gg.nn.CircularPad3d((1, 2, 0, 0, 0, 0))(gg.tensor([[[[1.0, 2.0, 3.0]]]])).tolist()
    [[[[3.0, 1.0, 2.0, 3.0, 1.0, 2.0]]]]
    """

    AXES = 3
    MODE = "circular"
