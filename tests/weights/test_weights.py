"""Files of weights: what was saved, what others wrote, and what is damaged or made to do harm."""

from __future__ import annotations

import io
import json
import os
import pickle
import random
import tracemalloc

import numpy
import pytest

import gpugrad as gg
from gpugrad import nn, optim
from gpugrad.weights import LoadReport, WeightsError

COUNT = int(os.environ.get("GPUGRAD_FUZZ", "60"))


def same(a, b):
    assert type(a) is type(b) or isinstance(a, dict | gg.Tensor)
    if isinstance(a, dict):
        assert list(a) == list(b)
        for key in a:
            same(a[key], b[key])
    elif isinstance(a, list | tuple):
        assert len(a) == len(b)
        for x, y in zip(a, b, strict=True):
            same(x, y)
    elif isinstance(a, gg.Tensor):
        assert a.dtype == b.dtype
        numpy.testing.assert_array_equal(a.numpy(), b.numpy())
    else:
        assert a == b or a != a


def through(obj):
    file = io.BytesIO()
    gg.save(obj, file)
    return gg.load(io.BytesIO(file.getvalue()))


def network():
    return nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Linear(4, 2, bias=False))


def test_what_was_saved_comes_back(tmp_path, device):
    model = network()
    optimizer = optim.Adam(model.parameters(), lr=0.1)
    model(gg.ones((2, 3))).sum().backward()
    optimizer.step()
    for i, state in enumerate((
        model.state_dict(), {"model": model.state_dict(), "optimizer": optimizer.state_dict(), "epoch": 3},
        [1, 2.5, None, True, "text", (gg.ones(2, dtype="int64"), {3: float("inf"), (1, 2): gg.zeros(())})], {}, 7,
        {"a/b": gg.ones(1), "a": {"b": gg.zeros(1)}}, {"x": gg.ones((0, 3)), "z": gg.ones(2, dtype="complex128")},
    )):  # fmt: skip
        path = tmp_path / f"{i}.pt"
        gg.save(state, path)
        same(gg.load(path), state)
        same(through(state), state)
    gg.save(model, tmp_path / "model.safetensors")
    same(gg.load(tmp_path), dict(gg.load(tmp_path / "0.pt")))
    other = network()
    report = gg.load(tmp_path, model=other)
    assert report.fits
    same(other.state_dict(), model.state_dict())
    assert all(value.device == device for value in gg.load(tmp_path).values())
    assert all(value.device.is_host for value in gg.load(tmp_path, "cpu").values())
    assert os.stat(tmp_path / "0.pt").st_mode & 0o777 == 0o666 & ~_mask()
    assert sorted(p.name for p in tmp_path.iterdir() if p.name.startswith(".")) == []
    with pytest.raises(TypeError, match="a state holds numbers, strings"):
        gg.save({"model": model.state_dict(), "what": object()}, tmp_path / "0.pt")
    same(gg.load(tmp_path / "0.pt"), model.state_dict())


def _mask():
    mask = os.umask(0)
    os.umask(mask)
    return mask


def test_the_package_of_that_name_reads_and_writes_the_same(tmp_path):
    theirs = pytest.importorskip("safetensors.numpy")
    model = network()
    gg.save(model, tmp_path / "a.safetensors")
    found = theirs.load_file(tmp_path / "a.safetensors")
    same({k: gg.tensor(found[k], device="cpu") for k in model.state_dict()}, gg.load(tmp_path / "a.safetensors", "cpu"))
    theirs.save_file(found, tmp_path / "b.safetensors", {"format": "np"})
    other = network()
    assert gg.load(tmp_path / "b.safetensors", model=other).fits


def write(path, arrays, header=None):
    """A file as the format describes it, by hand."""
    head, body = dict(header or {}), b""
    for name, array in arrays.items():
        code = {"float32": "F32", "bfloat16": "BF16", "int64": "I64"}[array.dtype.name]
        head[name] = {"dtype": code, "shape": list(array.shape), "data_offsets": [len(body), len(body) + array.nbytes]}
        body += array.tobytes()
    text = json.dumps(head).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + body)
    return path


def arrays_of(model):
    return {key: numpy.array(value.numpy()) for key, value in model.state_dict().items()}


