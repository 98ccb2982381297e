"""Every name and keyword that the library asks of CuPy is in the real CuPy that is installed.

Found by reading the sources: what is called on ``xp`` (or ``owner.xp``), on ``cupy`` and ``cupyx``, and what is asked
of arrays. The real CuPy is looked at in a process of its own, so that no stand-in can be taken for it.
"""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

import numpy
import pytest

import gpugrad
from gpugrad.expressions import OPERATIONS
from gpugrad.testing import cuda_simulator

PACKAGE = Path(gpugrad.__file__).parent
ROOTS = {"xp": "cupy", "cupy": "cupy", "cupyx": "cupyx"}
"""Names that stand for an array library in the sources."""

DYNAMIC = {
    "custom/formulas.py": tuple(name for name in OPERATIONS if hasattr(numpy, name)),
    "core/dispatch.py": (),  # what the forward of an operation asks for
    "tracing/program.py": (),  # what was recorded on the same library
    "jit/passes/fusion.py": tuple(name for name, row in OPERATIONS.items() if hasattr(numpy, name)),
    "expressions/evaluation.py": tuple(name for name, row in OPERATIONS.items() if hasattr(numpy, name)),
    "backend/cupy_functions.py": ("all", "any", "argmax", "argmin", "count_nonzero", "max", "min", "nanargmax",
                                  "nanargmin", "nanmax", "nanmin", "nanprod", "nanstd", "nansum", "nanvar", "prod",
                                  "ptp", "sum"),
}  # fmt: skip
"""What a file may ask for by ``getattr(xp, name)``, beside names that are given to ``_new("name", ...)``."""

FOR_THE_HOST = {"kernels/compiled.py", "kernels/compiled_rows.py", "kernels/compiled_windows.py",
                "kernels/compiled_convolution.py", "kernels/product_loops.py",
                "kernels/compiled_philox.py", "kernels/compiled_product.py", "kernels/loops.py",
                "kernels/row_loops.py", "kernels/reductions.py", "tracing/recorder.py",
                "jit/places.py", "jit/execution/executable.py", "jit/execution/host.py",
                "interop/torch.py"}  # fmt: skip
"""Files that see NumPy's arrays alone, or look which ones they have."""

OF_TRACERS = {"arithmetic", "expression", "read"}
"""What an ``xp`` of symbols has beside an array library's names."""

BESIDE = {"special": "special", "matrix_functions": "linalg"}
"""Functions that give a module beside the array library, and which one."""

NOT_ARRAYS = {"numpy", "math", "operator", "os", "sys", "self", "cls", "ready", "name", "namespace", "text", "file",
              "json", "pickle", "tasks", "results", "gg"}  # fmt: skip
"""Names that have attributes which arrays have as well, and are modules, queues, strings."""

OF_OTHERS = {
    "cupy.ndarray.partition": "of strings",
    "cupy.ndarray.device": "of a backend: backend.device(array)",
    "cupy.ndarray.dot": "of an array of the host",
    "cupy.ndarray.shape": "of a layout, or the function of a namespace",
}
"""Calls whose arguments are not looked at: what is called is no array's."""


# ------------------------------------------------------------------------------------------- what the library asks for


def library_chain(node):
    """``["cupy", "linalg", "norm"]`` for ``xp.linalg.norm``; None if the root is no array library."""
    names = []
    while isinstance(node, ast.Attribute):
        if node.attr == "xp":
            return ["cupy", *reversed(names)]
        names.append(node.attr)
        node = node.value
    if isinstance(node, ast.Name) and node.id in ROOTS:
        return [ROOTS[node.id], *reversed(names)]
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in BESIDE:
        return ["cupyx", "scipy", BESIDE[node.func.id], *reversed(names)]
    return None


def shape_of_call(call):
    """How many positional arguments (None: unknown, there is a star), and the keywords."""
    star = any(isinstance(a, ast.Starred) for a in call.args) or any(k.arg is None for k in call.keywords)
    return [None if star else len(call.args), sorted(k.arg for k in call.keywords if k.arg)]


