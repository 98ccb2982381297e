"""A recurrent network unrolled in time: the same weights in every step, and their gradients add up.

    python examples/lectures/recurrent_network.py                  Tiny Shakespeare where it is, or a made-up text: 15 s
    python examples/lectures/recurrent_network.py --text FILE      a text of yours

    h_t = tanh(W_x x_t + W_h h_{t-1} + b)        s_t = W_s h_t        loss = mean over t of -log softmax(s_t)[next]

First a few steps of a small one: the graph is drawn, and the gradients are worked out by hand, backwards through time.
Each step has its part in the gradient of the weights; the library's is their sum. Then one of 128 units learns to
predict the next letter. Written to ``--out``: ``unrolled.html`` and ``unrolled.svg``, the graph, ``two_steps``, its
beginning, ``parts.png``, the part of each step, and ``learning.png``.

Sources: CS231n, the lecture on recurrent networks; CS224n, language models.
"""

import math
import sys
from collections import Counter
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import numpy
from showing import BLUE, GREEN, GREY, RED, command_line, figure, save, save_graph, tidy

import gpugrad as gg
from gpugrad import nn, optim

TEXT = Path(__file__).resolve().parents[3] / "shared" / "data" / "tinyshakespeare" / "input.txt"
"""Where Tiny Shakespeare is looked for, beside the repository."""
NAMES = ("W_x", "W_h", "b", "W_s")


# A few steps, by hand and by the library.


def weights(inputs: int, hidden: int, outputs: int, seed: int = 0) -> dict[str, numpy.ndarray]:
    """Random numbers to begin with, by their names in the formulas."""
    rng = numpy.random.default_rng(seed)
    shapes = {"W_x": (hidden, inputs), "W_h": (hidden, hidden), "b": (hidden,), "W_s": (outputs, hidden)}
    return {name: rng.standard_normal(shape) / shape[-1] ** 0.5 for name, shape in shapes.items()}


def one_hot(letters, count: int) -> numpy.ndarray:
    """Letters as vectors with a single 1: ``(T, count)``."""
    return numpy.eye(count)[list(letters)]


def unrolled(steps: list[dict[str, gg.Tensor]], xs: gg.Tensor, targets: list[int]) -> gg.Tensor:
    """The mean loss, step by step; each step has its own weights here, which may be the same Tensors."""
    h, losses = gg.name(gg.zeros(steps[0]["b"].shape, dtype=xs.dtype), "h_0"), []
    for t, (p, target) in enumerate(zip(steps, targets, strict=True), 1):
        x = gg.name(xs[t - 1], f"x_{t}")
        h = gg.name(gg.tanh(p["W_x"] @ x + p["W_h"] @ h + p["b"]), f"h_{t}")
        s = gg.name(p["W_s"] @ h, f"s_{t}")
        losses.append(gg.name(gg.logsumexp(s) - s[target], f"loss_{t}"))
    return gg.stack(losses).mean()


def through_time(p: dict[str, numpy.ndarray], xs, targets) -> tuple[float, list[dict[str, numpy.ndarray]]]:
    """The loss and what each step adds to the gradients of the weights, by hand with NumPy.

    Forward, every state is kept. Backward, two gradients meet at ``h_t``: that of the scores of this step, and that
    which comes back from the next step through ``W_h``.
    """
    states, probabilities, loss = [numpy.zeros_like(p["b"])], [], 0.0
    for x, target in zip(xs, targets, strict=True):
        states.append(numpy.tanh(p["W_x"] @ x + p["W_h"] @ states[-1] + p["b"]))
        e = numpy.exp(p["W_s"] @ states[-1])
        probabilities.append(e / e.sum())
        loss -= numpy.log(probabilities[-1][target]) / len(targets)
    parts: list[dict[str, numpy.ndarray]] = []
    from_later = numpy.zeros_like(p["b"])
    for t in reversed(range(len(targets))):
        ds = probabilities[t].copy()
        ds[targets[t]] -= 1  # softmax and logarithm together: probability less truth
        ds /= len(targets)
        h, before = states[t + 1], states[t]
        delta = (p["W_s"].T @ ds + from_later) * (1 - h**2)
        parts.insert(0, {
            "W_x": numpy.outer(delta, xs[t]), "W_h": numpy.outer(delta, before), "b": delta, "W_s": numpy.outer(ds, h),
        })  # fmt: skip
        from_later = p["W_h"].T @ delta
    return loss, parts


