"""What slides over an array, as CUDA kernels: im2col, col2im, pooling, convolution of each channel with one filter.

A thread makes one element of the result and gathers what goes into it, in the order of the taps, so nothing is added
atomically. Four kinds of loop (:data:`MODES`):

==================  ========================================================================  =====================
``copy``            a thread for each tap and position, ``outer = inner``                     im2col
``max``, ``sum``    a thread for each position, over what its window sees                     pooling
``win``, ``won``    the same: the first tap that has the largest element; the one at a tap
``scale``           the same, each times a weight of its tap, plus a bias                     depthwise convolution
``add``, ``share``  a thread for each element, over the positions that see it                 col2im; average, back
``back``            the same, where the position's tap is the one that sees it                maximum, back
``turn``            the same, each times the weight of the tap                                depthwise, by the input
``dot``             a block for each channel and tap, over images and positions               depthwise, by the filters
==================  ========================================================================  =====================

Short floats are computed with in float32. Bytes moved for n elements of the result and taps of k elements: those of the
result, and what is read at most k times, mostly from a cache. Functions give NotImplemented for what they do not know.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache
from math import prod
from operator import itemgetter
from typing import Any, NamedTuple

from ..backend import BACKENDS, Array, Backend, Namespace, as_dtype
from ..backend.dtypes import name_of
from .cuda_types import COMPUTE, PRELUDE, STORAGE
from .elementwise import MOST_NARROW, contiguous, reach
from .kernel import BLOCK, nothing, remember
from .rows import LONG_BLOCK, reduction
from .windows import Window

AXES = 3

SIDES = ("inner", "outer", "third")
MEMBERS = (
    *(f"{name}{axis}" for name in ("k", "o", "n", "s", "d", "b") for axis in range(AXES)), "channels", "images",
    *(f"{side}_{axis}" for side in SIDES for axis in ("channel", "tap", "image", "0", "1", "2")), "count",
)  # fmt: skip
"""Integers of a launch: sizes of the kernel, of both sides, stride, dilation and border for each axis; how many
channels and images; for each array how many elements lie between neighbours along each of its axes; the number
of threads."""

LAST = {"uint8": 255, "int32": 2**31 - 1}
"""What ``which`` holds where no element has been found."""

MODES = {
    "copy": "tap", "max": "position", "sum": "position", "win": "position", "won": "position", "scale": "position",
    "add": "element", "share": "element", "back": "element", "turn": "element", "dot": "filter",
}  # fmt: skip
"""What a thread makes in each mode."""

LOWEST = "(A)from_bits(0xff800000u)"

START = {
    "max": LOWEST, "win": "LAST", "scale": "BIAS", "add": "BEGIN", "turn": "BIAS",
}  # fmt: skip
"""What a thread begins with; 0 in other modes."""

EACH = {
    "copy": "r = load(inner[at_inner]);",
    "max": "r = gg_maximum(r, (A)load(inner[at_inner]));",
    "sum": "r += load(inner[at_inner]);",
    "win": "if (tap < r && !(load(inner[at_inner]) < top)) r = tap;",
    "won": "if ((I)third[at_third] == tap) r = load(inner[at_inner]);",
    "scale": "r += load(third[at_third]) * load(inner[at_inner]);",
    "add": "r += load(outer[at_outer]);",
    "share": "r += load(outer[at_outer]) * (A)factor;",
    "back": "if ((I)third[at_third] == tap) r += load(outer[at_outer]);",
    "turn": "r += load(third[at_third]) * load(outer[at_outer]);",
    "dot": "r += load(inner[at_inner]) * load(outer[at_outer]);",
}
"""What it does with one tap."""

ALONG = {
    "position": """
        const I i{0} = p{0} * w.s{0} + k{0} * w.d{0} - w.b{0};
        if (i{0} < 0 || i{0} >= w.n{0}) continue;
