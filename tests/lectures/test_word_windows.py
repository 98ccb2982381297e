"""The window classifier: gradients by hand to 1e-10, reading, counting, measures by hand; and WNUT-17 where it is."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy
import pytest

import gpugrad as gg

DATA = Path(__file__).parents[3] / "shared" / "data" / "wnut17"


@pytest.fixture
def hand(lecture):
    return lecture("window_gradients")


@pytest.fixture
def words(lecture):
    gg.random.seed(0)
    return lecture("word_windows")


@pytest.mark.parametrize("f", ["sigmoid", "tanh"])
@pytest.mark.parametrize("size", [1, 4, 50])
def test_gradients_by_hand_are_the_library_s(hand, size, f):
    apart = hand.differences(size, 7, f)
    assert set(apart) >= {"x", "W", "b", "u", "x, Jacobians", "b, Jacobians", "u, Jacobians"}
    assert max(apart.values()) < 1e-10


@pytest.mark.any_device
def test_gradients_by_hand_are_differences(hand):
    """Not only the same as the library's: the same as numbers."""
    x, w, b, u = hand.example(3, 4)

    def score(**changed):
        v = {"x": x, "W": w, "b": b, "u": u, **changed}
        return v["u"] @ (1 / (1 + numpy.exp(-(v["W"] @ v["x"] + v["b"]))))

    for name, gradient in hand.by_hand(x, w, b, u).items():
        value = {"x": x, "W": w, "b": b, "u": u}[name]
        assert gradient.shape == value.shape
        for place in numpy.ndindex(value.shape):
            step = numpy.zeros_like(value)
            step[place] = 1e-5
            change = score(**{name: value + step}) - score(**{name: value - step})
            assert gradient[place] == pytest.approx(change / 2e-5, abs=1e-9)


@pytest.mark.any_device
def test_the_shapes_of_the_lecture(hand):
    x, w, b, u = hand.example(4, 8)
    assert (x.shape, w.shape, b.shape, u.shape) == ((20,), (8, 20), (8,), (8,))
    chain = hand.jacobians(x, w, b, u)
    assert [chain[name].shape for name in ("s by h", "h by z", "z by x", "z by b")] == [(1, 8), (8, 8), (8, 20), (8, 8)]
    assert numpy.count_nonzero(chain["h by z"]) == 8
    found = hand.by_hand(x, w, b, u)
    numpy.testing.assert_allclose(found["W"], numpy.outer(found["b"], x))
    assert numpy.linalg.matrix_rank(found["W"]) == 1
    parts = hand.words_of(found["x"])
    assert [part.shape for part in parts] == [(4,)] * 5
    numpy.testing.assert_allclose(parts[2], w[:, 8:12].T @ found["b"])


def test_the_loss_by_hand(hand):
    apart = hand.learned()
    assert set(apart) == {"loss", "vectors", "W", "b", "u"}
    assert max(apart.values()) < 1e-10


@pytest.mark.any_device
def test_a_row_that_is_used_twice_gets_both_gradients(hand):
    _, w, b, u = hand.example(2, 3)
    vectors = numpy.random.default_rng(0).standard_normal((8, 2))
    vectors[0] = 0
    ones, label = numpy.array([[[2], [3], [2], [4], [0]]]), numpy.array([1.0])
    x = vectors[ones[0]].sum(axis=1).ravel()
    s = u @ numpy.tanh(w @ x + b)
    pieces = hand.words_of(hand.by_hand(x, w, b, u, "tanh")["x"])
    _, found = hand.loss_by_hand(ones, label, vectors, w, b, u)
    numpy.testing.assert_allclose(found["vectors"][2], -1 / (1 + numpy.exp(s)) * (pieces[0] + pieces[2]))
    assert not found["vectors"][[0, 1, 5, 6, 7]].any()


def test_the_graph_of_the_window(hand):
    x, w, b, u = hand.example(2, 3)
    found = hand.by_hand(x, w, b, u, "tanh")
    nodes = {node.name: node for node in hand.graph(2, 3).picture.nodes}
    for word, gradient in zip(hand.WINDOW, hand.words_of(found["x"]), strict=True):
        assert nodes[word].gradient.numbers == pytest.approx(gradient.tolist())
    for name in ("x", "b", "u"):
        assert nodes[name].gradient.numbers == pytest.approx(found[name].tolist())
    assert nodes["z"].gradient.numbers == pytest.approx(found["b"].tolist())  # delta
    assert nodes["s"].value.number == pytest.approx(u @ numpy.tanh(w @ x + b))


