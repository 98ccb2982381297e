"""How the package imports itself and others: no circles, and nothing that no program has asked for."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import gpugrad

ROOT = Path(gpugrad.__file__).parent


def modules(root):
    """The files of a package, by the names of their modules."""
    found = {}
    for path in root.rglob("*.py"):
        parts = path.relative_to(root.parent).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def imported(tree, name, package, known):
    """What a module imports of its own package, in functions too: ``(module, line)``; not what a type checker sees."""
    waiting = [tree]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            waiting += node.orelse
            continue
        statements = (ast.stmt, ast.ExceptHandler, ast.match_case)
        waiting += [child for child in ast.iter_child_nodes(node) if isinstance(child, statements)]
        wanted = []
        if isinstance(node, ast.Import):
            wanted = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            above = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
            base = ".".join([*above, *([node.module] if node.module else [])])
            wanted = [f"{base}.{a.name}" if f"{base}.{a.name}" in known else base for a in node.names]
        yield from ((module, node.lineno) for module in wanted if module in known and module != name)


def circles(root):
    """Every set of modules that import each other, as ``importer -> imported (line)``."""
    known = modules(root)
    graph = {}
    for name, path in known.items():
        package = name if path.name == "__init__.py" else name.rpartition(".")[0]
        graph[name] = dict(imported(ast.parse(path.read_text()), name, package, known))
    while True:  # what imports nothing of what is left, or is imported by nothing, is in no circle
        into = {module for targets in graph.values() for module in targets}
        ends = [name for name, targets in graph.items() if not targets or name not in into]
        if not ends:
            break
        graph = {n: {m: at for m, at in t.items() if m not in ends} for n, t in graph.items() if n not in ends}
    return sorted(f"{n} -> {m} (line {at})" for n, targets in graph.items() for m, at in targets.items())


def test_no_module_imports_one_that_imports_it():
    assert circles(ROOT) == []


def test_circles_are_found(tmp_path):
    for name, text in {
        "__init__": "from . import a",
        "a": "from .b import c",
        "b": "def f():\n    from . import a",
        "c": "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from . import d",
        "d": "import p.c",
    }.items():
        (tmp_path / "p").mkdir(exist_ok=True)
        (tmp_path / "p" / f"{name}.py").write_text(text)
    assert circles(tmp_path / "p") == ["p.a -> p.b (line 1)", "p.b -> p.a (line 2)"]


def run(*lines):
    """Run a program in an interpreter of its own."""
    done = subprocess.run(
        [sys.executable, "-c", "\n".join(lines)], capture_output=True, text=True, cwd=ROOT.parent, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


LATER = [
    "cli", "custom", "data", "drawing", "fft", "linalg", "nn", "numpy", "optim", "special", "testing", "tracing",
    "training",
]  # fmt: skip
FOREIGN = [
    "cupy", "cupyx", "fsspec", "graphviz", "html", "json", "matplotlib", "multiprocessing", "pandas", "rich",
    "safetensors", "scipy", "sklearn", "socket", "subprocess", "tensorboardX", "torch",
]  # fmt: skip


def test_what_no_program_has_asked_for_is_not_imported():
    found = run(
        "import sys, numpy",
        "before = set(sys.modules)",
        "import gpugrad as gg",
        "gg.set_default_device('cpu')",
        "w = gg.tensor([1.0, 2.0], requires_grad=True)",
        "gg.tanh(w * w).sum().backward()",
        "gg.grad(lambda x: (x * x).sum())(w)",
        "print(*sys.modules.keys() - before)",
    ).split()
    assert {"gpugrad", "gpugrad.core.tensor"} <= set(found)
    assert {name.partition(".")[0] for name in found} & set(FOREIGN) == set()
    assert {name for name in LATER if f"gpugrad.{name}" in found} == set()


def test_layers_are_trained_without_scipy():
    found = run(
        "import sys, gpugrad as gg",
        "gg.set_default_device('cpu')",
        "model = gg.nn.Sequential(gg.nn.Linear(3, 4), gg.nn.ReLU(), gg.nn.Linear(4, 2))",
        "step = gg.optim.Adam(model.parameters())",
        "loss = gg.nn.functional.cross_entropy(model(gg.ones((5, 3))), gg.zeros(5, dtype=gg.int64))",
        "loss.backward(), step.step()",
        "print('scipy' in sys.modules, 'gpugrad.training' in sys.modules)",
        "gg.special.erf(loss), print('scipy.special' in sys.modules)",
    )
    assert found.split() == ["False", "False", "True"]


def test_everything_is_reached_as_an_attribute():
    found = run(
        "import gpugrad as gg",
        "gg.set_default_device('cpu')",
        "assert set(gg.__all__) <= set(dir(gg))",
        "assert gg.drawing.Drawing and gg.custom.elementwise_kernel",
        "assert gg.linalg.norm(gg.tensor([3.0, 4.0])).item() == 5.0",
        "assert gg.training.Trainer and gg.data.DataLoader and gg.draw and gg.observe and gg.diagnose and gg.name",
        "assert gg.draw is gg.draw and gg.random is __import__('gpugrad.random').random",
        "names = {}",
        "exec('from gpugrad import *', names)",
        "assert set(gg.__all__) <= set(names)",
        "print(gg.nothing if hasattr(gg, 'nothing') else 'AttributeError')",
    )
    assert found.strip() == "AttributeError"
    with pytest.raises(AttributeError, match="module 'gpugrad' has no attribute 'nothing'"):
        gpugrad.nothing
