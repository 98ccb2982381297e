"""Functions that are short to compose of others: triangles, products of vectors, grids of powers.

Source: NumPy.
"""

from __future__ import annotations

from typing import Any

from .. import backend
from ..backend import Array, Device
from ..core import Tensor
from ..kernels.shapes import Axis
from .arithmetic import pow, subtract
from .axes import ravel
from .beside import beside
from .creation import _new, asarray, linspace, to
from .diagonals import diag
from .linear import matmul
from .nested import together
from .reduction import max, min
from .rounding import conj
from .scans import cumulative_prod, diff
from .shaping import broadcast_to, concat, expand_dims, flip, squeeze


def tri(
    n_rows: int, n_cols: int | None = None, /, k: int = 0, *, dtype: Any = None, device: Device | str | None = None
) -> Array:
    """Ones on and below the k-th diagonal, zeros above.

    >>> import gpugrad as gg
    >>> gg.tri(2, 3)
    tensor([[1., 0., 0.],
            [1., 1., 0.]])
    """
    return _new("tri", n_rows, n_cols, k, dtype=dtype, device=device)


def diagflat(x: Array, k: int = 0) -> Array:
    """The matrix with the elements of ``x``, in row-major order, on its k-th diagonal.

    >>> import gpugrad as gg
    >>> gg.diagflat(gg.tensor([[1.0], [2.0]]))
    tensor([[1., 0.],
            [0., 2.]])
    """
    return diag(ravel(asarray(x)), k)


def vander(x: Array, n: int | None = None, increasing: bool = False) -> Array:
    """The powers of each element as a row, ``x_i^(n-1) ... x_i 1``: shape ``(M,)`` to ``(M, n)``.

    Args:
        x: shape ``(M,)``.
        n: how many; None for M.
        increasing: the other way round, from 1.

    Raises:
        ValueError: more than one axis.

    >>> import gpugrad as gg
    >>> gg.vander(gg.tensor([2.0, 3.0]), 3)
    tensor([[4., 2., 1.],
            [9., 3., 1.]])
    """
    t = asarray(x)
    if t.ndim != 1:
        raise ValueError(f"vander: expected shape (M,), got shape {t.shape}")
    columns = t.size if n is None else n
    if not columns:
        return expand_dims(t, 1)[:, :0]
    factors = broadcast_to(expand_dims(t, 1), (t.size, columns - 1))
    powers = cumulative_prod(factors, axis=1, include_initial=True)
    return powers if increasing else flip(powers, axis=1)


def vdot(x1: Array, x2: Array, /) -> Array:
    """``sum(conj(x1) x2)`` over all elements, flattened.

    Raises:
        ValueError: not as many in both.

    >>> import gpugrad as gg
    >>> gg.vdot(gg.tensor([[1.0, 2.0]]), gg.tensor([[3.0], [4.0]]))
    tensor(11.)
    """
    if not (isinstance(x1, Tensor) and isinstance(x2, Tensor)):
        x1, x2 = together("vdot", x1, x2)
    a, b = (x if len(x.shape) == 1 else ravel(x) for x in (x1, x2))
    return matmul(conj(a) if a.dtype.kind == "c" else a, b)


def matvec(x1: Array, x2: Array, /) -> Array:
    """Matrices times vectors: shapes ``(..., M, N)`` and ``(..., N)`` to ``(..., M)``, batch axes broadcast.

    >>> import gpugrad as gg
    >>> gg.matvec(gg.tensor([[1.0, 2.0], [3.0, 4.0]]), gg.tensor([[1.0, 0.0], [0.0, 1.0]]))
    tensor([[1., 3.],
            [2., 4.]])
    """
    if not (isinstance(x1, Tensor) and isinstance(x2, Tensor)):
        x1, x2 = together("matvec", x1, x2)
    return matmul(x1, x2) if len(x2.shape) == 1 else squeeze(matmul(x1, expand_dims(x2, -1)), axis=-1)


