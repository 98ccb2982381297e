"""What is traced, under autograd's names."""

from .rules import notrace_primitive, primitive
from .values import Box, getval, isbox

__all__ = ["Box", "getval", "isbox", "notrace_primitive", "primitive"]
