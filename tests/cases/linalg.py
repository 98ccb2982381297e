"""Linear algebra.

Every row is written once, for the linear algebra of gpugrad, of NumPy and of PyTorch. Matrices are made what they have
to be (regular, Hermitian, definite) inside the row, since the tests fill inputs with one number too. Of vectors whose
signs or phases a library chooses, what does not depend on them is compared.
"""

from __future__ import annotations

from math import inf

import numpy

import gpugrad as gg
from gpugrad.ops import determinants

from .domains import complex_
from .row import Row

SQUARE = [((3, 3),), ((2, 3, 3),), ((1, 1),), ((0, 0),), ((2, 0, 0),), ((0, 2, 2),)]
FULL = [((3, 3),), ((2, 3, 3),), ((1, 1),)]
ANY = [((3, 3),), ((4, 2),), ((2, 2, 3),), ((1, 1),)]
EMPTY = [((0, 3),), ((2, 3, 0),), ((0, 2, 2),)]


class Library:
    """The functions of an array library and of its linear algebra, by the names and arguments of gpugrad."""

    def __init__(self, module):
        self.module = module
        self.renamed = {"axis": "dim", "keepdims": "keepdim"} if module.__name__ == "torch" else {}

    def __getattr__(self, name):
        found = getattr(self.module.linalg, name, None) or getattr(self.module, name)
        return lambda *xs, **static: found(*xs, **{self.renamed.get(k, k): v for k, v in static.items()})


def _ones(lib, x):
    return lib.exp(0 * x)


def regular(lib, x):
    """With multiples of 1, 2, ... added to the diagonal: singular values away from 0 and from each other."""
    return x + 4 * lib.tril(lib.triu(lib.cumsum(_ones(lib, x), -1)))


def turned(lib, x):
    """With pairs of complex eigenvalues."""
    return regular(lib, x) + 6 * (lib.tril(_ones(lib, x)) - lib.triu(_ones(lib, x)))


def hermitian(lib, x):
    return regular(lib, x) + regular(lib, x).mT.conj()


def definite(lib, x):
    return regular(lib, x @ x.mT.conj())


def as_it_is(lib, x):
    return x


def squared(lib, x):
    return lib.real(x * lib.conj(x))


def _row(operation, f, shapes, made=regular, label="", **kwargs):
    """``f(library, matrix, ...)`` with the first input ``made``."""

    def on(module):
        lib = Library(module)
        return lambda x, *xs, **static: f(lib, made(lib, x), *xs, **static)

    kwargs = {"complex": complex_, "large": None, "single": 1e-3, "numpy": on(numpy), "half": False} | kwargs
    kwargs.setdefault("torch", lambda torch, *xs, **static: on(torch)(*xs, **static))
    return Row(f"ops.{operation}", on(gg), shapes=shapes, label=label, **kwargs)


def _named(operation, shapes, made=regular, **kwargs):
    name = operation.rpartition(".")[2].strip("_")
    return _row(operation, lambda lib, *xs, **static: getattr(lib, name)(*xs, **static), shapes, made, **kwargs)


def _qr(lib, x, mode):
    q, r = lib.qr(x, mode=mode)
    return (q[..., : min(x.shape[-2:])], r) if mode == "reduced" else (_projector(q[..., x.shape[-1] :]), r)


def _projector(u):
    return u @ u.mT.conj()


def _svd(lib, x, full_matrices):
    u, s, vh = lib.svd(x, full_matrices=full_matrices)
    k = s.shape[-1]
    u_, vh_ = u[..., :k], vh[..., :k, :]
    return s, squared(lib, u_), squared(lib, vh_), u_ @ vh_, _projector(u[..., k:]), _projector(vh[..., k:, :].mT)


def _eigh(lib, x, **static):
    w, v = lib.eigh(x, **static)
    return w, squared(lib, v)


def _symmetric(lib, w):
    """Of eigenvalues whose order the library chooses."""
    return lib.stack([lib.sum(w + 0j, -1), lib.sum(w * w + 0j, -1)])


def _eig(lib, x):
    w, v = lib.eig(x)
    return _symmetric(lib, w), lib.sum(squared(lib, v) * (w * w + 0j)[..., None, :], -1)


def _slogdet(lib, x):
    sign, logarithm = lib.slogdet(x)
    return sign * (logarithm + 3)


def _cofactors(x):
    y = numpy.zeros_like(x)
    for i in numpy.ndindex(x.shape):
        rest = numpy.delete(numpy.delete(x[i[:-2]], i[-2], 0), i[-1], 1)
        y[i] = (-1) ** (i[-2] + i[-1]) * numpy.linalg.det(rest)
    return y


