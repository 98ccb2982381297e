"""A model into an ONNX file: :func:`export`."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from .. import backend
from ..core import Tensor, modes
from ..nn.module import Module
from ..nn.preserving import mode
from ..ops.creation import asarray
from ..ops.shaping import concat
from ..tracing.program import Call, Value
from ..tracing.trace import record
from .functions import nodes_of
from .graph import Dim, ExportError, Graph

OPSET = 18
"""The version of ONNX's operations that files are written in, from December 2022."""

IR = 9
"""The version of the format of the file; onnxruntime reads it from 1.16 on."""


def export(
    model: Callable[..., Any], example: Any, path: str | os.PathLike[str], *, input_names: Sequence[str] | None = None,
    output_names: Sequence[str] | None = None, dynamic_batch: bool = True, opset: int = OPSET, check: bool = True,
) -> None:  # fmt: skip
    """Write a model as an ONNX file, with an open size of the batch.

    The model is run on the example and on one with a row more, and recorded; in evaluation mode if it is a Module. What
    it branches on is frozen, as in :func:`gpugrad.trace`.

    Args:
        model: a Module, or a function of tensors.
        example: its argument, or a tuple of its arguments: tensors or arrays, whose first axis is the batch.
        path: where the file is written.
        input_names: of the arguments; None: ``input``, or ``input_0`` and so on.
        output_names: of the results; None: ``output``, or ``output_0`` and so on.
        dynamic_batch: False keeps the sizes of the example.
        opset: the version of ONNX's operations, stated in the file; 18 or later.
        check: run the file in onnxruntime on both examples, and compare.

    Raises:
        ExportError: something in the model has no counterpart in ONNX, and is named; the batch is not the first axis;
            or the check found other values.
        ImportError: ``onnx``, or for the check ``onnxruntime``, is not installed: ``pip install 'gpugrad[onnx]'``.

    Source: https://onnx.ai/onnx/operators.

    >>> import gpugrad as gg
    >>> model = gg.nn.Sequential(gg.nn.Linear(4, 3), gg.nn.ReLU())
    >>> gg.onnx.export(model, gg.ones((2, 4)), "model.onnx")  # doctest: +SKIP
    """
    onnx = _needed("onnx")
    if opset < OPSET:
        raise ValueError(f"export: expected an opset from {OPSET} on, got {opset}")
    arguments = example if isinstance(example, tuple | list) else (example,)
    given = tuple(
        x.detach() if isinstance(x, Tensor) else asarray(x, device=modes.get_default_device()) for x in arguments
    )
    examples = [given]
    if dynamic_batch:
        if any(not x.ndim or not x.shape[0] for x in given):
            raise ExportError(
                "expected arguments whose first axis is the batch, with one row at least, got the shapes "
                f"{', '.join(str(x.shape) for x in given)}: use dynamic_batch=False"
            )
        examples.append(tuple(concat([x, x[:1]], axis=0) for x in given))
    recorded = [_recorded(model, one) for one in examples]
    names = _names("input", len(given), input_names)
    graph = _graph(model, recorded, names, onnx.helper)
    program = recorded[0].program
    results = _names("output", len(program.outputs), output_names)
    made = _model(onnx, graph, recorded, names, results, opset)
    onnx.checker.check_model(made)
    if check:
        _check(made, examples, [[_host(a) for a in _leaves(one.result)] for one in recorded], names)
    Path(path).write_bytes(made.SerializeToString())


def _needed(name: str) -> Any:
    parts = ("onnx.checker", "onnx.helper", "onnx.numpy_helper") if name == "onnx" else ()
    try:
        for part in parts:
            import_module(part)
        return import_module(name)
    except ImportError as error:
        raise ImportError(f"gg.onnx.export needs the package {name}: pip install 'gpugrad[onnx]'") from error


def _names(what: str, count: int, given: Sequence[str] | None) -> list[str]:
    if given is None:
        return [what] if count == 1 else [f"{what}_{i}" for i in range(count)]
    if len(given) != count or len({*given}) != count:
        raise ValueError(f"export: expected {count} different {what}_names, got {list(given)}")
    return list(given)


def _recorded(model: Callable[..., Any], args: tuple[Tensor, ...]) -> Any:
    with modes.no_grad():
        if not isinstance(model, Module):
            return record(lambda *a: model(*a), args)
        with mode(model, False):
            return record(lambda *a: model(*a), args)


def _host(array: Any) -> Any:
    return backend.to_host(array)


def _leaves(result: Any) -> list[Any]:
    if isinstance(result, Tensor):
        return [result.data]
    if isinstance(result, dict):
        return [a for part in result.values() for a in _leaves(part)]
    return [a for part in result for a in _leaves(part)] if isinstance(result, tuple | list) else []


# ---------------------------------------------------------------- two recordings as one


