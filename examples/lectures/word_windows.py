"""Is the word in the middle a place? Windows of five words and one hidden layer, trained on tweets.

    python examples/lectures/word_windows.py                          15 s
    python examples/lectures/word_windows.py --data-dir DIR           WNUT-17 from its three files in DIR

The score of a window is ``s = u^T tanh(W x + b)``, where ``x`` holds the vectors of its five words side by side;
``window_gradients.py`` has its gradients by hand. The data are WNUT-17, whose names are seldom seen elsewhere. It is
trained once with a vector a word, once with vectors for the look of a word too, and measured against calling nothing a
place, and against a list of the training data's places. Written to ``--out``: ``precision_recall.png``,
``sentences.png``.

Sources: CS224n, window classification; Derczynski et al. 2017 (WNUT-17).
"""

import math
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NamedTuple

import numpy
from showing import BLUE, GREEN, GREY, RED, command_line, figure, rows, save, tidy
from window_gradients import NOTHING

import gpugrad as gg
from gpugrad import data, nn, optim

DATA = Path(__file__).resolve().parents[3] / "shared" / "data" / "wnut17"
"""Where the files are looked for, beside the repository; they are not part of it."""
FILES = {"train": "wnut17train.conll", "dev": "emerging.dev.conll", "test": "emerging.test.annotated"}
REACH = 2
"""Words of the window on each side of the middle."""
WIDTH = 2 * REACH + 1
EDGE = NOTHING + 1
"""The row of the table of vectors for what lies beyond the ends of a sentence."""


class WordWindows(nn.Module):
    """``s = u^T tanh(W x + b)`` over the vectors of five words, each the sum of the rows that describe it."""

    def __init__(self, table: int, size: int = 50, hidden: int = 100, dropped: float = 0.3) -> None:
        super().__init__()
        self.vectors = nn.Embedding(table, size, padding_idx=NOTHING)
        self.hidden = nn.Linear(WIDTH * size, hidden)
        self.score = nn.Linear(hidden, 1, bias=False)
        self.dropped = dropped
        nn.init.normal_(self.vectors.weight, std=0.1)
        with gg.no_grad():
            self.vectors.weight[NOTHING] = 0.0
        nn.init.xavier_normal_(self.hidden.weight)

    def forward(self, ids: gg.Tensor) -> gg.Tensor:
        """Scores ``(N,)`` of windows ``(N, 5, features)``; in training, rows are left out at random."""
        if self.training and self.dropped:
            ids = gg.where(gg.random.uniform(size=ids.shape) < self.dropped, NOTHING, ids)
        x = gg.reshape(self.vectors(ids).sum(axis=2), (len(ids), -1))
        return gg.squeeze(self.score(gg.tanh(self.hidden(x))), axis=1)


logistic = nn.functional.binary_cross_entropy_with_logits


# The data.


class Sentence(NamedTuple):
    """Words, and for each whether it is part of a place's name, and whether it begins one."""

    words: list[str]
    place: list[bool]
    begins: list[bool]


def read(file: Path) -> list[Sentence]:
    """Sentences of a file with a word, a tab and a tag on each line, and an empty line between sentences."""
    sentences, current = [], Sentence([], [], [])
    for line in [*file.read_text(encoding="utf-8").split("\n"), ""]:
        word, _, tag = line.partition("\t")
        if word.strip():
            current.words.append(word)
            current.place.append(tag.strip().endswith("-location"))
            current.begins.append(tag.strip() == "B-location")
        elif current.words:
            sentences.append(current)
            current = Sentence([], [], [])
    return sentences


def look(word: str) -> str:
    """What kind of word it is, by its letters."""
    for kind, seen in (("@", word[0] == "@"), ("#", word[0] == "#"), ("url", word.startswith("http"))):
        if seen and len(word) > 1:
            return kind
    if any(map(str.isdigit, word)):
        return "digits"
    if not any(map(str.isalpha, word)):
        return "signs"
    if word.isupper():
        return "ALL" if len(word) > 1 else "A"
    return "First" if word[0].isupper() else "lower" if word.islower() else "mIxed"


