"""Whole models, written once for either library: states travel both ways, outputs and gradients are the same."""

from __future__ import annotations

import numpy
import pytest

import gpugrad as gg
from gpugrad import nn as ours

torch = pytest.importorskip("torch", reason="PyTorch is the oracle of these tests")


def classifier(nn):
    """Words to classes: an embedding, an LSTM in both directions over packed sentences, a linear layer."""

    class Classifier(nn.Module):
        def __init__(self):
            super().__init__()
            self.words = nn.Embedding(20, 8, padding_idx=0)
            self.lstm = nn.LSTM(8, 6, num_layers=2, batch_first=True, bidirectional=True, dropout=0.1)
            self.head = nn.Linear(24, 3)

        def forward(self, tokens, lengths):
            rnn = nn.utils.rnn
            packed = rnn.pack_padded_sequence(self.words(tokens), lengths, batch_first=True, enforce_sorted=False)
            _, (h, _) = self.lstm(packed)
            return self.head((torch if nn is torch.nn else gg).concat([h[0], h[1], h[2], h[3]], axis=1))

    return Classifier()


def gpt(nn):
    """A small GPT-2: token and position embeddings, blocks with causal attention, a head tied to the embedding."""

    class Block(nn.Module):
        def __init__(self, width, heads):
            super().__init__()
            self.ln_1 = nn.LayerNorm(width)
            self.attn = nn.MultiheadAttention(width, heads, batch_first=True)
            self.ln_2 = nn.LayerNorm(width)
            self.mlp = nn.Sequential(
                nn.Linear(width, 4 * width), nn.GELU(approximate="tanh"), nn.Linear(4 * width, width)
            )

        def forward(self, x, mask):
            z = self.ln_1(x)
            x = x + self.attn(z, z, z, attn_mask=mask, need_weights=False, is_causal=True)[0]
            return x + self.mlp(self.ln_2(x))

    class GPT(nn.Module):
        def __init__(self, vocabulary=30, positions=16, width=12, heads=3, depth=2):
            super().__init__()
            self.wte = nn.Embedding(vocabulary, width)
            self.wpe = nn.Embedding(positions, width)
            self.h = nn.ModuleList([Block(width, heads) for _ in range(depth)])
            self.ln_f = nn.LayerNorm(width)
            self.lm_head = nn.Linear(width, vocabulary, bias=False)
            self.lm_head.weight = self.wte.weight

        def forward(self, tokens):
            steps = tokens.shape[1]
            x = self.wte(tokens) + self.wpe((torch if nn is torch.nn else gg).arange(steps))
            mask = nn.Transformer.generate_square_subsequent_mask(steps, dtype=x.dtype)
            for block in self.h:
                x = block(x, mask)
            return self.lm_head(self.ln_f(x))

    return GPT()


def resnet(nn):
    """A small ResNet: a stem, two blocks, the second with a stride and a shortcut of its own."""

    class Block(nn.Module):
        def __init__(self, before, after, stride=1):
            super().__init__()
            self.conv1 = nn.Conv2d(before, after, 3, stride=stride, padding=1, bias=False)
            self.bn1 = nn.BatchNorm2d(after)
            self.relu = nn.ReLU()
            self.conv2 = nn.Conv2d(after, after, 3, padding=1, bias=False)
            self.bn2 = nn.BatchNorm2d(after)
            self.downsample = None
            if stride > 1 or before != after:
                shortcut = nn.Conv2d(before, after, 1, stride=stride, bias=False)
                self.downsample = nn.Sequential(shortcut, nn.BatchNorm2d(after))

        def forward(self, x):
            y = self.bn2(self.conv2(self.relu(self.bn1(self.conv1(x)))))
            return self.relu(y + (x if self.downsample is None else self.downsample(x)))

    return nn.Sequential(
        nn.Conv2d(3, 4, 7, stride=2, padding=3, bias=False), nn.BatchNorm2d(4), nn.ReLU(),
        nn.MaxPool2d(3, stride=2, padding=1), Block(4, 4), Block(4, 8, stride=2),
        nn.AdaptiveAvgPool2d((1, 1)), nn.Flatten(), nn.Linear(8, 5),
    )  # fmt: skip


