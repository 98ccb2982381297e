"""What all schedules share: counting epochs, setting the rates of the groups, the state."""

from __future__ import annotations

import types
from collections.abc import Callable, Mapping, Sequence
from functools import partial, wraps
from typing import Any, TypeVar, cast

from ... import backend
from ..optimizer import Group, Optimizer

NOT_SAVED = ("optimizer",)

Method = TypeVar("Method", bound=Callable[..., None])


def on_the_host(method: Method) -> Method:
    """A method that changes Python's numbers: where a step is recorded, that is done again each time it is repeated."""

    @wraps(method)
    def call(*args: Any, **kwargs: Any) -> None:
        writer = backend.recorder()
        if writer is None:
            method(*args, **kwargs)
        else:
            writer.effect(partial(method, *args, **kwargs))

    return cast(Method, call)


class LRScheduler:
    """Base class of the schedules.

    Args:
        optimizer: whose groups' ``lr`` is set. What it is now is noted as the group's ``initial_lr``.
        last_epoch: the number of the last epoch, counted from 0; -1 starts from the beginning.

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
        if last_epoch == -1:
            for group in self._groups:
                group.setdefault("initial_lr", group["lr"])
        missing = [i for i, group in enumerate(self._groups) if "initial_lr" not in group]
        if missing:
            raise KeyError(f"group {missing[0]} has no 'initial_lr', which last_epoch={last_epoch} needs: load the "
                           "optimizer's state first, or start from the beginning with last_epoch=-1")  # fmt: skip
        self.base_lrs: list[float] = [group["initial_lr"] for group in self._groups]
        self.last_epoch = last_epoch
        self._last_lr: list[float] = []
        # Keys of PyTorch's state.
        self._step_count = 1
        self._is_initial = False
        self._get_lr_called_within_step = False
        self._start()

    # ---------------------------------------------------------------- what a subclass says

    def get_lr(self) -> list[float]:
        """The rate of each group at ``last_epoch``, from its present one, which is that of the epoch before."""
        raise NotImplementedError

    def _at_epoch(self) -> list[float]:
        """The rates at ``last_epoch`` after a jump there."""
        return self.get_lr()

    # ---------------------------------------------------------------- going on

    @property
    def _groups(self) -> list[Group]:
        return self.optimizer.param_groups

    @on_the_host
    def step(self, epoch: int | None = None) -> None:
        """Set the rates of the next epoch.

        Args:
            epoch: jump there instead, where the schedule can.
        """
        self._step_count += 1
        if epoch is None:
            self._go(self.last_epoch + 1, self.get_lr)
        else:
            self._jump(epoch)

    def _start(self) -> None:
        """Set the first rates."""
        self._is_initial = True
        try:
            self._go(self.last_epoch + 1, self.get_lr)
        finally:
            self._is_initial = False

    def _rewind(self) -> None:
        """Forget :meth:`_start`, so that another schedule can come first."""
        self.last_epoch -= 1

    def _jump(self, epoch: int) -> None:
        self._go(epoch, self._at_epoch)

    def _go(self, epoch: int, rates: Callable[[], Sequence[float]]) -> None:
        """The one place where rates are set."""
        self._match_groups(len(self.base_lrs) if self.fixed_groups else len(self._groups))
        self.last_epoch = epoch
        values = list(rates())
        self._match_groups(len(values))
        for group, rate in zip(self._groups, values, strict=True):
            group["lr"] = rate
        self._last_lr = values

    def _match_groups(self, count: int) -> None:
        if count != len(self._groups):
            raise ValueError(
                f"{type(self).__name__} has rates for {count} groups, the optimizer has {len(self._groups)} now: make "
                "the schedule after the last add_param_group"
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


class Scaled(LRScheduler):
    """A schedule with a closed form: ``lr = floor + (initial_lr - floor) factor(epoch)``.

    From epoch to epoch it multiplies the present distance from the floor by ``factor(epoch) / factor(epoch - 1)``, so
    that several schedules on one optimizer multiply, and groups that are added later are followed. Only from a factor
    of 0 no other leads up: there, the first rate is needed.
    """

    in_stairs = False
    """Whether the factor is constant between single epochs. Such a schedule that goes on from ``last_epoch`` takes a
    stair that is at the next epoch; of the others, the rate there is expected to be set already, as in PyTorch."""

    def _factor(self, epoch: int) -> float:
        raise NotImplementedError

    def _floor(self, group: Group) -> float:
        """The rate at a factor of 0."""
        return 0.0

    def _first(self) -> float:
        """The factor at epoch 0."""
        return self._factor(0)

    def get_lr(self) -> list[float]:
        now, before = self._change()
        if before:
            return [floor + (group["lr"] - floor) * (now / before) for group, floor in self._floors()]
        if now:  # up from the bottom, on which all rates look alike
            self._match_groups(len(self.base_lrs))
            pairs = zip(self._floors(), self.base_lrs, strict=True)
            return [group["lr"] + (base - floor) * now for (group, floor), base in pairs]
        return [group["lr"] for group in self._groups]

    def _change(self) -> tuple[float, float]:
        """The factors at this epoch and at the one before."""
        epoch = self.last_epoch
        if epoch == 0:
            return self._first(), 1.0
        if self._is_initial and not self.in_stairs:
            return 1.0, 1.0
        return self._factor(epoch), self._factor(epoch - 1)

    def _at_epoch(self) -> list[float]:
        self._match_groups(len(self.base_lrs))
        factor = self._factor(self.last_epoch)
        pairs = zip(self._floors(), self.base_lrs, strict=True)
        return [floor + (base - floor) * factor for (_, floor), base in pairs]

    def _floors(self) -> list[tuple[Group, float]]:
        return [(group, self._floor(group)) for group in self._groups]


class OfFunctions(LRScheduler):
    """A schedule that calls the user's functions; those cannot be saved, objects with ``__call__`` can."""

    def __init__(
        self, optimizer: Optimizer, lr_lambda: Callable[[int], float] | Sequence[Callable[[int], float]],
        last_epoch: int = -1,
    ) -> None:  # fmt: skip
        self.lr_lambdas = per_group("lr_lambda", checked(optimizer), lr_lambda)
        for function in self.lr_lambdas:
            if not callable(function):
                raise TypeError(f"expected a function of the epoch as lr_lambda, got {type(function).__name__}")
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
        raise TypeError(f"a schedule needs an optimizer, such as gg.optim.SGD(...), got {type(optimizer).__name__}")
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
