import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxcompress import InputError, tying
from jaxcompress.tying.model import make_model, no_masks, zero_carry
from jaxcompress.tying.reader import Reader

WORDS = ["<eos>", "<unk>", "anna", "sees"]
CONFIG = tying.ModelConfig(hidden_size=2, num_layers=1)


def make_reader(probabilities):
    """A model that gives words these probabilities, whatever it has read."""
    model = make_model(CONFIG, len(WORDS))
    empty, carry, masks = jnp.zeros((1, 1), jnp.int32), zero_carry(CONFIG, 1), no_masks(CONFIG, 1)
    params = model.init(jax.random.key(0), empty, carry, masks)["params"]
    logits = jnp.log(jnp.asarray(probabilities, jnp.float32))
    params = {**params, "classifier": jnp.zeros_like(params["classifier"]), "bias": logits}
    return Reader(CONFIG, params, WORDS)


def test_the_likeliest_words_come_first_with_their_probabilities():
    reader = make_reader([0.1, 0.2, 0.4, 0.3])
    found = tying.predict_words(reader, "anna sees", num_words=3)
    assert [word for word, _ in found] == ["anna", "sees", "<unk>"]
    np.testing.assert_allclose([p for _, p in found], [0.4, 0.3, 0.2], rtol=1e-6)


def test_all_words_are_shown_if_more_are_asked_for():
    found = tying.predict_words(make_reader([0.1, 0.2, 0.4, 0.3]), num_words=10)
    assert len(found) == len(WORDS)
    np.testing.assert_allclose(sum(p for _, p in found), 1.0, rtol=1e-6)


def test_an_end_of_line_is_a_line_break():
    assert tying.generate_text(make_reader([1, 0, 0, 0]), "anna", num_tokens=3) == "\n\n\n"
    assert tying.generate_text(make_reader([0, 0, 0, 1]), num_tokens=3) == "sees sees sees"


@pytest.mark.parametrize(("temperature", "share"), [(1.0, 0.8), (0.5, 0.8**2 / 0.68), (2.0, 2 / 3)])
def test_words_are_drawn_by_the_softmax_over_the_temperature(temperature, share):
    # 0.8 and 0.2, to the power 1 / temperature: 0.64 and 0.04, or sqrt(0.8) = 2 sqrt(0.2)
    reader = make_reader([0, 0, 0.8, 0.2])
    drawn = tying.generate_text(reader, "", 4000, temperature).split()
    assert len(drawn) == 4000
    # three standard deviations of a mean of 4,000 draws: 3 sqrt(0.25 / 4000)
    assert abs(drawn.count("anna") / 4000 - share) < 0.024


def test_a_seed_tells_what_is_drawn():
    reader = make_reader([0.25, 0.25, 0.25, 0.25])
    one, same, other = (tying.generate_text(reader, num_tokens=40, seed=s) for s in (1, 1, 2))
    assert one == same
    assert one != other


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda r: tying.predict_words(r, num_words=0), "num_words is 0; it must be at least 1."),
        (lambda r: tying.generate_text(r, num_tokens=0), "num_tokens is 0; it must be at least 1."),
        (lambda r: tying.generate_text(r, temperature=0.0), "temperature is 0.0; it must be above"),
        (
            lambda r: tying.generate_text(r, temperature=float("nan")),
            "temperature is nan; it must be above 0.",
        ),
    ],
)
def test_what_cannot_be_drawn_is_reported(call, message):
    with pytest.raises(InputError, match=message):
        call(Reader(CONFIG, {}, WORDS))
