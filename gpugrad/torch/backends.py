"""``torch.backends``: switches that programs set. They choose between algorithms that gpugrad does not have.

Results are the same in every run of a program on one device, so ``cudnn.deterministic`` is always true in effect, and
``cudnn.benchmark`` has nothing to choose. Matrix products of float32 are computed in float32, never in TF32.
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any


class _Absent(SimpleNamespace):
    """A backend that is not there."""

    def is_available(self) -> bool:
        return False

    def is_built(self) -> bool:
        return False


cudnn: Any = SimpleNamespace(benchmark=False, deterministic=True, enabled=True, allow_tf32=False)
cuda: Any = SimpleNamespace(matmul=SimpleNamespace(allow_tf32=False))
mps: Any = _Absent()
mkldnn: Any = _Absent()

__all__ = ["cuda", "cudnn", "mkldnn", "mps"]
