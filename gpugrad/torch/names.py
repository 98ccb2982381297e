"""The functions of ``torch`` that are no methods of Tensors: what makes tensors, and what asks and switches.

A name stands beside a function with PyTorch's parameters, or beside a sentence that says what to write instead. What is
a method too comes from :mod:`gpugrad.ops.pytorch`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import gpugrad as gg

from .. import backend, random
from ..core import Tensor, modes
from ..ops import creation, pytorch, shaping, stacking
from ..ops.dims import MEANINGS, respelled
from ..ops.pytorch_shapes import sizes, transposed

LAYOUT = ("layout", "memory_format", "pin_memory", "names", "out")
"""Arguments of functions that make tensors which say how memory lies; ``None`` and the defaults are accepted."""

Size = tuple[int, ...]
"""``x.shape`` is a tuple."""


class Generator(random.Generator):
    """``torch.Generator``: a :class:`gpugrad.random.Generator` with PyTorch's names.

    >>> Generator().manual_seed(7).initial_seed()
    7
    """

    def __init__(self, device: Any = None) -> None:
        super().__init__()

    def __reduce__(self) -> tuple[Any, ...]:
        return _generator, (self.state,)

    def manual_seed(self, seed: int) -> Generator:
        """Begin the sequence of ``seed``."""
        self.seed(seed)
        return self

    def initial_seed(self) -> int:
        """The seed of the sequence."""
        return self.state[0]

    def get_state(self) -> tuple[int, int]:
        """Seed and counter."""
        return self.state

    def set_state(self, state: tuple[int, int]) -> Generator:
        """Go on with what :meth:`get_state` gave."""
        self.state = state
        return self


def _generator(state: tuple[int, int]) -> Generator:
    return Generator().set_state(state)


def manual_seed(seed: int) -> random.Generator:
    """Begin the sequence of ``seed`` of the default generator; negative numbers count from the end, as in PyTorch.

    >>> import gpugrad as gg
    >>> _ = gg.manual_seed(0)
    >>> gg.rand(2).shape
    (2,)
    """
    random.default_generator.seed(int(seed) % 2**64)
    return random.default_generator


# ---------------------------------------------------------------- new tensors


def _finished(name: str, made: Tensor, requires_grad: bool, layout: dict[str, Any]) -> Tensor:
    for key, value in layout.items():
        if key not in LAYOUT:
            raise TypeError(f"{name}: unknown argument {key}={value!r}")
        if key == "out" and value is not None:
            raise TypeError(f"{name}: nothing is written into out: write x = {name}(...)")
    return made.requires_grad_() if requires_grad else made


def _filled(name: str, function: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """``torch.zeros(2, 3)`` and its like: sizes one by one, or as one sequence."""

    def make(*size: Any, dtype: Any = None, device: Any = None, requires_grad: bool = False, **layout: Any) -> Tensor:
        shape = sizes((layout.pop("size"),) if "size" in layout else size)
        return _finished(name, function(shape, dtype=dtype, device=device), requires_grad, layout)

    return make


def _random(name: str, method: str) -> Callable[..., Tensor]:
    """``torch.rand(2, 3)`` and ``torch.randn(2, 3)``."""

    def make(
        *size: Any, dtype: Any = None, device: Any = None, requires_grad: bool = False, generator: Any = None,
        **layout: Any,
    ) -> Tensor:  # fmt: skip
        source = generator or random.default_generator
        shape = sizes((layout.pop("size"),) if "size" in layout else size)
        wanted = modes.get_default_dtype() if dtype is None else backend.as_dtype(dtype)
        made = getattr(source, method)(shape, _exact(wanted), device)
        return _finished(name, creation.astype(made, wanted, copy=False), requires_grad, layout)

    return make


def _exact(dtype: Any) -> Any:
    """The dtype in which random numbers of a dtype are drawn."""
    return backend.dtypes.float32 if backend.is_short(dtype) else dtype


def _like(make: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """``torch.randn_like(x)``: of the shape, dtype and device of ``x``."""

    def like(input: Tensor, *args: Any, dtype: Any = None, device: Any = None, **options: Any) -> Tensor:
        return make(*args, size=input.shape, dtype=dtype or input.dtype, device=device or input.device, **options)

    return like


def _filled_like(name: str, function: Callable[..., Tensor]) -> Callable[..., Tensor]:
    def like(
        input: Tensor, *value: Any, dtype: Any = None, device: Any = None, requires_grad: bool = False, **layout: Any
    ) -> Tensor:
        values = (layout.pop("fill_value"),) if "fill_value" in layout else value
        made = function(input.detach(), *values, dtype=dtype, device=device)
        return _finished(name, made, requires_grad, layout)

    return like


def randint(
    low: int, high: int | None = None, size: Any = None, *, dtype: Any = None, device: Any = None,
    requires_grad: bool = False, generator: Any = None, **layout: Any,
) -> Tensor:  # fmt: skip
    """Integers from ``low`` to ``high`` without it, in the shape ``size``; with one number, from 0 on.

    >>> import gpugrad as gg
    >>> gg.randint(10, (2, 3)).shape
    (2, 3)
    """
    if size is None:  # randint(high, size)
        if high is None:
            raise TypeError("randint: expected a size, as in randint(low, high, (2, 3))")
        low, high, size = 0, low, high
    elif high is None:
        low, high = 0, low
    source = generator or random.default_generator
    made = source.integers(low, high, size=sizes((size,)), device=device)
    return _finished("randint", made if dtype is None else creation.astype(made, dtype), requires_grad, layout)


def randperm(n: int, *, dtype: Any = None, device: Any = None, generator: Any = None, **layout: Any) -> Tensor:
    """The numbers 0 to n - 1 in a random order."""
    made = (generator or random.default_generator).permutation(n, device=device)
    return _finished("randperm", made if dtype is None else creation.astype(made, dtype), False, layout)


def normal(
    mean: Any = 0.0, std: Any = 1.0, size: Any = None, *, dtype: Any = None, device: Any = None, generator: Any = None,
    requires_grad: bool = False, **layout: Any,
) -> Tensor:  # fmt: skip
    """Normal numbers of a mean and a standard deviation, which may be tensors."""
    like = next((v for v in (mean, std) if isinstance(v, Tensor)), None)
    shape = size if size is not None else stacking.broadcast_arrays(*map(creation.asarray, (mean, std)))[0].shape
    place = device if device is not None else None if like is None else like.device
    drawn = randn(
        *sizes((shape,)), dtype=dtype or (like.dtype if like is not None else None), device=place, generator=generator
    )
    return _finished("normal", (mean + std * drawn).detach(), requires_grad, layout)


def bernoulli(input: Tensor, *, generator: Any = None) -> Tensor:
    """1 with the probability that each element is, else 0."""
    drawn = rand(*input.shape, dtype=_exact(input.dtype), device=input.device, generator=generator)
    return creation.astype(drawn < input.detach(), input.dtype)


def multinomial(input: Tensor, num_samples: int, replacement: bool = False, *, generator: Any = None) -> Tensor:
    """Indices drawn with the given weights, ``(N, num_samples)`` for ``(N, C)``.

    Raises:
        ValueError: a weight is negative or not finite, a row has none, or too many are drawn without replacement.

    Without replacement: the largest keys ``log(u) / w`` (Efraimidis and Spirakis 2006).
    """
    weights = input.detach().astype(gg.float64)
    if weights.ndim not in (1, 2) or not bool((gg.isfinite(weights) & (weights >= 0)).all()):
        raise ValueError(f"multinomial: expected finite weights of at least 0, (C,) or (N, C), got shape {input.shape}")
    enough = gg.sum(weights > 0, axis=-1)
    if not bool((enough >= (1 if replacement else num_samples)).all()):
        raise ValueError(f"multinomial: cannot draw {num_samples} of {enough.tolist()} elements with a weight")
    shape = (*weights.shape[:-1], num_samples if replacement else weights.shape[-1])
    drawn = rand(*shape, dtype=gg.float64, device=input.device, generator=generator)
    if not replacement:
        keys = gg.where(weights > 0, gg.log1p(-drawn) / gg.where(weights > 0, weights, 1), -math.inf)
        return gg.topk(keys, num_samples).indices  # type: ignore[no-any-return]
    ends = gg.cumsum(weights, -1)
    below = drawn[..., :, None] * ends[..., None, -1:] >= ends[..., None, :]
    last = weights.shape[-1] - 1 - gg.argmax(gg.flip(weights > 0, -1), axis=-1)
    drawn_at: Tensor = gg.minimum(gg.sum(below, axis=-1), last[..., None])
    return drawn_at


rand, randn = _random("rand", "random"), _random("randn", "standard_normal")


def from_numpy(array: Any) -> Tensor:
    """A tensor of a NumPy array, whose memory it shares; writing to the tensor gives it memory of its own.

    >>> import gpugrad as gg, numpy
    >>> gg.from_numpy(numpy.arange(3))
    tensor([0, 1, 2])
    """
    return creation.asarray(array)


def cat(tensors: Sequence[Any], dim: int = 0, *, out: None = None) -> Tensor:
    """Tensors joined along an axis: :func:`gpugrad.concat`.

    >>> import gpugrad as gg
    >>> gg.cat([gg.ones((1, 2)), gg.zeros((1, 2))], dim=1).shape
    (1, 4)
    """
    return shaping.concat(tensors, dim)


def _arange(
    start: Any = 0, end: Any = None, step: Any = 1, *, dtype: Any = None, device: Any = None,
    requires_grad: bool = False, **layout: Any,
) -> Tensor:  # fmt: skip
    first, last = (0, start) if end is None else (start, end)
    return _finished("arange", creation.arange(first, last, step, dtype=dtype, device=device), requires_grad, layout)


def _spaced(name: str) -> Callable[..., Tensor]:
    def make(
        start: Any, end: Any, steps: int, *, dtype: Any = None, device: Any = None, requires_grad: bool = False,
        **layout: Any,
    ) -> Tensor:  # fmt: skip
        base = {"base": layout.pop("base")} if "base" in layout else {}
        made = getattr(gg, name)(start, end, steps, dtype=dtype, device=device, **base)
        return _finished(name, made, requires_grad, layout)

    return make


def _eye(
    n: int, m: int | None = None, *, dtype: Any = None, device: Any = None, requires_grad: bool = False, **layout: Any
) -> Tensor:
    return _finished("eye", creation.eye(n, m, dtype=dtype, device=device), requires_grad, layout)


def _full(
    size: Any, fill_value: Any, *, dtype: Any = None, device: Any = None, requires_grad: bool = False, **layout: Any
) -> Tensor:
    made = creation.full(sizes((size,)), fill_value, dtype=dtype, device=device)
    return _finished("full", made, requires_grad, layout)


def _meshgrid(*tensors: Any, indexing: str | None = None) -> tuple[Tensor, ...]:
    if indexing is None:
        raise TypeError(
            "meshgrid: PyTorch's default is indexing='ij', NumPy's 'xy': say which, with indexing='ij' or 'xy'"
        )
    given = tensors[0] if len(tensors) == 1 and isinstance(tensors[0], list | tuple) else tensors
    return tuple(stacking.meshgrid(*given, indexing=indexing))


def _indices(upper: bool) -> Callable[..., Tensor]:
    def make(row: int, col: int, offset: int = 0, *, dtype: Any = None, device: Any = None) -> Tensor:
        ones = creation.ones((row, col), dtype=gg.bool, device=device)
        kept = gg.triu(ones, k=offset) if upper else gg.tril(ones, k=offset)
        return gg.stack(gg.nonzero(kept))

    return make


def _extreme(name: str) -> Callable[..., Any]:
    """``torch.max(x)`` and ``torch.max(x, y)``; with an axis PyTorch gives a pair."""

    def call(input: Tensor, other: Any = None, **named: Any) -> Tensor:
        if isinstance(other, Tensor):
            return getattr(gg, f"{name}imum")(input, other)  # type: ignore[no-any-return]
        if other is not None or named:
            raise TypeError(f"{name}: {MEANINGS[name]}")
        return getattr(gg, name)(input)  # type: ignore[no-any-return]

    return call


def _nonzero(input: Tensor, *, as_tuple: bool = False) -> Any:
    if not as_tuple:
        raise TypeError(f"nonzero: {MEANINGS['nonzero']}")
    return gg.nonzero(input)


def _where(condition: Any, *branches: Any) -> Any:
    return gg.where(condition, *branches) if branches else gg.nonzero(condition)


def _bucketize(input: Any, boundaries: Any, *, out_int32: bool = False, right: bool = False) -> Tensor:
    return gg.searchsorted(boundaries, input, side="right" if right else "left")  # type: ignore[no-any-return]


def _searchsorted(
    sorted_sequence: Any, input: Any, *, out_int32: bool = False, right: bool = False, side: str | None = None
) -> Tensor:
    return gg.searchsorted(sorted_sequence, input, side=side or ("right" if right else "left"))  # type: ignore[no-any-return]


def _tensordot(a: Tensor, b: Tensor, dims: Any = 2) -> Tensor:
    return gg.tensordot(a, b, axes=dims)  # type: ignore[no-any-return]


def _einsum(equation: str, *operands: Any) -> Tensor:
    return gg.einsum(  # type: ignore[no-any-return]
        equation, *(operands[0] if len(operands) == 1 and isinstance(operands[0], list | tuple) else operands)
    )


def _stacked(name: str) -> Callable[..., Tensor]:
    return lambda tensors, dim=0: getattr(gg, name)(tensors, dim)


def _cdist(x1: Tensor, x2: Tensor, p: float = 2.0, **mode: Any) -> Tensor:
    return gg.nn.functional.cdist(x1, x2, p)


def _mean_and(name: str) -> Callable[..., tuple[Tensor, Tensor]]:
    def call(
        input: Tensor, dim: Any = None, keepdim: bool = False, *, correction: Any = None, unbiased: Any = None
    ) -> Any:
        spread = pytorch.BOTH[name](input, dim, unbiased, keepdim, correction=correction)
        return spread, gg.mean(input, axis=dim, keepdims=keepdim)

    return call


def is_tensor(obj: Any) -> bool:
    """Whether an object is a Tensor."""
    return isinstance(obj, Tensor)


def as_tensor(data: Any, dtype: Any = None, device: Any = None) -> Tensor:
    """``data`` as a tensor, sharing memory where it can."""
    return creation.asarray(data, dtype=dtype, device=device)


def compile(model: Any = None, **options: Any) -> Any:
    """``model`` as it is: :mod:`gpugrad` compiles kernels by itself. Options are accepted."""
    return (lambda found: found) if model is None else model


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "adjoint": lambda input: gg.conj(gg.matrix_transpose(input)),
    "arange": _arange,
    "as_tensor": as_tensor,
    "asarray": as_tensor,
    "bernoulli": bernoulli,
    "block_diag": lambda *tensors: gg.linalg.block_diag(*tensors),
    "bucketize": _bucketize,
    "cat": cat,
    "cdist": _cdist,
    "compile": compile,
    "concat": cat,
    "concatenate": cat,
    "einsum": _einsum,
    "empty": _filled("empty", creation.empty),
    "empty_like": _filled_like("empty_like", creation.empty_like),
    "eye": _eye,
    "from_numpy": from_numpy,
    "full": _full,
    "full_like": _filled_like("full_like", creation.full_like),
    "is_complex": lambda input: input.is_complex(),
    "is_floating_point": lambda input: input.is_floating_point(),
    "is_tensor": is_tensor,
    "linspace": _spaced("linspace"),
    "logspace": _spaced("logspace"),
    "manual_seed": manual_seed,
    "max": _extreme("max"),
    "meshgrid": _meshgrid,
    "min": _extreme("min"),
    "multinomial": multinomial,
    "nonzero": _nonzero,
    "normal": normal,
    "numel": lambda input: input.numel(),
    "ones": _filled("ones", creation.ones),
    "ones_like": _filled_like("ones_like", creation.ones_like),
    "polygamma": lambda n, input: gg.special.polygamma(n, input),
    "rand": rand,
    "rand_like": _like(rand),
    "randint": randint,
    "randint_like": _like(randint),
    "randn": randn,
    "randn_like": _like(randn),
    "randperm": randperm,
    "reshape": lambda input, shape: gg.reshape(input, sizes((shape,))),
    "searchsorted": _searchsorted,
    "stack": _stacked("stack"),
    "std_mean": _mean_and("std"),
    "complex": lambda real, imag: real + 1j * imag,
    "i0": lambda input: gg.special.i0(input),
    "is_nonzero": bool,
    "polar": lambda abs, angle: abs * (gg.cos(angle) + 1j * gg.sin(angle)),
    "promote_types": gg.result_type,
    "qr": lambda input, some=True: gg.linalg.qr(input, mode="reduced" if some else "complete"),
    "view_as_complex": lambda input: input[..., 0] + 1j * input[..., 1],
    "view_as_real": lambda input: gg.stack([gg.real(input), gg.imag(input)], axis=-1),
    "tensordot": _tensordot,
    "transpose": transposed,
    "tril_indices": _indices(upper=False),
    "triu_indices": _indices(upper=True),
    "var_mean": _mean_and("var"),
    "where": _where,
    "zeros": _filled("zeros", creation.zeros),
    "zeros_like": _filled_like("zeros_like", creation.zeros_like),
}  # fmt: skip
"""What is a function only, with PyTorch's parameters."""

