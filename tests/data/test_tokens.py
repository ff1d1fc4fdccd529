"""The table of a model's tokens: found by name and shape, its rows named by `tokenizer.json`."""

import json

import numpy as np
import pytest
import safetensors.numpy

from jaxcompress import InputError
from jaxcompress.data import read_vectors

ROWS = np.arange(20, dtype=np.float32).reshape(5, 4)
BPE = {"vocab": {"<s>": 0, "Ġthe": 1, "n": 2}, "merges": []}
UNIGRAM = {"type": "Unigram", "vocab": [["<s>", 0.0], ["▁the", -1.5], ["n", -3]]}
ADDED = [{"id": 3, "content": "<pad>"}, {"id": 0, "content": "<s>"}]


def make_model(folder, tensors, model=None, **config):
    safetensors.numpy.save_file(tensors, folder / "model.safetensors")
    if model is not None:
        content = {"model": model, "added_tokens": ADDED}
        (folder / "tokenizer.json").write_text(json.dumps(content))
    if config:
        (folder / "config.json").write_text(json.dumps(config))
    return str(folder)


@pytest.mark.parametrize(("model", "the"), [(BPE, "Ġthe"), (UNIGRAM, "▁the")])
def test_rows_have_the_names_of_the_tokenizer(tmp_path, model, the):
    read = read_vectors(make_model(tmp_path, {"shared": ROWS}, model))
    assert read.words == ["<s>", the, "n", "<pad>", "<row 4>"]
    np.testing.assert_array_equal(read.rows, ROWS)
    assert read.notes == ("rows are named by the 4 tokens of tokenizer.json.",)
    assert read_vectors(str(tmp_path / "model.safetensors"), max_rows=2).words == ["<s>", the]


def test_no_row_is_lost_by_the_name_of_its_token(tmp_path):
    vocab = {"a": 0, "two\nlines": 1, "<row 4>": 2, "\ud800": 4}
    words = read_vectors(make_model(tmp_path, {"wte": ROWS}, {"vocab": vocab})).words
    assert words == ["<s>", "<row 1>", "<row 4>", "<pad>", "<row 4>>"]


def test_other_matrices_and_damaged_tokenizers_name_nothing(tmp_path):
    tensors = {"wte": ROWS, "h": np.ones((900, 4), np.float32)}
    folder = make_model(tmp_path, tensors, BPE)
    assert read_vectors(folder, tensor="h").words is None
    for content in ("", "[]", "{}", '{"model": {"vocab": {}}}', '{"model": {"vocab": {"a": "b"}}}',
                    '{"model": {"vocab": [5]}}', "[" * 100_000):  # fmt: skip
        (tmp_path / "tokenizer.json").write_text(content)
        read = read_vectors(folder, tensor="wte")
        assert read.words is None
        assert "tokenizer.json: " in read.notes[0]
        assert read.notes[0].endswith("Rows have no names.")


@pytest.mark.parametrize("config", [{}, {"vocab_size": 5}])
def test_the_likely_table_is_taken_and_said(tmp_path, config):
    tensors = {
        "embed.positions": np.ones((400, 4), np.float32),
        "embed_tokens": ROWS,
        "embed_hidden": np.ones((300, 8), np.float32),
        "lm_head": ROWS + 1,
    }
    folder = make_model(tmp_path, tensors, None, **config)
    if not config:
        with pytest.raises(InputError, match=r"no data\.tensor given; matrices in it: emb"):
            read_vectors(folder)
        del tensors["embed_hidden"]
        make_model(tmp_path, tensors)
    read = read_vectors(folder)
    np.testing.assert_array_equal(read.rows, ROWS)
    why = "name and shape" if config else "name"
    assert read.notes == (f"took embed_tokens [5, 4] by its {why}; data.tensor takes another.",)
