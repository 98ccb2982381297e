"""One array in the place of many: what :func:`gpugrad.vmap` computes with.

A :class:`~.array.Batched` looks like the array of one sample and holds those of all, along a first axis that it does
not show. Operations are run on it by a rule for their family (``rules.py``), whose name each declares
(``declared.py``). Gradient rules run on it as they are: it is one more kind of array, with a namespace of its own. What
declares no rule is run sample by sample.

To add a rule: a function ``rule(op, size, operands, params)`` in the file of its family, its name in ``declared.py``,
and ``@primitive(batch="name")`` at the operations.
"""
