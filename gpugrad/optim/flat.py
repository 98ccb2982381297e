"""Parameters side by side in one array, so that a step is one kernel launch and not one for each."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import accumulate
from typing import Any

from .. import backend
from ..backend import Array, Backend, Device, DType, Namespace, backend_of, transfer
from ..core import Tensor

ALIGNMENT = 128
"""Bytes. Every parameter begins at a multiple, as in an array of its own: matrix products are slower elsewhere."""

LARGE = 1 << 16
"""Elements from which a parameter is updated by itself, where there is no launch to be saved: its gradient is then
read where it is, not copied beside the others."""


class Run:
    """Parameters that lie side by side and are updated together: their numbers, and their gradients."""

    __slots__ = ("gradients", "indices")

    def __init__(self) -> None:
        self.indices: list[int] = []
        self.gradients: list[Array] = []


class Flat:
    """The parameters of a group that have one dtype and one device, as views into one array.

    Attributes:
        params: the parameters, whose ``data`` are views into ``data``.
        data: all their elements, shape ``(n,)``; where one parameter ends before the next begins, zeros.
        initial: what moments are full of at first.
        steps: for each parameter, how many steps it has taken.
        moments: what the optimizer remembers, each an array like ``data``, by name.
    """

    def __init__(self, params: Sequence[Tensor], initial: float = 0.0) -> None:
        self.params = list(params)
        self.initial = initial
        self.dtype: DType = params[0].dtype
        self.device: Device = params[0].device
        self.owner: Backend = backend_of(params[0].data)
        self.xp = self.owner.xp
        self.kind = type(params[0].data)
        self.shapes = [p.shape for p in params]
        unit = ALIGNMENT // self.dtype.itemsize
        *starts, self.size = accumulate((-(-p.size // unit) * unit for p in params), initial=0)
        self.places = [slice(start, start + p.size) for start, p in zip(starts, params, strict=True)]
        self.alone = [not self.owner.compiles and place.stop - place.start >= LARGE for place in self.places]
        """Whether a parameter is a run of its own."""
        self.steps = [0] * len(params)
        self.moments: dict[str, Array] = {}
        self._moment_views: dict[str, list[Array]] = {}
        with self.owner.using(self.device):
            self.data = self.xp.zeros(self.size, dtype=self.dtype)
            self._gradient = self.xp.empty_like(self.data)
            self._gap = self.xp.zeros(unit, dtype=self.dtype)
        self.views = self.parts(self.data)
        for p, view in zip(params, self.views, strict=True):
            backend.overwrite(view, p.data)
            p.data = view

    def parts(self, flat: Array) -> list[Array]:
        """Views of each parameter's part of an array like ``data``, in the parameter's shape."""
        with self.owner.using(self.device):
            return [flat[place].reshape(shape) for place, shape in zip(self.places, self.shapes, strict=True)]

    def moment(self, name: str) -> Array:
        """The moment ``name``, made when first asked for."""
        if name not in self.moments:
            with self.owner.using(self.device):
                flat = self.xp.zeros(self.size, dtype=self.dtype)
                if self.initial:
                    real(flat)[...] = self.initial
            self.moments[name] = flat
        return self.moments[name]

    def moment_views(self, name: str) -> list[Array]:
        """Views of each parameter's part of a moment, made once: the loop is held for them at each checkpoint."""
        if name not in self._moment_views:
            self._moment_views[name] = self.parts(self.moment(name))
        return self._moment_views[name]

    def forget(self) -> None:
        """Drop the moments."""
        self.moments.clear()
        self._moment_views.clear()

    def adopt(self) -> bool:
        """Make every parameter a view again where it got other memory; False if it got another shape or place."""
        for i, (p, view) in enumerate(zip(self.params, self.views, strict=True)):
            if p.data is view:
                continue
            if p.shape != self.shapes[i] or p.dtype != self.dtype or p.device != self.device:
                return False
            backend.overwrite(view, p.data)
            p.data = view
        return True

    def runs(self, key: Callable[[int], Any]) -> Iterator[Run]:
        """The runs of neighbours that have a gradient and agree in ``key`` of their steps.

        Raises:
            ValueError: a gradient has another shape, dtype or device than its parameter.
        """
        run, first = Run(), 0
        several = self.owner.several_devices
        for i, p in enumerate(self.params):
            g, steps = p.grad, self.steps[i]
            if run.indices and (
                g is None
                or (steps != first and key(steps) != key(first))
                or self.alone[i]
                or self.alone[run.indices[-1]]
            ):
                yield run
                run = Run()
            if g is not None:
                data = g.data
                alike = type(data) is self.kind and data.shape == self.shapes[i] and data.dtype == self.dtype
                if not alike or several:
                    self._check(i, g)
                if not run.indices:
                    first = steps
                run.indices.append(i)
                run.gradients.append(data)
        if run.indices:
            yield run

    def place(self, run: Run) -> slice:
        """The elements of a run."""
        return slice(self.places[run.indices[0]].start, self.places[run.indices[-1]].stop)

    def gather(self, xp: Namespace, run: Run) -> Array:
        """The gradients of a run, side by side; not to be written to."""
        if len(run.gradients) == 1:
            return run.gradients[0].reshape(-1)
        pieces, end = [], self.places[run.indices[0]].start
        for i, g in zip(run.indices, run.gradients, strict=True):
            if self.places[i].start > end:
                pieces.append(self._gap[: self.places[i].start - end])
            pieces.append(g.reshape(-1))
            end = self.places[i].stop
        return xp.concatenate(pieces, out=self._gradient[self.place(run)])

    def _check(self, i: int, g: Tensor) -> None:
        if g.shape != self.shapes[i] or g.dtype != self.dtype or g.device != self.device:
            raise ValueError(
                f"expected a gradient of {self.dtype} {self.shapes[i]} on {self.device} for the parameter, "
                f"got {g.dtype} {g.shape} on {g.device}"
            )


def real(flat: Array) -> Array:
    """A flat complex array as its real and imaginary parts in turn, which are updated like independent numbers."""
    return flat.view(flat.real.dtype) if flat.dtype.kind == "c" else flat


def flatten(params: Sequence[Tensor], initial: float = 0.0, old: Sequence[Flat] = ()) -> list[Flat]:
    """Flat arrays for ``params``, one for each dtype and device; steps and moments are taken over from ``old`` ones.

    Raises:
        ValueError: a parameter has another shape than before.
    """
    before = {id(p): (flat, i) for flat in old for i, p in enumerate(flat.params)}
    kinds: dict[tuple[DType, Device], list[Tensor]] = {}
    for p in params:
        kinds.setdefault((p.dtype, p.device), []).append(p)
        if id(p) in before:
            flat, i = before[id(p)]
            if flat.shapes[i] != p.shape:
                raise ValueError(f"a parameter changed its shape from {flat.shapes[i]} to {p.shape} between two steps")
    made = [Flat(group, initial) for group in kinds.values()]
    for new in made:
        for i, p in enumerate(new.params):
            if id(p) in before:
                flat, j = before[id(p)]
                new.steps[i] = flat.steps[j]
                for name, values in flat.moments.items():
                    new.moment(name)[new.places[i]] = transfer(values[flat.places[j]].astype(new.dtype), new.device)
    return made
