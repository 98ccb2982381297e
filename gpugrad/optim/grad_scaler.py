"""A loss scaled so that float16 gradients do not become 0, and steps that are skipped where they overflow."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, TypeVar
from weakref import WeakKeyDictionary

from .. import backend
from ..backend import Array
from ..core import Tensor, modes
from .optimizer import Optimizer

T = TypeVar("T")


class Scaled(Tensor):
    """A scaled loss: its gradients may overflow, and nobody is to be warned of it."""

    __slots__ = ()

    def backward(self, *args: Any, **kwargs: Any) -> None:
        """As :meth:`Tensor.backward`."""
        with backend.overflowing():
            super().backward(*args, **kwargs)


class GradScaler:
    """Scale the loss, unscale the gradients, and skip steps with gradients that are not finite.

    After a skipped step the scale is multiplied by ``backoff_factor``, after ``growth_interval`` others in a row by
    ``growth_factor``. To see whether gradients are finite, a step waits for the device once.

    Args:
        device: accepted, without effect.
        init_scale: the first scale.
        growth_factor: how the scale grows; above 1.
        backoff_factor: how it falls after an overflow; below 1.
        growth_interval: number of steps in a row without overflow before it grows.
        enabled: False makes all methods do what they do without a scale.

    Raises:
        ValueError: factors out of range.
        RuntimeError: a step or :meth:`unscale_` for the second time before :meth:`update`, or inside a recording.

    Source: Micikevicius et al. 2018; ``torch.amp.GradScaler``.

    >>> import gpugrad as gg
    >>> w = gg.ones(2).requires_grad_()
    >>> optimizer, scaler = gg.optim.SGD([w], lr=0.5), gg.optim.GradScaler(init_scale=1024.0)
    >>> with gg.autocast("float16"):
    ...     loss = (w * w).sum()
    >>> scaler.scale(loss).backward()
    >>> scaler.step(optimizer)
    >>> scaler.update()
    >>> w, scaler.get_scale()
    (tensor([0., 0.], requires_grad=True), 1024.0)
    """

    def __init__(
        self, device: str = "cuda", init_scale: float = 2.0**16, growth_factor: float = 2.0,
        backoff_factor: float = 0.5, growth_interval: int = 2000, enabled: bool = True,
    ) -> None:  # fmt: skip
        if enabled and not growth_factor > 1:
            raise ValueError(f"expected a growth_factor above 1, got {growth_factor}")
        if enabled and not 0 < backoff_factor < 1:
            raise ValueError(f"expected a backoff_factor between 0 and 1, got {backoff_factor}")
        if enabled and not init_scale > 0:
            raise ValueError(f"expected a positive init_scale, got {init_scale}")
        self._enabled = enabled
        self._scale, self._growth, self._backoff = float(init_scale), float(growth_factor), float(backoff_factor)
        self._interval, self._tracker = growth_interval, 0
        self._seen: WeakKeyDictionary[Optimizer, tuple[str, bool]] = WeakKeyDictionary()
        """For each optimizer since the last update: "unscaled" or "stepped", and whether something was not finite."""

    def is_enabled(self) -> bool:
        """Whether there is a scale."""
        return self._enabled

    def get_scale(self) -> float:
        """The scale; 1 if disabled."""
        return self._scale if self._enabled else 1.0

    def scale(self, outputs: T) -> T:
        """Multiply a loss, or those in lists and tuples, by the scale.

        Raises:
            TypeError: something else.
        """
        if not self._enabled:
            return outputs
        if isinstance(outputs, Tensor):
            scaled = outputs * self._scale
            return Scaled(scaled.data, scaled.node)  # type: ignore[return-value]
        if isinstance(outputs, list | tuple):
            return type(outputs)(self.scale(one) for one in outputs)
        raise TypeError(
            f"GradScaler.scale: expected a Tensor, or a list or tuple of them, got {type(outputs).__name__}"
        )

    def unscale_(self, optimizer: Optimizer) -> None:
        """Divide the gradients of the optimizer's parameters by the scale, before they are clipped or looked at.

        Raises:
            RuntimeError: it was called since the last update, or a step was taken.
            ValueError: a gradient in float16, in which small ones would be lost again.
        """
        if not self._enabled:
            return
        if optimizer in self._seen:
            what = self._seen[optimizer][0]
            raise RuntimeError(
                f"GradScaler.unscale_: the optimizer was {what} since the last update(): call it once a step"
            )
        self._seen[optimizer] = "unscaled", self._unscale(optimizer)

    def step(self, optimizer: Optimizer, *args: Any, **kwargs: Any) -> Any:
        """Unscale the gradients, unless that was done, and take a step if all are finite.

        Returns:
            What ``optimizer.step(*args, **kwargs)`` returned; None for a step that was skipped.

        Raises:
            RuntimeError: a step was taken since the last update.
            TypeError: a closure, which would have to be called before.
        """
        if not self._enabled:
            return optimizer.step(*args, **kwargs)
        if args or "closure" in kwargs:
            raise TypeError("GradScaler.step: expected no closure: compute the scaled loss and its gradients before")
        what, overflow = self._seen.get(optimizer, ("", False))
        if what == "stepped":
            raise RuntimeError(
                "GradScaler.step: the optimizer was stepped since the last update(): call update() after it"
            )
        if not what:
            overflow = self._unscale(optimizer)
        self._seen[optimizer] = "stepped", overflow
        return None if overflow else optimizer.step(**kwargs)

    def update(self, new_scale: float | Tensor | None = None) -> None:
        """Adjust the scale, after the steps of all optimizers; or set it.

        Raises:
            RuntimeError: there was no step, and no new scale.
        """
        if not self._enabled:
            return
        if new_scale is not None:
            self._scale = float(new_scale.item() if isinstance(new_scale, Tensor) else new_scale)
        elif not self._seen:
            raise RuntimeError("GradScaler.update: expected a step, or unscale_, since the last update")
        elif any(overflow for _, overflow in self._seen.values()):
            self._scale, self._tracker = self._scale * self._backoff, 0
        else:
            self._tracker += 1
            if self._tracker == self._interval:
                grown = self._scale * self._growth
                self._scale, self._tracker = grown if grown < float("inf") else self._scale, 0
        self._seen.clear()

    # ---------------------------------------------------------------- the options, and the state

    def get_growth_factor(self) -> float:
        """How the scale grows."""
        return self._growth

    def set_growth_factor(self, new_factor: float) -> None:
        """Change how the scale grows."""
        self._growth = new_factor

    def get_backoff_factor(self) -> float:
        """How the scale falls after an overflow."""
        return self._backoff

    def set_backoff_factor(self, new_factor: float) -> None:
        """Change how the scale falls after an overflow."""
        self._backoff = new_factor

    def get_growth_interval(self) -> int:
        """Number of steps in a row without overflow before the scale grows."""
        return self._interval

    def set_growth_interval(self, new_interval: int) -> None:
        """Change the number of steps before the scale grows."""
        self._interval = new_interval

    def state_dict(self) -> dict[str, Any]:
        """Scale, factors and counts by PyTorch's names; empty if disabled."""
        if not self._enabled:
            return {}
        return {
            "scale": self._scale, "growth_factor": self._growth, "backoff_factor": self._backoff,
            "growth_interval": self._interval, "_growth_tracker": self._tracker,
        }  # fmt: skip

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Take over what :meth:`state_dict` gave, here or in PyTorch.

        Raises:
            ValueError: an empty state, of a scaler that was disabled.
        """
        if not self._enabled:
            return
        if not state_dict:
            raise ValueError("GradScaler: the state is empty: it is that of a scaler with enabled=False")
        self._scale = float(state_dict["scale"])
        self._growth, self._backoff = float(state_dict["growth_factor"]), float(state_dict["backoff_factor"])
        self._interval, self._tracker = int(state_dict["growth_interval"]), int(state_dict["_growth_tracker"])

    # ---------------------------------------------------------------- gradients

    def _unscale(self, optimizer: Optimizer) -> bool:
        """Divide the gradients by the scale; whether one is not finite."""
        if backend.recorder() is not None:
            raise RuntimeError("GradScaler: whether a step is skipped depends on values, which cannot be recorded: use "
                               "bfloat16, which needs no scale, or leave the step outside")  # fmt: skip
        found: dict[Any, list[Array]] = {}
        with modes.no_grad():
            params = list(self._with_gradients(optimizer))
            for p, g in params:
                if g.dtype.name == "float16":
                    raise ValueError(
                        "GradScaler: expected float32 gradients, got float16, in which small ones would be lost again: "
                        "keep the parameters in float32, and use gg.autocast"
                    )
                data = g.data
                xp = backend.backend_of(data).xp
                with backend.beside(data):
                    found.setdefault(g.device, []).append(xp.asarray(xp.all(xp.isfinite(data))))
                p.grad = g * (1 / self._scale)
        return not all(
            bool(backend.to_host(_together(checks)).all()) for checks in found.values()
        )  # one wait for each device

    @staticmethod
    def _with_gradients(optimizer: Optimizer) -> Iterator[tuple[Tensor, Tensor]]:
        for group in optimizer.param_groups:
            for p in group["params"]:
                if p.grad is not None:
                    yield p, p.grad


def _together(checks: list[Array]) -> Array:
    """0-d results as one array."""
    with backend.beside(checks[0]):
        xp = backend.backend_of(checks[0]).xp
        return xp.stack(checks)
