"""`export_model`: a copy of a model's folder in which only the table differs."""

import json

import ml_dtypes
import numpy as np
import pytest
import safetensors.numpy

from jaxcompress import Codes, InputError
from jaxcompress.data import read_vectors
from jaxcompress.models import export_model

N, D = 9, 4
RNG = np.random.default_rng(0)
TABLE = RNG.normal(size=(N, D)).astype(np.float32)
CODES = Codes(RNG.integers(0, 3, (N, 2)), RNG.normal(size=(2, 3, D)), [f"t{i}" for i in range(N)])
NAME = "model.embed_tokens.weight"
FIRST, SECOND = "model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"


def make_model(folder, dtype=np.float32, head=None):
    """A model in two shards, with the table in the second and an output in the first."""
    folder.mkdir(exist_ok=True)
    table = TABLE.astype(dtype)
    shards = {
        FIRST: {
            "lm_head.weight": table if head is None else head.astype(dtype),
            "norm": np.ones(3, dtype),
        },
        SECOND: {"a": np.ones((N, 2), dtype), NAME: table, "z": np.arange(5)},
    }
    for shard, tensors in shards.items():
        safetensors.numpy.save_file(tensors, folder / shard, {"format": "pt"})
    weight_map = {name: shard for shard, tensors in shards.items() for name in tensors}
    index = json.dumps({"metadata": {"total_size": 1}, "weight_map": weight_map})
    (folder / "model.safetensors.index.json").write_text(index)
    vocabulary = {f"t{i}": i for i in range(N)}
    (folder / "tokenizer.json").write_text(json.dumps({"model": {"vocab": vocabulary}}))
    (folder / "more").mkdir(exist_ok=True)
    (folder / "more" / "config.json").write_text("{}")
    return folder


def files_of(folder):
    return {f.relative_to(folder): f.read_bytes() for f in folder.rglob("*") if f.is_file()}


@pytest.mark.parametrize("dtype", [np.float32, np.float16, np.float64, ml_dtypes.bfloat16])
def test_only_the_table_and_what_is_tied_to_it_changes(tmp_path, dtype):
    folder, out = make_model(tmp_path / "model", dtype), tmp_path / "deep" / "out"
    before = files_of(folder)
    exported = export_model(folder, CODES, out)
    assert exported.folder == out
    assert exported.tensors == (NAME, "lm_head.weight")
    assert exported.notes == (
        f"lm_head.weight holds the same numbers as {NAME}, and is replaced too.",
    )
    after = files_of(out)
    assert files_of(folder) == before
    assert after.keys() == before.keys()
    old, new = TABLE.astype(dtype).tobytes(), CODES.decode().astype(dtype).tobytes()
    for path, content in before.items():
        assert content.count(old) == (path.suffix == ".safetensors")
        assert after[path] == content.replace(old, new), path
    assert not list(tmp_path.glob("deep/*.tmp"))


def test_the_copy_is_read_as_the_model_is(tmp_path):
    out = export_model(make_model(tmp_path / "model", head=TABLE + 1), CODES, tmp_path / "out")
    assert out.tensors == (NAME,)
    assert out.notes == (f"lm_head.weight has the shape of {NAME} and other numbers; it stays.",)
    read = read_vectors(str(out.folder))
    np.testing.assert_array_equal(read.rows, CODES.decode())
    assert read.words == CODES.words


def test_a_model_in_one_file_and_weights_of_another_form(tmp_path):
    safetensors.numpy.save_file({"rows": TABLE}, tmp_path / "model.safetensors")
    (tmp_path / "pytorch_model.bin").write_bytes(b"old")
    (tmp_path / "model.safetensors").chmod(0o444)
    out = tmp_path.with_name("one-file-out")
    exported = export_model(tmp_path, CODES, out, tensor="rows")
    assert exported.notes[0].startswith("pytorch_model.bin: copied as they are; if they hold the")
    found = safetensors.numpy.load_file(out / "model.safetensors")["rows"]
    np.testing.assert_array_equal(found, CODES.decode())


def test_what_cannot_be_put_back_is_one_line_and_leaves_nothing(tmp_path):
    folder, out = make_model(tmp_path / "model"), tmp_path / "out"
    few = Codes(CODES.codes[:5], CODES.codebooks)
    large = Codes(CODES.codes, 1e30 * CODES.codebooks)
    for codes, target, options, message in (
        (few, out, {}, r"no matrix is \[5, 4\], as the codes decode"),
        (few, out, {"tensor": NAME}, r"weight is \[9, 4\], and the codes decode to \[5, 4\]"),
        (CODES, out, {"tensor": "gone"}, "no matrix named 'gone'; matrices in it: model.embed"),
        (CODES, folder, {}, "model is there already; name a folder that is not"),
        (CODES, folder / "out", {}, "out is inside of .*model, which is copied"),
    ):
        with pytest.raises(InputError, match=message):
            export_model(folder, codes, target, **options)
    with pytest.raises(InputError, match="no model; expected a folder with"):
        export_model(tmp_path, CODES, out)
    make_model(folder, np.float16)
    with pytest.raises(InputError, match="weight is F16, which cannot hold a row"):
        export_model(folder, large, out)
    assert {f.name for f in tmp_path.iterdir()} == {"model"}