""",
    "element": """
        const I t{0} = i{0} + w.b{0} - k{0} * w.d{0};
        if (t{0} < 0) break;
        const I p{0} = w.s{0} == 1 ? t{0} : t{0} / w.s{0};
        if (p{0} >= w.o{0} || p{0} * w.s{0} != t{0}) continue;
""",
}
"""What position and tap make of each other along an axis."""

Sides = dict[str, tuple[int, ...]]
"""For each array, the elements from a channel, a tap, an image, and a place along each axis to the next."""


def source(
    mode: str, dtype: str, numbers: str = "uint8", wide: bool = False, bias: bool = False, fresh: bool = True
) -> str:
    """The CUDA source of a mode.

    Args:
        mode: see above.
        dtype: of the arrays.
        numbers: of ``which``.
        wide: for 64-bit indices.
        bias: whether a number for each channel is where the result begins.
        fresh: whether what was in the result does not count.
    """
    return _source(mode, dtype, numbers if mode in ("win", "won", "back") else "uint8", wide, bias, fresh)


@cache
def _source(mode: str, dtype: str, numbers: str, wide: bool, bias: bool, fresh: bool) -> str:
    kind, stored = MODES[mode], STORAGE[dtype]
    which = "unsigned char" if numbers == "uint8" else "int"
    types = {"inner": stored, "outer": stored, "third": which if mode in ("win", "won", "back") else stored}
    result = {"tap": "outer", "position": "outer", "element": "inner", "filter": "third"}[kind]
    result = "third" if mode == "win" else result
    own = f"gg_Window{'w' if wide else ''}"
    parameters = [
        *(f"{'' if side == result else 'const '}{types[side]}* __restrict__ {side}" for side in _used(mode)),
        *([f"const {stored}* __restrict__ bias"] if bias else []),
        *(["double factor"] if mode in ("sum", "share") else []), f"const {own} w",
    ]  # fmt: skip
    begin = {
        "LAST": str(LAST[numbers]), "BIAS": "load(bias[c])" if bias else "0",
        "BEGIN": "load(bias[c])" if bias else "0" if fresh else "load(inner[at_inner])",
    }  # fmt: skip
    start = START.get(mode, "0")
    lines = [
        PRELUDE,
        f"typedef {COMPUTE[dtype]} A;",
        f"typedef {'long long' if wide else 'int'} I;",
        f"struct {own} {{ I {', '.join(MEMBERS)}; }};",
        *(reduction("sum", "float64" if dtype == "float64" else "float32", short=False) if kind == "filter" else []),
        f'extern "C" __global__ void window_{mode}({", ".join(parameters)}) {{',
        "    const long long thread = (long long)blockIdx.x * blockDim.x + threadIdx.x;",
        "    const I unit = (I)blockIdx.x;" if kind == "filter" else
        "    if (thread >= w.count) return;\n    const I unit = (I)thread;",
        *_places(kind),
        *([f"    const A top = load(outer[{_at('outer', 'cpn')}]);"] if mode == "win" else []),
        f"    {'I' if mode == 'win' else 'A'} r = {begin.get(start, start)};",
        *_taps(mode, kind),
    ]  # fmt: skip
    at = {"tap": "unit", "element": "at_inner", "position": _at("third" if mode == "win" else "outer", "cpn")}.get(kind)
    value = "r * (A)factor" if mode == "sum" else "r"
    if kind == "filter":
        short = "float64" if dtype == "float64" else "float32"
        lines.append(f"    r = gg_all_sum_{short}(r);")
        lines.append(f"    if (threadIdx.x == 0) store(third[{_at('third', 'ct')}], r);")
    else:
        lines.append(f"    store({result}[{at}], {value});")
    return "\n".join([*lines, "}"]) + "\n"


def _used(mode: str) -> tuple[str, ...]:
    """The arrays that a mode reads or writes, in their order."""
    without = {"copy": "third", "max": "third", "sum": "third", "add": "third", "share": "third"}
    return tuple(side for side in SIDES if side != without.get(mode))


def _at(side: str, axes: str) -> str:
    """The place in an array: of the channel, the tap, the image, the position and the element that ``axes`` name."""
    names = {"c": ["c * w.{0}_channel"], "t": ["tap * w.{0}_tap"], "n": ["n * w.{0}_image"],
             **{x: [f"{x}{a} * w.{{0}}_{a}" for a in range(AXES)] for x in "pi"}}  # fmt: skip
    return " + ".join(term.format(side) for axis in axes for term in names[axis])


def _places(kind: str) -> list[str]:
    """What a thread's number means."""
    lines = ["I rest = unit;"]

    def split(*parts: tuple[str, str]) -> None:
        for name, size in parts:
            lines.append(f"const I {name} = rest % w.{size}; rest /= w.{size};")

    axes = range(AXES - 1, -1, -1)
    if kind in ("tap", "position"):
        split(*((f"p{a}", f"o{a}") for a in axes))
    if kind == "tap":
        split(("n", "images"))
    if kind in ("tap", "filter"):
        split(*((f"k{a}", f"k{a}") for a in axes))
        lines.append("const I c = rest, tap = (k0 * w.k1 + k1) * w.k2 + k2;")
    if kind == "element":
        split(*((f"i{a}", f"n{a}") for a in axes))
    if kind in ("position", "element"):
        split(("c", "channels"))
        lines.append("const I n = rest;")
    if kind == "element":
        lines.append(f"const I at_inner = {_at('inner', 'cin')};")
    return [f"    {line}" for line in lines]


