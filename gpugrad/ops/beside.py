"""Constants for a computation: numbers and lists beside a tensor, in its library and on its device."""

from __future__ import annotations

from typing import Any

from .. import backend
from ..backend import NUMBERS
from ..core import Tensor
from . import nested
from .creation import asarray


def beside(value: Any, x: Tensor, dtype: Any = None) -> Tensor:
    """A number, a list or an array of the host as a constant beside ``x``; a Tensor as it is, but for the dtype.

    A list that holds Tensors gives one that is connected to them.

    Without a dtype, numbers and lists of them take that of ``x`` where it is of their kind.

    >>> import gpugrad as gg
    >>> beside([1, 2], gg.zeros(2), gg.float64)
    tensor([1., 2.], dtype=float64)
    """
    if isinstance(value, Tensor) or (backend.is_array(value) and not backend.device_of(value).is_host):
        return asarray(value, dtype=dtype)
    if dtype is None and (isinstance(value, nested.LISTS) or type(value) in NUMBERS):
        return nested.together("beside", value, x)[0]  # type: ignore[no-any-return]
    if backend.recorder() is not None and not x.device.is_host:  # a recording moves no arrays: they are made in place
        return asarray(value, dtype=dtype, device=x.device)
    made = asarray(value, dtype=dtype, device="cpu")
    owner = backend.backend_of(x.data)
    if owner.whole is not None or made.node is not None:
        return asarray(made, device=x.device)
    with backend.beside(x.data):
        return Tensor(owner.xp.asarray(made.data))
