"""The compiler for the CPU: what is kept on disk, which CPUs it is for, errors."""

from __future__ import annotations

import ctypes
from types import SimpleNamespace

import pytest

from gpugrad.backend import llvm
from gpugrad.backend.codecache import CodeCache

pytestmark = [
    pytest.mark.any_device,
    pytest.mark.skipif(not llvm.wanted(), reason="llvmlite is not installed, or GPUGRAD_COMPILE is 0"),
]
SOURCE = "define i64 @{name}(i64 %x) {{\n  %y = add i64 %x, {more}\n  ret i64 %y\n}}\n"


def call(address, x):
    return ctypes.CFUNCTYPE(ctypes.c_int64, ctypes.c_int64)(address)(x)


def test_machine_code_is_kept_on_disk(tmp_path, monkeypatch):
    cache = CodeCache(tmp_path, ".o")
    monkeypatch.setattr(llvm, "entries", lambda: cache)
    machine = llvm.machine()
    source = SOURCE.format(name="kept_on_disk", more=40)
    assert call(machine.load(source, "kept_on_disk"), 2) == 42
    (file,) = tmp_path.iterdir()
    assert file.name.startswith("kept_on_disk-cpu-")
    monkeypatch.setattr(machine, "compile", lambda source: pytest.fail("compiled again"))
    assert call(machine.load(source, "kept_on_disk"), 2) == 42
    monkeypatch.undo()
    assert machine.stem(source, "a") != machine.stem(source + " ", "a")
    monkeypatch.setattr(machine, "_key", "another CPU")
    assert machine.stem(source, "kept_on_disk") != file.name.removesuffix(".o")[: -len("-0123456789abcdef")]


def test_a_module_that_is_not_valid():
    with pytest.raises(RuntimeError, match="expected"):
        llvm.machine().compile("define i64 @f() { nothing }")


@pytest.mark.parametrize(("triple", "features"), [("x86_64-pc-linux-gnu", "+sse4.2,-fma"), ("riscv64-linux-gnu", "")])
def test_other_cpus_run_on_numpy(triple, features, monkeypatch):
    from llvmlite import binding

    monkeypatch.setattr(binding, "get_process_triple", lambda: triple)
    monkeypatch.setattr(binding, "get_host_cpu_features", lambda: SimpleNamespace(flatten=lambda: features))
    with pytest.raises(RuntimeError, match="for x86-64 with FMA and for arm64, not for"):
        llvm.Machine()
