"""The threads that share out compiled kernels: every range once, from several threads, after a fork."""

from __future__ import annotations

import os
import sys
from itertools import pairwise
from threading import Thread

import pytest

import gpugrad as gg
from gpugrad.backend import threads

pytestmark = pytest.mark.any_device


@pytest.fixture
def four():
    before = gg.get_num_threads()
    gg.set_num_threads(4)
    yield
    gg.set_num_threads(before)


def ranges(size, step):
    seen = []
    threads.share_out(lambda arguments, begin, end: seen.append((begin, end)), b"", size, step)
    return sorted(seen)


@pytest.mark.parametrize("size", [0, 1, 9, 10, 99, 1000, 1001, 12345])
def test_every_element_is_computed_once(four, size):
    found = ranges(size, 10)
    assert found[0][0] == 0
    assert found[-1][1] == size
    assert all(a[1] == b[0] for a, b in pairwise(found))
    assert all(begin % 10 == 0 for begin, _ in found)
    assert len(found) <= 16


def test_from_several_threads(four):
    results = [[] for _ in range(8)]
    workers = [Thread(target=lambda r=r: [r.append(ranges(1000 + i, 10)[-1][1]) for i in range(50)]) for r in results]
    for w in workers:
        w.start()
    for w in workers:
        w.join(60)
    assert results == [[1000 + i for i in range(50)]] * 8


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning")
def test_after_a_fork(four):
    assert ranges(1000, 10)[-1][1] == 1000
    child = os.fork()
    if not child:
        os._exit(0 if ranges(1000, 10)[-1][1] == 1000 else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert ranges(1000, 10)[-1][1] == 1000


def test_an_error_in_a_range_reaches_the_caller(four):
    def fail(arguments, begin, end):
        if begin:
            raise KeyError(begin)

    with pytest.raises(KeyError):
        threads.share_out(fail, b"", 1000, 10)
    assert ranges(1000, 10)[-1][1] == 1000


def test_number_of_threads(monkeypatch):
    for wrong, error in ((0, ValueError), (-1, ValueError), (1.5, TypeError), (True, TypeError), ("2", TypeError)):
        with pytest.raises(error, match="set_num_threads: expected"):
            gg.set_num_threads(wrong)
    monkeypatch.setenv("OMP_NUM_THREADS", "1,2")
    assert threads.available() == 1
    for text in ("", "many", "100000"):
        monkeypatch.setenv("OMP_NUM_THREADS", text)
        assert threads.available() >= 1
    assert "gpugrad kernels" not in sys.argv
