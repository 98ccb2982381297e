"""Folders of images: classes, sizes, colours, transparency, damage; splits; worker processes."""

from __future__ import annotations

import pickle
import sys

import numpy
import pytest

import gpugrad as gg
from gpugrad.data import DataLoader, ImageFolder, image_folder, read_image

Image = pytest.importorskip("PIL.Image", reason="images are read by Pillow: pip install 'gpugrad[images]'")
pytestmark = pytest.mark.any_device


def filled(folder, counts, size=(10, 6), suffix=".png"):
    """A folder of images whose red is ten times their class, and whose green is their number."""
    for label, (name, count) in enumerate(counts.items()):
        (folder / name).mkdir(parents=True)
        for number in range(count):
            Image.new("RGB", size, (10 * label, number, 255)).save(folder / name / f"{number:02}{suffix}")
    return folder


def test_a_folder_for_each_class(tmp_path):
    filled(tmp_path, {"cat": 3, "ant": 2, "bee": 1})
    (tmp_path / "ant" / "deep").mkdir()
    Image.new("L", (4, 4), 51).save(tmp_path / "ant" / "deep" / "x.JPG")
    for junk in ("cat/notes.txt", "ant/.hidden.png", "readme.md"):
        (tmp_path / junk).write_text("no image")
    (tmp_path / ".thumbnails").mkdir()
    data = ImageFolder(tmp_path, size=4)
    assert data.classes == ["ant", "bee", "cat"]
    assert data.labels.tolist() == [0, 0, 0, 1, 2, 2, 2]
    assert [path.name for path in data.paths[:3]] == ["00.png", "01.png", "x.JPG"]
    image, label = data[5]
    assert (image.dtype, image.shape, label, label.dtype) == (numpy.float32, (3, 4, 4), 2, numpy.int64)
    numpy.testing.assert_array_equal(image[:, 0, 0], numpy.float32([0, 1, 255]) / 255)
    numpy.testing.assert_allclose(data[2][0], 0.2, atol=0.01)
    images, labels = data.gather(numpy.array([6, 0]))
    assert images.shape == (2, 3, 4, 4)
    assert labels.tolist() == [2, 0]


@pytest.mark.parametrize(
    ("mode", "colour", "grey"),
    [
        ("RGB", (255, 255, 255), 255), ("L", 100, 100), ("1", 1, 255), ("RGBA", (0, 0, 0, 0), 255), ("LA", (0, 0), 255),
        ("RGBA", (0, 0, 0, 255), 0), ("I;16", 257 * 100, 100), ("P", 0, 0),
    ],
)  # fmt: skip
def test_every_kind_of_pixel_is_brought_to_one(tmp_path, mode, colour, grey):
    Image.new(mode, (3, 2), colour).save(tmp_path / "x.png")
    assert read_image(tmp_path / "x.png", channels=1).tolist() == [[[grey] * 3] * 2]
    assert read_image(tmp_path / "x.png").tolist() == [[[grey] * 3] * 2] * 3


def test_sizes(tmp_path):
    wide = Image.new("RGB", (30, 10), "red")
    wide.paste("blue", (10, 0, 20, 10))  # the middle third, which is what is left of it as a square
    wide.save(tmp_path / "wide.png")
    assert read_image(tmp_path / "wide.png").shape == (3, 10, 30)
    assert read_image(tmp_path / "wide.png", (5, 15)).shape == (3, 5, 15)
    square = read_image(tmp_path / "wide.png", 10)
    assert square.shape == (3, 10, 10)
    assert (square[2] == 255).all()
    turned = Image.new("L", (4, 2), 9)
    exif = turned.getexif()
    exif[0x0112] = 6  # the camera was held upright
    turned.save(tmp_path / "turned.jpg", exif=exif)
    assert read_image(tmp_path / "turned.jpg", channels=1).shape == (1, 4, 2)


