"""What goes wrong between processes."""

from __future__ import annotations


class DistributedError(RuntimeError):
    """Processes that train together no longer do; the message names the rank and the call."""


class MismatchError(DistributedError):
    """Ranks made different calls, or the same call with other shapes or dtypes."""


class MissingError(DistributedError):
    """A rank did not come to a call in time."""


class LeftError(DistributedError):
    """A rank ended with an error."""
