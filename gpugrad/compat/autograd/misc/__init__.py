"""``flatten``, ``const_graph`` and optimizers, under the names of ``autograd.misc``."""

from collections.abc import Callable
from functools import partial
from typing import Any

from .flatten import flatten


def const_graph(fun: Callable[..., Any], *args: Any, **kwargs: Any) -> Callable[..., Any]:
    """``fun`` with some arguments given. It runs as it is at every call: nothing is kept from the first one."""
    return partial(fun, *args, **kwargs)


__all__ = ["const_graph", "flatten"]
