"""What all schedules share: counting epochs, setting the rates of the groups, the state."""

from __future__ import annotations

import types
from collections.abc import Callable, Mapping, Sequence
from itertools import zip_longest
from typing import Any

from ..optimizer import Group, Optimizer

NOT_SAVED = ("optimizer",)


class LRScheduler:
    """Base class of the schedules.

    Args:
        optimizer: whose groups' ``lr`` is set. What it is now is noted as the group's ``initial_lr``.
        last_epoch: the number of the last epoch, counted from 0; -1 begins anew.

    "Epoch" is whatever :meth:`step` is called after; for most schedules, use one call for each optimizer step.

    Groups that are added to the optimizer later are followed by schedules that only multiply (:class:`StepLR`,
    :class:`ExponentialLR`, ...), from the rate that they have.

    Raises:
        TypeError: no optimizer.
        KeyError: ``last_epoch`` says that this goes on, but a group has no ``initial_lr``.
        ValueError (in a step): a group was added, and the schedule needs the first rate of each group.

    Source: ``torch.optim.lr_scheduler.LRScheduler``. Unlike there, stepping before the optimizer is not noticed.

    >>> import gpugrad as gg
    >>> from gpugrad.optim import SGD
    >>> class Halving(LRScheduler):
    ...     def get_lr(self):
    ...         return [base / 2**self.last_epoch for base in self.base_lrs]
    >>> scheduler = Halving(SGD([gg.ones(1).requires_grad_()], lr=1.0))
    >>> for _ in range(3):
    ...     scheduler.step()
    >>> scheduler.get_last_lr()
    [0.125]
    """

    fixed_groups = False
    """Whether it cannot follow groups that are added later."""

    def __init__(self, optimizer: Optimizer, last_epoch: int = -1) -> None:
        self.optimizer = checked(optimizer)
        for i, group in enumerate(optimizer.param_groups):
            if last_epoch == -1:
                group.setdefault("initial_lr", group["lr"])
            elif "initial_lr" not in group:
                raise KeyError(f"group {i} has no 'initial_lr', which last_epoch={last_epoch} needs: load the "
                               "optimizer's state first, or begin anew with last_epoch=-1")  # fmt: skip
        self.base_lrs: list[float] = [group["initial_lr"] for group in optimizer.param_groups]
        self.last_epoch = last_epoch
        self._step_count = 0
        self._is_initial = False
        self._get_lr_called_within_step = False  # a key of PyTorch's state, without use here
        self._last_lr: list[float] = []
        self._initial_step()

    # ---------------------------------------------------------------- what a subclass says

    def get_lr(self) -> list[float]:
        """The rate of each group at ``last_epoch``, from its present one."""
        return [self._next(group["lr"], base) for group, base in zip_longest(self._groups, self.base_lrs)]

    def _next(self, rate: float, base: float | None) -> float:
        """A group's rate at ``last_epoch``, from that before; so schedules on one optimizer multiply.

        Args:
            rate: before.
            base: the first one; None for a group that was added later.
        """
        raise NotImplementedError

    def _closed(self, base: float) -> float | None:
        """The rate at ``last_epoch`` from the first one, or None where only :meth:`get_lr` knows."""
        return None

    # ---------------------------------------------------------------- going on

    @property
    def _groups(self) -> list[Group]:
        return self.optimizer.param_groups

    def step(self, epoch: int | None = None) -> None:
        """Set the rates of the next epoch.

        Args:
            epoch: jump there instead, where the schedule can.
        """
        self._step_count += 1
        self._update_lr(epoch)

    def _initial_step(self) -> None:
        self._step_count = 0
        self._is_initial = True
        try:
            self.step()
        finally:
            self._is_initial = False

    def _update_lr(self, epoch: int | None = None) -> None:
        if self.fixed_groups and len(self._groups) != len(self.base_lrs):
            raise self._other_groups(len(self.base_lrs))
        self.last_epoch = self.last_epoch + 1 if epoch is None else epoch
        known = [] if epoch is None else [self._closed(base) for base in self.base_lrs]
        rates = [rate for rate in known if rate is not None] or self.get_lr()
        self._set(rates)

    def _set(self, rates: Sequence[float]) -> None:
        if len(rates) != len(self._groups):
            raise self._other_groups(len(rates))
        for group, rate in zip(self._groups, rates, strict=True):
            group["lr"] = rate
        self._last_lr = list(rates)

    def _other_groups(self, count: int) -> ValueError:
        return ValueError(
            f"{type(self).__name__} has rates for {count} groups, the optimizer has {len(self._groups)} now: make the "
            "schedule after the last add_param_group"
        )

    def get_last_lr(self) -> list[float]:
        """The rates that were set last, one for each group."""
        return self._last_lr

    # ---------------------------------------------------------------- the state

    def state_dict(self) -> dict[str, Any]:
        """Everything but the optimizer, by PyTorch's names."""
        return {name: _copied(value) for name, value in vars(self).items() if name not in NOT_SAVED}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Go on from what :meth:`state_dict` gave, here or in PyTorch. The optimizer's own state holds the rates."""
        vars(self).update({name: _copied(value) for name, value in state_dict.items()})


class OfFunctions(LRScheduler):
    """A schedule that calls the user's functions; those cannot be saved, objects with ``__call__`` can."""

    def __init__(
        self, optimizer: Optimizer, lr_lambda: Callable[[int], float] | Sequence[Callable[[int], float]],
        last_epoch: int = -1,
    ) -> None:  # fmt: skip
        self.lr_lambdas = per_group("lr_lambda", checked(optimizer), lr_lambda)
        for function in self.lr_lambdas:
            if not callable(function):
                raise TypeError(f"lr_lambda should be a function, but got {type(function).__name__}")
        super().__init__(optimizer, last_epoch)

    def state_dict(self) -> dict[str, Any]:
        state = super().state_dict()
        state["lr_lambdas"] = [saved_function(function) for function in self.lr_lambdas]
        return state

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        rest = dict(state_dict)
        for function, saved in zip(self.lr_lambdas, rest.pop("lr_lambdas"), strict=True):
            if saved is not None:
                vars(function).update(saved)
        super().load_state_dict(rest)


def saved_function(function: Any) -> dict[str, Any] | None:
    """The attributes of a callable object; None for a function, which has nothing to save."""
    plain = isinstance(function, types.FunctionType | types.BuiltinFunctionType | types.MethodType)
    return None if plain or not hasattr(function, "__dict__") else dict(vars(function))


def checked(optimizer: Any) -> Optimizer:
    """The optimizer, if it is one."""
    if not isinstance(optimizer, Optimizer):
        raise TypeError(f"{type(optimizer).__name__} is not an Optimizer")
    return optimizer


def per_group(name: str, optimizer: Optimizer, value: Any) -> list[Any]:
    """A value for each group: the same for all, or those of a list.

    Raises:
        ValueError: the list has another length than the groups.
    """
    count = len(optimizer.param_groups)
    if not isinstance(value, list | tuple):
        return [value] * count
    if len(value) != count:
        raise ValueError(f"expected {count} values for {name}, one for each group, got {len(value)}")
    return list(value)


def _copied(value: Any) -> Any:
    """Lists and dictionaries of a state, so that a later step changes none that was given out."""
    if isinstance(value, list):
        return [_copied(entry) for entry in value]
    return value.copy() if isinstance(value, dict) else value
