"""Static models: vectors of texts from codes, next to the means of the table's own rows."""

import json

import numpy as np
import pytest
import safetensors.numpy
import scipy.stats

from jaxcompress import Codes, InputError
from jaxcompress.data import read_vectors
from jaxcompress.models import Settings, StaticModel, export_model, read_static

tokenizers = pytest.importorskip("tokenizers")

V, D = 300, 16
RNG = np.random.default_rng(0)
CODES = Codes(RNG.integers(0, 8, (V, 6)), RNG.normal(size=(6, 8, D)).astype(np.float32))
TABLE = CODES.decode() + 0.5 * RNG.normal(size=(V, D)).astype(np.float32)  # what codes lose
WORDS = ["[UNK]", *(f"w{i}" for i in range(1, V))]
TEXTS = [" ".join(WORDS[i] for i in RNG.integers(1, V, RNG.integers(1, 9))) for _ in range(400)]


def write_tokenizer(folder):
    model = tokenizers.models.WordLevel({word: i for i, word in enumerate(WORDS)}, "[UNK]")
    tokenizer = tokenizers.Tokenizer(model)
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()
    tokenizer.save(str(folder / "tokenizer.json"))


def make_model2vec(folder, tensors, **config):
    folder.mkdir()
    write_tokenizer(folder)
    safetensors.numpy.save_file(tensors, folder / "model.safetensors")
    (folder / "config.json").write_text(json.dumps(config))
    return folder


def make_sentence_transformers(folder, *more):
    (folder / "0_StaticEmbedding").mkdir(parents=True)
    write_tokenizer(folder / "0_StaticEmbedding")
    table = {"embedding.weight": TABLE}
    safetensors.numpy.save_file(table, folder / "0_StaticEmbedding" / "model.safetensors")
    modules = ["0_StaticEmbedding", *more]
    kinds = [{"path": m, "type": f"sentence_transformers.models.{m[2:]}"} for m in modules]
    (folder / "modules.json").write_text(json.dumps(kinds))
    return folder


def mean_of(table, text, skip=()):
    """The mean of a text's rows, one after another."""
    ids = [WORDS.index(word) if word in WORDS else 0 for word in text.split()]
    rows = [table[i].astype(np.float64) for i in ids if i not in skip]
    return sum(rows) / len(rows) if rows else np.zeros(D)


def test_vectors_are_means_and_their_similarities_rank_as_those_of_the_table(tmp_path, monkeypatch):
    folder = make_model2vec(tmp_path / "m", {"embeddings": TABLE})
    read = read_static(folder)
    np.testing.assert_array_equal(read.rows, TABLE)
    assert read.words == WORDS
    model = StaticModel.from_folder(folder, CODES)
    decoded, decode = [], Codes.decode
    table = CODES.decode()
    monkeypatch.setattr(Codes, "decode", lambda *a: decoded.append(decode(*a)) or decoded[-1])
    vectors = model.encode(TEXTS)
    assert max(map(len, decoded)) < V  # the table is never made
    expected = np.stack([mean_of(table, text) for text in TEXTS])
    np.testing.assert_allclose(vectors, expected, atol=1e-5)
    np.testing.assert_allclose(model.encode(TEXTS[3]), expected[3], atol=1e-5)

    original = np.stack([mean_of(TABLE, text) for text in TEXTS])
    cosines = []
    for made in (vectors, original):
        unit = made / np.linalg.norm(made, axis=1, keepdims=True)
        cosines.append((unit[::2] * unit[1::2]).sum(axis=1))
    assert scipy.stats.spearmanr(*cosines).statistic > 0.95


