"""The pictures of the tutorial: all are shown, and the tool makes all again but the neural Turing machine's."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest

pytestmark = pytest.mark.any_device

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "docs" / "pictures" / "lectures"


def test_each_is_shown():
    pages = [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")]
    text = "".join(page.read_text(encoding="utf-8") for page in pages)
    assert not [file.name for file in FOLDER.iterdir() if f"lectures/{file.name})" not in text]


def test_each_can_be_made_again():
    pictures = runpy.run_path(str(ROOT / "tools" / "pictures.py"))["PICTURES"]
    assert all((ROOT / "examples" / "lectures" / f"{script}.py").is_file() for script in pictures)
    named = [name for names in pictures.values() for name in names.values()]
    there = [file.name for file in FOLDER.iterdir() if not file.name.startswith("neural_turing_machine")]
    assert sorted(named) == sorted(there)
