"""``grad``, ``value_and_grad`` and ``vjp``.

The function sees its arguments as variables of its own, so transforms nest: a gradient taken inside a function that is
itself being differentiated is recorded there. Arguments may be nested: lists, tuples, dicts and dataclasses of arrays;
gradients come in the same nesting.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from contextvars import ContextVar
from functools import wraps
from typing import Any

from .. import backend
from ..backend.dtypes import complex128, float64
from ..core import Argument, GradientError, Node, Tensor, identity, walk
from ..core.engine import as_array, mirrored, seed
from ..core.errors import refusal_behind, user_line
from ..core.modes import careful, enable_grad, inside, recording, set_grad_enabled, transform_device
from ..ops.creation import asarray, full_like, zeros_like
from .arguments import check_differentiable, check_function, positions
from .tree import flatten, in_kind, is_leaf, map_tensors

_inside: ContextVar[bool] = ContextVar("gpugrad_inside_transform", default=False)


WIDE: dict[type, Any] = {float: float64, complex: complex128}
"""The dtypes of Python's numbers as arguments."""


def variable(x: Tensor) -> Tensor:
    """The value of a Tensor as a variable of a transform; where it is part of a graph, at a new place in it."""
    if x.node is not None and recording():
        return identity(x)
    data = careful.variable(x.data) if careful.on and careful.variable is not None else x.data
    return Tensor(data, Argument(data.shape, data.dtype))