def vecmat(x1: Array, x2: Array, /) -> Array:
    """Vectors, conjugated, times matrices: shapes ``(..., M)`` and ``(..., M, N)`` to ``(..., N)``.

    >>> import gpugrad as gg
    >>> gg.vecmat(gg.tensor([1.0, 0.0]), gg.tensor([[1.0, 2.0], [3.0, 4.0]]))
    tensor([1., 2.])
    """
    if not (isinstance(x1, Tensor) and isinstance(x2, Tensor)):
        x1, x2 = together("vecmat", x1, x2)
    x1 = conj(x1) if x1.dtype.kind == "c" else x1
    return matmul(x1, x2) if len(x1.shape) == 1 else squeeze(matmul(expand_dims(x1, -2), x2), axis=-2)


# -------------------------------------------------------------------- others


def ptp(x: Array, axis: Axis = None, keepdims: bool = False) -> Array:
    """The largest element over ``axis`` minus the smallest; ties share the gradients as for :func:`max`.

    >>> import gpugrad as gg
    >>> gg.ptp(gg.tensor([3.0, 1.0, 7.0]))
    tensor(6.)
    """
    return subtract(max(x, axis=axis, keepdims=keepdims), min(x, axis=axis, keepdims=keepdims))


def ediff1d(x: Array, to_end: Array | None = None, to_begin: Array | None = None) -> Array:
    """Each element minus the one before it, flattened, with what goes behind and before these differences.

    >>> import gpugrad as gg
    >>> gg.ediff1d(gg.tensor([1.0, 4.0, 9.0]), to_begin=0.0)
    tensor([0., 3., 5.])
    """
    t = x if isinstance(x, Tensor) else asarray(x)
    t = t if t.ndim == 1 else ravel(t)
    before, behind = (() if v is None else (ravel(beside(v, t, t.dtype)),) for v in (to_begin, to_end))
    change = diff(t)
    return concat([*before, change, *behind]) if before or behind else change


def logspace(
    start: Any, stop: Any, num: int = 50, endpoint: bool = True, base: Any = 10.0, *, dtype: Any = None,
    device: Device | str | None = None,
) -> Array:  # fmt: skip
    """``num`` powers of ``base`` with evenly spaced exponents from ``start`` to ``stop``.

    >>> import gpugrad as gg
    >>> gg.logspace(0, 2, 3)
    tensor([  1.,  10., 100.])
    """
    beside_base = {} if isinstance(start, Tensor) or isinstance(stop, Tensor) else _places(base, dtype, device)
    y = pow(base, linspace(start, stop, num, endpoint=endpoint, **beside_base))
    return to(y, dtype=dtype, device=device)


def geomspace(
    start: Any, stop: Any, num: int = 50, endpoint: bool = True, *, dtype: Any = None,
    device: Device | str | None = None,
) -> Array:  # fmt: skip
    """``num`` numbers from ``start`` to ``stop``, each the one before it times one factor.

    Raises:
        ValueError: one is 0, or their signs differ.

    >>> import gpugrad as gg
    >>> gg.geomspace(1, 1000, 4)
    tensor([   1.,   10.,  100., 1000.])
    """
    if start * stop <= 0:
        raise ValueError(f"geomspace: expected two numbers of one sign and not 0, got {start} and {stop}")
    factor = stop / start
    y = start * pow(factor, linspace(0, 1, num, endpoint=endpoint, **_places(factor, dtype, device)))
    return to(y, dtype=dtype, device=device)


def _places(value: Any, dtype: Any, device: Device | str | None) -> dict[str, Any]:
    """The dtype and the device of numbers that are exponents of ``value``: its own, or what is asked for."""
    if isinstance(value, Tensor):
        kind = value.real.dtype
        return {"dtype": kind if backend.is_floating(kind) else backend.dtypes.float64, "device": value.device}
    wanted = None if dtype is None else backend.as_dtype(dtype)
    if wanted is not None and wanted.kind != "f":
        wanted = backend.dtypes.float64
    return {"dtype": wanted, "device": device}
