"""Layers that find the size of their input out at the first call, and are ordinary ones from then on.

Until then the parameters that depend on it are there without shape or value, and whoever asks for these gets an error.
A device and a dtype may be chosen before; an optimizer is made after the first call. A state may be loaded instead of
the first call, since it knows the shapes. At the first call the object becomes one of the class whose name has no
``Lazy``. Source: ``torch.nn.modules.lazy``.
"""

from __future__ import annotations

from typing import Any

from ..core import Tensor
from .convolution import Conv1d, Conv2d, Conv3d, ConvTranspose1d, ConvTranspose2d, ConvTranspose3d
from .linear import Linear
from .module import Module
from .normalization import BatchNorm1d, BatchNorm2d, BatchNorm3d, InstanceNorm1d, InstanceNorm2d, InstanceNorm3d
from .parameter import Uninitialized, UninitializedBuffer, UninitializedParameter


class _Lazy(Module):
    becomes: type[Module]
    """The class of the layer once it has shapes."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        drawn = self.has_uninitialized_params()
        self.initialize_parameters(*args)
        self.__class__ = self.becomes  # type: ignore[assignment]
        if drawn:
            self.reset_parameters()
        return self(*args, **kwargs)

    def has_uninitialized_params(self) -> bool:
        """Whether parameters or buffers are still without a shape."""
        own = [*self.parameters(recurse=False), *self.buffers(recurse=False)]
        return any(isinstance(value, Uninitialized) for value in own)

    def initialize_parameters(self, input: Tensor) -> None:
        """Give the parameters the shapes that fit this input."""
        raise NotImplementedError

    def reset_parameters(self) -> None:
        """Nothing, until there is something to draw."""

    def _postpone(self, *names: str) -> None:
        """Make those of these attributes that are there uninitialized, in the dtype and on the device they have."""
        for name in names:
            old = getattr(self, name)
            if old is not None:
                kind = UninitializedParameter if self._registered[name] == "parameter" else UninitializedBuffer
                setattr(self, name, kind(old.requires_grad, device=old.device, dtype=old.dtype))

    def _materialize(self, shapes: dict[str, tuple[int, ...]]) -> None:
        for name, shape in shapes.items():
            value = getattr(self, name)
            if isinstance(value, Uninitialized):
                value.materialize(shape)


def _channel(input: Tensor, ndim: int, name: str) -> int:
    """How many channels an input of shape ``(N, C, ...)`` or ``(C, ...)`` has."""
    if input.ndim not in (ndim + 1, ndim + 2):
        raise ValueError(f"{name}: expected an input with {ndim + 1} or {ndim + 2} axes, got shape {input.shape}")
    return input.shape[-ndim - 1]


class LazyLinear(_Lazy, Linear):
    """:class:`Linear` whose ``in_features`` is the last axis of the first input.

    Args:
        out_features: size of the last axis of the output.
        bias: whether there is a b.
        device: of the parameters; None for the default.
        dtype: of the parameters; None for the default.

    Raises (before the first call):
        ValueError: the shape or the value of a parameter is asked for.

    Source: ``torch.nn.LazyLinear``.

    >>> import gpugrad as gg
    >>> layer = gg.nn.LazyLinear(2)
    >>> layer
    LazyLinear(in_features=0, out_features=2, bias=True)
    >>> layer(gg.ones((3, 4))).shape
    (3, 2)
    >>> layer
    Linear(in_features=4, out_features=2, bias=True)
    """

    becomes = Linear

    def __init__(self, out_features: int, bias: bool = True, device: Any = None, dtype: Any = None) -> None:
        super().__init__(0, out_features, bias, device, dtype)
        self._postpone("weight", "bias")

    def initialize_parameters(self, input: Tensor) -> None:
        if input.ndim == 0:
            raise ValueError(f"LazyLinear: expected an input of shape (..., in_features), got {input.shape}")
        self._materialize({"weight": (self.out_features, input.shape[-1]), "bias": (self.out_features,)})
        self.in_features = self.weight.shape[1]


class _LazyKernels(_Lazy):
    ndim: int
    groups: int
    transposed: bool
    out_channels: int
    kernel_size: tuple[int, ...]
    weight: Any

    def __init__(self, out_channels: int, kernel_size: Any, *args: Any, **kwargs: Any) -> None:
        groups = kwargs.get("groups", args[3] if len(args) > 3 else 1)
        super().__init__(groups, out_channels, kernel_size, *args, **kwargs)  # the least that fits, in its place
        self.in_channels = 0
        self._postpone("weight", "bias")

    def initialize_parameters(self, input: Tensor, output_size: Any = None) -> None:
        name = type(self).__name__
        channels = _channel(input, self.ndim, name)
        if channels < 1 or channels % self.groups:
            raise ValueError(f"{name}: expected in_channels that groups={self.groups} divides, got {channels}")
        first, second = (channels, self.out_channels) if self.transposed else (self.out_channels, channels)
        shape = (first, second // self.groups, *self.kernel_size)
        self._materialize({"weight": shape, "bias": (self.out_channels,)})
        self.in_channels = self.weight.shape[0] if self.transposed else self.weight.shape[1] * self.groups


class _LazyStatistics(_Lazy):
    axes: Any
    num_features: int

    def __init__(
        self, eps: float = 1e-5, momentum: float | None = 0.1, affine: bool = True, track_running_stats: bool = True,
        device: Any = None, dtype: Any = None, *, bias: bool = True,
    ) -> None:  # fmt: skip
        super().__init__(0, eps, momentum, affine, track_running_stats, device, dtype, bias=bias)
        self._postpone("weight", "bias", "running_mean", "running_var")

    def reset_running_stats(self) -> None:
        """Nothing, until there are statistics."""

    def initialize_parameters(self, input: Tensor) -> None:
        if input.ndim not in self.axes:
            many = " or ".join(map(str, self.axes))
            raise ValueError(f"{type(self).__name__}: expected an input with {many} axes, got shape {input.shape}")
        batched = input.ndim == max(self.axes) or issubclass(self.becomes, BatchNorm1d)  # (N, C) or (N, C, L)
        shape = (input.shape[1 if batched else 0],)
        names = ("weight", "bias", "running_mean", "running_var")
        self._materialize(dict.fromkeys(names, shape))
        found = [getattr(self, name).shape for name in names if getattr(self, name) is not None]
        (self.num_features,) = found[0] if found else shape


def _lazy(
    layer: type[Any], kind: type[_Lazy], found: str, example: tuple[str, tuple[int, ...], tuple[int, ...]]
) -> Any:
    """The lazy form of a layer.

    Args:
        layer: what it becomes.
        kind: how its shapes are found.
        found: the argument that falls away.
        example: arguments, the shape of an input and that of the output, for the docstring.
    """
    name, (arguments, given, result) = f"Lazy{layer.__name__}", example
    rest = "The other arguments are the same"
    if "Instance" in name:
        rest += ",\n    but ``affine`` and ``track_running_stats`` are True unless said otherwise"
    doc = f"""A :class:`{layer.__name__}` that takes ``{found}`` from its first input.

    {rest}.

    Raises (before the first call):
        ValueError: the shape or the value of a parameter or buffer is asked for.

    Source: PyTorch's layer of this name.

    >>> import gpugrad as gg
    >>> layer = gg.nn.{name}({arguments})
    >>> layer(gg.ones({given})).shape
    {result}
    >>> layer.{found}
    3
    """
    return type(name, (kind, layer), {"becomes": layer, "__doc__": doc, "__module__": __name__})


_KERNELS = (_LazyKernels, "in_channels")
LazyConv1d = _lazy(Conv1d, *_KERNELS, ("4, kernel_size=3", (2, 3, 8), (2, 4, 6)))
LazyConv2d = _lazy(Conv2d, *_KERNELS, ("4, kernel_size=3", (2, 3, 8, 8), (2, 4, 6, 6)))
LazyConv3d = _lazy(Conv3d, *_KERNELS, ("4, kernel_size=3", (2, 3, 8, 8, 8), (2, 4, 6, 6, 6)))
LazyConvTranspose1d = _lazy(ConvTranspose1d, *_KERNELS, ("4, kernel_size=3", (2, 3, 8), (2, 4, 10)))
LazyConvTranspose2d = _lazy(ConvTranspose2d, *_KERNELS, ("4, kernel_size=3", (2, 3, 8, 8), (2, 4, 10, 10)))
LazyConvTranspose3d = _lazy(ConvTranspose3d, *_KERNELS, ("4, kernel_size=3", (2, 3, 8, 8, 8), (2, 4, 10, 10, 10)))

_STATISTICS = (_LazyStatistics, "num_features")
LazyBatchNorm1d = _lazy(BatchNorm1d, *_STATISTICS, ("", (2, 3, 4), (2, 3, 4)))
LazyBatchNorm2d = _lazy(BatchNorm2d, *_STATISTICS, ("", (2, 3, 4, 4), (2, 3, 4, 4)))
LazyBatchNorm3d = _lazy(BatchNorm3d, *_STATISTICS, ("", (2, 3, 1, 4, 4), (2, 3, 1, 4, 4)))
LazyInstanceNorm1d = _lazy(InstanceNorm1d, *_STATISTICS, ("", (2, 3, 4), (2, 3, 4)))
LazyInstanceNorm2d = _lazy(InstanceNorm2d, *_STATISTICS, ("", (2, 3, 4, 4), (2, 3, 4, 4)))
LazyInstanceNorm3d = _lazy(InstanceNorm3d, *_STATISTICS, ("", (2, 3, 1, 4, 4), (2, 3, 1, 4, 4)))
