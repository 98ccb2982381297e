"""``gg.elementwise_kernel``: an operation of a CUDA statement, its twin and its gradient."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any

import numpy

from ..backend import Array, Namespace
from ..core import Operation, primitive
from .check import SIZE, Proof
from .formulas import TAKEN, parsed
from .fused import EITHER, ONLY, Fitted, Fused
from .names import Function, check_names, inner_names, names_of, needs_of, with_signature

Gradient = tuple[Function, tuple[str, ...]]
"""A rule ``f(xp, g, *values)``, and the names of the values."""


def elementwise_kernel(
    name: str,
    inputs: str | tuple[str, ...],
    outputs: str | tuple[str, ...],
    body: str,
    reference: str | tuple[str, ...] | Function,
    gradient: Mapping[str, str | Function],
    *,
    domain: tuple[float, float] | Mapping[str, tuple[float, float]] = (-2.0, 2.0),
    check: bool = True,
) -> Operation[Any]:
    """A differentiable elementwise operation of a CUDA statement, its twin on ``xp`` and its gradient.

    On a GPU the statement runs, fused, in one launch, for contiguous, strided and broadcast arrays of float16,
    bfloat16, float32 and float64, and for Python's numbers among them; elsewhere the twin. On first use with each dtype
    and kind of device the kernel is compared with the twin, and the gradient with finite differences of the twin. (On
    the CPU there is only the twin, so only the gradient is checked there: ``pytest --device simulator`` runs the
    statement without a GPU.)

    Args:
        name: of the operation, a C identifier.
        inputs: names of the inputs, ``"x w"``.
        outputs: name of the output, or of several.
        body: C++ statements that assign the outputs; the inputs are values of type ``T`` (float or double; write
            ``T(0.5)``, since ``0.5`` alone is a double).
        reference: the twin: an expression in Python's words (a tuple of them for several outputs), or a function
            ``f(xp, *inputs)``.
        gradient: for each differentiable input an expression over ``g``, inputs and output, or a function
            ``f(xp, g, ...)`` that names what it needs. An expression becomes a fused kernel too, and so do its own
            derivatives, to any order. Of several outputs ``y z``, an expression calls the upstream gradients ``g_y``
            and ``g_z``; a function gets them as a tuple.
        domain: between which values the random inputs of the check lie; for all inputs, or by name.
        check: switch the check off for this kernel; :class:`kernel_checks` does for all.

    Returns:
        A function of Tensors or arrays.

    Raises:
        ValueError: a name cannot be used, a gradient is for no input, or an expression is not understood.
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
    if not takes or not gives:
        raise ValueError(f"{name}: expected inputs and outputs, got {takes} and {gives}")
    check_names(name, (name,))
    upstream = ("g",) if len(gives) == 1 else tuple(f"g_{output}" for output in gives)
    check_names(name, (*takes, *gives), taken=frozenset({"T", "xp", "g", *upstream, *TAKEN}))
    if not gradient.keys() <= set(takes):
        raise ValueError(f"{name}: expected gradients for {takes}, got {sorted(gradient)}")
    limits = _limits(name, takes, domain)

    kernel = Fitted(f"{name}_forward", takes, gives, body, _twin(name, reference, takes, gives))
    rules = {n: _rule(name, n, rule, takes, gives, upstream) for n, rule in gradient.items()}

    def samples() -> dict[str, Any]:
        rng = numpy.random.default_rng(0)
        return {n: rng.uniform(*limits[n], SIZE) for n in takes}

    proof = Proof(name, takes, kernel, kernel.twin, rules, samples, gives)

    def forward(xp: Namespace, *arrays: Array) -> Any:
        if check:
            proof.demand(xp, arrays)
        return kernel(xp, *arrays)

    forward.__name__ = forward.__qualname__ = name
    forward.__module__ = sys._getframe(1).f_globals.get("__name__", "__main__")
    forward.__doc__ = f"{name}: {body}"
    operation = operation_of(forward, takes, gives, rules)
    operation.op.batch = "elementwise"
    return operation


