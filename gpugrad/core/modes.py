"""What is on or off in this thread or context: recording, debugging, the default device and dtype.

Each is a ``contextvars`` variable, so threads and coroutines do not disturb each other, and each switch is a context
manager and a decorator.
"""

from __future__ import annotations

import inspect
from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import AbstractContextManager
from contextvars import ContextVar, Token
from functools import partial, wraps
from threading import Lock
from types import TracebackType
from typing import Any, Self, TypeVar, cast, overload

from .. import backend
from ..backend import Device, DType

_recording: ContextVar[bool] = ContextVar("gpugrad_recording", default=True)
_debugging: ContextVar[bool] = ContextVar("gpugrad_debugging", default=False)
observing: ContextVar[Any] = ContextVar("gpugrad_observing", default=None)
"""Who is told of every operation: ``note(op, operands, params, made)``, or None. See :mod:`gpugrad.drawing`."""

_autocasting: ContextVar[DType | None] = ContextVar("gpugrad_autocasting", default=None)
"""The dtype of products under :class:`autocast`, or None."""

transform_device: ContextVar[Device | None] = ContextVar("gpugrad_transform_device", default=None)
"""Inside a transform, the device of its arguments; None outside."""

recording = _recording.get
inside = transform_device.get
debugging = _debugging.get
autocasting = _autocasting.get
observer = observing.get


class Careful:
    """Whether operations take the path that checks more: while any thread debugs, maps a function or observes, and
    once a second GPU is used.
    """

    def __init__(self) -> None:
        self.on = False
        self.lift: Any = None
        """``lift(operands, params)``: an operation's operands, all standing for many arrays where one of them does."""
        self.cast: Any = None
        """``cast(kind, lower, operands)``: an operation's operands under :class:`autocast`."""
        self.variable: Any = None
        """``variable(data)``: the array of a new variable, made of such a kind where there are such arrays."""
        self.elementwise_only: Any = None
        """``elementwise_only(name)``: a context that refuses operations whose elements depend on each other."""
        self._reasons = 0
        self._lock = Lock()

    def because(self, reason: bool) -> None:
        """One reason more, or one less."""
        with self._lock:
            self._reasons += 1 if reason else -1
            self.on = self._reasons > 0


careful = Careful()
backend.on_several_devices(careful.because)


F = TypeVar("F", bound=Callable[..., Any])


class Decorator(AbstractContextManager[None]):
    """A context manager that also decorates functions, coroutines and generators, as PyTorch's do.

    Whenever a generator is resumed it runs inside, and its caller runs outside. A coroutine stays inside while it
    waits, since each task has its own modes.
    """

    def fresh(self) -> AbstractContextManager[None]:
        """Another one like it, so that a decorated function can call itself and run in several threads."""
        raise NotImplementedError

    def __call__(self, function: F) -> F:
        """Decorate a function.

        Raises:
            TypeError: it is a class: decorate its methods.
        """
        if inspect.isclass(function):
            raise TypeError(f"{type(self).__name__}: expected a function, got the class {function.__name__}: decorate "
                            "the methods that it is for")  # fmt: skip
        if inspect.isgeneratorfunction(function):
            decorated: Any = self._generator(function)
        elif inspect.isasyncgenfunction(function):
            decorated = self._async_generator(function)
        elif inspect.iscoroutinefunction(function):

            async def decorated(*args: Any, **kwargs: Any) -> Any:
                with self.fresh():
                    return await function(*args, **kwargs)

        else:

            def decorated(*args: Any, **kwargs: Any) -> Any:
                with self.fresh():
                    return function(*args, **kwargs)

        return cast(F, wraps(function)(decorated))

    def _generator(self, function: Callable[..., Generator[Any, Any, Any]]) -> Callable[..., Any]:
        def decorated(*args: Any, **kwargs: Any) -> Generator[Any, Any, Any]:
            inner = function(*args, **kwargs)
            resume: Callable[[], Any] = lambda: next(inner)  # noqa: E731
            while True:
                try:
                    with self.fresh():
                        value = resume()
                except StopIteration as end:
                    return end.value
                try:
                    sent = yield value
                    resume = partial(inner.send, sent)
                except GeneratorExit:
                    with self.fresh():
                        inner.close()
                    raise
                except BaseException as error:  # noqa: BLE001  it is the generator's to handle
                    resume = partial(inner.throw, error)

        return decorated

    def _async_generator(self, function: Callable[..., AsyncGenerator[Any, Any]]) -> Callable[..., Any]:
        async def decorated(*args: Any, **kwargs: Any) -> AsyncGenerator[Any, Any]:
            inner = function(*args, **kwargs)
            resume: Callable[[], Any] = lambda: anext(inner)  # noqa: E731
            while True:
                try:
                    with self.fresh():
                        value = await resume()
                except StopAsyncIteration:
                    return
                try:
                    sent = yield value
                    resume = partial(inner.asend, sent)
                except GeneratorExit:
                    with self.fresh():
                        await inner.aclose()
                    raise
                except BaseException as error:  # noqa: BLE001  it is the generator's to handle
                    resume = partial(inner.athrow, error)

        return decorated


