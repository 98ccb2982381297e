"""One call of a function whose derivatives are wanted, in autograd's convention for complex numbers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from ...core import Tensor
from ...ops.creation import asarray
from ...ops.shaping import broadcast_to
from ...transforms.arguments import positions
from ...transforms.gradient import Call, as_result
from ...transforms.tree import flatten
from .values import floating, outside, turned
from .vspaces import VSpace

Function = Callable[..., Any]
Argnum = int | Sequence[int]


class Run:
    """One call of a function, recorded with respect to some of its arguments.

    Attributes:
        value: what it returned, as the caller sees it.
    """

    def __init__(self, f: Function, argnum: Argnum, args: Sequence[Any], kwargs: dict[str, Any]) -> None:
        places, self.several = positions("argnum", argnum)
        if any(not -len(args) <= p < len(args) for p in places):
            raise TypeError(f"argnum {argnum} asks for more than the {len(args)} positional arguments given")
        self.call = Call([floating(args[p], f"argument {p}") for p in places])
        given = list(args)
        for place, argument in zip(places, self.call.arguments, strict=True):
            given[place] = argument
        value = self.call.run(f, *given, **kwargs)
        leaves, self.nested = flatten(value, "the value")
        self.results = [as_result(y) for y in leaves]
        self.value = outside(self.nested(iter([self.call.value(y) for y in self.results])))

    def back(self, g: Any, keep: bool = True) -> Any:
        """The gradient of each argument: one, or a tuple where several were asked for."""
        given, _ = flatten(turned(g), "the gradient")
        if len(given) != len(self.results):
            raise ValueError(f"expected {len(self.results)} gradients, one for each result, got {len(given)}")
        pairs = [(y, _like(h, y)) for h, y in zip(given, self.results, strict=True) if y.node is not None]
        found = outside(turned(self.call.gradients(pairs, keep)))
        return tuple(found) if self.several else found[0]

    def of_a_number(self, name: str) -> Any:
        """The gradient of a value that is one real number."""
        if len(self.results) != 1 or self.results[0].size != 1 or self.results[0].dtype.kind != "f":
            raise TypeError(
                f"{name}: expected the function to return one real number, got {self.value!r}: "
                "use jacobian or elementwise_grad, or holomorphic_grad for complex numbers"
            )
        return self.back(VSpace(self.value).ones(), keep=False)


def _like(g: Any, y: Tensor) -> Tensor:
    """A gradient of ``y``, in its dtype and shape."""
    tensor = asarray(g, device=None if isinstance(g, Tensor) else y.device)
    if tensor.dtype != y.dtype:
        tensor = (tensor.real if tensor.dtype.kind == "c" != y.dtype.kind else tensor).astype(y.dtype)
    return tensor if tensor.shape == y.shape else broadcast_to(tensor, y.shape)
