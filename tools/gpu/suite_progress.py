"""A pytest plugin: counts and failures, written while tests run. With pytest-xdist, its controller writes."""

from __future__ import annotations

import time
from collections import Counter
from typing import Any

from record import Record

LATEST = 500
"""Characters of the end of a failure's text that are kept."""


class Progress:
    """Counts reports, at most one write a second."""

    def __init__(self) -> None:
        self.record, self.written = Record(), 0.0
        self.counts: Counter[str] = Counter(passed=0, failed=0, errors=0, skipped=0)
        self.folders: dict[str, Counter[str]] = {}
        self.failures: list[dict[str, str]] = []

    def pytest_runtest_logreport(self, report: Any) -> None:
        outcome = report.outcome
        if report.when != "call":
            if outcome == "passed":
                return
            outcome = "errors" if outcome == "failed" else outcome
        self._count(report, outcome)

    def pytest_collectreport(self, report: Any) -> None:
        if report.outcome == "failed":
            self._count(report, "errors")

    def _count(self, report: Any, outcome: str) -> None:
        self.counts[outcome] += 1
        path = report.nodeid.partition("::")[0]
        self.folders.setdefault(path.rpartition("/")[0] or path, Counter())[outcome] += 1
        if outcome in ("failed", "errors"):
            self.failures.append({"test": report.nodeid, "text": report.longreprtext[-LATEST:]})
        if time.monotonic() - self.written > 1:
            self.save()

    def pytest_sessionfinish(self) -> None:
        self.save()

    def save(self) -> None:
        self.written = time.monotonic()
        self.record.put(**self.counts, folders=self.folders, failures=self.failures)


def pytest_configure(config: Any) -> None:
    if not hasattr(config, "workerinput"):
        config.pluginmanager.register(Progress())