def plain(word: str) -> list[str]:
    """A word is described by itself."""
    return [word.lower()]


def looks(word: str) -> list[str]:
    """A word is described by itself, its kind, how it begins, how it ends; so those never seen have a vector too."""
    small = word.lower()
    return [small, f"<{look(word)}>", f"{small[:3]}-", f"-{small[-3:]}"]


class Table:
    """A row number for everything that describes at least ``least`` words of the training sentences."""

    def __init__(self, sentences: list[Sentence], describe: Callable[[str], list[str]], least: int = 2) -> None:
        self.describe = describe
        counts = Counter(part for sentence in sentences for word in sentence.words for part in describe(word))
        kept = (part for part, count in counts.items() if count >= least)
        self.rows = {part: row for row, part in enumerate(kept, EDGE + 1)}

    def __len__(self) -> int:
        return len(self.rows) + EDGE + 1

    def windows(self, sentences: list[Sentence]) -> tuple[numpy.ndarray, numpy.ndarray]:
        """The rows of each window ``(N, 5, features)``, and the labels ``(N,)``: 1 for places."""
        found, labels = [], []
        for sentence in sentences:
            known = [[self.rows.get(part, NOTHING) for part in self.describe(word)] for word in sentence.words]
            beyond = [[EDGE] + [NOTHING] * (len(known[0]) - 1)] * REACH
            padded = [*beyond, *known, *beyond]
            found += [padded[place : place + WIDTH] for place in range(len(known))]
            labels += sentence.place
        return numpy.array(found), numpy.array(labels, dtype=numpy.float32)


# How good it is.


class Measure(NamedTuple):
    """Of what was called a place, how much is; of the places, how many were found; and their harmonic mean."""

    precision: float
    recall: float
    f1: float

    @classmethod
    def of(cls, right: int, called: int, true: int) -> "Measure":
        return cls(right / max(called, 1), right / max(true, 1), 2 * right / max(called + true, 1))


def measure(called: Iterable[bool], sentences: list[Sentence]) -> Measure:
    """Word by word."""
    called = numpy.asarray(called, bool)
    true = numpy.array([place for sentence in sentences for place in sentence.place])
    return Measure.of(int((called & true).sum()), int(called.sum()), int(true.sum()))


def measure_names(called: Iterable[bool], sentences: list[Sentence]) -> Measure:
    """Name by name: right is one whose first and last word are; words called places one after another are one name."""
    right = all_called = all_true = 0
    rest = iter(numpy.asarray(called, bool))
    for sentence in sentences:
        true = spans(sentence.place, sentence.begins)
        found = spans([bool(next(rest)) for _ in sentence.words])
        right, all_called, all_true = right + len(true & found), all_called + len(found), all_true + len(true)
    return Measure.of(right, all_called, all_true)


def spans(inside: list[bool], begins: list[bool] | None = None) -> set[tuple[int, int]]:
    """First word, and the one after the last, of each run; ``begins`` says where a run ends because another starts."""
    found, start = set(), None
    for place, is_in in enumerate([*inside, False]):
        if start is not None and (not is_in or (begins and begins[place])):
            found.add((start, place))
            start = None
        if is_in and start is None:
            start = place
    return found


def gazetteer(sentences: list[Sentence]) -> Callable[[list[Sentence]], list[bool]]:
    """The simple way: what was a place in more than half of its occurrences in training is a place."""
    counts: Counter = Counter()
    for sentence in sentences:
        for word, place in zip(sentence.words, sentence.place, strict=True):
            counts[word.lower()] += 1 if place else -1
    return lambda other: [counts[word.lower()] > 0 for sentence in other for word in sentence.words]