def asked_for(text, place):
    """``(name, call or None, place)`` for each use of an array library, and of arrays as ``cupy.ndarray.…``."""
    tree = ast.parse(text)
    nodes = list(ast.walk(tree))
    calls = {id(node.func): node for node in nodes if isinstance(node, ast.Call)}
    inner = {id(node.value) for node in nodes if isinstance(node, ast.Attribute)}
    siblings = {  # modules of the package: from . import reduction
        alias.asname or alias.name
        for node in nodes
        if isinstance(node, ast.ImportFrom) and node.level and node.module in (None, "ops")
        for alias in node.names
    }
    for node in nodes:
        where = f"{place}:{getattr(node, 'lineno', 0)}"
        if isinstance(node, ast.Attribute) and not node.attr.startswith("__"):
            call = shape_of_call(calls[id(node)]) if id(node) in calls else None
            chain = library_chain(node)
            if chain is not None:
                if len(chain) > 1 and chain[1] not in OF_TRACERS and id(node) not in inner:
                    yield ".".join(chain), call, where
            elif isinstance(node.value, ast.Attribute) and node.value.attr in ("flags", "data"):
                if isinstance(node.value.value, ast.Name) and node.value.value.id == "self":
                    continue  # of a Tensor's array, or of a channel between processes
                yield f"cupy.ndarray.{node.value.attr}.{node.attr}", call, where
            elif node.attr == "put" and call and call[0] == 1:
                continue  # of a queue: an array's takes places and values
            elif node.attr == "fill" and call and (call[0] or 0) > 1:
                continue  # of a node of the graph: an array's takes one value
            elif not (isinstance(node.value, ast.Name) and node.value.id in NOT_ARRAYS | siblings):
                yield f"cupy.ndarray.{node.attr}", call, where
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            constants = [a.value if isinstance(a, ast.Constant) else None for a in node.args]
            if node.func.id == "_new" and constants[0]:
                count, keywords = shape_of_call(node)
                yield f"cupy.{constants[0]}", [count and count - 1, [k for k in keywords if k != "device"]], where
            elif node.func.id == "getattr" and library_chain(node.args[0]) is not None and constants[1] is None:
                by_new = ast.unparse(node.args[1]) == "function" and "def _new(function" in text
                for name in () if by_new else DYNAMIC.get(place, ("a name that is not written there",)):
                    yield f"cupy.{name}", None, where


def uses():
    """By name: the ways it is called, and where."""
    found = defaultdict(list)
    for file in sorted(PACKAGE.rglob("*.py")):
        place = file.relative_to(PACKAGE).as_posix()
        if not place.startswith("testing/") and place not in FOR_THE_HOST:
            for name, call, where in asked_for(file.read_text(), place):
                found[name].append((call, where))
    return found


# ------------------------------------------------------------------------------------------- what CuPy has

PROBE = '''
import importlib, inspect, json, re, sys
import types
import cupy, cupyx
import cupyx.scipy.special

for name in ("cublas", "cusolver"):  # the functions are looked at and not called: NVIDIA's libraries need not be there
    try:
        getattr(cupy.cuda, name)
    except ImportError:
        setattr(cupy.cuda, name, types.ModuleType(name))

def resolve(name):
    parts = name.split(".")
    if name.startswith("cupy.ndarray.flags."):
        from cupy._core.flags import Flags
        return getattr(Flags, parts[3])
    if name.startswith("cupy.ndarray.data."):  # where memory lies; or what is asked of a Tensor's array
        kinds = (cupy.cuda.MemoryPointer, cupy.ndarray)
        return getattr(kinds[0] if hasattr(kinds[0], parts[3]) else kinds[1], parts[3])
    value = {"cupy": cupy, "cupyx": cupyx}[parts[0]]
    for k, part in enumerate(parts[1:], 1):
        if not hasattr(value, part) and inspect.ismodule(value):
            importlib.import_module(".".join(parts[: k + 1]))
        value = getattr(value, part)
    return value

TYPED = re.compile(r"\\b(?:int|size_t|bint|intptr_t|str|float|tuple|list|dict|bool) (\\w+)")

def signature(value):
    try:
        return inspect.signature(value)
    except (TypeError, ValueError):  # written in Cython, which puts it into the docstring
        first = (value.__doc__ or "").strip().split("\\n")[0].split("->")[0].strip()
    if "(" not in first or not first.endswith(")"):
        return None
    space = {}
    try:
        exec("def f" + TYPED.sub(r"\\1", first[first.index("("):]) + ": pass", space)
    except SyntaxError:
        return None
    return inspect.signature(space["f"])

def refusal(value, call):
    """Why CuPy would not take such a call; None if it would, "?" if that cannot be said."""
    count, keywords = call
    if isinstance(value, cupy.ufunc):
        if count is not None and not value.nin <= count <= value.nin + value.nout:
            return f"takes {value.nin} arrays, got {count}"
        for keyword in keywords:  # its arguments are read before a device is asked for
            try:
                value(*[1] * value.nin, **{keyword: None})
            except TypeError as error:
                if "rong argument" in str(error) or "unexpected" in str(error) or keyword in str(error):
                    return str(error)
            except Exception:
                pass
        return None
    s = signature(value)
    if s is None:
        return "?"
    given = [None] * (count or 0)
    names = list(s.parameters)
    if names and names[0] == "self":
        given.insert(0, None)
    try:
        (s.bind_partial if count is None else s.bind)(*given, **dict.fromkeys(keywords))
    except TypeError as error:
        return str(error)
    return None

answers = {}
for name, calls in json.load(sys.stdin).items():
    try:
        value = resolve(name)
    except (AttributeError, ImportError) as error:
        answers[name] = [f"missing: {error}"] * len(calls)
        continue
    answers[name] = [None if call is None else refusal(value, call) for call in calls]
json.dump({"version": cupy.__version__, "answers": answers}, sys.stdout)
'''


