"""Interfaces of other packages over gpugrad, for programs that were written for them."""
