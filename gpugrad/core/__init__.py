"""The tape: Tensors, the declaration of operations, the walk back. It knows no operation and no device.

To add an operation, see :mod:`gpugrad.ops`.
"""

from . import rows  # noqa: F401  binds iteration to the Tensor
from .engine import walk
from .errors import GradientError
from .node import Argument, Hook, Leaf, Node
from .operation import OPERATIONS, Operation, identity, primitive
from .tensor import Tensor, check_unconnected, connected

__all__ = [
    "OPERATIONS",
    "Argument",
    "GradientError",
    "Hook",
    "Leaf",
    "Node",
    "Operation",
    "Tensor",
    "check_unconnected",
    "connected",
    "identity",
    "primitive",
    "walk",
]
