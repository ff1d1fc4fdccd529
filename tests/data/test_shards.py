"""Models in .safetensors files: damaged headers, several matrices, and shards with an index."""

import json

import numpy as np
import pytest
import safetensors.numpy

from jaxcompress import InputError
from jaxcompress.data import read_vectors
from jaxcompress.loading import read_table

ROWS = np.arange(12, dtype=np.float32).reshape(4, 3)
FIRST, SECOND = "model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"
SHARDS = {
    FIRST: {"h.0.attn.weight": np.ones((9, 3), np.float32), "h.0.bias": np.ones(3, np.float32)},
    SECOND: {
        "embeddings.position_embeddings.weight": np.ones((8, 3), np.float32),
        "embeddings.word_embeddings.weight": ROWS,
    },
}
NAME = "embeddings.word_embeddings.weight"


@pytest.fixture
def model(tmp_path):
    """The folder of a model in two shards."""
    for shard, tensors in SHARDS.items():
        safetensors.numpy.save_file(tensors, tmp_path / shard)
    write_index(tmp_path, {name: shard for shard in SHARDS for name in SHARDS[shard]})
    return tmp_path


def write_index(folder, weight_map):
    content = json.dumps({"metadata": {"total_size": 1}, "weight_map": weight_map})
    (folder / "model.safetensors.index.json").write_text(content)


@pytest.mark.parametrize("read", [read_vectors, read_table])
def test_a_model_in_shards_is_opened_by_its_index_or_its_folder(model, read):
    for path in (model, model / "model.safetensors.index.json"):
        vectors = read(str(path), tensor=NAME)
        np.testing.assert_array_equal(vectors.rows, ROWS)
        assert vectors.source == str(model / SECOND)


@pytest.mark.parametrize("read", [read_vectors, read_table])
def test_a_model_in_one_file_is_opened_by_its_folder(tmp_path, read):
    safetensors.numpy.save_file({"table": ROWS}, tmp_path / "model.safetensors")
    (tmp_path / "config.json").write_text("{}")
    np.testing.assert_array_equal(read(str(tmp_path)).rows, ROWS)


def test_matrices_are_listed_the_likeliest_first_over_all_shards(model):
    listed = (
        rf"{NAME} \[4, 3\], h.0.attn.weight \[9, 3\], "
        r"embeddings.position_embeddings.weight \[8, 3\]\.$"
    )
    for tensor, reason in (
        ("wte", "no matrix named 'wte'"),
        ("h.0.bias", "no matrix named 'h.0.bias'"),
    ):
        with pytest.raises(InputError, match=rf"index.json: {reason}; matrices in it: {listed}"):
            read_vectors(str(model), tensor=tensor)


def test_of_many_matrices_ten_are_listed(tmp_path):
    tensors = {f"h.{i}": np.ones((2, 3), np.float32) for i in range(40)}
    safetensors.numpy.save_file({**tensors, "wte": ROWS[:1]}, tmp_path / "lm.safetensors")
    with pytest.raises(InputError, match=r"in it: wte \[1, 3\], h.0 .* and 31 more\.$") as caught:
        read_vectors(str(tmp_path / "lm.safetensors"), tensor="emb")
    assert str(caught.value).count("[") == 10


def test_a_shard_that_is_not_there_is_told_if_it_is_needed(model):
    (model / FIRST).unlink()
    np.testing.assert_array_equal(read_vectors(str(model), tensor=NAME).rows, ROWS)
    with pytest.raises(InputError, match=rf"h.0.bias is in {FIRST}, which is not beside it; fetch"):
        read_vectors(str(model), tensor="h.0.bias")


def test_what_the_index_does_not_name_is_not_there(model):
    write_index(model, {NAME: SECOND})
    np.testing.assert_array_equal(read_vectors(str(model)).rows, ROWS)
    name = "embeddings.position_embeddings.weight"
    with pytest.raises(InputError, match=rf"no matrix named '{name}'; matrices in it: {NAME} "):
        read_vectors(str(model), tensor=name)


@pytest.mark.parametrize(
    "content",
    ["", "[]", "{}", '{"weight_map": []}', '{"weight_map": {"wte": 5}}',
     '{"weight_map": {"wte": "../other.safetensors"}}', "[" * 100_000, b"\xff"],
    ids=lambda content: repr(content[:24]),
)  # fmt: skip
def test_a_damaged_index_is_one_line(tmp_path, content):
    file = tmp_path / "model.safetensors.index.json"
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(InputError, match=r"index\.json: not an index of shards") as caught:
        read_vectors(str(tmp_path), tensor="wte")
    assert "\n" not in str(caught.value)


def test_a_folder_without_a_model_is_told(tmp_path):
    with pytest.raises(InputError, match="is a folder; expected a file, or a folder with mod"):
        read_vectors(str(tmp_path))


GOOD = {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24]}


@pytest.mark.parametrize(
    ("header", "message"),
    [
        ([GOOD], "its header is no JSON object"),
        ({"a": [GOOD]}, r"damaged; its header says of 'a' \[.*; expected dtype, shape and data"),
        ({"a": {}}, r"its header says of 'a' \{\}"),
        ({"a": GOOD, "b": {"dtype": "F32", "shape": [2]}}, "its header says of 'b'"),
        ({"a": GOOD, "__metadata__": ["x"]}, "its __metadata__ is no JSON object"),
        ({"a": {**GOOD, "dtype": 32}}, "its header says of 'a'"),
        ({"a": {**GOOD, "shape": [2.0, 3.0]}}, "its header says of 'a'"),
        ({"a": {**GOOD, "shape": [-2, -3]}}, "its header says of 'a'"),
        ({"a": {**GOOD, "shape": [True, 6]}}, "its header says of 'a'"),
        ({"a": {**GOOD, "data_offsets": [0]}}, "its header says of 'a'"),
        ({"a": {**GOOD, "data_offsets": [24, 0]}}, "its header says of 'a'"),
        ({"a": {**GOOD, "data_offsets": [-24, 0]}}, "its header says of 'a'"),
        ({"a": {**GOOD, "data_offsets": ["0", "24"]}}, "its header says of 'a'"),
        (
            {"a": {**GOOD, "shape": [3, 3]}},
            r"damaged; a is F32 \[3, 3\], which takes 36 bytes, and its data_offsets span 24",
        ),
        ({"a": {**GOOD, "dtype": "F64"}}, r"a is F64 \[2, 3\], which takes 48 bytes, and its"),
        ({"a": {**GOOD, "shape": [4, 3], "data_offsets": [0, 48]}}, "cut short; a should end at"),
        ({"a": {**GOOD, "shape": [0, 3], "data_offsets": [0, 0]}}, r"shape is \[0, 3\]"),
        ({"a": {**GOOD, "dtype": "I32"}}, "a is I32; expected one of F16, BF16, F32, F64"),
    ],
    ids=repr,
)
def test_a_header_that_contradicts_itself_is_one_line(tmp_path, header, message):
    text = json.dumps(header).encode()
    file = tmp_path / "bad.safetensors"
    file.write_bytes(len(text).to_bytes(8, "little") + text + bytes(24))
    for read in (read_vectors, read_table):
        with pytest.raises(InputError, match=message) as caught:
            read(str(file))
        assert str(caught.value).startswith(str(file))
        assert "\n" not in str(caught.value)
