"""Values for parameters to begin with. All change a leaf in place and return it.

For a weight of shape ``(out, in, ...)``, as of :class:`gpugrad.nn.Linear` and convolutions, ``fan_in`` is the number
of inputs to one output, ``in * ...``, and ``fan_out`` that of outputs from one input, ``out * ...``. A sum of
``fan_in`` independent terms with weights of variance v has ``fan_in v`` times their variance: v is chosen to keep it.

    glorot (xavier): v = gain^2 * 2 / (fan_in + fan_out)     Glorot and Bengio 2010
    he (kaiming):    v = gain^2 / fan_in                     He et al. 2015
    uniform in (-b, b) has variance b^2 / 3, so b = sqrt(3 v)
    orthogonal:      W W^T = I, which keeps lengths exactly  Saxe et al. 2014

Glorot and Bengio wanted both the values forward and the gradients backward to keep their variance, which would need
``fan_in v = 1`` and ``fan_out v = 1``, and took the mean of the two conditions. He et al. found either one sufficient,
since the factors of a chain of layers telescope, and doubled it for ReLU.

The gain makes up for what the activation function after it takes away (:func:`calculate_gain`). The numbers come from
``gpugrad.random``, or from the ``generator`` that is given. Source of the names: ``torch.nn.init``.
"""

from __future__ import annotations

import math
from typing import Any

from .. import backend, random
from ..core import GradientError, Tensor, check_unconnected
from ..ops.arithmetic import clip, multiply, where
from ..ops.creation import astype, eye, zeros
from ..ops.decompositions import qr
from ..ops.diagonals import diagonal
from ..ops.selection import argsort
from ..ops.shaping import reshape
from ..ops.special import erfinv
from ..random import Generator


def _write(name: str, tensor: Tensor, value: Any) -> Tensor:
    """Write into the memory of a leaf; outside the graph, so it is no matter whether it is recorded."""
    if not tensor.is_leaf:
        raise GradientError(f"{name}: only a leaf has a value of its own to begin with, this is the result of "
                            f"{tensor.node.name if tensor.node else 'an operation'}")  # fmt: skip
    check_unconnected(name, value)
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


def trunc_normal_(
    tensor: Tensor, mean: float = 0.0, std: float = 1.0, a: float = -2.0, b: float = 2.0,
    generator: Generator | None = None,
) -> Tensor:  # fmt: skip
    """Normal with this mean and standard deviation, of which only what falls into [a, b] is kept.

    ``x = mean + std * Phi^-1(u)`` with u uniform between ``Phi((a - mean) / std)`` and ``Phi((b - mean) / std)``, where
    Phi is the normal distribution function: the inverse method, with no number drawn in vain.

    Args:
        tensor: a leaf.
        mean: of the normal distribution before it is cut.
        std: its standard deviation.
        a: the least value.
        b: the largest value.
        generator: where the numbers come from.

    Raises:
        ValueError: ``a`` is not less than ``b``, or ``std`` is not positive.

    Source: ``torch.nn.init.trunc_normal_``.

    >>> import gpugrad as gg
    >>> from gpugrad import nn
    >>> abs(nn.init.trunc_normal_(gg.zeros(1000))).max().item() <= 2
    True
    """
    if not a < b:
        raise ValueError(f"trunc_normal_: expected a < b, got a={a} and b={b}")
    if not std > 0:
        raise ValueError(f"trunc_normal_: expected a positive std, got {std}")
    low, high = ((1 + math.erf((bound - mean) / std / math.sqrt(2))) / 2 for bound in (a, b))
    source = generator or random.default_generator
    u = source.uniform(2 * low - 1, 2 * high - 1, tensor.shape, tensor.dtype, tensor.device)
    x = multiply(erfinv(u), std * math.sqrt(2)) + mean
    return _write("trunc_normal_", tensor, clip(x, a, b))


def eye_(tensor: Tensor) -> Tensor:
    """The identity matrix: ones where row and column are the same.

    Raises:
        ValueError: it has not two axes.

    >>> import gpugrad as gg
    >>> from gpugrad import nn
    >>> nn.init.eye_(gg.zeros((2, 3))).tolist()
    [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]
    """
    if tensor.ndim != 2:
        raise ValueError(f"eye_: expected a matrix, got shape {tensor.shape}")
    return _write("eye_", tensor, eye(*tensor.shape, dtype=tensor.dtype, device=tensor.device))


