"""Training on several processes, each with a GPU or a part of a CPU: ``mpiexec -n 4 python train.py``.

    >>> import gpugrad as gg
    >>> from gpugrad import distributed
    >>> world = distributed.init()
    >>> model = distributed.DataParallel(gg.nn.Linear(3, 1))
    >>> world.rank, world.size
    (0, 1)

MPI starts the processes and carries the data (extra ``gpugrad[distributed]``). Calls that all ranks make together are
checked: a rank that is missing, has ended, or does something else is named, and all end. Nothing here is imported by a
program that does not ask for it.
"""

from .batchnorm import SyncBatchNorm
from .collectives import all_gather, all_reduce, barrier, broadcast, reduce_scatter
from .errors import DistributedError, LeftError, MismatchError, MissingError
from .parallel import DataParallel, share
from .sharded import ShardedOptimizer
from .world import World, init, is_initialized

__all__ = [
    "DataParallel", "DistributedError", "LeftError", "MismatchError", "MissingError", "ShardedOptimizer",
    "SyncBatchNorm", "World", "all_gather", "all_reduce", "barrier", "broadcast", "init", "is_initialized",
    "reduce_scatter", "share",
]  # fmt: skip
