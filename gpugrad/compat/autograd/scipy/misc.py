"""``logsumexp``, where older programs look for it."""

from .special import logsumexp

__all__ = ["logsumexp"]