class Call:
    """One call of a function whose gradients are asked for: its variables, and how results are handed back.

    Attributes:
        arguments: what the function is called with, the variables in the nesting that the arguments came in.
        variables: the arrays of all arguments, as variables. The function gets Tensors of its own at the same places
            in the graph, so that it may change them (``x -= x.mean()``).
        arrays_given: no argument holds a Tensor, so results are handed back as arrays.
        recorded: results are part of a graph, because this call is inside another, or an argument needs a gradient.
    """

    def __init__(self, arguments: Sequence[Any]) -> None:
        taken = [flatten(argument, f"argument {i}") for i, argument in enumerate(arguments)]
        leaves = [leaf for found, _ in taken for leaf in found]
        self._rebuilds = [rebuild for _, rebuild in taken]
        self.arrays_given = all(not isinstance(leaf, Tensor) for leaf in leaves)
        needed = any(isinstance(leaf, Tensor) and leaf.requires_grad for leaf in leaves)
        self.recorded = recording() and (_inside.get() or needed)
        self._outside = recording()
        arrays = [leaf for leaf in leaves if hasattr(leaf, "dtype")]
        self._double = not arrays or any(array.dtype in (float64, complex128) for array in arrays)
        self._place = asarray(arrays[0]).device if 0 < len(arrays) < len(leaves) else None
        self.variables = [self._variable(leaf) for leaf in leaves]
        self.arguments = self.nested([Tensor(v.data, v.node) for v in self.variables])

    def nested(self, leaves: Sequence[Any]) -> list[Any]:
        """One value for each variable, in the nesting of the arguments."""
        given = iter(leaves)
        return [rebuild(given) for rebuild in self._rebuilds]

    def _variable(self, argument: Any) -> Tensor:
        wide = WIDE.get(type(argument)) if self._double else None
        tensor = asarray(argument, dtype=wide, device=self._place if type(argument) in WIDE else None)
        if not backend.is_floating(tensor.dtype):
            instead = f"write {argument}.0" if type(argument) is int else "use x.astype(gg.float64)"
            raise TypeError(
                f"a gradient needs a floating-point argument, got {tensor.dtype} {tensor.shape}: {instead} "
                f"[{user_line()}]"
            )
        return variable(tensor)

    @property
    def nodes(self) -> list[Node]:
        return [v.node for v in self.variables if v.node is not None]

    def run(self, f: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
        """``f``, recorded, with transforms inside it aware that they are inside."""
        token = _inside.set(True)
        where = transform_device.set(self.variables[0].device if self.variables else inside())
        try:
            with enable_grad():
                return f(*args, **kwargs)
        except Exception as error:
            reason = None if isinstance(error, GradientError) else refusal_behind(error)
            if reason is None:
                raise
            raise reason from error
        finally:
            _inside.reset(token)
            transform_device.reset(where)

    def gradients(self, roots: Sequence[tuple[Tensor, Any]], keep: bool) -> list[Any]:
        """The gradient for each argument, as Tensors or, where plain arrays came, as arrays.

        Args:
            roots: results, and the gradients with respect to them (None: 1).
            keep: the graph will be walked again.
        """
        starts = [(y.node, seed(y, g, self.recorded)) for y, g in roots if y.node is not None]
        found: dict[Node, Any] = {}
        if starts:
            mapped = any(backend.BACKENDS[type(y.data)].whole is not None for y, _ in roots)
            with set_grad_enabled(self.recorded or (mapped and self._outside)):  # what maps it may be recorded
                found = walk(starts, keep or self.recorded, self.nodes)
        return self.nested([self._handed_back(found.get(v.node), v) for v in self.variables])  # type: ignore[arg-type]

    def _handed_back(self, g: Any, variable: Tensor) -> Any:
        if g is None:
            g = zeros_like(variable)
        elif not isinstance(g, Tensor):
            g = Tensor(as_array(g))
        return self.value(mirrored(g))

    def value(self, y: Tensor) -> Any:
        """A result in the kind that the caller works with."""
        if not self.recorded:
            y = Tensor(y.data)
        return in_kind(y, self.arrays_given and not self.recorded)


def value_and_grad(
    f: Callable[..., Any], argnums: int | Sequence[int] = 0, has_aux: bool = False
) -> Callable[..., tuple[Any, Any]]:
    """A function that gives the value of ``f`` and its gradient.

    Args:
        f: returns a scalar (one real element, of shape ``()`` or such as ``(1,)``), or with ``has_aux`` a pair of it
            and anything else. A number, or anything else that does not depend on the arguments, has gradient 0.
        argnums: which positional arguments to differentiate by: an integer for one gradient, several for a tuple.
        has_aux: the value is then ``(scalar, other)``. Tensors in ``other`` are handed back as the value is: as arrays
            for plain arguments, and outside the graph.

    Returns:
        A function with the arguments of ``f``. For NumPy or CuPy arrays the results are such arrays; for Tensors
        they are Tensors, recorded where an argument needs a gradient. A Python float is float64, as for NumPy; beside
        arrays that are all of a narrower dtype it has the default dtype. Source: ``jax.value_and_grad``.

    Raises:
        TypeError: ``f`` is not a function, ``argnums`` are not integers, an argument to differentiate by is not
            floating-point, or the value is neither a Tensor nor a number, or an integer or complex one.
        ValueError: the value is not a scalar.

    >>> import gpugrad as gg, numpy
    >>> gg.value_and_grad(lambda x: (x * x).sum())(numpy.array([1.0, 2.0]))
    (array(5.), array([2., 4.]))
    """
    return _value_and_grad("value_and_grad", f, argnums, has_aux)


def _value_and_grad(name: str, f: Any, argnums: Any, has_aux: bool) -> Callable[..., tuple[Any, Any]]:
    """:func:`value_and_grad` under the name by which it was asked for."""
    check_function(name, f)
    places, several = positions(name, argnums)

    @wraps(f)
    def wrapped(*args: Any, **kwargs: Any) -> tuple[Any, Any]:
        if any(not -len(args) <= p < len(args) for p in places):
            raise TypeError(f"argnums {argnums} asks for more than the {len(args)} positional arguments given")
        call = Call([args[p] for p in places])
        arguments = list(args)
        for position, argument in zip(places, call.arguments, strict=True):
            arguments[position] = argument
        result = call.run(f, *arguments, **kwargs)
        y, aux = result if has_aux else (result, None)
        _check_scalar(y)
        recorded = isinstance(y, Tensor)
        gradients = call.gradients([(y, None)] if recorded else [], keep=False)
        value = call.value(y) if recorded else y
        if has_aux:
            value = (value, map_tensors(lambda t: call.value(t.detach() if not call.recorded else t), aux))
        return value, tuple(gradients) if several else gradients[0]

    return wrapped


def as_result(y: Any) -> Tensor:
    """A part of a function's value as a Tensor; a number of Python or an array is a constant."""
    return asarray(float(y) if type(y) is int else y)


def fitted(g: Any, y: Tensor) -> Any:
    """A gradient or a tangent of ``y``; a Python number takes its dtype and device."""
    fits = type(g) in (int, float) or (type(g) is complex and y.dtype.kind == "c")
    return full_like(y, g) if fits and not y.shape else g


def _check_scalar(y: Any) -> None:
    """Raise unless a value is one real number: a Tensor, or a constant as an array or a number of Python."""
    if not isinstance(y, Tensor):
        if type(y) in (int, float):
            return
        if type(y) is bool or not is_leaf(y):
            raise TypeError(f"expected the function to return a Tensor or a number, got {type(y).__name__}")
    if type(y) is complex or y.dtype.kind == "c":
        kind = "complex" if type(y) is complex else y.dtype
        raise ValueError(f"expected the function to return a real scalar, got {kind}: take a part of it, or use vjp")
    if y.shape != () and math.prod(y.shape) != 1:
        raise ValueError(f"expected the function to return a scalar, got shape {y.shape}: sum it, or use vjp")
    check_differentiable([y])


def grad(f: Callable[..., Any], argnums: int | Sequence[int] = 0, has_aux: bool = False) -> Callable[..., Any]:
    """A function that gives the gradient of ``f``; with ``has_aux`` the pair of it and what else ``f`` returned.

    Arguments, results and errors are those of :func:`value_and_grad`. Source: ``jax.grad``.

    >>> import gpugrad as gg
    >>> gg.grad(gg.grad(lambda x: x**3))(gg.tensor(2.0))
    tensor(12.)
    """
    both = _value_and_grad("grad", f, argnums, has_aux)

    @wraps(f)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        value, gradient = both(*args, **kwargs)
        return (gradient, value[1]) if has_aux else gradient

    return wrapped


def vjp(f: Callable[..., Any], *xs: Any) -> tuple[Any, Callable[[Any], tuple[Any, ...]]]:
    """The value of ``f`` at ``xs``, and a function that carries a gradient of the value back to each of ``xs``.

    Args:
        f: returns a Tensor of any shape, or lists, tuples and dicts of them. A number or an array among them is a
            constant.
        xs: floating-point arrays or Tensors, or lists, tuples, dicts and dataclasses of them.

    Returns:
        ``(y, pullback)``; ``pullback(g)`` takes arrays or Tensors like ``y`` and gives a tuple, one gradient an
        argument: ``g^T J``. It can be called more than once. Source: ``jax.vjp``.

    Raises:
        TypeError: ``f`` is not a function, an argument is not floating-point, or the value holds only integers, or
            something that is not an array.
        ValueError: ``g`` is not like ``y`` in nesting, shape, dtype and device.

    >>> import gpugrad as gg, numpy
    >>> y, pullback = gg.vjp(gg.sin, numpy.array([0.0, 1.0]))
    >>> pullback(numpy.array([1.0, 0.0]))
    (array([1., 0.]),)
    """
    check_function("vjp", f)
    call = Call(xs)
    value = call.run(f, *call.arguments)
    leaves, rebuild = flatten(value, "the value")
    results = [as_result(y) for y in leaves]
    check_differentiable(results)

    def pullback(g: Any) -> tuple[Any, ...]:
        if is_leaf(value) and not is_leaf(g):
            raise TypeError(f"expected the gradient as a tensor or an array, got {type(g).__name__}")
        gs, _ = flatten(g, "the gradient")
        gs = [fitted(given, y) for given, y in zip(gs, results, strict=False)] + gs[len(results) :]
        if len(gs) != len(results):
            raise ValueError(f"expected {len(results)} gradients, one for each result, got {len(gs)}")
        return tuple(call.gradients(list(zip(results, gs, strict=True)), keep=True))

    return rebuild(iter([call.value(y) for y in results])), pullback
