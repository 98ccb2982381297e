"""``torch.distributions``: those that programs draw actions and latent variables from.

>>> import gpugrad as gg
>>> from gpugrad.torch.distributions import Categorical
>>> _ = gg.manual_seed(0)
>>> policy = Categorical(logits=gg.zeros((2, 3), dtype=gg.float32))
>>> action = policy.sample()
>>> policy.log_prob(action).shape
(2,)
"""

from __future__ import annotations

import math
from typing import Any

import gpugrad as gg

from ..core import Tensor
from ..core.modes import no_grad
from ..nn.functional import log_softmax, softplus
from . import names


class Distribution:
    """What they share: ``sample`` is a constant, ``rsample`` passes gradients to the parameters."""

    batch_shape: tuple[int, ...] = ()

    def sample(self, sample_shape: Any = ()) -> Tensor:
        """Values drawn, of shape ``sample_shape + batch_shape``; constants."""
        with no_grad():
            return self.rsample(sample_shape)

    def rsample(self, sample_shape: Any = ()) -> Tensor:
        """Values drawn so that gradients reach the parameters.

        Raises:
            NotImplementedError: the values are no smooth function of them.
        """
        raise NotImplementedError(f"{type(self).__name__} draws whole numbers: use sample and log_prob")

    def log_prob(self, value: Any) -> Tensor:
        """The logarithm of the probability, or of its density, of values."""
        raise NotImplementedError

    def entropy(self) -> Tensor:
        """The expectation of ``-log_prob``."""
        raise NotImplementedError


class Categorical(Distribution):
    """Numbers 0 to C - 1 with given probabilities, which need not add up to 1, or logits; shape ``(..., C)``.

    >>> import gpugrad as gg
    >>> Categorical(probs=gg.tensor([1.0, 1.0])).entropy()
    tensor(0.6931472)
    """

    def __init__(self, probs: Any = None, logits: Any = None, validate_args: bool | None = None) -> None:
        if (probs is None) == (logits is None):
            raise ValueError("Categorical: expected either probs or logits")
        if logits is None:
            weights = gg.asarray(probs)
            self.probs = weights / gg.sum(weights, axis=-1, keepdims=True)
            tiny = gg.finfo(self.probs.dtype).eps
            self.logits = gg.log(gg.clip(self.probs, float(tiny), 1 - float(tiny)))
        else:
            self.logits = log_softmax(gg.asarray(logits), -1)
            self.probs = gg.exp(self.logits)
        self.batch_shape = self.probs.shape[:-1]

    def sample(self, sample_shape: Any = ()) -> Tensor:
        """Numbers of classes, of shape ``sample_shape + batch_shape``."""
        count = math.prod(sample_shape)
        rows = gg.reshape(self.probs.detach(), (-1, self.probs.shape[-1]))
        drawn = names.multinomial(rows, count, replacement=True)
        return gg.reshape(gg.permute_dims(drawn, (1, 0)), (*sample_shape, *self.batch_shape))

    def log_prob(self, value: Any) -> Tensor:
        """The logarithms of the probabilities of classes."""
        chosen = gg.astype(gg.asarray(value, device=self.logits.device), gg.int64)
        shape = gg.broadcast_shapes(chosen.shape, self.batch_shape)
        logits = gg.broadcast_to(self.logits, (*shape, self.logits.shape[-1]))
        return gg.take_along_axis(logits, gg.broadcast_to(chosen, shape)[..., None], axis=-1)[..., 0]  # type: ignore[no-any-return]

    def entropy(self) -> Tensor:
        """``-sum p log p``."""
        return -gg.sum(self.probs * self.logits, axis=-1)


