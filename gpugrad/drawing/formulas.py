"""What each node of a graph of scalars computes, written down, so that the page can compute it again.

There is no second table of operations. An operation's forward and its gradient rules are run once with an ``xp`` of
symbols, as expressions (:mod:`gpugrad.expressions`). What cannot be written down is reported as missing.

An expression is a number ("nan", "inf" and "-inf" as strings), ``["x", i]`` for operand i, ``["y"]`` for the value of
the node itself, or ``[function, expression, ...]``:

>>> import gpugrad as gg
>>> found = formulas({2: Recipe(gg.multiply.op, (Ref(0), Ref(1)), {})})
>>> found["nodes"][2]["value"], found["nodes"][2]["local"]
(['multiply', ['x', 0], ['x', 1]], [['x', 1], ['x', 0]])
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from ..backend import dtypes
from ..core.operation import Primitive
from ..core.symbolic import forward, has_rule, local_gradients
from ..expressions import NotTracedError, Symbol, Tracer, variable
from ..expressions.javascript import nested, number

LONGEST = 2000
"""Parts of an expression, above which it counts as not to be written down."""


class Ref(NamedTuple):
    """An operand that is a node of the graph, by its number."""

    node: int


class Recipe(NamedTuple):
    """How a node was computed: the operation, its operands (a number where no node is), its static parameters."""

    op: Primitive
    operands: tuple[Any, ...]
    params: Mapping[str, Any]


def formulas(
    recipes: Mapping[int, Recipe],
    values: Mapping[int, float] | None = None,
    slopes: Mapping[tuple[int, int], float] | None = None,
) -> dict[str, Any]:
    """The formulas of nodes: of the value, and of the local gradient by each operand.

    Args:
        recipes: by the number of the node; the values of all nodes are real and have shape ``()``.
        values: of the nodes, as far as they are known; a formula that says something else counts as missing.
        slopes: the local gradients, by node and position of the operand, likewise.

    Returns:
        ``nodes``: for each node ``inputs`` (``{"node": number}``, or a number for a constant), ``names`` of the
        operands in the operation's signature, ``value``, and ``local`` with None for an operand that is no node.
        ``missing``: the names of operations that cannot be written down.

    >>> import gpugrad as gg
    >>> formulas({1: Recipe(gg.tan.op, (Ref(0),), {})})["nodes"][1]["local"]
    [['add', 1, ['multiply', ['y'], ['y']]]]
    """
    nodes: dict[int, dict[str, Any]] = {}
    missing: list[str] = []
    for node, recipe in recipes.items():
        try:
            found = formula(recipe)
            if not agrees(found, node, values or {}, slopes or {}):
                raise NotTracedError("another value than the operation gave")
            nodes[node] = found
        except Exception:  # noqa: BLE001 - an operation of the user's may fail on symbols in any way it likes
            if recipe.op.name not in missing:
                missing.append(recipe.op.name)
    return {"nodes": nodes, "missing": missing}


def formula(recipe: Recipe) -> dict[str, Any]:
    """The formulas of one node, as in :func:`formulas`.

    Raises:
        NotTracedError: there is something in it that no expression says; or whatever the operation raises.
    """
    op, operands, params = recipe
    symbols = [symbol("x", i) if isinstance(x, Ref) else x for i, x in enumerate(operands)]
    value, residuals = forward(op, XP, symbols, params)
    if any(getattr(x, "dtype", None) == dtypes.bool_ or isinstance(x, bool) for x in operands):
        raise NotTracedError(f"{op.name} chooses by a condition that is not in the graph")
    wanted = [i for i, x in enumerate(operands) if isinstance(x, Ref) and has_rule(op, i)]
    y = symbol("y")
    if op.name in FAMILIAR:
        gradients = [FAMILIAR[op.name](y) for _ in wanted]
    else:
        gradients = local_gradients(op, XP, symbols, params, residuals, y, wanted)
    local: list[Any] = [None] * len(operands)
    for i, h in zip(wanted, gradients, strict=True):
        local[i] = checked(h)
    names = [f"{op.inputs[0]}{i}" for i in range(len(operands))] if op.variadic else list(op.inputs)
    inputs = [{"node": x.node} if isinstance(x, Ref) else None if x is None else literal(x) for x in operands]
    return {"inputs": inputs, "names": names, "value": checked(value), "local": local}


FAMILIAR: dict[str, Callable[[Any], Any]] = {"sigmoid": lambda y: y * (1 - y), "tanh": lambda y: 1 - y * y}
"""Local gradients by the output, as they are taught, where the form of the rule is made for its tails."""

XP = Tracer()


def symbol(*name: Any) -> Symbol:
    """The symbol of an operand or of the value, by what the list of it is."""
    return Symbol(XP, variable(name, "float64", ()))


def literal(value: Any) -> float | int | str:
    """A number as JSON has it."""
    return number(XP.expression(value).value)


def checked(value: Any) -> Any:
    """The expression of a symbol or of a number, if it is not too long."""
    expression = nested(XP.expression(value))
    if size(expression) > LONGEST:
        raise NotTracedError(f"more than {LONGEST} parts")
    return expression


def size(expression: Any) -> int:
    """How many parts an expression has; counted without recursion, and no further than needed."""
    count, waiting = 0, [expression]
    while waiting and count <= LONGEST:
        part = waiting.pop()
        count += 1
        if isinstance(part, list):
            waiting += part[1:]
    return count


def evaluate(expression: Any, operands: Sequence[Any], y: Any, functions: Any) -> Any:
    """An expression as a number.

    Args:
        expression: as in :func:`formulas`.
        operands: their values.
        y: the value of the node, for local gradients.
        functions: a namespace with NumPy's names.

    >>> import numpy
    >>> evaluate(["multiply", ["x", 0], ["subtract", 1, ["y"]]], [3.0], 0.5, numpy).item()
    1.5
    """
    if not isinstance(expression, list):
        return functions.float64(expression)
    head, *parts = expression
    if head == "x":
        return functions.float64(operands[parts[0]])
    if head == "y":
        return functions.float64(y)
    return getattr(functions, head)(*(evaluate(part, operands, y, functions) for part in parts))


def agrees(
    found: Mapping[str, Any], number: int, values: Mapping[int, float], slopes: Mapping[tuple[int, int], float]
) -> bool:
    """Whether the formulas of a node give the numbers that are known of it, but for the rounding of its dtype."""
    import numpy

    operands = [values.get(x["node"]) if isinstance(x, dict) else x for x in found["inputs"]]
    y = values.get(number)
    if y is None or any(x is None and isinstance(i, dict) for x, i in zip(operands, found["inputs"], strict=True)):
        return True
    pairs = [(found["value"], y)]
    pairs += [(e, slopes[number, i]) for i, e in enumerate(found["local"]) if e is not None and (number, i) in slopes]
    with numpy.errstate(all="ignore"):
        return all(
            numpy.allclose(evaluate(e, operands, y, numpy), known, rtol=1e-3, atol=1e-5, equal_nan=True)
            for e, known in pairs
        )
