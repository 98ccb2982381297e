"""docs/coverage.md says what the code can do."""

import os
import subprocess
import sys
from pathlib import Path

import numpy
import pytest

ROOT = Path(__file__).parent.parent


def test_the_document_is_current():
    """Written anew, it would be the same. In a process of its own: it looks into the namespaces while they are used."""
    release = ".".join(numpy.__version__.split(".")[:2])
    if f"with NumPy {release};" not in (ROOT / "docs" / "coverage.md").read_text():
        pytest.skip(f"written with another NumPy than {release}, which has other functions")
    found = subprocess.run(
        [sys.executable, "tools/coverage.py", "--check"], capture_output=True, text=True, cwd=ROOT,
        env={**os.environ, "GPUGRAD_DEVICE": "cpu"},
    )  # fmt: skip
    assert not found.returncode, f"{found.stdout}{found.stderr}"
