"""Random numbers that are the same on every device: Philox4x32-10, named as in ``numpy.random.Generator``.

    >>> import gpugrad as gg
    >>> gg.random.seed(0)
    >>> gg.random.random(3)
    tensor([0.39904642, 0.88052016, 0.73571277])

A generator is two integers, a seed and a counter of the 128-bit blocks that were used up (``generator.state``): saved
and set again, the sequence goes on where it was. The bits depend on nothing else: neither on the device nor on the
number of threads. Normals agree between devices to rounding, since ``log``, ``sin`` and ``cos`` do; everything else
agrees bitwise. The functions of this module draw from ``default_generator``, whose seed is unpredictable until
:func:`seed` is called. All results are constants on the device asked for (``None``: the default device).

A request for n numbers uses whole blocks: 4 numbers of up to 32 bits each, 2 of 64. Two requests in a row give the
numbers of one request for both, where the first is a multiple of that.

To add a distribution: a sampler in :mod:`gpugrad.kernels.philox` if it needs bits of its own, and a method here.

Source: Salmon et al. 2011 (Random123); the names are NumPy's.
"""

from __future__ import annotations

import math
import operator
import secrets
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import partial
from threading import Lock
from typing import Any

from . import backend
from .backend import Array, Device, DType
from .core import Tensor, modes
from .kernels import philox
from .kernels.philox import Sampler
from .ops.creation import astype
from .ops.inspection import broadcast_shapes

Size = int | Iterable[int] | None
DeviceLike = Device | str | None

_FORK = 1  # the tag of the blocks that seed other generators: no number is ever drawn from those