class Switch(Decorator):
    """Set one context variable inside a ``with`` block or a decorated function."""

    variable: ContextVar[Any]
    value: Any

    def __init__(self) -> None:
        self._tokens: list[Token[Any]] = []

    def fresh(self) -> Switch:
        made = type(self).__new__(type(self))
        made.value, made._tokens = self.value, []
        return made

    def __enter__(self) -> None:
        self._tokens.append(self.variable.set(self.value))

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.variable.reset(self._tokens.pop())


class BareSwitch(Switch):
    """A switch without arguments, which also decorates without parentheses: ``@no_grad``."""

    @overload
    def __new__(cls, function: F) -> F: ...  # type: ignore[misc]
    @overload
    def __new__(cls, function: None = None) -> Self: ...
    def __new__(cls, function: Any = None) -> Any:
        return super().__new__(cls) if function is None else cls()(function)


class no_grad(BareSwitch):  # noqa: N801  the field's name
    """Compute without recording: nothing is kept for a backward pass, and leaves may be changed in place.

    In a ``with`` block, or as a decorator of functions, generators and coroutines.

    Source: ``torch.no_grad``.

    >>> import gpugrad as gg
    >>> w = gg.tensor([1.0, 2.0], requires_grad=True)
    >>> with gg.no_grad():
    ...     w -= 0.5
    >>> w
    tensor([0.5, 1.5], requires_grad=True)
    """

    variable, value = _recording, False


class enable_grad(BareSwitch):  # noqa: N801
    """Record again inside a :class:`no_grad` block. Source: ``torch.enable_grad``.

    >>> import gpugrad as gg
    >>> x = gg.tensor(3.0, requires_grad=True)
    >>> with gg.no_grad(), gg.enable_grad():
    ...     (x * x).requires_grad
    True
    """

    variable, value = _recording, True


class set_grad_enabled(Switch):  # noqa: N801
    """Record, or do not: from here on, or inside a ``with`` block or a decorated function.

    Source: ``torch.set_grad_enabled``.

    >>> import gpugrad as gg
    >>> x = gg.tensor(3.0, requires_grad=True)
    >>> with gg.set_grad_enabled(False):
    ...     (x * x).requires_grad
    False
    >>> (x * x).requires_grad
    True
    """

    variable = _recording
    _before: bool | None = None
    """What was on when it was made, to go back to."""

    def __init__(self, enabled: bool) -> None:
        super().__init__()
        self.value, self._before = bool(enabled), recording()
        _recording.set(self.value)

    def __call__(self, function: F) -> F:
        if self._before is not None:
            _recording.set(self._before)
        return super().__call__(function)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        super().__exit__(kind, error, traceback)
        if self._before is not None and not self._tokens:
            _recording.set(self._before)


class debug(BareSwitch):  # noqa: N801
    """Find where it went wrong: each operation remembers the line that called it.

    The first NaN or infinity in a value or a gradient, and every error in a gradient rule, then names the forward
    operation and that line; so does an index that is out of bounds on a GPU. :func:`memory_summary` lists the tensors
    made meanwhile. Slower, and on a GPU every operation waits for its result.

    Raises (while on):
        FloatingPointError: a value or a gradient is not finite.
        IndexError: on a GPU, an index or a class label is out of range.

    >>> import gpugrad as gg
    >>> with gg.debug():  # doctest: +ELLIPSIS
    ...     gg.log(gg.tensor([1.0, 0.0]))
    Traceback (most recent call last):
    FloatingPointError: log: the first value that is not finite is -inf at index (1,)...
    """

    variable, value = _debugging, True

    def __enter__(self) -> None:
        backend.synchronize()  # what was found before is not of the operations that follow
        super().__enter__()
        careful.because(True)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        careful.because(False)
        super().__exit__(kind, error, traceback)


