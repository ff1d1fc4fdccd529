"""`compress` and `refine`: what an argument, a config and what is handed over come to."""

import sys
import types

import numpy as np
import pytest

import jaxcompress
from jaxcompress import Codes, InputError, dccl
from jaxcompress.data import Vectors
from jaxcompress.dccl import export
from jaxcompress.dccl import prepare as dccl_prepare
from jaxcompress.engine import loop
from jaxcompress.engine.figures import Figures

ROWS = np.random.default_rng(0).normal(size=(80, 4)).astype(np.float32)
WORDS = [f"w{i}" for i in range(80)]
CODES = Codes(np.arange(160).reshape(80, 2) % 4, np.ones((2, 4, 4), np.float32), WORDS)


def tiny(**settings):
    """A config that is trained in a moment."""
    return dccl.Config(
        **{
            "num_steps": 20,
            "batch_size": 20,
            "eval_every": 5,
            "steps_per_dispatch": 5,
            "model": dccl.ModelConfig(num_codebooks=2, num_codewords=4),
            "refine": dccl.RefineConfig(num_rounds=0),
            **settings,
        }
    )


class Prepared(Exception):
    """Raised in the place of training, with what would have been trained on."""


@pytest.fixture
def prepared(monkeypatch):
    """Calls `compress`; gives the rows, the config and the weights that it would train on."""

    def refuse(rows, config, weights, say):
        raise Prepared(rows, config, weights)

    def call(*arguments, **settings):
        with pytest.raises(Prepared) as caught:
            jaxcompress.compress(*arguments, **settings)
        return caught.value.args

    monkeypatch.setattr(dccl_prepare, "prepare", refuse)
    return call


def test_an_argument_beats_the_config_and_the_config_beats_the_default(prepared):
    def model(*arguments, **settings):
        config = prepared(ROWS, *arguments, **settings)[1]
        return config.model.num_codebooks, config.model.num_codewords, config.seed

    assert model() == (32, 16, 0)
    assert model(8) == (8, 16, 0)
    assert model(config=tiny(seed=3)) == (2, 4, 3)
    assert model(5, config=tiny(seed=3)) == (5, 4, 3)
    assert model(num_codewords=8, seed=7, config=tiny(seed=3)) == (2, 8, 7)
    assert model(seed=0, config=tiny(seed=3)) == (2, 4, 0)


def test_rows_are_held_out_only_if_the_config_says_how_many(prepared):
    for settings in ({}, {"seed": 1}, {"config": dccl.Config(seed=1)}, {"config": tiny()}):
        assert prepared(ROWS, **settings)[1].data.valid_rows == 0
    config = tiny(data=dccl.DataConfig(valid_rows=9))
    assert prepared(ROWS, config=config)[1].data.valid_rows == 9


def test_rows_past_the_most_that_the_config_asks_for_are_left_out(prepared):
    config = tiny(data=dccl.DataConfig(max_rows=60))
    weights = np.arange(80) + 1.0
    for given, expected in (
        (None, None),
        (weights, weights[:60]),
        (weights[:60], weights[:60]),
        ("zipf", 1 / np.arange(1, 61)),
    ):
        rows, _, kept = prepared(ROWS, weights=given, config=config)
        np.testing.assert_array_equal(rows, ROWS[:60])
        assert (kept is None) == (expected is None)
        assert expected is None or np.array_equal(kept, expected)
    with pytest.raises(InputError, match=r"data.max_rows is 0; it must be at least 1"):
        jaxcompress.compress(ROWS, config=tiny(data=dccl.DataConfig(max_rows=0)))


class Asked(Exception):
    """Raised in the place of a function, with what it was called with."""


def test_words_that_come_with_the_vectors_name_the_rows(monkeypatch):
    def words_of(*arguments, **settings):
        with pytest.raises(Asked) as caught:
            jaxcompress.compress(*arguments, **settings)
        return caught.value.args[0]

    def to_codes(problem, state, words):
        raise Asked(words)

    monkeypatch.setattr(loop, "fit", lambda job, **settings: types.SimpleNamespace(state=None))
    monkeypatch.setattr(export, "to_codes", to_codes)
    vectors, others = Vectors(ROWS, WORDS), WORDS[::-1]
    config = tiny(data=dccl.DataConfig(max_rows=60))
    assert words_of(ROWS, config=tiny()) is None
    assert words_of(vectors, config=tiny()) == WORDS
    assert words_of(vectors, words=iter(others), config=tiny()) == others
    assert words_of(vectors, config=config) == WORDS[:60]
    with pytest.raises(InputError, match="the words of the vectors are not those of the codes"):
        jaxcompress.refine(CODES, Vectors(ROWS, others))
    monkeypatch.setattr(Codes, "encode", lambda codes, rows: codes.codes[: len(rows)])
    added = CODES.append(None, Vectors(ROWS[:2], ["new", "newer"])).codes
    assert added.words == [*WORDS, "new", "newer"]


