"""What all optimizers share: groups of parameters, their flat arrays, the step, the state as a dictionary."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from copy import copy
from functools import partial
from typing import Any, TypedDict

from .. import backend
from ..backend import Array, Namespace
from ..backend.dtypes import float32
from ..core import Hook, Tensor, modes
from ..kernels import Kernel
from ..kernels.optim_whole import master_rounded, master_taken
from ..kernels.shapes import Shape
from ..ops.creation import asarray, detached, zeros_like
from .flat import MASTER, Flat, Layout, Run, as_parameter, flatten, real
from .uninterrupted import Uninterrupted

Params = Iterable[Tensor] | Iterable[tuple[str, Tensor]] | Iterable[dict[str, Any]]
Group = dict[str, Any]


class Common(TypedDict, total=False):
    """Options that every optimizer takes by keyword.

    Attributes:
        master_weights: keep float32 values of float16 and bfloat16 parameters, which the steps change; the parameters
            are these, rounded. Small steps are not lost then.
        foreach: as ``fused`` and ``capturable``, chooses among PyTorch's implementations: accepted, without effect.
        fused: see ``foreach``.
        capturable: see ``foreach``.
        differentiable: must be False.
    """

    master_weights: bool
    foreach: bool | None
    fused: bool | None
    capturable: bool
    differentiable: bool


ELSEWHERE = {"foreach", "fused", "capturable", "differentiable"}
"""Options that choose among PyTorch's implementations: dropped, from the state of its optimizers too."""


