"""From a function to its program: :func:`trace`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import wraps
from typing import Any

from .. import backend
from ..backend import Array
from ..core import Tensor
from ..core.errors import user_line
from ..ops import diagonals
from .program import Program, Value, mapped
from .recorder import Recorder, RecordingError, recording


@dataclass
class Recording:
    """A program with what it was recorded from, so that it can go on.

    Attributes:
        program: the calls.
        result: what the function returned.
        recorder: the arrays that were found, and what the host has to do at each run.
        states: the Tensors that have another value or gradient after a run.
        same: for each array among the arguments, the number of the first one that it is.
    """

    program: Program
    result: Any
    recorder: Recorder
    states: list[tuple[Tensor, str, Value]]
    same: list[int]

    def again(self, *args: Any) -> list[Array]:
        """Do once more what was recorded, with other arguments, on the parameters and moments as they are now.

        Learning rates, steps and counters of random numbers are read again, and advance.

        Args:
            args: in the place of the arrays among the arguments, in order.

        Returns:
            The outputs.

        Raises:
            ValueError: the number, the shapes or the dtypes are not those of the recorded arguments, or two that were
                one array are not now.
        """
        if len(args) != len(self.same):
            raise ValueError(f"expected {len(self.same)} arrays, as was recorded, got {len(args)}")
        for i, first in enumerate(self.same):
            if args[i] is not args[first]:
                raise ValueError(f"arguments {first} and {i} were one array when they were recorded, and are two now")
        given = [a for i, a in enumerate(args) if self.same[i] == i]
        arrays = self._arrays([a.data if isinstance(a, Tensor) else a for a in given])
        self.program.check(arrays)
        numbers = list(self.recorder.numbers)
        for number, act in self.recorder.events:
            computed = act()
            if number is not None:
                numbers[number : number + len(computed)] = computed
        states = [value.number for _, _, value in self.states]
        outputs = [value.number for value in self.program.outputs]
        known = self.program.run(arrays, numbers, keep=[*outputs, *states])
        for tensor, name, value in self.states:
            found = known[value.number]
            setattr(tensor, name, found if name == "data" else Tensor(found))
        return [known[number] for number in outputs]

    def _arrays(self, given: Sequence[Array]) -> list[Array]:
        recorder, left = self.recorder, iter(given)
        moved = {id(tensor) for tensor, name, _ in self.states if name == "data"}
        found = []
        for one, array, source in zip(self.program.inputs, recorder.captured, recorder.sources, strict=True):
            if one.name.startswith("argument"):
                found.append(next(left))
            else:
                found.append(source.data if source is not None and id(source) in moved else array)
        return found


def record(function: Callable[..., Any], args: Sequence[Any], kwargs: dict[str, Any] | None = None,
           copies: bool = False) -> Recording:  # fmt: skip
    """Run a function once and write down what it does; see :func:`trace`.

    Args:
        function: of Tensors, arrays and anything else.
        args: its arguments.
        kwargs: by keyword.
        copies: keep the inputs as they were before, in ``recorder.before``.

    Raises:
        RecordingError: it asks for a value, or one is recorded already.
    """
    if backend.recorder() is not None:
        raise RecordingError(f"a recording inside of a recording [{user_line()}]: record the outer function alone")
    recorder = Recorder(copies=copies)
    given_before: dict[int, int] = {}
    same: list[int] = []
    kept: dict[int, Tensor] = {}

    def given(value: Any) -> Any:
        if not isinstance(value, Tensor) and not backend.is_array(value):
            return value
        count = len(same)
        same.append(given_before.setdefault(id(value), count))
        if same[-1] != count:
            return kept[same[-1]]
        if isinstance(value, Tensor):
            made = recorder.input(value.data, f"argument {count}", value)
            if value.node is None:
                value.data = made  # so that nothing is computed from the array beside the recording
        else:
            value = Tensor(recorder.input(value, f"argument {count}"))
        kept[count] = value
        return value

    states = []
    with recording(recorder):
        try:
            args, kwargs = mapped(tuple(args), given), mapped(kwargs or {}, given)
            result = function(*args, **kwargs)
        except BaseException:
            recorder.finish(None)
            raise
        states = recorder.finish(result)
    return Recording(recorder.program, result, recorder, states, same)


def trace(x: Any, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Any:
    """Of a function, the program of what it does to arrays; of a matrix, the sum of a diagonal, as in NumPy.

    ``gg.trace(function)(*args)`` runs ``function`` once, with all its effects: a training step is taken. What it did is
    a flat list of calls on the array library and of kernels, with shapes, dtypes and static arguments; updates in
    place, of parameters and moments, are declared. Learning rates, steps and the state of random numbers are inputs of
    the program, and so are the arrays that the function finds by itself, such as parameters.

    Args:
        x: a function of Tensors, arrays (which come as Tensors) and structures of them, other arguments being static;
            or a matrix, or many in two axes.
        offset: of a matrix: which diagonal; see :func:`diagonal`.
        axis1: its rows.
        axis2: its columns.

    Returns:
        For a function, one of the same arguments that gives a :class:`gpugrad.tracing.Program`: to be printed, compared
        with ``==``, stored (``to_json``, ``from_json``), and run on arrays of any library (``replay``).

    Raises:
        RecordingError: the function asks for a value (``float(x)``, ``if x > 0``, a boolean mask), which would be
            frozen in the program; names the line.

    >>> import gpugrad as gg
    >>> gg.trace(gg.tensor([[1.0, 2.0], [3.0, 4.0]]))
    tensor(5.)
    >>> w = gg.tensor([1.0, 2.0], requires_grad=True)
    >>> optimizer = gg.optim.SGD([w], lr=0.5)
    >>> def step(x):
    ...     optimizer.zero_grad()
    ...     loss = gg.sum(w * x)
    ...     loss.backward()
    ...     optimizer.step()
    ...     return loss
    >>> print(gg.trace(step)(gg.tensor([3.0, 4.0])))  # doctest: +ELLIPSIS
    program of ... calls
      %0: float32 (2,)  argument 0
      %1: float32 (32,)  captured
      s0: SGD rate
      s1: SGD sign
      s2: SGD weight_decay
      %2 = part(%1, 0, (2,), (0,))  view  : float32 (2,)
      %3 = multiply(%2, %0)  : float32 (2,)
      %4 = sum(%3, axis=None, dtype=None, keepdims=False)  : float32 ()
      ...
      kernel.sgd_update(%..., s0, s1, s2)  changes %...
      return %4
    >>> w
    tensor([-0.5,  0. ], requires_grad=True)
    """
    if not callable(x):
        return diagonals.trace(x, offset, axis1, axis2)

    @wraps(x)
    def traced(*args: Any, **kwargs: Any) -> Program:
        return record(x, args, kwargs).program

    return traced
