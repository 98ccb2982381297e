"""From a program to a function of arrays: :func:`compile`."""

from .executable import Executable, compile

__all__ = ["Executable", "compile"]