class Generator:
    """A sequence of random numbers: a function of a seed and a counter.

    Args:
        seed: 0 to 2^64 - 1.
        counter: how many blocks of the sequence are used up already.

    Raises:
        ValueError: seed or counter is outside 0 to 2^64 - 1.

    Drawing is safe from several threads: none gets the numbers of another.

    >>> generator = Generator(seed=7)
    >>> generator.integers(100, size=5)
    tensor([95, 75, 11,  8, 40])
    >>> generator.state
    (7, 2)
    """

    def __init__(self, seed: int = 0, counter: int = 0) -> None:
        self._lock = Lock()
        self.state = (seed, counter)

    def __repr__(self) -> str:
        return "Generator(seed={}, counter={})".format(*self.state)

    def __reduce__(self) -> tuple[Any, ...]:
        return Generator, self.state

    # ---------------------------------------------------------------- its state

    @property
    def state(self) -> tuple[int, int]:
        """The seed and the counter: all there is to save; settable.

        >>> generator = Generator(3)
        >>> saved = generator.state
        >>> first = generator.random(2).tolist()
        >>> generator.state = saved
        >>> generator.random(2).tolist() == first
        True
        """
        writer = backend.recorder()
        return self._state if writer is None else writer.note(lambda: self._state)

    @state.setter
    def state(self, state: tuple[int, int]) -> None:
        writer = backend.recorder()
        if writer is not None and isinstance(state, writer.noted):
            writer.effect(partial(self._return, state))
            return
        seed, counter = state
        words = (_word64("seed", seed), _word64("counter", counter))
        if writer is None:
            self._begin(words)
        else:
            writer.effect(partial(self._begin, words))

    def _return(self, noted: Any) -> None:
        """Go back to a state that was noted while a function was recorded."""
        self._begin(noted.value)

    def _begin(self, state: tuple[int, int]) -> None:
        with self._lock:
            self._state = state

    def seed(self, seed: int) -> None:
        """Begin the sequence of ``seed``.

        Raises:
            ValueError: ``seed`` is outside 0 to 2^64 - 1.

        >>> generator = Generator(0, counter=99)
        >>> generator.seed(5)
        >>> generator
        Generator(seed=5, counter=0)
        """
        self.state = (seed, 0)

    def fork(self, n: int) -> Generator:
        """The n-th generator that belongs to this one's seed: for worker n, layer n, epoch n.

        It depends on the seed and on ``n`` only, not on what was drawn. Its seed is 64 bits of a block from which no
        number is ever drawn, so it is independent of this one and of other forks, as far as 64-bit seeds differ.

        Raises:
            ValueError: ``n`` is outside 0 to 2^64 - 1.

        Source: ``jax.random.fold_in``.

        >>> Generator(0).fork(1).state == Generator(0).fork(1).state != Generator(0).fork(2).state
        True
        """
        writer = backend.recorder()
        if writer is not None:
            writer.depends(lambda: self._state[:1])
        xp = backend.cpu.backend.xp
        counter = xp.full(1, _word64("n", n), dtype=xp.uint64)
        words = philox.philox(xp, self._state[0], counter, tag=_FORK)
        return Generator(int(words.view(xp.uint64)[0, 0]))

    def _draw(self, sampler: Sampler, size: Size, device: DeviceLike, *scalars: int) -> Array:
        """The next numbers of a sampler, as an array; the counter moves on."""
        shape = _shape(size)
        place = modes.get_default_device() if device is None else Device(device)
        blocks = sampler.blocks(math.prod(shape))
        writer = backend.recorder()
        if writer is not None:
            return writer.draw(sampler, shape, place, partial(self._advance, blocks), scalars)
        owner = backend.backend_for(place)
        with owner.using(place):
            return sampler.fill(owner, shape, *self._advance(blocks), *scalars)

    def _take(self, blocks: int) -> tuple[int, int]:
        """Use up blocks of the generator that numbers are drawn from, see :meth:`_advance`."""
        return self._advance(blocks)

    def _advance(self, blocks: int) -> tuple[int, int]:
        """Use up so many blocks; the seed, and the counter of the first of them."""
        with self._lock:
            seed, counter = self._state
            self._state = (seed, (counter + blocks) % 2**64)
        return seed, counter

    # ---------------------------------------------------------------- floating-point numbers

    def random(self, size: Size = None, dtype: Any = None, device: DeviceLike = None) -> Tensor:
        """Uniform in [0, 1): ``(x >> 8) 2^-24`` of 32-bit words x, in float64 the upper 53 bits of two words.

        Args:
            size: the shape; None for a 0-d tensor.
            dtype: floating-point; None for the default dtype. Shorter dtypes get as many bits as they can hold.
            device: None for the default device.

        Raises:
            TypeError: the dtype is not real floating-point, or the size no integers.
            ValueError: a size is negative.

        >>> Generator(0).random((2, 2))
        tensor([[0.39904642, 0.88052016],
                [0.73571277, 0.6054818 ]])
        """
        wanted = _floating("random", dtype)
        return Tensor(self._uniform(size, wanted, device))

    def _uniform(self, size: Size, dtype: DType, device: DeviceLike) -> Array:
        u = self._draw(philox.random64 if dtype.itemsize == 8 else philox.random32, size, device)
        if dtype.itemsize > 2:
            return u
        bits = 11 if dtype.name == "float16" else 8  # rounded instead, the largest numbers would become 1
        xp = backend.NAMESPACES[type(u)]
        with backend.beside(u):
            return xp.astype(xp.asarray(xp.floor(u * 2.0**bits) * 2.0**-bits), dtype)

    def uniform(
        self, low: Any = 0.0, high: Any = 1.0, size: Size = None, dtype: Any = None, device: DeviceLike = None
    ) -> Tensor:
        """Uniform in [low, high): ``low + (high - low) random()``; ``high`` itself only where that rounds to it.

        Tensors as bounds get their gradients; they broadcast against ``size``, which is their shape if it is None,
        and are not checked.

        Raises:
            ValueError: ``low > high``, one of them is not finite, or a size is negative.
            TypeError: as :meth:`random`.

        >>> Generator(0).uniform(-1.0, 1.0, 3)
        tensor([-0.20190716,  0.76104033,  0.47142553])
        """
        if isinstance(low, Tensor) or isinstance(high, Tensor):
            u = Tensor(self._uniform(_size_of(size, low, high), _floating("uniform", dtype), device))
            return astype(low + (high - low) * u, u.dtype)
        low, high = float(low), float(high)
        if not -math.inf < low <= high < math.inf:
            raise ValueError(f"uniform: expected finite bounds low <= high, got {low} and {high}")
        u = self._uniform(size, _floating("uniform", dtype), device)
        if (low, high) != (0.0, 1.0):
            with backend.beside(u):
                u = u * u.dtype.type(high - low) + u.dtype.type(low)
        return _made(u)

    def standard_normal(self, size: Size = None, dtype: Any = None, device: DeviceLike = None) -> Tensor:
        """Normal with mean 0 and variance 1: ``sqrt(-2 log u) (cos a, sin a)`` (Box and Muller 1958).

        Args: as for :meth:`random`. Raises: as :meth:`random`.

        >>> [round(z, 3) for z in Generator(0).standard_normal(2).tolist()]
        [0.991, -0.925]
        """
        wanted = _floating("standard_normal", dtype)
        z = self._draw(philox.normal64 if wanted.itemsize == 8 else philox.normal32, size, device)
        with backend.beside(z):
            return Tensor(z if z.dtype == wanted else backend.NAMESPACES[type(z)].astype(z, wanted))

    def normal(
        self, loc: Any = 0.0, scale: Any = 1.0, size: Size = None, dtype: Any = None, device: DeviceLike = None
    ) -> Tensor:
        """Normal with mean ``loc`` and standard deviation ``scale``.

        Tensors get their gradients (``loc + scale z``); they broadcast against ``size``, which is their shape if it is
        None, and are not checked.

        Raises:
            ValueError: ``scale`` is negative, or a size is.
            TypeError: as :meth:`random`.

        >>> [round(z, 3) for z in Generator(0).normal(10.0, 2.0, 2).tolist()]
        [11.982, 8.151]
        """
        if isinstance(loc, Tensor) or isinstance(scale, Tensor):
            unit = self.standard_normal(_size_of(size, loc, scale), dtype, device)
            return astype(loc + scale * unit, unit.dtype)
        if not scale >= 0:
            raise ValueError(f"normal: expected a standard deviation scale >= 0, got {scale}")
        z = self.standard_normal(size, dtype, device).data
        with backend.beside(z):
            if scale != 1:
                z = z * z.dtype.type(scale)
            if loc != 0:
                z = z + z.dtype.type(loc)
        return _made(z)

    # ---------------------------------------------------------------- integers and choices

    def integers(
        self, low: int, high: int | None = None, size: Size = None, dtype: Any = backend.dtypes.int64,
        device: DeviceLike = None,
    ) -> Tensor:  # fmt: skip
        """Integers in [low, high), or in [0, low) for one argument; each exactly equally likely.

        Up to 2^32 different ones: the upper half of ``word * (high - low)``. More: two words modulo ``high - low``.
        Words that would make some integers likelier are rejected and drawn anew with the block's attempt counted up,
        so the counter moves on by the same amount (Lemire 2019).

        Raises:
            ValueError: ``low >= high``, the dtype does not hold all of them, or a size is negative.
            TypeError: the dtype is no integer dtype.

        >>> Generator(7).integers(-5, 5, (2, 3))
        tensor([[ 4,  2, -4],
                [-5, -1,  2]])
        """
        low, high = (0, operator.index(low)) if high is None else (operator.index(low), operator.index(high))
        wanted = backend.as_dtype(dtype)
        if wanted.kind not in "iu":
            raise TypeError(f"integers: expected an integer dtype, got {wanted}")
        if low >= high:
            raise ValueError(f"integers: expected low < high, got {low} and {high}")
        bits, signed = 8 * wanted.itemsize, wanted.kind == "i"
        smallest, largest = (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if signed else (0, 2**bits - 1)
        if low < smallest or high - 1 > largest:
            raise ValueError(f"integers: {wanted} does not hold all of [{low}, {high})")
        count = high - low
        if count <= 2**32:
            drawn = self._draw(philox.below32, size, device, count, 2**32 % count)
        else:
            drawn = self._draw(philox.below64, size, device, count % 2**64, 2**64 - 2**64 % count - 1)
        xp = backend.NAMESPACES[type(drawn)]
        with backend.beside(drawn):
            drawn = xp.astype(drawn, xp.uint64, copy=False)
            drawn = xp.asarray(drawn + drawn.dtype.type(low % 2**64))  # wraps around as two's complement does
            return Tensor(xp.astype(drawn.view("int64"), wanted))

    def permutation(self, n: int, device: DeviceLike = None) -> Tensor:
        """The integers 0 to n - 1 in random order: the order of n random 64-bit numbers.

        Raises:
            ValueError: ``n`` is negative.

        >>> Generator(0).permutation(5)
        tensor([3, 4, 2, 1, 0])
        """
        keys = self._draw(philox.bits64, operator.index(n), device)
        with backend.beside(keys):
            xp = backend.NAMESPACES[type(keys)]
            return Tensor(xp.astype(xp.argsort(keys, kind="stable"), xp.int64))

    def bernoulli(
        self, p: float = 0.5, size: Size = None, dtype: Any = backend.dtypes.bool_, device: DeviceLike = None
    ) -> Tensor:
        """True with probability ``p``, to the nearest multiple of 2^-32; 0 and 1 are exact.

        Raises:
            ValueError: ``p`` is outside [0, 1], or a size is negative.

        >>> Generator(0).bernoulli(0.7, 5)
        tensor([ True, False, False,  True, False])
        """
        p = float(p)
        if not 0 <= p <= 1:
            raise ValueError(f"bernoulli: expected a probability in [0, 1], got {p}")
        bits = self._draw(philox.bits32, size, device)
        below = round(p * 2**32)
        xp = backend.NAMESPACES[type(bits)]
        with backend.beside(bits):
            happens = xp.asarray(bits <= xp.uint32(below - 1)) if below else xp.zeros_like(bits)
            return Tensor(xp.astype(happens, backend.as_dtype(dtype), copy=False))


def _made(values: Array) -> Tensor:
    """As a Tensor: operators of NumPy give scalars for 0-d arrays."""
    return Tensor(backend.NAMESPACES[type(values)].asarray(values))


def _word64(name: str, value: int) -> int:
    value = operator.index(value)
    if not 0 <= value < 2**64:
        raise ValueError(f"expected {name} from 0 to 2^64 - 1, got {value}")
    return value


def _shape(size: Size) -> tuple[int, ...]:
    if size is None:
        return ()
    shape = tuple(map(operator.index, size)) if isinstance(size, Iterable) else (operator.index(size),)
    if any(n < 0 for n in shape):
        raise ValueError(f"expected a size without negative numbers, got {size}")
    return shape


def _size_of(size: Size, *parameters: Any) -> Size:
    """The size that was asked for, or the shape of the parameters."""
    return broadcast_shapes(*(getattr(p, "shape", ()) for p in parameters)) if size is None else size


def _floating(name: str, dtype: Any) -> DType:
    wanted = modes.get_default_dtype() if dtype is None else backend.as_dtype(dtype)
    if not backend.is_floating(wanted) or wanted.kind == "c":
        raise TypeError(f"{name}: expected a real floating-point dtype, got {wanted}")
    return wanted


_instead: ContextVar[Generator | None] = ContextVar("gpugrad_default_generator", default=None)


class _Default(Generator):
    """The default generator. Code of a data set draws from that of its batch instead, beside the training."""

    def _draw(self, sampler: Sampler, size: Size, device: DeviceLike, *scalars: int) -> Array:
        instead = _instead.get()
        draw = super()._draw if instead is None else instead._draw
        return draw(sampler, size, device, *scalars)

    def _take(self, blocks: int) -> tuple[int, int]:
        instead = _instead.get()
        return self._advance(blocks) if instead is None else instead._take(blocks)


@contextmanager
def replaced_default(generator: Generator) -> Iterator[None]:
    """Let the functions of this module draw from ``generator`` inside a ``with`` block, in this context only."""
    token = _instead.set(generator)
    try:
        yield
    finally:
        _instead.reset(token)


default_generator: Generator = _Default(secrets.randbits(64))
"""What the functions of this module draw from, in all threads."""

seed = manual_seed = default_generator.seed
random = default_generator.random
uniform = default_generator.uniform
standard_normal = default_generator.standard_normal
normal = default_generator.normal
integers = default_generator.integers
permutation = default_generator.permutation
bernoulli = default_generator.bernoulli