def translator(nn):
    """An encoder and a decoder over embedded tokens."""

    class Translator(nn.Module):
        def __init__(self):
            super().__init__()
            self.source, self.target = nn.Embedding(20, 8), nn.Embedding(25, 8)
            self.transformer = nn.Transformer(8, 2, 1, 2, 16, dropout=0.0, batch_first=True, norm_first=True)
            self.head = nn.Linear(8, 25)

        def forward(self, source, target):
            mask = nn.Transformer.generate_square_subsequent_mask(target.shape[1], dtype=self.head.weight.dtype)
            return self.head(self.transformer(self.source(source), self.target(target), tgt_mask=mask))

    return Translator()


def inputs(model, rng):
    if model is classifier:
        return [rng.integers(1, 20, (4, 7)), [7, 2, 5, 1]]
    if model is gpt:
        return [rng.integers(0, 30, (2, 9))]
    if model is translator:
        return [rng.integers(0, 20, (2, 6)), rng.integers(0, 25, (2, 5))]
    return [rng.standard_normal((3, 3, 32, 32))]


def given(make, values):
    return [make(v) if isinstance(v, numpy.ndarray) else v for v in values]


@pytest.mark.filterwarnings("ignore:enable_nested_tensor is True")
@pytest.mark.parametrize("training", [True, False], ids=["training", "evaluation"])
@pytest.mark.parametrize("model", [classifier, gpt, resnet, translator])
def test_states_travel_both_ways(model, training, rng):
    theirs, mine, back = model(torch.nn).double(), model(ours).to(gg.float64), model(torch.nn).double()
    training = training and model is not classifier  # its dropout is random
    for m in (theirs, mine, back):
        m.train(training)
    for buffer in theirs.buffers():  # statistics that are not those of a new layer
        if buffer.ndim:
            buffer.uniform_(0.5, 1.5)
    mine.load_state_dict({key: value.numpy() for key, value in theirs.state_dict().items()})
    back.load_state_dict({key: torch.tensor(value.numpy()) for key, value in mine.state_dict().items()})
    assert list(mine.state_dict()) == list(theirs.state_dict())
    assert [name for name, _ in mine.named_parameters()] == [name for name, _ in theirs.named_parameters()]
    values = inputs(model, rng)
    y = mine(*given(gg.tensor, values))
    for other in (theirs, back):
        e = other(*given(torch.tensor, values))
        numpy.testing.assert_allclose(y.numpy(), e.detach().numpy(), rtol=1e-8, atol=1e-9)
    g = rng.standard_normal(y.shape)
    y.backward(gg.tensor(g))
    e.backward(torch.tensor(g))
    for (name, p), q in zip(mine.named_parameters(), back.parameters(), strict=True):
        numpy.testing.assert_allclose(p.grad.numpy(), q.grad.numpy(), rtol=1e-7, atol=1e-9, err_msg=name)
    for key, value in back.state_dict().items():  # the statistics have moved alike
        numpy.testing.assert_allclose(mine.state_dict()[key].numpy(), value.numpy(), rtol=1e-9)


def test_the_tied_weight_is_one_parameter(rng):
    model = gpt(ours)
    assert model.lm_head.weight is model.wte.weight
    names = [name for name, _ in model.named_parameters()]
    assert "wte.weight" in names
    assert "lm_head.weight" not in names
    assert {"wte.weight", "lm_head.weight"} <= model.state_dict().keys()


def test_a_small_gpt_learns_a_sequence(rng):
    model = gpt(ours)
    tokens = gg.tensor(rng.integers(0, 30, (1, 10)))
    optimizer = gg.optim.Adam(model.parameters(), lr=0.02)
    losses = []
    for _ in range(40):
        optimizer.zero_grad()
        loss = ours.functional.cross_entropy(model(tokens[:, :-1])[0], tokens[0, 1:])
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.1 * losses[0]
