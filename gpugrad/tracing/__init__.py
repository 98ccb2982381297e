"""Record a function as a program: a flat list of calls on ``xp`` and of kernels.

The recorder is an array kind in ``recorder.py``; programs are replayed, printed and stored in ``program.py``. To make a
new side effect recordable, report it to ``backend.recorder()`` where it happens.
"""

from .program import Call, Input, Program, Scalar, Spec, Value
from .recorder import Pen, Recorded, Recorder, RecordingError, recording
from .trace import Recording, record, trace

__all__ = [
    "Call", "Input", "Pen", "Program", "Recorded", "Recorder", "Recording", "RecordingError", "Scalar", "Spec",
    "Value", "record", "recording", "trace",
]  # fmt: skip
