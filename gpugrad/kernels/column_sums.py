"""Column kernels: what is computed element by element from rows is summed over all of these.

The reference is traced as that of a row kernel is. A block takes 16 neighbouring columns, with 32 rows at a time; each
thread adds up its rows in order, and the 32 sums of a column meet in shared memory, in order too. Where there are many
rows for few columns, they are split among blocks, whose sums are added up by a second launch.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from typing import Any, NamedTuple

from ..backend import Backend, Namespace, as_dtype
from ..backend.dtypes import name_of
from ..expressions import STORED, Formula, NotTracedError, index, length
from ..expressions.cuda import TYPES, statements
from ..expressions.rows import trace_rows
from .cuda_types import COMPUTE, PRELUDE, STORAGE
from .elementwise import pointer
from .kernel import REGISTRY, Kernel, remember

WIDTH, ROWS = 16, 32
"""The columns of a block, and the rows that it takes at a time."""
MOST_ROWS = 1 << 14
"""The most rows for one block."""

Types = tuple[str | None, ...]


class Launch(NamedTuple):
    """What a launch on arrays of certain dtypes, shapes and strides needs.

    Attributes:
        start: see :meth:`Backend.launcher`; None for what is left to the reference.
        threads: in whole blocks.
        made: shape and dtype of each output.
        whole: whether all arrays are contiguous.
        parts: the number of blocks that share the rows of a column.
        sizes: the last argument, a struct.
    """

    start: Callable[..., None] | None
    threads: int
    made: list[tuple[tuple[int, ...], Any]]
    whole: bool
    parts: int
    sizes: Any


LEFT = Launch(None, 0, [], True, 1, None)
"""What is left to the reference."""


class Columns(Kernel):
    """A kernel of arrays ``(..., N)`` that gives sums ``(N,)`` over all axes in front, where N may be several axes.

    Sums have the dtype of the first array.

    Args:
        terms: ``f(xp, *arrays, /, axes, **more)`` gives what is summed, without summing it; ``axes`` are the last ones.
        axes: of the arrays that are not ``rc``, as of a row kernel.
        types: the dtypes of arrays that have one of their own; ``wide`` for that of the arithmetic.
        variants: for the sources compiled in advance: the values of the other parameters.
    """

    def __init__(
        self,
        terms: Callable[..., Any],
        axes: Mapping[str, str],
        types: Mapping[str, str],
        variants: Sequence[Mapping[str, Any]] = ({},),
    ) -> None:
        super().__init__(terms)
        self.terms = terms
        self.reference = self._summed
        self.axes = {a: axes.get(a, "rc") for a in self.arrays}
        self.types, self.variants = dict(types), variants
        self._formulas: dict[Any, Formula | None] = {}
        self._plans: dict[Any, Launch] = {}

    def _summed(self, xp: Namespace, *arguments: Any) -> tuple[Any, ...]:
        found = self.terms(xp, *arguments)
        lead = tuple(range(arguments[0].ndim - len(arguments[len(self.arrays)])))
        return tuple(xp.astype(xp.sum(y, axis=lead), arguments[0].dtype) for y in found)

    def launch(self, xp: Namespace, owner: Backend, arguments: tuple[Any, ...]) -> Any:
        """See :meth:`Kernel.launch`."""
        arrays = arguments[: len(self.arrays)]
        kind = type(arrays[0])
        key = [owner, *arguments[len(arrays) :]]
        for a in arrays:
            if type(a) is not kind:
                return NotImplemented
            key += a.dtype, a.shape, a.strides
        if owner.several_devices:
            key.append(owner.current_index)
        known = tuple(key)
        plan = self._plans.get(known)
        if plan is None:
            plan = remember(self._plans, known, self._plan(owner, arrays, *arguments[len(arrays) :]))
        start, threads, made, whole, parts, sizes = plan
        if start is None:
            return NotImplemented
        given = arrays if whole else [xp.ascontiguousarray(a) for a in arrays]
        outputs = [kind(shape, dtype) for shape, dtype in made]
        start(threads, (*given, *outputs, sizes), 0, WIDTH * ROWS)
        if parts > 1:
            outputs = [xp.astype(xp.sum(y, axis=0), arrays[0].dtype, copy=False) for y in outputs]
        return tuple(outputs)

    def _plan(self, owner: Backend, arrays: tuple[Any, ...], axes: tuple[int, ...], *static: Any) -> Launch:
        """How to launch the kernel on such arrays."""
        shape, ndim = arrays[0].shape, arrays[0].ndim
        if not axes or sorted(a % ndim for a in axes) != [*range(ndim - len(axes), ndim)]:
            return LEFT
        lead, row = shape[: ndim - len(axes)], shape[ndim - len(axes) :]
        for a, name in zip(arrays, self.arrays, strict=True):
            if a.shape != shape if self.axes[name] == "rc" else a.shape not in (lead, lead + (1,) * len(row)):
                return LEFT
        types = tuple(name_of(a.dtype) for a in arrays)
        formula = self.traced(types, static)
        n, rows = math.prod(row), math.prod(lead)
        if formula is None or not n or not rows:
            return LEFT
        parts = -(-rows // MOST_ROWS)
        made = ((parts, *row), as_dtype(arithmetic(types))) if parts > 1 else (row, arrays[0].dtype)
        return Launch(
            owner.launcher(self.source(types, static, parts > 1), self.name),
            -(-n // WIDTH) * parts * WIDTH * ROWS,
            [made for _ in formula.outputs],
            all(a.flags.c_contiguous for a in arrays),
            parts,
            owner.struct((rows, n, -(-rows // parts)), wide=True),
        )

    def traced(self, types: Types, static: tuple[Any, ...] = ()) -> Formula | None:
        """The terms as expressions; None where they cannot be traced for these dtypes."""
        if (types, static) not in self._formulas:
            known = all(t in COMPUTE for t in types)
            self._formulas[types, static] = self._trace(types, static) if known else None
        return self._formulas[types, static]

    def _trace(self, types: Types, static: tuple[Any, ...]) -> Formula | None:
        arrays: dict[str, tuple[str, str] | None] = {
            n: (str(t), self.axes[n]) for n, t in zip(self.arrays, types, strict=True)
        }
        more = dict(zip(self.scalars[1:], static, strict=True))
        try:
            return trace_rows(self.terms, arrays, (), 0, axes=(1,), **more)
        except NotTracedError:
            return None

    def sources(self) -> Iterator[tuple[str, str]]:
        """Every variant in every dtype, with the sums rounded and not."""
        for dtype in COMPUTE:
            wide = "float32" if dtype in STORED else dtype
            types = tuple(wide if self.types.get(a) == "wide" else dtype for a in self.arrays)
            for i, variant in enumerate(self.variants):
                static = tuple(variant[n] for n in self.scalars[1:])
                for parts in (False, True) if dtype in STORED else (False,):  # those of others are the same
                    yield f"{'parts' if parts else 'whole'} {dtype} {i}", self.source(types, static, parts)

    @cache  # noqa: B019  kernels live as long as the program
    def source(self, types: Types, static: tuple[Any, ...] = (), parts: bool = False) -> str:
        """The CUDA source; ``parts`` leaves sums of some rows each as wide as they were computed."""
        formula = self.traced(types, static)
        assert formula is not None
        wide = arithmetic(types)
        inner = formula.outputs
        stored = [wide if parts else str(types[0])] * len(inner)
        names = {e: f"gg_{e.value}" for e in formula.inputs}
        names |= {length("c"): "gg_l.n", length("r"): "gg_l.rows", index("c"): "gg_j", index("r"): "gg_row"}
        parameters = [
            *(f"const {STORAGE[e.dtype]}* __restrict__ {pointer(e.value)}" for e in formula.inputs),
            *(f"{STORAGE[t]}* __restrict__ gg_y{i}" for i, t in enumerate(stored)), "const gg_Size gg_l",
        ]  # fmt: skip
        loads = [
            f"const {TYPES[e.dtype]} gg_{e.value} = load({pointer(e.value)}"
            f"[{'gg_row * gg_l.n + gg_j' if 'c' in e.axes else 'gg_row'}]);"
            for e in formula.inputs
        ]
        each = statements({f"const {TYPES[y.dtype]} gg_v{i}": y for i, y in enumerate(inner)}, names)
        lines = [
            PRELUDE,
            "struct gg_Size { long long rows, n, each; };",
            f'extern "C" __global__ void {self.name}({", ".join(parameters)}) {{',
            f"    const long long gg_strips = (gg_l.n + {WIDTH - 1}) / {WIDTH}, gg_part = blockIdx.x / gg_strips;",
            f"    const int gg_lane = threadIdx.x / {WIDTH}, gg_column = threadIdx.x % {WIDTH};",
            f"    const long long gg_j = blockIdx.x % gg_strips * {WIDTH} + gg_column;",
            "    const long long gg_next = (gg_part + 1) * gg_l.each;",
            "    const long long gg_end = gg_next < gg_l.rows ? gg_next : gg_l.rows;",
            *(f"    __shared__ {TYPES[y.dtype]} gg_all{i}[{WIDTH * ROWS}];" for i, y in enumerate(inner)),
            *(f"    {TYPES[y.dtype]} gg_s{i} = 0;" for i, y in enumerate(inner)),
            "    if (gg_j < gg_l.n)",
            f"        for (long long gg_row = gg_part * gg_l.each + gg_lane; gg_row < gg_end; gg_row += {ROWS}) {{",
            *(f"            {line}" for line in (*loads, *each)),
            *(f"            gg_s{i} += gg_v{i};" for i in range(len(inner))),
            "        }",
            *(f"    gg_all{i}[threadIdx.x] = gg_s{i};" for i in range(len(inner))),
            "    __syncthreads();",
            "    if (gg_lane || gg_j >= gg_l.n) return;",
            f"    for (int gg_k = 1; gg_k < {ROWS}; ++gg_k) {{",
            *(f"        gg_s{i} += gg_all{i}[gg_k * {WIDTH} + gg_column];" for i in range(len(inner))),
            "    }",
            *(f"    store(gg_y{i}[gg_part * gg_l.n + gg_j], gg_s{i});" for i in range(len(inner))),
            "}",
        ]
        return "\n".join(lines) + "\n"


def arithmetic(types: Types) -> str:
    """The dtype in which sums are taken."""
    return "float64" if "float64" in types else "float32"


def columns(**how: Any) -> Callable[[Callable[..., Any]], Columns]:
    """Make a column kernel of the library; see :class:`Columns`."""

    def make(terms: Callable[..., Any]) -> Columns:
        kernel = Columns(terms, **how)
        REGISTRY[kernel.name] = kernel
        return kernel

    return make