def test_the_gradients_script_runs(program, tmp_path):
    out = program("window_gradients")
    assert "is Paris a place?" in (tmp_path / "score.html").read_text(encoding="utf-8")
    assert "Paris" in out
    assert all(float(line.rsplit(maxsplit=1)[1]) < 1e-10 for line in out.splitlines() if "e-" in line)


def test_the_model_has_the_gradients_by_hand(words, hand):
    with gg.default_dtype(gg.float64):
        model = words.WordWindows(9, size=3, hidden=4, dropped=0.0)
        ids = numpy.random.default_rng(0).integers(0, 9, (6, 5, 2))
        labels = numpy.array([1.0, 0, 0, 1, 0, 1])
        loss = words.logistic(model(gg.tensor(ids)), gg.tensor(labels))
        loss.backward()
    p = {name: value.numpy() for name, value in model.named_parameters()}
    value, found = hand.loss_by_hand(
        ids, labels, p["vectors.weight"], p["hidden.weight"], p["hidden.bias"], p["score.weight"][0]
    )
    assert loss.item() == pytest.approx(value, rel=1e-12)
    for name, mine in zip(p, (found["vectors"], found["W"], found["b"], found["u"][None]), strict=True):
        numpy.testing.assert_allclose(model.get_parameter(name).grad.numpy(), mine, atol=1e-10)


def test_what_is_left_out_in_training(words):
    model = words.WordWindows(9, size=3, hidden=4, dropped=1.0)
    ids = gg.tensor(numpy.full((2, 5, 2), 5))
    assert model(ids).tolist() == model(gg.zeros((2, 5, 2), dtype=gg.int64)).tolist()
    model.eval()
    assert model(ids).tolist() != model(gg.zeros((2, 5, 2), dtype=gg.int64)).tolist()


TWEETS = "I\tO\nlove\tO\nNew\tB-location\nYork\tI-location\n\t\nParis\tB-location\nParis\tB-location\nrocks\tO\n\n"


@pytest.mark.any_device
def test_reading(words, tmp_path):
    (tmp_path / "some").write_text(TWEETS, encoding="utf-8")
    assert words.read(tmp_path / "some") == [
        (["I", "love", "New", "York"], [False, False, True, True], [False, False, True, False]),
        (["Paris", "Paris", "rocks"], [True, True, False], [True, True, False]),
    ]


@pytest.mark.any_device
def test_windows(words, tmp_path):
    (tmp_path / "some").write_text(TWEETS, encoding="utf-8")
    sentences = words.read(tmp_path / "some")
    table = words.Table(sentences, words.plain, least=2)
    assert (table.rows, len(table)) == ({"paris": 2}, 3)
    ids, labels = table.windows(sentences)
    assert labels.tolist() == [0, 0, 1, 1, 1, 1, 0]
    assert ids.shape == (7, 5, 1)
    assert ids[4, :, 0].tolist() == [1, 1, 2, 2, 0]
    assert ids[6, :, 0].tolist() == [2, 2, 0, 1, 1]


LOOKS = {"@you": "@", "#tag": "#", "http://t.co": "url", "2pm": "digits", "...": "signs", "USA": "ALL", "A": "A",
         "Paris": "First", "in": "lower", "iPhone": "mIxed", "@": "signs"}  # fmt: skip


@pytest.mark.any_device
def test_looks(words):
    assert {word: words.look(word) for word in LOOKS} == LOOKS
    assert words.looks("Paris") == ["paris", "<First>", "par-", "-ris"]


@pytest.mark.any_device
def test_measures(words, tmp_path):
    (tmp_path / "some").write_text(TWEETS, encoding="utf-8")
    sentences = words.read(tmp_path / "some")
    called = [False, True, True, True, True, True, False]
    assert words.measure(called, sentences) == pytest.approx((4 / 5, 1, 8 / 9))
    assert words.measure_names(called, sentences) == (0, 0, 0)  # "love New York", "Paris Paris"
    called[1] = called[5] = False
    assert words.measure_names(called, sentences) == pytest.approx((1, 2 / 3, 4 / 5))
    assert words.measure([False] * 7, sentences) == (0, 0, 0)
    assert words.gazetteer(sentences)(sentences) == [False, False, True, True, True, True, False]