class Bernoulli(Distribution):
    """0 or 1; 1 with a given probability, or logit."""

    def __init__(self, probs: Any = None, logits: Any = None, validate_args: bool | None = None) -> None:
        if (probs is None) == (logits is None):
            raise ValueError("Bernoulli: expected either probs or logits")
        if logits is None:
            self.probs = gg.asarray(probs)
            tiny = float(gg.finfo(self.probs.dtype).eps)
            inside = gg.clip(self.probs, tiny, 1 - tiny)
            self.logits = gg.log(inside) - gg.log1p(-inside)
        else:
            self.logits = gg.asarray(logits)
            self.probs = gg.sigmoid(self.logits)
        self.batch_shape = self.probs.shape

    def sample(self, sample_shape: Any = ()) -> Tensor:
        """Zeros and ones."""
        return names.bernoulli(gg.broadcast_to(self.probs.detach(), (*sample_shape, *self.batch_shape)))

    def log_prob(self, value: Any) -> Tensor:
        """``x log p + (1 - x) log(1 - p)``."""
        return gg.asarray(value) * self.logits - softplus(self.logits)

    def entropy(self) -> Tensor:
        """``softplus(z) - p z``."""
        return softplus(self.logits) - self.probs * self.logits


class Normal(Distribution):
    """The normal distribution of a mean and a standard deviation.

    >>> import gpugrad as gg
    >>> Normal(gg.tensor(0.0), gg.tensor(1.0)).log_prob(gg.tensor(0.0))
    tensor(-0.9189385)
    """

    def __init__(self, loc: Any, scale: Any, validate_args: bool | None = None) -> None:
        given = [v for v in (loc, scale) if isinstance(v, Tensor)]
        like = given[0] if given else gg.zeros(())
        self.loc, self.scale = (
            v if isinstance(v, Tensor) else gg.full((), v, dtype=like.dtype, device=like.device) for v in (loc, scale)
        )
        self.batch_shape = gg.broadcast_shapes(self.loc.shape, self.scale.shape)

    @property
    def mean(self) -> Tensor:
        """The mean."""
        return gg.broadcast_to(self.loc, self.batch_shape)

    @property
    def stddev(self) -> Tensor:
        """The standard deviation."""
        return gg.broadcast_to(self.scale, self.batch_shape)

    @property
    def variance(self) -> Tensor:
        """The variance."""
        return gg.square(self.stddev)

    def rsample(self, sample_shape: Any = ()) -> Tensor:
        """``loc + scale * noise``."""
        shape = (*sample_shape, *self.batch_shape)
        return self.loc + self.scale * names.randn(*shape, dtype=self.loc.dtype, device=self.loc.device)

    def log_prob(self, value: Any) -> Tensor:
        """``-((x - m) / s)^2 / 2 - log s - log(2 pi) / 2``."""
        z = (gg.asarray(value) - self.loc) / self.scale
        return -z * z / 2 - gg.log(self.scale) - math.log(2 * math.pi) / 2

    def entropy(self) -> Tensor:
        """``log s + (1 + log(2 pi)) / 2``."""
        return gg.log(self.stddev) + (1 + math.log(2 * math.pi)) / 2


def kl_divergence(p: Distribution, q: Distribution) -> Tensor:
    """The Kullback-Leibler divergence of two distributions of one kind.

    Raises:
        NotImplementedError: it is not known for the two.

    >>> import gpugrad as gg
    >>> kl_divergence(Normal(gg.tensor(0.0), gg.tensor(1.0)), Normal(gg.tensor(1.0), gg.tensor(1.0)))
    tensor(0.5)
    """
    if isinstance(p, Normal) and isinstance(q, Normal):
        ratio = gg.square(p.scale / q.scale)
        return (ratio + gg.square((p.loc - q.loc) / q.scale) - 1 - gg.log(ratio)) / 2
    if isinstance(p, Categorical) and isinstance(q, Categorical):
        return gg.sum(p.probs * (p.logits - q.logits), axis=-1)
    raise NotImplementedError(f"kl_divergence: not known for {type(p).__name__} and {type(q).__name__}")


__all__ = ["Bernoulli", "Categorical", "Distribution", "Normal", "kl_divergence"]
