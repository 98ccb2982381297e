"""``make gpu``: the parts, the budget, and what is written when a part fails, hangs or is stopped."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytestmark = pytest.mark.any_device

ROOT = Path(__file__).parents[2]
TOOL = ROOT / "tools" / "gpu"


@pytest.fixture
def runner(monkeypatch):
    monkeypatch.syspath_prepend(str(TOOL))
    import parts
    import runner

    yield runner
    for module in (parts, runner):
        del sys.modules[module.__name__]


def part(runner, folder, name, code, share=1.0):
    script = folder / f"{name}.py"
    script.write_text(code)
    return runner.Part(name, share, script, ("{results}",), lambda found: f"{len(found['checks'])} checks")


WRITES = """
import sys
from record import Record
record = Record()
record.check({ok}, "a check")
{more}
sys.exit(record.end())
"""


def test_parts_get_shares_of_the_time_that_is_left(runner, tmp_path):
    three = [part(runner, tmp_path, name, "", share) for name, share in (("a", 1), ("b", 2), ("c", 1))]
    assert runner.limit(three, 100) == 25
    assert runner.limit(three[1:], 99) == 66  # the first one left 24 of its 25 seconds
    assert runner.limit(three[2:], 33) == 33
    assert runner.limit(three, 16) == runner.LEAST
    assert runner.limit(three, 3) == 3
    assert runner.limit(three, -1) == 0


def test_a_session(runner, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(runner, "limit", lambda parts, left: 4.0 if parts[0].name == "hangs" else 60.0)
    monkeypatch.setattr(runner, "GRACE", 0.2)
    found = [
        part(runner, tmp_path, "right", WRITES.format(ok=True, more="")),
        part(runner, tmp_path, "wrong", WRITES.format(ok=False, more="")),
        part(runner, tmp_path, "absent", WRITES.format(ok=True, more="record.skip('no compiler')")),
        part(runner, tmp_path, "raises", "raise ValueError('of the part')"),
        part(runner, tmp_path, "hangs", WRITES.format(ok=True, more="import time; time.sleep(60)")),
    ]
    out = tmp_path / "out"
    handlers = [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)]
    code = runner.Runner(found, 300, out, "cuda").run()
    for number, handler in zip((signal.SIGTERM, signal.SIGINT), handlers, strict=True):
        signal.signal(number, handler)
    assert code == 1
    whole = json.loads((out / "results.json").read_text())
    assert [row["status"] for row in whole["parts"].values()] == ["ok", "FAILED", "skipped", "FAILED", "cut"]
    assert whole["parts"]["wrong"]["found"]["checks"] == [{"ok": False, "what": "a check", "detail": ""}]
    assert whole["parts"]["absent"]["summary"] == "no compiler"
    assert whole["parts"]["hangs"]["summary"] == "1 checks"
    table = (out / "table.txt").read_text().splitlines()
    assert [line.split()[:2] for line in table] == [
        ["right", "ok"], ["wrong", "FAILED"], ["absent", "skipped"], ["raises", "FAILED"], ["hangs", "cut"]
    ]  # fmt: skip
    assert "ValueError: of the part" in (out / "log.txt").read_text()
    assert capsys.readouterr().out.endswith("\n".join(table) + "\n")
    assert sorted(path.name for path in out.iterdir()) == ["log.txt", "results.json", "table.txt"]


def test_what_was_found_is_there_after_a_kill(tmp_path):
    out, results = tmp_path / "out", tmp_path / "out" / "results.json"
    session = subprocess.Popen(
        [sys.executable, str(TOOL), "--device", "simulator", "--small", "--budget", "200", "--out", str(out)],
        stdout=subprocess.DEVNULL,
    )
    deadline = time.monotonic() + 100
    while not results.exists() or json.loads(results.read_text())["parts"]["kernels"]["status"] == "not reached":
        assert time.monotonic() < deadline
        time.sleep(0.1)
    session.terminate()
    assert session.wait(60) == 0
    rows = json.loads(results.read_text())["parts"]
    assert rows["environment"]["status"] == "ok"
    assert rows["environment"]["found"]["gpu"] == "CUDA simulator"
    assert rows["kernels"]["status"] == "cut"
    assert rows["suite"]["status"] == "not reached"


def test_rehearsal_on_the_simulator(tmp_path):
    done = subprocess.run(
        ["make", "gpu", "DEVICE=simulator", "BUDGET=120", f"OUT={tmp_path}", "VENV=none", f"PYTHON={sys.executable}",
         "ARGS=--only kernels 'loader race' 'memory checker'"],
        cwd=ROOT, capture_output=True, text=True, env={**os.environ, "MAKEFLAGS": ""}, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr + (tmp_path / "log.txt").read_text()
    rows = json.loads((tmp_path / "results.json").read_text())["parts"]
    assert {name: row["status"] for name, row in rows.items()} == {
        "kernels": "ok", "loader race": "ok", "memory checker": "ok"
    }  # fmt: skip
    assert rows["kernels"]["found"]["loaded"] == rows["kernels"]["found"]["compiled"] > 0
    assert "32 wrong" not in rows["loader race"]["summary"]


def test_the_suite_begins_with_the_most_telling_files(runner, monkeypatch):
    from gpugrad.testing import cuda_simulator

    monkeypatch.setenv("GPU_DEVICE", "simulator")
    import suite

    with cuda_simulator.installed():
        groups = suite.groups()
        assert 1 <= suite.processes(3) <= 3
    folders = [tuple(dict.fromkeys(path.split("/")[1] for path in group)) for group in groups]
    assert folders[:-1] == list(suite.GROUPS)
    assert {path for group in groups for path in group} == {
        str(path.relative_to(ROOT)) for path in (ROOT / "tests").rglob("test_*.py")
    }
    del sys.modules["suite"], sys.modules["record"]


def test_the_suite_counts_in_several_processes(runner, tmp_path, monkeypatch):
    monkeypatch.setenv("GPU_DEVICE", "simulator")
    monkeypatch.setenv("GPU_RESULTS", str(tmp_path / "suite.json"))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(ROOT), str(TOOL)]))
    monkeypatch.setattr(sys, "argv", ["suite.py", "--workers", "2"])
    import suite

    found = suite.importlib.util.find_spec
    monkeypatch.setattr(suite.importlib.util, "find_spec", lambda name: None if name == "xdist" else found(name))
    monkeypatch.setattr(suite, "processes", lambda most: most)
    (tmp_path / "test_one.py").write_text("import pytest\ndef test_a(): pass\ndef test_b(): raise ValueError('x')\n")
    (tmp_path / "test_two.py").write_text("import pytest\ndef test_c(): pytest.skip('no')\ndef test_d(): pass\n")
    monkeypatch.setattr(suite, "groups", lambda: [[str(tmp_path / f"test_{n}.py") for n in ("one", "two")]])
    assert suite.main() == 1
    counted = json.loads((tmp_path / "suite.json").read_text())
    assert {k: counted[k] for k in ("passed", "failed", "errors", "skipped", "processes")} == {
        "passed": 2, "failed": 1, "errors": 0, "skipped": 1, "processes": 2
    }  # fmt: skip
    assert counted["failures"][0]["test"].endswith("test_b")
    assert "ValueError: x" in counted["failures"][0]["text"]
    del sys.modules["suite"], sys.modules["record"]
