"""Freed memory is kept for the next arrays, unless the user sets the allocator."""

import os
import subprocess
import sys

import pytest

from gpugrad.backend import allocator

FAULTS = """
import resource
import numpy
import gpugrad
from gpugrad.backend import allocator

def step():
    arrays = [numpy.ones(1 << 20, "float32") for _ in range(8)]

step()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(4):
    step()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def faults(**variables):
    """Page faults of four steps that allocate 32 MiB each."""
    clean = {k: v for k, v in os.environ.items() if k not in allocator.OF_GLIBC and k != allocator.VARIABLE}
    done = subprocess.run(
        [sys.executable, "-c", FAULTS], env=clean | variables, capture_output=True, text=True, check=True
    )
    return int(done.stdout)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="page faults of glibc")
def test_freed_memory_is_used_again_without_page_faults():
    if not allocator.keep_memory():
        pytest.skip("the C library is not glibc, or the allocator is set by a variable")
    assert faults() < 4 * 8 * 32  # eight arrays of 1,024 pages of 4 KiB, or of two pages of 2 MiB


@pytest.mark.parametrize("name", [allocator.VARIABLE, *allocator.OF_GLIBC])
def test_the_user_decides(monkeypatch, name):
    for other in (allocator.VARIABLE, *allocator.OF_GLIBC):
        monkeypatch.delenv(other, raising=False)
    monkeypatch.setenv(name, "0")
    assert not allocator.keep_memory()
