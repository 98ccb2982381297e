"""The vector spaces of arrays."""

from ..vspaces import VSpace

ArrayVSpace = ComplexArrayVSpace = VSpace

__all__ = ["ArrayVSpace", "ComplexArrayVSpace", "VSpace"]