@gg.no_grad()
def scores(model: WordWindows, ids: numpy.ndarray) -> numpy.ndarray:
    """The score of each window."""
    model.eval()
    parts = [model(gg.tensor(ids[first : first + 4096])).numpy() for first in range(0, len(ids), 4096)]
    model.train()
    return numpy.concatenate(parts)


def curve(values: numpy.ndarray, labels: numpy.ndarray) -> tuple[numpy.ndarray, numpy.ndarray, numpy.ndarray]:
    """Precision and recall where everything from each score on is called a place, and these scores, falling."""
    order = numpy.argsort(-values, kind="stable")
    right = numpy.cumsum(labels[order])
    return right / numpy.arange(1, len(order) + 1), right / max(labels.sum(), 1), values[order]


def best_threshold(values: numpy.ndarray, labels: numpy.ndarray) -> tuple[float, float]:
    """The score from which to call a word a place for the largest F1, and this F1."""
    precision, recall, at = curve(values, labels)
    f1 = 2 * precision * recall / numpy.maximum(precision + recall, 1e-12)
    best = int(numpy.argmax(f1))
    return float(at[best]), float(f1[best])


class Trained(NamedTuple):
    """A model with the weights of its best epoch, and the threshold that is best with them on the dev sentences."""

    model: WordWindows
    threshold: float
    f1: float
    epoch: int


