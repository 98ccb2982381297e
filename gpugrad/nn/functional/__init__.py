"""The functions behind the modules, without state. Names and arguments are those of ``torch.nn.functional``.

Arguments that PyTorch has deprecated (``size_average``, ``reduce``, ``inplace``) are not there; those that come after
them are given by name.
"""

from ...ops.activation import relu, sigmoid
from ...ops.functions import tanh
from .basic import dropout, dropout_probability, linear, log_softmax, one_hot, softmax
from .convolution import conv1d, conv2d, conv3d, conv_transpose1d, conv_transpose2d, conv_transpose3d
from .loss import cross_entropy, known_reduction, mse_loss, multi_margin_loss, nll_loss

__all__ = [
    "conv1d", "conv2d", "conv3d", "conv_transpose1d", "conv_transpose2d", "conv_transpose3d", "cross_entropy", "dropout", "dropout_probability", "known_reduction", "linear", "log_softmax", "mse_loss",
    "multi_margin_loss", "nll_loss", "one_hot", "relu", "sigmoid", "softmax", "tanh",
]  # fmt: skip
