"""Up and down: the momentum goes against the rate."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ..optimizer import Optimizer
from .base import LRScheduler, checked, per_group, saved_function
from .cosine import half_cosine

PerGroup = float | Sequence[float]


class WithMomentum(LRScheduler):
    """A schedule that sets the momentum too: ``momentum``, or the first of ``betas``."""

    cycle_momentum: bool
    use_beta1: bool

    def _begin_momentum(self, base: PerGroup, most: PerGroup, last_epoch: int) -> tuple[list[float], list[float]]:
        if not {"momentum", "betas"} & self.optimizer.defaults.keys():
            raise ValueError(f"{type(self).__name__}: {type(self.optimizer).__name__} has neither momentum nor betas: "
                             "cycle_momentum=False leaves them alone")  # fmt: skip
        self.use_beta1 = "betas" in self.optimizer.defaults
        highest = per_group("max_momentum", self.optimizer, most)
        lowest = per_group("base_momentum", self.optimizer, base)
        if last_epoch == -1:
            self._set_momentum(highest)
            for group, high, low in zip(self._groups, highest, lowest, strict=True):
                group["max_momentum"], group["base_momentum"] = high, low
        return lowest, highest

    def _set_momentum(self, values: Sequence[float]) -> None:
        for group, value in zip(self._groups, values, strict=True):
            group.update({"betas": (value, *group["betas"][1:])} if self.use_beta1 else {"momentum": value})


class OneCycleLR(WithMomentum):
    """Up from ``max_lr / div_factor`` to ``max_lr``, then down to the first rate over ``final_div_factor``.

    Args:
        optimizer: whose rates are set, and momenta.
        max_lr: the highest rate, or a list with one for each group.
        total_steps: of the whole cycle; or
        epochs: and
        steps_per_epoch: whose product it is.
        pct_start: the part of the cycle that goes up.
        anneal_strategy: "cos" or "linear".
        cycle_momentum: whether the momentum goes the other way.
        base_momentum: at the highest rate.
        max_momentum: at the lowest.
        div_factor: of the first rate.
        final_div_factor: of the last.
        three_phase: down as long as up, then on to the last rate.
        last_epoch: as of :class:`LRScheduler`.

    Raises:
        ValueError: arguments out of range, ``total_steps`` missing, no momentum to cycle, or more steps than that.

    Source: Smith and Topin 2019; ``torch.optim.lr_scheduler.OneCycleLR``.

    >>> import gpugrad as gg
    >>> from gpugrad.optim import SGD
    >>> optimizer = SGD([gg.ones(1).requires_grad_()], lr=1.0, momentum=0.9)
    >>> scheduler = OneCycleLR(optimizer, max_lr=1.0, total_steps=5, pct_start=0.6, anneal_strategy="linear")
    >>> [scheduler.step() or round(scheduler.get_last_lr()[0], 4) for _ in range(4)]
    [0.52, 1.0, 0.5, 0.0]
    """

    fixed_groups = True

    def __init__(
        self, optimizer: Optimizer, max_lr: PerGroup, total_steps: int | None = None, epochs: int | None = None,
        steps_per_epoch: int | None = None, pct_start: float = 0.3, anneal_strategy: str = "cos",
        cycle_momentum: bool = True, base_momentum: PerGroup = 0.85, max_momentum: PerGroup = 0.95,
        div_factor: float = 25.0, final_div_factor: float = 1e4, three_phase: bool = False, last_epoch: int = -1,
    ) -> None:  # fmt: skip
        self.optimizer = checked(optimizer)
        self.total_steps = _total(total_steps, epochs, steps_per_epoch)
        if not isinstance(pct_start, float) or not 0 <= pct_start <= 1:
            raise ValueError(f"OneCycleLR: expected pct_start as a float from 0 to 1, got {pct_start}")
        if anneal_strategy not in ("cos", "linear"):
            raise ValueError(f"OneCycleLR: expected anneal_strategy 'cos' or 'linear', got {anneal_strategy!r}")
        self._schedule_phases = _phases(pct_start * self.total_steps, self.total_steps, three_phase)
        self._anneal_func_type = anneal_strategy
        highest = per_group("max_lr", optimizer, max_lr)
        if last_epoch == -1:
            for group, most in zip(self._groups, highest, strict=True):
                group["initial_lr"] = most / div_factor
                group["max_lr"] = most
                group["min_lr"] = group["initial_lr"] / final_div_factor
        self.cycle_momentum = cycle_momentum
        if cycle_momentum:
            self._begin_momentum(base_momentum, max_momentum, last_epoch)
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[float]:
        if self.last_epoch > self.total_steps:
            raise ValueError(f"OneCycleLR: this is step {self.last_epoch} of {self.total_steps}")
        ends = [phase["end_step"] for phase in self._schedule_phases]
        turn = min(bisect_left(ends, self.last_epoch), len(ends) - 1)
        phase, begin = self._schedule_phases[turn], ends[turn - 1] if turn else 0.0
        part = (self.last_epoch - begin) / (ends[turn] - begin)
        if self.cycle_momentum:
            self._set_momentum(self._between(phase["start_momentum"], phase["end_momentum"], part))
        return self._between(phase["start_lr"], phase["end_lr"], part)

    def _between(self, start: str, end: str, part: float) -> list[float]:
        """For each group the number between two of its entries."""
        return [self._annealed(group[start], group[end], part) for group in self._groups]

    def _annealed(self, start: float, end: float, part: float) -> float:
        left = half_cosine(part) if self._anneal_func_type == "cos" else 1 - part
        return end + (start - end) * left


class CyclicLR(WithMomentum):
    """From ``base_lr`` to ``max_lr`` and back, in straight lines, again and again.

    Args:
        optimizer: whose rates are set, and momenta.
        base_lr: the lowest rate, or a list with one for each group.
        max_lr: the highest.
        step_size_up: steps up.
        step_size_down: steps down; None: as many.
        mode: "triangular"; "triangular2": half as high each time; "exp_range": times ``gamma^step``.
        gamma: of "exp_range".
        scale_fn: the height in the place of ``mode``: a function of
        scale_mode: the number of the "cycle", from 1, or of "iterations".
        cycle_momentum: whether the momentum goes the other way.
        base_momentum: at the highest rate.
        max_momentum: at the lowest.
        last_epoch: as of :class:`LRScheduler`.

    Raises:
        ValueError: another mode, or no momentum to cycle.

    Source: Smith 2017; ``torch.optim.lr_scheduler.CyclicLR``.

    >>> import gpugrad as gg
    >>> from gpugrad.optim import SGD
    >>> optimizer = SGD([gg.ones(1).requires_grad_()], lr=1.0, momentum=0.9)
    >>> scheduler = CyclicLR(optimizer, base_lr=0.0, max_lr=1.0, step_size_up=2)
    >>> [scheduler.step() or scheduler.get_last_lr()[0] for _ in range(4)]
    [0.5, 1.0, 0.5, 0.0]
    """

    fixed_groups = True

    def __init__(
        self, optimizer: Optimizer, base_lr: PerGroup, max_lr: PerGroup, step_size_up: int = 2000,
        step_size_down: int | None = None, mode: str = "triangular", gamma: float = 1.0,
        scale_fn: Callable[[float], float] | None = None, scale_mode: str = "cycle", cycle_momentum: bool = True,
        base_momentum: PerGroup = 0.8, max_momentum: PerGroup = 0.9, last_epoch: int = -1,
    ) -> None:  # fmt: skip
        self.optimizer = checked(optimizer)
        if scale_fn is None and mode not in ("triangular", "triangular2", "exp_range"):
            raise ValueError(f"CyclicLR: expected mode 'triangular', 'triangular2' or 'exp_range', got {mode!r}")
        lowest = per_group("base_lr", optimizer, base_lr)
        if last_epoch == -1:
            for group, rate in zip(self._groups, lowest, strict=True):
                group["lr"] = rate
        self.max_lrs = per_group("max_lr", optimizer, max_lr)
        up = float(step_size_up)
        self.total_size = up + (up if step_size_down is None else float(step_size_down))
        self.step_ratio = up / self.total_size
        self.mode = mode
        self.gamma = gamma
        if scale_fn is None:
            scale_mode = "iterations" if mode == "exp_range" else "cycle"
        self.scale_mode = scale_mode
        self._scale_fn_custom = scale_fn
        self.cycle_momentum = cycle_momentum
        if cycle_momentum:
            self.base_momentums, self.max_momentums = self._begin_momentum(base_momentum, max_momentum, last_epoch)
        super().__init__(optimizer, last_epoch)
        self.base_lrs = lowest

    def scale_fn(self, x: float) -> float:
        """The height of a cycle, or at an iteration, as ``scale_mode`` says."""
        if self._scale_fn_custom is not None:
            return self._scale_fn_custom(x)
        if self.mode == "exp_range":
            return float(self.gamma**x)
        return 1 / 2.0 ** (x - 1) if self.mode == "triangular2" else 1.0

    def get_lr(self) -> list[float]:
        cycles, position = divmod(self.last_epoch, self.total_size)
        up = self.step_ratio * self.total_size
        height = position / up if position <= up else (self.total_size - position) / (self.total_size - up)
        height *= self.scale_fn(int(cycles) + 1 if self.scale_mode == "cycle" else self.last_epoch)
        if self.cycle_momentum:
            pairs = zip(self.base_momentums, self.max_momentums, strict=True)
            self._set_momentum([high - (high - low) * height for low, high in pairs])
        return [low + (high - low) * height for low, high in zip(self.base_lrs, self.max_lrs, strict=True)]

    def state_dict(self) -> dict[str, Any]:
        state = super().state_dict()
        function = state.pop("_scale_fn_custom")
        return {**state, "_scale_fn_custom": None if function is None else saved_function(function)}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        rest = dict(state_dict)
        saved = rest.pop("_scale_fn_custom", None)
        if saved is not None and self._scale_fn_custom is not None:
            vars(self._scale_fn_custom).update(saved)
        super().load_state_dict(rest)


def _total(steps: int | None, epochs: int | None, per_epoch: int | None) -> int:
    given = [("total_steps", steps)] if steps is not None else [("epochs", epochs), ("steps_per_epoch", per_epoch)]
    product = 1
    for name, value in given:
        if value is None:
            raise ValueError("OneCycleLR: expected total_steps, or epochs and steps_per_epoch")
        if not isinstance(value, int) or value <= 0:
            raise ValueError(f"OneCycleLR: expected a positive integer {name}, got {value}")
        product *= value
    return product


def _phases(up: float, total: int, three: bool) -> list[dict[str, Any]]:
    """The parts of the cycle: where each ends, and between which of a group's entries it goes."""

    def phase(end: float, start_lr: str, end_lr: str, start_momentum: str, end_momentum: str) -> dict[str, Any]:
        return {"end_step": end, "start_lr": start_lr, "end_lr": end_lr, "start_momentum": start_momentum,
                "end_momentum": end_momentum}  # fmt: skip

    rise = phase(float(up) - 1, "initial_lr", "max_lr", "max_momentum", "base_momentum")
    if not three:
        return [rise, phase(total - 1, "max_lr", "min_lr", "base_momentum", "max_momentum")]
    fall = phase(float(2 * up) - 2, "max_lr", "initial_lr", "base_momentum", "max_momentum")
    return [rise, fall, phase(total - 1, "initial_lr", "min_lr", "max_momentum", "max_momentum")]
