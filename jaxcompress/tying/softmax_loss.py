"""Softmax cross-entropy over a large vocabulary, and the augmented loss, in little memory.

Inan, Khosravi & Socher 2017, arXiv 1611.01462, section 3. The logits [B, T, V] and what is made of
them are never held at once if they are large: time is cut into chunks, and the gradient of a chunk
is made in the forward pass, while its logits are at hand. So training takes three products with the
classifier, as the plain form does, and keeps no logits.

Axis letters: B batch, T time, N tokens of a chunk, V words, D units.
"""

import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp

from jaxcompress.engine.partial_sums import (
    add_rows_to_parts,
    multiply_parts,
    on_every_device,
    zero_parts,
)

_CHUNK_BYTES = 128 * 2**20  # of one float32 array [N, V]


class Augmentation(NamedTuple):
    """What the second term of the augmented loss takes, `weight * KL(teacher || student)`.

    Attributes:
        embedding: L [V, D]; the teacher of a token with target y is softmax(L L_y / tau). None: it
            is the classifier, so that both gradients are one, made and sent once.
        temperature: tau, float32 []; no gradient flows to it.
        weight: alpha = gamma * tau, float32 []; nor to it.
    """

    embedding: jax.Array | None
    temperature: jax.Array
    weight: jax.Array


@functools.partial(jax.custom_vjp, nondiff_argnums=(6,))
def softmax_loss(
    hidden: jax.Array,
    classifier: jax.Array,
    bias: jax.Array | None,
    targets: jax.Array,
    weights: jax.Array,
    augmentation: Augmentation | None = None,
    teacher_gradient: bool = False,
) -> tuple[jax.Array, jax.Array]:
    """Sums the augmented loss over tokens, each times its weight (eqs. 3.1 to 3.5).

    A token with output h and target y has, with W the classifier, b the bias, L the embedding::

        z       = W h + b
        J       = -log softmax(z)_y                   cross-entropy
        student = softmax(z / tau)
        teacher = softmax(L u / tau),  u = L_y        words near the target have their share
        J_aug   = KL(teacher || student)
        loss    = J + alpha J_aug,  alpha = gamma tau

    The paper does not say whether a gradient flows through the teacher. Here none does unless
    `teacher_gradient` is set: that costs half as much.

    Args:
        hidden: [B, T, D].
        classifier: [V, D]: logits are `hidden @ classifier.T + bias`.
        bias: [V]; None: zero.
        targets: int [B, T], in [0, V).
        weights: float [B, T]; no gradient flows to them.
        augmentation: the KL term; None: cross-entropy alone.
        teacher_gradient: whether a gradient flows through the teacher to its embedding.

    Returns:
        The loss, and its cross-entropy alone, to which no gradient flows; both in nats.
    """
    tables = (classifier, bias, augmentation)

    def add(losses, chunk):
        return jax.tree.map(jnp.add, losses, _chunk(tables, False, *chunk)[0]), None

    chunks = _cut(hidden, targets, weights, len(classifier))
    return jax.lax.scan(add, (jnp.float32(0), jnp.float32(0)), chunks)[0]


def _forward(hidden, classifier, bias, targets, weights, augmentation, teacher_gradient):
    """Computes the losses, and all gradients for a cotangent of 1."""
    tables = (classifier, bias, augmentation)

    def add(sums, chunk):
        losses, d_hidden, d_tables = _chunk(tables, teacher_gradient, *chunk)
        return jax.tree.map(jnp.add, sums, (losses, d_tables)), d_hidden

    taught = augmentation.embedding if augmentation and teacher_gradient else None
    chunks = _cut(hidden, targets, weights, len(classifier))
    start = jnp.float32(0), jnp.float32(0)
    zeros = zero_parts((classifier, bias, taught))
    (losses, parts), d_hidden = jax.lax.scan(add, (start, zeros), chunks)
    d_hidden = _join(d_hidden, hidden.shape)
    d_classifier, d_bias, d_embedding = jax.tree.map(lambda x: x.sum(axis=0), parts)
    # The target's part of the cross-entropy is sparse in the tables: added once, for all chunks,
    # and by each device for all others, which takes less than adding up a second gradient.
    targets, weights, hidden = map(on_every_device, (targets, weights, hidden))
    d_classifier = d_classifier.at[targets].add(-weights[..., None] * hidden)
    if d_bias is not None:
        d_bias = d_bias.at[targets].add(-weights)
    return losses, (d_hidden, d_classifier, d_bias, d_embedding)


def _backward(teacher_gradient, gradients, cotangents):
    """Scales the gradients that `_forward` made by the loss's cotangent."""
    scaled = jax.tree.map(lambda gradient: gradient * cotangents[0], gradients)
    d_hidden, d_classifier, d_bias, d_embedding = scaled
    d_augmentation = None
    if d_embedding is not None:
        d_augmentation = Augmentation(d_embedding, jnp.zeros(()), jnp.zeros(()))
    return d_hidden, d_classifier, d_bias, None, None, d_augmentation


softmax_loss.defvjp(_forward, _backward)


