"""PyTorch's spellings give what they give in PyTorch, or say what to write."""

import numpy
import pytest
from spellings import SAME, SENTENCES

import gpugrad as gg
import gpugrad.torch as ours
from gpugrad import backend

ROWS = [line for line in SAME.splitlines() if line]
DATA = numpy.random.default_rng(7)
ARRAYS = {
    "a": DATA.uniform(-2, 2, (2, 3)), "b": DATA.uniform(0.2, 2, (2, 3)), "s": DATA.uniform(-1, 1, (3, 3)),
    "c": DATA.uniform(-1, 1, (2, 3, 4)), "v": DATA.uniform(-1, 1, 3),
    "m": numpy.array([[True, False, True], [False, True, True]]),
    "i": numpy.array([[0, 2], [1, 0]]), "j": numpy.array([2, 0]), "n": numpy.array([[0, 1, 3], [1, 2, 2]]),
}  # fmt: skip


def variables(torch):
    """The tensors of the table, and the libraries."""
    made = {"numpy": numpy, "torch": torch}
    for name, array in ARRAYS.items():
        floating = array.dtype.kind == "f"
        made[name] = torch.tensor(array, dtype=torch.float32 if floating else None, requires_grad=floating)
    return made


def plain(value):
    """A value as something that NumPy compares."""
    if backend.is_array(value):  # x.data is one: on a GPU, CuPy's
        return backend.to_host(value)
    if isinstance(value, gg.Tensor):
        return value.numpy()
    return value.detach().numpy() if hasattr(value, "detach") else numpy.asarray(value)


def gradients(value, named):
    """The gradients of all variables for the sum of the squares of the value, which need not need one."""
    floating = getattr(value, "is_floating_point", lambda: False)()
    if floating and value.requires_grad:
        (value * value).sum().backward()
    return {name: None if x.grad is None else plain(x.grad) for name, x in named.items() if hasattr(x, "grad")}


def compare(row, torch):
    theirs, mine = variables(torch), variables(ours)
    expected, got = eval(row, theirs), eval(row, mine)
    numpy.testing.assert_allclose(plain(got), plain(expected), rtol=2e-5, atol=2e-5, err_msg=row)
    wanted, found = gradients(expected, theirs), gradients(got, mine)
    for name, g in wanted.items():
        if g is not None and (found[name] is not None or g.any()):
            numpy.testing.assert_allclose(found[name], g, rtol=2e-4, atol=2e-5, err_msg=f"{row}: gradient of {name}")


@pytest.mark.any_device
def test_there_are_as_many_as_were_looked_up():
    assert len(set(ROWS)) == len(ROWS)
    assert len(ROWS) + len(SENTENCES) >= 236


@pytest.mark.parametrize("part", range(0, len(ROWS), 40))
def test_the_same_value_and_gradient(part):
    torch = pytest.importorskip("torch")
    failed = []
    for row in ROWS[part : part + 40]:
        try:
            compare(row, torch)
        except Exception as error:  # all of them at once
            failed.append(f"{row}: {type(error).__name__}: {error}")
    assert not failed, "\n".join(failed)


def test_a_sentence_that_says_what_to_write():
    failed = []
    for row, words in SENTENCES.items():
        try:
            eval(row, variables(ours))
        except (AttributeError, TypeError) as error:
            if words not in str(error):
                failed.append(f"{row}: {error}")
        else:
            failed.append(f"{row}: no error")
    assert not failed, "\n".join(failed)
