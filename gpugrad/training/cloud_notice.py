"""Google Compute Engine's word that a spot machine is taken back, asked for by a thread.

Source: https://cloud.google.com/compute/docs/instances/create-use-spot#detect-preemption and
https://cloud.google.com/compute/docs/metadata/querying-metadata (``wait_for_change``, ``last_etag``).
"""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from http.client import HTTPConnection

VARIABLE = "GPUGRAD_METADATA_URL"
ADDRESS = "http://metadata.google.internal/computeMetadata/v1/instance/preempted"
FLAVOR = {"Metadata-Flavor": "Google"}
PRODUCT = Path("/sys/class/dmi/id/product_name")
"""Says "Google Compute Engine" on Google's machines, and in containers there."""

WAIT = 60
"""Seconds that the server may hold a question back; the notice is sent at once when it comes."""

LEAST = 0.1
"""Seconds between an answer and the next question."""

PAUSES = (1.0, 5.0, 25.0)
"""Seconds before the next question after one that failed. After more of these, and no answer, there is no server."""


class Metadata:
    """A thread that asks until it is told of preemption, or finds nobody to ask.

    Args:
        url: asked with ``?wait_for_change=true``.

    >>> Metadata("http://169.254.169.254/computeMetadata/v1/instance/preempted").host
    '169.254.169.254'
    """

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        if parts.scheme != "http" or not parts.hostname:
            raise ValueError(f"expected the address of a metadata server such as {ADDRESS}, got {url!r}")
        self.host, self.port, self.path = parts.hostname, parts.port or 80, parts.path or "/"
        self._stopped = threading.Event()
        self._connection: HTTPConnection | None = None

    @classmethod
    def at(cls, address: str | bool | None) -> Metadata | None:
        """The server of this address; for None that of the environment or, on Google's machines, Google's."""
        if address is None:
            address = os.environ.get(VARIABLE) or _on_google()
        if address is True:
            address = ADDRESS
        return cls(address) if address else None

    def start(self, notice: Callable[[], None]) -> None:
        """Ask in a thread; call ``notice`` from it when the machine is taken back."""
        self._stopped = threading.Event()
        thread = threading.Thread(target=self._ask, args=(notice, self._stopped), name="gpugrad-metadata", daemon=True)
        thread.start()

    def stop(self) -> None:
        """Ask no more."""
        self._stopped.set()
        connection = self._connection
        if connection is not None and connection.sock is not None:
            with suppress(OSError):  # it is closed already
                connection.sock.shutdown(socket.SHUT_RDWR)

    def _ask(self, notice: Callable[[], None], stopped: threading.Event) -> None:
        from http.client import HTTPException  # these take a while to import

        value, etag, failures = "", "", 0
        while not stopped.is_set():
            try:
                value, etag = self._question(etag)
                failures = 0
            except (OSError, HTTPException, ValueError):
                failures += 1
                if failures > len(PAUSES) and not etag:
                    return
            if value == "TRUE" and not stopped.is_set():
                notice()
                return
            stopped.wait(PAUSES[min(failures, len(PAUSES)) - 1] if failures else LEAST)

    def _question(self, etag: str) -> tuple[str, str]:
        """The answer and its tag: at once at first, then when it changes, or after a while."""
        from http.client import HTTPConnection

        query = f"?wait_for_change=true&timeout_sec={WAIT}&last_etag={etag}" if etag else ""
        self._connection = HTTPConnection(self.host, self.port, timeout=WAIT + 10)  # proxies are not for this
        try:
            self._connection.request("GET", self.path + query, headers=FLAVOR)
            response = self._connection.getresponse()
            text = response.read(64).decode("ascii").strip()
            if response.status != 200 or response.getheader("Metadata-Flavor") != "Google":
                raise ValueError(f"no metadata server: status {response.status}")
            return text, response.getheader("ETag") or "0"
        finally:
            self._connection.close()


def _on_google() -> str | None:
    try:
        return ADDRESS if "Google" in PRODUCT.read_text() else None
    except OSError:
        return None
