"""A function of one sample, run on many at once."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from ..core import Tensor
from ..core.modes import careful, transform_device
from ..ops.axes import moveaxis
from ..ops.creation import asarray
from ..ops.shaping import broadcast_to
from .arguments import check_function
from .batching import declared  # noqa: F401  runs operations on batched arrays
from .batching.array import Batched, Level, current, lift, variable
from .batching.elementwise import ElementwiseOnly
from .tree import flatten, in_kind

careful.lift, careful.variable, careful.elementwise_only = lift, variable, ElementwiseOnly


def vmap(f: Callable[..., Any], in_axes: Any = 0, out_axes: Any = 0) -> Callable[..., Any]:
    """A function that runs ``f``, which is written for one sample, on many: not in a loop, but all at once.

    Inside ``f`` the axis of the samples is not there: shapes and axes are those of one. Each operation is run once, on
    the arrays of all samples, by a rule for its family; one that has none is run sample by sample. Gradients inside
    ``f`` are those of each sample, and gradients of the mapped function pass; vmaps nest. Random numbers that ``f``
    draws (``numpy.random.normal()``, ``gg.random.normal``) are drawn once, the same for all samples: for numbers of
    their own, draw them outside and map over them.

    Args:
        f: takes and returns Tensors, or lists, tuples, dicts and dataclasses of them.
        in_axes: along which axis the samples of an argument lie; None: it is the same for all. One for all arguments,
            or a tuple with one for each; of a nested argument one for all its arrays, or a list, tuple or dict of them
            shaped like it. Keyword arguments are always mapped along their first axis.
        out_axes: along which axis they are to lie in the results: one for all, or a tuple with one for each.

    Returns:
        A function with the arguments of ``f``. For NumPy or CuPy arrays the results are such arrays,
            unless a gradient passes to what the function reaches from outside. Source:
        ``jax.vmap``, ``torch.func.vmap``.

    Raises:
        ValueError: the arguments differ in the number of samples, or none has any; the shape of an operation's result
            would differ from sample to sample.
        TypeError: ``f`` asks for a value (``if x > 0``) that differs from sample to sample.

    >>> import gpugrad as gg, numpy
    >>> w, x = numpy.array([1.0, 2.0]), numpy.array([[1.0, 0.0], [3.0, 1.0], [0.0, 2.0]])
    >>> gg.vmap(gg.grad(lambda w, x: (w @ x) ** 2), in_axes=(None, 0))(w, x)
    array([[ 2.,  0.],
           [30., 10.],
           [ 0., 16.]])
    """
    check_function("vmap", f)

    @wraps(f)
    def mapped(*args: Any, **kwargs: Any) -> Any:
        if isinstance(in_axes, tuple | list) and len(in_axes) != len(args):
            raise ValueError(f"vmap: expected in_axes for {len(args)} arguments, got {len(in_axes)}: {in_axes}")
        axes = list(in_axes) if isinstance(in_axes, tuple | list) else [in_axes] * len(args)
        leaves, rebuild = flatten((list(args), kwargs), "the arguments")
        places = [place for axis, argument in zip(axes, args, strict=True) for place in _spread(axis, argument)]
        places += [0] * (len(leaves) - len(places))
        size = _samples(leaves, places)
        arrays_given = all(not isinstance(leaf, Tensor) for leaf in leaves)
        level = Level(size)
        token = current.set(level)
        where = transform_device.set(next(asarray(leaf).device for leaf in leaves if hasattr(leaf, "shape")))
        careful.because(True)
        try:
            given, named = rebuild(iter([_wrapped(x, place, level) for x, place in zip(leaves, places, strict=True)]))
            results, nested = flatten(f(*given, **named), "the value")
        finally:
            careful.because(False)
            current.reset(token)
            transform_device.reset(where)
            level.open = False
        ends = _ends(out_axes, len(results))
        done = [_unwrapped(y, end, level) for y, end in zip(results, ends, strict=True)]
        return nested(iter([in_kind(y, arrays_given) for y in done]))

    return mapped


def _spread(axis: Any, argument: Any) -> list[int | None]:
    """The axis of each array in an argument, from one for all or a nesting like the argument's."""
    if axis is None or isinstance(axis, int):
        return [axis] * len(flatten(argument)[0])
    if isinstance(axis, dict) and isinstance(argument, dict) and axis.keys() == argument.keys():
        return [place for key in argument for place in _spread(axis[key], argument[key])]
    if isinstance(axis, tuple | list) and isinstance(argument, tuple | list) and len(axis) == len(argument):
        return [place for a, part in zip(axis, argument, strict=True) for place in _spread(a, part)]
    raise ValueError(f"vmap: expected in_axes as an integer, None, or nested like the argument, got {axis!r}")


def _samples(leaves: list[Any], places: list[int | None]) -> int:
    """How many samples there are.

    Raises:
        ValueError: no argument has any, one has no such axis, or they differ.
    """
    sizes = set()
    for leaf, place in zip(leaves, places, strict=True):
        if place is not None:
            shape = getattr(leaf, "shape", ())
            if not -len(shape) <= place < len(shape):
                raise ValueError(f"vmap: expected an array with an axis {place} to map over, got shape {tuple(shape)}")
            sizes.add(shape[place])
    if len(sizes) != 1:
        came = " and ".join(map(str, sorted(sizes))) if sizes else "none: every in_axes is None"
        raise ValueError(f"vmap: expected one number of samples in all arguments, got {came}")
    return int(sizes.pop())


def _wrapped(leaf: Any, place: int | None, level: Level) -> Any:
    """An argument as the mapped function sees it."""
    if not hasattr(leaf, "shape"):
        return leaf
    tensor = asarray(leaf)
    data = tensor if place is None or place % max(tensor.ndim, 1) == 0 else moveaxis(tensor, place, 0)
    return Tensor(Batched(data, level, place is not None))


def _ends(out_axes: Any, count: int) -> list[int]:
    ends = list(out_axes) if isinstance(out_axes, tuple | list) else [out_axes] * count
    if len(ends) != count or not all(isinstance(end, int) for end in ends):
        raise ValueError(f"vmap: expected out_axes as an integer, or one for each of {count} results, got {out_axes!r}")
    return ends


def _unwrapped(result: Any, end: int, level: Level) -> Tensor:
    """A result with the samples along axis ``end``; one that is the same for all is repeated."""
    array = result.data if isinstance(result, Tensor) else result
    if type(array) is Batched and array.level is level:
        data = array.data if array.each else broadcast_to(array.data, (level.size, *array.shape))
    else:
        tensor = asarray(result)
        data = broadcast_to(tensor, (level.size, *tensor.shape))
    return data if end % data.ndim == 0 else moveaxis(data, 0, end)
