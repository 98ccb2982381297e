"""Helpers around networks: sequences of different length (:mod:`gpugrad.nn.utils.rnn`)."""

from . import rnn

__all__ = ["rnn"]
