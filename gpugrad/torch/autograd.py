"""``torch.autograd``: gradients of results that are there, and operations with a backward pass of their own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .. import backend
from ..core import GradientError, Tensor, modes, primitive, walk
from ..core.engine import seed
from ..core.errors import user_line
from ..ops.creation import asarray, zeros_like
from ..transforms import gradcheck, gradgradcheck, hessian, hvp, jacobian, jvp, vjp

no_grad, enable_grad, set_grad_enabled = modes.no_grad, modes.enable_grad, modes.set_grad_enabled


def grad(
    outputs: Tensor | Sequence[Tensor], inputs: Tensor | Sequence[Tensor], grad_outputs: Any = None,
    retain_graph: bool | None = None, create_graph: bool = False, allow_unused: bool | None = None,
    is_grads_batched: bool = False, materialize_grads: bool = False,
) -> tuple[Any, ...]:  # fmt: skip
    """The gradients of ``outputs`` with respect to ``inputs``, which keep their ``grad`` as it is.

    Args:
        outputs: one or several results; the gradients of several add up.
        inputs: what to differentiate with respect to: leaves or results.
        grad_outputs: the gradient of each output; None is 1 for an output with one element.
        retain_graph: the graph will be walked again; None: as ``create_graph``.
        create_graph: record the walk, so that the gradients have gradients.
        allow_unused: give None for an input that the outputs do not depend on, instead of an error.
        is_grads_batched: is not there.
        materialize_grads: zeros in the place of None.

    Raises:
        GradientError: an input needs no gradient, or the outputs do not depend on it.
        TypeError: ``is_grads_batched=True``.

    Source: ``torch.autograd.grad``.

    >>> import gpugrad as gg
    >>> x = gg.tensor([1.0, 2.0], requires_grad=True)
    >>> (g,) = gg.autograd.grad((x**3).sum(), x, create_graph=True)
    >>> gg.autograd.grad(g.sum(), x)[0]
    tensor([ 6., 12.])
    """
    if is_grads_batched:
        raise TypeError("autograd.grad: is_grads_batched=True is not there: write gg.vmap(gg.vjp(f, x)[1])(gradients)")
    ys = [outputs] if isinstance(outputs, Tensor) else list(outputs)
    xs = [inputs] if isinstance(inputs, Tensor) else list(inputs)
    gs = [grad_outputs] * len(ys) if grad_outputs is None or isinstance(grad_outputs, Tensor) else list(grad_outputs)
    for i, x in enumerate(xs):
        if x.node is None:
            raise GradientError(f"autograd.grad: input {i} needs no gradient (see requires_grad) [{user_line()}]")
    starts = [(y.node, seed(y, g, create_graph)) for y, g in zip(ys, gs, strict=True) if y.node is not None]
    keep = create_graph if retain_graph is None else retain_graph
    found: dict[Any, Any] = {}
    if starts:
        with modes.set_grad_enabled(create_graph):
            found = walk(starts, keep, [x.node for x in xs if x.node is not None])
    gradients: list[Any] = []
    for i, x in enumerate(xs):
        g = found.get(x.node)
        if g is None and materialize_grads:
            g = zeros_like(x)
        elif g is None and not allow_unused:
            raise GradientError(
                f"autograd.grad: the outputs do not depend on input {i}: pass allow_unused=True for None"
            )
        gradients.append(g if g is None or isinstance(g, Tensor) else Tensor(g))
    return tuple(gradients)


def backward(
    tensors: Any, grad_tensors: Any = None, retain_graph: bool | None = None, create_graph: bool = False
) -> None:
    """``y.backward(g)`` for each of several results."""
    ys = [tensors] if isinstance(tensors, Tensor) else list(tensors)
    gs = [grad_tensors] * len(ys) if grad_tensors is None or isinstance(grad_tensors, Tensor) else list(grad_tensors)
    for i, (y, g) in enumerate(zip(ys, gs, strict=True)):
        y.backward(g, retain_graph=retain_graph or i + 1 < len(ys), create_graph=create_graph)


class Context:
    """``ctx`` in a :class:`Function`: what the forward pass leaves for the backward pass."""

    def __init__(self, count: int) -> None:
        self.needs_input_grad: tuple[bool, ...] = (False,) * count
        self.saved: list[Any] = []
        self.constant: set[int] = set()
        self.materialize = True

    def save_for_backward(self, *tensors: Any) -> None:
        """Keep inputs, outputs and other tensors for :attr:`saved_tensors`."""
        self.saved = list(tensors)

    @property
    def saved_tensors(self) -> tuple[Any, ...]:
        """What was kept; inputs and outputs at their place in the graph."""
        return tuple(self.saved)

    def mark_non_differentiable(self, *outputs: Any) -> None:
        """Outputs that get no gradient."""
        self.constant |= {id(y) for y in outputs}

    def mark_dirty(self, *inputs: Any) -> None:
        """Inputs that the forward pass changes in place: there are none, Tensors are values.

        Raises:
            TypeError: always.
        """
        raise TypeError("mark_dirty: Tensors have values that others keep: return the result from forward")

    def set_materialize_grads(self, value: bool) -> None:
        """Whether the gradient of an output that was not used is zeros, or None."""
        self.materialize = value


class Function:
    """An operation with a backward pass of its own: subclass it, define ``forward`` and ``backward``, call ``apply``.

    ``forward(ctx, *args)`` computes with Tensors and is not recorded. ``backward(ctx, *gradients)`` returns a gradient,
    or None, for each argument; it is recorded where it is to be differentiated. With
    ``setup_context(ctx, inputs, output)`` defined, ``forward`` takes no ``ctx``. An operation that ``vmap`` can map is
    declared with :func:`gpugrad.primitive`.

    Source: ``torch.autograd.Function``.

    >>> import gpugrad as gg
    >>> class Cube(gg.autograd.Function):
    ...     @staticmethod
    ...     def forward(ctx, x):
    ...         ctx.save_for_backward(x)
    ...         return x**3
    ...     @staticmethod
    ...     def backward(ctx, g):
    ...         (x,) = ctx.saved_tensors
    ...         return 3 * x**2 * g
    >>> x = gg.tensor(2.0, requires_grad=True)
    >>> Cube.apply(x).backward()
    >>> x.grad
    tensor(12.)
    """

    forward: Any
    backward: Any
    setup_context: Any = None

    @classmethod
    def apply(cls, *args: Any) -> Any:
        """The value of ``forward``, at a new place in the graph.

        Raises:
            TypeError: no argument is a Tensor, or an output is none.
        """
        places = [i for i, x in enumerate(args) if isinstance(x, Tensor)]
        if not places:
            raise TypeError(f"{cls.__name__}.apply: expected a Tensor among the arguments [{user_line()}]")
        call = _Call(cls, args, places)
        results = _several(*(args[i] for i in places), call=call)
        made = [y.detach() if i in call.constant else y for i, y in enumerate(results)]
        return made[0] if call.single else tuple(made)


class _Call:
    """One call of a Function: its forward pass when the operation runs, its backward pass when the graph is walked."""

    def __init__(self, kind: type[Function], args: tuple[Any, ...], places: list[int]) -> None:
        self.kind, self.args, self.places = kind, args, places
        self.ctx = Context(len(args))
        self.ctx.needs_input_grad = tuple(isinstance(x, Tensor) and x.requires_grad for x in args)
        self.single = True
        self.constant: set[int] = set()
        self.known: dict[int, tuple[str, int]] = {}
        self.kept: list[tuple[tuple[str, int] | None, Any]] = []

    def forward(self, arrays: tuple[Any, ...]) -> tuple[Any, ...]:
        if self.known:
            raise TypeError(
                f"{self.kind.__name__}: a Function has one context, and cannot be mapped sample by sample: declare it "
                "with gg.primitive"
            )
        args, ctx = list(self.args), self.ctx
        for place, array in zip(self.places, arrays, strict=True):
            args[place] = array if isinstance(array, Tensor) else Tensor(array)
        with modes.no_grad():
            if self.kind.setup_context is None:
                y = self.kind.forward(ctx, *args)
            else:
                y = self.kind.forward(*args)
                self.kind.setup_context(ctx, tuple(args), y)
        self.single = isinstance(y, Tensor)
        ys = [y] if self.single else list(y)
        for i, part in enumerate(ys):
            if not isinstance(part, Tensor):
                raise TypeError(f"{self.kind.__name__}: expected Tensors from forward, got {type(part).__name__}")
            if id(part) in ctx.constant or not backend.is_floating(part.dtype):
                self.constant.add(i)
        self.known = {id(x): ("x", n) for n, x in enumerate(args[i] for i in self.places)}
        self.known |= {id(part): ("y", i) for i, part in enumerate(ys) if id(part) not in self.known}
        self.kept = [(self.known.get(id(x)), x) for x in ctx.saved]
        self.args = tuple(None if i in self.places else a for i, a in enumerate(self.args))
        return tuple(part.data for part in ys)

    def backward(self, gs: Sequence[Any], arrays: Sequence[Any], ys: Sequence[Any], wanted: Sequence[int]) -> list[Any]:
        """The gradients of the inputs that are wanted, in their order."""
        recorded = any(isinstance(g, Tensor) for g in gs) or any(isinstance(x, Tensor) for x in arrays)
        now = {"x": arrays, "y": ys}

        def tensor(value: Any) -> Any:
            return value if value is None or isinstance(value, Tensor) else asarray(value)

        ctx = self.ctx
        ctx.saved = [tensor(now[at[0]][at[1]]) if at is not None else x for at, x in self.kept]
        given = [
            zeros_like(tensor(y)) if g is None and ctx.materialize else tensor(g) for g, y in zip(gs, ys, strict=True)
        ]
        found = self.kind.backward(ctx, *given)
        parts = list(found) if isinstance(found, tuple | list) else [found]
        if len(parts) < len(self.args):
            raise TypeError(f"{self.kind.__name__}.backward: expected {len(self.args)} gradients, got {len(parts)}")
        chosen = [parts[self.places[i]] for i in wanted]
        made = [zeros_like(tensor(arrays[i])) if g is None else g for i, g in zip(wanted, chosen, strict=True)]
        return made if recorded else [g.data if isinstance(g, Tensor) else g for g in made]


@primitive(outputs="partial")
def _several(xp: Any, *arrays: Any, call: _Call) -> tuple[Any, ...]:
    return call.forward(arrays)


@_several.joint_vjp
def _several_arrays(
    xp: Any, g: tuple[Any, ...], wanted: tuple[int, ...], arrays: tuple[Any, ...], y: tuple[Any, ...], call: _Call
) -> list[Any]:
    return call.backward(g, arrays, y, wanted)


class functional:  # noqa: N801  torch.autograd.functional
    """``torch.autograd.functional``: ``jacobian(f, x)`` is ``gpugrad.jacobian(f)(x)``."""

    @staticmethod
    def jacobian(func: Any, inputs: Any) -> Any:
        """The Jacobian of ``func`` at ``inputs``."""
        return _at(jacobian, func, inputs)

    @staticmethod
    def hessian(func: Any, inputs: Any) -> Any:
        """The Hessian of ``func`` at ``inputs``."""
        return _at(hessian, func, inputs)


def _at(transform: Any, func: Any, inputs: Any) -> Any:
    if isinstance(inputs, tuple):
        return transform(func, tuple(range(len(inputs))))(*inputs)
    return transform(func)(inputs)


__all__ = [
    "Context", "Function", "backward", "enable_grad", "functional", "grad", "gradcheck", "gradgradcheck", "hvp", "jvp",
    "no_grad", "set_grad_enabled", "vjp",
]  # fmt: skip
