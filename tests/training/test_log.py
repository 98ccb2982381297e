"""The log: rows that survive a kill, going on behind a step, the table, TensorBoard's files."""

from __future__ import annotations

import csv
import json
import math
import os
import signal
import subprocess
import sys

import numpy
import pytest

import gpugrad as gg
from gpugrad.training.reporting.log import Log, merged, read_events, read_rows, read_settings


def open_log(folder):
    return Log(folder, tensorboard=False)


def written(folder, steps, **values):
    with open_log(folder) as log:
        for step in steps:
            log.write(step, {"loss": 1.0 / step}, **values)


def table(folder):
    with (folder / "log.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def test_rows_are_read_as_they_were_written(tmp_path):
    with open_log(tmp_path) as log:
        log.write(1, {"loss": 0.5, "validation/loss": 0.25}, epoch=0, note="für alle", best=True, none=None)
    (row,) = read_rows(tmp_path)
    assert row == {"step": 1, "loss": 0.5, "validation/loss": 0.25, "epoch": 0, "note": "für alle", "best": True,
                   "none": None}  # fmt: skip


@pytest.mark.parametrize("value", [gg.tensor(0.5), gg.tensor([0.5]), numpy.float32(0.5), numpy.array(0.5)])
def test_values_of_one_element_become_numbers(tmp_path, value):
    with open_log(tmp_path) as log:
        log.write(1, loss=value)
    assert [row["loss"] for row in read_rows(tmp_path)] == [0.5]


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_what_json_has_no_number_for_is_kept_and_the_file_stays_json(tmp_path, value):
    with open_log(tmp_path) as log:
        log.write(1, loss=value)
        log.settings({"limit": value})
    numpy.testing.assert_equal([row["loss"] for row in read_rows(tmp_path)], [value])

    def refuse(text):
        raise AssertionError(f"{text} is no JSON")

    json.loads((tmp_path / "log.jsonl").read_text(), parse_constant=refuse)
    json.loads((tmp_path / "settings.json").read_text(), parse_constant=refuse)


def test_a_row_is_in_the_file_at_once(tmp_path):
    log = open_log(tmp_path)
    log.write(1, loss=2.0)
    assert len(list(read_rows(tmp_path))) == len(table(tmp_path)) == 1
    log.sync()
    log.close()
    log.close()


@pytest.mark.parametrize("values", [{"step": 1}, {"event": "x"}])
def test_the_logs_own_names_are_refused(tmp_path, values):
    with open_log(tmp_path) as log, pytest.raises(ValueError, match="what the log calls its own columns"):
        log.write(1, values)


def test_values_that_are_no_numbers_are_refused(tmp_path):
    with open_log(tmp_path) as log:
        with pytest.raises(TypeError, match="expected a number or a string for 'loss', got list"):
            log.write(1, loss=[1.0])
        with pytest.raises(ValueError, match=r"[Oo]ne"):
            log.write(1, loss=gg.ones(2))
    assert list(read_rows(tmp_path)) == []


def test_a_new_column_comes_into_the_table_of_all_rows(tmp_path):
    with open_log(tmp_path) as log:
        log.write(1, loss=3.0)
        log.write(2, {"loss": 2.0, "validation/loss": 2.5})
        log.write(3, loss=1.0)
    assert [(row["loss"], row["validation/loss"]) for row in table(tmp_path)] == [
        ("3.0", ""),
        ("2.0", "2.5"),
        ("1.0", ""),
    ]


# ------------------------------------------------------------------------------------------------ going on


def test_resuming_drops_the_rows_behind_the_step_and_keeps_one_curve(tmp_path):
    written(tmp_path, range(1, 8))
    with open_log(tmp_path) as log:
        log.event("preempted", 7)
        log.resume(4)
        for step in range(5, 9):
            log.write(step, loss=9.0)
    assert [row["step"] for row in read_rows(tmp_path)] == list(range(1, 9))
    assert [row["loss"] for row in read_rows(tmp_path)][3:5] == [0.25, 9.0]
    assert [int(row["step"]) for row in table(tmp_path)] == list(range(1, 9))
    assert [(e["event"], e["step"]) for e in read_events(tmp_path)] == [("preempted", 7), ("resume", 4)]
    assert next(e for e in read_events(tmp_path) if e["event"] == "resume")["lost_steps"] == 3


def test_seconds_of_dropped_rows_were_paid_for(tmp_path):
    with open_log(tmp_path) as log:
        for step in range(1, 6):
            log.write(step, loss=1.0, seconds=10.0 * step)
    with open_log(tmp_path) as log:
        assert log.resume(2) == 50.0
    with open_log(tmp_path) as log:
        assert log.resume(2) == 50.0, "and are still known at the next resume"


def test_dropping_says_how_many_rows_and_before_the_first_step_drops_all(tmp_path):
    written(tmp_path, range(1, 6))
    with open_log(tmp_path) as log:
        assert [log.drop_after(9), log.drop_after(3), log.drop_after(-1)] == [0, 2, 3]
        log.write(1, loss=0.0)
    assert [row["loss"] for row in read_rows(tmp_path)] == [0.0]


@pytest.mark.parametrize(
    "torn",
    [b'{"step": 4, "lo', b"{", b"\xc3", b'{"step": 4, "note": "' + b"x" * 9000, b"\0" * 10],
    ids=["row", "brace", "half a character", "longer than a block", "zeros"],
)
def test_a_torn_last_line_is_cut_off(tmp_path, torn):
    written(tmp_path, range(1, 4))
    with (tmp_path / "log.jsonl").open("ab") as file:
        file.write(torn)
    written(tmp_path, [4])
    assert [row["step"] for row in read_rows(tmp_path)] == [1, 2, 3, 4]
    assert (tmp_path / "log.jsonl").read_bytes().count(b"\n") == len(table(tmp_path)) == 4


def test_a_file_of_nothing_but_a_torn_line_is_empty_afterwards(tmp_path):
    (tmp_path / "log.jsonl").write_text('{"st')
    written(tmp_path, [1])
    assert [row["step"] for row in read_rows(tmp_path)] == [1]


def test_a_damaged_line_in_the_middle_is_left_out_and_said(tmp_path, caplog):
    written(tmp_path, range(1, 4))
    lines = (tmp_path / "log.jsonl").read_text().splitlines(keepends=True)
    (tmp_path / "log.jsonl").write_text(lines[0] + "\0\0\0\n" + "[1]\n" + lines[2])
    assert [row["step"] for row in read_rows(tmp_path)] == [1, 3]
    assert "2 damaged line(s) left out" in caplog.text


def test_dropping_is_all_or_nothing(tmp_path, monkeypatch):
    written(tmp_path, range(1, 6))
    log = open_log(tmp_path)

    def fail(file):
        raise OSError("no space left on device")

    monkeypatch.setattr("gpugrad.training.reporting.log.os.fsync", fail)
    with pytest.raises(OSError, match="no space left"):
        log.drop_after(2)
    monkeypatch.undo()
    assert [row["step"] for row in read_rows(tmp_path)] == [1, 2, 3, 4, 5]
    assert not list(tmp_path.glob(".*"))
    log.write(6, loss=0.0)
    log.close()
    assert [row["step"] for row in read_rows(tmp_path)] == [1, 2, 3, 4, 5, 6]


def test_a_killed_process_loses_no_row(tmp_path):
    program = (
        "import os, signal, sys\n"
        "from gpugrad.training.reporting.log import Log\n"
        "log = Log(sys.argv[1], tensorboard=False)\n"
        "for step in range(1, 101): log.write(step, loss=1.0)\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    environment = os.environ | {"GPUGRAD_DEVICE": "cpu"}
    ended = subprocess.run([sys.executable, "-c", program, tmp_path], env=environment, check=False)
    assert ended.returncode == -signal.SIGKILL
    assert [row["step"] for row in read_rows(tmp_path)] == list(range(1, 101))


# ------------------------------------------------------------------------------------------------ the rest


def test_settings_are_written_whole_and_as_json(tmp_path):
    with open_log(tmp_path) as log:
        log.settings(
            {"lr": 0.1, "betas": (0.9, 0.99), "model": {"hidden": 64}, "device": gg.device("cpu"), "seed": None}
        )
    assert read_settings(tmp_path) == {
        "lr": 0.1, "betas": [0.9, 0.99], "model": {"hidden": 64}, "device": "device('cpu')", "seed": None,
    }  # fmt: skip


def test_settings_that_are_no_object_are_an_error_and_missing_ones_are_not(tmp_path):
    assert read_settings(tmp_path) == {}
    (tmp_path / "settings.json").write_text("[1]")
    with pytest.raises(ValueError, match="expected a JSON object, got list"):
        read_settings(tmp_path)


def test_curves_are_the_numbers_by_name():
    rows = [{"step": 1, "loss": 2, "best": True}, {"step": 2, "loss": 1.5, "note": "x", "accuracy": 0.5}]
    assert merged(rows) == {"loss": [(1, 2.0), (2, 1.5)], "accuracy": [(2, 0.5)]}
    assert merged([*rows, {"step": 1, "loss": 3.0}])["loss"] == [(1, 3.0), (2, 1.5)], "a step that was done twice"


def test_tensorboard_has_the_numbers(tmp_path):
    pytest.importorskip("tensorboardX", reason="tensorboardX is not installed: pip install 'gpugrad[train]'")
    with Log(tmp_path, tensorboard=True) as log:
        log.write(1, loss=0.5, note="text")
        log.resume(0)
        log.write(1, loss=0.25)
    files = list((tmp_path / "tensorboard").iterdir())
    assert len(files) == 2
    assert all(b"loss" in file.read_bytes() for file in files if file.stat().st_size > 100)


def test_tensorboard_is_asked_for_by_its_extra(tmp_path, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ImportError, match=r"pip install 'gpugrad\[train\]'"):
        Log(tmp_path / "wanted", tensorboard=True)
    with Log(tmp_path / "not wanted") as log:
        log.write(1, loss=1.0)
    assert not (tmp_path / "not wanted" / "tensorboard").exists()