FOUND_IN_GPUGRAD = [
    "array_split", "autograd", "atleast_1d", "atleast_2d", "atleast_3d", "autocast", "bool", "broadcast_shapes",
    "broadcast_tensors", "can_cast", "column_stack", "complex128", "complex64", "device", "distributions", "dsplit",
    "dstack", "e", "enable_grad", "finfo", "float16", "float32", "float64", "from_dlpack", "get_default_device",
    "get_default_dtype", "get_num_threads", "hsplit", "hstack", "iinfo", "inf", "int16", "int32", "int64", "int8",
    "is_grad_enabled", "load", "nan", "newaxis", "no_grad", "pi", "result_type", "save", "set_default_device",
    "set_default_dtype", "set_grad_enabled", "set_num_threads", "tensor", "Tensor", "trapezoid", "uint8", "uint16",
    "uint32", "uint64", "vander", "vmap", "vsplit", "vstack",
]  # fmt: skip
"""What gpugrad has under the same name, with the same parameters."""

RENAMED: dict[str, str] = {
    "broadcast_tensors": "broadcast_arrays", "cfloat": "complex64", "cdouble": "complex128", "double": "float64",
    "float": "float32", "half": "float16", "inference_mode": "no_grad", "int": "int32", "long": "int64",
    "short": "int16", "trapz": "trapezoid",
}  # fmt: skip
"""Other names of the same."""

