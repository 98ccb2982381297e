"""Schedules that a function of the user gives."""

from __future__ import annotations

from .base import OfFunctions


class LambdaLR(OfFunctions):
    """``lr = initial_lr * lr_lambda(epoch)``.

    Args:
        optimizer: whose rates are set.
        lr_lambda: the factor of an epoch, or a list with one function for each group. Functions are not saved with the
            state; the attributes of callable objects are.
        last_epoch: as of :class:`LRScheduler`.

    Raises:
        TypeError: no function.
        ValueError: as many functions as groups were expected.

    Source: ``torch.optim.lr_scheduler.LambdaLR``.

    >>> import gpugrad as gg
    >>> from gpugrad.optim import SGD
    >>> scheduler = LambdaLR(SGD([gg.ones(1).requires_grad_()], lr=1.0), lambda epoch: 0.5**epoch)
    >>> scheduler.step()
    >>> scheduler.get_last_lr()
    [0.5]
    """

    fixed_groups = True

    def get_lr(self) -> list[float]:
        return [base * f(self.last_epoch) for f, base in zip(self.lr_lambdas, self.base_lrs, strict=True)]


class MultiplicativeLR(OfFunctions):
    """``lr = lr * lr_lambda(epoch)``.

    Args: as of :class:`LambdaLR`. Raises: as :class:`LambdaLR`.

    Source: ``torch.optim.lr_scheduler.MultiplicativeLR``.

    >>> import gpugrad as gg
    >>> from gpugrad.optim import SGD
    >>> scheduler = MultiplicativeLR(SGD([gg.ones(1).requires_grad_()], lr=1.0), lambda epoch: 0.5)
    >>> scheduler.step(), scheduler.step()
    (None, None)
    >>> scheduler.get_last_lr()
    [0.25]
    """

    fixed_groups = True

    def get_lr(self) -> list[float]:
        rates = [group["lr"] for group in self._groups]
        if self._is_initial:
            return rates
        return [rate * f(self.last_epoch) for f, rate in zip(self.lr_lambdas, rates, strict=True)]
