"""The operations: forward and gradient rules, one family a file.

To add one:

1. declare it in the file of its family: the forward on ``xp`` (arrays before the slash) under
   ``@primitive(batch=...)``, a docstring with formula and example, and ``name.vjp(...)`` with one rule for each array.
   ``batch`` says how :func:`gpugrad.vmap` runs it, by a name of :mod:`gpugrad.transforms.batching.declared` such as
   "elementwise"; without it, it runs once per sample. A gradient rule takes ``xp``, ``g`` and the names of what it
   needs; it uses only ``xp`` and operators, never writes in place and never looks at values;
2. export it in ``gpugrad/__init__.py``, if users call it by that name;
3. add a row to the file of its family in ``tests/cases/``. The tests then compare it with finite differences to second
   order and with PyTorch, and replay it on a namespace that only records calls;
4. add its second derivative to ``tests/cases/corners.py``;
5. run ``python tools/coverage.py``, which writes ``docs/coverage.md``.
"""

from . import einops, methods

methods.bind()
einops.install()