class Optimizer:
    """Base class of the optimizers.

    Args:
        params: the parameters, or dictionaries with the entry ``params`` and options that differ for that group.
        defaults: the options of all groups that do not say otherwise.

    The parameters of a group become views into one flat array for each dtype and device; values and identity stay.
    A parameter without a gradient is skipped: neither its moments nor its steps change. Options (``group["lr"]``) may
    be set between steps, and a parameter may get other memory, another dtype or device: it is taken in again at the
    next step, its moments with it.

    Raises:
        ValueError: no parameters, the same one twice, one that is no leaf, or an option that is out of range.
        TypeError: something that is no Tensor.

    Source: ``torch.optim.Optimizer``.

    >>> import gpugrad as gg
    >>> from gpugrad.optim import SGD
    >>> w = gg.tensor([1.0, 2.0], requires_grad=True)
    >>> optimizer = SGD([w], lr=0.1)
    >>> (w * w).sum().backward()
    >>> optimizer.step()
    >>> w
    tensor([0.8, 1.6], requires_grad=True)
    """

    nonnegative: tuple[str, ...] = ("lr", "weight_decay")
    """The options that must be at least 0."""
    apart = False
    """Whether the rule needs each parameter by itself, in its shape."""
    _hooks: dict[str, dict[int, Callable[..., Any]]] | None = None

    def __init__(self, params: Params, defaults: Group, options: Common | None = None) -> None:
        name = type(self).__name__
        self.defaults = _with_common(name, defaults, options or {})
        self.param_groups: list[Group] = []
        self._flats: list[list[Flat]] = []
        if isinstance(params, Tensor):
            raise TypeError(
                f"{name}: expected an iterable of parameters or of groups, got a single Tensor: use {name}([x])"
            )
        if not isinstance(params, Iterable):
            raise TypeError(
                f"{name}: expected an iterable of parameters or of groups, got {type(params).__name__}: "
                f"use {name}(model.parameters())"
            )
        groups: list[Any] = list(params)
        if not groups:
            raise ValueError(f"{name}: expected at least one parameter, got none: does the model have any?")
        if not isinstance(groups[0], dict):
            groups = [{"params": groups}]
        for group in groups:
            self.add_param_group(group)

    # ---------------------------------------------------------------- what a subclass says

    def moments(self, group: Group) -> tuple[str, ...]:
        """The names of the arrays that are remembered for each parameter."""
        raise NotImplementedError

    def initial(self, group: Group) -> float:
        """What the moments are full of before the first step."""
        return 0.0

    moment_shape: Callable[[str, Shape], Shape | None] = staticmethod(as_parameter)
    """``moment_shape(name, shape)``: the shape of a moment of a parameter, or None where it has none."""

    def rule(self, group: Group) -> Kernel:
        """The kernel ``f(xp, p, g, *moments, *scalars)`` that changes flat parameters and their moments in place."""
        raise NotImplementedError

    def rule_for(self, group: Group, shape: Shape) -> Kernel:
        """The rule for a parameter of a shape, of optimizers that take each by itself."""
        return self.rule(group)

    def scalars(self, group: Group, step: int) -> tuple[float, ...]:
        """The numbers that the rule takes in the step number ``step`` (from 1)."""
        raise NotImplementedError

    def numbers(self, group: Group, steps: Any) -> tuple[float, ...]:
        """The numbers that the rule takes after ``steps``; of optimizers that count more than steps, by these."""
        return self.scalars(group, steps + 1)

    def step_key(self, group: Group, steps: int) -> Any:
        """What of the number of steps taken the rule depends on: parameters that agree in it share a launch."""
        return steps

    def advanced(self, group: Group, steps: Any) -> Any:
        """The number of steps after one more. Before the first, it is 0 whatever is counted."""
        return steps + 1

    def check(self, group: Group) -> None:
        """Raise ValueError where an option of ``group`` is out of range."""
        for name in self.nonnegative:
            if not group[name] >= 0:
                raise ValueError(f"expected {name} from 0 on, got {group[name]}")

    # ---------------------------------------------------------------- groups

    def add_param_group(self, param_group: Group) -> None:
        """Take in more parameters, with options of their own.

        Raises: as the class.

        >>> import gpugrad as gg
        >>> from gpugrad.optim import Adam
        >>> w, b = gg.ones(2).requires_grad_(), gg.zeros(2).requires_grad_()
        >>> optimizer = Adam([w], lr=0.1)
        >>> optimizer.add_param_group({"params": b, "lr": 0.2})
        >>> [group["lr"] for group in optimizer.param_groups]
        [0.1, 0.2]
        """
        if not isinstance(param_group, dict):
            raise TypeError(f"expected a group as a dict, got {type(param_group).__name__}")
        given = param_group["params"]
        if isinstance(given, set | frozenset):
            raise TypeError("expected parameters in an order, such as a list: the order of a set changes between runs")
        if not isinstance(given, Iterable):
            raise TypeError(f"expected parameters, got {type(given).__name__}: use model.parameters()")
        params = [given] if isinstance(given, Tensor) else list(given)
        names = None
        if params and all(_is_named(entry) for entry in params):
            names, params = [name for name, _ in params], [p for _, p in params]
        for p in params:
            if _is_named(p):
                raise ValueError("expected all parameters of a group with names, or none of them, got some of each")
            if not isinstance(p, Tensor):
                raise TypeError(f"expected Tensors as parameters, got {type(p).__name__}: use model.parameters()")
            if not p.is_leaf:
                raise ValueError(
                    "expected leaf Tensors, got the result of an operation: optimize what it was computed from"
                )
        known = {id(p) for group in self.param_groups for p in group["params"]}
        if known & {id(p) for p in params}:
            raise ValueError("a parameter of this group is in an earlier group of the optimizer already")
        if len({id(p) for p in params}) < len(params):
            raise ValueError("a parameter is listed twice in one group")
        if self.param_groups and (names is None) == ("param_names" in self.param_groups[0]):
            raise ValueError(
                "expected all groups with names of their parameters, or none of them: use model.named_parameters() for "
                "each group, or model.parameters() for each"
            )
        options = _with_common(type(self).__name__, {}, {k: v for k, v in param_group.items() if k in COMMON})
        others = {k: v for k, v in param_group.items() if k not in COMMON}
        group = {**self.defaults, **others, **options, "params": params}
        if names is not None:
            group["param_names"] = names
        for name in self.nonnegative:
            _check_number(name, group[name])
        self.check(group)
        self.param_groups.append(group)
        self._flats.append(flatten(params, self._layout(group)))

    def _layout(self, group: Group) -> Layout:
        return Layout(self.initial(group), self.apart, bool(group.get("master_weights")), self.moment_shape)

    def _kept(self, group: Group, flat: Flat) -> tuple[str, ...]:
        """The names of all that is kept for the parameters of a flat array."""
        return (*self.moments(group), MASTER) if flat.master else self.moments(group)

    def _adopted(self) -> list[list[Flat]]:
        """The flat arrays of each group, with every parameter a view into them."""
        for i, (group, flats) in enumerate(zip(self.param_groups, self._flats, strict=True)):
            if not all(flat.adopt() for flat in flats):
                self._flats[i] = flatten(group["params"], self._layout(group), flats)
        return self._flats

    def __repr__(self) -> str:
        lines = [f"{type(self).__name__} ("]
        for i, group in enumerate(self.param_groups):
            lines.append(f"Parameter Group {i}")
            lines += [f"    {name}: {group[name]}" for name in sorted(group) if name not in ("params", "param_names")]
        return "\n".join([*lines, ")"])

    def __getstate__(self) -> dict[str, Any]:
        """For copies and pickles: steps and moments of each parameter, and not the arrays that they are views of."""
        stored = [
            {i: (flat.steps[j], moments) for i, flat, j, moments in _by_parameter(group["params"], flats)}
            for group, flats in zip(self.param_groups, self._flats, strict=True)
        ]
        return {**vars(self), "_flats": stored}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        self._flats = []
        for group, stored in zip(self.param_groups, state["_flats"], strict=True):
            flats = flatten(group["params"], self._layout(group))
            for flat in flats:
                _fill(flat, {id(p): stored[i] for i, p in enumerate(group["params"])})
            self._flats.append(flats)

    # ---------------------------------------------------------------- the step

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget the gradients, or make them 0.

        Args:
            set_to_none: None skips the parameter at the next step; zeros still decay its moments and weights.
        """
        for group in self.param_groups:
            for p in group["params"]:
                if set_to_none:
                    p.grad = None
                elif p.grad is not None:
                    p.grad = zeros_like(p.grad)

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Update every parameter that has a gradient.

        A signal that comes meanwhile, such as Ctrl-C, is handled when all are updated.

        Args:
            closure: computes the gradients anew and returns the loss, which is then returned.

        Raises:
            ValueError: a gradient has another shape, dtype or device than its parameter; nothing was updated.
        """
        if self._hooks is None:
            return self._step(closure)
        args: tuple[Any, ...] = () if closure is None else (closure,)
        kwargs: dict[str, Any] = {}
        for hook in self._hooks_of("step before"):
            answer = hook(self, args, kwargs)
            if answer is not None:
                if not isinstance(answer, tuple) or len(answer) != 2:
                    raise TypeError(f"step pre-hook: expected None or (args, kwargs), got {type(answer).__name__}")
                args, kwargs = answer
        loss = self._step(*args, **kwargs)
        for hook in self._hooks_of("step after"):
            hook(self, args, kwargs)
        return loss

    def _step(self, closure: Callable[[], Any] | None = None) -> Any:
        loss = None
        if closure is not None:
            with modes.enable_grad():
                loss = closure()
        work = [
            (group, flat, list(flat.runs(partial(self.step_key, group))))
            for group, flats in zip(self.param_groups, self._adopted(), strict=True)
            for flat in flats
        ]
        writer = backend.recorder()
        with Uninterrupted():
            for group, flat, runs in work:
                names = self._kept(group, flat)
                with flat.owner.using(flat.device):
                    for run in runs:
                        first = run.indices[0]
                        rule = self.rule_for(group, flat.shapes[first]) if self.apart else self.rule(group)
                        arrays = [flat.data, *[flat.moment(name) for name in names]]
                        if writer is None:
                            xp, scalars = flat.xp, self.numbers(group, flat.steps[first])
                        else:
                            writer.depends(partial(self._premises, group, flat, run))
                            xp, arrays = writer.owner.xp, [writer.lift(a) for a in arrays]
                            numbers = [f"{type(self).__name__} {name}" for name in rule.scalars]
                            scalars = writer.scalars(numbers, partial(self._scalars, group, flat, run))
                        g = flat.gather(xp, run)
                        if self.apart:
                            parts = _in_shape(flat, first, g, arrays, names)
                        else:
                            place = flat.place(run)
                            parts = [g, *[a[place] for a in arrays]]
                        if flat.master:
                            *parts, master = parts
                            _through_master(xp, rule, parts, master, scalars)
                        else:
                            g, p, *moments = map(real, parts) if flat.dtype.kind == "c" else parts
                            rule(xp, p, g, *moments, *scalars)
                        if writer is None:
                            self._advance(group, flat, run)
                        else:
                            writer.effect(partial(self._advance, group, flat, run))
        return loss

    def _scalars(self, group: Group, flat: Flat, run: Run) -> tuple[float, ...]:
        return self.numbers(group, flat.steps[run.indices[0]])

    def _premises(self, group: Group, flat: Flat, run: Run) -> tuple[Any, ...]:
        """What a recorded step depends on: kernel, hooks, arrays, and that the parameters take their steps together."""
        first = run.indices[0]
        key = self.step_key(group, flat.steps[first])
        together = all(self.step_key(group, flat.steps[i]) == key for i in run.indices)
        mine = any(flat is one for flats in self._flats for one in flats)
        rule = self.rule_for(group, flat.shapes[first]) if self.apart else self.rule(group)
        hooks = [hook for hooks in (self._hooks or {}).values() for hook in hooks.values()]
        return rule, together, mine, flat.data, *[flat.moment(name) for name in self._kept(group, flat)], *hooks

    def _advance(self, group: Group, flat: Flat, run: Run) -> None:
        """Note that the parameters of a run have taken a step."""
        for i in run.indices:
            flat.steps[i] = self.advanced(group, flat.steps[i])
            flat.params[i].mark_changed()

    # ---------------------------------------------------------------- hooks

    def _hooks_of(self, moment: str) -> list[Callable[..., Any]]:
        return list((self._hooks or {}).get(moment, {}).values())

    def _at(self, moment: str, hook: Callable[..., Any], prepend: bool = False) -> Hook:
        if not callable(hook):
            raise TypeError(f"expected a hook that can be called, got {type(hook).__name__}")
        if self._hooks is None:
            self._hooks = {}
        hooks = self._hooks.setdefault(moment, {})
        others = list(hooks.items())
        handle = Hook(hooks, hook)
        if prepend:
            for key, other in others:
                del hooks[key]
                hooks[key] = other
        return handle

    def register_step_pre_hook(self, hook: Callable[..., Any]) -> Hook:
        """Call ``hook(optimizer, args, kwargs)`` before each step; it may return other ``(args, kwargs)`` for it.

        >>> import gpugrad as gg
        >>> optimizer = gg.optim.SGD([gg.ones(1).requires_grad_()])
        >>> handle = optimizer.register_step_pre_hook(lambda optimizer, args, kwargs: print("before"))
        >>> optimizer.step()
        before
        >>> handle.remove()
        >>> optimizer.step()
        """
        return self._at("step before", hook)

    def register_step_post_hook(self, hook: Callable[..., Any]) -> Hook:
        """Call ``hook(optimizer, args, kwargs)`` after each step."""
        return self._at("step after", hook)

    def register_state_dict_pre_hook(self, hook: Callable[..., Any], prepend: bool = False) -> Hook:
        """Call ``hook(optimizer)`` before a state is made."""
        return self._at("save before", hook, prepend)

    def register_state_dict_post_hook(self, hook: Callable[..., Any], prepend: bool = False) -> Hook:
        """Call ``hook(optimizer, state_dict)`` with each state that was made; it may return another one."""
        return self._at("save after", hook, prepend)

    def register_load_state_dict_pre_hook(self, hook: Callable[..., Any], prepend: bool = False) -> Hook:
        """Call ``hook(optimizer, state_dict)`` before a state is loaded; it may return another one to load."""
        return self._at("load before", hook, prepend)

    def register_load_state_dict_post_hook(self, hook: Callable[..., Any], prepend: bool = False) -> Hook:
        """Call ``hook(optimizer)`` when a state was loaded."""
        return self._at("load after", hook, prepend)

    # ---------------------------------------------------------------- the state

    @property
    def state(self) -> dict[Tensor, dict[str, Any]]:
        """For each parameter that has any, its state by PyTorch's names: to be read, and valid until the next step."""
        found: dict[Tensor, dict[str, Any]] = {}
        for group, flats in zip(self.param_groups, self._flats, strict=True):
            for flat in flats:
                parts = {name: flat.moment_views(name) for name in self._kept(group, flat)}
                for i, p in enumerate(flat.params):
                    mine = {name: Tensor(views[i]) for name, views in parts.items() if views[i] is not None}
                    entry = self.entry(flat.steps[i], mine)
                    if entry:
                        found[p] = entry
        return {p: found[p] for group in self.param_groups for p in group["params"] if p in found}

    def entry(self, steps: Any, moments: dict[str, Any]) -> dict[str, Any]:
        """The state of one parameter as PyTorch would name it; empty before its first step."""
        return {"step": steps, **moments} if steps else {}

    def state_dict(self, *, copy: bool = True) -> dict[str, Any]:
        """Options, steps and moments, copied, in PyTorch's structure: parameters are numbered over all groups.

        ``{"state": {0: {"step": 3, "exp_avg": ...}, ...}, "param_groups": [{"lr": ..., "params": [0, 1]}, ...]}``

        Args:
            copy: False shares the memory of the moments: as long as no step is taken.

        >>> import gpugrad as gg
        >>> from gpugrad.optim import SGD
        >>> SGD([gg.ones(2).requires_grad_()], lr=0.1).state_dict()["param_groups"][0]["params"]
        [0]
        """
        for hook in self._hooks_of("save before"):
            hook(self)
        numbers = {id(p): i for i, p in enumerate(p for group in self.param_groups for p in group["params"])}
        state = {
            numbers[id(p)]: {
                name: Tensor(backend.duplicate(value.data)) if copy and isinstance(value, Tensor) else value
                for name, value in entry.items()
            }
            for p, entry in self.state.items()
        }
        groups = [{**group, "params": [numbers[id(p)] for p in group["params"]]} for group in self.param_groups]
        made = {"state": state, "param_groups": groups}
        for hook in self._hooks_of("save after"):
            answer = hook(self, made)
            made = made if answer is None else answer
        return made

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Take over what :meth:`state_dict` gave; going on is then the same as never having stopped.

        PyTorch's own dictionaries do too, their tensors as arrays. Moments get the dtype and device of their
        parameters.

        Raises:
            ValueError: the groups, or the shapes of the moments, are not those of this optimizer; nothing was loaded.
        """
        for hook in self._hooks_of("load before"):
            answer = hook(self, state_dict)
            state_dict = state_dict if answer is None else answer
        saved = [copy(group) for group in state_dict["param_groups"]]
        if len(saved) != len(self.param_groups):
            raise ValueError(
                f"loaded state dict has {len(saved)} parameter groups, this optimizer has {len(self.param_groups)}"
            )
        groups, stored = [], {}
        for i, (group, other) in enumerate(zip(self.param_groups, saved, strict=True)):
            if len(group["params"]) != len(other["params"]):
                raise ValueError(f"loaded state dict has {len(other['params'])} parameters in group {i}, "
                                 f"this optimizer has {len(group['params'])}")  # fmt: skip
            options = {name: value for name, value in other.items() if name not in ELSEWHERE}
            if "param_names" in group:
                options.setdefault("param_names", group["param_names"])
            groups.append({**self.defaults, **options, "params": group["params"]})
            self.check(groups[-1])
            for number, p in zip(other["params"], group["params"], strict=True):
                entry = state_dict["state"].get(number, {})
                stored[id(p)] = self._read(number, p, groups[-1], entry)
        flats = self._adopted()
        for i, group in enumerate(groups):
            self.param_groups[i].clear()
            self.param_groups[i].update(group)
            for flat in flats[i]:
                flat.forget()
                flat.layout = self._layout(group)
                _fill(flat, stored)
        for hook in self._hooks_of("load after"):
            hook(self)

    def _read(self, number: int, p: Tensor, group: Group, entry: Mapping[str, Any]) -> tuple[Any, dict[str, Array]]:
        """Steps and flat moments of one parameter from a loaded dictionary."""
        present = {name: value for name, value in entry.items() if name != "step" and value is not None}
        shapes = {name: self.moment_shape(name, p.shape) for name in self.moments(group)}
        names = [name for name, shape in shapes.items() if shape is not None]
        if not present:
            if names and entry.get("step"):
                raise ValueError(f"loaded state dict lacks {', '.join(names)} of parameter {number}")
            return self.loaded_steps(entry), {}
        missing = [name for name in names if name not in present]
        if missing:
            raise ValueError(f"loaded state dict lacks {', '.join(missing)} of parameter {number}")
        moments = {}
        master = bool(group.get("master_weights")) and backend.is_short(p.dtype)
        if master and MASTER in present:
            names.append(MASTER)
        for name in names:
            made = asarray(detached(present[name]), dtype=float32 if master else p.dtype, device=p.device)
            shape = shapes.get(name, p.shape)
            if made.shape != shape:
                raise ValueError(f"expected {name} of shape {shape} for parameter {number}, got {made.shape}")
            with backend.beside(made.data):
                moments[name] = made.data.reshape(-1)
        return self.loaded_steps(entry), moments

    def loaded_steps(self, entry: Mapping[str, Any]) -> Any:
        """The number of steps that the state of one parameter tells of."""
        return int(entry.get("step", 0))


def _by_parameter(params: Sequence[Tensor], flats: Iterable[Flat]) -> Iterator[tuple[int, Flat, int, dict[str, Array]]]:
    """For each parameter its number, its flat array, its number there, and its moments."""
    numbers = {id(p): i for i, p in enumerate(params)}
    for flat in flats:
        parts = {name: flat.moment_views(name) for name in flat.moments}
        for j, p in enumerate(flat.params):
            yield numbers[id(p)], flat, j, {name: v[j] for name, v in parts.items() if v[j] is not None}


def _fill(flat: Flat, stored: Mapping[int, tuple[int, dict[str, Array]]]) -> None:
    """Write steps and moments, by the ``id`` of their parameters."""
    for j, p in enumerate(flat.params):
        flat.steps[j], moments = stored[id(p)]
        for name, values in moments.items():
            with backend.beside(values):
                flattened = values.reshape(-1)
            backend.overwrite(flat.moment(name)[flat.moment_places(name)[0][j]], flattened)


def _in_shape(flat: Flat, i: int, g: Array, arrays: Sequence[Array], names: Sequence[str]) -> list[Array]:
    """The gradient, the values and the moments of one parameter in their shapes, with one axis at least."""
    shape = flat.shapes[i] or (1,)
    parts = [g.reshape(shape), arrays[0][flat.places[i]].reshape(shape)]
    for name, array in zip(names, arrays[1:], strict=True):
        place, mine = flat.moment_places(name)[0][i], flat.moment_shape(name, i)
        if place is not None and mine is not None:
            parts.append(array[place].reshape(mine or (1,)))
    return parts


def _through_master(
    xp: Namespace, rule: Kernel, parts: Sequence[Array], master: Array, scalars: Sequence[float]
) -> None:  # fmt: skip
    """A step of float32 values, to which the parameters are rounded; those that were set since are taken over."""
    g, p, *moments = parts
    master_taken(xp, master, p)
    rule(xp, master, xp.astype(g, float32), *moments, *scalars)
    master_rounded(xp, p, master)


def _is_named(entry: Any) -> bool:
    """Whether it is an entry of ``model.named_parameters()``."""
    return isinstance(entry, tuple) and len(entry) == 2 and isinstance(entry[0], str)


COMMON = {*ELSEWHERE, "master_weights"}


def _with_common(name: str, defaults: Group, given: Mapping[str, Any]) -> Group:
    """The defaults, with those of the common options that have an effect here.

    Raises:
        TypeError: an option that there is not, or ``differentiable=True``.
    """
    unknown = [option for option in given if option not in COMMON]
    if unknown:
        raise TypeError(f"{name}: got an unexpected keyword argument {unknown[0]!r}")
    if given.get("differentiable"):
        raise TypeError(f"{name}: optimizers are not differentiable, expected differentiable=False: write the update "
                        "as an expression")  # fmt: skip
    return {**defaults, "master_weights": True} if given.get("master_weights") else defaults


def _check_number(name: str, value: Any) -> None:
    """Refuse an option that is not a constant number.

    Raises:
        TypeError: None, a string, or a Tensor that needs a gradient.
    """
    if value is None:
        raise TypeError(f"{name}: expected a number, got None")
    if isinstance(value, str):
        raise TypeError(f"{name}: expected a number, got the string {value!r}: use {name}=float({value!r})")
    if isinstance(value, Tensor) and value.requires_grad:
        raise TypeError(
            f"{name}: expected a constant, got a tensor that needs a gradient, and optimizers are not differentiable: "
            f"use {name}=x.item(), or write the update as an expression"
        )


def check_betas(group: Group) -> None:
    """Raise ValueError where one of two betas is outside [0, 1)."""
    for i, beta in enumerate(group["betas"]):
        if not 0 <= beta < 1:
            raise ValueError(f"expected betas from 0 to below 1, got {beta} for beta{i + 1}")


def decay_of(group: Group) -> tuple[float, float]:
    """The weight decay that is added to the gradient, and the factor of the parameters that stands for it otherwise."""
    decay = group["weight_decay"]
    return (0.0, 1 - group["lr"] * decay) if group["decoupled_weight_decay"] else (decay, 1.0)


def common(group: Group) -> tuple[float, float]:
    """The scalars all rules begin with: the sign of the gradient, and the weight decay."""
    return (-1.0 if group["maximize"] else 1.0), group["weight_decay"]
