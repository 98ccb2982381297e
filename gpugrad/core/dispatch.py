"""Calling an operation: from Tensors to a Tensor, recording what the gradient rules named.

:func:`general` handles every case. What most programs spend their time on has a shorter path each: operations of one
and of two arrays without static parameters, of one array with them, and of any number of arrays. When anything is
unusual they turn to :func:`general`. The five do the same and are tested against each other.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy

from .. import backend
from ..backend import BACKENDS, NAMESPACES, NUMBERS, WEAK, Array, Device
from . import modes
from .errors import GradientError, explain, look_closely, user_line
from .modes import careful, recording
from .node import ELSEWHERE, NOTHING, Leaf, Located, LocatedView, Node, Numbered, Unfilled, View, age, output_node
from .tensor import Tensor

if TYPE_CHECKING:
    from .operation import Plan, Primitive


class _ArrayLikes:
    """What :mod:`gpugrad.ops` knows of calls that are not as an operation declares them."""

    operands: Callable[[str, tuple[Any, ...]], tuple[Any, ...]]
    """Operands with lists and the like among them, as Tensors."""
    respelled: Callable[[Primitive, tuple[Any, ...], dict[str, Any], TypeError], Any]
    """A call whose arguments do not fit, with NumPy's keywords, or the error."""


array_likes = _ArrayLikes()

SPELLED = frozenset({"dim", "dims", "keepdim"})
"""Keywords that no operation declares, which programs for PyTorch use in every line."""

new = object.__new__

OWNED = (Leaf, View)
"""Nodes whose memory is that of a leaf."""


def make(op: Primitive) -> Callable[..., Any]:
    """The function that users call."""
    short = not op.params and not op.variadic and not op.residuals and not op.outputs and not op.view
    if short and not op.optional and len(op.inputs) == 1:
        return _unary(op)
    if short and not op.optional and len(op.inputs) == 2:
        return _binary(op)
    if len(op.inputs) == 1 and not op.variadic and not op.residuals and not op.outputs and not op.optional:
        return _unary_with_static(op)
    if op.variadic and not op.residuals and not op.outputs and not op.view:
        return _variadic(op)

    def call(*args: Any, **kwargs: Any) -> Any:
        return general(op, args, kwargs)

    return call


def _calls_one(library: Any, x: Any, /) -> Any:
    return library.function(x)


def _calls_two(library: Any, x1: Any, x2: Any, /) -> Any:
    return library.function(x1, x2)


class Bound(dict[type, Callable[..., Any]]):
    """The forward of an operation of one or two arrays, by the type of its arrays.

    A forward that does nothing but call a function of the namespace, as most do, is that function: a call less. Only
    those of array libraries are remembered: whoever records has a namespace of its own each time.
    """

    def __init__(self, op: Primitive) -> None:
        self._op = op

    def __missing__(self, kind: type) -> Callable[..., Any]:
        xp, forward, one = NAMESPACES[kind], self._op.forward, len(self._op.inputs) == 1
        code = getattr(forward, "__code__", None)
        if code is not None and code.co_code == (_calls_one if one else _calls_two).__code__.co_code:
            function: Callable[..., Any] = getattr(xp, code.co_names[0])
        else:
            function = (lambda x: forward(xp, x)) if one else (lambda x1, x2: forward(xp, x1, x2))
        owner = BACKENDS.get(kind)
        if owner is not None and not owner.stands_in:
            self[kind] = function
        return function


def _unary(op: Primitive) -> Callable[..., Any]:
    plans, same = op.plans, op.batch == "elementwise"
    functions = Bound(op)

    def call(x: Any, /) -> Tensor:
        if careful.on or not isinstance(x, Tensor):
            return general(op, (x,), {})  # type: ignore[no-any-return]
        a, m = x.data, x.node
        kind = type(a)
        try:
            y = functions[kind](a)
        except Exception as error:
            if _is_for_general(op, (x,), {}, (a,), error):
                return general(op, (x,), {})  # type: ignore[no-any-return]
            raise explain(op.name, error, (a,)) from error
        if type(y) is not kind:
            y = NAMESPACES[kind].asarray(y)
        if m is None or not recording():
            return Tensor(y, None)
        plan = plans[1]
        if plan is None:
            return Tensor(y, None)
        save = plan.save
        if save == 0:
            kept = a
        elif save == 1:
            kept = y
        elif save == NOTHING:
            kept = None
        else:
            _, kept = _edges(plan, [a], [m], y, (), {})
        node = Unfilled()  # Tensor(y, Node(...)), written out: the calls take as long as one of NumPy
        node.age = age()
        node.plan = plan
        node.parents = m
        node.kept = kept
        node.watch = None
        node.dtype = y.dtype
        node.shape = m.shape if same else y.shape
        made = new(Tensor)
        made.data, made.node = y, node
        return made

    return call


