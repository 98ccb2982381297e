"""Programs written for PyTorch, each one source for both libraries: what differs is the line that imports."""

import difflib
import sys
from pathlib import Path
from types import ModuleType

import numpy
import pytest

import gpugrad as gg

FOLDER = Path(__file__).parents[2] / "examples" / "pytorch"
PROGRAMS = sorted(path.stem for path in FOLDER.glob("*.py") if path.stem != "made")
OURS, THEIRS = "import gpugrad.torch as torch", "import torch"
BUILDS = {
    "cnns": ["VGG", "ResNet", "GoogLeNet", "DenseNet", "MobileNet", "ShuffleNet"],
    "word_language_model": ["LSTM", "GRU"],
}
RUNS = [(name, *build) for name in PROGRAMS for build in ([(b,) for b in BUILDS[name]] if name in BUILDS else [()])]


@pytest.fixture(autouse=True)
def folder(monkeypatch):
    monkeypatch.syspath_prepend(FOLDER)
    yield
    sys.modules.pop("made", None)


class Drawing:
    """A library whose random numbers come from NumPy, so that both libraries get the same."""

    def __init__(self, library):
        self.library, self.random = library, numpy.random.default_rng(0)

    def __getattr__(self, name):
        return getattr(self.library, name)

    def made(self, array, dtype):
        return self.library.tensor(array.tolist(), dtype=dtype)

    def randn(self, *shape):
        return self.made(self.random.normal(size=shape), self.library.float32)

    def randn_like(self, x):
        return self.made(self.random.normal(size=tuple(x.shape)), self.library.float32).to(x.device)

    def randint(self, high, shape):
        return self.made(self.random.integers(high, size=shape), self.library.int64)


def module(name, source):
    made = ModuleType(name)
    exec(compile(source, f"{name}.py", "exec"), vars(made))
    made.torch = Drawing(made.torch)
    if hasattr(made, "Categorical"):
        random = numpy.random.default_rng(1)

        class Categorical(made.Categorical):
            def sample(self):
                chosen = random.random(self.probs.shape[0])[:, None] > numpy.cumsum(self.probs.tolist(), 1)
                return made.torch.tensor(chosen.sum(1).tolist())

        made.Categorical = Categorical
    return made


@pytest.mark.any_device
@pytest.mark.parametrize("name", PROGRAMS)
def test_what_differs(name):
    """At most 3 % of the lines; here it is one."""
    ours = (FOLDER / f"{name}.py").read_text().splitlines()
    theirs = [THEIRS if line == OURS else line for line in ours]
    changed = sum(line.startswith("+ ") for line in difflib.ndiff(theirs, ours))
    assert changed == 1
    assert changed <= 0.03 * len(ours)
    assert "gpugrad" not in "\n".join(theirs)


@pytest.mark.parametrize("run", RUNS, ids="-".join)
def test_it_trains_a_moment_as_with_pytorch(run, device):
    torch = pytest.importorskip("torch")
    name, *build = run
    source = (FOLDER / f"{name}.py").read_text()
    ours, theirs = module(name, source), module(name, source.replace(OURS, THEIRS))
    torch.manual_seed(0)
    model = theirs.build(*build)
    mine = ours.build(*build)
    assert [*mine.state_dict()] == [*model.state_dict()]
    mine.load_state_dict(model.state_dict())
    mine = mine.to(device)
    place = "cpu" if name == "reinforce" else device
    if name == "reinforce":
        mine = mine.cpu()
    with gg.default_device(place):
        found = ours.train(mine, 3, str(place))
    wanted = theirs.train(model, 3, "cpu")
    numpy.testing.assert_allclose(found, wanted, rtol=2e-4, atol=2e-5)
    if name != "reinforce":
        for key, value in model.state_dict().items():
            numpy.testing.assert_allclose(
                mine.state_dict()[key].numpy(), value.numpy(), rtol=5e-3, atol=2e-3, err_msg=key
            )


@pytest.mark.parametrize("name", PROGRAMS)
def test_it_learns(name, device):
    """Without PyTorch too: the loss falls."""
    if not device.is_host:
        pytest.skip("the same steps, slowly")
    made = ModuleType(name)
    exec(compile((FOLDER / f"{name}.py").read_text(), name, "exec"), vars(made))
    state = gg.random.default_generator.state
    try:
        gg.manual_seed(0)
        losses = made.train(made.build(), 12)
        assert numpy.isfinite(losses).all()
        if name not in ("reinforce", "dcgan"):
            assert numpy.mean(losses[-3:]) < 0.99 * numpy.mean(losses[:3])
        if name == "gpt":
            model = made.build().eval()
            assert model.generate(gg.tensor([made.encode("the")]), 5, top_k=3).shape == (1, 8)
        if name == "mnist":
            assert made.test(made.build(), "cpu")[1] <= 1
    finally:
        gg.random.default_generator.state = state
