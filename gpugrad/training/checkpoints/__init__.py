"""Checkpoints: state files, their stores, the lease that gives a run one owner, and verified reading.

To add a store, subclass ``Store`` in ``stores.py``.
"""
