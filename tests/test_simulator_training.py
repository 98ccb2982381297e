"""The example network trained on the simulated GPU: the CPU's losses, and what a step costs there."""

from __future__ import annotations

from contextlib import nullcontext

import pytest

import gpugrad as gg
from gpugrad import data, nn, optim
from gpugrad.testing import cuda_simulator

STEPS, BATCH = 20, 32

MOST_LAUNCHES = {"sgd": 60, "adam": 60}
"""In a step after the first, from above; lower them when there are fewer."""


def network():
    """The model of examples/train_digits.py."""
    gg.random.seed(0)
    return nn.Sequential(nn.Flatten(), nn.Linear(64, 256), nn.ReLU(), nn.Linear(256, 10))


def optimizer_of(name, model):
    return optim.Adam(model.parameters(), lr=0.004) if name == "adam" else optim.SGD(model.parameters(), lr=0.3)


def batches(device):
    """The first batches of the example, on the device before they are asked for."""
    train, _ = data.digits()
    found = []
    for batch in data.DataLoader(train, BATCH, shuffle=True, seed=0, device=device):
        found.append(batch)
        if len(found) == STEPS:
            return found
    raise AssertionError("more data is needed")


def step(model, optimizer, images, labels):
    loss = nn.functional.cross_entropy(model(images), labels)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss


def losses_on(device, name):
    """The losses, and what was counted in each step, if it is the simulator."""
    with gg.default_device(device):
        model = network()
        optimizer = optimizer_of(name, model)
        losses, counts = [], []
        for images, labels in batches(device):
            with cuda_simulator.count() as seen:
                losses.append(step(model, optimizer, images, labels))
            counts.append(seen)
        return [loss.item() for loss in losses], counts


@pytest.fixture
def simulator(request):
    if request.config.getoption("--device") == "cuda":
        pytest.skip("this run is on a GPU; the counts are the simulator's")
    with nullcontext() if cuda_simulator.is_installed() else cuda_simulator.installed():
        yield


@pytest.mark.parametrize("name", ["sgd", "adam"])
def test_the_example_trains_as_on_the_cpu(simulator, name, capsys):
    pytest.importorskip("sklearn", reason="the digits come with scikit-learn")
    expected, _ = losses_on("cpu", name)
    got, counts = losses_on("cuda", name)
    assert expected[-1] < 0.7 * expected[0], "it learns"
    assert got == pytest.approx(expected, abs=1e-5)

    worst = counts[-1]
    with capsys.disabled():
        print(
            f"\n{name}: a step of the example network: {worst.launches} launches, {worst.host_to_device} copies to the "
            f"device, {worst.device_to_host} back, {worst.synchronizations} synchronizations"
        )
        print("    " + ", ".join(f"{kernel} {n}" for kernel, n in sorted(worst.kernels.items())))
    for seen in counts[1:]:  # in the first, the optimizer lays out its arrays
        assert seen.launches <= MOST_LAUNCHES[name]
        assert seen.device_to_host == seen.synchronizations == 0, "nobody asked for a value"
        assert seen.host_to_device == 0
    assert counts[0].device_to_host == counts[0].synchronizations == 0
    assert worst.kernels[f"{name}_update"] == 1, "all parameters in one launch"
    assert worst.kernels["relu_forward"] == worst.kernels["relu_backward"] == 1


def test_a_value_asked_for_is_one_transfer(simulator):
    with gg.default_device("cuda"):
        loss = (gg.ones(3) * 2).sum()
        with cuda_simulator.count() as seen:
            assert loss.item() == 6.0
        assert (seen.device_to_host, seen.synchronizations) == (1, 1)


def test_labels_out_of_range_are_an_error_without_a_synchronization_a_step(simulator):
    with gg.default_device("cuda"):
        scores, labels = gg.zeros((4, 10)), gg.tensor([0, 1, 2, 12])
        with cuda_simulator.count() as seen:
            loss = nn.functional.cross_entropy(scores, labels)
        assert seen.synchronizations == seen.device_to_host == 0
        with pytest.raises(IndexError, match=r"12.*10 classes"):
            loss.item()
