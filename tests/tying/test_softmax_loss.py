import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxcompress.tying import softmax_loss as module
from jaxcompress.tying.softmax_loss import Augmentation, softmax_loss

V, B, T, D = 50, 3, 7, 8
TAU, ALPHA = 3.0, 1.7


@pytest.fixture(scope="module")
def case():
    rng = np.random.default_rng(0)

    def draw(*shape):
        return jnp.asarray(rng.normal(size=shape), jnp.float32)

    targets = jnp.asarray(rng.integers(0, V, (B, T)))
    weights = jnp.asarray(rng.uniform(size=(B, T)), jnp.float32).at[0, -2:].set(0.0)
    return draw(B, T, D), draw(V, D), draw(V), draw(V, D), targets, weights


def plain(hidden, classifier, bias, embedding, targets, weights, augmented, teacher_gradient):
    """The loss as the paper writes it (eqs. 3.1 to 3.5), all logits at once."""
    logits = hidden @ classifier.T + (0 if bias is None else bias)
    log_p = jax.nn.log_softmax(logits)
    loss = -jnp.take_along_axis(log_p, targets[..., None], axis=-1)[..., 0]
    if augmented:
        if not teacher_gradient:
            embedding = jax.lax.stop_gradient(embedding)
        log_teacher = jax.nn.log_softmax(embedding[targets] @ embedding.T / TAU)
        log_student = jax.nn.log_softmax(logits / TAU)
        loss += ALPHA * jnp.sum(jnp.exp(log_teacher) * (log_teacher - log_student), axis=-1)
    return jnp.sum(loss * weights)


def fused(hidden, classifier, bias, embedding, targets, weights, augmented, teacher_gradient):
    augmentation = None
    if augmented:
        augmentation = Augmentation(embedding, jnp.float32(TAU), jnp.float32(ALPHA))
    return softmax_loss(hidden, classifier, bias, targets, weights, augmentation, teacher_gradient)[
        0
    ]


@pytest.mark.parametrize("chunk_steps", [T, 3, 1])
@pytest.mark.parametrize("with_bias", [True, False])
@pytest.mark.parametrize(
    ("augmented", "teacher_gradient"), [(False, False), (True, False), (True, True)]
)
def test_value_and_gradients_are_those_of_the_plain_form(
    case, monkeypatch, chunk_steps, with_bias, augmented, teacher_gradient
):
    monkeypatch.setattr(module, "_CHUNK_BYTES", chunk_steps * B * V * 4)
    hidden, classifier, bias, embedding, targets, weights = case
    bias = bias if with_bias else None

    def both(function):
        def value(hidden, classifier, bias, embedding):
            return 2.5 * function(
                hidden, classifier, bias, embedding, targets, weights, augmented, teacher_gradient
            )

        return jax.value_and_grad(value, (0, 1, 2, 3))(hidden, classifier, bias, embedding)

    got, expected = both(fused), both(plain)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-5), got, expected)


@pytest.mark.parametrize("teacher_gradient", [False, True])
def test_one_table_on_both_sides_gets_the_gradients_of_both(case, teacher_gradient):
    hidden, table, _, _, targets, weights = case

    def value(function, table, taught):
        return function(hidden, table, None, taught, targets, weights, True, teacher_gradient)

    got = jax.grad(lambda table: value(fused, table, None))(table)
    expected = jax.grad(lambda table: value(plain, table, table))(table)
    np.testing.assert_allclose(got, expected, rtol=1e-5, atol=1e-5)


def test_the_cross_entropy_comes_beside_the_loss(case):
    hidden, classifier, bias, embedding, targets, weights = case
    augmentation = Augmentation(embedding, jnp.float32(TAU), jnp.float32(ALPHA))
    _, got = softmax_loss(hidden, classifier, bias, targets, weights, augmentation)
    expected = plain(hidden, classifier, bias, embedding, targets, weights, False, False)
    np.testing.assert_allclose(got, expected, rtol=1e-6)


def test_the_augmented_loss_of_four_words_by_hand():
    # One unit; L = (0, ln 2, ln 4, 0), tau = ln 2, target 1: L L_y / tau = (0, 1, 2, 0) ln 2, so
    # the teacher is (1, 2, 4, 1) / 8. The logits are (0, 0, ln 4, 0): their softmax is
    # (1, 1, 4, 1) / 7 and, over tau, the student is (1, 1, e^2, 1) / (3 + e^2).
    tau = np.log(2.0)
    embedding = jnp.array([[0.0], [np.log(2.0)], [np.log(4.0)], [0.0]], jnp.float32)
    classifier = jnp.array([[0.0], [0.0], [1.0], [0.0]], jnp.float32)
    hidden = jnp.array([[[2 * np.log(2.0)]]], jnp.float32)
    teacher = np.array([1, 2, 4, 1]) / 8
    student = np.array([1, 1, np.e**2, 1]) / (3 + np.e**2)
    cross_entropy = np.log(7.0)
    kl = np.sum(teacher * np.log(teacher / student))
    alpha = 0.5 * tau
    augmentation = Augmentation(embedding, jnp.float32(tau), jnp.float32(alpha))
    loss, nll = softmax_loss(
        hidden, classifier, None, jnp.array([[1]]), jnp.ones((1, 1)), augmentation
    )
    np.testing.assert_allclose(nll, cross_entropy, rtol=1e-6)
    np.testing.assert_allclose(loss, cross_entropy + alpha * kl, rtol=1e-6)


def test_large_logits_give_finite_losses_and_gradients(case):
    hidden, classifier, bias, embedding, targets, weights = case
    value, gradient = jax.value_and_grad(
        lambda h: fused(h, classifier, bias, 50 * embedding, targets, weights, True, False)
    )(1e3 * hidden)
    assert np.isfinite(value)
    assert np.isfinite(gradient).all()
