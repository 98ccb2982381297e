"""Gradients across the border to PyTorch.

Memory is shared (DLPack): nothing is copied, on the CPU or on a GPU, unless an array has a layout that the other side
does not know. Both sides have the same convention for gradients at complex numbers.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..core import Tensor
from ..core.engine import mirrored
from ..ops.exchange import from_dlpack
from ..transforms import vjp, vmap
from .here import Function, crossing

try:
    import torch
except ImportError as error:
    raise ImportError(
        "gpugrad.interop.torch is the border to PyTorch, which is not installed: pip install torch"
    ) from error


def to_torch(x: Any) -> torch.Tensor:
    """An array or a Tensor as a tensor of PyTorch, in the same memory, outside of either graph.

    >>> import gpugrad as gg
    >>> to_torch(gg.ones(2))
    tensor([1., 1.])
    """
    data = x.data if isinstance(x, Tensor) else x
    if not hasattr(data, "__dlpack__"):
        return torch.as_tensor(data)
    if hasattr(data, "flags") and not data.flags["C_CONTIGUOUS"] and any(s < 0 for s in data.strides):
        data = data.copy()  # PyTorch has no negative strides
    if hasattr(data, "flags") and hasattr(data.flags, "writeable") and not data.flags.writeable:
        data = data.copy()  # nor memory that must not be written to
    return torch.from_dlpack(data)


def from_torch_tensor(t: torch.Tensor) -> Tensor:
    """A tensor of PyTorch as a Tensor, in the same memory, outside of either graph."""
    return from_dlpack(t.detach().resolve_conj().resolve_neg())


class _Call:
    """A function of gpugrad, and how its results are nested."""

    def __init__(self, f: Function) -> None:
        self.f = f
        self.single = True

    def flat(self, *xs: Any) -> tuple[Any, ...]:
        """The results as a tuple."""
        y = self.f(*xs)
        self.single = not isinstance(y, tuple | list)
        return (y,) if self.single else tuple(y)


class _Crossing(torch.autograd.Function):  # type: ignore[misc, unused-ignore]
    """``forward`` runs the function here, ``backward`` its pullback, which is such a function too."""

    @staticmethod
    def forward(call: _Call, *tensors: torch.Tensor) -> tuple[torch.Tensor, ...]:
        return tuple(to_torch(y) for y in call.flat(*map(from_torch_tensor, tensors)))

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: tuple[torch.Tensor, ...]) -> None:
        call, *tensors = inputs
        ctx.call = call
        ctx.save_for_backward(*tensors)
        ctx.count = len(output)

    @staticmethod
    def backward(ctx: Any, *gs: torch.Tensor) -> tuple[Any, ...]:
        call: _Call = ctx.call
        count, tensors = ctx.count, ctx.saved_tensors
        wanted = [i for i, needed in enumerate(ctx.needs_input_grad[1:]) if needed]

        def pulled_back(*values: Any) -> tuple[Any, ...]:
            g, xs = values[:count], list(values[count:])

            def of(*some: Any) -> tuple[Any, ...]:
                given = list(xs)
                for i, x in zip(wanted, some, strict=True):
                    given[i] = x
                return call.flat(*given)

            _, pullback = vjp(of, *[xs[i] for i in wanted])
            found: tuple[Any, ...] = pullback(g)
            return found

        found = iter(_crossed(_Call(pulled_back), *gs, *tensors))
        return None, *[next(found) if i in wanted else None for i in range(len(tensors))]

    @staticmethod
    def vmap(info: Any, in_dims: Sequence[Any], call: _Call, *tensors: torch.Tensor) -> tuple[Any, Any]:  # noqa: ARG004
        axes = tuple(in_dims[1:])
        if all(axis is None for axis in axes):
            y = _crossed(call, *tensors)
            return y, tuple(None for _ in y)
        y = _crossed(_Call(vmap(call.flat, in_axes=axes)), *tensors)
        return y, tuple(0 for _ in y)


def _crossed(call: _Call, *tensors: torch.Tensor) -> tuple[torch.Tensor, ...]:
    found: tuple[torch.Tensor, ...] = _Crossing.apply(call, *tensors)
    return found


def wrap(f: Function) -> Function:
    """A function of gpugrad as one of PyTorch, with gradients of any order, under ``torch.func`` too.

    Args:
        f: takes Tensors and gives a Tensor or a tuple of them. In the backward pass it is run again, so it should give
            the same each time.

    Returns:
        A function of tensors of PyTorch; what is no tensor is passed on as it is.

    >>> import torch, gpugrad as gg
    >>> x = torch.tensor([1.0, 2.0], requires_grad=True)
    >>> wrap(lambda x: (gg.sin(x) ** 2).sum())(x).backward()
    >>> torch.allclose(x.grad, torch.sin(2 * x))
    True
    """

    def crossed(*args: Any) -> Any:
        places = [i for i, a in enumerate(args) if isinstance(a, torch.Tensor)]

        def of(*xs: Any) -> Any:
            given = list(args)
            for i, x in zip(places, xs, strict=True):
                given[i] = x
            return f(*given)

        call = _Call(of)
        y = _crossed(call, *[args[i] for i in places])
        return y[0] if call.single else y

    crossed.__name__, crossed.__doc__ = getattr(f, "__name__", "crossed"), getattr(f, "__doc__", None)
    return crossed


def from_torch(f: Function) -> Function:
    """A function or a module of PyTorch as one of gpugrad, with gradients of any order by its arguments.

    Args:
        f: takes tensors and gives one. Parameters of a module are constants here; ``torch.func.functional_call`` makes
            them arguments. In the backward pass it is run again.

    Returns:
        A function of Tensors or arrays.

    >>> import torch, gpugrad as gg
    >>> gg.grad(from_torch(lambda x: torch.sin(x).sum()))(gg.tensor([0.0, 1.0])).numpy().round(4)
    array([1.    , 0.5403], dtype=float32)
    """

    def run(*arrays: Any) -> Any:
        with torch.no_grad():
            return from_torch_tensor(f(*map(to_torch, arrays))).data

    def rule(argnums: Sequence[int], ans: Any, args: Any, kwargs: Any) -> Function:
        def gradients(g: Any, *xs: Any) -> Any:
            def by_torch(g: torch.Tensor, *tensors: torch.Tensor) -> tuple[torch.Tensor, ...]:
                with torch.enable_grad():
                    leaves = [t if t.requires_grad else t.detach().requires_grad_() for t in tensors]
                    y = f(*leaves)
                    wanted = [leaves[i] for i in argnums]
                    found: tuple[torch.Tensor, ...] = torch.autograd.grad(
                        y, wanted, g, create_graph=True, materialize_grads=True
                    )
                return found

            return [_part(by_torch, k)(g, *xs) for k in range(len(argnums))]

        return lambda g: [mirrored(h) for h in gradients(mirrored(g), *args)]

    return crossing(run, getattr(f, "__name__", type(f).__name__), rule)


def _part(f: Function, k: int) -> Function:
    """One of several results of a function of PyTorch, as a function of gpugrad."""
    return from_torch(lambda *tensors: f(*tensors)[k])
