"""Products of vectors and matrices, diagonals."""

from __future__ import annotations

import numpy

import gpugrad as gg
from gpugrad.ops import linear

from .row import Row, complex_too, named

BLOCKS = [((3, 2, 4), (4, 3)), ((2, 3), (3, 2)), ((3,), (3, 2)), ((2, 3), (3,)), ((3,), (3,)), ((2, 3), (2, 3, 1))]
BLOCKS += [((2, 1, 2, 3), (3, 3, 2)), ((3,), (2, 3, 2)), ((2, 2, 3), (3,)), ((2, 3), (3, 0)), ((2, 0), (0, 3))]
BLOCKS += [((2, 3, 4), (4, 0)), ((2, 3, 0), (0, 2)), ((0, 3), (3, 2)), ((0, 2, 3), (3, 2)), ((2, 3, 2), (2, 2, 2))]

EINSUMS = [
    ("ij,jk->ik", ((2, 3), (3, 2))), ("ij->ji", ((2, 3),)), ("ii->i", ((3, 3),)), ("ii", ((3, 3),)),
    ("ij->", ((2, 3),)),
    ("ij->j", ((2, 3),)), ("...ij,...jk->...ik", ((2, 1, 2, 3), (3, 3, 2))), ("i,j->ij", ((2,), (3,))),
    ("bij,bj->b", ((2, 3, 2), (2, 2))), ("ij,jk,kl->il", ((2, 3), (3, 2), (2, 2))), ("iji->j", ((2, 3, 2),)),
    ("i,i", ((3,), (3,))), ("ij,k->i", ((2, 3), (2,))), (",i->i", ((), (3,))), ("ij,jk", ((2, 0), (0, 3))),
    ("bhqd,bhkd->bhqk", ((1, 2, 3, 2), (1, 2, 2, 2))),
]  # fmt: skip


PRODUCTS = [
    *[
        ("linear.matmul", "tensordot", shapes, {"axes": axes})
        for axes, shapes in [
            (2, ((2, 3, 2), (3, 2, 2))), (1, ((2, 3), (3, 2))), (0, ((2,), (3,))),
            (((1, 2), (1, 0)), ((2, 3, 2), (2, 3))), (((-1,), (0,)), ((2, 0), (0, 3))), (([0], [1]), ((2,), (3, 2))),
        ]
    ],
    *[
        ("linear.matmul" if len(shapes[0]) == 1 else "linear._einsum", "vecdot", shapes, {"axis": axis})
        for axis, shapes in [(-1, ((3,), (3,))), (-1, ((2, 3), (3,))), (0, ((3, 2), (3, 2))), (-2, ((2, 3, 1), (3, 2)))]
    ],
    *[("arithmetic.multiply", "outer", shapes, {}) for shapes in (((2,), (3,)), ((2, 2), (3, 1)), ((), (2,)))],
    *[("linear.matmul", "inner", shapes, {}) for shapes in (((3,), (3,)), ((2, 3), (3,)), ((2, 3), (2, 1, 3)))],
    *[
        ("linear.matmul", "dot", shapes, {})
        for shapes in (((3,), (3,)), ((2, 3), (3,)), ((3,), (3, 2)), ((2, 3), (3, 2)), ((2, 2, 3), (3,)),
                       ((3,), (2, 3, 2)), ((2, 3), (2, 3, 2)))
    ],
    *[("arithmetic.multiply", name, shapes, {}) for name in ("inner", "dot") for shapes in (((), (3,)), ((2, 3), ()))],
    *[
        ("arithmetic.multiply", "kron", shapes, {})
        for shapes in (((2,), (3,)), ((2, 3), (2, 1)), ((2,), (3, 2)), ((2, 1, 2), (3,)), ((), (2,)), ((), ()))
    ],
    ("products._cross", "cross", ((3,), (3,)), {}), ("products._cross", "cross", ((2, 3), (3,)), {}),
    ("products._cross", "cross", ((3, 2), (3, 2)), {"axis": 0}),
]  # fmt: skip


def _einsum_row(subscripts, shapes):
    return Row(
        "ops.linear._diagonal" if subscripts in ("ii->i",) else
        "ops.shaping.permute_dims" if subscripts == "ij->ji" else "ops.linear._einsum",
        lambda *xs: gg.einsum(subscripts, *xs), shapes=[shapes], numpy=lambda *xs: numpy.einsum(subscripts, *xs),
        torch=lambda torch, *xs: torch.einsum(subscripts, *xs), large=None, label=f"einsum {subscripts}",
    )  # fmt: skip


def _on_diagonal(d, axis1, axis2, shape):
    y = numpy.zeros(shape, d.dtype)
    numpy.einsum("iji->ji" if (axis1, axis2) == (0, 2) else "...ii->...i", y)[...] = d
    return y


ROWS: list[Row] = [
    # -------------------------------------------------------- linear
    named("linear", "matmul", shapes=BLOCKS, large=((40, 60), (60, 50)), single=1e-4),
    *[_einsum_row(subscripts, shapes) for subscripts, shapes in EINSUMS],
    Row("ops.linear._diagonal", linear._diagonal, shapes=[((3, 2, 3),)], large=None,
        variants=[{"axis1": 0, "axis2": 2}], numpy=lambda x, axis1, axis2: numpy.diagonal(x, 0, axis1, axis2)),
    Row("ops.linear._on_diagonal", linear._on_diagonal, shapes=[((2, 3),)], numpy=_on_diagonal, large=None,
        variants=[{"axis1": 0, "axis2": 2, "shape": (3, 2, 3)}]),
    # -------------------------------------------------------- diagonals
    *[
        named("diagonals", name, shapes=[((3, 3),), ((2, 4),), ((2, 3, 2),), ((0, 2),)], large=None,
              variants=[{}, {"k": 1}, {"k": -2}, {"k": 5}],
              torch=lambda torch, x, k=0, name=name: getattr(torch, name)(x, k))
        for name in ("tril", "triu")
    ],
    *[
        Row(f"ops.{operation}", getattr(gg, name), shapes=[((3, 3),), ((2, 4),), ((2, 4, 3),)], large=None, label=name,
            variants=[{}, {"offset": 1}, {"offset": -1}, {"offset": 7}, {"offset": 1, "axis1": -1, "axis2": 0}],
            numpy=getattr(numpy, name))
        for operation, name in (("linear._diagonal", "diagonal"), ("diagonals._trace", "trace"))
    ],
    Row("ops.linear._diagonal", lambda x, k: gg.diag(x, k), shapes=[((3, 3),), ((2, 3),)], label="diag", large=None,
        variants=[{"k": 0}, {"k": 1}, {"k": -1}], numpy=numpy.diag, torch=lambda torch, x, k: torch.diag(x, k)),
    Row("ops.linear._on_diagonal", lambda x, k: gg.diag(x, k), shapes=[((3,),), ((0,),)], label="diag", large=None,
        variants=[{"k": 0}, {"k": 1}, {"k": -2}], numpy=numpy.diag, torch=lambda torch, x, k: torch.diag(x, k)),
    # -------------------------------------------------------- products
    *[
        Row(f"ops.{operation}", lambda *xs, name=name, kw=kw: getattr(gg, name)(*xs, **kw), shapes=[shapes],
            numpy=lambda *xs, name=name, kw=kw: getattr(numpy, name)(*xs, **kw), large=None, single=1e-4,
            label=f"{name} {kw or '-'} of {shapes}")
        for operation, name, shapes, kw in PRODUCTS
    ],
]  # fmt: skip
ROWS = complex_too(ROWS)
