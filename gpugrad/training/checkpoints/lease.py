"""One owner per run: a small file beside the checkpoints that says which process writes there.

The owner renews the file. A process that wants to write reads it first. If the owner has ended or no longer renews it,
the process takes the lease over; otherwise the error names the owner. The owner checks again before each commit and
each deletion, so a process that was suspended and then wakes up changes nothing if another one has taken its place.
"""

from __future__ import annotations

import getpass
import json
import os
import socket
import threading
import time
import uuid
import weakref
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from .reading import CheckpointError
from .stores import Store

FILE = "owner.json"
STALE = 60.0
"""Seconds without renewal after which a lease counts as abandoned; it is renewed four times as often."""
SETTLE = 0.2
"""Seconds after which a process that took a lease over reads it again: of two that did, the later one has it."""
WITHOUT_CREATION = 1.0
"""Seconds until the last of several writers of one file is known, in a store that cannot create a file exclusively."""
SLOWER = 3.0
"""In a store far away it waits at least this many times as long as writing took: the other one may be as slow."""
TORN = 2.0
"""Seconds to wait for the rest of a lease that is being written, in a store that shows unfinished files."""
LARGEST = 1 << 12
"""Bytes of a lease, at most."""


class OwnedError(CheckpointError):
    """Another process owns the run: the message names it.

    >>> import tempfile
    >>> from gpugrad.training import Checkpointer
    >>> with tempfile.TemporaryDirectory() as folder, Checkpointer(folder) as first:
    ...     first.save(1, wait=True)
    ...     try:
    ...         Checkpointer(folder).save(2)
    ...     except OwnedError as error:
    ...         print(str(error).replace(folder, "runs/a")[:46])
    runs/a belongs to another Checkpointer of this
    """


_held: set[str] = set()
"""The tokens of this process."""


@dataclass(frozen=True)
class Owner:
    """Who holds a lease, and the times (UTC, seconds since 1970) at which it was taken and last renewed."""

    token: str
    user: str
    host: str
    process: int
    born: str
    since: float
    renewed: float
    term: int

    def here(self) -> bool:
        """Whether it is, or was, a process of this machine."""
        return self.host == socket.gethostname()

    def gone(self) -> bool:
        """Whether it has ended: as a process of this machine, or as an object of this process."""
        if not self.here():
            return False
        return self.token not in _held if self.process == os.getpid() else _born(self.process) != self.born

    def __str__(self) -> str:
        if self.here() and self.process == os.getpid():
            return f"another Checkpointer of this process ({self.process})"
        since, renewed = (datetime.fromtimestamp(t, UTC).isoformat(" ", "seconds") for t in (self.since, self.renewed))
        return f"process {self.process} of {self.user} on {self.host}, since {since}, last renewed {renewed}"