class Compared(NamedTuple):
    """How far apart things are that should be equal."""

    loss: float
    copies: dict[str, float]
    """The part of each step by hand, and the gradient of that step's own copy of the weights."""
    shared: dict[str, float]
    """The sum of the parts by hand, and the gradient of the weights that all steps share."""


def leaves(p: dict[str, numpy.ndarray]) -> dict[str, gg.Tensor]:
    """Variables with these values."""
    return {name: gg.tensor(value, requires_grad=True) for name, value in p.items()}


def compare(p: dict[str, numpy.ndarray], xs: numpy.ndarray, targets: list[int]) -> Compared:
    """The unrolled network with shared weights, with a copy for each step, and by hand."""
    value, parts = through_time(p, xs, targets)
    same = leaves(p)
    loss = unrolled([same] * len(targets), gg.tensor(xs), targets)
    loss.backward()
    copies = [leaves(p) for _ in targets]
    unrolled(copies, gg.tensor(xs), targets).backward()
    zero = {name: numpy.zeros_like(value) for name, value in p.items()}

    def apart(x: gg.Tensor, y: numpy.ndarray) -> float:
        return float(abs((0 if x.grad is None else x.grad.numpy()) - y).max())

    return Compared(
        abs(loss.item() - value),
        {n: max(apart(c[n], part[n]) for c, part in zip(copies, parts, strict=True)) for n in NAMES},
        {n: apart(same[n], sum((part[n] for part in parts), zero[n])) for n in NAMES},
    )


def graph(p: dict[str, numpy.ndarray], xs: numpy.ndarray, targets: list[int]) -> Any:
    """The unrolled network, drawn."""
    shared = {name: gg.name(leaf, name) for name, leaf in leaves(p).items()}
    inputs = gg.name(gg.tensor(xs), "x")
    with gg.observe():
        return gg.draw(unrolled([shared] * len(targets), inputs, targets), title="unrolled in time", limit=None)


# The model of letters.


class Letters(nn.Module):
    """Scores for the next letter after each: the network above, its steps one operation of the library."""

    def __init__(self, count: int, hidden: int) -> None:
        super().__init__()
        self.vectors = nn.Embedding(count, hidden)  # W_x x_t for a vector with a single 1: a column of W_x
        self.states = nn.RNN(hidden, hidden, batch_first=True)
        self.scores = nn.Linear(hidden, count)

    def forward(self, letters: gg.Tensor, h: gg.Tensor | None = None) -> tuple[gg.Tensor, gg.Tensor]:
        """``(N, T)`` to scores ``(N, T, count)``, and the last state."""
        y, h = self.states(self.vectors(letters), h)
        return self.scores(y), h


def made_up(lines: int = 7000) -> str:
    """A text for where there is none: somebody counts, now up, now down, and says so."""
    rng = numpy.random.default_rng(0)
    numbers = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]
    found = []
    for _ in range(lines):
        start, length, up = int(rng.integers(10)), int(rng.integers(2, 7)), bool(rng.integers(2))
        counted = [numbers[(start + (i if up else -i)) % 10] for i in range(length)]
        found.append(" ".join(["up:" if up else "down:", *counted]))
    return "\n".join(found)


