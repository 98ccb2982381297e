"""Linear algebra with SciPy's names: factors that are kept, functions of matrices, bands."""

from __future__ import annotations

import numpy
import scipy.linalg

import gpugrad as gg
from gpugrad.ops import factored

from .domains import complex_
from .linalg import Library, definite, regular
from .row import Row

L = gg.linalg
SQUARE = [((3, 3),), ((2, 2, 2),), ((0, 0),), ((0, 2, 2),)]
ANY = [((3, 3),), ((4, 2),), ((2, 2, 3),)]
EQUATIONS = [((3, 3), (3,)), ((2, 3, 3), (2, 3, 1))]


def one_by_one(f):
    """SciPy's function of single matrices for several, whatever SciPy's version, in the dtype of the first."""

    def call(*arrays):
        batch = numpy.broadcast_shapes(*(a.shape[:-2] for a in arrays))
        arrays = [numpy.broadcast_to(a, (*batch, *a.shape[-2:])) for a in arrays]
        if not all(a.size for a in arrays):
            return numpy.zeros(arrays[-1].shape, arrays[-1].dtype)
        wide = [a.astype(numpy.result_type(a, numpy.float64)) for a in arrays]
        y = numpy.stack([f(*(a[k] for a in wide)) for k in numpy.ndindex(batch)])
        return y.reshape((*batch, *y.shape[1:])).astype(arrays[0].dtype)

    return call


def row(operation, call, reference, torch=None, shapes=SQUARE, label="", **kwargs):
    kwargs = {"complex": complex_, "large": None, "single": 1e-3, "half": False} | kwargs
    return Row(f"ops.{operation}", call, shapes=shapes, numpy=reference, torch=torch, label=label, **kwargs)


def ours(x, made=regular):
    return made(Library(gg), x)


def theirs(x, made=regular):
    return made(Library(numpy), x)


def pytorchs(torch, x):
    return regular(Library(torch), x)


def bands(x):
    """Rows of which the second is the dominant diagonal."""
    none = 0 * x[..., 0, :]
    return x + 4 * gg.stack([none, none + 1, none, none], axis=-2)


def full(ab):
    """The matrix with the bands of :func:`bands`."""
    m = ab.shape[-1]
    a = numpy.zeros((*ab.shape[:-2], m, m), ab.dtype)
    for r in range(4):
        for j in range(m):
            if 0 <= r + j - 1 < m:
                a[..., r + j - 1, j] = ab[..., r, j] + 4 * (r == 1)
    return a


def _lu(x):
    return [scipy.linalg.lu(a) for a in x.reshape((-1, *x.shape[-2:]))]


def lu(x, **static):
    parts = [numpy.stack(part).astype(x.dtype) for part in zip(*_lu(theirs(x)), strict=True)]
    p, lower, upper = (part.reshape((*x.shape[:-2], *part.shape[1:])) for part in parts)
    return (p @ lower, upper) if static.get("permute_l") else (lower, upper)


def pl_and_u(torch, x):
    p, lower, upper = torch.linalg.lu(pytorchs(torch, x))
    return p @ lower, upper


def solved_by_lu(a, b, trans):
    t = theirs(a)
    return numpy.linalg.solve(t.mT.conj() if trans == 2 else t.mT if trans else t, b)


def exchanges(rng, shapes):
    return [numpy.asarray(rng.integers(0, 3, shape)) for shape in shapes]


def exchanged(back):
    def call(pivots):
        rows = numpy.tile(numpy.arange(3), (*pivots.shape[:-1], 1))
        for row, to in zip(rows.reshape(-1, 3), pivots.reshape(-1, pivots.shape[-1]), strict=True):
            for i, k in enumerate(to):
                row[i], row[k] = row[k], row[i]
        return numpy.argsort(rows, axis=-1) if back else rows

    return call