class Lease:
    """The right to write to one store.

    Args:
        store: where the checkpoints are.
        takeover: take the lease from an owner that is still alive.

    Raises:
        OwnedError: another owner is alive.
        OSError: the store cannot be read or written.
    """

    def __init__(self, store: Store, takeover: bool = False) -> None:
        self.store = store
        self.lost: Owner | None = None
        """Who has taken the lease away."""
        self._ended = threading.Event()
        self._lock = threading.Lock()
        process = os.getpid()
        before = self._acquirable(takeover)
        now = time.time()
        self.owner = Owner(
            uuid.uuid4().hex, _user(), socket.gethostname(), process, _born(process), now, now,
            0 if before is None else before.term + 1,
        )  # fmt: skip
        _held.add(self.owner.token)
        weakref.finalize(self, _release, store, self.owner, self._ended)
        self.forced = before is not None
        """Whether it was taken from an owner that had not given it back, whose last save may still be under way."""
        started = time.monotonic()
        if before is None:
            if not store.create(FILE, _bytes(self.owner)):
                raise _refused(store, self._read())
        else:
            store.write(FILE, _bytes(self.owner))
        wait = SETTLE if before is not None else 0.0 if store.exclusive else WITHOUT_CREATION
        if not store.local:
            wait = max(wait, SLOWER * (time.monotonic() - started))
        time.sleep(wait)
        found = self._read()
        if found is None or found.token != self.owner.token:
            raise _refused(store, found)
        thread = threading.Thread(
            target=_renew, args=(weakref.ref(self), self._ended), name="gpugrad-lease", daemon=True
        )
        thread.start()

    def _acquirable(self, takeover: bool) -> Owner | None:
        """The owner whose lease may be taken over; None where there is none.

        The clocks of two machines differ, so on another machine only a lease that does not change while this one
        watches counts as abandoned, or one that is very old.
        """
        found = self._read()
        if found is None or takeover or found.gone():
            return found
        age = time.time() - found.renewed
        if found.here() or age > 10 * STALE:
            if age > STALE:
                return found
            raise _refused(self.store, found)
        until = time.monotonic() + STALE
        while time.monotonic() < until:
            time.sleep(min(STALE / 8, max(until - time.monotonic(), 0)))
            again = self._read()
            if again is None:
                return None
            if again != found:
                raise _refused(self.store, again)
        return found

    def check(self, quick: bool = False) -> None:
        """See that the lease is still ours.

        Args:
            quick: read a local file only; of another store believe the last renewal.

        Raises:
            OwnedError: another process has taken it.
        """
        if self.lost is None and not self._ended.is_set():
            if quick and not self.store.local:
                return
            found = self._read()
            if found is not None and found.token == self.owner.token:
                return
            self.lost = found or self.owner
        raise OwnedError(
            f"{self.store.place} was taken over by {self.lost}: this process writes nothing more there"
            if self.lost is not None and self.lost.token != self.owner.token
            else f"{self.store.place}: the lease of this process, {FILE}, is gone: it writes nothing more there"
        )

    def taken(self) -> bool:
        """Whether another process has it; False where the store does not answer."""
        try:
            self.check()
        except OwnedError:
            return True
        except Exception:  # noqa: BLE001  what else is wrong with the store is told by whoever asks
            return False
        return False

    def renew(self) -> None:
        """Say that the owner is alive."""
        with self._lock:
            if self._ended.is_set():
                return
            found = self._read()
            if found is None or found.token != self.owner.token:
                self.lost = found or self.owner
                self._ended.set()
                return
            self.owner = Owner(**{**asdict(self.owner), "renewed": time.time()})
            self.store.write(FILE, _bytes(self.owner))

    def release(self) -> None:
        """Give the lease back."""
        with self._lock:
            _release(self.store, self.owner, self._ended)

    def _read(self) -> Owner | None:
        return _read(self.store)


def _renew(lease: weakref.ref[Lease], ended: threading.Event) -> None:
    while not ended.wait(STALE / 4):
        held = lease()
        if held is None:
            return
        with suppress(Exception):  # a store that does not answer now may answer the next time
            held.renew()
        del held


def _release(store: Store, owner: Owner, ended: threading.Event) -> None:
    _held.discard(owner.token)
    if ended.is_set() or os.getpid() != owner.process:  # a process that was forked off owns nothing
        return
    ended.set()
    with suppress(Exception):  # it will count as abandoned
        found = _read(store)
        if found is not None and found.token == owner.token:
            store.delete(FILE)


def _read(store: Store) -> Owner | None:
    until = time.monotonic() + TORN
    while True:
        content = store.read(FILE, LARGEST)
        if content is None:
            return None
        found = _owner(content)
        unfinished = not found.token and content[:1] in (b"", b"{")
        if not unfinished or time.monotonic() > until:
            return found
        time.sleep(SETTLE / 4)


def _owner(content: bytes) -> Owner:
    try:
        said = json.loads(content)
        found = Owner(**{name: kind(said[name]) for name, kind in KINDS.items()})
        datetime.fromtimestamp(found.since, UTC), datetime.fromtimestamp(found.renewed, UTC)
        if not 0 <= found.process < 2**31:
            raise ValueError(f"expected the number of a process, got {found.process}")
        return found
    except (ArithmeticError, KeyError, OSError, TypeError, ValueError, RecursionError):
        return Owner("", "?", "?", 0, "", 0.0, 0.0, 0)  # not a lease: nobody renews it


KINDS: dict[str, Any] = {
    "token": str, "user": str, "host": str, "process": int, "born": str, "since": float, "renewed": float, "term": int,
}  # fmt: skip


def _bytes(owner: Owner) -> bytes:
    return json.dumps(asdict(owner), indent=1).encode() + b"\n"


def _refused(store: Store, owner: Owner | None) -> OwnedError:
    who = "another process" if owner is None else str(owner)
    return OwnedError(
        f"{store.place} belongs to {who}. Stop that process (or close that Checkpointer), choose another folder, or "
        "take the run over: Trainer(takeover=True), gpugrad train --takeover"
    )


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user without a name
        return str(os.getuid()) if hasattr(os, "getuid") else "?"


def _born(process: int) -> str:
    """What tells a process from a later one of the same number; empty where none is running."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[19]
    except FileNotFoundError:
        if Path("/proc/self/stat").exists():
            return ""
    except (IndexError, OSError):
        return "?"
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return ""
    except OSError:
        pass
    return "?"