@pytest.mark.any_device
def test_a_place_in_more_than_half_of_its_occurrences(words):
    often, seldom = words.Sentence(["Jordan"], [True], [True]), words.Sentence(["jordan"], [False], [False])
    for sentences, expected in (([often], True), ([often, seldom], False), ([often, seldom, often], True)):
        assert words.gazetteer(sentences)([seldom]) == [expected]
    assert words.gazetteer([often])([words.Sentence(["Chad"], [True], [True])]) == [False]


@pytest.mark.any_device
def test_the_best_threshold(words):
    values, labels = numpy.array([3.0, 1.0, 2.0, 0.0]), numpy.array([1.0, 0, 1, 1])
    precision, recall, at = words.curve(values, labels)
    assert at.tolist() == [3, 2, 1, 0]
    numpy.testing.assert_allclose(precision, [1, 1, 2 / 3, 3 / 4])
    numpy.testing.assert_allclose(recall, [1 / 3, 2 / 3, 2 / 3, 1])
    assert words.best_threshold(values, labels) == pytest.approx((0.0, 6 / 7))


def made_up(count):
    """Places come after "in", and are written with a capital; so can others be."""
    rng = numpy.random.default_rng(0)
    sentences = []
    for _ in range(count):
        name, other = (f"{a}{b}" for a, b in rng.choice(list("abcdefghij"), (2, 2)))
        sentences.append(f"We\tO\nsaw\tO\n{other.title()}\tO\nin\tO\n{name.title()}\tB-location\n.\tO\n")
    return "\n".join(sentences)


def test_it_learns_from_the_neighbours(words, tmp_path):
    for name, count in (("train", 300), ("dev", 50)):
        (tmp_path / name).write_text(made_up(count), encoding="utf-8")
    train, dev = words.read(tmp_path / "train"), words.read(tmp_path / "dev")
    trained = words.train(words.Table(train, words.plain), train, dev, epochs=6, size=10, hidden=10)
    assert trained.f1 > 0.95
    called = words.scores(trained.model, words.Table(train, words.plain).windows(dev)[0]) >= trained.threshold
    assert words.measure(called, dev).f1 == pytest.approx(trained.f1)


def test_the_script_runs(program, tmp_path):
    for count, name in ((200, "wnut17train.conll"), (30, "emerging.dev.conll"), (30, "emerging.test.annotated")):
        (tmp_path / name).write_text(made_up(count), encoding="utf-8")
    out = program("word_windows", "--data-dir", tmp_path, "--epochs", 1)
    assert "train: 200 sentences, 1,200 words, 200 of them" in out
    assert out.count("windows, words and looks") == 3
    if importlib.util.find_spec("matplotlib") is not None:
        assert {file.suffix for file in tmp_path.iterdir()} >= {".png"}
        assert (tmp_path / "sentences.png").stat().st_size > 1000


def test_without_the_data(program, tmp_path):
    out = program("word_windows", "--data-dir", tmp_path / "none")
    assert "lacks wnut17train.conll, emerging.dev.conll, emerging.test.annotated of WNUT-17" in out


@pytest.mark.any_device
@pytest.mark.skipif(not DATA.is_dir(), reason=f"WNUT-17 is not in {DATA.parent.name}/{DATA.name} beside the repository")
def test_on_tweets(words):
    splits = {name: words.read(DATA / file) for name, file in words.FILES.items()}
    counts = [(len(s), sum(len(x.words) for x in s), sum(sum(x.place) for x in s)) for s in splits.values()]
    assert counts == [(3394, 62_730, 793), (1009, 15_733, 107), (1287, 23_394, 244)]
    simple = words.gazetteer(splits["train"])
    dev, test = (words.measure(simple(splits[name]), splits[name]) for name in ("dev", "test"))
    assert dev == pytest.approx((16 / 37, 16 / 107, 2 * 16 / 144))
    assert test == pytest.approx((22 / 46, 22 / 244, 2 * 22 / 290))
    table = words.Table(splits["train"], words.looks)
    with gg.default_device("cpu"):
        trained = words.train(table, splits["train"], splits["dev"], epochs=3, size=25, hidden=50)
        values = words.scores(trained.model, table.windows(splits["test"])[0])
    assert trained.f1 > dev.f1 + 0.04
    assert words.measure(values >= trained.threshold, splits["test"]).f1 > test.f1 + 0.02