def operator(op: Primitive) -> Callable[..., Any]:
    """The operation as a binary operator, which returns NotImplemented for an operand of an unknown type."""
    return _binary(op, _or_not_implemented)


def _or_not_implemented(op: Primitive, operands: tuple[Any, ...], params: dict[str, Any]) -> Any:
    return general(op, operands, params) if all(map(is_operand, operands)) else NotImplemented


def is_operand(value: Any) -> bool:
    """Whether an operator computes with ``value``, or says what to write instead; no other type may then take over."""
    if isinstance(value, Tensor | numpy.generic | numpy.ndarray | list | tuple | range) or type(value) in NUMBERS:
        return True
    if hasattr(type(value), "__pandas_priority__"):
        return True
    return backend.is_array(value) or (hasattr(value, "__dlpack__") and not hasattr(value, "__array_ufunc__"))


def _binary(op: Primitive, elsewhere: Callable[..., Any] | None = None) -> Callable[..., Any]:
    plans = op.plans
    functions = Bound(op)
    elsewhere = elsewhere or general

    def call(x1: Any, x2: Any, /) -> Tensor:
        m = n = None
        if careful.on:
            return elsewhere(op, (x1, x2), {})  # type: ignore[no-any-return]
        if isinstance(x1, Tensor):
            a, m = x1.data, x1.node
            kind = type(a)
            if isinstance(x2, Tensor):
                b, n = x2.data, x2.node
                if type(b) is not kind:
                    return elsewhere(op, (x1, x2), {})  # type: ignore[no-any-return]
            else:
                b = x2
                if type(b) not in WEAK and (type(b) is not kind or BACKENDS[kind].count > 1):
                    return elsewhere(op, (x1, x2), {})  # type: ignore[no-any-return]
        elif isinstance(x2, Tensor):
            a, b, n = x1, x2.data, x2.node
            kind = type(b)
            if type(a) not in WEAK and (type(a) is not kind or BACKENDS[kind].count > 1):
                return elsewhere(op, (x1, x2), {})  # type: ignore[no-any-return]
        else:
            return elsewhere(op, (x1, x2), {})  # type: ignore[no-any-return]
        try:
            y = functions[kind](a, b)
        except Exception as error:
            if _is_for_general(op, (x1, x2), {}, (a, b), error):
                return general(op, (x1, x2), {})  # type: ignore[no-any-return]
            raise explain(op.name, error, (a, b)) from error
        if type(y) is not kind:
            y = NAMESPACES[kind].asarray(y)
        if m is None:
            if n is None or not recording():
                return Tensor(y, None)
            plan, parent = plans[2], n
        elif not recording():
            return Tensor(y, None)
        elif n is None:
            plan, parent = plans[1], m
        else:
            plan, parent = plans[3], None
        if plan is None:
            return Tensor(y, None)
        parents: Any
        kept: Any
        node: Node
        if parent is None:
            node = Unfilled()
            like, saves = m.shape, plan.saves  # type: ignore[union-attr]
            if ELSEWHERE in saves:
                parents, kept = _edges(plan, [a, b], [m, n], y, (), {})
            else:
                values = (a, b, y, None)
                parents, kept = (m, n), (values[saves[0]], values[saves[1]])
        else:
            parents, like, save = parent, parent.shape, plan.save
            if save == 0:
                kept = a
            elif save == 1:
                kept = b
            elif save == NOTHING:
                kept = None
            elif save == 2:
                kept = y
            else:
                parents, kept = _edges(plan, [a, b], [m, n], y, (), {})
            if plan.forgets and type(b if n is None else a) in WEAK:
                node = Numbered(None, b if n is None else a)
            else:
                node = Unfilled()
        shape = y.shape
        node.age = age()
        node.plan = plan
        node.parents = parents
        node.kept = kept
        node.watch = None
        node.shape = like if shape == like else shape
        node.dtype = y.dtype
        made = new(Tensor)
        made.data, made.node = y, node
        return made

    return call


