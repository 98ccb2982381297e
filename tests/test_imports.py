"""How the package imports itself and others: no circles, and nothing that no program has asked for."""

import ast
from pathlib import Path

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
        waiting += ast.iter_child_nodes(node)
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
