"""One table of operations: what is known of one stands where it is declared."""

import importlib
import pkgutil
from collections.abc import Mapping

import gpugrad
from gpugrad.core.operation import OPERATIONS, Primitive

ALLOWED = {
    "gpugrad.ops.methods.METHODS",  # the names that they have at Tensors
}
MANY = 20


def entries(value):
    """What a collection holds, and what its parts hold."""
    found = [*value, *value.values()] if isinstance(value, Mapping) else list(value)
    return found + [part for entry in found if isinstance(entry, list | tuple | set) for part in entry]


def collections():
    for found in pkgutil.walk_packages(gpugrad.__path__, "gpugrad."):
        if ".testing." in found.name or found.name.endswith("__main__") or ".interop." in found.name:
            continue
        try:
            module = importlib.import_module(found.name)
        except ModuleNotFoundError as error:  # CuPy, llvmlite, an extra
            if str(error.name).startswith("gpugrad"):
                raise
            continue
        for name, value in vars(module).items():
            if isinstance(value, Mapping | list | tuple | set | frozenset) and not name.startswith("__"):
                yield f"{found.name}.{name}", value


def test_no_collection_lists_operations_again():
    mine = {call.op for call in OPERATIONS.values()}
    assert len(mine) > 200
    again = {
        where
        for where, value in collections()
        if value is not OPERATIONS and sum(is_one_of(mine, entry) for entry in entries(value)) > MANY
    }
    assert again <= ALLOWED, "declare it at the operation, as an argument of primitive"


def is_one_of(operations, entry):
    op = vars(entry).get("op", entry) if callable(entry) and hasattr(entry, "__dict__") else entry
    return isinstance(op, Primitive) and op in operations
