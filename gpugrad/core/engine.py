"""The walk back: from newest node to oldest, each once, adding up where branches meet. It knows no operation."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from heapq import heappop, heappush
from threading import RLock
from typing import Any

from .. import backend
from ..backend import BACKENDS, EAGER, NAMESPACES, Array
from ..kernels.wide import wider
from . import modes
from .errors import GradientError, describe, explain, look_closely, user_line
from .node import Node, Parts, Watch
from .placed import Placed
from .tensor import Tensor

after_backward: list[Callable[[], None]] = []
"""Called at the end of every ``backward``: whoever averages gradients over processes waits for them here."""

_accumulating = RLock()
"""Held while a gradient is added to one that is kept: threads may share leaves. Reentrant, for finalizers."""


def backward(  # noqa: D417  a method
    self: Tensor,
    gradient: Tensor | Array | None = None,
    *,
    retain_graph: bool | None = None,
    create_graph: bool = False,
) -> None:
    """Walk the graph back from here and add the gradients to the ``grad`` of the leaves.

    Args:
        gradient: the gradient of some scalar with respect to this tensor, of its shape; 1 for a scalar.
        retain_graph: keep what the graph has saved, so that it can be walked again (as ``create_graph``).
        create_graph: record the walk itself, so that the gradients can be differentiated.

    Raises:
        GradientError: there is no graph, it was walked before, or a leaf was changed since.
        ValueError: ``gradient`` is missing for a non-scalar, or has another shape, dtype or device.
    """
    if self.node is None:
        raise GradientError(
            "backward: this tensor is not connected to any that needs a gradient (requires_grad=True, and not "
            "inside no_grad or behind detach)"
        )
    roots = ((self.node, seed(self, gradient, create_graph)),)
    if create_graph:
        with modes.enable_grad():
            walk(roots, True if retain_graph is None else retain_graph)
    else:
        walk(roots, bool(retain_graph))
    for finish in after_backward:
        finish()


backward.__qualname__ = "Tensor.backward"
Tensor.backward = backward  # type: ignore[method-assign, assignment]


def seed(y: Tensor, gradient: Any, create_graph: bool) -> Any:
    """The gradient to start from, as rules carry it: 1 for a real scalar, else what the user gave, checked."""
    like = y.data
    kind = type(like)
    owner = BACKENDS[kind]
    if owner.count > 1:
        owner.look_around()
    if gradient is None:
        if like.size != 1 or like.dtype.kind == "c":
            raise ValueError(
                f"backward from a {y.dtype} tensor of shape {y.shape} needs the gradient with respect to it: only for "
                f"a single real element is it 1 [{user_line()}]: use {'gg.real(y)' if y.dtype.kind == 'c' else 'y'}"
                ".sum().backward(), or y.backward(gradient) with a gradient of the shape of y"
            )
        if owner.several_devices or owner.whole is not None:
            with backend.beside(like):
                one = NAMESPACES[kind].ones_like(like)
        else:
            one = NAMESPACES[kind].ones(like.shape, dtype=like.dtype)
        return Tensor(one, None) if create_graph else one
    data = gradient.data if isinstance(gradient, Tensor) else gradient
    if not backend.is_array(data):
        raise TypeError(f"expected the gradient as a tensor or an array, got {type(data).__name__}")
    if data.shape != like.shape or data.dtype != like.dtype or (
        (type(data) is not kind or owner.count > 1) and backend.device_of(data) != y.device
    ):  # fmt: skip
        raise ValueError(f"expected a gradient like the tensor, {describe(like)}, got {describe(data)}")
    if gradient is data:
        data = backend.duplicate(data)  # the caller may write to it again
    if owner.whole is not None is BACKENDS[type(data)].whole:
        data = NAMESPACES[kind].asarray(data)  # one for all samples
    if create_graph:
        data = Tensor(data, gradient.node if isinstance(gradient, Tensor) else None)
    return mirrored(data)


def mirrored(g: Any) -> Any:
    """A gradient as users see it for one as rules carry it, and back; only complex ones differ.

    At ``z = a + ib`` rules carry ``dL/da - i dL/db``, so that the rule of a holomorphic function is multiplication by
    its derivative, for complex numbers as for real ones. Users see ``dL/da + i dL/db``, the direction of steepest
    ascent, as in PyTorch.
    """
    if g.dtype.kind != "c":
        return g
    with backend.beside(g):
        xp = NAMESPACES[type(g)]
        return xp.conj(g)


def walk(
    roots: Iterable[tuple[Node, Any]], retain_graph: bool, targets: Sequence[Node] | None = None
) -> dict[Node, Any]:
    """Carry gradients back from ``roots``.

    Where the gradients are Tensors, the rules are run with ``xp = gpugrad`` and so recorded.

    Args:
        roots: nodes and the gradients of their values.
        retain_graph: leave the nodes' edges in place.
        targets: collect the gradients of these nodes and go no further; otherwise they are kept where a node is
            watched (leaves, ``retain_grad``).

    Returns:
        The gradients of the targets that were reached.
    """
    waiting: dict[Node, Any] = {}
    heap: list[tuple[int, Node]] = []
    for node, g in roots:
        if node in waiting:
            waiting[node] = total(waiting[node], g)
        else:
            waiting[node] = g
            heappush(heap, (node.age, node))
    found: dict[Node, Any] = {}
    everywhere, wanted = targets is None, frozenset(targets or ())
    oldest = max([node.age for node in wanted]) if wanted else 0
    namespaces: dict[type, Any] = {} if modes.careful.on else EAGER  # of gradients that need no care
    kind = xp = None

    following: Node | None = None  # the newest of the nodes that wait, if it is not in the heap: g is its gradient
    while following is not None or heap:
        if following is None:
            _, node = heappop(heap)
            g = waiting.pop(node)
        else:
            node, following = following, None
        if not everywhere and node.age > oldest:
            break  # older than every target: nothing more can reach one
        if node.watch is not None:
            g = arrive(node.watch, g, keep=everywhere)
        if not everywhere and node in wanted:
            found[node] = g.whole() if type(g) is Placed else g
            continue
        plan: Any = node.plan
        parents = node.parents
        if plan is None:
            continue  # a leaf
        if parents is None:
            raise GradientError(
                f"the graph behind this {node.name} was walked before, and what it had saved is gone: "
                "pass retain_graph=True the first time"
            )
        if plan.guards:
            for position in plan.guards:
                if (parents if plan.one else parents[position]).changed < node.age:
                    raise changed_leaf(node, position)
        if type(g) is not kind:
            kind = type(g)
            xp = namespaces.get(kind)
        if plan.one and xp is not None:  # as below, for one edge: written out, since most nodes have one
            try:
                h = plan.apply(xp, g, node.kept)
                if h.shape != parents.shape:
                    h = unbroadcast(xp, h, parents.shape, node)
                if h.dtype is not parents.dtype and h.dtype != parents.dtype:
                    h = converted(xp, h, parents.dtype)
            except Exception as error:
                raise failed(node, error) from error
            if not retain_graph:
                node.parents = node.kept = None
            if parents in waiting:
                waiting[parents] = waiting[parents] + h
            elif heap and heap[0][0] < parents.age:
                waiting[parents] = h
                heappush(heap, (parents.age, parents))
            else:
                following, g = parents, h
            continue
        edges: Iterable[tuple[Node, Any, Any]]
        if xp is None or plan.joint is not None:
            g, xp, edges = prepare(node, g)
            kind = None
        else:  # nearly always two: written out, since zip takes longer than most rules
            rules, values = plan.applies, node.kept
            edges = ((parents[0], rules[0], values[0]), (parents[1], rules[1], values[1]))
            if len(parents) > 2:
                edges = zip(parents, rules, values, strict=True)
        if not retain_graph:
            node.parents = node.kept = None
        ahead: Any = None  # the gradient of the one that follows
        for parent, rule, kept in edges:
            try:
                h = rule(xp, g, kept)
                if h.shape != parent.shape:
                    h = unbroadcast(xp, h, parent.shape, node)
                if h.dtype is not parent.dtype and h.dtype != parent.dtype:
                    h = converted(xp, h, parent.dtype)
            except Exception as error:
                raise failed(node, error) from error
            if parent is following:
                ahead = ahead + h if namespaces else total(ahead, h)
            elif parent in waiting:
                waiting[parent] = waiting[parent] + h if namespaces else total(waiting[parent], h)
            elif following is None:
                following, ahead = parent, h
            else:  # the newer one follows
                if parent.age < following.age:
                    parent, h, following, ahead = following, ahead, parent, h
                waiting[parent] = h
                heappush(heap, (parent.age, parent))
        if following is not None and heap and heap[0][0] < following.age:
            waiting[following] = ahead
            heappush(heap, (following.age, following))
            following = None
        g = ahead
    return found


def arrive(watch: Watch, g: Any, keep: bool) -> Any:
    """The gradient has reached a watched node: run the hooks, keep it. Returns what goes on."""
    g = g.whole() if type(g) is Placed else g
    if watch.hooks:
        g = mirrored(hooked(watch, mirrored(g)))
    if keep and watch.keep:
        recorded = type(g) not in EAGER and isinstance(g, Tensor)
        seen = mirrored(g) if g.dtype.kind == "c" else g
        found = seen if recorded else Tensor(seen if type(seen) in BACKENDS else as_array(seen), None)
        with _accumulating:
            kept = watch.grad
            if kept is not None:
                found = kept + found if recorded else Tensor(as_array(total(kept.data, found.data)), None)
            watch.grad = found
    return g


def hooked(watch: Watch, g: Any) -> Any:
    """``g`` as the hooks leave it."""
    for hook in list(watch.hooks.values()):
        seen = g if isinstance(g, Tensor) else Tensor(as_array(g))
        answer = hook(seen)
        if answer is not None:
            if not isinstance(answer, Tensor) or answer.shape != g.shape or answer.dtype != g.dtype:
                came = describe(answer.data) if isinstance(answer, Tensor) else type(answer).__name__
                raise ValueError(f"expected from a gradient hook a tensor of {g.dtype} {g.shape}, got {came}")
            g = answer if isinstance(g, Tensor) else answer.data
    return g


def prepare(node: Node, g: Any) -> tuple[Any, Any, list[tuple[Node, Any, Any]]]:
    """The less common cases of a step: a recorded walk, several outputs, a joint rule, several devices, debugging.

    Returns:
        The gradient (a tuple for several outputs), ``xp``, and edges whose gradients are there to be handed on.
    """
    plan = node.plan
    assert plan is not None
    parents = (node.parents,) if plan.one else node.parents
    kept = (node.kept,) if plan.one or plan.joint is not None else node.kept
    if isinstance(g, Parts):
        g = complete(g, getattr(plan, "partial", False))
    elif type(g) is Placed:
        g = g.whole()
    like = next(part for part in g if part is not None) if isinstance(g, tuple) else g
    xp = NAMESPACES[type(like)]
    data = like.data if isinstance(like, Tensor) else like
    if isinstance(like, Tensor):
        again = plan.through_reference(node)
        if again is not None:
            return g, xp, _differentiated(parents, again, g)
        kept = plan.recorded(node)
    with backend.beside(data):
        if plan.joint is not None:
            gradients = _called(node, plan.applies[0], xp, g, plan.names, kept[0])
            if len(gradients) != len(parents):
                raise failed(node, ValueError(f"expected {len(parents)} gradients, got {len(gradients)}"))
        else:
            gradients = [_called(node, rule, xp, g, k) for rule, k in zip(plan.applies, kept, strict=True)]
    if modes.debugging():
        for h in gradients:
            look_closely(f"the gradient of {node.name}", h.data if isinstance(h, Tensor) else h, node.line or "?")
    return g, xp, [(parent, _given, h) for parent, h in zip(parents, gradients, strict=True)]


def _called(node: Node, rule: Any, *arguments: Any) -> Any:
    try:
        return rule(*arguments)
    except Exception as error:
        raise failed(node, error) from error


def _differentiated(parents: Any, again: Any, g: Any) -> list[tuple[Node, Any, Any]]:
    """The gradients of a fused operation in a recorded walk: its reference is run and walked back instead."""
    inputs, run = again
    with modes.enable_grad():
        y = run()
        nodes = [tensor.node for tensor in inputs]
        roots = [(part.node, h) for part, h in (zip(y, g, strict=True) if isinstance(g, tuple) else [(y, g)])]
        found = walk(roots, retain_graph=True, targets=nodes)
    xp = NAMESPACES[Tensor]
    return [
        (parent, _given, found[node] if node in found else xp.zeros_like(tensor))
        for parent, node, tensor in zip(parents, nodes, inputs, strict=True)
    ]


def _given(xp: Any, g: Any, h: Any) -> Any:
    return h


def complete(g: Parts, partial: bool) -> tuple[Any, ...]:
    """The gradients of all outputs; zeros for those that were not used, or None where the rules take that."""
    some = next(iter(g.parts.values()))
    data: Array = some.data if isinstance(some, Tensor) else some
    xp = NAMESPACES[type(data)]

    def zeros(shape: tuple[int, ...]) -> Any:
        array = xp.zeros(shape, dtype=data.dtype)
        return Tensor(array) if isinstance(some, Tensor) else array

    if partial:
        return tuple(map(g.parts.get, range(len(g.shape))))
    with backend.beside(data):
        return tuple(g.parts[i] if i in g.parts else zeros(shape) for i, shape in enumerate(g.shape))


def as_array(g: Any) -> Array:
    """``g`` as an array: NumPy gives scalars where CuPy gives 0-d arrays."""
    return g if backend.is_array(g) else NAMESPACES[type(g)].asarray(g)


def unbroadcast(xp: Any, h: Any, shape: tuple[int, ...], node: Node) -> Any:
    """Sum a gradient over the axes along which its variable was broadcast: the one place that does so."""
    extra = len(h.shape) - len(shape)
    fits = extra >= 0 and all(n in (1, m) for n, m in zip(shape, h.shape[extra:], strict=True))
    if not fits:
        raise GradientError(
            f"a gradient rule of {node.name} gave shape {h.shape} for an input of shape {shape}, which does not "
            f"broadcast to it{made_at(node)}"
        )
    axes = tuple(i for i, n in enumerate(h.shape) if i < extra or (shape[i - extra] == 1 and n != 1))
    with backend.beside(h):
        if any(h.shape[i] != 1 for i in axes):
            h = xp.sum(wider(xp, h), axis=axes)  # short floats are summed in float32
        return xp.reshape(h, shape)


def converted(xp: Any, h: Any, dtype: Any) -> Any:
    """A gradient in the dtype of its variable: of a real one the real part."""
    h = h.whole() if type(h) is Placed else h
    with backend.beside(h):
        return xp.astype(xp.real(h) if h.dtype.kind == "c" != dtype.kind else h, dtype)


def total(g: Any, h: Any) -> Any:
    """The sum of two gradients, on their device."""
    if not modes.careful.on:
        return g + h
    with backend.beside(h):
        return g + h


def changed_leaf(node: Node, position: int) -> GradientError:
    """The error of a rule that would read a leaf which was changed after the forward pass."""
    plan = node.plan
    assert plan is not None
    return GradientError(
        f"backward needs input {plan.names[position]!r} of {node.name} as it was in the forward pass, but the leaf "
        f"behind it was changed in place since{made_at(node)}"
    )


def failed(node: Node, error: Exception) -> Exception:
    """The error of a gradient rule, with the operation and, in debug mode, the user's line."""
    if isinstance(error, GradientError):
        return error
    if isinstance(error, MemoryError):
        return explain(f"the gradient of {node.name}", error, ())
    return GradientError(f"a gradient rule of {node.name} failed: {type(error).__name__}: {error}{made_at(node)}")


def made_at(node: Node) -> str:
    """Where the user's code made a node, as far as it is known."""
    return f"; the forward operation was at {node.line}" if node.line else " (gg.debug() names the line)"
