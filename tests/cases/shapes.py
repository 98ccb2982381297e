"""Shape, stacking, padding, diagonals."""

from __future__ import annotations

import numpy

import gpugrad as gg
from gpugrad.ops import padding

from .row import CUBES, Row, complex_too, named

ROWS: list[Row] = [
    # -------------------------------------------------------- shape
    named("shaping", "reshape", shapes=[((2, 3),)], variants=[{"shape": s} for s in ((3, 2), (-1,), (1, 6, -1))],
          large=None),
    named("shaping", "reshape", shapes=[((2, 3),)], variants=[{"shape": 6}], torch=None, label="flat", large=None),
    named("shaping", "reshape", shapes=[((2, 0),)], variants=[{"shape": (0, 5)}], label="empty", large=None),
    named("shaping", "permute_dims", shapes=CUBES, variants=[{"axes": a} for a in ((2, 0, 1), (0, -1, 1), (0, 1, 2))],
          torch=lambda torch, x, axes: torch.permute(x, axes), large=None),
    named("shaping", "broadcast_to", shapes=[((3,),), ((2, 1),), ((),)], variants=[{"shape": (2, 3)}],
          torch=lambda torch, x, shape: torch.broadcast_to(x, shape), large=None),
    named("shaping", "expand_dims", shapes=[((2, 3),), ((),)], variants=[{"axis": 0}, {"axis": -1}],
          torch=lambda torch, x, axis: torch.unsqueeze(x, axis)),
    named("shaping", "squeeze", shapes=[((2, 1, 3),)], variants=[{}, {"axis": 1}, {"axis": -2}],
          torch=lambda torch, x, axis=None: torch.squeeze(x) if axis is None else torch.squeeze(x, axis), large=None),
    named("shaping", "flip", shapes=CUBES, variants=[{}, {"axis": 1}, {"axis": (0, -1)}],
          torch=lambda torch, x, axis=(0, 1, 2): torch.flip(x, (axis,) if isinstance(axis, int) else axis), large=None),
    *[
        Row("ops.shaping._concat", lambda *xs, axis=0: gg.concat(xs, axis=axis), shapes=shapes,
            variants=[{"axis": axis}], numpy=lambda *xs, axis: numpy.concatenate(xs, axis),
            torch=lambda torch, *xs, axis: torch.cat(xs, axis), large=None, label=f"axis {axis}")
        for axis, shapes in [(0, [((2, 3), (1, 3)), ((0,), (2,)), ((2,),)]), (-1, [((2, 3), (2, 0), (2, 1))])]
    ],
    Row("ops.shaping._concat", lambda *xs: gg.concat(xs, axis=None), shapes=[((2, 3), (2,), ())], large=None,
        numpy=lambda *xs: numpy.concatenate(xs, None), label="flat"),
    Row("ops.shaping._stack", lambda *xs, axis: gg.stack(xs, axis=axis), shapes=[((2, 3),) * 3, ((3, 0),) * 2],
        variants=[{"axis": 0}, {"axis": 1}, {"axis": -1}], numpy=lambda *xs, axis: numpy.stack(xs, axis),
        torch=lambda torch, *xs, axis: torch.stack(xs, axis), large=None),
    Row("ops.shaping._stack", lambda *xs: gg.stack(xs), shapes=[((), ())], large=None, label="0d",
        numpy=lambda *xs: numpy.stack(xs)),
    Row("ops.shaping._split", lambda x, cut, axis=0: tuple(gg.split(x, cut, axis)), shapes=[((4, 2),)], large=None,
        numpy=lambda x, cut, axis=0: tuple(numpy.split(x, cut, axis)),
        variants=[{"cut": 2}, {"cut": [1, 3]}, {"cut": [1], "axis": -1}, {"cut": [0, 4]}, {"cut": [9]}]),
    # -------------------------------------------------------- stacking
    named("axes", "roll", shapes=[((3, 4),)], large=None,
          variants=[{"shift": 1}, {"shift": -2, "axis": 0}, {"shift": (1, 5), "axis": (0, 1)}],
          torch=lambda torch, x, shift, axis=None: torch.roll(x, shift, axis)),
    *[
        Row(f"ops.{operation}", lambda x, a=arguments, name=name: getattr(gg, name)(x, *a), shapes=[shapes],
            numpy=lambda x, a=arguments, name=name: getattr(numpy, name)(x, *a), large=None,
            label=f"{name} {arguments} of {len(shapes[0])} axes")
        for operation, name, shapes, *arguments in [
            ("shaping.permute_dims", "moveaxis", ((2, 3, 4),), 0, -1),
            ("shaping.permute_dims", "moveaxis", ((2, 3, 4, 1),), (0, -1), (2, 0)),
            ("shaping.reshape", "ravel", ((2, 3),)), ("shaping.reshape", "ravel", ((2, 0),)),
            ("shaping.reshape", "ravel", ((),)),
            *[("shaping.flip", "rot90", ((2, 3, 2),), k) for k in (-1, 0, 1, 2, 3, 4)],
            ("shaping.flip", "rot90", ((2, 3, 2),), 1, (2, 0)), ("shaping.flip", "rot90", ((2, 3, 2),), 3, (1, 2)),
            *[("shaping.reshape", "tile", ((2, 3),), n) for n in (2, (2, 1), (3, 1, 2), (0, 2), ())],
            ("shaping.reshape", "tile", ((),), (2, 2)),
            *[("stacking._repeat", "repeat", ((2, 3),), *n) for n in ((2,), (2, 0), (3, -1), (0, 1))],
            ("indexing._gather", "repeat", ((2, 3),), [1, 0, 2], 1), ("indexing._gather", "repeat", ((2,),), [2, 1]),
            *[("shaping.reshape", f"atleast_{n}d", ((),)) for n in (1, 2)],
            ("shaping.reshape", "atleast_3d", ((),)), ("shaping.reshape", "atleast_3d", ((2, 3),)),
            ("shaping.reshape", "atleast_2d", ((3,),)), ("shaping.reshape", "atleast_3d", ((3,),)),
            ("shaping._split", "array_split", ((5, 2),), 3), ("shaping._split", "array_split", ((5, 2),), [1, 3], 0),
            ("shaping._split", "array_split", ((2, 3),), 5, 1), ("shaping._split", "vsplit", ((4, 3),), 2),
            ("shaping._split", "hsplit", ((4, 3),), [1]), ("shaping._split", "hsplit", ((4,),), 2),
            ("shaping._split", "dsplit", ((2, 2, 3),), [1]),
        ]
    ],
    *[
        Row(f"ops.shaping.{operation}", lambda *xs, name=name: getattr(gg, name)(xs), shapes=[shapes], large=None,
            numpy=lambda *xs, name=name: getattr(numpy, name)(xs), label=f"{name} of {shapes}")
        for operation, name, shapes in [
            ("_concat", "vstack", ((3,), (2, 3))), ("_concat", "vstack", ((), ())), ("_concat", "hstack", ((3,), (2,))),
            ("_concat", "hstack", ((2, 3), (2, 1))), ("_concat", "dstack", ((2, 3), (2, 3, 2))),
            ("_concat", "dstack", ((3,), (3,))), ("_stack", "column_stack", ((3,), (3,))),
            ("_concat", "column_stack", ((3,), (3, 2))),
        ]
    ],
    Row("ops.shaping.broadcast_to", gg.broadcast_arrays, shapes=[((2, 1), (3,), ())], numpy=numpy.broadcast_arrays,
        torch=lambda torch, *xs: torch.broadcast_tensors(*xs), large=None, label="broadcast_arrays"),
    Row("ops.shaping.broadcast_to", gg.meshgrid, shapes=[((2,), (3,)), ((2,),), ((2,), (1,), (3,))], large=None,
        numpy=numpy.meshgrid, variants=[{}, {"indexing": "ij"}], label="meshgrid",
        torch=lambda torch, *xs, indexing="xy": torch.meshgrid(*xs, indexing=indexing)),
    # -------------------------------------------------------- padding
    Row("ops.padding._pad", gg.pad, shapes=[((2, 3),)], numpy=numpy.pad, large=None,
        variants=[{"pad_width": 1}, {"pad_width": (0, 2)}, {"pad_width": [(1, 0), (2, 1)]},
                  {"pad_width": ((1,), (0,)), "constant_values": ((1.0, 2.0), (3.0, 4.0))},
                  {"pad_width": ((1, 2),), "constant_values": (5.0, 6.0)}]),
    Row("ops.padding._pad", lambda x: gg.pad(x, 2), shapes=[((0,),), ((2, 0),)], numpy=lambda x: numpy.pad(x, 2),
        large=None, label="empty"),
    Row("ops.padding._border", gg.pad, shapes=[((3, 4),), ((1, 2),)], numpy=numpy.pad, large=None, label="pad",
        variants=[{"pad_width": width, "mode": mode} for mode in ("edge", "wrap", "reflect", "symmetric")
                  for width in (1, ((0, 2), (5, 1)), ((7, 8), (0, 0)))]),
    Row("ops.padding._unborder", padding._unborder, shapes=[((9, 10),)], large=None,
        variants=[{"widths": ((2, 3), (7, 0)), "mode": mode} for mode in ("edge", "wrap", "reflect", "symmetric")]),
    Row("ops.shaping.permute_dims", gg.matrix_transpose, shapes=CUBES, numpy=lambda x: x.mT, large=None, label="mT"),
    Row("ops.shaping.permute_dims", lambda x: gg.swapaxes(x, 0, -1), shapes=CUBES, large=None, label="swapaxes",
        numpy=lambda x: numpy.swapaxes(x, 0, -1)),
    Row("ops.shaping._unstack", lambda x: gg.unstack(x, axis=-2), shapes=CUBES,
        numpy=lambda x: numpy.unstack(x, axis=-2), large=None, label="unstack"),
]  # fmt: skip
ROWS = complex_too(ROWS)
