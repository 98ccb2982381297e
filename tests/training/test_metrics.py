"""Metrics against scikit-learn, and that a batch costs no transfer."""

from __future__ import annotations

import math

import numpy
import pytest

import gpugrad as gg
from gpugrad.testing import cuda_simulator
from gpugrad.training.metrics import F1, Accuracy, Mean, Perplexity, TopKAccuracy


@pytest.fixture
def sklearn():
    return pytest.importorskip("sklearn.metrics", reason="scikit-learn is not installed: compared with it")


def scores_and_targets(rng, count=157, classes=5, ties=False):
    scores = rng.standard_normal((count, classes)).astype("f4")
    if ties:
        scores = numpy.round(scores)
    return scores, rng.integers(0, classes, count)


def run(metric, scores, targets, batch=32):
    for start in range(0, len(targets), batch):
        metric.update(gg.tensor(scores[start : start + batch]), gg.tensor(targets[start : start + batch]))
    return metric.compute()


def test_accuracy_is_scikit_learns(device, rng, sklearn):
    scores, targets = scores_and_targets(rng)
    expected = sklearn.accuracy_score(targets, scores.argmax(1))
    assert run(Accuracy(), scores, targets) == expected
    assert run(Accuracy(), scores.argmax(1), targets) == expected, "predictions in place of scores"


@pytest.mark.parametrize("k", [1, 2, 3, 5])
@pytest.mark.parametrize("ties", [False, True])
def test_top_k_is_scikit_learns(device, rng, sklearn, k, ties):
    scores, targets = scores_and_targets(rng, ties=ties)
    with numpy.errstate(all="ignore"), pytest.warns() if k == 5 else no_warning():
        expected = sklearn.top_k_accuracy_score(targets, scores, k=k, labels=range(5))
    assert run(TopKAccuracy(k), scores, targets) == pytest.approx(expected, abs=0)


def no_warning():
    from contextlib import nullcontext

    return nullcontext()


@pytest.mark.parametrize("average", ["micro", "macro", "weighted"])
@pytest.mark.parametrize("absent", [(), (3,), (0, 4)], ids=str)
def test_f1_is_scikit_learns(device, rng, sklearn, average, absent):
    scores, targets = scores_and_targets(rng)
    for label in absent:
        scores[:, label] = -9
        targets[targets == label] = 1
    expected = sklearn.f1_score(targets, scores.argmax(1), average=average)
    assert run(F1(average), scores, targets) == pytest.approx(expected, rel=1e-12)
    assert run(F1(average, num_classes=5), scores.argmax(1), targets) == pytest.approx(expected, rel=1e-12)


def test_f1_of_a_class_that_is_never_right_is_0(device, sklearn):
    targets, predicted = numpy.array([0, 0, 1, 1, 2]), numpy.array([0, 0, 1, 2, 1])
    expected = sklearn.f1_score(targets, predicted, average="macro")
    assert run(F1("macro", num_classes=3), predicted, targets) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("threshold", [0.0, 0.5])
def test_binary_f1_is_scikit_learns(device, rng, sklearn, threshold):
    outputs, targets = rng.standard_normal(99).astype("f4"), rng.integers(0, 2, 99)
    expected = sklearn.f1_score(targets, outputs > threshold)
    assert run(F1("binary", threshold=threshold), outputs, targets) == pytest.approx(expected, rel=1e-12)
    assert run(Accuracy(threshold), outputs, targets) == sklearn.accuracy_score(targets, outputs > threshold)


def test_perplexity_is_the_exponential_of_the_mean_surprise(device, rng, sklearn):
    scores, targets = scores_and_targets(rng)
    p = numpy.exp(scores.astype("f8"))
    p /= p.sum(1, keepdims=True)
    expected = math.exp(sklearn.log_loss(targets, p, labels=range(5)))
    assert run(Perplexity(), scores, targets) == pytest.approx(expected, rel=1e-5)


def test_texts_have_their_classes_last(device, rng):
    scores, targets = rng.standard_normal((3, 4, 7)).astype("f4"), rng.integers(0, 7, (3, 4))
    flat = run(Perplexity(), scores.reshape(12, 7), targets.reshape(12))
    assert run(Perplexity(class_axis=-1), scores, targets) == pytest.approx(flat, rel=1e-6)


@pytest.mark.parametrize(
    "metric",
    [lambda **o: Accuracy(**o), lambda **o: TopKAccuracy(2, **o), lambda **o: F1(**o), lambda **o: Perplexity(**o)],
    ids=["accuracy", "top-k", "f1", "perplexity"],
)
@pytest.mark.parametrize("ignored", [-1, -100, 2])
def test_ignored_targets_do_not_count(device, rng, metric, ignored):
    scores, targets = scores_and_targets(rng)
    targets[::3] = ignored
    kept = targets != ignored
    # Class 2 is a class still: without its targets the metric of the rest must come out.
    expected = run(metric(), scores[kept], targets[kept])
    assert run(metric(ignore_index=ignored), scores, targets) == pytest.approx(expected, rel=1e-6)


