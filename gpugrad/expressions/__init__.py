"""The expression language: one formula for every language that kernels and pages are printed in.

A reference on ``xp`` is traced into expressions, which printers turn into code. To add an operation, add its row to
``OPERATIONS`` in ``node.py`` and its spelling to each printer.
"""

from .node import (
    BITS,
    DTYPES,
    LEAVES,
    OPERATIONS,
    REDUCTIONS,
    STORED,
    Expression,
    Operation,
    astype,
    constant,
    index,
    length,
    make,
    reduce,
    uses,
    variable,
    view,
    walk,
)
from .tracing import Formula, NotTracedError, Symbol, Tracer, either, may_differ, trace

__all__ = [
    "BITS", "DTYPES", "LEAVES", "OPERATIONS", "REDUCTIONS", "STORED", "Expression", "Formula", "NotTracedError",
    "Operation", "Symbol", "Tracer", "astype", "constant", "either", "index", "length", "make", "may_differ", "reduce",
    "trace", "uses", "variable", "view", "walk",
]  # fmt: skip
