from __future__ import annotations

import pytest

from gpugrad.core import modes


@pytest.fixture(autouse=True)
def short_paths(monkeypatch):
    """``debug()`` makes every later operation take the careful path; for the next test the short ones are back."""
    monkeypatch.setattr(modes.careful, "on", modes.careful.on)
