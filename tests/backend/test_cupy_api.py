"""Every name and keyword that the library asks of CuPy is in the real CuPy that is installed.

Found by reading the sources: what is called on ``xp`` (or ``owner.xp``), on ``cupy`` and ``cupyx``, and what is asked of
arrays. The real CuPy is looked at in a process of its own, so that no stand-in can be taken for it.
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
from gpugrad.custom.expressions import FUNCTIONS

PACKAGE = Path(gpugrad.__file__).parent
ROOTS = {"xp": "cupy", "plain": "cupy", "cupy": "cupy", "cupyx": "cupyx"}
"""Names that stand for an array library in the sources; ``plain`` is the one behind a Tensor."""

DYNAMIC = {"custom/expressions.py": [*FUNCTIONS]}
"""What a file may ask for by ``getattr(xp, name)``."""

MODULES = {"numpy", "math", "operator", "scipy", "ast", "os", "sys", "random", "data", "nn", "optim", "self", "cls"}
"""Names that are no arrays, although ``numpy.sum`` and the like are asked of them."""


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
    return None


def shape_of_call(call):
    """How many positional arguments (None: unknown, there is a star), and the keywords."""
    star = any(isinstance(a, ast.Starred) for a in call.args) or any(k.arg is None for k in call.keywords)
    return [None if star else len(call.args), sorted(k.arg for k in call.keywords if k.arg)]


def asked_for(text, place):
    """``(name, call or None, place)`` for each use of an array library in a source, and of arrays as ``ndarray.…``."""
    tree = ast.parse(text)
    calls = {id(node.func): node for node in ast.walk(tree) if isinstance(node, ast.Call)}
    inner = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute):
            where = f"{place}:{node.lineno}"
            call = shape_of_call(calls[id(node)]) if id(node) in calls else None
            chain = library_chain(node)
            if chain is not None:
                if len(chain) > 1 and id(node) not in inner:
                    yield ".".join(chain), call, where
            elif isinstance(node.value, ast.Attribute) and node.value.attr in ("flags", "data"):
                yield f"{node.value.attr}.{node.attr}", None, where
            elif not (isinstance(node.value, ast.Name) and node.value.id in MODULES):
                yield f"cupy.ndarray.{node.attr}", call, where
        elif (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Name)
            and node.func.id in ("getattr", "hasattr")
            and library_chain(node.args[0]) is not None | (isinstance(node.args[0], ast.Name) and node.args[0].id in ROOTS)
        ):
            pass
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "getattr":
            first, name = node.args[:2]
            if library_chain(first) is not None:
                if not isinstance(name, ast.Constant):
                    for known in DYNAMIC.get(place, ["?"]):
                        yield f"cupy.{known}", None, f"{place}:{node.lineno}"
                elif not str(name.value).startswith("__"):
                    yield f"cupy.{name.value}", None, f"{place}:{node.lineno}"


def uses():
    """By name: the ways it is called, and where."""
    found = defaultdict(list)
    for file in sorted(PACKAGE.rglob("*.py")):
        place = file.relative_to(PACKAGE).as_posix()
        if not place.startswith("testing/"):
            for name, call, where in asked_for(file.read_text(), place):
                found[name].append((call, where))
    return found


# ------------------------------------------------------------------------------------------- what CuPy has

PROBE = '''
import importlib, inspect, json, sys
import cupy, cupyx
import cupyx.scipy.special

def resolve(name):
    parts = name.split(".")
    value = {"cupy": cupy, "cupyx": cupyx}[parts[0]]
    for k, part in enumerate(parts[1:], 1):
        if not hasattr(value, part) and inspect.ismodule(value):
            importlib.import_module(".".join(parts[: k + 1]))
        value = getattr(value, part)
    return value

def signature(value):
    try:
        return inspect.signature(value)
    except (TypeError, ValueError):
        pass
    first = (getattr(value, "__doc__", None) or "").strip().split("\\n")[0]  # Cython writes it there
    first = first.split("->")[0].strip()
    if "(" in first and first.endswith(")"):
        space = {}
        try:
            exec("def f" + first[first.index("("):].replace("self, /,", "self,") + ": pass", space)
            return inspect.signature(space["f"])
        except Exception:
            pass
    return None

def refusal(value, call, method):
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
    if method and names and names[0] == "self":
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
    method = name.startswith("cupy.ndarray.")
    answers[name] = [None if call is None else refusal(value, call, method) for call in calls]
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


def of_arrays(found):
    """Without the attributes that arrays do not have anyway: those of NumPy's arrays are taken for asked of arrays."""
    return {
        name: rows for name, rows in found.items()
        if not name.startswith("cupy.ndarray.") or hasattr(numpy.ndarray, name.rpartition(".")[2])
    }  # fmt: skip


def library(found):
    return {name: rows for name, rows in found.items() if name.startswith(("cupy.", "cupyx."))}


