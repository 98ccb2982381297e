"""A training step of six networks, with Adam, against PyTorch eager, and compiled PyTorch and JAX if asked for.

Each library runs in a process of its own, pinned to as many cores as it may have threads; all do the same step in
turn, and a ratio is the median of the quotients of neighbours. Before that each process says how long building the
network and the first step took, once with empty caches on disk and once with those that this filled (imports are not
counted), and at the end how much memory it had at most: in all, and above what the imports took.

    python benchmarks/steps.py --threads 1 --json benchmarks/results/steps-1.json
    python benchmarks/steps.py --only GPT --compiled --jax

``--jit`` takes gpugrad's step by ``gg.jit`` too. Then there is the same ratio for it, ``jit_ratio``.
    python benchmarks/steps.py --public --json benchmarks/results/networks.json

``--device simulator`` measures no time. It counts what a step does on the simulated GPU: launches, transfers, bytes
read and written, multiplications and additions in products of matrices; and the same for the operators that PyTorch
runs for the same network, as its dispatcher sees them (on the CPU; Adam by ``foreach``, as on a GPU; views and
``empty`` are no launches; an LSTM is one operator forward and one backward). From either follows what a step would
take on paper on an H200: the longer of what the host needs to launch, 4 us each, and what the device needs, with 4.3
TB/s and 60 TFLOP/s in float32, one after the other.

    python benchmarks/steps.py --device simulator --json benchmarks/results/steps-simulator.json

``--replay`` records a step of each network (:func:`gpugrad.trace`), replays the record on what was there before, and
says whether the loss and everything that the step changes have the same bits; on the CPU, or with ``--device``.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from contextlib import nullcontext
from math import prod
from pathlib import Path
from typing import Any

from layers import machine
from networks import NETWORKS, PUBLIC_NETWORKS, SMALL, Network

ROOT = Path(__file__).parent.parent
FIRST, LATER = 3, 21
"""Steps that warm up, and steps that count."""

BANDWIDTH, ARITHMETIC, LAUNCH = 4.3e12, 60e12, 4e-6
"""An H200 on paper: bytes and float32 operations a second, and seconds of the host for a launch."""

CACHES = ("GPUGRAD_CACHE_DIR", "TORCHINDUCTOR_CACHE_DIR", "JAX_COMPILATION_CACHE_DIR", "CUPY_CACHE_DIR")
COMPILING = ("gpugrad", "gpugrad.jit", "torch.compile", "jax")
"""The libraries that leave something on disk for the next process."""

OWN = ("gpugrad", "gpugrad.jit")

Step = Callable[[], float]


# ---------------------------------------------------------------- the process of one library


def training(lib: Any, network: Network, device: str, compiled: bool = False, **options: Any) -> Step:
    """A function that takes one step and gives the loss, for gpugrad and PyTorch."""
    lib.set_default_device(device)
    model = network.build(lib)
    optimizer = lib.optim.Adam(model.parameters(), lr=1e-3, **options)
    x, y = (lib.tensor(a) for a in network.data())

    def loss_of(x: Any, y: Any) -> Any:
        return network.loss(lib, model, x, y)

    if compiled and lib.__name__ == "gpugrad":

        @lib.jit
        def whole(x: Any, y: Any) -> Any:
            optimizer.zero_grad()
            loss = loss_of(x, y)
            loss.backward()
            optimizer.step()
            return loss

        return lambda: float(whole(x, y).item())

    update = optimizer.step
    if compiled:
        loss_of, update = lib.compile(loss_of), lib.compile(optimizer.step)

    def step() -> float:
        optimizer.zero_grad()
        loss = loss_of(x, y)
        loss.backward()
        update()
        return float(loss.item())

    return step


def prepared(library: str, network: Network, device: str, threads: int) -> Callable[[], Step]:
    """Import the library; the function that is given makes the network."""
    if library == "jax":
        import jax
        import networks_jax

        jax.config.update("jax_persistent_cache_min_compile_time_secs", 0)
        return lambda: networks_jax.training(network)
    if library in OWN:
        import gpugrad

        return lambda: training(gpugrad, network, device, compiled=library == "gpugrad.jit")
    import torch

    torch.set_num_threads(threads)
    return lambda: training(torch, network, device, compiled=library == "torch.compile")


def device_memory(library: str) -> int:
    """The most that the process had of the GPU."""
    if library in OWN:
        from gpugrad import backend

        return int(backend.load_cuda().xp.get_default_memory_pool().total_bytes())
    if library == "jax":
        import jax

        return int(jax.devices()[0].memory_stats()["peak_bytes_in_use"])
    import torch

    return int(torch.cuda.max_memory_reserved())


def work(library: str, network: Network, device: str, threads: int) -> None:
    """Answer the lines ``first``, ``step`` and ``memory`` with a number or several, until there are no more."""
    make = prepared(library, network, device, threads)
    imported = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    step: Step
    for line in sys.stdin:
        start = time.perf_counter()
        if line == "first\n":
            step = make()
            step()
        elif line == "step\n":
            step()
        answer: Any = time.perf_counter() - start
        if line == "memory\n":
            most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
            answer = [most * 1024, (most - imported) * 1024] if device == "cpu" else [device_memory(library)] * 2
        print(json.dumps(answer), flush=True)


class Worker:
    """Such a process, seen from outside."""

    def __init__(self, library: str, network: Network, options: argparse.Namespace, caches: Path) -> None:
        cores = sorted(os.sched_getaffinity(0))[: options.threads] if hasattr(os, "sched_setaffinity") else []
        threads = {f"{name}_NUM_THREADS": str(options.threads) for name in ("OMP", "OPENBLAS", "MKL")}
        folders = {name: str(caches / name.lower()) for name in CACHES}
        self.process = subprocess.Popen(
            [options.jax_python if library == "jax" else sys.executable, __file__, "--worker", library,
             network.name, "--device", options.device, "--threads", str(options.threads)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1,
            env={**os.environ, **threads, **folders, "PYTHONPATH": str(ROOT)},
            preexec_fn=(lambda: os.sched_setaffinity(0, cores)) if cores else None,
        )  # fmt: skip

    def ask(self, question: str) -> Any:
        print(question, file=self.process.stdin, flush=True)
        answer = self.process.stdout.readline() if self.process.stdout else ""
        if not answer:
            raise RuntimeError(f"the process of {self.process.args[3]} has ended")  # type: ignore[index]
        return json.loads(answer)

    def end(self) -> None:
        self.process.communicate()


# ---------------------------------------------------------------- time


def measured(network: Network, libraries: list[str], options: argparse.Namespace) -> dict[str, Any]:
    """What a step of one network takes in each library."""
    found: dict[str, dict[str, Any]] = {name: {} for name in libraries}
    with tempfile.TemporaryDirectory() as caches:
        workers = {}
        try:
            for name in libraries:
                workers[name] = Worker(name, network, options, Path(caches))
                found[name]["first_s_empty_cache"] = round(workers[name].ask("first"), 3)
                if name in COMPILING:
                    workers.pop(name).end()
                    workers[name] = Worker(name, network, options, Path(caches))
                    found[name]["first_s_filled_cache"] = round(workers[name].ask("first"), 3)
            times: dict[str, list[float]] = {name: [] for name in libraries}
            for repeat in range(FIRST + options.repeats):
                for name, worker in workers.items():
                    seconds = worker.ask("step")
                    if repeat >= FIRST:
                        times[name].append(seconds)
            for name, worker in workers.items():
                whole, above = worker.ask("memory")
                found[name] |= {
                    "ms": round(statistics.median(times[name]) * 1e3, 3),
                    "gpugrad_ratio": ratio(times["gpugrad"], times[name]),
                    **({"jit_ratio": ratio(times["gpugrad.jit"], times[name])} if "gpugrad.jit" in times else {}),
                    "peak_mb": round(whole / 1e6, 1),
                    "peak_mb_above_imports": round(above / 1e6, 1),
                }
        finally:
            for worker in workers.values():
                worker.end()
    return found


def ratio(times: list[float], others: list[float]) -> float:
    """The median of the quotients of neighbours."""
    return round(statistics.median(a / b for a, b in zip(times, others, strict=True)), 3)


def print_times(name: str, found: dict[str, Any]) -> None:
    for library, row in found.items():
        jitted = f", jitted {row['jit_ratio']:6.3f}" if "jit_ratio" in row else ""
        print(
            f"{name:<22}{library:<15}{row['ms']:9.2f} ms  gpugrad takes {row['gpugrad_ratio']:6.3f} of it{jitted}"
            f"  first {row['first_s_empty_cache']:6.2f} s, {row.get('first_s_filled_cache', float('nan')):6.2f} s"
            f"  memory {row['peak_mb']:7.1f} MB, {row['peak_mb_above_imports']:7.1f} above imports",
            flush=True,
        )


# ---------------------------------------------------------------- counting


def on_paper(launches: int, moved: float, multiplied: float) -> dict[str, Any]:
    """Microseconds on an H200."""
    host, device = launches * LAUNCH, moved / BANDWIDTH + multiplied / ARITHMETIC
    return {
        "launches": launches, "megabytes": round(moved / 1e6, 2), "megaflops": round(multiplied / 1e6, 1),
        "host_us": round(host * 1e6, 1), "device_us": round(device * 1e6, 1),
        "paper_us": round(max(host, device) * 1e6, 1),
    }  # fmt: skip


def simulated(network: Network) -> dict[str, Any]:
    """What the third step does on the simulated GPU."""
    import gpugrad
    from gpugrad.kernels import REGISTRY
    from gpugrad.testing import cuda_simulator

    with cuda_simulator.installed(memory=64 * 2**30):
        gpugrad.set_default_device("cuda")
        model = network.build(gpugrad)
        optimizer = gpugrad.optim.Adam(model.parameters(), lr=1e-3)
        x, y = (gpugrad.tensor(a) for a in network.data())
        for _ in range(3):
            with cuda_simulator.count() as seen:
                optimizer.zero_grad()
                network.loss(gpugrad, model, x, y).backward()
                optimizer.step()
        gpugrad.set_default_device(None)
    moved = 0.0
    for name, size in seen.moved.items():
        kernel = REGISTRY.get(name)
        changed = len(getattr(kernel, "changes", ()))  # read, and then written
        moved += size * (1 + changed / len(kernel.arrays)) if kernel is not None and changed else size
    return {
        **on_paper(seen.launches, moved, seen.multiplied),
        "transfers": seen.host_to_device + seen.device_to_host, "synchronizations": seen.synchronizations,
        "kernels": dict(seen.kernels.most_common()),
    }  # fmt: skip


def dispatched(network: Network, megaflops: float) -> dict[str, Any]:
    """What the third step does in PyTorch, by its dispatcher; ``megaflops`` where an operator does not tell its own."""
    import torch
    from torch.utils._python_dispatch import TorchDispatchMode
    from torch.utils._pytree import tree_leaves
    from torch.utils.flop_counter import flop_registry

    class Seen(TorchDispatchMode):
        """Counts the operators that are launches."""

        def __init__(self) -> None:
            super().__init__()
            self.names: Counter[str] = Counter()
            self.moved = self.multiplied = 0

        def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            result = function(*args, **(kwargs or {}))
            given, made = ([t for t in tree_leaves(a) if isinstance(t, torch.Tensor)] for a in ((args, kwargs), result))
            places = {t.untyped_storage()._cdata for t in given}
            writes = function._schema.is_mutable
            view = not writes and all(t.untyped_storage()._cdata in places for t in made)
            name = function._overloadpacket.__name__
            if view or "empty" in name:
                return result
            self.names[name] += 1
            self.moved += sum(extent(t) for t in (*given, *made))
            if function._overloadpacket in flop_registry:
                flops = flop_registry[function._overloadpacket]
                self.multiplied += flops(*args, **(kwargs or {}), out_val=result)
            return result

    step = training(torch, network, "cpu", foreach=True)
    for _ in range(2):
        step()
    with Seen() as seen:
        step()
    waits = seen.names.pop("_local_scalar_dense", 0)  # the benchmark's own look at the loss
    multiplied = megaflops * 1e6 if any("rnn" in name for name in seen.names) else seen.multiplied
    return {
        **on_paper(seen.names.total(), seen.moved, multiplied), "waits": waits - 1,
        "kernels": dict(seen.names.most_common()),
    }  # fmt: skip


def extent(t: Any) -> int:
    """The bytes of a tensor, broadcast axes once."""
    return int(t.element_size() * prod(n for n, step in zip(t.shape, t.stride(), strict=True) if step or not n))


def print_counts(name: str, found: dict[str, Any]) -> None:
    for library, row in found.items():
        print(
            f"{name:<22}{library:<10}{row['launches']:6} launches {row['megabytes']:9.1f} MB {row['megaflops']:9.0f} "
            f"MFLOP  host {row['host_us']:7.0f} us  device {row['device_us']:7.0f} us  "
            f"on paper {row['paper_us']:7.0f} us"
            + (f"  transfers {row['transfers']}, waits {row['synchronizations']}" if library == "gpugrad" else ""),
            flush=True,
        )


def replayed(network: Network, device: str) -> dict[str, Any]:
    """Whether the record of the second step gives what the step gave, in its bits; the calls in it."""
    import gpugrad
    from gpugrad import backend
    from gpugrad.testing import cuda_simulator
    from gpugrad.tracing import record

    with cuda_simulator.installed(memory=64 * 2**30) if device == "simulator" else nullcontext():
        gpugrad.set_default_device("cpu" if device == "cpu" else "cuda")
        model = network.build(gpugrad, dropout=0.1)
        optimizer = gpugrad.optim.Adam(model.parameters(), lr=1e-3)
        x, y = (gpugrad.tensor(a) for a in network.data())

        def step(x: Any, y: Any) -> Any:
            optimizer.zero_grad()
            loss = network.loss(gpugrad, model, x, y)
            loss.backward()
            gpugrad.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            return loss

        step(x, y)
        start = time.perf_counter()
        made = record(step, (x, y), copies=True)
        seconds = time.perf_counter() - start
        arrays = made.recorder.before
        (loss,) = made.program.replay(arrays, made.recorder.numbers)
        pairs = [(loss, made.result.data), *zip(arrays, made.recorder.captured, strict=True)]
        same = all(backend.to_host(a).tobytes() == backend.to_host(b).tobytes() for a, b in pairs)
        gpugrad.set_default_device(None)
    return {"gpugrad": {"same": bool(same), "calls": len(made.program.calls), "inputs": len(arrays),
                        "recorded_s": round(seconds, 3)}}  # fmt: skip


def print_replay(name: str, found: dict[str, Any]) -> None:
    row = found["gpugrad"]
    print(
        f"{name:<22}{row['calls']:6} calls {row['inputs']:4} inputs  recorded in {row['recorded_s']:6.2f} s  "
        f"the replay has {'the same' if row['same'] else 'OTHER'} bits",
        flush=True,
    )


def installed(library: str) -> bool:
    return importlib.util.find_spec(library) is not None


def has_torch(device: str) -> bool:
    """Whether PyTorch is installed and has the device."""
    if device != "cuda" or not installed("torch"):
        return installed("torch")
    import torch

    return bool(torch.cuda.is_available())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="*", help="parts of names")
    parser.add_argument("--small", action="store_true", help="the small networks of the tests: does it run?")
    parser.add_argument("--public", action="store_true", help="well-known networks for images of 32x32, batch 32")
    parser.add_argument("--repeats", type=int, default=LATER)
    parser.add_argument("--threads", type=int, default=1, help="for each library, and the cores it is pinned to")
    parser.add_argument("--device", choices=("cpu", "cuda", "simulator"), default="cpu")
    parser.add_argument("--compiled", action="store_true", help="torch.compile too")
    parser.add_argument("--jit", action="store_true", help="gpugrad's jit too")
    parser.add_argument("--jax", action="store_true", help="JAX's jit too")
    parser.add_argument("--jax-python", default=sys.executable, help="the interpreter that has JAX, if it is another")
    parser.add_argument("--replay", action="store_true", help="compare a recorded step with its replay, and no times")
    parser.add_argument("--json", type=Path, help="write the figures here")
    parser.add_argument("--worker", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        library, name = options.worker
        network = next(n for n in (*NETWORKS, *PUBLIC_NETWORKS, *SMALL) if n.name == name)
        work(library, network, options.device, options.threads)
        return
    if options.jax and options.jax_python == sys.executable and not installed("jax"):
        sys.exit("JAX is not installed: name an interpreter that has it with --jax-python")
    libraries = ["gpugrad", *(["torch"] if has_torch(options.device) else [])]
    libraries += ["gpugrad.jit"] if options.jit else []
    libraries += ["torch.compile"] if options.compiled and "torch" in libraries else []
    libraries += ["jax"] if options.jax else []
    results = {}
    for network in SMALL if options.small else PUBLIC_NETWORKS if options.public else NETWORKS:
        if options.only and not any(part in network.name for part in options.only):
            continue
        if options.replay:
            found = replayed(network, options.device)
            print_replay(network.name, found)
        elif options.device == "simulator":
            found = {"gpugrad": simulated(network)}
            if "torch" in libraries:
                found["torch"] = dispatched(network, found["gpugrad"]["megaflops"])
            print_counts(network.name, found)
        else:
            found = measured(network, libraries, options)
            print_times(network.name, found)
        results[network.name] = found
        if options.json:  # after each network: whatever ends it, what was measured is there
            whole = {"machine": machine(options.threads), "device": options.device, "steps": results}
            options.json.write_text(json.dumps(whole, indent=1) + "\n")


if __name__ == "__main__":
    main()
