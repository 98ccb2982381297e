"""Layers and losses are written once: they name no device and no array library."""

import ast
import re
from pathlib import Path

import pytest

import gpugrad as gg

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