FUNCTIONAL = [
    "alpha_dropout", "batch_norm", "bilinear", "celu", "channel_shuffle", "conv1d", "conv2d", "conv3d",
    "conv_transpose1d", "conv_transpose2d", "conv_transpose3d", "cosine_similarity", "dropout", "group_norm",
    "layer_norm", "pairwise_distance", "pdist", "pixel_shuffle", "pixel_unshuffle", "prelu", "rms_norm", "rrelu",
    "selu", "threshold",
]  # fmt: skip
"""What ``torch`` has of ``torch.nn.functional``, with the same parameters."""

NUMPYS = ("i0", "promote_types", "tril_indices", "triu_indices")
"""Names of NumPy too, where some mean something else: they are in :mod:`gpugrad.torch` only."""

TYPED = "write torch.tensor(data, dtype=torch.{0}), or torch.empty(sizes, dtype=torch.{0})"

SENTENCES: dict[str, str] = {
    **{name: MEANINGS[name] for name in ("equal", "median", "sort", "split")},
    **{name: pytorch.SENTENCES[name] for name in (
        "as_strided", "cummax", "cummin", "histc", "kthvalue", "mode", "scatter_reduce", "svd", "unique_consecutive"
    )},
    **dict.fromkeys(
        ("bartlett_window", "blackman_window", "hamming_window", "hann_window", "kaiser_window"),
        "write gg.asarray(scipy.signal.get_window(name, n), dtype=gg.float32)",
    ),
    **{f"{name}Tensor": TYPED.format(dtype) for name, dtype in {
        "Bool": "bool", "Byte": "uint8", "Double": "float64", "Float": "float32", "Half": "float16", "Int": "int32",
        "Long": "int64",
    }.items()},
    "cartesian_prod": "write gg.stack([g.ravel() for g in torch.meshgrid(*xs, indexing='ij')], axis=1)",
    "combinations": "write x[numpy.array(list(itertools.combinations(range(len(x)), r)))]",
    "hub": "download the weights and read them with gg.load",
    "jit": "gg.jit(function) records a training step or a model, and replays it",
    "nanmedian": "PyTorch takes the lower of two middle elements, gg.nanmedian(x, axis=dim) their mean",
    "quantize_per_tensor": "there are no quantized tensors",
    "set_printoptions": "write numpy.set_printoptions(...), which Tensors follow",
    "sparse_coo_tensor": "there are no sparse tensors: use indices and x.scatter_add(...)",
    "stft": "write gg.fft.rfft(window * gg.sliding_window_view(x, n)[..., ::hop, :])",
    "use_deterministic_algorithms": "results do not depend on the order of threads: leave it out",
}  # fmt: skip
"""Names of ``torch`` that are not here, and what to write instead."""