def test_unknown_tokens_long_texts_and_lengths_are_as_the_folder_says(tmp_path):
    text, table = "w1 w2 who w3 w4 w5", CODES.decode()
    ours = make_model2vec(tmp_path / "a", {"embeddings": TABLE}, normalize=True, max_length=4)
    model = StaticModel.from_folder(ours, CODES)
    assert model.settings == Settings(True, True, 4)
    expected = mean_of(table, "w1 w2 w3")
    np.testing.assert_allclose(model.encode(text), expected / np.linalg.norm(expected), atol=1e-5)
    np.testing.assert_array_equal(model.encode(["", "who"]), np.zeros((2, D)))

    theirs = make_sentence_transformers(tmp_path / "b")
    model = StaticModel.from_folder(theirs, CODES)
    assert model.settings == Settings()
    np.testing.assert_allclose(model.encode(text), mean_of(table, text), atol=1e-5)
    normal = make_sentence_transformers(tmp_path / "c", "1_Normalize")
    assert StaticModel.from_folder(normal, CODES).settings.normalize
    assert StaticModel.from_folder(make_model2vec(tmp_path / "d", {"embeddings": TABLE}), CODES)


def test_tokens_that_share_rows_and_have_weights_get_rows_of_their_own(tmp_path):
    mapping, weights = RNG.integers(0, 40, V), RNG.random(V)
    tensors = {"embeddings": TABLE[:40].copy(), "mapping": mapping, "weights": weights}
    read = read_static(make_model2vec(tmp_path / "m", tensors))
    assert read.words == WORDS
    np.testing.assert_allclose(read.rows, TABLE[mapping] * weights[:, None], rtol=1e-5)


def test_what_is_saved_and_exported_is_opened_again(tmp_path):
    folder = make_model2vec(tmp_path / "m", {"embeddings": TABLE}, normalize=True)
    model = StaticModel.from_folder(folder, CODES)
    model.save(tmp_path / "codes")
    loaded = StaticModel.load(tmp_path / "codes")
    assert loaded.settings == model.settings == Settings(True, True, 512)
    np.testing.assert_array_equal(loaded.encode(TEXTS), model.encode(TEXTS))
    loaded.export(tmp_path / "out")
    np.testing.assert_array_equal(read_static(tmp_path / "out").rows, CODES.decode())
    again = StaticModel.from_folder(tmp_path / "out", CODES)
    np.testing.assert_array_equal(again.encode(TEXTS), model.encode(TEXTS))
    for write in (model.save, model.export):
        with pytest.raises(InputError, match="out is there already; name a folder that is not"):
            write(tmp_path / "out")


def test_a_table_in_the_folder_of_a_module_is_read_and_put_back(tmp_path):
    folder = make_sentence_transformers(tmp_path / "m")
    assert read_vectors(str(folder)).words == WORDS
    assert export_model(folder, CODES, tmp_path / "out").tensors == ("embedding.weight",)
    np.testing.assert_array_equal(read_static(tmp_path / "out").rows, CODES.decode())


def test_other_folders_are_refused_in_one_line(tmp_path):
    folder = make_model2vec(tmp_path / "m", {"embeddings": TABLE})
    few = Codes(CODES.codes[:9], CODES.codebooks)
    (tmp_path / "n").mkdir()
    (tmp_path / "n" / "modules.json").write_text("{]")
    short = make_model2vec(tmp_path / "s", {"embeddings": TABLE[:9].copy()})
    for call, message in (
        (lambda: StaticModel.from_folder(folder, few), "tokens up to 299, and the codes have 9 ro"),
        (lambda: StaticModel.from_folder(tmp_path, CODES), "no static model; expected a folder of"),
        (lambda: StaticModel.load(folder), r"no static\.json; expected a folder that StaticModel"),
        (lambda: read_static(tmp_path / "n"), r"modules\.json: no list of modules"),
        (lambda: read_static(short), "9 rows, and tokenizer.json has tokens up to 299"),
    ):
        with pytest.raises(InputError, match=message):
            call()
    (folder / "tokenizer.json").write_text('{"model": {"vocab": {"a": 0}}}')
    with pytest.raises(InputError, match="the tokenizers library cannot open it"):
        StaticModel.from_folder(folder, CODES)
