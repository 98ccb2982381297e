"""Data sets and the loader that feeds them to a training loop.

To add a data set: a function in a file of its own that returns ``(train, test)``, two :class:`ArrayDataset`, with
images as float32 of shape ``(N, C, H, W)`` in [0, 1] and labels as int64; read files through a function that raises
ValueError, naming the file, where they are not what they should be; then export it below.
"""

from .dataset import ArrayDataset, ConcatDataset, Dataset, Subset, TensorDataset, random_split
from .digits import digits
from .fetch import WorkerInfo, generator, get_worker_info
from .images import ImageFolder, image_folder, read_image
from .loader import DataLoader, LoaderInterrupted
from .mnist import mnist, read_idx
from .prefetch import default_collate, default_convert
from .sampling import (
    BatchSampler,
    RandomSampler,
    Sampler,
    SequentialSampler,
    SubsetRandomSampler,
    WeightedRandomSampler,
)
from .stream import IterableDataset, Shuffled
from .texts import TokenFile, Vocabulary, tokenize, tokens, write_tokens

__all__ = [
    "ArrayDataset", "BatchSampler", "ConcatDataset", "DataLoader", "Dataset", "ImageFolder", "IterableDataset",
    "LoaderInterrupted", "RandomSampler", "Sampler", "SequentialSampler", "Shuffled", "Subset", "SubsetRandomSampler",
    "TensorDataset", "TokenFile", "Vocabulary", "WeightedRandomSampler", "WorkerInfo", "default_collate",
    "default_convert", "digits", "generator", "get_worker_info", "image_folder", "mnist", "random_split", "read_idx",
    "read_image", "tokenize", "tokens", "write_tokens",
]  # fmt: skip
