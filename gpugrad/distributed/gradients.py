"""The mean of the gradients over all ranks, computed while the walk back still runs.

A gradient is complete when it arrives at its parameter. Parameters lie in buckets, the last layers first, in the same
order on every rank. When all of a bucket have arrived, a thread sums it over the ranks, and the walk goes on meanwhile.
What is left is summed at the end of the walk.

A leaf is as old as its parameter, so a walk would come to all of them at its end. Before its module is first called in
a step, a parameter is therefore dated anew: then it is older than everything that uses it, and no older than that.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from queue import SimpleQueue
from typing import Any
from zlib import crc32

import numpy

from .. import backend
from ..core import GradientError, Tensor
from ..core.engine import after_backward
from ..core.node import age
from ..nn import Module
from .channel import Channel
from .collectives import back, on_host
from .world import World

Work = Callable[[Channel], None]


class Bucket:
    """Parameters of one dtype whose gradients are summed together."""

    def __init__(self, numbers: Sequence[int], params: Sequence[Tensor]) -> None:
        self.numbers = list(numbers)
        self.dtype = params[numbers[0]].dtype
        self.sizes = [params[i].size for i in numbers]
        self.waiting = len(numbers)
        self.done = threading.Event()
        self.result: Any = None


class Gradients:
    """The gradients of a module, averaged over all ranks after each ``backward``.

    Args:
        module: the same on all ranks; its parameters and buffers become those of rank 0.
        world: the processes.
        bucket_bytes: of the gradients that are summed together, about.

    Raises:
        MismatchError: the module is another one on another rank.
    """

    def __init__(self, module: Module, world: World, bucket_bytes: int = 1 << 22) -> None:
        self.world, self.module = world, module
        self.channel = world.new_channel()
        named = [(name, p) for name, p in module.named_parameters() if p.requires_grad]
        self.params = [p for _, p in named]
        self._same_on_all_ranks(module)
        self._as_on_rank_0(module)
        self.buckets = self._bucketed(bucket_bytes)
        self._bucket_of = {i: bucket for bucket in self.buckets for i in bucket.numbers}
        self._arrived: dict[int, Any] = {}
        self._dated: set[int] = set()
        self._next = 0
        self._off = False
        self._failure: BaseException | None = None
        self._work: SimpleQueue[Work | None] = SimpleQueue()
        self._hooks = [p.register_hook(self._hook(i)) for i, p in enumerate(self.params)]
        for one in module.modules():
            own = [p for p in one.parameters(recurse=False) if p.requires_grad]
            if own:
                self._hooks.append(one.register_forward_pre_hook(self._dating(own)))
        after_backward.append(self._finish)
        if world.size > 1:
            self._thread = threading.Thread(target=self._communicate, name="gpugrad-gradients", daemon=True)
            self._thread.start()

    # ---------------------------------------------------------------- the same everywhere

    def _same_on_all_ranks(self, module: Module) -> None:
        text = "; ".join(f"{name} {value.dtype} {value.shape}" for name, value in module.state_dict().items())
        count = sum(p.size for p in self.params)
        self.channel.meet(f"DataParallel of a {type(module).__name__}, {count} parameters ({crc32(text.encode()):08x})")

    def _as_on_rank_0(self, module: Module) -> None:
        if self.world.size == 1:
            return
        for name, value in (*module.named_parameters(), *module.named_buffers()):
            told = self.channel.broadcast(on_host(value.data), 0, f"broadcast of {name}")
            backend.overwrite(value.data, back(told, value.data))
            value.mark_changed()

    def _bucketed(self, bucket_bytes: int) -> list[Bucket]:
        """Buckets from the last parameter to the first: the way in which gradients arrive."""
        buckets: list[Bucket] = []
        numbers: list[int] = []
        held = 0
        for i in reversed(range(len(self.params))):
            p = self.params[i]
            if numbers and (held + p.data.nbytes > bucket_bytes or self.params[numbers[-1]].dtype != p.dtype):
                buckets.append(Bucket(numbers, self.params))
                numbers, held = [], 0
            numbers.append(i)
            held += p.data.nbytes
        return [*buckets, Bucket(numbers, self.params)] if numbers else buckets

    # ---------------------------------------------------------------- during the walk

    @contextmanager
    def off(self) -> Generator[None, None, None]:
        """Add gradients up on this rank only; the next ``backward`` outside averages their sum."""
        before, self._off = self._off, True
        try:
            yield
        finally:
            self._off = before

    def _dating(self, params: Sequence[Tensor]) -> Callable[..., None]:
        def dated(module: Module, args: Any) -> None:
            if not self._off:
                for p in params:
                    if p.node is not None and id(p) not in self._dated:
                        self._dated.add(id(p))
                        p.node.age = age()

        return dated

    def _hook(self, i: int) -> Callable[[Tensor], None]:
        def arrived(g: Tensor) -> None:
            if self._off or self.world.size == 1:
                return
            if g.node is not None:
                raise GradientError(
                    "DataParallel: gradients that are recorded (create_graph=True) are not averaged over ranks: call "
                    "the module itself for them"
                )
            p, bucket = self.params[i], self._bucket_of[i]
            if i in self._arrived:  # a second part of it, from what was recorded before it was dated
                if bucket.waiting == 0:
                    raise GradientError(
                        "DataParallel: a parameter got a gradient after its sum over the ranks had begun: call its "
                        "module in every forward pass, and not the function behind it"
                    )
                self._arrived[i] = self._arrived[i] + g.data
                return
            self._arrived[i] = g.data if p.grad is None else p.grad.data + g.data
            bucket.waiting -= 1
            self._send()

        return arrived

    def _send(self, rest: bool = False) -> None:
        """Hand the buckets that are complete to the thread, in their order."""
        while self._next < len(self.buckets) and (rest or self.buckets[self._next].waiting == 0):
            bucket = self.buckets[self._next]
            if self._next == 0:
                self._work.put(lambda channel: channel.meet(f"the gradients of {len(self.params)} parameters"))
            self._next += 1
            self._work.put(self._summed(bucket, [self._arrived.get(i) for i in bucket.numbers]))

    def _summed(self, bucket: Bucket, gradients: Sequence[Any]) -> Work:
        """What the thread does for one bucket: the gradients, and behind them which there were."""

        def work(channel: Channel) -> None:
            wide = numpy.float32 if bucket.dtype.itemsize == 2 else bucket.dtype
            pieces = [
                numpy.zeros(size, wide) if g is None else on_host(g).reshape(-1).astype(wide, copy=False)
                for g, size in zip(gradients, bucket.sizes, strict=True)
            ]
            present = numpy.array([g is not None for g in gradients], dtype=wide)
            summed = channel.reduce(numpy.concatenate([*pieces, present]), met=True)
            bucket.result = summed
            bucket.done.set()

        return work

    def _communicate(self) -> None:
        """The thread: one bucket after the other, until an error."""
        while True:
            work = self._work.get()
            if work is None:
                return
            try:
                work(self.channel)
            except BaseException as error:  # noqa: BLE001  raised where the walk ends
                self._failure = error
                for bucket in self.buckets:
                    bucket.done.set()
                return

    def _finish(self) -> None:
        """At the end of a walk: sum what is left, wait, and give every parameter the mean."""
        if not self._off and self._arrived:
            self._together()

    def take_part(self) -> None:
        """Where this rank has no ``backward`` to make: average with the others what it has, or nothing."""
        if self.world.size > 1:
            self._together()

    def _together(self) -> None:
        for i, p in enumerate(self.params):  # what was added up before, and got nothing now
            if i not in self._arrived and p.grad is not None:
                self._arrived[i] = p.grad.data
        self._send(rest=True)
        try:
            for bucket in self.buckets:
                bucket.done.wait()
                if self._failure is not None:
                    raise self._failure
                self._hand_out(bucket)
        finally:
            self._arrived.clear()
            self._dated.clear()
            self._next = 0
            for bucket in self.buckets:
                bucket.waiting, bucket.result = len(bucket.numbers), None
                bucket.done.clear()

    def _hand_out(self, bucket: Bucket) -> None:
        total = sum(bucket.sizes)
        mean, present = bucket.result[:total] / self.world.size, bucket.result[total:]
        start = 0
        for i, size, count in zip(bucket.numbers, bucket.sizes, present, strict=True):
            p = self.params[i]
            if count:
                part = mean[start : start + size].reshape(p.shape).astype(bucket.dtype, copy=False)
                p.grad = Tensor(back(part, p.data))
            start += size

    def close(self) -> None:
        """Take the hooks away, and end the thread."""
        for hook in self._hooks:
            hook.remove()
        if self._finish in after_backward:
            after_backward.remove(self._finish)
        self._work.put(None)
