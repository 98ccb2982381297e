"""``gg.elementwise_kernel``: an operation of a CUDA statement, its twin and its gradient."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any

import numpy

from ..backend import Array, Namespace
from ..core import Operation, primitive
from ..kernels.elementwise import Elementwise
from .check import SIZE, checking, prove
from .expressions import Formula

Function = Callable[..., Any]


def names_of(text: str | tuple[str, ...]) -> tuple[str, ...]:
    """Names from ``"x y"``, ``"x, y"`` or a tuple."""
    return tuple(text.replace(",", " ").split()) if isinstance(text, str) else tuple(text)


def with_signature(function: Function, *groups: tuple[tuple[str, ...], Any]) -> Function:
    """``function`` with a signature of these names, as the declaration of operations reads it."""
    parameters = [inspect.Parameter(name, kind) for names, kind in groups for name in names]
    function.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    return function


def elementwise_kernel(
    name: str,
    inputs: str | tuple[str, ...],
    outputs: str | tuple[str, ...],
    body: str,
    reference: str | Function,
    gradient: Mapping[str, str | Function],
    *,
    domain: tuple[float, float] | Mapping[str, tuple[float, float]] = (-2.0, 2.0),
    check: bool = True,
) -> Operation[Any]:
    """A differentiable elementwise operation of a CUDA statement, its twin on ``xp`` and its gradient.

    On a GPU the statement runs, fused, in one launch, for contiguous, strided and broadcast arrays of float16,
    bfloat16, float32 and float64; elsewhere the twin. On first use with each dtype and kind of device the kernel is
    compared with the twin, and the gradient with finite differences of the twin.

    Args:
        name: of the operation, a C identifier.
        inputs: names of the inputs, ``"x w"``.
        outputs: name of the output.
        body: C++ statements that assign the output; the inputs are values of type ``T``.
        reference: the twin: an expression in Python's words, or a function ``f(xp, *inputs)``.
        gradient: for each differentiable input an expression over ``g``, inputs and output, which becomes a fused
            kernel too, or a function ``f(xp, g, ...)`` that names what it needs.
        domain: between which values the random inputs of the check lie; for all inputs, or by name.
        check: switch the check off for this kernel; :class:`kernel_checks` does for all.

    Returns:
        A function of Tensors or arrays.

    Raises:
        ValueError: a name is no identifier, a gradient is for no input, or an expression is not understood.
        KernelMismatchError: on first use, if the parts disagree: names the worst element, its inputs and both values.

    >>> import gpugrad as gg
    >>> swish = gg.elementwise_kernel(
    ...     "swish", "x", "y", "y = x / (1 + exp(-x));",
    ...     reference="x / (1 + exp(-x))",
    ...     gradient={"x": "g * (y + (1 - y) / (1 + exp(-x)))"},
    ... )
    >>> x = gg.tensor([0.0, 1.0], requires_grad=True)
    >>> swish(x).sum().backward()
    >>> x.grad
    tensor([0.5       , 0.92767054])
    """
    takes, gives = names_of(inputs), names_of(outputs)
    for identifier in (name, *takes, *gives):
        if not identifier.isidentifier():
            raise ValueError(f"elementwise_kernel: expected an identifier, got {identifier!r}")
    if not takes or len(gives) != 1:
        raise ValueError(f"{name}: expected inputs and one output, got {takes} and {gives}")
    if not gradient.keys() <= set(takes):
        raise ValueError(f"{name}: expected gradients for {takes}, got {sorted(gradient)}")
    twin = _on_xp(reference, takes, name)
    kernel = Elementwise(twin, body, outputs=gives, name=name)
    proven: set[tuple[type, Any]] = set()

    def forward(xp: Namespace, *arrays: Array) -> Array:
        first = next(a for a in arrays if hasattr(a, "dtype"))
        key = (type(first), first.dtype)
        if check and checking() and key not in proven and first.dtype.kind == "f":
            proven.add(key)
            try:
                _prove(name, takes, gives[0], xp, first, kernel, twin, rules, domain)
            except BaseException:
                proven.discard(key)
                raise
        return run(kernel, xp, arrays)

    forward.__name__ = forward.__qualname__ = name
    forward.__doc__ = f"{name}: {body}"
    only = inspect.Parameter.POSITIONAL_ONLY
    either = inspect.Parameter.POSITIONAL_OR_KEYWORD
    operation: Any = primitive(with_signature(forward, (("xp", *takes), only)))
    rules = {n: _rule(name, n, rule, takes, gives[0]) for n, rule in gradient.items()}
    operation.vjp(**{n: with_signature(f, (("xp", "g", *needs), either)) for n, (f, needs) in rules.items()})
    return operation  # type: ignore[no-any-return]


def run(kernel: Elementwise, xp: Namespace, arrays: tuple[Any, ...]) -> Array:
    """The kernel, or its twin where an operand is a number."""
    whole = all(hasattr(a, "dtype") for a in arrays)
    return kernel(xp, *arrays) if whole else kernel.reference(xp, *arrays)


def _on_xp(reference: str | Function, takes: tuple[str, ...], name: str) -> Function:
    """The twin as a function of ``xp`` and the inputs, with the signature a kernel's reference has."""
    if isinstance(reference, str):
        formula = Formula(reference)
        if not formula.names <= set(takes):
            raise ValueError(f"{name}: the reference names {sorted(formula.names - set(takes))}, inputs are {takes}")

        def twin(xp: Namespace, *arrays: Any) -> Any:
            return formula(xp, **dict(zip(takes, arrays, strict=True)))
    else:

        def twin(xp: Namespace, *arrays: Any) -> Any:
            return reference(xp, *arrays)

    twin.__name__ = name
    return with_signature(twin, (("xp", *takes), inspect.Parameter.POSITIONAL_ONLY))


