"""Several batches make a step, and an evaluation, as one batch of all their examples would."""

from __future__ import annotations

from functools import partial

import numpy
import pytest

import gpugrad as gg
from gpugrad import nn, optim
from gpugrad.nn import functional as F
from gpugrad.training import Trainer

CLASSES = 5
SIZES = (4, 1, 3)
IGNORED = (0, 1, 2)
"""How many labels of each batch are ignored: in the second, all."""


def labels(rows=1):
    random = numpy.random.default_rng(2)
    made = [random.integers(0, CLASSES, (size, rows)) for size in SIZES]
    for batch, ignored in zip(made, IGNORED, strict=True):
        batch[:ignored] = -100
    return [batch[:, 0] if rows == 1 else batch for batch in made]


def numbers(*shape):
    random = numpy.random.default_rng(3)
    return [random.random((size, *shape), dtype=numpy.float32) for size in SIZES]


WEIGHTS = numpy.array([1.0, 0.0, 2.0, 0.5, 3.0], numpy.float32)


def rows(outputs, targets):
    return F.cross_entropy(outputs.reshape(-1, CLASSES), targets.reshape(-1), ignore_index=-100)


def decayed(outputs, targets):
    return 0.5 * F.nll_loss(nn.functional.log_softmax(outputs, -1), targets) + 0.1 * gg.abs(outputs[:0]).sum()


def summed(outputs, targets):
    return F.mse_loss(outputs, targets, reduction="sum") + gg.abs(outputs).sum()


def two_of_one_size(outputs, targets):
    return F.mse_loss(outputs, targets) + F.l1_loss(outputs, targets)


def in_proportion(outputs, targets):
    return F.mse_loss(outputs, targets) + F.l1_loss(outputs[:, 0], targets[:, 0])


def masked(outputs, targets):
    valid = targets >= 0
    each = F.cross_entropy(outputs, gg.where(valid, targets, 0), reduction="none")
    with numpy.errstate(invalid="ignore"):
        return gg.where(valid, each, 0).sum() / valid.sum()


masked.averaged_over = lambda outputs, targets: (targets >= 0).sum()

CASES = {
    "ignored labels": (nn.CrossEntropyLoss(), labels()),
    "class weights": (None, labels()),
    "likelihood": (lambda o, t: F.nll_loss(F.log_softmax(o, -1), t, gg.tensor(WEIGHTS)), labels()),
    "label smoothing": (partial(F.cross_entropy, label_smoothing=0.1, ignore_index=-100), labels()),
    "own function": (rows, labels()),
    "own function, scaled": (decayed, labels()),
    "own mean": (masked, labels()),
    "own mean, partial": (partial(masked), labels()),
    "squares": (nn.MSELoss(), numbers(CLASSES)),
    "weighted squares": (lambda o, t: F.mse_loss(o, t, weight=t), numbers(CLASSES)),
    "sum": (nn.MSELoss(reduction="sum"), numbers(CLASSES)),
    "sum of sums": (summed, numbers(CLASSES)),
    "two averages": (two_of_one_size, numbers(CLASSES)),
    "in proportion": (in_proportion, numbers(CLASSES)),
    "unknown to gpugrad": (lambda o, t: ((o - t) ** 2).mean(), numbers(CLASSES)),
    "divergence": (nn.KLDivLoss(reduction="batchmean"), numbers(CLASSES)),
    "margins": (F.multi_margin_loss, [abs(t) % CLASSES for t in labels()]),
}


def run(loss, accumulate=1, kind=Trainer):
    gg.random.seed(0)
    model = nn.Linear(3, CLASSES)
    return kind(model, loss, optim.SGD(model.parameters(), lr=0.5), accumulate=accumulate, progress=False)


def made(targets):
    inputs = numbers(3)
    several = [(gg.tensor(x), gg.tensor(t)) for x, t in zip(inputs, targets, strict=True)]
    return several, [(gg.tensor(numpy.concatenate(inputs)), gg.tensor(numpy.concatenate(targets)))]


@pytest.mark.parametrize("case", CASES)
def test_batches_make_a_step_as_one(device, case):
    loss, targets = CASES[case]
    loss = loss or nn.CrossEntropyLoss(gg.tensor(WEIGHTS))
    several, one = made(targets)
    accumulated, whole = run(loss, len(several)), run(loss)
    if case != "sum of sums":  # nothing is recorded in an evaluation
        assert accumulated.evaluate(several)["loss"] == pytest.approx(whole.evaluate(one)["loss"], rel=1e-5)
    results = accumulated.fit(several), whole.fit(one)
    for p, q in zip(accumulated.model.parameters(), whole.model.parameters(), strict=True):
        numpy.testing.assert_allclose(p.detach().numpy(), q.detach().numpy(), rtol=1e-5, atol=1e-6)
    assert results[0]["loss"] == pytest.approx(results[1]["loss"], rel=1e-5)


