"""einops on Tensors, whichever of the two is imported first."""

import subprocess
import sys

import numpy
import pytest

import gpugrad as gg


@pytest.mark.parametrize("first", ["gpugrad", "einops"])
@pytest.mark.any_device
def test_either_may_be_imported_first(first):
    pytest.importorskip("einops")
    lines = [f"import {first}", "import einops, gpugrad as gg", "gg.set_default_device('cpu')"]
    lines.append("print(einops.rearrange(gg.ones((2, 3, 4)), 'a b c -> c (a b)').shape)")
    done = subprocess.run([sys.executable, "-c", "\n".join(lines)], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "(4, 6)"


@pytest.mark.any_device
def test_gpugrad_does_not_import_it():
    code = "import gpugrad, sys; print('einops' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "False\n"


CALLS = {
    "rearrange": lambda e, x: e.rearrange(x, "b (h p) (w q) -> b (h w) (p q)", p=2, q=2),
    "reduce": lambda e, x: e.reduce(x, "b h w -> b w", "mean"),
    "max": lambda e, x: e.reduce(x, "b (h p) w -> b h w", "max", p=2),
    "repeat": lambda e, x: e.repeat(x, "b h w -> b h w c", c=3),
    "einsum": lambda e, x: e.einsum(x, x, "b h w, b k w -> b h k"),
    "pack": lambda e, x: e.pack([x, x[:, :, 0]], "b h *")[0],
    "list": lambda e, x: e.rearrange([x, x], "n b h w -> b n h w"),
}


@pytest.mark.parametrize("name", CALLS)
def test_values_and_gradients(name, rng):
    einops = pytest.importorskip("einops")
    array = rng.normal(size=(2, 4, 6))
    x = gg.tensor(array, requires_grad=True)
    y = CALLS[name](einops, x)
    numpy.testing.assert_allclose(y.detach().numpy(), CALLS[name](einops, array), rtol=1e-12)
    assert gg.gradcheck(lambda x: CALLS[name](einops, x), x)
