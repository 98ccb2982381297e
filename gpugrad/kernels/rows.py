"""Row kernels: the last axes are reduced, once or more, and then written element by element.

The reference is traced, and its reductions become passes over the row: those that need no other one are the first pass,
together, those that need these the second, and so on. What does not vary along a row is computed once a row.

A row of up to 1,024 elements is one warp's work, four rows to a block; a longer one is a whole block's. The partial
results of the threads meet through warp shuffles, and across the warps of a block through shared memory.
Source of the pattern: ``dev/cuda/softmax_forward.cu`` of llm.c.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from operator import itemgetter
from typing import Any, NamedTuple, overload

from ..backend import Backend, Namespace, as_dtype
from ..backend.dtypes import name_of
from ..expressions import REDUCTIONS, STORED, Expression, Formula, NotTracedError, index, length, walk
from ..expressions.cuda import TYPES, literal, statements
from ..expressions.rows import trace_rows
from .cuda_types import COMPUTE, PRELUDE, STORAGE
from .elementwise import pointer
from .kernel import REGISTRY, Kernel, nothing, remember

WARP_ROW = 1024
"""The longest row for one warp."""
WARP_BLOCK, LONG_BLOCK = 128, 512
"""Threads in a block: four warps with a row each, or all for one row."""

JOIN = {
    "max": "a != a || b != b ? ({0})from_bits(0x7fc00000u) : a > b ? a : b",
    "min": "a != a || b != b ? ({0})from_bits(0x7fc00000u) : a < b ? a : b",
    "sum": "a + b",
    "prod": "a * b",
}
"""How a reduction joins two values; a NaN stays one."""

Types = tuple[str | None, ...]
"""The dtypes of the arrays by NumPy's names, None for an array that is not given."""


class Known(NamedTuple):
    """What a launch needs to know of the dtypes and the static parameters.

    Attributes:
        formula: what is computed.
        given: for each result of the reference the output, the input that it is, or None.
        made: the outputs that are written: which, the dtype, and the shape: that of the rows (2), with the reduced axes
            at size 1 (1), or without them (0).
        short, long: the sources for a warp and for a block.
    """

    formula: Formula
    given: list[tuple[str, int] | None]
    made: list[tuple[int, Any, int]]
    short: str
    long: str


class Launch(NamedTuple):
    """What a launch on arrays of certain dtypes, shapes and strides needs.

    Attributes:
        start: see :meth:`Backend.launcher`; None for what is left to the reference.
        threads: in whole blocks.
        block: threads in a block.
        made: shape and dtype of each output that is written.
        given: takes the arrays that are not missing; None for all.
        whole: whether all of them are contiguous.
        places: takes the results out of the arrays, the outputs, and a None; None for the one output.
        sizes: the last argument, a struct: the number of rows, and that of elements in each.
    """

    start: Callable[..., None] | None
    threads: int
    block: int
    made: list[tuple[tuple[int, ...], Any]]
    given: Callable[[Sequence[Any]], Sequence[Any]] | None
    whole: bool
    places: Callable[[Sequence[Any]], Any] | None
    sizes: Any


LEFT = Launch(None, 0, 0, [], None, True, None, 0)
"""What is left to the reference."""


def taking(places: Sequence[int]) -> Callable[[Sequence[Any]], Sequence[Any]]:
    """A function that takes the values at these places.

    >>> taking([2])((1, 2, 3)), taking([2, 0])((1, 2, 3))
    ((3,), (3, 1))
    """
    if not places:
        return lambda values: ()
    return itemgetter(*places) if len(places) > 1 else itemgetter(slice(places[0], places[0] + 1))


