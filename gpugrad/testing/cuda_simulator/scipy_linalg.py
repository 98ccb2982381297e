"""``cupyx.scipy.linalg`` as functions of NumPy arrays, as far as gpugrad uses it: single matrices, and no errors for
singular ones.
"""

from __future__ import annotations

import warnings
from typing import Any

import numpy
import scipy.linalg
from numpy.linalg import LinAlgError

Values = numpy.ndarray[Any, Any]


def lu_factor(a: Values, overwrite_a: bool = False, check_finite: bool = True) -> tuple[Values, Values]:
    """The factors in one matrix, and the exchanges of rows."""
    if a.ndim != 2:
        raise LinAlgError(f"{a.ndim}-dimensional array given. Array must be two-dimensional")
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always")
        lu, piv = scipy.linalg.lu_factor(a, check_finite=check_finite)
    if found:
        warnings.warn(str(found[0].message), RuntimeWarning, stacklevel=2)
    return lu, piv.astype(numpy.int32)


def solve_triangular(
    a: Values, b: Values, trans: int = 0, lower: bool = False, unit_diagonal: bool = False, overwrite_b: bool = False,
    check_finite: bool = False,
) -> Values:  # fmt: skip
    """The solution, or NaN where LAPACK would refuse."""
    if a.ndim != 2 or a.shape[0] != a.shape[1]:
        raise ValueError("expected square matrix")
    if len(a) != len(b):
        raise ValueError("incompatible dimensions")
    try:
        y: Values = scipy.linalg.solve_triangular(
            a, b, trans=trans, lower=lower, unit_diagonal=unit_diagonal, check_finite=check_finite
        )
    except LinAlgError:
        y = numpy.full_like(b, numpy.nan)
    return y
