"""A new layer, loss, optimizer or schedule without a row in the tables of its tests is found here."""

import ast
import re
from pathlib import Path

import pytest

from gpugrad import nn, optim
from gpugrad.optim import lr_scheduler, swa_utils

TESTS = Path(__file__).parent
HELPERS = {"dropout_probability", "known_reduction"}
"""Checks of arguments, which the tests of layers and losses call in every row."""
BEYOND = "optim/test_beyond_pytorch.py"
"""Optimizers and schedules that PyTorch does not have, against their formulas in NumPy; there only if there are any."""


def mentioned(tree):
    """Names in a file's tables and tests: strings that are names, attributes of anything, patterns of names."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute):
            yield node.attr
        elif isinstance(node, ast.JoinedStr):  # f"{kind}Pad{d}d" stands for all that look like it
            parts = [re.escape(part.value) if isinstance(part, ast.Constant) else r"\w+" for part in node.values]
            if len("".join(part for part in parts if part.isidentifier())) > 2:
                yield re.compile("".join(parts))
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value.isidentifier():
            yield node.value


def names_in(*folders):
    files = [file for folder in folders for file in sorted((TESTS / folder).glob("test_*.py"))]
    assert files
    return {name for file in files for name in mentioned(ast.parse(file.read_text(encoding="utf-8")))}


def lacking(wanted, names):
    patterns = [name for name in names if isinstance(name, re.Pattern)]
    return sorted(n for n in wanted if n not in names and not any(pattern.fullmatch(n) for pattern in patterns))


def table(file, name):
    """The list that a file gives this name, as it is written."""
    for node in ast.parse((TESTS / file).read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", None) == name:
            return node.value
    raise AssertionError(f"{file} has no {name}")


def public(module, base):
    classes = {name: value for name, value in vars(module).items() if isinstance(value, type) and name[0] != "_"}
    return {name for name, value in classes.items() if issubclass(value, base) and value is not base}


def beyond_pytorch():
    path = TESTS / BEYOND
    return set(mentioned(ast.parse(path.read_text(encoding="utf-8")))) if path.exists() else set()


def test_optimizers():
    optimizers = public(optim, optim.Optimizer)
    rows = {name for name, _ in ast.literal_eval(table("optim/test_against_torch.py", "ROWS"))} | {"LBFGS"}
    assert rows <= optimizers, "a row for an optimizer that is not there"
    where = f"add a row to ROWS of optim/test_against_torch.py, or, where PyTorch has none, a test to {BEYOND}"
    assert lacking(optimizers, rows | beyond_pytorch()) == [], where
    for file, name in (("optim/test_optimizer.py", "MAKERS"), ("tracing/test_steps.py", "OPTIMIZERS")):
        others = {"LBFGS"} if name == "OPTIMIZERS" else set(mentioned(table(file, "OF_OTHER_KINDS")))
        assert lacking(optimizers - others, set(mentioned(table(file, name)))) == [], f"add a row to {name} of {file}"


def test_schedules():
    rows = set(mentioned(table("optim/test_lr_scheduler.py", "ROWS"))) | {"ReduceLROnPlateau"}
    schedules = public(lr_scheduler, lr_scheduler.LRScheduler)
    where = f"add a row to ROWS of optim/test_lr_scheduler.py, or, where PyTorch has none, a test to {BEYOND}"
    assert lacking(schedules, rows | beyond_pytorch()) == [], where
    averages = public(swa_utils, lr_scheduler.LRScheduler) - {"Scaled"}
    assert lacking(averages, names_in("optim")) == [], "add a test to optim/test_swa.py"


@pytest.mark.parametrize("kind", ["layers", "functions"])
def test_layers_and_losses(kind):
    names = names_in("nn")
    wanted = public(nn, nn.Module) if kind == "layers" else set(nn.functional.__all__) - HELPERS
    assert len(wanted) > 50
    assert lacking(wanted, names) == [], "add a row to the table of its family in tests/nn"
