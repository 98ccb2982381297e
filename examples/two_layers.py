"""The model of digits.toml."""

from gpugrad import Tensor, nn


class TwoLayers(nn.Module):
    """``W2 max(0, W1 x + b1) + b2`` of an image of ``pixels`` numbers."""

    def __init__(self, pixels: int = 64, hidden: int = 256, classes: int = 10) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Flatten(), nn.Linear(pixels, hidden), nn.ReLU(), nn.Linear(hidden, classes))

    def forward(self, images: Tensor) -> Tensor:
        """The score of each class."""
        return self.layers(images)