def _rule(
    name: str, by: str, rule: str | Function, takes: tuple[str, ...], gives: str
) -> tuple[Function, tuple[str, ...]]:
    """A gradient rule as a function, and the names of the values it needs (the output is called ``y`` there)."""
    if not isinstance(rule, str):
        needs = tuple(inspect.signature(rule).parameters)[2:]
        given = rule

        def plain(xp: Namespace, g: Array, *values: Any) -> Array:
            return given(xp, g, *values)

        return plain, tuple("y" if n == gives else n for n in needs)
    formula = Formula(rule)
    unknown = formula.names - {"g", gives, *takes}
    if unknown:
        raise ValueError(f"{name}: the gradient by {by} names {sorted(unknown)}; there is g, {gives} and {takes}")
    names = tuple(n for n in (*takes, gives) if n in formula.names)

    def reference(xp: Namespace, g: Any, *values: Any) -> Any:
        return formula(xp, g=g, **dict(zip(names, values, strict=True)))

    reference.__name__ = f"{name}_by_{by}"
    with_signature(reference, (("xp", "g", *names), inspect.Parameter.POSITIONAL_ONLY))
    kernel = Elementwise(reference, f"out = {formula.cuda};", name=f"{name}_by_{by}")

    def fused(xp: Namespace, g: Array, *values: Any) -> Array:
        return run(kernel, xp, (g, *values))

    return fused, tuple("y" if n == gives else n for n in names)


def _prove(
    name: str, takes: tuple[str, ...], gives: str, xp: Namespace, like: Array, kernel: Elementwise, twin: Function,
    rules: Mapping[str, tuple[Function, tuple[str, ...]]], domain: Any,
) -> None:  # fmt: skip
    """The check of one dtype on one kind of device."""
    rng = numpy.random.default_rng(0)
    limits = domain if isinstance(domain, Mapping) else dict.fromkeys(takes, domain)
    samples = {}
    for n in takes:
        low, high = limits.get(n, (-2.0, 2.0))
        samples[n] = rng.uniform(low, high, SIZE)

    def pullback(xp: Namespace, gs: list[Array], arrays: Mapping[str, Array]) -> dict[str, Array]:
        values = {**arrays, "y": run(kernel, xp, tuple(arrays[n] for n in takes))}
        return {n: rule(xp, gs[0], *(values[k] for k in needs)) for n, (rule, needs) in rules.items()}

    prove(
        name, takes, xp, like,
        forward=lambda xp, *arrays: (run(kernel, xp, arrays),),
        reference=lambda xp, *arrays: (twin(xp, *arrays),),
        pullback=pullback,
        samples=samples,
    )  # fmt: skip
