"""The operations: forward and gradient rules, one family a file.

To add one:

1. declare it in the file of its family: the forward on ``xp`` (arrays before the slash), a docstring with formula and
   example, and ``name.vjp(...)`` with one rule for each array. A rule takes ``xp``, ``g`` and the names of what it
   needs; it uses only ``xp`` and operators, never writes in place and never looks at values;
2. export it below and in ``gpugrad/__init__.py``;
3. add a row to ``tests/cases/``. The tests then compare it with finite differences to second order, with PyTorch,
   and replay it on a namespace that only writes calls down.
"""

from . import methods

methods.bind()
