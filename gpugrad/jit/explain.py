"""What a jitted function has recorded, and how it is run, as a text."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ..tracing.program import Program

if TYPE_CHECKING:
    from .function import Programs
    from .variant import Variant


def explained(name: str, programs: Programs) -> str:
    """All programs of a function: what each holds for, its calls, how they are run, and what it does around them."""
    found = [(key, variant) for key, variants in programs.found.items() for variant in variants]
    if not found:
        return f"{name}: not called yet, or by nothing that could be recorded"
    texts = [f"{name}: {len(found)} program{'s' * (len(found) > 1)}, {programs.count} recorded"]
    for i, (_, variant) in enumerate(found):
        texts.append(f"\nprogram {i + 1} of {len(found)}\n{_one(variant)}")
    return "\n".join(texts)


def _one(variant: Variant) -> str:
    lines = [f"  holds for: {_given(variant.parts.forward)}"]
    why = variant.why_not()
    if why:
        lines.append(f"  does not hold now: {why} is another one")
    if variant.called:
        lines.append(f"  compared at each call, since NumPy may have read them: {', '.join(variant.called)}")
    if variant.events:
        lines.append(f"  computed by the host at each call: {', '.join(dict.fromkeys(variant.parts.forward.scalars))}")
    kinds = [product.kind for product in variant.products]
    made = [f"{kinds.count(kind)} {NAMES[kind]}" for kind in dict.fromkeys(kinds)]
    lines.append(f"  gives: {', '.join(made) or 'nothing'}")
    lines += ["", "forward", _run(variant.parts.forward, variant.forward)]
    if variant.parts.backward is not None:
        lines += ["", "backward", _run(variant.parts.backward, variant.backward)]
    return "\n".join(lines)


NAMES = {"result": "results", "argument": "arguments with new values", "tensor": "tensors with new values",
         "slot": "attributes with new tensors", "grad": "gradients"}  # fmt: skip


def _given(program: Program) -> str:
    given = [str(program.specs[one.value.number]) for one in program.inputs if one.name.startswith("argument")]
    return ", ".join(given) or "no arrays among its arguments"


def _run(program: Program, run: Callable[..., Any] | None) -> str:
    text = f"{len(program.calls)} calls were recorded; as they are run, a {run}"
    return "\n".join(f"  {line}" for line in text.splitlines())
