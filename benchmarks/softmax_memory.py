"""Temporary memory of the loss over a large vocabulary, fused in chunks and plain.

Command:  python benchmarks/softmax_memory.py

Read from the memory analysis of the compiled program that gives the augmented loss and its
gradients, and cross-entropy alone; 700 tokens, 650 units, 267,000 words. Nothing is run.
"""

import argparse

import jax
import jax.numpy as jnp

from jaxcompress.tying.softmax_loss import Augmentation, softmax_loss

BATCH, TIME, TAU, ALPHA = 20, 35, 20.0, 13.0


def fused(hidden, table, targets, augmented):
    augmentation = None
    if augmented:
        teacher = jax.lax.stop_gradient(table)
        augmentation = Augmentation(teacher, jnp.float32(TAU), jnp.float32(ALPHA))
    weights = jnp.full(targets.shape, 1 / BATCH)
    return softmax_loss(hidden, table, None, targets, weights, augmentation)[0]


def plain(hidden, table, targets, augmented):
    logits = hidden @ table.T
    loss = -jnp.take_along_axis(jax.nn.log_softmax(logits), targets[..., None], axis=-1)[..., 0]
    if augmented:
        teacher = jax.lax.stop_gradient(table)
        log_teacher = jax.nn.log_softmax(teacher[targets] @ teacher.T / TAU)
        log_student = jax.nn.log_softmax(logits / TAU)
        loss += ALPHA * jnp.sum(jnp.exp(log_teacher) * (log_teacher - log_student), axis=-1)
    return loss.sum() / BATCH


def temporary_bytes(function, num_words, dim, augmented):
    arguments = (
        jax.ShapeDtypeStruct((BATCH, TIME, dim), jnp.float32),
        jax.ShapeDtypeStruct((num_words, dim), jnp.float32),
        jax.ShapeDtypeStruct((BATCH, TIME), jnp.int32),
    )
    gradient = jax.value_and_grad(lambda *a: function(*a, augmented), (0, 1))
    return jax.jit(gradient).lower(*arguments).compile().memory_analysis().temp_size_in_bytes


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--num_words", type=int, default=267_000)
    parser.add_argument("--dim", type=int, default=650)
    flags = parser.parse_args()
    for augmented in (False, True):
        sizes = [
            temporary_bytes(f, flags.num_words, flags.dim, augmented) / 1e6 for f in (fused, plain)
        ]
        name = "augmented loss" if augmented else "cross-entropy"
        print(f"{name}: fused {sizes[0]:,.0f} MB, plain {sizes[1]:,.0f} MB, "
              f"ratio {sizes[0] / sizes[1]:.3f}")  # fmt: skip


if __name__ == "__main__":
    main()
