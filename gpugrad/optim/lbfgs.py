"""L-BFGS: Newton's method with a Hessian made of the last steps, for losses that are computed from all data."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Unpack

from .. import backend
from ..backend import Array
from ..core import Tensor, modes
from ..ops.creation import asarray, detached
from .adafactor import refuse_complex
from .line_search import Point, strong_wolfe
from .optimizer import Common, Group, Optimizer, Params
from .uninterrupted import Uninterrupted


class LBFGS(Optimizer):
    """``p += t d`` with ``d = -H g``, where ``H`` is the inverse Hessian that explains the last changes of ``g``.

    One :meth:`step` does up to ``max_iter`` iterations, and calls the closure up to ``max_eval`` times.

    Args:
        params: parameters, of one dtype and device, real, in a single group.
        lr: the step length ``t``, or where the line search begins.
        max_iter: number of iterations in a step.
        max_eval: number of calls of the closure in a step, beyond which no iteration is begun; None: 5/4 of
            ``max_iter``.
        tolerance_grad: stop where no gradient is larger.
        tolerance_change: stop where a step or a change of the loss is smaller.
        history_size: number of earlier steps that are kept.
        line_search_fn: None, or "strong_wolfe".
        options: see :class:`~gpugrad.optim.optimizer.Common`; ``master_weights`` must be False.

    Raises:
        ValueError: several groups, dtypes or devices, or an option out of range.
        TypeError: a complex parameter, or a step without a closure.

    State, of the first parameter: ``func_evals``, ``n_iter``, ``d``, ``t``, ``old_dirs``, ``old_stps``, ``ro``,
    ``H_diag``, ``prev_flat_grad``, ``prev_loss``. What it does next depends on values, so that it cannot be recorded by
    :func:`gpugrad.trace`. Source: Liu and Nocedal 1989; Nocedal and Wright 2006; ``torch.optim.LBFGS``.

    >>> import gpugrad as gg
    >>> w = gg.tensor([-1.0, 2.0], dtype=gg.float64, requires_grad=True)
    >>> optimizer = LBFGS([w], line_search_fn="strong_wolfe")
    >>> def closure():
    ...     optimizer.zero_grad()
    ...     loss = (1 - w[0]) ** 2 + 100 * (w[1] - w[0] ** 2) ** 2
    ...     loss.backward()
    ...     return loss
    >>> for _ in range(3):
    ...     loss = optimizer.step(closure)
    >>> w.numpy().round(6).tolist()
    [1.0, 1.0]
    """

    nonnegative = ("lr", "tolerance_grad", "tolerance_change")

    def __init__(
        self, params: Params, lr: float = 1, max_iter: int = 20, max_eval: int | None = None,
        tolerance_grad: float = 1e-7, tolerance_change: float = 1e-9, history_size: int = 100,
        line_search_fn: str | None = None, **options: Unpack[Common],
    ) -> None:  # fmt: skip
        self._history: Memory | None = None
        super().__init__(params, {
            "lr": lr, "max_iter": max_iter, "max_eval": max_iter * 5 // 4 if max_eval is None else max_eval,
            "tolerance_grad": tolerance_grad, "tolerance_change": tolerance_change, "history_size": history_size,
            "line_search_fn": line_search_fn,
        }, options)  # fmt: skip

    def check(self, group: Group) -> None:
        super().check(group)
        if self.param_groups and group["params"] is not self.param_groups[0]["params"]:
            raise ValueError("LBFGS: expected a single group of parameters, got another one")
        refuse_complex("LBFGS", group)
        if group.get("master_weights"):
            raise ValueError("LBFGS: expected master_weights=False: convert the model with model.to(dtype=gg.float32)")
        kinds = {(str(p.dtype), str(p.device)) for p in group["params"]}
        if len(kinds) > 1:
            raise ValueError(f"LBFGS: expected parameters of one dtype on one device, got {sorted(kinds)}")
        if group["line_search_fn"] not in (None, "strong_wolfe"):
            raise ValueError(f"line_search_fn: expected None or 'strong_wolfe', got {group['line_search_fn']!r}")

    def moments(self, group: Group) -> tuple[str, ...]:
        return ()

    # ---------------------------------------------------------------- the step

    def _step(self, closure: Callable[[], Any] | None = None) -> Any:
        if closure is None:
            raise TypeError(
                "LBFGS: expected a closure that computes the loss and its gradients: optimizer.step(closure)"
            )
        if backend.recorder() is not None:
            raise RuntimeError("LBFGS: what a step does depends on values of the loss, and cannot be recorded")
        (group,), ((flat,),) = self.param_groups, self._adopted()
        with flat.owner.using(flat.device):
            return self._iterate(group, flat, closure)

    def _iterate(self, group: Group, flat: Any, closure: Callable[[], Any]) -> Any:
        xp, memory = flat.xp, self._history or Memory()
        self._history = memory

        def evaluate() -> tuple[Any, float, Array]:
            memory.evaluations += 1
            with modes.enable_grad():
                loss = closure()
            parts = [
                xp.zeros(p.size, dtype=flat.dtype) if p.grad is None else p.grad.data.reshape(-1) for p in flat.params
            ]
            return (
                loss,
                loss.item() if isinstance(loss, Tensor) else float(loss),
                xp.concatenate(parts) if len(parts) > 1 else parts[0].copy(),
            )

        first, loss, g = evaluate()
        evaluations = 1
        if _largest(xp, g) <= group["tolerance_grad"]:
            return first
        for i in range(group["max_iter"]):
            start = memory.iterations == 0
            memory.iterations += 1
            d = -g if start else self._direction(xp, group["history_size"], g)
            memory.direction, memory.gradient, memory.loss = d, g, loss
            t = float(group["lr"])
            if start:
                t *= min(1.0, 1.0 / float(xp.sum(xp.abs(g))))
            memory.length = t
            slope = float(xp.vdot(g, d))
            if slope > -group["tolerance_change"]:
                break
            before = [view.copy() for view in flat.views]
            calls = memory.evaluations
            if group["line_search_fn"] is not None:

                def at(t: float) -> Point:
                    self._move(flat, before, t, d)  # noqa: B023  called in this iteration only
                    _, value, gradient = evaluate()
                    return Point(t, value, float(xp.vdot(gradient, d)), gradient)  # noqa: B023

                found = strong_wolfe(
                    at, Point(0.0, loss, slope, g), t, _largest(xp, d), group["tolerance_change"],
                    group["max_eval"] - evaluations,
                )  # fmt: skip
                t, loss, g = found.t, found.value, found.gradient
                memory.length = t
                self._move(flat, before, t, d)
            else:
                self._move(flat, before, t, d)
                if i + 1 < group["max_iter"]:
                    _, loss, g = evaluate()
            evaluations += memory.evaluations - calls
            if (
                evaluations >= group["max_eval"]
                or (memory.evaluations > calls and _largest(xp, g) <= group["tolerance_grad"])
                or _largest(xp, d) * t <= group["tolerance_change"]
                or abs(loss - memory.loss) < group["tolerance_change"]
            ):
                break
        return first

    def _direction(self, xp: Any, most: int, g: Array) -> Array:
        """``-H g`` by two loops over the last steps, after the last one is taken in. Nothing waits but one product."""
        memory = self._history
        assert memory is not None
        assert memory.direction is not None
        assert memory.gradient is not None
        y, s = g - memory.gradient, memory.direction * memory.length
        curvature = xp.vdot(y, s)
        if float(curvature) > 1e-10:
            for kept, entry in ((memory.changes, y), (memory.steps, s), (memory.inverses, 1 / curvature)):
                if len(kept) == most:
                    kept.pop(0)
                kept.append(entry)
            memory.scale = curvature / xp.vdot(y, y)
        q = -g
        history = list(zip(memory.changes, memory.steps, memory.inverses, strict=True))
        weights = []
        for y, s, inverse in reversed(history):
            weights.append(xp.vdot(s, q) * inverse)
            q = q - y * weights[-1]
        q = q * memory.scale
        for (y, s, inverse), weight in zip(history, reversed(weights), strict=True):
            q = q + s * (weight - xp.vdot(y, q) * inverse)
        return q

    @staticmethod
    def _move(flat: Any, before: list[Array], t: float, d: Array) -> None:
        """Set the parameters to what they were before, plus ``t d``."""
        with Uninterrupted():
            at = 0
            for p, view, old in zip(flat.params, flat.views, before, strict=True):
                view[...] = old + (d[at : at + p.size] * t).reshape(old.shape)
                at += p.size
                p.mark_changed()

    # ---------------------------------------------------------------- the state

    @property
    def state(self) -> dict[Tensor, dict[str, Any]]:
        """Of the first parameter, by PyTorch's names; to be read, and valid until the next step."""
        m = self._history
        if m is None:
            return {}
        entry: dict[str, Any] = {"func_evals": m.evaluations, "n_iter": m.iterations}
        if m.direction is not None:
            entry |= {
                "d": Tensor(m.direction), "t": m.length, "old_dirs": [Tensor(a) for a in m.changes],
                "old_stps": [Tensor(a) for a in m.steps], "ro": [float(a) for a in m.inverses],
                "H_diag": float(m.scale), "prev_flat_grad": Tensor(m.gradient), "prev_loss": m.loss,
            }  # fmt: skip
        return {self.param_groups[0]["params"][0]: entry}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """As :meth:`Optimizer.load_state_dict`.

        Raises:
            ValueError: a vector has another length than the parameters.
        """
        group = self.param_groups[0]
        entry = dict(state_dict["state"].get(0) or {})
        p, length = group["params"][0], sum(q.size for q in group["params"])

        def read(name: str, value: Any) -> Array:
            made = asarray(detached(value), dtype=p.dtype, device=p.device)
            if made.shape != (length,):
                raise ValueError(f"expected {name} of shape {(length,)}, got {made.shape}")
            return backend.duplicate(made.data)

        memory = None
        if entry:
            memory = Memory(int(entry["func_evals"]), int(entry["n_iter"]))
            if entry.get("d") is not None:
                memory.direction, memory.gradient = (read(name, entry[name]) for name in ("d", "prev_flat_grad"))
                memory.length, memory.loss = float(entry["t"]), float(entry["prev_loss"])
                memory.changes, memory.steps = (
                    [read(name, one) for one in entry[name]] for name in ("old_dirs", "old_stps")
                )
                memory.inverses = [float(one) for one in entry["ro"]]
                memory.scale = float(entry["H_diag"])
        super().load_state_dict({"state": {}, "param_groups": state_dict["param_groups"]})
        self._history = memory


class Memory:
    """What is kept between iterations: counts, the last step and its gradient, and changes of both before."""

    def __init__(self, evaluations: int = 0, iterations: int = 0) -> None:
        self.evaluations, self.iterations = evaluations, iterations
        self.direction: Array | None = None
        self.length, self.loss = 0.0, 0.0
        self.gradient: Array | None = None
        self.changes: list[Array] = []
        self.steps: list[Array] = []
        self.inverses: list[Any] = []
        self.scale: Any = 1.0


def _largest(xp: Any, x: Array) -> float:
    return float(xp.max(xp.abs(x))) if x.size else 0.0
