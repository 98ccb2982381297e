"""The Python array API standard, 2024.12, as tables in gpugrad's own words: what it promises, each promise a test.

Signatures, special cases, dtypes, and the rest: shapes, copies, indices, errors. Where gpugrad differs, it does so on
purpose:

- Tensors have value semantics. ``asarray(x, copy=False)`` and ``reshape(x, shape, copy=False)`` share memory, but
  writing ``x[i] = v`` gives ``x`` a new value and leaves the others; the standard tells programs to rely on neither.
- A tensor that another library asks for in the manner of before DLPack 1.0 is copied, since it could be written to;
  with ``copy=False`` that is a BufferError.
- ``broadcast_arrays`` and ``meshgrid`` return tuples, as the edition after 2024.12 has it.
- Parameters that are by keyword only in the standard may also be given by position, as in NumPy.
- Where the standard leaves the kind open, integers beside floating-point numbers give what NumPy gives.

``special_cases.OF_THE_LIBRARY`` has the special cases that NumPy does not hold to.
"""