def _taps(mode: str, kind: str) -> list[str]:
    """The loop over what goes into a result."""
    if kind in ("tap", "filter"):
        head = ["do {"]
        if kind == "filter":
            head = [
                "const I positions = w.o0 * w.o1 * w.o2;",
                "for (I each = threadIdx.x; each < w.images * positions; each += blockDim.x) {",
                "    const I n = each / positions; I place = each % positions;",
                *(f"    const I p{a} = place % w.o{a}; place /= w.o{a};" for a in range(AXES - 1, -1, -1)),
            ]
        lines = [*head, *(line for a in range(AXES) for line in _along("position", a))]
    else:
        lines = []
        for a in range(AXES):
            lines += [f"for (I k{a} = 0; k{a} < w.k{a}; ++k{a}) {{", *_along(kind, a)]
        lines.append("    const I tap = (k0 * w.k1 + k1) * w.k2 + k2;")
    if kind != "element":
        lines.append(f"    const I at_inner = {_at('inner', 'cin')};")
    if kind in ("element", "filter"):
        lines.append(f"    const I at_outer = {_at('outer', 'ctpn' if kind == 'element' else 'cpn')};")
    if "third" in EACH[mode]:
        lines.append(f"    const I at_third = {_at('third', 'ct' if mode in ('scale', 'turn') else 'cpn')};")
    lines.append(f"    {EACH[mode]}")
    close = ["} while (false);"] if kind == "tap" else ["}"] * (1 if kind == "filter" else AXES)
    return [f"    {line}" for line in [*lines, *close]]


def _along(kind: str, axis: int) -> list[str]:
    return ALONG[kind].format(axis).strip("\n").split("\n")


def sources() -> Iterator[tuple[str, str, str]]:
    """``(name, variant, source)`` for each that can be asked for with 32-bit indices, and some with 64-bit ones."""
    for mode in MODES:
        for dtype in COMPUTE:
            yield f"window_{mode}", dtype, source(mode, dtype)
            if mode in ("win", "won", "back"):
                yield f"window_{mode}", f"{dtype} int32", source(mode, dtype, "int32")
            if mode in ("scale", "add", "turn"):
                yield f"window_{mode}", f"{dtype} bias", source(mode, dtype, bias=True)
            if mode == "add":
                yield f"window_{mode}", f"{dtype} more", source(mode, dtype, fresh=False)
        yield f"window_{mode}", "float32 64-bit", source(mode, "float32", wide=True)


