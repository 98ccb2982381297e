"""Hooks of modules: functions that see, and may change, what goes into a module, comes out, and flows back.

A module without hooks pays one look at an attribute. The gradients of a whole module are caught by two nodes in the
graph, one before its inputs and one after its outputs, each its own plan (see :class:`gpugrad.core.node.WayBack`): the
rule of such a node calls the hooks and hands on what they say. Names and arguments are those of ``torch.nn.Module``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ..core import Hook, Leaf, Node, Tensor
from ..core.engine import as_array, mirrored
from ..core.modes import recording
from ..core.node import View, _output_plan

if TYPE_CHECKING:
    from .module import Module

Function = Callable[..., Any]


class Hooks:
    """The hooks of one module, in the order in which they are called."""

    def __init__(self) -> None:
        self.before: dict[int, tuple[Function, bool]] = {}
        self.after: dict[int, tuple[Function, bool, bool]] = {}
        self.backward_before: dict[int, Function] = {}
        self.backward: dict[int, Function] = {}

    def call(self, module: Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Call the module with its hooks around it."""
        called: set[int] = set()
        y = None
        try:
            for function, with_kwargs in list(self.before.values()):
                if with_kwargs:
                    answer = function(module, args, kwargs)
                    if answer is not None:
                        args, kwargs = _pair(answer)
                else:
                    answer = function(module, args)
                    if answer is not None:
                        args = answer if isinstance(answer, tuple) else (answer,)
            borders = Borders(module, self) if (self.backward or self.backward_before) and recording() else None
            if borders is not None:
                args = borders.entered(args)
            y = module.forward(*args, **kwargs)
            for key, hook in list(self.after.items()):
                called.add(key)
                y = _after(hook, module, args, kwargs, y)
            return y if borders is None else borders.left(y)
        except Exception:
            for key, hook in list(self.after.items()):
                if hook[2] and key not in called:
                    called.add(key)
                    _after(hook, module, args, kwargs, y)
            raise


def _pair(answer: Any) -> Any:
    if not isinstance(answer, tuple) or len(answer) != 2:
        raise TypeError(f"forward pre-hook: expected None or (args, kwargs), got {type(answer).__name__}")
    return answer


def _after(hook: tuple[Function, bool, bool], module: Module, args: Any, kwargs: Any, y: Any) -> Any:
    function, with_kwargs, _ = hook
    answer = function(module, args, kwargs, y) if with_kwargs else function(module, args, y)
    return y if answer is None else answer


class Borders:
    """The nodes around one call of a module with backward hooks."""

    def __init__(self, module: Module, hooks: Hooks) -> None:
        self.module, self.hooks = module, hooks
        self.grad_output: tuple[Tensor | None, ...] = ()
        self.inputs: tuple[int, ...] | None = None
        self.many = 0

    def entered(self, args: tuple[Any, ...]) -> tuple[Any, ...]:
        """The arguments, behind a node that waits for all their gradients."""
        passed, places = _passed(args, self.arrived)
        self.inputs, self.many = places or None, len(args)
        return passed

    def left(self, y: Any) -> Any:
        """The results, behind a node that waits for all their gradients."""
        results, places = _passed(y if isinstance(y, tuple) else (y,), self.started)
        self.outputs, self.results = places, len(results)
        return results if isinstance(y, tuple) else results[0]

    def started(self, gradients: list[Tensor]) -> list[Tensor]:
        """The gradients of the results are there."""
        found = _spread(gradients, self.outputs, self.results)
        for hook in list(self.hooks.backward_before.values()):
            found = _answer("full backward pre-hook", hook(self.module, found), found)
        self.grad_output = found
        if self.inputs is None:  # nothing will arrive at the inputs: they need no gradient
            for hook in list(self.hooks.backward.values()):
                _answer("full backward hook", hook(self.module, (None,) * self.many, found), (None,) * self.many)
        return [g for g in found if g is not None]

    def arrived(self, gradients: list[Tensor]) -> list[Tensor]:
        """The gradients of the arguments are there."""
        assert self.inputs is not None
        found = _spread(gradients, self.inputs, self.many)
        for hook in list(self.hooks.backward.values()):
            found = _answer("full backward hook", hook(self.module, found, self.grad_output), found)
        self.grad_output = ()  # a recorded one reaches back to this node
        return [g for g in found if g is not None]


