"""Functions that make arrays of Tensors, and a namespace made differentiable."""

from types import FunctionType
from typing import Any

import numpy

from .... import numpy as np
from ..rules import notrace_primitive, primitive


def wrap_namespace(old: dict[str, Any], new: dict[str, Any]) -> None:
    """Put the functions of a namespace into another, as primitives without rules; what returns constants as such."""
    constants = {numpy.floor, numpy.ceil, numpy.round, numpy.rint, numpy.trunc, numpy.argmax, numpy.argmin, numpy.shape}
    for name, value in old.items():
        if isinstance(value, FunctionType | numpy.ufunc) or type(value).__name__ == "builtin_function_or_method":
            constant = getattr(value, "__hash__", None) is not None and value in constants
            new[name] = notrace_primitive(value) if constant else primitive(value)
        elif isinstance(value, float | int | type) or value is None:
            new[name] = value


def array_from_args(array_args: Any, array_kwargs: Any, *args: Any) -> Any:
    """An array of numbers and Tensors."""
    return np.array(args, *array_args, **array_kwargs)


concatenate_args = np.concatenate