def test_what_is_not_a_folder_of_images(tmp_path):
    with pytest.raises(FileNotFoundError, match="there is no folder"):
        ImageFolder(tmp_path / "nowhere")
    with pytest.raises(ValueError, match=r"expected a folder for each class in .*found nothing"):
        ImageFolder(tmp_path)
    filled(tmp_path, {"a": 2, "b": 2})
    for wrong, message in [
        ({"size": 0}, r"expected size as one number of pixels, or \(height, width\), from 1 on, got 0"),
        ({"size": [1, 2, 3]}, "got "), ({"size": (4, -1)}, "got "), ({"size": True}, "got "),
        ({"channels": 4}, "expected channels 3"), ({"classes": ["a"]}, "has the class 'b', expected a"),
    ]:  # fmt: skip
        with pytest.raises(ValueError, match=message):
            ImageFolder(tmp_path, **wrong)
    assert ImageFolder(tmp_path, classes=["b", "c", "a"]).labels.tolist() == [0, 0, 2, 2]
    (tmp_path / "c").mkdir()
    with pytest.raises(ValueError, match=r"c has no images: \.bmp"):
        ImageFolder(tmp_path)
    (tmp_path / "c" / "x.png").write_text("no image")
    with pytest.raises(ValueError, match=r"c/x\.png cannot be read as an image: .*; mend it, or move it away"):
        ImageFolder(tmp_path)
    whole = tmp_path / "a" / "00.png"
    (tmp_path / "c" / "x.png").write_bytes(whole.read_bytes()[:-30])
    with pytest.raises(OSError, match=r"c/x\.png cannot be read as an image: "):
        ImageFolder(tmp_path)[4]


def test_training_and_validation_data(tmp_path):
    filled(tmp_path / "one", {"a": 10, "b": 5, "c": 2})
    train, validation = image_folder(tmp_path / "one", size=4)
    assert numpy.bincount(train.labels).tolist() == [8, 4, 1]
    assert numpy.bincount(validation.labels).tolist() == [2, 1, 1]
    assert not set(train.paths) & set(validation.paths)
    assert image_folder(tmp_path / "one", size=4)[0].paths == train.paths
    assert image_folder(tmp_path / "one", size=4, seed=1)[0].paths != train.paths
    for wrong in (0, 1, 1.5):
        with pytest.raises(ValueError, match="expected a validation fraction between 0 and 1"):
            image_folder(tmp_path / "one", validation=wrong)
    filled(tmp_path / "one class", {"a": 3})
    with pytest.raises(ValueError, match="at least 2 classes"):
        image_folder(tmp_path / "one class")
    filled(tmp_path / "two" / "train", {"a": 1, "b": 2})
    with pytest.raises(ValueError, match=r"at least 2 images of each class, .*train/a has 1"):
        image_folder(tmp_path / "two")
    filled(tmp_path / "two" / "val", {"b": 3})
    train, validation = image_folder(tmp_path / "two", size=4)
    assert (len(train), validation.labels.tolist(), validation.classes) == (3, [1, 1, 1], ["a", "b"])


def test_images_are_kept_and_sent_to_processes_without(tmp_path):
    filled(tmp_path, {"a": 3, "b": 3})
    kept, read = ImageFolder(tmp_path, size=4), ImageFolder(tmp_path, size=4, keep=False)
    first = kept[0][0]
    Image.new("RGB", (4, 4), "white").save(kept.paths[0])
    numpy.testing.assert_array_equal(kept[0][0], first)
    assert (read[0][0] == 1).all()
    assert (pickle.loads(pickle.dumps(kept))[0][0] == 1).all()
    first += 1  # what an example gives is its own
    assert not numpy.array_equal(kept[0][0], first)


def test_transforms_draw_the_same_for_any_workers(tmp_path):
    filled(tmp_path, {"a": 4, "b": 4})

    def noisy(image):
        return image + gg.data.generator().standard_normal(image.shape, device="cpu").numpy()

    data = ImageFolder(tmp_path, size=4, transform=noisy)
    batches = [
        [images.numpy() for images, _ in DataLoader(data, 4, num_workers=workers, workers="thread", device="cpu")]
        for workers in (0, 2)
    ]
    numpy.testing.assert_array_equal(batches[0], batches[1])


def test_without_pillow(tmp_path, monkeypatch):
    filled(tmp_path, {"a": 2})
    monkeypatch.setitem(sys.modules, "PIL", None)
    with pytest.raises(ImportError, match=r"images are read by Pillow: pip install 'gpugrad\[images\]'"):
        ImageFolder(tmp_path)