class Tied(nn.Module):
    def __init__(self):
        super().__init__()
        self.words, self.head = nn.Embedding(5, 3), nn.Linear(3, 5, bias=False)
        self.head.weight = self.words.weight


def test_what_others_wrote(tmp_path):
    pytest.importorskip("ml_dtypes")
    import ml_dtypes

    model, arrays = network(), arrays_of(network())
    short = {k: v.astype(ml_dtypes.bfloat16) if v.dtype == "float32" else v for k, v in arrays.items()}
    assert gg.load(write(tmp_path / "short", short))["0.weight"].dtype.name == "bfloat16"
    assert gg.load(tmp_path / "short", model=model).fits
    assert model[0].weight.dtype == gg.float32
    numpy.testing.assert_array_equal(model[0].weight.numpy(), short["0.weight"].astype("float32"))

    for prefix in ("module.", "_orig_mod.", "_orig_mod.module."):
        model = network()
        report = gg.load(write(tmp_path / "p", {prefix + k: v for k, v in arrays.items()}), model=model)
        assert (report.fits, report.prefix) == (True, prefix)
        same({k: v.numpy().tolist() for k, v in model.state_dict().items()}, {k: v.tolist() for k, v in arrays.items()})
    wrapped = nn.ModuleDict({"module": network()})
    assert gg.load(tmp_path / "p", model=wrapped).prefix == "_orig_mod."

    counted = {k: v for k, v in arrays.items() if "num_batches" not in k}
    assert gg.load(write(tmp_path / "c", counted), model=network()).fits

    for name in ("words.weight", "head.weight"):
        tied, weight = Tied(), numpy.arange(15.0, dtype="float32").reshape(5, 3)
        assert gg.load(write(tmp_path / "t", {name: weight}), model=tied).fits
        numpy.testing.assert_array_equal(tied.head.weight.numpy(), weight)
        assert tied.head.weight is tied.words.weight
        assert Tied().load_state_dict({name: weight}).missing_keys == []

    names = list(arrays)
    folder = tmp_path / "sharded"
    folder.mkdir()
    write(folder / "model-1.safetensors", {k: arrays[k] for k in names[:3]})
    write(folder / "model-2.safetensors", {k: arrays[k] for k in names[3:]})
    places = {k: f"model-{1 + (i >= 3)}.safetensors" for i, k in enumerate(names)}
    index = folder / "model.safetensors.index.json"
    index.write_text(json.dumps({"metadata": {"total_size": 1}, "weight_map": places}))
    for place in (folder, index):
        model = network()
        assert gg.load(place, model=model).fits
        assert set(gg.load(place)) == set(arrays)
    bad = [
        ({**places, "0.bias": "model-2.safetensors"}, "expected 0.bias, which model.safetensors.index.json says"),
        ({**places, "more": "model-1.safetensors"}, "expected more, which"),
        ({**places, "0.bias": "model-3.safetensors"}, "lists model-3.safetensors, which is not there"),
        *(({**places, "0.bias": where}, "names of files in the same folder")
          for where in ("../short", "/etc/passwd", "..", "", "a\\b", "a\0b")),
        ([], "an index with a weight_map"), ({"a": 3}, "an index with a weight_map"),
    ]  # fmt: skip
    for wrong, message in bad:
        index.write_text(json.dumps({"weight_map": wrong}))
        with pytest.raises(WeightsError, match=message) as caught:
            gg.load(folder)
        assert str(folder) in str(caught.value)
    index.write_text("[" * 100_000)
    with pytest.raises(WeightsError, match=r"index\.json: expected an index of safetensors files"):
        gg.load(folder)
    with pytest.raises(FileNotFoundError, match=r"or model\.safetensors in the folder"):
        gg.load(tmp_path / "sharded" / "..")


