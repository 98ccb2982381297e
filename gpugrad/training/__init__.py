"""The training loop, and its parts, each of which works alone: checkpoints, notices that the machine goes away, logs.

To add a part: a file of its own, with a class that has ``state_dict()`` and ``load_state_dict()`` if anything of it
must outlive the process (nested dicts and lists of numbers, strings, booleans, None, Tensors and arrays; no other
objects, since a checkpoint is read by nothing that could execute anything); then export it below. What the loop calls
at given moments is a :class:`Callback`. The file format of checkpoints is in :mod:`.tree` (the structure),
:mod:`.safetensors` (the numbers) and :mod:`.stores` (folders and buckets, and how a checkpoint gets its name only when
it is complete). Who may write to a run is in :mod:`.lease`, and what a resumed run is compared with in :mod:`.program`.
"""

from .callbacks import Callback, EarlyStopping
from .checkpoints.checkpointer import Checkpointer
from .checkpoints.lease import OwnedError
from .checkpoints.reading import Checkpoint, CheckpointError, DamagedError, OtherRunError
from .metrics import F1, Accuracy, Mean, Metric, Perplexity, TopKAccuracy
from .preemption import Interrupted, Preemption
from .reporting.log import Log
from .reporting.progress import Progress
from .reporting.report import write_report
from .trainer import Trainer

__all__ = [
    "Accuracy", "Callback", "Checkpoint", "CheckpointError", "Checkpointer", "DamagedError", "EarlyStopping", "F1",
    "Interrupted", "Log", "Mean", "Metric", "OtherRunError", "OwnedError", "Perplexity", "Preemption", "Progress",
    "TopKAccuracy", "Trainer", "write_report",
]  # fmt: skip
