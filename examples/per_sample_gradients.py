"""The gradient of every sample at once: `gg.vmap(gg.grad(loss))`, which digits surprise a network, and privacy.

    python examples/per_sample_gradients.py                   1,797 digits of 8x8, no download
    python examples/per_sample_gradients.py --device cuda

The loss is written for one image; `gg.grad` gives its gradient, and `gg.vmap` does that for all images in one go, where
a loop would take them one by one. Its length tells how much an image would like to change the network: the longest
belong to digits that are hard to read, or written wrongly. To clip the gradient of each image and add noise to the sum
is the step of differentially private training (Abadi et al. 2016, without the bookkeeping of how private). Written to
``--out``: ``per_sample_gradients.png``.
"""

import argparse
import time
from pathlib import Path

import numpy
from reporting import BLUE, GREY, LIGHT, RED, figure, save, tidy

import gpugrad as gg
from gpugrad import data

Parameters = dict[str, gg.Tensor]


def scores(p, image):
    """A network with one hidden layer, for one image or many."""
    return numpy.tanh(image @ p["w1"] + p["b1"]) @ p["w2"] + p["b2"]


def loss(p, image, label):
    """The cross-entropy of one image."""
    score = scores(p, image)
    return gg.logsumexp(score) - score[label]


per_sample = gg.vmap(gg.grad(loss), in_axes=(None, 0, 0))


def lengths(gradients):
    """The Euclidean norm of each sample's gradient, over all parameters together."""
    return numpy.sqrt(sum((g**2).reshape(len(g), -1).sum(axis=1) for g in gradients.values()))


def clipped_and_noisy(gradients, limit, noise):
    """The mean gradient, where no sample counts for more than ``limit``, and noise covers what each contributed."""
    count = len(gradients["b1"])
    factor = numpy.minimum(limit / lengths(gradients), 1.0)
    return {
        name: (numpy.einsum("n,n...->...", factor, g) + noise * limit * gg.random.normal(size=g.shape[1:])) / count
        for name, g in gradients.items()
    }


def start(pixels: int, hidden: int) -> Parameters:
    """Random weights."""
    return {
        "w1": gg.random.normal(size=(pixels, hidden)) / pixels**0.5, "b1": gg.zeros(hidden),
        "w2": gg.random.normal(size=(hidden, 10)) / hidden**0.5, "b2": gg.zeros(10),
    }  # fmt: skip


def train(p: Parameters, images: gg.Tensor, labels: gg.Tensor, epochs: int, limit: float, noise: float) -> Parameters:
    """Gradient descent on batches of 100, by the mean gradient or, where the limit clips, by the private one."""
    shuffled = numpy.random.default_rng(0)
    for _ in range(epochs):
        order = shuffled.permutation(len(labels))
        for batch in numpy.split(order, range(100, len(order), 100)):
            rows = gg.tensor(batch)
            gradients = per_sample(p, images[rows], labels[rows])
            step = clipped_and_noisy(gradients, limit, noise)
            p = {name: p[name] - 0.5 * step[name] for name in p}
    return p


def accuracy(p: Parameters, images: gg.Tensor, labels: gg.Tensor) -> float:
    """The fraction of images that are read correctly."""
    return (gg.argmax(scores(p, images), axis=1) == labels).sum().item() / len(labels)


def compare(p: Parameters, images: gg.Tensor, labels: gg.Tensor) -> tuple[float, float, float]:
    """How far the gradients are from those of a loop, and the seconds for all images both ways, medians of three."""
    seconds = []
    for _ in range(3):
        started = time.perf_counter()
        together = {name: g.numpy() for name, g in per_sample(p, images, labels).items()}
        between = time.perf_counter()
        one_by_one = [gg.grad(loss)(p, image, label) for image, label in zip(images, labels, strict=True)]
        gg.synchronize()
        seconds.append((between - started, time.perf_counter() - between))
    apart = max(abs(together[name] - numpy.stack([g[name].numpy() for g in one_by_one])).max() for name in p)
    return float(apart), *numpy.median(seconds, axis=0)