class autocast(Switch):  # noqa: N801
    """Mixed precision: inside, products run in float16 or bfloat16, and what needs precision in float32.

    Products of matrices, convolutions, attention and recurrent layers convert their operands to ``dtype``;
    exponentials, logarithms, powers, sums, norms, softmax, normalization layers and losses to float32. Other
    operations run in the dtype of their operands, the wider one where these differ. float64 stays. Parameters stay
    float32: they are converted where they are used, and their gradients are float32. Wrap the forward pass and the
    loss, not the walk back. With float16, scale the loss (:class:`gpugrad.optim.GradScaler`), or small gradients
    become 0.

    Args:
        dtype: "float16" or "bfloat16"; or "cuda" or "cpu" as in PyTorch, with ``dtype=`` after it (by default float16
            and bfloat16). Devices are treated alike.
        enabled: False inside another one computes as without.
        cache_enabled: accepted, without effect.

    Raises:
        ValueError: another dtype.

    Source: ``torch.autocast``, whose list for CUDA is the column ``cast`` of the operations here.

    >>> import gpugrad as gg
    >>> w = gg.ones((2, 2)).requires_grad_()
    >>> with gg.autocast("float16"):
    ...     y = w @ w
    ...     loss = y.sum()
    >>> y.dtype, loss.dtype
    (dtype('float16'), dtype('float32'))
    >>> loss.backward()
    >>> w.grad.dtype
    dtype('float32')
    """

    variable = _autocasting

    def __init__(
        self, device_type: Any = None, dtype: Any = None, enabled: bool = True, cache_enabled: bool | None = None
    ) -> None:
        super().__init__()
        if device_type not in (None, "cuda", "cpu"):
            if dtype is not None:
                raise ValueError(f"autocast: expected 'cuda' or 'cpu' before a dtype, got {device_type!r}")
            dtype = device_type
        wanted = backend.as_dtype(dtype or ("bfloat16" if device_type == "cpu" else "float16"))
        if not backend.is_short(wanted):
            raise ValueError(
                f"autocast: expected float16 or bfloat16, got {wanted}: what runs in float32 needs no autocast"
            )
        self.value = wanted if enabled else None

    def __enter__(self) -> None:
        super().__enter__()
        careful.because(True)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        careful.because(False)
        super().__exit__(kind, error, traceback)


def is_autocast_enabled() -> bool:
    """Whether operations here run under :class:`autocast`.

    >>> import gpugrad as gg
    >>> with gg.autocast("float16"):
    ...     gg.is_autocast_enabled()
    True
    """
    return autocasting() is not None


class default_dtype(Switch):  # noqa: N801
    """Make another dtype the default for new floating-point tensors inside a ``with`` block.

    >>> import gpugrad as gg
    >>> with gg.default_dtype(gg.float64):
    ...     gg.zeros(2).dtype
    dtype('float64')
    """

    variable = backend.default_dtype

    def __init__(self, dtype: Any) -> None:
        super().__init__()
        self.value = _floating(dtype)


class default_device(Decorator):  # noqa: N801
    """Make another device the default for new tensors inside a ``with`` block.

    >>> import gpugrad as gg
    >>> with gg.default_device("cpu"):
    ...     gg.zeros(2).device
    device('cpu')
    """

    def __init__(self, device: Device | str) -> None:
        self.device = Device(device)
        self._tokens: list[Any] = []

    def fresh(self) -> default_device:
        return default_device(self.device)

    def __enter__(self) -> None:
        self._tokens.append(backend.choose(self.device))

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        backend.restore(self._tokens.pop())


def is_grad_enabled() -> bool:
    """Whether operations are being recorded here.

    >>> import gpugrad as gg
    >>> gg.is_grad_enabled()
    True
    """
    return recording()


def get_default_device() -> Device:
    """The device on which new tensors are made in this context.

    Chosen by :func:`set_default_device`, else by the environment variable ``GPUGRAD_DEVICE``, else the first GPU, else
    the CPU. On a machine with an NVIDIA driver that is said once on the logger ``gpugrad``.

    Raises:
        RuntimeError: ``GPUGRAD_DEVICE`` names a device that this machine does not have.

    >>> import gpugrad as gg
    >>> with gg.default_device("cpu"):
    ...     gg.get_default_device()
    device('cpu')
    """
    return backend.default_device()


def set_default_device(device: Device | str | None) -> None:
    """Choose the device for new tensors in this thread or context; None goes back to the automatic choice.

    Raises:
        RuntimeError: the device is not there.

    >>> import gpugrad as gg
    >>> gg.set_default_device("cpu")
    """
    backend.choose(device)


def get_default_dtype() -> DType:
    """The dtype of new floating-point tensors in this context.

    >>> import gpugrad as gg
    >>> gg.get_default_dtype()
    dtype('float32')
    """
    return backend.default_dtype.get()


def set_default_dtype(dtype: Any) -> None:
    """Choose the dtype of new floating-point tensors in this thread or context.

    Raises:
        TypeError: the dtype is not floating-point.

    >>> import gpugrad as gg
    >>> gg.set_default_dtype(gg.float32)
    """
    backend.default_dtype.set(_floating(dtype))


def _floating(dtype: Any) -> DType:
    wanted = backend.as_dtype(dtype)
    if not backend.is_floating(wanted):
        raise TypeError(f"expected a floating-point default dtype, got {wanted}")
    return wanted
