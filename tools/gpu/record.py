"""What a part finds, written after every finding."""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path
from typing import Any

from runner import write

START = time.monotonic()


def simulated() -> bool:
    """Whether the session runs on the simulator."""
    return os.environ.get("GPU_DEVICE") == "simulator"


def seconds_left() -> float:
    """Until the part is ended."""
    return float(os.environ.get("GPU_SECONDS", "inf")) - (time.monotonic() - START)


class Record:
    """Findings; :meth:`end` gives the exit status."""

    def __init__(self, **found: Any) -> None:
        self.path = Path(os.environ["GPU_RESULTS"]) if "GPU_RESULTS" in os.environ else None
        self.found: dict[str, Any] = found

    def put(self, **found: Any) -> None:
        """Add figures, or replace those of that name."""
        self.found |= found
        self._save()

    def check(self, ok: bool, what: str, detail: str = "") -> None:
        """Add a check that is right or wrong."""
        self.found.setdefault("checks", []).append({"ok": bool(ok), "what": what, "detail": detail})
        print("right" if ok else "WRONG", what, detail, sep="  ", flush=True)
        self._save()

    def skip(self, reason: str) -> None:
        """End the part, which cannot run here."""
        self.put(not_run=reason)
        sys.exit(0)

    def end(self) -> int:
        """0, or 1 if something is wrong."""
        self._save()
        return int(bool(self.found.get("problems")) or any(not row["ok"] for row in self.found.get("checks", ())))

    def _save(self) -> None:
        if self.path is not None:
            write(self.path, json.dumps(self.found, indent=1))
