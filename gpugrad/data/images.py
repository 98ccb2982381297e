"""Images in files: a folder for each class, or one file after the other. Pillow reads them."""

from __future__ import annotations

import copy
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy

from ..random import Generator
from .dataset import HostArray, Sample
from .structure import stacked

SUFFIXES = (".bmp", ".gif", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp")
"""The endings of the names of files that are taken for images."""

HELD_OUT = ("validation", "val", "valid", "test")
"""The folders beside ``train`` that are looked for, in this order."""

Size = int | Sequence[int] | None


class ImageFolder:
    """Images in a folder for each class; example ``i`` is an image, float32 ``(C, H, W)`` in [0, 1], and its label.

    The classes are the names of the folders in ``folder``, sorted; a label is a number in that order, int64. Files are
    looked for at any depth below. Those that are no images by the end of their name are left out, and so is what begins
    with a dot.

    Args:
        folder: has one folder per class.
        size: height and width, or one number for both. A larger or smaller image is scaled, and its longer side cut
            equally at both ends. None: as in the file; then all must be of one size to be in one batch.
        channels: 3 for colour, 1 for grey. What is transparent becomes white.
        classes: the names of the classes, in the order of the labels; None: those that are there.
        transform: called with an image, returns what is used in its place; for random changes, draw from
            :func:`gpugrad.data.generator`.
        keep: keep images in memory once they were read, a byte per pixel and channel.

    Attributes:
        classes: their names.
        paths: of the images.
        labels: of the images.

    Raises:
        ImportError: Pillow is not installed.
        FileNotFoundError: there is no such folder.
        ValueError: there are no classes, one has no image, a file is not an image, or an argument is out of range.
        OSError: an image is damaged; when it is asked for.

    Source: ``torchvision.datasets.ImageFolder``.

    >>> import tempfile
    >>> from pathlib import Path
    >>> from PIL import Image
    >>> folder = Path(tempfile.mkdtemp())
    >>> for name, grey in (("dark", 0), ("light", 255)):
    ...     (folder / name).mkdir()
    ...     Image.new("L", (12, 8), grey).save(folder / name / "1.png")
    >>> data = ImageFolder(folder, size=4)
    >>> image, label = data[1]
    >>> data.classes, image.shape, image.max(), label
    (['dark', 'light'], (3, 4, 4), np.float32(1.0), np.int64(1))
    """

    def __init__(
        self, folder: str | os.PathLike[str], size: Size = None, channels: int = 3, *,
        classes: Sequence[str] | None = None, transform: Callable[[HostArray], Any] | None = None, keep: bool = True,
    ) -> None:  # fmt: skip
        if channels not in (1, 3):
            raise ValueError(f"ImageFolder: expected channels 3 (colour) or 1 (grey), got {channels!r}")
        self.folder = Path(folder)
        self.size = _size(size)
        self.channels = channels
        self.transform = transform
        self.keep = keep
        found = class_names(self.folder)
        self.classes = list(found if classes is None else classes)
        if unknown := sorted(set(found) - set(self.classes)):
            raise ValueError(f"ImageFolder: {folder} has the class {unknown[0]!r}, expected {', '.join(self.classes)}")
        files = [(path, label) for label, name in enumerate(self.classes) for path in images_in(self.folder / name)]
        for name in set(self.classes) - {self.classes[label] for _, label in files}:
            if name in found:
                raise ValueError(f"ImageFolder: {self.folder / name} has no images: {', '.join(SUFFIXES)}")
        self.paths = [path for path, _ in files]
        self.labels = numpy.asarray([label for _, label in files], dtype=numpy.int64)
        for path in self.paths:
            check(path)
        self._kept: dict[Path, HostArray] = {}

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, index: int) -> Sample:
        image = self.load(self.paths[index])
        return (image if self.transform is None else self.transform(image)), self.labels[index]

    def gather(self, indices: HostArray) -> Any:
        """The examples of these numbers as one batch."""
        return stacked([self[int(i)] for i in indices])

    def load(self, path: str | os.PathLike[str]) -> HostArray:
        """The image of any file, as those of the examples are before ``transform``.

        Raises:
            OSError: it is not an image, or damaged.
        """
        path = Path(path)
        pixels = self._kept.get(path)
        if pixels is None:
            pixels = read_image(path, self.size, self.channels)
            if self.keep:
                self._kept[path] = pixels
        return pixels.astype(numpy.float32) / 255

    def part(self, indices: HostArray) -> ImageFolder:
        """The examples of these numbers, as a data set of the same kind."""
        made = copy.copy(self)
        made.paths = [self.paths[i] for i in indices]
        made.labels = self.labels[indices]
        return made

    def __getstate__(self) -> dict[str, Any]:
        return {**vars(self), "_kept": {}}  # worker processes keep what they read themselves


