"""Run checks that share their inputs in one test, and report each one that fails."""

from __future__ import annotations

from collections.abc import Callable, Mapping


def together(subject: str, checks: Mapping[str, Callable[[], object]]) -> None:
    """Run all checks. Raise what failed as one group that names the subject and each failed check."""
    failed: dict[str, Exception] = {}
    for name, check in checks.items():
        try:
            check()
        except Exception as error:
            error.add_note(f"{subject}: {name}")
            failed[name] = error
    if failed:
        raise ExceptionGroup(f"{subject}: {'; '.join(failed)}", list(failed.values()))
