"""Run checks that share their inputs in one test, and report each one that fails."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from itertools import product
from typing import Any

from .row import Row


def together(subject: str, checks: Mapping[str, Callable[[], object]]) -> None:
    """Run all checks, then raise all that failed; the message names the subject and each failed check."""
    failed: dict[str, Exception] = {}
    for name, check in checks.items():
        try:
            check()
        except Exception as error:
            error.add_note(f"({name})")
            failed[name] = error
    if len(failed) == 1:
        ((name, error),) = failed.items()
        raise AssertionError(f"{subject}: {name}: {type(error).__name__}: {str(error).strip()}") from error
    if failed:
        raise ExceptionGroup(f"{subject}: {'; '.join(failed)}", list(failed.values()))


def on_each_instance(row: Row, check: Callable[..., object], *args: Any) -> None:
    """Run ``check(row, shapes, static, *args)`` for all shapes and static arguments of a row."""
    together(str(row), {
        " ".join([str(shapes).replace(" ", ""), *(f"{k}={v}" for k, v in static.items())]):
            partial(check, row, shapes, static, *args)
        for shapes, static in product(row.shapes, row.variants)
    })  # fmt: skip