def operation_of(
    forward: Function, takes: tuple[str, ...], gives: tuple[str, ...], rules: Mapping[str, Gradient]
) -> Operation[Any]:
    """The operation of a forward and rules, whose names are the user's."""
    inner = inner_names(takes)
    declared = with_signature(forward, (("xp", *inner.values()), ONLY))
    operation: Any = primitive(outputs=True)(declared) if len(gives) > 1 else primitive(declared)
    operation.vjp(**{inner[n]: _in_order(rule, inner, gives) for n, rule in rules.items()})
    return operation  # type: ignore[no-any-return]


def _in_order(gradient: Gradient, inner: Mapping[str, str], gives: tuple[str, ...]) -> Function:
    """A rule with the names that an operation knows: those of its inputs, and ``y`` for the output or the tuple."""
    rule, needs = gradient
    places = {n: ("y", gives.index(n)) if n in gives else (_inner(n, inner), None) for n in needs}
    names = tuple(dict.fromkeys(place for place, _ in places.values()))

    def run(xp: Namespace, g: Any, *values: Any) -> Any:
        found = dict(zip(names, values, strict=True))
        wanted = (found[p] if i is None or len(gives) == 1 else found[p][i] for p, i in places.values())
        return rule(xp, g, *wanted)

    return with_signature(run, (("xp", "g", *names), EITHER))


def _inner(name: str, inner: Mapping[str, str]) -> str:
    """``x``, and ``x_shape``, as the operation calls it; what it does not know is its error."""
    if name in inner:
        return inner[name]
    owner, _, what = name.rpartition("_")
    return f"{inner[owner]}_{what}" if owner in inner else name


def _limits(name: str, takes: tuple[str, ...], domain: Any) -> dict[str, tuple[float, float]]:
    """The domain of each input."""
    limits = dict(domain) if isinstance(domain, Mapping) else dict.fromkeys(takes, domain)
    if not limits.keys() <= set(takes):
        raise ValueError(f"{name}: expected domains for {takes}, got {sorted(limits)}")
    for n, (low, high) in limits.items():
        if not low < high:
            raise ValueError(f"{name}: expected a domain (low, high) for {n}, got {limits[n]}")
    return {n: limits.get(n, (-2.0, 2.0)) for n in takes}


def _twin(name: str, reference: Any, takes: tuple[str, ...], gives: tuple[str, ...]) -> Function:
    """The twin as a function of ``xp`` and the inputs; of several outputs, it gives a tuple."""
    if callable(reference):
        return reference  # type: ignore[no-any-return]
    texts = (reference,) if isinstance(reference, str) else tuple(reference)
    if len(texts) != len(gives):
        raise ValueError(f"{name}: expected an expression for each output of {gives}, got {texts}")
    formulas = tuple(map(parsed, texts))
    for formula, text in zip(formulas, texts, strict=True):
        if formula.names != set(takes):
            odd = sorted(formula.names ^ set(takes))
            raise ValueError(f"{name}: expected a reference over the inputs {takes}, {text!r}: see {odd}")

    def twin(xp: Namespace, *arrays: Any) -> Any:
        values = dict(zip(takes, arrays, strict=True))
        results = tuple(formula(xp, **values) for formula in formulas)
        return results if len(results) > 1 else results[0]

    return twin


def _rule(
    name: str, by: str, rule: str | Function, takes: tuple[str, ...], gives: tuple[str, ...], upstream: tuple[str, ...]
) -> Gradient:
    """A gradient rule as a function, and the names of the values it needs."""
    if not isinstance(rule, str):
        return rule, needs_of(rule)
    formula = parsed(rule)
    unknown = formula.names - {*upstream, *gives, *takes}
    if unknown:
        raise ValueError(
            f"{name}: the gradient by {by} names {sorted(unknown)}; there is {', '.join((*upstream, *takes, *gives))}"
        )
    used = tuple(i for i, g in enumerate(upstream) if g in formula.names)
    if not used:
        raise ValueError(f"{name}: the gradient by {by} is a multiple of {' and '.join(upstream)}, got {rule!r}")
    needs = tuple(n for n in (*takes, *gives) if n in formula.names)
    fused = Fused(f"{name}_by_{by}", formula, (*(upstream[i] for i in used), *needs))
    if len(gives) == 1:
        return fused, needs

    def of_several(xp: Namespace, g: tuple[Array, ...], *values: Any) -> Array:
        return fused(xp, *(g[i] for i in used), *values)

    return of_several, needs
