"""SciPy's functions, differentiable, under the names of ``autograd.scipy``."""

from . import integrate, linalg, misc, signal, special, stats

__all__ = ["integrate", "linalg", "misc", "signal", "special", "stats"]