def _merged(a: Any, b: Any, sizes: tuple[int, int], what: str) -> Any:
    """A static argument of both recordings: numbers that differ as :class:`Dim`."""
    if type(a) is not type(b):
        raise ExportError(f"{what} is called in another way with another size of the batch")
    if isinstance(a, tuple | list):
        if len(a) != len(b):
            if all(x == a[0] for x in a) and all(x == b[0] for x in b):
                raise ExportError(f"{what} does something once for each row of the batch, which ONNX cannot")
            raise ExportError(f"{what} is called in another way with another size of the batch")
        return type(a)(_merged(x, y, sizes, what) for x, y in zip(a, b, strict=True))
    if isinstance(a, slice):
        return slice(*(_merged(x, y, sizes, what) for x, y in
                       ((a.start, b.start), (a.stop, b.stop), (a.step, b.step))))  # fmt: skip
    if isinstance(a, int) and not isinstance(a, bool) and a != b:
        factor = (b - a) // (sizes[1] - sizes[0])
        return Dim(factor, a - factor * sizes[0])
    same = a == b or (isinstance(a, float) and a != a and b != b)
    if not same:
        raise ExportError(f"{what} depends on the size of the batch, which ONNX cannot")
    return a


def _calls(recorded: Sequence[Any], sizes: tuple[int, int]) -> list[Call]:
    first = recorded[0].program
    if len(recorded) == 1:
        return list(first.calls)
    second = recorded[1].program
    if first.names() != second.names():
        raise ExportError("the model makes other calls with another size of the batch: use dynamic_batch=False")
    return [
        Call(a.op, _merged(a.args, b.args, sizes, a.op),
             {k: _merged(v, b.kwargs[k], sizes, a.op) for k, v in a.kwargs.items()}, a.results, a.changes, a.view)
        for a, b in zip(first.calls, second.calls, strict=True)
    ]  # fmt: skip


def _graph(model: Any, recorded: Sequence[Any], names: Sequence[str], helper: Any) -> Graph:
    program, recorder = recorded[0].program, recorded[0].recorder
    if program.scalars:
        raise ExportError(f"{program.scalars[0]} changes from call to call: call model.eval() first")
    known = dict(model.named_parameters()) | dict(model.named_buffers()) if isinstance(model, Module) else {}
    by_array = {id(value.data): name for name, value in known.items()}
    sizes = tuple(one.recorder.captured[0].shape[0] for one in recorded) if len(recorded) > 1 else (1, 1)
    graph = Graph(program.specs, helper, names[0] if len(recorded) > 1 else None)
    arguments = iter(names)
    for i, (one, array) in enumerate(zip(program.inputs, recorder.captured, strict=True)):
        if one.name.startswith("argument"):
            graph.names[one.value.number] = next(arguments)
        else:
            name = by_array.get(id(array), f"captured_{i}")
            graph.names[one.value.number] = name
            graph.constants[name] = backend.to_host(array)
    for call in _calls(recorded, sizes):
        if call.op in ("check_labels", "check_values"):
            continue
        for value, name in zip(call.results, nodes_of(graph, call), strict=True):
            if name:
                graph.names[value.number] = name
    return graph


def _model(
    onnx: Any, graph: Graph, recorded: Sequence[Any], names: Sequence[str], results: Sequence[str], opset: int
) -> Any:  # fmt: skip
    helper, program = onnx.helper, recorded[0].program

    def described(name: str, numbers: Sequence[int]) -> Any:
        shapes = [one.program.specs[n].shape for one, n in zip(recorded, numbers, strict=True)]
        if len({len(s) for s in shapes}) > 1:
            raise ExportError(f"{name} has another number of axes with another size of the batch")
        open_ = ["batch" if axis == 0 else f"{name}_{axis}" for axis in range(len(shapes[0]))]
        shape = [n[0] if len({*n}) == 1 else open_[axis] for axis, n in enumerate(zip(*shapes, strict=True))]
        return helper.make_tensor_value_info(name, graph.kind(program.specs[numbers[0]].dtype), shape)

    arguments = [[i.value.number for i in one.program.inputs if i.name.startswith("argument")] for one in recorded]
    if len(arguments[0]) != len(names):
        raise ExportError(f"the model uses {len(arguments[0])} different arguments, {len(names)} were given")
    inputs = [described(name, numbers) for name, numbers in zip(names, zip(*arguments, strict=True), strict=True)]
    outputs = []
    for i, name in enumerate(results):
        outputs.append(described(name, [one.program.outputs[i].number for one in recorded]))
        graph.nodes.append(helper.make_node("Identity", [graph.name(Value(program.outputs[i].number))], [name]))
    constants = [onnx.numpy_helper.from_array(array, name) for name, array in graph.constants.items()]
    made = helper.make_model(
        helper.make_graph(graph.nodes, "gpugrad", inputs, outputs, constants),
        opset_imports=[helper.make_opsetid("", opset)], producer_name="gpugrad",
    )  # fmt: skip
    made.ir_version = max(IR, min(made.ir_version, IR + max(0, opset - 20)))
    return made


def _check(made: Any, examples: Sequence[tuple[Tensor, ...]], wanted: Sequence[Any], names: Sequence[str]) -> None:
    runtime = _needed("onnxruntime")
    session = runtime.InferenceSession(made.SerializeToString(), providers=["CPUExecutionProvider"])
    for args, expected in zip(examples, wanted, strict=True):
        found = session.run(None, {name: x.numpy() for name, x in zip(names, args, strict=True)})
        for name, a, b in zip((one.name for one in session.get_outputs()), found, expected, strict=True):
            apart = abs(a.astype("float64") - b.astype("float64")) - 1e-5 * abs(b.astype("float64"))
            if a.shape != b.shape or not (apart[apart == apart] <= 1e-5).all():
                raise ExportError(
                    f"onnxruntime gives other values for {name}, shape {a.shape}, than the model, {b.shape}"
                )
