"""What there is of NumPy, SciPy and the array standard, and what it can do: writes docs/coverage.md.

Each public function is looked up in the table of operations that the tests use (``tests/cases/``), and its first row
is run: forward, backward, backward through the backward, and under ``vmap``. A function without a row is tried on a
vector. Nothing in the document is written by hand but the reasons for what is missing.

    python tools/coverage.py            # writes docs/coverage.md
    python tools/coverage.py --check    # exit status 1 if it is not current
"""

from __future__ import annotations

import argparse
import inspect
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy

ROOT = Path(__file__).parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

import cases  # noqa: E402  the tests' table
from cases import outputs, tensors  # noqa: E402
from cases.row import Row  # noqa: E402

import gpugrad as gg  # noqa: E402
from gpugrad.core import Tensor  # noqa: E402
from gpugrad.testing.cuda_simulator import table as cupy_names  # noqa: E402
from gpugrad.transforms.batching import declared  # noqa: E402

PAGE = ROOT / "docs" / "coverage.md"
NAMESPACES: dict[str, tuple[ModuleType, ModuleType | None]] = {
    "gpugrad": (gg, numpy),
    "gpugrad.linalg": (gg.linalg, numpy.linalg),
    "gpugrad.fft": (gg.fft, numpy.fft),
    "gpugrad.special": (gg.special, None),
}
NOT_OF_ARRAYS = (
    "gpugrad.core", "gpugrad.transforms", "gpugrad.custom", "gpugrad.backend", "gpugrad.ops.inspection",
    "gpugrad.drawing",
)  # fmt: skip
"""Where functions live that transform or draw functions, switch something, or ask about dtypes and shapes only."""

MISSING = {
    "writes in place; tensors are values: `x[i] = v`, `set_at`": "copyto fill_diagonal place put putmask",
    "integer arithmetic on bits and divisors": "bitwise_count gcd lcm packbits unpackbits",
    "indices, which are constants: NumPy's own can be used as an index": (
        "diag_indices diag_indices_from indices ix_ mask_indices ravel_multi_index tril_indices "
        "tril_indices_from triu_indices triu_indices_from"
    ),
    "under another name: `tensor`, `asarray(copy=True)`, `special.i0`, `eye`, `vstack`": (
        "array copy i0 identity row_stack"
    ),
    "window functions, which are constants": "bartlett blackman hamming hanning kaiser",
    "calls a Python function for each element or row; there is `vmap`": (
        "apply_along_axis fromfunction fromiter frompyfunc"
    ),
    "questions about, and conversions between, NumPy's own types and layouts": (
        "asanyarray asarray_chkfinite ascontiguousarray asfortranarray asmatrix bmat common_type iscomplexobj "
        "isfortran isrealobj issubdtype iterable may_share_memory min_scalar_type mintypecode ndim promote_types "
        "real_if_close require shape shares_memory size typename"
    ),
    "text": (
        "array2string array_repr array_str base_repr binary_repr format_float_positional format_float_scientific "
        "get_printoptions info printoptions set_printoptions"
    ),
    "files and buffers": (
        "frombuffer fromfile fromregex fromstring genfromtxt load loadtxt save savetxt savez savez_compressed"
    ),
    "dates": "busday_count busday_offset datetime_as_string datetime_data is_busday isnat",
    "NumPy's own settings and machinery": (
        "einsum_path get_include getbufsize geterr geterrcall nested_iters setbufsize seterr seterrcall show_config "
        "show_runtime test"
    ),
}
"""Why functions of NumPy are not here; all others that are missing could be added."""


def functions(module: ModuleType) -> Iterator[str]:
    """The names of a module's public functions."""
    for name in sorted(getattr(module, "__all__", dir(module))):
        value = getattr(module, name)
        if not name.startswith("_") and callable(value) and not inspect.isclass(value):
            yield name


def named_in(call: Any) -> Iterator[Any]:
    """A row's function, and functions that it holds: in its closure, and as defaults of its parameters."""
    yield call
    for cell in getattr(call, "__closure__", None) or ():
        yield cell.cell_contents
    yield from getattr(call, "__defaults__", None) or ()