def test_pictures_have_a_target_for_each_place(device, rng):
    scores, targets = rng.standard_normal((2, 3, 4, 5)).astype("f4"), rng.integers(0, 3, (2, 4, 5))
    flat, labels = scores.transpose(0, 2, 3, 1).reshape(-1, 3), targets.reshape(-1)
    for make in (Accuracy, F1, lambda: TopKAccuracy(2), Perplexity):
        assert run(make(), scores, targets) == pytest.approx(run(make(), flat, labels), rel=1e-6)


def test_nan_is_never_among_the_best(device):
    scores = numpy.array([[numpy.nan, 1.0], [0.0, 1.0]], "f4")
    assert run(TopKAccuracy(1), scores, numpy.array([0, 1])) == 0.5


def test_mean_weighs_by_count(device):
    mean = Mean()
    for value, count in ((gg.tensor(1.0), 3), (2.5, 1)):
        mean.update(value, count)
    assert mean.compute() == 5.5 / 4


def test_mean_of_many_small_float32_is_exact_enough(device):
    mean = Mean()
    third = gg.tensor(1 / 3)
    mean.update(gg.tensor(1e8), 1)
    for _ in range(100):
        mean.update(third)
    assert mean.compute() == pytest.approx((1e8 + 100 / 3) / 101, rel=1e-9)


@pytest.mark.parametrize("make", [Mean, Accuracy, F1, TopKAccuracy, Perplexity])
def test_nothing_at_all_is_nan_and_reset_forgets(device, make):
    metric = make()
    assert math.isnan(metric.compute())
    outputs = (gg.ones((2, 6)), gg.tensor([0, 1])) if make is not Mean else (3.0, 2)
    metric.update(*outputs)
    first = metric.compute()
    assert not math.isnan(first)
    metric.reset()
    assert math.isnan(metric.compute())
    metric.update(*outputs)
    assert metric.compute() == first


@pytest.mark.parametrize("make", [Accuracy, F1, lambda: TopKAccuracy(2), Perplexity])
def test_the_state_goes_on_in_the_middle(device, rng, make):
    scores, targets = scores_and_targets(rng)
    whole = make()
    run(whole, scores, targets)
    half = make()
    run(half, scores[:96], targets[:96])
    state = half.state_dict()
    half.reset()
    rest = make()
    rest.load_state_dict({name: value.numpy() for name, value in state.items()})
    assert run(rest, scores[96:], targets[96:]) == whole.compute()


def test_the_state_of_another_metric_is_refused():
    mean = Mean()
    mean.update(1.0)
    with pytest.raises(
        ValueError, match=r"Accuracy: expected the sums \['right', 'count'\], got \['count', 'weighted'\]"
    ):
        Accuracy().load_state_dict(mean.state_dict())


@pytest.mark.parametrize(
    ("make", "outputs", "targets", "error", "message"),
    [
        (Accuracy, gg.ones((3, 2)), gg.ones(4, dtype=gg.int64), ValueError, r"got shapes \(3, 2\) and \(4,\)"),
        (Accuracy, gg.ones(3), gg.ones(4), ValueError, "predictions of the targets' shape"),
        (TopKAccuracy, gg.ones(3), gg.ones(3), ValueError, r"expected scores \(N, C, ...\)"),
        (F1, gg.ones(3), gg.ones(3, dtype=gg.int64), ValueError, "expected num_classes"),
        (Accuracy, gg.ones((2, 3)), gg.tensor([0, 3]), IndexError, "3"),
        (lambda: F1(num_classes=2), gg.tensor([0, 1]), gg.tensor([0, 2]), IndexError, "2"),
        (lambda: TopKAccuracy(1), gg.ones((2, 3)), gg.tensor([0, -1]), IndexError, "-1"),
    ],
)
def test_what_does_not_belong_together_is_an_error(make, outputs, targets, error, message):
    with pytest.raises(error, match=message):
        metric = make()
        metric.update(outputs, targets)
        metric.compute()  # on a GPU, indices are looked at when a value is asked for


@pytest.mark.parametrize(("make", "message"), [
    (lambda: F1("mean"), "expected average 'binary', 'micro', 'macro' or 'weighted', got 'mean'"),
    (lambda: TopKAccuracy(0), "expected k >= 1, got 0"),
])  # fmt: skip
def test_arguments_are_checked(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_nothing_is_recorded(device):
    scores = gg.ones((2, 3)).requires_grad_()
    loss = (scores * 2).sum()
    mean, accuracy = Mean(), Accuracy()
    mean.update(loss)
    accuracy.update(scores * 1, gg.tensor([0, 1]))
    assert not any(value.requires_grad for m in (mean, accuracy) for value in m.state_dict().values())
    loss.backward()


def test_a_batch_is_no_transfer(rng):
    scores, targets = scores_and_targets(rng)
    with cuda_simulator.installed(), gg.default_device("cuda"):
        s, t = gg.tensor(scores), gg.tensor(targets)
        for metric in (Accuracy(), F1(), TopKAccuracy(2), Perplexity(), Accuracy(ignore_index=1)):
            with cuda_simulator.count() as counted:
                for _ in range(5):
                    metric.update(s, t)
            assert counted.device_to_host == 0, metric
            with cuda_simulator.count() as counted:
                metric.compute()
            assert counted.device_to_host <= 4, "the sums, and the report of checked labels"
        mean = Mean()
        with cuda_simulator.count() as counted:
            mean.update(s.mean(), 4)
            mean.update(s.mean(), 4)
        assert counted.device_to_host == 0
