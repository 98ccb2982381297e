"""Vectors and matrices: Jacobians that are never made, and gradients in the shape of their variables.

    python examples/lectures/vectors.py
    python examples/lectures/vectors.py --size 1000000

The larger of 0 and each of 4,096 inputs has a Jacobian of 4,096 x 4,096 numbers, all 0 off the diagonal: what the walk
back needs of it is a multiplication, and the memory is measured. The squared length of `W x` has the gradient matrices
of the lecture. A table shows the shape convention: a gradient has the shape of its variable, whatever was done with it.
Written to ``--out``: the graph of the squared length, as HTML and SVG.

Sources: CS231n, lecture 4 and the notes on backpropagation; CS224n, the lecture on Jacobians.
"""

import tracemalloc
from typing import NamedTuple

import numpy
from circuit import draw_graph, there_and_back
from showing import command_line, rows

import gpugrad as gg


def larger_than_zero(x):
    """``max(x, 0)``, element by element."""
    return gg.maximum(x, 0.0)


class Measured(NamedTuple):
    """Forward and backward through the elementwise maximum."""

    x: gg.Tensor
    upstream: gg.Tensor
    gradient: gg.Tensor
    peak: int
    """Bytes that were in use at most, beyond those of the inputs. Only memory of the host is seen."""
    jacobian: int
    """Bytes that the Jacobian would take."""


def measured_maximum(size: int) -> Measured:
    """Walk through the elementwise maximum of ``size`` inputs and back, counting bytes."""
    rng = numpy.random.default_rng(0)
    x, upstream = (gg.tensor(rng.standard_normal(size), dtype=gg.float32) for _ in range(2))
    larger_than_zero(x)  # what is set up at the first call is not to be counted
    tracemalloc.start()
    try:
        _, pullback = gg.vjp(larger_than_zero, x)
        (gradient,) = pullback(upstream)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    return Measured(x, upstream, gradient, peak, x.nbytes * size)


def squared_length(W, x):  # noqa: N803  named as in the lecture
    """``f = ||W x||^2``, the sum of the squares of ``q = W x``."""
    q = W @ x
    return {"q = W x": q, "f": (q**2).sum()}


LENGTH = {"W": [[0.1, 0.5], [-0.3, 0.8]], "x": [0.2, 0.4]}


SHAPES = {  # a function, and the shapes of its variables
    "W x": (lambda w, x: w @ x, (2, 3), (3,)),
    "X W + b": (lambda x, w, b: x @ w + b, (4, 3), (3, 2), (2,)),
    "a X": (lambda a, x: a * x, (), (4, 3)),
    "X, its columns' mean taken off": (lambda x: x - x.mean(axis=0), (4, 3)),
    "x, twelve times over": (lambda x: gg.broadcast_to(x, (12, 3)), (3,)),
    "rows 1, 1 and 2 of E": (lambda e: e[[1, 1, 2]], (5, 3)),
}


def shapes() -> list[tuple[str, str, str, str]]:
    """Of each function above: the shapes of its variables, of its value, and of the gradients."""
    lines = []
    for name, (f, *given) in SHAPES.items():
        places = [gg.ones(shape) for shape in given]
        y, pullback = gg.vjp(f, *places)
        gradients = pullback(gg.ones(y.shape))
        lines.append((name, shown(given), shown([y.shape]), shown([g.shape for g in gradients])))
    return lines


def shown(shapes: list[tuple[int, ...]]) -> str:
    """Shapes as ``2x3, 3``; a number has none."""
    return ", ".join("x".join(map(str, shape)) or "number" for shape in shapes)


def main() -> None:
    """Show all three."""
    parser = command_line(__file__, __doc__)
    parser.add_argument("--size", type=int, default=4096, help="inputs of the elementwise maximum (%(default)s)")
    args = parser.parse_args()
    gg.set_default_device(None if args.device == "auto" else args.device)  # the one line that chooses the device

    m = measured_maximum(args.size)
    print(f"max(x, 0) of {m.x.size:,} inputs: {int((m.x > 0).sum())} are positive, and let the gradient through")
    print(f"  the Jacobian would take  {m.jacobian / 2**20:12,.3f} MiB")
    print(f"  forward and backward took{m.peak / 2**20:12,.3f} MiB of the host's memory at most")
    batch = (100 * args.size) ** 2 * m.x.itemsize
    print(f"  for a minibatch of 100, the Jacobian would take {batch / 2**30:,.0f} GiB")
    small = gg.jacobian(larger_than_zero)(gg.tensor([1.0, -2.0, 3.0]))
    print(f"  of three inputs, 1, -2 and 3, it is {small.tolist()}\n")

    walked = there_and_back(squared_length, **LENGTH)
    print("f = ||W x||^2")
    for name, value in walked.values.items():
        gradient = numpy.round(walked.gradients[name], 3).tolist()
        print(f"  {name:8} {numpy.round(value, 3).tolist()!s:28} gradient {gradient}")
    draw_graph(args.out / "squared_length", squared_length, **LENGTH)

    print("\nthe shape convention")
    print(rows([("", "variables", "value", "gradients"), *shapes()]))


if __name__ == "__main__":
    main()