def read(file: Path | None) -> str:
    """The text, or the made-up one; what is wrong with a file ends the program with a word about it."""
    if file is None:
        return made_up()
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        sys.exit(f"{file}: {error}")
    if len(text) < 10_000:
        sys.exit(f"{file}: expected at least 10,000 letters to learn from, got {len(text):,}")
    return text


def bits(nats: float) -> float:
    """A mean loss in bits a letter."""
    return nats / math.log(2)


def simple(train: str, valid: str, alphabet: str) -> tuple[float, float]:
    """Bits a letter from how often each letter occurs, and from how often each follows each other one."""
    counts, pairs = Counter(train), Counter(pairwise(train))
    size, n = len(train), len(alphabet)
    one = -sum(math.log2((counts[c] + 1) / (size + n)) for c in valid) / len(valid)
    two = -sum(math.log2((pairs[a, c] + 1) / (counts[a] + n)) for a, c in pairwise(valid)) / (len(valid) - 1)
    return one, two


@gg.no_grad()
def held_out(model: Letters, text: numpy.ndarray, width: int = 100) -> float:
    """Bits a letter over a text, read in ``width`` pieces side by side, each from its beginning to its end."""
    length = (len(text) - 1) // width
    lines = gg.tensor(text[: length * width].reshape(width, length))
    following = gg.tensor(text[1 : length * width + 1].reshape(width, length))
    h, total = None, 0.0
    for first in range(0, length, 200):
        scores, h = model(lines[:, first : first + 200], h)
        target = following[:, first : first + 200]
        total += cross_entropy(scores, target).item() * target.size
    return bits(total / (length * width))


def cross_entropy(scores: gg.Tensor, following: gg.Tensor) -> gg.Tensor:
    """The mean over all letters of all texts."""
    return nn.functional.cross_entropy(gg.reshape(scores, (-1, scores.shape[-1])), gg.reshape(following, -1))


def train(model: Letters, text: numpy.ndarray, steps: int, length: int = 50, batch: int = 32) -> list[float]:
    """Fit to pieces of the text; the loss of each step in bits a letter."""
    optimizer = optim.Adam(model.parameters(), lr=0.002)
    rng = numpy.random.default_rng(0)
    losses = []
    for _ in range(steps):
        first = rng.integers(0, len(text) - length, (batch, 1)) + numpy.arange(length + 1)
        pieces = gg.tensor(text[first])
        scores, _ = model(pieces[:, :-1])
        loss = cross_entropy(scores, pieces[:, 1:])
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)  # or a single steep place would throw it far away
        optimizer.step()
        losses.append(bits(loss.item()))
    return losses


@gg.no_grad()
def write(model: Letters, alphabet: str, start: str, count: int) -> str:
    """Letters drawn one by one, each from the probabilities that the model gives after those before."""
    rng = numpy.random.default_rng(0)
    found, h = [alphabet.index(c) for c in start], None
    given = gg.tensor([found])
    for _ in range(count):
        scores, h = model(given, h)
        probabilities = nn.functional.softmax(scores[0, -1], dim=0).numpy().astype(float)
        found.append(int(rng.choice(len(alphabet), p=probabilities / probabilities.sum())))
        given = gg.tensor([found[-1:]])
    return "".join(alphabet[i] for i in found)


def draw_parts(file: Path, parts: list[dict[str, numpy.ndarray]]) -> None:
    """The part of each step in the gradient of ``W_h``, their sum, and their lengths."""
    drawing = figure(figsize=(1.3 * (len(parts) + 1) + 2.5, 2))
    if drawing is None:
        return
    *steps, end, lengths = drawing.subplots(1, len(parts) + 2)
    total = sum(part["W_h"] for part in parts)
    limit = max(abs(total).max(), *(abs(part["W_h"]).max() for part in parts))
    for axes, value, name in zip(
        [*steps, end], [*(part["W_h"] for part in parts), total],
        [*(f"step {t}" for t in range(1, len(parts) + 1)), "sum"], strict=True,
    ):  # fmt: skip
        axes.imshow(value, cmap="RdBu", vmin=-limit, vmax=limit)
        axes.set(xticks=[], yticks=[])
        axes.set_title(name, fontsize=10, color=RED if name == "sum" else GREY)
    lengths.bar(range(1, len(parts) + 1), [numpy.linalg.norm(part["W_h"]) for part in parts], color=BLUE)
    lengths.set_title("length of each", fontsize=10, color=GREY)
    tidy(lengths)
    save(drawing, file)