def offered(name: str, module: str = "gpugrad") -> Any:
    """What a name of ``torch`` is, for a module that does not have it.

    Raises:
        AttributeError: with a sentence where PyTorch means something else or nothing corresponds; without one for a
            name that is not known.
    """
    for table in (FUNCTIONS, pytorch.BOTH):
        if name in table and not (name in NUMPYS and module == "gpugrad"):
            return table[name]
    if name in pytorch.SAME:
        return spelled(pytorch.named(name))
    if name in RENAMED:
        return getattr(gg, RENAMED[name])
    if name == "bfloat16":
        return backend.as_dtype(name)
    sentence = SENTENCES.get(name)
    if sentence is None and name in pytorch.METHODS:
        sentence = f"it is a method of tensors: write x.{name}(...)"
    raise AttributeError(f"module {module!r} has no attribute {name!r}{f': {sentence}' if sentence else ''}")


def found(name: str) -> Any:
    """What a name of ``torch`` is in :mod:`gpugrad.torch`; raises as :func:`offered`."""
    if name in FOUND_IN_GPUGRAD and name not in RENAMED:
        return getattr(gg, name)
    if name in FUNCTIONAL:
        return getattr(gg.nn.functional, name)
    return offered(name, "gpugrad.torch")


def known() -> set[str]:
    """The names that are here."""
    here = {*FUNCTIONS, *pytorch.BOTH, *pytorch.SAME, *RENAMED, *FOUND_IN_GPUGRAD, *FUNCTIONAL, "bfloat16"}
    return {name for name in here if name not in FOUND_IN_GPUGRAD or hasattr(gg, RENAMED.get(name, name))}


def spelled(function: Callable[..., Any]) -> Callable[..., Any]:
    """A function of gpugrad that takes PyTorch's keywords ``input``, ``other``, ``dim`` and ``keepdim``."""

    def call(*args: Any, **kwargs: Any) -> Any:
        if kwargs:
            if kwargs.pop("out", None) is not None:
                raise TypeError(f"{function.__name__}: nothing is written into out: write x = {function.__name__}(...)")
            arrays = [kwargs.pop(name) for name in ("input", "other") if name in kwargs]
            args, kwargs = (*arrays, *args) if len(arrays) > 1 or not args else (*args, *arrays), respelled(kwargs)
        return function(*args, **kwargs)

    call.__name__ = call.__qualname__ = function.__name__
    call.__doc__ = function.__doc__
    return call
