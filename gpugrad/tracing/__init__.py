"""Recording what a function does to arrays, as a program of calls on ``xp`` and kernels."""

from .program import Call, Input, Program, Scalar, Spec, Value
from .recorder import Pen, Recorded, Recorder, RecordingError, recording
from .trace import Recording, record, trace

__all__ = [
    "Call", "Input", "Pen", "Program", "Recorded", "Recorder", "Recording", "RecordingError", "Scalar", "Spec",
    "Value", "record", "recording", "trace",
]  # fmt: skip
