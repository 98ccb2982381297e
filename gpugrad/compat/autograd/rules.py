"""Functions with gradient rules of the user's, declared as in autograd: ``primitive``, ``defvjp``, ``defjvp``."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import update_wrapper
from typing import Any

from ... import backend
from ... import numpy as np
from ...core import GradientError, Node, Tensor
from ...core.errors import user_line
from ...core.modes import enable_grad, no_grad, recording, transform_device
from ...core.node import output_node
from ...ops.creation import zeros
from ...transforms.tree import Rebuild, flatten, is_leaf, map_tensors
from .running import Run
from .values import getval, unboxed
from .vspaces import VSpace

Maker = Callable[..., Any]


class Primitive:
    """A function of arrays, containers and anything else, opaque to differentiation but for its rules."""

    def __init__(self, function: Callable[..., Any]) -> None:
        update_wrapper(self, function)
        self.function = function
        self.name = getattr(function, "__name__", "function").strip("_")
        self.makers: dict[int, Maker | None] = {}
        self.joint: Maker | None = None
        self.forward: dict[int, Maker | str | None] = {}
        self.forward_joint: Maker | None = None

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        places = [i for i, value in enumerate(args) if _holds_variable(value)] if recording() else []
        for key, value in kwargs.items():
            if recording() and _holds_variable(value):
                raise GradientError(f"{self.name}: {key} needs a gradient, which goes to positional arguments only")
        y = self._run([map_tensors(getval, value) for value in args], kwargs)
        if not places or not _differentiable(y):
            return y
        if self.joint is None:
            for place in places:
                self._maker(place)
        return WayBack(self, args, kwargs, places).record(y)

    def __get__(self, instance: Any, owner: Any = None) -> Any:
        return self if instance is None else lambda *args, **kwargs: self(instance, *args, **kwargs)

    def _run(self, args: Sequence[Any], kwargs: dict[str, Any]) -> Any:
        """The function on arrays: nothing in it is recorded, and what it makes are arrays."""
        token = transform_device.set(None)
        try:
            with no_grad():
                return map_tensors(
                    getval, self.function(*args, **{k: map_tensors(getval, v) for k, v in kwargs.items()})
                )
        finally:
            transform_device.reset(token)

    def gradients(self, argnums: tuple[int, ...], ans: Any, args: Any, kwargs: Any) -> Callable[[Any], Sequence[Any]]:
        """A function from the gradient of the value to those of the arguments at ``argnums``."""
        if self.joint is not None:
            rule: Callable[[Any], Sequence[Any]] = self.joint(argnums, ans, args, kwargs)
            return rule
        makers = [self._maker(i) for i in argnums]
        rules = [maker if maker is None else maker(ans, *args, **kwargs) for maker in makers]
        return lambda g: [None if rule is None else rule(g) for rule in rules]

    def _maker(self, argnum: int) -> Maker | None:
        if argnum in self.makers:
            return self.makers[argnum]
        forward = self.forward.get(argnum)
        if callable(forward):
            return transposed(forward, argnum)
        raise NotImplementedError(
            f"{self.name} has no gradient rule for argument {argnum} [{user_line()}]: declare it by defvjp"
        )


def transposed(forward: Maker, argnum: int) -> Maker:
    """The gradient rule that a forward rule means: the way back of the linear function that it is."""

    def maker(ans: Any, *args: Any, **kwargs: Any) -> Callable[[Any], Any]:
        start = map_tensors(getval, args[argnum])
        along = Run(lambda v: forward(v, ans, *args, **kwargs), 0, [VSpace(start).zeros()], {})
        along.call.recorded = True
        return along.back

    return maker


class WayBack:
    """One recorded call; its own plan in the graph (see :class:`gpugrad.core.node.WayBack`).

    Attributes:
        primitive: which function.
        args, kwargs: of the call, as arrays.
        places: the positions of the arguments that hold variables.
    """

    joint: Any = True
    one = False
    apply: Any = None

    def __init__(self, primitive: Primitive, args: Sequence[Any], kwargs: dict[str, Any], places: list[int]) -> None:
        self.primitive, self.kwargs, self.places = primitive, kwargs, places
        self.name = primitive.name
        self.leaves: list[list[Any]] = []
        self.rebuilds: list[Rebuild] = []
        self.args = [map_tensors(getval, value) for value in args]
        for place in places:
            leaves, rebuild = flatten(args[place], f"argument {place}")
            self.leaves.append(leaves)
            self.rebuilds.append(rebuild)
        variables = [leaf for leaves in self.leaves for leaf in leaves if _is_variable(leaf)]
        self.parents = tuple(leaf.node for leaf in variables)
        self.variable = [[_is_variable(leaf) for leaf in leaves] for leaves in self.leaves]
        self.leaves = [[getval(leaf) for leaf in leaves] for leaves in self.leaves]
        self.names: tuple[Any, ...] = tuple(range(len(self.parents)))
        self.guards: tuple[int, ...] = self.names
        self.device = variables[0].device

    @property
    def applies(self) -> tuple[Any, ...]:  # made when asked for: kept, it would be a reference cycle
        return (self.gradients,)

    def record(self, y: Any) -> Any:
        """The value as Tensors in the graph."""
        leaves, self.nested = flatten(y, "the value")
        arrays = list(map(_array, leaves))
        self.single = is_leaf(y)
        shape = arrays[0].shape if self.single else tuple(a.shape for a in arrays)
        dtype = arrays[0].dtype if self.single else None
        node = Node(self, self.parents, arrays, shape, dtype)  # type: ignore[arg-type]
        if self.single:
            return Tensor(arrays[0], node)
        made = [
            Tensor(a, output_node(node, i, a)) if backend.is_floating(a.dtype) else leaf
            for i, (a, leaf) in enumerate(zip(arrays, leaves, strict=True))
        ]
        return self.nested(iter(made))

    def gradients(self, xp: Any, g: Any, wanted: Any, kept: Any) -> list[Any]:
        """The joint rule."""
        results, given = kept if isinstance(kept, tuple) else (kept, None)
        recorded = given is not None
        args = list(self.args)
        for k, place in enumerate(self.places):
            args[place] = self.rebuilds[k](iter(given[k] if recorded else map(unboxed, self.leaves[k])))
        ans = self.nested(iter(results if recorded else map(unboxed, results)))
        upstream = self.nested(iter([g] if self.single else g))
        if not recorded:
            upstream = self.nested(iter([unboxed(h) for h in ([g] if self.single else g)]))
        with enable_grad() if recorded else no_grad():
            found = self.primitive.gradients(tuple(self.places), ans, tuple(args), self.kwargs)(upstream)
        gradients: list[Any] = []
        for k, h in enumerate(found):
            parts = [None] * len(self.leaves[k]) if h is None else flatten(h, "the gradient of a rule")[0]
            if len(parts) != len(self.leaves[k]):
                raise ValueError(
                    f"expected {len(self.leaves[k])} gradients for argument {self.places[k]}, got {len(parts)}"
                )
            for part, leaf, needed in zip(parts, self.leaves[k], self.variable[k], strict=True):
                if needed:
                    gradients.append(self._fitted(part, leaf, recorded))
        return gradients

    def _fitted(self, h: Any, leaf: Any, recorded: bool) -> Any:
        if h is None:
            made = zeros(np.shape(leaf), dtype=leaf.dtype, device=self.device)
            return made if recorded else made.data
        if recorded:
            return h if isinstance(h, Tensor) else Tensor(_array(h))
        return _array(getval(h))

    def recorded(self, node: Node) -> tuple[Any, ...]:
        """Arguments and value at their places in the graph, for a recorded walk."""
        parents = iter(node.parents)
        given = [
            [Tensor(_array(leaf), next(parents)) if needed else leaf for leaf, needed in zip(*pair, strict=True)]
            for pair in zip(self.leaves, self.variable, strict=True)
        ]
        arrays = node.kept
        if self.single:
            return (([Tensor(arrays[0], node)], given),)
        return (([Tensor(a, output_node(node, i, a)) for i, a in enumerate(arrays)], given),)

    def through_reference(self, node: Node) -> None:
        """There are no residuals."""


def _array(x: Any) -> Any:
    """A number as an array, as NumPy makes one of it; an array as it is."""
    if backend.is_array(x):
        return x
    made = np.asarray(x)  # inside a transform a Tensor
    return made.data if isinstance(made, Tensor) else made


def _is_variable(value: Any) -> bool:
    return isinstance(value, Tensor) and value.node is not None


def _holds_variable(value: Any) -> bool:
    if type(value) in (list, tuple):
        return any(map(_holds_variable, value))
    if type(value) is dict:
        return any(map(_holds_variable, value.values()))
    return _is_variable(value)


def _differentiable(y: Any) -> bool:
    if type(y) in (list, tuple):
        return any(map(_differentiable, y))
    if type(y) is dict:
        return any(map(_differentiable, y.values()))
    return isinstance(y, float | complex) or getattr(getattr(y, "dtype", None), "kind", "i") in "fc"


def primitive(function: Callable[..., Any]) -> Primitive:
    """A function that differentiation does not look into: it gets arrays, and rules are declared for it.

    >>> import gpugrad.compat.autograd.numpy as np
    >>> from gpugrad.compat.autograd import grad
    >>> from gpugrad.compat.autograd.extend import defvjp, primitive
    >>> @primitive
    ... def cube(x):
    ...     return x**3
    >>> defvjp(cube, lambda ans, x: lambda g: 3 * x**2 * g)
    >>> grad(grad(cube))(2.0)
    np.float64(12.0)
    """
    return Primitive(function)


def notrace_primitive(function: Callable[..., Any]) -> Callable[..., Any]:
    """A function whose value is a constant: it gets arrays, and nothing is recorded."""
    made = Primitive(function)

    def constant(*args: Any, **kwargs: Any) -> Any:
        with no_grad():
            return made(*args, **kwargs)

    return update_wrapper(constant, function)


def _declared(function: Any) -> Primitive:
    if not isinstance(function, Primitive):
        raise TypeError(f"expected a function made by primitive, got {function!r}: decorate it with @primitive first")
    return function


def defvjp(function: Any, *makers: Maker | None, argnums: Iterable[int] | None = None) -> None:
    """Declare gradient rules: each ``maker(ans, *args, **kwargs)`` gives a function of ``g``; None is a gradient of 0.

    Args:
        function: made by :func:`primitive`.
        makers: for arguments 0, 1, ... in order, or for those at ``argnums``.
        argnums: positions of the arguments.
    """
    places = range(len(makers)) if argnums is None else argnums
    _declared(function).makers.update(zip(places, makers, strict=False))


def defvjp_argnum(function: Any, maker: Maker) -> None:
    """Declare one rule for all arguments: ``maker(argnum, ans, args, kwargs)`` gives a function of ``g``."""

    def joint(argnums: Sequence[int], ans: Any, args: Any, kwargs: Any) -> Callable[[Any], list[Any]]:
        rules = [maker(i, ans, args, kwargs) for i in argnums]
        return lambda g: [rule(g) for rule in rules]

    _declared(function).joint = joint


def defvjp_argnums(function: Any, maker: Maker) -> None:
    """Declare one rule: ``maker(argnums, ans, args, kwargs)`` gives a function from ``g`` to a gradient each."""
    _declared(function).joint = maker


def defjvp(function: Any, *makers: Maker | str | None, argnums: Iterable[int] | None = None) -> None:
    """Declare forward rules: ``maker(g, ans, *args, **kwargs)``, or "same" where the function is linear.

    Derivatives along a direction come from the gradient rules here. Where there is none, the way back of the forward
    rule, which is linear in ``g``, is the gradient rule.
    """
    places = range(len(makers)) if argnums is None else argnums
    _declared(function).forward.update(zip(places, makers, strict=False))


def defjvp_argnum(function: Any, maker: Maker) -> None:
    """Declare one forward rule for all arguments; kept beside the gradient rules."""
    _declared(function).forward_joint = maker


defjvp_argnums = def_linear_argnums = defjvp_argnum
