"""A stand-in for CuPy on a machine without a GPU: the CUDA path of a program runs, and is checked, on the CPU.

    >>> from gpugrad.testing import cuda_simulator
    >>> with cuda_simulator.installed(devices=2):
    ...     import cupy
    ...     x = cupy.arange(4.0)
    ...     with cuda_simulator.count() as seen:
    ...         y = float((x * x).sum())
    >>> y, seen.launches, seen.device_to_host
    (14.0, 2, 1)

Its arrays are no NumPy arrays and never become one by themselves; each belongs to a device; promotion, 0-d results and
errors are CuPy's; kernel launches, the bytes they move, copies and synchronisations are counted. Raw kernels are
compiled by g++ and run thread by thread, with shared memory, barriers, warp functions and atomics; what a GPU would
hide is an error here: writes out of bounds, threads that part at a barrier, arguments of the wrong type. A race shows
when the result changes with :func:`thread_order`. Work is done when it is queued, or as late as CUDA allows with
:func:`lag`, which shows a missing wait.

It cannot measure speed or show what differs between GPUs. Its results and errors are compared with a table of CuPy's
(``tests/testing/cupy_outcomes.txt``); where a message is CuPy's, word for word, that is on purpose, so that code which
reads messages behaves the same.

To add a function of CuPy, write its line in ``table.py``.
"""

from .compiler import CompileException
from .install import install, installed, is_installed, uninstall
from .kernels import CUDADriverError, KernelError
from .lag import lag, set_lag
from .state import Counters, count, counters, guarded, set_thread_order, thread_order

__all__ = [
    "CUDADriverError", "CompileException", "Counters", "KernelError", "count", "counters", "guarded", "install",
    "installed", "is_installed", "lag", "set_lag", "set_thread_order", "thread_order", "uninstall",
]  # fmt: skip