ROWS: list[Row] = [
    # -------------------------------------------------------- functions
    row("matrix_functions.expm", L.expm, one_by_one(scipy.linalg.expm), lambda t, x: t.linalg.matrix_exp(x)),
    row("matrix_functions.sqrtm", lambda x: L.sqrtm(ours(x)), lambda x: one_by_one(scipy.linalg.sqrtm)(theirs(x)),
        host_only=True),
    row("matrix_functions.logm", lambda x: L.logm(ours(x)), lambda x: one_by_one(scipy.linalg.logm)(theirs(x)),
        host_only=True),
    row("matrix_functions.solve_sylvester", lambda a, b, q: L.solve_sylvester(ours(a), ours(b), q),
        lambda a, b, q: one_by_one(scipy.linalg.solve_sylvester)(theirs(a), theirs(b), q),
        shapes=[((3, 3), (2, 2), (3, 2)), ((2, 2, 2), (1, 1), (2, 2, 1)), ((0, 0), (2, 2), (0, 2))]),
    row("matrix_functions.solve_sylvester", lambda a, q: L.solve_continuous_lyapunov(ours(a), q),
        lambda a, q: one_by_one(scipy.linalg.solve_continuous_lyapunov)(theirs(a), q),
        shapes=[((3, 3), (3, 3))], label="lyapunov"),
    # -------------------------------------------------------- factors
    row("factored._lu", lambda x, **static: L.lu(ours(x), **static)[-2:], lu, shapes=ANY, label="lu",
        variants=[{}, {"permute_l": True}],
        torch=lambda t, x, **static: t.linalg.lu(pytorchs(t, x))[1:] if not static else pl_and_u(t, x)),
    row("factored._lu", lambda x: L.lu_factor(ours(x)).lu, None, lambda t, x: t.linalg.lu_factor(pytorchs(t, x))[0],
        shapes=[((3, 3),), ((0, 3),), ((2, 0, 0),)], label="lu_factor"),
    row("factored._lu", lambda a, b, trans: L.lu_solve(L.lu_factor(ours(a)), b, trans), solved_by_lu, shapes=EQUATIONS,
        variants=[{"trans": 0}, {"trans": 1}, {"trans": 2}], label="lu_solve"),
    *[
        row("factored._permutation", lambda x, back=back: factored._permutation(x, 3, back), exchanged(back),
            shapes=[((3,),), ((2, 2),)], inputs=exchanges, constant=True, complex=None, label=f"{back}")
        for back in (False, True)
    ],
    row("factored._unit_lower", factored._unit_lower,
        lambda x: numpy.tril(x, -1) + numpy.eye(*x.shape[-2:], dtype=x.dtype), shapes=ANY),
    row("factored._exchange", lambda x: factored._exchange(x, 3, gg.float64),
        lambda x: numpy.eye(3)[exchanged(False)(x)].mT, shapes=[((3,),), ((2, 2),)], inputs=exchanges, constant=True,
        complex=None),
    *[
        row("solving._solve_triangular",
            lambda a, b, lower=lower: L.cho_solve(L.cho_factor(ours(a, definite), lower), b),
            lambda a, b: numpy.linalg.solve(theirs(a, definite), b), shapes=EQUATIONS, label=f"cho_solve {lower}")
        for lower in (False, True)
    ],
    # -------------------------------------------------------- structure
    row("structured._solve_banded", lambda ab, b: L.solve_banded((2, 1), bands(ab), b),
        lambda ab, b: numpy.linalg.solve(full(ab), b),
        shapes=[((4, 5), (5, 2)), ((4, 3), (3,)), ((2, 4, 3), (3, 1)), ((4, 1), (1,)), ((4, 2), (2, 0))]),
    row("padding._pad", lambda *xs: L.block_diag(*xs), scipy.linalg.block_diag, lambda t, *xs: t.block_diag(*xs),
        shapes=[((2, 3), (1, 2), (3,)), ((0, 2), (2, 2), (1, 1))], label="block_diag", half=True),
]  # fmt: skip
