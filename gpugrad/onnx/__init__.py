"""Models as ONNX files, for onnxruntime and the devices and languages that it serves.

A model is recorded (:mod:`gpugrad.tracing`) with two sizes of the batch; what differs between the two recordings is
computed from the size of the batch in the file. Calls become nodes by the tables of

- :mod:`.elements`: functions of elements, and kernels whose reference is made of such;
- :mod:`.functions`: functions of arrays, and kernels of other kinds.

To add one, write how it is spelled there. A call that is not there is an :class:`ExportError` that names it.
"""

from .export import export
from .graph import ExportError

__all__ = ["ExportError", "export"]