def image_folder(
    folder: str | os.PathLike[str], size: Size = 64, channels: int = 3, validation: float = 0.2, seed: int = 0
) -> tuple[ImageFolder, ImageFolder]:
    """Images in a folder for each class, as training and validation data: see :class:`ImageFolder`.

    Args:
        folder: has one folder per class; or the folders ``train`` and ``validation`` (or ``val``, ``valid``, ``test``),
            which have one folder per class each.
        size: height and width of all images, or one number for both.
        channels: 3 for colour, 1 for grey.
        validation: the fraction of each class that is held out, where it is not in a folder of its own; at least one
            image of each.
        seed: chooses which.

    Returns:
        ``(training data, validation data)``.

    Raises:
        ImportError: Pillow is not installed.
        FileNotFoundError: there is no such folder.
        ValueError: as of :class:`ImageFolder`; or ``validation`` does not lie between 0 and 1, there is one class, or a
            class has one image.

    >>> import tempfile
    >>> from pathlib import Path
    >>> from PIL import Image
    >>> folder = Path(tempfile.mkdtemp())
    >>> for number in range(10):
    ...     (folder / "ab"[number % 2]).mkdir(exist_ok=True)
    ...     Image.new("L", (8, 8), number).save(folder / "ab"[number % 2] / f"{number}.png")
    >>> train, validation = image_folder(folder, size=8, channels=1)
    >>> len(train), len(validation), train.classes
    (8, 2, ['a', 'b'])
    """
    place = Path(folder)
    held = next((place / name for name in HELD_OUT if (place / name).is_dir()), None)
    if held is not None and (place / "train").is_dir():
        train = ImageFolder(place / "train", size, channels)
        return train, ImageFolder(held, size, channels, classes=train.classes)
    if not 0 < validation < 1:
        raise ValueError(f"image_folder: expected a validation fraction between 0 and 1, got {validation}")
    if class_names(place) == ["train"]:
        place /= "train"
    whole = ImageFolder(place, size, channels)
    if len(whole.classes) < 2:
        raise ValueError(f"image_folder: expected a folder for each of at least 2 classes in {place}, found one")
    random = Generator(seed)
    parts: tuple[list[HostArray], list[HostArray]] = ([], [])
    for label, name in enumerate(whole.classes):
        (own,) = numpy.nonzero(whole.labels == label)
        if len(own) < 2:
            raise ValueError(f"image_folder: expected at least 2 images of each class, {place / name} has {len(own)}")
        own = own[random.permutation(len(own), device="cpu").data]
        count = min(max(1, round(validation * len(own))), len(own) - 1)
        parts[0].append(own[count:])
        parts[1].append(own[:count])
    return whole.part(numpy.concatenate(parts[0])), whole.part(numpy.concatenate(parts[1]))


def read_image(path: str | os.PathLike[str], size: Size = None, channels: int = 3) -> HostArray:
    """The pixels of an image, uint8 ``(C, H, W)``: turned as its camera has noted, scaled and cut to ``size``.

    Raises:
        ImportError: Pillow is not installed.
        OSError: it is not an image, or damaged.

    >>> import tempfile
    >>> from PIL import Image
    >>> with tempfile.NamedTemporaryFile(suffix=".png") as file:
    ...     Image.new("RGB", (12, 8), "white").save(file)
    ...     read_image(file.name, size=4, channels=1).shape
    (1, 4, 4)
    """
    from PIL import ImageOps

    wanted = _size(size)
    try:
        with _opened(path) as image:
            if wanted is not None:
                image.draft(None, (2 * wanted[1], 2 * wanted[0]))  # a JPEG is decoded no larger than is of use
            flat = _flat(ImageOps.exif_transpose(image), channels)
    except Exception as error:  # Pillow's readers raise all kinds of errors for damaged files
        if isinstance(error, ImportError | FileNotFoundError):
            raise
        raise OSError(f"{path} cannot be read as an image: {error}") from error
    if wanted is not None and flat.size != (wanted[1], wanted[0]):
        flat = ImageOps.fit(flat, (wanted[1], wanted[0]))
    pixels = numpy.asarray(flat)
    return numpy.ascontiguousarray(pixels[None] if channels == 1 else pixels.transpose(2, 0, 1))


def check(path: Path) -> None:
    """See that a file begins as an image does.

    Raises:
        ValueError: it does not.
    """
    try:
        with _opened(path):
            pass
    except ImportError:
        raise
    except Exception as error:
        raise ValueError(f"{path} cannot be read as an image: {error}; mend it, or move it away") from error


def class_names(folder: Path) -> list[str]:
    """The names of the folders in a folder, sorted.

    Raises:
        FileNotFoundError: there is no such folder.
        ValueError: there is none in it.
    """
    if not folder.is_dir():
        raise FileNotFoundError(f"there is no folder {folder}")
    found = sorted(path.name for path in folder.iterdir() if path.is_dir() and not path.name.startswith("."))
    if not found:
        raise ValueError(
            f"expected a folder for each class in {folder}, such as {folder / 'cats'}, with its images in it; found "
            f"{', '.join(sorted(path.name for path in folder.iterdir())[:3]) or 'nothing'}"
        )
    return found


def images_in(folder: Path) -> list[Path]:
    """The files below a folder that are images by their names, sorted."""
    return sorted(
        path
        for path in folder.rglob("*")
        if path.suffix.lower() in SUFFIXES and path.is_file()
        and not any(part.startswith(".") for part in path.relative_to(folder).parts)
    )  # fmt: skip


def _opened(path: str | os.PathLike[str]) -> Any:
    try:
        from PIL import Image
    except ImportError as error:
        raise ImportError("images are read by Pillow: pip install 'gpugrad[images]'") from error
    return Image.open(path)


def _flat(image: Any, channels: int) -> Any:
    """The image in colour or grey, with white where it is transparent."""
    from PIL import Image

    if image.mode.startswith("I"):  # 16 bits
        image = Image.fromarray((numpy.asarray(image).astype(numpy.float64) / 257).clip(0, 255).astype(numpy.uint8))
    if image.has_transparency_data:
        clear = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", clear.size, "white"), clear)
    return image.convert("L" if channels == 1 else "RGB")


def _size(size: Size) -> tuple[int, int] | None:
    if size is None:
        return None
    pair = (size, size) if isinstance(size, int) else tuple(size)
    if len(pair) != 2 or not all(isinstance(n, int) and not isinstance(n, bool) and 1 <= n <= 2**14 for n in pair):
        raise ValueError(f"expected size as one number of pixels, or (height, width), from 1 on, got {size!r}")
    return pair[0], pair[1]