def _lstsq(lib, a, b):
    tall = a.shape[0] > a.shape[1]
    if lib.renamed:  # PyTorch's residuals have no gradient
        x = lib.lstsq(a, b.reshape(b.shape[0], -1)).solution
        residuals = squared(lib, b.reshape(b.shape[0], -1) - a @ x).sum(0)
        return (x.reshape(x.shape[0], *b.shape[1:]), residuals) if tall else x
    return tuple(lib.lstsq(a, b)[:2]) if tall else lib.lstsq(a, b)[0]


def _triangular(lib, a, b, lower, unit_diagonal, trans):
    """NumPy's ``solve`` of a triangle that is made by hand; PyTorch's function, with columns for vectors."""
    if lib.module is gg:
        return lib.solve_triangular(a, b, trans, lower=lower, unit_diagonal=unit_diagonal)
    shift = int(unit_diagonal)
    t = lib.tril(a, -shift) if lower else lib.triu(a, shift)
    t = t + (lib.tril(lib.triu(_ones(lib, a))) if unit_diagonal else 0)
    t = (t.mT.conj() if trans == 2 else t.mT) if trans else t
    return lib.solve(t, b)


EQUATIONS = [((3, 3), (3, 2)), ((3, 3), (3,)), ((2, 3, 3), (3, 2)), ((3, 3), (2, 3, 1)), ((2, 1, 3, 3), (4, 3, 2))]
EQUATIONS += [((2, 3, 3), (3,)), ((0, 0), (0, 2)), ((2, 2), (2, 0)), ((2, 2, 2), (2, 2, 0)), ((0, 2, 2), (0, 2, 1))]
TRIANGLES = [((3, 3), (3, 2)), ((2, 3, 3), (3,)), ((2, 1, 3, 3), (2, 3, 2)), ((0, 0), (0, 2))]
AXES = [None, 1, (0, 2), (-1,), (2, 1, 0)]

