"""einops on Tensors: ``einops.rearrange(x, "b c -> c b")``, for whoever has installed it.

einops asks the subclasses of its ``AbstractBackend`` whose Tensor it got. Ours is declared when einops is imported, or
now if it was imported before; gpugrad itself never imports it.
"""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

from ..core import Tensor
from . import creation, linear, shaping, stacking

BACKENDS = "einops._backends"
OURS = __name__.partition(".")[0]


def declare(backends: Any) -> type:
    """The backend of Tensors, for einops' module of backends."""

    class GPUGradBackend(backends.AbstractBackend):  # type: ignore[misc]
        framework_name = OURS

        def is_appropriate_type(self, tensor: Any) -> bool:
            return isinstance(tensor, Tensor)

        def from_numpy(self, x: Any) -> Tensor:
            return creation.asarray(x)

        def to_numpy(self, x: Tensor) -> Any:
            return x.detach().numpy()

        def arange(self, start: int, stop: int) -> Tensor:
            return creation.arange(start, stop)

        def reshape(self, x: Tensor, shape: Any) -> Tensor:
            return shaping.reshape(x, tuple(shape))

        def transpose(self, x: Tensor, axes: Any) -> Tensor:
            return shaping.permute_dims(x, tuple(axes))

        def reduce(self, x: Tensor, operation: str, axes: Any) -> Any:
            return getattr(x, operation)(axis=tuple(axes))

        def stack_on_zeroth_dimension(self, tensors: Sequence[Tensor]) -> Tensor:
            return shaping.stack(tensors)

        def add_axis(self, x: Tensor, new_position: int) -> Tensor:
            return shaping.expand_dims(x, new_position)

        def tile(self, x: Tensor, repeats: Any) -> Any:
            return stacking.tile(x, tuple(repeats))

        def concat(self, tensors: Sequence[Tensor], axis: int) -> Tensor:
            return shaping.concat(tensors, axis)

        def is_float_type(self, x: Tensor) -> bool:
            return x.is_floating_point()

        def einsum(self, pattern: str, *x: Tensor) -> Any:
            return linear.einsum(pattern, *x)

    return GPUGradBackend


class _Waiting:
    """Finds nothing; when einops' backends are imported, lets ours be declared behind them."""

    def find_spec(self, name: str, path: Any, target: ModuleType | None = None) -> ModuleSpec | None:
        if name != BACKENDS:
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(name)
        if spec is None or spec.loader is None:
            return spec
        loader: Any = spec.loader
        run = loader.exec_module

        def exec_module(module: ModuleType) -> None:
            run(module)
            setattr(module, "GPUGradBackend", declare(module))  # noqa: B010  which keeps it alive

        loader.exec_module = exec_module
        return spec


def install() -> None:
    """Declare the backend, now or when einops is imported."""
    known: Any = sys.modules.get(BACKENDS)
    if known is not None:
        known.GPUGradBackend = declare(known)
    else:
        sys.meta_path.insert(0, _Waiting())