def dirac_(tensor: Tensor, groups: int = 1) -> Tensor:
    """A one in the middle of the window where channel in and channel out are the same: the input goes through.

    Args:
        tensor: a weight of a convolution, shape ``(out, in, ...)`` with one to three axes of the window.
        groups: each group of outputs gets the inputs from the first on.

    Raises:
        ValueError: it has another number of axes, or ``groups`` does not divide the outputs.

    Source: ``torch.nn.init.dirac_``.

    >>> import gpugrad as gg
    >>> from gpugrad import nn
    >>> nn.init.dirac_(gg.zeros((2, 2, 3))).tolist()
    [[[0.0, 1.0, 0.0], [0.0, 0.0, 0.0]], [[0.0, 0.0, 0.0], [0.0, 1.0, 0.0]]]
    """
    if tensor.ndim not in (3, 4, 5):
        raise ValueError(f"dirac_: expected 3, 4 or 5 axes, got shape {tensor.shape}")
    out, inside, *window = tensor.shape
    if groups < 1 or out % groups:
        raise ValueError(f"dirac_: expected groups to divide the {out} outputs, got {groups}")
    value = zeros(tensor.shape, dtype=tensor.dtype, device=tensor.device)
    each = out // groups
    for row in range(out):
        if row % each < inside:
            value[(row, row % each, *(n // 2 for n in window))] = 1.0
    return _write("dirac_", tensor, value)


def orthogonal_(tensor: Tensor, gain: float = 1.0, generator: Generator | None = None) -> Tensor:
    """Orthonormal rows, or columns if these are fewer, all such matrices being equally likely, times ``gain``.

    The Q of a normal matrix, its columns multiplied by the signs of R's diagonal (Mezzadri 2007). Axes beyond the first
    count as one.

    Args:
        tensor: shape ``(out, in, ...)``.
        gain: a factor.
        generator: where the numbers come from.

    Raises:
        ValueError: fewer than two axes.

    Source: Saxe et al. 2014, "Exact solutions to the nonlinear dynamics of learning in deep linear neural networks".

    >>> import gpugrad as gg
    >>> from gpugrad import nn
    >>> w = nn.init.orthogonal_(gg.zeros((3, 5), dtype=gg.float64))
    >>> gg.allclose(w @ w.T, gg.eye(3, dtype=gg.float64))
    True
    """
    if tensor.ndim < 2:
        raise ValueError(f"orthogonal_: expected at least two axes, got shape {tensor.shape}")
    if tensor.size == 0:
        return tensor
    rows, columns = tensor.shape[0], tensor.size // tensor.shape[0]
    source = generator or random.default_generator
    shape = (max(rows, columns), min(rows, columns))
    drawn = source.normal(0.0, 1.0, shape, tensor.dtype, tensor.device)
    q, r = qr(drawn)
    signs = where(diagonal(r) < 0, -gain, gain)
    q = multiply(q, astype(signs, q.dtype))
    return _write("orthogonal_", tensor, reshape(q.T if rows < columns else q, tensor.shape))


def sparse_(tensor: Tensor, sparsity: float, std: float = 0.01, generator: Generator | None = None) -> Tensor:
    """Normal, but in each column the same number of rows, drawn anew for each, is 0.

    Args:
        tensor: a matrix.
        sparsity: the fraction of zeros in each column, rounded up to a number of rows.
        std: standard deviation of the others.
        generator: where the numbers come from.

    Raises:
        ValueError: it has not two axes, or ``sparsity`` is not in [0, 1].

    Source: Martens 2010, "Deep learning via Hessian-free optimization".

    >>> import gpugrad as gg
    >>> from gpugrad import nn
    >>> (nn.init.sparse_(gg.zeros((10, 2)), 0.3) == 0).sum(axis=0).tolist()
    [3, 3]
    """
    if tensor.ndim != 2:
        raise ValueError(f"sparse_: expected a matrix, got shape {tensor.shape}")
    if not 0 <= sparsity <= 1:
        raise ValueError(f"sparse_: expected a sparsity in [0, 1], got {sparsity}")
    rows, _ = tensor.shape
    source = generator or random.default_generator
    values = source.normal(0.0, std, tensor.shape, tensor.dtype, tensor.device)
    rank = argsort(argsort(source.random(tensor.shape, device=tensor.device), axis=0), axis=0)
    return _write("sparse_", tensor, where(rank < math.ceil(sparsity * rows), 0.0, values))


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
