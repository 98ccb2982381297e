"""What stands for an array whose derivative is wanted."""

from ..values import Box as ArrayBox

__all__ = ["ArrayBox"]
