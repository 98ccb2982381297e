"""Run by ``test_processes.py`` in several processes: what they train together is what one process trains."""

from __future__ import annotations

import numpy
import pytest

import gpugrad as gg
from gpugrad import distributed, nn
from gpugrad.data import ArrayDataset, DataLoader

world = distributed.init(timeout=60)
rng = numpy.random.default_rng(0)
IMAGES, LABELS = rng.normal(size=(37, 2, 6, 6)), rng.integers(0, 3, 37)
SEQUENCES, WORDS = rng.normal(size=(37, 5, 4)), rng.integers(0, 7, (37, 6))


class Last(nn.Module):
    def __init__(self):
        super().__init__()
        self.lstm, self.head = nn.LSTM(4, 8, batch_first=True), nn.Linear(8, 3)

    def forward(self, x):
        return self.head(self.lstm(x)[0][:, -1])


class Words(nn.Module):
    """A small GPT, with a layer that is not always used."""

    def __init__(self):
        super().__init__()
        self.embedding, self.head = nn.Embedding(7, 16), nn.Linear(16, 3)
        self.block = nn.TransformerEncoderLayer(16, 2, 32, dropout=0.0, batch_first=True)
        self.never = nn.Linear(2, 2)

    def forward(self, x):
        return self.head(self.block(self.embedding(x)).mean(axis=1))


