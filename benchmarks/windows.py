"""Convolutions and pooling on the CPU, forward and backward, against PyTorch on one thread.

Both libraries run in turn within each repeat; printed are the least times of the processor over the repeats, in
milliseconds, so that other programs on the machine count for little.

    OPENBLAS_NUM_THREADS=1 python benchmarks/windows.py [part of a name]
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from typing import Any

import numpy

import gpugrad as gg
from gpugrad.nn import functional as F  # noqa: N812

CASES: list[tuple[str, str, list[tuple[int, ...]], dict[str, Any]]] = [  # name, function, shapes, options
    ("64 to 64, 3x3, 8 images of 56x56", "conv2d", [(8, 64, 56, 56), (64, 64, 3, 3), (64,)], {"padding": 1}),
    ("64 to 64, 3x3, 32 images of 32x32", "conv2d", [(32, 64, 32, 32), (64, 64, 3, 3), (64,)], {"padding": 1}),
    ("256 to 256, 3x3, 32 images of 8x8", "conv2d", [(32, 256, 8, 8), (256, 256, 3, 3), (256,)], {"padding": 1}),
    ("64 to 64, 3x3, 1 image of 224x224", "conv2d", [(1, 64, 224, 224), (64, 64, 3, 3), (64,)], {"padding": 1}),
    ("3 to 64, 7x7 in steps of 2, 4 of 224x224", "conv2d", [(4, 3, 224, 224), (64, 3, 7, 7), (64,)],
     {"padding": 3, "stride": 2}),
    ("64 to 128, 3x3 in steps of 2, 32 of 32x32", "conv2d", [(32, 64, 32, 32), (128, 64, 3, 3), (128,)],
     {"padding": 1, "stride": 2}),
    ("64 to 256, 1x1, 8 images of 56x56", "conv2d", [(8, 64, 56, 56), (256, 64, 1, 1), (256,)], {}),
    ("64 channels each, 3x3, 8 images of 56x56", "conv2d", [(8, 64, 56, 56), (64, 1, 3, 3), (64,)],
     {"padding": 1, "groups": 64}),
    ("128 in 32 groups, 3x3, 8 images of 28x28", "conv2d", [(8, 128, 28, 28), (128, 4, 3, 3), (128,)],
     {"padding": 1, "groups": 32}),
    ("6 to 16, 5x5, 64 images of 14x14", "conv2d", [(64, 6, 14, 14), (16, 6, 5, 5), (16,)], {}),
    ("3 to 8, 3x3, 1 image of 8x8", "conv2d", [(1, 3, 8, 8), (8, 3, 3, 3), (8,)], {"padding": 1}),
    ("64 to 64, 3, 16 signals of 1024", "conv1d", [(16, 64, 1024), (64, 64, 3), (64,)], {"padding": 1}),
    ("16 to 32, 3x3x3, 2 volumes of 16x16x16", "conv3d", [(2, 16, 16, 16, 16), (32, 16, 3, 3, 3), (32,)],
     {"padding": 1}),
    ("64 to 32, 4x4, 16 images of 16x16 to 32x32", "conv_transpose2d", [(16, 64, 16, 16), (64, 32, 4, 4), (32,)],
     {"stride": 2, "padding": 1}),
    ("2x2 of 32 x 64 planes of 56x56", "max_pool2d", [(32, 64, 56, 56)], {"kernel_size": 2}),
    ("3x3 in steps of 2 of 32 x 64 planes of 56x56", "max_pool2d", [(32, 64, 56, 56)],
     {"kernel_size": 3, "stride": 2, "padding": 1}),
    ("2x2 of 32 x 64 planes of 56x56", "avg_pool2d", [(32, 64, 56, 56)], {"kernel_size": 2}),
    ("one of 32 x 512 planes of 7x7", "adaptive_avg_pool2d", [(32, 512, 7, 7)], {"output_size": 1}),
    ("7x7 of 8 x 64 planes of 30x30", "adaptive_max_pool2d", [(8, 64, 30, 30)], {"output_size": 7}),
    ("3x3, 8 images of 56x56", "unfold", [(8, 64, 56, 56)], {"kernel_size": 3, "padding": 1}),
]  # fmt: skip


def seconds(run: Callable[[], object]) -> float:
    """The time of the processor that a call takes."""
    start = time.process_time()
    run()
    return time.process_time() - start


def runs(function: Any, variables: list[Any], options: dict[str, Any], g: Any, off: Any) -> list[Callable[[], object]]:
    """Forward without a graph, and forward with backward."""

    def forward() -> None:
        with off():
            function(*variables, **options)

    def both() -> None:
        for x in variables:
            x.grad = None
        function(*variables, **options).backward(g)

    return [forward, both]


def measure(function: str, shapes: list[tuple[int, ...]], options: dict[str, Any], repeats: int) -> list[float]:
    """Milliseconds: ours and PyTorch's, forward, then forward with backward."""
    import torch

    rng = numpy.random.default_rng(0)
    arrays = [rng.standard_normal(shape).astype("f4") for shape in shapes]
    ours = [gg.tensor(a, device="cpu", requires_grad=True) for a in arrays]
    theirs = [torch.tensor(a, requires_grad=True) for a in arrays]
    g = rng.standard_normal(getattr(F, function)(*ours, **options).shape).astype("f4")
    pairs = zip(
        runs(getattr(F, function), ours, options, gg.tensor(g, device="cpu"), gg.no_grad),
        runs(getattr(torch.nn.functional, function), theirs, options, torch.tensor(g), torch.no_grad),
        strict=True,
    )
    found = []
    for mine, other in pairs:
        times = [(seconds(mine), seconds(other)) for _ in range(repeats)]
        found += [1000 * min(column) for column in zip(*times, strict=True)]
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("name", nargs="?", default="", help="part of a name")
    parser.add_argument("--repeats", type=int, default=9)
    arguments = parser.parse_args()
    import torch

    torch.set_num_threads(1)
    print(f"{'':66}{'forward':>16}{'and backward':>27}")
    print(f"{'':66}{'gpugrad':>8}{'torch':>8}{'':>8}{'gpugrad':>11}{'torch':>8}")
    for name, function, shapes, options in CASES:
        if arguments.name in f"{function}: {name}":
            a, b, c, d = measure(function, shapes, options, arguments.repeats)
            print(f"{function + ': ' + name:66}{a:8.2f}{b:8.2f}{a / b:7.2f}x{c:11.2f}{d:8.2f}{c / d:7.2f}x", flush=True)


if __name__ == "__main__":
    main()
