"""Small data for the programs of this folder, made with NumPy: pictures in four classes, and a text."""

import numpy

TEXT = """the sun is up and the hen is in the yard. the hen has an egg and the cat has a hat.
a man sits on a mat in the sun. the cat sits on the mat and the man has a nap.
the hen runs to the pen and the egg is in the pan. the man has the egg and the cat has the ham.
the sun is down and the yard is dim. the hen is in the pen and the cat is in the bed.
"""


def pictures(count, size=16, channels=1, seed=0):
    """Noisy stripes (across, down), a square and a disc: float32 (N, C, S, S) in [0, 1], and int64 labels."""
    random = numpy.random.default_rng(seed)
    labels = random.integers(0, 4, count)
    rows, columns = numpy.mgrid[:size, :size]
    shift = random.integers(0, 4, count)[:, None, None]
    middle = random.uniform(size / 3, 2 * size / 3, (2, count, 1, 1))
    far = numpy.maximum(abs(rows - middle[0]), abs(columns - middle[1]))
    round_ = numpy.hypot(rows - middle[0], columns - middle[1])
    shapes = [(rows + shift) // 2 % 2 == 0, (columns + shift) // 2 % 2 == 0, far < size / 5, round_ < size / 4]
    clean = numpy.choose(labels[:, None, None], [numpy.broadcast_to(s, (count, size, size)) for s in shapes])
    noisy = numpy.clip(0.8 * clean + 0.2 * random.random((channels, count, size, size)), 0, 1)
    return numpy.moveaxis(noisy, 0, 1).astype("float32"), labels.astype("int64")