def _spread(gradients: list[Tensor], places: tuple[int, ...], many: int) -> tuple[Tensor | None, ...]:
    by_place = dict(zip(places, gradients, strict=True))
    return tuple(by_place.get(i) for i in range(many))


def _answer(name: str, answer: Any, found: tuple[Tensor | None, ...]) -> tuple[Tensor | None, ...]:
    """What goes on: what a hook returned, checked, or what was there."""
    if answer is None:
        return found
    given = answer if isinstance(answer, tuple) else (answer,)
    if len(given) != len(found):
        raise ValueError(f"{name}: expected {len(found)} gradients, got {len(given)}")
    for i, (new, old) in enumerate(zip(given, found, strict=True)):
        if old is None and new is not None:
            raise ValueError(f"{name}: expected None as gradient {i}, which nothing needs, got {type(new).__name__}")
        if old is not None and (not isinstance(new, Tensor) or new.shape != old.shape or new.dtype != old.dtype):
            came = f"{new.dtype} {new.shape}" if isinstance(new, Tensor) else type(new).__name__
            raise ValueError(f"{name}: expected gradient {i} of {old.dtype} {old.shape}, got {came}")
    return given


class Border:
    """The plan of a node that values pass unchanged, and gradients through a function."""

    name = "backward hooks"
    joint: Any = True
    one = False
    guards: tuple[int, ...] = ()

    def __init__(self, many: int, function: Callable[[list[Tensor]], list[Tensor]]) -> None:
        self.function = function
        self.names: tuple[Any, ...] = tuple(range(many))

    @property
    def applies(self) -> tuple[Any, ...]:  # made when asked for: kept, it would be a reference cycle
        return (self.gradients,)

    def gradients(self, xp: Any, g: tuple[Any, ...], wanted: Any, kept: Any) -> list[Any]:
        recorded = isinstance(g[0], Tensor)
        seen = [mirrored(h) if recorded else Tensor(as_array(mirrored(h))) for h in g]
        return [mirrored(h if recorded else h.data) for h in self.function(seen)]

    def recorded(self, node: Node) -> tuple[Any, ...]:
        return (None,)

    def through_reference(self, node: Node) -> None:
        """There are no residuals."""


def _passed(values: tuple[Any, ...], function: Any) -> tuple[tuple[Any, ...], tuple[int, ...]]:
    """The values, those that need a gradient behind one common node; and the places of these."""
    places = tuple(i for i, value in enumerate(values) if isinstance(value, Tensor) and value.node is not None)
    if not places:
        return values, places
    parents = tuple(values[i].node for i in places)
    shapes = tuple(values[i].shape for i in places)
    border = Node(Border(len(places), function), parents, (None,), shapes, None)  # type: ignore[arg-type]
    made = list(values)
    for position, i in enumerate(places):
        before, x = parents[position], values[i]
        record = (_output_plan, border, (position, shapes), x.shape, x.dtype)
        leaf = before if isinstance(before, Leaf) else before.leaf if isinstance(before, View) else None
        made[i] = Tensor(x.data, Node(*record) if leaf is None else View(leaf, *record))  # it shares the memory
    return tuple(made), places


