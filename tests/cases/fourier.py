"""Fourier transforms."""

from __future__ import annotations

import numpy

import gpugrad as gg
from gpugrad.ops import fourier

from .domains import complex_
from .row import Row

NORMS = ("backward", "ortho", "forward")

ALONG_ONE = [{}, *({"n": n, "norm": norm} for n, norm in zip((2, 7, 8), NORMS, strict=True)), {"n": 1}]
ALONG_ONE += [{"axis": 0, "n": 4}, {"n": 3, "norm": None}]
HALVES = [{"n": 4}, *({"n": n, "norm": norm} for n, norm in zip((2, 9, 5), NORMS, strict=True)), {"n": 1}]
HALVES += [{"axis": 0, "n": 3}]
ALONG_TWO = [{"axes": (-2, -1)}, {"s": (2, 5), "axes": (-1, -2), "norm": "ortho"}, {"s": (-1, 4), "axes": (-1, -2)}]
ALONG_TWO += [{"s": (3, 4), "axes": (0, -1), "norm": "forward"}, {"axes": (-1,), "norm": "ortho"}]


def _rows(operation, name, shapes, variants, complex=complex_):
    def torchs(torch, x, **static):
        named = {"dim" if key.startswith("ax") else key: value for key, value in static.items()}
        return getattr(torch.fft, name)(x, **named)

    common = {"numpy": getattr(numpy.fft, name), "complex": complex, "single": 1e-4}
    call = getattr(gg.fft, name)
    yield Row(f"ops.{operation}", call, shapes=shapes, variants=variants, torch=torchs, label=name, **common)
    if not operation.startswith("axes") and shapes != PLANES:  # PyTorch refuses batches of nothing
        empty = [((0, *[3] * max(len(s) for (s,) in shapes[:2])),)]
        inside = [v for v in variants if 0 not in (v.get("axis"), *v.get("axes", ()))]
        yield Row(f"ops.{operation}", call, shapes=empty, variants=inside, label=f"{name} empty", large=None, **common)


LINES = [((4,),), ((5,),), ((3, 2),), ((1, 1),)]
BLOCKS = [((3, 4),), ((2, 4, 3),)]
PLANES = [((3, 4),)]

ROWS: list[Row] = [
    *[row for name in ("fft", "ifft") for row in _rows("fourier._c2c", name, LINES, ALONG_ONE)],
    *[row for name in ("rfft", "ihfft") for row in _rows("fourier._r2c", name, LINES, ALONG_ONE, complex=None)],
    *[row for name in ("irfft", "hfft") for row in _rows("fourier._c2r", name, LINES, HALVES)],
    *[row for name in ("fftn", "ifftn") for row in _rows("fourier._c2c", name, BLOCKS, ALONG_TWO)],
    *_rows("fourier._r2c", "rfftn", BLOCKS, ALONG_TWO, complex=None),
    *_rows("fourier._c2r", "irfftn", BLOCKS, ALONG_TWO),
    *[row for name in ("fft2", "ifft2") for row in _rows("fourier._c2c", name, PLANES, [{}])],
    *_rows("fourier._r2c", "rfft2", PLANES, [{}], complex=None),
    *_rows("fourier._c2r", "irfft2", PLANES, [{}]),
    Row("ops.fourier._mirrored", fourier._mirrored, shapes=[((4, 2),)], large=None, complex=complex_,
        variants=[{"n": n, "axis": -2, "factor": 2.0} for n in (6, 7)],
        numpy=lambda x, n, axis, factor: x * numpy.array([1, 2, 2, 1 + n % 2], x.real.dtype)[:, None]),
    *[
        row for name in ("fftshift", "ifftshift")
        for row in _rows("axes.roll", name, [((4,),), ((2, 3),), ((0, 3),)], [{}, {"axes": 0}, {"axes": (-1,)}])
    ],
]  # fmt: skip
