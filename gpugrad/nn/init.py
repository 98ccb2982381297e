"""Values for parameters to begin with. All change a leaf in place and return it.

For a weight of shape ``(out, in, ...)``, as of :class:`gpugrad.nn.Linear` and convolutions, ``fan_in`` is the number
of inputs to one output, ``in * ...``, and ``fan_out`` that of outputs from one input, ``out * ...``. A sum of
``fan_in`` independent terms with weights of variance v has ``fan_in v`` times their variance: v is chosen to keep it.

    glorot (xavier): v = gain^2 * 2 / (fan_in + fan_out)     Glorot and Bengio 2010
    he (kaiming):    v = gain^2 / fan_in                     He et al. 2015
    uniform in (-b, b) has variance b^2 / 3, so b = sqrt(3 v)

The gain makes up for what the activation function after it takes away (:func:`calculate_gain`). The numbers come from
``gpugrad.random``, or from the ``generator`` that is given. Source of the names: ``torch.nn.init``.
"""

from __future__ import annotations

import math
from typing import Any

from .. import backend, random
from ..core import GradientError, Tensor
from ..random import Generator


def _write(name: str, tensor: Tensor, value: Any) -> Tensor:
    """Write into the memory of a leaf; outside the graph, so it is no matter whether it is recorded."""
    if not tensor.is_leaf:
        raise GradientError(f"{name}: only a leaf has a value of its own to begin with, this is the result of "
                            f"{tensor.node.name if tensor.node else 'an operation'}")  # fmt: skip
    with backend.backend_of(tensor.data).using(tensor.device):
        backend.overwrite(tensor.data, value.data if isinstance(value, Tensor) else value)
    tensor.mark_changed()
    return tensor


def uniform_(tensor: Tensor, a: float = 0.0, b: float = 1.0, generator: Generator | None = None) -> Tensor:
    """Uniform in [a, b).

    >>> import gpugrad as gg
    >>> from gpugrad import nn
    >>> nn.init.uniform_(gg.zeros(2), -1.0, 1.0, generator=gg.random.Generator(0))
    tensor([-0.20190716,  0.76104033])
    """
    source = generator or random.default_generator
    return _write("uniform_", tensor, source.uniform(a, b, tensor.shape, tensor.dtype, tensor.device))


def normal_(tensor: Tensor, mean: float = 0.0, std: float = 1.0, generator: Generator | None = None) -> Tensor:
    """Normal with this mean and standard deviation.

    >>> import gpugrad as gg
    >>> from gpugrad import nn
    >>> nn.init.normal_(gg.zeros(2), mean=3.0, std=0.0)
    tensor([3., 3.])
    """
    source = generator or random.default_generator
    return _write("normal_", tensor, source.normal(mean, std, tensor.shape, tensor.dtype, tensor.device))


def constant_(tensor: Tensor, val: float) -> Tensor:
    """One number everywhere.

    >>> import gpugrad as gg
    >>> from gpugrad import nn
    >>> nn.init.constant_(gg.zeros(2), 5.0)
    tensor([5., 5.])
    """
    return _write("constant_", tensor, val)


def zeros_(tensor: Tensor) -> Tensor:
    """Zeros.

    >>> import gpugrad as gg
    >>> from gpugrad import nn
    >>> nn.init.zeros_(gg.ones(2))
    tensor([0., 0.])
    """
    return _write("zeros_", tensor, 0)


def ones_(tensor: Tensor) -> Tensor:
    """Ones.

    >>> import gpugrad as gg
    >>> from gpugrad import nn
    >>> nn.init.ones_(gg.zeros(2))
    tensor([1., 1.])
    """
    return _write("ones_", tensor, 1)


def calculate_gain(nonlinearity: str, param: float | None = None) -> float:
    """The factor by which weights are larger because of the activation function after them.

    1 for ``"linear"``, ``"conv1d"`` (2d, 3d) and ``"sigmoid"``; 5/3 for ``"tanh"``; ``sqrt(2)`` for ``"relu"``, which
    halves the second moment; ``sqrt(2 / (1 + param^2))`` for ``"leaky_relu"`` with negative slope ``param`` (None:
    0.01); 3/4 for ``"selu"``. Source: He et al. 2015; ``torch.nn.init.calculate_gain``.

    Raises:
        ValueError: another name.

    >>> from gpugrad import nn
    >>> nn.init.calculate_gain("leaky_relu", 1.0)
    1.0
    """
    if nonlinearity == "leaky_relu":
        return math.sqrt(2 / (1 + (0.01 if param is None else param) ** 2))
    gains = {
        "linear": 1.0, "conv1d": 1.0, "conv2d": 1.0, "conv3d": 1.0, "sigmoid": 1.0, "tanh": 5 / 3,
        "relu": math.sqrt(2), "selu": 3 / 4,
    }  # fmt: skip
    if nonlinearity not in gains:
        raise ValueError(f"expected one of {', '.join(sorted([*gains, 'leaky_relu']))}, got {nonlinearity!r}")
    return gains[nonlinearity]


