"""Completion scripts for shells."""

from __future__ import annotations

import subprocess
import sys

import pytest

from gpugrad import cli
from gpugrad.cli.completion import SHELLS

pytestmark = pytest.mark.any_device


@pytest.mark.parametrize("shell", SHELLS)
def test_the_script_knows_every_command(shell, capsys):
    pytest.importorskip("shtab", reason="shtab makes the scripts")
    assert cli.main(["completion", shell]) == 0
    script = capsys.readouterr().out
    for command in ("info", "init", "evaluate", "predict", "precompile", "completion"):
        assert command in script


def test_bash_completes_with_it(tmp_path, capsys):
    pytest.importorskip("shtab", reason="shtab makes the scripts")
    assert cli.main(["completion", "bash"]) == 0
    (tmp_path / "script").write_text(capsys.readouterr().out)
    asks = "source ./script; COMP_WORDS=(gpugrad prec); COMP_CWORD=1; _shtab_gpugrad; echo ${COMPREPLY[*]}"
    found = subprocess.run(["bash", "-c", asks], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert found.stdout.split() == ["precompile"]


def test_without_shtab(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "shtab", None)
    assert cli.main(["completion", "bash"]) == 1
    assert capsys.readouterr().err == "gpugrad: completion scripts are made by shtab: pip install 'gpugrad[cli]'\n"