def train(table: Table, sentences: list[Sentence], dev: list[Sentence], epochs: int, **sizes: int) -> Trained:
    """Fit to the sentences; the epoch and the threshold are chosen on the dev sentences."""
    model = WordWindows(len(table), **sizes)
    optimizer = optim.AdamW(model.parameters(), lr=1e-3, weight_decay=0.01)
    batches = data.DataLoader(data.ArrayDataset(*table.windows(sentences)), 256, shuffle=True)
    dev_ids, dev_labels = table.windows(dev)
    best = (-1.0, 0.0, 0, model.state_dict())
    for epoch in range(1, epochs + 1):
        for ids, labels in batches:
            loss = logistic(model(ids), labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        threshold, f1 = best_threshold(scores(model, dev_ids), dev_labels)
        if f1 > best[0]:
            best = (f1, threshold, epoch, {name: value.copy() for name, value in model.state_dict().items()})
    f1, threshold, epoch, weights = best
    model.load_state_dict(weights)
    return Trained(model, threshold, f1, epoch)


def draw_curves(file: Path, curves: dict[str, tuple], points: dict[str, Measure]) -> None:
    """Precision against recall of the model on both splits, and where the simple way is."""
    drawing = figure(figsize=(6, 4.2))
    if drawing is None:
        return
    axes = drawing.add_subplot()
    for color, (name, (precision, recall, chosen)) in zip((BLUE, RED), curves.items(), strict=True):
        axes.plot(recall, precision, color=color, label=f"{name}, window classifier")
        axes.plot(chosen.recall, chosen.precision, "o", color=color, label=f"at the threshold, F1 {chosen.f1:.2f}")
        simple = points[name]
        axes.plot(simple.recall, simple.precision, "x", color=color, label=f"gazetteer, F1 {simple.f1:.2f}")
    recall = numpy.linspace(0.01, 1, 200)
    for f1 in (0.1, 0.2, 0.3, 0.4):
        line = f1 * recall / numpy.maximum(2 * recall - f1, 1e-9)
        inside = (2 * recall > f1) & (line <= 1)
        axes.plot(recall[inside], line[inside], color=GREY, linewidth=0.6, alpha=0.5)
        axes.annotate(f"F1 {f1}", (0.99, line[-1]), color=GREY, fontsize=7, ha="right", va="bottom")
    axes.set(xlabel="recall of words in names of places", ylabel="precision", xlim=(0, 1), ylim=(0, 0.8))
    axes.legend(frameon=False, fontsize=8)
    tidy(axes)
    save(drawing, file)


def draw_sentences(file: Path, sentences: list[Sentence], values: numpy.ndarray, threshold: float) -> None:
    """Some sentences with places in them: green what is one, the bluer behind it the likelier."""
    drawing = figure(figsize=(9, 4))
    if drawing is None:
        return
    axes = drawing.add_subplot()
    axes.set(xlim=(0, 105), ylim=(13, 0))
    axes.axis("off")
    starts = numpy.cumsum([0, *(len(sentence.words) for sentence in sentences)])
    fit = [len(text) < 100 and text.isprintable() and text.isascii() for text in (" ".join(s.words) for s in sentences)]
    chosen = [i for i, s in enumerate(sentences) if any(s.place) and fit[i]][:12]
    for line, i in enumerate(chosen):
        column = 1.0
        for word, place, value in zip(sentences[i].words, sentences[i].place, values[starts[i] :], strict=False):
            strength = 1 / (1 + numpy.exp(-(value - threshold)))
            axes.text(
                column, line + 0.7, word, family="monospace", fontsize=10, parse_math=False,
                color=GREEN if place else "black", fontweight="bold" if place else "normal",
                bbox={"facecolor": BLUE, "alpha": 0.5 * strength, "edgecolor": "none", "pad": 1},
            )  # fmt: skip
            column += len(word) + 1
    save(drawing, file)


def main() -> None:
    """Train, and measure against simple ways."""
    parser = command_line(__file__, __doc__)
    parser.add_argument("--data-dir", type=Path, default=DATA, help="folder with WNUT-17's files (%(default)s)")
    parser.add_argument("--epochs", type=int, default=4, help="how often to go through the training data (%(default)s)")
    args = parser.parse_args()
    gg.set_default_device(None if args.device == "auto" else args.device)  # the one line that chooses the device

    missing = [name for name in FILES.values() if not (args.data_dir / name).is_file()]
    if missing:
        print(f"no training: {args.data_dir} lacks {', '.join(missing)} of WNUT-17; --data-dir says where they are")
        return

    splits = {name: read(args.data_dir / file) for name, file in FILES.items()}
    for name, sentences in splits.items():
        places = sum(sum(sentence.place) for sentence in sentences)
        count = sum(len(sentence.words) for sentence in sentences)
        print(f"{name}: {len(sentences):,} sentences, {count:,} words, {places} of them in names of places")

    simple = gazetteer(splits["train"])
    found: dict[tuple[str, str], list[bool]] = {}
    for split in ("dev", "test"):
        count = sum(len(sentence.words) for sentence in splits[split])
        found["never a place", split] = [False] * count
        found["gazetteer", split] = simple(splits[split])
    for name, describe in (("windows, words", plain), ("windows, words and looks", looks)):
        gg.random.seed(0)
        table = Table(splits["train"], describe)
        trained = train(table, splits["train"], splits["dev"], args.epochs)
        chance = 1 / (1 + math.exp(-trained.threshold))
        print(f"{name}: {len(table):,} vectors, the best epoch is {trained.epoch}, a place from {chance:.1%} on")
        values = {split: scores(trained.model, table.windows(splits[split])[0]) for split in ("dev", "test")}
        for split, value in values.items():
            found[name, split] = list(value >= trained.threshold)

    lines: list[tuple] = [("", "split", "precision", "recall", "F1", "F1 of whole names")]
    for (name, split), called in found.items():
        words, names = measure(called, splits[split]), measure_names(called, splits[split])
        lines.append((name, split, *(f"{value:.1%}" for value in (*words, names.f1))))
    print(rows(lines))

    curves, points = {}, {}
    for split, value in values.items():
        precision, recall, _ = curve(value, table.windows(splits[split])[1])
        curves[split] = (precision[5:], recall[5:], measure(found[name, split], splits[split]))
        points[split] = measure(found["gazetteer", split], splits[split])
    draw_curves(args.out / "precision_recall.png", curves, points)
    draw_sentences(args.out / "sentences.png", splits["dev"], values["dev"], trained.threshold)


if __name__ == "__main__":
    main()