def _cut(hidden, targets, weights, num_words):
    """Cuts time into chunks: hidden [B, T, D], targets and weights [B, T] -> [chunks, N, ...] each.

    What is added at the end weighs nothing. Time and not the batch is cut, since the batch is what
    lies on several devices.
    """
    batch, time = targets.shape
    num_chunks = -(-4 * batch * time * num_words // _CHUNK_BYTES)
    length = -(-time // num_chunks)
    num_chunks = -(-time // length)

    def cut(x):
        rest = x.shape[2:]
        x = jnp.pad(x, [(0, 0), (0, num_chunks * length - time)] + [(0, 0)] * len(rest))
        x = jnp.moveaxis(x.reshape(batch, num_chunks, length, *rest), 1, 0)
        return x.reshape(num_chunks, batch * length, *rest)

    return jax.tree.map(cut, (hidden, targets, weights))


def _join(chunks, shape):
    """Undoes `_cut` for an array that was [B, T, D]."""
    batch, time, dim = shape
    x = jnp.moveaxis(chunks.reshape(len(chunks), batch, -1, dim), 0, 1)
    return x.reshape(batch, -1, dim)[:, :time]


def _chunk(tables, teacher_gradient, hidden, targets, weights):
    """Computes the losses of a chunk and their gradients, but for the target's part of the tables'.

    hidden [N, D], targets and weights [N].

    Returns:
        (loss, cross-entropy), d_hidden, (d_classifier, d_bias, d_embedding). Those of the tables
        have an axis in front, of the parts of the batch. The last one is that of the teacher, None
        unless `teacher_gradient`, and if the teacher is the classifier, which has both then.
    """
    classifier, bias, augmentation = tables
    of_target = classifier[targets]
    target_logits = jnp.sum(hidden * of_target, axis=-1)
    logits = hidden @ classifier.T
    if bias is not None:
        target_logits += bias[targets]
        logits += bias
    top = logits.max(axis=-1, keepdims=True)
    exp_logits, sums = _exp(logits - top)
    cross_entropy = jnp.vdot(top[:, 0] + jnp.log(sums[:, 0]) - target_logits, weights)
    # Rows are scaled in the small factor of each product, not in [N, V].
    loss, d_logits, scale = cross_entropy, exp_logits, weights[:, None] / sums
    d_embedding = None
    if augmentation is not None:
        taught = classifier if augmentation.embedding is None else augmentation.embedding
        kl, d_kl, d_embedding = _divergence(
            logits, top, taught, augmentation, targets, weights, teacher_gradient
        )
        loss = loss + augmentation.weight * kl
        student, teacher = d_kl
        gamma = augmentation.weight / augmentation.temperature
        d_logits += student[0] * (gamma * sums / student[1])
        d_logits -= teacher[0] * (gamma * sums / teacher[1])
    d_hidden = (d_logits @ classifier) * scale - weights[:, None] * of_target
    d_classifier = multiply_parts(d_logits, hidden * scale)
    d_bias = None if bias is None else multiply_parts(d_logits, scale)[..., 0]
    if d_embedding is not None and augmentation.embedding is None:
        d_classifier, d_embedding = d_classifier + d_embedding, None
    return (loss, cross_entropy), d_hidden, (d_classifier, d_bias, d_embedding)


def _exp(logits):
    """Computes exponentials [N, V] and their sums [N, 1]."""
    exp_logits = jnp.exp(logits)
    return exp_logits, exp_logits.sum(axis=-1, keepdims=True)


def _divergence(logits, top, embedding, augmentation, targets, weights, teacher_gradient):
    """Computes the divergence of the augmented loss: KL(teacher || softmax(logits / tau)).

    With teacher logits t = L L_y / tau and S, R the logarithms of the sums of exp(z / tau) and of
    exp(t), it is the sum over words of teacher * (t - z / tau) + S - R.

    Nothing of size [N, V] is made here but the teacher's logits and two exponentials: on CPU each
    more costs a twentieth of the step.

    Args:
        logits: z [N, V].
        top: the largest of each row [N, 1].
        embedding: L [V, D].
        augmentation: tau and alpha.
        targets: int [N].
        weights: float [N].
        teacher_gradient: whether the gradient by L is made.

    Returns:
        Its weighted sum; student and teacher, each as exponentials [N, V] and their sums [N, 1];
        the gradient of alpha times the weighted sum by L, in parts [G, V, D], None unless
        `teacher_gradient`.
    """
    temperature = augmentation.temperature
    of_target = embedding[targets]
    teacher_logits = (of_target / temperature) @ embedding.T
    teacher_top = teacher_logits.max(axis=-1, keepdims=True)
    teacher, teacher_sums = _exp(teacher_logits - teacher_top)
    student, student_sums = _exp((logits - top) / temperature)
    ratio = teacher_logits - logits / temperature
    norms = (jnp.log(student_sums) + top / temperature) - (jnp.log(teacher_sums) + teacher_top)
    kl = jnp.sum(teacher * ratio, axis=-1, keepdims=True) / teacher_sums + norms
    d_embedding = None
    if teacher_gradient:
        scale = weights[:, None] * augmentation.weight / temperature / teacher_sums
        d_teacher = teacher * (ratio + norms - kl) * scale
        d_embedding = multiply_parts(d_teacher, of_target)
        d_embedding = add_rows_to_parts(d_embedding, targets, d_teacher @ embedding)
    return jnp.vdot(kl, weights), ((student, student_sums), (teacher, teacher_sums)), d_embedding
