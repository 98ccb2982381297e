"""What a worker process does: takes tasks from a pipe, answers each with a batch, and ends when the pipe does.

Interruptions and requests to end that are sent to the whole group of processes (Ctrl-C, a supervisor's SIGTERM) are
left to the parent, which may need batches for its last step. Without the parent there is no worker: a thread watches
it.
"""

from __future__ import annotations

import contextlib
import os
import pickle
import signal
import sys
import threading
import traceback
from multiprocessing import parent_process
from multiprocessing.connection import Connection, wait
from typing import Any

import numpy

from ..core import modes
from .fetch import Fetcher, Task
from .memory import SHARED, Block, layout_of
from .structure import hosted

SMALL = 16_384
"""Batches of fewer bytes go through the pipe."""


def run(connection: Connection, fetcher: Fetcher | None = None) -> None:
    """The whole life of a worker. The fetcher comes through the pipe, unless the worker was forked with it."""
    for number in (signal.SIGINT, signal.SIGTERM, getattr(signal, "SIGHUP", signal.SIGTERM)):
        signal.signal(number, _left_to_the_parent)
    threading.Thread(target=_watch, name="gpugrad-parent", daemon=True).start()
    try:
        _serve(connection, fetcher)
    except (EOFError, BrokenPipeError, ConnectionResetError):
        status = 0  # the parent closed the pipe, or is gone
    except BaseException:  # noqa: BLE001
        traceback.print_exc()
        status = 1
    else:
        status = 0
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):
            stream.flush()
    os._exit(status)  # without what others want to be done at exit: it was never meant to be done here


def _left_to_the_parent(*received: Any) -> None:
    """Do nothing. (Ignored altogether, the signal would be ignored by programs that a data set starts, too.)"""


def _watch() -> None:
    parent = parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(1)


def _serve(connection: Connection, fetcher: Fetcher | None) -> None:
    setup = connection.recv()
    try:
        modes.set_default_device("cpu")  # a data set's own tensors; a worker never touches a GPU
        modes.set_default_dtype(setup["dtype"])
        modes.set_grad_enabled(setup["grad"])
        fetcher = receive_object(connection, setup) if fetcher is None else fetcher
        fetcher = fetcher.another(alone=True)
        fetcher.enter(setup["number"], setup["count"])
    except Exception as error:  # noqa: BLE001  whatever it is, the loop raises it
        connection.send(("failed", -1, described(error)))
        return
    connection.send(("ready", -1, None))
    blocks = Blocks()
    while True:
        task, freed = connection.recv()
        blocks.free.extend(freed)
        try:
            parts = fetcher(task)
            arrays = None if parts is None else hosted(parts)
            form = (None, False) if parts is None else (parts.form, parts.sharded)
        except Exception as error:  # noqa: BLE001
            connection.send(("failed", task.number, described(error)))
        else:
            _answer(connection, task, arrays, form, blocks)


class Blocks:
    """The shared memory of one worker: a few blocks that are used again and again."""

    def __init__(self) -> None:
        self.known: dict[int, Block] = {}
        self.free: list[int] = []

    def take(self, size: int) -> tuple[int, bool]:
        """A block that is free and large enough; whether it is new."""
        for place, number in enumerate(self.free):
            if self.known[number].size >= size:
                return self.free.pop(place), False
        if self.free:  # too small for what comes now: give one back, so that their number does not grow
            del self.known[self.free.pop()]
        number = max(self.known, default=-1) + 1
        self.known[number] = Block.create(size + size // 8)
        return number, True


def _answer(
    connection: Connection, task: Task, arrays: tuple[numpy.ndarray, ...] | None, form: Any, blocks: Blocks
) -> None:  # fmt: skip
    if arrays is None:
        connection.send(("end", task.number, None))
        return
    layout, size = layout_of(arrays)
    if not SHARED or size < SMALL:
        connection.send(("batch", task.number, (arrays, form)))
        return
    try:
        number, new = blocks.take(size)
    except OSError as error:
        error.add_note(f"a batch of {size:,} bytes did not fit into shared memory")
        connection.send(("failed", task.number, described(error)))
        return
    block = blocks.known[number]
    block.write(arrays, layout)
    connection.send(("shared", task.number, (number, block.size if new else None, layout, form)))
    if new:
        send_file(connection, block)


def described(error: BaseException) -> tuple[bytes | None, str, str]:
    """An exception that can be sent: itself, if it can be, what it is called, and its traceback as text."""
    text = "".join(traceback.format_exception(error))
    try:
        sent = pickle.dumps(error)
        pickle.loads(sent)  # some exceptions can be pickled, and not be read again
    except Exception:  # noqa: BLE001
        sent = None
    return sent, type(error).__name__, text


# ------------------------------------------------------------------------------------------------ sending objects


def send_file(connection: Connection, block: Block) -> None:
    """Send a block's descriptor to the process at the other end, and close it here."""
    from multiprocessing.reduction import send_handle

    send_handle(connection, block.fd, None)
    block.close_file()


def receive_block(connection: Connection, size: int, private: bool = False) -> Block:
    """The block whose descriptor comes next."""
    from multiprocessing.reduction import recv_handle

    return Block.attach(recv_handle(connection), size, private)


def packed(value: Any) -> tuple[bytes, list[numpy.ndarray]]:
    """An object as bytes, and the arrays in it beside, for all workers to share one copy of them."""
    if not SHARED:
        return pickle.dumps(value, protocol=5), []
    buffers: list[pickle.PickleBuffer] = []
    text = pickle.dumps(value, protocol=5, buffer_callback=buffers.append)
    return text, [numpy.frombuffer(buffer.raw(), numpy.uint8) for buffer in buffers]


def receive_object(connection: Connection, setup: dict[str, Any]) -> Any:
    """What :func:`packed` took apart. Its arrays are shared, and what is written to them stays in this process."""
    arrays: tuple[numpy.ndarray, ...] = ()
    if setup["layout"]:
        arrays = receive_block(connection, setup["size"], private=True).arrays(setup["layout"])
    return pickle.loads(setup["object"], buffers=arrays)
