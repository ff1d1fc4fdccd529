"""What the user has set in jax changes no result of the library."""

import contextlib

import helpers
import jax
import numpy as np
import pytest

import jaxcompress
from jaxcompress import ant, dccl, tying
from jaxcompress.engine import own_settings

SETTINGS = {
    "x64": lambda: own_settings.enable_x64(True),
    "ranks": lambda: jax.numpy_rank_promotion("raise"),
    "types": lambda: jax.numpy_dtype_promotion("strict"),
    "transfers": lambda: jax.transfer_guard("disallow"),
    "no jit": jax.disable_jit,
    "mesh": lambda: jax.set_mesh(jax.make_mesh((jax.device_count(),), ("mine",))),
}


@contextlib.contextmanager
def all_settings():
    with contextlib.ExitStack() as stack:
        for setting in SETTINGS.values():
            stack.enter_context(setting())
        yield


def compress_and_encode():
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(120, 6)).astype(np.float32)
    config = dccl.Config(num_steps=20, refine=dccl.RefineConfig(num_rounds=2))
    codes = jaxcompress.compress(
        vectors[:100], num_codebooks=3, num_codewords=4, config=config, show_progress=False
    )
    refined = jaxcompress.refine(codes, vectors[:100], num_rounds=1)
    whole = refined.append(None, vectors[100:]).codes
    return whole.codes, whole.codebooks, codes.encode(vectors, num_rounds=1)


@pytest.fixture(scope="module")
def expected():
    return compress_and_encode()


@pytest.mark.parametrize("name", SETTINGS)
def test_codes_are_the_same_bit_for_bit(name, expected):
    with SETTINGS[name]():
        found = compress_and_encode()
    for one, other in zip(found, expected, strict=True):
        assert one.dtype == other.dtype
        np.testing.assert_array_equal(one, other)


def test_settings_are_the_users_again_after_a_call_and_after_an_error():
    @own_settings.own_settings
    def fails():
        assert not jax.config.jax_enable_x64
        raise ValueError("mine")

    with all_settings():
        with pytest.raises(ValueError, match="mine"):
            fails()
        assert jax.config.jax_enable_x64
        assert jax.config.jax_disable_jit
        assert jax.config.jax_numpy_rank_promotion == "raise"
        assert jax.sharding.get_abstract_mesh().axis_names == ("mine",)


@pytest.mark.slow
def test_other_methods_train_and_answer_as_without(tmp_path):
    helpers.make_text(tmp_path)
    ratings = tmp_path / "ratings.csv"
    rng = np.random.default_rng(0)
    lines = [f"u{u},i{i},{rng.integers(1, 6)}" for u in range(25) for i in range(22)]
    ratings.write_text("user,item,rating\n" + "\n".join(lines) + "\n")

    def results(name):
        text = tying.Config(
            batch_size=24, unroll=5, num_steps=20, eval_every=10, steps_per_dispatch=5,
            data=tying.DataConfig(path=str(tmp_path)),
            model=tying.ModelConfig(hidden_size=8),
        )  # fmt: skip
        words = str(tmp_path / f"{name}-text")
        tying.train(text, words)
        rates = ant.Config(
            batch_size=32, num_steps=20, eval_every=10, steps_per_dispatch=5,
            data=ant.DataConfig(path=str(ratings)),
        )  # fmt: skip
        items = str(tmp_path / f"{name}-ratings")
        figures = ant.train(rates, items).summary["test_rmse"]
        ranking = ant.rank_items(items)
        reader = tying.open_reader(words)
        return tying.perplexity(words), tying.predict_words(reader, "anna"), figures, ranking

    usual = results("usual")
    with all_settings():
        unusual = results("unusual")
    assert unusual[0] == usual[0]
    assert unusual[1] == usual[1]
    assert unusual[2] == usual[2]
    for ours, theirs in zip(unusual[3].figures.values(), usual[3].figures.values(), strict=True):
        np.testing.assert_array_equal(ours, theirs)
