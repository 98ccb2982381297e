"""Linear algebra, with the names of the array API standard, of ``numpy.linalg`` and of ``scipy.linalg``.

    >>> import gpugrad as gg
    >>> a = gg.tensor([[2.0, 1.0], [1.0, 3.0]], requires_grad=True)
    >>> gg.linalg.slogdet(a).logabsdet.backward()
    >>> a.grad  # the inverse, transposed
    tensor([[ 0.6, -0.2],
            [-0.2,  0.4]])

Matrices are the last two axes, all others are batches. Defined, and differentiated, in :mod:`gpugrad.ops`: ``solving``,
``determinants``, ``decompositions``, ``factored``, ``eigenvalues``, ``matrix_functions``, ``structured``, ``norms``,
``powers`` and ``products``.
"""

from .backend import Array
from .ops.decompositions import cholesky, qr, svd, svdvals
from .ops.determinants import det, slogdet
from .ops.diagonals import _trace
from .ops.diagonals import diagonal as _diagonal
from .ops.eigenvalues import eig, eigh, eigvals, eigvalsh
from .ops.factored import cho_factor, cho_solve, lu, lu_factor, lu_solve
from .ops.linear import matmul
from .ops.matrix_functions import expm, logm, solve_continuous_lyapunov, solve_sylvester, sqrtm
from .ops.norms import cond, matrix_norm, matrix_rank, norm, vector_norm
from .ops.powers import matrix_power, multi_dot
from .ops.products import cross, outer, tensordot, vecdot
from .ops.shaping import matrix_transpose
from .ops.solving import inv, lstsq, pinv, solve, solve_triangular, tensorinv, tensorsolve
from .ops.structured import block_diag, solve_banded


def diagonal(x: Array, /, *, offset: int = 0) -> Array:
    """The diagonal of each matrix, ``offset`` to the right of the main one; of the last two axes.

    Args:
        x: shape ``(..., M, N)``.
        offset: negative for one to the left.

    >>> import gpugrad as gg
    >>> gg.linalg.diagonal(gg.tensor([[[1.0, 2.0], [3.0, 4.0]]]))
    tensor([[1., 4.]])
    """
    return _diagonal(x, offset, -2, -1)


def trace(x: Array, /, *, offset: int = 0, dtype: object = None) -> Array:
    """The sum of the :func:`diagonal` of each matrix, in another dtype if one is given.

    Args:
        x: shape ``(..., M, N)``.
        offset: negative for a diagonal to the left.
        dtype: of the sum.

    >>> import gpugrad as gg
    >>> gg.linalg.trace(gg.tensor([[[1.0, 2.0], [3.0, 4.0]]]))
    tensor([5.])
    """
    return _trace(x, offset, -2, -1, dtype)


__all__ = [
    "block_diag", "cho_factor", "cho_solve", "cholesky", "cond", "cross", "det", "diagonal", "eig", "eigh",
    "eigvals", "eigvalsh", "expm", "inv", "logm", "lstsq", "lu", "lu_factor", "lu_solve", "matmul", "matrix_norm",
    "matrix_power", "matrix_rank", "matrix_transpose", "multi_dot", "norm", "outer", "pinv", "qr", "slogdet",
    "solve", "solve_banded", "solve_continuous_lyapunov", "solve_sylvester", "solve_triangular", "sqrtm", "svd",
    "svdvals", "tensordot", "tensorinv", "tensorsolve", "trace", "vecdot", "vector_norm",
]  # fmt: skip
