"""Declaring an operation: its forward on ``xp``, and the local gradient of each edge.

    @primitive
    def multiply(xp, x1, x2, /):
        return xp.multiply(x1, x2)

    multiply.vjp(
        x1=lambda xp, g, x2: g * x2,
        x2=lambda xp, g, x1: g * x1,
    )

The parameters before the slash are the arrays, those after it are static. A rule takes ``xp``, the upstream gradient
``g``, and then *names what it needs*: inputs, the output ``y``, residuals that the forward returned beside it, static
parameters, or ``<input>_shape``, ``<input>_device`` and ``<input>_turned`` (whether the columns of a matrix lie
together in memory, not its rows). The graph keeps exactly the values that the rules to be run name. A rule for an input
that needs no gradient is neither run nor kept for.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any, Concatenate, Literal, NamedTuple, NoReturn, ParamSpec, Protocol, overload
from weakref import WeakValueDictionary

from ..backend import NAMESPACES, Array, Namespace
from ..kernels.wide import common, lies_on_host, rounded, short, wider
from . import dispatch
from .errors import GradientError, user_line
from .modes import careful, recording
from .node import ELSEWHERE, NOTHING, Node, output_node
from .tensor import Tensor

P = ParamSpec("P")
RuleFunction = Callable[..., Any]
Batch = str | tuple[Any, ...] | None
METADATA = ("_shape", "_device", "_turned")

OPERATIONS: WeakValueDictionary[str, Any] = WeakValueDictionary()
"""Every operation that was declared, by module and name; the tests look through it."""


class Operation(Protocol[P]):
    """A declared operation: call it on Tensors, or on arrays of a known ``xp`` with :meth:`on`."""

    op: Primitive
    vjp: Callable[..., None]
    joint_vjp: Callable[[RuleFunction], RuleFunction]
    nondifferentiable: Callable[[], None]
    on: Callable[..., Any]

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> Tensor: ...


class OperationOfSeveral(Operation[P], Protocol[P]):
    """One with several outputs."""

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> tuple[Tensor, ...]: ...  # type: ignore[override]


class Rule(NamedTuple):
    """A gradient rule, and the names of the values it takes after ``xp`` and ``g`` (and ``wanted`` if joint).

    An edge keeps one thing: the value if the rule names one, a tuple if several, None if none. ``apply`` is the
    function taking it so: most rules name exactly one value and are called as they are, without unpacking.
    """

    function: RuleFunction
    names: tuple[str, ...]
    apply: RuleFunction
    sources: tuple[tuple[str, Any], ...]

    def pack(self, values: Sequence[Any]) -> Any:
        """What an edge keeps of the values that were named."""
        return None if not values else values[0] if len(values) == 1 else tuple(values)

    def unpack(self, kept: Any) -> tuple[Any, ...]:
        """The named values of an edge."""
        return () if not self.names else (kept,) if len(self.names) == 1 else kept


class Plan:
    """What an operation does for one choice of inputs that need a gradient: which rules run, what each is given."""

    __slots__ = (
        "applies", "apply", "forgets", "guards", "joint", "name", "names", "one", "op", "partial", "save", "saves",
        "rules", "static", "wanted",
    )  # fmt: skip

    def __init__(self, op: Primitive, wanted: tuple[int, ...]) -> None:
        self.op = op
        self.name = op.name
        self.wanted = wanted
        self.joint = op.joint
        self.partial = op.partial
        self.one = op.joint is None and len(wanted) == 1
        self.names: tuple[Any, ...] = wanted if op.variadic else tuple(op.inputs[i] for i in wanted)
        for name in op.undefined.keys() & set(self.names):
            op.refuse(name)
        self.rules = (op.joint,) if op.joint is not None else tuple(map(op.rule, self.names))
        read = {name for rule in self.rules for name in rule.names}
        self.guards = tuple(k for k, i in enumerate(wanted) if (op.inputs[0] if op.variadic else op.inputs[i]) in read)
        self.forgets = self.one and len(op.inputs) == 2 and op.inputs[1 - wanted[0]] not in read
        self.applies = tuple(rule.apply for rule in self.rules)
        self.apply = self.applies[0]
        self.saves = tuple(op.saved(rule.names) if op.joint is None else ELSEWHERE for rule in self.rules)
        self.save = self.saves[0]
        self.static = not read.isdisjoint(op.params)

    def recorded(self, node: Node) -> tuple[Any, ...]:
        """What each rule is given, with saved arrays as Tensors in their place in the graph, for a recorded walk."""
        op = self.op
        parents = dict(zip(self.wanted, (node.parents,) if self.one else node.parents, strict=True))
        kept = (node.kept,) if self.one or self.joint is not None else node.kept

        def tensor(name: str, value: Any) -> Any:
            if value is None or name in op.params or name in op.residuals or name.endswith(METADATA):
                return value
            if name == "y":
                if op.outputs:
                    return tuple(Tensor(part, output_node(node, i, part)) for i, part in enumerate(value))
                return Tensor(value, node)
            if op.variadic:
                return tuple(Tensor(v, parents.get(i)) if hasattr(v, "shape") else v for i, v in enumerate(value))
            return Tensor(value, parents.get(op.inputs.index(name))) if hasattr(value, "shape") else value

        return tuple(
            rule.pack([*map(tensor, rule.names, rule.unpack(values))])
            for rule, values in zip(self.rules, kept, strict=True)
        )

    def through_reference(self, node: Node) -> tuple[list[Tensor], Callable[[], Any]] | None:
        """See :meth:`gpugrad.core.node.WayBack.through_reference`."""
        op = self.op
        if not op.residuals:
            return None
        kept, rule = self.recorded(node)[0], self.rules[0]
        by_name = dict(zip(rule.names, rule.unpack(kept), strict=True))
        arrays = [by_name[name] for name in op.inputs]
        inputs = [identity(arrays[i]) for i in self.wanted]
        for i, tensor in zip(self.wanted, inputs, strict=True):
            arrays[i] = tensor
        params = {name: by_name[name] for name in op.params}
        xp = NAMESPACES[Tensor]
        return inputs, lambda: op.reference(xp, *[wider(xp, x) for x in arrays], **params)


class Primitive:
    """An operation's forward, signature and gradient rules."""

    def __init__(
        self, forward: Callable[..., Any], residuals: tuple[str, ...], outputs: Any, view: bool, reference: Any,
        wide: bool | str = False, batch: Batch = None, cast: str | None = None,
    ) -> None:  # fmt: skip
        self.forward = _widened(forward, bool(residuals), bool(outputs), wide == "host") if wide else forward
        self.wide = wide
        self.name = forward.__name__.strip("_")
        self.residuals = residuals
        self.outputs = bool(outputs)
        self.partial = outputs == "partial"
        self.view = view
        self.reference = reference
        parameters = list(inspect.signature(forward).parameters.values())[1:]
        arrays = [p for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.VAR_POSITIONAL)]
        static = [p for p in parameters if p not in arrays]
        if not arrays:
            raise TypeError(f"{self.name}: expected its arrays before a '/', as in def f(xp, x, /, axis=None)")
        self.inputs = tuple(p.name for p in arrays)
        self.optional = sum(p.default is None for p in arrays)
        self.variadic = arrays[0].kind is inspect.Parameter.VAR_POSITIONAL
        self.params = {p.name: p.default for p in static}
        self.positional = tuple(p.name for p in static if p.kind is p.POSITIONAL_OR_KEYWORD)
        self.defaults = {p.name: p.default for p in static if p.default is not p.empty}
        named = [*self.inputs, *self.params, *residuals]
        taken = {"y", *(name + suffix for name in self.inputs for suffix in METADATA)}
        for i, name in enumerate(named):
            if name in taken or name in named[:i]:
                meaning = "the output" if name == "y" else "something else already"
                raise TypeError(f"{self.name}: in gradient rules {name!r} is {meaning}; give it another name here")
        self.rules: dict[str, Rule] = {}
        self.joint: Rule | None = None
        self.constant = False
        self.undefined: dict[str, str] = {}
        """Inputs without a derivative, and why: shown by the error of a call with a variable there."""
        self.further: Callable[..., Any] | None = None
        """What takes calls that the declaration does not fit; see :func:`extend`."""
        self.variable: frozenset[str] = frozenset()
        """Static parameters that may be variables: ``further`` takes such a call."""
        self.cast = cast
        """What :class:`autocast` does to its operands: "lower" or "float32"; None where they stay."""
        self.batch = batch
        """How ``vmap`` runs it on all samples at once: the name of a rule, or a tuple of a name and arguments."""
        self.plans: dict[int, Plan | None] = _Plans(self)

    # ---------------------------------------------------------------- declaring gradients

    def vjp(self, **rules: RuleFunction) -> None:
        """Declare the gradient rule of each named input.

        Raises:
            TypeError: a rule is for no input, or names a value that there is not.
        """
        for name, function in rules.items():
            if name not in self.inputs:
                raise TypeError(f"{self.name} has inputs {self.inputs}, a gradient rule came for {name!r}")
            self.rules[name] = self._checked(function, skip=2)
        self.plans.clear()

    def joint_vjp(self, function: RuleFunction) -> RuleFunction:
        """Declare one rule for all inputs, ``rule(xp, g, wanted, ...)``: a sequence of gradients, one a name in
        ``wanted`` (positions, where the inputs are ``*arrays``).
        """
        self.joint = self._checked(function, skip=3)
        self.plans.clear()
        return function

    def nondifferentiable(self) -> None:
        """Declare that the result is a constant: integers, booleans, indices."""
        self.constant = True

    def _checked(self, function: RuleFunction, skip: int) -> Rule:
        names = tuple(inspect.signature(function).parameters)[skip:]
        known = {*self.inputs, "y", *self.residuals, *self.params}
        known |= {name + suffix for name in self.inputs for suffix in METADATA}
        for name in names:
            if name not in known:
                raise TypeError(f"a gradient rule of {self.name} needs {name!r}; there is {sorted(known)}")
        if set(names) & set(self.residuals):
            missing = {*self.inputs, *self.params} - set(names)
            if self.reference is None or missing:
                raise TypeError(
                    f"a gradient rule of {self.name} needs a residual; to be differentiated twice the operation needs "
                    f"a reference, and the rule the names of all inputs and parameters (missing: {sorted(missing)})"
                )
        sources = tuple(map(self.source, names))
        if self.wide:
            function = _wide_rule(function, skip == 3, self.wide == "host")
        return Rule(function, names, _taking_one(function, len(names), joint=skip == 3), sources)

    def source(self, name: str) -> tuple[str, Any]:
        """Where the value that a rule names comes from: the kind of source, and the place in it."""
        if name == "y":
            return "y", None
        if name in self.inputs:
            return "input", self.inputs.index(name)
        if name in self.params:
            return "static", name
        if name in self.residuals:
            return "residual", self.residuals.index(name)
        owner, _, what = name.rpartition("_")
        return what, self.inputs.index(owner)

    def refuse(self, name: str) -> NoReturn:
        """Say why an input has no gradient."""
        raise GradientError(
            f"{self.name} has no gradient with respect to {name!r}: {self.undefined[name]}; pass {name}.detach()"
        )

    def rule(self, name: str) -> Rule:
        if name not in self.rules:
            raise GradientError(
                f"{self.name} has no gradient rule for its input {name!r}: add one with "
                f"{self.name}.vjp({name}=lambda xp, g, ...: ...), or pass {name}.detach()"
            )
        return self.rules[name]

    def saved(self, names: tuple[str, ...]) -> int:
        """Where in ``(*inputs, y)`` the one value that a rule names is found."""
        values = (*self.inputs, "y")
        if not names:
            return NOTHING
        if len(names) > 1 or self.variadic or self.outputs or names[0] not in values:
            return ELSEWHERE
        return values.index(names[0])

    # ---------------------------------------------------------------- running it

    def on(self, xp: Namespace, *args: Any, **kwargs: Any) -> Any:
        """The forward on ``xp``: recorded where ``xp`` is gpugrad itself, plain otherwise. For use in rules."""
        if xp is NAMESPACES[Tensor]:
            return dispatch.general(self, args, kwargs)
        whole = getattr(xp, "__operation__", None) if careful.on else None
        if whole is not None:
            return whole(self, args, kwargs)
        y = self.forward(xp, *args, **kwargs)
        return y[0] if self.residuals else y

    def fits(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> bool:
        """Whether a call has the arguments that were declared."""
        try:
            self.bind(args, kwargs)
        except TypeError:
            return False
        return True

    def bind(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Split a call's arguments into arrays and static parameters, defaults filled in.

        Raises:
            TypeError: too many arguments, one that is missing or unknown, or a tensor that only ``further`` takes.
            GradientError: a static parameter is a tensor that needs a gradient, which would be lost.
        """
        if self.variadic:
            for name, value in kwargs.items():
                self._check_static(name, value)
            return args, {**self.defaults, **kwargs}
        count = len(self.inputs)
        if len(args) == count and not kwargs and len(self.defaults) == len(self.params):
            return args, self.defaults
        if not count - self.optional <= len(args) <= count + len(self.positional):
            raise TypeError(
                f"{self.name} takes {', '.join((*self.inputs, *self.params))}; got {len(args)} positional arguments"
            )
        arrays = args[:count] + (None,) * (count - len(args))
        params = {**self.defaults, **dict(zip(self.positional, args[count:], strict=False)), **kwargs}
        if params.keys() != self.params.keys():
            odd = sorted(params.keys() ^ self.params.keys())
            raise TypeError(f"{self.name} takes {', '.join((*self.inputs, *self.params))}; missing or unknown: {odd}")
        for name, value in (*zip(self.positional, args[count:], strict=False), *kwargs.items()):
            self._check_static(name, value)
        return arrays, params

    def _check_static(self, name: str, value: Any) -> None:
        if isinstance(value, Tensor) and name in self.variable:
            raise TypeError(f"{self.name}: {name} is a tensor, which only the composed form takes")
        if name == "dtype" and isinstance(value, bool):
            raise TypeError(f"{self.name}: expected a dtype, got {value}")
        if name == "axis" and isinstance(value, Tensor) and value.ndim:
            instead = f": write gg.{self.name}imum(x, y)" if self.name in ("max", "min") else ""
            raise TypeError(f"{self.name}: expected an axis, got a tensor of shape {value.shape}{instead}")
        if isinstance(value, Tensor) and value.node is not None and recording():
            raise GradientError(
                f"{self.name}: {name} is not differentiable: expected a constant, got a tensor that needs a gradient "
                f"[{user_line()}]: use x.item() or x.detach() if you want a constant"
            )


class _Plans(dict[int, Plan | None]):
    """Plans by the set of inputs that need a gradient (bit i for input i), made when first needed."""

    def __init__(self, op: Primitive) -> None:
        super().__init__()
        self._op = op

    def __missing__(self, mask: int) -> Plan | None:
        wanted = tuple(i for i in range(mask.bit_length()) if mask >> i & 1)
        plan = None if self._op.constant else Plan(self._op, wanted)
        self[mask] = plan
        return plan


def _taking_one(function: RuleFunction, count: int, joint: bool) -> RuleFunction:
    """The rule with the values it names as one argument."""
    if count == 1:
        return function
    if joint:
        return lambda xp, g, wanted, kept: function(xp, g, wanted, *(kept or ()))
    if count == 0:
        return lambda xp, g, kept: function(xp, g)
    return lambda xp, g, kept: function(xp, g, *kept)


def _is_to_widen(x: Any, on_host: bool) -> bool:
    """Whether ``x`` is an array or Tensor of a short dtype, and, if asked for, on the host.

    bfloat16 counts as on the host: CuPy does not multiply it but for two matrices.
    """
    if not short(x):
        return False
    return not on_host or x.dtype.name == "bfloat16" or lies_on_host(x.data if isinstance(x, Tensor) else x)


def _widened(forward: Callable[..., Any], residuals: bool, outputs: bool, on_host: bool) -> Callable[..., Any]:
    """A forward that computes with short floats in float32; its outputs are rounded, residuals are not."""

    @wraps(forward)
    def call(xp: Namespace, *arrays: Any, **static: Any) -> Any:
        if not _is_to_widen(arrays[0], on_host) or static.get("dtype") is not None:
            return forward(xp, *arrays, **static)
        result = forward(xp, *(wider(xp, x) for x in arrays), **static)
        dtype = common(arrays)
        y, *rest = result if residuals else (result,)
        y = tuple(rounded(xp, part, dtype) for part in y) if outputs else rounded(xp, y, dtype)
        return (y, *rest) if residuals else y

    return call


def _wide_rule(rule: RuleFunction, joint: bool, on_host: bool) -> RuleFunction:
    """A gradient rule that computes with short floats in float32; the engine rounds what it gives."""

    def wide(xp: Namespace, value: Any) -> Any:
        return tuple(wider(xp, part) for part in value) if isinstance(value, tuple) else wider(xp, value)

    @wraps(rule)
    def call(xp: Namespace, g: Any, *values: Any) -> Any:
        if not any(_is_to_widen(part, on_host) for part in (g if isinstance(g, tuple) else (g,))):
            return rule(xp, g, *values)
        if joint:
            return rule(xp, wide(xp, g), values[0], *(wide(xp, v) for v in values[1:]))
        return rule(xp, wide(xp, g), *(wide(xp, v) for v in values))

    return call


@overload
def primitive(forward: Callable[Concatenate[Any, P], Any], /) -> Operation[P]: ...
@overload
def primitive(
    *,
    residuals: tuple[str, ...] = (),
    outputs: Literal[False] = False,
    view: bool = False,
    reference: Any = None,
    wide: bool | str = False,
    batch: Batch = None,
    cast: str | None = None,
) -> Callable[[Callable[Concatenate[Any, P], Any]], Operation[P]]: ...
@overload
def primitive(
    *,
    residuals: tuple[str, ...] = (),
    outputs: Literal[True, "partial"],
    view: bool = False,
    reference: Any = None,
    wide: bool | str = False,
    batch: Batch = None,
    cast: str | None = None,
) -> Callable[[Callable[Concatenate[Any, P], Any]], OperationOfSeveral[P]]: ...
def primitive(
    forward: Callable[..., Any] | None = None,
    /,
    *,
    residuals: tuple[str, ...] = (),
    outputs: bool | str = False,
    view: bool = False,
    reference: Any = None,
    wide: bool | str = False,
    batch: Batch = None,
    cast: str | None = None,
) -> Any:
    """Make a differentiable operation of a function on ``xp``; its gradient rules follow with ``.vjp(...)``.

    Args:
        forward: ``forward(xp, *arrays, /, **static)``; returns the output.
        residuals: names of what the forward returns after the output, for rules that name them. Residuals are no
            constants: for second derivatives the operation is run again through its ``reference``.
        outputs: the forward returns a tuple of outputs; rules get a tuple of gradients, zeros for outputs that were
            not used. With "partial" they get None for these.
        view: the output may share the memory of the input.
        reference: the same function composed of operations on ``xp``.
        wide: compute with float16 and bfloat16 in float32, forward and in the gradient rules, and round once; for
            operations that are several steps, or sums. ``"host"``: on the CPU only, where a GPU does so by itself.
        cast: in which dtype it runs under :class:`autocast`: "lower" for float16 or bfloat16, "float32", or None for
            the dtypes that its operands have.
        batch: how :func:`vmap` runs it on all samples at once: "elementwise" for one that works element by element on
            operands that broadcast, "matrices" for one that works on the last axes and lets those before them
            broadcast, "reduction" for one with an ``axis`` that is summed over, or another name of
            ``gpugrad.transforms.batching.declared``. None: sample by sample.

    Raises:
        TypeError: no array parameters, a parameter called ``y`` or as something else that rules may name, or a rule
            names a value that there is not.

    >>> import gpugrad as gg
    >>> @gg.primitive(batch="elementwise")
    ... def cube(xp, x, /):
    ...     return x * x * x
    >>> cube.vjp(x=lambda xp, g, x: 3 * g * x * x)
    >>> x = gg.tensor(2.0, requires_grad=True)
    >>> cube(x).backward()
    >>> x.grad
    tensor(12.)
    """
    if forward is None:
        return lambda function: _operation(Primitive(function, residuals, outputs, view, reference, wide, batch, cast))
    return _operation(Primitive(forward, residuals, outputs, view, reference, wide, batch, cast))


def _operation(op: Primitive) -> Any:
    call: Any = dispatch.make(op)
    forward = op.forward
    signature = inspect.signature(forward)
    call.__signature__ = signature.replace(parameters=list(signature.parameters.values())[1:])
    for attribute in ("__name__", "__qualname__", "__doc__", "__module__"):
        setattr(call, attribute, getattr(forward, attribute))
    for name, value in {
        "op": op, "vjp": op.vjp, "joint_vjp": op.joint_vjp, "nondifferentiable": op.nondifferentiable, "on": op.on
    }.items():  # fmt: skip
        setattr(call, name, value)
    OPERATIONS[f"{forward.__module__}.{forward.__qualname__}"] = call
    return call


def extend(operation: Operation[Any], further: Callable[..., Any], **keywords: Any) -> None:
    """Let an operation take calls that its declaration does not fit, with more keywords, say.

    Args:
        operation: one that was declared.
        further: called with all arguments then; composed of operations.
        keywords: the further keywords and their defaults, for the signature.
    """
    function: Any = operation
    operation.op.further = further
    known = inspect.signature(function)
    more = [inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=value) for name, value in keywords.items()]
    function.__signature__ = known.replace(parameters=[*known.parameters.values(), *more])


@primitive(batch="elementwise", view=True)
def identity(xp: Namespace, x: Array, /) -> Array:
    """The same value at a new place in the graph."""
    return x


identity.vjp(x=lambda xp, g: g)