def draw_learning(file: Path, losses: list[float], found: float, one: float, two: float) -> None:
    """Bits a letter against steps, and what counting reaches."""
    drawing = figure(figsize=(7, 3.6))
    if drawing is None:
        return
    axes = drawing.add_subplot()
    axes.plot(losses, color=BLUE, linewidth=0.6, alpha=0.4)
    axes.plot(numpy.convolve(losses, numpy.full(20, 0.05), "valid"), color=BLUE, label="training, mean of 20 steps")
    axes.axhline(one, color=GREY, linestyle=":", label=f"letters counted: {one:.2f}")
    axes.axhline(two, color=GREY, linestyle="--", label=f"pairs counted: {two:.2f}")
    axes.axhline(found, color=GREEN, label=f"held-out text: {found:.2f}")
    axes.set(xlabel="step", ylabel="bits a letter")
    axes.legend(frameon=False, fontsize=9)
    tidy(axes)
    save(drawing, file)


def main() -> None:
    """Compare a few steps with those by hand, draw them, train, write."""
    parser = command_line(__file__, __doc__)
    parser.add_argument("--text", type=Path, help="a file to learn from (Tiny Shakespeare, where it is found)")
    parser.add_argument("--steps", type=int, default=1500, help="of training (%(default)s)")
    parser.add_argument("--hidden", type=int, default=128, help="units (%(default)s)")
    args = parser.parse_args()
    gg.set_default_device(None if args.device == "auto" else args.device)  # the one line that chooses the device
    gg.random.seed(0)

    word = "hello"
    alphabet = "".join(sorted(set(word)))
    letters = [alphabet.index(c) for c in word]
    p = weights(len(alphabet), 3, len(alphabet))
    xs, targets = one_hot(letters[:-1], len(alphabet)), letters[1:]
    found = compare(p, xs, targets)
    print(f"{word!r} in {len(targets)} steps: by hand and by the library, the loss differs by {found.loss:.1e}")
    for name in NAMES:
        print(f"  {name:4} the part of each step by {found.copies[name]:.1e}, their sum by {found.shared[name]:.1e}")
    _, parts = through_time(p, xs, targets)
    draw_parts(args.out / "parts.png", parts)
    save_graph(graph(p, xs, targets), args.out / "unrolled")
    save_graph(graph(p, xs[:2], targets[:2]), args.out / "two_steps")

    file = args.text or (TEXT if TEXT.is_file() else None)
    text = read(file)
    print(f"the text: {'made up' if file is None else file.name}, {len(text):,} letters; the last tenth is held out")
    alphabet = "".join(sorted(set(text)))
    numbers = numpy.array([alphabet.index(c) for c in text])
    cut = len(text) * 9 // 10
    one, two = simple(text[:cut], text[cut:], alphabet)
    model = Letters(len(alphabet), args.hidden)
    losses = train(model, numbers[:cut], args.steps)
    reached = held_out(model, numbers[cut:])
    print(f"bits a letter: {reached:.3f}; counting letters {one:.3f}, counting pairs {two:.3f}, "
          f"all {len(alphabet)} alike {math.log2(len(alphabet)):.3f}")  # fmt: skip
    print("it writes:\n" + "\n".join("    " + line for line in write(model, alphabet, text[0], 200).splitlines()))
    draw_learning(args.out / "learning.png", losses, reached, one, two)


if __name__ == "__main__":
    main()
