"""NumPy's names for differentiable programs: ``import gpugrad.numpy as np``.

    >>> import gpugrad as gg
    >>> import gpugrad.numpy as np
    >>> def moved(angle):
    ...     rotation = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    ...     path = np.zeros((3, 2))
    ...     path[0] = [1.0, 0.0]
    ...     for i in range(1, 3):
    ...         path[i] = rotation @ path[i - 1]
    ...     return path[2, 1]
    >>> gg.grad(moved)(np.array(0.5)).round(6)
    np.float64(1.080605)

Every public name of NumPy is here. Most are NumPy's own objects, which hand Tensors over to gpugrad
(:mod:`gpugrad.ops.protocols`). The others differ where NumPy would make an array that cannot hold a gradient:

- What is built from Tensors is a Tensor: ``np.array([c, s])``, ``np.mean([t, u])``, ``np.sqrt([t, u])``,
  ``np.full(3, t)``, ``np.float64(t)``.
- Inside a transform (``gg.grad``, ``gg.vmap``, ...), new floating-point arrays are Tensors on the device of the
  arguments, so that Tensors can be written into them: ``out = np.zeros(n); out[i] = t``. Integers and booleans, which
  serve as indices, stay arrays on the CPU.
- Elsewhere everything is as in NumPy, and an array of CuPy is handed to CuPy.

To add a function that makes arrays: its name in ``CREATORS`` or ``BUILDERS`` of :mod:`gpugrad.numpy.wrapping`.
"""

import sys as _sys
from typing import TYPE_CHECKING
from typing import Any as _Any

import numpy as _numpy

if TYPE_CHECKING:
    from numpy import *  # noqa: F403
    from numpy import __all__ as __all__
else:
    from .scipy_arrays import install as _install
    from .wrapping import named as _named

    _install()
    __all__ = [*_numpy.__all__]

    def __getattr__(name: str) -> _Any:
        value = _named(_numpy, name)
        setattr(_sys.modules[__name__], name, value)
        return value

    def __dir__() -> list[str]:
        return sorted({*dir(_numpy), *__all__})