def _unary_with_static(op: Primitive) -> Callable[..., Any]:
    """One array, which may be viewed, and static parameters: reductions, and what changes shapes."""
    forward, plans, view = op.forward, op.plans, op.view

    def call(*args: Any, **kwargs: Any) -> Any:
        if careful.on or not args or not isinstance(args[0], Tensor):
            return general(op, args, kwargs)
        x = args[0]
        a, m = x.data, x.node
        kind = type(a)
        xp = NAMESPACES[kind]
        try:
            y = forward(xp, a, *args[1:], **kwargs)
        except Exception as error:
            if _is_for_general(op, args, kwargs, (a,), error):
                return general(op, args, kwargs)
            raise explain(op.name, error, (a,)) from error
        if type(y) is not kind and type(y) not in BACKENDS:
            try:
                y = xp.asarray(y)
            except GradientError:  # a static parameter is a tensor, and so is the result
                op.bind(args, kwargs)  # raises with its name
                raise
        if m is None or not recording():
            return Tensor(y, None)
        plan, dtype = plans[1], y.dtype
        if plan is None or dtype.kind in "biu":
            return Tensor(y, None)
        save = plan.saves[0]
        if save is ELSEWHERE:
            params: dict[str, Any] = {}
            if plan.static:
                params = {**op.defaults, **dict(zip(op.positional, args[1:], strict=False)), **kwargs}
            kept = plan.rules[0].pack([
                a.shape if source == "shape" else params[key] if source == "static" else a if source == "input"
                else y if source == "y" else _turned(a) if source == "turned" else backend.device_of(a)
                for source, key in plan.rules[0].sources
            ])  # fmt: skip
        else:
            kept = None if save < 0 else y if save else a
        parents = m if plan.one else (m,)
        if view and isinstance(m, OWNED):
            return Tensor(y, View(m if isinstance(m, Leaf) else m.leaf, plan, parents, kept, y.shape, dtype))
        node = Unfilled()
        node.age = age()
        node.plan = plan
        node.parents = parents
        node.kept = kept
        node.watch = None
        node.shape = y.shape
        node.dtype = dtype
        made = new(Tensor)
        made.data, made.node = y, node
        return made

    return call


def _variadic(op: Primitive) -> Callable[..., Any]:
    """Any number of Tensors on arrays of one kind, and static parameters: what joins them."""
    forward, plans, defaults = op.forward, op.plans, op.defaults

    def call(*operands: Any, **params: Any) -> Any:
        if careful.on or not operands:
            return general(op, operands, params)
        arrays: list[Any] = []
        nodes: list[Node | None] = []
        kind, mask = None, 0
        for x in operands:
            if not isinstance(x, Tensor):
                return general(op, operands, params)
            array, node = x.data, x.node
            if type(array) is not kind:
                if kind is not None:
                    return general(op, operands, params)
                kind = type(array)
            if node is not None:
                mask |= 1 << len(arrays)
            arrays.append(array)
            nodes.append(node)
        xp = NAMESPACES[kind]  # type: ignore[index]
        try:
            y = forward(xp, *arrays, **params)
        except Exception as error:
            if _is_for_general(op, operands, params, arrays, error):
                return general(op, operands, params)
            raise explain(op.name, error, arrays) from error
        if type(y) is not kind:
            y = xp.asarray(y)
        if not mask or not recording():
            return Tensor(y, None)
        plan, dtype = plans[mask], y.dtype
        if plan is None or dtype.kind in "biu":
            return Tensor(y, None)
        parents, kept = _edges(plan, arrays, nodes, y, (), {**defaults, **params} if defaults else params)
        return Tensor(y, Node(plan, parents, kept, y.shape, dtype))

    return call


