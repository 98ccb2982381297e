"""From a call of a program to records of machine code, for arrays of NumPy."""

from __future__ import annotations

from collections.abc import Callable

from ...backend import llvm
from ...expressions import NotTracedError
from ...expressions.llvm import NotCompiledError, compilable
from ...kernels import REGISTRY
from ...kernels.elementwise import Elementwise
from ...kernels.rows import Rows
from ...tracing.program import Call, Program, Scalar, Value
from ..passes.formulas import elements
from ..passes.fusion import Fused, fused_kernel
from ..places import Place
from . import parts
from .native import Word
from .products import product
from .records import COMPUTED, Lying, Records, loop_record
from .reductions import counted, over_rows, reduced


def lowered(call: Call, program: Program, places: Lying) -> Records:
    """The records that do what a call does; None where there are none, and NumPy is to be called.

    Args:
        call: it.
        program: which it is from.
        places: of the values by their numbers.
    """
    if llvm.machine() is None or any(places[v.number].dtype not in COMPUTED for v in call.results):
        return None
    name = call.op.rpartition(".")[2]
    rule = RULES.get(name) if not call.op.startswith("kernel.") else KERNELS.get(name)
    try:
        if rule is not None:
            return rule(call, program, places)
        kernel = program.custom.get(name) or REGISTRY.get(name) if call.op.startswith("kernel.") else None
        if isinstance(kernel, Rows):
            return over_rows(kernel, call, places)
        if isinstance(kernel, Elementwise) and kernel.changes:
            return _changing(kernel, call, places)
        return _elementwise(call, program, places)
    except (NotTracedError, NotCompiledError):
        return None


def _elementwise(call: Call, program: Program, places: Lying) -> Records:
    what = elements(call, program)
    if what is None:
        return None
    if isinstance(program.custom.get(call.op.partition(".")[2]), Fused):
        kernel: Fused = program.custom[call.op.partition(".")[2]]
        count = len(kernel.arrays)
        operands, scalars = list(call.args[:count]), list(call.args[count:])
    else:
        kernel, operands, scalars = fused_kernel(list(what.results), list(what.operands), program)
    inputs, outputs = kernel.formula
    return loop_record(
        [e for e in inputs if e.axes], outputs, [places[v.number] for v in operands],
        [places[v.number] for v in call.results], [e for e in inputs if not e.axes],
        [Word(s.number) for s in scalars],
    )  # fmt: skip


def _changing(kernel: Elementwise, call: Call, places: Lying) -> Records:
    """A kernel that changes arrays in place: they overlap no other one, or are it."""
    given, numbers = call.args[: len(kernel.arrays)], call.args[len(kernel.arrays) :]
    if any(type(a) is not Value for a in given) or kernel.body is not None:
        return None
    inputs = [places[a.number] for a in given]
    formula = kernel.traced(tuple(p.dtype for p in inputs))
    if not compilable(formula.outputs):
        return None
    shape = inputs[kernel.arrays.index(kernel.changes[0])].shape
    for name in kernel.changes:
        i = kernel.arrays.index(name)
        if inputs[i].shape != shape or not inputs[i].contiguous:
            return None
        if any(k != i and place.root == inputs[i].root and _meet(place, inputs[i]) for k, place in enumerate(inputs)):
            return None
    words = [Word(n.number) if type(n) is Scalar else float(n) for n in numbers]
    arrays = [e for e in formula.inputs if e.axes]
    scalars = [e for e in formula.inputs if not e.axes]
    return loop_record(arrays, formula.outputs, inputs, [], scalars, words, kernel.changes)


def _meet(a: Place, b: Place) -> bool:
    """Whether two contiguous places in one memory overlap."""
    if not (a.contiguous and b.contiguous):
        return True
    return a.offset < b.offset + b.nbytes and b.offset < a.offset + a.nbytes


Rule = Callable[[Call, Program, Lying], Records]

RULES: dict[str, Rule] = {
    "matmul": product, "sum": reduced, "mean": reduced, "max": reduced, "min": reduced, "amax": reduced,
    "amin": reduced, "reshape": parts.copied, "ravel": parts.copied, "copy": parts.copied,
    "ascontiguousarray": parts.copied, "permute_dims": parts.copied, "copyto": parts.copyto,
    "concatenate": parts.concatenated, "concat": parts.concatenated, "stack": parts.concatenated,
}  # fmt: skip
"""How functions of the array library are lowered; all others are asked whether they are elementwise."""

KERNELS: dict[str, Rule] = {
    "counted": counted, "place_at": parts.placed, "sum_of_parts": parts.sum_of_parts, "set_at": parts.set_at,
    "framed": parts.framed, "bordered": parts.bordered, "unbordered": parts.unbordered,
}  # fmt: skip
"""How kernels are lowered that are neither elementwise nor over rows."""
