"""Layers and losses are written once: they name no device and no array library, and every example runs."""

import ast
import doctest
import inspect
import re
from importlib import import_module
from pathlib import Path

import pytest

import gpugrad as gg
from gpugrad import nn

PACKAGE = Path(gg.__file__).parent
FILES = [*sorted((PACKAGE / "nn").rglob("*.py")), PACKAGE / "ops" / "softmax.py"]
files = pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))


def words(tree):
    """Names and strings of the code, with their lines; no docstrings."""
    documentation = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            documentation.add(id(node.value))
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in documentation:
            yield node.lineno, node.value
        for attribute in ("id", "attr", "arg", "name", "module"):
            word = getattr(node, attribute, None)
            if isinstance(word, str):
                yield getattr(node, "lineno", 0), word


@files
def test_no_array_library_and_no_device_is_named(path):
    found = [
        f"line {line}: {word}"
        for line, word in words(ast.parse(path.read_text()))
        if re.search(r"(?i)\b(numpy|cupy|torch|scipy)\b|(?<![a-z])(cuda|cpu|gpu)(?![a-z])", word)
    ]
    assert not found


@files
def test_files_are_short(path):
    assert len(path.read_text().splitlines()) <= 400


@files
def test_examples_run(path):
    relative = path.relative_to(PACKAGE.parent).with_suffix("")
    module = import_module(".".join(relative.parts).removesuffix(".__init__"))
    public = [
        (name, value)
        for name, value in vars(module).items()
        if callable(value) and value.__module__ == module.__name__ and not name.startswith("_")
    ]
    runner = doctest.DocTestRunner()
    examined = 0
    for name, value in [(module.__name__, inspect.getdoc(module)), *((n, inspect.getdoc(v)) for n, v in public)]:
        test = doctest.DocTestParser().get_doctest(value or "", dict(vars(module)), name, str(path), 0)
        runner.run(test)
        examined += bool(test.examples)
    assert runner.summarize(verbose=False).failed == 0
    assert examined or not public


def test_everything_public_is_documented_with_an_example():
    for name in nn.__all__:
        value = getattr(nn, name)
        if inspect.isclass(value):
            assert ">>>" in (value.__doc__ or ""), f"nn.{name} has no example"
    for name in nn.functional.__all__:
        assert ">>>" in (getattr(nn.functional, name).__doc__ or ""), f"nn.functional.{name} has no example"