class Hooked:
    """The part of :class:`gpugrad.nn.Module` that registers hooks. All return a handle with ``remove()``."""

    _hooks: Hooks | None = None

    def _hooked(self) -> Hooks:
        if self._hooks is None:
            self._hooks = Hooks()
        return self._hooks

    def register_forward_pre_hook(self, hook: Function, *, prepend: bool = False, with_kwargs: bool = False) -> Hook:
        """Call ``hook(module, args)`` before each forward; what it returns, if anything, replaces the arguments.

        Args:
            hook: returns None, the arguments as a tuple, or a single one.
            prepend: call it before those that are there.
            with_kwargs: call ``hook(module, args, kwargs)``, which returns None or ``(args, kwargs)``.

        Raises:
            TypeError: it cannot be called; when called, that it returned something else.

        >>> import gpugrad as gg
        >>> layer = gg.nn.Identity()
        >>> handle = layer.register_forward_pre_hook(lambda module, args: args[0] + 1)
        >>> layer(gg.ones(2))
        tensor([2., 2.])
        >>> handle.remove()
        """
        return _register(self._hooked().before, hook, (hook, with_kwargs), prepend)

    def register_forward_hook(
        self, hook: Function, *, prepend: bool = False, with_kwargs: bool = False, always_call: bool = False
    ) -> Hook:
        """Call ``hook(module, args, output)`` after each forward; what it returns, if anything, replaces the output.

        Args:
            hook: what to call.
            prepend: call it before those that are there.
            with_kwargs: call ``hook(module, args, kwargs, output)``.
            always_call: also when the forward raised, with None as output (its answer is then ignored).

        Raises:
            TypeError: it cannot be called.

        >>> import gpugrad as gg
        >>> layer = gg.nn.ReLU()
        >>> handle = layer.register_forward_hook(lambda module, args, output: print(output.shape))
        >>> y = layer(gg.ones(2))
        (2,)
        """
        return _register(self._hooked().after, hook, (hook, with_kwargs, always_call), prepend)

    def register_full_backward_pre_hook(self, hook: Function, prepend: bool = False) -> Hook:
        """Call ``hook(module, grad_output)`` when the gradients of the outputs are there.

        Args:
            hook: gets a tuple, with None for what needs no gradient; returns None, or the gradients to go on with.
            prepend: call it before those that are there.

        Raises:
            TypeError: it cannot be called.
            ValueError: when called, that it returned gradients of another number, shape or dtype.

        >>> import gpugrad as gg
        >>> layer = gg.nn.Identity()
        >>> handle = layer.register_full_backward_pre_hook(lambda module, grad_output: grad_output[0] * 2)
        >>> x = gg.ones(2).requires_grad_()
        >>> layer(x).sum().backward()
        >>> x.grad
        tensor([2., 2.])
        """
        return _register(self._hooked().backward_before, hook, hook, prepend)

    def register_full_backward_hook(self, hook: Function, prepend: bool = False) -> Hook:
        """Call ``hook(module, grad_input, grad_output)`` when the gradients of the positional arguments are there.

        Only Tensors among the arguments, and an output that is a Tensor or a tuple of them, are looked at, not what is
        nested deeper or given by keyword.

        Args:
            hook: gets tuples, with None for what needs no gradient; returns None, or the ``grad_input`` to go on with.
            prepend: call it before those that are there.

        Raises:
            TypeError: it cannot be called.
            ValueError: when called, that it returned gradients of another number, shape or dtype.

        >>> import gpugrad as gg
        >>> layer = gg.nn.ReLU()
        >>> handle = layer.register_full_backward_hook(lambda module, before, after: print(before, after))
        >>> layer(gg.tensor([-1.0, 1.0], requires_grad=True)).sum().backward()
        (tensor([0., 1.]),) (tensor([1., 1.]),)
        """
        return _register(self._hooked().backward, hook, hook, prepend)


def _register(hooks: dict[int, Any], hook: Any, entry: Any, prepend: bool) -> Hook:
    if not callable(hook):
        raise TypeError(f"expected a hook that can be called, got {type(hook).__name__}")
    handle = Hook(hooks, entry)
    if prepend:
        *others, last = hooks.items()
        hooks.clear()
        hooks.update([last, *others])
    return handle
