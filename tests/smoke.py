"""Does an installed gpugrad import fast, train, and answer on the command line? Needs nothing but its dependencies.

python tests/smoke.py
"""

import statistics
import subprocess
import sys
import sysconfig
from pathlib import Path

import numpy

import gpugrad as gg
from gpugrad import data, nn, optim

IMPORT_LIMIT = 0.25  # seconds over NumPy's and SciPy's own
IMPORT_TIME = "import numpy, scipy, time; t = time.perf_counter(); import gpugrad; print(time.perf_counter() - t)"


def import_time() -> float:
    """The median over several fresh processes of what importing gpugrad takes after NumPy and SciPy."""
    command = [sys.executable, "-c", IMPORT_TIME]
    runs = [subprocess.run(command, capture_output=True, text=True, check=True) for _ in range(8)]
    return statistics.median(float(run.stdout) for run in runs[1:])  # the first one fills the disk's cache


def train() -> tuple[float, float]:
    """Loss before and after fitting a small network to ``x_1 x_2``."""
    gg.random.seed(0)
    x = gg.random.standard_normal((256, 2)).numpy()
    batches = data.DataLoader(data.ArrayDataset(x, x[:, :1] * x[:, 1:]), batch_size=32, shuffle=True)
    model = nn.Sequential(nn.Linear(2, 32), nn.Tanh(), nn.Linear(32, 1))
    optimizer = optim.Adam(model.parameters(), lr=0.02)
    losses = []
    for _ in range(20):
        for inputs, wanted in batches:
            loss = nn.functional.mse_loss(model(inputs), wanted)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
    return losses[0], float(numpy.mean(losses[-8:]))


def info() -> str:
    """What ``gpugrad info`` says."""
    program = Path(sysconfig.get_path("scripts")) / "gpugrad"
    return subprocess.run([program, "info"], capture_output=True, text=True, check=True).stdout


if __name__ == "__main__":
    print(f"gpugrad {gg.__version__} from {Path(gg.__file__).parent}")
    print(info())
    before, after = train()
    print(f"training: loss {before:.3f}, then {after:.3f}")
    assert after < before / 10, "the network did not learn"
    seconds = import_time()
    print(f"import: {seconds:.3f} s over NumPy and SciPy")
    assert seconds <= IMPORT_LIMIT, f"importing took {seconds:.3f} s over NumPy and SciPy, {IMPORT_LIMIT} s are allowed"