# ---------------------------------------------------------------- launches


def owner_of(*arrays: Array | None) -> Backend | None:
    """The backend that compiles CUDA for these arrays; None where none does, or where dtypes are others."""
    first = arrays[0]
    owner = BACKENDS.get(type(first))
    if owner is None or not owner.compiles or first is None or name_of(first.dtype) not in COMPUTE:
        return None
    alike = all(a is None or (type(a) is type(first) and a.dtype == first.dtype) for a in arrays)
    return owner if alike else None


class Launch(NamedTuple):
    """What a launch on arrays of certain dtypes, shapes and strides needs.

    Attributes:
        start: see :meth:`Backend.launcher`; None for what is left to the reference.
        threads: in whole blocks.
        block: threads in a block.
        order: takes the arrays that the kernel needs out of those that are read and the result.
        shape, dtype: of the result.
        fits: whether the kernel can read all arrays as they lie.
        numbers: the last argument: sizes and steps.
    """

    start: Callable[..., None] | None
    threads: int
    block: int
    order: Callable[[tuple[Array, ...]], tuple[Array, ...]]
    shape: tuple[int, ...]
    dtype: Any
    fits: bool
    numbers: Any


LEFT = Launch(None, 0, 0, tuple, (), None, True, None)
"""What is left to the reference."""

_plans: dict[Any, Launch] = {}


def _launched(
    xp: Namespace, mode: str, window: Window, axes: str, sides: tuple[str, ...], arrays: tuple[Array, ...],
    factor: float | None = None, bias: Array | None = None, into: Array | None = None, fresh: bool = True,
) -> Any:  # fmt: skip
    """Launch a kernel, and give its result.

    Args:
        xp: of the arrays.
        mode: see above.
        window: of at most three axes.
        axes: what the first axes of arrays are: c for channels, n for images.
        sides: which arrays are read, and last the result.
        arrays: those that are read.
        factor: of sums.
        bias: a number for each channel.
        into: the result, or None for a new one.
        fresh: whether what was in the result does not count.
    """
    kind = type(arrays[0])
    owner = BACKENDS.get(kind)
    if owner is None or not owner.compiles:
        return NotImplemented
    key = [owner, mode, window, fresh]
    for a in arrays if into is None and bias is None else (*arrays, into, bias):
        if a is None:
            key.append(None)
        elif type(a) is not kind:
            return NotImplemented
        else:
            key += a.dtype, a.shape, a.strides
    if owner.several_devices:
        key.append(owner.current_index)
    known = tuple(key)
    plan = _plans.get(known)
    if plan is None:
        plan = remember(_plans, known, _plan(owner, mode, window, axes, sides, arrays, bias, into, fresh))
    start, threads, block, order, shape, dtype, fits, numbers = plan
    if start is None:
        return NotImplemented
    if not fits:
        arrays = tuple([
            a if _fits(mode, side, a) else xp.ascontiguousarray(a) for side, a in zip(sides, arrays, strict=False)
        ])  # fmt: skip
        bias = None if bias is None else xp.ascontiguousarray(bias)
    made = kind(shape, dtype) if into is None else into
    more = () if factor is None else (float(factor),)
    start(threads, (*order((*arrays, made)), *(() if bias is None else (bias,)), *more, numbers), 0, block)
    return made


