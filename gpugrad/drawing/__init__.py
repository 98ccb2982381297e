"""Pictures of computation graphs.

To add what a gate is called and what it does to gradients, add a row to :mod:`gpugrad.drawing.gates`.
"""

from .drawn import Drawing, draw
from .names import name
from .observe import observe
from .picture import Picture

__all__ = ["Drawing", "Picture", "draw", "name", "observe"]