def test_the_report_of_what_does_not_fit(tmp_path):
    arrays = arrays_of(network())
    arrays["0.weight"] = arrays["0.weight"].T.copy()
    arrays["extra"] = arrays.pop("2.weight")
    model = network()
    before = arrays_of(model)
    path = write(tmp_path / "m.safetensors", arrays)
    text = "missing: 2.weight\nunexpected: extra\nmisshapen: 0.weight: expected (4, 3), got (3, 4)"
    with pytest.raises(WeightsError) as caught:
        gg.load(path, model=model)
    assert str(caught.value) == f"{path} does not fit Sequential:\n{text}"
    same({k: v.tolist() for k, v in arrays_of(model).items()}, {k: v.tolist() for k, v in before.items()})
    report = gg.load(path, model=model, strict=False)
    assert str(report) == text
    assert report == LoadReport(["2.weight"], ["extra"], {"0.weight": ((4, 3), (3, 4))})
    numpy.testing.assert_array_equal(model[0].bias.numpy(), arrays["0.bias"])
    numpy.testing.assert_array_equal(model[0].weight.numpy(), before["0.weight"])
    assert str(LoadReport()) == "all names and shapes are the same"
    with pytest.raises(ValueError, match="expected weights_only=True"):
        gg.load(path, weights_only=False)