def _plan(
    owner: Backend, mode: str, window: Window, axes: str, sides: tuple[str, ...], arrays: tuple[Array, ...],
    bias: Array | None, into: Array | None, fresh: bool,
) -> Launch:  # fmt: skip
    which = arrays[-1] if mode in ("won", "back") else None
    numbers = "uint8" if window.size < LAST["uint8"] + 1 else "int32"
    numbers = numbers if which is None else name_of(which.dtype)
    alike = (*[a for a in arrays if a is not which], into, bias)
    if owner_of(*alike) is None or numbers not in LAST:
        return LEFT
    fitting = [_fits(mode, side, a) for side, a in zip(sides, arrays, strict=False)]
    fits = all(fitting) and (bias is None or bias.flags.c_contiguous)
    if into is not None and not (fits and _whole(into)):
        return LEFT  # what is written into may not be copied
    unit, first = MODES[mode], arrays[0]
    if into is None:
        sizes = {"position": window.outer, "element": window.inner, "filter": window.kernel}[unit]
        shape = (*(first.shape[1:2] if unit == "filter" else first.shape[: len(axes)]), *sizes)
        dtype, row = as_dtype(numbers) if mode == "win" else first.dtype, contiguous(shape)
    else:
        shape, dtype, row = into.shape, into.dtype, _in_elements(into)
    rows = [*(_in_elements(a) if ok else contiguous(a.shape) for a, ok in zip(arrays, fitting, strict=True)), row]
    lead = into if mode == "add" and into is not None else first
    named = dict(zip(axes, lead.shape, strict=False))
    channels, images, count = named["c"], named.get("n", 1), prod(shape)
    steps = {side: _steps(row, axes, len(window.inner)) for side, row in zip(sides, rows, strict=True)}
    tap = images * window.positions
    if mode in ("scale", "turn", "dot"):
        steps["third"] = (window.size, 1, 0, 0, 0, 0)
    elif mode == "copy":
        steps["outer"] = (0,) * 6
    elif mode == "add":
        steps["outer"] = (window.size * tap, tap, window.positions,
                          *_three(tuple(prod(window.outer[a + 1 :]) for a in range(len(window.outer))), 0))  # fmt: skip
    integers = (
        *(n for row in (window.kernel, window.outer, window.inner, window.stride, window.dilation)
          for n in _three(row, 1)), *_three(window.before, 0), channels, images,
        *(n for side in SIDES for n in steps.get(side, (0,) * 6)), count,
    )  # fmt: skip
    spans = [reach((channels, window.size, images, *_three(window.inner if side == "inner" else window.outer, 1)),
                   steps[side]) for side in sides]  # fmt: skip
    limits = [i + 2 * k * d for i, k, d in zip(window.inner, window.kernel, window.dilation, strict=True)]
    wide = max(count, *spans, *limits, images * window.positions) > MOST_NARROW
    text = source(mode, name_of(first.dtype), numbers, wide, bias is not None, fresh)
    block, threads = (LONG_BLOCK, count * LONG_BLOCK) if unit == "filter" else (BLOCK, count)
    return Launch(
        owner.launcher(text, f"window_{mode}") if count else nothing,
        -(-threads // block) * block,
        block,
        itemgetter(*[sides.index(side) for side in _used(mode)]),
        shape,
        dtype,
        fits,
        owner.struct(integers, wide),
    )


def _three(sizes: tuple[int, ...], missing: int) -> tuple[int, ...]:
    return (missing,) * (AXES - len(sizes)) + tuple(sizes)


def _whole(a: Array) -> bool:
    """Whether strides are multiples of the size of an element."""
    return not any(s % a.dtype.itemsize for s in a.strides)


def _fits(mode: str, side: str, a: Array) -> bool:
    """Whether the kernel can read an array as it lies: columns and filters have to be contiguous."""
    strict = side == {"scale": "third", "turn": "third", "add": "outer"}.get(mode)
    return bool(a.flags.c_contiguous) if strict else _whole(a)


def _in_elements(a: Array) -> tuple[int, ...]:
    return tuple([s // a.dtype.itemsize for s in a.strides])


def _steps(steps: tuple[int, ...], axes: str, ndim: int) -> tuple[int, ...]:
    """The elements between neighbours: along the axes that ``axes`` names, c, t or n, and along the last ``ndim``."""
    named = dict(zip(axes, steps, strict=False))
    last = steps[len(steps) - ndim :] if ndim else []
    return (*(named.get(axis, 0) for axis in "ctn"), *_three(tuple(last), 0))


def gathered(xp: Namespace, x: Array, window: Window, buffers: dict[int, Array]) -> Any:
    """See :func:`~gpugrad.kernels.columns.gathered`."""
    if window.plain or owner_of(x) is None:
        return NotImplemented
    if -1 not in buffers:
        buffers[-1] = type(x)((x.shape[0], *window.kernel, x.shape[1], *window.outer), x.dtype)
    x = x if _whole(x) else xp.ascontiguousarray(x)
    return _launched(xp, "copy", window, "cn", ("inner", "outer"), (x,), into=buffers[-1])


def added(
    xp: Namespace, columns: Array, x: Array, window: Window, bias: Array | None = None, fresh: bool = False
) -> bool:
    """See :func:`~gpugrad.kernels.columns.added`; False if it is not done.

    Args:
        xp: of the arrays.
        columns: contiguous.
        x: shape ``(C, N, *inner)``.
        window: what slides over it.
        bias: what is added to each channel.
        fresh: whether what is in ``x`` does not count.
    """
    sides = ("outer", "inner")
    made = _launched(xp, "add", window, "cn", sides, (columns,), bias=bias, into=x, fresh=fresh)
    return made is not NotImplemented


# ---------------------------------------------------------------- pooling, of arrays of shape (M, *inner)


def pooled(xp: Namespace, mode: str, x: Array, window: Window, factor: float = 1.0) -> Any:
    """The largest element (``max``) or the sum (``sum``) under each window, times a factor."""
    return _launched(xp, mode, window, "c", ("inner", "outer"), (x,), factor if mode == "sum" else None)


def winners(xp: Namespace, x: Array, y: Array, window: Window) -> Any:
    """See :func:`~gpugrad.kernels.pooling.winners`."""
    return _launched(xp, "win", window, "c", ("inner", "outer", "third"), (x, y))


def won(xp: Namespace, x: Array, which: Array, window: Window) -> Any:
    """See :func:`~gpugrad.kernels.pooling.won`."""
    return _launched(xp, "won", window, "c", ("inner", "third", "outer"), (x, which))


def returned(xp: Namespace, g: Array, which: Array, window: Window) -> Any:
    """See :func:`~gpugrad.kernels.pooling.returned`."""
    return _launched(xp, "back", window, "c", ("outer", "third", "inner"), (g, which))


def spread_out(xp: Namespace, g: Array, window: Window, factor: float = 1.0) -> Any:
    """Each element of ``g`` times a factor, added to all that its window sees: ``(M, *outer)`` to ``(M, *inner)``."""
    return _launched(xp, "share", window, "c", ("outer", "inner"), (g,), factor)


# ---------------------------------------------------------------- convolution of each channel with one filter


def depthwise(xp: Namespace, x: Array, w: Array, bias: Array | None, window: Window) -> Any:
    """``y[n, c] = bias[c] + sum_k w[c, k] x[n, c, ...]``: shapes ``(N, C, *inner)``, ``(C, *kernel)`` and ``(C,)``."""
    return _launched(xp, "scale", window, "nc", ("inner", "third", "outer"), (x, w), bias=bias)


def depthwise_back(xp: Namespace, g: Array, w: Array, bias: Array | None, window: Window) -> Any:
    """The transpose of :func:`depthwise` by x: ``(N, C, *outer)`` to ``(N, C, *inner)``, a bias added."""
    return _launched(xp, "turn", window, "nc", ("outer", "third", "inner"), (g, w), bias=bias)


def depthwise_filters(xp: Namespace, x: Array, g: Array, window: Window) -> Any:
    """The transpose of :func:`depthwise` by w: shape ``(C, *kernel)``."""
    return _launched(xp, "dot", window, "nc", ("inner", "outer", "third"), (x, g))
