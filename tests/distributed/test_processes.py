"""Several processes on this machine, started by ``mpiexec``."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("mpi4py")

MPIEXEC = shutil.which("mpiexec", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}")
HERE = Path(__file__).parent
pytestmark = [
    pytest.mark.any_device,
    pytest.mark.skipif(MPIEXEC is None, reason="there is no mpiexec: pip install mpich"),
]


def run(count, *args, timeout=240):
    """Status, and what was printed."""
    environment = {**os.environ, "GPUGRAD_DEVICE": "cpu", "OPENBLAS_NUM_THREADS": "1", "GPUGRAD_COMPILE": "0"}
    ran = subprocess.run(
        [MPIEXEC, "-n", str(count), sys.executable, *args], capture_output=True, text=True, check=False,
        timeout=timeout, env=environment, cwd=HERE,
    )  # fmt: skip
    return ran.returncode, ran.stdout + ran.stderr


@pytest.mark.parametrize("count", [2, 4])
def test_several_processes_train_what_one_does(count):
    status, printed = run(count, "equal_to_one_process.py")
    assert status == 0, printed
    assert printed.count(f"of {count} is done") == count


WRONG = {
    "raises": ["rank 1 has ended: ValueError: of rank 1", "ValueError: of rank 1"],
    "raises in backward": ["rank 1 has ended: ZeroDivisionError", "in the gradients of 2 parameters"],
    "ends": ["rank 1 has ended"],
    "hangs": ["rank 1 did not come within 6 s"],
    "model": ["DataParallel of a Linear, 10 parameters", "DataParallel of a Linear, 8 parameters"],
    "another call": ["all_reduce (sum) of float32 (3,)", "broadcast from rank 0 of float32 (3,)"],
    "another shape": ["all_reduce (sum) of float32 (3,)", "all_reduce (sum) of float32 (4,)"],
    "another dtype": ["all_reduce (sum) of float32 (3,)", "all_reduce (sum) of float64 (3,)"],
    "skips backward": ["rank 1 did not come"],
}


@pytest.mark.parametrize("how", WRONG)
def test_an_error_of_one_rank_ends_all_and_is_named(how):
    status, printed = run(2, "goes_wrong.py", how, timeout=120)
    assert status != 0
    assert "all is well" not in printed
    for words in WRONG[how]:
        assert words in printed, printed


def test_without_mpi_several_processes_are_refused_and_one_is_a_world():
    program = (
        "import sys; sys.modules['mpi4py'] = None\nfrom gpugrad import distributed\nprint(distributed.init().size)"
    )
    for size, words in (("1", "1\n"), ("2", "pip install 'gpugrad[distributed]'")):
        ran = subprocess.run(
            [sys.executable, "-c", program], capture_output=True, text=True, check=False,
            env={**os.environ, "WORLD_SIZE": size, "GPUGRAD_DEVICE": "cpu"},
        )  # fmt: skip
        assert words in ran.stdout + ran.stderr
        assert (ran.returncode == 0) == (size == "1")


def test_nothing_of_it_is_imported_unasked():
    program = "import sys, gpugrad, gpugrad.nn, gpugrad.training, gpugrad.data\nprint(*sys.modules)"
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert "gpugrad.training" in ran.stdout
    assert not [name for name in ran.stdout.split() if "distributed" in name or "mpi4py" in name]
