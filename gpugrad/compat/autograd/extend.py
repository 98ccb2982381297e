"""Functions of one's own with gradient rules, under the names of ``autograd.extend``.

A rule is called as it stands, so it follows autograd's convention for complex numbers, which is that of gpugrad's own
rules too: gradients are ``dL/da - i dL/db``, and the rule of a holomorphic function multiplies by its derivative.
"""

from .rules import (
    defjvp,
    defjvp_argnum,
    defjvp_argnums,
    defvjp,
    defvjp_argnum,
    defvjp_argnums,
    notrace_primitive,
    primitive,
)
from .util import subvals
from .values import Box
from .vspaces import VSpace, vspace

__all__ = [
    "Box", "VSpace", "defjvp", "defjvp_argnum", "defjvp_argnums", "defvjp", "defvjp_argnum", "defvjp_argnums",
    "notrace_primitive", "primitive", "subvals", "vspace",
]  # fmt: skip