class Noted:
    """Namespaces whose functions note that they were looked up, while the rows are run."""

    def __init__(self, found: set[str]) -> None:
        self.found = found
        self.before = [(m, prefix, name, getattr(m, name)) for m, prefix, name in every_function()]

    def __enter__(self) -> None:
        for module, prefix, name, function in self.before:
            setattr(module, name, self.noting(prefix + name, function))

    def __exit__(self, *_: object) -> None:
        for module, _prefix, name, function in self.before:
            setattr(module, name, function)

    def noting(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            self.found.add(name)
            return function(*args, **kwargs)

        return call


def every_function() -> Iterator[tuple[ModuleType, str, str]]:
    for space, (module, _) in NAMESPACES.items():
        for name in functions(module):
            yield module, f"{space}.", name


def rows_of_functions() -> dict[str, list[Any]]:
    """The rows of each public function: those that call it, and first of all those that are it."""
    names: dict[int, list[str]] = {}  # a function may have several
    for module, prefix, name in every_function():
        names.setdefault(id(getattr(module, name)), []).append(prefix + name)
    others = {name: known for known in names.values() for name in known}
    rows: dict[str, list[Any]] = {}
    for row in cases.ROWS:
        found = [name for value in named_in(row.call) for name in names.get(id(value), ())]
        if not found:
            called: set[str] = set()
            with Noted(called):
                tried(lambda row=row: row.call(*inputs_of(row), **row.variants[0]))
            found = [name for some in sorted(called) for name in others[some]]
        for name in dict.fromkeys(found):
            rows.setdefault(name, []).append(row)
    return rows


def probe(function: Any) -> list[Any]:
    """For a function without a row: one that tries it on one vector, or two, or on numbers."""
    for shapes, numbers in ((((3,),), ()), (((3,), (3,)), ()), ((), (4,)), ((), (1.0, 2.0))):
        row = Row("", lambda *xs, given=numbers: function(*xs, *given), shapes=[shapes])
        ys = tried(lambda row=row: outputs(row.call(*inputs_of(row))))
        if ys is not None:
            return [replace(row, constant=not any(isinstance(y, Tensor) and y.requires_grad for y in ys))]
    return []


def inputs_of(row: Any) -> list[Tensor]:
    return tensors(row.inputs(numpy.random.default_rng(0), row.shapes[0]))


def tried(run: Callable[[], Any]) -> Any:
    """What it gives, None where it fails."""
    try:
        return run()
    except Exception:  # noqa: BLE001  whatever fails is not there
        return None


def first_derivative(row: Any) -> bool:
    xs = inputs_of(row)
    total(outputs(row.call(*xs, **row.variants[0]))).backward()
    return any(x.grad is not None for x in xs)


def second_derivative(row: Any) -> bool:
    xs = inputs_of(row)
    total(outputs(row.call(*xs, **row.variants[0]))).backward(create_graph=True)
    g = total([x.grad * x.grad for x in xs if x.grad is not None])
    if g.requires_grad:  # else it is constant: a second derivative of 0
        g.backward()
    return True


def total(parts: Iterable[Tensor]) -> Tensor:
    """A real number that depends on each part, and on its square."""
    found = gg.zeros((), dtype=gg.float64)
    for part in parts:
        if gg.backend.is_floating(part.dtype):
            real = gg.abs(part) if part.dtype.kind == "c" else part
            found = found + gg.sum(real * real) + gg.sum(real)
    return found


def mapped(row: Any) -> str:
    """How ``vmap`` runs it: by rules, or sample by sample where one of its operations has none."""
    alone: list[str] = []
    rule_of = declared.rule_of

    def watched(op: Any) -> Any:
        if op.batch is None:
            alone.append(op.name)
        return rule_of(op)

    samples = [row.inputs(numpy.random.default_rng(seed), row.shapes[0]) for seed in (0, 1)]
    stacked = [gg.tensor(numpy.stack(parts)) for parts in zip(*samples, strict=True)]
    declared.rule_of = watched
    try:
        gg.vmap(lambda *xs: outputs(row.call(*xs, **row.variants[0])))(*stacked)
    finally:
        declared.rule_of = rule_of
    return "each" if alone else "yes"


def line(rows: list[Any], function: Any) -> list[str]:
    """What a function can do: first and second derivative, complex derivatives, vmap."""
    rows = rows or probe(function)
    if not rows:
        return ["", "", "", ""]
    smooth = [row for row in rows if not row.constant]
    one = (smooth or rows)[0]
    batched = (tried(lambda: mapped(one)) or "no") if one.shapes[0] else ""
    if not smooth:
        return ["constant", "", "", batched]
    first = "0" if one.flat else "yes" if tried(lambda: first_derivative(one)) else "no"
    second = "0" if one.flat else "yes" if tried(lambda: second_derivative(one)) else "no"
    return [first, second, "yes" if any(row.complex for row in smooth) else "", batched]


def cupy_has(text: str) -> set[str]:
    """The names in a table of signatures."""
    return {entry.partition("(")[0] for entry in text.split("\n") if "(" in entry} or set(text.split())


CUPY = {
    "gpugrad": cupy_has(cupy_names.FUNCTIONS) | set(cupy_names.UFUNCS.split()),
    "gpugrad.linalg": cupy_has(cupy_names.LINALG),
    "gpugrad.fft": cupy_has(cupy_names.FFT),
    "gpugrad.special": cupy_has(cupy_names.SPECIAL) | set(cupy_names.SPECIAL_UFUNCS.split()),
}

HEAD = """# Coverage

What there is of NumPy's functions, and what each can do. Written by `python tools/coverage.py` from the declarations
and the table of operations in `tests/cases/`, with NumPy {version}; a test fails when it is not current.

- **NumPy**: whether NumPy (in `gpugrad.special`: SciPy) has a function of this name. All run on the CPU.
- **CuPy**: `yes` where CuPy has it under this name too, else `composed`: of functions that CuPy has. All run on a GPU;
  the tests run each on a simulated CuPy that has the real one's names.
- **1st, 2nd**: derivatives. `0` where the function is flat between its jumps; `constant` where the result is one:
  integers, booleans, indices, or what is new.
- **complex**: derivatives of complex numbers, tested against differences and PyTorch.
- **vmap**: `yes` where it runs on all samples at once, `each` where sample by sample, `no` where the size of the result
  depends on values.

An empty cell: there is nothing to say."""


def page() -> str:
    """The whole document."""
    rows, parts = rows_of_functions(), [HEAD.format(version=release())]
    for space, (module, numpys) in NAMESPACES.items():
        listed = [n for n in functions(module) if not getattr(module, n).__module__.startswith(NOT_OF_ARRAYS)]
        parts.append(f"\n## `{space}`: {len(listed)} functions\n")
        parts.append("| function | NumPy | CuPy | 1st | 2nd | complex | vmap |\n|---|---|---|---|---|---|---|")
        for name in listed:
            there = "yes" if numpys is None or hasattr(numpys, name) else ""
            gpu = "yes" if name in CUPY[space] else "composed"
            cells = line(rows.get(f"{space}.{name}", []), getattr(module, name))
            parts.append("| " + " | ".join([f"`{name}`", there, gpu, *cells]) + " |")
    parts.append("\n## Not here\n\nFunctions of `numpy`, `numpy.linalg` and `numpy.fft` that are missing, and why.\n")
    parts.extend(missing())
    return "\n".join(parts) + "\n"


def missing() -> Iterator[str]:
    """The functions that only NumPy has, by reason."""
    absent = {
        (f"{numpys.__name__}." if numpys is not numpy else "") + name
        for module, numpys in NAMESPACES.values() if numpys is not None
        for name in dir(numpys)
        if not name.startswith("_") and callable(getattr(numpys, name)) and not inspect.isclass(getattr(numpys, name))
        and not hasattr(module, name)
    }  # fmt: skip
    reasons = {name: reason for reason, names in MISSING.items() for name in names.split()}
    for reason in (*MISSING, "could be added"):
        names = sorted(n for n in absent if reasons.get(n.rpartition(".")[2], "could be added") == reason)
        if names:
            yield f"- {reason}: {', '.join(f'`{n}`' for n in names)}"


def release() -> str:
    """NumPy's version without the last part: what it has differs between these."""
    return ".".join(numpy.__version__.split(".")[:2])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="do not write, say whether it is current")
    check = parser.parse_args().check
    gg.set_default_device("cpu")
    with numpy.errstate(all="ignore"):
        made = page()
    if check:
        current = PAGE.read_text() == made
        print("docs/coverage.md is current" if current else "docs/coverage.md is old: run python tools/coverage.py")
        return 0 if current else 1
    PAGE.write_text(made)
    return 0


if __name__ == "__main__":
    sys.exit(main())
