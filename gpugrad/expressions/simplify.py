"""Rewrite expressions without changing a bit of the result."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping, Sequence

from .node import DTYPES, Expression, astype, constant, make, reduce, view, walk

FOLDED: dict[str, Callable[..., float]] = {
    "add": operator.add, "subtract": operator.sub, "multiply": operator.mul, "negative": operator.neg,
    "divide": operator.truediv, "power": operator.pow,
}  # fmt: skip
"""Operations on constants that are carried out, in the precision of Python's floats."""


def simple(op: str, *args: Expression) -> Expression:
    """As :func:`make`, without operations whose result is known: on constants, and by 1 and -1.

    >>> from gpugrad.expressions import constant, variable
    >>> x, two = variable("x", "float32"), constant(2, "float32")
    >>> simple("multiply", x, simple("divide", two, two)), simple("negative", simple("negative", x))
    (x, x)
    """
    values = [a.value if a.op == "constant" and DTYPES[a.dtype] == "f" else None for a in args]
    if op in FOLDED and None not in values:
        try:
            folded = FOLDED[op](*values)
        except ArithmeticError:
            return make(op, *args)
        return constant(folded, args[0].dtype) if isinstance(folded, float) else make(op, *args)
    if op == "multiply" and 1 in values:
        return args[1] if values[0] == 1 else args[0]
    if op in ("divide", "power") and values[1] == 1:
        return args[0]
    if op == "multiply" and -1 in values:
        return simple("negative", args[1] if values[0] == -1 else args[0])
    if op == "divide" and values[0] == -1:
        return simple("negative", make("divide", constant(1, args[0].dtype), args[1]))
    if op == "negative" and args[0].op == "negative":
        return args[0].args[0]
    if op == "where" and args[1] is args[2]:
        return args[1]
    return make(op, *args)


def rebuilt(node: Expression, args: Sequence[Expression]) -> Expression:
    """The same operation on other operands."""
    if not args:
        return node
    if node.op == "astype":
        return astype(args[0], node.dtype)
    if node.op == "view":
        return view(args[0], node.dtype)
    if node.op == "reduce":
        return reduce(node.value[0], args[0], node.value[1])
    return simple(node.op, *args)


def replaced(roots: Sequence[Expression], by: Mapping[Expression, Expression]) -> tuple[Expression, ...]:
    """The roots with other expressions in the place of some."""
    new: dict[Expression, Expression] = {}
    for node in walk(*roots):
        new[node] = by[node] if node in by else rebuilt(node, [new[a] for a in node.args])
    return tuple(new[root] for root in roots)


def one_exponential(*roots: Expression) -> tuple[Expression, ...]:
    """The roots with one exponential in the place of ``exp(min(x, 0))`` and ``exp(min(-x, 0))``, one of which is 1.

    References are written with both, so that nothing overflows and derivatives of any order are right at 0.
    """
    below: dict[Expression, Expression] = {}
    for node in walk(*roots):
        if node.op == "exp" and node.args[0].op == "minimum":
            x, bound = node.args[0].args
            if bound.op == "constant" and bound.value == 0:
                below[x] = node
    by: dict[Expression, Expression] = {}
    for x, node in below.items():
        other = below.get(simple("negative", x))
        if other is None or node in by:
            continue
        e = make("exp", make("negative", make("abs", x)))
        zero, one = (constant(v, x.dtype) for v in (0, 1))
        by[node] = make("where", make("greater", x, zero), one, e)  # a NaN is in e
        by[other] = make("where", make("less", x, zero), one, e)
    return replaced(roots, by) if by else roots
