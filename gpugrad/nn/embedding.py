"""Tables of vectors that are learned."""

from __future__ import annotations

from typing import Any, ClassVar, Self

from ..backend import Device
from ..core import Tensor, check_unconnected
from ..core.modes import no_grad
from ..ops.creation import asarray, empty
from . import functional, init
from .functional.embedding import MODES, place_of_padding
from .module import Module
from .parameter import Parameter


class _Table(Module):
    """What both kinds of embedding are: a table, and how it is used."""

    USUAL: ClassVar[dict[str, Any]] = {
        "padding_idx": None, "max_norm": None, "norm_type": 2.0, "scale_grad_by_freq": False
    }  # fmt: skip

    def __init__(
        self, num_embeddings: int, embedding_dim: int, padding_idx: int | None, max_norm: float | None,
        norm_type: float, scale_grad_by_freq: bool, sparse: bool, device: Device | str | None, dtype: Any,
    ) -> None:  # fmt: skip
        super().__init__()
        name = type(self).__name__
        if sparse:
            raise ValueError(f"{name}: expected sparse=False, there are no sparse gradients; got {sparse!r}")
        self.num_embeddings, self.embedding_dim = num_embeddings, embedding_dim
        self.padding_idx = place_of_padding(name, padding_idx, num_embeddings)
        self.max_norm, self.norm_type, self.scale_grad_by_freq = max_norm, norm_type, scale_grad_by_freq
        self.weight = Parameter(empty((num_embeddings, embedding_dim), dtype=dtype, device=device))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw the table anew: from a standard normal distribution, with 0 for padding."""
        init.normal_(self.weight)
        if self.padding_idx is not None:
            with no_grad():
                self.weight[self.padding_idx] = 0.0

    @classmethod
    def from_pretrained(cls, embeddings: Tensor, freeze: bool = True, **options: Any) -> Self:
        """A table with these vectors, which is not to be learned unless ``freeze=False``.

        Args:
            embeddings: shape ``(V, D)``; copied.
            freeze: whether the table stays as it is.
            options: those of the class.

        Raises:
            ValueError: another number of axes.

        >>> import gpugrad as gg
        >>> from gpugrad import nn
        >>> nn.Embedding.from_pretrained(gg.tensor([[1.0, 2.0], [3.0, 4.0]]))(gg.tensor([1]))
        tensor([[3., 4.]])
        """
        given = asarray(embeddings)
        if given.ndim != 2:
            raise ValueError(f"{cls.__name__}.from_pretrained: expected shape (V, D), got {given.shape}")
        kind: Any = cls  # each has arguments of its own
        made: Self = kind(*given.shape, **options, device=given.device, dtype=given.dtype)
        check_unconnected("from_pretrained", given)
        with no_grad():
            made.weight[...] = given
        made.weight.requires_grad = not freeze
        return made

    def extra_repr(self) -> str:
        """Sizes, and what is not as usual."""
        said = [f"{k}={getattr(self, k)!r}" for k, v in self.USUAL.items() if getattr(self, k) != v]
        return ", ".join([f"{self.num_embeddings}, {self.embedding_dim}", *said])


class Embedding(_Table):
    """A vector for each index: :func:`gpugrad.nn.functional.embedding`.

    Args:
        num_embeddings: V, how many there are.
        embedding_dim: D, their size.
        padding_idx: a row that begins as 0 and gets no gradient.
        max_norm, norm_type, scale_grad_by_freq, sparse: as there.
        device, dtype: of the table; None for the defaults.

    Shapes: ``(...)`` to ``(..., D)``; weight ``(V, D)``, from a standard normal distribution. Source:
    ``torch.nn.Embedding``.

    Raises:
        ValueError: there is no row ``padding_idx``, or ``sparse`` is asked for.

    >>> import gpugrad as gg
    >>> from gpugrad import nn
    >>> nn.Embedding(10, 3)(gg.tensor([[1, 2], [4, 9]])).shape
    (2, 2, 3)
    """

    def __init__(
        self, num_embeddings: int, embedding_dim: int, padding_idx: int | None = None, max_norm: float | None = None,
        norm_type: float = 2.0, scale_grad_by_freq: bool = False, sparse: bool = False,
        device: Device | str | None = None, dtype: Any = None,
    ) -> None:  # fmt: skip
        super().__init__(
            num_embeddings, embedding_dim, padding_idx, max_norm, norm_type, scale_grad_by_freq, sparse, device, dtype
        )

    def forward(self, input: Tensor) -> Tensor:
        return functional.embedding(
            input, self.weight, self.padding_idx, self.max_norm, self.norm_type, self.scale_grad_by_freq
        )


class EmbeddingBag(_Table):
    """The sum, mean or maximum of the vectors of a bag of indices: :func:`gpugrad.nn.functional.embedding_bag`.

    Args:
        num_embeddings: V, how many vectors there are.
        embedding_dim: D, their size.
        max_norm, norm_type, scale_grad_by_freq, mode, sparse, include_last_offset, padding_idx: as there.
        device, dtype: of the table; None for the defaults.

    Shapes: ``(B, N)``, or ``(N,)`` with offsets ``(B,)``, to ``(B, D)``; weight ``(V, D)``, from a standard normal
    distribution. Source: ``torch.nn.EmbeddingBag``.

    Raises:
        ValueError: the mode is not known, there is no row ``padding_idx``, or ``sparse`` is asked for.

    >>> import gpugrad as gg
    >>> from gpugrad import nn
    >>> nn.EmbeddingBag(10, 3, mode="sum")(gg.tensor([1, 2, 4, 9]), gg.tensor([0, 3])).shape
    (2, 3)
    """

    USUAL: ClassVar[dict[str, Any]] = {
        "max_norm": None, "norm_type": 2.0, "scale_grad_by_freq": False, "mode": None, "padding_idx": None
    }  # fmt: skip

    def __init__(
        self, num_embeddings: int, embedding_dim: int, max_norm: float | None = None, norm_type: float = 2.0,
        scale_grad_by_freq: bool = False, mode: str = "mean", sparse: bool = False, include_last_offset: bool = False,
        padding_idx: int | None = None, device: Device | str | None = None, dtype: Any = None,
    ) -> None:  # fmt: skip
        if mode not in MODES:
            raise ValueError(f"EmbeddingBag: expected mode 'sum', 'mean' or 'max', got {mode!r}")
        super().__init__(
            num_embeddings, embedding_dim, padding_idx, max_norm, norm_type, scale_grad_by_freq, sparse, device, dtype
        )
        self.mode, self.include_last_offset = mode, include_last_offset

    def forward(self, input: Tensor, offsets: Tensor | None = None, per_sample_weights: Tensor | None = None) -> Tensor:
        return functional.embedding_bag(
            input, self.weight, offsets, self.max_norm, self.norm_type, self.scale_grad_by_freq, self.mode, False,
            per_sample_weights, self.include_last_offset, self.padding_idx,
        )  # fmt: skip