class Rows(Kernel):
    """A kernel over the rows of arrays ``(..., N)``, where N may be several axes; it copies those not contiguous.

    Args:
        reference: ``f(xp, *arrays, /, **more)``, with the reduced axes called ``axis`` or ``axes``; without such a
            parameter, the arrays are matrices. An array that may be missing is None.
        axes: of the arrays that are not ``rc``, all the rows: ``r`` with one element a row, ``c`` with one for each
            position in a row.
        types: the dtypes of arrays that have one of their own; ``wide`` for that of the arithmetic.
        scalars: the parameters that are numbers known at the launch. Each value of another one has its own source.
        repeated: arrays that are often one number, repeated, as the gradient of a mean is; it is read without a copy.
        leading: the results with an element a row that do not keep the reduced axes.
        variants: for the sources compiled in advance: the values of the other parameters, None for missing arrays,
            and "repeated" for those that are one number.
    """

    def __init__(
        self,
        reference: Callable[..., Any],
        axes: Mapping[str, str] | None = None,
        types: Mapping[str, str] | None = None,
        scalars: tuple[str, ...] = (),
        repeated: tuple[str, ...] = (),
        leading: tuple[int, ...] = (),
        variants: Sequence[Mapping[str, Any]] = ({},),
    ) -> None:
        super().__init__(reference)
        self.parameters = self.scalars
        self.scalars, self.repeated = scalars, repeated
        self.axes = {a: (axes or {}).get(a, "rc") for a in self.arrays}
        self.types, self.leading, self.variants = dict(types or {}), leading, variants
        self.first = list(self.axes.values()).index("rc")
        self.static = tuple(n for n in self.parameters if n not in scalars and n not in ("axis", "axes"))
        self._fixed = taking([i for i, n in enumerate(self.parameters, len(self.arrays)) if n not in scalars])
        self._numbers = taking([len(self.arrays) + self.parameters.index(n) for n in scalars])
        self._known: dict[Any, Known | None] = {}
        self._plans: dict[Any, Launch] = {}

    def launch(self, xp: Namespace, owner: Backend, arguments: tuple[Any, ...]) -> Any:
        """See :meth:`Kernel.launch`."""
        arrays = arguments[: len(self.arrays)]
        kind = type(arrays[self.first])
        key = [owner, *self._fixed(arguments)]
        for a in arrays:
            if a is None:
                key.append(None)
            elif type(a) is not kind:
                return NotImplemented
            else:
                key += a.dtype, a.shape, a.strides
        if owner.several_devices:
            key.append(owner.current_index)
        known = tuple(key)
        plan = self._plans.get(known)
        if plan is None:
            plan = remember(self._plans, known, self._plan(owner, arrays, arguments))
        start, threads, block, made, given, whole, places, sizes = plan
        if start is None:
            return NotImplemented
        inputs = arrays if given is None else given(arrays)
        if not whole:  # such as the gradient of a mean, which is one number, repeated
            inputs = [xp.ascontiguousarray(a) for a in inputs]
        outputs = [kind(shape, dtype) for shape, dtype in made]
        start(threads, (*inputs, *outputs, *map(float, self._numbers(arguments)), sizes), 0, block)
        return outputs[0] if places is None else places((*arrays, *outputs, None))

    def _plan(self, owner: Backend, arrays: tuple[Any, ...], arguments: tuple[Any, ...]) -> Launch:
        """How to launch the kernel on such arrays."""
        more = dict(zip(self.parameters, arguments[len(arrays) :], strict=True))
        shape = arrays[self.first].shape
        split = self._split(more, len(shape))
        if split is None:
            return LEFT
        lead, row = shape[:split], shape[split:]
        for a, name in zip(arrays, self.arrays, strict=True):
            if a is None:
                continue
            axes, own = self.axes[name], a.shape
            if axes == "c":
                extra = len(own) - len(row)
                fits = extra >= 0 and own[extra:] == row and own[:extra] == (1,) * extra
            else:
                fits = own == shape if axes == "rc" else own in (lead, lead + (1,) * len(row))
            if not fits:
                return LEFT
        static = tuple([more[n] for n in self.static])
        of = dict(zip(self.arrays, arrays, strict=True))
        repeated = tuple([n for n in self.repeated if of[n] is not None and of[n].size > 1 and not any(of[n].strides)])
        key = (tuple([None if a is None else a.dtype for a in arrays]), static, repeated)
        known = self._known[key] if key in self._known else self._learn(key, arrays, static, repeated)
        if known is None:
            return LEFT
        n, rows = math.prod(row), math.prod(lead)
        if not n * rows and any(how < 2 for _, _, how in known.made):
            return LEFT  # what there is of rows without elements, the reference knows
        short = n <= WARP_ROW
        block, threads = (WARP_BLOCK, rows * 32) if short else (LONG_BLOCK, rows * LONG_BLOCK)
        start = owner.launcher(known.short if short else known.long, self.name) if n * rows else nothing
        shapes = lead, lead + (1,) * len(row), shape
        given = [i for i, a in enumerate(arrays) if a is not None]
        output = {i: len(arrays) + k for k, (i, _, _) in enumerate(known.made)}
        places = [-1 if p is None else output[p[1]] if p[0] == "output" else p[1] for p in known.given]
        return Launch(
            start,
            -(-threads // block) * block,
            block,
            [(shapes[how], dtype) for _, dtype, how in known.made],
            taking(given) if len(given) < len(arrays) else None,
            all(arrays[i].flags.c_contiguous or self.arrays[i] in repeated for i in given),
            None if places == [len(arrays)] else itemgetter(*places),
            owner.struct((rows, n), wide=True),
        )

    def _split(self, more: Mapping[str, Any], ndim: int) -> int | None:
        """The first of the reduced axes, if they are the last ones; else None."""
        if "axis" not in more and "axes" not in more:
            return 1 if ndim == 2 else None
        axis = more["axis"] if "axis" in more else more["axes"]
        listed = axis if isinstance(axis, tuple) else (axis,)
        if not ndim or None in listed or not listed:
            return None
        found = sorted({a % ndim for a in listed})
        return found[0] if found == [*range(ndim - len(found), ndim)] else None

    def _learn(
        self, key: Any, arrays: tuple[Any, ...], static: tuple[Any, ...], repeated: tuple[str, ...]
    ) -> Known | None:
        types = tuple(None if a is None else name_of(a.dtype) for a in arrays)
        made: Known | None = None
        pairs = [(self.types.get(n, "wide"), t) for n, t in zip(self.arrays, types, strict=True) if t is not None]
        if all(t in (COMPUTE if wanted == "wide" else ("int32", "int64")) for wanted, t in pairs):
            try:
                made = self._made(types, static, repeated, {name_of(a.dtype): a.dtype for a in arrays if a is not None})
            except NotTracedError:
                made = None
        self._known[key] = made
        return made

    def _made(
        self, types: Types, static: tuple[Any, ...], repeated: tuple[str, ...], dtypes: Mapping[str, Any]
    ) -> Known:
        formula, places = self.traced(types, static, repeated)
        given = [None if p is None else self._place(formula, p) for p in places]
        made = [
            (
                p,
                dtypes.get(formula.outputs[p].dtype) or as_dtype(formula.outputs[p].dtype),
                2 if "c" in formula.outputs[p].axes else 0 if i in self.leading else 1,
            )
            for i, p in enumerate(places)
            if p is not None and given[i] == ("output", p)
        ]
        return Known(formula, given, made, *(self.source(types, short, static, repeated) for short in (True, False)))

    def _place(self, formula: Formula, output: int) -> tuple[str, int]:
        """An output that is written, or the input that it is."""
        y = formula.outputs[output]
        y = y.args[0].args[0] if y.op == "astype" and y.args[0].op == "astype" else y
        return ("input", self.arrays.index(y.value)) if y.op == "variable" else ("output", output)

    @cache  # noqa: B019  kernels live as long as the program
    def traced(
        self, types: Types, static: tuple[Any, ...] = (), repeated: tuple[str, ...] = ()
    ) -> tuple[Formula, tuple[int | None, ...]]:
        """The reference as expressions, and the output of each of its results; see :func:`trace_rows`."""
        values = iter(static)
        more: dict[str, Any] = {}
        for name in self.parameters:
            if name in ("axis", "axes"):
                more[name] = -1 if name == "axis" else (1,)
            elif name in self.static:
                more[name] = next(values)
        axes = self.axes | dict.fromkeys(repeated, "")
        arrays = {n: None if t is None else (t, axes[n]) for n, t in zip(self.arrays, types, strict=True)}
        there: list[bool] = []

        def noted(*values: Any, **others: Any) -> Any:
            result = self.reference(*values, **others)
            there[:] = [y is not None for y in (result if isinstance(result, tuple) else (result,))]
            return result

        formula = trace_rows(noted, arrays, self.scalars, self.rounds, **more)
        return formula, tuple(sum(there[:i]) if y else None for i, y in enumerate(there))

    def sources(self) -> Iterator[tuple[str, str]]:
        """Every variant in every dtype, for a warp and for a block."""
        for dtype in COMPUTE:
            for i, variant in enumerate(self.variants):
                types = tuple(
                    None if variant.get(n, n) is None else t
                    for n, t in zip(self.arrays, self.typed(dtype), strict=True)
                )
                static = tuple(variant[n] for n in self.static)
                repeated = tuple(n for n in self.repeated if variant.get(n) == "repeated")
                for short in (True, False):
                    name = f"{'warp' if short else 'block'} {dtype}{f' {i}' if i else ''}"
                    yield name, self.source(types, short, static, repeated)

    def typed(self, dtype: str) -> tuple[str, ...]:
        """The dtypes of the arrays where that of the rows is ``dtype``."""
        wide = "float32" if dtype in STORED else dtype
        own = {n: wide if t == "wide" else t for n, t in self.types.items()}
        return tuple(own.get(n, dtype) for n in self.arrays)

    @cache  # noqa: B019
    def source(
        self, dtype: str | Types, short: bool, static: tuple[Any, ...] = (), repeated: tuple[str, ...] = ()
    ) -> str:
        """The CUDA source with a warp (``short``) or a block for each row."""
        types = self.typed(dtype) if isinstance(dtype, str) else dtype
        formula, _ = self.traced(types, static, repeated)
        arrays = [e for e in formula.inputs if e.value in self.arrays]
        written = {
            i: y for i, y in enumerate(formula.outputs) if self._place(formula, i) == ("output", i)
        }  # fmt: skip
        reductions = [e for e in walk(*written.values()) if e.op == "reduce"]
        arithmetic = "double" if "float64" in types else "float"
        parameters = [
            *(f"const {STORAGE[e.dtype]}* __restrict__ {pointer(e.value)}" for e in arrays),
            *(f"{STORAGE[y.dtype]}* __restrict__ gg_y{i}" for i, y in written.items()),
            *(f"double gg_s_{s}" for s in self.scalars),
            "const gg_Sizes gg_sizes",
        ]  # fmt: skip
        names = {e: f"gg_{e.value}" for e in formula.inputs}
        names |= {length("c"): "gg_n", length("r"): "gg_rows", index("c"): "gg_j", index("r"): "gg_row"}
        lines = [
            PRELUDE,
            *(
                line
                for how, t in sorted({(e.value[0], e.dtype) for e in reductions})
                for line in reduction(how, t, short)
            ),
            "struct gg_Sizes { long long rows, n; };",  # one argument: CuPy takes 0.2 us for each number
            f'extern "C" __global__ void {self.name}({", ".join(parameters)}) {{',
            "    const long long gg_rows = gg_sizes.rows, gg_n = gg_sizes.n;",
            "    const long long gg_index = (long long)blockIdx.x * blockDim.x + threadIdx.x;",
            f"    const long long gg_row = {'gg_index / 32' if short else 'blockIdx.x'};",
            f"    const int gg_lane = {'threadIdx.x % 32' if short else 'threadIdx.x'};",
            f"    const int gg_width = {'32' if short else 'blockDim.x'};",
            "    if (gg_row >= gg_rows) return;",
            "    const long long gg_base = gg_row * gg_n;",
            *(f"    const {arithmetic} gg_{s} = ({arithmetic})gg_s_{s};" for s in self.scalars),
        ]
        for e in arrays:
            if "c" not in e.axes:
                place = f"{pointer(e.value)}[gg_row]" if "r" in e.axes else f"*{pointer(e.value)}"
                lines.append(f"    const {TYPES[e.dtype]} gg_{e.value} = load({place});")
        while reductions:
            ready = [
                r
                for r in reductions
                if not any(e.op == "reduce" and e not in names for e in walk(*r.args, known=names))
            ]
            reductions = [r for r in reductions if r not in ready]
            made = {f"gg_r{len(names) + k}": r for k, r in enumerate(ready)}
            inner = [r.args[0] for r in ready]
            lines += once(inner, names)
            for name, r in made.items():
                start = (
                    literal(REDUCTIONS[r.value[0]], r.dtype) if r.value[0] in ("max", "min") else REDUCTIONS[r.value[0]]
                )
                lines.append(f"    {TYPES[r.dtype]} {name} = {start};")
            joined = {f"const {TYPES[r.dtype]} {name}_": r.args[0] for name, r in made.items()}
            lines += loop(joined, names, [
                f"{name} = gg_join_{r.value[0]}_{r.dtype}({name}, {name}_);" for name, r in made.items()
            ])  # fmt: skip
            lines += [f"    {name} = gg_all_{r.value[0]}_{r.dtype}({name});" for name, r in made.items()]
            names |= {r: name for name, r in made.items()}
        lines += once([*written.values()], names)
        uniform = {i: y for i, y in written.items() if "c" not in y.axes}
        if uniform:
            stores = " ".join(f"store(gg_y{i}[gg_row], {named(y, names)});" for i, y in uniform.items())
            lines.append(f"    if (gg_lane == 0) {{ {stores} }}")
        whole = {f"const {TYPES[y.dtype]} gg_v{i}": y for i, y in written.items() if i not in uniform}
        if whole:
            stores_ = [f"store(gg_y{i}[gg_base + gg_j], gg_v{i});" for i in written if i not in uniform]
            lines += loop(whole, names, stores_)
        return "\n".join([*lines, "}"]) + "\n"


def named(y: Expression, names: Mapping[Expression, str]) -> str:
    """A value that was computed once a row."""
    inner = y.args[0] if y.dtype in STORED else y
    return literal(inner.value, inner.dtype) if inner.op == "constant" else names[inner]


def once(roots: Sequence[Expression], names: dict[Expression, str]) -> list[str]:
    """Statements for what the roots need that does not vary along a row; ``names`` learns what it is called."""
    needed: dict[Expression, None] = {}
    for node in walk(*roots, known=names):
        if node in names or "c" not in node.axes:
            continue
        needed |= dict.fromkeys(a for a in node.args if "c" not in a.axes)
    needed |= dict.fromkeys(
        (r.args[0] if r.dtype in ("float16", "bfloat16") else r) for r in roots if "c" not in r.axes
    )
    made = {e: f"gg_u{len(names) + k}" for k, e in enumerate(needed) if e.op != "constant" and e not in names}
    if not made:
        return []
    lines = statements({f"const {TYPES[e.dtype]} {n}": e for e, n in made.items()}, names, prefix=f"gg_t{len(names)}_")
    names.update(made)
    return [f"    {line}" for line in lines]


def loop(results: Mapping[str, Expression], names: Mapping[Expression, str], then: Sequence[str]) -> list[str]:
    """A pass over the row: what varies along it is loaded, the results are computed, and ``then`` follows."""
    loads = []
    for e in walk(*results.values(), known={e for e in names if e.op != "variable"}):
        if e.op == "variable" and "c" in e.axes:
            place = "gg_base + gg_j" if "r" in e.axes else "gg_j"
            loads.append(f"const {TYPES[e.dtype]} gg_{e.value} = load({pointer(e.value)}[{place}]);")
    lines = [*loads, *statements(results, names), *then]
    return [
        "    for (long long gg_j = gg_lane; gg_j < gg_n; gg_j += gg_width) {",
        *(f"        {line}" for line in lines),
        "    }",
    ]


def reduction(how: str, dtype: str, short: bool) -> list[str]:
    """Functions that join two values, and the values of all threads of a row."""
    t, name = TYPES[dtype], f"{how}_{dtype}"
    lines = [
        f"__device__ __forceinline__ {t} gg_join_{name}({t} a, {t} b) {{ return {JOIN[how].format(t)}; }}",
        f"__device__ __forceinline__ {t} gg_warp_{name}({t} v) {{",
        f"    for (int far = 16; far; far /= 2) v = gg_join_{name}(v, __shfl_xor_sync(0xffffffffu, v, far));",
        "    return v;",
        "}",
    ]
    if short:
        return [*lines, f"__device__ __forceinline__ {t} gg_all_{name}({t} v) {{ return gg_warp_{name}(v); }}"]
    return [
        *lines,
        f"__device__ {t} gg_all_{name}({t} v) {{",
        f"    __shared__ {t} parts[{LONG_BLOCK // 32}];",
        f"    v = gg_warp_{name}(v);",
        "    __syncthreads();  // the parts of the reduction before have been read",
        "    if (threadIdx.x % 32 == 0) parts[threadIdx.x / 32] = v;",
        "    __syncthreads();",
        "    v = parts[0];",
        f"    for (int k = 1; k < {LONG_BLOCK // 32}; ++k) v = gg_join_{name}(v, parts[k]);",
        "    return v;",
        "}",
    ]


@overload
def rows(reference: Callable[..., Any], /) -> Rows: ...


@overload
def rows(**how: Any) -> Callable[[Callable[..., Any]], Rows]: ...


def rows(reference: Callable[..., Any] | None = None, /, **how: Any) -> Any:
    """Make a row kernel of the library: ``@rows``, or ``@rows(...)`` with what :class:`Rows` takes."""

    def make(reference: Callable[..., Any]) -> Rows:
        kernel = Rows(reference, **how)
        REGISTRY[kernel.name] = kernel
        return kernel

    return make if reference is None else make(reference)
