"""Tensors among other libraries: the namespace and the questions of the array API standard, and DLPack.

**Whose memory.** :func:`from_dlpack` shares the memory of what it is given, as :func:`gpugrad.asarray` does: who writes
to the other array changes the Tensor, and what the graph has kept of it. In the other direction a constant shares
its memory too, read-only for those who look at that flag; NumPy does, PyTorch and CuPy do not, and must not be let
write to it (``copy=True`` gives them memory of their own). A Tensor that needs a gradient is refused, as by
``__array__``: the other library would drop it silently. ``x.detach()`` is what goes out then; of a leaf that is a copy,
since an optimizer changes a leaf in place.

**Writing.** The standard leaves open whether a view follows its array. Here it does not: a library that writes to
``reshape(x, -1)[i]`` writes to another Tensor than ``x``.

Sources: Python array API standard 2024.12; DLPack 1.0; the CUDA array interface, version 3.
"""

from __future__ import annotations

from typing import Any

from .. import backend
from ..backend import NAMESPACES, Device, DType, dtypes
from ..core import GradientError, Tensor, modes
from . import creation

VERSION = "2024.12"
CPU, CUDA, CUDA_HOST, CUDA_MANAGED = 1, 2, 3, 13  # DLPack's numbers of devices

KINDS = {
    "bool": ("bool",),
    "signed integer": ("int8", "int16", "int32", "int64"),
    "unsigned integer": ("uint8", "uint16", "uint32", "uint64"),
    "real floating": ("float32", "float64"),
    "complex floating": ("complex64", "complex128"),
}
KINDS["integral"] = KINDS["signed integer"] + KINDS["unsigned integer"]
KINDS["numeric"] = KINDS["integral"] + KINDS["real floating"] + KINDS["complex floating"]


# ---------------------------------------------------------------- the standard's questions


def array_namespace(self: Tensor, *, api_version: str | None = None) -> Any:
    """gpugrad: the functions that compute on Tensors, for libraries that are written for any array.

    Raises:
        ValueError: of a version of the standard that is not known.

    >>> import gpugrad as gg
    >>> gg.ones(2).__array_namespace__() is gg
    True
    """
    known = ("2021.12", "2022.12", "2023.12", VERSION)
    if api_version not in (None, *known):
        raise ValueError(f"expected a version of the array API standard in {known}, got {api_version!r}")
    return NAMESPACES[Tensor]


class NamespaceInfo:
    """What :func:`array_namespace_info` gives: the questions of the standard about a namespace."""

    def capabilities(self) -> dict[str, Any]:
        """Whether shapes may depend on values, and how many axes there may be."""
        return {"boolean indexing": True, "data-dependent shapes": True, "max dimensions": 64}

    def default_device(self) -> Device:
        """:func:`gpugrad.get_default_device`."""
        return modes.get_default_device()

    def default_dtypes(self, *, device: Device | str | None = None) -> dict[str, DType]:
        """The dtypes of new tensors: floating-point as :func:`gpugrad.get_default_dtype`, integers as int64."""
        real = modes.get_default_dtype()
        wide = dtypes.complex128 if real == dtypes.float64 else dtypes.complex64
        return {"real floating": real, "complex floating": wide, "integral": dtypes.int64, "indexing": dtypes.int64}

    def dtypes(
        self, *, device: Device | str | None = None, kind: str | tuple[str, ...] | None = None
    ) -> dict[str, DType]:
        """The standard's dtypes by name, of a kind (``"integral"``), of several, or all.

        Raises:
            ValueError: there is no such kind.
        """
        kinds = ("bool", "numeric") if kind is None else (kind,) if isinstance(kind, str) else kind
        unknown = set(kinds) - KINDS.keys()
        if unknown:
            raise ValueError(f"expected kinds of dtypes in {sorted(KINDS)}, got {sorted(unknown)}")
        return {name: backend.as_dtype(name) for k in kinds for name in KINDS[k]}

    def devices(self) -> list[Device]:
        """The CPU, and every GPU that can be used."""
        try:
            count = backend.load_cuda().count
        except RuntimeError:
            count = 0
        return [Device("cpu"), *(Device(f"cuda:{i}") for i in range(count))]


def array_namespace_info() -> NamespaceInfo:
    """The standard's questions about gpugrad: what it can do, its devices, its dtypes, and the defaults of both.

    Source: ``__array_namespace_info__`` of the standard.

    >>> import gpugrad as gg
    >>> gg.__array_namespace_info__().dtypes(kind="real floating")
    {'float32': dtype('float32'), 'float64': dtype('float64')}
    """
    return NamespaceInfo()


