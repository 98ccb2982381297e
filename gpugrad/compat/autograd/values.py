"""What goes into a function and comes out of it: Tensors inside, arrays and numbers outside."""

from __future__ import annotations

from typing import Any

from ... import backend
from ...core import Tensor
from ...core.engine import mirrored
from ...transforms.tree import flatten

Box = Tensor
"""What stands for a value whose derivative is wanted."""


def isbox(x: Any) -> bool:
    """Whether a value is a Tensor."""
    return isinstance(x, Tensor)


def getval(x: Any) -> Any:
    """The array or number behind a Tensor; anything else as it is.

    >>> import gpugrad as gg
    >>> getval(gg.tensor(2.0, dtype=gg.float64)), getval("a")
    (np.float64(2.0), 'a')
    """
    return unboxed(x.data) if isinstance(x, Tensor) else x


def unboxed(x: Any) -> Any:
    """A 0-d array of NumPy as a number, as NumPy's functions give it; anything else as it is."""
    return x[()] if not isinstance(x, Tensor) and getattr(x, "shape", None) == () else x


def outside(tree: Any) -> Any:
    """A nested result with numbers for 0-d arrays."""
    leaves, rebuild = flatten(tree, "the result")
    return rebuild(iter([leaf if isinstance(leaf, Tensor) else unboxed(leaf) for leaf in leaves]))


def floating(tree: Any, path: str) -> Any:
    """A nested argument with numbers and arrays of integers as floating-point ones: what a derivative is taken by."""
    leaves, rebuild = flatten(tree, path)
    return rebuild(iter([_floating(leaf) for leaf in leaves]))


def _floating(x: Any) -> Any:
    if isinstance(x, Tensor):
        return x if backend.is_floating(x.dtype) else x.astype(backend.dtypes.float64)
    if type(x) in (int, bool):
        return float(x)
    kind = getattr(getattr(x, "dtype", None), "kind", "f")
    return x.astype("float64") if kind in "biu" else x


def turned(tree: Any) -> Any:
    """Gradients between the two conventions for complex numbers: the conjugates of the complex ones."""
    leaves, rebuild = flatten(tree, "the gradient")
    return rebuild(
        iter([mirrored(x) if isinstance(x, Tensor) or backend.is_array(x) else x.conjugate() for x in leaves])
    )
