"""What all ranks do together with Tensors, each with a gradient.

    all_reduce      the gradient of a sum over ranks is the sum of the gradients over ranks
    broadcast       to the root, the sum of the gradients
    all_gather      this rank's part of the sum of the gradients: reduce_scatter
    reduce_scatter  the gradients of all parts: all_gather

Gradients are those of the sum of the losses of all ranks. Arrays on a GPU go over the memory of the host.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy

from .. import backend
from ..backend import Array
from ..core import Node, Tensor
from ..core.modes import recording
from ..ops.comparison import equal
from ..ops.creation import asarray, zeros_like
from .channel import REDUCTIONS, Channel
from .world import init

Rule = Callable[[Tensor, Any], Tensor]


def _channel() -> Channel:
    return init().channel


def on_host(x: Array) -> Any:
    """The array in the memory of the host."""
    return backend.fetch([x])()[0]


def back(y: Any, like: Array) -> Array:
    """An array of the host on the device of another."""
    return backend.transfer(numpy.asarray(y), backend.device_of(like))


class Exchange:
    """A call that all ranks make together, as a node of the graph: its gradient rule is such a call, too.

    It is its own plan (see :class:`gpugrad.core.node.WayBack`), and no operation on ``xp``: it leaves the process.
    """

    joint = None
    one = True
    names: tuple[Any, ...] = ("x",)
    guards: tuple[int, ...] = ()

    def __init__(self, name: str, rule: Rule) -> None:
        self.name = name

        def carried(xp: Any, g: Any, kept: Any) -> Any:
            return rule(g, kept) if isinstance(g, Tensor) else rule(Tensor(g), kept).data

        self.apply = carried
        self.applies: tuple[Any, ...] = (carried,)

    def recorded(self, node: Node) -> tuple[Any, ...]:
        return (node.kept,)

    def through_reference(self, node: Node) -> None:
        """There are no residuals."""

    def record(self, x: Tensor, y: Array, kept: Any = None) -> Tensor:
        """The result at its place in the graph."""
        if x.node is None or not recording():
            return Tensor(y)
        return Tensor(y, Node(self, x.node, kept, y.shape, y.dtype))


def all_reduce(x: Any, op: str = "sum") -> Tensor:
    """The sum of ``x`` over all ranks, on every rank.

    Args:
        x: of the same shape and dtype on all ranks.
        op: "sum", "mean", "max" or "min".

    Raises:
        ValueError: another ``op``.
        MismatchError: the ranks have different shapes or dtypes, or make another call.

    Ranks are added in their order: the result has the same bits on every rank and in every run. The gradient of a
    maximum is shared by the ranks that have it. Source: ``torch.distributed.all_reduce``.

    >>> import gpugrad as gg
    >>> all_reduce(gg.tensor([1.0, 2.0]))
    tensor([1., 2.])
    """
    if op == "mean":
        return all_reduce(x) / init().size
    if op not in REDUCTIONS or op == "prod":
        raise ValueError(f"all_reduce: expected op 'sum', 'mean', 'max' or 'min', got {op!r}")
    x = asarray(x)
    y = back(_channel().reduce(on_host(x.data), op), x.data)
    if op == "sum":
        return _summed.record(x, y)
    return _chosen.record(x, y, equal(Tensor(x.data), Tensor(y)))


def _chosen_x(g: Tensor, reached: Tensor) -> Tensor:
    mine = reached.astype(g.dtype)
    return all_reduce(g) * mine / all_reduce(mine)


_summed, _chosen = Exchange("all_reduce", lambda g, _: all_reduce(g)), Exchange("all_reduce", _chosen_x)


def broadcast(x: Any, root: int = 0) -> Tensor:
    """``x`` of one rank, on every rank.

    Args:
        x: of the same shape and dtype on all ranks.
        root: whose.

    Raises:
        ValueError: there is no such rank.
        MismatchError: the ranks have different shapes or dtypes, or make another call.

    Source: ``torch.distributed.broadcast``.

    >>> import gpugrad as gg
    >>> broadcast(gg.tensor(3.0))
    tensor(3.)
    """
    if not 0 <= root < init().size:
        raise ValueError(f"broadcast: expected a rank from 0 to {init().size - 1}, got root={root}")
    x = asarray(x)
    return _told.record(x, back(_channel().broadcast(on_host(x.data), root), x.data), root)


def _told_x(g: Tensor, root: int) -> Tensor:
    total = all_reduce(g)
    return total if init().rank == root else zeros_like(total)


_told = Exchange("broadcast", _told_x)


def all_gather(x: Any) -> Tensor:
    """The arrays of all ranks one after the other along the first axis, on every rank.

    Args:
        x: of the same shape and dtype on all ranks, with at least one axis.

    Raises:
        ValueError: ``x`` has no axis.
        MismatchError: the ranks have different shapes or dtypes, or make another call.

    Source: ``torch.distributed.all_gather_into_tensor``.

    >>> import gpugrad as gg
    >>> all_gather(gg.tensor([1.0, 2.0]))
    tensor([1., 2.])
    """
    x = asarray(x)
    if not x.shape:
        raise ValueError("all_gather: expected an array with at least one axis, got a single number: use x.reshape(1)")
    found = _channel().gather(on_host(x.data))
    return _gathered.record(x, back(found.reshape(found.shape[0] * found.shape[1], *found.shape[2:]), x.data))


def reduce_scatter(x: Any) -> Tensor:
    """The part of the sum of ``x`` over all ranks that is this rank's: the first axis is divided among them.

    Args:
        x: of the same shape and dtype on all ranks; the first axis has a multiple of their number.

    Raises:
        ValueError: the first axis cannot be divided so.
        MismatchError: the ranks have different shapes or dtypes, or make another call.

    Source: ``torch.distributed.reduce_scatter_tensor``.

    >>> import gpugrad as gg
    >>> reduce_scatter(gg.tensor([1.0, 2.0]))
    tensor([1., 2.])
    """
    x, size = asarray(x), init().size
    if not x.shape or x.shape[0] % size:
        raise ValueError(f"reduce_scatter: expected a first axis of a multiple of {size} ranks, got shape {x.shape}")
    return _scattered.record(x, back(_channel().reduce_part(on_host(x.data)), x.data))


_gathered = Exchange("all_gather", lambda g, _: reduce_scatter(g))
_scattered = Exchange("reduce_scatter", lambda g, _: all_gather(g))


def barrier() -> None:
    """Wait until all ranks are here.

    Raises:
        MissingError: one did not come in time.

    Source: ``torch.distributed.barrier``.

    >>> barrier()
    """
    _channel().barrier()
