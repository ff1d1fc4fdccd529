"""Many systems of one matrix, by conjugate gradients.

Hestenes & Stiefel, "Methods of Conjugate Gradients for Solving Linear Systems", 1952, with the
diagonal as the preconditioner. Each step is a product with the matrix, which every device has fast;
a Cholesky decomposition is unrolled by the compiler for TPUs, and a large one takes it hours.

Axis letters: N unknowns, D systems.
"""

import jax
import jax.numpy as jnp


def conjugate_gradients(matrix: jax.Array, targets: jax.Array, num_steps: int) -> jax.Array:
    """Solves `matrix @ x = targets` approximately, each column for itself, from zeros.

    >>> matrix = jnp.array([[2.0, 1.0], [1.0, 2.0]])
    >>> conjugate_gradients(matrix, matrix @ jnp.array([[1.0], [3.0]]), num_steps=2).round(4)
    Array([[1.],
           [3.]], dtype=float32)

    Args:
        matrix: [N, N], symmetric, positive definite.
        targets: [N, D].
        num_steps: steps; N are enough in exact arithmetic, far fewer for a matrix whose eigenvalues
            are near each other.

    Returns:
        x [N, D].
    """
    diagonal = jnp.diagonal(matrix)[:, None]

    def step(_, carry):
        solution, residual, direction, squared = carry
        image = matrix @ direction
        length = _divide(squared, (direction * image).sum(axis=0))
        solution = solution + length * direction
        residual = residual - length * image
        scaled = residual / diagonal
        before, squared = squared, (residual * scaled).sum(axis=0)
        return solution, residual, scaled + _divide(squared, before) * direction, squared

    scaled = targets / diagonal
    carry = jnp.zeros_like(targets), targets, scaled, (targets * scaled).sum(axis=0)
    return jax.lax.fori_loop(0, num_steps, step, carry)[0]


def _divide(a: jax.Array, b: jax.Array) -> jax.Array:
    """Divides; 0 where a column is solved exactly, and there is nothing left to divide by."""
    return jnp.where(b > 0, a / jnp.where(b > 0, b, 1.0), 0.0)