class Told(Trainer):
    """Batches of dicts, and the count beside the rest."""

    def compute(self, batch):
        outputs = self.model(batch["x"]["here"])
        loss = masked(outputs, batch["y"])
        return loss, outputs, batch["y"], int((batch["y"] >= 0).sum().item())


def test_a_trainer_says_what_it_averaged_over(device):
    several, one = made(labels())
    several, one = ([{"name": "a", "y": t, "x": {"here": x}} for x, t in batches] for batches in (several, one))
    accumulated, whole = run(None, 3, Told), run(None, 1, Told)
    assert accumulated.evaluate(several)["loss"] == pytest.approx(whole.evaluate(one)["loss"], rel=1e-5)
    accumulated.fit(several), whole.fit(one)
    for p, q in zip(accumulated.model.parameters(), whole.model.parameters(), strict=True):
        numpy.testing.assert_allclose(p.detach().numpy(), q.detach().numpy(), rtol=1e-5)


@pytest.mark.parametrize("accumulate", [1, 2])
def test_nothing_but_ignored_labels_changes_nothing(device, accumulate):
    several, _ = made(labels())
    x, t = several[0]
    ignored = [(x, gg.full(t.shape, -100))] * 2
    trainer = run(nn.CrossEntropyLoss(), accumulate)
    before = [p.detach().numpy() for p in trainer.model.parameters()]
    assert numpy.isnan(trainer.fit(ignored)["loss"])
    for p, old in zip(trainer.model.parameters(), before, strict=True):
        assert numpy.array_equal(p.detach().numpy(), old)
    assert trainer.fit([*ignored, several[0]], epochs=2)["loss"] > 0


def mixed(outputs, targets):
    return F.cross_entropy(outputs, targets) + F.mse_loss(outputs, gg.zeros_like(outputs))


def halved(outputs, targets):
    return F.mse_loss(outputs, targets, reduction="sum") / len(outputs)


@pytest.mark.parametrize(
    ("loss", "targets", "text"),
    [
        (mixed, labels(), "averages over 4 and 20 in one batch and over 0 and 5 in another"),
        (halved, numbers(CLASSES), "a sum .* that was changed afterwards"),
    ],
)
def test_what_cannot_be_one_step_is_an_error(device, loss, targets, text):
    several, _ = made(targets)
    with pytest.raises(ValueError, match=f"{text}; return .* averaged_over"):
        run(loss, 3).fit(several)
    run(loss).fit(several[:1])


def test_short_floats_do_not_overflow(device):
    x, t = gg.ones((600, 3), dtype="float16"), gg.ones((600, CLASSES), dtype="float16") * 8
    trainer = run(nn.MSELoss(), 2)
    trainer.model.to("float16")
    trainer.fit([(x, t)] * 2)
    assert all(numpy.isfinite(p.detach().numpy()).all() for p in trainer.model.parameters())


def test_batches_that_are_no_tuples_are_named(device):
    trainer = run(nn.MSELoss())
    for batch in ({"x": gg.ones((2, 3))}, gg.ones((2, 3))):
        with pytest.raises(TypeError, match=r"expected batches \(\*inputs, targets\), got .* override compute"):
            trainer.fit([batch])


def test_weights_of_batches_are_as_precise_as_the_loss():
    """Seven examples at once and as three and four: the same to float64, not to the default dtype."""
    x = numpy.random.default_rng(1).normal(size=(7, 3))
    found = []
    for batches in ([x], [x[:3], x[3:]]):
        gg.random.seed(0)
        model = gg.nn.Linear(3, 2).to("float64")
        trainer = Trainer(
            model, gg.nn.MSELoss(), gg.optim.SGD(model.parameters(), lr=0.1), accumulate=len(batches), progress=False
        )
        device = model.weight.device
        trainer.fit([(gg.tensor(b, device=device), gg.tensor(b[:, :2], device=device)) for b in batches], epochs=5)
        found.append(model.weight.numpy())
    numpy.testing.assert_allclose(found[0], found[1], rtol=0, atol=1e-14)
