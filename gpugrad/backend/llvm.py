"""LLVM IR to machine code for this CPU, kept on disk; needs the package llvmlite, and no other compiler.

The cache holds object files in the folder of the ``.cubin`` files (see :mod:`.compiler` and :mod:`.codecache`), named
by a hash of source, compiler and CPU. Without llvmlite, or with ``GPUGRAD_COMPILE=0``, nothing is compiled, and kernels
run on NumPy.
"""

from __future__ import annotations

import hashlib
import logging
import os
from functools import cache
from importlib import util
from threading import Lock
from typing import Any

from .codecache import CodeCache
from .compiler import folder

NEEDED: dict[str, set[str]] = {
    "x86_64": {"+fma", "+f16c"},
    "amd64": {"+fma", "+f16c"},
    "aarch64": set(),
    "arm64": set(),
}
"""The features without which functions would be less exact, or call what no library has."""

logger = logging.getLogger("gpugrad")

VARIABLE = "GPUGRAD_COMPILE"
"""The environment variable that turns this compiler off (``0``)."""


@cache
def wanted() -> bool:
    """Return whether to compile kernels for the CPU: llvmlite is installed, and ``GPUGRAD_COMPILE`` is not ``0``."""
    return os.environ.get(VARIABLE, "") != "0" and installed()


def installed() -> bool:
    """Return whether llvmlite can be imported."""
    try:
        return util.find_spec("llvmlite") is not None
    except ValueError:  # somebody has blocked the import
        return False


class Machine:
    """The CPU of this machine, and the code that runs on it.

    Attributes:
        cpu: its name.
        features: as LLVM lists them.

    Raises:
        RuntimeError: the CPU lacks instructions that the kernels are written for.
    """

    def __init__(self) -> None:
        from importlib import metadata  # which takes as long to import as a tenth of gpugrad

        from llvmlite import binding

        self.binding: Any = binding
        binding.initialize_native_target()
        binding.initialize_native_asmprinter()
        self.cpu: str = binding.get_host_cpu_name()
        self.features: str = binding.get_host_cpu_features().flatten()
        triple: str = binding.get_process_triple()
        architecture = triple.partition("-")[0]
        if architecture not in NEEDED or not NEEDED[architecture] <= {*self.features.split(",")}:
            raise RuntimeError(f"kernels are compiled for x86-64 with FMA and for arm64, not for {self.cpu} ({triple})")
        self._target = binding.Target.from_triple(triple).create_target_machine(
            cpu=self.cpu, features=self.features, opt=2, reloc="pic", codemodel="jitdefault"
        )
        options = binding.create_pipeline_tuning_options(speed_level=2)
        options.slp_vectorization = options.loop_vectorization = False  # what is to be vectors is written as such
        options.loop_unrolling = False
        self._passes = binding.create_pass_builder(self._target, options)
        self._engines: list[Any] = []
        self._key = f"{triple}\n{self.cpu}\n{self.features}\n{metadata.version('llvmlite')}"
        self._lock = Lock()

    def renew_lock(self) -> None:
        """Forget who holds the lock: in a child process, whose only thread does not."""
        self._lock = Lock()

    @property
    def version(self) -> str:
        """Of LLVM, such as ``22.1.0``."""
        return ".".join(map(str, self.binding.llvm_version_info))

    def stem(self, source: str, name: str) -> str:
        """The name of a source in the cache."""
        key = f"{self._key}\n{source}"
        return f"{name}-cpu-{hashlib.sha256(key.encode()).hexdigest()[:32]}"

    def compile(self, source: str) -> bytes:
        """The object file of a module.

        Raises:
            RuntimeError: the module is not valid; the message is LLVM's.
        """
        module = self.binding.parse_assembly(source)
        module.verify()
        passes = self._passes.getModulePassManager()
        passes.run(module, self._passes)
        code: bytes = self._target.emit_object(module)
        return code

    def load(self, source: str, name: str) -> int:
        """The address of function ``name`` of a module, whose machine code is taken from the cache or made."""
        with self._lock:
            stem = self.stem(source, name)
            known = entries()
            path = known.find(stem)
            if path is None:
                code = self.compile(source)
                known.put(stem, code)
            else:
                code = path.read_bytes()
            # one for each: in an engine that holds a call to the C library, later objects read wrong constants
            engine = self.binding.create_mcjit_compiler(self.binding.parse_assembly(""), self._target)
            engine.add_object_file(self.binding.ObjectFileRef.from_data(code))
            engine.finalize_object()
            self._engines.append(engine)
            address: int = engine.get_function_address(name)
            return address


@cache
def entries() -> CodeCache:
    """The object files in the cache."""
    return CodeCache(folder(), ".o")


_lock = Lock()
_machine: Machine | None = None
_broken: str | None = None


def machine() -> Machine | None:
    """The compiler for this CPU; None if there is none (:func:`why_not`)."""
    global _machine, _broken
    if _machine is None and _broken is None and wanted():
        with _lock:
            if _machine is None and _broken is None:
                try:
                    _machine = Machine()
                except Exception as error:  # noqa: BLE001  whatever a broken installation raises
                    _broken = str(error) or type(error).__name__
                    logger.warning("kernels for the CPU run on NumPy, slower: llvmlite cannot be used: %s", _broken)
    return _machine


def why_not() -> str | None:
    """The reason why nothing is compiled for the CPU; None if kernels are."""
    if not installed():
        return "pip install 'gpugrad[cpu]' compiles them"
    if machine() is not None:
        return None
    return f"llvmlite cannot be used: {_broken}" if _broken else f"{VARIABLE}=0"


def _after_fork() -> None:
    """Another thread of the parent may have held the locks."""
    global _lock
    _lock = Lock()
    if _machine is not None:
        _machine.renew_lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
