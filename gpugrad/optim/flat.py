"""Parameters side by side in one array, so that a step is one kernel launch and not one for each."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

from .. import backend
from ..backend import Array, Backend, Device, DType, Namespace, backend_of, is_short, transfer
from ..backend.dtypes import float32
from ..core import Tensor
from ..kernels.shapes import Shape

ALIGNMENT = 128
"""Bytes. Every parameter begins at a multiple, as in an array of its own: matrix products are slower elsewhere."""

LARGE = 1 << 16
"""Elements from which a parameter is updated by itself, where there is no launch to be saved: its gradient is then
read where it is, not copied beside the others."""


MASTER = "master_param"
"""The name, among the moments, of the float32 values of parameters of 16 bits."""


def as_parameter(name: str, shape: Shape) -> Shape | None:
    """The usual shape of a moment."""
    return shape


@dataclass(frozen=True)
class Layout:
    """How the flat arrays of a group are made.

    Attributes:
        initial: what moments are full of at first.
        apart: whether each parameter is updated by itself, its arrays in their shapes.
        master: whether 16-bit parameters have float32 values beside them, which the steps change.
        shape: ``shape(moment, of the parameter)``, the shape of a moment, or None where it is not kept.
    """

    initial: float = 0.0
    apart: bool = False
    master: bool = False
    shape: Callable[[str, Shape], Shape | None] = as_parameter


DEFAULT_LAYOUT = Layout()


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
        layout: how moments are made.
        steps: for each parameter, how many steps it has taken; or what the optimizer counts instead.
        moments: what the optimizer remembers, each a flat array, by name.
        kept: the dtype of the moments.
        master: whether there are float32 values, the moment :data:`MASTER`, beside ``data``.
    """

    def __init__(self, params: Sequence[Tensor], layout: Layout = DEFAULT_LAYOUT) -> None:
        self.params = list(params)
        self.layout = layout
        self.dtype: DType = params[0].dtype
        self.device: Device = params[0].device
        self.owner: Backend = backend_of(params[0].data)
        self.xp = self.owner.xp
        self.kind = type(params[0].data)
        self.shapes = [p.shape for p in params]
        self.places, self.size = self._placed(self.shapes)
        large = [not self.owner.compiles and place.stop - place.start >= LARGE for place in self.places]
        self.alone = [layout.apart or one for one in large]
        """Whether a parameter is a run of its own."""
        self.steps: list[Any] = [0] * len(params)
        self.master = layout.master and is_short(self.dtype)
        self.kept = float32 if self.master else self.dtype
        self.moments: dict[str, Array] = {}
        self._moment_views: dict[str, list[Array | None]] = {}
        self._placements: dict[str, tuple[list[slice | None], int]] = {}
        with self.owner.using(self.device):
            self.data = self.xp.zeros(self.size, dtype=self.dtype)
            self._gradient = self.xp.empty_like(self.data)
            self._gap = self.xp.zeros(ALIGNMENT // self.dtype.itemsize, dtype=self.dtype)
            self.views = [
                self.data[place].reshape(shape) for place, shape in zip(self.places, self.shapes, strict=True)
            ]
        for p, view in zip(params, self.views, strict=True):
            backend.overwrite(view, p.data)
            p.data = view

    def _placed(self, shapes: Sequence[Shape]) -> tuple[list[slice], int]:
        """Where arrays of these shapes lie in a flat one, and its size."""
        unit = ALIGNMENT // self.dtype.itemsize
        sizes = [math.prod(shape) for shape in shapes]
        *starts, size = accumulate((-(-n // unit) * unit for n in sizes), initial=0)
        return [slice(start, start + n) for start, n in zip(starts, sizes, strict=True)], size

    def moment_places(self, name: str) -> tuple[list[slice | None], int]:
        """Where each parameter's part of a moment lies, None where it has none; and the size of all."""
        if self.layout.shape is as_parameter:
            return self.places, self.size  # type: ignore[return-value]
        if name not in self._placements:
            shapes = [self.moment_shape(name, i) for i in range(len(self.shapes))]
            places, size = self._placed([(0,) if shape is None else shape for shape in shapes])
            self._placements[name] = (
                [None if shape is None else place for shape, place in zip(shapes, places, strict=True)], size
            )  # fmt: skip
        return self._placements[name]

    def moment_shape(self, name: str, i: int) -> Shape | None:
        """The shape of a moment of parameter ``i``; None where it has none."""
        return self.shapes[i] if name == MASTER else self.layout.shape(name, self.shapes[i])

    def moment(self, name: str) -> Array:
        """The moment ``name``, made when first asked for."""
        if name not in self.moments:
            with self.owner.using(self.device):
                if name == MASTER:
                    flat = self.data.astype(self.kept)
                else:
                    flat = self.xp.zeros(self.moment_places(name)[1], dtype=self.kept)
                    if self.layout.initial:
                        real(flat)[...] = self.layout.initial
            self.moments[name] = flat
        return self.moments[name]

    def moment_views(self, name: str) -> list[Array | None]:
        """Views of each parameter's part of a moment, made once: the loop is held for them at each checkpoint."""
        if name not in self._moment_views:
            flat, (places, _) = self.moment(name), self.moment_places(name)
            with self.owner.using(self.device):
                self._moment_views[name] = [
                    None if place is None else flat[place].reshape(self.moment_shape(name, i))
                    for i, place in enumerate(places)
                ]
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
        """The elements of a run in ``data``, and in moments that are shaped like it."""
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


def flatten(params: Sequence[Tensor], layout: Layout = DEFAULT_LAYOUT, old: Sequence[Flat] = ()) -> list[Flat]:
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
    made = [Flat(group, layout) for group in kinds.values()]
    for new in made:
        for i, p in enumerate(new.params):
            if id(p) in before:
                flat, j = before[id(p)]
                new.steps[i] = flat.steps[j]
                for name, values in flat.moments.items():
                    here, there = new.moment_places(name)[0][i], flat.moment_places(name)[0][j]
                    if here is not None and there is not None and (new.master or name != MASTER):
                        new.moment(name)[here] = transfer(values[there].astype(new.kept), new.device)
    return made