def test_compress_returns_what_a_run_returns_the_best_state(tmp_path, monkeypatch):
    measured = Figures.of_evaluation

    def figures(self, sums, step):
        names = measured(self, sums, step)
        return {**names, "sample_mean_squared_l2": float(abs(step - 8))}

    monkeypatch.setattr(Figures, "of_evaluation", figures)
    np.save(tmp_path / "table.npy", ROWS)
    config = tiny(data=dccl.DataConfig(path=str(tmp_path / "table.npy"), valid_rows=0))
    outcome = dccl.train(config, str(tmp_path / "run"))
    assert outcome.codes.metadata["step"] == "10"  # of 5, 10, 15 and 20
    codes = jaxcompress.compress(ROWS, config=config)
    np.testing.assert_array_equal(codes.codes, outcome.codes.codes)
    np.testing.assert_array_equal(codes.codebooks, outcome.codes.codebooks)


@pytest.mark.parametrize(
    "take",
    [
        jaxcompress.compress,
        lambda vectors: jaxcompress.refine(CODES, vectors),
        CODES.encode,
        lambda vectors: CODES.append(WORDS, vectors),
        lambda vectors: jaxcompress.rate_distortion_bound(vectors, 8),
    ],
    ids=["compress", "refine", "encode", "append", "bound"],
)
def test_everything_that_takes_vectors_refuses_the_same(take):
    for vectors, message in (
        (ROWS + 1j, "complex numbers"),
        (np.ma.array(ROWS), "masked array"),
        ([[1.0], [1.0, 2.0]], "rows differ in length"),
        ([["a", "b", "c", "d"]], "strings"),
        (ROWS.astype("M8[D]"), "dates"),
    ):
        with pytest.raises(InputError, match=message):
            take(vectors)


def test_weights_that_are_no_numbers_are_refused():
    for weights, message in (
        ([1, [2]], "weights are no list of numbers"),
        (np.ma.array(np.ones(80)), "weights are a masked array"),
        ({"w0": 1}, "weights are no list of numbers, but an object of type dict"),
    ):
        for call in (jaxcompress.compress, lambda *a, **k: jaxcompress.refine(CODES, *a, **k)):
            with pytest.raises(InputError, match=message):
                call(ROWS, weights=weights)


def test_notes_go_to_the_logger_and_nothing_is_printed(tmp_path, caplog, capsys):
    (tmp_path / "w.txt").write_text("w0 2\nnobody 1\n")
    weights = tmp_path / "w.txt"
    config = tiny(batch_size=100, num_steps=5)
    jaxcompress.compress(ROWS, words=WORDS, weights=weights, config=config)
    notes = [record.getMessage() for record in caplog.records if record.name == "jaxcompress"]
    assert len(notes) == 4
    assert notes[0].startswith("words without a weight in")
    assert notes[2] == "batch_size 100 was clipped to 80, for 80 training rows."
    assert notes[3].startswith("codebooks are stored as float32; as float16 the mean squared L2")
    jaxcompress.refine(CODES, ROWS, weights=weights, num_rounds=0)
    assert len(caplog.records) == 6
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("asked", "terminal", "notebook", "shown"),
    [
        (None, False, False, False),
        (None, True, False, True),
        (None, False, True, True),
        (False, True, True, False),
        (True, False, False, True),
    ],
)
def test_a_bar_is_shown_where_someone_sees_it(monkeypatch, asked, terminal, notebook, shown):
    def fit(job, *, show_progress, **others):
        raise Asked(show_progress)

    shell = types.SimpleNamespace(**({"kernel": object()} if notebook else {}))
    module = types.SimpleNamespace(get_ipython=lambda: shell)
    monkeypatch.setattr(loop, "fit", fit)
    monkeypatch.setitem(sys.modules, "IPython", module)
    monkeypatch.setattr(sys.stderr, "isatty", lambda: terminal)
    with pytest.raises(Asked) as caught:
        jaxcompress.compress(ROWS, config=tiny(), show_progress=asked)
    assert caught.value.args == (shown,)