def to_device(self: Tensor, device: Device | str, /, *, stream: Any = None) -> Tensor:
    """On another device; itself if it is there. Gradients find their way back. As :meth:`Tensor.to`.

    Raises:
        ValueError: a stream is given: the copy is queued on the current one.
        RuntimeError: the device is not there.
    """
    if stream is not None:
        raise ValueError(f"to_device: copies go on the current stream, got stream={stream!r}; use 'with stream:'")
    return creation.to(self, device=device)


# ---------------------------------------------------------------- memory of others, memory for others


def dlpack(
    self: Tensor, *, stream: Any = None, max_version: tuple[int, int] | None = None,
    dl_device: tuple[int, int] | None = None, copy: bool | None = None,
) -> Any:  # fmt: skip
    """The elements for another library, through DLPack: shared, read-only for those who look at that flag.

    A consumer of before DLPack 1.0, which cannot be told, gets a copy on the CPU.

    Raises:
        GradientError: the tensor needs a gradient.
        BufferError: DLPack has no such dtype, or ``copy=False`` cannot be had.
    """
    return backend.backend_of(_constant(self).data).export(self.data, stream, max_version, dl_device, copy)


def dlpack_device(self: Tensor) -> tuple[int, int]:
    """DLPack's numbers of the kind of device, and of the device."""
    place = self.device
    return (CPU, 0) if place.is_host else (CUDA, place.index)


def from_dlpack(x: Any, /, *, device: Device | str | None = None, copy: bool | None = None) -> Tensor:
    """A tensor of what another library holds, such as a ``torch.Tensor``, sharing its memory where that can be.

    Args:
        x: anything with ``__dlpack__`` and ``__dlpack_device__``.
        device: where to; None for where it is.
        copy: True always copies, False never does.

    Raises:
        GradientError: ``x`` is a Tensor that needs a gradient.
        BufferError: the other library cannot hand it over.
        TypeError: ``x`` does not know DLPack.
        ValueError: ``copy=False``, and the device makes a copy necessary.

    >>> import gpugrad as gg, numpy
    >>> a = numpy.zeros(2)
    >>> x = gg.from_dlpack(a)
    >>> a[0] = 1
    >>> x
    tensor([1., 0.], dtype=float64)
    """
    if isinstance(x, Tensor):
        x = _constant(x).data
    if not backend.is_array(x):
        if not hasattr(x, "__dlpack__"):
            raise TypeError(f"from_dlpack: expected an object with __dlpack__, got {type(x).__name__}")
        kind, index = x.__dlpack_device__()
        if kind not in (CPU, CUDA, CUDA_HOST, CUDA_MANAGED):
            raise BufferError(
                f"from_dlpack: expected memory of the CPU or of a CUDA GPU, got DLPack's device {int(kind)}"
            )
        source = Device(f"cuda:{index}" if kind in (CUDA, CUDA_MANAGED) else "cpu")
        owner = backend.backend_for(source)
        with owner.using(source):
            x = owner.xp.from_dlpack(x)
    return creation.asarray(x, device=device, copy=copy)


def cuda_array_interface(self: Tensor) -> dict[str, Any]:
    """Where the elements lie on a GPU, for Numba and others; whoever writes there changes this tensor.

    Raises:
        AttributeError: it is not on a GPU, or needs a gradient; so it has no such attribute.
    """
    if self.node is not None:
        raise AttributeError("a tensor that needs a gradient has no __cuda_array_interface__: use x.detach()")
    if self.device.is_host:
        raise AttributeError("a tensor on the CPU has no __cuda_array_interface__")
    described: dict[str, Any] = self.data.__cuda_array_interface__
    return described


def _constant(x: Tensor) -> Tensor:
    if x.node is not None:
        raise GradientError("a tensor that needs a gradient is not handed to another library: use x.detach()")
    return x


def bind() -> None:
    """Give the Tensor class these methods."""
    methods: dict[str, Any] = {
        "__array_namespace__": array_namespace, "to_device": to_device, "__dlpack__": dlpack,
        "__dlpack_device__": dlpack_device, "__cuda_array_interface__": property(cuda_array_interface),
    }  # fmt: skip
    for name, value in methods.items():
        setattr(Tensor, name, value)