ROWS: list[Row] = [
    # -------------------------------------------------------- solving
    _named("solving.inv", SQUARE, large=((60, 60),)),
    _named("solving.solve", EQUATIONS, large=((60, 60), (60, 30))),
    _row("solving._pinv", lambda lib, x: lib.pinv(x), ANY, label="pinv", large=((60, 40),)),
    _row("solving._pinv", lambda lib, x: lib.pinv(x), EMPTY, made=as_it_is, label="pinv empty", torch=None),
    _row("solving._lstsq", _lstsq, [((4, 2), (4, 3)), ((4, 2), (4,)), ((2, 3), (2, 2)), ((3, 3), (3, 1))],
         label="lstsq"),
    _row("solving._singular_values", lambda lib, a: lib.lstsq(a, _ones(lib, a)[:, :1])[3], [((4, 2),), ((2, 3),)],
         label="lstsq values", torch=None),
    *[
        _row("solving._solve_triangular", _triangular, TRIANGLES, label="solve_triangular",
             variants=[{"lower": lower, "unit_diagonal": unit, "trans": trans}])
        for lower, unit, trans in ((True, False, 0), (False, False, 0), (True, True, 1), (False, True, 2))
    ],
    _row("solving.solve", lambda lib, a, b: lib.tensorsolve(a.reshape((2, 3, 6)), b), [((6, 6), (2, 3))],
         label="tensorsolve"),
    _row("solving.inv", lambda lib, a: lib.tensorinv(a.reshape((6, 2, 3)), ind=1), [((6, 6),)], label="tensorinv"),
    # -------------------------------------------------------- determinants
    _named("determinants.det", SQUARE),
    _row("determinants._slogdet", _slogdet, SQUARE, label="slogdet", large=((60, 60),)),
    Row("ops.determinants._cofactors", determinants._cofactors, shapes=FULL, numpy=_cofactors, large=None,
        complex=complex_, half=False),
    # -------------------------------------------------------- decompositions
    _row("decompositions._cholesky", lambda lib, x, **static: lib.cholesky(x, **static), SQUARE, made=definite,
         variants=[{}, {"upper": True}], label="cholesky", large=((60, 60),)),
    _row("decompositions._qr", _qr, [*ANY, *EMPTY], label="qr", variants=[{"mode": "reduced"}], large=((60, 40),)),
    _row("decompositions._qr", _qr, ANY, label="qr complete", variants=[{"mode": "complete"}], torch=None),
    _row("decompositions._svd", _svd, [*ANY, *EMPTY], label="svd", variants=[{"full_matrices": False}],
         large=((60, 40),)),
    _row("decompositions._svd", _svd, ANY, label="svd full", variants=[{"full_matrices": True}], torch=None),
    _named("decompositions.svdvals", [*ANY, *EMPTY], large=((60, 40),)),
    # -------------------------------------------------------- eigenvalues
    _row("eigenvalues._eigh", _eigh, SQUARE, made=hermitian, label="eigh", large=((60, 60),)),
    _row("eigenvalues._eigh", _eigh, FULL, made=hermitian, label="eigh U", variants=[{"UPLO": "U"}]),
    _row("eigenvalues._eigvalsh", lambda lib, x, **static: lib.eigvalsh(x, **static), SQUARE, made=hermitian,
         label="eigvalsh", variants=[{}, {"UPLO": "U"}], large=((60, 60),)),
    *[
        row for made in (regular, turned)
        for row in (
            _row("eigenvalues._eig", _eig, FULL, made=made, label=f"eig {made.__name__}"),
            _row("eigenvalues.eigvals", lambda lib, x: _symmetric(lib, lib.eigvals(x)), FULL, made=made,
                 label=made.__name__),
        )
    ],
    # -------------------------------------------------------- norms
    *[
        _row(operation, lambda lib, x, **static: lib.vector_norm(x, **static), [((2, 3, 2),)], made=as_it_is,
             label="vector_norm",
             variants=[{"ord": p, "axis": axis, "keepdims": axis == 1}
                       for p in orders for axis in AXES[:: 1 if p == 2 else 2]])
        for operation, orders in (("norms._norm", [2, 3, 1.5, -1]), ("reduction.sum", [1]),
                                  ("reduction.max", [inf]), ("reduction.min", [-inf]))
    ],
    _row("norms._norm", lambda lib, x, **static: lib.vector_norm(x, **static), [((),), ((0,),), ((2, 0),)],
         made=as_it_is, variants=[{}, {"ord": 3}], label="vector_norm small", large=((30, 40),)),
    _row("reduction.sum", lambda lib, x: lib.vector_norm(x, ord=0), [((3, 2),)], constant=True, made=as_it_is,
         label="vector_norm 0", complex=None),
    *[
        _row(operation, lambda lib, x, **static: lib.matrix_norm(x, **static), ANY, label="matrix_norm",
             variants=[{"ord": p, "keepdims": p in ("fro", -2, inf)} for p in orders])
        for operation, orders in (("norms._norm", ["fro"]), ("decompositions.svdvals", ["nuc", 2, -2]),
                                  ("reduction.max", [1, inf]), ("reduction.min", [-1, -inf]))
    ],
    _row("norms._norm", lambda lib, x, **static: lib.norm(x, **static), [((3, 2),)], made=as_it_is, label="norm",
         variants=[{}, {"ord": "fro"}, {"axis": 0}, {"axis": 1, "ord": 3, "keepdims": True}, {"axis": (1, 0)}]),
    _row("decompositions.svdvals", lambda lib, x: lib.norm(x, ord=2, axis=(2, 0), keepdims=True), [((3, 2, 2),)],
         made=as_it_is, label="norm"),
    _row("decompositions.svdvals", lambda lib, x, **static: lib.cond(x, **static), ANY, label="cond",
         variants=[{}, {"p": 2}, {"p": -2}]),
    _row("solving.inv", lambda lib, x, **static: lib.cond(x, **static), FULL, label="cond",
         variants=[{"p": "fro"}, {"p": 1}], torch=None),  # PyTorch overwrites the inverse that it needs
    _row("norms._rank", lambda lib, x, **static: lib.matrix_rank(x, **static), [*ANY, *EMPTY[1:]], constant=True,
         variants=[{}, {"rtol": 0.3}], label="matrix_rank", complex=None),
    # -------------------------------------------------------- products
    *[
        _row(operation, lambda lib, x, n=n: lib.matrix_power(x, n), SQUARE, label=f"matrix_power {n}")
        for n, operation in ((3, "linear.matmul"), (6, "linear.matmul"), (-1, "solving.inv"), (-2, "solving.inv"))
    ],
    _row("linear.matmul", lambda lib, *xs: lib.multi_dot(xs), [((2, 3), (3, 4), (4, 1), (1, 3)), ((3, 4), (4, 2))],
         made=as_it_is, label="multi_dot"),
    _row("linear.matmul", lambda lib, *xs: lib.multi_dot(xs), [((3,), (3, 4), (4,)), ((3,), (3, 2)), ((2, 3), (3,))],
         made=as_it_is, label="multi_dot of vectors"),
    *[
        _row(operation, lambda lib, x, name=name, **static: getattr(lib, name)(x, **static), ANY, made=as_it_is,
             label=f"linalg.{name}", variants=[{}, {"offset": 1}, {"offset": -2}], torch=None)
        for operation, name in (("linear._diagonal", "diagonal"), ("diagonals._trace", "trace"))
    ],
]  # fmt: skip
