"""What goes wrong inside a network: one forward and one backward pass, measured layer by layer."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from ...backend.dtypes import float64
from ...core import Tensor
from ...core.modes import enable_grad, no_grad
from ...ops.arithmetic import abs as absolute
from ...ops.comparison import equal, greater, isfinite
from ...ops.creation import astype
from ...ops.reduction import all as every
from ...ops.reduction import max as largest
from ...ops.reduction import mean
from ...ops.reduction import min as smallest
from ...ops.shaping import reshape
from ..activation import ReLU, ReLU6, Sigmoid, Tanh
from ..module import Module
from ..parameter import Parameter
from ..preserving import preserved
from .diagnosis import Diagnosis, Layer, Weight, judge
from .summary import tensors


def diagnose(
    model: Module, batch: Any, loss: Callable[..., Tensor], *, optimizer: Any = None, lr: float | None = None
) -> Diagnosis:
    """Measure a network on one batch, layer by layer, and say what looks wrong and what helps.

    Looked at are: the scale of values and of gradients, forward and backward through all layers; the share of ReLUs
    that no sample of the batch activates, and of sigmoids and tanhs in their flat parts (those that are modules); and
    how large a step is beside the weights, ``|dw| / |w|``, which is best around 1e-3. The limits are in
    :mod:`gpugrad.nn.inspect.diagnosis`; they are rules of thumb.

    The model is called in the mode it is in. Afterwards its modes, gradients, buffers and the random numbers are
    exactly as before; parameters are not touched, and the optimizer's step is made on copies.

    Args:
        model: the network.
        batch: ``(inputs, targets)``, where inputs may be a tuple or list of several; or the inputs alone, a Tensor.
        loss: called with the output and the targets, or with the output alone; returns a Tensor with one element.
        optimizer: to measure its next step.
        lr: to measure a step of plain gradient descent.

    Returns:
        A :class:`Diagnosis`: prints as a report, has the numbers, and draws them with ``plot()``.

    Raises:
        TypeError: model or loss are not what they should be.
        ValueError: the loss has not one element or does not depend on the parameters, or both optimizer and ``lr`` are
            given.

    Source: CS231n, neural networks parts 1 to 3 (dead units, initialization, ratio of updates to weights); Glorot and
    Bengio 2010 (values and gradients layer by layer).

    >>> import gpugrad as gg
    >>> from gpugrad import nn
    >>> model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 3))
    >>> _ = nn.init.zeros_(model[0].weight)
    >>> found = gg.diagnose(model, (gg.ones((16, 4)), gg.zeros(16, dtype=gg.int64)), nn.CrossEntropyLoss())
    >>> found.findings[0].kind, found.findings[0].where
    ('constant weights', '0.weight')
    """
    if not isinstance(model, Module):
        raise TypeError(f"diagnose: expected model as a Module, got {type(model).__name__}")
    if not callable(loss):
        raise TypeError(f"diagnose: expected loss as a function, got {type(loss).__name__}")
    if optimizer is not None and lr is not None:
        raise ValueError(f"diagnose: expected an optimizer or a learning rate, got both (lr={lr})")
    pair = isinstance(batch, tuple | list)
    if pair and len(batch) != 2:
        raise ValueError(f"diagnose: expected batch as (inputs, targets), got {len(batch)} values")
    inputs, targets = (batch[0], batch[1:]) if pair else (batch, ())
    args = tuple(inputs) if isinstance(inputs, tuple | list) else (inputs,)
    names = {id(module): name for name, module in model.named_modules()}
    calls: list[tuple[Module, list[Tensor], Tensor]] = []

    def seen(module: Module, args: Any, kwargs: Any, output: Any) -> None:
        results = tensors(output)
        if results and not any(True for _ in module.children()):
            if results[0].node is not None:
                results[0].retain_grad()
            calls.append((module, tensors([*args, *kwargs.values()]), results[0]))

    handles = [module.register_forward_hook(seen, with_kwargs=True) for module in model.modules()]
    try:
        with preserved(model), enable_grad():
            value = loss(model(*args), *targets)
            if not isinstance(value, Tensor):
                raise TypeError(f"diagnose: expected the loss as a Tensor, got {type(value).__name__}")
            if value.size != 1 or value.node is None:
                raise ValueError(
                    "diagnose: expected a loss of one element that depends on the parameters, got one of shape "
                    f"{value.shape}{'' if value.node else ' that does not'}"
                )
            value.backward(None if value.ndim == 0 else Tensor(value.data) * 0 + 1)
            with no_grad():
                steps = _steps(model, optimizer, lr)
                layers = [_layer(names[id(module)], module, given, y) for module, given, y in calls]
                weights = [_weight(name, p, steps.get(id(p))) for name, p in model.named_parameters()]
                scale = max((_rms(x) for x in tensors(list(args))), default=0.0)
    finally:
        for handle in handles:
            handle.remove()
    samples = next((x.shape[0] for x in tensors(list(args)) if x.ndim), 1)
    return judge(Diagnosis(value.item(), scale, samples, layers, weights, []))


def _number(x: Tensor) -> float:
    return float(x.item())


def _rms(x: Tensor) -> float:
    """The root of the mean square; 0 of nothing."""
    if x.size == 0 or x.dtype.kind in "b":
        return 0.0
    wide = astype(absolute(x), float64)
    return math.sqrt(_number(mean(wide * wide)))


def _layer(name: str, module: Module, inputs: list[Tensor], y: Tensor) -> Layer:
    """The numbers of one call."""
    x = Tensor(y.data)
    size, gradient = _rms(x), y.grad
    owns = any(p.ndim > 1 for p in module.parameters(recurse=False))
    into = max((_rms(Tensor(v.data)) for v in inputs), default=0.0)
    dead = saturated = None
    if isinstance(module, ReLU | ReLU6):
        dead = _number(mean(astype(_silent(x), float64)))
    if isinstance(module, Sigmoid | Tanh):
        centred = x * 2 - 1 if isinstance(module, Sigmoid) else x
        saturated = _number(mean(astype(greater(absolute(centred), 0.95), float64)))
    return Layer(
        name=name,
        kind=type(module).__name__,
        mean=_number(mean(astype(x, float64))) if x.dtype.kind == "f" and x.size else 0.0,
        scale=size,
        gain=size / into if owns and into else None,
        gradient=None if gradient is None else _rms(gradient) * gradient.size**0.5,
        dead=dead,
        saturated=saturated,
    )


def _silent(y: Tensor) -> Tensor:
    """For each unit, a channel of images, whether it is 0 for all samples and places."""
    silent: Tensor = equal(y if y.ndim < 4 else reshape(y, (*y.shape[:2], -1)), 0)
    if silent.ndim > 1:
        silent = every(silent, axis=0 if y.ndim < 4 else (0, 2))
    return silent


def _weight(name: str, p: Parameter, step: Tensor | None) -> Weight:
    value = Tensor(p.data)
    size, n = _rms(value), p.size**0.5
    gradient = None if p.grad is None else _rms(p.grad) * n
    finite = bool(every(isfinite(value))) and (p.grad is None or bool(every(isfinite(p.grad))))
    return Weight(
        name=name,
        shape=p.shape,
        scale=size,
        constant=p.ndim > 1 and p.size > 1 and p.dtype.kind == "f" and bool(equal(largest(value), smallest(value))),
        learned=p.requires_grad,
        finite=finite,
        gradient=gradient,
        ratio=_rms(step) / size if step is not None and size else None,
    )


def _steps(model: Module, optimizer: Any, lr: float | None) -> dict[int, Tensor]:
    """What one step adds to each parameter, by the parameter's id."""
    if lr is not None:
        return {id(p): Tensor(p.grad.data) * -lr for p in model.parameters() if p.grad is not None}
    if optimizer is None:
        return {}
    copies: dict[int, Any] = {}
    twin: Any = object.__new__(type(optimizer))
    twin.__dict__.update(optimizer.__dict__)
    twin.param_groups, twin._flats = [], []
    before: dict[int, Tensor] = {}
    for group in optimizer.param_groups:
        for p in group["params"]:
            copies[id(p)] = Parameter(Tensor(p.data).copy(), p.requires_grad)
            copies[id(p)].grad = p.grad
            before[id(p)] = Tensor(p.data)
        twin.add_param_group({**group, "params": [copies[id(p)] for p in group["params"]]})
    twin.load_state_dict(optimizer.state_dict())
    twin.step()
    return {key: Tensor(copy.data) - before[key] for key, copy in copies.items() if copy.grad is not None}