class Attack:
    """Unpickling it makes a file."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (os.mkdir, (str(self.path),))


def test_pickles_are_refused_with_the_lines_that_convert_them(tmp_path):
    path = tmp_path / "model.pt"
    for protocol in (2, 3, 4, 5):
        path.write_bytes(pickle.dumps(Attack(tmp_path / "made"), protocol))
        with pytest.raises(WeightsError) as caught:
            gg.load(path)
        lines = str(caught.value).splitlines()
        assert lines[0].startswith(f"{path}: a pickle, such as torch.save writes")
        assert lines[1:] == [
            "    from safetensors.torch import save_file",
            f'    save_file(torch.load({str(path)!r}, weights_only=True, map_location="cpu"), '
            f"{str(tmp_path / 'model.safetensors')!r})",
        ]
    path.write_bytes(b"PK\x03\x04" + b"\0" * 30)
    with pytest.raises(WeightsError, match="a pickle"):
        gg.load(path)
    path.write_bytes(pickle.dumps(Attack(tmp_path / "made"), 0))
    with pytest.raises(WeightsError):
        gg.load(path)
    assert not (tmp_path / "made").exists()


def test_torchs_bfloat16_and_its_files(tmp_path):
    torch = pytest.importorskip("torch")
    theirs = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.BatchNorm1d(4), torch.nn.Linear(4, 2, bias=False))
    theirs = theirs.to(torch.bfloat16)
    ours = network()
    ours.load_state_dict(theirs.state_dict())
    numpy.testing.assert_array_equal(ours[0].weight.numpy(), theirs[0].weight.detach().float().numpy())
    other = torch.optim.Adam(theirs.parameters(), lr=0.01)
    theirs(torch.ones(2, 3, dtype=torch.bfloat16)).sum().backward()
    other.step()
    mine = optim.Adam(ours.parameters())
    mine.load_state_dict(other.state_dict())
    assert mine.state_dict()["state"][0]["exp_avg"].dtype == gg.float32
    torch.save(theirs.state_dict(), tmp_path / "theirs.pt")
    with pytest.raises(WeightsError, match=r"from safetensors\.torch import save_file"):
        gg.load(tmp_path / "theirs.pt")


# ---------------------------------------------------------------- damaged and hostile files


def entry(start, stop, shape=(1,), dtype="F32"):
    return {"dtype": dtype, "shape": list(shape), "data_offsets": [start, stop]}


HOSTILE = {
    "overlapping": ({"a": entry(0, 8, (2,)), "b": entry(4, 12, (2,))}, 12),
    "the same place twice": ({"a": entry(0, 8, (2,)), "b": entry(0, 8, (2,))}, 8),
    "a gap": ({"a": entry(0, 4), "b": entry(8, 12)}, 12),
    "beyond the end": ({"a": entry(0, 2**40, (2**38,))}, 4),
    "more than it says": ({"a": entry(0, 4)}, 64),
    "negative": ({"a": entry(-4, 0)}, 4),
    "backwards": ({"a": entry(4, 0)}, 4),
    "a size that overflows": ({"a": entry(0, 4, (2**62, 4, 2**62))}, 4),
    "negative sizes": ({"a": entry(0, 4, (-1, -1))}, 4),
    "many axes": ({"a": entry(0, 4, (1,) * 1000)}, 4),
    "an unknown dtype": ({"a": entry(0, 4, dtype="O")}, 4),
    "no shape": ({"a": {"dtype": "F32", "data_offsets": [0, 4]}}, 4),
    "numbers that are floats": ({"a": entry(0.0, 4.0)}, 4),
    "a structure that is no text": ({"__metadata__": {"gpugrad": [1]}}, 0),
    "a structure that is no JSON": ({"__metadata__": {"gpugrad": "{"}}, 0),
    "a structure without its arrays": ({"__metadata__": {"gpugrad": '{"$": "tensor", "key": "no"}'}}, 0),
    "a structure of an unknown kind": ({"__metadata__": {"gpugrad": '{"$": "module"}'}}, 0),
    "a key that cannot be one": ({"__metadata__": {"gpugrad": '{"$": "dict", "items": [[[], 1]]}'}}, 0),
    "a deep structure": ({"__metadata__": {"gpugrad": "[" * 50_000 + "]" * 50_000}}, 0),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_headers(name, tmp_path):
    header, size = HOSTILE[name]
    text = json.dumps(header).encode()
    path = tmp_path / "x.safetensors"
    path.write_bytes(len(text).to_bytes(8, "little") + text + b"\0" * size)
    with pytest.raises(WeightsError) as caught:
        gg.load(path)
    assert str(path) in str(caught.value)


def damaged(content, chance):
    """The bytes cut, flipped, spliced, or with a header that is another one."""
    kind, place = chance.randrange(7), chance.randrange(len(content) + 1)
    if kind == 0:
        return content[:place]
    if kind == 1:
        return content[:place] + chance.randbytes(chance.randrange(1, 9)) + content[place:]
    if kind == 2:
        changed = bytearray(content)
        for _ in range(chance.randrange(1, 20)):
            changed[chance.randrange(min(len(changed), 2000))] ^= 1 << chance.randrange(8)
        return bytes(changed)
    if kind == 3:
        return chance.choice([2**63, 2**31, len(content), 0, 7]).to_bytes(8, "little") + content[8:]
    length = int.from_bytes(content[:8], "little")
    header = content[8 : 8 + length]
    if kind == 4:
        what = chance.choice([b"[", b'{"a":', b'"\\ud800"', b"9" * 5000, b"1e999", b"NaN", b"null"])
        place = chance.randrange(length)
        header = header[:place] + what * chance.choice([1, 1000, 100_000]) + header[place:]
    elif kind == 5:
        opening = chance.choice([b"[]", b'{"a":1}', b"1", b'"ab"'])
        header = b'{"__metadata__": {"gpugrad": ' + json.dumps(
            "[" + ",".join([opening.decode()] * chance.choice([10, 200_000])) + "]"
        ).encode() + b"}}"  # fmt: skip
    else:
        header = header.replace(b'"key"', b'"kez"').replace(b"F32", chance.choice([b"F64", b"BOOL", b"C64", b"BF16"]))
    return len(header).to_bytes(8, "little") + header + content[8 + length :]


def test_damaged_files_are_an_error_that_names_them_or_a_result_in_little_memory(tmp_path):
    model = network()
    optimizer = optim.Adam(model.parameters())
    model(gg.ones((2, 3))).sum().backward()
    optimizer.step()
    paths = [tmp_path / "whole", tmp_path / "state"]
    gg.save(model, paths[0])
    gg.save({"model": model.state_dict(), "optimizer": optimizer.state_dict(), "epoch": 3}, paths[1])
    contents = [path.read_bytes() for path in paths]
    for path in paths:
        gg.load(path)
    refused = 0
    for seed in range(COUNT):
        chance = random.Random(seed)
        path = tmp_path / f"damaged {seed}"
        content = damaged(chance.choice(contents), chance)
        path.write_bytes(content)
        tracemalloc.start()
        try:
            if chance.random() < 0.5:
                gg.load(path, model=network(), strict=chance.random() < 0.5)
            else:
                gg.load(path)
        except WeightsError as error:
            assert str(path) in str(error)  # noqa: PT017
            refused += 1
        finally:
            most = tracemalloc.get_traced_memory()[1]
            tracemalloc.stop()
        assert most < 10 * len(content) + (1 << 23), seed
        path.unlink()
    assert refused > COUNT / 2
