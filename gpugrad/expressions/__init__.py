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

__all__ = [
    "BITS", "DTYPES", "LEAVES", "OPERATIONS", "REDUCTIONS", "STORED", "Expression", "Operation", "astype", "constant",
    "index", "length", "make", "reduce", "uses", "variable", "view", "walk",
]  # fmt: skip
