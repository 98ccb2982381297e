"""What a network is made of: shapes, parameters, work and memory, layer by layer."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

from ...core import Tensor
from ...core.modes import no_grad
from ...formats import size
from ..attention import MultiheadAttention
from ..cells import _Cell
from ..convolution import _Kernels
from ..linear import Bilinear, Linear
from ..module import Module
from ..parameter import Uninitialized
from ..preserving import preserved
from ..recurrent import _Recurrent


@dataclass
class Row:
    """One module of a :class:`Summary`.

    Attributes:
        name: dotted; empty for the whole.
        kind: the name of its class.
        output_shapes: of the Tensors it returned, in its last call; none if it was not called.
        parameters: the elements of its own parameters, not of modules inside, that no row above has counted.
        multiply_adds: of all its calls, not of modules inside.
        activation_bytes: of what it returned in all calls; 0 for modules with others inside, and for what came in.
        calls: how many times it was called.
    """

    name: str
    kind: str
    output_shapes: list[tuple[int, ...]] = field(default_factory=list)
    parameters: int = 0
    multiply_adds: int = 0
    activation_bytes: int = 0
    calls: int = 0


@dataclass
class Summary:
    """What :func:`summary` returns; printed, a table.

    Attributes:
        rows: one for each module, in the order of ``named_modules``.
        parameters: the number of elements; shared ones once.
        trainable: of these, the ones that need a gradient.
        parameter_bytes: the memory of parameters.
        buffer_bytes: the memory of buffers.
        input_bytes: the memory of the inputs.
        activation_bytes: the memory of what the innermost modules returned, which a backward pass mostly keeps.
        multiply_adds: one for each product that is added up, over the whole batch.

    >>> import gpugrad as gg
    >>> gg.nn.summary(gg.nn.Linear(4, 2), gg.ones((3, 4))).rows[0]
    Row(name='', kind='Linear', output_shapes=[(3, 2)], parameters=10, multiply_adds=24, activation_bytes=24, calls=1)
    """

    rows: list[Row]
    parameters: int
    trainable: int
    parameter_bytes: int
    buffer_bytes: int
    input_bytes: int
    activation_bytes: int
    multiply_adds: int

    def __str__(self) -> str:
        cells: list[tuple[str, ...]] = [("layer", "output shape", "parameters", "multiply-adds", "activations")]
        for row in self.rows:
            depth, own = row.name.count(".") + 1 if row.name else 0, row.name.rpartition(".")[2]
            label = "  " * depth + (f"{own}: {row.kind}" if own else row.kind)
            label += f" (called {row.calls} times)" if row.calls > 1 else ""
            shapes = ", ".join(map(str, row.output_shapes)) if row.calls else "not called"
            numbers = [f"{n:,}" if n else "" for n in (row.parameters, row.multiply_adds)]
            cells.append(
                (label, shapes, *numbers, size(row.activation_bytes, digits=1) if row.activation_bytes else "")
            )
        wide = [max(map(len, column)) for column in zip(*cells, strict=True)]
        lines = [
            "  ".join(c.ljust(w) if i < 2 else c.rjust(w) for i, (c, w) in enumerate(zip(row, wide, strict=True)))
            for row in cells
        ]
        rule = "-" * (sum(wide) + 2 * (len(wide) - 1))
        total = [
            f"parameters:    {self.parameters:,} ({self.trainable:,} trainable), {size(self.parameter_bytes, digits=1)}"
            + (f"; buffers {size(self.buffer_bytes, digits=1)}" if self.buffer_bytes else ""),
            f"multiply-adds: {self.multiply_adds:,}",
            f"memory:        inputs {size(self.input_bytes, digits=1)}, "
            f"activations {size(self.activation_bytes, digits=1)}",
        ]
        return "\n".join(line.rstrip() for line in [lines[0], rule, *lines[1:], rule, *total])

    __repr__ = __str__


def summary(model: Module, input: Any) -> Summary:
    """Run a module once and say what its layers return, hold and cost.

    The run is in evaluation mode and without a graph; afterwards modes, buffers and random numbers are as before
    (layers that find their shapes at the first call have found them).

    What counts as work are the multiply-adds of matrix products and convolutions: of :class:`Linear`, convolutions and
    their transposes, :class:`Bilinear`, recurrent layers and :class:`MultiheadAttention`. One is a product that is
    added to a sum, two floating-point operations; biases, activations, normalization and pooling are not counted, and
    neither are products that a module's ``forward`` computes by itself, unless it has a method
    ``multiply_adds(inputs, output)`` that says how many, where ``inputs`` are all its arguments.

    Args:
        model: the module.
        input: what to call it with: a Tensor, a tuple or list of several arguments, or a dictionary of arguments.

    Raises:
        TypeError: the model is no Module.

    >>> import gpugrad as gg
    >>> from gpugrad import nn
    >>> model = nn.Sequential(nn.Linear(4, 16), nn.ReLU(), nn.Linear(16, 3))
    >>> found = nn.summary(model, gg.ones((2, 4)))
    >>> found
    layer        output shape  parameters  multiply-adds  activations
    -----------------------------------------------------------------
    Sequential   (2, 3)
      0: Linear  (2, 16)               80            128        128 B
      1: ReLU    (2, 16)                                        128 B
      2: Linear  (2, 3)                51             96         24 B
    -----------------------------------------------------------------
    parameters:    131 (131 trainable), 524 B
    multiply-adds: 224
    memory:        inputs 32 B, activations 280 B
    >>> found.parameters, found.multiply_adds
    (131, 224)
    """
    if not isinstance(model, Module):
        raise TypeError(f"summary: expected model as a Module, got {type(model).__name__}")
    args = () if isinstance(input, dict) else tuple(input) if isinstance(input, tuple | list) else (input,)
    kwargs = input if isinstance(input, dict) else {}
    rows = {id(module): Row(name, "") for name, module in model.named_modules()}

    def seen(module: Module, args: Any, kwargs: Any, output: Any) -> None:
        row, inputs = rows[id(module)], [*args, *kwargs.values()]
        results = tensors(output)
        row.calls += 1
        row.output_shapes = [y.shape for y in results]
        row.multiply_adds += work(module, inputs, output)
        if not any(True for _ in module.children()):
            row.activation_bytes += sum(y.nbytes for y in results if not any(y is x for x in inputs))

    handles = [module.register_forward_hook(seen, with_kwargs=True) for module in model.modules()]
    try:
        with preserved(model), no_grad():
            model.eval()(*args, **kwargs)
    finally:
        for handle in handles:
            handle.remove()
    counted: set[int] = set()
    for module in model.modules():
        row = rows[id(module)]
        row.kind = type(module).__name__
        own = [p for p in module.parameters(recurse=False) if id(p) not in counted and not isinstance(p, Uninitialized)]
        row.parameters = sum(p.size for p in own)
        counted.update(map(id, own))
    parameters = [p for p in model.parameters() if not isinstance(p, Uninitialized)]
    return Summary(
        rows=list(rows.values()),
        parameters=sum(p.size for p in parameters),
        trainable=sum(p.size for p in parameters if p.requires_grad),
        parameter_bytes=sum(p.nbytes for p in parameters),
        buffer_bytes=sum(b.nbytes for b in model.buffers() if not isinstance(b, Uninitialized)),
        input_bytes=sum(x.nbytes for x in tensors([*args, *kwargs.values()])),
        activation_bytes=sum(row.activation_bytes for row in rows.values()),
        multiply_adds=sum(row.multiply_adds for row in rows.values()),
    )


def work(module: Module, inputs: list[Any], output: Any) -> int:
    """The multiply-adds of one call."""
    own = getattr(module, "multiply_adds", None)
    if callable(own):
        return int(own(inputs, output))
    x = inputs[0] if inputs else None
    if isinstance(module, Linear):
        return int(output.size) * module.in_features
    if isinstance(module, Bilinear):
        return int(output.size) * module.in1_features * module.in2_features
    if isinstance(module, _Kernels) and isinstance(x, Tensor):  # of a transpose, each input meets the whole window
        outer = x.size if module.transposed else output.size
        return int(outer) * math.prod(module.weight.shape[1:])
    if isinstance(module, _Recurrent | _Cell):
        data: Any = x if isinstance(x, Tensor) else x.data if x is not None else None
        rows = math.prod(data.shape[:-1])
        return int(rows * sum(p.size for p in module.parameters(recurse=False) if p.ndim == 2))
    if isinstance(module, MultiheadAttention) and len(inputs) > 2:
        return _attention(module, *inputs[:3])
    return 0


def _attention(module: MultiheadAttention, query: Tensor, key: Tensor, value: Tensor) -> int:
    """Three projections, the scores, and the weighted sums; the projection of the result is a layer inside."""
    e = module.embed_dim
    projections = sum(x.size * e for x in (query, key, value))
    steps = query.size // e
    keys = key.shape[0] if key.ndim == 2 or not module.batch_first else key.shape[1]
    keys += (module.bias_k is not None) + bool(module.add_zero_attn)
    return projections + 2 * steps * keys * e


def tensors(value: Any) -> list[Tensor]:
    """The Tensors in nested tuples, lists and dictionaries."""
    if isinstance(value, Tensor):
        return [value]
    if isinstance(value, dict):
        value = list(value.values())
    return [x for part in value for x in tensors(part)] if isinstance(value, tuple | list) else []