def fans(tensor: Tensor) -> tuple[int, int]:
    """``(fan_in, fan_out)`` of a weight of shape ``(out, in, ...)``.

    Raises:
        ValueError: fewer than two axes.

    >>> import gpugrad as gg
    >>> from gpugrad import nn
    >>> nn.init.fans(gg.zeros((8, 3, 5, 5)))
    (75, 200)
    """
    if tensor.ndim < 2:
        raise ValueError(f"expected a weight of shape (out, in, ...) to count inputs and outputs, got {tensor.shape}")
    window = math.prod(tensor.shape[2:])
    return tensor.shape[1] * window, tensor.shape[0] * window


def _glorot(tensor: Tensor, gain: float) -> float:
    fan_in, fan_out = fans(tensor)
    return gain * math.sqrt(2 / max(fan_in + fan_out, 1))


def _he(tensor: Tensor, a: float, mode: str, nonlinearity: str) -> float:
    if mode not in ("fan_in", "fan_out"):
        raise ValueError(f"expected the mode 'fan_in' or 'fan_out', got {mode!r}")
    fan = fans(tensor)[mode == "fan_out"]
    return calculate_gain(nonlinearity, a) / math.sqrt(max(fan, 1))


def xavier_uniform_(tensor: Tensor, gain: float = 1.0, generator: Generator | None = None) -> Tensor:
    """Uniform with variance ``gain^2 * 2 / (fan_in + fan_out)``. Source: Glorot and Bengio 2010, eq. 16.

    Raises:
        ValueError: fewer than two axes.

    >>> import gpugrad as gg
    >>> from gpugrad import nn
    >>> abs(nn.init.xavier_uniform_(gg.zeros((3, 3)))).max().item() <= 1
    True
    """
    bound = math.sqrt(3) * _glorot(tensor, gain)
    return uniform_(tensor, -bound, bound, generator)


def xavier_normal_(tensor: Tensor, gain: float = 1.0, generator: Generator | None = None) -> Tensor:
    """Normal with variance ``gain^2 * 2 / (fan_in + fan_out)``. Source: Glorot and Bengio 2010.

    Raises:
        ValueError: fewer than two axes.

    >>> import gpugrad as gg
    >>> from gpugrad import nn
    >>> nn.init.xavier_normal_(gg.zeros((3, 4))).shape
    (3, 4)
    """
    return normal_(tensor, 0.0, _glorot(tensor, gain), generator)


def kaiming_uniform_(
    tensor: Tensor, a: float = 0.0, mode: str = "fan_in", nonlinearity: str = "leaky_relu",
    generator: Generator | None = None,
) -> Tensor:  # fmt: skip
    """Uniform with variance ``gain^2 / fan``.

    Args:
        tensor: a weight of shape ``(out, in, ...)``.
        a: the negative slope of ``"leaky_relu"``; 0 is ReLU.
        mode: ``"fan_in"`` keeps the variance of the values, ``"fan_out"`` that of the gradients.
        nonlinearity: as for :func:`calculate_gain`.
        generator: where the numbers come from.

    Raises:
        ValueError: fewer than two axes, or a name that is not known.

    Source: He et al. 2015, eq. 14.

    >>> import gpugrad as gg
    >>> from gpugrad import nn
    >>> abs(nn.init.kaiming_uniform_(gg.zeros((3, 6)))).max().item() <= 1
    True
    """
    bound = math.sqrt(3) * _he(tensor, a, mode, nonlinearity)
    return uniform_(tensor, -bound, bound, generator)


def kaiming_normal_(
    tensor: Tensor, a: float = 0.0, mode: str = "fan_in", nonlinearity: str = "leaky_relu",
    generator: Generator | None = None,
) -> Tensor:  # fmt: skip
    """Normal with variance ``gain^2 / fan``; arguments as for :func:`kaiming_uniform_`. Source: He et al. 2015.

    Raises:
        ValueError: fewer than two axes, or a name that is not known.

    >>> import gpugrad as gg
    >>> from gpugrad import nn
    >>> nn.init.kaiming_normal_(gg.zeros((3, 6)), nonlinearity="relu").shape
    (3, 6)
    """
    return normal_(tensor, 0.0, _he(tensor, a, mode, nonlinearity), generator)