def _is_for_general(
    op: Primitive, args: tuple[Any, ...], kwargs: dict[str, Any], arrays: Sequence[Any], error: Exception
) -> bool:
    """Whether the general path takes a call that failed on a short one.

    It does where a number does not fit the dtype, the operation does not declare the arguments, or a second device is
    used that nobody has noticed yet, since the user can choose CuPy's current device.
    """
    if isinstance(error, TypeError) and kwargs and not SPELLED.isdisjoint(kwargs):
        return True
    return isinstance(error, OverflowError) or backend.several_used(arrays) or not op.fits(args, kwargs)


def general(op: Primitive, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Run ``op`` and record it, in every case."""
    try:
        operands, params = op.bind(args, kwargs)
    except TypeError as error:
        return array_likes.respelled(op, args, kwargs, error)
    observer = modes.observer() if careful.on else None
    if observer is not None:
        made = _run(op, operands, params)
        observer.note(op, operands, params, made)
        return made
    return _run(op, operands, params)


def _run(op: Primitive, operands: tuple[Any, ...], params: dict[str, Any]) -> Any:
    """:func:`general`, the arguments taken apart."""
    if careful.on:
        writer = backend.recorder()
        if writer is not None:
            operands = writer.operands(operands)
        if op.cast is not None and (lower := modes.autocasting()) is not None:
            operands = careful.cast(op.cast, lower, operands)
    if careful.on and careful.lift is not None:
        operands = careful.lift(operands, params)
        if op.residuals and any(mapped(x) for x in operands):  # residuals would be those of one sample
            return op.reference(NAMESPACES[Tensor], *map(as_tensor, operands), **params)
    arrays: list[Any] = []
    nodes: list[Node | None] = []
    kind, mask, mixed = None, 0, careful.on
    for operand in operands:
        if isinstance(operand, Tensor):
            array, node = operand.data, operand.node
            if node is not None:
                mask |= 1 << len(arrays)
        else:
            if not _is_array_or_number(operand):
                return _run(op, array_likes.operands(op.name, operands), params)
            array, node = operand, None
            if type(array) in BACKENDS and BACKENDS[type(array)].count > 1:
                mixed = True  # an array of the user's may be on any device
        if type(array) is not kind and type(array) in BACKENDS:
            mixed = mixed or kind is not None
            kind = type(array)
        arrays.append(array)
        nodes.append(node)
    if kind is None:  # numbers only
        arrays[0] = new_array(arrays[0])
        kind = type(arrays[0])
    device = common_device(op.name, arrays) if mixed else None
    xp, owner = NAMESPACES[kind], BACKENDS[kind]
    try:
        if owner.whole is not None:
            result = owner.whole(op, arrays, params)
        elif device is not None and owner.several_devices:
            with owner.using(device):
                result = op.forward(xp, *arrays, **params)
        else:
            result = op.forward(xp, *arrays, **params)
    except Exception as error:
        wider = owner.wider(operands) if isinstance(error, OverflowError) else None
        if wider is not None:
            return _run(op, tuple(wider), params)
        raise explain(op.name, error, arrays) from error
    y, residuals = (result[0], result[1:]) if op.residuals else (result, ())
    if op.outputs:
        y = tuple(part if type(part) in BACKENDS else xp.asarray(part) for part in y)
    elif type(y) is not kind and type(y) not in BACKENDS:
        y = xp.asarray(y)
    line = None
    if careful.on and modes.debugging():
        line = user_line()
        for part in y if op.outputs else (y,):
            look_closely(op.name, part, line)
    plan = op.plans[mask] if mask and recording() else None
    if plan is None or (not op.outputs and y.dtype.kind in "biu"):  # integers are constants
        return tuple(Tensor(part) for part in y) if op.outputs else Tensor(y)
    parents, kept = _edges(plan, arrays, nodes, y, residuals, params)
    if not op.outputs:
        if plan.forgets and type(number := arrays[1 - plan.wanted[0]]) in WEAK:
            return Tensor(y, Numbered(line, number, plan, parents, kept, y.shape, y.dtype))
        return Tensor(y, _node(op, nodes[0], line, plan, parents, kept, y.shape, y.dtype))
    node = _node(op, nodes[0], line, plan, parents, kept, tuple(part.shape for part in y), None)
    return tuple(Tensor(part, output_node(node, i, part)) for i, part in enumerate(y))


def mapped(operand: Any) -> bool:
    """Whether an operand stands for those of many samples."""
    kind = type(operand.data if isinstance(operand, Tensor) else operand)
    return kind in BACKENDS and BACKENDS[kind].whole is not None


def as_tensor(operand: Any) -> Any:
    """An array as a constant Tensor; a Tensor, a number or None as it is."""
    return Tensor(operand) if backend.is_array(operand) else operand


def _is_array_or_number(operand: Any) -> bool:
    """Whether an operand other than a Tensor is a known array, a number, or None."""
    return operand is None or type(operand) in WEAK or isinstance(operand, numpy.generic) or backend.is_array(operand)


def checked_operand(name: str, operand: Any) -> Any:
    """Return an operand other than a Tensor: a known array, a number, or None. Anything else is an error."""
    if _is_array_or_number(operand):
        return operand
    kind = type(operand)
    if kind is backend.Size:
        return int(operand)
    lends = hasattr(operand, "__dlpack__") and not isinstance(operand, numpy.ndarray)
    raise TypeError(
        f"{name}: expected a tensor, an array or a number, got "
        + (f"{kind.__module__}.{kind.__name__} (gg.from_dlpack makes a tensor of it)" if lends else kind.__name__)
    )  # fmt: skip


def common_device(name: str, arrays: list[Any]) -> Device | None:
    """The device of all arrays; None if there are only numbers.

    Raises:
        ValueError: the arrays are on different devices: nothing moves by itself.
    """
    found: Device | None = None
    for array in arrays:
        if backend.is_array(array):
            device = backend.device_of(array)
            if found is not None and device != found:
                raise ValueError(
                    f"{name}: operands on different devices, {found} and {device}; nothing is moved silently: "
                    f"use x.to({str(found)!r})"
                )
            found = device
    return found


def new_array(number: Any) -> Array:
    """A number as a 0-d array on the default device; Python's floats and complex numbers get the default dtypes."""
    array = numpy.asarray(number)
    if type(number) in (float, complex):
        real = modes.get_default_dtype()
        array = array.astype(real if type(number) is float else backend.dtypes.complex_beside(real))
    device = modes.get_default_device()
    return backend.backend_for(device).from_host(array, device)


def _edges(
    plan: Plan, arrays: list[Any], nodes: list[Node | None], y: Any, residuals: Any, params: dict[str, Any]
) -> tuple[Any, Any]:
    """The parents of a new node and what it keeps (see :class:`Node`): the values that the rules named."""
    several = plan.op.variadic
    kept = []
    for rule in plan.rules:
        values: list[Any] = []
        for source, key in rule.sources:
            if source == "input":
                values.append(tuple(arrays) if several else arrays[key])
            elif source == "shape":
                values.append(tuple(map(_shape, arrays)) if several else _shape(arrays[key]))
            elif source == "static":
                values.append(params[key])
            elif source == "y":
                values.append(y)
            elif source == "residual":
                values.append(residuals[key])
            elif source == "turned":
                values.append(tuple(map(_turned, arrays)) if several else _turned(arrays[key]))
            else:
                values.append(backend.device_of(arrays[key]))
        kept.append(rule.pack(values))
    if plan.one:
        return nodes[plan.wanted[0]], kept[0]
    return tuple(nodes[i] for i in plan.wanted), kept[0] if plan.joint is not None else tuple(kept)


def _shape(array: Any) -> tuple[int, ...]:
    return getattr(array, "shape", ())


def _turned(array: Any) -> bool:
    """Whether the columns of a matrix lie together in memory, and not its rows."""
    strides: tuple[int, ...] = getattr(array, "strides", ())
    return len(strides) == 2 and strides[0] < strides[1]


def _node(op: Primitive, parent: Node | None, line: str | None, *record: Any) -> Node:
    if op.view and isinstance(parent, OWNED):
        leaf = parent if isinstance(parent, Leaf) else parent.leaf
        return LocatedView(line, leaf, *record) if line else View(leaf, *record)
    return Located(line, *record) if line else Node(*record)