def ask_cupy(found):
    """``(problems, unreadable names, version)`` of what is asked for, in the CuPy of a fresh process."""
    question = {name: [call for call, _ in rows] for name, rows in found.items()}
    done = subprocess.run(
        [sys.executable, "-c", PROBE], input=json.dumps(question), capture_output=True, text=True, timeout=120
    )  # fmt: skip
    if "No module named 'cupy'" in done.stderr or "No module named 'cupyx'" in done.stderr:
        pytest.skip("the real CuPy is not installed: pip install 'gpugrad[cuda13]' (no GPU is needed)")
    assert done.returncode == 0, done.stderr
    reply = json.loads(done.stdout)
    problems, unreadable = [], set()
    for name, rows in found.items():
        for (_, where), answer in zip(rows, reply["answers"][name], strict=True):
            if answer == "?":
                unreadable.add(name)
            elif answer is not None:
                problems.append(f"{where}: {name}: {answer}")
    return problems, unreadable, reply["version"]


def checked(found):
    """What can be asked of CuPy: of attributes, those that NumPy's arrays have too are taken for asked of arrays."""
    return {
        name: rows for name, rows in found.items()
        if not name.startswith("cupy.ndarray.") or hasattr(numpy.ndarray, name.split(".")[2])
    }  # fmt: skip


def of_source(text, place="planted.py"):
    found = defaultdict(list)
    for name, call, where in asked_for(text, place):
        found[name].append((call, where))
    return checked(found)


# ------------------------------------------------------------------------------------------- the checks


def test_everything_that_is_asked_for_is_there(capsys):
    found = checked(uses())
    problems, unreadable, version = ask_cupy(found)
    assert not problems, f"CuPy {version} does not have or take:\n" + "\n".join(problems)
    assert unreadable <= OF_OTHERS.keys(), "signatures that cannot be read"
    names = [name for name in found if not name.startswith("cupy.ndarray.")]
    with capsys.disabled():
        print(f"\nCuPy {version}: {len(names)} names, {len(found) - len(names)} of arrays, "
              f"{sum(map(len, found.values()))} uses")  # fmt: skip
    expected = {"cupy.exp", "cupy.zeros", "cupy.cuda.Device", "cupy.cuda.runtime.getDevice", "cupy.add.at"}
    assert expected <= found.keys(), "the reader of the sources sees what is there"
    assert {"cupy.ndarray.astype", "cupy.ndarray.flags.c_contiguous", "cupy.ndarray.data.ptr"} <= found.keys()


PLANTED = {
    "xp.no_such_function(a)": "cupy.no_such_function: missing",
    "xp.vecdot(a, a, axis=-1, bogus=1)": "cupy.vecdot: ",
    "xp.linalg.no_such_norm(a)": "missing",
    "owner.xp.no_such_function": "missing",
    "cupy.cuda.runtime.noSuchCall()": "missing",
    "xp.clip(a, min=0)": "cupy.clip: ",
    "xp.var(a, correction=1)": "'correction'",
    "xp.sum(a, axes=1)": "'axes'",
    "xp.exp(a, a, a)": "takes 1 arrays, got 3",
    "xp.add(a, a, bogus=a)": "cupy.add: ",
    "xp.reshape()": "cupy.reshape: ",
    "a.astype('f4', device=0)": "'device'",
    "a.reshape(4).data.ctypes": "cupy.ndarray.data.ctypes: missing",
    "a.resize(3)": "cupy.ndarray.resize: missing",
    "getattr(xp, name)(a)": "not written there",
}


def test_planted_uses_are_caught():
    problems, _, _ = ask_cupy(of_source("\n".join(PLANTED)))
    for line, (use, text) in enumerate(PLANTED.items(), 1):
        said = [problem for problem in problems if problem.startswith(f"planted.py:{line}: ")]
        assert len(said) == 1, (use, said)
        assert text in said[0]
    assert len(problems) == len(PLANTED)


def test_good_uses_pass():
    lines = [
        "xp.add(a, a, out=a)", "xp.sum(a, axis=0, keepdims=True)", "xp.add.at(a, a, a)", "xp.exp(*a, **b)",
        "a.astype('f4', copy=False)", "a.reshape(2, 3)", "a.data.ptr", "a.flags.c_contiguous", "xp.linalg.norm(a)",
        "numpy.no_such_function(a)", "cupy.cuda.runtime.getDevice()",
    ]  # fmt: skip
    assert ask_cupy(of_source("\n".join(lines)))[0] == []


def test_a_stand_in_is_not_taken_for_cupy():
    if cuda_simulator.is_installed():
        assert ask_cupy(of_source("xp.no_such_function(a)"))[0]
        return
    with cuda_simulator.installed():
        _, _, version = ask_cupy(of_source("xp.exp(a)"))
        import cupy

        assert version != cupy.__version__ or not hasattr(cupy.cuda, "MemoryPointer")