def draw(file: Path, images: numpy.ndarray, labels: numpy.ndarray, read: numpy.ndarray, size: numpy.ndarray,
         noises: list[float], learned: list[float]) -> None:  # fmt: skip
    """The digits with the longest gradients, how long all are, and the price of privacy."""
    drawing = figure(figsize=(11, 5))
    if drawing is None:
        return
    left, right = drawing.subfigures(1, 2, width_ratios=(1.3, 1))
    left.suptitle("the test digits with the longest gradients", fontsize=11)
    for place, index in enumerate(numpy.argsort(-size)[:24]):
        axes = left.add_subplot(4, 6, place + 1)
        axes.imshow(images[index].reshape(8, 8), cmap="gray_r", vmin=0, vmax=1)
        wrong = read[index] != labels[index]
        axes.set_title(f"read {read[index]}", color=RED if wrong else BLUE, fontsize=9, loc="left", pad=3)
        axes.set_title(f"is {labels[index]}", color=GREY, fontsize=9, loc="right", pad=3)
        axes.set(xticks=[], yticks=[])
        axes.spines[:].set_color(LIGHT)
    spread, price = right.subplots(2, 1)
    bins = numpy.geomspace(size.min(), size.max(), 40)
    for hits, color, name in ((read == labels, BLUE, "read correctly"), (read != labels, RED, "misread")):
        spread.hist(size[hits], bins, color=color, alpha=0.7, label=name)
    spread.set(xscale="log", yscale="log", xlabel="length of the gradient", ylabel="test digits", ylim=(0.8, 70))
    spread.legend(frameon=False, fontsize=9, loc="upper left", ncols=2)
    price.plot(noises, learned, "o-", color=BLUE)
    price.set(xlabel="noise, in units of the clipping limit", ylabel="test accuracy", ylim=(None, 1))
    price.set_title("differentially private training", fontsize=11)
    tidy(spread, price)
    save(drawing, file)


def main() -> None:
    """Train, look at the gradients of the test digits, and train again in private."""
    parser = argparse.ArgumentParser(description="The gradient of every sample at once.")
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto", help="(%(default)s: GPU if any)")
    parser.add_argument("--epochs", type=int, default=20, help="how often to go through the digits (%(default)s)")
    parser.add_argument("--out", type=Path, default=Path("runs/science"), help="folder for the picture (%(default)s)")
    args = parser.parse_args()
    gg.set_default_device(None if args.device == "auto" else args.device)  # the one line that chooses the device
    gg.random.seed(0)

    (images, labels), (test_images, test_labels) = (
        (gg.tensor(part.arrays[0].reshape(len(part), -1)), gg.tensor(part.arrays[1])) for part in data.digits()
    )
    first = start(images.shape[1], 32)
    p = train(first, images, labels, args.epochs, limit=1e6, noise=0.0)
    print(f"test accuracy {accuracy(p, test_images, test_labels):.2%}, on {images.device}")
    apart, together, looped = compare(p, images, labels)
    print(f"{len(labels)} gradients at once: {together:.3f} s, in a loop {looped:.3f} s, {looped / together:.1f} "
          f"times as long; they differ by at most {apart:.1e}")  # fmt: skip
    size = lengths(per_sample(p, test_images, test_labels)).numpy()
    read = gg.argmax(scores(p, test_images), axis=1).numpy()
    print(f"the longest gradient is {size.max() / numpy.median(size):,.0f} times as long as the median")

    noises = [0.0, 1.0, 2.0, 4.0, 8.0]
    learned = []
    for noise in noises:
        private = train(first, images, labels, args.epochs, limit=1.0, noise=noise)
        learned.append(accuracy(private, test_images, test_labels))
        print(f"clipped at 1, noise {noise:.0f}: test accuracy {learned[-1]:.2%}")
    args.out.mkdir(parents=True, exist_ok=True)
    file = args.out / "per_sample_gradients.png"
    draw(file, test_images.numpy(), test_labels.numpy(), read, size, noises, learned)


if __name__ == "__main__":
    main()