NETWORKS = {
    "mlp": (lambda: nn.Sequential(nn.Flatten(), nn.Linear(72, 16), nn.ReLU(), nn.Linear(16, 3)), IMAGES),
    "cnn": (
        lambda: nn.Sequential(
            nn.Conv2d(2, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(64, 8), nn.BatchNorm1d(8),
            nn.Linear(8, 3),
        ),
        IMAGES,
    ),
    "lstm": (Last, SEQUENCES),
    "gpt": (Words, WORDS),
}  # fmt: skip


def trained(network, data, together, optimizer=gg.optim.SGD, sharded=False, accumulate=1, dtype="float64"):
    """The losses of three epochs of batches of 10, 10, 10 and 7, and the model."""
    gg.random.seed(1)
    model = network().to(dtype)
    data = data.astype(dtype) if data.dtype.kind == "f" else data
    run = model
    if together:
        model = distributed.SyncBatchNorm.convert_sync_batchnorm(model)
        run = distributed.DataParallel(model, bucket_bytes=1000)
    options = {"lr": 0.05}
    made = (
        distributed.ShardedOptimizer(optimizer, model.parameters(), **options)
        if sharded
        else optimizer(model.parameters(), **options)
    )
    loader = DataLoader(
        ArrayDataset(data, LABELS), batch_size=10, shuffle=True, seed=3, device="cpu", world=world if together else None
    )
    losses = []
    for _ in range(3):
        for start, group in enumerate(zip(*[iter(loader)] * accumulate, strict=False)):
            made.zero_grad()
            step = 0.0
            for i, (x, y) in enumerate(group):
                loss = nn.functional.cross_entropy(run(x), y) / accumulate
                if together:
                    loss = loss * distributed.share(len(y)).astype(dtype)
                    if i + 1 < accumulate:
                        with run.no_sync():
                            loss.backward()
                    else:
                        loss.backward()
                    step += distributed.all_reduce(loss.detach(), "mean").item()
                else:
                    loss.backward()
                    step += loss.item()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            made.step()
            losses.append(step)
            assert start < 4
    return losses, model, made


def compared(a, b, tolerance):
    numpy.testing.assert_allclose(a[0], b[0], rtol=0, atol=tolerance)
    for (name, p), q in zip(a[1].state_dict().items(), b[1].state_dict().values(), strict=True):
        numpy.testing.assert_allclose(p.numpy(), q.numpy(), rtol=0, atol=tolerance, err_msg=name)


for name, (network, data) in NETWORKS.items():
    alone = trained(network, data, together=False)
    both = trained(network, data, together=True)
    compared(alone, both, 1e-12)
    again = trained(network, data, together=True)
    compared(both, again, 0)
    if name == "gpt":
        assert both[1].never.weight.grad is None
    if name == "mlp":
        compared(trained(network, data, False, accumulate=2), trained(network, data, True, accumulate=2), 1e-12)
        compared(trained(network, data, False, dtype="float32"), trained(network, data, True, dtype="float32"), 1e-6)

# The moments divided among the ranks: the same, and in a checkpoint whole.
alone = trained(*NETWORKS["mlp"], together=False, optimizer=gg.optim.Adam)
divided = trained(*NETWORKS["mlp"], together=True, optimizer=gg.optim.Adam, sharded=True)
compared(alone, divided, 1e-12)
mine = sum(v.size for entry in divided[2].state.values() for v in entry.values() if hasattr(v, "size"))
whole = 2 * sum(p.size for p in alone[1].parameters())
assert mine <= -(-whole // world.size) + 2, (mine, whole)
saved, expected = divided[2].state_dict(), alone[2].state_dict()
assert saved["param_groups"] == expected["param_groups"]
for i, entry in expected["state"].items():
    assert saved["state"][i]["step"] == entry["step"]
    for key in ("exp_avg", "exp_avg_sq"):
        numpy.testing.assert_allclose(saved["state"][i][key].numpy(), entry[key].numpy(), rtol=0, atol=1e-12)
gg.random.seed(2)
other = NETWORKS["mlp"][0]().to("float64")
restored = distributed.ShardedOptimizer(gg.optim.Adam, other.parameters(), lr=1.0)
restored.load_state_dict(expected)
assert restored.param_groups[0]["lr"] == 0.05
loaded = restored.state_dict()
assert all(
    (loaded["state"][i]["exp_avg"].numpy() == entry["exp_avg"].numpy()).all() for i, entry in expected["state"].items()
)

# Gradients of the calls themselves, by differences of the sum over all ranks.
x = gg.tensor(numpy.random.default_rng(world.rank).normal(size=(2 * world.size, 3)), requires_grad=True)


def calls(x):
    weight = world.rank + 1
    a, b, c = distributed.all_reduce(x * x), distributed.broadcast(x, world.size - 1), distributed.all_gather(x)
    d, e, f = distributed.reduce_scatter(x**3), distributed.all_reduce(x, "max"), distributed.all_reduce(x, "mean")
    parts = (a.sin() * weight, b**2 * weight, c**3 * weight, d * d, e**2 * weight, f**2)
    return sum(part.sum() for part in parts)


calls(x).backward()
for rank in range(world.size):
    for place in ((0, 0), (1, 2)):
        values = []
        for move in (1e-6, -1e-6):
            moved = x.detach().numpy().copy()
            moved[place] += move * (world.rank == rank)
            values.append(distributed.all_reduce(calls(gg.tensor(moved)).detach()).item())
        if world.rank == rank:
            numpy.testing.assert_allclose(x.grad.numpy()[place], (values[0] - values[1]) / 2e-6, rtol=1e-5)
point = gg.tensor([1.0 + world.rank], dtype=gg.float64)
second = gg.grad(lambda z: gg.grad(lambda y: (distributed.all_reduce(y**3)).sum())(z).sum())(point)
assert second.item() == 6.0 * (1 + world.rank) * world.size, second
half = distributed.all_reduce(gg.full((3,), 0.1, dtype=gg.float16))
assert half.dtype == gg.float16
numpy.testing.assert_allclose(half.numpy(), 0.1 * world.size, rtol=1e-3)
large = numpy.random.default_rng(world.rank).normal(size=(97, 101)).astype(numpy.float32)
total = sum(numpy.random.default_rng(r).normal(size=(97, 101)).astype(numpy.float32) for r in range(world.size))
assert (distributed.all_reduce(gg.tensor(large)).numpy() == total).all()
for empty in (gg.zeros((0, 3)), gg.zeros(())):
    assert distributed.all_reduce(empty).shape == empty.shape


# What is refused.
def refused(call, error, words):
    with pytest.raises(error, match=words):
        call()


for call, words in [
    (lambda: distributed.all_reduce(x, "middle"), "expected op"),
    (lambda: distributed.broadcast(x, 9), "root=9"),
    (lambda: distributed.all_gather(gg.ones(())), "single number"),
    (lambda: distributed.reduce_scatter(gg.ones(2 * world.size + 1)), "multiple of"),
    (
        lambda: list(DataLoader(ArrayDataset(IMAGES[:1]), batch_size=4, device="cpu", world=world)),
        "batch of 1 examples",
    ),
]:
    refused(call, ValueError, words)
refused(lambda: distributed.ShardedOptimizer(gg.optim.LAMB, other.parameters()), TypeError, "whole parameters")

distributed.barrier()
print(f"rank {world.rank} of {world.size} is done")
